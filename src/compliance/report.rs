//! The report for a period, put together from what was looked at (pure).
//!
//! The score is the share of controls with evidence among those that apply, in percent, rounded down
//! to two digits, each control counting the same; without a control that applies there is none. It says
//! how much evidence was found, and nothing about whether a law is kept.

use serde::Serialize;

use super::Period;
use super::checks::Check;
use super::controls::{Control, Status};
use super::evidence::{Declared, Looked};
use super::retention::Kept;
use super::tally::{Counts, Tally};
use super::violations::{Kind, Spot, Violation};
use crate::record::audit::Severity;
use crate::time::Timestamp;

/// What the report is, for whoever reads nothing else of it.
pub const STATEMENT: &str = "This report says which evidence was found and which was not. It is no legal advice and no claim that any law, regulation or standard is kept.";

/// The report.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "ComplianceReport"))]
pub struct Report {
    /// The version of this form: 1.
    pub schema: u32,
    /// When it was made.
    #[cfg_attr(test, schemars(with = "String"))]
    pub generated_at: Timestamp,
    /// What it is about.
    pub period: Period,
    /// The share of controls with evidence among those that apply, in percent; null where none does.
    #[serde(rename = "complianceScore")]
    pub score: Option<f64>,
    /// How many controls have which status.
    pub counts: Statuses,
    /// What the report is and is not.
    pub statement: &'static str,
    /// Every control.
    pub controls: Vec<Control>,
    /// What broke the rules, by kind, the gravest first.
    pub violations: Vec<Violation>,
    /// This period beside the one before.
    pub trends: Vec<Trend>,
    /// What to do, the most urgent first.
    pub recommendations: Vec<Recommendation>,
    /// What the report rests on.
    pub record: Record,
    /// The results of checks that were found.
    pub checks: Vec<Check>,
    /// How long what is kept.
    pub retention: Vec<Kept>,
}

/// How many controls have which status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Statuses {
    /// With evidence.
    pub present: u64,
    /// Without.
    pub missing: u64,
    /// That do not apply.
    pub not_applicable: u64,
}

impl Statuses {
    /// Counts them.
    pub fn of(controls: &[Control]) -> Self {
        let count = |status| {
            let found = controls.iter().filter(|control| control.status == status);
            found.count() as u64
        };
        Self {
            present: count(Status::Present),
            missing: count(Status::Missing),
            not_applicable: count(Status::NotApplicable),
        }
    }

    /// The score; rounded down, so that only all is 100.
    pub fn score(self) -> Option<f64> {
        let applying = self.present + self.missing;
        let hundredths = (self.present * 10_000).checked_div(applying)?;
        u32::try_from(hundredths)
            .ok()
            .map(|hundredths| f64::from(hundredths) / 100.0)
    }
}

/// A number of this period beside that of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Trend {
    /// What is counted.
    pub name: &'static str,
    /// In this period.
    pub now: u64,
    /// In the one before; null where the record does not go back so far.
    pub before: Option<u64>,
    /// Which way it goes.
    pub direction: Direction,
}

/// Which way a number goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Direction {
    /// More than before.
    Rising,
    /// Less than before.
    Falling,
    /// The same.
    Level,
    /// Nobody knows how it was before.
    Unknown,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Recommendation {
    /// How urgent.
    #[cfg_attr(test, schemars(with = "String"))]
    pub severity: Severity,
    /// About what.
    pub about: String,
    /// What to do.
    pub action: String,
}

/// What a report rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Record {
    /// The journals, each verified in full before anything was counted.
    pub journals: Vec<Journal>,
    /// Is every journal signed to its end, by a key that was there to check?
    pub signed: bool,
    /// Are the policies locked?
    pub locked: bool,
    /// Entries that were looked at.
    pub entries: u64,
    /// Decisions that do not count, since their time was given.
    pub given_times: u64,
    /// People whose data were used without a consent or a withdrawal on record.
    pub uses_without_record: u64,
}

/// A journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Journal {
    /// The file.
    pub file: String,
    /// Its lines, those of closed segments not counted.
    pub lines: u64,
    /// Its head, number and SHA-256, to be held against a checkpoint.
    pub head: Option<String>,
}

/// What a report is made of.
#[derive(Debug)]
pub struct Parts<'a> {
    /// When.
    pub at: Timestamp,
    /// The period.
    pub period: Period,
    /// The controls.
    pub controls: Vec<Control>,
    /// What is recorded.
    pub tally: &'a Tally<'a>,
    /// Checks that were found.
    pub checks: Vec<Check>,
    /// How long what is kept.
    pub retention: Vec<Kept>,
    /// What it rests on.
    pub record: Record,
}

