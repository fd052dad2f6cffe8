//! Reading a tree into a typed shape, collecting everything that is wrong on the way.
//!
//! A value of the wrong type is an error; a key that nobody here knows is a warning, since these are
//! other people's documents. Each method gives what it could read; whoever asked looks at the
//! findings last, and uses nothing of a document with an error.

use super::automation::Automation;
use super::shown::{Meanings, Meant};
use super::words::{Effect, Mode, Severity};
use crate::diagnostic::{Code, Diagnostic, Place, Severity as Gravity, suggestion};
use crate::policy::quantity::{Bytes, Cpu, Measure, Span, Threshold};
use crate::policy::source::problems::key_twice;
use crate::policy::source::{Entry, Kind, Node, Spot};
use crate::signals::json::position;
use crate::signals::members::ENOUGH;

/// A document on its way into its shape.
pub(super) struct Reader<'d> {
    file: &'d str,
    text: &'d str,
    root: Option<&'d Node>,
    findings: Vec<Diagnostic>,
    meanings: Meanings,
}

/// A group of entries, as several kinds of documents have them.
#[derive(Debug, Clone, PartialEq)]
pub struct Group<T> {
    /// Its name.
    pub name: String,
    /// Its entries in their order.
    pub entries: Vec<T>,
}

impl<'d> Reader<'d> {
    /// A reader of a text, and of the tree that it gave where it is no program. Keys that stand
    /// there twice are found at once.
    pub(super) fn new(file: &'d str, text: &'d str, root: Option<&'d Node>) -> Self {
        let mut reader = Self {
            file,
            text,
            root,
            findings: Vec::new(),
            meanings: Meanings::new(),
        };
        for entry in root.map(Node::repeated_keys).unwrap_or_default() {
            reader.find_key(entry, |place| key_twice(place, &entry.key));
        }
        reader
    }

    /// The warnings of a document that can be used, with what its texts mean, or all findings of
    /// one that can't.
    pub(super) fn finish(self) -> Result<(Vec<Diagnostic>, Meanings), Vec<Diagnostic>> {
        let is_error = |finding: &Diagnostic| finding.severity() == Gravity::Error;
        if self.findings.iter().any(is_error) {
            return Err(self.findings);
        }
        Ok((self.findings, self.meanings))
    }

    /// Adds a finding about a value.
    pub(super) fn find(&mut self, node: &Node, make: impl FnOnce(Place) -> Diagnostic) {
        self.find_value(node.spot, node, make);
    }

    /// Adds a finding about a key.
    pub(super) fn find_key(&mut self, entry: &Entry, make: impl FnOnce(Place) -> Diagnostic) {
        self.find_value(entry.spot, &entry.value, make);
    }

    /// Adds a finding about a byte of the text.
    pub(super) fn find_at(&mut self, at: usize, make: impl FnOnce(Place) -> Diagnostic) {
        if self.has_room() {
            let (line, column) = position(self.text.as_bytes(), at);
            let place = Spot { line, column }.place(self.file, "$");
            self.findings.push(make(place));
        }
    }

    fn find_value(&mut self, spot: Spot, node: &Node, make: impl FnOnce(Place) -> Diagnostic) {
        if self.has_room() {
            let place = spot.place(self.file, &self.path(node));
            self.findings.push(make(place));
        }
    }

    fn has_room(&self) -> bool {
        self.findings.len() < ENOUGH
    }

    fn path(&self, node: &Node) -> String {
        self.root.map_or("$".to_owned(), |root| root.path_to(node))
    }

    /// The value's name in a message.
    fn name(&self, node: &Node) -> String {
        let path = self.path(node);
        if path == "$" {
            return "the document".to_owned();
        }
        format!("`{}`", path.trim_start_matches("$."))
    }

    fn wrong(&mut self, node: &Node, expected: &str, help: &str) {
        let name = self.name(node);
        self.find(node, |place| {
            Diagnostic::new(
                Code::ValueType,
                place,
                format!("{name} is of another kind than expected"),
            )
            .found(node.in_words())
            .expected(expected)
            .help(help)
        });
    }

