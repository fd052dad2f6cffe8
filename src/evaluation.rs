//! One evaluation from beginning to end: lock, clock, signals, policy, decision, record.
//!
//! The way through the house is walked here, once, for every surface that evaluates. Nothing is
//! shown here: what happened comes back as an [`Evaluated`]. How a decision becomes a record is in
//! [`recording`], where the diagnostics of a failed run go in [`failure`], what a staged version would
//! have decided in [`shadow`].

mod failure;
mod recording;
mod shadow;

use std::time::Instant;

use tracing::field::Empty;

use crate::decision::{Before, Decision, JournalHealth, LockHealth, Situation, evaluate};
use crate::diagnostic::{Checked, Code, Diagnostic};
use crate::fs::{LockTimeout, RetryDelays, Workspace, WorkspaceLock};
use crate::ids::RunId;
use crate::policy::{Policy, document, readings};
use crate::protection::{self, Decided, Looked};
use crate::record::journal::{self, Inspection, JournalTail, Past, Purpose};
use crate::record::line::HeldBefore;
use crate::record::state::{self, Content, JournalRef};
use crate::record::{Head, STATE_JOURNAL, SigningKey, StoredState, findings};
use crate::signals::{ReadContext, Readings, Status};
use crate::time::{Clock, Timestamp};

pub use failure::FAILURE_FILE;

/// How to evaluate.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the evaluation time comes from.
    pub clock: Clock,
    /// True to decide and write nothing.
    pub dry_run: bool,
    /// The waits between attempts at a write; an invalid input is read once more after the first.
    pub retry: RetryDelays,
    /// How long to wait for the workspace lock.
    pub lock_timeout: LockTimeout,
    /// The size limit of an input, in bytes.
    pub limit: u64,
    /// The key that signs journal lines.
    pub key: Option<SigningKey>,
    /// The id of the run, where its log or its trace has one.
    pub run_id: Option<RunId>,
}

/// How an evaluation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Decided, and recorded unless it was a dry run.
    Done,
    /// Decided and recorded as RED: an input or the policy document can't be used.
    Invalid,
    /// A write failed.
    NotRecorded,
    /// Decided and recorded as RED: protected files were changed, and nobody accepted that.
    Tampered,
    /// The journal is broken: RED was published, nothing was appended.
    Broken,
}

/// What an evaluation came to.
#[derive(Debug)]
pub struct Evaluated {
    /// How it ended.
    pub ending: Ending,
    /// The decision.
    pub decision: Decision,
    /// What the signals said.
    pub readings: Readings,
    /// The policy in force.
    pub policy: Policy,
    /// Everything that is wrong, readings included.
    pub errors: Vec<Diagnostic>,
    /// Everything that is odd, readings included.
    pub warnings: Vec<Diagnostic>,
    /// The state file's bytes, as they were or would be written.
    pub state: Vec<u8>,
    /// The head of the journal after the append.
    pub head: Option<Head>,
    /// The fix branch of this failure.
    pub fix_branch: Option<String>,
    /// True where this run made that branch.
    pub made_branch: bool,
    /// True where the diagnostics went to [`FAILURE_FILE`].
    pub made_report: bool,
}

impl Evaluated {
    /// Everything that is wrong, and then everything that is odd.
    pub fn findings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.errors.iter().chain(&self.warnings)
    }
}

/// Evaluates a workspace once.
///
/// Fails before anything is decided where the lock can't be had, the record can't be read or is of
/// a newer version, or the journal is signed and there is no key. Everything else comes back as an
/// [`Evaluated`] with its [`Ending`].
pub fn run(workspace: &Workspace, options: &Options) -> Result<Evaluated, Undecided> {
    if options.dry_run {
        return dry_run(workspace, options).map_err(Undecided::of);
    }
    let first = under_lock(workspace, options, |ground| {
        (!ground.is_invalid()).then(|| record(ground))
    });
    let evaluated = match first {
        Ok(Some(evaluated)) => Ok(evaluated),
        // Writers of signals are not always atomic: what is invalid is read once more, without
        // holding up other runs meanwhile.
        Ok(None) => {
            wait_for_writers(options);
            under_lock(workspace, options, record)
        }
        Err(finding) => Err(finding),
    };
    evaluated.map_err(|finding| failure::undecided(workspace, *finding, options.clock.read()))
}

