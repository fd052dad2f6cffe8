//! Overrides: for one operation, one use and a few minutes, given by whoever has the one-time codes.
//!
//! Each step is a line of `state/audit.log`, which carries how overrides stand: the append is what
//! gives one or uses it up, so that of several at once one wins, and a kill in between leaves it used
//! or not. When one is given is said in [`rules`].

mod rules;

use chrono::TimeDelta;
use serde::Serialize;

use super::operation::Overridden;
use super::totp::{self, TotpSecret};
use super::{Desk, approvers, at_desk};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::ids::{Digest, EventType};
use crate::record::audit::{self, Event, Recorded, Severity};
use crate::record::overrides::{OpenOverride, Overrides};
use crate::record::{AUDIT_LOG, Head, Records};
use crate::safeguard::Request;
use crate::time::Timestamp;

pub use rules::Refusal;

/// How long an override lasts where nobody says.
pub const USUAL: TimeDelta = TimeDelta::minutes(5);

/// How long it lasts at most (S3-048).
pub const LONGEST: TimeDelta = TimeDelta::hours(1);

/// How overrides came out, in the words of S3-041.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// True where it was given.
    pub approved: bool,
    /// How it stands, in a clause.
    pub reason: String,
    /// Its id.
    pub override_id: String,
    /// The operation that it is for.
    pub operation: String,
    /// Who asked for it.
    pub requested_by: String,
    /// When it is over: unanswered, or no longer valid.
    pub expires_at: Timestamp,
    /// Why it was asked for or given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub justification: Option<String>,
    /// Who gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
}

/// What the lines of overrides say beside what every line says.
#[derive(Debug, Default, Serialize)]
struct Details<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requester: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approver: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    justification: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'a str>,
}

impl<'a> Details<'a> {
    fn of(open: &'a OpenOverride) -> Self {
        Self {
            operation: Some(&open.operation),
            requester: Some(&open.requester),
            approver: open.approver.as_deref(),
            expires_at: Some(open.until),
            ..Self::default()
        }
    }
}

/// A line that is to be made.
struct Step<'a> {
    action: &'static str,
    kind: &'a EventType,
    severity: Severity,
    id: &'a str,
}

fn record(
    desk: Desk<'_>,
    step: &Step<'_>,
    details: &Details<'_>,
    after: Overrides,
) -> Checked<Head> {
    let event = event(desk, step, details);
    audit::append_changed(desk.records, &event, |standing| standing.overrides = after)
}

fn event<'a>(desk: Desk<'a>, step: &Step<'a>, details: &'a Details<'a>) -> Event<'a, Details<'a>> {
    Event {
        at: desk.at,
        user: desk.user,
        action: step.action,
        event_type: step.kind,
        severity: step.severity,
        task_id: Some(step.id),
        data: Digest::of(details.operation.unwrap_or_default().as_bytes()),
        details,
        given_clock: desk.given_clock,
    }
}

/// Asks for an override of an operation. An answer may take as long as it then lasts.
pub fn request(
    request: &Request<'_>,
    operation: &Overridden,
    justification: &str,
    lasts: TimeDelta,
) -> Checked<Outcome> {
    at_desk(request, |desk| {
        let mut overrides = standing(desk.records.workspace)?;
        let open = OpenOverride {
            id: uuid::Uuid::new_v4().to_string(),
            operation: operation.to_string(),
            requester: desk.user.to_owned(),
            approver: None,
            seconds: lasts.num_seconds(),
            until: desk.at.plus_seconds(lasts.num_seconds()),
        };
        let step = Step {
            action: "override_request",
            kind: &EventType::OVERRIDE_REQUESTED,
            severity: Severity::Medium,
            id: &open.id,
        };
        let before = overrides.clone();
        if let Err(refusal) = rules::ask(&mut overrides, open.clone(), desk.at) {
            return Err(refuse(desk, &step, &Details::of(&open), before, &refusal)?);
        }
        let details = Details {
            justification: Some(justification),
            ..Details::of(&open)
        };
        record(desk, &step, &details, overrides)?;
        Ok(Outcome {
            approved: false,
            reason: "it waits for somebody else's code".to_owned(),
            justification: Some(justification.to_owned()),
            ..outcome(&open, desk.at)
        })
    })
}

