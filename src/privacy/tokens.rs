//! Secrets whose form tells what they are: tokens with a known beginning, JSON web tokens, private
//! keys, credentials of HTTP requests.

use std::ops::Range;

use super::address::is_placeholder;
use super::bytes::Bytes;
use super::pairs::Pairs;
use super::rule::Rule;

/// What may stand behind the beginning of a token.
#[derive(Clone, Copy)]
enum Letters {
    /// Letters and digits.
    Plain,
    /// Capital letters and digits.
    Upper,
    /// With `-` and `_`.
    Url,
    /// With `-`, `_` and `.`.
    Dotted,
    /// With `-`, `_`, `.` and `/`.
    Path,
}

impl Letters {
    fn has(self, byte: u8) -> bool {
        match self {
            Self::Plain => byte.is_ascii_alphanumeric(),
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Url => byte.is_ascii_alphanumeric() || b"-_".contains(&byte),
            Self::Dotted => byte.is_ascii_alphanumeric() || b"-_.".contains(&byte),
            Self::Path => byte.is_ascii_alphanumeric() || b"-_./".contains(&byte),
        }
    }
}

/// Beginnings, what follows, and how much of it at least.
const ISSUED: &[(&str, Letters, usize, Rule)] = &[
    ("AKIA", Letters::Upper, 16, Rule::AwsKey),
    ("ASIA", Letters::Upper, 16, Rule::AwsKey),
    ("ABIA", Letters::Upper, 16, Rule::AwsKey),
    ("ACCA", Letters::Upper, 16, Rule::AwsKey),
    ("ghp_", Letters::Plain, 20, Rule::GitHub),
    ("gho_", Letters::Plain, 20, Rule::GitHub),
    ("ghu_", Letters::Plain, 20, Rule::GitHub),
    ("ghs_", Letters::Dotted, 20, Rule::GitHub),
    ("ghr_", Letters::Plain, 20, Rule::GitHub),
    ("github_pat_", Letters::Url, 20, Rule::GitHub),
    ("glpat-", Letters::Url, 16, Rule::GitLab),
    ("glptt-", Letters::Url, 16, Rule::GitLab),
    ("xoxa-", Letters::Url, 10, Rule::Slack),
    ("xoxb-", Letters::Url, 10, Rule::Slack),
    ("xoxp-", Letters::Url, 10, Rule::Slack),
    ("xoxr-", Letters::Url, 10, Rule::Slack),
    ("xoxs-", Letters::Url, 10, Rule::Slack),
    ("xoxe-", Letters::Url, 10, Rule::Slack),
    ("xapp-", Letters::Url, 10, Rule::Slack),
    ("hooks.slack.com/services/", Letters::Path, 20, Rule::Slack),
    ("AGE-SECRET-KEY-1", Letters::Upper, 30, Rule::PrivateKey),
    ("AIza", Letters::Url, 35, Rule::ApiKey),
    ("GOCSPX-", Letters::Url, 20, Rule::ApiKey),
    ("SG.", Letters::Dotted, 40, Rule::ApiKey),
    ("dop_v1_", Letters::Plain, 40, Rule::ApiKey),
    ("hf_", Letters::Plain, 30, Rule::ApiKey),
    ("hvb.", Letters::Url, 20, Rule::ApiKey),
    ("hvs.", Letters::Url, 20, Rule::ApiKey),
    ("npm_", Letters::Plain, 30, Rule::ApiKey),
    ("pypi-AgE", Letters::Url, 40, Rule::ApiKey),
    ("rk_live_", Letters::Plain, 16, Rule::ApiKey),
    ("rk_test_", Letters::Plain, 16, Rule::ApiKey),
    ("shpat_", Letters::Plain, 30, Rule::ApiKey),
    ("sk-ant-", Letters::Url, 20, Rule::ApiKey),
    ("sk-proj-", Letters::Url, 20, Rule::ApiKey),
    ("sk_live_", Letters::Plain, 16, Rule::ApiKey),
    ("sk_test_", Letters::Plain, 16, Rule::ApiKey),
    ("whsec_", Letters::Plain, 20, Rule::ApiKey),
];

/// Two default secrets of the sources that this program follows, in two parts, so that a search of
/// the program's own text does not find them (S3-028).
const DEFAULTS: [[&str; 2]; 2] = [["default-", "secret"], ["default-totp-", "secret"]];

/// True for a default secret that was published: it is none.
pub fn is_default_secret(secret: &[u8]) -> bool {
    let secret = secret.trim_ascii();
    let mut defaults = DEFAULTS.iter();
    defaults.any(|parts| secret.eq_ignore_ascii_case(parts.concat().as_bytes()))
}

/// The first two letters of all that [`issued`] knows.
static FIRST: Pairs = first();

#[expect(clippy::indexing_slicing, reason = "computed while compiling")]
const fn first() -> Pairs {
    let mut pairs = Pairs::NONE
        .with(b'e', b'y')
        .with(b'd', b'e')
        .with(b'B', b'e')
        .with(b'B', b'E')
        .with(b'b', b'e')
        .with(b'B', b'a')
        .with(b'B', b'A')
        .with(b'b', b'a');
    let mut index = 0;
    while index < ISSUED.len() {
        let beginning = ISSUED[index].0.as_bytes();
        pairs = pairs.with(beginning[0], beginning[1]);
        index += 1;
    }
    pairs
}

