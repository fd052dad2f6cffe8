//! The kill switch: the file `state/kill_switch.json`, which any program can make.
//!
//! Absent means off; `{"on": false}` means off; everything else means on, what can't be read
//! included (CONTRACT.md section 5). So a switch that is half-written is on, and turning it on needs
//! no lock and no temporary file. Turning it off is recorded before the file goes.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kill_effect::Effect;
use super::{Ground, Request};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::lock::STATE_DIR;
use crate::fs::read::read_own;
use crate::fs::{Workspace, WriteError, write};
use crate::ids::Digest;
use crate::record::{Head, KILL_LOG, Records, ledger};
use crate::time::{Clock, Timestamp};

/// The file, relative to the workspace.
pub const FILE: &str = "state/kill_switch.json";

/// A file larger than this is none of ours, and so means on.
const LIMIT: u64 = 64 * 1024;

#[derive(Deserialize)]
struct Raw {
    on: bool,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    at: Option<Value>,
    #[serde(default)]
    by: Option<Value>,
}

/// The switch as its file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Switch {
    /// No file, or one that says so.
    Off,
    /// It is on.
    On {
        /// Why, where the file tells.
        reason: Option<String>,
        /// Since when, where the file tells.
        at: Option<Timestamp>,
        /// Who turned it on, where the file tells.
        by: Option<String>,
    },
    /// It can't be read, which means on, and why.
    Unreadable(String),
}

impl Switch {
    /// The word that stands in results.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On { .. } => "on",
            Self::Unreadable(_) => "unreadable",
        }
    }
}

/// Reads the switch.
pub fn read(workspace: &Workspace) -> Switch {
    let bytes = match read_own(workspace, FILE, LIMIT) {
        Ok(None) => return Switch::Off,
        Ok(Some(bytes)) => bytes,
        Err(finding) => return Switch::Unreadable(finding.message),
    };
    match serde_json::from_slice::<Raw>(&bytes) {
        Ok(Raw { on: false, .. }) => Switch::Off,
        Ok(raw) => {
            let at = raw.at.as_ref().and_then(Value::as_str);
            Switch::On {
                reason: raw.reason,
                at: at.and_then(Timestamp::read).map(|read| read.time),
                by: raw.by.as_ref().and_then(Value::as_str).map(str::to_owned),
            }
        }
        Err(error) => Switch::Unreadable(error.to_string()),
    }
}

/// Why nothing may be changed; `None` while the switch is off.
pub fn closed(workspace: &Workspace) -> Option<Diagnostic> {
    let found = match read(workspace) {
        Switch::Off => return None,
        Switch::On { reason, .. } => reason.map_or_else(
            || "a switch that is on".to_owned(),
            |reason| format!("a switch that is on: {reason}"),
        ),
        Switch::Unreadable(why) => format!("a switch that can't be read, which means on: {why}"),
    };
    Some(
        Diagnostic::new(
            Code::KillSwitchOn,
            Place::file(FILE),
            "the kill switch is on, so nothing is changed",
        )
        .found(found)
        .expected("no such file, or `{\"on\": false}`")
        .help(
            "find out who turned it on and why; then `policy-orchestrator kill off --reason TEXT`",
        ),
    )
}

/// What a change came to.
#[derive(Debug)]
pub struct Outcome {
    /// When.
    pub at: Timestamp,
    /// Was it on?
    pub on_before: bool,
    /// Is it?
    pub on: bool,
    /// The line of the journal; `None` where nothing was appended: nothing changed, or `findings`
    /// says why.
    pub head: Option<Head>,
    /// What turning it on came to; `None` where it was on already, or was turned off.
    pub effect: Option<Effect>,
    /// Everything that is wrong or odd.
    pub findings: Vec<Diagnostic>,
}

#[derive(Serialize)]
struct File<'a> {
    on: bool,
    reason: &'a str,
    at: Timestamp,
    by: &'a str,
}

/// A line of the switch's journal. `type` and `on` are the event that listeners know (S1-151).
#[derive(Serialize)]
struct Line<'a> {
    timestamp: Timestamp,
    r#type: &'static str,
    on: bool,
    user: &'a str,
    reason: &'a str,
    on_before: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<Effect>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<&'static str>,
}

/// What a line of the journal, and every event that is told, is called.
pub const EVENT: &str = "KILL_SWITCH";

