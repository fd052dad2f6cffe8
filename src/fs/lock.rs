//! The workspace lock: whoever writes a record holds it, for the record only. And the lock of
//! applies, which an apply or undo holds from its beginning to its end.
//!
//! The lock is a type: functions that change the record ask for a [`WorkspaceLock`], so that
//! nothing changes without it. It is advisory (flock), falls with the process that holds it, and
//! does not reach across hosts that share a network file system.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::time::{Duration, Instant};

use super::read::plain;
use super::{RetryDelays, Workspace, WriteError};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};

/// Where the lock lives, relative to the workspace.
pub const LOCK_FILE: &str = "state/.lock";

/// The directory of everything that is recorded.
pub const STATE_DIR: &str = "state";

/// How long to wait for a lock, and whom to tell.
#[derive(Debug, Clone, Copy)]
pub struct LockTimeout {
    /// Give up after this.
    pub limit: Duration,
    /// Called once with the holder's name when the wait is not over at once.
    pub waiting: fn(&str),
}

impl LockTimeout {
    /// Waits without telling anybody.
    pub fn silent(limit: Duration) -> Self {
        Self {
            limit,
            waiting: |_| {},
        }
    }
}

/// A wait that is over sooner is nobody's business.
const TELL_AFTER: Duration = Duration::from_millis(300);

/// Proof that this process may change the records of the workspace. Dropped, it is released.
#[derive(Debug)]
pub struct WorkspaceLock {
    _file: File,
}

/// The pause between two attempts: short, since a record takes milliseconds.
const PAUSE: Duration = Duration::from_millis(5);

impl WorkspaceLock {
    /// Waits for the lock, at most `timeout`, and leaves a note on who holds it (`who` is the
    /// command). Makes `state/` where it is absent.
    /// A lock file that can't be made or opened is tried again after the waits of `retry`.
    pub fn acquire(
        workspace: &Workspace,
        who: &str,
        timeout: LockTimeout,
        retry: &RetryDelays,
    ) -> Checked<Self> {
        let opened = retry.retry(|| open(workspace, LOCK_FILE));
        let mut file = opened?;
        let begin = Instant::now();
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if begin.elapsed() < timeout.limit => {
                    if !told && begin.elapsed() > TELL_AFTER {
                        (timeout.waiting)(&holder(&mut file));
                        told = true;
                    }
                    std::thread::sleep(PAUSE);
                }
                Err(TryLockError::WouldBlock) => return Err(held(&mut file, timeout)),
                Err(TryLockError::Error(error)) => return Err(failed(LOCK_FILE, &error)),
            }
        }
        // The note only helps a person; a lock without it is as good.
        let note = format!("process {} ({who})\n", std::process::id());
        let _ = file
            .set_len(0)
            .and_then(|()| file.write_all(note.as_bytes()));
        Ok(Self { _file: file })
    }
}

/// Where the lock of applies lives, relative to the workspace.
pub const APPLY_LOCK_FILE: &str = "state/.apply.lock";

/// Proof that no other apply or undo is under way in the workspace.
///
/// Every process that an apply starts inherits it, so that it is not free before the last of them
/// is gone, be the apply itself killed meanwhile.
#[derive(Debug)]
pub struct ApplyLock {
    file: File,
}

/// Somebody who only looks at the lock holds it for a moment; an apply holds it for longer.
const APPLY_PATIENCE: Duration = Duration::from_millis(200);

