//! A document that a person wrote, YAML or JSON, as a tree whose every value knows its place.
//!
//! JSON is read as the YAML that it is, by the same parser, so that a document means the same in
//! both forms. Keys that stand there twice are kept: whoever makes a shape of the tree finds them,
//! together with all else that is wrong, in one go; for our own documents that is [`collect`], for
//! those of other systems the catalogue's reader. What the keys mean is the business of each document.

pub mod checks;
pub mod collect;
mod fault;
mod field;
mod lines;
mod parser;
pub mod problems;
mod refusal;
pub mod scalar;

pub(super) use lines::Lines;

use serde::de::Unexpected;
use serde_json::Number;

use crate::diagnostic::{Checked, Place};
use crate::signals::json::not_utf8;

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

/// A value of the document.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Where it begins.
    pub spot: Spot,
    /// How many values of the document begin before it.
    pub index: usize,
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
    Number(Number),
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

impl Node {
    /// The value of a document without any.
    pub fn nothing() -> Self {
        Self {
            kind: Kind::Null,
            spot: Spot::START,
            index: 0,
        }
    }

    /// The keys with their values, where it has such.
    pub fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let entry = self.entries().iter().find(|entry| entry.key == key);
        entry.map(|entry| &entry.value)
    }

    /// The text without blanks around it, where it is one.
    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text.trim()),
            _ => None,
        }
    }

    /// Names it for a person.
    pub fn in_words(&self) -> String {
        match &self.kind {
            Kind::Number(number) => format!("the number {number}"),
            _ => fault::in_words(self.unexpected()),
        }
    }

    /// Names it for serde.
    fn unexpected(&self) -> Unexpected<'_> {
        match &self.kind {
            Kind::Null => Unexpected::Unit,
            Kind::Bool(value) => Unexpected::Bool(*value),
            Kind::Number(number) => Unexpected::Float(number.as_f64().unwrap_or_default()),
            Kind::Text(text) => Unexpected::Str(text),
            Kind::List(_) => Unexpected::Seq,
            Kind::Map(_) => Unexpected::Map,
        }
    }

    /// The path from this value to one below it: `$.rules[1].effect`. Reading makes none for every
    /// value, since few are ever shown.
    pub fn path_to(&self, below: &Self) -> String {
        let mut path = "$".to_owned();
        let mut here = self;
        while here.index < below.index {
            // Values are counted as they are written, so the last that does not begin behind it
            // is the one that it is in.
            let next = match &here.kind {
                Kind::List(items) => {
                    let behind = items.partition_point(|item| item.index <= below.index);
                    let index = behind.saturating_sub(1);
                    items.get(index).map(|item| (format!("[{index}]"), item))
                }
                _ => {
                    let entries = here.entries();
                    let behind = entries.partition_point(|entry| entry.value.index <= below.index);
                    let entry = entries.get(behind.saturating_sub(1));
                    entry.map(|entry| (format!(".{}", entry.key), &entry.value))
                }
            };
            let Some((step, value)) = next else { break };
            path.push_str(&step);
            here = value;
        }
        path
    }

    /// The keys that stand there before in their object, with all that is below.
    pub fn repeated_keys(&self) -> Vec<&Entry> {
        let mut seen = std::collections::BTreeSet::new();
        let mut repeated = Vec::new();
        for entry in self.entries() {
            if !seen.insert(entry.key.as_str()) {
                repeated.push(entry);
            }
            repeated.extend(entry.value.repeated_keys());
        }
        if let Kind::List(items) = &self.kind {
            repeated.extend(items.iter().flat_map(Self::repeated_keys));
        }
        repeated
    }
}

/// The text of a document, without a byte-order mark.
pub(super) fn text<'b>(file: &str, bytes: &'b [u8]) -> Checked<&'b str> {
    let bare = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bare).map_err(|error| {
        let finding = not_utf8(file, bare, error.valid_up_to());
        Box::new(finding.help("save the document as UTF-8"))
    })
}

/// Reads a document. `None` for one of nothing but blanks and comments.
///
/// Fails with the first place where the text is no YAML; what an alias could blow up is bounded by
/// the parser's budget.
pub fn parse(file: &str, bytes: &[u8]) -> Checked<Option<Node>> {
    parse_text(file, text(file, bytes)?)
}

/// As [`parse`], of a text that was looked at already.
pub(super) fn parse_text(file: &str, text: &str) -> Checked<Option<Node>> {
    parser::parse(file, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Code;

    fn node(text: &str) -> Node {
        parse("policy/policy.yaml", text.as_bytes())
            .unwrap()
            .unwrap()
    }

    fn member<'n>(node: &'n Node, key: &str) -> &'n Node {
        node.get(key).unwrap()
    }

    #[test]
    fn values_know_their_place_and_kind() {
        let node = node("a: 1\nb:\n  - x: yes\n    ä: ö\n    é: \"95\"\nc: 1e3\nd: true\ne: ~\n");
        assert_eq!(member(&node, "a").kind, Kind::Number(1.into()));
        assert_eq!(member(&node, "a").spot, Spot { line: 1, column: 4 });
        let Kind::List(items) = &member(&node, "b").kind else {
            panic!()
        };
        assert_eq!(member(&items[0], "x").kind, Kind::Text("yes".into()));
        // Bytes, as in every other place.
        assert_eq!(member(&items[0], "é").spot, Spot { line: 5, column: 9 });
        assert_eq!(member(&items[0], "é").kind, Kind::Text("95".into()));
        assert_eq!(
            member(&node, "c").kind,
            Kind::Number(Number::from_f64(1000.0).unwrap())
        );
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
    #[test]
    fn a_path_leads_to_every_value() {
        fn all<'n>(node: &'n Node, path: &str, found: &mut Vec<(&'n Node, String)>) {
            found.push((node, path.to_owned()));
            for entry in node.entries() {
                all(&entry.value, &format!("{path}.{}", entry.key), found);
            }
            if let Kind::List(items) = &node.kind {
                for (index, item) in items.iter().enumerate() {
                    all(item, &format!("{path}[{index}]"), found);
                }
            }
        }
        let root = node("a: [[], [1, {b: 2, c: {}}], 3]\nd: &x {e: [~]}\nf: *x\ng:\n");
        let mut found = Vec::new();
        all(&root, "$", &mut found);
        assert_eq!(found.len(), 16);
        for (place, (node, path)) in found.into_iter().enumerate() {
            assert_eq!((node.index, root.path_to(node)), (place, path));
        }
    }

    #[test]
    fn keys_that_stand_there_twice_are_found_at_every_depth() {
        let root = node("a: 1\nb: [{c: 1, c: 2}]\na: {d: 1}\n\"a\": 3\ne: {a: 1, d: 2}\n");
        let repeated: Vec<String> = root
            .repeated_keys()
            .into_iter()
            .map(|entry| root.path_to(&entry.value))
            .collect();
        assert_eq!(repeated, ["$.b[0].c", "$.a", "$.a"]);
        assert_eq!(root.get("a").unwrap().in_words(), "the number 1");
    }

    #[test]
    fn small_files_stay_small() {
        let refused = |text: &str| parse("p.yaml", text.as_bytes()).unwrap_err();
        let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse("p.yaml", deep(39).as_bytes()).is_ok());
        for text in [deep(60), "- a\n".repeat(150_000)] {
            let refusal = refused(&text);
            assert_eq!(
                refusal.expected.as_deref(),
                Some("at most 100000 values, 40 levels and 1000 aliases"),
                "{refusal}"
            );
        }
    }
}
