//! A trigger that fires at no value that its signals can have.

use super::{Grade, Lint, Remark, Subject};
use crate::policy::outline::Part;
use crate::policy::reach::Reach;

pub(super) static LINT: Lint = Lint {
    name: "never-fires",
    grade: Grade::Warning,
    finds: "A trigger that fires at no value that its signals can have",
    why: "Its condition contradicts itself or the range of a signal. It looks like a guard and guards nothing.",
    wrong: "\
signals: [{name: integrity}]
triggers:
  - {code: INTEGRITY_LOW, level: RED, when: integrity < 80.0 && integrity > 90.0}
",
    right: "\
signals: [{name: integrity}]
triggers:
  - {code: INTEGRITY_LOW, level: RED, when: integrity < 80.0 || integrity > 99.9}
",
    look,
};

fn look(subject: &Subject<'_>) -> Vec<Remark> {
    let reach = Reach::of(subject.policy);
    let triggers = subject.policy.triggers().iter();
    let found = triggers.filter_map(|trigger| {
        let place = subject.place(&Part::Condition(trigger.code.clone()))?;
        reach.never_fires(trigger).then(|| Remark {
            lint: &LINT,
            place,
            message: format!("`{}` can never fire", trigger.code),
            found: "a condition that no value fulfils".to_owned(),
            expected: "a value at which it fires".to_owned(),
            help: "look for `&&` that was meant as `||`, or remove the trigger".to_owned(),
        })
    });
    found.collect()
}
