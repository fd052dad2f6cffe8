//! `respond --apply` (rows S4-091 to S4-116, S0-040, S0-041, OR-04 to OR-10, C-06, C-31, C-68).

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::workspace::{Ran, Workspace};

const BRAKE: &str = "forensics/safety_brake_state.json";
const LOG: &str = "state/policy_response_log.jsonl";
const RESPONSES: &str = "policy/responses.json";
const BLOCKED: &str = "reports/policy_response_blocked.json";

/// A workspace whose last decision is RED and fresh, with every gate open and an anchor to mirror.
fn red() -> Workspace {
    let workspace = Workspace::healthy();
    workspace.integrity("80");
    workspace.write(BRAKE, "{\"is_engaged\": false, \"response_count_24h\": 0}");
    workspace.write("artifacts/integrity_anchor.json", "{\"sha\":\"abc\"}");
    workspace.program(&["run"]).exits(0);
    workspace
}

/// The same with these declared actions alone.
fn with_actions(actions: &Value) -> Workspace {
    let workspace = red();
    declare(&workspace, actions);
    workspace
}

fn declare(workspace: &Workspace, actions: &Value) {
    let document = json!({"schema": 1, "builtin": false, "actions": actions});
    workspace.write(RESPONSES, document.to_string());
}

fn shell(name: &str, script: &str) -> Value {
    json!({"name": name, "level": "RED", "argv": ["/bin/sh", "-c", script]})
}

fn apply(workspace: &Workspace, further: &[&str]) -> Ran {
    let arguments: Vec<&str> = ["respond", "--apply"]
        .iter()
        .chain(further)
        .copied()
        .collect();
    workspace.program(&arguments)
}

fn log(workspace: &Workspace) -> Vec<Value> {
    let lines = workspace.read(LOG);
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn events(workspace: &Workspace, name: &str) -> Vec<Value> {
    let lines = workspace.read("state/policy_response_journal.jsonl");
    let all = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    all.filter(|line| line["event"] == name).collect()
}

fn undo_files(workspace: &Workspace) -> Vec<PathBuf> {
    let files = workspace.snapshot().into_keys();
    files
        .filter(|file| {
            file.to_string_lossy()
                .starts_with("state/policy_response_undo_")
        })
        .collect()
}

/// Tries an apply that has to be blocked for `reason` with nothing started, and checks what it
/// leaves.
#[track_caller]
fn blocked(workspace: &Workspace, further: &[&str], reason: &str) {
    let before = workspace.snapshot();
    let ran = apply(workspace, further).exits(3);
    let shown = ran.json();
    assert_eq!(
        (&shown["blocked"], &shown["reason"]),
        (&json!(true), &json!(reason))
    );
    let report: Value = serde_json::from_str(&workspace.read(BLOCKED)).unwrap();
    for key in ["response_id", "timestamp", "policy", "blocked", "reason"] {
        assert!(report.get(key).is_some(), "{key}");
    }
    assert_eq!(report["reason"], reason);
    let last = log(workspace).pop().unwrap();
    assert_eq!(last["blocked"], true);
    assert_eq!(last["safety_gates_passed"], false);
    let marker = format!("reason: {reason} -->");
    assert!(workspace.read("audit_summary.md").contains(&marker));
    assert!(!workspace.file("mirrors").exists());
    let ours = ["state", "reports", "audit_summary.md"];
    let after = workspace.snapshot();
    for (file, bytes) in &after {
        if !ours.iter().any(|own| file.starts_with(own)) {
            assert_eq!(before.get(file), Some(bytes), "{}", file.display());
        }
    }
    workspace.program(&["audit", "verify"]).exits(0);
}

#[test]
fn apply_executes() {
    let workspace = red();
    let report = apply(&workspace, &[]).exits(0).json();
    assert_eq!(report["actions_succeeded"], 3);
    let names: Vec<&str> = report["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "full_integrity_check",
            "cold_storage_verification",
            "integrity_anchor_mirror"
        ]
    );
    let lines = log(&workspace);
    assert_eq!(lines.len(), 1);
    let line = &lines[0];
    for key in [
        "response_id",
        "timestamp",
        "policy",
        "mode",
        "safety_gates_passed",
        "actions_planned",
        "actions_succeeded",
        "results",
    ] {
        assert!(line.get(key).is_some(), "{key}");
    }
    for key in [
        "action",
        "command",
        "success",
        "reversible",
        "undo_instruction",
        "stdout",
        "stderr",
        "duration",
    ] {
        assert!(line["results"][0].get(key).is_some(), "{key}");
    }
    assert_eq!(
        (&line["mode"], &line["policy"]),
        (&json!("apply"), &json!("RED"))
    );
    assert!(workspace.file("mirrors/anchor_chain.json").exists());
    // A response of its own does not make the next decision worse (C-31).
    workspace.program(&["run"]).exits(0);
    assert_eq!(workspace.state()["inputs"]["recent_responses"], 0);
    workspace.program(&["audit", "verify"]).exits(0);
    assert_eq!(workspace.temporary_files(), Vec::<PathBuf>::new());
}

