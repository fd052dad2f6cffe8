//! Taking a step: the lock, the clock, the kill switch, the journal as it stands, and its next line.

use serde::Serialize;

use super::files::TEMPORARIES;
use super::findings;
use super::log::{self, Line, Staged, Standing, Step};
use super::switch;
use super::version::{Document, Life, Version};
use crate::diagnostic::{Checked, Code, Diagnostic};
use crate::fs::{Workspace, WorkspaceLock, WriteError, write};
use crate::ids::{Digest, EventType, distinct};
use crate::protection::change;
use crate::record::audit::{self, Event, Severity};
use crate::record::{Head, Records};
use crate::safeguard::{Request, kill_switch};
use crate::time::Timestamp;

/// Why a step was not taken: never empty, and nothing was changed unless a finding says so.
#[derive(Debug)]
pub struct Refused(pub Vec<Diagnostic>);

/// What taking a step comes to.
pub type Stepped<T> = Result<T, Refused>;

impl From<Box<Diagnostic>> for Refused {
    fn from(finding: Box<Diagnostic>) -> Self {
        Self(vec![*finding])
    }
}

impl From<Diagnostic> for Refused {
    fn from(finding: Diagnostic) -> Self {
        Self(vec![finding])
    }
}

impl From<Vec<Diagnostic>> for Refused {
    fn from(findings: Vec<Diagnostic>) -> Self {
        Self(findings)
    }
}

impl From<change::Refused> for Refused {
    fn from(refused: change::Refused) -> Self {
        Self(refused.0)
    }
}

impl From<WriteError> for Refused {
    fn from(error: WriteError) -> Self {
        Self(vec![error.into_diagnostic()])
    }
}

/// A step that was taken.
#[derive(Debug)]
pub struct Outcome {
    /// When.
    pub at: Timestamp,
    /// The version, as it stands now.
    pub version: Version,
    /// The line of the journal; `None` where a step that was recorded before was only finished.
    pub head: Option<Head>,
    /// What else to know, in clauses.
    pub notes: Vec<String>,
}

/// What whoever takes a step holds.
pub(super) struct Desk<'a> {
    request: &'a Request<'a>,
    records: Records<'a>,
    pub(super) at: Timestamp,
    /// How everything stood before the step.
    pub(super) life: Life,
}

/// Takes the lock, reads the clock and the journal, and takes a step. Fails while the kill switch is
/// on.
pub(super) fn at_desk<T>(
    request: &Request<'_>,
    take: impl FnOnce(&Desk<'_>) -> Stepped<T>,
) -> Stepped<T> {
    let Request {
        workspace,
        command,
        lock_timeout,
        retry,
        ..
    } = *request;
    let lock = WorkspaceLock::acquire(workspace, command, lock_timeout, retry)?;
    let at = request.clock.read();
    if let Some(closed) = kill_switch::closed(workspace) {
        return Err(closed.into());
    }
    let key = request.key.as_ref().map_err(Clone::clone)?.as_ref();
    for temporary in TEMPORARIES {
        write::remove_temporary(workspace, temporary)?;
    }
    let life = log::read(workspace, key)?;
    let desk = Desk {
        request,
        records: Records {
            workspace,
            lock: &lock,
            key,
            retry,
        },
        at,
        life,
    };
    take(&desk).map_err(|refused| desk.refused(refused))
}

/// True for a finding by which a step is not granted, rather than failed.
fn is_denial(finding: &Diagnostic) -> bool {
    matches!(
        finding.code,
        Code::StepDenied
            | Code::CheckMissing
            | Code::MonitoringIncomplete
            | Code::CriterionViolated
            | Code::SecondPersonMissing
            | Code::ApprovalMissing
            | Code::ApprovalRefused
    )
}

/// What the line of a refused step says.
#[derive(Serialize)]
struct Denied<'a> {
    command: &'static str,
    codes: Vec<&'static str>,
    refused: Vec<&'a str>,
}

/// A step that is to be recorded.
pub(super) struct Entry<'a> {
    pub(super) id: &'a str,
    pub(super) sha256: Digest,
    pub(super) reason: &'a str,
    pub(super) step: Step,
}

