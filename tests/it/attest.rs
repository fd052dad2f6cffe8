//! Attestations: what is signed, what holds, and what other programs say of it.

use std::process::Command;

use serde_json::{Value, json};

use crate::workspace::{JOURNAL, Ran, Workspace};

/// A password that must never be seen.
const PASSWORD: &str = "hush hush, a password";

/// Runs the program with the private key of `NAME.key`.
fn keyed(workspace: &Workspace, name: &str, arguments: &[&str]) -> Ran {
    let mut command = workspace.command(arguments);
    command.env("POLICY_SIGNING_KEY_FILE", format!("{name}.key"));
    command.env("POLICY_KEY_PASSWORD", PASSWORD);
    let ran: Ran = command.output().unwrap().into();
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(PASSWORD));
    ran
}

/// A workspace with two decisions and a pair of keys of each kind, the second encrypted.
fn recorded() -> Workspace {
    let workspace = Workspace::healthy();
    workspace.run().exits(0);
    workspace.forecast("medium");
    workspace.run_at("2026-01-15T12:05:00Z").exits(0);
    let ed25519 = ["keys", "generate", "--out", "ed25519.key"];
    workspace.program(&ed25519).exits(0);
    let p256 = ["keys", "generate", "--type", "p256", "--out", "p256.key"];
    keyed(&workspace, "none", &p256).exits(0);
    workspace
}

fn payload(envelope: &Value) -> (Vec<u8>, Value) {
    let bytes = decoded(envelope["payload"].as_str().unwrap());
    let statement = serde_json::from_slice(&bytes).unwrap();
    (bytes, statement)
}

