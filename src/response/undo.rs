//! Undo: puts back what an action changed, and refuses where somebody changed it since.
//!
//! An undo is a response of its own: it is recorded in the journal, what it replaces is kept, and it
//! can itself be undone. What is restored is held against the journal first: an undo file is a file
//! that anybody could have written. Its format is in [`file`].

pub mod file;
pub mod prune;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::file::{FileChange, Outcome, UndoFile};
use super::apply::Operator;
use super::settle::{self, Interrupted};
use super::touched::{self, UNDO_DIR};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::copy::{copy, fingerprint};
use crate::fs::reverse::ReverseLines;
use crate::fs::{Fingerprint, Opened, Workspace, WriteError, write};
use crate::ids::Digest;
use crate::record::journal::Purpose;
use crate::record::response_journal::{self, Event, UnderWay};
use crate::record::{LINE_LIMIT, LOOK_BACK, RESPONSE_JOURNAL, Records, heads, ledger, verified};
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

/// What can be said of one undo file without looking at the journal.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// What it says.
    #[serde(flatten)]
    pub undo: UndoFile,
    /// How things stand with it.
    pub state: State,
}

/// How things stand with what an action changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Everything is as the action left it.
    CanBeUndone,
    /// Everything is as it was before the action.
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
    let mut entries = Vec::new();
    let mut findings = Vec::new();
    for name in file::names(workspace, response_id) {
        match file::load(workspace, &name) {
            Ok(Some(undo)) => entries.push(Entry {
                state: state(workspace, &undo),
                undo,
            }),
            Ok(None) => {}
            Err(finding) => findings.push(*finding),
        }
    }
    entries.sort_by(|a, b| {
        let key = |entry: &Entry| (entry.undo.executed_at, entry.undo.index);
        key(a).cmp(&key(b))
    });
    (entries, findings)
}

