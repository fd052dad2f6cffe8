//! `run`: evaluate once.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use tracing::field::Empty;

use super::output::variable_os;
use super::reports::{self, Target};
use super::traces::TraceArgs;
use super::under_way::UnderWay;
use super::{Context, Exit, Format, attest, clock, exit, metrics, parse_time, secrets, workflow};
use crate::diagnostic::Diagnostic;
use crate::evaluation::{self, Ending, Evaluated, Options, Undecided};
use crate::fs::lock::APPLY_LOCK_FILE;
use crate::fs::{LockTimeout, RetryDelays, Workspace};
use crate::record::STATE_JOURNAL;
use crate::report::human;
use crate::report::outcome::{Reported, Shown, Told};
use crate::signals::DEFAULT_LIMIT;
use crate::time::Timestamp;

const EXAMPLES: &str = "\
Examples:
  policy-orchestrator run
  policy-orchestrator run --dry-run --format human
  policy-orchestrator --run | jq -r .policy
  policy-orchestrator run --report markdown:summary.md --report junit:policy.xml
  policy-orchestrator run --metrics /var/lib/node_exporter/policy.prom
  policy-orchestrator run --attest statements/           also as a signed statement
  policy-orchestrator run --trace-json trace.jsonl       what was done, and how long each part took
  policy-orchestrator run --at 2026-01-31T04:45:00Z     for tests and replays

Reports are written behind the record, each atomically; a place that can't take one is refused before
anything is decided, and one that can't be written is a warning and exit 1: the decision stands.";

#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub(super) struct RunArgs {
    /// Evaluate as of this time; such a decision never counts as fresh
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,

    /// Decide and print; write nothing, make no branch
    #[arg(long)]
    dry_run: bool,

    /// Exit with 10 for YELLOW, 20 for RED, 15 for a level between
    #[arg(long)]
    exit_code: bool,

    /// The waits between attempts at a write, in seconds, separated by commas; an invalid input is
    /// read once more after the first
    #[arg(long, value_name = "SECONDS", default_value = "1,3,9")]
    retry_delays: RetryDelays,

    /// How long to wait for another run, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_timeout)]
    lock_timeout: Duration,

    /// The size limit of a JSON input, and of a line or row of the others
    #[arg(long, value_name = "BYTES", default_value_t = DEFAULT_LIMIT, value_parser = clap::value_parser!(u64).range(1..=1 << 30))]
    max_input_bytes: u64,

    /// Write the decision as a signed statement here too, as `attest` does: a new file, or a directory
    /// in which one is made; POLICY_ATTEST says the same
    #[arg(long, value_name = "PATH", conflicts_with = "dry_run")]
    attest: Option<PathBuf>,

    /// Leave a report: markdown, junit, badge, badge-json, sarif or annotations; can be repeated
    #[arg(long = "report", value_name = "KIND:PATH", value_parser = reports::parse, conflicts_with = "dry_run")]
    reports: Vec<Target>,

    /// Leave the metrics for the node exporter's textfile collector, and count this run
    #[arg(long, value_name = "PATH", conflicts_with = "dry_run")]
    metrics: Option<PathBuf>,

    #[command(flatten)]
    pub(super) trace: TraceArgs,
}

/// What clap makes of no options at all.
impl Default for RunArgs {
    fn default() -> Self {
        Self {
            at: None,
            dry_run: false,
            exit_code: false,
            retry_delays: RetryDelays::default(),
            lock_timeout: Duration::from_secs(30),
            max_input_bytes: DEFAULT_LIMIT,
            attest: None,
            reports: Vec::new(),
            metrics: None,
            trace: TraceArgs::default(),
        }
    }
}

/// The variable that says what `--attest` says.
const ATTEST: &str = "POLICY_ATTEST";

/// A wait of which a person is told.
pub(super) fn lock_timeout(limit: Duration) -> LockTimeout {
    LockTimeout {
        limit,
        waiting: |holder| {
            super::output::remark(&format!(
                "waiting for {holder}, which holds the workspace's lock"
            ));
        },
    }
}

pub(super) fn parse_timeout(text: &str) -> Result<Duration, String> {
    let seconds: Option<f64> = text
        .parse()
        .ok()
        .filter(|seconds| (0.0..=86_400.0).contains(seconds));
    seconds
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "expected a number of seconds from 0 to 86400".to_owned())
}

