//! Private keys: read from PKCS#8 in PEM, encrypted as cosign does it or not, generated, written.

use std::fmt;

use p256::ecdsa::signature::Signer as _;
use p256::pkcs8::{EncodePrivateKey as _, PrivateKeyInfoRef};
use zeroize::Zeroizing;

use super::public::{self, EC, ED25519, P256, refused};
use super::{Algorithm, VerifyingKey, cosign, fill_random, pem};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};

/// What decrypts a private key. Wiped when it is dropped, never shown.
#[derive(Clone)]
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// Takes the bytes of a password.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// A key that signs. Wiped when it is dropped, never shown.
#[derive(Clone)]
pub struct PrivateKey(Kind);

#[derive(Clone)]
enum Kind {
    Ed25519(Box<ed25519_dalek::SigningKey>),
    EcdsaP256(Box<p256::ecdsa::SigningKey>),
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({}, …)", self.verifying().id())
    }
}

/// What stands before the 32 bytes of an Ed25519 key in PKCS#8, version 1: OpenSSL before 3.2 can't
/// read version 2.
const ED25519_PREFIX: &[u8] = &[
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// The inner OCTET STRING of an Ed25519 key (RFC 8410).
const ED25519_OCTETS: &[u8] = &[0x04, 0x20];

const PKCS8: &str = "PRIVATE KEY";

impl PrivateKey {
    /// A new key.
    pub fn generate(algorithm: Algorithm) -> Checked<Self> {
        let mut secret = Zeroizing::new([0; 32]);
        loop {
            fill_random(secret.as_mut_slice())?;
            match algorithm {
                Algorithm::Ed25519 => return Ok(Self::ed25519(&secret)),
                // One in 2^32 draws lies beyond the order of the curve.
                Algorithm::EcdsaP256 => {
                    if let Ok(key) = p256::ecdsa::SigningKey::from_slice(secret.as_slice()) {
                        return Ok(Self(Kind::EcdsaP256(Box::new(key))));
                    }
                }
            }
        }
    }

    fn ed25519(secret: &[u8; 32]) -> Self {
        let key = ed25519_dalek::SigningKey::from_bytes(secret);
        Self(Kind::Ed25519(Box::new(key)))
    }

    /// Reads a PEM text. `name` says where it stands; an encrypted key without a password is tried
    /// with the empty one, as cosign makes some.
    pub fn from_pem(name: &str, text: &[u8], password: Option<&Password>) -> Checked<Self> {
        let block = std::str::from_utf8(text).ok().and_then(pem::first);
        let Some(block) = block else {
            return Err(refused(
                name,
                "this is no private key",
                "no whole block of PEM",
            ));
        };
        match block.label {
            PKCS8 => Self::from_der(name, &block.content),
            label if cosign::LABELS.contains(&label) => {
                let der = cosign::decrypt(name, &block.content, password)?;
                Self::from_der(name, &der)
            }
            label => Err(wrong_label(name, label)),
        }
    }

    /// True for a PEM text of an encrypted private key.
    pub fn is_encrypted(text: &[u8]) -> bool {
        let block = std::str::from_utf8(text).ok().and_then(pem::first);
        block.is_some_and(|block| cosign::LABELS.contains(&block.label))
    }

    /// Reads PKCS#8 in DER (RFC 5958).
    fn from_der(name: &str, der: &[u8]) -> Checked<Self> {
        // What the parser found may quote the key, so it is not told.
        let info = PrivateKeyInfoRef::try_from(der)
            .map_err(|_| refused(name, "the private key can't be read", "no PKCS#8 in DER"))?;
        let oid = info.algorithm.oid;
        let curve = info.algorithm.parameters_oid().ok();
        if oid == ED25519 {
            let secret: Option<&[u8; 32]> = info
                .private_key
                .as_bytes()
                .strip_prefix(ED25519_OCTETS)
                .and_then(|secret| secret.try_into().ok());
            let key = secret.map(Self::ed25519);
            let told = info.public_key.map(|told| told.as_bytes());
            return key
                .filter(|key| told.is_none_or(|told| key.has_public_bytes(told)))
                .ok_or_else(|| refused(name, "the private key is damaged", "other contents"));
        }
        if oid == EC && curve == Some(P256) {
            return p256::ecdsa::SigningKey::try_from(info)
                .map(|key| Self(Kind::EcdsaP256(Box::new(key))))
                .map_err(|_| refused(name, "the private key is damaged", "other contents"));
        }
        Err(public::unsupported(name, oid, curve))
    }

    fn has_public_bytes(&self, told: Option<&[u8]>) -> bool {
        let key = self.verifying();
        told.is_some() && key.ed25519_bytes().map(<[u8; 32]>::as_slice) == told
    }

    /// Its public half.
    pub fn verifying(&self) -> VerifyingKey {
        match &self.0 {
            Kind::Ed25519(key) => key.verifying_key().into(),
            Kind::EcdsaP256(key) => (*key.verifying_key()).into(),
        }
    }

    /// The signature of `message`: 64 bytes of Ed25519, or the DER of ECDSA. Deterministic both
    /// (RFC 8032, RFC 6979).
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.0 {
            Kind::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Kind::EcdsaP256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_der().as_bytes().to_vec()
            }
        }
    }

    /// Its PKCS#8 in DER.
    fn to_der(&self) -> Checked<Zeroizing<Vec<u8>>> {
        match &self.0 {
            Kind::Ed25519(key) => {
                let mut der = Zeroizing::new(Vec::with_capacity(48));
                der.extend_from_slice(ED25519_PREFIX);
                der.extend_from_slice(key.as_bytes());
                Ok(der)
            }
            Kind::EcdsaP256(key) => match key.to_pkcs8_der() {
                Ok(document) => Ok(document.to_bytes()),
                Err(_) => Err(refused(
                    "PKCS#8",
                    "the private key can't be written",
                    "an error of the encoder",
                )),
            },
        }
    }

    /// Its PEM, encrypted in cosign's form where there is a password.
    pub fn to_pem(&self, password: Option<&Password>) -> Checked<Zeroizing<String>> {
        let der = self.to_der()?;
        match password {
            None => Ok(pem::write(PKCS8, &der)),
            Some(password) => {
                let content = cosign::encrypt(&der, password)?;
                Ok(pem::write(cosign::LABEL, &content))
            }
        }
    }
}

