//! P-3, execution safety: nothing happens by itself, and what happened is recorded in full.

use serde_json::Value;

use crate::ground::{self, checks, command, json, line, program, read, status, test_of, write};

/// The reasons of the closed gates of an apply that nobody watches.
fn closed(workspace: &std::path::Path, switch: Option<&str>) -> Vec<String> {
    let mut apply = command(workspace, &["respond", "--apply", "--auto"]);
    if let Some(switch) = switch {
        apply.env("POLICY_AUTO_APPLY", switch);
    }
    let report = json(apply, 3);
    let gates = report["gates"].as_array().unwrap().iter();
    let reason = |gate: &Value| gate["reason"].as_str().map(str::to_owned);
    gates.filter_map(reason).collect()
}

/// S0-036, S0-037: a response is a dry run, and nobody is asked who is not there.
#[test]
fn test_p3_manual_block() {
    let directory = ground::red();
    let workspace = directory.path();
    assert!(program(workspace, &["respond"]).status.success());
    assert_eq!(read(workspace, "data/value"), "before\n");
    let reasons = closed(workspace, None);
    assert!(
        reasons.contains(&"auto_apply_off".to_owned()),
        "{reasons:?}"
    );
    assert_eq!(read(workspace, "data/value"), "before\n");
    let result = checks(workspace, &["P3"], &[], 0);
    assert_eq!(line(&result), "P3 Execution Safety: PASS");
    assert_eq!(status(&result, "manual_by_default"), "PASS");
    assert!(read(workspace, "reports/logs/P3.log").starts_with("P3 Execution Safety: PASS\n"));
}

/// S0-038, S0-039: switched on, and still refused without a dry run and an approver.
#[test]
fn test_p3_dryrun_requirement() {
    let directory = ground::red();
    let workspace = directory.path();
    let reasons = closed(workspace, Some("true"));
    assert!(
        reasons.contains(&"preview_missing".to_owned()),
        "{reasons:?}"
    );
    assert_eq!(read(workspace, "data/value"), "before\n");
    // Whatever the environment says, the check itself asks without a dry run.
    let result = checks(workspace, &["P3"], &[("POLICY_AUTO_APPLY", "true")], 0);
    assert_eq!(status(&result, "dry_run_and_approver"), "PASS");
    // Declared responses that can't be used are no reason to pass.
    write(
        workspace,
        "policy/responses.json",
        "{\"schema\": 1, \"actions\": 5}",
    );
    let result = checks(workspace, &["P3"], &[], 1);
    assert_eq!(status(&result, "manual_by_default"), "FAIL");
}

/// S0-040, S0-041: an apply by hand, with its digests before and after, and one that was made to look
/// otherwise.
#[test]
fn test_p3_applies_are_recorded() {
    let directory = ground::red();
    let workspace = directory.path();
    assert!(program(workspace, &["respond", "--apply"]).status.success());
    assert_eq!(read(workspace, "data/value"), "after\n");
    let result = checks(workspace, &["P3"], &[], 0);
    let detail = test_of(&result, "applies_recorded")["detail"]
        .as_str()
        .unwrap();
    assert!(detail.starts_with("1 actions"), "{detail}");
    let detail = test_of(&result, "applies_gated")["detail"]
        .as_str()
        .unwrap();
    assert!(detail.starts_with("1 applies"), "{detail}");

    let journal = "state/policy_response_journal.jsonl";
    let whole = read(workspace, journal);
    let executed = whole
        .lines()
        .find(|line| line.contains("workflow_exec"))
        .unwrap();
    let executed: Value = serde_json::from_str(executed).unwrap();
    assert_ne!(executed["pre"], executed["post"]);
    write(workspace, journal, whole.replace("\"post\":", "\"last\":"));
    let result = checks(workspace, &["P3"], &[], 1);
    assert_eq!(status(&result, "applies_recorded"), "FAIL");
}
