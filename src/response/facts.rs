//! What the gates ask for, read from the workspace. Nothing is written.

use serde::Deserialize;

use super::actions::Action;
use super::declared::InForce;
use super::gates::{
    self, ApproverFact, DecisionFact, Fact, Facts, FreezeFact, PreviewFact, Unattended, Word,
};
use super::plan::{Plan, plan};
use super::{log, preview, settle};
use crate::approval::operation::Overridden;
use crate::approval::overrides::Usable;
use crate::approval::{self, Approved, Operation, Subject, overrides};
use crate::diagnostic::{Checked, Diagnostic};
use crate::fs::Workspace;
use crate::fs::read::read_own;
use crate::ids::Digest;
use crate::policy::Level;
use crate::policy::document::{self, Loaded};
use crate::protection::{self, Decided};
use crate::record::journal::{self, Inspection, JournalTail, Purpose};
use crate::record::{
    Head, LOOK_BACK, Records, STATE_JOURNAL, SigningKey, StoredState, findings, heads, ledger,
    verified,
};
use crate::safeguard::{brake, kill_switch, trust_guard, unlocks};
use crate::signals::{Outcome, ReadContext, Reading, Value, responses, trust};
use crate::time::Timestamp;

/// A preview larger than this is none of ours.
const LIMIT: u64 = 1024 * 1024;

/// What is to be responded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// The level that was decided last.
    Decided,
    /// This level, whatever was decided.
    Level(&'a Level),
    /// No level: one native action is to be run.
    Action(Action),
}

/// How much of the journals to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The last thousand lines of each.
    End,
    /// At least those, and all that follows the last recorded full verification.
    SinceVerified,
}

/// What to find out, and with what.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// Where.
    pub workspace: &'a Workspace,
    /// The time now.
    pub at: Timestamp,
    /// What is to be responded to.
    pub wanted: Wanted<'a>,
    /// The one action of the plan that is asked for.
    pub only: Option<&'a str>,
    /// The operator's word that forces another level.
    pub forced: Word,
    /// The operator's word that applies once more.
    pub again: Word,
    /// For an apply that nobody watches: the value of `POLICY_AUTO_APPLY`.
    pub unattended: Option<Option<String>>,
    /// Who holds the lock of applies, where somebody else does.
    pub other_apply: Option<String>,
    /// Why a response that was cut off could not be recorded as such.
    pub unsettleable: Option<String>,
    /// How much of the journals to look at.
    pub depth: Depth,
    /// The size limit of an input, in bytes.
    pub limit: u64,
    /// The key that signs journals.
    pub key: Option<&'a SigningKey>,
    /// True under `ENV=production`.
    pub production: bool,
    /// For whom.
    pub user: &'a str,
    /// The override that is to stand for an approval.
    pub override_id: Option<&'a str>,
}

/// Who approved a plan, and by what.
#[derive(Debug, Clone, PartialEq)]
pub enum SecondPerson {
    /// A signed approval.
    Approval(Box<Approved>),
    /// An override.
    Override(Usable),
}

/// What was found.
#[derive(Debug)]
pub enum Survey {
    /// No level was named, and none is decided yet.
    Undecided,
    /// This level calls for nothing: GREEN, or one without an action.
    Nothing(Level),
    /// The plan has no action of the name that was asked for; these are its actions.
    NoSuchAction(Vec<String>),
    /// A plan, and what its gates ask for.
    Planned(Box<(Plan, Facts)>),
}

/// Finds out what is called for and everything that the gates ask for, of the policy document as it
/// stands now: an apply asks when it begins and again before every action, so that a document that
/// was changed meanwhile closes its gate.
pub fn survey(question: &Question<'_>) -> Checked<Survey> {
    survey_under(question, &InForce::load(question.workspace))
}

