//! The conditions on the safeguards and on what needs a person: brake, kill switch, blocked and
//! interrupted responses, fix branches, a broken record. Pure.

use serde_json::Value;

use super::{ResponseFact, listed};
use crate::alerts::alert::{Alert, Name};
use crate::alerts::limits::Limits;
use crate::diagnostic::{Diagnostic, readable};
use crate::record::fix_branch::{PREFIX, RESPONSE_PREFIX};
use crate::response::log::Blocked;
use crate::time::{Timestamp, in_words};

pub(super) fn brake_engaged(
    named: Option<Timestamp>,
    seen: Timestamp,
    at: Timestamp,
    limits: &Limits,
) -> Option<Alert> {
    let since = named.unwrap_or(seen);
    let lasted = at.since(since);
    (lasted > limits.brake.delta()).then(|| {
        let measured = if named.is_some() {
            "engaged_at"
        } else {
            "first seen engaged"
        };
        Alert::new(
            Name::BrakeEngaged,
            format!(
                "the safety brake is engaged for {}, longer than {}",
                in_words(lasted),
                limits.brake
            ),
            Some(since),
            [
                ("lasted_seconds", Value::from(lasted.num_seconds())),
                ("limit_hours", limits.brake.to_json()),
                ("measured_from", Value::from(measured)),
            ],
        )
    })
}

pub(super) fn brake_unreadable(why: &str) -> Alert {
    Alert::new(
        Name::BrakeUnreadable,
        format!("nobody can say whether the safety brake is engaged: {why}"),
        None,
        [("why", Value::from(why))],
    )
}

pub(super) fn blocked_responses(blocked: &[Blocked], limits: &Limits) -> Option<Alert> {
    let count = blocked.len() as u64;
    let newest_of_all = blocked.first().filter(|_| count >= limits.blocked)?;
    let oldest = blocked.last().map(|attempt| attempt.at);
    Some(Alert::new(
        Name::BlockedResponses,
        format!(
            "the last {count} responses were blocked, the newest by {}",
            readable(&newest_of_all.reason, 60)
        ),
        oldest,
        [
            ("blocked", Value::from(count)),
            ("limit", Value::from(limits.blocked)),
            (
                "reasons",
                listed(blocked.iter().map(|attempt| attempt.reason.clone())),
            ),
            (
                "response_ids",
                listed(blocked.iter().map(|attempt| attempt.response_id.clone())),
            ),
        ],
    ))
}

pub(super) fn fix_branches(branches: &[String]) -> Option<Alert> {
    let count = branches.len();
    let since = branches.iter().filter_map(|name| made_at(name)).min();
    let shown: Vec<String> = branches
        .iter()
        .take(3)
        .map(|name| readable(name, 80))
        .collect();
    let more = match count.saturating_sub(3) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let noun = if count == 1 {
        "fix branch is"
    } else {
        "fix branches are"
    };
    (count > 0).then(|| {
        Alert::new(
            Name::FixBranches,
            format!("{count} {noun} waiting: {}{more}", shown.join(", ")),
            since,
            [
                ("branches", listed(branches.iter().cloned())),
                ("count", Value::from(count)),
                ("limit", Value::from(0)),
            ],
        )
    })
}

/// The time in the name of a fix branch: fourteen digits.
fn made_at(name: &str) -> Option<Timestamp> {
    let after = |prefix: &&str| {
        name.find(prefix)
            .and_then(|begin| name.get(begin + prefix.len()..))
    };
    let digits = [PREFIX, RESPONSE_PREFIX].iter().find_map(after)?;
    if digits.len() != 14 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |begin: usize, end: usize| digits.get(begin..end).unwrap_or_default();
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(8, 10),
        part(10, 12),
        part(12, 14)
    );
    Timestamp::read(&text).map(|read| read.time)
}

