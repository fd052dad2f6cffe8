//! What the page knows of the past: a fold over recorded decisions, bounded however many there are
//! (pure).
//!
//! [`Data::take`] adds a decision at a cost that does not grow with those before it; a journal read
//! from its beginning comes to the same as its decisions taken one by one. What is older than
//! [`DAYS`] days is forgotten, and where a level changes often the oldest days are thinned: a day
//! keeps the gravest level that it saw and the one that it ended with. Where the file stands, and
//! whether it belongs to the journal, is the business of [`super::store`].

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::day::{self, Day, Signal};
use super::standing::{InForce, Safeguards};
use super::work::{self, Evaluations};
use crate::ids::{ReasonCode, SignalName};
use crate::policy::Calendar;
use crate::policy::Level;
use crate::policy::freeze::Opening;
use crate::record::Head;
use crate::record::journal::LATE_AFTER;
use crate::signals::{Reading, Status};
use crate::time::Timestamp;

/// The version of the format. A newer one is never written over.
pub const SCHEMA: u32 = 1;

/// So many days are remembered.
pub const DAYS: i64 = 90;

/// The file is at most so long, in bytes.
pub const MOST_BYTES: usize = 200_000;

/// The most of each kind.
const MOST_SIGNALS: usize = 24;
const MOST_TRANSITIONS: usize = 400;
const MOST_REASONS: usize = 4;
const MOST_WAIVED: usize = 60;
const MOST_GAPS: usize = 90;
const MOST_FREEZES: usize = 120;
const MOST_RESPONSES: usize = 30;
const MOST_TOOK: usize = 60;

/// So many of the next openings of a freeze window are told, and so far ahead.
const NEXT_OPENINGS: usize = 14;
const AHEAD: TimeDelta = TimeDelta::days(14);

/// The data of the page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// The version of the format.
    pub schema: u32,
    /// The time of the last decision or response that was taken in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// The end of the journal that it goes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// How many decisions were taken in.
    pub decisions: u64,
    /// How many were left out, since a person gave their time.
    pub given: u64,
    /// How many were left out, since they are dated ahead of the clock by more than a day.
    pub ahead: u64,
    /// The time of the first decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_at: Option<Timestamp>,
    /// The time of the last decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
    /// How far the journal was verified in full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<Head>,
    /// The changes of the level, the oldest first; the first is the level that 90 days ago held.
    pub transitions: Vec<Transition>,
    /// From here on every change is listed; absent where none was thinned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complete_from: Option<Timestamp>,
    /// Times without an evaluation that were longer than a daily schedule leaves.
    pub gaps: Vec<Span>,
    /// The signals with their days.
    pub signals: Vec<Signal>,
    /// How many signals were left out: there are too many of them.
    pub signals_left_out: u64,
    /// When a trigger fired and was waived.
    pub waived: Vec<Waived>,
    /// Freeze windows, by the policies that decided; the last days' and the next ones.
    pub freezes: Vec<Freeze>,
    /// The last responses, the newest first.
    pub responses: Vec<Response>,
    /// The last dry run of a response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview: Option<Response>,
    /// The overrides that were given and are not used.
    pub overrides: Vec<InForce>,
    /// How brake and kill switch stood when somebody looked last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safeguards: Option<Safeguards>,
    /// How many evaluations each day had.
    pub evaluations: Vec<Evaluations>,
    /// How long the last ones took, in microseconds, the oldest first. No journal has it: a file made
    /// anew keeps what the one before it had.
    pub took_us: Vec<u64>,
    /// What the files were known by that responses, overrides and safeguards were read from.
    pub seen: String,
}

/// A change of the level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// When it was decided.
    pub at: Timestamp,
    /// The number of the decision.
    pub seq: u64,
    /// To which level.
    pub level: Level,
    /// The first codes of the reasons.
    pub reasons: Vec<ReasonCode>,
}

/// A while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub until: Timestamp,
}

/// A while in which a trigger fired and was waived.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Waived {
    /// The trigger.
    pub code: ReasonCode,
    /// The first decision of it.
    pub from: Timestamp,
    /// The last one.
    pub until: Timestamp,
}

/// A freeze window that was, is or will be open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// Its name.
    pub name: String,
    /// `deny`, or `allow`: then nothing is applied outside of it.
    pub mode: String,
    /// Its reason, shortened.
    pub reason: String,
    /// When it opens.
    pub from: Timestamp,
    /// When it closes.
    pub until: Timestamp,
}

/// A response, or the preview of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// When it ended.
    pub at: Timestamp,
    /// `preview`, `apply`, `failed`, `blocked`, `interrupted` or `undo`.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// The level that it responds to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// How many actions it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actions: Option<u64>,
    /// How many of them ended well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub succeeded: Option<u64>,
    /// The gates that were closed.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub gates: Vec<String>,
}

/// A recorded decision, as far as the page is concerned.
#[derive(Debug, Clone, Copy)]
pub struct Decided<'a> {
    /// When it was made.
    pub at: Timestamp,
    /// Its number.
    pub seq: u64,
    /// Its level.
    pub level: &'a Level,
    /// True where a person gave the time.
    pub given: bool,
    /// True where it is dated ahead of the clock by more than a day.
    pub ahead: bool,
}

