//! Approvals: asked for by one person, signed by another, used once.
//!
//! Whether one is valid is looked at when it is given and again right before it is used: its
//! signature, its subject, its times, and the list of approvers as it is then. Every step, refused
//! ones included, is a line of the journal.

use serde::Serialize;
use serde_json::Value;

use super::approvers::{self, Approvers};
use super::grant::{self, LASTS, Statement};
use super::journal::{self, Event, Ledger};
use super::operation::{Operation, Subject};
use super::{Desk, at_desk, is_same_person, projection};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::ids::{Digest, EventType};
use crate::keys::PrivateKey;
use crate::record::audit::{self, Severity};
use crate::record::{APPROVAL_LOG, Head, Records, SigningKey};
use crate::safeguard::Request;
use crate::time::Timestamp;

pub use super::journal::{Asked, Granted, Status};

/// So many grants a person and day (OR-37), by UTC.
pub const A_DAY: usize = 5;

/// What is to be done, and by whom.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// What.
    pub operation: Operation,
    /// What exactly.
    pub subject: Subject,
    /// Who does it, who can't be the approver either.
    pub user: &'a str,
}

/// An approval that is valid now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Approved {
    /// The id of the request.
    pub id: String,
    /// What for.
    pub operation: Operation,
    /// Who asked.
    pub requester: String,
    /// Who approved.
    pub approver: String,
    /// When it is over.
    pub expires_at: Timestamp,
    /// What was signed, for whoever keeps a copy of the proof.
    pub envelope: Value,
}

/// Why a grant is not valid for `wanted` now; else what it says.
fn judge(
    asked: &Asked,
    approvers: &Approvers,
    operation: Operation,
    subject: Option<&Subject>,
    user: Option<&str>,
    at: Timestamp,
) -> Result<Approved, String> {
    let granted = match (&asked.status, &asked.grant) {
        (Status::Granted, Some(granted)) => granted,
        (Status::Denied { by, why }, _) => return Err(format!("it was denied by {by}: {why}")),
        (Status::Used { at, by }, _) => return Err(format!("it was used at {at} by {by}")),
        (Status::Expired, _) => return Err("it is over".to_owned()),
        (Status::Requested | Status::Granted, _) => {
            return Err("nobody has granted it yet".to_owned());
        }
    };
    let (statement, approver) = grant::open(&granted.envelope, approvers)?;
    let is_of_request = statement.id == asked.id
        && statement.operation == asked.operation
        && statement.subject == asked.subject
        && statement.requester == asked.requester;
    if !is_of_request || asked.operation != operation {
        return Err("what was signed is another request".to_owned());
    }
    let key_is_requesters = asked.requester_key.as_deref() == Some(&approver.key.id().to_string());
    if is_same_person(&asked.requester, &approver.name) || key_is_requesters {
        return Err("whoever asked approved it".to_owned());
    }
    if user.is_some_and(|user| is_same_person(user, &approver.name)) {
        return Err(format!("{} approved it, and can't use it", approver.name));
    }
    if let Some(what) = subject.and_then(|now| asked.subject.difference(now)) {
        return Err(format!("{what} is another one now"));
    }
    let latest = statement.granted_at.plus_seconds(LASTS);
    let expires_at = statement.expires_at.min(latest);
    if at < statement.granted_at {
        return Err(format!("it is granted from {} on", statement.granted_at));
    }
    if at >= expires_at {
        return Err(format!("it is over since {expires_at}"));
    }
    if !approver.may(operation, at) {
        return Err(format!(
            "{} may not approve `{operation}` now",
            approver.name
        ));
    }
    Ok(Approved {
        id: asked.id.clone(),
        operation,
        requester: asked.requester.clone(),
        approver: approver.name.clone(),
        expires_at,
        envelope: granted.envelope.clone(),
    })
}

/// The approval that is valid for what is wanted, or why none is. Nothing is written.
pub fn find(
    workspace: &Workspace,
    key: Option<&SigningKey>,
    wanted: Wanted<'_>,
    at: Timestamp,
) -> Checked<Result<Approved, String>> {
    find_of(workspace, key, wanted, at, || approvers::needed(workspace))
}

