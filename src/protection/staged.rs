//! What is staged for a commit: the index of the git repository against HEAD.

use std::path::{Path, PathBuf};

use git2::{Delta, FileMode, Repository};

use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::ids::Digest;

/// A file that a commit would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// Where, relative to the workspace.
    pub path: String,
    /// The SHA-256 of its bytes as they are staged; `None` for one that would go, and for what is no
    /// file (a link, another repository), which nobody accepted.
    pub sha256: Option<Digest>,
    /// How large it is.
    pub size: u64,
}

/// The files of the workspace that are staged: in `index`, as git names it to a hook, else in the
/// repository's own.
pub fn staged(workspace: &Workspace, index: Option<&Path>) -> Checked<Vec<Staged>> {
    read(workspace, index).map_err(|error| unreadable(&error))
}

/// Where the repository's hooks are.
pub fn hooks_directory(workspace: &Workspace) -> Checked<PathBuf> {
    let find = || {
        let repository = Repository::discover(workspace.root())?;
        let named = repository.config()?.get_path("core.hooksPath");
        Ok(match (named, repository.workdir()) {
            (Ok(named), Some(top)) => top.join(named),
            _ => repository.commondir().join("hooks"),
        })
    };
    find().map_err(|error| unreadable(&error))
}

fn unreadable(error: &git2::Error) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::GitUnreadable,
            Place::file(".git"),
            "the git repository of the workspace can't be read",
        )
        .found(error.message())
        .expected("a git repository around the workspace")
        .help("run it inside the repository, as a hook does"),
    )
}

fn read(workspace: &Workspace, index: Option<&Path>) -> Result<Vec<Staged>, git2::Error> {
    let repository = Repository::discover(workspace.root())?;
    let top = repository.workdir().unwrap_or(workspace.root());
    let index = match index {
        Some(index) => git2::Index::open(&top.join(index))?,
        None => repository.index()?,
    };
    let head = match repository.head() {
        Ok(head) => Some(head.peel_to_tree()?),
        Err(_) => None,
    };
    let diff = repository.diff_tree_to_index(head.as_ref(), Some(&index), None)?;
    let mut staged = Vec::new();
    for delta in diff.deltas() {
        let file = delta.new_file();
        let named = file.path().or_else(|| delta.old_file().path());
        let Some(path) = named.and_then(|path| within(workspace, &repository, path)) else {
            continue;
        };
        let is_file = matches!(file.mode(), FileMode::Blob | FileMode::BlobExecutable);
        let (sha256, size) = if delta.status() == Delta::Deleted {
            (None, 0)
        } else if is_file {
            let blob = repository.find_blob(file.id())?;
            (Some(Digest::of(blob.content())), blob.size() as u64)
        } else {
            // No bytes that could have been accepted, and no file that is gone either.
            (Some(Digest::of(b"something that is no file")), 0)
        };
        staged.push(Staged { path, sha256, size });
    }
    Ok(staged)
}

/// A path of the repository as one of the workspace; `None` where it lies outside.
fn within(workspace: &Workspace, repository: &Repository, path: &Path) -> Option<String> {
    let top = std::fs::canonicalize(repository.workdir()?).ok()?;
    let root = std::fs::canonicalize(workspace.root()).ok()?;
    let path = top.join(path);
    let path = path.strip_prefix(root).ok()?;
    Some(path.to_string_lossy().into_owned())
}
