//! Apply: carries out a plan behind its gates, one action after the other.
//!
//! The lock of applies is held from beginning to end; the workspace lock for each record only, so
//! that a run, a status or the kill switch never waits for an action. Before an action its intent is
//! recorded, after it its outcome, and at the end one line for the whole. How one action is run is
//! said in [`step`], what a kill leaves behind in [`super::settle`].

mod ending;
mod step;

use std::ffi::OsString;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use tracing::field::Empty;

use super::facts::{self, Question, SecondPerson, Survey, Wanted};
use super::gates::{self, ApproverFact, Gate, Permit, Word};
use super::log::ActionResult;
use super::plan::Plan;
use super::settle::{self, Interrupted};
use crate::approval::operation::Overridden;
use crate::approval::{self, overrides};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::{ApplyLock, LockTimeout, RetryDelays, Workspace, WorkspaceLock};
use crate::ids::Digest;
use crate::policy::Level;
use crate::privacy::Secrets;
use crate::record::response_journal::{self, Event, UnderWay};
use crate::record::{Head, RESPONSE_LOG, Records, SigningKey};
use crate::time::{Clock, Timestamp};

pub use ending::{BLOCKED_REPORT, FAILURE_REPORT, failed};

/// The event that begins a response in its journal.
pub const BEGUN: &str = "response_begun";

/// Who applies or undoes, and with what.
#[derive(Debug, Clone, Copy)]
pub struct Operator<'a> {
    /// Where.
    pub workspace: &'a Workspace,
    /// The key that signs records.
    pub key: Option<&'a SigningKey>,
    /// The waits between attempts at a write.
    pub retry: &'a RetryDelays,
    /// How long to wait for the workspace lock.
    pub timeout: LockTimeout,
    /// What for: `apply` or `undo`.
    pub what: &'static str,
    /// For whom.
    pub user: &'a str,
}

impl Operator<'_> {
    /// Does something while nobody else records. The clock is read when the lock is held, so that
    /// the order of a journal is the order of its times.
    pub fn record<T>(&self, work: impl FnOnce(Records<'_>, Timestamp) -> Checked<T>) -> Checked<T> {
        let lock = WorkspaceLock::acquire(self.workspace, self.what, self.timeout, self.retry)?;
        let records = Records {
            workspace: self.workspace,
            lock: &lock,
            key: self.key,
            retry: self.retry,
        };
        work(records, Clock::System.read())
    }

    /// Takes the lock of applies, or tells who holds it.
    pub fn apply_lock(&self) -> Checked<Result<ApplyLock, String>> {
        let who = format!("{} by {}", self.what, self.user);
        ApplyLock::acquire(self.workspace, &who, self.retry)
    }
}

/// How actions are started.
#[derive(Debug, Clone, Copy)]
pub struct Launch<'a> {
    /// This program: it supervises every action, and runs the native ones.
    pub program: &'a Path,
    /// The variables of this process.
    pub environment: &'a [(OsString, OsString)],
    /// What must not be in any record.
    pub secrets: &'a Secrets,
    /// Set when somebody asks this process to end.
    pub cancelled: &'a AtomicBool,
}

impl Launch<'_> {
    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

/// An apply that came to an end, be it at a closed gate.
#[derive(Debug)]
pub struct Applied {
    /// What was told beside: a response that had been cut off, a marker that could not be set.
    pub interrupted: Option<Interrupted>,
    /// How it ended.
    pub ending: Ending,
    /// What went wrong beside the actions.
    pub findings: Vec<Diagnostic>,
}

/// How an apply ended.
#[derive(Debug)]
pub enum Ending {
    /// No level is decided, and none was named.
    Undecided,
    /// This level calls for nothing.
    Nothing(Level),
    /// The plan has no such action; it has these.
    NoSuchAction(Vec<String>),
    /// A gate was closed, and nothing was started.
    Blocked(Box<Report>),
    /// The plan was carried out, or as far as it went.
    Done(Box<Report>),
}

