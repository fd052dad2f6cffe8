//! The six built-in signals of one recorded decision, without an allocation: their values, and how
//! each reading ended.
//!
//! A history of a million decisions is read in this form. What was wrong with a reading, and which
//! files it rested on, is not in it; neither is a signal that a policy document adds.

use super::{Outcome, Percent, Reading, Readings, Risk, Status, Value};
use crate::ids::SignalName;

/// The values of the six signals and the status of each, in the order of [`Readings::BUILT_IN`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Six {
    /// Is the trust guard's lock set?
    pub trust_locked: bool,
    /// The integrity score.
    pub integrity: Percent,
    /// The weighted agreement.
    pub consensus: Percent,
    /// The mean reputation.
    pub reputation: Percent,
    /// The forecast risk.
    pub forecast: Risk,
    /// Adaptive responses in the last 24 hours.
    pub responses: u64,
    /// How each reading ended. The value of a signal that is not valid stands in for one.
    pub status: [Status; 6],
}

impl Six {
    /// The values with their signals, in order.
    pub fn values(&self) -> [(SignalName, Value); 6] {
        [
            (SignalName::TRUST, Value::Flag(self.trust_locked)),
            (SignalName::INTEGRITY, Value::Percent(self.integrity)),
            (SignalName::CONSENSUS, Value::Percent(self.consensus)),
            (SignalName::REPUTATION, Value::Percent(self.reputation)),
            (SignalName::FORECAST, Value::Risk(self.forecast)),
            (SignalName::RESPONSES, Value::Count(self.responses)),
        ]
    }

    /// The same as readings, as far as a record tells.
    pub fn readings(&self) -> Readings {
        let reading = |((signal, value), status): ((SignalName, Value), Status)| {
            let outcome = match status {
                Status::Valid => Outcome::Valid(value),
                Status::Missing => Outcome::Missing("not reported".to_owned()),
                Status::Stale => Outcome::Stale(value),
                Status::Invalid => Outcome::Invalid(Vec::new()),
            };
            Reading::bare(signal, outcome)
        };
        let all = self.values().into_iter().zip(self.status);
        Readings::new(all.map(reading).collect())
    }

    /// Readings in this form; `None` where they hold another signal, or a value of another kind.
    pub fn of(readings: &Readings) -> Option<Self> {
        let mut status = [Status::Valid; 6];
        for (slot, reading) in status.iter_mut().zip(readings) {
            *slot = reading.status();
        }
        if readings.iter().count() != Readings::BUILT_IN.len() {
            return None;
        }
        let value = |signal: &SignalName| readings.get(signal).map(Reading::shown_value);
        let percent = |signal: &SignalName| match value(signal)? {
            Value::Percent(percent) => Some(percent),
            _ => None,
        };
        Some(Self {
            trust_locked: match value(&SignalName::TRUST)? {
                Value::Flag(locked) => locked,
                _ => return None,
            },
            integrity: percent(&SignalName::INTEGRITY)?,
            consensus: percent(&SignalName::CONSENSUS)?,
            reputation: percent(&SignalName::REPUTATION)?,
            forecast: match value(&SignalName::FORECAST)? {
                Value::Risk(risk) => risk,
                _ => return None,
            },
            responses: match value(&SignalName::RESPONSES)? {
                Value::Count(count) => count,
                _ => return None,
            },
            status,
        })
    }
}
