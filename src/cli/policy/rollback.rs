//! `policy rollback`: back to what decided before, or out of the shadow.

use clap::Args;

use super::step;
use crate::cli::recording::Recording;
use crate::cli::{Context, Exit};
use crate::lifecycle;

const HELP: &str = "\
Examples:
  policy-orchestrator policy rollback --reason 'yellow every night'
  policy-orchestrator policy rollback 2 --reason 'too slow'     a staged version: a draft again

Puts back what decided before the version in production, byte for byte, under its own name; again,
what decided before that. A document that somebody edited meanwhile is kept under state/policies/.
The version that was rolled back is a draft again that nobody approved.";

#[derive(Debug, Args)]
#[command(after_help = format!("{HELP}\n\n{}", step::EXITS))]
pub(in crate::cli) struct RollbackArgs {
    /// The version, in staging or production [default: the one in production]
    #[arg(value_name = "VERSION")]
    version: Option<String>,

    /// Why; it is recorded
    #[arg(long, value_name = "TEXT", value_parser = crate::cli::parse_reason)]
    reason: String,

    #[command(flatten)]
    recording: Recording,
}

pub(super) fn rollback(context: &Context, arguments: &RollbackArgs) -> anyhow::Result<Exit> {
    let RollbackArgs {
        version,
        reason,
        recording,
    } = arguments;
    let taken = step::take(context, recording, "policy rollback", |request| {
        lifecycle::rollback(request, version.as_deref(), reason)
    })?;
    Ok(taken.map_or_else(|exit| exit, |_| Exit::Done))
}
