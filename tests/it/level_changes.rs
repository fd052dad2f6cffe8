//! Changes of the level: each told once, by the line of the journal that recorded it, where
//! `policy/alerts.json` asks for it (row S4-089).

use serde_json::{Value, json};

use crate::alerts::{LOG, STATE, after, log, look};
use crate::workspace::{AT, JOURNAL, Workspace};

/// A healthy workspace that was decided GREEN at [`AT`] and looked at.
fn green(document: &Value) -> Workspace {
    let workspace = Workspace::healthy();
    workspace.write("policy/alerts.json", document.to_string());
    workspace.run_at(AT).exits(0);
    look(&workspace, 0.0, &[]).exits(0);
    workspace
}

/// `level_changes` with a hook that is a shell script.
fn document(changes: &Value, script: &str) -> Value {
    let hook = json!({"argv": ["/bin/sh", "-c", script], "timeout_seconds": 20});
    json!({"schema": 1, "level_changes": changes, "hook": hook})
}

const TAKE: &str = "cat >> got.jsonl";

/// Decides at that many hours after [`AT`], with this forecast.
fn decide(workspace: &Workspace, hours: f64, forecast: &str) {
    workspace.forecast(forecast);
    workspace.run_at(&after(hours)).exits(0);
}

/// The changes that the log has: from, to, number of the line.
fn logged(workspace: &Workspace) -> Vec<(String, String, u64)> {
    log(workspace).iter().filter_map(in_short).collect()
}

/// The changes that the hook was told of, in the order of its calls.
fn told(workspace: &Workspace) -> Vec<(String, String, u64)> {
    let text = std::fs::read_to_string(workspace.file("got.jsonl")).unwrap_or_default();
    let messages = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    messages
        .flat_map(|message| message["events"].as_array().unwrap().clone())
        .filter_map(|event| in_short(&event))
        .collect()
}

fn in_short(event: &Value) -> Option<(String, String, u64)> {
    if event["event"] != "changed" {
        return None;
    }
    assert_eq!(event["name"], "level_changed");
    let evidence = &event["evidence"];
    let text = |key: &str| evidence[key].as_str().unwrap().to_owned();
    Some((text("from"), text("to"), evidence["line"].as_u64().unwrap()))
}

fn change(from: &str, to: &str, line: u64) -> (String, String, u64) {
    (from.to_owned(), to.to_owned(), line)
}

#[test]
fn a_change_of_the_level_is_logged_and_told_once_and_an_unchanged_level_never() {
    let workspace = green(&document(&json!({}), TAKE));
    decide(&workspace, 1.0, "high");
    let report = look(&workspace, 1.0, &[]).exits(0).json();
    let expected = json!([{"from": "GREEN", "to": "RED", "at": "2026-01-15T13:00:00+00:00", "line": 2, "reasons": ["FORECAST_HIGH"], "given_clock": true}]);
    assert_eq!(report["level_changes"], expected);
    let red = change("GREEN", "RED", 2);
    let event = log(&workspace).pop().unwrap();
    assert_eq!(
        (&event["severity"], &event["message"], &event["since"]),
        (
            &json!("high"),
            &json!("the level went from GREEN to RED, recorded in line 2"),
            &json!("2026-01-15T13:00:00+00:00")
        )
    );
    // The same level again, and no run between two looks: nothing to tell.
    decide(&workspace, 2.0, "high");
    for hours in [2.0, 30.0] {
        let report = look(&workspace, hours, &[]).exits(0).json();
        assert_eq!(report["level_changes"], json!([]));
    }
    assert_eq!(logged(&workspace), std::slice::from_ref(&red));
    assert_eq!(told(&workspace), std::slice::from_ref(&red));
    // Two changes between two looks are two events, back in their order.
    decide(&workspace, 31.0, "medium");
    decide(&workspace, 32.0, "low");
    let human = look(&workspace, 33.0, &["--format", "human"]).exits(0);
    assert!(
        human
            .stdout
            .contains("the level went from YELLOW to GREEN, 2026-01-16 20:00:00 UTC, line 5"),
        "{}",
        human.stdout
    );
    let all = [
        red,
        change("RED", "YELLOW", 4),
        change("YELLOW", "GREEN", 5),
    ];
    assert_eq!(logged(&workspace), all);
    assert_eq!(told(&workspace), all);
}

