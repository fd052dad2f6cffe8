//! The log `logs/policy_orchestration_alerts.jsonl`: one line for each event, exactly once.
//!
//! The append is the commit of a run's events; the state follows from it. A kill leaves a log that
//! is ahead of the state, or a line that was never finished: both are mended here, from the end of
//! the log.

use super::tracking::Event;
use crate::diagnostic::Checked;
use crate::fs::reverse::ReverseLines;
use crate::fs::{Opened, RetryDelays, Workspace, write};
use crate::record::LINE_LIMIT;
use crate::record::chain::{self, End};

/// The file, relative to the workspace.
pub const FILE: &str = "logs/policy_orchestration_alerts.jsonl";

/// Its directory.
const DIRECTORY: &str = "logs";

/// How many lines are looked at for the last event that the state knows.
const LINES: usize = 10_000;

/// The end of the log.
#[derive(Debug, Default)]
pub struct Tail {
    /// Where the next line goes.
    pub end: End,
    /// The events behind the one that is known, in their order.
    pub unseen: Vec<Event>,
    /// The number of the last event.
    pub last_event: u64,
}

/// Goes back from the end of the log to the event with the number `known`; without one, as far as
/// events can matter.
pub fn look(workspace: &Workspace, known: Option<u64>) -> Checked<Tail> {
    let Opened::File(input) = workspace.open_input(FILE)? else {
        return Ok(Tail::default());
    };
    let mut tail = Tail::default();
    tail.end.length = input.size;
    let mut reverse = ReverseLines::new(&input, LINE_LIMIT);
    let mut lines = 0;
    while let Some(line) = reverse.next_line()? {
        lines += 1;
        if lines > LINES {
            break;
        }
        if !line.ended {
            tail.end.torn = Some(line.offset);
            tail.end.length = line.offset;
            continue;
        }
        // What is no event of ours was written by somebody else, and stays.
        let Ok(event) = serde_json::from_slice::<Event>(line.bytes) else {
            continue;
        };
        tail.last_event = tail.last_event.max(event.number);
        if known.is_some_and(|known| event.number <= known) {
            break;
        }
        tail.unseen.push(event);
    }
    tail.unseen.reverse();
    Ok(tail)
}

/// Appends events, all of them in one write.
pub fn append(
    workspace: &Workspace,
    events: &[Event],
    tail: &Tail,
    retry: &RetryDelays,
) -> Checked<()> {
    retry.retry(|| write::make_directory(workspace, DIRECTORY))?;
    chain::move_torn_aside(workspace, FILE, &tail.end, retry)?;
    // Serialising to memory fails for maps with keys that are no text alone; there are none.
    let lines: Vec<String> = events
        .iter()
        .map(|event| serde_json::to_string(event).unwrap_or_default())
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    chain::append(
        workspace,
        FILE,
        lines.join("\n").as_bytes(),
        &tail.end,
        retry,
    )
    .map_err(Into::into)
}
