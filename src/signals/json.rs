//! Reading JSON documents with places: every value knows its line, its column and its path.
//!
//! The raw shapes borrow their members unparsed (serde_json's `RawValue`), so that a member of the
//! wrong type is a finding about that member and not about the document. Which members a signal
//! has is said in the signal's own file.

pub mod parts;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::Deserializer;
use serde_json::value::RawValue;

use self::parts::{each_element, keys_in_words};
use super::number::{self, Wanted};
use super::{Outcome, Percent, ReadContext, Reading, Readings, Source, Status, Value, forecast};
use crate::diagnostic::{Checked, Code, Diagnostic, Place, Warnings};
use crate::fs::Opened;
use crate::ids::{Digest, SignalName};
use crate::time::Timestamp;

/// What a JSON signal's text says, or why it says nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// A value.
    Value(Value),
    /// The source itself says that it has none, in a clause.
    Nothing(String),
}

/// What came out of a document, besides errors.
#[derive(Debug)]
pub struct Parsed {
    /// The value, or why there is none.
    pub said: Said,
    /// The time of the observation, where the document tells one.
    pub observed_at: Option<Timestamp>,
    /// What was odd.
    pub warnings: Warnings,
}

/// Opens, reads and parses the JSON file of a signal.
pub fn load(
    signal: SignalName,
    file: &str,
    parse: impl FnOnce(&Document<'_>) -> Result<Parsed, Vec<Diagnostic>>,
    context: ReadContext<'_>,
) -> Reading {
    let bytes = match context.workspace.open_input(file) {
        Ok(Opened::Absent) => {
            return Reading::bare(signal, Outcome::Missing(format!("{file} is not there")));
        }
        Ok(Opened::File(open)) => open.read_whole(context.limit),
        Err(error) => Err(error),
    };
    match bytes {
        Ok(bytes) => from_bytes(signal, file, &bytes, parse),
        Err(error) => Reading::bare(signal, Outcome::Invalid(vec![*error])),
    }
}

/// Parses the bytes of a signal's JSON file.
pub fn from_bytes(
    signal: SignalName,
    file: &str,
    bytes: &[u8],
    parse: impl FnOnce(&Document<'_>) -> Result<Parsed, Vec<Diagnostic>>,
) -> Reading {
    let sources = vec![Source {
        file: file.to_owned(),
        sha256: Digest::of(bytes),
        from: None,
    }];
    let parsed = match Document::read(file, bytes) {
        Ok(Some(document)) => parse(&document),
        Ok(None) => Ok(Parsed::nothing(format!("{file} is empty"))),
        Err(error) => Err(vec![*error]),
    };
    Reading {
        sources,
        ..reading(signal, parsed)
    }
}

/// The reading that a parsed document makes, without its sources.
pub fn reading(signal: SignalName, parsed: Result<Parsed, Vec<Diagnostic>>) -> Reading {
    match parsed {
        Ok(parsed) => Reading {
            observed_at: parsed.observed_at,
            warnings: parsed.warnings.into_vec(),
            ..Reading::bare(
                signal,
                match parsed.said {
                    Said::Value(value) => Outcome::Valid(value),
                    Said::Nothing(why) => Outcome::Missing(why),
                },
            )
        },
        Err(errors) => Reading::bare(signal, Outcome::Invalid(errors)),
    }
}

impl Parsed {
    /// Nothing, for a reason.
    pub fn nothing(why: String) -> Self {
        Self {
            said: Said::Nothing(why),
            observed_at: None,
            warnings: Warnings::default(),
        }
    }
}

/// A well-formed JSON text and the file it came from.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a> {
    file: &'a str,
    text: &'a str,
    /// The document is a line of the file and not the whole of it; places are within that line.
    is_line: bool,
}

/// A member of an object, unparsed: `Some` where the key is there, whatever stands behind it.
pub type Member<'a> = Option<&'a RawValue>;

/// For `#[serde(deserialize_with)]`: keeps `null` apart from an absent key.
pub fn member<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Member<'de>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl<'a> Document<'a> {
    /// Checks that `bytes` are one JSON text in UTF-8. A byte-order mark is accepted. `None` for a
    /// text of nothing but blanks.
    pub fn read(file: &'a str, bytes: &'a [u8]) -> Checked<Option<Self>> {
        let bare = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        Self::checked(file, bare, false)
    }

    /// As [`Self::read`], of a line of the file. A byte-order mark belongs to the file and is taken
    /// off by the caller.
    pub fn read_line(file: &'a str, line: &'a [u8]) -> Checked<Option<Self>> {
        Self::checked(file, line, true)
    }

    fn checked(file: &'a str, bare: &'a [u8], is_line: bool) -> Checked<Option<Self>> {
        let text = match std::str::from_utf8(bare) {
            Ok(text) => text,
            Err(error) => return Err(not_utf8(file, bare, error.valid_up_to())),
        };
        if text.trim_ascii().is_empty() {
            return Ok(None);
        }
        let document = Self {
            file,
            text,
            is_line,
        };
        match serde_json::from_str::<&RawValue>(text) {
            Ok(_) => Ok(Some(document)),
            Err(error) => Err(document.syntax(&error)),
        }
    }

    /// The document as an object of the shape `T`, whose members are [`Member`]s.
    pub fn object<T: Deserialize<'a>>(&self) -> Checked<T> {
        self.shaped(self.text, "$")
    }

    /// A value within the document as an object of the shape `T`.
    pub fn object_at<T: Deserialize<'a>>(&self, raw: &'a RawValue, path: &str) -> Checked<T> {
        self.shaped(raw.get(), path)
    }

    fn shaped<T: Deserialize<'a>>(&self, text: &'a str, path: &str) -> Checked<T> {
        let place = || self.place(text, path);
        if !text.trim_ascii_start().starts_with('{') {
            return Err(wrong_type(place(), path, text, "a JSON object"));
        }
        serde_json::from_str(text).map_err(|error| {
            // The text is well-formed and an object, and its members are taken as they are: what is
            // left is a key that comes twice.
            let message = error.to_string();
            let key = message.split('`').nth(1).unwrap_or("?").to_owned();
            Box::new(
                Diagnostic::new(
                    Code::KeyDuplicate,
                    place(),
                    format!("the key `{key}` stands there twice"),
                )
                .found(format!("`{key}` twice in one object"))
                .expected("every key once: which of two values counts is anybody's guess")
                .help("let the writer of this file write the key once"),
            )
        })
    }

    /// The document as a whole.
    pub fn here(&self) -> Place {
        Place::file(self.file)
    }

    /// The place of a value. `part` has to be a slice of this document's text.
    pub fn place(&self, part: &str, path: &str) -> Place {
        let offset = (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let (line, column) = position(self.text.as_bytes(), offset);
        let place = Place::line(self.file, line).column(column);
        if path == "$" { place } else { place.path(path) }
    }

    fn syntax(&self, error: &serde_json::Error) -> Box<Diagnostic> {
        // Behind a last newline the parser counts column 0.
        let (line, column) = (error.line() as u64, error.column().max(1) as u64);
        let message = error.to_string();
        let what = message.split(" at line").next().unwrap_or(&message);
        let what = match what.strip_prefix("EOF while parsing ") {
            Some(inside) => format!("it ends inside {inside}"),
            None => what.to_lowercase(),
        };
        let offending = self
            .text
            .lines()
            .nth(error.line().saturating_sub(1))
            .unwrap_or_default();
        let found = match (error.is_eof(), self.is_line) {
            (true, false) => "the end of the file".to_owned(),
            (true, true) => "the end of the line".to_owned(),
            (false, _) => word_around(offending, error.column()),
        };
        let help = if self.is_line {
            "let the writer of this file append each line in one write"
        } else {
            "let the writer of this file write it again, to a temporary file that it then renames"
        };
        Box::new(
            Diagnostic::new(
                Code::JsonSyntax,
                Place::line(self.file, line).column(column),
                format!("this is no well-formed JSON: {what}"),
            )
            .found(found)
            .expected("one JSON text after RFC 8259")
            .help(help),
        )
    }

    /// The finding for a document that has content, but not the value.
    pub fn key_missing(&self, expected: &str) -> Diagnostic {
        Diagnostic::new(
            Code::KeyMissing,
            Place::file(self.file),
            "the file does not name the value",
        )
        .found(keys_in_words(self.text))
        .expected(expected)
        .help("let its writer use that key, or remove a file that is another's")
    }

    /// The document's text.
    pub fn whole(&self) -> &'a str {
        self.text
    }

    /// Reads `true` or `false`.
    pub fn boolean(&self, raw: &RawValue, path: &str) -> Checked<bool> {
        match raw.get() {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(wrong_type(
                self.place(other, path),
                path,
                other,
                "true or false",
            )),
        }
    }

    /// Reads a JSON string.
    pub fn text(&self, raw: &RawValue, path: &str) -> Checked<String> {
        serde_json::from_str(raw.get())
            .map_err(|_| wrong_type(self.place(raw.get(), path), path, raw.get(), "text"))
    }

    /// Reads a percentage: a number, or a number written as text, with a warning.
    pub fn percent(&self, raw: &RawValue, path: &str, warnings: &mut Warnings) -> Checked<Percent> {
        self.number(raw, path, &number::PERCENT, warnings)
    }

    /// Reads a number, or a number written as text, with a warning.
    pub fn number<T>(
        &self,
        raw: &RawValue,
        path: &str,
        wanted: &Wanted<'_, T>,
        warnings: &mut Warnings,
    ) -> Checked<T> {
        let written = raw.get();
        let place = || self.place(written, path);
        let what = named(path);
        if written.starts_with('"') {
            let text = self.text(raw, path)?;
            let number = wanted.of_text(&text, &place, &what, warnings)?;
            warnings.add(|| {
                Diagnostic::new(
                    Code::NumberAsText,
                    place(),
                    format!("{what} is a number written as text"),
                )
                .found(written)
                .expected("the number without quotes")
                .help("let its writer write a number")
            });
            return Ok(number);
        }
        match serde_json::from_str::<f64>(written) {
            Ok(number) => wanted.of_number(number, written, &place, &what, warnings),
            Err(error) if error.is_syntax() => {
                // A number so large that no f64 holds it.
                wanted.of_number(f64::INFINITY, written, &place, &what, warnings)
            }
            Err(_) => Err(wrong_type(place(), path, written, wanted.expected)),
        }
    }

    /// Reads a count: a whole number from 0 on, or one written as text.
    pub fn count(&self, raw: &RawValue, path: &str) -> Checked<u64> {
        let written = raw.get();
        let bare = written.trim_matches('"').trim();
        let count = bare.parse().ok().and_then(number::whole);
        count.ok_or_else(|| wrong_type(self.place(written, path), path, written, number::A_COUNT))
    }

    /// Reads the first of `members` that is there as a time. A time is never worth a refusal: one
    /// that can't be read is a warning.
    pub fn observed_at(
        &self,
        members: &[(Member<'a>, &str)],
        warnings: &mut Warnings,
    ) -> Option<Timestamp> {
        let (raw, path) = members
            .iter()
            .find_map(|(member, path)| member.map(|raw| (raw, *path)))?;
        if raw.get() == "null" {
            return None;
        }
        let place = || self.place(raw.get(), path);
        let read = serde_json::from_str::<String>(raw.get())
            .ok()
            .and_then(|text| Timestamp::read(&text));
        match read {
            Some(read) => {
                if read.naive {
                    warnings.add(|| time_naive(place(), raw.get()));
                }
                Some(read.time)
            }
            None => {
                warnings.add(|| time_unreadable(place(), raw.get()));
                None
            }
        }
    }

    /// Goes through a JSON list without keeping it: `each` gets every element with its index.
    pub fn each_of(
        &self,
        raw: &'a RawValue,
        path: &str,
        each: &mut dyn FnMut(usize, &'a RawValue),
    ) -> Checked<()> {
        each_element(raw.get(), each)
            .map_err(|_| wrong_type(self.place(raw.get(), path), path, raw.get(), "a list"))
    }
}

/// The warning for a time that can't be read.
pub fn time_unreadable(place: Place, found: &str) -> Diagnostic {
    Diagnostic::new(Code::TimeUnreadable, place, "the time can't be read")
        .found(found)
        .expected("a time after RFC 3339, 2026-01-31T04:45:00Z say")
        .help("let its writer write such a time")
}

/// The warning for a time without an offset.
pub fn time_naive(place: Place, found: &str) -> Diagnostic {
    Diagnostic::new(
        Code::TimeNaive,
        place,
        "the time names no offset and is taken as UTC",
    )
    .found(found)
    .expected("a time with `Z` or an offset")
    .help("let its writer add the offset")
}

/// A value by its path, for a message.
pub fn named(path: &str) -> String {
    if path == "$" {
        "the document".to_owned()
    } else {
        format!("`{}`", path.trim_start_matches("$."))
    }
}

/// The finding for a value of another kind.
pub fn wrong_type(place: Place, path: &str, written: &str, expected: &str) -> Box<Diagnostic> {
    let what = named(path);
    Box::new(
        Diagnostic::new(
            Code::ValueType,
            place,
            format!("{what} is of another kind than expected"),
        )
        .found(kind_of(written))
        .expected(expected)
        .help("correct the value where it is written, or run the writer of this file again"),
    )
}

/// Names a JSON value for a person.
pub fn kind_of(written: &str) -> String {
    match written.trim_ascii_start().bytes().next() {
        Some(b'{') => "an object".to_owned(),
        Some(b'[') => "a list".to_owned(),
        Some(b'"') => format!("the text {written}"),
        _ => format!("`{written}`"),
    }
}

/// Line and column, counted from 1, of a byte offset.
pub fn position(text: &[u8], offset: usize) -> (u64, u64) {
    let before = text.get(..offset).unwrap_or(text);
    let line = memchr::memchr_iter(b'\n', before).count() as u64 + 1;
    let column = before.len() - memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
    (line, column as u64 + 1)
}

/// The word that stands at a column (counted from 1) of a line, in backticks: `NaN` rather than
/// only its first letter.
fn word_around(line: &str, column: usize) -> String {
    let is_word =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+' | b'_');
    let bytes = line.as_bytes();
    let at = column.saturating_sub(1).min(bytes.len());
    let begin = bytes
        .iter()
        .take(at)
        .rposition(|byte| !is_word(byte))
        .map_or(0, |before| before + 1);
    let length = bytes
        .iter()
        .skip(begin)
        .take_while(|byte| is_word(byte))
        .count();
    let word = bytes.get(begin..begin + length.min(60)).unwrap_or_default();
    if length == 0 {
        return match line.get(at..).and_then(|rest| rest.chars().next()) {
            Some(character) => format!("`{character}`"),
            None => "the end of the line".to_owned(),
        };
    }
    format!("`{}`", String::from_utf8_lossy(word))
}

/// The finding for bytes that are no UTF-8.
pub fn not_utf8(file: &str, bytes: &[u8], at: usize) -> Box<Diagnostic> {
    let (line, column) = position(bytes, at);
    let found = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "the byte-order mark of UTF-16".to_owned(),
        _ => bytes.get(at).map_or_else(
            || "a cut character".to_owned(),
            |byte| format!("the byte 0x{byte:02x}"),
        ),
    };
    Box::new(
        Diagnostic::new(
            Code::NotUtf8,
            Place::line(file, line).column(column),
            "the file is no UTF-8 text",
        )
        .found(found)
        .expected("UTF-8, with or without a byte-order mark")
        .help("let its writer write UTF-8 (Windows PowerShell: `-Encoding utf8`)"),
    )
}

#[derive(Deserialize)]
struct RawInputs<'a> {
    #[serde(borrow, default, deserialize_with = "member")]
    inputs: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    readings: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    trust_locked: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    integrity_score: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    consensus_pct: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    reputation_score: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    forecast_risk: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    recent_responses: Member<'a>,
}