/// As [`survey`], of a policy document that was read before. Fails where no level was named and the
/// decided one can't be read, and where the declared responses can't be used.
pub fn survey_under(question: &Question<'_>, in_force: &InForce) -> Checked<Survey> {
    let end = journal_end(question);
    let (decision, head) = match &end {
        Ok((tail, state)) => (Ok(decided(tail, state.as_ref())), tail.end.head),
        Err(finding) => (Err(finding.message.clone()), None),
    };
    let wanted = match (question.wanted, &decision, end.as_ref().err()) {
        (Wanted::Action(_), ..) => None,
        (Wanted::Level(level), ..) => Some(level.clone()),
        (Wanted::Decided, Ok(Some(decision)), _) => Some(decision.level.clone()),
        (Wanted::Decided, _, Some(finding)) => return Err(finding.clone()),
        (Wanted::Decided, _, None) => return Ok(Survey::Undecided),
    };
    let plan = match (question.wanted, &wanted) {
        (Wanted::Action(action), _) => Plan::of_action(action),
        (_, Some(level)) => {
            let responses = match &in_force.responses {
                Ok(responses) => responses,
                // One problem is enough.
                Err(problems) => return Err(Box::new(problems.clone().swap_remove(0))),
            };
            match plan(level, head, responses) {
                Some(plan) => plan,
                None => return Ok(Survey::Nothing(level.clone())),
            }
        }
        (_, None) => return Ok(Survey::Undecided),
    };
    let plan = match question.only {
        None => plan,
        Some(name) => {
            let names = plan.actions.iter().map(|planned| planned.action.clone());
            let names: Vec<String> = names.collect();
            match plan.only(name) {
                Some(plan) => plan,
                None => return Ok(Survey::NoSuchAction(names)),
            }
        }
    };
    let facts = facts(question, wanted, decision, end, &plan, &in_force.policy);
    Ok(Survey::Planned(Box::new((plan, facts))))
}

fn facts(
    question: &Question<'_>,
    wanted: Option<Level>,
    decision: Fact<Option<DecisionFact>>,
    end: Checked<(JournalTail, Option<StoredState>)>,
    plan: &Plan,
    policy: &Loaded,
) -> Facts {
    let (workspace, at) = (question.workspace, question.at);
    let digest = plan.digest();
    let recent = log::recent(workspace, at, Some(plan)).map_err(said);
    let unattended = question.unattended.clone();
    let trust_locked = trust_locked(question);
    Facts {
        at,
        wanted,
        forced: question.forced.clone(),
        again: question.again.clone(),
        kill_switch: kill_switch::closed(workspace)
            .map(|finding| finding.found.unwrap_or(finding.message)),
        journals: journals(question, end),
        policy_lock: policy_lock(question),
        decision,
        trust_opens: (trust_locked == Ok(Some(true)))
            .then(|| trust_guard::status(workspace, at).term)
            .flatten()
            .map(|term| term.opens_at),
        trust_locked,
        applies: recent
            .as_ref()
            .map(|recent| recent.times.clone())
            .unwrap_or_default(),
        brake: brake::load(workspace)
            .map(|brake| brake.map(|brake| brake.fact))
            .map_err(said),
        responses: recent_responses(question, recent.as_ref()),
        unlocks: unlocks::count(workspace, at).map_err(said),
        freeze: freeze(policy, at),
        other_apply: Ok(question.other_apply.clone()),
        unsettled: match &question.unsettleable {
            Some(why) => Err(why.clone()),
            None => unsettled(question, plan),
        },
        applied: recent.map(|recent| recent.applied),
        unattended: unattended.map(|switch| Unattended {
            switch,
            preview: last_preview(workspace, digest),
        }),
        production: question.production,
        approver: approver(question, plan),
        has_key: question.key.is_some(),
    }
}

/// What an approval of this plan is bound to: the plan, the policy that is in force now, and the
/// line that records the inputs.
pub fn subject(workspace: &Workspace, plan: &Plan) -> Subject {
    Subject {
        sha256: plan.digest(),
        policy: Some(document::load(workspace).policy.identity().sha256),
        inputs: plan.decision.map(|head| head.sha256),
    }
}

/// Who approved this plan; as a fact where somebody did not.
pub fn second_person(
    question: &Question<'_>,
    plan: &Plan,
) -> Checked<Result<SecondPerson, ApproverFact>> {
    let Question { workspace, at, .. } = *question;
    if let Some(id) = question.override_id {
        let operation = Overridden::Apply(plan.digest());
        let looked = overrides::look(workspace, id, &operation, at)?;
        return Ok(looked
            .map(SecondPerson::Override)
            .map_err(|refusal| ApproverFact::Refused(refusal.as_str(), refusal.to_string())));
    }
    let wanted = approval::Wanted {
        operation: Operation::Apply,
        subject: subject(workspace, plan),
        user: question.user,
    };
    let found = approval::find(workspace, question.key, wanted, at)?;
    Ok(found
        .map(|approved| SecondPerson::Approval(Box::new(approved)))
        .map_err(ApproverFact::Missing))
}

