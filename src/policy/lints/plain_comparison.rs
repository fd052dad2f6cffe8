//! A condition in CEL that a comparison could say.

use super::{Grade, Lint, Remark, Subject};
use crate::policy::Condition;
use crate::policy::outline::Part;

pub(super) static LINT: Lint = Lint {
    name: "plain-comparison",
    grade: Grade::Note,
    finds: "A condition in CEL that a plain comparison could say",
    why: "Of a comparison the product can say how near a value is to its line, and what would have to change for a lower level. Of an expression it can only say whether it holds.",
    wrong: "\
signals: [{name: integrity}]
triggers:
  - {code: INTEGRITY_LOW, level: RED, when: integrity < 90.0}
",
    right: "\
signals: [{name: integrity}]
triggers:
  - {code: INTEGRITY_LOW, signal: integrity, level: RED, below: 90}
",
    look,
};

fn look(subject: &Subject<'_>) -> Vec<Remark> {
    let triggers = subject.policy.triggers().iter();
    let found = triggers.filter_map(|trigger| {
        let Condition::Expression(expression) = &trigger.condition else {
            return None;
        };
        let plain = expression.as_comparison()?;
        let signal = expression.names().first()?;
        Some(Remark {
            lint: &LINT,
            place: subject.place(&Part::Condition(trigger.code.clone()))?,
            message: format!(
                "`{}` is a comparison, and could be written as one",
                trigger.code
            ),
            found: format!("`{}`", expression.source()),
            expected: format!("`signal: {signal}` and `{plain}`"),
            help: "write it so: decisions then say how near the line is".to_owned(),
        })
    });
    found.collect()
}
