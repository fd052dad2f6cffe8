//! Keys of the record: their ids on lines, their rotation, and what a change of the secret says.

use serde_json::Value;

use crate::workspace::{JOURNAL, Ran, Workspace};

const OLD: &str = "the old secret of at least 32 bytes";
const NEW: &str = "the new secret of at least 32 bytes";
const LATER: &str = "a third secret of at least 32 bytes";

/// Their ids, computed with `printf 'policy-orchestrator key id' | openssl dgst -sha256 -hmac …`.
const OLD_ID: &str = "5bc05974d726f25d";
const NEW_ID: &str = "58e5d7d3bfcbb020";

fn with(workspace: &Workspace, secrets: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let mut command = workspace.command(arguments);
    command.envs(secrets.iter().copied());
    command.output().unwrap().into()
}

fn both() -> [(&'static str, &'static str); 2] {
    [
        ("POLICY_AUDIT_SECRET", NEW),
        ("POLICY_AUDIT_OLD_SECRET", OLD),
    ]
}

fn old(workspace: &Workspace, arguments: &[&str]) -> Ran {
    with(workspace, &[("POLICY_AUDIT_SECRET", OLD)], arguments)
}

fn new(workspace: &Workspace, arguments: &[&str]) -> Ran {
    with(workspace, &[("POLICY_AUDIT_SECRET", NEW)], arguments)
}

const ROTATE: [&str; 6] = [
    "audit",
    "rotate-key",
    "--reason",
    "yearly",
    "--at",
    "2026-01-15T13:00:00Z",
];
const VERIFY: [&str; 2] = ["audit", "verify"];

/// Two decisions and a lock of the trust guard, signed with the old secret.
fn signed() -> Workspace {
    let workspace = Workspace::healthy();
    for minute in 0..2 {
        let at = format!("2026-01-15T12:0{minute}:00Z");
        old(&workspace, &["run", "--at", &at]).exits(0);
    }
    old(
        &workspace,
        &[
            "brake",
            "engage",
            "--reason",
            "test",
            "--at",
            "2026-01-15T12:05:00Z",
        ],
    )
    .exits(0);
    workspace
}

fn journal<'a>(verified: &'a Value, name: &str) -> &'a Value {
    let all = verified["journals"].as_array().unwrap();
    all.iter()
        .find(|journal| journal["file"] == name)
        .unwrap_or_else(|| panic!("no {name} in {verified}"))
}

#[test]
fn a_signed_line_names_its_key_before_its_signature() {
    let workspace = signed();
    for line in workspace.journal() {
        let key = format!(",\"key\":\"{OLD_ID}\",\"hmac\":\"");
        assert!(line.contains(&key), "{line}");
    }
}

#[test]
fn lines_from_before_there_were_ids_stay_valid_and_are_gone_on_from() {
    let workspace = Workspace::healthy();
    old(&workspace, &["run", "--at", "2026-01-15T12:00:00Z"]).exits(0);
    let line = workspace.journal().remove(0);
    let body = line.split(",\"key\"").next().unwrap().to_owned() + "}";
    let key = policy_orchestrator::record::SigningKey::new(OLD.as_bytes().to_vec()).unwrap();
    let hmac = key.sign(body.as_bytes());
    let older = format!("{},\"hmac\":\"{hmac}\"}}", body.strip_suffix('}').unwrap());
    workspace.write(JOURNAL, format!("{older}\n"));
    // Nor had runs an id then.
    let state = workspace.read("state/policy_state.json");
    let state = state.lines().filter(|line| !line.contains("\"run_id\""));
    let state = state.collect::<Vec<_>>().join("\n") + "\n";
    let digest = |line: &str| policy_orchestrator::ids::Digest::of(line.as_bytes()).to_string();
    workspace.write(
        "state/policy_state.json",
        state.replace(&digest(&line), &digest(&older)),
    );
    old(&workspace, &["run", "--at", "2026-01-15T12:01:00Z"]).exits(0);
    let counts = old(&workspace, &VERIFY).exits(0).json();
    assert_eq!(journal(&counts, JOURNAL)["signed"], 2);
    // The same through a rotation, with the old secret at hand and without it.
    with(&workspace, &both(), &ROTATE).exits(0);
    let counts = with(&workspace, &both(), &VERIFY).exits(0).json();
    assert_eq!(journal(&counts, JOURNAL)["signed"], 3);
    let counts = new(&workspace, &VERIFY).exits(0).json();
    assert_eq!(journal(&counts, JOURNAL)["unchecked"], 2);
}

