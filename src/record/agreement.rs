//! Whether a state file says what the journal line says that it names (pure).
//!
//! Held against the line: `policy`, `evaluated_at`, `inputs`, `before`, `reasons` (their codes, and
//! that the gravest is the level's), `readings` (which signals, each `status`, and the `value` of
//! those beyond the six), `document.sha256`, `held`, `waived`, `shadow`, `given_clock`, whether there
//! are `errors`, `fix_branch`, `run_id`, and `since` where the level began with the line. Since when a level
//! holds that began before is said by the lines before: [`super::since`].
//!
//! Not held against it, because no line says them: the sources of a reading (`file`, `sha256`, `from`,
//! `observed_at`, `note`, `also`) and the texts of `errors` and `warnings`, which are only told;
//! `thresholds`, `document.name` and `.version`, `near`, `needs`, and what `reasons` and `waived` say
//! beside their codes, which follow from the policy document and what was recorded before: `explain`
//! decides again and shows them as they are; `journal.broken` and `.state_changed`, which can only
//! make things worse; `staged`, a hint at a journal of its own. No decision rests on any of these.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::StoredState;
use super::line::{FailureMark, RecordedLine};
use crate::decision::{Held, inputs};
use crate::ids::{Digest, ReasonCode, RunId, SignalName, distinct};
use crate::policy::Level;
use crate::signals::{Outcome, Reading, Readings, Status, Value};
use crate::time::Timestamp;

/// What a state file shows beside level, time and values; the predecessor's has none of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Details {
    pub(super) before: Option<Level>,
    pub(super) reasons: Vec<ShownReason>,
    pub(super) readings: BTreeMap<SignalName, ShownReading>,
    pub(super) document: Digest,
    pub(super) held: Option<Held>,
    pub(super) waived: Vec<ShownReason>,
    pub(super) shadow: Option<Level>,
}

/// A reason as far as a line can tell it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct ShownReason {
    code: ReasonCode,
    #[serde(default)]
    level: Option<Level>,
}

/// A reading as far as a line can tell it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct ShownReading {
    status: Status,
    #[serde(default)]
    value: Option<serde_json::Value>,
}

/// What `state` says otherwise than the line, each with the path of its key; empty where they agree.
pub(super) fn differences(state: &StoredState, line: &RecordedLine) -> Vec<String> {
    let mut found = Found(Vec::new());
    found.hold("policy", &state.level, &line.level, Level::to_string);
    let say = |at: Timestamp| at.to_string();
    found.hold("evaluated_at", state.evaluated_at, line.at, say);
    for (name, shown, value) in shown_inputs(state, &line.readings) {
        if !same_value(&shown, value) {
            found.tell(&format!("inputs.{name}"), &format!("`{shown}`"), &value);
        }
    }
    match &state.details {
        Some(details) => of_details(state, details, line, &mut found),
        // A state file with a head is ours, and ours has them.
        None if state.head().is_some() => {
            found.hold("reasons or document", false, true, word);
        }
        None => {}
    }
    found.0
}

/// The differences so far. A run comes through here each time, so texts are made of those alone.
struct Found(Vec<String>);

impl Found {
    fn hold<T: PartialEq>(&mut self, path: &str, here: T, there: T, say: impl Fn(T) -> String) {
        if here != there {
            self.tell(path, &say(here), &say(there));
        }
    }

    fn tell(&mut self, path: &str, here: &dyn fmt::Display, there: &dyn fmt::Display) {
        self.0
            .push(format!("{path} {here} here, {there} on the line"));
    }
}

/// The six values under their keys, beside what the line says.
fn shown_inputs(
    state: &StoredState,
    readings: &Readings,
) -> impl Iterator<Item = (&'static str, serde_json::Value, Value)> {
    const NAMES: [&str; 6] = [
        "trust_locked",
        "integrity_score",
        "consensus_pct",
        "reputation_score",
        "forecast_risk",
        "recent_responses",
    ];
    let shown = state.inputs.clone().into_each().into_iter();
    let recorded = inputs(readings).into_each();
    let pairs = shown.zip(recorded);
    let of_pair = |(name, ((_, shown), (_, value)))| (name, shown, value);
    NAMES.into_iter().zip(pairs).map(of_pair)
}

fn of_details(state: &StoredState, details: &Details, line: &RecordedLine, found: &mut Found) {
    found.hold(
        "before",
        details.before.as_ref(),
        line.before.as_ref(),
        level,
    );
    of_reasons(&details.reasons, line, found);
    of_readings(&details.readings, &line.readings, found);
    found.hold(
        "document.sha256",
        &details.document,
        &line.policy,
        Digest::to_string,
    );
    found.hold("held", details.held.as_ref(), line.held.as_ref(), held);
    let waived = details.waived.iter().map(|waived| &waived.code);
    found.hold(
        "waived",
        waived.collect(),
        line.waived.iter().collect(),
        listed,
    );
    found.hold(
        "shadow",
        details.shadow.as_ref(),
        line.shadow.as_ref(),
        level,
    );
    found.hold("given_clock", state.given_clock, line.given_clock, word);
    // Changed protected files fail a run as well, and leave no mark of a failure.
    let tampered = line.reasons.contains(&ReasonCode::POLICY_TAMPERED);
    let failed = line.failure.is_some() || tampered;
    found.hold("errors", state.failed, failed, word);
    of_branch(state.fix_branch.as_deref(), line.failure.as_ref(), found);
    of_run(state, line, found);
    of_since(state.since, line, found);
}

