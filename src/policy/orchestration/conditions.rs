//! The one condition of a trigger: a comparison that fits the signal it is about, or an expression.
//! Which of them a trigger has, and all else that it has, is in [`super::triggers`].

use super::shape::{self, Direction};
use super::signals::{Known, Sort};
use super::values::kind_in_expressions;
use super::{Draft, items};
use crate::diagnostic::Code;
use crate::ids::SignalName;
use crate::policy::Condition;
use crate::policy::expression::{self, Expression};
use crate::policy::source::collect::{Field, List, Scalar};
use crate::signals::Value;
use crate::signals::declared::Kind;

impl Draft<'_> {
    pub(super) fn comparison(
        &mut self,
        trigger: &shape::Trigger,
        known: &Known,
    ) -> Option<Condition> {
        type Make = fn(Value) -> Condition;
        let ordered: [(&Field<Scalar>, Make, Direction); 4] = [
            (&trigger.below, Condition::Below, Direction::HigherIsBetter),
            (
                &trigger.at_most,
                Condition::AtMost,
                Direction::HigherIsBetter,
            ),
            (&trigger.above, Condition::Above, Direction::LowerIsBetter),
            (
                &trigger.at_least,
                Condition::AtLeast,
                Direction::LowerIsBetter,
            ),
        ];
        for (field, make, side) in ordered {
            if field.is_absent() {
                continue;
            }
            let line = self.ordered_line(field, known)?;
            self.check_side(field, known, side)?;
            let condition = make(line);
            self.check_reach(field, known, &condition)?;
            return Some(condition);
        }
        if trigger.equals.is_there() {
            return Some(Condition::Is(self.value(&trigger.equals, &known.sort)?));
        }
        if trigger.one_of.is_there() {
            return self.one_of(&trigger.one_of, &known.sort);
        }
        if trigger.changed.is_there() {
            return self.changed(&trigger.changed, known);
        }
        self.median(&trigger.median, known)
    }

    fn ordered_line(&mut self, field: &Field<Scalar>, known: &Known) -> Option<Value> {
        self.has_order(field, known)?;
        self.value(field, &known.sort)
    }

    pub(super) fn has_order<T>(&mut self, field: &Field<T>, known: &Known) -> Option<()> {
        if !matches!(
            known.sort,
            Sort::Flag | Sort::Risk | Sort::Of(Kind::Boolean | Kind::Choice(_))
        ) {
            return Some(());
        }
        self.refuse(
            field,
            Code::ValueType,
            "this signal has no order",
            |finding| {
                finding
                    .found(format!(
                        "`{}` is {}",
                        known.rule.name,
                        known.sort.in_words()
                    ))
                    .expected("`equals` or `one_of`")
                    .help("name the values that fire")
            },
        );
        None
    }

    /// A line on the wrong side would call the best values unhealthy.
    fn check_side(&mut self, field: &Field<Scalar>, known: &Known, side: Direction) -> Option<()> {
        if known.direction.is_none_or(|direction| direction == side) {
            return Some(());
        }
        let (better, use_this) = match side {
            Direction::HigherIsBetter => ("lower", "`above` or `at_least`"),
            Direction::LowerIsBetter => ("higher", "`below` or `at_most`"),
        };
        self.refuse(
            field,
            Code::PolicyContradiction,
            "this line lies on the better side",
            |finding| {
                finding
                    .found(format!("of `{}`, {better} is better", known.rule.name))
                    .expected(use_this)
                    .help("turn the comparison around, or correct the signal's `direction`")
            },
        );
        None
    }

    /// A line that every value lies beyond makes every run unhealthy; one that none does, none.
    fn check_reach(
        &mut self,
        field: &Field<Scalar>,
        known: &Known,
        condition: &Condition,
    ) -> Option<()> {
        let (least, most) = known.sort.range();
        let line = condition.threshold()?.as_number()?;
        let always = match condition {
            Condition::Below(_) => most.is_some_and(|most| line > most),
            Condition::AtMost(_) => most.is_some_and(|most| line >= most),
            Condition::Above(_) => least.is_some_and(|least| line < least),
            _ => least.is_some_and(|least| line <= least),
        };
        let never = match condition {
            Condition::Below(_) => least.is_some_and(|least| line <= least),
            Condition::AtMost(_) => least.is_some_and(|least| line < least),
            Condition::Above(_) => most.is_some_and(|most| line >= most),
            _ => most.is_some_and(|most| line > most),
        };
        if !always && !never {
            return Some(());
        }
        let message = if always {
            "this fires whatever the value is: nothing could ever be healthy"
        } else {
            "this can never fire"
        };
        self.refuse(field, Code::ValueRange, message, |finding| {
            let bound = |number: Option<f64>| {
                number.map_or("no limit".to_owned(), |number| number.to_string())
            };
            finding
                .found(format!("the line {line}"))
                .expected(format!(
                    "a line within what `{}` can be: {} to {}",
                    known.rule.name,
                    bound(least),
                    bound(most)
                ))
                .help("move the line, or remove the trigger")
        });
        None
    }

    fn one_of(&mut self, list: &List<Scalar>, sort: &Sort) -> Option<Condition> {
        let fields = list.get()?;
        let values: Vec<Option<Value>> =
            fields.iter().map(|field| self.value(field, sort)).collect();
        if fields.is_empty() {
            self.refuse(list, Code::ValueRange, "this can never fire", |finding| {
                finding
                    .found("an empty list")
                    .expected("at least one value")
                    .help("name the values that fire, or remove the trigger")
            });
            return None;
        }
        values
            .into_iter()
            .collect::<Option<Vec<Value>>>()
            .map(Condition::OneOf)
    }

    pub(super) fn expression(
        &mut self,
        trigger: &shape::Trigger,
        spec: &shape::Spec,
        signals: &[Known],
    ) -> Option<(Option<SignalName>, Condition)> {
        if trigger.signal.is_there() {
            self.refuse(
                &trigger.signal,
                Code::KeyUnknown,
                "the key `signal` means nothing here",
                |finding| {
                    finding
                        .found("`signal` beside `when`")
                        .expected("`when` alone: it names its signals itself")
                        .help("remove the key")
                },
            );
        }
        let source = trigger.when.get()?;
        let names: Vec<(String, expression::Kind)> = signals
            .iter()
            .map(|known| {
                (
                    known.rule.name.to_string(),
                    kind_in_expressions(&known.sort),
                )
            })
            .collect();
        match Expression::parse(source, &names) {
            Ok(expression) => Some((None, Condition::Expression(expression))),
            Err(problems) => {
                for problem in problems {
                    let name = problem.found.trim_matches('`');
                    let is_known = names.iter().any(|(known, _)| known == name);
                    // A signal that is wrong itself was told of already.
                    if is_known || !is_listed(spec, name) {
                        self.refuse_expression(&trigger.when, source, problem);
                    }
                }
                None
            }
        }
    }

    fn refuse_expression(
        &mut self,
        when: &Field<String>,
        source: &str,
        problem: expression::Problem,
    ) {
        let within = when.spot.within(&self.lines, source, problem.offset);
        let message = if within.is_some() {
            problem.message
        } else {
            let before = source.get(..problem.offset).unwrap_or(source);
            let character = before.chars().count() + 1;
            format!(
                "{}, at character {character} of the condition",
                problem.message
            )
        };
        let (spot, code) = (within.unwrap_or(when.spot), Code::ConditionInvalid);
        self.problems
            .add(spot, &when.path, code, message, |finding| {
                finding
                    .found(problem.found)
                    .expected(problem.expected)
                    .help(problem.help)
            });
    }
}

/// True for a name that the list of signals has, whatever else is wrong there.
pub(super) fn is_listed(spec: &shape::Spec, name: &str) -> bool {
    items(&spec.signals)
        .filter_map(|signal| signal.name.get())
        .any(|listed| listed == name)
}
