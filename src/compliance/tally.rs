//! The audit log counted, from the latest entry back, in constant memory (pure): events, violations,
//! levels, and how RED was answered, in a period and in the one of the same length before it.
//!
//! Decisions that were made with a given time (`--at`) are left out, as `history` leaves them out;
//! every other entry counts with the time that it tells.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::Period;
use super::consent::Consents;
use super::evidence::Purpose;
use super::violations::{Kind, Spot, Violation};
use crate::record::audit::Severity;
use crate::record::entries::Entry;
use crate::time::Timestamp;

/// So many older entries in a row end the look back: journals are in their order but for clocks that
/// were wrong and times that were given.
const OLD_ENOUGH: u32 = 10_000;

/// RED that nobody answered for so long is a violation, in seconds.
const RED_LASTS: i64 = 24 * 3_600;

/// The names of alerts are a short list; a log with more of them is none.
const MOST_ALERTS: usize = 100;

/// What answers a RED.
const ANSWERS: [&str; 7] = [
    "RESPONSE_APPLIED",
    "TASK_SUCCESS",
    "OVERRIDE_USED",
    "KILL_SWITCH_ON",
    "BRAKE_ENGAGED",
    "POLICY_PROMOTED",
    "CUSTOM_RED_ANSWERED",
];

/// How often something is recorded, and where the latest stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Seen {
    /// How often.
    pub count: u64,
    /// The latest.
    pub latest: Spot,
}

/// Counts of a period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Decisions.
    pub evaluations: u64,
    /// Of these, RED.
    pub red: u64,
    /// Violations.
    pub violations: u64,
    /// Of these, high and critical ones.
    pub grave: u64,
    /// Responses that were applied.
    pub applied: u64,
    /// Overrides that were used.
    pub overrides: u64,
    /// Changes of what is protected, and of what decides.
    pub changes: u64,
}

/// An alert as its log tells of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Alert {
    /// Its name.
    pub name: String,
    /// How grave.
    #[cfg_attr(test, schemars(with = "String"))]
    pub severity: Severity,
    /// Is it up at the end of the period?
    pub up: bool,
    /// How often it was raised in the period.
    pub raised: u64,
    /// When it was last told of.
    #[cfg_attr(test, schemars(with = "String"))]
    pub last: Timestamp,
}

/// Times of runs, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Runs {
    /// How many tell theirs.
    pub count: u64,
    /// Their sum.
    pub sum_us: u64,
    /// The longest.
    pub most_us: u64,
}

/// The counts so far.
#[derive(Debug)]
pub struct Tally<'a> {
    period: Period,
    before: Period,
    purposes: Option<&'a [Purpose]>,
    /// What happened in the period, by type.
    events: BTreeMap<String, Seen>,
    violations: BTreeMap<Kind, Violation>,
    /// In the period.
    pub now: Counts,
    /// In the one before.
    pub earlier: Counts,
    /// Entries that were looked at.
    pub entries: u64,
    /// Decisions that were left out, since their time was given.
    pub given: u64,
    /// True where the record goes back beyond the period before.
    pub reaches_back: bool,
    /// What runs took.
    pub runs: Runs,
    consents: Consents,
    alerts: BTreeMap<String, Alert>,
    old: u32,
    newer: Option<Timestamp>,
    answered: bool,
    red: Option<Red>,
}

/// A stretch of RED.
#[derive(Debug)]
struct Red {
    end: Timestamp,
    begin: Spot,
    answered: bool,
}

/// More types than this are not told apart: a journal with more is none of this program's.
const MOST_TYPES: usize = 1_000;

impl<'a> Tally<'a> {
    /// Nothing counted yet.
    pub fn new(period: Period, purposes: Option<&'a [Purpose]>) -> Self {
        Self {
            period,
            before: period.before(),
            purposes,
            events: BTreeMap::new(),
            violations: BTreeMap::new(),
            now: Counts::default(),
            earlier: Counts::default(),
            entries: 0,
            given: 0,
            reaches_back: false,
            runs: Runs::default(),
            consents: Consents::default(),
            alerts: BTreeMap::new(),
            old: 0,
            newer: None,
            answered: false,
            red: None,
        }
    }

