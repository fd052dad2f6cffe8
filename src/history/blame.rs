//! Who changed the files of signals last before a decision, as git tells it.
//!
//! A decision names what it read, git who committed it and when. What was never committed has nobody
//! here, and a name in a commit is what its author wrote there: nothing is judged, and nobody accused.

use std::path::Path;

use git2::{Commit, Oid, Repository, Sort};
use serde::Serialize;

use crate::diagnostic::{Checked, Code, Diagnostic, Place, readable};
use crate::fs::Workspace;
use crate::ids::SignalName;
use crate::time::Timestamp;

/// So many commits are looked at, the newest first.
const MOST: usize = 20_000;

/// No author's name and no subject is shown longer, in characters.
const LONGEST: usize = 120;

/// The file of a signal, and who changed it last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Blamed {
    /// The signal.
    pub signal: SignalName,
    /// One of its files, relative to the workspace.
    pub file: String,
    /// What git knows of it.
    #[serde(flatten)]
    pub last: Last,
}

/// The last change of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "known", rename_all = "snake_case")]
pub enum Last {
    /// This commit made, changed or removed it.
    Commit(Change),
    /// No commit up to then holds it.
    NotInGit,
    /// It was changed before the commits that were looked at, or before a shallow clone begins.
    FurtherBack,
}

/// A commit that changed a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Its name, 40 digits.
    pub commit: String,
    /// Who wrote it, as it says.
    pub author: String,
    /// When it was committed.
    pub at: Timestamp,
    /// The first line of its message.
    pub subject: String,
}

/// Looks for the last change of each file up to `until`, from the commit that is checked out. Fails
/// where there is no repository with a commit around the workspace, or it can't be read.
pub fn blame(
    workspace: &Workspace,
    files: Vec<(SignalName, String)>,
    until: Timestamp,
) -> Checked<Vec<Blamed>> {
    let found = Repository::discover(workspace.root())
        .and_then(|repository| walk(&repository, workspace, &files, until));
    let last = found.map_err(|error| no_history(workspace, &error))?;
    let blamed = files.into_iter().zip(last);
    Ok(blamed
        .map(|((signal, file), last)| Blamed { signal, file, last })
        .collect())
}

fn walk(
    repository: &Repository,
    workspace: &Workspace,
    files: &[(SignalName, String)],
    until: Timestamp,
) -> Result<Vec<Last>, git2::Error> {
    let prefix = prefix(repository, workspace)?;
    let paths: Vec<String> = files
        .iter()
        .map(|(_, file)| format!("{prefix}{file}"))
        .collect();
    let mut last: Vec<Option<Last>> = vec![None; paths.len()];
    let mut walk = repository.revwalk()?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME)?;
    walk.push_head()?;
    let mut reached_beginning = true;
    for (looked_at, id) in walk.enumerate() {
        if last.iter().all(Option::is_some) {
            break;
        }
        if looked_at == MOST {
            reached_beginning = false;
            break;
        }
        let commit = repository.find_commit(id?)?;
        let at = Timestamp::from_unix_seconds(commit.time().seconds());
        let Some(at) = at.filter(|at| *at <= until) else {
            continue;
        };
        for (path, last) in paths.iter().zip(&mut last) {
            if last.is_none() && changes(&commit, path) {
                *last = Some(Last::Commit(change(&commit, at)));
            }
        }
    }
    let rest = if reached_beginning && !repository.is_shallow() {
        Last::NotInGit
    } else {
        Last::FurtherBack
    };
    Ok(last
        .into_iter()
        .map(|last| last.unwrap_or_else(|| rest.clone()))
        .collect())
}

/// The workspace within the repository, empty or ended by a slash.
fn prefix(repository: &Repository, workspace: &Workspace) -> Result<String, git2::Error> {
    let outside = || git2::Error::from_str("the workspace lies outside of its work tree");
    let top = repository.workdir().ok_or_else(outside)?;
    let canonical = |path: &Path| path.canonicalize().map_err(|_| outside());
    let (root, top) = (canonical(workspace.root())?, canonical(top)?);
    let below = root.strip_prefix(top).map_err(|_| outside())?;
    Ok(match below.to_str() {
        Some("") => String::new(),
        Some(below) => format!("{below}/"),
        None => return Err(outside()),
    })
}

/// True where the file is another than in each of the commit's parents; a merge that took it over as
/// it was changes nothing.
fn changes(commit: &Commit<'_>, path: &str) -> bool {
    let here = entry(commit, path);
    if commit.parent_count() == 0 {
        return here.is_some();
    }
    commit.parents().all(|parent| entry(&parent, path) != here)
}

fn entry(commit: &Commit<'_>, path: &str) -> Option<Oid> {
    let tree = commit.tree().ok()?;
    tree.get_path(Path::new(path)).ok().map(|entry| entry.id())
}

fn change(commit: &Commit<'_>, at: Timestamp) -> Change {
    let author = commit.author();
    Change {
        commit: commit.id().to_string(),
        author: shortened(&String::from_utf8_lossy(author.name_bytes())),
        at,
        subject: shortened(&String::from_utf8_lossy(
            commit.summary_bytes().unwrap_or_default(),
        )),
    }
}

/// Anybody can write anything into a commit: one line of it, without what a terminal obeys.
fn shortened(text: &str) -> String {
    readable(text.lines().next().unwrap_or_default(), LONGEST)
}

fn no_history(workspace: &Workspace, error: &git2::Error) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::GitUnreadable,
            Place::file(workspace.root().display().to_string()),
            "git can't tell who changed the files of the signals",
        )
        .found(error.message())
        .expected("a git repository with a commit around the workspace")
        .help("leave --blame out, or commit the signals"),
    )
}
