//! How the level went: counts, time and longest stretch of each level, changes, and the busiest day
//! (row S4-087). A fold over recorded decisions (pure), in memory that does not grow with them.

use std::collections::VecDeque;

use chrono::TimeDelta;
use serde::Serialize;

use crate::policy::Level;
use crate::time::Timestamp;

/// So many changes within 24 hours are told apart; more is told as this many.
const MOST_CHANGES: usize = 10_000;

/// The window in which changes are counted.
const WINDOW: TimeDelta = TimeDelta::hours(24);

/// What it came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Trend {
    /// How many decisions.
    pub decisions: u64,
    /// The time of the first of them.
    pub first: Option<Timestamp>,
    /// The time of the last of them.
    pub last: Option<Timestamp>,
    /// Each level, the lowest first.
    pub levels: Vec<OfLevel>,
    /// Each change from one level to another, the most frequent first.
    pub changes: Vec<Change>,
    /// The most changes within 24 hours.
    pub busiest: Option<Busiest>,
}

/// What is told of a level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfLevel {
    /// The level.
    pub level: Level,
    /// How many decisions had it.
    pub decisions: u64,
    /// How long it held: from each decision to the next.
    pub seconds: i64,
    /// The longest stretch without a break.
    pub longest: Stretch,
}

/// A time without a break at one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Stretch {
    /// The first decision of it.
    pub from: Timestamp,
    /// The decision that ended it, or the last one.
    pub until: Timestamp,
}

impl Stretch {
    /// How long it lasts.
    pub fn length(self) -> TimeDelta {
        self.until.since(self.from)
    }
}

/// So many changes from one level to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The level before.
    pub from: Level,
    /// The level after.
    pub to: Level,
    /// How many.
    pub times: u64,
}

/// The 24 hours with the most changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Busiest {
    /// How many changes.
    pub changes: u64,
    /// The last of them.
    pub until: Timestamp,
}

/// The fold.
#[derive(Debug, Default)]
pub struct Course {
    trend: Trend,
    now: Option<(Level, Timestamp)>,
    recent: VecDeque<Timestamp>,
}

impl Course {
    /// Takes the next decision.
    pub fn take(&mut self, at: Timestamp, level: &Level) {
        if let Some(last) = self.trend.last {
            self.hold(last, at);
        }
        let stretch = Stretch {
            from: at,
            until: at,
        };
        match &self.now {
            Some((now, _)) if now.name() == level.name() => {}
            Some((now, _)) => {
                let before = now.clone();
                self.change(&before, level, at);
                self.now = Some((level.clone(), at));
            }
            None => self.now = Some((level.clone(), at)),
        }
        let of_level = self.of(level, stretch);
        of_level.decisions += 1;
        self.trend.decisions += 1;
        self.trend.first.get_or_insert(at);
        self.trend.last = Some(at);
    }

    /// Adds the time from the decision before to the level that it had.
    fn hold(&mut self, last: Timestamp, at: Timestamp) {
        let Some((level, from)) = self.now.clone() else {
            return;
        };
        let stretch = Stretch { from, until: at };
        let of_level = self.of(&level, stretch);
        // A step back in time adds nothing.
        of_level.seconds += at.since(last).num_seconds().max(0);
        if stretch.length() > of_level.longest.length() {
            of_level.longest = stretch;
        }
    }

    fn of(&mut self, level: &Level, stretch: Stretch) -> &mut OfLevel {
        let levels = &mut self.trend.levels;
        let known = levels
            .iter()
            .position(|known| known.level.name() == level.name());
        let place = known.unwrap_or_else(|| {
            let place = levels.partition_point(|known| known.level < *level);
            let fresh = OfLevel {
                level: level.clone(),
                decisions: 0,
                seconds: 0,
                longest: stretch,
            };
            levels.insert(place, fresh);
            place
        });
        #[expect(clippy::indexing_slicing, reason = "the place was just found or made")]
        &mut levels[place]
    }

    fn change(&mut self, from: &Level, to: &Level, at: Timestamp) {
        let changes = &mut self.trend.changes;
        let same = |change: &&mut Change| change.from == *from && change.to == *to;
        match changes.iter_mut().find(same) {
            Some(change) => change.times += 1,
            None => changes.push(Change {
                from: from.clone(),
                to: to.clone(),
                times: 1,
            }),
        }
        let begin = at.minus(WINDOW);
        while self.recent.front().is_some_and(|first| *first < begin)
            || self.recent.len() >= MOST_CHANGES
        {
            self.recent.pop_front();
        }
        self.recent.push_back(at);
        let count = self.recent.len() as u64;
        if self
            .trend
            .busiest
            .is_none_or(|busiest| count > busiest.changes)
        {
            self.trend.busiest = Some(Busiest {
                changes: count,
                until: at,
            });
        }
    }

    /// What it came to.
    pub fn finish(mut self) -> Trend {
        self.trend
            .changes
            .sort_by_key(|change| std::cmp::Reverse(change.times));
        self.trend
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::read(text).unwrap().time
    }

    #[test]
    fn counts_time_stretches_changes_and_the_busiest_day() {
        let mut course = Course::default();
        let orange = Level::parse("ORANGE").unwrap();
        for (time, level) in [
            ("2026-01-01T00:00:00Z", &Level::GREEN),
            ("2026-01-01T06:00:00Z", &Level::RED),
            ("2026-01-01T12:00:00Z", &Level::RED),
            ("2026-01-02T12:00:00Z", &Level::GREEN),
            ("2026-01-02T13:00:00Z", &Level::RED),
            ("2026-01-02T12:30:00Z", &orange),
            ("2026-01-02T14:00:00Z", &Level::GREEN),
        ] {
            course.take(at(time), level);
        }
        let trend = course.finish();
        let told: Vec<_> = trend
            .levels
            .iter()
            .map(|of| {
                (
                    of.level.name(),
                    of.decisions,
                    of.seconds,
                    of.longest.length().num_hours(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("GREEN", 3, 7 * 3_600, 6),
                ("ORANGE", 1, 90 * 60, 1),
                ("RED", 3, 30 * 3_600, 30),
            ]
        );
        assert_eq!(trend.changes[0].times, 2);
        assert_eq!(
            (trend.changes[0].from.name(), trend.changes[0].to.name()),
            ("GREEN", "RED")
        );
        assert_eq!(trend.busiest.unwrap().changes, 4);
        assert_eq!(trend.decisions, 7);
    }

    #[test]
    fn nothing_comes_to_nothing() {
        assert_eq!(Course::default().finish(), Trend::default());
    }
}
