//! Decision tables of the gates.

use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::read(text).unwrap().time
}

fn open() -> Facts {
    Facts {
        at: at("2026-01-15T12:00:00Z"),
        wanted: Some(Level::RED),
        forced: None,
        again: None,
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
        trust_opens: None,
        applies: Vec::new(),
        unlocks: Ok(UnlockFact {
            today: 2,
            allowed: 3,
        }),
        freeze: Ok(freeze(Standing::Open)),
        other_apply: Ok(None),
        unsettled: Ok(Vec::new()),
        applied: Ok(None),
        policy_lock: Ok("20 files".to_owned()),
        unattended: None,
        production: false,
        approver: Ok(ApproverFact::Missing("nobody was asked".to_owned())),
        has_key: true,
    }
}

fn freeze(standing: Standing) -> FreezeFact {
    FreezeFact {
        policy: "policy `ours`, version 3".to_owned(),
        windows: 2,
        standing,
    }
}

fn frozen(mode: Mode, until: Option<&str>) -> Standing {
    Standing::Frozen {
        by: "weekend".to_owned(),
        mode,
        reason: "nobody is there".to_owned(),
        until: until.map(at),
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

/// One way to close each gate of an apply by hand and no other.
const BY_HAND: [(&str, Change); 14] = [
    ("kill_switch", |facts| {
        facts.kill_switch = Some("drill".to_owned());
    }),
    ("journals", |facts| {
        facts.journals = Err("changed".to_owned());
    }),
    ("policy_lock", |facts| {
        facts.policy_lock = Err("policy/policy.yaml: changed".to_owned());
    }),
    ("decision_fresh", |facts| {
        facts.decision = Ok(Some(DecisionFact {
            level: Level::RED,
            at: at("2026-01-14T09:00:00Z"),
            given_clock: false,
        }));
    }),
    ("level", |facts| facts.wanted = Some(Level::YELLOW)),
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
    ("freeze", |facts| {
        facts.freeze = Ok(freeze(frozen(Mode::Deny, None)));
    }),
    ("signing_secret", |facts| {
        facts.production = true;
        facts.has_key = false;
    }),
    ("no_other_apply", |facts| {
        facts.other_apply = Ok(Some("process 7".to_owned()));
    }),
    ("settled", |facts| {
        facts.unsettled = Ok(vec!["a of b".to_owned()]);
    }),
    ("once", |facts| facts.applied = Ok(Some(applied()))),
];

/// The same for what an unattended apply needs beside.
const UNATTENDED: [(&str, Change); 2] = [
    ("auto_apply", |facts| {
        if let Some(unattended) = &mut facts.unattended {
            unattended.switch = Some("True".to_owned());
        }
    }),
    ("preview", |facts| {
        if let Some(unattended) = &mut facts.unattended {
            unattended.preview = Ok(None);
        }
    }),
];

fn applied() -> AppliedFact {
    AppliedFact {
        at: at("2026-01-15T11:30:00Z"),
        user: "ada".to_owned(),
        response_id: "7".to_owned(),
    }
}

fn unattended() -> Facts {
    let preview = PreviewFact {
        at: at("2026-01-15T11:30:00Z"),
        same_plan: true,
        passed: true,
    };
    Facts {
        unattended: Some(Unattended {
            switch: Some("true".to_owned()),
            preview: Ok(Some(preview)),
        }),
        ..open()
    }
}

/// The names of the closed gates, and whether there is a permit.
fn verdict(facts: &Facts) -> (Vec<&'static str>, bool) {
    let gates = evaluate(facts);
    let permitted = permit(&gates).is_some();
    let closed = gates.into_iter().filter(|gate| !gate.open);
    (closed.map(|gate| gate.name).collect(), permitted)
}

#[test]
fn every_combination_names_exactly_the_gates_that_are_closed() {
    let all: Vec<_> = BY_HAND.iter().chain(&UNATTENDED).collect();
    for (count, begin) in [
        (BY_HAND.len(), open as fn() -> Facts),
        (all.len(), unattended),
    ] {
        for combination in 0..1_u32 << count {
            let mut facts = begin();
            let mut expected = Vec::new();
            for (index, (name, close)) in all.iter().take(count).enumerate() {
                if combination & (1 << index) != 0 {
                    close(&mut facts);
                    expected.push(*name);
                }
            }
            // Nobody approved.
            if facts.unattended.is_some() || facts.production {
                expected.push("approver");
            }
            let nothing_closed = expected.is_empty();
            assert_eq!(verdict(&facts), (expected, nothing_closed));
        }
    }
}

#[test]
fn test_p3_manual_block() {
    let gates = evaluate(&unattended());
    let closed: Vec<&Gate> = gates.iter().filter(|gate| !gate.open).collect();
    assert_eq!(closed.len(), 1);
    assert!(closed[0].detail.starts_with("manual approval required"));
    assert!(permit(&gates).is_none());
}

#[test]
fn somebody_who_approved_opens_the_gate_and_no_other() {
    let approved = Ok(ApproverFact::Approved {
        how: "approval",
        id: "5f0c".to_owned(),
        by: "bob".to_owned(),
        until: at("2026-01-16T12:00:00Z"),
    });
    let mut facts = Facts {
        approver: approved,
        ..unattended()
    };
    assert_eq!(verdict(&facts), (Vec::new(), true));
    facts.kill_switch = Some("drill".to_owned());
    facts.journals = Err("changed".to_owned());
    assert_eq!(verdict(&facts).0, ["kill_switch", "journals"]);
    let closed = [
        Err("unreadable".to_owned()),
        Ok(ApproverFact::Missing("nobody".to_owned())),
        Ok(ApproverFact::Refused("override_expired", "over".to_owned())),
    ];
    let reasons = ["gate_unreadable", "approver_missing", "override_expired"];
    for (approver, reason) in closed.into_iter().zip(reasons) {
        let gates = evaluate(&Facts {
            approver,
            ..unattended()
        });
        let gate = gates.iter().find(|gate| gate.name == "approver").unwrap();
        assert_eq!(gate.reason.as_deref(), Some(reason));
        assert_eq!(super::approved(&gates), None);
    }
}

#[test]
fn test_p3_dryrun_requirement() {
    type Spoil = fn(&mut PreviewFact);
    let cases: [(Spoil, &str); 4] = [
        (|preview| preview.same_plan = false, "preview_differs"),
        (|preview| preview.passed = false, "preview_blocked"),
        (
            |preview| preview.at = at("2026-01-14T11:59:59Z"),
            "preview_stale",
        ),
        (
            |preview| preview.at = at("2026-01-15T12:00:01Z"),
            "preview_stale",
        ),
    ];
    for (change, reason) in cases {
        let mut facts = unattended();
        if let Some(Unattended {
            preview: Ok(Some(preview)),
            ..
        }) = &mut facts.unattended
        {
            change(preview);
        }
        let gates = evaluate(&facts);
        let gate = gates.iter().find(|gate| gate.name == "preview").unwrap();
        assert_eq!(gate.reason.as_deref(), Some(reason));
        assert!(gate.detail.starts_with("dry-run or signature missing"));
    }
}

#[test]
fn only_the_exact_word_true_switches_unattended_applies_on() {
    for word in ["", "True", "TRUE", "1", "yes", " true", "true "] {
        let mut facts = unattended();
        if let Some(unattended) = &mut facts.unattended {
            unattended.switch = Some(word.to_owned());
        }
        assert_eq!(verdict(&facts).0, ["auto_apply", "approver"], "{word:?}");
    }
}

#[test]
fn an_operators_word_opens_the_gates_that_ask_for_one_and_no_other() {
    let mut facts = open();
    for (_, close) in BY_HAND {
        close(&mut facts);
    }
    facts.production = false;
    facts.forced = Some("drill".to_owned());
    facts.again = Some("drill".to_owned());
    let closed = verdict(&facts).0;
    let opened = ["level", "once", "signing_secret"];
    let expected: Vec<&str> = BY_HAND
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| !opened.contains(name))
        .collect();
    assert_eq!(closed, expected);
}

#[test]
fn a_single_action_has_every_gate_but_those_of_a_decision() {
    let facts = Facts {
        wanted: None,
        ..open()
    };
    let names: Vec<&str> = evaluate(&facts).iter().map(|gate| gate.name).collect();
    let of_decision = ["decision_fresh", "level", "once"];
    let expected: Vec<&str> = BY_HAND
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| !of_decision.contains(name))
        .collect();
    assert_eq!(names, expected);
}

