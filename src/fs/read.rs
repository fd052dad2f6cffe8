//! Opening and reading inputs.
//!
//! A file that is no regular file is refused before a byte of it is read: it is opened without
//! blocking (a FIFO would wait for a writer) and looked at with fstat. Symbolic links are followed
//! inside the workspace only.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::buffer::spare_capacity;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::retry_on_intr;

use super::Workspace;
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::time::Timestamp;

/// A regular file of the workspace that is open for reading.
#[derive(Debug)]
pub struct InputFile {
    /// The file, relative to the workspace.
    pub name: String,
    /// Its size in bytes when it was opened.
    pub size: u64,
    pub(crate) file: File,
}

/// What stands at an input's path.
#[derive(Debug)]
pub enum Opened {
    /// A regular file, open.
    File(InputFile),
    /// Nothing.
    Absent,
}

/// What an entry of a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, a pipe, a device.
    Other,
}

impl From<std::fs::FileType> for EntryKind {
    fn from(kind: std::fs::FileType) -> Self {
        if kind.is_file() {
            Self::File
        } else if kind.is_dir() {
            Self::Directory
        } else {
            Self::Other
        }
    }
}

const READ: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::NOFOLLOW);

impl Workspace {
    /// Opens `name`, a path relative to the workspace, for reading.
    ///
    /// Fails where something is there that can't be read as a file: a directory, a pipe, a device,
    /// a link that dangles or leads out of the workspace, a file without permission.
    pub fn open_input(&self, name: &str) -> Checked<Opened> {
        let path = self.path(name);
        let opened = if self.passes_a_link(name) {
            Err(rustix::io::Errno::LOOP)
        } else {
            open(&path)
        };
        match opened {
            Ok(file) => regular(name, file),
            Err(rustix::io::Errno::NOENT) => Ok(Opened::Absent),
            Err(rustix::io::Errno::LOOP) => self.open_linked(name, &path),
            Err(error) => Err(unreadable(name, &path, &error.into())),
        }
    }

    /// As [`Workspace::open_input`], but a symbolic link is refused wherever it leads.
    pub fn open_plain(&self, name: &str) -> Checked<Opened> {
        let path = self.path(name);
        let is_link = std::fs::symlink_metadata(&path).is_ok_and(|status| status.is_symlink());
        if !is_link && !self.passes_a_link(name) {
            return self.open_input(name);
        }
        Err(Box::new(
            Diagnostic::new(
                Code::LinkRefused,
                Place::file(name),
                "a symbolic link stands in the way, and what an action changes can't be kept through links",
            )
            .found(if is_link {
                link_text(self, name)
            } else {
                "a directory on the way that is a link".to_owned()
            })
            .expected("the file or directory itself, or nothing")
            .help("replace the link by what it leads to"),
        ))
    }

