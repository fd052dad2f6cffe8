//! Freeze windows: what is read, tables of known times, and a naive enumeration of every minute that
//! has to agree.

mod enumeration;

use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::read(text).unwrap().time
}

fn window(name: &str, mode: Mode, cron: &str, duration: &str, zone: &str) -> Window {
    let reason = format!("because of {name}");
    Window::parse(name, mode, cron, duration, zone, &reason).unwrap()
}

/// One window that denies.
fn deny(cron: &str, duration: &str, zone: &str) -> Calendar {
    Calendar::new(vec![window("w", Mode::Deny, cron, duration, zone)])
}

/// Who is in the way and until when; `None` for open.
fn found(calendar: &Calendar, time: &str) -> Option<(String, Option<String>)> {
    match calendar.at(at(time)) {
        Standing::Open => None,
        Standing::Frozen { by, until, .. } => Some((by, until.map(|until| until.to_string()))),
    }
}

#[track_caller]
fn is_open(calendar: &Calendar, time: &str) {
    assert_eq!(found(calendar, time), None, "{time}");
}

#[track_caller]
fn is_frozen(calendar: &Calendar, time: &str, by: &str, until: &str) {
    let until = Some(at(until).to_string());
    assert_eq!(
        found(calendar, time),
        Some((by.to_owned(), until)),
        "{time}"
    );
}

#[test]
fn nothing_is_frozen_without_a_window() {
    assert_eq!(Calendar::default().at(at("2026-01-15")), Standing::Open);
}

#[test]
fn a_window_is_open_from_its_first_instant_up_to_its_last() {
    // Friday 18:00 to Monday 08:00, by the clock of Berlin in winter.
    let weekend = deny("0 18 * * FRI", "62h", "Europe/Berlin");
    is_open(&weekend, "2026-01-16T16:59:59.999999Z");
    for inside in [
        "2026-01-16T17:00:00Z",
        "2026-01-18T12:00:00.5Z",
        "2026-01-19T06:59:59.999999Z",
    ] {
        is_frozen(&weekend, inside, "w", "2026-01-19T07:00:00Z");
    }
    is_open(&weekend, "2026-01-19T07:00:00Z");
}

#[test]
fn the_standing_says_who_why_and_how() {
    let weekend = deny("0 18 * * FRI", "62h", "UTC");
    let expected = Standing::Frozen {
        by: "w".to_owned(),
        mode: Mode::Deny,
        reason: "because of w".to_owned(),
        until: Some(at("2026-01-19T08:00:00Z")),
    };
    assert_eq!(weekend.at(at("2026-01-17T00:00:00Z")), expected);
}

#[test]
fn a_start_that_the_clock_skips_is_the_first_instant_behind_the_gap() {
    // 02:00 to 03:00 on the 29th of March; 02:30 of other days is 02:30.
    let berlin = deny("30 2 * * *", "10m", "Europe/Berlin");
    is_frozen(&berlin, "2026-03-28T01:30:00Z", "w", "2026-03-28T01:40:00Z");
    is_open(&berlin, "2026-03-29T00:59:59Z");
    is_frozen(&berlin, "2026-03-29T01:00:00Z", "w", "2026-03-29T01:10:00Z");
    is_open(&berlin, "2026-03-29T01:30:00Z");
    is_frozen(&berlin, "2026-03-30T00:30:00Z", "w", "2026-03-30T00:40:00Z");
    // 02:00 to 02:30 only, on the 4th of October.
    let lord_howe = deny("15 2 * * *", "10m", "Australia/Lord_Howe");
    is_open(&lord_howe, "2026-10-03T15:29:59Z");
    is_frozen(
        &lord_howe,
        "2026-10-03T15:30:00Z",
        "w",
        "2026-10-03T15:40:00Z",
    );
    // The whole of the 30th of December 2011.
    let apia = deny("0 12 30 12 *", "10m", "Pacific/Apia");
    is_open(&apia, "2011-12-30T09:59:59Z");
    is_frozen(&apia, "2011-12-30T10:00:00Z", "w", "2011-12-30T10:10:00Z");
}

#[test]
fn a_start_that_comes_twice_is_the_first_of_the_two() {
    // 02:00 to 03:00 comes twice on the 25th of October.
    let berlin = deny("30 2 * * *", "10m", "Europe/Berlin");
    is_frozen(&berlin, "2026-10-25T00:30:00Z", "w", "2026-10-25T00:40:00Z");
    is_open(&berlin, "2026-10-25T00:40:00Z");
    is_open(&berlin, "2026-10-25T01:30:00Z");
    // What opened at the first 02:50 is found from the second 02:10.
    let longer = deny("50 2 * * *", "1h", "Europe/Berlin");
    is_frozen(&longer, "2026-10-25T01:10:00Z", "w", "2026-10-25T01:50:00Z");
}

