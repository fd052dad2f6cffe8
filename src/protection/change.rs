//! Changing which files are accepted: lock, accept, and the changes that this program makes itself.
//!
//! The order is always the same, and the second step is the commit:
//!
//! | step | a kill behind it leaves |
//! |---|---|
//! | 1. the new manifest is kept under its digest in `state/policies/` | a kept document that no line names |
//! | 2. **the line of `state/audit.log` that names it** | the manifest before; the recorded one counts, and is put in its place by the next step |
//! | 3. `policy/manifest.json` is replaced | all of it |
//!
//! A change by this program is two of these: one that lets the files before and after it both stand,
//! and one that lets only the new ones stand.

use serde::Serialize;

use super::look::{self, Decided, Locked, Looked};
use super::manifest::{Accepted, Change, File, LIMIT, Manifest, Mode, Pending};
use super::problem::{Kind, Problem};
use super::rules::{MANIFEST, Rules};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::glob::Glob;
use crate::fs::tree::{self, Standing};
use crate::fs::{Workspace, WriteError, write};
use crate::ids::{Digest, EventType};
use crate::record::audit::{self, Event, Severity};
use crate::record::{Head, Records, policies};
use crate::time::Timestamp;

mod accept;

pub use accept::{Proposal, accept, proposed};

/// What whoever changes something holds.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// What a record needs.
    pub records: Records<'a>,
    /// The time.
    pub at: Timestamp,
    /// True where the user gave it.
    pub given_clock: bool,
    /// Who.
    pub user: &'a str,
}

/// Why nothing was changed: never empty.
#[derive(Debug)]
pub struct Refused(pub Vec<Diagnostic>);

impl From<Box<Diagnostic>> for Refused {
    fn from(finding: Box<Diagnostic>) -> Self {
        Self(vec![*finding])
    }
}

impl From<Diagnostic> for Refused {
    fn from(finding: Diagnostic) -> Self {
        Self(vec![finding])
    }
}

impl From<WriteError> for Refused {
    fn from(error: WriteError) -> Self {
        Self(vec![error.into_diagnostic()])
    }
}

impl Refused {
    /// The first reason, for whoever tells one.
    pub fn into_first(self) -> Box<Diagnostic> {
        let first = self.0.into_iter().next();
        Box::new(first.unwrap_or_else(not_locked))
    }
}

/// What a change comes to.
pub type Changed<T> = Result<T, Refused>;

/// What was done.
#[derive(Debug)]
pub struct Outcome {
    /// The SHA-256 of the manifest in force.
    pub manifest: Digest,
    /// How many files it names.
    pub files: usize,
    /// What differs from the one before.
    pub changes: Vec<Change>,
    /// The line of `state/audit.log`; `None` where nothing was to be changed.
    pub head: Option<Head>,
    /// What was mended, and what else to know.
    pub notes: Vec<Diagnostic>,
}

/// More changes than this are told as their number: a line has an end.
const TOLD: usize = 1000;

#[derive(Serialize)]
struct Details<'a> {
    reason: Option<&'a str>,
    previous: Option<Digest>,
    /// The manifest of the last decision, where the log does not lead there any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided: Option<Digest>,
    changes: &'a [Change],
    #[serde(skip_serializing_if = "Option::is_none")]
    more_changes: Option<usize>,
}

/// Taking files out of the lock is refused in production: what is no longer held to anything can't be
/// shown to whoever would approve it.
fn refuse_less(production: bool) -> Checked<()> {
    if !production {
        return Ok(());
    }
    Err(Box::new(
        Diagnostic::new(
            Code::SecondPersonMissing,
            Place::file(MANIFEST),
            "under ENV=production nobody takes files out of the lock",
        )
        .found("`--except`")
        .expected("more files to protect, or as many")
        .help("have it reviewed and done where ENV is not production, and bring it here with its record (policy/ and state/)"),
    ))
}

