//! Whether a state file says what the journal line says that it names (pure).
//!
//! Held against the line: `policy`, `evaluated_at`, `inputs`, `before`, `reasons` (their codes, and
//! that the gravest is the level's), `readings` (which signals, each `status`, and the `value` of
//! those beyond the six), `document.sha256`, `held`, `waived`, `shadow`, `given_clock`, whether there
//! are `errors`, `fix_branch`, and `since` where the level began with the line. Since when a level
//! holds that began before is said by the lines before: [`super::since`].
//!
//! Not held against it, because no line says them: the sources of a reading (`file`, `sha256`, `from`,
//! `observed_at`, `note`, `also`) and the texts of `errors` and `warnings`, which are only told;
//! `thresholds`, `document.name` and `.version`, `near`, `needs`, and what `reasons` and `waived` say
//! beside their codes, which follow from the policy document and what was recorded before: `explain`
//! decides again and shows them as they are; `journal.broken` and `.state_changed`, which can only
//! make things worse; `staged`, a hint at a journal of its own. No decision rests on any of these.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::StoredState;
use super::line::{FailureMark, RecordedLine};
use crate::decision::{Held, inputs};
use crate::ids::{Digest, ReasonCode, SignalName, distinct};
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
    let mut found = Vec::new();
    let mut differ = |path: &str, here: String, there: String| {
        if here != there {
            found.push(format!("{path} {here} here, {there} on the line"));
        }
    };
    differ("policy", state.level.to_string(), line.level.to_string());
    differ(
        "evaluated_at",
        state.evaluated_at.to_string(),
        line.at.to_string(),
    );
    for (name, shown, value) in shown_inputs(state, &line.readings) {
        if !same_value(&shown, value) {
            differ(
                &format!("inputs.{name}"),
                format!("`{shown}`"),
                value.to_string(),
            );
        }
    }
    match &state.details {
        Some(details) => of_details(state, details, line, &mut differ),
        // A state file with a head is ours, and ours has them.
        None if state.head().is_some() => {
            differ("reasons or document", word(false), word(true));
        }
        None => {}
    }
    found
}

impl StoredState {
    /// True where it says of the decision what its line says.
    pub fn agrees_with(&self, line: &RecordedLine) -> bool {
        differences(self, line).is_empty()
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

fn of_details(
    state: &StoredState,
    details: &Details,
    line: &RecordedLine,
    differ: &mut dyn FnMut(&str, String, String),
) {
    differ(
        "before",
        level(details.before.as_ref()),
        level(line.before.as_ref()),
    );
    let codes = distinct(details.reasons.iter().map(|reason| &reason.code));
    differ("reasons", listed(codes), listed(&line.reasons));
    if !demands(&details.reasons, &line.level) {
        let gravest = details
            .reasons
            .iter()
            .filter_map(|reason| reason.level.as_ref());
        differ(
            "reasons[].level",
            level(gravest.max()),
            level(Some(&line.level)),
        );
    }
    of_readings(&details.readings, &line.readings, differ);
    differ(
        "document.sha256",
        details.document.to_string(),
        line.policy.to_string(),
    );
    differ(
        "held",
        held(details.held.as_ref()),
        held(line.held.as_ref()),
    );
    let waived = details.waived.iter().map(|waived| &waived.code);
    differ("waived", listed(waived), listed(&line.waived));
    differ(
        "shadow",
        level(details.shadow.as_ref()),
        level(line.shadow.as_ref()),
    );
    differ(
        "given_clock",
        word(state.given_clock),
        word(line.given_clock),
    );
    differ("errors", word(state.failed), word(line.failure.is_some()));
    of_branch(state.fix_branch.as_deref(), line.failure.as_ref(), differ);
    of_since(state.since, line, differ);
}

/// True where the gravest of the reasons demands that level; without any it is GREEN.
fn demands(reasons: &[ShownReason], level: &Level) -> bool {
    let levels = || reasons.iter().filter_map(|reason| reason.level.as_ref());
    // Levels between YELLOW and RED have no order without their document.
    let none_graver = levels().all(|other| other.exit_code() <= level.exit_code());
    let named = levels().any(|other| other == level) || *level == Level::GREEN;
    none_graver && named
}

fn of_readings(
    shown: &BTreeMap<SignalName, ShownReading>,
    recorded: &Readings,
    differ: &mut dyn FnMut(&str, String, String),
) {
    for signal in shown.keys() {
        let known = recorded.get(signal).is_some();
        differ(&format!("readings.{signal}"), word(true), word(known));
    }
    for reading in recorded {
        let path = format!("readings.{}", reading.signal);
        let Some(shown) = shown.get(&reading.signal) else {
            differ(&path, word(false), word(true));
            continue;
        };
        differ(
            &format!("{path}.status"),
            shown.status.as_str().to_owned(),
            reading.status().as_str().to_owned(),
        );
        let expected = value_beyond(reading);
        let same = match (&shown.value, expected) {
            (Some(shown), Some(value)) => same_value(shown, value),
            (shown, value) => shown.is_none() && value.is_none(),
        };
        if !same {
            let here = shown.value.as_ref();
            differ(
                &format!("{path}.value"),
                here.map_or_else(|| word(false), |value| format!("`{value}`")),
                expected.map_or_else(|| word(false), |value| value.to_string()),
            );
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
fn of_branch(
    shown: Option<&str>,
    recorded: Option<&FailureMark>,
    differ: &mut dyn FnMut(&str, String, String),
) {
    let Some(shown) = shown else { return };
    let recorded = recorded.and_then(|mark| mark.branch.as_deref());
    differ(
        "fix_branch",
        shown.to_owned(),
        recorded.map_or_else(|| word(false), str::to_owned),
    );
}

/// A level that was another before began with this line.
fn of_since(
    since: Option<Timestamp>,
    line: &RecordedLine,
    differ: &mut dyn FnMut(&str, String, String),
) {
    let Some(since) = since else {
        return differ("since", word(false), word(true));
    };
    let before = line.before.as_ref();
    if before.is_none_or(|before| before.name() != line.level.name()) {
        differ("since", since.to_string(), line.at.to_string());
    }
}

fn level(level: Option<&Level>) -> String {
    level.map_or_else(|| word(false), Level::to_string)
}

fn held(held: Option<&Held>) -> String {
    held.map_or_else(
        || word(false),
        |held| {
            format!(
                "{} times since {}, to {}",
                held.times, held.since, held.peak
            )
        },
    )
}

fn listed<'a>(codes: impl IntoIterator<Item = &'a ReasonCode>) -> String {
    let codes: Vec<&str> = codes.into_iter().map(ReasonCode::as_str).collect();
    format!("[{}]", codes.join(", "))
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