/// The approvals of these ids, each valid for what is wanted and by another person; or why not. Nothing
/// is written.
pub fn named(
    workspace: &Workspace,
    key: Option<&SigningKey>,
    wanted: Wanted<'_>,
    ids: &[String],
    at: Timestamp,
) -> Checked<Result<Vec<Approved>, String>> {
    let ledger = Ledger::read(workspace, key)?;
    let approvers = approvers::needed(workspace)?;
    let mut all: Vec<Approved> = Vec::new();
    for id in ids {
        let asked = ledger.get(id).ok_or_else(|| unknown(id))?;
        let (subject, user) = (Some(&wanted.subject), Some(wanted.user));
        match judge(asked, &approvers, wanted.operation, subject, user, at) {
            Ok(one)
                if all
                    .iter()
                    .any(|other| is_same_person(&other.approver, &one.approver)) =>
            {
                return Ok(Err(format!(
                    "approval {id}: {} approved it already",
                    one.approver
                )));
            }
            Ok(one) => all.push(one),
            Err(why) => return Ok(Err(format!("approval {id}: {why}"))),
        }
    }
    Ok(Ok(all))
}

/// As [`find`], held against another list than the one of now.
fn find_of(
    workspace: &Workspace,
    key: Option<&SigningKey>,
    wanted: Wanted<'_>,
    at: Timestamp,
    approvers: impl FnOnce() -> Checked<Approvers>,
) -> Checked<Result<Approved, String>> {
    let ledger = Ledger::read(workspace, key)?;
    let mut asked = ledger.0.iter().rev();
    // Without a request there is nothing to hold against the list.
    if !asked.any(|asked| asked.operation == wanted.operation) {
        return Ok(Err("no approval was asked for".to_owned()));
    }
    let approvers = approvers()?;
    let mut why = None;
    let of_kind = ledger
        .0
        .iter()
        .rev()
        .filter(|asked| asked.operation == wanted.operation);
    for asked in of_kind {
        let user = Some(wanted.user);
        match judge(
            asked,
            &approvers,
            wanted.operation,
            Some(&wanted.subject),
            user,
            at,
        ) {
            Ok(approved) => return Ok(Ok(approved)),
            // The latest that is of this very subject says most.
            Err(found) => {
                let is_of_subject = asked.subject == wanted.subject;
                let said = format!("approval {}: {found}", asked.id);
                match &why {
                    None => why = Some((is_of_subject, said)),
                    Some((false, _)) if is_of_subject => why = Some((true, said)),
                    Some(_) => {}
                }
            }
        }
    }
    Ok(Err(why.map_or_else(String::new, |(_, said)| said)))
}

/// Looks for a valid approval once more, and uses it up: right before what it is for. Fails with
/// [`Code::ApprovalMissing`] where there is none.
pub fn second_person(records: Records<'_>, wanted: Wanted<'_>, at: Timestamp) -> Checked<Approved> {
    second_person_of(records, wanted, at, || approvers::needed(records.workspace))
}

/// As [`second_person`], held against another list than the one of now: whoever approves a change of
/// the list must not be somebody whom the change brings in.
pub fn second_person_of(
    records: Records<'_>,
    wanted: Wanted<'_>,
    at: Timestamp,
    approvers: impl FnOnce() -> Checked<Approvers>,
) -> Checked<Approved> {
    let approved = find_of(records.workspace, records.key, wanted, at, approvers)?
        .map_err(|why| missing(wanted, &why))?;
    spend(records, at, wanted.user, &approved)?;
    Ok(approved)
}

/// Uses up an approval that was found under the same lock.
pub fn spend(
    records: Records<'_>,
    at: Timestamp,
    user: &str,
    approved: &Approved,
) -> Checked<Head> {
    let desk = Desk {
        records,
        at,
        user,
        given_clock: false,
    };
    let event = Event::Used {
        operation: approved.operation,
        approver: approved.approver.clone(),
    };
    let head = journal::append(desk, &approved.id, event)?;
    project(desk, head);
    Ok(head)
}

/// Brings the projections up to date. They are made anew by the next step where that fails, and
/// nothing rests on them.
fn project(desk: Desk<'_>, head: Head) {
    let Records { workspace, key, .. } = desk.records;
    let approvers = approvers::load(workspace)
        .ok()
        .flatten()
        .unwrap_or_default();
    if let Ok(ledger) = Ledger::read(workspace, key) {
        let stored = projection::store(desk, &ledger, &approvers, head);
        if let Err(finding) = stored {
            tracing::warn!("{finding}");
        }
    }
}

fn missing(wanted: Wanted<'_>, why: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::ApprovalMissing,
            Place::file(APPROVAL_LOG),
            format!("Approver required in production: `{}` lacks a valid approval", wanted.operation),
        )
        .found(why)
        .expected(format!(
            "an approval of {} by a second person who signs with a key of their own",
            wanted.subject.sha256
        ))
        .help(format!(
            "`policy-orchestrator approve request --operation {} --reason TEXT`, and let somebody else grant it",
            wanted.operation
        )),
    )
}