/// Makes the first manifest, or one of other rules, with more files to protect, or signed anew. Files
/// that were locked before must be as they were accepted.
pub fn lock(
    ground: Ground<'_>,
    reason: Option<&str>,
    (protect, except): (&[Glob], &[Glob]),
    production: bool,
) -> Changed<Outcome> {
    let workspace = ground.records.workspace;
    let decided = Decided::load(workspace)?;
    let looked = look::look(workspace, ground.records.key, decided)?;
    if looked.is_tampered() {
        return Err(Refused(looked.findings()));
    }
    if looked.locked.is_some() && !except.is_empty() {
        refuse_less(production)?;
    }
    let before = looked.locked.as_ref();
    let rules = before.map_or_else(Rules::default, |locked| locked.manifest.rules.clone());
    let rules = rules.with(protect, except);
    let files = accepted_files(workspace, &rules, |_| true, None)?;
    if files.is_empty() {
        return Err(nothing_to_lock(&rules).into());
    }
    let accepted = Accepted {
        at: ground.at,
        by: ground.user.to_owned(),
        reason: reason.map(str::to_owned),
        previous: before.map(|locked| locked.sha256),
        second: None,
    };
    let manifest = Manifest::new(rules, files, accepted);
    let mut notes = looked.mend(workspace);
    if let Some(locked) = before.filter(|locked| is_settled(locked, &manifest, ground)) {
        notes.extend(make_read_only(workspace, &locked.manifest));
        return Ok(Outcome {
            manifest: locked.sha256,
            files: locked.manifest.files.len(),
            changes: Vec::new(),
            head: None,
            notes,
        });
    }
    let base = before.map_or_else(
        || {
            Manifest::new(
                manifest.rules.clone(),
                Vec::new(),
                manifest.accepted.clone(),
            )
        },
        |locked| locked.manifest.clone(),
    );
    let changes = base.changes_to(&manifest);
    notes.extend(make_read_only(workspace, &manifest));
    let what = What {
        event_type: &EventType::POLICY_LOCKED,
        action: "policy_lock",
        severity: Severity::Medium,
        decided: lost(decided, before.map(|locked| locked.sha256)),
        changes,
    };
    commit(ground, &manifest, what).map(|outcome| outcome.with(notes))
}

/// Signs the manifest anew with the key at hand, as after a rotation of keys. `None` where nothing is
/// locked; without a head where that key signed it already.
pub fn sign_anew(ground: Ground<'_>, reason: &str) -> Changed<Option<Outcome>> {
    let Records { workspace, key, .. } = ground.records;
    let looked = look::look(workspace, key, Decided::load(workspace)?)?;
    if looked.locked.is_none() && !looked.is_tampered() {
        return Ok(None);
    }
    lock(ground, Some(reason), (&[], &[]), false).map(Some)
}

/// True where a manifest says all that a new one would say.
fn is_settled(locked: &Locked, manifest: &Manifest, ground: Ground<'_>) -> bool {
    let now = &locked.manifest;
    let key_id = ground.records.key.map(|key| key.id().as_str().to_owned());
    now.rules == manifest.rules
        && now.files == manifest.files
        && now.pending.is_empty()
        && locked.cut_off.is_none()
        && now.key_id == key_id
        && audit::standing(ground.records.workspace)
            .is_ok_and(|standing| standing.lock == Some(locked.sha256))
}

/// A path names itself, what lies below it, and what it covers as a glob.
fn names(glob: &Glob, path: &str) -> bool {
    glob.covers(path) || path.starts_with(&format!("{glob}/"))
}

/// The manifest of the last decision, where it is not the one before.
fn lost(decided: Decided, previous: Option<Digest>) -> Option<Digest> {
    decided.0.filter(|decided| Some(*decided) != previous)
}