    /// A mapping with some keys; others are warned of.
    pub(super) fn map<'n>(&mut self, node: &'n Node, known: &[&str]) -> Option<&'n Node> {
        let members = self.open_map(node)?;
        for member in members {
            if !known.contains(&member.key.as_str()) {
                self.unread(member, known);
            }
        }
        Some(node)
    }

    /// A mapping whose keys are names.
    pub(super) fn open_map<'n>(&mut self, node: &'n Node) -> Option<&'n [Entry]> {
        if let Kind::Map(members) = &node.kind {
            return Some(members);
        }
        self.wrong(
            node,
            "a mapping: keys with values",
            "indent the keys below it, each with a colon",
        );
        None
    }

    fn unread(&mut self, member: &Entry, known: &[&str]) {
        let key = &member.key;
        self.find_key(member, |place| {
            Diagnostic::new(
                Code::KeyUnread,
                place,
                format!("the key `{key}` means nothing here"),
            )
            .found(format!("`{key}`"))
            .expected(format!("one of {}", known.join(", ")))
            .help(suggestion(key, known.iter().copied()).unwrap_or_else(|| {
                "leave it if another program reads it; here it is shown and not read".to_owned()
            }))
        });
    }

    /// The value of a key that has to be there.
    pub(super) fn needed<'n>(&mut self, map: &'n Node, key: &str) -> Option<&'n Node> {
        let found = map.get(key);
        if found.is_none() {
            let whose = self.name(map);
            self.find(map, |place| {
                let names: Vec<&str> = map
                    .entries()
                    .iter()
                    .map(|member| member.key.as_str())
                    .collect();
                Diagnostic::new(Code::KeyMissing, place, format!("{whose} has no `{key}`"))
                    .found(match names.as_slice() {
                        [] => "no keys".to_owned(),
                        names => format!("the keys {}", names.join(", ")),
                    })
                    .expected(format!("`{key}`"))
                    .help(format!("add `{key}: …`"))
            });
        }
        found
    }

    /// Text.
    pub(super) fn text(&mut self, node: Option<&Node>) -> Option<String> {
        let node = node?;
        match &node.kind {
            Kind::Text(text) => return Some(text.trim().to_owned()),
            Kind::Number(_) | Kind::Bool(_) => self.wrong(node, "text", "put it in quotes"),
            _ => self.wrong(node, "text", "write a text"),
        }
        None
    }

    /// Text that has to be there and to say something.
    pub(super) fn needed_text(&mut self, map: &Node, key: &str) -> String {
        let node = self.needed(map, key);
        let text = self.text(node);
        if let (Some(""), Some(node)) = (text.as_deref(), node) {
            let name = self.name(node);
            self.find(node, |place| {
                Diagnostic::new(Code::ValueType, place, format!("{name} says nothing"))
                    .found("an empty text")
                    .expected("a text")
                    .help(format!("write what `{key}` is, or remove the entry"))
            });
        }
        text.unwrap_or_default()
    }

    /// True or false.
    pub(super) fn flag(&mut self, node: Option<&Node>) -> Option<bool> {
        let node = node?;
        if let Kind::Bool(flag) = node.kind {
            return Some(flag);
        }
        self.wrong(node, "true or false", "write true or false, without quotes");
        None
    }

    /// A whole number from 0 on.
    pub(super) fn whole(&mut self, node: Option<&Node>) -> Option<u64> {
        let node = node?;
        let number = match &node.kind {
            Kind::Number(number) => number.as_u64(),
            _ => None,
        };
        if number.is_none() {
            self.wrong(
                node,
                "a whole number from 0 on",
                "write the number, without quotes or a unit",
            );
        }
        number
    }

    /// A list.
    pub(super) fn list<'n>(&mut self, node: Option<&'n Node>) -> &'n [Node] {
        let Some(node) = node else { return &[] };
        if let Kind::List(items) = &node.kind {
            return items;
        }
        self.wrong(
            node,
            "a list",
            "begin each entry with `- `, or write it in brackets",
        );
        &[]
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, node: Option<&Node>) -> Vec<String> {
        let items = self.list(node);
        items
            .iter()
            .filter_map(|item| self.text(Some(item)))
            .collect()
    }

    /// The names of automations, each a known one.
    pub(super) fn automations(&mut self, node: Option<&Node>) -> Vec<Automation> {
        let words: Vec<(&str, Automation)> = Automation::ALL
            .iter()
            .map(|automation| (automation.as_str(), *automation))
            .collect();
        let items = self.list(node);
        let mut known = Vec::new();
        for item in items {
            known.extend(self.word(item, &words, false));
        }
        known
    }

    /// One of some words; the case counts unless `any_case`.
    fn word<T: Copy>(&mut self, node: &Node, words: &[(&str, T)], any_case: bool) -> Option<T> {
        let text = self.text(Some(node))?;
        let asked = if any_case {
            text.to_lowercase()
        } else {
            text.clone()
        };
        let found = words.iter().find(|(word, _)| *word == asked);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let name = self.name(node);
            self.find(node, |place| {
                Diagnostic::new(
                    Code::ValueUnknown,
                    place,
                    format!("{name} is no word that is known here"),
                )
                .found(format!("`{text}`"))
                .expected(format!("one of {}", known.join(", ")))
                .help(
                    suggestion(&text, known)
                        .unwrap_or_else(|| "write one of these words".to_owned()),
                )
            });
        }
        found.map(|(_, meant)| *meant)
    }

    /// How strictly; less than strict is warned of (row C-53).
    pub(super) fn mode(&mut self, node: Option<&Node>) -> Option<Mode> {
        let node = node?;
        let mode = self.word(node, &Mode::WORDS, false)?;
        if mode != Mode::Strict {
            let what = match mode {
                Mode::Warn => "`warn` lets happen what breaks the rule, and says so",
                _ => "`monitor` lets happen what breaks the rule, and records it",
            };
            self.weak(node, what, "`strict`");
        }
        Some(mode)
    }

    /// Warns of enforcement that is less than strict.
    pub(super) fn weak(&mut self, node: &Node, what: &str, expected: &str) {
        self.find(node, |place| {
            Diagnostic::new(Code::EnforcementWeak, place, what)
                .found(node.in_words())
                .expected(format!("{expected} outside of a trial"))
                .help("gates, the kill switch, journals and what is read here stay strict whatever this says")
        });
    }

    /// How grave; the case does not count (row C-52).
    pub(super) fn severity(&mut self, node: Option<&Node>) -> Option<Severity> {
        let node = node?;
        let severity = self.word(node, &Severity::WORDS, true)?;
        self.meanings
            .insert(node.index, Meant::Word(severity.as_str()));
        Some(severity)
    }

    /// Allow or deny.
    pub(super) fn effect(&mut self, node: Option<&Node>) -> Option<Effect> {
        self.word(node?, &Effect::WORDS, false)
    }

    /// A length of time.
    pub(super) fn span(&mut self, node: Option<&Node>) -> Option<Span> {
        self.quantity(node, Span::EXPECTED, Span::EXAMPLE, |text| {
            Span::parse(text).map(|span| (span, span.measure(text)))
        })
    }

    /// A share of processors.
    pub(super) fn cpu(&mut self, node: Option<&Node>) -> Option<Cpu> {
        self.quantity(node, Cpu::EXPECTED, Cpu::EXAMPLE, |text| {
            Cpu::parse(text).map(|cpu| (cpu, cpu.measure(text)))
        })
    }

    /// A number of bytes.
    pub(super) fn bytes(&mut self, node: Option<&Node>) -> Option<Bytes> {
        self.quantity(node, Bytes::EXPECTED, Bytes::EXAMPLE, |text| {
            Bytes::parse(text).map(|bytes| (bytes, bytes.measure(text)))
        })
    }

    /// A threshold.
    pub(super) fn threshold(&mut self, node: Option<&Node>) -> Option<Threshold> {
        self.quantity(node, Threshold::EXPECTED, Threshold::EXAMPLE, |text| {
            let threshold = Threshold::parse(text)?;
            let measure = threshold.measure(text);
            Some((threshold, measure))
        })
    }

    /// A quantity: a text, or a plain number where its form allows one.
    fn quantity<T>(
        &mut self,
        node: Option<&Node>,
        expected: &str,
        example: &str,
        parse: impl FnOnce(&str) -> Option<(T, Measure)>,
    ) -> Option<T> {
        let node = node?;
        let written = match &node.kind {
            Kind::Text(text) => text.trim().to_owned(),
            Kind::Number(number) => number.to_string(),
            _ => {
                self.wrong(node, expected, &format!("write {example}, say"));
                return None;
            }
        };
        if let Some((quantity, measure)) = parse(&written) {
            self.meanings.insert(node.index, Meant::Quantity(measure));
            return Some(quantity);
        }
        let name = self.name(node);
        self.find(node, |place| {
            Diagnostic::new(
                Code::QuantityUnreadable,
                place,
                format!("{name} can't be read as a quantity"),
            )
            .found(format!("`{written}`"))
            .expected(expected)
            .help(format!("write {example}, say"))
        });
        None
    }

    /// Lists of entries by the names of their groups: some known ones, or any where none is given.
    pub(super) fn groups<T>(
        &mut self,
        node: &Node,
        known: &[&str],
        mut entry: impl FnMut(&mut Self, &Node) -> Option<T>,
    ) -> Vec<Group<T>> {
        let named = if known.is_empty() {
            self.open_map(node).map(|_| node)
        } else {
            self.map(node, known)
        };
        let Some(node) = named else {
            return Vec::new();
        };
        let mut groups = Vec::new();
        for member in node.entries() {
            let items = self.list(Some(&member.value));
            self.names_once(items);
            groups.push(Group {
                name: member.key.clone(),
                entries: items.iter().filter_map(|item| entry(self, item)).collect(),
            });
        }
        groups
    }

    /// Refuses entries whose `name` another before them has.
    pub(super) fn names_once(&mut self, items: &[Node]) {
        let mut seen = std::collections::BTreeSet::new();
        for node in items.iter().filter_map(|item| item.get("name")) {
            let Kind::Text(text) = &node.kind else {
                continue;
            };
            if !seen.insert(text.as_str()) {
                self.find(node, |place| {
                    Diagnostic::new(
                        Code::NameDuplicate,
                        place,
                        format!("two entries are called `{}`", text.trim()),
                    )
                    .found(format!("`{}` again", text.trim()))
                    .expected("a name of its own for each entry")
                    .help("rename one of the two")
                });
            }
        }
    }
}
