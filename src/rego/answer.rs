//! What a rule's value means: an envelope or a truth value, with the sets that speak against it.

use regorus::Value;
use serde_json::{Map, Value as Json};

use super::evaluator::Fault;
use super::settings::Vocabulary;
use crate::ids::ReasonCode;
use crate::request::{Effect, Obligation, Verdict, codes};

/// The members of an envelope.
const MEMBERS: [&str; 6] = [
    "decision",
    "policy_label",
    "obligations",
    "reason_codes",
    "reasons",
    "alternatives",
];

/// More entries of a set than this are not told.
const MOST_TOLD: usize = 100;

/// The verdict of an entry point's value.
pub(super) fn verdict(value: &Value, rule: &str, words: &Vocabulary) -> Verdict {
    match value {
        Value::Bool(true) => Verdict::allow(codes::ALLOW_MATCHED_RULE),
        Value::Bool(false) => Verdict::deny(codes::DEFAULT_DENY),
        Value::Undefined => Verdict::deny(codes::REGO_UNDEFINED)
            .because(format!("`{rule}` is undefined for this request")),
        Value::Object(_) => match Envelope::of(value, words) {
            Ok(envelope) => envelope.0,
            Err(why) => unusable(rule, &why),
        },
        other => unusable(rule, &format!("it is {}", in_words(other))),
    }
}

/// The verdict of a rule that gave nothing.
pub(super) fn fault(fault: &Fault, rule: &str) -> Verdict {
    let at = fault.place.as_ref();
    let at = at.map_or(String::new(), |(file, line)| format!(" ({file}:{line})"));
    let code = if fault.is_limit {
        codes::REGO_LIMIT
    } else {
        codes::REGO_ERROR
    };
    Verdict::deny(code).because(format!("`{rule}`: {}{at}", fault.message))
}

fn unusable(rule: &str, why: &str) -> Verdict {
    Verdict::deny(codes::REGO_ANSWER_INVALID).because(format!("`{rule}` can't be used: {why}"))
}

fn in_words(value: &Value) -> &'static str {
    match value {
        Value::Null => "`null`",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Set(_) => "a set",
        Value::Object(_) => "an object",
        Value::Undefined => "undefined",
    }
}

/// What speaks against a request: the entries of a `deny` or `violation` beside the entry point. `None`
/// where nothing does.
pub(super) fn against(value: &Value, rule: &str, words: &Vocabulary) -> Option<Verdict> {
    let denial = Verdict {
        codes: Vec::new(),
        ..Verdict::deny(codes::REGO_DENIED)
    };
    let entries: Vec<&Value> = match value {
        Value::Undefined | Value::Bool(false) => return None,
        Value::Bool(true) => return Some(Verdict::deny(codes::REGO_DENIED)),
        Value::String(_) => vec![value],
        Value::Set(set) => set.iter_sorted().collect(),
        Value::Array(list) => list.iter().collect(),
        other => return Some(unusable(rule, &format!("it is {}", in_words(other)))),
    };
    if entries.is_empty() {
        return None;
    }
    let mut verdict = entries
        .into_iter()
        .take(MOST_TOLD)
        .fold(denial, |verdict, entry| entry_of(verdict, entry, words));
    if verdict.codes.is_empty() {
        verdict.codes.push(codes::REGO_DENIED);
    }
    Some(verdict)
}

/// One entry: a text, or an object with `msg` and perhaps `code` and `severity`.
fn entry_of(mut verdict: Verdict, entry: &Value, words: &Vocabulary) -> Verdict {
    let text = |name: &str| member(entry, name).and_then(text_of);
    let message = text_of(entry)
        .or_else(|| text("msg"))
        .or_else(|| text("message"));
    let code = text("code").and_then(|code| known_code(code, words));
    let code = code.unwrap_or(codes::REGO_DENIED);
    if !verdict.codes.contains(&code) {
        verdict.codes.push(code);
    }
    let reason = message.map_or_else(|| entry.to_string(), str::to_owned);
    if !verdict.reasons.contains(&reason) {
        verdict.reasons.push(reason);
    }
    if let Some(severity) = text("severity") {
        let alert = Obligation::new("security_alert").with("severity", severity);
        if !verdict.obligations.contains(&alert) {
            verdict.obligations.push(alert);
        }
    }
    verdict
}

