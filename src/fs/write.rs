//! Durable writes: replace a file atomically, append a whole line, move and remove.
//!
//! Guaranteed on a local file system that honours fsync: after [`replace`] or [`append`] returned
//! `Ok`, the new bytes survive a power cut; at any moment before, the old bytes or the new ones
//! stand, never a mixture ([`append`] may leave a part of its line at the end, which the reader of
//! a journal has to move aside). Not guaranteed: anything on a file system that lies about fsync,
//! nor that two hosts see each other's lock.
//!
//! Everything here expects its caller to hold the lock that covers the file: temporary names are
//! fixed, so that one left by a killed process is found and removed by the next writer without a
//! search.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the room that owns raw writes, and it makes them durable"
)]

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use backon::{BackoffBuilder, BlockingRetryable as _};

use super::Workspace;
use super::read::plain;
use crate::diagnostic::{Code, Diagnostic, Place};

pub use super::directory::{make_directory, make_private_directory};

/// A write that did not happen, or of which nobody knows whether it is on the disk.
#[derive(Debug)]
pub struct WriteError {
    /// The file, relative to the workspace.
    pub file: String,
    /// What was being done: `write`, `rename`, ...
    pub step: &'static str,
    /// What the system said.
    pub source: io::Error,
    /// True where fsync failed: kernels mark the pages clean, so that a second attempt would
    /// report success for bytes that are lost. Never retried.
    pub not_durable: bool,
}

/// What a caller that shows findings makes of it.
impl From<WriteError> for Box<Diagnostic> {
    fn from(error: WriteError) -> Self {
        Self::new(error.into_diagnostic())
    }
}

impl WriteError {
    pub(super) fn new(file: &str, step: &'static str, source: io::Error) -> Self {
        Self {
            file: file.to_owned(),
            step,
            source,
            not_durable: false,
        }
    }

    pub(super) fn sync(file: &str, step: &'static str, source: io::Error) -> Self {
        Self {
            file: file.to_owned(),
            step,
            source,
            not_durable: true,
        }
    }

    /// The finding to show.
    pub fn into_diagnostic(self) -> Diagnostic {
        let found = format!("{} while trying to {}", plain(&self.source), self.step);
        if self.source.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
            return Diagnostic::new(
                Code::LinkRefused,
                Place::file(self.file),
                "a symbolic link stands in the way, and nothing is written through links",
            )
            .found("a symbolic link")
            .expected("the file or directory itself, or nothing")
            .help("replace the link by what it leads to");
        }
        if self.not_durable {
            return Diagnostic::new(Code::NotDurable, Place::file(self.file), "not durable: the file system would not confirm the write")
                .found(found)
                .expected("a confirmed write")
                .help("check the disk and the kernel's log, then run again: the next run verifies the end of the journal");
        }
        Diagnostic::new(
            Code::WriteFailed,
            Place::file(self.file),
            "the file can't be written",
        )
        .found(found)
        .expected(
            "a directory and a file that the user of this run may write, and space on the disk",
        )
        .help("mend that and run again; nothing that was recorded before is lost")
    }
}

/// The waits between the attempts at a write: after 1 s, 3 s and 9 s, unless the user says
/// otherwise (`--retry-delays`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryDelays(Vec<Duration>);

impl Default for RetryDelays {
    fn default() -> Self {
        Self([1, 3, 9].map(Duration::from_secs).to_vec())
    }
}

impl std::str::FromStr for RetryDelays {
    type Err = String;

    /// Comma-separated seconds, each from 0 to 3600; an empty text means no second attempt.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut delays = Vec::new();
        for part in text.split(',').filter(|_| !text.trim().is_empty()) {
            let seconds: Option<f64> = part.trim().parse().ok();
            match seconds.filter(|seconds| (0.0..=3600.0).contains(seconds)) {
                Some(seconds) => delays.push(Duration::from_secs_f64(seconds)),
                None => return Err(format!("`{part}` is no number of seconds from 0 to 3600")),
            }
        }
        Ok(Self(delays))
    }
}

