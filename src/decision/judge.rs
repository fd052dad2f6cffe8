//! A policy compiled for a long history: comparisons over the six built-in signals, without an
//! allocation for a decision.
//!
//! It says level and triggers, and nothing else that [`evaluate`] says. [`compile`] refuses whatever
//! it can't judge exactly as [`evaluate`] does, and then [`evaluate`] has to decide. A new kind of
//! condition is either compiled in [`test`] or refused there; whatever else a policy may come to
//! hold that changes a level (history, hysteresis, waivers) has to be refused in [`compile`].

use super::{JournalHealth, LockHealth, Situation, evaluate};
use crate::ids::SignalName;
use crate::policy::{Condition, Level, Policy, Trigger};
use crate::signals::six::Six;
use crate::signals::{Percent, Readings, Risk, Status, Value};
use crate::time::Timestamp;

/// As many triggers can be compiled: one bit each.
const MOST: usize = 64;

/// A compiled policy.
#[derive(Debug, Clone)]
pub struct Judge {
    tests: Vec<(Test, u8)>,
    /// The level that a signal demands by the status of its reading, by signal and status.
    floors: [[u8; 4]; 6],
    /// Every level that can come out, lowest first.
    levels: Vec<Level>,
    /// The triggers that demand each level, as bits.
    demand: Vec<u64>,
}

/// A comparison with one of the six.
#[derive(Debug, Clone, Copy)]
enum Test {
    Locked,
    Integrity(Percent),
    Consensus(Percent),
    Reputation(Percent),
    Forecast(Risk),
    Responses(u64),
}

/// What a compiled policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// The level, as its place in [`Judge::levels`].
    pub level: usize,
    /// The triggers that fire, as bits in the order of the policy.
    pub fired: u64,
    /// The one trigger that demands this level, where nothing else does.
    pub decided: Option<usize>,
}

/// Compiles a policy; `None` for one that only [`evaluate`] can decide by.
pub fn compile(policy: &Policy) -> Option<Judge> {
    let is_plain = policy.hysteresis().is_none() && policy.waivers().is_empty();
    if policy.is_refused() || !is_plain || policy.triggers().len() > MOST {
        return None;
    }
    let levels = policy.levels();
    let rank = |level: &Level| {
        let place = levels.iter().position(|known| known == level)?;
        u8::try_from(place).ok()
    };
    let mut demand = vec![0; levels.len()];
    let mut tests = Vec::new();
    for (index, trigger) in policy.triggers().iter().enumerate() {
        let level = rank(&trigger.level)?;
        tests.push((test(trigger)?, level));
        *demand.get_mut(usize::from(level))? |= 1 << index;
    }
    let mut floors = [[0; 4]; 6];
    for (signal, of_signal) in Readings::BUILT_IN.iter().zip(&mut floors) {
        for (status, floor) in STATUSES.into_iter().zip(of_signal) {
            *floor = rank(&floor_of(policy, signal, status)?)?;
        }
    }
    Some(Judge {
        tests,
        floors,
        levels,
        demand,
    })
}

/// The comparison that a trigger stands for; `None` for one that is none with the six.
fn test(trigger: &Trigger) -> Option<Test> {
    let is_about = |signal: &SignalName| trigger.signal.as_ref() == Some(signal);
    match trigger.condition {
        Condition::Is(Value::Flag(true)) if is_about(&SignalName::TRUST) => Some(Test::Locked),
        Condition::Is(Value::Risk(risk)) if is_about(&SignalName::FORECAST) => {
            Some(Test::Forecast(risk))
        }
        Condition::Below(Value::Percent(line)) if is_about(&SignalName::INTEGRITY) => {
            Some(Test::Integrity(line))
        }
        Condition::Below(Value::Percent(line)) if is_about(&SignalName::CONSENSUS) => {
            Some(Test::Consensus(line))
        }
        Condition::Below(Value::Percent(line)) if is_about(&SignalName::REPUTATION) => {
            Some(Test::Reputation(line))
        }
        Condition::AtLeast(Value::Count(line)) if is_about(&SignalName::RESPONSES) => {
            Some(Test::Responses(line))
        }
        // Another comparison, a signal that a document adds, or a look at what was recorded.
        Condition::Below(_)
        | Condition::AtMost(_)
        | Condition::Above(_)
        | Condition::AtLeast(_)
        | Condition::Is(_)
        | Condition::OneOf(_)
        | Condition::Changed(_)
        | Condition::Median(_)
        | Condition::Expression(_) => None,
    }
}

