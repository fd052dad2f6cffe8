//! What the trust guard makes of three metrics and the lock as it stands. Pure.
//!
//! Metrics below their thresholds lock. A lock opens by itself only when its window and its term
//! are over and all metrics are healthy at that moment (row D-35). What can't be known locks, but
//! for a guard that its state file bypasses: that one changes nothing. How the answer is written
//! and in which order is said in [`super::trust_guard`].

use chrono::TimeDelta;
use serde::Serialize;

use super::guard_policy::GuardPolicy;
use crate::ids::SignalName;
use crate::signals::{Percent, Reading, Status, Value};
use crate::time::Timestamp;

/// A signal that the guard looks at, as it counts here.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Metric {
    /// The value; 0 where there is none that counts (row OR-22).
    pub value: Percent,
    /// How the reading ended.
    pub status: Status,
}

impl Metric {
    /// What a reading counts.
    pub fn of(reading: &Reading) -> Self {
        let value = match reading.value() {
            Some(Value::Percent(percent)) => percent,
            _ => Percent::whole(0),
        };
        Self {
            value,
            status: reading.status(),
        }
    }
}

/// The three metrics of the guard.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Metrics {
    /// Of the integrity registry.
    pub integrity: Metric,
    /// Of the federation's agreement.
    pub consensus: Metric,
    /// Of the peers' reputation.
    pub reputation: Metric,
}

/// Their values alone, as state file and journal hold them (row OR-16).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Values {
    integrity: Percent,
    consensus: Percent,
    reputation: Percent,
}

impl Metrics {
    /// The values alone.
    pub fn values(&self) -> Values {
        Values {
            integrity: self.integrity.value,
            consensus: self.consensus.value,
            reputation: self.reputation.value,
        }
    }

    /// Every metric below its threshold.
    pub fn breaches(&self, policy: &GuardPolicy) -> Vec<Breach> {
        let all = [
            (SignalName::INTEGRITY, self.integrity, policy.integrity),
            (SignalName::CONSENSUS, self.consensus, policy.consensus),
            (SignalName::REPUTATION, self.reputation, policy.reputation),
        ];
        let below = all.into_iter().filter(|(_, metric, threshold)| {
            // A metric that nobody can tell breaches any threshold, one of 0 too.
            metric.value < *threshold || metric.status != Status::Valid
        });
        below
            .map(|(name, metric, threshold)| Breach {
                metric: name,
                value: metric.value,
                status: metric.status,
                threshold,
            })
            .collect()
    }
}

/// A metric below its threshold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Breach {
    /// Which.
    pub metric: SignalName,
    /// What it counts.
    pub value: Percent,
    /// How its reading ended.
    pub status: Status,
    /// The threshold.
    pub threshold: Percent,
}

/// The lock as its files say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Every file that is there can be read.
    Known {
        /// Is it set?
        locked: bool,
        /// Since when, where the files tell.
        locked_at: Option<Timestamp>,
        /// Not to be opened by itself before, where the files tell.
        unlock_scheduled_at: Option<Timestamp>,
        /// Is the guard switched off?
        bypass: bool,
    },
    /// No file is there.
    Missing {
        /// The journal's last word is that it is set.
        was_locked: bool,
    },
    /// A file is there that can't be read, so it counts as set.
    Unreadable,
}

impl Lock {
    /// Is it set? `None` where nobody says.
    pub fn locked(self) -> Option<bool> {
        match self {
            Self::Known { locked, .. } => Some(locked),
            Self::Missing { was_locked } => was_locked.then_some(true),
            Self::Unreadable => Some(true),
        }
    }

    /// How long it holds, where it is set and its files can be read.
    pub fn term(self, policy: &GuardPolicy, at: Timestamp) -> Option<Term> {
        match self {
            Self::Known {
                locked: true,
                locked_at,
                unlock_scheduled_at,
                ..
            } => Some(Term::of(
                policy,
                locked_at.unwrap_or(at),
                unlock_scheduled_at,
            )),
            _ => None,
        }
    }
}

