//! The files that an action touches: kept before it runs, looked at after it.
//!
//! Read and copied here; which patterns there are is said by the plan, and what to do with what was
//! kept in [`super::undo`].

use std::collections::BTreeSet;

use super::pattern::Pattern;
use super::undo::file::FileChange;
use crate::diagnostic::Code;
use crate::diagnostic::{Checked, Diagnostic, Place};
use crate::fs::copy::{copy, fingerprint};
use crate::fs::{Fingerprint, RetryDelays, Workspace, write};
use crate::ids::Digest;

/// Where kept bytes go, relative to the workspace: a directory for each response.
pub const UNDO_DIR: &str = "state/undo";

/// Where bytes stand while they are copied: the next run removes one that a killed process left.
pub const TEMPORARY: &str = "state/.record.tmp";

/// What stood there before an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// The files of the patterns that it may change, and those it names that were not there.
    pub files: Vec<FileChange>,
    /// The files that were there of the patterns that it may only make.
    pub present: Vec<String>,
    /// Directories of the patterns that were not there.
    pub missing_directories: Vec<String>,
}

/// Keeps the bytes of every file that an action may change, below `directory`.
pub fn keep(
    workspace: &Workspace,
    changes: &[Pattern],
    creates: &[Pattern],
    directory: &str,
    retry: &RetryDelays,
) -> Checked<Before> {
    retry
        .retry(|| write::make_directory(workspace, directory))
        .map_err(|error| Box::new(error.into_diagnostic()))?;
    let mut files = Vec::new();
    for (index, path) in listed(workspace, changes)?.into_iter().enumerate() {
        let backup = format!("{directory}/{index}");
        // Kept bytes can be read by whoever may read the file, and no one else.
        let before = copy(workspace, &path, &backup, TEMPORARY, None)?;
        files.push(FileChange {
            path,
            backup: before.map(|_| backup),
            before,
            after: None,
        });
    }
    Ok(Before {
        files,
        present: listed(workspace, creates)?.into_iter().collect(),
        missing_directories: missing_directories(workspace, changes.iter().chain(creates)),
    })
}

/// The fingerprints of the files that an action may change, without keeping them.
pub fn look(workspace: &Workspace, changes: &[Pattern], creates: &[Pattern]) -> Checked<Before> {
    let mut files = Vec::new();
    for path in listed(workspace, changes)? {
        files.push(FileChange {
            backup: None,
            before: fingerprint(workspace, &path)?,
            after: None,
            path,
        });
    }
    Ok(Before {
        files,
        present: listed(workspace, creates)?.into_iter().collect(),
        missing_directories: missing_directories(workspace, changes.iter().chain(creates)),
    })
}

/// What stands there now, beside what stood there before: every file of before, and every one that
/// is new.
pub fn after(
    workspace: &Workspace,
    changes: &[Pattern],
    creates: &[Pattern],
    before: &Before,
) -> Checked<Vec<FileChange>> {
    let mut paths: BTreeSet<String> = before.files.iter().map(|file| file.path.clone()).collect();
    paths.extend(listed(workspace, changes)?);
    let made = listed(workspace, creates)?;
    paths.extend(
        made.into_iter()
            .filter(|path| !before.present.contains(path)),
    );
    let known = |path: &String| before.files.iter().find(|file| file.path == *path);
    let mut files = Vec::new();
    for path in paths {
        let former = known(&path);
        files.push(FileChange {
            before: former.and_then(|file| file.before),
            backup: former.and_then(|file| file.backup.clone()),
            after: fingerprint(workspace, &path)?,
            path,
        });
    }
    Ok(files)
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
    let entries = match std::fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unlistable(pattern, &error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| unlistable(pattern, &error))?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if pattern.fits(&name) && entry.file_type().is_ok_and(|kind| !kind.is_dir()) {
            paths.push(pattern.path_of(&name));
        }
    }
    Ok(paths)
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

/// Directories of the patterns that are not there, the deepest first.
fn missing_directories<'a>(
    workspace: &Workspace,
    patterns: impl Iterator<Item = &'a Pattern>,
) -> Vec<String> {
    let mut missing = BTreeSet::new();
    for pattern in patterns {
        let mut directory = pattern.directory();
        while !directory.is_empty() && std::fs::symlink_metadata(workspace.path(directory)).is_err()
        {
            missing.insert(directory.to_owned());
            directory = directory.rsplit_once('/').map_or("", |(above, _)| above);
        }
    }
    // A directory sorts before what is in it.
    missing.into_iter().rev().collect()
}
