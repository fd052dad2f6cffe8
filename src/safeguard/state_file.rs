//! The small JSON files of the safeguards on disk: read, replaced, moved aside.
//!
//! Which keys they hold and what those mean is said where each safeguard is.

use super::kept::KeptObject;
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::read::read_own;
use crate::fs::{RetryDelays, Workspace, write};
use crate::signals::json::Document;

/// A file of the safeguards larger than this is none.
const LIMIT: u64 = 1024 * 1024;

/// The bytes of a file; `None` where it is absent.
pub(super) fn read(workspace: &Workspace, file: &str) -> Checked<Option<Vec<u8>>> {
    read_own(workspace, file, LIMIT)
}

/// The bytes as a JSON text. An empty file is unreadable here: it is no safeguard that is off.
pub(super) fn document<'a>(file: &'a str, bytes: &'a [u8]) -> Checked<Document<'a>> {
    Document::read(file, bytes)?.ok_or_else(|| {
        Box::new(
            Diagnostic::new(Code::JsonSyntax, Place::file(file), "the file is empty")
                .found("nothing")
                .expected("a JSON object")
                .help("let its writer write it again"),
        )
    })
}

/// The bytes as an object that can be changed and written again.
pub(super) fn kept(bytes: &[u8]) -> KeptObject {
    // Whoever asks has parsed the bytes as an object.
    let bare = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bare).unwrap_or_default();
    KeptObject::parse(text).unwrap_or_default()
}

/// Where an unreadable file is moved.
pub(super) fn aside(file: &str) -> String {
    format!("{file}.unreadable")
}

/// Gives a file that can't be read a second name, in place of an older one: under its own name it
/// stays until it is replaced, so that there is no moment without a file.
pub(super) fn keep_aside(workspace: &Workspace, file: &str, retry: &RetryDelays) -> Checked<()> {
    let second = aside(file);
    workspace.check_target(&second)?;
    let keep = || {
        write::remove(workspace, &second)?;
        write::link(workspace, file, &second)
    };
    retry.retry(keep).map_err(Into::into)
}

/// The warning for a file that was moved aside.
pub(super) fn moved(file: &str) -> Diagnostic {
    Diagnostic::new(
        Code::UnreadableMoved,
        Place::file(file),
        "the file could not be read; it was moved aside, and a new one stands in its place",
    )
    .found(format!("a file that can't be read, now at {}", aside(file)))
    .expected("a JSON object")
    .help("look at what was moved aside: keys of other tools are not in the new file")
}

/// Replaces a file durably, its directory made where it is absent. The caller has asked
/// [`Workspace::check_target`].
pub(super) fn replace(
    workspace: &Workspace,
    file: &str,
    bytes: &[u8],
    retry: &RetryDelays,
) -> Checked<()> {
    let replace = || {
        if let Some((directory, _)) = file.rsplit_once('/') {
            write::make_directory(workspace, directory)?;
        }
        write::replace_alike(workspace, file, bytes)
    };
    retry.retry(replace).map_err(Into::into)
}

/// True for the finding of a write that failed.
pub(super) fn is_write_failure(finding: &Diagnostic) -> bool {
    matches!(
        finding.code,
        Code::WriteFailed | Code::NotDurable | Code::LinkRefused | Code::FileNotRegular
    )
}
