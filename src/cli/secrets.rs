//! Secrets: from the environment or a file named there, and into nothing that is shown.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::output::variable_os;
use crate::approval::totp::{self, TotpSecret};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
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
        (Some(secret), None) => (SECRET, secret.into_encoded_bytes()),
        (None, Some(path)) => (SECRET_FILE, from_file(SECRET_FILE, Path::new(&path))?),
    };
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

/// The variables that hold the secret of one-time codes, in their order.
const TOTP: [&str; 2] = ["POLICY_TOTP_SECRET", "SCALPEL_TOTP_SECRET"];

/// The variable that names a file that holds it.
const TOTP_FILE: &str = "POLICY_TOTP_SECRET_FILE";

/// The secret of one-time codes. Fails where none is set, more than one is, or it can't be used.
pub(super) fn totp() -> Checked<TotpSecret> {
    let set = TOTP.into_iter().chain([TOTP_FILE]);
    let mut set = set.filter_map(|name| Some((name, variable_os(name)?)));
    let found = |name: &str, found: &str| {
        Box::new(
            Diagnostic::new(
                Code::SecretUnusable,
                Place::file(name),
                "the secret of one-time codes can't be used",
            )
            .found(found)
            .expected(totp::EXPECTED)
            .help("`policy-orchestrator override enroll` makes one"),
        )
    };
    let Some((name, value)) = set.next() else {
        let [first, second] = TOTP;
        let expected = format!("{first} ({second}) or {TOTP_FILE}");
        return Err(Box::new(found(first, "nothing").expected(expected)));
    };
    if let Some((other, _)) = set.next() {
        return Err(found(name, &format!("{name} and {other}, both set")));
    }
    let secret = Zeroizing::new(if name == TOTP_FILE {
        from_file(TOTP_FILE, Path::new(&value))?
    } else {
        value.into_encoded_bytes()
    });
    TotpSecret::parse(&secret).map_err(|why| found(name, why))
}

/// The bytes of the file that a variable names, less one line end that an editor puts there.
pub(super) fn from_file(variable: &str, path: &Path) -> Checked<Vec<u8>> {
    let mut secret = Vec::new();
    let expected = "the path of a regular file that the user of this run may read";
    // Opened without blocking: a pipe would wait for a writer.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let read = opened.and_then(|file| {
        if !file.metadata()?.is_file() {
            return Err(std::io::Error::other("something that is no regular file"));
        }
        file.take(FILE_LIMIT + 1).read_to_end(&mut secret)
    });
    if let Err(error) = read {
        return Err(unusable(
            variable,
            &crate::fs::read::plain(&error),
            expected,
        ));
    }
    if secret.len() as u64 > FILE_LIMIT {
        return Err(unusable(
            variable,
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
            "the secret can't be used",
        )
        .found(found)
        .expected(expected)
        .help("`head -c 32 /dev/urandom | base64` makes one; nothing was recorded"),
    )
}
