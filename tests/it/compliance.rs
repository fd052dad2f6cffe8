//! `compliance report`, `compliance ask`, `analytics`, and how long things are kept (S1-080 to S1-093,
//! S1-100, N-08, C-26).

use serde_json::{Value, json};

use crate::workspace::{Ran, Workspace};

const AT: &str = "2026-06-30T12:00:00Z";

fn project(file: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(path).unwrap()
}

/// A workspace with the compliance documents of the sources.
fn governed() -> Workspace {
    let workspace = Workspace::healthy();
    for name in ["lgpd", "financial", "compliance"] {
        let text = project(&format!("tests/fixtures/documents/{name}.yaml"));
        workspace.write(&format!("policy/{name}.yaml"), text);
    }
    workspace
}

fn report_with(workspace: &Workspace, more: &[&str]) -> Ran {
    let base = ["compliance", "report", "--at", AT];
    workspace.program(&[&base, more].concat())
}

fn report(workspace: &Workspace) -> Value {
    let report = report_with(workspace, &[]).exits(0).json();
    follows("compliance-report", &report);
    report
}

#[track_caller]
fn follows(schema: &str, value: &Value) {
    let schema = project(&format!("policy/schema/{schema}.v1.schema.json"));
    let schema = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let errors: Vec<String> = schema
        .iter_errors(value)
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    assert_eq!(errors, Vec::<String>::new());
}

fn record(workspace: &Workspace, kind: &str, at: &str, details: &Value) {
    let details = details.to_string();
    let base = ["audit", "record", "--severity", "LOW", "--type", kind];
    let more = ["--at", at, "--details", &details];
    workspace.program(&[&base[..], &more].concat()).exits(0);
}

#[track_caller]
fn status(report: &Value, control: &str) -> String {
    let all = report["controls"].as_array().unwrap();
    let found = all.iter().find(|one| one["control"] == control);
    found.unwrap()["status"].as_str().unwrap().to_owned()
}

fn violations(report: &Value) -> Vec<(String, u64)> {
    let all = report["violations"].as_array().unwrap().iter();
    all.map(|one| {
        let kind = one["kind"].as_str().unwrap().to_owned();
        (kind, one["count"].as_u64().unwrap())
    })
    .collect()
}

fn sha256(text: &str) -> String {
    policy_orchestrator::ids::Digest::of(text.as_bytes()).to_string()
}

#[test]
fn an_empty_workspace_has_no_score_and_claims_nothing() {
    let workspace = Workspace::empty();
    let report = report(&workspace);
    for key in [
        "period",
        "complianceScore",
        "violations",
        "trends",
        "recommendations",
    ] {
        assert!(report.get(key).is_some(), "{key}");
    }
    assert_eq!(report["complianceScore"], Value::Null);
    assert_eq!(report["counts"]["not_applicable"], 15);
    assert_eq!(report["period"]["since"], "2026-05-31T12:00:00+00:00");
    assert_eq!(violations(&report), []);
    assert!(workspace.snapshot().is_empty());
}

#[test]
fn no_form_of_the_report_claims_that_a_law_is_kept() {
    let workspace = governed();
    for format in ["human", "json", "markdown"] {
        let text = report_with(&workspace, &["--format", format])
            .exits(0)
            .stdout;
        assert!(text.contains("evidence missing"), "{text}");
        let lower = text.to_lowercase();
        for claim in [
            "compliant",
            "conforms",
            "in accordance",
            "fulfils",
            "zero violations",
        ] {
            assert!(!lower.contains(claim), "{format}: {claim}");
        }
        assert!(text.contains("no claim"), "{text}");
    }
}

#[test]
fn markdown_goes_into_a_new_file_and_over_none() {
    let workspace = governed();
    let out = ["--format", "markdown", "--out", "report.md"];
    assert_eq!(report_with(&workspace, &out).exits(0).stdout, "");
    insta::assert_snapshot!(workspace.read("report.md"));
    report_with(&workspace, &out).exits(1);
}

