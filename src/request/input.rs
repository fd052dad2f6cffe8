//! A request, read: one JSON object, each key once, within bounds.
//!
//! What its members mean is the business of the layers; here they are only found by their path. A
//! member that is `null` is as good as absent, so that no rule can take "nothing" for a value.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::codes;
use crate::ids::ReasonCode;

/// The largest request in bytes. One that is larger is denied.
pub const MOST_BYTES: usize = 1024 * 1024;

/// Lists and objects may stand in each other this deep.
pub const MOST_DEPTH: usize = 32;

/// Where the request is asked from: the field `point` (rows S1-060, S2-023 and S2-042).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    /// An API that hands out what the policies govern.
    GovernedApi,
    /// Whoever turns references to evidence into evidence.
    EvidenceResolver,
    /// Pipelines, and what they promote.
    PipelineRunner,
    /// A gateway before an API.
    ApiGateway,
    /// Whatever runs agents.
    AgentRuntime,
    /// The layer that reads and writes data.
    DataLayer,
    /// A user interface, which asks and never decides.
    UserInterface,
}

impl Point {
    /// The points by their words.
    pub const WORDS: [(&'static str, Self); 7] = [
        ("governed_api", Self::GovernedApi),
        ("evidence_resolver", Self::EvidenceResolver),
        ("pipeline_runner", Self::PipelineRunner),
        ("api_gateway", Self::ApiGateway),
        ("agent_runtime", Self::AgentRuntime),
        ("data_layer", Self::DataLayer),
        ("user_interface", Self::UserInterface),
    ];

    /// The point of a word; `None` for any other text.
    pub fn parse(word: &str) -> Option<Self> {
        let found = Self::WORDS.iter().find(|(known, _)| *known == word);
        found.map(|(_, point)| *point)
    }

    /// Its word.
    pub fn as_str(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(_, point)| *point == self);
        found.map_or("", |(word, _)| *word)
    }
}

/// Why a text is no request. It is denied with this code; the message is for whoever runs the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The code.
    pub code: ReasonCode,
    /// What is wrong, without a value of the request.
    pub message: String,
}

impl Refused {
    fn malformed(message: impl Into<String>) -> Self {
        Self {
            code: codes::REQUEST_MALFORMED,
            message: message.into(),
        }
    }
}

/// A request: a JSON object whose keys each stand there once.
///
/// The members that layers read by name: `user` (`principal`, `role`, `groups`), `agent`, `action`,
/// `resource`, `data`, `context`, `intent` (a payment), `tenant_id`; `point`, and `id`, which the answer
/// repeats.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    members: Map<String, Value>,
    point: Option<Point>,
}

impl Request {
    /// Reads a request, UTF-8 JSON of at most [`MOST_BYTES`] and [`MOST_DEPTH`].
    ///
    /// A key that stands there twice refuses the request: two readers of it may disagree about which
    /// of the two counts (RFC 8259, section 4), and the one that asks need not be the one that acts.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refused> {
        if bytes.len() > MOST_BYTES {
            return Err(Refused::malformed(format!(
                "the request has {} bytes, more than {MOST_BYTES}",
                bytes.len()
            )));
        }
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let value = Strict { depth: 0 }
            .deserialize(&mut deserializer)
            .and_then(|value| deserializer.end().map(|()| value))
            .map_err(|error| Refused::malformed(error.to_string()))?;
        match value {
            Value::Object(members) => Self::of(members),
            other => Err(Refused::malformed(format!(
                "the request is {}, and no JSON object",
                in_words(&other)
            ))),
        }
    }

    fn of(members: Map<String, Value>) -> Result<Self, Refused> {
        let point = match members.get("point") {
            None | Some(Value::Null) => None,
            Some(value) => Some(value.as_str().and_then(Point::parse).ok_or_else(|| {
                let known = Point::WORDS.map(|(word, _)| word).join(", ");
                Refused {
                    code: codes::POINT_UNKNOWN,
                    message: format!("`point` is none of {known}"),
                }
            })?),
        };
        Ok(Self { members, point })
    }

    /// The same request, asked from `point` unless it names its own.
    #[must_use]
    pub fn at_point(mut self, point: Point) -> Self {
        if self.point.is_none() {
            self.point = Some(point);
            let word = point.as_str().to_owned();
            self.members.insert("point".to_owned(), Value::String(word));
        }
        self
    }

    /// Where it is asked from, as far as it is known.
    pub fn point(&self) -> Option<Point> {
        self.point
    }

    /// All of its members.
    pub fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// The value at a path of keys; `None` where there is none, and for `null`.
    pub fn get(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        let mut value = self.members.get(*first)?;
        for key in rest {
            value = value.as_object()?.get(*key)?;
        }
        (!value.is_null()).then_some(value)
    }

    /// The text at a path of keys; `None` where there is none, for any other value and for `""`.
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        let text = self.get(path)?.as_str()?;
        (!text.is_empty()).then_some(text)
    }

    /// True where it has this member, and not as `null`.
    pub fn has(&self, member: &str) -> bool {
        self.get(&[member]).is_some()
    }

    /// What its author calls it, for the answer: `id`, a text of at most 200 bytes.
    pub fn id(&self) -> Option<&str> {
        self.text(&["id"]).filter(|id| id.len() <= 200)
    }
}

