//! What an agent wants to spend: a payment, read from JSON.
//!
//! The amount is taken from the text of the JSON where that is at hand, so that no digit of it goes
//! through a floating-point number. Every problem of an intent is told at once, and any of them denies
//! it: only a whole intent is held against policies.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::amount::{Amount, Unreadable};
use super::reason::Reason;
use crate::ids::Digest;

/// What the money is moved by (row S1-112).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Purpose {
    /// An instant payment.
    Pix,
    /// A card.
    Card,
    /// A bank transfer.
    Wire,
    /// A fee.
    Fee,
    /// Something else.
    Other,
}

impl Purpose {
    /// Their words.
    pub const WORDS: [(&'static str, Self); 5] = [
        ("PIX", Self::Pix),
        ("CARD", Self::Card),
        ("WIRE", Self::Wire),
        ("FEE", Self::Fee),
        ("OTHER", Self::Other),
    ];

    fn parse(word: &str) -> Option<Self> {
        let found = Self::WORDS.iter().find(|(known, _)| *known == word);
        found.map(|(_, purpose)| *purpose)
    }
}

/// Who gets the money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Beneficiary {
    /// Its id, as lists name it.
    pub id: String,
    /// The account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The country, two letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

/// A payment that an agent wants to make (row S1-111).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// Who spends.
    pub agent_id: String,
    /// For whom.
    pub entity_id: String,
    /// How much; more than nothing.
    pub amount: Amount,
    /// Of which currency.
    pub currency: String,
    /// For what.
    pub category: String,
    /// To whom.
    pub beneficiary: Beneficiary,
    /// By which way.
    pub purpose: Purpose,
    /// What else the agent says of it, as canonical JSON; no rule reads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
    /// The category in small letters: what is blocked is blocked however it is written.
    #[serde(skip)]
    pub(super) category_folded: String,
    /// The beneficiary's id, likewise.
    #[serde(skip)]
    pub(super) beneficiary_folded: String,
}

/// The members of an intent.
const MEMBERS: [&str; 8] = [
    "agentId",
    "entityId",
    "amount",
    "currency",
    "category",
    "beneficiary",
    "purpose",
    "metadata",
];

/// The members of a beneficiary.
const OF_BENEFICIARY: [&str; 3] = ["id", "account", "country"];

/// The longest text of an intent, in bytes.
const LONGEST: usize = 200;

/// The largest metadata, in bytes.
const MOST_METADATA: usize = 16 * 1024;

impl Intent {
    /// Reads the JSON text of an intent.
    pub fn parse(text: &str) -> Result<Self, Vec<Reason<'static>>> {
        // What the other reader refuses (depth, keys that stand there twice) is refused here too.
        let value: Value = strict(text)?;
        let members: Members<'_> = serde_json::from_str(text)
            .map_err(|_| vec![Reason::Malformed("`intent` is no JSON object".to_owned())])?;
        let written = members.0.get("amount").map(|raw| raw.get());
        Self::read(&value, written)
    }

    /// Takes an intent out of a request that was read already. Its numbers went through floating-point
    /// ones: of one with more than 15 digits nobody knows any more what it was, so it is refused where
    /// that can be seen. Whoever has the text had better use [`Self::parse`].
    pub fn from_value(value: &Value) -> Result<Self, Vec<Reason<'static>>> {
        Self::read(value, None)
    }

    fn read(value: &Value, written: Option<&str>) -> Result<Self, Vec<Reason<'static>>> {
        let mut reader = Reader::default();
        let members = reader.object(value, "intent", &MEMBERS);
        let agent_id = reader.text(members, "agentId");
        let entity_id = reader.text(members, "entityId");
        let amount = reader.amount(members, written);
        let currency = reader.text(members, "currency");
        let category = reader.text(members, "category");
        let beneficiary = reader.beneficiary(members);
        let purpose = reader.purpose(members);
        let metadata = reader.metadata(members);
        if let Some(amount) = amount
            && let Some(purpose) = purpose
            && reader.problems.is_empty()
        {
            return Ok(Self {
                category_folded: category.to_lowercase(),
                beneficiary_folded: beneficiary.id.to_lowercase(),
                agent_id,
                entity_id,
                amount,
                currency,
                category,
                beneficiary,
                purpose,
                metadata,
            });
        }
        Err(reader.problems)
    }

    /// What an approval and a record are bound to: every member, however the JSON was laid out.
    pub fn digest(&self) -> Digest {
        // Serialising to memory can't fail: there are no maps with keys that are no text.
        Digest::of(&serde_json::to_vec(self).unwrap_or_default())
    }
}

/// Reads JSON as requests are read: each key once, not too deep.
fn strict(text: &str) -> Result<Value, Vec<Reason<'static>>> {
    let wrapped = format!("{{\"intent\":{text}\n}}");
    match crate::request::Request::parse(wrapped.as_bytes()) {
        Ok(request) => Ok(request.get(&["intent"]).cloned().unwrap_or(Value::Null)),
        Err(refused) => Err(vec![without_number(text, refused.message)]),
    }
}

