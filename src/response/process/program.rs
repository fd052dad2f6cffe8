//! Where the program of an action is, and in words why it can't be started. Nothing is started.

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use crate::fs::read::plain;

/// The program of that name; else what was found, and what was expected.
///
/// A relative directory in PATH is passed over: it would mean another program in every workspace.
pub(super) fn find(
    name: &OsStr,
    directory: &Path,
    environment: &[(OsString, OsString)],
) -> Result<PathBuf, String> {
    if name.is_empty() {
        return Err("no program is named".to_owned());
    }
    if !directory.is_absolute() || !directory.is_dir() {
        return Err(format!(
            "the working directory `{}` is no directory with an absolute path",
            directory.display()
        ));
    }
    let shown = name.to_string_lossy();
    if name.as_bytes().contains(&b'/') {
        let path = directory.join(name);
        return match odd(&path) {
            None => Ok(path),
            Some(found) => Err(unfit(&shown, found)),
        };
    }
    let named_path = |pair: &&(OsString, OsString)| pair.0 == "PATH";
    let Some((_, path)) = environment.iter().rev().find(named_path) else {
        return Err(format!(
            "there is no PATH to find `{shown}` in; expected PATH in its environment, or a program with its path"
        ));
    };
    let mut nearly = None;
    for directory in std::env::split_paths(path).filter(|directory| directory.is_absolute()) {
        let path = directory.join(name);
        match odd(&path) {
            // As shells do: what may not be looked into is passed over.
            Some(NOTHING | CLOSED) => {}
            None => return Ok(path),
            Some(found) => nearly = nearly.or(Some((path, found))),
        }
    }
    Err(match nearly {
        Some((path, found)) => unfit(&path.to_string_lossy(), found),
        None => format!(
            "the program `{shown}` was not found in the directories of PATH; expected an executable file"
        ),
    })
}

const NOTHING: &str = "nothing";
const CLOSED: &str = "a directory that may not be searched";

/// What stands there, where it is no program.
fn odd(path: &Path) -> Option<&'static str> {
    match path.metadata() {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Some(CLOSED),
        Err(_) => Some(NOTHING),
        Ok(file) if file.is_dir() => Some("a directory"),
        Ok(file) if !file.is_file() => Some("something that is no regular file"),
        Ok(_) if rustix::fs::access(path, Access::EXEC_OK).is_err() => {
            Some("a file that may not be executed")
        }
        Ok(_) => None,
    }
}

fn unfit(name: &str, found: &str) -> String {
    format!("`{name}` is no program: found {found}; expected an executable file")
}

/// Why a program that is there did not start.
pub(super) fn refusal(program: &Path, error: &io::Error) -> String {
    let why = match error.kind() {
        ErrorKind::NotFound => {
            "the interpreter that it names in its first line is not there".into()
        }
        ErrorKind::ArgumentListTooLong => "its arguments and environment are too long".into(),
        ErrorKind::InvalidInput => "an argument or a variable holds a zero byte".into(),
        _ if error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => {
            "it is no program for this machine, and no script with `#!` in its first line".into()
        }
        _ => plain(error),
    };
    format!("`{}` can't be started: {why}", program.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(value: &str) -> Vec<(OsString, OsString)> {
        vec![("PATH".into(), value.into())]
    }

    fn why(name: &str, environment: &[(OsString, OsString)]) -> String {
        find(OsStr::new(name), Path::new("/"), environment).unwrap_err()
    }

    #[test]
    fn a_name_is_looked_up_in_the_given_path_only() {
        let found = find(OsStr::new("sh"), Path::new("/"), &path("/nowhere:/bin")).unwrap();
        assert_eq!(found, Path::new("/bin/sh"));
        assert!(why("sh", &path("/nowhere")).contains("not found in the directories of PATH"));
        assert!(why("sh", &[]).contains("there is no PATH"));
        assert!(why("", &path("/bin")).contains("no program is named"));
    }

    #[test]
    fn relative_directories_of_path_are_passed_over() {
        let root = Path::new("/");
        assert!(find(OsStr::new("sh"), root, &path("bin::.")).is_err());
        assert!(find(OsStr::new("bin/sh"), root, &[]).is_ok());
    }

    #[test]
    fn what_is_no_program_is_named() {
        assert!(why("/nowhere/x", &[]).contains("found nothing"));
        assert!(why("/etc", &[]).contains("found a directory"));
        assert!(why("/dev/null", &[]).contains("no regular file"));
        assert!(why("/etc/passwd", &[]).contains("may not be executed"));
        assert!(why("passwd", &path("/etc")).contains("`/etc/passwd` is no program"));
        let nowhere = find(OsStr::new("sh"), Path::new("/nowhere"), &path("/bin"));
        assert!(nowhere.unwrap_err().contains("`/nowhere` is no directory"));
    }
}
