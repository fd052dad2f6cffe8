//! From what changed to the files, in an order that a kill can't spoil.
//!
//! The log (the commit), the report, the marker, the state. The state comes last: where it is behind
//! the log, the next run takes in what it has not seen, and shows it again.

use super::alert::Name;
use super::log::{self, Tail};
use super::report::{self, Report};
use super::state::{self, AlertState, Channel, Loaded, Pending};
use super::tracking::Tracked;
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::{RetryDelays, Workspace, WorkspaceLock, WriteError, write};
use crate::record::findings;
use crate::record::marker::{self, Marker};
use crate::signals::responses::WINDOW;
use crate::time::Timestamp;

/// What earlier runs left.
#[derive(Debug)]
pub(super) struct Before {
    /// The state, with everything that the log holds.
    pub(super) state: AlertState,
    /// The end of the log, or why it can't be read.
    pub(super) tail: Checked<Tail>,
    /// What was odd.
    pub(super) warnings: Vec<Diagnostic>,
    /// True where something that can't be read stands in the state's place.
    move_aside: bool,
}

impl Before {
    /// The number of the last event there is.
    pub(super) fn last_event(&self) -> u64 {
        let logged = self.tail.as_ref().map_or(0, |tail| tail.last_event);
        // A number that somebody made up must not be able to leave no room for the next.
        self.state.last_event.max(logged).min(u64::MAX / 2)
    }
}

/// Reads what earlier runs left. Fails where a newer version wrote it. `channels` are to be told of
/// events that the state had not seen.
pub(super) fn look_back(workspace: &Workspace, channels: &[Channel]) -> Checked<Before> {
    let (known, unreadable) = match state::load(workspace)? {
        Loaded::State(state) => (Some(state), None),
        Loaded::Absent => (None, None),
        Loaded::Unreadable(problem) => (None, Some(problem)),
    };
    let tail = log::look(workspace, known.as_ref().map(|state| state.last_event));
    let unseen = tail.as_ref().map_or(&[][..], |tail| tail.unseen.as_slice());
    let mut warnings = Vec::new();
    let move_aside = unreadable.is_some();
    let state = match known {
        Some(mut state) => {
            if !unseen.is_empty() {
                warnings.push(behind(unseen.len()));
            }
            state.take_in(unseen, channels);
            state
        }
        None => {
            if move_aside || !unseen.is_empty() {
                warnings.push(lost(unreadable, unseen.len()));
            }
            made_again(unseen, channels)
        }
    };
    if let Some(torn) = tail.as_ref().ok().and_then(|tail| tail.end.torn) {
        warnings.push(findings::torn_moved(log::FILE, torn));
    }
    Ok(Before {
        state,
        tail,
        warnings,
        move_aside,
    })
}

/// A state made from the log alone. Nobody knows who was told of what: of what is up, everybody is
/// told again, and so of the level's last change.
fn made_again(events: &[super::tracking::Event], channels: &[Channel]) -> AlertState {
    let mut state = AlertState::default();
    state.take_in(events, &[]);
    let mut names: Vec<Name> = state.open.iter().map(|open| open.alert.name).collect();
    names.push(Name::LevelChanged);
    for name in names {
        let last = events.iter().rev().find(|event| event.alert.name == name);
        state.pending.extend(last.map(|event| Pending {
            to: channels.to_vec(),
            event: event.clone(),
        }));
    }
    state
}

fn behind(count: usize) -> Diagnostic {
    Diagnostic::new(
        Code::StateMended,
        Place::file(state::FILE),
        "the state of the alerts was behind their log, as after a kill, and is mended",
    )
    .found(format!("{count} events that it had not seen"))
    .expected("the last event of the log")
    .help("nothing to do: the log is the truth")
}

fn lost(unreadable: Option<Box<Diagnostic>>, count: usize) -> Diagnostic {
    let found = match unreadable {
        Some(problem) => problem.found.unwrap_or(problem.message),
        None => "none".to_owned(),
    };
    Diagnostic::new(
        Code::AlertStateLost,
        Place::file(state::FILE),
        format!(
            "the state of the alerts was lost, and is made again from {count} events of their log"
        ),
    )
    .found(found)
    .expected("the JSON that the last run wrote")
    .help(format!(
        "nothing to do: of what is open everybody is told again; what can't be read is kept as {}",
        state::UNREADABLE
    ))
}

