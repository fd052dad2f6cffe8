//! `brake`: the safety brake, which stops responses until somebody resets it.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::recording::{self, Recording};
use super::{Context, Exit, Format, portal};
use crate::diagnostic::{Diagnostic, shown};
use crate::policy::Level;
use crate::record::{Head, RESPONSE_JOURNAL};
use crate::safeguard::brake::{self, Brake, FILE, Outcome, RESPONSES};
use crate::time::Timestamp;

#[derive(Debug, Subcommand)]
pub(super) enum BrakeCommand {
    /// Is it engaged, since when, and what does it count?
    Status(StatusArgs),
    /// Engage it: no response is applied until somebody resets it
    Engage(EngageArgs),
    /// Reset it: off, and nothing counted
    Reset(ResetArgs),
}

const STATUS_HELP: &str = "\
Examples:
  policy-orchestrator brake status
  policy-orchestrator brake status --format json | jq .engaged

A brake whose file is missing or can't be read is engaged.

Exit codes: 0 off; 1 engaged, missing or unreadable";

const ENGAGE_HELP: &str = "\
Example:
  policy-orchestrator brake engage --reason 'mirrors look wrong'

Works while the kill switch is on. A file that can't be read is moved aside to
forensics/safety_brake_state.json.unreadable. Waits for the workspace's lock; `kill on` doesn't.

Exit codes: 0 engaged; 1 not engaged, or engaged and not recorded (standard error says which); 2 no reason";

const RESET_HELP: &str = "\
Example:
  policy-orchestrator brake reset --reason 'mirrors were restored'

Makes the file where it is missing. response_count_24h becomes 0; the gate still counts the
responses of the last 24 hours by itself.

Exit codes: 0 off; 1 can't be written or recorded; 2 no reason; 3 the kill switch is on; 5 the journal of responses was changed";

#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP)]
pub(super) struct StatusArgs {}

#[derive(Debug, Args)]
#[command(after_help = ENGAGE_HELP)]
pub(super) struct EngageArgs {
    /// Why; it is recorded
    #[arg(long, value_name = "TEXT", value_parser = super::parse_reason)]
    reason: String,

    #[command(flatten)]
    recording: Recording,
}

#[derive(Debug, Args)]
#[command(after_help = RESET_HELP)]
pub(super) struct ResetArgs {
    /// Why; it is recorded
    #[arg(long, value_name = "TEXT", value_parser = super::parse_reason)]
    reason: String,

    #[command(flatten)]
    recording: Recording,
}

pub(super) fn brake(context: &Context, command: &BrakeCommand) -> anyhow::Result<Exit> {
    match command {
        BrakeCommand::Status(StatusArgs {}) => status(context),
        BrakeCommand::Engage(EngageArgs { reason, recording }) => {
            let engaged = recording::change(context, recording, "brake engage", |request| {
                brake::engage(request, reason)
            })
            .inspect_err(|_| {
                let stands = "`policy-orchestrator brake status` says how it stands";
                context
                    .output
                    .note(&format!("the brake was not engaged; {stands}"));
            })?;
            if engaged.head.is_none() {
                context
                    .output
                    .note("the brake is engaged; that could not be recorded");
            }
            changed(context, &engaged)?;
            portal::tell(context, &context.workspace()?, recording.lock_timeout());
            Ok(recording::exit_untampered(&engaged.findings))
        }
        BrakeCommand::Reset(ResetArgs { reason, recording }) => {
            let reset = recording::change(context, recording, "brake reset", |request| {
                brake::reset(request, reason)
            })?;
            changed(context, &reset)?;
            portal::tell(context, &context.workspace()?, recording.lock_timeout());
            Ok(recording::exit(&reset.findings))
        }
    }
}

/// The JSON shape of `brake engage` and `brake reset`.
#[derive(Serialize)]
struct Change {
    schema: u32,
    at: Timestamp,
    engaged_before: bool,
    engaged: bool,
    engaged_at: Option<Timestamp>,
    max_allowed: u64,
    /// The line of the journal; `null` where it could not be made.
    recorded: Option<Head>,
}

fn changed(context: &Context, outcome: &Outcome) -> anyhow::Result<()> {
    context.output.findings(&outcome.findings);
    match context.format() {
        Format::Json => context.output.json(&Change {
            schema: 1,
            at: outcome.at,
            engaged_before: outcome.engaged_before,
            engaged: outcome.engaged,
            engaged_at: outcome.engaged_at,
            max_allowed: outcome.max_allowed,
            recorded: outcome.head,
        }),
        Format::Human => {
            let mut text = match (outcome.engaged, outcome.engaged_before) {
                (true, false) => "the brake is engaged, until somebody resets it\n".to_owned(),
                (true, true) => "the brake was engaged already, and stays so\n".to_owned(),
                (false, _) => "the brake is off, and nothing is counted\n".to_owned(),
            };
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

/// The JSON shape of `brake status`.
#[derive(Serialize)]
struct Status<'a> {
    schema: u32,
    /// `off`, `engaged`, `missing` or `unreadable`.
    state: &'static str,
    /// True for all of them but `off`.
    engaged: bool,
    engaged_at: Option<Timestamp>,
    response_count_24h: Option<u64>,
    max_allowed: u64,
    last_check: Option<Timestamp>,
    last_reset: Option<Timestamp>,
    reason: Option<&'a str>,
    problem: Option<&'a Diagnostic>,
}

fn status(context: &Context) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let loaded = brake::load(&workspace);
    let brake: Option<&Brake> = loaded.as_ref().ok().and_then(Option::as_ref);
    let state = brake::word(&loaded);
    let problem = loaded.as_ref().err().map(|finding| &**finding);
    context.output.findings(problem);
    let status = Status {
        schema: 1,
        state,
        engaged: state != "off",
        engaged_at: brake
            .filter(|brake| brake.fact.engaged)
            .and_then(|brake| brake.engaged_at),
        response_count_24h: brake.map(|brake| brake.fact.counted),
        max_allowed: brake.map_or(RESPONSES, |brake| brake.fact.allowed),
        last_check: brake.and_then(|brake| brake.last_check),
        last_reset: brake.and_then(|brake| brake.last_reset),
        reason: brake.and_then(|brake| brake.reason.as_deref()),
        problem,
    };
    match context.format() {
        Format::Json => context.output.json(&status)?,
        Format::Human => context.output.result(&human(context, &status))?,
    }
    Ok(if status.engaged {
        Exit::Failed
    } else {
        Exit::Done
    })
}

fn human(context: &Context, status: &Status<'_>) -> String {
    let paint = context.output.paint();
    let mut text = match status.state {
        "off" => format!("{}\n", paint.level(&Level::GREEN, "● off")),
        "engaged" => format!("{}\n", paint.error("■ ENGAGED")),
        other => format!(
            "{}  {FILE} is {other}, which counts as engaged; `policy-orchestrator brake reset --reason TEXT` makes a new one\n",
            paint.error("■ ENGAGED")
        ),
    };
    if let Some(count) = status.response_count_24h {
        let allowed = status.max_allowed;
        text.push_str(&format!("  counted  {count} of {allowed} in 24 h\n"));
    }
    if let Some(reason) = status.reason {
        text.push_str(&format!("  reason   {}\n", shown(reason)));
    }
    let times = [
        ("since  ", status.engaged_at),
        ("checked", status.last_check),
        ("reset  ", status.last_reset),
    ];
    for (name, time) in times {
        if let Some(time) = time {
            text.push_str(&format!("  {name}  {}\n", time.human()));
        }
    }
    text
}
