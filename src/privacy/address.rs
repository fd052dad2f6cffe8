//! E-mail addresses, and passwords in the addresses of services.

use std::ops::Range;

use super::bytes::Bytes;

/// The longest local part and domain (RFC 5321).
const LOCAL: usize = 64;
const DOMAIN: usize = 255;

/// Endings of names of files and units that no domain has.
const NO_DOMAINS: &[&str] = &[
    "service", "socket", "timer", "target", "mount", "png", "jpg", "jpeg", "gif", "svg", "webp",
    "json", "yaml", "yml", "toml", "js", "css",
];

/// The e-mail address around the sign at `at`, which is `@`, or `%40` as in the query of an address.
pub(super) fn email(bytes: Bytes<'_>, at: usize) -> Option<Range<usize>> {
    let sign = if bytes.at(at) == Some(b'@') {
        1
    } else if bytes.from(at).starts_with(b"%40") {
        3
    } else {
        return None;
    };
    let mut start = bytes.begin_of(at, LOCAL, is_local);
    if bytes.is_escape(start) {
        start += 1;
    }
    let leading = bytes.part(start, at).iter();
    start += leading
        .take_while(|byte| !byte.is_ascii_alphanumeric() && byte.is_ascii())
        .count();
    let end = domain(bytes, at + sign)?;
    (start < at).then_some(start..end)
}

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._%+-'".contains(&byte) || !byte.is_ascii()
}

/// The end of the domain that begins at `start`: as far as labels go, of which the last is a name.
fn domain(bytes: Bytes<'_>, start: usize) -> Option<usize> {
    let is_part =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte) || !byte.is_ascii();
    let end = bytes.end_of(start, DOMAIN, is_part);
    let mut found = None;
    let mut label_at = start;
    for (index, label) in bytes
        .part(start, end)
        .split(|byte| *byte == b'.')
        .enumerate()
    {
        if label.is_empty() {
            break;
        }
        let name = label
            .iter()
            .take_while(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii())
            .count();
        let punycode = label.starts_with(b"xn--");
        let whole = name == label.len() || label.get(name) == Some(&b'-');
        if index > 0 && (punycode || name >= 2 && whole) {
            let length = if punycode { label.len() } else { name };
            let last = label.get(..length).unwrap_or_default();
            found = is_domain(last).then_some(label_at + length);
        }
        label_at += label.len() + 1;
    }
    found
}

fn is_domain(last: &[u8]) -> bool {
    let mut others = NO_DOMAINS.iter();
    !others.any(|other| last.eq_ignore_ascii_case(other.as_bytes()))
}

/// The password of `scheme://user:password@host`, where `at` is that of the colon behind the scheme.
pub(super) fn url_password(bytes: Bytes<'_>, at: usize) -> Option<Range<usize>> {
    /// No name or password is longer.
    const MOST: usize = 256;
    if !bytes.from(at).starts_with(b"://") {
        return None;
    }
    let is_part = |byte: u8| byte.is_ascii_graphic() && !b"/?#\"'<>`".contains(&byte);
    let begin = at + 3;
    let end = bytes.end_of(begin, 2 * MOST, is_part);
    let authority = bytes.part(begin, end);
    let sign = authority.iter().rposition(|byte| *byte == b'@')?;
    let colon = authority.iter().position(|byte| *byte == b':')?;
    let password = authority.get(colon + 1..sign)?;
    // Documentation says so; nobody is kept out by it.
    let documented = [b"password".as_slice(), b"pass", b"secret"].contains(&password);
    let shown = password.is_empty() || documented || is_placeholder(password);
    (!shown).then_some(begin + colon + 1..begin + sign)
}

/// True for what stands where a value will be put.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    let first = value.first().copied().unwrap_or(b'$');
    let same = !first.is_ascii_digit() && value.iter().all(|byte| *byte == first);
    let is_variable = first == b'%' && value.last() == Some(&b'%') || value.starts_with(b"%(");
    same || b"$<{[*&".contains(&first) || is_variable || value.starts_with(b"...")
}
