//! `spend`: may an agent make this payment, and what was spent so far?

use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::actor::actor;
use super::given::Given;
use super::recording::with_records;
use super::run::parse_timeout;
use super::{Context, Exit, Format, clock, parse_reason, parse_time, secrets, tamper};
use crate::diagnostic::Checked;
use crate::fs::Workspace;
use crate::report::answer;
use crate::request::Envelope;
use crate::request::envelope::Circumstances;
use crate::safeguard::kill_switch::{self, Switch};
use crate::spending::desk::{self, AT_ONCE, Answer, Desk, Spend, Wish};
use crate::spending::usage::Book;
use crate::spending::{Amount, Policies, Usage, intent};
use crate::time::Timestamp;

/// `spend` and its parts.
#[derive(Debug, Subcommand)]
pub(super) enum SpendCommand {
    /// May this payment be made? Records nothing
    Check(CheckArgs),
    /// Decide, and record what may be spent: in one step, once for an id
    Record(RecordArgs),
    /// Take a recorded payment out again: a reversal, a refund
    Cancel(CancelArgs),
    /// What agents spent in this day and month, by UTC, and what is left
    Usage(UsageArgs),
}

const CHECK_HELP: &str = "\
Examples:
  policy-orchestrator spend check --input payment.json
  policy-orchestrator spend check <payments.jsonl

A payment is {\"agentId\", \"entityId\", \"amount\", \"currency\", \"category\", \"beneficiary\": {\"id\",
\"account\", \"country\"}, \"purpose\", \"metadata\"}, alone or as the member `intent` of a request with an
`id`. Several stand in a line each; each gets a line. docs/spending.md says what policies say.

Exit codes: 0 allowed; 1 the input can't be read; 2 usage; 4 denied, or a person has to approve;
5 the policies can't be used, or something was changed";

const RECORD_HELP: &str = "\
Examples:
  policy-orchestrator spend record --id order-7 --input payment.json
  policy-orchestrator spend record --input payments.jsonl
  policy-orchestrator spend record --id order-7 --input payment.json --approval ID --approval ID

The same id twice is recorded once; another payment under the same id is denied. Without one, a new id
is made and told. What is recorded counts for the caps of its day and month, whatever became of the
payment, until `spend cancel` takes it out.

Exit codes: 0 recorded, all of them; 1 the input can't be read, or a write failed; 2 usage; 3 the kill
switch is on; 4 denied, or a person has to approve; 5 the policies can't be used, or something was changed";

const CANCEL_HELP: &str = "\
Example:
  policy-orchestrator spend cancel order-7 --reason 'refunded'

Exit codes: 0 cancelled; 1 nothing is recorded under the id, or a write failed; 2 usage; 3 the kill switch
is on; 5 something was changed";

const USAGE_HELP: &str = "\
Examples:
  policy-orchestrator spend usage
  policy-orchestrator spend usage --agent shopping-1 --day

Exit codes: 0 shown; 1 failed; 2 usage; 5 the policies can't be used, or something was changed";

/// What is asked about.
#[derive(Debug, Args)]
struct Input {
    /// The payments (- for standard input)
    #[arg(long, value_name = "FILE", default_value = "-")]
    input: String,

    /// End with 0 also where something is denied
    #[arg(long)]
    no_exit_code: bool,
}

#[derive(Debug, Args)]
#[command(after_help = CHECK_HELP)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    input: Input,

    /// Look as of this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,

    /// Tell what each policy and rule said
    #[arg(long)]
    explain: bool,
}

#[derive(Debug, Args)]
#[command(after_help = RECORD_HELP)]
pub(super) struct RecordArgs {
    #[command(flatten)]
    input: Input,

    /// The id of the one payment that is handed over
    #[arg(long, value_name = "ID", value_parser = parse_id)]
    id: Option<String>,

    /// The id of an approval of it; may be given more than once
    #[arg(long, value_name = "ID")]
    approval: Vec<String>,

    /// How long to wait for another command, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_timeout)]
    lock_timeout: Duration,
}

#[derive(Debug, Args)]
#[command(after_help = CANCEL_HELP)]
pub(super) struct CancelArgs {
    /// The id of the payment
    #[arg(value_name = "ID", value_parser = parse_id)]
    id: String,

    /// Why; it is recorded
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    reason: String,

    /// How long to wait for another command, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_timeout)]
    lock_timeout: Duration,
}

#[derive(Debug, Args)]
#[command(after_help = USAGE_HELP)]
pub(super) struct UsageArgs {
    /// Of this agent only
    #[arg(long, value_name = "AGENT")]
    agent: Option<String>,

    /// The day only
    #[arg(long, conflicts_with = "month")]
    day: bool,

    /// The month only
    #[arg(long)]
    month: bool,
}

fn parse_id(text: &str) -> Result<String, String> {
    let fits = !text.is_empty() && text.len() <= 200 && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
        .ok_or_else(|| "expected 1 to 200 bytes in one line".to_owned())
}

/// An answer as it is shown.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    envelope: Envelope,
    spend: Spend,
}

