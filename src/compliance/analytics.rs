//! The numbers of a period, for a board (pure): how much is decided, how much of it breaks rules, how
//! long a decision takes, and which alerts are up.
//!
//! Evaluations are counted from the record and divided by the whole period, so a schedule of one a day
//! is 0.0000116 a second: the number is an average, never a capacity.

use serde::Serialize;

use super::Period;
use super::report::{Statuses, Trend, trends};
use super::tally::{Alert, Tally};
use super::violations::Violation;
use crate::time::Timestamp;

/// The numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "PolicyAnalytics"))]
pub struct Analytics {
    /// The version of this form: 1.
    pub schema: u32,
    /// When they were made.
    #[cfg_attr(test, schemars(with = "String"))]
    pub generated_at: Timestamp,
    /// What they are about.
    pub period: Period,
    /// The four numbers.
    #[serde(rename = "realTimeMetrics")]
    pub metrics: Metrics,
    /// What broke the rules, by kind, the gravest first.
    pub violations: Vec<Violation>,
    /// This period beside the one before.
    pub trends: Vec<Trend>,
    /// Alerts that were told of in the period, those that are up first.
    pub alerts: Vec<Alert>,
}

/// The four numbers, each with what it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Metrics {
    /// Recorded decisions by the seconds of the period.
    pub policy_evaluations_per_second: f64,
    /// Recorded decisions.
    pub evaluations: u64,
    /// The seconds of the period.
    pub window_seconds: i64,
    /// Violations by recorded decisions; null without any.
    pub violation_rate: Option<f64>,
    /// How long a decision takes.
    pub enforcement_latency: Option<Latency>,
    /// The share of controls with evidence among those that apply, in percent; null where none does.
    pub compliance_score: Option<f64>,
}

/// How long a decision takes, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Latency {
    /// Where it comes from.
    pub source: LatencySource,
    /// How many there were.
    pub count: u64,
    /// The mean.
    pub mean_ms: f64,
    /// Half took no longer; only where it was measured.
    pub p50_ms: Option<f64>,
    /// Of a hundred, 99 took no longer; only where it was measured.
    pub p99_ms: Option<f64>,
    /// The longest.
    pub max_ms: f64,
}

/// Where a latency comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum LatencySource {
    /// Recorded runs, from their lock to their record, beside a staged version.
    ShadowJournal,
    /// Dry runs in this process, from the first file read to the decision.
    Measured,
}

/// Puts the numbers together. `measured` are the times of dry runs, in microseconds.
pub fn build(
    at: Timestamp,
    period: Period,
    tally: &Tally<'_>,
    statuses: Statuses,
    measured: Vec<u64>,
) -> Analytics {
    let violations = tally.violations();
    let broken: u64 = violations.iter().map(|violation| violation.count).sum();
    let evaluations = tally.now.evaluations;
    let rate = (evaluations > 0).then(|| ratio(broken, evaluations));
    Analytics {
        schema: 1,
        generated_at: at,
        period,
        metrics: Metrics {
            policy_evaluations_per_second: ratio(evaluations, period.seconds().unsigned_abs()),
            evaluations,
            window_seconds: period.seconds(),
            violation_rate: rate,
            enforcement_latency: of_measured(measured).or_else(|| of_record(tally)),
            compliance_score: statuses.score(),
        },
        violations,
        trends: trends(tally),
        alerts: tally.alerts(),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of lines and microseconds are far below 2^53"
)]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn milliseconds(us: u64) -> f64 {
    ratio(us, 1_000)
}

fn of_measured(mut times: Vec<u64>) -> Option<Latency> {
    times.sort_unstable();
    let count = times.len() as u64;
    Some(Latency {
        source: LatencySource::Measured,
        count,
        mean_ms: ratio(times.iter().sum(), count * 1_000),
        p50_ms: rank(&times, 50).map(milliseconds),
        p99_ms: rank(&times, 99).map(milliseconds),
        max_ms: milliseconds(*times.last()?),
    })
}

/// The least of the sorted times that so many of a hundred do not exceed.
fn rank(sorted: &[u64], percent: usize) -> Option<u64> {
    let index = (sorted.len() * percent).div_ceil(100).checked_sub(1)?;
    sorted.get(index).copied()
}

fn of_record(tally: &Tally<'_>) -> Option<Latency> {
    let runs = tally.runs;
    (runs.count > 0).then(|| Latency {
        source: LatencySource::ShadowJournal,
        count: runs.count,
        mean_ms: ratio(runs.sum_us, runs.count * 1_000),
        p50_ms: None,
        p99_ms: None,
        max_ms: milliseconds(runs.most_us),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_the_nearest_ones() {
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!(
            (rank(&hundred, 50), rank(&hundred, 99)),
            (Some(50), Some(99))
        );
        assert_eq!((rank(&[7], 50), rank(&[7], 99)), (Some(7), Some(7)));
        assert_eq!(rank(&[], 99), None);
        assert_eq!(of_measured(Vec::new()), None);
        let latency = of_measured(vec![3_000, 1_000]).unwrap();
        assert_eq!(
            (latency.mean_ms, latency.p50_ms, latency.max_ms),
            (2.0, Some(1.0), 3.0)
        );
    }

    /// The schema's copy for readers of the numbers.
    const SCHEMA_FILE: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/policy/schema/analytics.v1.schema.json"
    );

    #[test]
    fn the_schema_is_the_one_that_the_types_give() {
        crate::compliance::tests::holds_schema::<Analytics>(SCHEMA_FILE);
    }
}
