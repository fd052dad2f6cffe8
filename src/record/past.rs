//! The recorded decisions from the last one back, over sealed segments.
//!
//! What a run looks back on, and what `explain` and `replay` decide again from, is the same: the
//! journal, and before it the segment that a reseal names. A segment that is gone or changed ends
//! the look; that is told, and never keeps a run from deciding. Of a segment only the end is hashed
//! that a reseal names for this: what a look costs must not grow with the segment.

use std::ops::ControlFlow;

use serde::Deserialize;

use super::line::{Chained, RecordedLine, Segment};
use super::{LINE_LIMIT, STATE_JOURNAL, segments, verify};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::reverse::ReverseLines;
use crate::fs::{InputFile, Opened, Workspace};
use crate::policy::LONGEST_LOOK;
use crate::time::Timestamp;

/// So many lines at the end of a segment are hashed apart when it is sealed: a look goes over at most
/// [`LONGEST_LOOK`] decisions and as many other lines.
const END_LINES: usize = 2 * LONGEST_LOOK + 2;

/// Where the end of a file begins that looks go over.
pub(super) fn end_of(input: &InputFile) -> Checked<u64> {
    let mut reverse = ReverseLines::new(input, LINE_LIMIT);
    let mut from = input.size;
    for _ in 0..END_LINES {
        // In front of a line that is none, no look goes on.
        match reverse.next_line() {
            Ok(Some(line)) => from = line.offset,
            Ok(None) => break,
            Err(error) if error.code == Code::LineTooLong => break,
            Err(error) => return Err(error),
        }
    }
    Ok(from)
}

/// What a number stands for.
#[derive(Debug)]
pub enum Sought {
    /// A decision.
    Decision {
        /// Its line.
        line: Box<RecordedLine>,
        /// The sealed segment that the line stands in; `None` for the journal.
        segment: Option<String>,
        /// True where that, or one behind it, was broken when it was sealed.
        broken: bool,
    },
    /// The first line of a journal behind a sealed segment.
    Reseal {
        /// When.
        at: Timestamp,
        /// Why, in the words of whoever did it.
        reason: String,
        /// Which numbers decisions have, the newest file first.
        numbers: Vec<Numbers>,
    },
    /// Nothing.
    Absent {
        /// As above.
        numbers: Vec<Numbers>,
        /// Why there may be more.
        cut: Option<Diagnostic>,
    },
}

/// The numbers of the decisions in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// The lowest.
    pub first: u64,
    /// The highest.
    pub last: u64,
}

#[derive(Deserialize)]
struct RawReseal {
    timestamp: Timestamp,
    reason: String,
}

/// Looks for the line with the number `seq`, or for the last decision, over sealed segments.
pub fn seek(workspace: &Workspace, seq: Option<u64>) -> Checked<Sought> {
    let mut search = Search {
        seq,
        numbers: Vec::new(),
        reseal: None,
    };
    let mut next = match workspace.open_input(STATE_JOURNAL)? {
        Opened::File(journal) => Some(journal),
        Opened::Absent => None,
    };
    let mut cut_at = None;
    let mut broken = false;
    while let Some(input) = next.take() {
        if let Some(line) = search.file(&input)? {
            return Ok(Sought::Decision {
                line: Box::new(line),
                segment: (input.name != STATE_JOURNAL).then_some(input.name),
                broken,
            });
        }
        let before = verify::segment_before(&input)?;
        let Some(segment) = before.filter(|before| before.file.is_some()) else {
            break;
        };
        // A whole journal is packed when it is closed; a broken one is kept as it is.
        broken |= segment.packed.is_none();
        match open_whole(workspace, &segment) {
            Ok(Some(sealed)) => next = Some(sealed),
            _ => cut_at = Some(cut(&segment)),
        }
    }
    let Search {
        numbers, reseal, ..
    } = search;
    Ok(match reseal {
        Some(RawReseal { timestamp, reason }) => Sought::Reseal {
            at: timestamp,
            reason,
            numbers,
        },
        None => Sought::Absent {
            numbers,
            cut: cut_at,
        },
    })
}

/// The search for a number, and what was passed on the way.
struct Search {
    seq: Option<u64>,
    numbers: Vec<Numbers>,
    reseal: Option<RawReseal>,
}

