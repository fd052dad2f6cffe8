//! `policy`: documents that decide, or are to decide. One file for each of its commands.

mod approve;
mod draft;
mod promote;
mod rollback;
mod status;
mod step;
mod validate;

use clap::Subcommand;

use super::{Context, Exit};

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
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
    /// Where each version stands, what it lacks, and what decides
    Status(status::StatusArgs),
}

pub(super) fn policy(context: &Context, command: &PolicyCommand) -> anyhow::Result<Exit> {
    match command {
        PolicyCommand::Draft(arguments) => draft::draft(context, arguments),
        PolicyCommand::Approve(arguments) => approve::approve(context, arguments),
        PolicyCommand::Validate(arguments) => validate::validate(context, arguments),
        PolicyCommand::Promote(arguments) => promote::promote(context, arguments),
        PolicyCommand::Rollback(arguments) => rollback::rollback(context, arguments),
        PolicyCommand::Status(arguments) => status::status(context, arguments),
    }
}
