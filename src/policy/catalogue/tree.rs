//! YAML as a tree whose values know where they stand.
//!
//! A document is read into this tree first and into its typed shape then, so that all that is wrong
//! with it is told at once; serde alone would stop at the first value. Limits keep a small file from
//! becoming a large tree. JSON is read as the YAML that it is.

use std::cell::OnceCell;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Error, Location, Options, Spanned};

use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::policy::quantity::Measure;
use crate::signals::json::position;

/// The longest path that a value remembers, in characters; more is never shown.
const PATH: usize = 110;

/// A value and its place.
#[derive(Debug)]
pub(super) struct Node {
    /// What it is.
    pub(super) value: Value,
    /// Where it begins: the byte of the text.
    pub(super) at: usize,
    /// Which value it is: `$.rules[1].effect`.
    pub(super) path: String,
    /// What it was found to mean, where that is not what stands there.
    pub(super) meant: OnceCell<Meant>,
}

/// The meaning of a text.
#[derive(Debug)]
pub(super) enum Meant {
    /// A quantity.
    Quantity(Measure),
    /// A word in the form that we write.
    Word(&'static str),
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Value {
    Null,
    Flag(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A member of a map.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Where the key begins.
    pub(super) at: usize,
    pub(super) node: Node,
}

impl Node {
    /// The members, where it is a map.
    pub(super) fn members(&self) -> &[Entry] {
        match &self.value {
            Value::Map(members) => members,
            _ => &[],
        }
    }

    /// The member of a name.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let member = self.members().iter().find(|member| member.key == key);
        member.map(|member| &member.node)
    }

    /// The text, where it is one.
    pub(super) fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text.trim()),
            _ => None,
        }
    }

    /// Names it for a person.
    pub(super) fn kind(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Flag(flag) => format!("`{flag}`"),
            Value::Number(number) => format!("the number {number}"),
            Value::Text(text) => format!("the text `{}`", text.trim()),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
        }
    }
}

/// The place of a byte of a text, for a finding.
pub(super) fn place(file: &str, text: &str, at: usize, path: &str) -> Place {
    let (line, column) = position(text.as_bytes(), at);
    let place = Place::line(file, line).column(column);
    if path == "$" { place } else { place.path(path) }
}

/// Reads a text. One without a value is `Null`.
pub(super) fn read(file: &str, text: &str) -> Checked<Node> {
    match serde_saphyr::from_str_with_options::<Raw>(text, options()) {
        Ok(raw) => Ok(node(raw, "$".to_owned())),
        Err(error) => Err(refused(file, text, &error)),
    }
}

/// What a plain scalar means follows YAML 1.2: `yes` is a word. The numbers bound time and memory.
fn options() -> Options {
    serde_saphyr::options! {
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
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

fn refused(file: &str, text: &str, error: &Error) -> Box<Diagnostic> {
    let error = error.without_snippet();
    let line = error.location().filter(|known| known.line() > 0);
    let at = line.and_then(|location| usize::try_from(location.span().byte_offset()?).ok());
    let place = match (at, line) {
        (Some(at), _) => place(file, text, at, "$"),
        (None, Some(line)) => Place::line(file, line.line()).column(line.column().max(1)),
        (None, None) => Place::line(file, 1).column(1),
    };
    let refuse = |code, message: &str| Diagnostic::new(code, place.clone(), message);
    let refusal = match error {
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or("?");
            let message = format!("the key `{key}` stands there twice");
            refuse(Code::KeyDuplicate, &message)
                .found(format!("`{key}` twice in one mapping"))
                .expected("every key once")
                .help("remove one of the two")
        }
        Error::MultipleDocuments { .. } => refuse(Code::YamlSyntax, "the file holds more than one document")
            .found("a second document")
            .expected("one document in a file")
            .help("put each document into a file of its own"),
        Error::MergeKeyNotAllowed { .. } => refuse(Code::YamlSyntax, "`<<` is not merged here")
            .found("the merge key `<<`")
            .expected("every key written where it belongs")
            .help("write the keys out"),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. } => refuse(Code::YamlSyntax, "the document is too large once it is read")
            .found("more values, levels or aliases than a document for people has")
            .expected("at most 100000 values, 40 levels and 1000 aliases")
            .help("split the document, and write out what its aliases stand for"),
        error => refuse(Code::YamlSyntax, "this is no well-formed YAML")
            .found(first_line(&error.to_string()))
            .expected("one YAML or JSON document: `key: value` lines, indented with blanks")
            .help("look at the line and the one before it: a quote, a colon or an indentation is wrong"),
    };
    Box::new(refusal)
}

/// The parser's own words, without the position that the finding has already.
fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let bare = line.split(" at line ").next().unwrap_or(line);
    bare.split(": line ")
        .next()
        .unwrap_or(bare)
        .trim()
        .to_owned()
}

fn node(Raw(raw): Raw, path: String) -> Node {
    let at = offset(raw.defined);
    let value = match raw.value {
        RawValue::Null => Value::Null,
        RawValue::Flag(flag) => Value::Flag(flag),
        RawValue::Number(number) => Value::Number(number),
        RawValue::Text(text) => Value::Text(text),
        RawValue::List(list) => {
            let item = |(index, raw)| node(raw, clipped(format!("{path}[{index}]")));
            Value::List(list.into_iter().enumerate().map(item).collect())
        }
        RawValue::Map(members) => {
            let member = |(key, raw): (Spanned<String>, Raw)| Entry {
                at: offset(key.defined),
                node: node(raw, clipped(format!("{path}.{}", key.value))),
                key: key.value,
            };
            Value::Map(members.into_iter().map(member).collect())
        }
    };
    Node {
        value,
        at,
        path,
        meant: OnceCell::new(),
    }
}

