//! The journal of responses: intents, outcomes, undos, and what was done to the safeguards.
//!
//! Every line carries how things stand after it ([`Standing`]), so that the last line alone tells
//! what is under way and what was never cleared up, however long the history is. What each event
//! means is said where it is written.

use serde::{Deserialize, Serialize};

use super::ledger::{self, Records};
use super::{Head, RESPONSE_JOURNAL, findings};
use crate::diagnostic::Checked;
use crate::fs::Workspace;
use crate::ids::Digest;
use crate::time::Timestamp;

/// Stands for the id of what a broken journal does not tell.
pub const UNKNOWN: &str = "unknown";

/// How things stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// What was begun and is not recorded as ended.
    #[serde(default)]
    pub under_way: Option<UnderWay>,
    /// Actions of which nobody knows what they did, until an undo or an operator's word.
    #[serde(default)]
    pub unsettled: Vec<Unsettled>,
}

/// A response that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnderWay {
    /// Its id, a UUID.
    pub response_id: String,
    /// The action or undo that was started last and has no outcome yet.
    #[serde(default)]
    pub action: Option<String>,
    /// The response that it undoes, where it is an undo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_of: Option<String>,
    /// When the response began.
    pub since: Timestamp,
}

/// An action with an unknown outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsettled {
    /// The response it belongs to.
    pub response_id: String,
    /// The response that this one undoes, where it is an undo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_of: Option<String>,
    /// Its name.
    pub action: String,
}

/// What every line says, whatever the event.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// When.
    pub at: Timestamp,
    /// What, a stable word in lower case with underscores.
    pub name: &'static str,
    /// Who.
    pub user: &'a str,
}

#[derive(Serialize)]
struct Line<'a, T> {
    timestamp: Timestamp,
    event: &'static str,
    user: &'a str,
    #[serde(flatten)]
    detail: &'a T,
    standing: &'a Standing,
}

/// Appends an event; `detail` serialises to an object with what belongs to this kind of event.
/// `change` says how things stand after it.
///
/// Fails as [`ledger::append`] does; then nothing was recorded.
pub fn append<T: Serialize>(
    records: Records<'_>,
    event: Event<'_>,
    detail: &T,
    change: impl FnOnce(&mut Standing),
) -> Checked<Head> {
    let mut standing = standing(records.workspace)?;
    change(&mut standing);
    let line = Line {
        timestamp: event.at,
        event: event.name,
        user: event.user,
        detail,
        standing: &standing,
    };
    ledger::append(records, RESPONSE_JOURNAL, &line)
}

/// How things stand after the last whole line.
pub fn standing(workspace: &Workspace) -> Checked<Standing> {
    let Some(line) = ledger::last_line(workspace, RESPONSE_JOURNAL)? else {
        return Ok(Standing::default());
    };
    read(&line).ok_or_else(|| Box::new(findings::unreadable_line(RESPONSE_JOURNAL, &line)))
}

/// How things stood as far as a broken journal tells: after its last line that can be read. Where
/// that is not the line that `recorded` names, nobody knows what came behind it, and the result says
/// so.
pub fn standing_of_broken(workspace: &Workspace, recorded: Option<Head>) -> Standing {
    let mut found = None;
    let mut last = None;
    let read_back = ledger::back(workspace, RESPONSE_JOURNAL, |line| {
        last.get_or_insert_with(|| Digest::of(line));
        found = read(line);
        found.is_none()
    });
    let known = read_back.is_ok() && last == recorded.map(|head| head.sha256);
    let mut standing = found.unwrap_or_default();
    if !known {
        standing.unsettled.push(Unsettled {
            response_id: UNKNOWN.to_owned(),
            undo_of: None,
            action: "what the broken journal does not tell".to_owned(),
        });
    }
    standing
}

fn read(line: &[u8]) -> Option<Standing> {
    #[derive(Deserialize)]
    struct Line {
        #[serde(default)]
        standing: Standing,
    }
    serde_json::from_slice::<Line>(line)
        .ok()
        .map(|line| line.standing)
}
