//! Cases that a policy has to answer: readings, the decision before and the time, and what has to
//! come of them. Pure: a case that rests on files is given its readings by whoever read them.

mod parse;

pub use parse::parse;

use serde::Serialize;

use super::{Before, Decision, Earlier, JournalHealth, LockHealth, Situation, evaluate};
use crate::ids::{ReasonCode, distinct};
use crate::policy::{Level, Policy};
use crate::signals::Readings;
use crate::time::Timestamp;

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name, once in its file.
    pub name: String,
    /// The line of the file on which it begins.
    pub line: u64,
    /// The evaluation time.
    pub at: Timestamp,
    /// What the decision rests on.
    pub ground: Ground,
    /// The decision before.
    pub before: Option<Before>,
    /// What was recorded before, the oldest first.
    pub history: Vec<Earlier>,
    /// What has to come of it.
    pub expected: Expected,
}

/// What a case rests on.
#[derive(Debug, Clone)]
pub enum Ground {
    /// Readings that the case names.
    Readings(Readings),
    /// A directory with signal files, relative to the file of cases.
    Workspace(String),
}

/// What has to come of a case. What it does not name may be anything.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The level.
    pub level: Level,
    /// Exactly these reason codes, in any order.
    pub reasons: Option<Vec<ReasonCode>>,
    /// Exactly these waived triggers, in any order.
    pub waived: Option<Vec<ReasonCode>>,
    /// The level without the waivers.
    pub shadow: Option<Level>,
    /// How many errors the readings have.
    pub errors: usize,
}

/// What came of a case.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The decision.
    pub decision: Decision,
    /// What is otherwise than expected; empty for a case that passed.
    pub differences: Vec<Difference>,
}

/// One thing that is otherwise than expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What: `level`, `reasons`, `waived`, `shadow`, `errors`.
    pub what: &'static str,
    /// What the case expects.
    pub expected: String,
    /// What came.
    pub found: String,
}

impl Case {
    /// Decides the case on `readings`, which are those that it names or those of its workspace.
    pub fn answer(&self, policy: &Policy, readings: &Readings) -> Answer {
        let decision = evaluate(Situation {
            policy,
            readings,
            before: self.before.as_ref(),
            history: &self.history,
            at: self.at,
            journal: JournalHealth::Whole,
            lock: LockHealth::Whole,
        });
        Answer {
            differences: self.expected.differences(&decision, readings),
            decision,
        }
    }
}

impl Expected {
    fn differences(&self, decision: &Decision, readings: &Readings) -> Vec<Difference> {
        let mut differences = Vec::new();
        let mut compare = |what, expected: String, found: String| {
            if expected != found {
                differences.push(Difference {
                    what,
                    expected,
                    found,
                });
            }
        };
        compare("level", self.level.to_string(), decision.level.to_string());
        if let Some(reasons) = &self.reasons {
            let found = decision.reasons.iter().map(|reason| &reason.code);
            compare("reasons", in_words(reasons.iter()), in_words(found));
        }
        if let Some(waived) = &self.waived {
            let found = decision.waived.iter().map(|waived| &waived.reason.code);
            compare("waived", in_words(waived.iter()), in_words(found));
        }
        if let Some(shadow) = &self.shadow {
            let found = decision
                .shadow
                .as_ref()
                .map_or("none".to_owned(), Level::to_string);
            compare("shadow", shadow.to_string(), found);
        }
        let errors = readings.errors().count();
        compare("errors", self.errors.to_string(), errors.to_string());
        differences
    }
}

/// Codes in an order that does not depend on where they come from.
fn in_words<'c>(codes: impl Iterator<Item = &'c ReasonCode>) -> String {
    let mut names: Vec<&str> = distinct(codes.map(ReasonCode::as_str));
    names.sort_unstable();
    if names.is_empty() {
        return "none".to_owned();
    }
    names.join(", ")
}

/// Which triggers of a policy some answer fired, waived ones included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// How many triggers there are.
    pub triggers: usize,
    /// Those that no case fires, in the policy's order.
    pub unfired: Vec<ReasonCode>,
}

impl Coverage {
    /// The coverage of a policy by answers.
    pub fn of<'a>(policy: &Policy, answers: impl Iterator<Item = &'a Answer>) -> Self {
        let mut fired: Vec<ReasonCode> = Vec::new();
        for answer in answers {
            let reasons = answer.decision.reasons.iter();
            let waived = answer.decision.waived.iter().map(|waived| &waived.reason);
            fired.extend(reasons.chain(waived).map(|reason| reason.code.clone()));
        }
        let codes = policy.triggers().iter().map(|trigger| &trigger.code);
        Self {
            triggers: policy.triggers().len(),
            unfired: codes
                .filter(|code| !fired.contains(code))
                .cloned()
                .collect(),
        }
    }
}
