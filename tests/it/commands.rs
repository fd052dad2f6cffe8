//! The other commands, help texts, and what GitHub Actions is told.

use serde_json::json;

use crate::workspace::{AT, Ran, Workspace};

#[test]
fn help_texts_are_as_reviewed() {
    let workspace = Workspace::empty();
    let mut all = String::new();
    for arguments in [
        vec!["--help"],
        vec!["run", "--help"],
        vec!["explain", "--help"],
        vec!["status", "--help"],
        vec!["audit", "--help"],
        vec!["audit", "verify", "--help"],
        vec!["audit", "reseal", "--help"],
        vec!["audit", "checkpoint", "--help"],
        vec!["attest", "--help"],
        vec!["attest", "verify", "--help"],
        vec!["policy", "--help"],
        vec!["policy", "check", "--help"],
        vec!["policy", "backtest", "--help"],
        vec!["policy", "impact", "--help"],
        vec!["replay", "--help"],
        vec!["scan", "secrets", "--help"],
        vec!["checks", "--help"],
        vec!["checks", "list", "--help"],
        vec!["checks", "plan", "--help"],
        vec!["checks", "run", "--help"],
        vec!["health", "--help"],
        vec!["compliance", "report", "--help"],
        vec!["compliance", "ask", "--help"],
        vec!["analytics", "--help"],
        vec!["respond", "--help"],
        vec!["alerts", "--help"],
        vec!["action", "--help"],
        vec!["trust", "--help"],
        vec!["trust", "check", "--help"],
        vec!["trust", "enforce", "--help"],
        vec!["trust", "force-unlock", "--help"],
        vec!["trust", "status", "--help"],
        vec!["trust", "reset-counter", "--help"],
        vec!["brake", "--help"],
        vec!["brake", "status", "--help"],
        vec!["brake", "engage", "--help"],
        vec!["brake", "reset", "--help"],
        vec!["kill", "--help"],
        vec!["kill", "on", "--help"],
        vec!["kill", "off", "--help"],
        vec!["kill", "status", "--help"],
        vec!["policy", "--help"],
        vec!["policy", "draft", "--help"],
        vec!["policy", "approve", "--help"],
        vec!["policy", "validate", "--help"],
        vec!["policy", "promote", "--help"],
        vec!["policy", "rollback", "--help"],
        vec!["policy", "status", "--help"],
        vec!["policy", "lock", "--help"],
        vec!["policy", "verify", "--help"],
        vec!["policy", "accept", "--help"],
        vec!["guard", "--help"],
        vec!["guard", "check", "--help"],
        vec!["guard", "hook", "install", "--help"],
        vec!["policy", "show", "--help"],
        vec!["approve", "--help"],
        vec!["approve", "request", "--help"],
        vec!["approve", "grant", "--help"],
        vec!["approve", "deny", "--help"],
        vec!["approve", "list", "--help"],
        vec!["approve", "verify", "--help"],
        vec!["override", "--help"],
        vec!["override", "request", "--help"],
        vec!["override", "approve", "--help"],
        vec!["override", "status", "--help"],
        vec!["override", "enroll", "--help"],
        vec!["keys", "--help"],
        vec!["keys", "generate", "--help"],
        vec!["keys", "show", "--help"],
        vec!["init", "--help"],
        vec!["doctor", "--help"],
        vec!["spend", "--help"],
        vec!["spend", "check", "--help"],
        vec!["spend", "record", "--help"],
        vec!["spend", "cancel", "--help"],
        vec!["spend", "usage", "--help"],
        vec!["portal", "--help"],
        vec!["decide", "--help"],
        vec!["obligations", "apply", "--help"],
        vec!["obligations", "list", "--help"],
        vec!["promote", "check", "--help"],
        vec!["policy", "gate", "--help"],
        vec!["portal", "data", "--help"],
        vec!["completions", "--help"],
        vec!["man", "--help"],
    ] {
        let ran = workspace.program(&arguments).exits(0);
        all.push_str(&format!(
            "$ policy-orchestrator {}\n{}\n",
            arguments.join(" "),
            ran.stdout
        ));
    }
    insta::assert_snapshot!("help", all);
}