impl BackoffBuilder for &RetryDelays {
    type Backoff = std::vec::IntoIter<Duration>;

    fn build(self) -> Self::Backoff {
        self.0.clone().into_iter()
    }
}

impl RetryDelays {
    /// No second attempt.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// The first wait; an invalid input is read once more after it.
    pub fn first(&self) -> Duration {
        self.0.first().copied().unwrap_or_default()
    }

    /// Tries `write` until it works, the waits are used up, or it is not durable.
    pub fn retry<T>(&self, write: impl FnMut() -> Result<T, WriteError>) -> Result<T, WriteError> {
        write
            .retry(self)
            .sleep(std::thread::sleep)
            .when(|error: &WriteError| !error.not_durable)
            .notify(|error, wait| {
                tracing::warn!(file = %error.file, error = %error.source, "write failed, next attempt in {} s", wait.as_secs_f64());
            })
            .call()
    }
}

/// The temporary file beside the file `name` of a workspace.
fn temporary_beside(name: &str) -> String {
    match name.rsplit_once('/') {
        Some((directory, file)) => format!("{directory}/.{file}.tmp"),
        None => format!(".{name}.tmp"),
    }
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// A new content for a file: written and confirmed beside its target, not yet in its place.
///
/// Dropped without [`Replacement::commit`], it removes its temporary file.
#[derive(Debug)]
pub struct Replacement {
    temporary: tempfile::NamedTempFile,
    target: PathBuf,
    name: String,
}

impl Replacement {
    /// Writes `bytes` beside the file `name` of the workspace and confirms them with fsync.
    pub fn prepare(workspace: &Workspace, name: &str, bytes: &[u8]) -> Result<Self, WriteError> {
        let new = (NEW_FILE_MODE, None);
        Self::prepare_beside(workspace, name, &temporary_beside(name), bytes, new)
    }

    /// As [`Replacement::prepare`], with the permissions that the file `name` has now.
    pub fn prepare_alike(
        workspace: &Workspace,
        name: &str,
        bytes: &[u8],
    ) -> Result<Self, WriteError> {
        let permissions = std::fs::metadata(workspace.path(name))
            .ok()
            .map(|status| status.permissions());
        let alike = (NEW_FILE_MODE, permissions);
        Self::prepare_beside(workspace, name, &temporary_beside(name), bytes, alike)
    }

    fn prepare_beside(
        workspace: &Workspace,
        name: &str,
        temporary: &str,
        bytes: &[u8],
        (mode, permissions): (u32, Option<std::fs::Permissions>),
    ) -> Result<Self, WriteError> {
        let target = workspace.path(name);
        let mut temporary = create_temporary(&workspace.path(temporary), mode)
            .map_err(|error| WriteError::new(name, "make a temporary file", error))?;
        temporary
            .write_all(bytes)
            .map_err(|error| WriteError::new(name, "write", error))?;
        if let Some(permissions) = permissions {
            let kept = temporary.as_file().set_permissions(permissions);
            kept.map_err(|error| WriteError::new(name, "keep the permissions", error))?;
        }
        temporary
            .as_file()
            .sync_all()
            .map_err(|error| WriteError::sync(name, "fsync", error))?;
        Ok(Self {
            temporary,
            target,
            name: name.to_owned(),
        })
    }

    /// Puts it in place: rename, then fsync of the directory.
    pub fn commit(self) -> Result<(), WriteError> {
        let (target, name) = (self.target.clone(), self.name.clone());
        self.put()?;
        sync_directory(&target)
            .map_err(|error| WriteError::sync(&name, "fsync of the directory", error))
    }

    /// Puts it in place, and nobody confirms that.
    fn put(self) -> Result<(), WriteError> {
        let renamed = self.temporary.persist(&self.target);
        let renamed = renamed.map_err(|error| WriteError::new(&self.name, "rename", error.error));
        renamed.map(drop)
    }
}

/// A new file that is written part by part: complete in its place, or not there at all.
pub(super) struct Copying(Replacement);

impl Copying {
    /// Begins beside the file `name` of the workspace.
    pub(super) fn begin(
        workspace: &Workspace,
        name: &str,
        temporary: &str,
    ) -> Result<Self, WriteError> {
        refuse_links(workspace, name)?;
        // Private until it is whole: what is copied may be.
        let temporary = create_temporary(&workspace.path(temporary), PRIVATE_FILE_MODE)
            .map_err(|error| WriteError::new(name, "make a temporary file", error))?;
        Ok(Self(Replacement {
            temporary,
            target: workspace.path(name),
            name: name.to_owned(),
        }))
    }

    /// Where to write.
    pub(super) fn file(&mut self) -> &mut File {
        self.0.temporary.as_file_mut()
    }

    /// Gives it its owner, as far as this user may, and its permission bits, and puts it in its
    /// place, durably.
    pub(super) fn finish(self, mode: u32, owner: Option<[u32; 2]>) -> Result<(), WriteError> {
        let file = self.0.temporary.as_file();
        let given = owner.is_some_and(|[user, group]| {
            std::os::unix::fs::fchown(file, Some(user), Some(group)).is_ok()
        });
        let mode = if given { mode } else { mode & !LENT_RIGHTS };
        file.set_permissions(std::fs::Permissions::from_mode(mode))
            .map_err(|error| WriteError::new(&self.0.name, "set the permissions", error))?;
        file.sync_all()
            .map_err(|error| WriteError::sync(&self.0.name, "fsync", error))?;
        self.0.commit()
    }
}

/// What a new file gets, less the umask.
const NEW_FILE_MODE: u32 = 0o644;

/// Bits that lend the owner's rights to whoever runs the file.
const LENT_RIGHTS: u32 = 0o6000;

/// What a copy has until it is whole.
const PRIVATE_FILE_MODE: u32 = 0o600;

fn create_temporary(path: &Path, mode: u32) -> io::Result<tempfile::NamedTempFile> {
    let name = path.file_name().unwrap_or_default();
    let mut builder = tempfile::Builder::new();
    builder
        .prefix(name)
        .rand_bytes(0)
        .permissions(std::fs::Permissions::from_mode(mode));
    match builder.tempfile_in(parent(path)) {
        // The caller holds the lock: whoever made this one is gone.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            std::fs::remove_file(path)?;
            builder.tempfile_in(parent(path))
        }
        made => made,
    }
}

