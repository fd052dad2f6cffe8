//! Since when a level holds, as the lines of the journal tell it, and what a state file says of it.
//!
//! A line says which level was there before it, not since when. Where every line back to the one
//! that changed the level follows from the one before, the lines tell it, and a state file that says
//! something else was changed. Where they don't, nothing is concluded: behind a reseal, a lost state
//! file, or a RED that was published over a journal which was then put back, another time is right.

use std::ops::ControlFlow;

use super::fixed::FixedLine;
use super::line::RecordedLine;
use super::{LINE_LIMIT, STATE_JOURNAL, StoredState};
use crate::diagnostic::Checked;
use crate::fs::reverse::ReverseLines;
use crate::fs::{Opened, Workspace};
use crate::policy::Level;
use crate::time::Timestamp;

/// What the state file says of the level on its line, which has the number `seq`, where the lines say
/// otherwise. At most `most` lines are looked at: where they do not tell it, nothing is wrong.
pub(super) fn contradiction(
    workspace: &Workspace,
    state: &StoredState,
    seq: u64,
    most: usize,
) -> Checked<Option<String>> {
    let Opened::File(input) = workspace.open_input(STATE_JOURNAL)? else {
        return Ok(None);
    };
    let mut reverse = ReverseLines::new(&input, LINE_LIMIT);
    let mut back: Option<Back> = None;
    // A line that nobody can read tells nothing here; whether it may be there is asked elsewhere.
    while let Ok(next) = reverse.next_line() {
        let line = next.filter(|next| next.ended).map(|next| next.bytes);
        let goes_on = match &mut back {
            Some(back) => back.take(line),
            None => match line.and_then(Step::parse) {
                Some(step) if step.seq > seq => ControlFlow::Continue(()),
                Some(step) => {
                    back = Some(Back::from(step, most));
                    ControlFlow::Continue(())
                }
                None => ControlFlow::Break(()),
            },
        };
        if goes_on.is_break() {
            break;
        }
    }
    Ok(back.and_then(|back| back.contradiction(state)))
}

/// The way back from one line, which somebody else reads.
#[derive(Debug)]
pub(super) struct Back {
    walk: Walk,
    /// How many lines may still be looked at.
    left: usize,
    begun: Option<Timestamp>,
}

impl Back {
    /// From this line, over so many lines, itself among them.
    pub(super) fn from(step: Step, most: usize) -> Self {
        Self {
            walk: Walk { newer: Some(step) },
            left: most.saturating_sub(1),
            begun: None,
        }
    }

    /// Takes the next older line; `None` at the beginning of the file. Breaks off where no older one
    /// would say more.
    pub(super) fn take(&mut self, older: Option<&[u8]>) -> ControlFlow<()> {
        if self.left == 0 {
            return ControlFlow::Break(());
        }
        self.left -= 1;
        match self.walk.back(older.and_then(Step::parse)) {
            ControlFlow::Continue(()) if self.left > 0 => ControlFlow::Continue(()),
            ControlFlow::Continue(()) => ControlFlow::Break(()),
            ControlFlow::Break(begun) => {
                self.begun = begun;
                self.left = 0;
                ControlFlow::Break(())
            }
        }
    }

    /// What the state file says otherwise.
    pub(super) fn contradiction(&self, state: &StoredState) -> Option<String> {
        let (since, begun) = state.since.zip(self.begun)?;
        (begun != since).then(|| format!("since {since} here, {begun} by the lines of the journal"))
    }
}

/// What a line says of the level.
#[derive(Debug, Clone)]
pub(super) struct Step {
    seq: u64,
    at: Timestamp,
    level: Level,
    before: Option<Level>,
}

impl Step {
    fn parse(line: &[u8]) -> Option<Self> {
        if let Some(line) = FixedLine::parse(line) {
            return Some(Self {
                seq: line.seq,
                at: line.at,
                level: line.level,
                before: line.before,
            });
        }
        RecordedLine::parse(line).as_ref().map(Self::of)
    }

    /// What a line says that was read already.
    pub(super) fn of(line: &RecordedLine) -> Self {
        Self {
            seq: line.seq,
            at: line.at,
            level: line.level.clone(),
            before: line.before.clone(),
        }
    }

    fn changes(&self) -> bool {
        let before = self.before.as_ref();
        before.is_none_or(|before| before.name() != self.level.name())
    }
}

/// The way back to the line with which the level began.
#[derive(Debug, Default)]
struct Walk {
    newer: Option<Step>,
}

impl Walk {
    /// Takes the next older line; `None` for one that is no decision, and for the beginning of the
    /// file. Breaks off with the time since when the level holds, or with nothing where it can't be
    /// told.
    fn back(&mut self, older: Option<Step>) -> ControlFlow<Option<Timestamp>> {
        let Some(newer) = self.newer.take() else {
            self.newer = older;
            return match self.newer {
                Some(_) => ControlFlow::Continue(()),
                None => ControlFlow::Break(None),
            };
        };
        let same = older
            .as_ref()
            .is_some_and(|older| older.level.name() == newer.level.name());
        match (newer.changes(), older) {
            // The first decision of all.
            (true, None) if newer.before.is_none() => ControlFlow::Break(Some(newer.at)),
            (true, Some(_)) if !same => ControlFlow::Break(Some(newer.at)),
            (false, Some(older)) if same => {
                self.newer = Some(older);
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Break(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Level and level before of each line, the oldest first; `.` for a line that is no decision.
    fn begun(lines: &[&str]) -> Option<usize> {
        let at = |minute: usize| {
            Timestamp::read(&format!("2026-01-15T12:{minute:02}:00Z"))
                .unwrap()
                .time
        };
        let step = |(index, line): (usize, &&str)| {
            let mut words = line.split(' ');
            let level = Level::parse(words.next()?)?;
            Some(Step {
                seq: 1,
                at: at(index),
                level,
                before: words.next().and_then(Level::parse),
            })
        };
        let steps: Vec<Option<Step>> = lines.iter().enumerate().map(step).collect();
        let mut walk = Walk::default();
        for step in steps.into_iter().rev().chain([None]) {
            if let ControlFlow::Break(found) = walk.back(step) {
                return found.map(|time| (0..60).find(|minute| at(*minute) == time).unwrap());
            }
        }
        panic!("the beginning of the file ends the walk")
    }

    #[test]
    fn a_level_begins_where_the_lines_say_so_and_nowhere_else() {
        let cases: [(&[&str], Option<usize>); 11] = [
            (&["GREEN"], Some(0)),
            (&["GREEN", "GREEN GREEN", "GREEN GREEN"], Some(0)),
            (&["GREEN", "RED GREEN", "RED RED"], Some(1)),
            (&["RED", "RED RED", "GREEN RED"], Some(2)),
            // A RED that no line holds was published in between.
            (&["GREEN", "GREEN RED", "GREEN GREEN"], None),
            (&["GREEN", "RED RED"], None),
            // What was before a reseal, a plain log, or a lost state file.
            (&["RED", ".", "GREEN RED"], None),
            (&[".", "GREEN GREEN"], None),
            (&["GREEN RED"], None),
            (&["GREEN", "."], None),
            (&["RED", "GREEN"], Some(1)),
        ];
        for (lines, expected) in cases {
            assert_eq!(begun(lines), expected, "{lines:?}");
        }
    }
}
