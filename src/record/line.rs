//! One line of the journal of decisions: its bytes, and what they say.
//!
//! The disk format is apart from the domain types, and pinned by a test. A line is compact JSON;
//! its first eight members are those of the predecessor's log (row S4-035), the others carry the
//! chain and all that is needed to decide again without the files.

use serde::{Deserialize, Serialize};

use super::beyond::Beyond;
use super::signing::{self, SigningKey};
use crate::decision::{Before, Decision, Earlier, Held, Inputs, inputs};
use crate::ids::{Digest, ReasonCode, RunId, SignalName, distinct};
use crate::policy::{Level, Policy};
use crate::signals::{Outcome, Percent, Reading, Readings, Risk, Status, Value};
use crate::time::Timestamp;

/// The version of the format. A line of a newer one is read as far as it goes, never continued.
pub const VERSION: u32 = 1;

/// The end of a journal: the number and the digest of its last line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The line's number.
    pub seq: u64,
    /// The SHA-256 of the line's bytes without its newline.
    pub sha256: Digest,
}

/// What a new line is chained to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The number of the new line.
    pub seq: u64,
    /// The SHA-256 of the line before, or of all bytes before the first chained line.
    pub prev: Digest,
    /// How many bytes of a plain log the first chained line adopts.
    pub adopted: Option<u64>,
}

/// What a run that failed leaves in its line, so that the next run makes no second fix branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureMark {
    /// A digest of what failed.
    pub failure: Digest,
    /// The fix branch of this ongoing failure; absent outside a git repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
}

#[derive(Serialize)]
struct Raw<'a> {
    timestamp: Timestamp,
    policy: &'a Level,
    trust_locked: Value,
    integrity: Value,
    consensus: Value,
    reputation: Value,
    forecast: Value,
    responses: Value,
    v: u32,
    seq: u64,
    prev: Digest,
    doc: Digest,
    before: Option<&'a Level>,
    reasons: Vec<&'a ReasonCode>,
    #[serde(skip_serializing_if = "Statuses::is_empty")]
    status: Statuses,
    #[serde(skip_serializing_if = "Beyond::is_empty")]
    signals: Beyond,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waived: Vec<&'a ReasonCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shadow: Option<&'a Level>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<&'a Held>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held_before: Option<&'a HeldBefore>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lock: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    adopted: Option<u64>,
}

/// The status of every reading that is not valid.
#[derive(Debug, Default, PartialEq, Eq)]
struct Statuses(Vec<(SignalName, Status)>);

impl Statuses {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Statuses {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(signal, status)| (signal, status)))
    }
}

/// The hold that a run went on from, where it is not that of the line before: as behind a broken
/// journal that was put back, over which RED was published meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HeldBefore(Option<Held>);

impl HeldBefore {
    /// What the line has to say of the hold that it goes on from: nothing where the line before
    /// says it. `last` is that line; `None` where nobody knows it, which is not the same as none.
    pub fn of(before: Option<&Before>, last: Option<Option<&Before>>) -> Option<Self> {
        let before = before?;
        match last {
            Some(last) if told_by(last, &before.level) == before.held.as_ref() => None,
            _ => Some(Self(before.held.clone())),
        }
    }
}

/// The hold that a decision goes on from by the line before: only where it goes on from that
/// line's level.
fn told_by<'a>(last: Option<&'a Before>, level: &Level) -> Option<&'a Held> {
    let last = last.filter(|last| last.level.name() == level.name())?;
    last.held.as_ref()
}

/// Everything that a line records.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// What was decided.
    pub decision: &'a Decision,
    /// What the signals said.
    pub readings: &'a Readings,
    /// The policy in force.
    pub policy: &'a Policy,
    /// True where the user gave the time.
    pub given_clock: bool,
    /// The id of the run, where its log or its trace has one.
    pub run_id: Option<RunId>,
    /// What failed, where something did.
    pub failure: Option<&'a FailureMark>,
    /// The hold that was gone on from, where the line before does not tell it.
    pub held_before: Option<&'a HeldBefore>,
    /// The manifest of the protected files, where they are locked.
    pub lock: Option<Digest>,
}

