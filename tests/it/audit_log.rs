//! `audit list`, `audit export` and `audit record`: all journals as one log.

use serde_json::Value;

use crate::workspace::{Ran, Workspace};

fn recorded() -> Workspace {
    let workspace = Workspace::healthy();
    workspace.run_at("2026-01-15T12:00:00Z").exits(0);
    workspace.integrity("50");
    workspace.run_at("2026-01-15T12:01:00Z").exits(0);
    let commands: [&[&str]; 4] = [
        &[
            "brake",
            "engage",
            "--reason",
            "test",
            "--at",
            "2026-01-15T12:02:00Z",
        ],
        &[
            "kill",
            "on",
            "--reason",
            "test",
            "--at",
            "2026-01-15T12:03:00Z",
        ],
        &[
            "kill",
            "off",
            "--reason",
            "test",
            "--at",
            "2026-01-15T12:04:00Z",
        ],
        &[
            "audit",
            "record",
            "--type",
            "CUSTOM_POLICY_CHECK",
            "--severity",
            "medium",
            "--details",
            "{\"check\":\"licences\",\"result\":\"passed\"}",
            "--task",
            "4711",
            "--at",
            "2026-01-15T12:05:00Z",
        ],
    ];
    for command in commands {
        let mut command = workspace.command(command);
        let ran: Ran = command.env("GITHUB_ACTOR", "ada").output().unwrap().into();
        ran.exits(0);
    }
    workspace
}

