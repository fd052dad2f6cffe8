//! What another policy would have decided: for a person, and as Markdown for a pull request.
//!
//! Both views are made of the same tables. Numbers come from [`crate::decision::backtest`].

use std::fmt::Write as _;

use chrono::TimeDelta;

use super::Paint;
use super::github::cell;
use super::paint::symbol;
use super::table::Table;
use crate::decision::backtest::tally::{Came, FLAPS, Held};
use crate::decision::backtest::{OfTrigger, Outcome};
use crate::history::LeftOut;
use crate::history::backtest::Backtested;
use crate::policy::{Identity, Level};
use crate::time::in_words;

/// What is shown.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The document that was tried, as it was named.
    pub file: &'a str,
    /// What it is.
    pub document: &'a Identity,
    /// What came of it.
    pub backtested: &'a Backtested,
}

/// For a person on a terminal.
pub fn human(view: View<'_>, paint: Paint) -> String {
    let mut text = format!("{}\n", paint.bold(&verdict(&view.backtested.outcome)));
    for line in about(view) {
        let _ = writeln!(text, "  {}", paint.dim(&line));
    }
    for table in tables(&view.backtested.outcome) {
        let _ = write!(text, "\n{}\n", paint.bold(&table.title));
        text.push_str(&table.aligned());
    }
    let remarks = remarks(view);
    if !remarks.is_empty() {
        text.push('\n');
    }
    for remark in remarks {
        let _ = writeln!(text, "{remark}");
    }
    text
}

/// For a comment on a pull request.
pub fn markdown(view: View<'_>) -> String {
    let outcome = &view.backtested.outcome;
    let mut text = format!("## Policy backtest: {}\n\n", cell(&verdict(outcome)));
    for line in about(view) {
        let _ = writeln!(text, "- {}", cell(&line));
    }
    for table in tables(outcome) {
        // What is long and seldom asked for is folded.
        let folded = table.title.starts_with("Triggers");
        let body = table.piped();
        if folded {
            let _ = write!(
                text,
                "\n<details><summary>{}</summary>\n\n{body}\n</details>\n",
                table.title
            );
        } else {
            let _ = write!(text, "\n### {}\n\n{body}", table.title);
        }
    }
    let remarks = remarks(view);
    if !remarks.is_empty() {
        text.push('\n');
    }
    for remark in remarks {
        let _ = writeln!(text, "- {}", cell(&remark));
    }
    text
}

/// The sentence that matters most.
fn verdict(outcome: &Outcome) -> String {
    match (outcome.decisions, outcome.graver + outcome.milder) {
        (0, _) => "no recorded decision to decide again".to_owned(),
        (all, 0) => format!("all {} would come out the same", counted(all, "decision")),
        (all, differing) => format!(
            "{differing} of {} would come out otherwise ({}): {} graver, {} milder",
            counted(all, "decision"),
            share(differing, all),
            outcome.graver,
            outcome.milder
        ),
    }
}

/// What was tried on what.
fn about(view: View<'_>) -> Vec<String> {
    let View {
        file,
        document,
        backtested,
    } = view;
    let mut lines = vec![format!(
        "tried: {} version {} ({}, SHA-256 {})",
        document.name,
        document.version,
        file,
        document.sha256.short()
    )];
    let span = match (backtested.outcome.first, backtested.outcome.last) {
        (Some(first), Some(last)) => format!(", from {} to {}", first.human(), last.human()),
        _ => String::new(),
    };
    let on = match backtested.read.as_slice() {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [.., last] => format!(
            "{last} and {}",
            counted(backtested.read.len() as u64 - 1, "sealed segment")
        ),
    };
    lines.push(format!("on: {on}{span}"));
    let left_out = left_out(&backtested.left_out);
    if !left_out.is_empty() {
        lines.push(format!("left out: {}", left_out.join(", ")));
    }
    if backtested.undecided > 0 {
        lines.push(format!(
            "could not be decided again: {}",
            counted(backtested.undecided, "record")
        ));
    }
    lines
}

/// What of a history did not count, in words.
pub(super) fn left_out(left_out: &LeftOut) -> Vec<String> {
    let LeftOut {
        given,
        outside,
        plain,
        markers,
        torn,
        tampered,
    } = *left_out;
    let parts = [
        (given, "decision", " made with `--at`"),
        (outside, "decision", " outside of the time asked for"),
        (plain, "line", " of a log from before the chain"),
        (markers, "line", " of a reseal"),
        (torn, "line", " that was never finished"),
        (
            tampered,
            "decision",
            " made behind changed protected files (RED with POLICY_TAMPERED whatever the policy says)",
        ),
    ];
    let told = parts.into_iter().filter(|(count, ..)| *count > 0);
    told.map(|(count, what, which)| format!("{}{which}", counted(count, what)))
        .collect()
}

fn tables(outcome: &Outcome) -> Vec<Table> {
    if outcome.decisions == 0 {
        return Vec::new();
    }
    let all = [
        levels(outcome),
        flips(outcome),
        events(outcome),
        days(outcome),
        triggers(outcome),
    ];
    all.into_iter()
        .filter(|table| !table.rows.is_empty())
        .collect()
}

fn levels(outcome: &Outcome) -> Table {
    let total = |of: fn(&crate::decision::backtest::AtLevel) -> Held| {
        outcome.levels.iter().map(|level| of(level).seconds).sum()
    };
    let (recorded, candidate): (u64, u64) = (
        total(|level| level.recorded),
        total(|level| level.candidate),
    );
    let row = |level: &crate::decision::backtest::AtLevel| {
        vec![
            badge(&level.level),
            level.recorded.decisions.to_string(),
            level.candidate.decisions.to_string(),
            held(level.recorded, recorded),
            held(level.candidate, candidate),
        ]
    };
    Table {
        title: "Levels".to_owned(),
        head: vec![
            "level",
            "recorded",
            "would be",
            "time recorded",
            "time it would be",
        ],
        rows: outcome.levels.iter().map(row).collect(),
    }
}

