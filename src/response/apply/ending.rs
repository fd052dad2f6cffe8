//! How an apply ends: the line of its log, the marker, the report of a blocked one, and the fix
//! branch of a failed one.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{Operator, Report, Response};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::write;
use crate::ids::Digest;
use crate::policy::Level;
use crate::record::fix_branch::{CommittedFile, FixBranches, RESPONSE_PREFIX};
use crate::record::marker::{self, Marker};
use crate::record::{RESPONSE_LOG, Records, ledger};
use crate::response::facts;
use crate::response::gates::Gate;
use crate::response::log::{self, ActionResult, LogLine};
use crate::response::settle;
use crate::time::Timestamp;

/// The report of a blocked attempt, relative to the workspace.
pub const BLOCKED_REPORT: &str = "reports/policy_response_blocked.json";

/// The diagnostics of a failed apply, relative to the workspace or on its fix branch.
pub const FAILURE_REPORT: &str = "reports/policy_response_failure.json";

/// The report of a blocked attempt (row OR-06).
#[derive(Serialize)]
struct BlockedReport<'a> {
    response_id: &'a str,
    timestamp: Timestamp,
    policy: Option<&'a Level>,
    blocked: bool,
    reason: &'a str,
    schema: u32,
    plan: Digest,
    user: &'a str,
    gates: &'a [Gate],
}

pub(super) fn blocked_report(response: Response, at: Timestamp, user: &str) -> Report {
    let reason = response.gates.iter().find_map(|gate| gate.reason.clone());
    Report {
        blocked: true,
        reason: Some(reason.unwrap_or_else(|| "gate_closed".to_owned())),
        ..report(response, Vec::new(), at, user)
    }
}

fn report(response: Response, results: Vec<ActionResult>, at: Timestamp, user: &str) -> Report {
    Report {
        schema: 1,
        response_id: response.id,
        timestamp: at,
        actions_planned: response.plan.actions.len(),
        decision: response.plan.decision,
        policy: response.plan.policy,
        mode: "apply",
        blocked: false,
        reason: None,
        success: !results.is_empty()
            && results
                .iter()
                .all(|result| result.success || result.skipped),
        actions_succeeded: results.iter().filter(|result| result.success).count(),
        results,
        plan: response.digest,
        user: user.to_owned(),
        fix_branch: None,
        gates: response.gates,
        forced: response.forced,
        again: response.again,
        unattended: response.unattended,
    }
}

/// Leaves what a blocked attempt leaves: report, marker, log line; no fix branch (S4-129). What of
/// it could not be written is a finding, and the attempt is blocked all the same.
pub(super) fn block(
    operator: Operator<'_>,
    records: Records<'_>,
    response: Response,
    at: Timestamp,
    findings: &mut Vec<Diagnostic>,
) -> Report {
    let report = blocked_report(response, at, operator.user);
    let reason = report.reason.clone().unwrap_or_default();
    let text = BlockedReport {
        response_id: &report.response_id,
        timestamp: at,
        policy: report.policy.as_ref(),
        blocked: true,
        reason: &reason,
        schema: 1,
        plan: report.plan,
        user: operator.user,
        gates: &report.gates,
    };
    let written = [
        write_report(records, BLOCKED_REPORT, &text),
        set_marker(records, &format!("BLOCKED {at} reason: {reason}")),
        ledger::append(records, RESPONSE_LOG, &line(&report, None)).map(drop),
    ];
    findings.extend(
        written
            .into_iter()
            .filter_map(Result::err)
            .map(|finding| *finding),
    );
    report
}

fn line(report: &Report, failure: Option<Digest>) -> LogLine<'_> {
    LogLine {
        response_id: &report.response_id,
        timestamp: report.timestamp,
        policy: report.policy.as_ref(),
        mode: "apply",
        safety_gates_passed: !report.blocked,
        actions_planned: report.actions_planned,
        actions_succeeded: report.actions_succeeded,
        results: &report.results,
        blocked: report.blocked,
        reason: report.reason.as_deref(),
        gates: report.gates.iter().filter(|gate| !gate.open).collect(),
        interrupted: false,
        plan: report.plan,
        decision: report.decision,
        user: &report.user,
        unattended: report.unattended,
        forced: report.forced.as_deref(),
        again: report.again.as_deref(),
        failure,
        branch: report.fix_branch.as_deref(),
    }
}

