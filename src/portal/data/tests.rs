//! The fold: bounded, incremental, and what it remembers.

use proptest::prelude::*;

use super::*;
use crate::signals::Percent;
use crate::signals::Value;

fn at(text: &str) -> Timestamp {
    Timestamp::read(text).unwrap().time
}

fn take(data: &mut Data, at: Timestamp, level: &Level, integrity: f64) {
    let decided = Decided {
        at,
        seq: data.decisions + 1,
        level,
        given: false,
        ahead: false,
    };
    let value = day::number(Value::Percent(Percent::new(integrity).unwrap()));
    let readings = [(&SignalName::INTEGRITY, Status::Valid, value)];
    data.take(decided, readings, || vec![ReasonCode::POLICY_INVALID], &[]);
}

#[test]
fn a_day_keeps_the_least_the_highest_the_last_and_the_worst_status() {
    let mut data = Data::default();
    for (time, score) in [("01", 95.0), ("02", 91.0), ("03", 97.25), ("04", 96.0)] {
        let time = at(&format!("2026-01-15T{time}:00:00Z"));
        take(&mut data, time, &Level::GREEN, score);
    }
    let missing = [(&SignalName::INTEGRITY, Status::Missing, Some(100.0))];
    let decided = Decided {
        at: at("2026-01-15T05:00:00Z"),
        seq: 5,
        level: &Level::YELLOW,
        given: false,
        ahead: false,
    };
    data.take(decided, missing, Vec::new, &[]);
    let text = serde_json::to_value(&data.signals).unwrap();
    // What stands in for a report that is missing is no value.
    let expected = serde_json::json!([{"name": "integrity", "days": [["2026-01-15", 91.0, 97.25, 96.0, "missing"]]}]);
    assert_eq!(text, expected);
    let levels: Vec<_> = data
        .transitions
        .iter()
        .map(|one| (one.seq, one.level.name()))
        .collect();
    assert_eq!(levels, [(1, "GREEN"), (5, "YELLOW")]);
}

#[test]
fn a_decision_with_a_given_time_is_counted_and_left_out() {
    let mut data = Data::default();
    let decided = Decided {
        at: at("2026-01-15T05:00:00Z"),
        seq: 1,
        level: &Level::RED,
        given: true,
        ahead: false,
    };
    data.take(decided, [], Vec::new, &[]);
    assert_eq!((data.given, data.decisions), (1, 0));
    assert_eq!(data.transitions, []);
    assert_eq!(data.last_at, None);
}

#[test]
fn what_lies_90_days_back_is_forgotten_but_for_the_level_that_held() {
    let mut data = Data::default();
    let first = at("2026-01-01T00:00:00Z");
    for hours in 0..200 * 24 {
        let level = if (hours / 240) % 2 == 0 {
            Level::GREEN
        } else {
            Level::RED
        };
        take(&mut data, first.plus_seconds(hours * 3600), &level, 95.0);
    }
    let last = data.last_at.unwrap();
    let begins = last.minus(TimeDelta::days(DAYS)).day();
    let older = data.transitions.iter().filter(|one| one.at < begins);
    assert_eq!(older.count(), 1);
    assert_eq!(data.signals[0].days.len(), 91);
    assert_eq!(data.decisions, 200 * 24);
    assert_eq!(data.first_at, Some(first));
    assert_eq!(data.gaps, []);
    assert_eq!(data.complete_from, None);
}

#[test]
fn a_schedule_that_stopped_leaves_a_gap() {
    let mut data = Data::default();
    let times = [
        "2026-01-01T00:00:00Z",
        "2026-01-02T02:00:00Z",
        "2026-01-05T00:00:00Z",
    ];
    for time in times {
        take(&mut data, at(time), &Level::GREEN, 95.0);
    }
    let gap = Span {
        from: at(times[1]),
        until: at(times[2]),
    };
    assert_eq!(data.gaps, [gap]);
}

