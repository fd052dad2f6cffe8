//! P-1, data privacy: nothing personal is stored or shown by accident.

use std::path::Path;

use policy_orchestrator::privacy::{REDACTED, Redaction};
use serde_json::json;

use crate::ground::{self, checks, line, program, write};

/// What is planted, in the forms that captured output and signals may have.
const PLANTED: &[&str] = &[
    "alice.b@example.com",
    "+55 11 98765-4321",
    "(21) 3456-7890",
    "123-45-6789",
    "529.982.247-25",
    "4111 1111 1111 1111",
    "GB82WEST12345698765432",
];

fn holds(bytes: &[u8], planted: &str) -> bool {
    memchr::memmem::find(bytes, planted.as_bytes()).is_some()
}

/// Every file that was not planted by this test.
fn written(directory: &Path, inputs: &[&str], found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            written(&path, inputs, found);
        } else if !inputs.iter().any(|input| path.ends_with(input)) {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}

/// Nobody gave leave: so nothing that is written or said holds what an action printed, what a signal
/// quoted or what a reason named.
#[test]
fn test_p1_redaction_blocks_unauthorized() {
    let directory = tempfile::tempdir().unwrap();
    let workspace = directory.path();
    let planted = PLANTED.join("; ");
    let action = json!({"schema": 1, "builtin": false, "actions": [
        {"name": "print", "level": "RED", "argv": ["/bin/sh", "-c", "cat planted; cat planted >&2"]}
    ]});
    write(workspace, "planted", &planted);
    write(workspace, "policy/responses.json", action.to_string());
    write(
        workspace,
        "forensics/safety_brake_state.json",
        "{\"is_engaged\": false, \"response_count_24h\": 0}",
    );
    write(
        workspace,
        "forensics/forensics_anomaly_forecast.json",
        json!({"status": "success", "risk_level": planted}).to_string(),
    );
    let inputs = [
        "planted",
        "policy/responses.json",
        "forensics/forensics_anomaly_forecast.json",
    ];
    let reason = format!("asked by {planted}");
    let mut said = Vec::new();
    for arguments in [
        vec!["run", "--retry-delays", "0,0,0"],
        vec!["explain"],
        vec!["respond"],
        vec!["respond", "--apply"],
        vec!["kill", "on", "--reason", &reason],
        vec!["alerts"],
        vec!["audit", "verify"],
    ] {
        for format in ["human", "json"] {
            let output = program(workspace, &[&arguments[..], &["--format", format]].concat());
            said.push((format!("{arguments:?}"), output.stdout));
            said.push((format!("{arguments:?}"), output.stderr));
        }
    }
    let mut all = Vec::new();
    written(workspace, &inputs, &mut all);
    let applied = said.iter().any(|(_, bytes)| holds(bytes, REDACTED));
    assert!(applied, "something was taken out: {said:?}");
    for (name, bytes) in all.iter().chain(&said) {
        for planted in PLANTED {
            let text = String::from_utf8_lossy(bytes);
            assert!(!holds(bytes, planted), "{name} holds {planted}: {text}");
        }
    }
}

/// S0-011, S0-013, S0-015, S0-016: by name, in any case and depth, with hashes, unless asked for.
#[test]
fn test_p1_fields_are_redacted_by_default() {
    let row = json!({"Email": "x", "in": [{"PHONE": 5, "ssn": "y"}], "credit_card": "z", "n": 3});
    let left = Redaction::new().value(&row);
    assert_eq!(
        left,
        json!({"Email": REDACTED, "in": [{"PHONE": REDACTED, "ssn": REDACTED}], "credit_card": REDACTED, "n": 3})
    );
    assert_eq!(
        Redaction::new().including_personal_data(true).value(&row),
        row
    );
}

/// S0-020: a workspace is a tenant. An export holds nothing of the one beside it, not even where a link
/// in it leads there.
#[test]
fn test_p1_export_respects_tenant() {
    let [mine, theirs] = [ground::workspace("97"), ground::workspace("97")];
    for (workspace, reason) in [
        (&mine, "asked by tenant one"),
        (&theirs, "asked by tenant two"),
    ] {
        let kill = ["kill", "on", "--reason", reason];
        assert!(program(workspace.path(), &kill).status.success());
    }
    let export = |name: &str| {
        let out = mine.path().join(name);
        let ran = program(
            mine.path(),
            &["audit", "export", "--out", out.to_str().unwrap()],
        );
        (ran, std::fs::read(&out).unwrap_or_default())
    };
    let (ran, exported) = export("one.jsonl");
    assert!(ran.status.success());
    assert!(holds(&exported, "tenant one") && !holds(&exported, "tenant two"));
    let journal = "state/kill_switch_log.jsonl";
    std::fs::remove_file(mine.path().join(journal)).unwrap();
    std::os::unix::fs::symlink(theirs.path().join(journal), mine.path().join(journal)).unwrap();
    let (ran, exported) = export("two.jsonl");
    assert!(!ran.status.success());
    assert!(!holds(&exported, "tenant two"));
    let said = checks(mine.path(), &["P5"], &[], 1);
    assert_eq!(
        line(&said),
        "P5 Multi-Tenancy: FAIL (a link leads out of the workspace)"
    );
}

/// What somebody else stored is found, with its place and without showing it.
#[test]
fn test_p1_what_is_stored_is_found() {
    let directory = ground::workspace("97");
    let workspace = directory.path();
    assert_eq!(
        line(&checks(workspace, &["P1"], &[], 0)),
        "P1 Data Privacy: PASS"
    );
    for planted in PLANTED {
        write(
            workspace,
            "logs/other.jsonl",
            format!("{{}}\n{{\"said\": \"by {planted} today\"}}\n"),
        );
        let result = checks(workspace, &["P1"], &[], 1);
        assert_eq!(
            line(&result),
            "P1 Data Privacy: FAIL (personal data or a secret is stored)"
        );
        let detail = ground::test_of(&result, "stored_files")["detail"].to_string();
        assert!(detail.contains("logs/other.jsonl:2: "), "{detail}");
        assert!(!result.to_string().contains(planted));
        assert!(!ground::read(workspace, "reports/logs/P1.log").contains(planted));
    }
}
