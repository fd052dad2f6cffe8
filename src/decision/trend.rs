//! How the level went: counts, time and longest stretch of each level, changes, the busiest day, and
//! how long it took to leave RED again (row S4-087). A fold over recorded decisions (pure), in memory
//! that does not grow with them. Days and steps of time are in [`days`], what the signals said in
//! [`signals`], what nearly fired in [`near`].

pub mod days;
pub mod near;
pub mod signals;

use std::collections::VecDeque;

use chrono::TimeDelta;
use serde::Serialize;

use crate::policy::Level;
use crate::time::Timestamp;

/// So many changes within 24 hours are told apart; more is told as this many.
const MOST_CHANGES: usize = 10_000;

/// The window in which changes are counted.
const WINDOW: TimeDelta = TimeDelta::hours(24);

/// So many of the last changes are told one by one.
const TOLD_CHANGES: usize = 50;

/// What it came to.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
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
    /// How many changes in all.
    pub change_count: u64,
    /// Changes a day, from the first decision to the last; absent where no time lies between them.
    pub changes_per_day: Option<f64>,
    /// The most changes within 24 hours.
    pub busiest: Option<Busiest>,
    /// The last changes one by one, the oldest first.
    pub last_changes: VecDeque<Transition>,
    /// How RED was left again.
    pub recovery: Recovery,
}

/// One change from one level to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Transition {
    /// The first decision with the level after.
    pub at: Timestamp,
    /// The level before.
    pub from: Level,
    /// The level after.
    pub to: Level,
    /// How long the level before was held, in seconds.
    pub held_seconds: i64,
}

/// How RED, or a graver level, was left again. A stretch counts from its first decision to the first
/// one below RED.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Recovery {
    /// How many stretches came to an end.
    pub ended: u64,
    /// Their mean length, in seconds: the mean time to recovery.
    pub mean_seconds: Option<i64>,
    /// The longest of all, one that goes on included.
    pub longest: Option<Stretch>,
    /// The first decision of the one that goes on.
    pub open_since: Option<Timestamp>,
    #[serde(skip)]
    sum: i64,
}

impl Recovery {
    fn take(&mut self, last: Option<Timestamp>, at: Timestamp, level: &Level) {
        if let Some(from) = self.open_since {
            let until = if *level >= Level::RED {
                last.map_or(at, |last| last.max(at))
            } else {
                at
            };
            let stretch = Stretch { from, until };
            if self
                .longest
                .is_none_or(|longest| stretch.length() > longest.length())
            {
                self.longest = Some(stretch);
            }
            if *level < Level::RED {
                self.ended += 1;
                self.sum += stretch.length().num_seconds().max(0);
                self.mean_seconds = i64::try_from(self.ended).ok().map(|ended| self.sum / ended);
                self.open_since = None;
            }
        } else if *level >= Level::RED {
            self.open_since = Some(at);
        }
    }
}

impl Trend {
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts and seconds, far below where a float is no longer exact"
    )]
    fn per_day(&self) -> Option<f64> {
        let seconds = self.last?.since(self.first?).num_seconds();
        let days = seconds as f64 / 86_400.0;
        (seconds > 0).then(|| (self.change_count as f64 / days * 1e4).round() / 1e4)
    }

    /// The same, of one level alone: its row, and the changes into it and out of it.
    #[must_use]
    pub fn only(mut self, level: &Level) -> Self {
        let is_it = |other: &Level| other.name() == level.name();
        self.levels.retain(|of| is_it(&of.level));
        self.changes
            .retain(|change| is_it(&change.from) || is_it(&change.to));
        self.last_changes
            .retain(|change| is_it(&change.from) || is_it(&change.to));
        self
    }
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
    /// Takes the next decision. True where it has another level than the one before.
    pub fn take(&mut self, at: Timestamp, level: &Level) -> bool {
        if let Some(last) = self.trend.last {
            self.hold(last, at);
        }
        self.trend.recovery.take(self.trend.last, at, level);
        let mut changed = false;
        let stretch = Stretch {
            from: at,
            until: at,
        };
        match &self.now {
            Some((now, _)) if now.name() == level.name() => {}
            Some((now, since)) => {
                let (before, since) = (now.clone(), *since);
                self.change(&before, level, at);
                self.tell(before, level, since, at);
                self.now = Some((level.clone(), at));
                changed = true;
            }
            None => self.now = Some((level.clone(), at)),
        }
        let of_level = self.of(level, stretch);
        of_level.decisions += 1;
        self.trend.decisions += 1;
        self.trend.first.get_or_insert(at);
        self.trend.last = Some(at);
        changed
    }

    fn tell(&mut self, from: Level, to: &Level, since: Timestamp, at: Timestamp) {
        let told = &mut self.trend.last_changes;
        if told.len() == TOLD_CHANGES {
            told.pop_front();
        }
        told.push_back(Transition {
            at,
            from,
            to: to.clone(),
            held_seconds: at.since(since).num_seconds().max(0),
        });
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
        self.trend.change_count += 1;
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
        self.trend.changes_per_day = self.trend.per_day();
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
        assert_eq!((trend.change_count, trend.last_changes.len()), (5, 5));
        assert_eq!(trend.changes_per_day, Some(3.1579));
        let longest = &trend.last_changes[1];
        assert_eq!(
            (longest.from.name(), longest.held_seconds),
            ("RED", 30 * 3_600)
        );
        let recovery = trend.recovery;
        assert_eq!((recovery.ended, recovery.open_since), (2, None));
        // 30 hours, and one that a clock put back made shorter than nothing.
        assert_eq!(recovery.mean_seconds, Some(15 * 3_600));
        assert_eq!(recovery.longest.unwrap().length().num_hours(), 30);
        let red = trend.only(&Level::RED);
        assert_eq!((red.levels.len(), red.decisions), (1, 7));
        assert!(
            red.changes
                .iter()
                .all(|change| [&change.from, &change.to].contains(&&Level::RED))
        );
    }

    #[test]
    fn a_red_that_goes_on_is_no_recovery() {
        let mut course = Course::default();
        for (time, level) in [
            ("2026-01-01T00:00:00Z", &Level::RED),
            ("2026-01-01T04:00:00Z", &Level::GREEN),
            ("2026-01-02T00:00:00Z", &Level::RED),
            ("2026-01-02T12:00:00Z", &Level::RED),
        ] {
            course.take(at(time), level);
        }
        let recovery = course.finish().recovery;
        assert_eq!(
            (recovery.ended, recovery.mean_seconds),
            (1, Some(4 * 3_600))
        );
        assert_eq!(recovery.longest.unwrap().length().num_hours(), 12);
        assert_eq!(recovery.open_since, Some(at("2026-01-02T00:00:00Z")));
    }

    #[test]
    fn nothing_comes_to_nothing() {
        assert_eq!(Course::default().finish(), Trend::default());
    }
}
