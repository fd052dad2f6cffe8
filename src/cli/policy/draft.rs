//! `policy draft`: a document becomes a version.

use std::fs::File;
use std::io::Read as _;

use clap::Args;

use super::step;
use crate::cli::recording::Recording;
use crate::cli::{Context, Exit};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::lifecycle::{self, Draft};
use crate::policy::document::LIMIT;

const HELP: &str = "\
Examples:
  policy-orchestrator policy draft next.yaml --reason 'integrity a point higher, OPS-7'
  policy-orchestrator policy draft next.yaml --update update.yaml --reason 'OPS-7'

Keeps the very bytes as policy/versions/<name>-<version>-<12 digits of its SHA-256>.yaml, and its
update record beside it as .json: policyId, version, changes, impactAnalysis, rollbackPlan and
deploymentStrategy. Without --update they are computed: every line that differs from what decides,
and what the document would have decided on the recorded history. With --update all six have to be
there; `stages` may say how long the version is watched and what makes it go back:

  stages:
    staging: {monitoring_period: 7_days, rollback_criteria: ['violation_rate > 5%']}
    production: {monitoring_period: 30_days}

What decides is not touched.";

#[derive(Debug, Args)]
#[command(after_help = format!("{HELP}\n\n{}", step::EXITS))]
pub(in crate::cli) struct DraftArgs {
    /// The document, `kind: OrchestrationPolicy`, as YAML or JSON
    #[arg(value_name = "FILE")]
    file: String,

    /// The author's update record, as YAML or JSON
    #[arg(long, value_name = "FILE")]
    update: Option<String>,

    /// Why; it is recorded
    #[arg(long, value_name = "TEXT", value_parser = crate::cli::parse_reason)]
    reason: String,

    #[command(flatten)]
    recording: Recording,
}

pub(super) fn draft(context: &Context, arguments: &DraftArgs) -> anyhow::Result<Exit> {
    let bytes = read(&arguments.file)?;
    let update = match &arguments.update {
        Some(file) => Some((file.as_str(), read(file)?)),
        None => None,
    };
    let draft = Draft {
        file: &arguments.file,
        bytes: &bytes,
        update: update
            .as_ref()
            .map(|(file, bytes)| (*file, bytes.as_slice())),
    };
    let reason = &arguments.reason;
    let taken = step::take(context, &arguments.recording, "policy draft", |request| {
        lifecycle::draft(request, draft, reason)
    })?;
    Ok(taken.map_or_else(|exit| exit, |_| Exit::Done))
}

/// Reads a file that the user names, wherever it is.
fn read(file: &str) -> Checked<Vec<u8>> {
    let finding = |code, message: &str, found: String| {
        let expected = format!("a document of at most {LIMIT} bytes");
        Box::new(
            Diagnostic::new(code, Place::file(file), message)
                .found(found)
                .expected(expected)
                .help("check its name and its permissions"),
        )
    };
    let mut bytes = Vec::new();
    let opened = File::open(file);
    let count = opened.and_then(|opened| opened.take(LIMIT + 1).read_to_end(&mut bytes));
    match count {
        Ok(count) if count as u64 > LIMIT => Err(finding(
            Code::FileTooLarge,
            "the file is too large",
            format!("more than {LIMIT} bytes"),
        )),
        Ok(_) => Ok(bytes),
        Err(error) => Err(finding(
            Code::FileUnreadable,
            "the file can't be read",
            crate::fs::read::plain(&error),
        )),
    }
}
