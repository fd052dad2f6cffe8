//! What the numbers are made of, read from the workspace. Nothing is written.
//!
//! Everything that grows is read from its end, as far as it matters.

use chrono::TimeDelta;

use super::health::Values;
use crate::alerts::conditions::{Brake, Decided, Facts, History};
use crate::alerts::facts::{self as alerts, Question};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::policy::Level;
use crate::record::SigningKey;
use crate::response::log;
use crate::safeguard::{brake, unlocks};
use crate::signals::responses::WINDOW;
use crate::time::Timestamp;

/// The window of the brake's engagements.
const WEEK: TimeDelta = TimeDelta::days(7);

/// The window of the attempts to apply.
const MONTH: TimeDelta = TimeDelta::days(30);

/// What was found.
#[derive(Debug)]
pub struct Found {
    /// The values that are held against the operating limits.
    pub values: Values,
    /// Why some are not known.
    pub findings: Vec<Diagnostic>,
    /// How many things are wrong with journals and state files.
    pub problems: u64,
}

/// Looks at everything.
pub fn survey(workspace: &Workspace, at: Timestamp, key: Option<&SigningKey>) -> Found {
    let facts = alerts::survey(Question {
        workspace,
        at,
        look_back: WINDOW,
        key,
        brake_seen: None,
    });
    let mut findings = Vec::new();
    let mut known = Known(&mut findings);
    let values = Values {
        red_flips: known.get(&facts.history, |history| red_flips(history, at)),
        brake_engagements: known.take(brake::engagements(workspace, at.minus(WEEK))),
        attempts: known
            .take(log::attempts(workspace, at.minus(MONTH)))
            .map(|attempts| (attempts.all, attempts.blocked)),
        unlocks: known
            .take(unlocks::count(workspace, at))
            .map(|unlocks| (unlocks.today, unlocks.allowed)),
        red_seconds: known.get(&facts.history, |history| red_seconds(history, at)),
        brake_seconds: brake_seconds(&facts, &mut known),
        blocked_in_a_row: known.get(&facts.blocked, |blocked| blocked.len() as u64),
    };
    Found {
        values,
        findings,
        problems: facts.record.len() as u64,
    }
}

/// Notes why something is not known.
struct Known<'a>(&'a mut Vec<Diagnostic>);

impl Known<'_> {
    fn take<T>(&mut self, known: Checked<T>) -> Option<T> {
        known.map_err(|finding| self.note(&finding)).ok()
    }

    fn get<T, U>(&mut self, known: &Checked<T>, what: impl FnOnce(&T) -> U) -> Option<U> {
        match known {
            Ok(known) => Some(what(known)),
            Err(finding) => {
                self.note(finding);
                None
            }
        }
    }

    fn note(&mut self, finding: &Diagnostic) {
        if !self.0.contains(finding) {
            self.0.push(finding.clone());
        }
    }
}

/// Entries into RED within the window; the first decision of all is none.
fn red_flips(history: &History, at: Timestamp) -> u64 {
    let begin = at.minus(WINDOW);
    let pairs = history
        .decisions
        .iter()
        .zip(history.decisions.iter().skip(1));
    let entries = pairs.filter(|(before, after)| {
        before.level != Level::RED && after.level == Level::RED && after.at >= begin
    });
    entries.count() as u64
}

fn red_seconds(history: &History, at: Timestamp) -> i64 {
    let is_red = |decided: &&Decided| decided.level == Level::RED;
    let row = history.decisions.iter().rev().take_while(is_red);
    let Some(earliest) = row.last().map(|decided| decided.at) else {
        return 0;
    };
    let since = history
        .red_since
        .map_or(earliest, |told| told.min(earliest));
    at.since(since).num_seconds().max(0)
}

fn brake_seconds(facts: &Facts, known: &mut Known<'_>) -> Option<i64> {
    match &facts.brake {
        Brake::Off => Some(0),
        Brake::Engaged { at: Some(at), .. } => Some(facts.at.since(*at).num_seconds().max(0)),
        Brake::Engaged { at: None, .. } => {
            known.note(&unknown_brake(
                "its file does not say since when it is engaged",
            ));
            None
        }
        Brake::Unreadable(why) => {
            known.note(&unknown_brake(why));
            None
        }
    }
}

fn unknown_brake(why: &str) -> Diagnostic {
    Diagnostic::new(
        Code::ConditionUnknown,
        Place::file(brake::FILE),
        "nobody knows for how long the brake is engaged",
    )
    .found(why)
    .expected("a file as `brake engage` and `brake reset` write it")
    .help("`policy-orchestrator brake status` says how it stands")
}
