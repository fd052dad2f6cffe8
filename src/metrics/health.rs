//! The operating limits (row OR-35), each with its value and whether it is kept. Pure.

use serde::Serialize;

use crate::diagnostic::Diagnostic;

/// A limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Name {
    /// Entries into RED in 24 hours.
    RedFlips,
    /// Engagements of the brake in a week.
    BrakeEngagements,
    /// Blocked attempts to apply in 30 days.
    BlockedShare,
    /// Manual unlocks of today.
    UnlockShare,
    /// How long it is RED.
    RedHours,
    /// How long the brake is engaged.
    BrakeHours,
    /// Blocked attempts in a row.
    BlockedInARow,
}

/// On which side of the limit the value has to lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Less than the limit.
    Below,
    /// The limit at most.
    AtMost,
}

/// What is known of one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Limit {
    /// Which.
    pub name: Name,
    /// What is measured.
    pub what: &'static str,
    /// The value; none where nobody knows it.
    pub value: Option<f64>,
    /// Its unit.
    pub unit: &'static str,
    /// Where it has to lie.
    pub side: Side,
    /// The limit.
    pub limit: f64,
    /// Whether it is kept; none where nobody knows.
    pub passed: Option<bool>,
    /// What to do where it is not.
    pub action: &'static str,
}

/// The values that are held against the limits.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Values {
    /// Entries into RED in the last 24 hours.
    pub red_flips: Option<u64>,
    /// Engagements of the brake in the last seven days.
    pub brake_engagements: Option<u64>,
    /// Attempts to apply in the last 30 days, and how many of them were blocked.
    pub attempts: Option<(u64, u64)>,
    /// Manual unlocks of today, and how many are allowed.
    pub unlocks: Option<(u64, u64)>,
    /// How long it is RED now; 0 where it is not.
    pub red_seconds: Option<i64>,
    /// How long the brake is engaged now; 0 where it is not.
    pub brake_seconds: Option<i64>,
    /// How many of the last attempts in a row were blocked.
    pub blocked_in_a_row: Option<u64>,
}

/// How everything stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Health {
    /// True where every limit is kept, and known to be.
    pub all_passed: bool,
    /// Each limit.
    pub limits: Vec<Limit>,
    /// Why a value is not known.
    pub findings: Vec<Diagnostic>,
}

/// Holds the values against the limits.
pub fn health(values: &Values, findings: Vec<Diagnostic>) -> Health {
    let limits = limits(values);
    Health {
        all_passed: limits.iter().all(|limit| limit.passed == Some(true)),
        limits,
        findings,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts far below where a float is no longer exact"
)]
fn limits(values: &Values) -> Vec<Limit> {
    let hours = |seconds: i64| seconds.max(0) as f64 / 3_600.0;
    let count = |count: u64| count as f64;
    vec![
        limit(
            Name::RedFlips,
            ("entries into RED in 24 h", "entries"),
            values.red_flips.map(count),
            (Side::Below, 3.0),
            "`explain`; mend the signal that swings",
        ),
        limit(
            Name::BrakeEngagements,
            ("brake engaged by command in 7 days", "times"),
            values.brake_engagements.map(count),
            (Side::Below, 2.0),
            "`brake status`; find out why it is needed so often",
        ),
        limit(
            Name::BlockedShare,
            ("blocked attempts to apply in 30 days", "percent"),
            values.attempts.map(|(all, blocked)| share(blocked, all)),
            (Side::Below, 5.0),
            "`respond`; see which gates are closed",
        ),
        limit(
            Name::UnlockShare,
            ("manual unlocks today, of those allowed", "percent"),
            values.unlocks.map(|(today, allowed)| share(today, allowed)),
            (Side::Below, 50.0),
            "`trust status`; mend what locks instead of unlocking",
        ),
        limit(
            Name::RedHours,
            ("RED without a break", "hours"),
            values.red_seconds.map(hours),
            (Side::AtMost, 4.0),
            "`explain`; investigate",
        ),
        limit(
            Name::BrakeHours,
            ("brake engaged without a break", "hours"),
            values.brake_seconds.map(hours),
            (Side::AtMost, 24.0),
            "`brake status`; a person decides",
        ),
        limit(
            Name::BlockedInARow,
            ("blocked attempts in a row", "attempts"),
            values.blocked_in_a_row.map(count),
            (Side::AtMost, 3.0),
            "`respond`; check the gates",
        ),
    ]
}

fn limit(
    name: Name,
    (what, unit): (&'static str, &'static str),
    value: Option<f64>,
    (side, limit): (Side, f64),
    action: &'static str,
) -> Limit {
    let passed = value.map(|value| match side {
        Side::Below => value < limit,
        Side::AtMost => value <= limit,
    });
    Limit {
        name,
        what,
        value,
        unit,
        side,
        limit,
        passed,
        action,
    }
}

/// A share in percent, unrounded: what is compared is not what a person reads (row B-21). Nothing
/// used of nothing allowed is nothing; something is all of it.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts far below where a float is no longer exact"
)]
fn share(part: u64, all: u64) -> f64 {
    match (part, all) {
        (0, _) => 0.0,
        (_, 0) => 100.0,
        (part, all) => 100.0 * part as f64 / all as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(values: Values) -> Vec<Option<bool>> {
        let health = health(&values, Vec::new());
        health.limits.iter().map(|limit| limit.passed).collect()
    }

    #[test]
    fn each_limit_is_kept_up_to_its_line() {
        let good = Values {
            red_flips: Some(2),
            brake_engagements: Some(1),
            attempts: Some((100, 4)),
            unlocks: Some((1, 3)),
            red_seconds: Some(4 * 3_600),
            brake_seconds: Some(24 * 3_600),
            blocked_in_a_row: Some(3),
        };
        assert_eq!(passed(good), [Some(true); 7]);
        let bad = Values {
            red_flips: Some(3),
            brake_engagements: Some(2),
            attempts: Some((100, 5)),
            unlocks: Some((1, 2)),
            red_seconds: Some(4 * 3_600 + 1),
            brake_seconds: Some(24 * 3_600 + 1),
            blocked_in_a_row: Some(4),
        };
        assert_eq!(passed(bad), [Some(false); 7]);
    }

    #[test]
    fn what_nobody_knows_is_not_kept() {
        assert_eq!(passed(Values::default()), [None; 7]);
        assert!(!health(&Values::default(), Vec::new()).all_passed);
        let none_allowed = Values {
            unlocks: Some((0, 0)),
            attempts: Some((0, 0)),
            ..Values::default()
        };
        assert_eq!(passed(none_allowed)[2..4], [Some(true), Some(true)]);
    }
}
