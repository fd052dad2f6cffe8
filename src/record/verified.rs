//! How far the journals were verified in full: `state/journal_verified.json`.
//!
//! An object of journals with the head up to which every line was checked, signed as a journal's
//! line is where there is a key. It only saves work: what it does not name, or can't be read, is
//! checked again from the first line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::chain::Purpose;
use super::line;
use super::signing::Signed;
use super::{Head, LINE_LIMIT, Records, SigningKey};
use crate::diagnostic::Checked;
use crate::fs::read::read_own;
use crate::fs::{Workspace, write};
use crate::time::Timestamp;

/// The file, relative to the workspace.
pub const FILE: &str = "state/journal_verified.json";

#[derive(Serialize, Deserialize)]
struct Raw {
    timestamp: Timestamp,
    heads: BTreeMap<String, Head>,
}

/// The head up to which a journal was verified; `None` where nobody knows.
pub fn head_of(workspace: &Workspace, file: &str, key: Option<&SigningKey>) -> Option<Head> {
    load(workspace, key)?.get(file).copied()
}

/// A look at the last `lines` of a journal at least, and back to where it was verified before.
pub fn since(workspace: &Workspace, file: &str, key: Option<&SigningKey>, lines: usize) -> Purpose {
    Purpose::Since {
        lines,
        verified: head_of(workspace, file, key),
    }
}

fn load(workspace: &Workspace, key: Option<&SigningKey>) -> Option<BTreeMap<String, Head>> {
    let bytes = read_own(workspace, FILE, LINE_LIMIT).ok().flatten()?;
    let line = bytes.trim_ascii_end();
    // With a key, only what the key signed counts; without one, a signed file says no less.
    let trusted = match (Signed::parse(line), key) {
        (Some(signed), Some(key)) => signed.is_by(key.current()),
        (Some(_), None) => true,
        (None, key) => key.is_none(),
    };
    if !trusted {
        return None;
    }
    let raw: Raw = serde_json::from_slice(line).ok()?;
    Some(raw.heads)
}

/// Records that every line up to these heads was verified; what is known of other journals stays.
pub fn store(
    records: Records<'_>,
    at: Timestamp,
    heads: impl IntoIterator<Item = (String, Head)>,
) -> Checked<()> {
    let mut all = load(records.workspace, records.key).unwrap_or_default();
    all.extend(heads);
    let raw = Raw {
        timestamp: at,
        heads: all,
    };
    let mut bytes = line::finish(&raw, records.key);
    bytes.push(b'\n');
    records
        .retry
        .retry(|| write::replace_rarely(records.workspace, FILE, &bytes))
        .map_err(Into::into)
}
