//! The preview: what a dry run leaves in `state/policy_response_preview.json`.
//!
//! The first members are those of the predecessor's file (rows OR-01 to OR-03); `plan`, `gates` and
//! what goes with them are ours. It holds nothing that was not computed before it was written.

use serde::Serialize;

use super::gates::Gate;
use super::pattern::Pattern;
use super::plan::{Class, Plan};
use crate::ids::Digest;
use crate::policy::Level;
use crate::record::Head;
use crate::time::Timestamp;

/// The file, relative to the workspace.
pub const FILE: &str = "state/policy_response_preview.json";

/// A dry run.
#[derive(Debug, Serialize)]
pub struct Preview {
    response_id: String,
    timestamp: Timestamp,
    policy: Option<Level>,
    mode: &'static str,
    safety_gates_passed: bool,
    actions_planned: usize,
    actions_succeeded: usize,
    results: Vec<Planned>,
    schema: u32,
    plan: Digest,
    decision: Option<Head>,
    would_be_blocked: bool,
    /// Every gate, open or closed.
    pub gates: Vec<Gate>,
}

/// An action that would be executed.
#[derive(Debug, Serialize)]
struct Planned {
    action: String,
    command: String,
    success: bool,
    reversible: bool,
    undo_instruction: Option<String>,
    stdout: String,
    stderr: &'static str,
    duration: f64,
    class: Class,
    changes: Vec<Pattern>,
    creates: Vec<Pattern>,
}

impl Preview {
    /// What a dry run of `plan` at this time came to. `response_id` is a UUID of version 4
    /// (RFC 9562).
    pub fn new(plan: Plan, gates: Vec<Gate>, at: Timestamp, response_id: String) -> Self {
        let passed = gates.iter().all(|gate| gate.open);
        let digest = plan.digest();
        let results: Vec<Planned> = plan
            .actions
            .into_iter()
            .map(|planned| Planned {
                action: planned.action,
                stdout: format!("[DRY-RUN] Would execute: {}", planned.command),
                command: planned.command,
                success: true,
                reversible: planned.reversible,
                undo_instruction: planned.undo_instruction,
                stderr: "",
                duration: 0.0,
                class: planned.class,
                changes: planned.changes,
                creates: planned.creates,
            })
            .collect();
        Self {
            response_id,
            timestamp: at,
            policy: plan.policy,
            mode: "dry-run",
            safety_gates_passed: passed,
            actions_planned: results.len(),
            actions_succeeded: results.len(),
            results,
            schema: 1,
            plan: digest,
            decision: plan.decision,
            would_be_blocked: !passed,
            gates,
        }
    }

    /// The same preview with every command put through `redact`. The digest stays that of the plan.
    #[must_use]
    pub fn redacted(mut self, redact: impl Fn(&str) -> String) -> Self {
        for planned in &mut self.results {
            planned.command = redact(&planned.command);
            planned.stdout = redact(&planned.stdout);
        }
        self
    }

    /// The level that is responded to.
    pub fn policy(&self) -> Option<&Level> {
        self.policy.as_ref()
    }

    /// True where a gate is closed.
    pub fn would_be_blocked(&self) -> bool {
        self.would_be_blocked
    }

    /// The names of the actions, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.results.iter().map(|planned| planned.action.as_str())
    }

    /// The commands that would run, in their order, and whether each can be taken back.
    pub fn commands(&self) -> impl Iterator<Item = (&str, bool)> {
        self.results
            .iter()
            .map(|planned| (planned.command.as_str(), planned.reversible))
    }

    /// The bytes of the file: JSON indented by two blanks, ended by a newline.
    pub fn to_bytes(&self) -> Vec<u8> {
        crate::fs::pretty(self)
    }
}
