//! What nobody may change unseen: the lock of the policies, and the guard of other programs' changes.
//!
//! `policy/manifest.json` names every protected file with its SHA-256. Which manifest is in force is
//! said by the last line of `state/audit.log` that locks, accepts or changes; that line is the commit,
//! and the manifest itself is kept under its digest before, so that a kill between the two is mended
//! and an edit of manifest and policy together is found. [`mod@look`] holds the files against it,
//! [`change`] changes it, [`guard`] answers what another program may do. What tampering does to a
//! decision is said in [`crate::decision`], what it closes in [`crate::response`].

pub mod change;
pub mod guard;
pub mod look;
pub mod manifest;
pub mod operation;
pub mod paths;
pub mod problem;
pub mod rules;
mod staged;

pub use look::{Decided, Locked, Looked, look};
pub use manifest::Manifest;
pub use problem::{Kind, Problem};
pub use rules::Rules;
