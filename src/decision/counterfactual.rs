//! What would have to change for a better level.
//!
//! For each level below the one decided: the smallest change of every signal that stands in the
//! way. Sufficient and needed, each by test: with all changes made the level is reached, with one
//! of them left out it is not. Lines tell what to change ([`wanted`]); where an expression looks at
//! the values too, they are looked for ([`search`]). Of a condition that no value is known to
//! relieve (a change over time, a median, some expressions) the trigger itself is named.

mod search;
mod wanted;

use serde::Serialize;

use super::judging::{Fired, Judged};
use super::{Held, JournalHealth, LockHealth, Situation};
use crate::ids::ReasonCode;
use crate::policy::trigger::{Changed, Way};
use crate::policy::{Condition, Floor, Hysteresis, Level, SignalRule};
use crate::signals::{Reading, Status, Value, number};
use crate::time::{self, Timestamp};
use search::Moves;
use wanted::Wanted;

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
    /// What has to change: a signal's name, the code of a trigger, or `policy`, `journal`, `time`.
    pub what: String,
    /// What it is now.
    pub from: String,
    /// What it has to be.
    pub to: String,
    /// A value at which the level is reached, where it was looked for and judged again.
    #[serde(skip)]
    pub value: Option<Value>,
}

/// The changes for every level below `level`, the lowest level first.
pub(super) fn needs(
    situation: Situation<'_>,
    judged: &Judged<'_>,
    held: Option<&Held>,
    level: &Level,
) -> Vec<Needs> {
    let levels = situation.policy.levels();
    let lower = levels.into_iter().filter(|target| target < level);
    let needs = lower.map(|target| Needs {
        changes: changes(situation, judged, held, &target),
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
    situation: Situation<'_>,
    judged: &Judged<'_>,
    held: Option<&Held>,
    target: &Level,
) -> Vec<Change> {
    let mut changes = Vec::new();
    if situation.journal == JournalHealth::Broken {
        changes.push(change("journal", "broken", "whole again, or resealed"));
    }
    if situation.lock == LockHealth::Tampered {
        let to = "put back, or accepted by somebody";
        changes.push(change("protected files", "changed", to));
    }
    if situation.policy.is_refused() {
        changes.push(change("policy", "refused", "a document without a problem"));
    }
    let moves = if Moves::are_needed(situation, judged, target) {
        Moves::of(situation, judged, target)
    } else {
        Moves::default()
    };
    let readings = situation.readings.iter();
    changes.extend(
        readings.filter_map(|reading| of_reading(situation, judged, reading, target, &moves)),
    );
    let firing = judged
        .fired
        .iter()
        .filter(|fired| fired.trigger.level > *target);
    changes.extend(firing.filter_map(|fired| of_fired(fired, situation.at, &moves)));
    changes.extend(of_others(judged, &moves));
    changes.extend(of_hysteresis(situation, held, target));
    changes
}

fn change(what: &str, from: &str, to: &str) -> Change {
    Change {
        what: what.to_owned(),
        from: from.to_owned(),
        to: to.to_owned(),
        value: None,
    }
}

/// True where a reading of that status demands more than the level.
fn is_above(rule: &SignalRule, status: Status, target: &Level) -> bool {
    let is_above = |floor: &Floor| floor.level().is_some_and(|level| level > target);
    match status {
        Status::Valid => false,
        Status::Missing => is_above(&rule.on_missing),
        Status::Stale => is_above(&rule.on_stale),
        Status::Invalid => rule.on_invalid > *target,
    }
}

fn of_reading(
    situation: Situation<'_>,
    judged: &Judged<'_>,
    reading: &Reading,
    target: &Level,
    moves: &Moves,
) -> Option<Change> {
    let rule = situation.policy.signal(&reading.signal)?;
    let is_over_a_line = judged.fired.iter().any(|fired| {
        fired.trigger.level > *target
            && fired.trigger.signal.as_ref() == Some(&reading.signal)
            && has_line(&fired.trigger.condition)
    });
    let value = moves.values.get(&reading.signal).copied();
    if !is_over_a_line && !is_above(rule, reading.status(), target) && value.is_none() {
        return None;
    }
    let triggers = situation.policy.triggers().iter().filter(|trigger| {
        trigger.level > *target
            && trigger.signal.as_ref() == Some(&reading.signal)
            && !judged.is_waived(trigger)
    });
    let words = moves.words.get(&reading.signal).cloned();
    let wanted = words.or_else(|| Wanted::of(triggers).in_words(rule));
    let to = match (reading.status(), wanted) {
        (Status::Valid, Some(words)) => words,
        (_, Some(words)) => format!("a report of {words}"),
        (_, None) => "a report".to_owned(),
    };
    let from = match reading.value() {
        Some(value) => value.to_string(),
        None => reading.status().as_str().to_owned(),
    };
    Some(Change {
        value: value.filter(|_| moves.open.is_empty()),
        ..change(reading.signal.as_str(), &from, &to)
    })
}

/// A trigger that does not fire yet, and would by the other changes.
fn of_others(judged: &Judged<'_>, moves: &Moves) -> Vec<Change> {
    let fires = |code: &&ReasonCode| {
        judged
            .fired
            .iter()
            .any(|fired| fired.trigger.code == **code)
    };
    let others = moves.open.iter().filter(|code| !fires(code));
    let others = others.map(|code| {
        let to = "the same, but the other changes would make it hold";
        change(code.as_str(), "it does not hold", to)
    });
    others.collect()
}

/// A trigger that fires and has no line that a value could be moved over.
fn of_fired(fired: &Fired<'_>, at: Timestamp, moves: &Moves) -> Option<Change> {
    let to = match &fired.trigger.condition {
        Condition::Changed(changed) => changed_in_words(*changed, fired, at),
        Condition::Median(median) => {
            let line = median.line(&fired.earlier).map(number::shown);
            let side = match median.side {
                crate::policy::trigger::Side::Below => "at least",
                crate::policy::trigger::Side::Above => "at most",
            };
            format!(
                "{side} {}, which the median of the last {} values gives",
                line.as_deref().unwrap_or("the line"),
                median.last
            )
        }
        // The values that relieve it were told.
        Condition::Expression(_) if !moves.open.contains(&fired.trigger.code) => return None,
        Condition::Expression(expression) => format!(
            "not `{}`, an expression: a value that is moved may make it hold or not",
            expression.source()
        ),
        _ => return None,
    };
    let from = match fired.value {
        Some(value) => value.to_string(),
        None => "it holds".to_owned(),
    };
    Some(change(fired.trigger.code.as_str(), &from, &to))
}

/// The values that do not differ by too much from any that was recorded within the time.
fn changed_in_words(changed: Changed, fired: &Fired<'_>, at: Timestamp) -> String {
    let begin = at.minus(changed.within);
    let within = fired
        .earlier
        .iter()
        .filter(|(recorded, _)| *recorded >= begin);
    let numbers = || within.clone().map(|(_, number)| *number);
    let lowest = numbers().fold(f64::NEG_INFINITY, f64::max) - changed.more_than;
    let highest = numbers().fold(f64::INFINITY, f64::min) + changed.more_than;
    let length = time::in_words(changed.within);
    let (lowest_shown, highest_shown) = (number::shown(lowest), number::shown(highest));
    match changed.way {
        Way::Falls => format!("at least {lowest_shown}, by what was recorded within {length}"),
        Way::Rises => format!("at most {highest_shown}, by what was recorded within {length}"),
        Way::Changes if lowest <= highest => {
            format!("from {lowest_shown} to {highest_shown}, by what was recorded within {length}")
        }
        Way::Changes => format!("no value helps until what was recorded is older than {length}"),
    }
}

/// How long less has to be demanded before the level falls.
fn of_hysteresis(situation: Situation<'_>, held: Option<&Held>, target: &Level) -> Option<Change> {
    let hysteresis = situation.policy.hysteresis()?;
    let Some(held) = held else {
        let to = match hysteresis {
            Hysteresis::Evaluations(needed) => {
                format!("{needed} evaluations in a row that demand less")
            }
            Hysteresis::Time(needed) => {
                format!("{} in which less is demanded", time::in_words(needed))
            }
        };
        return Some(change("time", "demanded now", &to));
    };
    // What was demanded meanwhile comes first; the rest of the way takes as long again.
    let peak = situation.policy.resolve(&held.peak);
    let by_way_of = |rest: String| {
        if *target < peak {
            format!(" to {peak}, and then {rest}")
        } else {
            String::new()
        }
    };
    let (from, to) = match hysteresis {
        Hysteresis::Evaluations(needed) => (
            format!("{} of {needed} evaluations that demand less", held.times),
            format!(
                "{} more{}",
                needed.saturating_sub(held.times),
                by_way_of(format!("{} that demand less", needed.saturating_sub(1)))
            ),
        ),
        Hysteresis::Time(needed) => (
            format!(
                "less demanded for {} of {}",
                time::in_words(situation.at.since(held.since)),
                time::in_words(needed)
            ),
            format!(
                "the same until {}{}",
                held.since.plus_seconds(needed.num_seconds()).human(),
                by_way_of(time::in_words(needed))
            ),
        ),
    };
    Some(change("time", &from, &to))
}

/// True for a condition that a value can be moved out of.
fn has_line(condition: &Condition) -> bool {
    !matches!(
        condition,
        Condition::Changed(_) | Condition::Median(_) | Condition::Expression(_)
    )
}
