//! The policy that decides: signals, levels, triggers, and the document they come from.
//!
//! A [`Policy`] exists only as the product of [`document`]'s parsing and checking, so that what is
//! evaluated is right by construction. How it is evaluated is said in [`crate::decision`].

pub mod catalogue;
pub mod difference;
pub mod directory;
pub mod document;
pub mod duration;
pub mod expression;
pub mod freeze;
pub mod level;
pub mod lints;
mod orchestration;
pub mod outline;
pub mod quantity;
pub mod reach;
pub mod readings;
pub mod responses;
pub mod rules;
pub mod source;
mod thresholds;
pub mod trigger;

pub use freeze::Calendar;
pub use level::Level;
pub use rules::{Floor, Hysteresis, SignalRule, Waiver};
pub use trigger::{Condition, Trigger};

use chrono::TimeDelta;
use serde::Serialize;

use crate::ids::{Digest, ReasonCode, SignalName};
use crate::signals::{Percent, Readings, Risk, Value};
use crate::time::Timestamp;
use responses::Section;
use thresholds::Numbers;
use trigger::LookBack;

/// The seven lines that the state file shows (CONTRACT.md section 4, row S4-027), in its order.
/// `None` where a policy document draws no such line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Thresholds {
    /// Integrity below this is RED.
    pub red_integrity: Option<Percent>,
    /// Consensus below this is RED.
    pub red_consensus: Option<Percent>,
    /// This many responses or more are RED.
    pub red_responses: Option<u64>,
    /// Integrity below this is YELLOW.
    pub yellow_integrity: Option<Percent>,
    /// Consensus below this is YELLOW.
    pub yellow_consensus: Option<Percent>,
    /// Reputation below this is YELLOW; no reputation is RED.
    pub yellow_reputation: Option<Percent>,
    /// This many responses or more are YELLOW.
    pub yellow_responses: Option<u64>,
}

impl Thresholds {
    fn of(triggers: &[Trigger]) -> Self {
        let line = |signal: SignalName, level: Level| {
            let of_it = |trigger: &&Trigger| {
                trigger.level == level && trigger.signal.as_ref() == Some(&signal)
            };
            triggers
                .iter()
                .filter(of_it)
                .find_map(|trigger| match trigger.condition {
                    Condition::Below(line) | Condition::AtLeast(line) => Some(line),
                    _ => None,
                })
        };
        let percent = |signal, level| match line(signal, level) {
            Some(Value::Percent(percent)) => Some(percent),
            _ => None,
        };
        let count = |signal, level| match line(signal, level) {
            Some(Value::Count(count)) => Some(count),
            _ => None,
        };
        Self {
            red_integrity: percent(SignalName::INTEGRITY, Level::RED),
            red_consensus: percent(SignalName::CONSENSUS, Level::RED),
            red_responses: count(SignalName::RESPONSES, Level::RED),
            yellow_integrity: percent(SignalName::INTEGRITY, Level::YELLOW),
            yellow_consensus: percent(SignalName::CONSENSUS, Level::YELLOW),
            yellow_reputation: percent(SignalName::REPUTATION, Level::YELLOW),
            yellow_responses: count(SignalName::RESPONSES, Level::YELLOW),
        }
    }
}

/// How many decisions a policy looks back on at most: a run's cost must not grow with the history.
pub const LONGEST_LOOK: usize = 1_000;

/// Which document a policy came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// Its version, as its author counts.
    pub version: String,
    /// The SHA-256 of its bytes.
    pub sha256: Digest,
}

/// A policy in force: checked, and so free of contradictions.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    parts: Parts,
    thresholds: Thresholds,
    refused: bool,
}

/// What a checked document says.
#[derive(Debug, Clone, PartialEq)]
struct Parts {
    identity: Identity,
    document: Vec<u8>,
    signals: Vec<SignalRule>,
    between: Vec<Level>,
    triggers: Vec<Trigger>,
    hysteresis: Option<Hysteresis>,
    waivers: Vec<Waiver>,
    freeze: Calendar,
    responses: Option<Section>,
}

