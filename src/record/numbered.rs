//! The line of a journal that has a number, in its stored bytes, also where a sealed segment holds
//! it. That the line is still the one that was written is for whoever compares it.

use super::line::Chained;
use super::lines::{BackLines, Role};
use crate::diagnostic::Checked;
use crate::fs::Workspace;

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
    let Some(mut lines) = BackLines::open(workspace, file)? else {
        return Ok(None);
    };
    while let Some(line) = lines.next_line()? {
        let chained = Chained::parse(line.bytes).filter(|_| line.ended);
        if chained.is_some_and(|chained| seq.is_none_or(|seq| seq == chained.seq)) {
            return Ok(Some(line.bytes.to_vec()));
        }
        if place == Where::Whole && line.role == Role::Reseals {
            break;
        }
    }
    Ok(None)
}
