//! The recorded decisions from the last one back, over sealed segments.
//!
//! What a run looks back on, and what `explain` and `replay` decide again from, is the same: the
//! journal, and before it the segment that a reseal names. A segment that is gone or changed ends
//! the look; that is told, and never keeps a run from deciding.

use std::ops::ControlFlow;

use super::line::{RecordedLine, Segment};
use super::{LINE_LIMIT, STATE_JOURNAL, segments, verify};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::reverse::ReverseLines;
use crate::fs::{InputFile, Opened, Workspace};
use crate::policy::LONGEST_LOOK;

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
    if back(&input, &mut others, each)?.is_break() {
        return Ok(None);
    }
    while let Some(segment) = verify::segment_before(&input)? {
        if segment.file.is_none() {
            break;
        }
        // Whatever is wrong with a segment, the journal behind it is not.
        let Ok(Some(sealed)) = open(workspace, &segment) else {
            return Ok(Some(cut(&segment)));
        };
        match back(&sealed, &mut others, each) {
            Ok(ControlFlow::Continue(())) => input = sealed,
            Ok(ControlFlow::Break(())) => return Ok(None),
            Err(_) => return Ok(Some(cut(&segment))),
        }
    }
    Ok(None)
}

/// One file from its end to its beginning.
fn back(
    input: &InputFile,
    others: &mut usize,
    each: &mut dyn FnMut(RecordedLine) -> ControlFlow<()>,
) -> Checked<ControlFlow<()>> {
    let mut reverse = ReverseLines::new(input, LINE_LIMIT);
    while let Some(line) = reverse.next_line()? {
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

/// A sealed segment with the bytes that its successor names.
fn open(workspace: &Workspace, segment: &Segment) -> Checked<Option<InputFile>> {
    Ok(segments::open(workspace, segment)?.ok())
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