#[test]
fn what_is_recorded_is_evidence_and_an_auditor_finds_it() {
    let workspace = governed();
    let before = report(&workspace);
    assert_eq!(before["complianceScore"], 0.0);
    assert_eq!(
        before["counts"],
        json!({"present": 0, "missing": 17, "not_applicable": 0})
    );
    let given = json!({"subject": "p-1", "purpose": "billing"});
    record(
        &workspace,
        "CUSTOM_CONSENT_GIVEN",
        "2026-06-10T00:00:00Z",
        &given,
    );
    let after = report(&workspace);
    assert_eq!(after["complianceScore"], 5.88);
    assert_eq!(status(&after, "consent_audit_trail"), "evidence present");
    let all = after["controls"].as_array().unwrap();
    let trail = all
        .iter()
        .find(|one| one["control"] == "consent_audit_trail");
    let looked = &trail.unwrap()["looked_at"][0];
    assert_eq!(looked["at"], "state/audit.log number 1");
    assert_eq!(
        (&looked["count"], &looked["counts"]),
        (&json!(1), &json!(true))
    );
    // Before the period it is none.
    let later = report_with(&workspace, &["--since", "2026-06-11T00:00:00Z"]);
    assert_eq!(
        status(&later.exits(0).json(), "consent_audit_trail"),
        "evidence missing"
    );
}