#[test]
fn a_rotation_hands_every_signed_journal_over_and_everything_goes_on() {
    let workspace = signed();
    let rotated = with(&workspace, &both(), &ROTATE).exits(0).json();
    assert_eq!(rotated["key"], NEW_ID);
    assert_eq!(
        rotated["handed_over"].as_array().unwrap().len(),
        2,
        "{rotated}"
    );
    let line = workspace.journal().pop().unwrap();
    assert!(line.contains("\"event\":\"KEY_ROTATED\"") && line.contains("\"reason\":\"yearly\""));
    assert!(line.contains(&format!(",\"old_key\":\"{OLD_ID}\",\"hmac_old\":\"")));
    assert!(line.contains(&format!(",\"key\":\"{NEW_ID}\",\"hmac\":\"")));
    for secrets in [&both()[..], &both()[..1]] {
        with(&workspace, secrets, &VERIFY).exits(0);
        with(
            &workspace,
            secrets,
            &["status", "--at", "2026-01-15T13:00:30Z"],
        )
        .exits(0);
        with(&workspace, secrets, &["explain"]).exits(0);
    }
    new(&workspace, &["run", "--at", "2026-01-15T13:01:00Z"]).exits(0);
    new(
        &workspace,
        &[
            "brake",
            "reset",
            "--reason",
            "done",
            "--at",
            "2026-01-15T13:02:00Z",
        ],
    )
    .exits(0);
    new(&workspace, &["replay"]).exits(0);
    let verified = with(&workspace, &both(), &VERIFY).exits(0).json();
    let decisions = journal(&verified, JOURNAL);
    assert_eq!(
        (decisions["signed"].as_u64(), decisions["wrong"].as_u64()),
        (Some(4), Some(0))
    );
    let verified = new(&workspace, &VERIFY).exits(0).json();
    assert_eq!(journal(&verified, JOURNAL)["unchecked"], 2);
    // The old secret alone is no key any more.
    old(&workspace, &VERIFY).exits(5);
    // Again there is nothing to do, and nothing is written.
    let before = workspace.bytes(JOURNAL);
    let again = with(&workspace, &both(), &ROTATE).exits(0).json();
    assert_eq!(again["handed_over"].as_array().unwrap().len(), 0);
    assert_eq!(workspace.bytes(JOURNAL), before);
}

#[test]
fn a_second_rotation_needs_only_the_key_before_it() {
    let workspace = signed();
    with(&workspace, &both(), &ROTATE).exits(0);
    let last = [
        ("POLICY_AUDIT_SECRET", LATER),
        ("POLICY_AUDIT_OLD_SECRET", NEW),
    ];
    with(&workspace, &last, &ROTATE).exits(0);
    let verified = with(&workspace, &last, &VERIFY).exits(0).json();
    let decisions = journal(&verified, JOURNAL);
    assert_eq!(
        (
            decisions["signed"].as_u64(),
            decisions["unchecked"].as_u64()
        ),
        (Some(2), Some(2))
    );
    // All of them, out of a file with one on each line.
    workspace.write("old-secrets", format!("{OLD}\n{NEW}\n"));
    let all = [
        ("POLICY_AUDIT_SECRET", LATER),
        ("POLICY_AUDIT_OLD_SECRET_FILE", "old-secrets"),
    ];
    let verified = with(&workspace, &all, &VERIFY).exits(0).json();
    assert_eq!(journal(&verified, JOURNAL)["signed"], 4);
}

