//! The journal of the versions: its lines, and how things stand after them.
//!
//! It is read whole and verified before anything follows from it: it grows by a few lines with each
//! version. A run does not: it asks the last line which version is staged ([`Standing`]).

use serde::{Deserialize, Serialize};

use super::version::{Checked as CheckResult, Document, Life, Role};
use crate::diagnostic::Checked;
use crate::fs::Workspace;
use crate::ids::Digest;
use crate::record::ledger::Entry;
use crate::record::{Head, Records, SigningKey, VERSIONS_LOG, findings, ledger};
use crate::time::Timestamp;

use super::shadow::Summary;

/// A step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event")]
pub enum Step {
    /// A document was taken in.
    #[serde(rename = "policy_drafted")]
    Drafted {
        /// The name in the document.
        name: String,
        /// The version in the document.
        number: String,
        /// The SHA-256 of the update record.
        record_sha256: Digest,
        /// What decided then.
        base: Document,
    },
    /// Somebody approved it.
    #[serde(rename = "policy_approved")]
    Approved {
        /// In which role.
        role: Role,
    },
    /// Its checks were made.
    #[serde(rename = "policy_validated")]
    Validated {
        /// Did all of them pass?
        passed: bool,
        /// Each.
        checks: Vec<CheckResult>,
    },
    /// It decides in the shadow from here on.
    #[serde(rename = "policy_staged")]
    Staged {
        /// The number of this staging.
        staging: u64,
        /// What decides beside it.
        base: Document,
    },
    /// It was taken out of the shadow, and is a draft again.
    #[serde(rename = "policy_withdrawn")]
    Withdrawn {},
    /// It decides from here on.
    #[serde(rename = "policy_promoted")]
    Promoted {
        /// What decided before.
        from: Document,
        /// What decides since.
        to: Document,
        /// How long it is to be watched, in seconds.
        watched_seconds: i64,
        /// What its staging came to.
        shadow: Summary,
    },
    /// What decided before it decides again.
    #[serde(rename = "policy_rolled_back")]
    RolledBack {
        /// What was rolled back.
        from: Document,
        /// What decides again.
        to: Document,
    },
}

/// The version that is staged, as every line says it for the runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staged {
    /// Its id.
    pub version: String,
    /// The SHA-256 of its document.
    pub sha256: Digest,
    /// The number of this staging.
    pub staging: u64,
    /// The SHA-256 of what decided when it was staged.
    pub base: Digest,
}

/// How things stand after a line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The version that is staged.
    pub staged: Option<Staged>,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// When.
    pub timestamp: Timestamp,
    /// What.
    #[serde(flatten)]
    pub step: Step,
    /// The id of the version.
    pub version: String,
    /// The SHA-256 of its document.
    pub sha256: Digest,
    /// Who.
    pub user: String,
    /// Why.
    pub reason: String,
    /// `given` after `--at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<String>,
    /// How things stand after it.
    pub standing: Standing,
}

/// Appends a line.
pub(super) fn append(records: Records<'_>, line: &Line) -> Checked<Head> {
    ledger::append(records, VERSIONS_LOG, line)
}

/// Verifies the journal and tells what follows from it.
///
/// A reseal begins anew: what stands in the sealed file was changed by nobody knows whom, so every
/// version has to be drafted again.
pub(super) fn read(workspace: &Workspace, key: Option<&SigningKey>) -> Checked<Life> {
    let mut life = Life::default();
    ledger::each_verified(workspace, VERSIONS_LOG, key, |found| match found {
        Entry::Reseal => {
            life = Life::default();
            true
        }
        Entry::Line(bytes) => {
            serde_json::from_slice::<Line>(bytes).is_ok_and(|line| life.take(&line))
        }
    })?;
    Ok(life)
}

/// The version that is staged, out of the last line: for runs, which can't read the whole journal.
pub fn staged(workspace: &Workspace) -> Checked<Option<Staged>> {
    #[derive(Deserialize)]
    struct Last {
        #[serde(default)]
        standing: Standing,
    }
    let Some(line) = ledger::last_line(workspace, VERSIONS_LOG)? else {
        return Ok(None);
    };
    match serde_json::from_slice::<Last>(&line) {
        Ok(last) => Ok(last.standing.staged),
        Err(_) => Err(Box::new(findings::unreadable_line(VERSIONS_LOG, &line))),
    }
}