impl Default for Data {
    fn default() -> Self {
        Self {
            schema: SCHEMA,
            updated_at: None,
            head: None,
            decisions: 0,
            given: 0,
            ahead: 0,
            first_at: None,
            last_at: None,
            verified: None,
            transitions: Vec::new(),
            complete_from: None,
            gaps: Vec::new(),
            signals: Vec::new(),
            signals_left_out: 0,
            waived: Vec::new(),
            freezes: Vec::new(),
            responses: Vec::new(),
            preview: None,
            overrides: Vec::new(),
            safeguards: None,
            evaluations: Vec::new(),
            took_us: Vec::new(),
            seen: String::new(),
        }
    }
}

/// A decision that is dated further ahead of the clock than this was made by a clock that was wrong.
pub const AHEAD_BY: TimeDelta = TimeDelta::days(1);

impl Data {
    /// Takes a decision that was recorded behind those taken so far. `readings` are its values, and
    /// `codes` gives its reasons and those that were waived; it is asked where they are needed.
    ///
    /// A decision whose time a person gave is counted and left out, as it never counts as fresh; so is
    /// one of a clock that was far ahead, since what lies 90 days before it would be forgotten.
    pub fn take<'r>(
        &mut self,
        decided: Decided<'_>,
        readings: impl IntoIterator<Item = (&'r SignalName, Status, Option<f64>)>,
        reasons: impl FnOnce() -> Vec<ReasonCode>,
        waived: &[ReasonCode],
    ) {
        if decided.given {
            self.given += 1;
            return;
        }
        if decided.ahead {
            self.ahead += 1;
            return;
        }
        let at = decided.at;
        let day = Day::of(at);
        let is_new_day = self.last_at.is_none_or(|last| Day::of(last) != day);
        self.waive(waived, at);
        if let Some(last) = self.last_at
            && at.since(last) > LATE_AFTER
        {
            self.gaps.push(Span {
                from: last,
                until: at,
            });
        }
        self.decisions += 1;
        work::count(&mut self.evaluations, day, decided.level);
        self.first_at.get_or_insert(at);
        self.last_at = Some(at);
        self.updated_at = Some(at);
        for (signal, status, value) in readings {
            self.read(signal, day, status, value);
        }
        let last = self.transitions.last();
        if last.is_none_or(|last| last.level.name() != decided.level.name()) {
            let mut codes = reasons();
            codes.truncate(MOST_REASONS);
            self.transitions.push(Transition {
                at,
                seq: decided.seq,
                level: decided.level.clone(),
                reasons: codes,
            });
            if self.transitions.len() > MOST_TRANSITIONS {
                self.thin();
            }
        }
        if is_new_day {
            self.forget(at);
        }
    }

    fn read(&mut self, name: &SignalName, day: Day, status: Status, value: Option<f64>) {
        let value = value.filter(|_| matches!(status, Status::Valid | Status::Stale));
        let known = self.signals.iter_mut().find(|signal| signal.name == *name);
        if let Some(signal) = known {
            signal.take(day, status, value);
        } else if self.signals.len() < MOST_SIGNALS {
            let mut signal = Signal {
                name: name.clone(),
                days: Vec::new(),
            };
            signal.take(day, status, value);
            self.signals.push(signal);
        } else {
            self.signals_left_out += 1;
        }
    }

    /// A waiver that went on since the decision before is one while.
    fn waive(&mut self, codes: &[ReasonCode], at: Timestamp) {
        for code in codes {
            let goes_on = |waived: &&mut Waived| {
                waived.code == *code && self.last_at.is_some_and(|last| waived.until == last)
            };
            match self.waived.iter_mut().find(goes_on) {
                Some(waived) => waived.until = at,
                None => self.waived.push(Waived {
                    code: code.clone(),
                    from: at,
                    until: at,
                }),
            }
        }
        keep_last(&mut self.waived, MOST_WAIVED);
    }

    /// Forgets what lies too far back. The change before that stays: it says what held.
    fn forget(&mut self, at: Timestamp) {
        let first = Day::of(at).minus(DAYS);
        let Some(begins) = first.begins() else { return };
        let passed = self.transitions.iter().skip(1);
        let old = passed
            .take_while(|transition| transition.at < begins)
            .count();
        self.transitions.drain(..old);
        self.complete_from = self.complete_from.filter(|from| *from > begins);
        self.gaps.retain(|gap| gap.until >= begins);
        keep_last(&mut self.gaps, MOST_GAPS);
        self.waived.retain(|waived| waived.until >= begins);
        self.freezes.retain(|freeze| freeze.until >= begins);
        let most = usize::try_from(DAYS).unwrap_or(0) + 2;
        work::forget(&mut self.evaluations, first, most);
        for signal in &mut self.signals {
            signal.forget(first, most);
        }
        self.signals.retain(|signal| !signal.days.is_empty());
        if self.signals.len() < MOST_SIGNALS {
            self.signals_left_out = 0;
        }
    }