fn approver(question: &Question<'_>, plan: &Plan) -> Fact<ApproverFact> {
    // Where no gate asks, nothing is looked for.
    if question.unattended.is_none() && !question.production {
        return Ok(ApproverFact::Missing("nobody was asked".to_owned()));
    }
    let found = second_person(question, plan).map_err(said)?;
    Ok(match found {
        Ok(SecondPerson::Approval(approved)) => ApproverFact::Approved {
            how: "approval",
            id: approved.id,
            by: approved.approver,
            until: approved.expires_at,
        },
        Ok(SecondPerson::Override(usable)) => ApproverFact::Approved {
            how: "override",
            id: usable.id,
            by: usable.approver,
            until: usable.until,
        },
        Err(fact) => fact,
    })
}

/// The end of the journal of decisions; what is broken comes back as its first problem.
fn journal_end(question: &Question<'_>) -> Checked<(JournalTail, Option<StoredState>)> {
    let workspace = question.workspace;
    let state = StoredState::load(workspace)?;
    let purpose = purpose(question, STATE_JOURNAL);
    match journal::inspect(workspace, state.as_ref(), question.key, purpose)? {
        Inspection::Whole(tail) => Ok((*tail, state)),
        Inspection::Broken(mut problems) => Err(Box::new(problems.swap_remove(0))),
    }
}

/// The last decision: the journal's, which may be ahead of the state file. A state file without a
/// chained line is the predecessor's.
fn decided(tail: &JournalTail, state: Option<&StoredState>) -> Option<DecisionFact> {
    if let Some(line) = &tail.last {
        return Some(DecisionFact {
            level: line.level.clone(),
            at: line.at,
            given_clock: line.given_clock,
        });
    }
    state.map(|state| DecisionFact {
        level: state.level.clone(),
        at: state.evaluated_at,
        given_clock: state.given_clock,
    })
}

/// Records that the journals were looked at in full, after a survey with
/// [`Depth::SinceVerified`] opened the gate `journals`. `decision` is the last line of decisions.
pub fn record_verified(records: Records<'_>, at: Timestamp, decision: Option<Head>) -> Checked<()> {
    let all = heads::of_all(records.workspace, decision)?;
    let known = all
        .into_iter()
        .filter_map(|(file, head)| Some((file, head?)));
    verified::store(records, at, known)
}

/// What is not settled, and would not be by the operator's word: that speaks for the actions of
/// this plan only.
fn unsettled(question: &Question<'_>, plan: &Plan) -> Fact<Vec<String>> {
    let other_apply = question.other_apply.is_some();
    let mut open = settle::unsettled(question.workspace, other_apply).map_err(said)?;
    if question.again.is_some() {
        open.retain(|unsettled| !plan.repeats(unsettled));
    }
    Ok(open.iter().map(settle::named).collect())
}

fn purpose(question: &Question<'_>, file: &str) -> Purpose {
    match question.depth {
        Depth::End => Purpose::Look { lines: LOOK_BACK },
        Depth::SinceVerified => verified::since(question.workspace, file, question.key, LOOK_BACK),
    }
}

/// The protected files, looked at anew: what ran since the command began may have changed them.
fn policy_lock(question: &Question<'_>) -> Fact<String> {
    let Question { workspace, key, .. } = *question;
    let decided = Decided::load(workspace).map_err(said)?;
    let looked = protection::look(workspace, key, decided).map_err(said)?;
    if let Some(first) = looked.findings().first() {
        return Err(place_and_message(first));
    }
    Ok(looked.locked.map_or_else(
        || "nothing is locked: `policy lock` holds the policies to their bytes".to_owned(),
        |locked| {
            format!(
                "{} files as they were accepted",
                locked.manifest.files.len()
            )
        },
    ))
}

