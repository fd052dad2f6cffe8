//! Requests and what is answered: may this particular act be done?
//!
//! The parts that every layer of the answer shares: [`input`] reads a request, [`verdict`] is what one
//! layer (labels, security policies, Rego, spending, the level in force) says of it, [`envelope`] is the
//! one answer that all of them make together, [`codes`] are the reasons it may give and [`obligation`]
//! what makes an allowed act safe. Which layers there are and how they are asked stands in
//! [`crate::authorization`]; nothing here opens a file, reads the clock or knows a policy.

pub mod codes;
pub mod envelope;
pub mod input;
pub mod obligation;
pub mod verdict;

pub use envelope::Envelope;
pub use input::{Point, Request};
pub use obligation::Obligation;
pub use verdict::{Effect, Step, Verdict};
