//! One document, compiled: what it is about, and its rules.

use super::built_in;
use super::given::Given;
use crate::compliance::violations;
use crate::diagnostic::{Checked, Code, Diagnostic};
use crate::policy::catalogue::conditions;
use crate::policy::catalogue::security_policy::SecurityPolicy;
use crate::policy::catalogue::words::{Effect, Mode, Severity};
use crate::policy::catalogue::{self, Found, Shape};
use crate::policy::expression::condition::{Attributes, Condition, Gap, Kinds, Paths, Slot};
use crate::policy::quantity::Span;
use crate::policy::source::{Node, Spot};
use crate::record::audit;
use crate::request::{Obligation, Point};
use crate::time::Timestamp;

/// The tag of documents that are tried and not kept yet (row C-53).
pub(super) const STAGING: &str = "staging";

/// When every document is asked: before the act.
const PRE_EXECUTION: &str = "pre_execution";

/// A document.
#[derive(Debug, Clone)]
pub(super) struct Document {
    /// Its name, or its file where its kind has none.
    pub(super) name: String,
    pub(super) file: String,
    /// Which requests it is about.
    pub(super) scope: Condition,
    pub(super) rules: Vec<Rule>,
    pub(super) mode: Mode,
    /// True where it only restricts: a request that it does not deny is none of its business.
    pub(super) only_restricts: bool,
    /// What else has to be done where one of its rules denies.
    pub(super) plan: Option<Obligation>,
}

/// A rule.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) line: u64,
    pub(super) effect: Effect,
    pub(super) condition: Condition,
    pub(super) actions: Vec<Obligation>,
    /// How long it denies, where it does not for ever.
    pub(super) kept: Option<Kept>,
}

/// A rule that denies until a time is over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    /// The attribute that says from when on.
    pub(super) since: Slot,
    pub(super) term: Span,
}

impl Kept {
    /// True until the time is over; what nobody can read is not over.
    pub(super) fn denies(self, given: &Given<'_>) -> Result<bool, Gap> {
        let gap = |absent| Gap {
            slot: self.since,
            absent,
        };
        let since = given.value(self.since).ok_or(gap(true))?;
        let since = since.as_str().and_then(Timestamp::read);
        let since = since.ok_or(gap(false))?.time;
        Ok(!self.term.has_passed(since, given.now()))
    }
}

type Made = Result<(Document, Vec<Diagnostic>), Vec<Diagnostic>>;

/// Compiles a document: itself with what is odd about it, or every problem.
pub(super) fn compile(file: &str, bytes: &[u8], paths: &mut Paths) -> Made {
    let found = catalogue::recognise(file, bytes).map_err(|problem| vec![*problem])?;
    let account = catalogue::read(&found)?;
    let document = match &account.shape {
        Shape::Security(policy) => of_policy(file, &found, policy, paths)?,
        Shape::System(_) | Shape::Agent(_) | Shape::Compliance(_) => {
            built_in::document(file, &found, &account.shape, paths)?
        }
        _ => return Err(vec![other_kind(file, &found)]),
    };
    Ok((document, account.warnings))
}

fn other_kind(file: &str, found: &Found<'_>) -> Diagnostic {
    Diagnostic::new(
        Code::DocumentUnknown,
        Spot::START.place(file, "$"),
        "a document of this kind says nothing about requests",
    )
    .found(found.kind.as_str())
    .expected("SecurityPolicy, system_policies, agent_policies or compliance_policies")
    .help(format!("move it out of {}/", super::DIRECTORY))
}

