//! The end of a chained file, of whatever its lines record: is it what was left behind, and how to
//! append to it.
//!
//! Whoever appends looks at the end only, so that the cost does not grow with the history: from the
//! last line back to the head that was kept elsewhere. [`super::verify`] checks a whole file. What
//! the lines mean is the business of [`super::journal`] (decisions) and [`super::ledger`] (all
//! other journals). What a kill can leave behind is mended here; what no kill can leave behind is
//! broken.

use std::ops::ControlFlow;

use memchr::memmem;
use sha2::{Digest as _, Sha256};

use super::eras::{Backwards, Signature};
use super::line::{Chained, Head, Link, Segment, VERSION};
use super::signing::{self, KeyId, SigningKey};
use super::{LINE_LIMIT, findings, segments, verify};
use crate::diagnostic::{Checked, Code, Diagnostic};
use crate::fs::reverse::ReverseLines;
use crate::fs::write::{self, AppendFile};
use crate::fs::{InputFile, Opened, RetryDelays, Workspace, WriteError};
use crate::ids::Digest;

/// What stands at the end.
#[derive(Debug)]
pub enum Found {
    /// It goes on from what was left behind.
    Whole(End),
    /// It does not. Never empty.
    Broken(Vec<Diagnostic>),
}

/// The end of a chained file that can be continued.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct End {
    /// How many bytes count; what lies behind them is a torn line.
    pub length: u64,
    /// The last chained line.
    pub head: Option<Head>,
    /// A line that was never finished: where it begins.
    pub torn: Option<u64>,
    /// The bytes so far are a plain log that the next line adopts, without a newline at their end.
    pub open_end: bool,
    /// How many chained lines were looked at.
    pub looked_at: usize,
    /// True where the last chained line is the first one.
    pub begins: bool,
    /// True where lines are signed and there is no key to check them, or to go on, with.
    pub unchecked: bool,
    /// The key that signed it, where the journal was not handed over to the key at hand yet.
    pub old_key: Option<KeyId>,
}

/// Why somebody looks at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To append: a signed file needs its key.
    Append,
    /// To read: at least the last so many lines are checked, the signatures where there is a key.
    Look {
        /// How many lines.
        lines: usize,
    },
    /// As [`Purpose::Look`], and back to a line that is known to be whole with all before it.
    Since {
        /// How many lines.
        lines: usize,
        /// That line; `None` for the first one of the file.
        verified: Option<Head>,
    },
}

/// Which end to look at, and with what.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Where.
    pub workspace: &'a Workspace,
    /// The chained file, relative to the workspace.
    pub file: &'a str,
    /// The head that was kept elsewhere, and the file that keeps it.
    pub recorded: Option<Head>,
    /// That file.
    pub keeper: &'a str,
    /// The key that signs lines.
    pub key: Option<&'a SigningKey>,
    /// Why.
    pub purpose: Purpose,
}