fn flips(outcome: &Outcome) -> Table {
    let differing = outcome
        .matrix
        .iter()
        .filter(|flip| flip.recorded != flip.candidate);
    let row = |flip: &crate::decision::backtest::Flip| {
        vec![
            badge(&flip.recorded),
            badge(&flip.candidate),
            flip.decisions.to_string(),
            share(flip.decisions, outcome.decisions),
        ]
    };
    Table {
        title: "Flips".to_owned(),
        head: vec!["recorded", "would be", "decisions", "of all"],
        rows: differing.map(row).collect(),
    }
}

fn events(outcome: &Outcome) -> Table {
    let row = |what: &str, came: Came| {
        let mut row = vec![what.to_owned()];
        row.extend(
            [came.recorded, came.candidate, came.added, came.dropped]
                .map(|count| count.to_string()),
        );
        row
    };
    let responses = outcome.responses;
    Table {
        title: "Alarms and responses".to_owned(),
        head: vec![
            "what",
            "recorded",
            "would be",
            "would come",
            "would not come",
        ],
        rows: vec![
            row("changes into a graver level", outcome.alarms),
            row(
                "changes into a level that calls for responses",
                responses.transitions,
            ),
            row("decisions at such a level", responses.decisions),
            vec![
                format!("the level begins to flap (more than {FLAPS} changes in 24 h)"),
                outcome.level_flaps.recorded.to_string(),
                outcome.level_flaps.candidate.to_string(),
                String::new(),
                String::new(),
            ],
        ],
    }
}

fn days(outcome: &Outcome) -> Table {
    let row = |day: &crate::decision::backtest::tally::Day| {
        vec![
            day.date.clone(),
            day.decisions.to_string(),
            (day.graver + day.milder).to_string(),
            day.graver.to_string(),
            day.milder.to_string(),
        ]
    };
    Table {
        title: "Days that differ most".to_owned(),
        head: vec!["day (UTC)", "decisions", "differ", "graver", "milder"],
        rows: outcome.days.iter().map(row).collect(),
    }
}

fn triggers(outcome: &Outcome) -> Table {
    let row = |trigger: &OfTrigger| {
        vec![
            trigger.code.to_string(),
            badge(&trigger.level),
            trigger
                .threshold
                .map_or_else(String::new, |line| line.to_string()),
            trigger.fired.to_string(),
            trigger.decided.to_string(),
            trigger.changes.to_string(),
            trigger.flaps.to_string(),
        ]
    };
    Table {
        title: "Triggers of the policy that is tried".to_owned(),
        head: vec![
            "trigger", "level", "line", "fires", "decides", "changes", "flaps",
        ],
        rows: outcome.triggers.iter().map(row).collect(),
    }
}

/// What deserves a look.
fn remarks(view: View<'_>) -> Vec<String> {
    let outcome = &view.backtested.outcome;
    let mut remarks = Vec::new();
    if outcome.decisions == 0 {
        return remarks;
    }
    let of = |wanted: &dyn Fn(&&OfTrigger) -> bool| {
        let codes = outcome.triggers.iter().filter(wanted);
        codes
            .map(|trigger| trigger.code.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let silent = of(&|trigger| trigger.fired == 0);
    if !silent.is_empty() {
        remarks.push(format!("never fires here: {silent}"));
    }
    let idle = of(&|trigger| trigger.fired > 0 && trigger.decided == 0);
    if !idle.is_empty() {
        remarks.push(format!(
            "fires and never decides, since something else demands the level each time: {idle}"
        ));
    }
    let flapping = of(&|trigger| trigger.flaps > 0);
    if !flapping.is_empty() {
        remarks.push(format!(
            "flaps, going on or off more than {FLAPS} times in 24 h: {flapping}"
        ));
    }
    for unknown in &outcome.not_recorded {
        remarks.push(format!(
            "{} was not recorded in {}, and demands nothing there",
            unknown.signal,
            counted(unknown.decisions, "decision")
        ));
    }
    if outcome.backwards > 0 {
        remarks.push(format!(
            "{} dated before the one before it, which counts as no time",
            match outcome.backwards {
                1 => "1 decision is".to_owned(),
                count => format!("{count} decisions are"),
            }
        ));
    }
    if outcome.days_not_counted > 0 {
        remarks.push(format!(
            "{} on days beyond those that are counted apart",
            counted(outcome.days_not_counted, "decision")
        ));
    }
    remarks
}

fn badge(level: &Level) -> String {
    format!("{} {level}", symbol(level))
}

/// A duration with its share of all.
fn held(held: Held, all: u64) -> String {
    if all == 0 {
        return "0 s".to_owned();
    }
    let seconds = TimeDelta::try_seconds(i64::try_from(held.seconds).unwrap_or(i64::MAX));
    let words = in_words(seconds.unwrap_or(TimeDelta::MAX));
    format!("{words} ({})", share(held.seconds, all))
}

/// A share in percent with one decimal; never 0.0 % of what is there, nor 100.0 % of less than all.
#[expect(
    clippy::cast_precision_loss,
    reason = "a share with one decimal needs no more digits than a float has"
)]
fn share(part: u64, all: u64) -> String {
    if part == 0 || all == 0 {
        return "0 %".to_owned();
    }
    if part == all {
        return "100 %".to_owned();
    }
    let percent = part as f64 / all as f64 * 100.0;
    format!("{:.1} %", percent.clamp(0.1, 99.9))
}

/// `1 decision`, `2 decisions`.
pub(super) fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
