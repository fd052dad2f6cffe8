//! Where every version stands and what it still lacks, what decides, and whether that is what was
//! promoted. Nothing is written.

use serde::Serialize;

use super::files::{self, Deciding};
use super::promotion::{Made, Watch};
use super::version::{Approval, Document, Life, Mark, Role, Stage, Validated, Version};
use super::{findings, log, steps, switch, update};
use crate::diagnostic::{Checked, Code, Diagnostic};
use crate::fs::Workspace;
use crate::ids::Digest;
use crate::record::{SigningKey, StoredState};
use crate::time::Timestamp;

/// How everything stands.
#[derive(Debug, Serialize)]
pub struct Status {
    /// The version of this shape.
    pub schema: u32,
    /// When it was looked at.
    pub at: Timestamp,
    /// What decides.
    pub decides: Decides,
    /// Each version, the one drafted last first.
    pub versions: Vec<Standing>,
    /// Everything that is wrong.
    pub problems: Vec<Diagnostic>,
}

/// What decides.
#[derive(Debug, Serialize)]
pub struct Decides {
    /// Its file and digest.
    #[serde(flatten)]
    pub document: Document,
    /// The name in the document.
    pub name: String,
    /// The version in the document.
    pub version: String,
    /// The version that was promoted last and not rolled back.
    pub promoted: Option<String>,
    /// Is it that version, byte for byte? `null` where none was promoted.
    pub as_promoted: Option<bool>,
    /// What decides after a rollback.
    pub before: Option<Document>,
}

/// How a version stands.
#[derive(Debug, Serialize)]
pub struct Standing {
    /// Its id.
    pub id: String,
    /// The name in the document.
    pub name: String,
    /// The version in the document.
    pub version: String,
    /// The SHA-256 of the document's bytes.
    pub sha256: Digest,
    /// Where it stands.
    pub stage: Stage,
    /// Who drafted it.
    pub drafted: Mark,
    /// Who approved it.
    pub approvals: Vec<Approval>,
    /// What its checks came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validated: Option<Validated>,
    /// How its staging stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staging: Option<Watch>,
    /// Since when it decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promoted: Option<Mark>,
    /// Until when it is to be watched in production.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watched_until: Option<Timestamp>,
    /// What it lacks for its next step, each with what to do.
    pub lacks: Vec<Diagnostic>,
    /// The next step, for a person.
    pub next: String,
}

/// Looks at everything.
pub fn look(workspace: &Workspace, key: Option<&SigningKey>, at: Timestamp) -> Checked<Status> {
    let life = log::read(workspace, key)?;
    let deciding = Deciding::load(workspace);
    let mut problems = deciding.problems.clone();
    problems.extend(odd(&life, &deciding));
    problems.extend(unhinted(workspace, &life));
    let mut versions = Vec::new();
    for version in life.versions.iter().rev() {
        let looked = Look {
            workspace,
            key,
            life: &life,
            deciding: &deciding,
            at,
        };
        versions.push(looked.standing(version, &mut problems));
    }
    let identity = deciding.policy.identity();
    let produced = life.production.last();
    let promoted = produced.map(|produced| produced.id.clone());
    let of_promoted = promoted.as_deref().and_then(|id| life.get(id));
    Ok(Status {
        schema: 1,
        at,
        decides: Decides {
            name: identity.name.clone(),
            version: identity.version.clone(),
            as_promoted: of_promoted.map(|version| version.sha256 == identity.sha256),
            before: produced.map(|produced| produced.previous.clone()),
            promoted,
            document: deciding.document,
        },
        versions,
        problems,
    })
}

