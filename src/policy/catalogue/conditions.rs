//! What the scope and the rules of a SecurityPolicy ask of a request: their texts as conditions, each
//! problem at its place. Who asks, and what follows, is the business of [`crate::security`].

use super::Found;
use super::security_policy::{Scope, SecurityPolicy};
use super::words::Effect;
use crate::diagnostic::{Code, Diagnostic};
use crate::policy::expression::Problem;
use crate::policy::expression::condition::{Condition, Kinds, Normal, Paths, Purpose};
use crate::policy::source::{Kind, Lines, Node, Spot};

/// A rule's condition and where the rule stands.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The condition.
    pub condition: Condition,
    /// The line of the rule, from 1.
    pub line: u64,
}

/// The member of a request that a resource of a scope is: the singular of its name, `agent` of
/// `agents`, `policy` of `policies`; else the name itself, `data` of `data`.
pub fn member(resource: &str) -> String {
    if let Some(stem) = resource.strip_suffix("ies").filter(|stem| !stem.is_empty()) {
        return format!("{stem}y");
    }
    let is_plural = !resource.ends_with("ss") && !resource.ends_with("us");
    let stem = resource.strip_suffix('s').filter(|stem| !stem.is_empty());
    stem.filter(|_| is_plural).unwrap_or(resource).to_owned()
}

/// What a scope asks: an object for every resource that it names, and of the entries on one resource
/// at least one whose every attribute has one of its values. An empty scope is about everything.
pub fn scope(entries: &[Scope], paths: &mut Paths, kinds: &mut Kinds) -> Condition {
    let mut members: Vec<String> = entries
        .iter()
        .map(|entry| member(&entry.resource))
        .collect();
    members.sort();
    members.dedup();
    let group = |name: String| {
        let of_member = entries
            .iter()
            .filter(|entry| member(&entry.resource) == name);
        let alternatives = of_member.map(|entry| selector(&name, entry, paths, kinds));
        let any = Condition::any(alternatives.collect());
        Condition::all(vec![Condition::concerns(paths.slot(&name)), any])
    };
    Condition::all(members.into_iter().map(group).collect())
}

fn selector(member: &str, entry: &Scope, paths: &mut Paths, kinds: &mut Kinds) -> Condition {
    let one = |(attribute, values): &(String, Vec<String>)| {
        let slot = paths.slot(&format!("{member}.{attribute}"));
        kinds.is_text(slot);
        Condition::one_of(slot, values)
    };
    Condition::all(entry.selector.iter().map(one).collect())
}

/// What a condition means, whatever follows from it; `None` where it is in no language known here.
pub fn meaning(condition: &str, paths: &mut Paths) -> Option<Normal> {
    let mut parse =
        |purpose| Condition::parse(condition, purpose, paths, &mut Kinds::default()).ok();
    let parsed = parse(Purpose::Allow).or_else(|| parse(Purpose::Deny))?;
    Some(parsed.normal())
}

/// The conditions of the rules in their order, or all that is wrong with them and with the scope.
pub fn rules(
    found: &Found<'_>,
    policy: &SecurityPolicy,
    paths: &mut Paths,
    kinds: &mut Kinds,
) -> Result<Vec<Placed>, Vec<Diagnostic>> {
    let lines = Lines::of(found.text);
    let spec = found.tree.as_ref().and_then(|root| root.get("spec"));
    let items = match spec
        .and_then(|spec| spec.get("rules"))
        .map(|node| &node.kind)
    {
        Some(Kind::List(items)) => items.as_slice(),
        _ => &[],
    };
    let mut problems = Vec::new();
    if let Some(scope) = spec.and_then(|spec| spec.get("scope")) {
        problems.extend(empty_selectors(found, scope));
    }
    let mut placed = Vec::new();
    for (rule, item) in policy.rules.iter().zip(items) {
        let purpose = match rule.effect {
            Some(Effect::Allow) => Purpose::Allow,
            _ => Purpose::Deny,
        };
        match Condition::parse(&rule.condition, purpose, paths, kinds) {
            Ok(condition) => placed.push(Placed {
                condition,
                line: item.spot.line,
            }),
            Err(found_there) => {
                let node = item.get("condition").unwrap_or(item);
                let diagnostic =
                    |problem| placed_problem(found, &lines, node, &rule.condition, problem);
                problems.extend(found_there.into_iter().map(diagnostic));
            }
        }
    }
    if problems.is_empty() {
        Ok(placed)
    } else {
        Err(problems)
    }
}

fn placed_problem(
    found: &Found<'_>,
    lines: &Lines<'_>,
    node: &Node,
    source: &str,
    problem: Problem,
) -> Diagnostic {
    let within = node.spot.within(lines, source, problem.offset);
    let message = match within {
        Some(_) => problem.message,
        None => {
            let before = source.get(..problem.offset).unwrap_or(source);
            format!(
                "{}, at character {} of the condition",
                problem.message,
                before.chars().count() + 1
            )
        }
    };
    Diagnostic::new(
        Code::ConditionInvalid,
        place(found, within.unwrap_or(node.spot), node),
        message,
    )
    .found(problem.found)
    .expected(problem.expected)
    .help(problem.help)
}

fn place(found: &Found<'_>, spot: Spot, node: &Node) -> crate::diagnostic::Place {
    let path = found.tree.as_ref().map(|root| root.path_to(node));
    spot.place(found.file, path.as_deref().unwrap_or("$"))
}

/// An attribute that is to have one of no values would keep every rule from speaking.
fn empty_selectors(found: &Found<'_>, scope: &Node) -> Vec<Diagnostic> {
    let Kind::List(entries) = &scope.kind else {
        return Vec::new();
    };
    let selectors = entries.iter().filter_map(|entry| entry.get("selector"));
    let values = selectors.flat_map(Node::entries);
    let empty = values.filter(|member| match &member.value.kind {
        Kind::List(values) => values.is_empty(),
        _ => false,
    });
    empty
        .map(|member| {
            Diagnostic::new(
                Code::ValueType,
                place(found, member.spot, &member.value),
                format!("`{}` is to have one of no values", member.key),
            )
            .found("an empty list")
            .expected("at least one value")
            .help("write the values that are meant, or remove the attribute")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_resource_is_the_member_of_its_singular() {
        for (resource, member) in [
            ("agents", "agent"),
            ("agent", "agent"),
            ("data", "data"),
            ("policies", "policy"),
            ("access", "access"),
            ("status", "status"),
            ("s", "s"),
        ] {
            assert_eq!(super::member(resource), member);
        }
    }
}
