//! What [`super`] tells of documents that differ in one thing.

use super::*;
use crate::policy::document;

fn parse(text: &str) -> Policy {
    document::parse("policy/policy.yaml", text.as_bytes()).unwrap()
}

fn told(old: &str, new: &str) -> Vec<String> {
    let shown = |difference: Difference| {
        let Difference {
            what,
            from,
            to,
            direction,
        } = difference;
        let side = |text: Option<String>| text.unwrap_or_else(|| "nothing".to_owned());
        format!(
            "{what}: {} -> {} ({})",
            side(from),
            side(to),
            direction.as_str()
        )
    };
    between(&parse(old), &parse(new))
        .into_iter()
        .map(shown)
        .collect()
}

#[test]
fn text_that_means_the_same_differs_in_nothing() {
    let other = document::TEMPLATE
        .replace("below: 90\n", "below: 90.0 # the same\n")
        .replace("name: reference", "name: ours");
    assert_eq!(told(document::TEMPLATE, &other), Vec::<String>::new());
    assert_eq!(
        between(&document::reference(), &parse(document::TEMPLATE)),
        []
    );
}

#[test]
fn what_means_something_else_is_told_with_its_direction() {
    let other = document::TEMPLATE
        .replace("      below: 95\n", "      below: 96\n")
        .replace("      at_least: 8\n", "      at_least: 9\n")
        .replace("  # levels: [ORANGE]", "  levels: [ORANGE]")
        .replace("    - name: reputation\n", "    - {name: reputation, on_missing: assume_healthy}\n")
        .replace("  # hysteresis: {evaluations: 3}", "  hysteresis: {evaluations: 3}")
        .replace("    - code: FORECAST_MEDIUM\n      signal: forecast\n      level: YELLOW\n      equals: medium\n", "    - {code: BOTH, level: ORANGE, when: integrity < 97.0 && responses > 1.0}\n");
    assert_eq!(
        told(document::TEMPLATE, &other),
        [
            "levels: GREEN < YELLOW < RED -> GREEN < YELLOW < ORANGE < RED (open)",
            "signal reputation: built in; missing demands YELLOW -> built in; missing demands nothing (looser)",
            "trigger RESPONSES_AT_RED: RED where responses is at least 8 -> RED where responses is at least 9 (looser)",
            "trigger INTEGRITY_BELOW_YELLOW: YELLOW where integrity is below 95.0 -> YELLOW where integrity is below 96.0 (stricter)",
            "trigger FORECAST_MEDIUM: YELLOW where forecast is medium -> nothing (looser)",
            "trigger BOTH: nothing -> ORANGE where `integrity < 97.0 && responses > 1.0` holds (stricter)",
            "hysteresis: nothing -> a level falls after 3 evaluations (stricter)",
        ]
    );
}

/// A document with these lines of its spec between a signal and the rest.
fn of(spec: &str) -> String {
    format!(
        "apiVersion: policy.orchestra.v1\nkind: OrchestrationPolicy\nmetadata: {{name: a, version: \"1\"}}\nspec:\n{spec}"
    )
}

/// The directions of all differences but those of the ladder.
fn directions(old: &str, new: &str) -> Vec<&'static str> {
    between(&parse(&of(old)), &parse(&of(new)))
        .into_iter()
        .filter(|difference| difference.what != "levels")
        .map(|difference| difference.direction.as_str())
        .collect()
}

#[test]
fn levels_of_two_ladders_are_compared_by_name() {
    let with = |levels: &str, level: &str| {
        format!(
            "  signals: [{{name: integrity}}]\n  levels: [{levels}]\n  triggers: [{{code: A, signal: integrity, level: {level}, below: 90}}]\n"
        )
    };
    let cases = [
        (
            "ORANGE, DARK",
            "DARK",
            "PINK, ORANGE, DARK",
            "ORANGE",
            vec!["looser"],
        ),
        ("ORANGE, DARK", "DARK", "PINK, ORANGE, DARK", "DARK", vec![]),
        (
            "ORANGE, DARK",
            "ORANGE",
            "DARK, ORANGE",
            "DARK",
            vec!["open"],
        ),
        ("ORANGE", "ORANGE", "DARK", "DARK", vec!["open"]),
        ("ORANGE", "ORANGE", "DARK", "RED", vec!["stricter"]),
        ("ORANGE", "ORANGE", "", "YELLOW", vec!["looser"]),
    ];
    for (old, level, new, other, expected) in cases {
        let told = directions(&with(old, level), &with(new, other));
        assert_eq!(told, expected, "[{old}] {level} -> [{new}] {other}");
    }
}

