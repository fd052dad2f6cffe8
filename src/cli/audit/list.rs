//! `audit list` and `audit export`.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value};

use crate::authorization::tenant::{MISSING, Tenant};
use crate::authorization::{self, Unusable};
use crate::cli::output::row;
use crate::cli::{Context, Exit, Format, FormatChoice, clock, parse_time, personal, tenant};
use crate::diagnostic::Checked;
use crate::fs::Workspace;
use crate::fs::named::{NamedOutput, Readers};
use crate::policy::duration;
use crate::privacy::{HashKey, Redaction};
use crate::record::audit::Severity;
use crate::record::entries::{self, Entry, Filter};
use crate::time::Timestamp;

const LIST_HELP: &str = "\
All journals as one log, the newest entry first. Every entry has the keys time, user, action,
data_sha256, task_id, event_type, severity and details; JSON is one object on each line.

Examples:
  policy-orchestrator audit list --limit 20
  policy-orchestrator audit list --type TASK_FAILURE --since 30d
  policy-orchestrator audit list --severity HIGH --format json | jq -r '[.time, .event_type] | @tsv'";

const EXPORT_HELP: &str = "\
The same entries as `audit list`, the newest first, written to a file that is not there yet. Personal
data is taken out; with POLICY_TENANT_KEY (or _FILE, _VAULT) a keyed hash stands beside each field.
With --include-pii it stays: for users with the scope `pii:read` in policy/approvers.yaml, and once for
each approval of this very export, which the first refusal names. Both answers are recorded.
With a tenant's token only that tenant's entries are written; where policy/requests.yaml says that a
tenant is required, nothing is without one.

Examples:
  policy-orchestrator audit export --out audit.jsonl
  policy-orchestrator audit export --out audit.csv --format csv --since 2026-01-01T00:00:00Z
  policy-orchestrator audit export --out audit.jsonl --include-pii --task T-1

Exit codes: 0 written; 1 failed; 4 personal data is refused, or the tenant is missing; 5 protected files\nwere changed, or policy/requests.yaml can't be used";

/// Which entries.
#[derive(Debug, Args)]
struct Which {
    /// Only this type: POLICY_CHECK, TASK_FAILURE, KILL_SWITCH_ON, ...
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,

    /// Only what is at least as grave: LOW, MEDIUM, HIGH or CRITICAL
    #[arg(long, value_name = "SEVERITY")]
    severity: Option<Severity>,

    /// Only entries from this time on, or of this last while: 30d, 12h
    #[arg(long, value_name = "TIME|DURATION", value_parser = parse_since)]
    since: Option<Since>,

    /// Only entries before this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<Timestamp>,

    /// Only what this user did
    #[arg(long, value_name = "USER")]
    user: Option<String>,

    /// Only what belongs to this task: a response, a version, an operation
    #[arg(long, value_name = "ID")]
    task: Option<String>,

    /// At most so many entries
    #[arg(long, value_name = "N")]
    limit: Option<u64>,

    /// The time that a duration is counted back from
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
}

#[derive(Debug, Args)]
#[command(after_help = LIST_HELP)]
pub(in crate::cli) struct ListArgs {
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Args)]
#[command(after_help = EXPORT_HELP)]
pub(in crate::cli) struct ExportArgs {
    /// The file to write; it must not be there yet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// Keep personal data; needs the scope `pii:read` and a second person's approval of this export
    #[arg(long)]
    include_pii: bool,

    /// A file with the token of the tenant whose entries are wanted [default: POLICY_TENANT_TOKEN]
    #[arg(long, value_name = "FILE")]
    tenant_token: Option<String>,

    #[command(flatten)]
    which: Which,
}

impl ExportArgs {
    /// True where personal data was asked for.
    pub(in crate::cli) fn includes_personal_data(&self) -> bool {
        self.include_pii
    }
}

