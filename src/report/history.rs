//! How a history went: for a person on a terminal, with a sparkline of each signal and a calendar of
//! the levels, and as Markdown.

use std::fmt::Write as _;

use chrono::TimeDelta;

use super::Paint;
use super::backtest::{counted, left_out};
use super::paint::symbol;
use super::table::Table;
use crate::decision::trend::days::Day;
use crate::decision::trend::near::Near;
use crate::decision::trend::signals::OfSignal;
use crate::decision::trend::{Recovery, Stretch, Trend};
use crate::history::LeftOut;
use crate::history::levels::Levels;
use crate::metrics::health::{Health, Limit, Side};
use crate::policy::Level;
use crate::signals::number;
use crate::time::{Timestamp, in_words};

/// So many of the last changes are shown to a person.
const SHOWN_CHANGES: usize = 10;

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// How many characters a line has.
    pub width: usize,
    /// False where only ASCII can be relied on.
    pub unicode: bool,
    /// Whether text is coloured.
    pub paint: Paint,
}

/// For a person on a terminal.
pub fn human(levels: &Levels, screen: Screen) -> String {
    let paint = screen.paint;
    let mut text = match headline(levels) {
        Some(headline) => format!("{}\n", paint.bold(&headline)),
        None => "no decision in that time\n".to_owned(),
    };
    for table in tables(levels) {
        let _ = write!(text, "\n{}\n{}", paint.bold(&table.title), table.aligned());
    }
    let facts = facts(&levels.trend);
    if !facts.is_empty() {
        text.push('\n');
    }
    for fact in facts {
        let _ = writeln!(text, "  {fact}");
    }
    let drawn = sparklines(levels, screen);
    if !drawn.is_empty() {
        let _ = write!(text, "\n{}\n{drawn}", paint.bold("Course"));
    }
    if let Some((from, drawn)) = calendar(&levels.days, screen) {
        let title = format!("Calendar, weeks from {from} on");
        let _ = write!(text, "\n{}\n{drawn}", paint.bold(&title));
    }
    let remarks = remarks(levels);
    if !remarks.is_empty() {
        text.push('\n');
    }
    for remark in remarks {
        let _ = writeln!(text, "{}", paint.dim(&remark));
    }
    if screen.unicode { text } else { ascii(&text) }
}

/// For a pull request or a page.
pub fn markdown(levels: &Levels) -> String {
    let headline = headline(levels).unwrap_or_else(|| "no decision in that time".to_owned());
    let mut text = format!("## Policy history\n\n{headline}.\n");
    for table in tables(levels) {
        let _ = write!(text, "\n### {}\n\n{}", table.title, table.piped());
    }
    let facts = facts(&levels.trend);
    if !facts.is_empty() {
        text.push('\n');
    }
    for fact in facts {
        let _ = writeln!(text, "- {fact}");
    }
    let screen = Screen {
        width: 72,
        unicode: true,
        paint: Paint::Plain,
    };
    let drawn = sparklines(levels, screen);
    if !drawn.is_empty() {
        let _ = write!(text, "\n```text\n{drawn}```\n");
    }
    for remark in remarks(levels) {
        let _ = write!(text, "\n{remark}\n");
    }
    text
}

fn headline(levels: &Levels) -> Option<String> {
    let trend = &levels.trend;
    let (first, last) = (trend.first?, trend.last?);
    let only = levels.only.as_ref();
    let only = only.map_or_else(String::new, |level| format!("; told of {level} alone"));
    Some(format!(
        "{} from {} to {}{only}",
        counted(trend.decisions, "decision"),
        first.human(),
        last.human()
    ))
}

fn tables(levels: &Levels) -> Vec<Table> {
    let all = [
        of_levels(&levels.trend),
        changes(&levels.trend),
        last_changes(&levels.trend),
        signals(&levels.signals),
        near(&levels.near_misses),
    ];
    all.into_iter()
        .filter(|table| !table.rows.is_empty())
        .collect()
}

fn of_levels(trend: &Trend) -> Table {
    let rows = trend.levels.iter().map(|of| {
        vec![
            format!("{} {}", symbol(&of.level), of.level),
            of.decisions.to_string(),
            in_words(TimeDelta::seconds(of.seconds)),
            in_words(of.longest.length()),
            of.longest.from.human(),
        ]
    });
    Table {
        title: "Levels".to_owned(),
        head: vec!["level", "decisions", "held", "longest", "from"],
        rows: rows.collect(),
    }
}

