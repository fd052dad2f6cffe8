//! What a policy would have decided on every recorded decision, in the few numbers that stand in an
//! update record. How it is decided again is said in [`crate::history`].

use serde::Serialize;

use crate::diagnostic::Checked;
use crate::fs::Workspace;
use crate::history::Selection;
use crate::history::backtest::of_journal;
use crate::history::walk::Source;
use crate::ids::SignalName;
use crate::policy::{Level, Policy};
use crate::time::Timestamp;

/// What it came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Impact {
    /// How many decisions were made again.
    pub decisions: u64,
    /// How many would be graver.
    pub graver: u64,
    /// How many would be milder.
    pub milder: u64,
    /// When the first of them was made.
    pub first: Option<Timestamp>,
    /// When the last of them was made.
    pub last: Option<Timestamp>,
    /// Decisions that could not be made again.
    pub undecided: u64,
    /// Signals of the policy that records do not tell: what they demand is not in these numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_recorded: Vec<SignalName>,
}

impl Impact {
    /// One clause for a person.
    pub(super) fn in_words(&self) -> String {
        if self.decisions == 0 {
            return "no decision was recorded that it could be tried on".to_owned();
        }
        let mut text = format!(
            "of {} recorded decisions {} would be graver and {} milder",
            self.decisions, self.graver, self.milder
        );
        if self.undecided > 0 {
            text.push_str(&format!("; {} could not be made again", self.undecided));
        }
        if !self.not_recorded.is_empty() {
            let names: Vec<&str> = self.not_recorded.iter().map(SignalName::as_str).collect();
            text.push_str(&format!("; records do not tell {}", names.join(", ")));
        }
        text
    }
}

/// Decides the recorded history again with `policy`, decisions with a given time included.
pub(super) fn of(workspace: &Workspace, policy: &Policy) -> Checked<Impact> {
    let Some(source) = Source::of_workspace(workspace)? else {
        return Ok(Impact::default());
    };
    let selection = Selection {
        include_given: true,
        ..Selection::default()
    };
    let backtested = of_journal(&source, policy, selection)?;
    let outcome = backtested.outcome;
    let not_recorded = outcome.not_recorded.into_iter();
    Ok(Impact {
        decisions: outcome.decisions,
        graver: outcome.graver,
        milder: outcome.milder,
        first: outcome.first,
        last: outcome.last,
        undecided: backtested.undecided,
        not_recorded: not_recorded.map(|known| known.signal).collect(),
    })
}

/// A level of another policy on this one's ladder: one that it does not know stands in the middle
/// between YELLOW and RED.
pub(super) fn on_ladder(policy: &Policy, level: &Level) -> Level {
    let bare = Level::parse(level.name());
    policy.resolve(bare.as_ref().unwrap_or(level))
}
