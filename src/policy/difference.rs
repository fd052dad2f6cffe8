//! What differs between two policies in meaning, not in text: signals, levels, triggers, waivers,
//! windows, responses. Comments, order and descriptions mean nothing here. Pure.

use std::cmp::Ordering;

use serde::Serialize;

use super::freeze::{Mode, Window};
use super::responses::{Action, Section, TIMEOUT};
use super::source::collect::{Field, List};
use super::trigger::{Changed, Median, Side, Way};
use super::{Condition, Floor, Hysteresis, Level, Policy, SignalRule, Trigger, Waiver};
use crate::ids::SignalName;
use crate::signals::declared::{Declared, Kind, Source};
use crate::signals::{Value, Word, number};
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
    let sides = Sides { old, new };
    levels(old, new, &mut found);
    each(
        old.signals(),
        new.signals(),
        |rule| rule.name.to_string(),
        sides,
        &mut found,
        &SIGNALS,
    );
    each(
        old.triggers(),
        new.triggers(),
        |trigger| trigger.code.to_string(),
        sides,
        &mut found,
        &TRIGGERS,
    );
    hysteresis(old.hysteresis(), new.hysteresis(), &mut found);
    each(
        old.waivers(),
        new.waivers(),
        |waiver| waiver.trigger.to_string(),
        sides,
        &mut found,
        &WAIVERS,
    );
    each(
        old.freeze().windows(),
        new.freeze().windows(),
        |window| window.name().to_owned(),
        sides,
        &mut found,
        &WINDOWS,
    );
    responses(old.responses(), new.responses(), sides, &mut found);
    found
}

/// The two policies. A level means what its policy's ladder makes of it, so levels of the two are
/// told apart by their names.
#[derive(Clone, Copy)]
struct Sides<'a> {
    old: &'a Policy,
    new: &'a Policy,
}

impl Sides<'_> {
    /// Greater where the new level is the graver one. `None` where the two ladders contradict each
    /// other, or neither has both levels.
    fn order(self, old: &Level, new: &Level) -> Option<Ordering> {
        if old.name() == new.name() {
            return Some(Ordering::Equal);
        }
        let on = |policy: &Policy| {
            let levels = policy.levels();
            let place =
                |level: &Level| levels.iter().position(|other| other.name() == level.name());
            Some(place(new)?.cmp(&place(old)?))
        };
        match (on(self.old), on(self.new)) {
            (Some(one), Some(other)) if one != other => None,
            (one, other) => other.or(one),
        }
    }
}

/// Greater where something is greater and nothing is less; `None` where that can't be said.
fn combined<const N: usize>(orders: [Option<Ordering>; N]) -> Option<Ordering> {
    orders
        .into_iter()
        .try_fold(Ordering::Equal, |all, order| match (all, order?) {
            (all, Ordering::Equal) => Some(all),
            (Ordering::Equal, order) => Some(order),
            (all, order) => (all == order).then_some(all),
        })
}

