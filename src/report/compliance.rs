//! A compliance report for a person and as Markdown, and the numbers of a period for a person.
//!
//! Nothing here claims that a law is kept: the words are those of the statuses.

use std::fmt::Write as _;

use super::Paint;
use crate::compliance::analytics::{Analytics, LatencySource};
use crate::compliance::controls::{Control, LookedAt, Status};
use crate::compliance::report::{Direction, Report, Trend};
use crate::compliance::violations::{Response, Spot, Violation};
use crate::record::audit::Severity;

fn score(score: Option<f64>) -> String {
    score.map_or_else(
        || "none: no control applies".to_owned(),
        |score| format!("{score:.2} %"),
    )
}

fn symbol(status: Status) -> &'static str {
    match status {
        Status::Present => "●",
        Status::Missing => "▲",
        Status::NotApplicable => "○",
    }
}

/// The report on a terminal.
pub fn human(report: &Report, paint: Paint) -> String {
    let mut text = format!(
        "{}\n{} to {}\n{}\n\nevidence score  {}  ({} present, {} missing, {} not applicable)\n",
        paint.bold("Compliance: evidence found"),
        report.period.since.human(),
        report.period.until.human(),
        report.statement,
        paint.bold(&score(report.score)),
        report.counts.present,
        report.counts.missing,
        report.counts.not_applicable,
    );
    text.push_str("\nControls\n");
    for control in &report.controls {
        text.push_str(&control_lines(control, paint));
    }
    text.push_str(&violations(&report.violations, paint));
    text.push_str(&trends(&report.trends));
    text.push_str("\nTo do\n");
    for line in to_do(report) {
        let _ = writeln!(text, "  {line}");
    }
    text.push_str(&basis(report));
    text
}

/// What to do, in lines; controls without evidence in one, since they stand above.
fn to_do(report: &Report) -> Vec<String> {
    let is_control = |about: &str| report.controls.iter().any(|one| one.control == about);
    let others = report.recommendations.iter();
    let mut lines: Vec<String> = others
        .filter(|to_do| !is_control(&to_do.about))
        .map(|to_do| format!("{}: {}: {}", to_do.severity, to_do.about, to_do.action))
        .collect();
    if report.counts.missing > 0 {
        lines.push(format!(
            "{}: give evidence of the controls without any ({}), or declare why they do not apply",
            Severity::Medium,
            report.counts.missing
        ));
    }
    if lines.is_empty() {
        lines.push("nothing".to_owned());
    }
    lines
}

fn control_lines(control: &Control, paint: Paint) -> String {
    let status = match control.status {
        Status::Missing => paint.warning(control.status.as_str()),
        _ => control.status.as_str().to_owned(),
    };
    let mut text = format!(
        "  {} {}: {status}  ({}, {})\n",
        symbol(control.status),
        paint.bold(&control.control),
        control.rule,
        control.document.as_deref().unwrap_or("no document"),
    );
    if control.document.is_none() {
        return text;
    }
    for looked in control.looked_at.iter().filter(|looked| is_there(looked)) {
        let sign = if looked.counts { "+" } else { "-" };
        let _ = writeln!(text, "      {sign} {}", in_words(looked));
    }
    if let Some(would_be) = &control.would_be {
        let _ = writeln!(text, "      {} {would_be}", paint.dim("would be evidence:"));
    }
    text
}

/// False for what is not there at all: what would be evidence tells of it. The JSON form has all.
fn is_there(looked: &LookedAt) -> bool {
    looked.counts || looked.count.is_none_or(|count| count > 0)
}

fn in_words(looked: &LookedAt) -> String {
    let count = looked.count.filter(|count| *count > 0);
    let count = count.map_or_else(String::new, |count| format!(", {}", times(count)));
    format!("{}; {}: {}{count}", looked.what, looked.at, looked.found)
}

