//! `trust`: the trust guard (rows OR-16 to OR-23, S4-133, S4-134, S4-145, S4-146, C-05, C-28, B-10,
//! D-04, D-35, D-36).

use serde_json::{Value, json};

use crate::workspace::{AT, Ran, Workspace, shared};

pub(crate) const ROOT: &str = "trust_lock_state.json";
pub(crate) const STATE: &str = "state/trust_lock_state.json";
pub(crate) const LOG: &str = "state/trust_lock_log.jsonl";
pub(crate) const POLICY: &str = "policy/trust_guard_policy.json";

/// A trust command at a time, without waits.
pub(crate) fn at(workspace: &Workspace, time: &str, arguments: &[&str]) -> Ran {
    let more = ["--at", time, "--retry-delays", "0,0,0"];
    let all: Vec<&str> = ["trust"]
        .iter()
        .chain(arguments)
        .chain(&more)
        .copied()
        .collect();
    workspace.program(&all)
}

pub(crate) fn enforce(workspace: &Workspace) -> Ran {
    at(workspace, AT, &["enforce"])
}

pub(crate) fn force_unlock(workspace: &Workspace) -> Ran {
    at(workspace, AT, &["force-unlock", "--reason", "drill"])
}

pub(crate) fn check(workspace: &Workspace) -> Ran {
    workspace.program(&["trust", "check", "--at", AT])
}

pub(crate) fn file(workspace: &Workspace, name: &str) -> Value {
    serde_json::from_str(&workspace.read(name)).unwrap()
}