fn wrong_label(name: &str, label: &str) -> Box<Diagnostic> {
    let found = format!("a block `{label}`");
    let (message, help) = match label {
        "PUBLIC KEY" => (
            "this is a public key where a private one belongs",
            "name the file of the private key",
        ),
        "RSA PRIVATE KEY" => (
            "an RSA key is not supported",
            "`policy-orchestrator keys generate --out FILE` makes a pair that is",
        ),
        "EC PRIVATE KEY" | "EC PARAMETERS" => (
            "the private key is not in the form PKCS#8",
            "`openssl pkcs8 -topk8 -nocrypt -in FILE` writes it in that form",
        ),
        "ENCRYPTED PRIVATE KEY" => (
            "a key that PKCS#8 encrypts is not supported",
            "`cosign import-key-pair --key FILE` or `openssl pkcs8 -topk8 -nocrypt` converts it",
        ),
        "OPENSSH PRIVATE KEY" => (
            "a key of OpenSSH is not supported",
            "`policy-orchestrator keys generate --out FILE` makes a pair that is",
        ),
        _ => (
            "this is no private key",
            "`policy-orchestrator keys generate --out FILE` makes a pair",
        ),
    };
    Box::new(
        Diagnostic::new(Code::KeyUnusable, Place::file(name), message)
            .found(found)
            .expected("a block `PRIVATE KEY` or `ENCRYPTED SIGSTORE PRIVATE KEY`")
            .help(help),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Algorithm; 2] = [Algorithm::Ed25519, Algorithm::EcdsaP256];

    #[test]
    fn a_key_is_read_as_it_was_written_and_signs_alike() {
        for algorithm in BOTH {
            let key = PrivateKey::generate(algorithm).unwrap();
            let pem = key.to_pem(None).unwrap();
            let read = PrivateKey::from_pem("a.key", pem.as_bytes(), None).unwrap();
            let signature = key.sign(b"message");
            assert_eq!(read.sign(b"message"), signature);
            let public = key.verifying();
            let read = VerifyingKey::from_pem("a.pub", public.to_pem().as_bytes()).unwrap();
            assert_eq!(read, public);
            assert!(read.verifies(b"message", &signature));
            assert!(!read.verifies(b"massage", &signature));
            assert!(!read.verifies(b"message", &[]));
        }
    }

    #[test]
    fn every_changed_bit_of_a_signature_is_found() {
        for algorithm in BOTH {
            let key = PrivateKey::generate(algorithm).unwrap();
            let signature = key.sign(b"message");
            for bit in 0..signature.len() * 8 {
                let mut changed = signature.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                assert!(!key.verifying().verifies(b"message", &changed), "bit {bit}");
            }
        }
    }

    #[test]
    fn no_key_signs_for_another() {
        let keys = [BOTH, BOTH]
            .concat()
            .into_iter()
            .map(|algorithm| PrivateKey::generate(algorithm).unwrap())
            .collect::<Vec<_>>();
        for (index, signer) in keys.iter().enumerate() {
            for (other, verifier) in keys.iter().enumerate() {
                let holds = verifier.verifying().verifies(b"m", &signer.sign(b"m"));
                assert_eq!(holds, index == other);
            }
        }
    }

    #[test]
    fn nothing_secret_is_shown() {
        let key = PrivateKey::generate(Algorithm::Ed25519).unwrap();
        let id = key.verifying().id();
        assert_eq!(format!("{key:?}"), format!("PrivateKey({id}, …)"));
        assert_eq!(
            format!("{:?}", Password::new(b"hush".to_vec())),
            "Password(…)"
        );
    }

    #[test]
    fn the_point_under_which_everything_holds_is_no_key() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert!(VerifyingKey::ed25519(&identity).is_none());
    }
}