/// Ends an apply: fix branch where it failed, log line, marker.
pub(super) fn end(
    operator: Operator<'_>,
    response: Response,
    results: Vec<ActionResult>,
    findings: &mut Vec<Diagnostic>,
) -> Report {
    let begun_at = response.begun_at;
    let mut report = report(response, results, begun_at, operator.user);
    let recorded = operator.record(|records, at| {
        report.timestamp = at;
        let failure = (!report.success).then(|| digest_of(&report));
        if let Some(failure) = failure {
            leave_diagnostics(records, &mut report, failure, findings);
        }
        ledger::append(records, RESPONSE_LOG, &line(&report, failure))?;
        // So that nobody has to look for that line.
        settle::note_end(records, at, operator.user, &report.response_id)?;
        // What was verified when it began, and its own lines.
        facts::record_verified(records, at, report.decision)?;
        let text = if report.success {
            let level = report.policy.as_ref().map_or("none", Level::name);
            format!(
                "APPLIED {at} policy={level} response={}",
                report.response_id
            )
        } else {
            format!("FAILED {at}")
        };
        set_marker(records, &text)
    });
    if let Err(finding) = recorded {
        // A marker is for readers in passing; the record itself has to stand.
        report.success &= finding.place.file == marker::FILE;
        findings.push(*finding);
    }
    report
}

/// A digest of what failed: which actions, and how.
fn digest_of(report: &Report) -> Digest {
    let mut hasher = Sha256::new();
    for result in report.results.iter().filter(|result| !result.success) {
        hasher.update(result.action.as_bytes());
        hasher.update([0]);
        hasher.update(result.ended.as_bytes());
        hasher.update([0]);
    }
    Digest::finish(hasher)
}

/// Puts the diagnostics of a failed apply on a fix branch, else into `reports/`. An ongoing failure
/// has one branch and no more.
fn leave_diagnostics(
    records: Records<'_>,
    report: &mut Report,
    failure: Digest,
    findings: &mut Vec<Diagnostic>,
) {
    report.fix_branch = ongoing_or_new(records, report, failure).unwrap_or_else(|finding| {
        findings.push(*finding);
        None
    });
    if report.fix_branch.is_none() {
        let written = write_report(records, FAILURE_REPORT, &*report);
        findings.extend(written.err().map(|finding| *finding));
    }
}

fn ongoing_or_new(
    records: Records<'_>,
    report: &Report,
    failure: Digest,
) -> Checked<Option<String>> {
    let Some(branches) = FixBranches::open_for(records.workspace, RESPONSE_PREFIX)? else {
        return Ok(None);
    };
    let before = log::ongoing_branch(records.workspace, failure)?;
    if let Some(branch) = before.filter(|branch| branches.exists(branch)) {
        return Ok(Some(branch));
    }
    let name = branches.free_name(report.timestamp);
    let file = CommittedFile {
        name: FAILURE_REPORT.to_owned(),
        bytes: pretty(report),
    };
    branches.create(&name, report.timestamp, &failure, &[file])?;
    Ok(Some(name))
}

fn set_marker(records: Records<'_>, text: &str) -> Checked<()> {
    let marker = Marker::new(marker::RESPONSE, text);
    marker::publish(records.workspace, &marker, records.retry)
}

fn pretty<T: Serialize>(value: &T) -> Vec<u8> {
    crate::fs::pretty(value)
}

fn write_report<T: Serialize>(records: Records<'_>, name: &str, value: &T) -> Checked<()> {
    let bytes = pretty(value);
    let write = || {
        write::make_directory(records.workspace, "reports")?;
        write::replace_rarely(records.workspace, name, &bytes)
    };
    records.retry.retry(write).map_err(Into::into)
}

/// The finding for actions that did not end well.
pub fn failed(report: &Report) -> Vec<Diagnostic> {
    let bad = report
        .results
        .iter()
        .filter(|result| !result.success && !result.skipped);
    bad.map(|result| failed_action(report, result)).collect()
}

fn failed_action(report: &Report, result: &ActionResult) -> Diagnostic {
    let said = [&result.stderr, &result.stdout]
        .into_iter()
        .find_map(|text| text.lines().map(str::trim).find(|line| !line.is_empty()));
    let found = match said {
        Some(said) => format!("{}: {said}", result.ended),
        None => result.ended.clone(),
    };
    let changed = result.reversible && result.pre_state != result.post_state;
    // A native action says itself what to do.
    let own_help = result
        .stderr
        .lines()
        .find_map(|line| line.trim().strip_prefix("help: "));
    let help = match own_help {
        Some(help) => help.to_owned(),
        None if changed => format!(
            "see why; `policy-orchestrator undo run {}` takes back what this response changed",
            report.response_id
        ),
        None => format!(
            "see why; `policy-orchestrator respond --apply --only {} --again --reason TEXT` does it once more",
            result.action
        ),
    };
    Diagnostic::new(
        Code::ActionFailed,
        Place::file(RESPONSE_LOG).path(&result.action),
        format!("the action {} did not end well", result.action),
    )
    .found(found)
    .expected("an exit status of 0")
    .help(help)
}
