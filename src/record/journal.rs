//! The end of a journal: is it what the last decision left behind, and how to append to it.
//!
//! A run looks at the end only, so that its cost does not grow with the history: it walks back
//! from the last line to the head that the state file names. [`super::verify`] checks a whole
//! journal. What a kill can leave behind is mended here; what no kill can leave behind is broken.

use chrono::TimeDelta;
use sha2::{Digest as _, Sha256};

use super::line::{Chained, Head, Link, RecordedLine, VERSION};
use super::signing::{self, Signature, SigningKey};
use super::{LINE_LIMIT, STATE_JOURNAL, StoredState, verify};
use crate::decision::Before;
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::reverse::ReverseLines;
use crate::fs::write::{self, AppendFile};
use crate::fs::{InputFile, Opened, RetryDelays, Workspace, WriteError};
use crate::ids::Digest;
use crate::policy::Level;
use crate::time::Timestamp;

/// Where an unfinished last line is moved.
pub const TORN_FILE: &str = "state/policy_state_log.jsonl.torn";

/// What stands at the end of the journal.
#[derive(Debug)]
pub enum Inspection {
    /// It goes on from what the last decision left behind.
    Whole(Box<JournalTail>),
    /// It does not. Never empty.
    Broken(Vec<Diagnostic>),
}

/// The end of a journal that can be continued.
#[derive(Debug, Clone, PartialEq)]
pub struct JournalTail {
    /// How many bytes count; what lies behind them is a torn line.
    pub length: u64,
    /// The last chained line.
    pub head: Option<Head>,
    /// The last decision recorded, where the end holds one.
    pub last: Option<RecordedLine>,
    /// The decision before the next one.
    pub before: Option<Before>,
    /// A line that was never finished: where it begins.
    pub torn: Option<u64>,
    /// How many decisions the state file had not seen.
    pub ahead: usize,
    /// The bytes so far are a plain log that the next line adopts, without a newline at their end.
    pub open_end: bool,
    /// How many chained lines were looked at.
    pub looked_at: usize,
}

impl JournalTail {
    fn empty(state: Option<&StoredState>) -> Self {
        let before = state.map(StoredState::as_before);
        Self {
            length: 0,
            head: None,
            last: None,
            before,
            torn: None,
            ahead: 0,
            open_end: false,
            looked_at: 0,
        }
    }
}

/// Why somebody looks at the end of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To append: a signed journal needs its key.
    Append,
    /// To read: at least the last so many lines are checked, the signatures where there is a key.
    Look {
        /// How many lines.
        lines: usize,
    },
}

/// Looks at the end of the journal of decisions. `state` is the state file, read before.
///
/// Fails where the journal can't be read, was written by a newer version, or is signed and is to be
/// appended to without a key: then nobody knows whether it is broken.
pub fn inspect(
    workspace: &Workspace,
    state: Option<&StoredState>,
    key: Option<&SigningKey>,
    purpose: Purpose,
) -> Checked<Inspection> {
    let recorded = state.and_then(StoredState::head);
    if let Some(problem) = state.and_then(unusable) {
        return Ok(Inspection::Broken(vec![problem]));
    }
    let input = match workspace.open_input(STATE_JOURNAL) {
        Ok(Opened::File(input)) if input.size > 0 => input,
        // What is no file any more was put there; what can't be read may be readable again.
        Err(error) if recorded.is_some() && error.code != Code::FileUnreadable => {
            return Ok(Inspection::Broken(vec![error.help(BROKEN_HELP)]));
        }
        Err(error) => return Err(error),
        Ok(_) => {
            return Ok(match recorded {
                Some(head) => Inspection::Broken(vec![end_cut(head, "an empty journal, or none")]),
                None => Inspection::Whole(Box::new(JournalTail::empty(state))),
            });
        }
    };
    let tail = JournalTail {
        length: input.size,
        ..JournalTail::empty(state)
    };
    let mut walk = Walk {
        key,
        purpose,
        problems: Vec::new(),
        tail,
        lines: Vec::new(),
        looked_at: 0,
        begins: false,
        successor_unsigned: None,
        refusal: None,
    };
    match walk.back_to(&input, recorded) {
        Ok(()) => {}
        Err(error) if error.code == Code::LineTooLong => {
            return Ok(Inspection::Broken(vec![*error]));
        }
        Err(error) => return Err(error),
    }
    walk.finish(workspace, &input, state)
}

