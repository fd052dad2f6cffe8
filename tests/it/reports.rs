//! Reports for other programs: Markdown, badges, JUnit, SARIF and annotations, of the record and
//! beside a run.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::history::follows;
use crate::workspace::{Ran, Workspace};

fn project(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Holds a file against the schema of JUnit's XML; xmllint is in Debian's libxml2-utils.
fn is_junit(file: &Path) {
    let mut xmllint = Command::new("xmllint");
    xmllint.args(["--noout", "--nonet", "--schema"]);
    let ran = xmllint
        .arg(project("tests/junit/junit.xsd"))
        .arg(file)
        .output();
    let ran = Ran::from(ran.unwrap());
    ran.exits(0);
}

fn is_sarif(text: &str) -> serde_json::Value {
    let schema = std::fs::read(project("tests/sarif/sarif-schema-2.1.0.json")).unwrap();
    let schema = jsonschema::validator_for(&serde_json::from_slice(&schema).unwrap()).unwrap();
    let log = serde_json::from_str(text).unwrap();
    let errors: Vec<String> = schema
        .iter_errors(&log)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, Vec::<String>::new());
    log
}

/// Everything in it would be markup, a command or a formula somewhere.
const HOSTILE: &str = "<img src=x onerror=alert(1)>|`\n::error::x\u{1}]]>&lt;@all https://a.b";

const ALL: [&str; 12] = [
    "--report",
    "markdown:out/summary.md",
    "--report",
    "junit:out/policy.xml",
    "--report",
    "badge:out/badge.svg",
    "--report",
    "badge-json:out/badge.json",
    "--report",
    "sarif:out/policy.sarif",
    "--report",
    "annotations:out/annotations.txt",
];

/// Runs with every report.
fn reported(workspace: &Workspace) -> Ran {
    std::fs::create_dir_all(workspace.file("out")).unwrap();
    workspace.program(&[["run", "--retry-delays", "0"].as_slice(), &ALL].concat())
}

#[test]
fn a_run_leaves_the_reports_that_were_asked_for() {
    let workspace = Workspace::healthy();
    workspace.integrity("93");
    let ran = reported(&workspace).exits(0);
    assert_eq!(ran.json()["policy"], "YELLOW");
    let summary = workspace.read("out/summary.md");
    assert!(
        summary.starts_with("## ▲ Policy level: YELLOW\n"),
        "{summary}"
    );
    is_junit(&workspace.file("out/policy.xml"));
    let junit = workspace.read("out/policy.xml");
    assert!(junit.contains("tests=\"16\" failures=\"1\""), "{junit}");
    assert!(
        junit.contains("name=\"INTEGRITY_BELOW_YELLOW (YELLOW)\""),
        "{junit}"
    );
    insta::assert_snapshot!(workspace.read("out/badge.svg"));
    let badge = serde_json::from_str(&workspace.read("out/badge.json")).unwrap();
    follows("badge", &badge);
    assert_eq!(
        (&badge["message"], &badge["isError"]),
        (&"YELLOW".into(), &false.into())
    );
    let log = is_sarif(&workspace.read("out/policy.sarif"));
    assert_eq!(log["runs"][0]["results"].as_array().unwrap().len(), 0);
    assert_eq!(workspace.read("out/annotations.txt"), "");
    let mode = std::fs::metadata(workspace.file("out/badge.svg")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o644);
    let left = std::fs::read_dir(workspace.file("out")).unwrap().count();
    assert_eq!(left, 6);
}

#[test]
fn what_files_say_is_text_in_every_report() {
    let workspace = Workspace::healthy();
    let hostile = serde_json::json!({ "risk_level": HOSTILE, "status": "success" });
    workspace.write(
        "forensics/forensics_anomaly_forecast.json",
        hostile.to_string(),
    );
    reported(&workspace).exits(1);
    let summary = workspace.read("out/summary.md");
    for markup in ["<img", "::error::x\n", "@all", "https://", "|`"] {
        assert!(!summary.contains(markup), "{markup} in {summary}");
    }
    is_junit(&workspace.file("out/policy.xml"));
    let log = is_sarif(&workspace.read("out/policy.sarif"));
    assert_eq!(log["runs"][0]["results"][0]["ruleId"], "VALUE_UNKNOWN");
    let annotations = workspace.read("out/annotations.txt");
    assert!(
        annotations
            .lines()
            .all(|line| line.starts_with("::error file=") || line.starts_with("::warning file=")),
        "{annotations}"
    );
    assert!(workspace.read("out/badge.svg").contains("RED"));
}

