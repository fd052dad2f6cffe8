//! `checks list`, `checks plan`, `checks run`, and `health`: the policies P-1 to P-6.

mod ground;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use ground::{Asked, Gathered, simulation};

use super::given::{self, Given};
use super::recording::with_records;
use super::run::parse_timeout;
use super::{Context, Exit, Format, usage_error, workflow};
use crate::checks::artifact::Artifact;
use crate::checks::health::Components;
use crate::checks::library::{self, Library};
use crate::checks::task::{self, TaskId};
use crate::checks::{self, Ground, Outcome, Policy, Status, p4, p6};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::{Workspace, pretty, write};
use crate::ids::{Digest, EventType};
use crate::keys::file;
use crate::privacy::Secrets;
use crate::record::Records;
use crate::record::audit::{self, Event, Severity};
use crate::record::entries::{self, Filter};
use crate::report::checks as view;
use crate::report::sarif;

const LIST_HELP: &str = "\
Examples:
  policy-orchestrator checks list
  policy-orchestrator checks list --library docs/policies/POLICIES.md

Exit codes: 0 listed; 1 the library lacks something; 2 usage";

const PLAN_HELP: &str = "\
Examples:
  policy-orchestrator checks plan tasks/T-7.md
  policy-orchestrator checks plan --format json - < tasks/T-7.md

A policy is mentioned as `P1` or `P-1`; `P1–P6` and `P-1 to P-6` mean all between. They are told in
the order in which they come first.

Exit codes: 0 told, also where none is mentioned; 1 unreadable; 2 usage";

const RUN_HELP: &str = "\
Examples:
  policy-orchestrator checks run
  policy-orchestrator checks run P1 P2 --task T-7
  policy-orchestrator checks run P2 --artifact model.json --key cosign.pub
  policy-orchestrator checks run --allow-blocked --junit checks.xml --sarif checks.sarif

Writes reports/logs/<POLICY>.log, reports/logs/<TASK>.log and reports/<TASK>_summary.md; P4 also
reports/logs/P4_health.json and, where there are metrics, P4_metrics.txt; reports/issues/<TASK>.md
where an approver is missing. docs/checks.md says what each test looks at.

Variables: VAULT_ADDR, VAULT_TOKEN, COSIGN_KEY_PATH, POSTGRES_DSN, JWT_SECRET, SIMULATION_MODE
(`true` or `false`), ENV (`production`), and those of the signing secret. None is ever printed.

Exit codes:
  0  every policy passes, or with --allow-blocked: none is worse than BLOCKED
  1  FAIL, or a report could not be written
  2  the command line or SIMULATION_MODE makes no sense
  3  BLOCKED: infrastructure is missing
  4  AWAITING_APPROVAL: a second person has to approve
  5  FAIL, and what was found is tampering";

const HEALTH_HELP: &str = "\
Examples:
  policy-orchestrator health
  policy-orchestrator health --format json | jq -r .status

`db` is the record (state file and journals), `cosign` the key that signs. A component that nobody set
up is absent, which is no failure. Writes nothing.

Exit codes: 0 ok; 1 degraded; 2 usage";

#[derive(Debug, Subcommand)]
pub(super) enum ChecksCommand {
    /// The policies of the library, and what is tested for each
    List(ListArgs),
    /// Which policies a task file mentions, and how they are enforced and verified
    Plan(PlanArgs),
    /// Test the policies against this workspace, and report
    Run(RunArgs),
}

#[derive(Debug, Args)]
#[command(after_help = LIST_HELP)]
pub(super) struct ListArgs {
    /// A library document; `-` for standard input [default: the one built in]
    #[arg(long, value_name = "FILE")]
    library: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = PLAN_HELP)]
pub(super) struct PlanArgs {
    /// The file of the task; `-` for standard input
    #[arg(value_name = "TASK.md")]
    file: String,
}

#[derive(Debug, Args)]
#[command(after_help = RUN_HELP)]
pub(super) struct RunArgs {
    /// The policies to test, P1 or P-1 to P6 [default: all]
    #[arg(value_name = "POLICY")]
    policies: Vec<Policy>,

