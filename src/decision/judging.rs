//! Every trigger of a policy held against the readings: which fire, which nearly do, which of them
//! are waived. What level that makes is said in [`super::evaluate`].

use super::Situation;
use crate::policy::expression::Operand;
use crate::policy::trigger::Seen;
use crate::policy::{Condition, Trigger, Waiver};
use crate::signals::{Reading, Value};
use crate::time::Timestamp;

/// What came of all triggers.
#[derive(Debug, Default)]
pub(super) struct Judged<'p> {
    /// Those that fire and count, in the policy's order.
    pub(super) fired: Vec<Fired<'p>>,
    /// Those that fire and are waived.
    pub(super) waived: Vec<(Fired<'p>, &'p Waiver)>,
    /// Those that do not fire but nearly would have.
    pub(super) near: Vec<Fired<'p>>,
    /// The waivers in force.
    in_force: Vec<&'p Waiver>,
}

/// A trigger with the value that it was held against.
#[derive(Debug)]
pub(super) struct Fired<'p> {
    pub(super) trigger: &'p Trigger,
    /// The value of its one signal.
    pub(super) value: Option<Value>,
    /// What was recorded before, the newest first, where the condition looks back.
    pub(super) earlier: Vec<(Timestamp, f64)>,
}

impl<'p> Judged<'p> {
    pub(super) fn of(situation: Situation<'p>) -> Self {
        let waivers = situation.policy.waivers().iter();
        let mut judged = Self {
            in_force: waivers
                .filter(|waiver| waiver.is_in_force(situation.at))
                .collect(),
            ..Self::default()
        };
        for trigger in situation.policy.triggers() {
            judged.hold(situation, trigger);
        }
        judged
    }

    fn hold(&mut self, situation: Situation<'p>, trigger: &'p Trigger) {
        let Some(signal) = &trigger.signal else {
            if expression_holds(situation, trigger) {
                self.take(Fired {
                    trigger,
                    value: None,
                    earlier: Vec::new(),
                });
            }
            return;
        };
        let Some(value) = situation
            .readings
            .get(signal)
            .and_then(Reading::judged_value)
        else {
            return;
        };
        let earlier = match trigger.condition.looks_back() {
            Some(_) => recorded(situation, trigger),
            None => Vec::new(),
        };
        let seen = Seen {
            value,
            at: situation.at,
            earlier: &earlier,
        };
        let (holds, is_near) = (
            trigger.condition.holds(seen),
            trigger.condition.is_near(seen),
        );
        let fired = Fired {
            trigger,
            value: Some(value),
            earlier,
        };
        if holds {
            self.take(fired);
        } else if is_near {
            self.near.push(fired);
        }
    }

    fn take(&mut self, fired: Fired<'p>) {
        match self.waiver(fired.trigger) {
            Some(waiver) => self.waived.push((fired, waiver)),
            None => self.fired.push(fired),
        }
    }

    fn waiver(&self, trigger: &Trigger) -> Option<&'p Waiver> {
        let of_it = |waiver: &&&Waiver| waiver.trigger == trigger.code;
        self.in_force.iter().find(of_it).copied()
    }

    pub(super) fn is_waived(&self, trigger: &Trigger) -> bool {
        self.waiver(trigger).is_some()
    }
}

/// The recorded values of a trigger's signal as numbers, the newest first.
fn recorded(situation: Situation<'_>, trigger: &Trigger) -> Vec<(Timestamp, f64)> {
    let Some(signal) = &trigger.signal else {
        return Vec::new();
    };
    let number = |earlier: &super::Earlier| {
        let value = earlier.readings.get(signal).and_then(Reading::value)?;
        Some((earlier.at, value.as_number()?))
    };
    situation.history.iter().rev().filter_map(number).collect()
}

/// An expression that comes to a result without a signal that has no value (`a || b` with a true
/// `a`) has that result. Where it needs the value it does not fire: what the silence of that signal
/// demands is said by its rule. What can't be computed although all values are there fires.
fn expression_holds(situation: Situation<'_>, trigger: &Trigger) -> bool {
    let Condition::Expression(expression) = &trigger.condition else {
        return true;
    };
    // The words of a value live as long as the values: they are looked up before.
    let values: Vec<(&str, Option<Value>)> = expression
        .names()
        .iter()
        .map(|name| (name.as_str(), judged(situation, name)))
        .collect();
    let operand = |name: &str| {
        let found = values.iter().find(|(known, _)| *known == name);
        let value = found.and_then(|(_, value)| value.as_ref());
        value.map_or(Operand::Absent, |value| match value {
            Value::Flag(flag) | Value::Truth(flag) => Operand::Boolean(*flag),
            Value::Risk(risk) => Operand::Text(risk.as_str()),
            Value::Word(word) => Operand::Text(word.as_str()),
            other => other.as_number().map_or(Operand::Absent, Operand::Number),
        })
    };
    let is_whole = values.iter().all(|(_, value)| value.is_some());
    expression.holds(&operand).unwrap_or(is_whole)
}

fn judged(situation: Situation<'_>, name: &str) -> Option<Value> {
    let mut readings = situation.readings.iter();
    readings
        .find(|reading| reading.signal.as_str() == name)
        .and_then(Reading::judged_value)
}
