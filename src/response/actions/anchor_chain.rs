//! The chain of anchors: `mirrors/anchor_chain.json`, its format and its verification.
//!
//! An entry names a mirror with its SHA-256; `chain_hash` is the SHA-256 of the hexadecimal text of
//! the chain hash before (empty for the first) followed by that of `sha256` (row OR-25). Two things
//! that the hashes alone don't show make an entry wrong as well: a mirror that an earlier entry
//! named already, and a time before that of the entry before. Field chains have both.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::fs::read::read_own;
use crate::ids::Digest;

/// The chain, relative to the workspace.
pub(super) const FILE: &str = "mirrors/anchor_chain.json";

/// A chain or a mirror larger than this is none.
pub(super) const LIMIT: u64 = 64 * 1024 * 1024;

/// An entry of the chain, as it stands on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// `yyyymmddTHHMMSS+0000`.
    pub(super) timestamp: String,
    /// The mirror's name within `mirrors/`.
    pub(super) file: String,
    /// Its SHA-256.
    pub(super) sha256: Digest,
    /// What ties it to the entries before.
    pub(super) chain_hash: Digest,
}

/// The chain hash of an entry behind `before`.
pub(super) fn chain_hash(before: Option<&Digest>, sha256: &Digest) -> Digest {
    let before = before.map_or_else(String::new, Digest::to_string);
    Digest::of(format!("{before}{sha256}").as_bytes())
}

/// The bytes of the chain and its entries; `None` where there is no chain.
pub(super) fn load(workspace: &Workspace) -> Checked<Option<(Vec<u8>, Vec<Entry>)>> {
    let Some(bytes) = read_own(workspace, FILE, LIMIT)? else {
        return Ok(None);
    };
    let entries: Vec<Entry> = serde_json::from_slice(&bytes).map_err(|error| {
        let place = Place::line(FILE, error.line() as u64).column(error.column().max(1) as u64);
        Box::new(
            Diagnostic::new(
                Code::AnchorChainBroken,
                place,
                "the chain of anchors can't be read",
            )
            .found(error.to_string())
            .expected("an array of entries with `timestamp`, `file`, `sha256` and `chain_hash`")
            .help("restore it from version control, or from mirrors/anchor_chain.json.backup"),
        )
    })?;
    Ok(Some((bytes, entries)))
}

/// Holds every entry against its mirror and the entry before. The findings name the entries that
/// don't hold; the number of those that do comes with them.
pub(super) fn verify(workspace: &Workspace, entries: &[Entry]) -> (usize, Vec<Diagnostic>) {
    let mut findings = Vec::new();
    let mut named = BTreeSet::new();
    let mut before: Option<&Entry> = None;
    let mut hold = 0;
    for (index, entry) in entries.iter().enumerate() {
        let mut faults = Vec::new();
        let expected = chain_hash(before.map(|before| &before.chain_hash), &entry.sha256);
        if expected != entry.chain_hash {
            faults.push(format!(
                "its chain hash is {}, and the entries so far give {}",
                entry.chain_hash.short(),
                expected.short()
            ));
        }
        faults.extend(mirror_fault(workspace, entry));
        if !named.insert(entry.file.as_str()) {
            faults.push(format!("an earlier entry names {} already", entry.file));
        }
        if let Some(before) = before.filter(|before| before.timestamp > entry.timestamp) {
            faults.push(format!(
                "its time {} lies before {}, the entry before",
                entry.timestamp, before.timestamp
            ));
        }
        if faults.is_empty() {
            hold += 1;
        } else {
            findings.push(broken(index, entry, &faults));
        }
        before = Some(entry);
    }
    (hold, findings)
}

/// A name that can only be a file in `mirrors/`.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}

fn mirror_fault(workspace: &Workspace, entry: &Entry) -> Option<String> {
    if !is_plain_name(&entry.file) {
        return Some("its file is no name within mirrors/".to_owned());
    }
    match read_own(workspace, &format!("mirrors/{}", entry.file), LIMIT) {
        Ok(Some(bytes)) if Digest::of(&bytes) == entry.sha256 => None,
        Ok(Some(bytes)) => Some(format!(
            "{} has the SHA-256 {}, the entry says {}",
            entry.file,
            Digest::of(&bytes).short(),
            entry.sha256.short()
        )),
        Ok(None) => Some(format!("{} is gone", entry.file)),
        Err(finding) => Some(format!("{}: {}", entry.file, finding.message)),
    }
}

fn broken(index: usize, entry: &Entry, faults: &[String]) -> Diagnostic {
    Diagnostic::new(
        Code::AnchorChainBroken,
        Place::file(FILE).path(format!("$[{index}]")),
        format!(
            "entry {} of the chain of anchors does not hold: {}",
            index + 1,
            faults.join("; ")
        ),
    )
    .found(&entry.file)
    .expected(
        "a mirror of its own with the digest that the entry names, chained to the entry before",
    )
    .help("find out who changed it, and restore `mirrors/` from version control")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_hash_is_that_of_the_field() {
        // The first two entries of a chain that a real predecessor wrote.
        let digest = |text| Digest::parse(text).unwrap();
        let mirror = digest("d3a1d33abc3b6172356faff03aab52ad847cb320c400e58a67fa40c2207e5010");
        let first = digest("225536969dd4b587d8ff79e371c4c9a6485b47e111156d4e4c889ff47222e5e9");
        let second = digest("8a697aed0361845e67cd860626e548c9e9dae64c9342664a528f640254aa5fdd");
        assert_eq!(chain_hash(None, &mirror), first);
        assert_eq!(chain_hash(Some(&first), &mirror), second);
    }

    #[test]
    fn a_name_can_lead_nowhere_else() {
        for name in ["", "..", "../x", "a/b", ".hidden", "a\\b"] {
            assert!(!is_plain_name(name), "{name}");
        }
        assert!(is_plain_name("anchor_20250101T000000+0000.json"));
    }
}
