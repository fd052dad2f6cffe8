//! Signatures of journal lines: HMAC-SHA256 (RFC 2104, FIPS 198-1) over stored bytes.
//!
//! The signed bytes are the line without its last member: `{…,"key":"<id>","hmac":"<64 digits>"}` is
//! signed as `{…,"key":"<id>"}`. So a signature can be checked with any tool that can cut text and
//! compute an HMAC. A line that hands a journal over to another key carries the signature of the key
//! before as well. Which key counts where is said in [`super::eras`]; where the secret comes from is
//! the caller's business; it is never shown.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Serialize, Serializer};
use sha2::Sha256;

use crate::ids::Digest;

/// A secret has at least this many bytes.
pub const LEAST_BYTES: usize = 32;

/// What a key's id is the HMAC of.
const ID_TEXT: &[u8] = b"policy-orchestrator key id";

/// How many digits an id has.
const ID_LENGTH: usize = 16;

/// Names a key and tells nothing of it: the first 16 digits of its HMAC over a fixed text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId([u8; ID_LENGTH]);

impl KeyId {
    /// Reads the 16 lower-case digits.
    pub fn parse(digits: &[u8]) -> Option<Self> {
        let digits: [u8; ID_LENGTH] = digits.try_into().ok()?;
        let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
        digits.iter().all(is_digit).then_some(Self(digits))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One secret with its id.
#[derive(Clone)]
pub struct Secret {
    bytes: Vec<u8>,
    id: KeyId,
}

impl Secret {
    fn new(bytes: Vec<u8>) -> Option<Self> {
        if bytes.len() < LEAST_BYTES {
            return None;
        }
        let digits = sign(&bytes, &[ID_TEXT]).to_string();
        let id = KeyId::parse(digits.as_bytes().get(..ID_LENGTH)?)?;
        Some(Self { bytes, id })
    }

    /// The key's id.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// True where `digits` are the signature of the concatenated `parts`; compared in constant time.
    pub fn verifies(&self, parts: &[&[u8]], digits: &[u8]) -> bool {
        let Some(given) = Digest::parse_bytes(digits) else {
            return false;
        };
        let mac = mac(&self.bytes, parts);
        mac.verify_slice(given.as_bytes()).is_ok()
    }

    fn sign(&self, bytes: &[u8]) -> Digest {
        sign(&self.bytes, &[bytes])
    }
}

/// The key of a journal's signatures: the raw bytes of the secret; and keys from before it, which
/// verify and never sign.
#[derive(Clone)]
pub struct SigningKey {
    current: Secret,
    old: Vec<Secret>,
}

impl SigningKey {
    /// Takes a secret of at least 32 bytes; `None` for a shorter one.
    pub fn new(secret: Vec<u8>) -> Option<Self> {
        Some(Self {
            current: Secret::new(secret)?,
            old: Vec::new(),
        })
    }

    /// Takes a key from before this one as well, for verification; `None` for one that is too short.
    pub fn with_old(mut self, secret: Vec<u8>) -> Option<Self> {
        let old = Secret::new(secret)?;
        if self.named(old.id).is_none() {
            self.old.push(old);
        }
        Some(self)
    }

    /// The id of the key that signs.
    pub fn id(&self) -> KeyId {
        self.current.id
    }

    /// The key that signs.
    pub fn current(&self) -> &Secret {
        &self.current
    }

    /// The key that signs, and then those from before it.
    pub fn all(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.current).chain(&self.old)
    }

    /// The one of these with that id.
    pub fn named(&self, id: KeyId) -> Option<&Secret> {
        self.all().find(|secret| secret.id == id)
    }

    /// True where there are keys from before this one.
    pub fn has_old(&self) -> bool {
        !self.old.is_empty()
    }

    /// The signature of `bytes`.
    pub fn sign(&self, bytes: &[u8]) -> Digest {
        self.current.sign(bytes)
    }
}

fn sign(secret: &[u8], parts: &[&[u8]]) -> Digest {
    Digest::from_bytes(mac(secret, parts).finalize().into_bytes().into())
}

fn mac(secret: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    // HMAC takes a key of any length, so this can't fail; should it ever, nothing verifies.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret)
        .unwrap_or_else(|_| Hmac::new(&hmac::digest::array::Array::default()));
    for part in parts {
        mac.update(part);
    }
    mac
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// The members that a signature consists of, each up to its first digit.
const HMAC: &[u8] = b",\"hmac\":\"";
const KEY: &[u8] = b",\"key\":\"";
const HMAC_OLD: &[u8] = b",\"hmac_old\":\"";
const OLD_KEY: &[u8] = b",\"old_key\":\"";

/// How many digits a signature has.
const DIGITS: usize = 64;

/// Appends the members of the signature to a line without one.
pub fn signed(mut line: Vec<u8>, key: &SigningKey) -> Vec<u8> {
    line.pop();
    append(&mut line, KEY, key.id().as_str());
    sign_so_far(&mut line, HMAC, &key.current);
    line
}

/// The same for a line that hands a journal over from the key `old`, which signs first.
pub fn signed_by_both(mut line: Vec<u8>, old: &Secret, key: &SigningKey) -> Vec<u8> {
    line.pop();
    append(&mut line, OLD_KEY, old.id.as_str());
    sign_so_far(&mut line, HMAC_OLD, old);
    line.pop();
    append(&mut line, KEY, key.id().as_str());
    sign_so_far(&mut line, HMAC, &key.current);
    line
}

fn append(line: &mut Vec<u8>, member: &[u8], digits: &str) {
    line.extend_from_slice(member);
    line.extend_from_slice(digits.as_bytes());
    line.push(b'"');
}

fn sign_so_far(line: &mut Vec<u8>, member: &[u8], secret: &Secret) {
    line.push(b'}');
    let signature = secret.sign(line).to_string();
    line.pop();
    append(line, member, &signature);
    line.push(b'}');
}

/// A line with a signature, taken apart.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// The id of the key that it names; lines from before there were ids name none.
    pub key: Option<KeyId>,
    /// The key that it hands over from, where it does.
    pub handover: Option<Handover<'a>>,
    /// What comes before all members of the signature.
    content: &'a [u8],
    /// The signed bytes but for their closing brace.
    body: &'a [u8],
    digits: &'a [u8],
}

/// The part of a signature that the key before made.
#[derive(Debug, Clone, Copy)]
pub struct Handover<'a> {
    /// That key.
    pub from: KeyId,
    body: &'a [u8],
    digits: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Takes a line, or its end, apart, given without its newline; `None` for an unsigned one.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let (body, digits) = last_member(line.strip_suffix(b"}")?, HMAC, DIGITS)?;
        let mut signed = Self {
            key: None,
            handover: None,
            content: body,
            body,
            digits,
        };
        let Some((before, id)) = last_member(body, KEY, ID_LENGTH) else {
            return Some(signed);
        };
        let Some(id) = KeyId::parse(id) else {
            return Some(signed);
        };
        signed.key = Some(id);
        signed.content = before;
        let handover = last_member(before, HMAC_OLD, DIGITS).and_then(|(body, digits)| {
            let (content, id) = last_member(body, OLD_KEY, ID_LENGTH)?;
            let from = KeyId::parse(id)?;
            Some((content, Handover { from, body, digits }))
        });
        if let Some((content, handover)) = handover {
            signed.content = content;
            signed.handover = Some(handover);
        }
        Some(signed)
    }

    /// True where `secret` made the signature.
    pub fn is_by(&self, secret: &Secret) -> bool {
        secret.verifies(&[self.body, b"}"], self.digits)
    }
}

