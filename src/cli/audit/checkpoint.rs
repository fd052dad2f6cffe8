//! `audit checkpoint`, and reading one wherever it was kept: a file, a commit message, a summary.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{journals, show_problems};
use crate::cli::actor::actor;
use crate::cli::given::Given;
use crate::cli::recording::with_records;
use crate::cli::run::parse_timeout;
use crate::cli::{Context, Exit, FormatChoice, clock, keys, parse_time, secrets};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::fs::named::{Readers, create};
use crate::ids::{Digest, EventType};
use crate::keys::note::{self, KeyName, Note, Signed, Verifier};
use crate::keys::{KeyId, file};
use crate::record::Head;
use crate::record::audit::{self, Event, Severity};
use crate::record::checkpoint::{Checkpoint, ORIGIN};
use crate::record::verify::Verdict;
use crate::time::Timestamp;

const HELP: &str = "\
Examples:
  POLICY_SIGNING_KEY_FILE=~/policy.key policy-orchestrator audit checkpoint --out ~/elsewhere/2026-01-31.note
  git commit -m \"Decisions of today\" -m \"$(policy-orchestrator audit checkpoint)\"
  policy-orchestrator audit checkpoint --form markdown >> \"$GITHUB_STEP_SUMMARY\"
  git log -1 --format=%B | policy-orchestrator audit verify --checkpoint - --checkpoint-key policy.pub

A signed note (C2SP) with the number and the hash of the last line of every journal. Kept where those
who write the journals can't reach it, it shows a history that was rewritten or shortened since, also
by somebody who holds POLICY_AUDIT_SECRET. The key has to be Ed25519: the file that
POLICY_SIGNING_KEY_FILE or COSIGN_KEY_PATH names. A line of state/audit.log says that it was made; it
follows what the note names, so that the next one covers it.

Exit codes: 0 written; 1 nothing recorded, no key, a file that can't be written, or made and not
recorded (then it is shown all the same); 2 usage;
5 a journal was changed, so nothing is signed";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(in crate::cli) struct CheckpointArgs {
    /// What the workspace is called in the note [default: the name of its directory]
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    name: Option<KeyName>,

    /// Where it goes; standard output where nothing is named
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// How it is printed
    #[arg(long, value_enum, default_value = "note")]
    form: Form,

    /// Date it with this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,

    /// How long to wait for another command, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_timeout)]
    lock_timeout: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// The note alone, for a file or a commit message
    Note,
    /// Under a heading and in a block, for a step summary
    Markdown,
}

fn parse_name(text: &str) -> Result<KeyName, String> {
    KeyName::parse(text).ok_or_else(|| "expected a name without blanks and `+`".to_owned())
}

/// The JSON shape of `audit checkpoint --format json`.
#[derive(Serialize)]
struct Shown<'a> {
    schema: u32,
    origin: &'a str,
    at: Timestamp,
    journals: Vec<Stood<'a>>,
    key_id: KeyId,
    note: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a Path>,
    /// The line of `state/audit.log` that says so; `null` where it could not be made.
    recorded: Option<Head>,
}

#[derive(Serialize)]
struct Stood<'a> {
    file: &'a str,
    seq: u64,
    sha256: Digest,
}

pub(super) fn checkpoint(context: &Context, arguments: &CheckpointArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let secret = secrets::signing_key()?;
    let found = journals(&workspace, secret.as_ref(), None)?;
    if found
        .iter()
        .any(|journal| journal.verdict == Verdict::Broken)
    {
        show_problems(context, &found);
        return Ok(Exit::Tampering);
    }
    let heads = found
        .iter()
        .filter_map(|journal| Some((journal.file.clone(), journal.head?)))
        .collect();
    let checkpoint = Checkpoint {
        origin: format!("{ORIGIN}{}", name(&workspace, arguments)),
        heads,
        at: clock(arguments.at).read(),
    };
    if checkpoint.heads.is_empty() {
        return Err(anyhow::Error::new(nothing_recorded()));
    }
    let key = keys::needed_signing_key("a checkpoint")?;
    let text = checkpoint.to_text();
    let signed = KeyName::parse(&checkpoint.origin).and_then(|name| note::sign(&text, name, &key));
    let Some(note) = signed else {
        return Err(anyhow::Error::new(not_ed25519(
            &key.verifying().algorithm().to_string(),
        )));
    };
    if let Some(out) = &arguments.out {
        create(out, note.as_bytes(), Readers::Everybody)?;
    }
    let recorded = tell(
        &workspace,
        &checkpoint,
        (&note, key.verifying().id()),
        arguments,
    );
    if context.global.format == Some(FormatChoice::Json) {
        context.output.json(&Shown {
            schema: 1,
            origin: &checkpoint.origin,
            at: checkpoint.at,
            journals: stood(&checkpoint),
            key_id: key.verifying().id(),
            note: &note,
            file: arguments.out.as_deref(),
            recorded: recorded.as_ref().ok().copied(),
        })?;
        return Ok(ending(context, recorded));
    }
    match (arguments.form, &arguments.out) {
        (Form::Markdown, _) => context.output.result(&markdown(&note))?,
        (Form::Note, None) => context.output.result(&note)?,
        (Form::Note, Some(out)) => {
            let out = out.display();
            context.output.note(&format!("the checkpoint is in {out}"));
        }
    }
    Ok(ending(context, recorded))
}

fn ending(context: &Context, recorded: Checked<Head>) -> Exit {
    let Err(finding) = recorded else {
        return Exit::Done;
    };
    context.output.findings([&*finding]);
    context
        .output
        .note("the checkpoint was made, and that could not be recorded");
    Exit::Failed
}

