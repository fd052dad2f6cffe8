//! A document that a person wrote, YAML or JSON, as a tree whose every value knows its place.
//!
//! JSON is read as the YAML that it is, by the same parser, so that a document means the same in
//! both forms. Keys that stand there twice are kept: [`collect`] finds them, together with all else
//! that is wrong, in one go. What the keys mean is the business of each document.

pub mod collect;
pub mod scalar;

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, MergeKeyPolicy, Options, Spanned, options};

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
    /// The spot as a place in a file, narrowed to a value of the document.
    pub fn place(self, file: &str, path: &str) -> Place {
        let place = Place::line(file, self.line.max(1)).column(self.column.max(1));
        if path == "$" { place } else { place.path(path) }
    }
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
    /// A number.
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

/// Reads a document. `None` for one of nothing but blanks and comments.
///
/// Fails with the first place where the text is no YAML; what an alias could blow up is bounded by
/// the parser's budget.
pub fn parse(file: &str, bytes: &[u8]) -> Checked<Option<Node>> {
    let bare = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text =
        std::str::from_utf8(bare).map_err(|error| not_utf8(file, bare, error.valid_up_to()))?;
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
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

fn not_utf8(file: &str, bytes: &[u8], valid: usize) -> Box<Diagnostic> {
    let before = bytes.get(..valid).unwrap_or_default();
    let line = memchr::memchr_iter(b'\n', before).count() as u64 + 1;
    let finding = Diagnostic::new(
        Code::NotUtf8,
        Place::line(file, line),
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
    let spot = error
        .location()
        .map_or(Spot { line: 1, column: 1 }, |location| {
            lines.spot(location.line(), location.column())
        });
    let message = error.to_string();
    let what = message.lines().next().unwrap_or_default();
    let what = what.split(" at line ").next().unwrap_or(what);
    let what = what
        .rsplit_once(" (line ")
        .map_or(what, |(before, _)| before);
    Box::new(
        Diagnostic::new(
            Code::YamlSyntax,
            spot.place(file, "$"),
            "this is no YAML that can be read",
        )
        .found(what)
        .expected("one YAML 1.2 or JSON document without merge keys and tags")
        .help("look at the indentation, and put text with special characters in quotes"),
    )
}

/// The lines of a text, to turn a character of a line into a byte.
struct Lines<'t>(Vec<&'t str>);

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        Self(text.split('\n').collect())
    }

    fn spot(&self, line: u64, character: u64) -> Spot {
        let index = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
        let text = self.0.get(index).copied().unwrap_or_default();
        let before = usize::try_from(character.saturating_sub(1)).unwrap_or(usize::MAX);
        let bytes: usize = text.chars().take(before).map(char::len_utf8).sum();
        Spot {
            line,
            column: bytes as u64 + 1,
        }
    }
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
            RawKind::Number(value) => Kind::Number(value),
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
