//! Closing a whole journal into a sealed segment, so that the file in use stays small.
//!
//! The segment is packed under `state/segments/`, read back, and only then the journal is replaced by
//! one line, in one rename, that the chain goes on with: its `prev` is the digest of the last line, and
//! it names the segment's file with its digests. So a kill leaves the old journal or the new one; at
//! worst a segment that nobody names yet, which the next closing takes. Nothing is ever deleted.

use serde::Serialize;
use serde_json::value::RawValue;

use super::chain;
use super::line::{self, Chained, Head, Packed, Segment, VERSION};
use super::reseal::{SEGMENTS_DIR, stem};
use super::verify::digest_of;
use super::whole::{self, Whole};
use super::{Records, STATE_JOURNAL, findings, heads, ledger, segments, verified, verify};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::write::{self, rare_temporary};
use crate::fs::{InputFile, Opened, Workspace, pack};
use crate::ids::Digest;
use crate::time::Timestamp;

/// The event of the first line behind a closed segment.
pub const ROTATED: &str = "ROTATED";

/// How many segments may begin and end with the same numbers: a journal that was put back to an
/// earlier time is closed again.
const NAMES: u32 = 1000;

/// When a journal stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Never, if it holds anything that is not closed yet.
    Nothing,
    /// With at most so many lines.
    Lines(u64),
    /// With a first line that is at most so many days old.
    Days(u32),
}

/// What to close, when and by whom.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The journal.
    pub file: &'a str,
    /// When.
    pub at: Timestamp,
    /// True where the user gave the time.
    pub given_clock: bool,
    /// Who, as the environment says.
    pub user: &'a str,
    /// When it stays as it is.
    pub keep: Keep,
}

/// What became of a journal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Closing {
    /// The journal.
    pub file: String,
    /// The segment, where it was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<Segment>,
    /// The line that the journal goes on with, where it was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// Why it stays as it is, where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: Timestamp,
    event: &'static str,
    user: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<&'static str>,
    v: u32,
    seq: u64,
    prev: Digest,
    segment: &'a Segment,
    /// How things stand, in a journal whose last line tells that.
    #[serde(skip_serializing_if = "Option::is_none")]
    standing: Option<Box<RawValue>>,
}

/// Closes a journal. Refused where it is not whole, or signed and not by the key at hand.
pub fn close(records: Records<'_>, request: Request<'_>) -> Checked<Closing> {
    let Records {
        workspace,
        key,
        retry,
        ..
    } = records;
    let file = request.file;
    let Some(Whole { end, .. }) = whole::look(workspace, file, key)? else {
        return Ok(kept(file, "nothing is chained there"));
    };
    if end.unchecked {
        return Err(findings::secret_missing(file));
    }
    if let (Some(old), Some(key)) = (end.old_key, key) {
        return Err(findings::not_handed_over(file, old, key.id()));
    }
    let Some(head) = end.head else {
        return Ok(kept(file, "nothing is chained there"));
    };
    chain::move_torn_aside(workspace, file, &end, retry)?;
    let Opened::File(input) = workspace.open_input(file)? else {
        return Ok(kept(file, "nothing is chained there"));
    };
    let contents = Contents::of(&input)?;
    if let Some(why) = contents.stays(request) {
        return Ok(kept(file, &why));
    }
    let segment = seal(records, file, &input, &contents, head)?;
    let raw = Line {
        timestamp: request.at,
        event: ROTATED,
        user: request.user,
        clock: request.given_clock.then_some("given"),
        v: VERSION,
        seq: head.seq + 1,
        prev: head.sha256,
        segment: &segment,
        standing: standing(workspace, file)?,
    };
    let mut bytes = line::finish(&raw, key);
    let head = Head {
        seq: raw.seq,
        sha256: Digest::of(&bytes),
    };
    bytes.push(b'\n');
    retry.retry(|| write::replace_rarely(workspace, file, &bytes))?;
    // The state file stays as it is: the line that it names is the last of the segment.
    if file != STATE_JOURNAL {
        heads::store(records, file, head)?;
    }
    verified::store(records, request.at, [(file.to_owned(), head)])?;
    Ok(Closing {
        file: file.to_owned(),
        segment: Some(segment),
        head: Some(head),
        kept: None,
    })
}

fn kept(file: &str, why: &str) -> Closing {
    Closing {
        file: file.to_owned(),
        segment: None,
        head: None,
        kept: Some(why.to_owned()),
    }
}

