//! `alerts`: what is raised, told again and resolved, and what is written of it (rows OR-29 to OR-33,
//! OR-35, D-16, D-21, D-22). What is kept of it is in
//! `alert_record.rs`, who is told of it in `alert_hooks.rs`.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::workspace::{AT, JOURNAL, Ran, Workspace};

pub(crate) const REPORT: &str = "reports/policy_orchestration_alerts.json";
pub(crate) const LOG: &str = "logs/policy_orchestration_alerts.jsonl";
pub(crate) const STATE: &str = "state/policy_alert_state.json";
pub(crate) const BRAKE: &str = "forensics/safety_brake_state.json";
const RESPONSE_LOG: &str = "state/policy_response_log.jsonl";
const RESPONSE_JOURNAL: &str = "state/policy_response_journal.jsonl";
const SWITCH: &str = "state/kill_switch.json";

/// A time so long after [`AT`].
pub(crate) fn after(hours: f64) -> String {
    let at: DateTime<Utc> = AT.parse().unwrap();
    let seconds = TimeDelta::seconds((hours * 3600.0) as i64);
    (at + seconds).to_rfc3339()
}

/// A line as the predecessor wrote it.
fn plain(at: &str, level: &str) -> String {
    json!({"timestamp": at, "policy": level, "trust_locked": false, "integrity": 97.5, "consensus": 95.0, "reputation": 90.0, "forecast": "low", "responses": 0}).to_string() + "\n"
}

/// A journal with levels (their first letters) so many hours after [`AT`].
pub(crate) fn decided(workspace: &Workspace, row: &[(char, f64)]) {
    let level = |letter| match letter {
        'R' => "RED",
        'Y' => "YELLOW",
        _ => "GREEN",
    };
    let lines = row
        .iter()
        .map(|(letter, hours)| plain(&after(*hours), level(*letter)));
    workspace.write(JOURNAL, lines.collect::<String>());
}

/// A workspace where nothing is the matter at [`AT`].
pub(crate) fn calm() -> Workspace {
    let workspace = Workspace::empty();
    decided(&workspace, &[('G', -30.0), ('G', -6.0)]);
    workspace
}

pub(crate) fn look(workspace: &Workspace, hours: f64, further: &[&str]) -> Ran {
    let at = after(hours);
    let arguments = ["alerts", "--at", at.as_str(), "--retry-delays", ""];
    let all: Vec<&str> = arguments.iter().chain(further).copied().collect();
    workspace.program(&all)
}

/// The names of the alerts that are up so long after [`AT`].
#[track_caller]
pub(crate) fn up(workspace: &Workspace, hours: f64) -> Vec<String> {
    names(&look(workspace, hours, &[]).exits(0).json())
}

pub(crate) fn names(report: &Value) -> Vec<String> {
    let alerts = report["alerts"].as_array().unwrap().iter();
    alerts
        .map(|alert| alert["name"].as_str().unwrap().to_owned())
        .collect()
}

