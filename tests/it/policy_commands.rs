//! `policy init`, `test`, `diff` and `schema` as a user sees them.

use crate::workspace::Workspace;

const POLICY: &str = "policy/policy.yaml";
const THRESHOLDS: &str = "policy/policy_thresholds.json";

#[test]
fn init_writes_a_document_that_decides_as_before_and_answers_its_cases() {
    let workspace = Workspace::healthy();
    let before = workspace.run().exits(0).json();
    let done = workspace.program(&["policy", "init"]).exits(0).json();
    assert_eq!(
        done["written"],
        serde_json::json!([
            "policy/schema/orchestration-policy.v1.schema.json",
            "policy/tests/reference.yaml",
            POLICY
        ])
    );
    let after = workspace.run().exits(0).json();
    assert_eq!(after["policy"], before["policy"]);
    assert_eq!(after["thresholds"], before["thresholds"]);
    let tested = workspace
        .program(&["policy", "test", "--require-coverage"])
        .exits(0)
        .json();
    assert_eq!(
        (&tested["passed"], &tested["failed"]),
        (&6.into(), &0.into())
    );
    // Nothing is overwritten.
    workspace.write(
        POLICY,
        workspace.read(POLICY).replace("below: 95", "below: 96"),
    );
    let again = workspace.program(&["policy", "init"]).exits(0).json();
    assert_eq!(again["written"], serde_json::json!([]));
    assert!(workspace.read(POLICY).contains("below: 96"));
    let compared = workspace
        .program(&["policy", "diff", "reference", "--exit-code"])
        .exits(10)
        .json();
    assert_eq!(compared["differences"][0]["direction"], "stricter");
    assert_eq!(
        workspace.temporary_files(),
        Vec::<std::path::PathBuf>::new()
    );
}

#[test]
fn init_takes_the_numbers_of_the_small_form_over() {
    let workspace = Workspace::healthy();
    let thresholds = r#"{"name": "own: \"numbers\"", "version": "1.0", "red_integrity": 91.5, "red_consensus": 80, "red_responses": 9, "yellow_integrity": 97, "yellow_consensus": 88.25, "yellow_reputation": 70, "yellow_responses": 2}"#;
    workspace.write(THRESHOLDS, thresholds);
    let before = workspace.run().exits(0).json();
    let refused = workspace.program(&["policy", "init"]).exits(1);
    assert!(refused.stderr.contains("--convert"), "{}", refused.stderr);
    assert!(!workspace.file(POLICY).exists());
    workspace.write("old.json", thresholds);
    workspace.program(&["policy", "init", "--convert"]).exits(0);
    assert!(!workspace.file(THRESHOLDS).exists());
    let after = workspace.run().exits(0).json();
    assert_eq!(after["thresholds"], before["thresholds"]);
    assert_eq!(after["document"]["name"], before["document"]["name"]);
    let old = workspace.file("old.json");
    let compared = workspace
        .program(&["policy", "diff", old.to_str().unwrap(), "--exit-code"])
        .exits(0)
        .json();
    assert_eq!(compared["differences"], serde_json::json!([]));
}