pub(super) fn run(context: &Context, arguments: &RunArgs) -> anyhow::Result<Exit> {
    let span = tracing::debug_span!("run", level = Empty, number = Empty, outcome = Empty);
    let ran = span.in_scope(|| evaluate(context, arguments, &span));
    span.record("outcome", super::outcome(&ran));
    ran
}

fn evaluate(context: &Context, arguments: &RunArgs, span: &tracing::Span) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    if arguments.leaves_files() {
        let mut paths = reports::paths(&arguments.reports);
        paths.extend(arguments.metrics.as_deref());
        reports::check(&workspace, &paths)?;
    }
    let begin = Instant::now();
    let options = Options {
        clock: clock(arguments.at),
        dry_run: arguments.dry_run,
        retry: arguments.retry_delays.clone(),
        lock_timeout: lock_timeout(arguments.lock_timeout),
        limit: arguments.max_input_bytes,
        key: secrets::signing_key()?,
        run_id: context.run_id,
    };
    let ran = evaluation::run(&workspace, &options);
    let telling = Telling {
        context,
        arguments,
        workspace: &workspace,
        options: &options,
        begin,
    };
    let evaluated = ran.map_err(|undecided| telling.undecided(undecided))?;
    span.record("level", evaluated.decision.level.name());
    if let Some(head) = evaluated.head {
        span.record("number", head.seq);
    }
    telling.decided(&evaluated)
}

/// How an evaluation is told: to the person, in reports and metrics, to a workflow.
struct Telling<'a> {
    context: &'a Context,
    arguments: &'a RunArgs,
    workspace: &'a Workspace,
    options: &'a Options,
    /// When the evaluation began.
    begin: Instant,
}

impl Telling<'_> {
    /// That nothing could be decided, and why.
    fn undecided(&self, undecided: Undecided) -> anyhow::Error {
        let Undecided {
            finding,
            fix_branch,
            made_branch,
            made_report,
            warnings,
        } = undecided;
        let output = self.context.output;
        output.findings(&warnings);
        for remark in left(fix_branch.as_deref(), made_branch, made_report) {
            output.note(&remark);
        }
        if workflow::is_running() {
            let made = fix_branch.as_deref().filter(|_| made_branch);
            workflow::tell_undecided(output, self.workspace, &finding, made);
        }
        let reported = Reported::Undecided(&finding);
        let reports = &self.arguments.reports;
        let mut unwritten = reports::write(self.workspace, reports, reported, &Shown::Unknown);
        unwritten.extend(self.leave_metrics());
        output.findings(&unwritten);
        anyhow::Error::new(*finding)
    }

    /// The decision, behind what is left of it in files.
    fn decided(&self, evaluated: &Evaluated) -> anyhow::Result<Exit> {
        let output = self.context.output;
        let mut unwritten = self.leave_metrics();
        unwritten.extend(leave_reports(self.workspace, self.arguments, evaluated));
        output.findings(&unwritten);
        if workflow::is_running() {
            workflow::tell(output, self.workspace, evaluated);
        }
        output.findings(evaluated.findings());
        // Where nothing was ever applied there is no lock, and nothing more to ask.
        if self.workspace.path(APPLY_LOCK_FILE).exists()
            && let Ok(under_way) = UnderWay::look(self.workspace)
        {
            output.findings(&under_way.warning());
        }
        for remark in remarks(evaluated, self.options.dry_run) {
            output.note(&remark);
        }
        self.show(evaluated)?;
        let is_attested = self.is_attested(evaluated);
        Ok(match exit(evaluated, self.arguments.exit_code) {
            Exit::Done | Exit::Level(_) if !unwritten.is_empty() || !is_attested => Exit::Failed,
            exit => exit,
        })
    }

    fn show(&self, evaluated: &Evaluated) -> anyhow::Result<()> {
        let output = self.context.output;
        match self.context.format() {
            Format::Json => output.result_bytes(&evaluated.state),
            Format::Human => output.result(&human::decision(
                &evaluated.decision,
                &evaluated.readings,
                evaluated.policy.identity(),
                output.paint(),
            )),
        }
    }

    /// Attests what was recorded, where that was asked for; false where it failed. The decision stands
    /// whatever comes of it.
    fn is_attested(&self, evaluated: &Evaluated) -> bool {
        let asked = self.arguments.attest.clone();
        let Some(place) = asked.or_else(|| variable_os(ATTEST).map(PathBuf::from)) else {
            return true;
        };
        let output = self.context.output;
        let Some(head) = evaluated
            .head
            .filter(|_| is_recorded(evaluated, self.options))
        else {
            output.note("nothing was recorded, so nothing is attested");
            return true;
        };
        match attest::attest_run(self.workspace, head.seq, self.options.key.as_ref(), &place) {
            Ok(file) => {
                output.note(&format!("attested in {}", file.display()));
                true
            }
            Err(finding) => {
                output.findings([&*finding]);
                output.note("the decision is recorded and stands; it is not attested");
                false
            }
        }
    }

    /// Writes the metrics, where they were asked for: why they could not be.
    fn leave_metrics(&self) -> Vec<Diagnostic> {
        let Some(path) = &self.arguments.metrics else {
            return Vec::new();
        };
        let (key, now) = (self.options.key.as_ref(), self.options.clock.read());
        metrics::after_run(self.workspace, path, key, now, self.begin.elapsed())
    }
}

