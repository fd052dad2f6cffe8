//! Every recorded decision made again under the document that its line names: is it reproduced, byte
//! for byte?
//!
//! A line is written again from what the new decision says and from the values, the time and the
//! level before that it records, in the form of [`crate::record::line`], and held against the stored
//! bytes (without a signature, which [`crate::record::verify`] checks). Each line's hash is held
//! against what the next line names, so that a changed value is told as that line even where the
//! decision stays the same. Whether the chain is whole otherwise is not asked here.

use serde::Serialize;

use super::walk::{Entry, Line, Source};
use super::{Findings, LeftOut, Selection};
use crate::decision::{Before, Decision, Earlier, JournalHealth, LockHealth, Situation, evaluate};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::fs::read::read_own;
use crate::ids::{Digest, ReasonCode, distinct};
use crate::policy::{LONGEST_LOOK, Level, Policy, document};
use crate::record::line::{self, Chained, Link};
use crate::record::{
    Head, LINE_LIMIT, POLICIES_DIR, RecordedLine, findings as record_findings, segments, signing,
};
use crate::time::Timestamp;

/// As many parsed documents are held; most lines name the document of the line before.
const HELD: usize = 8;

/// As many documents are told apart.
const TOLD: usize = 256;

/// What a replay came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Replayed {
    /// The files that were read.
    pub read: Vec<String>,
    /// How many decisions were to be made again.
    pub decisions: u64,
    /// How many of them came out as they are recorded, to the byte, on a line that was not changed.
    pub reproduced: u64,
    /// How many came out otherwise.
    pub differing: u64,
    /// How many lines have other bytes than the next line, or the state file, names.
    pub changed: u64,
    /// How many rest on a document that is gone or changed.
    pub without_document: u64,
    /// Lines that can't be read.
    pub unreadable: u64,
    /// How many have another `before` than the level of the line before: as behind a reseal, or a
    /// broken journal that was put back.
    pub other_before: u64,
    /// What was left out.
    pub left_out: LeftOut,
    /// The documents that lines name, in the order in which they come.
    pub documents: Vec<Document>,
    /// What is wrong, line by line.
    #[serde(flatten)]
    pub findings: Findings,
}

impl Replayed {
    /// True where every decision is reproduced, and nothing is missing.
    pub fn is_reproduced(&self) -> bool {
        self.findings.count == 0
    }
}

/// A document that lines name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Document {
    /// Its digest.
    pub sha256: Digest,
    /// Its name; absent where it is gone or changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How many decisions rest on it.
    pub decisions: u64,
    /// How many of them are reproduced.
    pub reproduced: u64,
}

/// Makes every decision again. `head` is what the state file names as the last line.
pub fn replay(
    workspace: &Workspace,
    source: &Source,
    selection: Selection,
    head: Option<Head>,
) -> Checked<Replayed> {
    let mut replay = Replay {
        workspace,
        selection,
        result: Replayed {
            read: source.files().into_iter().map(str::to_owned).collect(),
            decisions: 0,
            reproduced: 0,
            differing: 0,
            changed: 0,
            without_document: 0,
            unreadable: 0,
            other_before: 0,
            left_out: LeftOut::default(),
            documents: Vec::new(),
            findings: Findings::default(),
        },
        held: Vec::new(),
        before: None,
        history: Vec::new(),
        open: None,
        file: String::new(),
        failed: None,
    };
    for problem in &source.problems {
        replay.result.findings.add(problem.clone());
    }
    for segment in source.segments() {
        replay.check_segment(segment)?;
    }
    source.each(&mut |line| replay.line(line))?;
    replay.close_with(head);
    match replay.failed {
        Some(error) => Err(error),
        None => Ok(replay.result),
    }
}

