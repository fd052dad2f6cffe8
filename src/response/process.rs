//! The process of one action: so far, what of its output may be shown.

mod redact;

pub use redact::{Excerpt, Secrets};