/// Takes what changed into the state.
pub(super) fn advance(
    state: &mut AlertState,
    tracked: &Tracked,
    channels: &[Channel],
    at: Timestamp,
) {
    state.take_in(&tracked.events, channels);
    state.open.clone_from(&tracked.open);
    state.level_line = tracked.level_line.or(state.level_line);
    let begin = at.minus(WINDOW);
    state.resolved.retain(|event| event.timestamp >= begin);
}

/// What to write, and with what.
pub(super) struct Ground<'a> {
    pub(super) workspace: &'a Workspace,
    /// Proof that nobody else records meanwhile.
    pub(super) _lock: &'a WorkspaceLock,
    pub(super) retry: &'a RetryDelays,
    pub(super) at: Timestamp,
    pub(super) channels: &'a [Channel],
    pub(super) brake_seen: Option<Timestamp>,
}

/// Records what changed. `report` makes the report from the state after it. What could not be
/// written comes back with the report; the rest is written all the same.
pub(super) fn record(
    ground: &Ground<'_>,
    before: Before,
    tracked: &Tracked,
    report: impl FnOnce(&AlertState) -> Report,
) -> (Report, Vec<Diagnostic>) {
    let Ground {
        workspace, retry, ..
    } = *ground;
    let mut problems = Vec::new();
    let mut state = before.state;
    let logged = before
        .tail
        .and_then(|tail| log::append(workspace, &tracked.events, &tail, retry));
    match logged {
        Ok(()) => advance(&mut state, tracked, ground.channels, ground.at),
        // Events that are not in the log did not happen: the next run finds them again.
        Err(problem) => problems.push(*problem),
    }
    state.brake_seen = ground.brake_seen;
    let report = report(&state);
    problems.extend(write_report(ground, &report).err().map(shown));
    if state.marked < state.last_event {
        match show(ground, &state) {
            Ok(()) => state.marked = state.last_event,
            Err(problem) => problems.push(*problem),
        }
    }
    let aside = before
        .move_aside
        .then(|| retry.retry(|| write::rename(workspace, state::FILE, state::UNREADABLE)));
    let stored = aside
        .unwrap_or(Ok(()))
        .and_then(|()| retry.retry(|| state::store(workspace, &state)));
    problems.extend(stored.err().map(shown));
    (report, problems)
}

fn write_report(ground: &Ground<'_>, report: &Report) -> Result<(), WriteError> {
    let bytes = report.to_bytes();
    ground.retry.retry(|| {
        write::make_directory(ground.workspace, report::DIRECTORY)?;
        write::replace_rarely(ground.workspace, report::FILE, &bytes)
    })
}

/// Sets the marker in the summary.
fn show(ground: &Ground<'_>, state: &AlertState) -> Checked<()> {
    match marker(state) {
        Some(marker) => marker::publish(ground.workspace, &marker, ground.retry),
        None => Ok(()),
    }
}

/// `CREATED` with what is up, dated when the newest of it was raised, or `RESOLVED` when the last
/// alert ended.
fn marker(state: &AlertState) -> Option<Marker> {
    let newest = state.open.iter().map(|open| open.first_seen).max();
    let highest = state.open.iter().map(|open| open.alert.severity).max();
    let Some((newest, highest)) = newest.zip(highest) else {
        let resolved = state.last_resolved?;
        return Some(Marker::new(marker::ALERT, &format!("RESOLVED {resolved}")));
    };
    let names: Vec<&str> = state
        .open
        .iter()
        .map(|open| open.alert.name.as_str())
        .collect();
    let text = format!(
        "CREATED {newest} open={} highest={highest} names={}",
        names.len(),
        names.join(",")
    );
    Some(Marker::new(marker::ALERT, &text))
}

pub(super) fn shown(error: WriteError) -> Diagnostic {
    error.into_diagnostic()
}
