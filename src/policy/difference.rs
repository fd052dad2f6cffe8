//! What differs between two policies in meaning, not in text: signals, levels, triggers, waivers,
//! windows, responses. Comments, order and descriptions mean nothing here. Pure.

use serde::Serialize;

use super::freeze::Window;
use super::responses::{Action, List, Section, TIMEOUT};
use super::source::collect::Field;
use super::{Condition, Floor, Hysteresis, Level, Policy, SignalRule, Trigger, Waiver};
use crate::signals::Word;
use crate::signals::declared::{Declared, Kind, Source};
use crate::time::in_words;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What it is about: `trigger INTEGRITY_BELOW_RED`, `signal coverage`.
    pub what: String,
    /// What it was; absent for what is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What it is; absent for what is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Whether more or less is demanded.
    pub direction: Direction,
}

/// Whether a difference demands more or less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Whatever was demanded still is, and perhaps more.
    Stricter,
    /// Something that was demanded is not any more.
    Looser,
    /// Neither, or both: that depends on the values.
    Open,
}

impl Direction {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stricter => "stricter",
            Self::Looser => "looser",
            Self::Open => "open",
        }
    }
}

/// The differences from one policy to another: levels, signals, triggers, what is left out.
pub fn between(old: &Policy, new: &Policy) -> Vec<Difference> {
    let mut found = Vec::new();
    levels(old, new, &mut found);
    each(
        &old.signals,
        &new.signals,
        |rule| rule.name.to_string(),
        &mut found,
        &SIGNALS,
    );
    each(
        &old.triggers,
        &new.triggers,
        |trigger| trigger.code.to_string(),
        &mut found,
        &TRIGGERS,
    );
    hysteresis(old.hysteresis, new.hysteresis, &mut found);
    each(
        &old.waivers,
        &new.waivers,
        |waiver| waiver.trigger.to_string(),
        &mut found,
        &WAIVERS,
    );
    each(
        old.freeze.windows(),
        new.freeze.windows(),
        |window| window.name().to_owned(),
        &mut found,
        &WINDOWS,
    );
    responses(old.responses(), new.responses(), &mut found);
    found
}

/// How things of one kind are compared.
struct Manner<T> {
    what: &'static str,
    in_words: fn(&T) -> String,
    same: fn(&T, &T) -> bool,
    /// What a new one does, and what one does that is gone.
    added: Direction,
    removed: Direction,
    changed: fn(&T, &T) -> Direction,
}

const SIGNALS: Manner<SignalRule> = Manner {
    what: "signal",
    in_words: signal,
    same: |old, new| old == new,
    // What nobody reported of it demands a level.
    added: Direction::Stricter,
    removed: Direction::Looser,
    changed: signal_direction,
};

const TRIGGERS: Manner<Trigger> = Manner {
    what: "trigger",
    in_words: trigger,
    same: |old, new| old == new,
    added: Direction::Stricter,
    removed: Direction::Looser,
    changed: trigger_direction,
};

const WAIVERS: Manner<Waiver> = Manner {
    what: "waiver of",
    in_words: |waiver| {
        let Waiver {
            reason,
            by,
            ticket,
            expires,
            ..
        } = waiver;
        format!("until {expires} by {by} ({ticket}): {reason}")
    },
    same: |old, new| old == new,
    added: Direction::Looser,
    removed: Direction::Stricter,
    changed: |old, new| by_order(new.expires.cmp(&old.expires)),
};

const WINDOWS: Manner<Window> = Manner {
    what: "freeze window",
    in_words: window,
    same: |old, new| old == new,
    added: Direction::Open,
    removed: Direction::Open,
    changed: |_, _| Direction::Open,
};

const ACTIONS: Manner<Action> = Manner {
    what: "response",
    in_words: action,
    // Places are no part of the meaning.
    same: |old, new| action(old) == action(new),
    added: Direction::Open,
    removed: Direction::Open,
    changed: |_, _| Direction::Open,
};

/// More of something that takes away is looser.
fn by_order(order: std::cmp::Ordering) -> Direction {
    match order {
        std::cmp::Ordering::Greater => Direction::Looser,
        std::cmp::Ordering::Less => Direction::Stricter,
        std::cmp::Ordering::Equal => Direction::Open,
    }
}

