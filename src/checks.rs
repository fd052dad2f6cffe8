//! The checks P-1 to P-6: what each policy of the library asks of a workspace, really tested.
//!
//! A module per policy ([`p1`] to [`p6`]) makes its tests out of the code that enforces it, and a
//! [`Checked`](Outcome) says how each came out. [`library`] reads policy libraries, [`task`] finds
//! what a task file mentions, [`health`] looks at the components, [`vault`] is where signed records
//! are kept. Nothing of the workspace is changed but what [`vault`] simulates; the reports are
//! written by whoever asked. Environment and clock are arguments.

pub mod artifact;
pub mod health;
pub mod library;
pub mod p1;
pub mod p2;
pub mod p3;
pub mod p4;
pub mod p5;
pub mod p6;
pub mod task;
pub mod vault;

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::approval::operation::Subject;
use crate::diagnostic::Diagnostic;
use crate::fs::Workspace;
use crate::keys::{PrivateKey, VerifyingKey};
use crate::privacy::Secrets;
use crate::record::SigningKey;
use crate::time::Timestamp;

/// A policy of the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Policy {
    /// Data Privacy.
    P1,
    /// Secrets & Signing.
    P2,
    /// Execution Safety.
    P3,
    /// Observability.
    P4,
    /// Multi-Tenancy.
    P5,
    /// Performance Budget.
    P6,
}

impl Policy {
    /// All of them, in their order.
    pub const ALL: [Self; 6] = [Self::P1, Self::P2, Self::P3, Self::P4, Self::P5, Self::P6];

    /// Its number, from 1.
    pub fn number(self) -> usize {
        self as usize + 1
    }

    /// Its name (S0-071).
    pub fn name(self) -> &'static str {
        match self {
            Self::P1 => "Data Privacy",
            Self::P2 => "Secrets & Signing",
            Self::P3 => "Execution Safety",
            Self::P4 => "Observability",
            Self::P5 => "Multi-Tenancy",
            Self::P6 => "Performance Budget",
        }
    }

    /// The policy with this number.
    pub fn numbered(number: u32) -> Option<Self> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        Self::ALL.get(index).copied()
    }

    /// Where it is enforced: the module of the check, and the call that others make.
    pub fn enforcement(self) -> (&'static str, &'static str) {
        match self {
            Self::P1 => ("checks::p1", "privacy::Secrets::redact"),
            Self::P2 => ("checks::p2", "checks::p2::require_approval_for_production"),
            Self::P3 => ("checks::p3", "response::gates::permit"),
            Self::P4 => ("checks::p4", "checks::health::look"),
            Self::P5 => ("checks::p5", "fs::Workspace::open_input"),
            Self::P6 => ("checks::p6", "checks::p6::judge"),
        }
    }

    /// What is tested for it, by name and in words.
    pub fn tests(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::P1 => p1::TESTS,
            Self::P2 => p2::TESTS,
            Self::P3 => p3::TESTS,
            Self::P4 => p4::TESTS,
            Self::P5 => p5::TESTS,
            Self::P6 => p6::TESTS,
        }
    }

    /// The command that verifies it.
    pub fn verification(self) -> String {
        format!("policy-orchestrator checks run {self}")
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "P{}", self.number())
    }
}

impl FromStr for Policy {
    type Err = String;

    /// Reads `P1` or `P-1`, in any case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix(['P', 'p']);
        let digits = digits.map(|rest| rest.strip_prefix('-').unwrap_or(rest));
        let number = digits.filter(|digits| digits.len() == 1);
        number
            .and_then(|digit| digit.parse().ok())
            .and_then(Self::numbered)
            .ok_or_else(|| "expected P1 to P6, or P-1 to P-6".to_owned())
    }
}

impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How a test or a policy came out; a later one beats an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// It holds.
    Pass,
    /// Infrastructure that it needs is not there, so nobody knows.
    Blocked,
    /// A second person has to approve something first.
    AwaitingApproval,
    /// It does not hold.
    Fail,
}