#[test]
fn signed_journals_a_rotated_key_and_a_check_are_evidence_of_this_program_alone() {
    let workspace = governed();
    let old = "an example, 32 bytes at least ...";
    let new = "another one, 32 bytes at least ..";
    let with = |secrets: &[(&str, &str)], arguments: &[&str]| -> Ran {
        let mut command = workspace.command(arguments);
        command
            .envs(secrets.iter().copied())
            .output()
            .unwrap()
            .into()
    };
    let details = [
        "--type",
        "CUSTOM_X",
        "--severity",
        "LOW",
        "--at",
        "2026-06-10T00:00:00Z",
    ];
    let secret = [("POLICY_AUDIT_SECRET", old)];
    with(&secret, &[&["audit", "record"], &details[..]].concat()).exits(0);
    let base = ["compliance", "report", "--at", AT];
    let signed = with(&secret, &base).exits(0).json();
    assert_eq!(signed["record"]["signed"], true);
    assert_eq!(status(&signed, "access_logging"), "evidence present");
    assert_eq!(
        status(&signed, "key_management_validation"),
        "evidence missing"
    );
    // Without the key nobody can say by whom they are.
    assert_eq!(
        status(&report(&workspace), "access_logging"),
        "evidence missing"
    );
    let both = [
        ("POLICY_AUDIT_SECRET", new),
        ("POLICY_AUDIT_OLD_SECRET", old),
    ];
    let rotate = [
        "audit",
        "rotate-key",
        "--reason",
        "yearly",
        "--at",
        "2026-06-11T00:00:00Z",
    ];
    with(&both, &rotate).exits(0);
    let rotated = with(&both, &base).exits(0).json();
    assert_eq!(
        status(&rotated, "key_management_validation"),
        "evidence present"
    );
    // A check that is blocked is no evidence, one that passed is.
    let control = "excessive_data_collection_prevention";
    // Nor is one of long ago, or of nobody knows when.
    let (missing, present) = ("evidence missing", "evidence present");
    for (result, time, expected, words) in [
        (
            "BLOCKED (no key)",
            "2026-06-28T00:00:00Z",
            missing,
            "BLOCKED, of 2026-06-28",
        ),
        (
            "PASS",
            "2026-06-28T00:00:00Z",
            present,
            "PASS, of 2026-06-28",
        ),
        (
            "PASS",
            "2026-06-01T00:00:00Z",
            missing,
            "PASS, stale since 2026-06-08",
        ),
        (
            "PASS",
            "no time",
            missing,
            "of a time that its log does not tell",
        ),
        (
            "PASS",
            "2027-06-01T00:00:00Z",
            missing,
            "of a time that its log does not tell",
        ),
    ] {
        let log = format!("P1 Data Privacy: {result}\ntask T-1, {time}\n");
        workspace.write("reports/logs/P1.log", &log);
        let report = with(&both, &base).exits(0).json();
        assert_eq!(status(&report, control), expected, "{log}");
        assert_eq!(report["checks"][0]["sha256"], sha256(&log));
        let told = serde_json::to_string(&report["controls"]).unwrap();
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn declared_evidence_is_held_against_its_digest_and_its_term() {
    let workspace = governed();
    workspace.write("evidence/kms.txt", "keys");
    let declare = |sha256: &str, until: &str, review: &str| {
        let text = format!(
            "schema: 1\nevidence:\n  - control: encryption_enforcement\n    path: evidence/kms.txt\n    sha256: {sha256}\n    valid_until: {until}\n    review_by: {review}\n    owner: Ana Souza\n  - control: session_management\n    not_applicable: nobody signs in here\n    valid_until: 2027-01-01\n    owner: Ana Souza\n  - control: mfa_enforcement\n    url: https://example.test/mfa.pdf\n    sha256: {sha256}\n    valid_until: 2027-01-01\n    owner: Ana Souza\n"
        );
        workspace.write("policy/evidence.yaml", text);
    };
    declare(&sha256("keys"), "2026-12-31", "2026-09-30");
    let good = report(&workspace);
    assert_eq!(status(&good, "encryption_enforcement"), "evidence present");
    assert_eq!(status(&good, "session_management"), "not applicable");
    assert_eq!(status(&good, "mfa_enforcement"), "evidence present");
    assert_eq!(
        good["counts"],
        json!({"present": 2, "missing": 14, "not_applicable": 1})
    );
    let text = report_with(&workspace, &["--format", "human"])
        .exits(0)
        .stdout;
    assert!(text.contains("nobody fetched it to look"), "{text}");

    declare(&sha256("other keys"), "2026-12-31", "2026-09-30");
    let differs = report(&workspace);
    assert_eq!(
        status(&differs, "encryption_enforcement"),
        "evidence missing"
    );
    assert_eq!(violations(&differs), [("EVIDENCE_DIFFERS".to_owned(), 1)]);

    declare(&sha256("keys"), "2026-06-29", "2026-06-29");
    let late = report(&workspace);
    assert_eq!(status(&late, "encryption_enforcement"), "evidence missing");
    assert_eq!(violations(&late), [("REVIEW_OVERDUE".to_owned(), 1)]);

    std::fs::remove_file(workspace.file("evidence/kms.txt")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", workspace.file("evidence/kms.txt")).unwrap();
    declare(&sha256("keys"), "2026-12-31", "2026-06-29");
    let report = report(&workspace);
    let kinds: Vec<String> = violations(&report)
        .into_iter()
        .map(|(kind, _)| kind)
        .collect();
    assert_eq!(kinds, ["EVIDENCE_DIFFERS", "REVIEW_OVERDUE"]);
}

#[test]
fn a_document_that_can_not_be_used_ends_the_report_with_its_places() {
    let lgpd = project("tests/fixtures/documents/lgpd.yaml");
    let cases = [
        (
            "policy/lgpd.yaml",
            lgpd.replace("consent_audit_trail", "consent_audit_trial"),
            "did you mean `consent_audit_trail`?",
        ),
        (
            "policy/evidence.yaml",
            "schema: 1\nevidence:\n  - {control: x}\n".to_owned(),
            "policy/evidence.yaml:3:",
        ),
        (
            "policy/retention.yaml",
            "schema: 1\nrules:\n  - {class: x, keep: 1d, because: y}\n".to_owned(),
            "policy/retention.yaml:3:",
        ),
    ];
    for (file, text, told) in cases {
        let workspace = governed();
        workspace.write(file, text);
        for command in [
            &["compliance", "report"] as &[&str],
            &["analytics"],
            &["policy", "check"],
        ] {
            let ran = workspace.program(command).exits(1);
            let all = format!("{}{}", ran.stdout, ran.stderr);
            let place = told.trim_end_matches(':');
            let (file, line) = place.split_once(".yaml:").unwrap_or((place, ""));
            let is_told = all.contains(told)
                || all.contains(&format!("{file}.yaml"))
                    && all.contains(&format!("\"line\": {line}"));
            assert!(is_told, "{command:?}: {all}");
        }
    }
}

#[test]
fn a_changed_journal_or_document_is_reported_by_nobody() {
    let workspace = governed();
    let given = json!({"subject": "p-1"});
    for day in 10..13 {
        let at = format!("2026-06-{day}T00:00:00Z");
        record(&workspace, "CUSTOM_CONSENT_GIVEN", &at, &given);
    }
    let log = workspace.read("state/audit.log");
    workspace.write("state/audit.log", log.replacen("p-1", "p-2", 1));
    for command in [&["compliance", "report"] as &[&str], &["analytics"]] {
        let ran = workspace.program(command).exits(5);
        assert_eq!(ran.stdout, "");
        assert!(ran.stderr.contains("nothing is reported"), "{}", ran.stderr);
        assert!(ran.stderr.contains("state/audit.log:"), "{}", ran.stderr);
    }

    let workspace = governed();
    workspace
        .program(&["policy", "lock", "--reason", "reviewed"])
        .exits(0);
    let text = workspace.read("policy/lgpd.yaml");
    let path = workspace.file("policy/lgpd.yaml");
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, text.replace("explicit ", "")).unwrap();
    let ran = report_with(&workspace, &[]).exits(5);
    assert!(ran.stderr.contains("POLICY_TAMPERED"), "{}", ran.stderr);
}

#[test]
fn require_denies_where_evidence_is_missing() {
    let workspace = governed();
    let ran = report_with(&workspace, &["--require", "mfa_enforcement"]).exits(4);
    assert!(
        ran.stderr
            .contains("mfa_enforcement: evidence missing; would be:"),
        "{}",
        ran.stderr
    );
    record(
        &workspace,
        "CUSTOM_MFA_CHECK",
        "2026-06-10T00:00:00Z",
        &json!({}),
    );
    report_with(&workspace, &["--require", "mfa_enforcement"]).exits(0);
    let both = [
        "--require",
        "mfa_enforcement",
        "--require",
        "session_management",
    ];
    report_with(&workspace, &both).exits(4);
    report_with(&workspace, &["--require", "mfa"]).exits(2);
    let backwards = [
        "--until",
        "2026-01-01T00:00:00Z",
        "--since",
        "2026-02-01T00:00:00Z",
    ];
    report_with(&workspace, &backwards).exits(2);
}

const PURPOSES: &str = "schema: 1\npurposes:\n  - purpose: billing\n    fields: [name, address]\n";

fn ask(workspace: &Workspace, purpose: &str, fields: &str) -> Ran {
    workspace.program(&[
        "compliance",
        "ask",
        "--subject",
        "p-1",
        "--purpose",
        purpose,
        "--fields",
        fields,
    ])
}

#[track_caller]
fn denied(ran: Ran, reasons: &[&str]) {
    let answer = ran.exits(4).json();
    assert_eq!(answer["allowed"], false);
    assert_eq!(answer["reasons"], json!(reasons));
}

#[test]
fn a_withdrawn_consent_denies_from_then_on_and_the_trail_lists_both() {
    let workspace = governed();
    workspace.write("policy/evidence.yaml", PURPOSES);
    denied(ask(&workspace, "billing", "name"), &["CONSENT_MISSING"]);
    let billing = json!({"subject": "p-1", "purpose": "billing"});
    record(
        &workspace,
        "CUSTOM_CONSENT_GIVEN",
        "2026-06-10T00:00:00Z",
        &billing,
    );
    let allowed = ask(&workspace, "billing", "name,address").exits(0).json();
    assert_eq!(
        (&allowed["allowed"], &allowed["reasons"]),
        (&json!(true), &json!([]))
    );
    denied(
        ask(&workspace, "adverts", "name"),
        &["CONSENT_MISSING", "PURPOSE_NOT_STATED"],
    );
    denied(
        ask(&workspace, "billing", "name,income"),
        &["FIELD_NOT_NECESSARY"],
    );
    record(
        &workspace,
        "CUSTOM_CONSENT_WITHDRAWN",
        "2026-06-11T00:00:00Z",
        &billing,
    );
    denied(ask(&workspace, "billing", "name"), &["CONSENT_WITHDRAWN"]);
    let types: Vec<String> = workspace
        .read("state/audit.log")
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            line["event_type"]
                .as_str()
                .unwrap()
                .replace("CUSTOM_CONSENT_", "")
        })
        .collect();
    assert_eq!(
        types,
        [
            "DATA_ACCESS_DENIED",
            "GIVEN",
            "DATA_ACCESS_ALLOWED",
            "DATA_ACCESS_DENIED",
            "DATA_ACCESS_DENIED",
            "WITHDRAWN",
            "DATA_ACCESS_DENIED",
        ]
    );
    let person = [
        "compliance",
        "ask",
        "--purpose",
        "billing",
        "--fields",
        "name",
        "--subject",
    ];
    workspace
        .program(&[&person[..], &["ana@example.com"]].concat())
        .exits(2);
    workspace
        .program(&["kill", "on", "--reason", "drill"])
        .exits(0);
    let ran = ask(&workspace, "billing", "name").exits(3);
    assert!(ran.stderr.contains("KILL_SWITCH_ON"), "{}", ran.stderr);
}

