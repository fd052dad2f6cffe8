//! `cold_storage_verification`: snapshots against their recorded digests, mirrors against their
//! chain (row OR-27).
//!
//! It only reads, and adds a line to its own log. Unlike the predecessor it fails where something
//! does not hold (D-10). No snapshot file and no chain means nothing to verify, which is a success
//! that says so.

use serde::{Deserialize, Serialize};

use super::{Found, Ground, Outcome, anchor_chain};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::read::read_own;
use crate::fs::{Opened, WorkspaceLock, write};
use crate::ids::Digest;
use crate::record::verify::digest_of;
use crate::time::Timestamp;

/// The recorded digests of snapshots, relative to the workspace.
const SNAPSHOTS: &str = "snapshots/ledger_snapshot_hash.json";

/// The log of this check, relative to the workspace.
const LOG: &str = "forensics/verification_log.jsonl";

/// A line of the log names so many findings; it counts all.
const LOGGED: usize = 20;

/// A list of digests larger than this is none.
const LIMIT: u64 = 8 * 1024 * 1024;

/// A snapshot and its digest, as the list names it.
#[derive(Deserialize)]
struct Snapshot {
    #[serde(alias = "path", alias = "snapshot")]
    file: String,
    #[serde(alias = "hash")]
    sha256: Digest,
}

/// The forms of the list: one snapshot, several, or an object of files with their digests.
#[derive(Deserialize)]
#[serde(untagged)]
enum Listed {
    One(Snapshot),
    Several(Vec<Snapshot>),
    Within {
        #[serde(alias = "files")]
        snapshots: Vec<Snapshot>,
    },
    ByFile(std::collections::BTreeMap<String, Digest>),
}

impl Listed {
    fn into_snapshots(self) -> Vec<Snapshot> {
        match self {
            Self::One(snapshot) => vec![snapshot],
            Self::Several(snapshots) | Self::Within { snapshots } => snapshots,
            Self::ByFile(files) => files
                .into_iter()
                .map(|(file, sha256)| Snapshot { file, sha256 })
                .collect(),
        }
    }
}

/// Verifies snapshots and mirrors.
pub(super) fn verify(ground: Ground<'_>) -> Found {
    let mut found = Found::default();
    if let Err(finding) = snapshots(ground, &mut found) {
        found.add(*finding);
    }
    match anchor_chain::load(ground.workspace) {
        Ok(Some((_, entries))) => {
            let (hold, broken) = anchor_chain::verify(ground.workspace, &entries);
            found.note(format!(
                "{hold} of {} entries of {} hold",
                entries.len(),
                anchor_chain::FILE
            ));
            found.findings.extend(broken);
        }
        Ok(None) => found.note(format!(
            "{} is not there: no mirror to verify",
            anchor_chain::FILE
        )),
        Err(finding) => found.add(*finding),
    }
    found
}

fn snapshots(ground: Ground<'_>, found: &mut Found) -> Checked<()> {
    let Some(bytes) = read_own(ground.workspace, SNAPSHOTS, LIMIT)? else {
        found.note(format!("{SNAPSHOTS} is not there: no snapshot to verify"));
        return Ok(());
    };
    let listed: Listed = serde_json::from_slice(&bytes).map_err(|error| {
        Box::new(
            Diagnostic::new(
                Code::SnapshotBroken,
                Place::file(SNAPSHOTS),
                "the digests of the snapshots can't be read",
            )
            .found(error.to_string())
            .expected("`{\"file\": …, \"sha256\": …}`, an array of these, or an object of files with their SHA-256")
            .help("restore it from version control"),
        )
    })?;
    let listed = listed.into_snapshots();
    let mut hold = 0;
    for snapshot in &listed {
        match snapshot_fault(ground, snapshot)? {
            None => hold += 1,
            Some(fault) => found.add(fault),
        }
    }
    found.note(format!("{hold} of {} snapshots hold", listed.len()));
    Ok(())
}

fn snapshot_fault(ground: Ground<'_>, snapshot: &Snapshot) -> Checked<Option<Diagnostic>> {
    let place = Place::file(SNAPSHOTS).path(&snapshot.file);
    let wrong = |found: String, expected: String| {
        Diagnostic::new(
            Code::SnapshotBroken,
            place.clone(),
            format!("the snapshot {} does not hold", snapshot.file),
        )
        .found(found)
        .expected(expected)
        .help("find out who changed it, and restore it from where it is kept")
    };
    if snapshot.file.split('/').any(|part| part == "..") || snapshot.file.starts_with('/') {
        return Ok(Some(wrong(
            "a path that leads out of the workspace".to_owned(),
            "a path within the workspace".to_owned(),
        )));
    }
    let named = format!("the SHA-256 {}", snapshot.sha256.short());
    // A bare name stands beside the list.
    let beside = format!("snapshots/{}", snapshot.file);
    for file in [&snapshot.file, &beside] {
        let Opened::File(input) = ground.workspace.open_input(file)? else {
            continue;
        };
        let digest = digest_of(&input)?;
        return Ok((digest != snapshot.sha256)
            .then(|| wrong(format!("the SHA-256 {}", digest.short()), named)));
    }
    Ok(Some(wrong("no such file".to_owned(), named)))
}

/// Adds a line on this verification to the log.
pub(super) fn log(ground: Ground<'_>, _lock: &WorkspaceLock, outcome: &Outcome) -> Checked<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        timestamp: Timestamp,
        event: &'static str,
        success: bool,
        notes: &'a [String],
        findings: Vec<String>,
        finding_count: usize,
    }
    let line = Line {
        timestamp: ground.at,
        event: "COLD_STORAGE_VERIFY",
        success: outcome.success,
        notes: &outcome.notes,
        findings: outcome
            .findings
            .iter()
            .take(LOGGED)
            .map(Diagnostic::to_string)
            .collect(),
        finding_count: outcome.findings.len(),
    };
    let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
    bytes.push(b'\n');
    let append = || {
        write::make_directory(ground.workspace, "forensics")?;
        let length =
            std::fs::symlink_metadata(ground.workspace.path(LOG)).map_or(0, |status| status.len());
        write::append(ground.workspace, LOG, &bytes, length)
    };
    ground.retry.retry(append).map_err(Into::into)
}