/// One pass over the history.
struct Replay<'a> {
    workspace: &'a Workspace,
    selection: Selection,
    result: Replayed,
    /// The documents that were used last, the last one first; `None` for one that is not there.
    held: Vec<(Digest, Option<Policy>)>,
    /// The decision of the line before.
    before: Option<Before>,
    /// What was recorded before, the oldest first: at least as much as a policy can look back on.
    history: Vec<Earlier>,
    /// The line before, until its hash is known to be right.
    open: Option<OpenLine>,
    /// The file that is read.
    file: String,
    /// Why the pass can't be made.
    failed: Option<Box<Diagnostic>>,
}

/// A line whose hash is not checked yet.
struct OpenLine {
    place: Place,
    seq: u64,
    sha256: Digest,
    decided: Option<Decided>,
}

/// A decision that was made again.
struct Decided {
    document: Digest,
    finding: Option<Diagnostic>,
}

impl Replay<'_> {
    fn line(&mut self, line: Line<'_>) {
        if line.file != self.file {
            self.close();
            line.file.clone_into(&mut self.file);
        }
        let place = Place::line(line.file, line.number);
        match line.entry {
            Entry::Fixed(fixed) => {
                let link = fixed.prev().map(|prev| Link {
                    seq: fixed.seq,
                    prev,
                    adopted: fixed.adopted,
                });
                self.follow(link.map(|link| link.prev));
                if let Some(recorded) = fixed.to_recorded() {
                    self.decision(place, line.bytes, &recorded, link);
                }
            }
            Entry::Other(recorded) => {
                let link = link_of(line.bytes, recorded.seq);
                self.follow(link.map(|link| link.prev));
                self.decision(place, line.bytes, &recorded, link);
            }
            Entry::Marker { prev } => {
                self.follow(prev);
                self.result.left_out.markers += 1;
                let seq = Chained::parse(line.bytes).map_or(0, |chained| chained.seq);
                self.open = Some(OpenLine {
                    place,
                    seq,
                    sha256: Digest::of(line.bytes),
                    decided: None,
                });
            }
            Entry::Unreadable(finding) => {
                self.close();
                self.result.unreadable += 1;
                self.result.findings.add(*finding);
            }
            other @ (Entry::Plain | Entry::Torn) => self.result.left_out.count(&other),
        }
    }

    /// The line before is what the next one names, or it was changed.
    fn follow(&mut self, prev: Option<Digest>) {
        let changed = match (&self.open, prev) {
            (Some(open), Some(prev)) => open.sha256 != prev,
            _ => false,
        };
        self.settle(changed);
    }

    /// Nothing is known that names the line before.
    fn close(&mut self) {
        self.settle(false);
    }

    /// The state file names the last line.
    fn close_with(&mut self, head: Option<Head>) {
        let changed = match (&self.open, head) {
            (Some(open), Some(head)) => open.seq == head.seq && open.sha256 != head.sha256,
            _ => false,
        };
        self.settle(changed);
    }

    fn settle(&mut self, changed: bool) {
        let Some(open) = self.open.take() else { return };
        self.result.changed += u64::from(changed);
        let (document, finding) = match open.decided {
            Some(decided) => (Some(decided.document), decided.finding),
            None => (None, None),
        };
        if document.is_some() && finding.is_none() && !changed {
            self.result.reproduced += 1;
            if let Some(document) = document.and_then(|sha256| self.told(sha256)) {
                document.reproduced += 1;
            }
        }
        let finding = match (finding, changed) {
            (finding, false) => finding,
            (Some(finding), true) => Some(Diagnostic {
                message: format!(
                    "{}; and the line was changed after it was written, its hash is not what is named for it",
                    finding.message
                ),
                ..finding
            }),
            (None, true) => {
                let finding = record_findings::changed(&open.place.file, open.place.line, open.seq);
                let more = "; what is decided from it now is what stands there";
                let decides = document.is_some();
                Some(Diagnostic {
                    message: format!("{}{}", finding.message, if decides { more } else { "" }),
                    ..finding
                })
            }
        };
        if let Some(finding) = finding {
            self.result.findings.add(finding);
        }
    }

    fn decision(&mut self, place: Place, bytes: &[u8], line: &RecordedLine, link: Option<Link>) {
        let before = self.before.take();
        self.before = Some(line.as_before(since(before.as_ref(), &line.level, line.at)));
        let decided = if self.selection.is_within(line.at) {
            self.result.decisions += 1;
            let other = before.as_ref().map(|before| &before.level) != line.before.as_ref();
            self.result.other_before += u64::from(other);
            Some(self.again(&place, bytes, line, link, before.as_ref()))
        } else {
            self.result.left_out.outside += 1;
            None
        };
        if self.history.len() >= 2 * LONGEST_LOOK {
            self.history.drain(..LONGEST_LOOK);
        }
        self.history.push(line.clone().into_earlier());
        self.open = Some(OpenLine {
            place,
            seq: line.seq,
            sha256: Digest::of(bytes),
            decided,
        });
    }

    /// Decides again what a line records.
    fn again(
        &mut self,
        place: &Place,
        bytes: &[u8],
        line: &RecordedLine,
        link: Option<Link>,
        before: Option<&Before>,
    ) -> Decided {
        self.hold(line.policy);
        let policy = self.held.first().and_then(|(_, policy)| policy.as_ref());
        let finding = match policy {
            Some(policy) => {
                let past = (before, self.history.as_slice());
                compare(place, bytes, line, link, policy, past)
            }
            None => Some(no_document(place, line.policy)),
        };
        match &finding {
            Some(finding) if finding.code == Code::PolicyCopyChanged => {
                self.result.without_document += 1;
            }
            Some(_) => self.result.differing += 1,
            None => {}
        }
        let identity = policy.map(|policy| policy.identity().clone());
        if self.told(line.policy).is_none() && self.result.documents.len() < TOLD {
            let (name, version) = identity
                .map(|identity| (identity.name, identity.version))
                .unzip();
            self.result.documents.push(Document {
                sha256: line.policy,
                name,
                version,
                decisions: 0,
                reproduced: 0,
            });
        }
        if let Some(document) = self.told(line.policy) {
            document.decisions += 1;
        }
        Decided {
            document: line.policy,
            finding,
        }
    }

    fn told(&mut self, sha256: Digest) -> Option<&mut Document> {
        let documents = self.result.documents.iter_mut();
        documents.rev().find(|document| document.sha256 == sha256)
    }

    /// Brings the document of that digest to the front of those that are held.
    fn hold(&mut self, sha256: Digest) {
        let place = self.held.iter().position(|(held, _)| *held == sha256);
        let document = match place {
            Some(0) => return,
            Some(place) => self.held.remove(place),
            None => (sha256, self.kept(sha256)),
        };
        self.held.insert(0, document);
        self.held.truncate(HELD);
    }

    /// The kept document whose bytes have that digest.
    fn kept(&mut self, sha256: Digest) -> Option<Policy> {
        let name = format!("{POLICIES_DIR}/{sha256}");
        match read_own(self.workspace, &name, LINE_LIMIT) {
            Ok(bytes) => bytes
                .filter(|bytes| Digest::of(bytes) == sha256)
                .map(|bytes| document::from_kept(&bytes)),
            Err(error) => {
                self.failed.get_or_insert(error);
                None
            }
        }
    }

    /// A sealed segment has to be the file that its successor names.
    fn check_segment(&mut self, segment: &line::Segment) -> Checked<()> {
        let Some(file) = segment.sealed_file() else {
            return Ok(());
        };
        let Err(found) = segments::open(self.workspace, segment)? else {
            return Ok(());
        };
        if self.workspace.path(file).exists() {
            let finding = record_findings::not_the_segment(segment, &found);
            self.result.findings.add(finding);
        }
        Ok(())
    }
}

