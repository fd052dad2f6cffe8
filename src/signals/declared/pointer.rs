//! JSON pointers (RFC 6901): what they may be, and where one leads in a JSON text.
//!
//! Following one costs a pass over the text and no memory. What is found at its end is said by
//! [`super::kind`].

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::super::json::parts::each_element;

/// A JSON pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    text: String,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    /// The key or the index, unescaped.
    token: String,
    /// Where the step ends in the pointer's text.
    end: usize,
}

/// A pointer that did not lead anywhere.
#[derive(Debug)]
pub struct Lost<'a> {
    /// The value at which it ended.
    pub at: &'a str,
    /// How many steps led there.
    pub steps: usize,
    /// Why it goes no further.
    pub why: Why,
}

/// Why a pointer goes no further.
#[derive(Debug)]
pub enum Why {
    /// There is no such key or index, or nothing that could have one.
    Nothing,
    /// The key stands there twice.
    Twice,
    /// The text can't be read.
    Unreadable(serde_json::Error),
}

impl Pointer {
    /// What a pointer is, in words.
    pub const EXPECTED: &'static str = "a JSON pointer: empty, or keys and indices that each begin with `/` (`~1` for `/`, `~0` for `~`)";

    /// Takes the text form; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        if !text.is_empty() {
            let mut end = 0;
            for token in text.strip_prefix('/')?.split('/') {
                end += 1 + token.len();
                let token = unescape(token)?;
                steps.push(Step { token, end });
            }
        }
        Some(Self {
            text: text.to_owned(),
            steps,
        })
    }

    /// The pointer as places name it, `$` for the whole document.
    pub fn path(&self) -> &str {
        self.up_to(self.steps.len())
    }

    /// Its first steps as places name them.
    pub fn up_to(&self, steps: usize) -> &str {
        let end = steps
            .checked_sub(1)
            .and_then(|last| self.steps.get(last))
            .map_or(0, |step| step.end);
        match self.text.get(..end) {
            None | Some("") => "$",
            Some(text) => text,
        }
    }

    /// The key or index after the first `steps`.
    pub fn token(&self, steps: usize) -> &str {
        self.steps.get(steps).map_or("", |step| &step.token)
    }

    /// The value to which the pointer leads in a JSON text.
    pub fn follow<'a>(&self, text: &'a str) -> Result<&'a RawValue, Lost<'a>> {
        let mut found = None;
        for (steps, step) in self.steps.iter().enumerate() {
            let at = found.map_or(text, RawValue::get);
            found = Some(step.follow(at).map_err(|why| Lost { at, steps, why })?);
        }
        match found {
            Some(found) => Ok(found),
            None => serde_json::from_str(text).map_err(|error| Lost {
                at: text,
                steps: 0,
                why: Why::Unreadable(error),
            }),
        }
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn unescape(token: &str) -> Option<String> {
    let mut parts = token.split('~');
    let mut plain = parts.next()?.to_owned();
    for part in parts {
        let (character, rest) = match part.strip_prefix('0') {
            Some(rest) => ('~', rest),
            None => ('/', part.strip_prefix('1')?),
        };
        plain.push(character);
        plain.push_str(rest);
    }
    Some(plain)
}

impl Step {
    fn follow<'a>(&self, text: &'a str) -> Result<&'a RawValue, Why> {
        match text.trim_ascii_start().bytes().next() {
            Some(b'{') => self.member(text),
            Some(b'[') => self.element(text),
            _ => Err(Why::Nothing),
        }
    }

    fn member<'a>(&self, text: &'a str) -> Result<&'a RawValue, Why> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let looked = Member(&self.token).deserialize(&mut deserializer);
        let ended = looked.and_then(|found| deserializer.end().map(|()| found));
        let (found, twice) = ended.map_err(Why::Unreadable)?;
        match found {
            Some(_) if twice => Err(Why::Twice),
            Some(found) => Ok(found),
            None => Err(Why::Nothing),
        }
    }

    fn element<'a>(&self, text: &'a str) -> Result<&'a RawValue, Why> {
        let index = self.index().ok_or(Why::Nothing)?;
        let mut found = None;
        let walked = each_element(text, &mut |at, element| {
            if at == index {
                found = Some(element);
            }
        });
        walked.map_err(Why::Unreadable)?;
        found.ok_or(Why::Nothing)
    }

    /// The token as an index: digits without a leading zero.
    fn index(&self) -> Option<usize> {
        let plain = self.token.bytes().all(|byte| byte.is_ascii_digit());
        let leading = self.token.len() > 1 && self.token.starts_with('0');
        if plain && !leading {
            self.token.parse().ok()
        } else {
            None
        }
    }
}

/// Looks for a key in an object: its value, and whether the key stands there twice.
struct Member<'k>(&'k str);

