//! The later steps of a version: into the shadow, into production, and back.

use super::criteria::{self, Verdict};
use super::desk::{Desk, Outcome, Refused, Stepped, at_desk};
use super::files::{self, Deciding};
use super::log::{self, Staged, Step};
use super::shadow::{self, Summary};
use super::steps::entry;
use super::switch;
use super::update::{self, Update};
use super::version::{Document, Stage, Switch, Version};
use super::{findings, version};
use crate::approval::{self, Operation, Subject, Wanted};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::ids::Digest;
use crate::policy::document::{self, LIMIT};
use crate::record::{SigningKey, StoredState, policies, state};
use crate::safeguard::Request;
use crate::time::{Clock, Timestamp, in_words};

/// Lets a version decide in the shadow beside production, from the next run on.
pub fn stage(request: &Request<'_>, named: &str, reason: &str) -> Stepped<Outcome> {
    at_desk(request, |desk| {
        let version = findings::find(&desk.life, named)?;
        if version.stage == Stage::Staging && !hints_at_staged(desk)? {
            state::hint_at_staged(desk.workspace(), request.retry)?;
            let note = "it was staged already; the state file says so to runs again";
            return Ok(desk.finished(version, note));
        }
        if version.stage != Stage::Validation {
            let help = findings::next_step(version);
            return Err(findings::step(version, "staged", "a validated version", help).into());
        }
        let update = update_of(desk, version)?;
        let mut missing: Vec<Diagnostic> = Vec::new();
        missing.extend(unpassed(version));
        missing.extend(desk.life.staged().map(|other| occupied(version, other)));
        let deciding = sound_base(desk, version, &mut missing)?;
        if !missing.is_empty() {
            return Err(missing.into());
        }
        // The hint that lets a run look at the journal goes first: without the line it means nothing.
        state::hint_at_staged(desk.workspace(), request.retry)?;
        let step = Step::Staged {
            staging: desk.life.stagings + 1,
            base: deciding.document,
        };
        let recorded = desk.record(entry(version, reason, step))?;
        let until = in_words(update.staging);
        let note =
            format!("from the next run on it decides in the shadow; it is watched for {until}");
        Ok(desk.outcome(recorded, vec![note]))
    })
}

fn hints_at_staged(desk: &Desk<'_>) -> Checked<bool> {
    let state = StoredState::load(desk.workspace())?;
    Ok(state.is_none_or(|state| state.staged))
}

fn update_of(desk: &Desk<'_>, version: &Version) -> Result<Update, Refused> {
    files::document(desk.workspace(), version)?;
    let bytes = files::record(desk.workspace(), version)?;
    Ok(update::parse(&files::record_file(&version.id), &bytes)?)
}

pub(super) fn unpassed(version: &Version) -> Option<Diagnostic> {
    let validated = version.validated.as_ref();
    if validated.is_some_and(version::Validated::passed) {
        return None;
    }
    let failed: Vec<&str> = validated
        .iter()
        .flat_map(|validated| &validated.checks)
        .filter(|checked| !checked.passed)
        .map(|checked| checked.check.as_str())
        .collect();
    Some(
        Diagnostic::new(
            Code::CheckMissing,
            findings::place(version),
            "not every check passed",
        )
        .found(format!("failed: {}", failed.join(", ")))
        .expected("all four passed for these bytes")
        .help(format!(
            "`policy-orchestrator policy status` says why; correct the document and draft it again, or look again with `policy-orchestrator policy validate {}`",
            version.id
        )),
    )
}

pub(super) fn occupied(version: &Version, other: &Version) -> Diagnostic {
    Diagnostic::new(
        Code::StepDenied,
        findings::place(version),
        "another version is staged",
    )
    .found(other.id.clone())
    .expected("one version in the shadow at a time")
    .help(format!(
        "promote that one, or take it out with `policy-orchestrator policy rollback {} --reason TEXT`",
        other.id
    ))
}

/// What decides, which has to be what decided when the version was drafted.
fn sound_base(
    desk: &Desk<'_>,
    version: &Version,
    missing: &mut Vec<Diagnostic>,
) -> Result<Deciding, Refused> {
    let deciding = Deciding::sound(desk.workspace())?;
    if deciding.document.sha256 != version.base.sha256 {
        missing.push(findings::base_changed(
            version,
            &deciding.document.in_words(),
        ));
    }
    Ok(deciding)
}

