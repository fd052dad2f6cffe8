//! The fix branch: diagnostics of a failed run, committed where an operator finds them.
//!
//! A commit is written and a branch is made to point at it through libgit2; HEAD, the index and the
//! working tree are not touched, and no git program is needed (rows S4-043 to S4-046, D-18). There
//! is never a second branch for one ongoing failure: the commit names the failure's digest.

use std::path::Path;

use git2::{ErrorCode, FileMode, Oid, Repository, Signature, Time, build::TreeUpdateBuilder};

use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::ids::Digest;
use crate::time::Timestamp;

/// The beginning of a fix branch's name, before the time.
pub const PREFIX: &str = "fix/policy-orchestrator-";

/// The same for responses.
pub const RESPONSE_PREFIX: &str = "fix/policy-response-";

/// What the commit's message says before the digest of the failure.
const TRAILER: &str = "Failure-Digest: ";

/// A file of the commit, relative to the workspace.
#[derive(Debug, Clone)]
pub struct CommittedFile {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The git repository around a workspace, if there is one.
pub struct FixBranches {
    repository: Repository,
    /// The workspace within the repository, empty or ended by a slash.
    prefix: String,
    /// The beginning of the names of its branches.
    names: &'static str,
}

impl FixBranches {
    /// Looks for the repository that the workspace lies in; `Ok(None)` where there is none.
    pub fn open(workspace: &Workspace) -> Checked<Option<Self>> {
        Self::open_for(workspace, PREFIX)
    }

    /// As [`FixBranches::open`], for branches whose names begin otherwise.
    pub fn open_for(workspace: &Workspace, names: &'static str) -> Checked<Option<Self>> {
        let root = workspace
            .root()
            .canonicalize()
            .unwrap_or_else(|_| workspace.root().to_owned());
        let repository = match Repository::discover(&root) {
            Ok(repository) => repository,
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
            Err(error) => return Err(failed(&error)),
        };
        let prefix = match repository.workdir().and_then(|top| top.canonicalize().ok()) {
            Some(top) => prefix_in(&root, &top),
            None => return Ok(None),
        };
        Ok(Some(Self {
            repository,
            prefix,
            names,
        }))
    }

    /// The branch of this ongoing failure, where a run made one at or after `last_success`.
    pub fn of_failure(&self, failure: &Digest, last_success: Option<Timestamp>) -> Option<String> {
        let references = self
            .repository
            .references_glob(&format!("refs/heads/{}*", self.names))
            .ok()?;
        let wanted = format!("{TRAILER}{failure}");
        let is_of_failure = |reference: &git2::Reference<'_>| {
            let commit = reference.peel_to_commit().ok()?;
            let recent =
                last_success.is_none_or(|last| commit.time().seconds() >= last.unix_seconds());
            let named = commit
                .message()
                .is_ok_and(|message| message.lines().any(|line| line == wanted));
            (recent && named).then(|| reference.shorthand().ok().map(str::to_owned))?
        };
        references
            .filter_map(Result::ok)
            .find_map(|reference| is_of_failure(&reference))
    }

    /// The names of all fix branches, sorted: local ones, and those of remotes (with the remote's
    /// name in front) that are not here as well. A checkout may have only those.
    pub fn names(&self) -> Checked<Vec<String>> {
        let mut names = self
            .under("refs/heads/")
            .map_err(|error| unlisted(&error))?;
        let remote = self
            .under("refs/remotes/*/")
            .map_err(|error| unlisted(&error))?;
        let is_here = |name: &str| {
            let mut bare = [PREFIX, RESPONSE_PREFIX]
                .into_iter()
                .filter_map(|prefix| name.find(prefix).and_then(|begin| name.get(begin..)));
            bare.any(|bare| names.iter().any(|local| local == bare))
        };
        let elsewhere: Vec<String> = remote.into_iter().filter(|name| !is_here(name)).collect();
        names.extend(elsewhere);
        names.sort();
        Ok(names)
    }

    fn under(&self, place: &str) -> Result<Vec<String>, git2::Error> {
        let mut names = Vec::new();
        for prefix in [PREFIX, RESPONSE_PREFIX] {
            for reference in self
                .repository
                .references_glob(&format!("{place}{prefix}*"))?
            {
                names.push(reference?.shorthand()?.to_owned());
            }
        }
        Ok(names)
    }

    /// A name for a new branch: the time of the run, or the next second that is free.
    pub fn free_name(&self, at: Timestamp) -> String {
        let name = |seconds| format!("{}{}", self.names, at.plus_seconds(seconds).compact());
        (0..3600)
            .map(name)
            .find(|name| self.is_free(name))
            .unwrap_or_else(|| name(0))
    }

