//! What a command did and how long each part of it took, as spans.
//!
//! The spans are those of `tracing`, made where the work is done; where nobody asked for a trace each
//! costs a comparison. [`collector`] gathers them, [`lines`] and [`otlp`] write them (pure),
//! [`settings`] is what the environment says of an export (pure). Who asks, and where they go, is the
//! business of [`crate::cli`]; no span carries a text that a person wrote.

pub mod collector;
pub mod lines;
pub mod otlp;
pub mod settings;

use serde::Serialize;

/// A value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A word.
    Text(String),
    /// A number.
    Number(i64),
    /// A truth value.
    Truth(bool),
}

/// A part of what was done, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Its id: 16 hexadecimal digits.
    pub id: String,
    /// The span that it is a part of; `None` for the command.
    pub parent: Option<String>,
    /// What was done.
    pub name: &'static str,
    /// When it began, in nanoseconds since 1970.
    pub start: u64,
    /// How long it took, in nanoseconds.
    pub nanos: u64,
    /// What is known of it.
    pub attributes: Vec<(&'static str, Value)>,
}

impl Span {
    /// True where it says that it failed.
    pub fn is_failed(&self) -> bool {
        let failed = |(key, value): &(&str, Value)| {
            *key == "outcome" && *value == Value::Text("failed".to_owned())
        };
        self.attributes.iter().any(failed)
    }
}

/// All spans of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Its id: the id of the run without its hyphens, 32 hexadecimal digits.
    pub id: String,
    /// In the order of their beginnings.
    pub spans: Vec<Span>,
}
