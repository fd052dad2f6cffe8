//! Handing the signed journals over from one key to the next.
//!
//! Each signed journal gets one line that both keys sign: before it only the old key counts, behind it
//! only the new one ([`super::eras`]). The journal of events comes last, and its line says where all
//! others were handed over, so that it tells a rotation that was cut off from a journal that was put
//! back. What a kill leaves is some journals handed over and others not: the next rotation does the
//! rest.

use serde::Serialize;

use super::audit::{self, Event, Severity};
use super::line::{self, Head, VERSION};
use super::signing::{self, KeyId, SigningKey};
use super::verify::Verification;
use super::{
    AUDIT_LOG, JOURNALS, Records, STATE_JOURNAL, findings, heads, ledger, verified, whole,
};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::ids::{Digest, EventType};
use crate::time::Timestamp;

/// The event of the line that hands a journal over.
pub const KEY_ROTATED: &str = "KEY_ROTATED";

/// Why, when and by whom.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// When.
    pub at: Timestamp,
    /// True where the user gave the time.
    pub given_clock: bool,
    /// Who, as the environment says.
    pub user: &'a str,
    /// Why.
    pub reason: &'a str,
}

/// What a rotation came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rotation {
    /// The version of this shape.
    pub schema: u32,
    /// The key that signs from now on.
    pub key: KeyId,
    /// The journals that were handed over now.
    pub handed_over: Vec<HandedOver>,
    /// Those that it signed already, as after a rotation that was cut off.
    pub already: Vec<String>,
    /// Those without a signature: it signs their next lines.
    pub unsigned: Vec<String>,
}

/// A journal that was handed over.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HandedOver {
    /// The journal.
    pub file: String,
    /// The key before.
    pub from: KeyId,
    /// The line that hands it over.
    pub head: Head,
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: Timestamp,
    event: &'static str,
    user: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<&'static str>,
    v: u32,
    seq: u64,
    prev: Digest,
}

/// Hands every signed journal over to the key that signs. The keys before it have to be at hand.
///
/// Fails at the first journal that is not whole; then nothing was handed over that was not before.
pub fn rotate_key(records: Records<'_>, request: Request<'_>) -> Checked<Rotation> {
    let Records { workspace, key, .. } = records;
    let Some(keys) = key.filter(|keys| keys.has_old()) else {
        return Err(keys_missing(key.is_some()));
    };
    let all = verified_journals(workspace, keys)?;
    let mut rotation = Rotation {
        schema: 1,
        key: keys.id(),
        handed_over: Vec::new(),
        already: Vec::new(),
        unsigned: Vec::new(),
    };
    let mut heads = Vec::new();
    for (file, journal) in &all {
        let head = match (journal.old_key, journal.key) {
            _ if *file == AUDIT_LOG => continue,
            (Some(from), _) => {
                let head = hand_over(records, request, file, keys, from)?;
                let file = (*file).to_owned();
                rotation.handed_over.push(HandedOver { file, from, head });
                Some(head)
            }
            (None, Some(_)) => {
                rotation.already.push((*file).to_owned());
                journal.head
            }
            (None, None) => {
                rotation.unsigned.push((*file).to_owned());
                journal.head
            }
        };
        heads.extend(head.map(|head| ((*file).to_owned(), head)));
    }
    let events = all.iter().find(|(file, _)| *file == AUDIT_LOG);
    let events = events.map(|(_, journal)| journal);
    if let Some(head) = tell(records, request, keys, events, &mut rotation, &heads)? {
        heads.push((AUDIT_LOG.to_owned(), head));
    }
    verified::store(records, request.at, heads)?;
    Ok(rotation)
}

/// Every journal that is there, verified in full.
fn verified_journals(
    workspace: &Workspace,
    keys: &SigningKey,
) -> Checked<Vec<(&'static str, Verification)>> {
    let mut all = Vec::new();
    for file in JOURNALS {
        if let Some(whole) = whole::look(workspace, file, Some(keys))? {
            all.push((file, whole.found));
        }
    }
    Ok(all)
}

fn hand_over(
    records: Records<'_>,
    request: Request<'_>,
    file: &str,
    keys: &SigningKey,
    from: KeyId,
) -> Checked<Head> {
    append(records, file, keys, from, |link| {
        line::unsigned(&Line {
            timestamp: request.at,
            event: KEY_ROTATED,
            user: request.user,
            reason: request.reason,
            clock: request.given_clock.then_some("given"),
            v: VERSION,
            seq: link.seq,
            prev: link.prev,
        })
    })
}

