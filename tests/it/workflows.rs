//! The workflows: what their files say, that `init` writes them, and what a workflow is told of a
//! response. What their blocks do is tested by scripts/workflow-test.

use std::path::Path;

use serde_json::{Value, json};

use crate::workspace::{AT, Ran, Workspace};

const OWN: [&str; 3] = [
    ".github/workflows/policy_orchestration.yml",
    ".github/workflows/policy_response_runner.yml",
    ".github/workflows/policy_orchestration_alerts.yml",
];
const BRAKE: &str = "forensics/safety_brake_state.json";

fn own(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// This repository's workflows, then those that `init` writes.
fn all() -> Vec<(String, String)> {
    let workspace = Workspace::empty();
    workspace.program(&["init", "--at", AT]).exits(0);
    let written = OWN.map(|name| (format!("init: {name}"), workspace.read(name)));
    OWN.map(|name| (name.to_owned(), own(name)))
        .into_iter()
        .chain(written)
        .collect()
}

/// The text of every `run:`, on its own line or in the block below it.
fn run_texts(workflow: &str) -> Vec<String> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut texts = Vec::new();
    let mut lines = workflow.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(text) = line.trim_start_matches([' ', '-']).strip_prefix("run:") else {
            continue;
        };
        let mut text = text.to_owned();
        while let Some(next) = lines.next_if(|next| next.is_empty() || indent(next) > indent(line))
        {
            text.push('\n');
            text.push_str(next);
        }
        texts.push(text);
    }
    texts
}

#[test]
fn no_workflow_puts_an_expression_into_a_command() {
    for (name, text) in all() {
        let runs = run_texts(&text);
        assert!(runs.len() >= 4, "{name}: {}", runs.len());
        for run in runs {
            assert!(!run.contains("${{"), "{name}: {run}");
        }
    }
}

#[test]
fn each_workflow_has_its_triggers_and_no_more_rights_than_it_needs() {
    let wanted: [(&[&str], &[&str]); 3] = [
        (
            &["cron: \"45 4 * * *\"", "  workflow_dispatch:"],
            &["contents: write"],
        ),
        (
            &[
                "    workflows: [\"Policy Orchestration\"]\n    types: [completed]\n",
                "github.event.workflow_run.conclusion == 'success'",
                "github.event.workflow_run.head_branch == github.event.repository.default_branch",
                "github.event.workflow_run.head_repository.full_name == github.repository",
                "      auto_apply:\n",
                "        type: boolean\n        default: false\n",
            ],
            &["contents: write", "actions: read"],
        ),
        (
            &["cron: \"15 5 * * *\"", "  workflow_dispatch:"],
            &["contents: write", "issues: write"],
        ),
    ];
    for ((name, text), (triggers, rights)) in all().iter().zip(wanted.iter().cycle()) {
        for trigger in *triggers {
            assert!(text.contains(trigger), "{name} lacks {trigger}");
        }
        let given: Vec<&str> = text
            .lines()
            .filter_map(|line| line.trim().split(" #").next())
            .filter(|line| line.ends_with(": write") || line.ends_with(": read"))
            .collect();
        assert_eq!(given, *rights, "{name}");
        for part in [
            "\npermissions: {}\n",
            "\nconcurrency:\n",
            "  cancel-in-progress: false",
            "persist-credentials: false",
            "retention-days: 90",
            "continue-on-error: true",
            "[skip ci]",
        ] {
            assert!(text.contains(part), "{name} lacks {part}");
        }
    }
}

#[test]
fn the_artifacts_hold_what_a_response_and_a_look_leave() {
    let kept: [&[&str]; 3] = [
        &["state/policy_state.json", "state/policy_state_log.jsonl"],
        &[
            "state/policy_response_preview.json",
            "state/policy_response_log.jsonl",
            "state/policy_response_journal.jsonl",
            "state/policy_response_undo_*.json",
            "state/undo/",
            "reports/policy_response_blocked.json",
            "reports/policy_response_failure.json",
        ],
        &[
            "reports/policy_orchestration_alerts.json",
            "logs/policy_orchestration_alerts.jsonl",
            "state/policy_alert_state.json",
        ],
    ];
    for ((name, text), files) in all().iter().zip(kept.iter().cycle()) {
        let upload = text.split("actions/upload-artifact@").nth(1).unwrap();
        let list = upload.split("path: |\n").nth(1).unwrap();
        let list = list.split("retention-days").next().unwrap();
        assert_eq!(
            list.split_whitespace().collect::<Vec<_>>(),
            *files,
            "{name}"
        );
    }
}

