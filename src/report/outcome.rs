//! What a report is made of: a decision with all it rests on, or why there is none; and how the level
//! is shown where it may be all that somebody sees.

use crate::decision::Decision;
use crate::diagnostic::Diagnostic;
use crate::policy::{Level, Policy};
use crate::record::Head;
use crate::signals::Readings;

/// A decision, complete.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// What was decided.
    pub decision: &'a Decision,
    /// On what.
    pub readings: &'a Readings,
    /// By which policy.
    pub policy: &'a Policy,
    /// Its line.
    pub head: Option<Head>,
    /// What is wrong or odd.
    pub findings: &'a [Diagnostic],
}

/// What there is to report.
#[derive(Debug, Clone, Copy)]
pub enum Reported<'a> {
    /// A decision.
    Decided(Told<'a>),
    /// None, and why.
    Undecided(&'a Diagnostic),
}

/// The level for those who see nothing else. Whatever is not known to be the level of now is no
/// level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown<'a> {
    /// It is that.
    Level(&'a Level),
    /// It was decided too long ago, or with a given time.
    Stale,
    /// Nothing was decided, or the record can't be read or was changed.
    Unknown,
}

impl Shown<'_> {
    /// The word.
    pub fn word(&self) -> &str {
        match self {
            Self::Level(level) => level.name(),
            Self::Stale => "stale",
            Self::Unknown => "unknown",
        }
    }
}
