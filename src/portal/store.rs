//! The file of the page's data: taken further by every run and response where it exists, made anew
//! from the journal where it does not fit.
//!
//! It is a projection: nothing is decided by it, and what can't be written of it is a warning. Every
//! writer holds the workspace lock. What else the page shows is read
//! again where one of its files was changed since.

use super::data::{Data, Decided, SCHEMA, is_ahead, taken};
use super::{FILE, activity, day, standing};
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
use crate::time::{Clock, Timestamp};

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
    let held = match load(ground.workspace) {
        Ok(Held::Nothing) => return None,
        held => held,
    };
    let advanced = held.and_then(|held| advance(ground, recorded, held));
    advanced.err().map(|error| told(&error))
}

fn advance(ground: Ground<'_>, recorded: Recorded<'_>, held: Held) -> Checked<()> {
    // By the machine's clock: a time that somebody gave says nothing of what is ahead or over.
    let now = Clock::System.read();
    let mut data = match held {
        Held::Data(data) if data.head == recorded.before && !data.is_ahead_of(now) => *data,
        // A kill came between a decision and this file, the journal is another, or a clock was wrong.
        held => return make_anew(ground, held, now).map(drop),
    };
    let Decision {
        level, at, reasons, ..
    } = recorded.decision;
    let decided = Decided {
        at: *at,
        seq: recorded.head.seq,
        level,
        given: recorded.given,
        ahead: false,
    };
    let since = data.last_at;
    let codes = || distinct(reasons.iter().map(|reason| reason.code.clone()));
    let waived = &recorded.decision.waived;
    let waived: Vec<ReasonCode> = distinct(waived.iter().map(|one| one.reason.code.clone()));
    data.take(decided, recorded.readings.iter().map(taken), codes, &waived);
    data.head = Some(recorded.head);
    if !recorded.given {
        data.freeze(ground.policy.freeze(), since, *at);
        if let Ok(micros) = u64::try_from(now.since(*at).num_microseconds().unwrap_or(-1)) {
            data.took(micros);
        }
    }
    look(ground, &mut data, now)?;
    keep(ground, &data)
}

/// Takes in how responses, overrides and safeguards stand and how far the journal was verified, where
/// the file is kept. The caller holds the workspace lock.
pub fn after_change(ground: Ground<'_>) -> Option<Diagnostic> {
    let told_in = |held: Held| -> Checked<()> {
        let now = Clock::System.read();
        let Held::Data(mut data) = held else {
            return make_anew(ground, held, now).map(drop);
        };
        look(ground, &mut data, now)?;
        keep(ground, &data)
    };
    let told_in = match load(ground.workspace) {
        Ok(Held::Nothing) => return None,
        held => held.and_then(told_in),
    };
    told_in.err().map(|error| told(&error))
}

/// Everything but decisions, unless all of it stands as it did when somebody looked last.
fn look(ground: Ground<'_>, data: &mut Data, now: Timestamp) -> Checked<()> {
    let workspace = ground.workspace;
    let seen = standing::seen(workspace);
    if data.seen == seen {
        data.still(now);
        return Ok(());
    }
    data.seen = seen;
    data.verified = verified::head_of(workspace, STATE_JOURNAL, ground.key);
    let responses = activity::recent(workspace)?;
    data.respond(responses, activity::previewed(workspace));
    data.overrides = standing::overrides(workspace, now)?;
    data.safeguards = Some(standing::safeguards(workspace, now));
    Ok(())
}

/// Makes the file anew from the journal, its sealed segments included, in memory that does not grow
/// with them.
pub fn rebuild(ground: Ground<'_>) -> Checked<Data> {
    // One of a newer version is not written over.
    let held = load(ground.workspace)?;
    make_anew(ground, held, Clock::System.read())
}

fn make_anew(ground: Ground<'_>, held: Held, now: Timestamp) -> Checked<Data> {
    let mut data = of_journal(ground.workspace, now)?;
    if let Some(at) = data.last_at {
        data.freeze(ground.policy.freeze(), None, at);
    }
    if let Held::Data(held) = held {
        data.took_us = held.took_us;
    }
    look(ground, &mut data, now)?;
    keep(ground, &data)?;
    Ok(data)
}

/// The recorded decisions as data. Lines that can't be read are left out: `audit verify` tells them.
fn of_journal(workspace: &Workspace, now: Timestamp) -> Checked<Data> {
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
                    ahead: is_ahead(fixed.at, now),
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
                    ahead: is_ahead(recorded.at, now),
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

/// What stands in the file's place.
enum Held {
    /// Nothing: nobody keeps the file.
    Nothing,
    /// Something that is none of ours, or of before a version that added to it.
    Other,
    /// The data.
    Data(Box<Data>),
}

/// Reads the file. Fails for one of a newer version.
fn load(workspace: &Workspace) -> Checked<Held> {
    #[derive(serde::Deserialize)]
    struct Versioned {
        schema: u32,
    }
    let Some(bytes) = read_own(workspace, FILE, LINE_LIMIT)? else {
        return Ok(Held::Nothing);
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
    let data = serde_json::from_slice(&bytes).map(Box::new);
    Ok(data.map_or(Held::Other, Held::Data))
}

fn keep(ground: Ground<'_>, data: &Data) -> Checked<()> {
    let bytes = data.to_bytes();
    let write = || write::replace_projection(ground.workspace, FILE, &bytes);
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
