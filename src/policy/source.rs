//! A document that a person wrote, YAML or JSON, as a tree whose every value knows its place.
//!
//! JSON is read as the YAML that it is, by the same parser, so that a document means the same in
//! both forms. Keys that stand there twice are kept: [`collect`] finds them, together with all else
//! that is wrong, in one go. What the keys mean is the business of each document.

pub mod collect;
pub mod problems;
pub mod scalar;

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{
    DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy, Options, Spanned, options,
};

use crate::diagnostic::{Checked, Code, Diagnostic, Place};

/// Where a value begins: line and byte within the line, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Spot {
    /// The line.
    pub line: u64,
    /// The byte within the line.
    pub column: u64,
}

impl Spot {
    /// The first byte.
    pub const START: Self = Self { line: 1, column: 1 };

    /// The spot as a place in a file, narrowed to a value of the document.
    pub fn place(self, file: &str, path: &str) -> Place {
        let place = Place::line(file, self.line.max(1)).column(self.column.max(1));
        if path == "$" { place } else { place.path(path) }
    }
}

impl Spot {
    /// The spot of a byte of a text whose value begins here, on one line or on several. `None`
    /// where it can't be told, as of a text with escapes.
    pub(super) fn within(self, lines: &Lines<'_>, text: &str, offset: usize) -> Option<Self> {
        let mut line = self.line;
        let mut begin = usize::try_from(self.column.checked_sub(1)?).ok()?;
        if lines.get(line)?.get(begin..)?.starts_with(['"', '\'']) {
            begin += 1;
        }
        let mut done = 0;
        loop {
            let rest = lines.get(line)?.get(begin..)?.trim_end();
            let remaining = text.get(done..)?;
            let alike = common_prefix(rest, remaining);
            if offset < done + alike || alike == remaining.len() {
                return Some(Self {
                    line,
                    column: (begin + offset.saturating_sub(done)) as u64 + 1,
                });
            }
            // A line's end is a line's end of the text, or a blank where lines are folded.
            let behind = remaining.get(alike..)?;
            if alike < rest.len() || !behind.starts_with([' ', '\n']) {
                return None;
            }
            done += alike + behind.len() - behind.trim_start_matches([' ', '\n']).len();
            line += 1;
            while lines.get(line)?.trim().is_empty() {
                line += 1;
            }
            let next = lines.get(line)?;
            begin = next.len() - next.trim_start().len();
        }
    }
}

/// How many bytes two texts have in common at their beginning, up to a whole character.
fn common_prefix(one: &str, other: &str) -> usize {
    let pairs = one.chars().zip(other.chars());
    let alike = pairs.take_while(|(one, other)| one == other);
    alike.map(|(one, _)| one.len_utf8()).sum()
}

/// A value of the document.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Where it begins.
    pub spot: Spot,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Nothing, `null` or `~`.
    Null,
    /// `true` or `false`; `yes` and `no` are text.
    Bool(bool),
    /// A number as JSON writes it. What only some readers take for a number is text: `010`, which
    /// is eight or ten, `0x5f`, `1_000`, `.inf`.
    Number(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Keys and values in their order, repeated keys included.
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key begins.
    pub spot: Spot,
    /// The value.
    pub value: Node,
}

/// The text of a document, without a byte-order mark.
pub(super) fn text<'b>(file: &str, bytes: &'b [u8]) -> Checked<&'b str> {
    let bare = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bare).map_err(|error| not_utf8(file, bare, error.valid_up_to()))
}

/// Reads a document. `None` for one of nothing but blanks and comments.
///
/// Fails with the first place where the text is no YAML; what an alias could blow up is bounded by
/// the parser's budget.
pub fn parse(file: &str, bytes: &[u8]) -> Checked<Option<Node>> {
    let text = text(file, bytes)?;
    let lines = Lines::of(text);
    match serde_saphyr::from_str_with_options::<Option<Raw>>(text, reading()) {
        Ok(Some(raw)) => Ok(Some(raw.into_node(&lines))),
        Ok(None) => Ok(None),
        Err(error) => Err(syntax(file, &lines, &error)),
    }
}

