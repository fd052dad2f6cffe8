//! A freeze window as it is declared: read from text, with everything that is wrong at once.
//!
//! A [`Window`] exists only as the product of [`Window::parse`], so one that is in a calendar opens
//! by a real cron expression in a real time zone. Where in a document the text stands is the
//! business of who reads the document.

use super::Opening;
use super::opening::Openings;
use super::schedule::{Refused, Schedule};
use super::zone::{self, Zone};
use crate::diagnostic::readable;
use crate::time::Timestamp;

/// The longest name, in characters.
const NAME_LENGTH: usize = 100;

/// The longest reason, in characters.
const REASON_LENGTH: usize = 200;

/// The shortest and the longest duration, in seconds: a minute and 31 days.
const DURATIONS: std::ops::RangeInclusive<i64> = 60..=31 * 86_400;

/// What a window does to applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// Nothing is applied while it is open.
    #[default]
    Deny,
    /// Nothing is applied while no window of this kind is open.
    Allow,
}

impl Mode {
    /// Reads `deny` or `allow`.
    pub fn parse(text: &str) -> Result<Self, WindowProblem> {
        match text {
            "deny" => Ok(Self::Deny),
            "allow" => Ok(Self::Allow),
            other => Err(WindowProblem {
                field: Field::Mode,
                message: "the mode of the freeze window can't be used".to_owned(),
                found: quoted(other),
                expected: "`deny` or `allow`".to_owned(),
                help: "`deny` blocks applies while the window is open, `allow` blocks them while none of its kind is".to_owned(),
            }),
        }
    }

    /// The word for it in a document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Allow => "allow",
        }
    }
}

/// A key of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// `name`
    Name,
    /// `mode`
    Mode,
    /// `cron`
    Cron,
    /// `duration`
    Duration,
    /// `timezone`
    Timezone,
    /// `reason`
    Reason,
}

impl Field {
    /// The key as it stands in a document.
    pub fn key(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Mode => "mode",
            Self::Cron => "cron",
            Self::Duration => "duration",
            Self::Timezone => "timezone",
            Self::Reason => "reason",
        }
    }
}

/// What is wrong with a window, for a diagnostic at the place of the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowProblem {
    /// The key whose value is wrong.
    pub field: Field,
    /// What is wrong.
    pub message: String,
    /// What was found.
    pub found: String,
    /// What was expected.
    pub expected: String,
    /// What to do.
    pub help: String,
}

/// A freeze window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    name: String,
    reason: String,
    schedule: Schedule,
    duration: Duration,
    zone: Zone,
    mode: Mode,
}

/// How long a window stays open.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Duration {
    text: String,
    seconds: i64,
}

impl Window {
    /// Reads a window from the text of its fields. Every problem is told, at most one for a field
    /// and one for each field of the cron expression.
    pub fn parse(
        name: &str,
        mode: Mode,
        cron: &str,
        duration: &str,
        zone: &str,
        reason: &str,
    ) -> Result<Self, Vec<WindowProblem>> {
        let mut problems = Vec::new();
        let mut keep = |problem| problems.push(problem);
        let name = self::name(name).map_err(&mut keep);
        let reason = self::reason(reason).map_err(&mut keep);
        let schedule = Schedule::parse(cron)
            .map_err(|refused| refused.into_iter().map(of_cron).for_each(&mut keep));
        let duration = self::duration(duration).map_err(&mut keep);
        let zone = self::zone(zone).map_err(&mut keep);
        match (name, reason, schedule, duration, zone) {
            (Ok(name), Ok(reason), Ok(schedule), Ok(duration), Ok(zone)) => Ok(Self {
                name,
                reason,
                schedule,
                duration,
                zone,
                mode,
            }),
            _ => Err(problems),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Why it is there.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What it does to applies.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Its cron expression, as it was written.
    pub fn cron(&self) -> &str {
        self.schedule.text()
    }

    /// Its duration, as it was written.
    pub fn duration(&self) -> &str {
        &self.duration.text
    }

    /// The IANA name of its time zone.
    pub fn timezone(&self) -> &'static str {
        self.zone.name()
    }

    /// True where it opens in no year whatever: on the 30th of February, say. This looks at 28 years
    /// of days and is for a check of the document.
    pub fn never_opens(&self) -> bool {
        self.schedule.never_matches()
    }

    /// Is it open at this time?
    pub(super) fn is_open(&self, at: i64) -> bool {
        self.openings().closes(at).is_some()
    }

    /// When it opens behind `after` and before `end`.
    pub(super) fn opened(&self, after: Timestamp, end: Timestamp) -> impl Iterator<Item = Opening> {
        let horizon = end.unix_seconds();
        let next = move |after: &i64| self.openings().next(*after, horizon);
        let opens = std::iter::successors(next(&after.unix_seconds()), next);
        opens.filter_map(|opens| {
            Some(Opening {
                name: self.name.clone(),
                mode: self.mode,
                reason: self.reason.clone(),
                from: Timestamp::from_unix_seconds(opens)?,
                until: Timestamp::from_unix_seconds(opens.saturating_add(self.duration.seconds))?,
            })
        })
    }

    /// When it is open.
    pub(super) fn openings(&self) -> Openings<'_> {
        Openings {
            schedule: &self.schedule,
            zone: &self.zone,
            duration: self.duration.seconds,
        }
    }
}

