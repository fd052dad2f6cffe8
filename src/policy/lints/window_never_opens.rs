//! A freeze window that never opens.

use super::{Grade, Lint, Remark, Subject};
use crate::policy::outline::Part;

pub(super) static LINT: Lint = Lint {
    name: "window-never-opens",
    grade: Grade::Warning,
    finds: "A freeze window that never opens",
    why: "Its cron expression names no day that there is. A window that denies then freezes nothing; where only such windows allow, nothing is ever applied.",
    wrong: "\
signals: [{name: integrity}]
triggers:
  - {code: INTEGRITY_LOW, signal: integrity, level: RED, below: 90}
freeze:
  - {name: year-end, reason: nobody is there, cron: \"0 0 31 2 *\", duration: 24h}
",
    right: "\
signals: [{name: integrity}]
triggers:
  - {code: INTEGRITY_LOW, signal: integrity, level: RED, below: 90}
freeze:
  - {name: year-end, reason: nobody is there, cron: \"0 0 31 12 *\", duration: 24h}
",
    look,
};

fn look(subject: &Subject<'_>) -> Vec<Remark> {
    let windows = subject.policy.freeze().windows().iter();
    let found = windows
        .filter(|window| window.never_opens())
        .filter_map(|window| {
            Some(Remark {
                lint: &LINT,
                place: subject.place(&Part::Window(window.name().to_owned()))?,
                message: format!("the window `{}` never opens", window.name()),
                found: format!("the cron expression `{}`", window.cron()),
                expected: "a day that there is".to_owned(),
                help: "correct day and month, or remove the window".to_owned(),
            })
        });
    found.collect()
}
