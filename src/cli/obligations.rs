//! `obligations`: keep what an answer obliges to with a record, or list what there is.

use std::io::Read as _;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::given::Given;
use super::{Context, Exit, Format};
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::labels::obligations::{self as kept, Around, Unmet};
use crate::labels::{self, vocabulary::ObligationType};
use crate::request::Obligation;

const APPLY: &str = "\
Examples:
  policy-orchestrator decide --input request.json > answer.json
  policy-orchestrator obligations apply --envelope answer.json < record.json > safe.json
  policy-orchestrator obligations apply --envelope answer.json --check < safe.json
  policy-orchestrator obligations apply --envelope answer.json --license CC-BY-4.0 --attribution 'Example Survey' < record.json

Takes fields out (redact_fields), makes coordinates coarse (force_generalization), adds notice, license,
attribution and receipts. What only you can do (an audit entry, a rate limit) is named on standard error.

Exit codes:
  0  every obligation is kept
  1  the answer or the record can't be read
  4  one can't be kept, or the answer denies: nothing is written to standard output";

const LIST: &str = "\
Examples:
  policy-orchestrator obligations list
  policy-orchestrator obligations list --format json | jq -r '.obligations[].type'";

/// A larger answer or record is none.
const LIMIT: u64 = 16 * 1024 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum ObligationsCommand {
    /// Keep the obligations of an answer with a record on standard input
    Apply(ApplyArgs),
    /// The obligations of the vocabulary, in their order
    List(ListArgs),
}

#[derive(Debug, Args)]
#[command(after_help = APPLY)]
pub(super) struct ApplyArgs {
    /// The answer of `decide`
    #[arg(long, value_name = "FILE")]
    envelope: String,

    /// Change nothing; say which obligations the record does not keep
    #[arg(long)]
    check: bool,

    /// The record is only shown, and no copy leaves
    #[arg(long)]
    shown: bool,

    /// The license, where the record does not name it
    #[arg(long, value_name = "SPDX-ID")]
    license: Option<String>,

    /// Whom to credit, where the record does not say it
    #[arg(long, value_name = "TEXT")]
    attribution: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = LIST)]
pub(super) struct ListArgs {}

/// What of an answer counts here.
#[derive(Deserialize)]
struct Answer {
    decision: String,
    obligations: Vec<Value>,
}

/// The JSON shape of `obligations apply --check`.
#[derive(Serialize)]
struct Checked<'a> {
    schema: u32,
    kept: bool,
    unmet: &'a [Unmet],
    left: &'a [&'a str],
}

/// The JSON shape of `obligations list`.
#[derive(Serialize)]
struct Listed<'a> {
    schema: u32,
    obligations: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    meaning: &'a str,
    parameters: Vec<&'a str>,
}

pub(super) fn obligations(context: &Context, command: &ObligationsCommand) -> anyhow::Result<Exit> {
    match command {
        ObligationsCommand::Apply(arguments) => apply(context, arguments),
        ObligationsCommand::List(ListArgs {}) => list(context),
    }
}

fn apply(context: &Context, arguments: &ApplyArgs) -> anyhow::Result<Exit> {
    let given = Given {
        path: &arguments.envelope,
        what: "answer",
        expected: "an answer of `decide`, as JSON",
        limit: LIMIT,
    };
    let bytes = given.read()?;
    let Some((answer, obligations)) = read(&bytes) else {
        let finding = no_json(&arguments.envelope, "the answer is none of `decide`");
        context.output.findings([&finding]);
        return Ok(Exit::Failed);
    };
    if answer.decision != "allow" {
        context
            .output
            .note("the answer denies, so there is nothing to hand over");
        return Ok(Exit::Denied);
    }
    let Some(record) = record()? else {
        let finding = no_json(
            "(standard input)",
            "the record is no JSON of at most 16 MiB",
        );
        context.output.findings([&finding]);
        return Ok(Exit::Failed);
    };
    let left = kept::left(&obligations);
    if arguments.check {
        let unmet = kept::unmet(&obligations, &record, arguments.shown);
        return checked(context, &unmet, &left);
    }
    let around = Around {
        license: arguments.license.as_deref(),
        attribution: arguments.attribution.as_deref(),
        shown: arguments.shown,
    };
    match kept::apply(&obligations, record, around) {
        Ok(record) => {
            context.output.json(&record)?;
            if !left.is_empty() {
                context
                    .output
                    .note(&format!("left to you: {}", left.join(", ")));
            }
            Ok(Exit::Done)
        }
        Err(unmet) => {
            for one in &unmet {
                context
                    .output
                    .note(&format!("not kept: {}: {}", one.kind, one.why));
            }
            Ok(Exit::Denied)
        }
    }
}

/// The record that is given on standard input; `None` where it is no JSON, or too large.
fn record() -> std::io::Result<Option<Value>> {
    let mut record = Vec::new();
    std::io::stdin()
        .lock()
        .take(LIMIT + 1)
        .read_to_end(&mut record)?;
    let is_whole = record.len() as u64 <= LIMIT;
    let record = serde_json::from_slice::<Value>(&record).ok();
    Ok(record.filter(|_| is_whole))
}

fn read(bytes: &[u8]) -> Option<(Answer, Vec<Obligation>)> {
    let answer: Answer = serde_json::from_slice(bytes).ok()?;
    let obligations = kept::of_answer(&answer.obligations)?;
    Some((answer, obligations))
}

fn no_json(file: &str, message: &str) -> Diagnostic {
    Diagnostic::new(Code::JsonSyntax, Place::file(file), message)
        .found("other bytes")
        .expected("one JSON object")
        .help("hand over what `decide` wrote, and one record as JSON")
}

fn checked(context: &Context, unmet: &[Unmet], left: &[&str]) -> anyhow::Result<Exit> {
    match context.format() {
        Format::Json => context.output.json(&Checked {
            schema: 1,
            kept: unmet.is_empty(),
            unmet,
            left,
        })?,
        Format::Human => {
            let mut text = String::new();
            for one in unmet {
                text.push_str(&format!("not kept  {}: {}\n", one.kind, one.why));
            }
            for kind in left {
                text.push_str(&format!("yours     {kind}\n"));
            }
            if unmet.is_empty() {
                text.push_str("every obligation that a record can keep is kept\n");
            }
            context.output.result(&text)?;
        }
    }
    Ok(if unmet.is_empty() {
        Exit::Done
    } else {
        Exit::Denied
    })
}

fn list(context: &Context) -> anyhow::Result<Exit> {
    let labels = match labels::load(&context.workspace()?) {
        Ok(labels) => labels,
        Err(problems) => {
            context.output.findings(&problems);
            return Ok(Exit::Failed);
        }
    };
    let types = labels.obligation_types();
    match context.format() {
        Format::Json => context.output.json(&Listed {
            schema: 1,
            obligations: types.iter().map(row).collect(),
        })?,
        Format::Human => {
            let line = |one: &ObligationType| format!("{:<22} {}\n", one.kind, one.meaning);
            let text: String = types.iter().map(line).collect();
            context.output.result(&text)?;
        }
    }
    Ok(Exit::Done)
}

fn row(one: &ObligationType) -> Row<'_> {
    let written = one.parameters.iter().map(|(name, _)| name.as_str());
    let supplied = one.from.iter().map(|(name, _)| name.as_str());
    Row {
        kind: &one.kind,
        meaning: &one.meaning,
        parameters: written.chain(supplied).collect(),
    }
}
