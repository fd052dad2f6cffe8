//! Undo: puts back what an action changed, and refuses where somebody changed it since.
//!
//! An undo is a response of its own: it is recorded in the journal, what it replaces is kept, and it
//! can itself be undone. What is restored is held against the journal first: an undo file is a file
//! that anybody could have written. The format of undo files is
//! in [`mod@file`], what they come to in [`history`], the work in [`restoring`], the list in [`listing`].

pub mod file;
mod history;
pub mod listing;
pub mod prune;
mod restoring;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::file::{Outcome, UndoFile};
use self::history::{History, histories};
use self::restoring::{Restoring, Step};
use super::apply::{BEGUN, Operator};
use super::settle::{self, Interrupted};
use super::touched;
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::copy::fingerprint;
use crate::fs::{Fingerprint, Workspace};
use crate::ids::Digest;
use crate::record::{LOOK_BACK, RESPONSE_JOURNAL, Records, heads, ledger, verified};
use crate::time::Timestamp;

/// How a response can be named: by its id, or by an undo file of it.
pub fn response_of(name: &str) -> String {
    let file = name.rsplit('/').next().unwrap_or(name);
    match file.strip_prefix(file::PREFIX) {
        // A UUID has 36 characters.
        Some(rest) => rest.chars().take(36).collect(),
        None => name.to_owned(),
    }
}

/// What an undo came to.
#[derive(Debug, Serialize)]
pub struct Undone {
    /// The version of this shape.
    pub schema: u32,
    /// The id of this undo; absent where there was nothing to do, or in a dry run.
    pub response_id: Option<String>,
    /// The response that was undone.
    pub undo_of: String,
    /// When.
    pub timestamp: Timestamp,
    /// True where nothing was done.
    pub dry_run: bool,
    /// What was put back, or would be.
    pub restored: Vec<String>,
    /// What was removed, or would be.
    pub removed: Vec<String>,
    /// What was already as it had been.
    pub unchanged: Vec<String>,
    /// A response that had been cut off, recorded first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupted: Option<Interrupted>,
}

/// Why nothing was undone.
#[derive(Debug)]
pub enum Refused {
    /// Another apply or undo is under way.
    Busy(String),
    /// What is wrong, all of it.
    Findings(Vec<Diagnostic>),
}

impl From<Box<Diagnostic>> for Refused {
    fn from(finding: Box<Diagnostic>) -> Self {
        Self::Findings(vec![*finding])
    }
}

/// Undoes a response: everything that its actions changed, the last action first. All of it, or
/// nothing where any file was changed since.
pub fn run(operator: Operator<'_>, response_id: &str, dry_run: bool) -> Result<Undone, Refused> {
    let lock = match operator.apply_lock()? {
        Ok(lock) => lock,
        Err(holder) => return Err(Refused::Busy(holder)),
    };
    let outcome =
        operator.record(|records, at| Ok(undo(operator, records, at, response_id, dry_run)));
    drop(lock);
    outcome?
}

/// Lets what a response did stand, whatever it was: its unknown outcomes are settled by somebody's
/// word. Returns what that was; fails where there is nothing to settle.
pub fn accept(
    operator: Operator<'_>,
    response_id: &str,
    reason: &str,
) -> Result<Vec<String>, Refused> {
    let lock = match operator.apply_lock()? {
        Ok(lock) => lock,
        Err(holder) => return Err(Refused::Busy(holder)),
    };
    let accepted = operator.record(|records, at| {
        check_journal(records)?;
        settle::settle(records, at, operator.user)?;
        let restoring = Restoring {
            operator,
            records,
            at,
            id: String::new(),
            undo_of: response_id,
        };
        restoring.accepted(reason)
    });
    drop(lock);
    let accepted = accepted?;
    if accepted.is_empty() {
        let nothing =
            unknown(response_id).expected("the id of a response of which nobody knows what it did");
        return Err(Refused::Findings(vec![nothing]));
    }
    Ok(accepted)
}

