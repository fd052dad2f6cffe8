//! `policy approve`: an approval of a draft.

use clap::{Args, ValueEnum};

use super::step;
use crate::cli::recording::Recording;
use crate::cli::{Context, Exit};
use crate::lifecycle::{self, version::Role};

const HELP: &str = "\
Examples:
  policy-orchestrator policy approve 2 --as policy_author --reason 'as agreed in OPS-7'
  policy-orchestrator policy approve 2 --as security_team --reason 'nothing is looser'

Both are needed, by two people. Who you are is what the environment says (GITHUB_ACTOR, SUDO_USER,
USER): a claim that is recorded, not a proof. An approval is of these very bytes.";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum As {
    /// Answers for what the policy says
    #[value(name = "policy_author")]
    PolicyAuthor,
    /// Answers for what it no longer catches
    #[value(name = "security_team")]
    SecurityTeam,
}

#[derive(Debug, Args)]
#[command(after_help = format!("{HELP}\n\n{}", step::EXITS))]
pub(in crate::cli) struct ApproveArgs {
    /// The version: its id, the version in its document, or the first digits of its SHA-256
    #[arg(value_name = "VERSION")]
    version: String,

    /// In which role
    #[arg(long = "as", value_enum, value_name = "ROLE")]
    role: As,

    /// Why; it is recorded
    #[arg(long, value_name = "TEXT", value_parser = crate::cli::parse_reason)]
    reason: String,

    #[command(flatten)]
    recording: Recording,
}

pub(super) fn approve(context: &Context, arguments: &ApproveArgs) -> anyhow::Result<Exit> {
    let role = match arguments.role {
        As::PolicyAuthor => Role::PolicyAuthor,
        As::SecurityTeam => Role::SecurityTeam,
    };
    let ApproveArgs {
        version, reason, ..
    } = arguments;
    let taken = step::take(context, &arguments.recording, "policy approve", |request| {
        lifecycle::approve(request, version, role, reason)
    })?;
    Ok(taken.map_or_else(|exit| exit, |_| Exit::Done))
}
