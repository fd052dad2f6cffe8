//! `policy lock`, `policy verify`, `policy accept`: the bytes of protected files, held to what somebody
//! accepted.

use clap::Args;
use serde::Serialize;

use crate::cli::acceptance::{changed_files, keep_approvers, second};
use crate::cli::recording::{self, Recording};
use crate::cli::{Context, Exit, Format, is_denied, is_tampering, production, tamper};
use crate::diagnostic::{Checked, Diagnostic};
use crate::fs::WorkspaceLock;
use crate::fs::glob::Glob;
use crate::ids::Digest;
use crate::protection::change::{self, Changed, Ground, Outcome, Refused};
use crate::protection::manifest::{Change, Mode};
use crate::protection::problem::Problem;
use crate::protection::rules::{EXCEPT, MANIFEST, PROTECT};
use crate::record::{AUDIT_LOG, Head, Records};
use crate::safeguard::{Request, kill_switch};

const LOCK_HELP: &str = "\
Examples:
  policy-orchestrator policy lock --reason 'reviewed in #41'
  policy-orchestrator policy lock --protect 'config/**' --reason 'OPS-12'

Writes policy/manifest.json: the SHA-256 of every protected file, and makes them read-only. From then on
a file that was changed, added, taken away or replaced by a link is tampering until somebody accepts it:
`run` decides RED with POLICY_TAMPERED, and nothing that acts goes on. Run again, it signs the manifest
with the key that is set, protects more files, and finishes what a kill cut off; files that were changed
are for `policy accept`.";

const VERIFY_HELP: &str = "\
Examples:
  policy-orchestrator policy verify
  policy-orchestrator policy verify --format json | jq -r '.problems[].path'

Permissions that a checkout reset are set again, with a note. Exit codes: 0 as accepted, or nothing is
locked (it says so); 1 it can't be looked at; 5 a protected file, the manifest or its record was changed";

const ACCEPT_HELP: &str = "\
Examples:
  policy-orchestrator policy accept --reason 'thresholds of #57, reviewed by Grace'
  policy-orchestrator policy accept --path policy/policy.yaml --reason '#57'

Takes protected files into the manifest as they stand, and records who did, why, and every digest before
and after in state/audit.log. Commit policy/ and state/ together. Under ENV=production a second person
approves exactly these changes first: `approve request --operation accept` (with the same --path) shows
them. Who may is said by policy/approvers.yaml as it was accepted before, not as it is changed now.

Exit codes: 0 done; 1 failed; 2 usage; 3 the kill switch is on;
4 a second person's approval is missing; 5 the record is broken";

/// A glob of a command line.
pub(in crate::cli) fn parse_glob(text: &str) -> Result<Glob, String> {
    let text = text.strip_prefix("./").unwrap_or(text);
    Glob::parse(text.trim_end_matches('/')).map_err(|expected| format!("expected {expected}"))
}

#[derive(Debug, Args)]
#[command(after_help = format!("{LOCK_HELP}\n\nProtected by default: {}\nbut not: {}\n\nExit codes: 0 done; 1 failed; 2 usage; 4 a second person's approval is missing; 5 a file or record was changed", PROTECT.join(", "), EXCEPT.join(", ")))]
pub(in crate::cli) struct LockArgs {
    /// Why; it is recorded
    #[arg(long, value_name = "TEXT", value_parser = crate::cli::parse_reason)]
    reason: Option<String>,

    /// Protect these too: a path, `*` for any characters of one part, `**` for any parts
    #[arg(long, value_name = "GLOB", value_parser = parse_glob)]
    protect: Vec<Glob>,

    /// Leave these out
    #[arg(long, value_name = "GLOB", value_parser = parse_glob)]
    except: Vec<Glob>,

    #[command(flatten)]
    recording: Recording,
}

#[derive(Debug, Args)]
#[command(after_help = VERIFY_HELP)]
pub(in crate::cli) struct VerifyArgs {}

#[derive(Debug, Args)]
#[command(after_help = ACCEPT_HELP)]
pub(in crate::cli) struct AcceptArgs {
    /// Why; it is recorded
    #[arg(long, value_name = "TEXT", value_parser = crate::cli::parse_reason)]
    reason: String,

    /// Only these: a path, a directory, or a glob; may be given more than once
    #[arg(long, value_name = "PATH", value_parser = parse_glob)]
    path: Vec<Glob>,

    #[command(flatten)]
    recording: Recording,
}

pub(super) fn lock(context: &Context, arguments: &LockArgs) -> anyhow::Result<Exit> {
    let LockArgs {
        reason,
        protect,
        except,
        recording,
    } = arguments;
    let changed = recording::change(context, recording, "policy lock", |request| {
        on_ground(request, |ground| {
            keep_approvers(ground.records)?;
            change::lock(ground, reason.as_deref(), (protect, except), production())
        })
    })?;
    show(context, changed, "locked")
}

