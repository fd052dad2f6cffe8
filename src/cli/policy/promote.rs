//! `policy promote`: into the shadow, and into production.

use clap::{Args, ValueEnum};

use super::step;
use crate::cli::recording::Recording;
use crate::cli::{Context, Exit};
use crate::lifecycle;

const HELP: &str = "\
Examples:
  policy-orchestrator policy promote 2 --to staging --reason 'OPS-7'
  policy-orchestrator policy promote 2 --to production --reason 'a quiet week'

No stage can be skipped. In staging every `run` also decides with this version, on the same
readings, and appends what came of it to state/policy_shadow_log.jsonl; what is decided and recorded
stays production's. Production needs 7 whole days of that (exactly 7 x 24 h are enough), at least
one decision, and no rollback criterion violated:

  violation_rate      shadow decisions that are graver than production's, of all (usually > 5%)
  performance_impact  time that the version takes beyond production, of the runs' (usually > 10%)

Under ENV=production a second person has to have signed: `approve request --operation promote
--subject VERSION`, and `approve grant` by somebody whom policy/approvers.yaml lists.

The switch is one rename to policy/policy.yaml, recorded before it is made; a small form
(policy/policy_thresholds.json) is replaced by it. What decided before is kept. A switch that was
cut off is finished by the same command.";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum To {
    /// Decide in the shadow, beside production
    Staging,
    /// Decide
    Production,
}

#[derive(Debug, Args)]
#[command(after_help = format!("{HELP}\n\n{}", step::EXITS))]
pub(in crate::cli) struct PromoteArgs {
    /// The version: its id, the version in its document, or the first digits of its SHA-256
    #[arg(value_name = "VERSION")]
    version: String,

    /// The next stage
    #[arg(long, value_enum, value_name = "STAGE")]
    to: To,

    /// Why; it is recorded
    #[arg(long, value_name = "TEXT", value_parser = crate::cli::parse_reason)]
    reason: String,

    #[command(flatten)]
    recording: Recording,
}

pub(super) fn promote(context: &Context, arguments: &PromoteArgs) -> anyhow::Result<Exit> {
    let PromoteArgs {
        version,
        to,
        reason,
        recording,
    } = arguments;
    let taken = step::take(context, recording, "policy promote", |request| match to {
        To::Staging => lifecycle::stage(request, version, reason),
        To::Production => lifecycle::produce(request, version, reason, crate::cli::production()),
    })?;
    Ok(taken.map_or_else(|exit| exit, |_| Exit::Done))
}
