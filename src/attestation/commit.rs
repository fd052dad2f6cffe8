//! Whether the git commit that is checked out holds the very bytes that a decision read.
//!
//! A decision names no commit: files may be generated, or changed and not committed. So a commit is
//! a subject of a statement only where every file that was read has, in that commit, the SHA-256
//! that the state file tells of it, or where whoever signs says so.

use std::collections::BTreeMap;
use std::path::Path;

use git2::Repository;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::fs::Workspace;
use crate::ids::Digest;

/// The commit that HEAD names.
pub struct Checkout {
    repository: Repository,
    /// The workspace within the repository, empty or ended by a slash.
    prefix: String,
}

/// The members of the state file that name files.
#[derive(Deserialize)]
struct RawState {
    readings: BTreeMap<String, RawReading>,
}

#[derive(Deserialize)]
struct RawReading {
    #[serde(flatten)]
    source: RawSource,
    #[serde(default)]
    also: Vec<RawSource>,
}

#[derive(Deserialize)]
struct RawSource {
    #[serde(default)]
    file: Option<String>,
    #[serde(default)]
    sha256: Option<Digest>,
    /// Where the hashed part of a long file begins.
    #[serde(default)]
    from: Option<u64>,
}

impl Checkout {
    /// The repository around a workspace; `None` where there is none with a commit.
    pub fn of(workspace: &Workspace) -> Option<Self> {
        let root = workspace.root().canonicalize().ok()?;
        let repository = Repository::discover(&root).ok()?;
        let top = repository.workdir()?.canonicalize().ok()?;
        let below = root.strip_prefix(top).ok()?.to_str()?.to_owned();
        let prefix = if below.is_empty() {
            below
        } else {
            format!("{below}/")
        };
        repository.head().ok()?.peel_to_commit().ok()?;
        Some(Self { repository, prefix })
    }

    /// The commit's name, in hexadecimal digits.
    pub fn name(&self) -> Option<String> {
        let commit = self.repository.head().ok()?.peel_to_commit().ok()?;
        Some(commit.id().to_string())
    }

    /// True where the commit holds every file that the state file names, and it names one.
    pub fn holds(&self, state: &RawValue) -> bool {
        let Ok(state) = serde_json::from_str::<RawState>(state.get()) else {
            return false;
        };
        let mut named = 0;
        for reading in state.readings.into_values() {
            for source in std::iter::once(reading.source).chain(reading.also) {
                let RawSource { file, sha256, from } = source;
                match (file, sha256) {
                    (None, _) => {}
                    (Some(file), Some(sha256)) if self.has(&file, sha256, from) => named += 1,
                    (Some(_), _) => return false,
                }
            }
        }
        named > 0
    }

    fn has(&self, file: &str, sha256: Digest, from: Option<u64>) -> bool {
        let path = format!("{}{file}", self.prefix);
        let read = || {
            let tree = self.repository.head()?.peel_to_tree()?;
            let entry = tree.get_path(Path::new(&path))?;
            self.repository.find_blob(entry.id())
        };
        let begin = usize::try_from(from.unwrap_or(0)).unwrap_or(usize::MAX);
        read().is_ok_and(|blob| {
            let hashed = blob.content().get(begin..);
            hashed.is_some_and(|bytes| Digest::of(bytes) == sha256)
        })
    }
}
