//! Colour on a terminal, and symbols that carry the meaning without it.

use crate::policy::Level;

/// Whether text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Plain text.
    Plain,
    /// With ANSI colours.
    Colour,
}

impl Paint {
    /// `text` in bold.
    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// `text` in a subdued colour.
    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// `text` in the colour of an error.
    pub fn error(self, text: &str) -> String {
        self.wrap("1;31", text)
    }

    /// `text` in the colour of a warning.
    pub fn warning(self, text: &str) -> String {
        self.wrap("1;33", text)
    }

    /// `text` in the colour of a level.
    pub fn level(self, level: &Level, text: &str) -> String {
        let code = match level {
            level if *level >= Level::RED => "1;31",
            level if *level >= Level::YELLOW => "1;33",
            _ => "1;32",
        };
        self.wrap(code, text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colour => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}

/// The symbol of a level, so that colour never carries the meaning alone.
pub fn symbol(level: &Level) -> &'static str {
    match level {
        level if *level >= Level::RED => "■",
        level if *level >= Level::YELLOW => "▲",
        _ => "●",
    }
}
