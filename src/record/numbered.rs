//! The line of a journal that has a number, in its stored bytes, also where a sealed segment holds
//! it. That the line is still the one that was written is for whoever compares it.

use super::line::Chained;
use super::verify::segment_before;
use super::{LINE_LIMIT, segments};
use crate::diagnostic::Checked;
use crate::fs::reverse::ReverseLines;
use crate::fs::{InputFile, Opened, Workspace};

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// In the journal, or in a segment that was closed while it was whole.
    Whole,
    /// There, or in a segment that was sealed because it was broken.
    Anywhere,
}

/// The line number `seq` of the journal `file`; the last line where no number is given. Fails where a
/// segment on the way is not the one that was sealed.
pub fn line(
    workspace: &Workspace,
    file: &str,
    seq: Option<u64>,
    place: Where,
) -> Checked<Option<Vec<u8>>> {
    let Opened::File(mut input) = workspace.open_input(file)? else {
        return Ok(None);
    };
    loop {
        if let Some(line) = within(&input, seq)? {
            return Ok(Some(line));
        }
        let before = segment_before(&input)?;
        let Some(segment) = before.filter(|segment| segment.sealed_file().is_some()) else {
            return Ok(None);
        };
        if place == Where::Whole && segment.packed.is_none() {
            return Ok(None);
        }
        input = segments::require(workspace, &segment)?;
    }
}

fn within(input: &InputFile, seq: Option<u64>) -> Checked<Option<Vec<u8>>> {
    let mut reverse = ReverseLines::new(input, LINE_LIMIT);
    while let Some(line) = reverse.next_line()? {
        let Some(chained) = Chained::parse(line.bytes).filter(|_| line.ended) else {
            continue;
        };
        if seq.is_none_or(|seq| seq == chained.seq) {
            return Ok(Some(line.bytes.to_vec()));
        }
    }
    Ok(None)
}