#[test]
fn without_a_command_there_is_help_and_exit_code_2() {
    let workspace = Workspace::empty();
    let ran = workspace.program(&[]).exits(2);
    assert!(ran.stderr.contains("Usage:"), "{}", ran.stderr);
    workspace.program(&["rum"]).exits(2);
    workspace.program(&["run", "--at", "yesterday"]).exits(2);
    workspace
        .program(&["run", "--retry-delays", "1,x"])
        .exits(2);
    workspace
        .program(&["audit", "reseal", "--reason", ""])
        .exits(2);
}

#[test]
fn a_person_sees_the_level_the_reasons_and_the_way_back() {
    let workspace = Workspace::healthy();
    workspace.integrity("92");
    workspace.forecast("high");
    workspace.write(
        "federation/weighted_consensus.json",
        r#"{"weighted_agreement_pct": 90.5}"#,
    );
    std::fs::remove_file(workspace.file("federation/reputation_index.json")).unwrap();
    let ran = workspace
        .program(&["run", "--at", AT, "--format", "human"])
        .exits(0);
    insta::assert_snapshot!("human", ran.stdout);
    let explained = workspace
        .program(&["explain", "--format", "human"])
        .exits(0);
    // Decided again from the journal alone, all is the same but the files that it no longer needs.
    let but_signals = |text: &str| text.split("\nSignals").next().unwrap().to_owned();
    assert_eq!(but_signals(&explained.stdout), but_signals(&ran.stdout));
    let red = workspace
        .program(&["run", "--at", AT, "--format", "human", "--color", "always"])
        .exits(0);
    assert!(red.stdout.contains("\u{1b}[1;31m■ RED\u{1b}[0m"));
}

