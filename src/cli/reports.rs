//! `--report KIND:PATH`: reports that a run leaves beside its decision. Where they go is looked at
//! before anything is decided; one that can't be written afterwards takes nothing back.

use std::path::{Path, PathBuf};

use super::workflow;
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::fs::named::{check_named, replace_named};
use crate::report::outcome::{Reported, Shown};
use crate::report::{badge, github, sarif, triggers};

/// A report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    /// Markdown for a step's summary or a comment
    Markdown,
    /// Test results: a case for each trigger
    Junit,
    /// An SVG badge
    Badge,
    /// The JSON of a shields.io endpoint
    BadgeJson,
    /// SARIF 2.1.0: findings in inputs and documents
    Sarif,
    /// Annotations of GitHub Actions
    Annotations,
}

/// A report and where it goes.
#[derive(Debug, Clone)]
pub(super) struct Target {
    kind: Kind,
    path: PathBuf,
}

/// What is expected of `--report`.
const EXPECTED: &str = "expected KIND:PATH, the kind being markdown, junit, badge, badge-json, sarif or annotations: `--report junit:reports/policy.xml`";

/// Parses the value of `--report`.
pub(super) fn parse(text: &str) -> Result<Target, String> {
    let (kind, path) = text
        .split_once(':')
        .filter(|(_, path)| !path.is_empty())
        .ok_or_else(|| EXPECTED.to_owned())?;
    let kind = <Kind as clap::ValueEnum>::from_str(kind, false).map_err(|_| EXPECTED.to_owned())?;
    Ok(Target {
        kind,
        path: PathBuf::from(path),
    })
}

/// What is in a workspace's own hands: nobody's report belongs there.
const OWN: [&str; 8] = [
    ".git",
    "audit_summary.md",
    "exports",
    "federation",
    "forensics",
    "policy",
    "state",
    "trust_lock_state.json",
];

/// Refuses a place that no report can be written to, or that holds what a decision rests on.
pub(super) fn check(workspace: &Workspace, paths: &[&Path]) -> Checked<()> {
    let mut known = Vec::new();
    for path in paths {
        let place = check_named(path)?;
        let root = workspace.root().canonicalize().ok();
        let within = root.as_ref().and_then(|root| place.strip_prefix(root).ok());
        let first = within.and_then(|within| within.components().next());
        let first = first.map(|first| first.as_os_str().to_string_lossy());
        if first.is_some_and(|first| OWN.contains(&first.as_ref())) {
            return Err(Box::new(
                refused(
                    path,
                    "a report may not stand among the files that a decision rests on or writes",
                )
                .found("one of the workspace's own files or directories")
                .expected("a path outside of the workspace, or below `reports/`"),
            ));
        }
        if known.contains(&place) {
            return Err(Box::new(
                refused(path, "two reports can't go to one file")
                    .found("the same path twice")
                    .expected("a file for each report"),
            ));
        }
        known.push(place);
    }
    Ok(())
}

fn refused(path: &Path, message: &str) -> Diagnostic {
    Diagnostic::new(
        Code::ReportRefused,
        Place::file(path.display().to_string()),
        message,
    )
    .help("name another file; nothing was decided")
}

/// The paths of all targets.
pub(super) fn paths(targets: &[Target]) -> Vec<&Path> {
    targets.iter().map(|target| target.path.as_path()).collect()
}

/// Writes all reports: why some could not be.
pub(super) fn write(
    workspace: &Workspace,
    targets: &[Target],
    reported: Reported<'_>,
    shown: &Shown<'_>,
) -> Vec<Diagnostic> {
    let written = targets.iter().map(|target| {
        let text = render(workspace, target.kind, reported, shown);
        replace_named(&target.path, text.as_bytes())
    });
    written
        .filter_map(Result::err)
        .map(|finding| not_written(&finding))
        .collect()
}

/// A report that was not written is a warning: what was decided stands.
pub(super) fn not_written(finding: &Diagnostic) -> Diagnostic {
    Diagnostic {
        code: Code::ReportFailed,
        ..finding.clone()
    }
}

/// A report as text.
pub(super) fn render(
    workspace: &Workspace,
    kind: Kind,
    reported: Reported<'_>,
    shown: &Shown<'_>,
) -> String {
    let findings = match reported {
        Reported::Decided(told) => told.findings,
        Reported::Undecided(finding) => std::slice::from_ref(finding),
    };
    match kind {
        Kind::Markdown => github::within(github::markdown(reported), github::SUMMARY_LIMIT),
        Kind::Junit => triggers::junit(reported),
        Kind::Badge | Kind::BadgeJson => render_badge(kind, shown),
        Kind::Sarif => pretty(&sarif::findings(findings, &workflow::prefix(workspace))),
        Kind::Annotations => github::annotations(findings, &workflow::prefix(workspace)),
    }
}

/// A badge as SVG, or as the JSON of an endpoint.
pub(super) fn render_badge(kind: Kind, shown: &Shown<'_>) -> String {
    match kind {
        Kind::BadgeJson => pretty(&badge::endpoint(shown)),
        _ => badge::svg(shown),
    }
}

fn pretty<T: serde::Serialize>(value: &T) -> String {
    String::from_utf8(crate::fs::pretty(value)).unwrap_or_default()
}