fn quoted(text: &str) -> String {
    format!("`{}`", readable(text, 100))
}

fn of_cron(refused: Refused) -> WindowProblem {
    WindowProblem {
        field: Field::Cron,
        message: refused.message,
        found: quoted(&refused.found),
        expected: refused.expected,
        help: refused.help,
    }
}

fn is_line(text: &str, length: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= length && !text.chars().any(char::is_control)
}

fn name(text: &str) -> Result<String, WindowProblem> {
    if is_line(text, NAME_LENGTH) {
        return Ok(text.to_owned());
    }
    Err(WindowProblem {
        field: Field::Name,
        message: "the name of the freeze window can't be used".to_owned(),
        found: quoted(text),
        expected: format!("1 to {NAME_LENGTH} printable characters"),
        help: "name the window after what it is for, `weekend` say: a blocked apply shows it"
            .to_owned(),
    })
}

fn reason(text: &str) -> Result<String, WindowProblem> {
    if is_line(text, REASON_LENGTH) {
        return Ok(text.to_owned());
    }
    Err(WindowProblem {
        field: Field::Reason,
        message: "the reason of the freeze window can't be used".to_owned(),
        found: quoted(text),
        expected: format!("1 to {REASON_LENGTH} printable characters in one line"),
        help: "say why nothing is to be applied: a blocked apply shows it".to_owned(),
    })
}

fn duration(text: &str) -> Result<Duration, WindowProblem> {
    let refuse = |help: &str| {
        WindowProblem {
        field: Field::Duration,
        message: "the duration of the freeze window can't be used".to_owned(),
        found: quoted(text),
        expected: "a whole number of minutes, hours or days from 1 minute to 31 days, such as `90m`, `48h` or `3d`".to_owned(),
        help: help.to_owned(),
    }
    };
    let units = [('m', 60), ('h', 3_600), ('d', 86_400)];
    let counted = units
        .iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(*unit)?, *seconds)));
    let is_count = |count: &str| !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit());
    let (count, unit) = match counted {
        Some((count, unit)) if is_count(count) => (count, unit),
        None if is_count(text) => {
            return Err(refuse(
                "add the unit: `m` for minutes, `h` for hours, `d` for days",
            ));
        }
        _ => {
            return Err(refuse(
                "write one whole number with one unit: `90m` for an hour and a half",
            ));
        }
    };
    // More digits than a number has are more than 31 days.
    let seconds = count.parse().unwrap_or(i64::MAX).saturating_mul(unit);
    if seconds < *DURATIONS.start() {
        return Err(refuse(
            "a window of no time is none: remove it, or let it last",
        ));
    }
    if seconds > *DURATIONS.end() {
        return Err(refuse(
            "let the cron expression open the window more often: openings that overlap count as one",
        ));
    }
    Ok(Duration {
        text: text.to_owned(),
        seconds,
    })
}

fn zone(text: &str) -> Result<Zone, WindowProblem> {
    Zone::named(text).ok_or_else(|| WindowProblem {
        field: Field::Timezone,
        message: "the time zone of the freeze window is not known".to_owned(),
        found: quoted(text),
        expected: "a name of the IANA time zone database, such as `Europe/Berlin` or `UTC`"
            .to_owned(),
        help: nearest_zone(text).map_or_else(
            || "name a place, not an abbreviation or an offset: those don't know when clocks change".to_owned(),
            |zone| format!("did you mean `{zone}`?"),
        ),
    })
}

/// The zone of that name in another spelling, of that city, or of a name nearly like it.
fn nearest_zone(text: &str) -> Option<&'static str> {
    let wanted = text.trim().replace(' ', "_").to_ascii_lowercase();
    if wanted.is_empty() || wanted.len() > NAME_LENGTH {
        return None;
    }
    let city = |name: &'static str| name.rsplit('/').next().unwrap_or_default();
    let same = |part: &str| part.eq_ignore_ascii_case(&wanted);
    if let Some(zone) = zone::names()
        .find(|name| same(name))
        .or_else(|| zone::names().find(|name| same(city(name))))
    {
        return Some(zone);
    }
    let comparable = |name| {
        if wanted.contains('/') {
            name
        } else {
            city(name)
        }
    };
    let far = |name| strsim::damerau_levenshtein(&comparable(name).to_ascii_lowercase(), &wanted);
    // Short words, abbreviations among them, are near to everything.
    let limit = (wanted.len() / 5).min(3);
    let nearest = zone::names().map(|name| (far(name), name)).min();
    nearest
        .filter(|(far, _)| *far <= limit)
        .map(|(_, name)| name)
}
