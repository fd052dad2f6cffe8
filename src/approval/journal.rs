//! The journal of approvals, `state/approval_requests.jsonl`: its lines, and what follows from them.
//!
//! Lines are only appended (D-23). What ended a request stays its end, whatever a later line says.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Desk;
use super::grant::LASTS;
use super::operation::{Operation, Subject};
use crate::diagnostic::Checked;
use crate::fs::Workspace;
use crate::record::{APPROVAL_LOG, Head, SigningKey, ledger};
use crate::time::Timestamp;

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Event {
    Requested {
        operation: Operation,
        subject: Subject,
        reason: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        requester_key: Option<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        paths: Vec<String>,
    },
    Granted {
        approver: String,
        expires_at: Timestamp,
        envelope: Value,
    },
    Denied {
        reason: String,
    },
    Expired {},
    Used {
        operation: Operation,
        approver: String,
    },
    Refused {
        step: String,
        reason: String,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    timestamp: Timestamp,
    #[serde(flatten)]
    event: Event,
    id: String,
    user: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clock: Option<String>,
}

/// Appends an event.
pub(super) fn append(desk: Desk<'_>, id: &str, event: Event) -> Checked<Head> {
    let line = Line {
        timestamp: desk.at,
        event,
        id: id.to_owned(),
        user: desk.user.to_owned(),
        clock: desk.given_clock.then(|| "given".to_owned()),
    };
    ledger::append(desk.records, APPROVAL_LOG, &line)
}

/// How a request stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    /// It waits for an answer.
    Requested,
    /// Somebody approved.
    Granted,
    /// Somebody denied it, also after it was granted.
    Denied {
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
    /// Nobody answered in time, or nobody used it.
    Expired,
    /// It was used.
    Used {
        /// When.
        at: Timestamp,
        /// By whom.
        by: String,
    },
}

impl Status {
    /// The stable word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Granted => "granted",
            Self::Denied { .. } => "denied",
            Self::Expired => "expired",
            Self::Used { .. } => "used",
        }
    }

    fn is_open(&self) -> bool {
        matches!(self, Self::Requested | Self::Granted)
    }
}

/// What a line of a grant says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Granted {
    /// Who approved, as the line says; the envelope proves it.
    pub approver: String,
    /// When the line was made.
    pub granted_at: Timestamp,
    /// When it is over, as the line says; the envelope counts.
    pub expires_at: Timestamp,
    /// What was signed.
    pub envelope: Value,
}

/// A request and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Asked {
    /// Its id, a UUID.
    pub id: String,
    /// What for.
    pub operation: Operation,
    /// What exactly.
    pub subject: Subject,
    /// Who asked.
    pub requester: String,
    /// The id of the requester's key, where they named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requester_key: Option<String>,
    /// The files that an accept is for; empty for all that differ, and for other operations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// When.
    pub requested_at: Timestamp,
    /// Why.
    pub reason: String,
    /// How it stands.
    #[serde(flatten)]
    pub status: Status,
    /// The grant, where one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<Granted>,
}

impl Asked {
    /// When it is over without a further step; 72 hours after it was asked for or granted.
    pub fn until(&self) -> Timestamp {
        let begun = self.grant.as_ref().map(|grant| grant.expires_at);
        begun.unwrap_or_else(|| self.requested_at.plus_seconds(LASTS))
    }

    /// True where it is open and over at `at`.
    pub fn is_over(&self, at: Timestamp) -> bool {
        self.status.is_open() && at >= self.until()
    }
}

/// Every request, in the order in which they were made.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger(pub(super) Vec<Asked>);

impl Ledger {
    /// Verifies the journal and reads it. A reseal begins anew: what stands in the sealed file was
    /// changed by nobody knows whom.
    pub(super) fn read(workspace: &Workspace, key: Option<&SigningKey>) -> Checked<Self> {
        let mut all = Self::default();
        ledger::each_verified(workspace, APPROVAL_LOG, key, |found| match found {
            ledger::Entry::Reseal => {
                all = Self::default();
                true
            }
            ledger::Entry::Line(bytes) => {
                let line = serde_json::from_slice::<Line>(bytes);
                line.map(|line| all.take(line)).is_ok()
            }
        })?;
        Ok(all)
    }

    pub(super) fn get(&self, id: &str) -> Option<&Asked> {
        self.0.iter().find(|asked| asked.id == id)
    }

    fn take(&mut self, line: Line) {
        let Line {
            timestamp: at,
            event,
            id,
            user,
            ..
        } = line;
        let asked = self.0.iter_mut().find(|asked| asked.id == id);
        match (event, asked) {
            (
                Event::Requested {
                    operation,
                    subject,
                    reason,
                    requester_key,
                    paths,
                },
                None,
            ) => self.0.push(Asked {
                id,
                operation,
                subject,
                requester: user,
                requester_key,
                paths,
                requested_at: at,
                reason,
                status: Status::Requested,
                grant: None,
            }),
            (event, Some(asked)) if asked.status.is_open() => asked.take(event, at, user),
            // A line of a request that has ended, or that nobody made, changes nothing.
            _ => {}
        }
    }
}

impl Asked {
    fn take(&mut self, event: Event, at: Timestamp, user: String) {
        match event {
            Event::Granted {
                approver,
                expires_at,
                envelope,
            } if self.status == Status::Requested => {
                self.status = Status::Granted;
                self.grant = Some(Granted {
                    approver,
                    granted_at: at,
                    expires_at,
                    envelope,
                });
            }
            Event::Denied { reason } => {
                self.status = Status::Denied {
                    by: user,
                    why: reason,
                };
            }
            Event::Expired {} => self.status = Status::Expired,
            Event::Used { .. } => self.status = Status::Used { at, by: user },
            Event::Requested { .. } | Event::Granted { .. } | Event::Refused { .. } => {}
        }
    }
}
