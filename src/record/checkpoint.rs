//! Checkpoints: where every journal stood at a time, as a text that is kept elsewhere, and whether
//! the journals of today go on from it.
//!
//! Whoever holds the HMAC key can write a journal anew, and nobody could tell from the journal. A
//! checkpoint that was kept where they can't reach names the hash of a line, and with it everything
//! before. Who signed a checkpoint is known to [`crate::keys`] alone.

use super::line::{Chained, Head};
use super::verify::{Against, each_line, segment_before, verify};
use super::{JOURNALS, SigningKey, findings, segments};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::{InputFile, Opened, Workspace};
use crate::ids::Digest;
use crate::time::Timestamp;

/// What the first line of a checkpoint begins with; the name of the workspace follows.
pub const ORIGIN: &str = "policy-orchestrator/";

const TIME: &str = "time ";

/// Where the journals of a workspace stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The first line: `policy-orchestrator/` and a name.
    pub origin: String,
    /// The journals with a chain, and their ends.
    pub heads: Vec<(String, Head)>,
    /// When.
    pub at: Timestamp,
}

impl Checkpoint {
    /// Its text, as it is signed.
    pub fn to_text(&self) -> String {
        let mut text = format!("{}\n", self.origin);
        for (file, Head { seq, sha256 }) in &self.heads {
            text.push_str(&format!("{file} {seq} {sha256}\n"));
        }
        text.push_str(&format!("{TIME}{}\n", self.at));
        text
    }

    /// Reads a text. `name` says where it stands.
    pub fn parse(name: &str, text: &str) -> Checked<Self> {
        let refused = |line: usize, found: &str| {
            Box::new(
                Diagnostic::new(
                    Code::NoteUnreadable,
                    Place::line(name, line as u64 + 1),
                    "the note is no checkpoint of journals",
                )
                .found(found)
                .expected("`policy-orchestrator/NAME`, then `FILE NUMBER SHA256` for each journal, then `time TIME`")
                .help("`policy-orchestrator audit checkpoint` writes one"),
            )
        };
        let mut lines = text.lines().enumerate();
        let origin = lines.next().map(|(_, line)| line).unwrap_or_default();
        if !origin.starts_with(ORIGIN) {
            return Err(refused(0, origin));
        }
        let mut heads: Vec<(String, Head)> = Vec::new();
        for (index, line) in lines.by_ref() {
            if let Some(time) = line.strip_prefix(TIME) {
                let at = Timestamp::read(time)
                    .ok_or_else(|| refused(index, time))?
                    .time;
                if let Some((index, more)) = lines.next() {
                    return Err(refused(index, more));
                }
                let origin = origin.to_owned();
                return Ok(Self { origin, heads, at });
            }
            let (file, head) = head(line).ok_or_else(|| refused(index, line))?;
            let known = JOURNALS.contains(&file) && heads.iter().all(|(other, _)| other != file);
            if !known {
                return Err(refused(index, line));
            }
            heads.push((file.to_owned(), head));
        }
        Err(refused(heads.len(), "no time"))
    }
}

fn head(line: &str) -> Option<(&str, Head)> {
    let mut words = line.split(' ');
    let (file, seq, sha256) = (words.next()?, words.next()?, words.next()?);
    let head = Head {
        seq: seq.parse().ok()?,
        sha256: Digest::parse(sha256)?,
    };
    words.next().is_none().then_some((file, head))
}

/// What is wrong with a journal that is whole in itself: it does not go on from `kept`.
///
/// The line has to be there with its hash, in the journal or in a segment that was sealed before it.
/// In the journal the chain fixes all before it. A segment may have been sealed because it was
/// broken, so there the lines up to the kept one are checked again.
///
/// `by` is what names the line, in messages.
pub fn problems(
    workspace: &Workspace,
    (file, by): (&str, &str),
    kept: Head,
    key: Option<&SigningKey>,
) -> Checked<Vec<Diagnostic>> {
    let Opened::File(mut input) = workspace.open_input(file)? else {
        return Ok(vec![gone((file, by), kept, "no journal")]);
    };
    let mut found = None;
    let mut name = file.to_owned();
    // True while the chain goes on from line to line: through the journal and what was closed whole.
    let mut chained = true;
    let mut packed = false;
    loop {
        match position(&input, kept)? {
            Position::Here(_) if chained => return Ok(Vec::new()),
            Position::Here(line) if packed => {
                return Ok(chain_up_to(&input, &name, line)?.into_iter().collect());
            }
            Position::Here(line) => return up_to(workspace, &name, line, key),
            Position::Another(line) => return Ok(vec![another((&name, by), line, kept)]),
            Position::None { last } => {
                found.get_or_insert_with(|| format!("number {last} as the last record"));
            }
        }
        let before = segment_before(&input)?;
        let Some(segment) = before.filter(|segment| segment.sealed_file() != Some(&name)) else {
            break;
        };
        let Some(sealed) = segment.sealed_file() else {
            break;
        };
        packed = segment.packed.is_some();
        chained &= packed;
        sealed.clone_into(&mut name);
        // A broken file is looked at as it stands; that it was changed since is said elsewhere.
        input = if packed {
            match segments::open(workspace, &segment)? {
                Ok(plain) => plain,
                Err(_) => return Ok(vec![*findings::segment_changed(&name)]),
            }
        } else {
            match workspace.open_input(&name)? {
                Opened::File(file) => file,
                Opened::Absent => break,
            }
        };
    }
    let found = found.unwrap_or_else(|| "no journal".to_owned());
    Ok(vec![gone((file, by), kept, &found)])
}

