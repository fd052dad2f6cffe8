//! The numbers that conditions are held against, with their defaults (rows OR-29 to OR-35).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::TimeDelta;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::time::in_words;

/// A number of hours from 0 to ten years, fractions allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hours(f64);

impl Hours {
    /// What is expected where hours are written.
    pub const EXPECTED: &'static str = "a number of hours from 0 to 87600";

    /// Takes a number in range.
    pub fn new(hours: f64) -> Option<Self> {
        (0.0..=87_600.0).contains(&hours).then_some(Self(hours))
    }

    /// Whole hours.
    pub const fn whole(hours: u8) -> Self {
        Self(hours as f64)
    }

    /// The time that they last.
    pub fn delta(self) -> TimeDelta {
        TimeDelta::from_std(Duration::from_secs_f64(self.0 * 3600.0)).unwrap_or(TimeDelta::MAX)
    }

    /// The number.
    pub fn to_json(self) -> Value {
        Value::from(self.0)
    }
}

impl FromStr for Hours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hours = text.parse().ok().and_then(Self::new);
        hours.ok_or_else(|| format!("expected {}", Self::EXPECTED))
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&in_words(self.delta()))
    }
}

impl Serialize for Hours {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0)
    }
}

/// The limits in force.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Limits {
    /// More transitions to RED in 24 hours than this.
    pub red_flips: u64,
    /// The brake engaged for longer than this.
    #[serde(rename = "brake_hours")]
    pub brake: Hours,
    /// So many blocked responses in a row, or more.
    pub blocked: u64,
    /// RED for longer than this.
    #[serde(rename = "red_hours")]
    pub red: Hours,
    /// More changes of the level in 24 hours than this.
    pub flaps: u64,
    /// No successful evaluation for longer than this.
    #[serde(rename = "late_hours")]
    pub late: Hours,
    /// More overrides given in 24 hours than this.
    pub overrides: u64,
}

/// [`crate::record::journal::LATE_AFTER`] in hours; a test holds the two together.
const LATE_HOURS: Hours = Hours::whole(26);

impl Default for Limits {
    fn default() -> Self {
        Self {
            red_flips: 2,
            brake: Hours::whole(4),
            blocked: 3,
            red: Hours::whole(4),
            // Three times to RED and back are six changes, and an alert of their own.
            flaps: 6,
            late: LATE_HOURS,
            overrides: 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::journal::LATE_AFTER;

    #[test]
    fn a_schedule_is_late_here_when_it_is_late_elsewhere() {
        assert_eq!(LATE_HOURS.delta(), LATE_AFTER);
    }

    #[test]
    fn hours_are_numbers_in_range() {
        assert_eq!(
            "1.5".parse::<Hours>().unwrap().delta(),
            TimeDelta::minutes(90)
        );
        for text in ["-1", "NaN", "87601", "soon", ""] {
            assert!(text.parse::<Hours>().is_err(), "{text}");
        }
    }
}
