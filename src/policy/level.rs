//! Levels: a ladder with a name on every rung.
//!
//! GREEN, YELLOW and RED are always there. A policy document may put further rungs between YELLOW
//! and RED, so nothing here or elsewhere counts to three.

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

    /// The built-in level of that name; `None` for any other name.
    pub fn built_in(name: &str) -> Option<Self> {
        [Self::GREEN, Self::YELLOW, Self::RED]
            .into_iter()
            .find(|level| level.name == name)
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
        Self::built_in(&name).ok_or_else(|| {
            serde::de::Error::custom(format!("`{name}` is no level that is known here"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graver_levels_are_greater_and_exit_higher() {
        let between = Level {
            rank: 150,
            name: Cow::Borrowed("ORANGE"),
        };
        let ladder = [Level::GREEN, Level::YELLOW, between, Level::RED];
        assert!(ladder.is_sorted());
        assert_eq!(ladder.map(|level| level.exit_code()), [0, 10, 15, 20]);
    }
}
