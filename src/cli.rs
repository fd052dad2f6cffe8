//! The command line: one file per command, and what they share.
//!
//! Commands call the library and render; nothing is decided or recorded here. Environment
//! variables are read here and passed on as arguments. Standard output carries results,
//! everything else goes to standard error.

mod acceptance;
mod action;
mod actor;
mod alerts;
mod analytics;
mod approve;
mod attest;
mod audit;
mod brake;
mod checks;
mod completions;
mod compliance;
mod decide;
mod doctor;
mod exit;
mod explain;
mod given;
mod guard;
mod history;
mod init;
mod keys;
mod kill;
mod launch;
mod logs;
mod metrics;
mod obligations;
mod output;
mod overrides;
mod perform;
mod personal;
mod policy;
mod portal;
mod promote;
mod recording;
mod replay;
mod report;
mod reports;
mod respond;
mod run;
mod scan;
mod second;
mod secrets;
mod simulation;
mod spend;
mod status;
mod supervise;
mod tamper;
mod tenant;
mod traces;
mod trust;
mod under_way;
mod undo;
mod vault;
mod workflow;

pub use exit::Exit;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::diagnostic::{Checked, Code, Diagnostic};
use crate::fs::Workspace;
use crate::ids::RunId;
use crate::policy::{Level, duration};
use crate::privacy::Secrets;
use crate::safeguard::kill_switch;
use crate::time::{Clock, Timestamp};
use output::Output;

const EXAMPLES: &str = "\
Examples:
  policy-orchestrator run                     decide, explain, record
  policy-orchestrator run --dry-run           decide and explain; write nothing
  policy-orchestrator explain                 why is it RED, and what would make it GREEN?
  policy-orchestrator status                  the last decision, its age, and is the record whole?
  policy-orchestrator respond                 what does the level call for? starts nothing
  policy-orchestrator respond --apply         carry it out, behind every gate
  policy-orchestrator undo list               what can be taken back?
  policy-orchestrator trust enforce           lock where integrity, consensus or reputation is too low
  policy-orchestrator kill on --reason TEXT   stop everything that changes files
  policy-orchestrator approve list            what waits for a second person?
  policy-orchestrator alerts                  what should somebody look at?
  policy-orchestrator audit verify            was anything changed?
  policy-orchestrator replay                  do the recorded decisions still come out the same?
  policy-orchestrator policy backtest FILE    what would another policy have decided?
  policy-orchestrator policy check            is anything wrong with the policy document?
  policy-orchestrator policy lock             hold it to its bytes; `policy verify`, `policy accept`
  policy-orchestrator guard check             may another program change these files?
  policy-orchestrator scan secrets            is a secret in the files?
  policy-orchestrator checks run              do the policies P-1 to P-6 hold here?
  policy-orchestrator compliance report       which evidence is there, and what broke the rules?
  policy-orchestrator decide < request.json   may an agent, a pipeline, a person do this?
  policy-orchestrator spend check             may an agent make this payment?
  policy-orchestrator portal --serve          all of it on a page
  policy-orchestrator init                    start a workspace here";

#[derive(Debug, Parser)]
#[command(
    name = "policy-orchestrator",
    version,
    about = "Reads a repository's health signals, decides GREEN, YELLOW or RED, explains it and records it",
    after_help = EXAMPLES,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
struct Cli {
    /// Same as the command `run`
    #[arg(long = "run")]
    run: bool,

    #[command(flatten)]
    global: Global,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Default, Args)]
struct Global {
    /// The directory that holds the signals [default: POLICY_WORKSPACE, else the current directory]
    #[arg(long, global = true, value_name = "DIR")]
    workspace: Option<PathBuf>,

    /// How to write the result [default: human on a terminal, json into a pipe]
    #[arg(long, global = true, value_enum)]
    format: Option<FormatChoice>,

    /// Whether to use colour; NO_COLOR is honoured
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "auto",
        value_name = "WHEN"
    )]
    color: ColorChoice,

    /// Say on standard error what is being done
    #[arg(long, short, global = true)]
    verbose: bool,

    /// The same as lines of text or of JSON
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    log_format: Option<logs::LogFormat>,
}

/// The formats that most commands have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Human,
    Json,
}