#[test]
fn explain_decides_on_given_inputs() {
    let workspace = Workspace::healthy();
    workspace.write("what-if.json", r#"{"trust_locked": false, "integrity_score": 93, "consensus_pct": 95, "reputation_score": "85", "forecast_risk": "low", "recent_responses": 0}"#);
    let explained = workspace
        .program(&["explain", "--inputs", "what-if.json", "--at", AT])
        .exits(0)
        .json();
    assert_eq!(
        (
            &explained["policy"],
            &explained["needs"][0]["changes"][0]["to"]
        ),
        (&json!("YELLOW"), &json!("at least 95.0"))
    );
    workspace.run().exits(0);
    let of_state = workspace
        .program(&["explain", "--inputs", "state/policy_state.json"])
        .exits(0)
        .json();
    assert_eq!(of_state["policy"], "GREEN");
    workspace.write(
        "bad.json",
        r#"{"integrity_score": 193, "trust_locked": "no"}"#,
    );
    let ran = workspace
        .program(&["explain", "--inputs", "bad.json"])
        .exits(1);
    assert!(
        ran.stderr.contains("VALUE_RANGE") && ran.stderr.contains("VALUE_TYPE"),
        "{}",
        ran.stderr
    );
    workspace
        .program(&["explain", "--inputs", "nowhere.json"])
        .exits(1);
}

#[test]
fn explain_goes_back_to_any_recorded_decision() {
    let workspace = Workspace::healthy();
    workspace.run_at("2026-01-15T12:00:00Z").exits(0);
    workspace.forecast("high");
    workspace.run_at("2026-01-15T12:01:00Z").exits(0);
    assert_eq!(
        workspace
            .program(&["explain", "--number", "1"])
            .exits(0)
            .json()["policy"],
        "GREEN"
    );
    let last = workspace.program(&["explain"]).exits(0).json();
    assert_eq!(
        (&last["policy"], &last["number"]),
        (&json!("RED"), &json!(2))
    );
    workspace.program(&["explain", "--number", "3"]).exits(1);
}

#[test]
fn status_tells_age_lateness_and_wholeness() {
    let workspace = Workspace::healthy();
    let status = |at: &str| workspace.program(&["status", "--at", at]);
    let ran = status(AT).exits(1);
    assert!(ran.stderr.contains("NOTHING_RECORDED"), "{}", ran.stderr);
    workspace.program(&["run"]).exits(0);
    let now = workspace.program(&["status"]).exits(0).json();
    assert_eq!(
        (&now["late"], &now["journal"]["whole"], &now["policy"]),
        (&json!(false), &json!(true), &json!("GREEN"))
    );
    assert_eq!(status("2999-01-01T00:00:00Z").exits(0).json()["late"], true);
    workspace.run().exits(0);
    let given = workspace.program(&["status", "--at", AT]).exits(0);
    assert_eq!(
        given.json()["late"],
        true,
        "a decision made with --at is never on time"
    );
    let human = workspace
        .program(&["status", "--at", AT, "--format", "human"])
        .exits(0);
    assert!(human.stdout.contains("never on time"), "{}", human.stdout);
    assert_eq!(
        workspace
            .program(&["status", "--field", "policy"])
            .exits(0)
            .stdout,
        "GREEN\n"
    );
    workspace
        .program(&["status", "--field", "nothing"])
        .exits(2);
    workspace.write("state/policy_state_log.jsonl", "");
    status(AT).exits(5);
}

#[test]
fn init_starts_a_workspace_that_is_green_and_overwrites_nothing() {
    let workspace = Workspace::empty();
    workspace.write(".gitattributes", "*.csv text\n");
    let done = workspace.program(&["init", "--at", AT]).exits(0).json();
    assert_eq!(done["kept"], json!([".gitattributes"]));
    assert_eq!(
        done["to_add"],
        json!([{"file": ".gitattributes", "line": "state/** -text -merge"}])
    );
    assert_eq!(workspace.read(".gitattributes"), "*.csv text\n");
    assert_eq!(workspace.run().exits(0).json()["policy"], "GREEN");
    let before = workspace.snapshot();
    let again = workspace.program(&["init"]).exits(0).json();
    assert_eq!(again["written"], json!([]));
    let mut after = workspace.snapshot();
    after.insert(
        "state/.lock".into(),
        before[std::path::Path::new("state/.lock")].clone(),
    );
    assert_eq!(after, before);
    let workflow = workspace.read(".github/workflows/policy_orchestration.yml");
    assert!(
        !workflow.contains("{{VERSION}}") && !workflow.contains("{{COMMIT}}"),
        "every placeholder is filled in"
    );
    assert!(workflow.contains("cron: \"45 4 * * *\""));
}

#[test]
fn init_invents_no_signal_where_others_are() {
    let workspace = Workspace::empty();
    workspace.write(
        "federation/weighted_consensus.json",
        r#"{"weighted_agreement_pct": 91.5}"#,
    );
    workspace.program(&["init", "--at", AT]).exits(0);
    let state = workspace.run().exits(0).json();
    assert_eq!(
        (&state["policy"], &state["inputs"]["consensus_pct"]),
        (&json!("YELLOW"), &json!(91.5))
    );
    assert!(!workspace.file("trust_lock_state.json").exists());
}

#[test]
fn doctor_finds_what_is_wrong_with_its_remedy_and_changes_nothing() {
    let workspace = Workspace::healthy();
    workspace.run().exits(0);
    let before = workspace.snapshot();
    workspace.program(&["doctor", "--at", AT]).exits(0);
    assert_eq!(workspace.snapshot(), before);

    workspace.forecast("critical");
    workspace.write(
        "policy/policy_thresholds.json",
        r#"{"yelow_integrity": 96}"#,
    );
    workspace.write("state/.policy_state.json.tmp", "");
    let ran = workspace
        .program(&[
            "doctor",
            "--at",
            "2026-01-14T00:00:00Z",
            "--format",
            "human",
        ])
        .exits(1);
    for part in [
        "critical",
        "did you mean `yellow_integrity`?",
        "after now",
        "left by a killed run",
        "POLICY_AUDIT_SECRET",
        "no repository here",
    ] {
        assert!(ran.stdout.contains(part), "{part} in {}", ran.stdout);
    }
    workspace.write("state/policy_state_log.jsonl", "");
    workspace.program(&["doctor", "--at", AT]).exits(5);
}

#[test]
fn completions_and_manual_pages_are_made_from_the_command_line() {
    let workspace = Workspace::empty();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(
            workspace
                .program(&["completions", shell])
                .exits(0)
                .stdout
                .contains("reseal"),
            "{shell}"
        );
    }
    assert!(
        workspace
            .program(&["man"])
            .exits(0)
            .stdout
            .starts_with(".ie")
    );
    assert!(
        workspace
            .program(&["man", "audit", "verify"])
            .exits(0)
            .stdout
            .contains("NUMBER:SHA256")
    );
    workspace.program(&["man", "nothing"]).exits(1);
}

