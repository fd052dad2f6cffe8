//! The readings that a policy asks for: the built-in signals that it lists and those that it
//! declares, each old or young as its rule sees it.

use super::{Policy, SignalRule};
use crate::ids::SignalName;
use crate::signals::{self, Outcome, ReadContext, Reading, Readings, declared};
use crate::time::Timestamp;

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

fn read(context: ReadContext<'_>, rule: &SignalRule) -> Reading {
    let reading = match &rule.declared {
        Some(declared) => declared::load(declared, context),
        None => built_in(&rule.name, context),
    };
    aged(reading, rule, context.at)
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

/// A value that was observed too long ago is stale, and so is one of which nobody knows when: what
/// has an age limit and tells no age is not known to be fresh.
fn aged(reading: Reading, rule: &SignalRule, at: Timestamp) -> Reading {
    let (Some(max_age), Outcome::Valid(value)) = (rule.max_age, &reading.outcome) else {
        return reading;
    };
    let is_fresh = reading
        .observed_at
        .is_some_and(|observed| at.since(observed) <= max_age);
    if is_fresh {
        return reading;
    }
    Reading {
        outcome: Outcome::Stale(*value),
        ..reading
    }
}
