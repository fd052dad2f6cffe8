//! Values that are given to a name that says what they are: `password = …`, `"ssn": "…"`.

use std::ops::Range;

use super::address::is_placeholder;
use super::bytes::Bytes;
use super::names::{self, Meaning};
use super::rule::Rule;
use super::tokens;

/// No name is longer.
const NAME: usize = 64;

/// No value that is one word is longer; what is, is something else.
const VALUE: usize = 512;

/// The value behind the `:` or `=` at `at`.
pub(super) fn value(bytes: Bytes<'_>, at: usize) -> Option<(Range<usize>, Rule)> {
    let name = name_before(bytes, at)?;
    let meaning = names::meaning(name)?;
    let given = given(bytes, at + 1);
    judged(bytes, &given, name, meaning)
}

/// The value behind `--name` at `at`, as on a command line.
pub(super) fn option(bytes: Bytes<'_>, at: usize) -> Option<(Range<usize>, Rule)> {
    bytes.from(at).strip_prefix(b"--")?;
    let end = bytes.end_of(at + 2, NAME, is_name);
    let name = std::str::from_utf8(bytes.part(at + 2, end)).ok()?;
    (bytes.at(end) == Some(b' ')).then_some(())?;
    let meaning = names::meaning(name).filter(|meaning| *meaning != Meaning::Personal)?;
    judged(bytes, &given(bytes, end), name, meaning)
}

/// A value and whether it stands in quotes.
struct Given {
    range: Range<usize>,
    quoted: bool,
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)
}

/// The name that a sign at `at` gives a value to, past quotes and brackets around the name.
fn name_before(bytes: Bytes<'_>, at: usize) -> Option<&str> {
    // `:=` and `::` are read at their last sign, `==` and `!=` give nothing but compare with it.
    let sign = bytes.begin_of(at, 1, |byte| b":=!?+".contains(&byte));
    let end = bytes.begin_of(sign, 6, |byte| b" \t\"'`]\\".contains(&byte));
    let begin = bytes.begin_of(end, NAME, is_name);
    let name = std::str::from_utf8(bytes.part(begin, end)).ok()?;
    let is_type = matches!(name, "str" | "String" | "string");
    if !is_type {
        return Some(name);
    }
    // `const SECRET: &'static str = "…"`.
    let end = bytes.begin_of(begin, 12, |byte| b"&' static:".contains(&byte));
    let begin = bytes.begin_of(end, NAME, is_name);
    std::str::from_utf8(bytes.part(begin, end)).ok()
}

fn given(bytes: Bytes<'_>, behind: usize) -> Given {
    let begin = bytes.end_of(behind, 12, |byte| b" \t=>\\".contains(&byte));
    let quote = bytes.at(begin).filter(|byte| b"\"'`".contains(byte));
    let Some(quote) = quote else {
        let is_part = |byte: u8| byte.is_ascii_graphic() && !b"\"'`,;)]}<>&|".contains(&byte);
        let end = bytes.end_of(begin, VALUE, |byte| is_part(byte) || !byte.is_ascii());
        return Given {
            range: begin..end,
            quoted: false,
        };
    };
    let end = bytes.end_of(begin + 1, VALUE, |byte| byte != quote && byte != b'\n');
    let escaped = bytes.before(end) == Some(b'\\');
    Given {
        range: begin + 1..end - usize::from(escaped && end > begin + 1),
        quoted: bytes.at(end) == Some(quote),
    }
}

fn judged(
    bytes: Bytes<'_>,
    given: &Given,
    name: &str,
    meaning: Meaning,
) -> Option<(Range<usize>, Rule)> {
    let value = bytes.part(given.range.start, given.range.end);
    if value.is_empty() || is_placeholder(value) {
        return None;
    }
    if tokens::is_default_secret(value) {
        return Some((given.range.clone(), Rule::DefaultSecret));
    }
    match meaning {
        Meaning::Personal => personal(bytes, given, name).map(|range| (range, Rule::Field)),
        Meaning::Password | Meaning::Secret => {
            let called = bytes.at(given.range.end) == Some(b')') || value.contains(&b'(');
            let is_code = !given.quoted && (called || is_path_of_names(value));
            let secret = !is_code && looks_secret(value, meaning);
            secret.then(|| (given.range.clone(), Rule::Assigned))
        }
    }
}

