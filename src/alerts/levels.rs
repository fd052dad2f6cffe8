//! Changes of the level that were recorded since the last look, where `policy/alerts.json` asks for
//! them: each told once, by the number of the journal's line that recorded it.
//!
//! A change is a moment, not something that is up: it is an event of the log and nothing more. What
//! the state knows is the number of the last line that was looked at.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::alert::{Alert, Name, Severity};
use super::conditions::listed;
use crate::diagnostic::Checked;
use crate::fs::Workspace;
use crate::policy::Level;
use crate::record::STATE_JOURNAL;
use crate::record::lines::{BackLines, Role};
use crate::signals::responses::{OLD_ENOUGH, WINDOW};
use crate::time::Timestamp;

/// Of which changes somebody wants to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// From one of these levels; empty for any.
    pub from: Vec<Level>,
    /// To one of these levels; empty for any.
    pub to: Vec<Level>,
}

impl Wanted {
    fn takes(&self, change: &Change) -> bool {
        let is_among = |levels: &[Level], level| levels.is_empty() || levels.contains(level);
        is_among(&self.from, &change.from) && is_among(&self.to, &change.to)
    }
}

/// A change of the level, as a line of the journal recorded it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The level before.
    pub from: Level,
    /// The level since.
    pub to: Level,
    /// When it was decided.
    pub at: Timestamp,
    /// The number of the line.
    pub line: u64,
    /// The reasons for the level since, by their codes.
    pub reasons: Vec<String>,
    /// True where the user gave the time of the decision.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub given_clock: bool,
}

impl Change {
    /// What is told of it.
    pub fn alert(&self) -> Alert {
        let Self { from, to, line, .. } = self;
        let mut alert = Alert::new(
            Name::LevelChanged,
            format!("the level went from {from} to {to}, recorded in line {line}"),
            Some(self.at),
            [
                ("from", Value::from(from.name())),
                ("to", Value::from(to.name())),
                (LINE, Value::from(*line)),
                ("reasons", listed(self.reasons.iter().cloned())),
            ],
        );
        if self.given_clock {
            let given = ("clock".to_owned(), Value::from("given"));
            alert.evidence.extend([given]);
        }
        alert.severity = severity(to);
        alert
    }
}

/// How grave it is to come to a level.
fn severity(to: &Level) -> Severity {
    if *to == Level::RED {
        Severity::High
    } else if *to == Level::GREEN {
        Severity::Low
    } else {
        Severity::Medium
    }
}

/// The key of the line's number in the evidence of an event.
const LINE: &str = "line";

/// The number of the line that an event tells of, where it tells of a change.
pub fn line_of(alert: &Alert) -> Option<u64> {
    let number = alert.evidence.get(LINE).filter(|_| is_change(alert))?;
    number.as_u64()
}

/// True for what is told of a change.
pub fn is_change(alert: &Alert) -> bool {
    alert.name == Name::LevelChanged
}

/// What the journal recorded since the last look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The number of its last line; `None` where it has no line of ours.
    pub last: Option<u64>,
    /// The changes, in the order of the journal.
    pub changes: Vec<Change>,
}

impl Seen {
    /// Keeps the changes that somebody wants to know of.
    #[must_use]
    pub fn wanted(mut self, wanted: Option<&Wanted>) -> Self {
        self.changes
            .retain(|change| wanted.is_some_and(|wanted| wanted.takes(change)));
        self
    }
}

/// A line of ours, as far as it matters here.
#[derive(Deserialize)]
struct Raw {
    seq: u64,
    timestamp: Timestamp,
    policy: Option<Level>,
    before: Option<Level>,
    #[serde(default)]
    reasons: Vec<String>,
    clock: Option<serde::de::IgnoredAny>,
}

impl Raw {
    fn change(self) -> Option<Change> {
        let (to, from) = (self.policy?, self.before?);
        (to != from).then_some(Change {
            from,
            to,
            at: self.timestamp,
            line: self.seq,
            reasons: self.reasons,
            given_clock: self.clock.is_some(),
        })
    }
}

/// Goes back from the end of the journal to the line with the number `known`; without one, or with
/// one that the journal doesn't reach, through the last 24 hours. Nothing before a reseal counts:
/// nobody knows who wrote it.
pub fn look(workspace: &Workspace, known: Option<u64>, at: Timestamp) -> Checked<Seen> {
    let mut seen = Seen::default();
    let Some(mut lines) = BackLines::open(workspace, STATE_JOURNAL)? else {
        return Ok(seen);
    };
    let begin = at.minus(WINDOW);
    let (mut known, mut old) = (known, 0);
    while let Some(line) = lines.next_line()? {
        let raw = serde_json::from_slice::<Raw>(line.bytes).ok();
        if let Some(raw) = raw.filter(|_| line.ended) {
            if seen.last.is_none() {
                seen.last = Some(raw.seq);
                known = known.filter(|known| *known <= raw.seq);
            }
            if known.is_some_and(|known| raw.seq <= known) {
                break;
            }
            let is_old = raw.timestamp < begin;
            old = if is_old {
                old + line.bytes.len() as u64
            } else {
                0
            };
            let counts = known.is_some() || !is_old;
            seen.changes.extend(raw.change().filter(|_| counts));
        }
        if line.role == Role::Reseals || known.is_none() && old > OLD_ENOUGH {
            break;
        }
    }
    seen.changes.reverse();
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(from: Level, to: Level) -> Change {
        Change {
            from,
            to,
            at: Timestamp::read("2026-01-15T12:00:00Z").unwrap().time,
            line: 7,
            reasons: vec!["TRUST_LOCKED".to_owned()],
            given_clock: false,
        }
    }

    #[test]
    fn a_change_is_as_grave_as_the_level_that_it_comes_to() {
        let cases = [
            (Level::GREEN, Level::RED, Severity::High),
            (Level::GREEN, Level::YELLOW, Severity::Medium),
            (Level::RED, Level::YELLOW, Severity::Medium),
            (Level::RED, Level::GREEN, Severity::Low),
        ];
        for (from, to, expected) in cases {
            assert_eq!(change(from, to).alert().severity, expected);
        }
    }

    #[test]
    fn only_the_changes_asked_for_are_kept() {
        let all = vec![
            change(Level::GREEN, Level::RED),
            change(Level::RED, Level::GREEN),
            change(Level::YELLOW, Level::RED),
        ];
        let kept = |from: &[Level], to: &[Level]| {
            let wanted = Wanted {
                from: from.to_vec(),
                to: to.to_vec(),
            };
            let seen = Seen {
                last: Some(9),
                changes: all.clone(),
            };
            seen.wanted(Some(&wanted)).changes.len()
        };
        assert_eq!(kept(&[], &[]), 3);
        assert_eq!(kept(&[], &[Level::RED]), 2);
        assert_eq!(kept(&[Level::GREEN], &[Level::RED, Level::YELLOW]), 1);
        assert_eq!(kept(&[Level::YELLOW], &[Level::GREEN]), 0);
        let seen = Seen {
            last: Some(9),
            changes: all.clone(),
        };
        assert_eq!(seen.wanted(None).changes, []);
    }

    #[test]
    fn an_event_names_the_line_that_it_tells_of() {
        let alert = change(Level::GREEN, Level::RED).alert();
        assert_eq!(line_of(&alert), Some(7));
        let other = Alert::new(Name::RedFlips, "", None, [("line", Value::from(7))]);
        assert_eq!(line_of(&other), None);
    }
}