#[test]
fn a_waiver_is_one_while_until_a_decision_without_it() {
    let mut data = Data::default();
    let code = ReasonCode::parse("REPUTATION_BELOW_YELLOW").unwrap();
    for (hour, waived) in [(0, true), (1, true), (2, false), (3, true)] {
        let decided = Decided {
            at: at("2026-01-15T00:00:00Z").plus_seconds(hour * 3600),
            seq: 1,
            level: &Level::GREEN,
            given: false,
            ahead: false,
        };
        let codes: &[ReasonCode] = if waived {
            std::slice::from_ref(&code)
        } else {
            &[]
        };
        data.take(decided, [], Vec::new, codes);
    }
    let whiles: Vec<_> = data
        .waived
        .iter()
        .map(|one| (one.from.to_string(), one.until.to_string()))
        .collect();
    let expected = [("00", "01"), ("03", "03")].map(|(from, until)| {
        let time = |hour| format!("2026-01-15T{hour}:00:00+00:00");
        (time(from), time(until))
    });
    assert_eq!(whiles, expected);
}

#[test]
fn a_level_that_flaps_is_thinned_to_the_gravest_and_the_last_of_old_days() {
    let mut data = Data::default();
    let first = at("2026-01-01T00:00:00Z");
    let mut levels = [Level::GREEN, Level::RED, Level::YELLOW]
        .into_iter()
        .cycle();
    for minutes in 0..60 * 24 {
        let time = first.plus_seconds(minutes * 3600);
        take(&mut data, time, &levels.next().unwrap(), 95.0);
    }
    assert!(data.transitions.len() <= MOST_TRANSITIONS);
    let complete = data.complete_from.unwrap();
    let old_days = data.transitions.iter().filter(|one| one.at < complete);
    let mut by_day = std::collections::BTreeMap::new();
    for one in old_days {
        by_day
            .entry(one.at.date())
            .or_insert_with(Vec::new)
            .push(one.level.name());
    }
    assert!(by_day.len() > 30);
    for (day, levels) in by_day {
        assert!(levels.len() <= 2, "{day} {levels:?}");
        assert!(levels.contains(&"RED"), "{day} {levels:?}");
    }
}

#[test]
fn the_file_stays_within_its_bound_whatever_is_recorded() {
    let mut data = Data::default();
    let first = at("2026-01-01T00:00:00Z");
    let long = |index: i64| ReasonCode::parse(&format!("{}{index:02}", "R".repeat(62))).unwrap();
    let names: Vec<SignalName> = (0..40)
        .map(|index| SignalName::parse(&format!("{}{index:02}", "s".repeat(62))).unwrap())
        .collect();
    for hours in 0..100 * 24 {
        let level = Level::parse(&format!("{}{}", "L".repeat(31), hours % 2)).unwrap();
        let decided = Decided {
            at: first.plus_seconds(hours * 3600),
            seq: u64::MAX - 1,
            level: &level,
            given: false,
            ahead: false,
        };
        let value = day::number(Value::Number(
            crate::signals::Finite::new(-1_234_567_890_123.456_7 / 3.0).unwrap(),
        ));
        let readings = names.iter().map(|name| (name, Status::Stale, value));
        let codes: Vec<ReasonCode> = (0..10).map(long).collect();
        data.take(decided, readings, || codes.clone(), &codes);
    }
    let bytes = data.to_bytes();
    assert!(bytes.len() <= MOST_BYTES, "{}", bytes.len());
    assert!(bytes.len() > MOST_BYTES / 2, "{}", bytes.len());
    let read: Data = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(read.decisions, data.decisions);
    assert!(read.signals_left_out > 0);
}

proptest! {
    /// Written and read back between two decisions, it comes to the same: so a run goes on from the
    /// file as a walk over the journal goes on in memory.
    #[test]
    fn going_on_from_the_file_is_going_on(decisions in prop::collection::vec((0i64..200_000, 0usize..3, 0u32..10_000), 1..60), cut in 0usize..60) {
        let levels = [Level::GREEN, Level::YELLOW, Level::RED];
        let (mut whole, mut by_file) = (Data::default(), Data::default());
        let mut time = at("2026-01-01T00:00:00Z");
        for (index, (later, level, score)) in decisions.into_iter().enumerate() {
            time = time.plus_seconds(later);
            let score = f64::from(score) / 100.0;
            take(&mut whole, time, &levels[level], score);
            if index % (cut + 1) == cut {
                by_file = serde_json::from_slice(&by_file.to_bytes()).unwrap();
            }
            take(&mut by_file, time, &levels[level], score);
        }
        prop_assert_eq!(whole.to_bytes(), by_file.to_bytes());
    }
}
