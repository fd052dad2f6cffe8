//! `policy status`: where each version stands, and what decides.

use clap::Args;

use crate::cli::{Context, Exit, Format, clock, is_tampering, parse_time, secrets};
use crate::diagnostic::{Severity, shown};
use crate::lifecycle::status::{self, Standing, Status};
use crate::policy::Level;
use crate::report::Paint;
use crate::time::Timestamp;

const HELP: &str = "\
Examples:
  policy-orchestrator policy status
  policy-orchestrator policy status --format json | jq '.versions[] | {id, stage, lacks}'

Writes nothing. `as_promoted` is false where policy/policy.yaml was edited after its promotion.

Exit codes: 0 what decides is what was promoted, or nothing was; 1 it is not, or a switch was cut
off; 5 a file of a version or a journal was changed";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(in crate::cli) struct StatusArgs {
    /// Look as of this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
}

pub(super) fn status(context: &Context, arguments: &StatusArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let key = secrets::signing_key()?;
    let at = clock(arguments.at).read();
    let status = status::look(&workspace, key.as_ref(), at)?;
    context.output.findings(&status.problems);
    match context.format() {
        Format::Json => context.output.json(&status)?,
        Format::Human => context
            .output
            .result(&human(context.output.paint(), &status))?,
    }
    let mut problems = status.problems.iter();
    Ok(if status.problems.iter().any(is_tampering) {
        Exit::Tampering
    } else if problems.any(|problem| problem.severity() == Severity::Error) {
        Exit::Failed
    } else {
        Exit::Done
    })
}

fn human(paint: Paint, status: &Status) -> String {
    let decides = &status.decides;
    let mut text = format!(
        "{}  {} version {}\n",
        paint.bold("decides"),
        shown(&decides.name),
        shown(&decides.version)
    );
    text.push_str(&format!("  {}\n", shown(&decides.document.in_words())));
    match (&decides.promoted, decides.as_promoted) {
        (Some(id), Some(true)) => {
            let good = paint.level(&Level::GREEN, "●");
            text.push_str(&format!("  {good} as promoted: {id}\n"));
        }
        (Some(id), _) => {
            let bad = paint.error("■");
            text.push_str(&format!("  {bad} not what was promoted: {id}\n"));
        }
        (None, _) => text.push_str("  no version was promoted\n"),
    }
    if let Some(before) = &decides.before {
        text.push_str(&format!(
            "  a rollback puts back {}\n",
            shown(&before.in_words())
        ));
    }
    for standing in &status.versions {
        text.push('\n');
        text.push_str(&of_version(paint, standing));
    }
    text
}

fn of_version(paint: Paint, standing: &Standing) -> String {
    let mut text = format!(
        "{}  {}\n",
        paint.bold(&standing.id),
        standing.stage.as_str()
    );
    let mut line = |name: &str, what: String| {
        text.push_str(&format!("  {name:<11} {}\n", shown(&what)));
    };
    let drafted = &standing.drafted;
    line(
        "drafted",
        format!(
            "{} by {}: {}",
            drafted.at.human(),
            drafted.by,
            drafted.reason
        ),
    );
    for approval in &standing.approvals {
        let role = approval.role.as_str();
        line(
            "approved",
            format!("{} by {} as {role}", approval.at.human(), approval.by),
        );
    }
    for checked in standing.validated.iter().flat_map(|all| &all.checks) {
        let word = if checked.passed { "passed" } else { "FAILED" };
        line(
            "check",
            format!("{} {word}: {}", checked.check.as_str(), checked.note),
        );
        for flag in &checked.flags {
            line("", flag.clone());
        }
    }
    if let Some(watch) = &standing.staging {
        line(
            "shadow",
            format!(
                "{} decisions since {}, {} graver, {} milder; complete {}",
                watch.summary.evaluations,
                watch.since.human(),
                watch.summary.graver,
                watch.summary.milder,
                watch.complete_at.human()
            ),
        );
        for verdict in &watch.criteria {
            let measured = verdict
                .measured
                .map_or_else(|| "nothing yet".to_owned(), |share| format!("{share} %"));
            line("", format!("{}: {measured}", verdict.criterion));
        }
    }
    if let Some(mark) = &standing.promoted {
        line("promoted", format!("{} by {}", mark.at.human(), mark.by));
    }
    if let Some(until) = standing.watched_until {
        line("watch until", until.human());
    }
    for lack in &standing.lacks {
        line("lacks", lack.message.clone());
    }
    line("next", standing.next.clone());
    text
}
