//! Alerts: what somebody should look at.
//!
//! So far what is pure: [`conditions`] (what is up, given the facts and the [`limits`]) and
//! [`tracking`] (what changed since the last look).

pub mod alert;
pub mod conditions;
pub mod limits;
pub mod tracking;