fn dry_run(workspace: &Workspace, options: &Options) -> Checked<Evaluated> {
    let mut ground = Ground::survey(workspace, options, None)?;
    if ground.is_invalid() {
        wait_for_writers(options);
        ground = Ground::survey(workspace, options, None)?;
    }
    Ok(ground.dry())
}

/// Reads and decides under the lock, and hands on what came of it.
fn under_lock<T>(
    workspace: &Workspace,
    options: &Options,
    then: impl FnOnce(Ground<'_>) -> T,
) -> Checked<T> {
    let lock = WorkspaceLock::acquire(workspace, "run", options.lock_timeout, &options.retry)?;
    tracing::debug!("the workspace lock is held");
    Ground::survey(workspace, options, Some(&lock)).map(then)
}

fn record(ground: Ground<'_>) -> Evaluated {
    let span = tracing::debug_span!("record", outcome = Empty).entered();
    let recorded = recording::record(ground);
    let failed = matches!(recorded.ending, Ending::NotRecorded);
    span.record("outcome", if failed { "failed" } else { "done" });
    recorded
}

fn wait_for_writers(options: &Options) {
    let wait = options.retry.first();
    tracing::info!(
        "an input is invalid; it is read once more after {} s",
        wait.as_secs_f64()
    );
    std::thread::sleep(wait);
}

/// A run that ended before anything was decided.
#[derive(Debug)]
pub struct Undecided {
    /// Why.
    pub finding: Box<Diagnostic>,
    /// The fix branch with the diagnostics.
    pub fix_branch: Option<String>,
    /// True where this run made that branch.
    pub made_branch: bool,
    /// True where the diagnostics went to [`FAILURE_FILE`].
    pub made_report: bool,
    /// Why diagnostics could not be left.
    pub warnings: Vec<Diagnostic>,
}

impl Undecided {
    fn of(finding: Box<Diagnostic>) -> Self {
        Self {
            finding,
            fix_branch: None,
            made_branch: false,
            made_report: false,
            warnings: Vec::new(),
        }
    }
}

/// Everything that was read, and what follows from it.
struct Ground<'a> {
    workspace: &'a Workspace,
    options: &'a Options,
    /// Absent on a dry run.
    lock: Option<&'a WorkspaceLock>,
    begin: Instant,
    readings: Readings,
    policy: Policy,
    policy_problems: Vec<Diagnostic>,
    state: Option<StoredState>,
    /// The end of the journal, or what is wrong with it.
    tail: Result<JournalTail, Vec<Diagnostic>>,
    beside: shadow::Beside,
    /// How the protected files stand.
    looked: Looked,
    decision: Decision,
    /// What the line has to say of the hold that was gone on from.
    held_before: Option<HeldBefore>,
    warnings: Vec<Diagnostic>,
}

