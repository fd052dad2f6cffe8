//! One evaluation as a user sees it: the eight tests that the source names (rows S4-080 to
//! S4-084e), and the files that a run leaves.

use serde_json::{Value, json};

use crate::workspace::{AT, JOURNAL, Workspace};

fn level_of(change: impl Fn(&Workspace)) -> (String, Vec<String>) {
    let workspace = Workspace::healthy();
    change(&workspace);
    let state = workspace.run().exits(0).json();
    let codes = state["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reason| reason["code"].as_str().unwrap().to_owned());
    (
        state["policy"].as_str().unwrap().to_owned(),
        codes.collect(),
    )
}

#[test]
fn test_green_path() {
    let workspace = Workspace::healthy();
    let state = workspace.run().exits(0).json();
    assert_eq!(state["policy"], "GREEN");
    assert_eq!(state["reasons"], json!([]));
    assert_eq!(state["needs"], json!([]));
}

#[test]
fn test_yellow_path_moderate_risk() {
    let consensus = |workspace: &Workspace| {
        workspace.write(
            "federation/weighted_consensus.json",
            r#"{"weighted_agreement_pct": 88}"#,
        );
    };
    let reputation = |workspace: &Workspace| {
        workspace.write(
            "federation/reputation_index.json",
            r#"{"scores":[{"score":70},{"score":80}]}"#,
        );
    };
    let cases: [(&dyn Fn(&Workspace), &str); 5] = [
        (
            &|workspace| workspace.integrity("92"),
            "INTEGRITY_BELOW_YELLOW",
        ),
        (&consensus, "CONSENSUS_BELOW_YELLOW"),
        (&reputation, "REPUTATION_BELOW_YELLOW"),
        (
            &|workspace| workspace.forecast("Medium "),
            "FORECAST_MEDIUM",
        ),
        (&|workspace| workspace.responses(5), "RESPONSES_AT_YELLOW"),
    ];
    for (change, code) in cases {
        assert_eq!(
            level_of(change),
            ("YELLOW".to_owned(), vec![code.to_owned()])
        );
    }
}

#[test]
fn test_red_path_critical_conditions() {
    let locked =
        |workspace: &Workspace| workspace.write("trust_lock_state.json", r#"{"locked": true}"#);
    let locked_below_state = |workspace: &Workspace| {
        workspace.write("state/trust_lock_state.json", r#"{"locked": true}"#);
    };
    let consensus = |workspace: &Workspace| {
        workspace.write(
            "federation/weighted_consensus.json",
            r#"{"weighted_agreement_pct": 84.99}"#,
        );
    };
    let cases: [(&dyn Fn(&Workspace), &[&str]); 6] = [
        (&locked, &["TRUST_LOCKED"]),
        (&locked_below_state, &["TRUST_LOCKED"]),
        (
            &|workspace| workspace.integrity("89.99"),
            &["INTEGRITY_BELOW_RED", "INTEGRITY_BELOW_YELLOW"],
        ),
        (
            &consensus,
            &["CONSENSUS_BELOW_RED", "CONSENSUS_BELOW_YELLOW"],
        ),
        (&|workspace| workspace.forecast("HIGH"), &["FORECAST_HIGH"]),
        (
            &|workspace| workspace.responses(8),
            &["RESPONSES_AT_RED", "RESPONSES_AT_YELLOW"],
        ),
    ];
    for (change, codes) in cases {
        let (level, found) = level_of(change);
        assert_eq!(
            (level.as_str(), found),
            ("RED", codes.iter().map(|code| (*code).to_owned()).collect())
        );
    }
}

#[test]
fn test_log_append_structure() {
    let workspace = Workspace::healthy();
    workspace.run().exits(0);
    let first = workspace.bytes(JOURNAL);
    workspace.run_at("2026-01-15T12:05:00Z").exits(0);
    assert!(workspace.bytes(JOURNAL).starts_with(&first));
    let lines = workspace.journal();
    assert_eq!(lines.len(), 2);
    for line in &lines {
        assert!(!line.contains("\": "), "compact: {line}");
        let keys: Vec<String> = keys_in_order(line);
        assert_eq!(
            keys[..8],
            [
                "timestamp",
                "policy",
                "trust_locked",
                "integrity",
                "consensus",
                "reputation",
                "forecast",
                "responses"
            ]
        );
    }
    let last: Value = serde_json::from_str(&lines[1]).unwrap();
    assert_eq!(last["timestamp"], "2026-01-15T12:05:00+00:00");
    assert_eq!(last["timestamp"], workspace.state()["evaluated_at"]);
}

/// The members of a compact JSON object of the journal, in the order of its text.
fn keys_in_order(line: &str) -> Vec<String> {
    let parsed: serde_json::Map<String, Value> = serde_json::from_str(line).unwrap();
    let mut keys: Vec<String> = parsed.keys().cloned().collect();
    keys.sort_by_key(|key| line.find(&format!("\"{key}\":")).unwrap());
    keys
}

#[test]
fn test_atomic_write_paths() {
    let workspace = Workspace::healthy();
    for left_over in [
        "state/.policy_state.json.tmp",
        ".audit_summary.md.tmp",
        "state/policies/.document.tmp",
    ] {
        workspace.write(left_over, "left by a killed run");
    }
    workspace.run().exits(0);
    assert_eq!(
        workspace.temporary_files(),
        Vec::<std::path::PathBuf>::new()
    );
}

#[test]
fn test_audit_marker_idempotent() {
    let workspace = Workspace::healthy();
    let before = b"# Notes\r\n\0\0text\n<!-- OTHER_TOOL: UPDATED -->\n";
    workspace.write("audit_summary.md", before);
    for minute in 0..3 {
        workspace
            .run_at(&format!("2026-01-15T12:0{minute}:00Z"))
            .exits(0);
    }
    workspace.forecast("critical");
    workspace.run_at("2026-01-15T12:03:00Z").exits(1);
    let summary = workspace.bytes("audit_summary.md");
    let marker = "<!-- POLICY_ORCHESTRATION: FAILED 2026-01-15T12:03:00+00:00 -->\r\n";
    assert_eq!(summary, [before.as_slice(), marker.as_bytes()].concat());
    workspace.forecast("low");
    workspace.run_at("2026-01-15T12:04:00Z").exits(0);
    let text = String::from_utf8(workspace.bytes("audit_summary.md")).unwrap();
    assert!(
        text.ends_with(
            "<!-- POLICY_ORCHESTRATION: UPDATED 2026-01-15T12:04:00+00:00 policy=GREEN -->\r\n"
        ),
        "{text}"
    );
}

#[test]
fn test_fix_branch_on_persistent_failure() {
    // Root is stopped by no permission bits, so a directory stands where the state file belongs:
    // the rename fails for everybody.
    let workspace = Workspace::healthy().with_git();
    workspace.write("state/policy_state.json/in-the-way", "");
    let ran = workspace.run().exits(1);
    assert!(
        ran.stderr.contains("state/policy_state.json"),
        "{}",
        ran.stderr
    );
    let branches = workspace.fix_branches();
    assert_eq!(branches, ["fix/policy-orchestrator-20260115120000"]);
    let again = workspace.run_at("2026-01-15T12:10:00Z").exits(1);
    assert_eq!(
        workspace.fix_branches(),
        branches,
        "one failure, one branch: {}",
        again.stderr
    );
}

#[test]
fn test_full_integration_run() {
    let workspace = Workspace::healthy();
    workspace.integrity("92.0");
    workspace.forecast("medium");
    workspace.responses(5);
    let inputs_before = workspace.snapshot();
    let ran = workspace.program(&["--run", "--at", AT]).exits(0);
    assert_eq!(
        ran.stdout,
        workspace.read("state/policy_state.json"),
        "standard output is the state file and nothing else"
    );
    let state = ran.json();
    assert_eq!(state["policy"], "YELLOW");
    assert_eq!(
        state["inputs"],
        json!({"trust_locked": false, "integrity_score": 92.0, "consensus_pct": 95.0, "reputation_score": 85.0, "forecast_risk": "medium", "recent_responses": 5})
    );
    assert_eq!(
        state["thresholds"],
        json!({"red_integrity": 90.0, "red_consensus": 85.0, "red_responses": 8, "yellow_integrity": 95.0, "yellow_consensus": 90.0, "yellow_reputation": 80.0, "yellow_responses": 4})
    );
    let green = &state["needs"][0];
    assert_eq!(green["level"], "GREEN");
    assert_eq!(
        green["changes"][0],
        json!({"what": "integrity", "from": "92.0", "to": "at least 95.0"})
    );
    let after = workspace.snapshot();
    assert!(
        inputs_before
            .iter()
            .all(|(path, bytes)| after.get(path) == Some(bytes)),
        "no input was touched"
    );
}

#[test]
fn the_state_file_keeps_the_predecessors_keys_in_their_order() {
    let workspace = Workspace::healthy();
    workspace.run().exits(0);
    let text = workspace.read("state/policy_state.json");
    let place = |key: &str| {
        text.find(&format!("\n  \"{key}\":"))
            .unwrap_or_else(|| panic!("{key} in {text}"))
    };
    assert!(
        place("policy") < place("evaluated_at")
            && place("evaluated_at") < place("inputs")
            && place("inputs") < place("thresholds")
    );
    for key in [
        "schema", "reasons", "readings", "warnings", "document", "before", "since", "journal",
    ] {
        assert!(place(key) > place("thresholds"), "{key}");
    }
    assert!(
        text.contains("\"integrity_score\": 97.5") && text.contains("\"consensus_pct\": 95.0"),
        "numbers keep their point: {text}"
    );
    assert!(text.contains("\"evaluated_at\": \"2026-01-15T12:00:00+00:00\""));
}

#[test]
fn an_empty_workspace_is_yellow_and_says_that_it_may_be_the_wrong_one() {
    let workspace = Workspace::empty();
    let ran = workspace.run().exits(0);
    let state = ran.json();
    assert_eq!(state["policy"], "YELLOW");
    assert_eq!(
        state["inputs"],
        json!({"trust_locked": false, "integrity_score": 100.0, "consensus_pct": 100.0, "reputation_score": 100.0, "forecast_risk": "low", "recent_responses": 0})
    );
    let codes: Vec<&str> = state["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reason| reason["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["INPUT_MISSING"; 6]);
    assert!(
        ran.stderr.contains("WORKSPACE_EMPTY")
            && ran
                .stderr
                .contains(&*workspace.path().canonicalize().unwrap().to_string_lossy()),
        "{}",
        ran.stderr
    );
}

#[test]
fn exit_codes_tell_the_level_where_asked() {
    let workspace = Workspace::healthy();
    let code = |at: &str| {
        workspace
            .program(&["run", "--exit-code", "--at", at, "--retry-delays", "0"])
            .code
    };
    assert_eq!(code("2026-01-15T12:00:00Z"), 0);
    workspace.forecast("medium");
    assert_eq!(code("2026-01-15T12:01:00Z"), 10);
    workspace.forecast("high");
    assert_eq!(code("2026-01-15T12:02:00Z"), 20);
    workspace.forecast("unknown");
    assert_eq!(code("2026-01-15T12:03:00Z"), 1);
}

#[test]
fn a_dry_run_writes_nothing() {
    let workspace = Workspace::healthy().with_git();
    workspace.forecast("nonsense");
    let before = workspace.snapshot();
    let ran = workspace
        .program(&["run", "--dry-run", "--at", AT, "--retry-delays", "0"])
        .exits(1);
    assert_eq!(ran.json()["policy"], "RED");
    assert!(ran.stderr.contains("dry run: nothing was written"));
    assert_eq!(workspace.snapshot(), before);
    assert_eq!(workspace.fix_branches(), Vec::<String>::new());
}

#[test]
fn thresholds_come_from_the_workspaces_document() {
    let workspace = Workspace::healthy();
    workspace.write(
        "policy/policy_thresholds.json",
        r#"{"yellow_integrity": 96}"#,
    );
    workspace.integrity("95.5");
    let state = workspace.run().exits(0).json();
    assert_eq!(
        (&state["policy"], &state["thresholds"]["yellow_integrity"]),
        (&json!("YELLOW"), &json!(96.0))
    );
    let kept = format!(
        "state/policies/{}",
        state["document"]["sha256"].as_str().unwrap()
    );
    assert_eq!(workspace.read(&kept), r#"{"yellow_integrity": 96}"#);
}

#[test]
fn a_document_that_contradicts_itself_is_refused_and_everything_is_red() {
    let workspace = Workspace::healthy();
    workspace.write(
        "policy/policy_thresholds.json",
        "{\n  \"yellow_integrity\": 80,\n  \"orange\": {}\n}",
    );
    let ran = workspace.run().exits(1);
    let state = ran.json();
    assert_eq!(state["policy"], "RED");
    assert_eq!(state["reasons"][0]["code"], "POLICY_INVALID");
    assert!(
        ran.stderr
            .contains("policy/policy_thresholds.json:2:23 at `$.yellow_integrity`"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("POLICY_CONTRADICTION") && ran.stderr.contains("KEY_UNKNOWN"),
        "all problems together: {}",
        ran.stderr
    );
    assert!(workspace.read("audit_summary.md").contains("FAILED"));
}

#[test]
fn the_window_of_responses_begins_24_hours_before_and_the_future_counts() {
    let workspace = Workspace::healthy();
    let history = [
        r#"{"timestamp":"2026-01-14T12:00:00Z","event_type":"ADAPTIVE_RESPONSE"}"#,
        r#"{"timestamp":"2026-01-14T11:59:59.999999Z","event_type":"ADAPTIVE_RESPONSE"}"#,
        r#"{"timestamp":"2026-01-15T11:00:00Z","event_type":"SAFETY_BRAKE"}"#,
        r#"{"timestamp":"2026-01-15T11:00:00Z"}"#,
        r#"{"timestamp":"2099-01-15T11:00:00Z","event_type":"ADAPTIVE_RESPONSE"}"#,
        r#"{"event_type":"ADAPTIVE_RESPONSE"}"#,
        r#"{"timestamp":"2026-01-15T12:00:00+01:00","event_type":"ADAPTIVE_RESPONSE"}"#,
    ];
    workspace.write(
        "forensics/response_history.jsonl",
        history.join("\n") + "\n",
    );
    let ran = workspace.run().exits(0);
    assert_eq!(ran.json()["inputs"]["recent_responses"], 5);
    assert!(
        ran.stderr.contains("TIME_IN_FUTURE") && ran.stderr.contains("TIME_UNREADABLE"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("forensics/response_history.jsonl:5"),
        "the place is a line: {}",
        ran.stderr
    );
}

#[test]
fn old_history_is_not_read_to_its_beginning() {
    let workspace = Workspace::healthy();
    let old = "{\"timestamp\":\"2001-01-01T00:00:00Z\",\"event_type\":\"ADAPTIVE_RESPONSE\"}\n";
    // What stands before the part that matters is not even looked at: it is no JSON at all.
    let history = format!(
        "garbage\n{}{}",
        old.repeat(262_144 / old.len() + 1),
        "{\"timestamp\":\"2026-01-15T11:00:00Z\"}\n"
    );
    workspace.write("forensics/response_history.jsonl", history);
    let state = workspace.run().exits(0).json();
    assert_eq!(state["inputs"]["recent_responses"], 1);
    assert!(state["readings"]["responses"]["from"].as_u64().unwrap() > 0);
}

#[test]
fn a_time_before_the_last_is_recorded_with_a_warning() {
    let workspace = Workspace::healthy();
    workspace.run_at("2026-01-15T12:00:00Z").exits(0);
    let ran = workspace.run_at("2026-01-15T11:00:00Z").exits(0);
    assert!(ran.stderr.contains("TIME_BACKWARDS"), "{}", ran.stderr);
    assert_eq!(workspace.journal().len(), 2);
    assert_eq!(ran.json()["given_clock"], true);
}

#[test]
fn the_level_before_and_its_beginning_are_kept() {
    let workspace = Workspace::healthy();
    workspace.run_at("2026-01-15T09:00:00Z").exits(0);
    workspace.forecast("high");
    workspace.run_at("2026-01-15T10:00:00Z").exits(0);
    let state = workspace.run_at("2026-01-15T11:00:00Z").exits(0).json();
    assert_eq!(
        (&state["before"], &state["since"]),
        (&json!("RED"), &json!("2026-01-15T10:00:00+00:00"))
    );
    // The state file is a projection: without it the journal tells the same.
    std::fs::remove_file(workspace.file("state/policy_state.json")).unwrap();
    let mended = workspace.run_at("2026-01-15T12:00:00Z").exits(0).json();
    assert_eq!(
        (&mended["before"], &mended["since"]),
        (&json!("RED"), &json!("2026-01-15T10:00:00+00:00"))
    );
}

#[test]
fn an_invalid_file_is_read_once_more_before_it_counts() {
    let workspace = Workspace::healthy();
    workspace.write(
        "forensics/forensics_anomaly_forecast.json",
        "{\"status\": \"succ",
    );
    let child = workspace
        .command(&["run", "--at", AT, "--retry-delays", "1"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    workspace.forecast("low");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(workspace.state()["policy"], "GREEN");
}
