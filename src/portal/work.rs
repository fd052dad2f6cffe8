//! How much the evaluations of each day were: their number, and how many were not GREEN (pure).

use serde::{Deserialize, Serialize};

use super::day::Day;
use crate::policy::Level;

/// The evaluations of a day, as the file has them: an array of three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(Day, u64, u64)", into = "(Day, u64, u64)")]
pub struct Evaluations {
    /// Which day.
    pub day: Day,
    /// How many there were.
    pub count: u64,
    /// How many of them came to another level than GREEN.
    pub not_green: u64,
}

impl From<(Day, u64, u64)> for Evaluations {
    fn from((day, count, not_green): (Day, u64, u64)) -> Self {
        Self {
            day,
            count,
            not_green,
        }
    }
}

impl From<Evaluations> for (Day, u64, u64) {
    fn from(of: Evaluations) -> Self {
        (of.day, of.count, of.not_green)
    }
}

/// Counts one more. A clock that was set back adds to an earlier day.
pub(super) fn count(days: &mut Vec<Evaluations>, day: Day, level: &Level) {
    let not_green = u64::from(level.name() != Level::GREEN.name());
    match days.binary_search_by_key(&day, |of| of.day) {
        Ok(index) => {
            if let Some(of) = days.get_mut(index) {
                of.count += 1;
                of.not_green += not_green;
            }
        }
        Err(index) => days.insert(
            index,
            Evaluations {
                day,
                count: 1,
                not_green,
            },
        ),
    }
}

/// Forgets the days before `first`, and the oldest ones of more than `most`.
pub(super) fn forget(days: &mut Vec<Evaluations>, first: Day, most: usize) {
    let old = days.iter().take_while(|of| of.day < first).count();
    let many = days.len().saturating_sub(most);
    days.drain(..old.max(many));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn day(text: &str) -> Day {
        Day::of(Timestamp::read(&format!("{text}T00:00:00Z")).unwrap().time)
    }

    #[test]
    fn each_day_counts_its_own_whatever_their_order() {
        let mut days = Vec::new();
        let yellow = Level::YELLOW;
        for (text, level) in [
            ("2026-01-15", &Level::GREEN),
            ("2026-01-15", &yellow),
            ("2026-01-16", &Level::RED),
            ("2026-01-14", &Level::GREEN),
            ("2026-01-15", &Level::GREEN),
        ] {
            count(&mut days, day(text), level);
        }
        let told = serde_json::to_value(&days).unwrap();
        let expected = serde_json::json!([
            ["2026-01-14", 1, 0],
            ["2026-01-15", 3, 1],
            ["2026-01-16", 1, 1]
        ]);
        assert_eq!(told, expected);
        forget(&mut days, day("2026-01-15"), 92);
        assert_eq!(days.len(), 2);
        forget(&mut days, day("2026-01-15"), 1);
        assert_eq!(days[0].day, day("2026-01-16"));
    }
}
