//! What is wrong with one value of a document, as serde tells it, in words for a person.

use std::fmt;

use serde::de;

use crate::diagnostic::{Code, Diagnostic, Place, suggestion};

/// What is wrong with one value; its place is added where it is caught.
#[derive(Debug)]
pub(super) struct Fault {
    code: Code,
    message: String,
    found: Option<String>,
    expected: Option<String>,
    help: String,
}

/// How the paths of lengths of time end.
const DURATIONS: [&str; 5] = [
    ".max_age",
    ".window",
    ".within",
    ".duration",
    ".hysteresis.time",
];

impl Fault {
    /// With the help for what stands at that path.
    pub(super) fn of(mut self, path: &str) -> Self {
        let is_number = self
            .found
            .as_deref()
            .is_some_and(|found| found.starts_with("the number"));
        if is_number && DURATIONS.iter().any(|end| path.ends_with(end)) {
            "a duration is a number with its unit: `26h`, `7d`".clone_into(&mut self.help);
        }
        self
    }

    pub(super) fn into_diagnostic(self, place: Place) -> Diagnostic {
        let mut finding = Diagnostic::new(self.code, place, self.message).help(self.help);
        if let Some(found) = self.found {
            finding = finding.found(found);
        }
        if let Some(expected) = self.expected {
            finding = finding.expected(expected);
        }
        finding
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            code: Code::ValueType,
            message: message.to_string(),
            found: None,
            expected: None,
            help: "correct the value".to_owned(),
        }
    }

    fn invalid_type(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let found = in_words(unexpected);
        let expected = match expected.to_string().as_str() {
            "a string" => "text".to_owned(),
            "f64" => "a number".to_owned(),
            "a boolean" => "true or false".to_owned(),
            "a sequence" => "a list".to_owned(),
            other => other.to_owned(),
        };
        let help = match (expected.as_str(), unexpected) {
            ("text", de::Unexpected::Float(_)) => "put it in quotes, so that it is text",
            ("text", de::Unexpected::Bool(_)) => "put it in quotes",
            ("a number", de::Unexpected::Str(text)) if text.parse::<f64>().is_ok() => {
                "write it without quotes, in plain digits"
            }
            ("a list", _) => "put it in square brackets, or write `- ` before every item",
            _ => "write a value of that kind",
        };
        Self {
            code: Code::ValueType,
            message: "this is a value of another kind".to_owned(),
            found: Some(found),
            expected: Some(expected),
            help: help.to_owned(),
        }
    }

    fn invalid_value(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self {
            code: Code::ValueRange,
            message: "this value can't be used".to_owned(),
            ..Self::invalid_type(unexpected, expected)
        }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self {
            code: Code::ValueUnknown,
            message: "this word is none of those that are known here".to_owned(),
            found: Some(format!("`{variant}`")),
            expected: Some(format!("one of {}", expected.join(", "))),
            help: suggestion(variant, expected.iter().copied())
                .unwrap_or_else(|| "write one of these words".to_owned()),
        }
    }
}

pub(super) fn in_words(unexpected: de::Unexpected<'_>) -> String {
    match unexpected {
        de::Unexpected::Bool(value) => format!("`{value}`"),
        de::Unexpected::Float(number) => format!("the number {number}"),
        de::Unexpected::Str(text) => format!("the text `{}`", text.trim_end_matches('\n')),
        de::Unexpected::Unit | de::Unexpected::Option => "nothing".to_owned(),
        de::Unexpected::Seq => "a list".to_owned(),
        de::Unexpected::Map => "keys and values".to_owned(),
        other => other.to_string(),
    }
}
