//! What becomes of an action when this program is killed. For that, [`host`] is a process of this
//! test binary.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::MutexGuard;

use policy_orchestrator::privacy::Secrets;
use policy_orchestrator::response::process::{self, Job};
use rustix::process::Signal;

use super::{
    A_SECOND, Action, LEAVE_CGROUP, LONG, MARK, STUBBORN, SUPERVISOR, alone, kill, session_of,
    wait_until,
};

/// A process that runs an action and may be killed.
struct Host {
    child: Child,
    directory: PathBuf,
    _alone: MutexGuard<'static, ()>,
}

/// The variable that makes a host of the test below: the directory of the action.
const HOST: &str = "POLICY_TEST_HOST";

/// And the mark of the action.
const HOST_MARK: &str = "POLICY_TEST_HOST_MARK";

impl Host {
    fn start(action: &Action, ignoring_signals: bool) -> Self {
        let alone = alone();
        let directory = action.directory.path().to_owned();
        let argv: Vec<&str> = action
            .argv
            .iter()
            .map(|word| word.to_str().unwrap())
            .collect();
        std::fs::write(directory.join("argv"), argv.join("\0")).unwrap();
        let trap = if ignoring_signals {
            "trap '' HUP INT QUIT TERM USR1 USR2 ALRM TSTP TTIN TTOU CHLD PIPE XCPU XFSZ;"
        } else {
            ""
        };
        let child = Command::new("sh")
            .arg("-c")
            .arg(format!(r#"{trap} exec "$0" "$@""#))
            .arg(std::env::current_exe().unwrap())
            .args([
                "processes::killed::host",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env(HOST, &directory)
            .env(HOST_MARK, &action.mark)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            child,
            directory,
            _alone: alone,
        }
    }

    fn outcome(mut self) -> String {
        self.child.wait().unwrap();
        std::fs::read_to_string(self.directory.join("outcome")).unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill(self.child.id().cast_signed(), signal);
    }

    fn lock_is_free(&self) -> bool {
        let file = File::open(self.directory.join("lock")).unwrap();
        file.try_lock().is_ok()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Not a test: the process that others kill. It holds a lock, and runs the action that it is told.
#[test]
#[ignore = "a part of other tests, which start it themselves"]
fn host() {
    let Some(directory) = std::env::var_os(HOST).map(PathBuf::from) else {
        return;
    };
    let argv = std::fs::read_to_string(directory.join("argv")).unwrap();
    let argv: Vec<OsString> = argv.split('\0').map(OsString::from).collect();
    let variable = |from, to: &str| (to.into(), std::env::var_os(from).unwrap());
    let lock = File::create(directory.join("lock")).unwrap();
    lock.lock().unwrap();
    let job = Job {
        supervisor: Path::new(SUPERVISOR),
        argv: &argv,
        directory: &directory,
        environment: &[variable("PATH", "PATH"), variable(HOST_MARK, MARK)],
        timeout: LONG,
        secrets: &Secrets::default(),
        held: Some(lock.as_fd()),
    };
    let finished = process::run(&job, &|| false);
    let outcome = format!("{:?} {}", finished.ended, finished.stdout.trim());
    std::fs::write(directory.join("outcome"), outcome).unwrap();
}

#[test]
fn an_action_ends_when_this_program_is_killed_and_holds_the_lock_until_then() {
    for before in ["", LEAVE_CGROUP] {
        let action = Action::sh(&format!("{before}{STUBBORN} sleep 1000"));
        let host = Host::start(&action, false);
        wait_until("the action runs", || action.has("ready"));
        assert!(!host.lock_is_free());
        assert!(!action.alive().is_empty());
        host.signal(Signal::KILL);
        let took = wait_until("the lock is free", || {
            let free = host.lock_is_free();
            // Seen after the lock, so a free one means that there is nobody.
            assert!(!free || action.alive().is_empty());
            free
        });
        assert!(took < A_SECOND, "{took:?}");
    }
}

#[test]
fn where_the_supervisor_is_killed_too_the_last_process_holds_the_lock() {
    let action = Action::sh(&format!("{STUBBORN} sleep 1000"));
    let host = Host::start(&action, false);
    wait_until("the action runs", || action.has("ready"));
    let supervisor = supervisor_of(&action);
    // The supervisor may notice the first one, but it gives the action some time.
    host.signal(Signal::KILL);
    kill(supervisor, Signal::KILL);
    assert!(!action.alive().is_empty());
    assert!(!host.lock_is_free());
    while !host.lock_is_free() {
        // One after the other, so that there is a last one.
        if let Some(number) = action.alive().first() {
            kill(*number, Signal::KILL);
        }
    }
    assert_eq!(action.alive(), Vec::<i32>::new());
}

/// The parent of the action, which leads a session that the action is in.
fn supervisor_of(action: &Action) -> i32 {
    let mut sessions = action.alive().into_iter().filter_map(session_of);
    let name = |number: &i32| {
        let command = std::fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).contains("supervise")
    };
    sessions.find(name).unwrap()
}

#[test]
fn signals_that_were_ignored_are_not_for_an_action() {
    let action = Action::new(&["grep", "-E", "SigIgn|SigBlk", "/proc/self/status"]);
    let outcome = Host::start(&action, true).outcome();
    let masks: Vec<u64> = outcome
        .lines()
        .filter_map(|line| u64::from_str_radix(line.split('\t').nth(1)?, 16).ok())
        .collect();
    assert_eq!(masks.len(), 2, "{outcome}");
    // Signals 32 and up are of the C library.
    assert!(
        masks.iter().all(|mask| mask.trailing_zeros() >= 31),
        "{outcome}"
    );
}
