//! Signed notes (C2SP signed-note) with Ed25519: a text that people can read, and signature lines.
//!
//! A note is a text that ends in a newline, an empty line, and lines of an em dash, the name of a
//! key, and base64 of the key's hash (four bytes) and the signature. What a text says is not known
//! here.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::{PrivateKey, VerifyingKey, from_base64, to_base64};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};

/// The largest note, in bytes.
pub const LIMIT: u64 = 1024 * 1024;

/// The most signatures of one note.
const MOST_SIGNATURES: usize = 100;

/// The number of Ed25519 among the types of signatures.
const ED25519: u8 = 1;

/// What a line with a signature begins with: an em dash and a blank.
const DASH: &str = "\u{2014} ";

/// The name of a key in notes: no white space, no `+`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyName(String);

impl KeyName {
    /// Takes a name of 1 to 256 bytes; `None` for one that can't stand in a note.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=256).contains(&text.len());
        let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
        (fits && text.chars().all(plain)).then(|| Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A public key under the name that notes give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifier {
    name: KeyName,
    key: VerifyingKey,
    hash: [u8; 4],
}

impl Verifier {
    /// `None` for a key that is none of Ed25519: the specification has no other that fits.
    pub fn new(name: KeyName, key: VerifyingKey) -> Option<Self> {
        let bytes = key.ed25519_bytes()?;
        let mut hasher = Sha256::new();
        hasher.update(name.as_str());
        hasher.update([b'\n', ED25519]);
        hasher.update(bytes);
        let &[a, b, c, d, ..] = <[u8; 32]>::from(hasher.finalize()).as_slice() else {
            return None;
        };
        let hash = [a, b, c, d];
        Some(Self { name, key, hash })
    }

    /// Reads the form `NAME+HASH+KEY` in which such keys are published.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.trim().split_once('+')?;
        let (hash, key) = rest.split_once('+')?;
        let key = from_base64(key)?;
        let (&ED25519, key) = key.split_first()? else {
            return None;
        };
        let verifier = Self::new(KeyName::parse(name)?, VerifyingKey::ed25519(key)?)?;
        (verifier.hash_digits() == hash).then_some(verifier)
    }

    /// The key's name.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    fn hash_digits(&self) -> String {
        format!("{:08x}", u32::from_be_bytes(self.hash))
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519];
        key.extend(self.key.ed25519_bytes().into_iter().flatten());
        let (name, hash) = (&self.name, self.hash_digits());
        write!(f, "{name}+{hash}+{}", to_base64(key))
    }
}

/// A text and who signed it. That it was parsed says nothing: only [`Note::check`] does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Signature {
    name: KeyName,
    hash: [u8; 4],
    sig: Vec<u8>,
}

/// What the signatures of a note come to for one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// The key signed this text.
    Yes,
    /// No line names the key.
    NotByThisKey,
    /// A line names the key, and its signature is not one over this text.
    Wrong,
}

/// The note of a text, with one signature; `None` where the text can't be one or the key is none of
/// Ed25519.
pub fn sign(text: &str, name: KeyName, key: &PrivateKey) -> Option<String> {
    let verifier = Verifier::new(name, key.verifying())?;
    if !is_text(text) {
        return None;
    }
    let signature = [verifier.hash.as_slice(), &key.sign(text.as_bytes())].concat();
    let (name, signature) = (verifier.name, to_base64(signature));
    Some(format!("{text}\n{DASH}{name} {signature}\n"))
}

/// Ends in a newline, and has no other control character.
fn is_text(text: &str) -> bool {
    text.ends_with('\n') && text.bytes().all(|byte| byte >= 0x20 || byte == b'\n')
}

impl Note {
    /// Reads a note. `name` says where it stands.
    pub fn parse(name: &str, bytes: &[u8]) -> Checked<Self> {
        Self::parsed(bytes).map_err(|found| {
            Box::new(
                Diagnostic::new(
                    Code::NoteUnreadable,
                    Place::file(name),
                    "this is no signed note",
                )
                .found(found)
                .expected("text, an empty line, and lines that begin with an em dash")
                .help("check the path; `policy-orchestrator audit checkpoint` writes one"),
            )
        })
    }

    fn parsed(bytes: &[u8]) -> Result<Self, &'static str> {
        if bytes.len() as u64 > LIMIT {
            return Err("more than 1 MiB");
        }
        let note = std::str::from_utf8(bytes).map_err(|_| "bytes that are no UTF-8")?;
        if !is_text(note) {
            return Err("a control character, or no newline at the end");
        }
        let last_empty = note.rfind("\n\n").ok_or("no empty line")?;
        let (text, lines) = note.split_at_checked(last_empty + 1).ok_or("no text")?;
        let lines = lines.strip_prefix('\n').unwrap_or(lines);
        let mut signatures = Vec::new();
        for line in lines.lines() {
            if signatures.len() == MOST_SIGNATURES {
                return Err("more than 100 signatures");
            }
            signatures.push(Signature::parse(line).ok_or("a line that is no signature")?);
        }
        if signatures.is_empty() {
            return Err("no signature");
        }
        Ok(Self {
            text: text.to_owned(),
            signatures,
        })
    }

    /// The text, its newline included. Nobody vouches for it unless [`Note::check`] says so.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Did this key sign the text? A line that names the key and does not hold spoils the note.
    pub fn check(&self, verifier: &Verifier) -> Signed {
        let mut signed = Signed::NotByThisKey;
        for signature in self.signatures.iter().filter(|one| one.names(verifier)) {
            if !verifier.key.verifies(self.text.as_bytes(), &signature.sig) {
                return Signed::Wrong;
            }
            signed = Signed::Yes;
        }
        signed
    }
}

