//! Why a payment is allowed, needs somebody, or is denied: each reason with its code and its effect.
//!
//! Reasons are values until somebody wants to read them, so that an evaluation writes no text.

use std::fmt;

use super::amount::{Amount, Unreadable};
use crate::ids::ReasonCode;
use crate::request::{Effect, codes};

/// A reason. Its text is the one that programs look for: a word, and behind a colon what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason<'a> {
    /// The kill switch is on.
    KillSwitch,
    /// What was asked is no intent.
    Malformed(String),
    /// The amount is none.
    InvalidAmount(Unreadable),
    /// The purpose is none of the known words.
    PurposeUnknown,
    /// No policy is for this agent.
    NoPolicy(&'a str),
    /// Nobody knows what was spent so far.
    UsageUnknown,
    /// The same id was recorded for another payment.
    IdTaken,
    /// The policy is about another currency.
    Currency {
        /// Of the payment.
        intent: &'a str,
        /// Of the policy.
        policy: &'a str,
    },
    /// More than one payment may be.
    PerTransaction {
        /// The payment.
        amount: Amount,
        /// The cap.
        cap: Amount,
    },
    /// More than a day may be.
    Daily {
        /// The day with this payment.
        sum: Amount,
        /// The cap.
        cap: Amount,
    },
    /// More than a month may be.
    Monthly {
        /// The month with this payment.
        sum: Amount,
        /// The cap.
        cap: Amount,
    },
    /// The category is blocked.
    Category(&'a str),
    /// The country is not on the list.
    Country(&'a str),
    /// Nobody said which country, and the beneficiary is on no list.
    CountryUnknown(&'a str),
    /// The beneficiary is blocked.
    Blocked(&'a str),
    /// The beneficiary is not on the list.
    NotListed(&'a str),
    /// A rule of the policy.
    Rule {
        /// What follows.
        effect: Effect,
        /// What the policy says of it.
        text: &'a str,
    },
    /// More than one person may let through.
    Approvals {
        /// The payment.
        amount: Amount,
        /// The threshold.
        above: Amount,
        /// How many persons.
        approvals: u32,
    },
    /// Nothing speaks against it.
    Compliant,
}

impl Reason<'_> {
    /// What follows from it.
    pub fn effect(&self) -> Effect {
        match self {
            Self::Daily { .. }
            | Self::Monthly { .. }
            | Self::CountryUnknown(_)
            | Self::NotListed(_) => Effect::RequireHitl,
            Self::Approvals { approvals, .. } => Effect::RequireMsig {
                approvals: *approvals,
            },
            Self::Rule { effect, .. } => *effect,
            Self::Compliant => Effect::Allow,
            _ => Effect::Deny,
        }
    }

    /// Its code.
    pub fn code(&self) -> ReasonCode {
        match self {
            Self::KillSwitch => codes::KILL_SWITCH_ACTIVE,
            Self::Malformed(_) => codes::INTENT_MALFORMED,
            Self::InvalidAmount(_) => codes::INVALID_AMOUNT,
            Self::PurposeUnknown => codes::PURPOSE_UNKNOWN,
            Self::NoPolicy(_) => codes::NO_SPEND_POLICY,
            Self::UsageUnknown => codes::USAGE_UNKNOWN,
            Self::IdTaken => codes::INTENT_ID_TAKEN,
            Self::Currency { .. } => codes::CURRENCY_MISMATCH,
            Self::PerTransaction { .. } => codes::EXCEEDS_PER_TRANSACTION_LIMIT,
            Self::Daily { .. } => codes::WOULD_EXCEED_DAILY_LIMIT,
            Self::Monthly { .. } => codes::WOULD_EXCEED_MONTHLY_LIMIT,
            Self::Category(_) => codes::CATEGORY_BLOCKED,
            Self::Country(_) => codes::COUNTRY_NOT_ALLOWED,
            Self::CountryUnknown(_) => codes::COUNTRY_UNKNOWN,
            Self::Blocked(_) => codes::BENEFICIARY_BLOCKED,
            Self::NotListed(_) => codes::BENEFICIARY_REQUIRES_APPROVAL,
            Self::Rule { .. } => codes::SPEND_RULE_MATCHED,
            Self::Approvals { .. } => codes::AMOUNT_REQUIRES_MULTIPLE_APPROVALS,
            Self::Compliant => codes::POLICY_COMPLIANT,
        }
    }
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KillSwitch => f.write_str("kill_switch_activated"),
            Self::Malformed(what) => write!(f, "intent_malformed: {what}"),
            Self::InvalidAmount(why) => write!(f, "invalid_amount: {why}"),
            Self::PurposeUnknown => {
                f.write_str("purpose_unknown: expected PIX, CARD, WIRE, FEE or OTHER")
            }
            Self::NoPolicy(agent) => write!(f, "no_spend_policy: none is for {agent}"),
            Self::UsageUnknown => f.write_str("usage_unknown: what was spent so far can't be read"),
            Self::IdTaken => {
                f.write_str("intent_id_taken: another payment was recorded under this id")
            }
            Self::Currency { intent, policy } => {
                write!(f, "currency_mismatch: {intent} is not {policy}")
            }
            Self::PerTransaction { amount, cap } => {
                write!(f, "exceeds_per_transaction_limit: {amount} > {cap}")
            }
            Self::Daily { sum, cap } => write!(f, "would_exceed_daily_limit: {sum} > {cap}"),
            Self::Monthly { sum, cap } => write!(f, "would_exceed_monthly_limit: {sum} > {cap}"),
            Self::Category(category) => {
                write!(f, "category_blocked: {category} is prohibited by policy")
            }
            Self::Country(country) => {
                write!(f, "country_not_allowed: {country} not in allowlist")
            }
            Self::CountryUnknown(id) => {
                write!(f, "country_unknown: {id} comes without a country")
            }
            Self::Blocked(id) => {
                write!(f, "beneficiary_blocked: {id} is prohibited by policy")
            }
            Self::NotListed(id) => {
                write!(f, "beneficiary_requires_approval: {id} not in allowlist")
            }
            Self::Rule { text, .. } => f.write_str(text),
            Self::Approvals { amount, above, .. } => {
                write!(f, "amount_requires_multiple_approvals: {amount} > {above}")
            }
            Self::Compliant => f.write_str("policy_compliant_all_checks_passed"),
        }
    }
}
