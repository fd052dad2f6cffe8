//! The five native actions (row OR-09): their names, and what running one comes to.
//!
//! One file per action below. All but one only read, and open what they check read-only. What an
//! action finds is a finding like any other; nothing is shown here.

mod anchor_chain;
mod anchor_mirror;
mod cold_storage;
mod integrity;
mod registry;

use serde::Serialize;

use super::pattern::Pattern;

use crate::diagnostic::{Checked, Diagnostic, Severity};
use crate::fs::{RetryDelays, Workspace, WorkspaceLock};
use crate::record::SigningKey;
use crate::time::Timestamp;

/// A native action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Every signal, document and state file that is there can be read as what it should be.
    IntegrityCheck,
    /// Every row of the integrity registry follows its schema.
    SchemaValidation,
    /// Both of the above, and every journal from its first line to its last.
    FullIntegrityCheck,
    /// The snapshots have their recorded digests, and the chain of anchors holds.
    ColdStorageVerification,
    /// Copies the integrity anchor into `mirrors/` and chains it to those before.
    IntegrityAnchorMirror,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::IntegrityCheck,
        Self::SchemaValidation,
        Self::FullIntegrityCheck,
        Self::ColdStorageVerification,
        Self::IntegrityAnchorMirror,
    ];

    /// The name, as it stands on the command line and in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::IntegrityCheck => "integrity_check",
            Self::SchemaValidation => "schema_validation",
            Self::FullIntegrityCheck => "full_integrity_check",
            Self::ColdStorageVerification => "cold_storage_verification",
            Self::IntegrityAnchorMirror => "integrity_anchor_mirror",
        }
    }

    /// The action of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// The command that runs it alone.
    pub fn command(self) -> String {
        let apply = if self.changes_files() { " --apply" } else { "" };
        format!("policy-orchestrator action {}{apply}", self.name())
    }

    /// True where it changes what it is about: such an action can be taken back, and is asked for
    /// twice.
    pub fn changes_files(self) -> bool {
        self.undo_instruction().is_some()
    }

    /// How what it changed is taken back by hand; `None` for an action that only reads (row OR-08).
    pub fn undo_instruction(self) -> Option<&'static str> {
        (self == Self::IntegrityAnchorMirror)
            .then_some("Restore previous anchor_chain.json from mirrors/anchor_chain.json.backup")
    }

    /// The files that it changes.
    pub fn changes(self) -> Vec<Pattern> {
        self.patterns(&[
            "mirrors/anchor_chain.json",
            "mirrors/anchor_chain.json.backup",
        ])
    }

    /// The files that it makes and never changes.
    pub fn creates(self) -> Vec<Pattern> {
        self.patterns(&["mirrors/anchor_*.json", "mirrors/.*.tmp"])
    }

    fn patterns(self, of_mirror: &[&str]) -> Vec<Pattern> {
        let own = of_mirror.iter().filter(|_| self.changes_files());
        own.filter_map(|text| Pattern::parse(text).ok()).collect()
    }

    /// True where it writes a file, be it only its log: such an action needs the workspace lock.
    pub fn writes(self) -> bool {
        matches!(
            self,
            Self::ColdStorageVerification | Self::IntegrityAnchorMirror
        )
    }
}

/// What an action needs.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// Where it runs.
    pub workspace: &'a Workspace,
    /// The time of the run.
    pub at: Timestamp,
    /// The size limit of an input, in bytes.
    pub limit: u64,
    /// The key that journal lines are checked with, where there is one.
    pub key: Option<&'a SigningKey>,
    /// The waits between attempts at a write.
    pub retry: &'a RetryDelays,
}

/// What an action came to.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// The version of this shape.
    pub schema: u32,
    /// Which action.
    pub action: Action,
    /// True where nothing is wrong.
    pub success: bool,
    /// What was looked at or done, a sentence each.
    pub notes: Vec<String>,
    /// What is wrong or odd.
    pub findings: Vec<Diagnostic>,
}

/// What an action collects while it works.
#[derive(Debug, Default)]
struct Found {
    notes: Vec<String>,
    findings: Vec<Diagnostic>,
}

impl Found {
    fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    fn add(&mut self, finding: Diagnostic) {
        self.findings.push(finding);
    }

    fn join(&mut self, other: Self) {
        self.notes.extend(other.notes);
        self.findings.extend(other.findings);
    }
}

/// Runs an action that only reads. What goes wrong on the way is a finding, and the action failed.
///
/// For an action that [writes](Action::writes), use [`run_and_write`].
pub fn run(action: Action, ground: Ground<'_>) -> Outcome {
    let found = match action {
        Action::IntegrityCheck => Ok(integrity::check(ground)),
        Action::SchemaValidation => Ok(registry::validate(ground)),
        Action::FullIntegrityCheck => Ok(integrity::check_all(ground)),
        Action::ColdStorageVerification => Ok(cold_storage::verify(ground)),
        Action::IntegrityAnchorMirror => anchor_mirror::preview(ground),
    };
    outcome(action, found)
}

/// Runs an action that may write: its log, or what it is there for.
pub fn run_and_write(action: Action, ground: Ground<'_>, lock: &WorkspaceLock) -> Outcome {
    match action {
        Action::IntegrityAnchorMirror => outcome(action, anchor_mirror::mirror(ground, lock)),
        Action::ColdStorageVerification => {
            let mut outcome = run(action, ground);
            if let Err(finding) = cold_storage::log(ground, lock, &outcome) {
                outcome.findings.push(*finding);
                outcome.success = false;
            }
            outcome
        }
        _ => run(action, ground),
    }
}

fn outcome(action: Action, found: Checked<Found>) -> Outcome {
    let found = found.unwrap_or_else(|finding| Found {
        notes: Vec::new(),
        findings: vec![*finding],
    });
    let is_error = |finding: &Diagnostic| finding.severity() == Severity::Error;
    Outcome {
        schema: 1,
        action,
        success: !found.findings.iter().any(is_error),
        notes: found.notes,
        findings: found.findings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_records_and_lead_back() {
        for action in Action::ALL {
            assert_eq!(Action::named(action.name()), Some(action));
            let written = serde_json::to_value(action).unwrap();
            assert_eq!(written, action.name());
        }
        assert_eq!(Action::named("rm"), None);
    }
}
