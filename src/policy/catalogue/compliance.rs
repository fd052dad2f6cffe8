//! `compliance_policies`: what a law or a regulator asks for, by law.

use super::reader::{Group, Reader};
use super::words::Mode;
use crate::policy::quantity::Span;
use crate::policy::source::Node;

/// The key that makes a document one of these.
pub(super) const KEY: &str = "compliance_policies";

/// One policy.
#[derive(Debug, Clone, PartialEq)]
pub struct CompliancePolicy {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub scope: String,
    /// The rule, in words.
    pub rule: Option<String>,
    /// Has what was done to be proved?
    pub evidence_required: Option<bool>,
    /// How long the data have to be kept.
    pub retention_period: Option<Span>,
    /// Have they to be beyond recovery once they are deleted?
    pub secure_deletion: Option<bool>,
    /// How strictly it is kept.
    pub enforcement: Option<Mode>,
}

/// Reads the document. A law may have any name.
pub(super) fn read(reader: &mut Reader<'_>, root: &Node) -> Vec<Group<CompliancePolicy>> {
    let section = reader
        .map(root, &[KEY])
        .and_then(|root| reader.needed(root, KEY));
    section.map_or_else(Vec::new, |section| reader.groups(section, &[], policy))
}

fn policy(reader: &mut Reader<'_>, node: &Node) -> Option<CompliancePolicy> {
    let known = [
        "name",
        "scope",
        "rule",
        "evidence_required",
        "retention_period",
        "secure_deletion",
        "enforcement",
    ];
    let map = reader.map(node, &known)?;
    let enforcement = reader.needed(map, "enforcement");
    Some(CompliancePolicy {
        name: reader.needed_text(map, "name"),
        scope: reader.needed_text(map, "scope"),
        rule: reader.text(map.get("rule")),
        evidence_required: reader.flag(map.get("evidence_required")),
        retention_period: reader.span(map.get("retention_period")),
        secure_deletion: reader.flag(map.get("secure_deletion")),
        enforcement: reader.mode(enforcement),
    })
}
