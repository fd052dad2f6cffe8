//! Running the process of one action, so that nothing of it is left when it is over.
//!
//! Here: what a caller asks for and what it gets back. `running` is this program's side of it,
//! `supervisor` the other one, a second process of this program between it and the action; `order`
//! is what the two say to each other. `tree` finds and ends processes, `cgroup` does so where the
//! system helps, `program` looks a program up, and `capture` keeps the head of what it prints, of
//! which [`crate::privacy`] takes out what must not be kept. Which actions there are, and when one may start, lives elsewhere.

mod capture;
#[cfg(target_os = "linux")]
mod cgroup;
#[cfg(not(target_os = "linux"))]
#[path = "process/no_cgroup.rs"]
mod cgroup;
mod order;
mod poll;
mod program;
mod running;
mod supervisor;
mod tree;

pub(crate) use supervisor::{Refused, supervise};

use std::ffi::OsString;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::privacy::Secrets;
use running::Running;
use tree::Adoption;

/// The only argument of a supervisor. It is no command of the command line.
pub const SUPERVISE: &str = "supervise";

/// How many characters of each stream are handed on.
pub const SHOWN: usize = 500;

/// Between a friendly request to end (SIGTERM) and the end (SIGKILL). A kill switch promises that
/// nothing runs any more after 300 ms (S1-142), whatever an action makes of the request.
pub const GRACE: Duration = Duration::from_millis(200);

/// One process to run.
///
/// Not `Debug`: arguments and environment may hold secrets.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The program that supervises: this one, see [`own_program`].
    pub supervisor: &'a Path,
    /// Program and arguments; no shell reads them. A name without `/` is looked up in the
    /// absolute directories of the PATH of `environment`, one with `/` from `directory` on.
    pub argv: &'a [OsString],
    /// The working directory, absolute.
    pub directory: &'a Path,
    /// The whole environment, nothing is added. Of two values of one name the last counts.
    pub environment: &'a [(OsString, OsString)],
    /// When the action is ended, counted from its start. More than zero.
    pub timeout: Duration,
    /// What must not be shown.
    pub secrets: &'a Secrets,
    /// A descriptor that every process of the action inherits, and that its supervisor keeps to
    /// the last: a lock (flock) on it is not free before everything is gone, whoever was killed.
    pub held: Option<BorrowedFd<'a>>,
}

/// How an action ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// By itself, with this exit status (0 to 255).
    Exited(i32),
    /// By this signal, which neither timeout nor stop sent.
    Signalled(i32),
    /// It was ended when its time was over.
    TimedOut,
    /// It was ended because `stop` said so, or somebody told its supervisor.
    Stopped,
    /// It never ran: why, for a person.
    NotStarted(String),
    /// Its supervisor was killed, so nobody knows how it ended. What was left of it was ended.
    Lost,
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// How the action ended.
    pub ended: Ended,
    /// The head of what it wrote to standard output: valid text without secrets, at most [`SHOWN`]
    /// characters.
    pub stdout: String,
    /// The same of standard error.
    pub stderr: String,
    /// True where `stdout` is not everything.
    pub stdout_cut: bool,
    /// True where `stderr` is not everything.
    pub stderr_cut: bool,
    /// From the start until nothing was left of it, on the monotonic clock.
    pub duration: Duration,
    /// True where something of it could not be ended within seconds: it waits in the kernel for a
    /// device, or belongs to another user by now. It still has [`Job::held`].
    pub survivors: bool,
}

/// Runs an action to its end, and everything that it started with it.
///
/// `stop` is asked about every 5 ms; once true, the action is ended. At the end, whatever it is,
/// all processes of the action get SIGTERM, and SIGKILL after [`GRACE`]; daemons that left its
/// process group and session too. If this program is killed meanwhile, the supervisor does that.
///
/// One at a time: a second call waits for the first, since what two of them leave behind could not
/// be told apart.
pub fn run(job: &Job<'_>, stop: &dyn Fn() -> bool) -> Finished {
    let adoption = Adoption::begin();
    let begin = Instant::now();
    if stop() {
        return without_process(Ended::Stopped, begin);
    }
    match Running::start(job) {
        Ok(running) => running.finish(job, stop, &adoption, begin),
        Err(reason) => {
            let reason = job.secrets.redact(&reason);
            without_process(Ended::NotStarted(reason), begin)
        }
    }
}

fn without_process(ended: Ended, begin: Instant) -> Finished {
    Finished {
        ended,
        stdout: String::new(),
        stderr: String::new(),
        stdout_cut: false,
        stderr_cut: false,
        duration: begin.elapsed(),
        survivors: false,
    }
}

/// The path that starts this very program again, for [`Job::supervisor`].
///
/// On Linux it is the running program, even when its file was replaced or removed meanwhile.
/// Elsewhere it fails where the system does not know the path.
pub fn own_program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") {
        Ok(PathBuf::from("/proc/self/exe"))
    } else {
        std::env::current_exe()
    }
}
