//! Looking at bytes without stepping over their ends.

/// A text as bytes; most of it is UTF-8, and nothing here asks for that.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'b>(pub(super) &'b [u8]);

impl<'b> Bytes<'b> {
    pub(super) fn at(self, index: usize) -> Option<u8> {
        self.0.get(index).copied()
    }

    /// The byte before `index`.
    pub(super) fn before(self, index: usize) -> Option<u8> {
        self.at(index.checked_sub(1)?)
    }

    pub(super) fn part(self, start: usize, end: usize) -> &'b [u8] {
        self.0.get(start..end).unwrap_or_default()
    }

    pub(super) fn from(self, start: usize) -> &'b [u8] {
        self.0.get(start..).unwrap_or_default()
    }

    /// True where a word may begin at `index`: nothing alphanumeric stands before it, or only the
    /// letter of an escape such as `\n`.
    pub(super) fn is_begin(self, index: usize) -> bool {
        match self.before(index) {
            Some(byte) if byte.is_ascii_alphanumeric() => self.is_escape(index - 1),
            _ => true,
        }
    }

    /// True where a word may end before `index`.
    pub(super) fn is_end(self, index: usize) -> bool {
        !self
            .at(index)
            .is_some_and(|byte| byte.is_ascii_alphanumeric())
    }

    /// True where the letter at `index` belongs to an escape such as `\n`.
    pub(super) fn is_escape(self, index: usize) -> bool {
        matches!(self.at(index), Some(b'n' | b'r' | b't')) && self.before(index) == Some(b'\\')
    }

    /// Where the bytes from `start` on end for which `is_part` holds, at most `most` of them.
    pub(super) fn end_of(self, start: usize, most: usize, is_part: impl Fn(u8) -> bool) -> usize {
        let bytes = self.from(start).iter().take(most);
        start + bytes.take_while(|byte| is_part(**byte)).count()
    }

    /// Where the bytes before `end` begin for which `is_part` holds, at most `most` of them.
    pub(super) fn begin_of(self, end: usize, most: usize, is_part: impl Fn(u8) -> bool) -> usize {
        let bytes = self.part(0, end).iter().rev().take(most);
        end - bytes.take_while(|byte| is_part(**byte)).count()
    }
}