#[test]
fn uses_behind_a_withdrawal_or_for_another_purpose_are_violations() {
    let workspace = governed();
    workspace.write("policy/evidence.yaml", PURPOSES);
    let event = |kind: &str, day: u32, subject: &str, purpose: &str, fields: &[&str]| {
        let details = json!({"subject": subject, "purpose": purpose, "fields": fields});
        let at = format!("2026-06-{day:02}T00:00:00Z");
        record(&workspace, &format!("CUSTOM_{kind}"), &at, &details);
    };
    event("CONSENT_GIVEN", 1, "a", "billing", &[]);
    event("DATA_ACCESS", 2, "a", "billing", &["name"]);
    event("CONSENT_WITHDRAWN", 3, "a", "billing", &[]);
    assert_eq!(violations(&report(&workspace)), []);
    event("DATA_ACCESS", 4, "a", "billing", &["name"]);
    event("DATA_ACCESS", 5, "a", "billing", &["income"]);
    event("CONSENT_GIVEN", 6, "a", "billing", &[]);
    event("DATA_ACCESS", 7, "a", "billing", &["name"]);
    event("DATA_ACCESS", 8, "b", "adverts", &["name"]);
    let report = report(&workspace);
    assert_eq!(
        violations(&report),
        [
            ("ACCESS_AFTER_WITHDRAWAL".to_owned(), 2),
            ("PURPOSE_NOT_STATED".to_owned(), 1),
            ("FIELD_NOT_NECESSARY".to_owned(), 1),
        ]
    );
    assert_eq!(report["record"]["uses_without_record"], 1);
    // What speaks against a control outweighs the events that are evidence of it.
    assert_eq!(
        status(&report, "consent_withdrawal_handling"),
        "evidence missing"
    );
    assert_eq!(
        status(&report, "unauthorized_use_detection"),
        "evidence present"
    );
    // The critical one has the plan of nine, in its four classes.
    let response = &report["violations"][0]["response"];
    let count = |class: &str| response[class].as_array().unwrap().len();
    assert_eq!(
        ["immediate", "investigative", "remedial", "preventive"].map(count),
        [3, 2, 2, 2]
    );
}

