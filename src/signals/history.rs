//! The entries of a JSONL history that lie in a window before the evaluation time.
//!
//! Reading goes backwards from the end and stops where 256 KB in a row are older than the window,
//! so that ten years of history cost what a day costs. Whatever can't be dated counts as recent.
//! What an entry is, and where its time stands, is said by each signal ([`Entries`]); a value of
//! the last line alone is read by [`super::declared`], with the places and digests of this file.

use std::os::unix::fs::FileExt as _;

use chrono::TimeDelta;
use memchr::memchr_iter;
use serde::de::IgnoredAny;
use sha2::{Digest as _, Sha256};

use super::json::{time_naive, time_unreadable};
use super::{Outcome, ReadContext, Reading, Source, Value};
use crate::diagnostic::{Checked, Code, Diagnostic, Place, Warnings};
use crate::fs::reverse::ReverseLines;
use crate::fs::{InputFile, Opened};
use crate::ids::{Digest, SignalName};
use crate::time::{ReadTime, Timestamp};

/// Reading stops behind this many bytes in a row that are older than the window.
pub const OLD_ENOUGH: u64 = 256 * 1024;

/// A history up to this size is hashed whole. Of a longer one the part that decided is hashed, from
/// the oldest entry that is not older than the window: hashing what was only looked at to find that
/// place would be a fifth of a run.
const HASHED_WHOLE: u64 = 64 * 1024;

/// More findings than this in one file help nobody.
const ENOUGH: usize = 20;

/// Which entries are counted, and how a line becomes one.
pub struct Entries<'e, P> {
    /// The window before the evaluation time, its beginning included (row B-08).
    pub window: TimeDelta,
    /// What an entry is for a person: `a response`.
    pub what: &'e str,
    /// Reads one line that is not blank.
    pub parse: P,
}

/// What one entry says.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// False for an entry of another type than those that are counted.
    pub counts: bool,
    /// When it happened.
    pub time: EntryTime,
}

/// The time of an entry.
#[derive(Debug, PartialEq, Eq)]
pub enum EntryTime {
    /// It can be read.
    Read(ReadTime),
    /// It can't; what stands there instead.
    Unreadable(String),
}

/// Why a line is no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoEntry {
    /// It is no JSON text.
    Unparsable,
    /// It is JSON in UTF-8 or close to it, but no object with unique keys.
    Other,
}

/// Reads a history and counts the entries in the window. An empty one is a valid 0.
pub fn load(
    signal: SignalName,
    file: &str,
    entries: Entries<'_, impl Fn(&[u8]) -> Result<Entry, NoEntry>>,
    context: ReadContext<'_>,
) -> Reading {
    let input = match context.workspace.open_input(file) {
        Ok(Opened::Absent) => {
            return Reading::bare(signal, Outcome::Missing(format!("{file} is not there")));
        }
        Ok(Opened::File(input)) => input,
        Err(error) => return Reading::bare(signal, Outcome::Invalid(vec![*error])),
    };
    let mut count = Count::new(entries, context.at);
    let walked = count.walk(&input, context.limit);
    let mut reading = Reading::bare(signal, Outcome::Valid(Value::Count(count.recent)));
    match walked {
        Ok(source) => reading.sources.push(source),
        Err(error) => count.errors.push(*error),
    }
    if !count.errors.is_empty() {
        count.errors.reverse();
        reading.outcome = Outcome::Invalid(count.errors);
    }
    reading.observed_at = count.newest;
    reading.warnings = count.warnings.into_vec();
    reading
}

struct Count<'e, P> {
    entries: Entries<'e, P>,
    at: Timestamp,
    begin: Timestamp,
    recent: u64,
    newest: Option<Timestamp>,
    warnings: Warnings,
    errors: Vec<Diagnostic>,
}

/// What a line is for the search for the end of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    Blank,
    Old,
    Recent,
}

impl<'e, P: Fn(&[u8]) -> Result<Entry, NoEntry>> Count<'e, P> {
    fn new(entries: Entries<'e, P>, at: Timestamp) -> Self {
        Self {
            begin: at.minus(entries.window),
            entries,
            at,
            recent: 0,
            newest: None,
            warnings: Warnings::default(),
            errors: Vec::new(),
        }
    }

    /// Goes back as far as it matters and tells what was read.
    fn walk(&mut self, file: &InputFile, limit: u64) -> Checked<Source> {
        let mut lines = ReverseLines::new(file, limit);
        let (mut counts_from, mut old, mut blank) = (file.size, 0, 0);
        let mut first = true;
        while let Some(line) = lines.next_line()? {
            let from = line.offset;
            let bare = if line.offset == 0 {
                line.bytes
                    .strip_prefix(b"\xef\xbb\xbf")
                    .unwrap_or(line.bytes)
            } else {
                line.bytes
            };
            let whole = line.ended || !first;
            first = false;
            let length = line.bytes.len() as u64 + 1;
            match self.take(bare, whole, &|| place_of(file, from)) {
                Age::Blank => blank += length,
                Age::Old => (old, blank) = (old + length, 0),
                Age::Recent => (old, blank, counts_from) = (0, 0, from),
            }
            if blank >= OLD_ENOUGH {
                self.errors.push(only_blank(place_of(file, from)));
            }
            if old >= OLD_ENOUGH || blank >= OLD_ENOUGH || self.errors.len() >= ENOUGH {
                break;
            }
        }
        decided_by(&lines, file, counts_from)
    }