/// Replaces the file `name` of the workspace by `bytes`: the old content or the new one stands at
/// any moment, and the new one is on the disk when this returns.
pub fn replace(workspace: &Workspace, name: &str, bytes: &[u8]) -> Result<(), WriteError> {
    Replacement::prepare(workspace, name, bytes)?.commit()
}

/// As [`replace`], with a temporary file of a given name in the target's directory: for files whose
/// own names vary, so that a left-over one is found without a search.
pub fn replace_by_way_of(
    workspace: &Workspace,
    name: &str,
    temporary: &str,
    bytes: &[u8],
) -> Result<(), WriteError> {
    let new = (NEW_FILE_MODE, None);
    Replacement::prepare_beside(workspace, name, temporary, bytes, new)?.commit()
}

/// As [`replace`], for a file that its owner alone may read and write, from its first byte on.
pub fn replace_private(workspace: &Workspace, name: &str, bytes: &[u8]) -> Result<(), WriteError> {
    let private = (PRIVATE_FILE_MODE, None);
    Replacement::prepare_beside(workspace, name, &temporary_beside(name), bytes, private)?.commit()
}

/// As [`replace`], for files that most runs do not write: one temporary name for all of a
/// directory, so that the next run finds what a killed process left without a list of them all.
pub fn replace_rarely(workspace: &Workspace, name: &str, bytes: &[u8]) -> Result<(), WriteError> {
    replace_by_way_of(workspace, name, &rare_temporary(name), bytes)
}