impl ApplyLock {
    /// Takes the lock, or tells who holds it. `who` says what for, and for whom.
    pub fn acquire(
        workspace: &Workspace,
        who: &str,
        retry: &RetryDelays,
    ) -> Checked<Result<Self, String>> {
        let opened = retry.retry(|| open(workspace, APPLY_LOCK_FILE));
        let mut file = opened?;
        let begin = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if begin.elapsed() < APPLY_PATIENCE => {
                    std::thread::sleep(PAUSE);
                }
                Err(TryLockError::WouldBlock) => return Ok(Err(holder(&mut file))),
                Err(TryLockError::Error(error)) => return Err(failed(APPLY_LOCK_FILE, &error)),
            }
        }
        // A lock file that somebody removed meanwhile locks nobody else out.
        if !is_at(&file, &workspace.path(APPLY_LOCK_FILE)) {
            return Ok(Err("somebody who removed the lock file just now".to_owned()));
        }
        let note = format!("process {} ({who})\n", std::process::id());
        let _ = file
            .set_len(0)
            .and_then(|()| file.write_all(note.as_bytes()));
        Ok(Ok(Self { file }))
    }

    /// Who holds it; `None` while it is free. Nothing is written.
    pub fn holder(workspace: &Workspace) -> Checked<Option<String>> {
        let no_follow = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(no_follow.bits().cast_signed())
            .open(workspace.path(APPLY_LOCK_FILE));
        let mut file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(APPLY_LOCK_FILE, &error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(Some(holder(&mut file))),
            Err(TryLockError::Error(error)) => Err(failed(APPLY_LOCK_FILE, &error)),
        }
    }

    /// The open file whose lock a child inherits.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn open(workspace: &Workspace, name: &str) -> Result<File, WriteError> {
    super::write::make_directory(workspace, STATE_DIR)?;
    let no_follow = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .custom_flags(no_follow.bits().cast_signed())
        .open(workspace.path(name))
        .map_err(|error| WriteError::new(name, "open the lock", error))
}

/// True where the open file is the one that stands at the path.
fn is_at(file: &File, path: &std::path::Path) -> bool {
    let known = file.metadata();
    let there = std::fs::symlink_metadata(path);
    matches!((known, there), (Ok(known), Ok(there)) if known.ino() == there.ino() && known.dev() == there.dev())
}

/// Who holds the lock, as the note in it says.
fn holder(file: &mut File) -> String {
    let mut note = String::new();
    let read = file
        .rewind()
        .and_then(|()| file.take(200).read_to_string(&mut note));
    match note.trim() {
        named if read.is_ok() && !named.is_empty() => named.to_owned(),
        _ => "an unnamed process".to_owned(),
    }
}

fn held(file: &mut File, timeout: LockTimeout) -> Box<Diagnostic> {
    let holder = holder(file);
    Box::new(
        Diagnostic::new(
            Code::LockHeld,
            Place::file(LOCK_FILE),
            format!("the workspace is locked by {holder}"),
        )
        .found(format!(
            "a lock that was not released within {} s",
            timeout.limit.as_secs_f64()
        ))
        .expected("a lock held for the moment of a record only")
        .help("wait for that process, or give more time with `--lock-timeout SECONDS`"),
    )
}

fn failed(name: &str, error: &io::Error) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::WriteFailed,
            Place::file(name),
            "the lock can't be taken",
        )
        .found(plain(error))
        .expected("a directory `state/` that the user of this run may write")
        .help("check the permissions of `state/` and the space on its disk"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_waits_and_names_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let workspace = Workspace::open(directory.path()).unwrap();
        let none = RetryDelays::none();
        let first = WorkspaceLock::acquire(
            &workspace,
            "run",
            LockTimeout::silent(Duration::ZERO),
            &none,
        )
        .unwrap();
        let refused = WorkspaceLock::acquire(
            &workspace,
            "run",
            LockTimeout::silent(Duration::from_millis(20)),
            &none,
        )
        .unwrap_err();
        assert_eq!(refused.code, Code::LockHeld);
        assert!(
            refused
                .message
                .contains(&format!("process {} (run)", std::process::id()))
        );
        drop(first);
        WorkspaceLock::acquire(
            &workspace,
            "run",
            LockTimeout::silent(Duration::ZERO),
            &none,
        )
        .unwrap();
    }
}
