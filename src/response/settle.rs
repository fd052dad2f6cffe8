//! What was cut off: a response that was begun, and whose process is gone.
//!
//! Nobody knows what an action did that was started and has no outcome. So nothing is repeated: the
//! next apply or undo, which holds the lock of applies and so knows that no process of that action
//! is left, records what it finds as the outcome `unknown`, and the plan's gate `settled` stays
//! closed until an undo or an operator's word.

use serde::{Deserialize, Serialize};

use super::log::{self, ActionResult, LogLine};
use super::pattern::Pattern;
use super::touched;
use super::undo;
use super::undo::file::{self, Outcome, UndoFile};
use crate::diagnostic::Checked;
use crate::fs::{Workspace, write};
use crate::ids::Digest;
use crate::policy::Level;
use crate::record::response_journal::{self, Event, Standing, UnderWay, Unsettled};
use crate::record::{Head, RESPONSE_JOURNAL, RESPONSE_LOG, Records, ledger};
use crate::time::Timestamp;

/// A response that was begun and never ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Interrupted {
    /// Its id.
    pub response_id: String,
    /// The action that was running; `None` where it was cut off between two.
    pub action: Option<String>,
    /// When it began.
    pub since: Timestamp,
    /// True where an undo file of it is there.
    pub can_be_undone: bool,
}

/// What was begun and is not ended although nobody holds the lock of applies.
pub fn interrupted(workspace: &Workspace, standing: &Standing) -> Checked<Option<Interrupted>> {
    let Some(under_way) = &standing.under_way else {
        return Ok(None);
    };
    let is_apply = under_way.undo_of.is_none();
    if is_apply && log::has(workspace, &under_way.response_id, under_way.since)? {
        return Ok(None);
    }
    Ok(Some(Interrupted {
        response_id: under_way.response_id.clone(),
        action: under_way.action.clone(),
        since: under_way.since,
        can_be_undone: !file::names(workspace, Some(&under_way.response_id)).is_empty(),
    }))
}

/// The actions of which nobody knows what they did. While another apply is under way, what it runs
/// is not among them.
pub fn unsettled(workspace: &Workspace, other_apply: bool) -> Checked<Vec<Unsettled>> {
    let standing = response_journal::standing(workspace)?;
    let mut found = standing.unsettled.clone();
    if !other_apply && let Some(cut_off) = interrupted(workspace, &standing)? {
        found.push(Unsettled {
            response_id: cut_off.response_id,
            undo_of: standing.under_way.and_then(|under_way| under_way.undo_of),
            action: cut_off
                .action
                .unwrap_or_else(|| "between two actions".to_owned()),
        });
    }
    Ok(found)
}

/// An action of which nobody knows what it did, in words.
pub fn named(unsettled: &Unsettled) -> String {
    format!("{} of {}", unsettled.action, unsettled.response_id)
}

#[derive(Serialize)]
struct Detail<'a> {
    id: &'a str,
    action: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undo_of: Option<&'a str>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pre: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    post: Option<Digest>,
}

/// Records that a response was cut off, where one was. The caller holds the lock of applies.
///
/// The outcome first, then the line of the log: cut off between the two, this is done again for the
/// line alone.
pub fn settle(records: Records<'_>, at: Timestamp, user: &str) -> Checked<Option<Interrupted>> {
    write::remove_temporary(records.workspace, touched::TEMPORARY)?;
    let standing = response_journal::standing(records.workspace)?;
    let cut_off = interrupted(records.workspace, &standing)?;
    let Some(under_way) = standing.under_way else {
        return Ok(None);
    };
    let Some(cut_off) = cut_off else {
        // It has its line in the log. Saying so once spares every later look the search for it.
        note_end(records, at, user, &under_way.response_id)?;
        return Ok(None);
    };
    // Behind a journal that lost lines, an undo file without an intent may be the way back.
    let knows_all = !standing
        .unsettled
        .iter()
        .any(|unsettled| unsettled.response_id == response_journal::UNKNOWN);
    if knows_all {
        forget_unstarted(records, &under_way)?;
    }
    let observed = observe(records, &under_way)?;
    let detail = Detail {
        id: &under_way.response_id,
        action: under_way.action.as_deref(),
        undo_of: under_way.undo_of.as_deref(),
        outcome: "unknown",
        pre: observed.as_ref().map(|undo| undo.backup_sha256),
        post: observed.as_ref().and_then(|undo| undo.post_sha256),
    };
    let event = Event {
        at,
        name: "interrupted",
        user,
    };
    let is_undo = under_way.undo_of.is_some();
    let told = if is_undo {
        Told::default()
    } else {
        told(records.workspace, &under_way.response_id)?
    };
    // Where nobody can read any more how it began, it can't get its line: then this event ends it.
    let begins = is_undo || told.begun.is_some();
    // An undo without its file had changed nothing yet.
    let unknown = under_way
        .action
        .clone()
        .filter(|_| !is_undo || observed.is_some())
        .or_else(|| (!begins).then(|| "what its lost record does not tell".to_owned()));
    response_journal::append(records, event, &detail, |standing| {
        standing.unsettled.extend(unknown.map(|action| Unsettled {
            response_id: under_way.response_id.clone(),
            undo_of: under_way.undo_of.clone(),
            action,
        }));
        if is_undo || !begins {
            standing.under_way = None;
        } else if let Some(under_way) = &mut standing.under_way {
            under_way.action = None;
        }
    })?;
    if let Some(begun) = told.begun {
        write_line(records, at, &under_way, &begun, &told.results)?;
    }
    Ok(Some(cut_off))
}

