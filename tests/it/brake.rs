//! `brake`: the safety brake (rows OR-12 to OR-14, S4-096, S4-134, D-20).

use serde_json::{Value, json};

use crate::workspace::{AT, Ran, Workspace, shared};

const FILE: &str = "forensics/safety_brake_state.json";
const JOURNAL: &str = "state/policy_response_journal.jsonl";
const SECRET: &str = "a secret of at least thirty-two bytes";

fn brake(workspace: &Workspace, time: &str, command: &str, reason: &str) -> Ran {
    let arguments = ["brake", command, "--reason", reason, "--at", time];
    workspace.program(&arguments)
}

fn engage(workspace: &Workspace) -> Ran {
    brake(workspace, AT, "engage", "mirrors look wrong")
}

fn reset(workspace: &Workspace) -> Ran {
    brake(workspace, AT, "reset", "restored")
}

fn status(workspace: &Workspace) -> Ran {
    workspace.program(&["brake", "status"])
}

fn file(workspace: &Workspace) -> Value {
    serde_json::from_str(&workspace.read(FILE)).unwrap()
}

fn events(workspace: &Workspace) -> Vec<Value> {
    let text = std::fs::read_to_string(workspace.file(JOURNAL)).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn signed(workspace: &Workspace, arguments: &[&str]) -> Ran {
    let mut command = workspace.command(arguments);
    command.env("POLICY_AUDIT_SECRET", SECRET);
    command.output().unwrap().into()
}

/// The reason for which the brake's gate is closed.
fn gate(workspace: &Workspace) -> Value {
    let respond = ["respond", "--policy", "RED", "--at", AT];
    let preview = workspace.program(&respond).exits(0).json();
    let gates = preview["gates"].as_array().unwrap();
    let gate = gates
        .iter()
        .find(|gate| gate["name"] == "safety_brake_off")
        .unwrap();
    gate["reason"].clone()
}

#[test]
fn an_engaged_brake_stays_engaged_until_somebody_resets_it() {
    let workspace = Workspace::healthy();
    assert_eq!(status(&workspace).exits(1).json()["state"], "missing");
    reset(&workspace).exits(0);
    status(&workspace).exits(0);
    assert_eq!(gate(&workspace), Value::Null);

    engage(&workspace).exits(0);
    let first = file(&workspace);
    assert_eq!(
        (&first["is_engaged"], &first["engaged_at"], &first["reason"]),
        (
            &json!(true),
            &json!("2026-01-15T12:00:00+00:00"),
            &json!("mirrors look wrong")
        )
    );
    assert_eq!(gate(&workspace), "safety_brake_engaged");
    // A month later, and engaged again: it keeps its time and its reason.
    let again = brake(&workspace, "2026-02-15T12:00:00Z", "engage", "still").exits(0);
    assert_eq!(
        (&again.json()["engaged_before"], &again.json()["engaged_at"]),
        (&json!(true), &json!("2026-01-15T12:00:00+00:00"))
    );
    assert_eq!(file(&workspace), first);
    let shown = status(&workspace).exits(1).json();
    assert_eq!(
        (&shown["schema"], &shown["state"], &shown["engaged_at"]),
        (&json!(1), &json!("engaged"), &first["engaged_at"])
    );

    brake(&workspace, "2026-02-15T12:00:00Z", "reset", "restored").exits(0);
    let state = file(&workspace);
    assert_eq!(
        (
            &state["is_engaged"],
            &state["engaged_at"],
            &state["last_reset"],
            &state["response_count_24h"]
        ),
        (
            &json!(false),
            &Value::Null,
            &json!("2026-02-15T12:00:00+00:00"),
            &json!(0)
        )
    );
    status(&workspace).exits(0);
    let names: Vec<Value> = events(&workspace)
        .iter()
        .map(|line| line["event"].clone())
        .collect();
    assert_eq!(
        names,
        [
            "brake_reset",
            "brake_engaged",
            "brake_engaged",
            "brake_reset"
        ]
    );
    let line = &events(&workspace)[1];
    assert_eq!(
        (&line["reason"], &line["engaged_before"], &line["clock"]),
        (&json!("mirrors look wrong"), &json!(false), &json!("given"))
    );
    assert!(!line["user"].as_str().unwrap().is_empty());
    workspace.program(&["audit", "verify"]).exits(0);
}

#[test]
fn keys_of_other_tools_and_limits_survive() {
    let workspace = Workspace::healthy();
    workspace.write(
        FILE,
        "{\n  \"owner\": 1e-07,\n  \"is_engaged\": false,\n  \"response_count_24h\": 4,\n  \"max_allowed\": 7,\n  \"last_check\": \"2026-01-15T00:00:00Z\"\n}",
    );
    engage(&workspace).exits(0);
    let expected = "{\n  \"owner\": 1e-07,\n  \"is_engaged\": true,\n  \"response_count_24h\": 4,\n  \"max_allowed\": 7,\n  \"last_check\": \"2026-01-15T00:00:00Z\",\n  \"engaged_at\": \"2026-01-15T12:00:00+00:00\",\n  \"reason\": \"mirrors look wrong\"\n}\n";
    assert_eq!(workspace.read(FILE), expected);
    let ran = reset(&workspace).exits(0).json();
    assert_eq!(ran["max_allowed"], 7);
    assert!(workspace.read(FILE).starts_with("{\n  \"owner\": 1e-07,\n"));
    assert_eq!(file(&workspace)["max_allowed"], 7);

    let Some(shared) = shared() else { return };
    let real = std::fs::read(shared.join("real-inputs").join(FILE)).unwrap();
    workspace.write(FILE, real);
    let shown = status(&workspace).exits(0).json();
    assert_eq!(shown["last_check"], "2025-11-14T07:13:30+00:00");
    engage(&workspace).exits(0);
    reset(&workspace).exits(0);
}

#[test]
fn a_brake_that_cannot_be_read_is_engaged_and_both_commands_go_on() {
    let odd = [
        "",
        "{}",
        "null",
        "[]",
        "{\"is_engaged\": NaN, \"response_count_24h\": 0}",
        "{\"is_engaged\": false}",
        "{\"is_engaged\": \"false\", \"response_count_24h\": 0}",
        "{\"is_engaged\": false, \"response_count_24h\": -1}",
    ];
    for content in odd {
        for (command, engaged) in [("engage", true), ("reset", false)] {
            let workspace = Workspace::healthy();
            workspace.write(FILE, content);
            let shown = status(&workspace).exits(1).json();
            assert_eq!(
                (&shown["state"], &shown["engaged"]),
                (&json!("unreadable"), &json!(true)),
                "{content}"
            );
            assert_eq!(gate(&workspace), "gate_unreadable");
            let ran = brake(&workspace, AT, command, "x").exits(0);
            assert!(ran.stderr.contains("UNREADABLE_MOVED"), "{}", ran.stderr);
            assert_eq!(ran.json()["engaged_before"], true);
            assert_eq!(workspace.read(&format!("{FILE}.unreadable")), content);
            assert_eq!(file(&workspace)["is_engaged"], engaged);
            assert_eq!(file(&workspace)["max_allowed"], 10);
        }
    }
    for odd in ["directory", "link"] {
        let workspace = Workspace::healthy();
        match odd {
            "directory" => std::fs::create_dir_all(workspace.file(FILE)).unwrap(),
            _ => std::os::unix::fs::symlink("nowhere", workspace.file(FILE)).unwrap(),
        }
        assert_eq!(status(&workspace).exits(1).json()["state"], "unreadable");
        assert_eq!(gate(&workspace), "gate_unreadable");
        engage(&workspace).exits(1);
        reset(&workspace).exits(1);
        assert!(events(&workspace).is_empty(), "{odd}");
        assert_eq!(gate(&workspace), "gate_unreadable");
    }
    // Nothing at all.
    let workspace = Workspace::healthy();
    assert_eq!(gate(&workspace), "safety_brake_missing");
    engage(&workspace).exits(0);
    assert_eq!(gate(&workspace), "safety_brake_engaged");
}

#[test]
fn engaging_works_where_nothing_else_does_and_resetting_does_not() {
    // The kill switch is on.
    let workspace = Workspace::healthy();
    workspace.write("state/kill_switch.json", "{\"on\": true}");
    engage(&workspace).exits(0);
    let ran = reset(&workspace).exits(3);
    assert!(ran.stderr.contains("KILL_SWITCH_ON"), "{}", ran.stderr);
    assert_eq!(file(&workspace)["is_engaged"], true);
    assert_eq!(events(&workspace).len(), 1);

    // The journal is signed, and there is no key.
    let workspace = Workspace::healthy();
    let first = ["brake", "reset", "--reason", "first use", "--at", AT];
    signed(&workspace, &first).exits(0);
    let ran = engage(&workspace).exits(1);
    assert!(ran.stderr.contains("SECRET_MISSING"), "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("is engaged; that could not be recorded"),
        "{}",
        ran.stderr
    );
    assert_eq!(file(&workspace)["is_engaged"], true);
    reset(&workspace).exits(1);
    assert_eq!(file(&workspace)["is_engaged"], true);

    // The journal was changed.
    let workspace = Workspace::healthy();
    for _ in 0..2 {
        reset(&workspace).exits(0);
    }
    let changed = workspace.read(JOURNAL).replace("restored", "replaced");
    workspace.write(JOURNAL, changed);
    engage(&workspace).exits(1);
    assert_eq!(file(&workspace)["is_engaged"], true);
    reset(&workspace).exits(5);
    assert_eq!(file(&workspace)["is_engaged"], true);

    // Another command holds the lock.
    let workspace = Workspace::healthy();
    workspace.write("state/.lock", "");
    let lock = std::fs::File::open(workspace.file("state/.lock")).unwrap();
    lock.lock().unwrap();
    let arguments = ["brake", "engage", "--reason", "x", "--lock-timeout", "0"];
    let ran = workspace.program(&arguments).exits(1);
    assert!(ran.stderr.contains("LOCK_HELD"), "{}", ran.stderr);
    workspace
        .program(&["brake", "engage", "--reason", " "])
        .exits(2);
    workspace.program(&["brake", "reset"]).exits(2);
}
