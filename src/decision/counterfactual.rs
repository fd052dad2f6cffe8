//! What would have to change for a better level.
//!
//! For each level below the one decided: the smallest change of every signal that stands in the
//! way. Sufficient and needed, each by test: with all changes made the level is reached, with one
//! of them left out it is not. Of a condition that no single value can relieve (a change over time,
//! a median, an expression) the trigger itself is named.

use serde::Serialize;

use super::judging::{Fired, Judged};
use super::{Held, JournalHealth, LockHealth, Situation};
use crate::ids::SignalName;
use crate::policy::trigger::{Changed, Way};
use crate::policy::{Condition, Floor, Hysteresis, Level, SignalRule, Trigger};
use crate::signals::declared::Kind;
use crate::signals::{Reading, Risk, Status, Value, Word, number};
use crate::time::{self, Timestamp};

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
    let readings = situation.readings.iter();
    changes.extend(readings.filter_map(|reading| of_reading(situation, judged, reading, target)));
    let firing = judged
        .fired
        .iter()
        .filter(|fired| fired.trigger.level > *target);
    changes.extend(firing.filter_map(|fired| of_fired(fired, situation.at)));
    changes.extend(of_hysteresis(situation, held, target));
    changes
}

fn change(what: &str, from: &str, to: &str) -> Change {
    Change {
        what: what.to_owned(),
        from: from.to_owned(),
        to: to.to_owned(),
    }
}