#[test]
fn a_duration_is_elapsed_time() {
    // The clock is set forward, so 62 hours end an hour later by the clock: 09:00, not 08:00.
    let weekend = deny("0 18 * * FRI", "62h", "Europe/Berlin");
    is_frozen(
        &weekend,
        "2026-03-28T12:00:00Z",
        "w",
        "2026-03-30T07:00:00Z",
    );
    // 31 days from the 1st of March end at 01:00 on the 1st of April.
    let in_days = deny("0 0 1 3 *", "31d", "America/New_York");
    is_frozen(
        &in_days,
        "2026-03-31T12:00:00Z",
        "w",
        "2026-04-01T05:00:00Z",
    );
}

#[test]
fn windows_that_overlap_or_touch_are_one() {
    let calendar = Calendar::new(vec![
        window("night", Mode::Deny, "0 22 * * *", "8h", "UTC"),
        window("morning", Mode::Deny, "0 6 * * MON-FRI", "2h", "UTC"),
        window("audit", Mode::Deny, "30 7 14 1 *", "1d", "UTC"),
    ]);
    // Wednesday: the night, the morning, and a day of audit into the next morning.
    is_frozen(
        &calendar,
        "2026-01-13T23:00:00Z",
        "night",
        "2026-01-15T08:00:00Z",
    );
    is_frozen(
        &calendar,
        "2026-01-14T06:00:00Z",
        "morning",
        "2026-01-15T08:00:00Z",
    );
    is_frozen(
        &calendar,
        "2026-01-14T12:00:00Z",
        "audit",
        "2026-01-15T08:00:00Z",
    );
    // Saturday: the night alone.
    is_frozen(
        &calendar,
        "2026-01-17T05:00:00Z",
        "night",
        "2026-01-17T06:00:00Z",
    );
    is_open(&calendar, "2026-01-17T12:00:00Z");
}

#[test]
fn nothing_is_allowed_outside_of_the_windows_that_allow() {
    let calendar = Calendar::new(vec![
        window("tuesday", Mode::Allow, "0 9 * * TUE", "3h", "UTC"),
        window("thursday", Mode::Allow, "0 9 * * THU", "3h", "UTC"),
    ]);
    is_open(&calendar, "2026-01-13T09:00:00Z");
    is_open(&calendar, "2026-01-15T11:59:59Z");
    is_frozen(
        &calendar,
        "2026-01-13T12:00:00Z",
        "thursday",
        "2026-01-15T09:00:00Z",
    );
    is_frozen(
        &calendar,
        "2026-01-15T12:00:00Z",
        "tuesday",
        "2026-01-20T09:00:00Z",
    );
    let Standing::Frozen { mode, .. } = calendar.at(at("2026-01-15T12:00:00Z")) else {
        panic!("it is frozen");
    };
    assert_eq!(mode, Mode::Allow);
}

#[test]
fn what_denies_comes_before_what_allows() {
    let calendar = Calendar::new(vec![
        window("office", Mode::Allow, "0 8 * * MON-FRI", "8h", "UTC"),
        window("release", Mode::Deny, "0 10 * * *", "1h", "UTC"),
        window("holiday", Mode::Deny, "0 0 16 1 *", "3d", "UTC"),
    ]);
    is_open(&calendar, "2026-01-14T09:59:59Z");
    is_frozen(
        &calendar,
        "2026-01-14T10:30:00Z",
        "release",
        "2026-01-14T11:00:00Z",
    );
    // Thursday after hours: Friday is a holiday, so the next chance is Monday.
    is_frozen(
        &calendar,
        "2026-01-15T16:00:00Z",
        "office",
        "2026-01-19T08:00:00Z",
    );
    is_frozen(
        &calendar,
        "2026-01-16T10:30:00Z",
        "release",
        "2026-01-19T08:00:00Z",
    );
}

#[test]
fn what_never_ends_within_a_year_has_no_end() {
    let forever = deny("0 0 1,15 * *", "31d", "Europe/Berlin");
    assert_eq!(found(&forever, "2026-01-15"), Some(("w".to_owned(), None)));
    let never = |cron| Calendar::new(vec![window("w", Mode::Allow, cron, "1d", "UTC")]);
    let frozen = Some(("w".to_owned(), None));
    assert_eq!(found(&never("0 0 30 2 *"), "2026-01-15"), frozen);
    // A leap day comes, though not within a year.
    assert_eq!(found(&never("0 0 29 2 *"), "2026-01-15"), frozen);
    let leap = never("0 0 29 2 *");
    is_frozen(&leap, "2027-03-01T00:00:00Z", "w", "2028-02-29T00:00:00Z");
    // Every minute, a minute: denied to the end of what is looked at.
    let minutes = deny("* * * * *", "1m", "UTC");
    assert_eq!(found(&minutes, "2026-01-15"), Some(("w".to_owned(), None)));
}

