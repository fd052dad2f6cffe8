//! What would have to change for a better level.
//!
//! For each level below the one decided: the smallest change of every signal that stands in the
//! way. Sufficient and needed, each by test: with all changes made the level is reached, with one
//! of them left out it is not.

use serde::Serialize;

use super::JournalHealth;
use crate::ids::SignalName;
use crate::policy::trigger::Relief;
use crate::policy::{Level, Policy, Trigger};
use crate::signals::{Reading, Readings, Risk, Status, Value, number};

/// Everything that has to change to reach a level.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Needs {
    /// The level that would be reached.
    pub level: Level,
    /// The changes, all of which are needed.
    pub changes: Vec<Change>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// What has to change: a signal's name, or `policy` or `journal`.
    pub what: String,
    /// What it is now.
    pub from: String,
    /// What it has to be.
    pub to: String,
}

/// The changes for every level below `level`, the lowest level first.
pub(super) fn needs(
    policy: &Policy,
    readings: &Readings,
    journal: JournalHealth,
    level: &Level,
) -> Vec<Needs> {
    let lower = policy.levels().into_iter().filter(|target| target < level);
    let needs = lower.map(|target| Needs {
        changes: changes(policy, readings, journal, &target),
        level: target,
    });
    // Two levels with the same changes: only the better one tells something.
    let mut distinct: Vec<Needs> = Vec::new();
    for need in needs {
        if !distinct.iter().any(|other| other.changes == need.changes) {
            distinct.push(need);
        }
    }
    distinct
}

fn changes(
    policy: &Policy,
    readings: &Readings,
    journal: JournalHealth,
    target: &Level,
) -> Vec<Change> {
    let mut changes = Vec::new();
    if journal == JournalHealth::Broken {
        changes.push(change("journal", "broken", "whole again, or resealed"));
    }
    if policy.is_refused() {
        changes.push(change("policy", "refused", "a document without a problem"));
    }
    changes.extend(
        readings
            .iter()
            .filter_map(|reading| of_reading(policy, reading, target)),
    );
    changes
}

fn change(what: &str, from: &str, to: &str) -> Change {
    Change {
        what: what.to_owned(),
        from: from.to_owned(),
        to: to.to_owned(),
    }
}

fn of_reading(policy: &Policy, reading: &Reading, target: &Level) -> Option<Change> {
    let above: Vec<&Trigger> = policy
        .triggers()
        .iter()
        .filter(|trigger| trigger.signal == reading.signal && trigger.level > *target)
        .collect();
    let in_the_way = match reading.status() {
        Status::Valid => above.iter().any(|trigger| {
            reading
                .value()
                .is_some_and(|value| trigger.condition.holds(value))
        }),
        Status::Missing => policy.on_missing() > *target,
        Status::Stale => policy.on_stale() > *target,
        Status::Invalid => true,
    };
    if !in_the_way {
        return None;
    }
    let wanted = Wanted::of(&above);
    let to = match (reading.status(), wanted.in_words(&reading.signal)) {
        (Status::Valid, Some(words)) => words,
        (_, Some(words)) => format!("a report of {words}"),
        (_, None) => "a report".to_owned(),
    };
    let from = match reading.value() {
        Some(value) => value.to_string(),
        None => reading.status().as_str().to_owned(),
    };
    Some(change(reading.signal.as_str(), &from, &to))
}

/// What a value has to be so that none of a set of triggers fires.
#[derive(Debug, Default, PartialEq)]
struct Wanted {
    unset: bool,
    at_least: Option<f64>,
    at_most: Option<u64>,
    risks: Option<Vec<Risk>>,
}

impl Wanted {
    fn of(triggers: &[&Trigger]) -> Self {
        let mut wanted = Self::default();
        for trigger in triggers {
            match trigger.condition.relief() {
                Relief::Unset => wanted.unset = true,
                Relief::AtLeast(line) => {
                    wanted.at_least = Some(
                        wanted
                            .at_least
                            .map_or(line.get(), |old| old.max(line.get())),
                    );
                }
                Relief::AtMost(line) => {
                    wanted.at_most = Some(wanted.at_most.map_or(line, |old| old.min(line)));
                }
                Relief::Other(risk) => {
                    let allowed = wanted.risks.unwrap_or_else(|| Risk::ALL.to_vec());
                    wanted.risks =
                        Some(allowed.into_iter().filter(|other| *other != risk).collect());
                }
            }
        }
        wanted
    }

    fn in_words(&self, signal: &SignalName) -> Option<String> {
        if self.unset {
            return Some(Value::Flag(false).to_string());
        }
        if let Some(line) = self.at_least {
            return Some(format!("at least {}", number::shown(line)));
        }
        if let Some(line) = self.at_most {
            let window = if *signal == SignalName::RESPONSES {
                " in 24 h"
            } else {
                ""
            };
            return Some(format!("at most {line}{window}"));
        }
        let risks = self.risks.as_ref()?;
        // The highest risk that is allowed is the smallest change.
        risks.last().map(|risk| risk.as_str().to_owned())
    }
}
