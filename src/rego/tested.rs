//! What comes of tests of rules, whoever runs them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// What came of all tests.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Tested {
    /// Each test, in the order of files and lines.
    pub tests: Vec<Test>,
    /// Which lines of the rules they evaluated, where somebody asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
}

/// Which lines of rules were evaluated, in the form of `opa test --coverage`. Only lines that hold an
/// expression count; tests are no rules.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Coverage {
    /// By module.
    pub files: BTreeMap<String, Lines>,
    /// All of them together.
    #[serde(flatten)]
    pub counted: Counted,
}

/// The lines of one module.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lines {
    /// Those that were evaluated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub covered: Vec<Range>,
    /// Those that were not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_covered: Vec<Range>,
    /// How many of each.
    #[serde(flatten)]
    pub counted: Counted,
}

/// Lines that stand together, both of them in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Range {
    /// The first.
    pub start: Row,
    /// The last.
    pub end: Row,
}

/// A line by its number, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The number.
    pub row: u32,
}

/// How many lines were evaluated, and how many were not.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Counted {
    /// Were evaluated.
    pub covered_lines: usize,
    /// Were not.
    pub not_covered_lines: usize,
    /// The part that was, in percent with two places; 0 where there is no line.
    pub coverage: f64,
}

impl Counted {
    /// So many of each.
    pub fn of(covered_lines: usize, not_covered_lines: usize) -> Self {
        let all = (covered_lines + not_covered_lines).max(1);
        let hundredths = covered_lines.saturating_mul(10_000) / all;
        let hundredths = u32::try_from(hundredths).unwrap_or_default();
        Self {
            covered_lines,
            not_covered_lines,
            coverage: f64::from(hundredths) / 100.0,
        }
    }
}

impl Lines {
    /// The lines of a module, of which some were evaluated.
    pub fn of(lines: &BTreeSet<u32>, evaluated: &BTreeSet<u32>) -> Self {
        let (covered, not): (Vec<u32>, Vec<u32>) =
            lines.iter().partition(|line| evaluated.contains(line));
        Self {
            counted: Counted::of(covered.len(), not.len()),
            covered: ranges(&covered),
            not_covered: ranges(&not),
        }
    }
}

impl FromIterator<(String, Lines)> for Coverage {
    fn from_iter<I: IntoIterator<Item = (String, Lines)>>(files: I) -> Self {
        let files: BTreeMap<String, Lines> = files.into_iter().collect();
        let counted = files.values().fold((0, 0), |(covered, not), lines| {
            let one = lines.counted;
            (covered + one.covered_lines, not + one.not_covered_lines)
        });
        Self {
            counted: Counted::of(counted.0, counted.1),
            files,
        }
    }
}

/// Numbers in their order as ranges of those that follow each other.
fn ranges(rows: &[u32]) -> Vec<Range> {
    let mut ranges: Vec<Range> = Vec::new();
    for &row in rows {
        match ranges.last_mut() {
            Some(last) if last.end.row.saturating_add(1) == row => last.end = Row { row },
            _ => ranges.push(Range {
                start: Row { row },
                end: Row { row },
            }),
        }
    }
    ranges
}

/// One test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Test {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// The rule, `data.a.test_b`.
    pub name: String,
    /// How it came out.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// How a test came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", content = "why", rename_all = "lowercase")]
pub enum Outcome {
    /// As it should.
    Passed,
    /// It is false or undefined.
    Failed,
    /// It could not be evaluated.
    Error(String),
    /// Its name says that it is still to be done.
    Skipped,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_and_told_in_ranges() {
        let lines = Lines::of(&BTreeSet::from([2, 3, 4, 7, 8]), &BTreeSet::from([3, 7, 8]));
        let range = |start, end| Range {
            start: Row { row: start },
            end: Row { row: end },
        };
        assert_eq!(lines.covered, [range(3, 3), range(7, 8)]);
        assert_eq!(lines.not_covered, [range(2, 2), range(4, 4)]);
        let none = Lines::of(&BTreeSet::from([1]), &BTreeSet::new());
        let files = [("a".to_owned(), lines), ("b".to_owned(), none)];
        let coverage: Coverage = files.into_iter().collect();
        assert_eq!(coverage.counted, Counted::of(3, 3));
        assert_eq!(Counted::of(2, 1).coverage.to_string(), "66.66");
        assert_eq!(Counted::of(0, 0).coverage.to_string(), "0");
        assert_eq!(Counted::of(7, 0).coverage.to_string(), "100");
    }
}
