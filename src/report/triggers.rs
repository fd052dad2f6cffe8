//! A decision as test results: a case for every trigger of the policy, one for each signal's reading,
//! and one for the record.

use super::in_words;
use super::junit::{Case, Outcome, Report, Suite};
use super::outcome::{Reported, Told};
use crate::decision::Reason;
use crate::diagnostic::Diagnostic;
use crate::policy::Trigger;
use crate::signals::Reading;

/// What all of it is a case of.
const CLASS: &str = "policy";

/// The report as text.
pub fn junit(reported: Reported<'_>) -> String {
    let told = match reported {
        Reported::Decided(told) => told,
        Reported::Undecided(finding) => return undecided(finding),
    };
    let mut names = Vec::new();
    for trigger in told.policy.triggers() {
        let of = |reason: &&Reason| {
            reason.code == trigger.code && reason.level.name() == trigger.level.name()
        };
        let fired = told.decision.reasons.iter().find(of);
        names.push((file_of(&told, trigger), name_of(trigger), fired));
    }
    for reading in told.readings {
        let of = |reason: &&Reason| {
            reason.signal.as_ref() == Some(&reading.signal) && is_of_status(reason)
        };
        let fired = told.decision.reasons.iter().find(of);
        let name = format!("{} is reported and can be read", reading.signal);
        names.push((file(reading), name, fired));
    }
    let is_told = |reason: &Reason| {
        let is_it = |(_, _, fired): &(Option<String>, String, Option<&Reason>)| {
            fired.is_some_and(|fired| std::ptr::eq(fired, reason))
        };
        names.iter().any(is_it)
    };
    // What is left is about the record, the policy document or a hold.
    let rest: Vec<_> = told
        .decision
        .reasons
        .iter()
        .filter(|reason| !is_told(reason))
        .map(|reason| (None, reason.code.to_string(), Some(reason)))
        .collect();
    names.extend(rest);
    let cases = names
        .iter()
        .map(|(file, name, fired)| Case {
            class: CLASS.into(),
            file: file.as_deref().map(Into::into),
            name: name.into(),
            outcome: match fired {
                Some(reason) => Outcome::Failed(
                    format!("{}: {} ({})", reason.level, in_words(reason), reason.code).into(),
                ),
                None => Outcome::Passed,
            },
            ..Case::default()
        })
        .collect();
    let suite = Suite {
        timestamp: Some(told.decision.at.to_string().into()),
        properties: vec![
            ("level", told.decision.level.name().into()),
            ("policy", told.policy.identity().sha256.to_string().into()),
        ],
        ..Suite::of("policy", cases)
    };
    Report {
        suites: vec![suite],
    }
    .to_xml()
}

fn is_of_status(reason: &Reason) -> bool {
    matches!(
        reason.code.as_str(),
        "INPUT_MISSING" | "INPUT_STALE" | "INPUT_INVALID"
    )
}

fn name_of(trigger: &Trigger) -> String {
    format!("{} ({})", trigger.code, trigger.level)
}

fn file_of(told: &Told<'_>, trigger: &Trigger) -> Option<String> {
    file(told.readings.get(trigger.signal.as_ref()?)?)
}

/// The first file that a reading rests on; of one that is decided again from the record, the one that
/// the state file tells.
fn file(reading: &Reading) -> Option<String> {
    let first = reading.sources.first();
    first.map(|source| source.file.clone())
}

fn undecided(finding: &Diagnostic) -> String {
    let case = Case {
        class: CLASS.into(),
        file: Some(finding.place.file.as_str().into()),
        name: "the level can be decided".into(),
        outcome: Outcome::Error(
            format!("{}: {} ({})", finding.place, finding.message, finding.code).into(),
        ),
        ..Case::default()
    };
    Report {
        suites: vec![Suite::of("policy", vec![case])],
    }
    .to_xml()
}
