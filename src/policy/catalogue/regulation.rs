//! `lgpd_compliance` and `financial_compliance`: rules of a regulation in words, each with the names
//! of what automates it.

use super::automation::Automation;
use super::reader::{Group, Reader};
use crate::policy::source::Node;

/// The key of the rules of data protection.
pub(super) const LGPD: &str = "lgpd_compliance";

/// The key of the rules of payments and banking.
pub(super) const FINANCIAL: &str = "financial_compliance";

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// What it says.
    pub rule: String,
    /// What automates it.
    pub automation: Vec<Automation>,
}

/// Reads the document whose key is one of the two.
pub(super) fn read(reader: &mut Reader<'_>, root: &Node, key: &str) -> Vec<Group<Rule>> {
    let known: &[&str] = if key == LGPD {
        &["data_processing_policies"]
    } else {
        &["pci_dss_policies", "open_banking_policies"]
    };
    let section = reader
        .map(root, &[key])
        .and_then(|root| reader.needed(root, key));
    section.map_or_else(Vec::new, |section| reader.groups(section, known, rule))
}

fn rule(reader: &mut Reader<'_>, node: &Node) -> Option<Rule> {
    let map = reader.map(node, &["name", "rule", "automation"])?;
    Some(Rule {
        name: reader.needed_text(map, "name"),
        rule: reader.needed_text(map, "rule"),
        automation: reader.automations(map.get("automation")),
    })
}
