//! `policy`: documents that decide, or are to decide. One file for each of its commands.

mod approve;
mod backtest;
mod check;
mod convert;
mod diff;
mod draft;
mod fixture_tests;
pub(super) mod gate;
mod impact;
mod init;
pub(super) mod lock;
mod named;
mod promote;
mod rego_tests;
mod rollback;
mod schema;
mod show;
mod status;
mod step;
mod test;
mod validate;

use clap::Subcommand;

use super::{Context, Exit};

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// The policy in force as a document to own, with its first cases; overwrites nothing
    Init(init::InitArgs),
    /// What is wrong with documents, and what is unwise in them, each with its place
    Check(check::CheckArgs),
    /// Ask the policy the cases that it has to answer
    Test(test::TestArgs),
    /// Are the fixtures of policies for requests answered as they ask, and is nothing untested?
    Gate(gate::GateArgs),
    /// What differs between two policies in meaning, not in text
    Diff(diff::DiffArgs),
    /// What would this document have decided on every recorded decision?
    Backtest(backtest::BacktestArgs),
    /// Which requests would other security policies answer otherwise?
    Impact(impact::ImpactArgs),
    /// What a document is, what it says, and what of it is enforced here
    Show(show::ShowArgs),
    /// The JSON Schema of a policy document, for editors
    Schema(schema::SchemaArgs),
    /// Take a document in as a version that is to decide some day
    Draft(draft::DraftArgs),
    /// Record an approval of a draft
    Approve(approve::ApproveArgs),
    /// Make the four checks of an approved draft, and record what they came to
    Validate(validate::ValidateArgs),
    /// Let a version decide in the shadow (staging), or decide (production)
    Promote(promote::PromoteArgs),
    /// Let what decided before decide again, or take a staged version out
    Rollback(rollback::RollbackArgs),
    /// Hold protected files to their bytes: write the manifest, make them read-only
    Lock(lock::LockArgs),
    /// Are protected files as somebody accepted them?
    Verify(lock::VerifyArgs),
    /// Accept protected files as they stand, and record who did and why
    Accept(lock::AcceptArgs),
    /// Where each version stands, what it lacks, and what decides
    Status(status::StatusArgs),
}

pub(super) fn policy(context: &Context, command: &PolicyCommand) -> anyhow::Result<Exit> {
    match command {
        PolicyCommand::Backtest(arguments) => backtest::backtest(context, arguments),
        PolicyCommand::Impact(arguments) => impact::impact(context, arguments),
        PolicyCommand::Show(arguments) => show::show(context, arguments),
        PolicyCommand::Init(arguments) => init::init(context, arguments),
        PolicyCommand::Test(arguments) => test::test(context, arguments),
        PolicyCommand::Gate(arguments) => gate::gate(context, arguments),
        PolicyCommand::Diff(arguments) => diff::diff(context, arguments),
        PolicyCommand::Schema(_) => schema::schema(context),
        PolicyCommand::Check(arguments) => check::check(context, arguments),
        PolicyCommand::Draft(arguments) => draft::draft(context, arguments),
        PolicyCommand::Approve(arguments) => approve::approve(context, arguments),
        PolicyCommand::Validate(arguments) => validate::validate(context, arguments),
        PolicyCommand::Promote(arguments) => promote::promote(context, arguments),
        PolicyCommand::Rollback(arguments) => rollback::rollback(context, arguments),
        PolicyCommand::Lock(arguments) => lock::lock(context, arguments),
        PolicyCommand::Verify(arguments) => lock::verify(context, arguments),
        PolicyCommand::Accept(arguments) => lock::accept(context, arguments),
        PolicyCommand::Status(arguments) => status::status(context, arguments),
    }
}
