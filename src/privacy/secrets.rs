//! The values that are secret in this process, and text without them and without what is known to be
//! personal or secret by its form. Where the values come from is the caller's business.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::ops::Range;
use std::os::unix::ffi::OsStringExt as _;

use zeroize::Zeroizing;

use super::REDACTED;
use super::bytes::Bytes;
use super::text::{self, Wanted};

/// What a variable is called that holds a secret.
const NAMES: &[&str] = &[
    "SECRET",
    "TOKEN",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "PRIVATE",
    "APIKEY",
    "API_KEY",
    "ACCESS_KEY",
    "AUTH",
    "_KEY",
    "_PAT",
    "DSN",
];

/// A shorter value (`true`, `1`) stands in many texts without being a secret there, in bytes.
const LEAST: usize = 8;

/// Values that are not shown, in the forms in which they turn up; zeroed when they are dropped.
#[derive(Clone, Default)]
pub struct Secrets {
    /// By their first byte, the longest first.
    forms: BTreeMap<u8, Vec<Zeroizing<Vec<u8>>>>,
}

/// Shows nothing.
impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secrets")
    }
}

/// The head of a text that may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// Valid text without secrets.
    pub text: String,
    /// True where it is not everything.
    pub cut: bool,
}

impl Secrets {
    /// The values of variables whose names sound like a secret (`SECRET`, `TOKEN`, `PASSWORD`,
    /// `_KEY` and so on, in any case), and `further` ones whatever their names: what stands in a
    /// file that a variable names, say. Values of less than 8 bytes are left out.
    ///
    /// A value is recognised as it is, each of its lines of 8 bytes or more alone, in base64, with
    /// percent signs as in an address, and escaped as in JSON or by a shell.
    pub fn from_environment(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        further: impl IntoIterator<Item = Zeroizing<Vec<u8>>>,
    ) -> Self {
        let secret = variables.into_iter().filter(|(name, _)| is_secret(name));
        let values = secret.map(|(_, value)| Zeroizing::new(value.into_vec()));
        let values = values.chain(further);
        let mut all = BTreeSet::new();
        for value in values {
            let whole = value.trim_ascii();
            let lines = whole.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
            for part in lines.chain([whole]).filter(|part| part.len() >= LEAST) {
                all.extend(forms(part));
            }
        }
        let mut forms: BTreeMap<u8, Vec<Zeroizing<Vec<u8>>>> = BTreeMap::new();
        for form in all {
            if let Some(first) = form.first() {
                forms.entry(*first).or_default().push(Zeroizing::new(form));
            }
        }
        for alike in forms.values_mut() {
            alike.sort_by_key(|form| std::cmp::Reverse(form.len()));
        }
        Self { forms }
    }

    /// A text without them, and without what [`super::Redaction`] takes out of texts.
    pub fn redact(&self, text: &str) -> String {
        self.excerpt(
            text.as_bytes(),
            false,
            text.len().saturating_mul(REDACTED.len()),
        )
        .text
    }

    /// The first `shown` characters of `bytes` without secrets. `more` says that the text went on
    /// behind `bytes`.
    pub fn excerpt(&self, bytes: &[u8], more: bool, shown: usize) -> Excerpt {
        let own = self.occurrences(bytes, more);
        let known = text::find(bytes, Wanted::All).into_iter();
        let known = known.map(|found| found.range);
        let is_covered = |word: &Range<usize>| own.iter().any(|range| range.end > word.start);
        let cut_off = more.then(|| cut_off(bytes)).flatten();
        let cut_off = cut_off.filter(|word| !is_covered(word));
        let mut out = Vec::new();
        let mut next = 0;
        for range in text::covered(own.into_iter().chain(known).chain(cut_off)) {
            out.extend_from_slice(bytes.get(next..range.start).unwrap_or_default());
            out.extend_from_slice(REDACTED.as_bytes());
            next = range.end;
        }
        out.extend_from_slice(bytes.get(next..).unwrap_or_default());
        let whole = String::from_utf8_lossy(&out);
        let text: String = whole.chars().take(shown).collect();
        let cut = more || text.len() < whole.len();
        Excerpt { text, cut }
    }

