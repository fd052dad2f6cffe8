//! Verification of a whole journal, in constant memory.
//!
//! Every stored line is hashed as it stands, never re-serialised, and held against the digest that
//! the next line names; the end is held against a head that was kept elsewhere. What a reader
//! without the signing key can and can't conclude from that is said in SECURITY.md.

use std::collections::BTreeSet;
use std::os::unix::fs::FileExt as _;

use memchr::memchr;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::eras::{Before, Forwards, Mismatch, Signature};
use super::findings::{broken_help, wrong_signature};
use super::line::{Chained, Head, Segment};
use super::signing::{KeyId, SigningKey};
use super::{LINE_LIMIT, POLICIES_DIR};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::read::read_own;
use crate::fs::{InputFile, Opened, Workspace};
use crate::ids::Digest;

/// How much is read at a time.
const CHUNK: usize = 256 * 1024;

/// More problems than this are counted, not listed.
const LISTED: usize = 20;

/// What a journal is held against.
#[derive(Debug, Clone, Copy)]
pub struct Against<'a> {
    /// The head that was kept elsewhere.
    pub head: Option<Head>,
    /// The signing key.
    pub key: Option<&'a SigningKey>,
}

impl<'a> Against<'a> {
    /// Only its own chain, and the key where there is one.
    pub fn nothing(key: Option<&'a SigningKey>) -> Self {
        Self { head: None, key }
    }
}

/// What a journal is found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every chained line is the one that the next names, and the end is the one kept elsewhere.
    Whole,
    /// A plain log that was never appended to and has no recorded head, which is no fault.
    Unchained,
    /// There is none.
    Absent,
    /// It was changed.
    Broken,
}

/// The result of verifying one journal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// The file, relative to the workspace.
    pub file: String,
    /// What it is.
    pub verdict: Verdict,
    /// All lines.
    pub lines: u64,
    /// The lines of a plain log that the first chained line adopted.
    pub adopted: u64,
    /// Lines whose signature is the key's.
    pub signed: u64,
    /// Lines without a signature.
    pub unsigned: u64,
    /// Lines whose signature is not the key's.
    pub wrong: u64,
    /// Lines with a signature, and no key to check it with.
    pub unchecked: u64,
    /// The key that the last signed line is by, where there is a key to tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
    /// That key, where it is one from before the key at hand: the journal was not handed over yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_key: Option<KeyId>,
    /// The last chained line.
    pub head: Option<Head>,
    /// The sealed segment before this file, where a reseal began it.
    pub segment: Option<Segment>,
    /// True where the file ends in a line that was never finished, which a kill explains.
    pub torn: bool,
    /// What is wrong, the first twenty.
    pub problems: Vec<Diagnostic>,
    /// How many problems there are in all.
    pub problem_count: usize,
}

/// Verifies one journal of the workspace.
pub fn verify(workspace: &Workspace, file: &str, against: Against<'_>) -> Checked<Verification> {
    let mut pass = Pass::new(file, against);
    let Opened::File(input) = workspace.open_input(file)? else {
        if let Some(head) = against.head {
            pass.problem(pass.end_cut(head, "no journal"));
        }
        return Ok(pass.finish(Verdict::Absent));
    };
    let walked = each_line(&input, input.size, &mut |line, ended| {
        pass.line(line, ended);
    });
    if let Err(error) = walked {
        if error.code != Code::LineTooLong {
            return Err(error);
        }
        pass.problem(*error);
    }
    pass.foreign_are_wrong();
    pass.check_end();
    pass.check_segment(workspace)?;
    pass.check_policies(workspace)?;
    let verdict = if pass.expected.is_some() {
        Verdict::Whole
    } else {
        Verdict::Unchained
    };
    Ok(pass.finish(verdict))
}

