//! How a recorded history went: its levels, signals, near misses and days.

use serde::Serialize;

use super::walk::{Entry, Source};
use super::{Findings, LeftOut, Selection};
use crate::decision::backtest::Said;
use crate::decision::trend::days::{self, Day, Days, Steps};
use crate::decision::trend::near::{Near, NearMisses, Watch};
use crate::decision::trend::signals::{OfSignal, Signals};
use crate::decision::trend::{Course, Trend};
use crate::diagnostic::Checked;
use crate::fs::Workspace;
use crate::ids::Digest;
use crate::policy::{Level, document};
use crate::record::policies;
use crate::time::Timestamp;

/// So many policies are held at a time: a history goes from one to the next.
const HELD: usize = 16;

/// How it went, and what of the history that was taken from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Levels {
    /// The files that were read.
    pub read: Vec<String>,
    /// The level that alone is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<Level>,
    /// How the level went.
    #[serde(flatten)]
    pub trend: Trend,
    /// How each signal went.
    pub signals: Vec<OfSignal>,
    /// Triggers that nearly fired.
    pub near_misses: Vec<Near>,
    /// Decisions whose policy document is gone, so that nobody knows what was near.
    pub near_unknown: u64,
    /// The level in equal steps.
    pub course: Option<days::Course>,
    /// The last days.
    pub days: Vec<Day>,
    /// How many older days are not told.
    pub more_days: u64,
    /// What was left out.
    pub left_out: LeftOut,
    /// What can't be read.
    #[serde(flatten)]
    pub findings: Findings,
}

/// One decision of a history.
#[derive(Debug, Clone, Copy)]
pub struct Decided<'a> {
    /// When it was made.
    pub at: Timestamp,
    /// Its level.
    pub level: &'a Level,
    /// What the signals said.
    pub said: Said<'a>,
}

/// Reads a journal from its beginning; `only` tells of one level alone.
pub fn of_journal(
    workspace: &Workspace,
    source: &Source,
    selection: Selection,
    only: Option<&Level>,
) -> Checked<Levels> {
    let mut fold = Fold {
        workspace,
        only,
        course: Course::default(),
        signals: Signals::default(),
        near: NearMisses::default(),
        near_unknown: 0,
        steps: Steps::default(),
        days: Days::default(),
        held: Vec::new(),
    };
    let (mut left_out, mut findings) = (LeftOut::default(), Findings::default());
    for problem in &source.problems {
        findings.add(problem.clone());
    }
    source.each(&mut |line| match &line.entry {
        Entry::Fixed(fixed) => {
            if selection.counts(&mut left_out, fixed.at, fixed.given_clock) {
                let decided = Decided {
                    at: fixed.at,
                    level: &fixed.level,
                    said: Said::Six(&fixed.six),
                };
                fold.take(decided, fixed.policy_digits());
            }
        }
        Entry::Other(recorded) => {
            if selection.counts(&mut left_out, recorded.at, recorded.given_clock) {
                let decided = Decided {
                    at: recorded.at,
                    level: &recorded.level,
                    said: Said::Readings(&recorded.readings),
                };
                fold.take(decided, recorded.policy.to_string().as_bytes());
            }
        }
        Entry::Unreadable(finding) => findings.add((**finding).clone()),
        other => left_out.count(other),
    })?;
    Ok(fold.finish(source, left_out, findings))
}

struct Fold<'a> {
    workspace: &'a Workspace,
    only: Option<&'a Level>,
    course: Course,
    signals: Signals,
    near: NearMisses,
    near_unknown: u64,
    steps: Steps,
    days: Days,
    /// The policies that were used last, the last one first; `None` for one that is not there.
    held: Vec<(Vec<u8>, Option<Watch>)>,
}

impl Fold<'_> {
    fn take(&mut self, decided: Decided<'_>, policy: &[u8]) {
        let Decided { at, level, said } = decided;
        let changed = self.course.take(at, level);
        if self.only.is_some_and(|only| only.name() != level.name()) {
            return;
        }
        let place = self.steps.take(at, level);
        self.signals.take(at, place, said);
        self.days.take(at, level, changed);
        self.hold(policy);
        match self.held.first() {
            Some((_, Some(watch))) => self.near.take(watch, at, said),
            _ => self.near_unknown += 1,
        }
    }

    /// Brings a policy to the front.
    fn hold(&mut self, digits: &[u8]) {
        let known = self.held.iter().position(|(known, _)| known == digits);
        match known {
            Some(0) => {}
            Some(place) => {
                let held = self.held.remove(place);
                self.held.insert(0, held);
            }
            None => {
                let bytes = Digest::parse_bytes(digits)
                    .and_then(|sha256| policies::read(self.workspace, sha256).ok());
                let policy = bytes.map(|bytes| document::from_kept(&bytes));
                let watch = policy.filter(|policy| !policy.is_refused());
                self.held
                    .insert(0, (digits.to_vec(), watch.as_ref().map(Watch::of)));
                self.held.truncate(HELD);
            }
        }
    }

    fn finish(self, source: &Source, left_out: LeftOut, findings: Findings) -> Levels {
        let (days, more_days) = self.days.finish();
        let trend = self.course.finish();
        Levels {
            read: source.files().into_iter().map(str::to_owned).collect(),
            only: self.only.cloned(),
            trend: match self.only {
                Some(level) => trend.only(level),
                None => trend,
            },
            signals: self.signals.finish(),
            near_misses: self.near.finish(),
            near_unknown: self.near_unknown,
            course: self.steps.finish(),
            days,
            more_days,
            left_out,
            findings,
        }
    }
}
