//! The trust guard: looks at three metrics and its lock, enforces what follows, and lets an
//! operator open the lock a few times a day.
//!
//! What follows is decided in [`super::verdict`]; here it is carried out, in an order in which a
//! kill loses no lock and leaves no opening unrecorded: a lock is set in the files first and
//! recorded then, an opening is recorded first. So after a kill the files are never more open than
//! the journal says. Missing metrics lock, and so does whatever can't be read.

use super::guard_policy::{self, GuardPolicy};
use super::lock_state::{Changed, Content, Edit, LockState, Place};
use super::trust_event::{self, Entry};
use super::unlocks::{self, UnlockFact};
use super::verdict::{Breach, Cause, Lock, Metric, Metrics, Situation, Term, Verdict, decide};
use super::{Ground, Request, state_file};
use crate::diagnostic::{self, Checked, Code, Diagnostic};
use crate::fs::Workspace;
use crate::ids::{Digest, SignalName};
use crate::record::Head;
use crate::signals::{self, Outcome as Read, ReadContext, Reading, trust};
use crate::time::Timestamp;

pub use super::trust_event::Happened;

/// Everything that the guard looks at, and what follows.
#[derive(Debug)]
pub struct Look {
    /// When.
    pub at: Timestamp,
    /// What the signals say.
    pub metrics: Metrics,
    /// The guard's policy, or why it can't be read.
    pub policy: Checked<GuardPolicy>,
    /// Every metric below its threshold.
    pub breaches: Vec<Breach>,
    /// The state files.
    pub state: LockState,
    /// The lock as they say.
    pub lock: Lock,
    /// What follows.
    pub verdict: Verdict,
    /// What is wrong with the metrics.
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

impl Look {
    /// Looks. Nothing is written.
    pub fn at(context: ReadContext<'_>) -> Self {
        let (mut errors, mut warnings) = (Vec::new(), Vec::new());
        let metrics = read_metrics(context, &mut errors, &mut warnings);
        let state = LockState::load(context.workspace);
        warnings.extend(state.warnings.iter().cloned());
        let policy = guard_policy::load(context.workspace).map(|(policy, odd)| {
            warnings.extend(odd);
            policy
        });
        let lock = state.lock(|| trust_event::was_locked(context.workspace));
        warnings.extend(gone(lock));
        let verdict = decide(Situation {
            at: context.at,
            metrics: &metrics,
            policy: policy.as_ref().ok(),
            lock,
        });
        let breaches = match &policy {
            Ok(policy) => metrics.breaches(policy),
            Err(_) => metrics.breaches(&GuardPolicy::default()),
        };
        Self {
            at: context.at,
            metrics,
            policy,
            breaches,
            state,
            lock,
            verdict,
            errors,
            warnings,
        }
    }

    /// True where nothing is locked, and nothing would be.
    pub fn is_well(&self) -> bool {
        self.lock.locked() == Some(false) && !self.verdict.locked() && self.policy.is_ok()
    }

    /// Everything that is wrong or odd.
    pub fn findings(&self) -> Vec<Diagnostic> {
        let state = self.state.problems().cloned();
        self.but_state_findings().into_iter().chain(state).collect()
    }

    /// The same without what enforcing mends.
    fn but_state_findings(&self) -> Vec<Diagnostic> {
        let policy = self
            .policy
            .as_ref()
            .err()
            .map(|finding| (**finding).clone());
        let errors = self.errors.iter().cloned().chain(policy);
        errors.chain(self.warnings.iter().cloned()).collect()
    }

    /// Why, where this look says so; else as the file says.
    fn reason(&self) -> &str {
        match &self.verdict {
            Verdict::Unlock => "none",
            Verdict::Bypass { .. } => "bypass",
            verdict => {
                let cause = verdict.cause().map(Cause::as_str);
                cause.or(self.state.reason()).unwrap_or("none")
            }
        }
    }