#[test]
fn init_writes_three_workflows_or_none() {
    let workspace = Workspace::empty();
    let done = workspace
        .program(&["init", "--no-workflow"])
        .exits(0)
        .json();
    let written = done["written"].as_array().unwrap();
    assert!(
        !written
            .iter()
            .any(|file| OWN.contains(&file.as_str().unwrap()))
    );
    assert!(!workspace.file(".github").exists());

    workspace.write(OWN[1], "mine\n");
    let done = workspace.program(&["init"]).exits(0).json();
    assert_eq!(done["written"], json!([OWN[0], OWN[2]]));
    assert_eq!(workspace.read(OWN[1]), "mine\n");
    for name in [OWN[0], OWN[2]] {
        let text = workspace.read(name);
        assert!(
            !text.contains("{{VERSION}}") && !text.contains("{{COMMIT}}"),
            "{name}"
        );
    }
    let again = workspace.program(&["init"]).exits(0).json();
    assert_eq!(
        (&again["written"], &again["to_add"]),
        (&json!([]), &json!([]))
    );
}

#[test]
fn init_says_which_name_a_kept_workflow_needs() {
    let workspace = Workspace::empty();
    workspace.write(OWN[0], "name: Policy orchestration\n");
    let done = workspace.program(&["init"]).exits(0).json();
    let missing = json!({"file": OWN[0], "line": "name: Policy Orchestration"});
    assert_eq!(done["to_add"], json!([missing]));
}

/// A decided workspace with a brake that is off.
fn decided(integrity: &str) -> Workspace {
    let workspace = Workspace::healthy();
    workspace.integrity(integrity);
    workspace.write(BRAKE, "{\"is_engaged\": false, \"response_count_24h\": 0}");
    workspace.program(&["run"]).exits(0);
    workspace
}

fn in_a_workflow(workspace: &Workspace, arguments: &[&str]) -> Ran {
    let mut command = workspace.command(arguments);
    command
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_OUTPUT", "output")
        .env("GITHUB_STEP_SUMMARY", "summary.md")
        .env("POLICY_AUTO_APPLY", "true");
    command.output().unwrap().into()
}

#[test]
fn a_workflow_is_told_of_a_dry_run() {
    let workspace = decided("93");
    workspace.write("trust_lock_state.json", "{\"locked\": true}");
    let ran = in_a_workflow(&workspace, &["respond"]).exits(0);
    assert!(!ran.stderr.contains("::"), "{}", ran.stderr);
    assert_eq!(
        workspace.read("output"),
        "level=YELLOW\noutcome=dry_run\nreason=trust_guard_locked\nfix_branch=\n"
    );
    insta::assert_snapshot!("response_summary", workspace.read("summary.md"));
}

#[test]
fn a_workflow_is_told_that_green_calls_for_nothing() {
    let workspace = decided("97");
    in_a_workflow(&workspace, &["respond", "--apply", "--auto"]).exits(0);
    assert_eq!(
        workspace.read("output"),
        "level=GREEN\noutcome=green\nreason=\nfix_branch=\n"
    );
    assert!(
        workspace
            .read("summary.md")
            .ends_with("Response to GREEN: nothing to do\n")
    );
}

#[test]
fn a_workflow_is_warned_of_a_closed_gate() {
    let workspace = decided("80");
    in_a_workflow(&workspace, &["respond"]).exits(0);
    let ran = in_a_workflow(&workspace, &["respond", "--apply", "--auto"]).exits(3);
    let reason = ran.json()["reason"].as_str().unwrap().to_owned();
    let warning = format!("::warning title=blocked::blocked: {reason}\n");
    assert!(ran.stderr.contains(&warning), "{}", ran.stderr);
    let told = format!("level=RED\noutcome=blocked\nreason={reason}\nfix_branch=\n");
    assert!(workspace.read("output").ends_with(&told));
    let summary = workspace.read("summary.md");
    assert!(
        summary.contains("Response to RED: blocked, nothing was started"),
        "{summary}"
    );
    assert!(summary.contains("| approver |"), "{summary}");
}

#[test]
fn a_workflow_gets_an_annotation_where_nothing_can_be_planned() {
    let workspace = decided("80");
    workspace.write("policy/responses.json", "{");
    let ran = in_a_workflow(&workspace, &["respond"]).exits(1);
    let begin = "::error file=policy/responses.json,line=1,col=1,title=JSON_SYNTAX::";
    assert!(ran.stderr.contains(begin), "{}", ran.stderr);
    assert!(!workspace.file("output").exists());
}

#[test]
fn what_a_file_says_begins_no_command_of_the_workflow() {
    let workspace = decided("80");
    let action: Value = json!({"name": "odd", "level": "RED", "argv": ["echo", "x\n::error::y"]});
    let document = json!({"schema": 1, "builtin": false, "actions": [action]});
    workspace.write("policy/responses.json", document.to_string());
    let ran = in_a_workflow(&workspace, &["respond", "--format", "human"]).exits(0);
    assert!(
        ran.stdout.contains("echo 'x\\n::error::y'"),
        "{}",
        ran.stdout
    );
    let told = [&ran.stdout, &ran.stderr].map(|text| text.contains("\n::"));
    assert_eq!(told, [false, false]);
}
