//! A waiver whose end has passed.

use super::{Grade, Lint, Remark, Subject};
use crate::policy::outline::Part;

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
    let waivers = subject.policy.waivers().iter();
    let expired = waivers.filter(|waiver| !waiver.is_in_force(subject.at));
    let found = expired.filter_map(|waiver| {
        Some(Remark {
            lint: &LINT,
            place: subject.place(&Part::Expiry(waiver.trigger.clone()))?,
            message: format!("the waiver of `{}` has expired", waiver.trigger),
            found: format!("an end at {}", waiver.expires.human()),
            expected: format!("one after {}", subject.at.human()),
            help: format!(
                "remove the waiver, or decide on it again in {}",
                waiver.ticket
            ),
        })
    });
    found.collect()
}