#[test]
fn each_execution_is_recorded_with_what_it_changed_and_for_whom() {
    let workspace = red();
    let ran: Ran = workspace
        .command(&["respond", "--apply"])
        .env("GITHUB_ACTOR", "ada")
        .output()
        .unwrap()
        .into();
    let id = ran.exits(0).json()["response_id"].clone();
    let executed = events(&workspace, "workflow_exec");
    assert_eq!(executed.len(), 3);
    let mirror = &executed[2];
    assert_eq!((&mirror["id"], &mirror["user"]), (&id, &json!("ada")));
    assert!(mirror["pre"].is_string() && mirror["pre"] != mirror["post"]);
    assert_eq!(events(&workspace, "intent").len(), 3);
    assert!(mirror["standing"]["under_way"]["action"].is_null());
}

#[test]
fn undo_file_created() {
    let workspace = red();
    workspace.write("mirrors/anchor_chain.json", "[]\n");
    let id = apply(&workspace, &[]).exits(0).json()["response_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let files = undo_files(&workspace);
    let name = format!("state/policy_response_undo_{id}_integrity_anchor_mirror.json");
    assert_eq!(files, [PathBuf::from(&name)]);
    let undo: Value = serde_json::from_str(&workspace.read(&name)).unwrap();
    assert_eq!(
        undo["undo_instruction"],
        "Restore previous anchor_chain.json from mirrors/anchor_chain.json.backup"
    );
    for key in [
        "response_id",
        "action",
        "executed_at",
        "backup_sha256",
        "post_sha256",
    ] {
        assert!(undo[key].is_string(), "{key}");
    }
    let kept = undo["files"]
        .as_array()
        .unwrap()
        .iter()
        .find(|file| file["path"] == "mirrors/anchor_chain.json")
        .unwrap();
    assert_eq!(workspace.read(kept["backup"].as_str().unwrap()), "[]\n");
    // The way of the old runbook works too (S4-109, S4-110).
    assert_eq!(workspace.read("mirrors/anchor_chain.json.backup"), "[]\n");
    std::fs::copy(
        workspace.file("mirrors/anchor_chain.json.backup"),
        workspace.file("mirrors/anchor_chain.json"),
    )
    .unwrap();
    workspace
        .program(&["action", "cold_storage_verification"])
        .exits(0);
}

#[test]
fn trust_lock_blocks() {
    let workspace = red();
    workspace.write("trust_lock_state.json", "{\"locked\": true}");
    blocked(&workspace, &[], "trust_guard_locked");
}

#[test]
fn safety_brake_blocks() {
    let workspace = red();
    workspace.write(BRAKE, "{\"is_engaged\": true, \"response_count_24h\": 0}");
    blocked(&workspace, &[], "safety_brake_engaged");
}

#[test]
fn rate_limit_blocks() {
    let workspace = red();
    workspace.write(BRAKE, "{\"is_engaged\": false, \"response_count_24h\": 10}");
    blocked(&workspace, &[], "rate_limit_exceeded_10/10");
    workspace.write(BRAKE, "{\"is_engaged\": false, \"response_count_24h\": 9}");
    apply(&workspace, &[]).exits(0);
}

#[test]
fn own_applies_count_and_the_eleventh_is_blocked() {
    let workspace = with_actions(&json!([shell("count", "echo x >> count")]));
    apply(&workspace, &[]).exits(0);
    for _ in 1..10 {
        apply(&workspace, &["--again", "--reason", "test"]).exits(0);
    }
    blocked(
        &workspace,
        &["--again", "--reason", "test"],
        "rate_limit_exceeded_10/10",
    );
    assert_eq!(workspace.read("count").lines().count(), 10);
    // Blocked attempts don't count.
    blocked(
        &workspace,
        &["--again", "--reason", "test"],
        "rate_limit_exceeded_10/10",
    );
}

#[test]
fn manual_unlock_limit_blocks() {
    let workspace = red();
    let today = chrono::Utc::now().format("%Y-%m-%dT00:00:00Z");
    workspace.write(
        "trust_lock_state.json",
        format!("{{\"locked\": false, \"manual_unlocks_today\": 3, \"manual_unlocks_last_reset\": \"{today}\"}}"),
    );
    blocked(&workspace, &[], "manual_unlock_limit_3/3");
}

#[test]
fn marker_on_block() {
    let workspace = red();
    workspace.write("audit_summary.md", "# Notes\r\n\0 other tools\r\n");
    workspace.write("state/kill_switch.json", "{\"on\": true}");
    blocked(&workspace, &[], "kill_switch_on");
    blocked(&workspace, &[], "kill_switch_on");
    let summary = workspace.read("audit_summary.md");
    assert_eq!(summary.matches("POLICY_RESPONSE: BLOCKED").count(), 1);
    assert!(summary.starts_with("# Notes\r\n\0 other tools\r\n"));
}

#[test]
fn safeguards_that_are_missing_or_odd_block_an_apply() {
    let odd: [&[u8]; 7] = [
        b"",
        b"{}",
        b"null",
        b"[]",
        b"{\"locked\": NaN}",
        b"{\"is_engaged\": NaN}",
        b"\xff",
    ];
    for file in ["trust_lock_state.json", BRAKE] {
        let workspace = red();
        std::fs::remove_file(workspace.file(file)).unwrap();
        apply(&workspace, &[]).exits(3);
        for content in odd {
            workspace.write(file, content);
            apply(&workspace, &[]).exits(3);
        }
        std::fs::remove_file(workspace.file(file)).unwrap();
        std::os::unix::fs::symlink("nowhere", workspace.file(file)).unwrap();
        apply(&workspace, &[]).exits(3);
        std::fs::remove_file(workspace.file(file)).unwrap();
        std::fs::create_dir(workspace.file(file)).unwrap();
        apply(&workspace, &[]).exits(3);
        assert!(!workspace.file("mirrors").exists());
    }
}

#[test]
fn a_plan_is_applied_once_and_again_only_on_somebodys_word() {
    let workspace = with_actions(&json!([shell("count", "echo x >> count")]));
    apply(&workspace, &[]).exits(0);
    blocked(&workspace, &[], "already_applied");
    apply(&workspace, &["--again"]).exits(2);
    apply(&workspace, &["--again", "--reason", " "]).exits(2);
    apply(
        &workspace,
        &["--again", "--reason", "the first did not help"],
    )
    .exits(0);
    assert_eq!(workspace.read("count"), "x\nx\n");
    assert_eq!(
        log(&workspace).pop().unwrap()["again"],
        "the first did not help"
    );
    // The next decision makes another plan.
    workspace.program(&["run"]).exits(0);
    apply(&workspace, &[]).exits(0);
}

#[test]
fn another_level_needs_to_be_forced_with_a_reason() {
    let workspace = red();
    blocked(&workspace, &["--policy", "YELLOW"], "level_differs");
    apply(&workspace, &["--policy", "YELLOW", "--force-level"]).exits(2);
    let forced = ["--policy", "YELLOW", "--force-level", "--reason", "drill"];
    let report = apply(&workspace, &forced).exits(0).json();
    assert_eq!(report["policy"], "YELLOW");
    assert_eq!(log(&workspace).pop().unwrap()["forced"], "drill");
}

#[test]
fn a_single_action_of_the_plan_can_be_applied() {
    let workspace = Workspace::healthy();
    workspace.integrity("92");
    workspace.write(BRAKE, "{\"is_engaged\": false, \"response_count_24h\": 0}");
    workspace.program(&["run"]).exits(0);
    let only = ["--policy", "YELLOW", "--only", "integrity_check"];
    let report = apply(&workspace, &only).exits(0).json();
    assert_eq!(report["results"].as_array().unwrap().len(), 1);
    let ran = apply(&workspace, &["--only", "page"]).exits(2);
    assert!(
        ran.stderr.contains("integrity_check, schema_validation"),
        "{}",
        ran.stderr
    );
}

#[test]
fn green_applies_nothing_and_records_nothing() {
    let workspace = Workspace::healthy();
    workspace.program(&["run"]).exits(0);
    apply(&workspace, &[]).exits(0);
    assert!(!workspace.file(LOG).exists());
}

#[test]
fn a_failing_action_keeps_later_ones_that_change_files_from_starting() {
    let mut change = shell("change", "echo x > changed");
    change["changes"] = json!(["changed"]);
    let actions = json!([
        shell("fails", "echo why >&2; exit 7"),
        shell("looks", "echo looked"),
        change
    ]);
    let workspace = with_actions(&actions).with_git();
    let head = workspace.repository().head().unwrap().target();
    let ran = apply(&workspace, &[]).exits(1);
    let results = ran.json()["results"].clone();
    assert_eq!(results[0]["ended"], "exited 7");
    assert_eq!(results[0]["stderr"], "why\n");
    assert_eq!(
        (&results[1]["success"], &results[1]["stdout"]),
        (&json!(true), &json!("looked\n"))
    );
    assert_eq!(results[2]["ended"], "an earlier action failed");
    assert!(!workspace.file("changed").exists());
    assert!(ran.stderr.contains("ACTION_FAILED"), "{}", ran.stderr);
    assert!(
        workspace
            .read("audit_summary.md")
            .contains("<!-- POLICY_RESPONSE: FAILED ")
    );
    let branches = workspace.fix_branches();
    assert_eq!(branches.len(), 1);
    assert!(
        branches[0].starts_with("fix/policy-response-2"),
        "{branches:?}"
    );
    assert_eq!(workspace.repository().head().unwrap().target(), head);
    // The failure goes on: no second branch.
    apply(&workspace, &["--again", "--reason", "test"]).exits(1);
    assert_eq!(workspace.fix_branches(), branches);
}

#[test]
fn yellow_with_a_failed_action_exits_with_1_too() {
    let workspace = Workspace::healthy();
    workspace.integrity("92");
    workspace.write(BRAKE, "{\"is_engaged\": false, \"response_count_24h\": 0}");
    workspace.program(&["run"]).exits(0);
    declare(
        &workspace,
        &json!([{"name": "fails", "level": "YELLOW", "argv": ["/bin/false"]}]),
    );
    apply(&workspace, &[]).exits(1);
    assert!(
        workspace
            .file("reports/policy_response_failure.json")
            .exists()
    );
}

#[test]
fn output_is_cut_to_500_characters_and_never_holds_a_secret() {
    let secret = "correct-horse-battery";
    let print = r#"i=0; while [ $i -lt 3000 ]; do printf 'é'; i=$((i+1)); done; printf '%s' "$MY_TOKEN" >&2"#;
    let mut action = shell("print", print);
    action["environment"] = json!(["MY_TOKEN"]);
    let workspace = with_actions(&json!([action]));
    let ran: Ran = workspace
        .command(&["respond", "--apply"])
        .env("MY_TOKEN", secret)
        .env("POLICY_AUDIT_SECRET", "k".repeat(32))
        .output()
        .unwrap()
        .into();
    let result = ran.exits(0).json()["results"][0].clone();
    assert_eq!(result["stdout"].as_str().unwrap().chars().count(), 500);
    assert_eq!(result["stderr"], "<REDACTED>");
    for (file, bytes) in workspace.snapshot() {
        let found = memchr::memmem::find(&bytes, secret.as_bytes()).is_some();
        assert!(!found, "{}", file.display());
    }
}

#[test]
fn an_action_sees_only_the_variables_that_it_is_allowed_to() {
    let mut action = shell("env", "env > seen");
    action["environment"] = json!(["ALLOWED"]);
    let workspace = with_actions(&json!([action]));
    let ran: Ran = workspace
        .command(&["respond", "--apply"])
        .env("ALLOWED", "1")
        .env("OTHER", "2")
        .env("POLICY_AUDIT_SECRET", "k".repeat(32))
        .output()
        .unwrap()
        .into();
    ran.exits(0);
    let seen = workspace.read("seen");
    assert!(
        seen.contains("ALLOWED=1") && seen.contains("PATH="),
        "{seen}"
    );
    assert!(
        !seen.contains("OTHER") && !seen.contains("POLICY_AUDIT_SECRET"),
        "{seen}"
    );
}

#[test]
fn an_action_in_its_cooldown_is_skipped_and_says_until_when() {
    let mut action = shell("count", "echo x >> count");
    action["cooldown_seconds"] = json!(3600);
    let workspace = with_actions(&json!([action]));
    apply(&workspace, &[]).exits(0);
    let report = apply(&workspace, &["--again", "--reason", "test"])
        .exits(0)
        .json();
    assert_eq!(report["results"][0]["skipped"], true);
    let ended = report["results"][0]["ended"].as_str().unwrap();
    assert!(ended.contains("in its cooldown until"), "{ended}");
    assert_eq!(workspace.read("count"), "x\n");
}

#[test]
fn an_action_that_outlives_its_time_is_ended() {
    let mut action = shell("slow", "trap '' TERM; sleep 60 & sleep 60");
    action["timeout_seconds"] = json!(1);
    let workspace = with_actions(&json!([action]));
    let report = apply(&workspace, &[]).exits(1).json();
    assert_eq!(report["results"][0]["ended"], "timed out after 1 s");
}

#[test]
fn the_kill_switch_stops_an_action_that_runs_and_all_behind_it() {
    let actions = json!([
        shell("slow", "echo on > started; sleep 60"),
        shell("next", "echo x > next")
    ]);
    let workspace = with_actions(&actions);
    let running = started(&workspace);
    // Neither of these waits for the action.
    workspace.program(&["status"]).exits(0);
    workspace.program(&["run", "--lock-timeout", "1"]).exits(0);
    workspace.write("state/kill_switch.json", "{\"on\": true}");
    let ran: Ran = running.wait_with_output().unwrap().into();
    let results = ran.exits(1).json()["results"].clone();
    assert_eq!(results[0]["ended"], "stopped by the kill switch");
    assert!(!workspace.file("next").exists());
}

#[test]
fn kill_on_waits_until_nothing_of_an_apply_runs_and_records_how_long_that_took() {
    let script = "trap '' TERM; echo $$ > started; while :; do sleep 60; done";
    let workspace = with_actions(&json!([shell("stubborn", script)]));
    let running = started(&workspace);
    let ran = workspace
        .program(&["kill", "on", "--reason", "drill"])
        .exits(0);
    // No time to end it was left to the action: it was gone when `kill on` returned.
    let pid = workspace.read("started");
    assert!(
        !std::path::Path::new("/proc")
            .join(pid.trim())
            .join("exe")
            .exists()
    );
    let effect = &ran.json()["effect"];
    assert_eq!(effect["applies"], 1);
    assert!(effect["stopped_ms"].as_f64().unwrap() > effect["set_ms"].as_f64().unwrap());
    assert!(
        ran.stderr.contains("EMERGENCY KILL-SWITCH ACTIVATED in ")
            && ran
                .stderr
                .contains("the apply that was under way has ended"),
        "{}",
        ran.stderr
    );
    running.wait_with_output().unwrap();
    let status = workspace.program(&["kill", "status"]).exits(1).json();
    assert_eq!(status["affectedAgents"], 1);
    assert_eq!(status["lastResponseTime"], effect["stopped_ms"]);
}

#[test]
fn a_signal_ends_the_action_and_is_recorded() {
    for signal in ["INT", "TERM", "HUP"] {
        let actions = json!([
            shell("slow", "echo on > started; sleep 60"),
            shell("next", "echo x > next")
        ]);
        let workspace = with_actions(&actions);
        let running = started(&workspace);
        let kill = format!("kill -{signal} {}", running.id());
        assert!(
            std::process::Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
        let ran: Ran = running.wait_with_output().unwrap().into();
        let results = ran.exits(1).json()["results"].clone();
        assert_eq!(results[0]["ended"], "stopped: a signal asked to end");
        assert_eq!(results[1]["ended"], "not started: a signal asked to end");
        assert!(!workspace.file("next").exists());
        // Its outcome is known, so nothing is left to settle.
        let ran = workspace.program(&["respond"]).exits(0);
        assert!(!ran.stdout.contains("outcome_unknown"), "{}", ran.stdout);
    }
}

#[test]
fn a_broken_declaration_is_refused_whole_with_its_place() {
    let workspace = red();
    for document in [
        "{",
        "{\"schema\":1,\"actions\":[{\"name\":\"x\"}]}",
        "{\"schema\":2}",
        "{\"schema\":1,\"surprise\":1}",
    ] {
        workspace.write(RESPONSES, document);
        for arguments in [&["respond"][..], &["respond", "--apply"]] {
            let ran = workspace.program(arguments).exits(1);
            assert!(ran.stderr.contains(RESPONSES), "{document}: {}", ran.stderr);
        }
    }
    assert!(!workspace.file(LOG).exists());
}

#[test]
fn a_link_among_the_files_of_an_action_keeps_it_from_starting() {
    let mut action = shell("change", "echo x > target");
    action["changes"] = json!(["kept"]);
    action["reversible"] = json!(true);
    let workspace = with_actions(&json!([action]));
    workspace.write("target", "mine");
    std::os::unix::fs::symlink("target", workspace.file("kept")).unwrap();
    let report = apply(&workspace, &[]).exits(1).json();
    let ended = report["results"][0]["ended"].as_str().unwrap();
    assert!(
        ended.starts_with("not started: LINK_REFUSED kept"),
        "{ended}"
    );
    assert_eq!(workspace.read("target"), "mine");
}

#[test]
fn without_a_secret_records_are_unsigned_and_in_production_nothing_is_applied() {
    let workspace = red();
    let in_production = |key: Option<&str>| -> Ran {
        let mut command = workspace.command(&["respond", "--apply"]);
        command.env("ENV", "production");
        command.envs(key.map(|key| ("POLICY_AUDIT_SECRET", key)));
        command.output().unwrap().into()
    };
    let ran = in_production(None).exits(3);
    assert!(ran.stdout.contains("signing_secret_missing"));
    // Nobody can approve yet.
    let secret = "s".repeat(32);
    let ran = in_production(Some(&secret)).exits(3);
    assert!(ran.stdout.contains("approver_missing"));
    assert!(!workspace.file("mirrors").exists());

    let unsigned = red();
    apply(&unsigned, &[]).exits(0);
    assert!(log(&unsigned)[0].get("hmac").is_none());
    let signed = red();
    let ran: Ran = signed
        .command(&["respond", "--apply"])
        .env("POLICY_AUDIT_SECRET", &secret)
        .output()
        .unwrap()
        .into();
    ran.exits(0);
    assert!(log(&signed)[0].get("hmac").is_some());
    // A signed log and no key: blocked, and nobody can record that it was.
    let ran = apply(&signed, &["--again", "--reason", "test"]).exits(3);
    assert!(ran.stderr.contains("SECRET_MISSING"), "{}", ran.stderr);
    assert_eq!(log(&signed).len(), 1);
}

#[test]
fn in_a_workflow_only_an_unattended_apply_makes_sense_and_wants_an_approver() {
    let workspace = red();
    let in_workflow = |arguments: &[&str], switch: Option<&str>| -> Ran {
        let mut command = workspace.command(arguments);
        command.env("GITHUB_ACTIONS", "true");
        command.envs(switch.map(|word| ("POLICY_AUTO_APPLY", word)));
        command.output().unwrap().into()
    };
    in_workflow(&["respond", "--apply"], None).exits(2);
    in_workflow(&["respond"], None).exits(0);
    let unattended = ["respond", "--apply", "--auto"];
    let closed = |ran: &Ran| -> Vec<String> {
        let gates = ran.json()["gates"].as_array().unwrap().clone();
        let closed = gates.into_iter().filter(|gate| gate["open"] == false);
        closed
            .map(|gate| gate["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let ran = in_workflow(&unattended, Some("True")).exits(3);
    assert_eq!(closed(&ran), ["auto_apply", "approver"]);
    let ran = in_workflow(&unattended, Some("true")).exits(3);
    assert_eq!(closed(&ran), ["approver"]);
    workspace.program(&["run"]).exits(0);
    let ran = in_workflow(&unattended, Some("true")).exits(3);
    assert_eq!(closed(&ran), ["preview", "approver"]);
    assert!(!workspace.file("mirrors").exists());
}

#[test]
fn sixteen_applies_of_one_preview_run_it_once() {
    let workspace = with_actions(&json!([shell("count", "echo x >> count; sleep 0.3")]));
    workspace.program(&["respond"]).exits(0);
    let start = || {
        workspace
            .command(&["respond", "--apply"])
            .env("USER", "ada")
            .env_remove("SUDO_USER")
            .env_remove("GITHUB_ACTOR")
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    let running: Vec<_> = (0..16).map(|_| start()).collect();
    let ran = running
        .into_iter()
        .map(|child| Ran::from(child.wait_with_output().unwrap()));
    let (done, refused): (Vec<Ran>, Vec<Ran>) = ran.partition(|ran| ran.code == 0);
    assert_eq!((done.len(), refused.len()), (1, 15));
    for ran in refused {
        let ran = ran.exits(3);
        assert!(ran.stdout.contains("by ada"), "{}", ran.stdout);
    }
    assert_eq!(workspace.read("count"), "x\n");
    assert_eq!(log(&workspace).len(), 16);
    workspace.program(&["audit", "verify"]).exits(0);
}

#[test]
fn a_signature_or_dry_run_can_not_be_passed_over_by_the_hidden_commands() {
    let workspace = red();
    let perform = [
        "perform",
        "integrity_anchor_mirror",
        "--at",
        "2026-01-15T12:00:00Z",
    ];
    let ran = workspace.program(&perform).exits(2);
    assert!(ran.stderr.contains("part of an apply"), "{}", ran.stderr);
    workspace.program(&["supervise"]).exits(2);
    assert!(!workspace.file("mirrors").exists());
}

/// Starts an apply and waits until its first action says that it began.
fn started(workspace: &Workspace) -> std::process::Child {
    let running = workspace
        .command(&["respond", "--apply"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    while !workspace.file("started").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    running
}

#[test]
fn a_gate_that_is_closed_meanwhile_keeps_the_next_action_from_starting() {
    type Close = fn(&Workspace);
    let cases: [(&str, Close); 6] = [
        ("freeze is closed", |workspace| {
            workspace.write("policy/policy_thresholds.json", "{\"orange\": 1}");
        }),
        ("trust_unlocked", |workspace| {
            workspace.write("trust_lock_state.json", "{\"locked\": true}");
        }),
        ("safety_brake_off", |workspace| {
            workspace
                .program(&["brake", "engage", "--reason", "test"])
                .exits(0);
        }),
        ("level is closed", |workspace| {
            workspace.integrity("99");
            workspace.program(&["run"]).exits(0);
        }),
        ("level is closed", |workspace| {
            workspace.integrity("93");
            workspace.program(&["run"]).exits(0);
        }),
        ("journals", |workspace| {
            let journal = workspace.read("state/policy_state_log.jsonl");
            workspace.write(
                "state/policy_state_log.jsonl",
                journal.replace("80.0", "81.0"),
            );
        }),
    ];
    for (gate, close) in cases {
        let wait = "echo on > started; while [ ! -e go ]; do sleep 0.01; done";
        let workspace = with_actions(&json!([
            shell("wait", wait),
            shell("next", "echo x > next")
        ]));
        let running = started(&workspace);
        close(&workspace);
        workspace.write("go", "");
        let ran: Ran = running.wait_with_output().unwrap().into();
        assert_eq!(ran.code, 1, "{gate}: {}", ran.stderr);
        assert!(!workspace.file("next").exists(), "{gate}");
        let all = format!("{}{}", ran.stdout, ran.stderr);
        assert!(all.contains(gate), "{gate}: {all}");
    }
}

#[test]
fn a_level_without_actions_calls_for_nothing() {
    let workspace = with_actions(&json!([]));
    for arguments in [&["respond"][..], &["respond", "--apply"]] {
        let ran = workspace.program(arguments).exits(0);
        assert!(
            ran.stderr.contains("RED calls for nothing"),
            "{}",
            ran.stderr
        );
    }
    assert!(!workspace.file(LOG).exists());
}

#[test]
fn an_action_is_not_repeated_for_one_decision_by_asking_for_it_alone() {
    let workspace = with_actions(&json!([
        shell("one", "echo x >> one"),
        shell("two", "echo x >> two")
    ]));
    apply(&workspace, &["--only", "one"]).exits(0);
    blocked(&workspace, &["--only", "one"], "already_applied");
    blocked(&workspace, &[], "already_applied");
    // What was not done yet is no repetition.
    apply(&workspace, &["--only", "two"]).exits(0);
    assert_eq!(
        (
            workspace.read("one").as_str(),
            workspace.read("two").as_str()
        ),
        ("x\n", "x\n")
    );
}

#[test]
fn a_reason_is_one_line_and_not_a_book() {
    let workspace = red();
    for reason in ["x".repeat(1001), "two\nlines".to_owned()] {
        apply(&workspace, &["--again", "--reason", &reason]).exits(2);
    }
    apply(&workspace, &["--again", "--reason", &"é".repeat(1000)]).exits(0);
    workspace.program(&["audit", "verify"]).exits(0);
}

#[test]
fn many_actions_that_print_much_still_make_a_record() {
    let mut actions: Vec<Value> = (0..50)
        .map(|index| {
            shell(
                &format!("a{index}"),
                "head -c 500 /dev/zero | tr '\\0' '\\001' | tee /dev/stderr",
            )
        })
        .collect();
    let workspace = with_actions(&json!(actions));
    apply(&workspace, &[]).exits(0);
    workspace.program(&["audit", "verify"]).exits(0);
    actions.push(shell("one_more", "true"));
    declare(&workspace, &json!(actions));
    let ran = apply(&workspace, &[]).exits(1);
    assert!(ran.stderr.contains("at most 50"), "{}", ran.stderr);
}

#[test]
fn a_record_that_was_put_back_to_an_earlier_time_is_noticed() {
    let workspace = with_actions(&json!([shell("count", "echo x >> count")]));
    let files = [
        LOG,
        "state/policy_response_journal.jsonl",
        "state/journal_heads.json",
    ];
    apply(&workspace, &[]).exits(0);
    let earlier: Vec<_> = files.iter().map(|file| workspace.bytes(file)).collect();
    apply(&workspace, &["--again", "--reason", "test"]).exits(0);
    for (file, bytes) in files.iter().zip(&earlier) {
        workspace.write(file, bytes);
    }
    let ran = workspace.program(&["audit", "verify"]).exits(5);
    assert!(ran.stderr.contains("was verified before"), "{}", ran.stderr);
    let ran = apply(&workspace, &["--again", "--reason", "test"]).exits(3);
    assert!(ran.stdout.contains("journal_broken"), "{}", ran.stdout);
    assert_eq!(workspace.read("count"), "x\nx\n");
}

#[test]
fn a_reseal_of_the_log_forgets_no_apply() {
    let workspace = with_actions(&json!([shell("count", "echo x >> count")]));
    apply(&workspace, &[]).exits(0);
    for _ in 1..10 {
        apply(&workspace, &["--again", "--reason", "test"]).exits(0);
    }
    let log = workspace.read(LOG);
    workspace.write(LOG, log.replacen("\"user\":\"", "\"user\":\"x", 1));
    workspace
        .program(&["audit", "reseal", "--journal", LOG, "--reason", "test"])
        .exits(0);
    workspace.program(&["audit", "verify"]).exits(0);
    let ran = apply(&workspace, &[]).exits(3);
    let closed: Vec<Value> = ran.json()["gates"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|gate| gate["open"] == false)
        .map(|gate| gate["reason"].clone())
        .collect();
    assert_eq!(closed, ["rate_limit_exceeded_10/10", "already_applied"]);
    assert!(
        !ran.stderr.contains("RESPONSE_INTERRUPTED"),
        "{}",
        ran.stderr
    );
}

#[test]
fn no_file_holds_a_secret_that_a_command_line_or_a_reason_quotes() {
    let secret = "hunter2-hunter2";
    let mut quoted = shell("quoted", "true");
    quoted["argv"] = json!(["/bin/echo", secret]);
    quoted["environment"] = json!(["HANDED"]);
    quoted["changes"] = json!(["x"]);
    let workspace = with_actions(&json!([shell("fails", "false"), quoted]));
    // Where the document itself quotes it, that is not ours to mend.
    let ran = |arguments: &[&str]| -> Ran {
        let mut command = workspace.command(arguments);
        command.env("HANDED", secret).env("MY_TOKEN", secret);
        command.output().unwrap().into()
    };
    ran(&["respond"]).exits(0);
    ran(&["respond", "--apply"]).exits(1);
    ran(&["brake", "engage", "--reason", secret]).exits(0);
    ran(&["brake", "reset", "--reason", secret]).exits(0);
    ran(&["kill", "on", "--reason", secret]).exits(0);
    for (file, bytes) in workspace.snapshot() {
        if file.ends_with("responses.json") {
            continue;
        }
        let found = memchr::memmem::find(&bytes, secret.as_bytes()).is_some();
        assert!(!found, "{}", file.display());
    }
}

#[test]
fn what_an_action_is_handed_is_a_secret_and_so_is_a_reason_that_names_it() {
    let mut action = shell("print", "printf '%s' \"$PLAIN_NAME\"");
    action["environment"] = json!(["PLAIN_NAME"]);
    let workspace = with_actions(&json!([action]));
    let secret = "hunter2-hunter2";
    let ran: Ran = workspace
        .command(&[
            "respond",
            "--apply",
            "--again",
            "--reason",
            "with hunter2-hunter2",
        ])
        .env("PLAIN_NAME", secret)
        .output()
        .unwrap()
        .into();
    assert_eq!(ran.exits(0).json()["results"][0]["stdout"], "<REDACTED>");
    for (file, bytes) in workspace.snapshot() {
        let found = memchr::memmem::find(&bytes, secret.as_bytes()).is_some();
        assert!(!found, "{}", file.display());
    }
}
