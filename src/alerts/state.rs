//! The file `state/policy_alert_state.json`: which alerts are up, and who is still to be told.
//!
//! It follows from the log, which is the truth: after a kill it may be behind, and what is lost is
//! made again. Only when the brake was first seen engaged stands nowhere else, and how far the journal
//! of decisions was looked at for changes of the level; of those, the log names each that was told.

use serde::{Deserialize, Serialize};

use super::levels;
use super::tracking::{Event, Kind, Open, fold};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::read::read_own;
use crate::fs::{Workspace, WriteError, write};
use crate::time::Timestamp;

/// The file, relative to the workspace.
pub const FILE: &str = "state/policy_alert_state.json";

/// Where one that can't be read is moved.
pub const UNREADABLE: &str = "state/policy_alert_state.json.unreadable";

/// The version of the format. A newer one is never written over.
pub const SCHEMA: u32 = 1;

/// A file larger than this is none of ours.
const LIMIT: u64 = 16 * 1024 * 1024;

/// Events of which nobody could be told; more than this are given up, the oldest first.
pub const PENDING: usize = 1000;

/// Somebody who is told of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// A program.
    Hook,
    /// An address that takes a POST.
    Webhook,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Hook, Self::Webhook];
}

/// An event of which somebody is still to be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// Who.
    pub to: Vec<Channel>,
    /// Of what.
    pub event: Event,
}

/// What the alerts keep from one run to the next.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AlertState {
    /// The version of the format.
    pub schema: u32,
    /// The number of the last event.
    pub last_event: u64,
    /// The number of the last event that the marker shows.
    pub marked: u64,
    /// The alerts that are up.
    pub open: Vec<Open>,
    /// The alerts that were resolved lately.
    pub resolved: Vec<Event>,
    /// When an alert was last resolved.
    pub last_resolved: Option<Timestamp>,
    /// When the brake that is engaged was first seen so.
    pub brake_seen: Option<Timestamp>,
    /// Events of which somebody is still to be told.
    pub pending: Vec<Pending>,
    /// The number of the last line of the journal of decisions that was looked at for changes of
    /// the level; absent before the first look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level_line: Option<u64>,
}

/// What stands in the file's place.
#[derive(Debug)]
pub enum Loaded {
    /// A state.
    State(AlertState),
    /// Nothing.
    Absent,
    /// Something that can't be read.
    Unreadable(Box<Diagnostic>),
}

/// Reads the file. Fails where a newer version wrote it.
pub fn load(workspace: &Workspace) -> Checked<Loaded> {
    let bytes = match read_own(workspace, FILE, LIMIT) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(Loaded::Absent),
        Err(problem) => return Ok(Loaded::Unreadable(problem)),
    };
    if let Some(schema) = newer(&bytes) {
        return Err(Box::new(
            Diagnostic::new(
                Code::FormatNewer,
                Place::file(FILE).path("$.schema"),
                "the state of the alerts was written by a newer version",
            )
            .found(schema.to_string())
            .expected(format!("at most {SCHEMA}"))
            .help("use that version here: this one would lose what it does not know"),
        ));
    }
    Ok(match serde_json::from_slice(&bytes) {
        Ok(state) => Loaded::State(state),
        Err(error) => Loaded::Unreadable(Box::new(
            Diagnostic::new(
                Code::AlertStateLost,
                Place::line(FILE, error.line() as u64).column(error.column().max(1) as u64),
                "the state of the alerts can't be read",
            )
            .found(error.to_string()),
        )),
    })
}

fn newer(bytes: &[u8]) -> Option<u32> {
    #[derive(Deserialize)]
    struct Versioned {
        schema: u32,
    }
    let versioned: Versioned = serde_json::from_slice(bytes).ok()?;
    (versioned.schema > SCHEMA).then_some(versioned.schema)
}

/// Replaces the file.
pub fn store(workspace: &Workspace, state: &AlertState) -> Result<(), WriteError> {
    let state = AlertState {
        schema: SCHEMA,
        ..state.clone()
    };
    // Serialising to memory fails for maps with keys that are no text alone; there are none.
    let bytes = crate::fs::pretty(&state);
    write::replace_rarely(workspace, FILE, &bytes)
}

impl AlertState {
    /// Takes in events that the log holds.
    pub fn take_in(&mut self, events: &[Event], channels: &[Channel]) {
        for event in events {
            fold(&mut self.open, event);
            self.last_event = self.last_event.max(event.number);
            self.level_line = self.level_line.max(levels::line_of(&event.alert));
            self.resolved
                .retain(|earlier| earlier.alert.name != event.alert.name);
            if event.event == Kind::Resolved {
                self.last_resolved = Some(event.timestamp);
                self.resolved.push(event.clone());
            }
            if !channels.is_empty() {
                self.pending.push(Pending {
                    to: channels.to_vec(),
                    event: event.clone(),
                });
            }
        }
    }

    /// Strikes out that `channel` is to be told of the events with these numbers.
    pub fn was_told(&mut self, channel: Channel, numbers: &[u64]) {
        for pending in &mut self.pending {
            if numbers.contains(&pending.event.number) {
                pending.to.retain(|to| *to != channel);
            }
        }
        self.pending.retain(|pending| !pending.to.is_empty());
    }

    /// Strikes out those who are told no more, and the oldest events where there are too many.
    /// Tells how many of these were given up.
    pub fn tidy_pending(&mut self, channels: &[Channel]) -> usize {
        for pending in &mut self.pending {
            pending.to.retain(|to| channels.contains(to));
        }
        self.pending.retain(|pending| !pending.to.is_empty());
        let given_up = self.pending.len().saturating_sub(PENDING);
        self.pending.drain(..given_up);
        given_up
    }
}
