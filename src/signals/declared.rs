//! A signal that a policy document declares: which file, where in it, and what it may say.
//!
//! The document's form is not known here; [`crate::policy`] makes these values. What a file says
//! becomes a [`super::Reading`] like that of a built-in signal: here is decided which reader that
//! needs ([`json`], [`jsonl`], [`csv`], [`window`], [`age`]). Where the built-in signals leave a
//! choice, it is made like this:
//!
//! - `null` where the pointer leads, and an empty list on the way, are missing: nobody reported.
//!   Any other place that the pointer does not reach is invalid, and so is an empty cell.
//! - A JSONL file without a line is missing, but a valid 0 where its entries are counted.
//! - The time of the observation is never worth a refusal; where the time is the value (an age),
//!   one that can't be read is invalid.

mod age;
mod csv;
mod json;
mod jsonl;
mod kind;
pub mod pointer;
mod window;

use chrono::TimeDelta;

use self::pointer::Pointer;
use super::{Outcome, ReadContext, Reading, Word};
use crate::diagnostic::{Code, Diagnostic, Place};
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

/// What has to be read, with all that the declaration names in its checked form.
enum Plan<'d> {
    Json {
        value: Pointer,
        time: Option<Pointer>,
    },
    Jsonl {
        value: Pointer,
        time: Option<Pointer>,
    },
    Csv {
        column: &'d str,
        time: Option<&'d str>,
    },
    Window {
        time: Pointer,
        length: TimeDelta,
    },
    Changed,
}

/// Why nothing can be read as it was declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What was declared.
    pub found: String,
    /// What would have been right.
    pub expected: &'static str,
}

impl Declared {
    /// What makes this declaration one by which nothing can be read: a pointer that is none, or a
    /// source that does not suit the kind.
    pub fn problem(&self) -> Option<Problem> {
        self.plan().err()
    }

    fn plan(&self) -> Result<Plan<'_>, Problem> {
        let time = self.time.as_deref();
        match (&self.source, &self.kind) {
            (Source::File, Kind::CountInWindow(length)) => Ok(Plan::Window {
                time: pointer(time.ok_or_else(|| Problem {
                    found: "a count in a window without it".to_owned(),
                    expected: "where the time of an entry stands",
                })?)?,
                length: *length,
            }),
            (Source::File, Kind::Age) if time.is_none() => Ok(Plan::Changed),
            (Source::File, Kind::Age) => Err(Problem {
                found: "the age of a file as a whole, and where a time stands in it".to_owned(),
                expected: "one of the two",
            }),
            (Source::File, _) => Err(Problem {
                found: "a file as a whole".to_owned(),
                expected: "where in the file the value stands",
            }),
            (_, Kind::CountInWindow(_)) => Err(Problem {
                found: "a count in a window, and where a value stands".to_owned(),
                expected: "a file as a whole, whose entries are counted",
            }),
            (Source::Json(value), _) => Ok(Plan::Json {
                value: pointer(value)?,
                time: time.map(pointer).transpose()?,
            }),
            (Source::Jsonl(value), _) => Ok(Plan::Jsonl {
                value: pointer(value)?,
                time: time.map(pointer).transpose()?,
            }),
            (Source::Csv(column), _) => Ok(Plan::Csv { column, time }),
        }
    }
}

fn pointer(text: &str) -> Result<Pointer, Problem> {
    Pointer::parse(text).ok_or_else(|| Problem {
        found: format!("`{text}`"),
        expected: Pointer::EXPECTED,
    })
}

/// Reads a declared signal. Nothing is written.
pub fn load(declared: &Declared, context: ReadContext<'_>) -> Reading {
    match declared.plan() {
        Ok(Plan::Json { value, time }) => json::load(declared, &value, time.as_ref(), context),
        Ok(Plan::Jsonl { value, time }) => jsonl::load(declared, &value, time.as_ref(), context),
        Ok(Plan::Csv { column, time }) => csv::load(declared, column, time, context),
        Ok(Plan::Window { time, length }) => window::load(declared, &time, length, context),
        Ok(Plan::Changed) => age::load(declared, context),
        Err(problem) => invalid(
            declared,
            Diagnostic::new(
                Code::ValueType,
                Place::file(&declared.file),
                format!(
                    "`{}` is declared so that nothing can be read",
                    declared.name
                ),
            )
            .found(problem.found)
            .expected(problem.expected)
            .help("correct the declaration in the policy document"),
        ),
    }
}

fn missing(declared: &Declared, why: String) -> Reading {
    Reading::bare(declared.name.clone(), Outcome::Missing(why))
}

fn invalid(declared: &Declared, error: Diagnostic) -> Reading {
    Reading::bare(declared.name.clone(), Outcome::Invalid(vec![error]))
}

#[cfg(test)]
mod tests;
