//! A second person: approvals that somebody signs with a key of their own, and overrides that a
//! one-time code opens for minutes.
//!
//! An approval is asked for by one person and given by another whom [`approvers`] lists; every step
//! is a line of `state/approval_requests.jsonl` ([`requests`]). An override is for one operation and
//! one use; its steps are lines of `state/audit.log` ([`overrides`]). Neither opens anything but what
//! asks for a second person: the kill switch, what tampering closes, and the record are not known
//! here. What a gate makes of an approval is said in [`crate::response`].

pub mod approvers;
pub mod grant;
mod journal;
pub mod operation;
pub mod overrides;
pub mod personal;
mod projection;
pub mod requests;
pub mod totp;

use crate::diagnostic::Checked;
use crate::fs::WorkspaceLock;
use crate::record::Records;
use crate::safeguard::Request;
use crate::time::Timestamp;

pub use operation::{Operation, Subject};
pub use requests::{Approved, Wanted, find, named, second_person, second_person_of, spend};

/// What whoever takes a step holds.
#[derive(Debug, Clone, Copy)]
struct Desk<'a> {
    records: Records<'a>,
    at: Timestamp,
    user: &'a str,
    given_clock: bool,
}

/// Takes the lock, reads the clock, and takes a step.
fn at_desk<T>(request: &Request<'_>, take: impl FnOnce(Desk<'_>) -> Checked<T>) -> Checked<T> {
    let Request {
        workspace,
        command,
        lock_timeout,
        retry,
        ..
    } = *request;
    let key = request.key.as_ref().map_err(Clone::clone)?.as_ref();
    let lock = WorkspaceLock::acquire(workspace, command, lock_timeout, retry)?;
    take(Desk {
        records: Records {
            workspace,
            lock: &lock,
            key,
            retry,
        },
        at: request.clock.read(),
        user: request.user,
        given_clock: request.clock.is_given(),
    })
}

/// True where both names are one person's, however they are written.
fn is_same_person(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}