/// Readings of six values as a state file's `inputs` shows them, or of a state file as a whole. A
/// value that is not there is missing; what can't be read is refused.
pub fn inputs_from(
    file: &str,
    bytes: &[u8],
) -> Result<(Readings, Vec<Diagnostic>), Vec<Diagnostic>> {
    let document = match Document::read(file, bytes) {
        Ok(Some(document)) => document,
        Ok(None) => return Ok((Readings::new(Vec::new()), Vec::new())),
        Err(error) => return Err(vec![*error]),
    };
    let mut raw: RawInputs<'_> = document.object().map_err(|error| vec![*error])?;
    let statuses = raw.readings.map(|raw| statuses(&document, raw)).transpose();
    let statuses = statuses.map_err(|error| vec![*error])?.unwrap_or_default();
    if let Some(inner) = raw.inputs {
        raw = document
            .object_at(inner, "$.inputs")
            .map_err(|error| vec![*error])?;
    }
    let mut warnings = Warnings::default();
    let mut percent = |raw: &RawValue, path: &str| {
        document
            .percent(raw, path, &mut warnings)
            .map(Value::Percent)
    };
    let values = [
        (
            SignalName::TRUST,
            raw.trust_locked
                .map(|raw| document.boolean(raw, "$.trust_locked").map(Value::Flag)),
        ),
        (
            SignalName::INTEGRITY,
            raw.integrity_score
                .map(|raw| percent(raw, "$.integrity_score")),
        ),
        (
            SignalName::CONSENSUS,
            raw.consensus_pct.map(|raw| percent(raw, "$.consensus_pct")),
        ),
        (
            SignalName::REPUTATION,
            raw.reputation_score
                .map(|raw| percent(raw, "$.reputation_score")),
        ),
        (
            SignalName::FORECAST,
            raw.forecast_risk
                .map(|raw| forecast::risk(&document, raw, "$.forecast_risk").map(Value::Risk)),
        ),
        (
            SignalName::RESPONSES,
            raw.recent_responses
                .map(|raw| document.count(raw, "$.recent_responses").map(Value::Count)),
        ),
    ];
    let (mut readings, mut errors) = (Vec::new(), Vec::new());
    for (signal, value) in values {
        match value {
            None => {}
            Some(Ok(value)) => {
                // In a state file a value may only stand in for a report that nobody made.
                let outcome = match statuses.get(&signal) {
                    None | Some(Status::Valid) => Outcome::Valid(value),
                    Some(Status::Missing) => Outcome::Missing("not reported".to_owned()),
                    Some(Status::Stale) => Outcome::Stale(value),
                    Some(Status::Invalid) => Outcome::Invalid(Vec::new()),
                };
                readings.push(Reading::bare(signal, outcome));
            }
            Some(Err(error)) => errors.push(*error),
        }
    }
    if errors.is_empty() {
        Ok((Readings::new(readings), warnings.into_vec()))
    } else {
        Err(errors)
    }
}

/// The status of each signal, as a state file's `readings` tell them.
fn statuses(document: &Document<'_>, raw: &RawValue) -> Checked<BTreeMap<SignalName, Status>> {
    #[derive(Deserialize)]
    struct RawReading {
        status: Status,
    }
    let readings: Result<BTreeMap<SignalName, RawReading>, _> = serde_json::from_str(raw.get());
    match readings {
        Ok(readings) => Ok(readings
            .into_iter()
            .map(|(signal, reading)| (signal, reading.status))
            .collect()),
        Err(_) => Err(wrong_type(
            document.place(raw.get(), "$.readings"),
            "$.readings",
            raw.get(),
            "the readings of a state file",
        )),
    }
}