/// A line that a look came by, without its newline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen<'a> {
    /// One from the last back to the recorded head; the last one alone, where none is recorded.
    New(&'a [u8]),
    /// One before those. The look has checked it or not: what it says may only accuse.
    Earlier(&'a [u8]),
    /// There is none before those in this file.
    Beginning,
}

/// Looks at the end of a chained file. `on_line` gets every line back to the recorded head, and
/// those before it until it breaks off: they are read already, as a rule.
///
/// Fails where the file can't be read, was written by a newer version, or is signed and is to be
/// appended to without a key: then nobody knows whether it is broken.
pub fn look(
    question: Question<'_>,
    on_line: &mut dyn FnMut(Seen<'_>) -> ControlFlow<()>,
) -> Checked<Found> {
    let Question {
        workspace,
        file,
        recorded,
        ..
    } = question;
    let input = match workspace.open_input(file) {
        Ok(Opened::File(input)) if input.size > 0 => input,
        // What is no file any more was put there; what can't be read may be readable again.
        Err(error) if recorded.is_some() && error.code != Code::FileUnreadable => {
            return Ok(Found::Broken(vec![error.help(findings::broken_help(file))]));
        }
        Err(error) => return Err(error),
        Ok(_) => {
            return Ok(match recorded {
                Some(head) => Found::Broken(vec![findings::end_cut(
                    question,
                    head,
                    "an empty journal, or none",
                )]),
                None => Found::Whole(End::default()),
            });
        }
    };
    let mut walk = Walk {
        question,
        problems: Vec::new(),
        end: End {
            length: input.size,
            ..End::default()
        },
        successor_unsigned: None,
        refusal: None,
        keys: Backwards::new(question.key),
    };
    match walk.back_to(&input, on_line) {
        Ok(()) => {}
        Err(error) if error.code == Code::LineTooLong => {
            return Ok(Found::Broken(vec![error.help(findings::broken_help(file))]));
        }
        Err(error) => return Err(error),
    }
    walk.finish(&input)
}

impl Purpose {
    fn is_satisfied(self, looked_at: usize, seq: u64) -> bool {
        match self {
            // One line beyond the last, for its signature: see `check_signature`.
            Self::Append => looked_at >= 2,
            Self::Look { lines } => looked_at >= lines,
            Self::Since { lines, verified } => {
                looked_at >= lines && verified.is_some_and(|verified| seq <= verified.seq)
            }
        }
    }
}

type OnLine<'f> = &'f mut dyn FnMut(Seen<'_>) -> ControlFlow<()>;

/// The way back from the end of the file to the recorded head.
struct Walk<'a> {
    question: Question<'a>,
    problems: Vec<Diagnostic>,
    end: End,
    /// The number of the line after the one looked at, where that line is not signed.
    successor_unsigned: Option<u64>,
    /// Why nothing may be appended although the end is not broken.
    refusal: Option<Box<Diagnostic>>,
    /// Which key counts where.
    keys: Backwards<'a>,
}

/// What the line after the one looked at says about it.
struct Successor {
    seq: u64,
    prev: Digest,
}

/// Where the walk is.
struct At {
    /// What the line behind says.
    after: Option<Successor>,
    /// True before the last line of all.
    first: bool,
    /// True where the recorded head was come to.
    reached: bool,
    /// Where the chain's members stood in the line behind.
    place: usize,
    /// True where nobody wants lines before the recorded head any more.
    is_over: bool,
}

impl Default for At {
    fn default() -> Self {
        Self {
            after: None,
            first: true,
            reached: false,
            place: 0,
            is_over: false,
        }
    }
}

impl At {
    /// Hands on a line before the recorded head, where somebody wants it.
    fn earlier(&mut self, line: &[u8], on_line: OnLine<'_>) {
        self.is_over = self.is_over || on_line(Seen::Earlier(line)).is_break();
    }

    /// Hands on the lines before those that were looked at. One that nobody can read tells nothing
    /// here; whether it may be there is asked elsewhere.
    fn further(&mut self, reverse: &mut ReverseLines<&InputFile>, on_line: OnLine<'_>) {
        while !self.is_over {
            match reverse.next_line() {
                Ok(Some(line)) => self.earlier(line.bytes, on_line),
                Ok(None) => {
                    self.is_over = true;
                    let _ = on_line(Seen::Beginning);
                }
                Err(_) => self.is_over = true,
            }
        }
    }
}

/// How a walk through one file ended.
enum Way {
    /// Enough was seen.
    Done,
    /// The file's beginning was come to.
    Beginning,
    /// It goes on in the segment before.
    Into(Box<Segment>),
}

/// The head of a line and what it is chained to, where its bytes are those that its successor names
/// and the chain's members stand as this version writes them: then no other member matters to a
/// look, and the line need not be parsed. `None` says nothing. `place` is where the members stood in
/// the line looked at before: in most journals, where they stand in this one.
fn follows(line: &[u8], after: &Successor, place: &mut usize) -> Option<(Head, Digest)> {
    if !line.get(*place..)?.starts_with(MEMBERS) {
        *place = memmem::find(line, MEMBERS)?;
    }
    let (seq, behind) = leading_number(line.get(*place + MEMBERS.len()..)?)?;
    if Some(seq) != after.seq.checked_sub(1) {
        return None;
    }
    let (prev, behind) = behind.strip_prefix(b",\"prev\":\"")?.split_at_checked(64)?;
    let prev = Digest::parse_bytes(prev)?;
    if begins_a_journal(behind) {
        return None;
    }
    let sha256 = Digest::of(line);
    (sha256 == after.prev).then_some((Head { seq, sha256 }, prev))
}

/// The chain's members as this version begins them.
const MEMBERS: &[u8] = b"\"v\":1,\"seq\":";
const _: () = assert!(VERSION == 1, "MEMBERS names the version");

/// The number at the front, as JSON writes one (without a zero before it), and what follows.
fn leading_number(text: &[u8]) -> Option<(u64, &[u8])> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, behind) = text.split_at_checked(length)?;
    if digits.first().is_none_or(|first| *first == b'0') {
        return None;
    }
    let number = digits.iter().try_fold(0_u64, |number, digit| {
        let digit = u64::from(digit - b'0');
        number.checked_mul(10)?.checked_add(digit)
    });
    Some((number?, behind))
}