impl Desk<'_> {
    /// Records that a step was not granted, whoever asked for it.
    fn refused(&self, mut refused: Refused) -> Refused {
        /// As many reasons as a line names.
        const NAMED: usize = 10;
        let denials: Vec<&Diagnostic> = refused.0.iter().filter(|found| is_denial(found)).collect();
        if denials.is_empty() {
            return refused;
        }
        let named = denials.iter().take(NAMED);
        let details = Denied {
            command: self.request.command,
            codes: distinct(denials.iter().map(|found| found.code.as_str())),
            refused: named.map(|found| found.message.as_str()).collect(),
        };
        let event = Event {
            at: self.at,
            user: self.user(),
            action: "policy_step",
            event_type: &EventType::STEP_REFUSED,
            severity: Severity::Medium,
            task_id: None,
            data: Digest::of(details.refused.join("\n").as_bytes()),
            details: &details,
            given_clock: self.request.clock.is_given(),
        };
        let recorded = audit::append_refusal(self.records, &event).err();
        refused.0.extend(recorded.map(|finding| Diagnostic {
            code: Code::RefusalUnrecorded,
            ..*finding
        }));
        refused
    }

    pub(super) fn workspace(&self) -> &Workspace {
        self.request.workspace
    }

    pub(super) fn user(&self) -> &str {
        self.request.user
    }

    pub(super) fn records(&self) -> Records<'_> {
        self.records
    }

    /// What a change of protected files needs.
    fn protected(&self) -> change::Ground<'_> {
        change::Ground {
            records: self.records,
            at: self.at,
            given_clock: self.request.clock.is_given(),
            user: self.user(),
        }
    }

    /// Lets the document `to` decide instead of `now`, and takes it into the lock of the policies.
    pub(super) fn switch(
        &self,
        now: &Document,
        to: &Document,
        bytes: &[u8],
        reason: &str,
    ) -> Stepped<()> {
        let (workspace, retry) = (self.workspace(), self.records.retry);
        let file = |document: &Document| document.file.clone();
        let names = [file(now), file(to), Some(switch::FILE.to_owned())];
        // Between its renames each of them may hold the one, the other, or nothing.
        let standings = [None, Some(now.sha256), Some(to.sha256)];
        let steps: Vec<_> = distinct(names.into_iter().flatten())
            .into_iter()
            .flat_map(|name| standings.map(|standing| (name.clone(), standing)))
            .collect();
        let begun = change::begin(self.protected(), reason, &steps)?;
        switch::switch(workspace, now.file.as_deref(), to, bytes, retry)?;
        if let Some(begun) = begun {
            change::end(self.protected(), &begun)?;
        }
        Ok(())
    }

    /// Records a step, and tells how its version stands after it.
    pub(super) fn record(&self, entry: Entry<'_>) -> Checked<(Version, Head)> {
        let mut line = Line {
            timestamp: self.at,
            step: entry.step,
            version: entry.id.to_owned(),
            sha256: entry.sha256,
            user: self.user().to_owned(),
            reason: entry.reason.to_owned(),
            clock: self.request.clock.is_given().then(|| "given".to_owned()),
            standing: Standing::default(),
        };
        let mut life = self.life.clone();
        life.take(&line);
        let version = findings::find(&life, entry.id)?.clone();
        line.standing.staged = life.staged().and_then(|version| {
            Some(Staged {
                version: version.id.clone(),
                sha256: version.sha256,
                staging: version.staging.as_ref()?.number,
                base: version.base.sha256,
            })
        });
        let head = log::append(self.records, &line)?;
        Ok((version, head))
    }

    /// The outcome of a step that was recorded.
    pub(super) fn outcome(&self, recorded: (Version, Head), mut notes: Vec<String>) -> Outcome {
        let (version, head) = recorded;
        if let Some(last) = self.life.last.filter(|last| *last > self.at) {
            notes.push(format!(
                "the step before is of {}, later than this one: check the clock",
                last.human()
            ));
        }
        Outcome {
            at: self.at,
            version,
            head: Some(head),
            notes,
        }
    }

    /// The outcome of a step that was recorded before, and is only finished.
    pub(super) fn finished(&self, version: &Version, note: &str) -> Outcome {
        Outcome {
            at: self.at,
            version: version.clone(),
            head: None,
            notes: vec![note.to_owned()],
        }
    }
}
