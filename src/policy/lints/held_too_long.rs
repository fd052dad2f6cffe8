//! Hysteresis that hides for more than a day that things are well again.

use super::{Grade, Lint, Remark, Subject};
use crate::policy::Hysteresis;
use crate::policy::outline::Part;
use crate::time::in_words;
use chrono::TimeDelta;

pub(super) static LINT: Lint = Lint {
    name: "held-too-long",
    grade: Grade::Note,
    finds: "A level that is held for more than a day after its reasons are gone",
    why: "For so long nobody can tell a level that is held from one that has reasons without reading the decision. With daily runs each evaluation is a day, so 24 of them are taken for the longest that is usual.",
    wrong: "\
signals: [{name: integrity}]
triggers:
  - {code: INTEGRITY_LOW, signal: integrity, level: RED, below: 90}
hysteresis: {time: 7d}
",
    right: "\
signals: [{name: integrity}]
triggers:
  - {code: INTEGRITY_LOW, signal: integrity, level: RED, below: 90}
hysteresis: {time: 12h}
",
    look,
};

fn look(subject: &Subject<'_>) -> Vec<Remark> {
    let found = match subject.policy.hysteresis() {
        Some(Hysteresis::Time(time)) if time > TimeDelta::days(1) => in_words(time),
        Some(Hysteresis::Evaluations(count)) if count > 24 => format!("{count} evaluations"),
        _ => return Vec::new(),
    };
    let Some(place) = subject.place(&Part::Hysteresis) else {
        return Vec::new();
    };
    vec![Remark {
        lint: &LINT,
        place,
        message: "a level is held for long after its reasons are gone".to_owned(),
        found,
        expected: "at most a day, or 24 evaluations".to_owned(),
        help: "shorten it, unless a false all-clear is worse than a false alarm".to_owned(),
    }]
}
