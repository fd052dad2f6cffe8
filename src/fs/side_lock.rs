//! Locks that nobody waits for: who finds one held leaves the matter to its holder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;

use super::Workspace;
use super::read::plain;
use crate::diagnostic::{Checked, Code, Diagnostic, Place};

/// A lock that this process holds. Dropped, it is released.
#[derive(Debug)]
pub struct SideLock {
    _file: File,
}

impl SideLock {
    /// Takes the lock `name` of the workspace; `None` where another process holds it.
    pub fn take(workspace: &Workspace, name: &str) -> Checked<Option<Self>> {
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(flags.bits().cast_signed())
            .open(workspace.path(name));
        let file = opened.map_err(|error| unusable(name, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(unusable(name, &error)),
        }
    }
}

fn unusable(name: &str, error: &io::Error) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::FileUnreadable,
            Place::file(name),
            "the lock can't be taken",
        )
        .found(plain(error))
        .expected("a file that the user of this run may read and write, or nothing")
        .help("check the permissions of `state/`"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_until_it_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let workspace = Workspace::open(directory.path()).unwrap();
        let held = SideLock::take(&workspace, "a.lock").unwrap();
        assert!(held.is_some());
        assert!(SideLock::take(&workspace, "a.lock").unwrap().is_none());
        drop(held);
        assert!(SideLock::take(&workspace, "a.lock").unwrap().is_some());
    }
}
