//! `guard`: may another program do this? Its answer, and the hook that asks before a commit.

use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::actor::actor;
use super::given::Given;
use super::output::variable_os;
use super::recording::with_records;
use super::{Context, Exit, Format, is_denied, portal, production, secrets, tamper};
use crate::approval::operation::Overridden;
use crate::approval::overrides;
use crate::diagnostic::{Checked, Code, Diagnostic, Place, shown};
use crate::fs::{LockTimeout, RetryDelays, Workspace, WorkspaceLock, WriteError, tree, write};
use crate::ids::{Digest, EventType};
use crate::protection::guard::{self, Document, Guard, Judged, Staged};
use crate::protection::operation::{Decision, Operation, Rule};
use crate::record::Records;
use crate::record::audit::{self, Event, Severity};
use crate::safeguard::kill_switch;
use crate::time::Clock;

const HELP: &str = "\
Examples:
  echo '{\"type\":\"edit\",\"affected_files\":[\"src/a.py\"]}' | policy-orchestrator guard check
  policy-orchestrator guard check --batch operations.jsonl
  policy-orchestrator guard check --staged                 what a commit would change
  policy-orchestrator guard check --override ID < operation.json
  policy-orchestrator guard hook install                   ask before every commit

An operation is {\"type\", \"affected_files\", \"metadata\"?, \"timestamp\"?}; of its metadata `complexity`,
`file_size` (bytes) and `changes` are held against the limits of .scalpel/policy.yaml. The answer is
{\"allowed\", \"violated_policies\", \"reason\"?, \"severity\"}. Paths are resolved first: `x/../.scalpel/a`, links,
second names, other case. A refusal is recorded in state/audit.log. With --override an override of
`guard:PATH` (see `override request`) is used up where that path alone is refused: never for the record,
the safeguards or policy/manifest.json, never behind tampering or the kill switch.

Exit codes:
  0  allowed (of a batch: all of it)
  1  it can't be looked at
  2  the command line makes no sense
  4  refused: also where the operation or the policy document can't be read, and while the kill switch
     is on
  5  refused, since protected files were changed and nobody accepted that";

#[derive(Debug, Subcommand)]
pub(super) enum GuardCommand {
    /// May this be done? An operation on standard input, a batch, or what is staged
    Check(CheckArgs),
    /// The git hook that asks before every commit
    #[command(subcommand)]
    Hook(HookCommand),
}

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct CheckArgs {
    /// The document that says what may be changed [default: .scalpel/policy.yaml, else scalpel.policy.yaml]
    #[arg(long, value_name = "FILE")]
    policy: Option<String>,

    /// Operations, one on each line; every one is answered, on a line each
    #[arg(long, value_name = "FILE")]
    batch: Option<String>,

    /// Judge what is staged for a commit: protected files have to be as they were accepted
    #[arg(long, conflicts_with = "batch")]
    staged: bool,

    /// Use this override, where one protected path is all that stands in the way
    #[arg(long = "override", value_name = "ID", conflicts_with_all = ["batch", "staged"])]
    override_id: Option<String>,
}

const HOOK_HELP: &str = "\
Examples:
  policy-orchestrator guard hook install
  policy-orchestrator guard hook show > .git/hooks/pre-commit && chmod +x .git/hooks/pre-commit

`git commit --no-verify` goes past every hook: `run` finds what came in that way.";

#[derive(Debug, Subcommand)]
#[command(after_help = HOOK_HELP)]
pub(super) enum HookCommand {
    /// Write it to the repository; one that is there is left alone
    #[command(after_help = HOOK_HELP)]
    Install(HookArgs),
    /// Print it
    #[command(after_help = HOOK_HELP)]
    Show(HookArgs),
}

#[derive(Debug, Args)]
pub(super) struct HookArgs {}

pub(super) fn guard(context: &Context, command: &GuardCommand) -> anyhow::Result<Exit> {
    match command {
        GuardCommand::Check(arguments) => check(context, arguments),
        GuardCommand::Hook(HookCommand::Show(_)) => {
            let workspace = context.workspace()?;
            context.output.result(&script(&workspace)?)?;
            Ok(Exit::Done)
        }
        GuardCommand::Hook(HookCommand::Install(_)) => install(context),
    }
}

/// The largest operation.
const OPERATION_LIMIT: u64 = 1024 * 1024;

/// The largest batch.
const BATCH_LIMIT: u64 = 64 * 1024 * 1024;

/// An operation that was judged.
struct Answered {
    /// Its line, in a batch.
    line: Option<usize>,
    /// The bytes that were judged.
    digest: Digest,
    kind: String,
    files: Vec<String>,
    judged: Judged,
    /// The override that was used up for it.
    override_id: Option<String>,
}

/// The JSON shape of an answer; in a batch the line that it is about comes first.
#[derive(Serialize)]
struct Answer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(flatten)]
    decision: &'a Decision,
    /// The override that was used up for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    override_id: Option<&'a str>,
}

