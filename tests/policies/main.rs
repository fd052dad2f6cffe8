//! Tests of the policies P-1 to P-6, by the names that the seeds give them (S0-068), against the real
//! binary in workspaces of their own.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that fails should stop, and makes files as other programs do"
)]

mod ground;
mod p1;
mod p2;
mod p3;
mod p4;
mod p5;
mod p6;