fn changes(trend: &Trend) -> Table {
    let rows = trend.changes.iter().map(|change| {
        vec![
            format!("{} -> {}", change.from, change.to),
            change.times.to_string(),
        ]
    });
    Table {
        title: "Changes".to_owned(),
        head: vec!["change", "times"],
        rows: rows.collect(),
    }
}

fn last_changes(trend: &Trend) -> Table {
    let rows = trend.last_changes.iter().rev().take(SHOWN_CHANGES);
    let rows = rows.map(|change| {
        vec![
            change.at.human(),
            format!("{} -> {}", change.from, change.to),
            in_words(TimeDelta::seconds(change.held_seconds)),
        ]
    });
    Table {
        title: "The last changes, the newest first".to_owned(),
        head: vec!["at", "change", "held before"],
        rows: rows.collect(),
    }
}

fn signals(signals: &[OfSignal]) -> Table {
    let rows = signals.iter().map(|of| {
        let shown = |value: Option<crate::signals::Value>| {
            value.map_or_else(|| "-".to_owned(), |value| value.to_string())
        };
        let mean = of.mean.map_or_else(|| "-".to_owned(), number::shown);
        vec![
            of.signal.to_string(),
            shown(of.first),
            shown(of.last),
            shown(of.lowest.map(|low| low.value)),
            shown(of.highest.map(|high| high.value)),
            mean,
            not_reported(of),
        ]
    });
    Table {
        title: "Signals".to_owned(),
        head: vec![
            "signal",
            "first",
            "last",
            "lowest",
            "highest",
            "mean",
            "not valid",
        ],
        rows: rows.collect(),
    }
}

fn not_reported(of: &OfSignal) -> String {
    let parts = [
        (of.missing, "missing"),
        (of.stale, "stale"),
        (of.invalid, "invalid"),
    ];
    let told = parts.into_iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> = told
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if told.is_empty() {
        "-".to_owned()
    } else {
        told.join(", ")
    }
}

fn near(near: &[Near]) -> Table {
    let rows = near.iter().map(|near| {
        vec![
            format!("{} {}", symbol(&near.level), near.level),
            near.signal.to_string(),
            near.threshold.to_string(),
            near.decisions.to_string(),
            number::shown(near.closest),
            near.closest_at.human(),
        ]
    });
    Table {
        title: "Near misses".to_owned(),
        head: vec!["level", "signal", "line", "decisions", "closest", "at"],
        rows: rows.collect(),
    }
}

fn facts(trend: &Trend) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(a_day) = trend.changes_per_day {
        facts.push(format!("{} changes a day", number::shown(a_day)));
    }
    if let Some(busiest) = trend.busiest {
        facts.push(format!(
            "at most {} within 24 h, up to {}",
            counted(busiest.changes, "change"),
            busiest.until.human()
        ));
    }
    facts.extend(recovery(&trend.recovery));
    facts
}

fn recovery(recovery: &Recovery) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(mean) = recovery.mean_seconds {
        facts.push(format!(
            "mean time to recovery from RED {} ({})",
            in_words(TimeDelta::seconds(mean)),
            counted(recovery.ended, "time")
        ));
    }
    let longest = recovery
        .longest
        .filter(|longest| longest.length() > TimeDelta::zero());
    if let Some(longest @ Stretch { from, .. }) = longest {
        facts.push(format!(
            "longest RED {} from {}",
            in_words(longest.length()),
            from.human()
        ));
    }
    if let Some(since) = recovery.open_since {
        facts.push(format!("RED since {}, and still", since.human()));
    }
    facts
}

/// What was left out, in a sentence; `None` where nothing was.
pub fn left_out_remark(counts: &LeftOut) -> Option<String> {
    let parts = left_out(counts);
    (!parts.is_empty()).then(|| format!("left out: {}", parts.join(", ")))
}

/// The operating limits for a person.
pub fn limits(health: &Health, paint: Paint) -> String {
    let table = table_of_limits(health);
    format!("{}\n{}", paint.bold(&table.title), table.aligned())
}

/// The operating limits as Markdown.
pub fn limits_markdown(health: &Health) -> String {
    let table = table_of_limits(health);
    format!("## {}\n\n{}", table.title, table.piped())
}

