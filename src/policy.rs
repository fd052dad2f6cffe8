//! The policy that decides: levels, triggers, thresholds, and the document they come from.
//!
//! A [`Policy`] exists only as the product of [`document`]'s parsing and checking, so that what is
//! evaluated is right by construction. How it is evaluated is said in [`crate::decision`].

pub mod catalogue;
pub mod document;
pub mod level;
pub mod quantity;
pub mod trigger;

pub use level::Level;
pub use trigger::{Condition, Trigger};

use serde::Serialize;

use crate::ids::{Digest, ReasonCode, SignalName};
use crate::signals::{Percent, Risk};

/// The seven numbers of the reference policy (CONTRACT.md section 3, row S4-027), in the order in
/// which the state file shows them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Thresholds {
    /// Integrity below this is RED.
    pub red_integrity: Percent,
    /// Consensus below this is RED.
    pub red_consensus: Percent,
    /// This many responses or more are RED.
    pub red_responses: u64,
    /// Integrity below this is YELLOW.
    pub yellow_integrity: Percent,
    /// Consensus below this is YELLOW.
    pub yellow_consensus: Percent,
    /// Reputation below this is YELLOW; no reputation is RED.
    pub yellow_reputation: Percent,
    /// This many responses or more are YELLOW.
    pub yellow_responses: u64,
}

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
    identity: Identity,
    document: Vec<u8>,
    thresholds: Thresholds,
    triggers: Vec<Trigger>,
    refused: bool,
}

impl Policy {
    fn new(identity: Identity, document: Vec<u8>, thresholds: Thresholds) -> Self {
        Self {
            identity,
            document,
            thresholds,
            triggers: reference_triggers(&thresholds),
            refused: false,
        }
    }

    /// The policy that stands in where the document was refused: it calls nothing healthy.
    fn refused(identity: Identity, document: Vec<u8>, thresholds: Thresholds) -> Self {
        Self {
            refused: true,
            ..Self::new(identity, document, thresholds)
        }
    }

    /// Which document this is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The bytes of the document, to be kept before a journal line names them.
    pub fn document(&self) -> &[u8] {
        &self.document
    }

    /// The seven numbers that the state file shows.
    pub fn thresholds(&self) -> &Thresholds {
        &self.thresholds
    }

    /// Every trigger, gravest level first.
    pub fn triggers(&self) -> &[Trigger] {
        &self.triggers
    }

    /// True where the document was refused, so that the level is RED whatever the signals say.
    pub fn is_refused(&self) -> bool {
        self.refused
    }

    /// The least level that a signal demands which nobody reported.
    pub fn on_missing(&self) -> Level {
        Level::YELLOW
    }

    /// The least level that a signal demands whose last report is too old.
    pub fn on_stale(&self) -> Level {
        Level::YELLOW
    }

    /// Every level that this policy can give, lowest first.
    pub fn levels(&self) -> Vec<Level> {
        let mut levels: Vec<Level> = self
            .triggers
            .iter()
            .map(|trigger| trigger.level.clone())
            .collect();
        levels.extend([Level::GREEN, Level::YELLOW, Level::RED]);
        levels.sort();
        levels.dedup();
        levels
    }
}

/// The ten triggers of CONTRACT.md section 3.
fn reference_triggers(thresholds: &Thresholds) -> Vec<Trigger> {
    let red = |code, signal, condition| Trigger {
        code,
        signal,
        level: Level::RED,
        condition,
    };
    let yellow = |code, signal, condition| Trigger {
        code,
        signal,
        level: Level::YELLOW,
        condition,
    };
    vec![
        red(ReasonCode::TRUST_LOCKED, SignalName::TRUST, Condition::Set),
        red(
            ReasonCode::INTEGRITY_BELOW_RED,
            SignalName::INTEGRITY,
            Condition::Below(thresholds.red_integrity),
        ),
        red(
            ReasonCode::CONSENSUS_BELOW_RED,
            SignalName::CONSENSUS,
            Condition::Below(thresholds.red_consensus),
        ),
        red(
            ReasonCode::FORECAST_HIGH,
            SignalName::FORECAST,
            Condition::Is(Risk::High),
        ),
        red(
            ReasonCode::RESPONSES_AT_RED,
            SignalName::RESPONSES,
            Condition::AtLeast(thresholds.red_responses),
        ),
        yellow(
            ReasonCode::INTEGRITY_BELOW_YELLOW,
            SignalName::INTEGRITY,
            Condition::Below(thresholds.yellow_integrity),
        ),
        yellow(
            ReasonCode::CONSENSUS_BELOW_YELLOW,
            SignalName::CONSENSUS,
            Condition::Below(thresholds.yellow_consensus),
        ),
        yellow(
            ReasonCode::REPUTATION_BELOW_YELLOW,
            SignalName::REPUTATION,
            Condition::Below(thresholds.yellow_reputation),
        ),
        yellow(
            ReasonCode::FORECAST_MEDIUM,
            SignalName::FORECAST,
            Condition::Is(Risk::Medium),
        ),
        yellow(
            ReasonCode::RESPONSES_AT_YELLOW,
            SignalName::RESPONSES,
            Condition::AtLeast(thresholds.yellow_responses),
        ),
    ]
}