/// As [`replace_rarely`], for what can be made anew: after a power cut the old content or the new one
/// stands there, and nobody is promised which.
pub fn replace_projection(
    workspace: &Workspace,
    name: &str,
    bytes: &[u8],
) -> Result<(), WriteError> {
    let new = (NEW_FILE_MODE, None);
    Replacement::prepare_beside(workspace, name, &rare_temporary(name), bytes, new)?.put()
}

/// The temporary file of [`replace_rarely`] beside the file `name`.
pub fn rare_temporary(name: &str) -> String {
    match name.rsplit_once('/') {
        Some((directory, _)) => format!("{directory}/{RARE_TEMPORARY}"),
        None => RARE_TEMPORARY.to_owned(),
    }
}

/// The temporary file of [`replace_rarely`], in the target's directory.
pub const RARE_TEMPORARY: &str = ".record.tmp";

/// As [`replace`], with the permissions that the file has now: for files that others write too.
pub fn replace_alike(workspace: &Workspace, name: &str, bytes: &[u8]) -> Result<(), WriteError> {
    let permissions = std::fs::metadata(workspace.path(name))
        .ok()
        .map(|status| status.permissions());
    let temporary = rare_temporary(name);
    Replacement::prepare_beside(
        workspace,
        name,
        &temporary,
        bytes,
        (NEW_FILE_MODE, permissions),
    )?
    .commit()
}

/// Makes the file `name` of the workspace in its place, without a temporary file and so without a
/// lock: only for files that mean the same half-written. Fails where something stands there.
pub fn create_in_place(workspace: &Workspace, name: &str, bytes: &[u8]) -> Result<(), WriteError> {
    let path = workspace.path(name);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(NEW_FILE_MODE);
    let made = options.open(&path);
    let mut file = made.map_err(|error| WriteError::new(name, "make the file", error))?;
    file.write_all(bytes)
        .map_err(|error| WriteError::new(name, "write", error))?;
    file.sync_all()
        .map_err(|error| WriteError::sync(name, "fsync", error))?;
    sync_directory(&path).map_err(|error| WriteError::sync(name, "fsync of the directory", error))
}

/// Removes a temporary file that a killed process may have left.
pub fn remove_temporary(workspace: &Workspace, temporary: &str) -> Result<(), WriteError> {
    match std::fs::remove_file(workspace.path(temporary)) {
        Err(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Err(WriteError::new(
                temporary,
                "remove a left-over temporary file",
                error,
            ))
        }
        _ => Ok(()),
    }
}

/// A file that only grows, open for one append.
#[derive(Debug)]
pub struct AppendFile {
    file: File,
    name: String,
    path: PathBuf,
    made: bool,
    /// A short write could not be cut off yet: nothing may be appended behind it.
    torn: bool,
}

impl AppendFile {
    /// Opens the file `name` of the workspace for appending and makes it where it is absent.
    pub fn open(workspace: &Workspace, name: &str) -> Result<Self, WriteError> {
        let path = workspace.path(name);
        let flags = (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK)
            .bits()
            .cast_signed();
        let mut options = OpenOptions::new();
        options.append(true).custom_flags(flags);
        let (file, made) = match options.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                (options.create(true).open(&path), true)
            }
            opened => (opened, false),
        };
        let file = file.map_err(|error| WriteError::new(name, "open", error))?;
        Ok(Self {
            file,
            name: name.to_owned(),
            path,
            made,
            torn: false,
        })
    }

    /// Appends `record` in one write and confirms it. `length` is how long the file has to be
    /// before: a short write is cut back to it, so that two records are never glued.
    pub fn append(&mut self, record: &[u8], length: u64) -> Result<(), WriteError> {
        if self.torn {
            self.cut_back(length)?;
        }
        if let Err(error) = self.write_whole(record) {
            self.torn = true;
            self.cut_back(length)?;
            return Err(WriteError::new(&self.name, "append", error));
        }
        self.file
            .sync_data()
            .map_err(|error| WriteError::sync(&self.name, "fdatasync", error))?;
        if self.made {
            sync_directory(&self.path)
                .map_err(|error| WriteError::sync(&self.name, "fsync of the directory", error))?;
        }
        Ok(())
    }

    fn cut_back(&mut self, length: u64) -> Result<(), WriteError> {
        self.file
            .set_len(length)
            .map_err(|error| WriteError::new(&self.name, "cut off a short write", error))?;
        self.torn = false;
        Ok(())
    }

    fn write_whole(&mut self, record: &[u8]) -> io::Result<()> {
        loop {
            return match self.file.write(record) {
                Ok(written) if written == record.len() => Ok(()),
                Ok(written) => Err(io::Error::new(
                    io::ErrorKind::WriteZero,
                    short(written, record.len()),
                )),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
        }
    }
}

