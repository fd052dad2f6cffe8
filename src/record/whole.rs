//! A journal looked at in full and as whoever appends would: what has to be whole before it is handed
//! over to another key, or closed.

use super::chain::{End, Found, Purpose};
use super::journal::{self, Inspection};
use super::verify::{Against, Verdict, Verification, verify};
use super::{Head, STATE_JOURNAL, SigningKey, StoredState, findings, heads, ledger};
use crate::diagnostic::{Checked, Diagnostic};
use crate::fs::Workspace;

/// A journal without a fault.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) found: Verification,
    pub(super) end: End,
}

/// Verifies a journal; `None` where nothing is chained there. Fails at its first problem.
pub(super) fn look(
    workspace: &Workspace,
    file: &str,
    key: Option<&SigningKey>,
) -> Checked<Option<Whole>> {
    let head = recorded(workspace, file)?;
    let found = verify(workspace, file, Against { head, key })?;
    match found.verdict {
        Verdict::Absent | Verdict::Unchained => Ok(None),
        Verdict::Broken => Err(first(found.problems, file)),
        Verdict::Whole => {
            let end = end_of(workspace, file, key)?;
            Ok(Some(Whole { found, end }))
        }
    }
}

fn recorded(workspace: &Workspace, file: &str) -> Checked<Option<Head>> {
    if file == STATE_JOURNAL {
        let state = StoredState::load(workspace)?;
        return Ok(state.as_ref().and_then(StoredState::head));
    }
    Ok(heads::load(workspace)?.get(file).copied())
}

/// The end of a journal that can be continued.
pub(super) fn end_of(workspace: &Workspace, file: &str, key: Option<&SigningKey>) -> Checked<End> {
    let look = Purpose::Look { lines: 2 };
    if file == STATE_JOURNAL {
        let state = StoredState::load(workspace)?;
        return match journal::inspect(workspace, state.as_ref(), key, look)? {
            Inspection::Whole(tail) => Ok(tail.end),
            Inspection::Broken(problems) => Err(first(problems, file)),
        };
    }
    let recorded = heads::load(workspace)?.get(file).copied();
    match ledger::inspect(workspace, file, recorded, key, look)? {
        Found::Whole(end) => Ok(end),
        Found::Broken(problems) => Err(first(problems, file)),
    }
}

fn first(problems: Vec<Diagnostic>, file: &str) -> Box<Diagnostic> {
    let problem = problems.into_iter().next();
    Box::new(problem.unwrap_or_else(|| findings::unreadable_line(file, b"")))
}
