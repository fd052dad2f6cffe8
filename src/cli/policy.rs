//! `policy`: what can be done with policy documents, one file for each.

mod check;

use clap::Subcommand;

use super::{Context, Exit};

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// What is wrong with a document, and what is unwise in it, each with its place
    Check(check::CheckArgs),
}

pub(super) fn policy(context: &Context, command: &PolicyCommand) -> anyhow::Result<Exit> {
    match command {
        PolicyCommand::Check(arguments) => check::check(context, arguments),
    }
}
