//! The trust guard's lock on disk: `trust_lock_state.json`, at the root or under `state/`.
//!
//! [`crate::signals::trust`] reads whether it is locked; here is the rest of the file, for the
//! guard (row OR-16): since when, until when, why, the counter of manual unlocks. Where both files
//! are there they are kept in step, and the graver word of the two counts. A file with a `locked`
//! that can't be read is unreadable as a whole; of the other keys what can't be read is left out,
//! in the direction that keeps the lock.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::guard_policy::whole;
use super::kept::KeptObject;
use super::state_file;
use super::verdict::{Lock, Term, Values};
use crate::diagnostic::{Checked, Diagnostic, Warnings};
use crate::fs::Workspace;
use crate::ids::Digest;
use crate::signals::json::{Document, Member, member, time_unreadable};
use crate::signals::trust::FILES;
use crate::time::Timestamp;

/// The keys that the trust signal takes the time of its observation from, the first one counts.
const OBSERVED: [&str; 3] = ["timestamp", "updated_at", "last_evaluated"];

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow, default, deserialize_with = "member")]
    locked: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    locked_at: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    unlock_scheduled_at: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    reason: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    bypass: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    manual_unlocks_today: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    manual_unlocks_last_reset: Member<'a>,
}

/// The counter of manual unlocks in one file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counter {
    /// How many.
    pub count: u64,
    /// Of which day; `None` where the file does not say, and then they are today's.
    pub since: Option<Timestamp>,
}

impl Counter {
    /// How many of them are of the day of `at` (UTC) or a later one (row OR-21).
    pub fn of_day(self, at: Timestamp) -> u64 {
        let is_old = self.since.is_some_and(|since| since.next_day() <= at);
        if is_old { 0 } else { self.count }
    }
}

/// What one file says.
#[derive(Debug, Clone)]
pub struct Known {
    locked: bool,
    locked_at: Option<Timestamp>,
    unlock_scheduled_at: Option<Timestamp>,
    reason: Option<String>,
    bypass: bool,
    counter: Checked<Counter>,
    object: KeptObject,
}

/// What stands in one of the two places.
#[derive(Debug, Clone)]
pub enum Content {
    /// Nothing.
    Absent,
    /// A lock.
    Known(Box<Known>),
    /// Something that is no lock that can be read.
    Unreadable(Box<Diagnostic>),
}

/// One of the two places.
#[derive(Debug, Clone)]
pub struct Place {
    /// The file, relative to the workspace.
    pub file: &'static str,
    /// The SHA-256 of what was read.
    pub sha256: Option<Digest>,
    /// What stands there.
    pub content: Content,
}

impl Place {
    /// Is there anything?
    pub fn is_there(&self) -> bool {
        !matches!(self.content, Content::Absent)
    }
}

/// The lock as both places say.
#[derive(Debug)]
pub struct LockState {
    /// The places, one that is only a link to the other left out.
    pub places: Vec<Place>,
    /// What is odd.
    pub warnings: Vec<Diagnostic>,
}

impl LockState {
    /// Reads both places.
    pub fn load(workspace: &Workspace) -> Self {
        let mut warnings = Warnings::default();
        let [root, state] = FILES;
        // A link from one to the other keeps them in step by itself.
        let files = if !workspace.is_same_file(root, state) {
            vec![root, state]
        } else if workspace.check_target(root).is_ok() {
            vec![root]
        } else {
            vec![state]
        };
        let places = files
            .into_iter()
            .map(|file| load_place(workspace, file, &mut warnings))
            .collect();
        Self {
            places,
            warnings: warnings.into_vec(),
        }
    }

    fn known(&self) -> impl Iterator<Item = &Known> {
        self.places.iter().filter_map(|place| match &place.content {
            Content::Known(known) => Some(&**known),
            _ => None,
        })
    }

    /// What can't be read.
    pub fn problems(&self) -> impl Iterator<Item = &Diagnostic> {
        self.places.iter().filter_map(|place| match &place.content {
            Content::Unreadable(finding) => Some(&**finding),
            _ => None,
        })
    }