/// What `--format` can name. Each command but those that say so has the first two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatChoice {
    /// Text for a person
    Human,
    /// JSON for a program
    Json,
    /// Markdown for a pull request (`policy backtest`, `history`) or an auditor (`compliance report`)
    #[value(hide = true)]
    Markdown,
    /// SARIF 2.1.0 for code scanning (`policy check`, `scan secrets`)
    #[value(hide = true)]
    Sarif,
    /// Annotations of GitHub Actions (`policy check`)
    #[value(hide = true)]
    Github,
    /// JSON lines (`audit export`)
    #[value(hide = true)]
    Jsonl,
    /// A table (`audit export`, `history`)
    #[value(hide = true)]
    Csv,
    /// A table with typed columns (`history`, in a build with the feature `parquet`)
    #[value(hide = true)]
    Parquet,
    /// The text of Prometheus (`metrics`)
    #[value(hide = true)]
    Prometheus,
    /// OpenMetrics (`metrics`)
    #[value(hide = true)]
    Openmetrics,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum ColorChoice {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Evaluate once: read the signals, decide, explain, record
    Run(run::RunArgs),
    /// Why the last decision came out as it did, and what would change it
    Explain(explain::ExplainArgs),
    /// The last decision, its age, and whether the record is whole
    Status(status::StatusArgs),
    /// The record: verify it, list it, close it into segments, rotate its key, go on behind a broken one
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// What the level calls for, and which gates stand before it; with --apply, carry it out
    Respond(respond::RespondArgs),
    /// Take back what an apply changed
    Undo(undo::UndoArgs),
    /// Policy documents: write, check, test, compare, try them, and bring them into production
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// How the level and the signals went: stretches, changes, recovery, near misses, limits
    History(history::HistoryArgs),
    /// Make every recorded decision again: is it reproduced, byte for byte?
    Replay(replay::ReplayArgs),
    /// How the whole stands, for Prometheus
    Metrics(metrics::MetricsArgs),
    /// The last decision and what is wrong, for other programs: Markdown, badge, JUnit, SARIF
    #[command(subcommand)]
    Report(report::ReportCommand),
    /// What somebody should look at: raised once, told again after a day, resolved
    Alerts(alerts::AlertsArgs),
    /// Run one native check or action, now and alone
    Action(action::ActionArgs),
    /// Run a native action as a part of an apply
    #[command(hide = true)]
    Perform(perform::PerformArgs),
    /// The trust guard: lock where metrics are too low, unlock by hand
    #[command(subcommand)]
    Trust(trust::TrustCommand),
    /// The safety brake: no response is applied while it is engaged
    #[command(subcommand)]
    Brake(brake::BrakeCommand),
    /// The kill switch: nothing is changed while it is on
    #[command(subcommand)]
    Kill(kill::KillCommand),
    /// Approvals: asked for by one person, signed by another, used once
    #[command(subcommand)]
    Approve(approve::ApproveCommand),
    /// Overrides: a one-time code opens one thing, once, for minutes
    #[command(subcommand)]
    Override(overrides::OverrideCommand),
    /// A recorded decision as a signed in-toto statement, for those who have no workspace
    Attest(attest::AttestArgs),
    /// Keys that sign attestations, approvals and checkpoints
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// May another program change these files? For its hooks, and for git's
    #[command(subcommand)]
    Guard(guard::GuardCommand),
    /// Are there secrets in the files of the workspace?
    #[command(subcommand)]
    Scan(scan::ScanCommand),
    /// The policies P-1 to P-6: list them, plan them for a task, test them against this workspace
    #[command(subcommand)]
    Checks(checks::ChecksCommand),
    /// Do the components work: the record, Vault, the signing key, the storage?
    Health(checks::HealthArgs),
    /// Compliance: evidence of controls, what broke the rules, and may data be used
    #[command(subcommand)]
    Compliance(compliance::ComplianceCommand),
    /// The numbers of a period: evaluations, violations, latency, evidence, alerts
    Analytics(analytics::AnalyticsArgs),
    /// Payments of agents: may they be made, what was spent, and what is left of the caps
    #[command(subcommand)]
    Spend(spend::SpendCommand),
    /// The status page: serve it, write it out, make its data anew
    Portal(portal::PortalArgs),
    /// May this be done? Requests answered by the policies for them; denied unless something allows it
    Decide(decide::DecideArgs),
    /// Keep the obligations of an answer with a record, or list them
    #[command(subcommand)]
    Obligations(obligations::ObligationsCommand),
    /// May a version of a dataset be promoted? Seven gates, each with what it misses
    #[command(subcommand)]
    Promote(promote::PromoteCommand),
    /// Start a workspace: directories, starter files, the workflows; overwrites nothing
    Init(init::InitArgs),
    /// What is wrong here, each finding with its remedy; changes nothing
    Doctor(doctor::DoctorArgs),
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
    /// Print a manual page
    Man(completions::ManArgs),
}

