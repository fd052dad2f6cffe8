//! What was applied, blocked, cut off and taken back lately, out of the ends of two journals.
//!
//! So many lines are read and no more, however long the journals are. A line that can't be read is
//! left out: whether the record is whole is asked elsewhere.

use serde::Deserialize;

use super::data::Response;
use crate::diagnostic::Checked;
use crate::fs::Workspace;
use crate::fs::read::read_own;
use crate::policy::Level;
use crate::record::{LINE_LIMIT, RESPONSE_JOURNAL, RESPONSE_LOG, ledger};
use crate::response::preview;
use crate::time::Timestamp;

/// So many responses are told.
const RESPONSES: usize = 30;

/// So many lines are looked at for them.
const LINES: usize = 300;

/// The most closed gates that are told of a response, and the longest of their names.
const GATES: usize = 12;
const NAME: usize = 40;

/// A line of the log of responses, and the preview.
#[derive(Deserialize)]
struct Logged {
    response_id: String,
    timestamp: Timestamp,
    policy: Option<Level>,
    mode: String,
    #[serde(default)]
    blocked: bool,
    #[serde(default)]
    interrupted: bool,
    actions_planned: u64,
    actions_succeeded: u64,
    #[serde(default)]
    gates: Vec<Gate>,
}

#[derive(Deserialize)]
struct Gate {
    name: String,
    #[serde(default)]
    open: bool,
}

/// A line of the journal of responses.
#[derive(Deserialize)]
struct Event {
    timestamp: Timestamp,
    #[serde(rename = "event")]
    name: String,
    #[serde(default)]
    id: String,
}

impl Logged {
    fn response(self) -> Response {
        let kind = match self.mode.as_str() {
            "apply" if self.blocked => "blocked",
            "apply" if self.interrupted => "interrupted",
            "apply" if self.actions_succeeded == self.actions_planned => "apply",
            "apply" => "failed",
            _ => "preview",
        };
        let closed = self.gates.into_iter().filter(|gate| !gate.open);
        Response {
            at: self.timestamp,
            kind: kind.to_owned(),
            id: shortened(&self.response_id),
            level: self.policy,
            actions: Some(self.actions_planned),
            succeeded: (kind != "preview").then_some(self.actions_succeeded),
            gates: closed
                .take(GATES)
                .map(|gate| shortened(&gate.name))
                .collect(),
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(NAME).collect()
}

/// The last responses and undos, the newest first.
pub fn recent(workspace: &Workspace) -> Checked<Vec<Response>> {
    let mut found = Vec::new();
    let mut looked = 0;
    ledger::back(workspace, RESPONSE_LOG, |line| {
        looked += 1;
        if let Ok(line) = serde_json::from_slice::<Logged>(line) {
            found.push(line.response());
        }
        found.len() < RESPONSES && looked < LINES
    })?;
    found.extend(undos(workspace)?);
    // Stable: of two at one time the log's comes first.
    found.sort_by_key(|response| std::cmp::Reverse(response.at));
    found.truncate(RESPONSES);
    Ok(found)
}

fn undos(workspace: &Workspace) -> Checked<Vec<Response>> {
    let (mut found, mut looked) = (Vec::new(), 0);
    ledger::back(workspace, RESPONSE_JOURNAL, |line| {
        looked += 1;
        if let Ok(line) = serde_json::from_slice::<Event>(line)
            && line.name == "undo"
        {
            found.push(Response {
                at: line.timestamp,
                kind: "undo".to_owned(),
                id: shortened(&line.id),
                level: None,
                actions: None,
                succeeded: None,
                gates: Vec::new(),
            });
        }
        found.len() < RESPONSES && looked < LINES
    })?;
    Ok(found)
}

/// The last dry run; `None` where there is none, or none that can be read.
pub fn previewed(workspace: &Workspace) -> Option<Response> {
    let bytes = read_own(workspace, preview::FILE, LINE_LIMIT).ok()??;
    let logged: Logged = serde_json::from_slice(&bytes).ok()?;
    Some(logged.response())
}