    /// Of the oldest day with more than two changes, only the gravest and the last one stay.
    fn thin(&mut self) {
        let days: Vec<Day> = self
            .transitions
            .iter()
            .map(|transition| Day::of(transition.at))
            .collect();
        let run = |from: usize| {
            let day = days.get(from);
            days.iter()
                .skip(from)
                .take_while(|other| Some(*other) == day)
                .count()
        };
        let begin = (0..days.len()).find(|from| run(*from) > 2);
        let begin = begin.unwrap_or(0);
        let length = run(begin).max(3).min(days.len() - begin);
        let thinned: Vec<Transition> = self.transitions.drain(begin..begin + length).collect();
        let gravest = thinned.iter().rev().max_by_key(|one| one.level.clone());
        let mut stay: Vec<Transition> = gravest.into_iter().cloned().collect();
        if let (Some(first), Some(gravest)) = (thinned.first(), stay.first_mut()) {
            gravest.at = first.at;
        }
        if let Some(last) = thinned.last() {
            self.complete_from = Day::of(last.at).minus(-1).begins();
            if stay.first().is_none_or(|stays| stays.level != last.level) {
                stay.push(last.clone());
            }
        }
        self.transitions.splice(begin..begin, stay);
    }

    /// Takes the freeze windows of the policy in force: those that opened behind the decision taken
    /// last before `at`, and the next ones. `since` is that decision's time.
    pub fn freeze(&mut self, calendar: &Calendar, since: Option<Timestamp>, at: Timestamp) {
        let since = since.unwrap_or_else(|| at.minus(TimeDelta::days(DAYS)));
        self.freezes.retain(|freeze| freeze.from <= since);
        let opened = calendar.openings(since, at, usize::MAX);
        let next = calendar.openings(at, at.minus(-AHEAD), NEXT_OPENINGS);
        let openings = opened.into_iter().chain(next);
        self.freezes
            .extend(openings.map(|opening| Freeze::of(&opening)));
        keep_last(&mut self.freezes, MOST_FREEZES);
    }

    /// True where a clock that was wrong dated the decision taken last ahead of `now`.
    pub fn is_ahead_of(&self, now: Timestamp) -> bool {
        self.last_at.is_some_and(|last| is_ahead(last, now))
    }

    /// Takes that all but decisions stands as it did, but for what ends by itself.
    pub fn still(&mut self, now: Timestamp) {
        self.overrides.retain(|open| now < open.until);
        if let Some(safeguards) = &mut self.safeguards {
            safeguards.at = now;
        }
    }

    /// Takes how long the decision taken last took.
    pub fn took(&mut self, micros: u64) {
        self.took_us.push(micros);
        keep_last(&mut self.took_us, MOST_TOOK);
    }

    /// Takes how responses stand.
    pub fn respond(&mut self, mut responses: Vec<Response>, preview: Option<Response>) {
        responses.truncate(MOST_RESPONSES);
        let newest = responses.first().map(|response| response.at);
        self.updated_at = self.updated_at.max(newest);
        self.responses = responses;
        self.preview = preview;
    }

    /// The bytes of the file, at most [`MOST_BYTES`].
    pub fn to_bytes(&self) -> Vec<u8> {
        let bytes = rendered(self);
        if bytes.len() <= MOST_BYTES {
            return bytes;
        }
        let mut shorter = self.clone();
        loop {
            // Names and codes of the greatest length, and values of many digits: what is least
            // missed goes first.
            if shorter.transitions.len() > MOST_TRANSITIONS / 4 {
                shorter.thin();
            } else if shorter.signals.pop().is_some() {
                shorter.signals_left_out += 1;
            } else {
                shorter.freezes.clear();
                shorter.responses.clear();
                shorter.overrides.clear();
                return rendered(&shorter);
            }
            let bytes = rendered(&shorter);
            if bytes.len() <= MOST_BYTES {
                return bytes;
            }
        }
    }
}

/// Compact JSON, ended by a newline.
fn rendered(data: &Data) -> Vec<u8> {
    // Serialising to memory fails for maps with keys that are no text alone; there are none.
    let mut bytes = serde_json::to_vec(data).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

impl Freeze {
    fn of(opening: &Opening) -> Self {
        Self {
            name: shortened(&opening.name),
            mode: opening.mode.as_str().to_owned(),
            reason: shortened(&opening.reason),
            from: opening.from,
            until: opening.until,
        }
    }
}

/// So much of a text that a person wrote.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(100).collect()
}

pub(super) fn keep_last<T>(items: &mut Vec<T>, most: usize) {
    let many = items.len().saturating_sub(most);
    items.drain(..many);
}

/// True for a time that only a wrong clock can have given before `now`.
pub fn is_ahead(at: Timestamp, now: Timestamp) -> bool {
    at.since(now) > AHEAD_BY
}

/// A reading as [`Data::take`] takes it.
pub fn taken(reading: &Reading) -> (&SignalName, Status, Option<f64>) {
    let value = reading.judged_value().and_then(day::number);
    (&reading.signal, reading.status(), value)
}

#[cfg(test)]
mod tests;
