//! `guard check` and the git hook: may another program change these files?

use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::{Value, json};

use crate::policy_lock::{events, locked, overwrite, reviewed};
use crate::workspace::{Ran, Workspace, fed};

fn check_with(workspace: &Workspace, more: &[&str], env: &[(&str, &str)], input: &str) -> Ran {
    let arguments: Vec<&str> = ["guard", "check"].iter().chain(more).copied().collect();
    let mut command = workspace.command(&arguments);
    fed(command.envs(env.iter().copied()), input)
}

fn check(workspace: &Workspace, operation: &Value) -> Ran {
    check_with(workspace, &[], &[], &operation.to_string())
}

fn edit(path: &str) -> Value {
    json!({"type": "edit", "affected_files": [path]})
}

#[track_caller]
fn refused(ran: Ran, rules: &[&str]) {
    let answer = ran.exits(4).json();
    assert_eq!(answer["allowed"], false, "{answer}");
    assert_eq!(answer["violated_policies"], json!(rules), "{answer}");
}

#[test]
fn both_forms_of_an_operation_are_answered() {
    let workspace = Workspace::healthy();
    let long = json!({"type": "edit", "affected_files": ["src/a.py"], "metadata": {"changes": 2}, "timestamp": "2026-01-15T12:00:00Z"});
    for operation in [edit("src/a.py"), long] {
        let ran = check(&workspace, &operation).exits(0);
        let expected = json!({"allowed": true, "violated_policies": [], "severity": "LOW"});
        assert_eq!(ran.json(), expected);
    }
    // Nothing was refused, so nothing was recorded.
    assert!(!workspace.file("state").exists());
    refused(
        check_with(&workspace, &[], &[], "no JSON"),
        &["OPERATION_UNREADABLE"],
    );
    refused(
        check_with(&workspace, &[], &[], ""),
        &["OPERATION_UNREADABLE"],
    );
    assert_eq!(events(&workspace).len(), 2);
}

#[test]
fn every_way_to_name_a_protected_file_is_refused() {
    let workspace = reviewed();
    std::fs::create_dir_all(workspace.file("x/y")).unwrap();
    symlink("../.scalpel", workspace.file("x/s")).unwrap();
    symlink(".scalpel/policy.yaml", workspace.file("alias.yaml")).unwrap();
    std::fs::hard_link(workspace.file("budget.yaml"), workspace.file("second.yaml")).unwrap();
    let absolute = workspace.file(".scalpel/policy.yaml");
    for path in [
        ".scalpel/policy.yaml",
        ".scalpel/budget.yaml",
        ".scalpel/overrides.yaml",
        ".scalpel/any/thing",
        "scalpel.policy.yaml",
        "budget.yaml",
        "overrides.yaml",
        "./x/../.scalpel/a",
        ".scalpel//a",
        ".scalpel/",
        ".SCALPEL/policy.yaml",
        "x/s/policy.yaml",
        "alias.yaml",
        "second.yaml",
        absolute.to_str().unwrap(),
        ".github/workflows/ci.yml",
    ] {
        refused(check(&workspace, &edit(path)), &["PROTECTED_FILE"]);
    }
    for path in [
        "policy/policy.yaml",
        "policy/manifest.json",
        "policy/versions/x.yaml",
        "state/policy_state.json",
        "state/audit.log",
        "state/policy_response_undo_x_y.json",
        "trust_lock_state.json",
        "audit_summary.md",
        ".git/hooks/pre-commit",
        ".",
    ] {
        refused(check(&workspace, &edit(path)), &["CONTROL_FILE"]);
    }
    for path in ["../x", "/etc/passwd"] {
        refused(check(&workspace, &edit(path)), &["OUTSIDE_WORKSPACE"]);
    }
    for path in [
        "src/a.py",
        "scalpel/a",
        "src/budget.yaml",
        "x/y/z",
        "state.md",
    ] {
        check(&workspace, &edit(path)).exits(0);
    }
    // To look is no change.
    let read = json!({"type": "file_read", "affected_files": [".scalpel/policy.yaml"]});
    check(&workspace, &read).exits(0);
}

const LIMITS: &str = "version: \"1.0\"\nenforcement:\n  enabled: true\n  fail_closed: true\nlimits:\n  max_complexity: 10\n  max_file_size: 10000\n  max_changes_per_operation: 100\nprotected:\n  files:\n    - \"*.config\"\n    - \"*.env\"\n    - \".scalpel/*\"\n  operations:\n    - delete\n    - chmod\n    - chown\n";

fn limited() -> Workspace {
    let workspace = Workspace::healthy();
    workspace.write(".scalpel/policy.yaml", LIMITS);
    workspace
}

