//! How long ago a file was changed.
//!
//! The file system tells; not a byte is read, so an empty file has an age too, and the digest is
//! that of no bytes, from the file's end on.

use super::super::{Outcome, ReadContext, Reading, Source};
use super::{Declared, invalid, kind, missing};
use crate::diagnostic::{Place, Warnings};
use crate::fs::Opened;
use crate::ids::Digest;

/// Looks at the file.
pub(super) fn load(declared: &Declared, context: ReadContext<'_>) -> Reading {
    let file = &declared.file;
    let input = match context.workspace.open_input(file) {
        Ok(Opened::Absent) => return missing(declared, format!("{file} is not there")),
        Ok(Opened::File(input)) => input,
        Err(error) => return invalid(declared, *error),
    };
    let changed = match input.changed_at() {
        Ok(changed) => changed,
        Err(error) => return invalid(declared, *error),
    };
    let mut warnings = Warnings::default();
    let place = || Place::file(file);
    let what = "the time of the last change";
    let value = kind::since(changed, &place, what, context.at, &mut warnings);
    Reading {
        sources: vec![Source {
            file: file.clone(),
            sha256: Digest::of(b""),
            from: (input.size > 0).then_some(input.size),
        }],
        warnings: warnings.into_vec(),
        ..Reading::bare(declared.name.clone(), Outcome::Valid(value))
    }
}
