//! The plan: what a level calls for, as immutable data with a digest.
//!
//! A pure function of the level and the decision that is responded to. The digest leaves out the
//! response's id and time, so that a preview and what is later made of it can be compared.

use serde::Serialize;

use super::actions::Action;
use crate::ids::Digest;
use crate::policy::Level;
use crate::record::Head;

/// How deep an action reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Read-only.
    Soft,
    /// What RED calls for; some of it changes files.
    Hard,
}

/// An action of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedAction {
    /// Which.
    pub action: Action,
    /// How deep it reaches.
    pub class: Class,
    /// The command that runs it alone.
    pub command: String,
    /// True where it can be taken back.
    pub reversible: bool,
    /// How, by hand.
    pub undo_instruction: Option<&'static str>,
}

/// What a level calls for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The level that is responded to.
    pub policy: Level,
    /// The journal line of the decision that is responded to; absent where nothing is recorded.
    pub decision: Option<Head>,
    /// The actions, in the order in which they run.
    pub actions: Vec<PlannedAction>,
}

impl Plan {
    /// The SHA-256 of the plan's compact JSON.
    pub fn digest(&self) -> Digest {
        // Serialising to memory fails for maps with keys that are no text alone; there are none.
        Digest::of(&serde_json::to_vec(self).unwrap_or_default())
    }
}

/// The plan for a level; `None` for GREEN, which calls for nothing (row S4-103).
pub fn plan(level: &Level, decision: Option<Head>) -> Option<Plan> {
    let (class, actions): (Class, &[Action]) = match level {
        level if *level == Level::GREEN => return None,
        level if *level < Level::RED => (
            Class::Soft,
            &[Action::IntegrityCheck, Action::SchemaValidation],
        ),
        _ => (
            Class::Hard,
            &[
                Action::FullIntegrityCheck,
                Action::ColdStorageVerification,
                Action::IntegrityAnchorMirror,
            ],
        ),
    };
    let planned = |action: &Action| PlannedAction {
        action: *action,
        class,
        command: action.command(),
        reversible: action.changes_files(),
        undo_instruction: action.undo_instruction(),
    };
    Some(Plan {
        policy: level.clone(),
        decision,
        actions: actions.iter().map(planned).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_has_its_actions_in_their_order() {
        let names = |level: &Level| {
            let plan = plan(level, None)?;
            Some(
                plan.actions
                    .iter()
                    .map(|planned| planned.action.name())
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(names(&Level::GREEN), None);
        let soft = vec!["integrity_check", "schema_validation"];
        assert_eq!(names(&Level::YELLOW), Some(soft));
        let hard = vec![
            "full_integrity_check",
            "cold_storage_verification",
            "integrity_anchor_mirror",
        ];
        assert_eq!(names(&Level::RED), Some(hard));
    }

    #[test]
    fn the_digest_is_that_of_level_decision_and_actions() {
        let head = |seq| {
            Some(Head {
                seq,
                sha256: Digest::of(b"line"),
            })
        };
        let digest = |level, head| plan(level, head).unwrap().digest();
        assert_eq!(digest(&Level::RED, head(1)), digest(&Level::RED, head(1)));
        assert_ne!(digest(&Level::RED, head(1)), digest(&Level::RED, head(2)));
        assert_ne!(
            digest(&Level::RED, head(1)),
            digest(&Level::YELLOW, head(1))
        );
    }
}