#[test]
fn the_limits_of_the_document_are_kept_to_the_number() {
    let workspace = limited();
    let with = |name: &str, value: u64| json!({"type": "edit", "affected_files": ["a.py"], "metadata": {name: value}});
    let table = [
        ("complexity", 10, "MAX_COMPLEXITY"),
        ("file_size", 10_000, "MAX_FILE_SIZE"),
        ("changes", 100, "MAX_CHANGES_PER_OPERATION"),
    ];
    for (name, most, rule) in table {
        check(&workspace, &with(name, most)).exits(0);
        refused(check(&workspace, &with(name, most + 1)), &[rule]);
    }
    // What can be seen counts, whatever the operation says of itself.
    workspace.write("a.py", "x".repeat(10_001));
    refused(check(&workspace, &with("file_size", 1)), &["MAX_FILE_SIZE"]);
    let many: Vec<String> = (0..101).map(|index| format!("f{index}")).collect();
    let many = json!({"type": "edit", "affected_files": many, "metadata": {"changes": 1}});
    refused(check(&workspace, &many), &["MAX_CHANGES_PER_OPERATION"]);
    let text = json!({"type": "edit", "affected_files": [], "metadata": {"complexity": "11"}});
    refused(check(&workspace, &text), &["OPERATION_UNREADABLE"]);
}

#[test]
fn the_patterns_and_operations_of_the_document_are_kept() {
    let workspace = limited();
    for path in [
        "a/b/.env",
        "prod.env",
        "x.config",
        "a/X.CONFIG",
        ".scalpel/x",
    ] {
        refused(check(&workspace, &edit(path)), &["PROTECTED_FILE"]);
    }
    check(&workspace, &edit("a.envelope")).exits(0);
    for kind in ["delete", "file_delete", "chmod", "chown", "fileRemove"] {
        let operation = json!({"type": kind, "affected_files": ["src/a.py"]});
        refused(check(&workspace, &operation), &["PROTECTED_OPERATION"]);
    }
    workspace.write(".scalpel/policy.yaml", "version: [\n");
    refused(check(&workspace, &edit("src/a.py")), &["POLICY_UNREADABLE"]);
    let other = ["--policy", "rules/editing.yaml"];
    refused(
        check_with(&workspace, &other, &[], &edit("a").to_string()),
        &["POLICY_UNREADABLE"],
    );
    workspace.write("rules/editing.yaml", LIMITS);
    check_with(&workspace, &other, &[], &edit("a").to_string()).exits(0);
}

#[test]
fn what_a_document_switches_off_counts_outside_of_production_only() {
    let workspace = limited();
    let off = LIMITS.replace("enabled: true", "enabled: false");
    workspace.write(".scalpel/policy.yaml", &off);
    let operation = edit("prod.env").to_string();
    let ran = check_with(&workspace, &[], &[], &operation).exits(0);
    assert!(ran.stderr.contains("GUARD_WEAKENED"), "{}", ran.stderr);
    let event = events(&workspace).pop().unwrap();
    assert_eq!(event["event_type"], "GUARD_WEAKENED");
    assert_eq!(
        event["details"]["switched_off"],
        json!(["enforcement.enabled"])
    );
    let production = [("ENV", "production")];
    refused(
        check_with(&workspace, &[], &production, &operation),
        &["PROTECTED_FILE"],
    );
    // Its own list protects this program's files, whatever a document says.
    refused(
        check(&workspace, &edit(".scalpel/policy.yaml")),
        &["PROTECTED_FILE"],
    );
    refused(check(&workspace, &edit("state/x")), &["CONTROL_FILE"]);
}

#[test]
fn nothing_is_allowed_behind_tampering() {
    let workspace = locked();
    check(&workspace, &edit("src/a.py")).exits(0);
    overwrite(&workspace, "budget.yaml", "limit: 9\n");
    let ran = check(&workspace, &edit("src/a.py")).exits(5);
    assert_eq!(ran.json()["violated_policies"], json!(["POLICY_TAMPERED"]));
    assert_eq!(ran.json()["severity"], "CRITICAL");
    // A document may let work go on, unless it is what was changed, or in production.
    let open = "version: \"1.0\"\nenforcement:\n  enabled: true\n  fail_closed: false\n";
    overwrite(&workspace, ".scalpel/policy.yaml", open);
    check(&workspace, &edit("src/a.py")).exits(5);
    workspace
        .program(&["policy", "accept", "--reason", "x"])
        .exits(0);
    overwrite(&workspace, "budget.yaml", "limit: 10\n");
    let ran = check(&workspace, &edit("src/a.py")).exits(0);
    assert!(ran.stderr.contains("fail_closed"), "{}", ran.stderr);
    let production = [("ENV", "production")];
    check_with(&workspace, &[], &production, &edit("src/a.py").to_string()).exits(5);
}

#[test]
fn the_kill_switch_refuses_everything() {
    let workspace = Workspace::healthy();
    workspace
        .program(&["kill", "on", "--reason", "drill"])
        .exits(0);
    refused(check(&workspace, &edit("src/a.py")), &["KILL_SWITCH_ON"]);
}

