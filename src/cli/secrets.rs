//! Secrets: from the environment or a file named there, and into nothing that is shown.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::output::variable_os;
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::privacy::is_default_secret;
use crate::record::SigningKey;
use crate::record::signing::LEAST_BYTES;

/// The variable that holds the signing secret.
pub(super) const SECRET: &str = "POLICY_AUDIT_SECRET";

/// The variable that names a file that holds it.
pub(super) const SECRET_FILE: &str = "POLICY_AUDIT_SECRET_FILE";

/// A file larger than this is no secret.
const FILE_LIMIT: u64 = 64 * 1024;

/// The key that signs the journal; `None` where no secret is set.
pub(super) fn signing_key() -> Checked<Option<SigningKey>> {
    let (name, secret) = match (variable_os(SECRET), variable_os(SECRET_FILE)) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(unusable(
                SECRET,
                "both variables are set",
                &format!("{SECRET} or {SECRET_FILE}, not both"),
            ));
        }
        (Some(secret), None) => (SECRET, Zeroizing::new(secret.into_encoded_bytes())),
        (None, Some(path)) => (SECRET_FILE, from_file(Path::new(&path))?),
    };
    refuse_default(name, &secret)?;
    let length = secret.len();
    match SigningKey::new(secret) {
        Some(key) => Ok(Some(key)),
        None => Err(unusable(
            name,
            &format!("a secret of {length} bytes"),
            &format!("at least {LEAST_BYTES} bytes"),
        )),
    }
}

/// Refuses a default secret of the sources: everybody knows it, so it keeps nothing (S3-028).
pub(super) fn refuse_default(name: &str, secret: &[u8]) -> Checked<()> {
    if !is_default_secret(secret) {
        return Ok(());
    }
    Err(unusable(
        name,
        "a default secret that was published",
        "a secret that nobody else knows",
    ))
}

/// The bytes of the file, less one line end that an editor puts there.
pub(super) fn from_file(path: &Path) -> Checked<Zeroizing<Vec<u8>>> {
    let mut secret = Zeroizing::new(Vec::new());
    let expected = "the path of a regular file that the user of this run may read";
    // Opened without blocking: a pipe would wait for a writer.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let read = opened.and_then(|file| {
        if !file.metadata()?.is_file() {
            return Err(std::io::Error::other("something that is no regular file"));
        }
        // A buffer that grows leaves what it held before behind.
        let length = file.metadata()?.len().min(FILE_LIMIT) + 64;
        secret.reserve_exact(usize::try_from(length).unwrap_or(0));
        file.take(FILE_LIMIT + 1).read_to_end(&mut secret)
    });
    if let Err(error) = read {
        return Err(unusable(
            SECRET_FILE,
            &crate::fs::read::plain(&error),
            expected,
        ));
    }
    if secret.len() as u64 > FILE_LIMIT {
        return Err(unusable(
            SECRET_FILE,
            "a file of more than 64 KiB",
            "a file that holds the secret and nothing else",
        ));
    }
    if secret.ends_with(b"\n") {
        secret.pop();
        if secret.ends_with(b"\r") {
            secret.pop();
        }
    }
    Ok(secret)
}

fn unusable(name: &str, found: &str, expected: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::SecretUnusable,
            Place::file(name),
            "the signing secret can't be used",
        )
        .found(found)
        .expected(expected)
        .help("`head -c 32 /dev/urandom | base64` makes one; nothing was recorded"),
    )
}
