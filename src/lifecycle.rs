//! The life of a policy document: draft, validation, staging, production, and back (S1-070 to S1-077).
//!
//! The documents and their update records lie in `policy/versions/`; every step is a line of the
//! journal [`VERSIONS_LOG`](crate::record::VERSIONS_LOG), and where a version stands follows from its
//! lines alone, held against the bytes of the files. A step is taken under the workspace's lock and
//! while the kill switch is off. What a document says is the business of [`crate::policy`], what it
//! decides that of [`crate::decision`], and who is asked to approve it that of people.

mod checks;
pub mod criteria;
mod desk;
mod files;
mod findings;
mod impact;
mod log;
mod promotion;
pub mod shadow;
pub mod status;
mod steps;
mod switch;
mod update;
pub mod version;

pub use desk::{Outcome, Refused, Stepped};
pub use files::VERSIONS_DIR;
pub use promotion::{digest, produce, rollback, stage};
pub use steps::{Draft, approve, draft, validate};