#[test]
fn a_batch_is_answered_line_by_line() {
    let workspace = Workspace::healthy();
    let lines = [
        edit("src/a.py").to_string(),
        edit("state/x").to_string(),
        String::new(),
        "{".to_owned(),
        edit("b").to_string(),
    ];
    workspace.write("ops.jsonl", lines.join("\n"));
    let ran = workspace
        .program(&["guard", "check", "--batch", "ops.jsonl"])
        .exits(4);
    let answers: Vec<Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let allowed: Vec<_> = answers
        .iter()
        .map(|answer| {
            (
                answer["line"].as_u64().unwrap(),
                answer["allowed"].as_bool().unwrap(),
            )
        })
        .collect();
    assert_eq!(allowed, [(1, true), (2, false), (4, false), (5, true)]);
    assert_eq!(events(&workspace).len(), 2);
    workspace.program(&["audit", "verify"]).exits(0);
}

#[test]
fn a_refusal_is_recorded_with_what_was_asked() {
    let workspace = Workspace::healthy();
    let operation = edit("policy/policy.yaml").to_string();
    check_with(&workspace, &[], &[("GITHUB_ACTOR", "agent-7")], &operation).exits(4);
    let event = events(&workspace).pop().unwrap();
    assert_eq!(event["user"], "agent-7");
    assert_eq!(event["event_type"], "GUARD_REFUSED");
    assert_eq!(event["severity"], "CRITICAL");
    assert_eq!(
        event["data_sha256"],
        policy_orchestrator::ids::Digest::of(operation.as_bytes()).to_string()
    );
    assert_eq!(
        event["details"]["affected_files"],
        json!(["policy/policy.yaml"])
    );
    assert_eq!(
        event["details"]["violated_policies"],
        json!(["CONTROL_FILE"])
    );
}

fn git(workspace: &Workspace, arguments: &[&str]) -> Ran {
    let output = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@localhost"])
        .args(arguments)
        .current_dir(workspace.path())
        .env_remove("POLICY_WORKSPACE")
        .output()
        .unwrap();
    output.into()
}

#[test]
fn the_hook_stops_a_commit_of_what_nobody_accepted() {
    let workspace = reviewed();
    git(&workspace, &["init", "-q"]).exits(0);
    workspace.program(&["guard", "hook", "install"]).exits(0);
    let commit = |message: &str| {
        git(&workspace, &["add", "-A"]).exits(0);
        git(&workspace, &["commit", "-qm", message])
    };
    // Protected, and nothing is locked yet.
    let ran = commit("first");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("policy lock") || ran.stderr.contains("policy lock"),
        "{} {}",
        ran.stdout,
        ran.stderr
    );
    workspace
        .program(&["policy", "lock", "--reason", "reviewed"])
        .exits(0);
    commit("locked").exits(0);
    workspace.write("src/a.py", "x\n");
    commit("work").exits(0);
    // A changed policy.
    overwrite(
        &workspace,
        "policy/policy.yaml",
        workspace.read("policy/policy.yaml") + "# weaker\n",
    );
    assert_eq!(commit("weaker").code, 1);
    // It is staged, and the working tree was put back.
    let text = workspace
        .read("policy/policy.yaml")
        .replace("# weaker\n", "");
    overwrite(&workspace, "policy/policy.yaml", text);
    assert_eq!(git(&workspace, &["commit", "-qm", "sly"]).code, 1);
    // One that was accepted goes through, the manifest and the record with it.
    overwrite(
        &workspace,
        "policy/policy.yaml",
        workspace.read("policy/policy.yaml") + "# stricter\n",
    );
    workspace
        .program(&["policy", "accept", "--reason", "#57"])
        .exits(0);
    commit("stricter").exits(0);
    // A part of it alone does, too.
    workspace.write("src/a.py", "y\n");
    git(&workspace, &["commit", "-qm", "one file", "src/a.py"]).exits(0);
    std::fs::remove_file(workspace.file("budget.yaml")).unwrap();
    assert_eq!(commit("gone").code, 1);
}

#[test]
fn a_hook_of_somebody_else_is_left_alone() {
    let workspace = Workspace::healthy().with_git();
    workspace.write(".git/hooks/pre-commit", "#!/bin/sh\nexit 0\n");
    let ran = workspace.program(&["guard", "hook", "install"]).exits(1);
    assert!(ran.stderr.contains("guard hook show"), "{}", ran.stderr);
    assert_eq!(
        workspace.read(".git/hooks/pre-commit"),
        "#!/bin/sh\nexit 0\n"
    );
    let shown = workspace.program(&["guard", "hook", "show"]).exits(0);
    assert!(shown.stdout.contains("guard check --staged"));
    Workspace::healthy()
        .program(&["guard", "check", "--staged"])
        .exits(1);
}
