//! `compliance`: what evidence there is, and may data be used.

mod ask;
mod report;

pub(super) use report::{When, look};

use clap::Subcommand;

use super::{Context, Exit};

#[derive(Debug, Subcommand)]
pub(super) enum ComplianceCommand {
    /// Which evidence a period has of the controls that documents ask for, and what broke the rules
    Report(report::ReportArgs),
    /// May data of somebody be used for a purpose? Answers, and records the answer
    Ask(ask::AskArgs),
}

impl ComplianceCommand {
    /// True for the one that can be written as Markdown.
    pub(super) fn reports(&self) -> bool {
        matches!(self, Self::Report(_))
    }

    /// True for the one that answers by the documents, and records it.
    pub(super) fn asks(&self) -> bool {
        matches!(self, Self::Ask(_))
    }
}

pub(super) fn compliance(context: &Context, command: &ComplianceCommand) -> anyhow::Result<Exit> {
    match command {
        ComplianceCommand::Report(arguments) => report::report(context, arguments),
        ComplianceCommand::Ask(arguments) => ask::ask(context, arguments),
    }
}
