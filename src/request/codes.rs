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
    SECURITY_RULE_DENIED: "A rule of a security policy denies it.",
    ATTRIBUTE_MISSING: "A rule needs an attribute that the request has not: what can't be known allows nothing.",
    ATTRIBUTE_UNUSABLE: "An attribute is of another kind than a rule needs, or a number too large to be told from its neighbours.",
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