impl Purpose {
    fn is_satisfied(self, looked_at: usize) -> bool {
        match self {
            // One line beyond the last, for its signature: see `check_signature`.
            Self::Append => looked_at >= 2,
            Self::Look { lines } => looked_at >= lines,
        }
    }
}

/// The way back from the end of the journal to the recorded head.
struct Walk<'k> {
    key: Option<&'k SigningKey>,
    purpose: Purpose,
    problems: Vec<Diagnostic>,
    tail: JournalTail,
    /// The decisions from the end back to the recorded head, last one first.
    lines: Vec<RecordedLine>,
    /// How many chained lines were looked at.
    looked_at: usize,
    /// True where the last chained line is the first one.
    begins: bool,
    /// The number of the line after the one looked at, where that line is not signed.
    successor_unsigned: Option<u64>,
    /// Why nothing may be appended although the end is not broken.
    refusal: Option<Box<Diagnostic>>,
}

/// What the line after the one looked at says about it.
struct Successor {
    seq: u64,
    prev: Digest,
}

impl Walk<'_> {
    fn back_to(&mut self, input: &InputFile, recorded: Option<Head>) -> Checked<()> {
        let mut reverse = ReverseLines::new(input, LINE_LIMIT);
        let mut after: Option<Successor> = None;
        let (mut first, mut reached) = (true, false);
        while let Some(line) = reverse.next_line()? {
            if first && !line.ended {
                self.tail.torn = Some(line.offset);
                first = false;
                continue;
            }
            first = false;
            let Some(chained) = Chained::parse(line.bytes) else {
                // A plain log as far as can be seen; with a recorded head it is no journal of ours.
                if !reached && (recorded.is_some() || after.is_some()) {
                    self.problems.push(unreadable_line(line.bytes));
                }
                return Ok(());
            };
            let Some(prev) = Digest::parse(chained.prev) else {
                self.problems.push(unreadable_line(line.bytes));
                return Ok(());
            };
            let head = Head {
                seq: chained.seq,
                sha256: Digest::of(line.bytes),
            };
            self.check_against(after.as_ref(), head);
            self.check_signature(line.bytes, head.seq);
            if chained.v > VERSION {
                self.refusal = Some(newer(chained.v));
            }
            if self.tail.head.is_none() {
                self.begins =
                    chained.seq == 1 || chained.adopted.is_some() || chained.segment.is_some();
                self.tail.head = Some(head);
            }

            if !reached {
                reached = self.reached(recorded, head, &chained);
                self.lines.extend(RecordedLine::parse(line.bytes));
            }
            self.looked_at += 1;
            let enough = reached && self.purpose.is_satisfied(self.looked_at);
            if enough || chained.segment.is_some() || !self.problems.is_empty() {
                return Ok(());
            }
            after = Some(Successor {
                seq: chained.seq,
                prev,
            });
        }
        if let Some(head) = recorded.filter(|_| !reached) {
            self.problems
                .push(end_cut(head, "a journal that does not hold it"));
        }
        Ok(())
    }

    fn check_against(&mut self, after: Option<&Successor>, head: Head) {
        let Some(after) = after else { return };
        if after.prev != head.sha256 {
            self.problems
                .push(verify::changed(STATE_JOURNAL, None, head.seq));
        } else if after.seq != head.seq + 1 {
            self.problems.push(verify::out_of_order(
                STATE_JOURNAL,
                None,
                head.seq,
                after.seq,
            ));
        }
    }

    /// Once a line is signed, later ones must be. A reseal that goes on unsigned begins a journal, so
    /// nothing stands before it.
    fn check_signature(&mut self, line: &[u8], seq: u64) {
        let signature = signing::check(line, self.key);
        if signature == Signature::None {
            self.successor_unsigned = Some(seq);
            return;
        }
        if let Some(unsigned) = self.successor_unsigned.take() {
            self.problems
                .push(verify::missing_signature(STATE_JOURNAL, None, unsigned));
        }
        match signature {
            Signature::Unchecked if self.purpose == Purpose::Append => {
                self.refusal = Some(secret_missing());
            }
            Signature::Wrong => {
                self.problems
                    .push(verify::wrong_signature(STATE_JOURNAL, None, seq));
            }
            _ => {}
        }
    }

    /// True where the walk has come to the head that the state file names, or has none to go to.
    fn reached(&mut self, recorded: Option<Head>, head: Head, chained: &Chained<'_>) -> bool {
        let Some(recorded) = recorded else {
            return true;
        };
        if chained
            .segment
            .as_ref()
            .is_some_and(|segment| segment.head == Some(recorded))
        {
            return true;
        }
        if head.seq > recorded.seq {
            return false;
        }
        if head.seq < recorded.seq {
            self.problems.push(end_cut(
                recorded,
                &format!("a journal that ends with number {}", head.seq),
            ));
        } else if head.sha256 != recorded.sha256 {
            self.problems.push(head_differs(recorded, head));
        }
        true
    }

    fn finish(
        mut self,
        workspace: &Workspace,
        input: &InputFile,
        state: Option<&StoredState>,
    ) -> Checked<Inspection> {
        if !self.problems.is_empty() {
            return Ok(Inspection::Broken(self.problems));
        }
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        self.tail.looked_at = self.looked_at;
        let recorded = state.and_then(StoredState::head);
        if self.tail.head.is_none() {
            return self.adopt(input, state);
        }
        if let Some(torn) = self.tail.torn {
            self.tail.length = torn;
        }
        if recorded.is_none() {
            // No head to hold the end against, so the whole chain has to speak for itself.
            let whole =
                verify::verify(workspace, STATE_JOURNAL, verify::Against::nothing(self.key))?;
            if !whole.problems.is_empty() {
                return Ok(Inspection::Broken(whole.problems));
            }
        }
        if let Some(problem) = state.and_then(|state| self.contradiction(state, recorded)) {
            return Ok(Inspection::Broken(vec![problem]));
        }
        self.tail.ahead = self
            .lines
            .iter()
            .filter(|line| recorded.is_none_or(|recorded| line.seq > recorded.seq))
            .count();
        if recorded.is_none() && state.is_none() {
            self.tail.before = before_of(input)?;
        } else {
            self.tail.before = self.fold(
                state
                    .filter(|_| recorded.is_some())
                    .map(StoredState::as_before),
                recorded,
            );
        }
        self.tail.last = self.lines.into_iter().next();
        Ok(Inspection::Whole(Box::new(self.tail)))
    }

    /// What the state file says otherwise than the line that it belongs to. One without a head is
    /// the predecessor's where the chain only begins; beside a longer chain it belongs to the last
    /// line, or was changed.
    fn contradiction(&self, state: &StoredState, recorded: Option<Head>) -> Option<Diagnostic> {
        if state.is_broken() {
            return None;
        }
        let line = match recorded {
            Some(recorded) => self.lines.iter().find(|line| line.seq == recorded.seq)?,
            None if self.begins => return None,
            None => self.lines.first()?,
        };
        let differences = state.differences(line);
        (!differences.is_empty()).then(|| state_differs(line.seq, &differences))
    }

    /// The decision before the next: that of the state file, and then those the state file had not
    /// seen.
    fn fold(&self, mut before: Option<Before>, recorded: Option<Head>) -> Option<Before> {
        let unseen = |line: &&RecordedLine| recorded.is_none_or(|recorded| line.seq > recorded.seq);
        for line in self.lines.iter().rev().filter(unseen) {
            let since = before
                .as_ref()
                .filter(|before| before.level == line.level)
                .map_or(line.at, |before| before.since);
            before = Some(line.as_before(since));
        }
        before
    }

    /// A plain log, or nothing: the next line adopts the bytes so far. A last line that was never
    /// finished is not adopted, be it the log's or a first one of ours; one that lacks nothing but
    /// its newline is.
    fn adopt(mut self, input: &InputFile, state: Option<&StoredState>) -> Checked<Inspection> {
        if let Some(torn) = self.tail.torn {
            let line = verify::read_from(input, torn)?;
            let is_plain = Chained::parse(&line).is_none()
                && serde_json::from_slice::<serde::de::IgnoredAny>(&line).is_ok();
            self.tail.open_end = is_plain;
            if is_plain {
                self.tail.torn = None;
            } else {
                self.tail.length = torn;
            }
        }
        if plain_prefix(input, self.tail.length)?.chained {
            return Ok(Inspection::Broken(vec![unreadable_line(
                b"a plain line behind chained ones",
            )]));
        }
        self.tail.before = state.map(StoredState::as_before);
        Ok(Inspection::Whole(Box::new(self.tail)))
    }
}

