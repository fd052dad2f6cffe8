//! What a task is called, and which policies its file mentions (pure).

use std::fmt;
use std::str::FromStr;

use super::Policy;

/// The id of a task: it becomes a part of names of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskId(String);

/// The longest id, in bytes.
const LONGEST: usize = 64;

impl TaskId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TaskId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !begins || text.len() > LONGEST || !text.chars().all(plain) || text.contains("..") {
            return Err(format!(
                "expected 1 to {LONGEST} letters, digits, `-`, `_` and single dots, beginning with a letter or digit"
            ));
        }
        if text.parse::<Policy>().is_ok() {
            return Err(
                "the logs of the policies have that name: give the task another".to_owned(),
            );
        }
        Ok(Self(text.to_owned()))
    }
}

/// A policy, and the line on which a file mentions it first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mention {
    /// Which.
    pub policy: Policy,
    /// Where, counted from 1.
    pub line: usize,
}

/// The policies that a text mentions, in the order in which they come first. `P1` and `P-1` are the
/// same; `P1–P6`, `P1-P6`, `P-1 to P-6` and `P1..P6` mean all between.
pub fn mentions(text: &str) -> Vec<Mention> {
    let mut found: Vec<Mention> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for policy in in_line(line) {
            if !found.iter().any(|mention| mention.policy == policy) {
                found.push(Mention {
                    policy,
                    line: index + 1,
                });
            }
        }
    }
    found
}

/// A policy's id in a line.
struct Mark {
    start: usize,
    end: usize,
    number: usize,
}

fn in_line(line: &str) -> Vec<Policy> {
    let mut policies = Vec::new();
    let mut before: Option<Mark> = None;
    for mark in marks(line) {
        let first = match &before {
            Some(Mark { end, number, .. })
                if *number < mark.number && line.get(*end..mark.start).is_some_and(is_range) =>
            {
                number + 1
            }
            _ => mark.number,
        };
        let of = |number: usize| Policy::ALL.get(number - 1).copied();
        policies.extend((first..=mark.number).filter_map(of));
        before = Some(mark);
    }
    policies
}

/// What stands between the ends of a range.
fn is_range(between: &str) -> bool {
    matches!(
        between.trim(),
        "-" | "\u{2013}" | "\u{2014}" | ".." | "..." | "\u{2026}" | "to" | "through"
    )
}

/// Where `P` with a digit from 1 to 6 stands as a word of its own.
fn marks(line: &str) -> Vec<Mark> {
    let digit = |rest: &str| {
        let number = rest.chars().next()?.to_digit(10)?;
        let number = usize::try_from(number).ok()?;
        (1..=Policy::ALL.len()).contains(&number).then_some(number)
    };
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut marks = Vec::new();
    for (start, _) in line.match_indices('P') {
        let (head, rest) = line.split_at(start);
        let after = rest.get(1..).unwrap_or_default();
        let after = after.strip_prefix('-').unwrap_or(after);
        let Some(number) = digit(after) else { continue };
        let tail = after.get(1..).unwrap_or_default();
        let decimal = tail
            .strip_prefix('.')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        if !head.ends_with(in_word) && !tail.starts_with(in_word) && !decimal {
            marks.push(Mark {
                start,
                end: line.len() - tail.len(),
                number,
            });
        }
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> Vec<usize> {
        let found = mentions(text);
        found
            .iter()
            .map(|mention| mention.policy.number())
            .collect()
    }

    /// S0-004.
    #[test]
    fn mentions_are_words_in_their_order() {
        for (text, expected) in [
            ("", vec![]),
            ("P2 and P-1, P2 again", vec![2, 1]),
            ("policies: [P3, P6].", vec![3, 6]),
            ("(P-4)", vec![4]),
            ("P1\u{2013}P6", vec![1, 2, 3, 4, 5, 6]),
            ("P-2 to P-4", vec![2, 3, 4]),
            ("P2-P4", vec![2, 3, 4]),
            ("P2..P3", vec![2, 3]),
            ("P6 - P1", vec![6, 1]),
            ("P0 P7 P12 P-12 XP1 P1x HTTP2 P_1 p1 P1.5 \u{e9}P1", vec![]),
        ] {
            assert_eq!(numbers(text), expected, "{text}");
        }
        let lines = mentions("a\nP5\nP1 P5\n");
        assert_eq!(
            lines[1],
            Mention {
                policy: Policy::P1,
                line: 3
            }
        );
    }

    #[test]
    fn an_id_of_a_task_is_a_plain_name() {
        for good in ["T-1", "checks", "a.b_c", "0", &"x".repeat(64)] {
            assert!(good.parse::<TaskId>().is_ok(), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "../x",
            "a..b",
            "/etc",
            "-x",
            ".x",
            "a b",
            "a\n",
            "é",
            "P1",
            "p-6",
            &"x".repeat(65),
        ] {
            assert!(bad.parse::<TaskId>().is_err(), "{bad}");
        }
    }
}
