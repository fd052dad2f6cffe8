//! When an override is given and when it may be used: pure functions of how things stand and a time.

use std::fmt;

use crate::approval::is_same_person;
use crate::record::overrides::{OpenOverride, Overrides};
use crate::time::{Timestamp, in_words};

/// So many wrong codes in a row, and none is looked at for a while.
pub(super) const TRIES: u32 = 5;

/// How long that while is, in seconds.
const LOCKED_SECONDS: i64 = 15 * 60;

/// So many overrides can be open at a time: each line of the log carries them.
const MOST_OPEN: usize = 16;

/// Why an override was not given or may not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing of that id is open.
    Unknown,
    /// It was answered already.
    Answered,
    /// Nobody gave it.
    Unanswered,
    /// It is over, since this time.
    Over(Timestamp),
    /// It is for another operation.
    OtherOperation(String),
    /// Whoever asked would give it.
    SamePerson,
    /// Too many are open.
    TooMany,
    /// The code is of no step around now; so many more may be tried.
    WrongCode(u32),
    /// The code, or a later one, was accepted before.
    UsedCode,
    /// No code is looked at before this time.
    Locked(Timestamp),
    /// The list of approvers does not name whoever would give it.
    NotListed,
}

impl Refusal {
    /// The stable word for it, for records.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unknown => "override_unknown",
            Self::Answered => "override_answered",
            Self::Unanswered => "override_not_approved",
            Self::Over(_) => "override_expired",
            Self::OtherOperation(_) => "override_of_another_operation",
            Self::SamePerson => "override_by_its_requester",
            Self::TooMany => "override_limit",
            Self::WrongCode(_) => "override_code_wrong",
            Self::UsedCode => "override_code_used",
            Self::Locked(_) => "override_locked",
            Self::NotListed => "override_approver_not_listed",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str(
                "no override of that id is open: it was never asked for, or used, or is long over",
            ),
            Self::Answered => f.write_str("this override was given already"),
            Self::Unanswered => f.write_str("nobody has given this override yet"),
            Self::Over(at) => write!(f, "this override is over since {at}"),
            Self::OtherOperation(operation) => write!(f, "this override is for `{operation}`"),
            Self::SamePerson => f.write_str("whoever asks for an override can't give it"),
            Self::TooMany => write!(f, "{MOST_OPEN} overrides are open already"),
            Self::WrongCode(left) => write!(f, "the code is wrong; tries left: {left}"),
            Self::UsedCode => f.write_str("this code was used already, or a later one was"),
            Self::Locked(until) => write!(
                f,
                "{TRIES} wrong codes were given; no code is looked at before {until}"
            ),
            Self::NotListed => {
                f.write_str("the list of approvers does not let this person give overrides")
            }
        }
    }
}

/// Takes a request in. What is over makes room.
pub(super) fn ask(
    overrides: &mut Overrides,
    request: OpenOverride,
    at: Timestamp,
) -> Result<(), Refusal> {
    overrides.open.retain(|open| at < open.until);
    if overrides.open.len() >= MOST_OPEN {
        return Err(Refusal::TooMany);
    }
    overrides.open.push(request);
    Ok(())
}

/// Gives an override, where the code is of a step that none was accepted of before. A refusal may
/// change how things stand, too: wrong codes are counted.
pub(super) fn answer(
    overrides: &mut Overrides,
    id: &str,
    approver: &str,
    step: impl FnOnce() -> Option<u64>,
    at: Timestamp,
) -> Result<OpenOverride, Refusal> {
    match overrides.locked_until {
        Some(until) if at < until => return Err(Refusal::Locked(until)),
        Some(_) => overrides.locked_until = None,
        None => {}
    }
    let open = overrides.open.iter_mut().find(|open| open.id == id);
    let open = open.ok_or(Refusal::Unknown)?;
    if at >= open.until {
        return Err(Refusal::Over(open.until));
    }
    if open.approver.is_some() {
        return Err(Refusal::Answered);
    }
    if is_same_person(&open.requester, approver) {
        return Err(Refusal::SamePerson);
    }
    let Some(step) = step() else {
        overrides.wrong += 1;
        let left = TRIES.saturating_sub(overrides.wrong);
        if left > 0 {
            return Err(Refusal::WrongCode(left));
        }
        let until = at.plus_seconds(LOCKED_SECONDS);
        overrides.wrong = 0;
        overrides.locked_until = Some(until);
        return Err(Refusal::Locked(until));
    };
    if overrides.step.is_some_and(|last| step <= last) {
        return Err(Refusal::UsedCode);
    }
    overrides.step = Some(step);
    overrides.wrong = 0;
    open.approver = Some(approver.to_owned());
    open.until = at.plus_seconds(open.seconds);
    Ok(open.clone())
}

/// The override of this id, where it may be used for `operation` now.
pub(super) fn usable<'o>(
    overrides: &'o Overrides,
    id: &str,
    operation: &str,
    at: Timestamp,
) -> Result<&'o OpenOverride, Refusal> {
    let open = overrides.get(id).ok_or(Refusal::Unknown)?;
    if open.operation != operation {
        return Err(Refusal::OtherOperation(open.operation.clone()));
    }
    if at >= open.until {
        return Err(Refusal::Over(open.until));
    }
    if open.approver.is_none() {
        return Err(Refusal::Unanswered);
    }
    Ok(open)
}