#[test]
fn what_cannot_be_read_or_is_absent_is_closed() {
    let cases: [(Change, &[(&str, &str)]); 11] = [
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
            |f| f.freeze = Err("x".into()),
            &[("freeze", "gate_unreadable")],
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
fn the_rate_limit_opens_again_when_enough_own_applies_are_a_day_old() {
    let mut facts = open();
    facts.applies = vec![
        at("2026-01-15T11:00:00Z"),
        at("2026-01-15T10:00:00Z"),
        at("2026-01-15T09:00:00Z"),
    ];
    let opens = |facts: &Facts| {
        let gates = evaluate(facts);
        gates
            .into_iter()
            .find(|gate| gate.name == "rate_limit")?
            .opens_at
    };
    let cases = [
        (9, None),
        (10, Some("2026-01-16T09:00:00Z")),
        (11, Some("2026-01-16T10:00:00Z")),
        (12, Some("2026-01-16T11:00:00Z")),
        (13, None),
    ];
    for (responses, expected) in cases {
        facts.responses = Ok(responses);
        assert_eq!(opens(&facts), expected.map(at), "{responses}");
    }
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

#[test]
fn a_freeze_names_its_window_its_reason_and_when_it_ends() {
    let monday = "2026-01-19T08:00:00Z";
    let cases = [
        (
            frozen(Mode::Deny, Some(monday)),
            "frozen",
            "policy `ours`, version 3: in the window `weekend`: nobody is there",
        ),
        (
            frozen(Mode::Deny, None),
            "frozen",
            "policy `ours`, version 3: in the window `weekend`: nobody is there; no end was found within a year",
        ),
        (
            frozen(Mode::Allow, Some(monday)),
            "outside_windows",
            "policy `ours`, version 3: outside every window that allows, `weekend` comes next: nobody is there",
        ),
    ];
    for (standing, reason, detail) in cases {
        let Standing::Frozen { until, .. } = &standing else {
            unreachable!("each case is frozen");
        };
        let until = *until;
        let mut facts = open();
        facts.freeze = Ok(freeze(standing));
        let gates = evaluate(&facts);
        let gate = gates.iter().find(|gate| !gate.open).unwrap();
        let found = (gate.name, gate.reason.as_deref(), gate.detail.as_str());
        assert_eq!(found, ("freeze", Some(reason), detail));
        assert_eq!(gate.opens_at, until);
        assert!(permit(&gates).is_none());
    }
}
