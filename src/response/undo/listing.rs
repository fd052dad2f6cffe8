//! What can be undone, as far as the undo files and the files themselves tell.

use serde::Serialize;

use super::file::{self, Outcome, UndoFile};
use super::history::histories;
use crate::diagnostic::Diagnostic;
use crate::fs::Workspace;
use crate::fs::copy::fingerprint;

/// One undo file, and how things stand with its response.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// What it says.
    #[serde(flatten)]
    pub undo: UndoFile,
    /// How things stand with all that the response changed.
    pub state: State,
}

/// How things stand with what a response changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Everything is as the response left it, or already as it was before.
    CanBeUndone,
    /// The response changed nothing.
    ChangedNothing,
    /// Everything is as it was before the response.
    IsUndone,
    /// Something was changed since.
    ChangedSince,
    /// It is running, or was cut off and nobody looked yet.
    Pending,
    /// The kept bytes are gone.
    BackupGone,
}

/// Every undo file of the workspace, or of one response, in the order of their times. The findings
/// are about those that can't be read.
pub fn list(workspace: &Workspace, response_id: Option<&str>) -> (Vec<Entry>, Vec<Diagnostic>) {
    let mut undos = Vec::new();
    let mut findings = Vec::new();
    for name in file::names(workspace, response_id) {
        match file::load(workspace, &name) {
            Ok(undo) => undos.extend(undo),
            Err(finding) => findings.push(*finding),
        }
    }
    undos.sort_by(|a: &UndoFile, b: &UndoFile| {
        let order = a.response_id.cmp(&b.response_id);
        order.then(a.index.cmp(&b.index))
    });
    let mut entries = Vec::new();
    for response in undos.chunk_by(|a, b| a.response_id == b.response_id) {
        let state = state(workspace, response);
        entries.extend(response.iter().cloned().map(|undo| Entry { undo, state }));
    }
    entries.sort_by_key(|entry| (entry.undo.executed_at, entry.undo.index));
    (entries, findings)
}

fn state(workspace: &Workspace, undos: &[UndoFile]) -> State {
    if undos.iter().any(|undo| undo.outcome == Outcome::Pending) {
        return State::Pending;
    }
    let histories = histories(undos);
    if histories
        .values()
        .all(|history| history.before == history.after)
    {
        return State::ChangedNothing;
    }
    let mut undone = true;
    for history in histories.values() {
        let Ok(now) = fingerprint(workspace, history.path) else {
            return State::ChangedSince;
        };
        if now == history.before {
            continue;
        }
        undone = false;
        if now != history.after || !history.unbroken {
            return State::ChangedSince;
        }
        if history
            .backup
            .is_some_and(|backup| !workspace.path(backup).is_file())
        {
            return State::BackupGone;
        }
    }
    if undone {
        State::IsUndone
    } else {
        State::CanBeUndone
    }
}
