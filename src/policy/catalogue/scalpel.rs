//! `.scalpel/policy.yaml`: what an editing tool may change.

use super::counted;
use super::reader::Reader;
use crate::policy::source::Node;

/// Where such a document stands.
pub(super) const FILE: &str = ".scalpel/policy.yaml";

/// The document.
#[derive(Debug, Clone, PartialEq)]
pub struct EditingPolicy {
    /// The version of its format.
    pub version: String,
    /// Is anything of it kept?
    pub enabled: Option<bool>,
    /// Is everything denied where something was tampered with?
    pub fail_closed: Option<bool>,
    /// How complex a changed function may be.
    pub max_complexity: Option<u64>,
    /// How large a changed file may be; the document does not say in what.
    pub max_file_size: Option<u64>,
    /// How many changes one operation may make.
    pub max_changes_per_operation: Option<u64>,
    /// Files that nothing may change, as patterns.
    pub protected_files: Vec<String>,
    /// Operations that nothing may do.
    pub protected_operations: Vec<String>,
}

/// Reads the document.
pub(super) fn read(reader: &mut Reader<'_>, root: &Node) -> Option<EditingPolicy> {
    let root = reader.map(root, &["version", "enforcement", "limits", "protected"])?;
    let version = reader.needed_text(root, "version");
    let enforcement = reader
        .needed(root, "enforcement")
        .and_then(|node| reader.map(node, &["enabled", "fail_closed"]));
    let limits = root.get("limits").and_then(|node| {
        let known = [
            "max_complexity",
            "max_file_size",
            "max_changes_per_operation",
        ];
        reader.map(node, &known)
    });
    let protected = root
        .get("protected")
        .and_then(|node| reader.map(node, &["files", "operations"]));
    let limit = |reader: &mut Reader<'_>, key| reader.whole(limits.and_then(|map| map.get(key)));
    let names = |reader: &mut Reader<'_>, key| reader.texts(protected.and_then(|map| map.get(key)));
    Some(EditingPolicy {
        version,
        enabled: switch(
            reader,
            enforcement,
            "enabled",
            "`enabled: false` keeps nothing of the document",
        ),
        fail_closed: switch(
            reader,
            enforcement,
            "fail_closed",
            "`fail_closed: false` lets work go on after tampering",
        ),
        max_complexity: limit(reader, "max_complexity"),
        max_file_size: limit(reader, "max_file_size"),
        max_changes_per_operation: limit(reader, "max_changes_per_operation"),
        protected_files: names(reader, "files"),
        protected_operations: names(reader, "operations"),
    })
}

/// A switch that should be on; one that is off is warned of (row C-53).
fn switch(reader: &mut Reader<'_>, map: Option<&Node>, key: &str, off: &str) -> Option<bool> {
    let node = map?.get(key)?;
    let flag = reader.flag(Some(node));
    if flag == Some(false) {
        reader.weak(node, off, "`true`");
    }
    flag
}

impl EditingPolicy {
    /// What it holds, in a clause.
    pub(super) fn summary(&self) -> String {
        let limits = [
            self.max_complexity,
            self.max_file_size,
            self.max_changes_per_operation,
        ];
        format!(
            "{}, {} of files and {} protected",
            counted(limits.iter().flatten().count(), "limit"),
            counted(self.protected_files.len(), "pattern"),
            counted(self.protected_operations.len(), "operation")
        )
    }
}
