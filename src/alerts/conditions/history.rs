//! The conditions on what was decided lately: RED entered too often, a level that flaps, a RED that
//! lasts, a schedule that is late. Pure.

use serde_json::Value;

use super::{Decided, History, newest};
use crate::alerts::alert::{Alert, Name};
use crate::alerts::limits::Limits;
use crate::policy::Level;
use crate::signals::responses::WINDOW;
use crate::time::{Timestamp, in_words};

/// The decisions in the 24 hours before `at`, their beginning included, that have another level than
/// the one before. The first of all changes nothing.
pub(super) fn changes(decisions: &[Decided], at: Timestamp) -> Vec<&Decided> {
    let begin = at.minus(WINDOW);
    let pairs = decisions.iter().zip(decisions.iter().skip(1));
    pairs
        .filter(|(before, after)| before.level != after.level && after.at >= begin)
        .map(|(_, after)| after)
        .collect()
}

pub(super) fn red_flips(changes: &[&Decided], limits: &Limits) -> Option<Alert> {
    let flips: Vec<Timestamp> = changes
        .iter()
        .filter(|decided| decided.level == Level::RED)
        .map(|decided| decided.at)
        .collect();
    let count = flips.len() as u64;
    (count > limits.red_flips).then(|| {
        Alert::new(
            Name::RedFlips,
            format!(
                "RED was entered {count} times in 24 h, more than {}",
                limits.red_flips
            ),
            flips.first().copied(),
            [
                ("flips", Value::from(count)),
                ("limit", Value::from(limits.red_flips)),
                ("times", newest(flips.iter().map(ToString::to_string))),
            ],
        )
    })
}

pub(super) fn level_flaps(changes: &[&Decided], limits: &Limits) -> Option<Alert> {
    let count = changes.len() as u64;
    (count > limits.flaps).then(|| {
        let shown = changes
            .iter()
            .map(|decided| format!("{} {}", decided.at, decided.level));
        Alert::new(
            Name::LevelFlaps,
            format!(
                "the level changed {count} times in 24 h, more than {}",
                limits.flaps
            ),
            changes.first().map(|decided| decided.at),
            [
                ("changes", Value::from(count)),
                ("limit", Value::from(limits.flaps)),
                ("to", newest(shown)),
            ],
        )
    })
}

pub(super) fn red_lasts(history: &History, at: Timestamp, limits: &Limits) -> Option<Alert> {
    let since = red_since(history)?;
    let lasted = at.since(since);
    (lasted > limits.red.delta()).then(|| {
        Alert::new(
            Name::RedLasts,
            format!(
                "the level is RED for {}, longer than {}",
                in_words(lasted),
                limits.red
            ),
            Some(since),
            [
                ("lasted_seconds", Value::from(lasted.num_seconds())),
                ("limit_hours", limits.red.to_json()),
            ],
        )
    })
}

/// Since when the level is RED. Where that lies before everything that was read, the state file
/// tells.
fn red_since(history: &History) -> Option<Timestamp> {
    let is_red = |decided: &&Decided| decided.level == Level::RED;
    let row = history.decisions.iter().rev().take_while(is_red);
    let earliest = row.clone().last()?.at;
    let reaches_back = row.count() == history.decisions.len() && !history.complete;
    let told = history.red_since.filter(|_| reaches_back);
    Some(told.map_or(earliest, |told| told.min(earliest)))
}

