//! Accepting protected files as they stand: what would be accepted, and the digest that a second
//! person approves. Who that is, and whether it is asked for, is said in [`crate::approval`].

use serde::Serialize;

use super::{
    Accepted, Change, Changed, Decided, Ground, Locked, Looked, Manifest, Outcome, What,
    accepted_files, commit, is_settled, lost, make_read_only, names, not_locked, nothing_to_accept,
};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::fs::glob::Glob;
use crate::fs::read::read_own;
use crate::ids::{Digest, EventType};
use crate::protection::look::look;
use crate::protection::manifest::File;
use crate::protection::rules::{MANIFEST, Rules};
use crate::record::audit::Severity;
use crate::record::{SigningKey, policies};

/// What an accept would take in.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// The manifest that it would follow.
    pub previous: Option<Digest>,
    /// Every file that would be another one than before.
    pub changes: Vec<Change>,
    rules: Rules,
    files: Vec<File>,
    before: Option<Manifest>,
}

/// What the digest is made of. Its bytes are what approvals are bound to.
#[derive(Serialize)]
struct Bound<'a> {
    schema: u32,
    previous: Option<Digest>,
    rules: &'a Rules,
    changes: &'a [Change],
}

impl Proposal {
    /// The digest of exactly these changes, of the manifest before them and of what is protected.
    pub fn digest(&self) -> Digest {
        let bound = Bound {
            schema: 1,
            previous: self.previous,
            rules: &self.rules,
            changes: &self.changes,
        };
        // Serialising to memory fails for maps with keys that are no text alone; there are none.
        Digest::of(&serde_json::to_vec(&bound).unwrap_or_default())
    }

    /// The bytes of a file as they were accepted before; `None` for one that was not there.
    ///
    /// Fails where nobody can say: the file is not protected, or it was changed and no copy of what
    /// was accepted is kept.
    pub fn before(&self, workspace: &Workspace, path: &str) -> Checked<Option<Vec<u8>>> {
        let unknown = |found: &str| {
            Box::new(
                Diagnostic::new(
                    Code::LockRefused,
                    Place::file(path),
                    "nobody can say what stood here before the change, and that is what an approval of the change is held against",
                )
                .found(found)
                .expected("a protected file that is as it was accepted, or its kept copy below state/policies/")
                .help("put the file back as it was (version control has it), and change it in a step of its own; or have the change accepted where ENV is not production, and bring it here with its record"),
            )
        };
        let Some(before) = &self.before else {
            return Err(unknown("no manifest that can be believed"));
        };
        if !before.rules.covers(path) {
            return Err(unknown("a file that the lock does not protect"));
        }
        let Some(File { sha256, .. }) = before.file(path) else {
            return Ok(None);
        };
        let now = read_own(workspace, path, LIMIT).ok().flatten();
        if let Some(bytes) = now.filter(|bytes| Digest::of(bytes) == *sha256) {
            return Ok(Some(bytes));
        }
        let kept = policies::read(workspace, *sha256);
        kept.map(Some)
            .map_err(|_| unknown("another file, and no copy of the one that was accepted"))
    }
}

/// A larger file is not looked at: those that are asked for are lists and keys.
const LIMIT: u64 = 1024 * 1024;

/// What `policy accept` would take in now. Nothing is written.
pub fn proposed(
    workspace: &Workspace,
    key: Option<&SigningKey>,
    paths: &[Glob],
) -> Changed<Proposal> {
    let looked = look(workspace, key, Decided::load(workspace)?)?;
    let proposal = proposal(workspace, &looked, paths)?;
    if proposal.changes.is_empty() && !looked.is_tampered() {
        return Err(Diagnostic::new(
            Code::LockRefused,
            Place::file(MANIFEST),
            "there is nothing to accept",
        )
        .found("every protected file as it was accepted")
        .expected("a protected file that differs")
        .help("change the files first: an approval is for exactly the change that stands there")
        .into());
    }
    Ok(proposal)
}

fn proposal(workspace: &Workspace, looked: &Looked, paths: &[Glob]) -> Changed<Proposal> {
    if looked.locked.is_none() && !looked.is_tampered() {
        return Err(not_locked().into());
    }
    let before = looked.locked.as_ref();
    let rules = before.map_or_else(Rules::default, |locked| locked.manifest.rules.clone());
    let is_named = |path: &str| paths.is_empty() || paths.iter().any(|glob| names(glob, path));
    let known = before.map(|locked| &locked.manifest);
    let files = accepted_files(workspace, &rules, is_named, known)?;
    let changes = Manifest::changes(known.map_or(&[], |known| &known.files), &files);
    if let Some(unknown) = paths
        .iter()
        .find(|glob| !changes.iter().any(|change| names(glob, &change.path)))
    {
        return Err(nothing_to_accept(unknown).into());
    }
    Ok(Proposal {
        previous: before.map(|locked| locked.sha256).or(looked.recorded),
        changes,
        rules,
        files,
        before: known.cloned(),
    })
}

/// Accepts protected files as they stand: all of them, or those that `paths` names.
///
/// `second` is asked last, where something is to be accepted, and under the same lock: it hands out a
/// second person's signature of just that, `None` where none is needed, or fails.
pub fn accept(
    ground: Ground<'_>,
    reason: &str,
    paths: &[Glob],
    second: impl FnOnce(&Proposal) -> Checked<Option<serde_json::Value>>,
) -> Changed<Outcome> {
    let workspace = ground.records.workspace;
    let decided = Decided::load(workspace)?;
    let looked = look(workspace, ground.records.key, decided)?;
    let proposal = proposal(workspace, &looked, paths)?;
    let before = looked.locked.as_ref();
    let accepted = Accepted {
        at: ground.at,
        by: ground.user.to_owned(),
        reason: Some(reason.to_owned()),
        previous: proposal.previous,
        second: None,
    };
    let (rules, files) = (proposal.rules.clone(), proposal.files.clone());
    let mut manifest = Manifest::new(rules, files, accepted);
    let settled = before.filter(|locked| {
        !looked.is_tampered()
            && proposal.changes.is_empty()
            && is_settled(locked, &manifest, ground)
    });
    if let Some(locked) = settled {
        return Ok(unchanged(locked, looked.mend(workspace)));
    }
    manifest.accepted.second = second(&proposal)?;
    let mut notes = looked.mend(workspace);
    notes.extend(make_read_only(workspace, &manifest));
    let what = What {
        event_type: &EventType::POLICY_ACCEPTED,
        action: "policy_accept",
        severity: Severity::High,
        decided: lost(decided, proposal.previous),
        changes: proposal.changes,
    };
    commit(ground, &manifest, what).map(|outcome| outcome.with(notes))
}

fn unchanged(locked: &Locked, notes: Vec<Diagnostic>) -> Outcome {
    Outcome {
        manifest: locked.sha256,
        files: locked.manifest.files.len(),
        changes: Vec::new(),
        head: None,
        notes,
    }
}
