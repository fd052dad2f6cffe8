//! When a window is open: the minutes of its cron expression as points in time.
//!
//! A window opens by the wall clock of its zone. One whose minute falls into the gap that a clock
//! set forward leaves opens with the first instant behind the gap; one whose minute comes twice, as
//! a clock set back has it, opens the first time only. It lasts as elapsed time, so that 24 hours
//! over such a night end an hour earlier or later by the clock. It is open at the instant at which
//! it opens, and closed at the one at which it closes.
//!
//! So the order of minutes on the wall clock is the order of the instants at which they come, and
//! the last opening before a time is found by walking back from it. Times here are seconds since
//! 1970-01-01T00:00:00Z.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone};
use chrono_tz::{GapInfo, Tz};

use super::schedule::Schedule;

/// A window's times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Openings<'a> {
    pub(super) schedule: &'a Schedule,
    pub(super) zone: Tz,
    /// How long each lasts, in seconds.
    pub(super) duration: i64,
}

impl Openings<'_> {
    /// When the opening that `at` lies in closes; `None` where the window is not open then. Of
    /// openings that overlap it is the last one.
    pub(super) fn closes(&self, at: i64) -> Option<i64> {
        let last = last_wall(self.zone, at)?;
        let mut date = last.date();
        // Offsets from UTC differ by up to a day between two times: one day more at either end.
        for _ in 0..=self.duration / DAY + 3 {
            if self.schedule.matches(date) {
                let walls = self.schedule.minutes().iter().rev();
                let walls = walls.filter_map(|minute| wall(date, *minute));
                let opened = walls
                    .filter(|wall| *wall <= last)
                    .filter_map(|wall| instant(self.zone, &wall))
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
        let mut end = closes;
        let mut date = first_wall(self.zone, closes)?.date();
        while end <= horizon && self.schedule.matches(date) {
            let opens = instant(self.zone, &wall(date, first)?)?;
            let last = instant(self.zone, &wall(date, last)?)?;
            let by_the_clock = i64::from(self.schedule.span()) * 60;
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
        let first = first_wall(self.zone, after)?;
        let last = first_wall(self.zone, horizon)?.date();
        let last = last.checked_add_days(Days::new(1))?;
        let days = first.date().iter_days();
        let days = days.take_while(|date| *date <= last);
        for date in days.filter(|date| self.schedule.matches(*date)) {
            let minutes = self.schedule.minutes().iter();
            let walls = minutes.filter_map(|minute| wall(date, *minute));
            let opens = walls
                .filter(|wall| *wall >= first)
                .filter_map(|wall| instant(self.zone, &wall))
                .find(|opens| *opens > after);
            if let Some(opens) = opens {
                return (opens <= horizon).then_some(opens);
            }
        }
        None
    }
}

/// A day, in seconds.
const DAY: i64 = 86_400;

fn wall(date: NaiveDate, minute: u16) -> Option<NaiveDateTime> {
    date.and_hms_opt(u32::from(minute / 60), u32::from(minute % 60), 0)
}

/// What the wall clock shows at a time.
fn first_wall(zone: Tz, at: i64) -> Option<NaiveDateTime> {
    let utc = DateTime::from_timestamp(at, 0)?.naive_utc();
    let offset = zone.offset_from_utc_datetime(&utc).fix();
    utc.checked_add_offset(offset)
}

/// The furthest that the wall clock can have shown until a time: more than it shows, where it was
/// set back a moment ago.
fn last_wall(zone: Tz, at: i64) -> Option<NaiveDateTime> {
    let shown = first_wall(zone, at)?;
    match zone.from_local_datetime(&shown) {
        chrono::LocalResult::Ambiguous(first, second) if second.timestamp() <= at => {
            let set_back = TimeDelta::seconds(second.timestamp() - first.timestamp());
            shown.checked_add_signed(set_back)
        }
        _ => Some(shown),
    }
}

/// When the wall clock shows this for the first time, or, where it skips it, the first instant
/// behind.
fn instant(zone: Tz, wall: &NaiveDateTime) -> Option<i64> {
    match zone.from_local_datetime(wall) {
        chrono::LocalResult::Single(time) | chrono::LocalResult::Ambiguous(time, _) => {
            Some(time.timestamp())
        }
        chrono::LocalResult::None => GapInfo::new(wall, &zone)?.end.map(|end| end.timestamp()),
    }
}
