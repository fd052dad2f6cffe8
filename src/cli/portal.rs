//! `portal`: serve the status page, write its files out, make its data anew.

mod serve;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::run::{lock_timeout, parse_timeout};
use super::{Context, Exit, Format, secrets};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::read::read_own;
use crate::fs::{RetryDelays, Workspace, WorkspaceLock, write};
use crate::policy::document;
pub(super) use crate::portal::FILE;
use crate::portal::PAGES;
use crate::portal::data::Data;
pub(super) use crate::portal::store::is_kept;
use crate::portal::store::{self, Ground};
use crate::record::LINE_LIMIT;

const EXAMPLES: &str = "\
Examples:
  policy-orchestrator portal --serve                          then open http://127.0.0.1:8787/
  policy-orchestrator portal --serve --listen 127.0.0.1:0     at a free port, which is printed
  policy-orchestrator portal --export portal                  the page's files, for another server
  policy-orchestrator portal data --rebuild                   the history it shows, from the journal

Served are the page, state/policy_state.json (also as /policy), state/portal_data.json and /health;
nothing else, and nothing can be changed through it. There is no password: who can reach the address
can read the state, so only this machine can, unless --allow-remote is given.
It ends with Ctrl-C or SIGTERM.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub(super) struct PortalArgs {
    #[command(subcommand)]
    command: Option<PortalCommand>,

    /// Serve the page over HTTP until it is ended
    #[arg(long, conflicts_with = "export")]
    serve: bool,

    /// Where to listen
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:8787",
        requires = "serve"
    )]
    listen: SocketAddr,

    /// Let --listen name an address that other machines reach
    #[arg(long, requires = "serve")]
    allow_remote: bool,

    /// Write the page's files into this directory
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,

    /// Let --export replace files of an earlier version
    #[arg(long, requires = "export")]
    replace: bool,
}

#[derive(Debug, Subcommand)]
enum PortalCommand {
    /// The data that the page shows beside the state file
    Data(DataArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  policy-orchestrator portal data --rebuild\n\nReads the whole journal, sealed segments included, and writes state/portal_data.json. From then on\nevery run, apply and undo keeps the file up to date."
)]
struct DataArgs {
    /// Make state/portal_data.json anew from the journal
    #[arg(long, required = true)]
    rebuild: bool,

    /// How long to wait for a run, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_timeout)]
    lock_timeout: Duration,
}

/// The JSON shape of what an export wrote.
#[derive(Serialize)]
struct Exported {
    schema: u32,
    written: Vec<String>,
    unchanged: Vec<String>,
}

/// The JSON shape of `portal data --rebuild`.
#[derive(Serialize)]
struct Rebuilt<'a> {
    schema: u32,
    file: &'static str,
    bytes: usize,
    decisions: u64,
    given: u64,
    changes: usize,
    signals: Vec<&'a str>,
}

pub(super) fn portal(context: &Context, arguments: &PortalArgs) -> anyhow::Result<Exit> {
    if let Some(PortalCommand::Data(data)) = &arguments.command {
        return rebuild(context, data);
    }
    if let Some(directory) = &arguments.export {
        return export(context, directory, arguments.replace);
    }
    if !arguments.serve {
        let text = "give --serve, --export DIR, or `data --rebuild`";
        return Ok(super::usage_error(context, text));
    }
    if !arguments.listen.ip().is_loopback() && !arguments.allow_remote {
        let text = format!(
            "other machines reach {}: everybody there could read the state. Name 127.0.0.1, or give --allow-remote too",
            arguments.listen.ip()
        );
        return Ok(super::usage_error(context, &text));
    }
    serve::serve(context, arguments.listen, arguments.allow_remote)
}

