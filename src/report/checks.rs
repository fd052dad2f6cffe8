//! What the checks P-1 to P-6 came to: for a person, as JSON, as the files of `reports/`, and as cases
//! of JUnit.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::{Paint, junit};
use crate::checks::health::{Components, State, Whole};
use crate::checks::{self, Outcome, Status, Test};
use crate::policy::Level;
use crate::time::Timestamp;

/// A run of the checks, and how it ends.
#[derive(Debug, Clone, Serialize)]
pub struct Checked<'c> {
    /// The version of this shape.
    pub schema: u32,
    /// The task that asked.
    pub task: &'c str,
    /// When.
    pub at: Timestamp,
    /// The gravest status.
    pub status: Status,
    /// True where files stood in for Vault.
    pub simulated: bool,
    /// The policies in their order.
    pub policies: &'c [Outcome],
    /// The commands that verify them, with their exit codes.
    pub verification: Vec<Verified>,
    /// The files that were written, relative to the workspace.
    pub files: Vec<String>,
    /// True where `state/audit.log` tells of it.
    pub recorded: bool,
}

/// A command and how it ends.
#[derive(Debug, Clone, Serialize)]
pub struct Verified {
    /// The command.
    pub command: String,
    /// Its exit code.
    pub exit: u8,
}

fn grade(status: Status) -> Level {
    match status {
        Status::Pass => Level::GREEN,
        Status::Blocked | Status::AwaitingApproval => Level::YELLOW,
        Status::Fail => Level::RED,
    }
}

/// For a person.
pub fn human(checked: &Checked<'_>, paint: Paint) -> String {
    let mut text = "Policies:\n".to_owned();
    for outcome in checked.policies {
        let _ = writeln!(
            text,
            "{}",
            paint.level(&grade(outcome.status), &outcome.line)
        );
    }
    for outcome in checked.policies {
        let _ = writeln!(text, "\n{}", paint.bold(&outcome.line));
        for test in &outcome.tests {
            text.push_str(&in_lines(test));
        }
    }
    if !checked.files.is_empty() {
        let _ = writeln!(text, "\nwritten: {}", checked.files.join(", "));
    }
    if !checked.recorded {
        text.push_str("not recorded in state/audit.log\n");
    }
    text
}

fn in_lines(test: &Test) -> String {
    let mut text = format!("  {:17} {}: {}\n", test.status, test.name, test.detail);
    if let Some(remedy) = &test.remedy {
        let _ = writeln!(text, "  {:17} to do: {remedy}", "");
    }
    text
}

/// The log of a policy.
pub fn log(outcome: &Outcome, task: &str, at: Timestamp) -> String {
    let mut text = format!("{}\ntask {task}, {at}\n\n", outcome.line);
    for test in &outcome.tests {
        text.push_str(&in_lines(test));
    }
    text
}

/// The log of a task: every policy after the other.
pub fn task_log(checked: &Checked<'_>) -> String {
    let logs = checked.policies.iter();
    let logs: Vec<String> = logs
        .map(|outcome| log(outcome, checked.task, checked.at))
        .collect();
    logs.join("\n")
}

/// The report of a task. `audit` are lines of the audit log, the newest first.
pub fn summary(checked: &Checked<'_>, audit: &[String]) -> String {
    let Checked {
        task, at, status, ..
    } = checked;
    let mut text = format!("# Checks of task {task}\n\n{at}: **{status}**\n");
    if checked.simulated {
        text.push_str(
            "\nSimulated: no Vault was there, and files stood in for it. Nothing passed on them.\n",
        );
    }
    text.push_str("\n## Policies\n\n```text\nPolicies:\n");
    for outcome in checked.policies {
        let _ = writeln!(text, "{}", outcome.line);
    }
    text.push_str("```\n\n## Verification\n\n| command | exit code |\n|---|---|\n");
    for Verified { command, exit } in &checked.verification {
        let _ = writeln!(text, "| `{command}` | {exit} |");
    }
    text.push_str("\n## Tests\n");
    for outcome in checked.policies {
        let _ = writeln!(text, "\n### {} {}\n", outcome.policy, outcome.name);
        for test in &outcome.tests {
            let _ = writeln!(text, "- **{}** {}: {}", test.status, test.name, test.detail);
            if let Some(remedy) = &test.remedy {
                let _ = writeln!(text, "  - to do: {remedy}");
            }
        }
    }
    if checked
        .policies
        .iter()
        .any(|outcome| outcome.status == Status::Fail)
    {
        text.push_str("\nA policy that fails is put right by a pull request that holds a failing test, the fix, and what is to be done for whom it failed, in its text.\n");
    }
    text.push_str("\n## Audit\n\n");
    if audit.is_empty() {
        text.push_str("Nothing was recorded yet.\n");
    } else {
        text.push_str("```text\n");
        for line in audit {
            let _ = writeln!(text, "{line}");
        }
        text.push_str("```\n");
    }
    text
}

