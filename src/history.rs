//! What was recorded, walked forward from its beginning, to be decided again.
//!
//! A journal of any length is read in constant memory: sealed segments first, then the journal that
//! goes on from them. [`walk`] reads, [`records`] takes a folder of inputs instead, [`backtest`]
//! decides by another policy, [`replay`] by the one that each line names; [`levels`] tells how it went,
//! [`tables`] as rows (in a Parquet file too, with that feature), [`blame`] who changed a signal's file before. Nothing is written, and
//! whether the chain is whole is the business of [`crate::record::verify`].

pub mod backtest;
pub mod blame;
pub mod levels;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod records;
pub mod replay;
pub mod tables;
pub mod walk;

use serde::Serialize;

use crate::diagnostic::Diagnostic;
use crate::time::Timestamp;

/// More findings than this are counted, not listed.
const LISTED: usize = 20;

/// The first findings, and how many there are.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Findings {
    /// The first twenty.
    #[serde(rename = "findings")]
    pub listed: Vec<Diagnostic>,
    /// How many there are in all.
    #[serde(rename = "finding_count")]
    pub count: u64,
}

impl Findings {
    fn add(&mut self, finding: Diagnostic) {
        self.count += 1;
        if self.listed.len() < LISTED {
            self.listed.push(finding);
        }
    }
}

/// Which part of a history counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Selection {
    /// Decisions from here on.
    pub since: Option<Timestamp>,
    /// Decisions before this.
    pub until: Option<Timestamp>,
    /// Decisions with a given time too.
    pub include_given: bool,
}

impl Selection {
    fn is_within(self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }
}

impl Selection {
    /// Whether a decision counts; one that does not is counted as left out.
    fn counts(self, left_out: &mut LeftOut, at: Timestamp, given: bool) -> bool {
        if !self.is_within(at) {
            left_out.outside += 1;
            return false;
        }
        if given && !self.include_given {
            left_out.given += 1;
            return false;
        }
        true
    }
}

/// What of a history is no decision, or does not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Decisions with a given time (`--at`).
    pub given: u64,
    /// Decisions outside of the time that was asked for.
    pub outside: u64,
    /// Lines of a log from before the chain: they don't tell which signals were reported.
    pub plain: u64,
    /// Chained lines that record no decision: a reseal.
    pub markers: u64,
    /// Last lines that were never finished, as a kill leaves them.
    pub torn: u64,
    /// Decisions that were RED since protected files were changed, whatever the signals said: of a
    /// backtest, which is about what a policy makes of signals.
    #[serde(skip_serializing_if = "is_none")]
    pub tampered: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

impl LeftOut {
    /// Counts an entry that is no decision.
    fn count(&mut self, entry: &walk::Entry<'_>) {
        match entry {
            walk::Entry::Plain => self.plain += 1,
            walk::Entry::Marker { .. } => self.markers += 1,
            walk::Entry::Torn => self.torn += 1,
            walk::Entry::Fixed(_) | walk::Entry::Other(_) | walk::Entry::Unreadable(_) => {}
        }
    }
}
