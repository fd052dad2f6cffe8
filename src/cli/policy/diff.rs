//! `policy diff`: what differs between two policies in meaning.

use clap::Args;
use serde::Serialize;

use super::named::Named;
use crate::cli::{Context, Exit, Format};
use crate::policy::difference::{self, Difference, Direction};
use crate::policy::{Identity, Policy};

const EXAMPLES: &str = "\
Examples:
  policy-orchestrator policy diff policy/policy.yaml next.yaml
  policy-orchestrator policy diff reference                 the built-in policy against the one in force
  git show main:policy/policy.yaml | policy-orchestrator policy diff - policy/policy.yaml

Comments, order and descriptions mean nothing. Each difference is stricter (what was demanded still
is), looser, or open: then the values decide.

Exit codes:
  0   done, whatever differs
  1   a document can't be used
  10  with --exit-code: something differs
  20  with --exit-code: something is looser";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct DiffArgs {
    /// The document before: a file, - for standard input, or `reference`
    #[arg(value_name = "OLD")]
    old: String,

    /// The document after [default: the one in force]
    #[arg(value_name = "NEW")]
    new: Option<String>,

    /// Exit with 10 where something differs, with 20 where something is looser
    #[arg(long)]
    exit_code: bool,
}

/// The JSON shape of a comparison.
#[derive(Serialize)]
struct Compared<'a> {
    schema: u32,
    old: &'a Identity,
    new: &'a Identity,
    differences: &'a [Difference],
}

pub(in crate::cli) fn diff(context: &Context, arguments: &DiffArgs) -> anyhow::Result<Exit> {
    let old = Named::of(Some(&arguments.old)).policy(context)?;
    let new = Named::of(arguments.new.as_deref()).policy(context)?;
    let (Some(old), Some(new)) = (old, new) else {
        return Ok(Exit::Failed);
    };
    let differences = difference::between(&old, &new);
    match context.format() {
        Format::Json => context.output.json(&Compared {
            schema: 1,
            old: old.identity(),
            new: new.identity(),
            differences: &differences,
        })?,
        Format::Human => context.output.result(&human(&old, &new, &differences))?,
    }
    Ok(exit(&differences, arguments.exit_code))
}

fn exit(differences: &[Difference], exit_code: bool) -> Exit {
    let is_looser = |difference: &Difference| difference.direction == Direction::Looser;
    if !exit_code || differences.is_empty() {
        Exit::Done
    } else if differences.iter().any(is_looser) {
        Exit::Alert
    } else {
        Exit::Flips
    }
}

fn human(old: &Policy, new: &Policy, differences: &[Difference]) -> String {
    let name = |policy: &Policy| {
        let identity = policy.identity();
        format!(
            "{} version {} ({})",
            identity.name,
            identity.version,
            identity.sha256.short()
        )
    };
    let mut text = format!("{} -> {}\n", name(old), name(new));
    if differences.is_empty() {
        text.push_str("nothing differs in meaning\n");
    }
    for difference in differences {
        let Difference {
            what,
            from,
            to,
            direction,
        } = difference;
        text.push_str(&format!("\n{:<9}{what}\n", direction.as_str()));
        if let Some(from) = from {
            text.push_str(&format!("  - {from}\n"));
        }
        if let Some(to) = to {
            text.push_str(&format!("  + {to}\n"));
        }
    }
    text
}
