//! One-time codes after RFC 6238, as authenticator apps make them: SHA-1, six digits, 30 seconds.
//!
//! Which step of time a code is of is told here; that none counts twice is the business of
//! [`super::overrides`]. The secret is wiped when it is dropped, and never shown but for
//! [`TotpSecret::to_base32`].

use std::fmt;

use totp_rs::{Algorithm, Builder, Secret, Totp};
use zeroize::Zeroizing;

use crate::diagnostic::Checked;
use crate::keys::fill_random;
use crate::time::Timestamp;

/// A default of other programs, which everybody knows.
const WELL_KNOWN: &str = "default-totp-secret";

/// The seconds of a step.
const STEP: u64 = 30;

/// What a secret is expected to be, in messages.
pub const EXPECTED: &str =
    "at least 26 characters of base32 (128 bits), as an authenticator app takes them";

/// The secret that a person's app and this program share.
pub struct TotpSecret(Totp);

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(…)")
    }
}

/// Six digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(String);

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

impl Code {
    /// Reads six digits; blanks between them are how apps show them.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let is_code = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_code.then_some(Self(digits))
    }
}

impl TotpSecret {
    /// Reads base32 in either case, with or without blanks and padding. What is wrong is said
    /// without the text.
    pub fn parse(text: &[u8]) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(text).map_err(|_| "bytes that are no text")?;
        let plain = text.chars().filter(|c| !c.is_whitespace() && *c != '=');
        let plain = Zeroizing::new(plain.collect::<String>().to_uppercase());
        if plain.eq_ignore_ascii_case(WELL_KNOWN) {
            return Err("the well-known default `default-totp-secret`");
        }
        let secret = Secret::try_from_base32(plain.as_str()).map_err(|_| "no base32")?;
        Self::new(secret).ok_or("fewer than 128 bits")
    }

    /// A new one of 160 bits.
    pub fn generate() -> Checked<Self> {
        let mut bytes = Zeroizing::new([0; 20]);
        fill_random(bytes.as_mut_slice())?;
        let secret = Secret::new(Box::from(bytes.as_slice()));
        // Twenty bytes are enough, so this never fails; should it ever, nothing is made.
        Self::new(secret).ok_or_else(|| {
            Box::new(
                crate::diagnostic::Diagnostic::new(
                    crate::diagnostic::Code::SecretUnusable,
                    crate::diagnostic::Place::file("getrandom"),
                    "the new secret can't be used",
                )
                .found("20 bytes")
                .expected(EXPECTED)
                .help("report this"),
            )
        })
    }

    fn new(secret: Secret) -> Option<Self> {
        let builder = Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(6)
            .with_skew(1)
            .with_step_duration(STEP)
            .with_secret(secret);
        builder.build().ok().map(Self)
    }

    /// The step of time that a code is of: that of `at`, or the one before or after it. Compared in
    /// constant time.
    pub fn step_of(&self, code: &Code, at: Timestamp) -> Option<u64> {
        let seconds = u64::try_from(at.unix_seconds()).ok()?;
        self.0.check(&code.0, seconds)
    }

    /// The secret as an app takes it.
    pub fn to_base32(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.secret().to_base32())
    }

    /// The address that an app reads from a picture. `account` and `issuer` are shown in the app.
    pub fn uri(&self, issuer: &str, account: &str) -> Zeroizing<String> {
        let (issuer, account) = (escaped(issuer), escaped(account));
        let secret = self.to_base32();
        Zeroizing::new(format!(
            "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits=6&period={STEP}",
            secret.as_str()
        ))
    }
}

/// Text as a part of an address (RFC 3986).
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `12345678901234567890`, the secret of RFC 6238, appendix B.
    const RFC: &[u8] = b"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds).unwrap()
    }

    /// The vectors for SHA-1 have eight digits; six are their last six.
    const VECTORS: [(i64, &str); 6] = [
        (59, "94287082"),
        (1_111_111_109, "07081804"),
        (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"),
        (20_000_000_000, "65353130"),
    ];

    #[test]
    fn the_vectors_of_rfc_6238_hold_one_step_around_and_no_further() {
        let secret = TotpSecret::parse(RFC).unwrap();
        for (seconds, eight) in VECTORS {
            let code = Code::parse(&eight[2..]).unwrap();
            let step = u64::try_from(seconds / 30).unwrap();
            let begin = seconds - seconds % 30;
            for (now, holds) in [
                (begin - 31, false),
                (begin - 30, true),
                (seconds, true),
                (begin + 59, true),
                (begin + 60, false),
            ] {
                // The first vector is of the second step of all.
                if now >= 0 {
                    let expected = holds.then_some(step);
                    assert_eq!(secret.step_of(&code, at(now)), expected, "{now}");
                }
            }
        }
    }

    #[test]
    fn a_secret_is_read_as_apps_write_it_and_bad_ones_are_not() {
        let as_shown = b"gezd gnbv gy3t qojq gezd gnbv gy3t qojq\n";
        let secret = TotpSecret::parse(as_shown).unwrap();
        assert_eq!(secret.to_base32().as_bytes(), RFC);
        assert_eq!(format!("{secret:?}"), "TotpSecret(…)");
        for (text, why) in [
            (&b"default-totp-secret"[..], "well-known"),
            (b"DEFAULT-TOTP-SECRET", "well-known"),
            (b"GEZDGNBV", "fewer"),
            (b"not base 32!", "no base32"),
            (b"\xff", "no text"),
            (b"", "fewer"),
        ] {
            let refused = TotpSecret::parse(text).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }

    #[test]
    fn a_code_is_six_digits() {
        assert_eq!(Code::parse("123 456"), Code::parse("123456"));
        for text in ["", "12345", "1234567", "12345a", "１２３４５６", "-12345"] {
            assert_eq!(Code::parse(text), None, "{text}");
        }
    }

    #[test]
    fn new_secrets_differ_and_their_address_is_escaped() {
        let (one, other) = (
            TotpSecret::generate().unwrap(),
            TotpSecret::generate().unwrap(),
        );
        assert_ne!(one.to_base32(), other.to_base32());
        assert_eq!(one.to_base32().len(), 32);
        let uri = one.uri("policy orchestrator", "ada@example");
        assert!(uri.starts_with("otpauth://totp/policy%20orchestrator:ada%40example?secret="));
        assert!(uri.contains(one.to_base32().as_str()));
    }
}
