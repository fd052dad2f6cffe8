//! The log of responses: one line for each apply and each blocked attempt, written last.
//!
//! `state/policy_response_log.jsonl`, a journal. The first members of a line are the predecessor's
//! (rows OR-01, OR-02). Read from its end only.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::gates::{AppliedFact, Gate};
use super::plan::{Class, Plan};
use crate::diagnostic::Checked;
use crate::fs::Workspace;
use crate::ids::Digest;
use crate::policy::Level;
use crate::record::reseal::RESEAL;
use crate::record::{Head, LOOK_BACK, RESPONSE_LOG, ledger};
use crate::signals::responses;
use crate::time::Timestamp;

/// What became of an action.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "members of a format")]
pub struct ActionResult {
    /// Its name.
    pub action: String,
    /// Its command.
    pub command: String,
    /// True where it ended well.
    pub success: bool,
    /// True where it can be taken back.
    pub reversible: bool,
    /// How, by hand.
    pub undo_instruction: Option<String>,
    /// What it said, at most 500 characters, without secrets.
    pub stdout: String,
    /// What it complained of, likewise.
    pub stderr: String,
    /// How long it took, in seconds.
    pub duration: f64,
    /// How deep it reaches.
    pub class: Class,
    /// True where its process was started.
    #[serde(default)]
    pub started: bool,
    /// How it ended: `exited 0`, `timed out`, `stopped by the kill switch`, `not started: …`.
    pub ended: String,
    /// True where it was left out on purpose, as in its cooldown: neither a success nor a failure.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
    /// The digest of the files that it may change, before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_state: Option<Digest>,
    /// The same after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_state: Option<Digest>,
}

/// A line of the log.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "members of a format")]
pub struct LogLine<'a> {
    /// The response, a UUID of version 4 (RFC 9562).
    pub response_id: &'a str,
    /// When it ended.
    pub timestamp: Timestamp,
    /// The level that was responded to.
    pub policy: Option<&'a Level>,
    /// Always `apply`.
    pub mode: &'static str,
    /// True where every gate was open.
    pub safety_gates_passed: bool,
    /// How many actions the plan has.
    pub actions_planned: usize,
    /// How many ended well.
    pub actions_succeeded: usize,
    /// What became of each.
    pub results: &'a [ActionResult],
    /// True where a gate was closed, so that nothing was started.
    pub blocked: bool,
    /// Why: the reason of the first closed gate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
    /// The closed gates.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<&'a Gate>,
    /// True where it was cut off, and this line was written afterwards.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
    /// The digest of the plan.
    pub plan: Digest,
    /// The journal line of the decision.
    pub decision: Option<Head>,
    /// For whom.
    pub user: &'a str,
    /// True for an apply that nobody watched.
    pub unattended: bool,
    /// Why another level than the decided one was responded to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forced: Option<&'a str>,
    /// Why a plan was applied once more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub again: Option<&'a str>,
    /// A digest of what failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Digest>,
    /// The fix branch of that failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<&'a str>,
}

/// A search through the log stops at an entry older than this: twice the longest window that
/// matters to it, and some more for clocks that were set.
const LONG_AGO: TimeDelta = TimeDelta::hours(54);

/// What the end of the log says.
#[derive(Debug, Default)]
pub struct Recent {
    /// Own applies in the last 24 hours. A line that can't be read or dated counts; blocked
    /// attempts don't.
    pub applies: u64,
    /// When those were made that can be dated, the latest first.
    pub times: Vec<Timestamp>,
    /// The last apply of the plan that was asked for.
    pub applied: Option<AppliedFact>,
}

#[derive(Deserialize)]
struct Read {
    #[serde(default)]
    response_id: String,
    timestamp: Timestamp,
    mode: String,
    #[serde(default)]
    blocked: bool,
    #[serde(default)]
    interrupted: bool,
    #[serde(default)]
    plan: Option<Digest>,
    #[serde(default)]
    decision: Option<Head>,
    #[serde(default)]
    user: String,
    #[serde(default)]
    results: Vec<ReadResult>,
    #[serde(default)]
    failure: Option<Digest>,
    #[serde(default)]
    branch: Option<String>,
    #[serde(default)]
    reason: serde_json::Value,
}

#[derive(Deserialize)]
struct ReadResult {
    action: String,
    #[serde(default)]
    success: bool,
    #[serde(default)]
    skipped: bool,
    #[serde(default)]
    started: bool,
}

/// A line of which no more can be read than its time.
#[derive(Deserialize)]
struct Dated {
    timestamp: Timestamp,
    #[serde(default)]
    event: Option<String>,
}

/// A line of the log, as far as it can be read.
enum Line {
    Whole(Box<Read>),
    /// A new journal began: no response.
    Reseal(Timestamp),
    Dated(Timestamp),
    Unreadable,
}

impl Line {
    fn parse(bytes: &[u8]) -> Self {
        if let Ok(read) = serde_json::from_slice(bytes) {
            return Self::Whole(Box::new(read));
        }
        match serde_json::from_slice::<Dated>(bytes) {
            Ok(Dated {
                timestamp,
                event: Some(event),
            }) if event == RESEAL => Self::Reseal(timestamp),
            Ok(Dated { timestamp, .. }) => Self::Dated(timestamp),
            Err(_) => Self::Unreadable,
        }
    }

    fn time(&self) -> Option<Timestamp> {
        match self {
            Self::Whole(read) => Some(read.timestamp),
            Self::Dated(at) | Self::Reseal(at) => Some(*at),
            Self::Unreadable => None,
        }
    }

    fn whole(&self) -> Option<&Read> {
        match self {
            Self::Whole(read) => Some(read),
            _ => None,
        }
    }
}