fn decoded(base64: &str) -> Vec<u8> {
    let mut bits = 0_u32;
    let mut count = 0;
    let mut bytes = Vec::new();
    for digit in base64.bytes().filter(|digit| *digit != b'=') {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let value = alphabet.iter().position(|known| *known == digit).unwrap();
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    bytes
}

fn attested(workspace: &Workspace, key: &str, more: &[&str]) -> Value {
    let ran = keyed(workspace, key, &[&["attest"], more].concat());
    ran.exits(0).json()
}

#[test]
fn a_summary_says_passed_for_green_and_for_what_is_accepted() {
    let workspace = recorded();
    let result = |more: &[&str]| {
        let (_, statement) = payload(&attested(&workspace, "ed25519", more));
        assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
        let kind = &statement["predicateType"];
        assert_eq!(kind, "https://slsa.dev/verification_summary/v1");
        let predicate = &statement["predicate"];
        json!([predicate["verificationResult"], predicate["verifiedLevels"]])
    };
    let green = json!(["PASSED", ["POLICY_ORCHESTRATOR_GREEN"]]);
    let failed = json!(["FAILED", ["FAILED"]]);
    assert_eq!(result(&["--number", "1"]), green);
    assert_eq!(result(&[]), failed);
    let yellow = json!(["PASSED", ["POLICY_ORCHESTRATOR_YELLOW"]]);
    assert_eq!(result(&["--accept", "YELLOW"]), yellow);
    workspace.forecast("high");
    workspace.run_at("2026-01-15T12:10:00Z").exits(0);
    assert_eq!(result(&["--accept", "YELLOW"]), failed);
    let red = ["attest", "--accept", "RED"];
    keyed(&workspace, "ed25519", &red).exits(2);
}

#[test]
fn a_statement_tells_the_line_the_policy_and_the_whole_decision() {
    let workspace = recorded();
    let lines = workspace.journal();
    let (_, statement) = payload(&attested(&workspace, "p256", &["--predicate", "decision"]));
    let predicate = &statement["predicate"];
    assert_eq!(predicate["line"], *lines[1]);
    assert_eq!(predicate["level"], "YELLOW");
    assert_eq!(predicate["number"], 2);
    assert_eq!(predicate["state"], workspace.state());
    let head = &workspace.state()["journal"];
    assert_eq!(&predicate["journal"]["head"], head);
    let subject = &statement["subject"][0];
    assert_eq!(subject["name"], format!("{JOURNAL}#2"));
    assert_eq!(subject["digest"]["sha256"], head["sha256"]);
    // The state file belongs to the last decision alone.
    let first = ["--predicate", "decision", "--number", "1"];
    let (_, statement) = payload(&attested(&workspace, "p256", &first));
    assert_eq!(statement["predicate"]["line"], *lines[0]);
    assert_eq!(statement["predicate"]["state"], Value::Null);
    let (_, statement) = payload(&attested(&workspace, "p256", &[]));
    let predicate = &statement["predicate"];
    assert_eq!(predicate["timeVerified"], "2026-01-15T12:05:00Z");
    let policy = workspace.state()["document"]["sha256"].clone();
    assert_eq!(predicate["policy"]["digest"]["sha256"], policy);
}

#[test]
fn a_commit_is_a_subject_where_it_holds_what_was_read() {
    let workspace = Workspace::healthy().with_git();
    let generate = ["keys", "generate", "--out", "ed25519.key"];
    workspace.program(&generate).exits(0);
    let repository = workspace.repository();
    let commit = repository.head().unwrap().peel_to_commit().unwrap();
    let commit = commit.id().to_string();
    let subjects = |more: &[&str]| {
        let (_, statement) = payload(&attested(&workspace, "ed25519", more));
        let subjects = statement["subject"].as_array().unwrap().clone();
        subjects.last().unwrap()["digest"]["gitCommit"].clone()
    };
    workspace.run().exits(0);
    assert_eq!(subjects(&[]), json!(commit));
    // Decided on a file that the commit does not hold.
    workspace.forecast("medium");
    workspace.run_at("2026-01-15T12:05:00Z").exits(0);
    assert_eq!(subjects(&[]), Value::Null);
    assert_eq!(subjects(&["--commit"]), json!(commit));
    assert_eq!(subjects(&["--number", "1"]), Value::Null);
    let bare = recorded();
    keyed(&bare, "ed25519", &["attest", "--commit"]).exits(2);
}

#[test]
fn what_was_written_holds_and_what_was_changed_does_not() {
    let workspace = recorded();
    for key in ["ed25519", "p256"] {
        for predicate in ["vsa", "decision"] {
            let file = format!("{key}-{predicate}.json");
            let attest = ["attest", "--predicate", predicate, "--out", &file];
            let written = keyed(&workspace, key, &attest).exits(0).json();
            keyed(&workspace, key, &attest).exits(1);
            let public = format!("{key}.pub");
            let verify = ["attest", "verify", &file, "--key", &public];
            let verified = workspace.program(&verify).exits(0).json();
            assert_eq!(verified["signers"], json!([written["key_id"]]));
            assert_eq!(verified["level"], "YELLOW");
            assert_eq!(verified["journal"], "held");
            let other = if key == "p256" {
                "ed25519.pub"
            } else {
                "p256.pub"
            };
            let verify = ["attest", "verify", &file, "--key", other];
            let refused = workspace.program(&verify).exits(5);
            assert!(refused.stderr.contains("ATTESTATION_UNSIGNED"));
            let both = [&verify[..], &["--key", &public]].concat();
            workspace.program(&both).exits(0);
            // Any changed byte of the payload.
            let text = workspace.read(&file);
            let begin = text.find("\"payload\": \"").unwrap() + 12;
            for at in (begin..begin + 400).step_by(23) {
                let mut changed = text.clone().into_bytes();
                changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
                workspace.write("changed.json", changed);
                let verify = ["attest", "verify", "changed.json", "--key", &public];
                workspace.program(&verify).exits(5);
            }
        }
    }
}

#[test]
fn a_statement_is_held_against_the_journal() {
    let workspace = recorded();
    let attest = ["attest", "--out", "a.json"];
    keyed(&workspace, "ed25519", &attest).exits(0);
    let verify = ["attest", "verify", "a.json", "--key", "ed25519.pub"];
    // Written anew, by somebody who keeps the chain whole.
    std::fs::remove_dir_all(workspace.file("state")).unwrap();
    let absent = workspace.program(&verify).exits(0);
    assert_eq!(absent.json()["journal"], "absent");
    let named = [&verify[..], &["--workspace", "."]].concat();
    workspace.program(&named).exits(5);
    workspace.forecast("low");
    workspace.run().exits(0);
    workspace.run_at("2026-01-15T12:05:00Z").exits(0);
    workspace.program(&["audit", "verify"]).exits(0);
    let differs = workspace.program(&verify).exits(5);
    assert!(differs.stderr.contains("ATTESTATION_DIFFERS"));
    assert!(differs.stderr.contains("another line under the number 2"));
}

#[test]
fn a_statement_of_a_line_behind_a_reseal_holds_still() {
    let workspace = recorded();
    let attest = ["attest", "--out", "a.json"];
    keyed(&workspace, "ed25519", &attest).exits(0);
    let first = ["attest", "--number", "1", "--out", "first.json"];
    keyed(&workspace, "ed25519", &first).exits(0);
    let changed = workspace.read(JOURNAL).replacen("GREEN", "WHITE", 1);
    workspace.write(JOURNAL, changed);
    let broken = keyed(&workspace, "ed25519", &["attest"]).exits(5);
    assert_eq!(broken.stdout, "", "nothing is signed");
    workspace.run_at("2026-01-15T12:06:00Z").exits(5);
    workspace.reseal_and_go_on();
    let verify = |file: &str| {
        let verify = ["attest", "verify", file, "--key", "ed25519.pub"];
        workspace.program(&verify).code
    };
    assert_eq!((verify("a.json"), verify("first.json")), (0, 5));
    // What was sealed as broken is not signed any more.
    keyed(&workspace, "ed25519", &["attest", "--number", "2"]).exits(1);
    keyed(&workspace, "ed25519", &["attest"]).exits(0);
}

#[test]
fn nothing_is_signed_that_the_state_file_contradicts() {
    let workspace = recorded();
    let state = "state/policy_state.json";
    let whole = workspace.read(state);
    let journal = workspace.read(JOURNAL);
    workspace.write(state, whole.replacen("YELLOW", "GREEN", 1));
    let attest = keyed(&workspace, "ed25519", &["attest"]).exits(5);
    assert_eq!(attest.stdout, "");
    // RED was published over a broken journal, and the journal is put back.
    workspace.write(state, &whole);
    workspace.write(JOURNAL, journal.replace("12:05", "12:06"));
    workspace.run_at("2026-01-15T12:10:00Z").exits(5);
    workspace.write(JOURNAL, &journal);
    let attest = keyed(&workspace, "ed25519", &["attest", "--accept", "YELLOW"]);
    assert!(attest.exits(5).stderr.contains("JOURNAL_BROKEN"));
    workspace.run_at("2026-01-15T12:15:00Z").exits(0);
    keyed(&workspace, "ed25519", &["attest"]).exits(0);
}

#[test]
fn what_can_not_be_signed_or_read_is_told() {
    let workspace = recorded();
    let mut told = String::new();
    let mut tell = |what: &str, ran: Ran, code: i32| {
        let ran = ran.exits(code);
        told.push_str(&format!("# {what}\n{}\n", ran.stderr));
    };
    tell("no key", workspace.program(&["attest"]), 1);
    let absent = ["attest", "--number", "9"];
    tell("no such line", keyed(&workspace, "ed25519", &absent), 1);
    workspace.write("text.json", "no JSON\n");
    workspace.write(
        "other.json",
        r#"{"payloadType":"text/plain","payload":"AAAA","signatures":[{"sig":"AAAA"}]}"#,
    );
    for file in ["text.json", "absent.json"] {
        let verify = ["attest", "verify", file, "--key", "ed25519.pub"];
        tell(file, workspace.program(&verify), 1);
    }
    let verify = ["attest", "verify", "other.json", "--key", "ed25519.key"];
    tell("a private key", workspace.program(&verify), 1);
    insta::assert_snapshot!("attest_refused", told);
}

/// The bytes that are signed, by the specification and not by this program.
fn pae(envelope: &Value) -> Vec<u8> {
    let kind = envelope["payloadType"].as_str().unwrap();
    let (payload, _) = payload(envelope);
    let head = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len());
    [head.as_bytes(), &payload].concat()
}

