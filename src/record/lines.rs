//! The lines of a journal from the last one back, through the segments before it, one at a time.
//!
//! What the lines mean is the caller's business, and so is whether to go on before a reseal: what
//! stands there was changed by nobody knows whom.

use memchr::memmem;

use super::line::{Chained, Segment};
use super::{AUDIT_LOG, LINE_LIMIT, segments, signing};
use crate::diagnostic::Checked;
use crate::fs::reverse::ReverseLines;
use crate::fs::{InputFile, Opened, Workspace};

/// A journal that is read back.
#[derive(Debug)]
pub struct BackLines<'a> {
    workspace: &'a Workspace,
    /// A journal whose handovers are events like others.
    tells_handovers: bool,
    lines: ReverseLines<InputFile>,
    /// What stands before the line that was handed out last.
    before: Option<Segment>,
}

/// A line of a journal.
#[derive(Debug, Clone, Copy)]
pub struct BackLine<'b> {
    /// Its bytes without the newline.
    pub bytes: &'b [u8],
    /// False for a last line that no newline ends.
    pub ended: bool,
    /// What it is to the journal.
    pub role: Role,
}

/// What a line is to its journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It records something.
    Entry,
    /// It hands the journal over to another key and records nothing else.
    Handover,
    /// It is the first behind a closed segment, whose lines follow.
    Continues,
    /// It is the first behind a broken file, whose lines follow.
    Reseals,
}

impl Role {
    /// True for a line that is there for the sake of the chain alone.
    pub fn is_of_the_chain(self) -> bool {
        matches!(self, Self::Handover | Self::Continues)
    }
}

impl<'a> BackLines<'a> {
    /// Begins at the end of a journal; `None` where there is none.
    pub fn open(workspace: &'a Workspace, file: &str) -> Checked<Option<Self>> {
        let Opened::File(input) = workspace.open_input(file)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            workspace,
            tells_handovers: file == AUDIT_LOG,
            lines: ReverseLines::new(input, LINE_LIMIT),
            before: None,
        }))
    }

    /// The line before the one handed out last; `None` at the beginning. Fails where the segment that
    /// it stands in is not what its successor names.
    pub fn next_line(&mut self) -> Checked<Option<BackLine<'_>>> {
        if let Some(segment) = self.before.take() {
            if segment.sealed_file().is_none() {
                self.lines.finish();
                return Ok(None);
            }
            let input = segments::require(self.workspace, &segment)?;
            self.lines = ReverseLines::new(input, LINE_LIMIT);
        }
        let Some(line) = self.lines.next_line()? else {
            return Ok(None);
        };
        let begins = memmem::find(line.bytes, b"\"segment\":{").is_some();
        self.before = begins
            .then(|| Chained::parse(line.bytes).and_then(|line| line.segment))
            .flatten();
        let role = match &self.before {
            Some(segment) if segment.packed.is_some() => Role::Continues,
            Some(_) => Role::Reseals,
            None if !self.tells_handovers && signing::is_handover(line.bytes) => Role::Handover,
            None => Role::Entry,
        };
        Ok(Some(BackLine {
            bytes: line.bytes,
            ended: line.ended,
            role,
        }))
    }
}