/// Records a refusal, and makes the finding of it.
fn refuse(
    desk: Desk<'_>,
    step: &Step<'_>,
    details: &Details<'_>,
    after: Overrides,
    refusal: &Refusal,
) -> Checked<Box<Diagnostic>> {
    let newly_locked = match refusal {
        Refusal::Locked(until) => standing(desk.records.workspace)?.locked_until != Some(*until),
        _ => false,
    };
    let (kind, severity) = if newly_locked {
        (&EventType::OVERRIDE_LOCKED, Severity::Critical)
    } else {
        (&EventType::OVERRIDE_REFUSED, Severity::High)
    };
    let step = Step {
        kind,
        severity,
        ..*step
    };
    let details = Details {
        refused: Some(refusal.as_str()),
        ..*details
    };
    if after == standing(desk.records.workspace)? {
        audit::append_refusal(desk.records, &event(desk, &step, &details))?;
    } else {
        record(desk, &step, &details, after)?;
    }
    Ok(finding(step.id, refusal))
}

/// The finding of a refusal.
fn finding(id: &str, refusal: &Refusal) -> Box<Diagnostic> {
    let (code, expected, help) = match refusal {
        Refusal::Unknown => (
            Code::ApprovalUnknown,
            "the id of an open override",
            "`policy-orchestrator override status` lists them; ask anew with `override request`",
        ),
        Refusal::Locked(_) => (
            Code::OverrideLocked,
            "to wait",
            "find out who tried: `policy-orchestrator override status`; the wait can't be cut short",
        ),
        Refusal::WrongCode(_) | Refusal::UsedCode => (
            Code::OverrideRefused,
            "the code that the authenticator app shows now",
            "wait for the next code; where every one is wrong, check the clocks of both machines",
        ),
        Refusal::SamePerson | Refusal::NotListed => (
            Code::OverrideRefused,
            "a second person, listed with `override` in policy/approvers.yaml where that is there",
            "let somebody else run `policy-orchestrator override approve`",
        ),
        Refusal::OtherOperation(_) => (
            Code::OverrideRefused,
            "the operation that it was given for",
            "ask for an override of this operation",
        ),
        Refusal::Unanswered | Refusal::Answered | Refusal::Over(_) | Refusal::TooMany => (
            Code::OverrideRefused,
            "an override that was given, is not used and not over",
            "`policy-orchestrator override status` says how each stands; ask anew with `override request`",
        ),
    };
    Box::new(
        Diagnostic::new(code, Place::file(AUDIT_LOG), refusal.to_string())
            .found(id)
            .expected(expected)
            .help(help),
    )
}

/// Gives an override, where the code is right and whoever gives it is not who asked. What is refused
/// is recorded.
pub fn approve(
    request: &Request<'_>,
    id: &str,
    code: &totp::Code,
    justification: &str,
    secret: &TotpSecret,
) -> Checked<Outcome> {
    at_desk(request, |desk| {
        let mut overrides = standing(desk.records.workspace)?;
        let before = overrides.get(id).cloned();
        let step = Step {
            action: "override_approve",
            kind: &EventType::OVERRIDE_APPROVED,
            severity: Severity::High,
            id,
        };
        let listed = may_override(desk)?;
        let answered = if listed {
            let step = || secret.step_of(code, desk.at);
            rules::answer(&mut overrides, id, desk.user, step, desk.at)
        } else {
            Err(Refusal::NotListed)
        };
        let open = match answered {
            Ok(open) => open,
            Err(refusal) => {
                let details = Details {
                    approver: Some(desk.user),
                    ..before.as_ref().map(Details::of).unwrap_or_default()
                };
                return Err(refuse(desk, &step, &details, overrides, &refusal)?);
            }
        };
        let details = Details {
            justification: Some(justification),
            ..Details::of(&open)
        };
        record(desk, &step, &details, overrides)?;
        Ok(Outcome {
            justification: Some(justification.to_owned()),
            ..outcome(&open, desk.at)
        })
    })
}

