//! A version of the policy and all versions of a workspace, as the lines of their journal make them.

use serde::{Deserialize, Serialize};

use super::log::{Line, Step};
use crate::ids::Digest;
use crate::time::Timestamp;

/// Where a version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Written down; to be approved.
    Draft,
    /// Approved and checked.
    Validation,
    /// Decides in the shadow beside production.
    Staging,
    /// Decides.
    Production,
    /// Decided, until a later version was promoted.
    Superseded,
}

impl Stage {
    /// The word that stands in results.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Validation => "validation",
            Self::Staging => "staging",
            Self::Production => "production",
            Self::Superseded => "superseded",
        }
    }
}

/// In which role somebody approves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Who answers for what the policy says.
    PolicyAuthor,
    /// Who answers for what it no longer catches.
    SecurityTeam,
}

impl Role {
    /// Both, in their order.
    pub const ALL: [Self; 2] = [Self::PolicyAuthor, Self::SecurityTeam];

    /// The word that stands in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PolicyAuthor => "policy_author",
            Self::SecurityTeam => "security_team",
        }
    }
}

/// An approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approval {
    /// In which role.
    pub role: Role,
    /// Who, as the environment says.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// A check of the validation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The document is read and found to be a policy.
    SyntaxValidation,
    /// Nothing in it contradicts or covers something else.
    ConflictDetection,
    /// The recorded history is decided again with it.
    ImpactAnalysis,
    /// The security team approved it, and what it loosens is written down.
    SecurityReview,
}

impl Check {
    /// The word that stands in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SyntaxValidation => "syntax_validation",
            Self::ConflictDetection => "conflict_detection",
            Self::ImpactAnalysis => "impact_analysis",
            Self::SecurityReview => "security_review",
        }
    }
}

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Which.
    pub check: Check,
    /// Did it pass?
    pub passed: bool,
    /// What was found, in a clause.
    pub note: String,
    /// What somebody should look at, passed or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
}

/// The results of all checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Validated {
    /// When.
    pub at: Timestamp,
    /// Each check, in the order in which they were made.
    pub checks: Vec<Checked>,
}

impl Validated {
    /// Did every check pass?
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|checked| checked.passed)
    }
}

/// A document that decides or decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Its file, relative to the workspace; absent for the built-in policy.
    pub file: Option<String>,
    /// The SHA-256 of its bytes.
    pub sha256: Digest,
}

impl Document {
    /// What it is, for a person.
    pub fn in_words(&self) -> String {
        let short = self.sha256.short();
        match &self.file {
            Some(file) => format!("{file} (SHA-256 {short})"),
            None => format!("the built-in reference policy (SHA-256 {short})"),
        }
    }
}

/// Who took a step, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// Who, as the environment says.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// How a version is staged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Staging {
    /// The number of this staging; its lines of the shadow journal name it.
    pub number: u64,
    /// Since when.
    pub since: Timestamp,
}

/// A version of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its name here: that of the document, its version, and twelve digits of its SHA-256.
    pub id: String,
    /// The name in the document.
    pub name: String,
    /// The version in the document.
    pub number: String,
    /// The SHA-256 of the document's bytes.
    pub sha256: Digest,
    /// The SHA-256 of its update record.
    pub record_sha256: Digest,
    /// What decided when it was drafted: what its changes and its checks are about.
    pub base: Document,
    /// Who drafted it.
    pub drafted: Mark,
    /// Where it stands.
    pub stage: Stage,
    /// Who approved it.
    pub approvals: Vec<Approval>,
    /// What its checks came to.
    pub validated: Option<Validated>,
    /// Since when it decides in the shadow.
    pub staging: Option<Staging>,
    /// Since when it decides.
    pub promoted: Option<Mark>,
    /// How long it is to be watched in production, in seconds.
    pub watched_seconds: i64,
}

impl Version {
    /// The approval in a role.
    pub fn approval(&self, role: Role) -> Option<&Approval> {
        self.approvals.iter().find(|given| given.role == role)
    }

    /// Back to a draft that nobody approved.
    fn begin_anew(&mut self) {
        self.stage = Stage::Draft;
        self.approvals.clear();
        self.validated = None;
        self.staging = None;
        self.promoted = None;
    }
}

/// A version in production, and what decided before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Produced {
    /// The version.
    pub id: String,
    /// What decided before.
    pub previous: Document,
}

