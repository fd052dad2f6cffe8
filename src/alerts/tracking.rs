//! What changes between two looks: alerts raised, resolved, still open and told again. Pure.
//!
//! Every change is an [`Event`] with a number. The log holds each exactly once; what is open follows
//! from the events in their order ([`fold`]).

use serde::{Deserialize, Serialize};

use super::alert::Alert;
use super::conditions::Found;
use super::levels::Seen;
use super::limits::Hours;
use crate::time::Timestamp;

/// The version of an event's form.
pub const VERSION: u32 = 1;

/// What happened to an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It is up and was not before.
    Raised,
    /// It is still up, and was last told of long ago.
    Reminder,
    /// It was up and is no more.
    Resolved,
    /// It happened, and is nothing that is up.
    Changed,
}

impl Kind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Reminder => "reminder",
            Self::Resolved => "resolved",
            Self::Changed => "changed",
        }
    }
}

/// One change, as it stands on a line of the log and goes to a hook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The version of this form.
    pub v: u32,
    /// Counts the events of a workspace from 1: whoever gets one twice knows it by its number.
    pub number: u64,
    /// When.
    pub timestamp: Timestamp,
    /// What happened.
    pub event: Kind,
    /// The alert; one that is resolved as it was when it was last up.
    #[serde(flatten)]
    pub alert: Alert,
    /// When it was raised.
    pub first_seen: Timestamp,
    /// `given` where the user gave the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<String>,
}

/// An alert that is up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Open {
    /// The alert as it is now.
    #[serde(flatten)]
    pub alert: Alert,
    /// When it was raised.
    pub first_seen: Timestamp,
    /// When an event last told of it.
    pub last_told: Timestamp,
}

/// Now, and what to remind of.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The time now.
    pub at: Timestamp,
    /// True where the user gave it.
    pub given_clock: bool,
    /// An alert that was not told of for so long is told of again.
    pub remind_after: Hours,
    /// The number of the last event there is.
    pub last_event: u64,
}

/// What is up now, and what changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Tracked {
    /// The alerts that are up, the gravest first.
    pub open: Vec<Open>,
    /// What changed, in the order of the log.
    pub events: Vec<Event>,
    /// The number of the last line of the journal of decisions that was looked at; `None` where
    /// nobody could.
    pub level_line: Option<u64>,
}

/// Holds what was found against what was up. What nobody could look at stays as it was.
pub fn track(before: &[Open], found: &Found, moment: Moment) -> Tracked {
    let mut tracked = Tracked {
        open: Vec::new(),
        events: Vec::new(),
        level_line: None,
    };
    for alert in &found.alerts {
        match before.iter().find(|open| open.alert.name == alert.name) {
            None => tracked.raise(alert, moment),
            Some(open) => tracked.go_on(open, alert, moment),
        }
    }
    for open in before {
        if found
            .alerts
            .iter()
            .any(|alert| alert.name == open.alert.name)
        {
            continue;
        }
        if found.unknown.contains(&open.alert.name) {
            tracked.go_on(open, &open.alert, moment);
        } else {
            tracked.tell(Kind::Resolved, open, moment);
        }
    }
    tracked.open.sort_by_key(|open| open.alert.name);
    tracked
}

impl Tracked {
    fn raise(&mut self, alert: &Alert, moment: Moment) {
        let open = Open {
            alert: since_known(alert, moment.at),
            first_seen: moment.at,
            last_told: moment.at,
        };
        self.tell(Kind::Raised, &open, moment);
        self.open.push(open);
    }

    fn go_on(&mut self, before: &Open, alert: &Alert, moment: Moment) {
        let mut open = Open {
            alert: since_known(alert, before.first_seen),
            ..before.clone()
        };
        // Either way: a clock that was wrong must not silence an alert for years.
        let distance = moment.at.since(before.last_told).abs();
        if distance >= moment.remind_after.delta() {
            open.last_told = moment.at;
            self.tell(Kind::Reminder, &open, moment);
        }
        self.open.push(open);
    }

    /// Adds the changes of the level that were seen.
    pub fn changed(&mut self, levels: &Seen, moment: Moment) {
        self.level_line = levels.last;
        for change in &levels.changes {
            let happened = Open {
                alert: change.alert(),
                first_seen: moment.at,
                last_told: moment.at,
            };
            self.tell(Kind::Changed, &happened, moment);
        }
    }

    fn tell(&mut self, event: Kind, open: &Open, moment: Moment) {
        self.events.push(Event {
            v: VERSION,
            number: moment.last_event + 1 + self.events.len() as u64,
            timestamp: moment.at,
            event,
            alert: open.alert.clone(),
            first_seen: open.first_seen,
            clock: moment.given_clock.then(|| "given".to_owned()),
        });
    }
}

/// The alert with a beginning: that which is known, else when it was seen first.
fn since_known(alert: &Alert, first_seen: Timestamp) -> Alert {
    Alert {
        since: alert.since.or(Some(first_seen)),
        ..alert.clone()
    }
}

