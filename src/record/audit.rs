//! The journal of what has no journal of its own: `state/audit.log`.
//!
//! The journals together are the audit log, and each thing that happens has one line in one of them.
//! Decisions, responses, the trust guard, versions and alerts keep theirs; here stand the lock of the
//! policies, overrides, refusals of the guard, tampering that a command met, and events that others append. What
//! an event's details mean is said where it is written.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ledger::{self, Records};
use super::overrides::Overrides;
use super::{AUDIT_LOG, Head, findings};
use crate::diagnostic::Checked;
use crate::fs::Workspace;
use crate::ids::{Digest, EventType};
use crate::time::Timestamp;

/// How grave an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// To be known.
    Low,
    /// To be looked at some time.
    Medium,
    /// To be looked at today.
    High,
    /// To be looked at now.
    Critical,
}

impl Severity {
    /// All of them, the least grave first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The word that stands in the journal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Severity {
    type Err = String;

    /// Reads the word in any case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter();
        all.find(|severity| severity.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| "expected LOW, MEDIUM, HIGH or CRITICAL".to_owned())
    }
}

/// Something that happened, to be recorded. `details` serialises to an object.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a, T> {
    /// When.
    pub at: Timestamp,
    /// Who gave the command, as the environment says.
    pub user: &'a str,
    /// What was done: a stable word in lower case with underscores.
    pub action: &'static str,
    /// What kind of event it is.
    pub event_type: &'a EventType,
    /// How grave it is.
    pub severity: Severity,
    /// The task that it belongs to, where there is one: a response, an approval, an operation.
    pub task_id: Option<&'a str>,
    /// The digest of the data that it is about.
    pub data: Digest,
    /// What belongs to this kind of event.
    pub details: &'a T,
    /// True where the user gave the time.
    pub given_clock: bool,
}

#[derive(Serialize)]
struct Line<'a, T> {
    time: Timestamp,
    user: &'a str,
    action: &'static str,
    event_type: &'a EventType,
    severity: Severity,
    task_id: Option<&'a str>,
    data_sha256: Digest,
    details: &'a T,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<&'static str>,
    standing: Standing,
}

/// How things stand after a line, so that the last line alone tells, however long the history is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The digest of the manifest of the policy lock; `None` where the policies were never locked.
    #[serde(default)]
    pub lock: Option<Digest>,
    /// How overrides stand.
    #[serde(default, skip_serializing_if = "Overrides::is_empty")]
    pub overrides: Overrides,
}

/// An event as a line records it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Recorded {
    /// When.
    pub time: Timestamp,
    /// Who.
    pub user: String,
    /// What was done.
    pub action: String,
    /// What kind of event it is.
    pub event_type: EventType,
    /// How grave it is.
    pub severity: Severity,
    /// The task that it belongs to.
    pub task_id: Option<String>,
    /// The digest of the data that it is about.
    pub data_sha256: Digest,
    /// What belongs to this kind of event.
    pub details: serde_json::Value,
    /// How things stand after it.
    pub standing: Standing,
    /// The line's number.
    pub seq: u64,
}

/// Appends an event. Fails as [`ledger::append`] does; then nothing was recorded.
pub fn append<T: Serialize>(records: Records<'_>, event: &Event<'_, T>) -> Checked<Head> {
    append_changed(records, event, |_| {})
}

/// Appends an event; `change` says how things stand after it, and leaves alone what it does not know.
pub fn append_changed<T: Serialize>(
    records: Records<'_>,
    event: &Event<'_, T>,
    change: impl FnOnce(&mut Standing),
) -> Checked<Head> {
    let mut standing = standing(records.workspace)?;
    change(&mut standing);
    append_standing(records, event, standing)
}

/// So many refusals of one type are recorded in [`A_WHILE`].
const REFUSALS: usize = 20;

/// The time in which they are counted, in seconds: an hour.
const A_WHILE: i64 = 3600;

/// So many lines are looked through for them.
const LOOKED_THROUGH: usize = 1000;

/// Appends a refusal that changes nothing, unless as many of its type stand there from the last hour:
/// whoever asks again and again can't fill the log. `None` where it was one too many.
pub fn append_refusal<T: Serialize>(
    records: Records<'_>,
    event: &Event<'_, T>,
) -> Checked<Option<Head>> {
    let since = event.at.plus_seconds(-A_WHILE);
    let (mut counted, mut lines) = (0, 0);
    back(records.workspace, |recorded| {
        lines += 1;
        let is_recent = recorded.time > since;
        counted += usize::from(is_recent && recorded.event_type == *event.event_type);
        counted < REFUSALS && lines < LOOKED_THROUGH
    })?;
    if counted >= REFUSALS {
        return Ok(None);
    }
    append(records, event).map(Some)
}

/// Appends an event that changes how things stand.
pub fn append_standing<T: Serialize>(
    records: Records<'_>,
    event: &Event<'_, T>,
    standing: Standing,
) -> Checked<Head> {
    ledger::append(records, AUDIT_LOG, &line_of(event, standing))
}

/// What an event's line says, but for the chain's members.
pub(super) fn line_of<'a, T: Serialize>(
    event: &Event<'a, T>,
    standing: Standing,
) -> impl Serialize + use<'a, T> {
    Line {
        time: event.at,
        user: event.user,
        action: event.action,
        event_type: event.event_type,
        severity: event.severity,
        task_id: event.task_id,
        data_sha256: event.data,
        details: event.details,
        clock: event.given_clock.then_some("given"),
        standing,
    }
}

