//! Obligations: what has to be done with an answer so that it is safe. We emit them; whoever asked
//! keeps them (rows S2-024, N-07).

use serde::Serialize;
use serde_json::{Map, Value};

/// Something that whoever asked has to do: its type and what goes with it, as
/// `{"type": "show_notice", "message": "…"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Obligation {
    /// What has to be done, a word of the vocabulary.
    #[serde(rename = "type")]
    pub kind: String,
    /// What goes with it.
    #[serde(flatten)]
    pub parameters: Map<String, Value>,
}

impl Obligation {
    /// An obligation that needs nothing beside its type.
    pub fn new(kind: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            parameters: Map::new(),
        }
    }

    /// Adds what goes with it.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.parameters.insert(name.to_owned(), value.into());
        self
    }

    /// True for those that have to be kept even where another layer denies: what is to be audited
    /// stays to be audited.
    pub fn is_audit(&self) -> bool {
        matches!(self.kind.as_str(), "log_audit" | "audit_log")
    }
}

/// The types that this program gives itself, each with its meaning. A vocabulary of a workspace may
/// have more.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("show_notice", "Show the text `message` beside the data."),
    (
        "redact_fields",
        "Take the fields `fields` out before anything is handed over.",
    ),
    (
        "force_generalization",
        "Hand over a generalized derivative only, never the data itself.",
    ),
    ("suppress_export", "Neither download nor export."),
    (
        "require_attribution",
        "Name license and attribution in every export.",
    ),
    (
        "rate_limit_class",
        "Limit the rate as the class `class` asks.",
    ),
    ("log_audit", "Write an audit entry for this act."),
    (
        "policy_safe_error",
        "Answer a public caller so that nobody can tell restricted from absent.",
    ),
    (
        "embargo_until",
        "Keep it hidden until `date` is over and a review has released it.",
    ),
    (
        "remediation_hint",
        "Tell a steward what would have to be done: `hint`.",
    ),
    (
        "provenance_link",
        "Link to the record of the redaction or generalization.",
    ),
    ("audit_log", "Write an audit entry for this act."),
    (
        "security_alert",
        "Tell whoever is responsible for security.",
    ),
    (
        "violation_response",
        "Answer the violation: `immediate`, `investigative`, `remedial` and `preventive` name what to do.",
    ),
    ("agent_termination", "End the agent that asked."),
    ("immediate_termination", "End at once whatever asked."),
    ("human_approval", "Have a person approve before it is done."),
    (
        "multi_signature",
        "Have `approvals` persons approve before it is done.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_obligation_is_its_type_and_what_goes_with_it() {
        let notice = Obligation::new("show_notice").with("message", "Generalized.");
        assert_eq!(
            serde_json::to_string(&notice).unwrap(),
            r#"{"type":"show_notice","message":"Generalized."}"#
        );
        assert_eq!(
            serde_json::to_string(&Obligation::new("log_audit")).unwrap(),
            r#"{"type":"log_audit"}"#
        );
    }
}
