//! `audit rotate`.

use std::time::Duration;

use clap::Args;

use crate::cli::actor::actor;
use crate::cli::recording::with_records;
use crate::cli::run::parse_timeout;
use crate::cli::{Context, Exit, Format, clock, parse_time};
use crate::compliance::retention::{self, Class, Kept};
use crate::record::closing::{self, Closing, Keep, Request};
use crate::record::{APPROVAL_LOG, JOURNALS, SPEND_LOG, VERSIONS_LOG};
use crate::time::Timestamp;

const HELP: &str = "\
A journal is closed as a whole: its lines go, packed, into a segment under state/segments/ (`zcat`
reads it), and the file begins anew with one line that names the segment. The chain goes through it:
`audit verify`, `explain`, `history`, `replay` and all others read on in it. Nothing is deleted;
policy/retention.yaml says how long segments have to be kept by those who archive them.

With --keep-lines or --keep-days a journal stays as it is while it is small or young enough.

Examples:
  policy-orchestrator audit rotate
  policy-orchestrator audit rotate --keep-days 90
  policy-orchestrator audit rotate --journal state/policy_state_log.jsonl --keep-lines 100000

Exit codes: 0 done, or nothing to do, 1 a secret or a write, 5 a journal is not whole";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(in crate::cli) struct RotateArgs {
    /// The journal to close [default: each but that of policy versions, which is read as a whole]
    #[arg(long, value_name = "FILE", value_parser = closable())]
    journal: Option<String>,

    /// Leave a journal as it is whose first line is at most so many days old
    #[arg(long, value_name = "N", conflicts_with = "keep_lines")]
    keep_days: Option<u32>,

    /// Leave a journal as it is that has at most so many lines
    #[arg(long, value_name = "N")]
    keep_lines: Option<u64>,

    /// Date the new lines with this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,

    /// How long to wait for another command, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_timeout)]
    lock_timeout: Duration,
}

/// The journals that are read back as far as is asked for, and so may be in several files.
fn closable() -> Vec<&'static str> {
    let all = JOURNALS.into_iter();
    all.filter(|file| ![VERSIONS_LOG, APPROVAL_LOG, SPEND_LOG].contains(file))
        .collect()
}

/// The JSON shape.
#[derive(serde::Serialize)]
struct Rotated {
    schema: u32,
    journals: Vec<Closing>,
    /// How long segments are kept.
    retention: Kept,
}

pub(super) fn rotate(context: &Context, arguments: &RotateArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let retention = match retention::load(&workspace) {
        Ok(retention) => retention,
        Err(problems) => {
            context.output.findings(&problems);
            let text = "nothing was closed: nobody knows how long segments have to be kept";
            context.output.note(text);
            return Ok(Exit::Failed);
        }
    };
    let keep = match (arguments.keep_days, arguments.keep_lines) {
        (Some(days), _) => Keep::Days(days),
        (None, Some(lines)) => Keep::Lines(lines),
        (None, None) => Keep::Nothing,
    };
    let files = match &arguments.journal {
        Some(file) => vec![file.as_str()],
        None => closable(),
    };
    let holding = ("audit rotate", arguments.lock_timeout);
    let journals = with_records(&workspace, holding, |records| {
        let (user, at) = (actor(), clock(arguments.at).read());
        let request = |file| Request {
            file,
            at,
            given_clock: arguments.at.is_some(),
            user: &user,
            keep,
        };
        let files = files.into_iter();
        files
            .map(|file| closing::close(records, request(file)))
            .collect()
    })?;
    let rotated = Rotated {
        schema: 1,
        journals,
        retention: retention.of(Class::Record),
    };
    match context.format() {
        Format::Json => context.output.json(&rotated)?,
        Format::Human => context.output.result(&human(&rotated))?,
    }
    Ok(Exit::Done)
}

fn human(rotated: &Rotated) -> String {
    let mut text = String::new();
    let Kept { keep, by, .. } = &rotated.retention;
    for journal in &rotated.journals {
        let segment = journal.segment.as_ref();
        let packed = segment.and_then(|segment| Some((segment.file.as_deref()?, segment.packed?)));
        match packed {
            Some((file, packed)) => text.push_str(&format!(
                "closed  {}: {} lines, {} bytes, in {file}\n        to be kept: {keep} ({by})\n",
                journal.file, packed.lines, packed.bytes
            )),
            None => {
                let why = journal.kept.as_deref().unwrap_or_default();
                text.push_str(&format!("kept    {}: {why}\n", journal.file));
            }
        }
    }
    text
}