/// What the guard decides on.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The time now.
    pub at: Timestamp,
    /// What the signals say.
    pub metrics: &'a Metrics,
    /// The guard's policy; `None` where it can't be read.
    pub policy: Option<&'a GuardPolicy>,
    /// The lock as it stands.
    pub lock: Lock,
}

/// Why the lock is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// One metric is below its threshold.
    Metric(SignalName),
    /// More than one.
    Multiple,
    /// The guard's policy can't be read.
    PolicyUnreadable,
    /// A state file can't be read.
    StateUnreadable,
    /// The state file is gone, and the journal says that it was locked.
    StateMissing,
}

impl Cause {
    /// The word that stands in state file, journal and marker; those of metrics are the
    /// predecessor's.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Metric(name) => name.as_str(),
            Self::Multiple => "multiple",
            Self::PolicyUnreadable => "policy_unreadable",
            Self::StateUnreadable => "state_unreadable",
            Self::StateMissing => "state_missing",
        }
    }
}

/// How long a lock holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// Since when.
    pub locked_at: Timestamp,
    /// The end of its term.
    pub unlock_scheduled_at: Timestamp,
    /// The earliest time at which it opens by itself: the end of window and term.
    pub opens_at: Timestamp,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Set the lock.
    Lock(Cause, Term),
    /// Leave it set. Without a cause all is healthy again, and the term is not over.
    StayLocked(Option<Cause>, Term),
    /// Open it, or say for the first time that it is open.
    Unlock,
    /// Leave it open.
    StayUnlocked,
    /// Change nothing about it, since the guard is switched off.
    Bypass {
        /// Is it set?
        locked: bool,
        /// A guard that is on would lock.
        breached: bool,
    },
}

impl Verdict {
    /// Is the lock set afterwards?
    pub fn locked(&self) -> bool {
        match self {
            Self::Lock(..) | Self::StayLocked(..) => true,
            Self::Unlock | Self::StayUnlocked => false,
            Self::Bypass { locked, .. } => *locked,
        }
    }

    /// The term of a lock that is set.
    pub fn term(&self) -> Option<Term> {
        match self {
            Self::Lock(_, term) | Self::StayLocked(_, term) => Some(*term),
            _ => None,
        }
    }

    /// Why the lock is set, where this decision says.
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            Self::Lock(cause, _) => Some(cause),
            Self::StayLocked(cause, _) => cause.as_ref(),
            _ => None,
        }
    }
}

/// Decides.
pub fn decide(situation: Situation<'_>) -> Verdict {
    let Situation { at, lock, .. } = situation;
    let cause = cause(situation);
    match (lock, cause) {
        (
            Lock::Known {
                bypass: true,
                locked,
                ..
            },
            cause,
        ) => Verdict::Bypass {
            locked,
            breached: cause.is_some(),
        },
        (
            Lock::Known {
                locked: true,
                locked_at,
                unlock_scheduled_at,
                ..
            },
            cause,
        ) => {
            let term = term(situation, locked_at, unlock_scheduled_at);
            held(at, cause, term)
        }
        (Lock::Known { locked: false, .. }, None) => Verdict::StayUnlocked,
        (Lock::Missing { .. }, None) => Verdict::Unlock,
        (_, Some(cause)) => Verdict::Lock(cause, term(situation, Some(at), None)),
        (Lock::Unreadable, None) => {
            Verdict::Lock(Cause::StateUnreadable, term(situation, Some(at), None))
        }
    }
}

/// Why the lock has to be set, were it open.
fn cause(situation: Situation<'_>) -> Option<Cause> {
    match situation.lock {
        Lock::Unreadable => return Some(Cause::StateUnreadable),
        Lock::Missing { was_locked: true } => return Some(Cause::StateMissing),
        _ => {}
    }
    let Some(policy) = situation.policy else {
        return Some(Cause::PolicyUnreadable);
    };
    match situation.metrics.breaches(policy).as_slice() {
        [] => None,
        [breach] => Some(Cause::Metric(breach.metric.clone())),
        _ => Some(Cause::Multiple),
    }
}