fn reading() -> Options {
    options! {
        // Both of two equal keys come through, and are told apart with their places.
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        merge_keys: MergeKeyPolicy::Error,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

fn not_utf8(file: &str, bytes: &[u8], valid: usize) -> Box<Diagnostic> {
    let before = bytes.get(..valid).unwrap_or_default();
    let line = memchr::memchr_iter(b'\n', before).count() as u64 + 1;
    let begin = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
    let spot = Spot {
        line,
        column: (valid - begin) as u64 + 1,
    };
    let finding = Diagnostic::new(
        Code::NotUtf8,
        spot.place(file, "$"),
        "the bytes are no UTF-8 text",
    );
    let found = bytes.get(valid).copied().unwrap_or_default();
    Box::new(
        finding
            .found(format!("the byte 0x{found:02x}"))
            .expected("text in UTF-8")
            .help("save the document as UTF-8"),
    )
}

fn syntax(file: &str, lines: &Lines<'_>, error: &serde_saphyr::Error) -> Box<Diagnostic> {
    let spot = error.location().map_or(Spot::START, |location| {
        lines.spot(location.line(), location.column())
    });
    let message = error.to_string();
    let what = message.lines().next().unwrap_or_default();
    let what = what.split(" at line ").next().unwrap_or(what);
    let what = what
        .rsplit_once(" (line ")
        .map_or(what, |(before, _)| before);
    let (found, help) = in_plain_words(what);
    Box::new(
        Diagnostic::new(
            Code::YamlSyntax,
            spot.place(file, "$"),
            "this is no YAML that can be read",
        )
        .found(found)
        .expected("one YAML 1.2 or JSON document without merge keys and tags of its own")
        .help(help),
    )
}

/// What the parser says, for a person: what was found, and what to do.
fn in_plain_words(what: &str) -> (&str, &'static str) {
    const WORDS: [(&str, Option<&str>, &str); 16] = [
        (
            "multiple YAML documents",
            Some("the beginning of a second document"),
            "keep one document, and put the other into a file of its own",
        ),
        (
            "merge keys",
            Some("the merge key `<<`"),
            "write the keys out",
        ),
        (
            "Depth",
            Some("levels within levels, more than a document can mean"),
            "look for a bracket too many",
        ),
        (
            "recursion limit",
            Some("levels within levels, more than a document can mean"),
            "look for a bracket too many",
        ),
        (
            "budget breached",
            Some("aliases or levels that unfold to more than a document can mean"),
            "write out what the aliases stand for",
        ),
        (
            "alias replay",
            Some("aliases that unfold to more than a document can mean"),
            "write out what the aliases stand for",
        ),
        (
            "recursi",
            Some("an alias within what it stands for"),
            "write out what the alias stands for",
        ),
        (
            "unknown anchor",
            Some("an alias of which there is no anchor"),
            "put text that begins with `*` in quotes, or write the value out",
        ),
        (
            "expected string scalar",
            Some("a key that is no text"),
            "put text with braces or brackets in quotes",
        ),
        ("tab", None, "indent with blanks instead of tabs"),
        (
            "mapping values are not allowed",
            Some("a `:` where no key can stand"),
            "put text with `: ` in quotes, write a blank behind the colon of every key, and look at the indentation",
        ),
        (
            "escape character",
            None,
            "write a backslash twice, or put the text in single quotes",
        ),
        ("unclosed", None, "close it"),
        (
            "unsupported tag",
            None,
            "remove the tag, and put text that begins with `!` in quotes",
        ),
        (
            "unexpected character",
            None,
            "put text with special characters in double quotes, control characters as escapes",
        ),
        ("YAML major version", None, "remove the directive"),
    ];
    let known = WORDS.iter().find(|(part, ..)| what.contains(part));
    known.map_or(
        (
            what,
            "look at the indentation, and put text with special characters in quotes",
        ),
        |(_, found, help)| (found.unwrap_or(what), *help),
    )
}

/// The lines of a text, to turn a character of a line into a byte.
pub(super) struct Lines<'t>(Vec<Line<'t>>);

struct Line<'t> {
    text: &'t str,
    /// The byte of every 64th character; empty where every character is one byte. A document can
    /// be one long line with a hundred thousand values: counting up to each of them would take for
    /// ever.
    marks: Vec<usize>,
}

/// How many characters lie between two marks.
const STRIDE: usize = 64;