#[test]
fn openssl_verifies_the_signatures() {
    let workspace = recorded();
    for (key, tool) in [
        (
            "ed25519",
            "pkeyutl -verify -pubin -inkey ed25519.pub -rawin -sigfile sig -in",
        ),
        ("p256", "dgst -sha256 -verify p256.pub -signature sig"),
    ] {
        let envelope = attested(&workspace, key, &["--predicate", "decision"]);
        let signature = envelope["signatures"][0]["sig"].as_str().unwrap();
        workspace.write("sig", decoded(signature));
        let bytes = pae(&envelope);
        let mut changed = bytes.clone();
        *changed.last_mut().unwrap() ^= 1;
        for (bytes, holds) in [(bytes, true), (changed, false)] {
            workspace.write("pae", bytes);
            let mut openssl = Command::new("openssl");
            openssl.args(tool.split(' ')).arg("pae");
            let output = openssl.current_dir(workspace.path()).output().unwrap();
            assert_eq!(output.status.success(), holds, "{key}: {output:?}");
        }
    }
}

fn run_attested(workspace: &Workspace, arguments: &[&str], env: &[(&str, &str)]) -> Ran {
    let usual = ["run", "--retry-delays", "0,0,0"];
    let mut command = workspace.command(&[&usual, arguments].concat());
    command.env("POLICY_SIGNING_KEY_FILE", "k.key");
    command.envs(env.iter().copied()).output().unwrap().into()
}

