//! `policy`: documents that decide, or are to decide. One file for each of its commands.

mod backtest;
mod check;
mod convert;
mod diff;
mod init;
mod named;
mod schema;
mod show;
mod test;

use clap::Subcommand;

use super::{Context, Exit};

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// The policy in force as a document to own, with its first cases; overwrites nothing
    Init(init::InitArgs),
    /// Ask the policy the cases that it has to answer
    Test(test::TestArgs),
    /// What differs between two policies in meaning, not in text
    Diff(diff::DiffArgs),
    /// What would this document have decided on every recorded decision?
    Backtest(backtest::BacktestArgs),
    /// What a document is, what it says, and what of it is enforced here
    Show(show::ShowArgs),
    /// The JSON Schema of a policy document, for editors
    Schema(schema::SchemaArgs),
    /// What is wrong with a document, and what is unwise in it, each with its place
    Check(check::CheckArgs),
}

pub(super) fn policy(context: &Context, command: &PolicyCommand) -> anyhow::Result<Exit> {
    match command {
        PolicyCommand::Backtest(arguments) => backtest::backtest(context, arguments),
        PolicyCommand::Show(arguments) => show::show(context, arguments),
        PolicyCommand::Init(arguments) => init::init(context, arguments),
        PolicyCommand::Test(arguments) => test::test(context, arguments),
        PolicyCommand::Diff(arguments) => diff::diff(context, arguments),
        PolicyCommand::Schema(_) => schema::schema(context),
        PolicyCommand::Check(arguments) => check::check(context, arguments),
    }
}
