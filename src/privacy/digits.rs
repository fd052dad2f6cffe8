//! Numbers that name a person or an account, by their form and their check digits.

use std::ops::Range;

use super::bytes::Bytes;
use super::checks;
use super::rule::Rule;

type Check = fn(&[u8]) -> bool;

/// Forms of numbers: `d` is a digit, `x` a digit or a capital letter, all else stands for itself.
/// What is checked are the digits and letters without what stands between them.
const FORMS: &[(&str, Rule, Check)] = &[
    ("ddd.ddd.ddd-dd", Rule::Cpf, checks::cpf),
    ("ddd ddd ddd-dd", Rule::Cpf, checks::cpf),
    ("ddd.ddd.ddd dd", Rule::Cpf, checks::cpf),
    ("ddddddddd-dd", Rule::Cpf, checks::cpf),
    ("ddddddddddd", Rule::Cpf, checks::cpf),
    ("xx.xxx.xxx/xxxx-dd", Rule::Cnpj, checks::cnpj),
    ("dddddddd/dddd-dd", Rule::Cnpj, checks::cnpj),
    ("dddddddddddddd", Rule::Cnpj, bare_cnpj),
    ("ddd-dd-dddd", Rule::Ssn, checks::ssn),
    ("ddd dd dddd", Rule::Ssn, checks::ssn),
    ("(dd) ddddd-dddd", Rule::Phone, brazilian),
    ("(dd) dddd-dddd", Rule::Phone, brazilian),
    ("(dd) ddddd dddd", Rule::Phone, brazilian),
    ("(dd) d dddd-dddd", Rule::Phone, brazilian),
    ("(dd)ddddd-dddd", Rule::Phone, brazilian),
    ("(dd)dddd-dddd", Rule::Phone, brazilian),
    ("(dd) ddddddddd", Rule::Phone, brazilian),
    ("(dd)ddddddddd", Rule::Phone, brazilian),
    ("(0dd) ddddd-dddd", Rule::Phone, brazilian_with_zero),
    ("(0dd) dddd-dddd", Rule::Phone, brazilian_with_zero),
    ("0dd ddddd-dddd", Rule::Phone, brazilian_with_zero),
    ("dd ddddd-dddd", Rule::Phone, brazilian),
    ("dd dddd-dddd", Rule::Phone, brazilian),
    ("dd ddddd dddd", Rule::Phone, brazilian),
    ("dd 9 dddd-dddd", Rule::Phone, brazilian),
    ("dd-ddddd-dddd", Rule::Phone, brazilian),
    ("9dddd-dddd", Rule::Phone, any),
    ("(ddd) ddd-dddd", Rule::Phone, american),
    ("(ddd)ddd-dddd", Rule::Phone, american),
    ("(ddd) ddd dddd", Rule::Phone, american),
    ("ddd-ddd-dddd", Rule::Phone, american),
    ("1-ddd-ddd-dddd", Rule::Phone, american),
];

/// A number in one of the forms that begins at `at`.
pub(super) fn formed(bytes: Bytes<'_>, at: usize) -> Option<(Range<usize>, Rule)> {
    if !begins(bytes, at) {
        return None;
    }
    FORMS.iter().find_map(|(form, rule, check)| {
        let (end, number) = matched(bytes, at, form)?;
        let holds = ends(bytes, end) && check(number.as_slice());
        holds.then_some((at..end, *rule))
    })
}

/// Nothing stands before it that would make it a part of a longer number: a fraction, a date.
fn begins(bytes: Bytes<'_>, at: usize) -> bool {
    let digit_before = |index: usize| {
        bytes
            .before(index)
            .is_some_and(|byte| byte.is_ascii_digit())
    };
    let joined = match bytes.before(at) {
        Some(b'.' | b'-' | b'/') => digit_before(at - 1),
        // `+55 11 …` is read from its sign.
        Some(b'+') => true,
        _ => false,
    };
    bytes.is_begin(at) && !joined
}

