//! Spending: may an agent make this payment, and what was spent so far?
//!
//! [`amount`] are decimals that nothing rounds; [`intent`] is a payment as an agent asks for it;
//! [`document`] reads spend policies into [`policy`]; [`mod@evaluate`] holds a payment against one, purely,
//! with every [`reason`]; [`usage`] are the sums of days and months; [`policies`] are all policies of a
//! workspace, and the layer of the answer to a request that they make; [`desk`] records what is spent.

pub mod amount;
pub mod desk;
pub mod document;
pub mod evaluate;
pub mod intent;
mod journal;
pub mod policies;
pub mod policy;
pub mod reason;
mod store;
pub mod usage;

pub use amount::Amount;
pub use evaluate::{Outcome, evaluate};
pub use intent::Intent;
pub use policies::Policies;
pub use policy::Policy;
pub use reason::Reason;
pub use usage::{Book, Usage};