/// Uses an override up, where the protected path that it is for is all that stands in the way. What
/// refuses it is told, and recorded by whoever looks at it.
fn overridden(
    context: &Context,
    (guard, id): (&Guard<'_>, &str),
    bytes: &[u8],
    answered: Answered,
) -> Checked<Answered> {
    if answered.judged.decision.allowed {
        context
            .output
            .note("the override was not needed, and is not used");
        return Ok(answered);
    }
    let operation = Operation::parse(bytes).ok();
    let path = operation
        .as_ref()
        .and_then(|operation| guard.openable(operation));
    let opened = Guard {
        opened: path.as_deref(),
        stopped: guard.stopped.clone(),
        ..*guard
    };
    let with = answer(&opened, bytes, None);
    let wanted = path.as_deref().and_then(Overridden::guard);
    let Some(wanted) = wanted.filter(|_| with.judged.decision.allowed) else {
        context.output.note("the override is not used: it opens one protected path, and that is not all that stands in the way");
        return Ok(answered);
    };
    let wait = Duration::from_secs(5);
    let spent = with_records(guard.workspace, ("guard check", wait), |records| {
        overrides::spend(records, Clock::System.read(), &actor(), id, &wanted)
    });
    match spent {
        Ok(_) => {
            portal::tell(context, guard.workspace, wait);
            Ok(Answered {
                override_id: Some(id.to_owned()),
                ..with
            })
        }
        Err(finding) if is_denied(&finding) => {
            context.output.findings([&*finding]);
            Ok(answered)
        }
        Err(finding) => Err(finding),
    }
}

fn check(context: &Context, arguments: &CheckArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let looked = tamper::look(&workspace)?;
    context.output.findings(&looked.notes);
    let document = guard::document(&workspace, arguments.policy.as_deref());
    let guard = Guard {
        workspace: &workspace,
        looked: &looked,
        document: &document,
        stopped: kill_switch::closed(&workspace)
            .map(|closed| closed.found.unwrap_or(closed.message)),
        production: production(),
        opened: None,
    };
    let answered = if arguments.staged {
        vec![of_staged(&guard)?]
    } else if let Some(file) = &arguments.batch {
        let given = Given {
            path: file,
            what: "batch of operations",
            expected: "a JSONL file, or `-` for standard input",
            limit: BATCH_LIMIT,
        };
        let bytes = given.read()?;
        lines(&bytes)
            .map(|(number, line)| answer(&guard, line, Some(number)))
            .collect()
    } else {
        let bytes = standard_input(OPERATION_LIMIT)?;
        let answered = answer(&guard, &bytes, None);
        vec![match &arguments.override_id {
            Some(id) => overridden(context, (&guard, id), &bytes, answered)?,
            None => answered,
        }]
    };
    context.output.findings(&looked.findings());
    for (switch, would) in weakened(&answered) {
        context.output.findings([&weak(&document, switch, would)]);
    }
    if let Err(finding) = record(&workspace, &document, &answered) {
        let unrecorded = Diagnostic {
            code: Code::RefusalUnrecorded,
            ..*finding
        };
        context.output.findings([&unrecorded]);
    }
    show(context, &answered)?;
    let refused = answered.iter().any(|one| !one.judged.decision.allowed);
    Ok(match (refused, looked.is_tampered()) {
        (true, true) => Exit::Tampering,
        (true, false) => Exit::Denied,
        (false, _) => Exit::Done,
    })
}

fn standard_input(limit: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(limit + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The lines that say something, with their numbers.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let lines = bytes.split(|byte| *byte == b'\n');
    lines
        .map(<[u8]>::trim_ascii)
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
        .map(|(index, line)| (index + 1, line))
}

fn answer(guard: &Guard<'_>, bytes: &[u8], line: Option<usize>) -> Answered {
    let digest = Digest::of(bytes);
    let too_large = bytes.len() as u64 > OPERATION_LIMIT;
    let read = if too_large {
        Err("more than 1 MiB".to_owned())
    } else {
        Operation::parse(bytes)
    };
    match read {
        Ok(operation) => Answered {
            line,
            digest,
            judged: guard.judge(&operation),
            kind: operation.kind,
            files: operation.files,
            override_id: None,
        },
        Err(why) => {
            let why = format!("the operation can't be read: {why}");
            Answered {
                line,
                digest,
                kind: String::new(),
                files: Vec::new(),
                judged: Judged {
                    decision: Decision::of(vec![(Rule::OperationUnreadable, why)]),
                    weakened: Vec::new(),
                },
                override_id: None,
            }
        }
    }
}

fn of_staged(guard: &Guard<'_>) -> Checked<Answered> {
    let index = variable_os("GIT_INDEX_FILE").map(PathBuf::from);
    let staged = guard::staged(guard.workspace, index.as_deref())?;
    let files: Vec<String> = staged
        .iter()
        .map(|file: &Staged| file.path.clone())
        .collect();
    Ok(Answered {
        line: None,
        digest: Digest::of(files.join("\n").as_bytes()),
        kind: "commit".to_owned(),
        files,
        judged: guard.judge_staged(&staged),
        override_id: None,
    })
}

fn show(context: &Context, answered: &[Answered]) -> anyhow::Result<()> {
    for one in answered {
        let (line, decision) = (one.line, &one.judged.decision);
        match context.format() {
            Format::Json => {
                let override_id = one.override_id.as_deref();
                let mut bytes = serde_json::to_vec(&Answer {
                    line,
                    decision,
                    override_id,
                })?;
                bytes.push(b'\n');
                context.output.result_bytes(&bytes)?;
            }
            Format::Human => {
                let number = line.map(|line| format!("{line}  ")).unwrap_or_default();
                let text = match &decision.reason {
                    None if one.override_id.is_some() => {
                        "allowed by the override, which is used up\n".to_owned()
                    }
                    None => format!("{number}allowed\n"),
                    Some(reason) => {
                        format!(
                            "{number}refused ({})  {}\n",
                            decision.severity,
                            shown(reason)
                        )
                    }
                };
                context.output.result(&text)?;
            }
        }
    }
    Ok(())
}

/// The switches that let something pass, and how many operations.
fn weakened(answered: &[Answered]) -> Vec<(&'static str, usize)> {
    let all = answered.iter().flat_map(|one| one.judged.weakened.iter());
    let switches = crate::ids::distinct(all.clone().copied());
    let count = |switch| {
        (
            switch,
            all.clone().filter(|other| **other == switch).count(),
        )
    };
    switches.into_iter().map(count).collect()
}

fn weak(document: &Document, switch: &str, operations: usize) -> Diagnostic {
    let file = match document {
        Document::Editing { file, .. } | Document::Unreadable { file, .. } => file.as_str(),
        Document::None => "",
    };
    Diagnostic::new(
        Code::GuardWeakened,
        Place::file(file),
        format!("`{switch}: false` lets pass what would be refused"),
    )
    .found(format!(
        "{operations} operations that would be refused otherwise"
    ))
    .expected("`true`, which ENV=production takes for granted")
    .help("switch it on again; this is recorded in state/audit.log")
}

#[derive(Serialize)]
struct Refused<'a> {
    r#type: &'a str,
    affected_files: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    more_files: Option<usize>,
    violated_policies: &'a [Rule],
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct Weakened<'a> {
    document: Option<&'a str>,
    switched_off: &'a [&'static str],
    r#type: &'a str,
    would_refuse: &'a [String],
}

