//! Manual unlocks of the trust guard: how many there were today, and how many are allowed.
//!
//! One function for the gate and for the command (rows C-28, B-10, D-04). The count is the larger
//! one of the state files and of the guard's journal, so that a state file that was lost or put
//! back does not give the day's unlocks back.

use serde::Deserialize;

use super::guard_policy;
use super::lock_state::LockState;
use crate::diagnostic::Checked;
use crate::fs::Workspace;
use crate::record::TRUST_LOG;
use crate::record::lines::{BackLines, Role};
use crate::time::Timestamp;

/// The event of a manual unlock in the guard's journal.
pub const UNLOCKED: &str = "manual_unlock";

/// The event of a counter that was reset.
pub const RESET: &str = "counter_reset";

/// The search in the journal stops at a line so much older than the day: some more than a day, for
/// clocks that were set.
const LONG_AGO: i64 = 2 * 86_400;

/// Manual unlocks of the trust guard today, and how many are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnlockFact {
    /// Counted today (UTC).
    pub today: u64,
    /// The limit.
    pub allowed: u64,
}

impl UnlockFact {
    /// True where no further one is allowed.
    pub fn is_used_up(self) -> bool {
        self.today >= self.allowed
    }
}

/// Today's manual unlocks and their limit.
pub fn count(workspace: &Workspace, at: Timestamp) -> Checked<UnlockFact> {
    let (policy, _) = guard_policy::load(workspace)?;
    let in_files = LockState::load(workspace).unlocks_of_day(at)?;
    Ok(UnlockFact {
        today: in_files.max(in_journal(workspace, at)?),
        allowed: policy.unlocks,
    })
}

/// Manual unlocks of the day of `at` in the guard's journal since the last reset of the counter.
pub(super) fn in_journal(workspace: &Workspace, at: Timestamp) -> Checked<u64> {
    #[derive(Deserialize)]
    struct Line {
        timestamp: Timestamp,
        #[serde(default)]
        event: Option<String>,
        #[serde(default)]
        clock: Option<String>,
    }
    let Some(mut lines) = BackLines::open(workspace, TRUST_LOG)? else {
        return Ok(0);
    };
    let (begin, end) = (at.day(), at.next_day());
    let long_ago = begin.plus_seconds(-LONG_AGO);
    let mut count = 0;
    while let Some(line) = lines.next_line()? {
        if line.role == Role::Reseals {
            break;
        }
        if line.role.is_of_the_chain() {
            continue;
        }
        // A line that can't be read is no unlock; the chain says whether one was made unreadable.
        let Ok(line) = serde_json::from_slice::<Line>(line.bytes) else {
            continue;
        };
        // A time that somebody gave says nothing about the lines before.
        if line.timestamp < long_ago && line.clock.is_none() {
            break;
        }
        match line.event.as_deref() {
            Some(RESET) => break,
            Some(UNLOCKED) => count += u64::from((begin..end).contains(&line.timestamp)),
            _ => {}
        }
    }
    Ok(count)
}
