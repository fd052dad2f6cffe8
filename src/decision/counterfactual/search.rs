//! Values at which nothing above a level fires, where more than lines stands in the way.
//!
//! A value that is moved out of one trigger may make another fire: an expression, a change, a
//! median. So every trigger is judged again with the moved values before they are told. They are
//! looked for among the few that stand for all ([`Reach`]), the nearest first, within a bound.

use std::collections::BTreeMap;

use super::super::judging::Judged;
use super::super::{JournalHealth, Situation};
use super::{has_line, is_above};
use crate::ids::{ReasonCode, SignalName};
use crate::policy::reach::Reach;
use crate::policy::trigger::Seen;
use crate::policy::{Condition, Level, Trigger};
use crate::signals::{Outcome, Reading, Readings, Value};

/// The values of the signals that move.
type Values = BTreeMap<SignalName, Value>;

/// As often is a situation judged again for one level, and again for the words.
const MOST: u32 = 400;

/// As many signals are moved beyond those whose lines ask for it.
const DEPTH: u32 = 3;

/// What has to move.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// The nearest values that do.
    pub(super) values: Values,
    /// What to say of those that more than lines looks at: which values do.
    pub(super) words: BTreeMap<SignalName, String>,
    /// What fires nevertheless.
    pub(super) open: Vec<ReasonCode>,
}

impl Moves {
    /// True where more than lines is in the way, or may come to be: only then there is anything to
    /// look for.
    pub(super) fn are_needed(
        situation: Situation<'_>,
        judged: &Judged<'_>,
        target: &Level,
    ) -> bool {
        let mut triggers = situation.policy.triggers().iter();
        triggers.any(|trigger| {
            trigger.level > *target && !has_line(&trigger.condition) && !judged.is_waived(trigger)
        })
    }

    pub(super) fn of(situation: Situation<'_>, judged: &Judged<'_>, target: &Level) -> Self {
        let mut search = Search {
            situation,
            judged,
            target,
            reach: Reach::of(situation.policy),
            given_up: Vec::new(),
            left: MOST,
        };
        let begin = search.begin();
        // A change and a median are told with their own numbers.
        search
            .give_up(|condition| matches!(condition, Condition::Changed(_) | Condition::Median(_)));
        let mut found = search.relieve(&begin);
        if found.is_none() && search.give_up(calculates) {
            search.left = MOST;
            found = search.relieve(&begin);
        }
        search.left = MOST;
        let (values, words) = match found {
            Some(found) => {
                let values = search.without_the_needless(found);
                let words = search.in_words(&values);
                (values, words)
            }
            None => (begin, BTreeMap::new()),
        };
        search.left = 1;
        search.given_up.clear();
        let open = search.open(&values).unwrap_or_default();
        Self {
            values,
            words,
            open,
        }
    }
}

struct Search<'s, 'j> {
    situation: Situation<'s>,
    judged: &'j Judged<'s>,
    target: &'j Level,
    reach: Reach,
    /// Triggers that are told by themselves, whatever the values.
    given_up: Vec<ReasonCode>,
    /// How often may be judged yet.
    left: u32,
}