fn undo(
    operator: Operator<'_>,
    records: Records<'_>,
    at: Timestamp,
    response_id: &str,
    dry_run: bool,
) -> Result<Undone, Refused> {
    let workspace = records.workspace;
    check_journal(records)?;
    let interrupted = if dry_run {
        None
    } else {
        settle::settle(records, at, operator.user)?
    };
    let undos = load_all(workspace, response_id, dry_run)?;
    let steps = plan(workspace, &undos).map_err(Refused::Findings)?;
    let named = |wanted: fn(&Step<'_>) -> bool| -> Vec<String> {
        let names = steps.iter().filter(|step| wanted(step));
        names.map(|step| step.history.path.to_owned()).collect()
    };
    let mut undone = Undone {
        schema: 1,
        response_id: None,
        undo_of: response_id.to_owned(),
        timestamp: at,
        dry_run,
        restored: named(|step| step.is_open() && step.history.before.is_some()),
        removed: named(|step| step.is_open() && step.history.before.is_none()),
        unchanged: named(|step| !step.is_open()),
        interrupted,
    };
    if dry_run {
        return Ok(undone);
    }
    let restoring = Restoring {
        operator,
        records,
        at,
        id: uuid::Uuid::new_v4().to_string(),
        undo_of: response_id,
    };
    let mut directories: Vec<String> = undos
        .iter()
        .flat_map(|undo| undo.missing_directories.iter().cloned())
        .collect();
    // The deepest first, whichever action made it.
    directories.sort_unstable_by(|a, b| b.cmp(a));
    directories.dedup();
    if steps.iter().any(Step::is_open) {
        restoring.run(&steps, &directories)?;
        undone.response_id = Some(restoring.id);
    } else {
        restoring.remove_directories(&directories)?;
        // What was cut off may be whole all the same; then its outcome is known now.
        restoring.settled()?;
    }
    Ok(undone)
}

/// The journal that says what was changed has to be whole.
fn check_journal(records: Records<'_>) -> Checked<()> {
    let head = heads::load(records.workspace)?
        .get(RESPONSE_JOURNAL)
        .copied();
    let Records { workspace, key, .. } = records;
    let purpose = verified::since(workspace, RESPONSE_JOURNAL, key, LOOK_BACK);
    match ledger::obstacle(workspace, RESPONSE_JOURNAL, head, key, purpose)? {
        Some(problem) => Err(Box::new(problem)),
        None => Ok(()),
    }
}

/// The undo files of a response in the order of its actions, each held against the journal. One of
/// an action that was never started is left out; one that the journal names has to be there. In a
/// dry run, an action that was cut off is looked at as it is now.
fn load_all(workspace: &Workspace, response_id: &str, dry_run: bool) -> Checked<Vec<UndoFile>> {
    let recorded = records_of(workspace, response_id)?;
    let mut undos = Vec::new();
    for name in file::names(workspace, Some(response_id)) {
        let Some(mut undo) = file::load(workspace, &name)? else {
            continue;
        };
        let Some(known) = recorded.get(&undo.action) else {
            if undo.outcome == Outcome::Pending {
                continue;
            }
            return Err(differs(
                &undo,
                "what stood there before",
                undo.kept_digest(),
                None,
            ));
        };
        check_kept(&undo, known)?;
        if dry_run && undo.outcome == Outcome::Pending {
            settle::look_again(workspace, &mut undo);
        } else {
            check_post(&undo, known)?;
        }
        undos.push(undo);
    }
    if undos.is_empty() {
        return Err(Box::new(unknown(response_id)));
    }
    for action in recorded.keys() {
        if !undos.iter().any(|undo| undo.action == *action) {
            return Err(missing(response_id, action));
        }
    }
    undos.sort_by_key(|undo| undo.index);
    Ok(undos)
}

/// The finding for an undo file that the journal names and that is gone: the rest of the response
/// would be put back without it.
fn missing(response_id: &str, action: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::UndoFileBroken,
            Place::file(file::name(response_id, action)),
            "the undo file of one action of this response is gone, so nothing is undone",
        )
        .found("no file")
        .expected("an undo file for each action that the journal of responses names")
        .help("restore it from where it is kept; nothing was changed"),
    )
}

/// The finding for a response without anything to undo.
pub fn unknown(response_id: &str) -> Diagnostic {
    Diagnostic::new(
        Code::UndoUnknown,
        Place::file(file::name(response_id, "*")),
        "there is nothing of that name to undo",
    )
    .found("no undo file")
    .expected("the id of a response whose actions changed files")
    .help("`policy-orchestrator undo list` shows what can be undone")
}

/// What the journal says about an action.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    /// The digest of what was known before it.
    pub(super) kept: Option<Digest>,
    /// The digest of what it left.
    pub(super) post: Option<Digest>,
}

#[derive(Deserialize)]
struct Line {
    event: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    kept: Option<Digest>,
    #[serde(default)]
    post: Option<Digest>,
}

/// What the journal says about one action.
pub(super) fn record_of(workspace: &Workspace, undo: &UndoFile) -> Checked<Recorded> {
    let mut all = records_of(workspace, &undo.response_id)?;
    Ok(all.remove(&undo.action).unwrap_or_default())
}