fn short(written: usize, wanted: usize) -> String {
    format!(
        "a short write of {written} of {wanted} bytes (is the disk full, or a file size limit reached?)"
    )
}

/// Appends `bytes` to the file `name` of the workspace, durably.
pub fn append(
    workspace: &Workspace,
    name: &str,
    bytes: &[u8],
    length: u64,
) -> Result<(), WriteError> {
    AppendFile::open(workspace, name)?.append(bytes, length)
}

/// Cuts the file `name` of the workspace to `length` bytes, durably.
pub fn cut(workspace: &Workspace, name: &str, length: u64) -> Result<(), WriteError> {
    let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let file = OpenOptions::new()
        .write(true)
        .custom_flags(flags)
        .open(workspace.path(name));
    let file = file.map_err(|error| WriteError::new(name, "open", error))?;
    file.set_len(length)
        .map_err(|error| WriteError::new(name, "cut", error))?;
    file.sync_all()
        .map_err(|error| WriteError::sync(name, "fsync", error))
}

/// Gives the file `name` a second name in the workspace, durably. The name must be free.
pub fn link(workspace: &Workspace, name: &str, second: &str) -> Result<(), WriteError> {
    let path = workspace.path(second);
    std::fs::hard_link(workspace.path(name), &path)
        .map_err(|error| WriteError::new(second, "link", error))?;
    sync_directory(&path).map_err(|error| WriteError::sync(second, "fsync of the directory", error))
}

/// Renames the file `name` of the workspace, durably.
pub fn rename(workspace: &Workspace, name: &str, new: &str) -> Result<(), WriteError> {
    let path = workspace.path(new);
    std::fs::rename(workspace.path(name), &path)
        .map_err(|error| WriteError::new(name, "rename", error))?;
    sync_directory(&path).map_err(|error| WriteError::sync(new, "fsync of the directory", error))
}

/// Fails where a directory on the way to `name` is a symbolic link: what is removed or put back there
/// would lie elsewhere.
pub fn refuse_links(workspace: &Workspace, name: &str) -> Result<(), WriteError> {
    for (end, _) in name.match_indices('/') {
        let directory = name.get(..end).unwrap_or_default();
        let status = std::fs::symlink_metadata(workspace.path(directory));
        if status.is_ok_and(|status| status.is_symlink()) {
            let refused = rustix::io::Errno::LOOP.into();
            return Err(WriteError::new(directory, "use the directory", refused));
        }
    }
    Ok(())
}

/// Removes the file `name` of the workspace, durably; one that is gone already is no error.
pub fn remove(workspace: &Workspace, name: &str) -> Result<(), WriteError> {
    refuse_links(workspace, name)?;
    let path = workspace.path(name);
    removed(std::fs::remove_file(&path), &path, name)
}

/// Removes the directory `name` of the workspace with all that is in it; links in it are removed, not
/// followed.
pub fn remove_tree(workspace: &Workspace, name: &str) -> Result<(), WriteError> {
    refuse_links(workspace, name)?;
    let path = workspace.path(name);
    removed(std::fs::remove_dir_all(&path), &path, name)
}

