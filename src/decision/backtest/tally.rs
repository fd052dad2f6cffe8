//! What a backtest counts: levels held, steps between them, days, flapping (pure).
//!
//! Every count has a bounded size, however long the history is.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::policy::Level;
use crate::time::Timestamp;

/// More changes than this in 24 hours are flapping, as of the level in the alert `level_flaps`.
pub const FLAPS: usize = 6;

/// So many days are counted apart: 358 years of them, if each holds a decision.
pub const MOST_DAYS: usize = 131_072;

/// So many days are told.
const TOLD_DAYS: usize = 10;

const DAY_SECONDS: i64 = 86_400;
const DAY_MICROS: i64 = DAY_SECONDS * 1_000_000;

/// Levels by small numbers, in the order in which they were met. A name is a level: where a level
/// stands that lies between two others is known to the policy that is tried, which is met first.
#[derive(Debug, Default)]
pub(super) struct Ladder(Vec<Level>);

impl Ladder {
    /// The number of a level.
    #[inline]
    pub(super) fn place(&mut self, level: &Level) -> usize {
        if let Some(place) = self.0.iter().position(|known| known.name() == level.name()) {
            return place;
        }
        self.0.push(level.clone());
        self.0.len() - 1
    }

    /// The level of that number; the lowest for one that was never given out.
    pub(super) fn level(&self, place: usize) -> &Level {
        self.0.get(place).unwrap_or(&Level::GREEN)
    }

    /// The numbers, of the lowest level first.
    pub(super) fn sorted(&self) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.0.len()).collect();
        places.sort_by(|one, other| self.level(*one).cmp(self.level(*other)));
        places
    }

    /// Which of two is graver.
    #[inline]
    pub(super) fn compare(&self, one: usize, other: usize) -> Ordering {
        if one == other {
            return Ordering::Equal;
        }
        self.level(one).cmp(self.level(other))
    }
}

/// How often and how long a level was held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Held {
    /// Decisions with this level.
    pub decisions: u64,
    /// Seconds from such decisions to the next ones. The last decision of all has no next.
    pub seconds: u64,
}

/// One history of levels: the recorded one, or the one that would have been.
#[derive(Debug, Default)]
pub(super) struct Course {
    last: Option<usize>,
    /// Decisions and microseconds of each level.
    held: Vec<(u64, u64)>,
    flaps: Flaps,
}

/// A step from one decision to the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// Into a graver level.
    pub(super) alarm: bool,
    /// Into another level.
    pub(super) moved: bool,
    /// To a level that calls for responses.
    pub(super) calls: bool,
}

impl Course {
    /// Adds time to the level of the decision before.
    #[inline]
    pub(super) fn hold(&mut self, micros: u64) {
        let held = self.last.and_then(|last| self.held.get_mut(last));
        if let Some((_, time)) = held {
            *time = time.saturating_add(micros);
        }
    }

    /// Takes the next decision. The first of all is no step: nobody knows what was before.
    #[inline]
    pub(super) fn step(&mut self, level: usize, micros: i64, ladder: &Ladder) -> Step {
        if self.held.len() <= level {
            self.held.resize(level + 1, (0, 0));
        }
        if let Some((decisions, _)) = self.held.get_mut(level) {
            *decisions += 1;
        }
        let before = self.last.replace(level).unwrap_or(level);
        if before != level {
            self.flaps.change(micros);
        }
        Step {
            alarm: ladder.compare(level, before) == Ordering::Greater,
            moved: before != level,
            calls: calls_for_responses(ladder.level(level)),
        }
    }

    pub(super) fn held(&self, level: usize) -> Held {
        let (decisions, micros) = self.held.get(level).copied().unwrap_or_default();
        Held {
            decisions,
            seconds: micros / 1_000_000,
        }
    }

    pub(super) fn flaps(&self) -> u64 {
        self.flaps.times
    }
}

/// YELLOW and whatever is graver call for responses.
fn calls_for_responses(level: &Level) -> bool {
    *level >= Level::YELLOW
}

/// Events of the recorded history, and of the one that would have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Came {
    /// As they were recorded.
    pub recorded: u64,
    /// As they would have been.
    pub candidate: u64,
    /// Those that would have come, and did not.
    pub added: u64,
    /// Those that came, and would not have.
    pub dropped: u64,
}

impl Came {
    #[inline]
    pub(super) fn count(&mut self, was: bool, would: bool) {
        self.recorded += u64::from(was);
        self.candidate += u64::from(would);
        self.added += u64::from(would && !was);
        self.dropped += u64::from(was && !would);
    }
}

/// Changes that follow each other closely.
#[derive(Debug, Clone, Default)]
pub struct Flaps {
    /// The times of the last changes, in microseconds, the oldest at `next`.
    ring: [i64; FLAPS + 1],
    next: usize,
    changes: u64,
    flapping: bool,
    /// How often it began.
    times: u64,
    /// When it first did.
    first: Option<i64>,
}

