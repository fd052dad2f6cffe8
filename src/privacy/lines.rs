//! Secrets in the lines of a file.

use memchr::memchr_iter;
use sha2::{Digest as _, Sha256};

use super::{Redaction, Rule, Wanted, find};
use crate::ids::Digest;

/// A secret in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    /// The line, counted from 1.
    pub line: u64,
    /// What it is.
    pub rule: Rule,
    /// The line without it.
    pub text: String,
    /// The SHA-256 of the line's bytes without its end, by which an allowance names it.
    pub digest: Digest,
}

/// How much of a line is shown around a secret, in characters.
const SHOWN: usize = 200;

/// All of a file, in order; one for each rule and line.
pub fn secrets(file: &[u8]) -> Vec<Leak> {
    let mut leaks: Vec<Leak> = Vec::new();
    let mut line = 1;
    let mut counted = 0;
    for found in find(file, Wanted::Secrets) {
        let at = found.range.start;
        let before = file.get(counted..at).unwrap_or_default();
        line += memchr_iter(b'\n', before).count() as u64;
        counted = at;
        let is_told = |leak: &&Leak| leak.line == line;
        let mut same_line = leaks.iter().rev().take_while(is_told);
        if same_line.any(|leak| leak.rule == found.rule) {
            continue;
        }
        let bytes = line_at(file, at);
        leaks.push(Leak {
            line,
            rule: found.rule,
            text: shown(bytes),
            digest: Digest::from_bytes(Sha256::digest(bytes).into()),
        });
    }
    leaks
}

/// The line that holds the byte at `at`, without its end.
fn line_at(file: &[u8], at: usize) -> &[u8] {
    let (before, after) = file.split_at_checked(at).unwrap_or((file, b""));
    let begin = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
    let end = memchr::memchr(b'\n', after).map_or(file.len(), |end| at + end);
    let line = file.get(begin..end).unwrap_or_default();
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A line as it may be shown: without anything personal either, and not the whole of a long one.
fn shown(line: &[u8]) -> String {
    /// More of a line is not looked at to show it.
    const MOST: usize = 64 * 1024;
    let head = line.get(..line.len().min(MOST)).unwrap_or_default();
    let text = String::from_utf8_lossy(head);
    let redacted = Redaction::new().text(text.trim()).into_owned();
    let around = redacted.find(super::REDACTED).unwrap_or(0);
    let before = redacted.get(..around).unwrap_or_default().chars().count();
    let unshown = before.saturating_sub(SHOWN / 2);
    redacted.chars().skip(unshown).take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_secret_is_told_with_its_line_and_never_shown() {
        let token = ["gh", "p_", "0123456789abcdefABCDEFghijklmnopqrst"].concat();
        let file = format!("a: 1\r\ntoken = \"{token}\" # {token}\r\n\n{token}");
        let leaks = secrets(file.as_bytes());
        let told: Vec<_> = leaks.iter().map(|leak| (leak.line, leak.rule)).collect();
        assert_eq!(
            told,
            [(2, Rule::Assigned), (2, Rule::GitHub), (4, Rule::GitHub)]
        );
        assert!(leaks.iter().all(|leak| !leak.text.contains(&token)));
        assert_eq!(leaks[0].text, "token = \"<REDACTED>\" # <REDACTED>");
        let digest = Sha256::digest(format!("token = \"{token}\" # {token}"));
        assert_eq!(leaks[1].digest, Digest::from_bytes(digest.into()));
    }
}
