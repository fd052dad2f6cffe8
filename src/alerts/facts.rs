//! What the conditions ask for, read from the workspace. Nothing is written.
//!
//! Everything that grows is read from its end, as far as it matters.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::conditions::{Brake, Decided, Facts, History, ResponseFact};
use crate::approval::overrides;
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::read::read_own;
use crate::fs::{ApplyLock, Workspace};
use crate::ids::{Digest, EventType};
use crate::policy::{Level, document};
use crate::protection;
use crate::record::fix_branch::FixBranches;
use crate::record::journal::{self, CLOCK_SKEW, Inspection, Purpose};
use crate::record::line::Chained;
use crate::record::lines::{BackLines, Role};
use crate::record::{
    LOOK_BACK, STATE_JOURNAL, SigningKey, StoredState, heads, ledger, response_journal, state,
};
use crate::response::{log, settle};
use crate::safeguard::{brake, kill_switch};
use crate::signals::responses::{OLD_ENOUGH, WINDOW};
use crate::time::Timestamp;

/// Reading stops behind this many bytes of decisions that were made with a given time: a backtest
/// may have left many.
const GIVEN_ENOUGH: u64 = 16 * 1024 * 1024;

/// A brake's file larger than this is none.
const LIMIT: u64 = 1024 * 1024;

/// What to find out, and with what.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Where.
    pub workspace: &'a Workspace,
    /// The time now.
    pub at: Timestamp,
    /// How far back decisions matter.
    pub look_back: chrono::TimeDelta,
    /// The key that journals are checked with.
    pub key: Option<&'a SigningKey>,
    /// When the alerts first saw the brake engaged, where it was engaged before.
    pub brake_seen: Option<Timestamp>,
}

/// Finds out everything.
pub fn survey(question: Question<'_>) -> Facts {
    let Question {
        workspace,
        at,
        brake_seen,
        ..
    } = question;
    // Readers read the state before the journal.
    let state = StoredState::load(workspace);
    let history = history(question, state.as_ref().ok().and_then(Option::as_ref));
    let policy = policy(question);
    Facts {
        at,
        record: record(question, state),
        history,
        policy,
        brake: brake(workspace, brake_seen.unwrap_or(at)),
        blocked: log::blocked_at_end(workspace),
        branches: branches(workspace),
        response: response(workspace),
        kill_switch: kill_switch::closed(workspace)
            .map(|finding| finding.found.unwrap_or(finding.message)),
        overrides: overrides_given(workspace, at),
    }
}

/// What is wrong with the policy that is to decide, and with what is protected beside it.
fn policy(question: Question<'_>) -> Checked<Vec<Diagnostic>> {
    let Question { workspace, key, .. } = question;
    let loaded = document::load(workspace);
    let mut problems = loaded.problems;
    if loaded.file.is_none() && problems.is_empty() {
        problems.extend(gone(workspace, loaded.policy.identity().sha256)?);
    }
    let looked = protection::look(workspace, key, protection::Decided::load(workspace)?)?;
    problems.extend(looked.findings());
    Ok(problems)
}

/// Says that the document is gone by which the last decision was made, where it was one.
fn gone(workspace: &Workspace, built_in: Digest) -> Checked<Option<Diagnostic>> {
    #[derive(Deserialize)]
    struct Raw {
        document: Document,
    }
    #[derive(Deserialize)]
    struct Document {
        sha256: Digest,
    }
    let bytes = read_own(workspace, state::FILE, LIMIT)?;
    let last = bytes.and_then(|bytes| serde_json::from_slice::<Raw>(&bytes).ok());
    let last = last.map(|raw| raw.document.sha256);
    Ok(last.filter(|last| *last != built_in).map(|last| {
        let message = "the document that decided last is gone, so the built-in policy would decide";
        Diagnostic::new(
            Code::PolicyEdited,
            Place::file("policy/policy.yaml"),
            message,
        )
        .found("no policy document")
        .expected(format!("the document with SHA-256 {last}"))
        .help(format!("put back state/policies/{last}"))
    }))
}

/// When overrides were given in the last 24 hours.
fn overrides_given(workspace: &Workspace, at: Timestamp) -> Checked<Vec<Timestamp>> {
    let events = overrides::events(workspace, at.minus(WINDOW))?.into_iter();
    let given = events.filter(|event| event.event_type == EventType::OVERRIDE_APPROVED);
    Ok(given
        .map(|event| event.time)
        .filter(|time| *time <= at)
        .collect())
}

/// What is wrong with the state file, with the end of any journal, and with the file of heads.
fn record(question: Question<'_>, state: Checked<Option<StoredState>>) -> Vec<Diagnostic> {
    let Question { workspace, key, .. } = question;
    let look = Purpose::Look { lines: LOOK_BACK };
    let mut problems = Vec::new();
    let decisions = match state {
        Ok(state) => {
            match journal::inspect(workspace, state.as_ref(), key, look) {
                Ok(Inspection::Whole(_)) => {}
                Ok(Inspection::Broken(broken)) => problems.extend(broken),
                Err(problem) => problems.push(*problem),
            }
            state.as_ref().and_then(StoredState::head)
        }
        Err(problem) => {
            problems.push(*problem);
            None
        }
    };
    match heads::of_all(workspace, decisions) {
        Ok(all) => problems.extend(all.into_iter().filter_map(|(file, head)| {
            let others = file != STATE_JOURNAL;
            let looked = others.then(|| ledger::problem(workspace, &file, head, key, look))?;
            looked.unwrap_or_else(|problem| Some(*problem))
        })),
        Err(problem) => problems.push(*problem),
    }
    problems
}

