//! One line of the trust guard's journal, `state/trust_lock_log.jsonl`, and its last word.

use serde::{Deserialize, Serialize};

use super::Ground;
use super::lock_state::Changed;
use super::verdict::{Breach, Values};
use crate::diagnostic::Checked;
use crate::fs::Workspace;
use crate::record::{Head, TRUST_LOG, ledger};
use crate::time::Timestamp;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happened {
    /// The lock was set.
    Locked,
    /// The guard opened it, or said for the first time that it is open.
    Unlocked,
    /// The guard is switched off by its state file, and left the lock as it is.
    Bypass,
    /// Somebody opened it.
    ManualUnlock,
    /// Somebody wanted to open it, and the day's unlocks are used up.
    UnlockLimitExceeded,
    /// The lock stays as it is; the rest of the state file is new.
    StateUpdate,
    /// The counter of manual unlocks was reset.
    CounterReset,
}

/// What belongs to an event.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Entry<'a> {
    pub(super) event: Happened,
    pub(super) reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) metrics: Option<Values>,
    #[serde(skip_serializing_if = "<[Breach]>::is_empty")]
    pub(super) breaches: &'a [Breach],
    /// `null` where no file was there.
    pub(super) locked_before: Option<bool>,
    pub(super) locked_after: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) manual_unlocks_today: Option<u64>,
    pub(super) files: &'a [Changed],
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: Timestamp,
    user: &'a str,
    #[serde(flatten)]
    entry: Entry<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<&'static str>,
}

/// Appends an event; where that fails, nothing was recorded.
pub(super) fn append(ground: Ground<'_>, entry: Entry<'_>) -> Checked<Head> {
    let line = Line {
        timestamp: ground.at,
        user: ground.request.user,
        entry,
        clock: ground.clock(),
    };
    ledger::append(ground.records()?, TRUST_LOG, &line)
}

/// True where the journal's last word is that the lock is set. The predecessor's lines count too.
pub(super) fn was_locked(workspace: &Workspace) -> bool {
    #[derive(Deserialize)]
    struct Last {
        #[serde(default)]
        locked_after: Option<bool>,
        #[serde(default)]
        locked: Option<bool>,
    }
    let Ok(Some(line)) = ledger::last_line(workspace, TRUST_LOG) else {
        return false;
    };
    serde_json::from_slice::<Last>(&line)
        .is_ok_and(|last| last.locked_after.or(last.locked) == Some(true))
}
