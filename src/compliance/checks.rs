//! What the checks P-1 to P-6 left behind: the last result in each log under `reports/logs/`.
//!
//! A log is a claim of whoever wrote it; its digest is told, so that the same file can be found again.

use serde::Serialize;

use crate::fs::Workspace;
use crate::fs::read::read_own;
use crate::ids::Digest;

/// A larger log is none.
const LIMIT: u64 = 4 * 1024 * 1024;

/// The checks with their names, as their reports write them.
pub const NAMES: [(&str, &str); 6] = [
    ("P1", "Data Privacy"),
    ("P2", "Secrets & Signing"),
    ("P3", "Execution Safety"),
    ("P4", "Observability"),
    ("P5", "Multi-Tenancy"),
    ("P6", "Performance Budget"),
];

const RESULTS: [&str; 4] = ["PASS", "BLOCKED", "FAIL", "AWAITING_APPROVAL"];

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Check {
    /// P1 to P6.
    pub check: &'static str,
    /// What it is about.
    pub name: &'static str,
    /// PASS, BLOCKED, FAIL or AWAITING_APPROVAL.
    pub result: &'static str,
    /// The log.
    pub file: String,
    /// The log's line.
    pub line: u64,
    /// The SHA-256 of the log.
    #[cfg_attr(test, schemars(with = "String"))]
    pub sha256: Digest,
}

/// Reads the logs that are there.
pub fn load(workspace: &Workspace) -> Vec<Check> {
    let log = |(check, name): (&'static str, &'static str)| {
        let file = format!("reports/logs/{check}.log");
        let bytes = read_own(workspace, &file, LIMIT).ok()??;
        let (line, result) = last(&bytes, check, name)?;
        Some(Check {
            check,
            name,
            result,
            file,
            line,
            sha256: Digest::of(&bytes),
        })
    };
    NAMES.into_iter().filter_map(log).collect()
}

/// The last result that a log tells, with the number of its line.
fn last(log: &[u8], check: &str, name: &str) -> Option<(u64, &'static str)> {
    let text = String::from_utf8_lossy(log);
    let begin = format!("{check} {name}: ");
    let mut found = None;
    for (line, number) in text.lines().zip(1..) {
        let Some(rest) = line.trim().strip_prefix(&begin) else {
            continue;
        };
        let word = rest.split(' ').next().unwrap_or_default();
        let known = RESULTS.into_iter().find(|result| *result == word);
        found = known.map(|result| (number, result));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_result_of_a_log_counts() {
        let log = "P1 Data Privacy: PASS\nx\nP1 Data Privacy: BLOCKED (no key)\n";
        assert_eq!(
            last(log.as_bytes(), "P1", "Data Privacy"),
            Some((3, "BLOCKED"))
        );
        assert_eq!(
            last(b"P1 Data Privacy: PASSED\n", "P1", "Data Privacy"),
            None
        );
        assert_eq!(last(b"P2 Data Privacy: PASS\n", "P1", "Data Privacy"), None);
        assert_eq!(last(b"\xff\n", "P1", "Data Privacy"), None);
    }
}