pub(super) fn schedule_late(history: &History, at: Timestamp, limits: &Limits) -> Option<Alert> {
    let limit = ("limit_hours", limits.late.to_json());
    let Some(last) = history.last_success else {
        let message = if history.decisions.is_empty() {
            "nothing was ever evaluated here on time".to_owned()
        } else {
            "no evaluation came to an end without a failure".to_owned()
        };
        let evidence = [("last_success", Value::Null), limit];
        return Some(Alert::new(Name::ScheduleLate, message, None, evidence));
    };
    let ago = at.since(last);
    (ago > limits.late.delta()).then(|| {
        Alert::new(
            Name::ScheduleLate,
            format!(
                "the last successful evaluation was {} ago, longer than {}",
                in_words(ago),
                limits.late
            ),
            Some(last),
            [("last_success", Value::from(last.to_string())), limit],
        )
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn now() -> Timestamp {
        Timestamp::read("2026-01-15T12:00:00Z").unwrap().time
    }

    /// Decisions so many seconds before now: `R` is RED, `Y` YELLOW, `G` GREEN.
    fn decided(row: &[(char, i64)]) -> Vec<Decided> {
        let level = |letter| match letter {
            'R' => Level::RED,
            'Y' => Level::YELLOW,
            _ => Level::GREEN,
        };
        row.iter()
            .map(|(letter, ago)| Decided {
                at: now().minus(TimeDelta::seconds(*ago)),
                level: level(*letter),
            })
            .collect()
    }

    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;

    /// Letters with how many seconds ago each was decided.
    type Row = Vec<(char, i64)>;

    /// A row of letters, one decision an hour, the last one now.
    fn hourly(letters: &str) -> Row {
        let ago = (0..).map(|hours| hours * HOUR);
        let mut row: Row = letters.chars().rev().zip(ago).collect();
        row.reverse();
        row
    }

    #[test]
    fn red_flips_are_transitions_to_red_within_the_window() {
        let cases: &[(&str, Row, Option<u64>)] = &[
            ("no decision", vec![], None),
            ("one RED, nothing before", hourly("R"), None),
            ("RED all day", hourly("RRRRRR"), None),
            ("two flips", hourly("GRGR"), None),
            ("three flips", hourly("GRGRGR"), Some(3)),
            ("from YELLOW too", hourly("YRYRGR"), Some(3)),
            ("a first RED flips nothing", hourly("RGRGR"), None),
            (
                "a RED that began before the window is no flip",
                vec![
                    ('G', DAY + 2),
                    ('R', DAY + 1),
                    ('R', 9),
                    ('G', 8),
                    ('R', 7),
                    ('G', 6),
                    ('R', 5),
                ],
                None,
            ),
            (
                "the window includes its beginning",
                vec![
                    ('G', DAY + 2),
                    ('R', DAY),
                    ('G', 8),
                    ('R', 7),
                    ('G', 6),
                    ('R', 5),
                ],
                Some(3),
            ),
            (
                "a transition from before the window into it",
                vec![
                    ('G', 3 * DAY),
                    ('R', 9),
                    ('G', 8),
                    ('R', 7),
                    ('G', 6),
                    ('R', 5),
                ],
                Some(3),
            ),
        ];
        for (case, row, expected) in cases {
            let decisions = decided(row);
            let alert = red_flips(&changes(&decisions, now()), &Limits::default());
            let count = alert.map(|alert| alert.evidence["flips"].as_u64().unwrap());
            assert_eq!(count, *expected, "{case}");
        }
    }

    #[test]
    fn red_flips_name_their_first_time_values_and_limit() {
        let decisions = decided(&hourly("GRGRGR"));
        let alert = red_flips(&changes(&decisions, now()), &Limits::default()).unwrap();
        assert_eq!(
            alert.message,
            "RED was entered 3 times in 24 h, more than 2"
        );
        assert_eq!(
            alert.since.unwrap().to_string(),
            "2026-01-15T08:00:00+00:00"
        );
        assert_eq!(alert.evidence["limit"], 2);
        assert_eq!(alert.evidence["times"].as_array().unwrap().len(), 3);
    }

    #[test]
    fn level_flaps_count_every_change() {
        let cases = [
            ("GYGYGYG", None),
            ("GYGYGYGY", Some(7)),
            ("GGYYRRGGYY", None),
            ("GRYGRYGR", Some(7)),
            ("GRGRGRG", None),
        ];
        for (row, expected) in cases {
            let decisions = decided(&hourly(row));
            let alert = level_flaps(&changes(&decisions, now()), &Limits::default());
            let count = alert.map(|alert| alert.evidence["changes"].as_u64().unwrap());
            assert_eq!(count, expected, "{row}");
        }
    }

    #[test]
    fn red_lasts_for_more_than_four_hours_from_its_beginning() {
        let four = 4 * HOUR;
        let cases: &[(&str, Row, Option<i64>)] = &[
            (
                "exactly four hours",
                vec![('G', DAY), ('R', four), ('R', 0)],
                None,
            ),
            (
                "a second more",
                vec![('G', DAY), ('R', four + 1)],
                Some(four + 1),
            ),
            ("it ended", vec![('R', 9 * HOUR), ('G', 1)], None),
            (
                "it began anew",
                vec![('R', 9 * HOUR), ('G', 8 * HOUR), ('R', HOUR)],
                None,
            ),
            ("nothing decided", vec![], None),
        ];
        for (case, row, expected) in cases {
            let history = History {
                decisions: decided(row),
                ..History::default()
            };
            let alert = red_lasts(&history, now(), &Limits::default());
            let lasted = alert.map(|alert| alert.evidence["lasted_seconds"].as_i64().unwrap());
            assert_eq!(lasted, *expected, "{case}");
        }
    }

    #[test]
    fn the_state_file_tells_when_red_began_where_the_journal_was_not_read_so_far() {
        let red_since = Some(now().minus(TimeDelta::days(9)));
        let since = |row: &[(char, i64)], complete| {
            let history = History {
                decisions: decided(row),
                red_since,
                complete,
                last_success: None,
            };
            now().since(super::red_since(&history).unwrap()).num_hours()
        };
        assert_eq!(since(&[('R', DAY), ('R', 0)], false), 9 * 24);
        assert_eq!(since(&[('R', DAY), ('R', 0)], true), 24);
        assert_eq!(since(&[('G', 2 * DAY), ('R', DAY)], false), 24);
    }

    #[test]
    fn the_schedule_is_late_after_more_than_26_hours_without_success() {
        let late = |last_success| {
            let history = History {
                last_success,
                ..History::default()
            };
            schedule_late(&history, now(), &Limits::default())
        };
        let ago = |seconds| Some(now().minus(TimeDelta::seconds(seconds)));
        assert_eq!(late(ago(0)), None);
        assert_eq!(late(ago(26 * HOUR)), None);
        let alert = late(ago(26 * HOUR + 1)).unwrap();
        assert_eq!(alert.since, ago(26 * HOUR + 1));
        assert_eq!(alert.evidence["limit_hours"], 26.0);
        let never = late(None).unwrap();
        assert_eq!((never.name, never.since), (Name::ScheduleLate, None));
    }
}