fn of_policy(
    file: &str,
    found: &Found<'_>,
    policy: &SecurityPolicy,
    paths: &mut Paths,
) -> Result<Document, Vec<Diagnostic>> {
    let mut kinds = Kinds::default();
    let mut problems = Vec::new();
    let scope = conditions::scope(&policy.scope, paths, &mut kinds);
    let points = points(file, found, policy).unwrap_or_else(|problem| {
        problems.push(*problem);
        Vec::new()
    });
    problems.extend(mode_problem(file, found, policy));
    let placed = conditions::rules(found, policy, paths, &mut kinds).unwrap_or_else(|wrong| {
        problems.extend(wrong);
        Vec::new()
    });
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut parts = vec![scope];
    if !points.is_empty() {
        parts.push(Condition::one_of(paths.slot("point"), &points));
    }
    let rule = |(rule, placed): (&catalogue::security_policy::Rule, conditions::Placed)| Rule {
        name: rule.name.clone(),
        line: placed.line,
        // Read without an error: the effect is there.
        effect: rule.effect.unwrap_or(Effect::Deny),
        condition: placed.condition,
        actions: rule.actions.iter().map(Obligation::new).collect(),
        kept: None,
    };
    Ok(Document {
        name: policy.name.clone(),
        file: file.to_owned(),
        scope: Condition::all(parts),
        rules: policy.rules.iter().zip(placed).map(rule).collect(),
        mode: policy.mode.unwrap_or(Mode::Strict),
        only_restricts: false,
        plan: plan(policy),
    })
}

/// The points at which the document is asked; none means at every one.
fn points(file: &str, found: &Found<'_>, policy: &SecurityPolicy) -> Checked<Vec<String>> {
    let Some(written) = &policy.evaluation_point else {
        return Ok(Vec::new());
    };
    if written == PRE_EXECUTION {
        return Ok(Vec::new());
    }
    if Point::parse(written).is_some() {
        return Ok(vec![written.clone()]);
    }
    let known = Point::WORDS.map(|(word, _)| word).join(", ");
    let node = at(found, &["spec", "enforcement", "evaluation_point"]);
    let message = "this is no point at which policies are asked here";
    let help = "write `pre_execution`: whoever acts asks before it acts; an act that is done can't be denied";
    Err(Box::new(
        Diagnostic::new(Code::ValueUnknown, place(file, found, node), message)
            .found(format!("`{written}`"))
            .expected(format!("`{PRE_EXECUTION}`, or one of {known}"))
            .help(help),
    ))
}

/// Less than strict is for documents on trial, which are tagged so: in another one neither what it
/// denies nor what it allows would count as it stands there.
fn mode_problem(file: &str, found: &Found<'_>, policy: &SecurityPolicy) -> Option<Diagnostic> {
    let mode = policy.mode.filter(|mode| *mode != Mode::Strict)?;
    if policy.tags.iter().any(|tag| tag == STAGING) {
        return None;
    }
    let node = at(found, &["spec", "enforcement", "mode"]);
    Some(
        Diagnostic::new(
            Code::PolicyContradiction,
            place(file, found, node),
            format!("`{}` is for documents on trial only", mode.as_str()),
        )
        .found(format!("`mode: {}` without the tag `{STAGING}`", mode.as_str()))
        .expected("`mode: strict`")
        .help(format!(
            "write `strict`; or add `{STAGING}` to `metadata.tags`, and nothing of the document counts, it is only told what it would say"
        )),
    )
}

fn at<'d>(found: &'d Found<'_>, path: &[&str]) -> Option<&'d Node> {
    let mut node = found.tree()?;
    for key in path {
        node = node.get(key)?;
    }
    Some(node)
}

fn place(file: &str, found: &Found<'_>, node: Option<&Node>) -> crate::diagnostic::Place {
    let path = found
        .tree()
        .zip(node)
        .map(|(root, node)| root.path_to(node));
    let spot = node.map_or(Spot::START, |node| node.spot);
    spot.place(file, path.as_deref().unwrap_or("$"))
}

/// What a violation of a document with a critical alert asks for: nine things in four classes (rows
/// S1-092 and S1-093), the same that `compliance violations` recommends.
fn plan(policy: &SecurityPolicy) -> Option<Obligation> {
    let mut severities = policy.alerts.iter().filter_map(|alert| alert.severity);
    severities.find(|severity| *severity == Severity::Critical)?;
    let response = violations::response(audit::Severity::Critical);
    let names = |actions: &[violations::Action]| -> Vec<&'static str> {
        actions.iter().map(|action| action.action).collect()
    };
    Some(
        Obligation::new("violation_response")
            .with("severity", Severity::Critical.as_str())
            .with("immediate", names(response.immediate))
            .with("investigative", names(response.investigative))
            .with("remedial", names(response.remedial))
            .with("preventive", names(response.preventive)),
    )
}