/// Writers of JSON that are too generous write numbers that are none, and others that no floating-point
/// number holds. For whoever asks, both are amounts that can't be.
fn without_number(text: &str, message: String) -> Reason<'static> {
    let members: Option<Members<'_>> = serde_json::from_str(text).ok();
    let raw =
        members.and_then(|members| members.0.get("amount").map(|raw| Amount::parse(raw.get())));
    if let Some(Err(why)) = raw {
        return Reason::InvalidAmount(why);
    }
    let bare: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let is_none = ["NaN", "Infinity", "-Infinity"]
        .iter()
        .any(|word| bare.contains(&format!("\"amount\":{word}")));
    if is_none {
        Reason::InvalidAmount(Unreadable::NoNumber)
    } else {
        Reason::Malformed(message)
    }
}

/// The members of an object, each as it is written.
struct Members<'a>(BTreeMap<String, &'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    if members.insert(key, value).is_some() {
                        return Err(A::Error::custom("a key stands twice"));
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

/// The JSON text of the member `intent` of a request; `None` where there is none.
pub fn of_request(text: &str) -> Option<&str> {
    let members: Members<'_> = serde_json::from_str(text).ok()?;
    let raw = members.0.get("intent")?;
    (raw.get() != "null").then(|| raw.get())
}

/// A JSON object that is looked at.
type Object<'v> = Option<&'v serde_json::Map<String, Value>>;

#[derive(Default)]
struct Reader {
    problems: Vec<Reason<'static>>,
    /// Stands before the names of the members that are looked at.
    within: &'static str,
}

impl Reader {
    fn malformed(&mut self, message: String) {
        self.problems.push(Reason::Malformed(message));
    }

    fn object<'v>(&mut self, value: &'v Value, name: &str, known: &[&str]) -> Object<'v> {
        let Value::Object(members) = value else {
            self.malformed(format!("`{name}` is no JSON object"));
            return None;
        };
        let strangers = members.keys().filter(|key| !known.contains(&key.as_str()));
        // Not by their names: whoever wrote them may have written anything.
        let count = strangers.count();
        if count > 0 {
            let known = known.join(", ");
            self.malformed(format!("`{name}` has {count} other members than {known}"));
        }
        Some(members)
    }

    fn get<'v>(members: Object<'v>, name: &str) -> Option<&'v Value> {
        members?.get(name).filter(|value| !value.is_null())
    }

    /// A text that has to be there. Where the object itself is none, that is said already.
    fn text(&mut self, members: Object<'_>, name: &str) -> String {
        let found = self.optional_text(members, name);
        if found.is_none() && members.is_some() && Self::get(members, name).is_none() {
            self.malformed(format!("`{}{name}` is missing", self.within));
        }
        found.unwrap_or_default()
    }

    fn optional_text(&mut self, members: Object<'_>, name: &str) -> Option<String> {
        let value = Self::get(members, name)?;
        let fits = |text: &&str| {
            !text.is_empty()
                && text.len() <= LONGEST
                && text.trim() == *text
                && !text.chars().any(is_unseen)
        };
        let text = value.as_str().filter(fits);
        if text.is_none() {
            self.malformed(format!(
                "`{}{name}` is no text of 1 to {LONGEST} bytes without blanks around it and characters that nobody sees",
                self.within
            ));
        }
        text.map(str::to_owned)
    }

    fn amount(&mut self, members: Object<'_>, written: Option<&str>) -> Option<Amount> {
        members?;
        let found = match (Self::get(members, "amount"), written) {
            (Some(Value::String(text)), _) => Amount::parse(text),
            (Some(Value::Number(_)), Some(written)) => Amount::parse_number(written),
            (Some(Value::Number(number)), None) => Amount::parse_number(&number.to_string()),
            _ => Err(Unreadable::NoNumber),
        };
        let found = match found {
            Ok(amount) if amount.is_zero() => Err(Unreadable::Nothing),
            other => other,
        };
        match found {
            Ok(amount) => Some(amount),
            Err(why) => {
                self.problems.push(Reason::InvalidAmount(why));
                None
            }
        }
    }

    fn beneficiary(&mut self, members: Object<'_>) -> Beneficiary {
        let members = match Self::get(members, "beneficiary") {
            Some(value) => self.object(value, "beneficiary", &OF_BENEFICIARY),
            None if members.is_some() => {
                self.malformed("`beneficiary` is missing".to_owned());
                None
            }
            None => None,
        };
        self.within = "beneficiary.";
        let beneficiary = Beneficiary {
            id: self.text(members, "id"),
            account: self.optional_text(members, "account"),
            country: self.optional_text(members, "country"),
        };
        self.within = "";
        beneficiary
    }

    fn purpose(&mut self, members: Object<'_>) -> Option<Purpose> {
        let word = self.text(members, "purpose");
        let purpose = Purpose::parse(&word);
        if purpose.is_none() && !word.is_empty() {
            self.problems.push(Reason::PurposeUnknown);
        }
        purpose
    }

    fn metadata(&mut self, members: Object<'_>) -> Option<String> {
        let value = Self::get(members, "metadata")?;
        let mut text = String::new();
        if value.is_object() {
            canonical(value, &mut text);
        }
        if text.is_empty() || text.len() > MOST_METADATA {
            self.malformed(format!(
                "`metadata` is no JSON object of at most {MOST_METADATA} bytes"
            ));
        }
        Some(text)
    }
}

