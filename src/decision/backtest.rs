//! What another policy would have decided: a fold over recorded decisions (pure).
//!
//! Memory does not grow with the history: what is kept are counts. Where decisions come from, and
//! which of them count, is said in [`crate::history`]; how the outcome looks, in [`crate::report`].

pub mod tally;

use serde::Serialize;

use super::judge::{self, Judge};
use super::{Before, Decision, Earlier, JournalHealth, LockHealth, Situation, evaluate};
use crate::ids::{ReasonCode, SignalName};
use crate::policy::{LONGEST_LOOK, Level, Policy, Trigger};
use crate::signals::six::Six;
use crate::signals::{Readings, Value};
use crate::time::Timestamp;
use tally::{Came, Course, Day, Days, Flaps, Held, Ladder};

/// A decision as it was recorded.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    /// When.
    pub at: Timestamp,
    /// The level.
    pub level: &'a Level,
    /// What the signals said.
    pub said: Said<'a>,
}

/// What the signals said, in one of two forms.
#[derive(Debug, Clone, Copy)]
pub enum Said<'a> {
    /// The six built-in signals.
    Six(&'a Six),
    /// Any signals.
    Readings(&'a Readings),
}

/// So many decisions had the first level, and would have the second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flip {
    /// The level that was recorded.
    pub recorded: Level,
    /// The level that the policy that is tried gives.
    pub candidate: Level,
    /// How many decisions.
    pub decisions: u64,
}

/// What a backtest came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// How many decisions were made again.
    pub decisions: u64,
    /// The time of the first of them.
    pub first: Option<Timestamp>,
    /// The time of the last of them.
    pub last: Option<Timestamp>,
    /// How many would be graver.
    pub graver: u64,
    /// How many would be milder.
    pub milder: u64,
    /// How many decisions had which level, and would have which, without the pairs that none has.
    pub matrix: Vec<Flip>,
    /// Each level, the lowest first.
    pub levels: Vec<AtLevel>,
    /// Changes into a graver level.
    pub alarms: Came,
    /// What calls for responses.
    pub responses: Responses,
    /// How often the level began to flap.
    pub level_flaps: Pair<u64>,
    /// The days that differ most, the most different first.
    pub days: Vec<Day>,
    /// Decisions of days that there was no room to count: see [`tally::MOST_DAYS`].
    pub days_not_counted: u64,
    /// How many decisions are dated before the one before them; such a step takes no time.
    pub backwards: u64,
    /// Signals of the policy that is tried which records do not tell.
    pub not_recorded: Vec<NotRecorded>,
    /// Each trigger of the policy that is tried, in its order.
    pub triggers: Vec<OfTrigger>,
}

/// A signal that was not asked for when decisions were recorded. Nobody knows what it would have
/// said, so it demands nothing there: not that somebody report it, nor by a trigger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotRecorded {
    /// The signal.
    pub signal: SignalName,
    /// In how many decisions.
    pub decisions: u64,
}

impl Outcome {
    /// How many decisions would be others.
    pub fn differing(&self) -> u64 {
        self.graver + self.milder
    }
}

/// The same of the recorded history and of the one that would have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Pair<T> {
    /// As it was recorded.
    pub recorded: T,
    /// As it would have been.
    pub candidate: T,
}

/// How often and how long a level was held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AtLevel {
    /// The level.
    pub level: Level,
    /// As it was recorded.
    pub recorded: Held,
    /// As it would have been.
    pub candidate: Held,
}

/// What calls for responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Responses {
    /// Decisions at a level that calls for responses.
    pub decisions: Came,
    /// Changes into such a level: what a plan is made for.
    pub transitions: Came,
}

/// What a trigger did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfTrigger {
    /// Its reason code.
    pub code: ReasonCode,
    /// Its signal, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<SignalName>,
    /// The level that it demands.
    pub level: Level,
    /// The line that a value is held against, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Value>,
    /// In how many decisions it fires.
    pub fired: u64,
    /// In how many it decides: nothing else demands their level.
    pub decided: u64,
    /// How often it went on or off.
    pub changes: u64,
    /// How often it began to flap: to change more than [`tally::FLAPS`] times in 24 hours.
    pub flaps: u64,
    /// When it first flapped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_flap: Option<Timestamp>,
}

