//! From a [`Node`] to a shape, with every problem of the document and its place, in one go.
//!
//! A derived `Deserialize` stops at the first problem. Here a member of a shape is a [`Field`]: what
//! is wrong behind it is written down with its place, the field is [`State::Bad`], and reading goes
//! on. Keys that mean nothing or stand there twice are found on the way, since serde tells the
//! deserialiser which ones a shape has. What values mean is checked by whoever asked.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};

pub use super::scalar::Scalar;

use super::{Entry, Kind, Node, Spot};
use crate::diagnostic::{Code, Diagnostic};

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

/// A member of a shape: there, not there, or wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Field<T> {
    /// What came of it.
    pub state: State<T>,
    /// Where it stands.
    pub spot: Spot,
    /// Its path within the document.
    pub path: String,
}

/// What came of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum State<T> {
    /// The key is not there.
    Absent,
    /// It is wrong, and a problem says so.
    Bad,
    /// The value.
    Good(T),
}

impl<T> Default for Field<T> {
    fn default() -> Self {
        Self {
            state: State::Absent,
            spot: Spot::default(),
            path: String::new(),
        }
    }
}

impl<T> Field<T> {
    /// The value, where there is one.
    pub fn get(&self) -> Option<&T> {
        match &self.state {
            State::Good(value) => Some(value),
            State::Absent | State::Bad => None,
        }
    }

    /// True where the key is not there.
    pub fn is_absent(&self) -> bool {
        matches!(self.state, State::Absent)
    }

    /// True where something stands behind the key, right or wrong.
    pub fn is_there(&self) -> bool {
        !self.is_absent()
    }
}

const FIELD: &str = "$field";

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Parts<T> {
            type Value = Field<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Field<T>, A::Error> {
                let line = parts.next_element()?.unwrap_or_default();
                let column = parts.next_element()?.unwrap_or_default();
                let path = parts.next_element()?.unwrap_or_default();
                let state = parts.next_element()?.map_or(State::Bad, State::Good);
                Ok(Field {
                    state,
                    spot: Spot { line, column },
                    path,
                })
            }
        }
        deserializer.deserialize_newtype_struct(FIELD, Parts(PhantomData))
    }
}

#[cfg(test)]
impl<T: schemars::JsonSchema> schemars::JsonSchema for Field<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<T>()
    }
}

/// More problems than this in one document help nobody.
const ENOUGH: usize = 100;

struct Sink<'a> {
    file: &'a str,
    problems: RefCell<Vec<Diagnostic>>,
}

impl Sink<'_> {
    fn add(
        &self,
        spot: Spot,
        path: &str,
        make: impl FnOnce(crate::diagnostic::Place) -> Diagnostic,
    ) {
        let mut problems = self.problems.borrow_mut();
        if problems.len() < ENOUGH {
            problems.push(make(spot.place(self.file, path)));
        }
    }
}

/// What is wrong with one value; its place is added where it is caught.
#[derive(Debug)]
struct Fault {
    code: Code,
    message: String,
    found: Option<String>,
    expected: Option<String>,
    help: String,
}

/// How the paths of lengths of time end.
const DURATIONS: [&str; 5] = [
    ".max_age",
    ".window",
    ".within",
    ".duration",
    ".hysteresis.time",
];

impl Fault {
    /// With the help for what stands at that path.
    fn of(mut self, path: &str) -> Self {
        let is_number = self
            .found
            .as_deref()
            .is_some_and(|found| found.starts_with("the number"));
        if is_number && DURATIONS.iter().any(|end| path.ends_with(end)) {
            "a duration is a number with its unit: `26h`, `7d`".clone_into(&mut self.help);
        }
        self
    }