/// Lines that nothing can be below, and a name that YAML could not take as it stands.
#[test]
fn a_conversion_decides_as_before_or_changes_nothing() {
    let kept = [
        r#"{"red_integrity": 0}"#,
        r#"{"yellow_reputation": 0}"#,
        r#"{"red_integrity": -0.0, "yellow_integrity": 0, "red_consensus": 0, "yellow_consensus": 0}"#,
        r#"{"name": "\uffff\u2028\ufeff x: # \"y\"", "description": "why: ours \u2028 # all"}"#,
        r#"{"red_responses": 1000000, "yellow_responses": 1, "red_integrity": 1e-7}"#,
        r#"{"description": null}"#,
    ];
    for document in kept {
        let workspace = Workspace::healthy();
        workspace.integrity("0.00000009");
        workspace.write(THRESHOLDS, document);
        let before = workspace.run().exits(0).json();
        workspace.program(&["policy", "init", "--convert"]).exits(0);
        assert!(!workspace.file(THRESHOLDS).exists(), "{document}");
        let after = workspace.run().exits(0).json();
        for key in ["policy", "reasons"] {
            assert_eq!(after[key], before[key], "{document}");
        }
        let name = |state: &serde_json::Value| state["document"]["name"].clone();
        assert_eq!(name(&after), name(&before), "{document}");
        let text = workspace.read(POLICY);
        assert!(!text.contains("built-in reference policy"), "{text}");
        assert_eq!(text.contains("why: ours"), document.contains("why: ours"));
        assert!(!workspace.file("policy/tests").exists());
    }
    let refused = [
        r#"{"name": ""}"#,
        r#"{"version": ""}"#,
        r#"{"name": " padded "}"#,
        r#"{"red_responses": 18446744073709551615}"#,
        r#"{"red_responses": 10000000000000000}"#,
        r#"{"red_responses": 9007199254740991}"#,
        r#"{"description": ["much"]}"#,
    ];
    for document in refused {
        let workspace = Workspace::healthy();
        workspace.write(THRESHOLDS, document);
        workspace.run().exits(0);
        let ran = workspace.program(&["policy", "init", "--convert"]).exits(1);
        assert!(ran.stderr.contains("nothing was changed"), "{}", ran.stderr);
        assert_eq!(workspace.read(THRESHOLDS), document);
        assert!(!workspace.file(POLICY).exists(), "{document}");
    }
}

