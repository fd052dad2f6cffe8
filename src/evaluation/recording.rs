//! From a decision to a record, in the order that a kill or a failed write can't spoil.
//!
//! The policy's copy, the journal line (the commit), the diagnostics of a failed run, the state
//! file, the marker. What any of the writes leaves behind is mended by the next run.

use super::failure::{self, Earlier, Failure};
use super::{Ending, Evaluated, Ground};
use crate::diagnostic::{Checked, Code, Diagnostic};
use crate::fs::{RetryDelays, Workspace, write};
use crate::ids::{Digest, RunId};
use crate::portal::store;
use crate::protection::change;
use crate::record::journal::{self, JournalTail};
use crate::record::line::{self, Entry, Head};
use crate::record::marker::{self, Marker};
use crate::record::state::{self, JournalRef};
use crate::record::{Records, StoredState, policies};

/// Records what was decided, or publishes RED over a journal that is broken.
pub(super) fn record(ground: Ground<'_>) -> Evaluated {
    match ground.tail.clone() {
        Ok(tail) => commit(ground, &tail),
        Err(_) => publish_broken(ground),
    }
}

/// The journal is broken: RED is published, the old head stays, and nothing is appended. What is
/// wrong beside the journal leaves its diagnostics as in any other run.
fn publish_broken(mut ground: Ground<'_>) -> Evaluated {
    let old = ground.state.as_ref();
    let changed = |problem: &Diagnostic| problem.code == Code::StateDiffers;
    let journal = JournalRef {
        head: old.and_then(StoredState::head),
        broken: true,
        state_changed: old.is_some_and(StoredState::needs_reseal)
            || ground.own_errors().iter().any(changed),
    };
    let failing = ground.is_invalid().then(|| ground.errors());
    let mut failure = failing.map(|errors| name_failure(&mut ground, errors, None));
    // No line is recorded that the id could follow from: it follows from what is published.
    let run_id = ground.options.run_id.unwrap_or_else(|| {
        let published = ground.state_bytes(Some(journal), None, None);
        RunId::of_line(&Digest::of(&published))
    });
    let run_id = Some(run_id);
    let mut bytes = ground.state_bytes(
        Some(journal),
        run_id,
        failure
            .as_ref()
            .and_then(|failure| failure.mark.branch.as_deref()),
    );
    if let Some(failure) = &mut failure {
        leave(&mut ground, failure, &bytes);
        bytes = ground.state_bytes(Some(journal), run_id, failure.branch());
    }
    let marker = Marker::failed(ground.decision.at);
    if let Err(error) = publish(&ground, &bytes, &marker) {
        return not_recorded(ground, None, failure, *error, Ending::Broken);
    }
    failure::told(ground.evaluated(Ending::Broken, bytes), failure)
}

/// Names a failure; why it has no branch is a warning of the run.
fn name_failure(
    ground: &mut Ground<'_>,
    errors: Vec<Diagnostic>,
    tail: Option<&JournalTail>,
) -> Failure {
    let state = ground.state.as_ref();
    let earlier = Earlier {
        last: tail.and_then(|tail| tail.last.as_ref()),
        // A branch that the line names and the state file does not was never made.
        cut_off: tail.is_some_and(|tail| tail.ahead > 0)
            || state.is_some_and(|state| state.fix_branch.is_none()),
        last_success: state
            .filter(|state| !state.failed && !state.is_broken())
            .map(|state| state.evaluated_at),
    };
    let (failure, warning) = Failure::name(ground.workspace, errors, earlier, ground.decision.at);
    ground.warnings.extend(warning);
    failure
}

fn leave(ground: &mut Ground<'_>, failure: &mut Failure, state: &[u8]) {
    let unsaid = failure.leave(
        ground.workspace,
        ground.decision.at,
        Some((&ground.decision, state)),
    );
    ground.warnings.extend(unsaid);
}

fn commit(mut ground: Ground<'_>, tail: &JournalTail) -> Evaluated {
    let ending = ground.ending();
    let mut failure = None;
    if ground.is_invalid() {
        let errors = ground.errors();
        failure = Some(name_failure(&mut ground, errors, Some(tail)));
    }
    match write(&mut ground, tail, failure.as_mut(), ending) {
        Ok((state, head)) => {
            super::shadow::record(&mut ground, head);
            let behind = store::after_run(portal_ground(&ground), recorded(&ground, tail, head));
            ground.warnings.extend(behind);
            let evaluated = Evaluated {
                head: Some(head),
                ..ground.evaluated(ending, state)
            };
            failure::told(evaluated, failure)
        }
        Err(error) => not_recorded(ground, Some(tail), failure, *error, Ending::NotRecorded),
    }
}

fn portal_ground<'a>(ground: &'a Ground<'_>) -> store::Ground<'a> {
    store::Ground {
        workspace: ground.workspace,
        key: ground.options.key.as_ref(),
        policy: &ground.policy,
        retry: &ground.options.retry,
    }
}