    /// Counts an entry, which is not newer than those before. False where nothing older matters.
    pub fn add(&mut self, entry: &Entry) -> bool {
        self.entries += 1;
        if entry.time >= self.period.until {
            return true;
        }
        if entry.time < self.before.since {
            self.reaches_back = true;
            self.old += 1;
        } else {
            self.old = 0;
        }
        let within = self.period.holds(entry.time);
        self.consent(entry, within);
        if ANSWERS.contains(&entry.event_type.as_str()) {
            self.answer();
        }
        if is_decision(entry) {
            self.decision(entry);
        } else {
            self.event(entry, within);
        }
        self.old < OLD_ENOUGH
    }

    /// Ends the count.
    pub fn finish(&mut self) {
        self.end_red();
    }

    fn consent(&mut self, entry: &Entry, within: bool) {
        let mut found = Vec::new();
        self.consents.add(
            entry,
            &|| spot(entry),
            self.purposes,
            within,
            &mut |kind, spot| found.push((kind, spot)),
        );
        for (kind, spot) in found {
            self.violation(kind, spot);
        }
    }

    fn answer(&mut self) {
        match &mut self.red {
            Some(red) => red.answered = true,
            None => self.answered = true,
        }
    }

    fn decision(&mut self, entry: &Entry) {
        let text = |name: &str| entry.details.get(name).and_then(Value::as_str);
        if text("clock") == Some("given") {
            self.given += 1;
            return;
        }
        let is_red = text("policy") == Some("RED");
        if let Some(counts) = self.counts(entry.time) {
            counts.evaluations += 1;
            counts.red += u64::from(is_red);
        }
        if self.period.holds(entry.time) {
            self.see(entry);
        }
        let reasons = entry.details.get("reasons").and_then(Value::as_array);
        let has =
            |code: &str| reasons.is_some_and(|reasons| reasons.iter().any(|reason| reason == code));
        if has("POLICY_TAMPERED") {
            self.violation(Kind::PolicyTampered, spot(entry));
        }
        if has("JOURNAL_BROKEN") {
            self.violation(Kind::JournalChanged, spot(entry));
        }
        if entry.details.contains_key("failure") {
            self.violation(Kind::EvaluationFailed, spot(entry));
        }
        if is_red {
            let answered = std::mem::take(&mut self.answered);
            let end = self.newer.unwrap_or(self.period.until);
            let red = self.red.get_or_insert_with(|| Red {
                end,
                begin: spot(entry),
                answered,
            });
            red.begin = spot(entry);
        } else {
            self.answered = false;
            self.end_red();
        }
        self.newer = Some(entry.time);
    }

    fn end_red(&mut self) {
        let Some(red) = self.red.take() else { return };
        let lasted = red.end.since(red.begin.time).num_seconds();
        if lasted >= RED_LASTS && !red.answered {
            self.violation(Kind::RedUnhandled, red.begin);
        }
    }

    fn event(&mut self, entry: &Entry, within: bool) {
        let kind = of_approval(entry).or_else(|| Kind::of_event(&entry.event_type));
        if let Some(kind) = kind {
            self.violation(kind, spot(entry));
        }
        if let Some(counts) = self.counts(entry.time) {
            match entry.event_type.as_str() {
                "RESPONSE_APPLIED" => counts.applied += 1,
                "OVERRIDE_USED" => counts.overrides += 1,
                "POLICY_ACCEPTED" | "POLICY_PROMOTED" | "POLICY_ROLLED_BACK" => counts.changes += 1,
                _ => {}
            }
        }
        if !within {
            return;
        }
        if entry.event_type == "POLICY_SHADOW_CHECK" {
            self.run(entry);
        }
        if entry.event_type.starts_with("ALERT_") {
            self.alert(entry);
        }
        self.see(entry);
    }

    fn see(&mut self, entry: &Entry) {
        let name = match of_journal(entry) {
            crate::record::APPROVAL_LOG => format!("APPROVAL_{}", entry.event_type),
            _ => entry.event_type.clone(),
        };
        if let Some(seen) = self.events.get_mut(&name) {
            seen.count += 1;
        } else if self.events.len() < MOST_TYPES {
            let latest = spot(entry);
            self.events.insert(name, Seen { count: 1, latest });
        }
    }

    fn run(&mut self, entry: &Entry) {
        let cost = entry.details.get("cost");
        let taken = cost
            .and_then(|cost| cost.get("run_us"))
            .and_then(Value::as_u64);
        if let Some(us) = taken {
            self.runs.count += 1;
            self.runs.sum_us = self.runs.sum_us.saturating_add(us);
            self.runs.most_us = self.runs.most_us.max(us);
        }
    }