/// What is wrong with what decides, as far as the journal tells.
fn odd(life: &Life, deciding: &Deciding) -> Option<Diagnostic> {
    let now = deciding.document.sha256;
    let last = life.switch.as_ref()?;
    let made = Made::of(last, &deciding.document);
    if made == Made::Whole {
        return None;
    }
    if made == Made::CutOff {
        let id = &last.id;
        let again = if last.back {
            "finish it with `policy-orchestrator policy rollback --reason TEXT`".to_owned()
        } else {
            format!(
                "finish it with `policy-orchestrator policy promote {id} --to production --reason TEXT`, or go back with `policy-orchestrator policy rollback --reason TEXT`"
            )
        };
        return Some(findings::cut_off(
            again,
            &deciding.document.in_words(),
            &last.to.in_words(),
        ));
    }
    let file = deciding.document.file.as_deref().unwrap_or(switch::FILE);
    Some(findings::edited(file, now, &last.to.in_words()))
}

/// A version that is staged, and no run that would know of it: the state file was put back or
/// changed.
fn unhinted(workspace: &Workspace, life: &Life) -> Option<Diagnostic> {
    let staged = life.staged()?;
    let state = StoredState::load(workspace).ok().flatten()?;
    (!state.staged).then(|| findings::unhinted(staged))
}

struct Look<'a> {
    workspace: &'a Workspace,
    key: Option<&'a SigningKey>,
    life: &'a Life,
    deciding: &'a Deciding,
    at: Timestamp,
}

impl Look<'_> {
    fn standing(&self, version: &Version, problems: &mut Vec<Diagnostic>) -> Standing {
        let mut staging = None;
        let mut lacks = Vec::new();
        // No step can be taken before its files are those that were reviewed.
        let mut restore = None;
        match self.files(version) {
            Err(found) => {
                restore = found.iter().find_map(|problem| problem.help.clone());
                problems.extend(found);
            }
            Ok(update) => match Watch::of((self.workspace, self.key), version, &update) {
                Ok(watch) => staging = watch,
                Err(problem) => problems.push(*problem),
            },
        }
        if version.stage == Stage::Draft {
            let missing = Role::ALL
                .into_iter()
                .filter(|role| version.approval(*role).is_none());
            lacks.extend(missing.map(|role| steps::approval_missing(version, role)));
        }
        if version.stage == Stage::Validation {
            lacks.extend(super::promotion::unpassed(version));
            let others = self.life.staged();
            lacks.extend(others.map(|other| super::promotion::occupied(version, other)));
        }
        let is_on_its_way = matches!(version.stage, Stage::Validation | Stage::Staging);
        if is_on_its_way && self.deciding.document.sha256 != version.base.sha256 {
            lacks.push(findings::base_changed(
                version,
                &self.deciding.document.in_words(),
            ));
        }
        if let Some(watch) = &staging {
            lacks.extend(watch.lacks(version, self.at));
        }
        let in_production = version.stage == Stage::Production;
        let promoted = version.promoted.as_ref();
        let watched_until = promoted
            .filter(|_| in_production)
            .map(|mark| mark.at.plus_seconds(version.watched_seconds));
        Standing {
            id: version.id.clone(),
            name: version.name.clone(),
            version: version.number.clone(),
            sha256: version.sha256,
            stage: version.stage,
            drafted: version.drafted.clone(),
            approvals: version.approvals.clone(),
            validated: version.validated.clone(),
            staging,
            promoted: version.promoted.clone(),
            watched_until,
            next: if lacks.iter().any(is_violation) {
                findings::withdraw(version)
            } else {
                restore.unwrap_or_else(|| findings::next_step(version))
            },
            lacks,
        }
    }

    fn files(&self, version: &Version) -> Result<update::Update, Vec<Diagnostic>> {
        let document = files::document(self.workspace, version);
        let record = files::record(self.workspace, version);
        match (document, record) {
            (Ok(_), Ok(record)) => update::parse(&files::record_file(&version.id), &record),
            (document, record) => Err([document.err(), record.err()]
                .into_iter()
                .flatten()
                .map(|finding| *finding)
                .collect()),
        }
    }
}

/// A version that violates a rollback criterion is to be taken out, not promoted (row S1-073).
fn is_violation(finding: &Diagnostic) -> bool {
    finding.code == Code::CriterionViolated
}
