//! `undo`: what an apply changed, and taking it back.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::actor::actor;
use super::run::{lock_timeout, parse_timeout};
use super::under_way::{self, UnderWay};
use super::{Context, Exit, Format, is_blocking, is_tampering, portal, secrets};
use crate::compliance::retention::{self, Class};
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::fs::lock::APPLY_LOCK_FILE;
use crate::fs::{RetryDelays, Workspace};
use crate::response::apply::Operator;
use crate::response::undo::listing::{Entry, State, list as list_all};
use crate::response::undo::prune::{self, Pruned};
use crate::response::undo::{self, Refused, Undone};

const EXAMPLES: &str = "\
Examples:
  policy-orchestrator undo list
  policy-orchestrator undo run 1c8d7d56-6f0c-4a83-9a0e-5d0f7d2f0a11 --dry-run
  policy-orchestrator undo run 1c8d7d56-6f0c-4a83-9a0e-5d0f7d2f0a11
  policy-orchestrator undo accept 1c8d7d56-6f0c-4a83-9a0e-5d0f7d2f0a11 --reason 'looked at it: it is whole'
  policy-orchestrator undo prune --keep-days 90

All files of a response are put back, or none where one of them was changed since.
An undo has an id of its own and can be undone. Running it twice is harmless.

Exit codes: 0 done, 1 refused or failed, 3 an apply or undo is under way, 5 the journal was changed";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct UndoArgs {
    #[command(subcommand)]
    command: UndoCommand,
}

#[derive(Debug, Subcommand)]
enum UndoCommand {
    /// What can be undone, the oldest first
    #[command(after_help = "Example:\n  policy-orchestrator undo list")]
    List,
    /// What a response changed, file by file
    #[command(
        after_help = "Example:\n  policy-orchestrator undo show 1c8d7d56-6f0c-4a83-9a0e-5d0f7d2f0a11"
    )]
    Show(NamedArgs),
    /// Put back what a response changed
    #[command(
        after_help = "Example:\n  policy-orchestrator undo run 1c8d7d56-6f0c-4a83-9a0e-5d0f7d2f0a11"
    )]
    Run(RunArgs),
    /// Let stand what a response did of which nobody knows what it was
    #[command(
        after_help = "Example:\n  policy-orchestrator undo accept 1c8d7d56-6f0c-4a83-9a0e-5d0f7d2f0a11 --reason 'looked at it: it is whole'"
    )]
    Accept(AcceptArgs),
    /// Remove what was kept for longer than so many days
    #[command(after_help = "Example:\n  policy-orchestrator undo prune --keep-days 90")]
    Prune(PruneArgs),
}

#[derive(Debug, Args)]
struct NamedArgs {
    /// The response's id, or an undo file of it
    #[arg(value_name = "ID")]
    id: String,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The response's id, or an undo file of it
    #[arg(value_name = "ID")]
    id: String,

    /// Say what would be put back, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// How long to wait for a run, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_timeout)]
    lock_timeout: Duration,
}

#[derive(Debug, Args)]
struct AcceptArgs {
    /// The response's id
    #[arg(value_name = "ID")]
    id: String,

    /// Why; it is recorded
    #[arg(long, value_name = "TEXT", value_parser = super::parse_reason)]
    reason: String,

    /// How long to wait for a run, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_timeout)]
    lock_timeout: Duration,
}

#[derive(Debug, Args)]
struct PruneArgs {
    /// What is older is removed; what nobody knows the outcome of stays
    #[arg(long, value_name = "DAYS")]
    keep_days: u32,

    /// How long to wait for a run, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_timeout)]
    lock_timeout: Duration,
}

/// The JSON shape of `undo list` and `undo show`.
#[derive(Serialize)]
struct Listed<'a> {
    schema: u32,
    undos: &'a [Entry],
}

pub(super) fn undo(context: &Context, arguments: &UndoArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    match &arguments.command {
        UndoCommand::List => list(context, &workspace),
        UndoCommand::Show(named) => show(context, &workspace, &undo::response_of(&named.id)),
        UndoCommand::Run(arguments) => run(context, &workspace, arguments),
        UndoCommand::Accept(arguments) => accept(context, &workspace, arguments),
        UndoCommand::Prune(arguments) => prune_old(context, &workspace, arguments),
    }
}

