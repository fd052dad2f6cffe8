//! The update record of a version (S1-075): what changes, what that did to the history, how to go
//! back, how it is deployed, and how long it is watched.
//!
//! It is given by the author, whole, or made from what can be computed. Which stages there are is not
//! said here: they are always the same four.

use chrono::TimeDelta;
use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::criteria::{
    CRITERION_EXPECTED, Criterion, PERIOD_EXPECTED, PRODUCTION, STAGING, USUAL, period,
};
use super::impact::Impact;
use super::version::Document;
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::policy::difference::Difference;
use crate::policy::source::collect::{self, Field};
use crate::policy::source::{self, Kind, Node, Spot};
use crate::policy::{Identity, Policy};

/// The one way of deployment that is carried out: the new document is complete before one rename
/// makes it decide, and the one before is kept.
pub(super) const BLUE_GREEN: &str = "blue_green";

/// What a record has to say.
const NEEDED: [&str; 6] = [
    "policyId",
    "version",
    "changes",
    "impactAnalysis",
    "rollbackPlan",
    "deploymentStrategy",
];

/// The version of the form.
const SCHEMA: u32 = 1;

/// What a step needs of an update record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Update {
    /// How long the version is watched in staging.
    pub(super) staging: TimeDelta,
    /// What makes it go back.
    pub(super) criteria: Vec<Criterion>,
    /// How long it is watched in production.
    pub(super) production: TimeDelta,
}

/// The form, as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    schema: u32,
    policy_id: &'a str,
    version: &'a str,
    document: &'a Document,
    changes: Value,
    impact_analysis: Value,
    rollback_plan: Value,
    deployment_strategy: &'a str,
    stages: Stages<'a>,
    /// What is computed, beside what the author says.
    #[serde(skip_serializing_if = "Option::is_none")]
    computed: Option<Computed<'a>>,
}

#[derive(Serialize)]
struct Stages<'a> {
    staging: Staging<'a>,
    production: Production<'a>,
}

#[derive(Serialize)]
struct Staging<'a> {
    monitoring_period: &'a str,
    rollback_criteria: Vec<&'a str>,
}

#[derive(Serialize)]
struct Production<'a> {
    monitoring_period: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Computed<'a> {
    changes: &'a [Difference],
    impact_analysis: &'a Impact,
}

/// The form, as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Shape {
    policy_id: Field<String>,
    version: Field<String>,
    changes: Field<Vec<Free>>,
    impact_analysis: Field<Free>,
    rollback_plan: Field<Free>,
    deployment_strategy: Field<String>,
    stages: Field<StagesShape>,
    schema: Field<f64>,
    document: Field<Free>,
    computed: Field<Free>,
}

/// What an author may write as they like: it is kept as it stands.
#[derive(Debug, Clone)]
struct Free;

impl<'de> Deserialize<'de> for Free {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Anything;
        impl<'de> Visitor<'de> for Anything {
            type Value = Free;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("anything")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, _: D) -> Result<Free, D::Error> {
                Ok(Free)
            }
        }
        deserializer.deserialize_newtype_struct("Free", Anything)
    }
}

/// A record as it was written: its shape, and its tree for what is free.
struct Given {
    shape: Shape,
    root: Node,
}

impl Given {
    fn node(&self, key: &str) -> Option<&Node> {
        self.root.get(key)
    }

    fn value(&self, key: &str) -> Value {
        self.node(key).map(value).unwrap_or_default()
    }

    /// True where nothing is said.
    fn lacks(&self, key: &str) -> bool {
        match self.node(key).map(|node| &node.kind) {
            None | Some(Kind::Null) => true,
            Some(Kind::Text(text)) => text.trim().is_empty(),
            Some(_) => false,
        }
    }
}