/// The level and its beginning out of the journal alone, for a workspace whose state file is gone.
fn before_of(input: &InputFile) -> Checked<Option<Before>> {
    let mut reverse = ReverseLines::new(input, LINE_LIMIT);
    let mut before: Option<Before> = None;
    while let Some(line) = reverse.next_line()? {
        let Some(recorded) = RecordedLine::parse(line.bytes) else {
            continue;
        };
        match &mut before {
            None => before = Some(recorded.as_before(recorded.at)),
            Some(before) if before.level == recorded.level => before.since = recorded.at,
            Some(_) => break,
        }
    }
    Ok(before)
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
pub fn link(workspace: &Workspace, tail: &JournalTail) -> Checked<Link> {
    if let Some(head) = tail.head {
        return Ok(Link {
            seq: head.seq + 1,
            prev: head.sha256,
            adopted: None,
        });
    }
    let plain = match workspace.open_input(STATE_JOURNAL)? {
        Opened::File(input) if tail.length > 0 => plain_prefix(&input, tail.length)?,
        _ => {
            return Ok(Link {
                seq: 1,
                prev: Digest::of(b""),
                adopted: None,
            });
        }
    };
    Ok(Link {
        seq: plain.lines + 1,
        prev: plain.sha256,
        adopted: Some(tail.length),
    })
}

/// Moves an unfinished last line into a file beside the journal, so that the next record is not
/// glued to it.
pub fn move_torn_aside(
    workspace: &Workspace,
    tail: &JournalTail,
    retry: &RetryDelays,
) -> Result<(), Box<Diagnostic>> {
    let Some(torn) = tail.torn else { return Ok(()) };
    let Opened::File(input) = workspace.open_input(STATE_JOURNAL)? else {
        return Ok(());
    };
    let mut bytes = verify::read_from(&input, torn)?;
    bytes.push(b'\n');
    let moved = retry.retry(|| {
        let length = std::fs::metadata(workspace.path(TORN_FILE)).map_or(0, |status| status.len());
        write::append(workspace, TORN_FILE, &bytes, length)
    });
    let moved = moved.and_then(|()| retry.retry(|| write::cut(workspace, STATE_JOURNAL, torn)));
    moved.map_err(|error| Box::new(error.into_diagnostic()))
}

/// The warning that goes with it.
pub fn torn_moved(line: u64) -> Diagnostic {
    Diagnostic::new(Code::TornTailMoved, Place::file(STATE_JOURNAL), "the journal ended in a line that was never finished; it was moved aside")
        .found(format!("an unfinished line at byte {line}, as a kill or a power cut leaves it"))
        .expected("a newline at the end")
        .help(format!("nothing that was acknowledged is lost; look at {TORN_FILE} if you want to know what was being written"))
}

/// The warning for a state file that was behind its journal.
pub fn state_mended(ahead: usize) -> Diagnostic {
    Diagnostic::new(
        Code::StateMended,
        Place::file(super::state::FILE),
        "the state file was behind the journal, as after a kill, and is mended",
    )
    .found(format!(
        "{ahead} decision{} that it had not seen",
        if ahead == 1 { "" } else { "s" }
    ))
    .expected("the last decision of the journal")
    .help("nothing to do: the journal is the truth")
}

/// The note that a plain log becomes a journal.
pub fn adopted(bytes: u64) -> Diagnostic {
    Diagnostic::new(
        Code::JournalAdopted,
        Place::file(STATE_JOURNAL),
        "this journal began as a plain log; it is chained from here on",
    )
    .found(format!("{bytes} bytes without a chain"))
    .expected("a chained journal")
    .help("nothing to do: what stands there so far is hashed into the new line")
}

/// Appends `line` (without its newline) as the commit of a record.
pub fn append(
    workspace: &Workspace,
    line: &[u8],
    tail: &JournalTail,
    retry: &RetryDelays,
) -> Result<(), WriteError> {
    let mut record = Vec::with_capacity(line.len() + 2);
    if tail.open_end {
        record.push(b'\n');
    }
    record.extend_from_slice(line);
    record.push(b'\n');
    let mut open: Option<AppendFile> = None;
    retry.retry(|| {
        let mut file = match open.take() {
            Some(file) => file,
            None => AppendFile::open(workspace, STATE_JOURNAL)?,
        };
        let appended = file.append(&record, tail.length);
        open = Some(file);
        appended
    })
}

/// The decision that the journal records under the number `seq`, or the last one.
pub fn find(workspace: &Workspace, seq: Option<u64>) -> Checked<Option<RecordedLine>> {
    let Opened::File(input) = workspace.open_input(STATE_JOURNAL)? else {
        return Ok(None);
    };
    let mut reverse = ReverseLines::new(&input, LINE_LIMIT);
    while let Some(line) = reverse.next_line()? {
        let Some(recorded) = RecordedLine::parse(line.bytes).filter(|_| line.ended) else {
            continue;
        };
        if seq.is_none_or(|seq| seq == recorded.seq) {
            return Ok(Some(recorded));
        }
    }
    Ok(None)
}

/// True where `at` is so long after the last on-time decision that the schedule is late.
pub fn is_late(last: Timestamp, at: Timestamp) -> bool {
    at.since(last) > LATE_AFTER
}

/// A daily schedule is late after this (row C-65).
pub const LATE_AFTER: TimeDelta = TimeDelta::hours(26);

pub(super) fn secret_missing() -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(Code::SecretMissing, Place::file(STATE_JOURNAL), "the journal is signed, and no signing secret is set")
            .found("a signed last line, and no secret in the environment")
            .expected("the secret that signed it")
            .help("set POLICY_AUDIT_SECRET, or POLICY_AUDIT_SECRET_FILE to a file that holds it; nothing was recorded"),
    )
}