/// What a kill between the two steps leaves is finished by the next; anything else is left alone.
#[test]
fn a_conversion_that_was_cut_off_is_finished() {
    let workspace = Workspace::healthy();
    let document = r#"{"yellow_integrity": 96}"#;
    workspace.write(THRESHOLDS, document);
    workspace.program(&["policy", "init", "--convert"]).exits(0);
    workspace.write(THRESHOLDS, r#"{"yellow_integrity": 97}"#);
    let ran = workspace.program(&["policy", "init", "--convert"]).exits(1);
    assert!(ran.stderr.contains("POLICY_AMBIGUOUS"), "{}", ran.stderr);
    workspace.write(THRESHOLDS, document);
    workspace.run().exits(1);
    workspace.program(&["policy", "init"]).exits(1);
    let done = workspace.program(&["policy", "init", "--convert"]).exits(0);
    assert_eq!(done.json()["removed"], serde_json::json!([THRESHOLDS]));
    workspace.run().exits(0);
}

#[test]
fn init_writes_no_cases_beside_a_document_of_ones_own() {
    let workspace = Workspace::healthy();
    workspace.write(THRESHOLDS, r#"{"yellow_integrity": 96}"#);
    workspace.program(&["policy", "init", "--convert"]).exits(0);
    let done = workspace.program(&["policy", "init"]).exits(0).json();
    assert_eq!(done["written"], serde_json::json!([]));
    assert!(!workspace.file("policy/tests").exists());
}

#[test]
fn init_leaves_a_refused_document_alone() {
    let workspace = Workspace::healthy();
    workspace.write(THRESHOLDS, "{\"yellow_integrity\": 1000}");
    let ran = workspace.program(&["policy", "init", "--convert"]).exits(1);
    assert!(ran.stderr.contains("VALUE_RANGE"), "{}", ran.stderr);
    assert!(workspace.file(THRESHOLDS).exists() && !workspace.file(POLICY).exists());
}

#[test]
fn a_case_that_fails_says_what_came_instead() {
    let workspace = Workspace::healthy();
    workspace.program(&["policy", "init"]).exits(0);
    workspace.write(
        POLICY,
        workspace.read(POLICY).replace("below: 95", "below: 96"),
    );
    let ran = workspace.program(&[
        "policy",
        "test",
        "--format",
        "human",
        "--junit",
        "junit.xml",
    ]);
    // The path of a report is the user's, not the workspace's.
    let ran = ran.exits(1);
    assert!(
        ran.stdout.contains("level: expected GREEN, found YELLOW\n          reasons: expected none, found INTEGRITY_BELOW_YELLOW\n"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.ends_with("5 passed, 1 failed\n"),
        "{}",
        ran.stdout
    );
    crate::reports::is_junit(&workspace.file("junit.xml"));
    let junit = workspace.read("junit.xml");
    assert!(
        junit.contains("tests=\"6\" failures=\"1\"")
            && junit.contains("level: expected GREEN, found YELLOW"),
        "{junit}"
    );
}

/// Row S2-088: whoever moves a line has to change the cases, too.
#[test]
fn no_line_moves_without_a_case_that_says_so() {
    let workspace = Workspace::healthy();
    workspace.program(&["policy", "init"]).exits(0);
    let document = workspace.read(POLICY);
    let is_line = |line: &&str| line.starts_with("      below: ") || line.contains(" at_least: ");
    let places: Vec<&str> = document.lines().filter(is_line).collect();
    assert_eq!(places.len(), 7);
    for line in places {
        let (key, number) = line.split_once(": ").unwrap();
        let number: i64 = number.parse().unwrap();
        for moved in [number - 1, number + 1] {
            let changed = document.replacen(line, &format!("{key}: {moved}"), 1);
            workspace.write(POLICY, &changed);
            workspace.program(&["policy", "check"]).exits(0);
            let ran = workspace.program(&["policy", "test"]).exits(1);
            assert!(ran.json()["failed"].as_u64() > Some(0), "{line} -> {moved}");
        }
    }
}

#[test]
fn a_trigger_that_no_case_fires_is_told() {
    let workspace = Workspace::healthy();
    workspace.program(&["policy", "init"]).exits(0);
    let cases = "at: 2026-01-15T12:00:00Z\ncases:\n  - {name: locked, inputs: {trust: locked}, expect: {level: RED}}\n";
    workspace.write("policy/tests/reference.yaml", cases);
    let ran = workspace
        .program(&["policy", "test", "--coverage"])
        .exits(0)
        .json();
    assert_eq!(ran["coverage"]["triggers"], 10);
    assert_eq!(ran["coverage"]["unfired"].as_array().unwrap().len(), 9);
    workspace
        .program(&["policy", "test", "--require-coverage"])
        .exits(1);
}

#[test]
fn a_case_may_rest_on_files_a_decision_before_and_a_history() {
    let workspace = Workspace::healthy();
    workspace.write(
        POLICY,
        "apiVersion: policy.orchestra.v1
kind: OrchestrationPolicy
metadata: {name: ours, version: \"1\"}
spec:
  signals:
    - name: integrity
    - {name: coverage, file: coverage.json, pointer: /percent, type: percent}
  triggers:
    - {code: LOW, signal: integrity, level: RED, below: 90}
    - {code: FELL, signal: coverage, level: YELLOW, changed: {way: fall, by_more_than: 5, within: 7d}}
  hysteresis: {evaluations: 2}
  waivers:
    - {trigger: FELL, reason: known, by: ana, ticket: T-1, expires: 2026-01-20}
",
    );
    workspace.write(
        "policy/tests/ours.yaml",
        "at: 2026-02-01T12:00:00Z
defaults: {coverage: 90}
cases:
  - name: held
    before: {level: RED}
    expect: {level: RED, reasons: [LEVEL_HELD]}
  - name: falls
    before: {level: RED, held: {since: 2026-01-31T12:00:00Z, times: 1, peak: GREEN}}
    expect: {level: GREEN, reasons: []}
  - name: fell
    inputs: {coverage: 80}
    history: [{at: 2026-01-30T12:00:00Z, inputs: {coverage: 86}}]
    expect: {level: YELLOW, reasons: [FELL], waived: []}
  - name: fell and waived
    at: 2026-01-20T12:00:00Z
    inputs: {coverage: 80}
    history: [{at: 2026-01-19T12:00:00Z, inputs: {coverage: 86}}]
    expect: {level: GREEN, waived: [FELL], shadow: YELLOW}
  - name: files
    workspace: files
    expect: {level: RED, reasons: [LOW, INPUT_INVALID], errors: 1}
",
    );
    workspace.write(
        "policy/tests/files/coverage.json",
        "{\"percent\": \"much\"}",
    );
    workspace.write(
        "policy/tests/files/exports/integrity_metrics_registry.csv",
        "integrity_score\n80\n",
    );
    let tested = workspace.program(&["policy", "test"]);
    let tested = tested.exits(0).json();
    assert_eq!(tested["passed"], 5, "{tested}");
}

#[test]
fn wrong_cases_are_told_all_at_once() {
    let workspace = Workspace::healthy();
    let cases = "at: yesterday
defaults: {integrty: 99}
cases:
  - name: a
    inputs: {integrity: high, forecast: medium}
    expect: {level: ORANGE, reasons: [INTEGRITY_BELOW_YELOW], error: 1}
  - inputs: {trust: 3}
";
    workspace.write("policy/tests/wrong.yaml", cases);
    let ran = workspace.program(&["policy", "test"]).exits(1);
    let told = ran
        .stderr
        .replace(workspace.path().to_str().unwrap(), "WORKSPACE");
    insta::assert_snapshot!(told);
    workspace.write("policy/tests/wrong.yaml", "");
    workspace.program(&["policy", "test"]).exits(1);
    std::fs::remove_file(workspace.file("policy/tests/wrong.yaml")).unwrap();
    let ran = workspace.program(&["policy", "test"]).exits(1);
    assert!(
        ran.stderr.contains("there is no file of cases"),
        "{}",
        ran.stderr
    );
}

/// The bytes alone say which form a document has: they are all that a replay has.
#[test]
fn a_document_decides_alike_under_every_name_and_in_a_replay() {
    let large = r#"apiVersion: policy.orchestra.v1
kind: OrchestrationPolicy
metadata: {name: ours, version: "1"}
spec: {signals: [{name: trust}], triggers: [{code: A, signal: trust, level: RED, equals: locked}]}
"#;
    let documents = [
        ("policy/policy.yaml", "{}", 0),
        ("policy/policy.yaml", r#"{"red_integrity": 80}"#, 0),
        (THRESHOLDS, r#"{"name": "kind"}"#, 0),
        (THRESHOLDS, large, 0),
        (THRESHOLDS, "red_integrity: 80", 1),
        (THRESHOLDS, "", 1),
        ("policy/policy.json", r#"{"kind": 1}"#, 1),
    ];
    for (file, document, code) in documents {
        let workspace = Workspace::healthy();
        workspace.write(file, document);
        let ran = workspace.run().exits(code);
        let expected = if code == 0 { "GREEN" } else { "RED" };
        assert_eq!(ran.json()["policy"], expected, "{file}: {document}");
        let replayed = workspace.program(&["replay"]).exits(0).json();
        assert_eq!(replayed["all_reproduced"], true, "{file}: {document}");
    }
}

/// A name that is almost right must not mean that the reference policy decides without a word.
#[test]
fn a_document_under_a_name_that_is_not_read_is_refused() {
    let names = [
        ("policy/Policy.yaml", "`policy/policy.yaml`"),
        ("policy/policy.YAML", "`policy/policy.yaml`"),
        ("policy/policy.json5", "`policy/policy.json`"),
        (
            "policy/Policy_Thresholds.json",
            "`policy/policy_thresholds.json`",
        ),
    ];
    for (name, meant) in names {
        let workspace = Workspace::healthy();
        workspace.write(name, "{}");
        let ran = workspace.run().exits(1);
        assert!(ran.stderr.contains("POLICY_AMBIGUOUS"), "{}", ran.stderr);
        assert!(ran.stderr.contains(meant), "{}", ran.stderr);
        assert_eq!(ran.json()["policy"], "RED");
        let checked = workspace.program(&["policy", "check"]).exits(1);
        assert!(checked.stdout.contains("POLICY_AMBIGUOUS"));
        // Beside a document that is read it is the author's business.
        workspace.write(THRESHOLDS, "{}");
        workspace.run().exits(0);
    }
    let workspace = Workspace::healthy();
    workspace.write("policy/responses.yaml", "x");
    workspace.write("policy/policy.md", "x");
    workspace.run().exits(0);
    let silent = workspace.program(&["policy", "check"]).exits(0);
    assert!(!silent.stderr.contains("POLICY_MISPLACED"));
    // At the top nobody looks during a run.
    workspace.write("policy.yaml", "x");
    workspace.run().exits(0);
    for command in [&["policy", "check"][..], &["doctor", "--format", "human"]] {
        let ran = workspace.program(command);
        let told = ran.stdout + &ran.stderr;
        assert!(told.contains("named like a policy document"), "{told}");
    }
}

#[test]
fn what_stands_where_the_directory_belongs_is_told_once() {
    let stand: [fn(&std::path::Path); 3] = [
        |path| std::fs::write(path, "x").unwrap(),
        |path| {
            let made = std::process::Command::new("mkfifo").arg(path).status();
            assert!(made.unwrap().success());
        },
        |path| std::os::unix::fs::symlink("nowhere", path).unwrap(),
    ];
    for stand in stand {
        let workspace = Workspace::healthy();
        stand(&workspace.file("policy"));
        let ran = workspace.run().exits(1);
        assert!(
            ran.stderr.contains("this is no directory"),
            "{}",
            ran.stderr
        );
        assert!(!ran.stderr.contains("two policy"), "{}", ran.stderr);
        assert_eq!(ran.json()["policy"], "RED");
    }
}

/// A FIFO has no writer: whoever opened it for reading would wait for ever.
#[test]
fn cases_that_can_not_be_read_are_an_error() {
    let workspace = Workspace::healthy();
    workspace.program(&["policy", "init"]).exits(0);
    let fifo = workspace.file("policy/tests/pipe.yaml");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    let ran = workspace.program(&["policy", "test"]).exits(1);
    assert!(ran.stderr.contains("a named pipe"), "{}", ran.stderr);
    std::fs::remove_file(fifo).unwrap();
    workspace.program(&["policy", "test"]).exits(0);
    std::fs::remove_dir_all(workspace.file("policy/tests")).unwrap();
    workspace.write("policy/tests", "no directory");
    let ran = workspace.program(&["policy", "test"]).exits(1);
    assert!(ran.stderr.contains("FILE_UNREADABLE"), "{}", ran.stderr);
}

#[test]
fn a_looser_document_exits_with_20() {
    let workspace = Workspace::healthy();
    workspace.program(&["policy", "init"]).exits(0);
    workspace.write(
        "next.yaml",
        workspace.read(POLICY).replace("below: 90", "below: 85"),
    );
    let next = workspace.file("next.yaml");
    let ran = workspace
        .program(&[
            "policy",
            "diff",
            "reference",
            next.to_str().unwrap(),
            "--exit-code",
            "--format",
            "human",
        ])
        .exits(20);
    assert!(
        ran.stdout.contains("looser   trigger INTEGRITY_BELOW_RED\n  - RED where integrity is below 90.0\n  + RED where integrity is below 85.0\n"),
        "{}",
        ran.stdout
    );
    workspace
        .program(&["policy", "diff", "no-such-file"])
        .exits(1);
}

#[test]
fn the_schema_accepts_what_init_writes_and_refuses_what_is_wrong() {
    let workspace = Workspace::healthy();
    let schema: serde_json::Value = workspace.program(&["policy", "schema"]).exits(0).json();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut document = serde_json::json!({
        "apiVersion": "policy.orchestra.v1",
        "kind": "OrchestrationPolicy",
        "metadata": {"name": "ours", "version": "1"},
        "spec": {
            "signals": [{"name": "integrity"}],
            "triggers": [{"code": "LOW", "signal": "integrity", "level": "RED", "below": 90}],
        },
    });
    assert!(validator.is_valid(&document));
    document["spec"]["triggers"][0]["belo"] = 1.into();
    assert!(!validator.is_valid(&document));
}