    /// Fails where `name` may not be written: a link, or something that is no regular file.
    pub fn check_target(&self, name: &str) -> Checked<()> {
        let path = self.path(name);
        let kind = match std::fs::symlink_metadata(&path) {
            Ok(status) => status.file_type(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(unreadable(name, &path, &error)),
        };
        if kind.is_file() {
            return Ok(());
        }
        if !kind.is_symlink() {
            return Err(not_regular(name, kind));
        }
        Err(Box::new(
            Diagnostic::new(
                Code::LinkRefused,
                Place::file(name),
                "a symbolic link stands in the way, and nothing is written through links",
            )
            .found(link_text(self, name))
            .expected("the file itself, or nothing")
            .help("replace the link by what it leads to, or remove it"),
        ))
    }

    /// True where both names lead to one and the same file.
    pub fn is_same_file(&self, name: &str, other: &str) -> bool {
        let real = |name: &str| std::fs::canonicalize(self.path(name)).ok();
        let first = real(name);
        first.is_some() && first == real(other)
    }

    /// True where a directory on the way to `name` is a symbolic link.
    fn passes_a_link(&self, name: &str) -> bool {
        let directories = name
            .match_indices('/')
            .filter_map(|(end, _)| name.get(..end));
        directories.into_iter().any(|directory| {
            if self
                .plain_directories
                .borrow()
                .iter()
                .any(|known| known == directory)
            {
                return false;
            }
            self.kind_of(directory) == Ok(FileType::Symlink)
        })
    }

    /// True where no directory of that name is there, nor anything else: then no file in it is. Asked
    /// once, it spares the question for each file that may stand there.
    pub fn lacks(&self, directory: &str) -> bool {
        let known = |known: &String| known == directory;
        if self.absent_directories.borrow().iter().any(known) {
            return true;
        }
        let lacks = self.kind_of(directory) == Err(rustix::io::Errno::NOENT);
        if lacks {
            let mut absent = self.absent_directories.borrow_mut();
            absent.push(directory.to_owned());
        }
        lacks
    }

    /// What was absent may be there from now on.
    pub(super) fn made_directory(&self) {
        self.absent_directories.borrow_mut().clear();
    }

    /// What the symbolic link in the place of a directory says; `None` where none stands there.
    pub(super) fn link_at(&self, directory: &str) -> Option<String> {
        let known = |known: &String| known == directory;
        let is_known = self.plain_directories.borrow().iter().any(known);
        if is_known || self.kind_of(directory) != Ok(FileType::Symlink) {
            return None;
        }
        let target = std::fs::read_link(self.path(directory)).ok();
        Some(target.map_or_else(|| "?".to_owned(), |target| target.display().to_string()))
    }

    /// The names of all that is in a directory, sorted; none where there is no such directory. One
    /// that is no UTF-8 is told as well as it can be.
    pub fn list(&self, directory: &str) -> Checked<Vec<String>> {
        let path = self.path(directory);
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unlisted(directory, &error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| unlisted(directory, &error))?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    /// What is in a directory, sorted by name.
    pub fn entries(&self, directory: &str) -> Checked<Vec<(String, EntryKind)>> {
        let told = |error: io::Error| unlisted(directory, &error);
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(self.path(directory)).map_err(told)? {
            let entry = entry.map_err(told)?;
            let kind = entry.file_type().map_err(told)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            entries.push((name, EntryKind::from(kind)));
        }
        entries.sort();
        Ok(entries)
    }

    /// What stands at a path; `None` for nothing.
    pub fn kind(&self, name: &str) -> Checked<Option<EntryKind>> {
        let path = self.path(name);
        match std::fs::symlink_metadata(&path) {
            Ok(status) => Ok(Some(status.file_type().into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(name, &path, &error)),
        }
    }

    /// What stands there; a plain directory is remembered.
    fn kind_of(&self, directory: &str) -> rustix::io::Result<FileType> {
        let status = rustix::fs::lstat(self.path(directory))?;
        let kind = FileType::from_raw_mode(status.st_mode as _);
        if kind == FileType::Directory {
            let mut plain = self.plain_directories.borrow_mut();
            plain.push(directory.to_owned());
        }
        Ok(kind)
    }

    /// The slow way, for links: they may lead anywhere inside the workspace and nowhere else.
    fn open_linked(&self, name: &str, path: &Path) -> Checked<Opened> {
        let target = match std::fs::canonicalize(path) {
            Ok(target) => target,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return self.dangling(name, path);
            }
            Err(error) => return Err(unreadable(name, path, &error)),
        };
        let root = std::fs::canonicalize(self.root())
            .map_err(|error| unreadable(name, self.root(), &error))?;
        if !target.starts_with(&root) {
            return Err(Box::new(
                Diagnostic::new(
                    Code::LinkOutside,
                    Place::file(name),
                    "the link leads out of the workspace",
                )
                .found(format!("a link to {}", target.display()))
                .expected("a file, or a link to a file inside the workspace")
                .help("put the file itself there"),
            ));
        }
        match open(&target) {
            Ok(file) => regular(name, file),
            Err(error) => Err(unreadable(name, path, &error.into())),
        }
    }

    /// The path can't be resolved: either a link on the way dangles, or the directory behind a
    /// link simply has no such file.
    fn dangling(&self, name: &str, path: &Path) -> Checked<Opened> {
        if std::fs::symlink_metadata(path).is_err() && path.parent().is_some_and(Path::exists) {
            return Ok(Opened::Absent);
        }
        Err(Box::new(
            Diagnostic::new(
                Code::LinkDangling,
                Place::file(name),
                "the link leads to nothing",
            )
            .found(link_text(self, name))
            .expected("a file, or a link to a file inside the workspace")
            .help("remove the link, or let the writer of this signal make its target"),
        ))
    }
}

fn link_text(workspace: &Workspace, name: &str) -> String {
    let target: Option<PathBuf> = std::fs::read_link(workspace.path(name)).ok();
    target.map_or_else(
        || "a dangling link".to_owned(),
        |target| format!("a link to {}", target.display()),
    )
}

fn open(path: &Path) -> rustix::io::Result<File> {
    rustix::fs::openat(CWD, path, READ, Mode::empty()).map(File::from)
}

fn regular(name: &str, file: File) -> Checked<Opened> {
    let status = match file.metadata() {
        Ok(status) => status,
        Err(error) => return Err(unreadable(name, Path::new(name), &error)),
    };
    if !status.is_file() {
        return Err(not_regular(name, status.file_type()));
    }
    Ok(Opened::File(InputFile {
        name: name.to_owned(),
        size: status.len(),
        file,
    }))
}

fn in_words(kind: std::fs::FileType) -> &'static str {
    match kind {
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a named pipe",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_char_device() || kind.is_block_device() => "a device",
        _ => "something else",
    }
}

fn not_regular(name: &str, kind: std::fs::FileType) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::FileNotRegular,
            Place::file(name),
            "this is no regular file",
        )
        .found(in_words(kind))
        .expected("a regular file")
        .help("remove it, so that the writer of this file can make it again"),
    )
}

