//! Identifiers: digests, names of signals, and reason codes.
//!
//! They exist only by parsing or as constants, so that a name that stands in a journal or a branch
//! can't be one that nothing knows. What the names mean is said in [`crate::signals`] and
//! [`crate::policy`].

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest (FIPS 180-4), written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest that a running hash has come to.
    pub fn finish(hasher: Sha256) -> Self {
        Self(hasher.finalize().into())
    }

    /// Reads 64 lower-case hexadecimal digits; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_bytes(text.as_bytes())
    }

    /// As [`Self::parse`], of bytes that nobody has found to be text yet.
    pub fn parse_bytes(digits: &[u8]) -> Option<Self> {
        if digits.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        let mut wrong = 0;
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let &[high, low] = pair else { return None };
            let value = |digit: u8| HEX.get(usize::from(digit)).copied().unwrap_or(NO_DIGIT);
            let (high, low) = (value(high), value(low));
            wrong |= high | low;
            *byte = high << 4 | low & 0x0f;
        }
        if wrong & NO_DIGIT != 0 {
            return None;
        }
        Some(Self(bytes))
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest whose bytes these are.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The first twelve digits, for a person.
    pub fn short(&self) -> String {
        self.to_string().chars().take(12).collect()
    }
}

/// The id of a run, a UUID (RFC 9562) in lower case: of one that was watched that of its log and its
/// trace, drawn by chance (version 4); of any other that which follows from the line that it recorded
/// (version 8). So each run has one, and one that nobody watches records the same bytes each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunId(uuid::Uuid);

impl RunId {
    /// One that no other run has.
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4())
    }

    /// That of a run which recorded the line with this SHA-256: its first 16 bytes, marked as a UUID
    /// of version 8.
    pub fn of_line(sha256: &Digest) -> Self {
        let mut bytes = [0; 16];
        for (byte, of_digest) in bytes.iter_mut().zip(sha256.as_bytes()) {
            *byte = *of_digest;
        }
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// Reads 36 characters in lower case; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let id = Self(uuid::Uuid::try_parse(text).ok()?);
        (id.write(&mut [0; 36]) == text).then_some(id)
    }

    /// The id without its hyphens, as a trace has it.
    pub fn simple(self) -> String {
        self.0.simple().to_string()
    }

    fn write(self, buffer: &mut [u8; 36]) -> &str {
        self.0.hyphenated().encode_lower(buffer)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.write(&mut [0; 36]))
    }
}

impl Serialize for RunId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.write(&mut [0; 36]))
    }
}

/// Stands in [`HEX`] for every byte that is no digit.
const NO_DIGIT: u8 = 0x80;

/// The value of each lower-case hexadecimal digit. A look at a journal reads a thousand digests: a
/// table without a branch makes them five times as cheap as a comparison for each digit.
#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a loop over the table itself, run by the compiler; an iterator can't be one there"
)]
const HEX: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < values.len() {
        values[digit] = match digit as u8 {
            byte @ b'0'..=b'9' => byte - b'0',
            byte @ b'a'..=b'f' => byte - b'a' + 10,
            _ => NO_DIGIT,
        };
        digit += 1;
    }
    values
};

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit =
            |nibble: u8| char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'?'));
        let text: String = self
            .0
            .iter()
            .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
            .collect();
        f.write_str(&text)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format!("`{text}` is no SHA-256 of 64 lower-case digits"))
        })
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $rule:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Cow<'static, str>);

        impl $name {
            pub(crate) const fn builtin(text: &'static str) -> Self {
                Self(Cow::Borrowed(text))
            }

            /// Takes a name that follows the rule of this type; `None` for any other.
            pub fn parse(text: &str) -> Option<Self> {
                let rule: fn(u8) -> bool = $rule;
                let fits = !text.is_empty() && text.len() <= 64 && text.bytes().all(rule);
                fits.then(|| Self(Cow::Owned(text.to_owned())))
            }

            /// The name as it stands in files.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no name here")))
            }
        }
    };
}

name_type!(
    /// The name of a signal: lower-case letters, digits and `_`, at most 64.
    SignalName,
    |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'
);

name_type!(
    /// A stable reason code: upper-case letters, digits and `_`, at most 64.
    ReasonCode,
    |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_'
);

name_type!(
    /// What kind of event a line of `state/audit.log` records: upper-case letters, digits and `_`.
    EventType,
    |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_'
);

