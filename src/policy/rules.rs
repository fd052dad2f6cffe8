//! What a policy says beside its triggers: which signals count and what their silence demands, what
//! is waived, and how long a level stays.

use chrono::TimeDelta;
use serde::Serialize;

use super::Level;
use super::source::collect::Scalar;
use crate::ids::{ReasonCode, SignalName};
use crate::signals::Value;
use crate::signals::declared::Declared;
use crate::time::Timestamp;

/// A signal that counts, and what follows where it says nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalRule {
    /// Its name.
    pub name: SignalName,
    /// Where it is read; `None` for a built-in one.
    pub declared: Option<Declared>,
    /// Older than this is stale; `None` for a signal that never is.
    pub max_age: Option<TimeDelta>,
    /// What is demanded where nobody reported.
    pub on_missing: Floor,
    /// What is demanded where the last report is too old.
    pub on_stale: Floor,
    /// What is demanded where the file can't be read.
    pub on_invalid: Level,
}

impl SignalRule {
    /// The rule of CONTRACT.md section 2: what nobody reported is not healthy.
    pub fn usual(name: SignalName, declared: Option<Declared>) -> Self {
        Self {
            name,
            declared,
            max_age: None,
            on_missing: Floor::Demands(Level::YELLOW),
            on_stale: Floor::Demands(Level::YELLOW),
            on_invalid: Level::RED,
        }
    }
}

impl SignalRule {
    /// The value that a document writes for this signal; the error is what it should have written.
    pub fn value(&self, scalar: &Scalar) -> Result<Value, String> {
        super::orchestration::of_signal(scalar, self)
    }
}

/// The least that the silence of a signal demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Floor {
    /// At least this level.
    Demands(Level),
    /// Nothing: the signal is taken for healthy.
    AssumeHealthy,
}

impl Floor {
    /// The level, where one is demanded.
    pub fn level(&self) -> Option<&Level> {
        match self {
            Self::Demands(level) => Some(level),
            Self::AssumeHealthy => None,
        }
    }
}

/// A trigger that does not count for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiver {
    /// The code of the trigger.
    pub trigger: ReasonCode,
    /// Why.
    pub reason: String,
    /// Who decided it.
    pub by: String,
    /// Where it is followed up.
    pub ticket: String,
    /// The last moment at which it counts.
    pub expires: Timestamp,
}

impl Waiver {
    /// True up to its last moment.
    pub fn is_in_force(&self, at: Timestamp) -> bool {
        at <= self.expires
    }
}

/// When a level falls after its reasons are gone; it rises at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hysteresis {
    /// With this many evaluations in a row that demand less, that one included.
    Evaluations(u32),
    /// Once less was demanded for this time.
    Time(TimeDelta),
}