/// The bytes of a new line without its newline, signed where there is a key.
pub fn to_bytes(entry: Entry<'_>, link: Link, key: Option<&SigningKey>) -> Vec<u8> {
    let Inputs {
        trust_locked,
        integrity_score,
        consensus_pct,
        reputation_score,
        forecast_risk,
        recent_responses,
    } = inputs(entry.readings);
    let decision = entry.decision;
    let reasons = distinct(decision.reasons.iter().map(|reason| &reason.code));
    let invalid = entry
        .readings
        .iter()
        .filter(|reading| reading.status() != Status::Valid);
    let raw = Raw {
        timestamp: decision.at,
        policy: &decision.level,
        trust_locked,
        integrity: integrity_score,
        consensus: consensus_pct,
        reputation: reputation_score,
        forecast: forecast_risk,
        responses: recent_responses,
        v: VERSION,
        seq: link.seq,
        prev: link.prev,
        doc: entry.policy.identity().sha256,
        before: decision.before.as_ref(),
        reasons,
        status: Statuses(
            invalid
                .map(|reading| (reading.signal.clone(), reading.status()))
                .collect(),
        ),
        signals: Beyond::of(entry.readings),
        waived: decision
            .waived
            .iter()
            .map(|waived| &waived.reason.code)
            .collect(),
        shadow: decision.shadow.as_ref(),
        held: decision.held.as_ref(),
        held_before: entry.held_before,
        lock: entry.lock,
        clock: entry.given_clock.then_some("given"),
        run_id: entry.run_id,
        failure: entry.failure.map(|mark| mark.failure),
        branch: entry.failure.and_then(|mark| mark.branch.as_deref()),
        adopted: link.adopted,
    };
    finish(&raw, key)
}

/// Serialises a line and signs it where there is a key.
pub(super) fn finish<T: Serialize>(raw: &T, key: Option<&SigningKey>) -> Vec<u8> {
    let line = unsigned(raw);
    match key {
        Some(key) => signing::signed(line, key),
        None => line,
    }
}

/// Serialises a line.
pub(super) fn unsigned<T: Serialize>(raw: &T) -> Vec<u8> {
    // Serialising to memory fails for maps with keys that are no text alone; there are none.
    serde_json::to_vec(raw).unwrap_or_default()
}

/// The members of a line that the chain needs, borrowed from it.
#[derive(Debug, Deserialize)]
pub struct Chained<'a> {
    /// The line's number.
    pub seq: u64,
    /// The digest of what stands before it.
    pub prev: &'a str,
    /// The digest of the policy document; absent on a line that is no decision.
    #[serde(default)]
    pub doc: Option<&'a str>,
    /// How many bytes of a plain log it adopts.
    #[serde(default)]
    pub adopted: Option<u64>,
    /// The format's version.
    #[serde(default)]
    pub v: u32,
    /// The sealed segment that a reseal names.
    #[serde(default)]
    pub segment: Option<Segment>,
}

/// A sealed segment, as the first line of its successor names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// The file, relative to the workspace; absent where there was none.
    pub file: Option<String>,
    /// The SHA-256 of its bytes.
    pub sha256: Digest,
    /// The head that the state file named; of a journal that was closed, its last line.
    pub head: Option<Head>,
    /// The end of it, for looks that go no further; absent where there is no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<SegmentEnd>,
    /// How it is packed, where a whole journal was closed; absent where a reseal kept a broken one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packed: Option<Packed>,
}

/// The end of a sealed segment: its last lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentEnd {
    /// The byte at which it begins.
    pub from: u64,
    /// The SHA-256 of the bytes from there on.
    pub sha256: Digest,
}

/// How a closed journal is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed {
    /// The SHA-256 of the packed file's bytes.
    pub sha256: Digest,
    /// How many bytes it unpacks to.
    pub bytes: u64,
    /// How many lines those are.
    pub lines: u64,
}

impl Segment {
    /// The file, where its name is one that segments have: a journal must not be able to lead
    /// anywhere else.
    pub fn sealed_file(&self) -> Option<&str> {
        let file = self.file.as_deref()?;
        let name = file.strip_prefix("state/segments/")?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        (name.bytes().all(plain) && !name.starts_with('.')).then_some(file)
    }
}

/// True for a name that a fix branch of ours can have: a journal must not be able to name another.
pub(super) fn is_fix_branch(name: &str) -> bool {
    let time = name.strip_prefix(super::fix_branch::PREFIX);
    time.is_some_and(|time| time.len() == 14 && time.bytes().all(|byte| byte.is_ascii_digit()))
}

impl<'a> Chained<'a> {
    /// Reads the chain's members; `None` for a line that is not chained.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }
}

/// A decision as a line records it.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedLine {
    /// When it was made.
    pub at: Timestamp,
    /// Its level.
    pub level: Level,
    /// The level before.
    pub before: Option<Level>,
    /// The values and the status of every reading.
    pub readings: Readings,
    /// The digest of the policy document.
    pub policy: Digest,
    /// The reason codes.
    pub reasons: Vec<ReasonCode>,
    /// The codes of the triggers that fired and were waived.
    pub waived: Vec<ReasonCode>,
    /// The level without the waivers, where a waived trigger fired.
    pub shadow: Option<Level>,
    /// Where the level was held although less was demanded.
    pub held: Option<Held>,
    /// The hold that was gone on from, where the line before does not tell it.
    pub held_before: Option<HeldBefore>,
    /// The manifest of the protected files, where they were locked.
    pub lock: Option<Digest>,
    /// True where the user gave the time.
    pub given_clock: bool,
    /// The id of the run, where its log or its trace had one.
    pub run_id: Option<RunId>,
    /// What failed.
    pub failure: Option<FailureMark>,
    /// The line's number.
    pub seq: u64,
}

