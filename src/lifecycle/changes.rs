//! What another policy would change, line by line, and which of its lines are looser (pure).
//!
//! Looser is what fires less, demands less, or is no longer looked at. What can't be compared counts
//! as looser: somebody has to look at it.

use serde::Serialize;

use crate::policy::trigger::{Side, Way};
use crate::policy::{Condition, Floor, Hysteresis, Level, Policy, SignalRule, Trigger};
use crate::signals::Value;

/// One line that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Change {
    /// Which: a trigger's code, a signal's name, a part of the document.
    pub what: String,
    /// As it decides now; `None` where it is new.
    pub from: Option<String>,
    /// As it would decide; `None` where it is gone.
    pub to: Option<String>,
    /// Why it is looser; `None` where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loosened: Option<&'static str>,
}

impl Change {
    /// One line for a person.
    pub(super) fn in_words(&self) -> String {
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => format!("{}: {from} -> {to}", self.what),
            (None, Some(to)) => format!("{}: new: {to}", self.what),
            (Some(from), None) => format!("{}: gone: {from}", self.what),
            (None, None) => self.what.clone(),
        }
    }
}

/// Every line in which `new` differs from `old`.
pub(super) fn between(old: &Policy, new: &Policy) -> Vec<Change> {
    let mut changes = Vec::new();
    levels(old, new, &mut changes);
    signals(old, new, &mut changes);
    triggers(old, new, &mut changes);
    hysteresis(old, new, &mut changes);
    waivers(old, new, &mut changes);
    changes
}

fn levels(old: &Policy, new: &Policy, changes: &mut Vec<Change>) {
    let names = |policy: &Policy| {
        let levels = policy.levels();
        let names: Vec<&str> = levels.iter().map(Level::name).collect();
        names.join(", ")
    };
    let (from, to) = (names(old), names(new));
    if from != to {
        changes.push(Change {
            what: "levels".to_owned(),
            from: Some(from),
            to: Some(to),
            loosened: None,
        });
    }
}

fn signals(old: &Policy, new: &Policy, changes: &mut Vec<Change>) {
    for rule in old.signals() {
        let what = format!("signal {}", rule.name);
        let from = Some(of_rule(rule));
        match new.signal(&rule.name) {
            None => changes.push(Change {
                what,
                from,
                to: None,
                loosened: Some("the signal is no longer listed"),
            }),
            Some(other) if other != rule => changes.push(Change {
                what,
                from,
                to: Some(of_rule(other)),
                loosened: looser_rule(rule, other),
            }),
            Some(_) => {}
        }
    }
    let added = new.signals().iter();
    for rule in added.filter(|rule| old.signal(&rule.name).is_none()) {
        let assumes = rule.on_missing.level().is_none() || rule.on_stale.level().is_none();
        changes.push(Change {
            what: format!("signal {}", rule.name),
            from: None,
            to: Some(of_rule(rule)),
            loosened: assumes.then_some("a signal is taken for healthy without a report"),
        });
    }
}

fn of_rule(rule: &SignalRule) -> String {
    let floor = |floor: &Floor| {
        let level = floor.level();
        level.map_or_else(|| "assume_healthy".to_owned(), Level::to_string)
    };
    let mut text = format!(
        "missing {}, stale {}, invalid {}",
        floor(&rule.on_missing),
        floor(&rule.on_stale),
        rule.on_invalid
    );
    if let Some(max_age) = rule.max_age {
        let age = crate::time::in_words(max_age);
        text.push_str(&format!(", stale after {age}"));
    }
    if let Some(declared) = &rule.declared {
        text.push_str(&format!(", read from {}", declared.file));
    }
    text
}

fn looser_rule(old: &SignalRule, new: &SignalRule) -> Option<&'static str> {
    let lower = |old: &Floor, new: &Floor| new.level() < old.level();
    if lower(&old.on_missing, &new.on_missing) || lower(&old.on_stale, &new.on_stale) {
        let assumes = new.on_missing.level().is_none() || new.on_stale.level().is_none();
        return Some(if assumes {
            "a signal is taken for healthy without a report"
        } else {
            "the silence of a signal demands less"
        });
    }
    if new.on_invalid < old.on_invalid {
        return Some("a signal that can't be read demands less");
    }
    if new.declared != old.declared {
        return Some("a signal is read in another way");
    }
    let older = match (old.max_age, new.max_age) {
        (Some(old), Some(new)) => new > old,
        (Some(_), None) => true,
        (None, _) => false,
    };
    older.then_some("an older report counts")
}

