//! Where a text holds personal data or secrets: one way through its bytes, in time that grows with
//! their number.

use std::ops::Range;

use super::bytes::Bytes;
use super::rule::Rule;
use super::{address, assigned, digits, tokens};

/// Which rules are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// All.
    All,
    /// Those for secrets.
    Secrets,
}

/// A stretch of a text, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The bytes.
    pub range: Range<usize>,
    /// What they are.
    pub rule: Rule,
}

/// What to ask at a byte.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Anchor {
    None,
    At,
    Digit,
    Bracket,
    Plus,
    Letter,
    Colon,
    Equals,
    Dash,
}

const ALL: [Anchor; 256] = anchors(true);
const SECRETS: [Anchor; 256] = anchors(false);

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "computed while compiling, over a table of all bytes"
)]
const fn anchors(personal: bool) -> [Anchor; 256] {
    let mut table = [Anchor::None; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b':' => Anchor::Colon,
            b'=' => Anchor::Equals,
            b'-' => Anchor::Dash,
            letter if tokens::begins_with(letter) => Anchor::Letter,
            b'@' | b'%' if personal => Anchor::At,
            b'0'..=b'9' if personal => Anchor::Digit,
            b'(' if personal => Anchor::Bracket,
            b'+' if personal => Anchor::Plus,
            b'A'..=b'Z' | b'a'..=b'z' if personal => Anchor::Letter,
            _ => Anchor::None,
        };
        byte += 1;
    }
    table
}

/// Everything that is found in a text, in the order in which it begins; the stretches may overlap.
pub fn find(text: &[u8], wanted: Wanted) -> Vec<Found> {
    let table = match wanted {
        Wanted::All => &ALL,
        Wanted::Secrets => &SECRETS,
    };
    let bytes = Bytes(text);
    let anchor_of = |byte: u8| {
        table
            .get(usize::from(byte))
            .copied()
            .unwrap_or(Anchor::None)
    };
    let mut found: Vec<Found> = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.at(at) {
        let anchor = anchor_of(byte);
        if anchor == Anchor::None {
            at += 1;
            continue;
        }
        match look(bytes, at, anchor, wanted) {
            Some((range, rule)) => {
                // A value that is told by its name may itself hold more, which it covers.
                at = range.end.max(at + 1);
                if rule == Rule::UrlPassword {
                    // Its `@` belongs to no e-mail address.
                    at += 1;
                }
                found.push(Found { range, rule });
            }
            None => at += 1,
        }
    }
    found.sort_by_key(|found| found.range.start);
    found
}

fn look(
    bytes: Bytes<'_>,
    at: usize,
    anchor: Anchor,
    wanted: Wanted,
) -> Option<(Range<usize>, Rule)> {
    let as_rule = |rule: Rule| move |range: Range<usize>| (range, rule);
    match anchor {
        Anchor::None => None,
        Anchor::At => address::email(bytes, at).map(as_rule(Rule::Email)),
        Anchor::Plus => digits::international(bytes, at).map(as_rule(Rule::Phone)),
        Anchor::Bracket => digits::formed(bytes, at),
        Anchor::Digit => number(bytes, at),
        Anchor::Letter if !bytes.is_begin(at) => None,
        Anchor::Letter => tokens::issued(bytes, at).or_else(|| account(bytes, at, wanted)),
        Anchor::Colon | Anchor::Equals => {
            let password = address::url_password(bytes, at).map(as_rule(Rule::UrlPassword));
            let given = || assigned::value(bytes, at);
            let given = || given().filter(|(_, rule)| wanted == Wanted::All || rule.is_secret());
            password.or_else(given)
        }
        // A row of dashes is looked at once, at its begin.
        Anchor::Dash if bytes.before(at) == Some(b'-') => None,
        Anchor::Dash => {
            let key = tokens::private_key(bytes, at).map(as_rule(Rule::PrivateKey));
            key.or_else(|| assigned::option(bytes, at))
        }
    }
}

fn number(bytes: Bytes<'_>, at: usize) -> Option<(Range<usize>, Rule)> {
    if bytes.before(at).is_some_and(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let card = digits::card(bytes, at).map(|range| (range, Rule::Card));
    card.or_else(|| digits::formed(bytes, at))
}

/// An account number of a bank, or a company's number that begins with a letter.
fn account(bytes: Bytes<'_>, at: usize, wanted: Wanted) -> Option<(Range<usize>, Rule)> {
    if wanted == Wanted::Secrets {
        return None;
    }
    let iban = digits::iban(bytes, at).map(|range| (range, Rule::Iban));
    let company = || (bytes.at(at + 2) == Some(b'.')).then(|| digits::formed(bytes, at))?;
    iban.or_else(company)
}

/// The stretches that are covered, in order, none touching another.
pub(super) fn covered(found: impl IntoIterator<Item = Range<usize>>) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = found.into_iter().collect();
    ranges.sort_by_key(|range| range.start);
    let mut covered: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match covered.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => covered.push(range),
        }
    }
    covered
}
