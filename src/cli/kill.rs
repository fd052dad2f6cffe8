//! `kill`: the kill switch, which stops everything that changes files.

use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::recording::{self, Recording};
use super::run::parse_timeout;
use super::{Context, Exit, Format, portal};
use crate::approval::{self, Operation, Subject, Wanted as Approval};
use crate::diagnostic::{Checked, shown};
use crate::ids::Digest;
use crate::policy::Level;
use crate::record::{Head, KILL_LOG, Records};
use crate::safeguard::kill_effect::{self, Effect, Wanted};
use crate::safeguard::kill_switch::{self, FILE, Outcome, Switch};
use crate::time::{Clock, Timestamp};

#[derive(Debug, Subcommand)]
pub(super) enum KillCommand {
    /// Turn it on, at once
    On(OnArgs),
    /// Turn it off
    Off(OffArgs),
    /// Is it on, since when, and why?
    Status(StatusArgs),
    /// Print an event now and at every change, for other programs
    Watch(WatchArgs),
}

const ON_HELP: &str = "\
Example:
  policy-orchestrator kill on --reason 'something deletes mirrors'

Sets state/kill_switch.json first, without a lock, waits until no apply is under way (two seconds
at most), says how long that took, and records it. While it is on, `run`,
`undo`, `kill` and `brake engage` work, and whatever only reads; `trust enforce` may lock and not
unlock.

Exit codes: 0 on; 1 it could not be set, or it is on and not recorded (standard error says which); 2 no reason";

const OFF_HELP: &str = "\
Example:
  policy-orchestrator kill off --reason 'mirrors were restored'

Records it first, and removes the file then, also one that can't be read. Under ENV=production a
second person has to have approved it: `approve request --operation kill_off`, then `approve grant`.

Exit codes: 0 off; 1 can't be removed or recorded; 2 no reason; 4 no approval, in production; 5 the journal of responses was changed";

const STATUS_HELP: &str = "\
Examples:
  policy-orchestrator kill status
  policy-orchestrator kill status --format json | jq .on

Absent means off; a file that can't be read means on.

Exit codes: 0 off; 1 on";

const WATCH_HELP: &str = "\
Examples:
  policy-orchestrator kill watch | while read -r event; do publish \"$event\"; done
  policy-orchestrator kill watch --until-on --timeout 60

Prints a line {\"type\":\"KILL_SWITCH\",\"on\":false} at once, and one at every change. Looks at the file
every 2 ms, also one that another program made.

Exit codes: 0 off at the end; 1 on";

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

#[derive(Debug, Args)]
#[command(after_help = WATCH_HELP)]
pub(super) struct WatchArgs {
    /// End when it is on
    #[arg(long)]
    until_on: bool,

    /// End after so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = parse_timeout)]
    timeout: Option<Duration>,
}

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
            portal::tell(context, &context.workspace()?, recording.lock_timeout());
            Ok(recording::exit_untampered(&on.findings))
        }
        KillCommand::Off(OffArgs { reason, recording }) => {
            let off = recording::change(context, recording, "kill off", |request| {
                kill_switch::turn_off(request, reason, |records, _| {
                    may_turn_off(records, request.user)
                })
            })?;
            changed(context, &off)?;
            portal::tell(context, &context.workspace()?, recording.lock_timeout());
            Ok(recording::exit(&off.findings))
        }
        KillCommand::Status(StatusArgs {}) => status(context),
        KillCommand::Watch(arguments) => watch(context, arguments),
    }
}

/// In production a second person has to have approved that this very activation ends. By the
/// machine's clock: a time that somebody gives revives no approval.
fn may_turn_off(records: Records<'_>, user: &str) -> Checked<()> {
    if !super::production() {
        return Ok(());
    }
    let wanted = Approval {
        operation: Operation::KillOff,
        subject: Subject::of(kill_switch::digest(records.workspace).unwrap_or(Digest::of(b""))),
        user,
    };
    approval::second_person(records, wanted, Clock::System.read()).map(drop)
}