/// A line of the journal of decisions, chained or plain, as far as it matters here.
#[derive(Deserialize)]
struct RawDecision {
    timestamp: Timestamp,
    policy: Level,
    #[serde(default)]
    clock: Option<IgnoredAny>,
    #[serde(default)]
    failure: Option<IgnoredAny>,
}

impl RawDecision {
    /// Reads a line that was finished; a plain one may lack its newline.
    fn parse(line: &[u8], ended: bool) -> Option<Self> {
        let is_torn = !ended && Chained::parse(line).is_some();
        serde_json::from_slice(line).ok().filter(|_| !is_torn)
    }
}

fn history(question: Question<'_>, state: Option<&StoredState>) -> Checked<History> {
    let Question {
        workspace,
        at,
        look_back,
        ..
    } = question;
    let mut history = History::default();
    let is_red = |state: &&StoredState| state.level == Level::RED && !state.given_clock;
    history.red_since = state.filter(is_red).and_then(|state| state.since);
    let Some(mut lines) = BackLines::open(workspace, STATE_JOURNAL)? else {
        of_state(&mut history, state);
        return Ok(history);
    };
    let begin = at.minus(look_back);
    let (mut old, mut given) = (0, 0);
    history.complete = true;
    while let Some(line) = lines.next_line()? {
        let length = line.bytes.len() as u64;
        let Some(raw) = RawDecision::parse(line.bytes, line.ended) else {
            // What was decided before a reseal is in a file that was changed.
            if line.role == Role::Reseals {
                history.complete = false;
                break;
            }
            continue;
        };
        // What was made with a given time, or by a clock that was wrong, happened at another time.
        if raw.clock.is_some() || raw.timestamp.since(at) > CLOCK_SKEW {
            given += length;
        } else {
            old = if raw.timestamp < begin {
                old + length
            } else {
                0
            };
            if raw.failure.is_none() && history.last_success.is_none_or(|last| last < raw.timestamp)
            {
                history.last_success = Some(raw.timestamp);
            }
            history.decisions.push(Decided {
                at: raw.timestamp,
                level: raw.policy,
            });
        }
        if old > OLD_ENOUGH || given > GIVEN_ENOUGH {
            history.complete = false;
            break;
        }
    }
    history.decisions.reverse();
    if history.decisions.is_empty() && given == 0 {
        of_state(&mut history, state);
    }
    Ok(history)
}

/// Without a journal the state file alone tells of the last decision: it is the predecessor's.
fn of_state(history: &mut History, state: Option<&StoredState>) {
    let Some(state) = state.filter(|state| !state.given_clock) else {
        return;
    };
    history.decisions.push(Decided {
        at: state.evaluated_at,
        level: state.level.clone(),
    });
    history.last_success = (!state.failed && !state.is_broken()).then_some(state.evaluated_at);
}

fn brake(workspace: &Workspace, seen: Timestamp) -> Brake {
    #[derive(Deserialize)]
    struct Raw {
        is_engaged: bool,
        #[serde(default)]
        engaged_at: Option<Value>,
    }
    let bytes = match read_own(workspace, brake::FILE, LIMIT) {
        Ok(None) => return Brake::Off,
        Ok(Some(bytes)) => bytes,
        Err(finding) => return Brake::Unreadable(format!("{}: {}", brake::FILE, finding.message)),
    };
    let bare = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    match serde_json::from_slice::<Raw>(bare) {
        Ok(raw) if raw.is_engaged => Brake::Engaged {
            at: raw
                .engaged_at
                .as_ref()
                .and_then(Value::as_str)
                .and_then(Timestamp::read)
                .map(|read| read.time),
            seen,
        },
        Ok(_) => Brake::Off,
        Err(error) => Brake::Unreadable(format!("{} can't be read: {error}", brake::FILE)),
    }
}

fn branches(workspace: &Workspace) -> Checked<Vec<String>> {
    let opened = FixBranches::open(workspace).map_err(|finding| {
        Box::new(Diagnostic {
            code: Code::ConditionUnknown,
            message: "the fix branches can't be listed".to_owned(),
            expected: Some("a git repository that the user of this run may read".to_owned()),
            help: Some(
                "check the repository with `git fsck` and its owner with `git status`".to_owned(),
            ),
            ..*finding
        })
    })?;
    match opened {
        Some(branches) => branches.names(),
        None => Ok(Vec::new()),
    }
}

/// The response that was begun last, and the actions of which nobody knows what they did.
fn response(workspace: &Workspace) -> Checked<ResponseFact> {
    let standing = response_journal::standing(workspace)?;
    // The lock before the log: an apply writes its line before it lets go of the lock.
    let is_running = ApplyLock::holder(workspace)?.is_some();
    let cut_off = if is_running {
        None
    } else {
        settle::interrupted(workspace, &standing)?
    };
    Ok(ResponseFact {
        cut_off,
        unsettled: standing.unsettled,
    })
}
