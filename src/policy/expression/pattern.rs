//! The patterns of `matches`: compiled when the expression is read, bounded in size, and matched
//! in time linear in the text, since they know neither look-around nor references back.
//!
//! Patterns are of ASCII, as the words are that signals say: `\d` is 0 to 9 (as in RE2, which CEL
//! names), and `.` is a byte. The tables of Unicode would cost every start of the program thousands
//! of relocations.

use regex::bytes::{Regex, RegexBuilder};

/// What one compiled pattern may take.
const MAX_COMPILED: usize = 256 * 1024;
/// How deep its groups may stand in each other.
const MAX_NESTING: u32 = 32;

/// A regular expression that was compiled.
#[derive(Debug, Clone)]
pub(super) struct Pattern(Regex);

/// Why a pattern was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refused {
    /// It would take more than it may.
    TooLarge,
    /// It is none; in the words of its reader, the last line of them.
    Malformed(String),
}

impl Pattern {
    pub(super) fn new(pattern: &str) -> Result<Self, Refused> {
        RegexBuilder::new(pattern)
            .unicode(false)
            .size_limit(MAX_COMPILED)
            .dfa_size_limit(MAX_COMPILED)
            .nest_limit(MAX_NESTING)
            .build()
            .map(Self)
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => Refused::TooLarge,
                other => Refused::Malformed(last_line(&other.to_string())),
            })
    }

    /// Whether a part of the text matches, as CEL has it: the whole only with `^` and `$`.
    pub(super) fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text.as_bytes())
    }
}

/// The others show the pattern, over several lines.
fn last_line(text: &str) -> String {
    let last = text.lines().last().unwrap_or_default();
    last.trim().trim_start_matches("error: ").to_owned()
}