/// Calls `each` with every line of the first `length` bytes, without its newline, and whether a
/// newline ended it.
pub fn each_line(input: &InputFile, length: u64, each: &mut dyn FnMut(&[u8], bool)) -> Checked<()> {
    let mut buffer = vec![0; CHUNK];
    let mut filled = 0;
    let mut at = 0;
    while at < length {
        if filled == buffer.len() {
            if buffer.len() as u64 > LINE_LIMIT {
                return Err(too_long(input));
            }
            buffer.resize(buffer.len() * 2, 0);
        }
        let room = buffer.get_mut(filled..).unwrap_or_default();
        let wanted = usize::try_from(length - at)
            .unwrap_or(usize::MAX)
            .min(room.len());
        let part = room.get_mut(..wanted).unwrap_or_default();
        let count = input
            .file
            .read_at(part, at)
            .map_err(|error| input.failed(&error))?;
        if count == 0 {
            break;
        }
        at += count as u64;
        let known = filled;
        filled += count;
        let used = hand_out(buffer.get(..filled).unwrap_or_default(), known, each);
        buffer.copy_within(used..filled, 0);
        filled -= used;
    }
    if filled > 0 {
        each(buffer.get(..filled).unwrap_or_default(), false);
    }
    Ok(())
}

/// Hands out the whole lines of `bytes`, whose first `known` hold no newline, and tells how many
/// bytes they were.
fn hand_out(bytes: &[u8], known: usize, each: &mut dyn FnMut(&[u8], bool)) -> usize {
    let (mut begin, mut search) = (0, known);
    while let Some(found) = memchr(b'\n', bytes.get(search..).unwrap_or_default()) {
        let end = search + found;
        each(bytes.get(begin..end).unwrap_or_default(), true);
        begin = end + 1;
        search = begin;
    }
    begin
}

/// The bytes of a file from an offset to its end, at most a line's length of them.
pub fn read_from(input: &InputFile, offset: u64) -> Checked<Vec<u8>> {
    let length = input.size.saturating_sub(offset).min(LINE_LIMIT);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    input
        .file
        .read_exact_at(&mut bytes, offset)
        .map_err(|error| input.failed(&error))?;
    Ok(bytes)
}

/// One pass over a journal.
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent facts about the lines so far"
)]
struct Pass<'a> {
    against: Against<'a>,
    result: Verification,
    /// The running digest of what stands before the first chained line, but for the newline that
    /// ends its last line: a plain log may have ended without one.
    plain: Sha256,
    plain_bytes: u64,
    plain_newline: bool,
    /// The last chained line: what the next one has to name.
    expected: Option<Head>,
    /// True where the last line was reported already.
    reported: bool,
    was_signed: bool,
    keys: Forwards<'a>,
    foreign: Foreign,
    head_seen: bool,
    policies: BTreeSet<String>,
    last_policy: String,
}

/// Lines by a key that is not at hand, until it is known whether a handover covers them.
#[derive(Default)]
struct Foreign {
    count: u64,
    listed: Vec<Diagnostic>,
}

