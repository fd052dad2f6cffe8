//! How overrides, the safety brake and the kill switch stand, read for the page.

use std::os::unix::fs::MetadataExt as _;

use serde::{Deserialize, Serialize};

use super::data::shortened;
use crate::diagnostic::Checked;
use crate::fs::Workspace;
use crate::record::overrides::OpenOverride;
use crate::record::{HEADS_FILE, audit, verified};
use crate::response::preview;
use crate::safeguard::{brake, kill_switch};
use crate::time::Timestamp;

/// The most overrides that are told.
const MOST: usize = 20;

/// An override that was given and is not used: until then it opens what it is for. Who asked and who
/// gave it stays in the record, since the page may be public.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// What it is for.
    pub operation: String,
    /// At this time it is over.
    pub until: Timestamp,
}

/// How the safeguards stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Safeguards {
    /// When somebody looked.
    pub at: Timestamp,
    /// `off`, `on` or `unreadable`, which means on.
    pub kill_switch: String,
    /// `off`, `engaged`, `missing` or `unreadable`; all but the first count as engaged.
    pub brake: String,
}

/// The overrides that are in force now.
pub fn overrides(workspace: &Workspace, now: Timestamp) -> Checked<Vec<InForce>> {
    let standing = audit::standing(workspace)?;
    let is_given = |open: &&OpenOverride| open.approver.is_some() && now < open.until;
    let given = standing.overrides.open.iter().filter(is_given).take(MOST);
    Ok(given
        .map(|open| InForce {
            operation: shortened(&open.operation),
            until: open.until,
        })
        .collect())
}

/// The files that tell what the page shows beside decisions. The heads of the journals change with
/// each line of responses, undos and overrides.
const FILES: [&str; 5] = [
    HEADS_FILE,
    preview::FILE,
    verified::FILE,
    brake::FILE,
    kill_switch::FILE,
];

/// What these files are known by as they stand: one system call each, and no byte is read.
pub fn seen(workspace: &Workspace) -> String {
    let known = FILES.map(|file| {
        let status = std::fs::symlink_metadata(workspace.path(file));
        status.map_or_else(
            |error| format!("{:?}", error.kind()),
            |status| {
                let (seconds, nanos) = (status.mtime(), status.mtime_nsec());
                format!("{}:{seconds}.{nanos:09}:{}", status.ino(), status.len())
            },
        )
    });
    known.join(" ")
}

/// How the safeguards stand now.
pub fn safeguards(workspace: &Workspace, now: Timestamp) -> Safeguards {
    Safeguards {
        at: now,
        kill_switch: kill_switch::read(workspace).as_str().to_owned(),
        brake: brake::word(&brake::load(workspace)).to_owned(),
    }
}
