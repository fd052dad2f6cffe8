//! From a [`Node`] to a shape, with every problem of the document and its place, in one go.
//!
//! A derived `Deserialize` stops at the first problem. Here a member of a shape is a [`Field`]: what
//! is wrong behind it is written down with its place, the field is [`State::Bad`], and reading goes
//! on. Keys that mean nothing or stand there twice are found on the way, since serde tells the
//! deserialiser which ones a shape has. What values mean is checked by whoever asked.

use std::cell::RefCell;

use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};

pub use super::field::{Entries, Field, State};
pub use super::scalar::Scalar;

use super::fault::Fault;
use super::field::FIELD;
use super::problems::{Problems, key_twice};
use super::{Entry, Kind, Node, Spot};
use crate::diagnostic::{Code, Diagnostic, Place, nearest};

/// A list whose items are each checked by themselves.
pub type List<T> = Field<Vec<Field<T>>>;

/// Reads the shape of a document, with what is wrong so far. An empty document has all keys absent;
/// what is neither YAML nor JSON is an error.
pub fn document<'a, T: for<'de> Deserialize<'de>>(
    file: &'a str,
    bytes: &[u8],
) -> Result<(Field<T>, Problems<'a>), Vec<Diagnostic>> {
    let root = root(file, bytes)?;
    let mut found = Vec::new();
    let field = read(file, &root, &mut found);
    Ok((field, Problems::new(file, found)))
}

/// The root of a document, nothing where it is empty.
pub fn root(file: &str, bytes: &[u8]) -> Result<Node, Vec<Diagnostic>> {
    let root = super::parse(file, bytes).map_err(|problem| vec![*problem])?;
    Ok(root.unwrap_or_else(Node::nothing))
}

/// Reads a shape from a document's root. What is wrong is in `problems` afterwards.
pub fn read<T: for<'de> Deserialize<'de>>(
    file: &str,
    root: &Node,
    problems: &mut Vec<Diagnostic>,
) -> Field<T> {
    let sink = Sink {
        file,
        problems: RefCell::default(),
    };
    let reader = Reader {
        node: root,
        path: "$".to_owned(),
        sink: &sink,
    };
    // A field never fails: what is wrong behind it is written down.
    let field = Field::deserialize(reader).unwrap_or_default();
    problems.append(&mut sink.problems.borrow_mut());
    field
}

/// More problems than this in one document help nobody.
const ENOUGH: usize = 100;

struct Sink<'a> {
    file: &'a str,
    problems: RefCell<Vec<Diagnostic>>,
}

impl Sink<'_> {
    fn add(&self, spot: Spot, path: &str, make: impl FnOnce(Place) -> Diagnostic) {
        let mut problems = self.problems.borrow_mut();
        if problems.len() < ENOUGH {
            problems.push(make(spot.place(self.file, path)));
        }
    }
}

#[derive(Clone)]
struct Reader<'n> {
    node: &'n Node,
    path: String,
    sink: &'n Sink<'n>,
}

impl<'n> Reader<'n> {
    fn child(&self, node: &'n Node, step: &str) -> Self {
        Self {
            node,
            path: format!("{}{step}", self.path),
            sink: self.sink,
        }
    }

