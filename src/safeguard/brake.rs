//! The safety brake: `forensics/safety_brake_state.json` (rows OR-12 to OR-14).
//!
//! A latch: once engaged it stays so until somebody resets it, whatever time passes (row D-20). No
//! file, and one that can't be read, is a brake that is engaged. Engaging writes first and records
//! then; resetting records first.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::guard_policy::whole;
use super::kept::KeptObject;
use super::{Ground, Request, state_file};
use crate::diagnostic::{Checked, Diagnostic};
use crate::fs::Workspace;
use crate::ids::Digest;
use crate::record::response_journal::{self, Event};
use crate::record::{Head, RESPONSE_JOURNAL, ledger};
use crate::signals::json::{Document, Member, member};
use crate::time::Timestamp;

/// The file, relative to the workspace.
pub const FILE: &str = "forensics/safety_brake_state.json";

/// Responses in 24 hours where the file does not say (row OR-14).
pub const RESPONSES: u64 = 10;

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow, default, deserialize_with = "member")]
    is_engaged: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    response_count_24h: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    max_allowed: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    engaged_at: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    last_check: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    last_reset: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    reason: Member<'a>,
}

/// The event of an engaged brake in the journal of responses.
const ENGAGED: &str = "brake_engaged";

/// Reading stops at a line that is older than what is asked for by this many seconds: clocks differ.
const LONG_AGO: i64 = 54 * 3_600;

/// The safety brake, as its file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrakeFact {
    /// Engaged brakes stay so until somebody resets them.
    pub engaged: bool,
    /// The responses that the file counts.
    pub counted: u64,
    /// How many are allowed.
    pub allowed: u64,
}

/// All that its file says.
#[derive(Debug, Clone)]
pub struct Brake {
    /// What the gates go by.
    pub fact: BrakeFact,
    /// Since when it is engaged, where the file tells.
    pub engaged_at: Option<Timestamp>,
    /// When its writer last looked at it, where the file tells.
    pub last_check: Option<Timestamp>,
    /// When it was last reset, where the file tells.
    pub last_reset: Option<Timestamp>,
    /// Why it was engaged or reset, where the file tells.
    pub reason: Option<String>,
    sha256: Digest,
    object: KeptObject,
}

/// Reads the brake; `None` where there is no file.
pub fn load(workspace: &Workspace) -> Checked<Option<Brake>> {
    let Some(bytes) = state_file::read(workspace, FILE)? else {
        return Ok(None);
    };
    let document = state_file::document(FILE, &bytes)?;
    parse(&document, &bytes).map(Some)
}

/// The word for what was loaded: `off`, `engaged`, `missing` or `unreadable`. All but the first
/// count as engaged.
pub fn word(loaded: &Checked<Option<Brake>>) -> &'static str {
    match loaded {
        Err(_) => "unreadable",
        Ok(None) => "missing",
        Ok(Some(brake)) if brake.fact.engaged => "engaged",
        Ok(Some(_)) => "off",
    }
}

fn parse(document: &Document<'_>, bytes: &[u8]) -> Checked<Brake> {
    let raw: Raw<'_> = document.object()?;
    let (Some(engaged), Some(counted)) = (raw.is_engaged, raw.response_count_24h) else {
        return Err(Box::new(document.key_missing(
            "the keys `is_engaged` with true or false and `response_count_24h` with a number",
        )));
    };
    let allowed = match raw.max_allowed.filter(|raw| raw.get() != "null") {
        Some(raw) => whole(document, raw, "$.max_allowed")?,
        None => RESPONSES,
    };
    Ok(Brake {
        fact: BrakeFact {
            engaged: document.boolean(engaged, "$.is_engaged")?,
            counted: whole(document, counted, "$.response_count_24h")?,
            allowed,
        },
        engaged_at: time(raw.engaged_at),
        last_check: time(raw.last_check),
        last_reset: time(raw.last_reset),
        reason: raw
            .reason
            .and_then(|raw| document.text(raw, "$.reason").ok()),
        sha256: Digest::of(bytes),
        object: state_file::kept(bytes),
    })
}

/// A time that is only shown: one that can't be read is none.
fn time(raw: Option<&RawValue>) -> Option<Timestamp> {
    let text: String = serde_json::from_str(raw?.get()).ok()?;
    Timestamp::read(&text).map(|read| read.time)
}

/// What a change came to.
#[derive(Debug)]
pub struct Outcome {
    /// When.
    pub at: Timestamp,
    /// Was it engaged? A file that is missing or can't be read counts as one that is.
    pub engaged_before: bool,
    /// Is it?
    pub engaged: bool,
    /// Since when.
    pub engaged_at: Option<Timestamp>,
    /// How many responses are allowed.
    pub max_allowed: u64,
    /// The line of the journal; `None` where it could not be appended, and `findings` says why.
    pub head: Option<Head>,
    /// Everything that is wrong or odd.
    pub findings: Vec<Diagnostic>,
}

/// What the journal of responses holds of a change.
#[derive(Serialize)]
struct Detail<'a> {
    reason: &'a str,
    engaged_before: bool,
    file: &'static str,
    sha256_before: Option<Digest>,
    sha256_after: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<&'static str>,
}

/// What stood there before a change.
enum Before {
    Absent,
    Known(Box<Brake>),
    Unreadable,
}

impl Before {
    fn load(workspace: &Workspace) -> Checked<Self> {
        workspace.check_target(FILE)?;
        Ok(match load(workspace) {
            Ok(None) => Self::Absent,
            Ok(Some(brake)) => Self::Known(Box::new(brake)),
            Err(_) => Self::Unreadable,
        })
    }