pub(super) fn accept(context: &Context, arguments: &AcceptArgs) -> anyhow::Result<Exit> {
    let AcceptArgs {
        reason,
        path,
        recording,
    } = arguments;
    let changed = recording::change(context, recording, "policy accept", |request| {
        if let Some(closed) = kill_switch::closed(request.workspace) {
            return Err(Box::new(closed));
        }
        on_ground(request, |ground| {
            keep_approvers(ground.records)?;
            change::accept(ground, reason, path, |proposal| second(ground, proposal))
        })
    })?;
    show(context, changed, "accepted")
}

/// Takes the lock, reads the clock, and lets `then` change something.
pub(in crate::cli) fn on_ground<T>(
    request: &Request<'_>,
    then: impl FnOnce(Ground<'_>) -> Changed<T>,
) -> Checked<Changed<T>> {
    let Request {
        workspace,
        command,
        lock_timeout,
        retry,
        ..
    } = *request;
    let lock = WorkspaceLock::acquire(workspace, command, lock_timeout, retry)?;
    let key = request.key.as_ref().map_err(Clone::clone)?.as_ref();
    Ok(then(Ground {
        records: Records {
            workspace,
            lock: &lock,
            key,
            retry,
        },
        at: request.clock.read(),
        given_clock: request.clock.is_given(),
        user: request.user,
    }))
}

/// The JSON shape of a change.
#[derive(Serialize)]
struct Done<'a> {
    schema: u32,
    manifest: Digest,
    files: usize,
    changes: &'a [Change],
    /// The line of `state/audit.log`; `null` where nothing was to be changed.
    recorded: Option<Head>,
}

fn show(context: &Context, changed: Changed<Outcome>, word: &str) -> anyhow::Result<Exit> {
    let outcome = match changed {
        Ok(outcome) => outcome,
        Err(Refused(findings)) => {
            context.output.findings(&findings);
            let any = |is: fn(&Diagnostic) -> bool| findings.iter().any(is);
            return Ok(match () {
                () if any(is_tampering) => Exit::Tampering,
                () if any(is_denied) => Exit::Denied,
                () => Exit::Failed,
            });
        }
    };
    context.output.findings(&outcome.notes);
    let Outcome {
        manifest,
        files,
        changes,
        head,
        ..
    } = &outcome;
    match context.format() {
        Format::Json => context.output.json(&Done {
            schema: 1,
            manifest: *manifest,
            files: *files,
            changes,
            recorded: *head,
        })?,
        Format::Human => {
            let paint = context.output.paint();
            let mut text = format!(
                "{}  {files} files, manifest {}\n",
                paint.bold(word),
                manifest.short()
            );
            text.push_str(&changed_files(changes));
            match head {
                Some(head) => text.push_str(&format!(
                    "  recorded as number {} of {AUDIT_LOG}; commit it together with {MANIFEST}\n",
                    head.seq
                )),
                None => text.push_str("  everything was as it is: nothing to record\n"),
            }
            context.output.result(&text)?;
        }
    }
    Ok(Exit::Done)
}

/// The JSON shape of a look.
#[derive(Serialize)]
struct Verified<'a> {
    schema: u32,
    /// `locked`, `unlocked` or `tampered`.
    state: &'static str,
    manifest: Option<Digest>,
    files: usize,
    problems: &'a [Problem],
    mended: Vec<Mended<'a>>,
}

#[derive(Serialize)]
struct Mended<'a> {
    path: &'a str,
    mode: Mode,
    expected: Mode,
}

pub(super) fn verify(context: &Context, _: &VerifyArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let looked = tamper::look(&workspace)?;
    let locked = looked.locked.as_ref();
    let files = locked.map_or(0, |locked| locked.manifest.files.len());
    let state = match (looked.is_tampered(), locked) {
        (true, _) => "tampered",
        (false, Some(_)) => "locked",
        (false, None) => "unlocked",
    };
    context.output.findings(&looked.notes);
    let mended = if looked.is_tampered() {
        Vec::new()
    } else {
        looked.mend(&workspace)
    };
    context
        .output
        .findings(looked.findings().iter().chain(&mended));
    let drift = looked.drift.iter().map(|drift| Mended {
        path: &drift.path,
        mode: drift.found,
        expected: drift.expected,
    });
    match context.format() {
        Format::Json => context.output.json(&Verified {
            schema: 1,
            state,
            manifest: looked.recorded,
            files,
            problems: &looked.problems,
            mended: drift.collect(),
        })?,
        Format::Human => {
            let text = match state {
                "tampered" => format!("TAMPERED  {} problems; see above\n", looked.problems.len()),
                "locked" => format!("as accepted  {files} files\n"),
                _ => "nothing is locked; `policy-orchestrator policy lock --reason TEXT` holds the policies to their bytes\n".to_owned(),
            };
            context.output.result(&text)?;
        }
    }
    Ok(if looked.is_tampered() {
        Exit::Tampering
    } else {
        Exit::Done
    })
}
