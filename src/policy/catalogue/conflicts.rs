//! What several documents, or several rules of one, say about the same and in different ways, and which
//! of them counts: a denial before a grant, the stricter before the weaker, the longer before the shorter.
//!
//! Conditions are compared as text, since nothing here evaluates one; two that mean the same and are
//! written differently are not found.

use super::security_policy::{Scope, SecurityPolicy};
use super::words::{Effect, Mode};
use super::{Account, Shape};
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::policy::quantity::Span;
use crate::time::Timestamp;

/// A document that is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Looked<'d> {
    /// The file.
    pub file: &'d str,
    /// Its bytes.
    pub text: &'d [u8],
    /// What it says.
    pub account: &'d Account,
}

impl Looked<'_> {
    /// The first line that has the name.
    fn place(&self, name: &str) -> Place {
        let text = String::from_utf8_lossy(self.text);
        let named = text.lines().position(|line| line.contains(name));
        match named.and_then(|index| u64::try_from(index + 1).ok()) {
            Some(line) => Place::line(self.file, line),
            None => Place::file(self.file),
        }
    }
}

/// More conflicts than this help nobody.
const MOST: usize = 100;

/// Every conflict, at the place of the one that does not count.
pub fn find(documents: &[Looked<'_>]) -> Vec<Diagnostic> {
    let mut found = effects(documents);
    found.extend(named(documents));
    found.truncate(MOST);
    found
}

/// A rule with the document that it stands in.
struct Rule<'d> {
    document: Looked<'d>,
    scope: &'d [Scope],
    name: &'d str,
    condition: String,
    effect: Effect,
}

fn effects(documents: &[Looked<'_>]) -> Vec<Diagnostic> {
    let mut rules = Vec::new();
    for document in documents {
        if let Shape::Security(policy) = &document.account.shape {
            rules.extend(rules_of(*document, policy));
        }
    }
    let mut found = Vec::new();
    for allowed in rules.iter().filter(|rule| rule.effect == Effect::Allow) {
        let denied = rules.iter().find(|rule| {
            rule.effect == Effect::Deny
                && rule.condition == allowed.condition
                && meet(rule.scope, allowed.scope)
        });
        if let Some(denied) = denied {
            found.push(effect(allowed, denied));
        }
        if found.len() >= MOST {
            break;
        }
    }
    found
}

fn rules_of<'d>(document: Looked<'d>, policy: &'d SecurityPolicy) -> Vec<Rule<'d>> {
    let rule = |rule: &'d super::security_policy::Rule| {
        Some(Rule {
            document,
            scope: &policy.scope,
            name: &rule.name,
            condition: rule
                .condition
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" "),
            effect: rule.effect?,
        })
    };
    policy.rules.iter().filter_map(rule).collect()
}

/// True where two scopes have something in common; one without any entry is about everything.
fn meet(one: &[Scope], other: &[Scope]) -> bool {
    let both = |a: &Scope| {
        other
            .iter()
            .any(|b| a.resource == b.resource && overlap(a, b))
    };
    one.is_empty() || other.is_empty() || one.iter().any(both)
}

/// True unless both narrow an attribute to values that exclude each other.
fn overlap(one: &Scope, other: &Scope) -> bool {
    one.selector.iter().all(|(attribute, values)| {
        let narrowed = other.selector.iter().find(|(name, _)| name == attribute);
        narrowed.is_none_or(|(_, others)| values.iter().any(|value| others.contains(value)))
    })
}

fn effect(allowed: &Rule<'_>, denied: &Rule<'_>) -> Diagnostic {
    let message = format!(
        "`{}` allows what `{}` in {} denies; the denial counts",
        allowed.name, denied.name, denied.document.file
    );
    Diagnostic::new(
        Code::PolicyConflict,
        allowed.document.place(allowed.name),
        message,
    )
    .found(format!("allow and deny where {}", allowed.condition))
    .expected("one effect for a condition within a scope")
    .help("remove one of the two rules, or narrow a scope or a condition")
}

/// A policy that has a name.
struct Named<'d> {
    document: Looked<'d>,
    name: &'d str,
    scope: &'d str,
    mode: Option<Mode>,
    keep: Option<Span>,
}

