//! `respond`: the dry run (rows S4-090 to S4-104, S4-113, S4-135, OR-01 to OR-03, C-04).

use std::process::Command;

use serde_json::Value;

use crate::workspace::{AT, Ran, Workspace};

const PREVIEW: &str = "state/policy_response_preview.json";
const BRAKE: &str = "forensics/safety_brake_state.json";
const LIMITS: &str = "policy/trust_guard_policy.json";

/// A workspace whose last decision is RED and fresh, with every gate open.
fn red() -> Workspace {
    let workspace = Workspace::healthy();
    workspace.integrity("80");
    brake(
        &workspace,
        "{\"is_engaged\": false, \"response_count_24h\": 0}",
    );
    workspace.program(&["run"]).exits(0);
    workspace
}

fn brake(workspace: &Workspace, content: &str) {
    workspace.write(BRAKE, content);
}

fn respond(workspace: &Workspace, further: &[&str]) -> Ran {
    let arguments: Vec<&str> = ["respond"].iter().chain(further).copied().collect();
    workspace.program(&arguments)
}

/// The closed gates of a dry run, with their reasons.
#[track_caller]
fn closed(workspace: &Workspace, further: &[&str]) -> Vec<String> {
    let preview = respond(workspace, further).exits(0).json();
    let gates = preview["gates"].as_array().unwrap();
    assert_eq!(gates.len(), 14);
    let closed: Vec<&Value> = gates.iter().filter(|gate| gate["open"] == false).collect();
    assert_eq!(preview["safety_gates_passed"], closed.is_empty());
    assert_eq!(preview["would_be_blocked"], !closed.is_empty());
    let named = |gate: &&Value| {
        format!(
            "{} {}",
            gate["name"].as_str().unwrap(),
            gate["reason"].as_str().unwrap()
        )
    };
    closed.iter().map(named).collect()
}

#[test]
fn dry_run_preview() {
    let workspace = red();
    let before = workspace.snapshot();
    let ran = respond(&workspace, &[]).exits(0);
    let preview = ran.json();
    assert_eq!(ran.stdout, workspace.read(PREVIEW));
    let actions: Vec<&str> = preview["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        actions,
        [
            "full_integrity_check",
            "cold_storage_verification",
            "integrity_anchor_mirror"
        ]
    );
    assert_eq!(preview["policy"], "RED");
    assert_eq!(preview["mode"], "dry-run");
    assert_eq!(preview["actions_planned"], 3);
    assert_eq!(preview["safety_gates_passed"], true);
    for result in preview["results"].as_array().unwrap() {
        let command = result["command"].as_str().unwrap();
        assert_eq!(
            result["stdout"],
            format!("[DRY-RUN] Would execute: {command}")
        );
        assert_eq!(result["class"], "hard");
        let is_mirror = result["action"] == "integrity_anchor_mirror";
        assert_eq!(result["reversible"], is_mirror);
        let undo = "Restore previous anchor_chain.json from mirrors/anchor_chain.json.backup";
        let undo = if is_mirror {
            Value::from(undo)
        } else {
            Value::Null
        };
        assert_eq!(result["undo_instruction"], undo);
    }
    let id = preview["response_id"].as_str().unwrap();
    assert_eq!((id.len(), id.as_bytes()[14]), (36, b'4'));
    let mut after = workspace.snapshot();
    after.remove(std::path::Path::new(PREVIEW));
    // The lock's note names its last holder; nothing else may differ.
    let lock = std::path::Path::new("state/.lock");
    let same = |files: std::collections::BTreeMap<_, _>| {
        files
            .into_iter()
            .filter(|(file, _): &(std::path::PathBuf, Vec<u8>)| file != lock)
            .collect::<Vec<_>>()
    };
    assert_eq!(same(after), same(before));
}

#[test]
fn every_planned_command_is_one_that_the_program_knows() {
    let workspace = red();
    workspace.write("artifacts/integrity_anchor.json", "{}");
    for level in ["YELLOW", "RED"] {
        let preview = respond(&workspace, &["--policy", level]).exits(0).json();
        for result in preview["results"].as_array().unwrap() {
            let command = result["command"].as_str().unwrap();
            let arguments: Vec<&str> = command.split(' ').skip(1).collect();
            workspace.program(&arguments).exits(0);
        }
    }
}

