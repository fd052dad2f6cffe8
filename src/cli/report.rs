//! `report`: the last decision, and what is wrong with inputs and documents, for other programs to
//! show.

use clap::{Args, Subcommand};

use super::explain::{self, Explained};
use super::reports::{Kind, render, render_badge};
use super::{Context, Exit, clock, parse_time, secrets, status};
use crate::diagnostic::Diagnostic;
use crate::evaluation::{self, Options};
use crate::fs::{LockTimeout, RetryDelays, Workspace};
use crate::record::{Head, state};
use crate::report::github;
use crate::report::outcome::{Reported, Shown, Told};
use crate::signals::{DEFAULT_LIMIT, Readings, Source};
use crate::time::{Clock, Timestamp};

const SUMMARY: &str = "\
Examples:
  policy-orchestrator report summary >> \"$GITHUB_STEP_SUMMARY\"
  policy-orchestrator report summary --comment > comment.md

The last recorded decision in Markdown, within what GitHub takes: 1 MiB of a summary, 65,536
characters of a comment. A comment begins with a line by which the next one finds it again. What files
say is text in it, never markup.";

const BADGE: &str = "\
Examples:
  policy-orchestrator report badge > badge.svg
  policy-orchestrator report badge --endpoint > badge.json     for img.shields.io/endpoint?url=...

The level as a badge; grey `stale` where it was decided over 26 hours ago or with `--at`, grey
`unknown` where nothing was recorded or the record was changed. Exit codes as `status` has them; the
badge is printed with each.";

const JUNIT: &str = "\
Examples:
  policy-orchestrator report junit > policy.xml

The last recorded decision as test results: a case for each trigger of its policy, failed where the
trigger fired, and one for each signal's reading. The attribute `file` names what the signal was read
from, while the state file is the one of that decision.";

const SARIF: &str = "\
Examples:
  policy-orchestrator report sarif > findings.sarif

What is wrong or odd now in inputs, policy document and record, as SARIF 2.1.0 for code scanning.
Decides as `run --dry-run` does; records nothing. `policy check --format sarif` says what is unwise in
a document.";

const ANNOTATIONS: &str = "\
Examples:
  policy-orchestrator report annotations

What is wrong or odd now as workflow commands of GitHub Actions: annotations of the files. Decides as
`run --dry-run` does; records nothing.";

#[derive(Debug, Subcommand)]
pub(super) enum ReportCommand {
    /// The last decision in Markdown, for a step's summary or a comment
    Summary(SummaryArgs),
    /// The level as a badge: SVG, or the JSON of a shields.io endpoint
    Badge(BadgeArgs),
    /// The last decision as test results in JUnit's XML
    Junit(JunitArgs),
    /// What is wrong with inputs and documents, as SARIF 2.1.0
    Sarif(SarifArgs),
    /// The same as annotations of GitHub Actions
    Annotations(AnnotationsArgs),
}

#[derive(Debug, Args)]
#[command(after_help = SUMMARY)]
pub(super) struct SummaryArgs {
    /// For a comment on a pull request: shorter, and marked
    #[arg(long)]
    comment: bool,
}

#[derive(Debug, Args)]
#[command(after_help = BADGE)]
pub(super) struct BadgeArgs {
    /// The JSON that shields.io asks an endpoint for
    #[arg(long)]
    endpoint: bool,

    /// Look as of this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
}

#[derive(Debug, Args)]
#[command(after_help = JUNIT)]
pub(super) struct JunitArgs {}

#[derive(Debug, Args)]
#[command(after_help = SARIF)]
pub(super) struct SarifArgs {
    /// Look as of this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
}

#[derive(Debug, Args)]
#[command(after_help = ANNOTATIONS)]
pub(super) struct AnnotationsArgs {
    /// Look as of this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
}

