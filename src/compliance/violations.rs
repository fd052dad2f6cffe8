//! What breaks the rules, and which answers are recommended (pure). Nothing is started by itself: who
//! ends an agent, tells people or reports to an authority has to be a person.

use serde::Serialize;

use crate::record::audit::Severity;
use crate::time::Timestamp;

macro_rules! kinds {
    ($($name:ident = $text:literal, $severity:ident: $about:literal,)*) => {
        /// A kind of violation. The text form is stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $(#[doc = $about] $name,)*
        }

        impl Kind {
            /// Every kind with its word, severity and meaning, the gravest first.
            pub const DOCUMENTED: &'static [(Self, &'static str, Severity, &'static str)] =
                &[$((Self::$name, $text, Severity::$severity, $about),)*];

            /// The stable word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// How grave it is.
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }

            /// What happened, in a sentence.
            pub fn about(self) -> &'static str {
                match self { $(Self::$name => $about,)* }
            }
        }
    };
}

kinds! {
    PolicyTampered = "POLICY_TAMPERED", Critical: "A protected file was changed, and nobody had accepted that.",
    JournalChanged = "JOURNAL_CHANGED", Critical: "A journal was found changed: a decision says so, or somebody sealed it and went on behind it.",
    LockBypassed = "LOCK_BYPASSED", Critical: "The trust guard's lock was opened past the guard.",
    UnlockLimit = "UNLOCK_LIMIT_EXCEEDED", Critical: "More unlocks by hand were asked for than a day has.",
    CodesWrong = "WRONG_CODES", Critical: "So many wrong one-time codes were given that none was looked at for a while.",
    AccessAfterWithdrawal = "ACCESS_AFTER_WITHDRAWAL", Critical: "Data were used behind a recorded withdrawal of the consent.",
    UnauthorizedUse = "UNAUTHORIZED_USE", Critical: "A program reported that data were used by somebody who may not.",
    PurposeNotStated = "PURPOSE_NOT_STATED", High: "Data were used for a purpose that policy/evidence.yaml does not state.",
    FieldNotNecessary = "FIELD_NOT_NECESSARY", High: "Data were used that their purpose does not need by policy/evidence.yaml.",
    AccessDenied = "ACCESS_DENIED", Medium: "`compliance ask` denied a use of data.",
    RequestDenied = "REQUEST_DENIED", Medium: "`decide --record` denied a request.",
    OverrideRefused = "OVERRIDE_REFUSED", High: "An override was refused: a wrong code, the wrong person, another operation, or too late.",
    GuardRefused = "GUARD_REFUSED", High: "The guard refused a change of protected files.",
    ActionFailed = "ACTION_FAILED", High: "An action of a response failed, or nobody knows how it ended.",
    RedUnhandled = "RED_UNHANDLED", High: "RED lasted for 24 hours, and nobody answered it.",
    EvidenceDiffers = "EVIDENCE_DIFFERS", High: "An artefact that is declared as evidence is gone or has other bytes.",
    ApprovalRefused = "APPROVAL_REFUSED", Medium: "An approval was refused to be given or used.",
    ResponseBlocked = "RESPONSE_BLOCKED", Medium: "A response was asked for, and a closed gate stood before it.",
    GuardWeakened = "GUARD_WEAKENED", Medium: "A document asks the guard for less than it does by itself.",
    EvaluationFailed = "EVALUATION_FAILED", Medium: "An evaluation failed: an input or the policy document could not be used.",
    ReviewOverdue = "REVIEW_OVERDUE", Medium: "Evidence was not looked at again, or ran out, at its time.",
}

impl Kind {
    /// The kind of an entry of the audit log, where it is one by its type alone.
    pub fn of_event(event_type: &str) -> Option<Self> {
        Some(match event_type {
            "POLICY_TAMPER" => Self::PolicyTampered,
            "JOURNAL_RESEALED" => Self::JournalChanged,
            "TRUST_BYPASS" => Self::LockBypassed,
            "TRUST_UNLOCK_LIMIT_EXCEEDED" => Self::UnlockLimit,
            "OVERRIDE_LOCKED" => Self::CodesWrong,
            "OVERRIDE_REFUSED" => Self::OverrideRefused,
            "GUARD_REFUSED" => Self::GuardRefused,
            "GUARD_WEAKENED" => Self::GuardWeakened,
            "RESPONSE_BLOCKED" => Self::ResponseBlocked,
            "TASK_FAILURE" => Self::ActionFailed,
            "CUSTOM_UNAUTHORIZED_USE" => Self::UnauthorizedUse,
            "REQUEST_DENIED" => Self::RequestDenied,
            "DATA_ACCESS_DENIED" => Self::AccessDenied,
            _ => return None,
        })
    }
}

/// A recommended action with how it is taken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Action {
    /// Its name.
    pub action: &'static str,
    /// How.
    pub how: &'static str,
}