fn value(node: &Node) -> Value {
    match &node.kind {
        Kind::Null => Value::Null,
        Kind::Bool(flag) => (*flag).into(),
        Kind::Number(number) => number.as_f64().into(),
        Kind::Text(text) => text.as_str().into(),
        Kind::List(items) => items.iter().map(value).collect(),
        Kind::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), value(&entry.value)))
            .collect(),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StagesShape {
    staging: Field<StagingShape>,
    production: Field<ProductionShape>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StagingShape {
    monitoring_period: Field<String>,
    rollback_criteria: Field<Vec<Field<String>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ProductionShape {
    monitoring_period: Field<String>,
}

/// What is computed of a version.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    /// The policy.
    pub(super) policy: &'a Policy,
    /// Its document.
    pub(super) document: &'a Document,
    /// What decides now.
    pub(super) base: &'a Document,
    /// Every line that differs.
    pub(super) changes: &'a [Difference],
    /// What it would have decided.
    pub(super) impact: &'a Impact,
    /// Its id.
    pub(super) id: &'a str,
}

impl Facts<'_> {
    /// The bytes of a record that nobody gave.
    pub(super) fn record(&self) -> Vec<u8> {
        let value = |value: serde_json::Result<Value>| value.unwrap_or_default();
        let Identity { name, version, .. } = self.policy.identity();
        crate::fs::pretty(&Written {
            schema: SCHEMA,
            policy_id: name,
            version,
            document: self.document,
            changes: value(serde_json::to_value(self.changes)),
            impact_analysis: value(serde_json::to_value(self.impact)),
            rollback_plan: self.plan().into(),
            deployment_strategy: BLUE_GREEN,
            stages: Stages {
                staging: Staging {
                    monitoring_period: STAGING,
                    rollback_criteria: USUAL.to_vec(),
                },
                production: Production {
                    monitoring_period: PRODUCTION,
                },
            },
            computed: None,
        })
    }

    fn plan(&self) -> String {
        format!(
            "in staging nothing is to be taken back: `policy-orchestrator policy rollback {} --reason TEXT` makes it a draft again; in production `policy-orchestrator policy rollback --reason TEXT` puts back {}, whose bytes are kept under state/policies/",
            self.id,
            self.base.in_words()
        )
    }

    /// The bytes of the record that an author gave, with what is computed beside it.
    pub(super) fn completed(&self, file: &str, bytes: &[u8]) -> Result<Vec<u8>, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let given = read(file, bytes, &mut problems)?;
        let identity = self.policy.identity();
        let shape = &given.shape;
        same(
            file,
            &shape.policy_id,
            "policyId",
            &identity.name,
            &mut problems,
        );
        same(
            file,
            &shape.version,
            "version",
            &identity.version,
            &mut problems,
        );
        let update = judged(file, &given, problems)?;
        let stages = shape.stages.get();
        let staging = stages.and_then(|stages| stages.staging.get());
        let text = |field: &'_ Field<String>, usual: &'static str| -> String {
            field.get().map_or_else(|| usual.to_owned(), Clone::clone)
        };
        let staging_period = staging.map_or_else(
            || STAGING.to_owned(),
            |staging| text(&staging.monitoring_period, STAGING),
        );
        let production_period = stages
            .and_then(|stages| stages.production.get())
            .map_or_else(
                || PRODUCTION.to_owned(),
                |production| text(&production.monitoring_period, PRODUCTION),
            );
        Ok(crate::fs::pretty(&Written {
            schema: SCHEMA,
            policy_id: &identity.name,
            version: &identity.version,
            document: self.document,
            changes: given.value("changes"),
            impact_analysis: given.value("impactAnalysis"),
            rollback_plan: given.value("rollbackPlan"),
            deployment_strategy: BLUE_GREEN,
            stages: Stages {
                staging: Staging {
                    monitoring_period: &staging_period,
                    rollback_criteria: update.criteria.iter().map(Criterion::as_str).collect(),
                },
                production: Production {
                    monitoring_period: &production_period,
                },
            },
            computed: Some(Computed {
                changes: self.changes,
                impact_analysis: self.impact,
            }),
        }))
    }
}

/// Reads a record that is kept.
pub(super) fn parse(file: &str, bytes: &[u8]) -> Result<Update, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let given = read(file, bytes, &mut problems)?;
    judged(file, &given, problems)
}

fn read(
    file: &str,
    bytes: &[u8],
    problems: &mut Vec<Diagnostic>,
) -> Result<Given, Vec<Diagnostic>> {
    let root = match source::parse(file, bytes) {
        Ok(Some(root)) => root,
        Ok(None) => return Err(vec![missing(file, "policyId")]),
        Err(error) => return Err(vec![*error]),
    };
    let shape: Field<Shape> = collect::read(file, &root, problems);
    match shape.state {
        collect::State::Good(shape) => Ok(Given { shape, root }),
        _ => Err(std::mem::take(problems)),
    }
}

fn judged(
    file: &str,
    given: &Given,
    mut problems: Vec<Diagnostic>,
) -> Result<Update, Vec<Diagnostic>> {
    let shape = &given.shape;
    for key in NEEDED {
        if given.lacks(key) {
            problems.push(missing(file, key));
        }
    }
    if let Some(strategy) = shape.deployment_strategy.get()
        && strategy != BLUE_GREEN
    {
        let place = shape.deployment_strategy.spot;
        problems.push(unknown(
            place.place(file, "$.deploymentStrategy"),
            "this way of deployment can't be carried out here",
            strategy,
            "`blue_green`: the new document is complete before one rename makes it decide",
        ));
    }
    let mut draft = Draft { file, problems };
    let stages = shape.stages.get();
    let staging = stages.and_then(|stages| stages.staging.get());
    let production = stages.and_then(|stages| stages.production.get());
    let update = Update {
        staging: draft.period(staging.map(|staging| &staging.monitoring_period), STAGING),
        criteria: draft.criteria(staging.map(|staging| &staging.rollback_criteria)),
        production: draft.period(
            production.map(|production| &production.monitoring_period),
            PRODUCTION,
        ),
    };
    if draft.problems.is_empty() {
        Ok(update)
    } else {
        Err(draft.problems)
    }
}