#[test]
fn the_ends_of_time_are_survived() {
    let calendar = Calendar::new(vec![
        window("w", Mode::Deny, "0 0 * * *", "31d", "Europe/Berlin"),
        window("a", Mode::Allow, "0 0 1 1 *", "1d", "Pacific/Apia"),
    ]);
    for time in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"] {
        assert_eq!(
            found(&calendar, time),
            Some(("w".to_owned(), None)),
            "{time}"
        );
    }
}

#[test]
fn a_window_that_never_opens_is_recognised() {
    let cases = [
        ("0 0 30 2 *", true),
        ("0 0 31 4,6,9,NOV *", true),
        ("0 0 29 2 *", false),
        ("0 0 31 4,5 *", false),
        // Either of the two is enough.
        ("0 0 30 2 MON", false),
        // A February with five Mondays: once in 28 years.
        ("0 0 * 2 MON#5", false),
        ("0 0 LW * *", false),
        ("0 0 * * *", false),
    ];
    for (cron, never) in cases {
        let window = window("w", Mode::Deny, cron, "1h", "UTC");
        assert_eq!(window.never_opens(), never, "{cron}");
    }
}

#[test]
fn days_that_depend_on_their_month() {
    let cases = [
        ("L", "*", "2026-02-28", "2026-02-27"),
        ("L", "*", "2028-02-29", "2028-02-28"),
        // The 31st of January 2026 is a Saturday, the 28th of February one too.
        ("LW", "*", "2026-01-30", "2026-01-31"),
        // The 15th of February 2026 is a Sunday, the 1st of August a Saturday.
        ("15W", "*", "2026-02-16", "2026-02-15"),
        ("1W", "*", "2026-08-03", "2026-08-01"),
        ("*", "FRI#2", "2026-01-09", "2026-01-02"),
        ("*", "5L", "2026-01-30", "2026-01-23"),
        ("*", "sunL", "2026-01-25", "2026-01-18"),
        ("13", "FRI", "2026-01-13", "2026-01-14"),
        ("13", "FRI", "2026-01-16", "2026-01-15"),
        ("*", "SAT-SUN", "2026-01-18", "2026-01-19"),
        ("*", "7", "2026-01-18", "2026-01-17"),
        ("1-31/10", "*", "2026-01-21", "2026-01-22"),
    ];
    for (day, weekday, inside, outside) in cases {
        let calendar = deny(&format!("0 0 {day} * {weekday}"), "1d", "UTC");
        let noon = |date: &str| format!("{date}T12:00:00Z");
        assert!(found(&calendar, &noon(inside)).is_some(), "{day} {weekday}");
        is_open(&calendar, &noon(outside));
    }
}

/// What is wrong with a window of these fields, as a person would read it.
fn problems(cron: &str, duration: &str, zone: &str) -> Vec<String> {
    let parsed = Window::parse("w", Mode::Deny, cron, duration, zone, "because");
    told(parsed.err().unwrap_or_default())
}

fn told(problems: Vec<WindowProblem>) -> Vec<String> {
    let one = |problem: WindowProblem| {
        let WindowProblem {
            field,
            message,
            found,
            expected,
            help,
        } = problem;
        assert!(!message.is_empty() && !expected.is_empty());
        format!("{}: {found}: {help}", field.key())
    };
    problems.into_iter().map(one).collect()
}

#[test]
fn every_problem_is_told_at_once() {
    let parsed = Window::parse(" ", Mode::Deny, "60 24 * * FOO", "1.5h", "Berlin", "a\nb");
    let expected = [
        "name: ` `: name the window after what it is for, `weekend` say: a blocked apply shows it",
        "reason: `a\\nb`: say why nothing is to be applied: a blocked apply shows it",
        "cron: `FOO`: correct the weekday",
        "duration: `1.5h`: write one whole number with one unit: `90m` for an hour and a half",
        "timezone: `Berlin`: did you mean `Europe/Berlin`?",
    ];
    assert_eq!(told(parsed.unwrap_err()), expected);
}

