//! What follows from the readings: the level, every reason, every margin, and what would have to
//! change.
//!
//! [`evaluate`] is a pure function of the policy, the readings, the decision before and the
//! evaluation time: no file, no clock, no environment. Everything that is shown later is computed
//! here once. How it is stored is said in [`crate::record`], how it is shown in [`crate::report`].

pub mod backtest;
pub mod cases;
pub mod counterfactual;
pub mod judge;
mod judging;
pub mod trend;

pub use counterfactual::{Change, Needs};

use serde::{Deserialize, Serialize};

use crate::diagnostic::{Code, Diagnostic, Place};
use crate::ids::{ReasonCode, SignalName};
use crate::policy::{Condition, Hysteresis, Level, Policy, Trigger, Waiver};
use crate::signals::{Reading, Readings, Status, Value};
use crate::time::Timestamp;
use judging::{Fired, Judged};

/// The decision before this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// Its level.
    pub level: Level,
    /// When it was made.
    pub at: Timestamp,
    /// Since when that level holds without a break.
    pub since: Timestamp,
    /// Where that level was held although less was demanded.
    pub held: Option<Held>,
}

/// A level that is held although less is demanded (the policy's `hysteresis`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Since when every evaluation demanded less.
    pub since: Timestamp,
    /// How many of them there were.
    pub times: u32,
    /// The most that they demanded: the level that it falls to.
    pub peak: Level,
}

/// A recorded decision's readings, for conditions that look back.
#[derive(Debug, Clone, PartialEq)]
pub struct Earlier {
    /// When it was made.
    pub at: Timestamp,
    /// What the signals said.
    pub readings: Readings,
}

/// Whether the journal is what the last decision left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalHealth {
    /// It is, as far as a run looks.
    Whole,
    /// It is not: the level is RED whatever the signals say.
    Broken,
}

/// Whether the protected files are those that somebody accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockHealth {
    /// They are, or nothing is locked.
    Whole,
    /// They are not: the level is RED whatever the signals say.
    Tampered,
}

impl LockHealth {
    /// What a recorded decision says of it by its reasons.
    pub fn of(reasons: &[ReasonCode]) -> Self {
        if reasons.contains(&ReasonCode::POLICY_TAMPERED) {
            Self::Tampered
        } else {
            Self::Whole
        }
    }
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
    /// What was recorded before, the oldest first, at least as far as [`Policy::looks_back`] asks.
    pub history: &'a [Earlier],
    /// The evaluation time.
    pub at: Timestamp,
    /// Whether the record can be trusted.
    pub journal: JournalHealth,
    /// Whether the policy is the reviewed one.
    pub lock: LockHealth,
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
    /// The condition in words, where value, line and code do not tell it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
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
    /// Triggers that fired and are waived.
    pub waived: Vec<Waived>,
    /// The level without the waivers, where a waived trigger fired.
    pub shadow: Option<Level>,
    /// Where the level is held although less is demanded.
    pub held: Option<Held>,
    /// What was odd about the time or a waiver.
    pub warnings: Vec<Diagnostic>,
}

/// A trigger that fired and does not count.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Waived {
    /// What would have been demanded.
    #[serde(flatten)]
    pub reason: Reason,
    /// Why it is not.
    pub waiver: Waiver,
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
        policy, before, at, ..
    } = situation;
    let situation = Situation {
        history: policy.look_back(situation.history, at, |earlier| earlier.at),
        ..situation
    };
    let judged = Judged::of(situation);
    let mut reasons = reasons(situation, &judged);
    let demanded = highest(&reasons);
    let waived: Vec<Waived> = judged
        .waived
        .iter()
        .map(|(fired, waiver)| waive(fired, waiver))
        .collect();
    let shadow = waived
        .iter()
        .map(|waived| waived.reason.level.clone())
        .max();
    let shadow = shadow.map(|level| level.max(demanded.clone()));
    let (level, held) = settle(situation, demanded);
    if held.is_some() {
        reasons.insert(0, bare(ReasonCode::LEVEL_HELD, level.clone(), None));
    }
    let unbroken = before.filter(|before| before.level.name() == level.name());
    Decision {
        needs: counterfactual::needs(situation, &judged, held.as_ref(), &level),
        near: judged.near.iter().map(judged_reason).collect(),
        before: before.map(|before| before.level.clone()),
        since: unbroken.map_or(at, |before| before.since),
        warnings: warnings(situation, &judged),
        level,
        at,
        reasons,
        waived,
        shadow,
        held,
    }
}

fn highest(reasons: &[Reason]) -> Level {
    let levels = reasons.iter().map(|reason| reason.level.clone());
    levels.max().unwrap_or(Level::GREEN)
}

