//! What only grows, counted from the journals: `state/metrics.json`.
//!
//! The file says up to which line each journal was counted, so that the next count reads the new lines
//! alone. It is a projection: where it is gone, can't be read, or names a line that is not there, the
//! journals are counted from their beginning again. How long runs took stands in no journal; that
//! part is counted by `run --metrics` alone and begins anew with the file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::diagnostic::Checked;
use crate::fs::read::read_own;
use crate::fs::{RetryDelays, Workspace, WorkspaceLock, write};
use crate::ids::Digest;
use crate::record::lines::BackLines;
use crate::record::{
    APPROVAL_LOG, AUDIT_LOG, Head, JOURNALS, REQUEST_LOG, RESPONSE_JOURNAL, RESPONSE_LOG,
    STATE_JOURNAL,
};

/// The file, relative to the workspace.
pub const FILE: &str = "state/metrics.json";

/// The version of its format.
const SCHEMA: u32 = 1;

/// A larger file is none of ours.
const LIMIT: u64 = 1024 * 1024;

/// A run that takes longer is slow (row S0-061).
pub const SLOW_SECONDS: f64 = 1.0;

/// Who may approve what.
const APPROVERS: &str = "policy/approvers.yaml";

/// Decisions, by level: `decisions/RED`.
pub const DECISIONS: &str = "decisions/";
/// Decisions with another level than the one before.
pub const CHANGES: &str = "changes";
/// Decisions of runs that failed.
pub const FAILURES: &str = "failures";
/// Applies that were carried out.
pub const APPLIED: &str = "applied";
/// Attempts to apply that a gate blocked.
pub const BLOCKED: &str = "blocked";
/// Actions that were undone.
pub const UNDONE: &str = "undone";
/// Approvals that a second person signed.
pub const GRANTED: &str = "granted";
/// Recorded changes of the list of approvers.
pub const ROLES: &str = "roles";
/// Requests that were answered, whatever the answer.
pub const ANSWERED: &str = "answered";
/// Requests that were denied; what waits for an approval is not.
pub const DENIED: &str = "denied";

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counters {
    schema: u32,
    /// Each journal, up to its last line.
    pub journals: BTreeMap<String, Counted>,
    /// How long runs took.
    pub runs: Runs,
}

/// What a journal was counted to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Counted {
    /// The last line that was counted.
    pub head: Head,
    /// How often each thing happened.
    pub counts: BTreeMap<String, u64>,
}

/// How long runs took that were measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Runs {
    /// How many.
    pub count: u64,
    /// Seconds in all.
    pub seconds: f64,
    /// How many of them were slow.
    pub slow: u64,
    /// Seconds of the last one.
    pub last: f64,
}

impl Runs {
    /// Adds a run.
    pub fn add(&mut self, seconds: f64) {
        self.count += 1;
        self.seconds += seconds;
        self.slow += u64::from(seconds > SLOW_SECONDS);
        self.last = seconds;
    }
}

impl Counters {
    /// What was counted before, and all that came since.
    pub fn up_to_date(workspace: &Workspace) -> Checked<Self> {
        let mut counters = Self::load(workspace);
        let mut fresh = BTreeMap::new();
        for file in JOURNALS {
            let before = counters.journals.remove(file);
            if let Some(counted) = count(workspace, file, before.as_ref())? {
                fresh.insert(file.to_owned(), counted);
            }
        }
        counters.journals = fresh;
        Ok(counters)
    }

    /// What stands in the file; nothing where it can't be read, since all of it can be counted again.
    fn load(workspace: &Workspace) -> Self {
        let read = read_own(workspace, FILE, LIMIT).ok().flatten();
        let parsed = read.and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok());
        let known = parsed.filter(|counters| counters.schema == SCHEMA);
        known.unwrap_or_else(|| Self {
            schema: SCHEMA,
            ..Self::default()
        })
    }

    /// Keeps it. The lock says that nobody else does meanwhile.
    pub fn store(&self, workspace: &Workspace, _lock: &WorkspaceLock) -> Checked<()> {
        let bytes = crate::fs::pretty(self);
        RetryDelays::none()
            .retry(|| write::replace_rarely(workspace, FILE, &bytes))
            .map_err(Into::into)
    }

    /// How often something happened, by its name in a journal.
    pub fn of(&self, file: &str, name: &str) -> u64 {
        let counted = self.journals.get(file);
        let count = counted.and_then(|counted| counted.counts.get(name));
        count.copied().unwrap_or(0)
    }

    /// All decisions by level.
    pub fn decisions(&self) -> impl Iterator<Item = (&str, u64)> {
        let counted = self.journals.get(STATE_JOURNAL).into_iter();
        counted
            .flat_map(|counted| &counted.counts)
            .filter_map(|(name, count)| Some((name.strip_prefix(DECISIONS)?, *count)))
    }
}

