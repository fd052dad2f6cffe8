//! The report `reports/policy_orchestration_alerts.json`: what is up now, and what ended lately.
//! Pure: the bytes are made here and written elsewhere.

use serde::Serialize;

use super::alert::{Evidence, Name, Severity};
use super::levels::Change;
use super::limits::Limits;
use super::state::AlertState;
use super::tracking::{Event, Open};
use crate::time::Timestamp;

/// The file, relative to the workspace.
pub const FILE: &str = "reports/policy_orchestration_alerts.json";

/// Its directory.
pub const DIRECTORY: &str = "reports";

/// How many alerts of each severity are up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Low ones.
    pub low: usize,
    /// Medium ones.
    pub medium: usize,
    /// High ones.
    pub high: usize,
    /// Critical ones.
    pub critical: usize,
}

/// An alert that is up, as the report shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shown {
    /// What it is about.
    pub name: Name,
    /// How grave it is.
    pub severity: Severity,
    /// What is the matter.
    pub message: String,
    /// Since when.
    pub since: Timestamp,
    /// When it was raised.
    pub first_seen: Timestamp,
    /// Values and limits.
    pub evidence: Evidence,
    /// What to do.
    pub action: String,
}

impl From<&Open> for Shown {
    fn from(open: &Open) -> Self {
        let alert = open.alert.clone();
        Self {
            name: alert.name,
            severity: alert.severity,
            message: alert.message,
            since: alert.since.unwrap_or(open.first_seen),
            first_seen: open.first_seen,
            evidence: alert.evidence,
            action: alert.action,
        }
    }
}

/// An alert that ended, as the report shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ended {
    /// What it was about.
    pub name: Name,
    /// How grave it was.
    pub severity: Severity,
    /// What was the matter when it was last up.
    pub message: String,
    /// When it was raised.
    pub first_seen: Timestamp,
    /// When it was resolved.
    pub resolved_at: Timestamp,
}

impl From<&Event> for Ended {
    fn from(event: &Event) -> Self {
        Self {
            name: event.alert.name,
            severity: event.alert.severity,
            message: event.alert.message.clone(),
            first_seen: event.first_seen,
            resolved_at: event.timestamp,
        }
    }
}

/// The whole report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The version of this shape.
    pub schema: u32,
    /// When it was made.
    pub generated_at: Timestamp,
    /// `ok` where no alert is up, else `alert`.
    pub status: &'static str,
    /// How many are up.
    pub counts: Counts,
    /// The alerts that are up, the gravest first.
    pub alerts: Vec<Shown>,
    /// Those that were resolved in the last 24 hours.
    pub resolved: Vec<Ended>,
    /// Conditions that nobody could look at.
    pub unknown: Vec<Name>,
    /// The limits in force.
    pub limits: Limits,
    /// The changes of the level since the last look, where the configuration asks for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level_changes: Option<Vec<Change>>,
    /// True where the user gave the time.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub given_clock: bool,
}

impl Report {
    /// Reports what is up.
    pub fn new(
        at: Timestamp,
        open: &[Open],
        state: &AlertState,
        unknown: &[Name],
        limits: Limits,
    ) -> Self {
        let alerts: Vec<Shown> = open.iter().map(Shown::from).collect();
        let count = |severity| of_severity(&alerts, severity);
        Self {
            schema: 1,
            generated_at: at,
            status: if alerts.is_empty() { "ok" } else { "alert" },
            counts: Counts {
                low: count(Severity::Low),
                medium: count(Severity::Medium),
                high: count(Severity::High),
                critical: count(Severity::Critical),
            },
            alerts,
            resolved: state.resolved.iter().map(Ended::from).collect(),
            unknown: unknown.to_vec(),
            limits,
            level_changes: None,
            given_clock: false,
        }
    }

    /// How many alerts of this severity are up.
    pub fn count(&self, severity: Severity) -> usize {
        of_severity(&self.alerts, severity)
    }

    /// True where an alert is up that is high or critical.
    pub fn is_grave(&self) -> bool {
        self.counts.high + self.counts.critical > 0
    }

    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        crate::fs::pretty(self)
    }
}

fn of_severity(alerts: &[Shown], severity: Severity) -> usize {
    let of_it = alerts.iter().filter(|alert| alert.severity == severity);
    of_it.count()
}