pub(crate) fn log(workspace: &Workspace) -> Vec<Value> {
    let text = std::fs::read_to_string(workspace.file(LOG)).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The events of the log in short: `raised brake_engaged`.
pub(crate) fn told(workspace: &Workspace) -> Vec<String> {
    let short = |event: &Value| {
        format!(
            "{} {}",
            event["event"].as_str().unwrap(),
            event["name"].as_str().unwrap()
        )
    };
    log(workspace).iter().map(short).collect()
}

pub(crate) fn switch(workspace: &Workspace, on: bool) {
    workspace.write(SWITCH, json!({"on": on, "reason": "drill"}).to_string());
}

#[test]
fn no_alert_leaves_a_report_and_no_marker() {
    let workspace = calm();
    let ran = look(&workspace, 0.0, &[]).exits(0);
    assert_eq!(ran.stderr, "");
    let report = ran.json();
    assert_eq!(ran.stdout, workspace.read(REPORT));
    assert_eq!(
        (&report["schema"], &report["status"]),
        (&json!(1), &json!("ok"))
    );
    assert_eq!(
        report["counts"],
        json!({"low": 0, "medium": 0, "high": 0, "critical": 0})
    );
    assert_eq!(
        (&report["alerts"], &report["resolved"]),
        (&json!([]), &json!([]))
    );
    assert!(workspace.file(STATE).exists());
    assert_eq!(told(&workspace), [""; 0]);
    assert!(!workspace.file("audit_summary.md").exists());
    let human = look(&workspace, 0.0, &["--format", "human"]).exits(0);
    assert_eq!(human.stdout, format!("● no alert\n{REPORT} holds this\n"));
    assert_eq!(
        workspace.temporary_files(),
        Vec::<std::path::PathBuf>::new()
    );
}

#[test]
fn three_red_flips_in_a_day_are_an_alert_and_two_are_none() {
    let workspace = Workspace::empty();
    let two = [
        ('R', -30.0),
        ('R', -20.0),
        ('G', -9.0),
        ('R', -8.0),
        ('G', -7.0),
        ('R', -2.0),
    ];
    decided(&workspace, &two);
    assert_eq!(
        up(&workspace, 0.0),
        [""; 0],
        "a RED that began before the window is no flip"
    );
    let mut three = two.to_vec();
    three.insert(2, ('G', -19.0));
    three.insert(3, ('R', -18.0));
    decided(&workspace, &three);
    let report = look(&workspace, 0.0, &[]).exits(0).json();
    assert_eq!(names(&report), ["red_flips"]);
    let alert = &report["alerts"][0];
    assert_eq!(alert["severity"], "high");
    assert_eq!(
        (&alert["evidence"]["flips"], &alert["evidence"]["limit"]),
        (&json!(3), &json!(2))
    );
    assert_eq!(alert["since"], "2026-01-14T18:00:00+00:00");
    let later = up(&workspace, 6.5);
    assert_eq!(later, ["red_lasts"], "one of the three left the window");
}

#[test]
fn what_was_decided_with_a_given_time_never_counts() {
    let workspace = Workspace::healthy();
    for hour in 0..8 {
        workspace.forecast(if hour % 2 == 0 { "low" } else { "high" });
        workspace
            .run_at(&format!("2026-01-15T{:02}:00:00Z", hour + 4))
            .exits(0);
    }
    assert_eq!(up(&workspace, 0.0), ["schedule_late"]);
}

#[test]
fn red_that_lasts_and_a_level_that_flaps() {
    let workspace = Workspace::empty();
    decided(&workspace, &[('G', -9.0), ('R', -4.0), ('R', -1.0)]);
    assert_eq!(up(&workspace, 0.0), [""; 0]);
    assert_eq!(up(&workspace, 0.001), ["red_lasts"]);
    let six: Vec<(char, f64)> = "GYGYGYG".chars().zip((-9..).map(f64::from)).collect();
    decided(&workspace, &six);
    assert_eq!(up(&workspace, 0.0), [""; 0], "six changes");
    let seven: Vec<(char, f64)> = six.into_iter().chain([('Y', -2.0)]).collect();
    decided(&workspace, &seven);
    assert_eq!(up(&workspace, 0.0), ["level_flaps"]);
}

#[test]
fn the_brake_counts_from_its_engagement() {
    let workspace = calm();
    let engaged = |member: &str| {
        let text = format!("{{\"is_engaged\": true, \"last_check\": \"{AT}\"{member}}}");
        workspace.write(BRAKE, text);
    };
    engaged(", \"engaged_at\": \"2026-01-15T08:00:00+00:00\"");
    assert_eq!(up(&workspace, 0.0), [""; 0], "four hours");
    let report = look(&workspace, 1.0 / 60.0, &[]).exits(0).json();
    assert_eq!(names(&report), ["brake_engaged"], "four hours and a minute");
    assert_eq!(report["alerts"][0]["severity"], "critical");
    assert_eq!(report["alerts"][0]["since"], "2026-01-15T08:00:00+00:00");
    workspace.write(BRAKE, "{\"is_engaged\": false}");
    assert_eq!(up(&workspace, 0.1), [""; 0]);
}

#[test]
fn a_brake_that_does_not_say_since_when_counts_from_when_it_was_first_seen() {
    let workspace = calm();
    let engaged = "{\"is_engaged\": true, \"last_check\": \"2026-01-15T08:00:00Z\", \"engaged_at\": \"soon\"}";
    workspace.write(BRAKE, engaged);
    assert_eq!(up(&workspace, 0.0), [""; 0]);
    assert_eq!(up(&workspace, 4.0), [""; 0]);
    // Nobody can read it for a moment: that is an alert of its own, and its clock goes on.
    workspace.write(BRAKE, "{\"is_engaged\": ");
    assert_eq!(up(&workspace, 4.01), ["brake_unreadable"]);
    workspace.write(BRAKE, engaged);
    assert_eq!(up(&workspace, 4.02), ["brake_engaged"]);
    workspace.write(BRAKE, "{\"is_engaged\": \"no\"}");
    assert_eq!(
        up(&workspace, 4.03),
        ["brake_engaged", "brake_unreadable"],
        "what nobody can say stays"
    );
    workspace.write(BRAKE, "{\"is_engaged\": false}");
    assert_eq!(up(&workspace, 4.04), [""; 0]);
    workspace.write(BRAKE, engaged);
    assert_eq!(up(&workspace, 5.0), [""; 0], "engaged anew");
}

#[test]
fn three_blocked_responses_in_a_row_are_an_alert() {
    let workspace = calm();
    let line = |mode: &str, blocked: bool, id: usize| {
        json!({"timestamp": AT, "policy": "RED", "mode": mode, "response_id": format!("id-{id}"), "blocked": blocked, "reason": "safety_brake_engaged"}).to_string() + "\n"
    };
    let mut lines = line("apply", true, 0) + &line("apply", false, 1);
    lines += &(line("apply", true, 2) + &line("undo", false, 3) + &line("apply", true, 4));
    workspace.write(RESPONSE_LOG, &lines);
    assert_eq!(up(&workspace, 0.0), [""; 0]);
    lines += &line("apply", true, 5);
    workspace.write(RESPONSE_LOG, &lines);
    let report = look(&workspace, 0.0, &[]).exits(0).json();
    assert_eq!(names(&report), ["blocked_responses"]);
    let evidence = &report["alerts"][0]["evidence"];
    assert_eq!(
        (&evidence["blocked"], &evidence["reasons"][0]),
        (&json!(3), &json!("safety_brake_engaged"))
    );
    lines += &line("apply", false, 6);
    workspace.write(RESPONSE_LOG, &lines);
    assert_eq!(up(&workspace, 0.0), [""; 0]);
}

#[test]
fn fix_branches_are_listed_here_and_on_remotes_until_they_are_deleted() {
    let workspace = calm().with_git();
    assert_eq!(up(&workspace, 0.0), [""; 0]);
    let repository = workspace.repository();
    let commit = repository.head().unwrap().target().unwrap();
    let refs = [
        "refs/heads/fix/policy-orchestrator-20260115110000",
        "refs/remotes/origin/fix/policy-orchestrator-20260115110000",
        "refs/remotes/origin/fix/policy-response-20260115100000",
        "refs/heads/fix/typo",
        "refs/heads/topic/fix/policy-orchestrator-1",
    ];
    for name in refs {
        repository.reference(name, commit, false, "test").unwrap();
    }
    let report = look(&workspace, 0.0, &[]).exits(0).json();
    assert_eq!(names(&report), ["fix_branches"]);
    let alert = &report["alerts"][0];
    let listed = json!([
        "fix/policy-orchestrator-20260115110000",
        "origin/fix/policy-response-20260115100000"
    ]);
    assert_eq!(
        (&alert["severity"], &alert["evidence"]["branches"]),
        (&json!("medium"), &listed)
    );
    assert_eq!(alert["since"], "2026-01-15T10:00:00+00:00");
    for name in refs {
        repository.find_reference(name).unwrap().delete().unwrap();
    }
    assert_eq!(up(&workspace, 0.0), [""; 0]);
}

#[test]
fn a_repository_that_cannot_be_read_leaves_its_alert_as_it_was() {
    let workspace = calm().with_git();
    let repository = workspace.repository();
    let commit = repository.head().unwrap().target().unwrap();
    let name = "refs/heads/fix/policy-orchestrator-20260115110000";
    repository.reference(name, commit, false, "test").unwrap();
    assert_eq!(up(&workspace, 0.0), ["fix_branches"]);
    let config = workspace.read(".git/config");
    workspace.write(".git/config", "[core");
    let ran = look(&workspace, 0.1, &[]).exits(1);
    assert!(ran.stderr.contains("CONDITION_UNKNOWN"), "{}", ran.stderr);
    let report = ran.json();
    assert_eq!(
        (names(&report), &report["unknown"]),
        (vec!["fix_branches".to_owned()], &json!(["fix_branches"]))
    );
    workspace.write(".git/config", config);
    assert_eq!(up(&workspace, 0.2), ["fix_branches"]);
    assert_eq!(told(&workspace), ["raised fix_branches"]);
}

#[test]
fn the_schedule_is_late_after_26_hours_without_a_successful_evaluation() {
    let workspace = Workspace::healthy();
    let never = look(&workspace, 0.0, &[]).exits(0).json();
    assert_eq!(names(&never), ["schedule_late"]);
    assert_eq!(never["alerts"][0]["severity"], "high");
    workspace.program(&["run"]).exits(0);
    let evaluated: DateTime<Utc> = workspace.state()["evaluated_at"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let up_after = |seconds: i64| {
        let at = (evaluated + TimeDelta::seconds(seconds)).to_rfc3339();
        names(&workspace.program(&["alerts", "--at", &at]).exits(0).json())
    };
    assert_eq!(up_after(0), [""; 0]);
    assert_eq!(up_after(26 * 3600), [""; 0]);
    assert_eq!(up_after(26 * 3600 + 1), ["schedule_late"]);
}

#[test]
fn neither_a_given_time_nor_a_failed_run_nor_a_wrong_clock_counts_as_on_time() {
    let workspace = Workspace::empty();
    let cases = [
        ("", -1.0, false),
        ("\"clock\":\"given\",", -1.0, true),
        ("\"failure\":\"0123\",", -1.0, true),
        ("", 500.0, true),
    ];
    for (member, hours, late) in cases {
        let last = plain(&after(hours), "GREEN").replacen('{', &format!("{{{member}"), 1);
        let lines = plain(&after(-30.0), "GREEN") + &last;
        workspace.write(JOURNAL, lines);
        let names = up(&workspace, 0.0);
        assert_eq!(
            names.contains(&"schedule_late".to_owned()),
            late,
            "{member} {hours}"
        );
    }
}

#[test]
fn a_changed_journal_is_critical_and_exits_with_5_where_that_was_asked_for() {
    let workspace = Workspace::healthy();
    workspace.program(&["run"]).exits(0);
    workspace.program(&["alerts", "--exit-code"]).exits(0);
    let (journal, state) = (
        workspace.read(JOURNAL),
        workspace.read("state/policy_state.json"),
    );
    let alert = |code: i32| {
        let ran = workspace.program(&["alerts", "--exit-code"]).exits(code);
        assert!(ran.stderr.contains("error["), "{}", ran.stderr);
        let report = ran.json();
        assert!(
            names(&report).contains(&"journal_broken".to_owned()),
            "{report}"
        );
        assert_eq!(report["alerts"][0]["severity"], "critical");
        workspace.program(&["alerts"]).exits(0);
    };
    workspace.write(JOURNAL, "");
    alert(5);
    workspace.write(JOURNAL, &journal);
    workspace.write("state/policy_state.json", "{");
    alert(5);
    workspace.write("state/policy_state.json", state);
    workspace.program(&["alerts", "--exit-code"]).exits(0);
    let head = json!({RESPONSE_LOG: {"seq": 3, "sha256": "0".repeat(64)}});
    workspace.write("state/journal_heads.json", head.to_string());
    alert(5);
    workspace.write("state/journal_heads.json", "[]");
    alert(5);
    std::fs::remove_file(workspace.file("state/journal_heads.json")).unwrap();
    workspace.program(&["alerts", "--exit-code"]).exits(0);
}

#[test]
fn a_response_that_was_begun_and_never_ended_is_an_alert() {
    let workspace = calm();
    let standing = |under_way: Value, unsettled: Value| {
        let line = json!({"timestamp": AT, "event": "intent", "user": "test", "standing": {"under_way": under_way, "unsettled": unsettled}});
        // A line that was never finished does not count.
        workspace.write(RESPONSE_JOURNAL, format!("{line}\n{{\"standing\": {{\"uns"));
    };
    let begun = json!({"response_id": "id-1", "action": "integrity_check", "since": "2026-01-15T11:00:00Z"});
    standing(begun.clone(), json!([]));
    let lock = workspace.file("state/.apply.lock");
    let held = std::fs::File::create(&lock).unwrap();
    held.lock().unwrap();
    assert_eq!(up(&workspace, 0.0), [""; 0], "it is running");
    drop(held);
    let report = look(&workspace, 0.0, &[]).exits(0).json();
    assert_eq!(names(&report), ["response_interrupted"]);
    assert_eq!(report["alerts"][0]["severity"], "high");
    assert_eq!(report["alerts"][0]["since"], "2026-01-15T11:00:00+00:00");
    let line = json!({"timestamp": AT, "mode": "apply", "response_id": "id-1"});
    workspace.write(RESPONSE_LOG, format!("{line}\n"));
    assert_eq!(
        up(&workspace, 0.0),
        [""; 0],
        "it ended: its line is in the log"
    );
    standing(
        Value::Null,
        json!([{"response_id": "id-0", "action": "integrity_anchor_mirror"}]),
    );
    let report = look(&workspace, 0.0, &[]).exits(0).json();
    assert_eq!(names(&report), ["response_interrupted"]);
    assert!(
        report["alerts"][0]["message"]
            .as_str()
            .unwrap()
            .contains("integrity_anchor_mirror")
    );
    standing(Value::Null, json!([]));
    assert_eq!(up(&workspace, 0.0), [""; 0]);
}

#[test]
fn the_kill_switch_is_an_alert_at_once_with_its_reason() {
    let workspace = calm();
    switch(&workspace, true);
    let report = look(&workspace, 0.0, &[]).exits(0).json();
    assert_eq!(names(&report), ["kill_switch_on"]);
    let message = report["alerts"][0]["message"].as_str().unwrap();
    assert!(message.contains("drill"), "{message}");
    workspace.write(SWITCH, "?");
    assert_eq!(
        up(&workspace, 0.0),
        ["kill_switch_on"],
        "unreadable means on"
    );
    switch(&workspace, false);
    assert_eq!(up(&workspace, 0.0), [""; 0]);
}

#[test]
fn exit_codes_follow_what_is_up_only_where_that_was_asked_for() {
    let workspace = calm();
    switch(&workspace, true);
    look(&workspace, 0.0, &["--exit-code"]).exits(0);
    workspace.write(BRAKE, "{}");
    look(&workspace, 0.0, &[]).exits(0);
    look(&workspace, 0.0, &["--exit-code"]).exits(20);
    look(&workspace, 0.0, &["--exit-code", "--dry-run"]).exits(20);
    workspace.write("policy/alerts.json", "{\"limit\": {}}");
    look(&workspace, 0.0, &["--exit-code"]).exits(1);
    let human = look(&workspace, 0.0, &["--format", "human"]).exits(1);
    let expected = "■ alerts up: 1 critical, 1 medium\n  critical  brake_unreadable      since 2026-01-15 12:00:00 UTC\n";
    assert!(human.stdout.starts_with(expected), "{}", human.stdout);
    assert!(
        human.stderr.contains("error[KEY_UNKNOWN]")
            && human.stderr.contains("did you mean `limits`?"),
        "{}",
        human.stderr
    );
}

#[test]
fn a_document_may_give_other_limits_and_a_bad_one_gives_none() {
    let workspace = calm();
    workspace.write(
        BRAKE,
        "{\"is_engaged\": true, \"engaged_at\": \"2026-01-15T11:00:00Z\"}",
    );
    workspace.write(
        "policy/alerts.json",
        "{\"schema\": 1, \"limits\": {\"brake_hours\": 0.5, \"late_hours\": 5}}",
    );
    let report = look(&workspace, 0.0, &[]).exits(0).json();
    assert_eq!(names(&report), ["brake_engaged", "schedule_late"]);
    assert_eq!(report["limits"]["brake_hours"], 0.5);
    workspace.write(
        "policy/alerts.json",
        "{\"limits\": {\"brake_hours\": \"0.5\", \"late_hours\": 5}}",
    );
    let ran = look(&workspace, 0.0, &[]).exits(1);
    assert_eq!(names(&ran.json()), [""; 0], "the usual limits");
    assert!(
        ran.stderr
            .contains("policy/alerts.json:1:28 at `$.limits.brake_hours`"),
        "{}",
        ran.stderr
    );
    assert_eq!(workspace.file("policy").read_dir().unwrap().count(), 1);
}

#[test]
fn a_long_history_is_read_from_its_end_only() {
    let workspace = Workspace::healthy();
    let old: String = (0..14_000)
        .map(|_| plain("2025-01-15T12:00:00Z", "GREEN"))
        .collect();
    workspace.write(JOURNAL, &old);
    workspace.program(&["run"]).exits(0);
    // Whoever reads this far finds a line that is far too long.
    let mut bytes = workspace.bytes(JOURNAL);
    bytes[..3 << 19].fill(b' ');
    assert!(bytes.len() > 2 << 20);
    workspace.write(JOURNAL, bytes);
    let ran = workspace.program(&["alerts", "--exit-code"]).exits(0);
    assert_eq!(
        (ran.stderr.as_str(), &ran.json()["status"]),
        ("", &json!("ok"))
    );
}
