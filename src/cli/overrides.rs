//! `override`: a one-time code opens one thing, once, for minutes.

use std::thread::sleep;
use std::time::Duration;

use chrono::TimeDelta;
use clap::{Args, Subcommand};
use qrcode::{EcLevel, QrCode};
use serde::Serialize;

use super::actor::actor;
use super::approve::previewed;
use super::recording::{self, Now, with_records};
use super::{Context, Exit, Format, portal, second, secrets};
use crate::approval::Operation;
use crate::approval::operation::Overridden;
use crate::approval::overrides::{self, LONGEST, Outcome, USUAL};
use crate::approval::totp::{Code, TotpSecret};
use crate::diagnostic::{Checked, shown};
use crate::fs::Workspace;
use crate::policy::duration;
use crate::record::AUDIT_LOG;
use crate::record::audit::Recorded;
use crate::time::{Clock, Timestamp};

#[derive(Debug, Subcommand)]
pub(super) enum OverrideCommand {
    /// Ask for an override of one operation
    Request(RequestArgs),
    /// Give one that somebody else asked for, with the code of the moment
    Approve(ApproveArgs),
    /// Which are open, and what was tried lately
    Status(StatusArgs),
    /// Make the secret of the codes, and show it to an authenticator app
    Enroll(EnrollArgs),
}

const REQUEST_HELP: &str = "\
Examples:
  policy-orchestrator override request --operation apply --justification 'INC-7, mirrors are gone'
  policy-orchestrator override request --operation guard:policy/policy.yaml --justification 'INC-7' --timeout 15m --wait

`apply` stands for the plan of the last dry run (`apply:` and its 64 digits). Somebody else answers
with `override approve`, in the time given; the override then lasts as long, and works once. It opens
the gate `approver` or one protected path: never the kill switch, tampering, or the record.

Exit codes: 0 recorded, with --wait: given; 1 failed; 2 usage; 4 with --wait: not given in time; 5 the record was changed";

const APPROVE_HELP: &str = "\
Example:
  policy-orchestrator override approve 0b5c2f4e-7d1c-4c58-9a52-5a0f6f9f3c11 --code 123456 --justification 'seen, go ahead'

The code is the one that the authenticator app shows. Its secret is in POLICY_TOTP_SECRET
(SCALPEL_TOTP_SECRET) or the file that POLICY_TOTP_SECRET_FILE names. Whoever asked can't answer; a
code counts once; five wrong ones lock for 15 minutes. All of it is recorded.

Exit codes: 0 given; 1 failed; 2 usage; 4 refused; 5 the record was changed";

const STATUS_HELP: &str = "\
Examples:
  policy-orchestrator override status
  policy-orchestrator override status 0b5c2f4e-7d1c-4c58-9a52-5a0f6f9f3c11 --format json

Exit codes: 0 shown; with an ID: 0 it may be used, 4 it may not; 1 failed";

const ENROLL_HELP: &str = "\
Example:
  policy-orchestrator override enroll --account ada@example.org

Makes a secret of 160 random bits and shows it once, on a terminal only: as a picture for an
authenticator app, as an address, and as text for POLICY_TOTP_SECRET. It is kept nowhere. --show-secret
prints the text also where no terminal is, for a secret store that reads a pipe.

Exit codes: 0 shown; 1 failed; 2 no terminal";

#[derive(Debug, Args)]
#[command(after_help = REQUEST_HELP)]
pub(super) struct RequestArgs {
    /// What for: `apply`, `apply:DIGEST` or `guard:PATH`
    #[arg(long, value_name = "OPERATION")]
    operation: String,

    /// Why; it is recorded
    #[arg(long, value_name = "TEXT", value_parser = super::parse_reason)]
    justification: String,

    /// How long an answer may take, and how long the override then lasts [default: 5m, at most 1h]
    #[arg(long, value_name = "DURATION", value_parser = parse_lasts)]
    timeout: Option<TimeDelta>,

    /// Wait for the answer
    #[arg(long)]
    wait: bool,

    #[command(flatten)]
    now: Now,
}

#[derive(Debug, Args)]
#[command(after_help = APPROVE_HELP)]
pub(super) struct ApproveArgs {
    /// The id of the request
    #[arg(value_name = "ID")]
    id: String,

    /// The six digits that the authenticator app shows
    #[arg(long, value_name = "NNNNNN", value_parser = parse_code)]
    code: Code,

    /// Why; it is recorded
    #[arg(long, value_name = "TEXT", value_parser = super::parse_reason)]
    justification: String,

    #[command(flatten)]
    now: Now,
}

#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP)]
pub(super) struct StatusArgs {
    /// Only this one
    #[arg(value_name = "ID")]
    id: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = ENROLL_HELP)]
pub(super) struct EnrollArgs {
    /// What the app calls the account [default: who you are]
    #[arg(long, value_name = "NAME")]
    account: Option<String>,

    /// Print the secret, and nothing else, wherever standard output goes
    #[arg(long)]
    show_secret: bool,
}

