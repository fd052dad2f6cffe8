//! `scan secrets`: are there secrets in the files of the workspace?

use clap::{Args, Subcommand};

use super::{Context, Exit, Format, FormatChoice, usage_error, workflow};
use crate::report::{sarif, secrets as view};
use crate::scan::{self, Selection};

const EXAMPLES: &str = "\
Examples:
  policy-orchestrator scan secrets
  policy-orchestrator scan secrets --staged          before a commit
  policy-orchestrator scan secrets config exports    these alone
  policy-orchestrator scan secrets --format sarif > secrets.sarif

Looks for private keys, tokens whose beginning tells their issuer, passwords in addresses, random
values given to a name such as `api_key`, and the default secrets that were published. In a git
repository the tracked files are looked at, and untracked ones that are named; elsewhere all files.
No secret is printed: only its file, its line without it, and the rule.

A finding that is no secret is allowed by a line of policy/secret-scan-allow:
  <SHA-256 of the line> <rule> <file> # <why>
The human format prints that line. It counts until the line in the file is changed.

`--format` is human, json or sarif (SARIF 2.1.0, for code scanning).

Exit codes:
  0  nothing was found
  1  a secret was found, or a file could not be read
  2  the command line makes no sense";

#[derive(Debug, Subcommand)]
pub(super) enum ScanCommand {
    /// Look for secrets in the files of the workspace
    Secrets(SecretsArgs),
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SecretsArgs {
    /// Files and directories, relative to the workspace [default: all]
    #[arg(value_name = "PATH")]
    paths: Vec<String>,

    /// Look at what is staged for the next commit instead
    #[arg(long)]
    staged: bool,
}

pub(super) fn scan(context: &Context, command: &ScanCommand) -> anyhow::Result<Exit> {
    let ScanCommand::Secrets(arguments) = command;
    let paths: Option<Vec<String>> = arguments.paths.iter().map(|path| within(path)).collect();
    let Some(paths) = paths else {
        let text = "a path is expected within the workspace, relative to it and without `..`";
        return Ok(usage_error(context, text));
    };
    let workspace = context.workspace()?;
    let selection = Selection {
        staged: arguments.staged,
        paths: &paths,
    };
    let scan = scan::secrets(&workspace, selection)?;
    let output = context.output;
    output.findings(scan.problems.iter().chain(&scan.remarks));
    match (context.global.format, context.format()) {
        (Some(FormatChoice::Sarif), _) => {
            output.json(&sarif::secrets(&scan, &workflow::prefix(&workspace)))?;
        }
        (_, Format::Human) => output.result(&view::human(&scan, output.paint()))?,
        (_, Format::Json) => output.json(&view::shape(&scan))?,
    }
    Ok(if scan.is_clean() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// A path as git names it, `None` for one that leads elsewhere.
fn within(path: &str) -> Option<String> {
    let leads_out = path.starts_with('/') || path.split('/').any(|part| part == "..");
    let parts = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".");
    let plain = parts.collect::<Vec<_>>().join("/");
    let plain = if plain.is_empty() {
        ".".to_owned()
    } else {
        plain
    };
    (!leads_out && !path.is_empty()).then_some(plain)
}
