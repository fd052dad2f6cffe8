//! Policy documents kept under their digest: `state/policies/<sha256>`.
//!
//! One is kept before a journal line names it, so that what it decided can be decided again, and so
//! that it can be put back. What the bytes mean is said in [`crate::policy`].

use super::{LINE_LIMIT, POLICIES_DIR};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::read::read_own;
use crate::fs::{RetryDelays, Workspace, write};
use crate::ids::Digest;

/// The temporary file of [`keep`].
pub const TEMPORARY: &str = "state/policies/.document.tmp";

/// The file of the document with this digest, relative to the workspace.
pub fn file(sha256: Digest) -> String {
    format!("{POLICIES_DIR}/{sha256}")
}

/// Keeps a document; one that is there with its very bytes stays.
pub fn keep(
    workspace: &Workspace,
    sha256: Digest,
    document: &[u8],
    retry: &RetryDelays,
) -> Checked<()> {
    let name = file(sha256);
    let kept = read_own(workspace, &name, LINE_LIMIT);
    if kept.is_ok_and(|bytes| bytes.as_deref() == Some(document)) {
        return Ok(());
    }
    let keep = || {
        write::make_directory(workspace, POLICIES_DIR)?;
        write::replace_by_way_of(workspace, &name, TEMPORARY, document)
    };
    retry.retry(keep).map_err(Into::into)
}

/// The very bytes of a kept document. Fails where they are gone or others.
pub fn read(workspace: &Workspace, sha256: Digest) -> Checked<Vec<u8>> {
    let name = file(sha256);
    let found = match read_own(workspace, &name, LINE_LIMIT)? {
        Some(bytes) if Digest::of(&bytes) == sha256 => return Ok(bytes),
        Some(bytes) => format!("bytes with the SHA-256 {}", Digest::of(&bytes)),
        None => "no such file".to_owned(),
    };
    Err(Box::new(
        Diagnostic::new(
            Code::PolicyCopyChanged,
            Place::file(name),
            "a kept policy document is not what its name says",
        )
        .found(found)
        .expected("the bytes that its name is the SHA-256 of")
        .help("restore it from version control"),
    ))
}