/// Counts a journal from its last line back to the one that was counted before; `None` for one that
/// has no chained line.
fn count(workspace: &Workspace, file: &str, before: Option<&Counted>) -> Checked<Option<Counted>> {
    let Some(mut lines) = BackLines::open(workspace, file)? else {
        return Ok(None);
    };
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut head = None;
    while let Some(line) = lines.next_line()? {
        if !line.ended {
            continue;
        }
        // A line from before the chain has no number and tells nothing that is counted.
        let Ok(raw) = serde_json::from_slice::<Raw>(line.bytes) else {
            continue;
        };
        let here = || Head {
            seq: raw.seq,
            sha256: Digest::of(line.bytes),
        };
        let newest = *head.get_or_insert_with(here);
        let known = before.filter(|before| before.head.seq == raw.seq);
        if let Some(known) = known.filter(|known| known.head == here()) {
            for (name, count) in &known.counts {
                *counts.entry(name.clone()).or_default() += count;
            }
            return Ok(Some(Counted {
                head: newest,
                counts,
            }));
        }
        if !line.role.is_of_the_chain() {
            raw.names(file, &mut |name| match counts.get_mut(name) {
                Some(count) => *count += 1,
                None => {
                    counts.insert(name.to_owned(), 1);
                }
            });
        }
    }
    Ok(head.map(|head| Counted { head, counts }))
}

/// What of a line is counted, of whichever journal.
#[derive(Deserialize)]
struct Raw {
    seq: u64,
    #[serde(default)]
    policy: Option<String>,
    #[serde(default)]
    before: Option<String>,
    #[serde(default)]
    failure: Option<String>,
    #[serde(default)]
    mode: Option<String>,
    #[serde(default)]
    blocked: bool,
    #[serde(default)]
    event: Option<String>,
    #[serde(default)]
    event_type: Option<String>,
    #[serde(default)]
    details: Option<Value>,
}

impl Raw {
    fn names(&self, file: &str, count: &mut dyn FnMut(&str)) {
        let event = self.event.as_deref();
        match file {
            STATE_JOURNAL => {
                let Some(level) = &self.policy else { return };
                count(&format!("{DECISIONS}{level}"));
                if self.before.as_ref().is_some_and(|before| before != level) {
                    count(CHANGES);
                }
                if self.failure.is_some() {
                    count(FAILURES);
                }
            }
            RESPONSE_LOG if self.mode.as_deref() == Some("apply") => {
                count(if self.blocked { BLOCKED } else { APPLIED });
            }
            RESPONSE_JOURNAL if event == Some("undo") => count(UNDONE),
            APPROVAL_LOG if event == Some("GRANTED") => count(GRANTED),
            REQUEST_LOG => {
                count(ANSWERED);
                if event == Some("request_denied") {
                    count(DENIED);
                }
            }
            AUDIT_LOG if self.changes_roles() => count(ROLES),
            _ => {}
        }
    }

    /// True for an event that says that the list of approvers was changed.
    fn changes_roles(&self) -> bool {
        let kinds = ["POLICY_LOCKED", "POLICY_ACCEPTED", "POLICY_CHANGE_ENDED"];
        let of_kind = self
            .event_type
            .as_deref()
            .is_some_and(|kind| kinds.contains(&kind));
        let changes = self
            .details
            .as_ref()
            .and_then(|details| details.get("changes"));
        let paths = changes.and_then(Value::as_array).into_iter().flatten();
        let mut paths = paths.filter_map(|change| change.get("path").and_then(Value::as_str));
        of_kind && paths.any(|path| path == APPROVERS)
    }
}