impl Flaps {
    /// Takes a change. One too many in the 24 hours up to it is flapping, which ends with the first
    /// change that is not.
    pub(super) fn change(&mut self, micros: i64) {
        if let Some(slot) = self.ring.get_mut(self.next) {
            *slot = micros;
        }
        self.next = (self.next + 1) % self.ring.len();
        self.changes += 1;
        let oldest = self.ring.get(self.next).copied().unwrap_or(micros);
        let is_full = self.changes >= self.ring.len() as u64;
        let flaps = is_full && oldest >= micros - DAY_MICROS;
        if flaps && !self.flapping {
            self.times += 1;
            self.first.get_or_insert(micros);
        }
        self.flapping = flaps;
    }

    /// How many changes there were.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// How often it began to flap.
    pub(super) fn times(&self) -> u64 {
        self.times
    }

    /// When it first did.
    pub(super) fn first(&self) -> Option<Timestamp> {
        self.first.and_then(Timestamp::from_unix_micros)
    }
}

/// A day on which decisions differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Day {
    /// The day, in UTC.
    pub date: String,
    /// How many decisions it has.
    pub decisions: u64,
    /// How many would be graver.
    pub graver: u64,
    /// How many would be milder.
    pub milder: u64,
}

/// Decisions by day.
#[derive(Debug, Default)]
pub(super) struct Days {
    /// By the number of the day since 1970-01-01.
    past: BTreeMap<i64, OneDay>,
    /// The day that is counted at the moment, apart from the others: most decisions are of the day of
    /// the decision before.
    now: Option<(i64, OneDay)>,
    left_out: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct OneDay {
    decisions: u32,
    graver: u32,
    milder: u32,
}

impl Days {
    #[inline]
    pub(super) fn add(&mut self, seconds: i64, order: Ordering) {
        let day = seconds.div_euclid(DAY_SECONDS);
        if self.now.is_none_or(|(now, _)| now != day) {
            self.turn_to(day);
        }
        let Some((_, now)) = &mut self.now else {
            self.left_out += 1;
            return;
        };
        now.decisions = now.decisions.saturating_add(1);
        match order {
            Ordering::Greater => now.graver = now.graver.saturating_add(1),
            Ordering::Less => now.milder = now.milder.saturating_add(1),
            Ordering::Equal => {}
        }
    }

    fn turn_to(&mut self, day: i64) {
        if let Some((before, count)) = self.now.take() {
            self.past.insert(before, count);
        }
        let is_room = self.past.len() < MOST_DAYS;
        let known = self.past.get(&day).copied();
        self.now = known
            .or(is_room.then(OneDay::default))
            .map(|count| (day, count));
    }

    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The days that differ most, the most different first; of equal ones the earlier.
    pub(super) fn most_different(mut self) -> Vec<Day> {
        if let Some((day, count)) = self.now.take() {
            self.past.insert(day, count);
        }
        let differs = |day: &OneDay| u64::from(day.graver) + u64::from(day.milder);
        let mut days: Vec<(i64, OneDay)> = self.past.into_iter().collect();
        days.retain(|(_, day)| differs(day) > 0);
        days.sort_by_key(|(number, day)| (std::cmp::Reverse(differs(day)), *number));
        days.truncate(TOLD_DAYS);
        let told = |(number, day): (i64, OneDay)| Day {
            date: Timestamp::EPOCH.plus_seconds(number * DAY_SECONDS).date(),
            decisions: day.decisions.into(),
            graver: day.graver.into(),
            milder: day.milder.into(),
        };
        days.into_iter().map(told).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seventh_change_in_a_day_is_flapping() {
        let hour = 3_600_000_000;
        let mut flaps = Flaps::default();
        for number in 0..6 {
            flaps.change(number * 4 * hour);
        }
        assert_eq!(flaps.times(), 0);
        // The seventh at the 24th hour: the first still counts, as it does for the alert.
        flaps.change(24 * hour);
        assert_eq!(flaps.times(), 1);
        flaps.change(25 * hour);
        assert_eq!(flaps.times(), 1, "it goes on");
        flaps.change(100 * hour);
        for number in 0..6 {
            flaps.change((101 + number) * hour);
        }
        assert_eq!((flaps.times(), flaps.changes()), (2, 15));
        assert_eq!(flaps.first(), Timestamp::from_unix_micros(24 * hour));
    }

    #[test]
    fn days_that_come_again_are_one_day() {
        let mut days = Days::default();
        let differs = [
            (0, Ordering::Greater),
            (86_400, Ordering::Less),
            (86_401, Ordering::Less),
            (5, Ordering::Equal),
            (6, Ordering::Less),
            (200_000, Ordering::Equal),
        ];
        for (seconds, order) in differs {
            days.add(seconds, order);
        }
        let told: Vec<_> = days
            .most_different()
            .into_iter()
            .map(|day| (day.date, day.decisions, day.graver, day.milder))
            .collect();
        assert_eq!(
            told,
            [
                ("1970-01-01".to_owned(), 3, 1, 1),
                ("1970-01-02".to_owned(), 2, 0, 2)
            ]
        );
    }
}
