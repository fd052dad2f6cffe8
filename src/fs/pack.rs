//! Whole files packed with gzip, so that `zcat` reads them, and unpacked again.
//!
//! In constant memory. What is unpacked goes into a file without a name, which nobody else can change
//! and which is gone with its reader. One and the same content gives the same bytes: no time and no
//! name is written into them.

use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};

use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};

use super::read::{self, InputFile};
use super::write::{Copying, WriteError};
use super::{RetryDelays, Workspace};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};

/// How much is read at a time.
const CHUNK: usize = 256 * 1024;

/// Packs a file as it was when it was opened into the file `to`, durably, with its permissions.
/// `temporary` is a name on the same file system.
pub fn pack(
    workspace: &Workspace,
    input: &InputFile,
    to: &str,
    temporary: &str,
    retry: &RetryDelays,
) -> Checked<()> {
    let mode = input
        .file
        .metadata()
        .map_err(|error| input.failed(&error))?;
    let mode = mode.permissions().mode() & 0o777;
    let packed = retry.retry(|| {
        let mut copying = Copying::begin(workspace, to, temporary)?;
        let written = write_packed(input, copying.file());
        written.map_err(|error| WriteError::new(to, "write", error))?;
        copying.finish(mode, None)
    });
    packed.map_err(Into::into)
}

fn write_packed(input: &InputFile, file: &mut std::fs::File) -> io::Result<()> {
    let mut packer = GzBuilder::new().write(file, Compression::default());
    let mut buffer = vec![0; CHUNK];
    let mut at = 0;
    while at < input.size {
        let left = usize::try_from(input.size - at).unwrap_or(usize::MAX);
        let room = buffer.get_mut(..left.min(CHUNK)).unwrap_or_default();
        let count = input.file.read_at(room, at)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        packer.write_all(room.get(..count).unwrap_or_default())?;
        at += count as u64;
    }
    packer.finish().map(drop)
}

/// Unpacks a file into one without a name. One that holds more than `limit` bytes is refused.
pub fn unpack(packed: &InputFile, limit: u64) -> Checked<InputFile> {
    let mut file = tempfile::tempfile().map_err(|error| no_room(packed, &error))?;
    let mut unpacked = GzDecoder::new(&packed.file).take(limit.saturating_add(1));
    let mut buffer = vec![0; CHUNK];
    let mut size = 0;
    loop {
        let count = unpacked
            .read(&mut buffer)
            .map_err(|error| broken(packed, &error))?;
        let part = buffer.get(..count).unwrap_or_default();
        if part.is_empty() {
            break;
        }
        file.write_all(part)
            .map_err(|error| no_room(packed, &error))?;
        size += count as u64;
    }
    if size > limit {
        let error = io::Error::other(format!("more than {limit} bytes"));
        return Err(broken(packed, &error));
    }
    Ok(InputFile {
        name: packed.name.clone(),
        size,
        file,
    })
}

/// The first bytes of what a file unpacks to, at most `limit` of them.
pub fn start(packed: &InputFile, limit: u64) -> Checked<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut unpacked = GzDecoder::new(&packed.file).take(limit);
    unpacked
        .read_to_end(&mut bytes)
        .map_err(|error| broken(packed, &error))?;
    Ok(bytes)
}

fn broken(packed: &InputFile, error: &io::Error) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::SegmentChanged,
            Place::file(&packed.name),
            "the packed file can't be unpacked",
        )
        .found(read::plain(error))
        .expected("a file as `gzip` writes it")
        .help("restore it from version control"),
    )
}

fn no_room(packed: &InputFile, error: &io::Error) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::WriteFailed,
            Place::file(&packed.name),
            "the packed file can't be unpacked into a temporary file",
        )
        .found(read::plain(error))
        .expected("room in the directory for temporary files")
        .help("make room there, or name another directory in TMPDIR"),
    )
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make what stands there")]
mod tests {
    use super::*;
    use crate::fs::Opened;

    fn open(workspace: &Workspace, name: &str) -> InputFile {
        match workspace.open_input(name).unwrap() {
            Opened::File(input) => input,
            Opened::Absent => panic!("{name}"),
        }
    }

    #[test]
    fn what_is_packed_unpacks_to_the_same_and_always_packs_to_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let workspace = Workspace::open(directory.path()).unwrap();
        for content in [&b""[..], b"one line\n", &vec![b'x'; 3 * CHUNK + 7]] {
            std::fs::write(directory.path().join("plain"), content).unwrap();
            let plain = open(&workspace, "plain");
            for name in ["a.gz", "b.gz"] {
                pack(&workspace, &plain, name, ".tmp", &RetryDelays::none()).unwrap();
            }
            let read = |name: &str| std::fs::read(directory.path().join(name)).unwrap();
            assert_eq!(read("a.gz"), read("b.gz"));
            let unpacked = unpack(&open(&workspace, "a.gz"), content.len() as u64).unwrap();
            let mut bytes = vec![0; content.len() + 1];
            let count = unpacked.file.read_at(&mut bytes, 0).unwrap();
            assert_eq!((&bytes[..count], unpacked.size), (content, count as u64));
            assert!(start(&open(&workspace, "a.gz"), 4).unwrap().len() <= 4);
            if let Some(less) = (content.len() as u64).checked_sub(1) {
                unpack(&open(&workspace, "a.gz"), less).unwrap_err();
            }
        }
        std::fs::write(directory.path().join("no.gz"), "no gzip at all").unwrap();
        unpack(&open(&workspace, "no.gz"), 100).unwrap_err();
    }
}