/// What is printed of a change (S1-151).
#[derive(Serialize)]
struct Event {
    r#type: &'static str,
    on: bool,
}

fn watch(context: &Context, arguments: &WatchArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let until = arguments.timeout.map(|timeout| Instant::now() + timeout);
    let mut printed = Ok(true);
    let last = kill_effect::watch(&workspace, until, &mut |switch| {
        let on = *switch != Switch::Off;
        let event = Event {
            r#type: kill_switch::EVENT,
            on,
        };
        printed = context.output.json_line(&event);
        match &printed {
            Ok(true) if !(on && arguments.until_on) => Wanted::More,
            _ => Wanted::Enough,
        }
    });
    printed?;
    Ok(exit_of(&last))
}

fn exit_of(switch: &Switch) -> Exit {
    match switch {
        Switch::Off => Exit::Done,
        Switch::On { .. } | Switch::Unreadable(_) => Exit::Failed,
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
    /// How soon it worked; only where it was turned on and had been off.
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<Effect>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_time: Option<bool>,
}

fn changed(context: &Context, outcome: &Outcome) -> anyhow::Result<()> {
    context.output.findings(&outcome.findings);
    if let Some(effect) = outcome.effect {
        context.output.note(&told(&effect));
    }
    match context.format() {
        Format::Json => context.output.json(&Change {
            schema: 1,
            at: outcome.at,
            on_before: outcome.on_before,
            on: outcome.on,
            recorded: outcome.head,
            effect: outcome.effect,
            in_time: outcome.effect.map(|effect| effect.in_time()),
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
                text.push_str(&format!("  recorded  number {} of {KILL_LOG}\n", head.seq));
            }
            context.output.result(&text)
        }
    }
}

/// How soon it worked, in the words of S1-145.
fn told(effect: &Effect) -> String {
    let Some(taken) = effect.response_ms() else {
        return "EMERGENCY KILL-SWITCH ACTIVATED - an apply is still under way after two seconds; `status` says which".to_owned();
    };
    let late = if effect.in_time() {
        ""
    } else {
        " (more than the 300 ms that are promised)"
    };
    let stopped = match effect.applies {
        0 => "",
        _ => "; the apply that was under way has ended",
    };
    format!(
        "EMERGENCY KILL-SWITCH ACTIVATED in {taken:.1} ms{late} - All agent spending halted{stopped}"
    )
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
    /// This and the following as S1-146 names them.
    #[serde(rename = "isActive")]
    is_active: bool,
    #[serde(rename = "activatedAt")]
    activated_at: Option<Timestamp>,
    /// The applies that the last activation found under way.
    #[serde(rename = "affectedAgents")]
    affected_agents: u64,
    #[serde(rename = "performanceGuarantee")]
    performance_guarantee: &'static str,
    /// Milliseconds of the last activation; `null` where none was recorded, or it met something that
    /// did not end.
    #[serde(rename = "lastResponseTime")]
    last_response_time: Option<f64>,
}

/// What is promised. Across hosts nothing can be, without a network between them.
const GUARANTEE: &str = "<300ms until no apply in this workspace runs";

fn status(context: &Context) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let switch = kill_switch::read(&workspace);
    let exit = exit_of(&switch);
    let on = switch != Switch::Off;
    let last = kill_effect::last(&workspace)?;
    let mut status = Status {
        schema: 1,
        state: switch.as_str(),
        on,
        reason: None,
        at: None,
        by: None,
        problem: None,
        is_active: on,
        activated_at: None,
        affected_agents: last.map_or(0, |last| last.effect.applies),
        performance_guarantee: GUARANTEE,
        last_response_time: last.and_then(|last| last.effect.response_ms()),
    };
    match switch {
        Switch::Off => {}
        Switch::On { reason, at, by } => {
            (status.reason, status.at, status.by) = (reason, at, by);
            status.activated_at = at;
        }
        Switch::Unreadable(why) => status.problem = Some(why),
    }
    match context.format() {
        Format::Json => context.output.json(&status)?,
        Format::Human => context.output.result(&human(context, &status))?,
    }
    Ok(exit)
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
