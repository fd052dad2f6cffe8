//! Writes that fail or are cut off: the old record or the new one, an error that names the file,
//! and nothing left over. The scripts `crash-test`, `fault-test` and `power-cut-test` go further.

use std::process::Command;

use crate::workspace::{JOURNAL, Workspace};

#[test]
fn each_file_that_can_not_be_written_is_named() {
    // A directory in a file's place stops everybody, root included.
    for (name, in_the_way) in [
        ("state/policy_state.json", "state/policy_state.json/x"),
        (JOURNAL, "state/policy_state_log.jsonl/x"),
        ("audit_summary.md", "audit_summary.md/x"),
        ("state/policies", "state/policies"),
        ("state", "state"),
    ] {
        let workspace = Workspace::healthy();
        workspace.write(in_the_way, "");
        let ran = workspace.run().exits(1);
        assert!(
            ran.stderr.contains(&format!("--> {name}")),
            "{name}: {}",
            ran.stderr
        );
        assert_eq!(
            workspace.temporary_files(),
            Vec::<std::path::PathBuf>::new(),
            "{name}"
        );
        if name.starts_with("state/policies") || name == "state/policy_state.json" {
            assert!(
                workspace
                    .file("reports/policy_orchestrator_failure.json")
                    .is_file(),
                "{name}"
            );
        }
    }
}

#[test]
fn nothing_is_written_through_links() {
    for name in ["audit_summary.md", JOURNAL, "state"] {
        let workspace = Workspace::healthy();
        let outside = tempfile::tempdir().unwrap();
        let target = outside.path().join("target");
        if name == "state" {
            std::fs::create_dir(&target).unwrap();
        } else {
            std::fs::write(&target, "kept").unwrap();
            std::fs::create_dir_all(workspace.file("state")).unwrap();
        }
        std::os::unix::fs::symlink(&target, workspace.file(name)).unwrap();
        let ran = workspace.run().exits(1);
        assert!(ran.stderr.contains("LINK_"), "{name}: {}", ran.stderr);
        if name == "state" {
            assert_eq!(std::fs::read_dir(&target).unwrap().count(), 0);
        } else {
            assert_eq!(std::fs::read_to_string(&target).unwrap(), "kept", "{name}");
        }
    }
}

#[test]
fn the_summary_keeps_its_permissions() {
    use std::os::unix::fs::PermissionsExt as _;

    let workspace = Workspace::healthy();
    workspace.write("audit_summary.md", "# Notes\n");
    std::fs::set_permissions(
        workspace.file("audit_summary.md"),
        std::fs::Permissions::from_mode(0o640),
    )
    .unwrap();
    workspace.run().exits(0);
    let mode = std::fs::metadata(workspace.file("audit_summary.md"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[test]
fn a_file_size_limit_is_an_error_and_loses_nothing() {
    let workspace = Workspace::healthy();
    workspace.run_at("2026-01-15T12:00:00Z").exits(0);
    let journal = workspace.read(JOURNAL);
    // In blocks of 512 or 1024 bytes, depending on the shell: either way the state file fits no more.
    let command = format!(
        "ulimit -f 1; exec {} run --at 2026-01-15T12:01:00Z --retry-delays 0",
        env!("CARGO_BIN_EXE_policy-orchestrator")
    );
    let output = Command::new("sh")
        .args(["-c", &command])
        .current_dir(workspace.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("WRITE_FAILED"), "{stderr}");
    assert!(workspace.read(JOURNAL).starts_with(&journal));
    workspace.run_at("2026-01-15T12:02:00Z").exits(0);
    workspace.program(&["audit", "verify"]).exits(0);
}

#[test]
fn a_closed_pipe_is_no_error() {
    let workspace = Workspace::healthy();
    let mut child = workspace
        .command(&["run"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_waiting_run_names_the_holder_and_gives_up() {
    let workspace = Workspace::healthy();
    workspace.write("state/.lock", "process 4711 (run)\n");
    let lock = std::fs::File::options()
        .write(true)
        .open(workspace.file("state/.lock"))
        .unwrap();
    lock.lock().unwrap();
    let ran = workspace
        .program(&["run", "--lock-timeout", "0.1"])
        .exits(1);
    assert!(
        ran.stderr.contains("process 4711 (run)") && ran.stderr.contains("LOCK_HELD"),
        "{}",
        ran.stderr
    );
    assert!(!workspace.file(JOURNAL).exists());
}

#[test]
fn eight_runs_at_once_record_eight_decisions_in_order() {
    let workspace = Workspace::healthy();
    let children: Vec<_> = (0..8)
        .map(|_| {
            workspace
                .command(&["run"])
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    let times: Vec<String> = workspace
        .journal()
        .iter()
        .map(|line| line[14..46].to_owned())
        .collect();
    assert_eq!(times.len(), 8);
    assert!(times.is_sorted(), "{times:?}");
    workspace.program(&["audit", "verify"]).exits(0);
    assert_eq!(
        workspace.temporary_files(),
        Vec::<std::path::PathBuf>::new()
    );
}

#[test]
fn the_short_crash_test_passes() {
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/crash-test");
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("skipped: python3 is not there");
        return;
    }
    let output = Command::new(script)
        .args([
            "--short",
            "--binary",
            env!("CARGO_BIN_EXE_policy-orchestrator"),
        ])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
