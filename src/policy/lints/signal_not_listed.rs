//! Built-in signals that a policy does not read.

use super::{Grade, Lint, Remark, Subject};
use crate::ids::SignalName;
use crate::policy::outline::Part;
use crate::signals::Readings;

pub(super) static LINT: Lint = Lint {
    name: "signal-not-listed",
    grade: Grade::Note,
    finds: "Built-in signals that are not listed, and so not read",
    why: "That is right where nobody writes their files. Where somebody does, a report that nobody reads is no safeguard.",
    wrong: "\
signals: [{name: trust}, {name: integrity}]
triggers:
  - {code: TRUST_LOCKED, signal: trust, level: RED, equals: locked}
",
    right: "\
signals:
  - {name: trust}
  - {name: integrity}
  - {name: consensus}
  - {name: reputation}
  - {name: forecast}
  - {name: responses}
triggers:
  - {code: TRUST_LOCKED, signal: trust, level: RED, equals: locked}
",
    look,
};

fn look(subject: &Subject<'_>) -> Vec<Remark> {
    let unlisted: Vec<String> = Readings::BUILT_IN
        .into_iter()
        .filter(|name| *name != SignalName::TRUST && subject.policy.signal(name).is_none())
        .map(|name| name.to_string())
        .collect();
    let Some(place) = subject
        .place(&Part::Signals)
        .filter(|_| !unlisted.is_empty())
    else {
        return Vec::new();
    };
    vec![Remark {
        lint: &LINT,
        place,
        message: "not every built-in signal is read".to_owned(),
        found: format!("no {}", unlisted.join(", ")),
        expected: "each of them, where something writes its file".to_owned(),
        help: "list those that are written here; nothing is to be done for the others".to_owned(),
    }]
}
