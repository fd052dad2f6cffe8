//! In-toto statements, version 1, with the two predicates that are written here: a SLSA
//! Verification Summary, and the whole decision.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::recorded::Recorded;
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::ids::Digest;
use crate::record::{Head, POLICIES_DIR, STATE_JOURNAL};
use crate::time::Timestamp;

/// The type of an envelope's payload.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The type of a statement.
const STATEMENT: &str = "https://in-toto.io/Statement/v1";

/// The predicate type of a Verification Summary.
pub const SUMMARY: &str = "https://slsa.dev/verification_summary/v1";

/// The predicate type of a whole decision.
pub const DECISION: &str = "urn:policy-orchestrator:decision:v1";

/// The level that no summary passes.
pub const NEVER_PASSES: &str = "RED";

/// The level that every summary passes.
pub const ALWAYS_PASSES: &str = "GREEN";

/// What a statement says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Predicate {
    /// A SLSA Verification Summary.
    Summary,
    /// The whole decision.
    Decision,
}

/// What a statement says beside what was recorded.
#[derive(Debug, Clone, Copy)]
pub struct Says<'a> {
    /// Its predicate.
    pub predicate: Predicate,
    /// The commit that is a subject too.
    pub commit: Option<&'a str>,
    /// Who verified, as a URI.
    pub verifier: &'a str,
    /// What was verified, as a URI; the record itself where nobody says.
    pub resource: Option<&'a str>,
    /// The levels beside GREEN that pass.
    pub accepted: &'a [String],
}

/// A statement, as it is written and read. That it was read says nothing about who made it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    /// What it is about, the journal line first.
    pub subject: Vec<Subject>,
    /// The type of the predicate.
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    predicate: Box<RawValue>,
}

/// A thing that a statement is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// Its digests.
    pub digest: Digests,
}

/// The digests of a subject, by their names in in-toto's list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digests {
    /// The SHA-256 of a journal line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    /// The name of a git commit.
    #[serde(default, rename = "gitCommit", skip_serializing_if = "Option::is_none")]
    pub git_commit: Option<String>,
}

/// The Verification Summary.
#[derive(Debug, Serialize, Deserialize)]
pub struct Summary {
    verifier: Verifier,
    #[serde(rename = "timeVerified")]
    pub(super) time_verified: String,
    #[serde(rename = "resourceUri")]
    resource_uri: String,
    pub(super) policy: Resource,
    /// `PASSED` or `FAILED`.
    #[serde(rename = "verificationResult")]
    pub(super) result: String,
    #[serde(rename = "verifiedLevels")]
    pub(super) levels: Vec<String>,
    /// What the format has no place for.
    #[serde(rename = "urn:policy-orchestrator:decision")]
    pub(super) decision: Extension,
}

#[derive(Debug, Serialize, Deserialize)]
struct Verifier {
    id: String,
    #[serde(default)]
    version: serde_json::Map<String, serde_json::Value>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Resource {
    uri: String,
    pub(super) digest: Digests,
}

/// The decision behind a summary.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Extension {
    pub(super) level: String,
    pub(super) number: u64,
    pub(super) given_clock: bool,
}

/// The whole decision.
#[derive(Debug, Serialize, Deserialize)]
pub struct Decision {
    schema: u32,
    pub(super) level: String,
    pub(super) time: Timestamp,
    pub(super) number: u64,
    /// The digest of the policy document.
    pub(super) policy: Digest,
    /// The line of the journal, its exact text.
    pub(super) line: String,
    pub(super) journal: Journal,
    /// The state file, where it was of this decision when the statement was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<Box<RawValue>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Journal {
    pub(super) file: String,
    /// Its end when the statement was made.
    pub(super) head: Head,
}

/// A predicate that was read.
#[derive(Debug)]
pub enum Said {
    /// A Verification Summary with our extension.
    Summary(Box<Summary>),
    /// A whole decision.
    Decision(Box<Decision>),
}

/// The time as in-toto wants it.
pub(super) fn zulu(time: Timestamp) -> String {
    time.to_string().replace("+00:00", "Z")
}

