//! Conflicts within a policy (pure): triggers that another one covers, and waivers that are dead.
//!
//! What can't even be read as a policy is found when it is parsed.

use super::changes::{covers, of_trigger};
use crate::policy::Policy;
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
                "{} never decides: {} covers it ({})",
                trigger.code,
                other.code,
                of_trigger(other)
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
                "INTEGRITY_BELOW_YELLOW never decides: INTEGRITY_BELOW_RED covers it (RED where integrity is below 90.0)"
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
}
