//! Spend policies as documents: JSON or YAML, read whole, with every problem at once and its place.
//!
//! The small form has the keys of a policy at its top; the large one, `kind: SpendPolicy`, has the same
//! under `spec`. Both mean the same in JSON and in YAML.

mod shape;

use std::collections::HashSet;

use shape::{Document, Lists, Spec};

use super::amount::{Amount, Unreadable};
use super::policy::{Caps, Condition, Names, Policy, Rule, Threshold};
use crate::diagnostic::{Code, Diagnostic};
use crate::policy::catalogue::API_VERSION;
use crate::policy::source::Spot;
use crate::policy::source::collect::{self, Field, List, Scalar};
use crate::policy::source::problems::Problems;
use crate::request::Effect;

/// What `kind` says.
pub const KIND: &str = "SpendPolicy";

/// The currency of a policy that names none (row S1-134).
pub const CURRENCY: &str = "BRL";

/// A larger document is none.
pub const LIMIT: u64 = 256 * 1024;

/// The longest name, reason and entry of a list.
const LONGEST: usize = 200;

/// More persons than this approve nothing together.
const MOST_APPROVALS: u32 = 100;

/// The effects by their words.
const EFFECTS: [&str; 4] = ["ALLOW", "REQUIRE_HITL", "REQUIRE_MSIG", "DENY"];

/// Reads and checks a document. `file` is named in the findings.
pub fn parse(file: &str, bytes: &[u8]) -> Result<Policy, Vec<Diagnostic>> {
    let root = collect::root(file, bytes)?;
    let is_large = ["apiVersion", "kind", "metadata", "spec"]
        .iter()
        .any(|key| root.get(key).is_some());
    let mut problems = Vec::new();
    let drafted = if is_large {
        let document: Field<Document> = collect::read(file, &root, &mut problems);
        let mut draft = Draft::new(file, problems);
        let policy = document
            .get()
            .and_then(|document| draft.large(document, root.spot));
        (policy, draft)
    } else {
        let spec: Field<Spec> = collect::read(file, &root, &mut problems);
        let mut draft = Draft::new(file, problems);
        let policy = spec.get().and_then(|spec| {
            let name = draft.name(&spec.name, root.spot);
            draft.policy(spec, name, root.spot)
        });
        (policy, draft)
    };
    match drafted {
        (Some(policy), draft) if draft.problems.is_empty() => Ok(policy),
        (_, draft) => Err(draft.problems.in_order()),
    }
}

/// A document on its way to a policy, with everything that is wrong so far.
struct Draft<'a> {
    file: &'a str,
    problems: Problems<'a>,
}

impl<'a> Draft<'a> {
    fn new(file: &'a str, problems: Vec<Diagnostic>) -> Self {
        Self {
            file,
            problems: Problems::new(file, problems),
        }
    }

    fn large(&mut self, document: &Document, here: Spot) -> Option<Policy> {
        self.problems
            .constant(&document.api_version, "apiVersion", API_VERSION, here);
        self.problems.constant(&document.kind, "kind", KIND, here);
        let spec = self.problems.required(&document.spec, "spec", here)?;
        let metadata = document.metadata.get();
        let name = match metadata.map(|metadata| &metadata.name) {
            Some(name) if name.is_there() && spec.name.is_absent() => self.checked(name),
            Some(name) if name.is_there() => {
                self.same_name(name, &spec.name);
                self.name(&spec.name, document.spec.spot)
            }
            _ => self.name(&spec.name, document.spec.spot),
        };
        self.policy(spec, name, document.spec.spot)
    }

    fn same_name(&mut self, name: &Field<String>, other: &Field<String>) {
        if let (Some(one), Some(two)) = (name.get(), other.get())
            && one != two
        {
            self.problems.refuse(
                other,
                Code::PolicyContradiction,
                "the policy has two names",
                |finding| {
                    finding
                        .found(format!("`{one}` in `metadata`, `{two}` in `spec`"))
                        .expected("one name")
                        .help("remove one of the two")
                },
            );
        }
    }

    fn name(&mut self, field: &Field<String>, here: Spot) -> Option<String> {
        self.problems.required(field, "name", here)?;
        self.checked(field)
    }