/// As many files as a record names.
const NAMED: usize = 200;

/// Records every refusal, and what passed only because a document switches something off.
fn record(workspace: &Workspace, document: &Document, answered: &[Answered]) -> Checked<()> {
    let is_told = |one: &&Answered| !one.judged.decision.allowed || !one.judged.weakened.is_empty();
    let told: Vec<&Answered> = answered.iter().filter(is_told).collect();
    if told.is_empty() {
        return Ok(());
    }
    let key = secrets::signing_key()?;
    let retry = RetryDelays::none();
    let timeout = LockTimeout::silent(Duration::from_secs(5));
    let lock = WorkspaceLock::acquire(workspace, "guard check", timeout, &retry)?;
    let records = Records {
        workspace,
        lock: &lock,
        key: key.as_ref(),
        retry: &retry,
    };
    let (user, at) = (actor(), Clock::System.read());
    for one in told {
        let files = one.files.get(..NAMED).unwrap_or(&one.files);
        let decision = &one.judged.decision;
        let event = |event_type, severity, data, details| Event {
            at,
            user: &user,
            action: "guard_check",
            event_type,
            severity,
            task_id: None,
            data,
            details,
            given_clock: false,
        };
        if decision.allowed {
            let (file, sha256) = match document {
                Document::Editing { file, sha256, .. } => (Some(file.as_str()), *sha256),
                _ => (None, one.digest),
            };
            let details = serde_json::to_value(Weakened {
                document: file,
                switched_off: &one.judged.weakened,
                r#type: &one.kind,
                would_refuse: files,
            });
            let details = details.unwrap_or_default();
            let kind = &EventType::GUARD_WEAKENED;
            audit::append(records, &event(kind, Severity::High, sha256, &details))?;
        } else {
            let details = serde_json::to_value(Refused {
                r#type: &one.kind,
                affected_files: files,
                more_files: one.files.len().checked_sub(NAMED).filter(|more| *more > 0),
                violated_policies: &decision.violated_policies,
                reason: decision.reason.as_deref(),
            });
            let details = details.unwrap_or_default();
            let kind = &EventType::GUARD_REFUSED;
            audit::append(
                records,
                &event(kind, decision.severity, one.digest, &details),
            )?;
        }
    }
    Ok(())
}

