//! The health of the components that the product stands on: its record, Vault, the signing key, and
//! the storage (S0-045). A component that fails never lets the whole be `ok` (S0-046); one that nobody
//! set up is told as absent.

use serde::Serialize;

use super::{Ground, vault};
use crate::record::chain::Purpose;
use crate::record::journal::{self, Inspection};
use crate::record::{LOOK_BACK, STATE_JOURNAL, StoredState, heads, ledger};

/// How a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It works.
    Ok,
    /// Nobody set it up, and nothing that runs here asks for it.
    Absent,
    /// It was set up and does not work.
    Failed,
}

/// A component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Component {
    /// How it is.
    pub status: State,
    /// What was looked at, and what was found.
    pub detail: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// All components.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Components {
    /// The record: state file and journals.
    pub db: Component,
    /// Vault.
    pub vault: Component,
    /// The key that signs, in cosign's form or ours.
    pub cosign: Component,
    /// The directory that is written to.
    pub storage: Component,
}

/// The whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Whole {
    /// No component fails.
    Ok,
    /// One does.
    Degraded,
}

impl Components {
    /// All of them, by name.
    pub fn each(&self) -> [(&'static str, &Component); 4] {
        [
            ("db", &self.db),
            ("vault", &self.vault),
            ("cosign", &self.cosign),
            ("storage", &self.storage),
        ]
    }

    /// What they come to.
    pub fn whole(&self) -> Whole {
        let mut all = self.each().into_iter();
        if all.any(|(_, component)| component.status == State::Failed) {
            Whole::Degraded
        } else {
            Whole::Ok
        }
    }
}

fn component(status: State, detail: impl Into<String>, remedy: Option<&str>) -> Component {
    Component {
        status,
        detail: detail.into(),
        remedy: remedy.map(str::to_owned),
    }
}

/// Looks at all components. Nothing is written; what is told of them passes the redaction.
pub fn look(ground: &Ground<'_>, address_is_given: bool) -> Components {
    let shown = |component: Component| Component {
        detail: ground.secrets.redact(&component.detail),
        ..component
    };
    Components {
        db: shown(record(ground)),
        vault: shown(vault(ground, address_is_given)),
        cosign: shown(signing(ground)),
        storage: shown(storage(ground)),
    }
}

fn record(ground: &Ground<'_>) -> Component {
    match journals(ground) {
        Ok(detail) => component(State::Ok, detail, None),
        Err(why) => component(
            State::Failed,
            why,
            Some("`policy-orchestrator audit verify` tells more"),
        ),
    }
}

fn journals(ground: &Ground<'_>) -> Result<String, String> {
    let (workspace, key) = (ground.workspace, ground.key());
    let said = |finding: Box<crate::diagnostic::Diagnostic>| finding.to_string();
    let state = StoredState::load(workspace).map_err(said)?;
    let purpose = Purpose::Look { lines: LOOK_BACK };
    if let Inspection::Broken(problems) =
        journal::inspect(workspace, state.as_ref(), key, purpose).map_err(said)?
    {
        let first = problems.first().map(ToString::to_string);
        return Err(first.unwrap_or_default());
    }
    let mut count = 0;
    for (file, head) in heads::of_all(workspace, None).map_err(said)? {
        if file == STATE_JOURNAL {
            continue;
        }
        let purpose = Purpose::Look { lines: LOOK_BACK };
        if let Some(problem) =
            ledger::problem(workspace, &file, head, key, purpose).map_err(said)?
        {
            return Err(problem.to_string());
        }
        count += u64::from(head.is_some());
    }
    let decided = match state {
        Some(_) => "the state file agrees with its journal",
        None => "nothing was decided here yet",
    };
    Ok(format!(
        "{decided}; {count} other journals hold at their ends"
    ))
}

fn vault(ground: &Ground<'_>, address_is_given: bool) -> Component {
    match ground.vault.unavailable() {
        None => component(State::Ok, "it answers and takes the token", None),
        Some(vault::Unavailable { found, remedy }) => {
            let status = if address_is_given {
                State::Failed
            } else {
                State::Absent
            };
            component(status, found, Some(&remedy))
        }
    }
}

fn signing(ground: &Ground<'_>) -> Component {
    match ground.signing_key {
        Err(finding) => component(
            State::Failed,
            finding.to_string(),
            Some("`policy-orchestrator keys show FILE` tells what a key is"),
        ),
        Ok(None) => component(
            State::Absent,
            "neither COSIGN_KEY_PATH nor POLICY_SIGNING_KEY_FILE names a key",
            Some("`policy-orchestrator keys generate --out FILE` makes one"),
        ),
        Ok(Some(key)) => component(
            State::Ok,
            format!("key {} can be used", key.verifying().id().short()),
            None,
        ),
    }
}

/// May this user write where a run writes? Asked of the system, so that nothing has to be tried.
fn storage(ground: &Ground<'_>) -> Component {
    use rustix::fs::Access;
    for name in ["state", "reports", "."] {
        let path = ground.workspace.path(name);
        if !path.exists() {
            continue;
        }
        if rustix::fs::access(&path, Access::WRITE_OK | Access::EXEC_OK).is_err() || !path.is_dir()
        {
            let detail = format!("`{name}` can't be written to");
            let remedy = "give the user of the schedule the right to write";
            return component(State::Failed, detail, Some(remedy));
        }
    }
    component(State::Ok, "state/ and reports/ can be written to", None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_fails_degrades_the_whole_and_one_that_is_absent_does_not() {
        let with = |vault, storage| Components {
            db: component(State::Ok, "", None),
            vault: component(vault, "", None),
            cosign: component(State::Absent, "", None),
            storage: component(storage, "", None),
        };
        assert_eq!(with(State::Absent, State::Ok).whole(), Whole::Ok);
        assert_eq!(with(State::Failed, State::Ok).whole(), Whole::Degraded);
        assert_eq!(with(State::Ok, State::Failed).whole(), Whole::Degraded);
    }
}
