//! Alerts: what somebody should look at, raised once, told again after a day, and resolved.
//!
//! One run walks from [`facts`] (what the files say) through [`conditions`] (pure: what is up) and
//! [`tracking`] (pure: what changed) to the record: the [`log`], the [`report`], the marker, the
//! [`state`]. Then, without the workspace lock, a hook is told. Who that is, and with which
//! [`limits`], stands in [`configuration`]; that the level changed is told too, where it asks for
//! that ([`levels`]). How alerts look to a person is said in [`crate::cli`].

pub mod alert;
pub mod conditions;
pub mod configuration;
pub mod facts;
mod hook;
pub mod levels;
pub mod limits;
pub mod log;
mod recording;
pub mod report;
pub mod state;
mod telling;
pub mod tracking;
mod webhook;

use std::ffi::OsString;

use self::alert::Name;
use self::conditions::{Brake, Facts, Found};
use self::configuration::Loaded;
use self::facts::Question;
use self::limits::Hours;
use self::recording::{Before, Ground};
use self::report::Report;
use self::state::Channel;
use self::telling::Telling;
use self::tracking::{Moment, Tracked};
use crate::diagnostic::{Checked, Diagnostic};
use crate::fs::{LockTimeout, RetryDelays, Workspace, WorkspaceLock};
use crate::record::SigningKey;
use crate::time::{Clock, Timestamp};

/// How to look for alerts.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the time comes from.
    pub clock: Clock,
    /// True to look and write nothing, and tell nobody.
    pub dry_run: bool,
    /// An alert that was not told of for so long is told of again.
    pub remind_after: Hours,
    /// The waits between attempts at a write.
    pub retry: RetryDelays,
    /// How long to wait for the workspace lock.
    pub lock_timeout: LockTimeout,
    /// The key that journals are checked with.
    pub key: Option<SigningKey>,
    /// Reads a variable of the environment, for hooks.
    pub variable: fn(&str) -> Option<OsString>,
}

/// What a look came to.
#[derive(Debug)]
pub struct Outcome {
    /// The report, as it was or would be written.
    pub report: Report,
    /// What is wrong with the record: it is an alert.
    pub broken: Vec<Diagnostic>,
    /// What else is wrong or odd.
    pub findings: Vec<Diagnostic>,
}

/// Looks for alerts, records what changed, and tells of it.
///
/// Fails before anything is looked at where the lock can't be had or a newer version wrote the state
/// of the alerts. Whatever else goes wrong is a finding of the outcome.
pub fn run(workspace: &Workspace, options: &Options) -> Checked<Outcome> {
    let loaded = configuration::load(workspace);
    let look = Look {
        workspace,
        options,
        channels: channels(&loaded),
        loaded: &loaded,
    };
    if options.dry_run {
        return look.dry();
    }
    let mut outcome = look.record()?;
    if loaded.problems.is_empty() {
        let telling = Telling {
            workspace,
            configuration: &loaded.configuration,
            at: outcome.report.generated_at,
            retry: &options.retry,
            lock_timeout: options.lock_timeout,
            variable: options.variable,
        };
        outcome.findings.extend(telling::tell(telling));
    }
    Ok(outcome)
}

/// Whom new events are for. Where the document was refused, nobody knows: they wait for both, until
/// it says whom it names.
fn channels(loaded: &Loaded) -> Vec<Channel> {
    if loaded.problems.is_empty() {
        telling::channels(&loaded.configuration)
    } else {
        Channel::ALL.to_vec()
    }
}

struct Look<'a> {
    workspace: &'a Workspace,
    options: &'a Options,
    loaded: &'a Loaded,
    channels: Vec<Channel>,
}

/// What is up, and what changed.
struct Looked {
    at: Timestamp,
    found: Found,
    tracked: Tracked,
    broken: Vec<Diagnostic>,
    brake_seen: Option<Timestamp>,
    changes: Option<Vec<levels::Change>>,
}