fn of_reading(
    situation: Situation<'_>,
    judged: &Judged<'_>,
    reading: &Reading,
    target: &Level,
) -> Option<Change> {
    let rule = situation.policy.signal(&reading.signal)?;
    let is_above = |floor: &Floor| floor.level().is_some_and(|level| level > target);
    let in_the_way = match reading.status() {
        Status::Valid => judged.fired.iter().any(|fired| {
            fired.trigger.level > *target
                && fired.trigger.signal.as_ref() == Some(&reading.signal)
                && has_line(&fired.trigger.condition)
        }),
        Status::Missing => is_above(&rule.on_missing),
        Status::Stale => is_above(&rule.on_stale),
        Status::Invalid => rule.on_invalid > *target,
    };
    if !in_the_way {
        return None;
    }
    let triggers = situation.policy.triggers().iter().filter(|trigger| {
        trigger.level > *target
            && trigger.signal.as_ref() == Some(&reading.signal)
            && !judged.is_waived(trigger)
    });
    let wanted = Wanted::of(triggers).in_words(rule);
    let to = match (reading.status(), wanted) {
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

/// A trigger that fires and has no line that a value could be moved over.
fn of_fired(fired: &Fired<'_>, at: Timestamp) -> Option<Change> {
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
        Condition::Expression(expression) => format!("not `{}`", expression.source()),
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

/// What a value has to be so that none of a set of triggers fires.
#[derive(Debug, Default)]
struct Wanted {
    lowest: Option<Bound>,
    highest: Option<Bound>,
    others_than: Vec<Value>,
}

/// An end of what a value may be.
#[derive(Debug, Clone, Copy)]
struct Bound {
    line: Value,
    number: f64,
    /// True where the line itself is not allowed.
    open: bool,
}

impl Wanted {
    fn of<'t>(triggers: impl Iterator<Item = &'t Trigger>) -> Self {
        let mut wanted = Self::default();
        for trigger in triggers {
            match &trigger.condition {
                Condition::Below(line) => wanted.raise(*line, false),
                Condition::AtMost(line) => wanted.raise(*line, true),
                Condition::Above(line) => wanted.lower(*line, false),
                Condition::AtLeast(line) => wanted.lower(*line, true),
                Condition::Is(value) => wanted.others_than.push(*value),
                Condition::OneOf(values) => wanted.others_than.extend(values),
                Condition::Changed(_) | Condition::Median(_) | Condition::Expression(_) => {}
            }
        }
        wanted
    }

    fn raise(&mut self, line: Value, open: bool) {
        let Some(number) = line.as_number() else {
            return;
        };
        let is_further = |old: Bound| number > old.number || number >= old.number && open;
        if self.lowest.is_none_or(is_further) {
            self.lowest = Some(Bound { line, number, open });
        }
    }

    fn lower(&mut self, line: Value, open: bool) {
        let Some(number) = line.as_number() else {
            return;
        };
        let is_further = |old: Bound| number < old.number || number <= old.number && open;
        if self.highest.is_none_or(is_further) {
            self.highest = Some(Bound { line, number, open });
        }
    }

    /// `None` where any value does.
    fn in_words(&self, rule: &SignalRule) -> Option<String> {
        if self.is_empty(rule) {
            return Some(
                "a value that no trigger forbids: there is none under this policy".to_owned(),
            );
        }
        let mut parts = Vec::new();
        if let Some(bound) = self.lowest {
            let word = if bound.open { "more than" } else { "at least" };
            parts.push(format!("{word} {}", bound.line));
        }
        if let Some(bound) = self.highest {
            parts.push(match (bound.open, bound.line) {
                (false, line) => format!("at most {line}"),
                (true, Value::Count(line)) => format!("at most {}", line.saturating_sub(1)),
                (true, line) => format!("less than {line}"),
            });
        }
        if let Some(last) = parts.last_mut()
            && rule.name == SignalName::RESPONSES
        {
            last.push_str(" in 24 h");
        }
        parts.extend(self.other_words(rule));
        (!parts.is_empty()).then(|| parts.join(" and "))
    }

    /// True where no value is left.
    fn is_empty(&self, rule: &SignalRule) -> bool {
        let crossed = self
            .lowest
            .zip(self.highest)
            .is_some_and(|(lowest, highest)| {
                let is_point = lowest.number >= highest.number;
                lowest.number > highest.number || is_point && (lowest.open || highest.open)
            });
        let forbids = |value: Value| self.others_than.contains(&value);
        let kind = rule.declared.as_ref().map(|declared| &declared.kind);
        let none_left = match (self.others_than.first(), kind) {
            (Some(Value::Flag(_)), _) => [true, false]
                .into_iter()
                .all(|flag| forbids(Value::Flag(flag))),
            (Some(Value::Truth(_)), _) => [true, false]
                .into_iter()
                .all(|truth| forbids(Value::Truth(truth))),
            (Some(Value::Risk(_)), _) => {
                Risk::ALL.into_iter().all(|risk| forbids(Value::Risk(risk)))
            }
            (Some(Value::Word(_)), Some(Kind::Choice(words))) => {
                words.iter().all(|word| forbids(Value::Word(*word)))
            }
            _ => false,
        };
        crossed || none_left
    }

    fn other_words(&self, rule: &SignalRule) -> Option<String> {
        match self.others_than.first()? {
            Value::Flag(flag) => Some(Value::Flag(!flag).to_string()),
            Value::Truth(truth) => Some(Value::Truth(!truth).to_string()),
            // The highest risk that is allowed is the smallest change.
            Value::Risk(_) => {
                let allowed = |risk: &&Risk| !self.others_than.contains(&Value::Risk(**risk));
                let highest = Risk::ALL.iter().rev().find(allowed)?;
                Some(highest.as_str().to_owned())
            }
            Value::Word(_) => {
                let kind = rule.declared.as_ref().map(|declared| &declared.kind);
                let Some(Kind::Choice(words)) = kind else {
                    return None;
                };
                let allowed = words
                    .iter()
                    .filter(|word| !self.others_than.contains(&Value::Word(**word)));
                let allowed: Vec<&str> = allowed.map(Word::as_str).collect();
                Some(allowed.join(" or "))
            }
            _ => {
                let values = self.others_than.iter().map(Value::to_string);
                let values = crate::ids::distinct(values);
                Some(format!("not {}", values.join(" or ")))
            }
        }
    }
}
