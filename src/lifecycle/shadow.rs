//! What a staged version would have decided: one line for each recorded decision, in a journal of its
//! own, and what they come to.
//!
//! The lines are written by [`crate::evaluation`] behind the decision itself, which they never
//! change. Each carries the state of the staged version (its level, since when, and what holds it),
//! so that the next one goes on from it.

use serde::{Deserialize, Serialize};

pub use super::log::{Staged, staged};
use crate::decision::{Before, Held};
use crate::diagnostic::Checked;
use crate::fs::Workspace;
use crate::ids::{Digest, ReasonCode};
use crate::policy::{Level, Policy};
use crate::record::{Head, Records, SHADOW_LOG, SigningKey, findings, ledger};
use crate::time::Timestamp;

/// What a staging came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// How many decisions the staged version made in the shadow.
    pub evaluations: u64,
    /// How many of them are graver than production's.
    pub graver: u64,
    /// How many are milder.
    pub milder: u64,
    /// The time of the runs, in microseconds.
    pub run_us: u64,
    /// What the staged version took beyond production, in microseconds.
    pub extra_us: i64,
}

/// What both cost, measured in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// The run, from its lock to its record, in microseconds.
    pub run_us: u64,
    /// Reading and deciding by the staged version beyond the same by production.
    pub extra_us: i64,
}

/// A line of the shadow journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shadow {
    /// The evaluation time of both.
    pub timestamp: Timestamp,
    /// The number of the staging.
    pub staging: u64,
    /// The staged version.
    pub version: String,
    /// The SHA-256 of its document.
    pub sha256: Digest,
    /// The number of the recorded decision.
    pub decision: u64,
    /// The SHA-256 of the document that made it.
    pub beside: Digest,
    /// Its level.
    pub production: Level,
    /// The level that the staged version gives.
    pub staged: Level,
    /// Graver by 1, milder by -1, or the same.
    pub differs: i8,
    /// Reasons that the staged version alone gives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<ReasonCode>,
    /// Reasons that production alone gives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub less: Vec<ReasonCode>,
    /// Since when the staged version gives its level.
    pub since: Timestamp,
    /// Where it holds that level although less is demanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// What both cost.
    pub cost: Cost,
}

impl Shadow {
    /// The decision before the next one in the shadow.
    pub fn as_before(&self) -> Before {
        Before {
            level: self.staged.clone(),
            at: self.timestamp,
            since: self.since,
            held: self.held.clone(),
        }
    }
}

/// How the level of a staged version lies to production's: graver 1, milder -1. A level of production
/// that the staged version does not know stands in the middle between YELLOW and RED.
pub fn compare(policy: &Policy, staged: &Level, production: &Level) -> i8 {
    let production = super::impact::on_ladder(policy, production);
    match staged.cmp(&production) {
        std::cmp::Ordering::Greater => 1,
        std::cmp::Ordering::Less => -1,
        std::cmp::Ordering::Equal => 0,
    }
}

/// The document of the staged version, its very bytes.
pub fn document(workspace: &Workspace, staged: &Staged) -> Checked<Vec<u8>> {
    let file = super::files::document_file(&staged.version);
    super::files::exact(
        workspace,
        &file,
        staged.sha256,
        crate::policy::document::LIMIT,
    )
}

/// The last line of a staging.
pub fn last(workspace: &Workspace, staged: &Staged) -> Checked<Option<Shadow>> {
    let Some(line) = ledger::last_line(workspace, SHADOW_LOG)? else {
        return Ok(None);
    };
    let last: Option<Shadow> = serde_json::from_slice(&line).ok();
    Ok(last.filter(|last| last.staging == staged.staging && last.sha256 == staged.sha256))
}

/// Appends a line.
pub fn append(records: Records<'_>, shadow: &Shadow) -> Checked<Head> {
    ledger::append(records, SHADOW_LOG, shadow)
}

/// Verifies the journal, and tells what a staging came to. What was decided beside another document
/// than `staged.base` does not count.
pub fn summary(
    workspace: &Workspace,
    key: Option<&SigningKey>,
    staged: &Staged,
) -> Checked<Summary> {
    ledger::verified(workspace, SHADOW_LOG, key)?;
    let mut summary = Summary::default();
    let mut problem = None;
    ledger::back(workspace, SHADOW_LOG, |bytes| {
        let Ok(line) = serde_json::from_slice::<Shadow>(bytes) else {
            // A torn end, or the line of a reseal: what stands before it counts no more.
            return false;
        };
        if line.staging != staged.staging || line.sha256 != staged.sha256 {
            return false;
        }
        if line.beside == staged.base && !summary.take(&line) {
            problem = Some(findings::unreadable_line(SHADOW_LOG, bytes));
        }
        problem.is_none()
    })?;
    problem.map_or(Ok(summary), |problem| Err(Box::new(problem)))
}

impl Summary {
    /// Adds a line; `false` where the sums are no numbers any more.
    fn take(&mut self, line: &Shadow) -> bool {
        let sums = self
            .run_us
            .checked_add(line.cost.run_us)
            .zip(self.extra_us.checked_add(line.cost.extra_us));
        let Some((run_us, extra_us)) = sums else {
            return false;
        };
        *self = Self {
            evaluations: self.evaluations + 1,
            graver: self.graver + u64::from(line.differs > 0),
            milder: self.milder + u64::from(line.differs < 0),
            run_us,
            extra_us,
        };
        true
    }
}