    /// The lock. `was_locked` is asked where no file is there.
    pub fn lock(&self, was_locked: impl FnOnce() -> bool) -> Lock {
        if self.problems().next().is_some() {
            return Lock::Unreadable;
        }
        if self.known().next().is_none() {
            return Lock::Missing {
                was_locked: was_locked(),
            };
        }
        let set = || self.known().filter(|known| known.locked);
        Lock::Known {
            locked: set().next().is_some(),
            locked_at: set().filter_map(|known| known.locked_at).max(),
            unlock_scheduled_at: set().filter_map(|known| known.unlock_scheduled_at).max(),
            bypass: self.known().all(|known| known.bypass),
        }
    }

    /// Is it locked? What can't be read is; `None` where no file is there.
    pub fn locked(&self) -> Option<bool> {
        match self.lock(|| false) {
            Lock::Known { locked, .. } => Some(locked),
            Lock::Missing { .. } => None,
            Lock::Unreadable => Some(true),
        }
    }

    /// Why, as the file says: that of a locked one first.
    pub fn reason(&self) -> Option<&str> {
        let by_lock = |locked| {
            self.known()
                .filter(move |known| known.locked == locked)
                .find_map(|known| known.reason.as_deref())
        };
        by_lock(true).or_else(|| by_lock(false))
    }

    /// Manual unlocks of the day of `at`: the larger count of both files (row B-10). Fails where a
    /// file or its counter can't be read.
    pub fn unlocks_of_day(&self, at: Timestamp) -> Checked<u64> {
        if let Some(problem) = self.problems().next() {
            return Err(Box::new(problem.clone()));
        }
        let mut most = 0;
        for known in self.known() {
            most = most.max(known.counter.clone()?.of_day(at));
        }
        Ok(most)
    }
}

fn load_place(workspace: &Workspace, file: &'static str, warnings: &mut Warnings) -> Place {
    let bytes = match state_file::read(workspace, file) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => {
            return Place {
                file,
                sha256: None,
                content: Content::Absent,
            };
        }
        Err(finding) => {
            return Place {
                file,
                sha256: None,
                content: Content::Unreadable(finding),
            };
        }
    };
    let content = match parse(file, &bytes, warnings) {
        Ok(known) => Content::Known(Box::new(known)),
        Err(finding) => Content::Unreadable(finding),
    };
    Place {
        file,
        sha256: Some(Digest::of(&bytes)),
        content,
    }
}

fn parse(file: &str, bytes: &[u8], warnings: &mut Warnings) -> Checked<Known> {
    let document = state_file::document(file, bytes)?;
    let raw: Raw<'_> = document.object()?;
    let Some(locked) = raw.locked else {
        let expected = "the key `locked` with true or false";
        return Err(Box::new(document.key_missing(expected)));
    };
    let mut time = |raw, path| read_time(&document, raw, path, warnings);
    Ok(Known {
        locked: document.boolean(locked, "$.locked")?,
        locked_at: time(raw.locked_at, "$.locked_at"),
        unlock_scheduled_at: time(raw.unlock_scheduled_at, "$.unlock_scheduled_at"),
        reason: raw
            .reason
            .and_then(|raw| document.text(raw, "$.reason").ok()),
        bypass: raw.bypass.is_some_and(|raw| raw.get() == "true"),
        counter: read_counter(
            &document,
            raw.manual_unlocks_today,
            raw.manual_unlocks_last_reset,
        ),
        object: state_file::kept(bytes),
    })
}

fn is_null(raw: &RawValue) -> bool {
    raw.get() == "null"
}

/// A time; one that can't be read is none, with a warning: the lock's term then begins anew.
fn read_time(
    document: &Document<'_>,
    raw: Member<'_>,
    path: &str,
    warnings: &mut Warnings,
) -> Option<Timestamp> {
    let raw = raw.filter(|raw| !is_null(raw))?;
    let read = serde_json::from_str::<String>(raw.get())
        .ok()
        .and_then(|text| Timestamp::read(&text));
    if read.is_none() {
        warnings.add(|| time_unreadable(document.place(raw.get(), path), raw.get()));
    }
    read.map(|read| read.time)
}

