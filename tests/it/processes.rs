//! The process of an action: how it is started, how it ends, and that nothing of it is left.
//!
//! Until a command starts actions, this goes to the library; the supervisor is the real binary.
//! What has to be killed itself is [`host`], a process of this test binary. Processes of an action
//! are found by a mark in their environment, so nothing here needs their numbers.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use policy_orchestrator::response::process::{self, Ended, Finished, Job, Secrets};
use rustix::process::{Pid, Signal, kill_process};

use crate::workspace::Workspace;

/// What "within a second" may come to on a machine that is busy with other tests.
const A_SECOND: Duration = Duration::from_millis(1500);

const SUPERVISOR: &str = env!("CARGO_BIN_EXE_policy-orchestrator");

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// The name of the variable that marks the processes of an action.
const MARK: &str = "POLICY_TEST_MARK";

/// Ignores SIGTERM, and so do a child, one in a session of its own, and a daemon, forked twice,
/// that keeps standard output open. `ready` is there when all of them are.
const STUBBORN: &str = r#"
    trap "" TERM
    sh -c 'sleep 1000' &
    setsid sh -c 'sleep 1000' &
    setsid sh -c 'setsid sh -c ": >ready; sleep 1000" & exit 0'
    until test -e ready; do sleep 0.01; done
"#;

/// Leaves the control group, where it may (as root). What comes after it, the supervisor has to
/// find alone.
const LEAVE_CGROUP: &str = r"
    for file in /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/unified/cgroup.procs; do
        if test -w $file; then echo $$ >$file; fi
    done
";

/// Held while an action runs: the library adopts what a killed supervisor leaves, so the actions of
/// two tests in one process would get into each other's way.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An action in a directory of its own.
struct Action {
    directory: tempfile::TempDir,
    argv: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    timeout: Duration,
    secrets: Secrets,
    mark: String,
}

impl Action {
    fn new(argv: &[&str]) -> Self {
        let mark = uuid::Uuid::new_v4().to_string();
        Self {
            directory: tempfile::tempdir().unwrap(),
            argv: argv.iter().map(OsString::from).collect(),
            environment: vec![
                ("PATH".into(), std::env::var_os("PATH").unwrap()),
                (MARK.into(), mark.clone().into()),
            ],
            timeout: LONG,
            secrets: Secrets::default(),
            mark,
        }
    }

    fn sh(script: &str) -> Self {
        Self::new(&["sh", "-c", script])
    }

    fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    fn job(&self) -> Job<'_> {
        Job {
            supervisor: Path::new(SUPERVISOR),
            argv: &self.argv,
            directory: self.directory.path(),
            environment: &self.environment,
            timeout: self.timeout,
            secrets: &self.secrets,
            held: None,
        }
    }

    fn run(&self) -> Finished {
        self.run_until(&|| false)
    }

    /// Runs it; afterwards nothing of it may be left.
    fn run_until(&self, stop: &dyn Fn() -> bool) -> Finished {
        let _alone = alone();
        let finished = process::run(&self.job(), stop);
        assert_eq!(self.alive(), Vec::<i32>::new(), "{finished:?}");
        assert!(!finished.survivors);
        finished
    }

    fn has(&self, file: &str) -> bool {
        self.directory.path().join(file).exists()
    }

    /// The processes of this action that live, zombies not counted.
    fn alive(&self) -> Vec<i32> {
        marked(&self.mark)
    }
}

fn marked(mark: &str) -> Vec<i32> {
    let variable = format!("{MARK}={mark}");
    let numbers = std::fs::read_dir("/proc").unwrap().map(Result::unwrap);
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_marked = |number: &i32| {
        let environment = std::fs::read(format!("/proc/{number}/environ")).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        variables.any(|found| found == variable.as_bytes())
    };
    numbers.filter(is_marked).collect()
}

#[track_caller]
fn wait_until(what: &str, holds: impl Fn() -> bool) -> Duration {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < LONG, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
    begin.elapsed()
}

fn kill(number: i32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(number).unwrap(), signal);
}

// --- how it is started -------------------------------------------------------------------------

