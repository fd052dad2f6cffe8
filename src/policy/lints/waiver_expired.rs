//! A waiver whose end has passed.

use super::{Grade, Lint, Remark, Subject};

pub(super) static LINT: Lint = Lint {
    name: "waiver-expired",
    grade: Grade::Warning,
    finds: "A waiver whose end has passed: its trigger counts again",
    why: "An expired waiver does nothing, and stays in the document as if it did. That it is over has to be decided by somebody: mend what was waived, or waive it again with a new end.",
    wrong: "\
signals: [{name: integrity}]
triggers:
  - {code: INTEGRITY_LOW, signal: integrity, level: RED, below: 90}
waivers:
  - trigger: INTEGRITY_LOW
    reason: the registry is being rebuilt
    by: ana
    ticket: OPS-7
    expires: 2025-12-31
",
    right: "\
signals: [{name: integrity}]
triggers:
  - {code: INTEGRITY_LOW, signal: integrity, level: RED, below: 90}
",
    look,
};

fn look(subject: &Subject<'_>) -> Vec<Remark> {
    subject.at_waivers(&LINT, |waiver| {
        if waiver.is_in_force(subject.at) {
            return None;
        }
        Some([
            format!("the waiver of `{}` has expired", waiver.trigger),
            format!("one after {}", subject.at.human()),
            format!(
                "remove the waiver, or decide on it again in {}",
                waiver.ticket
            ),
        ])
    })
}