fn unknown(id: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::ApprovalUnknown,
            Place::file(APPROVAL_LOG),
            "there is no request of that id",
        )
        .found(id)
        .expected("the id of a request")
        .help("`policy-orchestrator approve list` lists them"),
    )
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// What for.
    pub operation: Operation,
    /// What exactly.
    pub subject: Subject,
    /// The files that an accept is for; empty for all that differ, and for other operations.
    pub paths: &'a [String],
    /// Why.
    pub reason: &'a str,
    /// The key that the requester named as theirs.
    pub own_key: Option<&'a PrivateKey>,
}

/// Asks for an approval.
pub fn request(request: &Request<'_>, wish: Wish<'_>) -> Checked<Asked> {
    at_desk(request, |desk| {
        let id = uuid::Uuid::new_v4().to_string();
        let event = Event::Requested {
            operation: wish.operation,
            subject: wish.subject,
            reason: wish.reason.to_owned(),
            requester_key: wish.own_key.map(|key| key.verifying().id().to_string()),
            paths: wish.paths.to_vec(),
        };
        step(desk, &id, event)
    })
}

/// Appends a step, and tells how its request stands after it. Requests that are over are closed on
/// the way.
fn step(desk: Desk<'_>, id: &str, event: Event) -> Checked<Asked> {
    let Records { workspace, key, .. } = desk.records;
    let before = Ledger::read(workspace, key)?;
    for over in before
        .0
        .iter()
        .filter(|asked| asked.id != id && asked.is_over(desk.at))
    {
        journal::append(desk, &over.id, Event::Expired {})?;
    }
    let head = journal::append(desk, id, event)?;
    project(desk, head);
    let after = Ledger::read(workspace, key)?;
    after.get(id).cloned().ok_or_else(|| unknown(id))
}

/// What a request is held against when it is granted.
#[derive(Debug)]
pub struct Against {
    /// The list of approvers that counts for it.
    pub approvers: Approvers,
    /// What its subject is now, where that can be looked at.
    pub subject: Option<Subject>,
}

impl Against {
    /// The list of now, and whatever subject.
    pub fn now(workspace: &Workspace) -> Checked<Self> {
        Ok(Self {
            approvers: approvers::needed(workspace)?,
            subject: None,
        })
    }
}

/// Who grants, and what they hold.
#[derive(Debug, Clone, Copy)]
pub struct Hand<'a> {
    /// Their name in the list.
    pub name: &'a str,
    /// Their key.
    pub key: &'a PrivateKey,
}

/// Grants a request: signs what it says as the person of that name, with their key. `against` says
/// what it is held against.
///
/// Refused, and recorded as such, where whoever asked would grant it, where the key is not theirs by
/// the list, where they may not, where it is over or answered, and where they gave five that day.
pub fn grant(
    request: &Request<'_>,
    id: &str,
    hand: Hand<'_>,
    against: impl FnOnce(&Asked) -> Checked<Against>,
) -> Checked<Asked> {
    at_desk(request, |desk| {
        let Records {
            workspace,
            key: secret,
            ..
        } = desk.records;
        let ledger = Ledger::read(workspace, secret)?;
        let Some(asked) = ledger.get(id) else {
            return Err(refuse_unknown(desk, id, "approve_grant")?);
        };
        let against = against(asked)?;
        match statement(desk, &ledger, asked, &against, hand) {
            Ok(statement) => {
                let event = Event::Granted {
                    approver: statement.approver.clone(),
                    expires_at: statement.expires_at,
                    envelope: statement.sign(hand.key),
                };
                step(desk, id, event)
            }
            Err(why) => Err(refuse(desk, id, "grant", why)?),
        }
    })
}

