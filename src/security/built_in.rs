//! The entries of `system_policies`, `agent_policies` and `compliance_policies` that have a rule here,
//! by their names. Each only denies: a request that it lets pass still needs somebody who allows it.
//!
//! What an entry says in words (`rule`, `scope`) is not read; an exception is not made.

use super::document::{Document, Rule};
use crate::diagnostic::{Code, Diagnostic};
use crate::policy::catalogue::words::{Effect, Mode};
use crate::policy::catalogue::{Found, Shape};
use crate::policy::expression::condition::{Condition, Kinds, Paths, Purpose};
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
    /// What is denied beside that where the entry asks for evidence.
    pub without_evidence: Option<&'static str>,
}

/// All of them, in the order of the documentation.
pub const BUILT_IN: &[BuiltIn] = &[
    BuiltIn {
        name: "multi_factor_authentication_required",
        members: &["user"],
        denies: "user.mfa_verified != true",
        without_evidence: None,
    },
    BuiltIn {
        name: "pii_encryption_mandatory",
        members: &["data"],
        denies: "data.contains_pii == true && data.encrypted != true",
        without_evidence: None,
    },
    BuiltIn {
        name: "security_events_logging",
        members: &["event"],
        denies: "event.audit_reference == ''",
        without_evidence: None,
    },
    BuiltIn {
        name: "user_data_scope_restriction",
        members: &["agent", "data"],
        denies: "agent.user_id != data.owner_user_id",
        without_evidence: None,
    },
    BuiltIn {
        name: "inter_agent_communication_audit",
        members: &["message"],
        denies: "message.audit_reference == ''",
        without_evidence: None,
    },
    BuiltIn {
        name: "data_subject_consent_validation",
        members: &["data"],
        denies: "data.contains_pii == true && data.consent != 'explicit'",
        without_evidence: Some("data.contains_pii == true && data.consent_reference == ''"),
    },
];

/// What an entry says, as far as it matters here.
struct Entry<'e> {
    name: &'e str,
    mode: Option<Mode>,
    evidence: bool,
    actions: &'e [String],
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
        rules.push(rule(known, &entry, spot, paths)?);
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
    let entry = |name, mode, evidence, actions| Entry {
        name,
        mode,
        evidence,
        actions,
    };
    match shape {
        Shape::System(groups) => {
            let all = groups.iter().flat_map(|group| &group.entries);
            all.map(|one| entry(one.name.as_str(), one.enforcement, false, &[][..]))
                .collect()
        }
        Shape::Agent(groups) => {
            let all = groups.iter().flat_map(|group| &group.entries);
            all.map(|one| {
                let actions = one.violations.as_slice();
                entry(one.name.as_str(), one.enforcement, false, actions)
            })
            .collect()
        }
        Shape::Compliance(groups) => {
            let all = groups.iter().flat_map(|group| &group.entries);
            all.map(|one| {
                let evidence = one.evidence_required == Some(true);
                entry(one.name.as_str(), one.enforcement, evidence, &[][..])
            })
            .collect()
        }
        _ => Vec::new(),
    }
}

fn rule(
    known: &BuiltIn,
    entry: &Entry<'_>,
    spot: Spot,
    paths: &mut Paths,
) -> Result<Rule, Vec<Diagnostic>> {
    let mut denials = vec![denial(known.denies, paths)?];
    if let Some(evidence) = known.without_evidence.filter(|_| entry.evidence) {
        denials.push(denial(evidence, paths)?);
    }
    let members = known.members.iter();
    let mut parts: Vec<Condition> = members
        .map(|member| Condition::concerns(paths.slot(member)))
        .collect();
    parts.push(Condition::any(denials));
    Ok(Rule {
        name: entry.name.to_owned(),
        line: spot.line,
        effect: Effect::Deny,
        condition: Condition::all(parts),
        actions: entry.actions.iter().map(Obligation::new).collect(),
    })
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
