//! A signal's days: the least, the highest and the last value of each, and the worst status (pure).

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::SignalName;
use crate::signals::{Risk, Status, Value};
use crate::time::Timestamp;

/// The seconds of a day.
const SECONDS: i64 = 86_400;

/// A day in UTC, by its number since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(i64);

impl Day {
    /// The day of a time.
    pub fn of(at: Timestamp) -> Self {
        Self(at.unix_seconds().div_euclid(SECONDS))
    }

    /// So many days earlier.
    #[must_use]
    pub fn minus(self, days: i64) -> Self {
        Self(self.0.saturating_sub(days))
    }

    /// When it begins; `None` for a day outside of the years that are written.
    pub fn begins(self) -> Option<Timestamp> {
        Timestamp::from_unix_seconds(self.0.saturating_mul(SECONDS))
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.begins().unwrap_or(Timestamp::EPOCH).date())
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let read = (text.len() == 10)
            .then(|| Timestamp::read(&format!("{text}T00:00:00Z")))
            .flatten();
        let day = read.map(|read| Self::of(read.time));
        day.ok_or_else(|| serde::de::Error::custom("expected a day, 2026-01-31 say"))
    }
}

/// What a signal said on a day, as the file has it: an array of five.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "Row", into = "Row")]
pub struct OfDay {
    /// Which.
    pub day: Day,
    /// Its values; absent where it had none that is a number.
    pub values: Option<Values>,
    /// The worst status of it.
    pub status: Status,
}

/// The values of a day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Values {
    /// The least.
    pub least: f64,
    /// The highest.
    pub most: f64,
    /// The last.
    pub last: f64,
}

/// The day, the least, the highest and the last value, and the status.
type Row = (Day, Option<f64>, Option<f64>, Option<f64>, Status);

impl From<Row> for OfDay {
    fn from((day, least, most, last, status): Row) -> Self {
        let values = match (least, most, last) {
            (Some(least), Some(most), Some(last)) => Some(Values { least, most, last }),
            _ => None,
        };
        Self {
            day,
            values,
            status,
        }
    }
}

impl From<OfDay> for Row {
    fn from(of: OfDay) -> Self {
        let each = |pick: fn(Values) -> f64| of.values.map(pick);
        (
            of.day,
            each(|values| values.least),
            each(|values| values.most),
            each(|values| values.last),
            of.status,
        )
    }
}

impl OfDay {
    fn new(day: Day, status: Status, value: Option<f64>) -> Self {
        let values = value.map(|value| Values {
            least: value,
            most: value,
            last: value,
        });
        Self {
            day,
            values,
            status,
        }
    }

    fn add(&mut self, status: Status, value: Option<f64>) {
        if gravity(status) > gravity(self.status) {
            self.status = status;
        }
        let Some(value) = value else { return };
        self.values = Some(self.values.map_or(
            Values {
                least: value,
                most: value,
                last: value,
            },
            |values| Values {
                least: values.least.min(value),
                most: values.most.max(value),
                last: value,
            },
        ));
    }
}

fn gravity(status: Status) -> u8 {
    match status {
        Status::Valid => 0,
        Status::Stale => 1,
        Status::Missing => 2,
        Status::Invalid => 3,
    }
}

/// A signal and its days, the oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Its name.
    pub name: SignalName,
    /// The days on which it was read.
    pub days: Vec<OfDay>,
}

impl Signal {
    /// Takes a reading of a day. A clock that was set back adds to an earlier day.
    pub(super) fn take(&mut self, day: Day, status: Status, value: Option<f64>) {
        if let Some(last) = self.days.last_mut()
            && last.day == day
        {
            return last.add(status, value);
        }
        match self.days.binary_search_by_key(&day, |of| of.day) {
            Ok(index) => {
                if let Some(of) = self.days.get_mut(index) {
                    of.add(status, value);
                }
            }
            Err(index) => self.days.insert(index, OfDay::new(day, status, value)),
        }
    }

    /// Forgets the days before `first`, and the oldest ones of more than `most`.
    pub(super) fn forget(&mut self, first: Day, most: usize) {
        let old = self.days.iter().take_while(|of| of.day < first).count();
        let many = self.days.len().saturating_sub(most);
        self.days.drain(..old.max(many));
    }
}

/// A value as a number to draw, to four digits behind the point: a lock that is set is 1, the risks
/// are 0, 1 and 2. `None` for a word.
pub fn number(value: Value) -> Option<f64> {
    let number = match value {
        Value::Flag(flag) | Value::Truth(flag) => f64::from(u8::from(flag)),
        Value::Risk(Risk::Low) => 0.0,
        Value::Risk(Risk::Medium) => 1.0,
        Value::Risk(Risk::High) => 2.0,
        Value::Word(_) => return None,
        other => other.as_number()?,
    };
    let rounded = (number * 10_000.0).round() / 10_000.0;
    Some(if rounded.is_finite() { rounded } else { number })
}