    /// What is to be written. `so_far` are the day's manual unlocks in the journal.
    fn edit(&self, so_far: u64) -> Edit<'_> {
        let (lock, reason) = match &self.verdict {
            Verdict::Bypass { .. } | Verdict::StayUnlocked => (None, None),
            Verdict::Unlock => (Some(None), Some("none")),
            verdict => {
                let cause = verdict.cause().map(Cause::as_str);
                (Some(verdict.term()), cause)
            }
        };
        Edit {
            at: self.at,
            lock,
            reason,
            metrics: Some(self.metrics.values()),
            unlocks: None,
            unlocks_so_far: so_far,
        }
    }

    /// Something can't be read, perhaps since it is being written.
    fn is_suspicious(&self) -> bool {
        !self.errors.is_empty() || self.policy.is_err() || self.lock == Lock::Unreadable
    }
}

/// The warning for a lock that is set and has no file.
fn gone(lock: Lock) -> Option<Diagnostic> {
    (lock == Lock::Missing { was_locked: true }).then(|| {
        Diagnostic::new(
            Code::LockFileGone,
            diagnostic::Place::file(trust::FILES[0]),
            "the state file is gone, and the guard's journal says that it was locked",
        )
        .found("no file")
        .expected("the file that the last change left")
        .help("find out who removed it; `policy-orchestrator trust enforce` makes a new one that is locked")
    })
}

fn read_metrics(
    context: ReadContext<'_>,
    errors: &mut Vec<Diagnostic>,
    warnings: &mut Vec<Diagnostic>,
) -> Metrics {
    let mut metric = |name: SignalName| {
        let missing = || Reading::bare(name.clone(), Read::Missing(String::new()));
        let reading = signals::load(&name, context).unwrap_or_else(missing);
        errors.extend(reading.errors().iter().cloned());
        warnings.extend(reading.warnings.iter().cloned());
        Metric::of(&reading)
    };
    Metrics {
        integrity: metric(SignalName::INTEGRITY),
        consensus: metric(SignalName::CONSENSUS),
        reputation: metric(SignalName::REPUTATION),
    }
}

/// What a change came to.
#[derive(Debug)]
pub struct Outcome {
    /// What happened.
    pub event: Happened,
    /// When.
    pub at: Timestamp,
    /// Was it locked? `None` where no file said.
    pub locked_before: Option<bool>,
    /// Is it?
    pub locked: Option<bool>,
    /// Why.
    pub reason: String,
    /// What the guard saw, where it looked.
    pub metrics: Option<Metrics>,
    /// The metrics below their thresholds.
    pub breaches: Vec<Breach>,
    /// How long the lock holds.
    pub term: Option<Term>,
    /// Manual unlocks of the day, where they could be counted.
    pub manual_unlocks_today: Option<u64>,
    /// What was written.
    pub files: Vec<Changed>,
    /// The line of the journal; `None` where it could not be appended, and `findings` says why.
    pub head: Option<Head>,
    /// Everything that is wrong or odd.
    pub findings: Vec<Diagnostic>,
}

impl Outcome {
    fn of(look: &Look, event: Happened, reason: &str) -> Self {
        Self {
            event,
            at: look.at,
            locked_before: look.lock.locked(),
            locked: look.lock.locked(),
            reason: reason.to_owned(),
            metrics: Some(look.metrics),
            breaches: look.breaches.clone(),
            term: None,
            manual_unlocks_today: None,
            files: Vec::new(),
            head: None,
            findings: look.but_state_findings(),
        }
    }
}

/// Looks, and sets or opens the lock as follows from it.
///
/// Writers of signals are not always atomic: what can't be read is read once more, after the first
/// of the retry delays and without holding the lock meanwhile.
pub fn enforce(request: &Request<'_>, limit: u64) -> Checked<Outcome> {
    let look = |ground: Ground<'_>| {
        Look::at(ReadContext {
            workspace: ground.workspace(),
            at: ground.at,
            limit,
        })
    };
    let first = request.under_lock(|ground| {
        let look = look(ground);
        if look.is_suspicious() {
            return Ok(None);
        }
        carry_out(ground, &look).map(Some)
    })?;
    if let Some(outcome) = first {
        return Ok(outcome);
    }
    std::thread::sleep(request.retry.first());
    request.under_lock(|ground| carry_out(ground, &look(ground)))
}

