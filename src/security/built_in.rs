//! The entries of `system_policies`, `agent_policies` and `compliance_policies` that have a rule here,
//! by their names. Each only denies: a request that it lets pass still needs somebody who allows it.
//!
//! What an entry says in words (`rule`, `scope`) is not read; an exception is not made.

use super::document::{Document, Kept, Rule};
use crate::diagnostic::{Code, Diagnostic};
use crate::policy::catalogue::agent::Limits;
use crate::policy::catalogue::words::{Effect, Mode};
use crate::policy::catalogue::{Found, Shape};
use crate::policy::expression::condition::{Condition, Kinds, Paths, Purpose};
use crate::policy::quantity::{Bytes, Cpu, Span};
use crate::policy::source::{Kind, Node, Spot};
use crate::request::Obligation;

/// A rule with the name of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltIn {
    /// The entry's name.
    pub name: &'static str,
    /// The members that a request has to have for the rule to be about it.
    pub members: &'static [&'static str],
    /// What is denied, in the language of conditions.
    pub denies: &'static str,
    /// What is denied beside that where the entry asks for it.
    pub further: Further,
}

/// What an entry can ask for beside what its rule denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Further {
    /// Nothing.
    Nothing,
    /// Evidence: with `evidence_required`, this is denied as well.
    Evidence(&'static str),
    /// Limits, which are what is denied: for each of `cpu`, `memory` and `storage` the attribute that
    /// has to be at or below it.
    Limits([&'static str; 3]),
    /// A time to be kept: before `retention_period` after this attribute it is denied, and with
    /// `secure_deletion` the other is denied at any time.
    Kept {
        /// When what is kept was made.
        since: &'static str,
        /// Denied where it is not to be beyond recovery.
        recoverable: &'static str,
    },
}

/// All of them, in the order of the documentation.
pub const BUILT_IN: &[BuiltIn] = &[
    BuiltIn {
        name: "multi_factor_authentication_required",
        members: &["user"],
        denies: "user.mfa_verified != true",
        further: Further::Nothing,
    },
    BuiltIn {
        name: "pii_encryption_mandatory",
        members: &["data"],
        denies: "data.contains_pii == true && data.encrypted != true",
        further: Further::Nothing,
    },
    BuiltIn {
        name: "security_events_logging",
        members: &["event"],
        denies: "event.audit_reference == ''",
        further: Further::Nothing,
    },
    BuiltIn {
        name: "user_data_scope_restriction",
        members: &["agent", "data"],
        denies: "agent.user_id != data.owner_user_id",
        further: Further::Nothing,
    },
    BuiltIn {
        name: "inter_agent_communication_audit",
        members: &["message"],
        denies: "message.audit_reference == ''",
        further: Further::Nothing,
    },
    BuiltIn {
        name: "cpu_memory_limits",
        members: &["agent", "resources"],
        denies: "",
        further: Further::Limits([
            "resources.cpu",
            "resources.memory_bytes",
            "resources.storage_bytes",
        ]),
    },
    BuiltIn {
        name: "data_subject_consent_validation",
        members: &["data"],
        denies: "data.contains_pii == true && data.consent != 'explicit'",
        further: Further::Evidence("data.contains_pii == true && data.consent_reference == ''"),
    },
    BuiltIn {
        name: "transaction_data_retention",
        members: &["data"],
        denies: "(action == 'delete' || action == 'erase' || action == 'purge' || action == 'destroy') && data.kind == 'transaction'",
        further: Further::Kept {
            since: "data.created_at",
            recoverable: "data.secure_deletion != true",
        },
    },
];

/// What an entry says, as far as it matters here.
struct Entry<'e> {
    name: &'e str,
    mode: Option<Mode>,
    evidence: bool,
    limits: Option<Limits>,
    kept: Option<Span>,
    secure_deletion: bool,
    actions: &'e [String],
}

impl<'e> Entry<'e> {
    fn new(name: &'e str, mode: Option<Mode>) -> Self {
        Self {
            name,
            mode,
            evidence: false,
            limits: None,
            kept: None,
            secure_deletion: false,
            actions: &[],
        }
    }
}

/// The document with the rules of its entries; entries without a rule here have none.
pub(super) fn document(
    file: &str,
    found: &Found<'_>,
    shape: &Shape,
    paths: &mut Paths,
) -> Result<Document, Vec<Diagnostic>> {
    let mut rules = Vec::new();
    let mut problems = Vec::new();
    for entry in entries(shape) {
        let Some(known) = BUILT_IN.iter().find(|known| known.name == entry.name) else {
            continue;
        };
        let spot = found.tree().and_then(|root| named(root, entry.name));
        let spot = spot.unwrap_or(Spot::START);
        if entry.mode.is_some_and(|mode| mode != Mode::Strict) {
            problems.push(weak(file, spot, &entry));
        }
        rules.extend(rules_of(known, &entry, spot, paths)?);
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Document {
        name: file.to_owned(),
        file: file.to_owned(),
        scope: Condition::constant(true),
        rules,
        mode: Mode::Strict,
        only_restricts: true,
        plan: None,
    })
}

fn entries(shape: &Shape) -> Vec<Entry<'_>> {
    match shape {
        Shape::System(groups) => {
            let all = groups.iter().flat_map(|group| &group.entries);
            all.map(|one| Entry::new(&one.name, one.enforcement))
                .collect()
        }
        Shape::Agent(groups) => {
            let all = groups.iter().flat_map(|group| &group.entries);
            all.map(|one| Entry {
                limits: one.limits,
                actions: &one.violations,
                ..Entry::new(&one.name, one.enforcement)
            })
            .collect()
        }
        Shape::Compliance(groups) => {
            let all = groups.iter().flat_map(|group| &group.entries);
            all.map(|one| Entry {
                evidence: one.evidence_required == Some(true),
                kept: one.retention_period,
                secure_deletion: one.secure_deletion == Some(true),
                ..Entry::new(&one.name, one.enforcement)
            })
            .collect()
        }
        _ => Vec::new(),
    }
}

