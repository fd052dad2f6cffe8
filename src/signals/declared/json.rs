//! The value at a pointer of a JSON text: a document, or a line of a JSONL file.

use serde_json::value::RawValue;

use super::super::json::parts::{each_element, keys_in_words, keys_of};
use super::super::json::{self, Document, Parsed, Said, kind_of, time_unreadable};
use super::super::{ReadContext, Reading};
use super::pointer::{Lost, Pointer, Why};
use super::{Declared, kind};
use crate::diagnostic::{Code, Diagnostic, Warnings, suggestion};
use crate::time::Timestamp;

/// Reads a JSON document.
pub(super) fn load(
    declared: &Declared,
    value: &Pointer,
    time: Option<&Pointer>,
    context: ReadContext<'_>,
) -> Reading {
    let parse = |document: &Document<'_>| parse(declared, document, value, time, context.at);
    json::load(declared.name.clone(), &declared.file, parse, context)
}

/// What stands where the two pointers lead.
pub(super) fn parse(
    declared: &Declared,
    document: &Document<'_>,
    value: &Pointer,
    time: Option<&Pointer>,
    at: Timestamp,
) -> Result<Parsed, Vec<Diagnostic>> {
    let mut warnings = Warnings::default();
    let said = said(declared, document, value, at, &mut warnings);
    let said = said.map_err(|error| vec![*error])?;
    let observed_at = time.and_then(|time| observed_at(document, time, &mut warnings));
    Ok(Parsed {
        said,
        observed_at,
        warnings,
    })
}

fn said(
    declared: &Declared,
    document: &Document<'_>,
    value: &Pointer,
    at: Timestamp,
    warnings: &mut Warnings,
) -> Result<Said, Box<Diagnostic>> {
    let nothing = |path: &str, what: &str| {
        let path = if path == "$" { "the document" } else { path };
        Said::Nothing(format!("{path} is {what} in {}", declared.file))
    };
    let raw = match value.follow(document.whole()) {
        Ok(raw) => raw,
        // A list of nobody, as with the peers of the built-in signals.
        Err(lost) if is_empty_list(&lost) => {
            return Ok(nothing(value.up_to(lost.steps), "an empty list"));
        }
        Err(lost) => return Err(Box::new(finding(document, value, &lost))),
    };
    if raw.get() == "null" {
        return Ok(nothing(value.path(), "null"));
    }
    let here = (document, raw, value.path());
    kind::from_json(&declared.kind, here, at, warnings).map(Said::Value)
}

fn is_empty_list(lost: &Lost<'_>) -> bool {
    let inside = lost.at.trim_ascii().strip_prefix('[');
    let inside = inside.and_then(|rest| rest.strip_suffix(']'));
    matches!(lost.why, Why::Nothing) && inside.is_some_and(|inside| inside.trim_ascii().is_empty())
}

/// The time of the observation. A pointer that leads to nothing is worth a warning, `null` is not.
fn observed_at(
    document: &Document<'_>,
    time: &Pointer,
    warnings: &mut Warnings,
) -> Option<Timestamp> {
    match time.follow(document.whole()) {
        Ok(raw) => document.observed_at(&[(Some(raw), time.path())], warnings),
        Err(lost) => {
            warnings.add(|| {
                let place = document.place(lost.at, time.up_to(lost.steps));
                let mut warning = time_unreadable(place, &what_stands(&lost));
                warning.message = format!("the time at `{time}` can't be read: nothing is there");
                warning
            });
            None
        }
    }
}

/// Why a pointer leads to nothing, with what is there.
fn finding(document: &Document<'_>, pointer: &Pointer, lost: &Lost<'_>) -> Diagnostic {
    let place = document.place(lost.at, pointer.up_to(lost.steps));
    let token = pointer.token(lost.steps);
    match &lost.why {
        Why::Nothing => Diagnostic::new(
            Code::KeyMissing,
            place,
            format!("the pointer `{pointer}` leads to nothing"),
        )
        .found(what_stands(lost))
        .expected(wanted(lost, token))
        .help(nearest(lost, token).unwrap_or_else(|| {
            "correct the pointer where the signal is declared, or let the writer of this file write the value"
                .to_owned()
        })),
        Why::Twice => Diagnostic::new(
            Code::KeyDuplicate,
            place,
            format!("the key `{token}` stands there twice"),
        )
        .found(format!("`{token}` twice in one object"))
        .expected("every key once: which of two values counts is anybody's guess")
        .help("let the writer of this file write the key once"),
        Why::Unreadable(error) => {
            let error = error.to_string();
            let what = error.split(" at line").next().unwrap_or(&error);
            Diagnostic::new(Code::JsonSyntax, place, "a key can't be read as text")
                .found(what)
                .expected("keys of whole characters, after RFC 8259")
                .help("let the writer of this file write its keys in UTF-8")
        }
    }
}

fn wanted(lost: &Lost<'_>, token: &str) -> String {
    if lost.at.trim_ascii_start().starts_with('[') {
        let last = count(lost.at).saturating_sub(1);
        format!("an index from 0 to {last}, not `{token}`")
    } else {
        format!("an object with the key `{token}`")
    }
}

fn what_stands(lost: &Lost<'_>) -> String {
    match lost.at.trim_ascii_start().bytes().next() {
        Some(b'{') => keys_in_words(lost.at),
        Some(b'[') => format!("a list of {}", count(lost.at)),
        _ => kind_of(lost.at),
    }
}

fn nearest(lost: &Lost<'_>, token: &str) -> Option<String> {
    let keys = keys_of(lost.at)?;
    suggestion(token, keys.iter().map(String::as_str))
}

fn count(list: &str) -> usize {
    let mut count = 0;
    // The list was gone through before, so it can be.
    each_element(list, &mut |_, _: &RawValue| count += 1).ok();
    count
}
