//! What the commands share that take a step with a version: how it is taken, shown, and refused.

use serde::Serialize;

use crate::cli::recording::{self, Recording};
use crate::cli::{Context, Exit, Format, is_blocking, is_denied, is_tampering};
use crate::diagnostic::{Diagnostic, shown};
use crate::lifecycle::version::{Stage, Version};
use crate::lifecycle::{Outcome, Refused, Stepped};
use crate::record::{Head, VERSIONS_LOG};
use crate::safeguard::Request;
use crate::time::Timestamp;

/// The exit codes of every step.
pub(super) const EXITS: &str = "\
Exit codes: 0 done; 1 failed (standard error says what); 2 usage; 3 the kill switch is on;
4 not granted: something is missing, and each line says what to do; 5 a file or journal was changed";

/// The JSON shape of every step.
#[derive(Serialize)]
struct Step<'a> {
    schema: u32,
    at: Timestamp,
    version: &'a str,
    sha256: String,
    stage: Stage,
    /// The line of the journal; `null` where a step that was recorded before was finished.
    recorded: Option<Head>,
    notes: &'a [String],
}

/// Takes a step and shows what it came to.
pub(super) fn take(
    context: &Context,
    recording: &Recording,
    command: &'static str,
    take: impl FnOnce(&Request<'_>) -> Stepped<Outcome>,
) -> anyhow::Result<Result<Version, Exit>> {
    let taken = recording::change(context, recording, command, |request| Ok(take(request)))?;
    match taken {
        Ok(outcome) => {
            show(context, &outcome)?;
            Ok(Ok(outcome.version))
        }
        Err(Refused(findings)) => Ok(Err(refused(context, &findings))),
    }
}

/// Shows why a step was not taken.
pub(super) fn refused(context: &Context, findings: &[Diagnostic]) -> Exit {
    context.output.findings(findings);
    let any = |is: fn(&Diagnostic) -> bool| findings.iter().any(is);
    match () {
        () if any(is_tampering) => Exit::Tampering,
        () if any(is_blocking) => Exit::Blocked,
        () if any(is_denied) => Exit::Denied,
        () => Exit::Failed,
    }
}

fn show(context: &Context, outcome: &Outcome) -> anyhow::Result<()> {
    let Version {
        id, sha256, stage, ..
    } = &outcome.version;
    match context.format() {
        Format::Json => context.output.json(&Step {
            schema: 1,
            at: outcome.at,
            version: id,
            sha256: sha256.to_string(),
            stage: *stage,
            recorded: outcome.head,
            notes: &outcome.notes,
        }),
        Format::Human => {
            let paint = context.output.paint();
            let mut text = format!("{}  {}\n", paint.bold(id), stage.as_str());
            for note in &outcome.notes {
                text.push_str(&format!("  {}\n", shown(note)));
            }
            if let Some(head) = outcome.head {
                text.push_str(&format!(
                    "  recorded as number {} of {VERSIONS_LOG}\n",
                    head.seq
                ));
            }
            context.output.result(&text)
        }
    }
}
