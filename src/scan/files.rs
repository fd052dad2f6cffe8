//! The files that are looked at: those of git's index, what is staged, or a whole tree.

use std::path::Path;

use git2::{Delta, ErrorCode, Index, Repository};

use super::Selection;
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::fs::read::{EntryKind, Opened};

/// A larger file is not looked at, which is told.
const FILE_LIMIT: u64 = 256 * 1024 * 1024;

/// More files, or deeper directories, are not looked at in a tree without git, which is told.
const FILES: u32 = 200_000;
const DEPTH: u32 = 64;

/// Is handed each file's name and bytes, or why it could not be read.
type Look<'l> = &'l mut dyn FnMut(&str, Checked<Vec<u8>>);

/// Hands every selected file to `look`.
pub(super) fn visit(
    workspace: &Workspace,
    selection: Selection<'_>,
    look: Look<'_>,
) -> Checked<()> {
    match tracked(workspace)? {
        Some(tracked) if selection.staged => tracked.staged(selection.paths, look),
        Some(tracked) => tracked.all(workspace, selection.paths, look),
        None if selection.staged => Err(no_repository()),
        None if selection.paths.is_empty() => Tree::new(workspace, look).walk(""),
        None => {
            let mut tree = Tree::new(workspace, look);
            selection.paths.iter().try_for_each(|path| tree.walk(path))
        }
    }
}

/// The repository around a workspace.
struct Tracked {
    repository: Repository,
    index: Index,
    /// The workspace within it, empty or ended by a slash.
    prefix: String,
}

fn tracked(workspace: &Workspace) -> Checked<Option<Tracked>> {
    let root = workspace.root().canonicalize();
    let root = root.unwrap_or_else(|_| workspace.root().to_owned());
    let repository = match Repository::discover(&root) {
        Ok(repository) => repository,
        Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(&error)),
    };
    let top = repository.workdir().and_then(|top| top.canonicalize().ok());
    let within = top.as_deref().and_then(|top| root.strip_prefix(top).ok());
    let Some(within) = within.map(Path::to_path_buf) else {
        return Ok(None);
    };
    let mut prefix = within.to_string_lossy().into_owned();
    if !prefix.is_empty() {
        prefix.push('/');
    }
    let index = repository.index().map_err(|error| unreadable(&error))?;
    Ok(Some(Tracked {
        repository,
        index,
        prefix,
    }))
}

/// Neither a symbolic link nor another repository.
fn is_file(mode: u32) -> bool {
    mode & 0o170_000 == 0o100_000
}

fn is_selected(name: &str, paths: &[String]) -> bool {
    let is_under = |path: &String| {
        let rest = name.strip_prefix(path.as_str());
        path == "." || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    paths.is_empty() || paths.iter().any(is_under)
}

impl Tracked {
    /// Every tracked file as it stands in the working tree, and what else was named.
    fn all(&self, workspace: &Workspace, paths: &[String], look: Look<'_>) -> Checked<()> {
        let mut met = vec![false; paths.len()];
        for entry in self.index.iter().filter(|entry| is_file(entry.mode)) {
            let path = String::from_utf8_lossy(&entry.path).into_owned();
            let Some(name) = path.strip_prefix(&self.prefix) else {
                continue;
            };
            if !is_selected(name, paths) {
                continue;
            }
            for (path, met) in paths.iter().zip(&mut met) {
                *met |= is_selected(name, std::slice::from_ref(path));
            }
            read(workspace, name, look);
        }
        let mut tree = Tree::new(workspace, look);
        let unmet = paths.iter().zip(met).filter(|(_, met)| !met);
        unmet
            .map(|(path, _)| path)
            .try_for_each(|path| tree.walk(path))
    }

    /// The content that is staged, of files that differ from the last commit.
    fn staged(&self, paths: &[String], look: Look<'_>) -> Checked<()> {
        let head = match self.repository.head().and_then(|head| head.peel_to_tree()) {
            Ok(tree) => Some(tree),
            // Before the first commit everything is new.
            Err(error) if error.code() == ErrorCode::UnbornBranch => None,
            Err(error) => return Err(unreadable(&error)),
        };
        let diff = self
            .repository
            .diff_tree_to_index(head.as_ref(), Some(&self.index), None)
            .map_err(|error| unreadable(&error))?;
        for delta in diff
            .deltas()
            .filter(|delta| delta.status() != Delta::Deleted)
        {
            let file = delta.new_file();
            let path = file.path().map(Path::to_string_lossy).unwrap_or_default();
            let name = path.strip_prefix(&self.prefix);
            let Some(name) = name.filter(|name| is_selected(name, paths)) else {
                continue;
            };
            if !is_file(file.mode().into()) {
                continue;
            }
            let blob = self.repository.find_blob(file.id());
            let bytes = blob.map(|blob| blob.content().to_vec());
            look(name, bytes.map_err(|error| unreadable(&error)));
        }
        Ok(())
    }
}

/// A walk through directories, within limits; symbolic links are not followed.
struct Tree<'t> {
    workspace: &'t Workspace,
    look: Look<'t>,
    files: u32,
}

