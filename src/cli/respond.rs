//! `respond`: what the level calls for, and which gates stand before it. A dry run: nothing is
//! started, and nothing is written but the preview.

use std::time::Duration;

use clap::Args;

use super::output::variable;
use super::run::{lock_timeout, parse_timeout};
use super::{Context, Exit, Format, clock, parse_time, secrets};
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::fs::{RetryDelays, WorkspaceLock, write};
use crate::policy::Level;
use crate::record::state;
use crate::report::paint::symbol;
use crate::response::facts::{self, Question};
use crate::response::gates;
use crate::response::plan::plan;
use crate::response::preview::{self, Preview};
use crate::signals::DEFAULT_LIMIT;
use crate::time::Timestamp;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  policy-orchestrator respond                  what the last decision calls for\n  policy-orchestrator respond --policy RED     what RED would call for\n  policy-orchestrator respond | jq '.gates[] | select(.open | not)'\n\nA dry run: no action is started, and nothing is written but state/policy_response_preview.json.\nThis version has no way to apply a plan; `policy-orchestrator action NAME` runs one action.\n\nExit codes: 0, whatever the gates; 1 where no level is decided, or the preview can't be written; 5 where the record was changed and no level is named"
)]
pub(super) struct RespondArgs {
    /// The level to respond to: GREEN, YELLOW or RED [default: the last decision's]
    #[arg(long, value_name = "LEVEL", value_parser = parse_level)]
    policy: Option<Level>,

    /// Look at the gates as of this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,

    /// How long to wait for a run, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_timeout)]
    lock_timeout: Duration,
}

fn parse_level(name: &str) -> Result<Level, String> {
    Level::built_in(name).ok_or_else(|| "expected GREEN, YELLOW or RED".to_owned())
}

pub(super) fn respond(context: &Context, arguments: &RespondArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let key = secrets::signing_key()?;
    let retry = RetryDelays::default();
    if arguments.policy == Some(Level::GREEN) {
        green(context);
        return Ok(Exit::Done);
    }
    let timeout = lock_timeout(arguments.lock_timeout);
    let _lock = WorkspaceLock::acquire(&workspace, "respond", timeout, &retry)?;
    let at = clock(arguments.at).read();
    let question = Question {
        workspace: &workspace,
        at,
        wanted: arguments.policy.as_ref(),
        limit: DEFAULT_LIMIT,
        key: key.as_ref(),
        production: variable("ENV").is_some_and(|name| name == "production"),
    };
    let Some(survey) = facts::survey(question)? else {
        return Err(anyhow::Error::new(undecided()));
    };
    if let Ok(Some(decided)) = &survey.facts.decision
        && decided.level != survey.facts.wanted
    {
        context.output.note(&format!(
            "warning: {} was decided, and {} is previewed",
            decided.level, survey.facts.wanted
        ));
    }
    let Some(plan) = plan(&survey.facts.wanted, survey.decision) else {
        green(context);
        return Ok(Exit::Done);
    };
    let id = uuid::Uuid::new_v4().to_string();
    let preview = Preview::new(plan, gates::evaluate(&survey.facts), at, id);
    let bytes = preview.to_bytes();
    retry
        .retry(|| write::replace_rarely(&workspace, preview::FILE, &bytes))
        .map_err(|error| Box::new(error.into_diagnostic()))?;
    match context.format() {
        Format::Json => context.output.result_bytes(&bytes)?,
        Format::Human => context.output.result(&human(context, &preview))?,
    }
    Ok(Exit::Done)
}

fn green(context: &Context) {
    context
        .output
        .note("GREEN calls for nothing: no action, no preview");
}

fn undecided() -> Diagnostic {
    Diagnostic::new(
        Code::NothingRecorded,
        Place::file(state::FILE),
        "nothing was decided here yet, so there is no level to respond to",
    )
    .found("no state file and no journal")
    .expected("a decision that `run` recorded")
    .help("run `policy-orchestrator run`, or name a level with `--policy`")
}

fn human(context: &Context, preview: &Preview) -> String {
    let paint = context.output.paint();
    let level = preview.policy();
    let badge = paint.level(level, &format!("{} {level}", symbol(level)));
    let mut text = format!("{badge}  calls for (dry run, nothing was started):\n");
    for (command, reversible) in preview.commands() {
        let undo = if reversible {
            "  (can be taken back)"
        } else {
            ""
        };
        text.push_str(&format!("  {command}{undo}\n"));
    }
    text.push_str("gates:\n");
    for gate in &preview.gates {
        let verdict = match &gate.reason {
            None => "open  ".to_owned(),
            Some(_) => paint.error("CLOSED"),
        };
        text.push_str(&format!("  {verdict}  {:<16}  {}", gate.name, gate.detail));
        if let Some(reason) = &gate.reason {
            text.push_str(&format!(" ({reason})"));
        }
        if let Some(opens) = gate.opens_at {
            text.push_str(&format!("; opens {}", opens.human()));
        }
        text.push('\n');
    }
    let verdict = if preview.would_be_blocked() {
        "an apply would be blocked"
    } else {
        "no gate stands in the way"
    };
    text.push_str(&format!("{verdict}; {} holds this\n", preview::FILE));
    text
}