fn carry_out(ground: Ground<'_>, look: &Look) -> Checked<Outcome> {
    if look.verdict == Verdict::Unlock {
        ground.check_kill_switch()?;
    }
    let so_far = unlocks::in_journal(ground.workspace(), look.at).unwrap_or_default();
    let edit = look.edit(so_far);
    let in_files = look.state.unlocks_of_day(look.at).ok();
    let mut outcome = Outcome {
        locked: Some(look.verdict.locked()),
        term: look.verdict.term(),
        manual_unlocks_today: in_files.map(|count| count.max(so_far)),
        ..Outcome::of(look, event_of(&look.verdict), look.reason())
    };
    if look.verdict.locked() {
        close(ground, &look.state, &edit, &mut outcome)?;
    } else {
        open(ground, &look.state, &edit, &mut outcome)?;
    }
    Ok(marked(ground, outcome))
}

/// Sets the marker to what a change came to.
fn marked(ground: Ground<'_>, mut outcome: Outcome) -> Outcome {
    let text = marker_text(&outcome, ground.request.user);
    outcome.findings.extend(ground.mark(&text));
    outcome
}

fn event_of(verdict: &Verdict) -> Happened {
    match verdict {
        Verdict::Lock(..) => Happened::Locked,
        Verdict::Unlock => Happened::Unlocked,
        Verdict::StayLocked(..) | Verdict::StayUnlocked => Happened::StateUpdate,
        Verdict::Bypass { .. } => Happened::Bypass,
    }
}

/// What the marker says (row OR-20).
fn marker_text(outcome: &Outcome, user: &str) -> String {
    let Outcome {
        event,
        at,
        locked,
        reason,
        ..
    } = outcome;
    match (event, locked) {
        (Happened::ManualUnlock, _) => format!("MANUAL_UNLOCK {at} by {user}"),
        (Happened::UnlockLimitExceeded, _) => format!("UNLOCK_LIMIT_EXCEEDED {at}"),
        (Happened::CounterReset, _) => format!("COUNTER_RESET {at} by {user}"),
        (_, Some(true)) => format!("LOCKED {at} reason: {reason}"),
        (Happened::Unlocked, _) => format!("UNLOCKED {at}"),
        (Happened::Bypass, _) => format!("UNLOCKED {at} reason: {reason}"),
        _ => format!("VERIFIED {at}"),
    }
}

/// What is written, and what is not: every file that is there, or else the one of the contract.
fn targets(state: &LockState) -> (Vec<&Place>, Vec<&Place>) {
    let nothing = !state.places.iter().any(Place::is_there);
    let numbered = state.places.iter().enumerate();
    let (wanted, others): (Vec<_>, Vec<_>) =
        numbered.partition(|(number, place)| place.is_there() || nothing && *number == 0);
    let places = |all: Vec<(usize, _)>| all.into_iter().map(|(_, place)| place).collect();
    (places(wanted), places(others))
}

/// Writes, then records: for what sets the lock or leaves it set.
fn close(
    ground: Ground<'_>,
    state: &LockState,
    edit: &Edit<'_>,
    outcome: &mut Outcome,
) -> Checked<()> {
    let (wanted, others) = targets(state);
    let mut failures = write_each(ground, wanted, edit, outcome);
    // No file took the lock, and none says so yet: the other place is as good, since locked wins.
    if outcome.files.is_empty() && state.locked() != Some(true) {
        failures.extend(write_each(ground, others, edit, outcome));
    }
    let mut failures = failures.into_iter();
    if let Some(first) = failures.next() {
        let first = ground.mark_failed_write(Box::new(first));
        if outcome.files.is_empty() {
            return Err(first);
        }
        outcome.findings.push(*first);
        outcome.findings.extend(failures);
    }
    // The lock is set whatever becomes of its record.
    match record(ground, outcome) {
        Ok(head) => outcome.head = Some(head),
        Err(finding) => outcome.findings.push(*finding),
    }
    Ok(())
}

