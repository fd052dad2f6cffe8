//! The values that signals have, and what they may be.
//!
//! A value that exists is right: a percentage lies between 0 and 100, a number is finite, a word is
//! short and plain. How values are read from files is said by each signal.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::number;

/// How likely anomalies are, as the forecaster sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Few anomalies ahead.
    Low,
    /// More than usual.
    Medium,
    /// Many.
    High,
}

impl Risk {
    /// Every risk, lowest first.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// The word that stands in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// Reads the word, trimmed and in any case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|risk| text.trim().eq_ignore_ascii_case(risk.as_str()))
    }
}

/// A finite number from 0 to 100: it is made by [`Percent::new`] alone, so NaN can't be one.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize)]
pub struct Percent(f64);

impl Percent {
    /// Takes a number from 0 to 100; `None` for any other, for NaN and the infinities.
    pub fn new(number: f64) -> Option<Self> {
        // Adding 0 turns -0.0 into 0.0, which is what a person reads.
        (0.0..=100.0)
            .contains(&number)
            .then_some(Self(number + 0.0))
    }

    /// A whole percentage; what lies above 100 is 100.
    pub const fn whole(number: u8) -> Self {
        Self(if number > 100 { 100.0 } else { number as f64 })
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// A finite number.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize)]
pub struct Finite(f64);

impl Finite {
    /// Takes a number; `None` for NaN and the infinities.
    pub fn new(number: f64) -> Option<Self> {
        number.is_finite().then_some(Self(number + 0.0))
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// A word that a signal may say: 1 to 32 letters, digits, `_`, `-` or `.`, compared as it stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word {
    bytes: [u8; Word::LONGEST],
    length: u8,
}

impl Word {
    /// The longest word, in bytes.
    pub const LONGEST: usize = 32;

    /// Takes a word, trimmed; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().as_bytes();
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
        if text.is_empty() || !text.iter().all(plain) {
            return None;
        }
        let mut bytes = [0; Self::LONGEST];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        let length = u8::try_from(text.len()).ok()?;
        Some(Self { bytes, length })
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.length));
        std::str::from_utf8(bytes.unwrap_or_default()).unwrap_or_default()
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// The value of a signal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// Is the lock set?
    Flag(bool),
    /// 0 to 100.
    Percent(Percent),
    /// How many.
    Count(u64),
    /// Low, medium or high.
    Risk(Risk),
    /// A number with a unit of its own.
    Number(Finite),
    /// True or false.
    Truth(bool),
    /// One of the words that the policy document names.
    Word(Word),
    /// How old something is, in seconds.
    Age(u64),
}

impl Value {
    /// The value as a number, where it is one: percentage points, how many, the number, seconds.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a count beyond 2^53 is no number to look at closely"
    )]
    pub fn as_number(self) -> Option<f64> {
        match self {
            Self::Percent(percent) => Some(percent.get()),
            Self::Count(count) => Some(count as f64),
            Self::Number(number) => Some(number.get()),
            Self::Age(seconds) => Some(seconds as f64),
            Self::Flag(_) | Self::Risk(_) | Self::Truth(_) | Self::Word(_) => None,
        }
    }
}

impl Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Flag(flag) | Self::Truth(flag) => serializer.serialize_bool(*flag),
            Self::Percent(percent) => serializer.serialize_f64(percent.get()),
            Self::Count(count) | Self::Age(count) => serializer.serialize_u64(*count),
            Self::Risk(risk) => serializer.serialize_str(risk.as_str()),
            Self::Number(number) => serializer.serialize_f64(number.get()),
            Self::Word(word) => serializer.serialize_str(word.as_str()),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(true) => f.pad("locked"),
            Self::Flag(false) => f.pad("unlocked"),
            Self::Percent(percent) => f.pad(&number::shown(percent.get())),
            Self::Count(count) => f.pad(&count.to_string()),
            Self::Risk(risk) => f.pad(risk.as_str()),
            Self::Number(number) => f.pad(&number::shown(number.get())),
            Self::Truth(truth) => f.pad(if *truth { "true" } else { "false" }),
            Self::Word(word) => f.pad(word.as_str()),
            Self::Age(seconds) => {
                let age =
                    chrono::TimeDelta::seconds(i64::try_from(*seconds).unwrap_or(i64::MAX / 1000));
                f.pad(&crate::time::in_words(age))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percent_can_not_be_wrong() {
        for number in [
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            -0.000_1,
            100.000_1,
            250.0,
        ] {
            assert_eq!(Percent::new(number), None, "{number}");
        }
        assert_eq!(Percent::new(-0.0).unwrap().get().to_string(), "0");
    }

    #[test]
    fn risks_are_read_trimmed_and_in_any_case() {
        assert_eq!(Risk::parse(" HIGH\n"), Some(Risk::High));
        assert_eq!(Risk::parse("critical"), None);
        assert_eq!(Risk::parse(""), None);
    }

    #[test]
    fn a_word_is_short_and_plain() {
        assert_eq!(
            Word::parse(" in-progress.2 ").unwrap().as_str(),
            "in-progress.2"
        );
        let long = "x".repeat(32);
        assert_eq!(Word::parse(&long).unwrap().as_str(), long);
        for text in ["", " ", "two words", "über", &"x".repeat(33)] {
            assert_eq!(Word::parse(text), None, "{text:?}");
        }
    }
}
