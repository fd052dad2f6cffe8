//! Checked documents for a person: every finding with the line that it is about.
//!
//! [`Finding`] is what all forms of a check are made of, errors and the remarks of lints alike.

use std::fmt::Write as _;

use serde::Serialize;

use super::Paint;
use crate::diagnostic::{Diagnostic, Place, readable};
use crate::policy::Identity;
use crate::policy::lints::{Grade, Remark};

/// A document that was checked.
#[derive(Debug, Serialize)]
pub struct Document {
    /// The file, as it was named.
    pub file: String,
    /// What it is; `None` where it has errors.
    pub policy: Option<Identity>,
    /// What was found, in the order of the lines.
    pub findings: Vec<Finding>,
    /// Its bytes.
    #[serde(skip)]
    pub source: Vec<u8>,
}

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth a thought.
    Note,
    /// Almost certainly not what was meant, or dangerous.
    Warning,
    /// The document can't decide.
    Error,
}

impl Severity {
    /// The word, as every format has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One finding of a check.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// How grave it is.
    pub severity: Severity,
    /// The code of an error (docs/codes.md), or the name of a lint (docs/lints.md).
    pub code: &'static str,
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// What would have been right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl From<&Diagnostic> for Finding {
    fn from(problem: &Diagnostic) -> Self {
        Self {
            severity: match problem.severity() {
                crate::diagnostic::Severity::Error => Severity::Error,
                crate::diagnostic::Severity::Warning => Severity::Warning,
            },
            code: problem.code.as_str(),
            place: problem.place.clone(),
            message: problem.message.clone(),
            found: problem.found.clone(),
            expected: problem.expected.clone(),
            help: problem.help.clone(),
        }
    }
}

impl From<&Remark> for Finding {
    fn from(remark: &Remark) -> Self {
        Self {
            severity: match remark.lint.grade {
                Grade::Warning => Severity::Warning,
                Grade::Note => Severity::Note,
            },
            code: remark.lint.name,
            place: remark.place.clone(),
            message: remark.message.clone(),
            found: Some(remark.found.clone()),
            expected: Some(remark.expected.clone()),
            help: Some(remark.help.clone()),
        }
    }
}

/// How many findings there are of each severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Errors.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
    /// Notes.
    pub notes: usize,
}

impl Counts {
    /// Of all documents together.
    pub fn of(documents: &[Document]) -> Self {
        let count = |severity| {
            let findings = documents.iter().flat_map(|document| &document.findings);
            findings
                .filter(|finding| finding.severity == severity)
                .count()
        };
        Self {
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            notes: count(Severity::Note),
        }
    }

    fn in_words(self) -> String {
        let parts = [
            (self.errors, "error"),
            (self.warnings, "warning"),
            (self.notes, "note"),
        ];
        let there = parts.into_iter().filter(|(count, _)| *count > 0);
        let words: Vec<String> = there.map(|(count, word)| counted(count, word)).collect();
        if words.is_empty() {
            return "nothing to remark".to_owned();
        }
        words.join(", ")
    }
}

fn counted(count: usize, word: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {word}{plural}")
}

/// Every finding with its line, and how many there are.
pub fn human(documents: &[Document], paint: Paint) -> String {
    let findings = |document: &Document| -> String {
        let each = document.findings.iter();
        each.map(|finding| block(document, finding, paint))
            .collect()
    };
    let mut text: String = documents.iter().map(findings).collect();
    text.push_str(&last_line(documents, paint));
    text
}

fn last_line(documents: &[Document], paint: Paint) -> String {
    let counts = Counts::of(documents);
    let words = counts.in_words();
    let words = match counts {
        Counts { errors: 1.., .. } => paint.error(&words),
        Counts { warnings: 1.., .. } => paint.warning(&words),
        _ => paint.bold(&words),
    };
    match documents {
        [] => "there is no policy document: the reference policy decides\n".to_owned(),
        [one] => format!("{}: {words}\n", crate::diagnostic::shown(&one.file)),
        several => format!("{}: {words}\n", counted(several.len(), "document")),
    }
}

/// A finding as compilers show it: what, where, the line with a mark under the place, what to do.
fn block(document: &Document, finding: &Finding, paint: Paint) -> String {
    let kind = format!("{}[{}]", finding.severity.as_str(), finding.code);
    let (kind, mark): (String, fn(Paint, &str) -> String) = match finding.severity {
        Severity::Error => (paint.error(&kind), Paint::error),
        Severity::Warning => (paint.warning(&kind), Paint::warning),
        Severity::Note => (paint.bold(&kind), Paint::bold),
    };
    let place = Place {
        path: None,
        ..finding.place.clone()
    };
    let excerpt = excerpt(&document.source, &finding.place);
    let number = excerpt
        .as_ref()
        .map_or(String::new(), |excerpt| excerpt.line.to_string());
    let margin = " ".repeat(number.len());
    let bar = paint.dim("|");
    let mut text = format!(
        "{kind}: {}\n{margin}{} {place}\n",
        paint.bold(&finding.message),
        paint.dim("-->"),
    );
    let found = finding.found.as_deref();
    if let Some(excerpt) = &excerpt {
        let carets = "^".repeat(excerpt.part.chars().count().max(1));
        let found = found.map_or(String::new(), |found| format!(" found {found}"));
        let line = format!("{}{}{}", excerpt.before, excerpt.part, excerpt.behind);
        let lines = [
            format!("{margin} {bar}"),
            format!("{} {bar} {}", paint.dim(&number), line.trim_end()),
            format!(
                "{margin} {bar} {}{}",
                " ".repeat(excerpt.before.chars().count()),
                mark(paint, &format!("{carets}{found}"))
            ),
            format!("{margin} {bar}"),
        ];
        for line in lines {
            let _ = writeln!(text, "{line}");
        }
    }
    let parts = [
        ("found", found.filter(|_| excerpt.is_none())),
        ("expected", finding.expected.as_deref()),
        ("help", finding.help.as_deref()),
    ];
    for (name, part) in parts {
        if let Some(part) = part {
            let _ = writeln!(
                text,
                "{margin} {} {}: {part}",
                paint.dim("="),
                paint.bold(name)
            );
        }
    }
    text.push('\n');
    text
}

