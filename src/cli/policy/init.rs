//! `policy init`: the policy in force as a document to own. Nothing that stands there is overwritten.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::schema;
use crate::cli::run::{lock_timeout, parse_timeout};
use crate::cli::{Context, Exit, Format};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::{RetryDelays, Workspace, WorkspaceLock, write};
use crate::policy::document::{self, FILES, Loaded, SMALL_FORM};
use crate::policy::{Thresholds, document::TEMPLATE};

const EXAMPLES: &str = "\
Examples:
  policy-orchestrator policy init
  policy-orchestrator policy init --convert

Writes policy/policy.yaml, which decides exactly as the policy in force does, the schema that editors
read, and the first cases that the policy has to answer. Where policy/policy_thresholds.json decides,
--convert takes its numbers over and removes it: with both there, nobody could say which one counts.";

/// Where the schema goes.
const SCHEMA_FILE: &str = "policy/schema/orchestration-policy.v1.schema.json";

/// Where the first cases go.
const CASES_FILE: &str = "policy/tests/reference.yaml";

const CASES: &str = include_str!("starter_cases.yaml");

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct InitArgs {
    /// Take the numbers of policy/policy_thresholds.json over and remove that file
    #[arg(long)]
    convert: bool,

    /// How long to wait for a run, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_timeout)]
    lock_timeout: Duration,
}

/// The JSON shape of what was done.
#[derive(Serialize)]
struct Done {
    schema: u32,
    written: Vec<&'static str>,
    kept: Vec<&'static str>,
    removed: Vec<&'static str>,
}

pub(in crate::cli) fn init(context: &Context, arguments: &InitArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let timeout = lock_timeout(arguments.lock_timeout);
    let _lock =
        WorkspaceLock::acquire(&workspace, "policy init", timeout, &RetryDelays::default())?;
    let loaded = document::load(&workspace);
    if !loaded.problems.is_empty() {
        context.output.findings(&loaded.problems);
        return Ok(Exit::Failed);
    }
    let done = begin(&workspace, &loaded, arguments.convert)?;
    match context.format() {
        Format::Json => context.output.json(&done)?,
        Format::Human => context.output.result(&human(&done))?,
    }
    Ok(Exit::Done)
}

fn begin(workspace: &Workspace, loaded: &Loaded, convert: bool) -> Checked<Done> {
    let mut done = Done {
        schema: 1,
        written: Vec::new(),
        kept: Vec::new(),
        removed: Vec::new(),
    };
    let is_small = loaded.file == Some(SMALL_FORM);
    if is_small && !convert {
        return Err(Box::new(in_the_way()));
    }
    let text = match loaded.file {
        Some(SMALL_FORM) => converted(loaded),
        _ => TEMPLATE.to_owned(),
    };
    write::make_directory(workspace, "policy/schema")?;
    write::make_directory(workspace, "policy/tests")?;
    let files = [
        (SCHEMA_FILE, schema::text()),
        (CASES_FILE, CASES),
        (FILES[0], text.as_str()),
    ];
    for (file, text) in files {
        // A document in another of its places decides already.
        let is_other = file == FILES[0] && !is_small && loaded.file.is_some();
        // The cases hold the numbers of the reference policy.
        if is_other || file == CASES_FILE && is_small {
            done.kept.extend(loaded.file.filter(|_| is_other));
            continue;
        }
        if write::create_new(workspace, file, text.as_bytes())? {
            done.written.push(file);
        } else {
            done.kept.push(file);
        }
    }
    if is_small {
        // Last: with both there the policy is refused, and nothing is lost.
        write::remove(workspace, SMALL_FORM)?;
        done.removed.push(SMALL_FORM);
    }
    Ok(done)
}

fn in_the_way() -> Diagnostic {
    Diagnostic::new(
        Code::PolicyAmbiguous,
        Place::file(SMALL_FORM),
        "this document decides, and beside a second one nobody could say which counts",
    )
    .found("a policy document of the small form")
    .expected("one policy document")
    .help("`policy-orchestrator policy init --convert` takes its numbers over and removes it")
}

/// The template with the numbers of a document of the small form.
fn converted(loaded: &Loaded) -> String {
    let identity = loaded.policy.identity();
    let Thresholds {
        red_integrity,
        red_consensus,
        red_responses,
        yellow_integrity,
        yellow_consensus,
        yellow_reputation,
        yellow_responses,
    } = *loaded.policy.thresholds();
    let percent =
        |percent: Option<crate::signals::Percent>| percent.map(|percent| percent.get().to_string());
    let count = |count: Option<u64>| count.map(|count| count.to_string());
    let lines = [
        ("INTEGRITY_BELOW_RED", "below", percent(red_integrity)),
        ("CONSENSUS_BELOW_RED", "below", percent(red_consensus)),
        ("RESPONSES_AT_RED", "at_least", count(red_responses)),
        ("INTEGRITY_BELOW_YELLOW", "below", percent(yellow_integrity)),
        ("CONSENSUS_BELOW_YELLOW", "below", percent(yellow_consensus)),
        (
            "REPUTATION_BELOW_YELLOW",
            "below",
            percent(yellow_reputation),
        ),
        ("RESPONSES_AT_YELLOW", "at_least", count(yellow_responses)),
    ];
    let mut text = TEMPLATE
        .replacen(
            "  name: reference\n",
            &format!("  name: {}\n", quoted(&identity.name)),
            1,
        )
        .replacen(
            "  version: \"1\"\n",
            &format!("  version: {}\n", quoted(&identity.version)),
            1,
        )
        .replacen(
            "The reference policy, as a document to start from",
            "Taken over from policy_thresholds.json",
            1,
        );
    for (code, key, line) in lines {
        let Some(line) = line else { continue };
        text = with_line(&text, code, key, &line);
    }
    text
}

/// The text with another number behind the first `key` that follows `code`.
fn with_line(text: &str, code: &str, key: &str, line: &str) -> String {
    let key = format!("      {key}: ");
    let place = text
        .find(&format!("code: {code}\n"))
        .and_then(|code| Some(code + text.get(code..)?.find(&key)? + key.len()));
    let Some((before, behind)) = place.and_then(|place| text.split_at_checked(place)) else {
        return text.to_owned();
    };
    let rest = behind.find('\n').and_then(|end| behind.get(end..));
    format!("{before}{line}{}", rest.unwrap_or_default())
}

/// Text as JSON writes it, which YAML reads alike.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

fn human(done: &Done) -> String {
    let mut text = String::new();
    let parts = [
        ("written", &done.written),
        ("kept   ", &done.kept),
        ("removed", &done.removed),
    ];
    for (what, files) in parts {
        for file in files {
            text.push_str(&format!("{what}  {file}\n"));
        }
    }
    text.push_str("\nnext: change policy/policy.yaml, then `policy-orchestrator policy check` and `policy-orchestrator policy test`\n");
    text
}