impl Foreign {
    fn add(&mut self, finding: Diagnostic) {
        self.count += 1;
        if self.listed.len() < LISTED {
            self.listed.push(finding);
        }
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

impl<'a> Pass<'a> {
    fn new(file: &str, against: Against<'a>) -> Self {
        let result = Verification {
            file: file.to_owned(),
            verdict: Verdict::Absent,
            lines: 0,
            adopted: 0,
            signed: 0,
            unsigned: 0,
            wrong: 0,
            unchecked: 0,
            key: None,
            old_key: None,
            head: None,
            segment: None,
            torn: false,
            problems: Vec::new(),
            problem_count: 0,
        };
        Self {
            against,
            result,
            plain: Sha256::new(),
            plain_bytes: 0,
            plain_newline: false,
            expected: None,
            reported: false,
            was_signed: false,
            keys: Forwards::new(against.key),
            foreign: Foreign::default(),
            head_seen: false,
            policies: BTreeSet::new(),
            last_policy: String::new(),
        }
    }

    fn finish(mut self, verdict: Verdict) -> Verification {
        self.result.head = self.expected;
        self.result.key = self.keys.turn();
        self.result.old_key = self.keys.not_handed_over();
        self.result.verdict = if self.result.problem_count > 0 {
            Verdict::Broken
        } else {
            verdict
        };
        self.result
    }

    fn problem(&mut self, problem: Diagnostic) {
        self.result.problem_count += 1;
        if self.result.problems.len() < LISTED {
            self.result.problems.push(problem);
        }
    }

    fn line(&mut self, line: &[u8], ended: bool) {
        self.result.lines += 1;
        let chained = Chained::parse(line);
        if !ended && (self.expected.is_some() || self.against.head.is_some()) {
            self.unfinished();
            return;
        }
        let Some(chained) = chained else {
            return self.unchained(line, ended);
        };
        let Some(prev) = Digest::parse(chained.prev) else {
            return self.unchained(line, ended);
        };
        let head = Head {
            seq: chained.seq,
            sha256: Digest::of(line),
        };
        let was_reported = std::mem::take(&mut self.reported);
        match self.expected {
            None => self.first_chained(&chained, prev),
            Some(before) => self.follows(before, head, prev, was_reported),
        }
        self.signature(line, head.seq);
        self.note_policy(chained.doc);
        if self.against.head.is_some_and(|kept| kept.seq == head.seq) {
            self.head_seen = true;
            self.same_as_kept(head);
        }
        self.expected = Some(head);
    }

    /// A last line without a newline: what a kill leaves, unless a head says that it was whole.
    fn unfinished(&mut self) {
        self.result.lines -= 1;
        self.result.torn = true;
    }

    fn unchained(&mut self, line: &[u8], ended: bool) {
        if self.expected.is_none() {
            self.take_plain_newline();
            self.plain.update(line);
            self.plain_bytes += line.len() as u64;
            self.plain_newline = ended;
            self.result.adopted += 1;
            return;
        }
        let finding = Diagnostic::new(Code::LineUnreadable, self.here(), "the line is no record")
            .found(String::from_utf8_lossy(line))
            .expected("a chained line, with `seq` and `prev`")
            .help(broken_help(&self.result.file));
        self.problem(finding);
        self.reported = true;
    }

    fn first_chained(&mut self, chained: &Chained<'_>, prev: Digest) {
        self.result.segment.clone_from(&chained.segment);
        let adopted = chained.adopted.unwrap_or(0);
        if adopted != self.plain_bytes {
            self.take_plain_newline();
        }
        let before = Digest::finish(self.plain.clone());
        let expected = chained
            .segment
            .as_ref()
            .map_or(before, |segment| segment.sha256);
        if prev != expected || adopted != self.plain_bytes {
            let finding = Diagnostic::new(
                Code::LineChanged,
                self.here(),
                "what stands before the first chained line is not what it names",
            )
            .found(format!(
                "{} bytes with the SHA-256 {}",
                self.plain_bytes,
                before.short()
            ))
            .expected(format!("{adopted} bytes with the SHA-256 {}", prev.short()))
            .help(broken_help(&self.result.file));
            self.problem(finding);
        }
    }

    fn take_plain_newline(&mut self) {
        if self.plain_newline {
            self.plain.update(b"\n");
            self.plain_bytes += 1;
            self.plain_newline = false;
        }
    }

    fn follows(&mut self, before: Head, head: Head, prev: Digest, was_reported: bool) {
        let line = self.result.lines;
        if head.seq != before.seq + 1 {
            let finding = out_of_order(&self.result.file, Some(line), before.seq, head.seq);
            self.problem(finding);
        } else if prev != before.sha256 && !was_reported {
            let finding = changed(&self.result.file, Some(line - 1), before.seq);
            self.problem(finding);
        }
    }

    fn signature(&mut self, line: &[u8], seq: u64) {
        let (signature, before) = self.keys.take(line);
        match before {
            Before::Open => {}
            Before::Covered => self.foreign.clear(),
            Before::Wrong => self.foreign_are_wrong(),
        }
        match signature {
            Signature::None => self.result.unsigned += 1,
            Signature::Right => self.result.signed += 1,
            Signature::Unchecked => self.result.unchecked += 1,
            Signature::Wrong(mismatch) => self.wrong_signature(seq, mismatch),
            Signature::Foreign(mismatch) => {
                self.result.unchecked += 1;
                let finding = self.signature_finding(seq, mismatch);
                self.foreign.add(finding);
            }
        }
        if signature == Signature::None && self.was_signed {
            let file_line = Some(self.result.lines);
            let finding = missing_signature(&self.result.file, file_line, seq);
            self.problem(finding);
        }
        self.was_signed |= signature != Signature::None;
    }

    fn wrong_signature(&mut self, seq: u64, mismatch: Mismatch) {
        self.result.wrong += 1;
        let finding = self.signature_finding(seq, mismatch);
        self.problem(finding);
    }

    fn signature_finding(&self, seq: u64, mismatch: Mismatch) -> Diagnostic {
        let line = Some(self.result.lines);
        wrong_signature(&self.result.file, line, seq, mismatch)
    }

    /// No handover covers the lines by a key that is not at hand.
    fn foreign_are_wrong(&mut self) {
        let Foreign { count, listed } = std::mem::take(&mut self.foreign);
        self.result.unchecked -= count;
        self.result.wrong += count;
        let unlisted = usize::try_from(count).unwrap_or(usize::MAX) - listed.len();
        for finding in listed {
            self.problem(finding);
        }
        self.result.problem_count += unlisted;
    }

    fn note_policy(&mut self, policy: Option<&str>) {
        let Some(policy) = policy else { return };
        // Most lines name the policy of the line before.
        if policy != self.last_policy {
            policy.clone_into(&mut self.last_policy);
            self.policies.insert(policy.to_owned());
        }
    }

    fn same_as_kept(&mut self, head: Head) {
        if self
            .against
            .head
            .is_some_and(|kept| kept.sha256 != head.sha256)
        {
            let finding = Diagnostic::new(
                Code::HeadDiffers,
                self.here(),
                format!(
                    "number {} is not the record that the kept head names",
                    head.seq
                ),
            )
            .found(format!("the SHA-256 {}", head.sha256.short()))
            .expected(self.against.head.map_or_else(String::new, |kept| {
                format!("the SHA-256 {}", kept.sha256.short())
            }))
            .help(broken_help(&self.result.file));
            self.problem(finding);
        }
    }

    fn check_end(&mut self) {
        let Some(kept) = self.against.head else {
            return;
        };
        let resealed = self
            .result
            .segment
            .as_ref()
            .is_some_and(|segment| segment.head == Some(kept));
        if self.head_seen || resealed {
            return;
        }
        let found = match self.expected {
            Some(last) => format!("number {} as the last record", last.seq),
            None => "no chained line".to_owned(),
        };
        self.problem(self.end_cut(kept, &found));
    }

    fn end_cut(&self, kept: Head, found: &str) -> Diagnostic {
        Diagnostic::new(
            Code::EndCut,
            Place::line(&self.result.file, self.result.lines.max(1)),
            format!(
                "the journal lacks the record number {} that the kept head names",
                kept.seq
            ),
        )
        .found(found)
        .expected(format!(
            "number {} with the SHA-256 {}",
            kept.seq,
            kept.sha256.short()
        ))
        .help(broken_help(&self.result.file))
    }

    /// A sealed segment has to be the file that its successor names, and so has the one before it.
    fn check_segment(&mut self, workspace: &Workspace) -> Checked<()> {
        let mut next = self.result.segment.clone();
        while let Some(segment) = next.take() {
            let Segment {
                file: Some(file),
                sha256,
                ..
            } = &segment
            else {
                break;
            };
            if segment.sealed_file().is_none() {
                self.problem(
                    Diagnostic::new(
                        Code::SegmentChanged,
                        Place::file(&self.result.file),
                        "the first line names a segment where none can be",
                    )
                    .found(file)
                    .expected("a file in `state/segments/`")
                    .help(broken_help(&self.result.file)),
                );
                break;
            }
            let found = match workspace.open_input(file)? {
                Opened::Absent => "no such file".to_owned(),
                Opened::File(input) => match digest_of(&input)? {
                    digest if digest == *sha256 => {
                        next = segment_before(&input)?;
                        continue;
                    }
                    digest => format!("the SHA-256 {}", digest.short()),
                },
            };
            self.problem(
                Diagnostic::new(
                    Code::SegmentChanged,
                    Place::file(file),
                    "a sealed segment is gone or changed",
                )
                .found(found)
                .expected(format!("the SHA-256 {}", sha256.short()))
                .help("restore it from version control"),
            );
        }
        Ok(())
    }

    /// Every policy document that a line names is kept, so that the decision can be made again.
    fn check_policies(&mut self, workspace: &Workspace) -> Checked<()> {
        for policy in std::mem::take(&mut self.policies) {
            let file = format!("{POLICIES_DIR}/{policy}");
            let kept = match Digest::parse(&policy) {
                Some(_) => read_own(workspace, &file, LINE_LIMIT)?,
                None => None,
            };
            let found = match kept {
                Some(bytes) if Digest::of(&bytes).to_string() == policy => continue,
                Some(_) => "other bytes",
                None => "no such file",
            };
            self.problem(
                Diagnostic::new(
                    Code::PolicyCopyChanged,
                    Place::file(file),
                    "a policy document that decisions rest on is gone or changed",
                )
                .found(found)
                .expected("the document whose SHA-256 is its name")
                .help("restore it from version control"),
            );
        }
        Ok(())
    }

    fn here(&self) -> Place {
        Place::line(&self.result.file, self.result.lines)
    }
}

/// The segment that the first line of a sealed one names, if it is itself the successor of one.
pub fn segment_before(input: &InputFile) -> Checked<Option<Segment>> {
    let length = input.size.min(LINE_LIMIT);
    let mut start = vec![0; usize::try_from(length).unwrap_or(0)];
    input
        .file
        .read_exact_at(&mut start, 0)
        .map_err(|error| input.failed(&error))?;
    let line = start
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    Ok(Chained::parse(line).and_then(|chained| chained.segment))
}

/// The digest of a whole file, in constant memory.
pub fn digest_of(input: &InputFile) -> Checked<Digest> {
    digest_from(input, 0)
}

/// The digest of a file from a byte on.
pub fn digest_from(input: &InputFile, mut at: u64) -> Checked<Digest> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = input
            .file
            .read_at(&mut buffer, at)
            .map_err(|error| input.failed(&error))?;
        let Some(part) = buffer.get(..count).filter(|part| !part.is_empty()) else {
            return Ok(Digest::finish(hasher));
        };
        hasher.update(part);
        at += count as u64;
    }
}

