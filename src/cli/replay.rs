//! `replay`: every recorded decision made again under the document that its line names.

use clap::Args;
use serde::Serialize;

use super::{Context, Exit, Format, Since, clock, parse_since};
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::history::Selection;
use crate::history::replay::{self as history, Replayed};
use crate::history::walk::Source;
use crate::record::{STATE_JOURNAL, StoredState};
use crate::report::replay as view;

const HELP: &str = "\
Examples:
  policy-orchestrator replay
  policy-orchestrator replay --since 2026-01-01 --format json | jq .reproduced

Makes each decision again from the values on its line and the document kept under state/policies/,
writes the line again, and holds it against the stored bytes. A line whose decision differs, whose
bytes are not those that the next line names, or whose document is gone is told with its number.
Sealed segments are read too. Writes nothing. Whether the chain is whole otherwise, and signed
right, `audit verify` says.

Exit codes:
  0  every decision is reproduced, byte for byte
  1  nothing is recorded, or a file can't be read
  5  a decision is not reproduced, or a line, a document or a segment was changed or is gone";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct ReplayArgs {
    /// Only decisions from this time on, or of this last while: 30d, 12h
    #[arg(long, value_name = "TIME|DURATION", value_parser = parse_since)]
    since: Option<Since>,
}

/// The JSON shape of a replay.
#[derive(Serialize)]
struct Shape<'a> {
    schema: u32,
    all_reproduced: bool,
    #[serde(flatten)]
    replayed: &'a Replayed,
}

pub(super) fn replay(context: &Context, arguments: &ReplayArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    // Readers read the state before the journal. One that can't be read names no last line.
    let state = StoredState::load(&workspace).ok().flatten();
    let Some(source) = Source::of_workspace(&workspace)? else {
        return Err(anyhow::Error::new(nothing()));
    };
    let selection = Selection {
        since: arguments.since.map(|since| since.time(clock(None))),
        until: None,
        include_given: true,
    };
    let head = state.as_ref().and_then(StoredState::head);
    let replayed = history::replay(&workspace, &source, selection, head)?;
    context.output.findings(&replayed.findings.listed);
    match context.format() {
        Format::Human => context
            .output
            .result(&view::human(&replayed, context.output.paint()))?,
        Format::Json => context.output.json(&Shape {
            schema: 1,
            all_reproduced: replayed.is_reproduced(),
            replayed: &replayed,
        })?,
    }
    Ok(if replayed.is_reproduced() {
        Exit::Done
    } else {
        Exit::Tampering
    })
}

fn nothing() -> Diagnostic {
    Diagnostic::new(
        Code::NothingRecorded,
        Place::file(STATE_JOURNAL),
        "there is no recorded decision to make again",
    )
    .found("no journal of decisions")
    .expected("decisions that `run` recorded")
    .help("run `policy-orchestrator run` first, or name the workspace with `--workspace DIR`")
}
