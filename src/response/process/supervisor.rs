//! The supervisor of one action: a process of its own between this program and the action, which
//! outlives both. It starts the action, waits for its end, and then ends all that is left of it,
//! also when this program is killed. What the action prints goes past it; nothing is judged here.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::FileType;
use rustix::process::{Pid, Signal, WaitStatus};
use signal_hook::consts as signals;

use super::order::{self, Order, Report};
use super::{Ended, GRACE, cgroup, poll, program, tree};

/// Nobody asked for a supervisor: it was called by hand.
#[derive(Debug)]
pub(crate) struct Refused;

/// Told to one of these, the supervisor ends the action.
const STOPPING: &[i32] = &[
    signals::SIGHUP,
    signals::SIGINT,
    signals::SIGQUIT,
    signals::SIGTERM,
];

/// These are caught so that the action gets their defaults, whatever this program was started with:
/// a program that is started inherits what is ignored, but not what is caught.
const CAUGHT: &[i32] = &[
    signals::SIGCHLD,
    signals::SIGALRM,
    signals::SIGTSTP,
    signals::SIGTTIN,
    signals::SIGTTOU,
    signals::SIGUSR1,
    signals::SIGUSR2,
    signals::SIGXCPU,
];

/// Does what the other end of standard input orders, to the end.
pub(crate) fn supervise() -> Result<(), Refused> {
    let control = control().map_err(|_| Refused)?;
    let (order, _held) = order::receive(&control).map_err(|_| Refused)?;
    if let Err(ended) = Supervisor::prepare(&control).and_then(|supervisor| {
        let started = supervisor.start(&order)?;
        supervisor.watch(&order, &started);
        Ok(())
    }) {
        order::tell(&control, &Report::Ended(ended));
        order::tell(&control, &Report::Gone);
    }
    Ok(())
}

/// Standard input, if it is what it should be.
fn control() -> io::Result<UnixStream> {
    let stdin = io::stdin();
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&stdin)?.st_mode);
    if kind != FileType::Socket {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(stdin.as_fd().try_clone_to_owned()?.into())
}

/// An action that runs.
struct Started<'a> {
    action: Pid,
    begin: Instant,
    /// Its control group, if there is one and this process is not in it.
    cgroup: Option<&'a Path>,
}

struct Supervisor<'a> {
    control: &'a UnixStream,
    /// Readable when a signal came.
    wake: UnixStream,
    /// True once a signal said stop.
    told: Arc<AtomicBool>,
}

impl<'a> Supervisor<'a> {
    fn prepare(control: &'a UnixStream) -> Result<Self, Ended> {
        Self::try_prepare(control).map_err(|error| {
            let why = crate::fs::read::plain(&error);
            Ended::NotStarted(format!("no process could be prepared for it: {why}"))
        })
    }

    fn try_prepare(control: &'a UnixStream) -> io::Result<Self> {
        // A session of its own: nothing of the action can reach our terminal, and what lies in a
        // session that began here is the action's, and nobody else's.
        rustix::process::setsid()?;
        tree::become_reaper()?;
        control.set_nonblocking(true)?;
        let (wake, waker) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        waker.set_nonblocking(true)?;
        let told = Arc::new(AtomicBool::new(false));
        for signal in STOPPING {
            signal_hook::flag::register(*signal, Arc::clone(&told))?;
        }
        for signal in STOPPING.iter().chain(CAUGHT) {
            signal_hook::low_level::pipe::register(*signal, waker.try_clone()?)?;
        }
        Ok(Self {
            control,
            wake,
            told,
        })
    }