fn each<T>(
    old: &[T],
    new: &[T],
    name: impl Fn(&T) -> String,
    found: &mut Vec<Difference>,
    manner: &Manner<T>,
) {
    let what = |item: &T| format!("{} {}", manner.what, name(item));
    for item in old {
        let Some(other) = new.iter().find(|other| name(other) == name(item)) else {
            found.push(Difference {
                what: what(item),
                from: Some((manner.in_words)(item)),
                to: None,
                direction: manner.removed,
            });
            continue;
        };
        if !(manner.same)(item, other) {
            found.push(Difference {
                what: what(item),
                from: Some((manner.in_words)(item)),
                to: Some((manner.in_words)(other)),
                direction: (manner.changed)(item, other),
            });
        }
    }
    let is_new = |item: &&T| !old.iter().any(|other| name(other) == name(item));
    found.extend(new.iter().filter(is_new).map(|item| Difference {
        what: what(item),
        from: None,
        to: Some((manner.in_words)(item)),
        direction: manner.added,
    }));
}

fn levels(old: &Policy, new: &Policy, found: &mut Vec<Difference>) {
    let names =
        |policy: &Policy| -> Vec<String> { policy.levels().iter().map(Level::to_string).collect() };
    let (old, new) = (names(old), names(new));
    if old != new {
        found.push(Difference {
            what: "levels".to_owned(),
            from: Some(old.join(" < ")),
            to: Some(new.join(" < ")),
            direction: Direction::Open,
        });
    }
}

fn hysteresis(old: Option<Hysteresis>, new: Option<Hysteresis>, found: &mut Vec<Difference>) {
    if old == new {
        return;
    }
    let words = |hysteresis: Hysteresis| match hysteresis {
        Hysteresis::Evaluations(count) => format!("a level falls after {count} evaluations"),
        Hysteresis::Time(time) => format!("a level falls after {}", in_words(time)),
    };
    let direction = match (old, new) {
        (None, _) => Direction::Stricter,
        (_, None) => Direction::Looser,
        (Some(Hysteresis::Evaluations(old)), Some(Hysteresis::Evaluations(new))) => {
            by_order(old.cmp(&new))
        }
        (Some(Hysteresis::Time(old)), Some(Hysteresis::Time(new))) => by_order(old.cmp(&new)),
        _ => Direction::Open,
    };
    found.push(Difference {
        what: "hysteresis".to_owned(),
        from: old.map(words),
        to: new.map(words),
        direction,
    });
}

fn trigger(trigger: &Trigger) -> String {
    let condition = match &trigger.condition {
        Condition::Is(value) => format!("is {value}"),
        Condition::OneOf(values) => {
            let values: Vec<String> = values.iter().map(ToString::to_string).collect();
            format!("is one of {}", values.join(", "))
        }
        condition => condition.in_words().unwrap_or_default(),
    };
    let signal = trigger
        .signal
        .as_ref()
        .map_or(String::new(), |signal| format!("{signal} "));
    format!("{} where {signal}{condition}", trigger.level)
}

fn trigger_direction(old: &Trigger, new: &Trigger) -> Direction {
    let level = new.level.cmp(&old.level);
    let condition = if old.signal == new.signal {
        reach(&old.condition, &new.condition)
    } else {
        None
    };
    match (level, condition) {
        (std::cmp::Ordering::Equal, Some(reach)) => by_order(reach.reverse()),
        (level, Some(std::cmp::Ordering::Equal)) => by_order(level.reverse()),
        (level, Some(reach)) if level == reach => by_order(level.reverse()),
        _ => Direction::Open,
    }
}

/// Greater where the new condition fires on more values than the old one, and on all of its.
fn reach(old: &Condition, new: &Condition) -> Option<std::cmp::Ordering> {
    use Condition::{Above, AtLeast, AtMost, Below};
    if old == new {
        return Some(std::cmp::Ordering::Equal);
    }
    let line = |condition: &Condition| {
        condition
            .threshold()
            .and_then(crate::signals::Value::as_number)
    };
    match (old, new) {
        (Below(_), Below(_)) | (AtMost(_), AtMost(_)) => line(new)?.partial_cmp(&line(old)?),
        (Above(_), Above(_)) | (AtLeast(_), AtLeast(_)) => line(old)?.partial_cmp(&line(new)?),
        _ => None,
    }
}

