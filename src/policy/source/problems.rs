//! What is wrong with a document, collected with its place by whoever checks what its values mean.
//! What is wrong with its keys and kinds is found by [`super::collect`].

use super::Spot;
use super::collect::Field;
use crate::diagnostic::{Code, Diagnostic, Place, suggestion};
use crate::signals::number;

/// A key that stands in its object twice.
pub fn key_twice(place: Place, key: &str) -> Diagnostic {
    Diagnostic::new(
        Code::KeyDuplicate,
        place,
        format!("the key `{key}` stands there twice"),
    )
    .found(format!("`{key}` twice"))
    .expected("every key once: which of two values counts is anybody's guess")
    .help("remove one of the two")
}

/// Everything that is wrong with a document so far.
#[derive(Debug)]
pub struct Problems<'a> {
    file: &'a str,
    found: Vec<Diagnostic>,
}

impl<'a> Problems<'a> {
    /// Goes on from what was found already. `file` is named in the findings.
    pub fn new(file: &'a str, found: Vec<Diagnostic>) -> Self {
        Self { file, found }
    }

    /// True where nothing is wrong so far.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Adds what others found.
    pub fn extend(&mut self, found: impl IntoIterator<Item = Diagnostic>) {
        self.found.extend(found);
    }

    /// Adds a problem at a spot.
    pub fn add(
        &mut self,
        spot: Spot,
        path: &str,
        code: Code,
        message: impl Into<String>,
        say: impl FnOnce(Diagnostic) -> Diagnostic,
    ) {
        let place = spot.place(self.file, path);
        self.found.push(say(Diagnostic::new(code, place, message)));
    }

    /// Adds a problem with the value of a field.
    pub fn refuse<T>(
        &mut self,
        field: &Field<T>,
        code: Code,
        message: impl Into<String>,
        say: impl FnOnce(Diagnostic) -> Diagnostic,
    ) {
        self.add(field.spot, &field.path, code, message, say);
    }

    /// The value of a field that has to be there. `here` is where its object stands.
    pub fn required<'f, T>(&mut self, field: &'f Field<T>, key: &str, here: Spot) -> Option<&'f T> {
        if field.is_absent() {
            let message = format!("the key `{key}` is missing here");
            self.add(here, "$", Code::KeyMissing, message, |finding| {
                finding
                    .found(format!("no `{key}`"))
                    .expected(format!("`{key}` with its value"))
                    .help(format!("add `{key}:`"))
            });
        }
        field.get()
    }

    /// Adds that a word is none of those that are known. `otherwise` says what to do where it
    /// resembles none.
    pub fn unknown<T>(
        &mut self,
        field: &Field<T>,
        code: Code,
        message: &str,
        (word, known): (&str, &[&str]),
        otherwise: &str,
    ) {
        self.refuse(field, code, message, |finding| {
            let near = suggestion(word, known.iter().copied());
            finding
                .found(format!("`{word}`"))
                .expected(format!("one of {}", known.join(", ")))
                .help(near.unwrap_or_else(|| otherwise.to_owned()))
        });
    }

    /// A whole number within limits.
    pub fn whole(
        &mut self,
        field: &Field<f64>,
        number: f64,
        least: u32,
        most: u32,
    ) -> Option<usize> {
        let fits = f64::from(least) <= number && number <= f64::from(most);
        let whole = number::whole(number).filter(|_| fits);
        if whole.is_none() {
            let message = "this number can't be used";
            self.refuse(field, Code::ValueRange, message, |finding| {
                finding
                    .found(format!("{number}"))
                    .expected(format!("a whole number from {least} to {most}"))
                    .help("choose one in that range")
            });
        }
        usize::try_from(whole?).ok()
    }

    /// All of them, in the order of their places.
    pub fn in_order(mut self) -> Vec<Diagnostic> {
        self.found
            .sort_by_key(|problem| (problem.place.line, problem.place.column));
        self.found
    }
}
