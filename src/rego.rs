//! Requests that policies in Rego answer: bundles and directories of modules, loaded, compiled, asked
//! and tested.
//!
//! [`compile`] makes one immutable [`Compiled`] of texts, with every problem at its place;
//! [`Compiled::judge`] asks its entry points. The language itself is evaluated by the crate `regorus`.
//! Rules get no clock, no chance, no network and no file: their time is that of the request's
//! circumstances, so that the same request under the same policies always gets the same answer. Nothing
//! here opens a file but [`documents`] and [`bundles`].
//!
//! Only a build with the feature `rego` evaluates; without it [`compile`] refuses any module, so that a
//! workspace with Rego denies rather than ignores it.

#[cfg(not(feature = "rego"))]
mod absent;
#[cfg(feature = "rego")]
mod answer;
#[cfg(feature = "rego")]
mod archive;
#[cfg(feature = "rego")]
mod builtins;
#[cfg(feature = "rego")]
mod compiled;
#[cfg(feature = "rego")]
mod conflicts;
#[cfg(feature = "rego")]
mod coverage;
#[cfg(feature = "rego")]
mod evaluator;
#[cfg(feature = "rego")]
mod input;
mod loader;
#[cfg(feature = "rego")]
mod manifest;
#[cfg(feature = "rego")]
mod parts;
#[cfg(feature = "rego")]
mod problems;
mod settings;
#[cfg(feature = "rego")]
mod signature;
#[cfg(feature = "rego")]
mod sized;
mod tested;
#[cfg(feature = "rego")]
mod testing;
#[cfg(feature = "rego")]
#[cfg(test)]
mod tests;
#[cfg(feature = "rego")]
mod watch;

#[cfg(not(feature = "rego"))]
use absent as compiled;
#[cfg(not(feature = "rego"))]
use absent as testing;

pub use compiled::{Compiled, compile};
pub use loader::{BUNDLES, SOURCES, TESTS, bundles, documents};
pub use settings::{Dialect, Entry, Key, Limits, Secret, Settings, Trust, Vocabulary};
pub use tested::{Counted, Coverage, Lines, Outcome, Range, Row, Test, Tested};
pub use testing::test;

/// True where this program can evaluate Rego.
pub const IS_BUILT: bool = cfg!(feature = "rego");
