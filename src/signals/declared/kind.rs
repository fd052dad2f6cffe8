//! A value as the kind that its declaration names, from JSON or from text.
//!
//! Numbers written as text are read as for the built-in signals ([`crate::signals::number`]). A
//! word is compared exactly, after the blanks around it are taken off: `High` is not `high`, since
//! the declaration could name both. In a CSV file, which knows no types, true and false may be
//! written in any case; `1`, `yes` and an empty cell are neither.

use chrono::TimeDelta;
use serde_json::value::RawValue;

use super::super::history::in_future;
use super::super::json::parts::text_of;
use super::super::json::{Document, named, time_naive, wrong_type};
use super::super::number::{self, CORRECT, Wanted};
use super::super::{Finite, Value, Word};
use super::Kind;
use crate::diagnostic::{Checked, Code, Diagnostic, Place, Warnings, suggestion};
use crate::time::Timestamp;

/// What a time is expected to be, in messages.
const A_TIME: &str = "a time after RFC 3339, 2026-01-31T04:45:00Z say";

/// Reads a JSON value. `path` is how places name it.
pub(super) fn from_json(
    kind: &Kind,
    (document, raw, path): (&Document<'_>, &RawValue, &str),
    at: Timestamp,
    warnings: &mut Warnings,
) -> Checked<Value> {
    let place = || document.place(raw.get(), path);
    let what = named(path);
    let other = |expected: &str| wrong_type(place(), path, raw.get(), expected);
    match kind {
        Kind::Percent => document
            .number(raw, path, &number::PERCENT, warnings)
            .map(Value::Percent),
        Kind::Number { unit, min, max } => {
            let expected = range(unit, *min, *max);
            let make = |number| within(number, *min, *max);
            let wanted = a_number(&expected, unit, &make);
            document
                .number(raw, path, &wanted, warnings)
                .map(Value::Number)
        }
        // Entries in a window are counted, never read: [`super::window`].
        Kind::Count | Kind::CountInWindow(_) => document
            .number(raw, path, &number::COUNT, warnings)
            .map(Value::Count),
        Kind::Boolean => document.boolean(raw, path).map(Value::Truth),
        Kind::Choice(words) => {
            let text = text_of(raw).ok_or_else(|| other(&one_of(words)))?;
            word(words, &text, &place, &what)
        }
        Kind::Age => {
            let text = text_of(raw).ok_or_else(|| other(A_TIME))?;
            age(&text, &place, &what, at, warnings)
        }
    }
}

/// Reads the text of a cell. `what` names it in messages.
pub(super) fn from_text(
    kind: &Kind,
    (text, place, what): (&str, &dyn Fn() -> Place, &str),
    at: Timestamp,
    warnings: &mut Warnings,
) -> Checked<Value> {
    match kind {
        Kind::Percent => number::PERCENT
            .of_text(text, place, what, warnings)
            .map(Value::Percent),
        Kind::Number { unit, min, max } => {
            let expected = range(unit, *min, *max);
            let make = |number| within(number, *min, *max);
            a_number(&expected, unit, &make)
                .of_text(text, place, what, warnings)
                .map(Value::Number)
        }
        Kind::Count | Kind::CountInWindow(_) => number::COUNT
            .of_text(text, place, what, warnings)
            .map(Value::Count),
        Kind::Boolean => truth(text, place, what),
        Kind::Choice(words) => word(words, text, place, what),
        Kind::Age => age(text, place, what, at, warnings),
    }
}

fn a_number<'w>(
    expected: &'w str,
    unit: &str,
    make: &'w dyn Fn(f64) -> Option<Finite>,
) -> Wanted<'w, Finite> {
    Wanted {
        expected,
        make,
        percent_sign: unit == "%",
        fraction: false,
    }
}

/// A finite number within its limits, both included.
fn within(number: f64, min: Option<f64>, max: Option<f64>) -> Option<Finite> {
    let inside = min.is_none_or(|min| number >= min) && max.is_none_or(|max| number <= max);
    Finite::new(number).filter(|_| inside)
}

fn range(unit: &str, min: Option<f64>, max: Option<f64>) -> String {
    let range = match (min, max) {
        (None, None) => "a number".to_owned(),
        (Some(min), None) => format!("a number from {min} on"),
        (None, Some(max)) => format!("a number up to {max}"),
        (Some(min), Some(max)) => format!("a number from {min} to {max}"),
    };
    if unit.is_empty() {
        range
    } else {
        format!("{range}, in {unit}")
    }
}

fn truth(text: &str, place: &dyn Fn() -> Place, what: &str) -> Checked<Value> {
    let trimmed = text.trim();
    match [true, false].into_iter().find(|truth| {
        let word = if *truth { "true" } else { "false" };
        trimmed.eq_ignore_ascii_case(word)
    }) {
        Some(truth) => Ok(Value::Truth(truth)),
        None => Err(Box::new(
            Diagnostic::new(
                Code::ValueType,
                place(),
                format!("{what} is neither true nor false"),
            )
            .found(quoted(text))
            .expected("true or false")
            .help(CORRECT),
        )),
    }
}

fn word(words: &[Word], text: &str, place: &dyn Fn() -> Place, what: &str) -> Checked<Value> {
    let trimmed = text.trim();
    if let Some(word) = words.iter().find(|word| word.as_str() == trimmed) {
        return Ok(Value::Word(*word));
    }
    let near = suggestion(trimmed, words.iter().map(Word::as_str));
    Err(Box::new(
        Diagnostic::new(
            Code::ValueUnknown,
            place(),
            format!("{what} is none of the words that its declaration names"),
        )
        .found(quoted(text))
        .expected(one_of(words))
        .help(near.unwrap_or_else(|| {
            "correct the value where it is written, or add the word to the declaration".to_owned()
        })),
    ))
}

fn one_of(words: &[Word]) -> String {
    let mut named: Vec<&str> = words.iter().take(8).map(Word::as_str).collect();
    if words.len() > named.len() {
        named.push("…");
    }
    format!("one of {}", named.join(", "))
}

/// Text in backticks, or that there is none.
fn quoted(text: &str) -> String {
    if text.trim().is_empty() {
        "nothing".to_owned()
    } else {
        format!("`{text}`")
    }
}

/// How long ago the time was that a text names. A day alone is its first moment, so that the age
/// is not taken too low.
fn age(
    text: &str,
    place: &dyn Fn() -> Place,
    what: &str,
    at: Timestamp,
    warnings: &mut Warnings,
) -> Checked<Value> {
    let Some(read) = Timestamp::read(text) else {
        return Err(Box::new(
            Diagnostic::new(Code::ValueType, place(), format!("{what} is no time"))
                .found(quoted(text))
                .expected(A_TIME)
                .help("let its writer write such a time"),
        ));
    };
    if read.naive {
        warnings.add(|| time_naive(place(), &format!("`{text}`")));
    }
    Ok(since(read.time, place, what, at, warnings))
}

/// How long ago a time was; 0 for one in the future, with a warning.
pub(super) fn since(
    time: Timestamp,
    place: &dyn Fn() -> Place,
    what: &str,
    at: Timestamp,
    warnings: &mut Warnings,
) -> Value {
    let age = at.since(time);
    if age < TimeDelta::zero() {
        warnings.add(|| {
            let message = format!("{what} lies in the future; the age is taken as 0");
            in_future(place(), message, time, at)
        });
    }
    Value::Age(u64::try_from(age.num_seconds()).unwrap_or(0))
}
