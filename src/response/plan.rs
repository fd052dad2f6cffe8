//! The plan: what a level calls for, as immutable data with a digest.
//!
//! A pure function of the level, the decision that is responded to, and the actions that the
//! workspace declares. The digest leaves out the response's id and time, so that a preview and what
//! is later made of it can be compared.

use serde::{Deserialize, Serialize};

use super::actions::Action;
use super::declared::{Declared, Responses, TIMEOUT};
use super::pattern::Pattern;
use crate::ids::Digest;
use crate::policy::Level;
use crate::record::Head;
use crate::record::response_journal::Unsettled;

/// How deep an action reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// It only reads.
    Soft,
    /// What RED calls for, and what changes files.
    Hard,
}

/// What an action is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    /// One of the program's own.
    Native(Action),
    /// One that the workspace declares.
    Declared(Declared),
}

/// An action of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedAction {
    /// Its name.
    pub action: String,
    /// How deep it reaches.
    pub class: Class,
    /// The command, for a person.
    pub command: String,
    /// True where it can be taken back.
    pub reversible: bool,
    /// How, by hand.
    pub undo_instruction: Option<String>,
    /// The files that it may change or make.
    pub changes: Vec<Pattern>,
    /// The files that it may make and never changes.
    pub creates: Vec<Pattern>,
    /// It is ended after so many seconds.
    pub timeout_seconds: u64,
    /// What it is made of.
    pub work: Work,
}

impl PlannedAction {
    /// True where it may change files.
    pub fn changes_files(&self) -> bool {
        !(self.changes.is_empty() && self.creates.is_empty())
    }

    /// It is skipped where it succeeded within so many seconds; 0 for never.
    pub fn cooldown_seconds(&self) -> u64 {
        match &self.work {
            Work::Native(_) => 0,
            Work::Declared(declared) => declared.cooldown_seconds,
        }
    }

    /// A native action as part of a plan.
    fn native(action: Action, class: Class) -> Self {
        Self {
            action: action.name().to_owned(),
            class,
            command: action.command(),
            reversible: action.changes_files(),
            undo_instruction: action.undo_instruction().map(str::to_owned),
            changes: action.changes(),
            creates: action.creates(),
            timeout_seconds: TIMEOUT,
            work: Work::Native(action),
        }
    }

    fn declared(declared: &Declared) -> Self {
        let class = if declared.changes.is_empty() && declared.creates.is_empty() {
            Class::Soft
        } else {
            Class::Hard
        };
        Self {
            action: declared.name.clone(),
            class,
            command: shell_words(&declared.argv),
            reversible: declared.reversible,
            undo_instruction: declared
                .reversible
                .then(|| "policy-orchestrator undo run RESPONSE_ID".to_owned()),
            changes: declared.changes.clone(),
            creates: declared.creates.clone(),
            timeout_seconds: declared.timeout_seconds,
            work: Work::Declared(declared.clone()),
        }
    }
}

/// A command as a shell would have to read it, for a person to see or to try.
fn shell_words(argv: &[String]) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:=@%+,".contains(&byte);
    let quoted = |word: &String| {
        if !word.is_empty() && word.bytes().all(is_plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    };
    argv.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// What a level calls for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The level that is responded to; absent for a single action that no level called for.
    pub policy: Option<Level>,
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

    /// True where applying this plan once more does again what nobody knows the outcome of.
    pub fn repeats(&self, unsettled: &Unsettled) -> bool {
        let same = |planned: &PlannedAction| planned.action == unsettled.action;
        unsettled.undo_of.is_none() && self.actions.iter().any(same)
    }

    /// The plan with the named action alone; `None` where it has none of that name.
    #[must_use]
    pub fn only(mut self, name: &str) -> Option<Self> {
        self.actions.retain(|planned| planned.action == name);
        (!self.actions.is_empty()).then_some(self)
    }

    /// One native action, which no level called for.
    pub fn of_action(action: Action) -> Self {
        Self {
            policy: None,
            decision: None,
            actions: vec![PlannedAction::native(action, Class::Hard)],
        }
    }
}