#[test]
fn an_age_is_as_strict_as_what_it_demands() {
    let with = |rule: &str| {
        format!(
            "  signals: [{{name: cover, file: a.json, pointer: /a, type: percent, time: /at{rule}}}]\n  triggers: [{{code: A, signal: cover, level: RED, below: 90}}]\n"
        )
    };
    let cases = [
        ("", ", max_age: 7d", "open"),
        ("", ", max_age: 7d, on_stale: RED", "stricter"),
        ("", ", max_age: 7d, on_stale: assume_healthy", "looser"),
        (", max_age: 7d, on_stale: RED", "", "looser"),
        (", max_age: 7d, on_stale: assume_healthy", "", "stricter"),
        (
            ", max_age: 7d, on_stale: RED",
            ", max_age: 8d, on_stale: RED",
            "looser",
        ),
        (", max_age: 7d, on_stale: RED", ", max_age: 7d", "looser"),
        (", on_missing: RED", ", on_invalid: YELLOW", "looser"),
        ("", ", on_missing: RED, on_invalid: YELLOW", "open"),
    ];
    for (old, new, expected) in cases {
        assert_eq!(
            directions(&with(old), &with(new)),
            [expected],
            "{old} -> {new}"
        );
    }
}

#[test]
fn conditions_are_compared_by_what_they_fire_on() {
    let with = |condition: &str| {
        format!(
            "  signals:\n    - {{name: cover, file: a.json, pointer: /a, type: number, min: 0}}\n    - {{name: kind, file: b.json, pointer: /b, type: choice, values: [a, b, c]}}\n  triggers: [{{code: A, level: RED, {condition}}}]\n"
        )
    };
    let change = |by: u8, within: u8| {
        format!("signal: cover, changed: {{way: fall, by_more_than: {by}, within: {within}d}}")
    };
    let median = |ratio: &str| format!("signal: cover, median: {{of_last: 5, {ratio}}}");
    let cases = [
        (change(5, 7), change(50, 7), vec!["looser"]),
        (change(5, 7), change(5, 8), vec!["stricter"]),
        (change(5, 7), change(6, 8), vec!["open"]),
        (
            median("below_ratio: 0.8"),
            median("below_ratio: 0.5"),
            vec!["looser"],
        ),
        (
            median("above_ratio: 2"),
            median("above_ratio: 1.5"),
            vec!["stricter"],
        ),
        (
            "signal: kind, one_of: [a, b]".to_owned(),
            "signal: kind, one_of: [b, a]".to_owned(),
            vec![],
        ),
        (
            "signal: kind, one_of: [a, b]".to_owned(),
            "signal: kind, equals: a".to_owned(),
            vec!["looser"],
        ),
        (
            "signal: kind, one_of: [a, b]".to_owned(),
            "signal: kind, one_of: [a, b, c]".to_owned(),
            vec!["stricter"],
        ),
        (
            "signal: kind, equals: a".to_owned(),
            "signal: kind, equals: b".to_owned(),
            vec!["open"],
        ),
        (
            "signal: cover, below: 5".to_owned(),
            "signal: cover, at_most: 5".to_owned(),
            vec!["stricter"],
        ),
    ];
    for (old, new, expected) in cases {
        assert_eq!(
            directions(&with(&old), &with(&new)),
            expected,
            "{old} -> {new}"
        );
    }
}

#[test]
fn windows_and_ranges_have_their_direction() {
    let with = |range: &str, freeze: &str| {
        of(&format!(
            "  signals: [{{name: cover, file: a.json, pointer: /a, type: number{range}}}]\n  triggers: [{{code: A, signal: cover, level: RED, below: 2}}]\n{freeze}"
        ))
    };
    let window = |mode: &str| {
        format!(
            "  freeze: [{{name: w, reason: r, cron: \"0 18 * * FRI\", duration: 62h, timezone: UTC, mode: {mode}}}]\n"
        )
    };
    let cases = [
        (with("", ""), with("", &window("deny")), "stricter"),
        (with("", &window("deny")), with("", ""), "looser"),
        (with("", ""), with("", &window("allow")), "open"),
        (with("", &window("allow")), with("", ""), "open"),
        (with(", min: 0, max: 9", ""), with(", min: 0", ""), "looser"),
        (
            with(", min: 0, max: 9", ""),
            with(", min: 1, max: 8", ""),
            "stricter",
        ),
        (
            with(", min: 0, max: 9", ""),
            with(", min: 1, max: 10", ""),
            "open",
        ),
    ];
    for (old, new, expected) in cases {
        let told = between(&parse(&old), &parse(&new));
        let [one] = told.as_slice() else {
            panic!("{told:?}")
        };
        assert_eq!(one.direction.as_str(), expected, "{told:?}");
    }
    let told = told(
        &with(", min: 0, max: 9", ""),
        &with(", min: 1, time: /at", ""),
    );
    assert_eq!(
        told,
        [
            "signal cover: a number of 0.0 to 9.0 from a.json at /a; missing demands YELLOW -> a number of at least 1.0 from a.json at /a, dated by /at; missing demands YELLOW (open)"
        ]
    );
}
