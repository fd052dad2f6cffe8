//! Conflicts within a policy (pure): triggers that another one covers, and waivers that are dead.
//!
//! What can't even be read as a policy is found when it is parsed.

use crate::policy::trigger::{Side, Way};
use crate::policy::{Condition, Policy};
use crate::signals::Value;
use crate::time::Timestamp;

/// Each conflict in a clause.
pub(super) fn within(policy: &Policy, at: Timestamp) -> Vec<String> {
    let mut conflicts = Vec::new();
    let triggers = policy.triggers();
    for (place, trigger) in triggers.iter().enumerate() {
        let covering = triggers.iter().enumerate().find(|(other_place, other)| {
            let graver =
                other.level > trigger.level || other.level == trigger.level && *other_place < place;
            graver
                && *other_place != place
                && trigger.signal.is_some()
                && other.signal == trigger.signal
                && covers(&other.condition, &trigger.condition) == Some(true)
        });
        if let Some((_, other)) = covering {
            conflicts.push(format!(
                "{} never decides: wherever it fires, {} does, which demands {}",
                trigger.code, other.code, other.level
            ));
        }
    }
    for waiver in policy.waivers() {
        if !waiver.is_in_force(at) {
            conflicts.push(format!(
                "the waiver of {} expired on {}",
                waiver.trigger, waiver.expires
            ));
        }
    }
    conflicts
}

/// Does `wide` hold wherever `narrow` does? `None` where nobody can tell.
fn covers(wide: &Condition, narrow: &Condition) -> Option<bool> {
    use Condition::{Above, AtLeast, AtMost, Below, Changed, Is, Median, OneOf};
    let number = |value: &Value| value.as_number();
    match (wide, narrow) {
        (Below(wide), Below(narrow)) | (AtMost(wide), AtMost(narrow) | Below(narrow)) => {
            Some(number(wide)? >= number(narrow)?)
        }
        (Below(wide), AtMost(narrow)) => Some(number(wide)? > number(narrow)?),
        (Above(wide), Above(narrow)) | (AtLeast(wide), AtLeast(narrow) | Above(narrow)) => {
            Some(number(wide)? <= number(narrow)?)
        }
        (Above(wide), AtLeast(narrow)) => Some(number(wide)? < number(narrow)?),
        (Is(wide), Is(narrow)) => Some(wide == narrow),
        (OneOf(wide), Is(narrow)) => Some(wide.contains(narrow)),
        (OneOf(wide), OneOf(narrow)) => Some(narrow.iter().all(|value| wide.contains(value))),
        (Is(wide), OneOf(narrow)) => Some(narrow.iter().all(|value| value == wide)),
        (Changed(wide), Changed(narrow)) => {
            let ways = wide.way == narrow.way || wide.way == Way::Changes;
            Some(ways && wide.more_than <= narrow.more_than && wide.within >= narrow.within)
        }
        (Median(wide), Median(narrow)) if wide.side == narrow.side && wide.last == narrow.last => {
            Some(match wide.side {
                Side::Below => wide.ratio >= narrow.ratio,
                Side::Above => wide.ratio <= narrow.ratio,
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::document;

    fn conflicts(from: &str, to: &str) -> Vec<String> {
        let at = Timestamp::read("2026-01-15T12:00:00Z").unwrap().time;
        let text = document::TEMPLATE.replace(from, to);
        within(&document::parse("a.yaml", text.as_bytes()).unwrap(), at)
    }

    #[test]
    fn the_reference_policy_has_none() {
        assert_eq!(conflicts("", ""), Vec::<String>::new());
    }

    #[test]
    fn a_yellow_line_that_is_the_red_one_never_decides() {
        let found = conflicts("below: 95", "below: 90");
        assert_eq!(
            found,
            [
                "INTEGRITY_BELOW_YELLOW never decides: wherever it fires, INTEGRITY_BELOW_RED does, which demands RED"
            ]
        );
        assert_eq!(conflicts("at_least: 4", "at_least: 8").len(), 1);
        assert_eq!(conflicts("at_least: 4", "at_least: 7").len(), 0);
    }

    #[test]
    fn an_expired_waiver_is_dead() {
        let found = conflicts(
            "  # hysteresis",
            "  waivers:\n    - {trigger: FORECAST_MEDIUM, reason: r, by: b, ticket: t, expires: 2025-12-31}\n  # hysteresis",
        );
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn a_condition_covers_what_it_holds_wherever() {
        let percent = |number| Value::Percent(crate::signals::Percent::new(number).unwrap());
        let (low, high) = (percent(80.0), percent(90.0));
        let table = [
            (Condition::Below(high), Condition::Below(low), Some(true)),
            (Condition::Below(low), Condition::Below(high), Some(false)),
            (Condition::Below(low), Condition::AtMost(low), Some(false)),
            (Condition::AtMost(low), Condition::Below(low), Some(true)),
            (Condition::Above(low), Condition::AtLeast(low), Some(false)),
            (Condition::AtLeast(low), Condition::Above(low), Some(true)),
            (Condition::Above(low), Condition::Below(low), None),
        ];
        for (wide, narrow, expected) in table {
            assert_eq!(covers(&wide, &narrow), expected, "{wide:?} {narrow:?}");
        }
    }
}