/// What the journal says about the actions of a response that can be taken back: read back, across
/// reseals, to where the response began.
fn records_of(workspace: &Workspace, response_id: &str) -> Checked<BTreeMap<String, Recorded>> {
    let mut found: BTreeMap<String, Recorded> = BTreeMap::new();
    let mut ends: BTreeMap<String, Digest> = BTreeMap::new();
    ledger::back(workspace, RESPONSE_JOURNAL, |line| {
        let Ok(line) = serde_json::from_slice::<Line>(line) else {
            return true;
        };
        if line.id != response_id {
            return true;
        }
        let Some(action) = line.action else {
            return line.event != BEGUN;
        };
        match (line.event.as_str(), line.post, line.kept) {
            ("workflow_exec" | "undo" | "interrupted", Some(post), _) => {
                ends.entry(action).or_insert(post);
            }
            ("intent" | "undo_intent", _, Some(kept)) => {
                let post = ends.get(&action).copied();
                let kept = Some(kept);
                found.insert(action, Recorded { kept, post });
            }
            _ => {}
        }
        // An undo begins with its intent.
        line.event != "undo_intent"
    })?;
    Ok(found)
}

/// Holds what an undo file says about before against the journal.
pub(super) fn check_kept(undo: &UndoFile, recorded: &Recorded) -> Checked<()> {
    let found = undo.kept_digest();
    if recorded.kept == Some(found) {
        return Ok(());
    }
    Err(differs(
        undo,
        "what stood there before",
        found,
        recorded.kept,
    ))
}

fn check_post(undo: &UndoFile, recorded: &Recorded) -> Checked<()> {
    let found = touched::digest_after(&undo.files);
    if recorded.post == Some(found) {
        return Ok(());
    }
    Err(differs(undo, "what the action left", found, recorded.post))
}

fn differs(
    undo: &UndoFile,
    what: &str,
    found: Digest,
    expected: Option<Digest>,
) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::UndoFileBroken,
            Place::file(undo.name()),
            format!("the undo file says something else than the journal about {what}"),
        )
        .found(format!("the digest {}", found.short()))
        .expected(expected.map_or_else(
            || "a record of this action in the journal of responses".to_owned(),
            |expected| format!("the digest {}", expected.short()),
        ))
        .help("restore it from where it is kept; nothing was changed"),
    )
}

/// What to do with each file. Fails with every file that was changed since.
fn plan<'a>(
    workspace: &Workspace,
    undos: &'a [UndoFile],
) -> Result<Vec<Step<'a>>, Vec<Diagnostic>> {
    let mut steps = Vec::new();
    let mut findings = Vec::new();
    for history in histories(undos).into_values() {
        let now = match fingerprint(workspace, history.path) {
            Ok(now) => now,
            Err(finding) => {
                findings.push(*finding);
                continue;
            }
        };
        let step = Step { history, now };
        if step.is_open() {
            findings.extend(obstacle(workspace, &step));
        }
        steps.push(step);
    }
    if findings.is_empty() {
        Ok(steps)
    } else {
        Err(findings)
    }
}

/// Why a file can't be put back.
fn obstacle(workspace: &Workspace, step: &Step<'_>) -> Option<Diagnostic> {
    let Step { history, now } = step;
    if *now != history.after {
        return Some(changed_since(history, *now));
    }
    if !history.unbroken {
        return Some(changed_between(history));
    }
    backup_problem(workspace, history)
}

fn shown(file: Option<Fingerprint>) -> String {
    file.map_or_else(
        || "no file".to_owned(),
        |file| format!("SHA-256 {}, mode {:04o}", file.sha256, file.mode),
    )
}

fn changed_since(history: &History<'_>, now: Option<Fingerprint>) -> Diagnostic {
    Diagnostic::new(
        Code::UndoRefused,
        Place::file(history.path),
        "the file was changed since, so nothing is undone",
    )
    .found(shown(now))
    .expected(format!("what the action left: {}", shown(history.after)))
    .help("undo what came later first (`policy-orchestrator undo list`), or put the file back by hand")
}

fn changed_between(history: &History<'_>) -> Diagnostic {
    Diagnostic::new(
        Code::UndoRefused,
        Place::file(history.path),
        "somebody else changed the file between two actions of this response, so nothing is undone",
    )
    .found("bytes between two actions that neither of them left")
    .expected(format!(
        "what stood there before: {}",
        shown(history.before)
    ))
    .help("put the file back by hand; `policy-orchestrator undo show ID` names the kept bytes")
}

fn backup_problem(workspace: &Workspace, history: &History<'_>) -> Option<Diagnostic> {
    let backup = history.backup?;
    let kept = match fingerprint(workspace, backup) {
        Ok(kept) => kept,
        Err(finding) => return Some(*finding),
    };
    let before = history.before.map(|before| before.sha256);
    (kept.map(|kept| kept.sha256) != before).then(|| {
        Diagnostic::new(
            Code::UndoFileBroken,
            Place::file(backup),
            format!("the kept bytes of {} are not those of before", history.path),
        )
        .found(kept.map_or_else(
            || "no file".to_owned(),
            |kept| format!("SHA-256 {}", kept.sha256),
        ))
        .expected(shown(history.before))
        .help("restore it from where it is kept; nothing was changed")
    })
}