#[test]
fn a_place_that_takes_no_report_is_refused_before_anything_is_decided() {
    let workspace = Workspace::healthy();
    std::fs::create_dir(workspace.file("out")).unwrap();
    workspace.write("a-file", "");
    std::os::unix::fs::symlink("a-file", workspace.file("a-link")).unwrap();
    for target in [
        "badge:out",
        "badge:out/",
        "badge:absent/badge.svg",
        "badge:a-file/badge.svg",
        "badge:a-link",
        "badge:state/../state/policy_state.json",
        "badge:out/../federation/weighted_consensus.json",
        "badge:audit_summary.md",
        "badge:trust_lock_state.json",
        "badge:.git",
    ] {
        std::fs::create_dir_all(workspace.file("state")).unwrap();
        let ran = workspace.program(&["run", "--report", target]).exits(1);
        assert!(
            ran.stderr.contains("REPORT_REFUSED"),
            "{target}: {}",
            ran.stderr
        );
    }
    let twice = ["run", "--report", "badge:x", "--report", "junit:out/../x"];
    assert!(
        workspace
            .program(&twice)
            .exits(1)
            .stderr
            .contains("two reports")
    );
    for target in ["badge", "badge:", ":x", "pdf:x", "BADGE:x"] {
        workspace.program(&["run", "--report", target]).exits(2);
    }
    workspace
        .program(&["run", "--dry-run", "--report", "badge:x"])
        .exits(2);
    assert!(!workspace.file("state/policy_state_log.jsonl").exists());
}

#[test]
fn a_report_that_can_not_be_written_loses_no_decision() {
    let workspace = Workspace::healthy();
    let target = format!("markdown:{}", workspace.file("out/summary.md").display());
    std::fs::create_dir(workspace.file("out")).unwrap();
    let ran = gone(&workspace, &target).exits(1);
    assert!(
        ran.stderr.contains("warning[REPORT_FAILED]"),
        "{}",
        ran.stderr
    );
    // Which level depends on how much of the input was written when it was read again.
    assert!(ran.json()["policy"].is_string());
    assert_eq!(
        workspace
            .read("state/policy_state_log.jsonl")
            .lines()
            .count(),
        1
    );
    workspace.program(&["audit", "verify"]).exits(0);
}

/// A run whose report's directory goes away while it reads an invalid input again.
fn gone(workspace: &Workspace, target: &str) -> Ran {
    workspace.forecast("bogus");
    let mut command = workspace.command(&["run", "--retry-delays", "2", "--report", target]);
    let child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // The look at the target comes first, the second look at the input two seconds later.
    let lock = workspace.file("state/.lock");
    while !lock.exists() {
        std::thread::yield_now();
    }
    std::fs::remove_dir(workspace.file("out")).unwrap();
    workspace.forecast("low");
    Ran::from(child.wait_with_output().unwrap())
}

#[test]
fn a_run_without_a_decision_leaves_a_grey_badge() {
    let workspace = Workspace::healthy();
    reported(&workspace).exits(0);
    assert!(workspace.read("out/badge.svg").contains("GREEN"));
    // A state file of a newer version: nothing is decided over it.
    let newer = workspace
        .read("state/policy_state.json")
        .replace("\"schema\": 1", "\"schema\": 9");
    workspace.write("state/policy_state.json", newer);
    reported(&workspace).exits(1);
    for file in ["out/badge.svg", "out/badge.json"] {
        let badge = workspace.read(file);
        assert!(
            badge.contains("unknown") && !badge.contains("GREEN"),
            "{badge}"
        );
    }
    assert!(
        workspace
            .read("out/summary.md")
            .starts_with("## Policy level: unknown")
    );
    is_junit(&workspace.file("out/policy.xml"));
    assert!(workspace.read("out/policy.xml").contains("errors=\"1\""));
    let log = is_sarif(&workspace.read("out/policy.sarif"));
    assert_eq!(log["runs"][0]["results"][0]["ruleId"], "FORMAT_NEWER");
}