/// How a staging stands.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Watch {
    /// Since when.
    pub since: Timestamp,
    /// From this moment on it may be promoted.
    pub complete_at: Timestamp,
    /// What it came to.
    #[serde(flatten)]
    pub summary: Summary,
    /// What each criterion says.
    pub criteria: Vec<Verdict>,
}

impl Watch {
    pub(super) fn of(
        desk: (&Workspace, Option<&SigningKey>),
        version: &Version,
        update: &Update,
    ) -> Checked<Option<Self>> {
        let Some(staging) = &version.staging else {
            return Ok(None);
        };
        let staged = Staged {
            version: version.id.clone(),
            sha256: version.sha256,
            staging: staging.number,
            base: version.base.sha256,
        };
        let summary = shadow::summary(desk.0, desk.1, &staged)?;
        let criteria = update.criteria.iter();
        Ok(Some(Self {
            since: staging.since,
            complete_at: staging.since.plus_seconds(update.staging.num_seconds()),
            criteria: criteria.map(|one| one.judge(&summary)).collect(),
            summary,
        }))
    }

    /// What stands in the way of production.
    pub(super) fn lacks(&self, version: &Version, at: Timestamp) -> Vec<Diagnostic> {
        let mut lacks = Vec::new();
        let incomplete = |message: &str| {
            Diagnostic::new(
                Code::MonitoringIncomplete,
                findings::place(version),
                message,
            )
        };
        let period = self.complete_at.since(self.since);
        if !criteria::is_over(self.since, period, at) {
            lacks.push(
                incomplete("this version was not watched for long enough")
                    .found(format!("staged since {}, asked at {at}", self.since))
                    .expected(format!(
                        "{}, from {} on",
                        in_words(period),
                        self.complete_at
                    ))
                    .help("wait, and let `policy-orchestrator run` go on"),
            );
        }
        if self.summary.evaluations == 0 {
            lacks.push(
                incomplete(
                    "this version decided nothing in the shadow, so that nobody knows how it does",
                )
                .found("no decision beside the policy that decides")
                .expected("at least one")
                .help("let `policy-orchestrator run` decide"),
            );
        }
        let violated = self.criteria.iter();
        for verdict in violated.filter(|verdict| verdict.violated == Some(true)) {
            lacks.push(violation(version, verdict));
        }
        lacks
    }
}

fn violation(version: &Version, verdict: &Verdict) -> Diagnostic {
    let measured = verdict.measured.unwrap_or_default();
    Diagnostic::new(
        Code::CriterionViolated,
        findings::place(version),
        format!("the rollback criterion `{}` is violated", verdict.criterion),
    )
    .found(format!("{measured} %"))
    .expected("a share at the line or below it")
    .help(format!(
        "make it a draft again with `policy-orchestrator policy rollback {} --reason TEXT`, and correct the document",
        version.id
    ))
}

/// The digest of a version's document, which an approval to promote it is bound to.
pub fn digest(workspace: &Workspace, key: Option<&SigningKey>, named: &str) -> Checked<Digest> {
    let life = log::read(workspace, key)?;
    Ok(findings::find(&life, named)?.sha256)
}