fn list(workspace: &Workspace, further: &[&str]) -> Vec<Value> {
    let ran = workspace
        .program(&[&["audit", "list"], further].concat())
        .exits(0);
    ran.stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn types(entries: &[Value]) -> Vec<&str> {
    entries
        .iter()
        .map(|entry| entry["event_type"].as_str().unwrap())
        .collect()
}

#[test]
fn all_journals_are_one_log_of_eight_keys_the_newest_first() {
    let workspace = recorded();
    let all = list(&workspace, &[]);
    assert_eq!(
        types(&all),
        [
            "CUSTOM_POLICY_CHECK",
            "KILL_SWITCH_OFF",
            "KILL_SWITCH_ON",
            "BRAKE_ENGAGED",
            "POLICY_CHECK",
            "POLICY_CHECK"
        ]
    );
    for entry in &all {
        let keys: Vec<&String> = entry.as_object().unwrap().keys().collect();
        let mut expected = [
            "time",
            "user",
            "action",
            "data_sha256",
            "task_id",
            "event_type",
            "severity",
            "details",
        ];
        expected.sort_unstable();
        assert_eq!(keys, expected);
        assert!(entry["details"]["journal"].is_string(), "{entry}");
        assert!(entry["details"]["number"].is_u64(), "{entry}");
    }
    assert_eq!(all[0]["user"], "ada");
    assert_eq!(all[0]["task_id"], "4711");
    assert_eq!(all[0]["severity"], "MEDIUM");
    assert_eq!(all[0]["details"]["check"], "licences");
    assert_eq!(all[4]["severity"], "HIGH");
    assert_eq!(all[5]["severity"], "LOW");
    // The same through closed segments.
    workspace
        .program(&["audit", "rotate", "--at", "2026-01-15T12:06:00Z"])
        .exits(0);
    let through: Vec<Value> = list(&workspace, &[])
        .into_iter()
        .filter(|entry| entry["event_type"] != "JOURNAL_ROTATED")
        .collect();
    assert_eq!(through, all);
}

#[test]
fn filters_take_what_they_name() {
    let workspace = recorded();
    let count = |further: &[&str]| list(&workspace, further).len();
    assert_eq!(count(&["--type", "policy_check"]), 2);
    assert_eq!(count(&["--type", "POLICY_CHECK", "--limit", "1"]), 1);
    assert_eq!(count(&["--severity", "CRITICAL"]), 1);
    assert_eq!(count(&["--severity", "high"]), 4);
    assert_eq!(count(&["--since", "2026-01-15T12:04:00Z"]), 2);
    assert_eq!(count(&["--until", "2026-01-15T12:01:00Z"]), 1);
    assert_eq!(count(&["--since", "2m", "--at", "2026-01-15T12:05:30Z"]), 2);
    assert_eq!(count(&["--user", "ada"]), 4);
    assert_eq!(count(&["--user", "nobody"]), 0);
    assert_eq!(count(&["--task", "4711"]), 1);
    assert_eq!(count(&["--limit", "0"]), 0);
    let human = workspace
        .program(&["audit", "list", "--limit", "2", "--format", "human"])
        .exits(0);
    insta::assert_snapshot!(human.stdout);
    workspace
        .program(&["audit", "list", "--severity", "SEVERE"])
        .exits(2);
}

#[test]
fn an_action_is_an_execution_and_a_success_or_failure() {
    let workspace = recorded();
    let line = |event: &str, more: &str| {
        format!(
            "{{\"timestamp\":\"2026-01-15T12:10:00+00:00\",\"event\":\"{event}\",\"user\":\"ada\",\"id\":\"r1\",\"action\":\"tidy\"{more}}}\n"
        )
    };
    // A plain log is listed as well as a chained one.
    let file = "state/policy_response_journal.jsonl";
    workspace.write(
        file,
        [
            line("intent", ""),
            line("workflow_exec", ",\"result\":{\"success\":true}"),
            line("intent", ""),
            line("workflow_exec", ",\"result\":{\"success\":false}"),
        ]
        .concat(),
    );
    let all = list(&workspace, &["--task", "r1"]);
    assert_eq!(
        types(&all),
        [
            "TASK_FAILURE",
            "TASK_EXECUTION",
            "TASK_SUCCESS",
            "TASK_EXECUTION"
        ]
    );
    assert_eq!(all[0]["action"], "tidy");
    assert_eq!(all[0]["severity"], "HIGH");
}

#[test]
fn an_export_is_the_same_as_lines_or_as_a_table() {
    let workspace = recorded();
    workspace
        .program(&["audit", "export", "--out", "audit.jsonl"])
        .exits(0);
    let listed = workspace.program(&["audit", "list"]).stdout;
    assert_eq!(workspace.read("audit.jsonl"), listed);
    workspace
        .program(&["audit", "export", "--out", "audit.csv", "--format", "csv"])
        .exits(0);
    let table = workspace.read("audit.csv");
    assert_eq!(table.lines().count(), 7);
    assert!(
        table.starts_with("time,user,action,data_sha256,task_id,event_type,severity,details\n")
    );
    // What stands there stays.
    workspace
        .program(&["audit", "export", "--out", "audit.csv", "--format", "csv"])
        .exits(1);
    workspace
        .program(&["audit", "list", "--format", "csv"])
        .exits(2);
}

#[test]
fn an_event_of_ones_own_is_recorded_and_no_other() {
    let workspace = recorded();
    let record = |kind: &str, details: &str| {
        let severity = ["--severity", "LOW", "--details", details];
        workspace.program(&[&["audit", "record", "--type", kind], &severity[..]].concat())
    };
    let recorded = record("TASK_SUCCESS", "{}").exits(0).json();
    assert_eq!(
        (&recorded["journal"], &recorded["seq"]),
        (&"state/audit.log".into(), &2.into())
    );
    for kind in [
        "POLICY_ACCEPTED",
        "KEY_ROTATED",
        "CUSTOM_",
        "custom_x",
        "CUSTOM_ x",
    ] {
        record(kind, "{}").exits(2);
    }
    for details in ["[]", "1", "{", ""] {
        record("CUSTOM_X", details).exits(2);
    }
    let long = format!("{{\"x\":\"{}\"}}", "y".repeat(70_000));
    record("CUSTOM_X", &long).exits(2);
    workspace.program(&["audit", "verify"]).exits(0);
}
