//! This program's side of a running action: starts its supervisor, reads what the action prints,
//! asks whether to stop, and takes over where the supervisor is gone or does not answer.

use std::ffi::{OsStr, OsString};
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::capture::Capture;
use super::order::{self, Order, Report, Reports};
use super::tree::Adoption;
use super::{Ended, Finished, GRACE, Job, SUPERVISE, cgroup, poll, program};

/// How often `stop` is asked: what a kill switch waits for at most before an action hears of it.
const ASKED_EVERY: Duration = Duration::from_millis(5);

/// A supervisor needs its grace to end an action, and a little more on a busy machine. One that
/// is not done then was stopped or can't be trusted, and this program does it.
const PATIENCE: Duration = GRACE.saturating_add(Duration::from_millis(250));

/// How long a supervisor may take to start, with the disk and the machine at their worst.
const START: Duration = Duration::from_secs(30);

/// How long what doesn't end is told to. Then it waits in the kernel, and telling does not help.
const LAST: Duration = Duration::from_secs(5);

/// An action with its supervisor.
pub(super) struct Running {
    supervisor: Child,
    control: UnixStream,
    reports: Reports,
    stdout: Capture,
    stderr: Capture,
    cgroup: Group,
    seen: Seen,
}

/// What was heard of the supervisor, and told to it.
#[derive(Default)]
struct Seen {
    starting: Option<Instant>,
    action: Option<Pid>,
    ended: Option<(Ended, Instant)>,
    told_to_stop: Option<Instant>,
    gone: bool,
}

impl Running {
    /// Starts the action; else why it can't be.
    pub(super) fn start(job: &Job<'_>) -> Result<Self, String> {
        let name = job.argv.first().map_or(OsStr::new(""), OsString::as_os_str);
        let program = program::find(name, job.directory, job.environment)?;
        let group = Group {
            directory: cgroup::make(),
        };
        let order = Order {
            program: program.into(),
            argv: job.argv.to_vec(),
            directory: job.directory.into(),
            environment: job.environment.to_vec(),
            timeout: job.timeout,
            cgroup: group.directory.clone().map(PathBuf::into_os_string),
        };
        Self::with_supervisor(job, &order, group).map_err(|error| {
            let why = crate::fs::read::plain(&error);
            format!("the process that supervises it can't be started: {why}")
        })
    }

    fn with_supervisor(job: &Job<'_>, order: &Order, cgroup: Group) -> io::Result<Self> {
        let (control, theirs) = UnixStream::pair()?;
        let (stdout, out) = Capture::new()?;
        let (stderr, err) = Capture::new()?;
        let supervisor = Command::new(job.supervisor)
            .arg0(env!("CARGO_PKG_NAME"))
            .arg(SUPERVISE)
            .env_clear()
            .stdin(OwnedFd::from(theirs))
            .stdout(out)
            .stderr(err)
            .spawn()?;
        let running = Self {
            supervisor,
            control,
            reports: Reports::default(),
            stdout,
            stderr,
            cgroup,
            seen: Seen::default(),
        };
        // One that does not take its order is gone in a moment, and `watch` notices that.
        if order::send(&running.control, order, job.held).is_err() {
            let _ = running.control.shutdown(Shutdown::Both);
        }
        running.control.set_nonblocking(true)?;
        Ok(running)
    }

    /// Waits for the end, sees to it that nothing is left, and tells what came of it.
    pub(super) fn finish(
        mut self,
        job: &Job<'_>,
        stop: &dyn Fn() -> bool,
        adoption: &Adoption,
        begin: Instant,
    ) -> Finished {
        let took_over = self.watch(job.timeout, stop, begin);
        let survivors = !self.end(adoption);
        let ended = match self.outcome(took_over) {
            Ended::NotStarted(why) => Ended::NotStarted(job.secrets.redact(&why)),
            ended => ended,
        };
        self.read_output(&mut buffer());
        let stdout = self.stdout.excerpt(job.secrets);
        let stderr = self.stderr.excerpt(job.secrets);
        Finished {
            ended,
            stdout: stdout.text,
            stderr: stderr.text,
            stdout_cut: stdout.cut,
            stderr_cut: stderr.cut,
            duration: begin.elapsed(),
            survivors,
        }
    }