/// What the page is told of this run.
fn recorded<'a>(ground: &'a Ground<'_>, tail: &JournalTail, head: Head) -> store::Recorded<'a> {
    store::Recorded {
        decision: &ground.decision,
        readings: &ground.readings,
        given: ground.options.clock.is_given(),
        before: tail.end.head,
        head,
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
    mend_lock(ground);
    let document = ground.policy.document();
    policies::keep(workspace, ground.policy.identity().sha256, document, retry)?;
    journal::move_torn_aside(workspace, tail, retry)?;
    let link = journal::link(workspace, tail)?;
    let mark = failure.as_ref().map(|failure| failure.mark.clone());
    let entry = Entry {
        decision: &ground.decision,
        readings: &ground.readings,
        policy: &ground.policy,
        given_clock: ground.options.clock.is_given(),
        run_id: ground.options.run_id,
        failure: mark.as_ref(),
        held_before: ground.held_before.as_ref(),
        lock: ground.looked.recorded,
    };
    let line = line::to_bytes(entry, link, ground.options.key.as_ref());
    journal::append(workspace, &line, tail, retry)?;
    let head = Head {
        seq: link.seq,
        sha256: Digest::of(&line),
    };
    tracing::debug!(number = head.seq, sha256 = %head.sha256, "recorded");
    let journal = Some(JournalRef {
        head: Some(head),
        broken: false,
        state_changed: false,
    });
    let watched = ground.options.run_id;
    let run_id = Some(watched.unwrap_or_else(|| RunId::of_line(&head.sha256)));
    let mut state = ground.state_bytes(
        journal,
        run_id,
        mark.as_ref().and_then(|mark| mark.branch.as_deref()),
    );
    if let Some(failure) = failure {
        leave(ground, failure, &state);
        // Where the branch could not be made, the state file does not name it.
        state = ground.state_bytes(journal, run_id, failure.branch());
    }
    publish(ground, &state, &marker(ground, ending))?;
    Ok((state, head))
}

/// Puts right what a kill or a checkout left of the lock; behind tampering everything stays as it was
/// found.
fn mend_lock(ground: &mut Ground<'_>) {
    if let Some(lock) = ground.lock.filter(|_| !ground.looked.is_tampered()) {
        let records = Records {
            workspace: ground.workspace,
            lock,
            key: ground.options.key.as_ref(),
            retry: &ground.options.retry,
        };
        let notes = change::mend(records, &ground.looked);
        ground.warnings.extend(notes);
    }
}

/// The state file, and then the marker.
fn publish(ground: &Ground<'_>, state: &[u8], marker: &Marker) -> Checked<()> {
    let retry = &ground.options.retry;
    retry.retry(|| write::replace(ground.workspace, state::FILE, state))?;
    marker::publish(ground.workspace, marker, retry)
}

fn marker(ground: &Ground<'_>, ending: Ending) -> Marker {
    let at = ground.decision.at;
    match ending {
        Ending::Done => Marker::updated(at, &ground.decision.level),
        _ => Marker::failed(at),
    }
}

/// A write failed for good. Nothing older is lost; the diagnostics go where they can.
fn not_recorded(
    mut ground: Ground<'_>,
    tail: Option<&JournalTail>,
    failure: Option<Failure>,
    error: Diagnostic,
    ending: Ending,
) -> Evaluated {
    let state = ground.state_bytes(None, ground.options.run_id, None);
    let mut failure = match failure.filter(Failure::made_branch) {
        // The diagnostics of the invalid input are on a branch already: one run makes one branch.
        Some(failure) => failure,
        None => name_failure(&mut ground, vec![error.clone()], tail),
    };
    leave(&mut ground, &mut failure, &state);
    if error.place.file != marker::FILE {
        // One attempt, without waiting again: the run has failed, and says so in any case.
        let failed = Marker::failed(ground.decision.at);
        let _ = marker::publish(ground.workspace, &failed, &RetryDelays::none());
    }
    let mut evaluated = ground.evaluated(ending, state);
    evaluated.errors.push(error);
    failure::told(evaluated, Some(failure))
}

/// The temporary files of writes that a run does not always make; those of the others are removed
/// by the writes themselves.
const RARE_TEMPORARIES: [&str; 3] = [
    policies::TEMPORARY,
    "state/.record.tmp",
    "reports/.record.tmp",
];

/// Those of files that a run only reads, perhaps in a directory that it may not write to.
const INPUT_TEMPORARIES: [&str; 2] = [".record.tmp", "forensics/.record.tmp"];

/// Removes what a killed run may have left beside the files that this run may not write.
fn remove_left_over(workspace: &Workspace) -> Checked<()> {
    for temporary in INPUT_TEMPORARIES {
        let _ = write::remove_temporary(workspace, temporary);
    }
    RARE_TEMPORARIES
        .into_iter()
        .try_for_each(|temporary| write::remove_temporary(workspace, temporary))
        .map_err(Into::into)
}