/// Looks at the applies of the last 24 hours, and for one of `plan` or of an action of it for the
/// same decision: both are younger than the decision, and so than 26 hours.
pub fn recent(workspace: &Workspace, at: Timestamp, plan: Option<&Plan>) -> Checked<Recent> {
    let begin = at.minus(responses::WINDOW);
    let digest = plan.map(Plan::digest);
    let mut recent = Recent::default();
    back(workspace, |line| {
        if line.time().is_some_and(|time| time < at.minus(LONG_AGO)) {
            return false;
        }
        let Some(read) = line.whole() else {
            if matches!(line, Line::Reseal(_)) {
                return true;
            }
            recent.applies += u64::from(line.time().is_none_or(|time| time >= begin));
            return true;
        };
        if read.mode == "apply" && !read.blocked {
            if read.timestamp >= begin {
                recent.applies += 1;
                recent.times.push(read.timestamp);
            }
            let same = plan.is_some_and(|plan| did(read, plan, digest));
            if same && recent.applied.is_none() {
                recent.applied = Some(AppliedFact {
                    at: read.timestamp,
                    user: read.user.clone(),
                    response_id: read.response_id.clone(),
                });
            }
        }
        true
    })?;
    Ok(recent)
}

/// True where an apply did what the plan would do, or a part of it, for the same decision. One that
/// was cut off may have done anything that it had planned.
fn did(read: &Read, plan: &Plan, digest: Option<Digest>) -> bool {
    if digest.is_some() && read.plan == digest {
        return true;
    }
    let same_decision = plan.decision.is_some() && read.decision == plan.decision;
    let planned = |name: &str| plan.actions.iter().any(|planned| planned.action == name);
    let mut results = read.results.iter();
    let done = results.any(|result| result.started && planned(&result.action));
    same_decision && (read.interrupted || done)
}

/// True where the log has the line of a response that began at `since`.
pub fn has(workspace: &Workspace, response_id: &str, since: Timestamp) -> Checked<bool> {
    let mut found = false;
    back(workspace, |line| {
        found |= line
            .whole()
            .is_some_and(|read| read.response_id == response_id);
        !found && line.time().is_none_or(|time| time >= since.minus(LONG_AGO))
    })?;
    Ok(found)
}

/// When the action last succeeded, looking back `seconds`.
pub fn last_success(
    workspace: &Workspace,
    action: &str,
    at: Timestamp,
    seconds: u64,
) -> Checked<Option<Timestamp>> {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let begin = at.minus(TimeDelta::try_seconds(seconds).unwrap_or(TimeDelta::MAX));
    let mut last = None;
    back(workspace, |line| {
        let Some(read) = line.whole() else {
            return true;
        };
        let is_it =
            |result: &ReadResult| result.action == action && result.success && !result.skipped;
        if read.timestamp > begin && read.results.iter().any(is_it) {
            last = Some(read.timestamp);
        }
        last.is_none() && read.timestamp > begin.minus(LONG_AGO)
    })?;
    Ok(last)
}

/// The fix branch of the last apply, where it failed in the same way.
pub fn ongoing_branch(workspace: &Workspace, failure: Digest) -> Checked<Option<String>> {
    let mut branch = None;
    back(workspace, |line| {
        let Some(read) = line.whole().filter(|read| !read.blocked) else {
            return true;
        };
        if read.failure == Some(failure) {
            branch.clone_from(&read.branch);
        }
        false
    })?;
    Ok(branch)
}

/// Attempts to apply in a while.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attempts {
    /// All of them.
    pub all: u64,
    /// Those that a gate blocked.
    pub blocked: u64,
}

/// The attempts to apply from `begin` on.
pub fn attempts(workspace: &Workspace, begin: Timestamp) -> Checked<Attempts> {
    let mut attempts = Attempts::default();
    back(workspace, |line| {
        let read = line.whole().filter(|read| read.mode == "apply");
        if let Some(read) = read.filter(|read| read.timestamp >= begin) {
            attempts.all += 1;
            attempts.blocked += u64::from(read.blocked);
        }
        line.time().is_none_or(|time| time >= begin.minus(LONG_AGO))
    })?;
    Ok(attempts)
}

/// A response that was blocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// When.
    pub at: Timestamp,
    /// Why: the reason of the first closed gate.
    pub reason: String,
    /// Its id.
    pub response_id: String,
}

/// The blocked attempts behind the last apply that was none, the newest first, as far as anybody
/// counts.
pub fn blocked_at_end(workspace: &Workspace) -> Checked<Vec<Blocked>> {
    let mut blocked = Vec::new();
    let mut looked_at = 0;
    back(workspace, |line| {
        looked_at += 1;
        let Some(read) = line.whole().filter(|read| read.mode == "apply") else {
            return looked_at < LOOK_BACK;
        };
        if read.blocked {
            blocked.push(Blocked {
                at: read.timestamp,
                reason: match &read.reason {
                    serde_json::Value::String(reason) => reason.clone(),
                    serde_json::Value::Null => "a gate that the log does not name".to_owned(),
                    other => other.to_string(),
                },
                response_id: read.response_id.clone(),
            });
        }
        read.blocked && looked_at < LOOK_BACK
    })?;
    Ok(blocked)
}

/// Hands out the lines from the last one back, across reseals, while `each` says true.
fn back(workspace: &Workspace, mut each: impl FnMut(&Line) -> bool) -> Checked<()> {
    ledger::back(workspace, RESPONSE_LOG, |bytes| {
        bytes.trim_ascii().is_empty() || each(&Line::parse(bytes))
    })
}
