//! Lines from the end of a file towards its beginning, in bounded memory.
//!
//! A run's cost must not grow with its history, so what matters of a growing file is read from its
//! end. What the lines say is the caller's business.

use std::borrow::Borrow;
use std::os::unix::fs::FileExt as _;

use memchr::memrchr;

use super::InputFile;
use crate::diagnostic::{Checked, Code, Diagnostic, Place};

/// How much is read at a time, and at first: often the last line is all that matters.
const STEP: usize = 32 * 1024;
const FIRST_STEP: usize = 8 * 1024;

/// Hands out the lines of a file, last one first.
#[derive(Debug)]
pub struct ReverseLines<I> {
    input: I,
    limit: u64,
    /// Bytes of the file from `start` on that were read and not yet handed out.
    buffer: Vec<u8>,
    /// Offset of the first byte of `buffer` in the file.
    start: u64,
    /// How many bytes at the front of `buffer` are not handed out yet.
    left: usize,
    /// No newline stands in `buffer[scanned..left]`: a long line is not searched again and again.
    scanned: usize,
    first: bool,
    /// The first line of the file was handed out.
    done: bool,
}

/// A line without its newline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'b> {
    /// The bytes, a carriage return included where there is one.
    pub bytes: &'b [u8],
    /// The offset of its first byte in the file.
    pub offset: u64,
    /// False for a last line that no newline ends.
    pub ended: bool,
}

impl<I: Borrow<InputFile>> ReverseLines<I> {
    /// Starts at the end that the file had when it was opened. A line may have `limit` bytes.
    pub fn new(input: I, limit: u64) -> Self {
        let size = input.borrow().size;
        Self {
            input,
            limit,
            buffer: Vec::new(),
            start: size,
            left: 0,
            scanned: 0,
            first: true,
            done: size == 0,
        }
    }

    /// Hands out no more lines.
    pub fn finish(&mut self) {
        self.done = true;
    }

    /// The line before the one handed out last; `None` at the beginning of the file.
    pub fn next_line(&mut self) -> Checked<Option<Line<'_>>> {
        if self.done {
            return Ok(None);
        }
        let ended = !(self.first && self.last_line_is_open()?);
        if self.first && ended {
            self.left -= 1;
            self.scanned = self.left;
        }
        self.first = false;
        let begin = self.find_begin()?;
        let end = self.left;
        if (end - begin) as u64 > self.limit {
            return Err(self.too_long());
        }
        self.done = begin == 0;
        // The newline before this line ends the next one to be handed out.
        self.left = begin.saturating_sub(1);
        self.scanned = self.left;
        let bytes = self.buffer.get(begin..end).unwrap_or_default();
        Ok(Some(Line {
            bytes,
            offset: self.start + begin as u64,
            ended,
        }))
    }

    /// The bytes of the file, where one step brought them all.
    pub fn whole_file(&self) -> Option<&[u8]> {
        (self.start == 0 && self.buffer.len() as u64 == self.input.borrow().size)
            .then_some(&self.buffer)
    }

    fn last_line_is_open(&mut self) -> Checked<bool> {
        self.read_more()?;
        Ok(self.buffer.get(..self.left).and_then(<[u8]>::last) != Some(&b'\n'))
    }

    /// Where the line that ends at `left` begins in `buffer`.
    fn find_begin(&mut self) -> Checked<usize> {
        loop {
            let unread = self.buffer.get(..self.scanned).unwrap_or_default();
            if let Some(newline) = memrchr(b'\n', unread) {
                return Ok(newline + 1);
            }
            if self.start == 0 {
                return Ok(0);
            }
            if self.left as u64 > self.limit {
                return Err(self.too_long());
            }
            self.read_more()?;
        }
    }

    /// Puts the step before `start` in front of what is not handed out yet.
    fn read_more(&mut self) -> Checked<()> {
        let least = if self.buffer.is_empty() {
            FIRST_STEP
        } else {
            STEP
        };
        // At least doubled, so that a line of many steps is not copied once a step.
        let step = usize::try_from(self.start)
            .unwrap_or(usize::MAX)
            .min(least.max(self.left));
        self.buffer.resize(step + self.left, 0);
        self.buffer.copy_within(..self.left, step);
        self.start -= step as u64;
        let fresh = self.buffer.get_mut(..step).unwrap_or_default();
        let input = self.input.borrow();
        let read = input.file.read_exact_at(fresh, self.start);
        read.map_err(|error| input.failed(&error))?;
        self.left += step;
        self.scanned = step;
        Ok(())
    }

    fn too_long(&self) -> Box<Diagnostic> {
        Box::new(
            Diagnostic::new(
                Code::LineTooLong,
                Place::file(&self.input.borrow().name),
                "a line is too long",
            )
            .found(format!(
                "a line of more than {} bytes that ends before byte {}",
                self.limit,
                self.start + self.left as u64
            ))
            .expected(format!("at most {} bytes", self.limit))
            .help("check the writer of this file, or raise `--max-input-bytes`"),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;
    use crate::fs::{Opened, Workspace};

    fn backwards(content: &[u8]) -> Vec<(Vec<u8>, u64, bool)> {
        let directory = tempfile::tempdir().unwrap();
        let mut file = tempfile::NamedTempFile::new_in(directory.path()).unwrap();
        file.write_all(content).unwrap();
        file.persist(directory.path().join("lines")).unwrap();
        let workspace = Workspace::open(directory.path()).unwrap();
        let Opened::File(input) = workspace.open_input("lines").unwrap() else {
            panic!("the file is there")
        };
        let mut lines = ReverseLines::new(&input, 1 << 20);
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            all.push((line.bytes.to_vec(), line.offset, line.ended));
        }
        all
    }

    fn forwards(content: &[u8]) -> Vec<(Vec<u8>, u64, bool)> {
        let mut lines = Vec::new();
        let mut offset = 0;
        for line in content.split_inclusive(|byte| *byte == b'\n') {
            let ended = line.ends_with(b"\n");
            let bare = line.strip_suffix(b"\n").unwrap_or(line);
            lines.push((bare.to_vec(), offset, ended));
            offset += line.len() as u64;
        }
        lines.reverse();
        lines
    }

    #[test]
    fn small_files_come_out_backwards() {
        for content in ["", "\n", "a", "a\n", "a\nb", "a\nb\n", "\n\na\n\n"] {
            assert_eq!(
                backwards(content.as_bytes()),
                forwards(content.as_bytes()),
                "{content:?}"
            );
        }
    }

    #[test]
    fn a_line_longer_than_a_step_comes_out_whole() {
        let content = format!("first\n{}\nlast\n", "x".repeat(3 * STEP + 17));
        assert_eq!(backwards(content.as_bytes()), forwards(content.as_bytes()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_file_comes_out_backwards(lines in prop::collection::vec(0usize..30_000, 0..12), open in any::<bool>()) {
            let mut content: Vec<u8> = lines.iter().flat_map(|length| {
                let mut line = vec![b'x'; *length];
                line.push(b'\n');
                line
            }).collect();
            if open { content.extend_from_slice(b"open"); }
            prop_assert_eq!(backwards(&content), forwards(&content));
        }
    }
}
