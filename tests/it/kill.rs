//! `kill`: the kill switch (CONTRACT.md section 5).

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::workspace::{AT, Ran, Workspace};

const FILE: &str = "state/kill_switch.json";
const JOURNAL: &str = "state/kill_switch_log.jsonl";
const SECRET: &str = "a secret of at least thirty-two bytes";

fn kill(workspace: &Workspace, arguments: &[&str]) -> Ran {
    let all: Vec<&str> = ["kill"].iter().chain(arguments).copied().collect();
    workspace.program(&all)
}

fn on(workspace: &Workspace) -> Ran {
    kill(workspace, &["on", "--reason", "drill", "--at", AT])
}

fn off(workspace: &Workspace) -> Ran {
    kill(workspace, &["off", "--reason", "over", "--at", AT])
}

fn status(workspace: &Workspace) -> Ran {
    kill(workspace, &["status"])
}

fn events(workspace: &Workspace) -> Vec<Value> {
    let text = std::fs::read_to_string(workspace.file(JOURNAL)).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .inspect(|event| assert_eq!(event["type"], "KILL_SWITCH"))
        .map(|event| event["on"].clone())
        .collect()
}

/// Holds the workspace's lock while it lives.
fn hold_lock(workspace: &Workspace) -> std::fs::File {
    workspace.write("state/.lock", "process 1 (test)\n");
    let lock = std::fs::File::open(workspace.file("state/.lock")).unwrap();
    lock.lock().unwrap();
    lock
}

fn start(workspace: &Workspace, arguments: &[&str]) -> Child {
    let mut command = workspace.command(arguments);
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    quiet.spawn().unwrap()
}

