//! Checkpoints: a rewritten or shortened history is found, also one by a keyholder; and the
//! independent verifier, which has to find what `audit verify` finds.

use std::process::Command;

use serde_json::Value;

use crate::workspace::{JOURNAL, Ran, Workspace};

const SECRET: &str = "a secret of more than thirty-two bytes";

fn program(workspace: &Workspace, arguments: &[&str]) -> Ran {
    let mut command = workspace.command(arguments);
    command.env("POLICY_AUDIT_SECRET", SECRET);
    command.env("POLICY_SIGNING_KEY_FILE", "k.key");
    command.output().unwrap().into()
}

fn run_at(workspace: &Workspace, minute: u32) {
    let at = format!("2026-01-15T12:{minute:02}:00Z");
    program(workspace, &["run", "--at", &at]).exits(0);
}

/// Runs at these minutes, with a risk that differs from one to the next.
fn runs(workspace: &Workspace, minutes: std::ops::Range<u32>) {
    for minute in minutes {
        workspace.forecast(if minute % 2 == 0 { "low" } else { "medium" });
        run_at(workspace, minute);
    }
}

/// Five signed decisions, a line of the trust guard, and a checkpoint.
fn kept() -> Workspace {
    let workspace = Workspace::healthy();
    let generate = ["keys", "generate", "--out", "k.key"];
    workspace.program(&generate).exits(0);
    runs(&workspace, 0..5);
    let enforce = ["trust", "enforce", "--at", "2026-01-15T12:05:00Z"];
    workspace.integrity("10");
    program(&workspace, &enforce);
    workspace.integrity("97.5");
    workspace.write("trust_lock_state.json", r#"{"locked": false}"#);
    let at = "2026-01-15T12:06:00Z";
    let checkpoint = [
        "audit",
        "checkpoint",
        "--name",
        "p",
        "--at",
        at,
        "--out",
        "note",
    ];
    program(&workspace, &checkpoint).exits(0);
    workspace
}

const HELD: [&str; 6] = [
    "audit",
    "verify",
    "--checkpoint",
    "note",
    "--checkpoint-key",
    "k.pub",
];

/// Exit codes without and with the checkpoint, and what was found with it.
fn verified(workspace: &Workspace) -> (i32, i32, String) {
    let plain = program(workspace, &["audit", "verify"]);
    let held = program(workspace, &HELD);
    (plain.code, held.code, held.stderr)
}

#[test]
fn a_history_that_goes_on_holds() {
    let workspace = kept();
    let held = program(&workspace, &HELD).exits(0).json();
    assert_eq!(held["checkpoint"]["origin"], "policy-orchestrator/p");
    assert_eq!(held["checkpoint"]["signature_checked"], true);
    runs(&workspace, 7..9);
    assert_eq!(verified(&workspace).1, 0);
    // Nobody has to hold the secret or the private key.
    workspace.program(&HELD).exits(0);
    let unchecked = workspace.program(&HELD[..4]).exits(0);
    assert!(unchecked.stderr.contains("--checkpoint-key"));
}

/// Closing a journal is no tampering: the record that was kept stands in the packed segment, and can
/// be attested there.
#[test]
fn a_journal_that_was_closed_since_holds() {
    let workspace = kept();
    let rotate = ["audit", "rotate", "--at", "2026-01-15T12:10:00Z"];
    program(&workspace, &rotate).exits(0);
    assert_eq!(verified(&workspace), (0, 0, String::new()));
    runs(&workspace, 11..13);
    let again = ["audit", "rotate", "--at", "2026-01-15T12:20:00Z"];
    program(&workspace, &again).exits(0);
    assert_eq!(verified(&workspace), (0, 0, String::new()));
    program(&workspace, &["attest", "--number", "2"]).exits(0);
    // Without the packed file nobody can say so.
    std::fs::remove_dir_all(workspace.file("state/segments")).unwrap();
    let (plain, held, _) = verified(&workspace);
    assert_eq!((plain, held), (5, 5));
}

#[test]
fn a_note_reads_the_same_in_a_commit_message_and_in_a_summary() {
    let workspace = kept();
    let note = workspace.read("note");
    let lines: Vec<&str> = note.lines().collect();
    assert_eq!(lines[0], "policy-orchestrator/p");
    assert!(lines[1].starts_with(&format!("{JOURNAL} 5 ")));
    assert!(lines[2].starts_with("state/trust_lock_log.jsonl 1 "));
    assert_eq!(lines[3], "time 2026-01-15T12:06:00+00:00");
    assert!(lines[5].starts_with("\u{2014} policy-orchestrator/p "));
    let at = "2026-01-15T12:06:00Z";
    let printed = ["audit", "checkpoint", "--name", "p", "--at", at];
    // The one on standard output also names the line that says that the first was made.
    let second = program(&workspace, &printed).exits(0).stdout;
    assert_eq!(second.lines().take(3).collect::<Vec<_>>(), lines[..3]);
    let markdown = [&printed[..], &["--form", "markdown"]].concat();
    let markdown = program(&workspace, &markdown).exits(0).stdout;
    let indented = note.replace('\n', "\n    ");
    let indented = format!("    {}\n", indented.trim_end());
    for text in [
        format!("Decisions\n\n{note}\nReviewed-by: B\n"),
        format!("commit 1\n\n{indented}"),
        markdown,
    ] {
        workspace.write("message", text);
        let held = ["audit", "verify", "--checkpoint", "message"];
        let key = ["--checkpoint-key", "k.pub"];
        program(&workspace, &[&held[..], &key].concat()).exits(0);
    }
}

#[test]
fn a_history_written_anew_by_a_keyholder_is_found() {
    let workspace = kept();
    for file in ["policy_state_log.jsonl", "policy_state.json"] {
        std::fs::remove_file(workspace.file(&format!("state/{file}"))).unwrap();
    }
    // As many decisions, at other times.
    runs(&workspace, 10..15);
    let (plain, held, found) = verified(&workspace);
    assert_eq!((plain, held), (0, 5), "{found}");
    assert!(found.contains("HEAD_DIFFERS"), "{found}");
    // Longer than it ever was.
    runs(&workspace, 15..18);
    assert_eq!(verified(&workspace).1, 5);
}

#[test]
fn a_history_put_back_or_cut_is_found() {
    let workspace = kept();
    let before = workspace.snapshot();
    runs(&workspace, 7..9);
    let later = ["audit", "checkpoint", "--name", "p", "--out", "later"];
    program(&workspace, &later).exits(0);
    for (name, bytes) in &before {
        workspace.write(name.to_str().unwrap(), bytes);
    }
    assert_eq!(verified(&workspace).1, 0);
    std::fs::rename(workspace.file("later"), workspace.file("note")).unwrap();
    let (plain, held, found) = verified(&workspace);
    assert_eq!((plain, held), (0, 5), "{found}");
    assert!(found.contains("END_CUT"), "{found}");
}

#[test]
fn a_journal_that_is_gone_with_its_head_is_found() {
    let workspace = kept();
    std::fs::remove_file(workspace.file("state/trust_lock_log.jsonl")).unwrap();
    std::fs::remove_file(workspace.file("state/journal_heads.json")).unwrap();
    let (plain, held, found) = verified(&workspace);
    assert_eq!((plain, held), (0, 5), "{found}");
    assert!(found.contains("trust_lock_log"), "{found}");
}

fn reseal(workspace: &Workspace, minute: u32) {
    let at = format!("2026-01-15T12:{minute:02}:00Z");
    let reseal = ["audit", "reseal", "--reason", "r", "--at", &at];
    program(workspace, &reseal).exits(0);
}

#[test]
fn what_was_sealed_is_looked_at_up_to_the_checkpoint() {
    // Broken behind the checkpoint, and resealed: what the checkpoint names still stands.
    let workspace = kept();
    runs(&workspace, 7..9);
    let text = workspace.read(JOURNAL);
    let end = text.trim_end().rfind('\n').unwrap();
    let changed = text[end..].replace("97.5", "99.5");
    workspace.write(JOURNAL, format!("{}{changed}", &text[..end]));
    reseal(&workspace, 10);
    runs(&workspace, 11..12);
    assert_eq!(verified(&workspace), (0, 0, String::new()));
    // Broken before it: the line that the checkpoint names is the same, its past is not.
    let workspace = kept();
    let changed = workspace.read(JOURNAL).replacen("97.5", "99.5", 1);
    workspace.write(JOURNAL, changed);
    reseal(&workspace, 10);
    runs(&workspace, 11..12);
    let (plain, held, found) = verified(&workspace);
    assert_eq!((plain, held), (0, 5), "{found}");
    assert!(found.contains("LINE_CHANGED"), "{found}");
}

#[test]
fn a_reseal_that_says_nothing_was_there_hides_nothing() {
    let workspace = kept();
    std::fs::remove_file(workspace.file(JOURNAL)).unwrap();
    reseal(&workspace, 10);
    runs(&workspace, 11..12);
    let (plain, held, found) = verified(&workspace);
    assert_eq!((plain, held), (0, 5), "{found}");
    assert!(found.contains("END_CUT"), "{found}");
}

#[test]
fn a_checkpoint_that_was_changed_or_is_anothers_is_none() {
    let workspace = kept();
    let note = workspace.read("note");
    let other = ["keys", "generate", "--out", "other.key"];
    workspace.program(&other).exits(0);
    let with_key = |key: &str| {
        let arguments = [&HELD[..5], &[key]].concat();
        program(&workspace, &arguments)
    };
    assert!(
        with_key("other.pub")
            .exits(5)
            .stderr
            .contains("CHECKPOINT_UNSIGNED")
    );
    let older = note.replace(" 5 ", " 4 ");
    workspace.write("note", older);
    assert!(
        with_key("k.pub")
            .exits(5)
            .stderr
            .contains("CHECKPOINT_UNSIGNED")
    );
    for text in ["", "policy-orchestrator/p\n", "something else\n"] {
        workspace.write("note", text);
        with_key("k.pub").exits(1);
    }
    let p256 = ["keys", "generate", "--type", "p256", "--out", "p.key"];
    workspace.program(&p256).exits(0);
    let mut command = workspace.command(&["audit", "checkpoint"]);
    command.env("COSIGN_KEY_PATH", "p.key");
    let ran: Ran = command
        .env("POLICY_AUDIT_SECRET", SECRET)
        .output()
        .unwrap()
        .into();
    assert!(ran.exits(1).stderr.contains("needs an Ed25519 key"));
}

#[test]
fn nothing_is_signed_over_a_broken_journal() {
    let workspace = kept();
    let changed = workspace.read(JOURNAL).replacen("97.5", "99.5", 1);
    workspace.write(JOURNAL, changed);
    let ran = program(&workspace, &["audit", "checkpoint"]).exits(5);
    assert_eq!(ran.stdout, "");
    let empty = Workspace::healthy();
    empty.program(&["audit", "checkpoint"]).exits(1);
}

/// Runs the independent verifier over a workspace with its checkpoint and envelope.
fn independent(workspace: &Workspace) -> Ran {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verifier/verify.py");
    let mut python = Command::new("python3");
    python.args([
        script,
        ".",
        "--checkpoint",
        "note",
        "--envelope",
        "envelope",
    ]);
    python
        .args(["--key", "k.pub"])
        .current_dir(workspace.path());
    python.env("POLICY_AUDIT_SECRET", SECRET);
    python.output().unwrap().into()
}

/// Changes one byte of a file, some way into it.
fn flip(workspace: &Workspace, file: &str, at: usize) {
    let mut bytes = workspace.bytes(file);
    let at = at % bytes.len();
    bytes[at] ^= 1;
    workspace.write(file, bytes);
}

#[test]
fn the_independent_verifier_is_short() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verifier/verify.py");
    let lines = std::fs::read_to_string(script).unwrap().lines().count();
    assert!(lines < 80, "{lines}");
}

