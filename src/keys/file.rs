//! Keys in files that a person names, wherever they are.

use std::path::Path;

use zeroize::Zeroizing;

use super::public::refused;
use super::{Password, PrivateKey, VerifyingKey};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::read::open_named;

/// A larger file is no key.
const LIMIT: u64 = 64 * 1024;

/// A secret shorter than the digest makes a signature that can be guessed.
const LEAST_SECRET: usize = 32;

/// Rights of others than the owner that make a key one of everybody: to read it, or to put another
/// one in its place. Its group may read it, as secrets that are mounted for a service have it.
const EXPOSED: u32 = 0o027;

/// Reads a private key. One that everybody may read is refused, unless it is encrypted.
pub fn private(path: &Path, password: Option<&Password>) -> Checked<PrivateKey> {
    let (name, text, mode) = read(path)?;
    if mode & EXPOSED != 0 && !PrivateKey::is_encrypted(&text) {
        return Err(exposed(
            &name,
            mode,
            "this private key, which is not encrypted",
        ));
    }
    PrivateKey::from_pem(&name, &text, password)
}

fn exposed(name: &str, mode: u32, what: &str) -> Box<Diagnostic> {
    let message = format!("others may read or replace {what}");
    Box::new(
        Diagnostic::new(Code::KeyExposed, Place::file(name), message)
            .found(format!("mode {:04o}", mode & 0o7777))
            .expected("mode 0600, or 0640 where its group is to read it")
            .help(format!(
                "`chmod 600 {name}`, and think about who may have read it"
            )),
    )
}

/// Reads a public key.
pub fn public(path: &Path) -> Checked<VerifyingKey> {
    let (name, text, _) = read(path)?;
    VerifyingKey::from_pem(&name, &text)
}

/// Reads a public key, or a secret; a secret that others may read is refused, and so is one that is
/// too short to be one (RFC 7518, section 3.2).
pub fn public_or_secret(path: &Path) -> Checked<(Option<VerifyingKey>, Zeroizing<Vec<u8>>)> {
    let (name, text, mode) = read(path)?;
    if contains(&text, b"-----BEGIN") {
        let key = VerifyingKey::from_pem(&name, &text)?;
        return Ok((Some(key), Zeroizing::default()));
    }
    if mode & EXPOSED != 0 {
        return Err(exposed(&name, mode, "this secret"));
    }
    let secret = Zeroizing::new(text.trim_ascii().to_vec());
    if secret.len() < LEAST_SECRET {
        let found = format!("a secret of {} bytes", secret.len());
        return Err(Box::new(
            Diagnostic::new(
                Code::KeyUnusable,
                Place::file(&name),
                "the secret is too short",
            )
            .found(found)
            .expected(format!(
                "at least {LEAST_SECRET} bytes, or a public key in PEM"
            ))
            .help("`openssl rand -hex 32` makes one"),
        ));
    }
    Ok((None, secret))
}

/// The public half of whatever key is in a file, and whether the file held the private one.
pub fn either(path: &Path, password: Option<&Password>) -> Checked<(VerifyingKey, bool)> {
    let (name, text, _) = read(path)?;
    match VerifyingKey::from_pem(&name, &text) {
        Ok(key) => Ok((key, false)),
        Err(_) if contains(&text, b"PRIVATE KEY") => {
            Ok((private(path, password)?.verifying(), true))
        }
        Err(finding) => Err(finding),
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}

/// Name, bytes and mode of a file.
fn read(path: &Path) -> Checked<(String, Zeroizing<Vec<u8>>, u32)> {
    let file = open_named(path)?;
    let (name, mode) = (file.name.clone(), file.mode()?);
    if file.size > LIMIT {
        return Err(refused(
            &name,
            "the file is too large for a key",
            &format!("{} bytes", file.size),
        ));
    }
    let text = Zeroizing::new(file.read_whole(LIMIT)?);
    Ok((name, text, mode))
}