/// A personal value: in quotes, or one with a digit or a sign that makes it more than a word of a
/// sentence. A count of such values is none.
fn personal(bytes: Bytes<'_>, given: &Given, name: &str) -> Option<Range<usize>> {
    let Range { start, mut end } = given.range.clone();
    let digits = |end: usize| {
        let value = bytes.part(start, end).iter();
        value.filter(|byte| byte.is_ascii_digit()).count()
    };
    if !given.quoted {
        // A number in groups goes on behind its blanks.
        let is_number = |byte: u8| byte.is_ascii_digit() || b" -.()+/".contains(&byte);
        let number = bytes.end_of(start, 32, is_number);
        let trailing = bytes.begin_of(number, 32, |byte| !byte.is_ascii_digit());
        if bytes.is_end(trailing) {
            end = end.max(trailing);
        }
    }
    let value = bytes.part(start, end);
    let has_at = value.contains(&b'@');
    let count = value.iter().all(u8::is_ascii_digit) && value.len() < 7 && names::is_plural(name);
    let told = has_at || digits(end) >= 3 || given.quoted && value.len() >= 3;
    (told && !count).then_some(start..end)
}

/// `process.env.TOKEN2`, `crate::secrets::TOKEN2`.
fn is_path_of_names(value: &[u8]) -> bool {
    let parts = || value.split(|byte| b".:".contains(byte));
    let is_word = |part: &[u8]| {
        let letters = part
            .iter()
            .filter(|byte| byte.is_ascii_alphabetic())
            .count();
        part.is_empty() || part.len() < 24 && letters * 4 >= part.len() * 3
    };
    parts().count() > 1 && parts().all(is_word)
}

fn looks_secret(value: &[u8], meaning: Meaning) -> bool {
    let has = |is: fn(&u8) -> bool| value.iter().any(is);
    let digit = has(u8::is_ascii_digit);
    let letter = has(u8::is_ascii_alphabetic);
    let sentence = has(u8::is_ascii_whitespace);
    if sentence || value.starts_with(b"/") || value.starts_with(b"./") {
        return false;
    }
    match meaning {
        Meaning::Password => {
            let other = value
                .iter()
                .any(|byte| byte.is_ascii_punctuation() && !b"-_./".contains(byte));
            value.len() >= 6 && letter && (digit || other)
        }
        _ => {
            value.len() >= 16
                && digit
                && letter
                && !is_words(value)
                && !is_timestamp(value)
                && is_random(value)
        }
    }
}

/// Words that are joined, each with a small number at most: `policy-orchestrator-v2`, `a.b/c.json`.
fn is_words(value: &[u8]) -> bool {
    let is_word = |part: &[u8]| {
        let letters = part
            .iter()
            .take_while(|byte| byte.is_ascii_alphabetic())
            .count();
        let rest = part.get(letters..).unwrap_or_default();
        rest.iter().all(u8::is_ascii_digit) && rest.len() <= 4 && letters <= 20
    };
    value.split(|byte| b"-_./:".contains(byte)).all(is_word)
}

fn is_timestamp(value: &[u8]) -> bool {
    let dashes = value.get(4) == Some(&b'-') && value.get(7) == Some(&b'-');
    dashes && value.iter().take(4).all(u8::is_ascii_digit)
}

/// True where Shannon's entropy of a value is at least 3 bits for each byte.
///
/// In whole numbers: a logarithm of the system's library would be one more library to load at every
/// start of the program.
fn is_random(value: &[u8]) -> bool {
    let mut counts = [0_u32; 256];
    for byte in value {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    // H = log2(n) - (sum of c * log2(c)) / n, times n.
    let weighed = |count: u32| u64::from(count) * log2(count);
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
    let alike: u64 = counts.iter().map(|count| weighed(*count)).sum();
    weighed(length).saturating_sub(alike) >= 3 * ONE * u64::from(length)
}

/// What stands for 1 in [`log2`].
const ONE: u64 = 1 << 16;

/// The logarithm to the base 2 of a number, 0 for 0, in parts of [`ONE`]: digit by digit, each found
/// by squaring.
fn log2(number: u32) -> u64 {
    let Some(whole) = number.checked_ilog2() else {
        return 0;
    };
    let mut rest = u64::from(number) << (31 - whole);
    let mut logarithm = u64::from(whole);
    for _ in 0..16 {
        rest = (rest * rest) >> 31;
        let carries = rest >> 32 == 1;
        logarithm = logarithm << 1 | u64::from(carries);
        rest >>= u64::from(carries);
    }
    logarithm
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_right_to_four_places() {
        for number in (1..2000).chain([u32::MAX]) {
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let found = log2(number) as f64 / ONE as f64;
            assert!((found - f64::from(number).log2()).abs() < 1e-4, "{number}");
        }
    }

    #[test]
    fn eight_letters_alike_often_are_three_bits() {
        assert!(is_random(b"abcdefghabcdefgh"));
        assert!(!is_random(b"abcdefgaabcdefgh"));
    }
}