    /// True where a branch of that name can be made: there is none, and no lock that a killed run
    /// left on it.
    pub fn is_free(&self, name: &str) -> bool {
        let lock = self
            .repository
            .commondir()
            .join(format!("refs/heads/{name}.lock"));
        !self.exists(name) && std::fs::symlink_metadata(lock).is_err()
    }

    /// True where there is a branch of that name.
    pub fn exists(&self, name: &str) -> bool {
        self.repository
            .find_reference(&format!("refs/heads/{name}"))
            .is_ok()
    }

    /// Commits `files` on top of HEAD and makes the branch `name` point at the commit.
    pub fn create(
        &self,
        name: &str,
        at: Timestamp,
        failure: &Digest,
        files: &[CommittedFile],
    ) -> Checked<()> {
        let head = self.head();
        head.and_then(|head| self.commit(name, head.as_ref(), false, at, failure, files))
            .map_err(|error| failed(&error))
    }

    /// Commits `files` on top of the branch `name`.
    pub fn extend(
        &self,
        name: &str,
        at: Timestamp,
        failure: &Digest,
        files: &[CommittedFile],
    ) -> Checked<()> {
        let tip = self
            .repository
            .find_reference(&format!("refs/heads/{name}"))
            .and_then(|branch| branch.peel_to_commit());
        tip.and_then(|tip| self.commit(name, Some(&tip), true, at, failure, files))
            .map_err(|error| failed(&error))
    }

    fn head(&self) -> Result<Option<git2::Commit<'_>>, git2::Error> {
        match self.repository.head() {
            Ok(head) => head.peel_to_commit().map(Some),
            Err(error) if matches!(error.code(), ErrorCode::UnbornBranch | ErrorCode::NotFound) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn commit(
        &self,
        name: &str,
        parent: Option<&git2::Commit<'_>>,
        extends: bool,
        at: Timestamp,
        failure: &Digest,
        files: &[CommittedFile],
    ) -> Result<(), git2::Error> {
        let base = match parent {
            Some(commit) => commit.tree()?,
            None => self
                .repository
                .find_tree(self.repository.treebuilder(None)?.write()?)?,
        };
        let mut update = TreeUpdateBuilder::new();
        for file in files {
            let blob: Oid = self.repository.blob(&file.bytes)?;
            update.upsert(
                format!("{}{}", self.prefix, file.name),
                blob,
                FileMode::Blob,
            );
        }
        let tree = self
            .repository
            .find_tree(update.create_updated(&self.repository, &base)?)?;
        let author = self.author(at)?;
        let message = format!(
            "policy-orchestrator: diagnostics of a failed run\n\nNothing here needs to be merged.\n\n{TRAILER}{failure}\n"
        );
        let parents: Vec<&git2::Commit<'_>> = parent.into_iter().collect();
        let commit = self
            .repository
            .commit(None, &author, &author, &message, &tree, &parents)?;
        self.repository.reference(
            &format!("refs/heads/{name}"),
            commit,
            extends,
            "policy-orchestrator: diagnostics of a failed run",
        )?;
        Ok(())
    }

    fn author(&self, at: Timestamp) -> Result<Signature<'static>, git2::Error> {
        let time = Time::new(at.unix_seconds(), 0);
        let configured = self.repository.config().ok();
        let text = |key: &str| {
            configured
                .as_ref()
                .and_then(|config| config.get_string(key).ok())
                .filter(|text| !text.trim().is_empty())
        };
        let name = text("user.name").unwrap_or_else(|| "policy-orchestrator".to_owned());
        let email =
            text("user.email").unwrap_or_else(|| "policy-orchestrator@localhost".to_owned());
        Signature::new(&name, &email, &time)
    }
}

fn prefix_in(root: &Path, top: &Path) -> String {
    match root.strip_prefix(top) {
        Ok(below) if !below.as_os_str().is_empty() => format!("{}/", below.display()),
        _ => String::new(),
    }
}

fn unlisted(error: &git2::Error) -> Box<Diagnostic> {
    let finding = Diagnostic::new(
        Code::ConditionUnknown,
        Place::file(".git"),
        "the fix branches can't be listed",
    )
    .found(error.message())
    .expected("a git repository that the user of this run may read")
    .help("check the repository with `git fsck` and its owner with `git status`");
    Box::new(finding)
}

fn failed(error: &git2::Error) -> Box<Diagnostic> {
    let finding = Diagnostic::new(Code::FixBranchFailed, Place::file(".git"), "the fix branch could not be made")
        .found(error.message())
        .expected("a git repository that the user of this run may write")
        .help("the diagnostics are in `reports/` instead; check the repository with `git fsck` and its owner with `git status`");
    Box::new(finding)
}
