//! Signatures of journal lines: HMAC-SHA256 (RFC 2104, FIPS 198-1) over stored bytes.
//!
//! The signed bytes are the line without its last member: `{…,"hmac":"<64 digits>"}` is signed as
//! `{…}`. So a signature can be checked with any tool that can cut text and compute an HMAC. Where
//! the secret comes from is the caller's business; it is never shown.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::ids::Digest;

/// A secret has at least this many bytes.
pub const LEAST_BYTES: usize = 32;

/// The key of a journal's signatures: the raw bytes of the secret, zeroed when it is dropped.
#[derive(Clone)]
pub struct SigningKey(Zeroizing<Vec<u8>>);

impl SigningKey {
    /// Takes a secret of at least 32 bytes; `None` for a shorter one.
    pub fn new(secret: impl Into<Zeroizing<Vec<u8>>>) -> Option<Self> {
        let secret = secret.into();
        (secret.len() >= LEAST_BYTES).then_some(Self(secret))
    }

    /// The signature of `bytes`.
    pub fn sign(&self, bytes: &[u8]) -> Digest {
        Digest::from_bytes(self.mac(&[bytes]).finalize().into_bytes().into())
    }

    /// True where `signature` is that of the concatenated `parts`; compared in constant time.
    pub fn verifies(&self, parts: &[&[u8]], signature: &Digest) -> bool {
        self.mac(parts).verify_slice(signature.as_bytes()).is_ok()
    }

    fn mac(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        // HMAC takes a key of any length, so this can't fail; should it ever, nothing verifies.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0)
            .unwrap_or_else(|_| Hmac::new(&hmac::digest::array::Array::default()));
        for part in parts {
            mac.update(part);
        }
        mac
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// What comes between a line's signed bytes and its signature.
const MEMBER: &[u8] = b",\"hmac\":\"";

/// How long the signature's member is, with the brace that ends the line.
const MEMBER_LENGTH: usize = MEMBER.len() + 64 + 2;

/// Appends the signature's member to a line without one.
pub fn signed(line: Vec<u8>, key: &SigningKey) -> Vec<u8> {
    let signature = key.sign(&line).to_string();
    let mut line = line;
    line.pop();
    line.extend_from_slice(MEMBER);
    line.extend_from_slice(signature.as_bytes());
    line.extend_from_slice(b"\"}");
    line
}

/// The signature of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// There is none.
    None,
    /// It is the key's.
    Right,
    /// It is not the key's.
    Wrong,
    /// There is one, and no key to check it with.
    Unchecked,
}

/// Looks at the signature of a line, given without its newline.
pub fn check(line: &[u8], key: Option<&SigningKey>) -> Signature {
    let Some((body, digits)) = split(line) else {
        return Signature::None;
    };
    let Some(key) = key else {
        return Signature::Unchecked;
    };
    let given = std::str::from_utf8(digits).ok().and_then(Digest::parse);
    match given {
        Some(given) if key.verifies(&[body, b"}"], &given) => Signature::Right,
        _ => Signature::Wrong,
    }
}

/// A line, or its end, without its closing brace and the signature's member, where it has one.
pub fn without_signature(line: &[u8]) -> &[u8] {
    match split(line) {
        Some((body, _)) => body,
        None => line.strip_suffix(b"}").unwrap_or(line),
    }
}

/// The signed bytes but for their closing brace, and the signature's digits.
fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (body, member) = line.split_at_checked(line.len().checked_sub(MEMBER_LENGTH)?)?;
    let digits = member.strip_prefix(MEMBER)?.strip_suffix(b"\"}")?;
    Some((body, digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with `printf '{"seq":1}' | openssl dgst -sha256 -hmac "$(printf 'k%.0s' $(seq 32))"`.
    const PINNED: &str = "bbbc9b98a3e6c1001cbcbde6fd469e13a2767bbdc6e72d2d2e3fe4c5ef3999c0";

    fn key() -> SigningKey {
        SigningKey::new(vec![b'k'; 32]).unwrap()
    }

    #[test]
    fn the_signature_is_what_openssl_computes() {
        assert_eq!(key().sign(b"{\"seq\":1}").to_string(), PINNED);
    }

    #[test]
    fn a_signed_line_verifies_and_a_changed_one_does_not() {
        let line = signed(b"{\"seq\":1}".to_vec(), &key());
        assert_eq!(check(&line, Some(&key())), Signature::Right);
        assert_eq!(check(&line, None), Signature::Unchecked);
        assert_eq!(check(b"{\"seq\":1}", Some(&key())), Signature::None);
        for index in 0..line.len() - MEMBER_LENGTH {
            let mut changed = line.clone();
            changed[index] ^= 1;
            assert_eq!(
                check(&changed, Some(&key())),
                Signature::Wrong,
                "byte {index}"
            );
        }
    }

    #[test]
    fn a_short_secret_is_no_key_and_a_key_is_never_shown() {
        assert!(SigningKey::new(vec![b'k'; 31]).is_none());
        assert_eq!(format!("{:?}", key()), "SigningKey(…)");
    }
}
