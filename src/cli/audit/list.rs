//! `audit list` and `audit export`.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value};

use crate::cli::output::row;
use crate::cli::{Context, Exit, Format, FormatChoice, clock, parse_time};
use crate::diagnostic::Checked;
use crate::fs::named::NamedOutput;
use crate::policy::duration;
use crate::privacy::Redaction;
use crate::record::audit::Severity;
use crate::record::entries::{self, Entry, Filter};
use crate::time::Timestamp;

const LIST_HELP: &str = "\
All journals as one log, the newest entry first. Every entry has the keys time, user, action,
data_sha256, task_id, event_type, severity and details; JSON is one object on each line.

Examples:
  policy-orchestrator audit list --limit 20
  policy-orchestrator audit list --type TASK_FAILURE --since 30d
  policy-orchestrator audit list --severity HIGH --format json | jq -r '[.time, .event_type] | @tsv'";

const EXPORT_HELP: &str = "\
The same entries as `audit list`, the newest first, written to a file that is not there yet.

Examples:
  policy-orchestrator audit export --out audit.jsonl
  policy-orchestrator audit export --out audit.csv --format csv --since 2026-01-01T00:00:00Z";

/// Which entries.
#[derive(Debug, Args)]
struct Which {
    /// Only this type: POLICY_CHECK, TASK_FAILURE, KILL_SWITCH_ON, ...
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,

    /// Only what is at least as grave: LOW, MEDIUM, HIGH or CRITICAL
    #[arg(long, value_name = "SEVERITY")]
    severity: Option<Severity>,

    /// Only entries from this time on, or of this last while: 30d, 12h
    #[arg(long, value_name = "TIME|DURATION", value_parser = parse_since)]
    since: Option<Since>,

    /// Only entries before this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<Timestamp>,

    /// Only what this user did
    #[arg(long, value_name = "USER")]
    user: Option<String>,

    /// Only what belongs to this task: a response, a version, an operation
    #[arg(long, value_name = "ID")]
    task: Option<String>,

    /// At most so many entries
    #[arg(long, value_name = "N")]
    limit: Option<u64>,

    /// The time that a duration is counted back from
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
}

#[derive(Debug, Args)]
#[command(after_help = LIST_HELP)]
pub(in crate::cli) struct ListArgs {
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Args)]
#[command(after_help = EXPORT_HELP)]
pub(in crate::cli) struct ExportArgs {
    /// The file to write; it must not be there yet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Clone, Copy)]
enum Since {
    Time(Timestamp),
    While(chrono::TimeDelta),
}

fn parse_since(text: &str) -> Result<Since, String> {
    match duration::parse(text) {
        Some(span) => Ok(Since::While(span)),
        None => parse_time(text)
            .map(Since::Time)
            .map_err(|why| format!("{why}, or a duration, 30d say")),
    }
}

impl Which {
    fn filter(&self) -> Filter {
        let since = self.since.map(|since| match since {
            Since::Time(time) => time,
            Since::While(span) => clock(self.at).read().minus(span),
        });
        Filter {
            event_type: self.event_type.clone(),
            severity: self.severity,
            since,
            until: self.until,
            user: self.user.clone(),
            task: self.task.clone(),
        }
    }

    /// Hands out the entries that are wanted.
    fn each(
        &self,
        context: &Context,
        each: &mut dyn FnMut(&Entry) -> Checked<bool>,
    ) -> Checked<()> {
        let mut left = self.limit.unwrap_or(u64::MAX);
        if left == 0 {
            return Ok(());
        }
        let workspace = context.workspace()?;
        entries::newest_first(&workspace, &self.filter(), &mut |entry| {
            left -= 1;
            Ok(each(&shown(entry))? && left > 0)
        })
    }
}

/// The entry as it may leave the workspace. The one place that all entries pass on their way out:
/// whatever is to be taken out of them is taken out here.
fn shown(entry: &Entry) -> Entry {
    let details = match Redaction::new().value(&Value::Object(entry.details.clone())) {
        Value::Object(details) => details,
        _ => Map::new(),
    };
    Entry {
        details,
        ..entry.clone()
    }
}

pub(super) fn list(context: &Context, arguments: &ListArgs) -> anyhow::Result<Exit> {
    let format = context.format();
    let paint = context.output.paint();
    let mut failed = None;
    arguments.which.each(context, &mut |entry| {
        let written = match format {
            Format::Json => context.output.json_line(entry),
            Format::Human => context
                .output
                .line(&human(entry, paint.bold(&entry.event_type))),
        };
        Ok(written.unwrap_or_else(|error| {
            failed = Some(error);
            false
        }))
    })?;
    failed.map_or(Ok(Exit::Done), Err)
}

fn human(entry: &Entry, event_type: impl std::fmt::Display) -> String {
    let detail = |name: &str| {
        entry
            .details
            .get(name)
            .map_or_else(String::new, ToString::to_string)
    };
    let task = entry.task_id.as_deref().unwrap_or("-");
    format!(
        "{}  {:8}  {event_type}  {} by {}  task {task}  {} number {}\n",
        entry.time.human(),
        entry.severity,
        entry.action,
        entry.user,
        detail("journal").trim_matches('"'),
        detail("number"),
    )
}

/// The columns of a table, in the order of the keys.
const COLUMNS: [&str; 8] = [
    "time",
    "user",
    "action",
    "data_sha256",
    "task_id",
    "event_type",
    "severity",
    "details",
];

pub(super) fn export(context: &Context, arguments: &ExportArgs) -> anyhow::Result<Exit> {
    let mut out = NamedOutput::create(&arguments.out)?;
    let is_table = context.global.format == Some(FormatChoice::Csv);
    let mut count = 0_u64;
    if is_table {
        out.write(&row(&COLUMNS.map(str::to_owned))?)?;
    }
    arguments.which.each(context, &mut |entry| {
        count += 1;
        let line = if is_table {
            row(&cells(entry))?
        } else {
            let mut line = serde_json::to_vec(entry).unwrap_or_default();
            line.push(b'\n');
            line
        };
        out.write(&line)?;
        Ok(true)
    })?;
    out.finish()?;
    let told = format!("{count} entries in {}\n", arguments.out.display());
    match context.global.format {
        Some(FormatChoice::Jsonl | FormatChoice::Csv) | None => {
            context.output.note(told.trim_end());
        }
        Some(FormatChoice::Human) => context.output.result(&told)?,
        Some(_) => context.output.json(&serde_json::json!({
            "schema": 1,
            "file": arguments.out.display().to_string(),
            "entries": count,
        }))?,
    }
    Ok(Exit::Done)
}

fn cells(entry: &Entry) -> [String; 8] {
    [
        entry.time.to_string(),
        entry.user.clone(),
        entry.action.clone(),
        entry.data_sha256.to_string(),
        entry.task_id.clone().unwrap_or_default(),
        entry.event_type.clone(),
        entry.severity.to_string(),
        Value::Object(entry.details.clone()).to_string(),
    ]
}