/// What every command gets.
struct Context {
    global: Global,
    output: Output,
    /// The id of this run of the program, where its log or its trace has one.
    run_id: Option<RunId>,
}

impl Context {
    fn workspace(&self) -> Checked<Workspace> {
        let named = self.global.workspace.clone();
        let from_environment = || output::variable_os("POLICY_WORKSPACE").map(PathBuf::from);
        let root = named
            .or_else(from_environment)
            .unwrap_or_else(|| PathBuf::from("."));
        Workspace::open(&root)
    }

    /// True where the user named a workspace, rather than standing in one.
    fn names_workspace(&self) -> bool {
        self.global.workspace.is_some() || output::variable_os("POLICY_WORKSPACE").is_some()
    }

    /// The format of a result: what the user said, else what standard output is.
    fn format(&self) -> Format {
        match self.global.format {
            Some(FormatChoice::Json) => Format::Json,
            None if !self.output.on_terminal() => Format::Json,
            // A command that does not have the others never comes here with one of them.
            None
            | Some(
                FormatChoice::Human
                | FormatChoice::Markdown
                | FormatChoice::Sarif
                | FormatChoice::Github
                | FormatChoice::Jsonl
                | FormatChoice::Csv
                | FormatChoice::Parquet
                | FormatChoice::Prometheus
                | FormatChoice::Openmetrics,
            ) => Format::Human,
        }
    }
}

/// Runs the program with its arguments, the program's name first.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    // A file size limit (`ulimit -f`) must be an error of the write, not the end of the process.
    let ignored = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, ignored);
    let arguments = with_run_command(arguments);
    if supervise::is_meant(&arguments) {
        return supervise::supervise().into();
    }
    let cli = match parse(arguments) {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error),
    };
    let output = Output::new(cli.global.color);
    let of_verbose = cli.global.verbose.then_some(logs::LogFormat::Text);
    let format = cli.global.log_format.or(of_verbose);
    let asked = traces::Asked::of(&cli.command);
    let mut run_id = None;
    if format.is_some() || asked.is_some() {
        run_id = logs::begin(format, asked.as_ref());
    }
    let context = Context {
        global: cli.global,
        output,
        run_id,
    };
    let refused = asked.as_ref().map_or(Ok(()), |asked| asked.check(&context));
    let dispatched = match refused {
        Ok(()) => dispatch(&context, cli.command),
        Err(finding) => return context.output.failure(&anyhow::Error::new(*finding)).into(),
    };
    let exit = dispatched.unwrap_or_else(|error| context.output.failure(&error));
    match asked {
        Some(asked) => asked.finish(&context, exit).into(),
        None => exit.into(),
    }
}

impl Cli {
    /// `run` and nothing else, as the schedule gives it. clap's tables of all commands and options would
    /// cost it a tenth of its instructions; a test holds this to what clap makes of it.
    fn of_schedule() -> Self {
        Self {
            run: false,
            global: Global::default(),
            command: Command::Run(run::RunArgs::default()),
        }
    }
}

fn parse(arguments: Vec<OsString>) -> Result<Cli, clap::Error> {
    match arguments.as_slice() {
        [_, command] if command == "run" => Ok(Cli::of_schedule()),
        _ => Cli::try_parse_from(arguments),
    }
}

impl Command {
    /// True where the command can write its result in that format.
    fn has_format(&self, format: FormatChoice) -> bool {
        match format {
            FormatChoice::Human | FormatChoice::Json => true,
            FormatChoice::Markdown => match self {
                Self::Policy(policy::PolicyCommand::Backtest(_)) | Self::History(_) => true,
                Self::Compliance(command) => command.reports(),
                _ => false,
            },
            FormatChoice::Prometheus | FormatChoice::Openmetrics => {
                matches!(self, Self::Metrics(_))
            }
            FormatChoice::Jsonl => matches!(self, Self::Audit(audit::AuditCommand::Export(_))),
            FormatChoice::Csv => matches!(
                self,
                Self::Audit(audit::AuditCommand::Export(_)) | Self::History(_)
            ),
            FormatChoice::Parquet => matches!(self, Self::History(_)),
            FormatChoice::Sarif => matches!(
                self,
                Self::Policy(policy::PolicyCommand::Check(_)) | Self::Scan(_)
            ),
            FormatChoice::Github => matches!(self, Self::Policy(policy::PolicyCommand::Check(_))),
        }
    }
}