    /// True where one of them stands in a text, or the begin of one at its end.
    pub fn stand_in(&self, bytes: &[u8]) -> bool {
        !self.occurrences(bytes, false).is_empty()
    }

    /// Where these values stand in a text.
    fn occurrences(&self, bytes: &[u8], more: bool) -> Vec<Range<usize>> {
        // At the end, the begin of a secret is one too: behind a cut its rest followed, and who
        // was killed while writing has written a part. The end of a whole text may be a few such
        // bytes by chance; those stay.
        let least_begin = if more { 1 } else { LEAST };
        let at = |at: usize| {
            let length = self.length_at(bytes.get(at..)?, least_begin);
            (length > 0).then_some(at..at + length)
        };
        (0..bytes.len()).filter_map(at).collect()
    }

    /// How long the longest secret is that stands at the begin of `rest`, or begins there with at
    /// least `least_begin` bytes before the end; 0 for none.
    fn length_at(&self, rest: &[u8], least_begin: usize) -> usize {
        let Some(forms) = rest.first().and_then(|first| self.forms.get(first)) else {
            return 0;
        };
        let begins = |form: &[u8]| rest.len() >= least_begin && form.starts_with(rest);
        let found = forms
            .iter()
            .find(|form| rest.starts_with(form) || begins(form));
        found.map_or(0, |form| form.len().min(rest.len()))
    }
}

/// The word at the end of a text that was cut there, where it may be the begin of an address or a
/// number.
fn cut_off(bytes: &[u8]) -> Option<Range<usize>> {
    let begin = Bytes(bytes).begin_of(bytes.len(), 64, |byte| !byte.is_ascii_whitespace());
    let word = bytes.get(begin..)?;
    let known = word
        .iter()
        .any(|byte| *byte == b'@' || byte.is_ascii_digit());
    known.then_some(begin..bytes.len())
}

fn is_secret(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_ascii_uppercase();
    NAMES.iter().any(|part| name.contains(part))
}

/// A value in every form in which it is recognised.
fn forms(value: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![value.to_vec()];
    for keeping in [b"".as_slice(), b"/"] {
        all.push(percent(value, keeping, b"0123456789ABCDEF"));
        all.push(percent(value, keeping, b"0123456789abcdef"));
    }
    all.extend(in_json(value));
    // 'it'\''s', as a shell shows it that was told to show what it does.
    all.push(replaced(value, b'\'', b"'\\''"));
    for alphabet in [STANDARD, URL_SAFE] {
        for offset in 0..3 {
            all.extend(base64(value, offset, alphabet));
        }
    }
    all.extend(wrapped_base64(value));
    all
}

fn replaced(value: &[u8], what: u8, by: &[u8]) -> Vec<u8> {
    let parts = value.iter().map(|byte| match *byte {
        byte if byte == what => by.to_vec(),
        byte => vec![byte],
    });
    parts.flatten().collect()
}

fn percent(value: &[u8], keeping: &[u8], digits: &[u8; 16]) -> Vec<u8> {
    let digit = |index: u8| digits.get(usize::from(index & 15)).copied().unwrap_or(b'0');
    let parts = value.iter().map(|byte| match *byte {
        byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => vec![byte],
        byte if keeping.contains(&byte) => vec![byte],
        byte => vec![b'%', digit(byte >> 4), digit(byte)],
    });
    parts.flatten().collect()
}

