//! A recorded history decided again by another policy.

use serde::Serialize;

use super::records::{Kept, Records};
use super::walk::{Entry, Source};
use super::{Findings, LeftOut, Selection};
use crate::decision::LockHealth;
use crate::decision::backtest::{Backtest, Outcome, Past, Said};
use crate::diagnostic::Checked;
use crate::policy::Policy;

/// What a backtest came to, and what it was made on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Backtested {
    /// The files that were read, or the folder.
    pub read: Vec<String>,
    /// What the policy would have decided.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What was left out.
    pub left_out: LeftOut,
    /// Decisions that could not be made again.
    pub undecided: u64,
    /// Why, and what is missing of the history.
    #[serde(flatten)]
    pub findings: Findings,
}

/// Decides a journal again.
pub fn of_journal(source: &Source, policy: &Policy, selection: Selection) -> Checked<Backtested> {
    let mut backtest = Backtest::new(policy);
    let mut left_out = LeftOut::default();
    let (mut findings, mut undecided) = (Findings::default(), 0);
    for problem in &source.problems {
        findings.add(problem.clone());
    }
    source.each(&mut |line| match &line.entry {
        Entry::Fixed(fixed) => {
            let past = Past {
                at: fixed.at,
                level: &fixed.level,
                said: Said::Six(&fixed.six),
            };
            take(
                &mut backtest,
                past,
                selection,
                (fixed.given_clock, fixed.is_tampered()),
                &mut left_out,
            );
        }
        Entry::Other(recorded) => {
            let past = Past {
                at: recorded.at,
                level: &recorded.level,
                said: Said::Readings(&recorded.readings),
            };
            take(
                &mut backtest,
                past,
                selection,
                (
                    recorded.given_clock,
                    LockHealth::of(&recorded.reasons) == LockHealth::Tampered,
                ),
                &mut left_out,
            );
        }
        Entry::Unreadable(finding) => {
            undecided += 1;
            findings.add((**finding).clone());
        }
        other @ (Entry::Plain | Entry::Marker { .. } | Entry::Torn) => left_out.count(other),
    })?;
    Ok(Backtested {
        read: source.files().into_iter().map(str::to_owned).collect(),
        outcome: backtest.finish(),
        left_out,
        undecided,
        findings,
    })
}

/// Decides a record again, where it counts.
fn take(
    backtest: &mut Backtest<'_>,
    past: Past<'_>,
    selection: Selection,
    (given, tampered): (bool, bool),
    left_out: &mut LeftOut,
) {
    let counts = selection.counts(left_out, past.at, given);
    left_out.tampered += u64::from(counts && tampered);
    if counts && !tampered {
        backtest.take(past);
    } else {
        // What does not count was recorded all the same: what comes after goes on from it.
        backtest.remember(past);
    }
}

/// Decides a folder of recorded inputs again. `in_force` decides what a file doesn't tell the level
/// of.
pub fn of_records(
    records: Records,
    policy: &Policy,
    in_force: &Policy,
    selection: Selection,
) -> Backtested {
    let mut backtest = Backtest::new(policy);
    let mut left_out = LeftOut::default();
    for record in &records.records {
        let level = record.level(in_force);
        let past = Past {
            at: record.at,
            level: &level,
            said: match &record.kept {
                Kept::Six(six) => Said::Six(six),
                Kept::Readings(readings) => Said::Readings(readings),
            },
        };
        take(
            &mut backtest,
            past,
            selection,
            (record.given_clock, false),
            &mut left_out,
        );
    }
    Backtested {
        read: vec![records.folder],
        outcome: backtest.finish(),
        left_out,
        undecided: records.unusable,
        findings: records.findings,
    }
}
