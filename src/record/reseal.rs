//! A new segment behind a broken journal.
//!
//! The broken file is kept as it is under `state/segments/`, and a new journal begins with a line
//! that names it, its digest, the head that the state file knew, and the reason that somebody gave.
//! The change is one rename: at any moment the old journal or the new one stands.

use serde::Serialize;

use super::journal::{self, Inspection, Purpose};
use super::line::{self, Chained, Head, Segment, VERSION};
use super::signing::{self, Signature, SigningKey};
use super::verify::{self, Against};
use super::{STATE_JOURNAL, StoredState, findings, state};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::write;
use crate::fs::{InputFile, Opened, Workspace, WorkspaceLock, WriteError};
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
    /// The version of this shape.
    pub schema: u32,
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
    let signed = is_signed(workspace)?;
    if key.is_none() && signed && !unsigned {
        return Err(findings::secret_missing(STATE_JOURNAL));
    }
    // Whoever lost the key goes on from a journal that is whole.
    let key_lost = key.is_none() && signed;
    if !key_lost {
        check_broken(workspace, &state, key)?;
    }
    let head = state
        .as_ref()
        .ok()
        .and_then(Option::as_ref)
        .and_then(StoredState::head);
    let seq = head.map_or(0, |head| head.seq).max(last_number(workspace)?) + 1;
    let segment = seal(workspace, at, head)?;
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
    // A state file that only a reseal can make good has had its time.
    let state_moved = match &state {
        Ok(state) => state.as_ref().is_some_and(StoredState::needs_reseal),
        Err(_) => true,
    };
    if state_moved {
        write::rename(workspace, state::FILE, UNREADABLE_STATE).map_err(written)?;
    }
    Ok(Resealed {
        schema: 1,
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

/// The journal as a file; `None` where there is none, or something that is none.
fn readable(workspace: &Workspace) -> Checked<Option<InputFile>> {
    match workspace.open_input(STATE_JOURNAL) {
        Ok(Opened::File(input)) => Ok(Some(input)),
        Err(error) if error.code == Code::FileUnreadable => Err(error),
        Ok(Opened::Absent) | Err(_) => Ok(None),
    }
}

/// True where any line carries a signature.
fn is_signed(workspace: &Workspace) -> Checked<bool> {
    let Some(input) = readable(workspace)? else {
        return Ok(false);
    };
    let mut signed = false;
    verify::each_line(&input, input.size, &mut |line, _| {
        signed |= signing::check(line, None) != Signature::None;
    })?;
    Ok(signed)
}

/// The highest number of a line in the journal; 0 where there is none.
fn last_number(workspace: &Workspace) -> Checked<u64> {
    let Some(input) = readable(workspace)? else {
        return Ok(0);
    };
    let mut last = 0;
    verify::each_line(&input, input.size, &mut |line, _| {
        last = Chained::parse(line).map_or(last, |chained| chained.seq.max(last));
    })?;
    // A number that somebody made up must not be able to leave no room for the next.
    Ok(last.min(u64::MAX / 2))
}

/// How many segments one second can have.
const SEGMENTS_A_SECOND: u32 = 1000;

/// Gives the journal a second name under which it stays; what is no file is moved there.
fn seal(workspace: &Workspace, at: Timestamp, head: Option<Head>) -> Checked<Segment> {
    let sha256 = match readable(workspace)? {
        Some(input) => Some(verify::digest_of(&input)?),
        None if std::fs::symlink_metadata(workspace.path(STATE_JOURNAL)).is_ok() => None,
        None => {
            return Ok(Segment {
                file: None,
                sha256: Digest::of(b""),
                head,
            });
        }
    };
    write::make_directory(workspace, SEGMENTS_DIR)
        .map_err(|error| Box::new(error.into_diagnostic()))?;
    for count in 0..SEGMENTS_A_SECOND {
        let number = if count == 0 {
            String::new()
        } else {
            format!("-{count}")
        };
        let file = format!(
            "{SEGMENTS_DIR}/policy_state_log.{}{number}.broken.jsonl",
            at.compact()
        );
        if std::fs::symlink_metadata(workspace.path(&file)).is_ok() {
            continue;
        }
        let kept = match sha256 {
            Some(_) => write::link(workspace, STATE_JOURNAL, &file),
            None => write::rename(workspace, STATE_JOURNAL, &file),
        };
        kept.map_err(|error| Box::new(error.into_diagnostic()))?;
        return Ok(Segment {
            file: sha256.map(|_| file),
            sha256: sha256.unwrap_or_else(|| Digest::of(b"")),
            head,
        });
    }
    Err(Box::new(
        Diagnostic::new(
            Code::WriteFailed,
            Place::file(SEGMENTS_DIR),
            "there is no free name for the segment",
        )
        .found(format!("{SEGMENTS_A_SECOND} segments of {}", at.human()))
        .expected("a name that is free")
        .help("give another time with `--at`, or none"),
    ))
}