#[test]
fn the_workspace_is_named_by_option_then_variable_then_directory() {
    let (workspace, elsewhere) = (Workspace::healthy(), Workspace::empty());
    let named = workspace.path().to_str().unwrap();
    let run = |arguments: &[&str], variable: Option<&str>| -> Ran {
        let mut command = elsewhere.command(arguments);
        if let Some(variable) = variable {
            command.env("POLICY_WORKSPACE", variable);
        }
        command.output().unwrap().into()
    };
    assert_eq!(
        run(
            &["run", "--dry-run", "--at", AT, "--workspace", named],
            None
        )
        .json()["policy"],
        "GREEN"
    );
    assert_eq!(
        run(&["run", "--dry-run", "--at", AT], Some(named)).json()["policy"],
        "GREEN"
    );
    assert_eq!(
        run(&["run", "--dry-run", "--at", AT], Some("")).json()["policy"],
        "YELLOW"
    );
    let ran = run(&["run", "--workspace", "nowhere"], None).exits(1);
    assert!(ran.stderr.contains("WORKSPACE_ABSENT"), "{}", ran.stderr);
    // What can't be looked at is not said to be absent.
    let around = workspace.file("around");
    std::os::unix::fs::symlink(&around, &around).unwrap();
    let ran = run(&["run", "--workspace", around.to_str().unwrap()], None).exits(1);
    assert!(
        ran.stderr
            .contains("found: too many levels of symbolic links"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_workflow_is_told_what_a_dry_run_would_decide() {
    let workspace = Workspace::healthy();
    workspace.integrity("93");
    let mut command = workspace.command(&["run", "--dry-run", "--at", AT]);
    command
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_OUTPUT", "output")
        .env("GITHUB_STEP_SUMMARY", "summary.md");
    Ran::from(command.output().unwrap()).exits(0);
    assert_eq!(
        workspace.read("output"),
        "level=YELLOW\nchanged=true\nreasons=INTEGRITY_BELOW_YELLOW\nnumber=\ndigest=\nfix_branch=\n"
    );
    let summary = workspace.read("summary.md");
    assert!(summary.contains("Policy level: YELLOW"), "{summary}");
    assert!(
        summary.contains("Nothing was recorded in the journal."),
        "{summary}"
    );
    assert!(!workspace.path().join("state").exists());
}

#[test]
fn a_workflow_gets_annotations_a_summary_and_outputs() {
    let workspace = Workspace::healthy().with_git();
    workspace.write(
        "forensics/forensics_anomaly_forecast.json",
        "{\n  \"risk_level\": \"critical\"\n}",
    );
    workspace.integrity("93%");
    let run = |at: &str| -> Ran {
        let mut command = workspace.command(&["run", "--at", at, "--retry-delays", "0"]);
        command
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_OUTPUT", "output")
            .env("GITHUB_STEP_SUMMARY", "summary.md");
        command.output().unwrap().into()
    };
    let ran = run(AT).exits(1);
    ran.json();
    assert!(ran.stderr.contains("::error file=forensics/forensics_anomaly_forecast.json,line=2,col=17,title=VALUE_UNKNOWN::"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains(
            "::warning file=exports/integrity_metrics_registry.csv,line=2,title=PERCENT_SIGN::"
        ),
        "{}",
        ran.stderr
    );
    let digest = workspace.state()["journal"]["sha256"].clone();
    let digest = digest.as_str().unwrap();
    assert_eq!(
        workspace.read("output"),
        format!(
            "level=RED\nchanged=true\nreasons=INPUT_INVALID,INTEGRITY_BELOW_YELLOW\nnumber=1\n\
             digest={digest}\nfix_branch=fix/policy-orchestrator-20260115120000\n"
        )
    );
    insta::assert_snapshot!(
        "summary",
        workspace.read("summary.md").replace(
            workspace.state()["journal"]["sha256"].as_str().unwrap(),
            "<sha256>"
        )
    );
    run("2026-01-15T12:10:00Z").exits(1);
    assert!(workspace.read("output").ends_with("\nfix_branch=\n"));
}
