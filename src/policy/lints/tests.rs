//! Every lint tells of its wrong example and not of its right one; and the cases between.

use super::*;
use crate::policy::document;

/// A document with this under `spec`, or with metadata of its own.
fn document(example: &str) -> String {
    let head = "apiVersion: policy.orchestra.v1\nkind: OrchestrationPolicy\n";
    if example.starts_with("metadata:") {
        return format!("{head}{example}");
    }
    let spec: String = example.lines().map(|line| format!("  {line}\n")).collect();
    let metadata = "metadata: {name: p, version: \"1\", description: d, owner: o}\n";
    format!("{head}{metadata}spec:\n{spec}")
}

fn at() -> Timestamp {
    Timestamp::read("2026-01-15T12:00:00Z").unwrap().time
}

fn remarks(example: &str) -> Vec<Remark> {
    let text = document(example);
    let parsed = document::parse_with_places("policy.yaml", text.as_bytes());
    let (policy, outline) = parsed.unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
    look(&policy, &outline, at())
}

/// Where a lint tells of something, as lines under `spec`.
fn lines(name: &str, example: &str) -> Vec<u64> {
    assert!(ALL.iter().any(|lint| lint.name == name), "{name}");
    let found = remarks(example);
    let of_it = found.iter().filter(|remark| remark.lint.name == name);
    of_it.map(|remark| remark.place.line.unwrap() - 4).collect()
}

#[test]
fn every_lint_tells_of_its_wrong_example_and_not_of_the_right_one() {
    for lint in ALL {
        if !cfg!(feature = "cel") && (lint.wrong.contains("when:") || lint.right.contains("when:"))
        {
            continue;
        }
        let of_it = |example: &str| -> Vec<Remark> {
            let found = remarks(example).into_iter();
            found
                .filter(|remark| remark.lint.name == lint.name)
                .collect()
        };
        let found = of_it(lint.wrong);
        assert_eq!(found.len(), 1, "{}: {found:#?}", lint.name);
        assert!(found[0].place.column.is_some(), "{}", lint.name);
        assert_eq!(of_it(lint.right).len(), 0, "{}", lint.name);
    }
}

