//! A second, naive implementation: it walks through every minute of some weeks, and has to agree.
//!
//! It knows nothing of gaps and repeated hours. A minute of the wall clock begins when the clock
//! first shows it or anything later, which is what the highest value shown so far tells.

use std::sync::OnceLock;

use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use proptest::prelude::*;

use super::*;

/// Both changes of the clock in 2026, where there are any.
const WEEKS: [(&str, &str); 9] = [
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("Asia/Kolkata", "2026-03-29"),
    ("UTC", "2026-03-01"),
    ("UTC", "2026-12-31"),
];

/// What [`minutes`] gives for each of them.
/// Every minute of a walk: the time, and what the wall clock shows.
type Walk = Vec<(DateTime<Utc>, NaiveDateTime)>;

static WALKS: [OnceLock<Walk>; 9] = [const { OnceLock::new() }; 9];

/// The days before and behind such a day that are walked through, the first of them only for what
/// opened in them.
const BEFORE: i64 = 8;
const BEHIND: i64 = 6;
const LEAD: i64 = 5;

/// A field of a cron expression with what it means.
#[derive(Debug, Clone)]
struct Field {
    text: String,
    /// A bit for each.
    values: u64,
}

impl Field {
    fn is_star(&self) -> bool {
        self.text == "*"
    }

    fn has(&self, value: u32) -> bool {
        self.values & 1 << value != 0
    }
}

fn bits(values: impl IntoIterator<Item = u32>) -> u64 {
    values.into_iter().fold(0, |bits, value| bits | 1 << value)
}

fn field(first: u32, last: u32) -> impl Strategy<Value = Field> {
    let all = Just(Field {
        text: "*".to_owned(),
        values: bits(first..=last),
    });
    let list = prop::collection::vec(first..=last, 1..4).prop_map(|values| Field {
        text: values
            .iter()
            .map(u32::to_string)
            .collect::<Vec<_>>()
            .join(","),
        values: bits(values),
    });
    let range = (first..=last, first..=last, 1_u32..=6).prop_map(|(a, b, step)| {
        let (from, to) = (a.min(b), a.max(b));
        Field {
            text: format!("{from}-{to}/{step}"),
            values: bits((from..=to).step_by(step as usize)),
        }
    });
    let step = (1_u32..=last).prop_map(move |step| Field {
        text: format!("*/{step}"),
        values: bits((first..=last).step_by(step as usize)),
    });
    prop_oneof![2 => all, 4 => list, 1 => range, 1 => step]
}

/// Hours around which clocks change more often than others.
fn hours() -> impl Strategy<Value = Field> {
    let early = prop::collection::vec(0_u32..=3, 1..4).prop_map(|hours| Field {
        text: hours
            .iter()
            .map(u32::to_string)
            .collect::<Vec<_>>()
            .join(","),
        values: bits(hours),
    });
    prop_oneof![field(0, 23), early]
}

fn star(first: u32, last: u32) -> Field {
    Field {
        text: "*".to_owned(),
        values: bits(first..=last),
    }
}

#[derive(Debug, Clone)]
struct Cron {
    minutes: Field,
    hours: Field,
    days: Field,
    months: Field,
    weekdays: Field,
}

impl Cron {
    fn text(&self) -> String {
        let fields = [
            &self.minutes,
            &self.hours,
            &self.days,
            &self.months,
            &self.weekdays,
        ];
        fields.map(|field| field.text.as_str()).join(" ")
    }

    fn matches(&self, wall: NaiveDateTime) -> bool {
        if !self.minutes.has(wall.minute()) || !self.hours.has(wall.hour()) {
            return false;
        }
        let day = self.days.has(wall.day());
        let weekday = wall.weekday().num_days_from_sunday();
        let weekday = self.weekdays.has(weekday) || weekday == 0 && self.weekdays.has(7);
        let on_the_day = match (self.days.is_star(), self.weekdays.is_star()) {
            (true, true) => true,
            (true, false) => weekday,
            (false, true) => day,
            (false, false) => day || weekday,
        };
        on_the_day && self.months.has(wall.month())
    }
}

fn cron() -> impl Strategy<Value = Cron> {
    let days = prop_oneof![3 => Just(star(1, 31)), 1 => field(1, 31)];
    let months = prop_oneof![6 => Just(star(1, 12)), 1 => field(1, 12)];
    let weekdays = prop_oneof![2 => Just(star(0, 7)), 1 => field(0, 7)];
    (field(0, 59), hours(), days, months, weekdays).prop_map(
        |(minutes, hours, days, months, weekdays)| Cron {
            minutes,
            hours,
            days,
            months,
            weekdays,
        },
    )
}