fn newer(version: u32) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::FormatNewer,
            Place::file(STATE_JOURNAL),
            "the journal was written by a newer version",
        )
        .found(format!("a line of version {version}"))
        .expected(format!("at most version {VERSION}"))
        .help("use that version here; nothing was recorded"),
    )
}

const BROKEN_HELP: &str = "find out who changed it (`policy-orchestrator audit verify`), restore it from version control, or go on with `policy-orchestrator audit reseal --reason TEXT`";

/// Why a state file can't be gone on from, whatever the journal says.
fn unusable(state: &StoredState) -> Option<Diagnostic> {
    if state.is_broken() && state.level != Level::RED {
        return Some(state_differs(
            0,
            &[format!(
                "policy {} over a journal that it calls broken",
                state.level
            )],
        ));
    }
    if state.is_broken() && state.head().is_none() {
        return Some(head_lost());
    }
    state.needs_reseal().then(state_was_changed)
}

fn state_was_changed() -> Diagnostic {
    Diagnostic::new(
        Code::StateDiffers,
        Place::file(super::state::FILE),
        "the state file had been changed when a run replaced it by this RED",
    )
    .found("a state file that said something else than its record")
    .expected("somebody who has looked into it")
    .help("restore `state/` from version control, or go on with `policy-orchestrator audit reseal --reason TEXT`")
}

