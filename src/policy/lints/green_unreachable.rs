//! Triggers of which one fires whatever a signal says.

use super::{Grade, Lint, Remark, Subject};
use crate::ids::SignalName;
use crate::policy::outline::Part;
use crate::policy::reach::Reach;
use crate::policy::{Condition, Trigger};

pub(super) static LINT: Lint = Lint {
    name: "green-unreachable",
    grade: Grade::Warning,
    finds: "Triggers of which one fires whatever the value is, so that nothing is ever GREEN",
    why: "A level that never falls is soon ignored, and the day that it means something nobody looks.",
    wrong: "\
signals: [{name: coverage, file: coverage.json, pointer: /total, type: percent}]
triggers:
  - {code: COVERAGE_LOW, signal: coverage, level: RED, below: 60}
  - {code: COVERAGE_ODD, signal: coverage, level: YELLOW, at_least: 60}
",
    right: "\
signals: [{name: coverage, file: coverage.json, pointer: /total, type: percent}]
triggers:
  - {code: COVERAGE_LOW, signal: coverage, level: RED, below: 60}
  - {code: COVERAGE_ODD, signal: coverage, level: YELLOW, above: 99.9}
",
    look,
};

fn look(subject: &Subject<'_>) -> Vec<Remark> {
    let reach = Reach::of(subject.policy);
    let triggers = subject.policy.triggers();
    let alone = triggers
        .iter()
        .filter(|trigger| reach.always_fires(trigger));
    let alone: Vec<Remark> = alone
        .filter_map(|trigger| remark(subject, &[trigger]))
        .collect();
    if !alone.is_empty() {
        return alone;
    }
    let together = subject.policy.signals().iter().filter_map(|rule| {
        let of_it: Vec<&Trigger> = triggers
            .iter()
            .filter(|trigger| looks_only_at(trigger, &rule.name))
            .collect();
        let is_covered = of_it.len() > 1 && reach.always_some(&of_it);
        is_covered.then(|| remark(subject, &of_it)).flatten()
    });
    together.collect()
}

fn looks_only_at(trigger: &Trigger, signal: &SignalName) -> bool {
    match &trigger.condition {
        Condition::Changed(_) | Condition::Median(_) => false,
        Condition::Expression(expression) => expression.names() == [signal.as_str()],
        _ => trigger.signal.as_ref() == Some(signal),
    }
}

fn remark(subject: &Subject<'_>, triggers: &[&Trigger]) -> Option<Remark> {
    let last = triggers.last()?;
    let codes: Vec<String> = triggers
        .iter()
        .map(|trigger| format!("`{}`", trigger.code))
        .collect();
    Some(Remark {
        lint: &LINT,
        place: subject.place(&Part::Condition(last.code.clone()))?,
        message: "nothing can ever be GREEN: whatever the value is, a trigger fires".to_owned(),
        found: codes.join(", "),
        expected: "values at which none of them fires".to_owned(),
        help: "move a line, or turn a comparison around".to_owned(),
    })
}
