//! A signal with an age limit whose age nobody can know.

use super::{Grade, Lint, Remark, Subject};
use crate::policy::outline::Part;
use crate::signals::declared::Kind;

pub(super) static LINT: Lint = Lint {
    name: "always-stale",
    grade: Grade::Warning,
    finds: "A signal with `max_age` and without `time`: it counts as stale on every run",
    why: "What has an age limit and tells no age is not known to be fresh, so it demands `on_stale` (YELLOW where silent) on every run, whatever its value is.",
    wrong: "\
signals:
  - {name: coverage, file: coverage.json, pointer: /total, type: percent, max_age: 7d}
triggers:
  - {code: COVERAGE_LOW, signal: coverage, level: RED, below: 60}
",
    right: "\
signals:
  - {name: coverage, file: coverage.json, pointer: /total, type: percent, time: /at, max_age: 7d}
triggers:
  - {code: COVERAGE_LOW, signal: coverage, level: RED, below: 60}
",
    look,
};

fn look(subject: &Subject<'_>) -> Vec<Remark> {
    let timeless = subject.policy.signals().iter().filter(|rule| {
        let declared = rule.declared.as_ref();
        rule.max_age.is_some()
            && declared
                .is_some_and(|declared| declared.time.is_none() && declared.kind != Kind::Age)
    });
    let found = timeless.filter_map(|rule| {
        Some(Remark {
            lint: &LINT,
            place: subject.place(&Part::SignalKey(rule.name.clone(), "max_age"))?,
            message: format!(
                "`{}` is stale on every run: nobody knows how old its value is",
                rule.name
            ),
            found: "`max_age` without `time`".to_owned(),
            expected: "the place of the time at which the value was observed".to_owned(),
            help: "add `time: /generated_at`, say (a column in CSV), or remove `max_age`"
                .to_owned(),
        })
    });
    found.collect()
}