/// Records that a response which has its line in the log is no longer under way.
pub(super) fn note_end(
    records: Records<'_>,
    at: Timestamp,
    user: &str,
    response_id: &str,
) -> Checked<()> {
    #[derive(Serialize)]
    struct Ended<'a> {
        id: &'a str,
    }
    let event = Event {
        at,
        name: "response_ended",
        user,
    };
    let detail = Ended { id: response_id };
    response_journal::append(records, event, &detail, |standing| {
        standing.under_way = None;
    })
    .map(drop)
}

/// Removes the undo files of actions that were prepared and never started: no intent names them.
fn forget_unstarted(records: Records<'_>, under_way: &UnderWay) -> Checked<()> {
    for name in file::names(records.workspace, Some(&under_way.response_id)) {
        let Ok(Some(undo)) = file::load(records.workspace, &name) else {
            continue;
        };
        let begun = undo::record_of(records.workspace, &undo)?.kept.is_some();
        if begun || undo.outcome != Outcome::Pending {
            continue;
        }
        write::remove(records.workspace, &name)?;
    }
    Ok(())
}

/// Completes the undo file of the action that was running with what is there now; `None` where it
/// has none, or one that is not the one that the intent names.
fn observe(records: Records<'_>, under_way: &UnderWay) -> Checked<Option<UndoFile>> {
    let Some(action) = &under_way.action else {
        return Ok(None);
    };
    let name = file::name(&under_way.response_id, action);
    let Ok(Some(mut undo)) = file::load(records.workspace, &name) else {
        return Ok(None);
    };
    let recorded = undo::record_of(records.workspace, &undo)?;
    if undo::check_kept(&undo, &recorded).is_err() {
        return Ok(None);
    }
    if undo.outcome == Outcome::Pending {
        look_again(records.workspace, &mut undo);
        undo.store(records.workspace, records.retry)?;
    }
    Ok(Some(undo))
}

/// Completes the undo file of an action that was cut off with what is there now.
pub(super) fn look_again(workspace: &Workspace, undo: &mut UndoFile) {
    let parse = |texts: &[String]| -> Vec<Pattern> {
        let parsed = texts.iter().map(|text| Pattern::parse(text));
        parsed.filter_map(Result::ok).collect()
    };
    let (changes, creates) = (parse(&undo.changes), parse(&undo.creates));
    // What is odd is marked, and refused by name where somebody undoes it.
    let (files, _) = touched::after(workspace, &changes, &creates, &undo.as_before());
    undo.conclude(files, Outcome::Unknown);
}

/// What the journal says about a response.
#[derive(Debug, Default)]
struct Told {
    begun: Option<Begun>,
    results: Vec<ActionResult>,
}

#[derive(Debug, Deserialize)]
struct Begun {
    user: String,
    plan: Digest,
    #[serde(default)]
    decision: Option<Head>,
    #[serde(default)]
    policy: Option<Level>,
    actions: Vec<String>,
    #[serde(default)]
    unattended: bool,
    #[serde(default)]
    forced: Option<String>,
    #[serde(default)]
    again: Option<String>,
}

#[derive(Deserialize)]
struct Line {
    event: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    result: Option<ActionResult>,
}

/// Writes the line of the log that the response itself could not write any more: it counts.
fn write_line(
    records: Records<'_>,
    at: Timestamp,
    under_way: &UnderWay,
    begun: &Begun,
    results: &[ActionResult],
) -> Checked<()> {
    let line = LogLine {
        response_id: &under_way.response_id,
        timestamp: at,
        policy: begun.policy.as_ref(),
        mode: "apply",
        safety_gates_passed: true,
        actions_planned: begun.actions.len(),
        actions_succeeded: results.iter().filter(|result| result.success).count(),
        results,
        blocked: false,
        reason: None,
        gates: Vec::new(),
        interrupted: true,
        plan: begun.plan,
        decision: begun.decision,
        user: &begun.user,
        unattended: begun.unattended,
        forced: begun.forced.as_deref(),
        again: begun.again.as_deref(),
        failure: None,
        branch: None,
    };
    ledger::append(records, RESPONSE_LOG, &line).map(drop)
}

/// Reads the journal back to where the response began.
fn told(workspace: &Workspace, response_id: &str) -> Checked<Told> {
    let mut told = Told::default();
    ledger::back(workspace, RESPONSE_JOURNAL, |bytes| {
        let Ok(line) = serde_json::from_slice::<Line>(bytes) else {
            return true;
        };
        if line.id != response_id {
            return true;
        }
        told.results.extend(line.result);
        let began = line.event == super::apply::BEGUN;
        if began {
            told.begun = serde_json::from_slice(bytes).ok();
        }
        !began
    })?;
    told.results.reverse();
    Ok(told)
}