const STATUSES: [Status; 4] = [
    Status::Valid,
    Status::Missing,
    Status::Stale,
    Status::Invalid,
];

const fn place(status: Status) -> usize {
    match status {
        Status::Valid => 0,
        Status::Missing => 1,
        Status::Stale => 2,
        Status::Invalid => 3,
    }
}

/// What the status of one signal's reading demands by itself: asked of [`evaluate`], once. A reason
/// that no trigger explains is the status's.
fn floor_of(policy: &Policy, signal: &SignalName, status: Status) -> Option<Level> {
    let mut statuses = [Status::Valid; 6];
    let index = Readings::BUILT_IN.iter().position(|name| name == signal)?;
    *statuses.get_mut(index)? = status;
    let readings = Six {
        trust_locked: false,
        integrity: Percent::whole(100),
        consensus: Percent::whole(100),
        reputation: Percent::whole(100),
        forecast: Risk::Low,
        responses: 0,
        status: statuses,
    }
    .readings();
    let decision = evaluate(Situation {
        policy,
        readings: &readings,
        before: None,
        history: &[],
        at: Timestamp::EPOCH,
        journal: JournalHealth::Whole,
        lock: LockHealth::Whole,
    });
    let of_trigger = |code| policy.triggers().iter().any(|trigger| trigger.code == code);
    let of_status = |reason: &super::Reason| {
        reason.signal.as_ref() == Some(signal) && !of_trigger(reason.code.clone())
    };
    let mut reasons = decision.reasons.into_iter();
    Some(
        reasons
            .find(of_status)
            .map_or(Level::GREEN, |reason| reason.level),
    )
}

impl Judge {
    /// Every level that can come out, lowest first.
    pub fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// Judges the six.
    pub fn judge(&self, six: &Six) -> Judged {
        let (mut level, mut statuses) = (0, 0_u32);
        let all_valid = six.status == [Status::Valid; 6];
        if !all_valid {
            (level, statuses) = self.by_status(six);
        }
        let (mut fired, mut bit) = (0, 1_u64);
        for (test, of_trigger) in &self.tests {
            let (signal, holds) = test.holds(six);
            // A value that is too old is held against its line too.
            let has_value =
                || matches!(six.status.get(signal), Some(Status::Valid | Status::Stale));
            if holds && (all_valid || has_value()) {
                fired |= bit;
                if *of_trigger > level {
                    (level, statuses) = (*of_trigger, 0);
                }
            }
            bit = bit.wrapping_shl(1);
        }
        let level = usize::from(level);
        let gravest = fired & self.demand.get(level).copied().unwrap_or(0);
        let alone = gravest.is_power_of_two() && statuses == 0;
        Judged {
            level,
            fired,
            decided: alone.then(|| gravest.trailing_zeros() as usize),
        }
    }

    /// The level that the statuses demand, and how many of them demand it.
    #[cold]
    fn by_status(&self, six: &Six) -> (u8, u32) {
        let (mut level, mut count) = (0, 0);
        for (status, floors) in six.status.into_iter().zip(&self.floors) {
            if status == Status::Valid {
                continue;
            }
            let floor = floors.get(place(status)).copied().unwrap_or(u8::MAX);
            if floor > level {
                (level, count) = (floor, 0);
            }
            count += u32::from(floor == level);
        }
        (level, count)
    }
}

impl Test {
    /// The place of the signal, and whether its value is one that fires.
    #[inline]
    fn holds(self, six: &Six) -> (usize, bool) {
        match self {
            Self::Locked => (0, six.trust_locked),
            Self::Integrity(line) => (1, six.integrity < line),
            Self::Consensus(line) => (2, six.consensus < line),
            Self::Reputation(line) => (3, six.reputation < line),
            Self::Forecast(risk) => (4, six.forecast == risk),
            Self::Responses(line) => (5, six.responses >= line),
        }
    }
}
