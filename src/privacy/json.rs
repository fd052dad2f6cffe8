//! JSON without personal data: by the names of fields, and by what stands in texts. The order of
//! members, the way numbers are written and all else stay as they were.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::names::{self, Meaning};
use super::{HashKey, REDACTED, Redaction};

/// The members of an object in their order, their values unread.
struct Members<'j>(Vec<(Cow<'j, str>, &'j RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    members.push((Cow::Owned(name), value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

/// How deep objects and lists may stand in each other; what is deeper is taken out whole.
const DEPTH: usize = 100;

/// Writes JSON without what the redaction takes out.
pub(super) struct Rewriter<'r> {
    pub(super) redaction: &'r Redaction<'r>,
    pub(super) out: String,
    /// True once something was taken out or put in.
    pub(super) changed: bool,
}

/// What the field says in which a value stands.
#[derive(Clone, Copy)]
struct Field<'n> {
    name: &'n str,
    meaning: Option<Meaning>,
}

impl Rewriter<'_> {
    pub(super) fn write(&mut self, value: &RawValue) {
        let field = Field {
            name: "",
            meaning: None,
        };
        self.value(value.get(), field, 0);
    }

    fn value(&mut self, json: &str, field: Field<'_>, depth: usize) {
        let json = json.trim_ascii();
        match json.as_bytes().first() {
            Some(b'{' | b'[') if depth >= DEPTH => self.redacted(REDACTED),
            Some(b'{') => match serde_json::from_str(json) {
                Ok(members) => self.object(members, field, depth),
                Err(_) => self.redacted(REDACTED),
            },
            Some(b'[') => match serde_json::from_str::<Vec<&RawValue>>(json) {
                Ok(elements) => self.list(&elements, |this, element| {
                    this.value(element.get(), field, depth + 1);
                }),
                Err(_) => self.redacted(REDACTED),
            },
            Some(b'"') => match serde_json::from_str::<String>(json) {
                Ok(text) => self.string(json, &text, field),
                Err(_) => self.redacted(REDACTED),
            },
            Some(b't' | b'f' | b'n') => self.out.push_str(json),
            _ => self.number(json, field),
        }
    }

    fn object(&mut self, Members(members): Members<'_>, outer: Field<'_>, depth: usize) {
        let meaning = |name: &str| self.redaction.meaning(name).or(outer.meaning);
        let is_hashed = |name: &str, value: &RawValue| {
            self.redaction.key.is_some()
                && meaning(name) == Some(Meaning::Personal)
                && has_value(value.get())
        };
        // What stands where a hash of ours belongs is none.
        let ours: BTreeSet<String> = members
            .iter()
            .filter(|(name, value)| is_hashed(name, value))
            .map(|(name, _)| hash_name(name))
            .collect();
        let members: Vec<_> = members
            .iter()
            .filter(|(name, _)| !ours.contains(name.as_ref()))
            .map(|(name, value)| (name, value, meaning(name)))
            .collect();
        self.out.push('{');
        let mut first = true;
        for (index, (name, value, meaning)) in members.into_iter().enumerate() {
            self.comma(&mut first);
            self.name(name, index);
            self.value(value.get(), Field { name, meaning }, depth + 1);
            let key = self
                .redaction
                .key
                .filter(|_| meaning == Some(Meaning::Personal));
            let hash =
                |key: &HashKey| hashes(value.get(), &|text| key.hash(name, text).to_string());
            if let Some(hashes) = key.and_then(hash).filter(|_| has_value(value.get())) {
                self.comma(&mut first);
                self.text(&hash_name(name));
                self.out.push(':');
                self.out.push_str(&hashes);
                self.changed = true;
            }
        }
        self.out.push('}');
    }

    fn comma(&mut self, first: &mut bool) {
        if !std::mem::replace(first, false) {
            self.out.push(',');
        }
    }

    /// The name of a member; one that itself had to be changed stays apart from its like.
    fn name(&mut self, name: &str, index: usize) {
        match self.redaction.text(name) {
            Cow::Borrowed(_) => self.text(name),
            Cow::Owned(changed) => self.redacted(&format!("{changed} {}", index + 1)),
        }
        self.out.push(':');
    }

    fn list<T>(&mut self, elements: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.out.push('[');
        let mut first = true;
        for element in elements {
            self.comma(&mut first);
            write(self, element);
        }
        self.out.push(']');
    }

    fn string(&mut self, json: &str, text: &str, field: Field<'_>) {
        let hidden = match field.meaning {
            None => false,
            Some(Meaning::Personal | Meaning::Password) => !text.is_empty(),
            Some(Meaning::Secret) => text.len() >= 8 && !text.contains(char::is_whitespace),
        };
        if hidden {
            self.redacted(REDACTED);
            return;
        }
        match self.redaction.text(text) {
            Cow::Borrowed(_) => self.out.push_str(json),
            Cow::Owned(changed) => self.redacted(&changed),
        }
    }

    fn number(&mut self, json: &str, field: Field<'_>) {
        let count = names::is_plural(field.name) && json.len() < 7;
        let hidden = match field.meaning {
            Some(Meaning::Personal) => !count,
            Some(Meaning::Password) => true,
            Some(Meaning::Secret) | None => matches!(self.redaction.text(json), Cow::Owned(_)),
        };
        if hidden {
            self.redacted(REDACTED);
        } else {
            self.out.push_str(json);
        }
    }

    fn redacted(&mut self, text: &str) {
        self.changed = true;
        self.text(text);
    }

    fn text(&mut self, text: &str) {
        // Text alone can't fail to be written.
        self.out
            .push_str(&serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned()));
    }
}

fn hash_name(name: &str) -> String {
    format!("{name}_sha256")
}

fn has_value(json: &str) -> bool {
    !matches!(json, "null" | "true" | "false" | "\"\"" | "[]" | "{}")
}

/// The hashes of a text, of a number, or of each in a list; an object's members have their own.
fn hashes(json: &str, hash: &dyn Fn(&str) -> String) -> Option<String> {
    match json.as_bytes().first()? {
        b'"' => {
            let text: String = serde_json::from_str(json).ok()?;
            Some(format!("\"{}\"", hash(&text)))
        }
        b'[' => {
            let elements: Vec<&RawValue> = serde_json::from_str(json).ok()?;
            let each = elements
                .iter()
                .map(|element| hashes(element.get(), hash).unwrap_or_else(|| "null".to_owned()));
            Some(format!("[{}]", each.collect::<Vec<_>>().join(",")))
        }
        b'0'..=b'9' | b'-' => Some(format!("\"{}\"", hash(json))),
        _ => None,
    }
}
