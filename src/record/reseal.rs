//! A new segment behind a broken journal.
//!
//! The broken file is kept as it is under `state/segments/`, and a new journal begins with a line
//! that names it, its digest, the head that the state file knew, and the reason that somebody gave.
//! The change is one rename: at any moment the old journal or the new one stands.

use serde::Serialize;

use super::journal::{self, Inspection};
use super::line::{self, Chained, Head, Segment, SegmentEnd, VERSION};
use super::response_journal::{self, Standing};
use super::signing::{self, SigningKey};
use super::verify::{self, Against};
use super::{
    HEADS_FILE, RESPONSE_JOURNAL, Records, STATE_JOURNAL, StoredState, findings, heads, ledger,
    past, state, verified,
};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::write;
use crate::fs::{InputFile, Opened, Workspace};
use crate::ids::Digest;
use crate::time::Timestamp;

/// The event of the first line of a new journal.
pub const RESEAL: &str = "RESEAL";

/// Where sealed segments are kept.
pub const SEGMENTS_DIR: &str = "state/segments";

/// The first line of a new journal.
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
    /// How responses stood, in their journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    standing: Option<Standing>,
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
    /// True where the file that keeps the head could not be read and was moved aside.
    pub state_moved: bool,
}

/// Why and how to reseal.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The journal, one of [`super::JOURNALS`].
    pub file: &'a str,
    /// The time of the new journal's first line.
    pub at: Timestamp,
    /// Why; recorded in that line.
    pub reason: &'a str,
    /// True to go on unsigned behind a signed journal, as when the key is lost.
    pub unsigned: bool,
}

/// Seals a journal as it is and begins a new one.
///
/// Refused where the journal is whole, and where it is signed and there is no key, unless the
/// request says that it is to go on unsigned: the new line then says so.
pub fn reseal(records: Records<'_>, request: Request<'_>) -> Checked<Resealed> {
    let Request {
        file,
        at,
        reason,
        unsigned,
    } = request;
    let Records { workspace, key, .. } = records;
    let keeper = Keeper::load(workspace, file);
    let signed = is_signed(workspace, file)?;
    if key.is_none() && signed && !unsigned {
        return Err(findings::secret_missing(file));
    }
    // Whoever lost the key goes on from a journal that is whole.
    let key_lost = key.is_none() && signed;
    if !key_lost {
        keeper.check_broken(workspace, file, key)?;
    }
    let head = keeper.head();
    let standing = standing_of(workspace, file, head);
    let last = last_number(workspace, file)?;
    let verified = verified::head_of(workspace, file, key).map_or(0, |head| head.seq);
    let seq = head.map_or(0, |head| head.seq).max(last).max(verified) + 1;
    let segment = seal(workspace, file, at, head)?;
    let raw = Raw {
        timestamp: at,
        event: RESEAL,
        reason,
        unsigned: unsigned && key.is_none(),
        v: VERSION,
        seq,
        prev: segment.sha256,
        segment: &segment,
        standing,
    };
    let mut bytes = line::finish(&raw, key);
    let head = Head {
        seq,
        sha256: Digest::of(&bytes),
    };
    bytes.push(b'\n');
    write::replace_rarely(workspace, file, &bytes)?;
    let state_moved = keeper.is_useless();
    if state_moved {
        let name = keeper.file();
        write::rename(workspace, name, &format!("{name}.unreadable"))?;
    }
    if file != STATE_JOURNAL {
        heads::store(records, file, head)?;
    }
    // What was verified is sealed now; the new journal is this line.
    verified::store(records, at, [(file.to_owned(), head)])?;
    Ok(Resealed {
        schema: 1,
        segment,
        head,
        state_moved,
    })
}

/// What keeps the head of a journal.
enum Keeper {
    State(Checked<Option<Box<StoredState>>>),
    Heads(Checked<Option<Head>>),
}

impl Keeper {
    fn load(workspace: &Workspace, file: &str) -> Self {
        if file == STATE_JOURNAL {
            return Self::State(StoredState::load(workspace).map(|state| state.map(Box::new)));
        }
        Self::Heads(heads::load(workspace).map(|heads| heads.get(file).copied()))
    }