/// An issue that asks for an approver, ready to file; `None` where nothing waits for one.
pub fn issue(checked: &Checked<'_>) -> Option<String> {
    let waits = |test: &&Test| test.status == Status::AwaitingApproval;
    let tests = checked.policies.iter().flat_map(|outcome| &outcome.tests);
    let waiting: Vec<&Test> = tests.filter(waits).collect();
    let mut text = format!(
        "# {}: an approver is needed\n\nStatus: AWAITING_APPROVAL since {}\n",
        checked.task, checked.at
    );
    for test in &waiting {
        let _ = writeln!(text, "\n- {}", test.detail);
        if let Some(remedy) = &test.remedy {
            let _ = writeln!(text, "- to do: {remedy}");
        }
    }
    text.push_str("\nSomebody who is listed in policy/approvers.yaml, and is not whoever asked, has to be assigned.\n");
    (!waiting.is_empty()).then_some(text)
}

/// A suite for each policy, a case for each test. What nobody could carry out is skipped, what waits
/// for a person is an error.
pub fn junit<'c>(checked: &'c Checked<'_>) -> junit::Report<'c> {
    let suite = |outcome: &'c Outcome| {
        let mut properties: junit::Properties<'c> = vec![
            ("task", checked.task.into()),
            ("status", outcome.status.as_str().into()),
        ];
        if let Some(measured) = &outcome.measured {
            properties.push(("p95_ms", format!("{:.3}", measured.p95_ms).into()));
            properties.push(("slo_ms", measured.slo_ms.to_string().into()));
        }
        junit::Suite {
            name: format!("{} {}", outcome.policy, outcome.name).into(),
            timestamp: Some(checked.at.to_string().into()),
            properties,
            cases: outcome
                .tests
                .iter()
                .map(|test| case(outcome, test))
                .collect(),
        }
    };
    junit::Report {
        suites: checked.policies.iter().map(suite).collect(),
    }
}

fn case<'c>(outcome: &Outcome, test: &'c Test) -> junit::Case<'c> {
    let why = || {
        let mut why = format!(
            "{}: {}\n{}",
            test.status,
            test.reason.as_deref().unwrap_or(test.name),
            test.detail
        );
        if let Some(remedy) = &test.remedy {
            let _ = write!(why, "\nto do: {remedy}");
        }
        why.into()
    };
    junit::Case {
        class: format!("checks.{}", outcome.policy).into(),
        file: test.file.as_deref().map(Into::into),
        name: test.name.into(),
        outcome: match test.status {
            Status::Pass => junit::Outcome::Passed,
            Status::Blocked => junit::Outcome::Skipped(why()),
            Status::AwaitingApproval => junit::Outcome::Error(why()),
            Status::Fail => junit::Outcome::Failed(why()),
        },
        output: (test.status == Status::Pass).then(|| test.detail.as_str().into()),
        ..junit::Case::default()
    }
}

/// The library for a person.
pub fn library(library: &checks::library::Library, paint: Paint) -> String {
    let mut text = String::new();
    for described in &library.policies {
        let policy = described.policy;
        let (module, call) = policy.enforcement();
        let title = paint.bold(&format!("{policy} {}", described.name));
        let _ = writeln!(text, "{title}\n  {}", described.goal);
        let _ = writeln!(text, "  enforced by  {module}, {call}");
        for (name, what) in policy.tests() {
            let _ = writeln!(text, "  tested       {name}: {what}");
        }
        for command in &described.verification {
            let _ = writeln!(text, "  verified by  {command}");
        }
        text.push('\n');
    }
    text
}

/// The health of the components, as JSON.
#[derive(Debug, Serialize)]
pub struct Health<'h> {
    schema: u32,
    status: Whole,
    components: &'h Components,
}

/// The health as JSON.
pub fn health(components: &Components) -> Health<'_> {
    Health {
        schema: 1,
        status: components.whole(),
        components,
    }
}

/// The health as somebody else may see it: whether each component works, and nothing of what was
/// found.
pub fn served_health(components: &Components) -> Vec<u8> {
    #[derive(Serialize)]
    struct Served<'c> {
        status: Whole,
        components: BTreeMap<&'c str, Alone>,
    }
    #[derive(Serialize)]
    struct Alone {
        status: State,
    }
    let alone = |(name, component): (&'static str, &checks::health::Component)| {
        let status = component.status;
        (name, Alone { status })
    };
    let served = Served {
        status: components.whole(),
        components: components.each().into_iter().map(alone).collect(),
    };
    // Serialising to memory fails for maps with keys that are no text alone; there are none.
    let mut bytes = serde_json::to_vec(&served).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// The health for a person.
pub fn health_human(components: &Components, paint: Paint) -> String {
    let mut text = match components.whole() {
        Whole::Ok => paint.level(&Level::GREEN, "● ok"),
        Whole::Degraded => paint.level(&Level::RED, "■ degraded"),
    };
    text.push('\n');
    for (name, component) in components.each() {
        let word = match component.status {
            State::Ok => "ok",
            State::Absent => "absent",
            State::Failed => "failed",
        };
        let _ = writeln!(text, "  {name:8} {word:7} {}", component.detail);
        if let Some(remedy) = &component.remedy {
            let _ = writeln!(text, "                   to do: {remedy}");
        }
    }
    text
}
