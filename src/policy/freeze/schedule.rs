//! Cron expressions: which minutes of which days of the wall clock they name.
//!
//! Five fields, as crontab(5) has them: minute, hour, day of month, month, weekday. In a field: `*`,
//! a number, a range, either with a step behind `/`, and lists of these; names of three letters for
//! months and weekdays; beside these `L` (the last day), `LW` (the last working day) and `15W` (the
//! working day nearest to the 15th) as a day of month, and `FRI#2` (the second Friday) and `FRIL`
//! (the last) as a weekday. Where both day and weekday are restricted, either is enough.
//!
//! What else the parser of `croner` takes is refused before it sees it: fields of seconds and years,
//! since a window opens at whole minutes; `@daily` and its like, which hide that a day has an hour;
//! names in fields where they are silently read as numbers; `?`, `+` and empty parts of a list.
//! When such a minute comes in a time zone is the business of [`super::opening`].

use chrono::{Datelike, NaiveDate};
use croner::parser::{CronParser, Seconds, Year};
use croner::{CronPattern, Weekday};

/// The years of a whole cycle of calendars: every kind of year, leap or not, with every weekday as
/// its first day, is among them. What matches no day of these matches none ever.
const CYCLE: std::ops::RangeInclusive<i32> = 2001..=2028;

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// A field of an expression.
#[derive(Debug, Clone, Copy)]
struct Part {
    name: &'static str,
    takes: &'static str,
    names: &'static [&'static str],
    /// What stands there beside numbers, names, ranges and steps.
    special: fn(&str, &Part) -> bool,
}

const PARTS: [Part; 5] = [
    Part {
        name: "minute",
        takes: "0 to 59",
        names: &[],
        special: nothing,
    },
    Part {
        name: "hour",
        takes: "0 to 23",
        names: &[],
        special: nothing,
    },
    Part {
        name: "day of month",
        takes: "1 to 31, `L`, `LW` or `15W`",
        names: &[],
        special: special_day,
    },
    Part {
        name: "month",
        takes: "1 to 12 or JAN to DEC",
        names: &MONTHS,
        special: nothing,
    },
    Part {
        name: "weekday",
        takes: "0 to 7 or SUN to SAT, `FRI#2` or `FRIL`",
        names: &WEEKDAYS,
        special: special_weekday,
    },
];

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) message: String,
    pub(super) found: String,
    pub(super) expected: String,
    pub(super) help: String,
}

/// A cron expression: the days that it matches, and the minutes of each of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Schedule {
    text: String,
    pattern: CronPattern,
    /// Counted from midnight, in their order; never empty.
    minutes: Vec<u16>,
}

impl Schedule {
    /// Reads an expression; every field that is wrong is told.
    pub(super) fn parse(text: &str) -> Result<Self, Vec<Refused>> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        if fields.len() != PARTS.len() {
            return Err(vec![wrong_form(text, fields.len())]);
        }
        let fields = fields.into_iter().zip(&PARTS);
        let refused: Vec<Refused> = fields
            .clone()
            .filter(|(field, part)| !part.takes(field))
            .map(|(field, part)| part.refuse(field))
            .collect();
        if !refused.is_empty() {
            return Err(refused);
        }
        let Some(pattern) = parsed(text) else {
            return Err(fields
                .enumerate()
                .filter(|(index, (field, _))| parsed(&alone(field, *index)).is_none())
                .map(|(_, (field, part))| part.refuse(field))
                .collect());
        };
        let hours = pattern.hours.values();
        let minutes_of = |hour: &u16| {
            let hour = *hour;
            let minutes = pattern.minutes.values().into_iter();
            minutes.map(move |minute| hour * 60 + minute)
        };
        Ok(Self {
            text: text.to_owned(),
            minutes: hours.iter().flat_map(minutes_of).collect(),
            pattern,
        })
    }

    /// The expression as it was written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The minutes of each day that it matches, counted from midnight, in their order.
    pub(super) fn minutes(&self) -> &[u16] {
        &self.minutes
    }

    /// The first and the last minute of a day that it matches.
    pub(super) fn first_and_last(&self) -> Option<(u16, u16)> {
        Some((*self.minutes.first()?, *self.minutes.last()?))
    }

    /// The most minutes between two that follow each other within a day.
    pub(super) fn longest_pause(&self) -> u16 {
        let following = self.minutes.iter().zip(self.minutes.iter().skip(1));
        following.map(|(one, next)| next - one).max().unwrap_or(0)
    }

    /// Does it match this day?
    pub(super) fn matches(&self, date: NaiveDate) -> bool {
        let weekday = Weekday::from_days_from_sunday(date.weekday().num_days_from_sunday());
        let (year, month, day) = (date.year(), date.month(), date.day());
        // Neither fails for a day of the calendar. If one did, the window had better be there.
        self.pattern.month_match(month).unwrap_or(true)
            && self
                .pattern
                .day_match(year, month, day, weekday)
                .unwrap_or(true)
    }

    /// True where it matches no day that will ever come, such as the 30th of February.
    pub(super) fn never_matches(&self) -> bool {
        let mut days = CYCLE.flat_map(|year| {
            (1..=366).filter_map(move |ordinal| NaiveDate::from_yo_opt(year, ordinal))
        });
        !days.any(|date| self.matches(date))
    }
}