/// True for a letter with which something begins that [`issued`] knows.
pub(super) const fn begins_with(letter: u8) -> bool {
    let mut second = 0;
    while second < u8::MAX {
        if FIRST_LETTERS.has(letter, second) {
            return true;
        }
        second += 1;
    }
    false
}

/// [`FIRST`], where a constant is asked for.
const FIRST_LETTERS: Pairs = first();

/// What begins at `at`, the begin of a word.
pub(super) fn issued(bytes: Bytes<'_>, at: usize) -> Option<(Range<usize>, Rule)> {
    let rest = bytes.from(at);
    let (one, two) = (rest.first()?, rest.get(1)?);
    if !FIRST.has(*one, *two) {
        return None;
    }
    match (one, two) {
        (b'e', b'y') => return jwt(bytes, at).map(|range| (range, Rule::Jwt)),
        (b'd', b'e') => return default_secret(bytes, at).map(|range| (range, Rule::DefaultSecret)),
        (b'B' | b'b', b'e' | b'E' | b'a' | b'A') => {
            return credentials(bytes, at).map(|range| (range, Rule::Bearer));
        }
        _ => {}
    }
    let mut known = ISSUED.iter();
    let (beginning, letters, least, rule) =
        known.find(|(beginning, ..)| rest.starts_with(beginning.as_bytes()))?;
    let begin = at + beginning.len();
    let end = bytes.end_of(begin, usize::MAX, |byte| letters.has(byte));
    let long = end - begin >= *least;
    let repeated = bytes
        .part(begin, end)
        .windows(2)
        .all(|pair| pair.first() == pair.last());
    (long && !repeated).then_some((at..end, *rule))
}

/// Three parts of base64url; the first two begin as an object of JSON does.
fn jwt(bytes: Bytes<'_>, at: usize) -> Option<Range<usize>> {
    // Asked once for each row of such letters, however many words it has.
    if bytes.before(at).is_some_and(|byte| b"-_".contains(&byte)) {
        return None;
    }
    let end = |from: usize| bytes.end_of(from, usize::MAX, |byte| Letters::Url.has(byte));
    let head = end(at);
    let starts = bytes.from(at).starts_with(b"eyJ") && bytes.from(head).starts_with(b".eyJ");
    if !starts {
        return None;
    }
    let body = end(head + 1);
    if bytes.at(body) != Some(b'.') {
        return None;
    }
    Some(at..end(body + 1))
}

/// One of the default secrets, in quotes or as a value.
fn default_secret(bytes: Bytes<'_>, at: usize) -> Option<Range<usize>> {
    let is_part = |byte: u8| Letters::Url.has(byte);
    let end = bytes.end_of(at, 32, is_part);
    let before = bytes.begin_of(at, 8, |byte| byte == b' ');
    let is_value = matches!(bytes.before(before), Some(b'"' | b'\'' | b'=' | b':'));
    (is_value && is_default_secret(bytes.part(at, end))).then_some(at..end)
}

/// What follows `Bearer` or `Basic`, where that is no word of a language.
fn credentials(bytes: Bytes<'_>, at: usize) -> Option<Range<usize>> {
    let scheme = bytes.end_of(at, 8, |byte| byte.is_ascii_alphabetic());
    let name = bytes.part(at, scheme);
    let is_scheme = [b"bearer".as_slice(), b"basic"]
        .iter()
        .any(|scheme| name.eq_ignore_ascii_case(scheme));
    if !is_scheme || bytes.at(scheme) != Some(b' ') {
        return None;
    }
    let begin = bytes.end_of(scheme, 4, |byte| byte == b' ');
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    let end = bytes.end_of(begin, usize::MAX, is_part);
    let value = bytes.part(begin, end);
    let random = value.iter().any(u8::is_ascii_digit)
        || value.ends_with(b"=")
        || value.iter().any(u8::is_ascii_lowercase)
            && value.iter().skip(1).any(u8::is_ascii_uppercase);
    (value.len() >= 8 && random && !is_placeholder(value)).then_some(begin..end)
}

/// A private key in PEM form that begins with the dashes at `at`. Without an end it goes on to the
/// end of the text.
pub(super) fn private_key(bytes: Bytes<'_>, at: usize) -> Option<Range<usize>> {
    /// The longest words of a label.
    const LABEL: usize = 64;
    const DASHES: &[u8] = b"-----";
    let label = bytes.from(at).strip_prefix(b"-----BEGIN ")?;
    let label = label.get(..label.len().min(LABEL)).unwrap_or_default();
    let length = memchr::memmem::find(label, DASHES)?;
    let label = label.get(..length)?;
    let is_private = label.ends_with(b"PRIVATE KEY") || label.ends_with(b"PRIVATE KEY BLOCK");
    let begin = at + b"-----BEGIN ".len() + length + DASHES.len();
    // The dashes alone are what a program looks for that reads keys.
    let key = bytes.end_of(begin, 16, |byte| b" \r\n\\n\"',+".contains(&byte));
    let has_key = bytes
        .at(key)
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    if !is_private || !has_key {
        return None;
    }
    let end = memchr::memmem::find(bytes.from(begin), b"-----END ").map(|end| {
        let end = begin + end + b"-----END ".len();
        let label = bytes.end_of(end, LABEL, |byte| byte == b' ' || byte.is_ascii_uppercase());
        bytes.end_of(label, DASHES.len(), |byte| byte == b'-')
    });
    Some(at..end.unwrap_or(bytes.0.len()))
}
