//! The value in the last line of a JSONL file.
//!
//! The file is read from its end, so that a long one costs what a short one costs. A last line
//! that no newline ends and that is no whole JSON text was cut while it was written: then the line
//! before it counts, with a warning. The same holds for a number alone, which may go on: `9` may be
//! the beginning of `97`. A file with nothing but such a line is invalid, since it says something
//! that can't be read; an invalid file is read once more before it counts, so that a writer who is
//! at work can finish.

use super::super::history::{OLD_ENOUGH, decided_by, only_blank, place_of};
use super::super::json::{self, Document, Parsed};
use super::super::{Outcome, ReadContext, Reading, Source};
use super::pointer::Pointer;
use super::{Declared, invalid, missing};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::reverse::{Line, ReverseLines};
use crate::fs::{InputFile, Opened};

/// The line that counts.
struct Last {
    bytes: Vec<u8>,
    offset: u64,
    source: Source,
    /// Where a line behind it was cut, and what stands there.
    torn: Option<(u64, Vec<u8>)>,
}

/// Reads the file.
pub(super) fn load(
    declared: &Declared,
    value: &Pointer,
    time: Option<&Pointer>,
    context: ReadContext<'_>,
) -> Reading {
    let file = &declared.file;
    let input = match context.workspace.open_input(file) {
        Ok(Opened::Absent) => return missing(declared, format!("{file} is not there")),
        Ok(Opened::File(input)) => input,
        Err(error) => return invalid(declared, *error),
    };
    let last = match last_line(&input, context.limit) {
        Ok(last) => last,
        Err(error) => return invalid(declared, *error),
    };
    let parsed = match Document::read_line(file, &last.bytes) {
        Ok(Some(document)) => super::json::parse(declared, &document, value, time, context.at),
        Ok(None) => Ok(Parsed::nothing(format!("{file} is empty"))),
        Err(error) => Err(vec![*error]),
    };
    let mut reading = json::reading(declared.name.clone(), parsed);
    reading.sources.push(last.source);
    relocate(&mut reading, &input, last.offset);
    if let Some((offset, bytes)) = last.torn {
        reading
            .warnings
            .push(torn(place_of(&input, offset), &bytes));
    }
    reading
}

/// Goes back to the last line that is whole and not blank. Where there is none, it is a cut one,
/// else one of no bytes.
fn last_line(input: &InputFile, limit: u64) -> Checked<Last> {
    let mut lines = ReverseLines::new(input, limit);
    let (mut torn, mut blank) = (None, 0);
    let mut found = (Vec::new(), 0);
    while let Some(line) = lines.next_line()? {
        let bytes = without_mark(line);
        if bytes.trim_ascii().is_empty() {
            blank += line.bytes.len() as u64 + 1;
            if blank >= OLD_ENOUGH {
                return Err(Box::new(only_blank(place_of(input, line.offset))));
            }
            continue;
        }
        let line = (bytes.to_vec(), line.offset, line.ended);
        if !line.2 && is_cut(&input.name, &line.0) {
            torn = Some((line.1, line.0));
            continue;
        }
        found = (line.0, line.1);
        break;
    }
    if found.0.is_empty()
        && let Some((offset, bytes)) = torn.take()
    {
        found = (bytes, offset);
    }
    let (bytes, offset) = found;
    let source = decided_by(&lines, input, offset)?;
    Ok(Last {
        bytes,
        offset,
        source,
        torn,
    })
}

/// A byte-order mark stands at the beginning of a file, and nowhere else.
fn without_mark(line: Line<'_>) -> &[u8] {
    let mark = line.bytes.strip_prefix(b"\xef\xbb\xbf");
    mark.filter(|_| line.offset == 0).unwrap_or(line.bytes)
}

/// Is a line that no newline ends the beginning of a longer one?
fn is_cut(file: &str, line: &[u8]) -> bool {
    let begins = line.trim_ascii_start().first();
    let number = begins.is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-');
    number || Document::read_line(file, line).is_err()
}

fn torn(place: Place, line: &[u8]) -> Diagnostic {
    Diagnostic::new(
        Code::TornLastLine,
        place,
        "the last line was cut while it was written; the line before it counts",
    )
    .found(String::from_utf8_lossy(line))
    .expected("a JSON text and a newline")
    .help("let the writer of this file append each line in one write")
}

/// Findings within a line become findings within the file.
fn relocate(reading: &mut Reading, input: &InputFile, offset: u64) {
    let errors = match &mut reading.outcome {
        Outcome::Invalid(errors) => errors.as_mut_slice(),
        _ => &mut [],
    };
    let mut findings = errors.iter_mut().chain(&mut reading.warnings).peekable();
    if findings.peek().is_none() {
        return;
    }
    let line = place_of(input, offset);
    for finding in findings {
        let place = &mut finding.place;
        if line.line.is_some() {
            place.line = line.line;
            continue;
        }
        // So far in, a line is named by its first byte.
        let path = [line.path.clone(), place.path.take()];
        let path: Vec<String> = path.into_iter().flatten().collect();
        (place.line, place.column) = (None, None);
        place.path = Some(path.join(", "));
    }
}
