//! The life of a policy document: from a draft to production, and back.

use std::process::Command;

use serde_json::{Value, json};

use crate::workspace::{Ran, Workspace};

/// The reference policy as a document; what `policy init` writes.
pub(crate) const REFERENCE: &str = include_str!("../../src/policy/reference.yaml");

const POLICY: &str = "policy/policy.yaml";
const LOG: &str = "state/policy_versions_log.jsonl";
const SHADOW: &str = "state/policy_shadow_log.jsonl";

/// When the version is staged.
const STAGED: &str = "2026-01-01T06:00:00Z";

/// Exactly seven times 24 hours later.
const COMPLETE: &str = "2026-01-08T06:00:00Z";

/// A stricter policy than the reference, version 2.
pub(crate) fn stricter() -> String {
    REFERENCE
        .replace("version: \"1\"", "version: \"2\"")
        .replace("below: 95", "below: 96")
}

/// A user of a workspace.
struct Person<'w> {
    workspace: &'w Workspace,
    name: &'static str,
}

impl Person<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.workspace.command(arguments);
        command
            .env_remove("GITHUB_ACTOR")
            .env_remove("SUDO_USER")
            .env("USER", self.name);
        command
    }

    /// `policy ARGUMENTS --at AT --reason r`.
    fn at(&self, at: &str, arguments: &[&str]) -> Ran {
        let given = ["--at", at, "--reason", "OPS-7", "--retry-delays", "0,0,0"];
        let all = [&["policy"], arguments, &given].concat();
        self.command(&all).output().unwrap().into()
    }

    /// The same on the day on which the version is staged.
    fn step(&self, arguments: &[&str]) -> Ran {
        self.at(STAGED, arguments)
    }
}

/// A workspace whose signals are healthy and whose document is that of `policy init`.
fn own_policy() -> Workspace {
    let workspace = Workspace::healthy();
    workspace.write(POLICY, REFERENCE);
    workspace.run_at("2026-01-01T00:00:00Z").exits(0);
    workspace
}

fn people(workspace: &Workspace) -> (Person<'_>, Person<'_>) {
    let person = |name| Person { workspace, name };
    (person("ana"), person("ben"))
}

/// Lines that noise can't cross: a test must not depend on how fast a machine is.
pub(crate) const LENIENT: &str = "policyId: reference
version: '2'
changes: [integrity a point higher]
impactAnalysis: a few more yellow days
rollbackPlan: policy rollback
deploymentStrategy: blue_green
stages:
  staging:
    monitoring_period: 7_days
    rollback_criteria: ['violation_rate > 5%', 'performance_impact > 100000%']
";

/// Drafts `document` with lines that noise can't cross, and lets two people approve it.
fn approved(workspace: &Workspace, document: &str) {
    let (ana, ben) = people(workspace);
    workspace.write("next.yaml", document);
    workspace.write("update.yaml", LENIENT);
    ana.step(&["draft", "next.yaml", "--update", "update.yaml"])
        .exits(0);
    ana.step(&["approve", "2", "--as", "policy_author"])
        .exits(0);
    ben.step(&["approve", "2", "--as", "security_team"])
        .exits(0);
}

fn staged(workspace: &Workspace, document: &str) {
    let (ana, _) = people(workspace);
    approved(workspace, document);
    ana.step(&["validate", "2"]).exits(0);
    ana.step(&["promote", "2", "--to", "staging"]).exits(0);
}

/// A version that decided beside production on each of seven days.
fn watched(workspace: &Workspace, document: &str) {
    staged(workspace, document);
    for day in 1..=7 {
        let at = format!("2026-01-0{day}T12:00:00Z");
        workspace.run_at(&at).exits(0);
    }
}

fn status(workspace: &Workspace, at: &str, code: i32) -> Value {
    let arguments = ["policy", "status", "--at", at, "--format", "json"];
    workspace.program(&arguments).exits(code).json()
}

fn stage(status: &Value, place: usize) -> &str {
    status["versions"][place]["stage"].as_str().unwrap()
}