fn table_of_limits(health: &Health) -> Table {
    let kept = health
        .limits
        .iter()
        .filter(|limit| limit.passed == Some(true));
    let rows = health.limits.iter().map(|limit| {
        let (word, todo) = match limit.passed {
            Some(true) => ("pass", ""),
            Some(false) => ("FAIL", limit.action),
            None => ("unknown", limit.action),
        };
        let value = limit.value.map_or_else(|| "?".to_owned(), number::shown);
        vec![
            word.to_owned(),
            limit.what.to_owned(),
            value,
            in_limit(limit),
            todo.to_owned(),
        ]
    });
    Table {
        title: format!(
            "Operating limits: {} of {} kept",
            kept.count(),
            health.limits.len()
        ),
        head: vec!["", "what", "value", "limit", "what to do"],
        rows: rows.collect(),
    }
}

fn in_limit(limit: &Limit) -> String {
    let side = match limit.side {
        Side::Below => "under",
        Side::AtMost => "at most",
    };
    format!("{side} {} {}", limit.limit, limit.unit)
}

fn remarks(levels: &Levels) -> Vec<String> {
    let mut remarks: Vec<String> = left_out_remark(&levels.left_out).into_iter().collect();
    if levels.near_unknown > 0 {
        remarks.push(format!(
            "of {} nobody knows what was near: the policy document is gone",
            counted(levels.near_unknown, "decision")
        ));
    }
    remarks
}

/// The level and every signal as a line of blocks each, scaled to the width.
fn sparklines(levels: &Levels, screen: Screen) -> String {
    let Some(course) = &levels.course else {
        return String::new();
    };
    // The end of the line tells between which values the blocks lie.
    let width = screen.width.saturating_sub(40).clamp(8, 120);
    if course.levels.len() < 2 {
        return String::new();
    }
    let columns = course.levels.len().min(width);
    let mut text = String::new();
    let worst = resampled(course.levels.len(), columns).map(|steps| {
        course
            .levels
            .get(steps)
            .into_iter()
            .flatten()
            .flatten()
            .max()
    });
    let drawn: String = worst.map(|level| level_block(level, screen)).collect();
    let last = course
        .from
        .plus_seconds(i64::try_from(course.step_seconds * course.levels.len() as u64).unwrap_or(0));
    let _ = writeln!(text, "  {:<12} {drawn}", "level");
    for of in &levels.signals {
        let Some((drawn, low, high)) = blocks(of, course.levels.len(), columns, screen) else {
            continue;
        };
        let _ = writeln!(
            text,
            "  {:<12} {drawn}  {} to {}",
            of.signal,
            scaled(of, low),
            scaled(of, high)
        );
    }
    let _ = writeln!(
        text,
        "  {:<12} {}",
        "",
        screen
            .paint
            .dim(&format!("{} to {}", minute(course.from), minute(last)))
    );
    text
}

fn minute(at: Timestamp) -> String {
    at.human().chars().take(16).collect()
}

fn level_block(level: Option<&Level>, screen: Screen) -> String {
    let Some(level) = level else {
        return " ".to_owned();
    };
    let block = match (screen.unicode, level) {
        (true, level) if *level >= Level::RED => "█",
        (true, level) if *level >= Level::YELLOW => "▄",
        (true, _) => "▁",
        (false, level) => initial(level),
    };
    screen.paint.level(level, block)
}

fn initial(level: &Level) -> &str {
    level.name().get(..1).unwrap_or("?")
}

/// The steps that each column stands for.
fn resampled(steps: usize, columns: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..columns).map(move |column| {
        let begin = column * steps / columns;
        begin..((column + 1) * steps / columns).max(begin + 1)
    })
}

/// The blocks of a signal, and the values of the lowest and the highest.
fn blocks(
    of: &OfSignal,
    steps: usize,
    columns: usize,
    screen: Screen,
) -> Option<(String, f64, f64)> {
    let means: Vec<Option<f64>> = resampled(steps, columns)
        .map(|steps| {
            let values = steps.filter_map(|step| of.course.get(step).copied().flatten());
            let (sum, count) =
                values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
            (count > 0).then(|| sum / f64::from(count))
        })
        .collect();
    let known = || means.iter().flatten().copied();
    let low = known().reduce(f64::min)?;
    let high = known().reduce(f64::max)?;
    let drawn = means.into_iter().map(|mean| match mean {
        None => ' ',
        Some(mean) => block(
            (mean - low) / (high - low).max(f64::MIN_POSITIVE),
            screen.unicode,
        ),
    });
    Some((drawn.collect(), low, high))
}

