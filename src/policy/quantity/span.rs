//! Lengths of time: `72h`, `7_days`, `7_years`.
//!
//! Seconds to weeks always last as long; months and years go by the calendar. Two questions are
//! asked of a length, and they differ where it is over to the moment: what expires is still good
//! then ([`Span::is_exceeded`]), what has to be waited for is done ([`Span::has_passed`]).

use super::Measure;
use crate::time::Timestamp;

/// A length of time from 1 second on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    count: u64,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Seconds,
    Minutes,
    Hours,
    Days,
    Weeks,
    Months,
    Years,
}

/// Every unit with its names, the short one first.
const UNITS: [(Unit, &[&str]); 7] = [
    (Unit::Seconds, &["s", "sec", "second", "seconds"]),
    (Unit::Minutes, &["m", "min", "minute", "minutes"]),
    (Unit::Hours, &["h", "hour", "hours"]),
    (Unit::Days, &["d", "day", "days"]),
    (Unit::Weeks, &["w", "week", "weeks"]),
    (Unit::Months, &["month", "months"]),
    (Unit::Years, &["y", "year", "years"]),
];

/// The longest time, in years: what is meant to last longer is a slip of the pen.
const LONGEST: u64 = 1000;

impl Span {
    /// What is expected where a length of time is written.
    pub const EXPECTED: &'static str = "a whole number from 1 on and a unit, at most 1000 years";

    /// How it may be written.
    pub const EXAMPLE: &'static str = "72h, 7_days or 7_years";

    /// Reads a whole number and a unit, with `_`, a blank or nothing between them.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (count, unit) = text.split_at_checked(digits)?;
        let unit = unit.strip_prefix(['_', ' ']).unwrap_or(unit);
        let (unit, _) = UNITS.iter().find(|(_, names)| names.contains(&unit))?;
        let count = count.parse().ok().filter(|count| *count > 0)?;
        let span = Self { count, unit: *unit };
        (!span.is_too_long()).then_some(span)
    }

    /// How long it lasts, where that is always the same.
    pub fn seconds(self) -> Option<u64> {
        let unit = match self.unit {
            Unit::Seconds => 1,
            Unit::Minutes => 60,
            Unit::Hours => 3_600,
            Unit::Days => 86_400,
            Unit::Weeks => 604_800,
            Unit::Months | Unit::Years => return None,
        };
        self.count.checked_mul(unit)
    }

    fn months(self) -> u64 {
        match self.unit {
            Unit::Years => self.count.saturating_mul(12),
            Unit::Months => self.count,
            _ => 0,
        }
    }

    fn is_too_long(self) -> bool {
        match self.unit {
            Unit::Months | Unit::Years => self.months() > LONGEST * 12,
            _ => self
                .seconds()
                .is_none_or(|seconds| seconds > LONGEST * 366 * 86_400),
        }
    }

    /// The moment at which it is over, when it begins at `start`. The 31st of a month that has none
    /// is its last day; `None` beyond the year 9999.
    pub fn end(self, start: Timestamp) -> Option<Timestamp> {
        match self.seconds() {
            Some(seconds) => {
                let end = start.plus_seconds(i64::try_from(seconds).ok()?);
                (end > start).then_some(end)
            }
            None => start.plus_months(u32::try_from(self.months()).ok()?),
        }
    }

    /// True where what has to be waited for is done: at the last moment it is.
    pub fn has_passed(self, start: Timestamp, now: Timestamp) -> bool {
        self.end(start).is_some_and(|end| now >= end)
    }

    /// True where what may be that old is too old: at the last moment it is not.
    pub fn is_exceeded(self, start: Timestamp, now: Timestamp) -> bool {
        self.end(start).is_some_and(|end| now > end)
    }

    /// The quantity as it is shown.
    pub fn measure(self, written: &str) -> Measure {
        let name = match self.unit {
            Unit::Seconds => "seconds",
            Unit::Minutes => "minutes",
            Unit::Hours => "hours",
            Unit::Days => "days",
            Unit::Weeks => "weeks",
            Unit::Months => "months",
            Unit::Years => "years",
        };
        let mut measure = Measure::new(written, self.count, name);
        measure.seconds = self.seconds();
        measure.in_words = match self.seconds() {
            Some(seconds) if self.unit != Unit::Seconds => {
                format!("{} {name}, {seconds} s", self.count)
            }
            Some(_) => format!("{} {name}", self.count),
            None => format!("{} {name} by the calendar", self.count),
        };
        measure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::read(text).unwrap().time
    }

    fn span(text: &str) -> Span {
        Span::parse(text).unwrap()
    }

    #[test]
    fn lengths_are_read_as_people_write_them() {
        let seconds = [
            ("1s", 1),
            ("90_seconds", 90),
            ("15m", 900),
            ("72h", 259_200),
            ("7_days", 604_800),
            ("30 days", 2_592_000),
            ("1_day", 86_400),
            ("2w", 1_209_600),
        ];
        for (text, seconds) in seconds {
            assert_eq!(span(text).seconds(), Some(seconds), "{text}");
        }
        assert_eq!(span("7_years").seconds(), None);
    }

    #[test]
    fn what_is_no_length_is_none() {
        for text in [
            "",
            "7",
            "days",
            "0_days",
            "-7_days",
            "7__days",
            "7_DAYS",
            "7.5_days",
            "7_fortnights",
            "7_days ",
            "99999999999_days",
            "18446744073709551615w",
            "18446744073709551615_years",
            "12001_months",
            "1001_years",
            "seven_days",
        ] {
            assert!(Span::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn at_its_last_moment_a_wait_is_done_and_an_approval_still_good() {
        let start = at("2026-01-01T12:00:00Z");
        let cases = [
            ("7_days", "2026-01-08T11:59:59.999999Z", false, false),
            ("7_days", "2026-01-08T12:00:00Z", true, false),
            ("7_days", "2026-01-08T12:00:00.000001Z", true, true),
            ("72h", "2026-01-04T12:00:00Z", true, false),
            ("72h", "2026-01-04T12:00:01Z", true, true),
            ("7_years", "2032-12-31T23:59:59Z", false, false),
            ("7_years", "2033-01-01T12:00:00Z", true, false),
            ("7_years", "2033-01-01T12:00:01Z", true, true),
        ];
        for (text, now, passed, exceeded) in cases {
            let span = span(text);
            assert_eq!(
                (
                    span.has_passed(start, at(now)),
                    span.is_exceeded(start, at(now))
                ),
                (passed, exceeded),
                "{text} at {now}"
            );
        }
    }

    #[test]
    fn years_and_months_go_by_the_calendar() {
        let end = |start: &str, text: &str| span(text).end(at(start)).unwrap().date();
        assert_eq!(end("2024-02-29", "7_years"), "2031-02-28");
        assert_eq!(end("2024-02-29", "4_years"), "2028-02-29");
        assert_eq!(end("2026-01-31", "1_month"), "2026-02-28");
        assert!(span("1000_years").end(at("9500-01-01")).is_none());
        assert!(span("9000w").end(at("9990-01-01")).is_none());
    }

    #[test]
    fn beyond_the_last_year_nothing_is_over() {
        let (start, now) = (at("9990-01-01"), at("9999-12-31"));
        assert!(!span("20_years").has_passed(start, now));
        assert!(!span("9000w").is_exceeded(start, now));
    }
}
