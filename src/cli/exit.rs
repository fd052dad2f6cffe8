//! Exit codes, one documented enum (CONTRACT.md section 6).

use std::process::ExitCode;

use crate::policy::Level;

/// How a command ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, whatever the level.
    Done,
    /// 1: an input, a write or an action failed.
    Failed,
    /// 2: the command line makes no sense.
    Usage,
    /// 3: a closed gate stands before what was to be changed.
    Blocked,
    /// 4: what was asked for is not granted: an approval, a check or a day is missing.
    Denied,
    /// 5: tampering or a broken chain was found.
    Tampering,
    /// 10: `policy backtest --fail-on-flips` found a decision that would come out otherwise.
    Flips,
    /// 20: `alerts --exit-code` found a high or critical alert.
    Alert,
    /// `run --exit-code`: 0 for GREEN, 10 for YELLOW, 15 for a level between, 20 for RED.
    Level(Level),
}

impl Exit {
    /// The number.
    pub fn code(&self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Blocked => 3,
            Self::Denied => 4,
            Self::Tampering => 5,
            Self::Flips => 10,
            Self::Alert => 20,
            Self::Level(level) => level.exit_code(),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The table for help texts.
pub(super) const HELP: &str = "\
Exit codes:
  0  done, whatever the level
  1  failed: an invalid input or policy document (RED was recorded), a write, the lock, a secret, or
     --attest (the decision was recorded)
  2  the command line makes no sense
  5  tampering or a broken journal was found
  10, 15, 20  with --exit-code: YELLOW, a level between, RED; 1 and 5 beat them";

#[cfg(test)]
impl Exit {
    /// What it means, for docs/reference.md.
    pub(super) fn meaning(&self) -> &'static str {
        match self {
            Self::Done => "done, whatever the level",
            Self::Failed => {
                "failed: an invalid input or policy document (RED is recorded), a write, the lock, a secret, an action, an undo that was refused; `trust check` and the `status` of `trust`, `brake` and `kill`: locked, engaged, on"
            }
            Self::Usage => "the command line makes no sense",
            Self::Blocked => {
                "blocked: a gate is closed, the kill switch is on, the day's unlocks are used up, or another apply is under way"
            }
            Self::Denied => {
                "not granted: an approval, a check or a day of monitoring is missing, a version stands at another stage, or a request is denied"
            }
            Self::Tampering => {
                "the record or a protected file was changed, a chain is broken, a decision is not reproduced, or the policies for requests can't be used"
            }
            Self::Flips => {
                "`policy backtest --fail-on-flips`: a decision would come out otherwise; `policy impact --fail-on-changes`: so would a request"
            }
            Self::Alert => "`alerts --exit-code`: a high or critical alert is up",
            Self::Level(level) if *level == Level::RED => "`run --exit-code`: RED",
            Self::Level(level) if *level == Level::YELLOW => "`run --exit-code`: YELLOW",
            Self::Level(_) => {
                "`run --exit-code`: a level between YELLOW and RED, where a policy document has one"
            }
        }
    }
}
