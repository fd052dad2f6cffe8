//! Freeze windows: the gate `freeze` (issue 4).
//!
//! What a window means is tested beside its code; here is what a user sees of it.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use serde_json::{Value, json};

use crate::workspace::{Ran, Workspace};

const POLICY: &str = "policy/policy.yaml";
const THRESHOLDS: &str = "policy/policy_thresholds.json";
const HEAD: &str = r#"apiVersion: policy.orchestra.v1
kind: OrchestrationPolicy
metadata:
  name: ours
  version: "3"
spec:
  signals:
    - name: integrity
  triggers:
    - code: INTEGRITY_BELOW_RED
      signal: integrity
      level: RED
      below: 90
  freeze:
"#;

/// Open at every time there is.
const ALWAYS: &str = r#"    - name: holidays
      reason: nobody is there
      cron: "0 0 * * *"
      duration: 48h
      timezone: Europe/Berlin
"#;
const WEEKEND: &str = r#"    - name: weekend
      reason: nobody is there
      cron: "0 18 * * FRI"
      duration: 62h
      timezone: Europe/Berlin
"#;

const ZONES: &str = "src/policy/freeze/zones.txt";

fn minutes_from_utc(zone: Tz, at: DateTime<Utc>) -> i32 {
    let offset = zone.offset_from_utc_datetime(&at.naive_utc()).fix();
    assert_eq!(offset.local_minus_utc() % 60, 0, "{zone} at {at}");
    offset.local_minus_utc() / 60
}

/// The offset at the beginning of 2000, and for each change up to 2100 the minutes since the one
/// before and the new offset.
fn offsets(zone: Tz) -> String {
    // No zone changed its clock twice within so few days since 2000, or is known to.
    let stride = TimeDelta::days(4);
    let begin = Utc.with_ymd_and_hms(2000, 1, 1, 0, 0, 0).unwrap();
    let end = Utc.with_ymd_and_hms(2101, 1, 1, 0, 0, 0).unwrap();
    let mut known = minutes_from_utc(zone, begin);
    let mut text = known.to_string();
    let (mut last, mut time) = (begin, begin);
    while time < end {
        let next = time + stride;
        let offset = minutes_from_utc(zone, next);
        if offset != known {
            let (mut before, mut after) = (time, next);
            while after - before > TimeDelta::minutes(1) {
                let middle = before + TimeDelta::minutes((after - before).num_minutes() / 2);
                if minutes_from_utc(zone, middle) == known {
                    before = middle;
                } else {
                    after = middle;
                }
            }
            text += &format!(" {} {offset}", (after - last).num_minutes());
            (last, known) = (after, offset);
        }
        time = next;
    }
    text
}

#[test]
fn the_table_of_zones_is_that_of_the_time_zone_database() {
    let mut alike: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for zone in TZ_VARIANTS {
        alike.entry(offsets(zone)).or_default().push(zone.name());
    }
    let mut lines: Vec<String> = alike
        .into_iter()
        .map(|(offsets, names)| format!("{}\t{offsets}\n", names.join(",")))
        .collect();
    lines.sort();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(ZONES);
    if std::env::var_os("POLICY_REGENERATE").is_some() {
        std::fs::write(&path, lines.concat()).unwrap();
    }
    let table = std::fs::read_to_string(path).unwrap();
    assert!(table == lines.concat(), "run scripts/regenerate");
}

/// A workspace whose last decision is RED and fresh, with one action that leaves a file.
fn red() -> Workspace {
    let workspace = Workspace::healthy();
    workspace.integrity("80");
    workspace.write(
        "forensics/safety_brake_state.json",
        "{\"is_engaged\": false, \"response_count_24h\": 0}",
    );
    let action = json!({"name": "touch", "level": "RED", "argv": ["/bin/sh", "-c", "echo x > done"], "changes": ["done"], "reversible": true});
    let actions = json!({"schema": 1, "builtin": false, "actions": [action]});
    workspace.write("policy/responses.json", actions.to_string());
    workspace.program(&["run"]).exits(0);
    workspace
}

fn freeze(workspace: &Workspace, windows: &str) {
    workspace.write(POLICY, format!("{HEAD}{windows}"));
}

/// The gate in what a dry run or an apply shows.
fn gate(ran: &Ran) -> Value {
    let gates = ran.json()["gates"].as_array().unwrap().clone();
    gates
        .into_iter()
        .find(|gate| gate["name"] == "freeze")
        .unwrap()
}

fn gate_at(workspace: &Workspace, at: &str) -> Value {
    gate(&workspace.program(&["respond", "--at", at]).exits(0))
}

#[test]
fn the_reference_policy_freezes_nothing() {
    let workspace = red();
    let expected = json!({
        "name": "freeze",
        "open": true,
        "detail": "policy `reference`, version 1: no freeze window is declared",
    });
    assert_eq!(gate(&workspace.program(&["respond"]).exits(0)), expected);
}

#[test]
fn a_refused_document_closes_the_gate_and_names_what_is_wrong() {
    let workspace = red();
    workspace.write(THRESHOLDS, "{\"orange\": 1}");
    let ran = workspace.program(&["respond", "--apply"]).exits(3);
    assert_eq!(ran.json()["reason"], "gate_unreadable");
    let gate = gate(&ran);
    assert_eq!(gate["reason"], "gate_unreadable");
    let detail = gate["detail"].as_str().unwrap();
    assert!(
        detail.contains("policy/policy_thresholds.json:1:") && detail.contains("`orange`"),
        "{detail}"
    );
    assert!(!workspace.file("done").exists());
    std::fs::remove_file(workspace.file(THRESHOLDS)).unwrap();
    workspace.program(&["respond", "--apply"]).exits(0);
    assert!(workspace.file("done").exists());
}