/// The fold.
#[derive(Debug)]
pub struct Backtest<'p> {
    policy: &'p Policy,
    decider: Decider,
    ladder: Ladder,
    /// How many decisions had which level, and would have which.
    pairs: Vec<(usize, usize, u64)>,
    recorded: Course,
    candidate: Course,
    alarms: Came,
    responses: Responses,
    days: Days,
    /// The signals beyond the built-in ones.
    beyond: Vec<NotRecorded>,
    triggers: Vec<Watched>,
    /// The triggers that fire now, and those that fired before, as bits.
    fired: Vec<u64>,
    fired_before: Option<Vec<u64>>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    backwards: u64,
}

/// Who decides.
#[derive(Debug)]
enum Decider {
    /// The compiled policy, with the places of its levels on the ladder.
    Judge(Judge, Vec<usize>),
    /// [`evaluate`], with what came before under the policy that is tried.
    Evaluate(Box<Memory>),
}

/// What [`evaluate`] looks back on.
#[derive(Debug, Default)]
struct Memory {
    before: Option<Before>,
    /// The oldest first; longer than needed, so that it is not moved for every decision.
    history: Vec<Earlier>,
}

impl Memory {
    fn keep(&mut self, earlier: Earlier) {
        if self.history.len() >= 2 * LONGEST_LOOK {
            self.history.drain(..LONGEST_LOOK);
        }
        self.history.push(earlier);
    }
}

/// One trigger of the policy that is tried.
#[derive(Debug, Default)]
struct Watched {
    fired: u64,
    decided: u64,
    flaps: Flaps,
}

impl<'p> Backtest<'p> {
    /// Begins with an empty history.
    pub fn new(policy: &'p Policy) -> Self {
        Self::with(policy, judge::compile(policy))
    }

    /// The same, deciding by [`evaluate`] alone: slower, to the same end.
    pub fn uncompiled(policy: &'p Policy) -> Self {
        Self::with(policy, None)
    }

    fn with(policy: &'p Policy, judge: Option<Judge>) -> Self {
        let mut ladder = Ladder::default();
        let places = policy
            .levels()
            .iter()
            .map(|level| ladder.place(level))
            .collect();
        let mut triggers = Vec::new();
        triggers.resize_with(policy.triggers().len(), Watched::default);
        Self {
            policy,
            decider: judge.map_or_else(
                || Decider::Evaluate(Box::default()),
                |judge| Decider::Judge(judge, places),
            ),
            ladder,
            pairs: Vec::new(),
            recorded: Course::default(),
            candidate: Course::default(),
            alarms: Came::default(),
            responses: Responses::default(),
            days: Days::default(),
            beyond: beyond(policy),
            fired: vec![0; triggers.len().div_ceil(64)],
            fired_before: None,
            triggers,
            first: None,
            last: None,
            backwards: 0,
        }
    }

    /// Takes the next decision of the history.
    pub fn take(&mut self, past: Past<'_>) {
        let micros = past.at.unix_micros();
        for signal in &mut self.beyond {
            let is_told = match past.said {
                Said::Six(_) => false,
                Said::Readings(readings) => readings.get(&signal.signal).is_some(),
            };
            signal.decisions += u64::from(!is_told);
        }
        self.advance(past.at, micros);
        let (would, decided) = self.decide(past);
        let was = self.ladder.place(past.level);
        let recorded = self.recorded.step(was, micros, &self.ladder);
        let candidate = self.candidate.step(would, micros, &self.ladder);
        self.alarms.count(recorded.alarm, candidate.alarm);
        let Responses {
            decisions,
            transitions,
        } = &mut self.responses;
        decisions.count(recorded.calls, candidate.calls);
        transitions.count(
            recorded.calls && recorded.moved,
            candidate.calls && candidate.moved,
        );
        self.days
            .add(past.at.unix_seconds(), self.ladder.compare(would, was));
        self.count_pair(was, would);
        self.watch(micros, decided);
    }

