//! Safeguards: the trust guard's lock, the safety brake and the kill switch, read and changed.
//!
//! Whoever asks whether one is closed and whoever changes one use the same reading, so that a gate
//! and a command never disagree (row C-28). What can't be read is closed. A change that closes is
//! written first and recorded then; one that opens is recorded first: a kill between the two may
//! leave a safeguard closed without a record, never one open without it. What the gates make of it
//! is said in [`crate::response`].

pub mod brake;
pub mod guard_policy;
mod kept;
pub mod kill_effect;
pub mod kill_switch;
pub mod lock_state;
mod state_file;
mod trust_event;
pub mod trust_guard;
pub mod unlocks;
pub mod verdict;

use crate::diagnostic::{Checked, Code, Diagnostic};
use crate::fs::{LockTimeout, RetryDelays, Workspace, WorkspaceLock};
use crate::record::marker::{self, Marker};
use crate::record::{Records, SigningKey};
use crate::time::{Clock, Timestamp};

/// Who asks for a change, and how it is to be made.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Where.
    pub workspace: &'a Workspace,
    /// The command, for whoever waits for its lock.
    pub command: &'static str,
    /// Who.
    pub user: &'a str,
    /// The clock, read once the lock is held.
    pub clock: Clock,
    /// How long to wait for the lock, and whom to tell.
    pub lock_timeout: LockTimeout,
    /// The waits between attempts at a write.
    pub retry: &'a RetryDelays,
    /// The key that signs records, or why it can't be used: that must not stop what closes.
    pub key: &'a Checked<Option<SigningKey>>,
}

impl Request<'_> {
    /// Takes the lock, reads the clock, and does something.
    fn under_lock<T>(&self, then: impl FnOnce(Ground<'_>) -> Checked<T>) -> Checked<T> {
        self.under_lock_at(self.clock, then)
    }

    /// The same where the clock was read before.
    fn under_lock_at<T>(
        &self,
        clock: Clock,
        then: impl FnOnce(Ground<'_>) -> Checked<T>,
    ) -> Checked<T> {
        let Self {
            workspace,
            command,
            lock_timeout,
            retry,
            ..
        } = *self;
        let lock = WorkspaceLock::acquire(workspace, command, lock_timeout, retry)?;
        then(Ground {
            request: self,
            lock: &lock,
            at: clock.read(),
        })
    }
}

/// What whoever changes something holds.
#[derive(Debug, Clone, Copy)]
struct Ground<'a> {
    request: &'a Request<'a>,
    lock: &'a WorkspaceLock,
    at: Timestamp,
}

impl<'a> Ground<'a> {
    fn workspace(self) -> &'a Workspace {
        self.request.workspace
    }

    /// What a record needs; fails where the signing key can't be used.
    fn records(self) -> Checked<Records<'a>> {
        let key = self.request.key.as_ref().map_err(Clone::clone)?;
        Ok(Records {
            workspace: self.request.workspace,
            lock: self.lock,
            key: key.as_ref(),
            retry: self.request.retry,
        })
    }

    /// What a record says of a time that the user gave.
    fn clock(self) -> Option<&'static str> {
        self.request.clock.is_given().then_some("given")
    }

    /// Fails while the kill switch is on.
    fn check_kill_switch(self) -> Checked<()> {
        kill_switch::closed(self.workspace()).map_or(Ok(()), |closed| Err(Box::new(closed)))
    }

    /// Sets the trust guard's marker. A marker that can't be set is a warning.
    fn mark(self, text: &str) -> Option<Diagnostic> {
        let marker = Marker::new(marker::TRUST_GUARD, text);
        let published = marker::publish(self.workspace(), &marker, self.request.retry);
        published.err().map(|finding| Diagnostic {
            code: Code::MarkerFailed,
            ..*finding
        })
    }

    /// Says in the marker that a write failed, if that works. Hands the finding on.
    fn mark_failed_write(self, finding: Box<Diagnostic>) -> Box<Diagnostic> {
        if state_file::is_write_failure(&finding) {
            let text = format!("FS_ERROR {}", self.at);
            let marker = Marker::new(marker::TRUST_GUARD, &text);
            // One attempt, without waiting again: the command has failed, and says so in any case.
            let _ = marker::publish(self.workspace(), &marker, &RetryDelays::none());
        }
        finding
    }
}
