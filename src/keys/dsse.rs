//! DSSE envelopes (Dead Simple Signing Envelope, version 1): a payload, its type, and signatures
//! over both. What a payload says is not known here.

use serde::{Deserialize, Serialize};

use super::{PrivateKey, VerifyingKey, from_base64, to_base64};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};

/// The largest envelope, in bytes.
pub const LIMIT: u64 = 16 * 1024 * 1024;

/// The most signatures of one envelope.
const MOST_SIGNATURES: usize = 16;

/// The longest type of a payload, and the longest name of a key, in bytes.
const LONGEST_NAME: usize = 256;

/// The longest signature, in bytes; those of our keys have at most 72.
const LONGEST_SIGNATURE: usize = 1024;

/// A payload and who signed it. That it was parsed says nothing: only [`Envelope::signers`] does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    payload_type: String,
    payload: Vec<u8>,
    signatures: Vec<Signature>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Signature {
    keyid: Option<String>,
    sig: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Raw {
    #[serde(rename = "payloadType")]
    payload_type: String,
    payload: String,
    signatures: Vec<RawSignature>,
}

#[derive(Serialize, Deserialize)]
struct RawSignature {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keyid: Option<String>,
    sig: String,
}

/// The pre-authentication encoding: the bytes that are signed.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    );
    [head.as_bytes(), payload].concat()
}

impl Envelope {
    /// An envelope that nobody signed yet.
    pub fn new(payload_type: impl Into<String>, payload: Vec<u8>) -> Self {
        Self {
            payload_type: payload_type.into(),
            payload,
            signatures: Vec::new(),
        }
    }

    /// The same with one more signature.
    #[must_use]
    pub fn signed(self, key: &PrivateKey) -> Self {
        let sig = key.sign(&self.message());
        self.with_signature(&key.verifying(), sig)
    }

    /// The bytes that are signed, for a key that is not here.
    pub fn message(&self) -> Vec<u8> {
        pae(&self.payload_type, &self.payload)
    }

    /// The same with one more signature, which that key made over [`Envelope::message`].
    #[must_use]
    pub fn with_signature(mut self, key: &VerifyingKey, sig: Vec<u8>) -> Self {
        let keyid = Some(key.id().to_string());
        self.signatures.push(Signature { keyid, sig });
        self
    }

    /// Reads an envelope. `name` says where it stands.
    pub fn parse(name: &str, bytes: &[u8]) -> Checked<Self> {
        if bytes.len() as u64 > LIMIT {
            return Err(unreadable(name, &format!("{} bytes", bytes.len())));
        }
        let raw: Raw =
            serde_json::from_slice(bytes).map_err(|error| unreadable(name, &error.to_string()))?;
        Self::from_raw(raw).map_err(|found| unreadable(name, found))
    }

    fn from_raw(raw: Raw) -> Result<Self, &'static str> {
        if raw.payload_type.is_empty() || raw.payload_type.len() > LONGEST_NAME {
            return Err("a `payloadType` that is empty or longer than 256 bytes");
        }
        if raw.signatures.is_empty() || raw.signatures.len() > MOST_SIGNATURES {
            return Err("no signature, or more than 16");
        }
        let payload = from_base64(&raw.payload).ok_or("a `payload` that is no base64")?;
        let signatures = raw.signatures.into_iter().map(Signature::from_raw);
        Ok(Self {
            payload_type: raw.payload_type,
            payload,
            signatures: signatures.collect::<Result<_, _>>()?,
        })
    }

    /// The type of the payload.
    pub fn payload_type(&self) -> &str {
        &self.payload_type
    }

    /// The payload. Nobody vouches for it unless [`Envelope::signers`] says who.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// What the signatures call the keys that made them; anybody can write that.
    pub fn named_keys(&self) -> impl Iterator<Item = &str> {
        let named = self.signatures.iter();
        named.filter_map(|signature| signature.keyid.as_deref())
    }

    /// Those of `keys` that signed this type and payload, each once. The names that the signatures
    /// give are hints which nobody signed, so each key is tried on each signature.
    pub fn signers<'k>(&self, keys: &'k [VerifyingKey]) -> Vec<&'k VerifyingKey> {
        let message = self.message();
        let mut signers: Vec<&VerifyingKey> = Vec::new();
        for key in keys {
            let mut signatures = self.signatures.iter();
            let holds = signatures.any(|signature| key.verifies(&message, &signature.sig));
            if holds && !signers.contains(&key) {
                signers.push(key);
            }
        }
        signers
    }

    /// Its JSON, with a newline at the end.
    pub fn to_json(&self) -> Vec<u8> {
        let signatures = self.signatures.iter().map(|signature| RawSignature {
            keyid: signature.keyid.clone(),
            sig: to_base64(&signature.sig),
        });
        crate::fs::pretty(&Raw {
            payload_type: self.payload_type.clone(),
            payload: to_base64(&self.payload),
            signatures: signatures.collect(),
        })
    }
}

impl Signature {
    fn from_raw(raw: RawSignature) -> Result<Self, &'static str> {
        let sig = from_base64(&raw.sig).ok_or("a `sig` that is no base64")?;
        if sig.is_empty() || sig.len() > LONGEST_SIGNATURE {
            return Err("a `sig` that is empty or longer than 1024 bytes");
        }
        if raw.keyid.as_ref().is_some_and(|id| id.len() > LONGEST_NAME) {
            return Err("a `keyid` longer than 256 bytes");
        }
        Ok(Self {
            keyid: raw.keyid,
            sig,
        })
    }
}

