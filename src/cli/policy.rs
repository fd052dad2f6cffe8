//! `policy`: what can be done with policy documents, one file for each.

mod show;

use clap::Subcommand;

use super::{Context, Exit};

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// What a document is, what it says, and what of it is enforced here
    Show(show::ShowArgs),
}

pub(super) fn policy(context: &Context, command: &PolicyCommand) -> anyhow::Result<Exit> {
    match command {
        PolicyCommand::Show(arguments) => show::show(context, arguments),
    }
}