/// What an approver signs, where they may.
fn statement(
    desk: Desk<'_>,
    ledger: &Ledger,
    asked: &Asked,
    against: &Against,
    Hand { name, key }: Hand<'_>,
) -> Result<Statement, String> {
    let Against { approvers, subject } = against;
    if asked.status != Status::Requested {
        return Err(format!("it is {} already", asked.status.as_str()));
    }
    if asked.is_over(desk.at) {
        return Err(format!("nobody answered before {}", asked.until()));
    }
    let public = key.verifying();
    let approver = approvers
        .named(name)
        .ok_or_else(|| format!("{name} is not in the list of approvers"))?;
    if approver.key != public {
        return Err(format!(
            "the key {} is not that of {}",
            public.id().short(),
            approver.name
        ));
    }
    let own_key = asked.requester_key.as_deref() == Some(&public.id().to_string());
    if is_same_person(&asked.requester, &approver.name) || own_key {
        return Err("whoever asks for an approval can't grant it".to_owned());
    }
    if !approver.may(asked.operation, desk.at) {
        return Err(format!(
            "{} may not approve `{}` now",
            approver.name, asked.operation
        ));
    }
    if let Some(what) = subject.and_then(|now| asked.subject.difference(&now)) {
        return Err(format!("{what} is another one now: ask again"));
    }
    let days = projection::grants(ledger, approvers);
    let today = days
        .get(&desk.at.date())
        .and_then(|day| day.get(&approver.name));
    if today.is_some_and(|count| *count >= A_DAY) {
        return Err(format!(
            "{} granted {A_DAY} today, which is the limit",
            approver.name
        ));
    }
    Ok(Statement {
        id: asked.id.clone(),
        operation: asked.operation,
        subject: asked.subject,
        requester: asked.requester.clone(),
        approver: approver.name.clone(),
        granted_at: desk.at,
        expires_at: desk.at.plus_seconds(LASTS),
    })
}

/// Denies a request, also one that was granted and is not used. Anybody may: it only closes.
pub fn deny(request: &Request<'_>, id: &str, reason: &str) -> Checked<Asked> {
    at_desk(request, |desk| {
        let Records { workspace, key, .. } = desk.records;
        let ledger = Ledger::read(workspace, key)?;
        let Some(asked) = ledger.get(id) else {
            return Err(refuse_unknown(desk, id, "approve_deny")?);
        };
        if !matches!(asked.status, Status::Requested | Status::Granted) {
            let why = format!("it is {} already", asked.status.as_str());
            return Err(refuse(desk, id, "deny", why)?);
        }
        let event = Event::Denied {
            reason: reason.to_owned(),
        };
        step(desk, id, event)
    })
}

/// Records an answer to a request that nobody made, where what is refused beside requests is kept.
fn refuse_unknown(desk: Desk<'_>, id: &str, action: &'static str) -> Checked<Box<Diagnostic>> {
    /// As much of an id as is repeated: what nobody made may be of any length.
    const REPEATED: usize = 64;
    #[derive(Serialize)]
    struct Details {
        id: String,
        refused: &'static str,
    }
    let event = audit::Event {
        at: desk.at,
        user: desk.user,
        action,
        event_type: &EventType::APPROVAL_REFUSED,
        severity: Severity::High,
        task_id: None,
        data: Digest::of(id.as_bytes()),
        details: &Details {
            id: id.chars().take(REPEATED).collect(),
            refused: "approval_unknown",
        },
        given_clock: desk.given_clock,
    };
    audit::append_refusal(desk.records, &event)?;
    Ok(unknown(id))
}

/// Records a refusal, and makes the finding of it.
fn refuse(desk: Desk<'_>, id: &str, step: &str, why: String) -> Checked<Box<Diagnostic>> {
    let finding = Diagnostic::new(
        Code::ApprovalRefused,
        Place::file(APPROVAL_LOG),
        format!("this request can't be answered so: {why}"),
    )
    .found(id)
    .expected("an open request, and somebody else whom policy/approvers.yaml lists with this key")
    .help("`policy-orchestrator approve list` says how each stands");
    let event = Event::Refused {
        step: step.to_owned(),
        reason: why,
    };
    let head = journal::append(desk, id, event)?;
    project(desk, head);
    Ok(Box::new(finding))
}

/// Every request, in the order in which they were made.
pub fn all(workspace: &Workspace, key: Option<&SigningKey>) -> Checked<Vec<Asked>> {
    Ok(Ledger::read(workspace, key)?.0)
}

/// Is the approval of this id valid at `at`, whatever it is used for? Says why not.
pub fn verify(
    workspace: &Workspace,
    key: Option<&SigningKey>,
    id: &str,
    at: Timestamp,
    against: impl FnOnce(&Asked) -> Checked<Against>,
) -> Checked<(Asked, Result<Approved, String>)> {
    let ledger = Ledger::read(workspace, key)?;
    let asked = ledger.get(id).ok_or_else(|| unknown(id))?;
    let Against { approvers, subject } = against(asked)?;
    let subject = subject.as_ref();
    let judged = judge(asked, &approvers, asked.operation, subject, None, at);
    Ok((asked.clone(), judged))
}