impl Signature {
    fn parse(line: &str) -> Option<Self> {
        let (name, digits) = line.strip_prefix(DASH)?.split_once(' ')?;
        let bytes = from_base64(digits)?;
        let (&[a, b, c, d], sig) = bytes.split_first_chunk::<4>()?;
        if sig.is_empty() {
            return None;
        }
        Some(Self {
            name: KeyName::parse(name)?,
            hash: [a, b, c, d],
            sig: sig.to_vec(),
        })
    }

    fn names(&self, verifier: &Verifier) -> bool {
        self.name == verifier.name && self.hash == verifier.hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the package golang.org/x/mod/sumdb/note.
    const GO_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const GO_SECRET: &str = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    /// The second key and signature of the same package.
    const ENOCH_KEY: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
    const ENOCH: &str = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

    fn go_secret() -> PrivateKey {
        let secret = from_base64(GO_SECRET).unwrap();
        let der = [
            &[
                0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
            ][..],
            &secret[1..],
        ]
        .concat();
        let pem = crate::keys::pem::write("PRIVATE KEY", &der);
        PrivateKey::from_pem("go", pem.as_bytes(), None).unwrap()
    }

    fn verifier(text: &str) -> Verifier {
        Verifier::parse(text).unwrap()
    }

    #[test]
    fn the_note_of_the_go_package_holds_and_is_made_alike() {
        let note = Note::parse("go", GO_NOTE.as_bytes()).unwrap();
        assert_eq!(note.check(&verifier(GO_KEY)), Signed::Yes);
        assert_eq!(note.check(&verifier(ENOCH_KEY)), Signed::NotByThisKey);
        assert_eq!(verifier(GO_KEY).to_string(), GO_KEY);
        let name = KeyName::parse("PeterNeumann").unwrap();
        assert_eq!(sign(note.text(), name, &go_secret()).unwrap(), GO_NOTE);
        let both = format!("{GO_NOTE}{ENOCH}");
        let both = Note::parse("go", both.as_bytes()).unwrap();
        assert_eq!(both.check(&verifier(GO_KEY)), Signed::Yes);
        assert_eq!(both.check(&verifier(ENOCH_KEY)), Signed::Yes);
    }

    #[test]
    fn a_changed_text_or_signature_is_wrong() {
        let changed = GO_NOTE.replace("answer", "answers");
        let note = Note::parse("n", changed.as_bytes()).unwrap();
        assert_eq!(note.check(&verifier(GO_KEY)), Signed::Wrong);
        // One line that holds does not mend another of the same key.
        let line = GO_NOTE.rsplit_once("\n\n").unwrap().1;
        let twice = format!("{GO_NOTE}{}", line.replace("ZJku", "ZJkv"));
        let note = Note::parse("n", twice.as_bytes()).unwrap();
        assert_eq!(note.check(&verifier(GO_KEY)), Signed::Wrong);
    }

    #[test]
    fn a_key_under_another_name_or_hash_is_another_key() {
        let other = GO_KEY.replace("PeterNeumann", "Peter");
        assert_eq!(Verifier::parse(&other), None);
        assert_eq!(Verifier::parse(&GO_KEY.replace("c74f", "c74e")), None);
        assert_eq!(Verifier::parse(&GO_KEY.replace("+AR", "+Ah")), None);
        assert_eq!(Verifier::parse("a+b"), None);
        let name = KeyName::parse("Peter").unwrap();
        let renamed = Verifier::new(name, go_secret().verifying()).unwrap();
        let note = Note::parse("n", GO_NOTE.as_bytes()).unwrap();
        assert_eq!(note.check(&renamed), Signed::NotByThisKey);
    }

    #[test]
    fn what_is_no_note_is_refused() {
        let line = GO_NOTE.rsplit_once("\n\n").unwrap().1;
        for text in [
            String::new(),
            "text\n".to_owned(),
            "text\n\n".to_owned(),
            "text\n\nno dash\n".to_owned(),
            "text\n\n— name\n".to_owned(),
            "text\n\n— name AAAA\n".to_owned(),
            "text\n\n— na+me AAAAAAAA\n".to_owned(),
            format!("text\r\n\n{line}"),
            format!("text\n\n{}", line.trim_end()),
            format!("text\n\n{}", line.repeat(101)),
            format!("{}\n\n{line}", "x".repeat(1 << 20)),
        ] {
            let short: String = text.chars().take(60).collect();
            let found = Note::parse("n", text.as_bytes()).unwrap_err();
            assert_eq!(found.code, Code::NoteUnreadable, "{short}");
        }
        assert!(Note::parse("n", b"\xff\n\n").is_err());
    }

    #[test]
    fn a_text_may_have_empty_lines_and_no_other_control_characters() {
        let key = go_secret();
        let name = || KeyName::parse("n").unwrap();
        let note = sign("a\n\nb\n", name(), &key).unwrap();
        let read = Note::parse("n", note.as_bytes()).unwrap();
        assert_eq!(read.text(), "a\n\nb\n");
        for text in ["", "a", "a\tb\n", "a\u{0}\n"] {
            assert_eq!(sign(text, name(), &key), None);
        }
        assert_eq!(KeyName::parse("two words"), None);
    }
}