fn unreadable(name: &str, found: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::EnvelopeUnreadable,
            Place::file(name),
            "this is no DSSE envelope",
        )
        .found(found)
        .expected("JSON with `payloadType`, `payload` and 1 to 16 `signatures`, at most 16 MiB")
        .help("check the path; `policy-orchestrator attest` writes one"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Digest;
    use crate::keys::Algorithm;

    const TYPE: &str = "http://example.com/HelloWorld";

    /// The envelope of the specification's protocol.md, "Test Vectors".
    const EXAMPLE: &str = r#"{"payload": "aGVsbG8gd29ybGQ=",
 "payloadType": "http://example.com/HelloWorld",
 "signatures": [{"sig": "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="}]}"#;

    /// The example's `X` and `Y` in hexadecimal digits.
    const X: &str = "67cd390f77aa359cb08c2235f652270493a9ed832b0abcc01f70954c0390d238";
    const Y: &str = "0c782bd54e269125a44f4433aff1432ce94e12bca73aa67ac80cea12608ddf74";

    fn bytes(digits: &str) -> Vec<u8> {
        Digest::parse(digits).unwrap().as_bytes().to_vec()
    }

    #[test]
    fn the_encoding_is_that_of_the_specification() {
        assert_eq!(
            pae(TYPE, b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn the_example_of_the_specification_holds() {
        let envelope = Envelope::parse("example", EXAMPLE.as_bytes()).unwrap();
        assert_eq!(envelope.payload_type(), TYPE);
        assert_eq!(envelope.payload(), b"hello world");
        // The example joins r and s; ours, as cosign's, are DER.
        let joined = &envelope.signatures[0].sig;
        let signature = p256::ecdsa::Signature::from_slice(joined).unwrap();
        let point = [vec![4], bytes(X), bytes(Y)].concat();
        let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).unwrap();
        let key = VerifyingKey::from(key);
        let message = pae(TYPE, b"hello world");
        assert!(key.verifies(&message, signature.to_der().as_bytes()));
        assert!(!key.verifies(b"DSSEv1", signature.to_der().as_bytes()));
    }

    #[test]
    fn a_changed_type_or_payload_has_no_signer() {
        for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256] {
            let key = PrivateKey::generate(algorithm).unwrap();
            let keys = [key.verifying()];
            let envelope = Envelope::new(TYPE, b"payload".to_vec()).signed(&key);
            let read = Envelope::parse("e", &envelope.to_json()).unwrap();
            assert_eq!(read, envelope);
            assert_eq!(read.signers(&keys), [&keys[0]]);
            let mut payload = read.clone();
            payload.payload[0] ^= 1;
            assert!(payload.signers(&keys).is_empty());
            let mut kind = read;
            kind.payload_type.push('x');
            assert!(kind.signers(&keys).is_empty());
        }
    }

    #[test]
    fn who_signed_is_found_whatever_the_signatures_call_themselves() {
        let keys: Vec<PrivateKey> = [Algorithm::Ed25519, Algorithm::EcdsaP256, Algorithm::Ed25519]
            .map(|algorithm| PrivateKey::generate(algorithm).unwrap())
            .into();
        let public: Vec<VerifyingKey> = keys.iter().map(PrivateKey::verifying).collect();
        let mut envelope = Envelope::new(TYPE, b"payload".to_vec())
            .signed(&keys[0])
            .signed(&keys[1])
            .signed(&keys[1]);
        assert_eq!(envelope.signers(&public), [&public[0], &public[1]]);
        envelope.signatures[0].keyid = Some(public[2].id().to_string());
        envelope.signatures[1].keyid = None;
        assert_eq!(envelope.signers(&public), [&public[0], &public[1]]);
        // Other programs name a key by another digest of as many digits.
        let mut alone = Envelope::new(TYPE, b"payload".to_vec()).signed(&keys[0]);
        alone.signatures[0].keyid = Some(public[2].id().to_string());
        assert_eq!(alone.signers(&public), [&public[0]]);
        assert!(envelope.signers(&public[2..]).is_empty());
    }

    #[test]
    fn what_is_no_envelope_is_refused() {
        let many = format!(
            r#"{{"payload":"","payloadType":"t","signatures":[{}]}}"#,
            vec![r#"{"sig":"AAAA"}"#; 17].join(",")
        );
        for text in [
            "",
            "[]",
            r#"{"payload":"","payloadType":"t","signatures":[]}"#,
            r#"{"payload":"","payloadType":"","signatures":[{"sig":"AAAA"}]}"#,
            r#"{"payload":"?","payloadType":"t","signatures":[{"sig":"AAAA"}]}"#,
            r#"{"payload":"","payloadType":"t","signatures":[{"sig":""}]}"#,
            r#"{"payload":"","payload":"","payloadType":"t","signatures":[{"sig":"AAAA"}]}"#,
            &many,
        ] {
            let found = Envelope::parse("e", text.as_bytes()).unwrap_err();
            assert_eq!(found.code, Code::EnvelopeUnreadable, "{text}");
        }
        // The specification: either alphabet of base64, and keys that nobody knows.
        let odd = r#"{"payload":"-_8","payloadType":"t","signatures":[{"sig":"AAAA","keyid":"","x":1}],"y":2}"#;
        assert_eq!(
            Envelope::parse("e", odd.as_bytes()).unwrap().payload(),
            [0xfb, 0xff]
        );
    }
}
