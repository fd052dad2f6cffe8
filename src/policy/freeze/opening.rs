//! When a window is open: the minutes of its cron expression as points in time.
//!
//! A window opens by the wall clock of its zone. One whose minute falls into the gap that a clock
//! set forward leaves opens with the first instant behind the gap; one whose minute comes twice, as
//! a clock set back has it, opens the first time only. It lasts as elapsed time, so that 24 hours
//! over such a night end an hour earlier or later by the clock. It is open at the instant at which
//! it opens, and closed at the one at which it closes.
//!
//! So the order of minutes on the wall clock is the order of the instants at which they come, and
//! the last opening before a time is found by walking back from it. What a zone's clock shows is said in
//! [`super::zone`]; times are seconds as there.

use chrono::{DateTime, Days, NaiveDate, NaiveTime};

use super::schedule::Schedule;
use super::zone::Zone;

/// A day, in seconds.
const DAY: i64 = 86_400;

/// A window's times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Openings<'a> {
    pub(super) schedule: &'a Schedule,
    pub(super) zone: &'a Zone,
    /// How long each lasts, in seconds.
    pub(super) duration: i64,
}

impl Openings<'_> {
    /// When the opening that `at` lies in closes; `None` where the window is not open then. Of
    /// openings that overlap it is the last one.
    pub(super) fn closes(&self, at: i64) -> Option<i64> {
        let last = self.zone.furthest(at);
        let mut date = date(last)?;
        // Offsets from UTC differ by up to a day between two times: one day more at either end.
        for _ in 0..=self.duration / DAY + 3 {
            if self.schedule.matches(date) {
                let walls = self.schedule.minutes().iter().rev();
                let opened = walls
                    .map(|minute| wall(date, *minute))
                    .filter(|wall| *wall <= last)
                    .map(|wall| self.zone.first_shows(wall))
                    .find(|opens| *opens <= at);
                if let Some(opened) = opened {
                    let closes = opened.saturating_add(self.duration);
                    return (closes > at).then_some(closes);
                }
            }
            date = date.pred_opt()?;
        }
        None
    }

    /// As [`Self::closes`], and on through the days on which one opening follows the other without
    /// a break, as far as `horizon`. A window of a minute that opens every minute is so looked at
    /// once a day, not once a minute.
    pub(super) fn closes_for_long(&self, at: i64, horizon: i64) -> Option<i64> {
        let closes = self.closes(at)?;
        Some(self.through_whole_days(closes, horizon).unwrap_or(closes))
    }

    fn through_whole_days(&self, closes: i64, horizon: i64) -> Option<i64> {
        if i64::from(self.schedule.longest_pause()) * 60 > self.duration {
            return None;
        }
        let (first, last) = self.schedule.first_and_last()?;
        let by_the_clock = i64::from(last - first) * 60;
        let mut end = closes;
        let mut date = date(self.zone.shown(closes))?;
        while end <= horizon && self.schedule.matches(date) {
            let opens = self.zone.first_shows(wall(date, first));
            let last = self.zone.first_shows(wall(date, last));
            // Where the clock is changed in between, a pause may be longer.
            if opens > end || last - opens != by_the_clock {
                break;
            }
            end = end.max(last.saturating_add(self.duration));
            date = date.succ_opt()?;
        }
        Some(end)
    }

    /// When the window opens the next time behind `after`, at the latest at `horizon`.
    pub(super) fn next(&self, after: i64, horizon: i64) -> Option<i64> {
        let first = self.zone.shown(after);
        let last = date(self.zone.shown(horizon))?.checked_add_days(Days::new(1))?;
        let days = date(first)?.iter_days();
        let days = days.take_while(|date| *date <= last);
        for date in days.filter(|date| self.schedule.matches(*date)) {
            let minutes = self.schedule.minutes().iter();
            let opens = minutes
                .map(|minute| wall(date, *minute))
                .filter(|wall| *wall >= first)
                .map(|wall| self.zone.first_shows(wall))
                .find(|opens| *opens > after);
            if let Some(opens) = opens {
                return (opens <= horizon).then_some(opens);
            }
        }
        None
    }
}

/// The day that a wall clock shows.
fn date(wall: i64) -> Option<NaiveDate> {
    DateTime::from_timestamp(wall, 0).map(|time| time.date_naive())
}

/// What a wall clock shows in this minute of this day.
fn wall(date: NaiveDate, minute: u16) -> i64 {
    let midnight = date.and_time(NaiveTime::MIN).and_utc().timestamp();
    midnight + i64::from(minute) * 60
}
