//! The line of a journal that has a number, in its stored bytes, also where a sealed segment holds
//! it. That the line is still the one that was written is for whoever compares it.

use super::LINE_LIMIT;
use super::line::Chained;
use super::verify::segment_before;
use crate::diagnostic::Checked;
use crate::fs::reverse::ReverseLines;
use crate::fs::{InputFile, Opened, Workspace};

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// In the journal alone.
    Journal,
    /// In the journal, or in a segment that was sealed before it.
    Anywhere,
}

/// The line number `seq` of the journal `file`; the last line where no number is given.
pub fn line(
    workspace: &Workspace,
    file: &str,
    seq: Option<u64>,
    place: Where,
) -> Checked<Option<Vec<u8>>> {
    let mut name = file.to_owned();
    loop {
        let Opened::File(input) = workspace.open_input(&name)? else {
            return Ok(None);
        };
        if let Some(line) = within(&input, seq)? {
            return Ok(Some(line));
        }
        if place == Where::Journal {
            return Ok(None);
        }
        let before = segment_before(&input)?;
        match before.as_ref().and_then(|segment| segment.sealed_file()) {
            // A segment is sealed once, so a name that comes again is no earlier one.
            Some(sealed) if sealed != name => sealed.clone_into(&mut name),
            _ => return Ok(None),
        }
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
