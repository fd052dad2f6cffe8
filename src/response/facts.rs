//! What the gates ask for, read from the workspace. Nothing is written.

use chrono::TimeDelta;
use serde::Deserialize;

use super::gates::{DecisionFact, Fact, Facts};
use crate::diagnostic::{Checked, Diagnostic};
use crate::fs::reverse::ReverseLines;
use crate::fs::{Opened, Workspace};
use crate::policy::Level;
use crate::record::journal::{self, Inspection, JournalTail, Purpose};
use crate::record::verify::{Against, verify};
use crate::record::{
    Head, LINE_LIMIT, LOOK_BACK, RESPONSE_LOG, STATE_JOURNAL, SigningKey, StoredState, heads,
};
use crate::safeguard::{brake, kill_switch, unlocks};
use crate::signals::{Outcome, ReadContext, Reading, Value, responses, trust};
use crate::time::Timestamp;

/// The search for own applies stops at an entry older than this: twice the window, and some more for
/// clocks that were set.
const LONG_AGO: TimeDelta = TimeDelta::hours(50);

/// What to find out, and with what.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Where.
    pub workspace: &'a Workspace,
    /// The time now.
    pub at: Timestamp,
    /// The level to respond to; `None` for the one that was decided.
    pub wanted: Option<&'a Level>,
    /// The size limit of an input, in bytes.
    pub limit: u64,
    /// The key that signs journals.
    pub key: Option<&'a SigningKey>,
    /// True under `ENV=production`.
    pub production: bool,
}

/// What was found.
#[derive(Debug)]
pub struct Survey {
    /// For the gates.
    pub facts: Facts,
    /// The journal line of the decision.
    pub decision: Option<Head>,
}

/// Finds out everything that the gates ask for. `None` where no level was named and none is decided
/// yet; fails where none was named and the decided one can't be read.
pub fn survey(question: Question<'_>) -> Checked<Option<Survey>> {
    let Question {
        workspace,
        at,
        wanted,
        key,
        production,
        ..
    } = question;
    let end = journal_end(workspace, key);
    let (decision, head) = match &end {
        Ok((tail, state)) => (Ok(decided(tail, state.as_ref())), tail.end.head),
        Err(finding) => (Err(finding.message.clone()), None),
    };
    let wanted = match (wanted, &decision, end.as_ref().err()) {
        (Some(level), _, _) => level.clone(),
        (None, Ok(Some(decision)), _) => decision.level.clone(),
        (None, _, Some(finding)) => return Err(finding.clone()),
        (None, _, None) => return Ok(None),
    };
    let facts = Facts {
        at,
        wanted,
        kill_switch: kill_switch::closed(workspace)
            .map(|finding| finding.found.unwrap_or(finding.message)),
        journals: journals(workspace, key, end),
        decision,
        trust_locked: trust_locked(question),
        brake: brake::load(workspace)
            .map(|brake| brake.map(|brake| brake.fact))
            .map_err(said),
        responses: recent_responses(question),
        unlocks: unlocks::count(workspace, at).map_err(said),
        production,
        has_key: key.is_some(),
    };
    Ok(Some(Survey {
        facts,
        decision: head,
    }))
}

/// The end of the journal of decisions; what is broken comes back as its first problem.
fn journal_end(
    workspace: &Workspace,
    key: Option<&SigningKey>,
) -> Checked<(JournalTail, Option<StoredState>)> {
    let state = StoredState::load(workspace)?;
    let look = Purpose::Look { lines: LOOK_BACK };
    match journal::inspect(workspace, state.as_ref(), key, look)? {
        Inspection::Whole(tail) => Ok((*tail, state)),
        Inspection::Broken(mut problems) => Err(Box::new(problems.swap_remove(0))),
    }
}

/// The last decision: the journal's, which may be ahead of the state file. A state file without a
/// chained line is the predecessor's.
fn decided(tail: &JournalTail, state: Option<&StoredState>) -> Option<DecisionFact> {
    if let Some(line) = &tail.last {
        return Some(DecisionFact {
            level: line.level.clone(),
            at: line.at,
            given_clock: line.given_clock,
        });
    }
    state.map(|state| DecisionFact {
        level: state.level.clone(),
        at: state.evaluated_at,
        given_clock: state.given_clock,
    })
}

fn journals(
    workspace: &Workspace,
    key: Option<&SigningKey>,
    end: Checked<(JournalTail, Option<StoredState>)>,
) -> Fact<String> {
    let (tail, state) = end.map_err(said)?;
    // What could not be appended to could not record a response either.
    journal::inspect(workspace, state.as_ref(), key, Purpose::Append).map_err(said)?;
    for (file, head) in heads::load(workspace).map_err(said)? {
        let against = Against {
            head: Some(head),
            key,
        };
        let found = verify(workspace, &file, against).map_err(said)?;
        if let Some(problem) = found.problems.into_iter().next() {
            return Err(said(Box::new(problem)));
        }
    }
    Ok(format!(
        "the last {} of {STATE_JOURNAL} follow each other",
        tail.end.looked_at
    ))
}

#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
fn said(finding: Box<Diagnostic>) -> String {
    place_and_message(&finding)
}

fn place_and_message(finding: &Diagnostic) -> String {
    format!("{}: {}", finding.place, finding.message)
}

/// Why a signal has no value although its file is there.
fn unusable(reading: &Reading) -> String {
    reading.errors().first().map_or_else(
        || format!("the signal {} can't be used", reading.signal),
        place_and_message,
    )
}

fn trust_locked(question: Question<'_>) -> Fact<Option<bool>> {
    let reading = trust::load(context(question));
    match reading.outcome {
        Outcome::Valid(Value::Flag(locked)) => Ok(Some(locked)),
        Outcome::Missing(_) => Ok(None),
        _ => Err(unusable(&reading)),
    }
}

fn context(question: Question<'_>) -> ReadContext<'_> {
    ReadContext {
        workspace: question.workspace,
        at: question.at,
        limit: question.limit,
    }
}

/// Adaptive responses of the history and own applies, in the last 24 hours (C-31, D-07).
fn recent_responses(question: Question<'_>) -> Fact<u64> {
    let reading = responses::load(context(question));
    let of_history = match reading.outcome {
        Outcome::Valid(Value::Count(count)) => count,
        Outcome::Missing(_) => 0,
        _ => return Err(unusable(&reading)),
    };
    Ok(of_history + own_applies(question.workspace, question.at).map_err(said)?)
}

/// Own applies in the last 24 hours, from the end of their log. An entry that can't be read or
/// dated counts; blocked attempts don't.
fn own_applies(workspace: &Workspace, at: Timestamp) -> Checked<u64> {
    #[derive(Deserialize)]
    struct Line {
        timestamp: Timestamp,
        mode: String,
        #[serde(default)]
        blocked: bool,
    }
    let Opened::File(input) = workspace.open_input(RESPONSE_LOG)? else {
        return Ok(0);
    };
    let (begin, long_ago) = (at.minus(responses::WINDOW), at.minus(LONG_AGO));
    let mut lines = ReverseLines::new(&input, LINE_LIMIT);
    let mut count = 0;
    while let Some(line) = lines.next_line()? {
        if line.bytes.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice::<Line>(line.bytes) {
            Ok(line) if line.timestamp < long_ago => break,
            Ok(line) => {
                let counts = line.mode == "apply" && !line.blocked && line.timestamp >= begin;
                count += u64::from(counts);
            }
            Err(_) => count += 1,
        }
    }
    Ok(count)
}
