//! The trust guard where something is wrong: state files that can't be read, a kill at any moment, a
//! switch that is on, a journal without its key.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::trust::{
    LOG, POLICY, ROOT, STATE, at, check, enforce, events, file, force_unlock, locked, log, marker,
    verify,
};
use crate::workspace::{AT, Ran, Workspace};

const SECRET: &str = "a secret of at least thirty-two bytes";

/// Makes something odd under a name.
fn make_odd(workspace: &Workspace, name: &str, odd: &str) {
    let _ = std::fs::remove_file(workspace.file(name));
    match odd {
        "directory" => std::fs::create_dir_all(workspace.file(name)).unwrap(),
        "link" => std::os::unix::fs::symlink("nowhere", workspace.file(name)).unwrap(),
        "missing" => {}
        content => workspace.write(name, content),
    }
}

#[test]
fn a_state_file_that_cannot_be_read_is_locked_and_is_replaced_by_a_locked_one() {
    let odd = [
        "",
        "{}",
        "null",
        "[]",
        "{\"locked\": NaN}",
        "{\"locked\": \"false\"}",
        "{\"locked\": true, \"locked\": false}",
        "{\"locked\": fal",
    ];
    for content in odd {
        for name in [ROOT, STATE] {
            let workspace = Workspace::healthy();
            make_odd(&workspace, name, content);
            assert_eq!(
                check(&workspace).exits(1).json()["locked"],
                true,
                "{content}"
            );
            force_unlock(&workspace).exits(1);
            at(&workspace, AT, &["reset-counter", "--reason", "x"]).exits(1);
            assert!(log(&workspace).is_empty());
            let ran = enforce(&workspace).exits(0);
            assert!(ran.stderr.contains("UNREADABLE_MOVED"), "{}", ran.stderr);
            let state = file(&workspace, name);
            assert_eq!(
                (&state["locked"], &state["reason"]),
                (&json!(true), &json!("state_unreadable"))
            );
            assert_eq!(workspace.read(&format!("{name}.unreadable")), content);
            assert_eq!(file(&workspace, ROOT)["locked"], true);
            force_unlock(&workspace).exits(0);
        }
    }
    for odd in ["directory", "link"] {
        let workspace = Workspace::healthy();
        make_odd(&workspace, ROOT, odd);
        assert_eq!(check(&workspace).exits(1).json()["locked"], true);
        let ran = enforce(&workspace).exits(1);
        let code = ["FILE_NOT_REGULAR", "LINK_REFUSED"];
        assert!(
            code.iter().any(|code| ran.stderr.contains(code)),
            "{}",
            ran.stderr
        );
        force_unlock(&workspace).exits(1);
        assert_eq!(check(&workspace).exits(1).json()["locked"], true);
    }
    // Nothing at all: a closed gate, and the guard makes the file.
    let workspace = Workspace::healthy();
    make_odd(&workspace, ROOT, "missing");
    assert_eq!(check(&workspace).exits(1).json()["locked"], Value::Null);
    workspace.program(&["trust", "status", "--at", AT]).exits(1);
    assert_eq!(enforce(&workspace).exits(0).json()["event"], "unlocked");
    check(&workspace).exits(0);
}

#[test]
fn a_locked_file_that_was_removed_is_made_anew_locked() {
    let workspace = locked();
    workspace.integrity("97");
    for name in [ROOT, "state/.lock"] {
        std::fs::remove_file(workspace.file(name)).unwrap();
    }
    let ran = check(&workspace).exits(1);
    assert!(ran.stderr.contains("LOCK_FILE_GONE"), "{}", ran.stderr);
    enforce(&workspace).exits(0);
    let state = file(&workspace, ROOT);
    assert_eq!(
        (&state["locked"], &state["reason"]),
        (&json!(true), &json!("state_missing"))
    );
}

#[test]
fn a_lost_or_edited_state_file_gives_no_unlocks_back_and_a_reset_does() {
    let workspace = locked();
    for _ in 0..3 {
        force_unlock(&workspace).exits(0);
    }
    workspace.write(ROOT, "{\"locked\": true, \"manual_unlocks_today\": 0}");
    force_unlock(&workspace).exits(3);
    std::fs::remove_file(workspace.file(ROOT)).unwrap();
    force_unlock(&workspace).exits(3);
    let reset = ["reset-counter", "--reason", "the drill is over"];
    let ran = at(&workspace, AT, &reset).exits(0).json();
    assert_eq!(
        (&ran["event"], &ran["manual_unlocks_today"]),
        (&json!("counter_reset"), &json!(0))
    );
    assert!(marker(&workspace).starts_with("COUNTER_RESET 2026-01-15T12:00:00+00:00 by "));
    force_unlock(&workspace).exits(0);
    at(&workspace, AT, &reset).exits(0);
    let state = file(&workspace, ROOT);
    assert_eq!(
        (&state["manual_unlocks_today"], &state["locked"]),
        (&json!(0), &json!(false))
    );
    // A counter that nobody can read is no free counter, and a reset mends it.
    workspace.write(ROOT, "{\"locked\": true, \"manual_unlocks_today\": -1}");
    force_unlock(&workspace).exits(1);
    at(&workspace, AT, &reset).exits(0);
    force_unlock(&workspace).exits(0);
    verify(&workspace);
}

