//! Time zones: what a wall clock shows at a time, and when it first shows something.
//!
//! The offsets from UTC of all zones of the IANA database from 2000 to 2100 are a text, `zones.txt`,
//! compiled in: a machine without that database, or with another, decides alike. It is made from the
//! crate `chrono-tz` (`scripts/regenerate`), and a test holds both against each other. The crate
//! itself is not linked: its tables hold 29,000 pointers, which every start of the program, of a
//! `run` as well, would have to adjust first, for a third more instructions than a run takes.
//!
//! Before 2000 a zone keeps its first offset, from 2101 on its last. Times are seconds since
//! 1970-01-01T00:00:00Z; what a wall clock shows is counted as if it were UTC.

/// A line for all zones that agree: their names, separated by commas, a tab, the offset at the
/// beginning of 2000, and for each change the minutes since the one before and the new offset.
/// Offsets are in minutes.
const TABLE: &str = include_str!("zones.txt");

/// 2000-01-01T00:00:00Z, from which on changes are counted.
const BEGIN: i64 = 946_684_800;

/// A time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Zone {
    name: &'static str,
    /// The offset before the first change.
    first: i64,
    /// In the order of their times.
    changes: Vec<Change>,
}

/// The clock is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    at: i64,
    /// The offset before, in seconds.
    from: i64,
    /// And from then on.
    to: i64,
}

impl Zone {
    /// The zone of this name, as the database writes it.
    pub(super) fn named(name: &str) -> Option<Self> {
        TABLE.lines().find_map(|line| {
            let (names, offsets) = line.split_once('\t')?;
            let name = names.split(',').find(|other| *other == name)?;
            Self::read(name, offsets)
        })
    }

    fn read(name: &'static str, offsets: &str) -> Option<Self> {
        let mut numbers = offsets.split(' ').map(|number| number.parse::<i64>().ok());
        let first = numbers.next()?? * 60;
        let mut changes = Vec::new();
        let (mut at, mut from) = (BEGIN, first);
        while let Some(minutes) = numbers.next() {
            at += minutes? * 60;
            let to = numbers.next()?? * 60;
            changes.push(Change { at, from, to });
            from = to;
        }
        Some(Self {
            name,
            first,
            changes,
        })
    }

    /// Its name.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// How many changes of the clock were at this time or before.
    fn changes_until(&self, at: i64) -> usize {
        self.changes.partition_point(|change| change.at <= at)
    }

    /// What the wall clock shows at a time.
    pub(super) fn shown(&self, at: i64) -> i64 {
        let last = self.changes_until(at).checked_sub(1);
        let last = last.and_then(|index| self.changes.get(index));
        at.saturating_add(last.map_or(self.first, |change| change.to))
    }

    /// The furthest that the wall clock can have shown until a time: more than it shows, where it
    /// was set back a moment ago.
    pub(super) fn furthest(&self, at: i64) -> i64 {
        let last = self.changes_until(at).checked_sub(1);
        let last = last.and_then(|index| self.changes.get(index));
        let before = last.map_or(i64::MIN, |change| change.at + change.from);
        self.shown(at).max(before)
    }

    /// When the wall clock first shows this or anything later: the first instant behind the gap,
    /// where it skips it, and the first of two, where it comes twice.
    pub(super) fn first_shows(&self, wall: i64) -> i64 {
        // Changes that were long ago can't matter: no offset is more than a day.
        let from = self.changes_until(wall.saturating_sub(2 * 86_400));
        let mut begin = i64::MIN;
        for change in self.changes.iter().skip(from) {
            // Up to the change the clock showed less than this.
            if wall < change.at + change.from {
                return (wall - change.from).max(begin);
            }
            begin = change.at;
        }
        let last = self.changes.last().map_or(self.first, |change| change.to);
        wall.saturating_sub(last).max(begin)
    }
}

/// The names of all zones, those that mean the same behind each other.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let names = TABLE.lines().filter_map(|line| line.split('\t').next());
    names.flat_map(|names| names.split(','))
}
