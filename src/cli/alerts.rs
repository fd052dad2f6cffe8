//! `alerts`: what somebody should look at. Records what changed, and tells a hook.

use std::time::Duration;

use clap::Args;

use super::output::variable_os;
use super::run::{lock_timeout, parse_timeout};
use super::{Context, Exit, Format, clock, is_tampering, parse_time, secrets};
use crate::alerts::alert::Severity;
use crate::alerts::limits::Hours;
use crate::alerts::report::{self, Report, Shown};
use crate::alerts::{self, Options, Outcome};
use crate::diagnostic::{Code, Diagnostic, Severity as Gravity};
use crate::fs::RetryDelays;
use crate::report::Paint;
use crate::time::Timestamp;

const EXAMPLES: &str = "\
Examples:
  policy-orchestrator alerts
  policy-orchestrator alerts --exit-code || echo 'somebody should look'
  policy-orchestrator alerts --dry-run | jq -r '.alerts[] | \"\\(.severity) \\(.name)\"'

Writes reports/policy_orchestration_alerts.json (what is up now), one line for each change to
logs/policy_orchestration_alerts.jsonl (raised, reminder, resolved), and the marker POLICY_ALERT in
audit_summary.md. policy/alerts.json may name a hook that is told, and other limits; with
`level_changes` each change of the level is logged (changed) and told once as well.

Exit codes:
  0   done, whatever is up
  1   failed: the configuration, a write, the lock, a condition that nobody could look at
  2   the command line makes no sense
  5   with --exit-code: a journal or the state file was changed
  20  with --exit-code: a high or critical alert is up; 1 and 5 beat it";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct AlertsArgs {
    /// Look as of this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,

    /// Look and print; write nothing, tell nobody
    #[arg(long)]
    dry_run: bool,

    /// Exit with 20 where a high or critical alert is up, with 5 where a journal was changed
    #[arg(long)]
    exit_code: bool,

    /// Tell again of an alert that is still up, so many hours after it was last told of
    #[arg(long, value_name = "HOURS", default_value = "24")]
    remind_after: Hours,

    /// The waits between attempts at a write, in seconds, separated by commas
    #[arg(long, value_name = "SECONDS", default_value = "1,3,9")]
    retry_delays: RetryDelays,

    /// How long to wait for a run, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_timeout)]
    lock_timeout: Duration,
}

pub(super) fn alerts(context: &Context, arguments: &AlertsArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let options = Options {
        clock: clock(arguments.at),
        dry_run: arguments.dry_run,
        remind_after: arguments.remind_after,
        retry: arguments.retry_delays.clone(),
        lock_timeout: lock_timeout(arguments.lock_timeout),
        key: secrets::signing_key()?,
        variable: variable_os,
    };
    let outcome = alerts::run(&workspace, &options)?;
    let all = outcome.broken.iter().chain(&outcome.findings);
    context.output.findings(all);
    if options.dry_run {
        context.output.note("dry run: nothing was written");
    }
    match context.format() {
        Format::Json => context.output.result_bytes(&outcome.report.to_bytes())?,
        Format::Human => {
            let mut text = human(&outcome.report, context.output.paint());
            if !options.dry_run {
                text.push_str(&format!("{} holds this\n", report::FILE));
            }
            context.output.result(&text)?;
        }
    }
    Ok(exit(&outcome, arguments.exit_code))
}

fn exit(outcome: &Outcome, by_alerts: bool) -> Exit {
    let was_changed =
        |finding: &Diagnostic| is_tampering(finding) || finding.code == Code::StateUnreadable;
    let is_error = |finding: &Diagnostic| finding.severity() == Gravity::Error;
    if by_alerts && outcome.broken.iter().any(was_changed) {
        return Exit::Tampering;
    }
    if outcome.findings.iter().any(is_error) || by_alerts && !outcome.broken.is_empty() {
        return Exit::Failed;
    }
    if by_alerts && outcome.report.is_grave() {
        return Exit::Alert;
    }
    Exit::Done
}

fn human(report: &Report, paint: Paint) -> String {
    let mut text = match counted(report) {
        None => "● no alert\n".to_owned(),
        Some(counts) => format!("{} up: {counts}\n", paint.bold("■ alerts")),
    };
    for alert in &report.alerts {
        text.push_str(&one(alert, paint));
    }
    if !report.unknown.is_empty() {
        let names: Vec<&str> = report.unknown.iter().map(|name| name.as_str()).collect();
        text.push_str(&format!("nobody could look at: {}\n", names.join(", ")));
    }
    for change in report.level_changes.iter().flatten() {
        text.push_str(&format!(
            "the level went from {} to {}, {}, line {}\n",
            paint.level(&change.from, change.from.name()),
            paint.level(&change.to, change.to.name()),
            change.at.human(),
            change.line
        ));
    }
    if !report.resolved.is_empty() {
        text.push_str("resolved in the last 24 hours:\n");
    }
    for ended in &report.resolved {
        text.push_str(&format!(
            "  {:<20}  {}, raised {}\n",
            ended.name,
            ended.resolved_at.human(),
            ended.first_seen.human()
        ));
    }
    text
}

/// How many of each severity; `None` where nothing is up.
fn counted(report: &Report) -> Option<String> {
    let of_each = Severity::ALL.into_iter().filter_map(|severity| {
        let count = report.count(severity);
        (count > 0).then(|| format!("{count} {severity}"))
    });
    let counts: Vec<String> = of_each.collect();
    (!counts.is_empty()).then(|| counts.join(", "))
}

fn one(alert: &Shown, paint: Paint) -> String {
    let severity = format!("{:<8}", alert.severity);
    let severity = match alert.severity {
        Severity::Critical | Severity::High => paint.error(&severity),
        Severity::Medium | Severity::Low => paint.warning(&severity),
    };
    format!(
        "  {severity}  {}  since {}\n            {}\n            {}: {}\n",
        paint.bold(&format!("{:<20}", alert.name)),
        alert.since.human(),
        alert.message,
        paint.dim("do"),
        alert.action
    )
}
