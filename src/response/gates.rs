//! Gates: what has to hold before anything may be changed.
//!
//! A pure function of the facts gives every gate, open or closed with its reason, never only the
//! first closed one (D-39). A fact that can't be read closes its gate. The facts come from
//! [`super::facts`].

use chrono::TimeDelta;
use serde::Serialize;

use crate::policy::Level;
use crate::record::journal::is_late;
use crate::safeguard::brake::BrakeFact;
use crate::safeguard::unlocks::UnlockFact;
use crate::time::{Timestamp, in_words};

/// What could be found out about one thing, or why it could not.
pub type Fact<T> = Result<T, String>;

/// The decision that is responded to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionFact {
    /// Its level.
    pub level: Level,
    /// When it was made.
    pub at: Timestamp,
    /// True where the user gave the time.
    pub given_clock: bool,
}

/// Everything that the gates ask for.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The time now.
    pub at: Timestamp,
    /// The level that is to be responded to.
    pub wanted: Level,
    /// Why the kill switch is on; `None` while it is off.
    pub kill_switch: Option<String>,
    /// What was looked at in the journals, or what is wrong with them.
    pub journals: Fact<String>,
    /// The last decision; `None` where there is none.
    pub decision: Fact<Option<DecisionFact>>,
    /// Is the trust guard's lock set? `None` where no file says.
    pub trust_locked: Fact<Option<bool>>,
    /// The brake; `None` where there is no file.
    pub brake: Fact<Option<BrakeFact>>,
    /// Own applies and adaptive responses in the last 24 hours.
    pub responses: Fact<u64>,
    /// Manual unlocks.
    pub unlocks: Fact<UnlockFact>,
    /// True under `ENV=production`.
    pub production: bool,
    /// True where a signing secret is set.
    pub has_key: bool,
}

/// One gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gate {
    /// Its stable name.
    pub name: &'static str,
    /// True where it lets pass.
    pub open: bool,
    /// A stable word for why it is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was found.
    pub detail: String,
    /// The earliest time at which it opens by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<Timestamp>,
}

impl Gate {
    fn open(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name,
            open: true,
            reason: None,
            detail: detail.into(),
            opens_at: None,
        }
    }

    fn closed(name: &'static str, reason: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            name,
            open: false,
            reason: Some(reason.into()),
            detail: detail.into(),
            opens_at: None,
        }
    }

    /// What can't be read is closed (D-41).
    fn unreadable(name: &'static str, why: &str) -> Self {
        Self::closed(name, "gate_unreadable", why)
    }
}

/// Every gate, in a fixed order.
pub fn evaluate(facts: &Facts) -> Vec<Gate> {
    vec![
        kill_switch(facts),
        journals(facts),
        decision(facts),
        level(facts),
        trust(facts),
        brake(facts),
        rate(facts),
        unlocks(facts),
        signing(facts),
    ]
}

fn kill_switch(facts: &Facts) -> Gate {
    match &facts.kill_switch {
        None => Gate::open("kill_switch", "off"),
        Some(why) => Gate::closed("kill_switch", "kill_switch_on", why),
    }
}

fn journals(facts: &Facts) -> Gate {
    match &facts.journals {
        Ok(looked_at) => Gate::open("journals", looked_at),
        Err(why) => Gate::closed("journals", "journal_broken", why),
    }
}

fn decision(facts: &Facts) -> Gate {
    const NAME: &str = "decision_fresh";
    let decision = match &facts.decision {
        Err(why) => return Gate::unreadable(NAME, why),
        Ok(None) => {
            let help = "nothing was decided here yet: `policy-orchestrator run` decides";
            return Gate::closed(NAME, "decision_missing", help);
        }
        Ok(Some(decision)) => decision,
    };
    let age = facts.at.since(decision.at);
    if decision.given_clock {
        let detail = "the last decision was made with --at, which never counts as fresh";
        return Gate::closed(NAME, "decision_with_given_clock", detail);
    }
    if age < TimeDelta::zero() {
        let detail = format!("decided at {}, which is in the future", decision.at);
        return Gate {
            opens_at: Some(decision.at),
            ..Gate::closed(NAME, "decision_in_future", detail)
        };
    }
    let detail = format!("decided {} ago", in_words(age));
    if is_late(decision.at, facts.at) {
        return Gate::closed(
            NAME,
            "decision_stale",
            format!("{detail}; at most 26 h are fresh"),
        );
    }
    Gate::open(NAME, detail)
}