fn dispatch(context: &Context, command: Command) -> anyhow::Result<Exit> {
    let format = context.global.format;
    if !format.is_none_or(|format| command.has_format(format)) {
        let text = "this command has no such format: give `human` or `json` to `--format`";
        return Ok(usage_error(context, text));
    }
    if let Some(name) = simulation::refused(&command) {
        simulation::refuse(name)?;
    }
    if let Some(name) = tamper::acting(&command)
        && let Some(exit) = tamper::refuse(context, name)?
    {
        return Ok(exit);
    }
    if tamper::is_stopped_at_the_door(&command)
        && let Ok(workspace) = context.workspace()
        && let Some(closed) = kill_switch::closed(&workspace)
    {
        return Err(anyhow::Error::new(closed));
    }
    match command {
        Command::Run(arguments) => run::run(context, &arguments),
        Command::Explain(arguments) => explain::explain(context, &arguments),
        Command::Status(arguments) => status::status(context, &arguments),
        Command::Audit(command) => audit::audit(context, &command),
        Command::Respond(arguments) => respond::respond(context, &arguments),
        Command::Alerts(arguments) => alerts::alerts(context, &arguments),
        Command::Action(arguments) => action::action(context, &arguments),
        Command::Undo(arguments) => undo::undo(context, &arguments),
        Command::History(arguments) => history::history(context, &arguments),
        Command::Policy(command) => policy::policy(context, &command),
        Command::Replay(arguments) => replay::replay(context, &arguments),
        Command::Metrics(arguments) => metrics::metrics(context, &arguments),
        Command::Report(command) => report::report(context, &command),
        Command::Perform(arguments) => perform::perform(context, &arguments),
        Command::Trust(command) => trust::trust(context, &command),
        Command::Brake(command) => brake::brake(context, &command),
        Command::Kill(command) => kill::kill(context, &command),
        Command::Approve(command) => approve::approve(context, &command),
        Command::Override(command) => overrides::overrides(context, &command),
        Command::Attest(arguments) => attest::attest(context, &arguments),
        Command::Keys(command) => keys::keys(context, &command),
        Command::Guard(command) => guard::guard(context, &command),
        Command::Scan(command) => scan::scan(context, &command),
        Command::Checks(command) => checks::checks(context, &command),
        Command::Health(arguments) => checks::health(context, &arguments),
        Command::Compliance(command) => compliance::compliance(context, &command),
        Command::Analytics(arguments) => analytics::analytics(context, &arguments),
        Command::Spend(command) => spend::spend(context, &command),
        Command::Portal(arguments) => portal::portal(context, &arguments),
        Command::Init(arguments) => init::init(context, &arguments),
        Command::Decide(arguments) => decide::decide(context, &arguments),
        Command::Obligations(command) => obligations::obligations(context, &command),
        Command::Promote(command) => promote::promote(context, &command),
        Command::Doctor(arguments) => doctor::doctor(context, &arguments),
        Command::Completions(arguments) => completions::completions(context, &arguments),
        Command::Man(arguments) => completions::man(context, &arguments),
    }
}

/// `policy-orchestrator --run …` is the predecessor's way to say `policy-orchestrator run …`.
fn with_run_command(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(run) = arguments
        .iter_mut()
        .find(|argument| argument.as_os_str() == "--run")
    {
        *run = OsString::from("run");
    }
    arguments
}

/// The whole command line as clap knows it, for completions, manual pages and their tests.
fn command_line() -> clap::Command {
    Cli::command()
}

/// True under `ENV=production`.
fn production() -> bool {
    output::variable("ENV").is_some_and(|name| name == "production")
}

/// How a command came out, in a word for its span.
fn outcome(came: &anyhow::Result<Exit>) -> &'static str {
    match came {
        Ok(Exit::Done | Exit::Level(_)) => "done",
        Ok(Exit::Blocked) => "blocked",
        Ok(Exit::Denied) => "denied",
        Ok(Exit::Tampering) => "tampering",
        _ => "failed",
    }
}

/// The clock that a command uses: the machine's, or the time of `--at`.
fn clock(at: Option<Timestamp>) -> Clock {
    at.map_or(Clock::System, Clock::Given)
}

