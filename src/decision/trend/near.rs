//! Near misses of a history: triggers that did not fire, and how close they came, by the policy that
//! decided then (pure, bounded).

use serde::Serialize;

use crate::decision::backtest::Said;
use crate::ids::{ReasonCode, SignalName};
use crate::policy::trigger::Seen;
use crate::policy::{Condition, Level, Policy};
use crate::signals::{Outcome, Readings, Status, Value};
use crate::time::Timestamp;

/// So many triggers are told apart.
const MOST: usize = 256;

/// What lies further away than this is not near, whatever the unit.
const AT_MOST: f64 = 1.001;

/// A trigger that nearly fired.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Near {
    /// Its reason code.
    pub code: ReasonCode,
    /// The level that it demands.
    pub level: Level,
    /// The signal.
    pub signal: SignalName,
    /// The line, as the last policy that was in force has it.
    pub threshold: Value,
    /// In how many decisions.
    pub decisions: u64,
    /// The shortest distance.
    pub closest: f64,
    /// When that was met first.
    pub closest_at: Timestamp,
    /// The last time.
    pub last_at: Timestamp,
}

/// The lines of one policy that have a distance.
#[derive(Debug)]
pub struct Watch(Vec<Watched>);

#[derive(Debug)]
struct Watched {
    code: ReasonCode,
    level: Level,
    signal: SignalName,
    condition: Condition,
    threshold: Value,
    line: f64,
    /// Where the signal stands among the six.
    built_in: Option<usize>,
}

impl Watch {
    /// The lines of a policy. What looks back or at several signals has no distance.
    pub fn of(policy: &Policy) -> Self {
        let watched = policy.triggers().iter().filter_map(|trigger| {
            let signal = trigger.signal.clone()?;
            let threshold = trigger.condition.threshold()?;
            trigger.condition.margin(threshold)?;
            let built_in = Readings::BUILT_IN.iter().position(|name| *name == signal);
            Some(Watched {
                code: trigger.code.clone(),
                level: trigger.level.clone(),
                signal,
                condition: trigger.condition.clone(),
                threshold,
                line: threshold.as_number()?,
                built_in,
            })
        });
        Self(watched.collect())
    }
}

/// The fold.
#[derive(Debug, Default)]
pub struct NearMisses(Vec<Near>);

impl NearMisses {
    /// Takes what the signals said in one decision under a policy.
    pub fn take(&mut self, watch: &Watch, at: Timestamp, said: Said<'_>) {
        for watched in &watch.0 {
            let value = match said {
                Said::Six(six) => watched.built_in.and_then(|place| {
                    let status = six.status.get(place)?;
                    let has_value = matches!(status, Status::Valid | Status::Stale);
                    let value = match place {
                        1 => Value::Percent(six.integrity),
                        2 => Value::Percent(six.consensus),
                        3 => Value::Percent(six.reputation),
                        5 => Value::Count(six.responses),
                        _ => return None,
                    };
                    has_value.then_some(value)
                }),
                Said::Readings(readings) => reported(readings, &watched.signal),
            };
            if let Some(value) = value {
                self.hold(watched, at, value);
            }
        }
    }

    fn hold(&mut self, watched: &Watched, at: Timestamp, value: Value) {
        let far = value
            .as_number()
            .is_none_or(|number| (number - watched.line).abs() > AT_MOST);
        let seen = Seen {
            value,
            at,
            earlier: &[],
        };
        if far || !watched.condition.is_near(seen) {
            return;
        }
        let margin = watched.condition.margin(value).unwrap_or_default();
        let known = self
            .0
            .iter_mut()
            .find(|near| near.code == watched.code && near.signal == watched.signal);
        if let Some(near) = known {
            near.decisions += 1;
            near.threshold = watched.threshold;
            near.level.clone_from(&watched.level);
            near.last_at = near.last_at.max(at);
            if margin < near.closest {
                (near.closest, near.closest_at) = (margin, at);
            }
        } else if self.0.len() < MOST {
            self.0.push(Near {
                code: watched.code.clone(),
                level: watched.level.clone(),
                signal: watched.signal.clone(),
                threshold: watched.threshold,
                decisions: 1,
                closest: margin,
                closest_at: at,
                last_at: at,
            });
        }
    }

    /// What it came to, the most frequent first.
    pub fn finish(mut self) -> Vec<Near> {
        self.0.sort_by_key(|near| std::cmp::Reverse(near.decisions));
        self.0
    }
}

fn reported(readings: &Readings, signal: &SignalName) -> Option<Value> {
    match &readings.get(signal)?.outcome {
        Outcome::Valid(value) | Outcome::Stale(value) => Some(*value),
        Outcome::Missing(_) | Outcome::Invalid(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::{JournalHealth, LockHealth, Situation, evaluate};
    use crate::signals::six::Six;
    use crate::signals::{Percent, Risk};

    /// Whatever a decision calls near is near here, and nothing else.
    #[test]
    fn near_is_what_a_decision_calls_near() {
        let policy = crate::policy::document::reference();
        let watch = Watch::of(&policy);
        let mut all = 0;
        for tenth in 790..=970_u16 {
            for responses in [2, 3, 6, 7] {
                let percent = Percent::new(f64::from(tenth) / 10.0).unwrap();
                let six = Six {
                    trust_locked: false,
                    integrity: percent,
                    consensus: percent,
                    reputation: percent,
                    forecast: Risk::Low,
                    responses,
                    status: [Status::Valid; 6],
                };
                let readings = six.readings();
                let decision = evaluate(Situation {
                    policy: &policy,
                    readings: &readings,
                    before: None,
                    history: &[],
                    at: Timestamp::EPOCH,
                    journal: JournalHealth::Whole,
                    lock: LockHealth::Whole,
                });
                let mut expected: Vec<_> =
                    decision.near.iter().map(|near| near.code.clone()).collect();
                expected.sort();
                for said in [Said::Six(&six), Said::Readings(&readings)] {
                    let mut misses = NearMisses::default();
                    misses.take(&watch, Timestamp::EPOCH, said);
                    let mut found: Vec<_> =
                        misses.finish().into_iter().map(|near| near.code).collect();
                    found.sort();
                    assert_eq!(found, expected, "{tenth} {responses}");
                }
                all += expected.len();
            }
        }
        assert!(all > 100);
    }
}