/// Where a record stands in a file.
enum Position {
    /// On this line, counted from 1.
    Here(u64),
    /// The line has its number and another hash.
    Another(u64),
    /// Nowhere.
    None { last: u64 },
}

fn position(input: &InputFile, kept: Head) -> Checked<Position> {
    let (mut here, mut another, mut last, mut count) = (None, None, 0, 0);
    each_line(input, input.size, &mut |line, _| {
        count += 1;
        let Some(chained) = Chained::parse(line) else {
            return;
        };
        last = chained.seq;
        if chained.seq != kept.seq {
            return;
        }
        if Digest::of(line) == kept.sha256 {
            here = Some(count);
        } else {
            another = Some(count);
        }
    })?;
    Ok(match (here, another) {
        (Some(line), _) => Position::Here(line),
        (None, Some(line)) => Position::Another(line),
        (None, None) => Position::None { last },
    })
}

/// What is wrong with a segment up to a line of it.
fn up_to(
    workspace: &Workspace,
    segment: &str,
    line: u64,
    key: Option<&SigningKey>,
) -> Checked<Vec<Diagnostic>> {
    let sealed = verify(workspace, segment, Against::nothing(key))?;
    let before = |problem: &Diagnostic| problem.place.line.is_none_or(|at| at <= line);
    Ok(sealed.problems.into_iter().filter(before).collect())
}

/// The same of a closed segment before a broken one, of which nothing behind it speaks.
fn chain_up_to(input: &InputFile, segment: &str, line: u64) -> Checked<Option<Diagnostic>> {
    let (mut count, mut holds) = (0, true);
    let mut last: Option<Digest> = None;
    each_line(input, input.size, &mut |bytes, _| {
        count += 1;
        if count > line {
            return;
        }
        if let (Some(last), Some(chained)) = (last, Chained::parse(bytes)) {
            holds &= Digest::parse(chained.prev) == Some(last);
        }
        last = Some(Digest::of(bytes));
    })?;
    Ok((!holds).then(|| *findings::segment_changed(segment)))
}

fn another((file, by): (&str, &str), line: u64, kept: Head) -> Diagnostic {
    Diagnostic::new(
        Code::HeadDiffers,
        Place::line(file, line),
        format!("number {} is not the record that the {by} names", kept.seq),
    )
    .found("another SHA-256")
    .expected(format!("the SHA-256 {}", kept.sha256.short()))
    .help(HELP)
}

fn gone((file, by): (&str, &str), kept: Head, found: &str) -> Diagnostic {
    Diagnostic::new(
        Code::EndCut,
        Place::file(file),
        format!(
            "the journal lacks the record number {} that the {by} names",
            kept.seq
        ),
    )
    .found(found)
    .expected(format!(
        "number {} with the SHA-256 {}",
        kept.seq,
        kept.sha256.short()
    ))
    .help(HELP)
}

const HELP: &str = "the history was rewritten or put back since: restore `state/` from version control, and ask who holds the signing secret";

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        let head = |seq| Head {
            seq,
            sha256: Digest::of(b"line"),
        };
        Checkpoint {
            origin: "policy-orchestrator/project".to_owned(),
            heads: vec![
                (JOURNALS[0].to_owned(), head(41)),
                (JOURNALS[3].to_owned(), head(3)),
            ],
            at: Timestamp::read("2026-01-31T04:45:00Z").unwrap().time,
        }
    }

    #[test]
    fn the_text_is_pinned_and_read_again() {
        let text = checkpoint().to_text();
        assert_eq!(
            text,
            "policy-orchestrator/project\n\
             state/policy_state_log.jsonl 41 38a9c1e721584da284b90ceea4ed7eb8db15ac4ea86c2c75ec925d5f8799fcf0\n\
             state/trust_lock_log.jsonl 3 38a9c1e721584da284b90ceea4ed7eb8db15ac4ea86c2c75ec925d5f8799fcf0\n\
             time 2026-01-31T04:45:00+00:00\n"
        );
        assert_eq!(Checkpoint::parse("c", &text).unwrap(), checkpoint());
    }

    #[test]
    fn what_is_no_checkpoint_is_refused() {
        let text = checkpoint().to_text();
        let twice = text.replace("trust_lock_log", "policy_state_log");
        for wrong in [
            String::new(),
            "somebody else\n".to_owned(),
            "policy-orchestrator/a\n".to_owned(),
            text.replace("time", "Time"),
            text.replace("2026", "x"),
            text.replace("41", "-1"),
            text.replace("38a9", "38a"),
            text.replace("state/trust", "../trust"),
            text.replace(" 41 ", "  41 "),
            format!("{text}more\n"),
            twice,
        ] {
            let found = Checkpoint::parse("c", &wrong).unwrap_err();
            assert_eq!(found.code, Code::NoteUnreadable, "{wrong}");
        }
    }
}