/// The files as they stand, where they are named; the others as they were `known`.
fn accepted_files(
    workspace: &Workspace,
    rules: &Rules,
    is_named: impl Fn(&str) -> bool,
    known: Option<&Manifest>,
) -> Changed<Vec<File>> {
    let mut files = Vec::new();
    let mut refused = Vec::new();
    for (path, standing) in look::protected(workspace, rules) {
        if !is_named(&path) {
            continue;
        }
        match standing {
            Ok(Standing::File {
                sha256,
                mode,
                names: 1,
            }) => {
                let was = known
                    .and_then(|known| known.file(&path))
                    .map(|file| file.mode);
                let mode = was.unwrap_or(Mode::locked(mode));
                files.push(File { path, sha256, mode });
            }
            standing => refused.push(unlockable(&path, standing)),
        }
    }
    if !refused.is_empty() {
        return Err(Refused(refused));
    }
    let others = known.into_iter().flat_map(|known| &known.files);
    files.extend(others.filter(|file| !is_named(&file.path)).cloned());
    Ok(files)
}

fn unlockable(path: &str, standing: Result<Standing, String>) -> Diagnostic {
    let kind = match &standing {
        Ok(Standing::Link(_)) => Kind::Link,
        Ok(Standing::File { .. }) => Kind::HardLink,
        Ok(Standing::Unreadable(_)) | Err(_) => Kind::Unreadable,
        Ok(_) => Kind::NotAFile,
    };
    let found = match standing {
        Ok(Standing::File { names, .. }) => format!("a file with {names} names"),
        Ok(Standing::Link(target)) => format!("a link to {target}"),
        Ok(Standing::Other(what)) => what.to_owned(),
        Ok(Standing::Unreadable(why)) | Err(why) => why,
        Ok(Standing::Directory) => "a directory".to_owned(),
        Ok(Standing::Nothing) => "nothing".to_owned(),
    };
    let finding = Problem::of_file(kind, path, None, found).to_diagnostic();
    Diagnostic {
        code: Code::LockRefused,
        message: "this can't be protected: only a file of one name can be held to its bytes"
            .to_owned(),
        expected: Some("a regular file of one name that this user may read".to_owned()),
        help: Some(match kind {
            Kind::HardLink => finding.help.unwrap_or_default(),
            _ => "put the file itself there, move it out of the protected directories, or except it: `policy lock --except GLOB`".to_owned(),
        }),
        ..finding
    }
}

fn nothing_to_lock(rules: &Rules) -> Diagnostic {
    let globs: Vec<String> = rules.protect.iter().map(Glob::to_string).collect();
    Diagnostic::new(
        Code::LockRefused,
        Place::file(MANIFEST),
        "there is no file to protect",
    )
    .found(format!("none under {}", globs.join(", ")))
    .expected("at least one")
    .help("`policy-orchestrator policy init` writes the policy that is in force as a file")
}

fn nothing_to_accept(glob: &Glob) -> Diagnostic {
    Diagnostic::new(
        Code::LockRefused,
        Place::file(glob.to_string()),
        "no protected file of this name was changed",
    )
    .found("the bytes that were accepted, or a file that is not protected")
    .expected("a protected file that differs")
    .help("`policy-orchestrator policy verify` lists what differs")
}

/// Nothing is locked here.
pub fn not_locked() -> Diagnostic {
    Diagnostic::new(
        Code::NotLocked,
        Place::file(MANIFEST),
        "the policies are not locked, so there is nothing to hold them against",
    )
    .found("no manifest, and no record of one")
    .expected("a manifest")
    .help("`policy-orchestrator policy lock --reason TEXT` makes it")
}

fn make_read_only(workspace: &Workspace, manifest: &Manifest) -> Vec<Diagnostic> {
    let unset = manifest.files.iter().filter(|file| {
        let path = workspace.path(&file.path);
        let is_set = std::fs::symlink_metadata(path).is_ok_and(|status| {
            use std::os::unix::fs::MetadataExt as _;
            status.mode() & 0o7777 == file.mode.0
        });
        !is_set && !tree::set_mode(workspace, &file.path, file.mode.0)
    });
    let note = |file: &File| {
        Diagnostic::new(
            Code::ModeMended,
            Place::file(&file.path),
            "a protected file can be written to, and its permissions can't be set by this user",
        )
        .expected(format!("mode {}", file.mode))
        .help("let its owner lock it; the mode is a hint, the digest is the guarantee")
    };
    unset.map(note).collect()
}

