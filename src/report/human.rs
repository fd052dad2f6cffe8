//! A decision for a person who reads it at three in the morning: the level, why, what is nearly
//! tripping, what every signal said, and what would make it better.

use std::fmt::Write as _;

use super::paint::symbol;
use super::{Paint, in_words, nearly_in_words};
use crate::decision::{Decision, Needs};
use crate::history::blame::{Blamed, Last};
use crate::policy::{Identity, Level};
use crate::signals::{Outcome, Reading, Readings, Status};

/// The view of a decision.
pub fn decision(
    decision: &Decision,
    readings: &Readings,
    policy: &Identity,
    paint: Paint,
) -> String {
    let mut text = headline(decision, paint);
    section(&mut text, "Why", reasons(decision, readings, paint), paint);
    for needs in &decision.needs {
        section(
            &mut text,
            &format!("{} needs", needs.level),
            changes(needs),
            paint,
        );
    }
    section(&mut text, &waived_title(decision), waived(decision), paint);
    let near = decision
        .near
        .iter()
        .map(|near| format!("{}\n", nearly_in_words(near)))
        .collect();
    section(&mut text, "Nearly", near, paint);
    section(
        &mut text,
        "Signals",
        readings
            .iter()
            .map(|reading| signal(reading, paint))
            .collect(),
        paint,
    );
    let _ = writeln!(
        text,
        "\n{}",
        paint.dim(&format!(
            "policy {} version {} ({})",
            policy.name,
            policy.version,
            policy.sha256.short()
        ))
    );
    text
}

/// Who changed the files of signals last; empty where nothing is known of any.
pub fn blame(blamed: &[Blamed], paint: Paint) -> String {
    let lines = blamed.iter().map(|blamed| {
        let last = match &blamed.last {
            Last::Commit(change) => format!(
                "{} by {} in {}: {}",
                change.at.human(),
                change.author,
                change.commit.get(..12).unwrap_or(&change.commit),
                change.subject
            ),
            Last::NotInGit => "in no commit up to then".to_owned(),
            Last::FurtherBack => "changed before the commits that were looked at".to_owned(),
        };
        format!("{}  {}\n    {last}\n", blamed.signal, blamed.file)
    });
    let mut text = String::new();
    section(&mut text, "Last changed", lines.collect(), paint);
    text
}

/// The level, when it was decided, and since when it holds.
pub fn headline(decision: &Decision, paint: Paint) -> String {
    let level = &decision.level;
    let history = match &decision.before {
        None => "the first decision here".to_owned(),
        Some(before) if before == level => format!("since {}", decision.since.human()),
        Some(before) => format!("was {before}"),
    };
    let badge = paint.level(level, &format!("{} {level}", symbol(level)));
    format!("{badge}  {}, {history}\n", decision.at.human())
}

fn section(text: &mut String, title: &str, lines: Vec<String>, paint: Paint) {
    if lines.is_empty() {
        return;
    }
    let _ = write!(text, "\n{}\n", paint.bold(title));
    for line in lines {
        let _ = write!(text, "  {line}");
    }
}

fn reasons(decision: &Decision, readings: &Readings, paint: Paint) -> Vec<String> {
    if decision.reasons.is_empty() {
        let why = why_green(decision, readings);
        return vec![format!("{} {why}\n", symbol(&Level::GREEN))];
    }
    let line = |reason: &crate::decision::Reason| {
        let level = paint.level(
            &reason.level,
            &format!("{} {:<6}", symbol(&reason.level), reason.level.name()),
        );
        format!(
            "{level}  {:<44}  {}\n",
            in_words(reason),
            paint.dim(reason.code.as_str())
        )
    };
    decision.reasons.iter().map(line).collect()
}

fn why_green(decision: &Decision, readings: &Readings) -> String {
    let is_valid = |reading: &Reading| reading.status() == Status::Valid;
    match (decision.waived.as_slice(), &decision.shadow) {
        ([_], Some(shadow)) => {
            format!(
                "no trigger fires but one that is waived: without its waiver {shadow} would be demanded"
            )
        }
        (waived @ [_, ..], Some(shadow)) => format!(
            "no trigger fires but {} that are waived: without their waivers {shadow} would be demanded",
            waived.len()
        ),
        _ if readings.iter().all(is_valid) => {
            "every signal was reported and none is over a line".to_owned()
        }
        _ => "no signal is over a line, and none whose silence counts is silent".to_owned(),
    }
}

fn waived_title(decision: &Decision) -> String {
    let shadow = decision.shadow.as_ref();
    shadow.map_or_else(String::new, |shadow| {
        format!("Waived, and {shadow} without the waivers")
    })
}

fn waived(decision: &Decision) -> Vec<String> {
    let line = |waived: &crate::decision::Waived| {
        let waiver = &waived.waiver;
        format!(
            "{} {}  {}, until {} by {} ({}): {}\n",
            symbol(&waived.reason.level),
            waived.reason.level,
            in_words(&waived.reason),
            waiver.expires.human(),
            waiver.by,
            waiver.ticket,
            waiver.reason
        )
    };
    decision.waived.iter().map(line).collect()
}

fn changes(needs: &Needs) -> Vec<String> {
    needs
        .changes
        .iter()
        .map(|change| format!("{} {} -> {}\n", change.what, change.from, change.to))
        .collect()
}

fn signal(reading: &Reading, paint: Paint) -> String {
    let what = match &reading.outcome {
        Outcome::Valid(value) => value.to_string(),
        Outcome::Stale(value) => format!("{value} (too old)"),
        Outcome::Missing(why) => format!("missing: {why}"),
        Outcome::Invalid(errors) => match errors.first() {
            Some(error) => format!("invalid: {}", error.message),
            None => "invalid".to_owned(),
        },
    };
    let mut origin = reading
        .sources
        .iter()
        .map(|source| source.file.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    if let Some(observed) = reading.observed_at {
        let _ = write!(origin, " of {}", observed.human());
    }
    format!("{:<11} {what:<12}  {}", reading.signal, paint.dim(&origin))
        .trim_end()
        .to_owned()
        + "\n"
}
