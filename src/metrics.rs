//! How the whole stands, in numbers: the operating limits, and what a monitoring system collects.
//!
//! [`facts`] reads the workspace, [`health`] holds it against the limits (pure), [`counters`] counts
//! what only grows, and [`families`] gives all of it the names that a collector knows (pure). How that
//! is written is said in [`crate::report`].

pub mod counters;
pub mod facts;
pub mod families;
pub mod health;
