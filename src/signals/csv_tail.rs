//! Finds the header and the last data row of a CSV file in one pass and constant memory.
//!
//! The file is streamed, since a quoted field may span lines and so the last row can't be found
//! from the end alone. Comment lines (`#`) and blank lines are skipped wherever they stand. A part
//! of the file without a quote is only searched for its newlines, at the speed of memory. What the
//! columns mean is not known here; the `csv` crate splits the two rows that matter (RFC 4180).

use memchr::{memchr, memchr_iter, memrchr};
use sha2::{Digest as _, Sha256};

use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::InputFile;
use crate::ids::Digest;

/// How much is read at a time.
const CHUNK: usize = 128 * 1024;

/// A row of the file as it stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The bytes without the line's end.
    pub bytes: Vec<u8>,
    /// The line on which it begins, counted from 1.
    pub line: u64,
}

/// What one pass finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned {
    /// The first row that is neither blank nor a comment.
    pub header: Option<Row>,
    /// The last such row after the header.
    pub last: Option<Row>,
    /// The line on which a quoted field begins that nothing closes.
    pub unclosed: Option<u64>,
    /// The digest of the whole file.
    pub sha256: Digest,
}

/// Streams `input`. A row may have `limit` bytes.
pub fn scan(input: &mut InputFile, limit: u64) -> Checked<Scanned> {
    let mut scanner = Scanner {
        limit,
        ..Scanner::default()
    };
    let mut hasher = Sha256::new();
    let size = usize::try_from(input.size).unwrap_or(CHUNK);
    let mut buffer = vec![0; size.saturating_add(1).min(CHUNK)];
    loop {
        let count = input.read_some(&mut buffer)?;
        let chunk = buffer.get(..count).unwrap_or_default();
        hasher.update(chunk);
        if scanner.take(chunk).is_err() {
            return Err(scanner.too_long(&input.name));
        }
        // A regular file gives less than asked for only at its end.
        if count < buffer.len() {
            break;
        }
    }
    Ok(scanner.finish(Digest::finish(hasher)))
}

/// A row is longer than the limit.
struct TooLong;

#[derive(Default)]
struct Scanner {
    limit: u64,
    header: Option<Row>,
    last: Option<Row>,
    /// What was read of a row whose end did not come yet.
    open: Vec<u8>,
    /// True while the open row is inside a quoted field.
    quoted: bool,
    /// How many lines ended so far.
    lines: u64,
    /// How many lines ended before the open row began.
    open_since: u64,
    /// How many bytes of blank lines and comments stand before the header.
    before_header: u64,
    started: bool,
}

impl Scanner {
    fn take(&mut self, mut chunk: &[u8]) -> Result<(), TooLong> {
        if !self.started {
            // The first read brings the mark whole or not at all: regular files don't return short.
            chunk = chunk.strip_prefix(b"\xef\xbb\xbf").unwrap_or(chunk);
            self.started = true;
        }
        let Some(last_newline) = memrchr(b'\n', chunk) else {
            return self.keep_open(chunk);
        };
        let (whole, rest) = chunk.split_at(last_newline + 1);
        if self.open.is_empty() && self.header.is_some() && memchr(b'"', whole).is_none() {
            self.take_plain_lines(whole);
        } else {
            self.take_lines(whole)?;
        }
        self.keep_open(rest)
    }

    fn keep_open(&mut self, part: &[u8]) -> Result<(), TooLong> {
        if self.open.is_empty() {
            self.open_since = self.lines;
        }
        self.open.extend_from_slice(part);
        if self.open.len() as u64 > self.limit {
            Err(TooLong)
        } else {
            Ok(())
        }
    }

    /// Whole lines without a quote: only the last row among them matters.
    fn take_plain_lines(&mut self, whole: &[u8]) {
        let mut end = whole.len();
        while end > 0 {
            let body = whole.get(..end - 1).unwrap_or_default();
            let begin = memrchr(b'\n', body).map_or(0, |newline| newline + 1);
            let line = body.get(begin..).unwrap_or_default();
            if is_row(line) {
                let before =
                    memchr_iter(b'\n', whole.get(..begin).unwrap_or_default()).count() as u64;
                self.keep_last(line, self.lines + before + 1);
                break;
            }
            end = begin;
        }
        self.lines += memchr_iter(b'\n', whole).count() as u64;
    }

    /// Whole lines, the first of which may end a row that was open before.
    fn take_lines(&mut self, whole: &[u8]) -> Result<(), TooLong> {
        if self.header.is_none() {
            self.before_header += whole.len() as u64;
            if self.before_header > self.limit.saturating_add(CHUNK as u64) {
                return Err(TooLong);
            }
        }
        for line in whole.split_inclusive(|byte| *byte == b'\n') {
            if self.open.is_empty() {
                self.open_since = self.lines;
            }
            self.lines += 1;
            // A comment ends with its line, whatever quotes stand in it.
            let begin = if self.open.trim_ascii().is_empty() {
                line
            } else {
                &self.open
            };
            let comment = !self.quoted && is_comment(begin);
            if !comment && self.ends_quoted(line) {
                self.open.extend_from_slice(line);
                if self.open.len() as u64 > self.limit {
                    return Err(TooLong);
                }
                continue;
            }
            let mut row = std::mem::take(&mut self.open);
            row.extend_from_slice(line);
            self.row(row.strip_suffix(b"\n").unwrap_or(&row), self.open_since + 1);
        }
        Ok(())
    }

