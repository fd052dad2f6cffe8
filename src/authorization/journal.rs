//! The journal of answers, `state/request_decisions.jsonl`: its lines, and appending one.
//!
//! A line holds the request with personal data and secrets taken out; where that took something out it
//! says so, since such a request can't be decided again. What was answered is recorded before it is told.

use serde::Serialize;
use serde_json::Value;

use crate::diagnostic::Checked;
use crate::ids::{Digest, ReasonCode};
use crate::policy::Level;
use crate::privacy::{Redaction, Secrets};
use crate::record::{Head, REQUEST_LOG, Records, ledger};
use crate::request::envelope::Decision;
use crate::request::{Effect, Envelope, Obligation, Request};
use crate::time::Timestamp;

#[derive(Serialize)]
struct Line<'a> {
    timestamp: Timestamp,
    event: &'static str,
    user: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
    decision: Decision,
    effect: Effect,
    #[serde(skip_serializing_if = "Option::is_none")]
    approvals_required: Option<u32>,
    policy_label: Option<&'a str>,
    obligations: &'a [Obligation],
    reason_codes: &'a [ReasonCode],
    policy_sha256: Option<Digest>,
    level: Option<&'a Level>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Value>,
    request_sha256: Digest,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    redacted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<&'static str>,
}

/// An answer, for the record.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// The request; `None` for what is none.
    pub request: Option<&'a Request>,
    /// Its bytes as they came.
    pub bytes: &'a [u8],
    /// The answer, in the internal view.
    pub envelope: &'a Envelope,
    /// Who asked the program.
    pub user: &'a str,
    /// The verified tenant.
    pub tenant: Option<&'a str>,
    /// The values of secret variables, which are taken out.
    pub secrets: &'a Secrets,
    /// True where the time was given with `--at`.
    pub given_clock: bool,
}

/// Appends an answer. Fails where the journal is broken or can't be written; then the answer may not
/// be told.
pub fn append(records: Records<'_>, answered: Answered<'_>) -> Checked<Head> {
    let envelope = answered.envelope;
    let clean = |text: &str| answered.secrets.redact(&Redaction::new().text(text));
    let request = answered.request.map(|request| {
        let whole = Value::Object(request.members().clone());
        let taken_out = without_secrets(&Redaction::new().value(&whole), answered.secrets);
        (taken_out != whole, taken_out)
    });
    let (redacted, request) = request.unzip();
    let line = Line {
        timestamp: envelope.evaluated_at,
        event: match envelope.effect {
            Effect::Allow => "request_allowed",
            Effect::Deny => "request_denied",
            Effect::RequireHitl | Effect::RequireMsig { .. } => "request_waits",
        },
        user: answered.user,
        id: envelope.id.as_deref().map(clean),
        tenant: answered.tenant,
        decision: envelope.decision,
        effect: envelope.effect,
        approvals_required: envelope.approvals_required,
        policy_label: envelope.policy_label.as_deref(),
        obligations: &envelope.obligations,
        reason_codes: &envelope.reason_codes,
        policy_sha256: envelope.policy_sha256,
        level: envelope.level.as_ref(),
        request,
        request_sha256: Digest::of(answered.bytes),
        redacted: redacted.unwrap_or_default(),
        clock: answered.given_clock.then_some("given"),
    };
    ledger::append(records, REQUEST_LOG, &line)
}

fn without_secrets(value: &Value, secrets: &Secrets) -> Value {
    match value {
        Value::String(text) => Value::String(secrets.redact(text)),
        Value::Array(items) => items
            .iter()
            .map(|item| without_secrets(item, secrets))
            .collect(),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| (secrets.redact(key), without_secrets(value, secrets)))
            .collect(),
        other => other.clone(),
    }
}