    fn alert(&mut self, entry: &Entry) {
        let name = entry.details.get("name").and_then(Value::as_str);
        let Some(name) = name else { return };
        let is_raised = entry.event_type == "ALERT_RAISED";
        if let Some(known) = self.alerts.get_mut(name) {
            known.raised += u64::from(is_raised);
            known.severity = known.severity.max(entry.severity);
        } else if self.alerts.len() < MOST_ALERTS {
            let alert = Alert {
                name: name.to_owned(),
                severity: entry.severity,
                up: entry.event_type != "ALERT_RESOLVED",
                raised: u64::from(is_raised),
                last: entry.time,
            };
            self.alerts.insert(name.to_owned(), alert);
        }
    }

    fn counts(&mut self, at: Timestamp) -> Option<&mut Counts> {
        if self.period.holds(at) {
            Some(&mut self.now)
        } else if self.before.holds(at) {
            Some(&mut self.earlier)
        } else {
            None
        }
    }

    /// One more violation, found in the record or elsewhere.
    pub fn violation(&mut self, kind: Kind, spot: Spot) {
        let is_grave = kind.severity() >= Severity::High;
        if let Some(counts) = self.counts(spot.time) {
            counts.violations += 1;
            counts.grave += u64::from(is_grave);
        }
        if self.period.holds(spot.time) {
            let all = self.violations.entry(kind);
            all.or_insert_with(|| Violation::new(kind)).add(|| spot);
        }
    }

    /// One more violation, found now: it counts in the period, whenever that ended.
    pub fn found_now(&mut self, kind: Kind, spot: Spot) {
        self.now.violations += 1;
        self.now.grave += u64::from(kind.severity() >= Severity::High);
        let all = self.violations.entry(kind);
        all.or_insert_with(|| Violation::new(kind)).add(|| spot);
    }

    /// What is recorded in the period of any of these types.
    pub fn seen(&self, types: &[&str]) -> Option<Seen> {
        let found = types.iter().filter_map(|name| self.events.get(*name));
        found.fold(None, |all: Option<Seen>, seen| {
            Some(match all {
                None => seen.clone(),
                Some(all) => Seen {
                    count: all.count + seen.count,
                    latest: if seen.latest.time > all.latest.time {
                        seen.latest.clone()
                    } else {
                        all.latest
                    },
                },
            })
        })
    }

    /// How often a kind was found in the period.
    pub fn found(&self, kind: Kind) -> u64 {
        self.violations.get(&kind).map_or(0, |all| all.count)
    }

    /// The violations, the gravest first.
    pub fn violations(&self) -> Vec<Violation> {
        let mut all: Vec<Violation> = self.violations.values().cloned().collect();
        all.sort_by_key(|violation| std::cmp::Reverse((violation.severity, violation.count)));
        all
    }

    /// The alerts of the period, those that are up first.
    pub fn alerts(&self) -> Vec<Alert> {
        let mut all: Vec<Alert> = self.alerts.values().cloned().collect();
        all.sort_by_key(|alert| std::cmp::Reverse((alert.up, alert.severity)));
        all
    }

    /// Uses of data that were held against the stated purposes.
    pub fn uses_held(&self) -> u64 {
        self.consents.held
    }

    /// People whose data were used without a consent or a withdrawal on record, and uses that could not
    /// be followed.
    pub fn uses_unknown(&self) -> u64 {
        self.consents.without_record() + self.consents.not_followed
    }
}

fn of_journal(entry: &Entry) -> &str {
    let journal = entry.details.get("journal").and_then(Value::as_str);
    journal.unwrap_or_default()
}

/// True for a decision of a run; programs record checks of their own under the same type.
fn is_decision(entry: &Entry) -> bool {
    entry.event_type == "POLICY_CHECK" && of_journal(entry) == crate::record::STATE_JOURNAL
}

fn of_approval(entry: &Entry) -> Option<Kind> {
    let is_refused =
        entry.event_type == "REFUSED" && of_journal(entry) == crate::record::APPROVAL_LOG;
    is_refused.then_some(Kind::ApprovalRefused)
}

/// Where an entry stands.
pub fn spot(entry: &Entry) -> Spot {
    Spot {
        time: entry.time,
        user: entry.user.clone(),
        journal: of_journal(entry).to_owned(),
        number: entry.details.get("number").and_then(Value::as_u64),
        task_id: entry.task_id.clone(),
    }
}
