//! The undo file: what an action changed, and where the bytes of before are.
//!
//! `state/policy_response_undo_<response_id>_<action>.json`. The first members are those of the
//! predecessor's file (row OR-07). It is written before the action starts, and completed when it has
//! ended; what it says is held against the journal of responses before anything is restored.

use serde::{Deserialize, Serialize};

use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::read::read_own;
use crate::fs::{Fingerprint, RetryDelays, Workspace, write};
use crate::ids::Digest;
use crate::response::touched::{self, Before};
use crate::time::Timestamp;

/// The beginning of an undo file's name.
pub const PREFIX: &str = "policy_response_undo_";

/// Where undo files are.
const DIRECTORY: &str = "state";

/// A larger undo file is none of ours.
const LIMIT: u64 = 64 * 1024 * 1024;

/// A file that an action may have changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// Relative to the workspace.
    pub path: String,
    /// What stood there before; absent where nothing did.
    pub before: Option<Fingerprint>,
    /// What stood there after; absent where nothing did, or the outcome is not known yet.
    pub after: Option<Fingerprint>,
    /// Where the bytes of before are kept, relative to the workspace.
    pub backup: Option<String>,
    /// The numbers of the user and the group that it belonged to before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<[u32; 2]>,
    /// True where something that is no plain file stood there after.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub odd: bool,
}

impl FileChange {
    /// A file of which nothing is known yet.
    pub fn new(path: String) -> Self {
        Self {
            path,
            before: None,
            after: None,
            backup: None,
            owner: None,
            odd: false,
        }
    }
}

/// What is known of the end of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was started, and nothing more is recorded.
    Pending,
    /// It ended, and `after` is what it left.
    Known,
    /// It was cut off; `after` is what was found when somebody next looked.
    Unknown,
}

/// An undo file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoFile {
    /// The response, a UUID.
    pub response_id: String,
    /// The action.
    pub action: String,
    /// When it was started.
    pub executed_at: Timestamp,
    /// How to take it back by hand.
    pub undo_instruction: String,
    /// The version of this shape.
    pub schema: u32,
    /// Its place among the actions of the response, from 0.
    pub index: usize,
    /// The response that this one undoes, where it is an undo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_of: Option<String>,
    /// What is known of its end.
    pub outcome: Outcome,
    /// Where the bytes of before are kept.
    pub backup_path: String,
    /// The digest of what stood there before.
    pub backup_sha256: Digest,
    /// The digest of what stood there after.
    pub post_sha256: Option<Digest>,
    /// The files.
    pub files: Vec<FileChange>,
    /// Files of the patterns that it may only make which were there before.
    #[serde(default)]
    pub present: Vec<String>,
    /// Directories that were not there before, the deepest first.
    #[serde(default)]
    pub missing_directories: Vec<String>,
    /// The patterns of the files that it may change.
    pub changes: Vec<String>,
    /// The patterns of the files that it may make.
    #[serde(default)]
    pub creates: Vec<String>,
}

impl UndoFile {
    /// What stood there before, as it was looked at.
    pub fn as_before(&self) -> Before {
        Before {
            files: self.files.clone(),
            present: self.present.clone(),
            missing_directories: self.missing_directories.clone(),
            stamps: Vec::new(),
        }
    }

    /// Takes what was found after the action.
    pub fn conclude(&mut self, files: Vec<FileChange>, outcome: Outcome) {
        self.post_sha256 = Some(touched::digest_after(&files));
        self.files = files;
        self.outcome = outcome;
    }

    /// The digest of what was known before the action: what was kept and where, and which files it
    /// may touch. It is in the journal, so that an undo is led by nothing else.
    pub fn kept_digest(&self) -> Digest {
        let mut kept: Vec<_> = self
            .files
            .iter()
            .filter(|file| file.before.is_some())
            .map(|file| (&file.path, &file.before, &file.backup, &file.owner))
            .collect();
        kept.sort_by_key(|(path, ..)| *path);
        let known = (
            &self.executed_at,
            &self.index,
            &self.undo_of,
            &self.present,
            &self.missing_directories,
            &self.changes,
            &self.creates,
            kept,
        );
        Digest::of(&serde_json::to_vec(&known).unwrap_or_default())
    }

    /// The name of its file.
    pub fn name(&self) -> String {
        name(&self.response_id, &self.action)
    }

    /// True where its names can't lead anywhere else.
    fn is_well_named(&self) -> bool {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        is_id(&self.response_id) && self.action.bytes().all(plain)
    }

    /// Writes it.
    pub fn store(&self, workspace: &Workspace, retry: &RetryDelays) -> Checked<()> {
        let bytes = crate::fs::pretty(self);
        retry
            .retry(|| write::replace_rarely(workspace, &self.name(), &bytes))
            .map_err(Into::into)
    }
}

/// True for what can be the id of a response: a UUID in lower case (RFC 9562).
pub fn is_id(text: &str) -> bool {
    uuid::Uuid::parse_str(text).is_ok_and(|id| id.to_string() == text)
}

/// The undo file of an action, relative to the workspace.
pub fn name(response_id: &str, action: &str) -> String {
    format!("{DIRECTORY}/{PREFIX}{response_id}_{action}.json")
}

/// Reads an undo file; `None` where there is none.
pub fn load(workspace: &Workspace, name: &str) -> Checked<Option<UndoFile>> {
    let Some(bytes) = read_own(workspace, name, LIMIT)? else {
        return Ok(None);
    };
    let parsed: Result<UndoFile, _> = serde_json::from_slice(&bytes);
    match parsed {
        Ok(file) if file.schema == 1 && file.name() == name && file.is_well_named() => {
            Ok(Some(file))
        }
        Ok(_) => Err(unusable(
            name,
            "a file of another version, or under another name",
        )),
        Err(error) => Err(unusable(name, &error.to_string())),
    }
}

fn unusable(name: &str, found: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::UndoFileBroken,
            Place::file(name),
            "the undo file can't be used",
        )
        .found(found)
        .expected("the file that the apply wrote")
        .help("restore it from where it is kept; nothing was changed"),
    )
}

/// The names of all undo files, or of those of one response.
pub fn names(workspace: &Workspace, response_id: Option<&str>) -> Vec<String> {
    let prefix = match response_id {
        Some(id) => format!("{PREFIX}{id}_"),
        None => PREFIX.to_owned(),
    };
    let Ok(entries) = std::fs::read_dir(workspace.path(DIRECTORY)) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with(&prefix) && name.strip_suffix(".json").is_some())
        .map(|name| format!("{DIRECTORY}/{name}"))
        .collect();
    names.sort();
    names
}
