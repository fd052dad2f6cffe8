//! Freeze windows: the times in which nothing is applied.
//!
//! A [`Window`] recurs: it opens where its cron expression says, by the local wall clock of its time
//! zone, and stays open for a duration of elapsed time. In a window that denies, nothing is applied;
//! where a window that allows is declared, nothing is applied outside of all of those either. What
//! denies comes before what allows. How a window is written is said in [`window`], when it opens in
//! [`opening`], what a cron expression means in [`schedule`], and what clocks show in [`zone`].
//!
//! A freeze is about applies: safeguards, dry runs and undos don't ask a [`Calendar`]. No file and
//! no clock is known here.

mod opening;
mod schedule;
mod window;
mod zone;

pub use window::{Field, Mode, Window, WindowProblem};

use crate::time::Timestamp;

/// How far ahead is looked for a time at which nothing is frozen, in seconds: a leap year.
const HORIZON: i64 = 366 * 86_400;

/// How many openings that follow each other are looked at on the way there. Only windows that are
/// made to interlock by the minute have more of them in a year.
const STEPS: usize = 10_000;

/// The freeze windows of a policy. The empty one, which never freezes, is the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calendar(Vec<Window>);

/// Whether applies are possible at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// No window stands in the way.
    Open,
    /// Nothing is to be applied.
    Frozen {
        /// The name of the window: of the first that denies, in the order of the document; outside
        /// of all that allow, of the one that opens next.
        by: String,
        /// Whether that window denies, or allows and is not open.
        mode: Mode,
        /// Its reason.
        reason: String,
        /// The earliest time at which applies are possible again, all windows taken together;
        /// `None` where that is more than a year ahead, or behind ten thousand openings without a
        /// break.
        until: Option<Timestamp>,
    },
}

/// A time at which a window is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The window's name.
    pub name: String,
    /// Whether it denies or allows.
    pub mode: Mode,
    /// Its reason.
    pub reason: String,
    /// When it opens.
    pub from: Timestamp,
    /// When it closes.
    pub until: Timestamp,
}

impl Calendar {
    /// The calendar of these windows, in the order of their document.
    pub fn new(windows: Vec<Window>) -> Self {
        Self(windows)
    }

    /// The windows, in the order of their document.
    pub fn windows(&self) -> &[Window] {
        &self.0
    }

    /// How things stand at `now`. The cost is bounded: the days of the longest duration looked back
    /// and, where something is frozen, a year ahead.
    pub fn at(&self, now: Timestamp) -> Standing {
        // Windows open and close at whole seconds, so that the fraction of `now` changes nothing.
        let at = now.unix_seconds();
        let Some(window) = self.in_the_way(at) else {
            return Standing::Open;
        };
        Standing::Frozen {
            by: window.name().to_owned(),
            mode: window.mode(),
            reason: window.reason().to_owned(),
            until: self.opens(at).and_then(Timestamp::from_unix_seconds),
        }
    }

    /// When the windows open behind `after` and before `end`, each so many times at most, in the order
    /// in which they open.
    pub fn openings(&self, after: Timestamp, end: Timestamp, most: usize) -> Vec<Opening> {
        let mut openings: Vec<Opening> = self
            .0
            .iter()
            .flat_map(|window| window.opened(after, end).take(most))
            .collect();
        openings.sort_by_key(|opening| opening.from);
        openings
    }

    fn of(&self, mode: Mode) -> impl Iterator<Item = &Window> {
        self.0.iter().filter(move |window| window.mode() == mode)
    }

    fn denied_until(&self, at: i64, horizon: i64) -> Option<i64> {
        self.of(Mode::Deny)
            .filter_map(|window| window.openings().closes_for_long(at, horizon))
            .max()
    }

    /// True inside a window that allows, and where none is declared.
    fn allows(&self, at: i64) -> bool {
        let mut windows = self.of(Mode::Allow).peekable();
        windows.peek().is_none() || windows.any(|window| window.is_open(at))
    }

    fn next_allowed(&self, after: i64, horizon: i64) -> Option<(i64, &Window)> {
        self.of(Mode::Allow)
            .filter_map(|window| Some((window.openings().next(after, horizon)?, window)))
            .min_by_key(|(opens, _)| *opens)
    }

    /// The window that keeps anything from being applied at this time.
    fn in_the_way(&self, at: i64) -> Option<&Window> {
        let denying = self.of(Mode::Deny).find(|window| window.is_open(at));
        if denying.is_some() || self.allows(at) {
            return denying;
        }
        self.next_allowed(at, at.saturating_add(HORIZON))
            .map(|(_, window)| window)
            .or_else(|| self.of(Mode::Allow).next())
    }

    /// The earliest time from `at` on at which nothing is in the way.
    fn opens(&self, at: i64) -> Option<i64> {
        let horizon = at.saturating_add(HORIZON);
        let mut time = at;
        for _ in 0..STEPS {
            time = if let Some(end) = self.denied_until(time, horizon) {
                end
            } else if self.allows(time) {
                return Some(time);
            } else {
                self.next_allowed(time, horizon)?.0
            };
            if time > horizon {
                break;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
