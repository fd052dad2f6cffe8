//! What the commands share that change a safeguard: their options, who gives them, how they end.

use std::time::Duration;

use clap::Args;

use super::actor::actor;
use super::run::{lock_timeout, parse_timeout};
use super::{Context, Exit, clock, is_blocking, is_tampering, parse_time, secrets};
use crate::diagnostic::{Checked, Diagnostic, Severity};
use crate::fs::{RetryDelays, Workspace, WorkspaceLock};
use crate::record::Records;
use crate::safeguard::Request;
use crate::time::Timestamp;

/// When, and how long to wait.
#[derive(Debug, Args)]
pub(super) struct Recording {
    /// Act as of this time; the record says that it was given
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,

    /// How long to wait for another command, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_timeout)]
    lock_timeout: Duration,

    /// The waits between attempts at a write, in seconds, separated by commas
    #[arg(long, value_name = "SECONDS", default_value = "1,3,9")]
    retry_delays: RetryDelays,
}

/// How long to wait, for what is never done as of another time: a time that somebody gives must not
/// revive what is over.
#[derive(Debug, Args)]
pub(super) struct Now {
    /// How long to wait for another command, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_timeout)]
    lock_timeout: Duration,

    /// The waits between attempts at a write, in seconds, separated by commas
    #[arg(long, value_name = "SECONDS", default_value = "1,3,9")]
    retry_delays: RetryDelays,
}

impl Recording {
    /// How long to wait for another command.
    pub(super) fn lock_timeout(&self) -> Duration {
        self.lock_timeout
    }
}

impl Now {
    /// How long to wait for another command.
    pub(super) fn lock_timeout(&self) -> Duration {
        self.lock_timeout
    }

    fn recording(&self) -> Recording {
        Recording {
            at: None,
            lock_timeout: self.lock_timeout,
            retry_delays: self.retry_delays.clone(),
        }
    }
}

/// Lets `change` change something, now.
pub(super) fn change_now<T>(
    context: &Context,
    now: &Now,
    command: &'static str,
    take: impl FnOnce(&Request<'_>) -> Checked<T>,
) -> anyhow::Result<T> {
    change(context, &now.recording(), command, take)
}

/// Lets `change` change something.
pub(super) fn change<T>(
    context: &Context,
    recording: &Recording,
    command: &'static str,
    change: impl FnOnce(&Request<'_>) -> Checked<T>,
) -> anyhow::Result<T> {
    let workspace = context.workspace()?;
    let user = actor();
    // A secret that can't be used stops records, and must not stop what closes a safeguard.
    let key = secrets::signing_key();
    let request = Request {
        workspace: &workspace,
        command,
        user: &user,
        clock: clock(recording.at),
        lock_timeout: lock_timeout(recording.lock_timeout),
        retry: &recording.retry_delays,
        key: &key,
    };
    Ok(change(&request)?)
}

/// Takes the lock and the signing key, and lets `then` record something. For commands that record and
/// change no safeguard.
pub(super) fn with_records<T>(
    workspace: &Workspace,
    (command, wait): (&str, Duration),
    then: impl FnOnce(Records<'_>) -> Checked<T>,
) -> Checked<T> {
    let key = secrets::signing_key()?;
    let retry = RetryDelays::default();
    let lock = WorkspaceLock::acquire(workspace, command, lock_timeout(wait), &retry)?;
    then(Records {
        workspace,
        lock: &lock,
        key: key.as_ref(),
        retry: &retry,
    })
}

/// How a command ends that found these.
pub(super) fn exit(findings: &[Diagnostic]) -> Exit {
    if findings.iter().any(is_tampering) {
        return Exit::Tampering;
    }
    if findings.iter().any(is_blocking) {
        return Exit::Blocked;
    }
    exit_untampered(findings)
}

/// The same for what closes in an emergency: that it could not be recorded is a failure, whyever.
pub(super) fn exit_untampered(findings: &[Diagnostic]) -> Exit {
    let failed = findings
        .iter()
        .any(|finding| finding.severity() == Severity::Error);
    if failed { Exit::Failed } else { Exit::Done }
}
