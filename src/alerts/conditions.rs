//! Which alerts are up: a pure function of facts and limits.
//!
//! What a condition asks for and nobody could look at makes it unknown: it neither raises an alert
//! nor ends one. The facts are found out in [`super::facts`].

mod history;
mod safeguards;

use chrono::TimeDelta;
use serde_json::Value;

use super::alert::{Alert, Name};
use super::limits::Limits;
use crate::diagnostic::{Checked, Diagnostic};
use crate::policy::Level;
use crate::record::response_journal::Unsettled;
use crate::response::log::Blocked;
use crate::response::settle::Interrupted;
use crate::signals::responses::WINDOW;
use crate::time::Timestamp;

/// Everything that the conditions ask for.
#[derive(Debug)]
pub struct Facts {
    /// The time now.
    pub at: Timestamp,
    /// What was decided lately.
    pub history: Checked<History>,
    /// What is wrong with journals and state files; empty where nothing is.
    pub record: Vec<Diagnostic>,
    /// What is wrong with the policy that is to decide, and with protected files.
    pub policy: Checked<Vec<Diagnostic>>,
    /// The safety brake.
    pub brake: Brake,
    /// The blocked responses at the end of the log, the newest first.
    pub blocked: Checked<Vec<Blocked>>,
    /// The names of the fix branches.
    pub branches: Checked<Vec<String>>,
    /// Responses that did not come to an end.
    pub response: Checked<ResponseFact>,
    /// Why nothing may be changed, while the kill switch is on.
    pub kill_switch: Option<String>,
    /// When overrides were given in the last 24 hours, the latest first.
    pub overrides: Checked<Vec<Timestamp>>,
}

/// A decision that counts: neither made with a given time nor dated after now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// When.
    pub at: Timestamp,
    /// What.
    pub level: Level,
}

/// What was decided lately.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// In the order of the journal: all that lie in the window, and at least one before it where
    /// there is one.
    pub decisions: Vec<Decided>,
    /// When an evaluation last came to an end without a failure.
    pub last_success: Option<Timestamp>,
    /// True where nothing lies before the decisions.
    pub complete: bool,
    /// Since when the state file calls the level RED.
    pub red_since: Option<Timestamp>,
}

/// The safety brake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Brake {
    /// Not engaged, or there is none.
    Off,
    /// Engaged.
    Engaged {
        /// When, where its file says.
        at: Option<Timestamp>,
        /// When the alerts first saw it engaged.
        seen: Timestamp,
    },
    /// Nobody can say.
    Unreadable(String),
}

/// Responses that did not come to an end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseFact {
    /// One that was begun, is not running, and has no line in the log.
    pub cut_off: Option<Interrupted>,
    /// Actions of which nobody knows what they did.
    pub unsettled: Vec<Unsettled>,
}

/// What the conditions came to.
#[derive(Debug, Default)]
pub struct Found {
    /// The alerts that are up, the gravest first.
    pub alerts: Vec<Alert>,
    /// Conditions that nobody could look at.
    pub unknown: Vec<Name>,
    /// Why.
    pub problems: Vec<Diagnostic>,
}

/// Evaluates every condition.
pub fn evaluate(facts: &Facts, limits: &Limits) -> Found {
    let mut found = Found::default();
    found
        .alerts
        .extend(safeguards::journal_broken(&facts.record));
    found.brake(facts, limits);
    match &facts.policy {
        Ok(problems) => found.alerts.extend(safeguards::policy_unusable(problems)),
        Err(problem) => found.unknown(&[Name::PolicyUnusable], problem),
    }
    match &facts.history {
        Ok(history) => found.history(history, facts.at, limits),
        Err(problem) => found.unknown(&OF_HISTORY, problem),
    }
    match &facts.blocked {
        Ok(blocked) => found
            .alerts
            .extend(safeguards::blocked_responses(blocked, limits)),
        Err(problem) => found.unknown(&[Name::BlockedResponses], problem),
    }
    match &facts.branches {
        Ok(branches) => found.alerts.extend(safeguards::fix_branches(branches)),
        Err(problem) => found.unknown(&[Name::FixBranches], problem),
    }
    match &facts.response {
        Ok(response) => found
            .alerts
            .extend(safeguards::response_interrupted(response)),
        Err(problem) => found.unknown(&[Name::ResponseInterrupted], problem),
    }
    match &facts.overrides {
        Ok(given) => found
            .alerts
            .extend(safeguards::overrides_frequent(given, limits)),
        Err(problem) => found.unknown(&[Name::OverridesFrequent], problem),
    }
    let switch = facts.kill_switch.as_deref();
    found.alerts.extend(safeguards::kill_switch(switch));
    found.alerts.sort_by_key(|alert| alert.name);
    found
}

/// The conditions that rest on the journal of decisions.
const OF_HISTORY: [Name; 4] = [
    Name::RedFlips,
    Name::LevelFlaps,
    Name::RedLasts,
    Name::ScheduleLate,
];

impl Found {
    /// Nobody could look at these conditions.
    pub(super) fn unknown(&mut self, names: &[Name], problem: &Diagnostic) {
        self.unknown.extend(names);
        if !self.problems.contains(problem) {
            self.problems.push(problem.clone());
        }
    }

    fn brake(&mut self, facts: &Facts, limits: &Limits) {
        match &facts.brake {
            Brake::Off => {}
            Brake::Engaged { at, seen } => {
                let named = at.filter(|engaged| *engaged <= facts.at);
                let alert = safeguards::brake_engaged(named, *seen, facts.at, limits);
                self.alerts.extend(alert);
            }
            Brake::Unreadable(why) => {
                self.unknown.push(Name::BrakeEngaged);
                self.alerts.push(safeguards::brake_unreadable(why));
            }
        }
    }

    fn history(&mut self, history: &History, at: Timestamp, limits: &Limits) {
        let changes = history::changes(&history.decisions, at);
        self.alerts.extend(history::red_flips(&changes, limits));
        self.alerts.extend(history::level_flaps(&changes, limits));
        self.alerts.extend(history::red_lasts(history, at, limits));
        self.alerts
            .extend(history::schedule_late(history, at, limits));
    }
}

/// More entries of a list than this help nobody.
const LISTED: usize = 20;

/// The first entries of a list.
pub(super) fn listed(entries: impl Iterator<Item = String>) -> Value {
    entries.take(LISTED).map(Value::from).collect()
}

/// The last entries of a list.
fn newest(entries: impl DoubleEndedIterator<Item = String>) -> Value {
    let mut kept: Vec<String> = entries.rev().take(LISTED).collect();
    kept.reverse();
    kept.into()
}

/// The longest look back that the conditions need.
pub fn look_back(limits: &Limits) -> TimeDelta {
    WINDOW.max(limits.red.delta()).max(limits.late.delta())
}
