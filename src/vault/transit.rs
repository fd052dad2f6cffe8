//! Signatures by a key that never leaves Vault (`secret/transit`): `GET /v1/<mount>/keys/<name>`
//! tells the public halves of its versions, `POST /v1/<mount>/sign/<name>` signs.
//!
//! What comes back is `vault:v<version>:<base64>`: 64 bytes for an Ed25519 key, the DER of ECDSA
//! with SHA-256 for one of P-256. Each signature is held against the public half before it is used,
//! so neither a wrong key nor a wrong answer ever leaves this program.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::json;

use super::Vault;
use super::answer::{Failure, Request, ask};
use super::settings::{path, refused};
use crate::diagnostic::{Checked, shown};
use crate::keys::{VerifyingKey, from_base64, to_base64};

/// The name of a key: `NAME` in the engine at `transit`, or `MOUNT/NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitName {
    mount: String,
    name: String,
}

impl TransitName {
    /// What stands before such a name where a key is named.
    pub const PREFIX: &'static str = "vault-transit:";

    /// Reads `vault-transit:NAME`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix(Self::PREFIX)?;
        let (mount, name) = text.rsplit_once('/').unwrap_or(("transit", text));
        Some(Self {
            mount: path(mount)?,
            name: path(name)?,
        })
    }

    /// The finding for what is none.
    pub fn refused(variable: &str, text: &str) -> Box<crate::diagnostic::Diagnostic> {
        refused(
            variable,
            shown(text),
            "vault-transit:NAME or vault-transit:MOUNT/NAME",
        )
    }
}

impl fmt::Display for TransitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.mount, self.name)
    }
}

#[derive(Deserialize)]
struct KeyAnswer {
    data: KeyData,
}

#[derive(Deserialize)]
struct KeyData {
    #[serde(rename = "type")]
    kind: String,
    latest_version: u64,
    #[serde(default)]
    keys: BTreeMap<String, Version>,
}

/// A version of an asymmetric key; one of a symmetric key is only a time.
#[derive(Deserialize)]
#[serde(untagged)]
enum Version {
    Public { public_key: String },
    Other(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct SignAnswer {
    data: Signed,
}

#[derive(Deserialize)]
struct Signed {
    signature: String,
}

/// A key in Vault, with the public half of its newest version.
#[derive(Debug)]
pub struct TransitKey<'a> {
    vault: &'a Vault<'a>,
    name: TransitName,
    version: u64,
    public: VerifyingKey,
}

impl Vault<'_> {
    /// Fetches the public half of a key.
    pub fn transit(&self, name: TransitName) -> Checked<TransitKey<'_>> {
        let what = format!("the public half of the key {name}");
        let told = |failure: Failure| failure.into_diagnostic(self.server, &what);
        let request = Request::get(format!("{}/keys/{}", name.mount, name.name));
        let answer: KeyAnswer = ask(self.server, &request).map_err(told)?;
        let (version, public) = newest(answer.data).map_err(told)?;
        Ok(TransitKey {
            vault: self,
            name,
            version,
            public,
        })
    }
}

/// The newest version of a key, and its public half: 32 bytes in base64, or PEM.
fn newest(data: KeyData) -> Result<(u64, VerifyingKey), Failure> {
    let kind = data.kind;
    if !["ed25519", "ecdsa-p256"].contains(&kind.as_str()) {
        let kind = shown(&kind);
        return Err(Failure::Odd(format!(
            "a key of the type {kind}, not of ed25519 or ecdsa-p256"
        )));
    }
    let version = data.latest_version;
    let odd = || Failure::Odd(format!("no usable public half of the version {version}"));
    let Some(Version::Public { public_key }) = data.keys.get(&version.to_string()) else {
        return Err(odd());
    };
    let public = if kind == "ed25519" {
        from_base64(public_key).and_then(|bytes| VerifyingKey::ed25519(&bytes))
    } else {
        VerifyingKey::from_pem("Vault", public_key.as_bytes()).ok()
    };
    public.map(|public| (version, public)).ok_or_else(odd)
}

impl TransitKey<'_> {
    /// Its public half.
    pub fn public(&self) -> &VerifyingKey {
        &self.public
    }

    /// The signature of `message`, in the form of [`crate::keys`].
    pub fn sign(&self, message: &[u8]) -> Checked<Vec<u8>> {
        let what = format!("a signature of the key {}", self.name);
        self.signature(message)
            .map_err(|failure| failure.into_diagnostic(self.vault.server, &what))
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let TransitName { mount, name } = &self.name;
        // An Ed25519 key takes no hash, and Vault passes over what it is told of one.
        let body = json!({
            "input": to_base64(message),
            "key_version": self.version,
            "hash_algorithm": "sha2-256",
            "marshaling_algorithm": "asn1",
        });
        let request = Request::post(format!("{mount}/sign/{name}"), &body);
        let SignAnswer { data } = ask(self.vault.server, &request)?;
        let prefix = format!("vault:v{}:", self.version);
        let signature = data.signature.strip_prefix(prefix.as_str());
        let signature = signature.and_then(from_base64);
        let signature = signature.filter(|bytes| self.public.verifies(message, bytes));
        signature.ok_or_else(|| {
            Failure::Odd(format!(
                "something that is no signature of version {} of the key",
                self.version
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Algorithm, PrivateKey};

    #[test]
    fn a_key_is_named_with_its_mount_or_without() {
        let named = |text| TransitName::parse(text).map(|name| name.to_string());
        assert_eq!(named("vault-transit:k").as_deref(), Some("transit/k"));
        assert_eq!(named("vault-transit:a/b/k").as_deref(), Some("a/b/k"));
        for text in [
            "k",
            "vault-transit:",
            "vault-transit:/k",
            "vault-transit:../k",
        ] {
            assert_eq!(named(text), None, "{text}");
        }
    }

    #[test]
    fn the_public_half_is_read_in_the_form_of_its_type() {
        for (algorithm, kind) in [
            (Algorithm::Ed25519, "ed25519"),
            (Algorithm::EcdsaP256, "ecdsa-p256"),
        ] {
            let key = PrivateKey::generate(algorithm).unwrap().verifying();
            let text = match algorithm {
                Algorithm::Ed25519 => to_base64(&key.to_der()[12..]),
                Algorithm::EcdsaP256 => key.to_pem(),
            };
            let answer = |kind: &str| {
                let answer = json!({"type": kind, "latest_version": 2, "keys": {
                    "1": {"public_key": "old"}, "2": {"public_key": text, "name": kind}}});
                serde_json::from_value::<KeyData>(answer).unwrap()
            };
            assert_eq!(newest(answer(kind)).unwrap(), (2, key));
            assert!(newest(answer("rsa-2048")).is_err());
        }
        let symmetric =
            json!({"type": "aes256-gcm96", "latest_version": 1, "keys": {"1": 1_442_851_412}});
        assert!(newest(serde_json::from_value(symmetric).unwrap()).is_err());
    }
}