/// Where a list of approvers is there, it says who gives overrides; else whoever has the codes.
fn may_override(desk: Desk<'_>) -> Checked<bool> {
    let listed = approvers::load_or_first_problem(desk.records.workspace)?;
    Ok(listed.is_none_or(|list| list.may_override(desk.user, desk.at)))
}

/// An override that may be used now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usable {
    /// Its id.
    pub id: String,
    /// Who gave it.
    pub approver: String,
    /// When it is over.
    pub until: Timestamp,
}

impl Usable {
    fn of(open: &OpenOverride) -> Self {
        Self {
            id: open.id.clone(),
            approver: open.approver.clone().unwrap_or_default(),
            until: open.until,
        }
    }
}

/// May the override of this id be used for `operation` at `at`? Nothing is written; the record is
/// not verified here, whoever appends to it does that.
pub fn look(
    workspace: &Workspace,
    id: &str,
    operation: &Overridden,
    at: Timestamp,
) -> Checked<Result<Usable, Refusal>> {
    let overrides = standing(workspace)?;
    let usable = rules::usable(&overrides, id, &operation.to_string(), at);
    Ok(usable.map(Usable::of))
}

/// Uses the override of this id up for `operation`: it is looked at again, and the line that uses it
/// is made, right before what it is for. Fails, and records that, where it may not be used.
pub fn spend(
    records: Records<'_>,
    at: Timestamp,
    user: &str,
    id: &str,
    operation: &Overridden,
) -> Checked<Usable> {
    let desk = Desk {
        records,
        at,
        user,
        given_clock: false,
    };
    let mut overrides = standing(records.workspace)?;
    let operation = operation.to_string();
    let step = Step {
        action: "override_use",
        kind: &EventType::OVERRIDE_USED,
        severity: Severity::High,
        id,
    };
    match rules::take(&mut overrides, id, &operation, at) {
        Ok(open) => {
            record(desk, &step, &Details::of(&open), overrides)?;
            Ok(Usable::of(&open))
        }
        Err(refusal) => {
            let details = Details {
                operation: Some(&operation),
                ..Details::default()
            };
            Err(refuse(desk, &step, &details, overrides, &refusal)?)
        }
    }
}

/// How overrides stand.
pub fn standing(workspace: &Workspace) -> Checked<Overrides> {
    Ok(audit::standing(workspace)?.overrides)
}

/// How an open one stands.
pub fn outcome(open: &OpenOverride, at: Timestamp) -> Outcome {
    let over = at >= open.until;
    let approved = open.approver.is_some() && !over;
    let reason = match (&open.approver, over) {
        (_, true) => "it is over".to_owned(),
        (None, false) => format!(
            "it waits for somebody else's code, {} more",
            rules::left(open, at)
        ),
        (Some(_), false) => format!("it may be used once, for {} more", rules::left(open, at)),
    };
    Outcome {
        approved,
        reason,
        override_id: open.id.clone(),
        operation: open.operation.clone(),
        requested_by: open.requester.clone(),
        expires_at: open.until,
        justification: None,
        approved_by: open.approver.clone(),
    }
}

/// So many older events in a row end a search: a time that somebody gave may stand between.
const ENOUGH_OLDER: usize = 1000;

/// The events of overrides from `since` on, the latest first.
pub fn events(workspace: &Workspace, since: Timestamp) -> Checked<Vec<Recorded>> {
    let kinds = [
        EventType::OVERRIDE_REQUESTED,
        EventType::OVERRIDE_APPROVED,
        EventType::OVERRIDE_REFUSED,
        EventType::OVERRIDE_LOCKED,
        EventType::OVERRIDE_USED,
    ];
    let (mut found, mut older) = (Vec::new(), 0);
    audit::back(workspace, |event| {
        if event.time < since {
            older += 1;
        } else {
            older = 0;
            if kinds.contains(&event.event_type) {
                found.push(event);
            }
        }
        older < ENOUGH_OLDER
    })?;
    Ok(found)
}