impl Part {
    /// Is this a list of what may stand in the field? Whether numbers lie in its range is left to
    /// the parser.
    fn takes(&self, field: &str) -> bool {
        let field = field.to_ascii_uppercase();
        field.split(',').all(|item| self.takes_item(item))
    }

    fn takes_item(&self, item: &str) -> bool {
        let is_range = |text: &str| {
            let ends = text.split_once('-');
            ends.is_some_and(|(from, to)| self.is_value(from) && self.is_value(to))
        };
        match item.split_once('/') {
            Some((all, step)) => (all == "*" || is_range(all)) && is_number(step),
            None => {
                item == "*" || self.is_value(item) || is_range(item) || (self.special)(item, self)
            }
        }
    }

    fn is_value(&self, text: &str) -> bool {
        is_number(text) || self.names.contains(&text)
    }

    fn refuse(&self, field: &str) -> Refused {
        Refused {
            message: format!("the {} of the cron expression can't be used", self.name),
            found: field.to_owned(),
            expected: format!(
                "`*`, {}, ranges such as `1-5` with the smaller number first, steps such as `*/2` or `1-5/2`, or a list of these",
                self.takes
            ),
            help: format!("correct the {}", self.name),
        }
    }
}

fn is_number(text: &str) -> bool {
    matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn nothing(_: &str, _: &Part) -> bool {
    false
}

fn special_day(item: &str, _: &Part) -> bool {
    matches!(item, "L" | "LW") || item.strip_suffix('W').is_some_and(is_number)
}

fn special_weekday(item: &str, part: &Part) -> bool {
    if let Some((day, number)) = item.split_once('#') {
        return part.is_value(day) && matches!(number, "1" | "2" | "3" | "4" | "5");
    }
    item.strip_suffix('L').is_some_and(|day| part.is_value(day))
}

/// The pattern of an expression whose form was looked at.
fn parsed(text: &str) -> Option<CronPattern> {
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build();
    parser.parse(text).ok().map(|cron| cron.pattern)
}

/// The field as the only one that an expression restricts.
fn alone(field: &str, index: usize) -> String {
    let fields = (0..PARTS.len()).map(|other| if other == index { field } else { "*" });
    fields.collect::<Vec<_>>().join(" ")
}

fn wrong_form(text: &str, count: usize) -> Refused {
    let nickname = match text.trim().to_ascii_lowercase().as_str() {
        "@yearly" | "@annually" => Some("0 0 1 1 *"),
        "@monthly" => Some("0 0 1 * *"),
        "@weekly" => Some("0 0 * * SUN"),
        "@daily" | "@midnight" => Some("0 0 * * *"),
        "@hourly" => Some("0 * * * *"),
        _ => None,
    };
    let help = match (nickname, count) {
        (Some(fields), _) => format!("write it out: `{fields}`"),
        (None, 6 | 7) => "leave out seconds and year: a window opens at a whole minute".to_owned(),
        (None, _) => "every Friday at 18:00 is `0 18 * * FRI`".to_owned(),
    };
    Refused {
        message: "the cron expression has not five fields".to_owned(),
        found: text.to_owned(),
        expected: "minute, hour, day of month, month, weekday".to_owned(),
        help,
    }
}
