//! The metrics by their names, as a collector knows them: each with what it means, its type and its
//! samples. Pure. Names and units follow the conventions of Prometheus: seconds, ratios, timestamps
//! instead of ages, `_total` for what only grows.

use std::collections::BTreeMap;

use super::counters::{self, Counters};
use super::health::Health;
use crate::decision::Decision;
use crate::ids::SignalName;
use crate::policy::{Condition, Policy};
use crate::record::{
    APPROVAL_LOG, AUDIT_LOG, REQUEST_LOG, RESPONSE_JOURNAL, RESPONSE_LOG, STATE_JOURNAL,
};
use crate::signals::{Outcome, Readings, Status, Value};
use crate::time::Timestamp;

/// What a family is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only grows. Its name is told without `_total`.
    Counter,
    /// A sum and a count.
    Summary,
}

/// One value with its labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// What stands behind the family's name: ``, `_total`, `_sum`, `_count`.
    pub suffix: &'static str,
    /// Names and values.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: f64,
}

/// A metric with its samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// What it means, on one line.
    pub help: &'static str,
    /// What it is.
    pub kind: Kind,
    /// The samples.
    pub samples: Vec<Sample>,
}

/// The last decision, as far as metrics tell of it.
#[derive(Debug, Clone, Copy)]
pub struct Decided<'a> {
    /// What was decided.
    pub decision: &'a Decision,
    /// On what.
    pub readings: &'a Readings,
    /// By which policy.
    pub policy: &'a Policy,
    /// True where the user gave the time.
    pub given_clock: bool,
}

/// Everything that the metrics are made of.
#[derive(Debug)]
pub struct Standing<'a> {
    /// The last decision; none where there is none that can be trusted.
    pub decided: Option<Decided<'a>>,
    /// When each signal was observed, where its file told.
    pub observed: BTreeMap<SignalName, Timestamp>,
    /// What only grows.
    pub counters: &'a Counters,
    /// The operating limits.
    pub health: &'a Health,
    /// The gates before an apply; empty while the level calls for nothing.
    pub gates: Vec<(&'static str, bool)>,
    /// Is the kill switch on?
    pub kill_switch: bool,
    /// Is the brake engaged, or missing, or unreadable?
    pub brake: bool,
    /// How many things are wrong with journals and state files.
    pub problems: u64,
}

/// All families, those without a sample left out.
pub fn families(standing: &Standing<'_>) -> Vec<Family> {
    let mut all = vec![gauge(
        "policy_orchestrator_build_info",
        "The version of the program that wrote this, always 1.",
        vec![sample(
            [("version", env!("CARGO_PKG_VERSION").to_owned())],
            1.0,
        )],
    )];
    if let Some(decided) = standing.decided {
        all.extend(of_decision(decided));
        all.extend(of_signals(decided, &standing.observed));
        all.extend(of_triggers(decided));
    }
    all.extend(of_safety(standing));
    all.extend(of_limits(standing.health));
    all.extend(of_counters(standing.counters));
    all.extend(of_runs(standing.counters.runs));
    all.retain(|family| !family.samples.is_empty());
    all
}

fn of_decision(decided: Decided<'_>) -> Vec<Family> {
    let Decided {
        decision, policy, ..
    } = decided;
    let mut levels = policy.levels();
    if !levels
        .iter()
        .any(|level| level.name() == decision.level.name())
    {
        levels.push(decision.level.clone());
    }
    let states = levels.iter().map(|level| {
        let is_it = level.name() == decision.level.name();
        sample([("level", level.name().to_owned())], flag(is_it))
    });
    vec![
        gauge(
            "policy_orchestrator_level",
            "Whether the last recorded decision has this level: 1 for one of them.",
            states.collect(),
        ),
        gauge(
            "policy_orchestrator_decision_timestamp_seconds",
            "When the last decision was made. Its age is time() minus this.",
            vec![sample([], seconds(decision.at))],
        ),
        gauge(
            "policy_orchestrator_decision_given_clock",
            "1 where that time was given with --at: such a decision is never fresh.",
            vec![sample([], flag(decided.given_clock))],
        ),
        gauge(
            "policy_orchestrator_level_since_timestamp_seconds",
            "Since when the level holds without a break.",
            vec![sample([], seconds(decision.since))],
        ),
    ]
}