#[test]
fn a_changed_secret_says_which_key_signed_and_what_to_do() {
    let workspace = signed();
    let told = new(&workspace, &VERIFY).exits(5).stderr;
    insta::assert_snapshot!(told.lines().take(6).collect::<Vec<_>>().join("\n"));
    let told = with(
        &workspace,
        &both(),
        &["run", "--at", "2026-01-15T12:10:00Z"],
    )
    .exits(1);
    insta::assert_snapshot!(told.stderr);
    let told = with(&workspace, &both(), &VERIFY).exits(1);
    assert!(told.stderr.contains("KEY_NOT_ROTATED"), "{}", told.stderr);
    let told = new(&workspace, &ROTATE).exits(1);
    insta::assert_snapshot!(told.stderr);
    assert_eq!(workspace.journal().len(), 2);
}

/// Puts the files of `before` back, as a kill between two journals leaves them.
fn put_back(workspace: &Workspace, before: &Workspace, files: &[&str]) {
    for file in files {
        workspace.write(file, before.bytes(file));
    }
}

#[test]
fn a_rotation_that_was_cut_off_is_finished_by_the_next_one() {
    // The order: all others first, the journal of events last. A kill keeps some of them back.
    let before = signed();
    for kept_back in [
        &["state/policy_response_journal.jsonl"][..],
        &["state/policy_response_journal.jsonl", JOURNAL],
    ] {
        let workspace = Workspace::empty();
        for (name, bytes) in before.snapshot() {
            workspace.write(name.to_str().unwrap(), bytes);
        }
        with(&workspace, &both(), &ROTATE).exits(0);
        put_back(&workspace, &before, kept_back);
        put_back(&workspace, &before, &["state/journal_heads.json"]);
        std::fs::remove_file(workspace.file("state/audit.log")).unwrap();
        std::fs::remove_file(workspace.file("state/journal_verified.json")).unwrap();
        let told = with(
            &workspace,
            &both(),
            &[
                "brake",
                "reset",
                "--reason",
                "x",
                "--at",
                "2026-01-15T13:05:00Z",
            ],
        )
        .exits(1);
        assert!(told.stderr.contains("audit rotate-key"), "{}", told.stderr);
        let told = with(&workspace, &both(), &VERIFY).exits(1);
        assert!(told.stderr.contains("KEY_NOT_ROTATED"), "{}", told.stderr);
        let rotated = with(&workspace, &both(), &ROTATE).exits(0).json();
        assert_eq!(
            rotated["handed_over"].as_array().unwrap().len(),
            kept_back.len(),
            "{rotated}"
        );
        with(&workspace, &both(), &VERIFY).exits(0);
        new(&workspace, &["run", "--at", "2026-01-15T13:06:00Z"]).exits(0);
    }
}

#[test]
fn a_journal_that_lost_its_handover_is_one_that_was_put_back() {
    let before = signed();
    let workspace = signed();
    with(&workspace, &both(), &ROTATE).exits(0);
    put_back(&workspace, &before, &[JOURNAL]);
    std::fs::remove_file(workspace.file("state/journal_verified.json")).unwrap();
    let told = with(&workspace, &both(), &VERIFY).exits(5);
    assert!(told.stderr.contains("END_CUT"), "{}", told.stderr);
}

#[test]
fn what_is_not_whole_is_not_handed_over() {
    let workspace = signed();
    let text = workspace.read("state/policy_response_journal.jsonl");
    workspace.write(
        "state/policy_response_journal.jsonl",
        text.replace("\"test\"", "\"nothing\""),
    );
    let before = workspace.snapshot();
    with(&workspace, &both(), &ROTATE).exits(5);
    let mut after = workspace.snapshot();
    after.retain(|name, _| !name.ends_with(".lock"));
    for (name, bytes) in after {
        assert_eq!(before.get(&name), Some(&bytes), "{name:?}");
    }
}

