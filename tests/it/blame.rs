//! `explain --blame`: who changed the file of a signal last before a decision.

use std::process::Command;

use crate::workspace::Workspace;

fn git(workspace: &Workspace, at: &str, arguments: &[&str]) {
    let mut command = Command::new("git");
    command
        .current_dir(workspace.path())
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_DATE", at)
        .env("GIT_COMMITTER_DATE", at)
        .args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn commit(workspace: &Workspace, at: &str, author: &str, message: &str) {
    git(workspace, at, &["add", "-A", "exports", "federation"]);
    let (name, email) = (
        format!("user.name={author}"),
        "user.email=x@example.invalid",
    );
    let identity = ["-c", &name, "-c", email];
    let commit = ["commit", "-q", "-m", message];
    git(workspace, at, &[&identity[..], &commit[..]].concat());
}

#[test]
fn the_last_commit_before_the_decision_is_named_and_no_later_one() {
    let workspace = Workspace::healthy();
    git(&workspace, "2026-01-10T08:00:00Z", &["init", "-q", "."]);
    commit(&workspace, "2026-01-10T08:00:00Z", "ada", "Sample signals");
    workspace.integrity("93.0");
    commit(
        &workspace,
        "2026-01-14T08:00:00Z",
        "bob \u{1b}[31m",
        "Export of Wednesday\n\nmore",
    );
    let run = ["run", "--at", "2026-01-15T12:00:00Z"];
    workspace.program(&run).exits(0);
    workspace.integrity("94.0");
    commit(&workspace, "2026-01-16T08:00:00Z", "eve", "Later");

    let told = workspace.program(&["explain", "--blame"]).exits(0).json();
    let blame = told["blame"].as_array().unwrap();
    assert_eq!(blame.len(), 1, "{told}");
    assert_eq!(blame[0]["signal"], "integrity");
    assert_eq!(blame[0]["file"], "exports/integrity_metrics_registry.csv");
    assert_eq!(blame[0]["known"], "commit");
    assert_eq!(blame[0]["subject"], "Export of Wednesday");
    assert_eq!(blame[0]["at"], "2026-01-14T08:00:00+00:00");
    let author = blame[0]["author"].as_str().unwrap();
    assert!(author.starts_with("bob "), "{author}");
    assert!(!author.contains('\u{1b}'), "{author:?}");
    assert_eq!(blame[0]["commit"].as_str().unwrap().len(), 40);

    let human = ["explain", "--blame", "--format", "human"];
    let human = workspace.program(&human).exits(0).stdout;
    assert!(human.contains("Last changed"), "{human}");
    assert!(human.contains("Export of Wednesday"), "{human}");
    // Without the flag git is not asked.
    let plain = workspace.program(&["explain"]).exits(0).json();
    assert!(plain.get("blame").is_none(), "{plain}");
}

#[test]
fn what_git_does_not_hold_has_nobody() {
    let workspace = Workspace::healthy();
    workspace.program(&["run"]).exits(0);
    let ran = workspace.program(&["explain", "--blame"]).exits(1);
    assert!(ran.stderr.contains("GIT_UNREADABLE"), "{}", ran.stderr);
    git(&workspace, "2026-01-10T08:00:00Z", &["init", "-q", "."]);
    commit(&workspace, "2026-01-10T08:00:00Z", "ada", "Some signals");
    // GREEN has no reason, so all signals are told of; two were never committed.
    let told = workspace.program(&["explain", "--blame"]).exits(0).json();
    let known = |file: &str| {
        let blame = told["blame"].as_array().unwrap();
        let found = blame.iter().find(|blamed| blamed["file"] == file);
        found.unwrap()["known"].clone()
    };
    assert_eq!(known("trust_lock_state.json"), "not_in_git");
    assert_eq!(known("exports/integrity_metrics_registry.csv"), "commit");
}
