//! A signal that no trigger looks at.

use super::{Grade, Lint, Remark, Subject};
use crate::policy::outline::Part;

pub(super) static LINT: Lint = Lint {
    name: "unwatched-signal",
    grade: Grade::Note,
    finds: "A signal that no trigger looks at: only its silence counts",
    why: "It is read on every run, and demands a level where it is missing or unreadable, but no value of it ever changes anything. Often a trigger was forgotten.",
    wrong: "\
signals: [{name: integrity}, {name: forecast}]
triggers:
  - {code: INTEGRITY_LOW, signal: integrity, level: RED, below: 90}
",
    right: "\
signals: [{name: integrity}, {name: forecast}]
triggers:
  - {code: INTEGRITY_LOW, signal: integrity, level: RED, below: 90}
  - {code: FORECAST_HIGH, signal: forecast, level: RED, equals: high}
",
    look,
};

fn look(subject: &Subject<'_>) -> Vec<Remark> {
    let triggers = subject.policy.triggers();
    let unwatched = subject
        .policy
        .signals()
        .iter()
        .filter(|rule| !triggers.iter().any(|trigger| trigger.is_about(&rule.name)));
    let found = unwatched.filter_map(|rule| {
        Some(Remark {
            lint: &LINT,
            place: subject.place(&Part::Signal(rule.name.clone()))?,
            message: format!("no trigger looks at `{}`", rule.name),
            found: "a signal whose silence is all that counts".to_owned(),
            expected: "a trigger for its values".to_owned(),
            help: "add a trigger, or remove the signal".to_owned(),
        })
    });
    found.collect()
}
