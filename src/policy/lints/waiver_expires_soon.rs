//! A waiver that ends within two weeks.

use super::{Grade, Lint, Remark, Subject};
use crate::time::in_words;
use chrono::TimeDelta;

pub(super) static LINT: Lint = Lint {
    name: "waiver-expires-soon",
    grade: Grade::Note,
    finds: "A waiver that ends within 14 days",
    why: "The day after, its trigger counts again, and the level may jump. Two weeks are time to mend what was waived or to decide again.",
    wrong: "\
signals: [{name: integrity}]
triggers:
  - {code: INTEGRITY_LOW, signal: integrity, level: RED, below: 90}
waivers:
  - trigger: INTEGRITY_LOW
    reason: the registry is being rebuilt
    by: ana
    ticket: OPS-7
    expires: 2026-01-20
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

/// How far ahead is soon.
const SOON: TimeDelta = TimeDelta::days(14);

fn look(subject: &Subject<'_>) -> Vec<Remark> {
    subject.at_waivers(&LINT, |waiver| {
        let left = waiver.expires.since(subject.at);
        if !waiver.is_in_force(subject.at) || left > SOON {
            return None;
        }
        Some([
            format!(
                "the waiver of `{}` ends in {}",
                waiver.trigger,
                in_words(left)
            ),
            "that what was waived is mended by then".to_owned(),
            format!("mend it, or decide on it again in {}", waiver.ticket),
        ])
    })
}
