//! A second person for `policy accept`: what would be accepted now, and the list of approvers of
//! before it, for those who ask, grant and use.

use super::production;
use crate::approval::approvers::{self, Approvers};
use crate::approval::requests::{Against, Asked};
use crate::approval::{Operation, Subject, Wanted, second_person_of};
use crate::diagnostic::{Checked, shown};
use crate::fs::Workspace;
use crate::fs::glob::Glob;
use crate::ids::Digest;
use crate::protection::change::{self, Ground, Proposal, Refused};
use crate::protection::manifest::Change;
use crate::record::{Records, SigningKey, policies};
use crate::time::Clock;

/// What `policy accept` would take in now: all that differs, or what `paths` names.
pub(super) fn proposed(
    workspace: &Workspace,
    key: Option<&SigningKey>,
    paths: &[Glob],
) -> Checked<Proposal> {
    change::proposed(workspace, key, paths).map_err(Refused::into_first)
}

/// The same for a request that was made.
fn proposed_by(
    workspace: &Workspace,
    key: Option<&SigningKey>,
    asked: &Asked,
) -> Checked<Proposal> {
    let paths = asked.paths.iter().filter_map(|path| Glob::parse(path).ok());
    proposed(workspace, key, &paths.collect::<Vec<_>>())
}

/// The list of approvers of before a change: whom the change brings in can't approve it.
fn approvers(workspace: &Workspace, proposal: &Proposal) -> Checked<Approvers> {
    approvers::needed_of(|path| proposal.before(workspace, path))
}

/// What a grant is held against, and what it would accept, where that can be looked at.
pub(super) fn against(
    workspace: &Workspace,
    key: Option<&SigningKey>,
    asked: &Asked,
) -> Checked<(Against, Option<Proposal>)> {
    if asked.operation != Operation::Accept {
        return Ok((Against::now(workspace)?, None));
    }
    let proposal = proposed_by(workspace, key, asked)?;
    let against = Against {
        approvers: approvers(workspace, &proposal)?,
        subject: Some(Subject::of(proposal.digest())),
    };
    Ok((against, Some(proposal)))
}

/// The signature of a second person for an accept, where one is needed; using it up is recorded.
pub(super) fn second(
    ground: Ground<'_>,
    proposal: &Proposal,
) -> Checked<Option<serde_json::Value>> {
    if !production() {
        return Ok(None);
    }
    let workspace = ground.records.workspace;
    let wanted = Wanted {
        operation: Operation::Accept,
        subject: Subject::of(proposal.digest()),
        user: ground.user,
    };
    // By the machine's clock: a time that somebody gives revives no approval.
    let at = Clock::System.read();
    let approved = second_person_of(ground.records, wanted, at, || {
        approvers(workspace, proposal)
    })?;
    Ok(Some(approved.envelope))
}

/// Keeps copies of the list of approvers and of its keys, before they are locked or accepted: a later
/// change of them is held against these.
pub(super) fn keep_approvers(records: Records<'_>) -> Checked<()> {
    for (_, bytes) in approvers::files(records.workspace) {
        policies::keep(records.workspace, Digest::of(&bytes), &bytes, records.retry)?;
    }
    Ok(())
}

/// Each change of a proposal on a line of its own.
pub(super) fn changed_files(changes: &[Change]) -> String {
    let lines = changes
        .iter()
        .map(|change| format!("  {}\n", changed_file(change)));
    lines.collect()
}

fn changed_file(change: &Change) -> String {
    let path = shown(&change.path);
    match (change.before, change.after) {
        (None, Some(after)) => format!("+ {path}  {}", after.short()),
        (Some(before), None) => format!("- {path}  was {}", before.short()),
        (Some(before), Some(after)) => format!("~ {path}  {} -> {}", before.short(), after.short()),
        (None, None) => path,
    }
}
