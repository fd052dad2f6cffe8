//! A history by its days, and in equal steps from its beginning to its end. Both in memory that does
//! not grow with it: the last 371 days are told apart, and the steps double in width when there
//! would be too many of them.

use std::collections::VecDeque;

use serde::{Serialize, Serializer};

use crate::policy::Level;
use crate::time::Timestamp;

/// So many days are told apart: 53 weeks.
pub const MOST_DAYS: usize = 371;

/// A history is told in at most so many steps.
pub const MOST_STEPS: usize = 240;

const DAY_SECONDS: i64 = 86_400;

/// One day in UTC with a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Day {
    /// Its first moment, written as the day.
    #[serde(rename = "day", serialize_with = "as_date")]
    pub begin: Timestamp,
    /// How many decisions.
    pub decisions: u64,
    /// The gravest level of them.
    pub worst: Level,
    /// How many of them had another level than the decision before.
    pub changes: u64,
}

fn as_date<S: Serializer>(begin: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&begin.date())
}

/// The days of a history, the oldest first.
#[derive(Debug, Default)]
pub struct Days {
    days: VecDeque<(i64, Day)>,
    /// How many older ones there were.
    dropped: u64,
}

impl Days {
    /// Takes the next decision. One that is dated back counts to its day as long as that is told.
    pub fn take(&mut self, at: Timestamp, level: &Level, changed: bool) {
        let number = at.unix_seconds().div_euclid(DAY_SECONDS);
        let place = self.days.iter().rposition(|(known, _)| *known <= number);
        let same = place.filter(|place| self.days.get(*place).is_some_and(|day| day.0 == number));
        if let Some((_, day)) = same.and_then(|place| self.days.get_mut(place)) {
            day.decisions += 1;
            day.changes += u64::from(changed);
            if *level > day.worst {
                day.worst = level.clone();
            }
            return;
        }
        let day = Day {
            begin: at.day(),
            decisions: 1,
            worst: level.clone(),
            changes: u64::from(changed),
        };
        self.days
            .insert(place.map_or(0, |place| place + 1), (number, day));
        if self.days.len() > MOST_DAYS {
            self.days.pop_front();
            self.dropped += 1;
        }
    }

    /// The days, and how many older ones there were.
    pub fn finish(self) -> (Vec<Day>, u64) {
        (
            self.days.into_iter().map(|(_, day)| day).collect(),
            self.dropped,
        )
    }
}

/// Where in the steps a time lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The step.
    pub step: usize,
    /// How often all steps were joined in pairs to make room for it.
    pub joined: u32,
}

/// Equal steps of time from the first decision on.
#[derive(Debug, Default)]
pub struct Steps {
    begin: Option<Timestamp>,
    /// How long a step is, as a power of two in seconds.
    power: u32,
    levels: Vec<Option<Level>>,
}

impl Steps {
    /// Takes the next decision: where it lies. What lies before the first lies in the first step.
    pub fn take(&mut self, at: Timestamp, level: &Level) -> Place {
        let begin = *self.begin.get_or_insert(at);
        let offset = u64::try_from(at.since(begin).num_seconds()).unwrap_or(0);
        let mut joined = 0;
        while usize::try_from(offset >> self.power).unwrap_or(usize::MAX) >= MOST_STEPS {
            join(&mut self.levels, Ord::max);
            self.power += 1;
            joined += 1;
        }
        let step = usize::try_from(offset >> self.power).unwrap_or_default();
        let slot = slot(&mut self.levels, step);
        if slot.as_ref().is_none_or(|worst| level > worst) {
            *slot = Some(level.clone());
        }
        Place { step, joined }
    }

    /// How it went.
    pub fn finish(self) -> Option<Course> {
        Some(Course {
            from: self.begin?,
            step_seconds: 1 << self.power,
            levels: self.levels,
        })
    }
}

/// How the level went, in steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Course {
    /// The beginning of the first step.
    pub from: Timestamp,
    /// How long each is.
    pub step_seconds: u64,
    /// The gravest level of each; none where nothing was decided in it.
    pub levels: Vec<Option<Level>>,
}

/// Joins neighbours, so that half as many are left.
pub(super) fn join<T: Default>(slots: &mut Vec<T>, mut both: impl FnMut(T, T) -> T) {
    let mut joined = Vec::with_capacity(slots.len().div_ceil(2));
    let mut rest = std::mem::take(slots).into_iter();
    while let Some(one) = rest.next() {
        joined.push(both(one, rest.next().unwrap_or_default()));
    }
    *slots = joined;
}

/// The slot of that number, made where it is not there.
pub(super) fn slot<T: Default>(slots: &mut Vec<T>, place: usize) -> &mut T {
    if slots.len() <= place {
        slots.resize_with(place + 1, T::default);
    }
    #[expect(clippy::indexing_slicing, reason = "it was just made")]
    &mut slots[place]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::read(text).unwrap().time
    }

    #[test]
    fn days_are_told_apart_and_the_oldest_are_counted() {
        let mut days = Days::default();
        let first = at("2026-01-01T04:45:00Z");
        for day in 0..=371 {
            days.take(first.plus_seconds(day * DAY_SECONDS), &Level::GREEN, false);
        }
        let back = at("2026-12-31T01:00:00Z");
        days.take(back, &Level::RED, true);
        let (told, dropped) = days.finish();
        assert_eq!((told.len(), dropped), (MOST_DAYS, 1));
        let worst: Vec<_> = told.iter().filter(|day| day.worst == Level::RED).collect();
        assert_eq!(worst.len(), 1);
        assert_eq!((worst[0].decisions, worst[0].changes), (2, 1));
        assert_eq!(serde_json::to_value(worst[0]).unwrap()["day"], "2026-12-31");
    }

    #[test]
    fn steps_double_in_width_and_keep_the_gravest_level() {
        let mut steps = Steps::default();
        let begin = at("2026-01-01T00:00:00Z");
        steps.take(begin, &Level::GREEN);
        steps.take(begin.plus_seconds(3), &Level::RED);
        let place = steps.take(begin.plus_seconds(100_000), &Level::YELLOW);
        assert_eq!(place.joined, 9);
        steps.take(begin.plus_seconds(-5), &Level::GREEN);
        let course = steps.finish().unwrap();
        assert_eq!(course.step_seconds, 512);
        assert!(course.levels.len() <= MOST_STEPS);
        assert_eq!(course.levels[0], Some(Level::RED));
        assert_eq!(course.levels[1], None);
        assert_eq!(course.levels[100_000 / 512], Some(Level::YELLOW));
    }
}
