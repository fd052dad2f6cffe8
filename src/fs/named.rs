//! A new file that a person named on the command line, wherever it is: complete, or not there.
//!
//! It is written beside its place under another name and gets its own at the end. What stands there
//! already stays.

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::read::plain;
use crate::diagnostic::{Checked, Code, Diagnostic, Place};

/// A file that is being written.
#[derive(Debug)]
pub struct NamedOutput {
    file: BufWriter<tempfile::NamedTempFile>,
    path: PathBuf,
}

impl NamedOutput {
    /// Begins a file. Fails where something stands there already.
    pub fn create(path: &Path) -> Checked<Self> {
        if std::fs::symlink_metadata(path).is_ok() {
            let error = std::io::ErrorKind::AlreadyExists.into();
            return Err(failed(path, &error));
        }
        let directory = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or_else(|| Path::new("."));
        // For this user's eyes alone: what is exported may be private.
        let file = tempfile::NamedTempFile::new_in(directory);
        let file = file.map_err(|error| failed(path, &error))?;
        Ok(Self {
            file: BufWriter::new(file),
            path: path.to_owned(),
        })
    }

    /// Appends bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Checked<()> {
        self.file
            .write_all(bytes)
            .map_err(|error| failed(&self.path, &error))
    }

    /// Gives the file its name.
    pub fn finish(self) -> Checked<()> {
        let path = self.path;
        let file = self.file.into_inner();
        let file = file.map_err(|error| failed(&path, error.error()))?;
        let synced = file.as_file().sync_all();
        synced.map_err(|error| failed(&path, &error))?;
        let named = file.persist_noclobber(&path);
        named.map(drop).map_err(|error| failed(&path, &error.error))
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::WriteFailed,
            Place::file(path.display().to_string()),
            "the file can't be written",
        )
        .found(plain(error))
        .expected("a name that is free, in a directory that the user of this run may write to")
        .help("name another file"),
    )
}