#[test]
fn a_run_attests_what_it_recorded() {
    let workspace = Workspace::healthy();
    let generate = ["keys", "generate", "--out", "k.key"];
    workspace.program(&generate).exits(0);
    let ran = run_attested(&workspace, &["--attest", "first"], &[]).exits(0);
    assert_eq!(ran.json()["policy"], "GREEN");
    let verify = |file: &str| {
        let arguments = ["attest", "verify", file, "--key", "k.pub"];
        workspace.program(&arguments).exits(0).json()
    };
    assert_eq!(
        (&verify("first")["number"], &verify("first")["result"]),
        (&1.into(), &"PASSED".into())
    );
    // A directory takes one file for each, and the variable says the same.
    std::fs::create_dir(workspace.file("all")).unwrap();
    run_attested(&workspace, &[], &[("POLICY_ATTEST", "all")]).exits(0);
    assert_eq!(verify("all/decision-2.intoto.json")["number"], 2);
    // RED is attested too, as FAILED; the exit code is that of the run.
    workspace.integrity("x");
    run_attested(&workspace, &["--attest", "all"], &[]).exits(1);
    assert_eq!(verify("all/decision-3.intoto.json")["result"], "FAILED");
}

#[test]
fn a_decision_stands_where_it_could_not_be_attested() {
    let workspace = Workspace::healthy();
    workspace.write("there", "already");
    let generate = ["keys", "generate", "--out", "k.key"];
    workspace.program(&generate).exits(0);
    let ran = run_attested(&workspace, &["--attest", "there", "--exit-code"], &[]).exits(1);
    assert!(
        ran.stderr
            .contains("the decision is recorded and stands; it is not attested"),
        "{}",
        ran.stderr
    );
    assert_eq!(workspace.read("there"), "already");
    assert_eq!(ran.json()["policy"], "GREEN");
    let keyless = ["run", "--attest", "new"];
    assert!(
        workspace
            .program(&keyless)
            .exits(1)
            .stderr
            .contains("KEY_ABSENT")
    );
    assert_eq!(workspace.journal().len(), 2);
    workspace.program(&["audit", "verify"]).exits(0);
    // A dry run refuses, and under the variable says that it attests nothing.
    run_attested(&workspace, &["--dry-run", "--attest", "new"], &[]).exits(2);
    let dry = run_attested(&workspace, &["--dry-run"], &[("POLICY_ATTEST", "new")]).exits(0);
    assert!(dry.stderr.contains("nothing is attested"), "{}", dry.stderr);
    assert!(!workspace.file("new").exists());
}
