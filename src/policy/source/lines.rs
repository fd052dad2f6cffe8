//! The lines of a text, and where on them a byte of a value stands.

use super::Spot;

/// The lines of a text, to turn a character of a line into a byte.
pub(in crate::policy) struct Lines<'t>(Vec<Line<'t>>);

struct Line<'t> {
    text: &'t str,
    /// The byte of every 64th character; empty where every character is one byte. A document can
    /// be one long line with a hundred thousand values: counting up to each of them would take for
    /// ever.
    marks: Vec<usize>,
}

/// How many characters lie between two marks.
const STRIDE: usize = 64;

impl<'t> Line<'t> {
    fn of(text: &'t str) -> Self {
        let marks = if text.is_ascii() {
            Vec::new()
        } else {
            let bytes = text.char_indices().map(|(byte, _)| byte);
            bytes.step_by(STRIDE).collect()
        };
        Self { text, marks }
    }

    /// The byte at which a character begins, counted from 0.
    fn byte(&self, character: usize) -> usize {
        if self.marks.is_empty() {
            return character.min(self.text.len());
        }
        let Some(mark) = self.marks.get(character / STRIDE) else {
            return self.text.len();
        };
        let rest = self.text.get(*mark..).unwrap_or_default();
        let before = rest.chars().take(character % STRIDE);
        mark + before.map(char::len_utf8).sum::<usize>()
    }
}

impl<'t> Lines<'t> {
    /// The lines as YAML counts them: a lone carriage return ends one, too.
    pub(in crate::policy) fn of(text: &'t str) -> Self {
        let lines = text.split('\n').flat_map(|line| {
            let bare = line.strip_suffix('\r').unwrap_or(line);
            bare.split('\r')
        });
        Self(lines.map(Line::of).collect())
    }

    /// A line, counted from 1.
    pub(super) fn get(&self, line: u64) -> Option<&'t str> {
        let index = usize::try_from(line.checked_sub(1)?).ok()?;
        self.0.get(index).map(|line| line.text)
    }

    /// What stands at a spot, up to the end of a plain word.
    pub(super) fn word(&self, spot: Spot) -> &'t str {
        let begin = usize::try_from(spot.column.saturating_sub(1)).unwrap_or(usize::MAX);
        let rest = self
            .get(spot.line)
            .and_then(|line| line.get(begin..))
            .unwrap_or_default();
        let ends = |end: char| end.is_whitespace() || matches!(end, ',' | ']' | '}');
        rest.split(ends).next().unwrap_or(rest)
    }

    pub(super) fn spot(&self, line: u64, character: u64) -> Spot {
        let index = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
        let before = usize::try_from(character.saturating_sub(1)).unwrap_or(usize::MAX);
        let byte = self.0.get(index).map_or(0, |line| line.byte(before));
        Spot {
            line,
            column: byte as u64 + 1,
        }
    }
}

impl Spot {
    /// The spot of a byte of a text whose value begins here, on one line or on several. `None`
    /// where it can't be told, as of a text with escapes.
    pub(in crate::policy) fn within(
        self,
        lines: &Lines<'_>,
        text: &str,
        offset: usize,
    ) -> Option<Self> {
        let mut line = self.line;
        let mut begin = usize::try_from(self.column.checked_sub(1)?).ok()?;
        let first = lines.get(line)?.get(begin..)?;
        if first.starts_with(['"', '\'']) {
            begin += 1;
        } else if first.starts_with(['|', '>']) {
            // A block begins on the first line below that has something on it.
            line += 1;
            while lines.get(line)?.trim().is_empty() {
                line += 1;
            }
            let block = lines.get(line)?;
            begin = block.len() - block.trim_start().len();
        }
        let mut done = 0;
        loop {
            let rest = lines.get(line)?.get(begin..)?.trim_end();
            let remaining = text.get(done..)?;
            let alike = common_prefix(rest, remaining);
            if offset < done + alike || alike == remaining.len() {
                return Some(Self {
                    line,
                    column: (begin + offset.saturating_sub(done)) as u64 + 1,
                });
            }
            // A line's end is a line's end of the text, or a blank where lines are folded.
            let behind = remaining.get(alike..)?;
            if alike < rest.len() || !behind.starts_with([' ', '\n']) {
                return None;
            }
            done += alike + behind.len() - behind.trim_start_matches([' ', '\n']).len();
            line += 1;
            while lines.get(line)?.trim().is_empty() {
                line += 1;
            }
            let next = lines.get(line)?;
            begin = next.len() - next.trim_start().len();
        }
    }
}

/// How many bytes two texts have in common at their beginning, up to a whole character.
fn common_prefix(one: &str, other: &str) -> usize {
    let pairs = one.chars().zip(other.chars());
    let alike = pairs.take_while(|(one, other)| one == other);
    alike.map(|(one, _)| one.len_utf8()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_of_a_line_is_a_byte() {
        let text = format!(
            "{}\n{}b\r{}",
            "a".repeat(100),
            "ä".repeat(200),
            "c".repeat(3)
        );
        let lines = Lines::of(&text);
        let byte = |line, character| lines.spot(line, character).column;
        assert_eq!((byte(1, 1), byte(1, 100), byte(1, 900)), (1, 100, 101));
        assert_eq!((byte(2, 1), byte(2, 65), byte(2, 66)), (1, 129, 131));
        assert_eq!((byte(2, 201), byte(2, 202), byte(2, 203)), (401, 402, 402));
        assert_eq!((byte(3, 2), byte(4, 2)), (2, 1));
    }
}
