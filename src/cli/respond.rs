//! `respond`: what the level calls for, and which gates stand before it; with `--apply`, carry it
//! out.
//!
//! Without `--apply` it is a dry run: nothing is started, and nothing is written but the preview.

use std::time::Duration;

use clap::Args;

use super::actor::actor;
use super::output::{finding_of, variable};
use super::run::{lock_timeout, parse_timeout};
use super::under_way::{self, UnderWay};
use super::{
    Context, Exit, Format, clock, launch, parse_level, parse_time, portal, secrets, workflow,
};
use crate::diagnostic::{Code, Diagnostic, Place, readable};
use crate::fs::{RetryDelays, Workspace, WorkspaceLock, write};
use crate::policy::{Level, Policy};
use crate::record::{SigningKey, state};
use crate::report::github::Responded;
use crate::report::paint::symbol;
use crate::response::apply::{self, Applied, Ending, Operator, Report};
use crate::response::declared::{InForce, Responses};
use crate::response::facts::{self, Depth, Question, Survey, Wanted};
use crate::response::gates::{self, Gate};
use crate::response::preview::{self, Preview};
use crate::signals::DEFAULT_LIMIT;
use crate::time::Timestamp;

const EXAMPLES: &str = "\
Examples:
  policy-orchestrator respond                  what the last decision calls for
  policy-orchestrator respond --policy RED     what RED would call for
  policy-orchestrator respond | jq '.gates[] | select(.open | not)'
  policy-orchestrator respond --apply          carry it out, where every gate is open
  policy-orchestrator respond --apply --only integrity_check
  policy-orchestrator respond --policy RED --apply --force-level --reason 'drill, ticket 4711'

Without --apply nothing is started, and nothing is written but state/policy_response_preview.json.
A plan is applied at most once; what was cut off, or is to be done once more, needs --again --reason.
`policy-orchestrator undo run ID` takes back what an apply changed. With --auto, and under
ENV=production, somebody else has to have approved this very plan (`approve request --operation
apply`), or to have given an override of it (`override request --operation apply`, --override ID).

Exit codes:
  0  a dry run, whatever the gates; an apply whose actions all ended well; GREEN
  1  an action failed, nothing is decided, the preview or the record can't be written
  2  the command line makes no sense; --apply without --auto in a workflow
  3  a gate was closed: nothing was started
  5  the record was changed, and no level is named";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(super) struct RespondArgs {
    /// The level to respond to: GREEN, YELLOW, RED or another of the policy's [default: the last decision's]
    #[arg(long, value_name = "LEVEL", value_parser = parse_level)]
    policy: Option<Level>,

    /// Carry the plan out
    #[arg(long, conflicts_with = "at")]
    apply: bool,

    /// Only this action of the plan
    #[arg(long, value_name = "ACTION")]
    only: Option<String>,

    /// Unattended: needs POLICY_AUTO_APPLY=true, a dry run of the same plan, and an approver
    #[arg(long)]
    auto: bool,

    /// An override that is to stand for the approver
    #[arg(long = "override", value_name = "ID")]
    override_id: Option<String>,

    /// Apply a plan once more, or behind an action whose outcome nobody knows
    #[arg(long, requires_all = ["apply", "reason"])]
    again: bool,

    /// Apply another level's plan than the decided one's
    #[arg(long, requires_all = ["apply", "policy", "reason"])]
    force_level: bool,

    /// Why; it is recorded
    #[arg(long, value_name = "TEXT", value_parser = super::parse_reason)]
    reason: Option<String>,

    /// Look at the gates as of this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,

    /// How long to wait for a run, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_timeout)]
    lock_timeout: Duration,
}

impl RespondArgs {
    /// True where the plan is to be carried out.
    pub(super) fn applies(&self) -> bool {
        self.apply
    }
}

