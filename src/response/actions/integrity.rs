//! `integrity_check` and `full_integrity_check`: can everything be read as what it should be?
//!
//! The first looks at the signals, the policy document and the state file, as a run would; the
//! second also at every row of the registry and every line of every journal.

use super::{Found, Ground, registry};
use crate::diagnostic::Checked;
use crate::policy::{document, readings};
use crate::record::verify::{self, Against, Verdict};
use crate::record::{StoredState, heads, state};
use crate::signals::{ReadContext, Status};

/// The quick check.
pub(super) fn check(ground: Ground<'_>) -> Found {
    let mut found = Found::default();
    let document = document::load(ground.workspace);
    let context = ReadContext {
        workspace: ground.workspace,
        at: ground.at,
        limit: ground.limit,
    };
    let readings = readings::load(context, &document.policy);
    for reading in &readings {
        found.note(format!(
            "signal {}: {}",
            reading.signal,
            reading.status().as_str()
        ));
        found.findings.extend(reading.errors().iter().cloned());
    }
    if readings
        .iter()
        .all(|reading| reading.status() == Status::Missing)
    {
        found.findings.extend(readings::empty_workspace(
            &readings,
            &document.policy,
            ground.workspace,
        ));
    }
    found.note(format!(
        "policy document: {}",
        document.policy.identity().name
    ));
    found.findings.extend(document.problems);
    match StoredState::load(ground.workspace) {
        Ok(Some(_)) => found.note(format!("{} can be read", state::FILE)),
        Ok(None) => found.note(format!(
            "{} is not there: nothing was decided yet",
            state::FILE
        )),
        Err(finding) => found.add(*finding),
    }
    found
}

/// The whole check.
pub(super) fn check_all(ground: Ground<'_>) -> Found {
    let mut found = check(ground);
    found.join(registry::validate(ground));
    if let Err(finding) = journals(ground, &mut found) {
        found.add(*finding);
    }
    found
}

fn journals(ground: Ground<'_>, found: &mut Found) -> Checked<()> {
    let state = StoredState::load(ground.workspace).ok().flatten();
    let decisions = state.as_ref().and_then(StoredState::head);
    for (file, head) in heads::of_all(ground.workspace, decisions)? {
        let against = Against {
            head,
            key: ground.key,
        };
        let verified = verify::verify(ground.workspace, &file, against)?;
        found.note(match verified.verdict {
            Verdict::Absent => format!("{file}: not there"),
            Verdict::Unchained => format!("{file}: a plain log without a chain"),
            Verdict::Whole => format!("{file}: whole, {} lines", verified.lines),
            Verdict::Broken => format!("{file}: BROKEN, {} problems", verified.problem_count),
        });
        found.findings.extend(verified.problems);
    }
    Ok(())
}