pub(super) fn journal_broken(record: &[Diagnostic]) -> Option<Alert> {
    let first = record.first()?;
    Some(Alert::new(
        Name::JournalBroken,
        format!("{}: {}", first.place, first.message),
        None,
        [
            ("count", Value::from(record.len())),
            ("findings", listed(record.iter().map(ToString::to_string))),
        ],
    ))
}

pub(super) fn response_interrupted(fact: &ResponseFact) -> Option<Alert> {
    let (cut_off, unsettled) = (&fact.cut_off, &fact.unsettled);
    if cut_off.is_none() && unsettled.is_empty() {
        return None;
    }
    let message = match (cut_off, unsettled.first()) {
        (Some(response), _) => format!(
            "the response {} was begun and never ended",
            readable(&response.response_id, 40)
        ),
        (None, first) => format!(
            "nobody knows what {} action{} did: {}",
            unsettled.len(),
            if unsettled.len() == 1 { "" } else { "s" },
            first.map_or_else(String::new, |first| readable(&first.action, 60))
        ),
    };
    let actions = unsettled
        .iter()
        .map(|one| format!("{} of {}", one.action, one.response_id));
    let id = cut_off
        .as_ref()
        .map(|response| response.response_id.clone());
    let action = cut_off
        .as_ref()
        .and_then(|response| response.action.clone());
    Some(Alert::new(
        Name::ResponseInterrupted,
        message,
        cut_off.as_ref().map(|response| response.since),
        [
            ("action", action.map_or(Value::Null, Value::from)),
            ("response_id", id.map_or(Value::Null, Value::from)),
            ("unsettled", listed(actions)),
        ],
    ))
}

pub(super) fn overrides_frequent(given: &[Timestamp], limits: &Limits) -> Option<Alert> {
    let count = given.len() as u64;
    (count > limits.overrides).then(|| {
        Alert::new(
            Name::OverridesFrequent,
            format!(
                "{count} overrides were given in 24 hours, more than {}",
                limits.overrides
            ),
            given.last().copied(),
            [
                ("count", Value::from(count)),
                ("limit", Value::from(limits.overrides)),
            ],
        )
    })
}

pub(super) fn policy_unusable(problems: &[Diagnostic]) -> Option<Alert> {
    let first = problems.first()?;
    Some(Alert::new(
        Name::PolicyUnusable,
        format!(
            "nothing can be called healthy by this policy: {}: {}",
            first.place, first.message
        ),
        None,
        [
            ("findings", listed(problems.iter().map(ToString::to_string))),
            ("count", Value::from(problems.len())),
        ],
    ))
}