#[test]
fn only_the_changes_asked_for_are_told_and_without_the_key_none() {
    let workspace = green(&document(&json!({"to": ["RED"], "from": ["GREEN"]}), TAKE));
    for (hours, forecast) in [(1.0, "medium"), (2.0, "high"), (3.0, "low"), (4.0, "high")] {
        decide(&workspace, hours, forecast);
        look(&workspace, hours, &[]).exits(0);
    }
    let expected = [change("GREEN", "RED", 5)];
    assert_eq!(told(&workspace), expected);
    workspace.write("policy/alerts.json", r#"{"schema": 1}"#);
    decide(&workspace, 5.0, "low");
    let report = look(&workspace, 5.0, &[]).exits(0).json();
    assert_eq!(report.get("level_changes"), None);
    // Who asks for them later is told of later ones.
    let asked = document(&json!({}), TAKE);
    workspace.write("policy/alerts.json", asked.to_string());
    look(&workspace, 6.0, &[]).exits(0);
    assert_eq!(logged(&workspace), expected);
    decide(&workspace, 7.0, "high");
    look(&workspace, 7.0, &[]).exits(0);
    assert_eq!(logged(&workspace).last(), Some(&change("GREEN", "RED", 7)));
}

#[test]
fn a_hook_that_fails_changes_neither_level_nor_exit_code_and_is_told_again() {
    let failing = "cat >/dev/null; echo 'no route' >&2; exit 3";
    let workspace = green(&document(&json!({}), failing));
    decide(&workspace, 1.0, "high");
    let state = workspace.bytes("state/policy_state.json");
    let journal = workspace.bytes(JOURNAL);
    let ran = look(&workspace, 1.0, &[]).exits(0);
    assert!(
        ran.stderr.contains("warning[NOTIFICATION_FAILED]"),
        "{}",
        ran.stderr
    );
    assert_eq!(workspace.bytes("state/policy_state.json"), state);
    assert_eq!(workspace.bytes(JOURNAL), journal);
    let expected = [change("GREEN", "RED", 2)];
    assert_eq!(logged(&workspace), expected, "it is recorded all the same");
    workspace.write("policy/alerts.json", document(&json!({}), TAKE).to_string());
    for hours in [2.0, 3.0] {
        look(&workspace, hours, &[]).exits(0);
    }
    assert_eq!(told(&workspace), expected);
    assert_eq!(logged(&workspace), expected);
}

#[test]
fn a_look_that_is_killed_while_it_tells_tells_again_and_logs_nothing_twice() {
    let killing = "cat >/dev/null; kill -9 $PPID; sleep 1";
    let workspace = green(&document(&json!({}), TAKE));
    let killing = document(&json!({}), killing);
    workspace.write("policy/alerts.json", killing.to_string());
    decide(&workspace, 1.0, "high");
    let killed = look(&workspace, 1.0, &[]);
    assert_eq!((killed.code, killed.stdout.as_str()), (-1, ""));
    let expected = [change("GREEN", "RED", 2)];
    assert_eq!(logged(&workspace), expected);
    workspace.write("policy/alerts.json", document(&json!({}), TAKE).to_string());
    for hours in [1.0, 2.0] {
        look(&workspace, hours, &[]).exits(0);
    }
    assert_eq!(logged(&workspace), expected);
    assert_eq!(told(&workspace), expected);
}

#[test]
fn a_state_behind_its_log_or_lost_has_no_change_logged_twice() {
    let workspace = green(&document(&json!({}), TAKE));
    let before = workspace.bytes(STATE);
    decide(&workspace, 1.0, "high");
    look(&workspace, 1.0, &[]).exits(0);
    let expected = [change("GREEN", "RED", 2)];
    // As after a kill between the line of the log and the state.
    workspace.write(STATE, &before);
    let ran = look(&workspace, 1.0, &[]).exits(0);
    assert!(ran.stderr.contains("STATE_MENDED"), "{}", ran.stderr);
    assert_eq!(logged(&workspace), expected);
    assert_eq!(
        told(&workspace).len(),
        2,
        "nobody knows whether it was told"
    );
    std::fs::remove_file(workspace.file(STATE)).unwrap();
    look(&workspace, 1.0, &[]).exits(0);
    assert_eq!(logged(&workspace), expected);
    // A kill before the line of the log: the change is found again.
    decide(&workspace, 2.0, "low");
    let (log_before, state_before) = (workspace.bytes(LOG), workspace.bytes(STATE));
    look(&workspace, 2.0, &[]).exits(0);
    workspace.write(LOG, log_before);
    workspace.write(STATE, state_before);
    look(&workspace, 2.0, &[]).exits(0);
    assert_eq!(
        logged(&workspace),
        [change("GREEN", "RED", 2), change("RED", "GREEN", 3)]
    );
}

#[test]
fn a_document_that_is_refused_loses_no_change() {
    let workspace = green(&document(&json!({}), TAKE));
    workspace.write(
        "policy/alerts.json",
        r#"{"level_changes": {"to": ["red"]}}"#,
    );
    decide(&workspace, 1.0, "high");
    let ran = look(&workspace, 1.0, &[]).exits(1);
    assert!(
        ran.stderr.contains("`level_changes.to` can't be used"),
        "{}",
        ran.stderr
    );
    assert_eq!(logged(&workspace), []);
    workspace.write("policy/alerts.json", document(&json!({}), TAKE).to_string());
    look(&workspace, 1.0, &[]).exits(0);
    assert_eq!(told(&workspace), [change("GREEN", "RED", 2)]);
}

#[test]
fn the_first_look_tells_of_the_last_day_and_a_dry_run_of_nothing() {
    let workspace = Workspace::healthy();
    let asked = document(&json!({}), TAKE).to_string();
    workspace.write("policy/alerts.json", asked);
    for (hours, forecast) in [
        (-72.0, "low"),
        (-71.0, "high"),
        (-2.0, "low"),
        (-1.0, "high"),
    ] {
        decide(&workspace, hours, forecast);
    }
    let dry = look(&workspace, 0.0, &["--dry-run"]).exits(0).json();
    assert_eq!(dry["level_changes"].as_array().unwrap().len(), 2);
    assert_eq!((logged(&workspace).len(), told(&workspace).len()), (0, 0));
    look(&workspace, 0.0, &[]).exits(0);
    let expected = [change("RED", "GREEN", 3), change("GREEN", "RED", 4)];
    assert_eq!(told(&workspace), expected);
}