/// The rules of an entry; none where it sets no limit and no time.
fn rules_of(
    known: &BuiltIn,
    entry: &Entry<'_>,
    spot: Spot,
    paths: &mut Paths,
) -> Result<Vec<Rule>, Vec<Diagnostic>> {
    let ground = Ground { known, entry, spot };
    match known.further {
        Further::Nothing => Ok(vec![ground.rule(&[known.denies], paths)?]),
        Further::Evidence(evidence) => {
            let further = entry.evidence.then_some(evidence);
            let denied: Vec<&str> = [known.denies].into_iter().chain(further).collect();
            Ok(vec![ground.rule(&denied, paths)?])
        }
        Further::Limits(attributes) => {
            let denied = entry.limits.map(|limits| over(attributes, limits));
            let denied = denied.unwrap_or_default();
            let denied: Vec<&str> = denied.iter().map(String::as_str).collect();
            let rule = (!denied.is_empty()).then(|| ground.rule(&denied, paths));
            Ok(rule.transpose()?.into_iter().collect())
        }
        Further::Kept { since, recoverable } => {
            let mut rules = Vec::new();
            if let Some(term) = entry.kept {
                let since = paths.slot(since);
                rules.push(Rule {
                    kept: Some(Kept { since, term }),
                    ..ground.rule(&[known.denies], paths)?
                });
            }
            if entry.secure_deletion {
                let denied = format!("{} && {recoverable}", known.denies);
                rules.push(ground.rule(&[&denied], paths)?);
            }
            Ok(rules)
        }
    }
}

/// More than the limits, attribute by attribute: processors as a decimal number, the rest in bytes.
fn over([cpu, memory, storage]: [&str; 3], limits: Limits) -> Vec<String> {
    let decimal = |share: Cpu| {
        let thousandths = share.thousandths();
        format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
    };
    let bytes = |bytes: Bytes| bytes.get().to_string();
    let limits = [
        (cpu, limits.cpu.map(decimal)),
        (memory, limits.memory.map(bytes)),
        (storage, limits.storage.map(bytes)),
    ];
    let over = limits.into_iter().filter_map(|(attribute, limit)| {
        let limit = limit?;
        Some(format!("{attribute} > {limit}"))
    });
    over.collect()
}

/// What a rule is made from.
struct Ground<'g> {
    known: &'g BuiltIn,
    entry: &'g Entry<'g>,
    spot: Spot,
}

impl Ground<'_> {
    /// A rule that denies each of these.
    fn rule(&self, denied: &[&str], paths: &mut Paths) -> Result<Rule, Vec<Diagnostic>> {
        let mut denials = Vec::new();
        for source in denied {
            denials.push(denial(source, paths)?);
        }
        let members = self.known.members.iter();
        let mut parts: Vec<Condition> = members
            .map(|member| Condition::concerns(paths.slot(member)))
            .collect();
        parts.push(Condition::any(denials));
        Ok(Rule {
            name: self.entry.name.to_owned(),
            line: self.spot.line,
            effect: Effect::Deny,
            condition: Condition::all(parts),
            actions: self.entry.actions.iter().map(Obligation::new).collect(),
            kept: None,
        })
    }
}

/// A test holds that each of them can be read.
fn denial(source: &str, paths: &mut Paths) -> Result<Condition, Vec<Diagnostic>> {
    Condition::parse(source, Purpose::Deny, paths, &mut Kinds::default()).map_err(|problems| {
        let diagnostic = |problem: crate::policy::expression::Problem| {
            Diagnostic::new(
                Code::ConditionInvalid,
                Spot::START.place("[built in]", "$"),
                problem.message,
            )
        };
        problems.into_iter().map(diagnostic).collect()
    })
}

fn weak(file: &str, spot: Spot, entry: &Entry<'_>) -> Diagnostic {
    let mode = entry.mode.unwrap_or(Mode::Strict).as_str();
    Diagnostic::new(
        Code::PolicyContradiction,
        spot.place(file, "$"),
        format!("`{}` can't be kept less than strictly", entry.name),
    )
    .found(format!("`enforcement: {mode}`"))
    .expected("`enforcement: strict`")
    .help(format!(
        "write `strict`, or move the document out of {}/",
        super::DIRECTORY
    ))
}

/// Where an entry of that name stands.
fn named(node: &Node, name: &str) -> Option<Spot> {
    match &node.kind {
        Kind::Map(_) if node.get("name").and_then(Node::as_text) == Some(name) => Some(node.spot),
        Kind::Map(members) => {
            let mut values = members.iter().map(|member| &member.value);
            values.find_map(|value| named(value, name))
        }
        Kind::List(items) => items.iter().find_map(|item| named(item, name)),
        _ => None,
    }
}
