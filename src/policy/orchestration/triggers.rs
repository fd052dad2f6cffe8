//! The triggers of a policy document: each with a code, a level and one condition, and none that
//! contradicts another. What its condition may be is in [`super::conditions`].

use super::conditions::is_listed;
use super::shape;
use super::signals::Known;
use super::{Draft, Ladder, one_of};
use crate::diagnostic::{Code, suggestion};
use crate::ids::{ReasonCode, SignalName};
use crate::policy::outline::Part;
use crate::policy::source::Spot;
use crate::policy::source::collect::{Field, Scalar};
use crate::policy::{Condition, Level, Trigger};
use crate::signals::Value;

/// How many triggers a document may have.
const MOST: usize = 200;

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
        if list.is_empty() {
            self.refuse(
                &spec.triggers,
                Code::ValueRange,
                "there is no trigger: whatever the values are, nothing could be unhealthy",
                |finding| {
                    finding
                        .found("an empty list")
                        .expected(format!("1 to {MOST} triggers"))
                        .help("add `{code: INTEGRITY_LOW, signal: integrity, level: RED, below: 90}`, say")
                },
            );
        }
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
                            suggestion(name, names.iter().copied())
                                .unwrap_or_else(|| "list it under `signals`".to_owned()),
                        )
                },
            );
        }
        known
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
