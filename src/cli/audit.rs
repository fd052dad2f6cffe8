//! `audit`: its commands; `audit verify` and `audit reseal` themselves.

mod checkpoint;
mod event;
mod list;
mod rotate;
mod rotate_key;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::recording::with_records;
use super::run::parse_timeout;
use super::{Context, Exit, Format, clock, parse_reason, parse_time, portal, secrets};
use crate::compliance::retention::{self, Kept, Retention};
use crate::diagnostic::{Checked, Code, Diagnostic};
use crate::fs::Workspace;
use crate::ids::Digest;
use crate::record::chain::{self, Found, Question};
use crate::record::checkpoint::Checkpoint;
use crate::record::journal::{self, Inspection, Purpose};
use crate::record::verify::{Against, Verdict, Verification, verify};
use crate::record::{
    self, HEADS_FILE, Head, JOURNALS, STATE_JOURNAL, SigningKey, StoredState, findings, heads,
    ledger, reseal, rotation, verified,
};
use crate::time::Timestamp;

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Check the chain of every journal in the workspace
    Verify(VerifyArgs),
    /// Write down, signed, where every journal stands now, to be kept elsewhere
    Checkpoint(checkpoint::CheckpointArgs),
    /// Keep a broken journal as it is, and begin a new one that names it
    Reseal(ResealArgs),
    /// What happened, out of all journals, the newest first
    List(list::ListArgs),
    /// Write what happened, out of all journals, to a file
    Export(list::ExportArgs),
    /// Record an event of your own
    Record(event::RecordArgs),
    /// Close journals into packed segments, with the chain going through them
    Rotate(rotate::RotateArgs),
    /// Hand every signed journal over from the old signing secret to the new one
    RotateKey(rotate_key::RotateKeyArgs),
}

const VERIFY_HELP: &str = "\
Examples:
  policy-orchestrator audit verify
  policy-orchestrator audit verify --head 41:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  policy-orchestrator audit verify --checkpoint 2026-01-31.note --checkpoint-key policy.pub
  git log -1 --format=%B | policy-orchestrator audit verify --checkpoint - --checkpoint-key policy.pub

A checkpoint may stand in a longer text, as a commit message. Without --checkpoint-key nobody asks who
signed it.

Exit codes: 0 whole (or a plain log that nobody chained), 1 unreadable, a rotation of keys that is not
done yet, or a policy/retention.yaml that can't be used, 5 changed
What a reader without the signing key can and can't conclude is in SECURITY.md.";

#[derive(Debug, Args)]
#[command(after_help = VERIFY_HELP)]
pub(super) struct VerifyArgs {
    /// Hold the journal of decisions against a head that was kept elsewhere too: its line has to be
    /// there, as with a checkpoint (which is of all journals): NUMBER:SHA256
    #[arg(long, value_name = "NUMBER:SHA256", value_parser = parse_head)]
    head: Option<Head>,

    /// Hold every journal against a checkpoint that was kept elsewhere too; `-` for standard input
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<String>,

    /// The public key that has to have signed the checkpoint
    #[arg(long, value_name = "PUB", requires = "checkpoint")]
    checkpoint_key: Option<PathBuf>,

    /// Record that everything up to here was verified, so that an apply need not do it again
    #[arg(long)]
    record: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  policy-orchestrator audit reseal --reason 'line 12 edited by hand, see ticket 4711'"
)]
pub(super) struct ResealArgs {
    /// The broken journal: decisions, responses (state/policy_response_journal.jsonl), ...
    #[arg(long, value_name = "FILE", default_value = STATE_JOURNAL, value_parser = JOURNALS)]
    journal: String,

    /// Why; it is recorded in the new journal's first line
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    reason: String,

    /// Go on unsigned behind a signed journal, as when the secret is lost; the new line says so
    #[arg(long)]
    unsigned: bool,

    /// Date the new line with this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,

    /// How long to wait for another run, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_timeout)]
    lock_timeout: Duration,
}

/// The JSON shape of `audit verify`.
#[derive(Serialize)]
struct Audit {
    schema: u32,
    whole: bool,
    signing_key: bool,
    /// What the journals were held against, where a checkpoint was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint: Option<Held>,
    journals: Vec<Verification>,
    /// How long what is kept; absent where nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    retention: Option<Vec<Kept>>,
}

/// A checkpoint that was kept.
#[derive(Serialize)]
struct Held {
    origin: String,
    at: Timestamp,
    /// False where no key was given.
    signature_checked: bool,
}

