//! An undo on its way: keep what is there, say so, put back, look, record.

use serde::Serialize;

use super::file::{Outcome, UndoFile};
use super::history::History;
use crate::diagnostic::Checked;
use crate::fs::copy::{fingerprint, put_back};
use crate::fs::{Fingerprint, WriteError, write};
use crate::ids::Digest;
use crate::record::Records;
use crate::record::response_journal::{self, Event, Standing, UnderWay, Unsettled};
use crate::response::apply::Operator;
use crate::response::settle;
use crate::response::touched::{self, UNDO_DIR};
use crate::time::Timestamp;

/// One file that is to be what it was.
pub(super) struct Step<'a> {
    /// What the response did to it.
    pub(super) history: History<'a>,
    /// What stands there now.
    pub(super) now: Option<Fingerprint>,
}

impl Step<'_> {
    /// True where it is not yet what it was.
    pub(super) fn is_open(&self) -> bool {
        self.now != self.history.before
    }
}

#[derive(Serialize)]
struct Detail<'a> {
    id: &'a str,
    action: &'a str,
    undo_of: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pre: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    post: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<Digest>,
}

/// The name that an undo has among the actions.
const ACTION: &str = "undo";

pub(super) struct Restoring<'a> {
    pub(super) operator: Operator<'a>,
    pub(super) records: Records<'a>,
    pub(super) at: Timestamp,
    pub(super) id: String,
    pub(super) undo_of: &'a str,
}

impl Restoring<'_> {
    /// Puts everything back; `directories` are removed where they are empty then.
    pub(super) fn run(&self, steps: &[Step<'_>], directories: &[String]) -> Checked<()> {
        let mut undo = self.keep(steps)?;
        let (pre, kept) = (undo.backup_sha256, undo.kept_digest());
        // The intent first: an undo file that no intent names would wait for an end for ever. A kill
        // between the two has changed nothing.
        self.event("undo_intent", Some(pre), None, Some(kept))?;
        undo.store(self.records.workspace, self.records.retry)?;
        for step in steps.iter().filter(|step| step.is_open()) {
            self.restore(step)?;
        }
        self.remove_directories(directories)?;
        let mut after = undo.files.clone();
        for file in &mut after {
            file.after = fingerprint(self.records.workspace, &file.path)?;
        }
        let post = touched::digest_after(&after);
        undo.conclude(after, Outcome::Known);
        undo.store(self.records.workspace, self.records.retry)?;
        self.event("undo", Some(pre), Some(post), None)
    }

    /// Removes directories that the response made, where nothing is left in them.
    pub(super) fn remove_directories(&self, directories: &[String]) -> Checked<()> {
        for directory in directories {
            self.written(|| write::remove_empty_directory(self.records.workspace, directory))?;
        }
        Ok(())
    }

    /// Keeps what is there now, so that this undo can be undone.
    fn keep(&self, steps: &[Step<'_>]) -> Checked<UndoFile> {
        let workspace = self.records.workspace;
        let directory = format!("{UNDO_DIR}/{}/{ACTION}", self.id);
        self.written(|| write::make_directory(workspace, &directory))?;
        let paths = || steps.iter().map(|step| step.history.path);
        let (kept, _) = touched::keep_all(workspace, paths().map(str::to_owned), &directory)?;
        let parents = paths().filter_map(|path| Some(path.rsplit_once('/')?.0));
        Ok(UndoFile {
            response_id: self.id.clone(),
            action: ACTION.to_owned(),
            executed_at: self.at,
            undo_instruction: format!("policy-orchestrator undo run {}", self.id),
            schema: 1,
            index: 0,
            undo_of: Some(self.undo_of.to_owned()),
            outcome: Outcome::Pending,
            backup_path: directory,
            backup_sha256: touched::digest_before(&kept),
            post_sha256: None,
            files: kept,
            present: Vec::new(),
            missing_directories: touched::missing(workspace, parents),
            // An undo touches the files that it kept and no others.
            changes: Vec::new(),
            creates: Vec::new(),
        })
    }

    fn restore(&self, step: &Step<'_>) -> Checked<()> {
        let workspace = self.records.workspace;
        // Looked at once more: what somebody wrote since is not kept.
        let now = fingerprint(workspace, step.history.path)?;
        if now != step.now {
            return Err(Box::new(super::changed_since(&step.history, now)));
        }
        let History {
            path,
            before,
            backup,
            owner,
            ..
        } = step.history;
        let (Some(before), Some(backup)) = (before, backup) else {
            return self.written(|| write::remove(workspace, path));
        };
        if let Some((directory, _)) = path.rsplit_once('/') {
            self.written(|| write::make_directory(workspace, directory))?;
        }
        let temporary = write::rare_temporary(path);
        put_back(workspace, backup, path, &temporary, (before.mode, owner))
    }

    fn written(&self, mut work: impl FnMut() -> Result<(), WriteError>) -> Checked<()> {
        self.records.retry.retry(&mut work).map_err(Into::into)
    }

    fn event(
        &self,
        name: &'static str,
        pre: Option<Digest>,
        post: Option<Digest>,
        kept: Option<Digest>,
    ) -> Checked<()> {
        let detail = Detail {
            id: &self.id,
            action: ACTION,
            undo_of: self.undo_of,
            pre,
            post,
            kept,
        };
        let event = Event {
            at: self.at,
            name,
            user: self.operator.user,
        };
        response_journal::append(self.records, event, &detail, |standing| {
            if post.is_none() {
                standing.under_way = Some(UnderWay {
                    response_id: self.id.clone(),
                    action: Some(ACTION.to_owned()),
                    undo_of: Some(self.undo_of.to_owned()),
                    since: self.at,
                });
                return;
            }
            standing.under_way = None;
            clear(standing, self.undo_of);
        })
        .map(drop)
    }

    /// Records that a response needs no undo, where its outcome was not known.
    pub(super) fn settled(&self) -> Checked<()> {
        self.settle(None).map(drop)
    }

    /// Records that somebody lets stand whatever it did. Returns what that was.
    pub(super) fn accepted(&self, reason: &str) -> Checked<Vec<String>> {
        self.settle(Some(reason))
    }

    fn settle(&self, reason: Option<&str>) -> Checked<Vec<String>> {
        let standing = response_journal::standing(self.records.workspace)?;
        let about = |unsettled: &&Unsettled| is_about(unsettled, self.undo_of);
        let open: Vec<String> = standing
            .unsettled
            .iter()
            .filter(about)
            .map(settle::named)
            .collect();
        if open.is_empty() {
            return Ok(open);
        }
        let event = Event {
            at: self.at,
            name: "settled",
            user: self.operator.user,
        };
        let detail = Cleared {
            id: self.undo_of,
            settled: &open,
            reason,
        };
        response_journal::append(self.records, event, &detail, |standing| {
            clear(standing, self.undo_of);
        })?;
        Ok(open)
    }
}

#[derive(Serialize)]
struct Cleared<'a> {
    id: &'a str,
    settled: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// What an undo has put right is settled: the actions of that response, and undos of it that were
/// cut off.
fn clear(standing: &mut Standing, undo_of: &str) {
    standing
        .unsettled
        .retain(|unsettled| !is_about(unsettled, undo_of));
}

fn is_about(unsettled: &Unsettled, undo_of: &str) -> bool {
    unsettled.response_id == undo_of || unsettled.undo_of.as_deref() == Some(undo_of)
}