impl Look<'_> {
    fn dry(&self) -> Checked<Outcome> {
        let mut before = recording::look_back(self.workspace, &self.channels)?;
        let seen = self.see(&before);
        recording::advance(&mut before.state, &seen.tracked, &self.channels, seen.at);
        let report = self.report(&seen, &before.state);
        Ok(self.outcome(seen, report, before.warnings))
    }

    fn record(&self) -> Checked<Outcome> {
        let Options {
            retry,
            lock_timeout,
            ..
        } = self.options;
        let lock = WorkspaceLock::acquire(self.workspace, "alerts", *lock_timeout, retry)?;
        let mut before = recording::look_back(self.workspace, &self.channels)?;
        let mut findings = std::mem::take(&mut before.warnings);
        let given_up = before.state.tidy_pending(&self.channels);
        findings.extend((given_up > 0).then(|| telling::given_up(given_up)));
        let seen = self.see(&before);
        let ground = Ground {
            workspace: self.workspace,
            _lock: &lock,
            retry,
            at: seen.at,
            channels: &self.channels,
            brake_seen: seen.brake_seen,
        };
        let (report, problems) = recording::record(&ground, before, &seen.tracked, |state| {
            self.report(&seen, state)
        });
        findings.extend(problems);
        Ok(self.outcome(seen, report, findings))
    }

    /// Reads the clock once, finds out the facts, and holds them against what was up.
    fn see(&self, before: &Before) -> Looked {
        let at = self.options.clock.read();
        let limits = &self.loaded.configuration.limits;
        let facts = facts::survey(Question {
            workspace: self.workspace,
            at,
            look_back: conditions::look_back(limits),
            key: self.options.key.as_ref(),
            brake_seen: before.state.brake_seen,
        });
        let mut found = conditions::evaluate(&facts, limits);
        let levels = self.levels(before, at, &mut found);
        let moment = Moment {
            at,
            given_clock: self.options.clock.is_given(),
            remind_after: self.options.remind_after,
            last_event: before.last_event(),
        };
        let mut tracked = tracking::track(&before.state.open, &found, moment);
        tracked.changed(&levels, moment);
        let wants = self.loaded.configuration.level_changes.is_some();
        Looked {
            at,
            tracked,
            found,
            changes: wants.then_some(levels.changes),
            brake_seen: brake_seen(&facts, before.state.brake_seen),
            broken: facts.record,
        }
    }

    /// What the journal recorded since the last look, as far as somebody wants to know. While the
    /// document is refused nobody knows who does, so nothing counts as looked at.
    fn levels(&self, before: &Before, at: Timestamp, found: &mut Found) -> levels::Seen {
        let wanted = self.loaded.configuration.level_changes.as_ref();
        if !self.loaded.problems.is_empty() {
            return levels::Seen::default();
        }
        match levels::look(self.workspace, before.state.level_line, at) {
            Ok(seen) => seen.wanted(wanted),
            Err(problem) => {
                if wanted.is_some() {
                    found.unknown(&[Name::LevelChanged], &problem);
                }
                levels::Seen::default()
            }
        }
    }

    fn report(&self, seen: &Looked, state: &state::AlertState) -> Report {
        Report {
            given_clock: self.options.clock.is_given(),
            level_changes: seen.changes.clone(),
            ..Report::new(
                seen.at,
                &seen.tracked.open,
                state,
                &seen.found.unknown,
                self.loaded.configuration.limits,
            )
        }
    }

    fn outcome(&self, seen: Looked, report: Report, findings: Vec<Diagnostic>) -> Outcome {
        let own = self.loaded.problems.iter().cloned();
        let unknown = seen.found.problems.into_iter();
        Outcome {
            report,
            findings: own
                .chain(telling::not_built(&self.loaded.configuration))
                // What is wrong with the record is shown as that.
                .chain(unknown.filter(|problem| !seen.broken.contains(problem)))
                .chain(findings)
                .collect(),
            broken: seen.broken,
        }
    }
}

/// When the brake was first seen engaged, for the next run: it is not forgotten while nobody can
/// read its file.
fn brake_seen(facts: &Facts, before: Option<Timestamp>) -> Option<Timestamp> {
    match facts.brake {
        Brake::Off => None,
        Brake::Engaged { seen, .. } => Some(seen),
        Brake::Unreadable(_) => before,
    }
}