/// The change of what decides that was recorded last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// The version that was promoted or rolled back.
    pub id: String,
    /// What decided before.
    pub from: Document,
    /// What decides since.
    pub to: Document,
    /// True for a rollback.
    pub back: bool,
}

/// All versions of a workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Life {
    /// Each, in the order in which they were first drafted.
    pub versions: Vec<Version>,
    /// Those that decide or would again after a rollback, the one that decides last.
    pub production: Vec<Produced>,
    /// The change of what decides that was recorded last.
    pub switch: Option<Switch>,
    /// How many stagings there were.
    pub stagings: u64,
    /// When the last step was taken.
    pub last: Option<Timestamp>,
}

impl Life {
    /// The version that decides in the shadow.
    pub fn staged(&self) -> Option<&Version> {
        let mut versions = self.versions.iter();
        versions.find(|version| version.stage == Stage::Staging)
    }

    /// The version of that id.
    pub fn get(&self, id: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.id == id)
    }

    fn change(&mut self, id: &str, change: impl FnOnce(&mut Version)) -> bool {
        let version = self.versions.iter_mut().find(|version| version.id == id);
        version.map(change).is_some()
    }

    /// Takes a line of the journal; `false` for one that no step could have written.
    pub fn take(&mut self, line: &Line) -> bool {
        let Line {
            timestamp,
            version: id,
            user,
            reason,
            ..
        } = line;
        self.last = Some(*timestamp);
        let mark = || Mark {
            at: *timestamp,
            by: user.clone(),
            reason: reason.clone(),
        };
        match &line.step {
            Step::Drafted { .. } => self.draft(line, mark()),
            Step::Approved { role } => self.change(id, |version| {
                version.approvals.retain(|given| given.role != *role);
                version.approvals.push(Approval {
                    role: *role,
                    by: user.clone(),
                    at: *timestamp,
                    reason: reason.clone(),
                });
            }),
            Step::Validated { checks, .. } => self.change(id, |version| {
                version.stage = Stage::Validation;
                version.validated = Some(Validated {
                    at: *timestamp,
                    checks: checks.clone(),
                });
            }),
            Step::Staged { staging, .. } => {
                self.stagings = *staging;
                self.change(id, |version| {
                    version.stage = Stage::Staging;
                    version.staging = Some(Staging {
                        number: *staging,
                        since: *timestamp,
                    });
                })
            }
            Step::Withdrawn {} => self.change(id, Version::begin_anew),
            Step::Promoted {
                from,
                to,
                watched_seconds,
                ..
            } => {
                self.switched(id, from, to, false);
                for version in &mut self.versions {
                    if version.stage == Stage::Production {
                        version.stage = Stage::Superseded;
                    }
                }
                self.production.push(Produced {
                    id: id.clone(),
                    previous: from.clone(),
                });
                self.change(id, |version| {
                    version.stage = Stage::Production;
                    version.staging = None;
                    version.promoted = Some(mark());
                    version.watched_seconds = *watched_seconds;
                })
            }
            Step::RolledBack { from, to } => {
                self.switched(id, from, to, true);
                self.production.pop();
                let known = self.change(id, Version::begin_anew);
                if let Some(again) = self.production.last().map(|produced| produced.id.clone()) {
                    self.change(&again, |version| version.stage = Stage::Production);
                }
                known
            }
        }
    }

    fn switched(&mut self, id: &str, from: &Document, to: &Document, back: bool) {
        self.switch = Some(Switch {
            id: id.to_owned(),
            from: from.clone(),
            to: to.clone(),
            back,
        });
    }

    fn draft(&mut self, line: &Line, drafted: Mark) -> bool {
        let Step::Drafted {
            name,
            number,
            record_sha256,
            base,
        } = &line.step
        else {
            return false;
        };
        let version = Version {
            id: line.version.clone(),
            name: name.clone(),
            number: number.clone(),
            sha256: line.sha256,
            record_sha256: *record_sha256,
            base: base.clone(),
            drafted,
            stage: Stage::Draft,
            approvals: Vec::new(),
            validated: None,
            staging: None,
            promoted: None,
            watched_seconds: 0,
        };
        let id = &line.version;
        match self.versions.iter_mut().find(|known| known.id == *id) {
            Some(known) => *known = version,
            None => self.versions.push(version),
        }
        true
    }
}
