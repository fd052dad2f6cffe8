//! Responses: what a level calls for.
//!
//! So far the five [`actions`] live here, each runnable alone, and the [`kill_switch`] that stops the
//! one that changes things. Plan, gates, apply and undo are to come; until then nothing starts an
//! action but a person.

pub mod actions;
pub mod kill_switch;