/// Removes the directory `name` of the workspace where it is empty, durably.
pub fn remove_empty_directory(workspace: &Workspace, name: &str) -> Result<(), WriteError> {
    refuse_links(workspace, name)?;
    let path = workspace.path(name);
    match std::fs::remove_dir(&path) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        result => removed(result, &path, name),
    }
}

fn removed(result: io::Result<()>, path: &Path, name: &str) -> Result<(), WriteError> {
    match result {
        Ok(()) => sync_directory(path)
            .map_err(|error| WriteError::sync(name, "fsync of the directory", error)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(())
        }
        Err(error) => Err(WriteError::new(name, "remove", error)),
    }
}

/// Makes a new file with `bytes`; `false` where something stands there already.
pub fn create_new(workspace: &Workspace, name: &str, bytes: &[u8]) -> Result<bool, WriteError> {
    let path = workspace.path(name);
    if rustix::fs::lstat(&path).is_ok() {
        return Ok(false);
    }
    if let Some((directory, _)) = name.rsplit_once('/') {
        make_directory(workspace, directory)?;
    }
    replace(workspace, name, bytes).map(|()| true)
}

pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(parent(path))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace() -> (tempfile::TempDir, Workspace) {
        let directory = tempfile::tempdir().unwrap();
        let workspace = Workspace::open(directory.path()).unwrap();
        (directory, workspace)
    }

    fn failing(file: &str, times: usize) -> impl FnMut() -> Result<usize, WriteError> {
        let mut calls = 0;
        let file = file.to_owned();
        move || {
            calls += 1;
            if calls <= times {
                Err(WriteError::new(&file, "write", io::Error::other("full")))
            } else {
                Ok(calls)
            }
        }
    }

    #[test]
    fn the_default_waits_are_one_three_and_nine_seconds() {
        let waits: Vec<u64> = (&RetryDelays::default())
            .build()
            .map(|wait| wait.as_secs())
            .collect();
        assert_eq!(waits, [1, 3, 9]);
    }

    #[test]
    fn a_write_is_tried_once_and_again_after_each_wait() {
        let delays: RetryDelays = "0,0,0".parse().unwrap();
        assert_eq!(delays.retry(failing("a", 3)).unwrap(), 4);
        assert!(delays.retry(failing("a", 4)).is_err());
    }

    #[test]
    fn a_failed_fsync_is_never_tried_again() {
        let delays: RetryDelays = "0,0,0".parse().unwrap();
        let mut calls = 0;
        let result: Result<(), _> = delays.retry(|| {
            calls += 1;
            Err(WriteError::sync("a", "fsync", io::Error::other("gone")))
        });
        assert!(result.unwrap_err().not_durable);
        assert_eq!(calls, 1);
    }

    #[test]
    fn waits_are_numbers_of_seconds() {
        assert!("1,x".parse::<RetryDelays>().is_err());
        assert!("-1".parse::<RetryDelays>().is_err());
        assert_eq!("".parse::<RetryDelays>().unwrap(), RetryDelays(Vec::new()));
    }

    #[test]
    fn replace_removes_what_a_killed_process_left() {
        let (directory, workspace) = workspace();
        let left_over = directory.path().join(".a.json.tmp");
        File::create(&left_over).unwrap();
        replace(&workspace, "a.json", b"new").unwrap();
        assert_eq!(
            std::fs::read(directory.path().join("a.json")).unwrap(),
            b"new"
        );
        assert!(!left_over.exists());
    }

    #[test]
    fn appending_through_a_link_is_refused() {
        let (directory, workspace) = workspace();
        std::os::unix::fs::symlink("elsewhere", directory.path().join("log")).unwrap();
        let error = append(&workspace, "log", b"x\n", 0).unwrap_err();
        assert_eq!(error.into_diagnostic().code, Code::LinkRefused);
        assert!(!directory.path().join("elsewhere").exists());
    }
}