impl<'t> Line<'t> {
    fn of(text: &'t str) -> Self {
        let marks = if text.is_ascii() {
            Vec::new()
        } else {
            let bytes = text.char_indices().map(|(byte, _)| byte);
            bytes.step_by(STRIDE).collect()
        };
        Self { text, marks }
    }

    /// The byte at which a character begins, counted from 0.
    fn byte(&self, character: usize) -> usize {
        if self.marks.is_empty() {
            return character.min(self.text.len());
        }
        let Some(mark) = self.marks.get(character / STRIDE) else {
            return self.text.len();
        };
        let rest = self.text.get(*mark..).unwrap_or_default();
        let before = rest.chars().take(character % STRIDE);
        mark + before.map(char::len_utf8).sum::<usize>()
    }
}

impl<'t> Lines<'t> {
    /// The lines as YAML counts them: a lone carriage return ends one, too.
    pub(super) fn of(text: &'t str) -> Self {
        let lines = text.split('\n').flat_map(|line| {
            let bare = line.strip_suffix('\r').unwrap_or(line);
            bare.split('\r')
        });
        Self(lines.map(Line::of).collect())
    }

    /// A line, counted from 1.
    pub(super) fn get(&self, line: u64) -> Option<&'t str> {
        let index = usize::try_from(line.checked_sub(1)?).ok()?;
        self.0.get(index).map(|line| line.text)
    }

    /// What stands at a spot, up to the end of a plain word.
    fn word(&self, spot: Spot) -> &'t str {
        let begin = usize::try_from(spot.column.saturating_sub(1)).unwrap_or(usize::MAX);
        let rest = self
            .get(spot.line)
            .and_then(|line| line.get(begin..))
            .unwrap_or_default();
        let ends = |end: char| end.is_whitespace() || matches!(end, ',' | ']' | '}');
        rest.split(ends).next().unwrap_or(rest)
    }

    fn spot(&self, line: u64, character: u64) -> Spot {
        let index = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
        let before = usize::try_from(character.saturating_sub(1)).unwrap_or(usize::MAX);
        let byte = self.0.get(index).map_or(0, |line| line.byte(before));
        Spot {
            line,
            column: byte as u64 + 1,
        }
    }
}

/// True for a number as JSON writes it (RFC 8259).
fn is_json_number(text: &str) -> bool {
    serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok_and(|raw| {
        raw.get()
            .starts_with(|first: char| first == '-' || first.is_ascii_digit())
    })
}

/// A value as the parser hands it over.
struct Raw(Spanned<RawKind>);

enum RawKind {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Raw>),
    Map(Vec<(Spanned<String>, Raw)>),
}