/// A line of a document as it may be shown, and the part of it that a finding is about.
struct Excerpt {
    line: u64,
    before: String,
    part: String,
    behind: String,
}

/// How much of a long line is shown before the place, and behind it.
const SHOWN: (usize, usize) = (60, 80);

/// The line of a place. Of a long one only what is near; bytes that are no text are replaced.
fn excerpt(source: &[u8], place: &Place) -> Option<Excerpt> {
    let (number, column) = (place.line?, place.column.unwrap_or(1));
    let line = line(source, number)?;
    let column = usize::try_from(column.checked_sub(1)?).ok()?;
    let (before, rest) = line.split_at(column.min(line.len()));
    let near = before.len().saturating_sub(4 * SHOWN.0);
    let before = String::from_utf8_lossy(before.get(near..).unwrap_or_default()).into_owned();
    let rest = rest.get(..4 * SHOWN.1).unwrap_or(rest);
    let rest = String::from_utf8_lossy(rest).into_owned();
    let skipped = before.chars().count().saturating_sub(SHOWN.0);
    let mut shown: String = before.chars().skip(skipped).collect();
    if near + skipped > 0 {
        shown.insert(0, '…');
    }
    let cut: String = rest.chars().take(SHOWN.1).collect();
    let (part, behind) = cut.split_at_checked(token(&cut)).unwrap_or((&cut, ""));
    let ellipsis = if cut.len() < rest.len() { "…" } else { "" };
    Some(Excerpt {
        line: number,
        before: visible(&shown),
        part: visible(part),
        behind: visible(behind) + ellipsis,
    })
}

/// A line of a document, counted as its reader counts.
pub(super) fn line(source: &[u8], number: u64) -> Option<&[u8]> {
    let bare = source.strip_prefix(b"\xef\xbb\xbf").unwrap_or(source);
    let mut lines = bare.split(|byte| *byte == b'\n').flat_map(|line| {
        let bare = line.strip_suffix(b"\r").unwrap_or(line);
        bare.split(|byte| *byte == b'\r')
    });
    lines.nth(usize::try_from(number.checked_sub(1)?).ok()?)
}

/// Text that can't steer a terminal, with blanks for tabs so that the mark stands under its place.
fn visible(text: &str) -> String {
    readable(&text.replace('\t', "    "), usize::MAX)
}

/// How long the word or the quoted text is with which `rest` begins.
fn token(rest: &str) -> usize {
    if let Some(quote) = rest
        .chars()
        .next()
        .filter(|first| matches!(first, '"' | '\''))
    {
        let closing = rest.get(1..).and_then(|inner| inner.find(quote));
        return closing.map_or(rest.len(), |inner| inner + 2);
    }
    let ends = [": ", " #", ", ", "]", "}", ","];
    let end = ends.iter().filter_map(|end| rest.find(end)).min();
    let word = rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest);
    let word = word.trim_end().trim_end_matches(':');
    let first = rest.chars().next().map_or(0, char::len_utf8);
    word.len().max(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_as_long_as_the_word() {
        let table = [
            ("90, level: RED", "90"),
            ("below: 90", "below"),
            ("\"a b\", c", "\"a b\""),
            ("'open", "'open"),
            ("a word # comment", "a word"),
            ("{a: 1}", "{a"),
            ("größe]", "größe"),
            ("", ""),
        ];
        for (rest, word) in table {
            assert_eq!(rest.get(..token(rest)), Some(word), "{rest}");
        }
    }

    #[test]
    fn a_long_line_is_shown_around_the_place() {
        let source = format!("x\r\n{}{}{}", "ä".repeat(300), "HERE, ", "ö".repeat(300));
        let place = Place::line("a", 2).column(601);
        let excerpt = excerpt(source.as_bytes(), &place).unwrap();
        assert_eq!(excerpt.part, "HERE");
        assert_eq!(excerpt.before, format!("…{}", "ä".repeat(60)));
        assert_eq!(excerpt.behind, format!(", {}…", "ö".repeat(74)));
    }

    #[test]
    fn bytes_that_are_no_text_and_what_steers_a_terminal_are_replaced() {
        let place = Place::line("a", 1).column(3);
        let excerpt = excerpt(b"\xff\tx\x1b[2Jy", &place).unwrap();
        assert_eq!(
            (excerpt.before.as_str(), excerpt.part.as_str()),
            ("\u{fffd}    ", "x\\u{1b}[2Jy")
        );
    }
}