struct What<'a> {
    event_type: &'a EventType,
    action: &'static str,
    severity: Severity,
    decided: Option<Digest>,
    changes: Vec<Change>,
}

/// Keeps the manifest, records it, and puts it in its place.
fn commit(ground: Ground<'_>, manifest: &Manifest, what: What<'_>) -> Changed<Outcome> {
    let Records {
        workspace,
        key,
        retry,
        ..
    } = ground.records;
    let bytes = manifest.to_bytes(key);
    if bytes.len() as u64 > LIMIT {
        return Err(too_many(manifest.files.len()).into());
    }
    workspace.check_target(MANIFEST)?;
    let sha256 = Digest::of(&bytes);
    policies::keep(workspace, sha256, &bytes, retry)?;
    let details = Details {
        reason: manifest.accepted.reason.as_deref(),
        previous: manifest.accepted.previous,
        decided: what.decided,
        changes: what.changes.get(..TOLD).unwrap_or(&what.changes),
        more_changes: what
            .changes
            .len()
            .checked_sub(TOLD)
            .filter(|more| *more > 0),
    };
    let event = Event {
        at: ground.at,
        user: ground.user,
        action: what.action,
        event_type: what.event_type,
        severity: what.severity,
        task_id: None,
        data: sha256,
        details: &details,
        given_clock: ground.given_clock,
    };
    let head = audit::append_changed(ground.records, &event, |standing| {
        standing.lock = Some(sha256);
    })?;
    let mut notes = Vec::new();
    if let Err(error) = put(ground.records, &bytes) {
        notes.push(Diagnostic {
            code: Code::LockMended,
            message: "this was recorded, and the manifest could not be put in its place; the recorded one counts".to_owned(),
            ..error.into_diagnostic()
        });
    }
    Ok(Outcome {
        manifest: sha256,
        files: manifest.files.len(),
        changes: what.changes,
        head: Some(head),
        notes,
    })
}

/// Puts a recorded manifest in its place.
fn put(records: Records<'_>, bytes: &[u8]) -> Result<(), WriteError> {
    let workspace = records.workspace;
    records.retry.retry(|| {
        write::make_directory(workspace, "policy")?;
        write::replace_rarely(workspace, MANIFEST, bytes)
    })?;
    tree::set_mode(workspace, MANIFEST, super::manifest::READ_ONLY);
    Ok(())
}

/// Puts the manifest in its place that a kill kept from it, and gives files their permission bits back.
/// What is told is a note, never a failure.
pub fn mend(records: Records<'_>, looked: &Looked) -> Vec<Diagnostic> {
    let mut notes = looked.mend(records.workspace);
    let cut_off = looked
        .locked
        .as_ref()
        .and_then(|locked| locked.cut_off.as_deref());
    if let Some(bytes) = cut_off
        && let Err(error) = put(records, bytes)
    {
        notes.push(Diagnostic {
            code: Code::LockMended,
            ..error.into_diagnostic()
        });
    }
    notes
}

fn too_many(files: usize) -> Diagnostic {
    Diagnostic::new(
        Code::LockRefused,
        Place::file(MANIFEST),
        "the manifest would be larger than 1 MiB",
    )
    .found(format!("{files} files"))
    .expected("a few thousand at most")
    .help("protect fewer files: `policy lock --except GLOB`")
}

impl Outcome {
    fn with(mut self, notes: Vec<Diagnostic>) -> Self {
        self.notes.splice(0..0, notes);
        self
    }
}

/// A change of protected files by this program that was begun.
#[derive(Debug)]
pub struct Begun {
    sha256: Digest,
    manifest: Manifest,
    reason: String,
}

