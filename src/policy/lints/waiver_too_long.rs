//! A waiver for more than half a year.

use super::{Grade, Lint, Remark, Subject};
use chrono::TimeDelta;

pub(super) static LINT: Lint = Lint {
    name: "waiver-too-long",
    grade: Grade::Warning,
    finds: "A waiver that ends more than 180 days ahead",
    why: "A trigger that does not count for half a year is no trigger. What is waived for so long is a change of the policy, and deserves the review of one.",
    wrong: "\
signals: [{name: integrity}]
triggers:
  - {code: INTEGRITY_LOW, signal: integrity, level: RED, below: 90}
waivers:
  - trigger: INTEGRITY_LOW
    reason: the registry is being rebuilt
    by: ana
    ticket: OPS-7
    expires: 2028-12-31
",
    right: "\
signals: [{name: integrity}]
triggers:
  - {code: INTEGRITY_LOW, signal: integrity, level: RED, below: 90}
waivers:
  - trigger: INTEGRITY_LOW
    reason: the registry is being rebuilt
    by: ana
    ticket: OPS-7
    expires: 2026-03-31
",
    look,
};

/// The longest time for which a waiver is none too long.
const LONGEST: TimeDelta = TimeDelta::days(180);

fn look(subject: &Subject<'_>) -> Vec<Remark> {
    subject.at_waivers(&LINT, |waiver| {
        let length = waiver.expires.since(subject.at);
        if length <= LONGEST {
            return None;
        }
        let days = length.num_days();
        Some([
            format!("`{}` is waived for {days} days", waiver.trigger),
            "one at most 180 days ahead".to_owned(),
            "choose an earlier end, or change the trigger itself".to_owned(),
        ])
    })
}
