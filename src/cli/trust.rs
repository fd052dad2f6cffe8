//! `trust`: the trust guard, which locks where metrics are too low.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::recording::{self, Recording};
use super::{Context, Exit, Format, clock, parse_time};
use crate::diagnostic::{Diagnostic, shown};
use crate::policy::Level;
use crate::record::{Head, TRUST_LOG};
use crate::report::Paint;
use crate::safeguard::lock_state::Changed;
use crate::safeguard::trust_guard::{self, Happened, Look, Outcome};
use crate::safeguard::verdict::{Breach, Cause, Lock, Metrics, Verdict};
use crate::signals::{DEFAULT_LIMIT, ReadContext};
use crate::time::Timestamp;

#[derive(Debug, Subcommand)]
pub(super) enum TrustCommand {
    /// Is it locked, or would it be? Writes nothing
    Check(CheckArgs),
    /// Lock where metrics are too low, or open a lock whose time is over
    Enforce(EnforceArgs),
    /// Open the lock by hand, a few times a day
    ForceUnlock(ForceUnlockArgs),
    /// The lock, and the counter of manual unlocks, as the files say
    Status(StatusArgs),
    /// Set the counter of manual unlocks to 0
    ResetCounter(ResetCounterArgs),
}

const CHECK_HELP: &str = "\
Examples:
  policy-orchestrator trust check
  policy-orchestrator trust check --format json | jq '.breaches[].metric'

Integrity below 90, consensus below 92 or reputation below 85 locks (policy/trust_guard_policy.json
names other thresholds); a metric that is missing or can't be read counts as 0.

Exit codes:
  0  unlocked, and `trust enforce` would leave it so
  1  locked, or `trust enforce` would lock; a state file or the policy is missing or can't be read";

const ENFORCE_HELP: &str = "\
Examples:
  policy-orchestrator trust enforce
  policy-orchestrator trust enforce --format json | jq .locked

Locks trust_lock_state.json (and the one under state/, where it is there) while a metric is below
its threshold, missing or invalid, and where the guard's policy or state file can't be read. Opens a
lock by itself where all metrics are healthy and both lock_window_minutes and the time in
unlock_scheduled_at are over. Makes the file where it is missing. `\"bypass\": true` in the state
file switches the guard off. What can't be read is read once more after the first retry delay.

Exit codes:
  0  done, whether it is locked or not: `trust check` tells
  1  a metric or the policy can't be read (it is locked), a file can't be written, or the record
     can't be made (the lock is set all the same)
  3  the lock could be opened, and the kill switch is on
  5  the guard's journal was changed (the lock is set all the same, and is not opened)";

const FORCE_UNLOCK_HELP: &str = "\
Example:
  policy-orchestrator trust force-unlock --reason 'false alarm, see ticket 4711'

Every call counts, 3 a day (UTC) are allowed; policy/trust_guard_policy.json may name another limit
(max_manual_unlocks_per_day or manual_unlock_daily_limit, the smaller one). The next
`trust enforce` locks again while a metric is too low.

Exit codes:
  0  open
  1  state or policy can't be read or written, or the record can't be made
  2  no reason
  3  the day's unlocks are used up, or the kill switch is on
  5  the guard's journal was changed";

const STATUS_HELP: &str = "\
Examples:
  policy-orchestrator trust status
  policy-orchestrator trust status --format json | jq .manual_unlocks_today

Exit codes: 0 unlocked; 1 locked, missing, or something can't be read";

const RESET_HELP: &str = "\
Example:
  policy-orchestrator trust reset-counter --reason 'drill is over'

Exit codes: 0 done; 1 can't be read, written or recorded; 2 no reason; 3 the kill switch is on; 5 the guard's journal was changed";

#[derive(Debug, Args)]
#[command(after_help = CHECK_HELP)]
pub(super) struct CheckArgs {
    /// Look as of this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
}

#[derive(Debug, Args)]
#[command(after_help = ENFORCE_HELP)]
pub(super) struct EnforceArgs {
    #[command(flatten)]
    recording: Recording,
}

