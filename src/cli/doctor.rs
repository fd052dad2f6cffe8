//! `doctor`: what is wrong here, each finding with its remedy. It changes nothing.

mod trust;

use chrono::TimeDelta;
use clap::Args;
use serde::Serialize;

use super::under_way::UnderWay;
use super::{Context, Exit, Format, clock, init, is_tampering, parse_time, secrets, vault};
use crate::alerts::configuration;
use crate::diagnostic::{Diagnostic, Severity};
use crate::fs::Workspace;
use crate::policy::document::{self, Loaded};
use crate::policy::{Floor, Policy, SignalRule, readings};
use crate::record::fix_branch::FixBranches;
use crate::record::journal::{self, Inspection, Purpose};
use crate::record::{
    LOOK_BACK, STATE_JOURNAL, StoredState, findings, heads, ledger, marker, verified,
};
use crate::report::Paint;
use crate::response::declared;
use crate::safeguard::{brake, kill_switch, trust_guard};
use crate::signals::{DEFAULT_LIMIT, Outcome, ReadContext, Reading};
use crate::time::Timestamp;
use crate::vault::Mode;

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  policy-orchestrator doctor\n\nExit codes: 0 nothing wrong (remarks are no fault), 1 something is wrong, 5 the record was changed"
)]
pub(super) struct DoctorArgs {
    /// Look as of this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Grade {
    Ok,
    Remark,
    Wrong,
    Tampered,
}

/// One thing that was looked at.
#[derive(Serialize)]
struct Check {
    what: String,
    grade: Grade,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Check {
    fn ok(what: &str, detail: impl Into<String>) -> Self {
        Self {
            what: what.to_owned(),
            grade: Grade::Ok,
            detail: detail.into(),
            remedy: None,
        }
    }

    fn graded(
        what: &str,
        grade: Grade,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            what: what.to_owned(),
            grade,
            detail: detail.into(),
            remedy: Some(remedy.into()),
        }
    }

    fn of(what: &str, finding: &Diagnostic) -> Self {
        let grade = match finding.severity() {
            _ if is_tampering(finding) => Grade::Tampered,
            Severity::Error => Grade::Wrong,
            Severity::Warning => Grade::Remark,
        };
        Self {
            what: what.to_owned(),
            grade,
            detail: finding.to_string(),
            remedy: finding.help.clone(),
        }
    }
}

/// The JSON shape of an examination.
#[derive(Serialize)]
struct Examination {
    schema: u32,
    worst: Grade,
    checks: Vec<Check>,
}

pub(super) fn doctor(context: &Context, arguments: &DoctorArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let at = clock(arguments.at).read();
    let checks = examine(&workspace, at);
    let worst = checks
        .iter()
        .map(|check| check.grade)
        .max()
        .unwrap_or(Grade::Ok);
    match context.format() {
        Format::Json => context.output.json(&Examination {
            schema: 1,
            worst,
            checks,
        })?,
        Format::Human => context
            .output
            .result(&human(&checks, context.output.paint()))?,
    }
    Ok(match worst {
        Grade::Ok | Grade::Remark => Exit::Done,
        Grade::Wrong => Exit::Failed,
        Grade::Tampered => Exit::Tampering,
    })
}

fn examine(workspace: &Workspace, at: Timestamp) -> Vec<Check> {
    let loaded = document::load(workspace);
    let mut checks = signals(workspace, &loaded.policy, at);
    checks.extend(policy(workspace, &loaded));
    checks.extend(permissions(workspace));
    checks.extend(record(workspace, at));
    checks.extend(trust::trust(workspace, at));
    checks.extend(responses(workspace, &loaded, at));
    checks.push(summary(workspace));
    checks.push(git(workspace));
    if !init::attributes_are_set(workspace) {
        let remedy = "add the line `state/** -text -merge` to .gitattributes";
        checks.push(Check::graded(
            "git attributes",
            Grade::Remark,
            "git may merge or convert journals",
            remedy,
        ));
    }
    checks.push(secret());
    checks.extend(vault_use());
    checks.extend(left_over(workspace));
    checks
}