impl Policy {
    fn from_parts(parts: Parts) -> Self {
        Self {
            thresholds: Thresholds::of(&parts.triggers),
            parts,
            refused: false,
        }
    }

    /// The reference policy with these numbers.
    fn of_numbers(identity: Identity, document: Vec<u8>, numbers: Numbers) -> Self {
        let usual = |name| SignalRule::usual(name, None);
        Self::from_parts(Parts {
            identity,
            document,
            signals: Readings::BUILT_IN.into_iter().map(usual).collect(),
            between: Vec::new(),
            triggers: reference_triggers(&numbers),
            hysteresis: None,
            waivers: Vec::new(),
            freeze: Calendar::default(),
            responses: None,
        })
    }

    /// The policy that stands in where the document was refused: it calls nothing healthy.
    fn refused(identity: Identity, document: Vec<u8>, numbers: Numbers) -> Self {
        Self {
            refused: true,
            ..Self::of_numbers(identity, document, numbers)
        }
    }

    /// Which document this is.
    pub fn identity(&self) -> &Identity {
        &self.parts.identity
    }

    /// The bytes of the document, to be kept before a journal line names them.
    pub fn document(&self) -> &[u8] {
        &self.parts.document
    }

    /// The seven lines that the state file shows.
    pub fn thresholds(&self) -> &Thresholds {
        &self.thresholds
    }

    /// The signals that count, in the document's order.
    pub fn signals(&self) -> &[SignalRule] {
        &self.parts.signals
    }

    /// The rule of one signal; `None` for one that does not count.
    pub fn signal(&self, name: &SignalName) -> Option<&SignalRule> {
        self.parts.signals.iter().find(|rule| rule.name == *name)
    }

    /// Every trigger, gravest level first.
    pub fn triggers(&self) -> &[Trigger] {
        &self.parts.triggers
    }

    /// When a level falls after its reasons are gone; `None` where it falls at once.
    pub fn hysteresis(&self) -> Option<Hysteresis> {
        self.parts.hysteresis
    }

    /// The triggers that do not count for a while, expired ones included.
    pub fn waivers(&self) -> &[Waiver] {
        &self.parts.waivers
    }

    /// When nothing is to be applied. Empty for the reference policy and for the small form.
    pub fn freeze(&self) -> &Calendar {
        &self.parts.freeze
    }

    /// What the document says that its levels call for; `None` where it says nothing of it. The
    /// shape is right; what the actions may do is checked by whoever makes actions of it.
    pub fn responses(&self) -> Option<&Section> {
        self.parts.responses.as_ref()
    }

    /// True where the document was refused, so that the level is RED whatever the signals say.
    pub fn is_refused(&self) -> bool {
        self.refused
    }

    /// Every level that this policy can give, lowest first.
    pub fn levels(&self) -> Vec<Level> {
        let built_in = [Level::GREEN, Level::YELLOW, Level::RED];
        let mut levels: Vec<Level> = built_in
            .into_iter()
            .chain(self.parts.between.clone())
            .collect();
        levels.sort();
        levels
    }

    /// A level that was read from a record, in its place on this policy's ladder. One that this
    /// policy does not know is RED: nobody can say how grave it was.
    pub fn resolve(&self, recorded: &Level) -> Level {
        let mut levels = self.levels().into_iter();
        let known = levels.find(|level| level.name() == recorded.name());
        known.unwrap_or(Level::RED)
    }