fn state(workspace: &Workspace, undo: &UndoFile) -> State {
    if undo.outcome == Outcome::Pending {
        return State::Pending;
    }
    let now = |file: &FileChange| fingerprint(workspace, &file.path).ok();
    let all = |expected: fn(&FileChange) -> Option<Fingerprint>| {
        let mut files = undo.files.iter();
        files.all(|file| now(file) == Some(expected(file)))
    };
    if all(|file| file.before) {
        return State::IsUndone;
    }
    if !all(|file| file.after) {
        return State::ChangedSince;
    }
    let mut backups = undo.files.iter().filter_map(|file| file.backup.as_ref());
    if backups.all(|backup| workspace.path(backup).is_file()) {
        State::CanBeUndone
    } else {
        State::BackupGone
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

fn undo(
    operator: Operator<'_>,
    records: Records<'_>,
    at: Timestamp,
    response_id: &str,
    dry_run: bool,
) -> Result<Undone, Refused> {
    check_journal(records)?;
    let interrupted = if dry_run {
        None
    } else {
        settle::settle(records, at, operator.user)?
    };
    let files = load_all(records.workspace, response_id)?;
    for undo in &files {
        check_recorded(records.workspace, undo)?;
    }
    let steps = plan(records.workspace, &files).map_err(Refused::Findings)?;
    let named = |wanted: fn(&Step<'_>) -> bool| {
        let names = steps.iter().filter(|step| wanted(step));
        let names: Vec<String> = names.map(|step| step.path.to_owned()).collect();
        names
    };
    let mut undone = Undone {
        schema: 1,
        response_id: None,
        undo_of: response_id.to_owned(),
        timestamp: at,
        dry_run,
        restored: named(|step| step.now != step.then && step.then.is_some()),
        removed: named(|step| step.now.is_some() && step.then.is_none()),
        unchanged: named(|step| step.now == step.then),
        interrupted,
    };
    let nothing_to_do = undone.restored.is_empty() && undone.removed.is_empty();
    if dry_run {
        return Ok(undone);
    }
    if nothing_to_do {
        // What was cut off may be whole all the same; then its outcome is known now.
        settled(operator, records, at, response_id)?;
        return Ok(undone);
    }
    let restoring = Restoring {
        operator,
        records,
        at,
        id: uuid::Uuid::new_v4().to_string(),
        undo_of: response_id,
    };
    restoring.run(&files, &steps)?;
    undone.response_id = Some(restoring.id);
    Ok(undone)
}

/// The journal that says what was changed has to be whole.
fn check_journal(records: Records<'_>) -> Checked<()> {
    let head = heads::load(records.workspace)?
        .get(RESPONSE_JOURNAL)
        .copied();
    let purpose = Purpose::Since {
        lines: LOOK_BACK,
        verified: verified::head_of(records.workspace, RESPONSE_JOURNAL, records.key),
    };
    for purpose in [purpose, Purpose::Append] {
        let found = ledger::problem(
            records.workspace,
            RESPONSE_JOURNAL,
            head,
            records.key,
            purpose,
        )?;
        if let Some(problem) = found {
            return Err(Box::new(problem));
        }
    }
    Ok(())
}

fn load_all(workspace: &Workspace, response_id: &str) -> Checked<Vec<UndoFile>> {
    let mut files = Vec::new();
    for name in file::names(workspace, Some(response_id)) {
        files.extend(file::load(workspace, &name)?);
    }
    if files.is_empty() {
        return Err(Box::new(
            Diagnostic::new(
                Code::UndoUnknown,
                Place::file(file::name(response_id, "*")),
                "there is nothing of that name to undo",
            )
            .found("no undo file")
            .expected("the id of a response whose actions changed files")
            .help("`policy-orchestrator undo list` shows what can be undone"),
        ));
    }
    files.sort_by_key(|undo| undo.index);
    Ok(files)
}

#[derive(Deserialize)]
struct Recorded {
    event: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    pre: Option<Digest>,
    #[serde(default)]
    post: Option<Digest>,
}

/// Holds an undo file against the journal: what stood there before, and what the action left.
fn check_recorded(workspace: &Workspace, undo: &UndoFile) -> Checked<()> {
    let name = undo.name();
    let recorded = recorded(workspace, undo)?;
    let pre = touched::digest_before(&undo.files);
    let post = touched::digest_after(&undo.files);
    let differs = |what: &str, found: Digest, expected: Option<Digest>| {
        Box::new(
            Diagnostic::new(
                Code::UndoFileBroken,
                Place::file(&name),
                format!("the undo file says something else than the journal about {what}"),
            )
            .found(format!("the digest {}", found.short()))
            .expected(expected.map_or_else(
                || "a record of this action in the journal of responses".to_owned(),
                |expected| format!("the digest {}", expected.short()),
            ))
            .help("restore it from where it is kept; nothing was changed"),
        )
    };
    if recorded.pre != Some(pre) || undo.backup_sha256 != pre {
        return Err(differs("what stood there before", pre, recorded.pre));
    }
    if recorded.post != Some(post) {
        return Err(differs("what the action left", post, recorded.post));
    }
    Ok(())
}

struct Digests {
    pre: Option<Digest>,
    post: Option<Digest>,
}

/// What the journal says about an action: its last outcome, and its intent.
fn recorded(workspace: &Workspace, undo: &UndoFile) -> Checked<Digests> {
    let mut found = Digests {
        pre: None,
        post: None,
    };
    let Opened::File(input) = workspace.open_input(RESPONSE_JOURNAL)? else {
        return Ok(found);
    };
    let mut lines = ReverseLines::new(&input, LINE_LIMIT);
    while let Some(line) = lines.next_line()? {
        let Ok(line) = serde_json::from_slice::<Recorded>(line.bytes) else {
            continue;
        };
        if line.id != undo.response_id || line.action.as_ref() != Some(&undo.action) {
            continue;
        }
        match line.event.as_str() {
            "workflow_exec" | "undo" | "interrupted" if found.post.is_none() => {
                found.post = line.post;
            }
            "intent" | "undo_intent" => {
                found.pre = line.pre;
                break;
            }
            _ => {}
        }
    }
    Ok(found)
}

/// One file that is to be what it was.
struct Step<'a> {
    path: &'a str,
    now: Option<Fingerprint>,
    then: Option<Fingerprint>,
    backup: Option<&'a str>,
}

/// What to do with each file, once, the actions taken back from the last to the first. Fails with
/// every file that was changed since.
fn plan<'a>(
    workspace: &Workspace,
    files: &'a [UndoFile],
) -> Result<Vec<Step<'a>>, Vec<Diagnostic>> {
    let mut steps: BTreeMap<&str, Step<'a>> = BTreeMap::new();
    let mut findings = Vec::new();
    for change in files.iter().rev().flat_map(|undo| &undo.files) {
        let known = steps.get(change.path.as_str());
        let now = match known {
            Some(step) => Ok(step.then),
            None => fingerprint(workspace, &change.path),
        };
        let now = match now {
            Ok(now) => now,
            Err(finding) => {
                findings.push(*finding);
                continue;
            }
        };
        // Undone already, wholly or by an undo that was cut off.
        let is_then = now == change.before;
        if !is_then && now != change.after {
            findings.push(changed_since(change, now));
            continue;
        }
        let backup = change.backup.as_deref();
        if let Some(problem) = backup
            .filter(|_| !is_then)
            .and_then(|backup| backup_problem(workspace, backup, change))
        {
            findings.push(problem);
        }
        let first = known.map_or(now, |step| step.now);
        steps.insert(
            &change.path,
            Step {
                path: &change.path,
                now: first,
                then: change.before,
                backup,
            },
        );
    }
    if findings.is_empty() {
        Ok(steps.into_values().collect())
    } else {
        Err(findings)
    }
}

