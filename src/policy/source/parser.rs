//! From the text of a document to its tree: the one place where YAML is parsed, with its limits.
//! What the parser says of a text that is no YAML is put into words in [`super::refusal`].

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_saphyr::{
    DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy, Options, Spanned, options,
};

use super::lines::Lines;
use super::{Entry, Kind, Node, refusal};
use crate::diagnostic::Checked;

/// Reads a text. `None` for one of nothing but blanks and comments.
pub(super) fn parse(file: &str, text: &str) -> Checked<Option<Node>> {
    let lines = Lines::of(text);
    match serde_saphyr::from_str_with_options::<Option<Raw>>(text, reading()) {
        Ok(raw) => Ok(raw.map(|raw| raw.into_node(&lines, &mut 0))),
        Err(error) => Err(refusal::syntax(file, &lines, &error)),
    }
}

/// The numbers bound time and memory: a small file must not become a large tree. A plain word is
/// what YAML 1.2 makes of it: `yes` is text.
fn reading() -> Options {
    options! {
        budget: serde_saphyr::budget! {
            max_events: 200_000,
            max_nodes: 100_000,
            max_depth: 40,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_documents: 16,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 20_000,
            max_replay_stack_depth: 16,
        },
        // Both of two equal keys come through, and are told apart with their places.
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        merge_keys: MergeKeyPolicy::Error,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
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
    Number(Number),
    Text(String),
    List(Vec<Raw>),
    Map(Vec<(Spanned<String>, Raw)>),
}

impl Raw {
    /// `begun` counts the values that begin before this one.
    fn into_node(self, lines: &Lines<'_>, begun: &mut usize) -> Node {
        let index = *begun;
        *begun += 1;
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
                    .map(|item| item.into_node(lines, begun))
                    .collect(),
            ),
            RawKind::Map(entries) => Kind::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| Entry {
                        spot: lines.spot(key.referenced.line(), key.referenced.column()),
                        key: key.value,
                        value: value.into_node(lines, begun),
                    })
                    .collect(),
            ),
        };
        Node { kind, spot, index }
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

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<RawKind, E> {
                Ok(RawKind::Number(value.into()))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<RawKind, E> {
                Ok(RawKind::Number(value.into()))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<RawKind, E> {
                let infinite = || RawKind::Text(value.to_string());
                Ok(Number::from_f64(value).map_or_else(infinite, RawKind::Number))
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
