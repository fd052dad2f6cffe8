//! `kill`: the kill switch, which stops everything that changes files.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::recording::{self, Recording};
use super::{Context, Exit, Format};
use crate::diagnostic::shown;
use crate::policy::Level;
use crate::record::{Head, RESPONSE_JOURNAL};
use crate::safeguard::kill_switch::{self, FILE, Outcome, Switch};
use crate::time::Timestamp;

#[derive(Debug, Subcommand)]
pub(super) enum KillCommand {
    /// Turn it on, at once
    On(OnArgs),
    /// Turn it off
    Off(OffArgs),
    /// Is it on, since when, and why?
    Status(StatusArgs),
}

const ON_HELP: &str = "\
Example:
  policy-orchestrator kill on --reason 'something deletes mirrors'

Sets state/kill_switch.json first, without a lock, and records it then. While it is on, `run`,
`undo`, `kill` and `brake engage` work, and whatever only reads; `trust enforce` may lock and not
unlock.

Exit codes: 0 on; 1 it could not be set, or it is on and not recorded (standard error says which); 2 no reason";

const OFF_HELP: &str = "\
Example:
  policy-orchestrator kill off --reason 'mirrors were restored'

Records it first, and removes the file then, also one that can't be read.

Exit codes: 0 off; 1 can't be removed or recorded; 2 no reason; 5 the journal of responses was changed";

const STATUS_HELP: &str = "\
Examples:
  policy-orchestrator kill status
  policy-orchestrator kill status --format json | jq .on

Absent means off; a file that can't be read means on.

Exit codes: 0 off; 1 on";

#[derive(Debug, Args)]
#[command(after_help = ON_HELP)]
pub(super) struct OnArgs {
    /// Why; it is recorded
    #[arg(long, value_name = "TEXT", value_parser = super::parse_reason)]
    reason: String,

    #[command(flatten)]
    recording: Recording,
}

#[derive(Debug, Args)]
#[command(after_help = OFF_HELP)]
pub(super) struct OffArgs {
    /// Why; it is recorded
    #[arg(long, value_name = "TEXT", value_parser = super::parse_reason)]
    reason: String,

    #[command(flatten)]
    recording: Recording,
}

#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP)]
pub(super) struct StatusArgs {}

pub(super) fn kill(context: &Context, command: &KillCommand) -> anyhow::Result<Exit> {
    match command {
        KillCommand::On(OnArgs { reason, recording }) => {
            let on = recording::change(context, recording, "kill on", |request| {
                kill_switch::turn_on(request, reason)
            })
            .inspect_err(|_| {
                let failed = "the kill switch could not be set, and is off";
                context.output.note(failed);
            })?;
            if on.head.is_none() && on.on {
                context
                    .output
                    .note("the kill switch is on; that could not be recorded");
            }
            changed(context, &on)?;
            Ok(recording::exit_untampered(&on.findings))
        }
        KillCommand::Off(OffArgs { reason, recording }) => {
            let off = recording::change(context, recording, "kill off", |request| {
                kill_switch::turn_off(request, reason)
            })?;
            changed(context, &off)?;
            Ok(recording::exit(&off.findings))
        }
        KillCommand::Status(StatusArgs {}) => status(context),
    }
}

/// The JSON shape of `kill on` and `kill off`.
#[derive(Serialize)]
struct Change {
    schema: u32,
    at: Timestamp,
    on_before: bool,
    on: bool,
    /// The line of the journal; `null` where it was not made: nothing changed, or it failed.
    recorded: Option<Head>,
}

fn changed(context: &Context, outcome: &Outcome) -> anyhow::Result<()> {
    context.output.findings(&outcome.findings);
    match context.format() {
        Format::Json => context.output.json(&Change {
            schema: 1,
            at: outcome.at,
            on_before: outcome.on_before,
            on: outcome.on,
            recorded: outcome.head,
        }),
        Format::Human => {
            let mut text = match (outcome.on, outcome.on_before) {
                (true, false) => "the kill switch is on: nothing is changed any more\n",
                (true, true) => "the kill switch was on already, and stays so\n",
                (false, true) => "the kill switch is off\n",
                (false, false) => "the kill switch is off already\n",
            }
            .to_owned();
            if let Some(head) = outcome.head {
                text.push_str(&format!(
                    "  recorded  number {} of {RESPONSE_JOURNAL}\n",
                    head.seq
                ));
            }
            context.output.result(&text)
        }
    }
}

/// The JSON shape of `kill status`.
#[derive(Serialize)]
struct Status {
    schema: u32,
    /// `off`, `on` or `unreadable`.
    state: &'static str,
    /// True for both of them but `off`.
    on: bool,
    reason: Option<String>,
    at: Option<Timestamp>,
    by: Option<String>,
    /// Why it can't be read.
    problem: Option<String>,
}

fn status(context: &Context) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let switch = kill_switch::read(&workspace);
    let mut status = Status {
        schema: 1,
        state: switch.as_str(),
        on: switch != Switch::Off,
        reason: None,
        at: None,
        by: None,
        problem: None,
    };
    match switch {
        Switch::Off => {}
        Switch::On { reason, at, by } => {
            (status.reason, status.at, status.by) = (reason, at, by);
        }
        Switch::Unreadable(why) => status.problem = Some(why),
    }
    match context.format() {
        Format::Json => context.output.json(&status)?,
        Format::Human => context.output.result(&human(context, &status))?,
    }
    Ok(if status.on { Exit::Failed } else { Exit::Done })
}

fn human(context: &Context, status: &Status) -> String {
    let paint = context.output.paint();
    if !status.on {
        return format!("{}\n", paint.level(&Level::GREEN, "● off"));
    }
    let mut text = format!("{}\n", paint.error("■ ON"));
    if let Some(why) = &status.problem {
        let why = shown(why);
        text.push_str(&format!("  {FILE} can't be read, which means on: {why}\n"));
    }
    if let Some(reason) = &status.reason {
        text.push_str(&format!("  reason  {}\n", shown(reason)));
    }
    if let Some(at) = status.at {
        text.push_str(&format!("  since   {}\n", at.human()));
    }
    if let Some(by) = &status.by {
        text.push_str(&format!("  by      {}\n", shown(by)));
    }
    text
}