/// Lets a staged version decide. The switch is recorded before it is made; one that was cut off is
/// finished by asking again. In `production` a second person has to have signed for it, beside the
/// approvals by name.
pub fn produce(
    request: &Request<'_>,
    named: &str,
    reason: &str,
    production: bool,
) -> Stepped<Outcome> {
    at_desk(request, |desk| {
        let version = findings::find(&desk.life, named)?;
        if version.stage == Stage::Production {
            return finish(desk, version);
        }
        if version.stage != Stage::Staging {
            let help = findings::next_step(version);
            return Err(findings::step(version, "promoted", "a staged version", help).into());
        }
        let update = update_of(desk, version)?;
        let bytes = files::document(desk.workspace(), version)?;
        let mut missing = Vec::new();
        let deciding = sound_base(desk, version, &mut missing)?;
        let records = desk.records();
        let watch = Watch::of((desk.workspace(), records.key), version, &update)?;
        if let Some(watch) = &watch {
            missing.extend(watch.lacks(version, desk.at));
        }
        if !missing.is_empty() {
            return Err(missing.into());
        }
        let to = Document {
            file: Some(switch::FILE.to_owned()),
            sha256: version.sha256,
        };
        let document = deciding.policy.document();
        policies::keep(
            desk.workspace(),
            deciding.document.sha256,
            document,
            request.retry,
        )?;
        if production {
            let wanted = Wanted {
                operation: Operation::Promote,
                subject: Subject::of(version.sha256),
                user: desk.user(),
            };
            // By the machine's clock: a time that somebody gives revives no approval.
            approval::second_person(records, wanted, Clock::System.read())?;
        }
        let step = Step::Promoted {
            from: deciding.document.clone(),
            to: to.clone(),
            watched_seconds: update.production.num_seconds(),
            shadow: watch.map(|watch| watch.summary).unwrap_or_default(),
        };
        let recorded = desk.record(entry(version, reason, step))?;
        desk.switch(&deciding.document, &to, &bytes, reason)?;
        let notes = vec![
            format!("{} decides from the next run on", switch::FILE),
            format!(
                "before: {}, kept under state/policies/",
                deciding.document.in_words()
            ),
            format!("watch it for {}", in_words(update.production)),
        ];
        Ok(desk.outcome(recorded, notes))
    })
}

/// Makes the switch to a version in production that was recorded and cut off.
fn finish(desk: &Desk<'_>, version: &Version) -> Stepped<Outcome> {
    let deciding = Deciding::load(desk.workspace());
    let Some(switch) = pending(desk, &deciding)? else {
        let help = findings::next_step(version);
        return Err(findings::step(version, "promoted", "a staged version", help).into());
    };
    if switch.back || switch.id != version.id {
        return Err(unfinished(switch, &deciding).into());
    }
    make(desk, switch, &deciding)?;
    let note = "the switch was recorded and cut off; it is made now";
    Ok(desk.finished(version, note))
}

/// The switch that was recorded last, where it was not made. Fails where something else than its two
/// sides decides.
fn pending<'d>(desk: &'d Desk<'_>, deciding: &Deciding) -> Result<Option<&'d Switch>, Refused> {
    let Some(switch) = &desk.life.switch else {
        return Ok(None);
    };
    let now = deciding.document.sha256;
    match Made::of(switch, &deciding.document) {
        Made::Whole => return Ok(None),
        Made::CutOff => return Ok(Some(switch)),
        Made::Neither => {}
    }
    let file = deciding.document.file.as_deref().unwrap_or(switch::FILE);
    Err(findings::edited(file, now, &switch.to.in_words()).into())
}

fn unfinished(switch: &Switch, deciding: &Deciding) -> Diagnostic {
    let again = if switch.back {
        "`policy-orchestrator policy rollback --reason TEXT`".to_owned()
    } else {
        let id = &switch.id;
        format!("`policy-orchestrator policy promote {id} --to production --reason TEXT`")
    };
    findings::cut_off(
        format!("finish it first with {again}"),
        &deciding.document.in_words(),
        &switch.to.in_words(),
    )
}

fn make(desk: &Desk<'_>, to: &Switch, deciding: &Deciding) -> Result<(), Refused> {
    let bytes = bytes_of(desk, &to.to)?;
    let reason = "a switch of the policy that was cut off";
    desk.switch(&deciding.document, &to.to, &bytes, reason)
}

/// The bytes of a document that decided or is to decide: a version's, or a kept one's.
fn bytes_of(desk: &Desk<'_>, document: &Document) -> Checked<Vec<u8>> {
    if document.file.is_none() {
        return Ok(document::reference().document().to_vec());
    }
    let mut versions = desk.life.versions.iter();
    if let Some(version) = versions.find(|version| version.sha256 == document.sha256) {
        let file = files::document_file(&version.id);
        let exact = files::exact(desk.workspace(), &file, version.sha256, LIMIT);
        // A second copy is as good, where there is one.
        return exact.or_else(|finding| {
            policies::read(desk.workspace(), document.sha256).map_err(|_| finding)
        });
    }
    policies::read(desk.workspace(), document.sha256)
}