    fn into_diagnostic(self, place: crate::diagnostic::Place) -> Diagnostic {
        let mut finding = Diagnostic::new(self.code, place, self.message).help(self.help);
        if let Some(found) = self.found {
            finding = finding.found(found);
        }
        if let Some(expected) = self.expected {
            finding = finding.expected(expected);
        }
        finding
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            code: Code::ValueType,
            message: message.to_string(),
            found: None,
            expected: None,
            help: "correct the value".to_owned(),
        }
    }

    fn invalid_type(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let found = in_words(unexpected);
        let expected = match expected.to_string().as_str() {
            "a string" => "text".to_owned(),
            "f64" => "a number".to_owned(),
            "a boolean" => "true or false".to_owned(),
            "a sequence" => "a list".to_owned(),
            other => other.to_owned(),
        };
        let help = match (expected.as_str(), unexpected) {
            ("text", de::Unexpected::Float(_)) => "put it in quotes, so that it is text",
            ("text", de::Unexpected::Bool(_)) => "put it in quotes",
            ("a number", de::Unexpected::Str(text)) if text.parse::<f64>().is_ok() => {
                "write it without quotes, in plain digits"
            }
            ("a list", _) => "put it in square brackets, or write `- ` before every item",
            _ => "write a value of that kind",
        };
        Self {
            code: Code::ValueType,
            message: "this is a value of another kind".to_owned(),
            found: Some(found),
            expected: Some(expected),
            help: help.to_owned(),
        }
    }

    fn invalid_value(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self {
            code: Code::ValueRange,
            message: "this value can't be used".to_owned(),
            ..Self::invalid_type(unexpected, expected)
        }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self {
            code: Code::ValueUnknown,
            message: "this word is none of those that are known here".to_owned(),
            found: Some(format!("`{variant}`")),
            expected: Some(format!("one of {}", expected.join(", "))),
            help: did_you_mean(variant, expected)
                .unwrap_or_else(|| "write one of these words".to_owned()),
        }
    }
}

fn in_words(unexpected: de::Unexpected<'_>) -> String {
    match unexpected {
        de::Unexpected::Bool(value) => format!("`{value}`"),
        de::Unexpected::Float(number) => format!("the number {number}"),
        de::Unexpected::Str(text) => format!("the text `{text}`"),
        de::Unexpected::Unit | de::Unexpected::Option => "nothing".to_owned(),
        de::Unexpected::Seq => "a list".to_owned(),
        de::Unexpected::Map => "keys and values".to_owned(),
        other => other.to_string(),
    }
}

/// The help that names the nearest of the words that are known, where one is near.
pub fn did_you_mean(word: &str, known: &[&str]) -> Option<String> {
    nearest(word, known).map(|nearest| format!("did you mean `{nearest}`?"))
}

/// The nearest of the words that are known, where one is near.
fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let lower = word.to_lowercase();
    let far = |candidate: &str| strsim::damerau_levenshtein(&candidate.to_lowercase(), &lower);
    let nearest = known.iter().min_by_key(|candidate| far(candidate))?;
    // Of a short word everything is near: most of it has to be right.
    let near = far(nearest) <= (word.chars().count() / 3).clamp(1, 3) && word.chars().count() > 1;
    near.then_some(*nearest)
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

    fn unexpected(&self) -> de::Unexpected<'n> {
        match &self.node.kind {
            Kind::Null => de::Unexpected::Unit,
            Kind::Bool(value) => de::Unexpected::Bool(*value),
            Kind::Number(number) => de::Unexpected::Float(*number),
            Kind::Text(text) => de::Unexpected::Str(text),
            Kind::List(_) => de::Unexpected::Seq,
            Kind::Map(_) => de::Unexpected::Map,
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
            let near = nearest(&entry.key, keys);
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
            self.sink.add(entry.spot, &path, |place| {
                Diagnostic::new(
                    Code::KeyDuplicate,
                    place,
                    format!("the key `{}` stands there twice", entry.key),
                )
                .found(format!("`{}` twice", entry.key))
                .expected("every key once: which of two values counts is anybody's guess")
                .help("remove one of the two")
            });
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
            Kind::Number(number) => visitor.visit_f64(*number),
            Kind::Text(text) => visitor.visit_str(text),
            Kind::List(items) => visitor.visit_seq(Items {
                reader: &self,
                items: items.iter().enumerate(),
            }),
            Kind::Map(_) => Err(de::Error::invalid_type(self.unexpected(), &visitor)),
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
                self.unexpected(),
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
                self.unexpected(),
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
                self.unexpected(),
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

/// Keys that the document chooses itself, in their order, each with its value.
#[derive(Debug, Clone)]
pub struct Entries<T>(pub Vec<(String, Field<T>)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for InOrder<T> {
            type Value = Entries<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("keys and values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(InOrder(PhantomData))
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