/// What an apply came to, as it is shown.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The version of this shape.
    pub schema: u32,
    /// The response, a UUID of version 4 (RFC 9562).
    pub response_id: String,
    /// When it ended.
    pub timestamp: Timestamp,
    /// The level that was responded to.
    pub policy: Option<Level>,
    /// Always `apply`.
    pub mode: &'static str,
    /// True where a gate was closed.
    pub blocked: bool,
    /// The reason of the first closed gate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// True where every action ended well, or was left out on purpose.
    pub success: bool,
    /// How many actions the plan has.
    pub actions_planned: usize,
    /// How many ended well.
    pub actions_succeeded: usize,
    /// What became of each.
    pub results: Vec<ActionResult>,
    /// The digest of the plan.
    pub plan: Digest,
    /// The journal line of the decision.
    pub decision: Option<Head>,
    /// For whom.
    pub user: String,
    /// The fix branch of a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix_branch: Option<String>,
    /// Every gate, open or closed.
    pub gates: Vec<Gate>,
    /// For the log: the operator's words, and whether anybody stood by.
    #[serde(skip)]
    forced: Word,
    #[serde(skip)]
    again: Word,
    #[serde(skip)]
    unattended: bool,
}

/// One apply on its way.
struct Response {
    id: String,
    begun_at: Timestamp,
    plan: Plan,
    digest: Digest,
    gates: Vec<Gate>,
    forced: Word,
    again: Word,
    unattended: bool,
}

/// Applies what `question` asks for. Its time and the holder of the lock of applies are filled in
/// here.
///
/// Fails where nothing was started and nothing could be recorded.
pub fn apply(
    operator: Operator<'_>,
    question: &Question<'_>,
    launch: Launch<'_>,
) -> Checked<Applied> {
    let (lock, other) = match operator.apply_lock()? {
        Ok(lock) => (Some(lock), None),
        Err(holder) => (None, Some(holder)),
    };
    let mut interrupted = None;
    let mut findings = Vec::new();
    let begun = operator.record(|records, at| {
        if launch.is_cancelled() {
            return Err(cancelled());
        }
        let mut unsettleable = None;
        if lock.is_some() {
            // A journal that is broken can't be settled; its gate says so below.
            match settle::settle(records, at, operator.user) {
                Ok(cut_off) => interrupted = cut_off,
                Err(finding) => {
                    unsettleable = Some(finding.to_string());
                    findings.push(*finding);
                }
            }
        }
        let question = Question {
            at,
            other_apply: other,
            unsettleable,
            ..question.clone()
        };
        tracing::debug_span!("look_at_gates")
            .in_scope(|| begin(operator, records, &question, lock, &mut findings))
    })?;
    let ending = match begun {
        Begun::Ended(ending) => ending,
        Begun::Permitted(permitted) => {
            let report = carry_out(operator, *permitted, launch, question, &mut findings);
            Ending::Done(Box::new(report))
        }
    };
    Ok(Applied {
        interrupted,
        ending,
        findings,
    })
}

/// The finding for a signal that came before anything was begun.
fn cancelled() -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::ActionFailed,
            Place::file(RESPONSE_LOG),
            "a signal asked to end before anything was begun",
        )
        .found("SIGINT, SIGHUP or SIGTERM")
        .expected("to be let go on")
        .help("nothing was started and nothing recorded"),
    )
}

enum Begun {
    Ended(Ending),
    Permitted(Box<Permitted>),
}

/// A response that may be carried out: every gate was open, and nobody else applies.
struct Permitted {
    response: Response,
    lock: ApplyLock,
    _permit: Permit,
}

fn begin(
    operator: Operator<'_>,
    records: Records<'_>,
    question: &Question<'_>,
    lock: Option<ApplyLock>,
    findings: &mut Vec<Diagnostic>,
) -> Checked<Begun> {
    let (plan, facts) = match facts::survey(question)? {
        Survey::Undecided => return Ok(Begun::Ended(Ending::Undecided)),
        Survey::Nothing(level) => return Ok(Begun::Ended(Ending::Nothing(level))),
        Survey::NoSuchAction(names) => return Ok(Begun::Ended(Ending::NoSuchAction(names))),
        Survey::Planned(planned) => *planned,
    };
    let gates = gates::evaluate(&facts);
    let permit = gates::permit(&gates);
    let response = Response {
        id: uuid::Uuid::new_v4().to_string(),
        begun_at: question.at,
        digest: plan.digest(),
        plan,
        gates,
        forced: question.forced.clone(),
        again: question.again.clone(),
        unattended: question.unattended.is_some(),
    };
    let (Some(permit), Some(lock)) = (permit, lock) else {
        let report = ending::block(operator, records, response, question.at, findings);
        return Ok(Begun::Ended(Ending::Blocked(Box::new(report))));
    };
    use_up(records, question, &response.plan)?;
    record_begin(operator, records, &response, question.at)?;
    facts::record_verified(records, question.at, response.plan.decision)?;
    Ok(Begun::Permitted(Box::new(Permitted {
        response,
        lock,
        _permit: permit,
    })))
}

