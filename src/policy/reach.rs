//! At which values triggers fire, so that they can be compared.
//!
//! What a comparison or an expression comes to changes only at the numbers that it names. So a few
//! values of each signal stand for all: those numbers, and one between each two of them. A trigger
//! that calculates, or looks back on what was recorded, can't be compared in this way.

use std::collections::BTreeMap;

use crate::ids::SignalName;
use crate::policy::expression::Operand;
use crate::policy::trigger::Seen;
use crate::policy::{Condition, Policy, SignalRule, Trigger};
use crate::signals::declared::Kind;
use crate::signals::{Finite, Percent, Risk, Value, number};
use crate::time::Timestamp;

/// More combinations than this are not looked at.
const MOST: usize = 20_000;

/// A value for each signal that is looked at.
type Assignment = BTreeMap<String, Value>;

/// The values that stand for all, of the signals that some triggers look at.
#[derive(Debug)]
pub struct Reach {
    samples: BTreeMap<String, Vec<Value>>,
    lines: BTreeMap<String, Vec<f64>>,
}

impl Reach {
    /// Of a policy as a whole: every number that any of its triggers names.
    pub fn of(policy: &Policy) -> Self {
        let mut reach = Self {
            samples: BTreeMap::new(),
            lines: BTreeMap::new(),
        };
        for rule in policy.signals() {
            let triggers = policy.triggers().iter();
            let lines: Vec<f64> = triggers
                .flat_map(|trigger| lines_of(trigger, &rule.name))
                .collect();
            let name = rule.name.to_string();
            reach.samples.insert(name.clone(), samples(rule, &lines));
            reach.lines.insert(name, lines);
        }
        reach
    }

    /// The values that stand for all of a signal, numbers in their order.
    pub fn values(&self, signal: &SignalName) -> &[Value] {
        let values = self.samples.get(signal.as_str());
        values.map(Vec::as_slice).unwrap_or_default()
    }

    /// True for a number that a trigger compares this signal with. What lies beside it, up to the
    /// next such number, comes to the same wherever it lies.
    pub fn is_line(&self, signal: &SignalName, number: f64) -> bool {
        let lines = self.lines.get(signal.as_str());
        lines.is_some_and(|lines| lines.iter().any(|line| line.total_cmp(&number).is_eq()))
    }

    /// Where each of these triggers fires, over every combination of the values of the signals
    /// that the first one looks at. `None` where that can't be told.
    fn table(&self, triggers: &[&Trigger]) -> Option<Vec<Vec<bool>>> {
        let names = names(triggers.first()?)?;
        let mut assignments = vec![Assignment::new()];
        for name in &names {
            let values = self.samples.get(name)?;
            if values.is_empty() || assignments.len() * values.len() > MOST {
                return None;
            }
            assignments = assignments
                .iter()
                .flat_map(|assignment| {
                    values.iter().map(|value| {
                        let mut more = assignment.clone();
                        more.insert(name.clone(), *value);
                        more
                    })
                })
                .collect();
        }
        let fires = |trigger: &&Trigger| {
            let one = assignments.iter();
            one.map(|assignment| fires(trigger, assignment)).collect()
        };
        Some(triggers.iter().map(fires).collect())
    }

    /// True where the trigger fires at no value.
    pub(super) fn never_fires(&self, trigger: &Trigger) -> bool {
        self.holds(&[trigger], |fires| !fires.iter().any(|fires| *fires))
    }

    /// True where it fires at every value.
    pub(super) fn always_fires(&self, trigger: &Trigger) -> bool {
        self.holds(&[trigger], |fires| fires.iter().all(|fires| *fires))
    }

    /// True where some trigger fires, whatever the value of this one signal is.
    pub(super) fn always_some(&self, triggers: &[&Trigger]) -> bool {
        self.holds(triggers, |fires| fires.iter().any(|fires| *fires))
    }

    fn holds(&self, triggers: &[&Trigger], wanted: fn(&[bool]) -> bool) -> bool {
        let Some(table) = self.table(triggers) else {
            return false;
        };
        let columns = table.first().map_or(0, Vec::len);
        let column = |index: usize| -> Vec<bool> {
            table
                .iter()
                .filter_map(|row| row.get(index).copied())
                .collect()
        };
        match triggers {
            [_] => table.first().is_some_and(|row| wanted(row)),
            _ => columns > 0 && (0..columns).all(|index| wanted(&column(index))),
        }
    }

    /// True where `other` fires wherever `one` does.
    pub(super) fn covers(&self, other: &Trigger, one: &Trigger) -> bool {
        if let (Condition::Changed(wide), Condition::Changed(narrow)) =
            (&other.condition, &one.condition)
        {
            let same_way =
                wide.way == narrow.way || wide.way == crate::policy::trigger::Way::Changes;
            return other.signal == one.signal
                && same_way
                && wide.more_than <= narrow.more_than
                && wide.within >= narrow.within;
        }
        let (Some(of_one), Some(of_other)) = (names(one), names(other)) else {
            return one.signal == other.signal && one.condition == other.condition;
        };
        if !of_other.iter().all(|name| of_one.contains(name)) {
            return false;
        }
        let Some(table) = self.table(&[one, other]) else {
            return one.signal == other.signal && one.condition == other.condition;
        };
        let [one, other] = table.as_slice() else {
            return false;
        };
        one.iter().zip(other).all(|(one, other)| !one || *other)
    }
}

