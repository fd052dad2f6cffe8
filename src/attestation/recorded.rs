//! What a statement says: one line of a whole journal, and the state file where it is of that line.

use serde_json::value::RawValue;

use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::fs::read::read_own;
use crate::ids::Digest;
use crate::record::journal::{self, Inspection, Purpose};
use crate::record::numbered::{self, Where};
use crate::record::verify::{Against, Verdict, verify};
use crate::record::{Head, RecordedLine, STATE_JOURNAL, SigningKey, StoredState, state};

/// The largest state file that goes into a statement.
const STATE_LIMIT: u64 = 1024 * 1024;

/// A recorded decision.
#[derive(Debug)]
pub struct Recorded {
    /// The exact text of its line.
    pub line: String,
    /// What the line says.
    pub decision: RecordedLine,
    /// The end of the journal when the line was read.
    pub head: Head,
    /// The state file, where it is of this decision.
    pub state: Option<Box<RawValue>>,
}

impl Recorded {
    /// The decision with the number, or the last one. Fails where the journal is not whole: nobody
    /// should sign what cannot be told from a forgery.
    pub fn load(
        workspace: &Workspace,
        number: Option<u64>,
        key: Option<&SigningKey>,
    ) -> Checked<Self> {
        // Readers read the state before the journal.
        let state = StoredState::load(workspace)?;
        whole_as_a_run_sees_it(workspace, state.as_ref(), key)?;
        let kept = state.as_ref().and_then(StoredState::head);
        let found = verify(workspace, STATE_JOURNAL, Against { head: kept, key })?;
        if let Some(problem) = found.problems.into_iter().next() {
            return Err(Box::new(problem));
        }
        let line = numbered::line(workspace, STATE_JOURNAL, number, Where::Whole)?;
        let decision = line.as_deref().and_then(RecordedLine::parse);
        let head = found.head.filter(|_| found.verdict == Verdict::Whole);
        let (Some(line), Some(decision), Some(head)) = (line, decision, head) else {
            return Err(not_recorded(number));
        };
        let Ok(line) = String::from_utf8(line) else {
            return Err(not_recorded(number));
        };
        let of_this = state.filter(|state| state.head() == Some(head_of(&line, decision.seq)));
        let state = match of_this {
            Some(_) => read_own(workspace, state::FILE, STATE_LIMIT)?
                .and_then(|bytes| serde_json::from_slice(&bytes).ok()),
            None => None,
        };
        Ok(Self {
            line,
            decision,
            head,
            state,
        })
    }

    /// The SHA-256 of the line.
    pub fn digest(&self) -> Digest {
        Digest::of(self.line.as_bytes())
    }
}

/// Fails where the state file says something else than the journal, or that it is broken: a level
/// that is published as RED must not be signed as the one before.
fn whole_as_a_run_sees_it(
    workspace: &Workspace,
    state: Option<&StoredState>,
    key: Option<&SigningKey>,
) -> Checked<()> {
    if state.is_some_and(StoredState::is_broken) {
        return Err(Box::new(
            Diagnostic::new(
                Code::JournalBroken,
                Place::file(state::FILE),
                "the state file says that the journal is broken, so nothing is signed",
            )
            .found("the RED that the last run published over it")
            .expected("a journal that the last run could go on from")
            .help("`policy-orchestrator audit verify` says what was changed; run again once it is put back"),
        ));
    }
    match journal::inspect(workspace, state, key, Purpose::Look { lines: 2 })? {
        Inspection::Whole(_) => Ok(()),
        Inspection::Broken(problems) => problems
            .into_iter()
            .next()
            .map_or(Ok(()), |problem| Err(Box::new(problem))),
    }
}

fn head_of(line: &str, seq: u64) -> Head {
    Head {
        seq,
        sha256: Digest::of(line.as_bytes()),
    }
}

fn not_recorded(number: Option<u64>) -> Box<Diagnostic> {
    let found = number.map_or_else(
        || "no decision at its end".to_owned(),
        |number| format!("no decision with the number {number}"),
    );
    Box::new(
        Diagnostic::new(
            Code::NothingRecorded,
            Place::file(STATE_JOURNAL),
            "there is no such decision in the journal",
        )
        .found(found)
        .expected("a decision that `run` recorded, not in a segment that was sealed as broken")
        .help("`policy-orchestrator run` records one"),
    )
}
