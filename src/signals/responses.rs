//! The number of recent adaptive responses: `forensics/response_history.jsonl`.
//!
//! What an entry is and which ones count is said here; going back through them, and what becomes of
//! a line that is none, is in [`super::history`].

use chrono::TimeDelta;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::history::{self, Entries, Entry, EntryTime, NoEntry};
use super::json::parts::text_of;
use super::json::{Member, member};
use super::{ReadContext, Reading};
use crate::ids::SignalName;
use crate::time::Timestamp;

/// The file of this signal.
pub const FILE: &str = "forensics/response_history.jsonl";

/// The window before the evaluation time, its beginning included (row B-08).
pub const WINDOW: TimeDelta = TimeDelta::hours(24);

pub use history::OLD_ENOUGH;

/// The type of the entries that count; an entry without a type counts too.
pub const EVENT_TYPE: &str = "ADAPTIVE_RESPONSE";

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow, default, deserialize_with = "member")]
    timestamp: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    event_type: Member<'a>,
}

#[derive(Deserialize)]
struct Usual<'a> {
    timestamp: &'a str,
    #[serde(borrow, default)]
    event_type: Option<&'a str>,
}

/// Reads the file.
pub fn load(context: ReadContext<'_>) -> Reading {
    let entries = Entries {
        window: WINDOW,
        what: "a response",
        parse,
    };
    history::load(SignalName::RESPONSES, FILE, entries, context)
}

fn parse(line: &[u8]) -> Result<Entry, NoEntry> {
    let unparsable = |_| NoEntry::Unparsable;
    let line = std::str::from_utf8(line).map_err(unparsable)?;
    let is_object = line.trim_ascii_start().starts_with('{');
    if let Some(entry) = usual(line).filter(|_| is_object) {
        return Ok(entry);
    }
    let raw: Raw<'_> = match is_object {
        true => serde_json::from_str(line).map_err(|error| {
            if error.is_data() {
                NoEntry::Other
            } else {
                NoEntry::Unparsable
            }
        })?,
        false if serde_json::from_str::<IgnoredAny>(line).is_ok() => return Err(NoEntry::Other),
        false => return Err(NoEntry::Unparsable),
    };
    // `null`, or a type that is no text, is no type at all: such an entry counts.
    let other_type = raw
        .event_type
        .and_then(text_of)
        .is_some_and(|name| !is_response(&name));
    let written = raw.timestamp.map_or("no timestamp", RawValue::get);
    let read = raw
        .timestamp
        .and_then(text_of)
        .and_then(|text| Timestamp::read(&text));
    let time = read.map_or_else(
        || EntryTime::Unreadable(written.to_owned()),
        EntryTime::Read,
    );
    Ok(Entry {
        counts: !other_type,
        time,
    })
}

/// The usual entry, whose time can be read as it stands: most of a long history is such, and reading
/// it this way takes two thirds of the time. Any other gets a second, closer look.
fn usual(line: &str) -> Option<Entry> {
    let usual: Usual<'_> = serde_json::from_str(line).ok()?;
    let time = Timestamp::read(usual.timestamp).map(EntryTime::Read)?;
    Some(Entry {
        counts: usual.event_type.is_none_or(is_response),
        time,
    })
}

fn is_response(event_type: &str) -> bool {
    event_type.trim().eq_ignore_ascii_case(EVENT_TYPE)
}
