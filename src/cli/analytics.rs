//! `analytics`: the numbers of a period.

use std::time::Instant;

use clap::Args;

use super::compliance::{When, look};
use super::{Context, Exit, Format, clock};
use crate::compliance::analytics;
use crate::compliance::report::Statuses;
use crate::evaluation::{self, Options};
use crate::fs::{LockTimeout, RetryDelays, Workspace};
use crate::report::compliance as view;
use crate::signals::DEFAULT_LIMIT;

const EXAMPLES: &str = "\
Examples:
  policy-orchestrator analytics
  policy-orchestrator analytics --since 7d --format json | jq '.realTimeMetrics'
  policy-orchestrator analytics --measure 200 --format json | jq '.realTimeMetrics.enforcementLatency'

Evaluations are the recorded ones, divided by the period; the violation rate is violations for each
evaluation; the latency is what runs beside a staged version recorded, or, with --measure, that of so
many dry runs in this process, from the first file read to the decision. Writes nothing.

Exit codes: 0 done, 1 a document can't be used, 2 the command line, 5 a journal or a protected file was
changed";

/// More dry runs than this measure no more.
const MOST: u32 = 100_000;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct AnalyticsArgs {
    #[command(flatten)]
    when: When,

    /// Measure the latency with so many dry runs
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST)))]
    measure: Option<u32>,
}

pub(super) fn analytics(context: &Context, arguments: &AnalyticsArgs) -> anyhow::Result<Exit> {
    let made = look(context, &arguments.when, |workspace, look| {
        let statuses = Statuses::of(&look.controls);
        let times = arguments
            .measure
            .map_or_else(|| Ok(Vec::new()), |count| measured(workspace, count))?;
        Ok(analytics::build(
            look.at,
            look.period,
            &look.tally,
            statuses,
            times,
        ))
    })?;
    let analytics = match made {
        Ok(analytics) => analytics,
        Err(exit) => return Ok(exit),
    };
    match context.format() {
        Format::Json => context.output.json(&analytics)?,
        Format::Human => {
            let text = view::numbers(&analytics, context.output.paint());
            context.output.result(&text)?;
        }
    }
    Ok(Exit::Done)
}

/// How long so many dry runs take, in microseconds.
fn measured(workspace: &Workspace, count: u32) -> anyhow::Result<Vec<u64>> {
    let options = Options {
        clock: clock(None),
        dry_run: true,
        retry: RetryDelays::none(),
        lock_timeout: LockTimeout::silent(std::time::Duration::ZERO),
        limit: DEFAULT_LIMIT,
        key: super::secrets::signing_key()?,
        run_id: None,
    };
    let mut times = Vec::new();
    for _ in 0..count {
        let begin = Instant::now();
        let evaluated = evaluation::run(workspace, &options);
        let taken = begin.elapsed();
        evaluated.map_err(|undecided| anyhow::Error::new(undecided.finding))?;
        times.push(u64::try_from(taken.as_micros()).unwrap_or(u64::MAX));
    }
    Ok(times)
}