fn shown(file: Option<Fingerprint>) -> String {
    file.map_or_else(
        || "no file".to_owned(),
        |file| format!("SHA-256 {}, mode {:04o}", file.sha256, file.mode),
    )
}

fn changed_since(change: &FileChange, now: Option<Fingerprint>) -> Diagnostic {
    Diagnostic::new(
        Code::UndoRefused,
        Place::file(&change.path),
        "the file was changed since, so nothing is undone",
    )
    .found(shown(now))
    .expected(format!("what the action left: {}", shown(change.after)))
    .help("undo what came later first (`policy-orchestrator undo list`), or put the file back by hand")
}

fn backup_problem(workspace: &Workspace, backup: &str, change: &FileChange) -> Option<Diagnostic> {
    let kept = match fingerprint(workspace, backup) {
        Ok(kept) => kept,
        Err(finding) => return Some(*finding),
    };
    let is_kept = backup.starts_with(&format!("{UNDO_DIR}/"))
        && !backup.split('/').any(|part| part == "..")
        && kept.map(|kept| kept.sha256) == change.before.map(|before| before.sha256);
    (!is_kept).then(|| {
        Diagnostic::new(
            Code::UndoFileBroken,
            Place::file(backup),
            format!("the kept bytes of {} are not those of before", change.path),
        )
        .found(kept.map_or_else(
            || "no file".to_owned(),
            |kept| format!("SHA-256 {}", kept.sha256),
        ))
        .expected(shown(change.before))
        .help("restore it from where it is kept; nothing was changed")
    })
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
}

/// The name that an undo has among the actions.
const ACTION: &str = "undo";

/// An undo on its way.
struct Restoring<'a> {
    operator: Operator<'a>,
    records: Records<'a>,
    at: Timestamp,
    id: String,
    undo_of: &'a str,
}

