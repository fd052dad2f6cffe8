//! What is kept of alerts: every change once, whatever is killed, lost or can't be written.

use serde_json::json;

use crate::alerts::{
    BRAKE, LOG, REPORT, STATE, after, calm, decided, log, look, names, switch, told, up,
};
use crate::workspace::Workspace;

fn marker(workspace: &Workspace) -> Option<String> {
    let summary = std::fs::read_to_string(workspace.file("audit_summary.md")).ok()?;
    let line = summary.lines().find(|line| line.contains("POLICY_ALERT"))?;
    assert_eq!(summary.matches("POLICY_ALERT").count(), 1, "{summary}");
    Some(line.to_owned())
}

#[test]
fn every_change_is_logged_once_and_the_marker_follows() {
    let workspace = calm();
    switch(&workspace, true);
    for _ in 0..3 {
        look(&workspace, 0.0, &[]).exits(0);
    }
    let created = "<!-- POLICY_ALERT: CREATED 2026-01-15T12:00:00+00:00 open=1 highest=medium names=kill_switch_on -->";
    assert_eq!(marker(&workspace).unwrap(), created);
    let event = log(&workspace).remove(0);
    assert_eq!(
        (&event["number"], &event["event"], &event["clock"]),
        (&json!(1), &json!("raised"), &json!("given"))
    );
    workspace.write(BRAKE, "{}");
    look(&workspace, 1.0, &[]).exits(0);
    let created = "<!-- POLICY_ALERT: CREATED 2026-01-15T13:00:00+00:00 open=2 highest=critical names=brake_unreadable,kill_switch_on -->";
    assert_eq!(marker(&workspace).unwrap(), created);
    std::fs::remove_file(workspace.file(BRAKE)).unwrap();
    switch(&workspace, false);
    let report = look(&workspace, 2.0, &[]).exits(0).json();
    assert_eq!(
        marker(&workspace).unwrap(),
        "<!-- POLICY_ALERT: RESOLVED 2026-01-15T14:00:00+00:00 -->"
    );
    assert_eq!(report["resolved"].as_array().unwrap().len(), 2);
    assert_eq!(
        report["resolved"][0]["resolved_at"],
        "2026-01-15T14:00:00+00:00"
    );
    let expected = [
        "raised kill_switch_on",
        "raised brake_unreadable",
        "resolved brake_unreadable",
        "resolved kill_switch_on",
    ];
    assert_eq!(told(&workspace), expected);
    let numbers: Vec<u64> = log(&workspace)
        .iter()
        .map(|event| event["number"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    decided(&workspace, &[('G', 20.0)]);
    let report = look(&workspace, 26.1, &[]).exits(0).json();
    assert_eq!(report["resolved"], json!([]), "for a day");
}

#[test]
fn what_is_still_up_is_told_again_once_a_day() {
    let workspace = calm();
    decided(&workspace, &[('G', 0.0), ('G', 24.0), ('G', 48.0)]);
    switch(&workspace, true);
    for hours in [0.0, 12.0, 23.99, 24.0, 25.0, 47.9, 48.1] {
        look(&workspace, hours, &[]).exits(0);
    }
    assert_eq!(
        told(&workspace),
        [
            "raised kill_switch_on",
            "reminder kill_switch_on",
            "reminder kill_switch_on"
        ]
    );
    look(&workspace, 49.2, &["--remind-after", "1"]).exits(0);
    assert_eq!(told(&workspace).len(), 4);
    look(&workspace, 49.2, &["--remind-after", "-1"]).exits(2);
}

#[test]
fn a_dry_run_writes_nothing() {
    let workspace = calm();
    switch(&workspace, true);
    let before = workspace.snapshot();
    let ran = look(&workspace, 0.0, &["--dry-run"]).exits(0);
    assert_eq!(names(&ran.json()), ["kill_switch_on"]);
    assert!(ran.stderr.contains("dry run"), "{}", ran.stderr);
    assert_eq!(workspace.snapshot(), before);
}

#[test]
fn a_state_behind_its_log_takes_in_what_it_has_not_seen() {
    let workspace = calm();
    look(&workspace, 0.0, &[]).exits(0);
    let (old, summary) = (workspace.read(STATE), "# Summary\n");
    switch(&workspace, true);
    look(&workspace, 1.0, &[]).exits(0);
    // As a kill leaves it, right after the append; and a second one in the middle of an append.
    workspace.write(STATE, old);
    workspace.write("audit_summary.md", summary);
    let whole = workspace.read(LOG);
    workspace.write(LOG, format!("{whole}{{\"v\":1,\"number\":2,"));
    let ran = look(&workspace, 2.0, &[]).exits(0);
    assert!(
        ran.stderr.contains("STATE_MENDED") && ran.stderr.contains("TORN_TAIL_MOVED"),
        "{}",
        ran.stderr
    );
    assert_eq!(workspace.read(LOG), whole);
    assert_eq!(
        ran.json()["alerts"][0]["first_seen"],
        "2026-01-15T13:00:00+00:00"
    );
    assert!(
        marker(&workspace)
            .unwrap()
            .contains("CREATED 2026-01-15T13:00:00+00:00")
    );
    assert_eq!(
        workspace.read(&format!("{LOG}.torn")),
        "{\"v\":1,\"number\":2,\n"
    );
    assert_eq!(look(&workspace, 2.0, &[]).exits(0).stderr, "");
}

#[test]
fn a_state_that_is_lost_is_made_again_from_the_log() {
    for content in [None, Some("{"), Some("{}")] {
        let workspace = calm();
        switch(&workspace, true);
        look(&workspace, 0.0, &[]).exits(0);
        workspace.write(BRAKE, "{}");
        look(&workspace, 0.0, &[]).exits(0);
        std::fs::remove_file(workspace.file(BRAKE)).unwrap();
        look(&workspace, 0.0, &[]).exits(0);
        match content {
            None => std::fs::remove_file(workspace.file(STATE)).unwrap(),
            Some(content) => workspace.write(STATE, content),
        }
        let ran = look(&workspace, 1.0, &[]).exits(0);
        assert!(ran.stderr.contains("ALERT_STATE_LOST"), "{}", ran.stderr);
        assert_eq!(names(&ran.json()), ["kill_switch_on"]);
        assert_eq!(log(&workspace).len(), 3, "nothing is raised twice");
        let aside = std::fs::read_to_string(workspace.file(&format!("{STATE}.unreadable"))).ok();
        assert_eq!(aside.as_deref(), content);
        switch(&workspace, false);
        look(&workspace, 2.0, &[]).exits(0);
        assert_eq!(log(&workspace)[3]["number"], 4);
    }
}

#[test]
fn a_state_of_a_newer_version_is_not_written_over() {
    let workspace = calm();
    workspace.write(STATE, "{\"schema\": 2, \"more\": 1}");
    let before = workspace.snapshot();
    let ran = look(&workspace, 0.0, &[]).exits(1);
    assert!(ran.stderr.contains("FORMAT_NEWER"), "{}", ran.stderr);
    let mut after = workspace.snapshot();
    after.remove(std::path::Path::new("state/.lock"));
    assert_eq!(after, before);
}

#[test]
fn an_event_that_cannot_be_logged_did_not_happen_yet() {
    let workspace = calm();
    switch(&workspace, true);
    workspace.write(BRAKE, "{\"is_engaged\": true}");
    workspace.write("logs", "no directory");
    let ran = look(&workspace, 0.0, &[]).exits(1);
    assert!(ran.stderr.contains("error["), "{}", ran.stderr);
    assert_eq!(
        names(&serde_json::from_str(&workspace.read(REPORT)).unwrap()),
        ["kill_switch_on"]
    );
    assert_eq!(marker(&workspace), None);
    std::fs::remove_file(workspace.file("logs")).unwrap();
    assert_eq!(
        up(&workspace, 4.1),
        ["brake_engaged", "kill_switch_on"],
        "when the brake was first seen is kept all the same"
    );
    assert_eq!(
        told(&workspace),
        ["raised brake_engaged", "raised kill_switch_on"]
    );
}

#[test]
fn a_marker_that_cannot_be_set_is_set_by_the_next_run() {
    let workspace = calm();
    switch(&workspace, true);
    std::os::unix::fs::symlink("elsewhere.md", workspace.file("audit_summary.md")).unwrap();
    let ran = look(&workspace, 0.0, &[]).exits(1);
    assert!(ran.stderr.contains("LINK_REFUSED"), "{}", ran.stderr);
    std::fs::remove_file(workspace.file("audit_summary.md")).unwrap();
    look(&workspace, 0.0, &[]).exits(0);
    assert!(marker(&workspace).unwrap().contains("kill_switch_on"));
    assert_eq!(told(&workspace), ["raised kill_switch_on"]);
}

#[test]
fn alerts_wait_for_the_workspace_lock_and_say_who_holds_it() {
    let workspace = calm();
    let lock = std::fs::File::create(workspace.file("state/.lock")).unwrap();
    lock.lock().unwrap();
    let ran = look(&workspace, 0.0, &["--lock-timeout", "0.05"]).exits(1);
    assert!(ran.stderr.contains("LOCK_HELD"), "{}", ran.stderr);
    look(&workspace, 0.0, &["--dry-run"]).exits(0);
}

/// Kills runs at random moments, and checks that every change is in the log exactly once.
#[test]
fn a_kill_at_any_moment_neither_loses_nor_doubles_an_event() {
    let workspace = calm();
    let began = std::time::Instant::now();
    look(&workspace, 0.0, &[]).exits(0);
    let usual = began.elapsed();
    let (mut expected, mut alive) = (Vec::new(), 0);
    for round in 0..10_u32 {
        let on = round % 2 == 0;
        switch(&workspace, on);
        if on {
            workspace.write(BRAKE, "{}");
        } else {
            std::fs::remove_file(workspace.file(BRAKE)).unwrap();
        }
        for kill in 0..3_u32 {
            let at = after(0.0);
            let mut child = workspace
                .command(&["alerts", "--at", &at])
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap();
            // Spread evenly over the time that a run takes, and a little more.
            std::thread::sleep(usual * (round * 3 + kill) / 27);
            alive += u32::from(child.try_wait().unwrap().is_none());
            child.kill().unwrap();
            child.wait().unwrap();
        }
        look(&workspace, 0.0, &[]).exits(0);
        let event = if on { "raised" } else { "resolved" };
        expected
            .extend(["brake_unreadable", "kill_switch_on"].map(|name| format!("{event} {name}")));
        assert_eq!(told(&workspace), expected, "round {round}");
        let marked = marker(&workspace).unwrap();
        assert_eq!(marked.contains("CREATED"), on, "{marked}");
    }
    assert!(alive >= 10, "{alive} of 30 kills found the process alive");
    assert_eq!(
        workspace.temporary_files(),
        Vec::<std::path::PathBuf>::new()
    );
}