fn level(facts: &Facts) -> Gate {
    const NAME: &str = "level";
    match &facts.decision {
        Err(why) => Gate::unreadable(NAME, why),
        Ok(None) => Gate::closed(NAME, "decision_missing", "no level was decided yet"),
        Ok(Some(decision)) if decision.level == facts.wanted => {
            Gate::open(NAME, format!("{} was decided", decision.level))
        }
        Ok(Some(decision)) => Gate::closed(
            NAME,
            "level_differs",
            format!(
                "{} was decided, {} is asked for",
                decision.level, facts.wanted
            ),
        ),
    }
}

fn trust(facts: &Facts) -> Gate {
    const NAME: &str = "trust_unlocked";
    match &facts.trust_locked {
        Err(why) => Gate::unreadable(NAME, why),
        Ok(None) => Gate::closed(NAME, "trust_guard_missing", "no trust lock file is there"),
        Ok(Some(true)) => Gate::closed(NAME, "trust_guard_locked", "the trust guard's lock is set"),
        Ok(Some(false)) => Gate::open(NAME, "unlocked"),
    }
}

fn brake(facts: &Facts) -> Gate {
    const NAME: &str = "safety_brake_off";
    match &facts.brake {
        Err(why) => Gate::unreadable(NAME, why),
        Ok(None) => Gate::closed(NAME, "safety_brake_missing", "no brake file is there"),
        Ok(Some(brake)) if brake.engaged => Gate::closed(
            NAME,
            "safety_brake_engaged",
            "engaged until somebody resets it",
        ),
        Ok(Some(_)) => Gate::open(NAME, "off"),
    }
}

fn rate(facts: &Facts) -> Gate {
    const NAME: &str = "rate_limit";
    let brake = match &facts.brake {
        Err(why) => return Gate::unreadable(NAME, why),
        Ok(None) => return Gate::closed(NAME, "safety_brake_missing", "no brake file counts"),
        Ok(Some(brake)) => brake,
    };
    match &facts.responses {
        Err(why) => Gate::unreadable(NAME, why),
        Ok(responses) => {
            let count = brake.counted.max(*responses);
            let detail = format!("{count} of {} in 24 h", brake.allowed);
            if count < brake.allowed {
                return Gate::open(NAME, detail);
            }
            let reason = format!("rate_limit_exceeded_{count}/{}", brake.allowed);
            Gate::closed(NAME, reason, detail)
        }
    }
}

fn unlocks(facts: &Facts) -> Gate {
    const NAME: &str = "manual_unlocks";
    match &facts.unlocks {
        Err(why) => Gate::unreadable(NAME, why),
        Ok(count) => {
            let UnlockFact { today, allowed } = count;
            let detail = format!("{today} of {allowed} today");
            if !count.is_used_up() {
                return Gate::open(NAME, detail);
            }
            let reason = format!("manual_unlock_limit_{today}/{allowed}");
            Gate {
                opens_at: Some(facts.at.next_day()),
                ..Gate::closed(NAME, reason, detail)
            }
        }
    }
}

