//! Attestations: a recorded decision as an in-toto statement in a signed envelope, for those who
//! have neither this workspace nor this program.
//!
//! [`statement`] has the shapes, written and read; [`recorded`] gathers what a statement says out of
//! the record; [`commit`] tells whether a git commit holds what was decided on; [`check`] holds a
//! statement against itself and against a journal. Which key signs, and where the file goes, is the
//! business of [`crate::cli`].

pub mod check;
pub mod commit;
pub mod recorded;
pub mod statement;

pub use recorded::Recorded;
pub use statement::{Predicate, Statement};