    /// The task that the reports are for
    #[arg(long, value_name = "ID", default_value = "checks")]
    task: TaskId,

    /// An artifact that is to be accepted: it has to be signed (P2)
    #[arg(long, value_name = "FILE")]
    artifact: Option<PathBuf>,

    /// A public key that is trusted for the artifact; may be repeated [default: the signing key's]
    #[arg(long, value_name = "PUB")]
    key: Vec<PathBuf>,

    /// What the 95th percentile of an evaluation has to lie below, in milliseconds (P6)
    #[arg(long, value_name = "MS", default_value_t = p6::SLO_MS)]
    slo_ms: u64,

    /// End with 0 where nothing is worse than BLOCKED, as for CI without infrastructure
    #[arg(long)]
    allow_blocked: bool,

    /// Write a report in the JUnit form to this file
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,

    /// Write a report as SARIF 2.1.0 to this file
    #[arg(long, value_name = "FILE")]
    sarif: Option<PathBuf>,

    /// How long to wait for another command, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_timeout)]
    lock_timeout: Duration,
}

#[derive(Debug, Args)]
#[command(after_help = HEALTH_HELP)]
pub(super) struct HealthArgs {}

pub(super) fn checks(context: &Context, command: &ChecksCommand) -> anyhow::Result<Exit> {
    match command {
        ChecksCommand::List(arguments) => list(context, arguments),
        ChecksCommand::Plan(arguments) => plan(context, arguments),
        ChecksCommand::Run(arguments) => run(context, arguments),
    }
}

/// A larger document is none that a person reads.
const DOCUMENT_LIMIT: u64 = 4 * 1024 * 1024;

fn read(path: &str, what: &'static str) -> Checked<String> {
    let bytes = Given {
        path,
        what,
        expected: "a Markdown document",
        limit: DOCUMENT_LIMIT,
    }
    .read()?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The JSON shape of `checks list`.
#[derive(Serialize)]
struct Listed<'a> {
    schema: u32,
    library: &'a str,
    policies: Vec<ListedPolicy<'a>>,
}

#[derive(Serialize)]
struct ListedPolicy<'a> {
    #[serde(flatten)]
    described: &'a library::Described,
    module: &'static str,
    call: &'static str,
    tested: Vec<Tested>,
}

#[derive(Serialize)]
struct Tested {
    name: &'static str,
    what: &'static str,
}

