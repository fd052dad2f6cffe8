//! An answer to a request as text for a person.

use crate::ids::ReasonCode;
use crate::request::envelope::Decision;
use crate::request::{Effect, Envelope, Obligation};

/// The answer in some lines, without the last line's end.
pub fn text(envelope: &Envelope) -> String {
    let mut text = head(envelope);
    for reason in &envelope.reasons {
        text.push_str(&format!("\n  because    {reason}"));
    }
    for obligation in &envelope.obligations {
        text.push_str(&format!("\n  obliged    {}", of_obligation(obligation)));
    }
    for alternative in &envelope.alternatives {
        text.push_str(&format!("\n  instead    {alternative}"));
    }
    if let Some(label) = &envelope.policy_label {
        text.push_str(&format!("\n  label      {label}"));
    }
    let level = envelope.level.as_ref();
    let level = level.map_or_else(|| "not known".to_owned(), ToString::to_string);
    text.push_str(&format!(
        "\n  level      {level}, at {}",
        envelope.evaluated_at.human()
    ));
    let policy = envelope
        .policy_sha256
        .map_or_else(|| "could not be asked".to_owned(), |digest| digest.short());
    text.push_str(&format!("\n  policies   {policy}"));
    for step in &envelope.explanation {
        let line = step.line.map(|line| format!(":{line}")).unwrap_or_default();
        text.push_str(&format!(
            "\n  looked at  {}{line} {}: {}",
            step.file, step.rule, step.said
        ));
    }
    text
}

fn head(envelope: &Envelope) -> String {
    let codes: Vec<&str> = envelope
        .reason_codes
        .iter()
        .map(ReasonCode::as_str)
        .collect();
    let word = match (envelope.decision, envelope.effect) {
        (Decision::Allow, _) => "allowed".to_owned(),
        (Decision::Deny, Effect::RequireHitl) => "waits for an approval".to_owned(),
        (Decision::Deny, Effect::RequireMsig { approvals }) => {
            format!("waits for {approvals} approvals")
        }
        (Decision::Deny, _) => "denied".to_owned(),
    };
    let id = envelope
        .id
        .as_ref()
        .map(|id| format!("{id}: "))
        .unwrap_or_default();
    format!("{id}{word}  {}", codes.join(", "))
}

fn of_obligation(obligation: &Obligation) -> String {
    let mut text = obligation.kind.clone();
    for (name, value) in &obligation.parameters {
        text.push_str(&format!(" {name}={value}"));
    }
    text
}
