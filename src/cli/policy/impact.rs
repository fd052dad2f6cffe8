//! `policy impact`: requests replayed through two sets of security policies.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use clap::Args;

use crate::cli::given::Given;
use crate::cli::{Context, Exit, Format};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::read::{Unopened, open_given, plain};
use crate::policy::directory;
use crate::request::input::MOST_BYTES;
use crate::security::impact::{Replay, Report};
use crate::security::{self, Compiled};

/// Where decisions on requests are recorded.
const RECORDED: &str = "state/request_decisions.jsonl";

/// A longer line is none: a request, and what was decided of it.
const LONGEST_LINE: u64 = 2 * MOST_BYTES as u64;

/// A larger document is none.
const LIMIT: u64 = 1024 * 1024;

const HELP: &str = "\
Examples:
  policy-orchestrator policy impact policy/security next/security --requests requests.jsonl
  policy-orchestrator policy impact old.yaml new.yaml --fail-on-changes
  zcat requests.jsonl.gz | policy-orchestrator policy impact old.yaml new.yaml --requests -

Asks both sets of security policies (a file, or the .yaml, .yml and .json files of a directory) of
every request, and lists those that they answer otherwise: allowed and then denied, denied and then
allowed, or with other obligations. Each line of the file of requests is a request, or a recorded
decision with its `request`. Only this layer is asked: what labels, Rego, spending or the level in
force say stays out of it. Writes nothing; takes the same memory however long the file is.

Exit codes:
  0   done, whatever differs
  1   a document or the requests can't be used; with --fail-on-changes also: a line of them
  10  with --fail-on-changes: a request would be answered otherwise";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(in crate::cli) struct ImpactArgs {
    /// The documents that count: a file or a directory
    #[arg(value_name = "OLD")]
    old: String,

    /// Those that are to count
    #[arg(value_name = "NEW")]
    new: String,

    /// The requests, one a line; `-` for standard input [default: the workspace's recorded ones]
    #[arg(long, value_name = "FILE")]
    requests: Option<String>,

    /// Exit with 10 where any request would be answered otherwise
    #[arg(long)]
    fail_on_changes: bool,
}

pub(in crate::cli) fn impact(context: &Context, arguments: &ImpactArgs) -> anyhow::Result<Exit> {
    let (old, new) = (compiled(&arguments.old), compiled(&arguments.new));
    let (old, new) = match (old, new) {
        (Ok(old), Ok(new)) => (old, new),
        (old, new) => {
            let problems = [old.err(), new.err()];
            context.output.findings(problems.iter().flatten().flatten());
            return Ok(Exit::Failed);
        }
    };
    let file = match &arguments.requests {
        Some(file) => file.clone(),
        None => context.workspace()?.path(RECORDED).display().to_string(),
    };
    let mut replay = Replay::new(&old, &new, &file);
    replay_all(&mut replay, &file)?;
    let (report, findings) = replay.finish();
    context.output.findings(&findings);
    match context.format() {
        Format::Json => context.output.json(&report)?,
        Format::Human => context.output.result(&human(&report))?,
    }
    Ok(exit(arguments, &report))
}

/// Of a file without one request nothing can be said. Whoever asks for a gate wants every line looked
/// at: one that can't be read may be the one that differs.
fn exit(arguments: &ImpactArgs, report: &Report) -> Exit {
    let unread = report.unreadable > 0;
    if unread && (report.requests == 0 || arguments.fail_on_changes) {
        Exit::Failed
    } else if arguments.fail_on_changes && report.changed > 0 {
        Exit::Flips
    } else {
        Exit::Done
    }
}

/// The set of a file or a directory.
fn compiled(path: &str) -> Result<Compiled, Vec<Diagnostic>> {
    let files = files(path).map_err(|problem| vec![*problem])?;
    let mut texts = Vec::new();
    let mut problems = Vec::new();
    for file in files {
        let given = Given {
            path: &file,
            what: "security policy",
            expected: "a document of at most 1 MiB",
            limit: LIMIT,
        };
        match given.read() {
            Ok(bytes) => texts.push((file, bytes)),
            Err(problem) => problems.push(*problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let documents: Vec<(&str, &[u8])> = texts
        .iter()
        .map(|(file, bytes)| (file.as_str(), bytes.as_slice()))
        .collect();
    security::compile(&documents)
}

fn files(path: &str) -> Checked<Vec<String>> {
    if !Path::new(path).is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).and_then(|entries| {
        entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<std::io::Result<Vec<String>>>()
    });
    let mut names = entries.map_err(|error| unreadable(path, plain(&error)))?;
    names.retain(|name| directory::is_document(name));
    names.sort();
    let file = |name: &String| Path::new(path).join(name).display().to_string();
    Ok(names.iter().map(file).collect())
}

fn unreadable(path: &str, found: impl AsRef<str>) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::FileUnreadable,
            Place::file(path),
            "this can't be read",
        )
        .found(found)
        .expected("security policies, and requests one a line")
        .help("check the path; without `--requests` the workspace's recorded requests are read"),
    )
}

fn replay_all(replay: &mut Replay<'_>, file: &str) -> Checked<()> {
    if file == "-" {
        return lines(replay, file, std::io::stdin().lock());
    }
    match open_given(Path::new(file)) {
        Ok(open) => lines(replay, file, BufReader::new(open)),
        Err(Unopened::Other(kind)) => Err(unreadable(file, kind)),
        Err(Unopened::Failed(error)) => Err(unreadable(file, plain(&error))),
    }
}

fn lines(replay: &mut Replay<'_>, file: &str, mut input: impl BufRead) -> Checked<()> {
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        let failed = |error: std::io::Error| unreadable(file, plain(&error));
        let mut limited = input.by_ref().take(LONGEST_LINE + 1);
        let count = limited.read_until(b'\n', &mut line).map_err(failed)?;
        if count == 0 {
            return Ok(());
        }
        number += 1;
        if line.ends_with(b"\n") || count as u64 <= LONGEST_LINE {
            replay.line(number, &line);
        } else {
            replay.unreadable(number, "a line that is too long");
            input.skip_until(b'\n').map_err(failed)?;
        }
    }
}

fn human(report: &Report) -> String {
    let mut text = match (report.changed, report.requests) {
        (0, requests) => format!("{requests} requests, all answered alike\n"),
        (changed, requests) => format!("{changed} of {requests} requests answered otherwise\n"),
    };
    for change in &report.changes {
        let what = if change.from == change.to {
            format!("{}, with other obligations", change.from.as_str())
        } else {
            format!("{} -> {}", change.from.as_str(), change.to.as_str())
        };
        text.push_str(&format!("  {:>8}  {what}\n", change.requests));
    }
    for changed in &report.listed {
        let id = changed.id.as_deref().unwrap_or("without an id");
        text.push_str(&format!(
            "\nline {}: {id}\n  - {} [{}]\n  + {} [{}] {}\n",
            changed.line,
            changed.from.as_str(),
            changed.obligations_before.join(", "),
            changed.to.as_str(),
            changed.obligations_after.join(", "),
            changed.reason_codes.join(", "),
        ));
    }
    let more = report.changed.saturating_sub(report.listed.len() as u64);
    if more > 0 {
        text.push_str(&format!("\nand {more} more\n"));
    }
    if report.unreadable > 0 {
        text.push_str(&format!("\n{} lines are no request\n", report.unreadable));
    }
    text
}
