//! Points in time, and the one clock.
//!
//! Here lives [`Timestamp`] (UTC, microseconds) with the forms of time that files in the field
//! carry, and [`Clock`], the only reader of the machine's clock. Durations and windows belong to
//! whoever compares times.

use std::fmt;

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveDateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time in UTC with a resolution of one microsecond, in the years 1 to 9999.
///
/// Written after RFC 3339 with the offset `+00:00` (row S4-033), and with six digits of a second's
/// fraction unless that is zero, so that the text order of recorded times is their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

/// A time read from text, and whether the text named its offset from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadTime {
    /// The point in time; text without an offset is taken as UTC (row B-20).
    pub time: Timestamp,
    /// True where the text named no offset.
    pub naive: bool,
    /// True where the text named a day only; the time is its first moment.
    pub date_only: bool,
}

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(DateTime::UNIX_EPOCH);

    /// Takes the forms that files in the field use: RFC 3339 with any offset, the same without an
    /// offset or with a blank for the `T`, and a bare date (midnight). `None` for all else.
    pub fn read(text: &str) -> Option<ReadTime> {
        let text = text.trim();
        if let Some(time) = usual(text.as_bytes()) {
            return Some(ReadTime {
                time: Self(time),
                naive: false,
                date_only: false,
            });
        }
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Self::checked(time.with_timezone(&Utc)).map(|time| ReadTime {
                time,
                naive: false,
                date_only: false,
            });
        }
        let forms = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
        let moment = forms
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
        let day = || {
            NaiveDate::parse_from_str(text, "%Y-%m-%d")
                .ok()?
                .and_hms_opt(0, 0, 0)
        };
        let date_only = moment.is_none();
        Self::checked(moment.or_else(day)?.and_utc()).map(|time| ReadTime {
            time,
            naive: true,
            date_only,
        })
    }

    /// As [`Self::read`], of the one form that this program writes, from bytes that nobody has found
    /// to be text yet; `None` says nothing about any other form.
    pub fn read_usual(text: &[u8]) -> Option<Self> {
        usual(text).map(Self)
    }

    fn checked(time: DateTime<Utc>) -> Option<Self> {
        if !(1..=9999).contains(&time.year()) {
            return None;
        }
        DateTime::from_timestamp_micros(time.timestamp_micros()).map(Self)
    }

    /// The time so many seconds after 1970-01-01T00:00:00Z, before it where they are negative;
    /// `None` outside the years 1 to 9999.
    pub fn from_unix(seconds: i64, nanos: u32) -> Option<Self> {
        DateTime::from_timestamp(seconds, nanos).and_then(Self::checked)
    }

    /// Seconds since 1970-01-01T00:00:00Z, fractions cut off downwards.
    pub fn unix_seconds(self) -> i64 {
        self.0.timestamp()
    }

    /// The time so many microseconds after 1970-01-01T00:00:00Z; `None` outside the years 1 to 9999.
    pub fn from_unix_micros(micros: i64) -> Option<Self> {
        DateTime::from_timestamp_micros(micros).and_then(Self::checked)
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub fn unix_micros(self) -> i64 {
        self.0.timestamp_micros()
    }

    /// The time so many seconds after 1970-01-01T00:00:00Z; `None` outside the years 1 to 9999.
    pub fn from_unix_seconds(seconds: i64) -> Option<Self> {
        DateTime::from_timestamp(seconds, 0).and_then(Self::checked)
    }

    /// How long `self` lies after `earlier`; negative where it lies before.
    pub fn since(self, earlier: Self) -> TimeDelta {
        self.0 - earlier.0
    }

    /// The time `delta` before this one; the earliest time there is where that leaves the range.
    #[must_use]
    pub fn minus(self, delta: TimeDelta) -> Self {
        self.0
            .checked_sub_signed(delta)
            .and_then(Self::checked)
            .unwrap_or(Self(DateTime::UNIX_EPOCH))
    }

    /// The time `seconds` after this one, or this one where that leaves the range.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        TimeDelta::try_seconds(seconds)
            .and_then(|delta| self.0.checked_add_signed(delta))
            .and_then(Self::checked)
            .unwrap_or(self)
    }

    /// The same time of the day so many months later, on the last day of a month that is shorter.
    /// `None` where that leaves the range.
    pub fn plus_months(self, months: u32) -> Option<Self> {
        self.0
            .checked_add_months(Months::new(months))
            .and_then(Self::checked)
    }

    /// The first moment of its day, in UTC.
    #[must_use]
    pub fn day(self) -> Self {
        let midnight = self.0.date_naive().and_hms_opt(0, 0, 0);
        midnight
            .and_then(|midnight| Self::checked(midnight.and_utc()))
            .unwrap_or(self)
    }

    /// `yyyy-mm-dd`, its day in UTC.
    pub fn date(self) -> String {
        self.0.format("%Y-%m-%d").to_string()
    }

    /// The first moment of the day after this one, in UTC.
    #[must_use]
    pub fn next_day(self) -> Self {
        self.day().plus_seconds(86_400)
    }

    /// `yyyymmddHHMMSS`, the form that names of branches and segments carry.
    pub fn compact(self) -> String {
        self.0.format("%Y%m%d%H%M%S").to_string()
    }

    /// `yyyymmddTHHMMSS+0000` (ISO 8601, basic format), the form that names of mirrors carry.
    pub fn basic(self) -> String {
        self.0.format("%Y%m%dT%H%M%S+0000").to_string()
    }

    /// `yyyy-mm-dd HH:MM:SS UTC`, the form for a person.
    pub fn human(self) -> String {
        self.0.format("%Y-%m-%d %H:%M:%S UTC").to_string()
    }
}