fn unreadable(name: &str, path: &Path, error: &io::Error) -> Box<Diagnostic> {
    if let Ok(status) = std::fs::symlink_metadata(path)
        && !status.is_file()
        && !status.is_symlink()
    {
        return not_regular(name, status.file_type());
    }
    Box::new(
        Diagnostic::new(
            Code::FileUnreadable,
            Place::file(name),
            "the file can't be read",
        )
        .found(plain(error))
        .expected("a file that the user of this run may read")
        .help("check the path and its permissions"),
    )
}

fn unlisted(directory: &str, error: &io::Error) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::FileUnreadable,
            Place::file(directory),
            "the directory can't be read",
        )
        .found(plain(error))
        .expected("a directory that the user of this run may read")
        .help("check the path and its permissions"),
    )
}

/// The system's words for an error, without Rust's error number in brackets.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let plain = text.split(" (os error").next().unwrap_or(&text);
    plain.to_lowercase()
}

impl InputFile {
    /// Reads the whole file, at most `limit` bytes.
    pub fn read_whole(self, limit: u64) -> Checked<Vec<u8>> {
        if self.size > limit {
            return Err(self.too_large(self.size, limit));
        }
        let mut bytes = Vec::new();
        loop {
            // One byte more than is there, so that one read tells the end: a regular file gives
            // less than asked for only there. Room is not zeroed before it is written.
            bytes.reserve_exact(self.capacity(bytes.len()) - bytes.len());
            let asked = bytes.capacity() - bytes.len();
            let count = self.read_more(&mut bytes)?;
            if bytes.len() as u64 > limit {
                return Err(self.too_large(bytes.len() as u64, limit));
            }
            if count < asked {
                return Ok(bytes);
            }
        }
    }

    /// Reads what comes next behind `bytes`, as much as there is room for; 0 at the end of the file.
    fn read_more(&self, bytes: &mut Vec<u8>) -> Checked<usize> {
        let read = retry_on_intr(|| rustix::io::read(&self.file, spare_capacity(bytes)));
        read.map_err(|error| self.failed(&error.into()))
    }

    /// How large a buffer has to be that holds `filled` bytes: what is there, or twice as much of
    /// a file that grew meanwhile.
    fn capacity(&self, filled: usize) -> usize {
        let known = usize::try_from(self.size).unwrap_or(usize::MAX - 1) + 1;
        if filled < known {
            known
        } else {
            filled.saturating_mul(2)
        }
    }