    /// Follows the quotes of a line that goes on with the open row: is a field open at its end?
    fn ends_quoted(&mut self, line: &[u8]) -> bool {
        // What was kept open at the end of a chunk was not counted yet, unless a newline was in it.
        let pending = match memrchr(b'\n', &self.open) {
            Some(newline) => self.open.get(newline + 1..).unwrap_or_default(),
            None => &self.open,
        };
        let quotes = memchr_iter(b'"', pending).count() + memchr_iter(b'"', line).count();
        self.quoted ^= quotes % 2 == 1;
        self.quoted
    }

    fn row(&mut self, bytes: &[u8], line: u64) {
        if !is_row(bytes) {
            return;
        }
        if self.header.is_none() {
            self.header = Some(Row {
                bytes: without_cr(bytes).to_vec(),
                line,
            });
        } else {
            self.keep_last(bytes, line);
        }
    }

    fn keep_last(&mut self, bytes: &[u8], line: u64) {
        let mut row = self.last.take().unwrap_or(Row {
            bytes: Vec::new(),
            line,
        });
        row.bytes.clear();
        row.bytes.extend_from_slice(without_cr(bytes));
        row.line = line;
        self.last = Some(row);
    }

    fn finish(mut self, sha256: Digest) -> Scanned {
        let open = std::mem::take(&mut self.open);
        let line = self.open_since + 1;
        let mut unclosed = self.quoted;
        if !self.quoted && !open.is_empty() {
            unclosed = !is_comment(&open) && memchr_iter(b'"', &open).count() % 2 == 1;
            self.row(&open, line);
        } else if self.quoted {
            // The file ends inside the field, perhaps right behind the quote that closes it.
            let pending = memrchr(b'\n', &open).map_or(0, |newline| newline + 1);
            let quotes = memchr_iter(b'"', open.get(pending..).unwrap_or_default()).count();
            unclosed = quotes.is_multiple_of(2);
            self.row(&open, line);
        }
        Scanned {
            header: self.header,
            last: self.last,
            unclosed: unclosed.then_some(line),
            sha256,
        }
    }

    fn too_long(&self, file: &str) -> Box<Diagnostic> {
        Box::new(
            Diagnostic::new(
                Code::LineTooLong,
                Place::line(file, self.open_since + 1),
                "a row is too long, or none begins",
            )
            .found(format!(
                "more than {} bytes without the end of a row",
                self.limit
            ))
            .expected(format!("at most {} bytes", self.limit))
            .help("look for a quote that is never closed, or raise `--max-input-bytes`"),
        )
    }
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn is_comment(line: &[u8]) -> bool {
    line.trim_ascii_start().first() == Some(&b'#')
}

fn is_row(line: &[u8]) -> bool {
    !is_comment(line) && !line.trim_ascii().is_empty()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scanned(content: &[u8], chunk: usize) -> Scanned {
        let mut scanner = Scanner {
            limit: 1 << 20,
            ..Scanner::default()
        };
        // The mark is only looked for in the first chunk, which holds it whole on a real file.
        let first = chunk.max(3).min(content.len());
        let (head, tail) = content.split_at(first);
        for part in std::iter::once(head).chain(tail.chunks(chunk.max(1))) {
            assert!(scanner.take(part).is_ok());
        }
        scanner.finish(Digest::of(content))
    }

    type Case<'a> = (&'a str, Option<Row>, Option<Row>, Option<u64>);

    #[expect(clippy::unnecessary_wraps, reason = "the cases read better")]
    fn row(text: &str, line: u64) -> Option<Row> {
        Some(Row {
            bytes: text.as_bytes().to_vec(),
            line,
        })
    }

    #[test]
    fn comments_blanks_quotes_and_line_ends() {
        let cases: &[Case<'_>] = &[
            ("", None, None, None),
            ("a,b\n", row("a,b", 1), None, None),
            (
                "# c\n\na,b\r\n1,2\r\n# d\n",
                row("a,b", 3),
                row("1,2", 4),
                None,
            ),
            ("\u{feff}a,b\n1,2\n3,4", row("a,b", 1), row("3,4", 3), None),
            (
                "a,b\n\"x\ny\",2\n",
                row("a,b", 1),
                row("\"x\ny\",2", 2),
                None,
            ),
            (
                "a,b\n\"x\n# no comment\ny\",2\n# \"odd\n\n",
                row("a,b", 1),
                row("\"x\n# no comment\ny\",2", 2),
                None,
            ),
            (
                "a,b\n1,\"2\n3,4\n",
                row("a,b", 1),
                row("1,\"2\n3,4\n", 2),
                Some(2),
            ),
            ("a,b\n1,\"2\"", row("a,b", 1), row("1,\"2\"", 2), None),
            ("a,b\n1,\"2\n\"", row("a,b", 1), row("1,\"2\n\"", 2), None),
        ];
        for (content, header, last, unclosed) in cases {
            for chunk in [1, 2, 3, 7, 1000] {
                let found = scanned(content.as_bytes(), chunk);
                assert_eq!(
                    (&found.header, &found.last, &found.unclosed),
                    (header, last, unclosed),
                    "{content:?} by {chunk}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn the_size_of_the_chunks_changes_nothing(content in "[ab,\"#\r\n ]{0,80}", chunk in 1_usize..9) {
            prop_assert_eq!(scanned(content.as_bytes(), chunk), scanned(content.as_bytes(), 1000));
        }
    }
}