fn list(context: &Context, arguments: &ListArgs) -> anyhow::Result<Exit> {
    let (name, text) = match arguments.library.as_deref() {
        None => ("built in", library::BUILT_IN.to_owned()),
        Some(path) => (path, read(path, "library")?),
    };
    let library = library::parse(&text);
    match context.format() {
        Format::Human => context
            .output
            .result(&view::library(&library, context.output.paint()))?,
        Format::Json => context.output.json(&Listed {
            schema: 1,
            library: name,
            policies: library.policies.iter().map(listed).collect(),
        })?,
    }
    let problems = problems(name, &library);
    context.output.findings(&problems);
    Ok(if problems.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn listed(described: &library::Described) -> ListedPolicy<'_> {
    let (module, call) = described.policy.enforcement();
    let tested = described.policy.tests().iter();
    ListedPolicy {
        described,
        module,
        call,
        tested: tested.map(|(name, what)| Tested { name, what }).collect(),
    }
}

fn problems(name: &str, library: &Library) -> Vec<Diagnostic> {
    let finding = |problem: &library::Problem| {
        let place = match problem.line {
            Some(line) => Place::line(name, line as u64),
            None => Place::file(name),
        };
        Diagnostic::new(Code::LibraryIncomplete, place, "the library is not whole")
            .found(&problem.text)
            .expected("a section for each of P-1 to P-6 with goal, rules, enforcement, tests and verification")
            .help("docs/policies/POLICIES.md is a library that is whole")
    };
    library.problems.iter().map(finding).collect()
}

/// The JSON shape of `checks plan`.
#[derive(Serialize)]
struct Planned {
    policy: Policy,
    name: &'static str,
    line: usize,
    module: &'static str,
    call: &'static str,
    verification: String,
}

fn plan(context: &Context, arguments: &PlanArgs) -> anyhow::Result<Exit> {
    let text = read(&arguments.file, "task file")?;
    let planned: Vec<Planned> = task::mentions(&text)
        .into_iter()
        .map(|mention| {
            let (module, call) = mention.policy.enforcement();
            Planned {
                policy: mention.policy,
                name: mention.policy.name(),
                line: mention.line,
                module,
                call,
                verification: mention.policy.verification(),
            }
        })
        .collect();
    match context.format() {
        Format::Json => context.output.json(&serde_json::json!({
            "schema": 1,
            "task_file": arguments.file,
            "policies": planned,
        }))?,
        Format::Human if planned.is_empty() => {
            context
                .output
                .result("no policy of P-1 to P-6 is mentioned\n")?;
        }
        Format::Human => {
            let paint = context.output.paint();
            let told = planned.iter().map(|planned| {
                format!(
                    "{}  line {}\n  enforced by  {}, {}\n  verified by  {}\n",
                    paint.bold(&format!("{} {}", planned.policy, planned.name)),
                    planned.line,
                    planned.module,
                    planned.call,
                    planned.verification
                )
            });
            context.output.result(&told.collect::<String>())?;
        }
    }
    Ok(Exit::Done)
}

pub(super) fn health(context: &Context, HealthArgs {}: &HealthArgs) -> anyhow::Result<Exit> {
    let simulation = match simulation() {
        Ok(simulation) => simulation,
        Err(text) => return Ok(usage_error(context, &text)),
    };
    let components = look(&context.workspace()?, simulation).map_err(anyhow::Error::msg)?;
    match context.format() {
        Format::Json => context.output.json(&view::health(&components))?,
        Format::Human => context
            .output
            .result(&view::health_human(&components, context.output.paint()))?,
    }
    Ok(match components.whole() {
        checks::health::Whole::Ok => Exit::Done,
        checks::health::Whole::Degraded => Exit::Failed,
    })
}

/// How the components of a workspace are.
pub(super) fn components(workspace: &Workspace) -> Result<Components, String> {
    look(workspace, simulation()?)
}

fn look(workspace: &Workspace, simulation: Option<bool>) -> Result<Components, String> {
    let gathered = Gathered::new(workspace, simulation);
    let vault = gathered.keeper();
    let asked = Asked {
        task: "health".parse()?,
        artifact: None,
        trusted: Vec::new(),
        slo_ms: p6::SLO_MS,
    };
    Ok(p4::components(&gathered.ground(workspace, &*vault, &asked)))
}

fn run(context: &Context, arguments: &RunArgs) -> anyhow::Result<Exit> {
    let simulation = match simulation() {
        Ok(simulation) => simulation,
        Err(text) => return Ok(usage_error(context, &text)),
    };
    let workspace = context.workspace()?;
    let gathered = Gathered::new(&workspace, simulation);
    let asked = asked(arguments, &gathered)?;
    let vault = gathered.keeper();
    let ground = gathered.ground(&workspace, &*vault, &asked);
    let wanted =
        |policy: &Policy| arguments.policies.is_empty() || arguments.policies.contains(policy);
    let policies = Policy::ALL.into_iter().filter(wanted);
    let outcomes: Vec<Outcome> = policies
        .map(|policy| shown(checks::run(policy, &ground), &gathered.secrets))
        .collect();
    let exit = exit(&outcomes, arguments.allow_blocked);
    let simulated = outcomes.iter().any(|outcome| outcome.policy == Policy::P2)
        && !ground.production
        && ground.simulation != Some(false)
        && vault.is_simulation();
    let mut checked = view::Checked {
        schema: 1,
        task: asked.task.as_str(),
        at: gathered.at,
        status: checks::status(&outcomes),
        simulated,
        verification: verification(&outcomes, &asked, arguments, &gathered.secrets),
        policies: &outcomes,
        files: Vec::new(),
        recorded: false,
    };
    let written = store(&ground, &mut checked, arguments.lock_timeout);
    show(context, &checked)?;
    if let Some(file) = &arguments.junit {
        given::write_report(file, "--junit", &view::junit(&checked).to_xml())?;
    }
    if let Some(file) = &arguments.sarif {
        let prefix = workflow::prefix(&workspace);
        let log = sarif::checks(&outcomes, &prefix, &summary_file(checked.task));
        let log = String::from_utf8_lossy(&pretty(&log)).into_owned();
        given::write_report(file, "--sarif", &log)?;
    }
    match written {
        Ok(()) => Ok(exit),
        Err(finding) => {
            context.output.findings([&*finding]);
            // What was found weighs more than a report that is missing, but for a pass.
            Ok(match exit {
                Exit::Tampering | Exit::Denied => exit,
                _ => Exit::Failed,
            })
        }
    }
}

fn asked(arguments: &RunArgs, gathered: &Gathered) -> Checked<Asked> {
    let artifact = arguments.artifact.as_deref().map(Artifact::read);
    let named = arguments.key.iter().map(|path| file::public(path));
    let mut trusted = named.collect::<Checked<Vec<_>>>()?;
    if trusted.is_empty()
        && let Ok(Some(key)) = &gathered.signing_key
    {
        trusted.push(key.verifying());
    }
    Ok(Asked {
        task: arguments.task.clone(),
        artifact: artifact.transpose()?,
        trusted,
        slo_ms: arguments.slo_ms,
    })
}

/// An outcome as it may be shown and stored: what it quotes passes the redaction.
fn shown(mut outcome: Outcome, secrets: &Secrets) -> Outcome {
    for test in &mut outcome.tests {
        test.detail = secrets.redact(&test.detail);
        test.remedy = test.remedy.as_deref().map(|text| secrets.redact(text));
        test.file = test.file.as_deref().map(|text| secrets.redact(text));
    }
    outcome
}

/// How the command ends with these outcomes (C-24).
fn exit(outcomes: &[Outcome], allow_blocked: bool) -> Exit {
    match checks::status(outcomes) {
        _ if outcomes.iter().any(Outcome::is_tampered) => Exit::Tampering,
        Status::Fail => Exit::Failed,
        Status::AwaitingApproval => Exit::Denied,
        Status::Blocked if !allow_blocked => Exit::Blocked,
        Status::Blocked | Status::Pass => Exit::Done,
    }
}

/// The command that verifies each policy, and how it ends here.
fn verification(
    outcomes: &[Outcome],
    asked: &Asked,
    arguments: &RunArgs,
    secrets: &Secrets,
) -> Vec<view::Verified> {
    let one = |outcome: &Outcome| {
        let mut command = format!("{} --task {}", outcome.policy.verification(), asked.task);
        if let (Policy::P2, Some(artifact)) = (outcome.policy, &asked.artifact) {
            command.push_str(&format!(" --artifact {}", artifact.name));
            for key in &arguments.key {
                command.push_str(&format!(" --key {}", key.display()));
            }
        }
        if outcome.policy == Policy::P6 && asked.slo_ms != p6::SLO_MS {
            command.push_str(&format!(" --slo-ms {}", asked.slo_ms));
        }
        view::Verified {
            command: secrets.redact(&command),
            exit: exit(std::slice::from_ref(outcome), false).code(),
        }
    };
    outcomes.iter().map(one).collect()
}

fn show(context: &Context, checked: &view::Checked<'_>) -> anyhow::Result<()> {
    match context.format() {
        Format::Json => context.output.json(checked),
        Format::Human => context
            .output
            .result(&view::human(checked, context.output.paint())),
    }
}

/// Where logs go, relative to the workspace.
const LOGS: &str = "reports/logs";

fn summary_file(task: &str) -> String {
    format!("reports/{task}_summary.md")
}

#[derive(Serialize)]
struct Details<'a> {
    status: Status,
    policies: Vec<&'a str>,
}

