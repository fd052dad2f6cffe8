//! The file of the page's data: taken further by every run and response where it exists, made anew
//! from the journal where it does not fit.
//!
//! It is a projection: nothing is decided by it, and what can't be written of it is a warning. Every
//! writer holds the workspace lock.

use super::data::{Data, Decided, SCHEMA, taken};
use super::{FILE, activity, day};
use crate::decision::Decision;
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::read::read_own;
use crate::fs::{RetryDelays, Workspace, write};
use crate::history::walk::{Entry, Source};
use crate::ids::{Digest, ReasonCode, distinct};
use crate::policy::Policy;
use crate::record::line::Chained;
use crate::record::{Head, LINE_LIMIT, STATE_JOURNAL, SigningKey, verified};
use crate::signals::Readings;

/// What every writer holds.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// Where.
    pub workspace: &'a Workspace,
    /// The key that speaks for how far the journal was verified.
    pub key: Option<&'a SigningKey>,
    /// The policy in force, for its freeze windows.
    pub policy: &'a Policy,
    /// The waits between attempts at a write.
    pub retry: &'a RetryDelays,
}

/// A decision that was just recorded.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'a> {
    /// What was decided.
    pub decision: &'a Decision,
    /// What the signals said.
    pub readings: &'a Readings,
    /// True where a person gave the time.
    pub given: bool,
    /// The end of the journal before it.
    pub before: Option<Head>,
    /// Its own line.
    pub head: Head,
}

/// True where the file is kept.
pub fn is_kept(workspace: &Workspace) -> bool {
    std::fs::symlink_metadata(workspace.path(FILE)).is_ok()
}

/// Takes a decision in, where the file is kept. What kept it from that is a warning.
pub fn after_run(ground: Ground<'_>, recorded: Recorded<'_>) -> Option<Diagnostic> {
    // One system call where nobody keeps the file.
    if !is_kept(ground.workspace) {
        return None;
    }
    advance(ground, recorded).err().map(|error| told(&error))
}

fn advance(ground: Ground<'_>, recorded: Recorded<'_>) -> Checked<()> {
    let mut data = match load(ground.workspace)? {
        Some(data) if data.head == recorded.before => data,
        // A kill came between a decision and this file, or the journal is another.
        _ => return rebuild(ground).map(drop),
    };
    let Decision {
        level, at, reasons, ..
    } = recorded.decision;
    let decided = Decided {
        at: *at,
        seq: recorded.head.seq,
        level,
        given: recorded.given,
    };
    let since = data.last_at;
    let codes = || distinct(reasons.iter().map(|reason| reason.code.clone()));
    let waived = &recorded.decision.waived;
    let waived: Vec<ReasonCode> = distinct(waived.iter().map(|one| one.reason.code.clone()));
    data.take(decided, recorded.readings.iter().map(taken), codes, &waived);
    data.head = Some(recorded.head);
    if !recorded.given {
        data.freeze(ground.policy.freeze(), since, *at);
    }
    data.verified = verified::head_of(ground.workspace, STATE_JOURNAL, ground.key);
    data.preview = activity::previewed(ground.workspace);
    keep(ground, &data)
}

/// Takes in how responses stand, where the file is kept. The caller holds the workspace lock.
pub fn after_response(ground: Ground<'_>) -> Option<Diagnostic> {
    if !is_kept(ground.workspace) {
        return None;
    }
    let told_in = || -> Checked<()> {
        let Some(mut data) = load(ground.workspace)? else {
            return rebuild(ground).map(drop);
        };
        let responses = activity::recent(ground.workspace)?;
        data.respond(responses, activity::previewed(ground.workspace));
        keep(ground, &data)
    };
    told_in().err().map(|error| told(&error))
}