fn signing(facts: &Facts) -> Gate {
    const NAME: &str = "signing_secret";
    match (facts.has_key, facts.production) {
        (true, _) => Gate::open(NAME, "set"),
        (false, false) => Gate::open(NAME, "not set: records are unsigned"),
        (false, true) => Gate::closed(
            NAME,
            "signing_secret_missing",
            "ENV=production, and no POLICY_AUDIT_SECRET is set",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::read(text).unwrap().time
    }

    fn open() -> Facts {
        Facts {
            at: at("2026-01-15T12:00:00Z"),
            wanted: Level::RED,
            kill_switch: None,
            journals: Ok("whole".to_owned()),
            decision: Ok(Some(DecisionFact {
                level: Level::RED,
                at: at("2026-01-15T11:00:00Z"),
                given_clock: false,
            })),
            trust_locked: Ok(Some(false)),
            brake: Ok(Some(BrakeFact {
                engaged: false,
                counted: 9,
                allowed: 10,
            })),
            responses: Ok(9),
            unlocks: Ok(UnlockFact {
                today: 2,
                allowed: 3,
            }),
            production: false,
            has_key: false,
        }
    }

    fn closed(facts: &Facts) -> Vec<(&'static str, String)> {
        let gates = evaluate(facts);
        let closed = gates.into_iter().filter(|gate| !gate.open);
        closed
            .map(|gate| (gate.name, gate.reason.unwrap()))
            .collect()
    }

    type Change = fn(&mut Facts);

    /// One way to close each gate and no other.
    const EACH: [(&str, Change); 9] = [
        ("kill_switch", |facts| {
            facts.kill_switch = Some("drill".to_owned());
        }),
        ("journals", |facts| {
            facts.journals = Err("changed".to_owned());
        }),
        ("decision_fresh", |facts| {
            facts.at = at("2026-01-16T13:00:01Z");
        }),
        ("level", |facts| facts.wanted = Level::YELLOW),
        ("trust_unlocked", |facts| {
            facts.trust_locked = Ok(Some(true));
        }),
        ("safety_brake_off", |facts| {
            facts.brake = Ok(Some(BrakeFact {
                engaged: true,
                counted: 9,
                allowed: 10,
            }));
        }),
        ("rate_limit", |facts| facts.responses = Ok(10)),
        ("manual_unlocks", |facts| {
            facts.unlocks = Ok(UnlockFact {
                today: 3,
                allowed: 3,
            });
        }),
        ("signing_secret", |facts| facts.production = true),
    ];

    #[test]
    fn every_combination_names_exactly_the_gates_that_are_closed() {
        for combination in 0..1_u32 << EACH.len() {
            let mut facts = open();
            let chosen = |index: usize| combination & (1 << index) != 0;
            let mut expected = Vec::new();
            for (index, (name, close)) in EACH.iter().enumerate() {
                if chosen(index) {
                    close(&mut facts);
                    expected.push(*name);
                }
            }
            let names: Vec<_> = closed(&facts).into_iter().map(|(name, _)| name).collect();
            assert_eq!(names, expected);
        }
    }

    #[test]
    fn what_cannot_be_read_or_is_absent_is_closed() {
        let cases: [(Change, &[(&str, &str)]); 10] = [
            (
                |f| f.decision = Err("x".into()),
                &[
                    ("decision_fresh", "gate_unreadable"),
                    ("level", "gate_unreadable"),
                ],
            ),
            (
                |f| f.decision = Ok(None),
                &[
                    ("decision_fresh", "decision_missing"),
                    ("level", "decision_missing"),
                ],
            ),
            (
                |f| f.trust_locked = Err("x".into()),
                &[("trust_unlocked", "gate_unreadable")],
            ),
            (
                |f| f.trust_locked = Ok(None),
                &[("trust_unlocked", "trust_guard_missing")],
            ),
            (
                |f| f.brake = Err("x".into()),
                &[
                    ("safety_brake_off", "gate_unreadable"),
                    ("rate_limit", "gate_unreadable"),
                ],
            ),
            (
                |f| f.brake = Ok(None),
                &[
                    ("safety_brake_off", "safety_brake_missing"),
                    ("rate_limit", "safety_brake_missing"),
                ],
            ),
            (
                |f| f.responses = Err("x".into()),
                &[("rate_limit", "gate_unreadable")],
            ),
            (
                |f| f.responses = Ok(10),
                &[("rate_limit", "rate_limit_exceeded_10/10")],
            ),
            (
                |f| f.unlocks = Err("x".into()),
                &[("manual_unlocks", "gate_unreadable")],
            ),
            (
                |f| f.at = at("2026-01-15T10:59:59Z"),
                &[("decision_fresh", "decision_in_future")],
            ),
        ];
        for (change, expected) in cases {
            let mut facts = open();
            change(&mut facts);
            let found = closed(&facts);
            let found: Vec<_> = found
                .iter()
                .map(|(name, reason)| (*name, reason.as_str()))
                .collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_decision_is_fresh_for_26_hours_and_never_with_a_given_clock() {
        let mut facts = open();
        facts.at = at("2026-01-16T13:00:00Z");
        assert_eq!(closed(&facts), []);
        facts.decision = Ok(Some(DecisionFact {
            level: Level::RED,
            at: facts.at,
            given_clock: true,
        }));
        let reason = "decision_with_given_clock".to_owned();
        assert_eq!(closed(&facts), [("decision_fresh", reason)]);
    }

    #[test]
    fn the_unlock_limit_opens_again_with_the_next_day() {
        let mut facts = open();
        facts.unlocks = Ok(UnlockFact {
            today: 3,
            allowed: 3,
        });
        let gates = evaluate(&facts);
        let gate = gates.iter().find(|gate| !gate.open).unwrap();
        assert_eq!(gate.opens_at, Some(at("2026-01-16T00:00:00Z")));
    }
}
