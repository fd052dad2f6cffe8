//! A new segment behind a broken journal.
//!
//! The broken file is kept as it is under `state/segments/`, and a new journal begins with a line
//! that names it, its digest, the head that the state file knew, and the reason that somebody gave.
//! The change is one rename: at any moment the old journal or the new one stands.

use serde::Serialize;

use super::journal::{self, Inspection, Purpose};
use super::line::{self, Head, Segment, VERSION};
use super::signing::{self, Signature, SigningKey};
use super::verify::{self, Against};
use super::{STATE_JOURNAL, StoredState, state};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::write;
use crate::fs::{Opened, Workspace, WorkspaceLock, WriteError};
use crate::ids::Digest;
use crate::time::Timestamp;

/// Where sealed segments are kept.
pub const SEGMENTS_DIR: &str = "state/segments";

/// Where a state file that can't be read is moved.
pub const UNREADABLE_STATE: &str = "state/policy_state.json.unreadable";

#[derive(Serialize)]
struct Raw<'a> {
    timestamp: Timestamp,
    event: &'static str,
    reason: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unsigned: bool,
    v: u32,
    seq: u64,
    prev: Digest,
    segment: &'a Segment,
}

/// What a reseal did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Resealed {
    /// The segment that was sealed.
    pub segment: Segment,
    /// The head of the new journal.
    pub head: Head,
    /// True where a state file that could not be read was moved aside.
    pub state_moved: bool,
}

/// Why and how to reseal.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The time of the new journal's first line.
    pub at: Timestamp,
    /// Why; recorded in that line.
    pub reason: &'a str,
    /// The key that signs it.
    pub key: Option<&'a SigningKey>,
    /// True to go on unsigned behind a signed journal, as when the key is lost.
    pub unsigned: bool,
}

/// Seals the journal of decisions as it is and begins a new one.
///
/// Refused where the journal is whole, and where it is signed and there is no key, unless the
/// request says that it is to go on unsigned: the new line then says so.
pub fn reseal(
    workspace: &Workspace,
    _lock: &WorkspaceLock,
    request: Request<'_>,
) -> Checked<Resealed> {
    let Request {
        at,
        reason,
        key,
        unsigned,
    } = request;
    let written = |error: WriteError| Box::new(error.into_diagnostic());
    let state = StoredState::load(workspace);
    check_broken(workspace, &state, key)?;
    if key.is_none() && !unsigned && is_signed(workspace)? {
        return Err(journal::secret_missing());
    }
    let head = state
        .as_ref()
        .ok()
        .and_then(Option::as_ref)
        .and_then(StoredState::head);
    let segment = seal(workspace, at, head)?;
    let seq = head.map_or(1, |head| head.seq + 1);
    let raw = Raw {
        timestamp: at,
        event: "RESEAL",
        reason,
        unsigned: unsigned && key.is_none(),
        v: VERSION,
        seq,
        prev: segment.sha256,
        segment: &segment,
    };
    let mut bytes = line::finish(&raw, key);
    let head = Head {
        seq,
        sha256: Digest::of(&bytes),
    };
    bytes.push(b'\n');
    write::replace(workspace, STATE_JOURNAL, &bytes).map_err(written)?;
    // A state file without a head to hold the new journal against is moved aside too.
    let lost = |state: &StoredState| state.is_broken() && state.head().is_none();
    let state_moved = match &state {
        Ok(state) => state.as_ref().is_some_and(lost),
        Err(_) => true,
    };
    if state_moved {
        write::rename(workspace, state::FILE, UNREADABLE_STATE).map_err(written)?;
    }
    Ok(Resealed {
        segment,
        head,
        state_moved,
    })
}

fn check_broken(
    workspace: &Workspace,
    state: &Checked<Option<StoredState>>,
    key: Option<&SigningKey>,
) -> Checked<()> {
    let Ok(state) = state else { return Ok(()) };
    let inspected = journal::inspect(workspace, state.as_ref(), key, Purpose::Look { lines: 1 })?;
    let head = state.as_ref().and_then(StoredState::head);
    if matches!(inspected, Inspection::Broken(_))
        || !verify::verify(workspace, STATE_JOURNAL, Against { head, key })?
            .problems
            .is_empty()
    {
        return Ok(());
    }
    Err(Box::new(
        Diagnostic::new(
            Code::JournalWhole,
            Place::file(STATE_JOURNAL),
            "the journal is whole, so there is nothing to reseal",
        )
        .found("a chain without a fault that the state file agrees with")
        .expected("a journal that `audit verify` calls broken")
        .help("nothing was changed; `policy-orchestrator audit verify` shows what is checked"),
    ))
}

/// True where any line carries a signature.
fn is_signed(workspace: &Workspace) -> Checked<bool> {
    let Opened::File(input) = workspace.open_input(STATE_JOURNAL)? else {
        return Ok(false);
    };
    let mut signed = false;
    verify::each_line(&input, input.size, &mut |line, _| {
        signed |= signing::check(line, None) != Signature::None;
    })?;
    Ok(signed)
}

/// Gives the journal a second name under which it stays.
fn seal(
    workspace: &Workspace,
    at: Timestamp,
    head: Option<Head>,
) -> Result<Segment, Box<Diagnostic>> {
    let Opened::File(input) = workspace.open_input(STATE_JOURNAL)? else {
        return Ok(Segment {
            file: None,
            sha256: Digest::of(b""),
            head,
        });
    };
    let sha256 = verify::digest_of(&input)?;
    let mut at = at;
    loop {
        let file = format!(
            "{SEGMENTS_DIR}/policy_state_log.{}.broken.jsonl",
            at.compact()
        );
        let linked = write::make_directory(workspace, SEGMENTS_DIR)
            .and_then(|()| write::link(workspace, STATE_JOURNAL, &file));
        match linked {
            Ok(()) => {
                return Ok(Segment {
                    file: Some(file),
                    sha256,
                    head,
                });
            }
            Err(error) if error.source.kind() == std::io::ErrorKind::AlreadyExists => {
                at = at.plus_seconds(1);
            }
            Err(error) => return Err(Box::new(error.into_diagnostic())),
        }
    }
}
