//! The values that a condition of a policy document is held against, each of its signal's kind.

use super::Draft;
use super::signals::Sort;
use crate::diagnostic::{Code, suggestion};
use crate::policy::source::collect::{Field, Scalar};
use crate::policy::{SignalRule, duration, expression};
use crate::signals::declared::Kind;
use crate::signals::{Finite, Percent, Risk, Value, Word, number};

impl Draft<'_> {
    /// A value of the signal's kind.
    pub(super) fn value(&mut self, field: &Field<Scalar>, sort: &Sort) -> Option<Value> {
        let scalar = field.get()?;
        let (value, expected) = of_sort(scalar, sort);
        if value.is_none() {
            let is_number = matches!(scalar, Scalar::Number(_));
            let out_of_range = is_number && expected.contains("number");
            let (code, message) = if out_of_range {
                (Code::ValueRange, "the signal can't have this value")
            } else {
                (Code::ValueType, "this is no value of the signal")
            };
            self.refuse(field, code, message, |finding| {
                finding
                    .found(scalar.to_string())
                    .help(help(scalar, &expected, out_of_range))
                    .expected(expected)
            });
        }
        value
    }
}

/// What to write instead of a value that the signal can't have.
fn help(scalar: &Scalar, expected: &str, out_of_range: bool) -> String {
    if out_of_range {
        return "choose a value that the signal can have".to_owned();
    }
    let Scalar::Text(text) = scalar else {
        return "write a value as the signal has it".to_owned();
    };
    if !expected.contains("number") {
        let known: Vec<&str> = expected
            .split([' ', ','])
            .filter(|word| !word.is_empty())
            .collect();
        return suggestion(text, known.iter().copied())
            .unwrap_or_else(|| "write a value as the signal has it".to_owned());
    }
    let bare = text.trim().trim_end_matches('%').trim_end();
    match bare.parse::<f64>() {
        Ok(number) if number.is_finite() && !bare.starts_with('0') => {
            format!("write `{bare}`, without quotes or a sign behind it")
        }
        _ => "write a number in plain digits, with a point before its fraction".to_owned(),
    }
}

/// The value that a document writes for a signal, or what it should have written.
pub(in crate::policy) fn of_signal(scalar: &Scalar, rule: &SignalRule) -> Result<Value, String> {
    let sort = match &rule.declared {
        Some(declared) => Sort::Of(declared.kind.clone()),
        None => Sort::built_in(&rule.name),
    };
    let (value, expected) = of_sort(scalar, &sort);
    value.ok_or(expected)
}

fn of_sort(scalar: &Scalar, sort: &Sort) -> (Option<Value>, String) {
    match sort {
        Sort::Flag => (flag(scalar), "locked, unlocked, true or false".to_owned()),
        Sort::Risk => (risk(scalar), "low, medium or high".to_owned()),
        Sort::Of(kind) => of_kind(scalar, kind),
    }
}

/// What a signal is in an expression.
pub(super) fn kind_in_expressions(sort: &Sort) -> expression::Kind {
    match sort {
        Sort::Flag | Sort::Of(Kind::Boolean) => expression::Kind::Boolean,
        Sort::Risk => expression::Kind::Text(Some(
            Risk::ALL
                .iter()
                .map(|risk| risk.as_str().to_owned())
                .collect(),
        )),
        Sort::Of(Kind::Choice(words)) => expression::Kind::Text(Some(
            words.iter().map(|word| word.as_str().to_owned()).collect(),
        )),
        Sort::Of(_) => expression::Kind::Number,
    }
}

fn flag(scalar: &Scalar) -> Option<Value> {
    match scalar {
        Scalar::Bool(flag) => Some(Value::Flag(*flag)),
        Scalar::Text(text) if text == "locked" => Some(Value::Flag(true)),
        Scalar::Text(text) if text == "unlocked" => Some(Value::Flag(false)),
        _ => None,
    }
}

fn risk(scalar: &Scalar) -> Option<Value> {
    match scalar {
        Scalar::Text(text) => Risk::parse(text).map(Value::Risk),
        _ => None,
    }
}

/// The value, or `None` and what it should have been.
fn of_kind(scalar: &Scalar, kind: &Kind) -> (Option<Value>, String) {
    let number = match scalar {
        Scalar::Number(number) => Some(*number),
        _ => None,
    };
    match kind {
        Kind::Percent => (
            number.and_then(Percent::new).map(Value::Percent),
            "a number from 0 to 100".to_owned(),
        ),
        Kind::Number { .. } => (
            number.and_then(Finite::new).map(Value::Number),
            "a number".to_owned(),
        ),
        Kind::Count | Kind::CountInWindow(_) => (
            number.and_then(number::whole).map(Value::Count),
            "a whole number from 0 on".to_owned(),
        ),
        Kind::Boolean => match scalar {
            Scalar::Bool(truth) => (Some(Value::Truth(*truth)), String::new()),
            _ => (None, "true or false".to_owned()),
        },
        Kind::Choice(words) => {
            let text = match scalar {
                Scalar::Text(text) => Word::parse(text),
                _ => None,
            };
            let known = text.filter(|word| words.contains(word));
            let names: Vec<&str> = words.iter().map(Word::as_str).collect();
            (
                known.map(Value::Word),
                format!("one of {}", names.join(", ")),
            )
        }
        Kind::Age => {
            let age = match scalar {
                Scalar::Text(text) => duration::parse(text),
                _ => None,
            };
            let seconds = age.and_then(|age| u64::try_from(age.num_seconds()).ok());
            (seconds.map(Value::Age), duration::EXPECTED.to_owned())
        }
    }
}
