//! `audit rotate-key`.

use clap::Args;
use serde::Serialize;

use crate::cli::actor::actor;
use crate::cli::recording::with_records;
use crate::cli::run::parse_timeout;
use crate::cli::{Context, Exit, Format, clock, is_tampering, parse_reason, parse_time};
use crate::ids::Digest;
use crate::protection::change::{self, Ground, Refused};
use crate::protection::rules::MANIFEST;
use crate::record::rotation::{self, Request, Rotation};
use crate::time::Timestamp;
use std::time::Duration;

const HELP: &str = "\
The new secret is in POLICY_AUDIT_SECRET (or the file POLICY_AUDIT_SECRET_FILE), the one that signed
so far in POLICY_AUDIT_OLD_SECRET (or POLICY_AUDIT_OLD_SECRET_FILE; one on each line where there are
several). Keep the old ones: with them, `audit verify` checks what they signed too.

Every journal is verified first; policy/manifest.json is signed anew last, which is recorded too. A
rotation that was cut off is finished by the next one.

Example:
  policy-orchestrator audit rotate-key --reason 'yearly rotation, ticket 4711'

Exit codes: 0 done, or nothing to do, 1 a secret or a write, 5 a journal is not whole,
or protected files were changed: then the journals are handed over, and the manifest is not signed";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(in crate::cli) struct RotateKeyArgs {
    /// Why; it is recorded in every journal
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    reason: String,

    /// Date the new lines with this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,

    /// How long to wait for another command, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_timeout)]
    lock_timeout: Duration,
}

pub(super) fn rotate_key(context: &Context, arguments: &RotateKeyArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let holding = ("audit rotate-key", arguments.lock_timeout);
    let (rotation, manifest) = with_records(&workspace, holding, |records| {
        let request = Request {
            at: clock(arguments.at).read(),
            given_clock: arguments.at.is_some(),
            user: &actor(),
            reason: &arguments.reason,
        };
        let rotation = rotation::rotate_key(records, request)?;
        // Behind the journals: until then the old keys at hand speak for it, as after a kill.
        let manifest = change::sign_anew(
            Ground {
                records,
                at: request.at,
                given_clock: request.given_clock,
                user: request.user,
            },
            request.reason,
        );
        Ok((rotation, manifest))
    })?;
    let (manifest, refused) = match manifest {
        Ok(signed) => (signed.filter(|signed| signed.head.is_some()), Vec::new()),
        Err(Refused(findings)) => (None, findings),
    };
    let shown = Shown {
        rotation: &rotation,
        manifest: manifest.as_ref().map(|signed| signed.manifest),
    };
    match context.format() {
        Format::Json => context.output.json(&shown)?,
        Format::Human => context.output.result(&human(&shown))?,
    }
    context.output.findings(&refused);
    Ok(match refused.as_slice() {
        [] => Exit::Done,
        refused if refused.iter().any(is_tampering) => Exit::Tampering,
        _ => Exit::Failed,
    })
}

/// The JSON shape of a rotation.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    rotation: &'a Rotation,
    /// The manifest of the policy lock, where it was signed anew.
    manifest: Option<Digest>,
}

fn human(Shown { rotation, manifest }: &Shown<'_>) -> String {
    let mut text = format!("key          {} signs from now on\n", rotation.key);
    for journal in &rotation.handed_over {
        text.push_str(&format!(
            "handed over  {} with number {}, from the key {}\n",
            journal.file, journal.head.seq, journal.from
        ));
    }
    for file in &rotation.already {
        text.push_str(&format!("already      {file}\n"));
    }
    for file in &rotation.unsigned {
        text.push_str(&format!("unsigned     {file}: its next line is signed\n"));
    }
    if rotation.handed_over.is_empty() {
        text.push_str("nothing was left to hand over\n");
    }
    if let Some(manifest) = manifest {
        text.push_str(&format!("signed anew  {MANIFEST}, {}\n", manifest.short()));
    }
    text
}
