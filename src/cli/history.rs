//! `history`: how the level and the signals went, and whether the operating limits are kept.

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::output::row;
use super::{
    Context, Exit, FormatChoice, Since, clock, parse_level, parse_since, parse_time, secrets,
    usage_error,
};
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::history::levels::{self, Levels};
use crate::history::tables::{self, Table};
use crate::history::walk::Source;
use crate::history::{Findings, LeftOut, Selection};
use crate::metrics::facts;
use crate::metrics::health::{self, Health};
use crate::policy::Level;
use crate::record::STATE_JOURNAL;
use crate::report::history::{self as view, Screen};
use crate::time::Timestamp;

const EXAMPLES: &str = "\
Examples:
  policy-orchestrator history
  policy-orchestrator history --since 30d --level RED
  policy-orchestrator history --since 30d --format json | jq '.levels[] | {level, seconds}'
  policy-orchestrator history --table changes > changes.csv
  policy-orchestrator history --table decisions --format parquet > decisions.parquet
  policy-orchestrator history --health

Counts of each level, how long it held, its longest stretch, every change from one level to another,
the 24 hours with the most of them, the mean time to recovery from RED, each signal's lowest, highest
and mean value, near misses, a line of blocks for each and a calendar of the last year. Decisions made
with `--at` are left out unless --include-given takes them; sealed segments are read too. Writes nothing.
`--format` is human, json, markdown, or csv with --table; parquet too in a build with that feature.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct HistoryArgs {
    /// Only decisions from this time on, or of this last while: 30d, 12h
    #[arg(long, value_name = "TIME|DURATION", value_parser = parse_since)]
    since: Option<Since>,

    /// Only decisions before this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<Timestamp>,

    /// Tell of this level alone: its stretches, the changes into it and out of it, the signals in it
    #[arg(long, value_name = "LEVEL", value_parser = parse_level)]
    level: Option<Level>,

    /// Decisions that were made with `--at` too
    #[arg(long)]
    include_given: bool,

    /// Rows as CSV instead: every decision, every change of the level, or every day
    #[arg(long, value_name = "ROWS", conflicts_with = "health")]
    table: Option<Rows>,

    /// Hold how it stands now against the operating limits instead
    #[arg(long, conflicts_with_all = ["since", "until", "level", "include_given"])]
    health: bool,

    /// Letters instead of blocks and symbols, as on a dumb terminal
    #[arg(long)]
    ascii: bool,

    /// The time that a duration is counted back from, and that limits are looked at
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Rows {
    Decisions,
    Changes,
    Days,
}

impl From<Rows> for Table {
    fn from(rows: Rows) -> Self {
        match rows {
            Rows::Decisions => Self::Decisions,
            Rows::Changes => Self::Changes,
            Rows::Days => Self::Days,
        }
    }
}

/// The JSON shape of a history, and of a look at the limits.
#[derive(Serialize)]
struct Shape<'a, T> {
    schema: u32,
    #[serde(flatten)]
    told: &'a T,
}

/// A look at the limits with its time.
#[derive(Serialize)]
struct Looked<'a> {
    at: Timestamp,
    #[serde(flatten)]
    health: &'a Health,
}

/// How a result is written.
enum Written {
    Human,
    Json,
    Markdown,
    Rows(Table),
    Parquet(Table),
}

pub(super) fn history(context: &Context, arguments: &HistoryArgs) -> anyhow::Result<Exit> {
    let Some(written) = written(context, arguments) else {
        let text = "`--format csv` and `parquet` are for --table (without it, for every day), and no other format is; --health has human, json and markdown";
        return Ok(usage_error(context, text));
    };
    let workspace = context.workspace()?;
    if arguments.health {
        return limits(context, arguments, &workspace, &written);
    }
    let Some(source) = Source::of_workspace(&workspace)? else {
        return Err(anyhow::Error::new(nothing()));
    };
    let selection = Selection {
        since: arguments.since.map(|since| since.time(clock(arguments.at))),
        until: arguments.until,
        include_given: arguments.include_given,
    };
    let only = arguments.level.as_ref();
    let rows = match written {
        Written::Rows(table) => Some(write_rows(context, &source, selection, only, table)?),
        Written::Parquet(_) if context.output.on_terminal() => {
            let text = "a Parquet file is no text: send it into a file, `> history.parquet`";
            return Ok(usage_error(context, text));
        }
        Written::Parquet(table) => Some(write_parquet(context, &source, selection, only, table)?),
        Written::Human | Written::Json | Written::Markdown => None,
    };
    if let Some((left_out, findings)) = rows {
        context.output.findings(&findings.listed);
        if let Some(remark) = view::left_out_remark(&left_out) {
            context.output.note(&remark);
        }
        return Ok(ending(&findings));
    }
    let levels = levels::of_journal(&workspace, &source, selection, only)?;
    context.output.findings(&levels.findings.listed);
    match written {
        Written::Json => context.output.json(&Shape {
            schema: 1,
            told: &levels,
        })?,
        Written::Markdown => context.output.result(&view::markdown(&levels))?,
        Written::Human | Written::Rows(_) | Written::Parquet(_) => {
            human(context, arguments, &levels)?;
        }
    }
    Ok(ending(&levels.findings))
}

