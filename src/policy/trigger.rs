//! Triggers: a condition that demands at least a level.
//!
//! A condition can be asked three things: does it hold, how far is the value from the line, and
//! what value would be the nearest on the other side. The answers are used by
//! [`crate::decision`]; no file and no clock is known here.

use std::cmp::Ordering;

use chrono::TimeDelta;

use super::expression::Expression;
use crate::ids::{ReasonCode, SignalName};
use crate::policy::Level;
use crate::signals::{Value, number};
use crate::time::{Timestamp, in_words};

/// When a trigger fires. The line of a comparison is of its signal's kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// The value lies below the line; the line itself does not fire.
    Below(Value),
    /// The value is at the line or below it.
    AtMost(Value),
    /// The value lies above the line; the line itself does not fire.
    Above(Value),
    /// The value is at the line or above it.
    AtLeast(Value),
    /// The value is this one.
    Is(Value),
    /// The value is one of these.
    OneOf(Vec<Value>),
    /// The value went away from what was recorded.
    Changed(Changed),
    /// The value lies far from the median of what was recorded.
    Median(Median),
    /// An expression in CEL holds.
    Expression(Expression),
}

/// A change against the values recorded within a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Changed {
    /// Which way.
    pub way: Way,
    /// By more than this, in the signal's unit; exactly this does not fire.
    pub more_than: f64,
    /// Against every value recorded in this time before the evaluation.
    pub within: TimeDelta,
}

/// Which way a value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Down.
    Falls,
    /// Up.
    Rises,
    /// Either.
    Changes,
}

/// A comparison with the median of the values recorded last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Median {
    /// How many; with fewer recorded the trigger does not fire.
    pub last: usize,
    /// Which side of the line fires.
    pub side: Side,
    /// The line: the median times this.
    pub ratio: f64,
}

/// A side of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Less than the line.
    Below,
    /// More than the line.
    Above,
}

/// A condition that demands at least a level.
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger {
    /// The stable reason code.
    pub code: ReasonCode,
    /// The signal that it looks at; of an expression, `None`: it names its signals itself.
    pub signal: Option<SignalName>,
    /// The level that it demands.
    pub level: Level,
    /// When it fires.
    pub condition: Condition,
}

impl Trigger {
    /// True where the trigger looks at that signal.
    pub fn is_about(&self, signal: &SignalName) -> bool {
        match &self.condition {
            Condition::Expression(expression) => expression
                .names()
                .iter()
                .any(|name| name == signal.as_str()),
            _ => self.signal.as_ref() == Some(signal),
        }
    }
}

/// A value, and what was recorded of the same signal before.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The value.
    pub value: Value,
    /// The evaluation time.
    pub at: Timestamp,
    /// What was recorded before, the newest first: when, and the value as a number.
    pub earlier: &'a [(Timestamp, f64)],
}

impl Condition {
    /// Does it hold? A value of another kind than the condition's can't come from a checked
    /// policy; it fires, since what can't be judged is not healthy. An expression looks at several
    /// signals and is asked by itself.
    pub fn holds(&self, seen: Seen<'_>) -> bool {
        let value = seen.value;
        match self {
            Self::Below(line) => is(order(value, *line), Ordering::is_lt),
            Self::AtMost(line) => is(order(value, *line), Ordering::is_le),
            Self::Above(line) => is(order(value, *line), Ordering::is_gt),
            Self::AtLeast(line) => is(order(value, *line), Ordering::is_ge),
            Self::Is(wanted) => equal(value, *wanted),
            Self::OneOf(wanted) => wanted.iter().any(|wanted| equal(value, *wanted)),
            Self::Changed(changed) => changed.holds(seen),
            Self::Median(median) => median.holds(seen),
            Self::Expression(_) => true,
        }
    }

    /// How many recorded values it looks back on, and over which time.
    pub fn looks_back(&self) -> Option<LookBack> {
        match self {
            Self::Changed(changed) => Some(LookBack::Within(changed.within)),
            Self::Median(median) => Some(LookBack::Last(median.last)),
            _ => None,
        }
    }

    /// The line that the state file shows as the threshold.
    pub fn threshold(&self) -> Option<Value> {
        match self {
            Self::Below(line)
            | Self::AtMost(line)
            | Self::Above(line)
            | Self::AtLeast(line)
            | Self::Is(line) => Some(*line),
            Self::OneOf(_) | Self::Changed(_) | Self::Median(_) | Self::Expression(_) => None,
        }
    }

