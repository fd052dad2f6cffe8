//! What follows from the readings: the level, every reason, every margin, and what would have to
//! change.
//!
//! [`evaluate`] is a pure function of the policy, the readings, the decision before and the
//! evaluation time: no file, no clock, no environment. Everything that is shown later is computed
//! here once. How it is stored is said in [`crate::record`], how it is shown in [`crate::report`].

pub mod backtest;
pub mod counterfactual;
pub mod judge;

pub use counterfactual::{Change, Needs};

use serde::{Deserialize, Serialize};

use crate::diagnostic::{Code, Diagnostic, Place};
use crate::ids::{ReasonCode, SignalName};
use crate::policy::{Level, Policy};
use crate::signals::{Reading, Readings, Status, Value};
use crate::time::Timestamp;

/// The decision before this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// Its level.
    pub level: Level,
    /// When it was made.
    pub at: Timestamp,
    /// Since when that level holds without a break.
    pub since: Timestamp,
}

/// Whether the journal is what the last decision left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalHealth {
    /// It is, as far as a run looks.
    Whole,
    /// It is not: the level is RED whatever the signals say.
    Broken,
}

/// Everything a decision rests on.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The policy in force.
    pub policy: &'a Policy,
    /// What the signals say.
    pub readings: &'a Readings,
    /// The decision before, where there is one.
    pub before: Option<&'a Before>,
    /// The evaluation time.
    pub at: Timestamp,
    /// Whether the record can be trusted.
    pub journal: JournalHealth,
}

/// Why a level was demanded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reason {
    /// The stable code.
    pub code: ReasonCode,
    /// The level that it demands.
    pub level: Level,
    /// The signal, unless it is about the policy or the journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<SignalName>,
    /// The signal's value, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// The line that the value is held against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Value>,
    /// How far the value lies on the healthy side of the line; negative where it lies on the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
}

/// A decision, complete.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The level: the highest that any trigger demands.
    pub level: Level,
    /// The evaluation time.
    pub at: Timestamp,
    /// Every reason, gravest first; empty for GREEN.
    pub reasons: Vec<Reason>,
    /// Triggers that did not fire but nearly would have, with their margins.
    pub near: Vec<Reason>,
    /// What would have to change to reach each lower level, the lowest first.
    pub needs: Vec<Needs>,
    /// The level before, where there was one.
    pub before: Option<Level>,
    /// Since when this level holds without a break.
    pub since: Timestamp,
    /// What was odd about the time.
    pub warnings: Vec<Diagnostic>,
}

impl Decision {
    /// True where the level is another than before, or nothing was decided before.
    pub fn is_transition(&self) -> bool {
        self.before.as_ref() != Some(&self.level)
    }
}

/// The values of the six built-in signals under the names of the state file's `inputs`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Inputs<T> {
    /// Is the trust guard's lock set?
    pub trust_locked: T,
    /// The integrity score, 0 to 100.
    pub integrity_score: T,
    /// The weighted agreement, 0 to 100.
    pub consensus_pct: T,
    /// The mean reputation, 0 to 100.
    pub reputation_score: T,
    /// The forecast risk.
    pub forecast_risk: T,
    /// Adaptive responses in the last 24 hours.
    pub recent_responses: T,
}

impl<T> Inputs<T> {
    /// Makes the six members by asking for each signal.
    pub fn from_each(mut of: impl FnMut(&SignalName) -> T) -> Self {
        Self {
            trust_locked: of(&SignalName::TRUST),
            integrity_score: of(&SignalName::INTEGRITY),
            consensus_pct: of(&SignalName::CONSENSUS),
            reputation_score: of(&SignalName::REPUTATION),
            forecast_risk: of(&SignalName::FORECAST),
            recent_responses: of(&SignalName::RESPONSES),
        }
    }

    /// The members with their signals, in order.
    pub fn into_each(self) -> [(SignalName, T); 6] {
        [
            (SignalName::TRUST, self.trust_locked),
            (SignalName::INTEGRITY, self.integrity_score),
            (SignalName::CONSENSUS, self.consensus_pct),
            (SignalName::REPUTATION, self.reputation_score),
            (SignalName::FORECAST, self.forecast_risk),
            (SignalName::RESPONSES, self.recent_responses),
        ]
    }
}