pub(super) fn spend(context: &Context, command: &SpendCommand) -> anyhow::Result<Exit> {
    match command {
        SpendCommand::Check(arguments) => by_policies(context, |workspace, policies| {
            check(context, workspace, policies, arguments)
        }),
        SpendCommand::Record(arguments) => by_policies(context, |workspace, policies| {
            record(context, workspace, policies, arguments)
        }),
        SpendCommand::Cancel(arguments) => cancel(context, arguments),
        SpendCommand::Usage(arguments) => by_policies(context, |workspace, policies| {
            usage(context, workspace, policies, arguments)
        }),
    }
}

/// Does what is done by the policies of the workspace; where they can't be used, that is said instead.
fn by_policies(
    context: &Context,
    act: impl FnOnce(&Workspace, &Policies) -> anyhow::Result<Exit>,
) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let looked = tamper::look(&workspace)?;
    if looked.is_tampered() {
        context.output.findings(&looked.findings());
        return Ok(Exit::Tampering);
    }
    match Policies::load(&workspace) {
        Ok(policies) => act(&workspace, &policies),
        Err(problems) => {
            context.output.findings(&problems);
            let text = "denied: nothing is spent by policies that can't be used";
            context.output.note(text);
            Ok(Exit::Tampering)
        }
    }
}

/// What was spent so far.
fn book(workspace: &Workspace) -> anyhow::Result<Book> {
    let key = secrets::signing_key()?;
    Ok(desk::book(workspace, key.as_ref())?)
}

/// The payments of an input, each as it is written; true where it is one alone.
fn payments(input: &Input) -> anyhow::Result<(Vec<String>, bool)> {
    const LIMIT: u64 = 64 * 1024 * 1024;
    let given = Given {
        path: &input.input,
        what: "file of payments",
        expected: "JSON, or JSON lines, of at most 64 MiB",
        limit: LIMIT,
    };
    let bytes = given.read()?;
    let text = String::from_utf8(bytes)?;
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let is_one = lines.len() < 2 || serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
    if is_one {
        return Ok((vec![text.trim().to_owned()], true));
    }
    Ok((lines.into_iter().map(str::to_owned).collect(), false))
}

/// The payment and the id of a line.
fn wish(line: &str) -> (Option<String>, Wish) {
    let request = intent::of_request(line);
    let id = request.and_then(|_| {
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        let id = value.get("id")?.as_str()?;
        parse_id(id).ok()
    });
    let wish = Wish {
        id: id
            .clone()
            .unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
        intent: crate::spending::Intent::parse(request.unwrap_or(line)),
        approvals: Vec::new(),
    };
    (id, wish)
}

fn check(
    context: &Context,
    workspace: &Workspace,
    policies: &Policies,
    arguments: &CheckArgs,
) -> anyhow::Result<Exit> {
    let book = book(workspace)?;
    let around = Circumstances {
        at: clock(arguments.at).read(),
        level: None,
        stopped: kill_switch::read(workspace) != Switch::Off,
        explain: arguments.explain,
    };
    let (lines, is_one) = payments(&arguments.input)?;
    let mut denied = false;
    for line in lines {
        let (id, wish) = wish(&line);
        let answer = desk::check(policies, &book, &around, wish.intent);
        denied |= !show(context, policies, &around, (id.as_deref(), answer), is_one)?;
    }
    Ok(ended(denied, &arguments.input))
}

fn ended(denied: bool, input: &Input) -> Exit {
    if denied && !input.no_exit_code {
        Exit::Denied
    } else {
        Exit::Done
    }
}

fn record(
    context: &Context,
    workspace: &Workspace,
    policies: &Policies,
    arguments: &RecordArgs,
) -> anyhow::Result<Exit> {
    refuse_where_stopped(workspace)?;
    let (lines, is_one) = payments(&arguments.input)?;
    if !is_one && (arguments.id.is_some() || !arguments.approval.is_empty()) {
        let text = "`--id` and `--approval` are for one payment, and there are several";
        return Ok(super::usage_error(context, text));
    }
    let mut wishes: Vec<Wish> = lines.iter().map(|line| wish(line).1).collect();
    if let Some(only) = wishes.first_mut() {
        if let Some(id) = &arguments.id {
            only.id.clone_from(id);
        }
        only.approvals.clone_from(&arguments.approval);
    }
    let holding = ("spend record", arguments.lock_timeout);
    let user = actor();
    let mut denied = false;
    // Between two appends others may have their turn.
    for some in wishes.chunks(AT_ONCE) {
        let (answers, at) = with_records(workspace, holding, |records| {
            let at = clock(None).read();
            let desk = Desk {
                records,
                at,
                user: &user,
            };
            Ok((desk::record(desk, policies, some)?, at))
        })?;
        let around = Circumstances {
            at,
            level: None,
            stopped: false,
            explain: false,
        };
        for (wish, answer) in some.iter().zip(answers) {
            let one = (Some(wish.id.as_str()), answer);
            denied |= !show(context, policies, &around, one, is_one)?;
        }
    }
    Ok(ended(denied, &arguments.input))
}

