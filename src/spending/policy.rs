//! A spend policy, checked: caps, thresholds, lists and rules, ready to be asked. How a document becomes
//! one is said in [`super::document`].

use std::collections::HashSet;

use super::amount::Amount;
use super::intent::Intent;
use crate::fs::glob::NamePattern;
use crate::request::Effect;

/// How much may be spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Caps {
    /// In one payment.
    pub per_txn: Amount,
    /// In a day, by UTC.
    pub daily: Amount,
    /// In a month, by UTC.
    pub monthly: Amount,
}

/// From which amount on several persons have to approve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// Above this.
    pub higher_than: Amount,
    /// So many persons.
    pub approvals: u32,
}

/// Names of which some may hold `*`, which stands for any characters.
#[derive(Debug, Clone, Default)]
pub struct Names {
    plain: HashSet<String>,
    patterns: Vec<NamePattern>,
}

impl Names {
    /// Takes names as they stand.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut all = Self::default();
        for name in names {
            if name.contains('*') {
                all.patterns.push(NamePattern::new(name));
            } else {
                all.plain.insert(name.to_owned());
            }
        }
        all
    }

    /// Takes names in small letters, for whatever is asked in small letters.
    pub fn folded<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let folded: Vec<String> = names.into_iter().map(str::to_lowercase).collect();
        Self::new(folded.iter().map(String::as_str))
    }

    /// True where the name is one of them.
    pub fn has(&self, name: &str) -> bool {
        self.plain.contains(name) || self.patterns.iter().any(|pattern| pattern.fits(name))
    }
}

/// When a rule speaks.
#[derive(Debug, Clone)]
pub enum Condition {
    /// The category is one of these.
    CategoryIn(Names),
    /// The amount is above this.
    AmountAbove(Amount),
    /// The beneficiary is not on the list of those who may get money; where there is none, nobody is.
    BeneficiaryNotInAllow,
}

/// A rule of a policy.
#[derive(Debug, Clone)]
pub struct Rule {
    /// When it speaks.
    pub condition: Condition,
    /// What follows; an allowance is no objection, and overrides nothing (row C-21).
    pub effect: Effect,
    /// The reason that it gives.
    pub reason: String,
    /// The line of the document.
    pub line: u64,
}

/// A spend policy.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// The document.
    pub file: String,
    /// The currency of all its amounts.
    pub currency: String,
    /// Which agents it is for.
    pub agents: Names,
    /// How much may be spent.
    pub caps: Caps,
    /// From which amount on several persons have to approve.
    pub threshold: Threshold,
    /// Who may get money; `None` where the policy does not say.
    pub beneficiaries: Option<Names>,
    /// Which countries may; `None` where the policy does not say.
    pub countries: Option<HashSet<String>>,
    /// What money is never spent for.
    pub blocked_categories: Names,
    /// Who never gets any.
    pub blocked_beneficiaries: Names,
    /// Its rules in their order.
    pub rules: Vec<Rule>,
}

impl Policy {
    /// True where the policy is for this agent.
    pub fn is_for(&self, agent: &str) -> bool {
        self.agents.has(agent)
    }

    /// True where the beneficiary may get money without a person's word.
    pub(super) fn lists(&self, intent: &Intent) -> bool {
        let names = self.beneficiaries.as_ref();
        names.is_some_and(|names| names.has(&intent.beneficiary.id))
    }
}
