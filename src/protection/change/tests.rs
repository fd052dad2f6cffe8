//! Own changes and accepts that are cut off, step by step.
#![expect(clippy::disallowed_methods, reason = "tests change files as others do")]

use std::time::Duration;

use super::*;
use crate::fs::{LockTimeout, RetryDelays, WorkspaceLock};

fn on_ground(then: impl FnOnce(Ground<'_>)) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("policy")).unwrap();
    std::fs::write(directory.path().join("policy/a"), "old").unwrap();
    let workspace = Workspace::open(directory.path()).unwrap();
    let retry = RetryDelays::none();
    let timeout = LockTimeout::silent(Duration::ZERO);
    let held = WorkspaceLock::acquire(&workspace, "test", timeout, &retry).unwrap();
    let ground = Ground {
        records: Records {
            workspace: &workspace,
            lock: &held,
            key: None,
            retry: &retry,
        },
        at: Timestamp::read("2026-01-15T12:00:00Z").unwrap().time,
        given_clock: false,
        user: "ada",
    };
    lock(ground, None, (&[], &[]), false).unwrap();
    then(ground);
}

fn put_file(ground: Ground<'_>, name: &str, text: &str) {
    let path = ground.records.workspace.path(name);
    let _ = std::fs::remove_file(&path);
    std::fs::write(path, text).unwrap();
}

fn is_tampered(ground: Ground<'_>) -> bool {
    let workspace = ground.records.workspace;
    let decided = Decided::load(workspace).unwrap();
    look::look(workspace, None, decided).unwrap().is_tampered()
}

fn new_steps() -> Vec<(String, Option<Digest>)> {
    vec![
        ("policy/a".to_owned(), Some(Digest::of(b"new"))),
        ("policy/b".to_owned(), Some(Digest::of(b"more"))),
        ("notes".to_owned(), Some(Digest::of(b"notes"))),
    ]
}

/// Either state verifies while a change is under way, a third one never, and only the new one
/// behind it.
#[test]
fn an_own_change_may_be_cut_off_anywhere() {
    on_ground(|ground| {
        let begun = begin(ground, "promote", &new_steps()).unwrap().unwrap();
        assert!(!is_tampered(ground));
        put_file(ground, "policy/a", "new");
        assert!(!is_tampered(ground));
        put_file(ground, "policy/b", "other");
        assert!(is_tampered(ground));
        put_file(ground, "policy/b", "more");
        assert!(!is_tampered(ground));
        end(ground, &begun).unwrap();
        assert!(!is_tampered(ground));
        put_file(ground, "policy/a", "old");
        assert!(is_tampered(ground));
    });
}

#[test]
fn a_change_that_was_cut_off_is_settled_by_the_next_lock() {
    on_ground(|ground| {
        drop(begin(ground, "promote", &new_steps()).unwrap());
        put_file(ground, "policy/a", "new");
        lock(ground, None, (&[], &[]), false).unwrap();
        assert!(!is_tampered(ground));
        put_file(ground, "policy/a", "old");
        assert!(is_tampered(ground));
    });
}

#[test]
fn what_came_otherwise_than_was_said_is_not_accepted() {
    on_ground(|ground| {
        let begun = begin(ground, "promote", &new_steps()).unwrap().unwrap();
        put_file(ground, "policy/a", "something else");
        end(ground, &begun).unwrap_err();
        assert!(is_tampered(ground));
        begin(ground, "promote", &new_steps()).unwrap_err();
    });
    on_ground(|ground| {
        let elsewhere = [("notes".to_owned(), None)];
        assert!(begin(ground, "x", &elsewhere).unwrap().is_none());
    });
}

/// Behind each step of an accept: what the next look makes of it.
#[test]
fn a_kill_between_record_and_manifest_is_mended() {
    on_ground(|ground| {
        let workspace = ground.records.workspace;
        let before = std::fs::read(workspace.path(MANIFEST)).unwrap();
        put_file(ground, "policy/a", "new");
        let accepted = accept(ground, "meant", &[], |_| Ok(None)).unwrap();
        put_file(ground, MANIFEST, std::str::from_utf8(&before).unwrap());
        let looked = look::look(workspace, None, Decided(None)).unwrap();
        assert!(!looked.is_tampered());
        mend(ground.records, &looked);
        let after = std::fs::read(workspace.path(MANIFEST)).unwrap();
        assert_eq!(Digest::of(&after), accepted.manifest);
        // Once a decision rested on it, putting the old one back is tampering.
        put_file(ground, MANIFEST, std::str::from_utf8(&before).unwrap());
        let decided = Decided(Some(accepted.manifest));
        assert!(look::look(workspace, None, decided).unwrap().is_tampered());
    });
}