/// The `inputs` of a set of readings, with a stand-in where nobody reported.
pub fn inputs(readings: &Readings) -> Inputs<Value> {
    let shown = |signal: &SignalName| readings.get(signal).map(Reading::shown_value);
    Inputs::from_each(|signal| shown(signal).unwrap_or_else(|| crate::signals::stand_in(signal)))
}

/// Decides. Every trigger is evaluated, never only the first that fires.
pub fn evaluate(situation: Situation<'_>) -> Decision {
    let Situation {
        policy,
        readings,
        before,
        at,
        ..
    } = situation;
    let reasons = reasons(situation);
    let level = reasons
        .iter()
        .map(|reason| reason.level.clone())
        .max()
        .unwrap_or(Level::GREEN);
    let unbroken = before.filter(|before| before.level == level);
    Decision {
        needs: counterfactual::needs(policy, readings, situation.journal, &level),
        near: near(policy, readings),
        before: before.map(|before| before.level.clone()),
        since: unbroken.map_or(at, |before| before.since),
        warnings: before
            .filter(|before| at < before.at)
            .map(|before| backwards(before, at))
            .into_iter()
            .collect(),
        level,
        at,
        reasons,
    }
}

fn reasons(situation: Situation<'_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if situation.journal == JournalHealth::Broken {
        reasons.push(bare(ReasonCode::JOURNAL_BROKEN, Level::RED, None));
    }
    if situation.policy.is_refused() {
        reasons.push(bare(ReasonCode::POLICY_INVALID, Level::RED, None));
    }
    for reading in situation.readings {
        reasons.extend(of_status(situation.policy, reading));
    }
    for trigger in situation.policy.triggers() {
        let value = situation
            .readings
            .get(&trigger.signal)
            .and_then(Reading::value);
        let Some(value) = value.filter(|value| trigger.condition.holds(*value)) else {
            continue;
        };
        reasons.push(judged(trigger, value));
    }
    // Stable: within a level the order of the policy stays.
    reasons.sort_by(|one, other| other.level.cmp(&one.level));
    reasons
}

fn of_status(policy: &Policy, reading: &Reading) -> Option<Reason> {
    let (code, level) = match reading.status() {
        Status::Valid => return None,
        Status::Missing => (ReasonCode::INPUT_MISSING, policy.on_missing()),
        Status::Stale => (ReasonCode::INPUT_STALE, policy.on_stale()),
        Status::Invalid => (ReasonCode::INPUT_INVALID, Level::RED),
    };
    Some(bare(code, level, Some(reading.signal.clone())))
}

fn bare(code: ReasonCode, level: Level, signal: Option<SignalName>) -> Reason {
    Reason {
        code,
        level,
        signal,
        value: None,
        threshold: None,
        margin: None,
    }
}

fn judged(trigger: &crate::policy::Trigger, value: Value) -> Reason {
    Reason {
        code: trigger.code.clone(),
        level: trigger.level.clone(),
        signal: Some(trigger.signal.clone()),
        value: Some(value),
        threshold: Some(trigger.condition.threshold()),
        margin: trigger.condition.margin(value),
    }
}

fn near(policy: &Policy, readings: &Readings) -> Vec<Reason> {
    let nearly = |trigger: &&crate::policy::Trigger| {
        let value = readings.get(&trigger.signal).and_then(Reading::value);
        value.is_some_and(|value| trigger.condition.is_near(value))
    };
    let near = policy.triggers().iter().filter(nearly);
    near.filter_map(|trigger| {
        readings
            .get(&trigger.signal)
            .and_then(Reading::value)
            .map(|value| judged(trigger, value))
    })
    .collect()
}

fn backwards(before: &Before, at: Timestamp) -> Diagnostic {
    Diagnostic::new(
        Code::TimeBackwards,
        Place::file("state/policy_state_log.jsonl"),
        "this decision is dated before the one recorded last",
    )
    .found(at.to_string())
    .expected(format!("a time from {} on", before.at))
    .help("check this machine's clock, or the time given with `--at`")
}