/// The block for a share from 0 to 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of eight"
)]
fn block(share: f64, unicode: bool) -> char {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const ASCII: [char; 8] = ['_', '.', ',', '-', '=', '+', '*', '#'];
    let place = (share.clamp(0.0, 1.0) * 7.0).round() as usize;
    let blocks = if unicode { BLOCKS } else { ASCII };
    blocks.get(place).copied().unwrap_or('?')
}

/// The end of a scale: a number, or the word that it stands for.
fn scaled(of: &OfSignal, value: f64) -> String {
    if of.lowest.is_some() {
        return number::shown(value);
    }
    let words: &[&str] = if of.words.contains_key("medium") {
        &["low", "medium", "high"]
    } else {
        &["false", "true"]
    };
    let nearest = words.iter().zip([0.0, 1.0, 2.0]);
    let exact = nearest
        .into_iter()
        .find(|(_, place)| (value - place).abs() < 1e-9);
    exact.map_or_else(|| number::shown(value), |(word, _)| (*word).to_owned())
}

/// A row for each day of the week, a column for each week, the newest to the right; with the first
/// day that is shown.
fn calendar(days: &[Day], screen: Screen) -> Option<(String, String)> {
    let last = days.last()?.begin;
    let number = |at: Timestamp| at.unix_seconds().div_euclid(86_400);
    // 1970-01-01 was a Thursday: weeks begin on Monday.
    let week = |day: i64| (day + 3).div_euclid(7);
    let room = i64::try_from(screen.width.saturating_sub(8) / 2)
        .unwrap_or(0)
        .clamp(1, 53);
    let first = week(number(days.first()?.begin)).max(week(number(last)) - room + 1);
    if days.len() < 2 {
        return None;
    }
    let mut text = String::new();
    for (weekday, name) in (0..).zip(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]) {
        let mut line = String::new();
        for week in first..=week(number(last)) {
            let wanted = week * 7 - 3 + weekday;
            let day = days.binary_search_by_key(&wanted, |day| number(day.begin));
            let day = day.ok().and_then(|place| days.get(place));
            line.push(' ');
            line.push_str(&match day {
                Some(day) if screen.unicode => screen.paint.level(&day.worst, symbol(&day.worst)),
                Some(day) => screen.paint.level(&day.worst, initial(&day.worst)),
                None if screen.unicode => "·".to_owned(),
                None => ".".to_owned(),
            });
        }
        let _ = writeln!(text, "  {name} {}", line.trim_end());
    }
    let from = Timestamp::EPOCH.plus_seconds((first * 7 - 3) * 86_400);
    Some((from.date(), text))
}

/// The symbols of levels in letters, for a terminal without others.
fn ascii(text: &str) -> String {
    text.replace('■', "R").replace('▲', "Y").replace('●', "G")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str, worst: Level) -> Day {
        Day {
            begin: Timestamp::read(text).unwrap().time,
            decisions: 1,
            worst,
            changes: 0,
        }
    }

    #[test]
    fn a_calendar_has_the_days_of_a_week_below_each_other() {
        let days = [
            day("2026-01-05", Level::GREEN),
            day("2026-01-11", Level::RED),
            day("2026-01-12", Level::YELLOW),
        ];
        let screen = Screen {
            width: 80,
            unicode: false,
            paint: Paint::Plain,
        };
        let (from, drawn) = calendar(&days, screen).unwrap();
        assert_eq!(from, "2026-01-05");
        let lines: Vec<&str> = drawn.lines().collect();
        assert_eq!(lines[0], "  Mon  G Y");
        assert_eq!(lines[6], "  Sun  R .");
        let narrow = Screen {
            width: 10,
            ..screen
        };
        let (from, drawn) = calendar(&days, narrow).unwrap();
        assert_eq!(from, "2026-01-12");
        assert_eq!(drawn.lines().next(), Some("  Mon  Y"));
    }

    #[test]
    fn every_step_has_a_column() {
        for (steps, columns) in [(1, 1), (7, 3), (240, 120), (240, 240), (121, 120)] {
            let all: Vec<_> = resampled(steps, columns).collect();
            assert_eq!(all.len(), columns);
            assert_eq!((all[0].start, all[columns - 1].end), (0, steps));
            assert!(all.windows(2).all(|pair| pair[0].end == pair[1].start));
        }
    }

    #[test]
    fn blocks_rise_with_the_value() {
        assert_eq!((block(0.0, true), block(1.0, true)), ('▁', '█'));
        assert_eq!((block(f64::NAN, true), block(0.5, false)), ('▁', '='));
    }
}