fn lines(workspace: &Workspace, file: &str) -> Vec<Value> {
    let text = workspace.read(file);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn events(workspace: &Workspace) -> Vec<String> {
    let event = |line: Value| line["event"].as_str().unwrap().to_owned();
    lines(workspace, LOG).into_iter().map(event).collect()
}

#[test]
fn a_change_lives_from_a_draft_to_production_and_back() {
    let workspace = Workspace::healthy();
    workspace.program(&["policy", "init"]).exits(0);
    assert_eq!(workspace.read(POLICY), REFERENCE);
    workspace.run_at("2026-01-01T00:00:00Z").exits(0);
    let (ana, ben) = people(&workspace);
    workspace.write("next.yaml", stricter());

    let drafted = ana.step(&["draft", "next.yaml"]).exits(0).json();
    let id = drafted["version"].as_str().unwrap().to_owned();
    assert!(id.starts_with("reference-2-"), "{id}");
    let kept = format!("policy/versions/{id}.yaml");
    assert_eq!(workspace.read(&kept), stricter());
    let record: Value =
        serde_json::from_str(&workspace.read(&format!("policy/versions/{id}.json"))).unwrap();
    assert_eq!(
        record["changes"],
        json!([{
            "what": "trigger INTEGRITY_BELOW_YELLOW",
            "from": "YELLOW where integrity is below 95.0",
            "to": "YELLOW where integrity is below 96.0",
            "direction": "stricter",
        }])
    );
    assert_eq!(record["impactAnalysis"]["decisions"], 1);
    assert_eq!(record["deploymentStrategy"], "blue_green");
    assert!(record["rollbackPlan"].as_str().unwrap().contains(POLICY));

    ana.step(&["approve", &id, "--as", "policy_author"])
        .exits(0);
    ben.step(&["approve", "2", "--as", "security_team"])
        .exits(0);
    let validated = ana.step(&["validate", "2"]).exits(0).json();
    assert_eq!(validated["stage"], "validation");
    // The usual criteria are in force here, and what they measure is not asserted.
    ana.step(&["promote", "2", "--to", "staging"]).exits(0);
    assert_eq!(workspace.read(POLICY), REFERENCE);
    let shown = status(&workspace, STAGED, 0);
    assert_eq!(stage(&shown, 0), "staging");
    assert_eq!(shown["versions"][0]["lacks"].as_array().unwrap().len(), 2);

    ana.at(STAGED, &["rollback", "2"]).exits(0);
    watched(&workspace, &stricter());
    let shown = status(&workspace, COMPLETE, 0);
    assert_eq!(shown["versions"][0]["staging"]["evaluations"], 7);
    assert_eq!(shown["versions"][0]["lacks"], json!([]));
    ana.at(COMPLETE, &["promote", "2", "--to", "production"])
        .exits(0);
    assert_eq!(workspace.read(POLICY), stricter());
    let shown = status(&workspace, COMPLETE, 0);
    assert_eq!(shown["decides"]["promoted"], id);
    assert_eq!(shown["decides"]["as_promoted"], true);
    assert_eq!(
        shown["versions"][0]["watched_until"],
        "2026-02-07T06:00:00+00:00"
    );
    let run = workspace.run_at("2026-01-08T07:00:00Z").exits(0).json();
    assert_eq!(run["document"]["version"], "2");
    assert_eq!(run["staged"], Value::Null);

    ana.at("2026-01-09T00:00:00Z", &["rollback"]).exits(0);
    assert_eq!(workspace.read(POLICY), REFERENCE);
    let shown = status(&workspace, "2026-01-09T00:00:00Z", 0);
    assert_eq!(stage(&shown, 0), "draft");
    assert_eq!(shown["versions"][0]["approvals"], json!([]));
    workspace.run_at("2026-01-09T07:00:00Z").exits(0);
    workspace.program(&["audit", "verify"]).exits(0);
    let tail = [
        "policy_drafted",
        "policy_approved",
        "policy_approved",
        "policy_validated",
        "policy_staged",
    ];
    let mut expected = [&tail[..], &["policy_withdrawn"], &tail[..]].concat();
    expected.extend(["policy_promoted", "policy_rolled_back"]);
    assert_eq!(events(&workspace), expected);
    assert_eq!(
        workspace.temporary_files(),
        Vec::<std::path::PathBuf>::new()
    );
}

#[test]
fn a_step_before_the_last_one_is_recorded_and_said() {
    let workspace = own_policy();
    let (ana, _) = people(&workspace);
    workspace.write("next.yaml", stricter());
    ana.step(&["draft", "next.yaml"]).exits(0);
    let approve = ["approve", "2", "--as", "policy_author"];
    let notes = |ran: Ran| ran.exits(0).json()["notes"].to_string();
    let earlier = notes(ana.at("2025-12-31T00:00:00Z", &approve));
    assert!(
        earlier.contains("the step before is of 2026-01-01 06:00:00 UTC, later than this one"),
        "{earlier}"
    );
    let later = notes(ana.step(&approve));
    assert!(!later.contains("the step before"), "{later}");
    assert_eq!(lines(&workspace, LOG).len(), 3);
}

#[test]
fn no_stage_can_be_skipped() {
    let workspace = own_policy();
    let (ana, ben) = people(&workspace);
    let before = workspace.bytes(POLICY);
    let unknown = ana.step(&["validate", "2"]).exits(1);
    assert!(
        unknown.stderr.contains("VERSION_UNKNOWN"),
        "{}",
        unknown.stderr
    );
    workspace.write("next.yaml", stricter());
    ana.step(&["draft", "next.yaml"]).exits(0);
    let mut said = String::new();
    let mut refuse = |arguments: &[&str]| {
        let ran = ana.step(arguments).exits(4);
        said.push_str(&format!("$ policy {}\n{}", arguments.join(" "), ran.stderr));
    };
    let (staging, production) = (
        ["promote", "2", "--to", "staging"],
        ["promote", "2", "--to", "production"],
    );
    refuse(&["validate", "2"]);
    refuse(&staging);
    refuse(&production);
    refuse(&["rollback", "2"]);
    refuse(&["rollback"]);
    ana.step(&["approve", "2", "--as", "policy_author"])
        .exits(0);
    refuse(&["validate", "2"]);
    refuse(&["approve", "2", "--as", "security_team"]);
    ben.step(&["approve", "2", "--as", "security_team"])
        .exits(0);
    refuse(&staging);
    ana.step(&["validate", "2"]).exits(0);
    refuse(&production);
    refuse(&["approve", "2", "--as", "policy_author"]);
    ana.step(&staging).exits(0);
    refuse(&staging);
    refuse(&["validate", "2"]);
    refuse(&["draft", "next.yaml"]);
    insta::assert_snapshot!("lifecycle_refusals", said);
    assert_eq!(workspace.bytes(POLICY), before);
}

#[test]
fn seven_days_are_seven_times_24_hours_and_decisions_are_needed() {
    let workspace = own_policy();
    let (ana, _) = people(&workspace);
    staged(&workspace, &stricter());
    let promote = ["promote", "2", "--to", "production"];
    // Nothing was decided in the shadow: of nothing there is no rate.
    let empty = ana.at(COMPLETE, &promote).exits(4);
    assert!(
        empty.stderr.contains("MONITORING_INCOMPLETE"),
        "{}",
        empty.stderr
    );
    workspace.run_at("2026-01-02T00:00:00Z").exits(0);
    for early in ["2026-01-07T06:00:00Z", "2026-01-08T05:59:59Z"] {
        let ran = ana.at(early, &promote).exits(4);
        assert!(
            ran.stderr.contains("MONITORING_INCOMPLETE"),
            "{}",
            ran.stderr
        );
    }
    assert_eq!(workspace.read(POLICY), REFERENCE);
    ana.at(COMPLETE, &promote).exits(0);
}

#[test]
fn a_rate_above_the_line_keeps_a_version_out_and_one_at_the_line_does_not() {
    let workspace = own_policy();
    let (ana, _) = people(&workspace);
    staged(&workspace, &stricter());
    let promote = ["promote", "2", "--to", "production"];
    // 95.5 is YELLOW for version 2 alone: once in twenty decisions is 5 %, twice in 21 is more.
    for hour in 0..20 {
        workspace.integrity(if hour == 3 { "95.5" } else { "97.5" });
        let at = format!("2026-01-02T{hour:02}:00:00Z");
        workspace.run_at(&at).exits(0);
    }
    let measured = |status: &Value| status["versions"][0]["staging"]["criteria"][0].clone();
    let at_the_line = measured(&status(&workspace, COMPLETE, 0));
    assert_eq!(
        (&at_the_line["measured"], &at_the_line["violated"]),
        (&json!(5.0), &json!(false))
    );
    workspace.integrity("95.5");
    workspace.run_at("2026-01-03T00:00:00Z").exits(0);
    let above = status(&workspace, COMPLETE, 0);
    assert_eq!(measured(&above)["violated"], true);
    let next = above["versions"][0]["next"].as_str().unwrap();
    assert!(next.contains("policy rollback reference-2-"), "{next}");
    let refused = ana.at(COMPLETE, &promote).exits(4);
    assert!(
        refused.stderr.contains("CRITERION_VIOLATED"),
        "{}",
        refused.stderr
    );
    assert!(
        refused.stderr.contains("policy rollback reference-2-"),
        "{}",
        refused.stderr
    );
    ana.at(COMPLETE, &["rollback", "2"]).exits(0);
    assert_eq!(stage(&status(&workspace, COMPLETE, 0), 0), "draft");
    // A withdrawn version decides nothing any more.
    let before = lines(&workspace, SHADOW).len();
    workspace.run_at("2026-01-09T00:00:00Z").exits(0);
    assert_eq!(lines(&workspace, SHADOW).len(), before);
}

#[test]
fn the_shadow_changes_nothing_and_says_what_differs() {
    let workspace = own_policy();
    staged(&workspace, &stricter());
    let other = own_policy();
    for workspace in [&workspace, &other] {
        workspace.integrity("95.5");
    }
    let mut states = Vec::new();
    for workspace in [&workspace, &other] {
        let mut state = workspace.run_at("2026-01-02T00:00:00Z").exits(0).json();
        state.as_object_mut().unwrap().remove("staged");
        states.push(state);
    }
    assert_eq!(states[0], states[1]);
    assert_eq!(workspace.journal(), other.journal());
    let shadow = lines(&workspace, SHADOW).remove(0);
    assert_eq!(
        (&shadow["production"], &shadow["staged"], &shadow["differs"]),
        (&json!("GREEN"), &json!("YELLOW"), &json!(1))
    );
    assert_eq!(shadow["more"], json!(["INTEGRITY_BELOW_YELLOW"]));
    assert_eq!(shadow["decision"], 2);
    // A dry run leaves nothing.
    workspace
        .program(&["run", "--dry-run", "--at", "2026-01-03T00:00:00Z"])
        .exits(0);
    assert_eq!(lines(&workspace, SHADOW).len(), 1);
    workspace.program(&["audit", "verify"]).exits(0);
}

#[test]
fn a_shadow_that_fails_is_a_warning_and_the_decision_stands() {
    let workspace = own_policy();
    staged(&workspace, &stricter());
    std::fs::create_dir_all(workspace.file(SHADOW)).unwrap();
    let ran = workspace.run_at("2026-01-02T00:00:00Z").exits(0);
    assert!(ran.stderr.contains("SHADOW_FAILED"), "{}", ran.stderr);
    assert_eq!(workspace.journal().len(), 2);
    std::fs::remove_dir(workspace.file(SHADOW)).unwrap();
    // So is a version whose bytes were changed.
    let id = status(&workspace, STAGED, 0)["versions"][0]["id"].clone();
    let file = format!("policy/versions/{}.yaml", id.as_str().unwrap());
    workspace.write(&file, REFERENCE);
    let ran = workspace.run_at("2026-01-02T01:00:00Z").exits(0);
    assert!(ran.stderr.contains("SHADOW_FAILED"), "{}", ran.stderr);
    assert!(!workspace.file(SHADOW).exists());
}

#[test]
fn the_staged_version_keeps_its_own_state() {
    let workspace = own_policy();
    let held = stricter().replace(
        "  # hysteresis: {evaluations: 3}",
        "  hysteresis: {evaluations: 3}",
    );
    staged(&workspace, &held);
    workspace.integrity("95.5");
    workspace.run_at("2026-01-02T00:00:00Z").exits(0);
    workspace.integrity("97.5");
    for hour in 1..=4 {
        let at = format!("2026-01-02T0{hour}:00:00Z");
        workspace.run_at(&at).exits(0);
    }
    let levels: Vec<Value> = lines(&workspace, SHADOW)
        .into_iter()
        .map(|line| line["staged"].clone())
        .collect();
    assert_eq!(levels, ["YELLOW", "YELLOW", "YELLOW", "GREEN", "GREEN"]);
}

#[test]
fn a_lost_hint_is_found_and_put_back() {
    let workspace = own_policy();
    let (ana, _) = people(&workspace);
    staged(&workspace, &stricter());
    let state = workspace.read("state/policy_state.json");
    assert!(state.ends_with(",\n  \"staged\": true\n}\n"), "{state}");
    workspace.write(
        "state/policy_state.json",
        state.replace(",\n  \"staged\": true", ""),
    );
    workspace.run_at("2026-01-02T00:00:00Z").exits(0);
    assert!(!workspace.file(SHADOW).exists());
    let shown = status(&workspace, COMPLETE, 0);
    assert_eq!(shown["problems"][0]["code"], "SHADOW_FAILED");
    ana.step(&["promote", "2", "--to", "staging"]).exits(0);
    workspace.run_at("2026-01-03T00:00:00Z").exits(0);
    assert_eq!(lines(&workspace, SHADOW).len(), 1);
    // A state file that is gone could have said so: then a run looks by itself.
    std::fs::remove_file(workspace.file("state/policy_state.json")).unwrap();
    workspace.run_at("2026-01-04T00:00:00Z").exits(0);
    assert_eq!(lines(&workspace, SHADOW).len(), 2);
    assert_eq!(workspace.state()["staged"], true);
}

#[test]
fn changed_bytes_of_a_version_are_refused_by_every_step() {
    for end in ["yaml", "json"] {
        let workspace = own_policy();
        let (ana, ben) = people(&workspace);
        workspace.write("next.yaml", stricter());
        let drafted = ana.step(&["draft", "next.yaml"]).exits(0).json();
        let id = drafted["version"].as_str().unwrap().to_owned();
        let file = format!("policy/versions/{id}.{end}");
        let whole = workspace.bytes(&file);
        let changed = [whole.as_slice(), b"\n"].concat();
        let refuse = |arguments: &[&str]| {
            workspace.write(&file, &changed);
            let ran = ben.at(COMPLETE, arguments).exits(5);
            assert!(ran.stderr.contains("VERSION_CHANGED"), "{}", ran.stderr);
            workspace.write(&file, &whole);
        };
        refuse(&["approve", "2", "--as", "security_team"]);
        ana.step(&["approve", "2", "--as", "policy_author"])
            .exits(0);
        ben.step(&["approve", "2", "--as", "security_team"])
            .exits(0);
        refuse(&["validate", "2"]);
        ana.step(&["validate", "2"]).exits(0);
        refuse(&["promote", "2", "--to", "staging"]);
        ana.step(&["promote", "2", "--to", "staging"]).exits(0);
        refuse(&["promote", "2", "--to", "production"]);
        workspace.write(&file, &changed);
        let shown = status(&workspace, STAGED, 5);
        assert_eq!(shown["problems"][0]["code"], "VERSION_CHANGED");
        let next = shown["versions"][0]["next"].as_str().unwrap();
        assert!(next.contains("restore it"), "{next}");
    }
}

#[test]
fn a_changed_journal_of_versions_is_broken() {
    let workspace = own_policy();
    let (ana, _) = people(&workspace);
    approved(&workspace, &stricter());
    let changed = workspace.read(LOG).replace("\"ben\"", "\"eve\"");
    workspace.write(LOG, changed);
    ana.step(&["validate", "2"]).exits(5);
    workspace.program(&["policy", "status"]).exits(5);
    workspace.program(&["audit", "verify"]).exits(5);
    // A reseal begins anew: nobody knows what was changed, so nothing is approved any more.
    let reseal = ["audit", "reseal", "--journal", LOG, "--reason", "edited"];
    workspace.program(&reseal).exits(0);
    assert_eq!(status(&workspace, STAGED, 0)["versions"], json!([]));
    ana.step(&["validate", "2"]).exits(1);
    approved(&workspace, &stricter());
    workspace.program(&["audit", "verify"]).exits(0);
}

#[test]
fn a_plain_log_that_somebody_put_there_approves_nothing() {
    let workspace = own_policy();
    let (ana, _) = people(&workspace);
    let elsewhere = own_policy();
    approved(&elsewhere, &stricter());
    let forged: String = elsewhere
        .read(LOG)
        .lines()
        .map(|line| line.replace("\"seq\":", "\"sequence\":") + "\n")
        .collect();
    workspace.write(LOG, forged);
    assert_eq!(status(&workspace, STAGED, 0)["versions"], json!([]));
    workspace.write("next.yaml", stricter());
    ana.step(&["draft", "next.yaml"]).exits(0);
    ana.step(&["validate", "2"]).exits(4);
}

#[test]
fn the_kill_switch_stops_every_step() {
    let workspace = own_policy();
    let (ana, _) = people(&workspace);
    watched(&workspace, &stricter());
    workspace
        .program(&["kill", "on", "--reason", "drill"])
        .exits(0);
    for arguments in [
        vec!["draft", "next.yaml"],
        vec!["approve", "2", "--as", "policy_author"],
        vec!["validate", "2"],
        vec!["promote", "2", "--to", "production"],
        vec!["rollback"],
    ] {
        let ran = ana.at(COMPLETE, &arguments).exits(3);
        assert!(ran.stderr.contains("KILL_SWITCH_ON"), "{}", ran.stderr);
    }
    assert_eq!(workspace.read(POLICY), REFERENCE);
}

#[test]
fn a_document_that_is_no_policy_or_of_the_small_form_is_refused() {
    let workspace = own_policy();
    let (ana, _) = people(&workspace);
    workspace.write(
        "broken.yaml",
        stricter().replace("below: 96", "below: high"),
    );
    let ran = ana.step(&["draft", "broken.yaml"]).exits(1);
    assert!(ran.stderr.contains("broken.yaml:"), "{}", ran.stderr);
    workspace.write("small.json", r#"{"yellow_integrity": 96}"#);
    let ran = ana.step(&["draft", "small.json"]).exits(1);
    assert!(ran.stderr.contains("VERSION_UNUSABLE"), "{}", ran.stderr);
    ana.step(&["draft", "nowhere.yaml"]).exits(1);
    assert!(!workspace.file(LOG).exists());
    assert!(!workspace.file("policy/versions").exists());
}

#[test]
fn an_update_record_has_to_be_whole_and_about_the_document() {
    let workspace = own_policy();
    let (ana, _) = people(&workspace);
    workspace.write("next.yaml", stricter());
    let draft = ["draft", "next.yaml", "--update", "update.yaml"];
    workspace.write(
        "update.yaml",
        LENIENT.replace("rollbackPlan: policy rollback\n", ""),
    );
    let ran = ana.step(&draft).exits(1);
    assert!(ran.stderr.contains("rollbackPlan"), "{}", ran.stderr);
    workspace.write("update.yaml", LENIENT.replace("'2'", "'3'"));
    let ran = ana.step(&draft).exits(1);
    assert!(ran.stderr.contains("VERSION_UNUSABLE"), "{}", ran.stderr);
    workspace.write("update.yaml", LENIENT);
    let drafted = ana.step(&draft).exits(0).json();
    let id = drafted["version"].as_str().unwrap().to_owned();
    let record: Value =
        serde_json::from_str(&workspace.read(&format!("policy/versions/{id}.json"))).unwrap();
    assert_eq!(record["changes"], json!(["integrity a point higher"]));
    assert_eq!(
        record["computed"]["changes"][0]["what"],
        "trigger INTEGRITY_BELOW_YELLOW"
    );
    assert_eq!(record["stages"]["staging"]["monitoring_period"], "7_days");
}

#[test]
fn looser_lines_are_named_and_a_conflict_fails_the_validation() {
    let workspace = own_policy();
    let (ana, _) = people(&workspace);
    let looser = stricter()
        .replace("below: 96", "below: 90")
        .replace("at_least: 4", "at_least: 5");
    approved(&workspace, &looser);
    let ran = ana.step(&["validate", "2"]).exits(1).json();
    let said = ran["notes"].to_string();
    for word in [
        "conflict_detection FAILED",
        "covered-trigger: ",
        "security_review passed: approved by ben; 2 lines to look at",
        "RESPONSES_AT_YELLOW: YELLOW where responses is at least 4 -> YELLOW where responses is at least 5 (looser)",
    ] {
        assert!(said.contains(word), "{word} in {said}");
    }
    let checks = lines(&workspace, LOG).pop().unwrap()["checks"].clone();
    let names: Vec<&str> = checks
        .as_array()
        .unwrap()
        .iter()
        .map(|check| check["check"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "syntax_validation",
            "conflict_detection",
            "impact_analysis",
            "security_review"
        ]
    );
    let ran = ana.step(&["promote", "2", "--to", "staging"]).exits(4);
    assert!(ran.stderr.contains("CHECK_MISSING"), "{}", ran.stderr);
}

#[test]
fn what_decides_must_not_change_on_the_way() {
    let workspace = own_policy();
    let (ana, _) = people(&workspace);
    approved(&workspace, &stricter());
    let by_hand = REFERENCE.replace("below: 80", "below: 81");
    workspace.write(POLICY, &by_hand);
    let ran = ana.step(&["validate", "2"]).exits(1).json();
    assert!(ran["notes"].to_string().contains("security_review FAILED"));
    workspace.write(POLICY, REFERENCE);
    ana.step(&["validate", "2"]).exits(0);
    workspace.write(POLICY, &by_hand);
    ana.step(&["promote", "2", "--to", "staging"]).exits(4);
    workspace.write(POLICY, REFERENCE);
    ana.step(&["promote", "2", "--to", "staging"]).exits(0);
    workspace.run_at("2026-01-02T00:00:00Z").exits(0);
    workspace.write(POLICY, &by_hand);
    // What was decided beside another document does not count.
    workspace.run_at("2026-01-03T00:00:00Z").exits(0);
    let shown = status(&workspace, COMPLETE, 0);
    assert_eq!(shown["versions"][0]["staging"]["evaluations"], 1);
    ana.at(COMPLETE, &["promote", "2", "--to", "production"])
        .exits(4);
    assert_eq!(workspace.read(POLICY), by_hand);
}

#[test]
fn a_version_that_was_edited_in_production_is_a_finding_and_is_kept_by_a_rollback() {
    let workspace = own_policy();
    let (ana, _) = people(&workspace);
    watched(&workspace, &stricter());
    ana.at(COMPLETE, &["promote", "2", "--to", "production"])
        .exits(0);
    let edited = stricter().replace("below: 80", "below: 70");
    workspace.write(POLICY, &edited);
    let shown = status(&workspace, COMPLETE, 1);
    assert_eq!(shown["problems"][0]["code"], "POLICY_EDITED");
    assert_eq!(shown["decides"]["as_promoted"], false);
    ana.at(COMPLETE, &["promote", "2", "--to", "production"])
        .exits(1);
    ana.at(COMPLETE, &["rollback"]).exits(0);
    assert_eq!(workspace.read(POLICY), REFERENCE);
    let kept = std::fs::read_dir(workspace.file("state/policies")).unwrap();
    let kept = kept.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    assert!(kept.into_iter().any(|text| text == edited));
}

/// Every place where a document can stand.
const PLACES: [&str; 4] = [
    "policy/policy.yaml",
    "policy/policy.yml",
    "policy/policy.json",
    "policy/policy_thresholds.json",
];

fn documents(workspace: &Workspace) -> Vec<(&'static str, String)> {
    let there = PLACES
        .into_iter()
        .filter(|file| workspace.file(file).exists());
    there.map(|file| (file, workspace.read(file))).collect()
}

#[test]
fn the_small_form_and_the_built_in_policy_are_replaced_and_put_back() {
    let small = r#"{"yellow_integrity": 95.5}"#;
    let cases = [
        None,
        Some(("policy/policy_thresholds.json", small)),
        Some(("policy/policy.yml", REFERENCE)),
    ];
    for case in cases {
        let workspace = Workspace::healthy();
        if let Some((file, text)) = case {
            workspace.write(file, text);
        }
        workspace.run_at("2026-01-01T00:00:00Z").exits(0);
        let (ana, _) = people(&workspace);
        watched(&workspace, &stricter());
        let before = documents(&workspace);
        ana.at(COMPLETE, &["promote", "2", "--to", "production"])
            .exits(0);
        assert_eq!(documents(&workspace), [(POLICY, stricter())]);
        ana.at(COMPLETE, &["rollback"]).exits(0);
        assert_eq!(documents(&workspace), before);
        assert_eq!(before.len(), usize::from(case.is_some()));
        ana.at(COMPLETE, &["rollback"]).exits(4);
        workspace.run_at("2026-01-09T00:00:00Z").exits(0);
        workspace.program(&["audit", "verify"]).exits(0);
    }
}

#[test]
fn a_switch_is_taken_into_the_lock_of_the_policies() {
    for small in [false, true] {
        let workspace = if small {
            Workspace::healthy()
        } else {
            own_policy()
        };
        if small {
            workspace.write(PLACES[3], r#"{"yellow_integrity": 95.5}"#);
            workspace.run_at("2026-01-01T00:00:00Z").exits(0);
        }
        let before = documents(&workspace);
        let lock = ["policy", "lock", "--reason", "reviewed"];
        workspace.program(&lock).exits(0);
        let verify = |code| workspace.program(&["policy", "verify"]).exits(code);
        watched(&workspace, &stricter());
        let (ana, _) = people(&workspace);
        ana.at(COMPLETE, &["promote", "2", "--to", "production"])
            .exits(0);
        assert_eq!(documents(&workspace), [(POLICY, stricter())]);
        verify(0);
        workspace.run_at("2026-01-08T07:00:00Z").exits(0);
        ana.at("2026-01-09T00:00:00Z", &["rollback"]).exits(0);
        assert_eq!(documents(&workspace), before);
        verify(0);
        workspace.run_at("2026-01-09T07:00:00Z").exits(0);
        workspace.program(&["audit", "verify"]).exits(0);
        // What was promoted once is no way around an accept.
        let file = before[0].0;
        std::fs::remove_file(workspace.file(file)).unwrap();
        workspace.write(POLICY, stricter());
        verify(5);
    }
}

/// A switch from the small form to version 2, cut off behind its record.
fn cut_off() -> Workspace {
    let workspace = Workspace::healthy();
    workspace.write(PLACES[3], r#"{"yellow_integrity": 95.5}"#);
    workspace.run_at("2026-01-01T00:00:00Z").exits(0);
    let (ana, _) = people(&workspace);
    watched(&workspace, &stricter());
    let small = workspace.read(PLACES[3]);
    ana.at(COMPLETE, &["promote", "2", "--to", "production"])
        .exits(0);
    std::fs::remove_file(workspace.file(POLICY)).unwrap();
    workspace.write(PLACES[3], small);
    workspace
}

#[test]
fn a_switch_that_was_cut_off_decides_as_before_and_is_finished_by_asking_again() {
    for between in [PLACES[3], POLICY] {
        let workspace = cut_off();
        let (ana, _) = people(&workspace);
        if between == POLICY {
            // Behind the first rename: the small form under the name of the large one.
            std::fs::rename(workspace.file(PLACES[3]), workspace.file(POLICY)).unwrap();
        }
        let run = workspace.run_at("2026-01-08T07:00:00Z").exits(0).json();
        assert_eq!(run["thresholds"]["yellow_integrity"], 95.5, "{between}");
        let shown = status(&workspace, COMPLETE, 1);
        assert_eq!(shown["problems"][0]["code"], "SWITCH_CUT_OFF");
        let before = lines(&workspace, LOG).len();
        let finished = ana
            .at(COMPLETE, &["promote", "2", "--to", "production"])
            .exits(0)
            .json();
        assert_eq!(finished["recorded"], Value::Null);
        assert_eq!(documents(&workspace), [(POLICY, stricter())]);
        assert_eq!(lines(&workspace, LOG).len(), before);
        status(&workspace, COMPLETE, 0);
        ana.at(COMPLETE, &["promote", "2", "--to", "production"])
            .exits(4);
    }
}

#[test]
fn a_rollback_that_was_cut_off_is_finished_and_does_not_go_further_back() {
    let workspace = own_policy();
    let (ana, _) = people(&workspace);
    watched(&workspace, &stricter());
    ana.at(COMPLETE, &["promote", "2", "--to", "production"])
        .exits(0);
    ana.at(COMPLETE, &["rollback"]).exits(0);
    workspace.write(POLICY, stricter());
    let shown = status(&workspace, COMPLETE, 1);
    assert_eq!(shown["problems"][0]["code"], "SWITCH_CUT_OFF");
    let before = lines(&workspace, LOG).len();
    ana.at(COMPLETE, &["rollback"]).exits(0);
    assert_eq!(workspace.read(POLICY), REFERENCE);
    assert_eq!(lines(&workspace, LOG).len(), before);
    // A promotion that was cut off can be taken back as well.
    let workspace = cut_off();
    let (ana, _) = people(&workspace);
    ana.at(COMPLETE, &["rollback"]).exits(0);
    assert_eq!(documents(&workspace).len(), 1);
    assert_eq!(documents(&workspace)[0].0, PLACES[3]);
    status(&workspace, COMPLETE, 0);
}

#[test]
fn one_version_is_staged_at_a_time() {
    let workspace = own_policy();
    let (ana, ben) = people(&workspace);
    staged(&workspace, &stricter());
    let third = stricter().replace("version: \"2\"", "version: \"3\"");
    workspace.write("third.yaml", third);
    ana.step(&["draft", "third.yaml"]).exits(0);
    ana.step(&["approve", "3", "--as", "policy_author"])
        .exits(0);
    ben.step(&["approve", "3", "--as", "security_team"])
        .exits(0);
    ana.step(&["validate", "3"]).exits(0);
    let ran = ana.step(&["promote", "3", "--to", "staging"]).exits(4);
    assert!(
        ran.stderr.contains("another version is staged"),
        "{}",
        ran.stderr
    );
}

#[test]
fn steps_are_signed_where_there_is_a_key() {
    let workspace = Workspace::healthy();
    workspace.write(POLICY, REFERENCE);
    workspace.write("next.yaml", stricter());
    let (ana, _) = people(&workspace);
    let signed = |arguments: &[&str]| -> Ran {
        let mut command = ana.command(arguments);
        command.env("POLICY_AUDIT_SECRET", "0123456789abcdef0123456789abcdef");
        command.output().unwrap().into()
    };
    signed(&["run", "--at", STAGED]).exits(0);
    signed(&["policy", "draft", "next.yaml", "--reason", "r"]).exits(0);
    assert!(lines(&workspace, LOG)[0]["hmac"].is_string());
    // Without the key nothing is appended to what is signed.
    let ran = ana
        .step(&["approve", "2", "--as", "policy_author"])
        .exits(1);
    assert!(ran.stderr.contains("SECRET_MISSING"), "{}", ran.stderr);
    assert_eq!(lines(&workspace, LOG).len(), 1);
}

#[test]
fn a_person_sees_where_everything_stands() {
    let workspace = own_policy();
    let (ana, _) = people(&workspace);
    staged(&workspace, &stricter());
    let shown = |at: &str| {
        let arguments = ["policy", "status", "--at", at, "--format", "human"];
        workspace.program(&arguments).exits(0).stdout
    };
    let mut text = shown(STAGED);
    ana.step(&["rollback", "2"]).exits(0);
    text.push_str("\n$ policy rollback 2; policy status\n");
    text.push_str(&shown(STAGED));
    insta::assert_snapshot!("lifecycle_status", text);
}

#[test]
fn a_kill_at_every_call_leaves_one_whole_policy() {
    let script =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/promote-crash-test");
    let binary = env!("CARGO_BIN_EXE_policy-orchestrator");
    let ran = Command::new("python3")
        .arg(script)
        .args(["--binary", binary, "--only", "small"])
        .output();
    let Ok(output) = ran else {
        eprintln!("skipped: python3 is not there");
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.code() == Some(77) {
        eprintln!("{said}");
        return;
    }
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        said.contains(" 0 failed") && !said.contains("\n0 passed"),
        "{said}"
    );
}

#[test]
fn signals_that_only_the_staged_version_has_are_read_for_it() {
    let workspace = own_policy();
    let declared = stricter()
        .replace(
            "    - name: responses\n",
            "    - name: responses\n    - {name: coverage, file: reports/coverage.json, pointer: /total, type: percent}\n",
        )
        .replace(
            "  triggers:\n",
            "  triggers:\n    - {code: COVERAGE_LOW, signal: coverage, level: RED, below: 80}\n",
        );
    staged(&workspace, &declared);
    workspace.run_at("2026-01-02T00:00:00Z").exits(0);
    workspace.write("reports/coverage.json", r#"{"total": 70}"#);
    let run = workspace.run_at("2026-01-03T00:00:00Z").exits(0).json();
    workspace.write("reports/coverage.json", r#"{"total": 90}"#);
    workspace.run_at("2026-01-04T00:00:00Z").exits(0);
    let shadows = lines(&workspace, SHADOW);
    let said = |line: &Value| (line["staged"].clone(), line["more"].clone());
    assert_eq!(
        shadows.iter().map(said).collect::<Vec<_>>(),
        [
            (json!("YELLOW"), json!(["INPUT_MISSING"])),
            (json!("RED"), json!(["COVERAGE_LOW"])),
            (json!("GREEN"), Value::Null),
        ]
    );
    // Production knows nothing of it.
    assert_eq!(run["policy"], "GREEN");
    assert_eq!(run["readings"]["coverage"], Value::Null);
}

#[test]
fn in_production_a_second_person_has_to_have_signed() {
    let workspace = own_policy();
    watched(&workspace, &stricter());
    let (ana, ben) = people(&workspace);
    let ran = |person: &Person<'_>, arguments: &[&str]| -> Ran {
        let mut command = person.command(arguments);
        command
            .env("ENV", "production")
            .env("POLICY_APPROVER_KEY_FILE", "ben.key");
        command.output().unwrap().into()
    };
    let given = ["--at", COMPLETE, "--reason", "OPS-7"];
    let promote = ["policy", "promote", "2", "--to", "production"];
    let promote = [&promote[..], &given].concat();
    let refused = ran(&ana, &promote).exits(4);
    assert!(
        refused.stderr.contains("APPROVAL_MISSING"),
        "{}",
        refused.stderr
    );
    assert_eq!(workspace.read(POLICY), REFERENCE);
    ran(&ana, &["keys", "generate", "--out", "ben.key"]).exits(0);
    workspace.write("policy/ben.pub", workspace.read("ben.pub"));
    workspace.write(
        "policy/approvers.yaml",
        "schema: 1\napprovers:\n  - name: ben\n    key_file: policy/ben.pub\n    may: [promote]\n",
    );
    let ask = [
        "approve",
        "request",
        "--operation",
        "promote",
        "--reason",
        "OPS-7",
    ];
    let mut command = ana.command(&[&ask[..], &["--subject", "2"]].concat());
    let asked = Ran::from(command.output().unwrap()).exits(0).json();
    let id = asked["id"].as_str().unwrap();
    assert_eq!(
        asked["subject"]["sha256"],
        status(&workspace, COMPLETE, 0)["versions"][0]["sha256"]
    );
    ran(&ben, &["approve", "grant", id, "--as", "ben"]).exits(0);
    ran(&ana, &promote).exits(0);
    assert_eq!(workspace.read(POLICY), stricter());
    let verified = workspace.program(&["approve", "verify", id]).exits(4);
    assert_eq!(verified.json()["request"]["status"], "used");
}
