//! The state file `state/policy_state.json`: the last decision, for programs and people.
//!
//! A projection of the journal's last line, with everything that was computed on the way. The
//! first four members are those of the predecessor's file (rows S4-030 to S4-033). Whether it says
//! what its line says is asked in [`super::agreement`] and [`super::since`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::agreement::{Details, ShownReading, ShownReason, value_beyond};
use super::line::Head;
use super::listed::Listed;
use crate::decision::{Before, Decision, Held, Inputs, Needs, Reason, Waived, inputs};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::read::read_own;
use crate::fs::{RetryDelays, Workspace, write};
use crate::ids::{Digest, RunId, SignalName};
use crate::policy::{Identity, Level, Policy, Thresholds};
use crate::signals::{Outcome, Reading, Readings, Source, Status, Value};
use crate::time::Timestamp;

/// The file, relative to the workspace.
pub const FILE: &str = "state/policy_state.json";

/// The version of the format. A newer one is never written over.
pub const SCHEMA: u32 = 1;

/// A state file larger than this is none of ours.
const LIMIT: u64 = 16 * 1024 * 1024;

/// The place in the journal that a state file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalRef {
    /// The head when the state was written; absent where the first decision found a broken one.
    #[serde(flatten)]
    pub head: Option<Head>,
    /// True where the journal was not what the decision before had left behind.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub broken: bool,
    /// True where it was the state file that had been changed: publishing RED replaced what it
    /// said, so only a person can say that all is well again (`audit reseal`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub state_changed: bool,
}

#[derive(Serialize)]
struct Raw<'a> {
    policy: &'a Level,
    evaluated_at: Timestamp,
    inputs: Inputs<Value>,
    thresholds: &'a Thresholds,
    schema: u32,
    reasons: &'a [Reason],
    readings: ReadingsOut<'a>,
    #[serde(skip_serializing_if = "Listed::is_empty")]
    errors: Listed<'a>,
    warnings: Listed<'a>,
    document: &'a Identity,
    before: Option<&'a Level>,
    since: Timestamp,
    needs: &'a [Needs],
    near: &'a [Reason],
    #[serde(skip_serializing_if = "<[Waived]>::is_empty")]
    waived: &'a [Waived],
    #[serde(skip_serializing_if = "Option::is_none")]
    shadow: Option<&'a Level>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<&'a Held>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    given_clock: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix_branch: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    journal: Option<JournalRef>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    staged: bool,
}

/// The readings as the file shows them: an object with one member for each signal.
struct ReadingsOut<'a>(&'a Readings);

#[derive(Serialize)]
struct ReadingOut<'a> {
    status: Status,
    /// Of a signal beyond the six; those stand under `inputs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<&'a Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    #[serde(skip_serializing_if = "<[Source]>::is_empty")]
    also: &'a [Source],
}

impl<'a> ReadingOut<'a> {
    fn of(reading: &'a Reading) -> Self {
        let first = reading.sources.first();
        let note = match &reading.outcome {
            Outcome::Missing(why) => Some(why.as_str()),
            _ => None,
        };
        Self {
            status: reading.status(),
            value: value_beyond(reading),
            file: first.map(|source| source.file.as_str()),
            sha256: first.map(|source| &source.sha256),
            from: first.and_then(|source| source.from),
            observed_at: reading.observed_at,
            note,
            also: reading.sources.get(1..).unwrap_or_default(),
        }
    }
}

impl Serialize for ReadingsOut<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            self.0
                .iter()
                .map(|reading| (&reading.signal, ReadingOut::of(reading))),
        )
    }
}

/// Everything that the state file shows.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    /// What was decided.
    pub decision: &'a Decision,
    /// What the signals said.
    pub readings: &'a Readings,
    /// The policy in force.
    pub policy: &'a Policy,
    /// What is wrong beside the readings: a refused policy, a broken journal.
    pub errors: &'a [Diagnostic],
    /// What is odd beside the readings.
    pub warnings: &'a [Diagnostic],
    /// True where the user gave the time.
    pub given_clock: bool,
    /// The fix branch of this failure.
    pub fix_branch: Option<&'a str>,
    /// The id of the run; absent on a dry run that nobody watches.
    pub run_id: Option<RunId>,
    /// Where the journal stands; absent on a dry run.
    pub journal: Option<JournalRef>,
    /// True where a version of the policy is staged.
    pub staged: bool,
}

