//! Signals that never become stale.

use super::{Grade, Lint, Remark, Subject};
use crate::policy::SignalRule;
use crate::policy::outline::Part;
use crate::signals::declared::Kind;

pub(super) static LINT: Lint = Lint {
    name: "no-max-age",
    grade: Grade::Note,
    finds: "Signals that never become stale, however old their last report is",
    why: "A writer that stops leaves its last report behind. Without `max_age` that report counts for ever, and what nobody looks at any more stays GREEN. The lock and what counts a window or an age by itself are left out.",
    wrong: "\
signals: [{name: trust}, {name: integrity}]
triggers:
  - {code: INTEGRITY_LOW, signal: integrity, level: RED, below: 90}
",
    right: "\
signals: [{name: trust}, {name: integrity, max_age: 26h}]
triggers:
  - {code: INTEGRITY_LOW, signal: integrity, level: RED, below: 90}
",
    look,
};

fn look(subject: &Subject<'_>) -> Vec<Remark> {
    let ageless: Vec<&SignalRule> = subject
        .policy
        .signals()
        .iter()
        .filter(|rule| rule.max_age.is_none() && ages(rule))
        .collect();
    let first = ageless.first();
    let Some(place) = first.and_then(|rule| subject.place(&Part::Signal(rule.name.clone()))) else {
        return Vec::new();
    };
    let names: Vec<&str> = ageless.iter().map(|rule| rule.name.as_str()).collect();
    let untimed = ageless.iter().any(|rule| {
        rule.declared
            .as_ref()
            .is_some_and(|declared| declared.time.is_none())
    });
    let help = if untimed {
        "add `max_age: 26h`, say; a signal of your own needs `time` beside it"
    } else {
        "add `max_age: 26h`, say"
    };
    vec![Remark {
        lint: &LINT,
        place,
        message: "these signals never become stale".to_owned(),
        found: format!("no `max_age` for {}", names.join(", ")),
        expected: "an age from which on a report counts no more".to_owned(),
        help: help.to_owned(),
    }]
}

/// A lock holds until it is opened; an age and a count in a window look at the time themselves.
fn ages(rule: &SignalRule) -> bool {
    match &rule.declared {
        Some(declared) => !matches!(declared.kind, Kind::Age | Kind::CountInWindow(_)),
        None => !matches!(rule.name.as_str(), "trust" | "responses"),
    }
}