#[test]
fn nothing_is_applied_in_a_window_and_all_else_goes_on() {
    let workspace = red();
    let applied = workspace.program(&["respond", "--apply"]).exits(0).json();
    let id = applied["response_id"].as_str().unwrap().to_owned();
    workspace.program(&["run"]).exits(0);
    freeze(&workspace, ALWAYS);

    let ran = workspace.program(&["respond", "--apply"]).exits(3);
    let report = ran.json();
    assert_eq!(
        (&report["blocked"], &report["reason"]),
        (&json!(true), &json!("frozen"))
    );
    let found = gate(&ran);
    assert_eq!(
        (&found["detail"], &found.get("opens_at")),
        (
            &json!(
                "policy `ours`, version 3: in the window `holidays`: nobody is there; no end was found within a year"
            ),
            &None
        )
    );
    let kept: Value =
        serde_json::from_str(&workspace.read("reports/policy_response_blocked.json")).unwrap();
    assert_eq!(kept["reason"], "frozen");
    let marker = workspace.read("audit_summary.md");
    assert!(marker.contains("reason: frozen -->"), "{marker}");
    let action = ["action", "integrity_anchor_mirror", "--apply"];
    assert_eq!(gate(&workspace.program(&action).exits(3))["open"], false);

    // A freeze is about applies.
    let preview = workspace.program(&["respond"]).exits(0);
    assert_eq!(gate(&preview)["reason"], "frozen");
    workspace.program(&["run"]).exits(0);
    for arguments in [
        &["brake", "engage", "--reason", "drill"][..],
        &["brake", "reset", "--reason", "drill"],
        &["trust", "force-unlock", "--reason", "drill"],
        &["kill", "on", "--reason", "drill"],
        &["kill", "off", "--reason", "drill"],
        &["undo", "run", &id],
    ] {
        workspace.program(arguments).exits(0);
    }
    assert!(!workspace.file("done").exists());
}

#[test]
fn a_window_is_open_from_its_start_to_its_end() {
    let workspace = red();
    freeze(&workspace, WEEKEND);
    let open = json!({
        "name": "freeze",
        "open": true,
        "detail": "policy `ours`, version 3: freeze windows: 1, none in the way",
    });
    let closed = json!({
        "name": "freeze",
        "open": false,
        "reason": "frozen",
        "detail": "policy `ours`, version 3: in the window `weekend`: nobody is there",
        "opens_at": "2026-01-19T07:00:00+00:00",
    });
    for (at, expected) in [
        ("2026-01-16T16:59:59Z", &open),
        ("2026-01-16T17:00:00Z", &closed),
        ("2026-01-19T06:59:59Z", &closed),
        ("2026-01-19T07:00:00Z", &open),
    ] {
        assert_eq!(&gate_at(&workspace, at), expected, "{at}");
    }
    let at = [
        "respond",
        "--at",
        "2026-01-17T12:00:00Z",
        "--format",
        "human",
    ];
    let shown = workspace.program(&at).exits(0).stdout;
    let line = "CLOSED  freeze            policy `ours`, version 3: in the window `weekend`: nobody is there (frozen); opens 2026-01-19 07:00:00 UTC";
    assert!(shown.contains(line), "{shown}");
}

#[test]
fn outside_of_what_is_allowed_nothing_is_applied_and_denying_comes_first() {
    let workspace = red();
    let office = r#"    - name: office
      reason: somebody is there
      cron: "0 8 * * MON-FRI"
      duration: 8h
      timezone: UTC
      mode: allow
"#;
    freeze(&workspace, &format!("{WEEKEND}{office}"));
    let cases = [
        ("2026-01-16T12:00:00Z", Value::Null, Value::Null),
        (
            "2026-01-15T20:00:00Z",
            json!("outside_windows"),
            json!("2026-01-16T08:00:00+00:00"),
        ),
        (
            "2026-01-17T12:00:00Z",
            json!("frozen"),
            json!("2026-01-19T08:00:00+00:00"),
        ),
    ];
    for (at, reason, opens) in cases {
        let gate = gate_at(&workspace, at);
        assert_eq!(
            (&gate["reason"], &gate["opens_at"]),
            (&reason, &opens),
            "{at}"
        );
    }
}

#[test]
fn a_freeze_that_begins_while_actions_run_keeps_the_next_from_starting() {
    let workspace = red();
    // The first action stands for somebody who merges a policy meanwhile.
    let merge = format!("mkdir -p policy; cat > {POLICY} <<'END'\n{HEAD}{ALWAYS}END");
    let shell = |name: &str, script: &str| json!({"name": name, "level": "RED", "argv": ["/bin/sh", "-c", script]});
    let actions = json!([shell("merge", &merge), shell("next", "echo x > next")]);
    let declared = json!({"schema": 1, "builtin": false, "actions": actions});
    workspace.write("policy/responses.json", declared.to_string());
    let report = workspace.program(&["respond", "--apply"]).exits(1).json();
    assert_eq!(report["results"][0]["success"], true);
    let ended = report["results"][1]["ended"].as_str().unwrap();
    assert!(
        ended.starts_with(
            "not started: freeze is closed: policy `ours`, version 3: in the window `holidays`"
        ),
        "{ended}"
    );
    assert!(!workspace.file("next").exists());
}

#[test]
fn a_run_is_not_frozen_and_says_nothing_of_it() {
    let workspace = Workspace::healthy();
    freeze(&workspace, ALWAYS);
    let ran = workspace.run().exits(0);
    assert_eq!(ran.json()["policy"], "GREEN");
    assert!(!ran.stdout.contains("holidays"), "{}", ran.stdout);
}