#[test]
fn while_the_kill_switch_is_on_the_guard_locks_and_does_not_unlock() {
    let workspace = locked();
    workspace.write("state/kill_switch.json", "{\"on\": true}");
    let before = workspace.read(ROOT);
    for arguments in [
        &["force-unlock", "--reason", "x"][..],
        &["reset-counter", "--reason", "x"],
    ] {
        let ran = at(&workspace, AT, arguments).exits(3);
        assert!(ran.stderr.contains("KILL_SWITCH_ON"), "{}", ran.stderr);
    }
    workspace.integrity("97");
    at(&workspace, "2026-02-01T00:00:00Z", &["enforce"]).exits(3);
    assert_eq!(workspace.read(ROOT), before);
    assert_eq!(events(&workspace), ["locked"]);

    let workspace = Workspace::healthy();
    workspace.integrity("80");
    workspace.write("state/kill_switch.json", "");
    enforce(&workspace).exits(0);
    assert_eq!(file(&workspace, ROOT)["locked"], true);

    let workspace = Workspace::healthy();
    std::fs::remove_file(workspace.file(ROOT)).unwrap();
    workspace.write("state/kill_switch.json", "{\"on\": true}");
    enforce(&workspace).exits(3);
    assert!(!workspace.file(ROOT).exists());
}

#[test]
fn without_the_key_of_a_signed_journal_the_guard_locks_and_does_not_unlock() {
    let signed = |workspace: &Workspace, secret: &str| -> Ran {
        let mut command = workspace.command(&["trust", "enforce", "--at", AT]);
        command.env("POLICY_AUDIT_SECRET", secret);
        command.output().unwrap().into()
    };
    let workspace = Workspace::healthy();
    signed(&workspace, SECRET).exits(0);
    workspace.integrity("80");
    let ran = enforce(&workspace).exits(1);
    assert!(ran.stderr.contains("SECRET_MISSING"), "{}", ran.stderr);
    assert_eq!(ran.json()["recorded"], Value::Null);
    assert_eq!(file(&workspace, ROOT)["locked"], true);
    let before = workspace.read(ROOT);
    let ran = force_unlock(&workspace).exits(1);
    assert!(ran.stderr.contains("SECRET_MISSING"), "{}", ran.stderr);
    assert_eq!(workspace.read(ROOT), before);
    assert_eq!(log(&workspace).len(), 1);
    // A secret that is none stops the record, and not the lock.
    let workspace = Workspace::healthy();
    workspace.integrity("80");
    let ran = signed(&workspace, "short").exits(1);
    assert!(ran.stderr.contains("SECRET_UNUSABLE"), "{}", ran.stderr);
    assert_eq!(file(&workspace, ROOT)["locked"], true);
}

#[test]
fn with_a_changed_journal_the_guard_locks_and_does_not_unlock() {
    let workspace = locked();
    force_unlock(&workspace).exits(0);
    let changed = workspace.read(LOG).replace("drill", "drone");
    workspace.write(LOG, &changed);
    enforce(&workspace).exits(5);
    assert_eq!(file(&workspace, ROOT)["locked"], true);
    force_unlock(&workspace).exits(5);
    at(&workspace, AT, &["reset-counter", "--reason", "x"]).exits(5);
    assert_eq!(file(&workspace, ROOT)["locked"], true);
    assert_eq!(workspace.read(LOG), changed);
    workspace.program(&["audit", "verify"]).exits(5);
}

#[test]
fn a_marker_that_cannot_be_set_is_a_warning() {
    let workspace = Workspace::healthy();
    workspace.integrity("80");
    std::fs::create_dir(workspace.file("audit_summary.md")).unwrap();
    let ran = enforce(&workspace).exits(0);
    assert!(
        ran.stderr.contains("warning[MARKER_FAILED]"),
        "{}",
        ran.stderr
    );
    assert_eq!(file(&workspace, ROOT)["locked"], true);
}