impl Restoring<'_> {
    fn run(&self, files: &[UndoFile], steps: &[Step<'_>]) -> Checked<()> {
        let mut undo = self.keep(files, steps)?;
        undo.store(self.records.workspace, self.records.retry)?;
        let pre = undo.backup_sha256;
        self.event("undo_intent", Some(pre), None)?;
        for step in steps.iter().filter(|step| step.now != step.then) {
            self.restore(step)?;
        }
        for directory in files.iter().flat_map(|undo| &undo.missing_directories) {
            self.written(|| write::remove_empty_directory(self.records.workspace, directory))?;
        }
        let mut after = undo.files.clone();
        for file in &mut after {
            file.after = fingerprint(self.records.workspace, &file.path)?;
        }
        let post = touched::digest_after(&after);
        undo.conclude(after, Outcome::Known);
        undo.store(self.records.workspace, self.records.retry)?;
        self.event("undo", Some(pre), Some(post))
    }

    /// Keeps what is there now, so that this undo can be undone.
    fn keep(&self, files: &[UndoFile], steps: &[Step<'_>]) -> Checked<UndoFile> {
        let workspace = self.records.workspace;
        let directory = format!("{UNDO_DIR}/{}/{ACTION}", self.id);
        self.written(|| write::make_directory(workspace, &directory))?;
        let mut kept = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            let backup = format!("{directory}/{index}");
            let before = copy(workspace, step.path, &backup, touched::TEMPORARY, None)?;
            kept.push(FileChange {
                path: step.path.to_owned(),
                backup: before.map(|_| backup),
                before,
                after: None,
            });
        }
        let patterns =
            |which: fn(&UndoFile) -> &Vec<String>| files.iter().flat_map(which).cloned().collect();
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
            missing_directories: Vec::new(),
            changes: patterns(|undo| &undo.changes),
            creates: Vec::new(),
        })
    }

    fn restore(&self, step: &Step<'_>) -> Checked<()> {
        let workspace = self.records.workspace;
        let (Some(then), Some(backup)) = (step.then, step.backup) else {
            return self.written(|| write::remove(workspace, step.path));
        };
        let temporary = match step.path.rsplit_once('/') {
            Some((directory, _)) => {
                self.written(|| write::make_directory(workspace, directory))?;
                format!("{directory}/{}", write::RARE_TEMPORARY)
            }
            None => write::RARE_TEMPORARY.to_owned(),
        };
        copy(workspace, backup, step.path, &temporary, Some(then.mode)).map(drop)
    }

    fn written(&self, mut work: impl FnMut() -> Result<(), WriteError>) -> Checked<()> {
        self.records
            .retry
            .retry(&mut work)
            .map_err(|error| Box::new(error.into_diagnostic()))
    }

    fn event(&self, name: &'static str, pre: Option<Digest>, post: Option<Digest>) -> Checked<()> {
        let detail = Detail {
            id: &self.id,
            action: ACTION,
            undo_of: self.undo_of,
            pre,
            post,
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
}

/// What an undo has put right is settled: the actions of that response, and undos of it that were
/// cut off.
fn clear(standing: &mut response_journal::Standing, undo_of: &str) {
    standing.unsettled.retain(|unsettled| {
        unsettled.response_id != undo_of && unsettled.undo_of.as_deref() != Some(undo_of)
    });
}

#[derive(Serialize)]
struct Settled<'a> {
    id: &'a str,
}

/// Records that a response needs no undo, where its outcome was not known.
fn settled(
    operator: Operator<'_>,
    records: Records<'_>,
    at: Timestamp,
    response_id: &str,
) -> Checked<()> {
    let mut standing = response_journal::standing(records.workspace)?;
    let before = standing.unsettled.len();
    clear(&mut standing, response_id);
    if standing.unsettled.len() == before {
        return Ok(());
    }
    let event = Event {
        at,
        name: "settled",
        user: operator.user,
    };
    let detail = Settled { id: response_id };
    response_journal::append(records, event, &detail, |standing| {
        clear(standing, response_id);
    })
    .map(drop)
}