fn ends(bytes: Bytes<'_>, end: usize) -> bool {
    let goes_on = bytes.at(end + 1).is_some_and(|byte| byte.is_ascii_digit());
    let joined = goes_on && matches!(bytes.at(end), Some(b'.' | b'-' | b'/'));
    bytes.is_end(end) && !joined
}

/// The digits and letters of a number, few enough to stand on the stack.
#[derive(Default)]
struct Number {
    characters: [u8; 20],
    length: usize,
}

impl Number {
    fn push(&mut self, byte: u8) {
        if let Some(free) = self.characters.get_mut(self.length) {
            *free = byte;
            self.length += 1;
        }
    }

    fn as_slice(&self) -> &[u8] {
        self.characters.get(..self.length).unwrap_or_default()
    }
}

fn matched(bytes: Bytes<'_>, at: usize, form: &str) -> Option<(usize, Number)> {
    let mut number = Number::default();
    for (index, wanted) in form.bytes().enumerate() {
        let byte = bytes.at(at + index)?;
        let fits = match wanted {
            b'd' => byte.is_ascii_digit(),
            b'x' => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
            other => byte == other,
        };
        if !fits {
            return None;
        }
        if byte.is_ascii_alphanumeric() {
            number.push(byte);
        }
    }
    Some((at + form.len(), number))
}

fn any(_: &[u8]) -> bool {
    true
}

fn bare_cnpj(digits: &[u8]) -> bool {
    !is_time(digits) && checks::cnpj(digits)
}

/// True for digits that say year, month, day, hour, minute and second.
fn is_time(digits: &[u8]) -> bool {
    let two = |at: usize| {
        let pair = digits.get(at..at + 2)?;
        std::str::from_utf8(pair).ok()?.parse::<u8>().ok()
    };
    let within = |at: usize, low: u8, high: u8| two(at).is_some_and(|n| (low..=high).contains(&n));
    digits.len() == 14
        && within(0, 19, 20)
        && within(4, 1, 12)
        && within(6, 1, 31)
        && within(8, 0, 23)
        && within(10, 0, 59)
        && within(12, 0, 59)
}

/// An area code of two digits (Anatel), then 8 digits from 2 to 5 or 9 digits with a 9 in front.
fn brazilian(digits: &[u8]) -> bool {
    let (Some(&[tens, units]), Some(number)) = (digits.first_chunk::<2>(), digits.get(2..)) else {
        return false;
    };
    let area = match tens {
        b'1' | b'4' | b'6' | b'8' | b'9' => units != b'0',
        b'2' => b"12478".contains(&units),
        b'3' => b"1234578".contains(&units),
        b'5' => b"1345".contains(&units),
        b'7' => b"134579".contains(&units),
        _ => false,
    };
    let first = number.first().copied().unwrap_or(b'0');
    area && match number.len() {
        8 => (b'2'..=b'5').contains(&first),
        9 => first == b'9',
        _ => false,
    }
}

fn brazilian_with_zero(digits: &[u8]) -> bool {
    digits.strip_prefix(b"0").is_some_and(brazilian)
}

/// Ten digits of the North American plan, with or without the 1 in front.
fn american(digits: &[u8]) -> bool {
    let digits = match digits.len() {
        11 => digits.strip_prefix(b"1").unwrap_or_default(),
        _ => digits,
    };
    let high = |at: usize| digits.get(at).is_some_and(|digit| *digit >= b'2');
    digits.len() == 10 && high(0) && high(3)
}