/// The bytes of the state file: JSON indented by two blanks, ended by a newline.
pub fn to_bytes(content: Content<'_>) -> Vec<u8> {
    let Content {
        decision,
        readings,
        policy,
        ..
    } = content;
    let of_readings = readings.iter().flat_map(|reading| &reading.warnings);
    let raw = Raw {
        policy: &decision.level,
        evaluated_at: decision.at,
        inputs: inputs(readings),
        thresholds: policy.thresholds(),
        schema: SCHEMA,
        reasons: &decision.reasons,
        readings: ReadingsOut(readings),
        errors: readings.errors().chain(content.errors).collect(),
        warnings: of_readings
            .chain(&decision.warnings)
            .chain(content.warnings)
            .collect(),
        document: policy.identity(),
        before: decision.before.as_ref(),
        since: decision.since,
        needs: &decision.needs,
        near: &decision.near,
        waived: &decision.waived,
        shadow: decision.shadow.as_ref(),
        held: decision.held.as_ref(),
        given_clock: content.given_clock,
        fix_branch: content.fix_branch,
        run_id: content.run_id,
        journal: content.journal,
        staged: content.staged,
    };
    crate::fs::pretty(&raw)
}

/// What a run needs of the state file before it: also that of the predecessor, which knows no
/// journal's head.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredState {
    /// The level that it names.
    pub level: Level,
    /// When that was decided.
    pub evaluated_at: Timestamp,
    /// Since when the level holds; the predecessor did not say.
    pub since: Option<Timestamp>,
    /// Where the journal stood.
    pub journal: Option<JournalRef>,
    /// The values that it shows, as text.
    pub inputs: Inputs<serde_json::Value>,
    /// True where the user gave the time.
    pub given_clock: bool,
    /// The fix branch that it names.
    pub fix_branch: Option<String>,
    /// The id of the run that it names.
    pub run_id: Option<String>,
    /// True where it is the state of a run that failed.
    pub failed: bool,
    /// True where the journal of versions may name a version that is staged. Only a hint, so that a
    /// run need not look there: what is staged is said there.
    pub staged: bool,
    /// What else has to agree with the record; the predecessor's file has none of it.
    pub(super) details: Option<Details>,
}

#[derive(Deserialize)]
struct RawDocument {
    sha256: Digest,
}

#[derive(Deserialize)]
struct RawStored {
    policy: Level,
    evaluated_at: Timestamp,
    inputs: Inputs<serde_json::Value>,
    #[serde(default)]
    since: Option<Timestamp>,
    #[serde(default)]
    journal: Option<JournalRef>,
    #[serde(default)]
    given_clock: bool,
    #[serde(default)]
    fix_branch: Option<String>,
    #[serde(default)]
    run_id: Option<String>,
    #[serde(default)]
    errors: Vec<serde::de::IgnoredAny>,
    #[serde(default)]
    staged: bool,
    #[serde(default)]
    before: Option<Level>,
    #[serde(default)]
    reasons: Option<Vec<ShownReason>>,
    #[serde(default)]
    readings: BTreeMap<SignalName, ShownReading>,
    #[serde(default)]
    document: Option<RawDocument>,
    #[serde(default)]
    held: Option<Held>,
    #[serde(default)]
    waived: Vec<ShownReason>,
    #[serde(default)]
    shadow: Option<Level>,
}

impl RawStored {
    fn details(&mut self) -> Option<Details> {
        let (reasons, document) = self.reasons.take().zip(self.document.take())?;
        Some(Details {
            before: self.before.take(),
            reasons,
            readings: std::mem::take(&mut self.readings),
            document: document.sha256,
            held: self.held.take(),
            waived: std::mem::take(&mut self.waived),
            shadow: self.shadow.take(),
        })
    }
}

/// The file that each reading rests on first, where the state file is the one of this line: no line
/// says them.
pub fn sources(workspace: &Workspace, head: Head) -> Vec<(String, Source)> {
    #[derive(Deserialize)]
    struct Raw {
        journal: Head,
        readings: BTreeMap<String, RawReading>,
    }
    #[derive(Deserialize)]
    struct RawReading {
        file: Option<String>,
        sha256: Option<Digest>,
    }
    let bytes = read(workspace).ok().flatten().unwrap_or_default();
    let Ok(raw) = serde_json::from_slice::<Raw>(&bytes) else {
        return Vec::new();
    };
    if raw.journal != head {
        return Vec::new();
    }
    let readings = raw.readings.into_iter();
    readings
        .filter_map(|(signal, RawReading { file, sha256 })| {
            let (file, sha256) = (file?, sha256?);
            let from = None;
            Some((signal, Source { file, sha256, from }))
        })
        .collect()
}

impl StoredState {
    /// Reads the state file; `None` where there is none.
    pub fn load(workspace: &Workspace) -> Checked<Option<Self>> {
        match read(workspace)? {
            Some(bytes) => Self::parse(&bytes).map(Some),
            None => Ok(None),
        }
    }

