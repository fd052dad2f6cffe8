//! `policy`: documents that decide, or are to decide. One file for each of its commands.

mod backtest;
mod show;

use clap::Subcommand;

use super::{Context, Exit};

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// What would this document have decided on every recorded decision?
    Backtest(backtest::BacktestArgs),
    /// What a document is, what it says, and what of it is enforced here
    Show(show::ShowArgs),
}

pub(super) fn policy(context: &Context, command: &PolicyCommand) -> anyhow::Result<Exit> {
    match command {
        PolicyCommand::Backtest(arguments) => backtest::backtest(context, arguments),
        PolicyCommand::Show(arguments) => show::show(context, arguments),
    }
}