impl EventType {
    /// The policies were locked for the first time, or other files are protected from now on.
    pub const POLICY_LOCKED: Self = Self::builtin("POLICY_LOCKED");
    /// Somebody accepted protected files as they are.
    pub const POLICY_ACCEPTED: Self = Self::builtin("POLICY_ACCEPTED");
    /// A command is about to change protected files.
    pub const POLICY_CHANGE_BEGUN: Self = Self::builtin("POLICY_CHANGE_BEGUN");
    /// A command changed protected files.
    pub const POLICY_CHANGE_ENDED: Self = Self::builtin("POLICY_CHANGE_ENDED");
    /// A command found protected files changed, and did nothing.
    pub const POLICY_TAMPER: Self = Self::builtin("POLICY_TAMPER");
    /// The guard refused an operation.
    pub const GUARD_REFUSED: Self = Self::builtin("GUARD_REFUSED");
    /// The journals were handed over to another signing key.
    pub const KEY_ROTATED: Self = Self::builtin("KEY_ROTATED");
    /// A document of the guard asks for less than it does outside of production.
    pub const GUARD_WEAKENED: Self = Self::builtin("GUARD_WEAKENED");
    /// The policies of the library were tested against the workspace.
    pub const CHECKS_RUN: Self = Self::builtin("CHECKS_RUN");
    /// Somebody asked for an override.
    pub const OVERRIDE_REQUESTED: Self = Self::builtin("OVERRIDE_REQUESTED");
    /// An override was given.
    pub const OVERRIDE_APPROVED: Self = Self::builtin("OVERRIDE_APPROVED");
    /// An override was not given, or one was not accepted where it was shown.
    pub const OVERRIDE_REFUSED: Self = Self::builtin("OVERRIDE_REFUSED");
    /// An answer to a request for an approval that nobody made.
    pub const APPROVAL_REFUSED: Self = Self::builtin("APPROVAL_REFUSED");
    /// A step of a version of the policy was refused.
    pub const STEP_REFUSED: Self = Self::builtin("STEP_REFUSED");
    /// A checkpoint of the journals was written.
    pub const CHECKPOINT_WRITTEN: Self = Self::builtin("CHECKPOINT_WRITTEN");
    /// So many wrong codes were given that none is looked at for a while.
    pub const OVERRIDE_LOCKED: Self = Self::builtin("OVERRIDE_LOCKED");
    /// `compliance ask` let data be used.
    pub const DATA_ACCESS_ALLOWED: Self = Self::builtin("DATA_ACCESS_ALLOWED");
    /// `compliance ask` denied a use of data.
    pub const DATA_ACCESS_DENIED: Self = Self::builtin("DATA_ACCESS_DENIED");
    /// An override was used up.
    pub const OVERRIDE_USED: Self = Self::builtin("OVERRIDE_USED");
    /// Personal data left the workspace.
    pub const PII_ACCESS: Self = Self::builtin("PII_ACCESS");
    /// Somebody wanted personal data and did not get it.
    pub const PII_REFUSED: Self = Self::builtin("PII_REFUSED");
    /// A secret was changed in production, with a second person's approval.
    pub const SECRET_CHANGED: Self = Self::builtin("SECRET_CHANGED");
}

impl SignalName {
    /// Is the trust guard's lock set?
    pub const TRUST: Self = Self::builtin("trust");
    /// The latest integrity score, in percent.
    pub const INTEGRITY: Self = Self::builtin("integrity");
    /// The weighted agreement of the federation, in percent.
    pub const CONSENSUS: Self = Self::builtin("consensus");
    /// The mean reputation of the peers, in percent.
    pub const REPUTATION: Self = Self::builtin("reputation");
    /// The forecast risk of anomalies.
    pub const FORECAST: Self = Self::builtin("forecast");
    /// The number of adaptive responses in the last 24 hours.
    pub const RESPONSES: Self = Self::builtin("responses");
}

/// The items, each once, in the order in which they come first.
pub fn distinct<T: PartialEq>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut distinct = Vec::new();
    for item in items {
        if !distinct.contains(&item) {
            distinct.push(item);
        }
    }
    distinct
}

macro_rules! reason_codes {
    ($($constant:ident: $doc:literal,)*) => {
        impl ReasonCode {
            $(#[doc = $doc] pub const $constant: Self = Self::builtin(stringify!($constant));)*

            /// Every built-in code with its meaning, in the order of the documentation.
            pub const DOCUMENTED: &'static [(&'static str, &'static str)] = &[$((stringify!($constant), $doc),)*];
        }
    };
}

reason_codes! {
    TRUST_LOCKED: "The trust guard's lock is set.",
    INTEGRITY_BELOW_RED: "The integrity score lies below `red_integrity`.",
    CONSENSUS_BELOW_RED: "The weighted agreement lies below `red_consensus`.",
    FORECAST_HIGH: "The forecast names a high risk.",
    RESPONSES_AT_RED: "At least `red_responses` adaptive responses fell into the last 24 hours.",
    INTEGRITY_BELOW_YELLOW: "The integrity score lies below `yellow_integrity`.",
    CONSENSUS_BELOW_YELLOW: "The weighted agreement lies below `yellow_consensus`.",
    REPUTATION_BELOW_YELLOW: "The mean reputation lies below `yellow_reputation`.",
    FORECAST_MEDIUM: "The forecast names a medium risk.",
    RESPONSES_AT_YELLOW: "At least `yellow_responses` adaptive responses fell into the last 24 hours.",
    INPUT_MISSING: "Nobody reported this signal: what nobody reported is not healthy.",
    INPUT_STALE: "The last report of this signal is older than its policy allows.",
    INPUT_INVALID: "The signal's file can't be read as what it should be.",
    POLICY_INVALID: "The policy document was refused, so nothing can be called healthy.",
    LEVEL_HELD: "The reasons of this level are gone, but not for long enough yet (the policy's `hysteresis`).",
    JOURNAL_BROKEN: "The journal is not what the last decision left behind.",
    POLICY_TAMPERED: "A protected file was changed, and nobody accepted that, so nobody knows which policy decides.",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_round_trip_and_refuse_other_text() {
        let digest = Digest::of(b"");
        let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest.to_string(), text);
        assert_eq!(Digest::parse(text), Some(digest));
        assert_eq!(Digest::parse(&text.to_uppercase()), None);
        assert_eq!(Digest::parse("e3b0"), None);
    }

    #[test]
    fn reason_codes_are_unique_and_are_codes() {
        let mut codes: Vec<_> = ReasonCode::DOCUMENTED
            .iter()
            .map(|(code, _)| *code)
            .collect();
        assert!(codes.iter().all(|code| ReasonCode::parse(code).is_some()));
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), ReasonCode::DOCUMENTED.len());
    }
}