impl Statement {
    /// What `says` about `recorded`.
    pub fn of(recorded: &Recorded, says: Says<'_>) -> Self {
        let name = format!("{STATE_JOURNAL}#{}", recorded.decision.seq);
        let mut subject = vec![Subject {
            name: name.clone(),
            digest: sha256(recorded.digest()),
        }];
        subject.extend(says.commit.map(|commit| Subject {
            name: "HEAD".to_owned(),
            digest: Digests {
                git_commit: Some(commit.to_owned()),
                ..Digests::default()
            },
        }));
        let (kind, predicate) = match says.predicate {
            Predicate::Summary => (SUMMARY, raw(&summary(recorded, says, &name))),
            Predicate::Decision => (DECISION, raw(&decision(recorded))),
        };
        Self {
            kind: STATEMENT.to_owned(),
            subject,
            predicate_type: kind.to_owned(),
            predicate,
        }
    }

    /// Its bytes: compact JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Serialising to memory fails for maps with keys that are no text alone; there are none.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a statement of ours out of the payload of an envelope.
    pub fn parse(name: &str, payload_type: &str, payload: &[u8]) -> Checked<(Self, Said)> {
        if payload_type != PAYLOAD_TYPE {
            return Err(unreadable(name, payload_type));
        }
        let statement: Self = serde_json::from_slice(payload)
            .map_err(|error| unreadable(name, &error.to_string()))?;
        if statement.kind != STATEMENT || statement.subject.is_empty() {
            return Err(unreadable(name, &statement.kind));
        }
        let predicate = statement.predicate.get();
        let said = match statement.predicate_type.as_str() {
            SUMMARY => serde_json::from_str(predicate).map(Said::Summary),
            DECISION => serde_json::from_str(predicate).map(Said::Decision),
            other => return Err(unreadable(name, &format!("the predicate type {other}"))),
        };
        let said = said.map_err(|error| unreadable(name, &error.to_string()))?;
        Ok((statement, said))
    }
}

fn sha256(digest: Digest) -> Digests {
    Digests {
        sha256: Some(digest),
        ..Digests::default()
    }
}

fn raw<T: Serialize>(value: &T) -> Box<RawValue> {
    // As above; `null` is JSON whatever happens.
    serde_json::value::to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

fn summary(recorded: &Recorded, says: Says<'_>, name: &str) -> Summary {
    let decision = &recorded.decision;
    let level = decision.level.name();
    let accepted = level == ALWAYS_PASSES || says.accepted.iter().any(|name| name == level);
    let passed = accepted && level != NEVER_PASSES;
    let mut version = serde_json::Map::new();
    version.insert(
        env!("CARGO_PKG_NAME").to_owned(),
        env!("CARGO_PKG_VERSION").into(),
    );
    Summary {
        verifier: Verifier {
            id: says.verifier.to_owned(),
            version,
        },
        time_verified: zulu(decision.at),
        resource_uri: says
            .resource
            .map_or_else(|| format!("file:{name}"), str::to_owned),
        policy: Resource {
            uri: format!("file:{POLICIES_DIR}/{}", decision.policy),
            digest: sha256(decision.policy),
        },
        result: if passed { "PASSED" } else { "FAILED" }.to_owned(),
        levels: vec![if passed {
            level_word(level)
        } else {
            "FAILED".to_owned()
        }],
        decision: Extension {
            level: level.to_owned(),
            number: decision.seq,
            given_clock: decision.given_clock,
        },
    }
}

/// A level among SLSA's, whose own names begin with `SLSA_`.
pub(super) fn level_word(level: &str) -> String {
    format!("POLICY_ORCHESTRATOR_{level}")
}

fn decision(recorded: &Recorded) -> Decision {
    let decision = &recorded.decision;
    Decision {
        schema: 1,
        level: decision.level.name().to_owned(),
        time: decision.at,
        number: decision.seq,
        policy: decision.policy,
        line: recorded.line.clone(),
        journal: Journal {
            file: STATE_JOURNAL.to_owned(),
            head: recorded.head,
        },
        state: recorded.state.clone(),
    }
}

fn unreadable(name: &str, found: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::EnvelopeUnreadable,
            Place::file(name),
            "the envelope holds no statement about a decision",
        )
        .found(found)
        .expected(format!(
            "an in-toto statement v1 with the predicate {SUMMARY} or {DECISION}, as `attest` writes it"
        ))
        .help("check the path; other statements are for other verifiers"),
    )
}