    /// The part of what was recorded, the oldest first, that a decision at `at` looks back on: from
    /// the oldest of the last [`LONGEST_LOOK`] that [`is_looked_at`] reaches. What stands between
    /// and is dated otherwise, as by a wrong clock, hides nothing; the conditions pass over it.
    /// `time` tells when an entry was recorded.
    pub fn look_back<'h, T>(
        &self,
        history: &'h [T],
        at: Timestamp,
        time: impl Fn(&T) -> Timestamp,
    ) -> &'h [T] {
        let Some(span) = self.looks_back() else {
            return &[];
        };
        let mut newest_first = history.iter().rev().take(LONGEST_LOOK).enumerate();
        let seen = newest_first
            .rfind(|(index, entry)| is_looked_at(span, at, *index, time(entry)))
            .map_or(0, |(index, _)| index + 1);
        history.get(history.len() - seen..).unwrap_or_default()
    }

    /// How far the triggers look back on what was recorded: how many decisions, and over which
    /// time. `None` where none does.
    pub fn looks_back(&self) -> Option<(usize, TimeDelta)> {
        let spans = self
            .parts
            .triggers
            .iter()
            .filter_map(|trigger| trigger.condition.looks_back());
        spans.fold(None, |longest, span| {
            let (count, time) = longest.unwrap_or((0, TimeDelta::zero()));
            Some(match span {
                // So many values of one signal: nobody knows how many decisions hold them.
                LookBack::Last(_) => (LONGEST_LOOK, time),
                LookBack::Within(within) => (count, time.max(within)),
            })
        })
    }
}

/// True where a look back over `span` reaches the entry that `newer` entries follow. Entries that it
/// does not reach are passed over: one that is dated backwards does not end the look.
pub fn is_looked_at(
    span: (usize, TimeDelta),
    at: Timestamp,
    newer: usize,
    recorded: Timestamp,
) -> bool {
    let (count, time) = span;
    newer < LONGEST_LOOK && (newer < count || recorded >= at.minus(time))
}

/// The ten triggers of CONTRACT.md section 3.
fn reference_triggers(numbers: &Numbers) -> Vec<Trigger> {
    let of = |level: Level| {
        move |code, signal, condition| Trigger {
            code,
            signal: Some(signal),
            level: level.clone(),
            condition,
        }
    };
    let (red, yellow) = (of(Level::RED), of(Level::YELLOW));
    let below = |line| Condition::Below(Value::Percent(line));
    let at_least = |line| Condition::AtLeast(Value::Count(line));
    vec![
        red(
            ReasonCode::TRUST_LOCKED,
            SignalName::TRUST,
            Condition::Is(Value::Flag(true)),
        ),
        red(
            ReasonCode::INTEGRITY_BELOW_RED,
            SignalName::INTEGRITY,
            below(numbers.red_integrity),
        ),
        red(
            ReasonCode::CONSENSUS_BELOW_RED,
            SignalName::CONSENSUS,
            below(numbers.red_consensus),
        ),
        red(
            ReasonCode::FORECAST_HIGH,
            SignalName::FORECAST,
            Condition::Is(Value::Risk(Risk::High)),
        ),
        red(
            ReasonCode::RESPONSES_AT_RED,
            SignalName::RESPONSES,
            at_least(numbers.red_responses),
        ),
        yellow(
            ReasonCode::INTEGRITY_BELOW_YELLOW,
            SignalName::INTEGRITY,
            below(numbers.yellow_integrity),
        ),
        yellow(
            ReasonCode::CONSENSUS_BELOW_YELLOW,
            SignalName::CONSENSUS,
            below(numbers.yellow_consensus),
        ),
        yellow(
            ReasonCode::REPUTATION_BELOW_YELLOW,
            SignalName::REPUTATION,
            below(numbers.yellow_reputation),
        ),
        yellow(
            ReasonCode::FORECAST_MEDIUM,
            SignalName::FORECAST,
            Condition::Is(Value::Risk(Risk::Medium)),
        ),
        yellow(
            ReasonCode::RESPONSES_AT_YELLOW,
            SignalName::RESPONSES,
            at_least(numbers.yellow_responses),
        ),
    ]
}
