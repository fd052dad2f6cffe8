//! What is under way, or was cut off: said by every command that looks at responses.

use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::{ApplyLock, Workspace};
use crate::record::RESPONSE_JOURNAL;
use crate::record::response_journal::{self, Unsettled};
use crate::response::settle::{self, Interrupted};

/// What is going on.
pub(super) enum UnderWay {
    /// Nothing.
    Nothing,
    /// Somebody is applying or undoing: who.
    Held(String),
    /// A response was begun and cut off, and nobody recorded that yet.
    CutOff(Interrupted),
    /// Actions of which nobody knows what they did, recorded as such.
    Unsettled(Vec<Unsettled>),
}

impl UnderWay {
    /// Looks at the lock of applies and at the end of the journal of responses.
    pub(super) fn look(workspace: &Workspace) -> Checked<Self> {
        if let Some(holder) = ApplyLock::holder(workspace)? {
            return Ok(Self::Held(holder));
        }
        let standing = response_journal::standing(workspace)?;
        if let Some(cut_off) = settle::interrupted(workspace, &standing)? {
            return Ok(Self::CutOff(cut_off));
        }
        Ok(if standing.unsettled.is_empty() {
            Self::Nothing
        } else {
            Self::Unsettled(standing.unsettled)
        })
    }

    /// The warning about what was cut off and is not cleared up.
    pub(super) fn warning(&self) -> Option<Diagnostic> {
        match self {
            Self::CutOff(cut_off) => Some(warning(cut_off)),
            Self::Unsettled(unsettled) => unsettled.first().map(|first| open(first, unsettled)),
            Self::Nothing | Self::Held(_) => None,
        }
    }
}

/// The warning about actions whose outcome is still open.
fn open(first: &Unsettled, all: &[Unsettled]) -> Diagnostic {
    let names: Vec<String> = all.iter().map(settle::named).collect();
    Diagnostic::new(
        Code::ResponseInterrupted,
        Place::file(RESPONSE_JOURNAL),
        format!("nobody knows what these did: {}", names.join(", ")),
    )
    .help(format!(
        "`policy-orchestrator undo run {id}` takes it back, `policy-orchestrator undo accept {id} --reason TEXT` lets it stand",
        id = first.response_id
    ))
}

/// The warning about a response that was cut off.
pub(super) fn warning(cut_off: &Interrupted) -> Diagnostic {
    let what = cut_off.action.as_ref().map_or_else(
        || "between two actions".to_owned(),
        |action| format!("in the action {action}, of which nobody knows what it did"),
    );
    Diagnostic::new(
        Code::ResponseInterrupted,
        Place::file(RESPONSE_JOURNAL),
        format!(
            "the response {} was begun at {} and cut off {what}",
            cut_off.response_id,
            cut_off.since.human()
        ),
    )
    .help(if cut_off.can_be_undone {
        format!(
            "`policy-orchestrator undo run {}` takes back what it changed",
            cut_off.response_id
        )
    } else {
        "nothing that can be taken back was begun; `policy-orchestrator respond --apply --again --reason TEXT` does it once more".to_owned()
    })
}