fn of_signals(decided: Decided<'_>, observed: &BTreeMap<SignalName, Timestamp>) -> Vec<Family> {
    let name = |signal: &SignalName| signal.to_string();
    let (mut statuses, mut values) = (Vec::new(), Vec::new());
    for reading in decided.readings {
        for status in [
            Status::Valid,
            Status::Missing,
            Status::Stale,
            Status::Invalid,
        ] {
            statuses.push(sample(
                [
                    ("signal", name(&reading.signal)),
                    ("status", status.as_str().to_owned()),
                ],
                flag(reading.status() == status),
            ));
        }
        if let Outcome::Valid(value) | Outcome::Stale(value) = reading.outcome
            && let Some(number) = as_number(value)
        {
            values.push(sample([("signal", name(&reading.signal))], number));
        }
    }
    let times = observed
        .iter()
        .map(|(signal, at)| sample([("signal", name(signal))], seconds(*at)));
    vec![
        gauge(
            "policy_orchestrator_signal_status",
            "Whether the signal's reading ended in this status: 1 for one of them.",
            statuses,
        ),
        gauge(
            "policy_orchestrator_signal_value",
            "The signal's value in its own unit; locks are 0 or 1, a risk 0 (low), 1 or 2 (high).",
            values,
        ),
        gauge(
            "policy_orchestrator_signal_observed_timestamp_seconds",
            "When the signal was observed, where its file tells. Its age is time() minus this.",
            times.collect(),
        ),
    ]
}

fn of_triggers(decided: Decided<'_>) -> Vec<Family> {
    let (mut lines, mut margins, mut firing) = (Vec::new(), Vec::new(), Vec::new());
    for trigger in decided.policy.triggers() {
        let signal = trigger.signal.as_ref();
        let labels = || {
            [
                ("trigger", trigger.code.to_string()),
                ("level", trigger.level.name().to_owned()),
                (
                    "signal",
                    signal.map(ToString::to_string).unwrap_or_default(),
                ),
            ]
        };
        let fires = |reason: &&crate::decision::Reason| {
            reason.code == trigger.code && reason.level.name() == trigger.level.name()
        };
        let fired = decided.decision.reasons.iter().any(|reason| fires(&reason));
        firing.push(sample(labels(), flag(fired)));
        if let Some(line) = line_of(&trigger.condition) {
            lines.push(sample(labels(), line));
        }
        let reading = signal.and_then(|signal| decided.readings.get(signal));
        if let Some(Outcome::Valid(value) | Outcome::Stale(value)) =
            reading.map(|reading| &reading.outcome)
            && let Some(margin) = trigger.condition.margin(*value)
        {
            margins.push(sample(labels(), margin));
        }
    }
    vec![
        gauge(
            "policy_orchestrator_trigger_firing",
            "Whether the trigger demanded its level.",
            firing,
        ),
        gauge(
            "policy_orchestrator_trigger_threshold",
            "The line of the trigger, in its signal's unit.",
            lines,
        ),
        gauge(
            "policy_orchestrator_trigger_margin",
            "How far the value lies on the healthy side of the line; negative on the other.",
            margins,
        ),
    ]
}

fn of_safety(standing: &Standing<'_>) -> Vec<Family> {
    let gates = standing.gates.iter();
    let gates = gates.map(|(name, open)| sample([("gate", (*name).to_owned())], flag(*open)));
    vec![
        gauge(
            "policy_orchestrator_gate_open",
            "Whether a gate before an apply is open; no gate while the level calls for nothing.",
            gates.collect(),
        ),
        gauge(
            "policy_orchestrator_kill_switch_on",
            "1 while the kill switch is on.",
            vec![sample([], flag(standing.kill_switch))],
        ),
        gauge(
            "policy_orchestrator_brake_engaged",
            "1 while the safety brake is engaged, missing or unreadable.",
            vec![sample([], flag(standing.brake))],
        ),
        gauge(
            "policy_orchestrator_record_problems",
            "How many things are wrong with journals and state files, looked at from their ends.",
            vec![sample([], count(standing.problems))],
        ),
        gauge(
            "policy_orchestrator_decision_known",
            "1 where there is a last decision and it can be trusted; without it no level is told.",
            vec![sample([], flag(standing.decided.is_some()))],
        ),
    ]
}

