//! Responses: what a level calls for.
//!
//! The five native [`actions`], each runnable alone; the [`plan`] that a level calls for; the
//! [`gates`] and the [`facts`] that they ask for; the [`preview`] of a dry run; the [`kill_switch`];
//! the [`process`] of an action, of which nothing is left when it is over.
//! Apply and undo are to come; until then nothing starts an action but a person.

pub mod actions;
pub mod facts;
pub mod gates;
pub mod kill_switch;
pub mod plan;
pub mod preview;
pub mod process;
