//! `policy backtest`: the recorded history decided again by another document.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::named::Named;
use crate::cli::{Context, Exit, Format, FormatChoice, Since, clock, parse_since, parse_time};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::history::Selection;
use crate::history::backtest::{Backtested, of_journal, of_records};
use crate::history::records::Records;
use crate::history::walk::Source;
use crate::policy::{Identity, Policy, document};
use crate::record::STATE_JOURNAL;
use crate::report::backtest::{self as view, View};
use crate::time::Timestamp;

const HELP: &str = "\
Examples:
  policy-orchestrator policy backtest policy/stricter.json
  policy-orchestrator policy backtest policy/stricter.json --since 2026-01-01 --format markdown
  policy-orchestrator policy backtest policy/stricter.json --records recorded/ --fail-on-flips

Decides every recorded decision again, from the values on its line, and counts what would be
otherwise: flips by level, time at each level, alarms (changes into a graver level), responses
(decisions and changes at YELLOW or above), the ten UTC days that differ most, and of each trigger
how often it fires, decides (nothing else demands the level) and flaps (goes on or off more than 6
times in 24 h). Writes nothing. The journal is read with the sealed segments before it.

A folder of records holds JSON files as `explain --inputs` takes them, or state files. Each tells
its time as `evaluated_at` or by the digits of its name (2026-01-31.json, 20260131T0445.json). Where
a file doesn't say what was decided (`policy`), the policy in force decides.

`--format` is human, json or markdown (for a comment on a pull request).

Exit codes:
  0   done, whatever differs
  1   the document or the history can't be used; with --fail-on-flips also: a part of the history
  10  with --fail-on-flips: a decision would come out otherwise";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(in crate::cli) struct BacktestArgs {
    /// The policy document to try: a file, `-` for standard input, or `reference`
    #[arg(value_name = "DOCUMENT")]
    document: String,

    /// Only decisions from this time on, or of this last while: 30d, 12h
    #[arg(long, value_name = "TIME|DURATION", value_parser = parse_since)]
    since: Option<Since>,

    /// Only decisions before this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<Timestamp>,

    /// Decisions that were made with `--at` too
    #[arg(long)]
    include_given: bool,

    /// This journal instead of the workspace's
    #[arg(long, value_name = "FILE", conflicts_with = "records")]
    journal: Option<PathBuf>,

    /// A folder of recorded inputs instead of a journal
    #[arg(long, value_name = "DIR")]
    records: Option<String>,

    /// Exit with 10 where any decision would come out otherwise
    #[arg(long)]
    fail_on_flips: bool,
}

/// The JSON shape of a backtest.
#[derive(Serialize)]
struct Shape<'a> {
    schema: u32,
    file: &'a str,
    document: &'a Identity,
    differing: u64,
    #[serde(flatten)]
    backtested: &'a Backtested,
}

pub(in crate::cli) fn backtest(
    context: &Context,
    arguments: &BacktestArgs,
) -> anyhow::Result<Exit> {
    let file = arguments.document.as_str();
    let Some(policy) = Named::of(Some(file)).policy(context)? else {
        return Ok(Exit::Failed);
    };
    let Some(backtested) = decide_again(context, arguments, &policy)? else {
        return Ok(Exit::Failed);
    };
    context.output.findings(&backtested.findings.listed);
    let shown = View {
        file,
        document: policy.identity(),
        backtested: &backtested,
    };
    match (context.global.format, context.format()) {
        (Some(FormatChoice::Markdown), _) => context.output.result(&view::markdown(shown))?,
        (_, Format::Human) => context
            .output
            .result(&view::human(shown, context.output.paint()))?,
        (_, Format::Json) => context.output.json(&Shape {
            schema: 1,
            file,
            document: policy.identity(),
            differing: backtested.outcome.differing(),
            backtested: &backtested,
        })?,
    }
    Ok(exit(arguments, &backtested))
}

/// A history of which nothing could be read is none. Whoever asks for a gate wants every decision
/// looked at: what could not be read may be the one that differs.
fn exit(arguments: &BacktestArgs, backtested: &Backtested) -> Exit {
    let unread = backtested.findings.count > 0;
    if unread && (backtested.outcome.decisions == 0 || arguments.fail_on_flips) {
        Exit::Failed
    } else if arguments.fail_on_flips && backtested.outcome.differing() > 0 {
        Exit::Flips
    } else {
        Exit::Done
    }
}

fn decide_again(
    context: &Context,
    arguments: &BacktestArgs,
    policy: &Policy,
) -> anyhow::Result<Option<Backtested>> {
    let selection = Selection {
        since: arguments.since.map(|since| since.time(clock(None))),
        until: arguments.until,
        include_given: arguments.include_given,
    };
    if let Some(folder) = &arguments.records {
        return of_folder(context, folder, policy, selection);
    }
    let source = source(context, arguments.journal.as_deref())?;
    Ok(Some(of_journal(&source, policy, selection)?))
}

fn of_folder(
    context: &Context,
    folder: &str,
    policy: &Policy,
    selection: Selection,
) -> anyhow::Result<Option<Backtested>> {
    let records = Records::read(folder)?;
    let mut in_force = policy.clone();
    if records.records.iter().any(|record| record.level.is_none()) {
        let loaded = document::load(&context.workspace()?);
        if !loaded.problems.is_empty() {
            context.output.findings(&loaded.problems);
            return Ok(None);
        }
        in_force = loaded.policy;
    }
    if records.records.is_empty() {
        context.output.findings(&records.findings.listed);
        return Err(anyhow::Error::new(nothing(folder)));
    }
    Ok(Some(of_records(records, policy, &in_force, selection)))
}

fn source(context: &Context, journal: Option<&Path>) -> Checked<Source> {
    match journal {
        Some(path) => Source::of_file(path),
        None => Source::of_workspace(&context.workspace()?)?
            .ok_or_else(|| Box::new(nothing(STATE_JOURNAL))),
    }
}

/// The finding for a history without a decision.
fn nothing(file: &str) -> Diagnostic {
    Diagnostic::new(
        Code::NothingRecorded,
        Place::file(file),
        "there is no recorded decision to decide again",
    )
    .found("no file, or nothing in it that can be used")
    .expected("decisions that `run` recorded, or a folder of recorded inputs")
    .help(
        "run `policy-orchestrator run` first, or name what to read with `--journal` or `--records`",
    )
}