fn violations(all: &[Violation], paint: Paint) -> String {
    let mut text = "\nViolations\n".to_owned();
    if all.is_empty() {
        text.push_str("  none found\n");
    }
    for violation in all {
        let _ = writeln!(
            text,
            "  {:<8}  {} {}: {}",
            violation.severity,
            paint.bold(violation.kind),
            times(violation.count),
            violation.about
        );
        for spot in &violation.latest {
            let _ = writeln!(text, "            {}", place(spot));
        }
        for (class, actions) in classes(&violation.response) {
            let _ = writeln!(text, "            {class}: {actions}");
        }
    }
    text
}

fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

fn place(spot: &Spot) -> String {
    let number = spot
        .number
        .map_or_else(String::new, |number| format!(" number {number}"));
    let task = spot
        .task_id
        .as_ref()
        .map_or_else(String::new, |task| format!(", {task}"));
    format!(
        "{}  {}{number}  by {}{task}",
        spot.time.human(),
        spot.journal,
        spot.user
    )
}

/// The classes that have actions, with their names.
fn classes(response: &Response) -> Vec<(&'static str, String)> {
    let all = [
        ("immediate", response.immediate),
        ("investigative", response.investigative),
        ("remedial", response.remedial),
        ("preventive", response.preventive),
    ];
    let named = all.into_iter().filter(|(_, actions)| !actions.is_empty());
    named
        .map(|(class, actions)| {
            let names: Vec<&str> = actions.iter().map(|action| action.action).collect();
            (class, names.join(", "))
        })
        .collect()
}

fn direction(trend: &Trend) -> &'static str {
    match trend.direction {
        Direction::Rising => "rising",
        Direction::Falling => "falling",
        Direction::Level => "level",
        Direction::Unknown => "the record does not go back so far",
    }
}

fn before(trend: &Trend) -> String {
    trend
        .before
        .map_or_else(|| "?".to_owned(), |before| before.to_string())
}

fn trends(all: &[Trend]) -> String {
    let mut text = "\nTrends (this period, the one before)\n".to_owned();
    for trend in all {
        let _ = writeln!(
            text,
            "  {:<18}  {:>7}  {:>7}  {}",
            trend.name,
            trend.now,
            before(trend),
            direction(trend)
        );
    }
    text
}

fn basis(report: &Report) -> String {
    let record = &report.record;
    let mut text = format!(
        "\nRests on {} entries of {} journals, each verified{}; the policies are {}\n",
        record.entries,
        record.journals.len(),
        if record.signed {
            " and signed"
        } else {
            ", not signed to their ends"
        },
        if record.locked {
            "locked"
        } else {
            "not locked"
        },
    );
    for journal in &record.journals {
        let head = journal.head.as_deref().unwrap_or("no head");
        let _ = writeln!(text, "  {}  {} lines  {head}", journal.file, journal.lines);
    }
    text.push_str("\nKept\n");
    for kept in &report.retention {
        let _ = writeln!(
            text,
            "  {:<9}  {:<10}  {} ({})",
            kept.class.as_str(),
            kept.keep,
            kept.files,
            kept.by
        );
    }
    text
}

/// A cell of a table: what would end it is taken out of its meaning.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '|' | '\\' | '`' | '*' | '_' | '<' | '[' => {
                out.push('\\');
                out.push(character);
            }
            '\n' | '\r' => out.push(' '),
            other => out.push(other),
        }
    }
    out
}

