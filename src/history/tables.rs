//! A recorded history as rows for a spreadsheet or a database, each handed out as soon as it is
//! known: every decision, every change of the level, or every day.

use super::walk::{Entry, Source};
use super::{Findings, LeftOut, Selection};
use crate::decision::trend::days::Day;
use crate::diagnostic::Checked;
use crate::ids::{ReasonCode, SignalName};
use crate::policy::Level;
use crate::record::RecordedLine;
use crate::signals::{Outcome, Reading, Readings, Status, Value};
use crate::time::Timestamp;

/// Which rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// One for each decision.
    Decisions,
    /// One for each change of the level.
    Changes,
    /// One for each day with a decision.
    Days,
}

impl Table {
    /// The names of its columns.
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Decisions => &[
                "at",
                "number",
                "level",
                "before",
                "clock",
                "trust",
                "integrity",
                "consensus",
                "reputation",
                "forecast",
                "responses",
                "beyond",
                "not_valid",
                "reasons",
            ],
            Self::Changes => &["at", "from", "to", "held_seconds", "reasons"],
            Self::Days => &["day", "decisions", "worst", "changes"],
        }
    }
}

/// Hands out every row. With `only`, decisions with that level, changes into it or out of it, and
/// days of which it was the gravest.
pub fn rows(
    source: &Source,
    selection: Selection,
    only: Option<&Level>,
    table: Table,
    each: &mut dyn FnMut(&[String]),
) -> Checked<(LeftOut, Findings)> {
    let (mut left_out, mut findings) = (LeftOut::default(), Findings::default());
    for problem in &source.problems {
        findings.add(problem.clone());
    }
    let mut maker = Maker {
        table,
        only,
        last: None,
        day: None,
    };
    source.each(&mut |line| {
        let recorded = match &line.entry {
            Entry::Fixed(fixed) => {
                if !selection.counts(&mut left_out, fixed.at, fixed.given_clock) {
                    return;
                }
                // Only a table of decisions needs all of it.
                if table != Table::Decisions && maker.goes_on(fixed.at, &fixed.level, each) {
                    return;
                }
                fixed.to_recorded()
            }
            Entry::Other(recorded) => {
                if !selection.counts(&mut left_out, recorded.at, recorded.given_clock) {
                    return;
                }
                if table != Table::Decisions && maker.goes_on(recorded.at, &recorded.level, each) {
                    return;
                }
                Some((**recorded).clone())
            }
            Entry::Unreadable(finding) => return findings.add((**finding).clone()),
            other => return left_out.count(other),
        };
        if let Some(recorded) = recorded {
            maker.take(&recorded, each);
        }
    })?;
    maker.end(each);
    Ok((left_out, findings))
}

struct Maker<'a> {
    table: Table,
    only: Option<&'a Level>,
    /// The level of the decision before, and since when it was held.
    last: Option<(Level, Timestamp)>,
    day: Option<Day>,
}

impl Maker<'_> {
    /// Counts the decision to its day. True where it makes no row of its own.
    fn goes_on(&mut self, at: Timestamp, level: &Level, each: &mut dyn FnMut(&[String])) -> bool {
        let same = |(last, _): &(Level, Timestamp)| last.name() == level.name();
        let changed = self.last.as_ref().is_some_and(|last| !same(last));
        if self.table == Table::Days {
            self.count(at, level, changed, each);
            if changed || self.last.is_none() {
                self.last = Some((level.clone(), at));
            }
            return true;
        }
        !changed && self.last.is_some()
    }

    fn count(
        &mut self,
        at: Timestamp,
        level: &Level,
        changed: bool,
        each: &mut dyn FnMut(&[String]),
    ) {
        if self.day.as_ref().is_some_and(|day| day.begin != at.day()) {
            self.end(each);
        }
        let day = self.day.get_or_insert_with(|| Day {
            begin: at.day(),
            decisions: 0,
            worst: level.clone(),
            changes: 0,
        });
        day.decisions += 1;
        day.changes += u64::from(changed);
        if *level > day.worst {
            day.worst = level.clone();
        }
    }

    fn take(&mut self, recorded: &RecordedLine, each: &mut dyn FnMut(&[String])) {
        let is_wanted = |level: &Level| self.only.is_none_or(|only| only.name() == level.name());
        if self.table == Table::Decisions {
            if is_wanted(&recorded.level) {
                each(&decision(recorded));
            }
            return;
        }
        if let Some((from, since)) = &self.last
            && (is_wanted(from) || is_wanted(&recorded.level))
        {
            each(&[
                recorded.at.to_string(),
                from.to_string(),
                recorded.level.to_string(),
                recorded.at.since(*since).num_seconds().max(0).to_string(),
                joined(&recorded.reasons),
            ]);
        }
        self.last = Some((recorded.level.clone(), recorded.at));
    }

    /// Hands out the day that is over.
    fn end(&mut self, each: &mut dyn FnMut(&[String])) {
        let Some(day) = self.day.take() else { return };
        if self.only.is_none_or(|only| only.name() == day.worst.name()) {
            each(&[
                day.begin.date(),
                day.decisions.to_string(),
                day.worst.to_string(),
                day.changes.to_string(),
            ]);
        }
    }
}

fn decision(recorded: &RecordedLine) -> Vec<String> {
    let before = recorded.before.as_ref().map(ToString::to_string);
    let mut row = vec![
        recorded.at.to_string(),
        recorded.seq.to_string(),
        recorded.level.to_string(),
        before.unwrap_or_default(),
        if recorded.given_clock { "given" } else { "" }.to_owned(),
    ];
    let value = |reading: &Reading| match &reading.outcome {
        Outcome::Valid(value) | Outcome::Stale(value) => json(*value),
        Outcome::Missing(_) | Outcome::Invalid(_) => String::new(),
    };
    let readings = &recorded.readings;
    let of_built_in = |name: &SignalName| readings.get(name).map(value).unwrap_or_default();
    row.extend(Readings::BUILT_IN.iter().map(of_built_in));
    let of_beyond = readings
        .iter()
        .filter(|reading| !Readings::BUILT_IN.contains(&reading.signal))
        .map(|reading| format!("{}={}", reading.signal, value(reading)));
    row.push(of_beyond.collect::<Vec<_>>().join(" "));
    let not_valid = readings
        .iter()
        .filter(|reading| reading.status() != Status::Valid)
        .map(|reading| format!("{}={}", reading.signal, reading.status().as_str()));
    row.push(not_valid.collect::<Vec<_>>().join(" "));
    row.push(joined(&recorded.reasons));
    row
}

/// The value as its line has it: not rounded, as it would be for a person.
fn json(value: Value) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

fn joined(reasons: &[ReasonCode]) -> String {
    let codes: Vec<&str> = reasons.iter().map(ReasonCode::as_str).collect();
    codes.join(" ")
}