#[derive(Debug, Args)]
#[command(after_help = FORCE_UNLOCK_HELP)]
pub(super) struct ForceUnlockArgs {
    /// Why; it is recorded
    #[arg(long, value_name = "TEXT", value_parser = super::parse_reason)]
    reason: String,

    #[command(flatten)]
    recording: Recording,
}

#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP)]
pub(super) struct StatusArgs {
    /// Look as of this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
}

#[derive(Debug, Args)]
#[command(after_help = RESET_HELP)]
pub(super) struct ResetCounterArgs {
    /// Why; it is recorded
    #[arg(long, value_name = "TEXT", value_parser = super::parse_reason)]
    reason: String,

    #[command(flatten)]
    recording: Recording,
}

pub(super) fn trust(context: &Context, command: &TrustCommand) -> anyhow::Result<Exit> {
    match command {
        TrustCommand::Check(arguments) => check(context, arguments),
        TrustCommand::Status(arguments) => status(context, arguments),
        TrustCommand::Enforce(EnforceArgs { recording }) => {
            let enforced = recording::change(context, recording, "trust enforce", |request| {
                trust_guard::enforce(request, DEFAULT_LIMIT)
            })?;
            changed(context, &enforced)
        }
        TrustCommand::ForceUnlock(ForceUnlockArgs { reason, recording }) => {
            let command = "trust force-unlock";
            let unlocked = recording::change(context, recording, command, |request| {
                trust_guard::force_unlock(request, reason, DEFAULT_LIMIT)
            })?;
            changed(context, &unlocked)
        }
        TrustCommand::ResetCounter(ResetCounterArgs { reason, recording }) => {
            let command = "trust reset-counter";
            let reset = recording::change(context, recording, command, |request| {
                trust_guard::reset_counter(request, reason)
            })?;
            changed(context, &reset)
        }
    }
}

/// The JSON shape of `trust check`.
#[derive(Serialize)]
struct Checked<'a> {
    schema: u32,
    at: Timestamp,
    /// Unlocked, and it would stay so.
    healthy: bool,
    /// `null` where no state file says.
    locked: Option<bool>,
    /// What `trust enforce` would leave.
    would_be_locked: bool,
    reason: &'a str,
    bypass: bool,
    metrics: &'a Metrics,
    breaches: &'a [Breach],
    locked_at: Option<Timestamp>,
    /// The earliest time at which the lock opens by itself.
    opens_at: Option<Timestamp>,
}