fn named(documents: &[Looked<'_>]) -> Vec<Diagnostic> {
    let mut seen: Vec<Named<'_>> = Vec::new();
    let mut found = Vec::new();
    for policy in documents.iter().flat_map(|document| policies(*document)) {
        let same = |other: &&Named<'_>| other.name == policy.name && other.scope == policy.scope;
        if let Some(other) = seen.iter().find(same) {
            found.extend(modes(other, &policy));
            found.extend(terms(other, &policy));
        }
        seen.push(policy);
    }
    found
}

fn policies(document: Looked<'_>) -> Vec<Named<'_>> {
    let named = |name, scope, mode, keep| Named {
        document,
        name,
        scope,
        mode,
        keep,
    };
    match &document.account.shape {
        Shape::System(groups) => {
            let all = groups.iter().flat_map(|group| &group.entries);
            all.map(|one| named(&one.name, &one.scope, one.enforcement, None))
                .collect()
        }
        Shape::Agent(groups) => {
            let all = groups.iter().flat_map(|group| &group.entries);
            all.map(|one| named(&one.name, &one.scope, one.enforcement, None))
                .collect()
        }
        Shape::Compliance(groups) => {
            let all = groups.iter().flat_map(|group| &group.entries);
            all.map(|one| named(&one.name, &one.scope, one.enforcement, one.retention_period))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn modes(one: &Named<'_>, other: &Named<'_>) -> Option<Diagnostic> {
    let (a, b) = (one.mode?, other.mode?);
    let (weak, strong) = if a < b { (one, other) } else { (other, one) };
    (a != b).then(|| {
        let message = format!(
            "`{}` is enforced more strictly in {}; the stricter one counts",
            weak.name, strong.document.file
        );
        Diagnostic::new(
            Code::PolicyConflict,
            weak.document.place(weak.name),
            message,
        )
        .found(format!(
            "`{}` and `{}`",
            a.min(b).as_str(),
            a.max(b).as_str()
        ))
        .expected("one mode for a policy")
        .help("say the same in both documents, or remove one")
    })
}

fn terms(one: &Named<'_>, other: &Named<'_>) -> Option<Diagnostic> {
    let end = |span: Span| span.end(Timestamp::EPOCH);
    let (a, b) = (end(one.keep?)?, end(other.keep?)?);
    let (short, long) = if a < b { (one, other) } else { (other, one) };
    (a != b).then(|| {
        let message = format!(
            "`{}` has a longer term in {}; the longer one counts",
            short.name, long.document.file
        );
        Diagnostic::new(
            Code::PolicyConflict,
            short.document.place(short.name),
            message,
        )
        .found("two terms")
        .expected("one term for a policy")
        .help("say the same in both documents, or remove one")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::catalogue::{read, recognise};

    fn conflicts(texts: &[&str]) -> Vec<String> {
        let names: Vec<String> = (0..texts.len()).map(|n| format!("{n}.yaml")).collect();
        let accounts: Vec<Account> = names
            .iter()
            .zip(texts)
            .map(|(name, text)| read(&recognise(name, text.as_bytes()).unwrap()).unwrap())
            .collect();
        let looked: Vec<Looked<'_>> = names
            .iter()
            .zip(texts)
            .zip(&accounts)
            .map(|((file, text), account)| Looked {
                file,
                text: text.as_bytes(),
                account,
            })
            .collect();
        find(&looked).iter().map(ToString::to_string).collect()
    }

    fn policy(name: &str, resource: &str, effect: &str, condition: &str) -> String {
        format!(
            "apiVersion: policy.orchestra.v1\nkind: SecurityPolicy\nmetadata: {{name: {name}}}\nspec:\n  scope:\n    - resource: {resource}\n  rules:\n    - name: {name}_rule\n      condition: \"{condition}\"\n      effect: {effect}\n  enforcement: {{mode: strict}}\n"
        )
    }

    #[test]
    fn a_grant_that_another_rule_denies_is_a_conflict() {
        let allow = policy("a", "files", "allow", "user == 'x'");
        let deny = policy("b", "files", "deny", "user  ==  'x'");
        let found = conflicts(&[&allow, &deny]);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(
            found[0].starts_with("POLICY_CONFLICT 0.yaml:8"),
            "{found:#?}"
        );
        for other in [
            policy("b", "rows", "deny", "user == 'x'"),
            policy("b", "files", "deny", "user == 'y'"),
            policy("b", "files", "allow", "user == 'x'"),
        ] {
            assert_eq!(conflicts(&[&allow, &other]), Vec::<String>::new());
        }
    }

    #[test]
    fn two_modes_and_two_terms_of_a_policy_are_conflicts() {
        let with = |mode: &str, keep: &str| {
            format!(
                "compliance_policies:\n  money:\n    - {{name: kept, scope: x, retention_period: {keep}, enforcement: {mode}}}\n"
            )
        };
        let found = conflicts(&[&with("warn", "5_years"), &with("strict", "7_years")]);
        assert_eq!(found.len(), 2, "{found:#?}");
        assert!(
            found.iter().all(|found| found.contains("0.yaml:3")),
            "{found:#?}"
        );
        assert_eq!(
            conflicts(&[&with("strict", "1_years"), &with("strict", "12_months")]),
            Vec::<String>::new()
        );
    }
}