fn of_reasons(shown: &[ShownReason], line: &RecordedLine, found: &mut Found) {
    let codes = distinct(shown.iter().map(|reason| &reason.code));
    found.hold("reasons", codes, line.reasons.iter().collect(), listed);
    if !demands(shown, &line.level) {
        let gravest = shown
            .iter()
            .filter_map(|reason| reason.level.as_ref())
            .max();
        found.tell("reasons[].level", &level(gravest), &line.level);
    }
}

/// True where the gravest of the reasons demands that level; without any it is GREEN.
fn demands(reasons: &[ShownReason], level: &Level) -> bool {
    let levels = || reasons.iter().filter_map(|reason| reason.level.as_ref());
    // Levels between YELLOW and RED have no order without their document.
    let none_graver = levels().all(|other| other.exit_code() <= level.exit_code());
    let named = levels().any(|other| other == level) || *level == Level::GREEN;
    none_graver && named
}

fn of_readings(shown: &BTreeMap<SignalName, ShownReading>, recorded: &Readings, found: &mut Found) {
    for signal in shown.keys().filter(|name| recorded.get(name).is_none()) {
        found.hold(&format!("readings.{signal}"), true, false, word);
    }
    for reading in recorded {
        let Some(shown) = shown.get(&reading.signal) else {
            found.hold(&format!("readings.{}", reading.signal), false, true, word);
            continue;
        };
        if shown.status != reading.status() {
            let path = format!("readings.{}.status", reading.signal);
            let (here, there) = (shown.status.as_str(), reading.status().as_str());
            found.tell(&path, &here, &there);
        }
        let expected = value_beyond(reading);
        let same = match (&shown.value, expected) {
            (Some(shown), Some(value)) => same_value(shown, value),
            (shown, value) => shown.is_none() && value.is_none(),
        };
        if !same {
            let here = shown.value.as_ref().map(|value| format!("`{value}`"));
            let there = expected.map(|value| value.to_string());
            let path = format!("readings.{}.value", reading.signal);
            found.tell(&path, &or_absent(here), &or_absent(there));
        }
    }
}

/// The value that a state file shows beside the status: those of the six stand under `inputs`.
pub(super) fn value_beyond(reading: &Reading) -> Option<Value> {
    let is_beyond = !Readings::BUILT_IN.contains(&reading.signal);
    match reading.outcome {
        Outcome::Valid(value) | Outcome::Stale(value) if is_beyond => Some(value),
        _ => None,
    }
}

/// A branch that could not be made is named by the line alone.
fn of_branch(shown: Option<&str>, recorded: Option<&FailureMark>, found: &mut Found) {
    if shown.is_some() {
        let recorded = recorded.and_then(|mark| mark.branch.as_deref());
        found.hold("fix_branch", shown, recorded, |branch| {
            or_absent(branch.map(str::to_owned))
        });
    }
}

/// A state file of an earlier version names no run.
fn of_run(state: &StoredState, line: &RecordedLine, found: &mut Found) {
    if let Some((shown, head)) = state.run_id.as_deref().zip(state.head()) {
        let recorded = line.run_id(&head.sha256);
        if RunId::parse(shown) != Some(recorded) {
            found.tell("run_id", &shown, &recorded);
        }
    }
}

/// A level that was another before began with this line.
fn of_since(since: Option<Timestamp>, line: &RecordedLine, found: &mut Found) {
    let before = line.before.as_ref();
    let begins = before.is_none_or(|before| before.name() != line.level.name());
    if since.is_none() || begins {
        found.hold("since", since, Some(line.at), |since| {
            or_absent(since.map(|since| since.to_string()))
        });
    }
}

fn level(level: Option<&Level>) -> String {
    or_absent(level.map(Level::to_string))
}

fn held(held: Option<&Held>) -> String {
    or_absent(held.map(|held| {
        let Held { since, times, peak } = held;
        format!("{times} times since {since}, to {peak}")
    }))
}

fn listed(codes: Vec<&ReasonCode>) -> String {
    let codes: Vec<&str> = codes.into_iter().map(ReasonCode::as_str).collect();
    format!("[{}]", codes.join(", "))
}

fn or_absent(text: Option<String>) -> String {
    text.unwrap_or_else(|| word(false))
}

fn word(there: bool) -> String {
    if there { "there" } else { "absent" }.to_owned()
}

fn same_value(shown: &serde_json::Value, value: Value) -> bool {
    match value {
        Value::Flag(flag) | Value::Truth(flag) => shown.as_bool() == Some(flag),
        Value::Percent(percent) => shown.as_f64() == Some(percent.get()),
        Value::Number(number) => shown.as_f64() == Some(number.get()),
        Value::Count(count) | Value::Age(count) => shown.as_u64() == Some(count),
        Value::Risk(risk) => shown.as_str() == Some(risk.as_str()),
        Value::Word(word) => shown.as_str() == Some(word.as_str()),
    }
}
