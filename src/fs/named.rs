//! Files that a person names, wherever they are: complete, or not there; never through a link.
//!
//! One is written beside its place under another name and gets its own at the end. What stands there
//! already stays, or with [`replace_named`] is replaced by the whole new file: whoever reads it
//! meanwhile sees the one or the other.

#![expect(
    clippy::disallowed_methods,
    reason = "a part of the room that owns raw writes: what has lost its counterpart is removed"
)]

use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::read::plain;
use crate::diagnostic::{Checked, Code, Diagnostic, Place};

/// Who may read a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Its owner.
    Owner,
    /// Everybody.
    Everybody,
}

impl Readers {
    fn permissions(self) -> Permissions {
        Permissions::from_mode(match self {
            Self::Owner => 0o600,
            Self::Everybody => 0o644,
        })
    }
}

/// A file that is being written.
#[derive(Debug)]
pub struct NamedOutput {
    file: BufWriter<NamedTempFile>,
    path: PathBuf,
}

impl NamedOutput {
    /// Begins a new file. Fails where something stands there already.
    pub fn create(path: &Path, readers: Readers) -> Checked<Self> {
        if std::fs::symlink_metadata(path).is_ok() {
            return Err(failed(path, &io::ErrorKind::AlreadyExists.into()));
        }
        Self::begin(path, readers).map_err(|error| failed(path, &error))
    }

    fn begin(path: &Path, readers: Readers) -> io::Result<Self> {
        let file = NamedTempFile::new_in(directory_of(path))?;
        file.as_file().set_permissions(readers.permissions())?;
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

    /// Gives the file its name, where nothing has it yet, and confirms it on the disk.
    pub fn finish(self) -> Checked<()> {
        self.end(|file, path| file.persist_noclobber(path))
    }

    /// Gives the file its name, also where another file has it.
    fn replace(self) -> Checked<()> {
        self.end(|file, path| file.persist(path))
    }

    fn end(
        self,
        name: impl FnOnce(NamedTempFile, &Path) -> Result<File, tempfile::PersistError>,
    ) -> Checked<()> {
        let path = self.path;
        let file = self.file.into_inner();
        let ended = file
            .map_err(io::IntoInnerError::into_error)
            .and_then(|file| {
                file.as_file().sync_all()?;
                name(file, &path).map_err(|error| error.error)?;
                File::open(directory_of(&path))?.sync_all()
            });
        ended.map_err(|error| failed(&path, &error))
    }
}

/// Makes a new file. Fails where anything stands there.
pub fn create(path: &Path, bytes: &[u8], readers: Readers) -> Checked<()> {
    let mut output = NamedOutput::create(path, readers)?;
    output.write(bytes)?;
    output.finish()
}

/// Removes a file that this command made, since what belongs beside it could not be made.
pub fn take_back(path: &Path) {
    let _ = std::fs::remove_file(path);
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
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(refused(&plain(&error))),
        Ok(_) | Err(_) => Ok(directory.join(name)),
    }
}

/// Writes a file that everybody may read, in place of what stands there.
pub fn replace_named(path: &Path, bytes: &[u8]) -> Checked<()> {
    let begun = NamedOutput::begin(path, Readers::Everybody);
    let mut output = begun.map_err(|error| failed(path, &error))?;
    output.write(bytes)?;
    output.replace()
}

fn failed(path: &Path, error: &io::Error) -> Box<Diagnostic> {
    let place = Place::file(path.display().to_string());
    let finding = if error.kind() == io::ErrorKind::AlreadyExists {
        Diagnostic::new(
            Code::WriteFailed,
            place,
            "something stands there already, and nothing is overwritten",
        )
        .found("a file, a directory or a link")
        .expected("a path where nothing is")
        .help("name another path, or move what is there away")
    } else {
        Diagnostic::new(Code::WriteFailed, place, "the file can't be written")
            .found(plain(error))
            .expected("a directory that the user of this run may write, and space on the disk")
            .help("check the path and its permissions")
    };
    Box::new(finding)
}
