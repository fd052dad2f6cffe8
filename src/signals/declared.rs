//! A signal that a policy document declares: which file, where in it, and what it may say.
//!
//! The document's form is not known here; [`crate::policy`] makes these values. What a file says
//! becomes a [`super::Reading`] like that of a built-in signal.

use chrono::TimeDelta;

use super::Word;
use crate::ids::SignalName;

/// A signal beyond the six.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared {
    /// Its name.
    pub name: SignalName,
    /// The file, relative to the workspace, `/` between its parts, never leading out of it.
    pub file: String,
    /// Where the value stands.
    pub source: Source,
    /// What it may be.
    pub kind: Kind,
    /// Where the time of the observation stands: a pointer or a column, as the source has it.
    pub time: Option<String>,
}

/// Where a value stands in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// In a JSON document, at this JSON pointer (RFC 6901); the empty one is the whole document.
    Json(String),
    /// In the last line of a JSONL file that is no blank one, at this JSON pointer.
    Jsonl(String),
    /// In the last data row of a CSV file, in this column.
    Csv(String),
    /// Nowhere: the file as a whole is counted or dated.
    File,
}

/// What a value may be.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// 0 to 100.
    Percent,
    /// A number in a unit; the limits belong to the range.
    Number {
        /// The unit, for people.
        unit: String,
        /// The least that can be right.
        min: Option<f64>,
        /// The most that can be right.
        max: Option<f64>,
    },
    /// True or false.
    Boolean,
    /// One of these words; never empty.
    Choice(Vec<Word>),
    /// A whole number from 0 on.
    Count,
    /// The entries of a JSONL file ([`Source::File`]) whose [`Declared::time`] lies in the window
    /// before the evaluation time.
    CountInWindow(TimeDelta),
    /// The time since the one that stands there, or since the file was changed
    /// ([`Source::File`]).
    Age,
}

/// STUB
pub fn load(declared: &Declared, _: super::ReadContext<'_>) -> super::Reading {
    super::Reading::bare(
        declared.name.clone(),
        super::Outcome::Missing(String::new()),
    )
}