fn signal(rule: &SignalRule) -> String {
    let mut parts = Vec::new();
    parts.push(
        rule.declared
            .as_ref()
            .map_or("built in".to_owned(), declared),
    );
    if let Some(age) = rule.max_age {
        parts.push(format!(
            "stale after {}, which demands {}",
            in_words(age),
            floor(&rule.on_stale)
        ));
    }
    parts.push(format!("missing demands {}", floor(&rule.on_missing)));
    if rule.on_invalid != Level::RED {
        parts.push(format!("unreadable demands {}", rule.on_invalid));
    }
    parts.join("; ")
}

fn signal_direction(old: &SignalRule, new: &SignalRule) -> Direction {
    if old.declared != new.declared {
        return Direction::Open;
    }
    let demand = |floor: &Floor| floor.level().cloned().unwrap_or(Level::GREEN);
    let orders = [
        demand(&old.on_missing).cmp(&demand(&new.on_missing)),
        demand(&old.on_stale).cmp(&demand(&new.on_stale)),
        old.on_invalid.cmp(&new.on_invalid),
        match (old.max_age, new.max_age) {
            (None, Some(_)) => std::cmp::Ordering::Less,
            (Some(_), None) => std::cmp::Ordering::Greater,
            (old, new) => new.cmp(&old),
        },
    ];
    let looser = orders.contains(&std::cmp::Ordering::Greater);
    let stricter = orders.contains(&std::cmp::Ordering::Less);
    match (looser, stricter) {
        (true, false) => Direction::Looser,
        (false, true) => Direction::Stricter,
        _ => Direction::Open,
    }
}

fn responses(old: Option<&Section>, new: Option<&Section>, found: &mut Vec<Difference>) {
    let planned = |section: Option<&Section>| section.is_none_or(Section::builtin);
    let words = |planned: bool| if planned { "planned" } else { "left out" };
    let (before, after) = (planned(old), planned(new));
    if before != after {
        found.push(Difference {
            what: "native actions".to_owned(),
            from: Some(words(before).to_owned()),
            to: Some(words(after).to_owned()),
            direction: Direction::Open,
        });
    }
    let actions = |section: Option<&Section>| -> Vec<Action> {
        let all = section.into_iter().flat_map(Section::actions);
        all.map(|(_, action)| action.clone()).collect()
    };
    let name = |action: &Action| action.name.get().cloned().unwrap_or_default();
    each(&actions(old), &actions(new), name, found, &ACTIONS);
}

fn action(action: &Action) -> String {
    let level = action.level.get().map_or("", String::as_str);
    let mut parts = vec![format!("at {level}: {}", list(&action.argv))];
    if let Some(directory) = action.directory.get().filter(|name| !name.is_empty()) {
        parts.push(format!("in {directory}"));
    }
    for (what, list_of) in [
        ("gets", &action.environment),
        ("changes", &action.changes),
        ("creates", &action.creates),
    ] {
        if list_of.get().is_some_and(|items| !items.is_empty()) {
            parts.push(format!("{what} {}", list(list_of)));
        }
    }
    if action.reversible.get() == Some(&true) {
        parts.push("can be taken back".to_owned());
    }
    let timeout = action.timeout_seconds.get().map(ToString::to_string);
    let timeout = timeout.unwrap_or_else(|| TIMEOUT.to_string());
    parts.push(format!("ended after {timeout} s"));
    if let Some(cooldown) = action.cooldown_seconds.get().filter(|time| **time > 0.0) {
        parts.push(format!("left out for {cooldown} s after a success"));
    }
    parts.join("; ")
}

/// The texts of a list, each in quotes, so that two words are not taken for one.
fn list(list: &List<String>) -> String {
    let items: Vec<&String> = list
        .get()
        .into_iter()
        .flatten()
        .filter_map(Field::get)
        .collect();
    format!("{items:?}")
}

