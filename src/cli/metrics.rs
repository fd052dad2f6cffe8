//! `metrics`: how the whole stands, for a collector; and `run --metrics`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Deserialize;

use super::actor::actor;
use super::explain::{self, Explained};
use super::reports;
use super::{Context, Exit, FormatChoice, clock, parse_time, production, secrets, usage_error};
use crate::diagnostic::{Checked, Diagnostic};
use crate::fs::named::replace_named;
use crate::fs::read::read_own;
use crate::fs::{ApplyLock, LockTimeout, RetryDelays, Workspace, WorkspaceLock};
use crate::ids::SignalName;
use crate::metrics::counters::Counters;
use crate::metrics::facts;
use crate::metrics::families::{Decided, Standing, families};
use crate::metrics::health;
use crate::record::{SigningKey, state};
use crate::report::exposition::{self, Format};
use crate::response::facts::{Depth, Question, Survey, Wanted};
use crate::response::{facts as response_facts, gates};
use crate::safeguard::{brake, kill_switch};
use crate::signals::DEFAULT_LIMIT;
use crate::time::Timestamp;

const EXAMPLES: &str = "\
Examples:
  policy-orchestrator metrics
  policy-orchestrator metrics --textfile /var/lib/node_exporter/policy.prom
  policy-orchestrator metrics --format openmetrics
  policy-orchestrator run --metrics /var/lib/node_exporter/policy.prom

The last recorded decision, its signals with lines and margins, gates, safeguards, operating limits,
and what only grows, counted from the journals. `--textfile` replaces the file atomically, readable by
everybody, and keeps the counts in `state/metrics.json`, so that the next time reads new lines alone;
without it nothing is written. How long evaluations take is known from `run --metrics` alone. `--format`
is prometheus or openmetrics. Where the last decision can't be trusted no level is told,
`policy_orchestrator_decision_known` is 0, and the exit code says why.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MetricsArgs {
    /// Write to this file, for the node exporter's textfile collector, instead of standard output
    #[arg(long, value_name = "PATH")]
    textfile: Option<PathBuf>,

    /// Look as of this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
}

pub(super) fn metrics(context: &Context, arguments: &MetricsArgs) -> anyhow::Result<Exit> {
    let format = match context.global.format {
        None | Some(FormatChoice::Prometheus) => Format::Prometheus,
        Some(FormatChoice::Openmetrics) => Format::OpenMetrics,
        Some(_) => {
            let text = "metrics have the formats `prometheus` and `openmetrics`";
            return Ok(usage_error(context, text));
        }
    };
    let workspace = context.workspace()?;
    if let Some(path) = &arguments.textfile {
        reports::check(&workspace, &[path])?;
    }
    let key = secrets::signing_key()?;
    let at = clock(arguments.at).read();
    let lock = match &arguments.textfile {
        Some(_) => Some(lock(&workspace)?),
        None => None,
    };
    let counters = Counters::up_to_date(&workspace)?;
    let (text, untrusted) = collect(&workspace, at, key.as_ref(), &counters, format);
    match (&arguments.textfile, &lock) {
        (Some(path), Some(lock)) => {
            counters.store(&workspace, lock)?;
            replace_named(path, text.as_bytes())?;
        }
        _ => context.output.result(&text)?,
    }
    match untrusted {
        Some(finding) => Err(anyhow::Error::new(*finding)),
        None => Ok(Exit::Done),
    }
}

/// The metrics as they are now, as text for Prometheus; nothing is counted by it.
pub(super) fn text(workspace: &Workspace) -> Checked<String> {
    let key = secrets::signing_key()?;
    let counters = Counters::up_to_date(workspace)?;
    let at = clock(None).read();
    Ok(collect(workspace, at, key.as_ref(), &counters, Format::Prometheus).0)
}

