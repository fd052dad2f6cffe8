//! The problems of one expression as they are collected, and the words that they share.

use super::Problem;
use crate::diagnostic::Warnings;
use crate::diagnostic::readable;

/// A part of the source, from its first byte to behind its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Span {
    /// From the beginning of this one to the end of the other.
    pub(super) fn to(self, other: Self) -> Self {
        Self {
            start: self.start,
            end: other.end,
        }
    }

    /// What stands there, in backticks, as it may be shown.
    pub(super) fn quoted(self, source: &str) -> String {
        quoted(source.get(self.start..self.end).unwrap_or_default())
    }
}

/// What the user wrote, as it may be shown.
pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", readable(text, 60))
}

/// The problems so far. More than enough of them are dropped.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn push(&mut self, problem: Problem) {
        if !self.are_enough() {
            self.0.push(problem);
        }
    }

    /// Whether a further one would be dropped.
    pub(super) fn are_enough(&self) -> bool {
        self.0.len() >= Warnings::ENOUGH
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in the order of the source.
    pub(super) fn into_vec(mut self) -> Vec<Problem> {
        self.0.sort_by_key(|problem| problem.offset);
        self.0
    }
}

impl Problem {
    pub(super) fn new(offset: usize, message: impl Into<String>) -> Self {
        Self {
            offset,
            message: message.into(),
            found: String::new(),
            expected: String::new(),
            help: String::new(),
        }
    }

    pub(super) fn found(mut self, found: impl Into<String>) -> Self {
        self.found = found.into();
        self
    }

    pub(super) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = expected.into();
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }
}

/// The candidate that `word` was probably meant to be.
pub(super) fn nearest<'c>(
    word: &str,
    candidates: impl Iterator<Item = &'c str>,
) -> Option<&'c str> {
    let word = word.to_lowercase();
    let distance = |candidate: &str| strsim::damerau_levenshtein(&candidate.to_lowercase(), &word);
    // Of a short word everything is near: at least one character has to be right.
    let near = |distance: usize| distance <= 3 && distance < word.chars().count();
    candidates
        .map(|candidate| (distance(candidate), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| near(*distance))
        .map(|(_, candidate)| candidate)
}

/// The words with commas between them, as many as a line holds.
pub(super) fn one_of<'c>(words: impl ExactSizeIterator<Item = &'c str>) -> String {
    const SHOWN: usize = 12;
    let all = words.len();
    let mut text = words.take(SHOWN).map(quoted).collect::<Vec<_>>().join(", ");
    if all > SHOWN {
        text.push_str(&format!(" and {} more", all - SHOWN));
    }
    text
}
