//! Personal data leaves only with the scope `pii:read` and a second person's approval of this very
//! export (S0-012); both answers are recorded, and before anything leaves.

use serde::Serialize;

use super::approvers;
use super::operation::{Operation, Subject};
use super::requests::{self, Approved, Wanted};
use crate::diagnostic::Checked;
use crate::ids::EventType;
use crate::record::Records;
use crate::record::audit::{self, Event, Severity};
use crate::time::Timestamp;

/// What somebody wants to see.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a, T> {
    /// Who.
    pub user: &'a str,
    /// What is exported: `audit_log`.
    pub table: &'static str,
    /// Which of it, for a person who reads the record.
    pub export: &'a T,
    /// The digest of both.
    pub subject: Subject,
    /// When, by the machine's clock.
    pub at: Timestamp,
}

#[derive(Serialize)]
struct Allowed<'a, T> {
    table: &'static str,
    approver: &'a str,
    approval: &'a str,
    export: &'a T,
}

#[derive(Serialize)]
struct Refused<'a, T> {
    table: &'static str,
    reason: &'a str,
    export: &'a T,
}

const ACTION: &str = "pii_access";

/// Lets personal data out, or says why not. The approval is used up and the access is recorded, in
/// this order: a kill in between lets nothing out and leaves the approval used.
pub fn access<T: Serialize>(
    records: Records<'_>,
    access: &Access<'_, T>,
) -> Checked<Result<Approved, String>> {
    match judge(records, access)? {
        Ok(approved) => {
            requests::spend(records, access.at, access.user, &approved)?;
            let details = Allowed {
                table: access.table,
                approver: &approved.approver,
                approval: &approved.id,
                export: access.export,
            };
            let (kind, task) = (&EventType::PII_ACCESS, Some(approved.id.as_str()));
            record(records, access, (kind, Severity::High), task, &details)?;
            Ok(Ok(approved))
        }
        Err(reason) => {
            let details = Refused {
                table: access.table,
                reason: &reason,
                export: access.export,
            };
            let kind = (&EventType::PII_REFUSED, Severity::High);
            record(records, access, kind, None, &details)?;
            Ok(Err(reason))
        }
    }
}

fn judge<T>(records: Records<'_>, access: &Access<'_, T>) -> Checked<Result<Approved, String>> {
    // A list that can't be used gives nobody a scope; why is told, and recorded like any refusal.
    let listed = match approvers::load_or_first_problem(records.workspace) {
        Ok(listed) => listed.unwrap_or_default(),
        Err(problem) => return Ok(Err(problem.message)),
    };
    if !listed.may_read_personal_data(access.user) {
        let user = access.user;
        return Ok(Err(format!(
            "{user} has no scope `pii:read` in {}",
            approvers::FILE
        )));
    }
    let wanted = Wanted {
        operation: Operation::PiiAccess,
        subject: access.subject,
        user: access.user,
    };
    requests::find(records.workspace, records.key, wanted, access.at)
}

fn record<T, D: Serialize>(
    records: Records<'_>,
    access: &Access<'_, T>,
    (event_type, severity): (&EventType, Severity),
    task_id: Option<&str>,
    details: &D,
) -> Checked<()> {
    let event = Event {
        at: access.at,
        user: access.user,
        action: ACTION,
        event_type,
        severity,
        task_id,
        data: access.subject.sha256,
        details,
        given_clock: false,
    };
    audit::append(records, &event).map(drop)
}