/// Since when a level holds.
fn since(before: Option<&Before>, level: &Level, at: Timestamp) -> Timestamp {
    let unbroken = before.filter(|before| before.level == *level);
    unbroken.map_or(at, |before| before.since)
}

fn link_of(bytes: &[u8], seq: u64) -> Option<Link> {
    let chained = Chained::parse(bytes)?;
    Some(Link {
        seq,
        prev: Digest::parse(chained.prev)?,
        adopted: chained.adopted,
    })
}

/// Decides again, writes the line again, and holds it against what stands there.
fn compare(
    place: &Place,
    bytes: &[u8],
    recorded: &RecordedLine,
    link: Option<Link>,
    policy: &Policy,
    (before, history): (Option<&Before>, &[Earlier]),
) -> Option<Diagnostic> {
    let before = recorded.before.clone().map(|level| Before {
        at: before.map_or(recorded.at, |before| before.at),
        since: since(before, &level, recorded.at),
        held: recorded.held_before(before),
        level,
    });
    let decision = evaluate(Situation {
        policy,
        readings: &recorded.readings,
        before: before.as_ref(),
        history,
        at: recorded.at,
        journal: JournalHealth::Whole,
        lock: LockHealth::of(&recorded.reasons),
    });
    let codes = codes_of(&decision);
    if decision.level.name() != recorded.level.name()
        || codes != recorded.reasons.iter().collect::<Vec<_>>()
    {
        return Some(differs(place, recorded, &decision, &codes));
    }
    let entry = line::Entry {
        decision: &decision,
        readings: &recorded.readings,
        policy,
        given_clock: recorded.given_clock,
        run_id: recorded.run_id,
        failure: recorded.failure.as_ref(),
        held_before: recorded.held_before.as_ref(),
        lock: recorded.lock,
    };
    let written = link.map(|link| line::to_bytes(entry, link, None));
    let written = written.unwrap_or_default();
    let stored = signing::without_signature(bytes);
    if written.strip_suffix(b"}") == Some(stored) {
        return None;
    }
    Some(other_bytes(place, recorded.seq, stored, &written))
}

