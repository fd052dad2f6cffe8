//! `policy_development`: the stages that a change of a policy goes through.

use super::reader::Reader;
use crate::diagnostic::{Code, Diagnostic};
use crate::policy::quantity::{Span, Threshold};
use crate::policy::source::{Entry, Node};

/// The key that makes a document one of these.
pub(super) const KEY: &str = "policy_development";

/// The stages in their order.
pub const STAGES: [&str; 4] = ["draft", "validation", "staging", "production"];

/// What a stage asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Who has to approve.
    pub approvals_required: Vec<String>,
    /// What has to be tested.
    pub tests: Vec<String>,
    /// How long it is watched.
    pub monitoring_period: Option<Span>,
    /// When it is taken back.
    pub rollback_criteria: Vec<Threshold>,
    /// How it is put in force.
    pub deployment_strategy: Option<String>,
}

const KEYS: [&str; 6] = [
    "description",
    "approvals_required",
    "tests",
    "monitoring_period",
    "rollback_criteria",
    "deployment_strategy",
];

/// Reads the document.
pub(super) fn read(reader: &mut Reader<'_>, root: &Node) -> Vec<Stage> {
    let section = reader
        .map(root, &[KEY])
        .and_then(|root| reader.needed(root, KEY))
        .and_then(|section| reader.map(section, &["stages"]));
    let stages = section.and_then(|section| reader.needed(section, "stages"));
    let (mut read, mut last) = (Vec::new(), None);
    for item in reader.list(stages) {
        let Some(map) = reader.map(item, &STAGES) else {
            continue;
        };
        for member in map.entries() {
            in_order(reader, member, &mut last);
            read.extend(stage(reader, member));
        }
    }
    read
}

/// Each stage once, and none before one that it follows.
fn in_order(reader: &mut Reader<'_>, member: &Entry, last: &mut Option<usize>) {
    let rank = STAGES.iter().position(|stage| *stage == member.key);
    if let (Some(rank), Some(before)) = (rank, *last)
        && rank <= before
    {
        let before = STAGES.get(before).copied().unwrap_or_default();
        reader.find_key(member, |place| {
            let message = format!("the stage `{}` stands behind `{before}`", member.key);
            Diagnostic::new(Code::PolicyContradiction, place, message)
                .found(format!("`{before}`, then `{}`", member.key))
                .expected(format!(
                    "each stage once, in the order {}",
                    STAGES.join(", ")
                ))
                .help("bring the stages into this order")
        });
    }
    *last = (*last).max(rank);
}

fn stage(reader: &mut Reader<'_>, member: &Entry) -> Option<Stage> {
    let map = reader.map(&member.value, &KEYS)?;
    let criteria = reader.list(map.get("rollback_criteria"));
    Some(Stage {
        name: member.key.clone(),
        description: reader.text(map.get("description")),
        approvals_required: reader.texts(map.get("approvals_required")),
        tests: reader.texts(map.get("tests")),
        monitoring_period: reader.span(map.get("monitoring_period")),
        rollback_criteria: criteria
            .iter()
            .filter_map(|criterion| reader.threshold(Some(criterion)))
            .collect(),
        deployment_strategy: reader.text(map.get("deployment_strategy")),
    })
}