/// A log of before the chain: two decisions a day for 400 days up to [`AT`].
fn a_year(level: impl Fn(u32) -> &'static str) -> String {
    let end = chrono_day("2026-06-30");
    let mut text = String::new();
    for back in (0..400_u32).rev() {
        let day = end - i64::from(back);
        for hour in ["04", "10"] {
            let line = json!({"timestamp": format!("{}T{hour}:45:00+00:00", day_text(day)), "policy": level(back)});
            text.push_str(&format!("{line}\n"));
        }
    }
    text
}

fn chrono_day(text: &str) -> i64 {
    let time = policy_orchestrator::time::Timestamp::read(text)
        .unwrap()
        .time;
    time.unix_seconds() / 86_400
}

fn day_text(day: i64) -> String {
    let time = policy_orchestrator::time::Timestamp::from_unix_seconds(day * 86_400).unwrap();
    time.date()
}

#[test]
fn a_year_of_decisions_has_trends_and_red_that_nobody_answered() {
    let workspace = governed();
    // RED for three days in this period, for two in the one before, and for one morning.
    let level = |back: u32| match back {
        5..=7 | 35..=36 => "RED",
        _ => "GREEN",
    };
    workspace.write("state/policy_state_log.jsonl", a_year(level));
    let found = report(&workspace);
    assert_eq!(violations(&found), [("RED_UNHANDLED".to_owned(), 1)]);
    let trend = |name: &str| {
        let all = found["trends"].as_array().unwrap();
        let one = all.iter().find(|one| one["name"] == name).unwrap();
        (
            one["now"].clone(),
            one["before"].clone(),
            one["direction"].clone(),
        )
    };
    assert_eq!(trend("evaluations"), (json!(60), json!(60), json!("level")));
    assert_eq!(
        trend("red_evaluations"),
        (json!(6), json!(4), json!("rising"))
    );
    assert_eq!(trend("violations"), (json!(1), json!(1), json!("level")));
    // Somebody answers, and says so.
    record(
        &workspace,
        "CUSTOM_RED_ANSWERED",
        "2026-06-24T00:00:00Z",
        &json!({}),
    );
    assert_eq!(violations(&report(&workspace)), []);
    // A year that fills the period leaves nobody to compare with.
    let all = report_with(&workspace, &["--since", "390d"])
        .exits(0)
        .json();
    assert_eq!(all["trends"][0]["before"], Value::Null);
    assert_eq!(all["trends"][0]["direction"], "unknown");
}

