//! The look at the protected files with which every command begins that changes something: once, before
//! anything else.
//!
//! `run` looks for itself, since it publishes what it finds; a command that locks or accepts does too.
//! What closes a safeguard, takes back a response, repairs a record or only reads works all the same.

use serde::Serialize;

use super::actor::actor;
use super::audit::AuditCommand;
use super::brake::BrakeCommand;
use super::guard::{GuardCommand, HookCommand};
use super::keys::KeysCommand;
use super::kill::KillCommand;
use super::overrides::OverrideCommand;
use super::policy::PolicyCommand;
use super::spend::SpendCommand;
use super::trust::TrustCommand;
use super::{Command, Context, Exit, secrets};
use crate::diagnostic::Checked;
use crate::fs::{LockTimeout, RetryDelays, Workspace, WorkspaceLock};
use crate::ids::{Digest, EventType};
use crate::protection::change::{self, Ground, Refused};
use crate::protection::{self, Decided, Looked, Problem};
use crate::record::audit::{self, Event, Severity};
use crate::record::{Records, SigningKey};
use crate::response::gates::{Gate, POLICY_LOCK};
use crate::time::Clock;

/// The name of a command that changes something and may not where protected files were changed; `None`
/// for one that may, or looks for itself.
pub(super) fn acting(command: &Command) -> Option<&'static str> {
    match command {
        Command::Respond(arguments) => arguments.applies().then_some("respond --apply"),
        Command::Action(arguments) => arguments.applies().then_some("action --apply"),
        Command::Init(_) => Some("init"),
        Command::Policy(command) => match command {
            PolicyCommand::Init(_) => Some("policy init"),
            PolicyCommand::Draft(_) => Some("policy draft"),
            PolicyCommand::Approve(_) => Some("policy approve"),
            PolicyCommand::Validate(_) => Some("policy validate"),
            PolicyCommand::Promote(_) => Some("policy promote"),
            PolicyCommand::Rollback(_) => Some("policy rollback"),
            // The first three look for themselves, and are the way out; the others read.
            PolicyCommand::Lock(_)
            | PolicyCommand::Accept(_)
            | PolicyCommand::Verify(_)
            | PolicyCommand::Check(_)
            | PolicyCommand::Test(_)
            | PolicyCommand::Gate(_)
            | PolicyCommand::Diff(_)
            | PolicyCommand::Backtest(_)
            | PolicyCommand::Impact(_)
            | PolicyCommand::Show(_)
            | PolicyCommand::Schema(_)
            | PolicyCommand::Status(_) => None,
        },
        Command::Trust(command) => match command {
            TrustCommand::ForceUnlock(_) => Some("trust force-unlock"),
            TrustCommand::ResetCounter(_) => Some("trust reset-counter"),
            TrustCommand::Check(_) | TrustCommand::Enforce(_) | TrustCommand::Status(_) => None,
        },
        Command::Brake(command) => match command {
            BrakeCommand::Reset(_) => Some("brake reset"),
            BrakeCommand::Engage(_) | BrakeCommand::Status(_) => None,
        },
        Command::Kill(command) => match command {
            KillCommand::Off(_) => Some("kill off"),
            KillCommand::On(_) | KillCommand::Status(_) | KillCommand::Watch(_) => None,
        },
        Command::Guard(command) => match command {
            GuardCommand::Hook(HookCommand::Install(_)) => Some("guard hook install"),
            // It answers with its decision, tampering included.
            GuardCommand::Check(_) | GuardCommand::Hook(HookCommand::Show(_)) => None,
        },
        Command::Override(command) => match command {
            OverrideCommand::Request(_) => Some("override request"),
            OverrideCommand::Approve(_) => Some("override approve"),
            OverrideCommand::Status(_) | OverrideCommand::Enroll(_) => None,
        },
        Command::Spend(command) => match command {
            SpendCommand::Record(_) => Some("spend record"),
            SpendCommand::Cancel(_) => Some("spend cancel"),
            // They look themselves, and answer.
            SpendCommand::Check(_) | SpendCommand::Usage(_) => None,
        },
        Command::Compliance(command) => command.asks().then_some("compliance ask"),
        Command::Keys(command) => match command {
            // A key is made for a person, wherever that person names; nothing of the workspace changes.
            KeysCommand::Generate(_) | KeysCommand::Show(_) => None,
        },
        // Who may see personal data stands in a protected file.
        Command::Audit(AuditCommand::Export(arguments)) => arguments
            .includes_personal_data()
            .then_some("audit export --include-pii"),
        // An approval to accept what was changed can be asked for, seen and given all the same. `run`
        // publishes what it finds; an action of an apply asks the gate `policy_lock`; the others
        // read, take back, or repair.
        Command::Run(_)
        | Command::Approve(_)
        | Command::Perform(_)
        | Command::Explain(_)
        | Command::Attest(_)
        | Command::Status(_)
        | Command::Audit(_)
        | Command::Undo(_)
        | Command::History(_)
        | Command::Replay(_)
        | Command::Report(_)
        | Command::Metrics(_)
        | Command::Health(_)
        | Command::Alerts(_)
        | Command::Doctor(_)
        | Command::Scan(_)
        | Command::Checks(_)
        // It says itself that it reports nothing by documents that were changed.
        | Command::Analytics(_)
        | Command::Portal(_)
        // It answers with its decision, tampering included.
        | Command::Decide(_)
        | Command::Obligations(_)
        | Command::Promote(_)
        | Command::Completions(_)
        | Command::Man(_) => None,
    }
}