/// The signals that a trigger looks at; `None` where its answer depends on more than their values.
fn names(trigger: &Trigger) -> Option<Vec<String>> {
    match &trigger.condition {
        Condition::Changed(_) | Condition::Median(_) => None,
        Condition::Expression(expression) => {
            expression.lines().map(|_| expression.names().to_vec())
        }
        _ => Some(vec![trigger.signal.as_ref()?.to_string()]),
    }
}

fn lines_of(trigger: &Trigger, signal: &SignalName) -> Vec<f64> {
    let number = |value: &Value| value.as_number();
    match &trigger.condition {
        Condition::Expression(expression) => {
            let lines = expression.lines().unwrap_or_default();
            let of_it = lines.into_iter().find(|(name, _)| name == signal.as_str());
            of_it.map(|(_, numbers)| numbers).unwrap_or_default()
        }
        _ if trigger.signal.as_ref() != Some(signal) => Vec::new(),
        Condition::OneOf(values) => values.iter().filter_map(number).collect(),
        condition => condition
            .threshold()
            .as_ref()
            .and_then(number)
            .into_iter()
            .collect(),
    }
}

/// The values of a signal that stand for all.
fn samples(rule: &SignalRule, lines: &[f64]) -> Vec<Value> {
    let of_percentages = || numbers(lines, Some(0.0), Some(100.0), percent);
    let of_counts = || numbers(lines, Some(0.0), None, count);
    let Some(declared) = &rule.declared else {
        return match rule.name.as_str() {
            "trust" => vec![Value::Flag(false), Value::Flag(true)],
            "forecast" => Risk::ALL.map(Value::Risk).to_vec(),
            "responses" => of_counts(),
            _ => of_percentages(),
        };
    };
    match &declared.kind {
        Kind::Boolean => vec![Value::Truth(false), Value::Truth(true)],
        Kind::Choice(words) => words.iter().copied().map(Value::Word).collect(),
        Kind::Percent => of_percentages(),
        Kind::Number { min, max, .. } => numbers(lines, *min, *max, number),
        Kind::Count | Kind::CountInWindow(_) => of_counts(),
        Kind::Age => numbers(lines, Some(0.0), None, age),
    }
}

fn percent(number: f64) -> Option<Value> {
    Percent::new(number).map(Value::Percent)
}

fn number(number: f64) -> Option<Value> {
    Finite::new(number).map(Value::Number)
}

fn count(number: f64) -> Option<Value> {
    number::whole(number).map(Value::Count)
}

fn age(number: f64) -> Option<Value> {
    number::whole(number).map(Value::Age)
}

/// The numbers themselves, those beside them that are whole, and one between each two.
fn numbers(
    lines: &[f64],
    least: Option<f64>,
    most: Option<f64>,
    make: fn(f64) -> Option<Value>,
) -> Vec<Value> {
    let ends = least.into_iter().chain(most);
    let mut marks: Vec<f64> = lines
        .iter()
        .copied()
        .chain(ends)
        .filter(|mark| mark.is_finite())
        .collect();
    marks.sort_by(f64::total_cmp);
    marks.dedup();
    let between = marks.windows(2).filter_map(|pair| match pair {
        [one, other] => Some(f64::midpoint(*one, *other)),
        _ => None,
    });
    let beside = marks.iter().flat_map(|mark| {
        [
            mark.floor() - 1.0,
            mark.floor(),
            mark.ceil(),
            mark.ceil() + 1.0,
        ]
    });
    let mut all: Vec<f64> = marks.iter().copied().chain(between).chain(beside).collect();
    if marks.is_empty() {
        all.push(0.0);
    }
    all.retain(|number| {
        least.is_none_or(|least| *number >= least) && most.is_none_or(|most| *number <= most)
    });
    all.sort_by(f64::total_cmp);
    all.dedup();
    all.into_iter().filter_map(make).collect()
}

fn fires(trigger: &Trigger, assignment: &Assignment) -> bool {
    if let Condition::Expression(expression) = &trigger.condition {
        let operand = |name: &str| match assignment.get(name) {
            None => Operand::Absent,
            Some(Value::Flag(flag) | Value::Truth(flag)) => Operand::Boolean(*flag),
            Some(Value::Risk(risk)) => Operand::Text(risk.as_str()),
            Some(Value::Word(word)) => Operand::Text(word.as_str()),
            Some(other) => other.as_number().map_or(Operand::Absent, Operand::Number),
        };
        return expression.holds(&operand).unwrap_or(true);
    }
    let value = trigger
        .signal
        .as_ref()
        .and_then(|signal| assignment.get(signal.as_str()));
    value.is_some_and(|value| {
        trigger.condition.holds(Seen {
            value: *value,
            at: Timestamp::EPOCH,
            earlier: &[],
        })
    })
}
