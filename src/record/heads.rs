//! The heads of all journals but that of decisions: `state/journal_heads.json`.
//!
//! An object of journals (paths relative to the workspace) with the number and the digest of their
//! last lines. The head of the journal of decisions is in the state file.

use std::collections::BTreeMap;

use super::{HEADS_FILE, Head, JOURNALS, LINE_LIMIT, Records, STATE_JOURNAL};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::read::read_own;
use crate::fs::{Workspace, write};

/// The recorded heads by journal; none where the file is absent.
pub fn load(workspace: &Workspace) -> Checked<BTreeMap<String, Head>> {
    let Some(bytes) = read_own(workspace, HEADS_FILE, LINE_LIMIT)? else {
        return Ok(BTreeMap::new());
    };
    let unknown = |heads: &BTreeMap<String, Head>| {
        let mut names = heads.keys();
        names.any(|name| !JOURNALS.contains(&name.as_str()))
    };
    let parsed: Result<BTreeMap<String, Head>, _> = serde_json::from_slice(&bytes);
    if parsed.as_ref().is_ok_and(unknown) {
        return Err(Box::new(
            Diagnostic::new(
                Code::JournalBroken,
                Place::file(HEADS_FILE),
                "the heads name a file that is no journal of ours",
            )
            .found(format!(
                "{:?}",
                parsed
                    .map(|heads| heads.into_keys().collect::<Vec<_>>())
                    .unwrap_or_default()
            ))
            .expected(JOURNALS.join(", "))
            .help("restore it from version control"),
        ));
    }
    parsed.map_err(|error| {
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

/// Keeps `head` as that of the journal `file`; the others stay.
pub fn store(records: Records<'_>, file: &str, head: Head) -> Checked<()> {
    let mut all = load(records.workspace)?;
    all.insert(file.to_owned(), head);
    let bytes = crate::fs::pretty(&all);
    records
        .retry
        .retry(|| write::replace_rarely(records.workspace, HEADS_FILE, &bytes))
        .map_err(Into::into)
}

/// Every journal that can be in the workspace, with its recorded head: the known ones, and then what
/// else the file of heads names. `decisions` is the head that the state file names.
///
/// Readers call this before they read the journals, which may grow meanwhile.
pub fn of_all(
    workspace: &Workspace,
    decisions: Option<Head>,
) -> Checked<Vec<(String, Option<Head>)>> {
    let mut others = load(workspace)?;
    let mut all = Vec::new();
    for file in JOURNALS {
        let recorded = others.remove(file);
        let head = if file == STATE_JOURNAL {
            decisions
        } else {
            recorded
        };
        all.push((file.to_owned(), head));
    }
    all.extend(others.into_iter().map(|(file, head)| (file, Some(head))));
    Ok(all)
}
