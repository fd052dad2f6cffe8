//! From a decision to a record, in the order that a kill or a failed write can't spoil.
//!
//! The policy's copy, the journal line (the commit), the diagnostics of a failed run, the state
//! file, the marker. What any of the writes leaves behind is mended by the next run.

use super::failure::{self, Earlier, Failure};
use super::{Ending, Evaluated, Ground};
use crate::diagnostic::{Checked, Diagnostic};
use crate::fs::{RetryDelays, Workspace, WriteError, write};
use crate::ids::Digest;
use crate::policy::Policy;
use crate::record::journal::{self, JournalTail};
use crate::record::line::{self, Entry, Head};
use crate::record::marker::{self, Marker};
use crate::record::state::{self, JournalRef};
use crate::record::{POLICIES_DIR, StoredState};

/// Records what was decided, or publishes RED over a journal that is broken.
pub(super) fn record(ground: Ground<'_>) -> Evaluated {
    match ground.tail.clone() {
        Ok(tail) => commit(ground, &tail),
        Err(_) => publish_broken(ground),
    }
}

/// The journal is broken: RED is published, the old head stays, and nothing is appended.
fn publish_broken(ground: Ground<'_>) -> Evaluated {
    let head = ground.state.as_ref().and_then(StoredState::head);
    let bytes = ground.state_bytes(Some(JournalRef { head, broken: true }), None);
    let published = publish(
        &ground,
        &bytes,
        &Marker::Failed {
            at: ground.decision.at,
        },
    );
    let mut evaluated = ground.evaluated(Ending::Broken, bytes);
    evaluated.errors.extend(published.err().map(|error| *error));
    evaluated
}

fn commit(mut ground: Ground<'_>, tail: &JournalTail) -> Evaluated {
    let ending = ground.ending();
    let mut failure = None;
    if ending == Ending::Invalid {
        let errors = ground.errors();
        let (named, warning) = Failure::name(
            ground.workspace,
            errors,
            earlier(&ground, tail),
            ground.decision.at,
        );
        ground.warnings.extend(warning);
        failure = Some(named);
    }
    match write(&mut ground, tail, failure.as_mut(), ending) {
        Ok((state, head)) => {
            let evaluated = Evaluated {
                head: Some(head),
                ..ground.evaluated(ending, state)
            };
            failure::told(evaluated, failure)
        }
        Err(error) => not_recorded(ground, tail, failure, *error),
    }
}

fn earlier<'t>(ground: &Ground<'_>, tail: &'t JournalTail) -> Earlier<'t> {
    let published = ground.state.as_ref().map(|state| state.evaluated_at);
    Earlier {
        last: tail.last.as_ref(),
        cut_off: tail.ahead > 0,
        published,
    }
}

fn write(
    ground: &mut Ground<'_>,
    tail: &JournalTail,
    failure: Option<&mut Failure>,
    ending: Ending,
) -> Checked<(Vec<u8>, Head)> {
    let (workspace, retry) = (ground.workspace, &ground.options.retry);
    remove_left_over(workspace)?;
    keep_policy(workspace, &ground.policy, retry)?;
    journal::move_torn_aside(workspace, tail, retry)?;
    let link = journal::link(workspace, tail)?;
    let mark = failure.as_ref().map(|failure| failure.mark.clone());
    let entry = Entry {
        decision: &ground.decision,
        readings: &ground.readings,
        policy: &ground.policy,
        given_clock: ground.options.clock.is_given(),
        failure: mark.as_ref(),
    };
    let line = line::to_bytes(entry, link, ground.options.key.as_ref());
    journal::append(workspace, &line, tail, retry).map_err(shown)?;
    let head = Head {
        seq: link.seq,
        sha256: Digest::of(&line),
    };
    let branch = mark.as_ref().and_then(|mark| mark.branch.as_deref());
    let state = ground.state_bytes(
        Some(JournalRef {
            head: Some(head),
            broken: false,
        }),
        branch,
    );
    if let Some(failure) = failure {
        ground.warnings.extend(failure.leave(
            workspace,
            ground.decision.at,
            Some((&ground.decision, &state)),
        ));
    }
    publish(ground, &state, &marker(ground, ending))?;
    Ok((state, head))
}

/// The state file, and then the marker.
fn publish(ground: &Ground<'_>, state: &[u8], marker: &Marker) -> Checked<()> {
    let retry = &ground.options.retry;
    retry
        .retry(|| write::replace(ground.workspace, state::FILE, state))
        .map_err(shown)?;
    marker::publish(ground.workspace, marker, retry)
}

fn marker(ground: &Ground<'_>, ending: Ending) -> Marker {
    let at = ground.decision.at;
    match ending {
        Ending::Done => Marker::Updated {
            at,
            level: ground.decision.level.clone(),
        },
        _ => Marker::Failed { at },
    }
}

fn shown(error: WriteError) -> Box<Diagnostic> {
    Box::new(error.into_diagnostic())
}

/// A write failed for good. Nothing older is lost; the diagnostics go where they can.
fn not_recorded(
    mut ground: Ground<'_>,
    tail: &JournalTail,
    failure: Option<Failure>,
    error: Diagnostic,
) -> Evaluated {
    let state = ground.state_bytes(None, None);
    let has_branch = failure.as_ref().is_some_and(Failure::made_branch);
    let mut failure = match failure.filter(|_| has_branch) {
        // The diagnostics of the invalid input are on a branch already: one run makes one branch.
        Some(failure) => failure,
        None => {
            let (named, warning) = Failure::name(
                ground.workspace,
                vec![error.clone()],
                earlier(&ground, tail),
                ground.decision.at,
            );
            ground.warnings.extend(warning);
            named
        }
    };
    let unsaid = failure.leave(
        ground.workspace,
        ground.decision.at,
        Some((&ground.decision, &state)),
    );
    ground.warnings.extend(unsaid);
    if error.place.file != marker::FILE {
        // One attempt, without waiting again: the run has failed, and says so in any case.
        let failed = Marker::Failed {
            at: ground.decision.at,
        };
        let _ = marker::publish(ground.workspace, &failed, &RetryDelays::none());
    }
    let mut evaluated = ground.evaluated(Ending::NotRecorded, state);
    evaluated.errors.push(error);
    failure::told(evaluated, Some(failure))
}

/// The temporary files of writes that a run does not always make; those of the others are removed
/// by the writes themselves.
const RARE_TEMPORARIES: [&str; 3] = [
    POLICY_TEMPORARY,
    "state/.policy_state_log.jsonl.tmp",
    "reports/.policy_orchestrator_failure.json.tmp",
];

const POLICY_TEMPORARY: &str = "state/policies/.document.tmp";

/// Removes what a killed run may have left beside the files that this run may not write.
fn remove_left_over(workspace: &Workspace) -> Checked<()> {
    RARE_TEMPORARIES
        .into_iter()
        .try_for_each(|temporary| write::remove_temporary(workspace, temporary))
        .map_err(shown)
}

/// Keeps the policy document under its digest before a line names it.
fn keep_policy(workspace: &Workspace, policy: &Policy, retry: &RetryDelays) -> Checked<()> {
    let name = format!("{POLICIES_DIR}/{}", policy.identity().sha256);
    let length = policy.document().len() as u64;
    let kept = std::fs::symlink_metadata(workspace.path(&name));
    if kept.is_ok_and(|status| status.is_file() && status.len() == length) {
        return Ok(());
    }
    let keep = || {
        write::make_directory(workspace, POLICIES_DIR)?;
        write::replace_by_way_of(workspace, &name, POLICY_TEMPORARY, policy.document())
    };
    retry.retry(keep).map_err(shown)
}
