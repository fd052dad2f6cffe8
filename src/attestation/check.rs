//! Does a statement hold: in itself, and against the line of a journal.

use super::statement::{NEVER_PASSES, Said, Statement, level_word, zulu};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::ids::Digest;
use crate::record::numbered::{self, Where};
use crate::record::{RecordedLine, STATE_JOURNAL};

/// What a statement claims about one decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The line's number.
    pub number: u64,
    /// The level.
    pub level: String,
    /// When it was decided, as the statement writes it.
    pub time: String,
    /// The SHA-256 of the line.
    pub line: Digest,
    /// The SHA-256 of the policy document.
    pub policy: Option<Digest>,
    /// `PASSED` or `FAILED`, where it is a summary.
    pub result: Option<String>,
}

impl Claim {
    /// What a statement claims. Fails where its parts contradict each other.
    pub fn of(name: &str, statement: &Statement, said: &Said) -> Checked<Self> {
        let wrong = |found: &str| differs(Place::file(name), found);
        let subject = statement.subject.first();
        let Some(line) = subject.and_then(|subject| subject.digest.sha256) else {
            return Err(wrong("a first subject without a SHA-256"));
        };
        let claim = match said {
            Said::Summary(summary) => {
                let level = summary.decision.level.clone();
                let passed = summary.result == "PASSED" && level != NEVER_PASSES;
                let levels = if passed {
                    level_word(&level)
                } else {
                    "FAILED".to_owned()
                };
                if !(passed || summary.result == "FAILED") || summary.levels != [levels] {
                    return Err(wrong("a result that its levels contradict"));
                }
                Self {
                    number: summary.decision.number,
                    level,
                    time: summary.time_verified.clone(),
                    line,
                    policy: summary.policy.digest.sha256,
                    result: Some(summary.result.clone()),
                }
            }
            Said::Decision(decision) => {
                if Digest::of(decision.line.as_bytes()) != line {
                    return Err(wrong("a line with another SHA-256 than the subject"));
                }
                let journal = &decision.journal;
                if journal.file != STATE_JOURNAL || journal.head.seq < decision.number {
                    return Err(wrong("a journal that ends before the decision"));
                }
                Self {
                    number: decision.number,
                    level: decision.level.clone(),
                    time: zulu(decision.time),
                    line,
                    policy: Some(decision.policy),
                    result: None,
                }
            }
        };
        if let Said::Decision(decision) = said {
            claim.against(decision.line.as_bytes(), &Place::file(name))?;
        }
        Ok(claim)
    }

    /// Holds it against the journal of a workspace, its sealed segments included.
    pub fn against_journal(&self, workspace: &Workspace) -> Checked<()> {
        let line = numbered::line(workspace, STATE_JOURNAL, Some(self.number), Where::Anywhere)?;
        let Some(line) = line else {
            let found = format!("no line with the number {}", self.number);
            return Err(differs(Place::file(STATE_JOURNAL), &found));
        };
        self.against(&line, &Place::file(STATE_JOURNAL))
    }

    fn against(&self, line: &[u8], place: &Place) -> Checked<()> {
        let wrong = |found: &str| Err(differs(place.clone(), found));
        if Digest::of(line) != self.line {
            let found = format!("another line under the number {}", self.number);
            return wrong(&found);
        }
        let Some(recorded) = RecordedLine::parse(line) else {
            return wrong("a line that is no decision");
        };
        let same = recorded.seq == self.number
            && recorded.level.name() == self.level
            && zulu(recorded.at) == self.time
            && self.policy == Some(recorded.policy);
        if same {
            return Ok(());
        }
        wrong(&format!(
            "{} at {} on the line",
            recorded.level,
            zulu(recorded.at)
        ))
    }
}

fn differs(place: Place, found: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::AttestationDiffers,
            place,
            "the statement does not hold against the record",
        )
        .found(found)
        .expected("the line that the statement names, with the level, time and policy it tells")
        .help("`policy-orchestrator audit verify` says whether the journal was changed"),
    )
}