#[derive(Deserialize)]
struct RawRecorded {
    timestamp: Timestamp,
    policy: Level,
    trust_locked: bool,
    integrity: f64,
    consensus: f64,
    reputation: f64,
    forecast: Risk,
    responses: u64,
    seq: u64,
    doc: Digest,
    before: Option<Level>,
    reasons: Vec<ReasonCode>,
    #[serde(default)]
    status: std::collections::BTreeMap<SignalName, Status>,
    #[serde(default)]
    signals: Beyond,
    #[serde(default)]
    waived: Vec<ReasonCode>,
    #[serde(default)]
    shadow: Option<Level>,
    #[serde(default)]
    held: Option<Held>,
    #[serde(default, deserialize_with = "there")]
    held_before: Option<HeldBefore>,
    #[serde(default)]
    lock: Option<Digest>,
    #[serde(default)]
    clock: Option<String>,
    #[serde(default)]
    run_id: Option<String>,
    #[serde(default)]
    failure: Option<Digest>,
    #[serde(default)]
    branch: Option<String>,
}

/// A member that is there, be it null.
fn there<'de, D: serde::Deserializer<'de>>(member: D) -> Result<Option<HeldBefore>, D::Error> {
    HeldBefore::deserialize(member).map(Some)
}

impl RecordedLine {
    /// Reads a line that records a decision; `None` for any other.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let raw: RawRecorded = serde_json::from_slice(line).ok()?;
        let values = [
            (SignalName::TRUST, Value::Flag(raw.trust_locked)),
            (
                SignalName::INTEGRITY,
                Value::Percent(Percent::new(raw.integrity)?),
            ),
            (
                SignalName::CONSENSUS,
                Value::Percent(Percent::new(raw.consensus)?),
            ),
            (
                SignalName::REPUTATION,
                Value::Percent(Percent::new(raw.reputation)?),
            ),
            (SignalName::FORECAST, Value::Risk(raw.forecast)),
            (SignalName::RESPONSES, Value::Count(raw.responses)),
        ];
        let reading = |(signal, value): (SignalName, Value)| {
            let outcome = match raw.status.get(&signal) {
                None | Some(Status::Valid) => Outcome::Valid(value),
                Some(Status::Missing) => Outcome::Missing("not reported".to_owned()),
                Some(Status::Stale) => Outcome::Stale(value),
                Some(Status::Invalid) => Outcome::Invalid(Vec::new()),
            };
            Reading::bare(signal, outcome)
        };
        let mut readings: Vec<Reading> = values.into_iter().map(reading).collect();
        readings.extend(raw.signals.readings(&raw.status)?);
        Some(Self {
            at: raw.timestamp,
            level: raw.policy,
            before: raw.before,
            readings: Readings::new(readings),
            policy: raw.doc,
            reasons: raw.reasons,
            waived: raw.waived,
            shadow: raw.shadow,
            held: raw.held,
            held_before: raw.held_before,
            lock: raw.lock,
            given_clock: raw.clock.is_some(),
            run_id: raw.run_id.as_deref().and_then(RunId::parse),
            failure: raw.failure.map(|failure| FailureMark {
                failure,
                branch: raw.branch.filter(|name| is_fix_branch(name)),
            }),
            seq: raw.seq,
        })
    }

    /// The id of the run that recorded this line, which has this SHA-256.
    pub fn run_id(&self, sha256: &Digest) -> RunId {
        self.run_id.unwrap_or_else(|| RunId::of_line(sha256))
    }

    /// This decision as the one before the next. `since` is when its level began.
    pub fn as_before(&self, since: Timestamp) -> Before {
        Before {
            level: self.level.clone(),
            at: self.at,
            since,
            held: self.held.clone(),
        }
    }

    /// The hold that this decision went on from. `last` is the line before.
    pub fn held_before(&self, last: Option<&Before>) -> Option<Held> {
        if let Some(HeldBefore(held)) = &self.held_before {
            return held.clone();
        }
        told_by(last, self.before.as_ref()?).cloned()
    }

    /// This decision's readings, for conditions that look back.
    pub fn into_earlier(self) -> Earlier {
        Earlier {
            at: self.at,
            readings: self.readings,
        }
    }
}