/// Turns the switch on: the file at once and without a lock, the record when the lock can be had.
/// One that is on stays as it is, with its time and reason; it is recorded all the same.
///
/// Fails where the file can't be made. A record that can't be made is a finding, and the switch is
/// on.
pub fn turn_on(request: &Request<'_>, reason: &str) -> Checked<Outcome> {
    let begun = Instant::now();
    let at = request.clock.read();
    let file = File {
        on: true,
        reason,
        at,
        by: request.user,
    };
    let mut bytes = serde_json::to_vec(&file).unwrap_or_default();
    bytes.push(b'\n');
    let on_before = read(request.workspace) != Switch::Off;
    let mut findings = Vec::new();
    set(request, &bytes, &mut findings)?;
    let taken = begun.elapsed();
    let effect = (!on_before).then(|| Effect::wait_for(request.workspace, begun, taken));
    let recorded = request.under_lock_at(Clock::Given(at), |ground| {
        // Whoever turned it off held the lock, and may have taken this file away.
        set(request, &bytes, &mut findings)?;
        record(ground, true, reason, on_before, effect)
    });
    let head = recorded.map_err(|finding| findings.push(*finding)).ok();
    Ok(Outcome {
        at,
        on_before,
        on: read(request.workspace) != Switch::Off,
        head,
        effect,
        findings,
    })
}

/// Makes the file, unless the switch is on.
fn set(request: &Request<'_>, bytes: &[u8], findings: &mut Vec<Diagnostic>) -> Checked<()> {
    let workspace = request.workspace;
    let attempt = || {
        if read(workspace) != Switch::Off {
            return Ok(());
        }
        write::make_directory(workspace, STATE_DIR)?;
        // A file that says off goes first: until the new one is there the switch is off as before.
        write::remove(workspace, FILE)?;
        write::create_in_place(workspace, FILE, bytes)
    };
    let written: Result<(), WriteError> = request.retry.retry(attempt);
    let Err(error) = written else { return Ok(()) };
    // Half of a file is a switch that is on, too.
    if read(workspace) == Switch::Off {
        return Err(error.into());
    }
    findings.push(error.into_diagnostic());
    Ok(())
}

/// The digest of the switch's file, which an approval to turn it off is bound to: another activation
/// needs another one. `None` where there is no file. One that can't be read has the digest of nothing.
pub fn digest(workspace: &Workspace) -> Option<Digest> {
    match read_own(workspace, FILE, LIMIT) {
        Ok(bytes) => bytes.map(|bytes| Digest::of(&bytes)),
        Err(_) => Some(Digest::of(b"")),
    }
}

/// Turns the switch off: the record first, then the file is removed, also one that can't be read.
/// One that is off stays as it is, and nothing is recorded. `permit` is asked first, under the same
/// lock, whether it may be turned off now.
///
/// Fails where it may not, where it can't be recorded, and where something else than a file stands
/// there.
pub fn turn_off(
    request: &Request<'_>,
    reason: &str,
    permit: impl FnOnce(Records<'_>, Timestamp) -> Checked<()>,
) -> Checked<Outcome> {
    request.under_lock(|ground| {
        let workspace = request.workspace;
        let mut outcome = Outcome {
            at: ground.at,
            on_before: read(workspace) != Switch::Off,
            on: false,
            head: None,
            effect: None,
            findings: Vec::new(),
        };
        if !outcome.on_before {
            return Ok(outcome);
        }
        workspace
            .check_target(FILE)
            .map_err(|finding| Box::new(finding.help(format!("the switch stays on; look at what stands there, remove it by hand (`rm -r {FILE}`), and turn the switch off again"))))?;
        permit(ground.records()?, ground.at)?;
        outcome.head = Some(record(ground, false, reason, true, None)?);
        let removed = request.retry.retry(|| write::remove(workspace, FILE));
        removed?;
        Ok(outcome)
    })
}

fn record(
    ground: Ground<'_>,
    on: bool,
    reason: &str,
    on_before: bool,
    effect: Option<Effect>,
) -> Checked<Head> {
    let line = Line {
        timestamp: ground.at,
        r#type: EVENT,
        on,
        user: ground.request.user,
        reason,
        on_before,
        effect,
        clock: ground.clock(),
    };
    ledger::append(ground.records()?, KILL_LOG, &line)
}