fn in_words(value: &Value) -> &'static str {
    match value {
        Value::Null => "`null`",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Reads a JSON value and refuses a key that stands there twice, and what is too deep.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn below<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= MOST_DEPTH {
            let message = format!("lists and objects stand in each other deeper than {MOST_DEPTH}");
            return Err(E::custom(message));
        }
        Ok(Self {
            depth: self.depth + 1,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("a number is not finite"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(below)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut members = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(below)?;
            if members.insert(key, value).is_some() {
                return Err(A::Error::custom("a key stands twice in one object"));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> Refused {
        Request::parse(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn members_are_found_by_their_path() {
        let request = Request::parse(
            br#"{"id":"r1","user":{"role":"public","name":null,"empty":""},"n":{"a":{"b":[1]}}}"#,
        )
        .unwrap();
        assert_eq!(request.text(&["user", "role"]), Some("public"));
        assert_eq!(request.get(&["user", "name"]), None);
        assert_eq!(request.text(&["user", "empty"]), None);
        assert_eq!(request.get(&["n", "a", "b", "c"]), None);
        assert_eq!(request.get(&["n", "a", "b"]), Some(&serde_json::json!([1])));
        assert_eq!(request.get(&[]), None);
        assert_eq!(request.id(), Some("r1"));
        assert!(request.has("user") && !request.has("agent"));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MOST_BYTES));
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(40), "]".repeat(40));
        for text in [
            "",
            "{",
            "[]",
            "null",
            "\"x\"",
            "1",
            "{} {}",
            "{\"a\":1,\"a\":2}",
            "{\"a\":{\"b\":1,\"b\":1}}",
            "{\"a\":NaN}",
            "{\"a\":1e999}",
            "{\"a\":\"\\ud800\"}",
            &long,
            &deep,
        ] {
            let refused = refusal(text);
            assert_eq!(
                refused.code,
                codes::REQUEST_MALFORMED,
                "{text:.40}: {refused:?}"
            );
        }
        assert!(Request::parse(b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn a_point_is_one_of_seven_or_refused() {
        for (word, point) in Point::WORDS {
            let request = Request::parse(format!("{{\"point\":\"{word}\"}}").as_bytes()).unwrap();
            assert_eq!((request.point(), point.as_str()), (Some(point), word));
            assert_eq!(request.at_point(Point::DataLayer).point(), Some(point));
        }
        for text in [
            "{\"point\":\"database\"}",
            "{\"point\":\"\"}",
            "{\"point\":3}",
            "{\"point\":\"API_GATEWAY\"}",
        ] {
            assert_eq!(refusal(text).code, codes::POINT_UNKNOWN, "{text}");
        }
        let request = Request::parse(b"{\"point\":null}").unwrap();
        let request = request.at_point(Point::DataLayer);
        assert_eq!(request.text(&["point"]), Some("data_layer"));
    }
}
