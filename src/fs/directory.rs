//! Directories of the workspace, made durably and never through a link. What is in them is the business
//! of [`super::write`].

use std::io;
use std::os::unix::fs::DirBuilderExt as _;

use super::Workspace;
use super::write::{WriteError, sync_directory};

/// Makes a directory of the workspace where it is absent, durably. A symbolic link in its place is
/// refused: nothing is written through links.
pub fn make_directory(workspace: &Workspace, name: &str) -> Result<(), WriteError> {
    make_directory_of_mode(workspace, name, 0o777)
}

/// As [`make_directory`]; what is made is its owner's alone.
pub fn make_private_directory(workspace: &Workspace, name: &str) -> Result<(), WriteError> {
    make_directory_of_mode(workspace, name, 0o700)
}

fn make_directory_of_mode(workspace: &Workspace, name: &str, mode: u32) -> Result<(), WriteError> {
    let path = workspace.path(name);
    match rustix::fs::lstat(&path) {
        Ok(status)
            if rustix::fs::FileType::from_raw_mode(status.st_mode as _)
                == rustix::fs::FileType::Symlink =>
        {
            return Err(WriteError::new(
                name,
                "use the directory",
                rustix::io::Errno::LOOP.into(),
            ));
        }
        Ok(_) => return Ok(()),
        Err(rustix::io::Errno::NOENT) => {}
        Err(error) => return Err(WriteError::new(name, "look at the directory", error.into())),
    }
    if let Some((above, _)) = name.rsplit_once('/') {
        make_directory_of_mode(workspace, above, mode)?;
    }
    workspace.made_directory();
    match std::fs::DirBuilder::new().mode(mode).create(&path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(WriteError::new(name, "make the directory", error))
        }
        _ => sync_directory(&path)
            .map_err(|error| WriteError::sync(name, "fsync of the directory above", error)),
    }
}