impl<'t> Tree<'t> {
    fn new(workspace: &'t Workspace, look: Look<'t>) -> Self {
        Self {
            workspace,
            look,
            files: 0,
        }
    }

    /// A file, or all that is under a directory.
    fn walk(&mut self, path: &str) -> Checked<()> {
        let path = if path == "." { "" } else { path };
        match self.workspace.kind(path)? {
            Some(EntryKind::Directory) => self.directory(path, 0),
            Some(EntryKind::File) => {
                read(self.workspace, path, self.look);
                Ok(())
            }
            found => Err(Box::new(
                Diagnostic::new(
                    Code::FileUnreadable,
                    Place::file(path),
                    "there is no such file",
                )
                .found(match found {
                    None => "nothing",
                    Some(_) => "something that is neither file nor directory",
                })
                .expected("a file or a directory of the workspace")
                .help("name it relative to the workspace"),
            )),
        }
    }

    fn directory(&mut self, directory: &str, depth: u32) -> Checked<()> {
        let entries = self.workspace.entries(directory)?;
        for (name, kind) in entries {
            let path = match directory {
                "" => name.clone(),
                directory => format!("{directory}/{name}"),
            };
            match kind {
                EntryKind::Directory if name == ".git" => {}
                EntryKind::Directory if depth < DEPTH => self.directory(&path, depth + 1)?,
                EntryKind::File if self.files < FILES => {
                    self.files += 1;
                    read(self.workspace, &path, self.look);
                }
                EntryKind::Directory | EntryKind::File => return Err(too_much(&path)),
                EntryKind::Other => {}
            }
        }
        Ok(())
    }
}

/// Reads a file that may be gone by now.
fn read(workspace: &Workspace, name: &str, look: &mut dyn FnMut(&str, Checked<Vec<u8>>)) {
    match workspace.open_plain(name) {
        Ok(Opened::File(file)) => look(name, file.read_whole(FILE_LIMIT)),
        Ok(Opened::Absent) => {}
        Err(problem) => look(name, Err(problem)),
    }
}

fn too_much(path: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::ScanIncomplete,
            Place::file(path),
            "there are more files than are looked at",
        )
        .found(format!(
            "more than {FILES} files, or more than {DEPTH} directories in each other"
        ))
        .expected("a workspace, or the paths of it that matter")
        .help("name files or directories, or make the workspace a git repository"),
    )
}

fn no_repository() -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::GitUnreadable,
            Place::file(".git"),
            "nothing is staged where there is no git repository",
        )
        .found("no repository around the workspace")
        .expected("a git repository with a working tree")
        .help("leave out `--staged`"),
    )
}

fn unreadable(error: &git2::Error) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::GitUnreadable,
            Place::file(".git"),
            "the git repository can't be read",
        )
        .found(error.message())
        .expected("a repository that git can read")
        .help("look at it with `git fsck`"),
    )
}
