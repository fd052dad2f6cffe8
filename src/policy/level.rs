//! Levels: a ladder with a name on every rung.
//!
//! GREEN, YELLOW and RED are always there. A policy document may put further rungs between YELLOW
//! and RED, so nothing here or elsewhere counts to three. Which rung lies above which of those
//! between is known to the document alone: a level that was read from a record stands in the
//! middle until [`super::Policy::resolve`] puts it in its place, or calls it RED.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A level. Levels are ordered by how grave they are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level {
    /// Orders the levels: 0 is GREEN, 100 YELLOW, 200 RED.
    rank: u8,
    name: Cow<'static, str>,
}

impl Level {
    /// Healthy.
    pub const GREEN: Self = Self {
        rank: 0,
        name: Cow::Borrowed("GREEN"),
    };
    /// Watch; soft, read-only responses.
    pub const YELLOW: Self = Self {
        rank: 100,
        name: Cow::Borrowed("YELLOW"),
    };
    /// Critical; blocks, and calls for responses that change things.
    pub const RED: Self = Self {
        rank: 200,
        name: Cow::Borrowed("RED"),
    };

    /// How many levels a document may put between YELLOW and RED.
    pub const MOST_BETWEEN: usize = 9;

    /// The longest name, in bytes.
    const LONGEST: usize = 32;

    /// The built-in level of that name; `None` for any other name.
    pub fn built_in(name: &str) -> Option<Self> {
        [Self::GREEN, Self::YELLOW, Self::RED]
            .into_iter()
            .find(|level| level.name == name)
    }

    /// The level of that name, one between YELLOW and RED unless it is built in: upper-case
    /// letters, digits and `_`, beginning with a letter, at most 32. `None` for any other text.
    pub fn parse(name: &str) -> Option<Self> {
        if let Some(level) = Self::built_in(name) {
            return Some(level);
        }
        let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        let fits = name.len() <= Self::LONGEST
            && name.bytes().all(plain)
            && name.starts_with(|first: char| first.is_ascii_uppercase());
        fits.then(|| Self {
            rank: 150,
            name: Cow::Owned(name.to_owned()),
        })
    }

    /// The levels between YELLOW and RED of a document, lowest first, with their ranks. `None`
    /// where there are too many, or a name is none or stands there twice.
    pub fn between(names: &[&str]) -> Option<Vec<Self>> {
        if names.len() > Self::MOST_BETWEEN {
            return None;
        }
        let mut levels: Vec<Self> = Vec::new();
        for (rank, name) in (101..).step_by(10).zip(names) {
            let known =
                Self::built_in(name).is_some() || levels.iter().any(|level| level.name == *name);
            if known {
                return None;
            }
            levels.push(Self {
                rank,
                ..Self::parse(name)?
            });
        }
        Some(levels)
    }

    /// The name, upper-case.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The exit code of `run --exit-code`: 0 for GREEN, 10 for YELLOW, 20 for RED, 15 between.
    pub fn exit_code(&self) -> u8 {
        match self.rank {
            0 => 0,
            1..=100 => 10,
            101..=199 => 15,
            _ => 20,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name)
    }
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&name)
            .ok_or_else(|| serde::de::Error::custom(format!("`{name}` is no name of a level")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graver_levels_are_greater_and_exit_higher() {
        let between = Level::between(&["ORANGE", "DARK_ORANGE"]).unwrap();
        let ladder = [
            Level::GREEN,
            Level::YELLOW,
            between[0].clone(),
            between[1].clone(),
            Level::RED,
        ];
        assert!(ladder.is_sorted());
        assert_eq!(ladder.map(|level| level.exit_code()), [0, 10, 15, 15, 20]);
    }

    #[test]
    fn names_are_upper_case_words() {
        assert_eq!(Level::parse("RED"), Some(Level::RED));
        assert_eq!(Level::parse("ORANGE").unwrap().exit_code(), 15);
        for name in ["", "orange", "1ST", "A B", &"X".repeat(33)] {
            assert_eq!(Level::parse(name), None, "{name}");
        }
        assert_eq!(Level::between(&["RED"]), None);
        assert_eq!(Level::between(&["A", "A"]), None);
        assert_eq!(Level::between(&["A"; 10]), None);
    }
}