/// True where what stands behind a line's `prev` says that the line begins a journal: right there, or
/// as the last member but for a signature.
fn begins_a_journal(behind: &[u8]) -> bool {
    let body = signing::without_signature(behind);
    let last = memchr::memrchr(b',', body).and_then(|comma| body.get(comma..));
    behind.starts_with(b"\",\"segment\":")
        || behind.starts_with(b"\",\"adopted\":")
        || last.is_some_and(|member| member.starts_with(b",\"adopted\":"))
}

impl Walk<'_> {
    fn back_to(&mut self, input: &InputFile, on_line: OnLine<'_>) -> Checked<()> {
        let mut at = At::default();
        let mut way = self.through(input, &mut at, on_line)?;
        while let Way::Into(segment) = way {
            match segments::open(self.question.workspace, &segment)? {
                Ok(input) => way = self.through(&input, &mut at, on_line)?,
                Err(found) => {
                    self.problems
                        .push(findings::not_the_segment(&segment, &found));
                    return Ok(());
                }
            }
        }
        let recorded = self.question.recorded.filter(|_| !at.reached);
        if let (Way::Beginning, Some(head)) = (way, recorded) {
            self.problems.push(findings::end_cut(
                self.question,
                head,
                "a journal that does not hold it",
            ));
        }
        Ok(())
    }

    /// One file from its end back.
    fn through(&mut self, input: &InputFile, at: &mut At, on_line: OnLine<'_>) -> Checked<Way> {
        let recorded = self.question.recorded;
        let mut reverse = ReverseLines::new(input, LINE_LIMIT);
        while let Some(line) = reverse.next_line()? {
            if std::mem::take(&mut at.first) && !line.ended {
                self.end.torn = Some(line.offset);
                continue;
            }
            let known = at.after.as_ref().filter(|_| at.reached);
            if let Some((head, prev)) =
                known.and_then(|after| follows(line.bytes, after, &mut at.place))
            {
                self.check_signature(line.bytes, head.seq);
                self.check_verified(head);
                self.end.looked_at += 1;
                at.earlier(line.bytes, on_line);
                if self.is_enough(head.seq) || !self.problems.is_empty() {
                    at.further(&mut reverse, on_line);
                    return Ok(Way::Done);
                }
                at.after = Some(Successor {
                    seq: head.seq,
                    prev,
                });
                continue;
            }
            let Some(chained) = Chained::parse(line.bytes) else {
                // A plain log as far as can be seen; behind a chained line, or with a recorded head,
                // it is no journal of ours.
                if recorded.is_some() || at.after.is_some() {
                    self.problems
                        .push(findings::unreadable_line(self.question.file, line.bytes));
                }
                return Ok(Way::Done);
            };
            let Some(prev) = Digest::parse(chained.prev) else {
                self.problems
                    .push(findings::unreadable_line(self.question.file, line.bytes));
                return Ok(Way::Done);
            };
            let head = Head {
                seq: chained.seq,
                sha256: Digest::of(line.bytes),
            };
            self.check_against(at.after.as_ref(), head);
            self.check_signature(line.bytes, head.seq);
            self.check_verified(head);
            if chained.v > VERSION {
                self.refusal = Some(findings::newer(self.question.file, chained.v));
            }
            if self.end.head.is_none() {
                self.end.begins =
                    chained.seq == 1 || chained.adopted.is_some() || chained.segment.is_some();
                self.end.head = Some(head);
            }

            if at.reached {
                at.earlier(line.bytes, on_line);
            } else {
                at.reached = self.reached(recorded, head, &chained);
                // Whoever breaks off at a new line still gets those before it that are new.
                at.is_over = on_line(Seen::New(line.bytes)).is_break();
            }
            self.end.looked_at += 1;
            if (at.reached && self.is_enough(head.seq)) || !self.problems.is_empty() {
                at.further(&mut reverse, on_line);
                return Ok(Way::Done);
            }
            at.after = Some(Successor {
                seq: chained.seq,
                prev,
            });
            let begins = chained.segment.is_some() || chained.adopted.is_some();
            match chained.segment.filter(|segment| segment.packed.is_some()) {
                Some(segment) if !at.reached || self.wants(head.seq) => {
                    return Ok(Way::Into(Box::new(segment)));
                }
                // What stands before the first chained line is a plain log, or nothing.
                _ if begins && at.reached => return Ok(Way::Done),
                _ => {}
            }
        }
        if at.reached {
            at.further(&mut reverse, on_line);
        }
        Ok(Way::Beginning)
    }

    /// True where a line before the number `seq` was verified and is to be come to.
    fn wants(&self, seq: u64) -> bool {
        let Purpose::Since { verified, .. } = self.question.purpose else {
            return false;
        };
        verified.is_some_and(|verified| verified.seq < seq)
    }

    fn is_enough(&self, seq: u64) -> bool {
        self.question.purpose.is_satisfied(self.end.looked_at, seq)
    }

    fn check_against(&mut self, after: Option<&Successor>, head: Head) {
        let Some(after) = after else { return };
        if after.prev != head.sha256 {
            self.problems
                .push(findings::changed(self.question.file, None, head.seq));
        } else if after.seq != head.seq + 1 {
            self.problems.push(findings::out_of_order(
                self.question.file,
                None,
                head.seq,
                after.seq,
            ));
        }
    }

    /// Once a line is signed, later ones must be. A reseal that goes on unsigned begins a journal, so
    /// nothing stands before it.
    fn check_signature(&mut self, line: &[u8], seq: u64) {
        let signature = self.keys.take(line);
        if signature == Signature::None {
            self.successor_unsigned = Some(seq);
            return;
        }
        if let Some(unsigned) = self.successor_unsigned.take() {
            self.problems.push(findings::missing_signature(
                self.question.file,
                None,
                unsigned,
            ));
        }
        match signature {
            Signature::Unchecked => {
                self.end.unchecked = true;
                if self.question.purpose == Purpose::Append {
                    self.refusal = Some(findings::secret_missing(self.question.file));
                }
            }
            Signature::Wrong(mismatch) => {
                let file = self.question.file;
                self.problems
                    .push(findings::wrong_signature(file, None, seq, mismatch));
            }
            _ => {}
        }
    }

    /// The line that was verified must still be the one that was.
    fn check_verified(&mut self, head: Head) {
        let Purpose::Since {
            verified: Some(verified),
            ..
        } = self.question.purpose
        else {
            return;
        };
        if verified.seq == head.seq && verified.sha256 != head.sha256 {
            self.problems
                .push(findings::changed(self.question.file, None, head.seq));
        }
    }

    /// True where the walk has come to the head that was kept elsewhere, or has none to go to.
    fn reached(&mut self, recorded: Option<Head>, head: Head, chained: &Chained<'_>) -> bool {
        let Some(recorded) = recorded else {
            return true;
        };
        let resealed = chained
            .segment
            .as_ref()
            .filter(|segment| segment.packed.is_none());
        if resealed.is_some_and(|segment| segment.head == Some(recorded)) {
            return true;
        }
        if head.seq > recorded.seq {
            return false;
        }
        if head.seq < recorded.seq {
            self.problems.push(findings::end_cut(
                self.question,
                recorded,
                &format!("a journal that ends with number {}", head.seq),
            ));
        } else if head.sha256 != recorded.sha256 {
            self.problems
                .push(findings::head_differs(self.question, recorded, head));
        }
        true
    }

    fn finish(mut self, input: &InputFile) -> Checked<Found> {
        if !self.problems.is_empty() {
            return Ok(Found::Broken(self.problems));
        }
        self.end.old_key = self.keys.not_handed_over();
        if let (Some(old), Some(key)) = (self.end.old_key, self.question.key)
            && self.question.purpose == Purpose::Append
        {
            let finding = findings::not_handed_over(self.question.file, old, key.id());
            self.refusal.get_or_insert(finding);
        }
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        if self.end.head.is_none() {
            return self.adopt(input);
        }
        if let Some(torn) = self.end.torn {
            self.end.length = torn;
        }
        let Question {
            workspace,
            file,
            recorded,
            key,
            purpose,
            ..
        } = self.question;
        let end = self.end.head.map_or(0, |head| head.seq);
        if let Purpose::Since {
            verified: Some(verified),
            ..
        } = purpose
            && verified.seq > end
        {
            let finding = findings::before_verified(file, verified, end);
            return Ok(Found::Broken(vec![finding]));
        }
        // No head to hold the end against, so the whole chain has to speak for itself; and what
        // was never verified is, from the first byte on.
        let unverified = matches!(purpose, Purpose::Since { verified: None, .. });
        if recorded.is_none() || unverified {
            let against = verify::Against {
                head: recorded,
                key,
            };
            let whole = verify::verify(workspace, file, against)?;
            if !whole.problems.is_empty() {
                return Ok(Found::Broken(whole.problems));
            }
        }
        Ok(Found::Whole(self.end))
    }

    /// A plain log, or nothing: the next line adopts the bytes so far. A last line that was never
    /// finished is not adopted, be it the log's or a first one of ours; one that lacks nothing but
    /// its newline is.
    fn adopt(mut self, input: &InputFile) -> Checked<Found> {
        if let Some(torn) = self.end.torn {
            let line = verify::read_from(input, torn)?;
            let is_plain = Chained::parse(&line).is_none()
                && serde_json::from_slice::<serde::de::IgnoredAny>(&line).is_ok();
            self.end.open_end = is_plain;
            if is_plain {
                self.end.torn = None;
            } else {
                self.end.length = torn;
            }
        }
        if plain_prefix(input, self.end.length)?.chained {
            return Ok(Found::Broken(vec![findings::unreadable_line(
                self.question.file,
                b"a plain line behind chained ones",
            )]));
        }
        Ok(Found::Whole(self.end))
    }
}

