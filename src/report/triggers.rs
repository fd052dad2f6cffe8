//! A decision as test results: a case for every trigger of the policy, one for each signal's reading,
//! and one for the record.

use super::in_words;
use super::junit::{Case, Outcome, Report, Suite};
use super::outcome::{Reported, Told};
use crate::decision::Reason;
use crate::diagnostic::Diagnostic;
use crate::policy::Trigger;
use crate::signals::Reading;

/// What is not about one signal's file.
const POLICY: &str = "policy";

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
        let is_it = |(_, _, fired): &(String, String, Option<&Reason>)| {
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
        .map(|reason| (POLICY.to_owned(), reason.code.to_string(), Some(reason)))
        .collect();
    names.extend(rest);
    let cases = names.iter().map(|(file, name, fired)| Case {
        class: file.into(),
        file: Some(file.into()),
        name: name.into(),
        outcome: fired.map_or(Outcome::Passed, |reason| {
            let text = format!("{}: {} ({})", reason.level, in_words(reason), reason.code);
            Outcome::Failed(text.into())
        }),
        ..Case::default()
    });
    report(&format!("policy {}", told.decision.level), cases.collect())
}

fn report(name: &str, cases: Vec<Case<'_>>) -> String {
    let suites = vec![Suite::of(name, cases)];
    Report { suites }.to_xml()
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

fn file_of(told: &Told<'_>, trigger: &Trigger) -> String {
    let reading = trigger
        .signal
        .as_ref()
        .and_then(|signal| told.readings.get(signal));
    reading.map_or_else(|| POLICY.to_owned(), file)
}

/// The first file that a reading rests on; of one that is decided again from the record, its signal.
fn file(reading: &Reading) -> String {
    let first = reading.sources.first();
    first.map_or_else(|| reading.signal.to_string(), |source| source.file.clone())
}

fn undecided(finding: &Diagnostic) -> String {
    let place = finding.place.to_string();
    let text = format!("{} ({})", finding.message, finding.code);
    let case = Case {
        class: place.as_str().into(),
        file: Some(place.as_str().into()),
        name: "the level can be decided".into(),
        outcome: Outcome::Error(text.into()),
        ..Case::default()
    };
    report("policy, undecided", vec![case])
}