fn triggers(old: &Policy, new: &Policy, changes: &mut Vec<Change>) {
    let find = |policy: &'_ Policy, code| -> Option<Trigger> {
        let mut triggers = policy.triggers().iter();
        triggers.find(|trigger| trigger.code == code).cloned()
    };
    for trigger in old.triggers() {
        let what = trigger.code.to_string();
        let from = Some(of_trigger(trigger));
        match find(new, trigger.code.clone()) {
            None => changes.push(Change {
                what,
                from,
                to: None,
                loosened: Some("the trigger is gone"),
            }),
            Some(other) if other != *trigger => changes.push(Change {
                what,
                from,
                to: Some(of_trigger(&other)),
                loosened: looser_trigger(trigger, &other),
            }),
            Some(_) => {}
        }
    }
    for trigger in new.triggers() {
        if find(old, trigger.code.clone()).is_none() {
            changes.push(Change {
                what: trigger.code.to_string(),
                from: None,
                to: Some(of_trigger(trigger)),
                loosened: None,
            });
        }
    }
}

/// A trigger in words.
pub(super) fn of_trigger(trigger: &Trigger) -> String {
    let condition = match &trigger.condition {
        Condition::Is(value) => format!("is {value}"),
        Condition::OneOf(values) => {
            let values: Vec<String> = values.iter().map(Value::to_string).collect();
            format!("is one of {}", values.join(", "))
        }
        other => other.in_words().unwrap_or_default(),
    };
    match &trigger.signal {
        Some(signal) => format!("{} where {signal} {condition}", trigger.level),
        None => format!("{} where {condition}", trigger.level),
    }
}

fn looser_trigger(old: &Trigger, new: &Trigger) -> Option<&'static str> {
    if new.level < old.level {
        return Some("the trigger demands less");
    }
    if new.condition == old.condition && new.signal == old.signal {
        return None;
    }
    if new.signal != old.signal {
        return Some("the trigger looks at something else");
    }
    match covers(&new.condition, &old.condition) {
        Some(true) => None,
        Some(false) => Some("the trigger fires less"),
        None => Some("the condition is another one"),
    }
}