impl Handover<'_> {
    /// True where `secret` made this part.
    pub fn is_by(&self, secret: &Secret) -> bool {
        self.from == secret.id && secret.verifies(&[self.body, b"}"], self.digits)
    }
}

/// The bytes before the last member, and that member's digits.
fn last_member<'a>(bytes: &'a [u8], member: &[u8], digits: usize) -> Option<(&'a [u8], &'a [u8])> {
    let inner = bytes.strip_suffix(b"\"")?;
    let (before, digits) = inner.split_at_checked(inner.len().checked_sub(digits)?)?;
    Some((before.strip_suffix(member)?, digits))
}

/// A line, or its end, without its closing brace and the members of its signature, where it has one.
pub fn without_signature(line: &[u8]) -> &[u8] {
    match Signed::parse(line) {
        Some(signed) => signed.content,
        None => line.strip_suffix(b"}").unwrap_or(line),
    }
}

/// True where a line carries a signature.
pub fn is_signed(line: &[u8]) -> bool {
    Signed::parse(line).is_some()
}

/// True where a line hands its journal over to another key.
pub fn is_handover(line: &[u8]) -> bool {
    Signed::parse(line).is_some_and(|signed| signed.handover.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with `printf '{"seq":1}' | openssl dgst -sha256 -hmac "$(printf 'k%.0s' $(seq 32))"`.
    const PINNED: &str = "bbbc9b98a3e6c1001cbcbde6fd469e13a2767bbdc6e72d2d2e3fe4c5ef3999c0";

    /// The same over `policy-orchestrator key id`, its first 16 digits.
    const PINNED_ID: &str = "904610aefb4bae2d";

    fn key() -> SigningKey {
        SigningKey::new(vec![b'k'; 32]).unwrap()
    }

    fn other() -> SigningKey {
        SigningKey::new(vec![b'o'; 32]).unwrap()
    }

    #[test]
    fn signature_and_id_are_what_openssl_computes() {
        assert_eq!(key().sign(b"{\"seq\":1}").to_string(), PINNED);
        assert_eq!(key().id().as_str(), PINNED_ID);
        assert_ne!(other().id(), key().id());
    }

    /// RFC 4231, sections 4.2 to 4.8 (4.6 tests a shortened output, which is compared as far as it
    /// goes).
    #[test]
    fn hmac_gives_the_vectors_of_rfc_4231() {
        let text = |text: &str| text.as_bytes().to_vec();
        let vectors = [
            (
                vec![0x0b; 20],
                text("Hi There"),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                text("Jefe"),
                text("what do ya want for nothing?"),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                vec![0xaa; 20],
                vec![0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                (1..=25).collect(),
                vec![0xcd; 50],
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            ),
            (
                vec![0x0c; 20],
                text("Test With Truncation"),
                "a3b6167473100ee06e0c796c2955552b",
            ),
            (
                vec![0xaa; 131],
                text("Test Using Larger Than Block-Size Key - Hash Key First"),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                vec![0xaa; 131],
                text(
                    "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.",
                ),
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ];
        for (secret, data, expected) in vectors {
            let (first, second) = data.split_at(data.len() / 2);
            assert!(
                sign(&secret, &[first, second])
                    .to_string()
                    .starts_with(expected)
            );
        }
    }

    #[test]
    fn a_signed_line_verifies_and_a_changed_one_does_not() {
        let line = signed(b"{\"seq\":1}".to_vec(), &key());
        let parsed = Signed::parse(&line).unwrap();
        assert!(parsed.is_by(&key().current) && !parsed.is_by(&other().current));
        assert_eq!(
            (parsed.key, parsed.content),
            (Some(key().id()), &b"{\"seq\":1"[..])
        );
        assert!(!is_signed(b"{\"seq\":1}"));
        for index in 0..line.len() {
            let mut changed = line.clone();
            changed[index] ^= 1;
            let verifies = Signed::parse(&changed).is_some_and(|line| line.is_by(&key().current));
            assert!(!verifies, "byte {index}");
        }
    }

    #[test]
    fn a_line_of_before_there_were_ids_verifies() {
        let mut line = b"{\"seq\":1".to_vec();
        sign_so_far(&mut line, HMAC, &key().current);
        assert_eq!(
            line,
            format!("{{\"seq\":1,\"hmac\":\"{PINNED}\"}}").into_bytes()
        );
        let parsed = Signed::parse(&line).unwrap();
        assert_eq!((parsed.key, parsed.is_by(&key().current)), (None, true));
        assert_eq!(without_signature(&line), b"{\"seq\":1");
    }

    #[test]
    fn a_handover_carries_both_signatures_and_each_byte_counts() {
        let line = signed_by_both(b"{\"seq\":1}".to_vec(), &key().current, &other());
        let holds = |line: &[u8]| {
            let parsed = Signed::parse(line)?;
            let from = parsed.handover?;
            Some(parsed.is_by(&other().current) && from.is_by(&key().current))
        };
        assert_eq!(holds(&line), Some(true));
        assert_eq!(without_signature(&line), b"{\"seq\":1");
        for index in 0..line.len() {
            let mut changed = line.clone();
            changed[index] ^= 1;
            assert_ne!(holds(&changed), Some(true), "byte {index}");
        }
    }

    #[test]
    fn a_short_secret_is_no_key_and_a_key_is_never_shown() {
        assert!(SigningKey::new(vec![b'k'; 31]).is_none());
        assert!(key().with_old(vec![b'k'; 31]).is_none());
        assert_eq!(format!("{:?}", key()), "SigningKey(…)");
        assert_eq!(format!("{:?}", key().current), "Secret(…)");
    }
}
