//! Functions whose value may be much larger than their arguments. What it would come to is reckoned
//! first: what is too much is never made, since no limit could stop a function half-way.

use std::sync::OnceLock;

use regorus::Value;
use regorus::unstable::{BUILTINS, Expr, Ref, Source, Span};

/// The largest value that one of them may make, in bytes.
const MOST: u64 = 16 * 1024 * 1024;

/// The largest width or precision of a verb of `sprintf`. The evaluator counts in 32 bits and ends the
/// program beyond.
const MOST_WIDTH: usize = 3;

/// The farthest that a number is shifted, in bits.
const MOST_SHIFT: u64 = 65_536;

/// What a function gives, undefined where it fails on its arguments; `None` where it would be too much.
pub(super) fn answer(name: &str, arguments: &[Value]) -> Option<Value> {
    if may_be(name, arguments)? > MOST {
        return None;
    }
    let (function, _) = BUILTINS.get(name)?;
    let (span, expression) = nowhere()?;
    let expressions: Vec<Ref<Expr>> = arguments.iter().map(|_| expression.clone()).collect();
    Some(function(span, &expressions, arguments, false).unwrap_or(Value::Undefined))
}

/// How large a value may become at most, in bytes, as far as it matters here. `None` for what is refused
/// whatever its size.
fn may_be(name: &str, arguments: &[Value]) -> Option<u64> {
    let size = match (name, arguments) {
        ("array.concat", [one, other]) => {
            let items = count(one).saturating_add(count(other));
            items.saturating_mul(size_of::<Value>() as u64)
        }
        ("bits.lsh", [_, by]) => {
            return by.as_u64().map_or(true, |by| by <= MOST_SHIFT).then_some(0);
        }
        ("concat", [between, texts]) => length(between)
            .saturating_mul(count(texts))
            .saturating_add(written(texts)),
        ("replace", [text, _, new]) => replaced(text, length(new)),
        // A group may be put in as often as the template names it.
        ("regex.replace", [text, _, new]) => {
            let longest = length(new).saturating_mul(length(text).max(1));
            replaced(text, longest.min(length(new).saturating_add(MOST)))
        }
        ("strings.replace_n", [Value::Object(pairs), text]) => {
            let longest = pairs.iter_sorted().map(|(_, new)| length(new)).max();
            replaced(text, longest.unwrap_or_default())
        }
        ("sprintf", [format, values]) => {
            let format = text(format);
            if !are_narrow(format) {
                return None;
            }
            // Three digits of width for each verb at most.
            (format.len() as u64)
                .saturating_mul(1000)
                .min(MOST / 2)
                .saturating_add(written(values))
        }
        (_, all) => all.iter().map(written).fold(0, u64::saturating_add),
    };
    Some(size)
}

/// A text in which something stands before each character, between them, and at the end.
fn replaced(text: &Value, new: u64) -> u64 {
    let length = length(text);
    length
        .saturating_add(1)
        .saturating_mul(new)
        .saturating_add(length)
}

fn text(value: &Value) -> &str {
    value.as_string().map_or("", |text| text.as_ref())
}

fn length(value: &Value) -> u64 {
    text(value).len() as u64
}

fn count(value: &Value) -> u64 {
    let count = match value {
        Value::Array(list) => list.len(),
        Value::Set(set) => set.len(),
        _ => 0,
    };
    count as u64
}

/// The size of a value as JSON at most, counted until it is too much.
fn written(value: &Value) -> u64 {
    let (mut size, mut open) = (0_u64, vec![value]);
    while let Some(value) = open.pop() {
        // A number has few digits, unless somebody shifted it: those it may have are counted.
        size = size.saturating_add(match value {
            Value::String(text) => (text.len() as u64).saturating_mul(6),
            Value::Number(_) => 32,
            _ => 8,
        });
        if size > MOST {
            break;
        }
        match value {
            Value::Array(list) => open.extend(list.iter()),
            Value::Set(set) => open.extend(set.iter_sorted()),
            Value::Object(members) => {
                for (name, member) in members.iter_sorted() {
                    open.extend([name, member]);
                }
            }
            _ => {}
        }
    }
    size
}

