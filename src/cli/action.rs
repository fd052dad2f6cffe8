//! `action`: run one native action, now and alone.
//!
//! The four checks only read (one adds a line to its own log). `integrity_anchor_mirror` changes
//! files, so it says what it would do unless `--apply` is given.

use std::time::Duration;

use clap::Args;

use super::actor::actor;
use super::run::{lock_timeout, parse_timeout};
use super::{Context, Exit, Format, clock, launch, parse_time, portal, respond, secrets, workflow};
use crate::fs::{RetryDelays, Workspace, WorkspaceLock};
use crate::record::SigningKey;
use crate::response::actions::{self, Action, Ground, Outcome};
use crate::response::apply::{self, Operator};
use crate::response::declared::Responses;
use crate::response::facts::{Depth, Question, Wanted};
use crate::signals::DEFAULT_LIMIT;
use crate::time::Timestamp;

const EXAMPLES: &str = "\
Actions:
  integrity_check            signals, policy document and state file can be read
  schema_validation          every row of the integrity registry follows its schema
  full_integrity_check       both, and every line of every journal
  cold_storage_verification  snapshots and the chain of anchors hold; adds a line to its log
  integrity_anchor_mirror    copies the integrity anchor to mirrors/ and chains it; needs --apply

Examples:
  policy-orchestrator action integrity_check
  policy-orchestrator action cold_storage_verification --format json | jq .success
  policy-orchestrator action integrity_anchor_mirror --apply

Exit codes:
  0  nothing is wrong
  1  something does not hold, or the action failed
  2  the command line makes no sense
  3  a gate was closed: nothing was started";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ActionArgs {
    /// The action's name
    #[arg(value_name = "NAME", value_parser = parse_action, hide_possible_values = true)]
    name: Action,

    /// Carry out an action that changes files, behind every gate
    #[arg(long, conflicts_with = "at")]
    apply: bool,

    /// An override that is to stand for the approver, in production
    #[arg(long = "override", value_name = "ID")]
    override_id: Option<String>,

    /// Run as of this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,

    /// How long to wait for a run, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_timeout)]
    lock_timeout: Duration,
}

impl ActionArgs {
    /// True where it is to change files.
    pub(super) fn applies(&self) -> bool {
        self.apply && self.name.changes_files()
    }
}

pub(super) fn parse_action(name: &str) -> Result<Action, String> {
    Action::named(name).ok_or_else(|| {
        let names: Vec<&str> = Action::ALL.into_iter().map(Action::name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

pub(super) fn action(context: &Context, arguments: &ActionArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let key = secrets::signing_key()?;
    if arguments.applies() {
        return apply_one(context, arguments, &workspace, key.as_ref());
    }
    let retry = RetryDelays::default();
    let ground = |at| Ground {
        workspace: &workspace,
        at,
        limit: DEFAULT_LIMIT,
        key: key.as_ref(),
        retry: &retry,
    };
    let action = arguments.name;
    let only_says = action.changes_files();
    let outcome = if action.writes() && !only_says {
        let timeout = lock_timeout(arguments.lock_timeout);
        let lock = WorkspaceLock::acquire(&workspace, "action", timeout, &retry)?;
        actions::run_and_write(action, ground(clock(arguments.at).read()), &lock)
    } else {
        actions::run(action, ground(clock(arguments.at).read()))
    };
    context.output.findings(&outcome.findings);
    match context.format() {
        Format::Json => context.output.json(&outcome)?,
        Format::Human => context.output.result(&human(context, &outcome))?,
    }
    if only_says {
        context
            .output
            .note("nothing was changed; `--apply` carries it out");
    }
    Ok(if outcome.success {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// An action that changes files is applied as a response of its own, behind every gate that does
/// not ask for a decision, and recorded.
fn apply_one(
    context: &Context,
    arguments: &ActionArgs,
    workspace: &Workspace,
    key: Option<&SigningKey>,
) -> anyhow::Result<Exit> {
    if workflow::is_running() {
        let text = "in a workflow nobody stands by: there only `respond --apply --auto` applies";
        return Ok(super::usage_error(context, text));
    }
    let (user, retry) = (actor(), RetryDelays::default());
    let operator = Operator {
        workspace,
        key,
        retry: &retry,
        timeout: lock_timeout(arguments.lock_timeout),
        what: "apply",
        user: &user,
    };
    let question = Question {
        workspace,
        at: clock(None).read(),
        wanted: Wanted::Action(arguments.name),
        only: None,
        forced: None,
        again: None,
        unattended: None,
        other_apply: None,
        unsettleable: None,
        depth: Depth::SinceVerified,
        limit: DEFAULT_LIMIT,
        key,
        production: super::production(),
        user: &user,
        override_id: arguments.override_id.as_deref(),
    };
    let launch = launch::Prepared::new(&Responses::default())?;
    let applied = apply::apply(operator, &question, launch.as_launch());
    portal::tell(context, question.workspace, arguments.lock_timeout);
    let applied = applied?;
    respond::tell(context, applied)
}

pub(super) fn human(context: &Context, outcome: &Outcome) -> String {
    let paint = context.output.paint();
    let verdict = if outcome.success {
        paint.level(&crate::policy::Level::GREEN, "● done")
    } else {
        paint.error("■ FAILED")
    };
    let mut text = format!("{}  {verdict}\n", paint.bold(outcome.action.name()));
    for note in &outcome.notes {
        text.push_str(&format!("  {note}\n"));
    }
    let undo = outcome.action.undo_instruction();
    if let Some(undo) = undo.filter(|_| outcome.success) {
        text.push_str(&format!("  undo: {undo}\n"));
    }
    text
}
