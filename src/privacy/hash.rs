//! Keyed hashes of personal values, where two records have to be joined by a value that neither may
//! show.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::ids::Digest;

/// A key has at least this many bytes.
const LEAST_BYTES: usize = 32;

/// The key of the hashes: one for each tenant, so that nobody joins over tenants. Zeroed when it is
/// dropped.
#[derive(Clone)]
pub struct HashKey(Zeroizing<Vec<u8>>);

/// Shows nothing.
impl std::fmt::Debug for HashKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("HashKey(…)")
    }
}

impl HashKey {
    /// Takes a key of at least 32 bytes; `None` for a shorter one.
    pub fn new(key: Vec<u8>) -> Option<Self> {
        let key = Zeroizing::new(key);
        (key.len() >= LEAST_BYTES).then_some(Self(key))
    }

    /// HMAC-SHA256 over the field's name in small letters, a zero byte, and the value.
    ///
    /// A plain hash of a phone number is found by trying all of them; without the key nobody can.
    /// The name keeps apart what stands in two fields by chance.
    pub fn hash(&self, field: &str, value: &str) -> Digest {
        // HMAC takes a key of any length, so this can't fail.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0)
            .unwrap_or_else(|_| Hmac::new(&hmac::digest::array::Array::default()));
        mac.update(field.to_lowercase().as_bytes());
        mac.update(&[0]);
        mac.update(value.as_bytes());
        Digest::from_bytes(mac.finalize().into_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_what_openssl_computes() {
        // printf 'email\0alice@example.com' | openssl dgst -sha256 -hmac "$(printf 'k%.0s' $(seq 32))"
        let key = HashKey::new(vec![b'k'; 32]).unwrap();
        let expected = "a67c682bb7cb89ead3aa0e0423787ca5d80262212fe14ed84cd0421f06c8ecb3";
        assert_eq!(key.hash("Email", "alice@example.com").to_string(), expected);
        assert_ne!(key.hash("mail", "alice@example.com").to_string(), expected);
        assert!(HashKey::new(vec![b'k'; 31]).is_none());
        assert_eq!(format!("{key:?}"), "HashKey(…)");
    }
}