/// Says that this program is about to change protected files: each path with what may stand there
/// meanwhile, `None` for no file. `None` where nothing is locked, or none of the files is protected.
pub fn begin(
    ground: Ground<'_>,
    reason: &str,
    steps: &[(String, Option<Digest>)],
) -> Changed<Option<Begun>> {
    let workspace = ground.records.workspace;
    let decided = Decided::load(workspace)?;
    let looked = look::look(workspace, ground.records.key, decided)?;
    if looked.is_tampered() {
        return Err(Refused(looked.findings()));
    }
    let Some(locked) = looked.locked else {
        return Ok(None);
    };
    let is_protected = |path: &str| locked.manifest.rules.covers(path);
    let steps: Vec<&(String, Option<Digest>)> = steps
        .iter()
        .filter(|(path, _)| is_protected(path))
        .collect();
    if steps.is_empty() {
        return Ok(None);
    }
    let mut manifest = settled(workspace, &locked.manifest);
    let pending = |(path, sha256): &&(String, Option<Digest>)| Pending {
        path: path.clone(),
        sha256: *sha256,
    };
    manifest.pending = steps.iter().map(pending).collect();
    manifest.accepted = Accepted {
        at: ground.at,
        by: ground.user.to_owned(),
        reason: Some(reason.to_owned()),
        previous: Some(locked.sha256),
        second: None,
    };
    let what = What {
        event_type: &EventType::POLICY_CHANGE_BEGUN,
        action: "policy_change",
        severity: Severity::Medium,
        decided: lost(decided, Some(locked.sha256)),
        changes: Vec::new(),
    };
    let outcome = commit(ground, &manifest, what)?;
    Ok(Some(Begun {
        sha256: outcome.manifest,
        manifest,
        reason: reason.to_owned(),
    }))
}

/// A manifest in which what was pending stands as it is now.
fn settled(workspace: &Workspace, manifest: &Manifest) -> Manifest {
    let mut settled = manifest.clone();
    for Pending { path, .. } in std::mem::take(&mut settled.pending) {
        put_entry(workspace, &mut settled, &path);
    }
    settled
}

/// Takes what stands at a path into the manifest, read-only.
fn put_entry(workspace: &Workspace, manifest: &mut Manifest, path: &str) {
    manifest.files.retain(|file| file.path != path);
    if let Standing::File { sha256, mode, .. } = tree::look(workspace, path) {
        let mode = Mode::locked(mode);
        tree::set_mode(workspace, path, mode.0);
        manifest.files.push(File {
            path: path.to_owned(),
            sha256,
            mode,
        });
        manifest
            .files
            .sort_by(|one, other| one.path.cmp(&other.path));
    }
}

/// Says that the change is made: from now on only what stands there counts, which has to be what was
/// said.
pub fn end(ground: Ground<'_>, begun: &Begun) -> Changed<()> {
    let workspace = ground.records.workspace;
    let mut manifest = begun.manifest.clone();
    for Pending { path, .. } in &begun.manifest.pending {
        let standing = match tree::look(workspace, path) {
            Standing::File { sha256, .. } => Some(sha256),
            _ => None,
        };
        if !begun.manifest.may_stand(path, standing)
            && begun.manifest.file(path).map(|file| file.sha256) != standing
        {
            let found = standing.map_or_else(|| "no file".to_owned(), |sha256| sha256.to_string());
            return Err(Problem::of_file(Kind::Changed, path, None, found)
                .to_diagnostic()
                .into());
        }
    }
    manifest = settled(workspace, &manifest);
    manifest.accepted = Accepted {
        at: ground.at,
        by: ground.user.to_owned(),
        reason: Some(begun.reason.clone()),
        previous: Some(begun.sha256),
        second: None,
    };
    let what = What {
        event_type: &EventType::POLICY_CHANGE_ENDED,
        action: "policy_change",
        severity: Severity::Medium,
        decided: None,
        changes: begun.manifest.changes_to(&manifest),
    };
    commit(ground, &manifest, what).map(drop)
}

#[cfg(test)]
mod tests;