/// Takes a staged version out of the shadow, or lets what decided before the version in production
/// decide again, byte for byte.
pub fn rollback(request: &Request<'_>, named: Option<&str>, reason: &str) -> Stepped<Outcome> {
    at_desk(request, |desk| {
        let named = named
            .map(|named| findings::find(&desk.life, named))
            .transpose()?;
        match named {
            Some(version) if version.stage == Stage::Staging => withdraw(desk, version, reason),
            Some(version) if version.stage != Stage::Production => {
                let help = findings::next_step(version);
                let expected = "a version in staging or in production";
                Err(findings::step(version, "rolled back", expected, help).into())
            }
            _ => back(desk, reason),
        }
    })
}

fn withdraw(desk: &Desk<'_>, version: &Version, reason: &str) -> Stepped<Outcome> {
    let recorded = desk.record(entry(version, reason, Step::Withdrawn {}))?;
    let note = "it is a draft again, and has to be approved anew; what decides stays".to_owned();
    Ok(desk.outcome(recorded, vec![note]))
}

fn back(desk: &Desk<'_>, reason: &str) -> Stepped<Outcome> {
    let deciding = Deciding::load(desk.workspace());
    if deciding.is_ambiguous() {
        return Err(deciding.problems.into());
    }
    let now = deciding.document.sha256;
    let last = desk.life.switch.as_ref().filter(|last| last.back);
    if let Some(switch) = last.filter(|last| Made::of(last, &deciding.document) == Made::CutOff) {
        make(desk, switch, &deciding)?;
        let version = desk.life.get(&switch.id);
        let version = version.ok_or_else(|| nothing_to_go_back_to(&deciding))?;
        let note = "the rollback was recorded and cut off; it is made now";
        return Ok(desk.finished(version, note));
    }
    let produced = desk.life.production.last();
    let produced = produced.ok_or_else(|| nothing_to_go_back_to(&deciding))?;
    let version = desk.life.get(&produced.id);
    let version = version.ok_or_else(|| nothing_to_go_back_to(&deciding))?;
    let to = produced.previous.clone();
    let bytes = bytes_of(desk, &to)?;
    let retry = desk.records().retry;
    // What stands there may be nobody's version: it is kept before it goes.
    policies::keep(desk.workspace(), now, deciding.policy.document(), retry)?;
    let step = Step::RolledBack {
        from: deciding.document.clone(),
        to: to.clone(),
    };
    let recorded = desk.record(entry(version, reason, step))?;
    desk.switch(&deciding.document, &to, &bytes, reason)?;
    let mut notes = vec![format!("{} decides again", to.in_words())];
    if now != version.sha256 && now != to.sha256 {
        notes.push(format!(
            "what decided until now was not what was promoted; it is kept as {}",
            policies::file(now)
        ));
    }
    Ok(desk.outcome(recorded, notes))
}

fn nothing_to_go_back_to(deciding: &Deciding) -> Diagnostic {
    let file = deciding.document.file.as_deref().unwrap_or(switch::FILE);
    Diagnostic::new(
        Code::StepDenied,
        Place::file(file),
        "there is nothing to go back to",
    )
    .found("no version in production")
    .expected("a version that was promoted here")
    .help("`policy-orchestrator policy status` shows where each version stands; a document that was changed by hand comes back from version control")
}

/// Whether a switch that was recorded was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// It was.
    Whole,
    /// It was not, or not to its end.
    CutOff,
    /// Something else decides.
    Neither,
}

impl Made {
    pub(super) fn of(switch: &Switch, now: &Document) -> Self {
        // A rollback ends by giving the document its own name back.
        let is_named = |document: &Document| document.file.as_deref() == Some(switch::FILE);
        let unnamed =
            switch.back && is_named(now) && switch.to.file.is_some() && !is_named(&switch.to);
        if now.sha256 == switch.to.sha256 && !unnamed {
            Self::Whole
        } else if now.sha256 == switch.to.sha256 || now.sha256 == switch.from.sha256 {
            Self::CutOff
        } else {
            Self::Neither
        }
    }
}
