//! What a staged version of the policy would have decided, beside the decision that was recorded.
//!
//! It is made when everything of the run is on the disk, from the same readings, and changes nothing
//! of it: what goes wrong here is a warning. Where no version is staged a run asks nobody: a member of
//! the state file, which it reads anyway, says whether to look.

use std::time::{Duration, Instant};

use super::{Ground, JournalTail, StoredState, before};
use crate::decision::{Before, Decision, Earlier, JournalHealth, Situation, evaluate};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::{Workspace, WorkspaceLock};
use crate::ids::{ReasonCode, distinct};
use crate::lifecycle::shadow::{self, Cost, Shadow, Staged};
use crate::policy::{Policy, document, readings};
use crate::record::{Head, Records, SHADOW_LOG, journal};
use crate::signals::{ReadContext, Readings};

/// The version that is tried beside the one that decides.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// True where the next run has to look, too.
    pub(super) hint: bool,
    staged: Option<Staged>,
}

impl Beside {
    /// Looks where the state file says so, and where a lost state file could have said so.
    pub(super) fn look(
        workspace: &Workspace,
        state: Option<&StoredState>,
        tail: &Result<JournalTail, Vec<Diagnostic>>,
        warnings: &mut Vec<Diagnostic>,
    ) -> Self {
        let goes_on = tail.as_ref().is_ok_and(|tail| tail.end.head.is_some());
        if !state.map_or(goes_on, |state| state.staged) {
            return Self::default();
        }
        match shadow::staged(workspace) {
            Ok(staged) => Self {
                hint: staged.is_some(),
                staged,
            },
            Err(finding) => {
                warnings.push(failed(*finding));
                Self {
                    hint: true,
                    staged: None,
                }
            }
        }
    }
}

fn failed(finding: Diagnostic) -> Diagnostic {
    Diagnostic {
        code: Code::ShadowFailed,
        ..finding
    }
}

/// Decides by the staged version and records it; `head` is the line of the decision itself.
pub(super) fn record(ground: &mut Ground<'_>, head: Head) {
    let Some((staged, lock)) = ground.beside.staged.take().zip(ground.lock) else {
        return;
    };
    if let Err(finding) = attempt(ground, lock, &staged, head) {
        ground.warnings.push(failed(*finding));
    }
}

fn attempt(
    ground: &Ground<'_>,
    lock: &WorkspaceLock,
    staged: &Staged,
    head: Head,
) -> Checked<Head> {
    let run = ground.begin.elapsed();
    let trial = Trial::make(ground, staged, head)?;
    let decision = trial.decide();
    let production = &ground.decision;
    let of_production = codes(production);
    let of_staged = codes(&decision);
    let shadow = Shadow {
        timestamp: production.at,
        staging: staged.staging,
        version: staged.version.clone(),
        sha256: staged.sha256,
        decision: head.seq,
        beside: ground.policy.identity().sha256,
        production: production.level.clone(),
        differs: shadow::compare(&trial.policy, &decision.level, &production.level),
        more: without(&of_staged, &of_production),
        less: without(&of_production, &of_staged),
        cost: Cost {
            run_us: micros(run),
            extra_us: trial.extra(ground),
        },
        staged: decision.level,
        since: decision.since,
        held: decision.held,
    };
    let records = Records {
        workspace: ground.workspace,
        lock,
        key: ground.options.key.as_ref(),
        retry: &ground.options.retry,
    };
    shadow::append(records, &shadow)
}

fn codes(decision: &Decision) -> Vec<ReasonCode> {
    distinct(decision.reasons.iter().map(|reason| reason.code.clone()))
}

fn without(codes: &[ReasonCode], others: &[ReasonCode]) -> Vec<ReasonCode> {
    let only = codes.iter().filter(|code| !others.contains(code));
    only.cloned().collect()
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A staged version and all that it decides on.
struct Trial<'a> {
    ground: &'a Ground<'a>,
    bytes: Vec<u8>,
    policy: Policy,
    readings: Readings,
    /// How long it took to read the signals that production does not read.
    reading: Duration,
    before: Option<Before>,
    history: Vec<Earlier>,
}

/// How often a cost is measured; the least counts, since whatever disturbs adds to it.
const TIMES: usize = 3;

impl<'a> Trial<'a> {
    fn make(ground: &'a Ground<'a>, staged: &Staged, head: Head) -> Checked<Self> {
        let workspace = ground.workspace;
        let at = ground.decision.at;
        let bytes = shadow::document(workspace, staged)?;
        let policy = parse(&bytes)?;
        let context = ReadContext {
            workspace,
            at,
            limit: ground.options.limit,
        };
        let begin = Instant::now();
        let readings = readings::load_beside(context, &policy, &ground.policy, &ground.readings);
        let reading = begin.elapsed();
        let history = match policy.looks_back() {
            Some(span) => journal::past(workspace, Some(head.seq), Some(span), at)?.history,
            None => Vec::new(),
        };
        // The first time it goes on from what production decided last, as it would in its place.
        let before = match shadow::last(workspace, staged)? {
            Some(last) => Some(last.as_before()),
            None => before(ground.state.as_ref(), &ground.tail),
        };
        Ok(Self {
            ground,
            bytes,
            policy,
            readings,
            reading,
            before,
            history,
        })
    }

    fn decide(&self) -> Decision {
        evaluate(Situation {
            policy: &self.policy,
            readings: &self.readings,
            before: self.before.as_ref(),
            history: &self.history,
            at: self.ground.decision.at,
            journal: JournalHealth::Whole,
            lock: self.ground.lock_health(),
        })
    }

    /// What the staged version takes beyond production, in microseconds: the signals that it alone
    /// reads, and reading its document and deciding, held against the same of production here and
    /// now.
    fn extra(&self, ground: &Ground<'_>) -> i64 {
        let ours = least(|| {
            let parsed = document::parse(STAGED, &self.bytes);
            (parsed.is_ok(), self.decide())
        });
        let before = before(ground.state.as_ref(), &ground.tail);
        let theirs = least(|| {
            let parsed = document::from_kept(ground.policy.document());
            let situation = Situation {
                policy: &parsed,
                readings: &ground.readings,
                before: before.as_ref(),
                history: &self.history,
                at: ground.decision.at,
                journal: JournalHealth::Whole,
                lock: ground.lock_health(),
            };
            evaluate(situation)
        });
        let signed = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        signed(self.reading)
            .saturating_add(signed(ours))
            .saturating_sub(signed(theirs))
    }
}

/// What stands for the file's name while a cost is measured.
const STAGED: &str = "policy.yaml";

fn least<T>(work: impl Fn() -> T) -> Duration {
    let once = |_| {
        let begin = Instant::now();
        std::hint::black_box(work());
        begin.elapsed()
    };
    (0..TIMES).map(once).min().unwrap_or_default()
}

fn parse(bytes: &[u8]) -> Checked<Policy> {
    document::parse(STAGED, bytes).map_err(|problems| {
        let first = problems.into_iter().next();
        Box::new(first.unwrap_or_else(|| {
            Diagnostic::new(
                Code::ShadowFailed,
                Place::file(SHADOW_LOG),
                "the staged version can't be read as a policy",
            )
        }))
    })
}
