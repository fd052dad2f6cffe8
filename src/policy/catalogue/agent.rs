//! `agent_policies`: what agents may reach, use and say, by group.

use super::reader::{Group, Reader};
use super::words::Mode;
use crate::policy::quantity::{Bytes, Cpu};
use crate::policy::source::Node;

/// The key that makes a document one of these.
pub(super) const KEY: &str = "agent_policies";

/// One policy.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentPolicy {
    /// Its name.
    pub name: String,
    /// Which agents it is about.
    pub scope: String,
    /// The rule, in words.
    pub rule: Option<String>,
    /// What an agent may use at most.
    pub limits: Option<Limits>,
    /// How strictly it is kept.
    pub enforcement: Option<Mode>,
    /// What follows when it is broken.
    pub violations: Vec<String>,
}

/// What an agent may use at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of processors.
    pub cpu: Option<Cpu>,
    /// Of memory.
    pub memory: Option<Bytes>,
    /// Of storage.
    pub storage: Option<Bytes>,
}

/// Reads the document.
pub(super) fn read(reader: &mut Reader<'_>, root: &Node) -> Vec<Group<AgentPolicy>> {
    let known = ["data_access", "resource_limits", "communication"];
    let section = reader
        .map(root, &[KEY])
        .and_then(|root| reader.needed(root, KEY));
    section.map_or_else(Vec::new, |section| reader.groups(section, &known, policy))
}

fn policy(reader: &mut Reader<'_>, node: &Node) -> Option<AgentPolicy> {
    let known = [
        "name",
        "scope",
        "rule",
        "limits",
        "enforcement",
        "violations",
    ];
    let map = reader.map(node, &known)?;
    let enforcement = reader.needed(map, "enforcement");
    Some(AgentPolicy {
        name: reader.needed_text(map, "name"),
        scope: reader.needed_text(map, "scope"),
        rule: reader.text(map.get("rule")),
        limits: map.get("limits").and_then(|node| limits(reader, node)),
        enforcement: reader.mode(enforcement),
        violations: reader.texts(map.get("violations")),
    })
}

fn limits(reader: &mut Reader<'_>, node: &Node) -> Option<Limits> {
    let map = reader.map(node, &["cpu", "memory", "storage"])?;
    Some(Limits {
        cpu: reader.cpu(map.get("cpu")),
        memory: reader.bytes(map.get("memory")),
        storage: reader.bytes(map.get("storage")),
    })
}