impl Raw {
    fn into_node(self, lines: &Lines<'_>) -> Node {
        let spot = lines.spot(self.0.referenced.line(), self.0.referenced.column());
        let kind = match self.0.value {
            RawKind::Null => Kind::Null,
            RawKind::Bool(value) => Kind::Bool(value),
            RawKind::Number(value) => {
                let (line, character) = (self.0.defined.line(), self.0.defined.column());
                let written = lines.word(lines.spot(line, character));
                if is_json_number(written) {
                    Kind::Number(value)
                } else {
                    Kind::Text(written.to_owned())
                }
            }
            RawKind::Text(text) => Kind::Text(text),
            RawKind::List(items) => Kind::List(
                items
                    .into_iter()
                    .map(|item| item.into_node(lines))
                    .collect(),
            ),
            RawKind::Map(entries) => Kind::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| Entry {
                        spot: lines.spot(key.referenced.line(), key.referenced.column()),
                        key: key.value,
                        value: value.into_node(lines),
                    })
                    .collect(),
            ),
        };
        Node { kind, spot }
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for RawKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = RawKind;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_unit<E: de::Error>(self) -> Result<RawKind, E> {
                Ok(RawKind::Null)
            }

            fn visit_none<E: de::Error>(self) -> Result<RawKind, E> {
                Ok(RawKind::Null)
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<RawKind, E> {
                Ok(RawKind::Bool(value))
            }

            #[expect(
                clippy::cast_precision_loss,
                reason = "no number of a document is beyond 2^53; the ranges are checked"
            )]
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<RawKind, E> {
                Ok(RawKind::Number(value as f64))
            }

            #[expect(clippy::cast_precision_loss, reason = "as above")]
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<RawKind, E> {
                Ok(RawKind::Number(value as f64))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<RawKind, E> {
                Ok(RawKind::Number(value))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<RawKind, E> {
                Ok(RawKind::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<RawKind, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(RawKind::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<RawKind, A::Error> {
                let mut map = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    map.push(entry);
                }
                Ok(RawKind::Map(map))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> Node {
        parse("policy/policy.yaml", text.as_bytes())
            .unwrap()
            .unwrap()
    }

    fn member<'n>(node: &'n Node, key: &str) -> &'n Node {
        let Kind::Map(entries) = &node.kind else {
            panic!("{node:?}")
        };
        &entries.iter().find(|entry| entry.key == key).unwrap().value
    }

    #[test]
    fn values_know_their_place_and_kind() {
        let node = node("a: 1\nb:\n  - x: yes\n    ä: ö\n    é: \"95\"\nc: 1e3\nd: true\ne: ~\n");
        assert_eq!(member(&node, "a").kind, Kind::Number(1.0));
        assert_eq!(member(&node, "a").spot, Spot { line: 1, column: 4 });
        let Kind::List(items) = &member(&node, "b").kind else {
            panic!()
        };
        assert_eq!(member(&items[0], "x").kind, Kind::Text("yes".into()));
        // Bytes, as in every other place.
        assert_eq!(member(&items[0], "é").spot, Spot { line: 5, column: 9 });
        assert_eq!(member(&items[0], "é").kind, Kind::Text("95".into()));
        assert_eq!(member(&node, "c").kind, Kind::Number(1000.0));
        assert_eq!(member(&node, "d").kind, Kind::Bool(true));
        assert_eq!(member(&node, "e").kind, Kind::Null);
    }

    #[test]
    fn json_is_read_alike_and_keys_may_stand_there_twice() {
        let node = node("{\"a\": 1,\n \"b\": [true, \"x\"], \"a\": 2}");
        let Kind::Map(entries) = &node.kind else {
            panic!()
        };
        assert_eq!(entries.len(), 3, "{entries:?}");
        assert_eq!(
            entries[2].spot,
            Spot {
                line: 2,
                column: 20
            }
        );
    }

    #[test]
    fn a_character_of_a_line_is_a_byte() {
        let text = format!(
            "{}\n{}b\r{}",
            "a".repeat(100),
            "ä".repeat(200),
            "c".repeat(3)
        );
        let lines = Lines::of(&text);
        let byte = |line, character| lines.spot(line, character).column;
        assert_eq!((byte(1, 1), byte(1, 100), byte(1, 900)), (1, 100, 101));
        assert_eq!((byte(2, 1), byte(2, 65), byte(2, 66)), (1, 129, 131));
        assert_eq!((byte(2, 201), byte(2, 202), byte(2, 203)), (401, 402, 402));
        assert_eq!((byte(3, 2), byte(4, 2)), (2, 1));
    }

    #[test]
    fn nothing_is_nothing() {
        for text in ["", "  \n", "# a comment\n"] {
            assert_eq!(parse("p.yaml", text.as_bytes()).unwrap(), None, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_yaml_has_a_place() {
        let error = parse("p.yaml", b"a: 1\nb: [1, 2\n").unwrap_err();
        assert_eq!(error.code, Code::YamlSyntax);
        assert!(error.place.line.unwrap() >= 2, "{error}");
        for text in [
            "a: &x [*x]\n",
            "a: !!python/object 1\n",
            "<<: {a: 1}\n",
            "a: 1\n---\nb: 2\n",
        ] {
            assert!(parse("p.yaml", text.as_bytes()).is_err(), "{text:?}");
        }
        let bomb = format!("a: &a [x,x,x,x,x,x,x,x,x]\n{}", ('b'..'k').fold(String::new(), |text, name| {
            let before = char::from(name as u8 - 1);
            text + &format!("{name}: &{name} [*{before},*{before},*{before},*{before},*{before},*{before},*{before},*{before},*{before}]\n")
        }));
        assert!(parse("p.yaml", bomb.as_bytes()).is_err());
        assert!(parse("p.yaml", "[".repeat(100_000).as_bytes()).is_err());
    }
}
