//! The answer to a request: one envelope for every kind of it (rows S2-050 to S2-055 and C-49).
//!
//! It has two views. The internal one is for whoever runs the program and for the record. The public
//! one tells a caller who may not know more nothing that differs between a resource that is restricted
//! and one that does not exist (rows S2-036, S2-070 to S2-072 and C-15).

use serde::Serialize;

use super::{Effect, Obligation, Step, Verdict, codes};
use crate::ids::{Digest, ReasonCode};
use crate::policy::Level;
use crate::time::Timestamp;

/// The version of the envelope's form. Newer ones may have more members.
pub const SCHEMA: u32 = 1;

/// What a public caller is told of a denial, word for word (row S2-070).
pub const NOT_FOUND_OR_NOT_PERMITTED: &str = "not found or not permitted";

/// May it be done? `HITL` and `MSIG` are a denial until somebody approved (row C-49).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Yes, with the obligations.
    Allow,
    /// No, or not yet.
    Deny,
}

/// Under what an answer is given: all that it depends on beside the request and the policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circumstances {
    /// The time that counts. Rules get it as their only clock (row C-18).
    pub at: Timestamp,
    /// The level in force; `None` where it is not known.
    pub level: Option<Level>,
    /// True while the kill switch is on, or can't be read.
    pub stopped: bool,
    /// True where somebody wants to know what was looked at.
    pub explain: bool,
}

impl Circumstances {
    /// Those of a question that no workspace stands behind, as in fixtures and replays: nothing is
    /// stopped, and nobody wants an explanation. Whoever decides for a workspace looks at its kill
    /// switch and says what it is.
    pub fn undisturbed(at: Timestamp, level: Option<Level>) -> Self {
        Self {
            at,
            level,
            stopped: false,
            explain: false,
        }
    }
}

/// The answer.
///
/// It depends on the request, the policies and the [`Circumstances`] alone: the same of all three gives
/// the same bytes, in CI and at run time (rows S2-002 and S2-003).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Envelope {
    /// The version of this form.
    pub schema: u32,
    /// What the request called itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// May it be done?
    pub decision: Decision,
    /// The same, with the ways between.
    pub effect: Effect,
    /// How many persons have to approve first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approvals_required: Option<u32>,
    /// The label of the resource; `null` where there is none, or where nobody may know.
    pub policy_label: Option<String>,
    /// What has to be done with the answer.
    pub obligations: Vec<Obligation>,
    /// Why, in stable codes.
    pub reason_codes: Vec<ReasonCode>,
    /// Why, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// What could be asked for instead.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<String>,
    /// The digest of all policies that were asked; `null` where none could be.
    pub policy_sha256: Option<Digest>,
    /// The time that counted.
    pub evaluated_at: Timestamp,
    /// The level in force; `null` where it is not known.
    pub level: Option<Level>,
    /// What was looked at, where somebody asked for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub explanation: Vec<Step>,
}

impl Envelope {
    /// The envelope of a verdict.
    pub fn new(
        id: Option<&str>,
        verdict: Verdict,
        policy: Option<Digest>,
        around: &Circumstances,
    ) -> Self {
        let decision = match verdict.effect {
            Effect::Allow => Decision::Allow,
            _ => Decision::Deny,
        };
        Self {
            schema: SCHEMA,
            id: id.map(str::to_owned),
            decision,
            effect: verdict.effect,
            approvals_required: verdict.effect.approvals(),
            policy_label: verdict.label,
            obligations: verdict.obligations,
            reason_codes: verdict.codes,
            reasons: verdict.reasons,
            alternatives: verdict.alternatives,
            policy_sha256: policy,
            evaluated_at: around.at,
            level: around.level.clone(),
            explanation: verdict.steps,
        }
    }

    /// True where it may be done, obligations kept.
    pub fn is_allowed(&self) -> bool {
        self.decision == Decision::Allow
    }

    /// What a public caller may see: an allowance without its words and steps; of a denial, of whatever
    /// kind, only that it is one.
    #[must_use]
    pub fn public(self) -> Self {
        if self.is_allowed() {
            return Self {
                reasons: Vec::new(),
                explanation: Vec::new(),
                ..self
            };
        }
        Self {
            effect: Effect::Deny,
            approvals_required: None,
            policy_label: None,
            obligations: Vec::new(),
            reason_codes: vec![codes::NOT_FOUND_OR_NOT_PERMITTED],
            reasons: vec![NOT_FOUND_OR_NOT_PERMITTED.to_owned()],
            alternatives: Vec::new(),
            explanation: Vec::new(),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around() -> Circumstances {
        Circumstances::undisturbed(Timestamp::EPOCH, Some(Level::GREEN))
    }

    #[test]
    fn an_envelope_has_its_form() {
        let verdict = Verdict {
            label: Some("public".to_owned()),
            ..Verdict::allow(codes::ALLOW_MATCHED_RULE)
                .obliging(Obligation::new("rate_limit_class").with("class", "public"))
        };
        let envelope = Envelope::new(Some("r1"), verdict, Some(Digest::of(b"")), &around());
        let expected = concat!(
            r#"{"schema":1,"id":"r1","decision":"allow","effect":"ALLOW","policy_label":"public","#,
            r#""obligations":[{"type":"rate_limit_class","class":"public"}],"#,
            r#""reason_codes":["ALLOW_MATCHED_RULE"],"policy_sha256":"#,
            r#""e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","#,
            r#""evaluated_at":"1970-01-01T00:00:00+00:00","level":"GREEN"}"#
        );
        assert_eq!(serde_json::to_string(&envelope).unwrap(), expected);
    }

    #[test]
    fn approvals_are_a_denial_until_they_are_given() {
        for (effect, approvals) in [
            (Effect::RequireHitl, Some(1)),
            (Effect::RequireMsig { approvals: 2 }, Some(2)),
            (Effect::Deny, None),
        ] {
            let verdict = Verdict::new(effect, codes::DEFAULT_DENY);
            let envelope = Envelope::new(None, verdict, None, &around());
            assert_eq!(envelope.decision, Decision::Deny);
            assert_eq!(envelope.approvals_required, approvals);
        }
    }

    #[test]
    fn every_denial_looks_alike_to_the_public() {
        let restricted = Verdict {
            label: Some("restricted".to_owned()),
            alternatives: vec!["ask for the generalized one".to_owned()],
            ..Verdict::deny(codes::DEFAULT_DENY)
                .because("restricted to stewards")
                .obliging(Obligation::new("policy_safe_error"))
        };
        let absent = Verdict::new(Effect::RequireHitl, codes::NO_POLICY_APPLIES);
        let public = |verdict| {
            let envelope = Envelope::new(Some("r1"), verdict, Some(Digest::of(b"")), &around());
            serde_json::to_string(&envelope.public()).unwrap()
        };
        assert_eq!(public(restricted), public(absent));
    }
}