#[test]
fn an_action_gets_its_arguments_its_environment_and_nothing_else() {
    let mut action = Action::new(&[
        "sh",
        "-c",
        r#"echo "$0|$1"; pwd; env | sort | cut -d= -f1; readlink /proc/self/fd/0; echo oops >&2; exit 7"#,
        "a b; $HOME",
        "*",
    ]);
    action.environment.push(("LAST".into(), "first".into()));
    action.environment.push(("LAST".into(), "second".into()));
    let finished = action.run();
    assert_eq!(finished.ended, Ended::Exited(7));
    let directory = action.directory.path().canonicalize().unwrap();
    // dash sets PWD and shells alike; the rest is what was given.
    let lines: Vec<&str> = finished.stdout.lines().collect();
    assert_eq!(lines[..2], ["a b; $HOME|*", directory.to_str().unwrap()]);
    let names: Vec<&str> = lines[2..lines.len() - 1]
        .iter()
        .copied()
        .filter(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name))
        .collect();
    assert_eq!(names, ["LAST", "PATH", MARK]);
    assert_eq!(*lines.last().unwrap(), "/dev/null");
    assert_eq!(finished.stderr, "oops\n");
    assert!(!finished.stdout_cut && !finished.stderr_cut);
    assert!(finished.duration < LONG);
}

#[test]
fn an_action_leads_a_process_group_outside_our_session() {
    // number (name) state parent group session
    let finished = Action::sh("cat /proc/$$/stat").run();
    let fields: Vec<&str> = finished.stdout.split(' ').collect();
    assert_eq!(fields[0], fields[4]);
    let own = rustix::process::getsid(None).unwrap();
    assert_ne!(fields[5], own.as_raw_nonzero().to_string());
}

#[test]
fn what_kills_an_action_is_told() {
    let finished = Action::sh("kill -SEGV $$").run();
    assert_eq!(finished.ended, Ended::Signalled(11));
}

