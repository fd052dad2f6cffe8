//! The triggers of a policy document: each with one condition that fits its signal.

use super::shape::{self, Direction};
use super::signals::{Known, Sort};
use super::values::kind_in_expressions;
use super::{Draft, Ladder, items, one_of};
use crate::diagnostic::Code;
use crate::ids::{ReasonCode, SignalName};
use crate::policy::expression::{self, Expression};
use crate::policy::outline::Part;
use crate::policy::source::Spot;
use crate::policy::source::collect::{Field, Scalar, did_you_mean};
use crate::policy::trigger::{Changed, Median, Side, Way};
use crate::policy::{Condition, Level, Trigger};
use crate::signals::declared::Kind;
use crate::signals::{Value, number};

/// How many triggers a document may have.
const MOST: usize = 200;

/// How far a condition may look back: further, a run would cost more every day.
const LONGEST_LOOK: chrono::TimeDelta = chrono::TimeDelta::days(31);

/// The reason codes that the product itself gives; a trigger can't have them.
const RESERVED: [ReasonCode; 7] = [
    ReasonCode::INPUT_MISSING,
    ReasonCode::INPUT_STALE,
    ReasonCode::INPUT_INVALID,
    ReasonCode::POLICY_INVALID,
    ReasonCode::JOURNAL_BROKEN,
    ReasonCode::POLICY_TAMPERED,
    ReasonCode::LEVEL_HELD,
];

/// The keys of which a trigger has exactly one.
const CONDITIONS: &str =
    "one of below, at_most, above, at_least, equals, one_of, changed, median, when";