/// What a plain log holds before its first chained line.
struct Plain {
    sha256: Digest,
    lines: u64,
    chained: bool,
}

/// Looks at the first `length` bytes of a log.
fn plain_prefix(input: &InputFile, length: u64) -> Checked<Plain> {
    let mut plain = Plain {
        sha256: Digest::of(b""),
        lines: 0,
        chained: false,
    };
    let mut hasher = Sha256::new();
    verify::each_line(input, length, &mut |line, ended| {
        hasher.update(line);
        if ended {
            hasher.update(b"\n");
        }
        plain.lines += 1;
        plain.chained |= Chained::parse(line).is_some();
    })?;
    plain.sha256 = Digest::finish(hasher);
    Ok(plain)
}

/// What the next line of a journal with this end is chained to.
pub fn link(workspace: &Workspace, file: &str, end: &End) -> Checked<Link> {
    if let Some(head) = end.head {
        return Ok(Link {
            seq: head.seq + 1,
            prev: head.sha256,
            adopted: None,
        });
    }
    let first = Link {
        seq: 1,
        prev: Digest::of(b""),
        adopted: None,
    };
    if end.length == 0 {
        return Ok(first);
    }
    let Opened::File(input) = workspace.open_input(file)? else {
        return Ok(first);
    };
    let plain = plain_prefix(&input, end.length)?;
    Ok(Link {
        seq: plain.lines + 1,
        prev: plain.sha256,
        adopted: Some(end.length),
    })
}

