//! The trust guard's policy: `policy/trust_guard_policy.json` (row OR-17).
//!
//! Absent means the defaults, and so does a key that is not there; other keys are other tools'
//! business. A document with a value that can't be used is refused as a whole: a guard whose
//! thresholds nobody knows locks, and a limit that nobody knows is reached.

use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::state_file;
use crate::diagnostic::{Checked, Code, Diagnostic, Warnings};
use crate::fs::Workspace;
use crate::signals::Percent;
use crate::signals::json::{Document, Member, member};

/// The document, relative to the workspace.
pub const FILE: &str = "policy/trust_guard_policy.json";

/// Manual unlocks a day where the document names no limit (row C-28).
const UNLOCKS: u64 = 3;

/// The longest window or term, in minutes: ten years.
const LONGEST: u64 = 10 * 366 * 24 * 60;

/// What the guard goes by.
#[derive(Debug, Clone, PartialEq)]
pub struct GuardPolicy {
    /// Integrity below this locks.
    pub integrity: Percent,
    /// Consensus below this locks.
    pub consensus: Percent,
    /// Reputation below this locks.
    pub reputation: Percent,
    /// A lock stays at least so long.
    pub lock_window: TimeDelta,
    /// How long after locking the guard may unlock by itself.
    pub auto_unlock_after: TimeDelta,
    /// How many manual unlocks a day are allowed.
    pub unlocks: u64,
}

impl Default for GuardPolicy {
    fn default() -> Self {
        Self {
            integrity: Percent::whole(90),
            consensus: Percent::whole(92),
            reputation: Percent::whole(85),
            lock_window: TimeDelta::minutes(60),
            auto_unlock_after: TimeDelta::minutes(1440),
            unlocks: UNLOCKS,
        }
    }
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow, default, deserialize_with = "member")]
    thresholds: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    lock_window_minutes: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    auto_unlock_after_minutes: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    manual_unlock_daily_limit: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    max_manual_unlocks_per_day: Member<'a>,
}

#[derive(Deserialize)]
struct RawThresholds<'a> {
    #[serde(borrow, default, deserialize_with = "member")]
    integrity: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    weighted_consensus: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    reputation_index: Member<'a>,
}

/// Reads the document, and what is odd about it.
pub fn load(workspace: &Workspace) -> Checked<(GuardPolicy, Vec<Diagnostic>)> {
    let Some(bytes) = state_file::read(workspace, FILE)? else {
        return Ok((GuardPolicy::default(), Vec::new()));
    };
    let mut warnings = Warnings::default();
    let policy = parse(&state_file::document(FILE, &bytes)?, &mut warnings)?;
    Ok((policy, warnings.into_vec()))
}

fn parse(document: &Document<'_>, warnings: &mut Warnings) -> Checked<GuardPolicy> {
    let raw: Raw<'_> = document.object()?;
    let mut policy = GuardPolicy::default();
    if let Some(thresholds) = raw.thresholds {
        read_thresholds(document, thresholds, &mut policy, warnings)?;
    }
    if let Some(raw) = raw.lock_window_minutes {
        policy.lock_window = minutes(document, raw, "$.lock_window_minutes")?;
    }
    if let Some(raw) = raw.auto_unlock_after_minutes {
        policy.auto_unlock_after = minutes(document, raw, "$.auto_unlock_after_minutes")?;
    }
    let limits = [
        (raw.manual_unlock_daily_limit, "$.manual_unlock_daily_limit"),
        (
            raw.max_manual_unlocks_per_day,
            "$.max_manual_unlocks_per_day",
        ),
    ];
    let mut named = Vec::new();
    for (member, path) in limits {
        if let Some(raw) = member {
            named.push(whole(document, raw, path)?);
        }
    }
    policy.unlocks = named.into_iter().min().unwrap_or(UNLOCKS);
    Ok(policy)
}

