//! Personal data and secrets in what is stored, shown or handed on: found and taken out.
//!
//! [`Redaction`] is what whoever writes a text or JSON asks; [`Secrets`] are the values that are
//! secret in this process, beside what is known by its form; [`HashKey`] makes the hashes by which
//! records can still be joined; [`lines`] finds secrets in the lines of a file, and [`allowed`] are
//! those findings that somebody looked at. Pure: bytes come in and go out. Which files are looked at
//! is the business of [`crate::scan`].

mod address;
pub mod allowed;
mod assigned;
mod bytes;
mod checks;
mod digits;
mod hash;
mod json;
pub mod lines;
mod names;
mod pairs;
mod rule;
mod secrets;
mod text;
mod tokens;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;

pub use hash::HashKey;
pub use rule::Rule;
pub use secrets::{Excerpt, Secrets};
pub use text::{Found, Wanted, find};
pub use tokens::is_default_secret;

use names::Meaning;

/// What stands where something was taken out (S0-015).
pub const REDACTED: &str = "<REDACTED>";

/// What is taken out of texts and of JSON.
///
/// By default personal data and secrets. Secrets go in any case.
#[derive(Debug, Clone, Copy, Default)]
pub struct Redaction<'k> {
    includes_personal_data: bool,
    key: Option<&'k HashKey>,
}

impl<'k> Redaction<'k> {
    /// Takes out personal data and secrets.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps personal data where `included`; whether somebody may ask for that was decided before.
    #[must_use]
    pub fn including_personal_data(self, included: bool) -> Self {
        Self {
            includes_personal_data: included,
            ..self
        }
    }

    /// Puts `<field>_sha256` beside each personal field of JSON, for joins.
    #[must_use]
    pub fn hashed(self, key: &'k HashKey) -> Self {
        Self {
            key: Some(key),
            ..self
        }
    }

    fn wanted(&self) -> Wanted {
        if self.includes_personal_data {
            Wanted::Secrets
        } else {
            Wanted::All
        }
    }

    fn meaning(&self, name: &str) -> Option<Meaning> {
        let shown =
            |meaning: &Meaning| self.includes_personal_data && *meaning == Meaning::Personal;
        names::meaning(name).filter(|meaning| !shown(meaning))
    }

    /// A text without it; borrowed where there was none.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let found = find(text.as_bytes(), self.wanted());
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut redacted = String::with_capacity(text.len());
        let mut shown = 0;
        for range in text::covered(found.into_iter().map(|found| found.range)) {
            redacted.push_str(text.get(shown..range.start).unwrap_or_default());
            redacted.push_str(REDACTED);
            shown = range.end;
        }
        redacted.push_str(text.get(shown..).unwrap_or_default());
        Cow::Owned(redacted)
    }

    /// A document or line of JSON without it, by names and by what stands in texts: the order of its
    /// members is kept, and where nothing was taken out every byte. What is no JSON is a text.
    pub fn json<'t>(&self, json: &'t str) -> Cow<'t, str> {
        let Ok(value) = serde_json::from_str::<&RawValue>(json) else {
            return self.text(json);
        };
        let mut rewriter = json::Rewriter {
            redaction: self,
            out: String::with_capacity(json.len()),
            changed: false,
        };
        rewriter.write(value);
        if rewriter.changed {
            Cow::Owned(rewriter.out)
        } else {
            Cow::Borrowed(json)
        }
    }

    /// A value without it.
    pub fn value(&self, value: &Value) -> Value {
        let json = value.to_string();
        let redacted = self.json(&json);
        // What was JSON is JSON.
        serde_json::from_str(&redacted).unwrap_or_else(|_| Value::String(REDACTED.to_owned()))
    }
}