fn parse_head(text: &str) -> Result<Head, String> {
    let parts = text
        .split_once(':')
        .and_then(|(seq, sha256)| Some((seq.parse().ok()?, Digest::parse(sha256)?)));
    parts
        .map(|(seq, sha256)| Head { seq, sha256 })
        .ok_or_else(|| {
            "expected a number, a colon and a SHA-256 of 64 lower-case digits".to_owned()
        })
}

pub(super) fn audit(context: &Context, command: &AuditCommand) -> anyhow::Result<Exit> {
    match command {
        AuditCommand::Verify(arguments) => verify_all(context, arguments),
        AuditCommand::Checkpoint(arguments) => checkpoint::checkpoint(context, arguments),
        AuditCommand::Reseal(arguments) => reseal_journal(context, arguments),
        AuditCommand::List(arguments) => list::list(context, arguments),
        AuditCommand::Export(arguments) => list::export(context, arguments),
        AuditCommand::Record(arguments) => event::record(context, arguments),
        AuditCommand::Rotate(arguments) => rotate::rotate(context, arguments),
        AuditCommand::RotateKey(arguments) => rotate_key::rotate_key(context, arguments),
    }
}

fn verify_all(context: &Context, arguments: &VerifyArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let key = secrets::signing_key()?;
    let signer = arguments.checkpoint_key.as_deref();
    let kept = arguments.checkpoint.as_deref();
    let kept = kept
        .map(|path| checkpoint::kept(path, signer))
        .transpose()?;
    let mut journals = journals(&workspace, key.as_ref(), arguments.head)?;
    if let Some(kept) = &kept {
        held_against_checkpoint(&workspace, kept, key.as_ref(), &mut journals)?;
    }
    if kept.is_some() && signer.is_none() {
        context.output.note(
            "nobody asked who signed the checkpoint: name the public key with --checkpoint-key",
        );
    }
    add_put_back(&mut journals);
    let whole = journals
        .iter()
        .all(|journal| journal.verdict != Verdict::Broken);
    if arguments.record && whole {
        record(&workspace, &journals)?;
        portal::tell(context, &workspace, RECORD_WAIT);
    }
    let kept_for = retention::load(&workspace);
    let audit = Audit {
        schema: 1,
        whole,
        signing_key: key.is_some(),
        checkpoint: kept.map(|kept| Held {
            origin: kept.origin,
            at: kept.at,
            signature_checked: signer.is_some(),
        }),
        journals,
        retention: kept_for.as_ref().ok().map(Retention::all),
    };
    show_problems(context, &audit.journals);
    match context.format() {
        Format::Human => context.output.result(&human(context, &audit))?,
        Format::Json => context.output.json(&audit)?,
    }
    if !whole {
        return Ok(Exit::Tampering);
    }
    let mut behind = not_handed_over(&audit.journals, key.as_ref());
    behind.extend(kept_for.err().unwrap_or_default());
    context.output.findings(&behind);
    Ok(if behind.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// Every journal, verified in full.
pub(super) fn verified_journals(workspace: &Workspace) -> Checked<Vec<Verification>> {
    let key = secrets::signing_key()?;
    let mut journals = journals(workspace, key.as_ref(), None)?;
    add_put_back(&mut journals);
    Ok(journals)
}

/// Adds that a journal was put back to before a rotation of keys.
fn add_put_back(journals: &mut [Verification]) {
    for problem in rotation::put_back(journals) {
        let cut = |journal: &&mut Verification| problem.place.file == journal.file;
        if let Some(journal) = journals.iter_mut().find(cut) {
            add(journal, problem.clone());
        }
    }
}

/// Journals that a rotation of keys has not come to yet.
fn not_handed_over(journals: &[Verification], key: Option<&SigningKey>) -> Vec<Diagnostic> {
    let Some(key) = key else { return Vec::new() };
    let behind = journals.iter().filter_map(|journal| {
        let old = journal.old_key?;
        Some(*findings::not_handed_over(&journal.file, old, key.id()))
    });
    behind.collect()
}

fn show_problems(context: &Context, journals: &[Verification]) {
    let problems = journals.iter().flat_map(|journal| &journal.problems);
    context.output.findings(problems);
}

/// What the journals are that go on from somewhere else than the checkpoint says.
fn held_against_checkpoint(
    workspace: &Workspace,
    kept: &Checkpoint,
    key: Option<&SigningKey>,
    journals: &mut Vec<Verification>,
) -> Checked<()> {
    for (file, head) in &kept.heads {
        let problems = record::checkpoint::problems(workspace, (file, "checkpoint"), *head, key)?;
        let known = journals.iter().position(|journal| journal.file == *file);
        let found = match known.and_then(|index| journals.get_mut(index)) {
            Some(found) => found,
            None if problems.is_empty() => continue,
            // One that is gone is shown, since the checkpoint names it.
            None => {
                let gone = verify(workspace, file, Against::nothing(key))?;
                journals.push(gone);
                let Some(last) = journals.last_mut() else {
                    continue;
                };
                last
            }
        };
        for problem in problems {
            if !found.problems.contains(&problem) {
                add(found, problem);
            }
        }
    }
    Ok(())
}

/// Records how far every journal was just found whole.
fn record(workspace: &Workspace, journals: &[Verification]) -> Checked<()> {
    with_records(workspace, ("audit verify", RECORD_WAIT), |records| {
        let heads = journals
            .iter()
            .filter_map(|journal| Some((journal.file.clone(), journal.head?)));
        verified::store(records, clock(None).read(), heads)
    })
}

/// How long a verification waits to be recorded.
const RECORD_WAIT: Duration = Duration::from_secs(30);

fn journals(
    workspace: &Workspace,
    key: Option<&SigningKey>,
    kept: Option<Head>,
) -> Checked<Vec<Verification>> {
    let state = StoredState::load(workspace);
    let decisions = state.as_ref().ok().and_then(Option::as_ref);
    let mut all = Vec::new();
    for (file, head) in heads::of_all(workspace, decisions.and_then(StoredState::head))? {
        let mut found = verify(workspace, &file, Against { head, key })?;
        if file == STATE_JOURNAL {
            held_against(workspace, kept, key, &mut found)?;
            as_a_run_sees_it(workspace, &state, key, &mut found)?;
        } else if found.verdict == Verdict::Whole
            && let Some(problem) =
                ledger::problem(workspace, &file, head, key, Purpose::Look { lines: 2 })?
        {
            add(&mut found, problem);
        }
        if let Some(problem) = against_verified(workspace, &file, head, key, &found)? {
            add(&mut found, problem);
        }
        if found.verdict != Verdict::Absent || file == STATE_JOURNAL {
            all.push(found);
        }
    }
    Ok(all)
}

/// What is wrong with a journal that is whole in itself: it is not the one that was verified before.
fn against_verified(
    workspace: &Workspace,
    file: &str,
    head: Option<Head>,
    key: Option<&SigningKey>,
    found: &Verification,
) -> Checked<Option<Diagnostic>> {
    let Some(known) = verified::head_of(workspace, file, key) else {
        return Ok(None);
    };
    let end = found.head.map_or(0, |head| head.seq);
    if known.seq > end {
        return Ok(Some(findings::before_verified(file, known, end)));
    }
    if found.verdict != Verdict::Whole {
        return Ok(None);
    }
    let question = Question {
        workspace,
        file,
        recorded: head,
        keeper: HEADS_FILE,
        key,
        purpose: Purpose::Since {
            lines: 1,
            verified: Some(known),
        },
    };
    Ok(
        match chain::look(question, &mut |_| ControlFlow::Break(()))? {
            Found::Whole(_) => None,
            Found::Broken(mut problems) => Some(problems.swap_remove(0)),
        },
    )
}

fn add(found: &mut Verification, problem: Diagnostic) {
    found.verdict = Verdict::Broken;
    found.problem_count += 1;
    found.problems.push(problem);
}

/// The head that the auditor kept elsewhere: its line has to be there, since a reseal that names the head
/// could be anybody's who holds the key.
fn held_against(
    workspace: &Workspace,
    kept: Option<Head>,
    key: Option<&SigningKey>,
    found: &mut Verification,
) -> Checked<()> {
    let Some(kept) = kept else { return Ok(()) };
    let place = (STATE_JOURNAL, "kept head");
    for problem in record::checkpoint::problems(workspace, place, kept, key)? {
        if !found.problems.contains(&problem) {
            add(found, problem);
        }
    }
    Ok(())
}

/// What a run would find at the end of the journal, the state file included.
fn as_a_run_sees_it(
    workspace: &Workspace,
    state: &Checked<Option<StoredState>>,
    key: Option<&SigningKey>,
    found: &mut Verification,
) -> Checked<()> {
    let state = match state {
        Ok(state) => state.as_ref(),
        Err(error)
            if error.code == Code::StateUnreadable && found.verdict != Verdict::Unchained =>
        {
            add(found, (**error).clone());
            return Ok(());
        }
        Err(error) => return Err(error.clone()),
    };
    let inspected = journal::inspect(workspace, state, key, Purpose::Look { lines: 2 })?;
    let problems = match inspected {
        Inspection::Broken(problems) => problems,
        Inspection::Whole(_) => {
            let differs = state.map(|state| journal::since_differs(workspace, state));
            differs.transpose()?.flatten().into_iter().collect()
        }
    };
    for problem in problems {
        if !found
            .problems
            .iter()
            .any(|known| known.code == problem.code)
        {
            add(found, problem);
        }
    }
    Ok(())
}

fn human(context: &Context, audit: &Audit) -> String {
    let paint = context.output.paint();
    let mut text = String::new();
    if let Some(held) = &audit.checkpoint {
        let signed = if held.signature_checked {
            "signed"
        } else {
            "its signature not checked"
        };
        text.push_str(&format!(
            "held against the checkpoint of {} ({}, {signed})\n",
            held.at.human(),
            crate::diagnostic::shown(&held.origin)
        ));
    }
    for journal in &audit.journals {
        let verdict = match journal.verdict {
            Verdict::Whole if journal.unchecked > 0 => paint.level(
                &crate::policy::Level::YELLOW,
                "▲ whole, its signatures not checked: no secret is set",
            ),
            Verdict::Whole => paint.level(&crate::policy::Level::GREEN, "● whole"),
            Verdict::Unchained => {
                "○ unchained: a plain log that was never appended to, which is no fault".to_owned()
            }
            Verdict::Absent => "○ absent: nothing was recorded yet".to_owned(),
            Verdict::Broken => paint.error("■ BROKEN"),
        };
        text.push_str(&format!("{}  {verdict}\n", paint.bold(&journal.file)));
        if journal.verdict == Verdict::Absent {
            continue;
        }
        text.push_str(&format!(
            "  lines     {} ({} of them from before the chain)\n  signed    {} right, {} wrong, {} not checked for want of the key, {} unsigned\n",
            journal.lines, journal.adopted, journal.signed, journal.wrong, journal.unchecked, journal.unsigned
        ));
        if let Some(head) = journal.head {
            text.push_str(&format!("  head      {}:{}\n", head.seq, head.sha256));
        }
        if let Some(key) = journal.key {
            let old = journal.old_key.map_or("", |_| ", an old one");
            text.push_str(&format!("  key       {key}{old}\n"));
        }
        if journal.closed > 0 {
            text.push_str(&format!("  before    {} closed segments\n", journal.closed));
        }
        if let Some(segment) = &journal.segment {
            text.push_str(&format!(
                "  before    a broken segment, sealed: {}\n",
                segment.file.as_deref().unwrap_or("no file was there")
            ));
        }
        if journal.torn {
            text.push_str("  end       a line that was never finished, as a kill leaves it; the next run moves it aside\n");
        }
        if journal.problem_count > 0 {
            text.push_str(&format!(
                "  problems  {}{}\n",
                journal.problem_count,
                if journal.problem_count > journal.problems.len() {
                    " (the first 20 are shown)"
                } else {
                    ""
                }
            ));
        }
    }
    text
}

fn reseal_journal(context: &Context, arguments: &ResealArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let holding = ("audit reseal", arguments.lock_timeout);
    let resealed = with_records(&workspace, holding, |records| {
        let request = reseal::Request {
            file: &arguments.journal,
            at: clock(arguments.at).read(),
            reason: &arguments.reason,
            unsigned: arguments.unsigned,
        };
        reseal::reseal(records, request)
    })?;
    match context.format() {
        Format::Json => context.output.json(&resealed)?,
        Format::Human => {
            let kept = resealed
                .segment
                .file
                .as_deref()
                .unwrap_or("nothing, since no journal was there");
            let next = if arguments.journal == STATE_JOURNAL {
                "; run `policy-orchestrator run` to decide again"
            } else {
                ""
            };
            let mut text = format!(
                "kept: {kept}\n{} begins anew with number {}{next}\n",
                arguments.journal, resealed.head.seq
            );
            if resealed.state_moved {
                text.push_str("moved aside: the file that kept the head, as `….unreadable`\n");
            }
            context.output.result(&text)?;
        }
    }
    Ok(Exit::Done)
}