/// Waits until the switch's file is there and whole.
#[track_caller]
fn wait_for_file(workspace: &Workspace) {
    let begun = Instant::now();
    let is_whole = || {
        let text = std::fs::read_to_string(workspace.file(FILE));
        text.is_ok_and(|text| text.ends_with('\n'))
    };
    while !is_whole() {
        assert!(begun.elapsed() < Duration::from_secs(5), "no file");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn on_and_off_are_recorded_and_can_be_repeated() {
    // A workspace without `state/`.
    let workspace = Workspace::healthy();
    status(&workspace).exits(0);
    assert!(!workspace.file("state").exists());
    let turned = on(&workspace).exits(0).json();
    assert_eq!(
        (&turned["schema"], &turned["on"], &turned["on_before"]),
        (&json!(1), &json!(true), &json!(false))
    );
    let file: Value = serde_json::from_str(&workspace.read(FILE)).unwrap();
    assert_eq!(
        (&file["on"], &file["reason"], &file["at"]),
        (
            &json!(true),
            &json!("drill"),
            &json!("2026-01-15T12:00:00+00:00")
        )
    );
    let again = kill(&workspace, &["on", "--reason", "another"]).exits(0);
    assert_eq!(again.json()["on_before"], true);
    let shown = status(&workspace).exits(1).json();
    assert_eq!(
        (
            &shown["state"],
            &shown["reason"],
            &shown["at"],
            &shown["by"]
        ),
        (&json!("on"), &json!("drill"), &file["at"], &file["by"]),
        "it keeps its time and its reason"
    );
    off(&workspace).exits(0);
    assert!(!workspace.file(FILE).exists());
    status(&workspace).exits(0);
    let nothing = off(&workspace).exits(0).json();
    assert_eq!(
        (&nothing["on_before"], &nothing["recorded"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(events(&workspace), [true, true, false]);
    workspace.program(&["audit", "verify"]).exits(0);
    assert!(workspace.temporary_files().is_empty());
    kill(&workspace, &["on", "--reason", ""]).exits(2);
    kill(&workspace, &["on"]).exits(2);
    kill(&workspace, &["off"]).exits(2);
}

/// Rows S1-146 and S1-147 (D-32): the time is that of the activation, whenever somebody asks, and
/// the response time is stored.
#[test]
fn status_tells_the_activation_and_not_the_time_of_the_question() {
    let workspace = Workspace::healthy();
    let never = status(&workspace).exits(0).json();
    assert_eq!(
        (
            &never["isActive"],
            &never["activatedAt"],
            &never["lastResponseTime"]
        ),
        (&json!(false), &Value::Null, &Value::Null)
    );
    on(&workspace).exits(0);
    // On again: neither the time nor what it came to is that of the second command.
    let again = ["on", "--reason", "again", "--at", "2026-01-16T12:00:00Z"];
    assert_eq!(kill(&workspace, &again).exits(0).json().get("effect"), None);
    let first = &workspace.read(JOURNAL).lines().next().unwrap().to_owned();
    let first: Value = serde_json::from_str(first).unwrap();
    let shown = status(&workspace).exits(1).json();
    assert_eq!(shown["activatedAt"], first["timestamp"]);
    assert_eq!(shown["lastResponseTime"], first["effect"]["set_ms"]);
    assert_eq!(shown["affectedAgents"], 0);
    off(&workspace).exits(0);
    let after = status(&workspace).exits(0).json();
    assert_eq!(after["lastResponseTime"], first["effect"]["set_ms"]);
}

#[test]
fn whoever_watches_is_told_of_every_change() {
    let workspace = Workspace::healthy();
    let mut watching = workspace.command(&["kill", "watch", "--until-on"]);
    let mut watching = watching.stdout(Stdio::piped()).spawn().unwrap();
    let mut heard = BufReader::new(watching.stdout.take().unwrap()).lines();
    let mut next = || heard.next().unwrap().unwrap();
    assert_eq!(next(), r#"{"type":"KILL_SWITCH","on":false}"#);
    // Any program may make the file, and whatever it holds means on.
    workspace.write(FILE, "stop!");
    assert_eq!(next(), r#"{"type":"KILL_SWITCH","on":true}"#);
    assert_eq!(watching.wait().unwrap().code(), Some(1));
    kill(&workspace, &["watch", "--timeout", "0"]).exits(1);
    std::fs::remove_file(workspace.file(FILE)).unwrap();
    kill(&workspace, &["watch", "--timeout", "0"]).exits(0);
}

#[test]
fn while_it_is_on_decisions_are_made_and_the_gate_is_closed() {
    let workspace = Workspace::healthy();
    workspace.integrity("80");
    on(&workspace).exits(0);
    workspace.program(&["run"]).exits(0);
    let preview = workspace.program(&["respond"]).exits(0).json();
    assert_eq!(preview["gates"][0]["reason"], "kill_switch_on");
    let status = workspace.program(&["status"]).exits(0);
    assert_eq!(status.json()["kill_switch"], "on");
    let human = workspace.program(&["status", "--format", "human"]).exits(0);
    assert!(human.stdout.contains("the kill switch is on"));
}

#[test]
fn on_does_not_wait_for_the_lock_and_says_what_is_missing() {
    let workspace = Workspace::healthy();
    let lock = hold_lock(&workspace);
    let arguments = ["on", "--reason", "drill", "--lock-timeout", "0"];
    let ran = kill(&workspace, &arguments).exits(1);
    assert!(ran.stderr.contains("LOCK_HELD"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("is on; that could not be recorded"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.json()["recorded"], Value::Null);
    status(&workspace).exits(1);
    assert!(events(&workspace).is_empty());
    // Repeated when the lock is free again, it is recorded.
    drop(lock);
    on(&workspace).exits(0);
    assert_eq!(events(&workspace), [true]);
}

#[test]
fn a_switch_that_is_taken_away_while_its_record_waits_is_on_again() {
    let workspace = Workspace::healthy();
    let lock = hold_lock(&workspace);
    let mut waiting = start(&workspace, &["kill", "on", "--reason", "drill"]);
    wait_for_file(&workspace);
    // What `kill off` does while it holds the lock.
    std::fs::remove_file(workspace.file(FILE)).unwrap();
    drop(lock);
    assert_eq!(waiting.wait().unwrap().code(), Some(0));
    status(&workspace).exits(1);
    assert_eq!(events(&workspace), [true]);
}

#[test]
fn many_at_once_leave_one_switch_and_no_temporary_file() {
    let workspace = Workspace::healthy();
    workspace.write(FILE, "{\"on\": false}");
    let arguments = ["kill", "on", "--reason", "drill", "--retry-delays", "0,0,0"];
    let mut all: Vec<Child> = (0..8).map(|_| start(&workspace, &arguments)).collect();
    for child in &mut all {
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    assert_eq!(status(&workspace).exits(1).json()["state"], "on");
    assert_eq!(events(&workspace).len(), 8);
    assert!(workspace.temporary_files().is_empty());
    workspace.program(&["audit", "verify"]).exits(0);
}

#[test]
fn what_cannot_be_read_is_on_and_can_be_turned_off() {
    for content in ["", "{}", "null", "[]", "{\"on\": NaN}", "{\"on\": 0}"] {
        let workspace = Workspace::healthy();
        workspace.write(FILE, content);
        let shown = status(&workspace).exits(1).json();
        assert_eq!(
            (&shown["state"], &shown["on"]),
            (&json!("unreadable"), &json!(true)),
            "{content}"
        );
        assert_eq!(on(&workspace).exits(0).json()["on_before"], true);
        assert_eq!(workspace.read(FILE), content);
        off(&workspace).exits(0);
        assert!(!workspace.file(FILE).exists());
        assert_eq!(events(&workspace), [true, false]);
    }
    let workspace = Workspace::healthy();
    workspace.write(FILE, "{\"on\": false}");
    status(&workspace).exits(0);
    off(&workspace).exits(0);
    on(&workspace).exits(0);
    assert_eq!(status(&workspace).exits(1).json()["reason"], "drill");
}

#[test]
fn a_directory_or_a_dangling_link_is_on_and_stays_until_a_person_removes_it() {
    for odd in ["directory", "link"] {
        let workspace = Workspace::healthy();
        workspace.write("state/.lock", "");
        match odd {
            "directory" => std::fs::create_dir_all(workspace.file(FILE)).unwrap(),
            _ => std::os::unix::fs::symlink("nowhere", workspace.file(FILE)).unwrap(),
        }
        status(&workspace).exits(1);
        on(&workspace).exits(0);
        let ran = off(&workspace).exits(1);
        assert!(ran.stderr.contains("remove it by hand"), "{}", ran.stderr);
        status(&workspace).exits(1);
        assert_eq!(events(&workspace), [true], "{odd}");
    }
}

#[test]
fn with_a_changed_journal_or_without_its_key_it_goes_on_and_not_off() {
    let workspace = Workspace::healthy();
    for _ in 0..2 {
        on(&workspace).exits(0);
        off(&workspace).exits(0);
    }
    let changed = workspace.read(JOURNAL).replace("over", "gone");
    workspace.write(JOURNAL, &changed);
    let ran = on(&workspace).exits(1);
    assert!(
        ran.stderr.contains("is on; that could not be recorded"),
        "{}",
        ran.stderr
    );
    status(&workspace).exits(1);
    off(&workspace).exits(5);
    status(&workspace).exits(1);
    assert_eq!(workspace.read(JOURNAL), changed);

    let workspace = Workspace::healthy();
    let signed = |arguments: &[&str], secret: &str| -> Ran {
        let mut command = workspace.command(arguments);
        command.env("POLICY_AUDIT_SECRET", secret);
        command.output().unwrap().into()
    };
    let switch_off = ["kill", "off", "--reason", "x"];
    let switch_on = ["kill", "on", "--reason", "x"];
    signed(&switch_on, SECRET).exits(0);
    signed(&switch_off, SECRET).exits(0);
    let ran = on(&workspace).exits(1);
    assert!(ran.stderr.contains("SECRET_MISSING"), "{}", ran.stderr);
    off(&workspace).exits(1);
    status(&workspace).exits(1);
    signed(&switch_off, SECRET).exits(0);
    // A secret that is none does not stop it either.
    let ran = signed(&switch_on, "short").exits(1);
    assert!(ran.stderr.contains("SECRET_UNUSABLE"), "{}", ran.stderr);
    status(&workspace).exits(1);
}

#[test]
fn a_switch_that_cannot_be_set_is_said_to_be_off() {
    let (workspace, elsewhere) = (Workspace::healthy(), Workspace::empty());
    std::os::unix::fs::symlink(elsewhere.path(), workspace.file("state")).unwrap();
    let arguments = ["on", "--reason", "drill", "--retry-delays", "0"];
    let ran = kill(&workspace, &arguments).exits(1);
    assert!(ran.stderr.contains("LINK_REFUSED"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("could not be set, and is off"),
        "{}",
        ran.stderr
    );
    status(&workspace).exits(0);
    assert!(elsewhere.snapshot().is_empty());
}

#[test]
fn a_kill_of_kill_leaves_it_on_or_as_it_was_and_an_off_is_always_recorded() {
    let workspace = Workspace::healthy();
    for round in 0..30 {
        let was_on = workspace.file(FILE).exists();
        let word = if was_on { "off" } else { "on" };
        let mut child = start(&workspace, &["kill", word, "--reason", "x"]);
        std::thread::sleep(Duration::from_micros(300 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let last = events(&workspace).pop().unwrap_or(json!(false));
        if !workspace.file(FILE).exists() {
            assert_eq!(last, false, "round {round}: {word}");
        }
        workspace.program(&["audit", "verify"]).exits(0);
    }
    on(&workspace).exits(0);
    off(&workspace).exits(0);
    assert!(workspace.temporary_files().is_empty());
}
