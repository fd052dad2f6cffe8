//! The heads of all journals but that of decisions: `state/journal_heads.json`.
//!
//! An object of journals (paths relative to the workspace) with the number and the digest of their
//! last lines. The head of the journal of decisions is in the state file.

use std::collections::BTreeMap;

use super::{HEADS_FILE, Head, LINE_LIMIT};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::fs::read::read_own;

/// The recorded heads by journal; none where the file is absent.
pub fn load(workspace: &Workspace) -> Checked<BTreeMap<String, Head>> {
    let Some(bytes) = read_own(workspace, HEADS_FILE, LINE_LIMIT)? else {
        return Ok(BTreeMap::new());
    };
    serde_json::from_slice(&bytes).map_err(|error| {
        Box::new(
            Diagnostic::new(
                Code::JournalBroken,
                Place::line(HEADS_FILE, error.line() as u64),
                "the heads of the journals can't be read",
            )
            .found(error.to_string())
            .expected("an object of journals with `seq` and `sha256`")
            .help("restore it from version control"),
        )
    })
}