fn known_code(text: &str, words: &Vocabulary) -> Option<ReasonCode> {
    let code = ReasonCode::parse(text)?;
    words.reason_codes.contains(text).then_some(code)
}

fn member<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    value.as_object().ok()?.get(&Value::from(name))
}

fn text_of(value: &Value) -> Option<&str> {
    value.as_string().ok().map(|text| text.as_ref())
}

/// An envelope that can be used.
struct Envelope(Verdict);

impl Envelope {
    fn of(value: &Value, words: &Vocabulary) -> Result<Self, String> {
        let members = value
            .as_object()
            .map_err(|_| "it is no object".to_owned())?;
        for name in members.keys_sorted() {
            if !text_of(name).is_some_and(|name| MEMBERS.contains(&name)) {
                return Err(format!("an envelope has no member {name}"));
            }
        }
        let effect = match member(value, "decision").and_then(text_of) {
            Some("allow") => Effect::Allow,
            Some("deny") => Effect::Deny,
            _ => return Err("`decision` is neither `allow` nor `deny`".to_owned()),
        };
        let mut codes = Vec::new();
        for text in texts(value, "reason_codes")? {
            let known = known_code(text, words);
            codes.push(
                known.ok_or_else(|| format!("`{text}` is no reason code of the vocabulary"))?,
            );
        }
        if codes.is_empty() {
            return Err("`reason_codes` names no reason".to_owned());
        }
        Ok(Self(Verdict {
            effect,
            label: label(value, words)?,
            obligations: obligations(value, words)?,
            codes,
            reasons: owned(texts(value, "reasons")?),
            alternatives: owned(texts(value, "alternatives")?),
            steps: Vec::new(),
        }))
    }
}

fn owned(texts: Vec<&str>) -> Vec<String> {
    texts.into_iter().map(str::to_owned).collect()
}

fn label(value: &Value, words: &Vocabulary) -> Result<Option<String>, String> {
    let label = match member(value, "policy_label") {
        None | Some(Value::Null) => return Ok(None),
        Some(label) => text_of(label).ok_or("`policy_label` is no text")?,
    };
    let is_known = words
        .labels
        .as_ref()
        .is_none_or(|labels| labels.contains(label));
    if is_known {
        Ok(Some(label.to_owned()))
    } else {
        Err(format!("`{label}` is no label of the vocabulary"))
    }
}

/// The values of a list or set, a set in its order.
fn items<'v>(value: &'v Value, name: &str) -> Result<Vec<&'v Value>, String> {
    match member(value, name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => Ok(list.iter().collect()),
        Some(Value::Set(set)) => Ok(set.iter_sorted().collect()),
        Some(_) => Err(format!("`{name}` is neither a list nor a set")),
    }
}

fn texts<'v>(value: &'v Value, name: &str) -> Result<Vec<&'v str>, String> {
    let items = items(value, name)?.into_iter();
    let texts = items.map(|item| text_of(item).ok_or_else(|| format!("`{name}` holds no text")));
    texts.collect()
}

fn obligations(value: &Value, words: &Vocabulary) -> Result<Vec<Obligation>, String> {
    let items = items(value, "obligations")?.into_iter();
    let obligations = items.map(|item| {
        let kind = member(item, "type").and_then(text_of);
        let kind = kind.ok_or("an obligation has no `type`")?;
        if !words.obligations.contains(kind) {
            return Err(format!("`{kind}` is no obligation of the vocabulary"));
        }
        let json = serde_json::to_value(item).map_err(|error| error.to_string())?;
        let Json::Object(mut parameters) = json else {
            return Err("an obligation is no object".to_owned());
        };
        parameters.remove("type");
        Ok(Obligation {
            kind: kind.to_owned(),
            parameters: parameters.into_iter().collect::<Map<_, _>>(),
        })
    });
    obligations.collect()
}