impl<'a> Ground<'a> {
    /// Reads the clock once, then everything else, and decides.
    fn survey(
        workspace: &'a Workspace,
        options: &'a Options,
        lock: Option<&'a WorkspaceLock>,
    ) -> Result<Self, Box<Diagnostic>> {
        let begin = Instant::now();
        let at = options.clock.read();
        let context = ReadContext {
            workspace,
            at,
            limit: options.limit,
        };
        let loaded = document::load(workspace);
        let readings = readings::load(context, &loaded.policy);
        let mut warnings: Vec<Diagnostic> =
            readings::empty_workspace(&readings, &loaded.policy, workspace)
                .into_iter()
                .collect();
        let (state, tail) = tracing::debug_span!("look_back")
            .in_scope(|| look_back(workspace, options, &mut warnings))?;
        let beside = shadow::Beside::look(workspace, state.as_ref(), &tail, &mut warnings);
        let looked = look_at_lock(workspace, options, &loaded, &tail)?;
        warnings.extend(looked.notes.iter().cloned());
        let before = before(state.as_ref(), &tail);
        let past = past(workspace, &loaded.policy, &tail, at)?;
        let of_look = tail.as_ref().ok().and_then(|tail| tail.cut.clone());
        warnings.extend(past.cut.clone().or(of_look));
        let situation = Situation {
            policy: &loaded.policy,
            readings: &readings,
            before: before.as_ref(),
            history: &past.history,
            at,
            journal: if tail.is_ok() {
                JournalHealth::Whole
            } else {
                JournalHealth::Broken
            },
            lock: health(&looked),
        };
        let span = tracing::debug_span!("decide", level = Empty);
        let decision = span.in_scope(|| evaluate(situation));
        span.record("level", decision.level.name());
        tracing::debug!(
            policy = decision.level.name(),
            reasons = decision.reasons.len() as u64,
            document = %loaded.policy.identity().sha256,
            "decided"
        );
        let held_before = held_before(&loaded.policy, before.as_ref(), &tail, &past);
        Ok(Self {
            workspace,
            options,
            lock,
            begin,
            readings,
            policy: loaded.policy,
            policy_problems: loaded.problems,
            state,
            tail,
            beside,
            looked,
            decision,
            held_before,
            warnings,
        })
    }

    fn is_invalid(&self) -> bool {
        self.policy.is_refused()
            || self
                .readings
                .iter()
                .any(|reading| reading.status() == Status::Invalid)
    }

    fn lock_health(&self) -> LockHealth {
        health(&self.looked)
    }

    fn ending(&self) -> Ending {
        match (&self.tail, self.is_invalid()) {
            (Err(_), _) => Ending::Broken,
            (Ok(_), _) if self.looked.is_tampered() => Ending::Tampered,
            (Ok(_), true) => Ending::Invalid,
            (Ok(_), false) => Ending::Done,
        }
    }

    /// Everything that is wrong.
    fn errors(&self) -> Vec<Diagnostic> {
        self.readings
            .errors()
            .cloned()
            .chain(self.own_errors())
            .collect()
    }

    /// What is wrong beside the readings.
    fn own_errors(&self) -> Vec<Diagnostic> {
        let journal = self.tail.as_ref().err().into_iter().flatten();
        self.policy_problems
            .iter()
            .chain(journal)
            .cloned()
            .chain(self.looked.findings())
            .collect()
    }

    fn state_bytes(
        &self,
        journal: Option<JournalRef>,
        run_id: Option<RunId>,
        fix_branch: Option<&str>,
    ) -> Vec<u8> {
        state::to_bytes(Content {
            decision: &self.decision,
            readings: &self.readings,
            policy: &self.policy,
            errors: &self.own_errors(),
            warnings: &self.warnings,
            given_clock: self.options.clock.is_given(),
            fix_branch,
            run_id,
            journal,
            staged: self.beside.hint,
        })
    }

    fn dry(self) -> Evaluated {
        let (ending, state) = (
            self.ending(),
            self.state_bytes(None, self.options.run_id, None),
        );
        self.evaluated(ending, state)
    }

    fn evaluated(self, ending: Ending, state: Vec<u8>) -> Evaluated {
        let errors = self.errors();
        let of_readings = self
            .readings
            .iter()
            .flat_map(|reading| reading.warnings.clone());
        let warnings = of_readings
            .chain(self.decision.warnings.clone())
            .chain(self.warnings)
            .collect();
        Evaluated {
            ending,
            errors,
            warnings,
            state,
            decision: self.decision,
            readings: self.readings,
            policy: self.policy,
            head: None,
            fix_branch: None,
            made_branch: false,
            made_report: false,
        }
    }
}

type LookedBack = (Option<StoredState>, Result<JournalTail, Vec<Diagnostic>>);