#[test]
fn yellow_calls_for_two_soft_actions() {
    let workspace = red();
    let preview = respond(&workspace, &["--policy", "YELLOW"]).exits(0).json();
    let results = preview["results"].as_array().unwrap();
    let actions: Vec<(&str, &str)> = results
        .iter()
        .map(|result| {
            (
                result["action"].as_str().unwrap(),
                result["class"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        actions,
        [("integrity_check", "soft"), ("schema_validation", "soft")]
    );
}

#[test]
fn green_no_op() {
    let workspace = Workspace::healthy();
    workspace.program(&["run"]).exits(0);
    for arguments in [&[][..], &["--policy", "GREEN"]] {
        let ran = respond(&workspace, arguments).exits(0);
        assert!(ran.stderr.contains("calls for nothing"), "{}", ran.stderr);
        assert!(!workspace.file(PREVIEW).exists());
    }
}

#[test]
fn another_level_than_the_decided_one_is_previewed_with_a_warning() {
    let workspace = Workspace::healthy();
    brake(
        &workspace,
        "{\"is_engaged\": false, \"response_count_24h\": 0}",
    );
    workspace.program(&["run"]).exits(0);
    let ran = respond(&workspace, &["--policy", "RED"]).exits(0);
    assert!(
        ran.stderr
            .contains("warning: GREEN was decided, and RED is previewed"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        closed(&workspace, &["--policy", "RED"]),
        ["level level_differs"]
    );
    respond(&workspace, &["--policy", "PURPLE"]).exits(2);
}

#[test]
fn without_a_decision_there_is_no_level_and_no_preview() {
    let workspace = Workspace::healthy();
    let ran = respond(&workspace, &[]).exits(1);
    assert!(ran.stderr.contains("NOTHING_RECORDED"), "{}", ran.stderr);
    assert!(!workspace.file(PREVIEW).exists());
    let gates = closed(&workspace, &["--policy", "RED"]);
    assert_eq!(
        gates,
        [
            "decision_fresh decision_missing",
            "level decision_missing",
            "safety_brake_off safety_brake_missing",
            "rate_limit safety_brake_missing"
        ]
    );
}

#[test]
fn each_gate_closes_for_its_own_reason() {
    let today = |hours: i64| from_now(hours);
    let cases: Vec<(&str, String, &[&str])> = vec![
        (
            "trust_lock_state.json",
            "{\"locked\": true}".into(),
            &["trust_unlocked trust_guard_locked"],
        ),
        (
            "state/trust_lock_state.json",
            "{\"locked\": true}".into(),
            &["trust_unlocked trust_guard_locked"],
        ),
        (
            BRAKE,
            "{\"is_engaged\": true, \"response_count_24h\": 0}".into(),
            &["safety_brake_off safety_brake_engaged"],
        ),
        (
            BRAKE,
            "{\"is_engaged\": false, \"response_count_24h\": 9, \"max_allowed\": 10}".into(),
            &[],
        ),
        (
            BRAKE,
            "{\"is_engaged\": false, \"response_count_24h\": 10, \"max_allowed\": 10}".into(),
            &["rate_limit rate_limit_exceeded_10/10"],
        ),
        (
            "state/kill_switch.json",
            "{\"on\": true}".into(),
            &["kill_switch kill_switch_on"],
        ),
        (
            "trust_lock_state.json",
            format!(
                "{{\"locked\": false, \"manual_unlocks_today\": 2, \"manual_unlocks_last_reset\": \"{}\"}}",
                today(0)
            ),
            &[],
        ),
        (
            "trust_lock_state.json",
            format!(
                "{{\"locked\": false, \"manual_unlocks_today\": 3, \"manual_unlocks_last_reset\": \"{}\"}}",
                today(0)
            ),
            &["manual_unlocks manual_unlock_limit_3/3"],
        ),
        (
            "trust_lock_state.json",
            format!(
                "{{\"locked\": false, \"manual_unlocks_today\": 3, \"manual_unlocks_last_reset\": \"{}\"}}",
                today(-48)
            ),
            &[],
        ),
        (
            "trust_lock_state.json",
            "{\"locked\": false, \"manual_unlocks_today\": 3}".into(),
            &["manual_unlocks manual_unlock_limit_3/3"],
        ),
        (
            "forensics/response_history.jsonl",
            format!("{{\"timestamp\":\"{}\"}}\n", today(0)).repeat(10),
            &["rate_limit rate_limit_exceeded_10/10"],
        ),
        (
            "state/policy_response_log.jsonl",
            format!("{{\"timestamp\":\"{}\",\"mode\":\"apply\"}}\n", today(-1)).repeat(10),
            &["rate_limit rate_limit_exceeded_10/10"],
        ),
        (
            "state/policy_response_log.jsonl",
            format!(
                "{{\"timestamp\":\"{}\",\"mode\":\"apply\",\"blocked\":true}}\n",
                today(-1)
            )
            .repeat(10),
            &[],
        ),
        (
            "state/policy_response_log.jsonl",
            format!("{{\"timestamp\":\"{}\",\"mode\":\"apply\"}}\n", today(-25)).repeat(10),
            &[],
        ),
    ];
    for (file, content, expected) in cases {
        let workspace = red();
        workspace.write(file, &content);
        assert_eq!(closed(&workspace, &[]), expected, "{file}: {content:.80}");
    }
}

/// The time so many hours from now, as a writer in the field would put it.
fn from_now(hours: i64) -> String {
    let time = chrono::Utc::now() + chrono::TimeDelta::hours(hours);
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[test]
fn manual_unlock_limit_is_the_smaller_of_both_keys() {
    let workspace = red();
    workspace.write(
        "trust_lock_state.json",
        "{\"locked\": false, \"manual_unlocks_today\": 2}",
    );
    for (limits, expected) in [
        (
            "{\"manual_unlock_daily_limit\": 3, \"max_manual_unlocks_per_day\": 2}",
            vec!["manual_unlocks manual_unlock_limit_2/2"],
        ),
        ("{\"max_manual_unlocks_per_day\": 3}", vec![]),
        ("{}", vec![]),
        (
            "{\"max_manual_unlocks_per_day\": \"3\"}",
            vec!["manual_unlocks gate_unreadable"],
        ),
        ("", vec!["manual_unlocks gate_unreadable"]),
    ] {
        workspace.write(LIMITS, limits);
        assert_eq!(closed(&workspace, &[]), expected, "{limits}");
    }
}

#[test]
fn a_safeguard_that_cannot_be_read_is_closed() {
    let trust = "trust_unlocked gate_unreadable";
    for content in [
        "{}",
        "null",
        "[]",
        "{\"locked\": NaN}",
        "{\"locked\": \"no\"}",
        "{",
    ] {
        let workspace = red();
        workspace.write("trust_lock_state.json", content);
        assert!(
            closed(&workspace, &[]).contains(&trust.to_owned()),
            "{content}"
        );
    }
    let both = [
        "safety_brake_off gate_unreadable",
        "rate_limit gate_unreadable",
    ];
    for content in [
        "",
        "{}",
        "null",
        "{\"is_engaged\": NaN, \"response_count_24h\": 0}",
        "{\"is_engaged\": false}",
        "{\"is_engaged\": false, \"response_count_24h\": -1}",
        "{\"is_engaged\": true, \"is_engaged\": false, \"response_count_24h\": 0}",
    ] {
        let workspace = red();
        brake(&workspace, content);
        assert_eq!(closed(&workspace, &[]), both, "{content}");
    }
    // A directory, a dangling link, nothing at all.
    for (file, kind, expected) in [
        (BRAKE, "directory", &both[..]),
        (BRAKE, "link", &both),
        (
            BRAKE,
            "nothing",
            &[
                "safety_brake_off safety_brake_missing",
                "rate_limit safety_brake_missing",
            ],
        ),
        (
            "trust_lock_state.json",
            "nothing",
            &["trust_unlocked trust_guard_missing"],
        ),
    ] {
        let workspace = red();
        std::fs::remove_file(workspace.file(file)).unwrap();
        match kind {
            "directory" => std::fs::create_dir(workspace.file(file)).unwrap(),
            "link" => std::os::unix::fs::symlink("nowhere", workspace.file(file)).unwrap(),
            _ => {}
        }
        assert_eq!(closed(&workspace, &[]), expected, "{file}: {kind}");
    }
    for kind in ["directory", "link"] {
        let workspace = red();
        std::fs::remove_file(workspace.file("trust_lock_state.json")).unwrap();
        match kind {
            "directory" => std::fs::create_dir(workspace.file("trust_lock_state.json")).unwrap(),
            _ => std::os::unix::fs::symlink("nowhere", workspace.file("trust_lock_state.json"))
                .unwrap(),
        }
        assert!(
            closed(&workspace, &[]).contains(&trust.to_owned()),
            "{kind}"
        );
    }
}

#[test]
fn a_decision_made_with_at_a_changed_journal_and_production_close_their_gates() {
    let workspace = red();
    workspace.run_at(AT).exits(0);
    assert_eq!(
        closed(&workspace, &[]),
        ["decision_fresh decision_with_given_clock"]
    );

    let workspace = red();
    let later = from_now(27);
    assert_eq!(
        closed(&workspace, &["--at", &later]),
        ["decision_fresh decision_stale"]
    );

    let workspace = red();
    let journal = workspace.read("state/policy_state_log.jsonl");
    workspace.write(
        "state/policy_state_log.jsonl",
        journal.replace("\"integrity\":80.0", "\"integrity\":81.0"),
    );
    let gates = closed(&workspace, &["--policy", "RED"]);
    assert_eq!(
        gates,
        [
            "journals journal_broken",
            "decision_fresh gate_unreadable",
            "level gate_unreadable"
        ]
    );
    respond(&workspace, &[]).exits(5);

    let workspace = red();
    let ran: Ran = workspace
        .command(&["respond"])
        .env("ENV", "production")
        .output()
        .unwrap()
        .into();
    assert!(ran.exits(0).stdout.contains("signing_secret_missing"));

    // A signed journal and no key: nothing could be recorded.
    let workspace = red();
    let secret = "s".repeat(32);
    let signed: Ran = workspace
        .command(&["run"])
        .env("POLICY_AUDIT_SECRET", &secret)
        .output()
        .unwrap()
        .into();
    signed.exits(0);
    assert_eq!(closed(&workspace, &[]), ["journals journal_broken"]);
}

#[test]
fn the_plan_digest_leaves_out_id_and_time_and_follows_the_decision() {
    let workspace = red();
    let preview = || respond(&workspace, &[]).exits(0).json();
    let (first, second) = (preview(), preview());
    assert_eq!(first["plan"], second["plan"]);
    assert_ne!(first["response_id"], second["response_id"]);
    workspace.program(&["run"]).exits(0);
    assert_ne!(preview()["plan"], first["plan"]);
}

#[test]
fn a_dry_run_starts_nothing_and_opens_nothing_else_for_writing() {
    let workspace = red();
    let trace = tempfile::tempdir().unwrap();
    let log = trace.path().join("trace");
    let traced = Command::new("strace")
        .args([
            "-f",
            "-e",
            "trace=execve,execveat,fork,vfork,clone,clone3,open,openat,creat",
            "-o",
        ])
        .arg(&log)
        .arg(env!("CARGO_BIN_EXE_policy-orchestrator"))
        .arg("respond")
        .current_dir(workspace.path())
        .output();
    let Ok(traced) = traced else {
        eprintln!("skipped: no strace");
        return;
    };
    assert!(
        traced.status.success(),
        "{}",
        String::from_utf8_lossy(&traced.stderr)
    );
    let trace = std::fs::read_to_string(log).unwrap();
    assert_eq!(trace.matches("execve").count(), 1, "{trace}");
    assert!(
        !trace.contains("fork") && !trace.contains("clone"),
        "{trace}"
    );
    let writes = trace.lines().filter(|line| {
        ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"]
            .iter()
            .any(|flag| line.contains(flag))
    });
    for line in writes {
        let expected = line.contains("state/.lock\"") || line.contains("state/.record.tmp\"");
        assert!(expected, "{line}");
    }
}