    /// A text that may stand in a list, a reason or a name: one line that says something.
    fn checked(&mut self, field: &Field<String>) -> Option<String> {
        let text = field.get()?.trim();
        if !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control) {
            return Some(text.to_owned());
        }
        self.problems.refuse(
            field,
            Code::ValueRange,
            "this text can't be used",
            |finding| {
                finding
                    .found(format!("{} bytes", text.len()))
                    .expected(format!("one line of 1 to {LONGEST} bytes"))
                    .help("write a shorter text, in one line")
            },
        );
        None
    }

    fn policy(&mut self, spec: &Spec, name: Option<String>, here: Spot) -> Option<Policy> {
        let caps = self.caps(&spec.caps, here);
        let threshold = self.threshold(&spec.msig, here);
        let currency = self.currency(&spec.currency);
        let agents = self.texts(&spec.agents);
        let (beneficiaries, countries) = self.allowed(&spec.allow_lists);
        let blocked = spec.block_lists.get();
        let blocked_categories = blocked.and_then(|lists| self.texts(&lists.categories));
        let blocked_beneficiaries = blocked.and_then(|lists| self.texts(&lists.beneficiaries));
        let rules = self.rules(&spec.rules);
        let name = name?;
        let names = |texts: &[String]| Names::new(texts.iter().map(String::as_str));
        let folded =
            |texts: Option<Vec<String>>| Names::folded(texts.iter().flatten().map(String::as_str));
        Some(Policy {
            agents: agents
                .map_or_else(|| names(std::slice::from_ref(&name)), |texts| names(&texts)),
            name,
            file: self.file.to_owned(),
            currency: currency?,
            caps: caps?,
            threshold: threshold?,
            beneficiaries: beneficiaries.map(|texts| names(&texts)),
            countries: countries.map(HashSet::from_iter),
            blocked_categories: folded(blocked_categories),
            blocked_beneficiaries: folded(blocked_beneficiaries),
            rules,
        })
    }

    fn caps(&mut self, field: &Field<shape::Caps>, here: Spot) -> Option<Caps> {
        let caps = self.problems.required(field, "caps", here)?;
        let per_txn = self.amount(&caps.per_txn, "perTxn", field.spot);
        let daily = self.amount(&caps.daily, "daily", field.spot);
        let monthly = self.amount(&caps.monthly, "monthly", field.spot);
        Some(Caps {
            per_txn: per_txn?,
            daily: daily?,
            monthly: monthly?,
        })
    }

    fn threshold(&mut self, field: &Field<shape::Msig>, here: Spot) -> Option<Threshold> {
        let msig = self.problems.required(field, "msig", here)?;
        let inner = &msig.threshold;
        let threshold = self.problems.required(inner, "threshold", field.spot)?;
        let higher_than = self.amount(&threshold.higher_than, "higherThan", inner.spot);
        let approvals = self.approvals(&threshold.approvals, inner.spot);
        Some(Threshold {
            higher_than: higher_than?,
            approvals: approvals?,
        })
    }

    fn approvals(&mut self, field: &Field<f64>, here: Spot) -> Option<u32> {
        let number = *self.problems.required(field, "approvals", here)?;
        let whole = self.problems.whole(field, number, 1, MOST_APPROVALS)?;
        u32::try_from(whole).ok()
    }

    fn amount(&mut self, field: &Field<Scalar>, key: &str, here: Spot) -> Option<Amount> {
        let written = self.problems.required(field, key, here)?;
        let amount = match written {
            // As the shortest number that is read as this one.
            Scalar::Number(number) => Amount::parse_number(&number.to_string()),
            Scalar::Text(text) => Amount::parse(text),
            Scalar::Bool(_) => Err(Unreadable::NoNumber),
        };
        match amount {
            Ok(amount) => Some(amount),
            Err(why) => {
                let message = format!("this is no amount: {why}");
                self.problems
                    .refuse(field, Code::ValueRange, message, |finding| {
                        finding
                            .found(written.to_string())
                            .expected("a number from 0 on, with at most 12 digits before the point and 8 behind it")
                            .help("write the amount in the currency of the policy, 500.00 say; in quotes, where it has more than 15 digits")
                    });
                None
            }
        }
    }

    fn currency(&mut self, field: &Field<String>) -> Option<String> {
        if field.is_absent() {
            return Some(CURRENCY.to_owned());
        }
        let currency = field.get()?;
        let is_one = (3..=8).contains(&currency.len())
            && currency
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if is_one {
            return Some(currency.clone());
        }
        self.problems.refuse(
            field,
            Code::ValueUnknown,
            "this is no currency",
            |finding| {
                finding
                    .found(format!("`{currency}`"))
                    .expected("a code of 3 to 8 capital letters and digits, as BRL or USD")
                    .help("write the code after ISO 4217")
            },
        );
        None
    }

    /// A list of texts; `None` where there is none.
    fn texts(&mut self, field: &List<String>) -> Option<Vec<String>> {
        let items = field.get()?;
        Some(items.iter().filter_map(|item| self.checked(item)).collect())
    }

    fn allowed(&mut self, field: &Field<Lists>) -> (Option<Vec<String>>, Option<Vec<String>>) {
        let Some(lists) = field.get() else {
            return (None, None);
        };
        let countries = self.texts(&lists.countries);
        for country in lists.countries.get().into_iter().flatten() {
            self.country(country);
        }
        (self.texts(&lists.beneficiaries), countries)
    }

    fn country(&mut self, field: &Field<String>) {
        let Some(country) = field.get() else { return };
        if country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return;
        }
        self.problems
            .refuse(field, Code::ValueUnknown, "this is no country", |finding| {
                finding
                    .found(format!("`{country}`"))
                    .expected("a code of two capital letters, as BR or US")
                    .help("write the code after ISO 3166-1; a pattern is none")
            });
    }

    fn rules(&mut self, field: &List<shape::Rule>) -> Vec<Rule> {
        let items = field.get().map(Vec::as_slice).unwrap_or_default();
        items.iter().filter_map(|item| self.rule(item)).collect()
    }

    fn rule(&mut self, field: &Field<shape::Rule>) -> Option<Rule> {
        let rule = field.get()?;
        let condition = self.condition(rule, field.spot);
        let then = self.problems.required(&rule.then, "then", field.spot)?;
        let here = rule.then.spot;
        let reason = self
            .problems
            .required(&then.reason, "reason", here)
            .and_then(|_| self.checked(&then.reason));
        let effect = self.effect(then, here);
        Some(Rule {
            condition: condition?,
            effect: effect?,
            reason: reason?,
            line: field.spot.line,
        })
    }

    fn effect(&mut self, then: &shape::Then, here: Spot) -> Option<Effect> {
        let word = self.problems.required(&then.effect, "effect", here)?;
        let is_several = word == "REQUIRE_MSIG";
        if !is_several && then.approvals.is_there() {
            self.problems.refuse(
                &then.approvals,
                Code::PolicyContradiction,
                "this effect counts no approvals",
                |finding| {
                    finding
                        .found(format!("`approvals` beside `{word}`"))
                        .expected("`approvals` beside `REQUIRE_MSIG` only")
                        .help("remove `approvals`, or write `REQUIRE_MSIG`")
                },
            );
        }
        match word.as_str() {
            "ALLOW" => Some(Effect::Allow),
            "REQUIRE_HITL" => Some(Effect::RequireHitl),
            "DENY" => Some(Effect::Deny),
            "REQUIRE_MSIG" => {
                let approvals = self.approvals(&then.approvals, here)?;
                Some(Effect::RequireMsig { approvals })
            }
            _ => {
                let message = "no effect has this name";
                let known = (word.as_str(), EFFECTS.as_slice());
                let otherwise = "write one of these words";
                self.problems
                    .unknown(&then.effect, Code::ValueUnknown, message, known, otherwise);
                None
            }
        }
    }

    fn condition(&mut self, rule: &shape::Rule, here: Spot) -> Option<Condition> {
        let field = &rule.condition;
        let condition = self.problems.required(field, "if", here)?;
        let there = [
            condition.category_in.is_there(),
            condition.amount_gt.is_there(),
            condition.beneficiary_not_in_allow.is_there(),
        ];
        let count = there.iter().filter(|is_there| **is_there).count();
        if count != 1 {
            self.problems.refuse(
                field,
                Code::PolicyContradiction,
                "a rule has one condition",
                |finding| {
                    finding
                        .found(format!("{count} conditions"))
                        .expected("one of `categoryIn`, `amountGt`, `beneficiaryNotInAllow`")
                        .help("write a rule for each condition")
                },
            );
        }
        if condition.category_in.is_there() {
            let names = self.texts(&condition.category_in)?;
            return Some(Condition::CategoryIn(Names::folded(
                names.iter().map(String::as_str),
            )));
        }
        if condition.amount_gt.is_there() {
            let amount = self.amount(&condition.amount_gt, "amountGt", field.spot)?;
            return Some(Condition::AmountAbove(amount));
        }
        match condition.beneficiary_not_in_allow.get() {
            Some(true) => Some(Condition::BeneficiaryNotInAllow),
            Some(false) => {
                let field = &condition.beneficiary_not_in_allow;
                let message = "`beneficiaryNotInAllow` is true or not there";
                self.problems
                    .refuse(field, Code::ValueUnknown, message, |finding| {
                        finding
                            .found("false")
                            .expected("true")
                            .help("remove the rule, which would never speak")
                    });
                None
            }
            None => None,
        }
    }
}

#[cfg(test)]
pub(in crate::spending) mod tests;