fn signals(workspace: &Workspace, policy: &Policy, at: Timestamp) -> Vec<Check> {
    let mut checks = Vec::new();
    let context = ReadContext {
        workspace,
        at,
        limit: DEFAULT_LIMIT,
    };
    for reading in &readings::load(context, policy) {
        let what = format!("signal {}", reading.signal);
        // What the document does not list is not read, and nobody is to write it.
        let Some(rule) = policy.signal(&reading.signal) else {
            checks.push(Check::ok(&what, "not read: the policy does not list it"));
            continue;
        };
        checks.extend(signal(&what, reading, rule));
        checks.extend(
            reading
                .warnings
                .iter()
                .map(|warning| Check::of(&what, warning)),
        );
    }
    checks
}

fn signal(what: &str, reading: &Reading, rule: &SignalRule) -> Vec<Check> {
    let remark = |detail: String, floor: &Floor| {
        let remedy = floor.level().map_or_else(
            || "let its writer run; until then it is taken for healthy".to_owned(),
            |level| format!("let its writer run; until then the level is at least {level}"),
        );
        vec![Check::graded(what, Grade::Remark, detail, remedy)]
    };
    match &reading.outcome {
        Outcome::Valid(value) => vec![Check::ok(what, value.to_string())],
        Outcome::Stale(value) => remark(format!("stale: {value}"), &rule.on_stale),
        Outcome::Missing(why) => remark(format!("missing: {why}"), &rule.on_missing),
        Outcome::Invalid(errors) => {
            let errors = errors.iter();
            errors.map(|error| Check::of(what, error)).collect()
        }
    }
}

fn policy(workspace: &Workspace, loaded: &Loaded) -> Vec<Check> {
    if loaded.problems.is_empty() {
        let identity = loaded.policy.identity();
        let mut checks = vec![Check::ok(
            "policy",
            format!(
                "{} version {} ({})",
                identity.name,
                identity.version,
                identity.sha256.short()
            ),
        )];
        if loaded.file.is_none() {
            let misplaced = document::misplaced(workspace);
            checks.extend(misplaced.map(|finding| Check::of("policy", &finding)));
        }
        return checks;
    }
    loaded
        .problems
        .iter()
        .map(|problem| Check::of("policy", problem))
        .collect()
}

/// May this user write where a run writes? Asked of the system, so that nothing has to be tried.
fn permissions(workspace: &Workspace) -> Vec<Check> {
    let mut checks = Vec::new();
    for name in [".", "state", "reports"] {
        let path = workspace.path(name);
        if !path.exists() {
            continue;
        }
        let what = format!("permissions of {name}");
        if !path.is_dir() {
            checks.push(Check::graded(
                &what,
                Grade::Wrong,
                "it is no directory",
                "remove it, so that a run can make the directory",
            ));
        } else if rustix::fs::access(
            &path,
            rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK,
        )
        .is_err()
        {
            checks.push(Check::graded(
                &what,
                Grade::Wrong,
                "this user may not write here",
                "give the user of the schedule the right to write",
            ));
        } else {
            checks.push(Check::ok(&what, "writable"));
        }
    }
    checks
}

fn record(workspace: &Workspace, at: Timestamp) -> Vec<Check> {
    let state = match StoredState::load(workspace) {
        Ok(state) => state,
        Err(error) => return vec![Check::of("state file", &error)],
    };
    let mut checks = Vec::new();
    match &state {
        None => checks.push(Check::graded(
            "last decision",
            Grade::Remark,
            "nothing was decided here yet",
            "run `policy-orchestrator run`",
        )),
        Some(state) => checks.push(clock_check(state, at)),
    }
    let key = secrets::signing_key().ok().flatten();
    // What a run would be told: a signed journal and no secret.
    if let Err(refusal) = journal::inspect(workspace, state.as_ref(), key.as_ref(), Purpose::Append)
    {
        checks.push(Check::of("journal", &refusal));
    }
    match journal::inspect(
        workspace,
        state.as_ref(),
        key.as_ref(),
        Purpose::Look { lines: 1000 },
    ) {
        Ok(Inspection::Whole(tail)) => {
            let detail = tail.end.head.map_or_else(
                || "not chained yet".to_owned(),
                |head| format!("whole at its end, head number {}", head.seq),
            );
            checks.push(Check::ok("journal", detail));
            checks.extend(
                tail.end.torn
                    .map(|torn| {
                Check::graded(
                    "journal",
                    Grade::Remark,
                    format!("it ends in a line that was never finished (byte {torn}), as a kill leaves it"),
                    "nothing to do: the next run moves it aside",
                )
            }),
            );
            checks.extend(
                (tail.ahead > 0).then(|| Check::of("journal", &findings::state_mended(tail.ahead))),
            );
        }
        Ok(Inspection::Broken(problems)) => {
            checks.extend(problems.iter().map(|problem| Check::of("journal", problem)));
        }
        Err(error) => checks.push(Check::of("journal", &error)),
    }
    checks
}

