//! Pruning: what was kept for undos does not stay for ever.
//!
//! The record of what was done stays in the journal; what goes is the way back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, UNIX_EPOCH};

use chrono::TimeDelta;
use serde::Serialize;

use super::super::apply::Operator;
use super::super::settle;
use super::super::touched::UNDO_DIR;
use super::file::{self, UndoFile};
use super::{Refused, response_of};
use crate::diagnostic::Checked;
use crate::fs::{Workspace, write};
use crate::record::Records;
use crate::record::response_journal::{self, Event, Standing};
use crate::safeguard::kill_switch;
use crate::time::Timestamp;

/// What a pruning came to.
#[derive(Debug, Serialize)]
pub struct Pruned {
    /// The version of this shape.
    pub schema: u32,
    /// What is older than so many days was removed.
    pub keep_days: u32,
    /// The responses that can't be undone any more.
    pub responses: Vec<String>,
    /// The undo files that were removed.
    pub removed: Vec<String>,
    /// Responses that stay although they are older: nobody knows yet what they did.
    pub kept: Vec<String>,
}

/// How much, not what: a line has its limit.
#[derive(Serialize)]
struct Detail {
    keep_days: u32,
    responses: usize,
    files: usize,
}

/// Removes what was kept for longer than `keep_days` days, but for what is not settled. An undo file
/// that can't be read is left for a person.
pub fn prune(operator: Operator<'_>, keep_days: u32) -> Result<Pruned, Refused> {
    let lock = match operator.apply_lock()? {
        Ok(lock) => lock,
        Err(holder) => return Err(Refused::Busy(holder)),
    };
    let pruned = operator.record(|records, at| remove_old(operator, records, at, keep_days));
    drop(lock);
    Ok(pruned?)
}

fn remove_old(
    operator: Operator<'_>,
    records: Records<'_>,
    at: Timestamp,
    keep_days: u32,
) -> Checked<Pruned> {
    let workspace = records.workspace;
    let begin = at.minus(TimeDelta::days(i64::from(keep_days)));
    // What is removed here can't be put back.
    if let Some(closed) = kill_switch::closed(workspace) {
        return Err(Box::new(closed));
    }
    settle::settle(records, at, operator.user)?;
    let standing = response_journal::standing(workspace)?;
    let mut pruned = Pruned {
        schema: 1,
        keep_days,
        responses: Vec::new(),
        removed: Vec::new(),
        kept: Vec::new(),
    };
    // A response goes whole or not at all: half of one would be undone without the other.
    let mut responses: BTreeMap<String, Vec<UndoFile>> = BTreeMap::new();
    let mut unreadable = BTreeSet::new();
    for name in file::names(workspace, None) {
        match file::load(workspace, &name) {
            Ok(None) => {}
            Ok(Some(undo)) => {
                let id = undo.response_id.clone();
                responses.entry(id).or_default().push(undo);
            }
            Err(_) => drop(unreadable.insert(response_of(&name))),
        }
    }
    responses.retain(|id, _| !unreadable.contains(id));
    responses.retain(|_, undos| undos.iter().all(|undo| undo.executed_at < begin));
    for (response_id, undos) in responses {
        if is_open(&standing, &response_id) {
            pruned.kept.push(response_id);
        } else {
            pruned.removed.extend(undos.iter().map(UndoFile::name));
            pruned.responses.push(response_id);
        }
    }
    let detail = Detail {
        keep_days,
        responses: pruned.responses.len(),
        files: pruned.removed.len(),
    };
    if !pruned.removed.is_empty() {
        let event = Event {
            at,
            name: "undo_pruned",
            user: operator.user,
        };
        response_journal::append(records, event, &detail, |_| {})?;
    }
    for name in &pruned.removed {
        write::remove(workspace, name)?;
    }
    let orphans = orphans(workspace, begin);
    for response in pruned.responses.iter().chain(&orphans) {
        write::remove_tree(workspace, &format!("{UNDO_DIR}/{response}"))?;
    }
    Ok(pruned)
}

fn is_open(standing: &Standing, response_id: &str) -> bool {
    standing
        .unsettled
        .iter()
        .any(|it| it.response_id == response_id || it.undo_of.as_deref() == Some(response_id))
}

/// Kept bytes without an undo file, as a kill leaves them before it is written.
fn orphans(workspace: &Workspace, begin: Timestamp) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(workspace.path(UNDO_DIR)) else {
        return Vec::new();
    };
    let begin = Duration::from_secs(u64::try_from(begin.unix_seconds()).unwrap_or(0));
    let is_old = |entry: &std::fs::DirEntry| {
        let changed = entry.metadata().and_then(|status| status.modified());
        changed.is_ok_and(|changed| {
            changed
                .duration_since(UNIX_EPOCH)
                .is_ok_and(|changed| changed <= begin)
        })
    };
    entries
        .filter_map(Result::ok)
        .filter(is_old)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|id| file::is_id(id) && file::names(workspace, Some(id)).is_empty())
        .collect()
}