/// Whole durations up to the days that are walked through before the first time that is asked for.
fn duration() -> impl Strategy<Value = (String, i64)> {
    prop_oneof![
        (1_i64..=180).prop_map(|count| (format!("{count}m"), count)),
        (1_i64..=30).prop_map(|count| (format!("{count}h"), count * 60)),
        (1..=LEAD).prop_map(|count| (format!("{count}d"), count * 1_440)),
    ]
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![3 => Just(Mode::Deny), 1 => Just(Mode::Allow)]
}

/// The minutes that are walked through, with what the wall clock shows at each.
fn minutes(zone: Tz, around: &str) -> Vec<(DateTime<Utc>, NaiveDateTime)> {
    let middle: NaiveDateTime = format!("{around}T00:00:00").parse().unwrap();
    let begin = middle.and_utc() - TimeDelta::days(BEFORE);
    let count = (BEFORE + BEHIND) * 1_440;
    let times = (0..count).map(|minute| begin + TimeDelta::minutes(minute));
    times
        .map(|time| {
            (
                time,
                zone.from_utc_datetime(&time.naive_utc()).naive_local(),
            )
        })
        .collect()
}

/// For each of the minutes: is the window open?
fn opened(walk: &[(DateTime<Utc>, NaiveDateTime)], cron: &Cron, duration: i64) -> Vec<bool> {
    let minute = TimeDelta::minutes(1);
    let mut highest = walk[0].1 - minute;
    let mut left = 0;
    let mut open = Vec::new();
    for (_, wall) in walk {
        while highest < *wall {
            highest += minute;
            if cron.matches(highest) {
                left = duration;
            }
        }
        open.push(left > 0);
        left -= 1;
    }
    open
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn clocks_show_what_the_time_zone_database_says(
        zone in prop::sample::select(&TZ_VARIANTS[..]),
        at in 946_684_800_i64..4_133_980_800,
    ) {
        let table = zone::Zone::named(zone.name()).unwrap();
        let utc = DateTime::from_timestamp(at, 0).unwrap();
        let shown = zone.from_utc_datetime(&utc.naive_utc()).naive_local();
        let shown = shown.and_utc().timestamp();
        prop_assert_eq!(table.shown(at), shown);
        // Whatever a clock shows it showed for the first time then or before.
        let first = table.first_shows(shown);
        prop_assert!(first <= at && table.shown(first) >= shown);
        prop_assert!(table.shown(first - 1) < shown || table.shown(first) > shown);
        prop_assert!(table.furthest(at) >= shown);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_minute_is_as_the_enumeration_has_it(
        weeks in 0..WEEKS.len(),
        declared in prop::collection::vec((cron(), duration(), mode()), 1..4),
        asked in prop::collection::vec((0.0..1.0_f64, 0_i64..60), 60),
    ) {
        let (zone, around) = WEEKS[weeks];
        let walk = WALKS[weeks].get_or_init(|| minutes(zone.parse().unwrap(), around));
        let windows = declared.iter().map(|(cron, (duration, _), mode)| {
            window("w", *mode, &cron.text(), duration, zone)
        });
        let calendar = Calendar::new(windows.collect());
        let open: Vec<_> = declared
            .iter()
            .map(|(cron, (_, minutes), mode)| (*mode, opened(walk, cron, *minutes)))
            .collect();
        let of = |mode| open.iter().filter(move |(other, _)| *other == mode);
        let frozen: Vec<bool> = (0..walk.len())
            .map(|index| {
                let denied = of(Mode::Deny).any(|(_, open)| open[index]);
                let mut allowed = of(Mode::Allow).map(|(_, open)| open[index]).peekable();
                let outside = allowed.peek().is_some() && !allowed.any(|open| open);
                denied || outside
            })
            .collect();
        let first = usize::try_from(LEAD * 1_440).unwrap();
        // Some at random, and both sides of every change.
        let random = asked.iter().map(|(share, second)| {
            #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index from a share")]
            let index = first + ((walk.len() - first) as f64 * share) as usize;
            (index, *second)
        });
        let changes = (first + 1..walk.len()).filter(|index| frozen[*index] != frozen[index - 1]);
        let sides = changes.take(60).flat_map(|index| [(index - 1, 59), (index, 0)]);
        for (index, second) in random.chain(sides) {
            let time = walk[index].0 + TimeDelta::seconds(second);
            let now = Timestamp::from_unix_seconds(time.timestamp()).unwrap();
            let behind = (index..walk.len()).find(|index| !frozen[*index]);
            match calendar.at(now) {
                Standing::Open => prop_assert!(!frozen[index], "{now} is frozen"),
                Standing::Frozen { until, .. } => {
                    prop_assert!(frozen[index], "{now} is not frozen");
                    let seconds = until.map(Timestamp::unix_seconds);
                    match behind {
                        Some(end) => prop_assert_eq!(seconds, Some(walk[end].0.timestamp()), "{}", now),
                        None => {
                            let last = walk[walk.len() - 1].0.timestamp();
                            prop_assert!(seconds.is_none_or(|until| until > last), "{} {:?}", now, until);
                        }
                    }
                }
            }
        }
    }
}