/// The whole lines of the guard's journal.
pub(crate) fn log(workspace: &Workspace) -> Vec<Value> {
    let text = std::fs::read_to_string(workspace.file(LOG)).unwrap_or_default();
    let whole = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    whole
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

pub(crate) fn events(workspace: &Workspace) -> Vec<String> {
    let text = |line: Value| line["event"].as_str().unwrap().to_owned();
    log(workspace).into_iter().map(text).collect()
}

/// The one marker of the guard.
#[track_caller]
pub(crate) fn marker(workspace: &Workspace) -> String {
    let summary = workspace.read("audit_summary.md");
    let mut found = summary
        .lines()
        .filter_map(|line| line.strip_prefix("<!-- TRUST_GUARD: "));
    let marker = found.next().unwrap().strip_suffix(" -->").unwrap();
    assert_eq!(found.next(), None);
    marker.to_owned()
}

pub(crate) fn verify(workspace: &Workspace) {
    workspace.program(&["audit", "verify"]).exits(0);
}

/// A workspace with a lock that was set at [`AT`] for integrity, which is too low.
pub(crate) fn locked() -> Workspace {
    let workspace = Workspace::healthy();
    workspace.integrity("80");
    enforce(&workspace).exits(0);
    assert_eq!(file(&workspace, ROOT)["locked"], true);
    workspace
}

#[test]
fn trust_guard_unlocked_when_all_above() {
    let workspace = Workspace::healthy();
    workspace.integrity("90");
    workspace.write(
        "federation/weighted_consensus.json",
        "{\"weighted_agreement_pct\": 92}",
    );
    let checked = check(&workspace).exits(0).json();
    assert_eq!(
        (&checked["healthy"], &checked["locked"], &checked["schema"]),
        (&json!(true), &json!(false), &json!(1))
    );
    let enforced = enforce(&workspace).exits(0).json();
    assert_eq!(
        (&enforced["event"], &enforced["locked"]),
        (&json!("state_update"), &json!(false))
    );
    assert_eq!(marker(&workspace), "VERIFIED 2026-01-15T12:00:00+00:00");
    verify(&workspace);
}

#[test]
fn trust_guard_locked_single_reason() {
    for (name, break_it) in [
        ("integrity", (|w| w.integrity("89.99")) as fn(&Workspace)),
        ("consensus", |w| {
            w.write(
                "federation/weighted_consensus.json",
                "{\"weighted_agreement_pct\": 91.99}",
            );
        }),
        ("reputation", |w| {
            w.write("federation/reputation_index.json", "{\"score\": 84.99}");
        }),
    ] {
        let workspace = Workspace::healthy();
        break_it(&workspace);
        let checked = check(&workspace).exits(1).json();
        assert_eq!(
            (&checked["locked"], &checked["would_be_locked"]),
            (&json!(false), &json!(true))
        );
        enforce(&workspace).exits(0);
        let state = file(&workspace, ROOT);
        assert_eq!(state["locked"], true);
        assert_eq!(state["reason"], name);
        assert_eq!(state["locked_at"], "2026-01-15T12:00:00+00:00");
        assert_eq!(state["unlock_scheduled_at"], "2026-01-16T12:00:00+00:00");
        assert_eq!(
            marker(&workspace),
            format!("LOCKED 2026-01-15T12:00:00+00:00 reason: {name}")
        );
        let line = &log(&workspace)[0];
        assert_eq!(line["event"], "locked");
        assert_eq!(
            (&line["locked_before"], &line["locked_after"]),
            (&json!(false), &json!(true))
        );
        assert_eq!(line["breaches"][0]["metric"], name);
        assert_eq!(line["clock"], "given");
        let digest = policy_orchestrator::ids::Digest::of(&workspace.bytes(ROOT));
        assert_eq!(line["files"][0]["sha256_after"], digest.to_string());
        check(&workspace).exits(1);
    }
}

#[test]
fn trust_guard_locked_multiple() {
    // Nobody reported: every metric counts as 0 (row OR-22), and the file is made.
    let workspace = Workspace::empty();
    let checked = check(&workspace).exits(1).json();
    assert_eq!(checked["locked"], Value::Null);
    assert_eq!(checked["metrics"]["integrity"]["status"], "missing");
    let enforced = enforce(&workspace).exits(0).json();
    assert_eq!(enforced["reason"], "multiple");
    let text = workspace.read(ROOT);
    let keys = [
        "locked",
        "locked_at",
        "reason",
        "metrics",
        "unlock_scheduled_at",
        "manual_unlocks_today",
        "manual_unlocks_last_reset",
        "bypass",
        "last_evaluated",
    ];
    let places: Vec<usize> = keys
        .iter()
        .map(|key| text.find(&format!("\"{key}\":")).unwrap())
        .collect();
    assert!(places.is_sorted(), "{text}");
    assert_eq!(
        file(&workspace, ROOT)["metrics"],
        json!({"integrity": 0.0, "consensus": 0.0, "reputation": 0.0})
    );
    assert!(!workspace.file(STATE).exists());
    // A metric that can't be read locks too, and the command says that it failed to read it.
    let workspace = Workspace::healthy();
    workspace.write("federation/reputation_index.json", "{\"score\": NaN}");
    let ran = enforce(&workspace).exits(1);
    assert!(ran.stderr.contains("JSON_SYNTAX"), "{}", ran.stderr);
    assert_eq!(file(&workspace, ROOT)["reason"], "reputation");
}

#[test]
fn trust_guard_unlock_under_limit() {
    let workspace = locked();
    workspace.write(
        ROOT,
        "{\"locked\": true, \"manual_unlocks_today\": 2, \"manual_unlocks_last_reset\": \"2026-01-15\"}",
    );
    let unlocked = force_unlock(&workspace).exits(0).json();
    assert_eq!(unlocked["manual_unlocks_today"], 3);
    let state = file(&workspace, ROOT);
    assert_eq!(
        (
            &state["locked"],
            &state["locked_at"],
            &state["unlock_scheduled_at"]
        ),
        (&json!(false), &Value::Null, &Value::Null)
    );
    assert_eq!(state["manual_unlocks_today"], 3);
    assert_eq!(state["reason"], "manual: drill");
    verify(&workspace);
}

#[test]
fn trust_guard_unlock_blocked_at_limit() {
    let workspace = locked();
    for _ in 0..3 {
        force_unlock(&workspace).exits(0);
        enforce(&workspace).exits(0);
    }
    let before = workspace.read(ROOT);
    let ran = force_unlock(&workspace).exits(3);
    assert!(ran.stderr.contains("UNLOCK_LIMIT"), "{}", ran.stderr);
    assert_eq!(workspace.read(ROOT), before);
    assert_eq!(events(&workspace).last().unwrap(), "unlock_limit_exceeded");
    assert_eq!(
        marker(&workspace),
        "UNLOCK_LIMIT_EXCEEDED 2026-01-15T12:00:00+00:00"
    );
    // The next day (UTC) they are allowed again, and counted from 0 (row OR-21).
    let next = ["force-unlock", "--reason", "drill"];
    at(&workspace, "2026-01-15T23:59:59Z", &next).exits(3);
    let ran = at(&workspace, "2026-01-16T00:00:00Z", &next).exits(0);
    assert_eq!(ran.json()["manual_unlocks_today"], 1);
    let state = file(&workspace, ROOT);
    assert_eq!(state["manual_unlocks_last_reset"], "2026-01-16");
    verify(&workspace);
}

#[test]
fn trust_guard_override_bypass_respected() {
    for (is_locked, integrity, word) in [
        (false, "10", "UNLOCKED"),
        (false, "97", "UNLOCKED"),
        (true, "97", "LOCKED"),
    ] {
        let workspace = Workspace::healthy();
        workspace.integrity(integrity);
        workspace.write(
            ROOT,
            format!("{{\"locked\": {is_locked}, \"bypass\": true, \"locked_at\": \"2020-01-01\"}}"),
        );
        let enforced = enforce(&workspace).exits(0).json();
        assert_eq!(
            (&enforced["event"], &enforced["locked"]),
            (&json!("bypass"), &json!(is_locked))
        );
        let state = file(&workspace, ROOT);
        assert_eq!(
            (&state["locked"], &state["bypass"]),
            (&json!(is_locked), &json!(true))
        );
        assert_eq!(events(&workspace), ["bypass"]);
        let expected = format!("{word} 2026-01-15T12:00:00+00:00 reason: bypass");
        assert_eq!(marker(&workspace), expected);
        check(&workspace).exits(i32::from(is_locked));
    }
}

#[test]
fn trust_guard_fs_failure_retries_and_tells() {
    let workspace = Workspace::healthy();
    workspace.integrity("80");
    // A directory under the name of the temporary file: no user can write there.
    for temporary in [".record.tmp", "state/.record.tmp"] {
        std::fs::create_dir_all(workspace.file(temporary)).unwrap();
    }
    let ran = at(&workspace, AT, &["enforce", "--verbose"]).exits(1);
    assert!(ran.stderr.contains("WRITE_FAILED"), "{}", ran.stderr);
    // Both places are tried, each four times.
    assert_eq!(
        ran.stderr.matches("next attempt").count(),
        6,
        "{}",
        ran.stderr
    );
    assert_eq!(marker(&workspace), "FS_ERROR 2026-01-15T12:00:00+00:00");
    assert!(log(&workspace).is_empty());

    // Where only one place fails the lock is in the other, since locked wins.
    std::fs::remove_dir(workspace.file("state/.record.tmp")).unwrap();
    let ran = enforce(&workspace).exits(1);
    assert_eq!(ran.json()["files"][0]["file"], STATE);
    assert_eq!(file(&workspace, STATE)["locked"], true);
    assert_eq!(events(&workspace), ["locked"]);
    let state = workspace.run().exits(0).json();
    assert_eq!(state["inputs"]["trust_locked"], true);
}

#[test]
fn trust_guard_atomic_write() {
    use std::os::unix::fs::PermissionsExt;
    let workspace = Workspace::healthy();
    workspace.integrity("80");
    std::fs::set_permissions(workspace.file(ROOT), PermissionsExt::from_mode(0o664)).unwrap();
    let temporary = ".record.tmp";
    workspace.write(temporary, "left by a killed command");
    enforce(&workspace).exits(0);
    assert!(workspace.temporary_files().is_empty());
    let mode = std::fs::metadata(workspace.file(ROOT))
        .unwrap()
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o664);
    for left_over in [temporary, "state/.record.tmp", "forensics/.record.tmp"] {
        workspace.write(left_over, "left by a killed command");
    }
    workspace.run().exits(0);
    assert!(workspace.temporary_files().is_empty());
}

