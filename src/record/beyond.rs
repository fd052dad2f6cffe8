//! Values beyond the six, as a journal line records them: each with its kind, so that a line can be
//! read without the policy document that declared the signal.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::SignalName;
use crate::signals::{Finite, Outcome, Percent, Reading, Readings, Status, Value, Word};

/// A value with its kind: `{"percent":81.2}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kinded {
    Percent(f64),
    Number(f64),
    Count(u64),
    Truth(bool),
    Word(String),
    Age(u64),
}

/// The signals beyond the six that have a value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Beyond(BTreeMap<SignalName, Kinded>);

impl Beyond {
    pub(super) fn of(readings: &Readings) -> Self {
        let beyond = readings
            .iter()
            .filter(|reading| !Readings::BUILT_IN.contains(&reading.signal));
        let kinded = |reading: &Reading| match reading.outcome {
            Outcome::Valid(value) | Outcome::Stale(value) => {
                Some((reading.signal.clone(), Kinded::of(value)?))
            }
            Outcome::Missing(_) | Outcome::Invalid(_) => None,
        };
        Self(beyond.filter_map(kinded).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The readings that a line records: those with a value, and those whose status is all there
    /// is. `None` where a value is none that could have been recorded.
    pub(super) fn readings(&self, statuses: &BTreeMap<SignalName, Status>) -> Option<Vec<Reading>> {
        let mut readings = Vec::new();
        for (signal, kinded) in &self.0 {
            let value = kinded.value()?;
            let outcome = match statuses.get(signal) {
                Some(Status::Stale) => Outcome::Stale(value),
                None | Some(Status::Valid) => Outcome::Valid(value),
                Some(Status::Missing | Status::Invalid) => return None,
            };
            readings.push(Reading::bare(signal.clone(), outcome));
        }
        for (signal, status) in statuses {
            let is_beyond = !Readings::BUILT_IN.contains(signal) && !self.0.contains_key(signal);
            let outcome = match status {
                Status::Missing if is_beyond => Outcome::Missing("not reported".to_owned()),
                Status::Invalid if is_beyond => Outcome::Invalid(Vec::new()),
                Status::Valid | Status::Stale if is_beyond => return None,
                _ => continue,
            };
            readings.push(Reading::bare(signal.clone(), outcome));
        }
        Some(readings)
    }
}

impl Kinded {
    fn of(value: Value) -> Option<Self> {
        match value {
            Value::Percent(percent) => Some(Self::Percent(percent.get())),
            Value::Number(number) => Some(Self::Number(number.get())),
            Value::Count(count) => Some(Self::Count(count)),
            Value::Truth(truth) => Some(Self::Truth(truth)),
            Value::Word(word) => Some(Self::Word(word.as_str().to_owned())),
            Value::Age(seconds) => Some(Self::Age(seconds)),
            // Of the six only.
            Value::Flag(_) | Value::Risk(_) => None,
        }
    }

    fn value(&self) -> Option<Value> {
        match self {
            Self::Percent(number) => Percent::new(*number).map(Value::Percent),
            Self::Number(number) => Finite::new(*number).map(Value::Number),
            Self::Count(count) => Some(Value::Count(*count)),
            Self::Truth(truth) => Some(Value::Truth(*truth)),
            Self::Word(text) => Word::parse(text).map(Value::Word),
            Self::Age(seconds) => Some(Value::Age(*seconds)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let name = |text| SignalName::parse(text).unwrap();
        let values = [
            ("a", Value::Percent(Percent::new(81.2).unwrap())),
            ("b", Value::Number(Finite::new(-1.5e9).unwrap())),
            ("c", Value::Count(3)),
            ("d", Value::Truth(true)),
            ("e", Value::Word(Word::parse("degraded").unwrap())),
            ("f", Value::Age(90)),
        ];
        let mut readings: Vec<Reading> = values
            .into_iter()
            .map(|(text, value)| Reading::bare(name(text), Outcome::Valid(value)))
            .collect();
        readings.push(Reading::bare(name("g"), Outcome::Stale(Value::Count(1))));
        let beyond = Beyond::of(&Readings::new(readings.clone()));
        let text = serde_json::to_string(&beyond).unwrap();
        assert_eq!(
            text,
            r#"{"a":{"percent":81.2},"b":{"number":-1500000000.0},"c":{"count":3},"d":{"truth":true},"e":{"word":"degraded"},"f":{"age":90},"g":{"count":1}}"#
        );
        let again: Beyond = serde_json::from_str(&text).unwrap();
        let statuses = BTreeMap::from([(name("g"), Status::Stale)]);
        assert_eq!(again.readings(&statuses).unwrap(), readings);
    }
}
