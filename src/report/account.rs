//! The account of a policy document: as JSON, and for a person.

use serde::Serialize;

use super::Paint;
use crate::diagnostic::{Diagnostic, readable};
use crate::ids::Digest;
use crate::policy::catalogue::{Account, Applied, Shown, Standing};

/// The JSON shape of an account.
#[derive(Debug, Serialize)]
pub struct Json<'a> {
    schema: u32,
    kind: &'static str,
    about: &'static str,
    file: &'a str,
    sha256: Digest,
    summary: &'a str,
    /// Every key of the document; quantities with what was written, number and unit.
    says: &'a Shown,
    /// What follows from it.
    derived: Shown,
    enforced_here: Vec<Kept<'a>>,
    left_to_the_caller: Vec<Kept<'a>>,
    only_told: Vec<Kept<'a>>,
    warnings: &'a [Diagnostic],
}

#[derive(Debug, Serialize)]
struct Kept<'a> {
    keys: &'a [&'static str],
    note: &'static str,
}

impl<'a> Json<'a> {
    /// Of the document `bytes` that stands in `file`.
    pub fn new(account: &'a Account, file: &'a str, bytes: &[u8]) -> Self {
        let kept = |standing| {
            let rows = of(account, standing);
            rows.map(|row| Kept {
                keys: &row.keys,
                note: row.text,
            })
            .collect()
        };
        let derived = account.derived.iter();
        Self {
            schema: 1,
            kind: account.kind.as_str(),
            about: account.kind.about(),
            file,
            sha256: Digest::of(bytes),
            summary: &account.summary,
            says: &account.says,
            derived: Shown::Map(
                derived
                    .map(|(name, value)| ((*name).to_owned(), value.clone()))
                    .collect(),
            ),
            enforced_here: kept(Standing::Here),
            left_to_the_caller: kept(Standing::Caller),
            only_told: kept(Standing::Told),
            warnings: &account.warnings,
        }
    }
}

fn of(account: &Account, standing: Standing) -> impl Iterator<Item = &Applied> {
    let rows = account.standing.iter();
    rows.filter(move |row| row.standing == standing)
}

/// The account for a person.
pub fn human(account: &Account, file: &str, paint: Paint) -> String {
    let mut text = format!(
        "{}: {}\n  {} {}\n",
        paint.bold(account.kind.as_str()),
        account.kind.about(),
        paint.dim("file "),
        readable(file, LENGTH)
    );
    if !account.summary.is_empty() {
        let summary = readable(&account.summary, LENGTH);
        text.push_str(&format!("  {} {summary}\n", paint.dim("holds")));
    }
    section(&mut text, "What it says", &account.says, paint);
    for (name, value) in &account.derived {
        section(&mut text, &title(name), value, paint);
    }
    for (title, standing) in [
        ("Enforced here", Standing::Here),
        ("Left to the caller", Standing::Caller),
        ("Only told", Standing::Told),
    ] {
        text.push_str(&format!("\n{}\n", paint.bold(title)));
        let mut rows = of(account, standing).peekable();
        if rows.peek().is_none() {
            text.push_str("  nothing\n");
        }
        for row in rows {
            let keys = row.keys.join(", ");
            text.push_str(&format!("  {keys}\n      {}\n", row.text));
        }
    }
    text
}

/// The longest text that is shown, in characters.
const LENGTH: usize = 2000;

/// Lists of short texts stand on one line up to this length.
const WIDTH: usize = 90;