fn attested() -> Workspace {
    let workspace = kept();
    let attest = ["attest", "--out", "envelope"];
    program(&workspace, &attest).exits(0);
    workspace
}

#[test]
fn the_independent_verifier_calls_whole_what_is_whole() {
    let workspace = attested();
    assert_eq!(independent(&workspace).exits(0).stdout, "whole\n");
    runs(&workspace, 7..9);
    independent(&workspace).exits(0);
    let text = workspace.read(JOURNAL);
    let changed = text.replacen("12:08", "12:18", 1);
    assert_ne!(changed, text);
    workspace.write(JOURNAL, changed);
    independent(&workspace).exits(5);
    reseal(&workspace, 10);
    runs(&workspace, 11..12);
    independent(&workspace).exits(0);
    // A plain log that was adopted.
    let plain = Workspace::healthy();
    let generate = ["keys", "generate", "--out", "k.key"];
    plain.program(&generate).exits(0);
    plain.write(JOURNAL, "{\"policy\":\"GREEN\"}\n{\"policy\":\"YELLOW\"}");
    runs(&plain, 0..2);
    program(&plain, &["audit", "checkpoint", "--out", "note"]).exits(0);
    program(&plain, &["attest", "--out", "envelope"]).exits(0);
    independent(&plain).exits(0);
    flip(&plain, JOURNAL, 3);
    independent(&plain).exits(5);
}