#[test]
fn names_are_kebab_case_words_each_once_and_texts_are_complete() {
    let mut names: Vec<&str> = ALL.iter().map(|lint| lint.name).collect();
    for lint in ALL {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
        assert!(lint.name.bytes().all(plain), "{}", lint.name);
        assert!(
            !lint.finds.ends_with('.') && lint.why.ends_with('.'),
            "{}",
            lint.name
        );
    }
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn the_reference_document_has_notes_only() {
    let parsed = document::parse_with_places("policy.yaml", document::TEMPLATE.as_bytes());
    let (policy, outline) = parsed.unwrap();
    let found = look(&policy, &outline, at());
    let names: Vec<&str> = found.iter().map(|remark| remark.lint.name).collect();
    assert_eq!(names, ["undescribed", "no-max-age"]);
}

#[test]
fn the_small_form_is_told_of_at_its_own_keys() {
    let text = "{\n  \"red_integrity\": 0.9,\n  \"yellow_responses\": 8\n}\n";
    let parsed = document::parse_with_places("policy_thresholds.json", text.as_bytes());
    let (policy, outline) = parsed.unwrap();
    let found = look(&policy, &outline, at());
    let told: Vec<(&str, Option<u64>)> = found
        .iter()
        .map(|remark| (remark.lint.name, remark.place.line))
        .collect();
    assert_eq!(
        told,
        [
            ("looks-like-fraction", Some(2)),
            ("covered-trigger", Some(3))
        ]
    );
}

const INTEGRITY: &str =
    "signals: [{name: integrity}, {name: responses}, {name: forecast}]\ntriggers:\n";

fn triggers(lines: &[&str]) -> String {
    let list: String = lines
        .iter()
        .map(|line| format!("  - {{{line}}}\n"))
        .collect();
    format!("{INTEGRITY}{list}")
}

#[test]
fn what_covers_what() {
    let table: [(&[&str], &[u64]); 12] = [
        // The usual ladder covers nothing.
        (
            &[
                "code: A, signal: integrity, level: RED, below: 90",
                "code: B, signal: integrity, level: YELLOW, below: 95",
            ],
            &[],
        ),
        // The same line at two levels.
        (
            &[
                "code: A, signal: integrity, level: RED, below: 90",
                "code: B, signal: integrity, level: YELLOW, below: 90",
            ],
            &[4],
        ),
        (
            &[
                "code: A, signal: integrity, level: RED, at_most: 90",
                "code: B, signal: integrity, level: YELLOW, below: 90",
            ],
            &[4],
        ),
        (
            &[
                "code: A, signal: integrity, level: RED, below: 90",
                "code: B, signal: integrity, level: YELLOW, at_most: 90",
            ],
            &[],
        ),
        // As grave, and narrower.
        (
            &[
                "code: A, signal: integrity, level: RED, below: 80",
                "code: B, signal: integrity, level: RED, below: 90",
            ],
            &[3],
        ),
        // Whole numbers: above 7 is at least 8.
        (
            &[
                "code: A, signal: responses, level: RED, at_least: 8",
                "code: B, signal: responses, level: YELLOW, above: 7",
            ],
            &[4],
        ),
        (
            &[
                "code: A, signal: responses, level: RED, one_of: [3, 4, 5]",
                "code: B, signal: responses, level: YELLOW, equals: 4",
            ],
            &[4],
        ),
        (
            &[
                "code: A, signal: forecast, level: RED, equals: high",
                "code: B, signal: forecast, level: YELLOW, one_of: [medium, high]",
            ],
            &[],
        ),
        // Another signal.
        (
            &[
                "code: A, signal: integrity, level: RED, below: 90",
                "code: B, signal: responses, level: YELLOW, at_least: 4",
            ],
            &[],
        ),
        // Changes: more within less time is the narrower one.
        (
            &[
                "code: A, signal: integrity, level: RED, changed: {by_more_than: 5, within: 7d}",
                "code: B, signal: integrity, level: YELLOW, changed: {way: fall, by_more_than: 6, within: 1d}",
            ],
            &[4],
        ),
        (
            &[
                "code: A, signal: integrity, level: RED, changed: {way: rise, by_more_than: 5, within: 7d}",
                "code: B, signal: integrity, level: YELLOW, changed: {by_more_than: 6, within: 1d}",
            ],
            &[],
        ),
        (
            &[
                "code: A, signal: integrity, level: RED, median: {of_last: 5, below_ratio: 0.5}",
                "code: B, signal: integrity, level: YELLOW, median: {of_last: 5, below_ratio: 0.5}",
            ],
            &[4],
        ),
    ];
    for (list, expected) in table {
        assert_eq!(
            lines("covered-trigger", &triggers(list)),
            expected,
            "{list:?}"
        );
        assert_eq!(
            lines("duplicate-condition", &triggers(list)),
            [0; 0],
            "{list:?}"
        );
    }
}

#[test]
#[cfg(feature = "cel")]
fn expressions_are_compared_by_what_they_come_to() {
    let red = "code: A, signal: integrity, level: RED, below: 90";
    let covered: [(&str, &[u64]); 6] = [
        (
            "code: B, level: YELLOW, when: integrity < 85.0 && responses > 3.0",
            &[4],
        ),
        (
            "code: B, level: YELLOW, when: integrity < 95.0 && responses > 3.0",
            &[],
        ),
        (
            "code: B, level: YELLOW, when: integrity < 85.0 || responses > 3.0",
            &[],
        ),
        ("code: B, level: YELLOW, when: '!(integrity >= 85.0)'", &[4]),
        ("code: B, level: YELLOW, when: integrity - 1.0 < 80.0", &[]),
        (
            "code: B, level: YELLOW, when: 'integrity in [50.0, 60.0]'",
            &[4],
        ),
    ];
    for (lesser, expected) in covered {
        assert_eq!(
            lines("covered-trigger", &triggers(&[red, lesser])),
            expected,
            "{lesser}"
        );
    }
    let never: [(&str, &[u64]); 5] = [
        ("code: A, level: RED, when: integrity > 100.0", &[3]),
        (
            "code: A, level: RED, when: responses < 4.0 && responses > 3.0",
            &[3],
        ),
        (
            "code: A, level: RED, when: integrity < 4.0 && integrity > 3.0",
            &[],
        ),
        (
            "code: A, level: RED, when: 'forecast == \"high\" && forecast != \"high\"'",
            &[3],
        ),
        (
            "code: A, level: RED, when: integrity - integrity > 0.0",
            &[],
        ),
    ];
    for (trigger, expected) in never {
        assert_eq!(
            lines("never-fires", &triggers(&[trigger])),
            expected,
            "{trigger}"
        );
    }
    let always: [(&[&str], &[u64]); 4] = [
        (
            &["code: A, level: RED, when: integrity < 90.0 || integrity > 80.0"],
            &[3],
        ),
        (
            &["code: A, level: RED, when: integrity < 80.0 || integrity > 90.0"],
            &[],
        ),
        (
            &[
                "code: A, signal: integrity, level: RED, below: 90",
                "code: B, level: YELLOW, when: integrity >= 90.0",
            ],
            &[4],
        ),
        (
            &[
                "code: A, signal: forecast, level: RED, one_of: [medium, high]",
                "code: B, signal: forecast, level: YELLOW, equals: low",
            ],
            &[4],
        ),
    ];
    for (list, expected) in always {
        assert_eq!(
            lines("green-unreachable", &triggers(list)),
            expected,
            "{list:?}"
        );
    }
}

#[test]
fn silence_that_counts_as_healthy() {
    let table: [(&str, &str, &[u64]); 4] = [
        ("on_missing: assume_healthy", "RED", &[1]),
        ("on_missing: assume_healthy", "YELLOW", &[]),
        ("max_age: 1d, on_stale: GREEN", "RED", &[1]),
        ("on_missing: RED", "RED", &[]),
    ];
    for (key, level, expected) in table {
        let text = format!(
            "signals: [{{name: integrity, {key}}}]\ntriggers: [{{code: A, signal: integrity, level: {level}, below: 90}}]\n"
        );
        assert_eq!(lines("assumed-healthy", &text), expected, "{key}");
    }
}

#[test]
fn a_level_is_demanded_by_silence_too() {
    let text = "levels: [ORANGE, AMBER]\nsignals: [{name: integrity, on_missing: ORANGE}]\ntriggers: [{code: A, signal: integrity, level: RED, below: 90}]\n";
    let found = remarks(text);
    let told: Vec<&str> = found
        .iter()
        .filter(|remark| remark.lint.name == "unused-level")
        .map(|remark| remark.message.as_str())
        .collect();
    assert_eq!(told, ["nothing demands AMBER"]);
}

#[test]
fn the_ends_of_waivers_at_their_edges() {
    let table = [
        ("2026-01-15T11:59:59Z", "waiver-expired"),
        ("2026-01-15T12:00:00Z", "waiver-expires-soon"),
        ("2026-01-29T12:00:00Z", "waiver-expires-soon"),
        ("2026-01-29T12:00:01Z", ""),
        ("2026-07-14T12:00:00Z", ""),
        ("2026-07-14T12:00:01Z", "waiver-too-long"),
    ];
    for (end, expected) in table {
        let text = format!(
            "{}waivers: [{{trigger: A, reason: r, by: b, ticket: t, expires: \"{end}\"}}]\n",
            triggers(&["code: A, signal: integrity, level: RED, below: 90"])
        );
        let found = remarks(&text);
        let names: Vec<&str> = found
            .iter()
            .map(|remark| remark.lint.name)
            .filter(|name| name.starts_with("waiver"))
            .collect();
        let expected: Vec<&str> = [expected]
            .into_iter()
            .filter(|name| !name.is_empty())
            .collect();
        assert_eq!(names, expected, "{end}");
    }
}

#[test]
fn hysteresis_at_its_edges() {
    let table: [(&str, &[u64]); 4] = [
        ("{time: 24h}", &[]),
        ("{time: 25h}", &[4]),
        ("{evaluations: 24}", &[]),
        ("{evaluations: 25}", &[4]),
    ];
    for (hysteresis, expected) in table {
        let text = triggers(&["code: A, signal: integrity, level: RED, below: 90"]);
        let text = format!("{text}hysteresis: {hysteresis}\n");
        assert_eq!(lines("held-too-long", &text), expected, "{hysteresis}");
    }
}
