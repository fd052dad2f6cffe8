//! What several documents, or several rules of one, say about the same and in different ways, and which
//! of them counts: a denial before a grant, the stricter before the weaker, the longer before the shorter.
//!
//! Conditions are compared in their normal form, so that two that mean the same conflict however they
//! are written; those that are in no language that is known here are compared as text.

use super::security_policy::SecurityPolicy;
use super::words::{Effect, Mode};
use super::{Account, Shape, conditions};
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::policy::expression::condition::{Kinds, Normal, Paths};
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
    scope: &'d Scope,
    name: &'d str,
    says: Says,
    effect: Effect,
}

/// What a document is about.
struct Scope {
    /// The members of requests that it names.
    members: Vec<String>,
    normal: Normal,
}

/// A condition, as far as it can be understood.
#[derive(PartialEq)]
enum Says {
    Meant(Normal),
    /// In another language than ours: blanks aside, as it was written.
    Written(String),
}

impl Rule<'_> {
    /// Scope and condition together.
    fn whole(&self) -> Option<Normal> {
        match &self.says {
            Says::Meant(normal) => Some(self.scope.normal.and(normal)),
            Says::Written(_) => None,
        }
    }
}

fn effects(documents: &[Looked<'_>]) -> Vec<Diagnostic> {
    let mut paths = Paths::default();
    let policies: Vec<(Looked<'_>, &SecurityPolicy, Scope)> = documents
        .iter()
        .filter_map(|document| match &document.account.shape {
            Shape::Security(policy) => Some((*document, policy, scope(policy, &mut paths))),
            _ => None,
        })
        .collect();
    let mut rules = Vec::new();
    for (document, policy, scope) in &policies {
        rules.extend(rules_of(*document, policy, scope, &mut paths));
    }
    let mut found = Vec::new();
    for rule in &rules {
        found.extend(never_holds(rule).or_else(|| denied(rule, &rules)));
        if found.len() >= MOST {
            break;
        }
    }
    found
}

fn scope(policy: &SecurityPolicy, paths: &mut Paths) -> Scope {
    let entries = policy.scope.iter();
    Scope {
        members: entries
            .map(|entry| conditions::member(&entry.resource))
            .collect(),
        normal: conditions::scope(&policy.scope, paths, &mut Kinds::default()).normal(),
    }
}

fn rules_of<'d>(
    document: Looked<'d>,
    policy: &'d SecurityPolicy,
    scope: &'d Scope,
    paths: &mut Paths,
) -> Vec<Rule<'d>> {
    let rule = |rule: &'d super::security_policy::Rule| {
        let effect = rule.effect?;
        Some(Rule {
            document,
            scope,
            name: &rule.name,
            says: says(&rule.condition, paths),
            effect,
        })
    };
    policy.rules.iter().filter_map(rule).collect()
}

fn says(condition: &str, paths: &mut Paths) -> Says {
    match conditions::meaning(condition, paths) {
        Some(normal) => Says::Meant(normal),
        None => Says::Written(condition.split_whitespace().collect::<Vec<_>>().join(" ")),
    }
}

/// True where two scopes have something in common; one without any entry is about everything, and
/// those that name no resource in common are about different things.
fn meet(one: &Scope, other: &Scope) -> bool {
    let all = one.members.is_empty() || other.members.is_empty();
    let common = one
        .members
        .iter()
        .any(|member| other.members.contains(member));
    (all || common) && one.normal.and(&other.normal).can_hold()
}

fn never_holds(rule: &Rule<'_>) -> Option<Diagnostic> {
    if rule.whole()?.can_hold() {
        return None;
    }
    let message = format!("`{}` never speaks", rule.name);
    Some(
        Diagnostic::new(
            Code::RuleNeverHolds,
            rule.document.place(rule.name),
            message,
        )
        .found("a condition that contradicts itself, or the scope")
        .expected("a condition that some request within the scope fulfils")
        .help("correct the condition or the scope, or remove the rule"),
    )
}

/// What is to be said of a rule that allows what another denies.
fn denied(allowed: &Rule<'_>, rules: &[Rule<'_>]) -> Option<Diagnostic> {
    if allowed.effect != Effect::Allow {
        return None;
    }
    let denials = || rules.iter().filter(|rule| rule.effect == Effect::Deny);
    let conflict =
        denials().find(|denied| denied.says == allowed.says && meet(denied.scope, allowed.scope));
    if let Some(denied) = conflict {
        return Some(effect(allowed, denied));
    }
    let whole = allowed.whole()?;
    let covers = |denied: &&Rule<'_>| denied.whole().is_some_and(|other| whole.implies(&other));
    denials()
        .find(covers)
        .map(|denied| shadowed(allowed, denied))
}

fn effect(allowed: &Rule<'_>, denied: &Rule<'_>) -> Diagnostic {
    let message = format!(
        "`{}` allows what `{}` in {} denies; the denial counts",
        allowed.name, denied.name, denied.document.file
    );
    let place = allowed.document.place(allowed.name);
    Diagnostic::new(Code::PolicyConflict, place, message)
        .found("allow and deny on one condition")
        .expected("one effect for a condition within a scope")
        .help("remove one of the two rules, or narrow a scope or a condition")
}

fn shadowed(allowed: &Rule<'_>, denied: &Rule<'_>) -> Diagnostic {
    let message = format!(
        "`{}` changes nothing: `{}` in {} denies all that it allows",
        allowed.name, denied.name, denied.document.file
    );
    let place = allowed.document.place(allowed.name);
    Diagnostic::new(Code::RuleShadowed, place, message)
        .found("an allow rule that a deny rule covers")
        .expected("a rule that allows something")
        .help("remove it, or narrow the rule that denies")
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
    fn what_is_written_otherwise_conflicts_all_the_same() {
        let deny = policy("b", "files", "deny", "user.id == 'x' && file.open");
        for condition in [
            "file.open == true && 'x' == user.id",
            "!(user.id != 'x' || !file.open)",
        ] {
            let found = conflicts(&[&policy("a", "file", "allow", condition), &deny]);
            assert!(
                found[0].starts_with("POLICY_CONFLICT 0.yaml:8"),
                "{found:#?}"
            );
        }
        let narrow = "user.id == 'x' && file.open && file.level < 3";
        let found = conflicts(&[&policy("a", "files", "allow", narrow), &deny]);
        assert!(found[0].starts_with("RULE_SHADOWED 0.yaml:8"), "{found:#?}");
        let wide = policy("a", "files", "allow", "user.id == 'x'");
        assert_eq!(conflicts(&[&wide, &deny]), Vec::<String>::new());
        let never = policy("a", "files", "allow", "user.id == 'x' && user.id == 'y'");
        let found = conflicts(&[&never]);
        assert!(
            found[0].starts_with("RULE_NEVER_HOLDS 0.yaml:8"),
            "{found:#?}"
        );
    }

    #[test]
    fn scopes_that_exclude_each_other_don_t_meet() {
        let of = |name: &str, effect: &str, level: &str| {
            policy(name, "agents", effect, "agent.a == agent.b").replace(
                "- resource: agents\n",
                &format!(
                    "- resource: agents\n    - {{resource: data, selector: {{level: {level}}}}}\n"
                ),
            )
        };
        let allow = of("a", "allow", "[low, high]");
        assert_eq!(
            conflicts(&[&allow, &of("b", "deny", "none")]),
            Vec::<String>::new()
        );
        assert_eq!(conflicts(&[&allow, &of("b", "deny", "high")]).len(), 1);
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
