//! The members of a JSON object that a person wrote: in their order, and what is wrong with their
//! keys. What the values mean is the business of each document.

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::json::Document;
use crate::diagnostic::{Code, Diagnostic, suggestion};

/// More findings than this in one document help nobody.
pub const ENOUGH: usize = 20;

/// The members of an object in their order, repeated keys included.
#[derive(Debug)]
pub struct Members<'a>(Vec<(String, &'a RawValue)>);

/// Which keys an object may have.
#[derive(Debug, Clone, Copy)]
pub struct Known<'k> {
    /// Where the object stands in its document, `$` for the document itself.
    pub path: &'k str,
    /// The keys.
    pub keys: &'k [&'k str],
    /// What to do about a key that resembles none of them.
    pub otherwise: &'k str,
}

impl<'a> Members<'a> {
    /// The value behind a key.
    pub fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.0
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, raw)| *raw)
    }

    /// Refuses keys that stand there twice or mean nothing.
    pub fn check(&self, document: &Document<'a>, known: Known<'_>, problems: &mut Vec<Diagnostic>) {
        for (index, (key, raw)) in self.0.iter().enumerate() {
            if problems.len() >= ENOUGH {
                return;
            }
            let place = document.place(raw.get(), &format!("{}.{key}", known.path));
            let mut earlier = self.0.iter().take(index);
            if earlier.any(|(other, _)| other == key) {
                problems.push(
                    Diagnostic::new(
                        Code::KeyDuplicate,
                        place,
                        format!("the key `{key}` stands there twice"),
                    )
                    .found(format!("`{key}` twice in one object"))
                    .expected("every key once")
                    .help("remove one of the two"),
                );
            } else if !known.keys.contains(&key.as_str()) {
                problems.push(
                    Diagnostic::new(
                        Code::KeyUnknown,
                        place,
                        format!("the key `{key}` means nothing here"),
                    )
                    .found(format!("`{key}`"))
                    .expected(format!("one of {}", known.keys.join(", ")))
                    .help(did_you_mean(key, known)),
                );
            }
        }
    }
}

fn did_you_mean(key: &str, known: Known<'_>) -> String {
    suggestion(key, known.keys.iter().copied()).unwrap_or_else(|| known.otherwise.to_owned())
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    members.push(entry);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(InOrder).map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_names_its_neighbour() {
        let known = Known {
            path: "$",
            keys: &["yellow_integrity", "name"],
            otherwise: "remove the key",
        };
        let help = |key| did_you_mean(key, known);
        assert_eq!(help("Yellow_integrty"), "did you mean `yellow_integrity`?");
        assert_eq!(help("orange"), "remove the key");
    }
}