/// Counts what is wrong with declared evidence among the violations.
pub fn count_evidence(tally: &mut Tally<'_>, declared: &[(Declared, Looked)], at: Timestamp) {
    for (declared, looked) in declared {
        let is_other = matches!(
            looked,
            Looked::Differs { .. } | Looked::Gone | Looked::Unreadable { .. }
        );
        let is_late = declared.valid_until <= at || declared.review_by.is_some_and(|by| by <= at);
        let kinds = [
            (is_other, Kind::EvidenceDiffers),
            (is_late, Kind::ReviewOverdue),
        ];
        for (_, kind) in kinds.into_iter().filter(|(holds, _)| *holds) {
            tally.found_now(
                kind,
                Spot {
                    time: at,
                    user: declared.owner.clone(),
                    journal: declared.place.file.clone(),
                    number: declared.place.line,
                    task_id: Some(declared.control.clone()),
                },
            );
        }
    }
}

/// Puts the report together.
pub fn build(parts: Parts<'_>) -> Report {
    let counts = Statuses::of(&parts.controls);
    let violations = parts.tally.violations();
    Report {
        schema: 1,
        generated_at: parts.at,
        period: parts.period,
        score: counts.score(),
        counts,
        statement: STATEMENT,
        trends: trends(parts.tally),
        recommendations: recommendations(&parts, &violations),
        controls: parts.controls,
        violations,
        record: parts.record,
        checks: parts.checks,
        retention: parts.retention,
    }
}

/// What a trend counts.
type Count = fn(&Counts) -> u64;

/// This period beside the one before.
pub fn trends(tally: &Tally<'_>) -> Vec<Trend> {
    let rows: [(&'static str, Count); 7] = [
        ("evaluations", |counts| counts.evaluations),
        ("red_evaluations", |counts| counts.red),
        ("violations", |counts| counts.violations),
        ("grave_violations", |counts| counts.grave),
        ("responses_applied", |counts| counts.applied),
        ("overrides_used", |counts| counts.overrides),
        ("policy_changes", |counts| counts.changes),
    ];
    let trend = |(name, count): (&'static str, Count)| {
        let now = count(&tally.now);
        let before = tally.reaches_back.then(|| count(&tally.earlier));
        Trend {
            name,
            now,
            before,
            direction: match before.map(|before| now.cmp(&before)) {
                None => Direction::Unknown,
                Some(std::cmp::Ordering::Greater) => Direction::Rising,
                Some(std::cmp::Ordering::Less) => Direction::Falling,
                Some(std::cmp::Ordering::Equal) => Direction::Level,
            },
        }
    };
    rows.into_iter().map(trend).collect()
}

fn recommendations(parts: &Parts<'_>, violations: &[Violation]) -> Vec<Recommendation> {
    let mut all: Vec<Recommendation> = violations.iter().map(of_violation).collect();
    let missing = parts
        .controls
        .iter()
        .filter(|control| control.status == Status::Missing);
    all.extend(missing.map(|control| Recommendation {
        severity: Severity::Medium,
        about: control.control.clone(),
        action: format!(
            "give evidence: {}",
            control.would_be.as_deref().unwrap_or_default()
        ),
    }));
    let mut hint = |holds: bool, about: &str, action: &str| {
        if !holds {
            all.push(Recommendation {
                severity: Severity::Low,
                about: about.to_owned(),
                action: action.to_owned(),
            });
        }
    };
    let asked = parts
        .controls
        .iter()
        .any(|control| control.document.is_some());
    hint(
        asked,
        "controls",
        "no document below policy/ asks for a control: write one with `lgpd_compliance` or `financial_compliance` (docs/compliance.md)",
    );
    hint(
        parts.record.signed,
        "signed journals",
        "set POLICY_AUDIT_SECRET, so that journals can't be written by others",
    );
    hint(
        parts.record.locked,
        "policy lock",
        "`policy-orchestrator policy lock` holds documents and evidence to the bytes that were reviewed",
    );
    all.sort_by_key(|recommendation| std::cmp::Reverse(recommendation.severity));
    all
}

fn of_violation(violation: &Violation) -> Recommendation {
    let response = violation.response;
    let actions = [
        response.immediate,
        response.investigative,
        response.remedial,
        response.preventive,
    ];
    let names: Vec<&str> = actions
        .into_iter()
        .flatten()
        .map(|action| action.action)
        .collect();
    Recommendation {
        severity: violation.severity,
        about: violation.kind.to_owned(),
        action: names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_is_rounded_down_and_absent_of_nothing() {
        let score = |present, missing| {
            let counts = Statuses {
                present,
                missing,
                not_applicable: 3,
            };
            counts.score()
        };
        let cases = [
            (0, 0, None),
            (0, 4, Some(0.0)),
            (1, 2, Some(33.33)),
            (2, 1, Some(66.66)),
            (99_999, 1, Some(99.99)),
            (5, 0, Some(100.0)),
        ];
        for (present, missing, expected) in cases {
            assert_eq!(
                score(present, missing),
                expected,
                "{present} of {missing} more"
            );
        }
    }

    /// The schema's copy for readers of reports.
    const SCHEMA_FILE: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/policy/schema/compliance-report.v1.schema.json"
    );

    #[test]
    fn the_schema_is_the_one_that_the_types_give() {
        crate::compliance::tests::holds_schema::<Report>(SCHEMA_FILE);
    }
}