/// Inside the quotes of JSON: as most write it, with `\/`, and in ASCII only.
fn in_json(value: &[u8]) -> Vec<Vec<u8>> {
    let quoted = std::str::from_utf8(value).ok();
    let Some(quoted) = quoted.and_then(|text| serde_json::to_string(text).ok()) else {
        return Vec::new();
    };
    let inside = quoted.get(1..quoted.len() - 1).unwrap_or_default();
    let mut ascii = String::new();
    for character in inside.chars() {
        if character.is_ascii() {
            ascii.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            ascii.push_str(&format!("\\u{unit:04x}"));
        }
    }
    vec![
        inside.as_bytes().to_vec(),
        replaced(inside.as_bytes(), b'/', b"\\/"),
        ascii.into_bytes(),
    ]
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Base64 of a value in front of which stand `offset` bytes more (0 to 2), since it may be a part
/// of what was encoded, as a password behind a name. First the characters that belong to the value
/// alone, then, for a value that stands last, with its last one, then padded.
fn base64(value: &[u8], offset: usize, alphabet: &[u8; 64]) -> Vec<Vec<u8>> {
    let bytes: Vec<u8> = std::iter::repeat_n(0, offset)
        .chain(value.iter().copied())
        .collect();
    let letter = |bits: u32| alphabet.get(bits as usize & 63).copied().unwrap_or(b'A');
    let mut letters: Vec<u8> = Vec::new();
    for three in bytes.chunks(3) {
        let at = |index: usize| u32::from(three.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        let all = [18, 12, 6, 0].map(|shift| letter(bits >> shift));
        letters.extend(all.iter().take(three.len() + 1));
    }
    let foreign = (offset * 8).div_ceil(6);
    let alone = bytes.len() * 8 / 6;
    let own = letters.get(foreign..).unwrap_or_default();
    let mut padded = own.to_vec();
    padded.resize(own.len() + (4 - letters.len() % 4) % 4, b'=');
    vec![
        letters.get(foreign..alone).unwrap_or_default().to_vec(),
        own.to_vec(),
        padded,
    ]
}

/// The lines into which programs break base64 that is long (76 characters, 64 in PEM).
fn wrapped_base64(value: &[u8]) -> Vec<Vec<u8>> {
    let whole = base64(value, 0, STANDARD).pop().unwrap_or_default();
    let lines = [64, 76].into_iter().filter(|width| whole.len() > *width);
    let lines = lines.flat_map(|width| whole.chunks(width));
    lines
        .filter(|line| line.len() >= LEAST)
        .map(<[u8]>::to_vec)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(values: &[&str]) -> Secrets {
        let further = values.iter().map(|value| value.as_bytes().to_vec().into());
        Secrets::from_environment([], further)
    }

    fn variable(name: &str, value: &str) -> (OsString, OsString) {
        (name.into(), value.into())
    }

    #[test]
    fn names_decide_in_any_case_and_short_values_stay() {
        let secrets = Secrets::from_environment(
            [
                variable("Github_Token", "ghp_abcdefgh"),
                variable("DEPLOY_KEY", "key-0123456"),
                variable("MY_SECRET", "short"),
                variable("HOME", "/home/somebody"),
            ],
            [],
        );
        assert_eq!(
            secrets.redact("ghp_abcdefgh, key-0123456, short, /home/somebody"),
            "<REDACTED>, <REDACTED>, short, /home/somebody"
        );
        assert_eq!(format!("{secrets:?}"), "Secrets");
        assert_eq!(format!("{secrets:#?}"), "Secrets");
    }

    #[test]
    fn other_forms_are_recognised() {
        let secrets = secrets(&["pa/ss \"w'ord\"é"]);
        for form in [
            "pa/ss \"w'ord\"é",
            "pa%2Fss%20%22w%27ord%22%C3%A9",
            "pa%2fss%20%22w%27ord%22%c3%a9",
            "pa/ss%20%22w%27ord%22%C3%A9",
            "pa/ss \\\"w'ord\\\"é",
            "pa\\/ss \\\"w'ord\\\"é",
            "pa/ss \\\"w'ord\\\"\\u00e9",
            "pa/ss \"w'\\''ord\"é",
            // printf %s … | base64
            "cGEvc3MgIncnb3JkIsOp",
        ] {
            assert_eq!(secrets.redact(&format!("<{form}>")), "<<REDACTED>>");
        }
    }

    #[test]
    fn base64_is_recognised_wherever_the_value_stands_in_it() {
        let secrets = secrets(&["hunter2hunter2"]);
        // printf %s … | base64, of the value alone, as last, as first, between.
        for (encoded, left) in [
            ("aHVudGVyMmh1bnRlcjI=", "<REDACTED>"),
            ("aHVudGVyMmh1bnRlcjI", "<REDACTED>"),
            ("dXNlcjpodW50ZXIyaHVudGVyMg==", "dXNlcjp<REDACTED>"),
            ("YTpodW50ZXIyaHVudGVyMg==", "YTp<REDACTED>"),
            ("YWI6aHVudGVyMmh1bnRlcjI=", "YWI6<REDACTED>"),
            ("aHVudGVyMmh1bnRlcjIK", "<REDACTED>K"),
            ("YTpodW50ZXIyaHVudGVyMjph", "YTp<REDACTED>jph"),
        ] {
            assert_eq!(secrets.redact(encoded), left);
        }
    }

    #[test]
    fn base64_that_was_broken_into_lines_is_recognised() {
        let value: String = (0..120).map(|n| char::from(b'a' + n % 26)).collect();
        let whole = base64(value.as_bytes(), 0, STANDARD).pop().unwrap();
        let whole = String::from_utf8(whole).unwrap();
        for width in [64, 76] {
            let lines: Vec<String> = whole
                .as_bytes()
                .chunks(width)
                .map(|line| String::from_utf8(line.to_vec()).unwrap())
                .collect();
            let redacted = secrets(&[&value]).redact(&lines.join("\n"));
            assert_eq!(redacted, vec!["<REDACTED>"; lines.len()].join("\n"));
        }
    }

    #[test]
    fn each_long_line_of_a_secret_is_one() {
        let secrets = secrets(&["first-line-of-it\r\nshort\nsecond-line\n"]);
        assert_eq!(
            secrets.redact("a second-line, short, first-line-of-it"),
            "a <REDACTED>, short, <REDACTED>"
        );
        assert_eq!(
            secrets.redact("first-line-of-it\r\nshort\nsecond-line\n"),
            "<REDACTED>\n"
        );
    }

    #[test]
    fn the_longest_wins_and_overlaps_go_whole() {
        let both = secrets(&["password", "password-and-more"]);
        assert_eq!(both.redact("password-and-more!"), "<REDACTED>!");
        let overlapping = secrets(&["xyzabcdefgh", "abcdefgh-and-its-end"]);
        assert_eq!(
            overlapping.redact("xyzabcdefgh-and-its-end."),
            "<REDACTED>."
        );
    }

    #[test]
    fn what_a_bound_cuts_does_not_show_the_begin_of_a_secret() {
        let numbers: Vec<String> = (1000..1125).map(|number| number.to_string()).collect();
        let long = numbers.concat();
        let secrets = secrets(&[&long]);
        let text = format!("{}{}", "a".repeat(600), &long[..300]);
        let excerpt = secrets.excerpt(text.as_bytes(), true, 5000);
        assert!(excerpt.cut);
        assert_eq!(excerpt.text, format!("{}<REDACTED>", "a".repeat(600)));
        let text = format!("{long}{long}{}", &long[..1]);
        let excerpt = secrets.excerpt(text.as_bytes(), true, 5000);
        assert_eq!(excerpt.text, "<REDACTED><REDACTED><REDACTED>");
    }

    #[test]
    fn a_text_that_ends_within_a_secret_hides_its_begin() {
        let secrets = secrets(&["0123456789abcdef"]);
        assert_eq!(secrets.redact("x 0123456789"), "x <REDACTED>");
        assert_eq!(secrets.redact("x 0123"), "x 0123");
    }

    #[test]
    fn an_excerpt_is_text_of_so_many_characters() {
        let none = Secrets::default();
        let excerpt = none.excerpt("é".repeat(501).as_bytes(), false, 500);
        assert_eq!(excerpt.text, "é".repeat(500));
        assert!(excerpt.cut);
        let excerpt = none.excerpt("é".repeat(500).as_bytes(), false, 500);
        assert!(!excerpt.cut);
        let excerpt = none.excerpt(b"a\xffb\xf0\x9f", false, 500);
        assert_eq!(excerpt.text, "a\u{fffd}b\u{fffd}");
        assert!(!excerpt.cut);
    }
}