fn write_each(
    ground: Ground<'_>,
    places: Vec<&Place>,
    edit: &Edit<'_>,
    outcome: &mut Outcome,
) -> Vec<Diagnostic> {
    let mut failures = Vec::new();
    for place in places {
        match write_one(ground, place, edit, &mut outcome.findings) {
            Ok(changed) => outcome.files.push(changed),
            Err(finding) => failures.push(*finding),
        }
    }
    failures
}

fn write_one(
    ground: Ground<'_>,
    place: &Place,
    edit: &Edit<'_>,
    findings: &mut Vec<Diagnostic>,
) -> Checked<Changed> {
    let (workspace, retry) = (ground.workspace(), ground.request.retry);
    workspace.check_target(place.file)?;
    let (bytes, changed) = prepared(place, edit);
    if matches!(place.content, Content::Unreadable(_)) {
        state_file::keep_aside(workspace, place.file, retry)?;
        findings.push(state_file::moved(place.file));
    }
    state_file::replace(workspace, place.file, &bytes, retry)?;
    Ok(changed)
}

fn prepared(place: &Place, edit: &Edit<'_>) -> (Vec<u8>, Changed) {
    let bytes = edit.applied_to(place);
    let changed = Changed {
        file: place.file,
        sha256_before: place.sha256,
        sha256_after: Digest::of(&bytes),
    };
    (bytes, changed)
}

/// Records, then writes: for what opens the lock or leaves it open. Nothing is recorded where a
/// file can't be written in any case.
fn open(
    ground: Ground<'_>,
    state: &LockState,
    edit: &Edit<'_>,
    outcome: &mut Outcome,
) -> Checked<()> {
    open_places(ground, targets(state).0, edit, outcome)
        .map_err(|finding| ground.mark_failed_write(finding))
}

fn open_places(
    ground: Ground<'_>,
    places: Vec<&Place>,
    edit: &Edit<'_>,
    outcome: &mut Outcome,
) -> Checked<()> {
    for place in &places {
        ground.workspace().check_target(place.file)?;
        outcome.files.push(prepared(place, edit).1);
    }
    outcome.head = Some(record(ground, outcome)?);
    for place in places {
        write_one(ground, place, edit, &mut outcome.findings)?;
    }
    Ok(())
}

fn record(ground: Ground<'_>, outcome: &Outcome) -> Checked<Head> {
    let entry = Entry {
        event: outcome.event,
        reason: &outcome.reason,
        metrics: outcome.metrics.as_ref().map(Metrics::values),
        breaches: &outcome.breaches,
        locked_before: outcome.locked_before,
        locked_after: outcome.locked,
        manual_unlocks_today: outcome.manual_unlocks_today,
        files: &outcome.files,
    };
    trust_event::append(ground, entry)
}

/// Opens the lock by hand, as often a day as is allowed. Every call counts, whatever the lock was.
///
/// Fails while the kill switch is on, and where policy or state can't be read: then nobody knows
/// how many were made and how many are allowed.
pub fn force_unlock(request: &Request<'_>, reason: &str, limit: u64) -> Checked<Outcome> {
    request.under_lock(|ground| {
        ground.check_kill_switch()?;
        let look = Look::at(ReadContext {
            workspace: ground.workspace(),
            at: ground.at,
            limit,
        });
        check_readable(&look.state)?;
        let count = unlocks::count(ground.workspace(), ground.at)?;
        let mut outcome = Outcome {
            // A metric that can't be read is a reason to come here, not to fail.
            findings: look.warnings.clone(),
            ..Outcome::of(&look, Happened::ManualUnlock, reason)
        };
        if count.is_used_up() {
            refuse(ground, count, &mut outcome);
            return Ok(marked(ground, outcome));
        }
        outcome.locked = Some(false);
        outcome.manual_unlocks_today = Some(count.today + 1);
        let shown = format!("manual: {reason}");
        let edit = Edit {
            at: ground.at,
            lock: Some(None),
            reason: Some(&shown),
            metrics: Some(look.metrics.values()),
            unlocks: Some(count.today + 1),
            unlocks_so_far: 0,
        };
        open(ground, &look.state, &edit, &mut outcome)?;
        Ok(marked(ground, outcome))
    })
}