/// Moves an unfinished last line into a file beside the journal, so that the next record is not
/// glued to it.
pub fn move_torn_aside(
    workspace: &Workspace,
    file: &str,
    end: &End,
    retry: &RetryDelays,
) -> Checked<()> {
    let Some(torn) = end.torn else { return Ok(()) };
    let aside = torn_file(file);
    let Opened::File(input) = workspace.open_input(file)? else {
        return Ok(());
    };
    let mut bytes = verify::read_from(&input, torn)?;
    bytes.push(b'\n');
    let moved = retry.retry(|| {
        let length = std::fs::metadata(workspace.path(&aside)).map_or(0, |status| status.len());
        write::append(workspace, &aside, &bytes, length)
    });
    let moved = moved.and_then(|()| retry.retry(|| write::cut(workspace, file, torn)));
    moved.map_err(Into::into)
}

/// Where an unfinished last line of `file` is moved.
pub fn torn_file(file: &str) -> String {
    format!("{file}.torn")
}

/// Appends `line` (without its newline) as the commit of a record.
pub fn append(
    workspace: &Workspace,
    file: &str,
    line: &[u8],
    end: &End,
    retry: &RetryDelays,
) -> Result<(), WriteError> {
    let mut record = Vec::with_capacity(line.len() + 2);
    if end.open_end {
        record.push(b'\n');
    }
    record.extend_from_slice(line);
    record.push(b'\n');
    let mut open: Option<AppendFile> = None;
    retry.retry(|| {
        let mut opened = match open.take() {
            Some(opened) => opened,
            None => AppendFile::open(workspace, file)?,
        };
        let appended = opened.append(&record, end.length);
        open = Some(opened);
        appended
    })
}