#[test]
fn trust_api_status_answers() {
    let workspace = locked();
    let status = || workspace.program(&["trust", "status", "--at", AT]);
    let answer = status().exits(1).json();
    assert_eq!(
        (&answer["schema"], &answer["state"], &answer["locked"]),
        (&json!(1), &json!("locked"), &json!(true))
    );
    assert_eq!(answer["reason"], "integrity");
    assert_eq!(answer["opens_at"], "2026-01-16T12:00:00+00:00");
    assert_eq!(
        (
            &answer["manual_unlocks_today"],
            &answer["manual_unlocks_allowed"]
        ),
        (&json!(0), &json!(3))
    );
    force_unlock(&workspace).exits(0);
    let answer = status().exits(0).json();
    assert_eq!(
        (&answer["state"], &answer["manual_unlocks_today"]),
        (&json!("unlocked"), &json!(1))
    );
    let before = workspace.snapshot();
    let human = workspace
        .program(&["trust", "status", "--at", AT, "--format", "human"])
        .exits(0);
    assert!(human.stdout.contains("1 of 3 by hand"), "{}", human.stdout);
    check(&workspace);
    assert_eq!(workspace.snapshot(), before, "looking writes nothing");
}

#[test]
fn trust_api_force_unlock_succeeds_and_logs() {
    let workspace = locked();
    let mut command = workspace.command(&["trust", "force-unlock", "--at", AT]);
    command
        .args(["--reason", " false alarm --> \n"])
        .env("GITHUB_ACTOR", "mallory -->");
    let ran: Ran = command.output().unwrap().into();
    ran.exits(0);
    let lines = log(&workspace);
    let line = lines.last().unwrap();
    assert_eq!(line["event"], "manual_unlock");
    assert_eq!(line["user"], "mallory -->");
    assert_eq!(line["reason"], "false alarm -->");
    assert_eq!(line["metrics"]["integrity"], 80.0);
    assert_eq!(
        (&line["locked_before"], &line["locked_after"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(
        marker(&workspace),
        "MANUAL_UNLOCK 2026-01-15T12:00:00+00:00 by mallory ->"
    );
    for arguments in [
        &["force-unlock"][..],
        &["force-unlock", "--reason", " "],
        &["reset-counter", "--reason", ""],
    ] {
        at(&workspace, AT, arguments).exits(2);
    }
    assert_eq!(log(&workspace).len(), 2);
}

#[test]
fn trust_api_limit_exceeded_is_refused() {
    // The smaller of both keys (row C-28), for the command as for the gate.
    for (limits, allowed) in [
        ("{\"max_manual_unlocks_per_day\": 2}", 2),
        (
            "{\"manual_unlock_daily_limit\": 1, \"max_manual_unlocks_per_day\": 2}",
            1,
        ),
        ("{\"max_manual_unlocks_per_day\": 0}", 0),
    ] {
        let workspace = locked();
        workspace.write(POLICY, limits);
        for _ in 0..allowed {
            force_unlock(&workspace).exits(0);
        }
        let refused = force_unlock(&workspace).exits(3).json();
        assert_eq!(refused["event"], "unlock_limit_exceeded");
        assert_eq!(refused["manual_unlocks_today"], allowed);
    }
}

#[test]
fn a_lock_opens_by_itself_after_its_term_and_only_where_all_is_healthy() {
    let workspace = locked();
    let enforce_at = |time| at(&workspace, time, &["enforce"]).exits(0).json();
    workspace.integrity("97");
    let waiting = enforce_at("2026-01-16T11:59:59Z");
    assert_eq!(
        (&waiting["event"], &waiting["opens_at"]),
        (&json!("state_update"), &json!("2026-01-16T12:00:00+00:00"))
    );
    assert_eq!(waiting["locked_at"], "2026-01-15T12:00:00+00:00");
    assert!(
        marker(&workspace).starts_with("LOCKED "),
        "a lock that waits"
    );
    workspace.integrity("80");
    let renewed = enforce_at("2026-02-01T00:00:00Z");
    assert_eq!(renewed["locked_at"], "2026-01-15T12:00:00+00:00");
    workspace.integrity("97");
    let opened = enforce_at("2026-02-01T00:00:01Z");
    assert_eq!(
        (&opened["event"], &opened["locked"]),
        (&json!("unlocked"), &json!(false))
    );
    assert_eq!(
        events(&workspace),
        ["locked", "state_update", "state_update", "unlocked"]
    );
    assert_eq!(marker(&workspace), "UNLOCKED 2026-02-01T00:00:01+00:00");
    verify(&workspace);

    // The window holds where the term is shorter.
    let workspace = Workspace::healthy();
    workspace.write(POLICY, "{\"auto_unlock_after_minutes\": 0}");
    workspace.integrity("80");
    enforce(&workspace).exits(0);
    workspace.integrity("97");
    let locked = |time| at(&workspace, time, &["enforce"]).exits(0).json()["locked"].clone();
    assert_eq!(locked("2026-01-15T12:59:59Z"), true);
    assert_eq!(locked("2026-01-15T13:00:00Z"), false);
}

#[test]
fn a_policy_that_cannot_be_read_locks_and_lets_nobody_unlock() {
    for policy in [
        "",
        "null",
        "{\"thresholds\": {\"integrity\": NaN}}",
        "{\"thresholds\": {\"integrity\": 101}}",
        "{\"lock_window_minutes\": -1}",
    ] {
        let workspace = Workspace::healthy();
        workspace.write(POLICY, policy);
        let ran = check(&workspace).exits(1);
        assert!(ran.stderr.contains(POLICY), "{}", ran.stderr);
        enforce(&workspace).exits(1);
        let state = file(&workspace, ROOT);
        assert_eq!(
            (&state["locked"], &state["reason"]),
            (&json!(true), &json!("policy_unreadable"))
        );
        force_unlock(&workspace).exits(1);
        assert_eq!(file(&workspace, ROOT)["locked"], true);
        assert_eq!(events(&workspace), ["locked"]);
    }
}

#[test]
fn what_other_tools_wrote_stays_in_its_order_and_both_places_are_kept_in_step() {
    let workspace = Workspace::healthy();
    workspace.integrity("80");
    let foreign = "\u{feff}{\n  \"z_first\": 1e-07,\n  \"locked\": false,\n  \"lock_state\": \"UNLOCKED\",\n  \"timestamp\": \"2020-01-01T00:00:00Z\",\n  \"provenance\": {\n    \"by\": [ 1,2 ]\n  }\n}";
    workspace.write(ROOT, foreign);
    workspace.write(STATE, "{\"locked\": false, \"other\": \"x\"}");
    let enforced = enforce(&workspace).exits(0).json();
    assert_eq!(enforced["files"].as_array().unwrap().len(), 2);
    let text = workspace.read(ROOT);
    assert!(
        text.starts_with("{\n  \"z_first\": 1e-07,\n  \"locked\": true,\n  \"lock_state\": \"UNLOCKED\",\n  \"timestamp\": \"2026-01-15T12:00:00+00:00\",\n  \"provenance\": {\n    \"by\": [ 1,2 ]\n  },\n"),
        "{text}"
    );
    let state = file(&workspace, STATE);
    assert_eq!(
        (&state["locked"], &state["other"]),
        (&json!(true), &json!("x"))
    );
    // One of them was unlocked by somebody else: locked wins, and both are in step again.
    workspace.write(ROOT, "{\"locked\": false}");
    assert_eq!(enforce(&workspace).exits(0).json()["locked_before"], true);
    assert_eq!(file(&workspace, ROOT)["locked"], true);
    force_unlock(&workspace).exits(0);
    for name in [ROOT, STATE] {
        let state = file(&workspace, name);
        assert_eq!(
            (&state["locked"], &state["manual_unlocks_today"]),
            (&json!(false), &json!(1))
        );
    }
    // One that is a link to the other needs no step of its own.
    std::fs::remove_file(workspace.file(ROOT)).unwrap();
    std::os::unix::fs::symlink(STATE, workspace.file(ROOT)).unwrap();
    let enforced = enforce(&workspace).exits(0).json();
    assert_eq!(enforced["files"].as_array().unwrap().len(), 1);
    assert!(workspace.file(ROOT).is_symlink());
    assert_eq!(
        workspace.run().exits(0).json()["inputs"]["trust_locked"],
        true
    );
}

#[test]
fn the_real_state_file_keeps_its_keys() {
    let Some(shared) = shared() else { return };
    let workspace = Workspace::empty();
    let real = std::fs::read(shared.join("real-inputs/state/trust_lock_state.json")).unwrap();
    let policy = std::fs::read(shared.join("real-inputs/policy/trust_guard_policy.json")).unwrap();
    workspace.write(STATE, &real);
    workspace.write(POLICY, policy);
    let status = workspace
        .program(&["trust", "status", "--at", AT])
        .exits(0)
        .json();
    assert_eq!(status["manual_unlocks_allowed"], 2);
    enforce(&workspace).exits(0);
    let (before, after): (Value, Value) = (
        serde_json::from_slice(&real).unwrap(),
        file(&workspace, STATE),
    );
    assert_eq!(after["provenance"], before["provenance"]);
    assert_eq!(after["lock_state"], before["lock_state"]);
    assert_eq!(after["locked"], true);
    assert!(!workspace.file(ROOT).exists());
}

/// Row C-05: a lock closes the gate; an operator looks, unlocks by hand, and the gate is open.
#[test]
fn preview_then_unlock_by_hand_opens_the_gate() {
    let workspace = Workspace::healthy();
    workspace.integrity("80");
    workspace.program(&["trust", "enforce"]).exits(0);
    workspace
        .program(&["brake", "reset", "--reason", "first use"])
        .exits(0);
    workspace.program(&["run"]).exits(0);
    let closed = || {
        let preview = workspace.program(&["respond"]).exits(0).json();
        let gates = preview["gates"].as_array().unwrap().clone();
        let closed = gates.into_iter().filter(|gate| gate["open"] == false);
        closed
            .map(|gate| gate["reason"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(closed(), ["trust_guard_locked"]);
    for _ in 0..2 {
        let unlock = ["trust", "force-unlock", "--reason", "apply the mirror"];
        workspace.program(&unlock).exits(0);
        assert_eq!(closed(), Vec::<String>::new());
    }
    let unlock = ["trust", "force-unlock", "--reason", "once more"];
    workspace.program(&unlock).exits(0);
    // The gate and the command count alike.
    assert_eq!(closed(), ["manual_unlock_limit_3/3"]);
    workspace.program(&unlock).exits(3);
    workspace
        .program(&["trust", "reset-counter", "--reason", "a new day's drill"])
        .exits(0);
    assert_eq!(closed(), Vec::<String>::new());
}