fn read_counter(document: &Document<'_>, count: Member<'_>, since: Member<'_>) -> Checked<Counter> {
    let since_path = "$.manual_unlocks_last_reset";
    let since = match since.filter(|raw| !is_null(raw)) {
        None => None,
        Some(raw) => {
            let text = document.text(raw, since_path)?;
            let read = Timestamp::read(&text).ok_or_else(|| {
                Box::new(time_unreadable(
                    document.place(raw.get(), since_path),
                    raw.get(),
                ))
            })?;
            Some(read.time.day())
        }
    };
    let count = match count {
        None => 0,
        Some(raw) => whole(document, raw, "$.manual_unlocks_today")?,
    };
    Ok(Counter { count, since })
}

/// What a change writes into a file.
#[derive(Debug, Clone, Copy)]
pub struct Edit<'a> {
    /// When.
    pub at: Timestamp,
    /// The lock: set for a term, open, or as it is.
    pub lock: Option<Option<Term>>,
    /// Why, where that changes.
    pub reason: Option<&'a str>,
    /// What the guard saw.
    pub metrics: Option<Values>,
    /// The counter of manual unlocks: of today.
    pub unlocks: Option<u64>,
    /// The counter of a file that has none.
    pub unlocks_so_far: u64,
}

impl Edit<'_> {
    /// The bytes that are to stand in a place.
    pub fn applied_to(&self, place: &Place) -> Vec<u8> {
        let mut object = match &place.content {
            Content::Known(known) => known.object.clone(),
            Content::Absent | Content::Unreadable(_) => KeptObject::default(),
        };
        // The order in which a new file holds them is that of the predecessor's.
        self.set_lock(&mut object);
        if let Some(metrics) = self.metrics {
            object.set("metrics", &metrics);
        }
        self.set_schedule(&mut object);
        self.set_counter(&mut object);
        object.set_if_absent("bypass", &false);
        self.set_observed(&mut object);
        object.to_bytes()
    }

    fn set_lock(&self, object: &mut KeptObject) {
        if let Some(lock) = self.lock {
            object.set("locked", &lock.is_some());
            object.set("locked_at", &lock.map(|term| term.locked_at));
        }
        if let Some(reason) = self.reason {
            object.set("reason", &reason);
        }
    }

    fn set_schedule(&self, object: &mut KeptObject) {
        if let Some(lock) = self.lock {
            let scheduled = lock.map(|term| term.unlock_scheduled_at);
            object.set("unlock_scheduled_at", &scheduled);
        }
    }

    fn set_counter(&self, object: &mut KeptObject) {
        let today = self.at.date();
        match self.unlocks {
            Some(count) => {
                object.set("manual_unlocks_today", &count);
                object.set("manual_unlocks_last_reset", &today);
            }
            None => {
                if !object.has("manual_unlocks_today") {
                    object.set("manual_unlocks_today", &self.unlocks_so_far);
                    object.set("manual_unlocks_last_reset", &today);
                }
            }
        }
    }

    /// Keeps the time of the observation current, under the key that the signal goes by. Who only
    /// resets the counter has observed nothing.
    fn set_observed(&self, object: &mut KeptObject) {
        if self.lock.is_none() && self.metrics.is_none() {
            return;
        }
        let [.., own] = OBSERVED;
        let key = OBSERVED.into_iter().find(|key| object.has(key));
        object.set(key.unwrap_or(own), &self.at);
    }
}

/// What changed in a file, as the journal holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// The file, relative to the workspace.
    pub file: &'static str,
    /// The SHA-256 of its bytes before; absent where there was none that could be read.
    pub sha256_before: Option<Digest>,
    /// The SHA-256 of its bytes after.
    pub sha256_after: Digest,
}