/// Writes the reports, and records that the checks were made: logs first, then the event, then the
/// summary, which quotes it. Each file is the old one or the new one at any moment.
fn store(ground: &Ground<'_>, checked: &mut view::Checked<'_>, wait: Duration) -> Checked<()> {
    let mut files = Vec::new();
    let mut is_recorded = false;
    let stored = with_records(ground.workspace, ("checks run", wait), |records| {
        let mut put = |name: String, bytes: &[u8]| -> Checked<()> {
            if let Some((directory, _)) = name.rsplit_once('/') {
                write::make_directory(ground.workspace, directory)?;
            }
            write::refuse_links(ground.workspace, &name)?;
            let replace = || write::replace(ground.workspace, &name, bytes);
            records.retry.retry(replace)?;
            files.push(name);
            Ok(())
        };
        for outcome in checked.policies {
            let log = view::log(outcome, checked.task, checked.at);
            put(format!("{LOGS}/{}.log", outcome.policy), log.as_bytes())?;
            if outcome.policy == Policy::P4 {
                let health = pretty(&view::health(&p4::components(ground)));
                let health = ground.secrets.redact(&String::from_utf8_lossy(&health));
                put(format!("{LOGS}/P4_health.json"), health.as_bytes())?;
                if let Some(head) = p4::metrics_head(ground) {
                    let head = ground.secrets.redact(&head);
                    put(format!("{LOGS}/P4_metrics.txt"), head.as_bytes())?;
                }
            }
        }
        let log = view::task_log(checked);
        put(format!("{LOGS}/{}.log", checked.task), log.as_bytes())?;
        let issue_file = format!("reports/issues/{}.md", checked.task);
        let looked = checked.policies.iter();
        let mut looked = looked.filter(|outcome| outcome.policy == Policy::P2);
        if let Some(issue) = view::issue(checked) {
            put(issue_file, issue.as_bytes())?;
        } else if looked.next().is_some() {
            // Nobody is waited for any more.
            write::remove(ground.workspace, &issue_file)?;
        }
        match record(records, ground, checked) {
            // As on a fork, where nobody has the secret (C-45): P-2 is blocked for it.
            Err(finding) if finding.code == Code::SecretMissing => {}
            recorded => {
                recorded?;
                is_recorded = true;
            }
        }
        let summary = view::summary(checked, &excerpts(ground)?);
        put(summary_file(checked.task), summary.as_bytes())
    });
    checked.files = files;
    checked.recorded = is_recorded;
    stored
}

