//! What stands at a path or below a directory, looked at without following a link, and the mode of a
//! file set.
//!
//! For whoever has to know exactly what is there: kind, bytes, permission bits and names of a file come
//! from one open descriptor, so that nothing can be put in its place between two questions. What may be
//! there is the business of the caller.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};

use rustix::fs::{CWD, Mode, OFlags};
use sha2::{Digest as _, Sha256};

use super::Workspace;
use super::read::plain;
use crate::ids::Digest;

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Nothing,
    /// A regular file.
    File {
        /// The SHA-256 of its bytes.
        sha256: Digest,
        /// Its permission bits.
        mode: u32,
        /// How many names it has.
        names: u64,
    },
    /// A directory.
    Directory,
    /// A symbolic link, with what it says.
    Link(String),
    /// Something else, in words.
    Other(&'static str),
    /// Something that can't be read, and why.
    Unreadable(String),
}

/// The permission bits without the kind of file.
const MODE: u32 = 0o7777;

const LOOK: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::NOFOLLOW);

/// How much is read at a time.
const CHUNK: usize = 64 * 1024;

/// A file larger than this is not hashed: it is none of those that anybody reads here.
const LIMIT: u64 = 64 * 1024 * 1024;

/// Looks at what stands at `name`; a link on the way to it is what stands there.
pub fn look(workspace: &Workspace, name: &str) -> Standing {
    for (end, _) in name.match_indices('/') {
        let directory = name.get(..end).unwrap_or_default();
        if let Some(link) = workspace.link_at(directory) {
            return Standing::Link(format!("{link} (at {directory})"));
        }
    }
    look_at(workspace, name)
}

/// As [`look`], where the directories on the way are known to be no links.
fn look_at(workspace: &Workspace, name: &str) -> Standing {
    use rustix::io::Errno;
    let path = workspace.path(name);
    let opened = rustix::fs::openat(CWD, &path, LOOK, Mode::empty()).map(File::from);
    let file = match opened {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::NOTDIR) => return Standing::Nothing,
        Err(error) => return unopened(workspace, name, &error.into()),
    };
    match describe(file) {
        Ok(standing) => standing,
        Err(error) => Standing::Unreadable(plain(&error)),
    }
}

fn describe(mut file: File) -> std::io::Result<Standing> {
    let status = file.metadata()?;
    if !status.is_file() {
        return Ok(of_kind(status.file_type()));
    }
    if status.len() > LIMIT {
        return Ok(Standing::Unreadable(format!(
            "more than {} MiB",
            LIMIT / 1024 / 1024
        )));
    }
    // One byte more than is there, so that a single read tells the end of a small file.
    let room = usize::try_from(status.len()).map_or(CHUNK, |length| (length + 1).min(CHUNK));
    let mut buffer = vec![0; room];
    let mut hasher = Sha256::new();
    loop {
        let count = match file.read(&mut buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        hasher.update(buffer.get(..count).unwrap_or_default());
        if count < buffer.len() && (count == 0 || room < CHUNK) {
            break;
        }
    }
    Ok(Standing::File {
        sha256: Digest::finish(hasher),
        mode: status.mode() & MODE,
        names: status.nlink(),
    })
}

/// What could not be opened: a link, something else that opens no one, or a file without permission.
fn unopened(workspace: &Workspace, name: &str, error: &std::io::Error) -> Standing {
    let path = workspace.path(name);
    match std::fs::symlink_metadata(&path) {
        Ok(status) if status.is_symlink() => Standing::Link(target(workspace, name)),
        Ok(status) if !status.is_file() => of_kind(status.file_type()),
        _ => Standing::Unreadable(plain(error)),
    }
}

fn of_kind(kind: std::fs::FileType) -> Standing {
    match kind {
        kind if kind.is_dir() => Standing::Directory,
        kind if kind.is_fifo() => Standing::Other("a named pipe"),
        kind if kind.is_socket() => Standing::Other("a socket"),
        kind if kind.is_char_device() || kind.is_block_device() => Standing::Other("a device"),
        _ => Standing::Other("something that is no file"),
    }
}

fn target(workspace: &Workspace, name: &str) -> String {
    std::fs::read_link(workspace.path(name))
        .map_or_else(|_| "?".to_owned(), |target| target.display().to_string())
}

/// Something below a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Below {
    /// Its path relative to the workspace; bytes that are no UTF-8 are replaced.
    pub path: String,
    /// What it is. Never a directory, and never nothing unless it went meanwhile.
    pub standing: Standing,
}

/// Directories deeper than this are not walked.
const DEEPEST: usize = 40;

/// More than this below one directory is more than anybody reviews.
const MOST: usize = 20_000;

/// All that stands at `root` or below it and that `wanted` names, sorted. Links are not followed; a
/// link on the way to `root` is what stands there.
///
/// Fails with words where there is too much, or too deep.
pub fn walk(
    workspace: &Workspace,
    root: &str,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<Below>, String> {
    let mut found = Vec::new();
    // The whole workspace is a root without a name.
    let standing = if root.is_empty() {
        Standing::Directory
    } else {
        match look(workspace, root) {
            Standing::Nothing => return Ok(found),
            standing => standing,
        }
    };
    if standing == Standing::Directory {
        let mut seen = 0;
        below(workspace, root, wanted, (0, &mut seen), &mut found)?;
        found.sort_by(|one, other| one.path.cmp(&other.path));
    } else {
        let path = root.to_owned();
        found.push(Below { path, standing });
    }
    Ok(found)
}

fn below(
    workspace: &Workspace,
    directory: &str,
    wanted: &dyn Fn(&str) -> bool,
    (depth, seen): (usize, &mut usize),
    found: &mut Vec<Below>,
) -> Result<(), String> {
    if depth > DEEPEST {
        return Err(format!(
            "`{directory}` lies deeper than {DEEPEST} directories"
        ));
    }
    let failed =
        |error: &std::io::Error| format!("`{directory}` can't be listed: {}", plain(error));
    let entries = match std::fs::read_dir(workspace.path(directory)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(|error| failed(&error))?,
    };
    for entry in entries {
        let entry = entry.map_err(|error| failed(&error))?;
        *seen += 1;
        if *seen > MOST {
            return Err(format!("more than {MOST} entries lie below `{directory}`"));
        }
        let name = entry.file_name();
        let path = match directory {
            "" => name.to_string_lossy().into_owned(),
            _ => format!("{directory}/{}", name.to_string_lossy()),
        };
        let kind = entry.file_type().map_err(|error| failed(&error))?;
        if kind.is_dir() {
            // What git keeps for itself is its own, and changes with every command of it.
            if path != ".git" {
                below(workspace, &path, wanted, (depth + 1, &mut *seen), found)?;
            }
        } else if wanted(&path) {
            let standing = match name.to_str() {
                Some(_) => look_at(workspace, &path),
                None => Standing::Other("a file whose name is no UTF-8 text"),
            };
            found.push(Below { path, standing });
        }
    }
    Ok(())
}

/// Gives the regular file `name` these permission bits. `false` where that is not possible: the mode is
/// a hint, and whoever owns the file may be another.
pub fn set_mode(workspace: &Workspace, name: &str, mode: u32) -> bool {
    let opened = rustix::fs::openat(CWD, workspace.path(name), LOOK, Mode::empty());
    let Ok(file) = opened.map(File::from) else {
        return false;
    };
    let is_file = file.metadata().is_ok_and(|status| status.is_file());
    is_file
        && file
            .set_permissions(std::fs::Permissions::from_mode(mode))
            .is_ok()
}
