//! Quantities as people write them in documents, and what each comes to: lengths of time, shares of
//! a processor, amounts of memory, rates and the thresholds that they are held against.
//!
//! Everything here is exact: a rate is a fraction of two counts, a bound a decimal number, so that a
//! value that is equal to its bound is known to be. What a document does with a quantity is its own
//! business.

pub mod amount;
pub mod decimal;
pub mod span;
pub mod threshold;

pub use amount::{Bytes, Cpu};
pub use decimal::Decimal;
pub use span::Span;
pub use threshold::{Rate, Threshold, Verdict};

use serde::Serialize;

/// A quantity as a document wrote it, and what it comes to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measure {
    /// As it was written.
    pub written: String,
    /// The number, in `unit`s.
    pub value: serde_json::Number,
    /// The unit, in a word.
    pub unit: &'static str,
    /// How long it lasts, where the unit is one of time that always lasts as long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// What is held against the number, in a comparison.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// How it is compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<&'static str>,
    /// The same for a person.
    #[serde(skip)]
    pub in_words: String,
}

impl Measure {
    /// A number in a unit, which is also its form for a person.
    pub fn new(written: &str, value: impl Into<serde_json::Number>, unit: &'static str) -> Self {
        let value = value.into();
        Self {
            written: written.to_owned(),
            in_words: format!("{value} {unit}"),
            value,
            unit,
            seconds: None,
            metric: None,
            operator: None,
        }
    }
}