fn title(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn section(text: &mut String, title: &str, value: &Shown, paint: Paint) {
    text.push_str(&format!("\n{}\n", paint.bold(title)));
    let dashes = matches!(value, Shown::List(items) if in_a_line(value).is_none() && items.iter().any(|item| matches!(item, Shown::Map(_))));
    block(text, value, 1 + usize::from(dashes), paint);
}

/// A value that may need several lines, each indented.
fn block(text: &mut String, value: &Shown, depth: usize, paint: Paint) {
    let indent = "  ".repeat(depth);
    match value {
        Shown::Map(members) => members_of(text, members, &indent, depth, paint),
        Shown::List(items) if in_a_line(value).is_none() => {
            for item in items {
                match item {
                    Shown::Map(members) => {
                        let first = format!("{}- ", "  ".repeat(depth.saturating_sub(1)));
                        let begin = text.len();
                        members_of(text, members, &indent, depth, paint);
                        // The first key stands behind the dash.
                        if text.len() > begin {
                            text.replace_range(begin..begin + indent.len(), &first);
                        }
                    }
                    item => match in_a_line(item) {
                        Some(line) => text.push_str(&format!("{indent}- {line}\n")),
                        None => block(text, item, depth + 1, paint),
                    },
                }
            }
        }
        value => {
            let line = in_a_line(value).unwrap_or_default();
            text.push_str(&format!("{indent}{line}\n"));
        }
    }
}

fn members_of(
    text: &mut String,
    members: &[(String, Shown)],
    indent: &str,
    depth: usize,
    paint: Paint,
) {
    let short = members
        .iter()
        .filter(|(_, value)| in_a_line(value).is_some());
    let width = short.map(|(key, _)| key.chars().count()).max();
    let width = width.unwrap_or_default().min(30);
    for (key, value) in members {
        let key = readable(key, 100);
        if let Some(line) = in_a_line(value) {
            let key = paint.dim(&format!("{key:<width$}"));
            text.push_str(&format!("{indent}{key}  {line}\n"));
            continue;
        }
        text.push_str(&format!("{indent}{}\n", paint.dim(&key)));
        match value {
            Shown::Text(lines) => {
                for line in lines.lines() {
                    text.push_str(&format!("{indent}    {}\n", readable(line, LENGTH)));
                }
            }
            Shown::List(items) if items.iter().any(|item| matches!(item, Shown::Map(_))) => {
                block(text, value, depth + 2, paint);
            }
            value => block(text, value, depth + 1, paint),
        }
    }
}

/// The value on one line, where it fits there.
fn in_a_line(value: &Shown) -> Option<String> {
    match value {
        Shown::Nothing => Some("nothing".to_owned()),
        Shown::Flag(flag) => Some(flag.to_string()),
        Shown::Number(number) => Some(number.to_string()),
        Shown::Text(text) if text.trim().is_empty() => Some("\"\"".to_owned()),
        Shown::Text(text) if text.trim_end().contains('\n') => None,
        Shown::Text(text) => Some(readable(text.trim_end(), LENGTH)),
        Shown::Quantity(measure) if measure.in_words.starts_with(&measure.written) => {
            Some(measure.in_words.clone())
        }
        Shown::Quantity(measure) => Some(format!("{}  = {}", measure.written, measure.in_words)),
        Shown::List(items) if items.is_empty() => Some("none".to_owned()),
        Shown::List(items) => {
            // Words go on one line; of sentences each has its own.
            let word = |item: &Shown| match item {
                Shown::Text(text) if text.contains(' ') => None,
                Shown::List(_) | Shown::Map(_) | Shown::Quantity(_) => None,
                item => in_a_line(item),
            };
            let lines: Option<Vec<String>> = items.iter().map(word).collect();
            let line = lines?.join(", ");
            (line.chars().count() <= WIDTH).then_some(line)
        }
        Shown::Map(members) if members.is_empty() => Some("no keys".to_owned()),
        Shown::Map(members) => {
            let count = |(key, value): &(String, Shown)| match value {
                Shown::Number(number) => Some(format!("{key} {number}")),
                _ => None,
            };
            let counts: Option<Vec<String>> = members.iter().map(count).collect();
            counts
                .filter(|counts| counts.len() == 2)
                .map(|counts| counts.join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(json: &str) -> String {
        let value: Shown = serde_json::from_str(json).unwrap();
        let mut text = String::new();
        block(&mut text, &value, 0, Paint::Plain);
        text
    }

    #[test]
    fn keys_are_aligned_and_lists_of_maps_begin_with_a_dash() {
        let json = r#"{"a": 1, "longer": [], "list": [{"x": "1", "yy": ["p", "q"]}, {"x": null}], "deep": {"z": true}}"#;
        let expected = "a       1\nlonger  none\nlist\n  - x   1\n    yy  p, q\n  - x  nothing\ndeep\n  z  true\n";
        assert_eq!(shown(json), expected);
    }

    #[test]
    fn long_lists_and_texts_take_lines_and_steer_no_terminal() {
        let json = format!(
            r#"{{"l": ["{}", "b"], "t": "one\ntwo\u001b[2J"}}"#,
            "a".repeat(90)
        );
        let expected = format!(
            "l\n  - {}\n  - b\nt\n    one\n    two\\u{{1b}}[2J\n",
            "a".repeat(90)
        );
        assert_eq!(shown(&json), expected);
    }
}