    /// Takes one line. `whole` is false for a last line that no newline ends.
    fn take(&mut self, line: &[u8], whole: bool, place: &dyn Fn() -> Place) -> Age {
        if line.trim_ascii().is_empty() {
            return Age::Blank;
        }
        match (self.entries.parse)(line) {
            Ok(entry) => self.count(&entry, place),
            Err(NoEntry::Unparsable) if !whole => {
                self.torn(line, place);
                Age::Recent
            }
            Err(_) => {
                self.errors.push(
                    Diagnostic::new(
                        Code::LineNotObject,
                        place(),
                        "the line is no JSON object with unique keys",
                    )
                    .found(String::from_utf8_lossy(line))
                    .expected("one JSON object on every line, in UTF-8")
                    .help(format!(
                        "mend or remove the line: it may hide {}",
                        self.entries.what
                    )),
                );
                Age::Recent
            }
        }
    }

    /// A last line that was cut counts as one entry. Where whole entries stand glued in front of
    /// the cut one, each of them counts too.
    fn torn(&mut self, line: &[u8], place: &dyn Fn() -> Place) {
        let mut entries = serde_json::Deserializer::from_slice(line).into_iter::<IgnoredAny>();
        let whole = entries.by_ref().take_while(Result::is_ok).count() as u64;
        let rest = line.get(entries.byte_offset()..).unwrap_or_default();
        let cut = u64::from(whole == 0 || !rest.trim_ascii().is_empty());
        self.recent += whole + cut;
        self.warnings.add(|| {
            Diagnostic::new(
                Code::TornLastLine,
                place(),
                "the last line was cut while it was written; it counts as recent",
            )
            .found(String::from_utf8_lossy(line))
            .expected("one JSON object and a newline")
            .help("let the writer of the history append each line in one write")
        });
    }

    fn count(&mut self, entry: &Entry, place: &dyn Fn() -> Place) -> Age {
        let time = match &entry.time {
            EntryTime::Read(read) => *read,
            EntryTime::Unreadable(found) => {
                if entry.counts {
                    self.recent += 1;
                    self.warnings.add(|| time_unreadable(place(), found));
                }
                return Age::Recent;
            }
        };
        // A day without a time may have been its last moment.
        let latest = if time.date_only {
            time.time.plus_seconds(86_399)
        } else {
            time.time
        };
        if latest < self.begin {
            return Age::Old;
        }
        if time.naive {
            self.warnings
                .add(|| time_naive(place(), &time.time.to_string()));
        }
        if entry.counts {
            self.recent += 1;
            self.newest = self.newest.max(Some(time.time));
            if time.time > self.at {
                let (what, at) = (self.entries.what, self.at);
                self.warnings.add(|| {
                    let message = format!("{what} lies in the future; it counts");
                    in_future(place(), message, time.time, at)
                });
            }
        }
        Age::Recent
    }
}

/// The warning for a time after the evaluation time.
pub fn in_future(place: Place, message: String, time: Timestamp, at: Timestamp) -> Diagnostic {
    Diagnostic::new(Code::TimeInFuture, place, message)
        .found(time.to_string())
        .expected(format!("a time up to {at}"))
        .help("check the clocks of this machine and of the writer")
}

/// The finding for a gap that is as long as what would end the search: what stands before it is
/// not known.
pub fn only_blank(place: Place) -> Diagnostic {
    Diagnostic::new(
        Code::LineNotObject,
        place,
        "the history has a gap of blank lines",
    )
    .found(format!("more than {OLD_ENOUGH} bytes of blank lines"))
    .expected("one JSON object on every line")
    .help("remove the blank lines: they may hide what stands before them")
}

/// Beyond this offset a place is a byte and not a line: counting lines would cost what the history
/// is long.
const COUNTED: u64 = 16 * 1024 * 1024;

/// The place of the line that begins at the byte `offset`.
pub fn place_of(file: &InputFile, offset: u64) -> Place {
    let by_offset = || Place::file(&file.name).path(format!("byte {offset}"));
    if offset > COUNTED {
        return by_offset();
    }
    let mut lines = 0;
    let counted = each_part(file, 0, offset, &mut |part| {
        lines += memchr_iter(b'\n', part).count() as u64;
    });
    counted.map_or_else(|_| by_offset(), |()| Place::line(&file.name, lines + 1))
}

/// What decided: the bytes from `from` to the end that the file had when opened, or the whole of a
/// small file.
pub fn decided_by(
    lines: &ReverseLines<&InputFile>,
    file: &InputFile,
    from: u64,
) -> Checked<Source> {
    if let Some(bytes) = lines.whole_file() {
        return Ok(Source {
            file: file.name.clone(),
            sha256: Digest::of(bytes),
            from: None,
        });
    }
    let from = if file.size <= HASHED_WHOLE { 0 } else { from };
    let mut hasher = Sha256::new();
    each_part(file, from, file.size, &mut |part| hasher.update(part))?;
    Ok(Source {
        file: file.name.clone(),
        sha256: Digest::finish(hasher),
        from: (from > 0).then_some(from),
    })
}

/// Reads the bytes from `from` up to `to` in bounded parts.
fn each_part(file: &InputFile, from: u64, to: u64, each: &mut dyn FnMut(&[u8])) -> Checked<()> {
    let mut buffer = vec![0; usize::try_from((to - from).min(64 * 1024)).unwrap_or(0)];
    let mut at = from;
    while at < to {
        let step = usize::try_from(to - at)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let part = buffer.get_mut(..step).unwrap_or_default();
        file.file
            .read_exact_at(part, at)
            .map_err(|error| file.failed(&error))?;
        each(part);
        at += step as u64;
    }
    Ok(())
}