#[test]
fn what_can_not_be_started_is_told_in_words() {
    let why = |action: &Action| match action.run().ended {
        Ended::NotStarted(why) => why,
        other => panic!("{other:?}"),
    };
    let gone = Action::new(&["no-such-program-here"]);
    assert_eq!(
        why(&gone),
        "the program `no-such-program-here` was not found in the directories of PATH; expected an executable file"
    );
    assert!(why(&Action::new(&["/etc"])).contains("found a directory"));
    assert_eq!(why(&Action::new(&[])), "no program is named");
    assert!(why(&Action::new(&["sh", "a\0b"])).contains("a zero byte"));
    let long = "x".repeat(3_000_000);
    assert!(why(&Action::new(&["echo", &long])).contains("too long"));

    let write = |content: &str| {
        let action = Action::new(&["./it"]);
        let file = action.directory.path().join("it");
        std::fs::write(&file, content).unwrap();
        (action, file)
    };
    let executable = |file: &Path| {
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    let (action, file) = write("#!/no/interpreter\n");
    assert!(why(&action).contains("may not be executed"));
    executable(&file);
    assert!(why(&action).contains("interpreter"), "{}", why(&action));
    let (action, file) = write("\u{1}\u{2}");
    executable(&file);
    assert!(
        why(&action).contains("no program for this machine"),
        "{}",
        why(&action)
    );
}

#[test]
fn a_supervisor_that_is_none_starts_nothing() {
    let _alone = alone();
    let action = Action::sh(": >ran");
    let job = Job {
        supervisor: Path::new("/bin/true"),
        ..action.job()
    };
    let finished = process::run(&job, &|| false);
    assert!(
        matches!(finished.ended, Ended::NotStarted(_)),
        "{finished:?}"
    );
    let job = Job {
        supervisor: Path::new("/no/such/program"),
        ..action.job()
    };
    let finished = process::run(&job, &|| false);
    assert!(
        matches!(finished.ended, Ended::NotStarted(_)),
        "{finished:?}"
    );
    assert!(!action.has("ran"));
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

#[test]
fn nobody_supervises_by_hand() {
    let workspace = Workspace::empty();
    let ran = workspace.program(&["supervise"]).exits(2);
    assert!(
        ran.stderr.contains("not for the command line"),
        "{}",
        ran.stderr
    );
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    drop(ours);
    let mut command = workspace.command(&["supervise"]);
    let output = command.stdin(OwnedFd::from(theirs)).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let help = workspace.program(&["--help"]).exits(0).stdout;
    assert!(!help.contains("supervise"));
}

// --- how it ends -------------------------------------------------------------------------------

#[test]
fn nothing_of_a_stubborn_action_survives_its_timeout() {
    for before in ["", LEAVE_CGROUP] {
        let timeout = Duration::from_millis(700);
        let script = format!("{before}{STUBBORN} sleep 1000");
        let action = Action::sh(&script).timeout(timeout);
        let finished = action.run();
        assert_eq!(finished.ended, Ended::TimedOut);
        assert!(action.has("ready"), "the machine is too slow for this test");
        assert!(finished.duration >= timeout);
        assert!(finished.duration < timeout + A_SECOND, "{finished:?}");
    }
}

#[test]
fn an_action_is_asked_to_end_before_it_is_made_to() {
    let script = "trap 'echo bye; exit 3' TERM; : >ready; while :; do sleep 0.01; done";
    let action = Action::sh(script);
    let told = std::cell::Cell::new(None);
    let finished = action.run_until(&|| {
        let stop = action.has("ready");
        if stop && told.get().is_none() {
            told.set(Some(Instant::now()));
        }
        stop
    });
    // Ended by us, so what it made of that does not count as its result.
    assert_eq!(finished.ended, Ended::Stopped);
    assert_eq!(finished.stdout, "bye\n");
    let took = told.get().unwrap().elapsed();
    assert!(took < Duration::from_millis(700), "{took:?}");
}

#[test]
fn a_stubborn_action_is_stopped_too() {
    let action = Action::sh(&format!("{STUBBORN} sleep 1000"));
    let finished = action.run_until(&|| action.has("ready"));
    assert_eq!(finished.ended, Ended::Stopped);
    // To start it takes its time as well.
    assert!(finished.duration < Duration::from_secs(5), "{finished:?}");
}

#[test]
fn who_is_to_stop_does_not_begin() {
    let action = Action::sh(": >ran");
    let finished = action.run_until(&|| true);
    assert_eq!(finished.ended, Ended::Stopped);
    assert!(!action.has("ran"));
}

#[test]
fn a_daemon_does_not_survive_the_action_that_started_it() {
    for before in ["", LEAVE_CGROUP] {
        let action = Action::sh(&format!("{before}{STUBBORN} echo done; exit 4"));
        let finished = action.run();
        assert!(action.has("ready"));
        assert_eq!(finished.ended, Ended::Exited(4));
        assert_eq!(finished.stdout, "done\n");
    }
}

#[test]
fn what_is_stopped_ends_too() {
    let script = "sleep 1000 & kill -STOP $!; : >ready; kill -STOP $$";
    let action = Action::sh(script);
    let finished = action.run_until(&|| action.has("ready"));
    assert_eq!(finished.ended, Ended::Stopped);
}

#[test]
fn an_action_that_kills_its_supervisor_ends_with_it() {
    for before in ["", LEAVE_CGROUP] {
        let action = Action::sh(&format!("{before}{STUBBORN} kill -KILL $PPID; sleep 1000"));
        let finished = action.run();
        assert!(action.has("ready"));
        assert_eq!(finished.ended, Ended::Lost);
    }
}

/// A process that has nothing to do with actions.
struct Neighbour(Child);

impl Neighbour {
    fn start(script: &str) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).stdin(Stdio::null());
        Self(shell.spawn().unwrap())
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn what_is_not_of_the_action_is_left_alone() {
    // One of ours, and one that looks like a daemon of the action, but was there before.
    let mut neighbours = ["exec sleep 1000", "exec setsid sleep 1000"].map(Neighbour::start);
    let leads_session = |number: u32| {
        let pid = Pid::from_raw(number.cast_signed());
        rustix::process::getsid(pid).ok() == pid
    };
    wait_until("the second leads a session", || {
        leads_session(neighbours[1].0.id())
    });
    let finished = Action::sh("kill -KILL $PPID; sleep 1000").run();
    assert_eq!(finished.ended, Ended::Lost);
    for neighbour in &mut neighbours {
        assert_eq!(neighbour.0.try_wait().unwrap(), None);
    }
}

#[test]
fn an_action_that_stops_its_supervisor_ends_in_time() {
    for before in ["", LEAVE_CGROUP] {
        let timeout = Duration::from_millis(700);
        let script = format!("{before}{STUBBORN} kill -STOP $PPID; sleep 1000");
        let finished = Action::sh(&script).timeout(timeout).run();
        assert_eq!(finished.ended, Ended::TimedOut);
        assert!(finished.duration < timeout + A_SECOND, "{finished:?}");
    }
}

#[test]
fn an_action_that_tells_its_supervisor_to_end_is_ended() {
    let finished = Action::sh("kill -TERM $PPID; sleep 1000").run();
    assert_eq!(finished.ended, Ended::Stopped);
}

/// Each process starts the next one, in a session of its own, and is gone: whoever looks is late.
const HYDRA: &str = "
import os, time
end = time.monotonic() + 20
open('ready', 'w').close()
while time.monotonic() < end:
    if os.fork():
        os._exit(0)
    os.setsid()
";

/// Four that ignore SIGTERM and start one process after the other, each in a session of its own.
const SWARM: &str = "
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
end = time.monotonic() + 20
os.fork()
os.fork()
open('ready', 'w').close()
while time.monotonic() < end:
    if os.fork() == 0:
        os.setsid()
        time.sleep(3)
        os._exit(0)
    time.sleep(0.002)
";

#[test]
fn what_forks_while_it_is_killed_ends_too() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("skipped: python3 is not there");
        return;
    }
    for script in [HYDRA, SWARM] {
        for before in ["", LEAVE_CGROUP] {
            // The shell waits, so that the end of the first process is not that of the action.
            let mut action = Action::sh(&format!("{before} python3 -c \"$SCRIPT\"; sleep 1000"));
            action.environment.push(("SCRIPT".into(), script.into()));
            let told = std::cell::Cell::new(None);
            let finished = action.run_until(&|| {
                let stop = action.has("ready");
                told.set(told.get().or(stop.then(Instant::now)));
                stop
            });
            assert_eq!(finished.ended, Ended::Stopped);
            let took = told.get().unwrap().elapsed();
            assert!(took < 2 * A_SECOND, "{took:?}");
        }
    }
}