/// The plan for a level; `None` for GREEN, which calls for nothing (row S4-103), and for a level
/// without an action.
pub fn plan(level: &Level, decision: Option<Head>, responses: &Responses) -> Option<Plan> {
    if *level == Level::GREEN {
        return None;
    }
    let (class, native): (Class, &[Action]) = if *level < Level::RED {
        (
            Class::Soft,
            &[Action::IntegrityCheck, Action::SchemaValidation],
        )
    } else {
        (
            Class::Hard,
            &[
                Action::FullIntegrityCheck,
                Action::ColdStorageVerification,
                Action::IntegrityAnchorMirror,
            ],
        )
    };
    let native = native.iter().filter(|_| responses.builtin);
    let native = native.map(|action| PlannedAction::native(*action, class));
    // By name: a level that was read from a record has no rank of its own.
    let called_for = |own: &&Declared| own.level.name() == level.name();
    let own = responses.actions.iter().filter(called_for);
    let actions: Vec<PlannedAction> = native.chain(own.map(PlannedAction::declared)).collect();
    (!actions.is_empty()).then(|| Plan {
        policy: Some(level.clone()),
        decision,
        actions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(level: &Level, responses: &Responses) -> Option<Vec<String>> {
        let plan = plan(level, None, responses)?;
        Some(
            plan.actions
                .into_iter()
                .map(|planned| planned.action)
                .collect(),
        )
    }

    fn own(level: Level) -> Declared {
        Declared {
            name: "page".to_owned(),
            level,
            argv: vec!["/bin/true".to_owned()],
            directory: String::new(),
            environment: Vec::new(),
            timeout_seconds: 5,
            changes: vec![Pattern::parse("a/b").unwrap()],
            creates: Vec::new(),
            reversible: true,
            cooldown_seconds: 0,
        }
    }

    #[test]
    fn each_level_has_its_actions_in_their_order() {
        let native = Responses::default();
        assert_eq!(names(&Level::GREEN, &native), None);
        let soft = ["integrity_check", "schema_validation"];
        assert_eq!(names(&Level::YELLOW, &native).unwrap(), soft);
        let hard = [
            "full_integrity_check",
            "cold_storage_verification",
            "integrity_anchor_mirror",
        ];
        assert_eq!(names(&Level::RED, &native).unwrap(), hard);
    }

    #[test]
    fn declared_actions_come_behind_the_native_ones_of_their_level() {
        let mut responses = Responses {
            builtin: true,
            actions: vec![own(Level::RED)],
        };
        assert_eq!(names(&Level::YELLOW, &responses).unwrap().len(), 2);
        assert_eq!(names(&Level::RED, &responses).unwrap()[3], "page");
        responses.builtin = false;
        assert_eq!(names(&Level::YELLOW, &responses), None);
        assert_eq!(names(&Level::RED, &responses).unwrap(), ["page"]);
        assert_eq!(names(&Level::GREEN, &responses), None);
    }

    #[test]
    fn a_level_between_calls_for_its_own_actions_and_the_soft_ones() {
        let declared = Level::between(&["ORANGE"]).unwrap().remove(0);
        let responses = Responses {
            builtin: true,
            actions: vec![own(declared)],
        };
        // As a journal line tells it.
        let recorded = Level::parse("ORANGE").unwrap();
        let soft = ["integrity_check", "schema_validation", "page"];
        assert_eq!(names(&recorded, &responses).unwrap(), soft);
        assert_eq!(names(&Level::YELLOW, &responses).unwrap(), soft[..2]);
        assert_eq!(names(&Level::RED, &responses).unwrap().len(), 3);
    }

    #[test]
    fn a_command_can_be_pasted_into_a_shell() {
        let words = ["/bin/sh", "-c", "echo 'a b'; exit 7", ""].map(str::to_owned);
        assert_eq!(
            shell_words(&words),
            r"/bin/sh -c 'echo '\''a b'\''; exit 7' ''"
        );
    }

    #[test]
    fn the_digest_is_that_of_what_would_be_done() {
        let digest = |responses: &Responses| plan(&Level::RED, None, responses).unwrap().digest();
        let mut responses = Responses {
            builtin: false,
            actions: vec![own(Level::RED)],
        };
        let before = digest(&responses);
        assert_eq!(before, digest(&responses));
        responses.actions[0].timeout_seconds = 6;
        assert_ne!(before, digest(&responses));
    }

    #[test]
    fn only_the_mirror_of_the_native_actions_can_be_taken_back() {
        let plan = plan(&Level::RED, None, &Responses::default()).unwrap();
        let reversible: Vec<&str> = plan
            .actions
            .iter()
            .filter(|planned| planned.reversible)
            .map(|planned| planned.action.as_str())
            .collect();
        assert_eq!(reversible, ["integrity_anchor_mirror"]);
    }
}