/// How things stand after the last whole line; a reseal stands for the line before it.
pub fn standing(workspace: &Workspace) -> Checked<Standing> {
    #[derive(Deserialize)]
    struct Line {
        #[serde(default)]
        standing: Option<Standing>,
    }
    let mut found = None;
    ledger::back(workspace, AUDIT_LOG, |line| {
        found = serde_json::from_slice::<Line>(line)
            .ok()
            .and_then(|line| line.standing);
        found.is_none()
    })?;
    Ok(found.unwrap_or_default())
}

/// Hands out the events from the last one back, while `each` says true. Lines of a plain log that was
/// adopted, reseals, and a last line that was never finished are no events.
///
/// Fails at a chained line that is no event and no reseal.
pub fn back(workspace: &Workspace, mut each: impl FnMut(Recorded) -> bool) -> Checked<()> {
    #[derive(Deserialize)]
    struct Other {
        #[serde(default)]
        v: Option<u32>,
        #[serde(default)]
        segment: Option<serde::de::IgnoredAny>,
    }
    let (mut unreadable, mut first) = (None, true);
    ledger::back(workspace, AUDIT_LOG, |line| {
        let last = std::mem::replace(&mut first, false);
        if let Ok(event) = serde_json::from_slice(line) {
            return each(event);
        }
        match serde_json::from_slice::<Other>(line) {
            Ok(other) if other.v.is_none() || other.segment.is_some() => {}
            Err(_) if last => {}
            _ => unreadable = Some(findings::unreadable_line(AUDIT_LOG, line)),
        }
        unreadable.is_none()
    })?;
    match unreadable {
        Some(problem) => Err(Box::new(problem)),
        None => Ok(()),
    }
}

/// The last event of this type.
pub fn last_of(workspace: &Workspace, event_type: &EventType) -> Checked<Option<Recorded>> {
    let mut found = None;
    back(workspace, |event| {
        if event.event_type == *event_type {
            found = Some(event);
        }
        found.is_none()
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fs::{LockTimeout, RetryDelays, WorkspaceLock};

    fn event<'a>(
        kind: &'a EventType,
        task: Option<&'a str>,
        details: &'a serde_json::Value,
    ) -> Event<'a, serde_json::Value> {
        Event {
            at: Timestamp::read("2026-11-20T06:05:00Z").unwrap().time,
            user: "ada",
            action: "guard_check",
            event_type: kind,
            severity: Severity::Medium,
            task_id: task,
            data: Digest::of(b"x"),
            details,
            given_clock: false,
        }
    }

    fn on_ground(then: impl FnOnce(Records<'_>)) {
        let directory = tempfile::tempdir().unwrap();
        let workspace = Workspace::open(directory.path()).unwrap();
        let retry = RetryDelays::none();
        let timeout = LockTimeout::silent(Duration::ZERO);
        let lock = WorkspaceLock::acquire(&workspace, "test", timeout, &retry).unwrap();
        then(Records {
            workspace: &workspace,
            lock: &lock,
            key: None,
            retry: &retry,
        });
    }

    /// The bytes of a line are what others rely on.
    #[test]
    fn a_line_is_pinned() {
        on_ground(|records| {
            let details = serde_json::json!({"file": "a"});
            append(
                records,
                &event(&EventType::GUARD_REFUSED, Some("t1"), &details),
            )
            .unwrap();
            let line = ledger::last_line(records.workspace, AUDIT_LOG)
                .unwrap()
                .unwrap();
            assert_eq!(
                String::from_utf8(line).unwrap(),
                r#"{"time":"2026-11-20T06:05:00+00:00","user":"ada","action":"guard_check","event_type":"GUARD_REFUSED","severity":"MEDIUM","task_id":"t1","data_sha256":"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881","details":{"file":"a"},"standing":{"lock":null},"v":1,"seq":1,"prev":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}"#
            );
        });
    }

    #[test]
    fn events_come_back_and_carry_how_things_stand() {
        on_ground(|records| {
            let details = serde_json::json!({});
            let workspace = records.workspace;
            assert_eq!(standing(workspace).unwrap(), Standing::default());
            let lock = Standing {
                lock: Some(Digest::of(b"manifest")),
                ..Standing::default()
            };
            append_standing(
                records,
                &event(&EventType::POLICY_LOCKED, None, &details),
                lock.clone(),
            )
            .unwrap();
            for task in ["1", "2", "3"] {
                append(
                    records,
                    &event(&EventType::GUARD_REFUSED, Some(task), &details),
                )
                .unwrap();
            }
            assert_eq!(standing(workspace).unwrap(), lock);
            let last = last_of(workspace, &EventType::GUARD_REFUSED)
                .unwrap()
                .unwrap();
            assert_eq!((last.task_id.as_deref(), last.seq), (Some("3"), 4));
            let first = last_of(workspace, &EventType::POLICY_LOCKED)
                .unwrap()
                .unwrap();
            assert_eq!((first.seq, first.standing), (1, lock));
            assert_eq!(
                last_of(workspace, &EventType::POLICY_ACCEPTED).unwrap(),
                None
            );
        });
    }

    #[test]
    fn severities_are_read_in_any_case_and_nothing_else_is() {
        for severity in Severity::ALL {
            let lower = severity.as_str().to_lowercase();
            assert_eq!(lower.parse(), Ok(severity));
        }
        assert!("".parse::<Severity>().is_err());
        assert!("SEVERE".parse::<Severity>().is_err());
    }
}
