//! Parts of JSON texts: the elements of a list, the keys of an object, a text without a copy.
//!
//! What is wrong with a part, and where it stands, is said in [`super`].

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Goes through a JSON list without keeping it.
pub fn each_element<'a>(
    list: &'a str,
    each: &mut dyn FnMut(usize, &'a RawValue),
) -> serde_json::Result<()> {
    Elements(each).deserialize(&mut serde_json::Deserializer::from_str(list))
}

struct Elements<'f, 'a>(&'f mut dyn FnMut(usize, &'a RawValue));

impl<'a> DeserializeSeed<'a> for Elements<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'a> Visitor<'a> for Elements<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut elements: S) -> Result<(), S::Error> {
        let mut index = 0;
        while let Some(element) = elements.next_element::<&'a RawValue>()? {
            (self.0)(index, element);
            index += 1;
        }
        Ok(())
    }
}

/// The first keys of an object, for a message; at most a thousand.
pub fn keys_of(text: &str) -> Option<Vec<String>> {
    serde_json::from_str::<Keys>(text).ok().map(|keys| keys.0)
}

/// What stands in an object, in words.
pub fn keys_in_words(text: &str) -> String {
    match keys_of(text) {
        Some(names) if names.is_empty() => "an object without a key".to_owned(),
        Some(names) => {
            let names: Vec<String> = names
                .iter()
                .take(8)
                .map(|name| format!("`{name}`"))
                .collect();
            format!("the keys {}", names.join(", "))
        }
        None => "other content".to_owned(),
    }
}

struct Keys(Vec<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Keys;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: serde::de::MapAccess<'de>>(self, mut map: M) -> Result<Keys, M::Error> {
                let mut names = Vec::new();
                while let Some((name, _)) = map.next_entry::<String, serde::de::IgnoredAny>()? {
                    if names.len() < 1000 {
                        names.push(name);
                    }
                }
                Ok(Keys(names))
            }
        }
        deserializer.deserialize_map(Names)
    }
}

/// Text, without a copy where it is written without escapes; `None` for any other value.
pub fn text_of(raw: &RawValue) -> Option<Cow<'_, str>> {
    let written = raw.get();
    let bare = written.strip_prefix('"')?.strip_suffix('"')?;
    if bare.contains('\\') {
        return serde_json::from_str::<String>(written).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(bare))
}
