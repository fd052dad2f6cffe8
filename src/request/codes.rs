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