impl<'a> DeserializeSeed<'a> for Member<'_> {
    type Value = (Option<&'a RawValue>, bool);

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Member<'_> {
    type Value = (Option<&'a RawValue>, bool);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut members: M) -> Result<Self::Value, M::Error> {
        let (mut found, mut twice) = (None, false);
        while let Some(is_it) = members.next_key_seed(IsKey(self.0))? {
            if is_it {
                twice |= found.replace(members.next_value()?).is_some();
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok((found, twice))
    }
}

/// Is a key this one?
struct IsKey<'k>(&'k str);

impl<'a> DeserializeSeed<'a> for IsKey<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for IsKey<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn led(pointer: &str, text: &str) -> String {
        match Pointer::parse(pointer).unwrap().follow(text) {
            Ok(raw) => raw.get().to_owned(),
            Err(Lost { at, steps, why }) => {
                let why = match why {
                    Why::Nothing => "nothing",
                    Why::Twice => "twice",
                    Why::Unreadable(_) => "unreadable",
                };
                format!("{why} after {steps} at {at}")
            }
        }
    }

    #[test]
    fn the_examples_of_the_standard() {
        let document = r#"{"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8}"#;
        let cases = [
            ("", document),
            ("/foo", r#"["bar", "baz"]"#),
            ("/foo/0", r#""bar""#),
            ("/", "0"),
            ("/a~1b", "1"),
            ("/c%d", "2"),
            ("/e^f", "3"),
            ("/g|h", "4"),
            ("/i\\j", "5"),
            ("/k\"l", "6"),
            ("/ ", "7"),
            ("/m~0n", "8"),
        ];
        for (pointer, value) in cases {
            assert_eq!(led(pointer, document), value, "{pointer}");
        }
    }

    #[test]
    fn a_pointer_that_leads_nowhere_says_how_far_it_came() {
        let cases = [
            ("/a/b", r#"{"a":{"c":1}}"#, r#"nothing after 1 at {"c":1}"#),
            ("/a/b", r#"{"a":5}"#, "nothing after 1 at 5"),
            ("/a/2", r#"{"a":[1,2]}"#, "nothing after 1 at [1,2]"),
            ("/-", "[1]", "nothing after 0 at [1]"),
            ("/01", "[1,2]", "nothing after 0 at [1,2]"),
            ("/+1", "[1,2]", "nothing after 0 at [1,2]"),
            ("/", "[1]", "nothing after 0 at [1]"),
            ("/99999999999999999999999", "[1]", "nothing after 0 at [1]"),
            (
                "/a",
                r#"{"a":1,"\u0061":2}"#,
                r#"twice after 0 at {"a":1,"\u0061":2}"#,
            ),
            ("/b", r#"{"a":1,"a":2,"b":3}"#, "3"),
            ("/0", r#"{"0":7}"#, "7"),
            ("/a", r#"{"a":1"#, r#"unreadable after 0 at {"a":1"#),
            ("/a", r#"{"a":1} 2"#, r#"unreadable after 0 at {"a":1} 2"#),
            (
                "/a",
                r#"{"\ud800":1}"#,
                r#"unreadable after 0 at {"\ud800":1}"#,
            ),
        ];
        for (pointer, text, expected) in cases {
            assert_eq!(led(pointer, text), expected, "{pointer} in {text}");
        }
    }

    #[test]
    fn other_text_is_no_pointer() {
        for text in ["a", "a/b", "#/a", "/~", "/~2", "/a~", "$.a"] {
            assert_eq!(Pointer::parse(text), None, "{text}");
        }
    }

    proptest! {
        /// serde_json's own pointers are the oracle, on documents without repeated keys.
        #[test]
        fn leads_where_the_other_implementation_leads(
            tokens in prop::collection::vec("[ab01~/-]{0,2}", 0..4),
            shape in 0_usize..4,
        ) {
            let escape = |token: &String| ["/", &token.replace('~', "~0").replace('/', "~1")].concat();
            let escaped: String = tokens.iter().map(escape).collect();
            let texts = [
                r#"{"a":{"b":[0,{"~":1}],"/":2},"":{"":3},"0":4,"1":[5,6],"-":7}"#,
                r#"[[1,2],{"a":[3,[4]],"00":5},"b"]"#,
                r#"{"a":[[[1],[2]],0],"b":{"a":{"b":{"a":1}}}}"#,
                "5",
            ];
            let text = texts[shape];
            let tree: serde_json::Value = serde_json::from_str(text).unwrap();
            let found = Pointer::parse(&escaped).unwrap().follow(text).ok().map(|raw| serde_json::from_str(raw.get()).unwrap());
            prop_assert_eq!(found.as_ref(), tree.pointer(&escaped));
        }
    }
}
