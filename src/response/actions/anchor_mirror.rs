//! `integrity_anchor_mirror`: copies `artifacts/integrity_anchor.json` to `mirrors/anchor_<time>.json`
//! and chains the copy (rows OR-24 to OR-26).
//!
//! The chain as it was is kept as `mirrors/anchor_chain.json.backup` before anything changes (D-08),
//! then the mirror is written, then the chain, which is the commit: a kill leaves the old chain or
//! the new one, and at worst a mirror that no entry names.

use super::anchor_chain::{self, Entry, chain_hash};
use super::{Found, Ground};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::read::read_own;
use crate::fs::{WorkspaceLock, write};
use crate::ids::Digest;

/// What is mirrored, relative to the workspace.
const SOURCE: &str = "artifacts/integrity_anchor.json";

/// The chain as it was before the last mirror.
const BACKUP: &str = "mirrors/anchor_chain.json.backup";

/// A fixed name, so that one that a killed process left is removed by the next mirror.
const TEMPORARY: &str = "mirrors/.anchor.json.tmp";

/// How far ahead a free name is looked for: names are a second apart.
const SECONDS: i64 = 3600;

/// What there is to do, read from the workspace.
struct Plan {
    anchor: Vec<u8>,
    former: Option<Vec<u8>>,
    entries: Vec<Entry>,
    entry: Entry,
}

/// Says what [`mirror`] would do.
pub(super) fn preview(ground: Ground<'_>) -> Checked<Found> {
    let plan = plan(ground)?;
    let mut found = Found::default();
    found.note(format!(
        "would copy {SOURCE} (SHA-256 {}) to mirrors/{} as entry {} of the chain",
        plan.entry.sha256.short(),
        plan.entry.file,
        plan.entries.len() + 1
    ));
    Ok(found)
}

/// Mirrors the anchor.
pub(super) fn mirror(ground: Ground<'_>, _lock: &WorkspaceLock) -> Checked<Found> {
    let Plan {
        anchor,
        former,
        mut entries,
        entry,
    } = plan(ground)?;
    let mut found = Found::default();
    found.note(format!(
        "copied {SOURCE} (SHA-256 {}) to mirrors/{} as entry {} of the chain",
        entry.sha256.short(),
        entry.file,
        entries.len() + 1
    ));
    let name = format!("mirrors/{}", entry.file);
    entries.push(entry);
    let chain = crate::fs::pretty(&entries);
    let replace = |name: &str, bytes: &[u8]| {
        ground
            .retry
            .retry(|| write::replace(ground.workspace, name, bytes))
            .map_err(Box::<Diagnostic>::from)
    };
    write::make_directory(ground.workspace, "mirrors")?;
    // The first mirror is undone to a chain without an entry.
    replace(BACKUP, former.as_deref().unwrap_or(b"[]\n"))?;
    let copy = || write::replace_by_way_of(ground.workspace, &name, TEMPORARY, &anchor);
    ground.retry.retry(copy)?;
    replace(anchor_chain::FILE, &chain)?;
    found.note(format!("the chain as it was is in {BACKUP}"));
    Ok(found)
}

fn plan(ground: Ground<'_>) -> Checked<Plan> {
    let Some(anchor) = read_own(ground.workspace, SOURCE, anchor_chain::LIMIT)? else {
        return Err(Box::new(
            Diagnostic::new(
                Code::AnchorMissing,
                Place::file(SOURCE),
                "there is no integrity anchor to mirror",
            )
            .found("no such file")
            .expected("the anchor that your integrity tool writes")
            .help("let that tool write it, then try again; nothing was changed"),
        ));
    };
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&anchor) {
        return Err(Box::new(
            Diagnostic::new(
                Code::JsonSyntax,
                Place::line(SOURCE, error.line() as u64).column(error.column().max(1) as u64),
                "the integrity anchor is no JSON",
            )
            .found(error.to_string())
            .expected("one JSON document")
            .help("let its writer write it again; nothing was changed"),
        ));
    }
    let chain = anchor_chain::load(ground.workspace)?;
    let (former, entries) = chain.map_or((None, Vec::new()), |(bytes, entries)| {
        (Some(bytes), entries)
    });
    let timestamp = free_time(ground, &entries)?;
    let sha256 = Digest::of(&anchor);
    let before = entries.last().map(|entry| &entry.chain_hash);
    let entry = Entry {
        file: format!("anchor_{timestamp}.json"),
        chain_hash: chain_hash(before, &sha256),
        timestamp,
        sha256,
    };
    Ok(Plan {
        anchor,
        former,
        entries,
        entry,
    })
}

/// The time of the run, or the next second whose name is free: an anchor is never written over.
fn free_time(ground: Ground<'_>, entries: &[Entry]) -> Checked<String> {
    let is_free = |time: &String| {
        let file = format!("anchor_{time}.json");
        let path = ground.workspace.path(&format!("mirrors/{file}"));
        !entries.iter().any(|entry| entry.file == file) && std::fs::symlink_metadata(path).is_err()
    };
    let mut times = (0..SECONDS).map(|seconds| ground.at.plus_seconds(seconds).basic());
    times.find(is_free).ok_or_else(|| {
        Box::new(
            Diagnostic::new(
                Code::WriteFailed,
                Place::file("mirrors"),
                "no name is free for a new mirror",
            )
            .found(format!("mirrors for each of {SECONDS} seconds from now on"))
            .expected("a free name")
            .help("check the clock of this machine; nothing was changed"),
        )
    })
}