fn clock_check(state: &StoredState, at: Timestamp) -> Check {
    let age = at.since(state.evaluated_at);
    if age < TimeDelta::zero() {
        let detail = format!(
            "the last decision is dated {}, which is after now ({at})",
            state.evaluated_at
        );
        return Check::graded(
            "clock",
            Grade::Wrong,
            detail,
            "set this machine's clock (UTC), or that of the machine that made the decision",
        );
    }
    if state.given_clock {
        return Check::graded(
            "schedule",
            Grade::Remark,
            "the last decision was made with --at, which is never on time",
            "run `policy-orchestrator run` without --at",
        );
    }
    if journal::is_late(state.evaluated_at, at) {
        let detail = format!("no decision since {}", state.evaluated_at.human());
        return Check::graded(
            "schedule",
            Grade::Remark,
            detail,
            "check that the schedule runs `policy-orchestrator run` every day",
        );
    }
    Check::ok(
        "schedule",
        format!("last decision {}", state.evaluated_at.human()),
    )
}

/// What stands in the way of responses: safeguards, documents, the journals, what was cut off.
fn responses(workspace: &Workspace, loaded: &Loaded, at: Timestamp) -> Vec<Check> {
    let mut checks = Vec::new();
    checks.push(match kill_switch::closed(workspace) {
        None => Check::ok("kill switch", "off"),
        Some(closed) => Check::graded(
            "kill switch",
            Grade::Remark,
            closed.found.unwrap_or(closed.message),
            "`policy-orchestrator kill off --reason TEXT`, when its reason is gone",
        ),
    });
    checks.push(match brake::load(workspace) {
        Err(finding) => Check::of("safety brake", &finding),
        Ok(Some(brake)) if !brake.fact.engaged => Check::ok("safety brake", "off"),
        Ok(Some(_)) => Check::graded(
            "safety brake",
            Grade::Remark,
            "engaged: nothing is applied",
            "`policy-orchestrator brake reset --reason TEXT`, when its reason is gone",
        ),
        Ok(None) => Check::graded(
            "safety brake",
            Grade::Remark,
            "there is no brake file, so nothing is applied",
            "`policy-orchestrator brake reset --reason TEXT` makes it",
        ),
    });
    let trust = trust_guard::status(workspace, at);
    checks.extend(
        trust
            .findings
            .iter()
            .map(|finding| Check::of("trust guard", finding)),
    );
    if trust.lock.locked() == Some(true) {
        checks.push(Check::graded(
            "trust guard",
            Grade::Remark,
            "locked: nothing is applied",
            "`policy-orchestrator trust status` says why and until when",
        ));
    }
    let declared = declared::load(workspace, loaded).err().unwrap_or_default();
    checks.extend(
        declared
            .iter()
            // What refuses the policy was told there.
            .filter(|problem| !loaded.problems.contains(problem))
            .map(|problem| Check::of("responses", problem)),
    );
    let alerts = configuration::load(workspace).problems;
    checks.extend(alerts.iter().map(|problem| Check::of("alerts", problem)));
    checks.extend(other_journals(workspace));
    match UnderWay::look(workspace) {
        Ok(under_way) => checks.extend(
            under_way
                .warning()
                .iter()
                .map(|warning| Check::of("response", warning)),
        ),
        Err(finding) => checks.push(Check::of("response", &finding)),
    }
    checks
}

/// The journals beside that of decisions, from their first line to their last.
fn other_journals(workspace: &Workspace) -> Vec<Check> {
    let key = secrets::signing_key().unwrap_or_default();
    let all = match heads::of_all(workspace, None) {
        Ok(all) => all,
        Err(finding) => return vec![Check::of("journals", &finding)],
    };
    let mut checks = Vec::new();
    for (file, head) in all.into_iter().filter(|(file, _)| file != STATE_JOURNAL) {
        let known = verified::head_of(workspace, &file, key.as_ref());
        // The whole, and what was once known to be whole.
        for verified in [None, known] {
            let purpose = Purpose::Since {
                lines: LOOK_BACK,
                verified,
            };
            match ledger::problem(workspace, &file, head, key.as_ref(), purpose) {
                Ok(None) => continue,
                Ok(Some(problem)) => checks.push(Check::of(&file, &problem)),
                Err(finding) => checks.push(Check::of(&file, &finding)),
            }
            break;
        }
    }
    checks
}