/// Uses up what opened the gate `approver`, right before the apply begins: a kill in between leaves
/// it used and nothing applied.
fn use_up(records: Records<'_>, question: &Question<'_>, plan: &Plan) -> Checked<()> {
    if question.unattended.is_none() && !question.production {
        return Ok(());
    }
    let (at, user) = (question.at, question.user);
    match facts::second_person(question, plan)? {
        Ok(SecondPerson::Approval(approved)) => {
            approval::spend(records, at, user, &approved).map(drop)
        }
        Ok(SecondPerson::Override(usable)) => {
            let operation = Overridden::Apply(plan.digest());
            overrides::spend(records, at, user, &usable.id, &operation).map(drop)
        }
        // The gate was open a moment ago, under this very lock.
        Err(fact) => Err(nobody(&fact)),
    }
}

fn nobody(fact: &ApproverFact) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::ApprovalMissing,
            Place::file(RESPONSE_LOG),
            "what approved this apply is gone since its gate was looked at",
        )
        .found(format!("{fact:?}"))
        .expected("the approval or override that opened the gate")
        .help("nothing was started; ask for an approval anew"),
    )
}

#[derive(Serialize)]
struct BegunDetail<'a> {
    id: &'a str,
    policy: Option<&'a Level>,
    plan: Digest,
    decision: Option<Head>,
    actions: Vec<&'a str>,
    unattended: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    forced: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    again: Option<&'a str>,
    /// Who approved it, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    approved: Option<&'a str>,
}

fn record_begin(
    operator: Operator<'_>,
    records: Records<'_>,
    response: &Response,
    at: Timestamp,
) -> Checked<()> {
    let actions = &response.plan.actions;
    let detail = BegunDetail {
        id: &response.id,
        policy: response.plan.policy.as_ref(),
        plan: response.digest,
        decision: response.plan.decision,
        actions: actions
            .iter()
            .map(|planned| planned.action.as_str())
            .collect(),
        unattended: response.unattended,
        forced: response.forced.as_deref(),
        again: response.again.as_deref(),
        approved: gates::approved(&response.gates),
    };
    let event = Event {
        at,
        name: BEGUN,
        user: operator.user,
    };
    response_journal::append(records, event, &detail, |standing| {
        standing.under_way = Some(UnderWay {
            response_id: response.id.clone(),
            action: None,
            undo_of: None,
            since: at,
        });
        // The operator's word to do these very actions once more.
        if response.again.is_some() {
            standing
                .unsettled
                .retain(|unsettled| !response.plan.repeats(unsettled));
        }
    })
    .map(drop)
}

/// Runs the actions of a plan. After one that failed, no further one that changes files is started.
fn carry_out(
    operator: Operator<'_>,
    permitted: Permitted,
    launch: Launch<'_>,
    question: &Question<'_>,
    findings: &mut Vec<Diagnostic>,
) -> Report {
    let Permitted { response, lock, .. } = permitted;
    // What was decided when it began, whatever is decided meanwhile.
    let level = response.plan.policy.as_ref();
    let question = Question {
        wanted: level.map_or(question.wanted, Wanted::Level),
        ..question.clone()
    };
    let mut results: Vec<ActionResult> = Vec::new();
    for (index, planned) in response.plan.actions.iter().enumerate() {
        let step = step::Step {
            operator,
            response_id: &response.id,
            index,
            planned,
            launch,
            lock: &lock,
            question: &question,
        };
        let failed = results
            .iter()
            .any(|result| !result.success && !result.skipped);
        if launch.is_cancelled() {
            results.push(step.left_out("not started: a signal asked to end"));
            continue;
        }
        if failed && planned.changes_files() {
            results.push(step.left_out("an earlier action failed"));
            continue;
        }
        let span =
            tracing::debug_span!("action", action = planned.action.as_str(), outcome = Empty);
        let ran = span.in_scope(|| step.run());
        span.record("outcome", outcome(&ran));
        match ran {
            Ok(result) => results.push(result),
            Err(finding) => {
                // What can't be recorded is not gone on with.
                let why = format!(
                    "could not be recorded, so nobody knows: {}",
                    finding.message
                );
                results.push(step.left_out(&why));
                findings.push(*finding);
                break;
            }
        }
    }
    tracing::debug_span!("record").in_scope(|| ending::end(operator, response, results, findings))
}

/// How an action came out, in a word for its span.
fn outcome(ran: &Checked<ActionResult>) -> &'static str {
    match ran {
        Ok(result) if result.success => "done",
        Ok(result) if result.skipped => "skipped",
        _ => "failed",
    }
}
