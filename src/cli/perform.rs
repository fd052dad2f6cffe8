//! `perform`: the hidden command by which an apply runs a native action, in a process of its own that
//! can be ended. By hand there is `action`.

use std::time::Duration;

use clap::Args;

use super::action::{human, parse_action};
use super::run::lock_timeout;
use super::{Context, Exit, clock, parse_time, secrets};
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::fs::lock::APPLY_LOCK_FILE;
use crate::fs::{ApplyLock, RetryDelays, WorkspaceLock};
use crate::record::response_journal;
use crate::response::actions::{self, Action, Ground};
use crate::safeguard::kill_switch;
use crate::signals::DEFAULT_LIMIT;
use crate::time::Timestamp;

/// How long an action waits for the workspace lock.
const WAIT: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(super) struct PerformArgs {
    /// The action's name
    #[arg(value_parser = parse_action)]
    name: Action,

    /// The time of the apply
    #[arg(long, value_parser = parse_time)]
    at: Timestamp,
}

pub(super) fn perform(context: &Context, arguments: &PerformArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    // An apply holds its lock and has passed the gates; nobody else comes this way.
    if ApplyLock::holder(&workspace)?.is_none() {
        context.output.findings([&without_apply()]);
        return Ok(Exit::Usage);
    }
    if let Some(closed) = kill_switch::closed(&workspace) {
        context.output.findings([&closed]);
        return Ok(Exit::Blocked);
    }
    // And the journal says that it is this action's turn.
    let under_way = response_journal::standing(&workspace)?.under_way;
    let is_turn = under_way.is_some_and(|it| it.action.as_deref() == Some(arguments.name.name()));
    if !is_turn {
        context.output.findings([&without_apply()]);
        return Ok(Exit::Usage);
    }
    let key = secrets::signing_key()?;
    let retry = RetryDelays::default();
    let ground = Ground {
        workspace: &workspace,
        at: clock(Some(arguments.at)).read(),
        limit: DEFAULT_LIMIT,
        key: key.as_ref(),
        retry: &retry,
    };
    let outcome = if arguments.name.writes() {
        let lock = WorkspaceLock::acquire(&workspace, "action", lock_timeout(WAIT), &retry)?;
        actions::run_and_write(arguments.name, ground, &lock)
    } else {
        actions::run(arguments.name, ground)
    };
    context.output.findings(&outcome.findings);
    context.output.result(&human(context, &outcome))?;
    Ok(if outcome.success {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn without_apply() -> Diagnostic {
    Diagnostic::new(
        Code::LockHeld,
        Place::file(APPLY_LOCK_FILE),
        "this command is a part of an apply, and none is under way",
    )
    .found("a lock of applies that nobody holds")
    .expected("an apply that started this")
    .help("run `policy-orchestrator action NAME`, or `policy-orchestrator respond --apply`")
}
