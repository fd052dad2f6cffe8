//! Sets of pairs of letters, computed while compiling: one look tells most words of a text apart from
//! those that are searched for.

/// Which pairs of bytes there are.
pub(super) struct Pairs([u64; 1024]);

#[expect(
    clippy::indexing_slicing,
    reason = "a pair has 16 bits, of which the upper 10 choose the word"
)]
impl Pairs {
    pub(super) const NONE: Self = Self([0; 1024]);

    /// The set with one pair more.
    pub(super) const fn with(mut self, first: u8, second: u8) -> Self {
        let pair = (first as usize) << 8 | second as usize;
        self.0[pair >> 6] |= 1 << (pair & 63);
        self
    }

    pub(super) const fn has(&self, first: u8, second: u8) -> bool {
        let pair = (first as usize) << 8 | second as usize;
        self.0[pair >> 6] >> (pair & 63) & 1 == 1
    }
}