    /// Adds the time since the decision before to the levels that it had.
    fn advance(&mut self, at: Timestamp, micros: i64) {
        match self.last.replace(at) {
            None => self.first = Some(at),
            Some(last) => {
                let elapsed = micros - last.unix_micros();
                self.backwards += u64::from(elapsed < 0);
                let elapsed = u64::try_from(elapsed).unwrap_or(0);
                self.recorded.hold(elapsed);
                self.candidate.hold(elapsed);
            }
        }
    }

    fn count_pair(&mut self, was: usize, would: usize) {
        let same = |(old, new, _): &&mut (usize, usize, u64)| *old == was && *new == would;
        match self.pairs.iter_mut().find(same) {
            Some((_, _, count)) => *count += 1,
            None => self.pairs.push((was, would, 1)),
        }
    }

    /// The level under the policy that is tried, and the trigger that alone demands it. Notes the
    /// triggers that fire.
    fn decide(&mut self, past: Past<'_>) -> (usize, Option<usize>) {
        let Decider::Judge(judge, places) = &self.decider else {
            return self.evaluate(past);
        };
        let six = match past.said {
            Said::Six(six) => *six,
            Said::Readings(readings) => match Six::of(readings) {
                Some(six) => six,
                // A signal that the policy says nothing of, but for its status.
                None => return self.evaluate(past),
            },
        };
        let judged = judge.judge(&six);
        if let Some(word) = self.fired.first_mut() {
            *word = judged.fired;
        }
        let level = places.get(judged.level).copied().unwrap_or(0);
        (level, judged.decided)
    }

    fn evaluate(&mut self, past: Past<'_>) -> (usize, Option<usize>) {
        let decision = self.again(past);
        let decided = self.note(&decision);
        let level = self.ladder.place(&decision.level);
        self.keep(past, decision);
        (level, decided)
    }

    fn again(&self, past: Past<'_>) -> Decision {
        let (before, history) = match &self.decider {
            Decider::Evaluate(memory) => (memory.before.as_ref(), memory.history.as_slice()),
            Decider::Judge(..) => (None, [].as_slice()),
        };
        let made;
        let readings = match past.said {
            Said::Readings(readings) => readings,
            Said::Six(six) => {
                made = six.readings();
                &made
            }
        };
        evaluate(Situation {
            policy: self.policy,
            readings,
            before,
            history,
            at: past.at,
            journal: JournalHealth::Whole,
            lock: LockHealth::Whole,
        })
    }

    /// Takes a decision that does not count: those that count look back on it and go on from it.
    pub fn remember(&mut self, past: Past<'_>) {
        if matches!(self.decider, Decider::Evaluate(_)) {
            let decision = self.again(past);
            self.keep(past, decision);
        }
    }

    fn keep(&mut self, past: Past<'_>, decision: Decision) {
        let Decider::Evaluate(memory) = &mut self.decider else {
            return;
        };
        memory.before = Some(Before {
            level: decision.level,
            at: past.at,
            since: decision.since,
            held: decision.held,
        });
        if self.policy.looks_back().is_some() {
            memory.keep(Earlier {
                at: past.at,
                readings: match past.said {
                    Said::Readings(readings) => readings.clone(),
                    Said::Six(six) => six.readings(),
                },
            });
        }
    }

    /// Notes the triggers that a decision names, and tells the one that alone demands its level.
    fn note(&mut self, decision: &Decision) -> Option<usize> {
        self.fired.fill(0);
        let mut gravest = Vec::new();
        for reason in &decision.reasons {
            let is_it = |trigger: &Trigger| {
                trigger.code == reason.code
                    && trigger.signal == reason.signal
                    && trigger.level == reason.level
            };
            let place = self.policy.triggers().iter().position(is_it);
            if let Some(word) = place.and_then(|place| self.fired.get_mut(place / 64)) {
                *word |= 1 << (place.unwrap_or(0) % 64);
            }
            if reason.level == decision.level {
                gravest.push(place);
            }
        }
        match gravest.as_slice() {
            [only] => *only,
            _ => None,
        }
    }