#[derive(Debug, Clone, Copy)]
enum Since {
    Time(Timestamp),
    While(chrono::TimeDelta),
}

fn parse_since(text: &str) -> Result<Since, String> {
    match duration::parse(text) {
        Some(span) => Ok(Since::While(span)),
        None => parse_time(text)
            .map(Since::Time)
            .map_err(|why| format!("{why}, or a duration, 30d say")),
    }
}

/// What is exported, in the words of a record.
const TABLE: &str = "audit_log";

impl Which {
    /// Which entries of it, in which form: what an approval is bound to. A while back is told as it
    /// was given, so an approval stays one for the same command.
    fn described(&self, is_table: bool) -> Value {
        let since = self.since.map(|since| match since {
            Since::Time(time) => time.to_string(),
            Since::While(span) => format!("the last {} s", span.num_seconds()),
        });
        serde_json::json!({
            "type": self.event_type,
            "severity": self.severity.map(Severity::as_str),
            "since": since,
            "until": self.until.map(|time| time.to_string()),
            "user": self.user,
            "task": self.task,
            "limit": self.limit,
            "at": self.at.map(|time| time.to_string()),
            "form": if is_table { "csv" } else { "jsonl" },
        })
    }

    fn filter(&self) -> Filter {
        let since = self.since.map(|since| match since {
            Since::Time(time) => time,
            Since::While(span) => clock(self.at).read().minus(span),
        });
        Filter {
            event_type: self.event_type.clone(),
            severity: self.severity,
            since,
            until: self.until,
            user: self.user.clone(),
            task: self.task.clone(),
        }
    }

    /// Hands out the entries that are wanted.
    fn each(
        &self,
        context: &Context,
        redaction: Redaction<'_>,
        tenant: Option<&Tenant>,
        each: &mut dyn FnMut(&Entry) -> Checked<bool>,
    ) -> Checked<()> {
        let mut left = self.limit.unwrap_or(u64::MAX);
        if left == 0 {
            return Ok(());
        }
        let workspace = context.workspace()?;
        entries::newest_first(&workspace, &self.filter(), &mut |entry| {
            let named = entry.details.get("tenant").and_then(Value::as_str);
            if tenant.is_some_and(|tenant| !tenant.may_see(named)) {
                return Ok(true);
            }
            left -= 1;
            Ok(each(&shown(entry, redaction))? && left > 0)
        })
    }
}

/// What is taken out: personal data unless `included`, with hashes beside it where there is a key;
/// secrets in any case.
fn redaction(included: bool, key: Option<&HashKey>) -> Redaction<'_> {
    let redaction = Redaction::new().including_personal_data(included);
    match key {
        Some(key) => redaction.hashed(key),
        None => redaction,
    }
}

/// The entry as it may leave the workspace. The one place that all entries pass on their way out:
/// whatever is to be taken out of them is taken out here.
fn shown(entry: &Entry, redaction: Redaction<'_>) -> Entry {
    let details = match redaction.value(&Value::Object(entry.details.clone())) {
        Value::Object(details) => details,
        _ => Map::new(),
    };
    let text = |text: &String| redaction.text(text).into_owned();
    Entry {
        user: text(&entry.user),
        task_id: entry.task_id.as_ref().map(text),
        details,
        ..entry.clone()
    }
}

pub(super) fn list(context: &Context, arguments: &ListArgs) -> anyhow::Result<Exit> {
    let format = context.format();
    let paint = context.output.paint();
    let mut failed = None;
    let key = personal::hash_key()?;
    let redaction = redaction(false, key.as_ref());
    arguments
        .which
        .each(context, redaction, None, &mut |entry| {
            let written = match format {
                Format::Json => context.output.json_line(entry),
                Format::Human => context
                    .output
                    .line(&human(entry, paint.bold(&entry.event_type))),
            };
            Ok(written.unwrap_or_else(|error| {
                failed = Some(error);
                false
            }))
        })?;
    failed.map_or(Ok(Exit::Done), Err)
}

