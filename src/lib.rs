//! Reads the health signals of a workspace, decides one level, explains the decision and records
//! it so that nobody can quietly change it.
//!
//! The way through is one: [`signals`] say what the files say, [`policy`] says what follows,
//! [`decision`] is a pure function of both, [`record`] makes the result durable, [`evaluation`]
//! walks that way once, [`history`] decides again what was recorded, [`lifecycle`] brings another
//! policy into production, [`safeguard`] holds what stands in the way of a response, [`protection`]
//! what nobody may change unseen, [`response`] what a level calls for, [`alerts`] say what somebody
//! should look at, [`approval`] asks a second person, [`keys`] sign what leaves the workspace,
//! [`attestation`] says it of decisions, [`vault`] keeps what no file should hold, [`compliance`] says
//! which evidence is there, [`checks`] tests what a library of policies asks of a workspace, [`request`] and [`rego`] answer
//! requests, and
//! [`report`], [`portal`] and [`cli`] show it. [`privacy`] takes personal
//! data and secrets out of what is stored or shown, and [`scan`] looks for secrets in the files.
//! ARCHITECTURE.md draws the picture;
//! `tests/it/architecture.rs` keeps the arrows.

pub mod alerts;
pub mod approval;
pub mod attestation;
pub mod authorization;
pub mod checks;
pub mod cli;
pub mod compliance;
pub mod decision;
pub mod diagnostic;
pub mod evaluation;
pub mod fs;
pub mod history;
pub mod ids;
pub mod keys;
pub mod labels;
pub mod lifecycle;
pub mod metrics;
pub mod policy;
pub mod portal;
pub mod privacy;
pub mod protection;
pub mod record;
pub mod rego;
pub mod report;
pub mod request;
pub mod response;
pub mod safeguard;
pub mod scan;
pub mod security;
pub mod signals;
pub mod time;
pub mod vault;