fn offset(location: Location) -> usize {
    let offset = location.span().byte_offset();
    offset
        .and_then(|offset| usize::try_from(offset).ok())
        .unwrap_or_default()
}

fn clipped(path: String) -> String {
    if path.len() <= PATH {
        return path;
    }
    path.chars().take(PATH).collect()
}

/// A value as serde hands it over.
struct Raw(Spanned<RawValue>);

enum RawValue {
    Null,
    Flag(bool),
    Number(Number),
    Text(String),
    List(Vec<Raw>),
    Map(Vec<(Spanned<String>, Raw)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for RawValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = RawValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<RawValue, E> {
        Ok(RawValue::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<RawValue, E> {
        Ok(RawValue::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<RawValue, E> {
        Ok(RawValue::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<RawValue, E> {
        Ok(RawValue::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<RawValue, E> {
        // What is no number never comes here: the options make it a text.
        Ok(Number::from_f64(number).map_or(RawValue::Null, RawValue::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<RawValue, E> {
        Ok(RawValue::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<RawValue, E> {
        Ok(RawValue::Text(text))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut elements: S) -> Result<RawValue, S::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            list.push(element);
        }
        Ok(RawValue::List(list))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<RawValue, M::Error> {
        let mut map = Vec::new();
        while let Some(member) = members.next_entry()? {
            map.push(member);
        }
        Ok(RawValue::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Node {
        read("a.yaml", text).unwrap()
    }

    fn error(text: &str) -> Diagnostic {
        *read("a.yaml", text).unwrap_err()
    }

    #[test]
    fn values_know_where_they_stand() {
        let text = "é: 1\nlist:\n  - a: [x, 'yes', yes]\n    b: 1.50\n";
        let tree = whole(text);
        let first = &tree.members()[1];
        assert_eq!(
            (first.key.as_str(), &text[first.at..first.at + 4]),
            ("list", "list")
        );
        let Value::List(items) = &first.node.value else {
            panic!()
        };
        let b = items[0].get("b").unwrap();
        assert_eq!(
            (b.path.as_str(), &text[b.at..b.at + 4]),
            ("$.list[0].b", "1.50")
        );
        let Value::List(words) = &items[0].get("a").unwrap().value else {
            panic!()
        };
        assert!(matches!(&words[1].value, Value::Text(word) if word == "yes"));
        assert!(matches!(&words[2].value, Value::Text(word) if word == "yes"));
        assert_eq!(tree.get("é").unwrap().kind(), "the number 1");
    }

    #[test]
    fn json_is_read_too() {
        let tree = whole("{\n\t\"a\": [true, null, -1, \"x\\u00e9\"]\n}\n");
        let Value::List(items) = &tree.get("a").unwrap().value else {
            panic!()
        };
        let kinds: Vec<String> = items.iter().map(Node::kind).collect();
        assert_eq!(
            kinds,
            ["`true`", "nothing", "the number -1", "the text `xé`"]
        );
    }

    #[test]
    fn an_alias_stands_for_its_value() {
        let tree = whole("a: &x {n: 1}\nb: *x\n");
        assert_eq!(
            tree.get("b").unwrap().get("n").unwrap().kind(),
            "the number 1"
        );
    }

    #[test]
    fn what_is_no_document_is_refused_at_its_place() {
        let cases = [
            ("a: 1\na: 2\n", Code::KeyDuplicate, 2),
            ("a: 1\n---\nb: 2\n", Code::YamlSyntax, 3),
            ("a: [1\nb: 2\n", Code::YamlSyntax, 2),
            ("a: 'x\n", Code::YamlSyntax, 2),
            ("a:\n\t- b\n", Code::YamlSyntax, 2),
            ("a: &x {n: 1}\nb:\n  <<: *x\n", Code::YamlSyntax, 3),
            ("a: *nobody\n", Code::YamlSyntax, 1),
            ("a: !secret x\n", Code::YamlSyntax, 1),
        ];
        for (text, code, line) in cases {
            let error = error(text);
            assert_eq!(
                (error.code, error.place.line),
                (code, Some(line)),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn small_files_stay_small() {
        let deep = format!("{}1{}", "[".repeat(60), "]".repeat(60));
        assert_eq!(error(&deep).code, Code::YamlSyntax);
        let mut bomb = String::from("a: &a [1,1,1,1,1,1,1,1,1,1]\n");
        for (name, before) in ["b", "c", "d", "e", "f"]
            .iter()
            .zip(["a", "b", "c", "d", "e"])
        {
            let ten = vec![format!("*{before}"); 10].join(",");
            bomb.push_str(&format!("{name}: &{name} [{ten}]\n"));
        }
        assert_eq!(error(&bomb).code, Code::YamlSyntax);
        assert_eq!(error(&"- a\n".repeat(150_000)).code, Code::YamlSyntax);
    }
}
