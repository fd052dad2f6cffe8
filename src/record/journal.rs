//! The end of the journal of decisions: is it what the last decision left behind, and what was it.
//!
//! The chain itself is looked at in [`super::chain`]; here its lines are decisions, and the state
//! file says what the last one was.

use std::ops::ControlFlow;

use chrono::TimeDelta;

use super::chain::{self, End, Found, Question, Seen};
use super::line::{Head, Link, RecordedLine};
use super::signing::SigningKey;
use super::since::{Back, Step};
use super::{STATE_JOURNAL, StoredState, agreement, findings, past, since, state};
use crate::decision::{Before, Earlier};
use crate::diagnostic::{Checked, Diagnostic};
use crate::fs::{RetryDelays, Workspace, WriteError};
use crate::policy::{LONGEST_LOOK, Level, is_looked_at};
use crate::time::Timestamp;

pub use super::chain::Purpose;

/// Every look goes so many lines back for the beginning of a level: they are read with the last one.
/// [`since_differs`] goes further.
const FEW_LINES: usize = 4;

/// What stands at the end of the journal.
#[derive(Debug)]
pub enum Inspection {
    /// It goes on from what the last decision left behind.
    Whole(Box<JournalTail>),
    /// It does not. Never empty.
    Broken(Vec<Diagnostic>),
}

/// The end of a journal that can be continued.
#[derive(Debug, Clone, PartialEq)]
pub struct JournalTail {
    /// The end of the chain.
    pub end: End,
    /// The last decision recorded, where the end holds one.
    pub last: Option<RecordedLine>,
    /// The decision before the next one.
    pub before: Option<Before>,
    /// Why that decision may be another than the one that nobody can read.
    pub cut: Option<Diagnostic>,
    /// How many decisions the state file had not seen.
    pub ahead: usize,
}

/// The last decision, as journal and state file tell it together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastDecision {
    /// Its level.
    pub level: Level,
    /// Its time.
    pub at: Timestamp,
    /// Since when its level holds, where the state file says so.
    pub since: Option<Timestamp>,
    /// True where its time was given with `--at`.
    pub given_clock: bool,
}

impl JournalTail {
    /// The last decision; `None` where there is none. The journal is the truth: it may be ahead of
    /// the state file after a kill.
    pub fn last_decision(&self, state: Option<&StoredState>) -> Option<LastDecision> {
        let named = state.and_then(StoredState::head);
        let newer = self.last.as_ref();
        let newer = newer.filter(|line| named.is_none_or(|head| line.seq > head.seq));
        if let Some(line) = newer {
            return Some(LastDecision {
                level: line.level.clone(),
                at: line.at,
                since: None,
                given_clock: line.given_clock,
            });
        }
        LastDecision::of(state)
    }
}

impl LastDecision {
    /// The one of the state file, where nothing is known of the journal.
    pub fn of(state: Option<&StoredState>) -> Option<Self> {
        state.map(|state| Self {
            level: state.level.clone(),
            at: state.evaluated_at,
            since: state.since,
            given_clock: state.given_clock,
        })
    }
}