fn written(context: &Context, arguments: &HistoryArgs) -> Option<Written> {
    let rows = arguments.table.map(Table::from);
    Some(match (context.global.format, rows) {
        (None | Some(FormatChoice::Csv), Some(table)) => Written::Rows(table),
        (Some(FormatChoice::Parquet), Some(table)) => Written::Parquet(table),
        (Some(_), Some(_)) => return None,
        (Some(FormatChoice::Csv | FormatChoice::Parquet), None) if arguments.health => return None,
        (Some(FormatChoice::Parquet), None) => Written::Parquet(Table::Days),
        (Some(FormatChoice::Csv), None) => Written::Rows(Table::Days),
        (Some(FormatChoice::Markdown), None) => Written::Markdown,
        (Some(FormatChoice::Json), None) => Written::Json,
        (None, None) if !context.output.on_terminal() => Written::Json,
        _ => Written::Human,
    })
}

fn human(context: &Context, arguments: &HistoryArgs, levels: &Levels) -> anyhow::Result<()> {
    let output = context.output;
    let screen = Screen {
        width: output.width(),
        unicode: output.has_unicode() && !arguments.ascii,
        paint: output.paint(),
    };
    output.result(&view::human(levels, screen))
}

/// Rows leave as they are found: whoever stops reading stops nothing that matters.
fn write_rows(
    context: &Context,
    source: &Source,
    selection: Selection,
    only: Option<&Level>,
    table: Table,
) -> anyhow::Result<(LeftOut, Findings)> {
    let head: Vec<String> = table
        .columns()
        .iter()
        .map(|name| (*name).to_owned())
        .collect();
    let mut waiting = row(&head)?;
    let mut failed = None;
    let told = tables::rows(source, selection, only, table, &mut |cells| {
        if failed.is_some() {
            return;
        }
        match row(cells) {
            Ok(line) => waiting.extend(line),
            Err(finding) => failed = Some(anyhow::Error::new(*finding)),
        }
        if waiting.len() > ENOUGH {
            failed = failed
                .take()
                .or(context.output.result_bytes(&waiting).err());
            waiting.clear();
        }
    })?;
    context.output.result_bytes(&waiting)?;
    failed.map_or(Ok(told), Err)
}

/// Standard output, for the writer of a Parquet file.
#[cfg(feature = "parquet")]
struct Sink(super::output::Output);

#[cfg(feature = "parquet")]
impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.result_bytes(bytes).map_err(std::io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(feature = "parquet")]
fn write_parquet(
    context: &Context,
    source: &Source,
    selection: Selection,
    only: Option<&Level>,
    table: Table,
) -> anyhow::Result<(LeftOut, Findings)> {
    let mut file = crate::history::parquet::File::new(table, Sink(context.output))?;
    let mut failed = None;
    let told = tables::rows(source, selection, only, table, &mut |cells| {
        if failed.is_none() {
            failed = file.add(cells).err();
        }
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    file.close()?;
    Ok(told)
}

#[cfg(not(feature = "parquet"))]
fn write_parquet(
    _: &Context,
    _: &Source,
    _: Selection,
    _: Option<&Level>,
    _: Table,
) -> anyhow::Result<(LeftOut, Findings)> {
    anyhow::bail!(
        "this build writes no Parquet files: build it with `cargo build --release --features parquet`, or use `--format csv`"
    )
}

/// So many bytes of rows are written at once.
const ENOUGH: usize = 64 * 1024;

fn limits(
    context: &Context,
    arguments: &HistoryArgs,
    workspace: &Workspace,
    written: &Written,
) -> anyhow::Result<Exit> {
    let at = clock(arguments.at).read();
    let key = secrets::signing_key()?;
    let found = facts::survey(workspace, at, key.as_ref());
    let health = health::health(&found.values, found.findings);
    context.output.findings(&health.findings);
    match written {
        Written::Json => context.output.json(&Shape {
            schema: 1,
            told: &Looked {
                at,
                health: &health,
            },
        })?,
        Written::Markdown => context.output.result(&view::limits_markdown(&health))?,
        Written::Human | Written::Rows(_) | Written::Parquet(_) => {
            let paint = context.output.paint();
            context.output.result(&view::limits(&health, paint))?;
        }
    }
    Ok(if health.findings.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn ending(findings: &Findings) -> Exit {
    if findings.count > 0 {
        Exit::Failed
    } else {
        Exit::Done
    }
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