    /// Counts what the triggers do.
    fn watch(&mut self, micros: i64, decided: Option<usize>) {
        if let Some(watched) = decided.and_then(|place| self.triggers.get_mut(place)) {
            watched.decided += 1;
        }
        // The first decision of all changes nothing: nobody knows what was before.
        let before = self.fired_before.get_or_insert_with(|| self.fired.clone());
        for (number, (now, before)) in self.fired.iter().zip(before).enumerate() {
            for place in bits(*now).map(|bit| number * 64 + bit) {
                if let Some(watched) = self.triggers.get_mut(place) {
                    watched.fired += 1;
                }
            }
            for place in bits(*now ^ *before).map(|bit| number * 64 + bit) {
                if let Some(watched) = self.triggers.get_mut(place) {
                    watched.flaps.change(micros);
                }
            }
            *before = *now;
        }
    }

    /// What it came to.
    pub fn finish(self) -> Outcome {
        let ladder = &self.ladder;
        let order = ladder.sorted();
        let count = |wanted: std::cmp::Ordering| -> u64 {
            let differing = self.pairs.iter();
            differing
                .filter(|(was, would, _)| ladder.compare(*would, *was) == wanted)
                .map(|(_, _, count)| count)
                .sum()
        };
        let mut pairs = self.pairs.clone();
        let rank = |place: usize| order.iter().position(|known| *known == place);
        pairs.sort_by_key(|(was, would, _)| (rank(*was), rank(*would)));
        let flip = |(was, would, decisions): &(usize, usize, u64)| Flip {
            recorded: ladder.level(*was).clone(),
            candidate: ladder.level(*would).clone(),
            decisions: *decisions,
        };
        let at_level = |place: &usize| AtLevel {
            level: ladder.level(*place).clone(),
            recorded: self.recorded.held(*place),
            candidate: self.candidate.held(*place),
        };
        let triggers = self.policy.triggers().iter().zip(&self.triggers);
        Outcome {
            decisions: pairs.iter().map(|(_, _, count)| count).sum(),
            first: self.first,
            last: self.last,
            graver: count(std::cmp::Ordering::Greater),
            milder: count(std::cmp::Ordering::Less),
            matrix: pairs.iter().map(flip).collect(),
            levels: order.iter().map(at_level).collect(),
            alarms: self.alarms,
            responses: self.responses,
            level_flaps: Pair {
                recorded: self.recorded.flaps(),
                candidate: self.candidate.flaps(),
            },
            days_not_counted: self.days.left_out(),
            days: self.days.most_different(),
            backwards: self.backwards,
            not_recorded: self
                .beyond
                .into_iter()
                .filter(|signal| signal.decisions > 0)
                .collect(),
            triggers: triggers
                .map(|(trigger, watched)| watched.of(trigger))
                .collect(),
        }
    }
}

/// The signals of a policy beyond the built-in ones, recorded everywhere so far.
fn beyond(policy: &Policy) -> Vec<NotRecorded> {
    let declared = policy.signals().iter();
    let beyond = declared.filter(|rule| !Readings::BUILT_IN.contains(&rule.name));
    beyond
        .map(|rule| NotRecorded {
            signal: rule.name.clone(),
            decisions: 0,
        })
        .collect()
}

impl Watched {
    fn of(&self, trigger: &Trigger) -> OfTrigger {
        OfTrigger {
            code: trigger.code.clone(),
            signal: trigger.signal.clone(),
            level: trigger.level.clone(),
            threshold: trigger.condition.threshold(),
            fired: self.fired,
            decided: self.decided,
            changes: self.flaps.changes(),
            flaps: self.flaps.times(),
            first_flap: self.flaps.first(),
        }
    }
}

/// The places of the bits that are set.
#[inline]
fn bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        if word == 0 {
            return None;
        }
        let place = word.trailing_zeros() as usize;
        word &= word - 1;
        Some(place)
    })
}
