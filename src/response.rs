//! Responses: what a level calls for.
//!
//! The five native [`actions`], each runnable alone, and those that a workspace has [`declared`];
//! the [`plan`] that a level calls for; the [`gates`] and the [`facts`] that they ask for; the
//! [`preview`] of a dry run; [`apply`], which runs each action as a [`process`] of which nothing is
//! left; [`undo`], which puts back the files that were [`touched`]; [`settle`], for what a kill cut
//! off; and the [`log`]. The safeguards themselves are in [`crate::safeguard`].

pub mod actions;
pub mod apply;
pub mod declared;
pub mod facts;
pub mod gates;
pub mod log;
pub mod pattern;
pub mod plan;
pub mod preview;
pub mod process;
pub mod settle;
pub mod touched;
pub mod undo;
