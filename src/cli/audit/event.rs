//! `audit record`.

use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value};

use crate::cli::actor::actor;
use crate::cli::output::all_variables;
use crate::cli::recording::with_records;
use crate::cli::run::parse_timeout;
use crate::cli::{Context, Exit, Format, clock, parse_time};
use crate::ids::{Digest, EventType};
use crate::privacy::Secrets;
use crate::record::AUDIT_LOG;
use crate::record::audit::{self, Event, Severity};
use crate::time::Timestamp;

const HELP: &str = "\
The event becomes one line of state/audit.log. Its type begins with CUSTOM_, or is one of
POLICY_CHECK, TASK_EXECUTION, TASK_SUCCESS and TASK_FAILURE: all others mean that this program itself
did something. Known secrets are taken out of the details; put none there all the same.

Example:
  policy-orchestrator audit record --type CUSTOM_POLICY_CHECK --severity MEDIUM \\
    --details '{\"check\": \"licence review\", \"result\": \"passed\"}' --task 4711

Exit codes: 0 recorded, 1 a secret or a write, 5 the journal is broken";

/// Types that other programs share with this one.
const SHARED: [&str; 4] = [
    "POLICY_CHECK",
    "TASK_EXECUTION",
    "TASK_SUCCESS",
    "TASK_FAILURE",
];

/// What the types of others begin with.
const CUSTOM: &str = "CUSTOM_";

/// The longest details, in bytes.
const DETAILS_LIMIT: usize = 64 * 1024;

/// The longest id of a task, in characters.
const TASK_LENGTH: usize = 200;

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(in crate::cli) struct RecordArgs {
    /// What kind of event it is
    #[arg(long = "type", value_name = "TYPE", value_parser = parse_type)]
    event_type: EventType,

    /// How grave it is: LOW, MEDIUM, HIGH or CRITICAL
    #[arg(long, value_name = "SEVERITY")]
    severity: Severity,

    /// What belongs to it: a JSON object
    #[arg(long, value_name = "JSON", default_value = "{}", value_parser = parse_details)]
    details: Map<String, Value>,

    /// The task that it belongs to
    #[arg(long, value_name = "ID", value_parser = parse_task)]
    task: Option<String>,

    /// Date the line with this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,

    /// How long to wait for another command, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_timeout)]
    lock_timeout: Duration,
}

fn parse_type(text: &str) -> Result<EventType, String> {
    let allowed = SHARED.contains(&text) || text.len() > CUSTOM.len() && text.starts_with(CUSTOM);
    EventType::parse(text).filter(|_| allowed).ok_or_else(|| {
        format!(
            "expected CUSTOM_ and capital letters, digits and `_`, or one of {}",
            SHARED.join(", ")
        )
    })
}

fn parse_details(text: &str) -> Result<Map<String, Value>, String> {
    if text.len() > DETAILS_LIMIT {
        return Err(format!("expected at most {DETAILS_LIMIT} bytes"));
    }
    let secrets = Secrets::from_environment(all_variables(), None);
    match serde_json::from_str(text) {
        Ok(Value::Object(details)) => Ok(details
            .into_iter()
            .map(|(name, value)| (name, redacted(&secrets, value)))
            .collect()),
        Ok(_) => Err("expected a JSON object".to_owned()),
        Err(error) => Err(format!("expected a JSON object: {error}")),
    }
}

/// A value without the secrets that are known here.
fn redacted(secrets: &Secrets, value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(secrets.redact(&text)),
        Value::Array(items) => items
            .into_iter()
            .map(|item| redacted(secrets, item))
            .collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, member)| (name, redacted(secrets, member)))
            .collect(),
        plain => plain,
    }
}

fn parse_task(text: &str) -> Result<String, String> {
    let length = text.chars().count();
    if length == 0 || length > TASK_LENGTH || text.chars().any(char::is_control) {
        return Err(format!(
            "expected one line of at most {TASK_LENGTH} characters"
        ));
    }
    Ok(text.to_owned())
}

/// The JSON shape.
#[derive(serde::Serialize)]
struct Recorded<'a> {
    schema: u32,
    journal: &'static str,
    event_type: &'a EventType,
    seq: u64,
    sha256: Digest,
}

pub(super) fn record(context: &Context, arguments: &RecordArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let data = Digest::of(&serde_json::to_vec(&arguments.details)?);
    let holding = ("audit record", arguments.lock_timeout);
    let head = with_records(&workspace, holding, |records| {
        let event = Event {
            at: clock(arguments.at).read(),
            user: &actor(),
            action: "record",
            event_type: &arguments.event_type,
            severity: arguments.severity,
            task_id: arguments.task.as_deref(),
            data,
            details: &arguments.details,
            given_clock: arguments.at.is_some(),
        };
        audit::append(records, &event)
    })?;
    let recorded = Recorded {
        schema: 1,
        journal: AUDIT_LOG,
        event_type: &arguments.event_type,
        seq: head.seq,
        sha256: head.sha256,
    };
    match context.format() {
        Format::Json => context.output.json(&recorded)?,
        Format::Human => context
            .output
            .result(&format!("recorded as number {} of {AUDIT_LOG}\n", head.seq))?,
    }
    Ok(Exit::Done)
}
