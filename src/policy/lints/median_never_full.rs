//! A median of more values than a year of daily runs records.

use super::{Grade, Lint, Remark, Subject};
use crate::policy::Condition;
use crate::policy::outline::Part;

pub(super) static LINT: Lint = Lint {
    name: "median-never-full",
    grade: Grade::Warning,
    finds: "A median of more values than a year of daily runs records",
    why: "With fewer values recorded the trigger does not fire. Run once a day, it begins to guard something after that many days.",
    wrong: "\
signals: [{name: integrity}]
triggers:
  - {code: INTEGRITY_ODD, signal: integrity, level: RED, median: {of_last: 1000, below_ratio: 0.8}}
",
    right: "\
signals: [{name: integrity}]
triggers:
  - {code: INTEGRITY_ODD, signal: integrity, level: RED, median: {of_last: 30, below_ratio: 0.8}}
",
    look,
};

/// How many decisions a year of daily runs records.
const YEAR: usize = 366;

fn look(subject: &Subject<'_>) -> Vec<Remark> {
    let triggers = subject.policy.triggers().iter();
    let found = triggers.filter_map(|trigger| {
        let Condition::Median(median) = trigger.condition else {
            return None;
        };
        let place = subject.place(&Part::Condition(trigger.code.clone()))?;
        (median.last > YEAR).then(|| Remark {
            lint: &LINT,
            place,
            message: format!(
                "`{}` waits for {} recorded values",
                trigger.code, median.last
            ),
            found: "more than a year of daily runs records".to_owned(),
            expected: format!("at most {YEAR}"),
            help: "look at fewer values: 30 are a month of daily runs".to_owned(),
        })
    });
    found.collect()
}
