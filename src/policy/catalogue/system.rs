//! `system_policies`: what holds for a whole system, by group.

use super::reader::{Group, Reader};
use super::words::Mode;
use crate::policy::source::Node;

/// The key that makes a document one of these.
pub(super) const KEY: &str = "system_policies";

/// One policy.
#[derive(Debug, Clone, PartialEq)]
pub struct SystemPolicy {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub scope: String,
    /// How strictly it is kept.
    pub enforcement: Option<Mode>,
    /// What it does not hold for.
    pub exceptions: Vec<String>,
}

/// Reads the document.
pub(super) fn read(reader: &mut Reader<'_>, root: &Node) -> Vec<Group<SystemPolicy>> {
    let known = ["authentication", "data_protection", "audit_logging"];
    let section = reader
        .map(root, &[KEY])
        .and_then(|root| reader.needed(root, KEY));
    section.map_or_else(Vec::new, |section| reader.groups(section, &known, policy))
}

fn policy(reader: &mut Reader<'_>, node: &Node) -> Option<SystemPolicy> {
    let map = reader.map(node, &["name", "scope", "enforcement", "exceptions"])?;
    let enforcement = reader.needed(map, "enforcement");
    Some(SystemPolicy {
        name: reader.needed_text(map, "name"),
        scope: reader.needed_text(map, "scope"),
        enforcement: reader.mode(enforcement),
        exceptions: reader.texts(map.get("exceptions")),
    })
}