fn summary(workspace: &Workspace) -> Check {
    match std::fs::symlink_metadata(workspace.path(marker::FILE)) {
        Err(_) => Check::ok(marker::FILE, "absent; a run makes it"),
        Ok(status) if status.is_symlink() => Check::graded(
            marker::FILE,
            Grade::Wrong,
            "it is a symbolic link, and nothing is written through links",
            "replace the link by the file itself",
        ),
        Ok(status) if !status.is_file() => Check::graded(
            marker::FILE,
            Grade::Wrong,
            "it is no regular file",
            "remove it, so that a run can make it",
        ),
        Ok(status) => Check::ok(marker::FILE, format!("{} bytes", status.len())),
    }
}

fn git(workspace: &Workspace) -> Check {
    match FixBranches::open(workspace) {
        Ok(Some(_)) => Check::ok(
            "git",
            "a repository; diagnostics of a failed run go to a fix branch",
        ),
        Ok(None) => Check::graded(
            "git",
            Grade::Remark,
            "no repository here",
            "diagnostics of a failed run go to `reports/`; `git init` if they should go to a fix branch",
        ),
        Err(error) => Check::of("git", &error),
    }
}

/// Can Vault be used? Nothing is said where the environment doesn't speak of it.
fn vault_use() -> Option<Check> {
    const WHAT: &str = "vault";
    let settings = match vault::settings() {
        Ok(settings) => settings,
        Err(error) => return Some(Check::of(WHAT, &error)),
    };
    match &settings.mode {
        Mode::Missing | Mode::Simulated { asked: false, .. } => None,
        Mode::Simulated { asked: true, .. } => Some(Check::graded(
            WHAT,
            Grade::Remark,
            "simulated: nothing passes on it, and in production nothing is applied, promoted or exported",
            "take SIMULATION_MODE back, and name the server in VAULT_ADDR",
        )),
        Mode::Server(_) => {
            let status = crate::vault::status(&settings);
            Some(match status.why() {
                None => Check::ok(WHAT, "answers, is open, and takes the token"),
                Some(why) => Check::graded(WHAT, Grade::Wrong, why, status.help()),
            })
        }
    }
}

fn secret() -> Check {
    match secrets::signing_key() {
        Ok(Some(_)) => Check::ok("signing secret", "set; new journal lines are signed"),
        Ok(None) => Check::graded(
            "signing secret",
            Grade::Remark,
            "not set: journal lines are chained but not signed",
            format!(
                "set {} or {} (see SECURITY.md for what that adds)",
                secrets::SECRET,
                secrets::SECRET_FILE
            ),
        ),
        Err(error) => Check::of("signing secret", &error),
    }
}

/// Temporary files of a killed run; the next run removes them.
fn left_over(workspace: &Workspace) -> Vec<Check> {
    let mut checks = Vec::new();
    for directory in [".", "state", "reports", "state/policies", "forensics"] {
        let Ok(entries) = std::fs::read_dir(workspace.path(directory)) else {
            continue;
        };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') && name.strip_suffix(".tmp").is_some() {
                let detail = format!(
                    "{directory}/{name} was left by a killed run, or belongs to one that is under way"
                );
                checks.push(Check::graded(
                    "temporary file",
                    Grade::Remark,
                    detail,
                    "nothing to do: the next run removes it",
                ));
            }
        }
    }
    checks
}

fn human(checks: &[Check], paint: Paint) -> String {
    let mut text = String::new();
    for check in checks {
        let sign = match check.grade {
            Grade::Ok => "● ok      ".to_owned(),
            Grade::Remark => paint.warning("▲ remark  "),
            Grade::Wrong => paint.error("■ wrong   "),
            Grade::Tampered => paint.error("■ changed "),
        };
        text.push_str(&format!(
            "{sign}{}: {}\n",
            paint.bold(&check.what),
            check.detail
        ));
        if let Some(remedy) = &check.remedy {
            text.push_str(&format!("            {} {remedy}\n", paint.dim("remedy:")));
        }
    }
    text
}