    /// Reads the bytes of a state file, with or without a byte-order mark.
    pub fn parse(bytes: &[u8]) -> Checked<Self> {
        let bare = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if let Some(schema) = newer_schema(bare) {
            return Err(Box::new(
                Diagnostic::new(
                    Code::FormatNewer,
                    Place::file(FILE).path("$.schema"),
                    "the state file was written by a newer version",
                )
                .found(schema.to_string())
                .expected(format!("at most {SCHEMA}"))
                .help("use that version here: this one would lose what it does not know"),
            ));
        }
        let mut raw: RawStored =
            serde_json::from_slice(bare).map_err(|error| unreadable(&error))?;
        let details = raw.details();
        let failed = !raw.errors.is_empty();
        let RawStored {
            policy: level,
            evaluated_at,
            inputs,
            since,
            journal,
            given_clock,
            fix_branch,
            run_id,
            staged,
            ..
        } = raw;
        Ok(Self {
            level,
            evaluated_at,
            since,
            journal,
            inputs,
            given_clock,
            fix_branch,
            run_id,
            failed,
            staged,
            details,
        })
    }

    /// The head of the journal that it names.
    pub fn head(&self) -> Option<Head> {
        self.journal.and_then(|journal| journal.head)
    }

    /// True where it was published over a broken journal.
    pub fn is_broken(&self) -> bool {
        self.journal.is_some_and(|journal| journal.broken)
    }

    /// True where only a reseal can make it good.
    pub fn needs_reseal(&self) -> bool {
        let of_journal = |journal: JournalRef| {
            journal.state_changed
                || journal.broken && (journal.head.is_none() || self.level != Level::RED)
        };
        self.journal.is_some_and(of_journal)
    }

    /// This decision as the one before the next.
    pub fn as_before(&self) -> Before {
        Before {
            level: self.level.clone(),
            at: self.evaluated_at,
            since: self.since.unwrap_or(self.evaluated_at),
            held: self
                .details
                .as_ref()
                .and_then(|details| details.held.clone()),
        }
    }
}

/// Adds the member `staged` to the state file, whose other bytes stay. Fails where there is none:
/// nothing was decided yet that a version could be tried beside.
pub fn hint_at_staged(workspace: &Workspace, retry: &RetryDelays) -> Checked<()> {
    let Some(bytes) = read(workspace)? else {
        return Err(Box::new(
            Diagnostic::new(
                Code::NothingRecorded,
                Place::file(FILE),
                "no decision was recorded here yet",
            )
            .found("no state file")
            .expected("a decision that another policy can be tried beside")
            .help("decide once with `policy-orchestrator run`"),
        ));
    };
    if StoredState::parse(&bytes)?.staged {
        return Ok(());
    }
    // It was parsed as an object just now, so it ends with a brace.
    let text = String::from_utf8_lossy(&bytes);
    let body = text.trim_end();
    let body = body.strip_suffix('}').unwrap_or(body).trim_end();
    let hinted = format!("{body},\n  \"staged\": true\n}}\n");
    retry
        .retry(|| write::replace(workspace, FILE, hinted.as_bytes()))
        .map_err(Into::into)
}

/// The bytes of the state file; one that is too large to be ours is one that can't be read.
fn read(workspace: &Workspace) -> Checked<Option<Vec<u8>>> {
    read_own(workspace, FILE, LIMIT).map_err(|error| {
        if error.code != Code::FileTooLarge {
            return error;
        }
        let found = error.found.unwrap_or_default();
        Box::new(
            Diagnostic::new(
                Code::StateUnreadable,
                Place::file(FILE),
                "the state file is too large to be one that a run wrote",
            )
            .found(found)
            .expected(format!("at most {LIMIT} bytes"))
            .help(UNREADABLE_HELP),
        )
    })
}

const UNREADABLE_HELP: &str =
    "restore it from version control, or run `policy-orchestrator audit reseal --reason TEXT`";

fn newer_schema(bytes: &[u8]) -> Option<u32> {
    #[derive(Deserialize)]
    struct Versioned {
        schema: u32,
    }
    let versioned: Versioned = serde_json::from_slice(bytes).ok()?;
    (versioned.schema > SCHEMA).then_some(versioned.schema)
}

fn unreadable(error: &serde_json::Error) -> Box<Diagnostic> {
    let place = Place::line(FILE, error.line() as u64).column(error.column().max(1) as u64);
    Box::new(
        Diagnostic::new(Code::StateUnreadable, place, "the state file can't be read")
            .found(error.to_string())
            .expected("the JSON that the last run wrote")
            .help(UNREADABLE_HELP),
    )
}