    /// Starts the action, in a process group and, where there is one, a control group of its own.
    fn start<'o>(&self, order: &'o Order) -> Result<Started<'o>, Ended> {
        let mut command = Command::new(&order.program);
        command
            .args(order.argv.iter().skip(1))
            .current_dir(&order.directory)
            .env_clear()
            .envs(order.environment.iter().map(|(name, value)| (name, value)))
            .process_group(0)
            .stdin(Stdio::null());
        if let Some(name) = order.argv.first() {
            command.arg0(name);
        }
        order::tell(self.control, &Report::Starting);
        let (child, cgroup) = within(order.cgroup.as_ref(), || command.spawn());
        let begin = Instant::now();
        let child = child.map_err(|error| {
            Ended::NotStarted(program::refusal(Path::new(&order.program), &error))
        })?;
        let number = child.id().cast_signed();
        order::tell(self.control, &Report::Started(number));
        // The number of a process that we started is one.
        let action = Pid::from_raw(number).ok_or(Ended::Lost)?;
        Ok(Started {
            action,
            begin,
            cgroup,
        })
    }

    /// Waits for the end, tells of it, and ends what is left.
    fn watch(&self, order: &Order, started: &Started<'_>) {
        let ended = self.wait(started.action, started.begin.checked_add(order.timeout));
        order::tell(self.control, &Report::Ended(ended));
        self.end(started);
        // This program does that too, if it is there.
        started.cgroup.inspect(|group| cgroup::remove(group));
        order::tell(self.control, &Report::Gone);
    }

    fn wait(&self, action: Pid, deadline: Option<Instant>) -> Ended {
        loop {
            // Asked before each look at the action: where it ended by itself, that counts.
            let stop = self.told.load(Ordering::Relaxed) || self.is_told();
            let over = deadline.is_some_and(|deadline| deadline <= Instant::now());
            let mut own = None;
            tree::reap(|pid, status| own = own.take().or(ended(pid == action, status)));
            match own {
                Some(own) => return own,
                None if stop => return Ended::Stopped,
                None if over => return Ended::TimedOut,
                None => self.sleep(deadline.map(|at| at.saturating_duration_since(Instant::now()))),
            }
        }
    }

    /// True where this program said stop, or is gone.
    fn is_told(&self) -> bool {
        let mut control = self.control;
        let nothing_yet = |error: io::Error| {
            matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
            )
        };
        !control.read(&mut [0; 16]).is_err_and(nothing_yet)
    }

    /// Until something happens, at most so long.
    fn sleep(&self, limit: Option<Duration>) {
        // Nothing is missed without the limit; it is there for what nobody thought of.
        let limit = limit.unwrap_or(Duration::MAX).min(Duration::from_secs(1));
        poll::readable([self.control.as_fd(), self.wake.as_fd()], limit);
        self.forget_signals();
    }

    fn forget_signals(&self) {
        let mut wake = &self.wake;
        while wake.read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
    }

    /// Ends all that is left: asks, waits a little, and asks no more.
    fn end(&self, started: &Started<'_>) {
        let action = started.action;
        let left = || tree::left(action, tree::reap(|_, _| {}));
        if !left() {
            return;
        }
        tree::send(action, Signal::TERM);
        // What is stopped would not hear it.
        tree::send(action, Signal::CONT);
        let until = Instant::now() + GRACE;
        while let Some(rest) = until.checked_duration_since(Instant::now()) {
            if !left() {
                return;
            }
            poll::readable([self.wake.as_fd()], rest);
            self.forget_signals();
        }
        let mut pause = Duration::from_millis(1);
        while left() {
            started.cgroup.inspect(|group| cgroup::kill(group));
            tree::send(action, Signal::KILL);
            poll::readable([self.wake.as_fd()], pause);
            self.forget_signals();
            // Something that waits for a device may do so for long.
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }
}

/// How a process ended, if it is the one that matters.
fn ended(is_action: bool, status: WaitStatus) -> Option<Ended> {
    let exited = status.exit_status().map(Ended::Exited);
    let by_signal = || status.terminating_signal().map(Ended::Signalled);
    exited.or_else(by_signal).filter(|_| is_action)
}

/// Runs `start` inside the control group. Gives the group with it if it may be ended at once: for
/// that, this process has to be outside again.
fn within<T>(group: Option<&OsString>, start: impl FnOnce() -> T) -> (T, Option<&Path>) {
    let group = group.map(Path::new);
    let inside = group.filter(|group| cgroup::enter(group).is_ok());
    let started = start();
    let usable = inside.filter(|group| cgroup::leave(group).is_ok());
    (started, usable)
}