/// Shows an answer; true where it is an allowance.
fn show(
    context: &Context,
    policies: &Policies,
    around: &Circumstances,
    (id, answer): (Option<&str>, Answer),
    is_one: bool,
) -> anyhow::Result<bool> {
    let Answer { verdict, spend } = answer;
    let envelope = Envelope::new(id, verdict, Some(policies.digest()), around);
    let allowed = envelope.is_allowed();
    let shown = Shown { envelope, spend };
    match (context.format(), is_one) {
        (Format::Human, _) => context.output.result(&human(&shown))?,
        (Format::Json, true) => context.output.json(&shown)?,
        (Format::Json, false) => {
            context.output.json_line(&shown)?;
        }
    }
    Ok(allowed)
}

fn human(shown: &Shown) -> String {
    let Shown { envelope, spend } = shown;
    let mut text = answer::text(envelope) + "\n";
    if let Some(number) = spend.number {
        text.push_str(&format!(
            "  recorded   as number {number} of {}\n",
            crate::record::SPEND_LOG
        ));
    }
    if let (Some(subject), Some(_)) = (spend.subject, envelope.approvals_required) {
        text.push_str(&format!(
            "  ask        policy-orchestrator approve request --operation spend --subject {subject} --reason TEXT\n"
        ));
    }
    text
}

/// The kill switch, before an input is read or a lock waited for. It is asked again under the lock.
fn refuse_where_stopped(workspace: &Workspace) -> Checked<()> {
    match kill_switch::closed(workspace) {
        Some(closed) => Err(Box::new(closed)),
        None => Ok(()),
    }
}

fn cancel(context: &Context, arguments: &CancelArgs) -> anyhow::Result<Exit> {
    #[derive(Serialize)]
    struct Taken<'a> {
        schema: u32,
        id: &'a str,
        cancelled: bool,
        number: u64,
        usage: Usage,
    }
    let workspace = context.workspace()?;
    refuse_where_stopped(&workspace)?;
    let holding = ("spend cancel", arguments.lock_timeout);
    let user = actor();
    let (head, usage) = with_records(&workspace, holding, |records| {
        let desk = Desk {
            records,
            at: clock(None).read(),
            user: &user,
        };
        desk::cancel(desk, &arguments.id, &arguments.reason)
    })?;
    match context.format() {
        Format::Json => context.output.json(&Taken {
            schema: 1,
            id: &arguments.id,
            cancelled: true,
            number: head.seq,
            usage,
        })?,
        Format::Human => context.output.result(&format!(
            "cancelled  {}\n  number {} of {}\n",
            arguments.id,
            head.seq,
            crate::record::SPEND_LOG
        ))?,
    }
    Ok(Exit::Done)
}

/// What an agent spent in a span, and what is left of the smallest cap.
#[derive(Serialize)]
struct Span {
    spent: Amount,
    #[serde(skip_serializing_if = "Option::is_none")]
    cap: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<Amount>,
}

#[derive(Serialize)]
struct Row {
    agent: String,
    currency: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    month: Option<Span>,
}

fn usage(
    context: &Context,
    workspace: &Workspace,
    policies: &Policies,
    arguments: &UsageArgs,
) -> anyhow::Result<Exit> {
    #[derive(Serialize)]
    struct All {
        schema: u32,
        at: Timestamp,
        agents: Vec<Row>,
    }
    let book = book(workspace)?;
    let at = clock(None).read();
    let wanted = arguments.agent.as_deref();
    let found = book
        .all(at)
        .filter(|(agent, ..)| wanted.is_none_or(|wanted| wanted == *agent));
    let rows = found.map(|(agent, currency, usage)| {
        let of_both = policies
            .all()
            .iter()
            .filter(|policy| policy.is_for(agent) && policy.currency == currency);
        let caps: Vec<_> = of_both.map(|policy| policy.caps).collect();
        let day = caps.iter().map(|caps| caps.daily).min();
        let month = caps.iter().map(|caps| caps.monthly).min();
        let span = |spent, cap: Option<Amount>| Span {
            spent,
            cap,
            left: cap.map(|cap| cap.less(spent)),
        };
        Row {
            agent: agent.to_owned(),
            currency: currency.to_owned(),
            day: (!arguments.month).then(|| span(usage.day, day)),
            month: (!arguments.day).then(|| span(usage.month, month)),
        }
    });
    let agents: Vec<Row> = rows.collect();
    match context.format() {
        Format::Json => context.output.json(&All {
            schema: 1,
            at,
            agents,
        })?,
        Format::Human => context.output.result(&table(&agents))?,
    }
    Ok(Exit::Done)
}

fn table(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "nothing was spent in this month\n".to_owned();
    }
    let mut text = String::new();
    for row in rows {
        text.push_str(&format!("{}  {}\n", row.agent, row.currency));
        for (name, span) in [("day", &row.day), ("month", &row.month)] {
            let Some(Span { spent, cap, left }) = span else {
                continue;
            };
            let of = match (cap, left) {
                (Some(cap), Some(left)) => format!(" of {cap}, {left} left"),
                _ => ", and no policy is for it".to_owned(),
            };
            text.push_str(&format!("  {name:<5}  {spent}{of}\n"));
        }
    }
    text
}