#[test]
fn what_is_no_cron_expression_of_five_fields_is_refused() {
    let cases = [
        ("60 24 0 13 8", vec!["60", "24", "0", "13", "8"]),
        ("0 0 32 1 *", vec!["32"]),
        ("5-1 * * * FRI-MON", vec!["5-1", "FRI-MON"]),
        ("*/0 * * * *", vec!["*/0"]),
        ("5/10 * * * *", vec!["5/10"]),
        ("/10 , 1,,2 *,5 1-", vec!["/10", ",", "1,,2", "1-"]),
        ("*,5 * * * *", vec!["*,5"]),
        (
            "MON JAN MAR FRI DEC",
            vec!["MON", "JAN", "MAR", "FRI", "DEC"],
        ),
        ("L W ? * +FRI", vec!["L", "W", "?", "+FRI"]),
        ("0 0 WL * L", vec!["WL", "L"]),
        ("0 0 * * FRI#6", vec!["FRI#6"]),
        ("0 0 * * FRI#", vec!["FRI#"]),
        ("0 0 32W * *", vec!["32W"]),
        ("0 0 * * FRIDAY", vec!["FRIDAY"]),
        ("-1 +1 1.0 ０ ſun", vec!["-1", "+1", "1.0", "０", "ſun"]),
        ("H * * * *", vec!["H"]),
        ("000 * * * *", vec!["000"]),
    ];
    for (cron, wrong) in cases {
        let told = problems(cron, "1h", "UTC");
        let found: Vec<&str> = told
            .iter()
            .map(|told| told.split('`').nth(1).unwrap())
            .collect();
        assert_eq!(found, wrong, "{cron}");
    }
}

#[test]
fn another_number_of_fields_is_refused_with_what_to_write() {
    let cases = [
        (
            "0 0 18 * * FRI",
            "leave out seconds and year: a window opens at a whole minute",
        ),
        (
            "0 0 18 * * FRI 2026",
            "leave out seconds and year: a window opens at a whole minute",
        ),
        ("@daily", "write it out: `0 0 * * *`"),
        ("@Weekly", "write it out: `0 0 * * SUN`"),
        ("@reboot", "every Friday at 18:00 is `0 18 * * FRI`"),
        ("18:00", "every Friday at 18:00 is `0 18 * * FRI`"),
        ("", "every Friday at 18:00 is `0 18 * * FRI`"),
    ];
    for (cron, help) in cases {
        let expected = format!("cron: `{cron}`: {help}");
        assert_eq!(problems(cron, "1h", "UTC"), [expected]);
    }
}

#[test]
fn durations() {
    for good in ["1m", "90m", "48h", "744h", "31d", "44640m", "007h"] {
        assert_eq!(problems("0 0 * * *", good, "UTC"), Vec::<String>::new());
    }
    for bad in [
        "",
        "m",
        "0m",
        "90",
        "60s",
        "1 h",
        " 1h",
        "1.5h",
        "-1h",
        "+1h",
        "1h30m",
        "1H",
        "32d",
        "745h",
        "44641m",
        "99999999999999999999d",
        "９h",
        "P3D",
    ] {
        assert_eq!(problems("0 0 * * *", bad, "UTC").len(), 1, "{bad}");
    }
}

#[test]
fn a_zone_that_is_not_known_names_its_neighbour() {
    let cases = [
        ("europe/berlin", Some("Europe/Berlin")),
        ("Europe/Berlln", Some("Europe/Berlin")),
        ("new york", Some("America/New_York")),
        ("Lord_Howe", Some("Australia/Lord_Howe")),
        ("utc", Some("UTC")),
        ("Asia/Calcuta", Some("Asia/Calcutta")),
        ("Europe/Belrin", Some("Europe/Berlin")),
        ("Calcuta", Some("Asia/Calcutta")),
        ("CEST", None),
        ("+02:00", None),
        ("local", None),
        ("", None),
    ];
    for (zone, meant) in cases {
        let told = problems("0 0 * * *", "1h", zone);
        let expected = meant.map_or_else(
            || "name a place, not an abbreviation or an offset: those don't know when clocks change".to_owned(),
            |meant| format!("did you mean `{meant}`?"),
        );
        assert_eq!(told, [format!("timezone: `{zone}`: {expected}")]);
    }
}

#[test]
fn a_mode_is_one_of_two_words() {
    assert_eq!(Mode::parse("deny"), Ok(Mode::Deny));
    assert_eq!(Mode::parse("allow"), Ok(Mode::Allow));
    for bad in ["Deny", "", "block"] {
        assert_eq!(Mode::parse(bad).unwrap_err().field, Field::Mode);
    }
    for mode in [Mode::Deny, Mode::Allow] {
        assert_eq!(Mode::parse(mode.as_str()), Ok(mode));
    }
}

#[test]
fn a_window_shows_what_was_written() {
    let window = window("w", Mode::Allow, " 0 18 * * fri ", "62h", "Asia/Kolkata");
    let shown = (window.cron(), window.duration(), window.timezone());
    assert_eq!(shown, (" 0 18 * * fri ", "62h", "Asia/Kolkata"));
}