/// Reads the state file and the end of the journal, in that order.
fn look_back(
    workspace: &Workspace,
    options: &Options,
    warnings: &mut Vec<Diagnostic>,
) -> Result<LookedBack, Box<Diagnostic>> {
    let (state, unreadable) = match StoredState::load(workspace) {
        Ok(state) => (state, None),
        Err(error) if error.code == Code::StateUnreadable => (None, Some(*error)),
        // Nobody knows what the file says: it must not be written over.
        Err(error) => return Err(error),
    };
    let tail = match journal::inspect(
        workspace,
        state.as_ref(),
        options.key.as_ref(),
        if options.dry_run {
            Purpose::Look { lines: 2 }
        } else {
            Purpose::Append
        },
    )? {
        Inspection::Whole(tail) => *tail,
        Inspection::Broken(problems) => {
            return Ok((state, Err(unreadable.into_iter().chain(problems).collect())));
        }
    };
    if let Some(unreadable) = unreadable {
        if tail.end.head.is_some() {
            return Ok((None, Err(vec![unreadable])));
        }
        // Without a chain there is no head to lose: the predecessor's file is simply replaced.
        warnings.push(Diagnostic {
            code: Code::StateMended,
            ..unreadable
        });
    }
    if let Some(torn) = tail.end.torn {
        warnings.push(findings::torn_moved(STATE_JOURNAL, torn));
    }
    if tail.ahead > 0 {
        warnings.push(findings::state_mended(tail.ahead));
    }
    if tail.end.head.is_none() && tail.end.length > 0 {
        warnings.push(findings::adopted(STATE_JOURNAL, tail.end.length));
    }
    Ok((state, Ok(tail)))
}

/// How the protected files stand, and whether the document that decides is the one among them: it was
/// read before they were.
fn look_at_lock(
    workspace: &Workspace,
    options: &Options,
    loaded: &document::Loaded,
    tail: &Result<JournalTail, Vec<Diagnostic>>,
) -> Checked<Looked> {
    let last = tail.as_ref().ok().and_then(|tail| tail.last.as_ref());
    let decided = Decided(last.and_then(|line| line.lock));
    let mut looked = protection::look(workspace, options.key.as_ref(), decided)?;
    if let Some(file) = loaded.file.filter(|_| !loaded.policy.is_refused()) {
        looked.hold(file, loaded.policy.identity().sha256);
    }
    Ok(looked)
}

fn health(looked: &Looked) -> LockHealth {
    if looked.is_tampered() {
        LockHealth::Tampered
    } else {
        LockHealth::Whole
    }
}

/// What the policy looks back on. Of a broken journal nobody knows what it says. Behind a reseal the
/// line before stands in the sealed segment, and only a policy that holds levels asks for it.
fn past(
    workspace: &Workspace,
    policy: &Policy,
    tail: &Result<JournalTail, Vec<Diagnostic>>,
    at: Timestamp,
) -> Checked<Past> {
    let Ok(tail) = tail else {
        return Ok(Past::default());
    };
    let asks = tail.last.is_none() && tail.end.head.is_some() && policy.hysteresis().is_some();
    match policy.looks_back() {
        None if !asks => Ok(Past::default()),
        span => journal::past(workspace, None, span, at),
    }
}

/// What the line has to say of the hold that was gone on from: only a policy that holds levels
/// asks.
fn held_before(
    policy: &Policy,
    before: Option<&Before>,
    tail: &Result<JournalTail, Vec<Diagnostic>>,
    past: &Past,
) -> Option<HeldBefore> {
    policy.hysteresis()?;
    let last = tail.as_ref().ok()?.last.as_ref();
    let last = last.map(|line| line.as_before(line.at));
    let last = last.as_ref().or(past.last.as_ref());
    let is_known = last.is_some() || past.cut.is_none();
    HeldBefore::of(before, is_known.then_some(last))
}

fn before(
    state: Option<&StoredState>,
    tail: &Result<JournalTail, Vec<Diagnostic>>,
) -> Option<Before> {
    match tail {
        Ok(tail) => tail.before.clone(),
        Err(_) => state.map(StoredState::as_before),
    }
}
