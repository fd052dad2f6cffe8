//! Where a document says what: the places of its parts, beside the [`super::Policy`] that it gives.
//!
//! Whoever decides needs no places. Whoever points at a line, as [`super::lints`] do, looks them up
//! here by what stands there.

use super::source::Spot;
use crate::diagnostic::Place;
use crate::ids::{ReasonCode, SignalName};

/// A part of a document that has a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// `metadata`.
    Metadata,
    /// A key of `metadata`.
    MetadataKey(&'static str),
    /// The list of signals.
    Signals,
    /// A signal.
    Signal(SignalName),
    /// A key of a signal.
    SignalKey(SignalName, &'static str),
    /// A level between YELLOW and RED.
    Level(String),
    /// The list of triggers.
    Triggers,
    /// A trigger.
    Trigger(ReasonCode),
    /// The line of a trigger, or whatever else its condition is held against.
    Condition(ReasonCode),
    /// What says when a level falls.
    Hysteresis,
    /// The waiver of a trigger.
    Waiver(ReasonCode),
    /// The end of such a waiver.
    Expiry(ReasonCode),
    /// A freeze window.
    Window(String),
}

/// The places of a document's parts. A part that the document does not name has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    file: String,
    parts: Vec<(Part, Spot, String)>,
}

impl Outline {
    pub(super) fn of(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            parts: Vec::new(),
        }
    }

    /// Notes where a part stands. Of a part that stands there twice the first place counts.
    pub(super) fn mark(&mut self, part: Part, spot: Spot, path: &str) {
        self.parts.push((part, spot, path.to_owned()));
    }

    /// Where a part stands; `None` where the document is silent about it.
    pub fn place(&self, part: &Part) -> Option<Place> {
        let (_, spot, path) = self.parts.iter().find(|(other, ..)| other == part)?;
        Some(spot.place(&self.file, path))
    }
}