/// Looks at the end of the journal of decisions. `state` is the state file, read before.
///
/// Fails as [`chain::look`] does.
pub fn inspect(
    workspace: &Workspace,
    state: Option<&StoredState>,
    key: Option<&SigningKey>,
    purpose: Purpose,
) -> Checked<Inspection> {
    if let Some(problem) = state.and_then(unusable) {
        return Ok(Inspection::Broken(vec![problem]));
    }
    let recorded = state.and_then(StoredState::head);
    let question = Question {
        workspace,
        file: STATE_JOURNAL,
        recorded,
        keeper: state::FILE,
        key,
        purpose,
    };
    // The decisions from the end back to the recorded head, last one first.
    let mut lines = Vec::new();
    // The beginning of the level is looked for from the line that the state file belongs to.
    let mut back: Option<Back> = None;
    let mut earlier = |lines: &[RecordedLine], line: Option<&[u8]>| match lines.last() {
        Some(last) if state.is_some() => back
            .get_or_insert_with(|| Back::from(Step::of(last), FEW_LINES))
            .take(line),
        _ => ControlFlow::Break(()),
    };
    let found = chain::look(question, &mut |seen| match seen {
        Seen::New(line) => {
            lines.extend(RecordedLine::parse(line));
            ControlFlow::Continue(())
        }
        Seen::Earlier(line) => earlier(&lines, Some(line)),
        Seen::Beginning => earlier(&lines, None),
    })?;
    let end = match found {
        Found::Whole(end) => end,
        Found::Broken(problems) => return Ok(Inspection::Broken(problems)),
    };
    if end.head.is_none() {
        let before = state.map(StoredState::as_before);
        return Ok(Inspection::Whole(Box::new(JournalTail {
            end,
            last: None,
            before,
            cut: None,
            ahead: 0,
        })));
    }
    let decisions = Decisions {
        lines,
        recorded,
        begins: end.begins,
        back,
    };
    if let Some(state) = state
        && let Some(problem) = decisions.contradiction(state)
    {
        return Ok(Inspection::Broken(vec![problem]));
    }
    let (before, cut) = if recorded.is_none() && state.is_none() {
        before_of(workspace)?
    } else {
        let known = state.filter(|_| recorded.is_some());
        (decisions.fold(known.map(StoredState::as_before)), None)
    };
    Ok(Inspection::Whole(Box::new(JournalTail {
        end,
        before,
        cut,
        ahead: decisions.unseen().count(),
        last: decisions.lines.into_iter().next(),
    })))
}

/// The decisions at the end.
struct Decisions {
    /// Last one first.
    lines: Vec<RecordedLine>,
    recorded: Option<Head>,
    begins: bool,
    /// Where the level of the state file began, as far as the look went.
    back: Option<Back>,
}

impl Decisions {
    /// Those that the state file had not seen, last one first.
    fn unseen(&self) -> impl DoubleEndedIterator<Item = &RecordedLine> {
        let is_unseen =
            |line: &&RecordedLine| self.recorded.is_none_or(|recorded| line.seq > recorded.seq);
        self.lines.iter().filter(is_unseen)
    }

    /// What the state file says otherwise than the line that it belongs to. One without a head is
    /// the predecessor's where the chain only begins; beside a longer chain it belongs to the last
    /// line, or was changed.
    fn contradiction(&self, state: &StoredState) -> Option<Diagnostic> {
        let line = self.line_of(state)?;
        let mut differences = agreement::differences(state, line);
        if differences.is_empty() {
            let back = self.back.as_ref();
            differences.extend(back.and_then(|back| back.contradiction(state)));
        }
        (!differences.is_empty()).then(|| findings::state_differs(line.seq, &differences))
    }

    fn line_of(&self, state: &StoredState) -> Option<&RecordedLine> {
        match self.recorded {
            _ if state.is_broken() => None,
            Some(recorded) => self.lines.iter().find(|line| line.seq == recorded.seq),
            None if self.begins => None,
            None => self.lines.first(),
        }
    }

    /// The decision before the next: that of the state file, and then those the state file had not
    /// seen.
    fn fold(&self, mut before: Option<Before>) -> Option<Before> {
        for line in self.unseen().rev() {
            let since = before
                .as_ref()
                .filter(|before| before.level == line.level)
                .map_or(line.at, |before| before.since);
            before = Some(line.as_before(since));
        }
        before
    }
}

/// What the state file says otherwise than the lines of when its level began, as far as a run looks
/// back that has lost its state file.
pub fn since_differs(workspace: &Workspace, state: &StoredState) -> Checked<Option<Diagnostic>> {
    let Some(head) = state.head().filter(|_| !state.is_broken()) else {
        return Ok(None);
    };
    let differs = since::contradiction(workspace, state, head.seq, LONGEST_LOOK)?;
    Ok(differs.map(|differs| findings::state_differs(head.seq, &[differs])))
}

