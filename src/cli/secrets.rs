//! Secrets: from the environment or a file named there, and into nothing that is shown.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::output::variable_os;
use crate::approval::totp::{self, TotpSecret};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::privacy::is_default_secret;
use crate::record::SigningKey;
use crate::record::signing::LEAST_BYTES;

/// The variable that holds the signing secret.
pub(super) const SECRET: &str = "POLICY_AUDIT_SECRET";

/// The variable that names a file that holds it.
pub(super) const SECRET_FILE: &str = "POLICY_AUDIT_SECRET_FILE";

/// Another name of the first, which the predecessor used.
const SECRET_ALIAS: &str = "SCALPEL_AUDIT_SECRET";

/// The variable that holds secrets from before, one on each line; they verify and never sign.
const OLD_SECRET: &str = "POLICY_AUDIT_OLD_SECRET";

/// The variable that names a file that holds them.
pub(super) const OLD_SECRET_FILE: &str = "POLICY_AUDIT_OLD_SECRET_FILE";

/// A file larger than this is no secret.
const FILE_LIMIT: u64 = 64 * 1024;

/// The key that signs the journals, with those from before it; `None` where no secret is set.
pub(super) fn signing_key() -> Checked<Option<SigningKey>> {
    let named = one_of(SECRET, SECRET_FILE)?;
    let alias = variable_os(SECRET_ALIAS).map(OsString::into_encoded_bytes);
    let alias = alias.map(Zeroizing::new);
    // The other name may stand in for the first, and may not contradict it.
    let (name, secret) = match (named, alias) {
        (None, None) => return Ok(None),
        (Some((name, secret)), Some(alias)) if secret != alias => {
            return Err(unusable(
                SECRET_ALIAS,
                &format!("another secret than in {name}"),
                &format!("{name} alone, or the same in both"),
            ));
        }
        (Some(named), _) => named,
        (None, Some(alias)) => (SECRET_ALIAS, alias),
    };
    let mut key = usable(name, secret, SigningKey::new)?;
    if let Some((name, secrets)) = one_of(OLD_SECRET, OLD_SECRET_FILE)? {
        for secret in secrets.split(|byte| *byte == b'\n') {
            let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
            if !secret.is_empty() {
                key = usable(name, Zeroizing::new(secret.to_vec()), |secret| {
                    key.with_old(secret)
                })?;
            }
        }
    }
    Ok(Some(key))
}

/// A secret, and the variable that it came from.
type Named = (&'static str, Zeroizing<Vec<u8>>);

/// The content of a variable, or of the file that another one names, and which of the two it was.
fn one_of(name: &'static str, file: &'static str) -> Checked<Option<Named>> {
    match (variable_os(name), variable_os(file)) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(unusable(
            name,
            "both variables are set",
            &format!("{name} or {file}, not both"),
        )),
        (Some(secret), None) => Ok(Some((name, Zeroizing::new(secret.into_encoded_bytes())))),
        (None, Some(path)) => Ok(Some((file, from_file(file, Path::new(&path))?))),
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
    let secret = if name == TOTP_FILE {
        from_file(TOTP_FILE, Path::new(&value))?
    } else {
        Zeroizing::new(value.into_encoded_bytes())
    };
    TotpSecret::parse(&secret).map_err(|why| found(name, why))
}

fn usable(
    name: &str,
    secret: Zeroizing<Vec<u8>>,
    key: impl FnOnce(Zeroizing<Vec<u8>>) -> Option<SigningKey>,
) -> Checked<SigningKey> {
    refuse_default(name, &secret)?;
    let length = secret.len();
    key(secret).ok_or_else(|| {
        unusable(
            name,
            &format!("a secret of {length} bytes"),
            &format!("at least {LEAST_BYTES} bytes"),
        )
    })
}

/// What the files hold that variables name, for whoever must not show it.
pub(super) fn in_files() -> Checked<Vec<Zeroizing<Vec<u8>>>> {
    let named = [SECRET_FILE, OLD_SECRET_FILE, TOTP_FILE].into_iter();
    named
        .filter_map(|name| Some((name, variable_os(name)?)))
        .map(|(name, path)| from_file(name, Path::new(&path)))
        .collect()
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
fn from_file(name: &str, path: &Path) -> Checked<Zeroizing<Vec<u8>>> {
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
        return Err(unusable(name, &crate::fs::read::plain(&error), expected));
    }
    if secret.len() as u64 > FILE_LIMIT {
        return Err(unusable(
            name,
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
