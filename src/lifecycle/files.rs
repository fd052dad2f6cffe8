//! The files of the versions, each held against its digest, and the document that decides.

use super::version::{Document, Version};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::read::read_own;
use crate::fs::{RetryDelays, Workspace, write};
use crate::ids::Digest;
use crate::policy::Policy;
use crate::policy::document::{self, LIMIT};

/// Where the versions lie, relative to the workspace.
pub const VERSIONS_DIR: &str = "policy/versions";

/// The temporary files that a killed step may have left.
pub(super) const TEMPORARIES: [&str; 2] = ["policy/.record.tmp", "policy/versions/.record.tmp"];

/// The largest update record.
pub(super) const RECORD_LIMIT: u64 = 256 * 1024;

/// The longest part of an id that comes from a document.
const PART_LENGTH: usize = 40;

/// The id of a version: what a document says of itself, as far as it can stand in a file's name, and
/// twelve digits of its SHA-256.
pub(super) fn id(name: &str, number: &str, sha256: Digest) -> String {
    format!("{}-{}-{}", plain(name), plain(number), sha256.short())
}

fn plain(text: &str) -> String {
    let keep = |character: char| match character {
        '.' | '_' => character,
        _ if character.is_ascii_alphanumeric() => character.to_ascii_lowercase(),
        _ => '-',
    };
    let text: String = text.chars().take(PART_LENGTH).map(keep).collect();
    let text = text.trim_matches(['.', '-']);
    if text.is_empty() { "x" } else { text }.to_owned()
}

/// The file of a version's document.
pub(super) fn document_file(id: &str) -> String {
    format!("{VERSIONS_DIR}/{id}.yaml")
}

/// The file of a version's update record.
pub(super) fn record_file(id: &str) -> String {
    format!("{VERSIONS_DIR}/{id}.json")
}

/// Writes a file of a version.
pub(super) fn keep(
    workspace: &Workspace,
    file: &str,
    bytes: &[u8],
    retry: &RetryDelays,
) -> Checked<()> {
    workspace.check_target(file)?;
    let keep = || {
        write::make_directory(workspace, VERSIONS_DIR)?;
        write::replace_rarely(workspace, file, bytes)
    };
    retry.retry(keep).map_err(Into::into)
}

/// The very bytes of a version's document.
pub(super) fn document(workspace: &Workspace, version: &Version) -> Checked<Vec<u8>> {
    exact(
        workspace,
        &document_file(&version.id),
        version.sha256,
        LIMIT,
    )
}

/// The very bytes of a version's update record.
pub(super) fn record(workspace: &Workspace, version: &Version) -> Checked<Vec<u8>> {
    exact(
        workspace,
        &record_file(&version.id),
        version.record_sha256,
        RECORD_LIMIT,
    )
}

/// The bytes of a file that have this digest. Fails where it is gone or changed.
pub(super) fn exact(
    workspace: &Workspace,
    file: &str,
    sha256: Digest,
    limit: u64,
) -> Checked<Vec<u8>> {
    let found = match read_own(workspace, file, limit)? {
        Some(bytes) if Digest::of(&bytes) == sha256 => return Ok(bytes),
        Some(bytes) => format!("bytes with the SHA-256 {}", Digest::of(&bytes).short()),
        None => "no such file".to_owned(),
    };
    Err(Box::new(
        Diagnostic::new(
            Code::VersionChanged,
            Place::file(file),
            "a file of this version is not the one that was recorded",
        )
        .found(found)
        .expected(format!("the bytes with the SHA-256 {}", sha256.short()))
        .help("restore it from version control, or take the changed document in as a version of its own with `policy-orchestrator policy draft FILE --reason TEXT`"),
    ))
}

/// What decides now.
#[derive(Debug)]
pub(super) struct Deciding {
    /// The policy.
    pub(super) policy: Policy,
    /// Its file and digest.
    pub(super) document: Document,
    /// Everything that is wrong with it.
    pub(super) problems: Vec<Diagnostic>,
}

impl Deciding {
    pub(super) fn load(workspace: &Workspace) -> Self {
        let loaded = document::load(workspace);
        Self {
            document: Document {
                file: loaded.file.map(str::to_owned),
                sha256: loaded.policy.identity().sha256,
            },
            policy: loaded.policy,
            problems: loaded.problems,
        }
    }

    /// The same where it can be read as a policy.
    pub(super) fn sound(workspace: &Workspace) -> Result<Self, Vec<Diagnostic>> {
        let deciding = Self::load(workspace);
        if deciding.problems.is_empty() {
            Ok(deciding)
        } else {
            Err(deciding.problems)
        }
    }

    /// True where nobody can say which of two documents decides.
    pub(super) fn is_ambiguous(&self) -> bool {
        let mut problems = self.problems.iter();
        problems.any(|problem| problem.code == Code::PolicyAmbiguous)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_can_stand_in_a_file_name() {
        let sha256 = Digest::of(b"");
        let table = [
            (("reference", "2"), "reference-2-e3b0c44298fc"),
            (("../../etc", "1/2"), "etc-1-2-e3b0c44298fc"),
            (("Für alle", "2026.1"), "f-r-alle-2026.1-e3b0c44298fc"),
            (("…", ""), "x-x-e3b0c44298fc"),
        ];
        for ((name, number), expected) in table {
            assert_eq!(id(name, number, sha256), expected);
        }
    }
}
