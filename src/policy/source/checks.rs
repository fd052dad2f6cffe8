//! Checks of values that documents of many kinds share: the version of a document, a word that is
//! always the same, a line of text. What only one kind has is checked beside its shape.

use super::Spot;
use super::collect::Field;
use super::problems::Problems;
use crate::diagnostic::Code;

/// The longest line of text that a person writes in a document.
const LINE: usize = 500;

impl Problems<'_> {
    /// The version of a document, under `schema`: 1 is the only one so far.
    pub fn schema(&mut self, field: &Field<f64>, here: Spot) {
        if let Some(version) = self.required(field, "schema", here)
            && (version - 1.0).abs() > 0.0
        {
            let message = "the document is of a version that nobody here knows";
            self.refuse(field, Code::ValueRange, message, |finding| {
                finding
                    .found(version.to_string())
                    .expected("1")
                    .help("write `schema: 1`, or use a newer version of this program")
            });
        }
    }

    /// A word that is the same in every document of a kind.
    pub fn constant(&mut self, field: &Field<String>, key: &str, expected: &str, here: Spot) {
        let found = self.required(field, key, here);
        if let Some(found) = found.filter(|found| *found != expected) {
            let message = format!("`{key}` is another");
            self.refuse(field, Code::ValueUnknown, message, |finding| {
                finding
                    .found(format!("`{found}`"))
                    .expected(format!("`{expected}`"))
                    .help(format!("write `{key}: {expected}`"))
            });
        }
    }

    /// A line of text that a person wrote: not empty, not endless, without control characters.
    pub fn line<'f>(&mut self, field: &'f Field<String>, key: &str, here: Spot) -> Option<&'f str> {
        let text = self.required(field, key, here)?.trim();
        if fits_a_line(text, LINE) {
            return Some(text);
        }
        let message = format!("`{key}` can't be used");
        self.refuse(field, Code::ValueUnknown, message, |finding| {
            finding
                .found(text)
                .expected(format!("1 to {LINE} characters in a line"))
                .help("correct the text")
        });
        None
    }
}

/// True for a text of 1 to `most` characters without a control character.
pub fn fits_a_line(text: &str, most: usize) -> bool {
    !text.is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control)
}
