//! What the signal files say, and nothing else.
//!
//! One file per signal: its raw shape stays private there, `parse` is pure, `load` reads. What
//! comes out is a [`Reading`]: exactly one of valid, missing, stale or invalid (CONTRACT.md
//! section 2). What follows from a reading is said in [`crate::policy`] and decided in
//! [`crate::decision`].

pub mod consensus;
pub mod csv_tail;
pub mod declared;
pub mod forecast;
pub mod history;
pub mod integrity;
pub mod json;
pub mod members;
pub mod number;
pub mod reputation;
pub mod responses;
pub mod six;
pub mod table;
pub mod trust;
pub mod value;

pub use value::{Finite, Percent, Risk, Value, Word};

use serde::{Deserialize, Serialize};

use crate::diagnostic::{Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::ids::{Digest, SignalName};
use crate::time::Timestamp;

/// The four ways in which a reading ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// There is a value.
    Valid,
    /// Nobody reported.
    Missing,
    /// The last report is too old.
    Stale,
    /// What stands there can't be read as what it should be.
    Invalid,
}

impl Status {
    /// The word that stands in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Missing => "missing",
            Self::Stale => "stale",
            Self::Invalid => "invalid",
        }
    }
}

/// A file that a reading rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The file, relative to the workspace.
    pub file: String,
    /// The SHA-256 of the bytes that were read.
    pub sha256: Digest,
    /// Where reading began, in bytes, for a file of which only the end matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
}

/// How a reading ended, with what belongs to that end.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// A value.
    Valid(Value),
    /// Why there is none, in a clause.
    Missing(String),
    /// A value that is too old to count.
    Stale(Value),
    /// Everything that is wrong; never empty.
    Invalid(Vec<Diagnostic>),
}

/// What one signal says.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Which signal.
    pub signal: SignalName,
    /// How the reading ended.
    pub outcome: Outcome,
    /// The files it rests on, the deciding one first; empty where none was there.
    pub sources: Vec<Source>,
    /// The time of the observation, where the file tells one.
    pub observed_at: Option<Timestamp>,
    /// What was odd.
    pub warnings: Vec<Diagnostic>,
}

impl Reading {
    /// The status of the outcome.
    pub fn status(&self) -> Status {
        match self.outcome {
            Outcome::Valid(_) => Status::Valid,
            Outcome::Missing(_) => Status::Missing,
            Outcome::Stale(_) => Status::Stale,
            Outcome::Invalid(_) => Status::Invalid,
        }
    }

    /// The value, where it counts.
    pub fn value(&self) -> Option<Value> {
        match self.outcome {
            Outcome::Valid(value) => Some(value),
            _ => None,
        }
    }

    /// The value that triggers are held against: one that is too old too, since a bad value gets no
    /// better by silence. What its age demands comes on top.
    pub fn judged_value(&self) -> Option<Value> {
        match self.outcome {
            Outcome::Valid(value) | Outcome::Stale(value) => Some(value),
            Outcome::Missing(_) | Outcome::Invalid(_) => None,
        }
    }

    /// What `inputs` shows: the value, or the stand-in of [`stand_in`] where there is none.
    pub fn shown_value(&self) -> Value {
        match self.outcome {
            Outcome::Valid(value) | Outcome::Stale(value) => value,
            Outcome::Missing(_) | Outcome::Invalid(_) => stand_in(&self.signal),
        }
    }

    /// What is wrong with it.
    pub fn errors(&self) -> &[Diagnostic] {
        match &self.outcome {
            Outcome::Invalid(errors) => errors,
            _ => &[],
        }
    }

    /// A reading that rests on nothing but its value, as a test or `explain --inputs` makes it.
    pub fn bare(signal: SignalName, outcome: Outcome) -> Self {
        Self {
            signal,
            outcome,
            sources: Vec::new(),
            observed_at: None,
            warnings: Vec::new(),
        }
    }
}

/// The value that `inputs` shows where nobody reported one (CONTRACT.md section 2). It keeps the
/// state file's types; that it is a stand-in is said by the reading's status.
pub fn stand_in(signal: &SignalName) -> Value {
    match signal.as_str() {
        "trust" => Value::Flag(false),
        "forecast" => Value::Risk(Risk::Low),
        "responses" => Value::Count(0),
        _ => Value::Percent(Percent::whole(100)),
    }
}

/// The readings of one evaluation, one for each signal, in the order of CONTRACT.md.
#[derive(Debug, Clone, PartialEq)]
pub struct Readings(Vec<Reading>);