/// Makes the file anew from the journal, its sealed segments included, in memory that does not grow
/// with them.
pub fn rebuild(ground: Ground<'_>) -> Checked<Data> {
    // One of a newer version is not written over.
    load(ground.workspace)?;
    let mut data = of_journal(ground.workspace)?;
    if let Some(at) = data.last_at {
        data.freeze(ground.policy.freeze(), None, at);
    }
    data.verified = verified::head_of(ground.workspace, STATE_JOURNAL, ground.key);
    let responses = activity::recent(ground.workspace)?;
    data.respond(responses, activity::previewed(ground.workspace));
    keep(ground, &data)?;
    Ok(data)
}

/// The recorded decisions as data. Lines that can't be read are left out: `audit verify` tells them.
fn of_journal(workspace: &Workspace) -> Checked<Data> {
    let mut data = Data::default();
    let Some(source) = Source::of_workspace(workspace)? else {
        return Ok(data);
    };
    let mut last = Vec::new();
    source.each(&mut |line| {
        match &line.entry {
            Entry::Fixed(fixed) => {
                let decided = Decided {
                    at: fixed.at,
                    seq: fixed.seq,
                    level: &fixed.level,
                    given: fixed.given_clock,
                };
                let values = fixed.six.values();
                let readings = values
                    .iter()
                    .zip(fixed.six.status)
                    .map(|((name, value), status)| (name, status, day::number(*value)));
                let codes = || fixed.to_recorded().map(|line| line.reasons);
                data.take(decided, readings, || codes().unwrap_or_default(), &[]);
            }
            Entry::Other(recorded) => {
                let decided = Decided {
                    at: recorded.at,
                    seq: recorded.seq,
                    level: &recorded.level,
                    given: recorded.given_clock,
                };
                let readings = recorded.readings.iter().map(taken);
                let codes = || recorded.reasons.clone();
                data.take(decided, readings, codes, &distinct(recorded.waived.clone()));
            }
            Entry::Marker { .. } => {}
            Entry::Plain | Entry::Torn | Entry::Unreadable(_) => return,
        }
        last.clear();
        last.extend_from_slice(line.bytes);
    })?;
    data.head = Chained::parse(&last).map(|line| Head {
        seq: line.seq,
        sha256: Digest::of(&last),
    });
    Ok(data)
}

/// The file's content; `None` where there is none that can be read. Fails for one of a newer version.
fn load(workspace: &Workspace) -> Checked<Option<Data>> {
    #[derive(serde::Deserialize)]
    struct Versioned {
        schema: u32,
    }
    let Some(bytes) = read_own(workspace, FILE, LINE_LIMIT)? else {
        return Ok(None);
    };
    let versioned = serde_json::from_slice::<Versioned>(&bytes);
    if let Ok(Versioned { schema }) = versioned
        && schema > SCHEMA
    {
        return Err(Box::new(
            Diagnostic::new(
                Code::FormatNewer,
                Place::file(FILE).path("$.schema"),
                "the portal's data were written by a newer version",
            )
            .found(schema.to_string())
            .expected(format!("at most {SCHEMA}"))
            .help("use that version here, or remove the file and make it anew with `policy-orchestrator portal data --rebuild`"),
        ));
    }
    Ok(serde_json::from_slice(&bytes).ok())
}

fn keep(ground: Ground<'_>, data: &Data) -> Checked<()> {
    let bytes = data.to_bytes();
    let write = || write::replace_rarely(ground.workspace, FILE, &bytes);
    ground.retry.retry(write).map_err(Into::into)
}

/// The warning for what kept the file from being taken further.
fn told(error: &Diagnostic) -> Diagnostic {
    Diagnostic::new(
        Code::PortalBehind,
        Place::file(FILE),
        format!("the portal's data were not brought up to date: {}", error.message),
    )
    .found(error.found.clone().unwrap_or_else(|| "nothing".to_owned()))
    .expected("a file that goes as far as the journal; decisions and responses are recorded all the same")
    .help("put right what stands in the way and make the file anew with `policy-orchestrator portal data --rebuild`")
}