    /// The condition as what follows the value in a sentence: `is below 80.0`. `None` where the value
    /// itself says it.
    pub fn in_words(&self) -> Option<String> {
        match self {
            Self::Below(line) => Some(format!("is below {line}")),
            Self::AtMost(line) => Some(format!("is at most {line}")),
            Self::Above(line) => Some(format!("is above {line}")),
            Self::AtLeast(line) => Some(format!("is at least {line}")),
            Self::Is(_) | Self::OneOf(_) => None,
            Self::Changed(changed) => Some(changed.in_words()),
            Self::Median(median) => Some(median.in_words()),
            Self::Expression(expression) => Some(format!("`{}` holds", expression.source())),
        }
    }

    /// How far the value lies on the healthy side of the line, in the signal's unit: percentage
    /// points, a number of responses, seconds. Negative where the trigger fires (a value at a line
    /// that fires from there on has the margin 0). `None` for what has no distance.
    pub fn margin(&self, value: Value) -> Option<f64> {
        let number = value.as_number();
        let margin = match self {
            Self::Below(line) | Self::AtMost(line) => number? - line.as_number()?,
            Self::Above(line) | Self::AtLeast(line) => line.as_number()? - number?,
            _ => return None,
        };
        Some(rounded(margin))
    }

    /// True where a value that does not fire lies so close to the line that it deserves a look:
    /// within one percentage point, or one of what is counted. Nobody knows what is near in other
    /// units.
    pub fn is_near(&self, seen: Seen<'_>) -> bool {
        let has_step = matches!(seen.value, Value::Percent(_) | Value::Count(_));
        has_step && !self.holds(seen) && self.margin(seen.value).is_some_and(|margin| margin <= 1.0)
    }
}

/// A difference to a hundred-thousandth: 95.0 - 92.1 is 2.9 to a person.
pub(super) fn rounded(difference: f64) -> f64 {
    (difference * 1e5).round() / 1e5
}

/// How far a condition looks back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LookBack {
    /// On so many recorded values.
    Last(usize),
    /// On all that were recorded within this time.
    Within(TimeDelta),
}

/// How a value lies to a line of the same kind; `None` for what has no order.
fn order(value: Value, line: Value) -> Option<Ordering> {
    match (value, line) {
        (Value::Percent(value), Value::Percent(line)) => value.partial_cmp(&line),
        (Value::Number(value), Value::Number(line)) => value.partial_cmp(&line),
        (Value::Count(value), Value::Count(line)) | (Value::Age(value), Value::Age(line)) => {
            Some(value.cmp(&line))
        }
        _ => None,
    }
}

/// What has no order fires.
fn is(order: Option<Ordering>, wanted: fn(Ordering) -> bool) -> bool {
    order.is_none_or(wanted)
}

/// True for equal values, and for two of different kinds, which can't be judged.
fn equal(value: Value, wanted: Value) -> bool {
    value == wanted || std::mem::discriminant(&value) != std::mem::discriminant(&wanted)
}

impl Changed {
    fn in_words(&self) -> String {
        let way = match self.way {
            Way::Falls => "fell",
            Way::Rises => "rose",
            Way::Changes => "changed",
        };
        let by = number::shown(self.more_than);
        format!("{way} by more than {by} within {}", in_words(self.within))
    }

    fn holds(&self, seen: Seen<'_>) -> bool {
        let Some(now) = seen.value.as_number() else {
            return true;
        };
        let begin = seen.at.minus(self.within);
        let within = seen.earlier.iter().filter(|(at, _)| *at >= begin);
        let mut numbers = within.map(|(_, number)| *number);
        numbers.any(|before| {
            let rise = rounded(now - before);
            match self.way {
                Way::Falls => -rise > self.more_than,
                Way::Rises => rise > self.more_than,
                Way::Changes => rise.abs() > self.more_than,
            }
        })
    }
}

impl Median {
    fn in_words(&self) -> String {
        let side = match self.side {
            Side::Below => "below",
            Side::Above => "above",
        };
        let ratio = number::shown(self.ratio);
        format!(
            "is {side} {ratio} x the median of the last {} values",
            self.last
        )
    }

    fn holds(&self, seen: Seen<'_>) -> bool {
        let Some(now) = seen.value.as_number() else {
            return true;
        };
        let Some(line) = self.line(seen.earlier) else {
            return false;
        };
        match self.side {
            Side::Below => now < line,
            Side::Above => now > line,
        }
    }

