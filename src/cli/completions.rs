//! `completions` and `man`: made from the command line itself.

use anyhow::Context as _;
use clap::Args;
use clap_complete::Shell;

use super::{Context, Exit, command_line};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  policy-orchestrator completions bash > /etc/bash_completion.d/policy-orchestrator"
)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  policy-orchestrator man > policy-orchestrator.1\n  policy-orchestrator man audit verify | man -l -"
)]
pub(super) struct ManArgs {
    /// The command whose page to print; the program's own page without one
    command: Vec<String>,
}

pub(super) fn completions(context: &Context, arguments: &CompletionsArgs) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut command_line(),
        "policy-orchestrator",
        &mut script,
    );
    context.output.result_bytes(&script)?;
    Ok(Exit::Done)
}

pub(super) fn man(context: &Context, arguments: &ManArgs) -> anyhow::Result<Exit> {
    let mut command = command_line();
    command.build();
    for name in &arguments.command {
        let below = command.find_subcommand(name).cloned();
        command = below
            .with_context(|| format!("there is no command `{}`", arguments.command.join(" ")))?;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    context.output.result_bytes(&page)?;
    Ok(Exit::Done)
}
