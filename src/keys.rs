//! Keys that sign what leaves the workspace, and the two forms in which it leaves: Ed25519 and
//! ECDSA over P-256.
//!
//! [`PrivateKey`] and [`VerifyingKey`] exist only by parsing or generating; [`cosign`] is the
//! encrypted form of a private key, [`mod@file`] reads keys from files that a person names, [`dsse`]
//! has envelopes, [`note`] signed notes. The HMAC of the journals is not here but in
//! [`crate::record`], nor is anything that says what a signature means. Which variable names a key
//! or its password is the business of [`crate::cli`]. Secrets are wiped when they are dropped, and
//! `Debug` shows none.

pub mod cosign;
pub mod dsse;
pub mod file;
pub mod note;
mod pem;
mod private;
mod public;

pub use private::{Password, PrivateKey};
pub use public::{Algorithm, KeyId, VerifyingKey};

use base64::Engine as _;
use base64::engine::general_purpose::{
    STANDARD, STANDARD_NO_PAD_INDIFFERENT, URL_SAFE_NO_PAD_INDIFFERENT,
};

use crate::diagnostic::{Checked, Code, Diagnostic, Place};

/// Fills `bytes` with randomness of the system.
pub(crate) fn fill_random(bytes: &mut [u8]) -> Checked<()> {
    getrandom::fill(bytes).map_err(|error| {
        Box::new(
            Diagnostic::new(
                Code::KeyUnusable,
                Place::file("getrandom"),
                "the system gives no random numbers",
            )
            .found(error.to_string())
            .expected("random bytes from the kernel")
            .help("check the sandbox that this runs in"),
        )
    })
}

/// Base64 as everything here writes it: the standard alphabet, padded.
pub(crate) fn to_base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// Base64 of either alphabet, padded or not; `None` for any other text.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    let is_url_safe = text.bytes().any(|byte| matches!(byte, b'-' | b'_'));
    let decoded = if is_url_safe {
        URL_SAFE_NO_PAD_INDIFFERENT.decode(text)
    } else {
        STANDARD_NO_PAD_INDIFFERENT.decode(text)
    };
    decoded.ok()
}
