//! What can be wrong with protected files, in words (pure).

use serde::Serialize;

use super::rules::MANIFEST;
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::ids::Digest;
use crate::record::AUDIT_LOG;

/// What kind of tampering it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A protected file has other bytes.
    Changed,
    /// A file that nobody accepted stands where everything is protected.
    Added,
    /// A protected file is gone.
    Deleted,
    /// A symbolic link stands in its place, or on the way to it.
    Link,
    /// It has a second name, through which it can be changed.
    HardLink,
    /// Something that is no file stands in its place.
    NotAFile,
    /// It can't be read.
    Unreadable,
    /// The manifest is not the one that was recorded.
    Manifest,
    /// The manifest's signature is not the key's, or is gone.
    Signature,
    /// The record does not lead to this manifest.
    Record,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What kind.
    pub kind: Kind,
    /// Where.
    pub path: String,
    /// What was accepted: a digest, or words.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

impl Problem {
    /// A problem of a protected file.
    pub(super) fn of_file(
        kind: Kind,
        path: &str,
        expected: Option<Digest>,
        found: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            path: path.to_owned(),
            expected: expected.map_or_else(|| "no file".to_owned(), |sha256| sha256.to_string()),
            found: found.into(),
        }
    }

    /// A problem of the manifest.
    pub(super) fn of_manifest(
        kind: Kind,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            path: MANIFEST.to_owned(),
            expected: expected.into(),
            found: found.into(),
        }
    }

    /// A problem of the record.
    pub(super) fn of_record(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            kind: Kind::Record,
            path: AUDIT_LOG.to_owned(),
            expected: expected.into(),
            found: found.into(),
        }
    }

    /// The problem as a finding.
    pub fn to_diagnostic(&self) -> Diagnostic {
        let message = match self.kind {
            Kind::Changed => "a protected file was changed, and nobody accepted that",
            Kind::Added => "a file stands where every file is protected, and nobody accepted it",
            Kind::Deleted => "a protected file is gone, and nobody accepted that",
            Kind::Link => {
                "a symbolic link stands in the place of a protected file, or on the way to it"
            }
            Kind::HardLink => "a protected file has a second name, through which it can be changed",
            Kind::NotAFile => "something that is no file stands where a protected file belongs",
            Kind::Unreadable => {
                "a protected file can't be read, so nobody knows whether it was changed"
            }
            Kind::Manifest => "the manifest is not the one that was recorded",
            Kind::Signature => "the manifest is not signed by the key that is set",
            Kind::Record => {
                "the record does not lead to this manifest: it was cut, put back or changed"
            }
        };
        let digest = |text: &str| match Digest::parse(text) {
            Some(_) => format!("SHA-256 {text}"),
            None => text.to_owned(),
        };
        let help = match self.kind {
            Kind::HardLink => {
                "find the other name (`find . -inum $(stat -c %i FILE)`), and give the file one of its own: `cp FILE FILE.new && mv FILE.new FILE`"
            }
            Kind::Manifest | Kind::Signature => {
                "put policy/manifest.json back from version control; where protected files were changed on purpose, `policy-orchestrator policy accept --reason TEXT` makes it anew and records who did"
            }
            Kind::Record => {
                "put state/ back from version control; `policy-orchestrator audit verify` says more. Where that can't be done: `audit reseal --journal state/audit.log --reason TEXT` for a broken log, then `policy accept --reason TEXT`"
            }
            _ => {
                "put it back from version control (`git checkout -- FILE`), or, where the change is meant, record it: `policy-orchestrator policy accept --reason TEXT`"
            }
        };
        Diagnostic::new(Code::PolicyTampered, Place::file(&self.path), message)
            .found(digest(&self.found))
            .expected(digest(&self.expected))
            .help(help)
    }
}
