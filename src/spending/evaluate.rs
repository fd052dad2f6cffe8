//! May this payment be made? A pure function of the policy, the payment, what was spent so far, and
//! the kill switch.
//!
//! Everything is looked at, every reason is told, and the strongest effect counts (rows S1-127, C-20):
//! `DENY` before `REQUIRE_MSIG` before `REQUIRE_HITL` before `ALLOW`. A cap or threshold that is just
//! reached is kept (row B-14).

use serde_json::json;

use super::intent::Intent;
use super::policy::{Condition, Policy, Rule};
use super::reason::Reason;
use super::usage::Usage;
use crate::request::{Effect, Obligation, Verdict};

/// What follows for a payment, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome<'a> {
    /// The strongest effect of all reasons.
    pub effect: Effect,
    /// Every reason, in the order in which they are looked for.
    pub reasons: Vec<Reason<'a>>,
}

impl<'a> Outcome<'a> {
    /// What follows from some reasons.
    pub fn of(reasons: Vec<Reason<'a>>) -> Self {
        let effects = reasons.iter().map(Reason::effect);
        Self {
            // Without any reason nobody looked.
            effect: effects.max().unwrap_or(Effect::Deny),
            reasons,
        }
    }

    /// The outcome as a layer's verdict.
    pub fn verdict(&self) -> Verdict {
        let mut codes = Vec::new();
        for reason in &self.reasons {
            let code = reason.code();
            if !codes.contains(&code) {
                codes.push(code);
            }
        }
        let mut verdict = Verdict::deny(crate::request::codes::DEFAULT_DENY);
        verdict.effect = self.effect;
        verdict.codes = codes;
        verdict.reasons = self.reasons.iter().map(ToString::to_string).collect();
        match self.effect {
            Effect::RequireHitl => verdict.obliging(Obligation::new("human_approval")),
            Effect::RequireMsig { approvals } => verdict
                .obliging(Obligation::new("multi_signature").with("approvals", json!(approvals))),
            Effect::Allow | Effect::Deny => verdict,
        }
    }
}

/// Holds a payment against a policy. `usage` is what the agent spent so far in this currency, `stopped`
/// whether the kill switch is on.
pub fn evaluate<'a>(
    policy: &'a Policy,
    intent: &'a Intent,
    usage: &Usage,
    stopped: bool,
) -> Outcome<'a> {
    if stopped {
        return Outcome::of(vec![Reason::KillSwitch]);
    }
    let mut reasons = Vec::with_capacity(4);
    limits(policy, intent, usage, &mut reasons);
    lists(policy, intent, &mut reasons);
    let matching = policy
        .rules
        .iter()
        .filter(|rule| matches(rule, policy, intent));
    reasons.extend(matching.map(|rule| Reason::Rule {
        effect: rule.effect,
        text: &rule.reason,
    }));
    if intent.amount > policy.threshold.higher_than {
        reasons.push(Reason::Approvals {
            amount: intent.amount,
            above: policy.threshold.higher_than,
            approvals: policy.threshold.approvals,
        });
    }
    if reasons
        .iter()
        .all(|reason| reason.effect() == Effect::Allow)
    {
        reasons.push(Reason::Compliant);
    }
    Outcome::of(reasons)
}

fn limits<'a>(
    policy: &'a Policy,
    intent: &'a Intent,
    usage: &Usage,
    reasons: &mut Vec<Reason<'a>>,
) {
    let (amount, caps) = (intent.amount, &policy.caps);
    if intent.currency != policy.currency {
        reasons.push(Reason::Currency {
            intent: &intent.currency,
            policy: &policy.currency,
        });
    }
    if amount > caps.per_txn {
        let cap = caps.per_txn;
        reasons.push(Reason::PerTransaction { amount, cap });
    }
    let day = usage.day.plus(amount);
    if day > caps.daily {
        let cap = caps.daily;
        reasons.push(Reason::Daily { sum: day, cap });
    }
    let month = usage.month.plus(amount);
    if month > caps.monthly {
        let cap = caps.monthly;
        reasons.push(Reason::Monthly { sum: month, cap });
    }
}

fn lists<'a>(policy: &'a Policy, intent: &'a Intent, reasons: &mut Vec<Reason<'a>>) {
    let beneficiary = &intent.beneficiary;
    let is_listed = policy.lists(intent);
    if policy.blocked_categories.has(&intent.category_folded) {
        reasons.push(Reason::Category(&intent.category));
    }
    match (&policy.countries, &beneficiary.country) {
        (Some(allowed), Some(country)) if !allowed.contains(country) => {
            reasons.push(Reason::Country(country));
        }
        (Some(_), None) if !is_listed => reasons.push(Reason::CountryUnknown(&beneficiary.id)),
        _ => {}
    }
    if policy.blocked_beneficiaries.has(&intent.beneficiary_folded) {
        reasons.push(Reason::Blocked(&beneficiary.id));
    }
    if policy.beneficiaries.is_some() && !is_listed {
        reasons.push(Reason::NotListed(&beneficiary.id));
    }
}

/// True where the rule speaks of this payment.
pub(super) fn matches(rule: &Rule, policy: &Policy, intent: &Intent) -> bool {
    match &rule.condition {
        Condition::CategoryIn(names) => names.has(&intent.category_folded),
        Condition::AmountAbove(amount) => intent.amount > *amount,
        Condition::BeneficiaryNotInAllow => !policy.lists(intent),
    }
}

#[cfg(test)]
mod tests;
