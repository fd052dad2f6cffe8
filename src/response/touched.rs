//! The files that an action touches: kept before it runs, looked at after it.
//!
//! Read and copied here; which patterns there are is said by the plan, and what to do with what was
//! kept in [`super::undo`].

use std::collections::{BTreeMap, BTreeSet};

use super::pattern::Pattern;
use super::undo::file::FileChange;
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::copy::{self, Stamp, fingerprint};
use crate::fs::{Fingerprint, RetryDelays, Workspace, write};
use crate::ids::Digest;

/// Where kept bytes go, relative to the workspace: a directory for each response.
pub const UNDO_DIR: &str = "state/undo";

/// Where bytes stand while they are copied, under the lock of applies alone: not the name that
/// records use. The next apply or undo removes one that a killed process left.
pub const TEMPORARY: &str = "state/.keep.tmp";

/// What stood there before an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// The files of the patterns that it may change, and those it names that were not there.
    pub files: Vec<FileChange>,
    /// The files that were there of the patterns that it may only make.
    pub present: Vec<String>,
    /// Directories of the patterns that were not there.
    pub missing_directories: Vec<String>,
    /// What tells whether a kept file was written since, in the order of `files`.
    pub stamps: Vec<Option<Stamp>>,
}

/// Keeps the bytes of every file that an action may change, below `directory`.
pub fn keep(
    workspace: &Workspace,
    changes: &[Pattern],
    creates: &[Pattern],
    directory: &str,
    retry: &RetryDelays,
) -> Checked<Before> {
    retry.retry(|| write::make_directory(workspace, directory))?;
    let paths = listed(workspace, changes)?;
    let (files, stamps) = keep_all(workspace, paths.into_iter(), directory)?;
    Ok(Before {
        files,
        stamps,
        present: listed(workspace, creates)?.into_iter().collect(),
        missing_directories: missing_directories(workspace, changes.iter().chain(creates)),
    })
}

/// Keeps the bytes of these files below `directory`, which is there.
pub fn keep_all(
    workspace: &Workspace,
    paths: impl Iterator<Item = String>,
    directory: &str,
) -> Checked<(Vec<FileChange>, Vec<Option<Stamp>>)> {
    let (mut files, mut stamps) = (Vec::new(), Vec::new());
    for (index, path) in paths.enumerate() {
        let backup = format!("{directory}/{index}");
        let kept = copy::keep(workspace, &path, &backup, TEMPORARY)?;
        files.push(FileChange {
            backup: kept.map(|_| backup),
            before: kept.map(|kept| kept.fingerprint),
            owner: kept.map(|kept| kept.owner),
            ..FileChange::new(path)
        });
        stamps.push(kept.map(|kept| kept.stamp));
    }
    Ok((files, stamps))
}

/// The first file that somebody wrote since it was kept, in words: its newer bytes would be lost.
pub fn changed_since_kept(workspace: &Workspace, before: &Before) -> Option<String> {
    let mut kept = before.files.iter().zip(&before.stamps);
    let (file, _) = kept.find(|(file, kept)| copy::stamp(workspace, &file.path) != **kept)?;
    Some(format!("{} was changed while it was kept", file.path))
}

/// The fingerprints of the files that an action may change, without keeping them.
pub fn look(workspace: &Workspace, changes: &[Pattern], creates: &[Pattern]) -> Checked<Before> {
    let mut files = Vec::new();
    for path in listed(workspace, changes)? {
        files.push(FileChange {
            before: fingerprint(workspace, &path)?,
            ..FileChange::new(path)
        });
    }
    Ok(Before {
        files,
        stamps: Vec::new(),
        present: listed(workspace, creates)?.into_iter().collect(),
        missing_directories: missing_directories(workspace, changes.iter().chain(creates)),
    })
}

/// What stands there now, beside what stood there before: every file of before, and every one that
/// is new. What is no plain file any more is marked as odd; the findings say what it is.
pub fn after(
    workspace: &Workspace,
    changes: &[Pattern],
    creates: &[Pattern],
    before: &Before,
) -> (Vec<FileChange>, Vec<Diagnostic>) {
    let mut findings = Vec::new();
    let mut paths: BTreeSet<String> = before.files.iter().map(|file| file.path.clone()).collect();
    let mut list = |patterns| {
        listed(workspace, patterns).unwrap_or_else(|finding| {
            findings.push(*finding);
            BTreeSet::new()
        })
    };
    paths.extend(list(changes));
    let made = list(creates);
    let present: BTreeSet<&String> = before.present.iter().collect();
    paths.extend(made.into_iter().filter(|path| !present.contains(path)));
    let known: BTreeMap<&str, &FileChange> = before
        .files
        .iter()
        .map(|file| (file.path.as_str(), file))
        .collect();
    let mut files = Vec::new();
    for path in paths {
        let former = known.get(path.as_str()).map(|file| (*file).clone());
        let former = former.unwrap_or_else(|| FileChange::new(path.clone()));
        let now = fingerprint(workspace, &path);
        files.push(FileChange {
            after: now.as_ref().ok().copied().flatten(),
            odd: now.is_err(),
            ..former
        });
        findings.extend(now.err().map(|finding| *finding));
    }
    (files, findings)
}