/// Does `wide` hold wherever `narrow` does? `None` where nobody can tell.
pub(super) fn covers(wide: &Condition, narrow: &Condition) -> Option<bool> {
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

fn hysteresis(old: &Policy, new: &Policy, changes: &mut Vec<Change>) {
    let (from, to) = (old.hysteresis(), new.hysteresis());
    if from == to {
        return;
    }
    let looser = match (from, to) {
        (None, _) => false,
        (Some(Hysteresis::Evaluations(old)), Some(Hysteresis::Evaluations(new))) => new < old,
        (Some(Hysteresis::Time(old)), Some(Hysteresis::Time(new))) => new < old,
        (Some(_), _) => true,
    };
    let words = |hysteresis: Option<Hysteresis>| {
        hysteresis.map(|hysteresis| match hysteresis {
            Hysteresis::Evaluations(count) => format!("falls after {count} evaluations"),
            Hysteresis::Time(time) => format!("falls after {}", crate::time::in_words(time)),
        })
    };
    changes.push(Change {
        what: "hysteresis".to_owned(),
        from: words(from),
        to: words(to),
        loosened: looser.then_some("a level falls sooner"),
    });
}

fn waivers(old: &Policy, new: &Policy, changes: &mut Vec<Change>) {
    let words = |waiver: &crate::policy::Waiver| {
        format!(
            "waived until {} by {} ({})",
            waiver.expires, waiver.by, waiver.ticket
        )
    };
    for waiver in new.waivers() {
        let mut before = old.waivers().iter();
        let before = before.find(|known| known.trigger == waiver.trigger);
        if before == Some(waiver) {
            continue;
        }
        let sooner = before.is_some_and(|before| waiver.expires <= before.expires);
        changes.push(Change {
            what: format!("waiver of {}", waiver.trigger),
            from: before.map(words),
            to: Some(words(waiver)),
            loosened: (!sooner).then_some("a trigger does not count for a while"),
        });
    }
    for waiver in old.waivers() {
        let mut after = new.waivers().iter();
        if !after.any(|known| known.trigger == waiver.trigger) {
            changes.push(Change {
                what: format!("waiver of {}", waiver.trigger),
                from: Some(words(waiver)),
                to: None,
                loosened: None,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::document;

    fn policy(text: &str) -> Policy {
        document::parse("policy.yaml", text.as_bytes()).unwrap()
    }

    fn changed(old: &str, new: &str) -> Vec<Change> {
        assert!(document::TEMPLATE.contains(old), "{old}");
        let changed = document::TEMPLATE.replace(old, new);
        between(&policy(document::TEMPLATE), &policy(&changed))
    }

    #[test]
    fn the_same_policy_changes_nothing() {
        assert_eq!(
            between(&policy(document::TEMPLATE), &document::reference()),
            []
        );
    }

    #[test]
    fn each_change_is_named_and_called_looser_where_it_is() {
        let table: [(&str, &str, &str, Option<&str>); 9] = [
            ("below: 95", "below: 96", "INTEGRITY_BELOW_YELLOW", None),
            (
                "below: 95",
                "below: 94",
                "INTEGRITY_BELOW_YELLOW",
                Some("the trigger fires less"),
            ),
            ("at_least: 4", "at_least: 3", "RESPONSES_AT_YELLOW", None),
            (
                "at_least: 4",
                "at_least: 5",
                "RESPONSES_AT_YELLOW",
                Some("the trigger fires less"),
            ),
            (
                "at_least: 4",
                "above: 4",
                "RESPONSES_AT_YELLOW",
                Some("the trigger fires less"),
            ),
            (
                "level: RED\n      below: 85",
                "level: YELLOW\n      below: 85",
                "CONSENSUS_BELOW_RED",
                Some("the trigger demands less"),
            ),
            (
                "    - name: reputation\n",
                "    - {name: reputation, on_missing: assume_healthy}\n",
                "signal reputation",
                Some("a signal is taken for healthy without a report"),
            ),
            (
                "    - name: reputation\n",
                "    - {name: reputation, on_missing: RED}\n",
                "signal reputation",
                None,
            ),
            (
                "  # hysteresis: {evaluations: 3}",
                "  hysteresis: {evaluations: 3}",
                "hysteresis",
                None,
            ),
        ];
        for (old, new, what, loosened) in table {
            let changes = changed(old, new);
            assert_eq!(changes.len(), 1, "{new}: {changes:?}");
            assert_eq!(
                (changes[0].what.as_str(), changes[0].loosened),
                (what, loosened),
                "{new}"
            );
        }
    }

    #[test]
    fn a_signal_that_goes_and_a_waiver_are_looser() {
        let gone = document::TEMPLATE
            .replace("    - name: reputation\n", "")
            .replace(
                "    - code: REPUTATION_BELOW_YELLOW\n      signal: reputation\n      level: YELLOW\n      below: 80\n",
                "",
            );
        let changes = between(&policy(document::TEMPLATE), &policy(&gone));
        let loosened: Vec<_> = changes
            .iter()
            .filter_map(|change| change.loosened)
            .collect();
        assert_eq!(
            loosened,
            ["the signal is no longer listed", "the trigger is gone"]
        );
        let waived = format!(
            "{}  waivers:\n    - {{trigger: FORECAST_MEDIUM, reason: r, by: b, ticket: t, expires: 2026-12-31}}\n",
            document::TEMPLATE
        );
        let changes = between(&policy(document::TEMPLATE), &policy(&waived));
        assert_eq!(
            changes[0].loosened,
            Some("a trigger does not count for a while")
        );
        let back = between(&policy(&waived), &policy(document::TEMPLATE));
        assert_eq!((back.len(), back[0].loosened), (1, None));
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
