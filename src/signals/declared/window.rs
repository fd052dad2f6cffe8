//! The number of entries of a JSONL file in a window before the evaluation time.
//!
//! Every line is an entry, a JSON object. All else is as with the adaptive responses
//! ([`super::super::history`]): the order is free, what has no readable time counts as recent.

use chrono::TimeDelta;
use serde::de::IgnoredAny;

use super::super::history::{self, Entries, Entry, EntryTime, NoEntry};
use super::super::json::parts::text_of;
use super::super::{ReadContext, Reading};
use super::Declared;
use super::pointer::{Pointer, Why};
use crate::time::Timestamp;

/// Reads the file. `time` leads to the time of an entry.
pub(super) fn load(
    declared: &Declared,
    time: &Pointer,
    window: TimeDelta,
    context: ReadContext<'_>,
) -> Reading {
    let entries = Entries {
        window,
        what: "an entry",
        parse: |line: &[u8]| parse(line, time),
    };
    history::load(declared.name.clone(), &declared.file, entries, context)
}

fn parse(line: &[u8], time: &Pointer) -> Result<Entry, NoEntry> {
    let line = std::str::from_utf8(line).map_err(|_| NoEntry::Unparsable)?;
    if !line.trim_ascii_start().starts_with('{') {
        let json = serde_json::from_str::<IgnoredAny>(line).is_ok();
        return Err(if json {
            NoEntry::Other
        } else {
            NoEntry::Unparsable
        });
    }
    let time = match time.follow(line) {
        Ok(raw) => text_of(raw)
            .and_then(|text| Timestamp::read(&text))
            .map_or_else(
                || EntryTime::Unreadable(raw.get().to_owned()),
                EntryTime::Read,
            ),
        Err(lost) => match lost.why {
            Why::Nothing => EntryTime::Unreadable(format!("nothing at `{time}`")),
            Why::Twice => return Err(NoEntry::Other),
            Why::Unreadable(_) => return Err(NoEntry::Unparsable),
        },
    };
    Ok(Entry { counts: true, time })
}
