//! Triggers: a condition on one signal that demands at least a level.
//!
//! A condition can be asked three things: does it hold, how far is the value from the line, and
//! what value would be the nearest on the other side. The answers are used by
//! [`crate::decision`]; no file and no clock is known here.

use crate::ids::{ReasonCode, SignalName};
use crate::policy::Level;
use crate::signals::{Percent, Risk, Value};

/// When a trigger fires.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Condition {
    /// A flag is set.
    Set,
    /// A percentage lies below the line; the line itself does not fire.
    Below(Percent),
    /// A count is at the line or above it.
    AtLeast(u64),
    /// A risk is this one.
    Is(Risk),
}

/// A condition on one signal that demands at least a level.
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger {
    /// The stable reason code.
    pub code: ReasonCode,
    /// The signal that it looks at.
    pub signal: SignalName,
    /// The level that it demands.
    pub level: Level,
    /// When it fires.
    pub condition: Condition,
}

impl Condition {
    /// Does it hold for `value`? A value of another kind than the condition's can't come from a
    /// checked policy; it fires, since what can't be judged is not healthy.
    pub fn holds(&self, value: Value) -> bool {
        match (self, value) {
            (Self::Set, Value::Flag(set)) => set,
            (Self::Below(line), Value::Percent(percent)) => percent < *line,
            (Self::AtLeast(line), Value::Count(count)) => count >= *line,
            (Self::Is(risk), Value::Risk(value)) => value == *risk,
            _ => true,
        }
    }

    /// The line that the state file shows as the threshold.
    pub fn threshold(&self) -> Value {
        match *self {
            Self::Set => Value::Flag(true),
            Self::Below(line) => Value::Percent(line),
            Self::AtLeast(line) => Value::Count(line),
            Self::Is(risk) => Value::Risk(risk),
        }
    }

    /// How far the value lies on the healthy side of the line, in the signal's unit: percentage
    /// points, or a number of responses. Negative where the trigger fires (a value at a line that
    /// fires from there on has the margin 0). `None` for what has no distance.
    pub fn margin(&self, value: Value) -> Option<f64> {
        match (self, value) {
            // Rounded to a hundred-thousandth: 95.0 - 92.1 is 2.9 to a person.
            (Self::Below(line), Value::Percent(percent)) => {
                Some(((percent.get() - line.get()) * 1e5).round() / 1e5)
            }
            #[expect(
                clippy::cast_precision_loss,
                reason = "a count beyond 2^53 is no number to look at closely"
            )]
            (Self::AtLeast(line), Value::Count(count)) => Some(*line as f64 - count as f64),
            _ => None,
        }
    }

    /// True where a value that does not fire lies so close to the line that it deserves a look:
    /// within one percentage point, or one response.
    pub fn is_near(&self, value: Value) -> bool {
        !self.holds(value) && self.margin(value).is_some_and(|margin| margin <= 1.0)
    }

    /// What a value has to be so that it does not fire.
    pub fn relief(&self) -> Relief {
        match *self {
            Self::Set => Relief::Unset,
            Self::Below(line) => Relief::AtLeast(line),
            Self::AtLeast(line) => Relief::AtMost(line.saturating_sub(1)),
            Self::Is(risk) => Relief::Other(risk),
        }
    }
}

/// What a value has to be for a trigger not to fire.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Relief {
    /// A flag has to be unset.
    Unset,
    /// A percentage has to be at least this.
    AtLeast(Percent),
    /// A count has to be at most this.
    AtMost(u64),
    /// A risk has to be another than this.
    Other(Risk),
}