fn parse_lasts(text: &str) -> Result<TimeDelta, String> {
    let lasts = duration::parse(text).filter(|lasts| *lasts <= LONGEST);
    lasts.ok_or_else(|| "expected a duration from 1s to 1h, `5m` say".to_owned())
}

fn parse_code(text: &str) -> Result<Code, String> {
    Code::parse(text).ok_or_else(|| "expected six digits".to_owned())
}

pub(super) fn overrides(context: &Context, command: &OverrideCommand) -> anyhow::Result<Exit> {
    match command {
        OverrideCommand::Request(arguments) => request(context, arguments),
        OverrideCommand::Approve(arguments) => approve(context, arguments),
        OverrideCommand::Status(arguments) => status(context, arguments),
        OverrideCommand::Enroll(arguments) => enroll(context, arguments),
    }
}

fn request(context: &Context, arguments: &RequestArgs) -> anyhow::Result<Exit> {
    let named = arguments.operation.as_str();
    let operation = if named == "apply" {
        Overridden::Apply(previewed(&context.workspace()?)?.sha256)
    } else {
        match named.parse::<Overridden>() {
            Ok(operation) => operation,
            Err(why) => return Ok(super::usage_error(context, &why)),
        }
    };
    let lasts = arguments.timeout.unwrap_or(USUAL);
    let (now, why) = (&arguments.now, &arguments.justification);
    let asked = recording::change_now(context, now, "override request", |request| {
        overrides::request(request, &operation, why, lasts)
    })?;
    if !arguments.wait {
        show(context, &asked)?;
        return Ok(Exit::Done);
    }
    let id = &asked.override_id;
    context.output.note(&format!(
        "override {id} waits for `override approve` until {}",
        asked.expires_at
    ));
    let answered = wait(&context.workspace()?, asked)?;
    show(context, &answered)?;
    Ok(exit_of(&answered))
}

fn exit_of(outcome: &Outcome) -> Exit {
    if outcome.approved {
        Exit::Done
    } else {
        Exit::Denied
    }
}

/// Looks for an answer until it would be too late.
fn wait(workspace: &Workspace, asked: Outcome) -> Checked<Outcome> {
    const PAUSE: Duration = Duration::from_millis(200);
    loop {
        let at = Clock::System.read();
        let standing = overrides::standing(workspace)?;
        let open = standing.get(&asked.override_id);
        let open = open.map(|open| overrides::outcome(open, at));
        match open {
            Some(answered) if answered.approved_by.is_some() => {
                return Ok(Outcome {
                    justification: asked.justification,
                    ..answered
                });
            }
            Some(_) if at < asked.expires_at => sleep(PAUSE),
            _ => {
                return Ok(Outcome {
                    reason: "nobody answered in time".to_owned(),
                    ..asked
                });
            }
        }
    }
}

fn approve(context: &Context, arguments: &ApproveArgs) -> anyhow::Result<Exit> {
    let secret = secrets::totp()?;
    let ApproveArgs {
        id,
        code,
        justification,
        now,
    } = arguments;
    let given = recording::change_now(context, now, "override approve", |request| {
        overrides::approve(request, id, code, justification, &secret)
    })?;
    show(context, &given)?;
    portal::tell(context, &context.workspace()?, now.lock_timeout());
    Ok(exit_of(&given))
}

/// The JSON shape of `request` and `approve`, in the words of S3-041.
#[derive(Serialize)]
struct Shown<'a> {
    schema: u32,
    #[serde(flatten)]
    outcome: &'a Outcome,
}

fn show(context: &Context, outcome: &Outcome) -> anyhow::Result<()> {
    match context.format() {
        Format::Json => context.output.json(&Shown { schema: 1, outcome }),
        Format::Human => context.output.result(&human(outcome)),
    }
}

fn human(outcome: &Outcome) -> String {
    let mut text = format!(
        "override {}: {}\n  operation     {}\n  requested by  {}\n",
        outcome.override_id,
        shown(&outcome.reason),
        shown(&outcome.operation),
        shown(&outcome.requested_by)
    );
    if let Some(by) = &outcome.approved_by {
        text.push_str(&format!("  approved by   {}\n", shown(by)));
    }
    if let Some(why) = &outcome.justification {
        text.push_str(&format!("  justification {}\n", shown(why)));
    }
    text.push_str(&format!("  until         {}\n", outcome.expires_at.human()));
    text
}

/// The JSON shape of `override status`.
#[derive(Serialize)]
struct Status {
    schema: u32,
    at: Timestamp,
    /// No code is looked at before this time.
    locked_until: Option<Timestamp>,
    /// How many were given in the last 24 hours.
    given_in_24h: usize,
    open: Vec<Outcome>,
    events: Vec<Step>,
}

#[derive(Serialize)]
struct Step {
    time: Timestamp,
    event_type: String,
    user: String,
    override_id: Option<String>,
    details: serde_json::Value,
}