/// True for a command that writes files and asks nobody else whether the kill switch is on. All others
/// that change something ask for it where they act, under their locks; tests/it/bypass.rs has them all.
pub(super) fn is_stopped_at_the_door(command: &Command) -> bool {
    matches!(
        command,
        Command::Init(_)
            | Command::Policy(PolicyCommand::Init(_))
            | Command::Guard(GuardCommand::Hook(HookCommand::Install(_)))
    )
}

/// Looks at the protected files before a command that acts: how it ends where they were changed.
pub(super) fn refuse(context: &Context, command: &'static str) -> anyhow::Result<Option<Exit>> {
    let Ok(workspace) = context.workspace() else {
        // The command itself says that there is none.
        return Ok(None);
    };
    let looked = look(&workspace)?;
    if !looked.is_tampered() {
        context.output.findings(&looked.notes);
        context.output.findings(&looked.mend(&workspace));
        return Ok(None);
    }
    context.output.findings(&looked.findings());
    if let Err(finding) = record(&workspace, command, &looked) {
        context.output.findings([&*finding]);
    }
    context.output.note(&format!("nothing was done: `{command}` changes nothing while protected files are others than were accepted"));
    Ok(Some(Exit::Tampering))
}

/// The look itself. A key that can't be used is for the command to complain of.
pub(super) fn look(workspace: &Workspace) -> Checked<Looked> {
    let key = secrets::signing_key().ok().flatten();
    protection::look(workspace, key.as_ref(), Decided::load(workspace)?)
}

/// How a command ends that these gates blocked: tampering beats every other reason.
pub(super) fn blocked(gates: &[Gate]) -> Exit {
    let mut gates = gates.iter();
    if gates.any(|gate| gate.name == POLICY_LOCK && !gate.open) {
        Exit::Tampering
    } else {
        Exit::Blocked
    }
}

/// Lets a command write files of which some may be protected, and takes them into the lock. `steps` are
/// the files with what may stand there meanwhile, `None` for no file.
pub(super) fn own_change<T>(
    workspace: &Workspace,
    lock: &WorkspaceLock,
    reason: &str,
    steps: &[(String, Option<Digest>)],
    then: impl FnOnce() -> Checked<T>,
) -> Checked<T> {
    let key = secrets::signing_key()?;
    let (user, retry) = (actor(), RetryDelays::default());
    let ground = Ground {
        records: Records {
            workspace,
            lock,
            key: key.as_ref(),
            retry: &retry,
        },
        at: Clock::System.read(),
        given_clock: false,
        user: &user,
    };
    let begun = change::begin(ground, reason, steps).map_err(Refused::into_first)?;
    let done = then()?;
    if let Some(begun) = begun {
        change::end(ground, &begun).map_err(Refused::into_first)?;
    }
    Ok(done)
}

#[derive(Serialize)]
struct Details<'a> {
    command: &'static str,
    problems: &'a [Problem],
    more_problems: usize,
}

/// As many problems as a record names.
const NAMED: usize = 100;

