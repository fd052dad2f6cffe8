//! The first steps of a version: taken in, approved, checked.

use super::desk::{Entry, Outcome, Refused, Stepped, at_desk};
use super::files::{self, Deciding};
use super::log::Step;
use super::update::{self, Facts};
use super::version::{Checked as CheckResult, Document, Role, Stage, Version};
use super::{checks, findings, impact};
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::ids::Digest;
use crate::policy::{Policy, difference, document};
use crate::safeguard::Request;

/// A document that is to become a version.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// Its file, for findings.
    pub file: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// The author's update record: its file and bytes.
    pub update: Option<(&'a str, &'a [u8])>,
}

/// Takes a document in as a draft: its very bytes and its update record into `policy/versions/`, and
/// then the line that names both.
///
/// Refused where it is no policy of the large form, where what decides can't be read (what it changes
/// could not be told), where the update record lacks something, and where the same bytes are staged
/// or in production.
pub fn draft(request: &Request<'_>, draft: Draft<'_>, reason: &str) -> Stepped<Outcome> {
    let policy = policy_of(draft)?;
    at_desk(request, |desk| {
        let identity = policy.identity();
        let id = files::id(&identity.name, &identity.version, identity.sha256);
        if let Some(known) = desk.life.get(&id) {
            let free = matches!(
                known.stage,
                Stage::Draft | Stage::Validation | Stage::Superseded
            );
            if !free {
                let help = findings::next_step(known);
                return Err(
                    findings::step(known, "drafted", "bytes that are not at work", help).into(),
                );
            }
        }
        let deciding = Deciding::sound(desk.workspace())?;
        let changes = difference::between(&deciding.policy, &policy);
        let impact = impact::of(desk.workspace(), &policy)?;
        let document = Document {
            file: Some(files::document_file(&id)),
            sha256: identity.sha256,
        };
        let facts = Facts {
            policy: &policy,
            document: &document,
            base: &deciding.document,
            changes: &changes,
            impact: &impact,
            id: &id,
        };
        let record = match draft.update {
            Some((file, bytes)) => facts.completed(file, bytes)?,
            None => facts.record(),
        };
        let (file, record_file) = (files::document_file(&id), files::record_file(&id));
        // What is written has to be what can be read again.
        update::parse(&record_file, &record)?;
        let retry = request.retry;
        files::keep(desk.workspace(), &file, draft.bytes, retry)?;
        files::keep(desk.workspace(), &record_file, &record, retry)?;
        let recorded = desk.record(Entry {
            id: &id,
            sha256: identity.sha256,
            reason,
            step: Step::Drafted {
                name: identity.name.clone(),
                number: identity.version.clone(),
                record_sha256: Digest::of(&record),
                base: deciding.document.clone(),
            },
        })?;
        let mut notes = vec![
            format!("kept as {file}, its update record as {record_file}"),
            format!("differences from what decides: {}", changes.len()),
            impact.in_words(),
        ];
        let loosened = checks::loosened(&changes).into_iter();
        notes.extend(loosened.map(|line| format!("look at it: {line}")));
        Ok(desk.outcome(recorded, notes))
    })
}

fn policy_of(draft: Draft<'_>) -> Result<Policy, Refused> {
    let read = document::parse(draft.file, draft.bytes);
    if read.is_ok() && document::is_small_form(draft.bytes) {
        return Err(Diagnostic::new(
            Code::VersionUnusable,
            Place::file(draft.file),
            "a document of the small form has no life of its own",
        )
        .found("thresholds alone")
        .expected("a document of the large form, `kind: OrchestrationPolicy`")
        .help("write one with `policy-orchestrator policy init`, and set these thresholds there")
        .into());
    }
    read.map_err(|problems| named(problems, draft.file).into())
}

fn named(problems: Vec<Diagnostic>, file: &str) -> Vec<Diagnostic> {
    let about = |problem: Diagnostic| Diagnostic {
        place: Place {
            file: Place::file(file).file,
            ..problem.place
        },
        ..problem
    };
    problems.into_iter().map(about).collect()
}

/// Records an approval. One person can't give both.
pub fn approve(request: &Request<'_>, named: &str, role: Role, reason: &str) -> Stepped<Outcome> {
    at_desk(request, |desk| {
        let version = findings::find(&desk.life, named)?;
        if version.stage != Stage::Draft {
            let help = findings::next_step(version);
            return Err(findings::step(version, "approved", "a draft", help).into());
        }
        files::document(desk.workspace(), version)?;
        files::record(desk.workspace(), version)?;
        let mut others = version.approvals.iter();
        if let Some(other) = others.find(|given| given.role != role && given.by == desk.user()) {
            return Err(Diagnostic::new(
                Code::ApprovalMissing,
                findings::place(version),
                "the same person can't give both approvals",
            )
            .found(format!(
                "{} approved it as {} already",
                other.by,
                other.role.as_str()
            ))
            .expected("somebody else")
            .help(format!(
                "let somebody else run `policy-orchestrator policy approve {} --as {} --reason TEXT`",
                version.id,
                role.as_str()
            ))
            .into());
        }
        let recorded = desk.record(entry(version, reason, Step::Approved { role }))?;
        let note = format!("approved as {} by {}", role.as_str(), desk.user());
        Ok(desk.outcome(recorded, vec![note]))
    })
}

/// Makes the four checks and records what each came to. Refused without both approvals.
pub fn validate(request: &Request<'_>, named: &str, reason: &str) -> Stepped<Outcome> {
    at_desk(request, |desk| {
        let version = findings::find(&desk.life, named)?;
        if !matches!(version.stage, Stage::Draft | Stage::Validation) {
            let help = findings::next_step(version);
            return Err(findings::step(version, "validated", "a draft", help).into());
        }
        let missing: Vec<Diagnostic> = Role::ALL
            .into_iter()
            .filter(|role| version.approval(*role).is_none())
            .map(|role| approval_missing(version, role))
            .collect();
        if !missing.is_empty() {
            return Err(missing.into());
        }
        let deciding = Deciding::sound(desk.workspace())?;
        let checks = checks::all(desk.workspace(), version, &deciding, desk.at)?;
        let notes = checks.iter().map(in_words).collect();
        let passed = checks.iter().all(|checked| checked.passed);
        let step = Step::Validated { passed, checks };
        let recorded = desk.record(entry(version, reason, step))?;
        Ok(desk.outcome(recorded, notes))
    })
}

fn in_words(checked: &CheckResult) -> String {
    let word = if checked.passed { "passed" } else { "FAILED" };
    let mut text = format!("{} {word}: {}", checked.check.as_str(), checked.note);
    for flag in &checked.flags {
        text.push_str("; ");
        text.push_str(flag);
    }
    text
}

pub(super) fn approval_missing(version: &Version, role: Role) -> Diagnostic {
    Diagnostic::new(
        Code::ApprovalMissing,
        findings::place(version),
        format!("the approval as {} is missing", role.as_str()),
    )
    .found("no such approval of these bytes")
    .expected("one of policy_author and one of security_team, by two people")
    .help(format!(
        "`policy-orchestrator policy approve {} --as {} --reason TEXT`",
        version.id,
        role.as_str()
    ))
}

/// A step of a version that is known.
pub(super) fn entry<'a>(version: &'a Version, reason: &'a str, step: Step) -> Entry<'a> {
    Entry {
        id: &version.id,
        sha256: version.sha256,
        reason,
        step,
    }
}