#[derive(Serialize)]
struct Details<'a> {
    origin: &'a str,
    key_id: KeyId,
    journals: usize,
}

/// Records that a checkpoint was made. The line follows what the checkpoint names, so that it is the
/// next one that covers it.
fn tell(
    workspace: &Workspace,
    checkpoint: &Checkpoint,
    (note, key_id): (&str, KeyId),
    arguments: &CheckpointArgs,
) -> Checked<Head> {
    let holding = ("audit checkpoint", arguments.lock_timeout);
    with_records(workspace, holding, |records| {
        let event = Event {
            at: checkpoint.at,
            user: &actor(),
            action: "checkpoint",
            event_type: &EventType::CHECKPOINT_WRITTEN,
            severity: Severity::Low,
            task_id: None,
            data: Digest::of(note.as_bytes()),
            details: &Details {
                origin: &checkpoint.origin,
                key_id,
                journals: checkpoint.heads.len(),
            },
            given_clock: arguments.at.is_some(),
        };
        audit::append(records, &event)
    })
}

fn stood(checkpoint: &Checkpoint) -> Vec<Stood<'_>> {
    let heads = checkpoint.heads.iter();
    heads
        .map(|(file, head)| Stood {
            file,
            seq: head.seq,
            sha256: head.sha256,
        })
        .collect()
}

/// The name that was given, or the directory's where that can stand in a note.
fn name(workspace: &Workspace, arguments: &CheckpointArgs) -> String {
    let of_directory = || {
        let name = workspace.root().file_name()?.to_str()?;
        KeyName::parse(name).map(|name| name.to_string())
    };
    let given = arguments.name.as_ref().map(KeyName::to_string);
    given
        .or_else(of_directory)
        .unwrap_or_else(|| "workspace".to_owned())
}

fn markdown(note: &str) -> String {
    format!("### Checkpoint of the journals\n\n```\n{note}```\n")
}

fn nothing_recorded() -> Diagnostic {
    Diagnostic::new(
        Code::NothingRecorded,
        Place::file("state"),
        "there is no journal to make a checkpoint of",
    )
    .found("no chained line")
    .expected("a decision that `run` recorded")
    .help("`policy-orchestrator run` records one")
}

fn not_ed25519(found: &str) -> Diagnostic {
    Diagnostic::new(
        Code::KeyUnusable,
        Place::file(keys::KEY_FILES[0]),
        "a signed note needs an Ed25519 key",
    )
    .found(format!("an {found} key"))
    .expected("an Ed25519 key")
    .help("`policy-orchestrator keys generate --out FILE` makes a pair")
}

/// Reads a checkpoint that was kept, and checks who signed it where a key is given.
pub(super) fn kept(path: &str, key: Option<&Path>) -> Checked<Checkpoint> {
    let given = Given {
        path,
        what: "checkpoint",
        expected: "a signed note, or a text that holds one",
        limit: note::LIMIT,
    };
    let bytes = given.read()?;
    let text = String::from_utf8_lossy(&bytes);
    let note = Note::parse(path, within(&text).as_bytes())?;
    let checkpoint = Checkpoint::parse(path, note.text())?;
    let Some(key) = key else {
        return Ok(checkpoint);
    };
    let public = file::public(key)?;
    let name = KeyName::parse(&checkpoint.origin);
    let algorithm = public.algorithm();
    let Some(verifier) = name.and_then(|name| Verifier::new(name, public)) else {
        return Err(Box::new(not_ed25519(&algorithm.to_string())));
    };
    match note.check(&verifier) {
        Signed::Yes => Ok(checkpoint),
        signed => Err(Box::new(unsigned(path, signed, &verifier))),
    }
}

/// The note within a text: from the line of its origin to its last signature, less what that line is
/// indented by. A commit message and a step summary have more around it.
fn within(text: &str) -> String {
    let mut lines = text
        .lines()
        .skip_while(|line| !line.trim_start().starts_with(ORIGIN))
        .peekable();
    let first = lines.peek().copied().unwrap_or_default();
    let indent = first.get(..first.len() - first.trim_start().len());
    let indent = indent.unwrap_or_default();
    let mut note = String::new();
    let mut signed = false;
    for line in lines {
        let line = line.strip_prefix(indent).unwrap_or(line.trim_start());
        let is_signature = line.starts_with('\u{2014}');
        if signed && !is_signature {
            break;
        }
        signed = is_signature;
        note.push_str(line);
        note.push('\n');
    }
    note
}

fn unsigned(path: &str, signed: Signed, verifier: &Verifier) -> Diagnostic {
    let found = if signed == Signed::Wrong {
        "a signature that is not one over this text"
    } else {
        "no signature of this key"
    };
    Diagnostic::new(
        Code::CheckpointUnsigned,
        Place::file(path),
        "the given key did not sign this checkpoint",
    )
    .found(found)
    .expected(format!("one of {verifier}"))
    .help("the checkpoint was changed, or another key signed it: check where both come from")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_found_in_a_message_and_in_a_summary() {
        let note =
            "policy-orchestrator/p\nstate/a 1 00\ntime t\n\n\u{2014} n AAAA\n\u{2014} m AAAA\n";
        let indented = note.replace('\n', "\n    ");
        let indented = format!("    {}\n", indented.trim_end());
        for text in [
            note.to_owned(),
            format!("Decisions of today\n\n{note}\nSigned-off-by: nobody\n"),
            format!("commit 1\n\n{indented}"),
            indented.replace("    \n", "\n"),
            markdown(note),
            note.replace('\n', "\r\n"),
        ] {
            assert_eq!(within(&text), note, "{text}");
        }
        assert_eq!(within("nothing of ours\n"), "");
    }
}
