//! `policy draft`: a document becomes a version.

use clap::Args;

use super::step;
use crate::cli::given::Given;
use crate::cli::recording::Recording;
use crate::cli::{Context, Exit};
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
    let given = |path, what, expected| Given {
        path,
        what,
        expected,
        limit: LIMIT,
    };
    let bytes = given(
        &arguments.file,
        "policy document",
        "a document of the kind OrchestrationPolicy",
    )
    .read()?;
    let update = match &arguments.update {
        Some(file) => {
            let expected =
                "policyId, version, changes, impactAnalysis, rollbackPlan and deploymentStrategy";
            let given = given(file, "update record", expected);
            Some((file.as_str(), given.read()?))
        }
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