impl Draft<'_> {
    pub(super) fn triggers(
        &mut self,
        spec: &shape::Spec,
        here: Spot,
        ladder: Ladder<'_>,
        signals: &[Known],
    ) -> Vec<Trigger> {
        let mut triggers: Vec<(Trigger, &shape::Trigger)> = Vec::new();
        let Some(list) = self.required(&spec.triggers, "triggers", here) else {
            return Vec::new();
        };
        if list.len() > MOST {
            self.refuse(
                &spec.triggers,
                Code::ValueRange,
                "there are too many triggers",
                |finding| {
                    finding
                        .found(format!("{} triggers", list.len()))
                        .expected(format!("at most {MOST}"))
                        .help("remove those that nobody acts on")
                },
            );
        }
        for field in list.iter().take(MOST) {
            let Some(trigger) = field.get() else { continue };
            let code = self.code(trigger, field.spot);
            let level = self.trigger_level(trigger, field.spot, ladder);
            let condition = self.condition(trigger, field, spec, signals);
            if let Some(code) = &code
                && triggers.iter().any(|(other, _)| other.code == *code)
            {
                self.refuse(
                    &trigger.code,
                    Code::NameDuplicate,
                    "this code stands there twice",
                    |finding| {
                        finding
                            .found(format!("`{code}`"))
                            .expected("every code once: a decision names its reasons by them")
                            .help("give one of the two another code")
                    },
                );
                continue;
            }
            if let (Some(code), Some(level), Some((signal, condition))) = (code, level, condition) {
                self.mark(Part::Trigger(code.clone()), field);
                self.mark_condition(&code, trigger);
                let found = Trigger {
                    code,
                    signal,
                    level,
                    condition,
                };
                triggers.push((found, trigger));
            }
        }
        self.refuse_contradictions(&triggers);
        let mut triggers: Vec<Trigger> = triggers.into_iter().map(|(trigger, _)| trigger).collect();
        // Stable: within a level the order of the document stays.
        triggers.sort_by(|one, other| other.level.cmp(&one.level));
        triggers
    }

    fn code(&mut self, trigger: &shape::Trigger, here: Spot) -> Option<ReasonCode> {
        self.prose(&trigger.description);
        let text = self.required(&trigger.code, "code", here)?;
        let code = ReasonCode::parse(text);
        let why = match &code {
            None => "upper-case letters, digits and `_`, at most 64",
            Some(code) if RESERVED.contains(code) => "a code that the product does not give itself",
            Some(_) => return code,
        };
        self.refuse(
            &trigger.code,
            Code::ValueUnknown,
            "this can't be a reason code",
            |finding| {
                finding
                    .found(format!("`{text}`"))
                    .expected(why)
                    .help("choose another code, COVERAGE_LOW say")
            },
        );
        None
    }

    fn trigger_level(
        &mut self,
        trigger: &shape::Trigger,
        here: Spot,
        ladder: Ladder<'_>,
    ) -> Option<Level> {
        self.required(&trigger.level, "level", here)?;
        let level = self.level(&trigger.level, ladder)?;
        if level == Level::GREEN {
            self.refuse(
                &trigger.level,
                Code::ValueRange,
                "GREEN can't be demanded",
                |finding| {
                    finding
                        .found("`GREEN`")
                        .expected("YELLOW or graver: GREEN is what is left where nothing fires")
                        .help("remove the trigger, or give it a level")
                },
            );
            return None;
        }
        Some(level)
    }

    /// The one condition, and the signal that it is about.
    fn condition(
        &mut self,
        trigger: &shape::Trigger,
        field: &Field<shape::Trigger>,
        spec: &shape::Spec,
        signals: &[Known],
    ) -> Option<(Option<SignalName>, Condition)> {
        let there = [
            trigger.below.is_there(),
            trigger.at_most.is_there(),
            trigger.above.is_there(),
            trigger.at_least.is_there(),
            trigger.equals.is_there(),
            trigger.one_of.is_there(),
            trigger.changed.is_there(),
            trigger.median.is_there(),
            trigger.when.is_there(),
        ];
        let count = there.iter().filter(|there| **there).count();
        if count != 1 {
            self.refuse(
                field,
                Code::PolicyContradiction,
                "a trigger has exactly one condition",
                |finding| {
                    finding
                        .found(format!("{count} of them"))
                        .expected(CONDITIONS)
                        .help(if count == 0 {
                            "add `below: 80`, say"
                        } else {
                            "make two triggers of it, or write both as one `when`"
                        })
                },
            );
            return None;
        }
        if trigger.when.is_there() {
            return self.expression(trigger, spec, signals);
        }
        let known = self.known_signal(trigger, field.spot, spec, signals)?;
        let condition = self.comparison(trigger, known)?;
        Some((Some(known.rule.name.clone()), condition))
    }

    fn known_signal<'k>(
        &mut self,
        trigger: &shape::Trigger,
        here: Spot,
        spec: &shape::Spec,
        signals: &'k [Known],
    ) -> Option<&'k Known> {
        let name = self.required(&trigger.signal, "signal", here)?;
        let known = signals
            .iter()
            .find(|known| known.rule.name.as_str() == name);
        // A signal that is wrong itself was told of already.
        if known.is_none() && !is_listed(spec, name) {
            self.refuse(
                &trigger.signal,
                Code::ValueUnknown,
                "this signal is not listed",
                |finding| {
                    let names: Vec<&str> = signals
                        .iter()
                        .map(|known| known.rule.name.as_str())
                        .collect();
                    finding
                        .found(format!("`{name}`"))
                        .expected(one_of(&names, "a signal of the document"))
                        .help(
                            did_you_mean(name, &names)
                                .unwrap_or_else(|| "list it under `signals`".to_owned()),
                        )
                },
            );
        }
        known
    }

    fn comparison(&mut self, trigger: &shape::Trigger, known: &Known) -> Option<Condition> {
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

    fn has_order<T>(&mut self, field: &Field<T>, known: &Known) -> Option<()> {
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
        let (least, most) = match &known.sort {
            Sort::Of(Kind::Percent) => (Some(0.0), Some(100.0)),
            Sort::Of(Kind::Number { min, max, .. }) => (*min, *max),
            _ => (Some(0.0), None),
        };
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

    fn one_of(&mut self, list: &shape::List<Scalar>, sort: &Sort) -> Option<Condition> {
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

    fn changed(&mut self, field: &Field<shape::Changed>, known: &Known) -> Option<Condition> {
        self.has_order(field, known)?;
        let changed = field.get()?;
        let more_than = self
            .required(&changed.by_more_than, "by_more_than", field.spot)
            .copied();
        let within = self
            .required(&changed.within, "within", field.spot)
            .and_then(|_| self.duration(&changed.within));
        let (more_than, within) = (more_than?, within?);
        if !(more_than.is_finite() && more_than >= 0.0) {
            self.refuse(
                &changed.by_more_than,
                Code::ValueRange,
                "no value changes by less than nothing",
                |finding| {
                    finding
                        .found(format!("{more_than}"))
                        .expected("a number from 0 on")
                        .help("say which way with `way`")
                },
            );
            return None;
        }
        if within > LONGEST_LOOK {
            self.refuse(
                &changed.within,
                Code::ValueRange,
                "this looks back too far",
                |finding| {
                    finding
                        .found(crate::time::in_words(within))
                        .expected("at most 31 days")
                        .help("compare with a median of recorded values for a longer view")
                },
            );
            return None;
        }
        let way = match changed.way.get() {
            Some(shape::Way::Fall) => Way::Falls,
            Some(shape::Way::Rise) => Way::Rises,
            Some(shape::Way::Either) | None => Way::Changes,
        };
        Some(Condition::Changed(Changed {
            way,
            more_than,
            within,
        }))
    }

    fn median(&mut self, field: &Field<shape::Median>, known: &Known) -> Option<Condition> {
        self.has_order(field, known)?;
        let median = field.get()?;
        let last = self
            .required(&median.of_last, "of_last", field.spot)
            .copied()?;
        let last = self.whole(&median.of_last, last, 3, 1_000)?;
        let (side, ratio_field) = match (median.below_ratio.get(), median.above_ratio.get()) {
            (Some(_), None) => (Side::Below, &median.below_ratio),
            (None, Some(_)) => (Side::Above, &median.above_ratio),
            (found, _) => {
                let count = if found.is_some() { "both" } else { "neither" };
                self.refuse(
                    field,
                    Code::PolicyContradiction,
                    "the line of the median is not said",
                    |finding| {
                        finding
                            .found(count)
                            .expected("one of below_ratio and above_ratio")
                            .help("add `below_ratio: 0.8`, say")
                    },
                );
                return None;
            }
        };
        let ratio = ratio_field.get().copied()?;
        if !(ratio.is_finite() && ratio > 0.0) {
            self.refuse(
                ratio_field,
                Code::ValueRange,
                "this is no ratio",
                |finding| {
                    finding
                        .found(format!("{ratio}"))
                        .expected("a number above 0: 0.8 is four fifths of the median")
                        .help("write the ratio as a number")
                },
            );
            return None;
        }
        Some(Condition::Median(Median { last, side, ratio }))
    }

    /// A whole number within limits.
    pub(super) fn whole(
        &mut self,
        field: &Field<f64>,
        number: f64,
        least: u32,
        most: u32,
    ) -> Option<usize> {
        let fits = f64::from(least) <= number && number <= f64::from(most);
        let whole = number::whole(number).filter(|_| fits);
        if whole.is_none() {
            self.refuse(
                field,
                Code::ValueRange,
                "this number can't be used",
                |finding| {
                    finding
                        .found(format!("{number}"))
                        .expected(format!("a whole number from {least} to {most}"))
                        .help("choose one in that range")
                },
            );
        }
        usize::try_from(whole?).ok()
    }

    fn expression(
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

    fn mark_condition(&mut self, code: &ReasonCode, trigger: &shape::Trigger) {
        let part = || Part::Condition(code.clone());
        let lines = [
            &trigger.below,
            &trigger.at_most,
            &trigger.above,
            &trigger.at_least,
            &trigger.equals,
        ];
        for line in lines {
            self.mark(part(), line);
        }
        self.mark(part(), &trigger.one_of);
        self.mark(part(), &trigger.changed);
        self.mark(part(), &trigger.median);
        self.mark(part(), &trigger.when);
    }

    /// The line of a graver level must not lie before that of a lesser one: the lesser trigger
    /// would never decide, which nobody means.
    fn refuse_contradictions(&mut self, triggers: &[(Trigger, &shape::Trigger)]) {
        for (lesser, raw) in triggers {
            let hides = |(graver, _): &&(Trigger, &shape::Trigger)| {
                graver.signal == lesser.signal
                    && graver.level > lesser.level
                    && lies_before(&graver.condition, &lesser.condition)
            };
            let Some((graver, _)) = triggers.iter().find(hides) else {
                continue;
            };
            let signal = lesser.signal.as_ref().map_or("", SignalName::as_str);
            let field = line_field(raw);
            let message = format!(
                "the {} line of {signal} lies behind that of {}",
                lesser.level, graver.level
            );
            let line = |trigger: &Trigger| {
                trigger
                    .condition
                    .threshold()
                    .map_or_else(String::new, |line| line.to_string())
            };
            self.refuse(field, Code::PolicyContradiction, message, |finding| {
                finding
                    .found(format!(
                        "{} at {} and {} at {}",
                        graver.code,
                        line(graver),
                        lesser.code,
                        line(lesser)
                    ))
                    .expected(format!(
                        "a value that is {} to be {} before",
                        graver.level, lesser.level
                    ))
                    .help("exchange the two lines, or remove the lesser trigger")
            });
        }
    }
}

/// True for a name that the list of signals has, whatever else is wrong there.
fn is_listed(spec: &shape::Spec, name: &str) -> bool {
    items(&spec.signals)
        .filter_map(|signal| signal.name.get())
        .any(|listed| listed == name)
}

fn line_field(trigger: &shape::Trigger) -> &Field<Scalar> {
    [&trigger.below, &trigger.at_most, &trigger.above]
        .into_iter()
        .find(|field| field.is_there())
        .unwrap_or(&trigger.at_least)
}

/// True where the line of the graver condition is reached before that of the lesser one.
fn lies_before(graver: &Condition, lesser: &Condition) -> bool {
    use Condition::{Above, AtLeast, AtMost, Below};
    let numbers = graver
        .threshold()
        .and_then(Value::as_number)
        .zip(lesser.threshold().and_then(Value::as_number));
    let Some((grave, less)) = numbers else {
        return false;
    };
    match (graver, lesser) {
        (Below(_) | AtMost(_), Below(_) | AtMost(_)) => grave > less,
        (Above(_) | AtLeast(_), Above(_) | AtLeast(_)) => grave < less,
        _ => false,
    }
}