/// The level and its beginning out of the journal alone, for a workspace whose state file is gone,
/// and what kept the look from going further. A level that holds for longer than is looked back on
/// begins where the look ends.
fn before_of(workspace: &Workspace) -> Checked<(Option<Before>, Option<Diagnostic>)> {
    let (mut before, mut looked): (Option<Before>, usize) = (None, 0);
    let cut = past::each_back(workspace, &mut |recorded| {
        looked += 1;
        match &mut before {
            None => before = Some(recorded.as_before(recorded.at)),
            Some(before) if before.level == recorded.level => before.since = recorded.at,
            Some(_) => return ControlFlow::Break(()),
        }
        go_on_while(looked < LONGEST_LOOK)
    })?;
    Ok((before, cut))
}

fn go_on_while(goes_on: bool) -> ControlFlow<()> {
    if goes_on {
        ControlFlow::Continue(())
    } else {
        ControlFlow::Break(())
    }
}

/// What the next line of a journal with this end is chained to.
pub fn link(workspace: &Workspace, tail: &JournalTail) -> Checked<Link> {
    chain::link(workspace, STATE_JOURNAL, &tail.end)
}

/// Moves an unfinished last line into a file beside the journal.
pub fn move_torn_aside(
    workspace: &Workspace,
    tail: &JournalTail,
    retry: &RetryDelays,
) -> Checked<()> {
    chain::move_torn_aside(workspace, STATE_JOURNAL, &tail.end, retry)
}

/// Appends `line` (without its newline) as the commit of a decision.
pub fn append(
    workspace: &Workspace,
    line: &[u8],
    tail: &JournalTail,
    retry: &RetryDelays,
) -> Result<(), WriteError> {
    chain::append(workspace, STATE_JOURNAL, line, &tail.end, retry)
}

/// What was recorded before a decision, for one that is made, or made again, from it.
#[derive(Debug, Default)]
pub struct Past {
    /// The decision before; since when its level holds is not looked for.
    pub last: Option<Before>,
    /// The decisions before, the oldest first, as far as was asked.
    pub history: Vec<Earlier>,
    /// Why there may be more that nobody can read.
    pub cut: Option<Diagnostic>,
}

/// What was recorded before the decision `seq`, or before the next one. `span` is how far a policy
/// looks back ([`crate::policy::Policy::looks_back`]).
pub fn past(
    workspace: &Workspace,
    seq: Option<u64>,
    span: Option<(usize, TimeDelta)>,
    at: Timestamp,
) -> Checked<Past> {
    let (mut past, mut looked) = (Past::default(), 0);
    let cut = past::each_back(workspace, &mut |recorded| {
        if seq.is_some_and(|seq| recorded.seq >= seq) {
            return ControlFlow::Continue(());
        }
        if past.last.is_none() {
            past.last = Some(recorded.as_before(recorded.at));
        }
        if span.is_some_and(|span| is_looked_at(span, at, looked, recorded.at)) {
            past.history.push(recorded.into_earlier());
        }
        looked += 1;
        go_on_while(span.is_some() && looked < LONGEST_LOOK)
    })?;
    past.history.reverse();
    past.cut = cut;
    Ok(past)
}

/// True where `at` is so long after the last on-time decision that the schedule is late.
pub fn is_late(last: Timestamp, at: Timestamp) -> bool {
    at.since(last) > LATE_AFTER
}

/// The clocks of two machines may differ by so much before a time counts as one of the future.
pub const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// A daily schedule is late after this (row C-65).
pub const LATE_AFTER: TimeDelta = TimeDelta::hours(26);

/// Why a state file can't be gone on from, whatever the journal says.
fn unusable(state: &StoredState) -> Option<Diagnostic> {
    if state.is_broken() && state.level != Level::RED {
        return Some(findings::state_differs(
            0,
            &[format!(
                "policy {} over a journal that it calls broken",
                state.level
            )],
        ));
    }
    if state.is_broken() && state.head().is_none() {
        return Some(findings::head_lost());
    }
    state.needs_reseal().then(findings::state_was_changed)
}