/// True for a host that a request to this machine alone can name: a page elsewhere whose name was
/// made to lead here names its own.
fn is_local(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn rebuild(context: &Context, arguments: &DataArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let retry = RetryDelays::default();
    let timeout = lock_timeout(arguments.lock_timeout);
    let lock = WorkspaceLock::acquire(&workspace, "portal data", timeout, &retry)?;
    let data = make(&workspace, &lock)?;
    match context.format() {
        Format::Json => context.output.json(&Rebuilt {
            schema: 1,
            file: FILE,
            bytes: data.to_bytes().len(),
            decisions: data.decisions,
            given: data.given,
            changes: data.transitions.len(),
            signals: data
                .signals
                .iter()
                .map(|signal| signal.name.as_str())
                .collect(),
        })?,
        Format::Human => context.output.result(&format!(
            "{FILE} shows {} decision{} ({} with a given time left out), {} bytes\n",
            data.decisions,
            if data.decisions == 1 { "" } else { "s" },
            data.given,
            data.to_bytes().len()
        ))?,
    }
    Ok(Exit::Done)
}

/// Makes the data anew.
pub(super) fn make(workspace: &Workspace, _lock: &WorkspaceLock) -> Checked<Data> {
    let loaded = document::load(workspace);
    let key = secrets::signing_key().ok().flatten();
    store::rebuild(Ground {
        workspace,
        key: key.as_ref(),
        policy: &loaded.policy,
        retry: &RetryDelays::default(),
    })
}

/// Takes what a command changed into the data of the page, where they are kept: responses, overrides,
/// safeguards, how far the journal was verified. What keeps it from that is a warning.
pub(super) fn tell(context: &Context, workspace: &Workspace, wait: Duration) {
    if !is_kept(workspace) {
        return;
    }
    let retry = RetryDelays::default();
    let lock = WorkspaceLock::acquire(workspace, "portal", lock_timeout(wait), &retry);
    let behind = match lock {
        Err(busy) => Some(*busy),
        Ok(_lock) => {
            let loaded = document::load(workspace);
            let key = secrets::signing_key().ok().flatten();
            store::after_change(Ground {
                workspace,
                key: key.as_ref(),
                policy: &loaded.policy,
                retry: &retry,
            })
        }
    };
    context.output.findings(&behind);
}

fn export(context: &Context, directory: &std::path::Path, replace: bool) -> anyhow::Result<Exit> {
    std::fs::create_dir_all(directory).map_err(|error| cannot_make(directory, &error))?;
    let place = Workspace::open(directory)?;
    let mut done = Exported {
        schema: 1,
        written: Vec::new(),
        unchanged: Vec::new(),
    };
    let mut kept = Vec::new();
    for page in PAGES {
        let name = page.file.rsplit('/').next().unwrap_or(page.file);
        let shown = directory.join(name).display().to_string();
        let there = read_own(&place, name, LINE_LIMIT)?;
        if there.as_deref() == Some(page.text.as_bytes()) {
            done.unchanged.push(shown);
            continue;
        }
        if there.is_some() && !replace {
            kept.push(stands_there(&shown));
            continue;
        }
        let bytes = page.text.as_bytes();
        let write = || write::replace_rarely(&place, name, bytes);
        RetryDelays::default()
            .retry(write)
            .map_err(Box::<Diagnostic>::from)?;
        done.written.push(shown);
    }
    context.output.findings(&kept);
    match context.format() {
        Format::Json => context.output.json(&done)?,
        Format::Human => context.output.result(&human(&done))?,
    }
    Ok(if kept.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn human(done: &Exported) -> String {
    let written = done
        .written
        .iter()
        .map(|file| format!("written    {file}\n"));
    let unchanged = done.unchanged.iter();
    let unchanged = unchanged.map(|file| format!("unchanged  {file}\n"));
    written.chain(unchanged).collect()
}

fn stands_there(file: &str) -> Diagnostic {
    Diagnostic::new(
        Code::WriteFailed,
        Place::file(file),
        "another file stands there, and nothing is overwritten",
    )
    .found("a file that differs from this version's")
    .expected("no file, or the same")
    .help("give --replace too where it is the page of an earlier version")
}

fn cannot_make(directory: &std::path::Path, error: &std::io::Error) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::WriteFailed,
            Place::file(directory.display().to_string()),
            "the directory can't be made",
        )
        .found(crate::fs::read::plain(error))
        .expected("a directory that the user of this run may write to")
        .help("name another directory"),
    )
}
