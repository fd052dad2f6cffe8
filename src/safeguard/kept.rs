//! A JSON object of a file that others write too: what this product does not know stays as it is.
//!
//! Members keep their order and their very text, numbers included. Only whole members are set; what
//! they mean is the business of whoever reads the file.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

/// An object whose members can be replaced one by one.
#[derive(Debug, Clone, Default)]
pub(super) struct KeptObject(Vec<(String, Box<RawValue>)>);

impl KeptObject {
    /// Takes the text of an object; `None` for any other text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Is there a member of that name?
    pub(super) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(name, _)| name == key)
    }

    /// Sets a member: in its place where it is there, else at the end.
    pub(super) fn set<T: Serialize>(&mut self, key: &str, value: &T) {
        let Some(text) = indented(value) else { return };
        match self.0.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = text,
            None => self.0.push((key.to_owned(), text)),
        }
    }

    /// Sets a member that is not there yet.
    pub(super) fn set_if_absent<T: Serialize>(&mut self, key: &str, value: &T) {
        if !self.has(key) {
            self.set(key, value);
        }
    }

    /// The bytes of a file: JSON indented by two blanks, ended by a newline.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // Serialising to memory fails for maps with keys that are no text alone; there are none.
        crate::fs::pretty(self)
    }
}

/// The text of a value as it stands within an indented object.
fn indented<T: Serialize>(value: &T) -> Option<Box<RawValue>> {
    // A newline within a text is escaped, so each one that is there begins a line of the layout.
    let text = serde_json::to_string_pretty(value).ok()?;
    RawValue::from_string(text.replace('\n', "\n  ")).ok()
}

impl Serialize for KeptObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for KeptObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = KeptObject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<KeptObject, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(KeptObject(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_keeps_order_and_text() {
        let text =
            "{\n  \"z\": 1e-07,\n  \"locked\": false,\n  \"a\": {\n    \"deep\": [1, 2]\n  }\n}\n";
        let mut object = KeptObject::parse(text).unwrap();
        assert_eq!(String::from_utf8(object.to_bytes()).unwrap(), text);
        object.set("locked", &true);
        object.set_if_absent("z", &0);
        object.set("metrics", &serde_json::json!({"integrity": 97.5}));
        assert_eq!(
            String::from_utf8(object.to_bytes()).unwrap(),
            "{\n  \"z\": 1e-07,\n  \"locked\": true,\n  \"a\": {\n    \"deep\": [1, 2]\n  },\n  \"metrics\": {\n    \"integrity\": 97.5\n  }\n}\n"
        );
        assert!(KeptObject::parse("[]").is_none());
        assert!(KeptObject::parse("null").is_none());
    }
}