    fn file(&self) -> &'static str {
        match self {
            Self::State(_) => state::FILE,
            Self::Heads(_) => HEADS_FILE,
        }
    }

    fn head(&self) -> Option<Head> {
        match self {
            Self::State(state) => state.as_ref().ok()?.as_ref()?.head(),
            Self::Heads(head) => head.as_ref().ok().copied().flatten(),
        }
    }

    /// True for a file that can't be read, and for a state file that only a reseal can make good.
    fn is_useless(&self) -> bool {
        match self {
            Self::State(Ok(state)) => state.as_ref().is_some_and(|state| state.needs_reseal()),
            Self::Heads(Ok(_)) => false,
            Self::State(Err(_)) | Self::Heads(Err(_)) => true,
        }
    }

    fn check_broken(
        &self,
        workspace: &Workspace,
        file: &str,
        key: Option<&SigningKey>,
    ) -> Checked<()> {
        let look = verified::since(workspace, file, key, 1);
        let broken = match self {
            Self::State(Err(_)) | Self::Heads(Err(_)) => return Ok(()),
            Self::State(Ok(state)) => {
                let inspected = journal::inspect(workspace, state.as_deref(), key, look)?;
                matches!(inspected, Inspection::Broken(_))
            }
            Self::Heads(Ok(head)) => ledger::problem(workspace, file, *head, key, look)?.is_some(),
        };
        let head = self.head();
        if broken
            || !verify::verify(workspace, file, Against { head, key })?
                .problems
                .is_empty()
        {
            return Ok(());
        }
        Err(Box::new(
            Diagnostic::new(
                Code::JournalWhole,
                Place::file(file),
                "the journal is whole, so there is nothing to reseal",
            )
            .found(format!(
                "a chain without a fault that {} agrees with",
                findings::named(self.file())
            ))
            .expected("a journal that `audit verify` calls broken")
            .help("nothing was changed; `policy-orchestrator audit verify` shows what is checked"),
        ))
    }
}

/// How responses stood at the end of their journal, as far as it can be read: a new journal must not
/// forget what nobody knows the outcome of.
fn standing_of(workspace: &Workspace, file: &str, recorded: Option<Head>) -> Option<Standing> {
    if file != RESPONSE_JOURNAL {
        return None;
    }
    Some(response_journal::standing_of_broken(workspace, recorded))
}

/// The journal as a file; `None` where there is none, or something that is none.
fn readable(workspace: &Workspace, file: &str) -> Checked<Option<InputFile>> {
    match workspace.open_input(file) {
        Ok(Opened::File(input)) => Ok(Some(input)),
        Err(error) if error.code == Code::FileUnreadable => Err(error),
        Ok(Opened::Absent) | Err(_) => Ok(None),
    }
}

/// True where any line carries a signature.
fn is_signed(workspace: &Workspace, file: &str) -> Checked<bool> {
    let Some(input) = readable(workspace, file)? else {
        return Ok(false);
    };
    let mut signed = false;
    verify::each_line(&input, input.size, &mut |line, _| {
        signed |= signing::is_signed(line);
    })?;
    Ok(signed)
}

/// The highest number of a line in the journal; 0 where there is none.
fn last_number(workspace: &Workspace, file: &str) -> Checked<u64> {
    let Some(input) = readable(workspace, file)? else {
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
fn seal(
    workspace: &Workspace,
    journal: &str,
    at: Timestamp,
    head: Option<Head>,
) -> Checked<Segment> {
    let (sha256, end) = match readable(workspace, journal)? {
        Some(input) => {
            let from = past::end_of(&input)?;
            let sha256 = verify::digest_from(&input, from)?;
            let end = SegmentEnd { from, sha256 };
            (Some(verify::digest_of(&input)?), Some(end))
        }
        None if std::fs::symlink_metadata(workspace.path(journal)).is_ok() => (None, None),
        None => {
            return Ok(Segment {
                file: None,
                sha256: Digest::of(b""),
                head,
                end: None,
            });
        }
    };
    write::make_directory(workspace, SEGMENTS_DIR)?;
    let name = journal.rsplit('/').next().unwrap_or(journal);
    let stem = name.strip_suffix(".jsonl").unwrap_or(name);
    for count in 0..SEGMENTS_A_SECOND {
        let number = if count == 0 {
            String::new()
        } else {
            format!("-{count}")
        };
        let file = format!(
            "{SEGMENTS_DIR}/{stem}.{}{number}.broken.jsonl",
            at.compact()
        );
        if std::fs::symlink_metadata(workspace.path(&file)).is_ok() {
            continue;
        }
        let kept = match sha256 {
            Some(_) => write::link(workspace, journal, &file),
            None => write::rename(workspace, journal, &file),
        };
        kept?;
        return Ok(Segment {
            file: sha256.map(|_| file),
            sha256: sha256.unwrap_or_else(|| Digest::of(b"")),
            head,
            end,
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