/// Uses it up.
pub(super) fn take(
    overrides: &mut Overrides,
    id: &str,
    operation: &str,
    at: Timestamp,
) -> Result<OpenOverride, Refusal> {
    let taken = usable(overrides, id, operation, at)?.clone();
    overrides.open.retain(|open| open.id != id);
    Ok(taken)
}

/// How long it still lasts, for a person.
pub(super) fn left(open: &OpenOverride, at: Timestamp) -> String {
    in_words(open.until.since(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_800_000_000 + seconds).unwrap()
    }

    fn asked(id: &str) -> OpenOverride {
        OpenOverride {
            id: id.to_owned(),
            operation: "guard:policy/policy.yaml".to_owned(),
            requester: "ada".to_owned(),
            approver: None,
            seconds: 300,
            until: at(300),
        }
    }

    fn with(ids: &[&str]) -> Overrides {
        let mut overrides = Overrides::default();
        for id in ids {
            ask(&mut overrides, asked(id), at(0)).unwrap();
        }
        overrides
    }

    const FOR: &str = "guard:policy/policy.yaml";

    #[test]
    fn one_is_given_once_used_once_and_over_at_its_time() {
        let mut overrides = with(&["1"]);
        assert_eq!(
            usable(&overrides, "1", FOR, at(1)),
            Err(Refusal::Unanswered)
        );
        answer(&mut overrides, "1", "bob", || Some(7), at(10)).unwrap();
        let again = answer(&mut overrides, "1", "bob", || Some(8), at(11));
        assert_eq!(again, Err(Refusal::Answered));
        assert!(usable(&overrides, "1", FOR, at(309)).is_ok());
        // At the very second it is over.
        assert_eq!(
            usable(&overrides, "1", FOR, at(310)),
            Err(Refusal::Over(at(310)))
        );
        let other = usable(&overrides, "1", "guard:other", at(20));
        assert_eq!(other, Err(Refusal::OtherOperation(FOR.to_owned())));
        assert_eq!(take(&mut overrides, "1", FOR, at(20)).unwrap().id, "1");
        assert_eq!(
            take(&mut overrides, "1", FOR, at(20)),
            Err(Refusal::Unknown)
        );
    }

    #[test]
    fn an_answer_after_the_time_is_none() {
        let mut overrides = with(&["1"]);
        let late = answer(&mut overrides, "1", "bob", || Some(7), at(300));
        assert_eq!(late, Err(Refusal::Over(at(300))));
        assert!(answer(&mut overrides, "1", "bob", || Some(7), at(299)).is_ok());
    }

    #[test]
    fn a_code_counts_once_for_whatever_request() {
        let mut overrides = with(&["1", "2", "3"]);
        answer(&mut overrides, "1", "bob", || Some(7), at(0)).unwrap();
        for step in [6, 7] {
            let again = answer(&mut overrides, "2", "bob", || Some(step), at(1));
            assert_eq!(again, Err(Refusal::UsedCode));
        }
        assert!(answer(&mut overrides, "2", "bob", || Some(8), at(2)).is_ok());
    }

    #[test]
    fn whoever_asks_does_not_give_and_their_code_is_not_looked_at() {
        let mut overrides = with(&["1"]);
        for name in ["ada", "ADA", " Ada "] {
            let own = answer(&mut overrides, "1", name, || panic!("looked at"), at(1));
            assert_eq!(own, Err(Refusal::SamePerson));
        }
        assert_eq!(overrides, with(&["1"]));
    }

    #[test]
    fn five_wrong_codes_lock_for_a_quarter_of_an_hour() {
        let long = OpenOverride {
            seconds: 3600,
            until: at(3600),
            ..asked("1")
        };
        let mut overrides = Overrides::default();
        ask(&mut overrides, long, at(0)).unwrap();
        for left in [4, 3, 2, 1] {
            let wrong = answer(&mut overrides, "1", "bob", || None, at(0));
            assert_eq!(wrong, Err(Refusal::WrongCode(left)));
        }
        let locked = Err(Refusal::Locked(at(900)));
        assert_eq!(answer(&mut overrides, "1", "bob", || None, at(0)), locked);
        // Not even the right one is looked at.
        let looked = answer(&mut overrides, "1", "bob", || panic!("looked at"), at(899));
        assert_eq!(looked, locked);
        let again = answer(&mut overrides, "1", "bob", || None, at(900));
        assert_eq!(again, Err(Refusal::WrongCode(4)));
        assert!(answer(&mut overrides, "1", "bob", || Some(1), at(901)).is_ok());
        assert_eq!((overrides.wrong, overrides.locked_until), (0, None));
    }

    #[test]
    fn only_so_many_are_open_and_what_is_over_makes_room() {
        let ids: Vec<String> = (0..MOST_OPEN).map(|number| number.to_string()).collect();
        let mut overrides = with(&ids.iter().map(String::as_str).collect::<Vec<_>>());
        let more = ask(&mut overrides, asked("more"), at(299));
        assert_eq!(more, Err(Refusal::TooMany));
        ask(&mut overrides, asked("more"), at(300)).unwrap();
        assert_eq!(overrides.open.len(), 1);
    }
}
