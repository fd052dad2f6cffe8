//! What can be approved or overridden, and what an approval is bound to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::Digest;

/// What an approval is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Carrying out a plan: `respond --apply`, `action --apply`.
    Apply,
    /// Accepting protected files as they are: `policy accept`.
    Accept,
    /// Turning the kill switch off.
    KillOff,
    /// Letting a version of the policy decide: `policy promote --to production`.
    Promote,
    /// Letting personal data out: `audit export --include-pii`.
    PiiAccess,
    /// Handing the journals over to another signing secret: `audit rotate-key`.
    RotateKey,
    /// Making another secret of one-time codes: `override enroll`.
    Enroll,
    /// Taking a signed artifact into production: `checks run --artifact`.
    Artifact,
    /// A payment that a spend policy lets nobody make alone: `spend record`.
    Spend,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Apply,
        Self::Accept,
        Self::KillOff,
        Self::Promote,
        Self::PiiAccess,
        Self::RotateKey,
        Self::Enroll,
        Self::Artifact,
        Self::Spend,
    ];

    /// The word that stands in journals and in the list of approvers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Accept => "accept",
            Self::KillOff => "kill_off",
            Self::Promote => "promote",
            Self::PiiAccess => "pii_access",
            Self::RotateKey => "rotate_key",
            Self::Enroll => "enroll",
            Self::Artifact => "artifact",
            Self::Spend => "spend",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What an approval is bound to, by digests: nobody can slip something else under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// The thing itself: a plan, a manifest, the kill switch's file, the document of a version.
    pub sha256: Digest,
    /// The policy document in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Digest>,
    /// The inputs: the line of the journal that records what was decided on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Digest>,
}

impl Subject {
    /// The thing alone.
    pub fn of(sha256: Digest) -> Self {
        Self {
            sha256,
            policy: None,
            inputs: None,
        }
    }

    /// A change of a secret: which, by its name, or for whom it is.
    pub fn of_secret(operation: Operation, name: &str) -> Self {
        Self::of(Digest::of(format!("{operation}\0{name}").as_bytes()))
    }

    /// What is another one in `now`; `None` where nothing is.
    pub fn difference(&self, now: &Self) -> Option<&'static str> {
        match () {
            () if self.sha256 != now.sha256 => Some("the subject"),
            () if self.policy != now.policy => Some("the policy"),
            () if self.inputs != now.inputs => Some("the inputs"),
            () => None,
        }
    }
}

/// The one operation that an override is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Overridden {
    /// Carrying out the plan with this digest.
    Apply(Digest),
    /// Touching this protected path, which the guard refuses else.
    Guard(String),
}

/// The longest path of an override, in bytes.
const LONGEST: usize = 200;

/// What is expected of an operation, in messages.
pub const EXPECTED: &str =
    "`apply:` with the 64 digits of a plan, or `guard:` with a path in the workspace";

impl FromStr for Overridden {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || format!("expected {EXPECTED}: nothing else can be overridden");
        match text.split_once(':') {
            Some(("apply", digest)) => Digest::parse(digest).map(Self::Apply).ok_or_else(refused),
            Some(("guard", path)) => Self::guard(path).ok_or_else(refused),
            _ => Err(refused()),
        }
    }
}

impl Overridden {
    /// The override of a protected path; `None` where it is none below the workspace.
    pub fn guard(path: &str) -> Option<Self> {
        let path = path.strip_prefix("./").unwrap_or(path);
        let is_plain = !path.is_empty()
            && path.len() <= LONGEST
            && !path.chars().any(char::is_control)
            && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        is_plain.then(|| Self::Guard(path.to_owned()))
    }
}

impl fmt::Display for Overridden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apply(digest) => write!(f, "apply:{digest}"),
            Self::Guard(path) => write!(f, "guard:{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_is_for_a_plan_or_a_path_and_nothing_else() {
        let plan = format!("apply:{}", Digest::of(b"plan"));
        for text in [plan.as_str(), "guard:policy/policy.yaml"] {
            assert_eq!(text.parse::<Overridden>().unwrap().to_string(), text);
        }
        assert_eq!(Overridden::guard("./a/b"), Overridden::guard("a/b"));
        for text in [
            "",
            "apply",
            "apply:",
            "apply:1234",
            "guard:",
            "guard:/etc/passwd",
            "guard:../x",
            "guard:a/../b",
            "guard:a//b",
            "guard:a\nb",
            "kill_off",
            "kill_switch:off",
            "audit:",
        ] {
            assert!(text.parse::<Overridden>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_subject_is_another_one_where_any_digest_differs() {
        let digest = |text: &str| Digest::of(text.as_bytes());
        let subject = Subject {
            sha256: digest("plan"),
            policy: Some(digest("policy")),
            inputs: Some(digest("inputs")),
        };
        assert_eq!(subject.difference(&subject), None);
        let other = Some(digest("other"));
        let table = [
            (
                Subject {
                    sha256: digest("other"),
                    ..subject
                },
                "the subject",
            ),
            (
                Subject {
                    policy: other,
                    ..subject
                },
                "the policy",
            ),
            (
                Subject {
                    policy: None,
                    ..subject
                },
                "the policy",
            ),
            (
                Subject {
                    inputs: other,
                    ..subject
                },
                "the inputs",
            ),
        ];
        for (now, what) in table {
            assert_eq!(subject.difference(&now), Some(what));
        }
    }
}