#[test]
fn a_badge_is_never_green_by_omission() {
    let workspace = Workspace::healthy();
    let badge = |arguments: &[&str], code| {
        let base = ["report", "badge"];
        workspace
            .program(&[base.as_slice(), arguments].concat())
            .exits(code)
            .stdout
    };
    assert!(badge(&[], 1).contains("<title>policy: unknown</title>"));
    // Decided with a given time: never fresh.
    workspace.run().exits(0);
    assert!(badge(&[], 0).contains("<title>policy: stale</title>"));
    workspace.program(&["run"]).exits(0);
    assert!(badge(&[], 0).contains("<title>policy: GREEN</title>"));
    let told = serde_json::from_str(&badge(&["--endpoint"], 0)).unwrap();
    follows("badge", &told);
    assert_eq!(told["message"], "GREEN");
    let later = (chrono::Utc::now() + chrono::TimeDelta::hours(27)).to_rfc3339();
    let stale = badge(&["--at", &later], 0);
    assert!(
        stale.contains("stale") && !stale.contains("GREEN"),
        "{stale}"
    );
    let log = workspace.read("state/policy_state_log.jsonl");
    workspace.write("state/policy_state_log.jsonl", log.replace("GREEN", "GREY"));
    assert!(badge(&[], 5).contains("<title>policy: unknown</title>"));
    workspace.write("state/policy_state.json", "{");
    assert!(badge(&[], 1).contains("<title>policy: unknown</title>"));
}

#[test]
fn the_record_is_reported_within_githubs_limits() {
    let workspace = Workspace::healthy();
    workspace.integrity("80");
    workspace.run().exits(0);
    let summary = workspace.program(&["report", "summary"]).exits(0).stdout;
    assert!(summary.starts_with("## ■ Policy level: RED\n"), "{summary}");
    assert!(summary.contains("Journal head: number 1 `"), "{summary}");
    let comment = workspace
        .program(&["report", "summary", "--comment"])
        .exits(0)
        .stdout;
    assert_eq!(
        comment,
        format!("<!-- policy-orchestrator: level -->\n{summary}")
    );
    workspace.write(
        "policy.xml",
        workspace.program(&["report", "junit"]).exits(0).stdout,
    );
    is_junit(&workspace.file("policy.xml"));
    let found = workspace.program(&["report", "sarif"]).exits(0);
    is_sarif(&found.stdout);
    workspace.integrity("much");
    let found = workspace.program(&["report", "sarif"]).exits(1);
    assert_eq!(
        is_sarif(&found.stdout)["runs"][0]["results"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let told = workspace
        .program(&["report", "annotations"])
        .exits(1)
        .stdout;
    assert!(
        told.starts_with("::error file=exports/integrity_metrics_registry.csv,line=2"),
        "{told}"
    );
    let empty = Workspace::empty();
    let ran = empty.program(&["report", "summary"]).exits(1);
    assert!(
        ran.stdout.starts_with("## Policy level: unknown"),
        "{}",
        ran.stdout
    );
}

/// GitLab shows a case at its file: also where the decision is made again from the record.
#[test]
fn test_results_from_the_record_name_the_files_that_were_read() {
    let workspace = Workspace::healthy();
    workspace.integrity("80");
    let ran = ["run", "--report", "junit:policy.xml"];
    workspace.program(&ran).exits(0);
    let again = workspace.program(&["report", "junit"]).exits(0).stdout;
    let file = "file=\"exports/integrity_metrics_registry.csv\"";
    let cases = |text: &str| text.lines().filter(|line| line.contains(file)).count();
    assert!(cases(&again) >= 3, "{again}");
    assert_eq!(again, workspace.read("policy.xml"));
    // A state file of another decision says nothing of this one.
    let state = workspace.bytes("state/policy_state.json");
    workspace.program(&["run"]).exits(0);
    workspace.write("state/policy_state.json", state);
    let behind = workspace.program(&["report", "junit"]).exits(0).stdout;
    assert_eq!(cases(&behind), 0, "{behind}");
}
