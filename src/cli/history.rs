//! `history`: how the level went.

use clap::Args;
use serde::Serialize;

use super::{Context, Exit, Format, Since, clock, parse_since, parse_time};
use crate::decision::trend::{OfLevel, Trend};
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::history::Selection;
use crate::history::levels::{self, Levels};
use crate::history::walk::Source;
use crate::record::STATE_JOURNAL;
use crate::report::paint::symbol;
use crate::time::{Timestamp, in_words};

const EXAMPLES: &str = "\
Examples:
  policy-orchestrator history
  policy-orchestrator history --since 30d --format json | jq '.levels[] | {level, seconds}'

Counts of each level, how long it held, its longest stretch, every change from one level to another,
and the 24 hours with the most of them. Decisions made with `--at` are left out unless
--include-given takes them; sealed segments are read too. Writes nothing.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct HistoryArgs {
    /// Only decisions from this time on, or of this last while: 30d, 12h
    #[arg(long, value_name = "TIME|DURATION", value_parser = parse_since)]
    since: Option<Since>,

    /// Only decisions before this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<Timestamp>,

    /// Decisions that were made with `--at` too
    #[arg(long)]
    include_given: bool,

    /// The time that a duration is counted back from
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
}

/// The JSON shape of a history.
#[derive(Serialize)]
struct Shape<'a> {
    schema: u32,
    #[serde(flatten)]
    levels: &'a Levels,
}

pub(super) fn history(context: &Context, arguments: &HistoryArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let Some(source) = Source::of_workspace(&workspace)? else {
        return Err(anyhow::Error::new(nothing()));
    };
    let selection = Selection {
        since: arguments.since.map(|since| since.time(clock(arguments.at))),
        until: arguments.until,
        include_given: arguments.include_given,
    };
    let levels = levels::of_journal(&source, selection)?;
    context.output.findings(&levels.findings.listed);
    match context.format() {
        Format::Json => context.output.json(&Shape {
            schema: 1,
            levels: &levels,
        })?,
        Format::Human => context.output.result(&human(&levels.trend))?,
    }
    Ok(if levels.findings.count > 0 {
        Exit::Failed
    } else {
        Exit::Done
    })
}

fn nothing() -> Diagnostic {
    Diagnostic::new(
        Code::NothingRecorded,
        Place::file(STATE_JOURNAL),
        "there is no recorded decision",
    )
    .found("no journal of decisions")
    .expected("decisions that `run` recorded")
    .help("run `policy-orchestrator run` first, or name the workspace with `--workspace DIR`")
}

fn human(trend: &Trend) -> String {
    let (Some(first), Some(last)) = (trend.first, trend.last) else {
        return "no decision in that time\n".to_owned();
    };
    let mut text = format!(
        "{} decisions from {} to {}\n\n",
        trend.decisions,
        first.human(),
        last.human()
    );
    for of in &trend.levels {
        text.push_str(&row(of));
    }
    if !trend.changes.is_empty() {
        text.push_str("\nChanges\n");
    }
    for change in &trend.changes {
        text.push_str(&format!(
            "  {} -> {}  {}\n",
            change.from, change.to, change.times
        ));
    }
    if let Some(busiest) = trend.busiest {
        text.push_str(&format!(
            "  at most {} within 24 h, up to {}\n",
            busiest.changes,
            busiest.until.human()
        ));
    }
    text
}

fn row(of: &OfLevel) -> String {
    let held = chrono::TimeDelta::seconds(of.seconds);
    format!(
        "  {} {:<8} {:>6} decisions  {:>10}  longest {} from {}\n",
        symbol(&of.level),
        of.level.name(),
        of.decisions,
        in_words(held),
        in_words(of.longest.length()),
        of.longest.from.human()
    )
}