fn check(context: &Context, arguments: &CheckArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let look = Look::at(ReadContext {
        workspace: &workspace,
        at: clock(arguments.at).read(),
        limit: DEFAULT_LIMIT,
    });
    context.output.findings(&look.findings());
    let own = look.verdict.cause().map(Cause::as_str);
    let term = look.verdict.term();
    let checked = Checked {
        schema: 1,
        at: look.at,
        healthy: look.is_well(),
        locked: look.lock.locked(),
        would_be_locked: look.verdict.locked(),
        reason: own.or(look.state.reason()).unwrap_or("none"),
        bypass: matches!(look.verdict, Verdict::Bypass { .. }),
        metrics: &look.metrics,
        breaches: &look.breaches,
        locked_at: term.map(|term| term.locked_at),
        opens_at: term.map(|term| term.opens_at),
    };
    match context.format() {
        Format::Json => context.output.json(&checked)?,
        Format::Human => {
            let text = human_check(context.output.paint(), &checked, &look.verdict);
            context.output.result(&text)?;
        }
    }
    Ok(if checked.healthy {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn badge(paint: Paint, locked: Option<bool>) -> String {
    match locked {
        Some(false) => paint.level(&Level::GREEN, "● unlocked"),
        Some(true) => paint.error("■ LOCKED"),
        None => paint.warning("▲ no lock file"),
    }
}

fn human_check(paint: Paint, checked: &Checked<'_>, verdict: &Verdict) -> String {
    let mut text = format!("{}\n", badge(paint, checked.locked));
    text.push_str(&metrics(checked.metrics, checked.breaches));
    let next = match verdict {
        Verdict::Lock(cause, _) => format!("would lock: {}", cause.as_str()),
        Verdict::StayLocked(Some(cause), _) => format!("would stay locked: {}", cause.as_str()),
        Verdict::StayLocked(None, term) => {
            let opens = term.opens_at.human();
            format!("healthy again; the first `trust enforce` from {opens} on opens it")
        }
        Verdict::Unlock if checked.locked.is_none() => "would make the file, unlocked".to_owned(),
        Verdict::Unlock => "would unlock: window and term are over, all is healthy".to_owned(),
        Verdict::StayUnlocked => "would leave it unlocked".to_owned(),
        Verdict::Bypass { .. } => {
            "the state file bypasses the guard: nothing would change".to_owned()
        }
    };
    text.push_str(&format!("  enforce     {next}\n"));
    text
}

fn metrics(metrics: &Metrics, breaches: &[Breach]) -> String {
    let rows = [
        ("integrity", metrics.integrity),
        ("consensus", metrics.consensus),
        ("reputation", metrics.reputation),
    ];
    let mut text = String::new();
    for (name, metric) in rows {
        let value = crate::signals::Value::Percent(metric.value);
        let breach = breaches
            .iter()
            .find(|breach| breach.metric.as_str() == name)
            .map_or_else(String::new, |breach| {
                let threshold = crate::signals::Value::Percent(breach.threshold);
                format!("  below {threshold} ({})", breach.status.as_str())
            });
        text.push_str(&format!("  {name:<10}  {value}{breach}\n"));
    }
    text
}

/// The JSON shape of `trust enforce`, `force-unlock` and `reset-counter`.
#[derive(Serialize)]
struct Change<'a> {
    schema: u32,
    event: Happened,
    at: Timestamp,
    locked_before: Option<bool>,
    locked: Option<bool>,
    reason: &'a str,
    metrics: Option<&'a Metrics>,
    breaches: &'a [Breach],
    locked_at: Option<Timestamp>,
    unlock_scheduled_at: Option<Timestamp>,
    /// The earliest time at which the lock opens by itself.
    opens_at: Option<Timestamp>,
    manual_unlocks_today: Option<u64>,
    files: &'a [Changed],
    /// The line of the journal; `null` where it could not be made.
    recorded: Option<Head>,
}

fn changed(context: &Context, outcome: &Outcome) -> anyhow::Result<Exit> {
    context.output.findings(&outcome.findings);
    match context.format() {
        Format::Json => context.output.json(&Change {
            schema: 1,
            event: outcome.event,
            at: outcome.at,
            locked_before: outcome.locked_before,
            locked: outcome.locked,
            reason: &outcome.reason,
            metrics: outcome.metrics.as_ref(),
            breaches: &outcome.breaches,
            locked_at: outcome.term.map(|term| term.locked_at),
            unlock_scheduled_at: outcome.term.map(|term| term.unlock_scheduled_at),
            opens_at: outcome.term.map(|term| term.opens_at),
            manual_unlocks_today: outcome.manual_unlocks_today,
            files: &outcome.files,
            recorded: outcome.head,
        })?,
        Format::Human => {
            let text = human_change(context.output.paint(), outcome);
            context.output.result(&text)?;
        }
    }
    Ok(recording::exit(&outcome.findings))
}

fn human_change(paint: Paint, outcome: &Outcome) -> String {
    let what = match outcome.event {
        Happened::Locked => "the lock was set",
        Happened::Unlocked => "the guard unlocked",
        Happened::Bypass => "the state file bypasses the guard; nothing changed",
        Happened::ManualUnlock => "unlocked by hand",
        Happened::UnlockLimitExceeded => "not unlocked: the day's unlocks are used up",
        Happened::StateUpdate => "the lock stays as it was",
        Happened::CounterReset => "the counter of manual unlocks is 0",
    };
    let mut text = format!("{}  {what}\n", badge(paint, outcome.locked));
    text.push_str(&format!("  reason      {}\n", shown(&outcome.reason)));
    if let Some(seen) = &outcome.metrics {
        text.push_str(&metrics(seen, &outcome.breaches));
    }
    if let Some(term) = outcome.term {
        let (since, opens) = (term.locked_at.human(), term.opens_at.human());
        text.push_str(&format!("  since       {since}\n  opens       by the first `trust enforce` from {opens} on, if all is healthy then\n"));
    }
    if let Some(count) = outcome.manual_unlocks_today {
        text.push_str(&format!("  unlocks     {count} by hand today\n"));
    }
    if let Some(head) = outcome.head {
        text.push_str(&format!(
            "  recorded    number {} of {TRUST_LOG}\n",
            head.seq
        ));
    }
    text
}

/// The JSON shape of `trust status`.
#[derive(Serialize)]
struct Status<'a> {
    schema: u32,
    /// `unlocked`, `locked`, `missing` or `unreadable`.
    state: &'static str,
    /// `null` where no state file says; one that can't be read counts as locked.
    locked: Option<bool>,
    bypass: bool,
    reason: Option<&'a str>,
    locked_at: Option<Timestamp>,
    unlock_scheduled_at: Option<Timestamp>,
    /// The earliest time at which the lock opens by itself.
    opens_at: Option<Timestamp>,
    /// `null` where it can't be counted.
    manual_unlocks_today: Option<u64>,
    manual_unlocks_allowed: Option<u64>,
    files: Vec<&'static str>,
    problems: &'a [Diagnostic],
}

fn status(context: &Context, arguments: &StatusArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let found = trust_guard::status(&workspace, clock(arguments.at).read());
    context.output.findings(&found.findings);
    let unlocks = found.unlocks.as_ref().ok();
    let there = found.state.places.iter().filter(|place| place.is_there());
    let status = Status {
        schema: 1,
        state: match found.lock {
            Lock::Known { locked: true, .. } => "locked",
            Lock::Known { locked: false, .. } => "unlocked",
            Lock::Missing { .. } => "missing",
            Lock::Unreadable => "unreadable",
        },
        locked: found.lock.locked(),
        bypass: matches!(found.lock, Lock::Known { bypass: true, .. }),
        reason: found.state.reason(),
        locked_at: found.term.map(|term| term.locked_at),
        unlock_scheduled_at: found.term.map(|term| term.unlock_scheduled_at),
        opens_at: found.term.map(|term| term.opens_at),
        manual_unlocks_today: unlocks.map(|count| count.today),
        manual_unlocks_allowed: unlocks.map(|count| count.allowed),
        files: there.map(|place| place.file).collect(),
        problems: &found.findings,
    };
    match context.format() {
        Format::Json => context.output.json(&status)?,
        Format::Human => {
            let text = human_status(context.output.paint(), &status);
            context.output.result(&text)?;
        }
    }
    let well = status.state == "unlocked";
    let exit = recording::exit_untampered(&found.findings);
    Ok(if well { exit } else { Exit::Failed })
}

fn human_status(paint: Paint, status: &Status<'_>) -> String {
    let mut text = format!("{}\n", badge(paint, status.locked));
    if status.files.is_empty() {
        text.push_str(
            "  file        none is there; `policy-orchestrator trust enforce` makes it\n",
        );
    } else {
        text.push_str(&format!("  file        {}\n", status.files.join(", ")));
    }
    if status.bypass {
        text.push_str("  bypass      the state file switches the guard off\n");
    }
    if let Some(reason) = status.reason {
        text.push_str(&format!("  reason      {}\n", shown(reason)));
    }
    if let Some(since) = status.locked_at {
        text.push_str(&format!("  since       {}\n", since.human()));
    }
    if let Some(opens) = status.opens_at {
        text.push_str(&format!(
            "  opens       by the first `trust enforce` from {} on, if all is healthy then\n",
            opens.human()
        ));
    }
    if let (Some(today), Some(allowed)) =
        (status.manual_unlocks_today, status.manual_unlocks_allowed)
    {
        text.push_str(&format!(
            "  unlocks     {today} of {allowed} by hand today\n"
        ));
    }
    text
}