#[test]
fn of_two_unlocks_at_once_the_second_sees_the_first() {
    let workspace = locked();
    workspace.write(POLICY, "{\"max_manual_unlocks_per_day\": 1}");
    let arguments = ["trust", "force-unlock", "--reason", "x", "--at", AT];
    let mut both: Vec<_> = (0..2)
        .map(|_| {
            let mut command = workspace.command(&arguments);
            let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
            quiet.spawn().unwrap()
        })
        .collect();
    let mut codes: Vec<_> = both
        .iter_mut()
        .map(|child| child.wait().unwrap().code().unwrap())
        .collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 3]);
    assert_eq!(
        events(&workspace),
        ["locked", "manual_unlock", "unlock_limit_exceeded"]
    );
    verify(&workspace);
}

/// Kills a command after a while; true where it was still running.
fn killed(workspace: &Workspace, arguments: &[&str], after: Duration) -> bool {
    let mut command = workspace.command(arguments);
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = quiet.spawn().unwrap();
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap().code().is_none()
}

/// The system calls that change something.
const CALLS: [&str; 10] = [
    "write",
    "rename",
    "renameat",
    "renameat2",
    "fsync",
    "fdatasync",
    "unlink",
    "unlinkat",
    "link",
    "linkat",
];

/// Kills a command when it enters such a call for the `number`th time; true where it came so far.
fn killed_at_call(workspace: &Workspace, arguments: &[&str], call: &str, number: usize) -> bool {
    let inject = format!("inject={call}:signal=KILL:when={number}");
    let program = workspace.command(arguments);
    let mut strace = Command::new("strace");
    strace
        .args([
            "-o",
            "/dev/null",
            "-e",
            &format!("trace={call}"),
            "-e",
            &inject,
        ])
        .arg(program.get_program())
        .args(program.get_args())
        .current_dir(workspace.path());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    strace.output().unwrap().status.code().is_none()
}

/// The three changes of the lock, each with the integrity that it needs.
const CHANGES: [(&str, &[&str]); 3] = [
    (
        "97",
        &["trust", "force-unlock", "--reason", "x", "--at", AT],
    ),
    ("80", &["trust", "enforce", "--at", AT]),
    ("97", &["trust", "enforce", "--at", "2026-03-01T00:00:00Z"]),
];

/// Makes a change that `kill` ends, and holds what it left against the journal. True where it was
/// ended.
fn ended_change(
    workspace: &Workspace,
    change: (&str, &[&str]),
    kill: impl FnOnce(&[&str]) -> bool,
) -> bool {
    let (integrity, arguments) = change;
    workspace.integrity(integrity);
    let is_locked = || file(workspace, ROOT)["locked"] == true;
    let was_locked = is_locked();
    let was_killed = kill(arguments);
    let lines = log(workspace);
    let mut said = lines.iter().rev();
    let last = said.find_map(|line| line["locked_after"].as_bool());
    assert!(
        is_locked() || last == Some(false),
        "an unlock without its line"
    );
    assert!(was_locked || !is_locked() || integrity == "80");
    verify(workspace);
    was_killed
}

fn goes_on(workspace: &Workspace) {
    workspace.integrity("80");
    enforce(workspace).exits(0);
    force_unlock(workspace).exits(0);
    assert_eq!(file(workspace, ROOT)["locked"], false);
    workspace.run().exits(0);
    assert!(workspace.temporary_files().is_empty());
    verify(workspace);
}

#[test]
fn a_kill_at_any_moment_loses_no_lock_and_leaves_no_unlock_unrecorded() {
    let workspace = locked();
    workspace.write(POLICY, "{\"max_manual_unlocks_per_day\": 1000}");
    let begun = Instant::now();
    check(&workspace);
    let typical = begun.elapsed().max(Duration::from_millis(4)) * 2;
    let mut ended = 0;
    for round in 0..30 {
        for change in CHANGES {
            ended += u32::from(ended_change(&workspace, change, |arguments| {
                killed(&workspace, arguments, typical * round / 30)
            }));
        }
    }
    assert!(ended >= 5, "only {ended} of 90 were killed while they ran");
    goes_on(&workspace);
}

#[test]
fn a_kill_at_each_call_that_changes_something_leaves_no_unlock_unrecorded() {
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("skipped: no strace");
        return;
    }
    for change in CHANGES {
        let workspace = locked();
        workspace.write(POLICY, "{\"max_manual_unlocks_per_day\": 1000}");
        let mut kills = 0;
        for call in CALLS {
            for number in 1.. {
                // From a lock that is set, or open, as the change needs it.
                let event = if change.0 == "97" {
                    workspace.integrity("80");
                    enforce(&workspace).exits(0);
                    "unlock"
                } else {
                    force_unlock(&workspace).exits(0);
                    "locked"
                };
                let kill = |arguments: &[&str]| killed_at_call(&workspace, arguments, call, number);
                if !ended_change(&workspace, change, kill) {
                    assert!(events(&workspace).last().unwrap().contains(event));
                    break;
                }
                kills += 1;
            }
        }
        assert!(kills > 12, "only {kills} calls changed something");
        goes_on(&workspace);
    }
}