const fn action(action: &'static str, how: &'static str) -> Action {
    Action { action, how }
}

const TERMINATION: Action = action(
    "agent_termination",
    "`policy-orchestrator kill on --reason TEXT` stops whatever this program runs; other agents are ended by those who run them",
);
const NOTIFICATION: Action = action(
    "user_notification",
    "tell those whose data or money it was; this program knows none of them",
);
const ALERT: Action = action(
    "security_alert",
    "`policy-orchestrator alerts` tells the hook of policy/alerts.json",
);
const FORENSICS: Action = action(
    "forensic_analysis",
    "copy `state/` away first; then `policy-orchestrator audit verify --checkpoint FILE` and `audit list --since 30d`",
);
const IMPACT: Action = action(
    "impact_assessment",
    "`policy-orchestrator replay` and `undo list` show what was decided and done meanwhile",
);
const BREACH: Action = action(
    "data_breach_procedures",
    "where personal data may have left, whoever answers for data protection decides whom to tell, and by when",
);
const REPORTING: Action = action(
    "compliance_reporting",
    "`policy-orchestrator compliance report --out FILE`, and `audit export --out FILE` beside it",
);
const REVIEW: Action = action(
    "policy_review",
    "`policy-orchestrator policy verify` and `policy check --strict`; another person reads the difference",
);
const ENHANCEMENT: Action = action(
    "security_enhancement",
    "`policy-orchestrator doctor` names what is not protected yet: the policy lock, signed journals, checkpoints kept elsewhere",
);

/// What is recommended, by class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Response {
    /// Now.
    pub immediate: &'static [Action],
    /// To find out what happened.
    pub investigative: &'static [Action],
    /// To put it right.
    pub remedial: &'static [Action],
    /// So that it does not happen again.
    pub preventive: &'static [Action],
}

/// What is recommended for a violation of that severity.
pub fn response(severity: Severity) -> Response {
    match severity {
        Severity::Critical => Response {
            immediate: &[TERMINATION, NOTIFICATION, ALERT],
            investigative: &[FORENSICS, IMPACT],
            remedial: &[BREACH, REPORTING],
            preventive: &[REVIEW, ENHANCEMENT],
        },
        Severity::High => Response {
            immediate: &[ALERT],
            investigative: &[FORENSICS],
            remedial: &[REPORTING],
            preventive: &[REVIEW],
        },
        Severity::Medium => Response {
            immediate: &[],
            investigative: &[IMPACT],
            remedial: &[],
            preventive: &[REVIEW],
        },
        Severity::Low => Response {
            immediate: &[],
            investigative: &[],
            remedial: &[],
            preventive: &[REVIEW],
        },
    }
}

/// Where something is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Spot {
    /// When it says that it was.
    #[cfg_attr(test, schemars(with = "String"))]
    pub time: Timestamp,
    /// Who.
    pub user: String,
    /// The file.
    pub journal: String,
    /// The number of the line, where it has one.
    pub number: Option<u64>,
    /// What it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
}

/// All violations of a kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Violation {
    /// Which kind.
    pub kind: &'static str,
    /// How grave.
    #[cfg_attr(test, schemars(with = "String"))]
    pub severity: Severity,
    /// What happened.
    pub about: &'static str,
    /// How often.
    pub count: u64,
    /// The latest of them, at most five.
    pub latest: Vec<Spot>,
    /// What is recommended.
    pub response: Response,
}

/// As many are named.
const NAMED: usize = 5;

impl Violation {
    /// None yet.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind: kind.as_str(),
            severity: kind.severity(),
            about: kind.about(),
            count: 0,
            latest: Vec::new(),
            response: response(kind.severity()),
        }
    }

    /// One more, older than those before.
    pub fn add(&mut self, spot: impl FnOnce() -> Spot) {
        self.count += 1;
        if self.latest.len() < NAMED {
            self.latest.push(spot());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_critical_violation_has_the_plan_of_nine() {
        let Response {
            immediate,
            investigative,
            remedial,
            preventive,
        } = response(Severity::Critical);
        let names = |actions: &[Action]| -> Vec<&str> {
            actions.iter().map(|action| action.action).collect()
        };
        assert_eq!(
            names(immediate),
            ["agent_termination", "user_notification", "security_alert"]
        );
        assert_eq!(
            names(investigative),
            ["forensic_analysis", "impact_assessment"]
        );
        assert_eq!(
            names(remedial),
            ["data_breach_procedures", "compliance_reporting"]
        );
        assert_eq!(names(preventive), ["policy_review", "security_enhancement"]);
    }

    #[test]
    fn words_are_unique() {
        let mut words: Vec<&str> = Kind::DOCUMENTED.iter().map(|(_, word, ..)| *word).collect();
        let all = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), all);
    }
}