/// What is up after an event, given what was up before.
pub fn fold(open: &mut Vec<Open>, event: &Event) {
    if event.event == Kind::Changed {
        return;
    }
    open.retain(|open| open.alert.name != event.alert.name);
    if event.event == Kind::Resolved {
        return;
    }
    open.push(Open {
        alert: event.alert.clone(),
        first_seen: event.first_seen,
        last_told: event.timestamp,
    });
    open.sort_by_key(|open| open.alert.name);
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;
    use crate::alerts::alert::Name;

    fn at(hours: i64) -> Timestamp {
        let begin = Timestamp::read("2026-01-15T12:00:00Z").unwrap().time;
        begin.minus(TimeDelta::hours(-hours))
    }

    fn moment(hours: i64, last_event: u64) -> Moment {
        Moment {
            at: at(hours),
            given_clock: false,
            remind_after: Hours::whole(24),
            last_event,
        }
    }

    fn found(names: &[Name], unknown: &[Name]) -> Found {
        let alert = |name: &Name| Alert::new(*name, "up", None, []);
        Found {
            alerts: names.iter().map(alert).collect(),
            unknown: unknown.to_vec(),
            problems: Vec::new(),
        }
    }

    fn told(events: &[Event]) -> Vec<(u64, Kind, Name)> {
        events
            .iter()
            .map(|event| (event.number, event.event, event.alert.name))
            .collect()
    }

    use Name::{BrakeEngaged as Brake, FixBranches as Branches};

    #[test]
    fn an_alert_is_raised_once_told_again_after_a_day_and_resolved_once() {
        let first = track(&[], &found(&[Brake], &[]), moment(0, 7));
        assert_eq!(told(&first.events), [(8, Kind::Raised, Brake)]);
        let same = track(&first.open, &found(&[Brake], &[]), moment(23, 8));
        assert_eq!(told(&same.events), []);
        let day = track(&same.open, &found(&[Brake], &[]), moment(24, 8));
        assert_eq!(told(&day.events), [(9, Kind::Reminder, Brake)]);
        let next = track(&day.open, &found(&[Brake, Branches], &[]), moment(47, 9));
        assert_eq!(told(&next.events), [(10, Kind::Raised, Branches)]);
        let over = track(&next.open, &found(&[Branches], &[]), moment(48, 10));
        assert_eq!(told(&over.events), [(11, Kind::Resolved, Brake)]);
        assert_eq!(over.events[0].first_seen, at(0));
        assert_eq!(
            over.events[0].alert.since,
            Some(at(0)),
            "seen first where nothing tells"
        );
    }

    #[test]
    fn what_nobody_could_look_at_stays_as_it_was() {
        let first = track(&[], &found(&[Branches], &[]), moment(0, 0));
        let unknown = track(&first.open, &found(&[], &[Branches]), moment(1, 1));
        assert_eq!((told(&unknown.events), unknown.open.len()), (vec![], 1));
        let nothing = track(&[], &found(&[], &[Branches]), moment(1, 1));
        assert_eq!((nothing.events.len(), nothing.open.len()), (0, 0));
    }

    #[test]
    fn a_clock_that_was_wrong_silences_nothing() {
        let first = track(&[], &found(&[Brake], &[]), moment(90_000, 0));
        let earlier = track(&first.open, &found(&[Brake], &[]), moment(0, 1));
        assert_eq!(told(&earlier.events), [(2, Kind::Reminder, Brake)]);
        let next = track(&earlier.open, &found(&[Brake], &[]), moment(1, 2));
        assert_eq!(told(&next.events), []);
    }

    #[test]
    fn the_bytes_of_a_log_line_stay_as_they_are() {
        let evidence = [("limit", serde_json::Value::from(2))];
        let alert = Alert::new(
            Name::RedFlips,
            "RED was entered 3 times",
            Some(at(-1)),
            evidence,
        );
        let found = Found {
            alerts: vec![alert],
            ..Found::default()
        };
        let event = track(&[], &found, moment(0, 0)).events.remove(0);
        let line = serde_json::to_string(&event).unwrap();
        assert_eq!(
            line,
            r#"{"v":1,"number":1,"timestamp":"2026-01-15T12:00:00+00:00","event":"raised","name":"red_flips","severity":"high","message":"RED was entered 3 times","since":"2026-01-15T11:00:00+00:00","evidence":{"limit":2},"action":"find the signal that swings with `policy-orchestrator explain` and mend what reports it","first_seen":"2026-01-15T12:00:00+00:00"}"#
        );
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }

    proptest! {
        #[test]
        fn what_is_open_follows_from_the_events(looks in prop::collection::vec((0u16..2048, 0u16..2048, 0i64..30), 1..20)) {
            let (mut open, mut folded, mut number, mut hours) = (Vec::new(), Vec::new(), 0, 0);
            let named = |bits: u16| -> Vec<Name> {
                Name::ALL.iter().enumerate().filter(|(index, _)| bits >> index & 1 == 1).map(|(_, name)| *name).collect()
            };
            for (up, unknown, later) in looks {
                hours += later;
                let unknown: Vec<Name> = named(unknown & !up);
                let tracked = track(&open, &found(&named(up), &unknown), moment(hours, number));
                for event in &tracked.events {
                    number += 1;
                    prop_assert_eq!(event.number, number);
                    fold(&mut folded, event);
                }
                open = tracked.open;
                prop_assert_eq!(&folded, &open);
            }
        }
    }
}
