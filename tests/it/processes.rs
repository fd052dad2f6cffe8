//! The process of an action: here, how it is started and what of its output is shown; below, how it
//! ends ([`ending`]), and what becomes of it when this program is killed ([`killed`]).
//!
//! Until a command starts actions, this goes to the library; the supervisor is the real binary.
//! Processes of an action are found by a mark in their environment, so nothing here needs their
//! numbers.

mod ending;
mod killed;

use std::ffi::OsString;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use policy_orchestrator::privacy::Secrets;
use policy_orchestrator::response::process::{self, Ended, Finished, Job};
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
        assert_eq!(groups(), Vec::<PathBuf>::new());
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

/// The control groups that this process made, and did not remove.
fn groups() -> Vec<PathBuf> {
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"));
    let above = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(|mount| {
        let above = Path::new(mount).join(own.unwrap_or("none"));
        std::fs::read_dir(above).into_iter().flatten().flatten()
    });
    let ours = format!("policy-orchestrator.{}.", std::process::id());
    let paths = above.into_iter().flatten().map(|entry| entry.path());
    let is_ours = |path: &PathBuf| path.to_string_lossy().contains(&ours);
    paths.filter(is_ours).collect()
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

/// The session that a process is in, as `proc(5)` tells it: 0 where its leader is outside our
/// container, which `getsid` of rustix takes for impossible.
fn session_of(number: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    // number (name) state parent group session; the name may hold blanks and brackets.
    let (_, behind_the_name) = stat.rsplit_once(')')?;
    behind_the_name.split_whitespace().nth(3)?.parse().ok()
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

fn has_python() -> bool {
    let has = Command::new("python3").arg("--version").output().is_ok();
    if !has {
        eprintln!("skipped: python3 is not there");
    }
    has
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
    let own = session_of(std::process::id().cast_signed()).unwrap();
    assert_ne!(fields[5], own.to_string());
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
    workspace.program(&["supervise", "--help"]).exits(2);
    for arguments in [
        ["completions", "bash"],
        ["--color", "never"],
        ["man", "run"],
    ] {
        let ran = workspace.program(&arguments);
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("supervise"));
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
    action.secrets =
        Secrets::from_environment(action.environment.clone(), [Vec::from(secret).into()]);
    let finished = action.run();
    assert_eq!(finished.stdout, "<REDACTED>".repeat(3));
    assert!(finished.stdout_cut);
    assert_eq!(finished.stderr, "<REDACTED>\n");

    action.argv = vec!["tok-1234567".into()];
    let finished = action.run();
    let Ended::NotStarted(why) = finished.ended else {
        panic!("{finished:?}");
    };
    assert!(
        why.starts_with("the program `<REDACTED>` was not found"),
        "{why}"
    );
}