pub(super) fn report(context: &Context, command: &ReportCommand) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    match command {
        ReportCommand::Summary(arguments) => {
            recorded(context, &workspace, |reported| {
                let text = github::markdown(reported);
                if arguments.comment {
                    let text = format!("{}\n{text}", github::COMMENT_MARK);
                    // Bytes are at least as many as characters.
                    github::within(text, github::COMMENT_LIMIT)
                } else {
                    github::within(text, github::SUMMARY_LIMIT)
                }
            })
        }
        ReportCommand::Junit(_) => recorded(context, &workspace, |reported| {
            render(&workspace, Kind::Junit, reported, &Shown::Unknown)
        }),
        ReportCommand::Badge(arguments) => badge(context, &workspace, arguments),
        ReportCommand::Sarif(arguments) => {
            found(context, &workspace, Kind::Sarif, clock(arguments.at))
        }
        ReportCommand::Annotations(arguments) => {
            found(context, &workspace, Kind::Annotations, clock(arguments.at))
        }
    }
}

/// Reports the last decision, decided again from its line.
fn recorded(
    context: &Context,
    workspace: &Workspace,
    text: impl FnOnce(Reported<'_>) -> String,
) -> anyhow::Result<Exit> {
    match explain::of_record(workspace, None) {
        Ok(explained) => {
            let Explained {
                decision,
                readings,
                policy,
                head,
                ..
            } = &explained;
            let told = Told {
                decision,
                readings: &with_sources(workspace, readings, *head),
                policy,
                head: *head,
                findings: &[],
            };
            context.output.result(&text(Reported::Decided(told)))?;
            Ok(Exit::Done)
        }
        Err(finding) => {
            context
                .output
                .result(&text(Reported::Undecided(&finding)))?;
            Err(anyhow::Error::new(*finding))
        }
    }
}

/// The readings with the files that they rest on, as far as the state file tells.
fn with_sources(workspace: &Workspace, readings: &Readings, head: Option<Head>) -> Readings {
    let known = head.map_or_else(Vec::new, |head| state::sources(workspace, head));
    let told = readings.iter().cloned().map(|mut reading| {
        let is_of = |(signal, _): &&(String, Source)| signal == reading.signal.as_str();
        if let Some((_, source)) = known
            .iter()
            .find(is_of)
            .filter(|_| reading.sources.is_empty())
        {
            reading.sources.push(source.clone());
        }
        reading
    });
    Readings::new(told.collect())
}

fn badge(context: &Context, workspace: &Workspace, arguments: &BadgeArgs) -> anyhow::Result<Exit> {
    let kind = if arguments.endpoint {
        Kind::BadgeJson
    } else {
        Kind::Badge
    };
    let print = |shown: &Shown<'_>| context.output.result(&render_badge(kind, shown));
    match status::now(workspace, clock(arguments.at).read()) {
        Ok(now) => {
            context.output.findings(&now.problems);
            print(&now.shown())?;
            Ok(now.exit)
        }
        Err(finding) => {
            print(&Shown::Unknown)?;
            Err(anyhow::Error::new(*finding))
        }
    }
}

/// Looks at everything a run would look at, and reports what is wrong.
fn found(
    context: &Context,
    workspace: &Workspace,
    kind: Kind,
    clock: Clock,
) -> anyhow::Result<Exit> {
    let options = Options {
        clock,
        dry_run: true,
        retry: RetryDelays::none(),
        lock_timeout: LockTimeout::silent(std::time::Duration::from_secs(5)),
        limit: DEFAULT_LIMIT,
        key: secrets::signing_key()?,
        run_id: None,
    };
    let evaluated = match evaluation::run(workspace, &options) {
        Ok(evaluated) => evaluated,
        Err(undecided) => {
            let finding = undecided.finding;
            let reported = Reported::Undecided(&finding);
            let text = render(workspace, kind, reported, &Shown::Unknown);
            context.output.result(&text)?;
            return Err(anyhow::Error::new(*finding));
        }
    };
    let findings: Vec<Diagnostic> = evaluated.findings().cloned().collect();
    let told = Told {
        decision: &evaluated.decision,
        readings: &evaluated.readings,
        policy: &evaluated.policy,
        head: None,
        findings: &findings,
    };
    let text = render(workspace, kind, Reported::Decided(told), &Shown::Unknown);
    context.output.result(&text)?;
    Ok(super::run::exit(&evaluated, false))
}
