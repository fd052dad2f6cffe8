//! How each signal went: how often it was reported, its lowest, highest and mean value, and its
//! course in the steps of the history (pure, bounded).

use std::collections::BTreeMap;

use serde::Serialize;

use super::days::{Place, join, slot};
use crate::decision::backtest::Said;
use crate::ids::SignalName;
use crate::signals::{Outcome, Readings, Risk, Status, Value};
use crate::time::Timestamp;

/// So many signals are told apart.
const MOST_SIGNALS: usize = 64;

/// So many different words of a signal are counted.
const MOST_WORDS: usize = 16;

/// How a signal went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfSignal {
    /// The signal.
    pub signal: SignalName,
    /// In how many decisions it had a value, one that was too old included.
    pub reported: u64,
    /// In how many of these it was too old.
    pub stale: u64,
    /// In how many nobody had reported it.
    pub missing: u64,
    /// In how many it could not be read.
    pub invalid: u64,
    /// The first value.
    pub first: Option<Value>,
    /// The last value.
    pub last: Option<Value>,
    /// The lowest number, and when it was met first; absent for what is no number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lowest: Option<Extreme>,
    /// The highest number, and when it was met first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub highest: Option<Extreme>,
    /// The mean of the numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// How often each word was said, where the signal says words.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub words: BTreeMap<String, u64>,
    /// The mean in each step; of `low`, `medium`, `high` as 0, 1, 2, of a lock as 0 and 1.
    pub course: Vec<Option<f64>>,
}

/// A value and when it was met first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Extreme {
    /// The value.
    pub value: Value,
    /// When.
    pub at: Timestamp,
}

/// The fold.
#[derive(Debug, Default)]
pub struct Signals {
    all: Vec<Fold>,
    /// How often the steps were joined so far.
    joined: u32,
}

#[derive(Debug)]
struct Fold {
    told: OfSignal,
    low: f64,
    high: f64,
    sum: f64,
    numbers: u64,
    /// Of `false`/`low`, `true`/`medium`, and `high`.
    scale: [u64; 3],
    kind: Kind,
    /// Sum and count of each step.
    steps: Vec<(f64, u32)>,
    joined: u32,
}

/// Which words the places of a scale have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Other,
    Truth,
    Risk,
}

impl Signals {
    /// Takes what the signals said in one decision, at its place in the steps.
    pub fn take(&mut self, at: Timestamp, place: Place, said: Said<'_>) {
        self.joined += place.joined;
        match said {
            Said::Six(six) => {
                let all = six.values().into_iter().zip(six.status);
                for (index, ((signal, value), status)) in all.enumerate() {
                    let value = matches!(status, Status::Valid | Status::Stale).then_some(value);
                    self.one(index, &signal, at, place.step, value, status);
                }
            }
            Said::Readings(readings) => self.readings(at, place.step, readings),
        }
    }

    fn readings(&mut self, at: Timestamp, step: usize, readings: &Readings) {
        for (index, reading) in readings.iter().enumerate() {
            let value = match &reading.outcome {
                Outcome::Valid(value) | Outcome::Stale(value) => Some(*value),
                Outcome::Missing(_) | Outcome::Invalid(_) => None,
            };
            self.one(index, &reading.signal, at, step, value, reading.status());
        }
    }

    /// `hint` is where the signal stands, if nothing was ever added or left out.
    fn one(
        &mut self,
        hint: usize,
        signal: &SignalName,
        at: Timestamp,
        step: usize,
        value: Option<Value>,
        status: Status,
    ) {
        let is_it = |fold: &Fold| fold.told.signal == *signal;
        let place = if self.all.get(hint).is_some_and(is_it) {
            hint
        } else if let Some(place) = self.all.iter().position(is_it) {
            place
        } else if self.all.len() < MOST_SIGNALS {
            self.all.push(Fold::of(signal.clone()));
            self.all.len() - 1
        } else {
            return;
        };
        let joined = self.joined;
        let Some(fold) = self.all.get_mut(place) else {
            return;
        };
        fold.catch_up(joined);
        fold.count(status);
        if let Some(value) = value {
            fold.value(at, step, value);
        }
    }

    /// What it came to.
    pub fn finish(self) -> Vec<OfSignal> {
        let joined = self.joined;
        let all = self.all.into_iter();
        all.map(|mut fold| {
            fold.catch_up(joined);
            fold.finish()
        })
        .collect()
    }
}

impl Fold {
    fn of(signal: SignalName) -> Self {
        Self {
            told: OfSignal {
                signal,
                reported: 0,
                stale: 0,
                missing: 0,
                invalid: 0,
                first: None,
                last: None,
                lowest: None,
                highest: None,
                mean: None,
                words: BTreeMap::new(),
                course: Vec::new(),
            },
            low: f64::INFINITY,
            high: f64::NEG_INFINITY,
            sum: 0.0,
            numbers: 0,
            scale: [0; 3],
            kind: Kind::Other,
            steps: Vec::new(),
            joined: 0,
        }
    }