    /// The entries that a shape knows, each with its key; what is wrong with the keys is written
    /// down. One that is nearly a key that is not there is taken for it, so that its value is
    /// looked at and nobody is told that the key is missing.
    fn known(
        &self,
        entries: &'n [Entry],
        keys: &'static [&'static str],
    ) -> Vec<(&'n str, &'n Entry)> {
        let is_there = |key: &str| entries.iter().any(|entry| entry.key == key);
        let mut known: Vec<(&str, &Entry)> = Vec::new();
        let mut rest: Vec<&Entry> = Vec::new();
        for entry in entries {
            if keys.contains(&entry.key.as_str()) {
                rest.push(entry);
                continue;
            }
            let near = nearest(&entry.key, keys.iter().copied());
            self.refuse_key(entry, near, keys);
            let is_taken = |key: &str| known.iter().any(|(other, _)| *other == key);
            if let Some(near) = near.filter(|near| !is_taken(near) && !is_there(near)) {
                known.push((near, entry));
            }
        }
        known.extend(self.distinct(rest));
        known
    }

    fn refuse_key(&self, entry: &Entry, near: Option<&str>, keys: &[&str]) {
        let path = format!("{}.{}", self.path, entry.key);
        self.sink.add(entry.spot, &path, |place| {
            let help = near.map_or_else(
                || "remove the key".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            Diagnostic::new(
                Code::KeyUnknown,
                place,
                format!("the key `{}` means nothing here", entry.key),
            )
            .found(format!("`{}`", entry.key))
            .expected(format!("one of {}", keys.join(", ")))
            .help(help)
        });
    }

    /// The entries without those whose key stands there before; they are written down.
    fn distinct(&self, entries: impl IntoIterator<Item = &'n Entry>) -> Vec<(&'n str, &'n Entry)> {
        let mut seen = std::collections::BTreeSet::new();
        let mut distinct = Vec::new();
        for entry in entries {
            if seen.insert(entry.key.as_str()) {
                distinct.push((entry.key.as_str(), entry));
                continue;
            }
            let path = format!("{}.{}", self.path, entry.key);
            let sink = self.sink;
            sink.add(entry.spot, &path, |place| key_twice(place, &entry.key));
        }
        distinct
    }
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Bool(value) => visitor.visit_bool(*value),
            Kind::Number(number) => visitor.visit_f64(number.as_f64().unwrap_or_default()),
            Kind::Text(text) => visitor.visit_str(text),
            Kind::List(items) => visitor.visit_seq(Items {
                reader: &self,
                items: items.iter().enumerate(),
            }),
            Kind::Map(_) => Err(de::Error::invalid_type(self.node.unexpected(), &visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node.kind {
            Kind::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if name == FIELD {
            visitor.visit_seq(Parts {
                reader: self,
                given: 0,
            })
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let Kind::Map(entries) = &self.node.kind else {
            return Err(de::Error::invalid_type(
                self.node.unexpected(),
                &"keys and values",
            ));
        };
        let entries = self.known(entries, fields).into_iter();
        visitor.visit_map(Members {
            reader: &self,
            entries,
            value: None,
        })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Kind::Map(entries) = &self.node.kind else {
            return Err(de::Error::invalid_type(
                self.node.unexpected(),
                &"keys and values",
            ));
        };
        let entries = self.distinct(entries).into_iter();
        visitor.visit_map(Members {
            reader: &self,
            entries,
            value: None,
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.node.kind {
            Kind::Text(text) => visitor.visit_enum(Word(text)),
            _ => Err(de::Error::invalid_type(
                self.node.unexpected(),
                &"a word, as text",
            )),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct identifier ignored_any
    }
}

/// The parts of a field: line, column, path, value. A value that is wrong is left out.
struct Parts<'n> {
    reader: Reader<'n>,
    given: u8,
}

impl<'de> SeqAccess<'de> for Parts<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        self.given += 1;
        let spot = self.reader.node.spot;
        match self.given {
            1 => seed.deserialize(spot.line.into_deserializer()).map(Some),
            2 => seed.deserialize(spot.column.into_deserializer()).map(Some),
            3 => {
                let path = self.reader.path.as_str();
                seed.deserialize(path.into_deserializer()).map(Some)
            }
            _ => Ok(seed.deserialize(self.reader.clone()).map_or_else(
                |fault| {
                    let Reader { path, sink, .. } = &self.reader;
                    sink.add(spot, path, |place| fault.of(path).into_diagnostic(place));
                    None
                },
                Some,
            )),
        }
    }
}

struct Items<'r, 'n> {
    reader: &'r Reader<'n>,
    items: std::iter::Enumerate<std::slice::Iter<'n, Node>>,
}

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        let Some((index, node)) = self.items.next() else {
            return Ok(None);
        };
        let item = self.reader.child(node, &format!("[{index}]"));
        seed.deserialize(item).map(Some)
    }
}

struct Members<'r, 'n, I> {
    reader: &'r Reader<'n>,
    entries: I,
    value: Option<Reader<'n>>,
}

impl<'de, 'n, I: Iterator<Item = (&'n str, &'n Entry)>> MapAccess<'de> for Members<'_, 'n, I> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some((key, entry)) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some(self.reader.child(&entry.value, &format!(".{}", entry.key)));
        seed.deserialize(key.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        match self.value.take() {
            Some(reader) => seed.deserialize(reader),
            None => Err(de::Error::custom("a value was asked for before its key")),
        }
    }
}

/// A word that names a variant.
struct Word<'t>(&'t str);

impl<'de, 't> EnumAccess<'de> for Word<'t> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        let variant: de::value::StrDeserializer<'t, Fault> = self.0.into_deserializer();
        Ok((seed.deserialize(variant)?, self))
    }
}

impl<'de> VariantAccess<'de> for Word<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _seed: T) -> Result<T::Value, Fault> {
        Err(de::Error::custom("a word can carry no value"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, _visitor: V) -> Result<V::Value, Fault> {
        Err(de::Error::custom("a word can carry no value"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Fault> {
        Err(de::Error::custom("a word can carry no value"))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::super::parse;
    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Shape {
        name: Field<String>,
        size: Field<f64>,
        parts: Field<Vec<Field<Part>>>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Part {
        kind: Field<Word>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Word {
        Big,
        Small,
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_with_its_place() {
        let text =
            "nam: x\nname: 7\nsize: big\nsize: 3\nparts:\n  - kind: smal\n  - kind: big\n  - 4\n";
        let root = parse("d.yaml", text.as_bytes()).unwrap().unwrap();
        let mut problems = Vec::new();
        let shape: Field<Shape> = read("d.yaml", &root, &mut problems);
        problems.sort_by_key(|problem| (problem.place.line, problem.place.column));
        let told: Vec<String> = problems
            .iter()
            .map(|problem| format!("{problem}; {}", problem.help.as_deref().unwrap()))
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        KEY_UNKNOWN d.yaml:1:1 at `$.nam`: the key `nam` means nothing here; found `nam`; expected one of name, size, parts; did you mean `name`?
        VALUE_TYPE d.yaml:2:7 at `$.name`: this is a value of another kind; found the number 7; expected text; put it in quotes, so that it is text
        VALUE_TYPE d.yaml:3:7 at `$.size`: this is a value of another kind; found the text `big`; expected a number; write a value of that kind
        KEY_DUPLICATE d.yaml:4:1 at `$.size`: the key `size` stands there twice; found `size` twice; expected every key once: which of two values counts is anybody's guess; remove one of the two
        VALUE_UNKNOWN d.yaml:6:11 at `$.parts[0].kind`: this word is none of those that are known here; found `smal`; expected one of big, small; did you mean `small`?
        VALUE_TYPE d.yaml:8:5 at `$.parts[2]`: this is a value of another kind; found the number 4; expected keys and values; write a value of that kind
        ");
        let shape = shape.get().unwrap();
        let parts = shape.parts.get().unwrap();
        assert!(matches!(shape.size.state, State::Bad) && shape.name.is_there());
        assert!(matches!(
            parts[1].get().unwrap().kind.get(),
            Some(Word::Big)
        ));
        assert!(!matches!(
            parts[0].get().unwrap().kind.get(),
            Some(Word::Small)
        ));
        assert_eq!(parts[1].spot, Spot { line: 7, column: 5 });
    }
}
