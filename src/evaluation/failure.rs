//! Where the diagnostics of a failed run go: on a fix branch, else into `reports/`.
//!
//! An ongoing failure has one branch and no more. The journal line of the first failed run names
//! it, so that a later run in another clone knows of it too; a branch of the same failure that a
//! killed or unrecorded run made is found by the digest in its commit.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{Evaluated, Undecided};
use crate::decision::{Decision, Reason};
use crate::diagnostic::{Checked, Code, Diagnostic};
use crate::fs::{Opened, RetryDelays, Workspace, write};
use crate::ids::Digest;
use crate::policy::Level;
use crate::record::fix_branch::{CommittedFile, FixBranches};
use crate::record::line::FailureMark;
use crate::record::listed::Listed;
use crate::record::marker::{self, Marker};
use crate::record::{RecordedLine, STATE_JOURNAL, StoredState, state, verify};
use crate::time::Timestamp;

/// Where diagnostics go that no fix branch can hold.
pub const FAILURE_FILE: &str = "reports/policy_orchestrator_failure.json";

/// The end of a long journal on a fix branch.
const JOURNAL_END_FILE: &str = "reports/policy_state_log.end.jsonl";

/// A fix branch holds the whole journal up to this size, and its end beyond.
const JOURNAL_IN_BRANCH: u64 = 256 * 1024;

/// A failure with its name and the place for its diagnostics.
pub(super) struct Failure {
    pub(super) mark: FailureMark,
    errors: Vec<Diagnostic>,
    place: Place,
}

enum Place {
    /// The failure goes on, and the journal names the branch that was made for it.
    Ongoing,
    /// The failure goes on without a record that could say so: its branch gets another commit,
    /// which keeps it from looking like a failure of long ago.
    OngoingUnrecorded(FixBranches),
    /// A branch that is yet to be made.
    NewBranch(FixBranches),
    /// A branch that this run made.
    MadeBranch,
    /// There is no git repository, or none that can be written.
    Report,
    /// The report that this run made.
    MadeReport,
}

/// What the record says about earlier failures.
#[derive(Debug, Clone, Copy)]
pub(super) struct Earlier<'a> {
    /// The last line of the journal.
    pub(super) last: Option<&'a RecordedLine>,
    /// True where the run of that line was cut off: its branch may not have been made.
    pub(super) cut_off: bool,
    /// When a run last came to an end without a failure, where the state file tells.
    pub(super) last_success: Option<Timestamp>,
}

impl Failure {
    /// Names the failure, and its branch: that of the ongoing failure, or a new one. The warning
    /// says why there is none.
    pub(super) fn name(
        workspace: &Workspace,
        errors: Vec<Diagnostic>,
        earlier: Earlier<'_>,
        at: Timestamp,
    ) -> (Self, Option<Diagnostic>) {
        let failure = digest(&errors);
        let named = |branch, place, errors| Self {
            mark: FailureMark { failure, branch },
            errors,
            place,
        };
        let before = earlier
            .last
            .and_then(|last| last.failure.as_ref())
            .filter(|mark| mark.failure == failure);
        let before = before.and_then(|mark| mark.branch.clone());
        if let Some(branch) = before.clone().filter(|_| !earlier.cut_off) {
            return (named(Some(branch), Place::Ongoing, errors), None);
        }
        let branches = match FixBranches::open(workspace) {
            Ok(Some(branches)) => branches,
            Ok(None) => return (named(None, Place::Report, errors), None),
            Err(problem) => return (named(None, Place::Report, errors), Some(*problem)),
        };
        if let Some(branch) = before {
            if branches.exists(&branch) {
                return (named(Some(branch), Place::Ongoing, errors), None);
            }
            // The run that was cut off may have left a lock on the name.
            let branch = if branches.is_free(&branch) {
                branch
            } else {
                branches.free_name(at)
            };
            return (
                named(Some(branch), Place::NewBranch(branches), errors),
                None,
            );
        }
        match branches.of_failure(&failure, earlier.last_success) {
            Some(branch) => (
                named(Some(branch), Place::OngoingUnrecorded(branches), errors),
                None,
            ),
            None => (
                named(
                    Some(branches.free_name(at)),
                    Place::NewBranch(branches),
                    errors,
                ),
                None,
            ),
        }
    }

    /// The branch that holds the diagnostics, where there is one.
    pub(super) fn branch(&self) -> Option<&str> {
        let on_branch = matches!(self.place, Place::MadeBranch | Place::Ongoing);
        self.mark.branch.as_deref().filter(|_| on_branch)
    }

    pub(super) fn made_branch(&self) -> bool {
        matches!(self.place, Place::MadeBranch)
    }