    fn catch_up(&mut self, joined: u32) {
        while self.joined < joined {
            join(&mut self.steps, |one, other| {
                (one.0 + other.0, one.1 + other.1)
            });
            self.joined += 1;
        }
    }

    fn count(&mut self, status: Status) {
        let told = &mut self.told;
        match status {
            Status::Valid => told.reported += 1,
            Status::Stale => {
                told.reported += 1;
                told.stale += 1;
            }
            Status::Missing => told.missing += 1,
            Status::Invalid => told.invalid += 1,
        }
    }

    fn value(&mut self, at: Timestamp, step: usize, value: Value) {
        self.told.first.get_or_insert(value);
        self.told.last = Some(value);
        let number = match value {
            Value::Flag(is) | Value::Truth(is) => self.on_scale(Kind::Truth, usize::from(is)),
            Value::Risk(risk) => self.on_scale(Kind::Risk, risk as usize),
            Value::Word(word) => {
                let words = &mut self.told.words;
                if let Some(count) = words.get_mut(word.as_str()) {
                    *count += 1;
                } else if words.len() < MOST_WORDS {
                    words.insert(word.as_str().to_owned(), 1);
                }
                None
            }
            _ => value
                .as_number()
                .inspect(|number| self.number(at, value, *number)),
        };
        if let Some(number) = number {
            let (sum, count) = slot(&mut self.steps, step);
            *sum += number;
            *count = count.saturating_add(1);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "0, 1 or 2")]
    fn on_scale(&mut self, kind: Kind, place: usize) -> Option<f64> {
        self.kind = kind;
        *self.scale.get_mut(place)? += 1;
        Some(place as f64)
    }

    fn number(&mut self, at: Timestamp, value: Value, number: f64) {
        if number < self.low {
            self.low = number;
            self.told.lowest = Some(Extreme { value, at });
        }
        if number > self.high {
            self.high = number;
            self.told.highest = Some(Extreme { value, at });
        }
        self.sum += number;
        self.numbers += 1;
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of decisions, far below where a float is no longer exact"
    )]
    fn finish(mut self) -> OfSignal {
        self.told.mean = (self.numbers > 0).then(|| rounded(self.sum / self.numbers as f64));
        let names: &[&str] = match self.kind {
            Kind::Other => &[],
            Kind::Truth => &["false", "true"],
            Kind::Risk => &[
                Risk::Low.as_str(),
                Risk::Medium.as_str(),
                Risk::High.as_str(),
            ],
        };
        let counted = names.iter().zip(self.scale);
        self.told
            .words
            .extend(counted.map(|(name, count)| ((*name).to_owned(), count)));
        let mean =
            |(sum, count): &(f64, u32)| (*count > 0).then(|| rounded(sum / f64::from(*count)));
        self.told.course = self.steps.iter().map(mean).collect();
        self.told
    }
}

/// To a ten-thousandth: a mean is no measured value, and a person reads it.
fn rounded(number: f64) -> f64 {
    (number * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::Percent;
    use crate::signals::six::Six;

    fn six(integrity: u8, forecast: Risk, status: Status) -> Six {
        Six {
            trust_locked: false,
            integrity: Percent::whole(integrity),
            consensus: Percent::whole(95),
            reputation: Percent::whole(85),
            forecast,
            responses: 2,
            status: [
                Status::Valid,
                status,
                Status::Valid,
                Status::Valid,
                Status::Valid,
                Status::Valid,
            ],
        }
    }

    #[test]
    fn a_signal_is_told_by_what_was_reported_alone() {
        let mut signals = Signals::default();
        let at = |seconds| Timestamp::EPOCH.plus_seconds(seconds);
        let place = |step, joined| Place { step, joined };
        let rows = [
            (0, place(0, 0), six(97, Risk::Low, Status::Valid)),
            (10, place(10, 0), six(91, Risk::High, Status::Stale)),
            (20, place(20, 0), six(100, Risk::Low, Status::Missing)),
            (400, place(200, 1), six(95, Risk::Low, Status::Invalid)),
        ];
        for (seconds, place, six) in &rows {
            signals.take(at(*seconds), *place, Said::Six(six));
        }
        let told = signals.finish();
        let integrity = &told[1];
        assert_eq!(
            (
                integrity.reported,
                integrity.stale,
                integrity.missing,
                integrity.invalid
            ),
            (2, 1, 1, 1)
        );
        let lowest = integrity.lowest.unwrap();
        assert_eq!((lowest.value.as_number(), lowest.at), (Some(91.0), at(10)));
        assert_eq!(integrity.mean, Some(94.0));
        assert_eq!(integrity.course, {
            let mut course = vec![None; 6];
            course[0] = Some(97.0);
            course[5] = Some(91.0);
            course
        });
        assert_eq!((told[4].words["low"], told[4].words["high"]), (3, 1));
        assert_eq!(told[4].course.len(), 201);
        assert_eq!(told[4].mean, None);
    }
}