/// The digest of a set of files: the SHA-256 of the compact JSON of `[[path, sha256, mode], …]`, the
/// files that are there in the order of their paths.
pub fn digest<'a>(files: impl Iterator<Item = (&'a str, Option<Fingerprint>)>) -> Digest {
    let mut there: Vec<(&str, Digest, u32)> = files
        .filter_map(|(path, file)| file.map(|file| (path, file.sha256, file.mode)))
        .collect();
    there.sort_unstable_by_key(|(path, ..)| *path);
    Digest::of(&serde_json::to_vec(&there).unwrap_or_default())
}

/// The digest of what stood there before.
pub fn digest_before(files: &[FileChange]) -> Digest {
    digest(files.iter().map(|file| (file.path.as_str(), file.before)))
}

/// The digest of what stood there after.
pub fn digest_after(files: &[FileChange]) -> Digest {
    digest(files.iter().map(|file| (file.path.as_str(), file.after)))
}

/// The files of the patterns, each once, in the order of their paths; a file that a pattern names
/// in full belongs to them even where it is not there.
fn listed(workspace: &Workspace, patterns: &[Pattern]) -> Checked<BTreeSet<String>> {
    let mut paths = BTreeSet::new();
    for pattern in patterns {
        match pattern.literal() {
            Some(path) => drop(paths.insert(path)),
            None => paths.extend(names(workspace, pattern)?),
        }
    }
    Ok(paths)
}

fn names(workspace: &Workspace, pattern: &Pattern) -> Checked<Vec<String>> {
    let directory = workspace.path(pattern.directory());
    if !pattern.directory().is_empty() {
        // A link on the way would lead the list elsewhere.
        workspace
            .open_plain(&pattern.path_of("."))
            .map(drop)
            .or_else(only_links)?;
    }
    let entries = match std::fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unlistable(pattern, &error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| unlistable(pattern, &error))?;
        let name = match entry.file_name().into_string() {
            Ok(name) => name,
            // A record is text; what it can't name can't be put back.
            Err(name) if pattern.fits(&name.to_string_lossy()) => {
                return Err(unnameable(pattern, &name.to_string_lossy()));
            }
            Err(_) => continue,
        };
        if pattern.fits(&name) && entry.file_type().is_ok_and(|kind| !kind.is_dir()) {
            paths.push(pattern.path_of(&name));
        }
    }
    Ok(paths)
}

/// Looks away from every finding but that of a link.
fn only_links(finding: Box<Diagnostic>) -> Checked<()> {
    match finding.code {
        Code::LinkRefused => Err(finding),
        _ => Ok(()),
    }
}

fn unnameable(pattern: &Pattern, name: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::FileUnreadable,
            Place::file(pattern.path_of(name)),
            format!("a file of `{pattern}` has a name that is no UTF-8"),
        )
        .found(name)
        .expected("names that a record can hold")
        .help("rename it"),
    )
}

fn unlistable(pattern: &Pattern, error: &std::io::Error) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::FileUnreadable,
            Place::file(pattern.directory()),
            format!("the files of `{pattern}` can't be listed"),
        )
        .found(crate::fs::read::plain(error))
        .expected("a directory that the user of this run may read")
        .help("check the path and its permissions"),
    )
}

fn missing_directories<'a>(
    workspace: &Workspace,
    patterns: impl Iterator<Item = &'a Pattern>,
) -> Vec<String> {
    missing(workspace, patterns.map(Pattern::directory))
}

/// Which of these directories, and of those they are in, are not there, the deepest first.
pub fn missing<'a>(
    workspace: &Workspace,
    directories: impl Iterator<Item = &'a str>,
) -> Vec<String> {
    let mut missing = BTreeSet::new();
    for mut directory in directories {
        while !directory.is_empty() && std::fs::symlink_metadata(workspace.path(directory)).is_err()
        {
            missing.insert(directory.to_owned());
            directory = directory.rsplit_once('/').map_or("", |(above, _)| above);
        }
    }
    // A directory sorts before what is in it.
    missing.into_iter().rev().collect()
}