    /// Puts the diagnostics in their place, together with the decision and the state file of this
    /// run, where it came to one. What could not be done comes back as a finding; standard error
    /// has the diagnostics anyway.
    pub(super) fn leave(
        &mut self,
        workspace: &Workspace,
        at: Timestamp,
        decided: Option<(&Decision, &[u8])>,
    ) -> Option<Diagnostic> {
        let report = self.report(at, decided.map(|(decision, _)| decision));
        let on_branch = match (&self.place, &self.mark.branch) {
            (Place::NewBranch(branches), Some(name)) => {
                let made = branches.create(
                    name,
                    at,
                    &self.mark.failure,
                    &files(workspace, &report, decided),
                );
                made.map(|()| Place::MadeBranch)
            }
            (Place::OngoingUnrecorded(branches), Some(name)) => {
                let extended = branches.extend(
                    name,
                    at,
                    &self.mark.failure,
                    &files(workspace, &report, decided),
                );
                extended.map(|()| Place::Ongoing)
            }
            (Place::Report, _) => Ok(Place::Report),
            _ => return None,
        };
        let problem = match on_branch {
            Ok(Place::Report) => None,
            Ok(place) => {
                self.place = place;
                return None;
            }
            Err(problem) => Some(*problem),
        };
        match write_report(workspace, &report) {
            Ok(()) => {
                self.place = Place::MadeReport;
                problem
            }
            Err(unwritten) => problem.or(Some(*unwritten)),
        }
    }

    fn report(&self, at: Timestamp, decision: Option<&Decision>) -> Vec<u8> {
        #[derive(Serialize)]
        struct Report<'a> {
            schema: u32,
            failed_at: Timestamp,
            version: &'static str,
            failure: Digest,
            #[serde(skip_serializing_if = "Option::is_none")]
            level: Option<&'a Level>,
            reasons: &'a [Reason],
            errors: Listed<'a>,
        }
        let report = Report {
            schema: 1,
            failed_at: at,
            version: env!("CARGO_PKG_VERSION"),
            failure: self.mark.failure,
            level: decision.map(|decision| &decision.level),
            reasons: decision.map_or(&[], |decision| &decision.reasons),
            errors: self.errors.iter().collect(),
        };
        crate::fs::pretty(&report)
    }
}

/// Adds to what an evaluation came to where its diagnostics went.
pub(super) fn told(evaluated: Evaluated, failure: Option<Failure>) -> Evaluated {
    let Some(failure) = failure else {
        return evaluated;
    };
    Evaluated {
        made_branch: failure.made_branch(),
        made_report: matches!(failure.place, Place::MadeReport),
        fix_branch: failure.branch().map(str::to_owned),
        ..evaluated
    }
}

/// Leaves the diagnostics of a run that could not decide. A lock that another run holds, a secret
/// that is not set and a newer format are no fault of the workspace: they leave no diagnostics.
pub(super) fn undecided(workspace: &Workspace, finding: Diagnostic, at: Timestamp) -> Undecided {
    let mut undecided = Undecided::of(Box::new(finding.clone()));
    if finding.code == Code::LockHeld {
        return undecided;
    }
    // One attempt: an older, better level must not stand there as if this run had been well.
    let _ = marker::publish(workspace, &Marker::failed(at), &RetryDelays::none());
    if matches!(finding.code, Code::SecretMissing | Code::FormatNewer) {
        return undecided;
    }
    let state = StoredState::load(workspace).ok().flatten();
    let earlier = Earlier {
        last: None,
        cut_off: false,
        last_success: state
            .filter(|state| !state.failed)
            .map(|state| state.evaluated_at),
    };
    let (mut failure, warning) = Failure::name(workspace, vec![finding], earlier, at);
    let unsaid = failure.leave(workspace, at, None);
    undecided.warnings.extend(warning.into_iter().chain(unsaid));
    undecided.made_branch = failure.made_branch();
    undecided.made_report = matches!(failure.place, Place::MadeReport);
    undecided.fix_branch = failure.branch().map(str::to_owned);
    undecided
}

fn write_report(workspace: &Workspace, report: &[u8]) -> Checked<()> {
    let written = write::make_directory(workspace, "reports")
        .and_then(|()| write::replace_rarely(workspace, FAILURE_FILE, report));
    written.map_err(Into::into)
}

/// A digest of what failed that stays the same while the failure goes on: which findings, and
/// where; not the text found there, which may change from run to run.
fn digest(errors: &[Diagnostic]) -> Digest {
    let part = |error: &Diagnostic| {
        let path = error.place.path.as_deref().unwrap_or_default();
        format!("{}\0{}\0{path}\n", error.code, error.place.file)
    };
    let mut parts: Vec<String> = errors.iter().map(part).collect();
    parts.sort();
    parts.dedup();
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    Digest::finish(hasher)
}

fn files(
    workspace: &Workspace,
    report: &[u8],
    decided: Option<(&Decision, &[u8])>,
) -> Vec<CommittedFile> {
    let mut files = vec![CommittedFile {
        name: FAILURE_FILE.to_owned(),
        bytes: report.to_vec(),
    }];
    files.extend(decided.map(|(_, state)| CommittedFile {
        name: state::FILE.to_owned(),
        bytes: state.to_vec(),
    }));
    files.extend(journal_end(workspace));
    files
}

/// The journal whole while it is small, else its end under a name that says so.
fn journal_end(workspace: &Workspace) -> Option<CommittedFile> {
    let Opened::File(input) = workspace.open_input(STATE_JOURNAL).ok()? else {
        return None;
    };
    let from = input.size.saturating_sub(JOURNAL_IN_BRANCH);
    let mut bytes = verify::read_from(&input, from).ok()?;
    if from == 0 {
        return Some(CommittedFile {
            name: STATE_JOURNAL.to_owned(),
            bytes,
        });
    }
    let begin = memchr::memchr(b'\n', &bytes).map_or(0, |newline| newline + 1);
    Some(CommittedFile {
        name: JOURNAL_END_FILE.to_owned(),
        bytes: bytes.split_off(begin),
    })
}
