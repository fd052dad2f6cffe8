//! The files of a workspace: the only place that opens, reads, writes, locks and removes them.
//!
//! [`Workspace`] names the directory and opens inputs without following links out of it;
//! [`reverse`] reads lines from the end of a file; [`mod@write`] replaces and appends durably;
//! [`copy`] keeps whole files and puts them back, [`pack`] packs them; [`named`] makes files that a
//! person names; [`tree`] says exactly what stands where, and [`glob`] matches paths;
//! [`lock`] has the workspace lock, as a type that
//! every writer asks for, and the lock of applies; [`side_lock`] are locks that nobody waits for.
//! What the bytes mean is no business of this room.

pub mod copy;
mod directory;
pub mod glob;
pub mod lock;
pub mod named;
pub mod pack;
pub mod read;
pub mod reverse;
pub mod side_lock;
pub mod tree;
pub mod write;

pub use copy::Fingerprint;
pub use lock::{ApplyLock, LockTimeout, WorkspaceLock};
pub use read::{InputFile, Opened};
pub use write::{RetryDelays, WriteError};

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Checked, Code, Diagnostic, Place};

/// The form of the small JSON files that the product writes: indented by two blanks, ended by a
/// newline.
pub fn pretty<T: serde::Serialize>(value: &T) -> Vec<u8> {
    // Serialising to memory fails for maps with keys that are no text alone; there are none.
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// The directory that holds the files of CONTRACT.md.
#[derive(Debug, Clone)]
pub struct Workspace {
    root: PathBuf,
    /// Directories that were seen to be no links. A command lives for milliseconds; asking once is
    /// enough.
    plain_directories: RefCell<Vec<String>>,
    /// Directories that were seen not to be there, until this program makes one.
    absent_directories: RefCell<Vec<String>>,
}

impl Workspace {
    /// Takes a directory that exists.
    pub fn open(root: &Path) -> Checked<Self> {
        if root.is_dir() {
            let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
            return Ok(Self {
                root,
                plain_directories: RefCell::default(),
                absent_directories: RefCell::default(),
            });
        }
        let found = match std::fs::metadata(root) {
            Ok(_) => "something that is no directory".to_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "nothing".to_owned(),
            Err(error) => read::plain(&error),
        };
        Err(Box::new(
            Diagnostic::new(
                Code::WorkspaceAbsent,
                Place::file(root.display().to_string()),
                "the workspace is no directory",
            )
            .found(found)
            .expected("a directory, usually the root of a git repository")
            .help("name it with `--workspace DIR` or POLICY_WORKSPACE"),
        ))
    }

    /// The directory itself, as an absolute path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The path of a file that is named relative to the workspace.
    pub fn path(&self, file: &str) -> PathBuf {
        self.root.join(file)
    }
}
