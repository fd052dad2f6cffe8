//! The level in force, and what may not be done at it.
//!
//! This layer only ever denies: a GREEN repository allows nothing by itself.

use super::of_program;
use crate::diagnostic::Checked;
use crate::fs::Workspace;
use crate::policy::Level;
use crate::record::journal::{self, CLOCK_SKEW, Inspection, LATE_AFTER, Purpose};
use crate::record::{LOOK_BACK, SigningKey, StoredState};
use crate::request::envelope::Circumstances;
use crate::request::{Request, Verdict, codes};
use crate::time::Timestamp;

/// The level in force, or why nobody knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InForce {
    /// The level of the last decision, which is fresh and stands in a record that is whole at its end.
    Known(Level),
    /// Why it is not known.
    Unknown(String),
}

impl InForce {
    /// The level, where it is known.
    pub fn level(self) -> Option<Level> {
        match self {
            Self::Known(level) => Some(level),
            Self::Unknown(_) => None,
        }
    }
}

/// Looks up the level in force at a time: the last decision's, at most 26 hours old (row C-65), made
/// without `--at`, in a journal that is whole at its end.
pub fn in_force(workspace: &Workspace, key: Option<&SigningKey>, at: Timestamp) -> InForce {
    match look(workspace, key, at) {
        Ok(Ok(level)) => InForce::Known(level),
        Ok(Err(why)) => InForce::Unknown(why.to_owned()),
        Err(finding) => InForce::Unknown(finding.message),
    }
}

fn look(
    workspace: &Workspace,
    key: Option<&SigningKey>,
    at: Timestamp,
) -> Checked<Result<Level, &'static str>> {
    let stored = StoredState::load(workspace)?;
    let purpose = Purpose::Look { lines: LOOK_BACK };
    let tail = match journal::inspect(workspace, stored.as_ref(), key, purpose)? {
        Inspection::Whole(tail) => tail,
        Inspection::Broken(_) => return Ok(Err("the record is broken")),
    };
    let Some(last) = tail.last_decision(stored.as_ref()) else {
        return Ok(Err("nothing was decided here yet"));
    };
    let age = at.since(last.at);
    Ok(match () {
        () if last.given_clock => Err("the last decision was made with --at"),
        () if age > LATE_AFTER => Err("the last decision is older than 26 hours"),
        () if age < -CLOCK_SKEW => Err("the last decision is in the future"),
        () => Ok(last.level),
    })
}

/// Which actions need which level at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rules(pub(super) Vec<(Vec<String>, Level)>);

impl Default for Rules {
    /// What is published or deployed is so at YELLOW at most (row S2-087).
    fn default() -> Self {
        let actions = ["promote", "publish", "deploy", "release"].map(str::to_owned);
        Self(vec![(actions.to_vec(), Level::YELLOW)])
    }
}

impl Rules {
    /// A denial, where the level is too grave for the action or not known; `None` otherwise.
    pub(super) fn judge(&self, request: &Request, around: &Circumstances) -> Option<Verdict> {
        let action = request.text(&["action"])?;
        let rules = self.0.iter();
        let limit = rules.filter(|(actions, _)| actions.iter().any(|one| one == action));
        let most = limit.map(|(_, level)| level).min()?;
        let rule = format!("`{action}` at {most} at most");
        match &around.level {
            None => Some(
                of_program(codes::LEVEL_UNKNOWN, &rule, "deny: not known", around)
                    .because("the level in force is not known"),
            ),
            Some(level) if level > most => {
                let said = format!("deny: {level} is in force");
                let verdict = of_program(codes::LEVEL_TOO_HIGH, &rule, said, around);
                Some(verdict.because(format!(
                    "{level} is in force, and this needs {most} at most"
                )))
            }
            Some(_) => None,
        }
    }
}
