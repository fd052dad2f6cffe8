//! How the whole stands, in numbers: the operating limits, and what a monitoring system collects.
//!
//! [`facts`] reads the workspace, [`health`] holds it against the limits (pure). How numbers are
//! written for a collector is said in [`crate::report`].

pub mod facts;
pub mod health;
