//! New files that a person names, wherever they are: never over another, never through a link.

#![expect(
    clippy::disallowed_methods,
    reason = "a part of the room that owns raw writes: what could not be finished is removed"
)]

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::read::plain;
use crate::diagnostic::{Checked, Code, Diagnostic, Place};

/// Who may read a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Its owner.
    Owner,
    /// Whoever the umask lets.
    Everybody,
}

/// Makes the file and confirms it on the disk. Fails where anything stands there; a file that could
/// not be finished is removed again.
pub fn create(path: &Path, bytes: &[u8], readers: Readers) -> Checked<()> {
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::Everybody => 0o644,
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    let mut file = options.open(path).map_err(|error| refused(path, &error))?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.and_then(|()| sync_parent(path)).map_err(|error| {
        let _ = std::fs::remove_file(path);
        refused(path, &error)
    })
}

/// Removes a file that this command made, since what belongs beside it could not be made.
pub fn take_back(path: &Path) {
    let _ = std::fs::remove_file(path);
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

fn refused(path: &Path, error: &io::Error) -> Box<Diagnostic> {
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