/// The form that programs write: `2026-01-31T04:45:00.123456Z`, or with `+00:00`, with at most six
/// digits of a second's fraction. A long history holds a thousand of them in the part that is read,
/// and the general parser takes four times as long for each. `None` sends the text there.
fn usual(text: &[u8]) -> Option<DateTime<Utc>> {
    let (moment, rest) = text.split_at_checked(19)?;
    let &[
        y1,
        y2,
        y3,
        y4,
        b'-',
        m1,
        m2,
        b'-',
        d1,
        d2,
        b'T',
        h1,
        h2,
        b':',
        n1,
        n2,
        b':',
        s1,
        s2,
    ] = moment
    else {
        return None;
    };
    let fraction = rest
        .strip_suffix(b"Z")
        .or_else(|| rest.strip_suffix(b"+00:00"))?;
    let micros = match fraction.split_first() {
        None => 0,
        Some((b'.', digits)) if (1..=6).contains(&digits.len()) => {
            let scale = 10_u32.pow(6 - u32::try_from(digits.len()).ok()?);
            number(digits)? * scale
        }
        Some(_) => return None,
    };
    let year = i32::try_from(number(&[y1, y2, y3, y4])?)
        .ok()
        .filter(|year| *year > 0)?;
    let day = NaiveDate::from_ymd_opt(year, number(&[m1, m2])?, number(&[d1, d2])?)?;
    let time = day.and_hms_micro_opt(
        number(&[h1, h2])?,
        number(&[n1, n2])?,
        number(&[s1, s2])?,
        micros,
    )?;
    Some(time.and_utc())
}

/// The number that at most nine decimal digits spell.
#[inline]
fn number(digits: &[u8]) -> Option<u32> {
    let (mut number, mut wrong) = (0_u32, false);
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        wrong |= digit > 9;
        number = number.wrapping_mul(10).wrapping_add(u32::from(digit));
    }
    (!wrong).then_some(number)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0.timestamp_subsec_micros() == 0;
        let form = if whole {
            SecondsFormat::Secs
        } else {
            SecondsFormat::Micros
        };
        f.write_str(&self.0.to_rfc3339_opts(form, false))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::read(&text)
            .map(|read| read.time)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no time after RFC 3339")))
    }
}

/// Where the evaluation time comes from.
///
/// A command reads its clock once, when it holds the lock (CONTRACT.md section 5), and passes the
/// time on as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// The time that the user gave with `--at`.
    Given(Timestamp),
}

impl Clock {
    /// The time now, or the one given. A machine's clock outside the years 1 to 9999 reads as 1970.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock"
    )]
    pub fn read(self) -> Timestamp {
        match self {
            Self::System => {
                Timestamp::checked(Utc::now()).unwrap_or(Timestamp(DateTime::UNIX_EPOCH))
            }
            Self::Given(time) => time,
        }
    }

    /// True where the user gave the time: such a decision never counts as fresh.
    pub fn is_given(self) -> bool {
        matches!(self, Self::Given(_))
    }
}

/// A duration in words for a person: the two largest units, `3 h 12 min` say.
pub fn in_words(delta: TimeDelta) -> String {
    let seconds = delta.num_seconds().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<(String, bool)> {
        Timestamp::read(text).map(|read| (read.time.to_string(), read.naive))
    }

    #[test]
    fn accepts_the_forms_of_the_field_and_nothing_else() {
        let cases = [
            (
                "2025-11-14T12:00:00Z",
                Some(("2025-11-14T12:00:00+00:00", false)),
            ),
            (
                "2025-11-14T13:00:00+01:00",
                Some(("2025-11-14T12:00:00+00:00", false)),
            ),
            (
                "2025-11-13T23:17:18.6434196Z",
                Some(("2025-11-13T23:17:18.643419+00:00", false)),
            ),
            (
                "2025-11-14 12:00:00",
                Some(("2025-11-14T12:00:00+00:00", true)),
            ),
            (
                " 2025-11-14T12:00:00.5 ",
                Some(("2025-11-14T12:00:00.500000+00:00", true)),
            ),
            ("2025-11-14", Some(("2025-11-14T00:00:00+00:00", true))),
            ("2025-13-14", None),
            ("1763121600", None),
            ("yesterday", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(
                shown(text),
                expected.map(|(t, n)| (t.to_owned(), n)),
                "{text}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn the_short_way_reads_what_the_general_parser_reads(
            text in "[0-9]{4}-(0[0-9]|1[0-3])-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,7})?(Z|\\+00:00|-00:00|\\+01:00)"
        ) {
            let general = DateTime::parse_from_rfc3339(&text).ok().and_then(|time| Timestamp::checked(time.with_timezone(&Utc)));
            if let Some(time) = usual(text.as_bytes()) {
                proptest::prop_assert_eq!(Some(Timestamp(time)), general);
            }
            proptest::prop_assert_eq!(Timestamp::read(&text).map(|read| read.time), general);
        }
    }

    #[test]
    fn durations_name_their_two_largest_units() {
        let cases = [
            (5, "5 s"),
            (65, "1 min"),
            (3_700, "1 h 1 min"),
            (93_600, "1 d 2 h"),
            (-4, "0 s"),
        ];
        for (seconds, words) in cases {
            assert_eq!(in_words(TimeDelta::seconds(seconds)), words);
        }
    }
}
