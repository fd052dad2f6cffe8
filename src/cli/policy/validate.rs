//! `policy validate`: the four checks of an approved draft.

use clap::Args;

use super::step;
use crate::cli::recording::Recording;
use crate::cli::{Context, Exit};
use crate::lifecycle::{self, version::Validated};

const HELP: &str = "\
Example:
  policy-orchestrator policy validate 2

syntax_validation    the bytes that were approved are a policy
conflict_detection   no trigger, waiver or window is dead (`policy check` tells them)
impact_analysis      every recorded decision is made again with it
security_review      the security team approved it, and what decides is what it was compared with;
                     every line that is not plainly stricter is named (`policy diff`)

All four results are recorded, passed or not. Both approvals have to be there before.
Exits with 1 where a check failed.";

#[derive(Debug, Args)]
#[command(after_help = format!("{HELP}\n\n{}", step::EXITS))]
pub(in crate::cli) struct ValidateArgs {
    /// The version: its id, the version in its document, or the first digits of its SHA-256
    #[arg(value_name = "VERSION")]
    version: String,

    /// Why; it is recorded
    #[arg(long, value_name = "TEXT", default_value = "checked", value_parser = crate::cli::parse_reason)]
    reason: String,

    #[command(flatten)]
    recording: Recording,
}

pub(super) fn validate(context: &Context, arguments: &ValidateArgs) -> anyhow::Result<Exit> {
    let ValidateArgs {
        version, reason, ..
    } = arguments;
    let taken = step::take(
        context,
        &arguments.recording,
        "policy validate",
        |request| lifecycle::validate(request, version, reason),
    )?;
    Ok(match taken {
        Err(exit) => exit,
        Ok(version) if version.validated.as_ref().is_some_and(Validated::passed) => Exit::Done,
        Ok(_) => Exit::Failed,
    })
}
