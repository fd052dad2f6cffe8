//! Public keys: read from and written as SubjectPublicKeyInfo (RFC 5280, RFC 8410, RFC 5480).

use std::fmt;

use p256::pkcs8::ObjectIdentifier;
use p256::pkcs8::spki::SubjectPublicKeyInfoRef;
use serde::Serialize;

use super::pem;
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::ids::Digest;

/// The algorithms of signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// Ed25519 (RFC 8032), without pre-hashing.
    Ed25519,
    /// ECDSA over P-256 with SHA-256 (FIPS 186-5); a signature is the DER of RFC 3279.
    #[serde(rename = "ecdsa-p256")]
    EcdsaP256,
}

impl Algorithm {
    /// Its name in JSON Web Signatures (RFC 7518, section 3.1, and RFC 8037).
    pub fn of_web_signature(self) -> &'static str {
        match self {
            Self::Ed25519 => "EdDSA",
            Self::EcdsaP256 => "ES256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ed25519 => "Ed25519",
            Self::EcdsaP256 => "ECDSA P-256",
        })
    }
}

pub(super) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
pub(super) const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
pub(super) const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// What stands before the 32 bytes of an Ed25519 key.
const ED25519_PREFIX: &[u8] = &[
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// What stands before the 65 bytes of an uncompressed point of P-256.
const P256_PREFIX: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The name of a key: the SHA-256 of its SubjectPublicKeyInfo in DER, points uncompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct KeyId(Digest);

impl KeyId {
    /// Reads 64 lower-case hexadecimal digits; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        Digest::parse(text).map(Self)
    }

    /// The first twelve digits, for a person.
    pub fn short(&self) -> String {
        self.0.short()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A public key that verifies signatures.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyingKey(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Ed25519(ed25519_dalek::VerifyingKey),
    EcdsaP256(p256::ecdsa::VerifyingKey),
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({} {})", self.algorithm(), self.id())
    }
}

impl From<ed25519_dalek::VerifyingKey> for VerifyingKey {
    fn from(key: ed25519_dalek::VerifyingKey) -> Self {
        Self(Kind::Ed25519(key))
    }
}

impl From<p256::ecdsa::VerifyingKey> for VerifyingKey {
    fn from(key: p256::ecdsa::VerifyingKey) -> Self {
        Self(Kind::EcdsaP256(key))
    }
}

impl VerifyingKey {
    /// Reads a PEM text with a block `PUBLIC KEY`. `name` says where it stands.
    pub fn from_pem(name: &str, text: &[u8]) -> Checked<Self> {
        let block = std::str::from_utf8(text).ok().and_then(pem::first);
        let Some(block) = block else {
            return Err(refused(
                name,
                "this is no public key",
                "no whole block of PEM",
            ));
        };
        match block.label {
            "PUBLIC KEY" => Self::from_der(name, &block.content),
            label if label.ends_with("PRIVATE KEY") => Err(Box::new(
                refused(
                    name,
                    "this is a private key where a public one belongs",
                    &format!("a block `{label}`"),
                )
                .help("`policy-orchestrator keys show FILE` prints the public half of it"),
            )),
            label => Err(refused(
                name,
                "this is no public key",
                &format!("a block `{label}`"),
            )),
        }
    }

    /// Reads a SubjectPublicKeyInfo in DER.
    pub fn from_der(name: &str, der: &[u8]) -> Checked<Self> {
        let info = SubjectPublicKeyInfoRef::try_from(der)
            .map_err(|error| refused(name, "the public key can't be read", &error.to_string()))?;
        let bytes = info.subject_public_key.as_bytes().unwrap_or_default();
        let oid = info.algorithm.oid;
        if oid == ED25519 {
            return Self::ed25519(bytes).ok_or_else(|| {
                refused(
                    name,
                    "the public key is no usable point of Ed25519",
                    "another value",
                )
            });
        }
        let curve = info.algorithm.parameters_oid().ok();
        if oid == EC && curve == Some(P256) {
            return p256::ecdsa::VerifyingKey::from_sec1_bytes(bytes)
                .map(Self::from)
                .map_err(|_| {
                    refused(
                        name,
                        "the public key is no point of the curve P-256",
                        "another value",
                    )
                });
        }
        Err(unsupported(name, oid, curve))
    }

    /// The Ed25519 key of these 32 bytes; `None` for a value that is no point, or one of the few
    /// under which some signature holds for every message.
    pub(crate) fn ed25519(bytes: &[u8]) -> Option<Self> {
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes.try_into().ok()?).ok()?;
        (!key.is_weak()).then(|| Self::from(key))
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            Kind::Ed25519(_) => Algorithm::Ed25519,
            Kind::EcdsaP256(_) => Algorithm::EcdsaP256,
        }
    }

    /// The 32 bytes of an Ed25519 key.
    pub(super) fn ed25519_bytes(&self) -> Option<&[u8; 32]> {
        match &self.0 {
            Kind::Ed25519(key) => Some(key.as_bytes()),
            Kind::EcdsaP256(_) => None,
        }
    }

    /// Its SubjectPublicKeyInfo in DER.
    pub fn to_der(&self) -> Vec<u8> {
        match &self.0 {
            Kind::Ed25519(key) => [ED25519_PREFIX, key.as_bytes()].concat(),
            Kind::EcdsaP256(key) => [P256_PREFIX, key.to_sec1_point(false).as_bytes()].concat(),
        }
    }

    /// Its PEM.
    pub fn to_pem(&self) -> String {
        pem::write("PUBLIC KEY", &self.to_der()).to_string()
    }

    /// Its name.
    pub fn id(&self) -> KeyId {
        KeyId(Digest::of(&self.to_der()))
    }

    /// True where `signature` is one of this key over `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            Kind::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            Kind::EcdsaP256(key) => {
                use p256::ecdsa::signature::Verifier as _;
                p256::ecdsa::DerSignature::from_bytes(signature)
                    .is_ok_and(|signature| key.verify(message, &signature).is_ok())
            }
        }
    }

    /// The same of a JSON Web Signature, where one of ECDSA is its two numbers (RFC 7518, section 3.4).
    pub fn verifies_web(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            Kind::Ed25519(_) => self.verifies(message, signature),
            Kind::EcdsaP256(key) => {
                use p256::ecdsa::signature::Verifier as _;
                p256::ecdsa::Signature::from_slice(signature)
                    .is_ok_and(|signature| key.verify(message, &signature).is_ok())
            }
        }
    }
}

/// A finding about a key, public or private.
pub(super) fn refused(name: &str, message: &str, found: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(Code::KeyUnusable, Place::file(name), message)
            .found(found)
            .expected("an Ed25519 or ECDSA P-256 key in PEM")
            .help("`policy-orchestrator keys generate --out FILE` makes a pair"),
    )
}

/// The finding about a key of another algorithm.
pub(super) fn unsupported(
    name: &str,
    algorithm: ObjectIdentifier,
    curve: Option<ObjectIdentifier>,
) -> Box<Diagnostic> {
    let found = match (algorithm, curve) {
        (RSA, _) => "an RSA key".to_owned(),
        (EC, Some(curve)) => format!("an elliptic curve of the identifier {curve}"),
        (EC, None) => "an elliptic curve that is not named".to_owned(),
        (other, _) => format!("a key of the algorithm {other}"),
    };
    refused(name, "this kind of key is not supported", &found)
}