impl Search {
    /// Looks through one file from its end.
    fn file(&mut self, input: &InputFile) -> Checked<Option<RecordedLine>> {
        let mut reverse = ReverseLines::new(input, LINE_LIMIT);
        let mut here: Option<Numbers> = None;
        while let Some(line) = reverse.next_line()? {
            let Some(chained) = Chained::parse(line.bytes).filter(|_| line.ended) else {
                continue;
            };
            let number = chained.seq;
            let Some(_) = chained.doc else {
                if self.seq == Some(number) {
                    self.reseal = serde_json::from_slice(line.bytes).ok();
                }
                continue;
            };
            if self.seq.is_none_or(|seq| seq == number)
                && let Some(recorded) = RecordedLine::parse(line.bytes)
            {
                return Ok(Some(recorded));
            }
            let known = here.get_or_insert(Numbers {
                first: number,
                last: number,
            });
            known.first = known.first.min(number);
            known.last = known.last.max(number);
        }
        self.numbers.extend(here);
        Ok(None)
    }
}

/// Calls `each` with every decision, last one first, until it breaks off. Comes back with why the
/// look ended before the history does, where it does.
pub(super) fn each_back(
    workspace: &Workspace,
    each: &mut dyn FnMut(RecordedLine) -> ControlFlow<()>,
) -> Checked<Option<Diagnostic>> {
    let Opened::File(mut input) = workspace.open_input(STATE_JOURNAL)? else {
        return Ok(None);
    };
    // Lines that are no decisions, as of a plain log: a look must not grow with them.
    let mut others = 0;
    if back(&input, None, &mut others, each)?.is_break() {
        return Ok(None);
    }
    while let Some(segment) = verify::segment_before(&input)? {
        if segment.file.is_none() {
            break;
        }
        // Whatever is wrong with a segment, the journal behind it is not.
        let Ok(Some((sealed, known_from))) = open(workspace, &segment) else {
            return Ok(Some(cut(&segment)));
        };
        let known = Known {
            from: known_from,
            whole: &segment,
        };
        match back(&sealed, Some(known), &mut others, each) {
            Ok(ControlFlow::Continue(())) => input = sealed,
            Ok(ControlFlow::Break(())) => return Ok(None),
            Err(_) => return Ok(Some(cut(&segment))),
        }
    }
    Ok(None)
}

/// What of a sealed segment is known to be as it was sealed.
#[derive(Clone, Copy)]
struct Known<'a> {
    /// From this byte on.
    from: u64,
    /// What the whole of it has to be.
    whole: &'a Segment,
}

/// One file from its end to its beginning. A look that goes on before what is `known` of a segment,
/// as that for a decision of long ago, has to have all of it as it was sealed.
fn back(
    input: &InputFile,
    mut known: Option<Known<'_>>,
    others: &mut usize,
    each: &mut dyn FnMut(RecordedLine) -> ControlFlow<()>,
) -> Checked<ControlFlow<()>> {
    let mut reverse = ReverseLines::new(input, LINE_LIMIT);
    while let Some(line) = reverse.next_line()? {
        if let Some(before) = known.take_if(|known| line.offset < known.from)
            && verify::digest_of(input)? != before.whole.sha256
        {
            return Err(Box::new(cut(before.whole)));
        }
        let goes_on = match RecordedLine::parse(line.bytes).filter(|_| line.ended) {
            Some(recorded) => each(recorded),
            None if *others >= LONGEST_LOOK => ControlFlow::Break(()),
            None => {
                *others += 1;
                ControlFlow::Continue(())
            }
        };
        if goes_on.is_break() {
            return Ok(goes_on);
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// A sealed segment whose end has the bytes that its successor names; all of it where the successor
/// names no end.
fn open(workspace: &Workspace, segment: &Segment) -> Checked<Option<(InputFile, u64)>> {
    let Some(end) = &segment.end else {
        return Ok(open_whole(workspace, segment)?.map(|input| (input, 0)));
    };
    let Some(input) = open_file(workspace, segment)? else {
        return Ok(None);
    };
    let is_it = end.from <= input.size && verify::digest_from(&input, end.from)? == end.sha256;
    Ok(is_it.then_some((input, end.from)))
}

/// A sealed segment with the bytes that its successor names, unpacked where it was closed.
fn open_whole(workspace: &Workspace, segment: &Segment) -> Checked<Option<InputFile>> {
    Ok(segments::open(workspace, segment)?.ok())
}

fn open_file(workspace: &Workspace, segment: &Segment) -> Checked<Option<InputFile>> {
    let Some(file) = segment.sealed_file() else {
        return Ok(None);
    };
    Ok(match workspace.open_input(file)? {
        Opened::File(input) => Some(input),
        Opened::Absent => None,
    })
}

fn cut(segment: &Segment) -> Diagnostic {
    let file = segment.file.as_deref().unwrap_or_default();
    Diagnostic::new(
        Code::LookCut,
        Place::file(file),
        "what this decision looks back on ends here: the sealed segment is gone or changed",
    )
    .found("another SHA-256, no file, or one that can't be read")
    .expected(format!("the SHA-256 {}", segment.sha256.short()))
    .help("restore it from version control; what was recorded before counts as not recorded")
}