/// Records what was found, unless that is what the last event says already.
fn record(workspace: &Workspace, command: &'static str, looked: &Looked) -> Checked<()> {
    let key: Option<SigningKey> = secrets::signing_key()?;
    let retry = RetryDelays::none();
    let timeout = LockTimeout::silent(std::time::Duration::from_secs(5));
    let lock = WorkspaceLock::acquire(workspace, command, timeout, &retry)?;
    let data = Digest::of(&serde_json::to_vec(&looked.problems).unwrap_or_default());
    let mut is_told = false;
    audit::back(workspace, |event| {
        is_told = event.event_type == EventType::POLICY_TAMPER && event.data_sha256 == data;
        false
    })?;
    if is_told {
        return Ok(());
    }
    let problems = looked.problems.get(..NAMED).unwrap_or(&looked.problems);
    let details = Details {
        command,
        problems,
        more_problems: looked.problems.len() - problems.len(),
    };
    let records = Records {
        workspace,
        lock: &lock,
        key: key.as_ref(),
        retry: &retry,
    };
    let event = Event {
        at: Clock::System.read(),
        user: &actor(),
        action: "policy_verify",
        event_type: &EventType::POLICY_TAMPER,
        severity: Severity::Critical,
        task_id: None,
        data,
        details: &details,
        given_clock: false,
    };
    audit::append(records, &event).map(drop)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, command_line};

    /// Every command, and whether it looks at the protected files before it does anything (S1-096).
    const COMMANDS: &[(&str, bool)] = &[
        ("run", false),
        ("explain", false),
        ("status", false),
        ("audit verify", false),
        ("audit reseal --reason x", false),
        ("respond", false),
        ("respond --apply", true),
        ("undo list", false),
        ("undo show x", false),
        ("undo run x", false),
        ("undo accept x --reason x", false),
        ("undo prune --keep-days 7", false),
        ("policy init", true),
        ("policy check", false),
        ("policy test", false),
        ("policy diff x y", false),
        ("policy backtest x", false),
        ("policy impact x y", false),
        ("policy show x", false),
        ("policy schema", false),
        ("policy draft x --reason x", true),
        ("policy approve x --as policy_author --reason x", true),
        ("policy validate x", true),
        ("policy promote x --to staging --reason x", true),
        ("policy rollback --reason x", true),
        ("policy lock", false),
        ("policy verify", false),
        ("policy accept --reason x", false),
        ("policy status", false),
        ("history", false),
        ("replay", false),
        ("metrics", false),
        ("health", false),
        ("report summary", false),
        ("report badge", false),
        ("report junit", false),
        ("report sarif", false),
        ("report annotations", false),
        ("alerts", false),
        ("action integrity_check", false),
        ("action integrity_anchor_mirror", false),
        ("action integrity_anchor_mirror --apply", true),
        ("perform integrity_check --at 2026-01-15T12:00:00Z", false),
        ("trust check", false),
        ("trust enforce", false),
        ("trust force-unlock --reason x", true),
        ("trust status", false),
        ("trust reset-counter --reason x", true),
        ("brake status", false),
        ("brake engage --reason x", false),
        ("brake reset --reason x", true),
        ("kill on --reason x", false),
        ("kill off --reason x", true),
        ("kill status", false),
        ("kill watch", false),
        ("attest", false),
        ("attest verify x --key y", false),
        ("audit checkpoint", false),
        ("audit rotate-key --reason x", false),
        ("keys generate --out x", false),
        ("keys show x", false),
        ("scan secrets", false),
        ("checks list", false),
        ("checks plan x", false),
        ("checks run", false),
        ("compliance report", false),
        ("compliance ask --subject x --purpose y --fields z", true),
        ("analytics", false),
        ("approve request --operation kill_off --reason x", false),
        ("approve grant x --as y", false),
        ("approve deny x --reason y", false),
        ("approve list", false),
        ("approve verify x", false),
        (
            "override request --operation apply:x --justification y",
            true,
        ),
        ("override approve x --code 123456 --justification y", true),
        ("override status", false),
        ("override enroll", false),
        ("audit list", false),
        ("audit export --out x", false),
        ("audit export --out x --include-pii", true),
        (
            "audit record --type CUSTOM_X --severity LOW --details {}",
            false,
        ),
        ("audit rotate", false),
        ("guard check", false),
        ("guard hook install", true),
        ("guard hook show", false),
        ("decide --record", false),
        ("policy gate", false),
        ("obligations apply --envelope x", false),
        ("obligations list", false),
        ("promote check", false),
        ("spend check", false),
        ("spend record", true),
        ("spend cancel x --reason x", true),
        ("spend usage", false),
        ("portal --serve", false),
        ("portal --export x", false),
        ("portal data --rebuild", false),
        ("init", true),
        ("doctor", false),
        ("completions bash", false),
        ("man", false),
    ];

    fn leaves(command: &clap::Command, above: &str, all: &mut Vec<String>) {
        for sub in command.get_subcommands() {
            let name = format!("{above}{}", sub.get_name());
            if sub.has_subcommands() {
                leaves(sub, &format!("{name} "), all);
            } else {
                all.push(name);
            }
        }
    }

    #[test]
    fn every_command_is_listed_with_whether_it_asks_first() {
        for (line, acts) in COMMANDS {
            let words = std::iter::once("policy-orchestrator").chain(line.split(' '));
            let cli = Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(acting(&cli.command).is_some(), *acts, "{line}");
        }
        let mut all = Vec::new();
        leaves(&command_line(), "", &mut all);
        let is_listed = |name: &String| {
            let mut lines = COMMANDS.iter().map(|(line, _)| *line);
            lines.any(|line| line == name || line.starts_with(&format!("{name} ")))
        };
        let unlisted: Vec<_> = all.into_iter().filter(|name| !is_listed(name)).collect();
        assert_eq!(unlisted, Vec::<String>::new());
    }
}