impl Status {
    /// The word of reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Blocked => "BLOCKED",
            Self::AwaitingApproval => "AWAITING_APPROVAL",
            Self::Fail => "FAIL",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A test of a policy, carried out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Test {
    /// Its name, one of [`Policy::tests`].
    pub name: &'static str,
    /// How it came out.
    pub status: Status,
    /// Why, in a few words; for whatever is not a pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was looked at, and what was found.
    pub detail: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The file that it is about, relative to the workspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// True where what was found is tampering.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tampering: bool,
}

impl Test {
    fn of(name: &'static str, status: Status, reason: Option<&str>, detail: String) -> Self {
        Self {
            name,
            status,
            reason: reason.map(str::to_owned),
            detail,
            remedy: None,
            file: None,
            tampering: false,
        }
    }

    /// One that holds.
    pub fn pass(name: &'static str, detail: impl Into<String>) -> Self {
        Self::of(name, Status::Pass, None, detail.into())
    }

    /// One that nobody can carry out here.
    pub fn blocked(name: &'static str, reason: &str, detail: impl Into<String>) -> Self {
        Self::of(name, Status::Blocked, Some(reason), detail.into())
    }

    /// One that does not hold.
    pub fn fail(name: &'static str, reason: &str, detail: impl Into<String>) -> Self {
        Self::of(name, Status::Fail, Some(reason), detail.into())
    }

    /// One that waits for a second person.
    pub fn awaiting(name: &'static str, reason: &str, detail: impl Into<String>) -> Self {
        Self::of(name, Status::AwaitingApproval, Some(reason), detail.into())
    }

    /// One that failed with this finding.
    pub fn found(name: &'static str, reason: &str, finding: &Diagnostic) -> Self {
        let found = &finding.found;
        let detail = match found {
            Some(found) => format!("{}: {}; found {found}", finding.place, finding.message),
            None => format!("{}: {}", finding.place, finding.message),
        };
        Self {
            remedy: finding.help.clone(),
            file: Some(finding.place.file.clone()),
            ..Self::fail(name, reason, detail)
        }
    }

    #[must_use]
    fn remedy(self, remedy: impl Into<String>) -> Self {
        Self {
            remedy: Some(remedy.into()),
            ..self
        }
    }

    #[must_use]
    fn about(self, file: impl Into<String>) -> Self {
        Self {
            file: Some(file.into()),
            ..self
        }
    }

    #[must_use]
    fn tampered(self) -> Self {
        Self {
            tampering: true,
            ..self
        }
    }
}

/// What came of a policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// Which.
    pub policy: Policy,
    /// Its name.
    pub name: &'static str,
    /// The gravest of its tests.
    pub status: Status,
    /// The reason of the first of those.
    pub reason: Option<String>,
    /// The line of reports (S0-070).
    pub line: String,
    /// Its tests.
    pub tests: Vec<Test>,
    /// What was measured, where something was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured: Option<p6::Measured>,
}

impl Outcome {
    /// What these tests come to.
    pub fn of(policy: Policy, tests: Vec<Test>) -> Self {
        let status = tests.iter().map(|test| test.status).max();
        let status = status.unwrap_or(Status::Blocked);
        let first = tests.iter().find(|test| test.status == status);
        let reason = first.and_then(|test| test.reason.clone());
        let name = policy.name();
        let line = match &reason {
            Some(reason) => format!("{policy} {name}: {status} ({reason})"),
            None => format!("{policy} {name}: {status}"),
        };
        Self {
            policy,
            name,
            status,
            reason,
            line,
            tests,
            measured: None,
        }
    }

    /// True where a test found tampering.
    pub fn is_tampered(&self) -> bool {
        self.tests.iter().any(|test| test.tampering)
    }
}

/// What the environment says of keys: one that can be used, none, or one that can't be.
pub type Given<K> = crate::diagnostic::Checked<Option<K>>;