impl From<Recorded> for Step {
    fn from(event: Recorded) -> Self {
        Self {
            time: event.time,
            event_type: event.event_type.to_string(),
            user: event.user,
            override_id: event.task_id,
            details: event.details,
        }
    }
}

fn status(context: &Context, arguments: &StatusArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let at = Clock::System.read();
    let standing = overrides::standing(&workspace)?;
    let events = overrides::events(&workspace, at.minus(TimeDelta::hours(24)))?;
    let given = events
        .iter()
        .filter(|event| event.action == "override_approve");
    let given = given
        .filter(|event| event.event_type == crate::ids::EventType::OVERRIDE_APPROVED)
        .count();
    let is_asked = |id: &str| arguments.id.as_deref().is_none_or(|asked| asked == id);
    let open = standing.open.iter().filter(|open| is_asked(&open.id));
    let status = Status {
        schema: 1,
        at,
        locked_until: standing.locked_until.filter(|until| at < *until),
        given_in_24h: given,
        open: open.map(|open| overrides::outcome(open, at)).collect(),
        events: events
            .into_iter()
            .filter(|event| is_asked(event.task_id.as_deref().unwrap_or_default()))
            .map(Step::from)
            .collect(),
    };
    match context.format() {
        Format::Json => context.output.json(&status)?,
        Format::Human => context.output.result(&human_status(&status))?,
    }
    let usable = status.open.iter().any(|open| open.approved);
    Ok(match arguments.id {
        Some(_) if !usable => Exit::Denied,
        _ => Exit::Done,
    })
}

fn human_status(status: &Status) -> String {
    let mut text = String::new();
    if let Some(until) = status.locked_until {
        let until = until.human();
        text.push_str(&format!(
            "too many wrong codes: none is looked at before {until}\n"
        ));
    }
    if status.open.is_empty() {
        text.push_str("no override is open\n");
    }
    for open in &status.open {
        text.push_str(&human(open));
    }
    text.push_str(&format!(
        "given in the last 24 h: {}\n",
        status.given_in_24h
    ));
    for step in &status.events {
        text.push_str(&format!(
            "  {}  {:<18}  {}  {}\n",
            step.time.human(),
            step.event_type,
            shown(step.override_id.as_deref().unwrap_or("-")),
            shown(&step.user)
        ));
    }
    text.push_str(&format!("{AUDIT_LOG} holds all of it\n"));
    text
}

/// What the app shows above the codes.
const ISSUER: &str = "policy-orchestrator";

/// How long an enrolment in production waits for another command.
const WAIT: Duration = Duration::from_secs(30);

fn enroll(context: &Context, arguments: &EnrollArgs) -> anyhow::Result<Exit> {
    let is_for_person = context.output.on_terminal() && context.format() == Format::Human;
    if !is_for_person && !arguments.show_secret {
        let text = "the secret is shown on a terminal only; `--show-secret` prints it all the same";
        return Ok(super::usage_error(context, text));
    }
    let account = arguments.account.clone().unwrap_or_else(actor);
    if let Some(exit) = second::look(context, "override enroll")? {
        return Ok(exit);
    }
    if super::production() {
        let workspace = context.workspace()?;
        with_records(
            &workspace,
            ("override enroll", WAIT),
            |records| match second::wanted(records, Operation::Enroll, &account)? {
                Some(change) => second::done(records, &change),
                None => Ok(()),
            },
        )?;
    }
    let secret = TotpSecret::generate()?;
    let text = secret.to_base32();
    if arguments.show_secret {
        context.output.result(&format!("{}\n", text.as_str()))?;
        return Ok(Exit::Done);
    }
    let uri = secret.uri(ISSUER, &account);
    context.output.result(&format!(
        "{}\n{}\n\nsecret  {}\n\nThe app reads the picture; POLICY_TOTP_SECRET, or the file that POLICY_TOTP_SECRET_FILE\nnames, takes the secret. It is kept nowhere and not shown again.\n",
        picture(uri.as_bytes()),
        uri.as_str(),
        text.as_str()
    ))?;
    Ok(Exit::Done)
}

/// A QR code in half blocks, dark on light, with the margin that readers need.
fn picture(text: &[u8]) -> String {
    const MARGIN: usize = 2;
    // An address of a few hundred bytes always fits; without a picture there is the address.
    let Ok(code) = QrCode::with_error_correction_level(text, EcLevel::L) else {
        return String::new();
    };
    let width = code.width();
    let is_dark = |x: usize, y: usize| {
        let inside = |at: usize| at.checked_sub(MARGIN).filter(|at| *at < width);
        match (inside(x), inside(y)) {
            (Some(x), Some(y)) => code[(x, y)] == qrcode::Color::Dark,
            _ => false,
        }
    };
    let whole = width + 2 * MARGIN;
    let mut picture = String::new();
    for y in (0..whole).step_by(2) {
        // Black on white, whatever the terminal's colours are.
        picture.push_str("\u{1b}[30;47m");
        for x in 0..whole {
            picture.push(match (is_dark(x, y), is_dark(x, y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        picture.push_str("\u{1b}[0m\n");
    }
    picture
}
