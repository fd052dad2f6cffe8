//! The vocabularies as their files write them. What the words mean is checked by [`super::reading`].

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde_json::{Number, Value};

use crate::policy::source::collect::{Entries, Field, List};

/// A list of words.
pub(super) type Words = List<String>;

/// `policy_labels.v1.yml`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawLabels {
    pub(super) schema: Field<f64>,
    pub(super) roles: List<RawRole>,
    pub(super) actions: List<RawAction>,
    pub(super) resource_types: List<RawType>,
    pub(super) fields: Field<RawFields>,
    pub(super) labels: List<RawLabel>,
    pub(super) exceptions: List<RawException>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawRole {
    pub(super) name: Field<String>,
    pub(super) meaning: Field<String>,
    pub(super) sees: Field<Sees>,
}

/// How a role is answered where it is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sees {
    /// With one text for whatever is restricted or absent.
    Generic,
    /// With codes and a hint.
    Explicit,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawAction {
    pub(super) name: Field<String>,
    pub(super) meaning: Field<String>,
    pub(super) points: Words,
    pub(super) evidence: Field<Asked>,
    pub(super) leaves: Field<bool>,
}

/// Which evidence an action needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Asked {
    /// None; what is given has to resolve.
    Given,
    /// Some, where the type of the resource cites.
    Cited,
    /// Some, always.
    Always,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawType {
    pub(super) name: Field<String>,
    pub(super) meaning: Field<String>,
    pub(super) identity: Words,
    pub(super) cites: Field<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawFields {
    pub(super) user: Words,
    pub(super) resource: Words,
    pub(super) context: Words,
    pub(super) evidence: Words,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawLabel {
    pub(super) name: Field<String>,
    pub(super) meaning: Field<String>,
    pub(super) rules: List<RawRule>,
    pub(super) denied: Field<RawDenied>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawRule {
    pub(super) id: Field<String>,
    pub(super) effect: Field<RuleEffect>,
    pub(super) roles: Words,
    pub(super) actions: Words,
    pub(super) needs: List<Need>,
    pub(super) obligations: List<Entries<Parameter>>,
    pub(super) code: Field<String>,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleEffect {
    /// It allows, unless something denies.
    Allow,
    /// It denies, whatever allows.
    Deny,
}

/// What has to hold beside role and action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// License, rights and attribution are there and permit it.
    Rights,
    /// The embargo's date is over, and a review has released it.
    EmbargoOver,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawDenied {
    pub(super) obligations: List<Entries<Parameter>>,
    pub(super) alternatives: Words,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawException {
    pub(super) id: Field<String>,
    pub(super) label: Field<String>,
    pub(super) principals: Words,
    pub(super) actions: Words,
    pub(super) until: Field<String>,
    pub(super) because: Field<String>,
    pub(super) fixture: Field<String>,
    pub(super) obligations: List<Entries<Parameter>>,
}

/// `obligations.v1.yml`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawObligations {
    pub(super) schema: Field<f64>,
    pub(super) obligations: List<RawObligation>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawObligation {
    #[serde(rename = "type")]
    pub(super) kind: Field<String>,
    pub(super) meaning: Field<String>,
    pub(super) parameters: Field<Entries<ParameterKind>>,
    pub(super) from: Field<Entries<Supplied>>,
}

/// Of what kind a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParameterKind {
    /// A text.
    Text,
    /// A number.
    Number,
    /// A list of texts.
    Texts,
}

impl ParameterKind {
    /// True for a value of this kind.
    pub(super) fn fits(self, value: &Value) -> bool {
        match self {
            Self::Text => value.as_str().is_some_and(|text| !text.trim().is_empty()),
            Self::Number => value.is_number(),
            Self::Texts => value.as_array().is_some_and(|list| !list.is_empty()),
        }
    }

    /// Its words.
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Texts => "a list of texts",
        }
    }
}

/// What a request supplies to an obligation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Supplied {
    /// The date of the resource's embargo.
    #[serde(rename = "resource.embargo_until")]
    EmbargoDate,
    /// The hint of the first reason code.
    #[serde(rename = "reason_code")]
    Hint,
    /// The receipts of the resource and its evidence.
    #[serde(rename = "receipts")]
    Receipts,
}

/// `reason_codes.v1.yml`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawReasons {
    pub(super) schema: Field<f64>,
    pub(super) reason_codes: List<RawReason>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawReason {
    pub(super) code: Field<String>,
    pub(super) meaning: Field<String>,
    pub(super) hint: Field<String>,
}

/// What goes with an obligation: a text, a number, a truth value or a list of texts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Parameter(pub(super) Value);

impl<'de> Deserialize<'de> for Parameter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Parameter;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number, or a list of texts")
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Parameter, E> {
                Ok(Parameter(Value::Bool(value)))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Parameter, E> {
                let number = Number::from_f64(number);
                number
                    .map(|number| Parameter(Value::Number(number)))
                    .ok_or_else(|| E::custom("the number is not finite"))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Parameter, E> {
                Ok(Parameter(Value::String(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Parameter, A::Error> {
                let mut list = Vec::new();
                while let Some(text) = items.next_element::<String>()? {
                    list.push(Value::String(text));
                }
                Ok(Parameter(Value::Array(list)))
            }
        }
        deserializer.deserialize_any(Any)
    }
}
