//! Secrets: from the environment, or from a file or a place in Vault that is named there, and into
//! nothing that is shown.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::output::variable_os;
use super::vault;
use crate::approval::totp::{self, TotpSecret};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::privacy::is_default_secret;
use crate::record::SigningKey;
use crate::record::signing::LEAST_BYTES;
use crate::vault::{Reference, Vault};

/// The variables that can hold one secret: itself, the name of a file with it, or where it is in Vault.
pub(super) struct Source {
    name: &'static str,
    file: &'static str,
    vault: Option<&'static str>,
}

impl Source {
    /// A secret that can be in all three.
    pub(super) const fn new(name: &'static str, file: &'static str, vault: &'static str) -> Self {
        Self {
            name,
            file,
            vault: Some(vault),
        }
    }

    /// One that can't be in Vault, since it opens it.
    pub(super) const fn outside(name: &'static str, file: &'static str) -> Self {
        Self {
            name,
            file,
            vault: None,
        }
    }

    /// The variables, for a person.
    fn variables(&self) -> String {
        let vault = self.vault.map(|name| format!(" or {name}"));
        format!(
            "{} or {}{}",
            self.name,
            self.file,
            vault.unwrap_or_default()
        )
    }

    /// The secret, and the variable that it came from; `None` where none is set.
    pub(super) fn read(&self) -> Checked<Option<Named>> {
        let names = [Some(self.name), Some(self.file), self.vault];
        let mut set = names
            .into_iter()
            .flatten()
            .filter_map(|name| Some((name, variable_os(name)?)));
        let Some((name, value)) = set.next() else {
            return Ok(None);
        };
        if let Some((other, _)) = set.next() {
            return Err(unusable(
                name,
                &format!("{name} and {other}, both set"),
                &format!("{}, one of them", self.variables()),
            ));
        }
        let secret = match name {
            _ if name == self.file => from_file(name, Path::new(&value))?,
            _ if Some(name) == self.vault => from_vault(name, &value)?,
            _ => Zeroizing::new(value.into_encoded_bytes()),
        };
        Ok(Some((name, secret)))
    }
}

/// The secret that signs the journals.
const AUDIT: Source = Source::new(SECRET, SECRET_FILE, "POLICY_AUDIT_SECRET_VAULT");

/// Secrets from before, one on each line; they verify and never sign.
const AUDIT_OLD: Source = Source::new(
    "POLICY_AUDIT_OLD_SECRET",
    OLD_SECRET_FILE,
    "POLICY_AUDIT_OLD_SECRET_VAULT",
);

/// The secret of one-time codes.
const TOTP: Source = Source::new(
    "POLICY_TOTP_SECRET",
    "POLICY_TOTP_SECRET_FILE",
    "POLICY_TOTP_SECRET_VAULT",
);

/// The secret that tokens of tenants are signed with.
const JWT: Source = Source::new(
    "POLICY_JWT_SECRET",
    "POLICY_JWT_SECRET_FILE",
    "POLICY_JWT_SECRET_VAULT",
);

/// Another name of it (row S0-054).
const JWT_ALIAS: &str = "JWT_SECRET";

/// A token of a tenant. It opens nothing but this one question, and is one all the same.
const TENANT_TOKEN: Source = Source::outside("POLICY_TENANT_TOKEN", "POLICY_TENANT_TOKEN_FILE");

/// The variable that holds the signing secret.
pub(super) const SECRET: &str = "POLICY_AUDIT_SECRET";

/// The variable that names a file that holds it.
pub(super) const SECRET_FILE: &str = "POLICY_AUDIT_SECRET_FILE";

/// Another name of the first, which the predecessor used.
const SECRET_ALIAS: &str = "SCALPEL_AUDIT_SECRET";

/// The same of one-time codes.
const TOTP_ALIAS: &str = "SCALPEL_TOTP_SECRET";

/// The variable that names a file that holds secrets from before.
pub(super) const OLD_SECRET_FILE: &str = "POLICY_AUDIT_OLD_SECRET_FILE";

/// A file larger than this is no secret.
const FILE_LIMIT: u64 = 64 * 1024;

/// The key that signs the journals, with those from before it; `None` where no secret is set.
pub(super) fn signing_key() -> Checked<Option<SigningKey>> {
    let named = AUDIT.read()?;
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
    if let Some((name, secrets)) = AUDIT_OLD.read()? {
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
pub(super) type Named = (&'static str, Zeroizing<Vec<u8>>);

/// What stands in Vault where the variable says.
pub(super) fn from_vault(name: &str, value: &OsStr) -> Checked<Zeroizing<Vec<u8>>> {
    let reference = Reference::parse(name, &value.to_string_lossy())?;
    let settings = vault::settings()?;
    Vault::open(settings.server()?)?.read(&reference)
}

/// The secret of one-time codes. Fails where none is set, more than one is, or it can't be used.
pub(super) fn totp() -> Checked<TotpSecret> {
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
    let (name, secret) = match (TOTP.read()?, variable_os(TOTP_ALIAS)) {
        (Some((name, _)), Some(_)) => {
            return Err(found(name, &format!("{name} and {TOTP_ALIAS}, both set")));
        }
        (Some(named), None) => named,
        (None, Some(alias)) => (TOTP_ALIAS, Zeroizing::new(alias.into_encoded_bytes())),
        (None, None) => {
            let expected = format!("{} ({TOTP_ALIAS})", TOTP.variables());
            return Err(Box::new(found(TOTP.name, "nothing").expected(expected)));
        }
    };
    TotpSecret::parse(&secret).map_err(|why| found(name, why))
}

/// The secret that tokens of tenants are verified with; `None` where none is set.
pub(super) fn jwt() -> Checked<Option<Zeroizing<Vec<u8>>>> {
    let (name, secret) = match (JWT.read()?, variable_os(JWT_ALIAS)) {
        (Some((name, _)), Some(_)) => {
            let found = format!("{name} and {JWT_ALIAS}, both set");
            return Err(unusable(name, &found, "one of them"));
        }
        (None, None) => return Ok(None),
        (Some(named), None) => named,
        (None, Some(alias)) => (JWT_ALIAS, Zeroizing::new(alias.into_encoded_bytes())),
    };
    refuse_default(name, &secret)?;
    Ok(Some(secret))
}

/// The token of the tenant that asks; `None` where none is set.
pub(super) fn tenant_token() -> Checked<Option<Zeroizing<Vec<u8>>>> {
    Ok(TENANT_TOKEN.read()?.map(|(_, token)| token))
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

/// What the files and places in Vault hold that variables name, for whoever must not show it.
pub(super) fn not_in_environment() -> Checked<Vec<Zeroizing<Vec<u8>>>> {
    let sources = [
        &AUDIT,
        &AUDIT_OLD,
        &TOTP,
        &JWT,
        &TENANT_TOKEN,
        &vault::TOKEN,
    ];
    let elsewhere = sources
        .into_iter()
        .filter(|source| variable_os(source.name).is_none());
    let read = elsewhere.map(Source::read);
    let found: Vec<Option<Named>> = read.collect::<Checked<_>>()?;
    Ok(found
        .into_iter()
        .flatten()
        .map(|(_, secret)| secret)
        .collect())
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
