//! How the level of a recorded history went.

use serde::Serialize;

use super::walk::{Entry, Source};
use super::{Findings, LeftOut, Selection};
use crate::decision::trend::{Course, Trend};
use crate::diagnostic::Checked;

/// How the level went, and what of the history it was taken from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Levels {
    /// The files that were read.
    pub read: Vec<String>,
    /// How it went.
    #[serde(flatten)]
    pub trend: Trend,
    /// What was left out.
    pub left_out: LeftOut,
    /// What can't be read.
    #[serde(flatten)]
    pub findings: Findings,
}

/// Reads a journal from its beginning.
pub fn of_journal(source: &Source, selection: Selection) -> Checked<Levels> {
    let mut course = Course::default();
    let (mut left_out, mut findings) = (LeftOut::default(), Findings::default());
    for problem in &source.problems {
        findings.add(problem.clone());
    }
    source.each(&mut |line| {
        let (at, level, given) = match &line.entry {
            Entry::Fixed(fixed) => (fixed.at, &fixed.level, fixed.given_clock),
            Entry::Other(recorded) => (recorded.at, &recorded.level, recorded.given_clock),
            Entry::Unreadable(finding) => return findings.add((**finding).clone()),
            other => return left_out.count(other),
        };
        if selection.counts(&mut left_out, at, given) {
            course.take(at, level);
        }
    })?;
    Ok(Levels {
        read: source.files().into_iter().map(str::to_owned).collect(),
        trend: course.finish(),
        left_out,
        findings,
    })
}