fn window(window: &Window) -> String {
    format!(
        "{} at `{}` ({}) for {}: {}",
        window.mode().as_str(),
        window.cron(),
        window.timezone(),
        window.duration(),
        window.reason()
    )
}

fn floor(floor: &Floor) -> String {
    floor.level().map_or("nothing".to_owned(), Level::to_string)
}

fn declared(declared: &Declared) -> String {
    let kind = match &declared.kind {
        Kind::Percent => "a percentage".to_owned(),
        Kind::Number { unit, .. } if unit.is_empty() => "a number".to_owned(),
        Kind::Number { unit, .. } => format!("a number in {unit}"),
        Kind::Boolean => "true or false".to_owned(),
        Kind::Choice(words) => {
            let words: Vec<&str> = words.iter().map(Word::as_str).collect();
            format!("one of {}", words.join(", "))
        }
        Kind::Count => "a count".to_owned(),
        Kind::CountInWindow(window) => format!("entries within {}", in_words(*window)),
        Kind::Age => "an age".to_owned(),
    };
    let place = match &declared.source {
        Source::Json(pointer) | Source::Jsonl(pointer) => format!(" at {pointer}"),
        Source::Csv(column) => format!(" in the column {column}"),
        Source::File => String::new(),
    };
    format!("{kind} from {}{place}", declared.file)
}

#[cfg(test)]
mod tests {
    use super::super::document;
    use super::*;

    fn parse(text: &str) -> Policy {
        document::parse("policy/policy.yaml", text.as_bytes()).unwrap()
    }

    fn told(old: &str, new: &str) -> Vec<String> {
        let shown = |difference: Difference| {
            let Difference {
                what,
                from,
                to,
                direction,
            } = difference;
            let side = |text: Option<String>| text.unwrap_or_else(|| "nothing".to_owned());
            format!(
                "{what}: {} -> {} ({})",
                side(from),
                side(to),
                direction.as_str()
            )
        };
        between(&parse(old), &parse(new))
            .into_iter()
            .map(shown)
            .collect()
    }

    #[test]
    fn text_that_means_the_same_differs_in_nothing() {
        let other = document::TEMPLATE
            .replace("below: 90\n", "below: 90.0 # the same\n")
            .replace("name: reference", "name: ours");
        assert_eq!(told(document::TEMPLATE, &other), Vec::<String>::new());
        assert_eq!(
            between(&document::reference(), &parse(document::TEMPLATE)),
            []
        );
    }

    #[test]
    fn what_means_something_else_is_told_with_its_direction() {
        let other = document::TEMPLATE
            .replace("      below: 95\n", "      below: 96\n")
            .replace("      at_least: 8\n", "      at_least: 9\n")
            .replace("  # levels: [ORANGE]", "  levels: [ORANGE]")
            .replace("    - name: reputation\n", "    - {name: reputation, on_missing: assume_healthy}\n")
            .replace("  # hysteresis: {evaluations: 3}", "  hysteresis: {evaluations: 3}")
            .replace("    - code: FORECAST_MEDIUM\n      signal: forecast\n      level: YELLOW\n      equals: medium\n", "    - {code: BOTH, level: ORANGE, when: integrity < 97.0 && responses > 1.0}\n");
        assert_eq!(
            told(document::TEMPLATE, &other),
            [
                "levels: GREEN < YELLOW < RED -> GREEN < YELLOW < ORANGE < RED (open)",
                "signal reputation: built in; missing demands YELLOW -> built in; missing demands nothing (looser)",
                "trigger RESPONSES_AT_RED: RED where responses is at least 8 -> RED where responses is at least 9 (looser)",
                "trigger INTEGRITY_BELOW_YELLOW: YELLOW where integrity is below 95.0 -> YELLOW where integrity is below 96.0 (stricter)",
                "trigger FORECAST_MEDIUM: YELLOW where forecast is medium -> nothing (looser)",
                "trigger BOTH: nothing -> ORANGE where `integrity < 97.0 && responses > 1.0` holds (stricter)",
                "hysteresis: nothing -> a level falls after 3 evaluations (stricter)",
            ]
        );
    }
}