fn list(context: &Context, workspace: &Workspace) -> anyhow::Result<Exit> {
    context
        .output
        .findings(&UnderWay::look(workspace)?.warning());
    let (entries, findings) = list_all(workspace, None);
    context.output.findings(&findings);
    let listed = Listed {
        schema: 1,
        undos: &entries,
    };
    match context.format() {
        Format::Json => context.output.json(&listed)?,
        Format::Human if entries.is_empty() => {
            context
                .output
                .result("nothing was applied that can be undone\n")?;
        }
        Format::Human => {
            let lines = entries.iter().map(line);
            context.output.result(&lines.collect::<String>())?;
        }
    }
    Ok(if findings.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn line(entry: &Entry) -> String {
    let undo = &entry.undo;
    let what = match &undo.undo_of {
        Some(of) => format!("undo of {of}"),
        None => undo.action.clone(),
    };
    format!(
        "{}  {}  {:<24}  {}\n",
        undo.response_id,
        undo.executed_at.human(),
        what,
        words(entry.state)
    )
}

fn words(state: State) -> &'static str {
    match state {
        State::CanBeUndone => "can be undone",
        State::ChangedNothing => "changed nothing",
        State::IsUndone => "is undone",
        State::ChangedSince => "was changed since",
        State::Pending => "is running, or was cut off",
        State::BackupGone => "what was kept is gone",
    }
}

fn show(context: &Context, workspace: &Workspace, id: &str) -> anyhow::Result<Exit> {
    let (entries, findings) = list_all(workspace, Some(id));
    context.output.findings(&findings);
    if entries.is_empty() && findings.is_empty() {
        return Err(anyhow::Error::new(undo::unknown(id)));
    }
    let listed = Listed {
        schema: 1,
        undos: &entries,
    };
    match context.format() {
        Format::Json => context.output.json(&listed)?,
        Format::Human => {
            let text: String = entries.iter().map(details).collect();
            context.output.result(&text)?;
        }
    }
    Ok(if findings.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn details(entry: &Entry) -> String {
    let mut text = line(entry);
    for file in &entry.undo.files {
        let shown = |print: Option<crate::fs::Fingerprint>| {
            print.map_or_else(
                || "no file".to_owned(),
                |print| format!("{} {:04o}", print.sha256.short(), print.mode),
            )
        };
        text.push_str(&format!(
            "  {}\n    before  {}\n    after   {}\n",
            file.path,
            shown(file.before),
            shown(file.after)
        ));
        if let Some(backup) = &file.backup {
            text.push_str(&format!("    kept    {backup}\n"));
        }
    }
    text.push_str(&format!("  by hand: {}\n", entry.undo.undo_instruction));
    text
}

/// Does something as an operator who undoes.
fn as_operator<T>(
    workspace: &Workspace,
    timeout: Duration,
    work: impl FnOnce(Operator<'_>) -> T,
) -> anyhow::Result<T> {
    let key = secrets::signing_key()?;
    let (user, retry) = (actor(), RetryDelays::default());
    let operator = Operator {
        workspace,
        key: key.as_ref(),
        retry: &retry,
        timeout: lock_timeout(timeout),
        what: "undo",
        user: &user,
    };
    Ok(work(operator))
}

fn run(context: &Context, workspace: &Workspace, arguments: &RunArgs) -> anyhow::Result<Exit> {
    let id = undo::response_of(&arguments.id);
    let ran = as_operator(workspace, arguments.lock_timeout, |operator| {
        undo::run(operator, &id, arguments.dry_run)
    })?;
    if !arguments.dry_run {
        portal::tell(context, workspace, arguments.lock_timeout);
    }
    let undone = match ran {
        Ok(undone) => undone,
        Err(refused) => return Ok(tell_refused(context, refused)),
    };
    if let Some(cut_off) = &undone.interrupted {
        context.output.findings([&under_way::warning(cut_off)]);
    }
    match context.format() {
        Format::Json => context.output.json(&undone)?,
        Format::Human => context.output.result(&human(&undone))?,
    }
    Ok(Exit::Done)
}

fn tell_refused(context: &Context, refused: Refused) -> Exit {
    let findings = match refused {
        Refused::Findings(findings) => findings,
        Refused::Busy(holder) => {
            context.output.findings([&busy(&holder)]);
            return Exit::Blocked;
        }
    };
    context.output.findings(&findings);
    if findings.iter().any(is_tampering) {
        Exit::Tampering
    } else if findings.iter().any(is_blocking) {
        Exit::Blocked
    } else {
        Exit::Failed
    }
}

fn busy(holder: &str) -> Diagnostic {
    Diagnostic::new(
        Code::LockHeld,
        Place::file(APPLY_LOCK_FILE),
        format!("{holder} is applying or undoing"),
    )
    .found("a lock that is held")
    .expected("no apply and no undo under way")
    .help("wait for it to end, or stop it with `policy-orchestrator kill on --reason TEXT`")
}

fn human(undone: &Undone) -> String {
    let mut text = match &undone.response_id {
        Some(id) => format!("undone as {id}:\n"),
        None if undone.dry_run => "would undo (dry run, nothing was changed):\n".to_owned(),
        None => "nothing to undo: everything is as it was\n".to_owned(),
    };
    let kinds = [
        ("put back", &undone.restored),
        ("removed", &undone.removed),
        ("unchanged", &undone.unchanged),
    ];
    for (kind, files) in kinds {
        for file in files {
            text.push_str(&format!("  {kind:<9}  {file}\n"));
        }
    }
    text
}

/// The JSON shape of `undo accept`.
#[derive(Serialize)]
struct Accepted<'a> {
    schema: u32,
    response_id: &'a str,
    settled: Vec<String>,
}

fn accept(
    context: &Context,
    workspace: &Workspace,
    arguments: &AcceptArgs,
) -> anyhow::Result<Exit> {
    let accepted = as_operator(workspace, arguments.lock_timeout, |operator| {
        undo::accept(operator, &arguments.id, &arguments.reason)
    })?;
    let settled = match accepted {
        Ok(settled) => settled,
        Err(refused) => return Ok(tell_refused(context, refused)),
    };
    match context.format() {
        Format::Human => {
            let text = format!("accepted, whatever it did: {}\n", settled.join(", "));
            context.output.result(&text)?;
        }
        Format::Json => context.output.json(&Accepted {
            schema: 1,
            response_id: &arguments.id,
            settled,
        })?,
    }
    Ok(Exit::Done)
}

fn prune_old(
    context: &Context,
    workspace: &Workspace,
    arguments: &PruneArgs,
) -> anyhow::Result<Exit> {
    let retention = match retention::load(workspace) {
        Ok(retention) => retention,
        Err(problems) => {
            context.output.findings(&problems);
            let text = "nothing was removed: nobody knows how long it has to be kept";
            context.output.note(text);
            return Ok(Exit::Failed);
        }
    };
    let keep_days = retention.undo_days(arguments.keep_days);
    if keep_days > arguments.keep_days {
        let kept = retention.of(Class::Undo);
        context.output.note(&format!(
            "kept for longer than {} days: {} by {}, for: {}",
            arguments.keep_days,
            kept.keep,
            retention::FILE,
            kept.by
        ));
    }
    let pruned = as_operator(workspace, arguments.lock_timeout, |operator| {
        prune::prune(operator, keep_days)
    })?;
    let pruned = match pruned {
        Ok(pruned) => pruned,
        Err(refused) => return Ok(tell_refused(context, refused)),
    };
    match context.format() {
        Format::Json => context.output.json(&pruned)?,
        Format::Human => context.output.result(&human_pruned(&pruned))?,
    }
    Ok(Exit::Done)
}

fn human_pruned(pruned: &Pruned) -> String {
    let mut text = format!(
        "removed what was kept for {} response{} older than {} days\n",
        pruned.responses.len(),
        if pruned.responses.len() == 1 { "" } else { "s" },
        pruned.keep_days
    );
    for id in &pruned.kept {
        text.push_str(&format!("  stays: {id}, whose outcome nobody knows\n"));
    }
    text
}
