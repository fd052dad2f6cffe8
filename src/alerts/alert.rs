//! What an alert is: its name, how grave it is, and what somebody should do about it.
//!
//! The form here is also the one in the report, in the log and for a hook; a test holds its bytes.
//! When an alert is up is said in [`super::conditions`].

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::time::Timestamp;

/// How grave an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// To be known.
    Low,
    /// To be looked at in the next days.
    Medium,
    /// To be looked at today.
    High,
    /// To be looked at now.
    Critical,
}

impl Severity {
    /// All of them, the gravest first.
    pub const ALL: [Self; 4] = [Self::Critical, Self::High, Self::Medium, Self::Low];

    /// The word for it, lower-case (row C-52).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

macro_rules! names {
    ($($name:ident = $text:literal, $severity:ident, $doc:literal, $action:literal;)*) => {
        /// What an alert is about. The text form is stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Name {
            $(#[doc = $doc] #[serde(rename = $text)] $name,)*
        }

        impl Name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable text form.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// How grave such an alert is.
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }

            /// What to do.
            pub fn action(self) -> &'static str {
                match self { $(Self::$name => $action,)* }
            }
        }
    };
}

names! {
    BrakeEngaged = "brake_engaged", Critical,
        "The safety brake is engaged for too long.",
        "find out why it was engaged (`forensics/safety_brake_state.json`) and release it when that is settled";
    BrakeUnreadable = "brake_unreadable", Critical,
        "Nobody can say whether the safety brake is engaged.",
        "look at `forensics/safety_brake_state.json` and let its writer write it again";
    JournalBroken = "journal_broken", Critical,
        "A journal or the state file is not what was left behind.",
        "keep a copy of `state/`, then `policy-orchestrator audit verify`; RUNBOOK.md says more under Exit 5";
    PolicyUnusable = "policy_unusable", Critical,
        "What decides is gone, can't be used, or was changed without anybody's acceptance.",
        "put back the version that was verified last; RUNBOOK.md says how under The policy is gone or broken";
    RedFlips = "red_flips", High,
        "RED was entered too often.",
        "find the signal that swings with `policy-orchestrator explain` and mend what reports it";
    ScheduleLate = "schedule_late", High,
        "No evaluation came to an end for too long.",
        "look whether the schedule runs, then `policy-orchestrator run`; `policy-orchestrator doctor` says why one fails";
    ResponseInterrupted = "response_interrupted", High,
        "A response was begun and never ended.",
        "`policy-orchestrator undo list` says whether it can be taken back; `policy-orchestrator respond` shows what stands before the next one";
    RedLasts = "red_lasts", Medium,
        "RED lasts for too long.",
        "`policy-orchestrator explain` says why it is RED and what would make it GREEN";
    LevelFlaps = "level_flaps", Medium,
        "The level changes too often.",
        "find the signal that swings around its line with `policy-orchestrator explain`";
    BlockedResponses = "blocked_responses", Medium,
        "The last responses were all blocked.",
        "`policy-orchestrator respond` shows every gate and what closes it";
    FixBranches = "fix_branches", Medium,
        "Branches with the diagnostics of failed runs are waiting.",
        "read what is on each branch, mend it, and delete the branch";
    OverridesFrequent = "overrides_frequent", Medium,
        "Overrides were given too often.",
        "`policy-orchestrator override status` says by whom and for what; what is needed so often deserves an approval";
    KillSwitchOn = "kill_switch_on", Medium,
        "The kill switch is on.",
        "find out who turned it on and why; turn it off when that is settled";
    LevelChanged = "level_changed", Low,
        "The level is another than before; as grave as the level that it came to.",
        "`policy-orchestrator explain` says why it is what it is now";
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Values and limits that an alert rests on.
pub type Evidence = BTreeMap<String, Value>;

/// An alert that is up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// What it is about.
    pub name: Name,
    /// How grave it is.
    pub severity: Severity,
    /// What is the matter, in a clause.
    pub message: String,
    /// Since when what it is about lasts; `None` until it was seen first where nothing tells.
    pub since: Option<Timestamp>,
    /// Values and limits.
    pub evidence: Evidence,
    /// What to do.
    pub action: String,
}

impl Alert {
    /// An alert with its severity and what to do about it.
    pub fn new<const N: usize>(
        name: Name,
        message: impl Into<String>,
        since: Option<Timestamp>,
        evidence: [(&str, Value); N],
    ) -> Self {
        Self {
            name,
            severity: name.severity(),
            message: message.into(),
            since,
            evidence: evidence
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
            action: name.action().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_severities_are_written_as_their_text() {
        for name in Name::ALL {
            assert_eq!(serde_json::to_value(name).unwrap(), name.as_str());
        }
        for severity in Severity::ALL {
            assert_eq!(serde_json::to_value(severity).unwrap(), severity.as_str());
        }
    }

    #[test]
    fn names_are_unique_and_the_gravest_come_first() {
        let mut texts: Vec<_> = Name::ALL.iter().map(|name| name.as_str()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), Name::ALL.len());
        assert!(Name::ALL.is_sorted_by_key(|name| std::cmp::Reverse(name.severity())));
    }
}
