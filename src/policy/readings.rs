//! The readings that a policy asks for: the built-in signals that it lists and those that it
//! declares, each old or young as its rule sees it.

use chrono::TimeDelta;
use tracing::field::Empty;

use super::{Policy, SignalRule};
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::ids::SignalName;
use crate::signals::{self, Outcome, ReadContext, Reading, Readings, Source, declared};
use crate::time::Timestamp;

/// The readings, with one for each signal that the policy lists: where there is none, nobody
/// reported.
pub fn with_absent(readings: &Readings, policy: &Policy) -> Readings {
    let absent = policy
        .signals()
        .iter()
        .filter(|rule| readings.get(&rule.name).is_none());
    let missing = absent.map(|rule| {
        let why = "it was not named".to_owned();
        Reading::bare(rule.name.clone(), Outcome::Missing(why))
    });
    Readings::new(readings.iter().cloned().chain(missing).collect())
}

/// The warning where no signal of the policy has a file: perhaps it is the wrong directory.
pub fn empty_workspace(
    readings: &Readings,
    policy: &Policy,
    workspace: &Workspace,
) -> Option<Diagnostic> {
    let listed: Vec<&SignalName> = policy.signals().iter().map(|rule| &rule.name).collect();
    readings.empty_workspace(workspace, &listed)
}

/// Reads the signals of a policy. A built-in one that it does not list is not read.
pub fn load(context: ReadContext<'_>, policy: &Policy) -> Readings {
    complete(policy, |rule| read(context, rule))
}

/// The same beside a policy whose signals were read just now: what both see in the same way is not
/// read again, so that they judge the same values.
pub fn load_beside(
    context: ReadContext<'_>,
    policy: &Policy,
    other: &Policy,
    readings: &Readings,
) -> Readings {
    complete(policy, |rule| {
        let alike =
            |known: &&SignalRule| known.declared == rule.declared && known.max_age == rule.max_age;
        let known = other.signal(&rule.name).filter(alike);
        let reading = known.and_then(|known| readings.get(&known.name));
        reading.map_or_else(|| read(context, rule), Reading::clone)
    })
}

/// The files that a signal of the policy is read from.
pub fn files(rule: &SignalRule) -> Vec<&str> {
    match &rule.declared {
        Some(declared) => vec![&declared.file],
        None => signals::files(&rule.name).to_vec(),
    }
}

fn read(context: ReadContext<'_>, rule: &SignalRule) -> Reading {
    let span = tracing::debug_span!("read", signal = rule.name.as_str(), outcome = Empty).entered();
    let reading = match &rule.declared {
        Some(declared) => declared::load(declared, context),
        None => built_in(&rule.name, context),
    };
    let reading = aged(reading, rule, context.at);
    span.record("outcome", reading.status().as_str());
    reading
}

fn complete(policy: &Policy, read: impl FnMut(&SignalRule) -> Reading) -> Readings {
    let read = policy.signals().iter().map(read);
    let unlisted = Readings::BUILT_IN
        .into_iter()
        .filter(|name| policy.signal(name).is_none())
        .map(|name| {
            let why = "the policy does not list it".to_owned();
            Reading::bare(name, Outcome::Missing(why))
        });
    Readings::new(read.chain(unlisted).collect())
}

fn built_in(name: &SignalName, context: ReadContext<'_>) -> Reading {
    signals::load(name, context).unwrap_or_else(|| {
        // A policy can't name a built-in signal that there is none of.
        Reading::bare(name.clone(), Outcome::Invalid(Vec::new()))
    })
}

/// A clock that is ahead by no more than this tells a time that is known.
const AHEAD: TimeDelta = TimeDelta::minutes(5);

/// A value that was observed too long ago is stale, and so is one of which nobody knows when: what
/// has an age limit and tells no age, or a time that has not come yet, is not known to be fresh.
fn aged(reading: Reading, rule: &SignalRule, at: Timestamp) -> Reading {
    let (Some(max_age), Outcome::Valid(value)) = (rule.max_age, &reading.outcome) else {
        return reading;
    };
    let age = reading.observed_at.map(|observed| at.since(observed));
    let is_ahead = age.is_some_and(|age| age < -AHEAD);
    if age.is_some_and(|age| age <= max_age) && !is_ahead {
        return reading;
    }
    let mut warnings = reading.warnings;
    if let Some(observed) = reading.observed_at.filter(|_| is_ahead) {
        warnings.push(ahead(&reading.sources, observed, at));
    }
    Reading {
        outcome: Outcome::Stale(*value),
        warnings,
        ..reading
    }
}

fn ahead(sources: &[Source], observed: Timestamp, at: Timestamp) -> Diagnostic {
    let file = sources.first().map_or("", |source| source.file.as_str());
    Diagnostic::new(
        Code::TimeInFuture,
        Place::file(file),
        "the observation lies in the future, so nobody knows how old it is",
    )
    .found(observed.to_string())
    .expected(format!("a time up to {at}"))
    .help("check the clocks of this machine and of the writer")
}
