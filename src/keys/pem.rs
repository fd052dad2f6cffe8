//! PEM (RFC 7468): the first block of a text, and writing one. What a label means is not known here.

use zeroize::Zeroizing;

use super::{from_base64, to_base64};

/// A block of a PEM text.
pub(super) struct Block<'t> {
    /// What stands between `-----BEGIN` and the dashes.
    pub(super) label: &'t str,
    /// What the base64 says.
    pub(super) content: Zeroizing<Vec<u8>>,
}

/// The first block of a text; `None` where there is none that is whole. Text before it is skipped,
/// as OpenSSL writes some.
pub(super) fn first(text: &str) -> Option<Block<'_>> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ';
    if label.len() > 64 || !label.bytes().all(plain) {
        return None;
    }
    let (body, rest) = rest.split_once("-----END ")?;
    rest.strip_prefix(label)?.strip_prefix("-----")?;
    let mut digits = Zeroizing::new(String::with_capacity(body.len()));
    digits.extend(body.chars().filter(|c| !c.is_ascii_whitespace()));
    let content = Zeroizing::new(from_base64(&digits)?);
    Some(Block { label, content })
}

/// A block with lines of 64 characters.
pub(super) fn write(label: &str, content: &[u8]) -> Zeroizing<String> {
    let digits = Zeroizing::new(to_base64(content));
    let length = digits.len() + digits.len() / 64 + 2 * label.len() + 40;
    let mut text = Zeroizing::new(String::with_capacity(length));
    text.push_str(&format!("-----BEGIN {label}-----\n"));
    let mut rest = digits.as_str();
    while let Some((line, behind)) = rest.split_at_checked(64) {
        text.push_str(line);
        text.push('\n');
        rest = behind;
    }
    if !rest.is_empty() {
        text.push_str(rest);
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 47, 48, 49, 96, 200] {
            let content: Vec<u8> = (0..length).collect();
            let text = write("PUBLIC KEY", &content);
            assert!(text.lines().all(|line| line.len() <= 64));
            let block = first(&text).unwrap();
            assert_eq!((block.label, &**block.content), ("PUBLIC KEY", &*content));
        }
    }

    #[test]
    fn half_a_block_is_none() {
        for text in [
            "",
            "-----BEGIN A-----",
            "-----BEGIN A-----\nAAAA\n-----END B-----",
            "-----BEGIN A-----\nAA!A\n-----END A-----",
            "-----BEGIN a\u{1b}-----\nAAAA\n-----END a\u{1b}-----",
            "-----BEGIN A-----\nAAAA\n-----END A",
        ] {
            assert!(first(text).is_none(), "{text}");
        }
        assert!(first("some text\r\n-----BEGIN A-----\r\nAAAA\r\n-----END A-----").is_some());
    }
}
