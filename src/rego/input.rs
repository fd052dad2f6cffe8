//! A request as rules see it: `input`, with the only time and the only level that they may believe.

use std::collections::BTreeMap;

use regorus::Value;
use serde_json::{Map, Value as Json};

use crate::request::Request;
use crate::request::envelope::Circumstances;
use crate::time::Timestamp;

/// The members of `input.context` that the program sets, whatever the request says there.
const OURS: [&str; 3] = ["evaluated_at", "evaluated_at_ns", "level"];

/// The document `input`; `None` where the request's `context` is no object.
///
/// What is `null` in an object is left out: a request that names nothing must not pass for one that
/// names something, and to a rule `null` is as true as any other value.
pub(super) fn input(request: &Request, around: &Circumstances) -> Option<Value> {
    let mut members = BTreeMap::new();
    for (name, value) in request.members() {
        if name != "context" && !value.is_null() {
            members.insert(Value::from(name.as_str()), value_of(value));
        }
    }
    let said = match request.get(&["context"]) {
        None => None,
        Some(Json::Object(said)) => Some(said),
        Some(_) => return None,
    };
    members.insert(Value::from("context"), context(said, around));
    Some(Value::from(members))
}

fn context(said: Option<&Map<String, Json>>, around: &Circumstances) -> Value {
    let said = said.into_iter().flatten();
    let mut context: BTreeMap<Value, Value> = said
        .filter(|(name, value)| !OURS.contains(&name.as_str()) && !value.is_null())
        .map(|(name, value)| (Value::from(name.as_str()), value_of(value)))
        .collect();
    let at = around.at.to_string();
    context.insert(Value::from("evaluated_at"), Value::from(at));
    let nanoseconds = Value::from(nanoseconds(around.at));
    context.insert(Value::from("evaluated_at_ns"), nanoseconds);
    if let Some(level) = &around.level {
        context.insert(Value::from("level"), Value::from(level.name()));
    }
    Value::from(context)
}

/// A time as rules count it: nanoseconds since 1970.
pub(super) fn nanoseconds(at: Timestamp) -> i64 {
    at.unix_micros().saturating_mul(1000)
}

/// A value as the machine holds it. What is `null` stays only in lists, where its place counts.
pub(super) fn value_of(value: &Json) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => number_of(number),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::from(items.iter().map(value_of).collect::<Vec<_>>()),
        Json::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            let members =
                members.map(|(name, value)| (Value::from(name.as_str()), value_of(value)));
            Value::from(members.collect::<BTreeMap<_, _>>())
        }
    }
}

fn number_of(number: &serde_json::Number) -> Value {
    if let Some(integer) = number.as_i64() {
        Value::from(integer)
    } else if let Some(integer) = number.as_u64() {
        Value::from(integer)
    } else {
        number.as_f64().map_or(Value::Undefined, Value::from)
    }
}

/// Data as it was written, `null` included.
pub(super) fn data_of(members: Map<String, Json>) -> Value {
    Value::from(Json::Object(members))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Level;

    fn seen(text: &str) -> Option<String> {
        let request = Request::parse(text.as_bytes()).unwrap();
        let around = Circumstances::undisturbed(
            Timestamp::from_unix_seconds(1_767_225_600).unwrap(),
            Some(Level::YELLOW),
        );
        input(&request, &around).map(|value| value.to_json_str().unwrap())
    }

    #[test]
    fn time_and_level_are_ours_and_nothing_is_nothing() {
        let text = r#"{"a":{"b":null,"c":[null,1.5,-2,18446744073709551615]},"d":null,
            "context":{"level":"GREEN","evaluated_at_ns":1,"x":null,"purpose":"browse"}}"#;
        let ours = r#""context":{"evaluated_at":"2026-01-01T00:00:00+00:00","evaluated_at_ns":1767225600000000000,"level":"YELLOW""#;
        let expected = format!(
            r#"{{"a":{{"c":[null,1.5,-2,18446744073709551615]}},{ours},"purpose":"browse"}}}}"#
        );
        let compact = |text: &str| text.split_whitespace().collect::<String>();
        assert_eq!(compact(&seen(text).unwrap()), expected);
        assert_eq!(compact(&seen("{}").unwrap()), format!("{{{ours}}}}}"));
        assert_eq!(seen(r#"{"context":[1]}"#), None);
    }
}
