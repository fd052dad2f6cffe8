//! What the lines of comparisons leave of one signal's values, in words.

use crate::ids::SignalName;
use crate::policy::{Condition, SignalRule, Trigger};
use crate::signals::declared::Kind;
use crate::signals::{Risk, Value, Word};

/// What a value has to be so that none of a set of triggers fires.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    lowest: Option<Bound>,
    highest: Option<Bound>,
    others_than: Vec<Value>,
}

/// An end of what a value may be.
#[derive(Debug, Clone, Copy)]
struct Bound {
    line: Value,
    number: f64,
    /// True where the line itself is not allowed.
    open: bool,
}

impl Wanted {
    pub(super) fn of<'t>(triggers: impl Iterator<Item = &'t Trigger>) -> Self {
        let mut wanted = Self::default();
        for trigger in triggers {
            match &trigger.condition {
                Condition::Below(line) => wanted.raise(*line, false),
                Condition::AtMost(line) => wanted.raise(*line, true),
                Condition::Above(line) => wanted.lower(*line, false),
                Condition::AtLeast(line) => wanted.lower(*line, true),
                Condition::Is(value) => wanted.others_than.push(*value),
                Condition::OneOf(values) => wanted.others_than.extend(values),
                Condition::Changed(_) | Condition::Median(_) | Condition::Expression(_) => {}
            }
        }
        wanted
    }

    fn raise(&mut self, line: Value, open: bool) {
        let Some(number) = line.as_number() else {
            return;
        };
        let is_further = |old: Bound| number > old.number || number >= old.number && open;
        if self.lowest.is_none_or(is_further) {
            self.lowest = Some(Bound { line, number, open });
        }
    }

    fn lower(&mut self, line: Value, open: bool) {
        let Some(number) = line.as_number() else {
            return;
        };
        let is_further = |old: Bound| number < old.number || number <= old.number && open;
        if self.highest.is_none_or(is_further) {
            self.highest = Some(Bound { line, number, open });
        }
    }

    /// `None` where any value does.
    pub(super) fn in_words(&self, rule: &SignalRule) -> Option<String> {
        if self.is_empty(rule) {
            return Some(
                "a value that no trigger forbids: there is none under this policy".to_owned(),
            );
        }
        let mut parts = Vec::new();
        if let Some(bound) = self.lowest {
            let word = if bound.open { "more than" } else { "at least" };
            parts.push(format!("{word} {}", bound.line));
        }
        if let Some(bound) = self.highest {
            parts.push(match (bound.open, bound.line) {
                (false, line) => format!("at most {line}"),
                (true, Value::Count(line)) => format!("at most {}", line.saturating_sub(1)),
                (true, line) => format!("less than {line}"),
            });
        }
        if let Some(last) = parts.last_mut()
            && rule.name == SignalName::RESPONSES
        {
            last.push_str(" in 24 h");
        }
        parts.extend(self.other_words(rule));
        (!parts.is_empty()).then(|| parts.join(" and "))
    }

    /// True where no value is left.
    fn is_empty(&self, rule: &SignalRule) -> bool {
        let crossed = self
            .lowest
            .zip(self.highest)
            .is_some_and(|(lowest, highest)| {
                let is_point = lowest.number >= highest.number;
                lowest.number > highest.number || is_point && (lowest.open || highest.open)
            });
        let forbids = |value: Value| self.others_than.contains(&value);
        let kind = rule.declared.as_ref().map(|declared| &declared.kind);
        let none_left = match (self.others_than.first(), kind) {
            (Some(Value::Flag(_)), _) => [true, false]
                .into_iter()
                .all(|flag| forbids(Value::Flag(flag))),
            (Some(Value::Truth(_)), _) => [true, false]
                .into_iter()
                .all(|truth| forbids(Value::Truth(truth))),
            (Some(Value::Risk(_)), _) => {
                Risk::ALL.into_iter().all(|risk| forbids(Value::Risk(risk)))
            }
            (Some(Value::Word(_)), Some(Kind::Choice(words))) => {
                words.iter().all(|word| forbids(Value::Word(*word)))
            }
            _ => false,
        };
        crossed || none_left
    }

    fn other_words(&self, rule: &SignalRule) -> Option<String> {
        match self.others_than.first()? {
            Value::Flag(flag) => Some(Value::Flag(!flag).to_string()),
            Value::Truth(truth) => Some(Value::Truth(!truth).to_string()),
            // The highest risk that is allowed is the smallest change.
            Value::Risk(_) => {
                let allowed = |risk: &&Risk| !self.others_than.contains(&Value::Risk(**risk));
                let highest = Risk::ALL.iter().rev().find(allowed)?;
                Some(highest.as_str().to_owned())
            }
            Value::Word(_) => {
                let kind = rule.declared.as_ref().map(|declared| &declared.kind);
                let Some(Kind::Choice(words)) = kind else {
                    return None;
                };
                let allowed = words
                    .iter()
                    .filter(|word| !self.others_than.contains(&Value::Word(**word)));
                let allowed: Vec<&str> = allowed.map(Word::as_str).collect();
                Some(allowed.join(" or "))
            }
            _ => {
                let values = self.others_than.iter().map(Value::to_string);
                let values = crate::ids::distinct(values);
                Some(format!("not {}", values.join(" or ")))
            }
        }
    }
}