fn codes_of(decision: &Decision) -> Vec<&ReasonCode> {
    distinct(decision.reasons.iter().map(|reason| &reason.code))
}

fn in_words<'a>(level: &Level, codes: impl IntoIterator<Item = &'a ReasonCode>) -> String {
    let codes: Vec<&str> = codes.into_iter().map(ReasonCode::as_str).collect();
    if codes.is_empty() {
        format!("{level} without a reason")
    } else {
        format!("{level} by {}", codes.join(", "))
    }
}

fn differs(
    place: &Place,
    recorded: &RecordedLine,
    decision: &Decision,
    codes: &[&ReasonCode],
) -> Diagnostic {
    Diagnostic::new(
        Code::DecisionDiffers,
        place.clone(),
        format!("number {} is not what deciding again gives", recorded.seq),
    )
    .found(in_words(&recorded.level, &recorded.reasons))
    .expected(format!(
        "{}, as its values and its policy give",
        in_words(&decision.level, codes.iter().copied())
    ))
    .help("`policy-orchestrator audit verify` says whether the journal was changed")
}

/// The finding for a line that says the same in other bytes: from where they part.
fn other_bytes(place: &Place, seq: u64, stored: &[u8], written: &[u8]) -> Diagnostic {
    let same = stored
        .iter()
        .zip(written)
        .take_while(|(one, other)| one == other);
    let at = same.count();
    let from = |bytes: &[u8]| {
        let part = bytes.get(at..).unwrap_or_default();
        String::from_utf8_lossy(part.get(..60).unwrap_or(part)).into_owned()
    };
    Diagnostic::new(
        Code::RecordDiffers,
        place.clone().column(at as u64 + 1),
        format!("number {seq} records the decision in other bytes than it is written with"),
    )
    .found(format!("`{}`", from(stored)))
    .expected(format!("`{}`", from(written)))
    .help("`policy-orchestrator audit verify` says whether the journal was changed")
}

fn no_document(place: &Place, sha256: Digest) -> Diagnostic {
    Diagnostic::new(
        Code::PolicyCopyChanged,
        place.clone(),
        "the policy document that this decision rests on is gone or changed",
    )
    .found(format!(
        "no document with that SHA-256 as {POLICIES_DIR}/{sha256}"
    ))
    .expected("the document whose SHA-256 is its name")
    .help("restore it from version control")
}