fn change_lines(workspace: &Workspace, change: fn(&mut Vec<String>)) {
    let mut lines = workspace.journal();
    change(&mut lines);
    workspace.write(JOURNAL, format!("{}\n", lines.join("\n")));
}

/// Changes a digit of the first such member of the journal.
fn flip_in(workspace: &Workspace, member: &str) {
    let at = workspace.read(JOURNAL).find(member).unwrap();
    flip(workspace, JOURNAL, at + 20);
}

/// What is done to a workspace that was whole, each to one of its own.
const TAMPERED: &[(&str, fn(&Workspace))] = &[
    ("a byte", |workspace| flip(workspace, JOURNAL, 20)),
    ("a hash", |workspace| flip_in(workspace, "\"prev\":\"")),
    ("a signature", |workspace| flip_in(workspace, "\"hmac\":\"")),
    ("swapped", |workspace| {
        change_lines(workspace, |lines| lines.swap(1, 2));
    }),
    ("deleted", |workspace| {
        change_lines(workspace, |lines| drop(lines.remove(2)));
    }),
    ("the first deleted", |workspace| {
        change_lines(workspace, |lines| drop(lines.remove(0)));
    }),
    ("twice", |workspace| {
        change_lines(workspace, |lines| lines.insert(2, lines[2].clone()));
    }),
    ("cut", |workspace| {
        change_lines(workspace, |lines| lines.truncate(3));
    }),
    ("put in", |workspace| {
        change_lines(workspace, |lines| lines.insert(2, "{}".to_owned()));
    }),
    ("unsigned", |workspace| {
        change_lines(workspace, |lines| {
            let last = lines.last_mut().unwrap();
            let begin = last.find(",\"hmac\"").unwrap();
            last.replace_range(begin.., "}");
        });
    }),
    ("gone", |workspace| {
        std::fs::remove_file(workspace.file(JOURNAL)).unwrap();
    }),
    ("written anew", |workspace| {
        for file in ["policy_state_log.jsonl", "policy_state.json"] {
            std::fs::remove_file(workspace.file(&format!("state/{file}"))).unwrap();
        }
        runs(workspace, 20..26);
    }),
    ("the checkpoint", |workspace| {
        let note = workspace.read("note").replace("12:06", "12:07");
        workspace.write("note", note);
    }),
];