/// A lock that is set: does it open by itself?
fn held(at: Timestamp, cause: Option<Cause>, term: Term) -> Verdict {
    if cause.is_none() && at >= term.opens_at {
        return Verdict::Unlock;
    }
    Verdict::StayLocked(cause, term)
}

fn term(
    situation: Situation<'_>,
    locked_at: Option<Timestamp>,
    scheduled: Option<Timestamp>,
) -> Term {
    let defaults = GuardPolicy::default();
    let policy = situation.policy.unwrap_or(&defaults);
    // Where nobody knows since when, the term begins now.
    Term::of(policy, locked_at.unwrap_or(situation.at), scheduled)
}

impl Term {
    fn of(policy: &GuardPolicy, locked_at: Timestamp, scheduled: Option<Timestamp>) -> Self {
        let after = |delta: TimeDelta| locked_at.plus_seconds(delta.num_seconds());
        // A schedule from before this lock is that of an earlier one.
        let own = scheduled.filter(|scheduled| *scheduled >= locked_at);
        let unlock_scheduled_at = own.unwrap_or(after(policy.auto_unlock_after));
        Self {
            locked_at,
            unlock_scheduled_at,
            opens_at: unlock_scheduled_at.max(after(policy.lock_window)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::read(text).unwrap().time
    }

    fn noon() -> Timestamp {
        at("2026-01-15T12:00:00Z")
    }

    fn metrics(integrity: f64, consensus: f64, reputation: f64) -> Metrics {
        let metric = |value| Metric {
            value: Percent::new(value).unwrap(),
            status: Status::Valid,
        };
        Metrics {
            integrity: metric(integrity),
            consensus: metric(consensus),
            reputation: metric(reputation),
        }
    }

    fn open() -> Lock {
        Lock::Known {
            locked: false,
            locked_at: None,
            unlock_scheduled_at: None,
            bypass: false,
        }
    }

    fn locked(locked_at: Option<&str>, scheduled: Option<&str>) -> Lock {
        Lock::Known {
            locked: true,
            locked_at: locked_at.map(at),
            unlock_scheduled_at: scheduled.map(at),
            bypass: false,
        }
    }

    fn decided(metrics: &Metrics, lock: Lock) -> Verdict {
        decide(Situation {
            at: noon(),
            metrics,
            policy: Some(&GuardPolicy::default()),
            lock,
        })
    }

    #[test]
    fn each_metric_locks_below_its_threshold_and_not_at_it() {
        let cases = [
            ((90.0, 92.0, 85.0), None),
            ((89.999, 92.0, 85.0), Some("integrity")),
            ((90.0, 91.999, 85.0), Some("consensus")),
            ((90.0, 92.0, 84.999), Some("reputation")),
            ((89.0, 91.0, 85.0), Some("multiple")),
            ((0.0, 0.0, 0.0), Some("multiple")),
        ];
        for ((integrity, consensus, reputation), expected) in cases {
            let verdict = decided(&metrics(integrity, consensus, reputation), open());
            let cause = verdict.cause().map(|cause| cause.as_str().to_owned());
            assert_eq!(cause.as_deref(), expected);
            assert_eq!(verdict.locked(), expected.is_some());
        }
    }

    #[test]
    fn a_metric_without_a_value_locks_even_at_a_threshold_of_zero() {
        for status in [Status::Missing, Status::Invalid, Status::Stale] {
            let mut metrics = metrics(100.0, 100.0, 100.0);
            metrics.reputation = Metric {
                value: Percent::whole(0),
                status,
            };
            let policy = GuardPolicy {
                reputation: Percent::whole(0),
                ..GuardPolicy::default()
            };
            assert_eq!(metrics.breaches(&policy).len(), 1, "{status:?}");
        }
    }

    #[test]
    fn a_new_lock_holds_for_its_term() {
        let verdict = decided(&metrics(80.0, 95.0, 95.0), open());
        let term = verdict.term().unwrap();
        assert_eq!(term.locked_at, noon());
        assert_eq!(term.unlock_scheduled_at, at("2026-01-16T12:00:00Z"));
        assert_eq!(term.opens_at, at("2026-01-16T12:00:00Z"));
    }

    #[test]
    fn a_lock_opens_by_itself_only_healthy_and_after_window_and_term() {
        let (yesterday, hour) = ("2026-01-14T12:00:00Z", "2026-01-15T11:00:00Z");
        let healthy = metrics(95.0, 95.0, 95.0);
        let cases = [
            // Term over to the second, and not yet.
            (locked(Some(yesterday), None), false),
            (locked(Some("2026-01-14T12:00:01Z"), None), true),
            // The file's own schedule counts, and the window all the same.
            (locked(Some(hour), Some(hour)), false),
            (locked(Some("2026-01-15T11:00:01Z"), Some(hour)), true),
            (locked(Some(yesterday), Some("2026-01-15T12:00:01Z")), true),
            // The schedule of an earlier lock counts for nothing.
            (locked(Some(yesterday), Some("2026-01-14T11:00:00Z")), false),
            (locked(Some("2026-01-14T12:00:01Z"), Some(yesterday)), true),
            // Nobody knows since when, or it is in the future.
            (locked(None, None), true),
            (locked(None, Some(yesterday)), true),
            (locked(Some("2026-01-16T12:00:00Z"), Some(yesterday)), true),
        ];
        for (lock, stays) in cases {
            assert_eq!(decided(&healthy, lock).locked(), stays, "{lock:?}");
            assert!(decided(&metrics(89.0, 95.0, 95.0), lock).locked());
        }
    }

    #[test]
    fn a_lock_that_stays_keeps_its_time() {
        let lock = locked(Some("2026-01-01T00:00:00Z"), Some("2026-01-02T00:00:00Z"));
        let verdict = decided(&metrics(89.0, 95.0, 95.0), lock);
        let term = verdict.term().unwrap();
        assert_eq!(term.locked_at, at("2026-01-01T00:00:00Z"));
        assert_eq!(term.unlock_scheduled_at, at("2026-01-02T00:00:00Z"));
    }

    #[test]
    fn a_bypassed_guard_neither_locks_nor_unlocks() {
        for (is_locked, integrity) in [(true, 95.0), (true, 0.0), (false, 95.0), (false, 0.0)] {
            let lock = Lock::Known {
                locked: is_locked,
                locked_at: Some(at("2026-01-01T00:00:00Z")),
                unlock_scheduled_at: None,
                bypass: true,
            };
            let expected = Verdict::Bypass {
                locked: is_locked,
                breached: integrity < 90.0,
            };
            assert_eq!(decided(&metrics(integrity, 95.0, 95.0), lock), expected);
        }
    }

    #[test]
    fn what_cannot_be_known_locks() {
        let healthy = metrics(95.0, 95.0, 95.0);
        let cause = |lock| {
            decided(&healthy, lock)
                .cause()
                .map(|cause| cause.as_str().to_owned())
        };
        assert_eq!(cause(Lock::Unreadable).as_deref(), Some("state_unreadable"));
        let gone = Lock::Missing { was_locked: true };
        assert_eq!(cause(gone).as_deref(), Some("state_missing"));
        let first = Lock::Missing { was_locked: false };
        assert_eq!(decided(&healthy, first), Verdict::Unlock);
        let no_policy = |lock| {
            decide(Situation {
                at: noon(),
                metrics: &healthy,
                policy: None,
                lock,
            })
        };
        assert_eq!(no_policy(open()).cause(), Some(&Cause::PolicyUnreadable));
        let long_ago = locked(Some("2020-01-01T00:00:00Z"), None);
        assert!(no_policy(long_ago).locked());
    }
}