impl<'s> Search<'s, '_> {
    /// Those that fire and are of that kind are not looked at any more. False where there are none.
    fn give_up(&mut self, is_of_kind: impl Fn(&Condition) -> bool) -> bool {
        let fired = self.judged.fired.iter();
        let before = self.given_up.len();
        let codes = fired
            .filter(|fired| is_of_kind(&fired.trigger.condition))
            .map(|fired| fired.trigger.code.clone());
        self.given_up.extend(codes);
        self.given_up.len() > before
    }

    /// Those of them that are not told by themselves, and of which no single line says when.
    fn without_line(&self) -> impl Iterator<Item = &'s Trigger> {
        let triggers = self.graver();
        triggers.filter(|trigger| {
            !has_line(&trigger.condition) && !self.given_up.contains(&trigger.code)
        })
    }

    /// The triggers that can keep the level from being reached.
    fn graver(&self) -> impl Iterator<Item = &'s Trigger> {
        let (judged, target) = (self.judged, self.target);
        let triggers = self.situation.policy.triggers().iter();
        triggers.filter(move |trigger| trigger.level > *target && !judged.is_waived(trigger))
    }

    /// True where the value of a signal alone makes a trigger fire.
    fn is_over_a_line(&self, signal: &SignalName, value: Value) -> bool {
        let seen = Seen {
            value,
            at: self.situation.at,
            earlier: &[],
        };
        self.graver().any(|trigger| {
            has_line(&trigger.condition)
                && trigger.signal.as_ref() == Some(signal)
                && trigger.condition.holds(seen)
        })
    }

    /// What the signals that stand in the way by their lines or their silence have to be at least.
    fn begin(&self) -> Values {
        let mut values = Values::new();
        for reading in self.situation.readings {
            let now = reading.judged_value();
            let is_over = now.is_some_and(|now| self.is_over_a_line(&reading.signal, now));
            if !is_over && !self.is_silent(reading) {
                continue;
            }
            let fresh = now.filter(|_| !is_over);
            let nearest = || self.candidates(reading, now).into_iter().next();
            if let Some(value) = fresh.or_else(nearest) {
                values.insert(reading.signal.clone(), value);
            }
        }
        values
    }

    fn is_silent(&self, reading: &Reading) -> bool {
        let rule = self.situation.policy.signal(&reading.signal);
        rule.is_some_and(|rule| is_above(rule, reading.status(), self.target))
    }

    /// The values that a signal may have by its lines, those nearest to `now` first.
    fn candidates(&self, reading: &Reading, now: Option<Value>) -> Vec<Value> {
        let values = self.reach.values(&reading.signal).iter().copied();
        let mut values: Vec<Value> = values
            .filter(|value| Some(*value) != now && !self.is_over_a_line(&reading.signal, *value))
            .collect();
        if let Some(now) = now.and_then(Value::as_number) {
            let far = |value: &Value| {
                let number = value.as_number().unwrap_or(f64::INFINITY);
                (number - now).abs()
            };
            values.sort_by(|one, other| far(one).total_cmp(&far(other)));
        }
        values
    }

    /// What fires with these values; `None` where it was judged often enough.
    fn open(&mut self, values: &Values) -> Option<Vec<ReasonCode>> {
        self.left = self.left.checked_sub(1)?;
        let moved = self.situation.readings.iter().map(|reading| {
            let mut reading = reading.clone();
            if let Some(value) = values.get(&reading.signal) {
                reading.outcome = Outcome::Valid(*value);
            }
            reading
        });
        let readings = Readings::new(moved.collect());
        let judged = Judged::of(Situation {
            readings: &readings,
            journal: JournalHealth::Whole,
            ..self.situation
        });
        let fired = judged.fired.iter().map(|fired| fired.trigger);
        Some(
            fired
                .filter(|trigger| trigger.level > *self.target)
                .filter(|trigger| !self.given_up.contains(&trigger.code))
                .map(|trigger| trigger.code.clone())
                .collect(),
        )
    }

    /// The values with as few moves more as possible with which nothing fires.
    fn relieve(&mut self, begin: &Values) -> Option<Values> {
        (0..=DEPTH).find_map(|depth| self.moved(begin, depth))
    }

    fn moved(&mut self, values: &Values, depth: u32) -> Option<Values> {
        let open = self.open(values)?;
        let Some(first) = open.first() else {
            return Some(values.clone());
        };
        let depth = depth.checked_sub(1)?;
        let trigger = self.graver().find(|trigger| trigger.code == *first)?;
        for reading in self.situation.readings {
            let now = reading.judged_value();
            // What nobody reports and need not is not asked for.
            let is_there = now.is_some() || values.contains_key(&reading.signal);
            if !is_there || !trigger.is_about(&reading.signal) {
                continue;
            }
            for value in self.candidates(reading, now) {
                let mut next = values.clone();
                next.insert(reading.signal.clone(), value);
                if let Some(found) = self.moved(&next, depth) {
                    return Some(found);
                }
            }
        }
        None
    }

    /// A move that became needless by a later one is left out.
    fn without_the_needless(&mut self, mut values: Values) -> Values {
        while let Some(signal) = self.needless(&values) {
            values.remove(&signal);
        }
        values
    }

    fn needless(&mut self, values: &Values) -> Option<SignalName> {
        let signals: Vec<SignalName> = values.keys().cloned().collect();
        signals.into_iter().find(|signal| {
            let reading = self.situation.readings.get(signal);
            if reading.is_none_or(|reading| self.is_silent(reading)) {
                return false;
            }
            let mut fewer = values.clone();
            fewer.remove(signal);
            self.open(&fewer).is_some_and(|open| open.is_empty())
        })
    }

    /// Of each signal that more than lines looks at: which values do. A whole range only where all
    /// values of all such ranges do together.
    fn in_words(&mut self, values: &Values) -> BTreeMap<SignalName, String> {
        let looked_at = values.iter().filter(|(signal, _)| {
            let mut triggers = self.without_line();
            triggers.any(|trigger| trigger.is_about(signal))
        });
        let looked_at: Vec<(SignalName, Value)> = looked_at
            .map(|(signal, value)| (signal.clone(), *value))
            .collect();
        let ranges = looked_at.iter().map(|(signal, value)| {
            let range = self.range(signal, *value);
            range.unwrap_or_else(|| Range::one(signal, *value))
        });
        let mut ranges: Vec<Range> = ranges.collect();
        if !self.do_all(values, &ranges) {
            let one = |(signal, value): &(SignalName, Value)| Range::one(signal, *value);
            ranges = looked_at.iter().map(one).collect();
        }
        ranges
            .into_iter()
            .map(|range| (range.signal, range.words))
            .collect()
    }

    /// From a value on, away from what is now; `None` where a few values don't stand for all.
    fn range(&self, signal: &SignalName, value: Value) -> Option<Range> {
        let mut triggers = self.without_line();
        let is_plain =
            triggers.all(|trigger| !trigger.is_about(signal) || has_lines(&trigger.condition));
        let number = value.as_number().filter(|_| is_plain)?;
        let reading = self.situation.readings.get(signal)?;
        let now = reading.judged_value()?.as_number()?;
        if number.total_cmp(&now).is_eq() {
            return None;
        }
        let rises = number > now;
        let beyond = |other: &Value| {
            let other = other.as_number().unwrap_or(now);
            if rises {
                other >= number
            } else {
                other <= number
            }
        };
        let all = self.reach.values(signal).iter().copied();
        let (values, before): (Vec<Value>, Vec<Value>) = all.partition(beyond);
        let last = if rises { before.last() } else { before.first() };
        // Between two lines all values do alike, so the line itself is what parts them.
        let has_between = matches!(value, Value::Percent(_) | Value::Number(_));
        let is_line = |value: &Value| {
            let number = value.as_number();
            number.is_some_and(|number| self.reach.is_line(signal, number))
        };
        let line = last.filter(|line| has_between && is_line(line) && !is_line(&value));
        let words = match (rises, line) {
            (true, Some(line)) => format!("more than {line}"),
            (true, None) => format!("at least {value}"),
            (false, Some(line)) => format!("less than {line}"),
            (false, None) => format!("at most {value}"),
        };
        Some(Range {
            signal: signal.clone(),
            words,
            values,
        })
    }

    /// True where nothing fires at any combination of the values of these ranges.
    fn do_all(&mut self, values: &Values, ranges: &[Range]) -> bool {
        let Some((range, rest)) = ranges.split_first() else {
            return self.open(values).is_some_and(|open| open.is_empty());
        };
        range.values.iter().all(|value| {
            let mut with = values.clone();
            with.insert(range.signal.clone(), *value);
            self.do_all(&with, rest)
        })
    }
}

/// The values of one signal that do.
struct Range {
    signal: SignalName,
    words: String,
    /// Those that stand for all of them.
    values: Vec<Value>,
}

impl Range {
    fn one(signal: &SignalName, value: Value) -> Self {
        Self {
            signal: signal.clone(),
            words: match value.as_number() {
                Some(_) => format!("a value such as {value}"),
                None => value.to_string(),
            },
            values: vec![value],
        }
    }
}

/// True for an expression of which it is known at which values its answer changes.
fn has_lines(condition: &Condition) -> bool {
    matches!(condition, Condition::Expression(expression) if expression.lines().is_some())
}

/// True for any other expression.
fn calculates(condition: &Condition) -> bool {
    matches!(condition, Condition::Expression(expression) if expression.lines().is_none())
}