    fn too_large(&self, size: u64, limit: u64) -> Box<Diagnostic> {
        Box::new(
            Diagnostic::new(
                Code::FileTooLarge,
                Place::file(&self.name),
                "the file is too large",
            )
            .found(format!("{size} bytes"))
            .expected(format!("at most {limit} bytes"))
            .help("check its writer, or raise `--max-input-bytes`"),
        )
    }

    /// When the file's content was last changed, as the file system tells it.
    pub fn changed_at(&self) -> Checked<Timestamp> {
        let status = self.file.metadata().map_err(|error| self.failed(&error))?;
        let nanos = u32::try_from(status.mtime_nsec()).unwrap_or(0);
        Timestamp::from_unix(status.mtime(), nanos).ok_or_else(|| {
            Box::new(
                Diagnostic::new(
                    Code::ValueRange,
                    Place::file(&self.name),
                    "the time of the file's last change is out of range",
                )
                .found(format!("{} seconds since 1970", status.mtime()))
                .expected("a time in the years 1 to 9999")
                .help("let its writer write the file again, or `touch` it"),
            )
        })
    }

    /// The file's permission bits.
    pub fn mode(&self) -> Checked<u32> {
        let status = self.file.metadata().map_err(|error| self.failed(&error))?;
        Ok(status.mode() & 0o7777)
    }

    /// Reads what comes next into `buffer`; 0 at the end of the file.
    pub fn read_some(&mut self, buffer: &mut [u8]) -> Checked<usize> {
        loop {
            match self.file.read(buffer) {
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(&error)),
            }
        }
    }

    pub(crate) fn failed(&self, error: &io::Error) -> Box<Diagnostic> {
        unreadable(&self.name, Path::new(&self.name), error)
    }
}

/// Opens a file that a person named on the command line, wherever it is.
pub fn open_named(path: &Path) -> Checked<InputFile> {
    let name = path.display().to_string();
    let flags = READ.difference(OFlags::NOFOLLOW);
    let file = rustix::fs::openat(CWD, path, flags, Mode::empty()).map(File::from);
    let file = file.map_err(|error| unreadable(&name, path, &error.into()))?;
    match regular(&name, file)? {
        Opened::File(file) => Ok(file),
        Opened::Absent => Err(unreadable(&name, path, &io::ErrorKind::NotFound.into())),
    }
}

/// Why a file that a person named can't be opened.
#[derive(Debug)]
pub enum Unopened {
    /// It is no regular file but this.
    Other(&'static str),
    /// The system refuses.
    Failed(io::Error),
}

/// Opens what a person named on the command line to be read once: a regular file, or a descriptor
/// that this process was given (`/dev/stdin`, and `/dev/fd/63` for a shell's `<(...)`). Of a named
/// pipe nobody knows whether anybody will ever write to it, so it is refused and never waited for.
pub fn open_given(path: &Path) -> Result<File, Unopened> {
    let failed = |error: rustix::io::Errno| Unopened::Failed(error.into());
    let flags = READ.difference(OFlags::NOFOLLOW);
    let file = rustix::fs::openat(CWD, path, flags, Mode::empty()).map(File::from);
    let file = file.map_err(failed)?;
    let kind = file.metadata().map_err(Unopened::Failed)?.file_type();
    if kind.is_file() {
        return Ok(file);
    }
    if kind.is_dir() || !is_descriptor(path) {
        return Err(Unopened::Other(in_words(kind)));
    }
    rustix::fs::fcntl_setfl(&file, OFlags::empty()).map_err(failed)?;
    Ok(file)
}

/// True for a name of a descriptor that this process was started with.
fn is_descriptor(path: &Path) -> bool {
    path == Path::new("/dev/stdin")
        || path.parent().is_some_and(|parent| {
            parent == Path::new("/dev/fd") || parent == Path::new("/proc/self/fd")
        })
}

/// Reads a file that the product itself wrote: `None` where it is absent.
pub fn read_own(workspace: &Workspace, name: &str, limit: u64) -> Checked<Option<Vec<u8>>> {
    match workspace.open_input(name)? {
        Opened::Absent => Ok(None),
        Opened::File(file) => file.read_whole(limit).map(Some),
    }
}