fn human(entry: &Entry, event_type: impl std::fmt::Display) -> String {
    let detail = |name: &str| {
        entry
            .details
            .get(name)
            .map_or_else(String::new, ToString::to_string)
    };
    let task = entry.task_id.as_deref().unwrap_or("-");
    format!(
        "{}  {:8}  {event_type}  {} by {}  task {task}  {} number {}\n",
        entry.time.human(),
        entry.severity,
        entry.action,
        entry.user,
        detail("journal").trim_matches('"'),
        detail("number"),
    )
}

/// The columns of a table, in the order of the keys.
const COLUMNS: [&str; 8] = [
    "time",
    "user",
    "action",
    "data_sha256",
    "task_id",
    "event_type",
    "severity",
    "details",
];

pub(super) fn export(context: &Context, arguments: &ExportArgs) -> anyhow::Result<Exit> {
    let is_table = context.global.format == Some(FormatChoice::Csv);
    let key = personal::hash_key()?;
    let workspace = context.workspace()?;
    let tenant = match whose(context, &workspace, arguments)? {
        Ok(tenant) => tenant,
        Err(exit) => return Ok(exit),
    };
    let mut out = NamedOutput::create(&arguments.out, Readers::Owner)?;
    if arguments.include_pii {
        personal::may_leave(
            context,
            &workspace,
            TABLE,
            &arguments.which.described(is_table),
        )?;
    }
    let redaction = redaction(arguments.include_pii, key.as_ref());
    let mut count = 0_u64;
    if is_table {
        out.write(&row(&COLUMNS.map(str::to_owned))?)?;
    }
    let which = &arguments.which;
    which.each(context, redaction, tenant.as_ref(), &mut |entry| {
        count += 1;
        let line = if is_table {
            row(&cells(entry))?
        } else {
            let mut line = serde_json::to_vec(entry).unwrap_or_default();
            line.push(b'\n');
            line
        };
        out.write(&line)?;
        Ok(true)
    })?;
    out.finish()?;
    let told = format!("{count} entries in {}\n", arguments.out.display());
    match context.global.format {
        Some(FormatChoice::Jsonl | FormatChoice::Csv) | None => {
            context.output.note(told.trim_end());
        }
        Some(FormatChoice::Human) => context.output.result(&told)?,
        Some(_) => context.output.json(&serde_json::json!({
            "schema": 1,
            "file": arguments.out.display().to_string(),
            "entries": count,
        }))?,
    }
    Ok(Exit::Done)
}

/// The tenant whose entries are wanted; `None` for all. `Err` says how the command ends instead.
fn whose(
    context: &Context,
    workspace: &Workspace,
    arguments: &ExportArgs,
) -> Checked<Result<Option<Tenant>, Exit>> {
    let required = match authorization::needs_tenant(workspace) {
        Ok(required) => required,
        Err(Unusable(problems)) => {
            context.output.findings(&problems);
            let text = "nothing was exported: nobody knows whether a tenant is required";
            context.output.note(text);
            return Ok(Err(Exit::Tampering));
        }
    };
    let at = clock(None).read();
    let given = tenant::given(context, arguments.tenant_token.as_deref(), at)?;
    Ok(match given {
        Ok(None) if required => {
            context.output.note(MISSING);
            Err(Exit::Denied)
        }
        Ok(tenant) => Ok(tenant),
        Err(refused) => {
            context.output.note(&refused.message);
            Err(Exit::Denied)
        }
    })
}

fn cells(entry: &Entry) -> [String; 8] {
    [
        entry.time.to_string(),
        entry.user.clone(),
        entry.action.clone(),
        entry.data_sha256.to_string(),
        entry.task_id.clone().unwrap_or_default(),
        entry.event_type.clone(),
        entry.severity.to_string(),
        Value::Object(entry.details.clone()).to_string(),
    ]
}