/// The day's unlocks are used up: recorded, and nothing else is changed.
fn refuse(ground: Ground<'_>, count: UnlockFact, outcome: &mut Outcome) {
    outcome.event = Happened::UnlockLimitExceeded;
    outcome.manual_unlocks_today = Some(count.today);
    outcome.findings.push(used_up(count, ground.at));
    match record(ground, outcome) {
        Ok(head) => outcome.head = Some(head),
        Err(finding) => outcome.findings.push(*finding),
    }
}

fn used_up(count: UnlockFact, at: Timestamp) -> Diagnostic {
    Diagnostic::new(
        Code::UnlockLimit,
        diagnostic::Place::file(guard_policy::FILE),
        "the day's manual unlocks are used up",
    )
    .found(format!(
        "{} of {} on {}",
        count.today,
        count.allowed,
        at.date()
    ))
    .expected("fewer than that")
    .help(format!(
        "wait until {}, let the guard open the lock by itself (`policy-orchestrator trust status` says when), or reset the counter with `policy-orchestrator trust reset-counter --reason TEXT`",
        at.next_day().human()
    ))
}

fn check_readable(state: &LockState) -> Checked<()> {
    match state.problems().next() {
        None => Ok(()),
        Some(problem) => Err(Box::new(problem.clone().help(
            "a lock that can't be read counts as set; `policy-orchestrator trust enforce` writes a new one that is locked",
        ))),
    }
}

/// Sets the counter of manual unlocks to 0.
///
/// Fails while the kill switch is on, and where a state file can't be read.
pub fn reset_counter(request: &Request<'_>, reason: &str) -> Checked<Outcome> {
    request.under_lock(|ground| {
        ground.check_kill_switch()?;
        let state = LockState::load(ground.workspace());
        check_readable(&state)?;
        let lock = state.lock(|| trust_event::was_locked(ground.workspace()));
        let locked = lock.locked();
        let mut outcome = Outcome {
            event: Happened::CounterReset,
            at: ground.at,
            locked_before: locked,
            locked,
            reason: reason.to_owned(),
            metrics: None,
            breaches: Vec::new(),
            term: None,
            manual_unlocks_today: Some(0),
            files: Vec::new(),
            head: None,
            findings: state.warnings.clone(),
        };
        let edit = Edit {
            at: ground.at,
            lock: None,
            reason: None,
            metrics: None,
            unlocks: Some(0),
            unlocks_so_far: 0,
        };
        // Without a file there is no counter but the journal's.
        let there = state.places.iter().filter(|place| place.is_there());
        open_places(ground, there.collect(), &edit, &mut outcome)
            .map_err(|finding| ground.mark_failed_write(finding))?;
        Ok(marked(ground, outcome))
    })
}

/// What the state files say, without a look at the metrics.
#[derive(Debug)]
pub struct Status {
    /// The state files.
    pub state: LockState,
    /// The lock as they say.
    pub lock: Lock,
    /// Today's manual unlocks and their limit, or why nobody knows.
    pub unlocks: Checked<UnlockFact>,
    /// How long the lock holds; `None` where it is open, or the guard's policy can't be read.
    pub term: Option<Term>,
    /// Everything that is wrong or odd.
    pub findings: Vec<Diagnostic>,
}

/// Reads the lock and the counter. Nothing is written.
pub fn status(workspace: &Workspace, at: Timestamp) -> Status {
    let state = LockState::load(workspace);
    let lock = state.lock(|| trust_event::was_locked(workspace));
    let unlocks = unlocks::count(workspace, at);
    let policy = guard_policy::load(workspace);
    let mut findings: Vec<Diagnostic> = state.problems().cloned().collect();
    if let Err(finding) = &policy {
        findings.push((**finding).clone());
    } else if let Err(finding) = &unlocks
        && !findings.contains(finding)
    {
        findings.push((**finding).clone());
    }
    findings.extend(state.warnings.iter().cloned());
    findings.extend(gone(lock));
    let term = policy.ok().and_then(|(policy, _)| lock.term(&policy, at));
    Status {
        state,
        lock,
        unlocks,
        term,
        findings,
    }
}