struct Draft<'a> {
    file: &'a str,
    problems: Vec<Diagnostic>,
}

impl Draft<'_> {
    fn period(&mut self, field: Option<&Field<String>>, usual: &str) -> TimeDelta {
        let text = field.and_then(Field::get).map_or(usual, String::as_str);
        let read = period(text);
        if let (None, Some(field)) = (read, field) {
            self.refuse(
                field.spot,
                &field.path,
                "this is no period",
                text,
                PERIOD_EXPECTED,
            );
        }
        read.unwrap_or_default()
    }

    fn criteria(&mut self, list: Option<&Field<Vec<Field<String>>>>) -> Vec<Criterion> {
        let Some(fields) = list.and_then(Field::get) else {
            return USUAL.into_iter().filter_map(Criterion::parse).collect();
        };
        let mut criteria = Vec::new();
        for field in fields {
            let Some(text) = field.get() else { continue };
            match Criterion::parse(text) {
                Some(criterion) => criteria.push(criterion),
                None => self.refuse(
                    field.spot,
                    &field.path,
                    "this is no rollback criterion",
                    text,
                    CRITERION_EXPECTED,
                ),
            }
        }
        criteria
    }

    fn refuse(&mut self, spot: Spot, path: &str, message: &str, found: &str, expected: &str) {
        let place = spot.place(self.file, path);
        self.problems.push(unknown(place, message, found, expected));
    }
}

fn unknown(place: Place, message: &str, found: &str, expected: &str) -> Diagnostic {
    Diagnostic::new(Code::ValueUnknown, place, message)
        .found(format!("`{found}`"))
        .expected(expected)
        .help("correct it")
}

fn missing(file: &str, key: &str) -> Diagnostic {
    Diagnostic::new(
        Code::KeyMissing,
        Place::file(file),
        format!("the update record lacks `{key}`"),
    )
    .found(format!("no `{key}`"))
    .expected(NEEDED.join(", "))
    .help(format!(
        "say it, or leave out `--update`: then a record is made from what can be computed, `{key}` included"
    ))
}

fn same(
    file: &str,
    field: &Field<String>,
    key: &str,
    expected: &str,
    problems: &mut Vec<Diagnostic>,
) {
    if let Some(found) = field.get().filter(|found| *found != expected) {
        problems.push(
            Diagnostic::new(
                Code::VersionUnusable,
                field.spot.place(file, &field.path),
                "the update record is about another document",
            )
            .found(format!("`{found}`"))
            .expected(format!("`{expected}`, as the document says"))
            .help(format!("correct `{key}`")),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "policyId: reference\nversion: '2'\nchanges: [integrity a point higher]\nimpactAnalysis: none\nrollbackPlan: back to 1\ndeploymentStrategy: blue_green\n";

    fn codes(text: &str) -> Vec<(Code, String)> {
        match parse("update.yaml", text.as_bytes()) {
            Ok(_) => Vec::new(),
            Err(problems) => problems
                .into_iter()
                .map(|problem| (problem.code, problem.found.unwrap_or_default()))
                .collect(),
        }
    }

    #[test]
    fn each_of_the_six_is_needed() {
        assert_eq!(codes(WHOLE), []);
        for key in NEEDED {
            let lines: Vec<&str> = WHOLE
                .lines()
                .filter(|line| !line.starts_with(key))
                .collect();
            let text = lines.join("\n");
            let expected = [(Code::KeyMissing, format!("no `{key}`"))];
            assert_eq!(codes(&text), expected, "{key}");
        }
        assert_eq!(codes(&WHOLE.replace("back to 1", "' '")).len(), 1);
        assert_eq!(codes("").len(), 1);
    }

    #[test]
    fn periods_and_criteria_have_a_usual_and_can_be_others() {
        let usual = parse("a.yaml", WHOLE.as_bytes()).unwrap();
        assert_eq!(
            (usual.staging, usual.criteria.len(), usual.production),
            (TimeDelta::days(7), 2, TimeDelta::days(30))
        );
        let given = format!(
            "{WHOLE}stages:\n  staging:\n    monitoring_period: 3_days\n    rollback_criteria: ['violation_rate > 1%']\n"
        );
        let given = parse("a.yaml", given.as_bytes()).unwrap();
        assert_eq!(
            (given.staging, given.criteria.len()),
            (TimeDelta::days(3), 1)
        );
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let text = format!(
            "{}stages:\n  staging: {{monitoring_period: soon, rollback_criteria: [slow]}}\nrollbackPlan2: x\n",
            WHOLE.replace("blue_green", "canary")
        );
        let codes: Vec<Code> = codes(&text).into_iter().map(|(code, _)| code).collect();
        assert_eq!(
            codes,
            [
                Code::KeyUnknown,
                Code::ValueUnknown,
                Code::ValueUnknown,
                Code::ValueUnknown
            ]
        );
    }
}