#[test]
fn no_control_group_is_left() {
    let action = Action::sh(
        r"
        group=$(sed -n s/^0:://p /proc/self/cgroup)
        for mount in /sys/fs/cgroup /sys/fs/cgroup/unified; do
            case $group in
                *policy-orchestrator*) if test -w $mount$group; then mkdir $mount$group/in; fi ;;
            esac
        done
        echo $group
        ",
    );
    let finished = action.run();
    let group = finished.stdout.trim().to_owned();
    if !group.contains("policy-orchestrator.") {
        eprintln!("skipped: no control group can be made here");
        return;
    }
    for mount in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
        assert!(!Path::new(&format!("{mount}{group}")).exists(), "{group}");
    }
}

// --- what it prints ----------------------------------------------------------------------------

#[test]
fn a_gigabyte_of_output_costs_no_memory_and_stops_nobody() {
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.unwrap().split_whitespace().next().unwrap();
        number.parse::<u64>().unwrap()
    };
    let before = resident();
    let most = std::cell::Cell::new(0);
    let action = Action::sh("echo first; head -c 1000000000 /dev/zero; echo last >&2");
    let finished = action.run_until(&|| {
        most.set(most.get().max(resident()));
        false
    });
    assert_eq!(finished.ended, Ended::Exited(0));
    assert!(finished.stdout.starts_with("first\n\0"));
    assert_eq!(finished.stdout.chars().count(), 500);
    assert!(finished.stdout_cut);
    assert_eq!(finished.stderr, "last\n");
    assert!(!finished.stderr_cut);
    // In KiB. Other tests may run in this process, but none of them needs this much.
    assert!(most.get() < before + 100 * 1024, "{before} {}", most.get());
}

#[test]
fn output_that_is_no_text_becomes_text_and_is_cut_between_characters() {
    let finished =
        Action::sh(r"printf '\377'; i=0; while test $i -lt 600; do printf 'é'; i=$((i+1)); done")
            .run();
    assert_eq!(finished.stdout, format!("\u{fffd}{}", "é".repeat(499)));
    assert!(finished.stdout_cut);
}

#[test]
fn secrets_are_not_shown_in_whole_nor_in_part() {
    // Longer than what a read brings, so that it comes in parts; the bound cuts the third of them.
    let numbers: Vec<String> = (10_000..16_000).map(|number| number.to_string()).collect();
    let secret = numbers.concat();
    let mut action = Action::sh(r#"cat file file file; printf '%s\n' "$MY_TOKEN" >&2"#);
    std::fs::write(action.directory.path().join("file"), &secret).unwrap();
    let token = ("MY_TOKEN".into(), "tok-1234567".into());
    action.environment.push(token);
    action.secrets = Secrets::from_environment(action.environment.clone(), [secret.into()]);
    let finished = action.run();
    assert_eq!(finished.stdout, "[redacted]".repeat(3));
    assert!(finished.stdout_cut);
    assert_eq!(finished.stderr, "[redacted]\n");

    action.argv = vec!["tok-1234567".into()];
    let finished = action.run();
    let Ended::NotStarted(why) = finished.ended else {
        panic!("{finished:?}");
    };
    assert!(
        why.starts_with("the program `[redacted]` was not found"),
        "{why}"
    );
}

// --- when this program is killed ---------------------------------------------------------------

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
            .args(["processes::host", "--exact", "--ignored", "--nocapture"])
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
    let mut sessions = action.alive().into_iter().filter_map(|number| {
        let session = rustix::process::getsid(Pid::from_raw(number)).ok()?;
        Some(session.as_raw_nonzero().get())
    });
    let name = |number: &i32| {
        let command = std::fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).contains("supervise")
    };
    sessions.find(name).unwrap()
}