    /// Until the supervisor is gone, or had its time. True where it had its time.
    fn watch(&mut self, timeout: Duration, stop: &dyn Fn() -> bool, begin: Instant) -> bool {
        let mut buffer = buffer();
        let mut asked = begin;
        loop {
            let ours = self.stdout.descriptor().into_iter();
            let all = ours.chain(self.stderr.descriptor());
            poll::readable(all.chain([self.control.as_fd()]), ASKED_EVERY);
            self.read_output(&mut buffer);
            let (reports, open) = self.reports.read(&self.control);
            let now = Instant::now();
            for report in reports {
                self.seen.note(report, now);
            }
            if !open {
                return false;
            }
            if self.seen.may_be_stopped() && now.duration_since(asked) >= ASKED_EVERY {
                asked = now;
                if stop() {
                    self.seen.told_to_stop = Some(Instant::now());
                    order::tell_to_stop(&self.control);
                }
            }
            if self
                .seen
                .limit(timeout, begin)
                .is_some_and(|limit| limit <= now)
            {
                return true;
            }
        }
    }

    fn read_output(&mut self, buffer: &mut [u8]) {
        self.stdout.read(buffer);
        self.stderr.read(buffer);
    }

    /// Ends the supervisor and, where it has not done so, all that the action left. False where
    /// something is left.
    fn end(&mut self, adoption: &Adoption) -> bool {
        let until = Instant::now() + LAST;
        // It only has to exit by now, or it has to be ended.
        let _ = self.supervisor.kill();
        while let Ok(None) = self.supervisor.try_wait() {
            if Instant::now() > until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        if self.seen.gone {
            return true;
        }
        // A device that one process waits for says nothing about the others: both are done.
        let of_group = self.cgroup.end_all(until);
        adoption.end_all(self.seen.action, until) && of_group
    }

    fn outcome(&self, took_over: bool) -> Ended {
        let seen = &self.seen;
        match &seen.ended {
            Some((ended, _)) => ended.clone(),
            None if seen.told_to_stop.is_some() => Ended::Stopped,
            None if took_over && seen.starting.is_some() => Ended::TimedOut,
            None if seen.starting.is_some() => Ended::Lost,
            None => Ended::NotStarted(
                "the process that supervises it did not get as far as to start it".to_owned(),
            ),
        }
    }
}

impl Seen {
    fn note(&mut self, report: Report, now: Instant) {
        match report {
            Report::Starting => self.starting = Some(now),
            Report::Started(number) => self.action = Pid::from_raw(number),
            Report::Ended(ended) => self.ended = Some((ended, now)),
            Report::Gone => self.gone = true,
        }
    }

    fn may_be_stopped(&self) -> bool {
        self.told_to_stop.is_none() && self.ended.is_none()
    }

    /// When to take over; `None` for a time beyond all clocks.
    fn limit(&self, timeout: Duration, begin: Instant) -> Option<Instant> {
        let ended = self.ended.as_ref().map(|(_, at)| *at);
        match (
            ended.into_iter().chain(self.told_to_stop).min(),
            self.starting,
        ) {
            (Some(ending), _) => ending.checked_add(PATIENCE),
            (None, Some(start)) => start.checked_add(timeout)?.checked_add(PATIENCE),
            (None, None) => begin.checked_add(START),
        }
    }
}

/// Enough to empty a pipe at once.
fn buffer() -> Vec<u8> {
    vec![0; 64 * 1024]
}

/// The control group of an action, removed with this value. Empty where there is none.
struct Group {
    directory: Option<PathBuf>,
}

impl Group {
    /// Ends what is in it, and waits for that. False where something is left at `until`.
    fn end_all(&self, until: Instant) -> bool {
        let Some(directory) = &self.directory else {
            return true;
        };
        cgroup::kill(directory);
        while cgroup::is_populated(directory) {
            if Instant::now() > until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        true
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(directory) = &self.directory {
            cgroup::remove(directory);
        }
    }
}
