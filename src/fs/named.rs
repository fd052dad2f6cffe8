//! A file that a person named on the command line, wherever it is: complete, or not there.
//!
//! It is written beside its place under another name and gets its own at the end. What stands there
//! already stays, or with [`replace_named`] is replaced by the whole new file: whoever reads it
//! meanwhile sees the one or the other.

use std::fs::Permissions;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::PermissionsExt as _;
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
        let directory = directory_of(path);
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

fn directory_of(path: &Path) -> &Path {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or_else(|| Path::new("."))
}

/// Where [`replace_named`] would write. Fails where that is no place for a file: no directory to
/// stand in, or something there that is no regular file.
pub fn check_named(path: &Path) -> Checked<PathBuf> {
    let refused = |found: &str| {
        Box::new(
            Diagnostic::new(
                Code::ReportRefused,
                Place::file(path.display().to_string()),
                "no file can be written there",
            )
            .found(found)
            .expected("a file, or a free name in a directory that is there")
            .help("name another file; nothing was decided"),
        )
    };
    let name = path
        .file_name()
        .filter(|_| !path.as_os_str().as_encoded_bytes().ends_with(b"/"));
    let name = name.ok_or_else(|| refused("no name of a file"))?;
    let directory = directory_of(path).canonicalize();
    let directory = directory.map_err(|error| refused(&plain(&error)))?;
    if !directory.is_dir() {
        return Err(refused("a file where the directory should be"));
    }
    match std::fs::symlink_metadata(path) {
        Ok(status) if !status.is_file() => Err(refused("something that is no regular file")),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(refused(&plain(&error))),
        Ok(_) | Err(_) => Ok(directory.join(name)),
    }
}

/// Writes a file that everybody may read, in place of what stands there.
pub fn replace_named(path: &Path, bytes: &[u8]) -> Checked<()> {
    let write = || {
        let directory = directory_of(path);
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(bytes)?;
        file.as_file()
            .set_permissions(Permissions::from_mode(0o644))?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        std::fs::File::open(directory)?.sync_all()
    };
    write().map_err(|error| failed(path, &error))
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