/// What stands in a journal's file.
struct Contents {
    sha256: Digest,
    lines: u64,
    /// The number of the first line, those of an adopted log counted.
    first: u64,
    /// When the first line that tells a time was written.
    since: Option<Timestamp>,
    /// True where the only line is the first behind a segment.
    is_bare: bool,
}

impl Contents {
    fn of(input: &InputFile) -> Checked<Self> {
        #[derive(serde::Deserialize)]
        struct Time {
            #[serde(alias = "time")]
            timestamp: Timestamp,
        }
        let sha256 = digest_of(input)?;
        let (mut lines, mut first, mut since, mut begins) = (0, None, None, false);
        verify::each_line(input, input.size, &mut |line, _| {
            lines += 1;
            if first.is_none()
                && let Some(chained) = Chained::parse(line)
            {
                first = Some(chained.seq.saturating_sub(lines - 1).max(1));
                begins = chained.segment.is_some();
            }
            if since.is_none() {
                let time = serde_json::from_slice::<Time>(line);
                since = time.ok().map(|time| time.timestamp);
            }
        })?;
        Ok(Self {
            sha256,
            lines,
            first: first.unwrap_or(1),
            since,
            is_bare: begins && lines == 1,
        })
    }

    /// Why the journal stays as it is.
    fn stays(&self, request: Request<'_>) -> Option<String> {
        if self.is_bare {
            return Some("nothing was recorded since it was closed".to_owned());
        }
        match request.keep {
            Keep::Nothing => None,
            Keep::Lines(most) => (self.lines <= most)
                .then(|| format!("it has {} lines, at most {most} are kept", self.lines)),
            Keep::Days(most) => {
                let begin = request.at.minus(chrono::TimeDelta::days(i64::from(most)));
                let since = self.since.filter(|since| *since >= begin)?;
                Some(format!(
                    "it begins at {}, at most {most} days ago",
                    since.human()
                ))
            }
        }
    }
}

/// Packs the journal into a segment, and reads it back.
fn seal(
    records: Records<'_>,
    file: &str,
    input: &InputFile,
    contents: &Contents,
    head: Head,
) -> Checked<Segment> {
    let Records {
        workspace, retry, ..
    } = records;
    write::make_directory(workspace, SEGMENTS_DIR)?;
    let stem = stem(file);
    let Contents { first, lines, .. } = *contents;
    for count in 0..NAMES {
        let again = if count == 0 {
            String::new()
        } else {
            format!("-{count}")
        };
        let name = format!(
            "{SEGMENTS_DIR}/{stem}.{first:09}-{:09}{again}.jsonl.gz",
            head.seq
        );
        let is_free = std::fs::symlink_metadata(workspace.path(&name)).is_err();
        if is_free {
            pack::pack(workspace, input, &name, &rare_temporary(file), retry)?;
        }
        let Opened::File(packed) = workspace.open_input(&name)? else {
            return Err(findings::segment_changed(&name));
        };
        let segment = Segment {
            file: Some(name.clone()),
            sha256: contents.sha256,
            head: Some(head),
            end: None,
            packed: Some(Packed {
                sha256: digest_of(&packed)?,
                bytes: input.size,
                lines,
            }),
        };
        // What a closing left that was cut off is as good as what this one packs.
        match segments::open(workspace, &segment)? {
            Ok(_) => return Ok(segment),
            Err(_) if is_free => return Err(findings::segment_changed(&name)),
            Err(_) => {}
        }
    }
    Err(Box::new(
        Diagnostic::new(
            Code::WriteFailed,
            Place::file(SEGMENTS_DIR),
            "there is no free name for the segment",
        )
        .found(format!("{NAMES} segments of the same lines of {file}"))
        .expected("a name that is free")
        .help("find out why the journal was put back so often"),
    ))
}

/// How things stand after the last line, in its own bytes.
fn standing(workspace: &Workspace, file: &str) -> Checked<Option<Box<RawValue>>> {
    #[derive(serde::Deserialize)]
    struct Line {
        #[serde(default)]
        standing: Option<Box<RawValue>>,
    }
    let last = ledger::last_line(workspace, file)?;
    let line = last.and_then(|line| serde_json::from_slice::<Line>(&line).ok());
    Ok(line.and_then(|line| line.standing))
}