fn place(file: &str, line: Option<u64>) -> Place {
    Place {
        line,
        ..Place::file(file)
    }
}

/// The finding for a line whose bytes are not those that the next line names.
pub fn changed(file: &str, line: Option<u64>, seq: u64) -> Diagnostic {
    Diagnostic::new(
        Code::LineChanged,
        place(file, line),
        format!("number {seq} was changed after it was written"),
    )
    .found("bytes with another SHA-256 than the next line names")
    .expected("the bytes that were written")
    .help(broken_help(file))
}

/// The finding for a number that does not follow the one before.
pub(super) fn out_of_order(file: &str, line: Option<u64>, before: u64, found: u64) -> Diagnostic {
    let what = if found > before + 1 {
        "lines are missing before this one"
    } else {
        "a line was put in or moved here"
    };
    Diagnostic::new(Code::LineOrder, place(file, line), what)
        .found(format!("number {found} behind number {before}"))
        .expected(format!("number {}", before + 1))
        .help(broken_help(file))
}

/// The finding for an unsigned line behind signed ones.
pub(super) fn missing_signature(file: &str, line: Option<u64>, seq: u64) -> Diagnostic {
    Diagnostic::new(
        Code::SignatureMissing,
        place(file, line),
        format!("number {seq} is not signed, and lines before it are"),
    )
    .found("no signature")
    .expected("a signature: once a line is signed, later ones must be")
    .help(broken_help(file))
}

fn too_long(input: &InputFile) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::LineTooLong,
            Place::file(&input.name),
            "a line is too long for a record",
        )
        .found(format!("more than {LINE_LIMIT} bytes without an end"))
        .expected("lines as the product writes them")
        .help(broken_help(&input.name)),
    )
}