    /// The line that the recorded values give; `None` while there are too few.
    pub fn line(&self, earlier: &[(Timestamp, f64)]) -> Option<f64> {
        let mut numbers: Vec<f64> = earlier
            .get(..self.last)?
            .iter()
            .map(|(_, number)| *number)
            .collect();
        numbers.sort_by(f64::total_cmp);
        let (below, above) = (
            numbers.get((self.last - 1) / 2)?,
            numbers.get(self.last / 2)?,
        );
        Some(self.beside(f64::midpoint(*below, *above)))
    }

    /// The line that a median gives: on the same side of one below zero too.
    pub(super) fn beside(&self, median: f64) -> f64 {
        median + median.abs() * (self.ratio - 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::{Finite, Percent, Risk};

    fn percent(number: f64) -> Value {
        Value::Percent(Percent::new(number).unwrap())
    }

    fn at() -> Timestamp {
        Timestamp::read("2026-01-15T12:00:00Z").unwrap().time
    }

    fn holds(condition: &Condition, value: Value, earlier: &[f64]) -> bool {
        let earlier: Vec<_> = (1..)
            .zip(earlier)
            .map(|(hours, number)| (at().minus(TimeDelta::hours(hours)), *number))
            .collect();
        condition.holds(Seen {
            value,
            at: at(),
            earlier: &earlier,
        })
    }

    #[test]
    fn a_line_fires_on_one_side() {
        let line = percent(90.0);
        let table = [
            (Condition::Below(line), [true, false, false]),
            (Condition::AtMost(line), [true, true, false]),
            (Condition::Above(line), [false, false, true]),
            (Condition::AtLeast(line), [false, true, true]),
            (Condition::Is(line), [false, true, false]),
        ];
        for (condition, expected) in table {
            let found = [89.9, 90.0, 90.1].map(|number| holds(&condition, percent(number), &[]));
            assert_eq!(found, expected, "{condition:?}");
        }
    }

    #[test]
    fn what_can_not_be_judged_fires() {
        let other = Value::Number(Finite::new(1e9).unwrap());
        let conditions = [
            Condition::Below(percent(0.0)),
            Condition::AtLeast(Value::Count(u64::MAX)),
            Condition::Is(Value::Risk(Risk::High)),
            Condition::OneOf(vec![Value::Truth(true)]),
        ];
        for condition in conditions {
            assert!(holds(&condition, other, &[]), "{condition:?}");
        }
    }

    #[test]
    fn a_change_is_held_against_every_value_within_the_time() {
        let falls = Condition::Changed(Changed {
            way: Way::Falls,
            more_than: 5.0,
            within: TimeDelta::hours(2),
        });
        assert!(!holds(&falls, percent(80.0), &[]));
        assert!(!holds(&falls, percent(80.0), &[85.0, 79.0, 99.0]));
        assert!(holds(&falls, percent(80.0), &[79.0, 85.1]));
        assert!(!holds(&falls, percent(90.0), &[80.0]));
        let changes = Condition::Changed(Changed {
            way: Way::Changes,
            more_than: 5.0,
            within: TimeDelta::hours(2),
        });
        assert!(holds(&changes, percent(90.0), &[80.0]));
    }

    #[test]
    fn the_median_needs_its_values() {
        let below = Condition::Median(Median {
            last: 4,
            side: Side::Below,
            ratio: 0.5,
        });
        assert!(!holds(&below, percent(1.0), &[80.0, 90.0, 70.0]));
        // The median of 60, 70, 80, 90 is 75, and half of it 37.5.
        assert!(holds(&below, percent(37.4), &[80.0, 90.0, 70.0, 60.0, 1.0]));
        assert!(!holds(
            &below,
            percent(37.5),
            &[80.0, 90.0, 70.0, 60.0, 1.0]
        ));
    }

    #[test]
    fn margins_are_positive_on_the_healthy_side() {
        let table = [
            (Condition::Below(percent(95.0)), percent(92.1), -2.9),
            (Condition::AtLeast(Value::Count(8)), Value::Count(8), 0.0),
            (Condition::Above(Value::Age(60)), Value::Age(50), 10.0),
        ];
        for (condition, value, margin) in table {
            assert_eq!(condition.margin(value), Some(margin));
        }
    }
}
