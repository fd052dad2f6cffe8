//! What a run tells GitHub Actions: annotations, the step summary, outputs.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use super::output::{Output, variable};
use crate::diagnostic::Diagnostic;
use crate::evaluation::Evaluated;
use crate::fs::Workspace;
use crate::report::github::{self, Responded};

/// True in a step of GitHub Actions.
pub(super) fn is_running() -> bool {
    variable("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// Writes annotations to standard error, and the summary and the outputs to the files that the runner
/// names. A file that can't be written is a remark: the decision is recorded already. A dry run tells
/// them too: they are the step's and not the workspace's, and a pull request is checked by one.
pub(super) fn tell(output: Output, workspace: &Workspace, evaluated: &Evaluated) {
    let findings: Vec<Diagnostic> = evaluated.findings().cloned().collect();
    output.raw_note(&github::annotations(&findings, &prefix(workspace)));
    let summary = github::summary(
        &evaluated.decision,
        &evaluated.readings,
        evaluated.head,
        &findings,
    );
    let summary = github::within(summary, github::SUMMARY_LIMIT);
    append(output, "GITHUB_STEP_SUMMARY", &summary);
    let made = evaluated
        .fix_branch
        .as_deref()
        .filter(|_| evaluated.made_branch)
        .unwrap_or_default();
    let outputs = github::outputs(&evaluated.decision, evaluated.head, made);
    append(output, "GITHUB_OUTPUT", &outputs);
}

/// Annotates a run that could not decide, and names the fix branch that it made.
pub(super) fn tell_undecided(
    output: Output,
    workspace: &Workspace,
    finding: &Diagnostic,
    made: Option<&str>,
) {
    output.raw_note(&github::annotations([finding], &prefix(workspace)));
    append(
        output,
        "GITHUB_OUTPUT",
        &github::no_outputs(made.unwrap_or_default()),
    );
}

/// Writes what a response came to into the summary and the outputs, and warns where a gate was
/// closed that had to be open.
pub(super) fn tell_response(output: Output, responded: &Responded<'_>) {
    if responded.outcome == "blocked" {
        let reason = responded.reason.unwrap_or_default();
        output.raw_note(&github::blocked_warning(reason));
    }
    let summary = github::response_summary(responded);
    append(output, "GITHUB_STEP_SUMMARY", &summary);
    append(
        output,
        "GITHUB_OUTPUT",
        &github::response_outputs(responded),
    );
}

/// Annotates findings that are no decision's.
pub(super) fn annotate<'a>(
    output: Output,
    workspace: &Workspace,
    findings: impl IntoIterator<Item = &'a Diagnostic>,
) {
    output.raw_note(&github::annotations(findings, &prefix(workspace)));
}

/// The workspace within the checkout, empty or ended by a slash.
pub(super) fn prefix(workspace: &Workspace) -> String {
    // Either may be named through a link, or by a path that turns back on itself.
    let checkout =
        variable("GITHUB_WORKSPACE").and_then(|checkout| Path::new(&checkout).canonicalize().ok());
    let root = workspace.root().canonicalize().ok();
    let below = root
        .zip(checkout)
        .and_then(|(root, checkout)| root.strip_prefix(checkout).ok().map(Path::to_owned));
    match below.filter(|below| !below.as_os_str().is_empty()) {
        Some(below) => format!("{}/", below.display()),
        None => String::new(),
    }
}

fn append(output: Output, name: &str, text: &str) {
    let Some(path) = variable(name) else { return };
    let written = OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    if let Err(error) = written {
        output.note(&format!(
            "warning: the file that {name} names can't be written: {error}"
        ));
    }
}