fn read_thresholds<'a>(
    document: &Document<'a>,
    raw: &'a RawValue,
    policy: &mut GuardPolicy,
    warnings: &mut Warnings,
) -> Checked<()> {
    let raw: RawThresholds<'_> = document.object_at(raw, "$.thresholds")?;
    let members = [
        (
            raw.integrity,
            "$.thresholds.integrity",
            &mut policy.integrity,
        ),
        (
            raw.weighted_consensus,
            "$.thresholds.weighted_consensus",
            &mut policy.consensus,
        ),
        (
            raw.reputation_index,
            "$.thresholds.reputation_index",
            &mut policy.reputation,
        ),
    ];
    for (member, path, threshold) in members {
        if let Some(raw) = member {
            *threshold = document.percent(raw, path, warnings)?;
        }
    }
    Ok(())
}

/// A whole number; one written as text is none, since a limit is no measurement.
pub(super) fn whole(document: &Document<'_>, raw: &RawValue, path: &str) -> Checked<u64> {
    if raw.get().starts_with('"') {
        return Err(Box::new(
            Diagnostic::new(
                Code::ValueType,
                document.place(raw.get(), path),
                format!("`{}` is no number", path.trim_start_matches("$.")),
            )
            .found(format!("the text {}", raw.get()))
            .expected("a whole number from 0 on")
            .help("write the number without quotes"),
        ));
    }
    document.count(raw, path)
}

fn minutes(document: &Document<'_>, raw: &RawValue, path: &str) -> Checked<TimeDelta> {
    let count = whole(document, raw, path)?;
    let minutes = i64::try_from(count)
        .ok()
        .filter(|_| count <= LONGEST)
        .and_then(TimeDelta::try_minutes);
    minutes.ok_or_else(|| {
        Box::new(
            Diagnostic::new(
                Code::ValueRange,
                document.place(raw.get(), path),
                format!("`{}` is out of range", path.trim_start_matches("$.")),
            )
            .found(format!("`{}`", raw.get()))
            .expected(format!("a number of minutes from 0 to {LONGEST}"))
            .help("correct the value"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Checked<GuardPolicy> {
        let document = state_file::document(FILE, text.as_bytes())?;
        parse(&document, &mut Warnings::default())
    }

    #[test]
    fn keys_replace_defaults_and_others_are_passed_over() {
        assert_eq!(
            read("{\"owner\": 7, \"thresholds\": {}}").unwrap(),
            GuardPolicy::default()
        );
        let policy = read(
            r#"{"thresholds": {"integrity": 91, "weighted_consensus": 80.5, "reputation_index": 0, "other": "x"},
                "lock_window_minutes": 0, "auto_unlock_after_minutes": 30, "max_manual_unlocks_per_day": 0}"#,
        );
        let expected = GuardPolicy {
            integrity: Percent::whole(91),
            consensus: Percent::new(80.5).unwrap(),
            reputation: Percent::whole(0),
            lock_window: TimeDelta::zero(),
            auto_unlock_after: TimeDelta::minutes(30),
            unlocks: 0,
        };
        assert_eq!(policy.unwrap(), expected);
    }

    #[test]
    fn the_smaller_limit_wins() {
        let both = |one: &str, other: &str| {
            let text = format!(
                r#"{{"manual_unlock_daily_limit": {one}, "max_manual_unlocks_per_day": {other}}}"#
            );
            read(&text).map(|policy| policy.unlocks)
        };
        assert_eq!(both("3", "2").unwrap(), 2);
        assert_eq!(both("1", "2").unwrap(), 1);
        assert!(both("3", "\"2\"").is_err());
        assert!(both("null", "2").is_err());
    }

    #[test]
    fn one_value_that_cannot_be_used_refuses_the_document() {
        for text in [
            "",
            "null",
            "[]",
            "{",
            r#"{"thresholds": []}"#,
            r#"{"thresholds": {"integrity": NaN}}"#,
            r#"{"thresholds": {"integrity": 100.1}}"#,
            r#"{"thresholds": {"integrity": -1}}"#,
            r#"{"thresholds": {"reputation_index": null}}"#,
            r#"{"thresholds": {"integrity": 90, "integrity": 10}}"#,
            r#"{"lock_window_minutes": -1}"#,
            r#"{"lock_window_minutes": 0.5}"#,
            r#"{"auto_unlock_after_minutes": 1e15}"#,
            r#"{"auto_unlock_after_minutes": "1440"}"#,
            r#"{"max_manual_unlocks_per_day": 2.5}"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
