//! What `doctor` says of the lock of the policies, of second persons, of checkpoints, and of the policies
//! for requests.

use chrono::TimeDelta;

use super::{Check, Grade};
use crate::approval::{Operation, approvers};
use crate::authorization::{self, Unusable};
use crate::cli::{production, secrets, tamper};
use crate::fs::Workspace;
use crate::ids::EventType;
use crate::protection::Looked;
use crate::protection::rules::MANIFEST;
use crate::record::{AUDIT_LOG, audit};
use crate::time::Timestamp;

/// A checkpoint that is older than this many days protects little of what was recorded since.
const DAYS: i64 = 30;

pub(super) fn trust(workspace: &Workspace, at: Timestamp) -> Vec<Check> {
    let mut checks = lock(workspace);
    checks.extend(second_persons(workspace, at));
    checks.extend(codes());
    checks.push(checkpoint(workspace, at));
    checks.extend(requests(workspace));
    checks
}

/// Nothing where no file says anything about requests.
fn requests(workspace: &Workspace) -> Vec<Check> {
    const WHAT: &str = "requests";
    match authorization::load(workspace) {
        Ok(policies) if policies.sources().is_empty() => Vec::new(),
        Ok(policies) => vec![Check::ok(
            WHAT,
            format!(
                "`decide` asks the policies of {} files",
                policies.sources().len()
            ),
        )],
        Err(Unusable(problems)) => problems
            .iter()
            .map(|problem| Check::of(WHAT, problem))
            .collect(),
    }
}

fn lock(workspace: &Workspace) -> Vec<Check> {
    const WHAT: &str = "policy lock";
    let looked = match tamper::look(workspace) {
        Ok(looked) => looked,
        Err(finding) => return vec![Check::of(WHAT, &finding)],
    };
    let findings = looked.findings();
    let mut checks: Vec<Check> = findings
        .iter()
        .chain(&looked.notes)
        .map(|finding| Check::of(WHAT, finding))
        .collect();
    checks.extend(drift(&looked));
    let Some(locked) = &looked.locked else {
        if !looked.is_tampered() {
            checks.push(Check::graded(
                WHAT,
                Grade::Remark,
                "nothing is locked: whoever can write files can change the policy unseen",
                "review the files, then `policy-orchestrator policy lock --reason TEXT`",
            ));
        }
        return checks;
    };
    let key = secrets::signing_key().ok().flatten();
    let signed = locked.manifest.key_id.as_deref();
    match (key, signed) {
        (Some(_), None) => checks.push(Check::graded(
            WHAT,
            Grade::Remark,
            format!("{MANIFEST} is not signed, and a signing secret is set"),
            "`policy-orchestrator policy lock --reason TEXT` signs it",
        )),
        (Some(key), Some(signed)) if signed != key.id().as_str() => checks.push(Check::graded(
            WHAT,
            Grade::Remark,
            format!("{MANIFEST} is signed with the key {signed}, which is not the one that signs now"),
            "`policy-orchestrator audit rotate-key --reason TEXT`, with the old secret at hand, signs it anew",
        )),
        _ => {}
    }
    if checks.is_empty() {
        let files = locked.manifest.files.len();
        checks.push(Check::ok(
            WHAT,
            format!("{files} files as they were accepted"),
        ));
    }
    checks
}

/// Permission bits that a checkout reset: a hint, no fault.
fn drift(looked: &Looked) -> Option<Check> {
    let first = looked.drift.first()?;
    let more = match looked.drift.len() {
        1 => String::new(),
        count => format!(", and {} more files", count - 1),
    };
    Some(Check::graded(
        "policy lock",
        Grade::Remark,
        format!(
            "{} has mode {} instead of {}{more}, as after a checkout; its bytes are those that were accepted",
            first.path, first.found, first.expected
        ),
        format!(
            "`policy-orchestrator policy verify` sets it again; `stat -c %a {}` shows it",
            first.path
        ),
    ))
}

fn second_persons(workspace: &Workspace, at: Timestamp) -> Vec<Check> {
    const WHAT: &str = "approvers";
    let list = match approvers::load(workspace) {
        Ok(Some(list)) => list,
        Ok(None) if production() => {
            return vec![Check::graded(
                WHAT,
                Grade::Remark,
                "there is no list, so nobody can approve what ENV=production asks a second person for",
                format!(
                    "write {}: docs/approvals.md has one to start from",
                    approvers::FILE
                ),
            )];
        }
        Ok(None) => return Vec::new(),
        Err(problems) => {
            let problems = problems.iter();
            return problems.map(|problem| Check::of(WHAT, problem)).collect();
        }
    };
    let over = list.all().filter_map(|one| {
        let until = one.until().filter(|until| *until <= at)?;
        Some(Check::graded(
            WHAT,
            Grade::Remark,
            format!("{} may approve nothing since {}", one.name, until.human()),
            "give them a later `until`, or take them out of the list",
        ))
    });
    let mut checks: Vec<Check> = over.collect();
    let nobody = Operation::ALL
        .into_iter()
        .filter(|operation| !list.all().any(|one| one.may(*operation, at)))
        .map(Operation::as_str)
        .collect::<Vec<_>>();
    if !nobody.is_empty() {
        checks.push(Check::graded(
            WHAT,
            Grade::Remark,
            format!("nobody may approve {} now", nobody.join(", ")),
            "list somebody for it, or `'*'`",
        ));
    }
    if checks.is_empty() {
        checks.push(Check::ok(WHAT, format!("{} listed", list.all().count())));
    }
    checks
}

/// In production, where an override may be the last way: are there codes at all?
fn codes() -> Option<Check> {
    const WHAT: &str = "one-time codes";
    production().then(|| match secrets::totp() {
        Ok(_) => Check::ok(WHAT, "a secret is set"),
        Err(finding) => Check::graded(
            WHAT,
            Grade::Remark,
            format!("no override can be given here: {finding}"),
            "`policy-orchestrator override enroll` makes a secret; keep it where the requester has no account",
        ),
    })
}

fn checkpoint(workspace: &Workspace, at: Timestamp) -> Check {
    const WHAT: &str = "checkpoint";
    let last = match audit::last_of(workspace, &EventType::CHECKPOINT_WRITTEN) {
        Ok(last) => last.map(|event| event.time),
        Err(finding) => return Check::of(WHAT, &finding),
    };
    let remedy = "`policy-orchestrator audit checkpoint --out FILE`, and keep the file where those who write the journals can't reach it";
    match last {
        None => Check::graded(
            WHAT,
            Grade::Remark,
            format!(
                "none is recorded in {AUDIT_LOG}: a history that is put back as a whole can't be told from a shorter one"
            ),
            remedy,
        ),
        Some(last) if at.since(last) > TimeDelta::days(DAYS) => Check::graded(
            WHAT,
            Grade::Remark,
            format!(
                "the last one is of {}, more than {DAYS} days ago",
                last.human()
            ),
            remedy,
        ),
        Some(last) => Check::ok(WHAT, format!("the last one is of {}", last.human())),
    }
}
