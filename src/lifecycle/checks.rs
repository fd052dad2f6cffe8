//! The four checks of the validation (S1-072).

use super::files::Deciding;
use super::version::{Check, Checked, Role, Version};
use super::{files, impact};
use crate::diagnostic::Diagnostic;
use crate::fs::Workspace;
use crate::policy::difference::{self, Difference, Direction};
use crate::policy::lints::{self, Grade, Remark};
use crate::policy::outline::Outline;
use crate::policy::{Policy, document};
use crate::time::Timestamp;

/// Makes all of them, whatever the first ones come to. Fails where the files of the version are not
/// those that were recorded.
pub(super) fn all(
    workspace: &Workspace,
    version: &Version,
    deciding: &Deciding,
    at: Timestamp,
) -> Result<Vec<Checked>, Box<Diagnostic>> {
    let bytes = files::document(workspace, version)?;
    files::record(workspace, version)?;
    let file = files::document_file(&version.id);
    Ok(match document::parse_with_places(&file, &bytes) {
        Ok((policy, outline)) => vec![
            checked(
                Check::SyntaxValidation,
                true,
                format!(
                    "{} triggers over {} signals",
                    policy.triggers().len(),
                    policy.signals().len()
                ),
                Vec::new(),
            ),
            conflicts_of(&policy, &outline, at),
            impact_of(workspace, &policy),
            review(version, deciding, &policy),
        ],
        Err(problems) => refused(&problems),
    })
}

fn checked(check: Check, passed: bool, note: String, flags: Vec<String>) -> Checked {
    Checked {
        check,
        passed,
        note,
        flags,
    }
}

/// What was a policy when it was drafted is none any more: this program reads it in another way.
fn refused(problems: &[Diagnostic]) -> Vec<Checked> {
    let flags = problems.iter().map(Diagnostic::to_string).collect();
    let without = "there is no policy to look at".to_owned();
    vec![
        checked(
            Check::SyntaxValidation,
            false,
            "the document is no policy".to_owned(),
            flags,
        ),
        checked(Check::ConflictDetection, false, without.clone(), Vec::new()),
        checked(Check::ImpactAnalysis, false, without.clone(), Vec::new()),
        checked(Check::SecurityReview, false, without, Vec::new()),
    ]
}

/// The lints whose remarks are conflicts: a part of the document makes another one dead.
const CONFLICTS: [&str; 6] = [
    "covered-trigger",
    "duplicate-condition",
    "never-fires",
    "green-unreachable",
    "waiver-expired",
    "window-never-opens",
];

fn conflicts_of(policy: &Policy, outline: &Outline, at: Timestamp) -> Checked {
    let remarks = lints::look(policy, outline, at);
    let is_conflict = |remark: &&Remark| CONFLICTS.contains(&remark.lint.name);
    let conflicts = remarks.iter().filter(is_conflict).count();
    let warned = |remark: &&Remark| is_conflict(remark) || remark.lint.grade == Grade::Warning;
    let flags = remarks.iter().filter(warned);
    let flags = flags.map(|remark| format!("{}: {}", remark.lint.name, remark.message));
    let note = match conflicts {
        0 => "nothing makes another part dead".to_owned(),
        count => format!("{count} found"),
    };
    checked(
        Check::ConflictDetection,
        conflicts == 0,
        note,
        flags.collect(),
    )
}

fn impact_of(workspace: &Workspace, policy: &Policy) -> Checked {
    let (passed, note) = match impact::of(workspace, policy) {
        Ok(impact) => (true, impact.in_words()),
        Err(problem) => (false, problem.to_string()),
    };
    checked(Check::ImpactAnalysis, passed, note, Vec::new())
}

/// What the security team approved has to be what it would come to now.
fn review(version: &Version, deciding: &Deciding, policy: &Policy) -> Checked {
    let flags = loosened(&difference::between(&deciding.policy, policy));
    let (passed, note) = match version.approval(Role::SecurityTeam) {
        None => (false, "the security team has not approved it".to_owned()),
        Some(_) if deciding.document.sha256 != version.base.sha256 => (
            false,
            "what decides was changed since it was drafted and approved".to_owned(),
        ),
        Some(approval) => (
            true,
            format!(
                "approved by {}; {} lines to look at",
                approval.by,
                flags.len()
            ),
        ),
    };
    checked(Check::SecurityReview, passed, note, flags)
}

/// The differences that make a policy looser, in words. Where nobody can tell, somebody has to look.
pub(super) fn loosened(differences: &[Difference]) -> Vec<String> {
    let looser = |difference: &&Difference| difference.direction != Direction::Stricter;
    differences.iter().filter(looser).map(in_words).collect()
}

fn in_words(difference: &Difference) -> String {
    let Difference {
        what,
        from,
        to,
        direction,
    } = difference;
    let lines = match (from, to) {
        (Some(from), Some(to)) => format!("{from} -> {to}"),
        (None, Some(to)) => format!("new: {to}"),
        (Some(from), None) => format!("gone: {from}"),
        (None, None) => String::new(),
    };
    format!("{what}: {lines} ({})", direction.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_conflict_is_a_lint() {
        for name in CONFLICTS {
            assert!(lints::ALL.iter().any(|lint| lint.name == name), "{name}");
        }
    }
}
