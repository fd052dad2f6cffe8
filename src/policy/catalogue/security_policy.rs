//! `kind: SecurityPolicy` of `policy.orchestra.v1`: rules with conditions about requests.
//!
//! Conditions are taken as text; [`super::conditions`] says what they mean.

use super::conditions::meaning;
use super::reader::Reader;
use super::words::{Effect, Mode, Severity};
use super::{API_VERSION, counted};
use crate::diagnostic::{Code, Diagnostic};
use crate::policy::expression::condition::Paths;
use crate::policy::quantity::Threshold;
use crate::policy::source::{Kind, Node};

/// The document.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SecurityPolicy {
    /// Its name.
    pub name: String,
    /// Where it belongs.
    pub namespace: Option<String>,
    /// Its version, as its author counts.
    pub version: Option<String>,
    /// What it can be found by.
    pub tags: Vec<String>,
    /// What it is for.
    pub description: Option<String>,
    /// What it is about; a request that none of these matches is none of its business.
    pub scope: Vec<Scope>,
    /// Its rules in their order.
    pub rules: Vec<Rule>,
    /// How strictly it is kept.
    pub mode: Option<Mode>,
    /// When it is asked.
    pub evaluation_point: Option<String>,
    /// What is counted.
    pub metrics: Vec<String>,
    /// When somebody is told.
    pub alerts: Vec<Alert>,
}

/// A kind of resources, narrowed by the values of their attributes.
#[derive(Debug, Clone, PartialEq)]
pub struct Scope {
    /// The kind.
    pub resource: String,
    /// Attributes, each with the values that are meant.
    pub selector: Vec<(String, Vec<String>)>,
}

/// A rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// When it speaks, as it was written.
    pub condition: String,
    /// What it then says.
    pub effect: Option<Effect>,
    /// What then has to be done, in this order.
    pub actions: Vec<String>,
}

/// When somebody is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// The condition.
    pub condition: Option<Threshold>,
    /// How grave it is.
    pub severity: Option<Severity>,
}

/// Reads the document.
pub(super) fn read(reader: &mut Reader<'_>, root: &Node) -> Option<SecurityPolicy> {
    let root = reader.map(root, &["apiVersion", "kind", "metadata", "spec"])?;
    api_version(reader, root);
    let metadata = reader.needed(root, "metadata");
    let metadata =
        metadata.and_then(|node| reader.map(node, &["name", "namespace", "version", "tags"]));
    let spec = reader.needed(root, "spec").and_then(|node| {
        let known = ["description", "scope", "rules", "enforcement", "monitoring"];
        reader.map(node, &known)
    });
    let policy = SecurityPolicy {
        name: metadata.map_or_else(String::new, |map| reader.needed_text(map, "name")),
        namespace: reader.text(metadata.and_then(|map| map.get("namespace"))),
        version: reader.text(metadata.and_then(|map| map.get("version"))),
        tags: reader.texts(metadata.and_then(|map| map.get("tags"))),
        ..spec.map_or_else(SecurityPolicy::default, |spec| self::spec(reader, spec))
    };
    Some(policy)
}

fn spec(reader: &mut Reader<'_>, spec: &Node) -> SecurityPolicy {
    let rules = reader.needed(spec, "rules");
    let (mode, evaluation_point) = enforcement(reader, spec);
    let (metrics, alerts) = monitoring(reader, spec);
    SecurityPolicy {
        description: reader.text(spec.get("description")),
        scope: scopes(reader, spec.get("scope")),
        rules: self::rules(reader, rules),
        mode,
        evaluation_point,
        metrics,
        alerts,
        ..SecurityPolicy::default()
    }
}

impl SecurityPolicy {
    /// What it holds, in a clause.
    pub(super) fn summary(&self) -> String {
        let with = |effect| {
            let rules = self.rules.iter();
            rules.filter(|rule| rule.effect == Some(effect)).count()
        };
        format!(
            "{}: {}, {} to allow and {} to deny",
            self.name,
            counted(self.rules.len(), "rule"),
            with(Effect::Allow),
            with(Effect::Deny)
        )
    }
}

fn api_version(reader: &mut Reader<'_>, root: &Node) {
    let Some(node) = reader.needed(root, "apiVersion") else {
        return;
    };
    let version = reader.text(Some(node));
    if let Some(version) = version.filter(|version| version != API_VERSION) {
        reader.find(node, |place| {
            let message = "the document is of a version that is not known here";
            Diagnostic::new(Code::ValueUnknown, place, message)
                .found(format!("`{version}`"))
                .expected(format!("`{API_VERSION}`"))
                .help(format!(
                    "write `apiVersion: {API_VERSION}`, if the document follows it"
                ))
        });
    }
}