#[test]
fn the_predecessors_variable_names_the_same_secret() {
    let workspace = Workspace::healthy();
    let alias = ("SCALPEL_AUDIT_SECRET", OLD);
    with(
        &workspace,
        &[alias],
        &["run", "--at", "2026-01-15T12:00:00Z"],
    )
    .exits(0);
    assert!(workspace.journal()[0].contains(OLD_ID));
    let same = [alias, ("POLICY_AUDIT_SECRET", OLD)];
    with(&workspace, &same, &VERIFY).exits(0);
    let other = [alias, ("POLICY_AUDIT_SECRET", NEW)];
    let told = with(&workspace, &other, &["run", "--at", "2026-01-15T12:01:00Z"]).exits(1);
    assert!(
        told.stderr.contains("SCALPEL_AUDIT_SECRET") && !told.stderr.contains(NEW),
        "{}",
        told.stderr
    );
}

#[test]
fn a_rotation_signs_the_manifest_anew_and_the_old_key_is_needed_no_more() {
    const MANIFEST: &str = "policy/manifest.json";
    let workspace = signed();
    workspace.program(&["policy", "init"]).exits(0);
    old(&workspace, &["policy", "lock", "--reason", "reviewed"]).exits(0);
    let before = workspace.read(MANIFEST);
    assert!(before.contains(OLD_ID));
    let rotated = with(&workspace, &both(), &ROTATE).exits(0).json();
    let signed = workspace.read(MANIFEST);
    assert!(signed.contains(NEW_ID) && !signed.contains(OLD_ID));
    let sha256 = policy_orchestrator::ids::Digest::of(signed.as_bytes()).to_string();
    assert_eq!(rotated["manifest"], sha256);
    let last = crate::policy_lock::events(&workspace).pop().unwrap();
    assert_eq!(
        (&last["event_type"], &last["details"]["reason"]),
        (&"POLICY_LOCKED".into(), &"yearly".into())
    );
    new(&workspace, &["policy", "verify"]).exits(0);
    new(&workspace, &VERIFY).exits(0);
    new(&workspace, &["run"]).exits(0);
    // Again there is nothing to do, the manifest included.
    let again = with(&workspace, &both(), &ROTATE).exits(0).json();
    assert_eq!(again["manifest"], Value::Null);
    // Behind tampering the journals are handed over, and nothing is signed.
    let tampered = super::policy_lock::locked();
    crate::policy_lock::overwrite(&tampered, "budget.yaml", "limit: 9\n");
    let manifest = tampered.read(MANIFEST);
    old(&tampered, &["brake", "engage", "--reason", "x"]).exits(0);
    with(&tampered, &both(), &ROTATE).exits(5);
    assert_eq!(tampered.read(MANIFEST), manifest);
    new(&tampered, &VERIFY).exits(0);
    new(&tampered, &["policy", "verify"]).exits(5);
}

/// A kill between the line and the manifest leaves the one that the old key signed.
#[test]
fn a_rotation_that_was_cut_off_before_the_manifest_is_finished() {
    const MANIFEST: &str = "policy/manifest.json";
    let workspace = signed();
    workspace.program(&["policy", "init"]).exits(0);
    old(&workspace, &["policy", "lock", "--reason", "reviewed"]).exits(0);
    let before = workspace.read(MANIFEST);
    with(&workspace, &both(), &ROTATE).exits(0);
    crate::policy_lock::overwrite(&workspace, MANIFEST, before);
    let verified = new(&workspace, &["policy", "verify"]).exits(0);
    assert!(
        verified.stderr.contains("LOCK_MENDED"),
        "{}",
        verified.stderr
    );
    with(&workspace, &both(), &ROTATE).exits(0);
    assert!(workspace.read(MANIFEST).contains(NEW_ID));
}
