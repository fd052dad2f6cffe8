//! Is an artifact signed by somebody who is trusted? A DSSE envelope in the file itself, or a
//! signature beside it in the form of `cosign sign-blob`: base64 of a signature over the bytes.

use std::path::{Path, PathBuf};

use crate::diagnostic::Checked;
use crate::fs::read::open_named;
use crate::ids::Digest;
use crate::keys::dsse::{self, Envelope};
use crate::keys::{KeyId, VerifyingKey, from_base64};

/// A larger signature is none.
const SIGNATURE_LIMIT: u64 = 64 * 1024;

/// A file that is to be accepted, with what was found beside it.
#[derive(Debug)]
pub struct Artifact {
    /// Its path, as it was given.
    pub name: String,
    /// The SHA-256 of its bytes.
    pub sha256: Digest,
    signature: Signature,
}

#[derive(Debug)]
enum Signature {
    None,
    Envelope(Envelope),
    Beside { bytes: Vec<u8>, signature: Vec<u8> },
    Unreadable(String),
}

/// What became of an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// These keys signed it.
    Signed(Vec<KeyId>),
    /// There is no signature.
    Unsigned,
    /// There is one, and no key to hold it against.
    NoKey,
    /// There is one, and it is not of a trusted key over these bytes.
    Wrong,
    /// What stands beside it is no signature.
    Unreadable(String),
}

/// Where the signature of a file stands.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sig");
    PathBuf::from(name)
}

impl Artifact {
    /// Reads a file that a person named, and the signature beside it.
    pub fn read(path: &Path) -> Checked<Self> {
        let name = path.display().to_string();
        let bytes = open_named(path)?.read_whole(dsse::LIMIT)?;
        let sha256 = Digest::of(&bytes);
        let sidecar = beside(path);
        let signature = if sidecar.exists() {
            let text = open_named(&sidecar)?.read_whole(SIGNATURE_LIMIT)?;
            let text = String::from_utf8_lossy(&text);
            match from_base64(text.trim()) {
                Some(signature) => Signature::Beside { bytes, signature },
                None => Signature::Unreadable(format!("{} is no base64", sidecar.display())),
            }
        } else {
            Envelope::parse(&name, &bytes).map_or(Signature::None, Signature::Envelope)
        };
        Ok(Self {
            name,
            sha256,
            signature,
        })
    }

    /// Who of `trusted` signed it.
    pub fn verify(&self, trusted: &[VerifyingKey]) -> Verdict {
        let signers: Vec<KeyId> = match &self.signature {
            Signature::None => return Verdict::Unsigned,
            Signature::Unreadable(why) => return Verdict::Unreadable(why.clone()),
            _ if trusted.is_empty() => return Verdict::NoKey,
            Signature::Envelope(envelope) => {
                let signers = envelope.signers(trusted).into_iter();
                signers.map(VerifyingKey::id).collect()
            }
            Signature::Beside { bytes, signature } => {
                let signed = trusted.iter().filter(|key| key.verifies(bytes, signature));
                signed.map(VerifyingKey::id).collect()
            }
        };
        if signers.is_empty() {
            Verdict::Wrong
        } else {
            Verdict::Signed(signers)
        }
    }
}
