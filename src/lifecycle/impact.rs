//! What a policy would have decided on every recorded decision.
//!
//! Plainly forward over the journal, one line at a time, so that memory does not grow with the
//! history.

use serde::Serialize;

use crate::decision::{Before, Earlier, JournalHealth, Situation, evaluate};
use crate::diagnostic::Checked;
use crate::fs::{Opened, Workspace};
use crate::ids::SignalName;
use crate::policy::{LONGEST_LOOK, Level, Policy};
use crate::record::verify::each_line;
use crate::record::{RecordedLine, STATE_JOURNAL};
use crate::time::Timestamp;

/// What it came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Impact {
    /// How many decisions were made again.
    pub decisions: u64,
    /// How many would be graver.
    pub graver: u64,
    /// How many would be milder.
    pub milder: u64,
    /// When the first of them was made.
    pub first: Option<Timestamp>,
    /// When the last of them was made.
    pub last: Option<Timestamp>,
    /// Signals of the policy that no recorded decision knows: what they demand is not in these
    /// numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unrecorded: Vec<SignalName>,
}

impl Impact {
    /// One clause for a person.
    pub(super) fn in_words(&self) -> String {
        if self.decisions == 0 {
            return "no decision was recorded that it could be tried on".to_owned();
        }
        let mut text = format!(
            "of {} recorded decisions {} would be graver and {} milder",
            self.decisions, self.graver, self.milder
        );
        if !self.unrecorded.is_empty() {
            let names: Vec<&str> = self.unrecorded.iter().map(SignalName::as_str).collect();
            text.push_str(&format!("; nothing was recorded of {}", names.join(", ")));
        }
        text
    }
}

/// Decides the recorded history again with `policy`.
pub(super) fn of(workspace: &Workspace, policy: &Policy) -> Checked<Impact> {
    let mut replay = Replay::new(policy);
    if let Opened::File(input) = workspace.open_input(STATE_JOURNAL)? {
        each_line(&input, input.size, &mut |bytes, ended| {
            if let Some(line) = RecordedLine::parse(bytes).filter(|_| ended) {
                replay.take(line);
            }
        })?;
    }
    Ok(replay.impact)
}

struct Replay<'p> {
    policy: &'p Policy,
    before: Option<Before>,
    /// The newest first, as far as the policy looks back.
    history: Vec<Earlier>,
    impact: Impact,
}

impl<'p> Replay<'p> {
    fn new(policy: &'p Policy) -> Self {
        let names = policy.signals().iter().map(|rule| rule.name.clone());
        Self {
            policy,
            before: None,
            history: Vec::new(),
            impact: Impact {
                unrecorded: names.collect(),
                ..Impact::default()
            },
        }
    }

    fn take(&mut self, line: RecordedLine) {
        let decision = evaluate(Situation {
            policy: self.policy,
            readings: &line.readings,
            before: self.before.as_ref(),
            history: &self.history,
            at: line.at,
            journal: JournalHealth::Whole,
        });
        let recorded = on_ladder(self.policy, &line.level);
        self.impact.decisions += 1;
        self.impact.graver += u64::from(decision.level > recorded);
        self.impact.milder += u64::from(decision.level < recorded);
        self.impact.first.get_or_insert(line.at);
        self.impact.last = Some(line.at);
        let readings = &line.readings;
        let unrecorded = &mut self.impact.unrecorded;
        unrecorded.retain(|signal| readings.get(signal).is_none());
        self.before = Some(Before {
            level: decision.level,
            at: line.at,
            since: decision.since,
            held: decision.held,
        });
        self.remember(line);
    }

    fn remember(&mut self, line: RecordedLine) {
        let Some((count, time)) = self.policy.looks_back() else {
            return;
        };
        let begin = line.at.minus(time);
        self.history.insert(0, line.into_earlier());
        let enough = |place: usize, earlier: &Earlier| place >= count && earlier.at < begin;
        let kept = self.history.iter().enumerate();
        let kept = kept.take_while(|(place, earlier)| !enough(*place, earlier));
        let kept = kept.count().min(LONGEST_LOOK);
        self.history.truncate(kept);
    }
}

/// A level of another policy on this one's ladder: one that it does not know stands in the middle
/// between YELLOW and RED.
pub(super) fn on_ladder(policy: &Policy, level: &Level) -> Level {
    let bare = Level::parse(level.name());
    policy.resolve(bare.as_ref().unwrap_or(level))
}