/// How things of one kind are compared.
struct Manner<T> {
    what: &'static str,
    in_words: fn(&T) -> String,
    same: fn(&T, &T) -> bool,
    /// What a new one does, and what one does that is gone.
    added: fn(&T) -> Direction,
    removed: fn(&T) -> Direction,
    changed: fn(&T, &T, Sides<'_>) -> Direction,
}

const SIGNALS: Manner<SignalRule> = Manner {
    what: "signal",
    in_words: signal,
    same: same_signal,
    // What nobody reported of it demands a level.
    added: |_| Direction::Stricter,
    removed: |_| Direction::Looser,
    changed: signal_direction,
};

const TRIGGERS: Manner<Trigger> = Manner {
    what: "trigger",
    in_words: trigger,
    same: |old, new| {
        old.signal == new.signal
            && old.level.name() == new.level.name()
            && reach(&old.condition, &new.condition, false) == Some(Ordering::Equal)
    },
    added: |_| Direction::Stricter,
    removed: |_| Direction::Looser,
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
    added: |_| Direction::Looser,
    removed: |_| Direction::Stricter,
    changed: |old, new, _| demanding(Some(old.expires.cmp(&new.expires))),
};

const WINDOWS: Manner<Window> = Manner {
    what: "freeze window",
    in_words: window,
    same: |old, new| old == new,
    // The first window that allows freezes all other times, a further one frees some.
    added: |window| match window.mode() {
        Mode::Deny => Direction::Stricter,
        Mode::Allow => Direction::Open,
    },
    removed: |window| match window.mode() {
        Mode::Deny => Direction::Looser,
        Mode::Allow => Direction::Open,
    },
    changed: |_, _, _| Direction::Open,
};

const ACTIONS: Manner<Action> = Manner {
    what: "response",
    in_words: action,
    // Places are no part of the meaning.
    same: |old, new| action(old) == action(new),
    added: |_| Direction::Open,
    removed: |_| Direction::Open,
    changed: |_, _, _| Direction::Open,
};

/// The direction of what demands more where the order is greater.
fn demanding(order: Option<Ordering>) -> Direction {
    match order {
        Some(Ordering::Greater) => Direction::Stricter,
        Some(Ordering::Less) => Direction::Looser,
        Some(Ordering::Equal) | None => Direction::Open,
    }
}

fn each<T>(
    old: &[T],
    new: &[T],
    name: impl Fn(&T) -> String,
    sides: Sides<'_>,
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
                direction: (manner.removed)(item),
            });
            continue;
        };
        if !(manner.same)(item, other) {
            found.push(Difference {
                what: what(item),
                from: Some((manner.in_words)(item)),
                to: Some((manner.in_words)(other)),
                direction: (manner.changed)(item, other, sides),
            });
        }
    }
    let is_new = |item: &&T| !old.iter().any(|other| name(other) == name(item));
    found.extend(new.iter().filter(is_new).map(|item| Difference {
        what: what(item),
        from: None,
        to: Some((manner.in_words)(item)),
        direction: (manner.added)(item),
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
            demanding(Some(new.cmp(&old)))
        }
        (Some(Hysteresis::Time(old)), Some(Hysteresis::Time(new))) => {
            demanding(Some(new.cmp(&old)))
        }
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

fn trigger_direction(old: &Trigger, new: &Trigger, sides: Sides<'_>) -> Direction {
    let condition = if old.signal == new.signal {
        let signal = new.signal.as_ref();
        let is_positive = signal.is_some_and(|signal| {
            is_never_negative(sides.old, signal) && is_never_negative(sides.new, signal)
        });
        reach(&old.condition, &new.condition, is_positive)
    } else {
        None
    };
    demanding(combined([sides.order(&old.level, &new.level), condition]))
}

/// True for a signal whose every value is 0 or more: then a larger ratio is a higher line.
fn is_never_negative(policy: &Policy, signal: &SignalName) -> bool {
    let declared = policy
        .signal(signal)
        .and_then(|rule| rule.declared.as_ref());
    match declared.map(|declared| &declared.kind) {
        Some(Kind::Number { min, .. }) => min.is_some_and(|min| min >= 0.0),
        _ => true,
    }
}

/// Greater where the new condition fires on more values than the old one, and on all of its.
fn reach(old: &Condition, new: &Condition, is_positive: bool) -> Option<Ordering> {
    use Condition::{Above, AtLeast, AtMost, Below, Changed, Median};
    if old == new {
        return Some(Ordering::Equal);
    }
    if let (Some(old), Some(new)) = (wanted(old), wanted(new)) {
        return supersets(old, new);
    }
    match (old, new) {
        (Below(_) | AtMost(_), Below(_) | AtMost(_))
        | (Above(_) | AtLeast(_), Above(_) | AtLeast(_)) => end(new)?.partial_cmp(&end(old)?),
        (Changed(old), Changed(new)) => reach_of_change(old, new),
        (Median(old), Median(new)) if is_positive => reach_of_median(old, new),
        _ => None,
    }
}

/// How far a comparison reaches, and whether to its line itself.
fn end(condition: &Condition) -> Option<(f64, bool)> {
    let line = condition.threshold()?.as_number()?;
    match condition {
        Condition::Below(_) => Some((line, false)),
        Condition::AtMost(_) => Some((line, true)),
        Condition::Above(_) => Some((-line, false)),
        Condition::AtLeast(_) => Some((-line, true)),
        _ => None,
    }
}

/// The values that fire, where they are listed.
fn wanted(condition: &Condition) -> Option<&[Value]> {
    match condition {
        Condition::Is(value) => Some(std::slice::from_ref(value)),
        Condition::OneOf(values) => Some(values),
        _ => None,
    }
}

fn supersets(old: &[Value], new: &[Value]) -> Option<Ordering> {
    let has_all = |one: &[Value], other: &[Value]| other.iter().all(|value| one.contains(value));
    match (has_all(new, old), has_all(old, new)) {
        (true, true) => Some(Ordering::Equal),
        (true, false) => Some(Ordering::Greater),
        (false, true) => Some(Ordering::Less),
        (false, false) => None,
    }
}

fn reach_of_change(old: &Changed, new: &Changed) -> Option<Ordering> {
    let way = match (old.way, new.way) {
        (old, new) if old == new => Some(Ordering::Equal),
        (_, Way::Changes) => Some(Ordering::Greater),
        (Way::Changes, _) => Some(Ordering::Less),
        _ => None,
    };
    combined([
        way,
        old.more_than.partial_cmp(&new.more_than),
        Some(new.within.cmp(&old.within)),
    ])
}

fn reach_of_median(old: &Median, new: &Median) -> Option<Ordering> {
    if old.last != new.last || old.side != new.side {
        return None;
    }
    match new.side {
        Side::Below => new.ratio.partial_cmp(&old.ratio),
        Side::Above => old.ratio.partial_cmp(&new.ratio),
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

fn same_signal(old: &SignalRule, new: &SignalRule) -> bool {
    let name = |floor: &Floor| floor.level().map(|level| level.name().to_owned());
    old.declared == new.declared
        && old.max_age == new.max_age
        && name(&old.on_missing) == name(&new.on_missing)
        && name(&old.on_stale) == name(&new.on_stale)
        && old.on_invalid.name() == new.on_invalid.name()
}

fn signal_direction(old: &SignalRule, new: &SignalRule, sides: Sides<'_>) -> Direction {
    let floor = |old: &Floor, new: &Floor| sides.order(demanded(old), demanded(new));
    // Without an age nothing is ever stale.
    let stale = if old.max_age.is_some() && new.max_age.is_some() {
        floor(&old.on_stale, &new.on_stale)
    } else {
        Some(Ordering::Equal)
    };
    demanding(combined([
        declaration(old.declared.as_ref(), new.declared.as_ref()),
        floor(&old.on_missing, &new.on_missing),
        stale,
        sides.order(&old.on_invalid, &new.on_invalid),
        age(old, new, sides),
    ]))
}

fn demanded(floor: &Floor) -> &Level {
    floor.level().unwrap_or(&Level::GREEN)
}

/// A report that grows stale earlier demands its floor instead of what its value would.
fn age(old: &SignalRule, new: &SignalRule, sides: Sides<'_>) -> Option<Ordering> {
    match (old.max_age, new.max_age) {
        (old, new) if old == new => Some(Ordering::Equal),
        (Some(before), Some(after)) if before < after => {
            staleness(old, sides.old).map(Ordering::reverse)
        }
        (Some(_), None) => staleness(old, sides.old).map(Ordering::reverse),
        _ => staleness(new, sides.new),
    }
}

/// What it does that reports of a signal grow stale: less is demanded where they then count as
/// healthy, and that depends where a value could demand more.
fn staleness(rule: &SignalRule, policy: &Policy) -> Option<Ordering> {
    let Some(floor) = rule.on_stale.level() else {
        return Some(Ordering::Less);
    };
    let about = |trigger: &&Trigger| trigger.is_about(&rule.name);
    let peak = policy.triggers().iter().filter(about);
    let is_highest = peak.map(|trigger| &trigger.level).max() <= Some(floor);
    is_highest.then_some(Ordering::Greater)
}

/// Greater where the new declaration differs in its range alone, which takes fewer values for right.
fn declaration(old: Option<&Declared>, new: Option<&Declared>) -> Option<Ordering> {
    if old == new {
        return Some(Ordering::Equal);
    }
    let (old, new) = (old?, new?);
    let (
        Kind::Number { unit, min, max },
        Kind::Number {
            min: new_min,
            max: new_max,
            ..
        },
    ) = (&old.kind, &new.kind)
    else {
        return None;
    };
    let same_range = Declared {
        kind: Kind::Number {
            unit: unit.clone(),
            min: *new_min,
            max: *new_max,
        },
        ..old.clone()
    };
    if same_range != *new {
        return None;
    }
    let least = |min: &Option<f64>| min.unwrap_or(f64::NEG_INFINITY);
    let most = |max: &Option<f64>| max.unwrap_or(f64::INFINITY);
    combined([
        least(new_min).partial_cmp(&least(min)),
        most(max).partial_cmp(&most(new_max)),
    ])
}

fn responses(
    old: Option<&Section>,
    new: Option<&Section>,
    sides: Sides<'_>,
    found: &mut Vec<Difference>,
) {
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
    each(&actions(old), &actions(new), name, sides, found, &ACTIONS);
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
        Kind::Number { unit, min, max } => {
            let unit = if unit.is_empty() {
                String::new()
            } else {
                format!(" in {unit}")
            };
            format!("a number{unit}{}", range(*min, *max))
        }
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
    let time = declared.time.as_ref();
    let time = time.map_or(String::new(), |time| format!(", dated by {time}"));
    format!("{kind} from {}{place}{time}", declared.file)
}

fn range(min: Option<f64>, max: Option<f64>) -> String {
    match (min.map(number::shown), max.map(number::shown)) {
        (Some(min), Some(max)) => format!(" of {min} to {max}"),
        (Some(min), None) => format!(" of at least {min}"),
        (None, Some(max)) => format!(" of at most {max}"),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests;
