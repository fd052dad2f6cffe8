//! `replay`: a journal that version 0.1.0 wrote is reproduced; whatever was changed in it is told.

use serde_json::{Value, json};

use crate::workspace::{JOURNAL, Ran, Workspace, copy_tree};

fn fixture() -> Workspace {
    let workspace = Workspace::empty();
    let from =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journal_0_1_0");
    copy_tree(&from, workspace.path());
    workspace
}

/// Changes one line, given by its number.
fn edit(workspace: &Workspace, number: usize, from: &str, to: &str) {
    let mut lines = workspace.journal();
    let line = &mut lines[number - 1];
    assert!(line.contains(from), "{from} in {line}");
    *line = line.replace(from, to);
    workspace.write(JOURNAL, lines.join("\n") + "\n");
}

/// Codes and lines of the findings.
fn told(ran: &Ran) -> Vec<String> {
    let said = ran.json();
    let finding = |finding: &Value| {
        format!(
            "{}:{}",
            finding["code"].as_str().unwrap(),
            finding["place"]["line"]
        )
    };
    said["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(finding)
        .collect()
}

#[test]
fn a_journal_of_version_0_1_0_is_reproduced_to_the_byte() {
    let workspace = fixture();
    let before = workspace.snapshot();
    let ran = workspace.program(&["replay", "--format", "human"]).exits(0);
    assert_eq!(ran.stderr, "");
    insta::assert_snapshot!("replay_human", ran.stdout);
    insta::assert_snapshot!(
        "replay_json",
        workspace.program(&["replay"]).exits(0).stdout
    );
    assert_eq!(workspace.snapshot(), before, "nothing is written");
}

#[test]
fn a_changed_value_is_told_as_that_line() {
    let workspace = fixture();
    edit(&workspace, 6, "\"integrity\":94.99", "\"integrity\":95.99");
    let ran = workspace.program(&["replay"]).exits(5);
    assert_eq!(told(&ran), ["DECISION_DIFFERS:6"]);
    let said = ran.json();
    assert_eq!(
        (&said["reproduced"], &said["differing"], &said["changed"]),
        (&json!(41), &json!(1), &json!(1))
    );
    insta::assert_snapshot!(
        "replay_changed",
        workspace
            .program(&["replay", "--format", "human"])
            .exits(5)
            .stderr
    );
}

#[test]
fn a_changed_value_that_changes_no_decision_is_told_too() {
    let cases = [
        (4, "\"consensus\":95.0", "\"consensus\":96.0"),
        (20, "\"before\":\"YELLOW\"", "\"before\":\"GREEN\""),
        // The last line: only the state file names its hash.
        (44, "\"integrity\":98.0", "\"integrity\":98.5"),
    ];
    for (number, from, to) in cases {
        let workspace = fixture();
        edit(&workspace, number, from, to);
        let ran = workspace.program(&["replay"]).exits(5);
        assert_eq!(told(&ran), [format!("LINE_CHANGED:{number}")], "{from}");
    }
}

#[test]
fn what_a_decision_says_of_itself_is_held_against_the_bytes() {
    let cases = [
        (
            8,
            "\"policy\":\"RED\"",
            "\"policy\":\"YELLOW\"",
            "DECISION_DIFFERS:8",
        ),
        (
            6,
            "[\"INTEGRITY_BELOW_YELLOW\"]",
            "[]",
            "DECISION_DIFFERS:6",
        ),
        (
            6,
            "\"integrity\":94.99",
            "\"integrity\":94.990",
            "RECORD_DIFFERS:6",
        ),
        (
            6,
            "\"integrity\":94.99",
            "\"integrity\": 94.99",
            "RECORD_DIFFERS:6",
        ),
        // What stands in for a value that nobody reported.
        (
            8,
            "\"integrity\":100.0",
            "\"integrity\":12.0",
            "RECORD_DIFFERS:8",
        ),
    ];
    for (number, from, to, finding) in cases {
        let workspace = fixture();
        let number = workspace
            .journal()
            .iter()
            .enumerate()
            .skip(number - 2)
            .find(|(_, line)| line.contains(from))
            .map_or(number, |(index, _)| index + 1);
        edit(&workspace, number, from, to);
        let ran = workspace.program(&["replay"]).exits(5);
        let code = finding.split(':').next().unwrap();
        assert_eq!(told(&ran), [format!("{code}:{number}")], "{from} {to}");
    }
}

#[test]
fn a_document_that_is_gone_or_changed_is_a_finding_of_its_lines() {
    let document =
        "state/policies/d6beaaafe20496aa72e2c89a497f7624d64ba2e1d90377fd245e8520200ad977";
    for changed in [false, true] {
        let workspace = fixture();
        if changed {
            workspace.write(document, r#"{"yellow_integrity": 97.0}"#);
        } else {
            std::fs::remove_file(workspace.file(document)).unwrap();
        }
        let ran = workspace.program(&["replay"]).exits(5);
        let said = ran.json();
        assert_eq!(
            (
                &said["reproduced"],
                &said["without_document"],
                &said["differing"]
            ),
            (&json!(32), &json!(10), &json!(0))
        );
        assert!(
            told(&ran)
                .iter()
                .all(|finding| finding.starts_with("POLICY_COPY_CHANGED:"))
        );
        assert_eq!(said["documents"][1]["name"], Value::Null);
        // Lines before that document came are reproduced all the same.
        let later = workspace
            .program(&["replay", "--since", "2026-06-13T16:00:00Z"])
            .exits(0)
            .json();
        assert_eq!(later["decisions"], later["reproduced"]);
    }
}

#[test]
fn lines_that_can_not_be_read_are_told() {
    let workspace = fixture();
    let mut lines = workspace.journal();
    lines.insert(12, "not a record".to_owned());
    workspace.write(JOURNAL, lines.join("\n") + "\n");
    let ran = workspace.program(&["replay"]).exits(5);
    assert_eq!(told(&ran), ["LINE_UNREADABLE:13"]);
    assert_eq!(
        (&ran.json()["reproduced"], &ran.json()["unreadable"]),
        (&json!(42), &json!(1))
    );
}

#[test]
fn a_sealed_segment_is_replayed_and_its_fault_stays_told() {
    let workspace = fixture();
    edit(
        &workspace,
        12,
        "\"forecast\":\"low\"",
        "\"forecast\":\"high\"",
    );
    workspace.reseal_and_go_on();
    let ran = workspace.program(&["replay"]).exits(5);
    assert_eq!(told(&ran), ["DECISION_DIFFERS:12"]);
    assert_eq!(
        (&ran.json()["decisions"], &ran.json()["reproduced"]),
        (&json!(43), &json!(42))
    );
    workspace
        .program(&["replay", "--since", "2026-06-20"])
        .exits(5);
    let segment = "state/segments/policy_state_log.20260620000000.broken.jsonl";
    workspace.write(segment, workspace.read(segment) + "x\n");
    let ran = workspace.program(&["replay"]).exits(5);
    assert!(
        told(&ran).contains(&"SEGMENT_CHANGED:null".to_owned()),
        "{:?}",
        told(&ran)
    );
    std::fs::remove_file(workspace.file(segment)).unwrap();
    let ran = workspace.program(&["replay"]).exits(5);
    assert_eq!(told(&ran), ["HISTORY_INCOMPLETE:null"]);
}

/// A document that looks back, holds levels, waives and asks for a signal of its own.
const LOOKS_BACK: &str = "\
apiVersion: policy.orchestra.v1
kind: OrchestrationPolicy
metadata: {name: looks back, version: '1'}
spec:
  signals:
    - name: integrity
    - name: consensus
    - {name: coverage, file: coverage.json, pointer: /total, type: percent, direction: higher_is_better}
  levels: [ORANGE]
  hysteresis: {evaluations: 2}
  triggers:
    - {code: FAR, signal: integrity, level: ORANGE, median: {of_last: 4, below_ratio: 0.99}}
    - {code: FELL, signal: consensus, level: RED, changed: {way: fall, by_more_than: 2, within: 3h}}
    - {code: UNCOVERED, signal: coverage, level: YELLOW, below: 60}
  waivers:
    - {trigger: UNCOVERED, reason: moving, by: ana@example.org, ticket: OPS-7, expires: 2026-01-16}
";

#[test]
fn decisions_that_look_back_are_reproduced_too() {
    let workspace = Workspace::healthy();
    workspace.write("policy/policy.yaml", LOOKS_BACK);
    let mut levels = std::collections::BTreeSet::new();
    for hour in 0..24_u32 {
        workspace.integrity(["97.5", "98", "93", "97"][hour as usize % 4]);
        workspace.write(
            "federation/weighted_consensus.json",
            format!(
                "{{\"weighted_agreement_pct\": {}}}",
                [95, 96, 90][hour as usize / 3 % 3]
            ),
        );
        workspace.write("coverage.json", format!("{{\"total\": {}}}", 50 + hour));
        // A signal that nobody reports leaves a gap in what is looked back on.
        if hour % 7 == 3 {
            std::fs::remove_file(workspace.file("exports/integrity_metrics_registry.csv")).unwrap();
        }
        let day = 15 + hour / 12;
        let ran = workspace
            .run_at(&format!("2026-01-{day}T{:02}:00:00Z", hour % 12 * 2))
            .exits(0);
        levels.insert(ran.json()["policy"].as_str().unwrap().to_owned());
    }
    assert_eq!(levels.len(), 4, "{levels:?}");
    let journal = workspace.journal().concat();
    for member in [
        "\"waived\":",
        "\"held\":",
        "\"shadow\":",
        "\"signals\":",
        "\"status\":",
    ] {
        assert!(journal.contains(member), "{member}");
    }
    let ran = workspace.program(&["replay"]).exits(0);
    assert_eq!(
        (&ran.json()["reproduced"], &ran.json()["decisions"]),
        (&json!(24), &json!(24))
    );
    // What it would have decided is what it decided.
    let same = [
        "policy",
        "backtest",
        "policy/policy.yaml",
        "--include-given",
        "--fail-on-flips",
    ];
    workspace.program(&same).exits(0);
    // A value that later lines look back on is told as its own line, and so are decisions that change.
    edit(&workspace, 9, "\"coverage\"", "\"covered\"");
    workspace.program(&["replay"]).exits(5);
}

/// RED by the forecast, held for three evaluations.
const HOLDS: &str = "\
apiVersion: policy.orchestra.v1
kind: OrchestrationPolicy
metadata: {name: holds, version: '1'}
spec:
  signals:
    - name: forecast
    - name: integrity
  hysteresis: {evaluations: 3}
  triggers:
    - {code: HIGH, signal: forecast, level: RED, equals: high}
";

/// A workspace where RED is held: two lines, the second one with the hold.
fn holding() -> Workspace {
    let workspace = Workspace::healthy();
    workspace.write("policy/policy.yaml", HOLDS);
    workspace.forecast("high");
    workspace.run_at("2026-01-15T12:00:00Z").exits(0);
    workspace.forecast("low");
    workspace.run_at("2026-01-15T12:01:00Z").exits(0);
    assert!(workspace.journal()[1].contains("\"held\":{"));
    workspace
}

#[test]
fn a_broken_journal_that_was_put_back_is_reproduced_with_its_hold() {
    let workspace = holding();
    let whole = workspace.read(JOURNAL);
    workspace.write(JOURNAL, &whole[..whole.len() - 5]);
    workspace.run_at("2026-01-15T12:02:00Z").exits(5);
    workspace.write(JOURNAL, whole);
    for minute in 3..7 {
        let at = format!("2026-01-15T12:0{minute}:00Z");
        workspace.run_at(&at).exits(0);
        workspace.program(&["explain"]).exits(0);
    }
    let journal = workspace.journal();
    // The hold began anew behind the RED that was published, and only that line says so.
    assert!(journal[2].contains("\"times\":1"), "{}", journal[2]);
    let marked: Vec<usize> = (0..journal.len())
        .filter(|index| journal[*index].contains("\"held_before\":null"))
        .collect();
    assert_eq!(marked, [2]);
    assert_eq!(workspace.state()["policy"], "GREEN");
    workspace.program(&["replay"]).exits(0);
    workspace.program(&["explain", "--number", "3"]).exits(0);
    workspace.program(&["audit", "verify"]).exits(0);
}

/// Damages the journal, reseals it, and loses the state file.
fn resealed_without_state(workspace: &Workspace) {
    workspace.write(JOURNAL, workspace.read(JOURNAL) + "junk\n");
    let at = "2026-01-15T12:02:00Z";
    workspace
        .program(&["audit", "reseal", "--reason", "junk", "--at", at])
        .exits(0);
    std::fs::remove_file(workspace.file("state/policy_state.json")).unwrap();
}

#[test]
fn a_held_level_outlives_a_reseal_and_a_lost_state_file() {
    let workspace = holding();
    resealed_without_state(&workspace);
    let ran = workspace.run_at("2026-01-15T12:03:00Z").exits(0);
    assert_eq!(ran.json()["policy"], "RED");
    assert_eq!(ran.json()["held"]["times"], 2);
    workspace.program(&["explain"]).exits(0);
    let ran = workspace.run_at("2026-01-15T12:04:00Z").exits(0);
    assert_eq!(ran.json()["policy"], "GREEN");
    let replayed = workspace.program(&["replay"]);
    // The junk stays told, and nothing else is.
    assert_eq!(told(&replayed), ["LINE_UNREADABLE:3"]);
}

#[test]
fn a_sealed_segment_that_is_gone_or_changed_ends_the_look_with_a_warning() {
    let segment = "state/segments/policy_state_log.20260115120200.broken.jsonl";
    for gone in [false, true] {
        let workspace = Workspace::healthy();
        workspace.write("policy/policy.yaml", FALLS);
        workspace.run_at("2026-01-15T12:00:00Z").exits(0);
        resealed_without_state(&workspace);
        // A run looks at the segment itself as long as the reseal is among the last lines.
        for minute in 3..6 {
            let at = format!("2026-01-15T12:0{minute}:00Z");
            let ran = workspace.run_at(&at).exits(0);
            assert!(!ran.stderr.contains("LOOK_CUT"), "{}", ran.stderr);
        }
        if gone {
            std::fs::remove_file(workspace.file(segment)).unwrap();
        } else {
            workspace.write(segment, workspace.read(segment) + "more\n");
        }
        let ran = workspace.run_at("2026-01-15T12:06:00Z").exits(0);
        assert!(ran.stderr.contains("LOOK_CUT"), "{}", ran.stderr);
    }
}

/// Integrity that falls by more than 2 within a day, or below its median.
const FALLS: &str = "\
apiVersion: policy.orchestra.v1
kind: OrchestrationPolicy
metadata: {name: falls, version: '1'}
spec:
  signals:
    - {name: integrity, on_missing: assume_healthy}
  triggers:
    - {code: FELL, signal: integrity, level: RED, changed: {way: fall, by_more_than: 2, within: 24h}}
    - {code: FAR, signal: integrity, level: YELLOW, median: {of_last: 3, below_ratio: 0.99}}
";

#[test]
fn one_line_that_is_dated_backwards_hides_nothing() {
    let workspace = Workspace::healthy();
    workspace.write("policy/policy.yaml", FALLS);
    workspace.integrity("97");
    workspace.run_at("2026-01-15T12:00:00Z").exits(0);
    workspace.integrity("93");
    workspace.run_at("2020-01-15T12:00:00Z").exits(0);
    let ran = workspace.run_at("2026-01-15T12:01:00Z").exits(0);
    assert_eq!(ran.json()["policy"], "RED", "{}", ran.stdout);
    workspace.program(&["explain"]).exits(0);
    workspace.program(&["replay"]).exits(0);
}

#[test]
fn a_median_looks_past_decisions_without_a_value() {
    let workspace = Workspace::healthy();
    workspace.write("policy/policy.yaml", FALLS);
    for day in 10..13 {
        workspace.integrity("97");
        workspace
            .run_at(&format!("2026-01-{day}T12:00:00Z"))
            .exits(0);
    }
    std::fs::remove_file(workspace.file("exports/integrity_metrics_registry.csv")).unwrap();
    for day in 13..17 {
        workspace
            .run_at(&format!("2026-01-{day}T12:00:00Z"))
            .exits(0);
    }
    workspace.integrity("93");
    let ran = workspace.run_at("2026-01-17T12:00:00Z").exits(0);
    assert_eq!(ran.json()["policy"], "YELLOW", "{}", ran.stdout);
    workspace.program(&["explain"]).exits(0);
    workspace.program(&["replay"]).exits(0);
}

#[test]
fn a_backtest_from_a_time_on_goes_on_from_what_was_recorded_before() {
    let workspace = holding();
    workspace.run_at("2026-01-15T12:02:00Z").exits(0);
    let policy = "policy/policy.yaml";
    let from = [
        "--since",
        "2026-01-15T12:01:00Z",
        "--include-given",
        "--fail-on-flips",
    ];
    let arguments: Vec<&str> = ["policy", "backtest", policy]
        .into_iter()
        .chain(from)
        .collect();
    let said = workspace.program(&arguments).exits(0).json();
    assert_eq!(
        (&said["decisions"], &said["graver"], &said["milder"]),
        (&json!(2), &json!(0), &json!(0))
    );
}

#[test]
fn signed_lines_are_reproduced_without_the_key() {
    let workspace = Workspace::healthy();
    for minute in 0..3 {
        workspace.forecast(if minute == 1 { "high" } else { "low" });
        let at = format!("2026-01-15T12:0{minute}:00Z");
        let mut command = workspace.command(&["run", "--at", &at]);
        command.env(
            "POLICY_AUDIT_SECRET",
            "a secret of at least thirty-two bytes",
        );
        assert!(command.output().unwrap().status.success());
    }
    let said = workspace.program(&["replay"]).exits(0).json();
    assert_eq!(
        (&said["all_reproduced"], &said["reproduced"]),
        (&json!(true), &json!(3))
    );
}

#[test]
fn without_a_record_there_is_nothing_to_replay() {
    let workspace = Workspace::healthy();
    let ran = workspace.program(&["replay"]).exits(1);
    assert!(ran.stderr.contains("NOTHING_RECORDED"), "{}", ran.stderr);
}