#[test]
fn the_independent_verifier_finds_what_this_one_finds() {
    for (what, change) in TAMPERED {
        let workspace = attested();
        change(&workspace);
        let found = independent(&workspace);
        assert_eq!(found.code, 5, "{what}: {}{}", found.stdout, found.stderr);
        assert_eq!(program(&workspace, &HELD).code, 5, "{what}");
    }
    let workspace = attested();
    let mut envelope: Value = serde_json::from_slice(&workspace.bytes("envelope")).unwrap();
    let payload = envelope["payload"].as_str().unwrap().replacen('A', "B", 1);
    envelope["payload"] = Value::String(payload);
    workspace.write("envelope", envelope.to_string());
    independent(&workspace).exits(5);
    let verify = ["attest", "verify", "envelope", "--key", "k.pub"];
    program(&workspace, &verify).exits(5);
}

/// A reseal that names the head which somebody kept is no proof that its line was ever there: a
/// holder of the key can write it.
#[test]
fn a_reseal_that_names_the_kept_head_hides_nothing_from_it() {
    let workspace = kept();
    let lines = workspace.journal();
    let last = policy_orchestrator::ids::Digest::of(lines.last().unwrap().as_bytes());
    let head = format!("{}:{last}", lines.len());
    let verify = ["audit", "verify", "--head", &head];
    program(&workspace, &verify).exits(0);
    // The end is cut, and the reseal takes the head from the state file.
    workspace.write(JOURNAL, format!("{}\n", lines[..3].join("\n")));
    reseal(&workspace, 10);
    runs(&workspace, 11..12);
    let first: Value = serde_json::from_str(&workspace.journal()[0]).unwrap();
    assert!(first["segment"].to_string().contains(&last.to_string()));
    program(&workspace, &["audit", "verify"]).exits(0);
    let found = program(&workspace, &verify).exits(5).stderr;
    assert!(
        found.contains("lacks the record number 5 that the kept head names"),
        "{found}"
    );
    // What was there before the cut still is.
    let third = policy_orchestrator::ids::Digest::of(lines[2].as_bytes());
    let older = format!("3:{third}");
    program(&workspace, &["audit", "verify", "--head", &older]).exits(0);
}

#[test]
fn a_checkpoint_is_recorded_behind_what_it_names() {
    let workspace = kept();
    let events = crate::policy_lock::events(&workspace);
    let last = events.last().unwrap();
    assert_eq!(last["event_type"], "CHECKPOINT_WRITTEN");
    let note = policy_orchestrator::ids::Digest::of(&workspace.bytes("note"));
    assert_eq!(last["data_sha256"], note.to_string());
    assert!(!workspace.read("note").contains("state/audit.log"));
    program(&workspace, &HELD).exits(0);
    // The next one covers it, and neither makes the other wrong.
    let again = ["audit", "checkpoint", "--out", "second"];
    program(&workspace, &again).exits(0);
    assert!(workspace.read("second").contains("state/audit.log 1 "));
    program(&workspace, &HELD).exits(0);
    // Without the secret it is made all the same, and says that it could not be recorded.
    let ran = workspace
        .command(&again[..2])
        .env("POLICY_SIGNING_KEY_FILE", "k.key")
        .output()
        .unwrap();
    let ran = Ran::from(ran).exits(1);
    assert!(ran.stdout.contains("state/audit.log 2 "), "{}", ran.stdout);
    assert!(ran.stderr.contains("SECRET_MISSING"), "{}", ran.stderr);
}