pub(super) fn respond(context: &Context, arguments: &RespondArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let key = secrets::signing_key()?;
    if arguments.apply && !arguments.auto && workflow::is_running() {
        let text = "in a workflow nobody stands by: use `--apply --auto`, which needs POLICY_AUTO_APPLY=true, a dry run of the same plan and an approver";
        return Ok(super::usage_error(context, text));
    }
    if arguments.policy == Some(Level::GREEN) {
        nothing(context, &Level::GREEN);
        return Ok(Exit::Done);
    }
    // Before the lock: where it can't be used, not even that is written. A dry run looks at this one
    // throughout. An apply reads it again on purpose, under the lock and before every action: what
    // counts for its gates and its plan is what is in force then.
    let in_force = InForce::load(&workspace);
    let declared = match usable(context, arguments, &workspace, &in_force) {
        Ok(declared) => declared,
        Err(exit) => return Ok(exit),
    };
    let user = actor();
    let question = question(arguments, &workspace, key.as_ref(), &user);
    let responded = if arguments.apply {
        carry_out(context, arguments, &question, declared)
    } else {
        dry_run(context, arguments, question, (&in_force, declared))
    };
    if let Err(error) = &responded
        && workflow::is_running()
    {
        workflow::annotate(context.output, &workspace, finding_of(error));
    }
    responded
}

/// What is declared here, where it can be used and has the level that was named; otherwise that is
/// told, and this is the exit.
fn usable<'f>(
    context: &Context,
    arguments: &RespondArgs,
    workspace: &Workspace,
    in_force: &'f InForce,
) -> Result<&'f Responses, Exit> {
    let responses = match &in_force.responses {
        Ok(responses) => responses,
        // Every problem of the document, not the first alone.
        Err(problems) => {
            context.output.findings(problems);
            if workflow::is_running() {
                workflow::annotate(context.output, workspace, problems.iter());
            }
            return Err(Exit::Failed);
        }
    };
    let level = arguments.policy.as_ref();
    match level.and_then(|level| not_in_force(&in_force.policy.policy, level)) {
        Some(text) => Err(super::usage_error(context, &text)),
        None => Ok(responses),
    }
}

/// What to say where the policy in force has no such level.
fn not_in_force(policy: &Policy, level: &Level) -> Option<String> {
    if Level::built_in(level.name()).is_some() {
        return None;
    }
    let levels = policy.levels();
    let names: Vec<&str> = levels.iter().map(Level::name).collect();
    let known = names.contains(&level.name());
    (!known).then(|| {
        format!(
            "the policy has no level {level}; it has {}",
            names.join(", ")
        )
    })
}

fn question<'a>(
    arguments: &'a RespondArgs,
    workspace: &'a Workspace,
    key: Option<&'a SigningKey>,
    user: &'a str,
) -> Question<'a> {
    let word = |given: bool| arguments.reason.clone().filter(|_| given);
    Question {
        workspace,
        at: clock(arguments.at).read(),
        wanted: arguments
            .policy
            .as_ref()
            .map_or(Wanted::Decided, Wanted::Level),
        only: arguments.only.as_deref(),
        forced: word(arguments.force_level),
        again: word(arguments.again),
        unattended: arguments.auto.then(|| variable("POLICY_AUTO_APPLY")),
        other_apply: None,
        unsettleable: None,
        depth: if arguments.apply {
            Depth::SinceVerified
        } else {
            Depth::End
        },
        limit: DEFAULT_LIMIT,
        key,
        production: super::production(),
        user,
        override_id: arguments.override_id.as_deref(),
    }
}