/// Appends a line that the key `from` and the one at hand sign. The head of the journal of decisions
/// stays as the state file names it: that it is behind is what a kill leaves, and no decision is.
fn append(
    records: Records<'_>,
    file: &str,
    keys: &SigningKey,
    from: KeyId,
    line: impl FnOnce(line::Link) -> Vec<u8>,
) -> Checked<Head> {
    let Some(old) = keys.named(from) else {
        return Err(keys_missing(true));
    };
    let end = whole::end_of(records.workspace, file, Some(keys))?;
    let head = ledger::put(records, file, &end, |link| {
        signing::signed_by_both(line(link), old, keys)
    })?;
    if file != STATE_JOURNAL {
        heads::store(records, file, head)?;
    }
    Ok(head)
}

/// What the event says.
#[derive(Serialize)]
struct Details<'a> {
    reason: &'a str,
    key: KeyId,
    journals: Vec<Named<'a>>,
}

#[derive(Serialize)]
struct Named<'a> {
    file: &'a str,
    seq: u64,
    sha256: Digest,
}

/// Records the event, unless it was recorded and nothing was left to do.
fn tell(
    records: Records<'_>,
    request: Request<'_>,
    keys: &SigningKey,
    events: Option<&Verification>,
    rotation: &mut Rotation,
    heads: &[(String, Head)],
) -> Checked<Option<Head>> {
    let old = events.and_then(|events| events.old_key);
    let is_told = events.is_some_and(|events| events.key == Some(keys.id()));
    if rotation.handed_over.is_empty() && old.is_none() {
        rotation
            .already
            .extend(is_told.then(|| AUDIT_LOG.to_owned()));
        return Ok(None);
    }
    let details = Details {
        reason: request.reason,
        key: keys.id(),
        journals: heads
            .iter()
            .map(|(file, head)| Named {
                file,
                seq: head.seq,
                sha256: head.sha256,
            })
            .collect(),
    };
    let data = Digest::of(&serde_json::to_vec(&details.journals).unwrap_or_default());
    let event = Event {
        at: request.at,
        user: request.user,
        action: "rotate_key",
        event_type: &EventType::KEY_ROTATED,
        severity: Severity::High,
        task_id: None,
        data,
        details: &details,
        given_clock: request.given_clock,
    };
    let Some(from) = old else {
        return audit::append(records, &event).map(Some);
    };
    let entry = audit::line_of(&event, audit::standing(records.workspace)?);
    let head = append(records, AUDIT_LOG, keys, from, |link| {
        line::unsigned(&ledger::chained(&entry, link))
    })?;
    let file = AUDIT_LOG.to_owned();
    rotation.handed_over.push(HandedOver { file, from, head });
    Ok(Some(head))
}

/// The journals that are still signed with an old key although the journal of events was handed over:
/// no rotation that was cut off leaves that.
pub fn put_back(all: &[Verification]) -> Vec<Diagnostic> {
    let events = all.iter().find(|journal| journal.file == AUDIT_LOG);
    let is_done = events.is_some_and(|events| events.key.is_some() && events.old_key.is_none());
    if !is_done {
        return Vec::new();
    }
    let old = all
        .iter()
        .filter_map(|journal| Some((journal, journal.old_key?)));
    old.map(|(journal, id)| {
        Diagnostic::new(
            Code::EndCut,
            Place::file(&journal.file),
            "the journal ends before the line that handed it over to the key at hand",
        )
        .found(format!(
            "a last line signed with the key {id}, while {AUDIT_LOG} was handed over"
        ))
        .expected("a line KEY_ROTATED, which a rotation writes here before it writes there")
        .help(findings::broken_help(&journal.file))
    })
    .collect()
}

fn keys_missing(new_is_set: bool) -> Box<Diagnostic> {
    let found = if new_is_set {
        "the new secret alone"
    } else {
        "no secret"
    };
    Box::new(
        Diagnostic::new(
            Code::SecretMissing,
            Place::file("POLICY_AUDIT_OLD_SECRET"),
            "a rotation needs the new secret and the old one",
        )
        .found(found)
        .expected("the new secret in POLICY_AUDIT_SECRET, and the one that signed so far in POLICY_AUDIT_OLD_SECRET")
        .help("set both (or POLICY_AUDIT_SECRET_FILE and POLICY_AUDIT_OLD_SECRET_FILE); where the old one is lost, `audit reseal --reason TEXT` begins anew; nothing was recorded"),
    )
}