/// What the hook is known by.
const MARK: &str =
    "# policy-orchestrator: refuses a commit of protected files that nobody accepted";

/// The hook's name.
const HOOK: &str = "pre-commit";

fn script(workspace: &Workspace) -> Checked<String> {
    let program = std::env::current_exe().map_err(|error| {
        Box::new(
            Diagnostic::new(
                Code::FileUnreadable,
                Place::file("policy-orchestrator"),
                "this program can't be found again, to be called by the hook",
            )
            .found(crate::fs::read::plain(&error)),
        )
    })?;
    let quoted = |path: &std::path::Path| path.to_string_lossy().replace('\'', r"'\''");
    Ok(format!(
        "#!/bin/sh\n{MARK}\nexec '{}' --workspace '{}' guard check --staged --format human\n",
        quoted(&program),
        quoted(workspace.root())
    ))
}

fn install(context: &Context) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let text = script(&workspace)?;
    let directory = guard::hooks_directory(&workspace)?;
    std::fs::create_dir_all(&directory)?;
    let hooks = Workspace::open(&directory)?;
    let place = directory.join(HOOK);
    let there = crate::fs::read::read_own(&hooks, HOOK, OPERATION_LIMIT)?;
    match there {
        Some(bytes) if !String::from_utf8_lossy(&bytes).contains(MARK) => {
            let finding = Diagnostic::new(
                Code::LockRefused,
                Place::file(place.display().to_string()),
                "another hook stands there, and is left as it is",
            )
            .found("a hook that this program did not write")
            .expected("no hook, or this program's")
            .help("add the last line of `policy-orchestrator guard hook show` to it");
            return Err(anyhow::Error::new(finding));
        }
        _ => write::replace(&hooks, HOOK, text.as_bytes()).map_err(WriteError::into_diagnostic)?,
    }
    tree::set_mode(&hooks, HOOK, 0o755);
    let done = format!("installed  {}\n", place.display());
    match context.format() {
        Format::Json => context.output.json(&serde_json::json!({
            "schema": 1,
            "installed": place.display().to_string(),
        }))?,
        Format::Human => context.output.result(&done)?,
    }
    Ok(Exit::Done)
}
