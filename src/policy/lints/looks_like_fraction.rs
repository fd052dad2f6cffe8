//! A line of a percentage that looks like a fraction.

use super::{Grade, Lint, Remark, Subject};
use crate::ids::SignalName;
use crate::policy::outline::Part;
use crate::policy::{Condition, Policy, Trigger};
use crate::signals::Value;
use crate::signals::declared::Kind;

pub(super) static LINT: Lint = Lint {
    name: "looks-like-fraction",
    grade: Grade::Warning,
    finds: "A line of a percentage that is at most 1, and perhaps meant as a fraction",
    why: "Percentages go from 0 to 100 here. `below: 0.95` fires below one percent, so it never fires while anything works at all.",
    wrong: "\
signals: [{name: integrity}]
triggers:
  - {code: INTEGRITY_LOW, signal: integrity, level: RED, below: 0.95}
",
    right: "\
signals: [{name: integrity}]
triggers:
  - {code: INTEGRITY_LOW, signal: integrity, level: RED, below: 95}
",
    look,
};

fn look(subject: &Subject<'_>) -> Vec<Remark> {
    let triggers = subject.policy.triggers().iter();
    let found = triggers.filter_map(|trigger| {
        let line = lines(subject.policy, trigger)
            .into_iter()
            .find(|line| *line > 0.0 && *line <= 1.0)?;
        Some(Remark {
            lint: &LINT,
            place: subject.place(&Part::Condition(trigger.code.clone()))?,
            message: format!("the line of `{}` looks like a fraction", trigger.code),
            found: format!("{line} percent"),
            expected: "a percentage from 0 to 100".to_owned(),
            help: format!(
                "write `{}`, if that is meant",
                crate::signals::number::shown(line * 100.0)
            ),
        })
    });
    found.collect()
}

/// The percentages that a trigger compares with.
fn lines(policy: &Policy, trigger: &Trigger) -> Vec<f64> {
    let percent = |value: &Value| match value {
        Value::Percent(percent) => Some(percent.get()),
        _ => None,
    };
    match &trigger.condition {
        Condition::OneOf(values) => values.iter().filter_map(percent).collect(),
        Condition::Expression(expression) => {
            let lines = expression.lines().unwrap_or_default().into_iter();
            let of_percentages = lines.filter(|(name, _)| is_percentage(policy, name));
            of_percentages.flat_map(|(_, numbers)| numbers).collect()
        }
        condition => condition
            .threshold()
            .as_ref()
            .and_then(percent)
            .into_iter()
            .collect(),
    }
}

fn is_percentage(policy: &Policy, name: &str) -> bool {
    let rule = SignalName::parse(name).and_then(|name| policy.signal(&name));
    rule.is_some_and(|rule| match &rule.declared {
        Some(declared) => declared.kind == Kind::Percent,
        None => matches!(name, "integrity" | "consensus" | "reputation"),
    })
}