/// True where no verb of a format asks for a wide field.
fn are_narrow(format: &str) -> bool {
    let mut verbs = format.split('%').skip(1);
    verbs.all(|verb| {
        let digits = verb.strip_prefix('.').unwrap_or(verb);
        let odd = |character: char| character.is_numeric();
        let width: Vec<char> = digits.chars().take_while(|next| odd(*next)).collect();
        width.len() <= MOST_WIDTH && width.iter().all(char::is_ascii_digit)
    })
}

/// Arguments stand nowhere here: the place is for messages that nobody sees.
fn nowhere() -> Option<&'static (Span, Ref<Expr>)> {
    static NOWHERE: OnceLock<Option<(Span, Ref<Expr>)>> = OnceLock::new();
    let made = NOWHERE.get_or_init(|| {
        let source = Source::from_contents(String::new(), String::new()).ok()?;
        let span = Span {
            source,
            line: 1,
            col: 1,
            start: 0,
            end: 0,
        };
        let expression = Expr::Null {
            span: span.clone(),
            value: Value::Null,
            eidx: 0,
        };
        Some((span, Ref::new(expression)))
    });
    made.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &str, arguments: &str) -> Option<String> {
        let arguments = Value::from_json_str(arguments).unwrap();
        let arguments = arguments.as_array().unwrap().to_vec();
        answer(name, &arguments).map(|value| value.to_string())
    }

    #[test]
    fn what_is_small_is_answered_as_ever() {
        for (name, arguments, expected) in [
            ("concat", r#"["-", ["a", "b"]]"#, r#""a-b""#),
            ("replace", r#"["aa", "a", "bc"]"#, r#""bcbc""#),
            (
                "sprintf",
                r#"["%s: %05d %v", ["x", 7, [1]]]"#,
                r#""x: 00007 [1]""#,
            ),
            (
                "json.marshal",
                r#"[{"a": [1, "x"]}]"#,
                r#""{\"a\":[1,\"x\"]}""#,
            ),
            ("regex.replace", r#"["abc", "b", "x"]"#, r#""axc""#),
            ("strings.replace_n", r#"[{"a": "b"}, "aca"]"#, r#""bcb""#),
            ("array.concat", "[[1], [2]]", "[1,2]"),
            ("hex.encode", r#"["a"]"#, r#""61""#),
            ("bits.lsh", "[1, 40]", "1099511627776"),
        ] {
            assert_eq!(asked(name, arguments).as_deref(), Some(expected), "{name}");
        }
        assert_eq!(
            asked("concat", "[1, 2]").as_deref(),
            Some("\"<undefined>\"")
        );
        assert_eq!(
            asked("sprintf", r#"["%d", []]"#).as_deref(),
            Some("\"<undefined>\"")
        );
    }

    #[test]
    fn what_would_be_too_much_is_not_made() {
        let long = "a".repeat(100_000);
        let many = vec!["b"; 100_000];
        for (name, arguments) in [
            ("concat", serde_json::json!([long, many])),
            ("replace", serde_json::json!([long, "a", long])),
            ("regex.replace", serde_json::json!([long, "a", long])),
            (
                "regex.replace",
                serde_json::json!([long, ".*", "$0".repeat(50_000)]),
            ),
            ("strings.replace_n", serde_json::json!([{"a": long}, long])),
            (
                "json.marshal",
                serde_json::json!([vec![long.as_str(); 100]]),
            ),
            (
                "sprintf",
                serde_json::json!(["%v", [vec![long.as_str(); 100]]]),
            ),
            (
                "array.concat",
                serde_json::json!([vec![1; 600_000], vec![1; 600_000]]),
            ),
            ("hex.encode", serde_json::json!([long.repeat(40)])),
            ("sprintf", serde_json::json!(["%99999999999d", [1]])),
            ("sprintf", serde_json::json!(["%.9999f", [1]])),
            ("sprintf", serde_json::json!(["%½d", [1]])),
            ("bits.lsh", serde_json::json!([1, 4_000_000_000_u64])),
        ] {
            assert_eq!(asked(name, &arguments.to_string()), None, "{name}");
        }
    }
}