/// Characters that make two texts look alike which are not.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{ad}')
}

/// JSON with its keys in order, whatever order the parser keeps.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<&String, &Value> = members.iter().collect();
            out.push('{');
            for (index, (key, value)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, value) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                canonical(value, out);
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(amount: &str) -> String {
        format!(
            r#"{{"agentId":"a","entityId":"e","amount":{amount},"currency":"BRL","category":"utilities","beneficiary":{{"id":"b","country":"BR"}},"purpose":"PIX","metadata":{{"b":1,"a":[true,{{"d":1,"c":2}}]}}}}"#
        )
    }

    fn reasons(text: &str) -> Vec<String> {
        let reasons = Intent::parse(text).unwrap_err();
        reasons.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_intent_is_read_with_every_digit() {
        let intent = Intent::parse(&text("100.10")).unwrap();
        assert_eq!(intent.amount.to_string(), "100.1");
        assert_eq!(
            intent.metadata.as_deref(),
            Some(r#"{"a":[true,{"c":2,"d":1}],"b":1}"#)
        );
        let as_text = Intent::parse(&text("\"100.1\"")).unwrap();
        assert_eq!(intent.digest(), as_text.digest());
        let long = Intent::parse(&text("\"123456789012.12345678\"")).unwrap();
        assert_eq!(long.amount.to_string(), "123456789012.12345678");
        let value = serde_json::from_str(&text("100.1")).unwrap();
        assert_eq!(Intent::from_value(&value).unwrap(), intent);
    }

    #[test]
    fn amounts_that_can_not_be_are_invalid_and_nothing_else() {
        for amount in [
            "NaN",
            "Infinity",
            "-Infinity",
            "1e400",
            "-1e400",
            "-5",
            "0",
            "-0",
            "0.0",
            "1e12",
            "0.123456789",
            "\"NaN\"",
            "\"\"",
            "\"5 BRL\"",
            "null",
            "true",
            "[]",
            "{}",
            "123456789012.3456",
            "0.10000000000000001",
        ] {
            let reasons = reasons(&text(amount));
            assert_eq!(reasons.len(), 1, "{amount}: {reasons:?}");
            assert!(
                reasons[0].starts_with("invalid_amount: "),
                "{amount}: {reasons:?}"
            );
        }
        let value = serde_json::from_str(&text("123456789012.3456")).unwrap();
        assert!(Intent::from_value(&value).is_err());
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let text = r#"{"agentId":"","entityId":7,"amount":-1,"currency":" BRL","beneficiary":{"country":"B\u200bR","x":1},"purpose":"CASH","metadata":[],"y":2}"#;
        insta::assert_snapshot!(reasons(text).join("\n"), @r"
        intent_malformed: `intent` has 1 other members than agentId, entityId, amount, currency, category, beneficiary, purpose, metadata
        intent_malformed: `agentId` is no text of 1 to 200 bytes without blanks around it and characters that nobody sees
        intent_malformed: `entityId` is no text of 1 to 200 bytes without blanks around it and characters that nobody sees
        invalid_amount: below 0
        intent_malformed: `currency` is no text of 1 to 200 bytes without blanks around it and characters that nobody sees
        intent_malformed: `category` is missing
        intent_malformed: `beneficiary` has 1 other members than id, account, country
        intent_malformed: `beneficiary.id` is missing
        intent_malformed: `beneficiary.country` is no text of 1 to 200 bytes without blanks around it and characters that nobody sees
        purpose_unknown: expected PIX, CARD, WIRE, FEE or OTHER
        intent_malformed: `metadata` is no JSON object of at most 16384 bytes
        ");
        insta::assert_snapshot!(reasons("{}").join("\n"), @r"
        intent_malformed: `agentId` is missing
        intent_malformed: `entityId` is missing
        invalid_amount: no decimal number
        intent_malformed: `currency` is missing
        intent_malformed: `category` is missing
        intent_malformed: `beneficiary` is missing
        intent_malformed: `purpose` is missing
        ");
        for text in ["[]", "null", "7", "\"x\""] {
            assert_eq!(
                reasons(text),
                ["intent_malformed: `intent` is no JSON object"]
            );
        }
        for text in [
            "",
            "{",
            "{\"amount\":1,\"amount\":2}",
            "{} {}",
            "1}, \"x\":{",
        ] {
            let reasons = reasons(text);
            assert_eq!(reasons.len(), 1);
            assert!(
                reasons[0].starts_with("intent_malformed: "),
                "{text}: {reasons:?}"
            );
        }
    }

    #[test]
    fn the_intent_of_a_request_is_found_as_it_is_written() {
        assert_eq!(
            of_request(r#"{"id":"1","intent":{"amount": 1.10 }}"#),
            Some(r#"{"amount": 1.10 }"#)
        );
        assert_eq!(of_request(r#"{"intent":null}"#), None);
        assert_eq!(of_request("{}"), None);
    }
}
