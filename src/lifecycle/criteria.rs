//! How long a version is watched, and what makes it go back (pure).
//!
//! `violation_rate` is the share of the shadow decisions in which the staged version demands a graver
//! level than production. `performance_impact` is the time that the staged version takes to be read
//! and to decide beyond what production takes, over the time of the whole runs. Both are sums over
//! the staging; equal does not violate, and of nothing there is no share (row B-13).

use chrono::TimeDelta;
use serde::Serialize;

use super::shadow::Summary;
use crate::policy::duration;
use crate::time::Timestamp;

/// A version is watched in staging for so long, unless its update record says otherwise.
pub const STAGING: &str = "7_days";

/// A version is watched in production for so long, unless its update record says otherwise.
pub const PRODUCTION: &str = "30_days";

/// What makes a staged version go back, unless its update record says otherwise.
pub const USUAL: [&str; 2] = ["violation_rate > 5%", "performance_impact > 10%"];

/// What a period is expected to be, in messages.
pub const PERIOD_EXPECTED: &str = "a number and a unit: `7_days`, `12_hours`, `7d`";

/// What a criterion is expected to be, in messages.
pub const CRITERION_EXPECTED: &str =
    "`violation_rate > 5%` or `performance_impact > 10%`, with at most two decimals";

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// How often the staged version demands more than production.
    ViolationRate,
    /// How much longer a run takes.
    PerformanceImpact,
}

/// A line that must not be crossed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Criterion {
    /// What is measured.
    pub metric: Metric,
    /// More than so many hundredths of a percent violate it.
    limit: u64,
    /// As it was written.
    text: String,
}

/// What a criterion says of a staging.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// The criterion as it was written.
    pub criterion: String,
    /// What was measured, in percent; `None` where nothing was.
    pub measured: Option<f64>,
    /// Is it violated? `None` where nothing was measured.
    pub violated: Option<bool>,
}

/// Reads a period: `7_days` as the sources write it, or `7d` as everywhere else here.
pub fn period(text: &str) -> Option<TimeDelta> {
    let text = text.trim();
    let Some((number, unit)) = text.split_once('_') else {
        return duration::parse(text);
    };
    let unit = match unit {
        "minute" | "minutes" => "m",
        "hour" | "hours" => "h",
        "day" | "days" => "d",
        "week" | "weeks" => "w",
        _ => return None,
    };
    duration::parse(&format!("{number}{unit}"))
}

/// True from the last moment of the period on (row B-15).
pub fn is_over(since: Timestamp, period: TimeDelta, at: Timestamp) -> bool {
    at.since(since) >= period
}

impl Criterion {
    /// Reads `violation_rate > 5%`.
    pub fn parse(text: &str) -> Option<Self> {
        let (metric, limit) = text.split_once('>')?;
        let metric = match metric.trim() {
            "violation_rate" => Metric::ViolationRate,
            "performance_impact" => Metric::PerformanceImpact,
            _ => return None,
        };
        Some(Self {
            metric,
            limit: hundredths(limit.trim().strip_suffix('%')?.trim_end())?,
            text: text.trim().to_owned(),
        })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Holds it against what a staging came to.
    pub fn judge(&self, summary: &Summary) -> Verdict {
        let (part, whole) = match self.metric {
            Metric::ViolationRate => (i128::from(summary.graver), summary.evaluations),
            Metric::PerformanceImpact => (i128::from(summary.extra_us), summary.run_us),
        };
        let whole = i128::from(whole);
        let violated = (whole > 0).then(|| part * 10_000 > i128::from(self.limit) * whole);
        Verdict {
            criterion: self.text.clone(),
            measured: percent(part, whole),
            violated,
        }
    }
}

/// The share in percent with two decimals, for a person.
#[expect(
    clippy::cast_precision_loss,
    reason = "shown with two decimals; what is judged are whole numbers"
)]
fn percent(part: i128, whole: i128) -> Option<f64> {
    let share = (whole > 0).then(|| part as f64 / whole as f64);
    share.map(|share| (share * 10_000.0).round() / 100.0)
}

/// `5`, `5.1` or `5.25` in hundredths: exact, so that 5.1 % of 1000 are 51 and not a bit more.
fn hundredths(text: &str) -> Option<u64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || decimals.len() > 2 || whole.len() > 6 {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let fraction: u64 = format!("{decimals:0<2}").parse().ok()?;
    Some(whole * 100 + fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(graver: u64, evaluations: u64, criterion: &str) -> Option<bool> {
        let summary = Summary {
            evaluations,
            graver,
            ..Summary::default()
        };
        Criterion::parse(criterion)
            .unwrap()
            .judge(&summary)
            .violated
    }

    #[test]
    fn equal_does_not_violate_and_of_nothing_there_is_no_rate() {
        let usual = USUAL[0];
        assert_eq!(rate(50, 1_000, usual), Some(false));
        assert_eq!(rate(51, 1_000, usual), Some(true));
        assert_eq!(rate(0, 0, usual), None);
        assert_eq!(rate(51, 1_000, "violation_rate > 5.1%"), Some(false));
        assert_eq!(rate(52, 1_000, "violation_rate > 5.1 %"), Some(true));
        assert_eq!(rate(1, 100, "violation_rate > 1%"), Some(false));
        assert_eq!(rate(2, 100, "violation_rate > 1%"), Some(true));
    }

    #[test]
    fn what_is_faster_violates_nothing() {
        let judge = |extra_us, run_us| {
            let summary = Summary {
                run_us,
                extra_us,
                ..Summary::default()
            };
            let verdict = Criterion::parse(USUAL[1]).unwrap().judge(&summary);
            (verdict.violated, verdict.measured)
        };
        assert_eq!(judge(100, 1_000), (Some(false), Some(10.0)));
        assert_eq!(judge(101, 1_000), (Some(true), Some(10.1)));
        assert_eq!(judge(-500, 1_000), (Some(false), Some(-50.0)));
        assert_eq!(judge(5, 0), (None, None));
    }

    #[test]
    fn other_texts_are_no_criteria() {
        for text in [
            "",
            "violation_rate",
            "violation_rate >= 5%",
            "violation_rate > 5",
            "violation_rate > -5%",
            "violation_rate > 5.123%",
            "latency > 5%",
            "violation_rate > .5%",
        ] {
            assert_eq!(Criterion::parse(text), None, "{text}");
        }
    }

    #[test]
    fn periods_of_the_sources_and_of_here() {
        assert_eq!(period("7_days"), Some(TimeDelta::days(7)));
        assert_eq!(period("30_days"), period("30d"));
        assert_eq!(period("12_hours"), Some(TimeDelta::hours(12)));
        for text in ["7", "7_", "_days", "0_days", "7_fortnights", "7 days"] {
            assert_eq!(period(text), None, "{text}");
        }
    }

    #[test]
    fn seven_times_24_hours_are_seven_days() {
        let at = |text| Timestamp::read(text).unwrap().time;
        let since = at("2026-01-01T06:00:00Z");
        let days = period(STAGING).unwrap();
        assert!(!is_over(since, days, at("2026-01-08T05:59:59Z")));
        assert!(is_over(since, days, at("2026-01-08T06:00:00Z")));
        assert!(!is_over(since, days, at("2025-12-01T00:00:00Z")));
    }
}