fn of_limits(health: &Health) -> Vec<Family> {
    let name = |limit: &super::health::Limit| {
        let name = serde_json::to_value(limit.name).ok();
        name.as_ref()
            .and_then(serde_json::Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let limits = || health.limits.iter();
    let values = limits().filter_map(|limit| Some(sample([("limit", name(limit))], limit.value?)));
    let kept =
        limits().filter_map(|limit| Some(sample([("limit", name(limit))], flag(limit.passed?))));
    let lines = limits().map(|limit| sample([("limit", name(limit))], limit.limit));
    vec![
        gauge(
            "policy_orchestrator_limit_value",
            "What is held against an operating limit, in the unit that history --health names.",
            values.collect(),
        ),
        gauge(
            "policy_orchestrator_limit_threshold",
            "The operating limit.",
            lines.collect(),
        ),
        gauge(
            "policy_orchestrator_limit_kept",
            "Whether the operating limit is kept; absent where nobody knows.",
            kept.collect(),
        ),
    ]
}

fn of_counters(counters: &Counters) -> Vec<Family> {
    let by_level: Vec<(&str, u64)> = counters.decisions().collect();
    let runs = by_level.iter().map(|(_, count)| count).sum();
    let by_level = by_level
        .into_iter()
        .map(|(level, number)| total([("level", level.to_owned())], number));
    let lines = counters.journals.iter();
    let lines = lines.map(|(file, counted)| total([("journal", file.clone())], counted.head.seq));
    let one = |file, name| vec![total([], counters.of(file, name))];
    vec![
        counter(
            "workflow_runs",
            "Evaluations that came to a recorded decision.",
            vec![total([], runs)],
        ),
        counter(
            "role_changes",
            "Recorded changes of policy/approvers.yaml, while the policies are locked.",
            one(AUDIT_LOG, counters::ROLES),
        ),
        counter(
            "p2_signatures",
            "Approvals that a second person signed.",
            one(APPROVAL_LOG, counters::GRANTED),
        ),
        counter(
            "policy_evaluations",
            "Requests that decide --record answered.",
            one(REQUEST_LOG, counters::ANSWERED),
        ),
        counter(
            "policy_violations",
            "Requests that decide --record denied.",
            one(REQUEST_LOG, counters::DENIED),
        ),
        counter(
            "policy_orchestrator_decisions",
            "Recorded decisions by level.",
            by_level.collect(),
        ),
        counter(
            "policy_orchestrator_level_changes",
            "Recorded decisions with another level than the one before.",
            one(STATE_JOURNAL, counters::CHANGES),
        ),
        counter(
            "policy_orchestrator_failed_decisions",
            "Recorded decisions of runs that failed: an input or the policy could not be used.",
            one(STATE_JOURNAL, counters::FAILURES),
        ),
        counter(
            "policy_orchestrator_applies",
            "Responses that were carried out, whatever became of their actions.",
            one(RESPONSE_LOG, counters::APPLIED),
        ),
        counter(
            "policy_orchestrator_blocked",
            "Attempts to apply that a closed gate blocked.",
            one(RESPONSE_LOG, counters::BLOCKED),
        ),
        counter(
            "policy_orchestrator_undone",
            "Actions of responses that were undone.",
            one(RESPONSE_JOURNAL, counters::UNDONE),
        ),
        counter(
            "policy_orchestrator_journal_lines",
            "Lines of each journal, over all its segments.",
            lines.collect(),
        ),
    ]
}

fn of_runs(runs: counters::Runs) -> Vec<Family> {
    let of = |suffix, value| Sample {
        suffix,
        labels: Vec::new(),
        value,
    };
    let last = (runs.count > 0).then(|| sample([], runs.last));
    vec![
        counter(
            "slow_query",
            "Runs with --metrics that took longer than 1 second.",
            vec![total([], runs.slow)],
        ),
        Family {
            name: "policy_orchestrator_evaluation_duration_seconds",
            help: "How long runs with --metrics took, until they had recorded a decision or given up.",
            kind: Kind::Summary,
            samples: vec![of("_sum", runs.seconds), of("_count", count(runs.count))],
        },
        gauge(
            "policy_orchestrator_last_evaluation_duration_seconds",
            "How long the last run with --metrics took.",
            last.into_iter().collect(),
        ),
    ]
}

fn as_number(value: Value) -> Option<f64> {
    match value {
        Value::Flag(is) | Value::Truth(is) => Some(flag(is)),
        Value::Risk(risk) => Some(f64::from(risk as u8)),
        value => value.as_number(),
    }
}

fn line_of(condition: &Condition) -> Option<f64> {
    as_number(condition.threshold()?)
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts far below where a float is no longer exact"
)]
fn count(count: u64) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "times of this age are exact to the microsecond"
)]
fn seconds(at: Timestamp) -> f64 {
    at.unix_micros() as f64 / 1e6
}

fn sample<const N: usize>(labels: [(&'static str, String); N], value: f64) -> Sample {
    Sample {
        suffix: "",
        labels: labels.into(),
        value,
    }
}

fn total<const N: usize>(labels: [(&'static str, String); N], value: u64) -> Sample {
    Sample {
        suffix: "_total",
        labels: labels.into(),
        value: count(value),
    }
}

fn gauge(name: &'static str, help: &'static str, samples: Vec<Sample>) -> Family {
    Family {
        name,
        help,
        kind: Kind::Gauge,
        samples,
    }
}

fn counter(name: &'static str, help: &'static str, samples: Vec<Sample>) -> Family {
    Family {
        name,
        help,
        kind: Kind::Counter,
        samples,
    }
}
