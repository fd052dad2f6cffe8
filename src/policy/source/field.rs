//! What a shape is made of: fields that are there, not there or wrong, and keys that the document
//! chooses itself. How they are filled is in [`super::collect`].

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::Spot;

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

/// By this name the deserialiser knows a field.
pub(super) const FIELD: &str = "$field";

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