fn journals(
    question: &Question<'_>,
    end: Checked<(JournalTail, Option<StoredState>)>,
) -> Fact<String> {
    let Question { workspace, key, .. } = *question;
    let (tail, _) = end.map_err(said)?;
    // What could not be appended to could not record a response either.
    if tail.end.unchecked {
        return Err(said(findings::secret_missing(STATE_JOURNAL)));
    }
    for (file, head) in heads::of_all(workspace, None).map_err(said)? {
        if file == STATE_JOURNAL {
            continue;
        }
        let purpose = purpose(question, &file);
        let found = ledger::obstacle(workspace, &file, head, key, purpose).map_err(said)?;
        if let Some(problem) = found {
            return Err(said(Box::new(problem)));
        }
    }
    Ok(format!(
        "the last {} of {STATE_JOURNAL} follow each other",
        tail.end.looked_at
    ))
}

#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
fn said(finding: Box<Diagnostic>) -> String {
    place_and_message(&finding)
}

fn place_and_message(finding: &Diagnostic) -> String {
    format!("{}: {}", finding.place, finding.message)
}

/// Why a signal has no value although its file is there.
fn unusable(reading: &Reading) -> String {
    reading.errors().first().map_or_else(
        || format!("the signal {} can't be used", reading.signal),
        place_and_message,
    )
}

fn trust_locked(question: &Question<'_>) -> Fact<Option<bool>> {
    let reading = trust::load(context(question));
    match reading.outcome {
        Outcome::Valid(Value::Flag(locked)) => Ok(Some(locked)),
        Outcome::Missing(_) => Ok(None),
        _ => Err(unusable(&reading)),
    }
}

fn context<'a>(question: &Question<'a>) -> ReadContext<'a> {
    ReadContext {
        workspace: question.workspace,
        at: question.at,
        limit: question.limit,
    }
}

/// The freeze windows of the policy that is in force now, which may be another than the one that
/// decided: what is applied is what its author allows at this moment. A refused document may freeze
/// everything, for all that anybody knows.
fn freeze(loaded: &Loaded, at: Timestamp) -> Fact<FreezeFact> {
    let Loaded {
        policy, problems, ..
    } = loaded;
    if policy.is_refused() {
        let why = problems.first().map_or_else(String::new, place_and_message);
        return Err(format!(
            "the policy document is refused, so nobody knows its freeze windows: {why}"
        ));
    }
    let identity = policy.identity();
    Ok(FreezeFact {
        policy: format!("policy `{}`, version {}", identity.name, identity.version),
        windows: policy.freeze().windows().len(),
        standing: policy.freeze().at(at),
    })
}

/// A small JSON file as a shape: `None` where it is absent. An empty one can't be read.
fn parsed<T: serde::de::DeserializeOwned>(workspace: &Workspace, file: &str) -> Fact<Option<T>> {
    let Some(bytes) = read_own(workspace, file, LIMIT).map_err(said)? else {
        return Ok(None);
    };
    let bare = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    serde_json::from_slice(bare)
        .map(Some)
        .map_err(|error| format!("{file} can't be read: {error}"))
}

/// The last dry run, held against the plan with the digest `plan`; `None` where there is none.
fn last_preview(workspace: &Workspace, plan: Digest) -> Fact<Option<PreviewFact>> {
    #[derive(Deserialize)]
    struct Raw {
        timestamp: Timestamp,
        mode: String,
        plan: Digest,
        #[serde(default)]
        gates: Vec<RawGate>,
    }
    #[derive(Deserialize)]
    struct RawGate {
        name: String,
        open: bool,
    }
    let raw: Option<Raw> = parsed(workspace, preview::FILE)?;
    // What an unattended apply needs beside is asked for when it comes.
    let passed = |gate: &RawGate| gate.open || gates::UNATTENDED.contains(&gate.name.as_str());
    Ok(raw.map(|raw| PreviewFact {
        at: raw.timestamp,
        same_plan: raw.plan == plan && raw.mode == "dry-run",
        passed: !raw.gates.is_empty() && raw.gates.iter().all(passed),
    }))
}

/// Adaptive responses of the history and own applies, in the last 24 hours (C-31, D-07).
fn recent_responses(question: &Question<'_>, own: Result<&log::Recent, &String>) -> Fact<u64> {
    let reading = responses::load(context(question));
    let of_history = match reading.outcome {
        Outcome::Valid(Value::Count(count)) => count,
        Outcome::Missing(_) => 0,
        _ => return Err(unusable(&reading)),
    };
    own.map(|recent| of_history + recent.applies)
        .map_err(Clone::clone)
}