    fn brake(&self) -> Option<&Brake> {
        match self {
            Self::Known(brake) => Some(brake),
            Self::Absent | Self::Unreadable => None,
        }
    }

    fn engaged(&self) -> bool {
        self.brake().is_none_or(|brake| brake.fact.engaged)
    }

    /// Its object, or that of a brake with the keys of the predecessor.
    fn object(&self, at: Timestamp) -> KeptObject {
        if let Some(brake) = self.brake() {
            return brake.object.clone();
        }
        let mut object = KeptObject::default();
        object.set("is_engaged", &true);
        object.set("response_count_24h", &0);
        object.set("max_allowed", &RESPONSES);
        object.set("last_check", &at);
        object
    }
}

/// How often the brake was engaged by command from `begin` on, as the journal of responses has it.
pub fn engagements(workspace: &Workspace, begin: Timestamp) -> Checked<u64> {
    #[derive(Deserialize)]
    struct Line {
        timestamp: Timestamp,
        event: String,
        #[serde(default)]
        engaged_before: bool,
    }
    let long_ago = begin.plus_seconds(-LONG_AGO);
    let mut count = 0;
    ledger::back(workspace, RESPONSE_JOURNAL, |line| {
        let Ok(line) = serde_json::from_slice::<Line>(line) else {
            return true;
        };
        let counts = line.event == ENGAGED && !line.engaged_before && line.timestamp >= begin;
        count += u64::from(counts);
        line.timestamp >= long_ago
    })?;
    Ok(count)
}

/// Engages the brake. One that is engaged stays as it is, with its time and reason; it is recorded
/// all the same.
///
/// Works while the kill switch is on. Fails where nothing can be written in its place; a record that
/// can't be made is a finding, and the brake is engaged.
pub fn engage(request: &Request<'_>, reason: &str) -> Checked<Outcome> {
    request.under_lock(|ground| {
        let before = Before::load(ground.workspace())?;
        let known = before.brake().filter(|brake| brake.fact.engaged);
        let (engaged_at, bytes) = match known {
            Some(brake) => (brake.engaged_at, None),
            None => (Some(ground.at), Some(engaged(&before, ground.at, reason))),
        };
        let mut outcome = outcome(ground, &before, engaged_at);
        if let Some(bytes) = &bytes {
            write(ground, &before, bytes, &mut outcome)?;
        }
        // The brake is engaged whatever becomes of its record.
        match record(ground, ENGAGED, &before, bytes.as_deref(), reason) {
            Ok(head) => outcome.head = Some(head),
            Err(finding) => outcome.findings.push(*finding),
        }
        Ok(outcome)
    })
}

fn engaged(before: &Before, at: Timestamp, reason: &str) -> Vec<u8> {
    let mut object = before.object(at);
    object.set("is_engaged", &true);
    object.set("engaged_at", &at);
    object.set("reason", &reason);
    object.to_bytes()
}

/// Resets the brake: off, nothing counted. Makes the file where it is missing.
///
/// Fails while the kill switch is on, and where it can't be recorded or written.
pub fn reset(request: &Request<'_>, reason: &str) -> Checked<Outcome> {
    request.under_lock(|ground| {
        ground.check_kill_switch()?;
        let before = Before::load(ground.workspace())?;
        let mut object = before.object(ground.at);
        object.set("is_engaged", &false);
        object.set("response_count_24h", &0);
        object.set("last_check", &ground.at);
        object.set("engaged_at", &None::<Timestamp>);
        object.set("last_reset", &ground.at);
        object.set("reason", &reason);
        let bytes = object.to_bytes();
        let mut outcome = Outcome {
            engaged: false,
            ..outcome(ground, &before, None)
        };
        outcome.head = Some(record(
            ground,
            "brake_reset",
            &before,
            Some(&bytes),
            reason,
        )?);
        write(ground, &before, &bytes, &mut outcome)?;
        Ok(outcome)
    })
}

fn outcome(ground: Ground<'_>, before: &Before, engaged_at: Option<Timestamp>) -> Outcome {
    Outcome {
        at: ground.at,
        engaged_before: before.engaged(),
        engaged: true,
        engaged_at,
        max_allowed: before.brake().map_or(RESPONSES, |brake| brake.fact.allowed),
        head: None,
        findings: Vec::new(),
    }
}

fn write(ground: Ground<'_>, before: &Before, bytes: &[u8], outcome: &mut Outcome) -> Checked<()> {
    let (workspace, retry) = (ground.workspace(), ground.request.retry);
    if matches!(before, Before::Unreadable) {
        state_file::keep_aside(workspace, FILE, retry)?;
        outcome.findings.push(state_file::moved(FILE));
    }
    state_file::replace(workspace, FILE, bytes, retry)
}

fn record(
    ground: Ground<'_>,
    name: &'static str,
    before: &Before,
    after: Option<&[u8]>,
    reason: &str,
) -> Checked<Head> {
    let sha256_before = before.brake().map(|brake| brake.sha256);
    let detail = Detail {
        reason,
        engaged_before: before.engaged(),
        file: FILE,
        sha256_before,
        sha256_after: after.map(Digest::of).or(sha256_before),
        clock: ground.clock(),
    };
    let event = Event {
        at: ground.at,
        name,
        user: ground.request.user,
    };
    response_journal::append(ground.records()?, event, &detail, |_| {})
}
