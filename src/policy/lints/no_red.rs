//! A policy without a trigger for RED.

use super::{Grade, Lint, Remark, Subject};
use crate::policy::Level;
use crate::policy::outline::Part;

pub(super) static LINT: Lint = Lint {
    name: "no-red",
    grade: Grade::Warning,
    finds: "A policy whose triggers never demand RED",
    why: "No value of any signal is then critical: RED comes from unreadable files alone.",
    wrong: "\
signals: [{name: integrity}]
triggers:
  - {code: INTEGRITY_LOW, signal: integrity, level: YELLOW, below: 95}
",
    right: "\
signals: [{name: integrity}]
triggers:
  - {code: INTEGRITY_LOW, signal: integrity, level: YELLOW, below: 95}
  - {code: INTEGRITY_GONE, signal: integrity, level: RED, below: 80}
",
    look,
};

fn look(subject: &Subject<'_>) -> Vec<Remark> {
    let mut triggers = subject.policy.triggers().iter();
    let place = subject.place(&Part::Triggers);
    let Some(place) = place.filter(|_| !triggers.any(|trigger| trigger.level == Level::RED)) else {
        return Vec::new();
    };
    vec![Remark {
        lint: &LINT,
        place,
        message: "no value of any signal is RED".to_owned(),
        found: "no trigger for RED".to_owned(),
        expected: "at least one".to_owned(),
        help: "add a trigger with `level: RED`".to_owned(),
    }]
}