#[test]
fn red_that_is_over_within_a_day_is_no_violation() {
    let workspace = governed();
    workspace.write(
        "state/policy_state_log.jsonl",
        a_year(|back| if back == 5 { "RED" } else { "GREEN" }),
    );
    // From 04:45 to the next 04:45 are 24 hours: that is too long.
    assert_eq!(
        violations(&report(&workspace)),
        [("RED_UNHANDLED".to_owned(), 1)]
    );
    let text = workspace.read("state/policy_state_log.jsonl");
    let mended = text.replace(
        "{\"policy\":\"RED\",\"timestamp\":\"2026-06-25T10:45:00+00:00\"}",
        "{\"policy\":\"GREEN\",\"timestamp\":\"2026-06-25T10:45:00+00:00\"}",
    );
    assert_ne!(text, mended);
    workspace.write("state/policy_state_log.jsonl", mended);
    assert_eq!(violations(&report(&workspace)), []);
}

#[test]
fn the_numbers_of_a_period_are_told_with_what_they_are_made_of() {
    let workspace = governed();
    let log = a_year(|back| {
        if (5..=7).contains(&back) {
            "RED"
        } else {
            "GREEN"
        }
    });
    workspace.write("state/policy_state_log.jsonl", log);
    let told = workspace
        .program(&["analytics", "--at", AT])
        .exits(0)
        .json();
    follows("analytics", &told);
    let metrics = &told["realTimeMetrics"];
    assert_eq!(metrics["evaluations"], 60);
    assert_eq!(metrics["windowSeconds"], 30 * 86_400);
    let rate = metrics["policyEvaluationsPerSecond"].as_f64().unwrap();
    assert!((rate - 60.0 / 2_592_000.0).abs() < 1e-12);
    assert!((metrics["violationRate"].as_f64().unwrap() - 1.0 / 60.0).abs() < 1e-12);
    assert_eq!(metrics["enforcementLatency"], Value::Null);
    assert_eq!(metrics["complianceScore"], 0.0);
    for list in ["violations", "trends", "alerts"] {
        assert!(told[list].is_array(), "{list}");
    }
    let before = workspace.snapshot();
    let measured = workspace
        .program(&["analytics", "--at", AT, "--measure", "5"])
        .exits(0)
        .json();
    follows("analytics", &measured);
    let latency = &measured["realTimeMetrics"]["enforcementLatency"];
    assert_eq!(
        (&latency["source"], &latency["count"]),
        (&json!("measured"), &json!(5))
    );
    assert!(latency["p99_ms"].as_f64().unwrap() >= latency["p50_ms"].as_f64().unwrap());
    assert_eq!(workspace.snapshot(), before);
    workspace.program(&["analytics", "--measure", "0"]).exits(2);
}