/// A phone number from its `+` on (E.164), with blanks, dashes, dots and brackets in between.
pub(super) fn international(bytes: Bytes<'_>, at: usize) -> Option<Range<usize>> {
    let is_joined = matches!(bytes.before(at), Some(b'+' | b'.')) || !bytes.is_begin(at);
    if bytes.at(at) != Some(b'+') || is_joined {
        return None;
    }
    let mut number = Number::default();
    let mut end = at + 1;
    let mut between = 0;
    let mut parts = 0;
    for (index, byte) in bytes.from(at + 1).iter().take(32).enumerate() {
        if byte.is_ascii_digit() {
            parts += usize::from(between > 0);
            between = 0;
            number.push(*byte);
            end = at + 2 + index;
            if longest(number.as_slice()) == number.length {
                break;
            }
        } else if b" -.()".contains(byte) && between < 2 && number.length > 0 {
            between += 1;
        } else {
            break;
        }
    }
    let digits = number.as_slice();
    let right = match digits {
        [b'0', ..] | [] => false,
        [b'1', rest @ ..] => american(rest),
        [b'5', b'5', rest @ ..] => brazilian(rest),
        _ if parts == 0 => digits.len() >= 10 && !is_time(digits),
        _ => digits.len() >= 8,
    };
    (right && bytes.is_end(end)).then_some(at..end)
}

/// How many digits a number with that beginning has at most.
fn longest(digits: &[u8]) -> usize {
    match digits {
        [b'1', ..] => 11,
        [b'5', b'5', _, _, b'9', ..] => 13,
        [b'5', b'5', ..] => 12,
        _ => 15,
    }
}

/// A number of a payment card that begins at `at`: in one piece, or in groups that are parted by
/// blanks or by dashes.
pub(super) fn card(bytes: Bytes<'_>, at: usize) -> Option<Range<usize>> {
    const GROUPS: &[&[usize]] = &[
        &[4, 4, 4, 4],
        &[4, 6, 5],
        &[4, 6, 4],
        &[4, 4, 4, 4, 3],
        &[4, 4, 4, 1],
    ];
    if !begins(bytes, at) {
        return None;
    }
    let end = bytes.end_of(at, 20, |byte| byte.is_ascii_digit());
    if end - at >= 13 {
        let is_fraction = bytes.at(end) == Some(b'.') && !ends(bytes, end);
        let right = bytes.is_end(end) && !is_fraction && checks::card(bytes.part(at, end));
        return right.then_some(at..end);
    }
    let parting = bytes.at(end).filter(|byte| b" -".contains(byte))?;
    GROUPS.iter().find_map(|groups| {
        let (end, number) = in_groups(bytes, at, groups, parting)?;
        (ends(bytes, end) && checks::card(number.as_slice())).then_some(at..end)
    })
}

fn in_groups(
    bytes: Bytes<'_>,
    at: usize,
    groups: &[usize],
    parting: u8,
) -> Option<(usize, Number)> {
    let mut number = Number::default();
    let mut next = at;
    for (index, length) in groups.iter().enumerate() {
        if index > 0 {
            (bytes.at(next) == Some(parting)).then_some(())?;
            next += 1;
        }
        for byte in bytes.part(next, next + length) {
            byte.is_ascii_digit().then_some(())?;
            number.push(*byte);
        }
        next += length;
    }
    (number.length == groups.iter().sum::<usize>()).then_some((next, number))
}

/// An account number that begins at `at`: in one piece, or in groups of four parted by blanks, in
/// capital letters, since digests are written in small ones.
pub(super) fn iban(bytes: Bytes<'_>, at: usize) -> Option<Range<usize>> {
    let [country @ .., tens, units] = bytes.from(at).first_chunk::<4>()?;
    if !tens.is_ascii_digit() || !units.is_ascii_digit() || !bytes.is_begin(at) {
        return None;
    }
    let length = checks::iban_length(country)?;
    let mut characters = Vec::with_capacity(length);
    let mut next = at;
    while characters.len() < length {
        let byte = bytes.at(next)?;
        let grouped = byte == b' ' && characters.len() % 4 == 0;
        if byte.is_ascii_uppercase() || byte.is_ascii_digit() {
            characters.push(byte);
        } else if !grouped {
            return None;
        }
        next += 1;
    }
    (bytes.is_end(next) && checks::iban(&characters)).then_some(at..next)
}