fn dry_run(
    context: &Context,
    arguments: &RespondArgs,
    question: Question<'_>,
    (in_force, declared): (&InForce, &Responses),
) -> anyhow::Result<Exit> {
    let workspace = question.workspace;
    let retry = RetryDelays::default();
    let timeout = lock_timeout(arguments.lock_timeout);
    let _lock = WorkspaceLock::acquire(workspace, "respond", timeout, &retry)?;
    let under_way = UnderWay::look(workspace);
    if let Ok(under_way) = &under_way {
        context.output.findings(&under_way.warning());
    }
    let other_apply = match under_way {
        Ok(UnderWay::Held(holder)) => Some(holder),
        // A journal that can't be read closes its gate below.
        _ => None,
    };
    let question = Question {
        at: clock(arguments.at).read(),
        other_apply,
        ..question
    };
    let (plan, facts) = match facts::survey_under(&question, in_force)? {
        Survey::Undecided => return Err(anyhow::Error::new(undecided())),
        Survey::NoSuchAction(names) => return Ok(no_such_action(context, arguments, &names)),
        Survey::Nothing(level) => {
            nothing(context, &level);
            return Ok(Exit::Done);
        }
        Survey::Planned(planned) => *planned,
    };
    if let (Ok(Some(decided)), Some(wanted)) = (&facts.decision, &facts.wanted)
        && decided.level != *wanted
    {
        context.output.note(&format!(
            "warning: {} was decided, and {wanted} is previewed",
            decided.level
        ));
    }
    let id = uuid::Uuid::new_v4().to_string();
    let secrets = launch::secrets(declared)?;
    let preview = Preview::new(plan, gates::evaluate(&facts), question.at, id)
        .redacted(|text| secrets.redact(text));
    let bytes = preview.to_bytes();
    retry
        .retry(|| write::replace_rarely(workspace, preview::FILE, &bytes))
        .map_err(Box::<Diagnostic>::from)?;
    match context.format() {
        Format::Json => context.output.result_bytes(&bytes)?,
        Format::Human => context.output.result(&human_preview(context, &preview))?,
    }
    if workflow::is_running() {
        let commands = preview.commands().map(|(command, _)| command);
        let responded = Responded {
            level: preview.policy(),
            outcome: "dry_run",
            reason: preview.gates.iter().find_map(|gate| gate.reason.as_deref()),
            fix_branch: None,
            actions: preview.names().zip(commands).collect(),
            closed: closed(&preview.gates),
        };
        workflow::tell_response(context.output, &responded);
    }
    Ok(Exit::Done)
}

fn carry_out(
    context: &Context,
    arguments: &RespondArgs,
    question: &Question<'_>,
    declared: &Responses,
) -> anyhow::Result<Exit> {
    let retry = RetryDelays::default();
    let operator = Operator {
        workspace: question.workspace,
        key: question.key,
        retry: &retry,
        timeout: lock_timeout(arguments.lock_timeout),
        what: "apply",
        user: question.user,
    };
    let launch = launch::Prepared::new(declared)?;
    let redacted = |word: &Option<String>| word.as_ref().map(|text| launch.redact(text));
    let question = Question {
        forced: redacted(&question.forced),
        again: redacted(&question.again),
        ..question.clone()
    };
    let applied = apply::apply(operator, &question, launch.as_launch());
    portal::tell(context, question.workspace, arguments.lock_timeout);
    let applied = applied?;
    if let Ending::NoSuchAction(names) = &applied.ending {
        return Ok(no_such_action(context, arguments, names));
    }
    tell(context, applied)
}

/// Shows how an apply ended.
pub(super) fn tell(context: &Context, applied: Applied) -> anyhow::Result<Exit> {
    let warning = applied.interrupted.as_ref().map(under_way::warning);
    context
        .output
        .findings(warning.iter().chain(&applied.findings));
    let (report, exit) = match applied.ending {
        Ending::Undecided | Ending::NoSuchAction(_) => {
            return Err(anyhow::Error::new(undecided()));
        }
        Ending::Nothing(level) => {
            nothing(context, &level);
            return Ok(Exit::Done);
        }
        Ending::Blocked(report) => {
            let exit = super::tamper::blocked(&report.gates);
            (report, exit)
        }
        Ending::Done(report) => {
            let failed = apply::failed(&report);
            context.output.findings(&failed);
            if workflow::is_running() {
                let all = applied.findings.iter().chain(&failed);
                workflow::annotate(context.output, &context.workspace()?, all);
            }
            let exit = if report.success {
                Exit::Done
            } else {
                Exit::Failed
            };
            (report, exit)
        }
    };
    match context.format() {
        Format::Json => context.output.json(&report)?,
        Format::Human => context.output.result(&human_report(context, &report))?,
    }
    if workflow::is_running() {
        let results = report.results.iter();
        let responded = Responded {
            level: report.policy.as_ref(),
            outcome: match exit {
                Exit::Blocked | Exit::Tampering => "blocked",
                Exit::Done => "applied",
                _ => "failed",
            },
            reason: report.reason.as_deref(),
            fix_branch: report.fix_branch.as_deref(),
            actions: results
                .map(|result| (result.action.as_str(), result.ended.as_str()))
                .collect(),
            closed: closed(&report.gates),
        };
        workflow::tell_response(context.output, &responded);
    }
    Ok(exit)
}