#[test]
fn alerts_are_told_with_whether_they_are_up() {
    let workspace = governed();
    workspace
        .program(&["brake", "engage", "--reason", "drill"])
        .exits(0);
    workspace
        .program(&["kill", "on", "--reason", "drill"])
        .exits(0);
    workspace.program(&["alerts"]).exits(0);
    let told = workspace.program(&["analytics"]).exits(0).json();
    let alerts = told["alerts"].as_array().unwrap();
    assert!(!alerts.is_empty(), "{told}");
    assert!(alerts.iter().all(|alert| alert["up"] == true), "{alerts:?}");
    workspace
        .program(&["kill", "off", "--reason", "over"])
        .exits(0);
    workspace.program(&["alerts"]).exits(0);
    let told = workspace.program(&["analytics"]).exits(0).json();
    let alerts = told["alerts"].as_array().unwrap();
    let switch = alerts
        .iter()
        .find(|alert| alert["name"] == "kill_switch_on");
    assert_eq!(switch.unwrap()["up"], false, "{alerts:?}");
}

#[test]
fn the_longest_rule_of_retention_counts_and_nothing_goes_before_its_term() {
    let workspace = governed();
    let rules = "schema: 1\nrules:\n  - {class: undo, keep: 90d, because: contract 7}\n  - {class: events, keep: 7d, because: habit}\n";
    workspace.write("policy/retention.yaml", rules);
    let pruned = workspace
        .program(&["undo", "prune", "--keep-days", "7"])
        .exits(0);
    assert_eq!(pruned.json()["keep_days"], 90);
    assert!(pruned.stderr.contains("contract 7"), "{}", pruned.stderr);
    let longer = workspace
        .program(&["undo", "prune", "--keep-days", "100"])
        .exits(0);
    assert_eq!(longer.json()["keep_days"], 100);
    let kept = report(&workspace)["retention"].clone();
    let terms: Vec<&Value> = kept
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["keep"])
        .collect();
    assert_eq!(terms, ["unlimited", "90 days", "30 days", "90 days"]);
    let verified = workspace.program(&["audit", "verify"]).exits(0).json();
    assert_eq!(verified["retention"], kept);
    record(&workspace, "CUSTOM_X", "2026-06-10T00:00:00Z", &json!({}));
    let rotated = workspace.program(&["audit", "rotate"]).exits(0).json();
    assert_eq!(rotated["retention"]["keep"], "unlimited");
    let checked = workspace
        .program(&["policy", "check", "--format", "human"])
        .exits(0);
    assert!(
        checked.stdout.contains("RETENTION_UNWISE"),
        "{}",
        checked.stdout
    );
    // Behind a document that can't be used, nothing is closed or removed.
    workspace.write(
        "policy/retention.yaml",
        "schema: 1\nrules: [{class: undo}]\n",
    );
    let before = workspace.snapshot();
    workspace
        .program(&["undo", "prune", "--keep-days", "7"])
        .exits(1);
    workspace.program(&["audit", "rotate"]).exits(1);
    workspace.program(&["audit", "verify"]).exits(1);
    assert_eq!(workspace.snapshot(), before);
}

#[test]
fn documents_that_contradict_each_other_are_listed_and_the_denial_counts() {
    let workspace = Workspace::healthy();
    let policy = |name: &str, effect: &str| {
        format!(
            "apiVersion: policy.orchestra.v1\nkind: SecurityPolicy\nmetadata: {{name: {name}}}\nspec:\n  scope:\n    - resource: files\n  rules:\n    - name: {name}_rule\n      condition: \"user == 'x'\"\n      effect: {effect}\n  enforcement: {{mode: strict}}\n"
        )
    };
    workspace.write("policy/a.yaml", policy("open", "allow"));
    workspace.program(&["policy", "check", "--strict"]).exits(0);
    workspace.write("policy/b.yaml", policy("closed", "deny"));
    workspace.program(&["policy", "check"]).exits(0);
    let told = workspace
        .program(&["policy", "check", "--strict", "--format", "human"])
        .exits(1);
    insta::assert_snapshot!(told.stdout);
}
