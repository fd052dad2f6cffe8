//! Whole files: their fingerprints, copies to keep, and putting copies back.
//!
//! In constant memory, whatever the size, and never through a symbolic link: what a link leads to
//! may be nobody's business here. What is kept for how long is said in `response`.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::read::InputFile;
use super::write::Copying;
use super::{Opened, Workspace};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::ids::Digest;

/// What a file is, as far as undoing a change to it is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The SHA-256 of its bytes.
    pub sha256: Digest,
    /// Its permission bits.
    pub mode: u32,
}

/// How much is read at a time.
const CHUNK: usize = 256 * 1024;

/// The permission bits without the kind of file.
const MODE: u32 = 0o7777;

/// The fingerprint of a regular file; `None` where nothing stands there. Fails where a link, a
/// directory or anything else does.
pub fn fingerprint(workspace: &Workspace, name: &str) -> Checked<Option<Fingerprint>> {
    let Opened::File(mut input) = workspace.open_plain(name)? else {
        return Ok(None);
    };
    let mode = mode_of(&input)?;
    let sha256 = pass(&mut input, &mut |_| Ok(()))?;
    Ok(Some(Fingerprint { sha256, mode }))
}

/// What tells a file that was written again: its node, size and times, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp([i128; 4]);

impl Stamp {
    fn of(status: &std::fs::Metadata) -> Self {
        let time = |seconds: i64, nanoseconds: i64| {
            i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds)
        };
        Self([
            i128::from(status.ino()),
            i128::from(status.size()),
            time(status.mtime(), status.mtime_nsec()),
            time(status.ctime(), status.ctime_nsec()),
        ])
    }
}

/// The stamp of what stands at a name now; `None` where nothing does.
pub fn stamp(workspace: &Workspace, name: &str) -> Option<Stamp> {
    let status = std::fs::symlink_metadata(workspace.path(name)).ok()?;
    Some(Stamp::of(&status))
}

/// What was kept of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// What told it apart when the copy began.
    pub stamp: Stamp,
    /// What it was.
    pub fingerprint: Fingerprint,
    /// The numbers of its user and its group.
    pub owner: [u32; 2],
}

/// Nobody but this user may read what is kept: the file itself may be private.
const PRIVATE: u32 = 0o600;

/// Copies the regular file `from` to `to`, durably, for this user's eyes alone; the directory of
/// `to` has to be there. `temporary` is a name on the same file system. `None` where nothing stands
/// at `from`.
///
/// Fails where anything but a plain file of one name does.
pub fn keep(workspace: &Workspace, from: &str, to: &str, temporary: &str) -> Checked<Option<Kept>> {
    let Opened::File(mut input) = workspace.open_plain(from)? else {
        return Ok(None);
    };
    let status = input.file.metadata();
    let status = status.map_err(|error| input.failed(&error))?;
    let mode = status.permissions().mode() & MODE;
    if status.nlink() > 1 {
        return Err(several_names(from, status.nlink()));
    }
    let sha256 = transfer(workspace, &mut input, to, temporary, (PRIVATE, None))?;
    Ok(Some(Kept {
        stamp: Stamp::of(&status),
        fingerprint: Fingerprint { sha256, mode },
        owner: [status.uid(), status.gid()],
    }))
}

/// A file that is put back is a new one: its other names would keep what the action wrote.
fn several_names(name: &str, links: u64) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::FileNotRegular,
            Place::file(name),
            "a file with several names (hard links) can't be put back",
        )
        .found(format!("{links} names of one file"))
        .expected("a file of one name")
        .help("copy it, or leave it out of what the action may change"),
    )
}

/// Puts the kept file `from` to `to`, durably, with these permission bits and this owner. Where this
/// user may not give it away, it is this user's, without set-user-id and set-group-id bits: they
/// would lend another's rights than before.
pub fn put_back(
    workspace: &Workspace,
    from: &str,
    to: &str,
    temporary: &str,
    (mode, owner): (u32, Option<[u32; 2]>),
) -> Checked<()> {
    let Opened::File(mut input) = workspace.open_plain(from)? else {
        return Err(Box::new(
            Diagnostic::new(
                Code::FileUnreadable,
                Place::file(from),
                "the kept file is gone",
            )
            .found("no file")
            .expected(format!("the bytes of {to} as they were")),
        ));
    };
    transfer(workspace, &mut input, to, temporary, (mode, owner)).map(drop)
}

fn transfer(
    workspace: &Workspace,
    input: &mut InputFile,
    to: &str,
    temporary: &str,
    (mode, owner): (u32, Option<[u32; 2]>),
) -> Checked<Digest> {
    let mut copying = Copying::begin(workspace, to, temporary)?;
    let sha256 = pass(input, &mut |part| copying.file().write_all(part))?;
    copying.finish(mode, owner)?;
    Ok(sha256)
}

fn mode_of(input: &InputFile) -> Checked<u32> {
    let status = input.file.metadata();
    let status = status.map_err(|error| input.failed(&error))?;
    Ok(status.permissions().mode() & MODE)
}

/// Reads the file to its end, hands out its parts, and gives the digest of them all.
fn pass(input: &mut InputFile, each: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> Checked<Digest> {
    let mut buffer = vec![0; CHUNK];
    let mut hasher = Sha256::new();
    loop {
        let count = read(&mut input.file, &mut buffer).map_err(|error| input.failed(&error))?;
        let part = buffer.get(..count).unwrap_or_default();
        if part.is_empty() {
            return Ok(Digest::finish(hasher));
        }
        hasher.update(part);
        each(part).map_err(|error| input.failed(&error))?;
    }
}

fn read(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}