/// What the checks are made with.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// Where.
    pub workspace: &'a Workspace,
    /// The time now.
    pub at: Timestamp,
    /// For whom.
    pub user: &'a str,
    /// The task that asks.
    pub task: &'a str,
    /// True under `ENV=production`.
    pub production: bool,
    /// What `SIMULATION_MODE` says.
    pub simulation: Option<bool>,
    /// The values that are not shown.
    pub secrets: &'a Secrets,
    /// Those of them that this program takes for secrets of its own, which may stand nowhere.
    pub own_secrets: &'a Secrets,
    /// The key that signs journals.
    pub journal_key: &'a Given<SigningKey>,
    /// The key that signs what leaves the workspace.
    pub signing_key: &'a Given<PrivateKey>,
    /// True where VAULT_ADDR is set.
    pub vault_is_named: bool,
    /// Where signed records are kept.
    pub vault: &'a dyn vault::Keeper,
    /// The metrics as Prometheus reads them, or why they can't be told.
    pub metrics: &'a crate::diagnostic::Checked<String>,
    /// The artifact that is to be accepted.
    pub artifact: Option<&'a artifact::Artifact>,
    /// Public keys of which one has to have signed it.
    pub trusted: &'a [VerifyingKey],
    /// The plan of the last dry run.
    pub pending: Option<&'a Subject>,
    /// Variables that ask for tenants, by name.
    pub tenant_variables: &'a [&'static str],
    /// The 95th percentile of an evaluation has to lie below so many milliseconds.
    pub slo_ms: u64,
}

impl Ground<'_> {
    fn key(&self) -> Option<&SigningKey> {
        self.journal_key.as_ref().ok().and_then(Option::as_ref)
    }
}

/// Carries out the tests of a policy.
pub fn run(policy: Policy, ground: &Ground<'_>) -> Outcome {
    match policy {
        Policy::P1 => Outcome::of(policy, p1::tests(ground)),
        Policy::P2 => Outcome::of(policy, p2::tests(ground)),
        Policy::P3 => Outcome::of(policy, p3::tests(ground)),
        Policy::P4 => Outcome::of(policy, p4::tests(ground)),
        Policy::P5 => Outcome::of(policy, p5::tests(ground)),
        Policy::P6 => p6::outcome(ground),
    }
}

/// The gravest status of all.
pub fn status(outcomes: &[Outcome]) -> Status {
    let all = outcomes.iter().map(|outcome| outcome.status);
    all.max().unwrap_or(Status::Pass)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_as_people_write_them() {
        for (index, policy) in Policy::ALL.into_iter().enumerate() {
            assert_eq!(policy.number(), index + 1);
            for text in [
                format!("P{}", index + 1),
                format!("p-{}", index + 1),
                policy.to_string(),
            ] {
                assert_eq!(text.parse(), Ok(policy), "{text}");
            }
            assert!(!policy.tests().is_empty());
        }
        for text in [
            "", "P", "P0", "P7", "P-", "P--1", "P12", "1", "Q1", "P1 ", "P+1",
        ] {
            assert!(text.parse::<Policy>().is_err(), "{text}");
        }
    }

    /// S0-069, S0-070, S0-076: what is not known beats what holds, and what fails beats all.
    #[test]
    fn the_gravest_test_decides_and_names_its_reason() {
        let pass = Test::pass("a", "fine");
        let blocked = Test::blocked("b", "Vault unavailable", "no address");
        let awaiting = Test::awaiting("c", "approver missing", "nobody");
        let fail = Test::fail("d", "a secret in a file", "x:1");
        let table: &[(&[&Test], &str)] = &[
            (&[&pass], "P2 Secrets & Signing: PASS"),
            (
                &[&pass, &blocked],
                "P2 Secrets & Signing: BLOCKED (Vault unavailable)",
            ),
            (
                &[&blocked, &awaiting, &pass],
                "P2 Secrets & Signing: AWAITING_APPROVAL (approver missing)",
            ),
            (
                &[&fail, &awaiting, &blocked],
                "P2 Secrets & Signing: FAIL (a secret in a file)",
            ),
            // Nothing that was tested is nothing that holds.
            (&[], "P2 Secrets & Signing: BLOCKED"),
        ];
        for (tests, line) in table {
            let tests = tests.iter().map(|test| (*test).clone()).collect();
            assert_eq!(Outcome::of(Policy::P2, tests).line, *line);
        }
    }
}
