//! The fix branch: it holds the diagnostics, and nothing of the user's checkout moves.

use std::path::Path;

use serde_json::json;

use crate::workspace::Workspace;

/// HEAD, the index and the state of the working tree.
fn checkout(workspace: &Workspace) -> (String, Vec<u8>, Vec<String>) {
    let repository = workspace.repository();
    let head = repository.head().unwrap();
    let head = format!("{} {}", head.name().unwrap(), head.target().unwrap());
    let statuses = repository.statuses(None).unwrap();
    let statuses = statuses
        .iter()
        .map(|entry| format!("{} {:?}", entry.path().unwrap(), entry.status()));
    let own = |line: &String| !line.starts_with("state/") && !line.starts_with("audit_summary.md");
    (
        head,
        workspace.bytes(".git/index"),
        statuses.filter(own).collect(),
    )
}

#[test]
fn an_invalid_input_leaves_its_diagnostics_on_a_branch_and_the_checkout_alone() {
    let workspace = Workspace::healthy().with_git();
    workspace.write("forensics/forensics_anomaly_forecast.json", "{");
    let before = checkout(&workspace);
    let ran = workspace.run().exits(1);
    assert_eq!(ran.json()["policy"], "RED");
    assert_eq!(
        ran.json()["reasons"][0],
        json!({"code": "INPUT_INVALID", "level": "RED", "signal": "forecast"})
    );
    assert_eq!(checkout(&workspace), before);
    assert_eq!(
        workspace.fix_branches(),
        ["fix/policy-orchestrator-20260115120000"]
    );
    assert_eq!(
        ran.json()["fix_branch"],
        "fix/policy-orchestrator-20260115120000"
    );

    let repository = workspace.repository();
    let commit = repository
        .revparse_single("fix/policy-orchestrator-20260115120000")
        .unwrap()
        .peel_to_commit()
        .unwrap();
    assert_eq!(
        commit.parent(0).unwrap().id(),
        repository.head().unwrap().target().unwrap()
    );
    let tree = commit.tree().unwrap();
    let blob = |name: &str| {
        repository
            .find_blob(tree.get_path(Path::new(name)).unwrap().id())
            .unwrap()
            .content()
            .to_vec()
    };
    assert_eq!(
        blob("state/policy_state.json"),
        workspace.bytes("state/policy_state.json")
    );
    assert_eq!(
        blob("state/policy_state_log.jsonl"),
        workspace.bytes("state/policy_state_log.jsonl")
    );
    assert_eq!(
        blob("trust_lock_state.json"),
        workspace.bytes("trust_lock_state.json"),
        "what HEAD holds stays"
    );
    let report: serde_json::Value =
        serde_json::from_slice(&blob("reports/policy_orchestrator_failure.json")).unwrap();
    assert_eq!(report["errors"][0]["code"], "JSON_SYNTAX");
    assert_eq!(
        report["errors"][0]["place"]["file"],
        "forensics/forensics_anomaly_forecast.json"
    );
}

#[test]
fn one_ongoing_failure_has_one_branch_and_a_new_failure_another() {
    let workspace = Workspace::healthy().with_git();
    workspace.forecast("critical");
    workspace.run_at("2026-01-15T12:00:00Z").exits(1);
    // What is found there may change from run to run; the failure is the same.
    workspace.forecast("catastrophic");
    let again = workspace.run_at("2026-01-16T12:00:00Z").exits(1);
    assert!(
        again.stderr.contains("this failure goes on"),
        "{}",
        again.stderr
    );
    assert_eq!(workspace.fix_branches().len(), 1);
    // The journal names the branch, so a clone that lacks it makes no second one either.
    workspace
        .repository()
        .find_branch(
            "fix/policy-orchestrator-20260115120000",
            git2::BranchType::Local,
        )
        .unwrap()
        .delete()
        .unwrap();
    workspace.run_at("2026-01-17T12:00:00Z").exits(1);
    assert_eq!(workspace.fix_branches(), Vec::<String>::new());
    workspace.write("trust_lock_state.json", "{");
    workspace.run_at("2026-01-18T12:00:00Z").exits(1);
    assert_eq!(
        workspace.fix_branches(),
        ["fix/policy-orchestrator-20260118120000"]
    );
    workspace.forecast("low");
    workspace.write("trust_lock_state.json", r#"{"locked":false}"#);
    workspace.run_at("2026-01-19T12:00:00Z").exits(0);
    workspace.forecast("critical");
    workspace.run_at("2026-01-20T12:00:00Z").exits(1);
    assert_eq!(
        workspace.fix_branches().len(),
        2,
        "after a success the same failure is a new one"
    );
}

#[test]
fn two_failures_in_one_second_have_two_names() {
    let workspace = Workspace::healthy().with_git();
    workspace.forecast("critical");
    workspace.run().exits(1);
    workspace.forecast("low");
    workspace.write("trust_lock_state.json", "{");
    workspace.run().exits(1);
    assert_eq!(
        workspace.fix_branches(),
        [
            "fix/policy-orchestrator-20260115120000",
            "fix/policy-orchestrator-20260115120001"
        ]
    );
}

#[test]
fn a_repository_without_a_commit_gets_a_branch_too() {
    let workspace = Workspace::healthy();
    git2::Repository::init(workspace.path()).unwrap();
    workspace.forecast("critical");
    workspace.run().exits(1);
    assert_eq!(
        workspace.fix_branches(),
        ["fix/policy-orchestrator-20260115120000"]
    );
    assert!(
        workspace.repository().head().is_err(),
        "HEAD is as unborn as before"
    );
}

#[test]
fn without_a_repository_the_diagnostics_go_to_reports() {
    let workspace = Workspace::healthy();
    workspace.forecast("critical");
    let ran = workspace.run().exits(1);
    assert!(
        ran.stderr
            .contains("reports/policy_orchestrator_failure.json"),
        "{}",
        ran.stderr
    );
    let report: serde_json::Value =
        serde_json::from_str(&workspace.read("reports/policy_orchestrator_failure.json")).unwrap();
    assert_eq!(report["errors"][0]["found"], "`critical`");
}

#[test]
fn no_git_program_is_needed() {
    let workspace = Workspace::healthy().with_git();
    workspace.forecast("critical");
    let output = workspace
        .command(&["run", "--retry-delays", "0"])
        .env("PATH", "/nonexistent")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(workspace.fix_branches().len(), 1);
}

#[test]
fn a_workspace_below_the_repositorys_top_is_committed_where_it_lies() {
    let workspace = Workspace::empty();
    workspace.write("service/trust_lock_state.json", "{");
    let workspace = workspace.with_git();
    workspace
        .program(&[
            "run",
            "--workspace",
            "service",
            "--at",
            crate::workspace::AT,
            "--retry-delays",
            "0",
        ])
        .exits(1);
    let repository = workspace.repository();
    let tree = repository
        .revparse_single("fix/policy-orchestrator-20260115120000")
        .unwrap()
        .peel_to_tree()
        .unwrap();
    assert!(
        tree.get_path(Path::new("service/state/policy_state.json"))
            .is_ok()
    );
}
