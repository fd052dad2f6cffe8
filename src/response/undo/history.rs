//! What a response did to each file, over all its actions, and what that means for an undo. Pure.

use std::collections::BTreeMap;

use super::file::UndoFile;
use crate::fs::Fingerprint;

/// What a response did to one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct History<'a> {
    /// Relative to the workspace.
    pub(super) path: &'a str,
    /// What stood there before its first action.
    pub(super) before: Option<Fingerprint>,
    /// What stood there after its last.
    pub(super) after: Option<Fingerprint>,
    /// Where the bytes of before are.
    pub(super) backup: Option<&'a str>,
    /// Who owned it before.
    pub(super) owner: Option<[u32; 2]>,
    /// False where somebody else changed it between two of its actions.
    pub(super) unbroken: bool,
}

/// The histories of all files, by path. The undo files are those of one response in the order of
/// its actions.
pub(super) fn histories(undos: &[UndoFile]) -> BTreeMap<&str, History<'_>> {
    let mut all: BTreeMap<&str, History<'_>> = BTreeMap::new();
    for change in undos.iter().flat_map(|undo| &undo.files) {
        let known = all.entry(change.path.as_str()).or_insert_with(|| History {
            path: &change.path,
            before: change.before,
            after: change.before,
            backup: change.backup.as_deref(),
            owner: change.owner,
            unbroken: true,
        });
        known.unbroken &= known.after == change.before;
        known.after = change.after;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::file::{FileChange, Outcome};
    use super::*;
    use crate::ids::Digest;
    use crate::time::Timestamp;

    fn print(text: &str) -> Fingerprint {
        Fingerprint {
            sha256: Digest::of(text.as_bytes()),
            mode: 0o644,
        }
    }

    fn action(before: Option<Fingerprint>, after: Option<Fingerprint>) -> UndoFile {
        UndoFile {
            response_id: "r".to_owned(),
            action: "a".to_owned(),
            executed_at: Timestamp::read("2026-01-15").unwrap().time,
            undo_instruction: String::new(),
            schema: 1,
            index: 0,
            undo_of: None,
            outcome: Outcome::Known,
            backup_path: String::new(),
            backup_sha256: Digest::of(b""),
            post_sha256: None,
            files: vec![FileChange {
                before,
                after,
                ..FileChange::new("f".to_owned())
            }],
            present: Vec::new(),
            missing_directories: Vec::new(),
            changes: Vec::new(),
            creates: Vec::new(),
        }
    }

    #[test]
    fn a_file_that_two_actions_touched_goes_back_to_before_the_first() {
        let undos = [
            action(Some(print("0")), Some(print("1"))),
            action(Some(print("1")), None),
        ];
        let history = histories(&undos)["f"].clone();
        assert_eq!((history.before, history.after), (Some(print("0")), None));
        assert!(history.unbroken);
    }

    #[test]
    fn a_change_by_somebody_else_between_two_actions_is_seen() {
        let undos = [
            action(None, Some(print("1"))),
            action(Some(print("2")), Some(print("3"))),
        ];
        let history = histories(&undos)["f"].clone();
        assert_eq!((history.before, history.after), (None, Some(print("3"))));
        assert!(!history.unbroken);
    }
}