fn scopes(reader: &mut Reader<'_>, node: Option<&Node>) -> Vec<Scope> {
    let items = reader.list(node);
    items
        .iter()
        .filter_map(|item| scope(reader, item))
        .collect()
}

fn scope(reader: &mut Reader<'_>, node: &Node) -> Option<Scope> {
    let map = reader.map(node, &["resource", "selector"])?;
    let resource = reader.needed_text(map, "resource");
    let selector = map.get("selector").and_then(|node| reader.open_map(node));
    let attributes = selector.unwrap_or_default().iter();
    Some(Scope {
        resource,
        selector: attributes
            .map(|member| (member.key.clone(), values(reader, &member.value)))
            .collect(),
    })
}

/// One text, or a list of them.
fn values(reader: &mut Reader<'_>, node: &Node) -> Vec<String> {
    match node.kind {
        Kind::List(_) => reader.texts(Some(node)),
        _ => reader.text(Some(node)).into_iter().collect(),
    }
}

fn rules(reader: &mut Reader<'_>, node: Option<&Node>) -> Vec<Rule> {
    let items = reader.list(node);
    if let Some(node) =
        node.filter(|node| matches!(&node.kind, Kind::List(items) if items.is_empty()))
    {
        reader.find(node, |place| {
            Diagnostic::new(Code::KeyMissing, place, "there is no rule")
                .found("an empty list")
                .expected("at least one rule")
                .help("add a rule: `name`, `condition`, `effect`")
        });
    }
    reader.names_once(items);
    let mut rules: Vec<Rule> = Vec::new();
    for item in items {
        let Some(rule) = rule(reader, item) else {
            continue;
        };
        if let Some(other) = rules.iter().find(|other| other.contradicts(&rule)) {
            conflict(reader, item, other, &rule);
        }
        rules.push(rule);
    }
    rules
}

impl Rule {
    /// True where both speak on the same condition, however it is written, and only one allows (rows
    /// S1-026 and S1-098).
    fn contradicts(&self, other: &Self) -> bool {
        self.effect.is_some()
            && other.effect.is_some()
            && self.effect != other.effect
            && !self.condition.is_empty()
            && self.means_the_same(other)
    }
}

impl Rule {
    fn means_the_same(&self, other: &Self) -> bool {
        let (one, other) = (&self.condition, &other.condition);
        let mut paths = Paths::default();
        let meant = meaning(one, &mut paths).zip(meaning(other, &mut paths));
        let alike = one.split_whitespace().eq(other.split_whitespace());
        meant.map_or(alike, |(one, other)| one == other)
    }
}

fn conflict(reader: &mut Reader<'_>, node: &Node, first: &Rule, second: &Rule) {
    let message = format!(
        "`{}` and `{}` stand on the same condition, and one allows what the other denies",
        first.name, second.name
    );
    reader.find(node, |place| {
        Diagnostic::new(Code::RulesConflict, place, message)
            .found(format!("`{}` twice", second.condition.trim()))
            .expected("one effect for one condition")
            .help("remove one of the two; whoever evaluates them lets the `deny` win")
    });
}

fn rule(reader: &mut Reader<'_>, node: &Node) -> Option<Rule> {
    let map = reader.map(node, &["name", "condition", "effect", "actions"])?;
    let effect = reader.needed(map, "effect");
    Some(Rule {
        name: reader.needed_text(map, "name"),
        condition: reader.needed_text(map, "condition"),
        effect: reader.effect(effect),
        actions: reader.texts(map.get("actions")),
    })
}

fn enforcement(reader: &mut Reader<'_>, spec: &Node) -> (Option<Mode>, Option<String>) {
    let map = reader
        .needed(spec, "enforcement")
        .and_then(|node| reader.map(node, &["mode", "evaluation_point"]));
    let Some(map) = map else { return (None, None) };
    let mode = reader.needed(map, "mode");
    (reader.mode(mode), reader.text(map.get("evaluation_point")))
}

fn monitoring(reader: &mut Reader<'_>, spec: &Node) -> (Vec<String>, Vec<Alert>) {
    let map = spec
        .get("monitoring")
        .and_then(|node| reader.map(node, &["metrics", "alerts"]));
    let Some(map) = map else {
        return (Vec::new(), Vec::new());
    };
    let metrics = reader.texts(map.get("metrics"));
    let items = reader.list(map.get("alerts"));
    let alerts = items.iter().filter_map(|item| alert(reader, item));
    (metrics, alerts.collect())
}

fn alert(reader: &mut Reader<'_>, node: &Node) -> Option<Alert> {
    let map = reader.map(node, &["condition", "severity"])?;
    let (condition, severity) = (
        reader.needed(map, "condition"),
        reader.needed(map, "severity"),
    );
    Some(Alert {
        condition: reader.threshold(condition),
        severity: reader.severity(severity),
    })
}