impl Readings {
    /// The signals that the product knows by itself, in their order.
    pub const BUILT_IN: [SignalName; 6] = [
        SignalName::TRUST,
        SignalName::INTEGRITY,
        SignalName::CONSENSUS,
        SignalName::REPUTATION,
        SignalName::FORECAST,
        SignalName::RESPONSES,
    ];

    /// Takes one reading for each signal. A built-in signal without one is missing. The order is
    /// always the same, the built-in ones first and the others by name: a record that is read back
    /// must come to the same bytes.
    pub fn new(mut readings: Vec<Reading>) -> Self {
        for signal in Self::BUILT_IN {
            if !readings.iter().any(|reading| reading.signal == signal) {
                readings.push(Reading::bare(
                    signal,
                    Outcome::Missing("it was not named".to_owned()),
                ));
            }
        }
        let place = |reading: &Reading| {
            Self::BUILT_IN
                .iter()
                .position(|name| *name == reading.signal)
        };
        readings.sort_by(|one, other| {
            let (first, second) = (place(one), place(other));
            let built_in = first
                .unwrap_or(usize::MAX)
                .cmp(&second.unwrap_or(usize::MAX));
            built_in.then_with(|| one.signal.cmp(&other.signal))
        });
        Self(readings)
    }

    /// All of them, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Reading> {
        self.0.iter()
    }

    /// The reading of one signal.
    pub fn get(&self, signal: &SignalName) -> Option<&Reading> {
        self.0.iter().find(|reading| reading.signal == *signal)
    }

    /// Everything that is wrong with the inputs.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.0.iter().flat_map(Reading::errors)
    }

    /// The warning for a workspace without a file of any signal in `listed`, those that count:
    /// perhaps it is the wrong directory.
    pub fn empty_workspace(
        &self,
        workspace: &Workspace,
        listed: &[&SignalName],
    ) -> Option<Diagnostic> {
        if self
            .0
            .iter()
            .any(|reading| !reading.sources.is_empty() || reading.status() == Status::Invalid)
        {
            return None;
        }
        let directory = workspace
            .root()
            .canonicalize()
            .unwrap_or_else(|_| workspace.root().to_owned());
        Some(
            Diagnostic::new(
                Code::WorkspaceEmpty,
                Place::file(directory.display().to_string()),
                "no signal that the policy lists has a file here",
            )
                .found(format!("no file of {}", some_of(listed)))
                .expected("at least one: the policy document says where its own signals are read, README.md the built-in ones")
                .help("is this the right directory? Name another with `--workspace DIR`, or start one with `policy-orchestrator init`"),
        )
    }
}

/// The first of some names, and how many more there are.
fn some_of(names: &[&SignalName]) -> String {
    /// More names than this are no help on one line.
    const SHOWN: usize = 8;
    let shown: Vec<&str> = names.iter().take(SHOWN).map(|name| name.as_str()).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

impl<'a> IntoIterator for &'a Readings {
    type Item = &'a Reading;
    type IntoIter = std::slice::Iter<'a, Reading>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// What a reader needs beside the workspace.
#[derive(Debug, Clone, Copy)]
pub struct ReadContext<'a> {
    /// Where the files are.
    pub workspace: &'a Workspace,
    /// The evaluation time: windows end here.
    pub at: Timestamp,
    /// The size limit of a JSON file and of a line or record of the others, in bytes.
    pub limit: u64,
}

/// The default of `--max-input-bytes`: 8 MiB.
pub const DEFAULT_LIMIT: u64 = 8 * 1024 * 1024;

/// The files that a built-in signal is read from; none for a name that is none.
pub fn files(signal: &SignalName) -> &'static [&'static str] {
    match signal.as_str() {
        "trust" => &trust::FILES,
        "integrity" => &[integrity::FILE],
        "consensus" => &[consensus::FILE],
        "reputation" => &[reputation::FILE],
        "forecast" => &[forecast::FILE],
        "responses" => &[responses::FILE],
        _ => &[],
    }
}

/// Reads one built-in signal; `None` for a name that is none.
pub fn load(signal: &SignalName, context: ReadContext<'_>) -> Option<Reading> {
    match signal.as_str() {
        "trust" => Some(trust::load(context)),
        "integrity" => Some(integrity::load(context)),
        "consensus" => Some(consensus::load(context)),
        "reputation" => Some(reputation::load(context)),
        "forecast" => Some(forecast::load(context)),
        "responses" => Some(responses::load(context)),
        _ => None,
    }
}