/// Leaves the metrics of a run that took so long: why they could not be left.
pub(super) fn after_run(
    workspace: &Workspace,
    path: &Path,
    key: Option<&SigningKey>,
    at: Timestamp,
    took: Duration,
) -> Vec<Diagnostic> {
    let leave = || -> Checked<()> {
        let lock = lock(workspace)?;
        let mut counters = Counters::up_to_date(workspace)?;
        counters.runs.add(took.as_secs_f64());
        let (text, _) = collect(workspace, at, key, &counters, Format::Prometheus);
        counters.store(workspace, &lock)?;
        replace_named(path, text.as_bytes())
    };
    let left = leave();
    left.err()
        .map(|finding| reports::not_written(&finding))
        .into_iter()
        .collect()
}

fn lock(workspace: &Workspace) -> Checked<WorkspaceLock> {
    let timeout = LockTimeout::silent(Duration::from_secs(30));
    WorkspaceLock::acquire(workspace, "metrics", timeout, &RetryDelays::none())
}

/// All metrics as text, and why the last decision is not among them.
fn collect(
    workspace: &Workspace,
    at: Timestamp,
    key: Option<&SigningKey>,
    counters: &Counters,
    format: Format,
) -> (String, Option<Box<Diagnostic>>) {
    let (explained, untrusted) = match explain::of_record(workspace, None) {
        Ok(explained) => (Some(explained), None),
        Err(finding) => (None, Some(finding)),
    };
    let shown = shown(workspace).unwrap_or_default();
    let decided = explained.as_ref().map(|explained| {
        let Explained {
            decision,
            readings,
            policy,
            ..
        } = explained;
        Decided {
            decision,
            readings,
            policy,
            given_clock: shown.given_clock,
        }
    });
    let facts = facts::survey(workspace, at, key);
    let standing = Standing {
        decided,
        observed: observed(&shown),
        counters,
        health: &health::health(&facts.values, facts.findings),
        gates: gates(workspace, at, key),
        kill_switch: kill_switch::closed(workspace).is_some(),
        brake: brake::word(&brake::load(workspace)) != "off",
        problems: facts.problems,
    };
    (exposition::text(&families(&standing), format), untrusted)
}

/// What the state file says beyond the journal.
#[derive(Default, Deserialize)]
struct Shown {
    #[serde(default)]
    given_clock: bool,
    #[serde(default)]
    readings: BTreeMap<SignalName, ShownReading>,
}

#[derive(Deserialize)]
struct ShownReading {
    #[serde(default)]
    observed_at: Option<Timestamp>,
}

/// A state file larger than this is none of ours.
const LIMIT: u64 = 16 * 1024 * 1024;

fn shown(workspace: &Workspace) -> Option<Shown> {
    let bytes = read_own(workspace, state::FILE, LIMIT).ok().flatten()?;
    serde_json::from_slice(&bytes).ok()
}

fn observed(shown: &Shown) -> BTreeMap<SignalName, Timestamp> {
    let readings = shown.readings.iter();
    readings
        .filter_map(|(signal, reading)| Some((signal.clone(), reading.observed_at?)))
        .collect()
}

/// The gates that an apply would ask now; none where nothing is called for, or nobody knows what.
fn gates(
    workspace: &Workspace,
    at: Timestamp,
    key: Option<&SigningKey>,
) -> Vec<(&'static str, bool)> {
    let user = actor();
    let question = Question {
        workspace,
        at,
        wanted: Wanted::Decided,
        only: None,
        forced: None,
        again: None,
        unattended: None,
        other_apply: ApplyLock::holder(workspace).ok().flatten(),
        unsettleable: None,
        depth: Depth::End,
        limit: DEFAULT_LIMIT,
        key,
        production: production(),
        user: &user,
        override_id: None,
    };
    match response_facts::survey(&question) {
        Ok(Survey::Planned(planned)) => gates::evaluate(&planned.1)
            .iter()
            .map(|gate| (gate.name, gate.open))
            .collect(),
        _ => Vec::new(),
    }
}
