//! What a document says, for showing: every key in its order, quantities beside what was written.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Number;

use crate::policy::quantity::Measure;
use crate::policy::source::{Kind, Node};

/// What was found that values of a document mean, each under its [`Node::index`].
pub(super) type Meanings = BTreeMap<usize, Meant>;

/// What a text means, where that is not what stands there.
#[derive(Debug)]
pub(super) enum Meant {
    /// A quantity.
    Quantity(Measure),
    /// A word in the form that we write.
    Word(&'static str),
}

/// A value of a document.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    /// `null`, or a key without a value.
    Nothing,
    /// True or false.
    Flag(bool),
    /// A number without a unit.
    Number(Number),
    /// Text.
    Text(String),
    /// A quantity: what was written and what it comes to.
    Quantity(Box<Measure>),
    /// A list.
    List(Vec<Shown>),
    /// Keys and values in their order.
    Map(Vec<(String, Shown)>),
}

impl Shown {
    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A list of texts.
    pub fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::List(texts.into_iter().map(Self::text).collect())
    }

    /// A number of things.
    pub fn count(count: usize) -> Self {
        Self::Number(count.into())
    }

    /// Keys and values in this order.
    pub fn map<const N: usize>(members: [(&str, Self); N]) -> Self {
        let member = |(key, value): (&str, Self)| (key.to_owned(), value);
        Self::Map(members.into_iter().map(member).collect())
    }

    /// Any value that can be written as JSON, its keys in their order.
    pub fn of<T: Serialize>(value: &T) -> Self {
        let text = serde_json::to_string(value).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or(Self::Nothing)
    }

    /// True where something stands at `path`: keys joined by points, `*` for any key. Lists are
    /// looked through.
    pub fn has(&self, path: &str) -> bool {
        let (key, rest) = path.split_once('.').unwrap_or((path, ""));
        match self {
            _ if path.is_empty() => true,
            Self::List(items) => items.iter().any(|item| item.has(path)),
            Self::Map(members) => {
                let mut meant = members.iter().filter(|(name, _)| key == "*" || name == key);
                meant.any(|(_, value)| value.has(rest))
            }
            _ => false,
        }
    }

    /// Gives the numbers at `path` a unit.
    pub fn set_unit(&mut self, path: &str, unit: &'static str) {
        let (key, rest) = path.split_once('.').unwrap_or((path, ""));
        match self {
            Self::Number(number) if path.is_empty() => {
                let measure = Measure::new(&number.to_string(), number.clone(), unit);
                *self = Self::Quantity(Box::new(measure));
            }
            Self::List(items) => items.iter_mut().for_each(|item| item.set_unit(path, unit)),
            Self::Map(members) => {
                for (_, value) in members.iter_mut().filter(|(name, _)| name == key) {
                    value.set_unit(rest, unit);
                }
            }
            _ => {}
        }
    }
}

impl From<&Node> for Shown {
    fn from(node: &Node) -> Self {
        Self::with_meanings(node, &Meanings::new())
    }
}

impl Shown {
    /// What a value says, where some below it are known to mean something.
    pub(super) fn with_meanings(node: &Node, meanings: &Meanings) -> Self {
        let shown = |node| Self::with_meanings(node, meanings);
        match meanings.get(&node.index) {
            Some(Meant::Quantity(measure)) => return Self::Quantity(Box::new(measure.clone())),
            Some(Meant::Word(word)) => return Self::text(*word),
            None => {}
        }
        match &node.kind {
            Kind::Null => Self::Nothing,
            Kind::Bool(flag) => Self::Flag(*flag),
            Kind::Number(number) => Self::Number(number.clone()),
            Kind::Text(text) => Self::Text(text.clone()),
            Kind::List(items) => Self::List(items.iter().map(shown).collect()),
            Kind::Map(members) => {
                let member = members
                    .iter()
                    .map(|member| (member.key.clone(), shown(&member.value)));
                Self::Map(member.collect())
            }
        }
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing => serializer.serialize_unit(),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Quantity(measure) => measure.serialize(serializer),
            Self::List(items) => items.serialize(serializer),
            Self::Map(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (key, value) in members {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Shown {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Shown;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Shown, E> {
        Ok(Shown::Nothing)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Shown, E> {
        Ok(Shown::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Shown, E> {
        Ok(Shown::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Shown, E> {
        Ok(Shown::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Shown, E> {
        Ok(Number::from_f64(number).map_or(Shown::Nothing, Shown::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Shown, E> {
        Ok(Shown::text(text))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut elements: S) -> Result<Shown, S::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            list.push(element);
        }
        Ok(Shown::List(list))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<Shown, M::Error> {
        let mut map = Vec::new();
        while let Some(member) = members.next_entry()? {
            map.push(member);
        }
        Ok(Shown::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_looks_through_lists_and_any_key() {
        let shown: Shown =
            serde_json::from_str(r#"{"a": {"b": [{"c": 1}, {"d": 2}]}, "e": null}"#).unwrap();
        for path in ["a", "a.b.c", "a.b.d", "*.b", "a.*.d", "e"] {
            assert!(shown.has(path), "{path}");
        }
        for path in ["b", "a.c", "a.b.e", "e.x", "*.*.x"] {
            assert!(!shown.has(path), "{path}");
        }
    }

    #[test]
    fn keys_stay_in_their_order_and_units_reach_into_lists() {
        let text = r#"{"z":[{"t":5},{"t":"5"}],"a":1.5}"#;
        let mut shown: Shown = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&shown).unwrap(), text);
        shown.set_unit("z.t", "seconds");
        assert_eq!(
            serde_json::to_string(&shown).unwrap(),
            r#"{"z":[{"t":{"written":"5","value":5,"unit":"seconds"}},{"t":"5"}],"a":1.5}"#
        );
    }
}