fn is_recorded(evaluated: &Evaluated, options: &Options) -> bool {
    let not = matches!(evaluated.ending, Ending::Broken | Ending::NotRecorded);
    !options.dry_run && !not
}

impl RunArgs {
    fn leaves_files(&self) -> bool {
        !self.reports.is_empty() || self.metrics.is_some()
    }
}

/// Writes the reports of a decision: why some could not be.
fn leave_reports(
    workspace: &Workspace,
    arguments: &RunArgs,
    evaluated: &Evaluated,
) -> Vec<Diagnostic> {
    if arguments.reports.is_empty() {
        return Vec::new();
    }
    let findings: Vec<Diagnostic> = evaluated.findings().cloned().collect();
    let level = &evaluated.decision.level;
    let shown = match evaluated.ending {
        Ending::NotRecorded => Shown::Unknown,
        _ if arguments.at.is_some() => Shown::Stale,
        _ => Shown::Level(level),
    };
    let told = Reported::Decided(Told {
        decision: &evaluated.decision,
        readings: &evaluated.readings,
        policy: &evaluated.policy,
        head: evaluated.head,
        findings: &findings,
    });
    reports::write(workspace, &arguments.reports, told, &shown)
}

pub(super) fn exit(evaluated: &Evaluated, by_level: bool) -> Exit {
    match evaluated.ending {
        Ending::Broken | Ending::Tampered => Exit::Tampering,
        Ending::Invalid | Ending::NotRecorded => Exit::Failed,
        Ending::Done if by_level => Exit::Level(evaluated.decision.level.clone()),
        Ending::Done => Exit::Done,
    }
}

fn remarks(evaluated: &Evaluated, dry_run: bool) -> Vec<String> {
    let mut remarks = Vec::new();
    match (evaluated.ending, evaluated.head) {
        _ if dry_run => remarks.push("dry run: nothing was written".to_owned()),
        (Ending::NotRecorded, _) => remarks.push(
            "this decision was not recorded completely; what was recorded before stands".to_owned(),
        ),
        (Ending::Broken, _) => remarks.push(format!(
            "RED was published, and nothing was appended to {STATE_JOURNAL}"
        )),
        (_, Some(head)) => remarks.push(format!(
            "recorded as number {} of {STATE_JOURNAL} (SHA-256 {})",
            head.seq,
            head.sha256.short()
        )),
        (_, None) => {}
    }
    remarks.extend(left(
        evaluated.fix_branch.as_deref(),
        evaluated.made_branch,
        evaluated.made_report,
    ));
    remarks
}

/// Where the diagnostics of a failed run are.
fn left(fix_branch: Option<&str>, made_branch: bool, made_report: bool) -> Vec<String> {
    let mut remarks = Vec::new();
    match (fix_branch, made_branch) {
        (Some(branch), true) => remarks.push(format!("diagnostics are on the branch {branch}")),
        (Some(branch), false) => remarks.push(format!(
            "this failure goes on; its diagnostics are on the branch {branch}"
        )),
        (None, _) => {}
    }
    if made_report {
        remarks.push(format!("diagnostics are in {}", evaluation::FAILURE_FILE));
    }
    remarks
}
