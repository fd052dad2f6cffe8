//! The built-in reason codes of answers to requests. A code names why, never what: no value of the
//! request or of a resource stands in one (row S2-054).
//!
//! The codes of decisions on the health of the repository stand in [`crate::ids`].

use crate::ids::ReasonCode;

macro_rules! request_codes {
    ($($constant:ident: $doc:literal,)*) => {
        $(#[doc = $doc] pub const $constant: ReasonCode = ReasonCode::builtin(stringify!($constant));)*

        /// Every built-in code with its meaning, in the order of the documentation.
        pub const DOCUMENTED: &[(&str, &str)] = &[$((stringify!($constant), $doc),)*];
    };
}

request_codes! {
    DEFAULT_DENY: "Nothing allows it.",
    ALLOW_MATCHED_RULE: "A rule allows it, and none denies it.",
    NO_POLICY_APPLIES: "No policy speaks about such a request.",
    REQUEST_MALFORMED: "The request is no JSON object, names a key twice, or is larger or deeper than a request may be.",
    REQUEST_FIELD_UNKNOWN: "The request has a member that nothing here knows.",
    POINT_UNKNOWN: "The request names an enforcement point that is none.",
    POLICY_UNAVAILABLE: "The policies can't be used: nothing is allowed until they can.",
    POLICY_TAMPERED: "A protected file was changed, and nobody accepted that.",
    KILL_SWITCH_ACTIVE: "The kill switch is on.",
    LEVEL_TOO_HIGH: "The level in force is graver than this action may be done at.",
    LEVEL_UNKNOWN: "The level in force is not known: never decided, decided too long ago, or not readable.",
    NOT_FOUND_OR_NOT_PERMITTED: "What a public caller is told, whether the resource is restricted or does not exist.",
    REGO_DENIED: "A `deny` or `violation` rule of the Rego policies speaks against it.",
    REGO_UNDEFINED: "A rule in Rego that was asked gives no value for this request.",
    REGO_ERROR: "A rule in Rego could not be evaluated.",
    REGO_LIMIT: "A rule in Rego was stopped at a limit: too many instructions, too long, or too much at once.",
    REGO_ANSWER_INVALID: "A rule in Rego gave no answer that can be used: of another shape, or with a word that no vocabulary has.",
    TENANT_REQUIRED: "The request comes without a verified tenant.",
    POLICY_COMPLIANT: "Nothing in the spend policies speaks against the payment.",
    INTENT_MALFORMED: "The payment lacks a member, has one that nothing knows, or one that is of the wrong kind.",
    INVALID_AMOUNT: "The amount of the payment is no finite decimal number above 0 within the digits that amounts have.",
    PURPOSE_UNKNOWN: "The purpose of the payment is none that is known.",
    CURRENCY_MISMATCH: "The payment is in another currency than the spend policies of its agent.",
    NO_SPEND_POLICY: "No spend policy is for this agent.",
    USAGE_UNKNOWN: "What was spent so far can't be read, so no cap can be held against it.",
    INTENT_ID_TAKEN: "Another payment was recorded under the same id.",
    SPEND_RECORDED_BEFORE: "This very payment was recorded under its id before.",
    SPEND_APPROVED: "The persons who have to approve the payment did.",
    SPEND_APPROVALS_NOT_VALID: "An approval that was named is not valid for this payment, or too few were named.",
    EXCEEDS_PER_TRANSACTION_LIMIT: "The payment is above what a single one may be.",
    WOULD_EXCEED_DAILY_LIMIT: "With the payment, the day is above its cap.",
    WOULD_EXCEED_MONTHLY_LIMIT: "With the payment, the month is above its cap.",
    CATEGORY_BLOCKED: "A spend policy blocks the category of the payment.",
    COUNTRY_NOT_ALLOWED: "The beneficiary's country is not on the list of a spend policy.",
    COUNTRY_UNKNOWN: "The payment names no country, and its beneficiary is on no list.",
    BENEFICIARY_BLOCKED: "A spend policy blocks the beneficiary.",
    BENEFICIARY_REQUIRES_APPROVAL: "The beneficiary is not on the list of a spend policy.",
    SPEND_RULE_MATCHED: "A rule of a spend policy speaks about the payment; its reason is among the reasons.",
    AMOUNT_REQUIRES_MULTIPLE_APPROVALS: "The payment is above the threshold from which on several persons have to approve.",
    TENANT_MISMATCH: "The request is about another tenant's resource, and its token does not permit that.",
    SECURITY_RULE_DENIED: "A rule of a security policy denies it.",
    ATTRIBUTE_MISSING: "A rule needs an attribute that the request has not: what can't be known allows nothing.",
    ATTRIBUTE_UNUSABLE: "An attribute is of another kind than a rule needs, or a number too large to be told from its neighbours.",
    ALLOW_EXCEPTION: "An exception with a fixture of its own allows it.",
    REQUEST_SHAPE: "A part of the request is not of the form that it has to be.",
    FIELD_UNKNOWN: "The request has a field that the vocabulary does not list.",
    PRINCIPAL_MISSING: "The request does not say who asks.",
    ROLE_MISSING: "The request does not say in which role it is asked.",
    ROLE_UNKNOWN: "The role is none of the vocabulary.",
    ACTION_MISSING: "The request does not say what is to be done.",
    ACTION_UNKNOWN: "The action is none of the vocabulary.",
    RESOURCE_TYPE_MISSING: "The request does not say what kind of thing it is about.",
    RESOURCE_TYPE_UNKNOWN: "The type of the resource is none of the vocabulary.",
    LABEL_MISSING: "The resource has no label.",
    LABEL_UNKNOWN: "The label of the resource is none of the vocabulary.",
    IDENTITY_MISSING: "The resource has no stable identity.",
    IDENTITY_UNSTABLE: "The identity of the resource is not one that stays, or is written in a form that is none.",
    SURFACE_NOT_GOVERNED: "The act is asked for from where it may not be done.",
    LABEL_QUARANTINED: "What is in quarantine is neither served nor promoted, for nobody.",
    EMBARGO_ACTIVE: "The embargo is not over.",
    EMBARGO_UNREVIEWED: "The embargo's date is over, and no review has released the resource.",
    EMBARGO_UNREADABLE: "The embargo has no date, or one that can't be read.",
    RIGHTS_MISSING: "License, rights or attribution are missing, or are not known.",
    RIGHTS_FORBID: "License or rights forbid that a copy is handed on.",
    EXPORT_SUPPRESSED: "An obligation forbids every export.",
    ABSTAIN_EVIDENCE_MISSING: "A claim would be made without any evidence, so none is made.",
    ABSTAIN_EVIDENCE_UNRESOLVED: "Evidence does not resolve, so the claim is not made.",
    ABSTAIN_EVIDENCE_RESTRICTED: "Evidence may not be used by whoever asks, so the claim is not made.",
    SENSITIVITY_UNCLEAR: "Nobody recorded how what is sensitive is handled, or the handling does not suffice for the label.",
    CATALOG_MISSING: "A catalog that the class of the dataset needs is not there, or can't be read.",
    CATALOG_DIFFERS: "A catalog says something else than the manifest, or lacks what it has to say.",
    RECEIPT_MISSING: "The receipt of a run is not there, or lacks what the policies decided in it.",
    CHECKSUM_MISSING: "A file has no checksum, or none can be verified.",
    CHECKSUM_DIFFERS: "A file is not the one that its checksum names.",
    POLICY_TESTS_FAILED: "A fixture of the policies fails, or there is none.",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_one_and_stands_there_once() {
        let mut codes: Vec<_> = DOCUMENTED.iter().map(|(code, _)| *code).collect();
        assert!(codes.iter().all(|code| ReasonCode::parse(code).is_some()));
        codes.sort_unstable();
        let all = codes.len();
        codes.dedup();
        assert_eq!(codes.len(), all);
    }
}