/// The level that stands: the one demanded, or a graver one that has not been left for long enough.
fn settle(situation: Situation<'_>, demanded: Level) -> (Level, Option<Held>) {
    let Situation { policy, at, .. } = situation;
    let Some((hysteresis, before)) = policy.hysteresis().zip(situation.before) else {
        return (demanded, None);
    };
    let stood = policy.resolve(&before.level);
    if demanded >= stood {
        return (demanded, None);
    }
    let held = match &before.held {
        Some(held) => Held {
            since: held.since,
            times: held.times.saturating_add(1),
            peak: policy.resolve(&held.peak).max(demanded.clone()),
        },
        None => begin_to_hold(situation, before, &demanded),
    };
    let falls = match hysteresis {
        Hysteresis::Evaluations(needed) => held.times >= needed,
        Hysteresis::Time(needed) => at.since(held.since) >= needed,
    };
    if !falls {
        return (stood, Some(held));
    }
    // It falls to the most that was demanded meanwhile, and from there on in the same way.
    let still = (held.peak > demanded).then(|| begin_to_hold(situation, before, &demanded));
    (held.peak, still)
}

/// A clock that goes backwards makes no hold shorter.
fn begin_to_hold(situation: Situation<'_>, before: &Before, demanded: &Level) -> Held {
    Held {
        since: situation.at.max(before.at),
        times: 1,
        peak: demanded.clone(),
    }
}

fn reasons(situation: Situation<'_>, judged: &Judged<'_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if situation.journal == JournalHealth::Broken {
        reasons.push(bare(ReasonCode::JOURNAL_BROKEN, Level::RED, None));
    }
    if situation.lock == LockHealth::Tampered {
        reasons.push(bare(ReasonCode::POLICY_TAMPERED, Level::RED, None));
    }
    if situation.policy.is_refused() {
        reasons.push(bare(ReasonCode::POLICY_INVALID, Level::RED, None));
    }
    for reading in situation.readings {
        reasons.extend(of_status(situation.policy, reading));
    }
    reasons.extend(judged.fired.iter().map(judged_reason));
    // Stable: within a level the order of the policy stays.
    reasons.sort_by(|one, other| other.level.cmp(&one.level));
    reasons
}

fn of_status(policy: &Policy, reading: &Reading) -> Option<Reason> {
    // A signal that the policy does not list demands nothing.
    let rule = policy.signal(&reading.signal)?;
    let (code, level) = match reading.status() {
        Status::Valid => return None,
        Status::Missing => (ReasonCode::INPUT_MISSING, rule.on_missing.level()?),
        Status::Stale => (ReasonCode::INPUT_STALE, rule.on_stale.level()?),
        Status::Invalid => (ReasonCode::INPUT_INVALID, &rule.on_invalid),
    };
    Some(bare(code, level.clone(), Some(reading.signal.clone())))
}

fn bare(code: ReasonCode, level: Level, signal: Option<SignalName>) -> Reason {
    Reason {
        code,
        level,
        signal,
        value: None,
        threshold: None,
        margin: None,
        note: None,
    }
}

fn judged_reason(fired: &Fired<'_>) -> Reason {
    let trigger = fired.trigger;
    Reason {
        code: trigger.code.clone(),
        level: trigger.level.clone(),
        signal: trigger.signal.clone(),
        value: fired.value,
        threshold: trigger.condition.threshold(),
        margin: fired
            .value
            .and_then(|value| trigger.condition.margin(value)),
        note: note(trigger),
    }
}

/// The conditions of the reference policy need no note: each has one way to fire.
fn note(trigger: &Trigger) -> Option<String> {
    let is_usual = |built_in: &[SignalName]| {
        let signal = trigger.signal.as_ref();
        signal.is_some_and(|signal| built_in.contains(signal))
    };
    match &trigger.condition {
        Condition::Below(Value::Percent(_)) if is_usual(&Readings::BUILT_IN) => None,
        Condition::AtLeast(Value::Count(_)) if is_usual(&[SignalName::RESPONSES]) => None,
        condition => condition.in_words(),
    }
}

fn waive(fired: &Fired<'_>, waiver: &Waiver) -> Waived {
    Waived {
        reason: judged_reason(fired),
        waiver: waiver.clone(),
    }
}

fn warnings(situation: Situation<'_>, judged: &Judged<'_>) -> Vec<Diagnostic> {
    let Situation { before, at, .. } = situation;
    let before = before.filter(|before| at < before.at);
    let mut warnings: Vec<Diagnostic> = before
        .map(|before| backwards(before, at))
        .into_iter()
        .collect();
    for waiver in situation.policy.waivers() {
        let did = judged.waived.iter().any(|(_, other)| *other == waiver);
        if !waiver.is_in_force(at) {
            warnings.push(about(
                waiver,
                Code::WaiverExpired,
                "a waiver has expired, and its trigger counts again",
            ));
        } else if !did {
            warnings.push(about(
                waiver,
                Code::WaiverUnused,
                "a waiver did nothing: its trigger does not fire",
            ));
        }
    }
    warnings
}

fn about(waiver: &Waiver, code: Code, message: &str) -> Diagnostic {
    let place = Place::file("policy").path(format!("waivers of {}", waiver.trigger));
    Diagnostic::new(code, place, message)
        .found(format!(
            "{} ({}, by {}) until {}",
            waiver.trigger, waiver.ticket, waiver.by, waiver.expires
        ))
        .expected("a waiver only for as long as it is needed")
        .help("remove it from the policy document")
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
