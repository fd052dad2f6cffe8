//! The kill switch: the file `state/kill_switch.json`, which any program can make.
//!
//! Absent means off; `{"on": false}` means off; everything else means on, what can't be read
//! included (CONTRACT.md section 5).

use serde::Deserialize;

use crate::diagnostic::{Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::fs::read::read_own;

/// The file, relative to the workspace.
pub const FILE: &str = "state/kill_switch.json";

/// A file larger than this is none of ours, and so means on.
const LIMIT: u64 = 64 * 1024;

#[derive(Deserialize)]
struct Raw {
    on: bool,
    #[serde(default)]
    reason: Option<String>,
}

/// Why nothing may be changed; `None` while the switch is off.
pub fn closed(workspace: &Workspace) -> Option<Diagnostic> {
    let found = match read_own(workspace, FILE, LIMIT) {
        Ok(None) => return None,
        Ok(Some(bytes)) => match serde_json::from_slice::<Raw>(&bytes) {
            Ok(Raw { on: false, .. }) => return None,
            Ok(raw) => raw.reason.map_or_else(
                || "a switch that is on".to_owned(),
                |reason| format!("a switch that is on: {reason}"),
            ),
            Err(error) => format!("a switch that can't be read, which means on: {error}"),
        },
        Err(finding) => format!(
            "a switch that can't be read, which means on: {}",
            finding.message
        ),
    };
    Some(
        Diagnostic::new(
            Code::KillSwitchOn,
            Place::file(FILE),
            "the kill switch is on, so nothing is changed",
        )
        .found(found)
        .expected("no such file, or `{\"on\": false}`")
        .help("find out who turned it on and why; then remove the file"),
    )
}