fn head_lost() -> Diagnostic {
    Diagnostic::new(
        Code::JournalBroken,
        Place::file(super::state::FILE),
        "the state file was unreadable, and the head of the journal that it named is lost",
    )
    .found("a state file without a head, written over one that could not be read")
    .expected("the head that the last recorded decision left")
    .help(BROKEN_HELP)
}

fn end_cut(head: Head, found: &str) -> Diagnostic {
    Diagnostic::new(
        Code::EndCut,
        Place::file(STATE_JOURNAL),
        format!(
            "the journal lacks the record number {} that the state file names",
            head.seq
        ),
    )
    .found(found)
    .expected(format!(
        "number {} with the SHA-256 {}",
        head.seq,
        head.sha256.short()
    ))
    .help(BROKEN_HELP)
}

fn head_differs(recorded: Head, found: Head) -> Diagnostic {
    Diagnostic::new(
        Code::HeadDiffers,
        Place::file(STATE_JOURNAL),
        format!(
            "the record number {} is not the one that the state file names",
            recorded.seq
        ),
    )
    .found(format!("the SHA-256 {}", found.sha256.short()))
    .expected(format!("the SHA-256 {}", recorded.sha256.short()))
    .help(BROKEN_HELP)
}

fn unreadable_line(line: &[u8]) -> Diagnostic {
    Diagnostic::new(
        Code::LineUnreadable,
        Place::file(STATE_JOURNAL),
        "a line at the end of the journal is no record",
    )
    .found(String::from_utf8_lossy(line))
    .expected("a chained line, with `seq` and `prev`")
    .help(BROKEN_HELP)
}

/// The finding for a state file that contradicts the line that it names.
pub fn state_differs(seq: u64, differences: &[String]) -> Diagnostic {
    Diagnostic::new(
        Code::StateDiffers,
        Place::file(super::state::FILE),
        format!("the state file says something else than the record number {seq} that it names"),
    )
    .found(differences.join("; "))
    .expected("what that record says")
    .help(BROKEN_HELP)
}