/// Parses the value of `--at`.
fn parse_time(text: &str) -> Result<Timestamp, String> {
    let time = Timestamp::read(text).map(|read| read.time);
    time.filter(|time| time.unix_seconds() >= 0).ok_or_else(|| {
        "expected a time after RFC 3339 from 1970 on, 2026-01-31T04:45:00Z say".to_owned()
    })
}

/// Parses the name of a level.
fn parse_level(name: &str) -> Result<Level, String> {
    Level::parse(name)
        .ok_or_else(|| "expected GREEN, YELLOW, RED or another level of the policy".to_owned())
}

/// From when on: a time, or a while back from now.
#[derive(Debug, Clone, Copy)]
enum Since {
    Time(Timestamp),
    Last(chrono::TimeDelta),
}

impl Since {
    fn time(self, clock: Clock) -> Timestamp {
        match self {
            Self::Time(time) => time,
            Self::Last(duration) => clock.read().minus(duration),
        }
    }
}

/// Parses the value of `--since`.
fn parse_since(text: &str) -> Result<Since, String> {
    match duration::parse(text) {
        Some(duration) => Ok(Since::Last(duration)),
        None => parse_time(text)
            .map(Since::Time)
            .map_err(|why| format!("{why}, or a duration, 30d say")),
    }
}

/// The longest reason, in characters: it stands in records, often more than once.
const REASON_LENGTH: usize = 1000;

/// Parses the value of `--reason`.
fn parse_reason(text: &str) -> Result<String, String> {
    let reason = text.trim();
    if reason.is_empty() {
        return Err("expected a reason".to_owned());
    }
    if reason.chars().count() > REASON_LENGTH || reason.chars().any(char::is_control) {
        return Err(format!(
            "expected one line of at most {REASON_LENGTH} characters"
        ));
    }
    // A reason is recorded, and may quote a command line.
    let secrets = Secrets::from_environment(output::all_variables(), None);
    Ok(secrets.redact(reason))
}

/// Says that the command line makes no sense here, and how the command then ends.
fn usage_error(context: &Context, text: &str) -> Exit {
    context.output.note(&format!("error: {text}"));
    Exit::Usage
}

/// True for a finding that means tampering or a broken chain.
fn is_tampering(finding: &Diagnostic) -> bool {
    matches!(
        finding.code,
        Code::JournalBroken
            | Code::LineChanged
            | Code::LineUnreadable
            | Code::LineOrder
            | Code::EndCut
            | Code::HeadDiffers
            | Code::StateDiffers
            | Code::DecisionDiffers
            | Code::RecordDiffers
            | Code::SignatureWrong
            | Code::SignatureMissing
            | Code::SegmentChanged
            | Code::PolicyCopyChanged
            | Code::VersionChanged
            | Code::AttestationUnsigned
            | Code::AttestationDiffers
            | Code::CheckpointUnsigned
            | Code::PolicyTampered
    )
}

/// True for a finding that means that what was asked for is not granted.
fn is_denied(finding: &Diagnostic) -> bool {
    matches!(
        finding.code,
        Code::StepDenied
            | Code::ApprovalMissing
            | Code::ApprovalRefused
            | Code::ApprovalUnknown
            | Code::OverrideRefused
            | Code::OverrideLocked
            | Code::CheckMissing
            | Code::MonitoringIncomplete
            | Code::CriterionViolated
            | Code::SwitchCutOff
            | Code::SecondPersonMissing
            | Code::PiiForbidden
            | Code::SimulationForbidden
    )
}

/// True for a finding that means a closed gate.
fn is_blocking(finding: &Diagnostic) -> bool {
    matches!(finding.code, Code::KillSwitchOn | Code::UnlockLimit)
}

#[cfg(test)]
mod reference;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command_line().debug_assert();
    }

    #[test]
    fn the_command_line_of_the_schedule_is_what_clap_makes_of_it() {
        let by_clap = Cli::try_parse_from(["policy-orchestrator", "run"]).unwrap();
        assert_eq!(format!("{:?}", Cli::of_schedule()), format!("{by_clap:?}"));
        for word in ["run", "--run"] {
            let words = ["policy-orchestrator", word].map(OsString::from);
            let parsed = parse(with_run_command(words)).unwrap();
            assert_eq!(format!("{parsed:?}"), format!("{by_clap:?}"));
        }
    }
}