fn closed(gates: &[Gate]) -> Vec<(&str, &str, &str)> {
    let closed = gates.iter().filter_map(|gate| {
        let reason = gate.reason.as_deref()?;
        Some((gate.name, reason, gate.detail.as_str()))
    });
    closed.collect()
}

fn nothing(context: &Context, level: &Level) {
    context
        .output
        .note(&format!("{level} calls for nothing: no action, no preview"));
    if workflow::is_running() {
        let responded = Responded {
            level: Some(level),
            outcome: "green",
            reason: None,
            fix_branch: None,
            actions: Vec::new(),
            closed: Vec::new(),
        };
        workflow::tell_response(context.output, &responded);
    }
}

fn no_such_action(context: &Context, arguments: &RespondArgs, names: &[String]) -> Exit {
    let asked = arguments.only.as_deref().unwrap_or_default();
    let text = format!(
        "the plan has no action `{asked}`; it has {}",
        names.join(", ")
    );
    super::usage_error(context, &text)
}

fn undecided() -> Diagnostic {
    Diagnostic::new(
        Code::NothingRecorded,
        Place::file(state::FILE),
        "nothing was decided here yet, so there is no level to respond to",
    )
    .found("no state file and no journal")
    .expected("a decision that `run` recorded")
    .help("run `policy-orchestrator run`, or name a level with `--policy`")
}

fn badge(context: &Context, level: Option<&Level>) -> String {
    level.map_or_else(
        || "one action".to_owned(),
        |level| {
            context
                .output
                .paint()
                .level(level, &format!("{} {level}", symbol(level)))
        },
    )
}

fn human_preview(context: &Context, preview: &Preview) -> String {
    let badge = badge(context, preview.policy());
    let mut text = format!("{badge}  calls for (dry run, nothing was started):\n");
    for (command, reversible) in preview.commands() {
        let undo = if reversible {
            "  (can be taken back)"
        } else {
            ""
        };
        text.push_str(&format!("  {}{undo}\n", readable(command, 500)));
    }
    text.push_str(&human_gates(context, &preview.gates));
    let verdict = if preview.would_be_blocked() {
        "an apply would be blocked"
    } else {
        "no gate stands in the way"
    };
    text.push_str(&format!("{verdict}; {} holds this\n", preview::FILE));
    text
}

fn human_gates(context: &Context, gates: &[Gate]) -> String {
    let paint = context.output.paint();
    let mut text = "gates:\n".to_owned();
    for gate in gates {
        let verdict = match &gate.reason {
            None => "open  ".to_owned(),
            Some(_) => paint.error("CLOSED"),
        };
        let detail = readable(&gate.detail, 500);
        text.push_str(&format!("  {verdict}  {:<16}  {detail}", gate.name));
        if let Some(reason) = &gate.reason {
            text.push_str(&format!(" ({reason})"));
        }
        if let Some(opens) = gate.opens_at {
            text.push_str(&format!("; opens {}", opens.human()));
        }
        text.push('\n');
    }
    text
}

fn human_report(context: &Context, report: &Report) -> String {
    let paint = context.output.paint();
    let badge = badge(context, report.policy.as_ref());
    if report.blocked {
        let gates = human_gates(context, &report.gates);
        return format!(
            "{badge}  {}: nothing was started\n{gates}{} holds this\n",
            paint.error("BLOCKED"),
            apply::BLOCKED_REPORT
        );
    }
    let how = if report.success { "applied" } else { "FAILED" };
    let mut text = format!("{badge}  {how}, as {}:\n", report.response_id);
    for result in &report.results {
        let verdict = match (result.success, result.skipped) {
            (true, _) => paint.level(&Level::GREEN, "done   "),
            (false, true) => "skipped".to_owned(),
            (false, false) => paint.error("FAILED "),
        };
        text.push_str(&format!(
            "  {verdict}  {:<26}  {} ({:.1} s)\n",
            result.action, result.ended, result.duration
        ));
    }
    if report
        .results
        .iter()
        .any(|result| result.reversible && result.success)
    {
        text.push_str(&format!(
            "take back with: policy-orchestrator undo run {}\n",
            report.response_id
        ));
    }
    if let Some(branch) = &report.fix_branch {
        text.push_str(&format!("diagnostics are on the branch {branch}\n"));
    }
    text
}
