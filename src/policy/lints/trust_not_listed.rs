//! A policy that does not read the lock of the trust guard.

use super::{Grade, Lint, Remark, Subject};
use crate::ids::SignalName;
use crate::policy::outline::Part;

pub(super) static LINT: Lint = Lint {
    name: "trust-not-listed",
    grade: Grade::Warning,
    finds: "A policy that does not read the lock of the trust guard",
    why: "A signal that is not listed is not read. The trust guard's lock then blocks responses, but no level says why.",
    wrong: "\
signals: [{name: integrity}]
triggers:
  - {code: INTEGRITY_LOW, signal: integrity, level: RED, below: 90}
",
    right: "\
signals: [{name: integrity}, {name: trust}]
triggers:
  - {code: TRUST_LOCKED, signal: trust, level: RED, equals: locked}
  - {code: INTEGRITY_LOW, signal: integrity, level: RED, below: 90}
",
    look,
};

fn look(subject: &Subject<'_>) -> Vec<Remark> {
    if subject.policy.signal(&SignalName::TRUST).is_some() {
        return Vec::new();
    }
    let Some(place) = subject.place(&Part::Signals) else {
        return Vec::new();
    };
    vec![Remark {
        lint: &LINT,
        place,
        message: "the lock of the trust guard is not read".to_owned(),
        found: "no `trust` in the list".to_owned(),
        expected: "`trust`, and a trigger that demands RED where it is locked".to_owned(),
        help: "add `- name: trust` and `{code: TRUST_LOCKED, signal: trust, level: RED, equals: locked}`".to_owned(),
    }]
}