/// Records that the checks were made, with what they came to (S0-066).
fn record(records: Records<'_>, ground: &Ground<'_>, checked: &view::Checked<'_>) -> Checked<()> {
    let lines = checked.policies.iter().map(|outcome| outcome.line.as_str());
    let details = Details {
        status: checked.status,
        policies: lines.collect(),
    };
    let data = serde_json::to_vec(checked.policies).unwrap_or_default();
    let event = Event {
        at: ground.at,
        user: ground.user,
        action: "checks_run",
        event_type: &EventType::CHECKS_RUN,
        severity: match checked.status {
            Status::Fail => Severity::High,
            Status::AwaitingApproval => Severity::Medium,
            Status::Pass | Status::Blocked => Severity::Low,
        },
        task_id: Some(checked.task),
        data: Digest::of(&data),
        details: &details,
        given_clock: false,
    };
    audit::append(records, &event).map(drop)
}

/// As many lines of the audit log as a report quotes.
const EXCERPTS: usize = 20;

/// The end of the audit log, the newest first, without what nobody is to see.
fn excerpts(ground: &Ground<'_>) -> Checked<Vec<String>> {
    let mut lines = Vec::new();
    entries::newest_first(ground.workspace, &Filter::default(), &mut |entry| {
        let line = format!(
            "{} {} {} {} by {} task {} data {}",
            entry.time,
            entry.severity,
            entry.event_type,
            entry.action,
            entry.user,
            entry.task_id.as_deref().unwrap_or("-"),
            entry.data_sha256.short()
        );
        lines.push(ground.secrets.redact(&line));
        Ok(lines.len() < EXCERPTS)
    })?;
    Ok(lines)
}
