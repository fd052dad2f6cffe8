//! `promote check`: may a version of a dataset be promoted?

use std::collections::BTreeMap;

use clap::{Args, Subcommand};

use super::given::Given;
use super::policy::gate;
use super::{Context, Exit, Format, clock, parse_time, secrets, tamper};
use crate::authorization::in_force;
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::fs::read::read_own;
use crate::fs::{Workspace, copy};
use crate::ids::{Digest, ReasonCode};
use crate::labels;
use crate::labels::promotion::{self, Facts, Found, Manifest, Outcome};
use crate::safeguard::kill_switch;
use crate::time::Timestamp;

const EXAMPLES: &str = "\
Examples:
  policy-orchestrator promote check --input manifest.json
  policy-orchestrator promote check --explain < manifest.json
  policy-orchestrator promote check --input manifest.json --format json | jq '.gates[] | select(.passed | not)'

A manifest names the version, its label, license and rights, how sensitivity is handled, catalogs, receipts
and files with their SHA-256, all of them paths in the workspace; docs/labels.md shows one. The fixtures of
the workspace are run, and the level in force has to be known and below RED.

Exit codes:
  0  every gate is passed
  1  the manifest can't be used
  3  the kill switch is on
  4  a gate is closed, or the level does not permit it
  5  the policies can't be used, or were changed and nobody accepted that";

/// A larger manifest, or a larger catalog or receipt, is none.
const LIMIT: u64 = 16 * 1024 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum PromoteCommand {
    /// Judge the seven gates of the promotion contract
    Check(CheckArgs),
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CheckArgs {
    /// The manifest of the version
    #[arg(long, value_name = "FILE", default_value = "-")]
    input: String,

    /// Say of every gate what it asks
    #[arg(long)]
    explain: bool,

    /// The time that counts [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
}

pub(super) fn promote(context: &Context, command: &PromoteCommand) -> anyhow::Result<Exit> {
    let PromoteCommand::Check(arguments) = command;
    let given = Given {
        path: &arguments.input,
        what: "manifest",
        expected: "the manifest of a version, a JSON object",
        limit: LIMIT,
    };
    let manifest = match Manifest::parse(&given.read()?) {
        Ok(manifest) => manifest,
        Err(why) => {
            let place = Place::file(&arguments.input);
            let finding = Diagnostic::new(Code::JsonSyntax, place, "the manifest can't be used")
                .found(why)
                .expected("a JSON object with the members that docs/labels.md names")
                .help("correct the manifest");
            context.output.findings([&finding]);
            return Ok(Exit::Failed);
        }
    };
    let workspace = context.workspace()?;
    if let Some(closed) = kill_switch::closed(&workspace) {
        return Err(anyhow::Error::new(closed));
    }
    let looked = tamper::look(&workspace)?;
    if looked.is_tampered() {
        context.output.findings(&looked.findings());
        return Ok(Exit::Tampering);
    }
    let labels = match labels::load(&workspace) {
        Ok(labels) => labels,
        Err(problems) => {
            context.output.findings(&problems);
            return Ok(Exit::Tampering);
        }
    };
    let at = clock(arguments.at).read();
    let key = secrets::signing_key()?;
    let facts = Facts {
        files: files(&workspace, &manifest),
        tests: gate::tests(&workspace, &labels),
        at,
        level: in_force(&workspace, key.as_ref(), at).level(),
    };
    let outcome = promotion::check(&labels, &manifest, &facts);
    match context.format() {
        Format::Json => context.output.json(&outcome)?,
        Format::Human => context.output.result(&human(&outcome, arguments.explain))?,
    }
    Ok(if outcome.decision == "allow" {
        Exit::Done
    } else {
        Exit::Denied
    })
}

/// The files that the manifest names, as far as they are there and can be read.
fn files(workspace: &Workspace, manifest: &Manifest) -> BTreeMap<String, Found> {
    let mut files = BTreeMap::new();
    for path in manifest.paths() {
        let Ok(Some(fingerprint)) = copy::fingerprint(workspace, path) else {
            continue;
        };
        let bytes = read_own(workspace, path, LIMIT).ok().flatten();
        // The JSON has to be of the bytes whose digest counts.
        let bytes = bytes.filter(|bytes| Digest::of(bytes) == fingerprint.sha256);
        let json = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let json = json.filter(serde_json::Value::is_object);
        let sha256 = fingerprint.sha256;
        files.insert(path.to_owned(), Found { sha256, json });
    }
    files
}

fn human(outcome: &Outcome, explain: bool) -> String {
    let mut text = String::new();
    for gate in &outcome.gates {
        let word = if gate.passed { "passed" } else { "CLOSED" };
        text.push_str(&format!("{word}  {} {}\n", gate.number, gate.gate));
        if explain {
            text.push_str(&format!("          {}\n", gate.asks));
        }
        for failure in &gate.failures {
            text.push_str(&format!("          {}: {}\n", failure.code, failure.why));
            text.push_str(&format!("            {}\n", failure.hint));
        }
    }
    let level = outcome
        .level
        .as_ref()
        .map_or("not known", |level| level.name());
    text.push_str(&format!("level     {level}\n\n"));
    if outcome.decision == "allow" {
        text.push_str("it may be promoted\n");
    } else {
        let codes: Vec<&str> = outcome
            .reason_codes
            .iter()
            .map(ReasonCode::as_str)
            .collect();
        text.push_str(&format!("not to be promoted: {}\n", codes.join(", ")));
    }
    text
}