/// The report as Markdown.
pub fn markdown(report: &Report) -> String {
    let mut text = format!(
        "# Compliance: evidence found\n\n{}\n\nPeriod: {} to {}. Made {}.\n\nEvidence score: **{}** ({} present, {} missing, {} not applicable).\n\n## Controls\n\n| control | rule | status | looked at |\n|---|---|---|---|\n",
        report.statement,
        report.period.since.human(),
        report.period.until.human(),
        report.generated_at.human(),
        score(report.score),
        report.counts.present,
        report.counts.missing,
        report.counts.not_applicable,
    );
    for control in &report.controls {
        let there = control.looked_at.iter().filter(|looked| is_there(looked));
        let mut cells: Vec<String> = there.map(|at| cell(&in_words(at))).collect();
        if let Some(would_be) = &control.would_be {
            cells.push(cell(&format!("would be evidence: {would_be}")));
        }
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            cell(&control.control),
            cell(&control.rule),
            control.status.as_str(),
            cells.join("<br>")
        );
    }
    text.push_str("\n## Violations\n\n");
    if report.violations.is_empty() {
        text.push_str("None found.\n");
    } else {
        text.push_str(
            "| severity | kind | times | latest | recommended |\n|---|---|---|---|---|\n",
        );
    }
    for violation in &report.violations {
        let latest = violation.latest.first().map(place).unwrap_or_default();
        let classes: Vec<String> = classes(&violation.response)
            .into_iter()
            .map(|(class, actions)| cell(&format!("{class}: {actions}")))
            .collect();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            violation.severity,
            cell(violation.kind),
            violation.count,
            cell(&latest),
            classes.join("<br>")
        );
    }
    text.push_str("\n## Trends\n\n| what | this period | the one before | |\n|---|---|---|---|\n");
    for trend in &report.trends {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            cell(trend.name),
            trend.now,
            before(trend),
            direction(trend)
        );
    }
    text.push_str("\n## To do\n\n");
    for line in to_do(report) {
        let _ = writeln!(text, "- {}", cell(&line));
    }
    text.push_str("\n## What it rests on\n\n| journal | lines | head |\n|---|---|---|\n");
    for journal in &report.record.journals {
        let head = journal.head.as_deref().unwrap_or("none");
        let _ = writeln!(
            text,
            "| {} | {} | {head} |",
            cell(&journal.file),
            journal.lines
        );
    }
    text
}

/// The numbers on a terminal.
pub fn numbers(analytics: &Analytics, paint: Paint) -> String {
    let metrics = &analytics.metrics;
    let mut text = format!(
        "{} to {}\n\nevaluations       {} ({} a day)\n",
        analytics.period.since.human(),
        analytics.period.until.human(),
        metrics.evaluations,
        shown(metrics.policy_evaluations_per_second * 86_400.0),
    );
    let rate = metrics.violation_rate.map_or_else(
        || "none: no evaluation".to_owned(),
        |rate| format!("{} for each evaluation", shown(rate)),
    );
    let _ = writeln!(text, "violation rate    {rate}");
    let latency = metrics.enforcement_latency.as_ref().map_or_else(
        || "not recorded; --measure 100 measures it".to_owned(),
        |latency| {
            let how = match latency.source {
                LatencySource::ShadowJournal => "recorded runs",
                LatencySource::Measured => "dry runs, measured now",
            };
            let p99 = latency
                .p99_ms
                .map_or_else(String::new, |p99| format!(", p99 {p99:.3} ms"));
            format!(
                "mean {:.3} ms{p99}, at most {:.3} ms ({} {how})",
                latency.mean_ms, latency.max_ms, latency.count
            )
        },
    );
    let _ = writeln!(text, "latency           {latency}");
    let _ = writeln!(
        text,
        "evidence score    {}",
        score(metrics.compliance_score)
    );
    text.push_str(&violations(&analytics.violations, paint));
    text.push_str(&trends(&analytics.trends));
    text.push_str("\nAlerts\n");
    if analytics.alerts.is_empty() {
        text.push_str("  none told of\n");
    }
    for alert in &analytics.alerts {
        let _ = writeln!(
            text,
            "  {:<8}  {:<20}  {}  raised {}, last {}",
            alert.severity,
            alert.name,
            if alert.up { "up" } else { "resolved" },
            times(alert.raised),
            alert.last.human()
        );
    }
    text
}

fn shown(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
