//! What the checks P-1 to P-6 left behind: the last result in each log under `reports/logs/`.
//!
//! A log is a claim of whoever wrote it; its digest is told, so that the same file can be found again.
//! It says when the checks were run, and counts for [`FRESH`]: what was in order long ago is no
//! evidence of now.

use chrono::TimeDelta;
use serde::Serialize;

use crate::fs::Workspace;
use crate::fs::read::read_own;
use crate::ids::Digest;
use crate::time::Timestamp;

/// For so long a result counts.
pub const FRESH: TimeDelta = TimeDelta::days(7);

/// A result that is dated further ahead than this says nothing of when it was made.
const AHEAD: TimeDelta = TimeDelta::days(1);

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
    /// When the check was run, as the log tells; `null` where it does not.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub at: Option<Timestamp>,
    /// The SHA-256 of the log.
    #[cfg_attr(test, schemars(with = "String"))]
    pub sha256: Digest,
}

/// What the age of a result comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// It counts.
    Fresh,
    /// It has not counted since then.
    StaleSince(Timestamp),
    /// The log tells no time that can be right.
    Unknown,
}

impl Check {
    /// How old the result is at a time.
    pub fn age(&self, now: Timestamp) -> Age {
        match self.at {
            Some(at) if at.since(now) <= AHEAD && now.since(at) <= FRESH => Age::Fresh,
            Some(at) if now.since(at) > FRESH => Age::StaleSince(at.minus(-FRESH)),
            _ => Age::Unknown,
        }
    }
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
            at: time(&bytes),
            sha256: Digest::of(&bytes),
        })
    };
    NAMES.into_iter().filter_map(log).collect()
}

/// The last time that stands in a log as a word of its own.
fn time(log: &[u8]) -> Option<Timestamp> {
    let text = String::from_utf8_lossy(log);
    let words = text.split_whitespace().rev();
    // What begins like a year, so that not every number is tried.
    let mut dated = words.filter(|word| word.len() >= 20 && word.as_bytes().get(4) == Some(&b'-'));
    dated.find_map(|word| {
        Timestamp::read(word.trim_end_matches([',', '.', ';'])).map(|read| read.time)
    })
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

    fn at(text: &str) -> Timestamp {
        Timestamp::read(text).unwrap().time
    }

    #[test]
    fn a_result_counts_for_a_week_of_the_time_that_its_log_tells() {
        let log = "P1 Data Privacy: PASS\ntask T-1, 2026-06-10T00:00:00+00:00\n\n  ok 2026-0-0 x\n";
        let told = Check {
            check: "P1",
            name: "Data Privacy",
            result: "PASS",
            file: String::new(),
            line: 1,
            at: time(log.as_bytes()),
            sha256: Digest::of(b""),
        };
        assert_eq!(told.at, Some(at("2026-06-10T00:00:00Z")));
        assert_eq!(time(b"date: 2026-06-10T00:00:00Z\ncommit: x"), told.at);
        let since = Age::StaleSince(at("2026-06-17T00:00:00Z"));
        for (now, age) in [
            ("2026-06-10T00:00:00Z", Age::Fresh),
            ("2026-06-17T00:00:00Z", Age::Fresh),
            ("2026-06-17T00:00:01Z", since),
            ("2027-01-01T00:00:00Z", since),
            ("2026-06-09T00:00:00Z", Age::Fresh),
            ("2026-06-08T23:59:59Z", Age::Unknown),
        ] {
            assert_eq!(told.age(at(now)), age, "{now}");
        }
        let silent = Check { at: None, ..told };
        assert_eq!(silent.age(at("2026-06-10T00:00:00Z")), Age::Unknown);
    }

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