pub(super) fn kill_switch(found: Option<&str>) -> Option<Alert> {
    let found = found?;
    Some(Alert::new(
        Name::KillSwitchOn,
        format!("the kill switch is on: nothing is changed ({found})"),
        None,
        [("found", Value::from(found))],
    ))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::diagnostic::{Code, Place};
    use crate::record::response_journal::Unsettled;
    use crate::response::settle::Interrupted;

    fn now() -> Timestamp {
        Timestamp::read("2026-01-15T12:00:00Z").unwrap().time
    }

    fn ago(seconds: i64) -> Timestamp {
        now().minus(TimeDelta::seconds(seconds))
    }

    #[test]
    fn the_brake_may_be_engaged_for_four_hours_measured_from_its_engagement() {
        let four = 4 * 3600;
        let cases = [
            ("four hours, as its file says", Some(four), 0, None),
            (
                "a second more",
                Some(four + 1),
                0,
                Some((four + 1, "engaged_at")),
            ),
            (
                "its file counts, not what was seen",
                Some(60),
                9 * four,
                None,
            ),
            ("seen for four hours", None, four, None),
            (
                "seen for a second more",
                None,
                four + 1,
                Some((four + 1, "first seen engaged")),
            ),
        ];
        for (case, named, seen, expected) in cases {
            let alert = brake_engaged(named.map(ago), ago(seen), now(), &Limits::default());
            let shown = alert.as_ref().map(|alert| {
                let evidence = &alert.evidence;
                (
                    evidence["lasted_seconds"].as_i64().unwrap(),
                    evidence["measured_from"].as_str().unwrap(),
                )
            });
            assert_eq!(shown, expected, "{case}");
        }
    }

    #[test]
    fn three_blocked_responses_in_a_row_are_an_alert() {
        let blocked = |count: u8| -> Vec<Blocked> {
            (0..count)
                .map(|index| Blocked {
                    at: ago(i64::from(index) * 60),
                    reason: format!("gate {index}"),
                    response_id: index.to_string(),
                })
                .collect()
        };
        assert_eq!(blocked_responses(&blocked(0), &Limits::default()), None);
        assert_eq!(blocked_responses(&blocked(2), &Limits::default()), None);
        let alert = blocked_responses(&blocked(3), &Limits::default()).unwrap();
        assert_eq!(
            alert.message,
            "the last 3 responses were blocked, the newest by gate 0"
        );
        assert_eq!(
            (alert.since, &alert.evidence["blocked"]),
            (Some(ago(120)), &Value::from(3))
        );
    }

    #[test]
    fn fix_branches_are_listed_and_dated_by_their_names() {
        assert_eq!(fix_branches(&[]), None);
        let names = [
            "origin/fix/policy-response-20260114000000",
            "fix/policy-orchestrator-20260115110000",
            "fix/policy-orchestrator-odd",
            "fix/policy-orchestrator-\u{202e}",
        ];
        let alert = fix_branches(&names.map(str::to_owned)).unwrap();
        assert_eq!(
            alert.since.unwrap().to_string(),
            "2026-01-14T00:00:00+00:00"
        );
        assert!(
            alert.message.starts_with("4 fix branches are waiting: ")
                && alert.message.ends_with(" and 1 more"),
            "{}",
            alert.message
        );
        assert_eq!(alert.evidence["branches"].as_array().unwrap().len(), 4);
        assert_eq!(
            fix_branches(&["fix/policy-orchestrator-99999999999999".to_owned()])
                .unwrap()
                .since,
            None
        );
    }

    #[test]
    fn a_response_is_interrupted_where_it_was_cut_off_or_left_something_unsettled() {
        let fact = |is_cut_off: bool, unsettled: usize| ResponseFact {
            cut_off: is_cut_off.then(|| Interrupted {
                response_id: "id".to_owned(),
                action: Some("x".to_owned()),
                since: ago(60),
                can_be_undone: true,
            }),
            unsettled: vec![
                Unsettled {
                    response_id: "old".to_owned(),
                    undo_of: None,
                    action: "y".to_owned()
                };
                unsettled
            ],
        };
        let cases = [
            (fact(false, 0), None),
            (
                fact(true, 0),
                Some("the response id was begun and never ended"),
            ),
            (
                fact(true, 2),
                Some("the response id was begun and never ended"),
            ),
            (fact(false, 1), Some("nobody knows what 1 action did: y")),
            (fact(false, 2), Some("nobody knows what 2 actions did: y")),
        ];
        for (fact, expected) in cases {
            let alert = response_interrupted(&fact);
            let message = alert.map(|alert| alert.message);
            assert_eq!(message.as_deref(), expected, "{fact:?}");
        }
    }

    #[test]
    fn the_rest_is_up_as_soon_as_it_is_so() {
        assert_eq!(kill_switch(None), None);
        let message = kill_switch(Some("a switch that is on: drill"))
            .unwrap()
            .message;
        assert!(message.contains("drill"), "{message}");
        assert_eq!(journal_broken(&[]), None);
        let finding = Diagnostic::new(Code::EndCut, Place::file("state/a"), "it was cut");
        let alert = journal_broken(&[finding]).unwrap();
        assert_eq!(alert.message, "state/a: it was cut");
    }
}
