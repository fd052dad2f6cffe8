//! `policy gate`: the fixtures of policies for requests, what no fixture covers, and what has no business
//! in `policy/`.

use std::path::Path;

use clap::Args;
use serde::Serialize;

use crate::authorization::{self, Known, Unusable};
use crate::cli::{Context, Exit, Format};
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::fs::tree::{self, Standing};
use crate::fs::{Opened, Workspace};
use crate::labels::fixtures::{self, Outcome};
use crate::labels::hygiene::{self, File};
use crate::labels::promotion::Tests;
use crate::labels::{self, Labels};
use crate::scan::{self, Selection};

const EXAMPLES: &str = "\
Examples:
  policy-orchestrator policy gate
  policy-orchestrator policy gate policy/fixtures
  policy-orchestrator policy gate --base origin/main      in a pull request

Every fixture is answered, and its decision, label, obligations, reason codes and alternatives are compared
whole. Every label, every role and action that a rule names, and every exception needs a fixture. Data,
large files and secrets have no business in policy/. With --base, a change of rules or vocabularies without
one of fixtures or tests fails.

Exit codes:
  0  all of it holds
  1  something does not, or can't be used";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct GateArgs {
    /// The directory of the fixtures, relative to the workspace
    #[arg(value_name = "DIR", default_value = fixtures::DIRECTORY)]
    directory: String,

    /// The revision before the change, a branch say
    #[arg(long, value_name = "REV")]
    base: Option<String>,
}

/// The JSON shape of the gate.
#[derive(Serialize)]
struct Gated<'a> {
    schema: u32,
    passed: usize,
    failed: usize,
    fixtures: &'a [Outcome],
    findings: &'a [Diagnostic],
}

/// What a run of the fixtures came to.
pub(super) struct Ran {
    pub(super) outcomes: Vec<Outcome>,
    pub(super) findings: Vec<Diagnostic>,
}

pub(in crate::cli) fn gate(context: &Context, arguments: &GateArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let labels = match labels::load(&workspace) {
        Ok(labels) => labels,
        Err(problems) => {
            context.output.findings(&problems);
            return Ok(Exit::Failed);
        }
    };
    let Ran {
        outcomes,
        mut findings,
    } = run(&workspace, &arguments.directory, &labels);
    findings.extend(stray(&workspace)?);
    if let Some(base) = &arguments.base {
        findings.extend(silent(&workspace, base));
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.passed).count();
    let passed = outcomes.len() - failed;
    context.output.findings(&findings);
    match context.format() {
        Format::Json => context.output.json(&Gated {
            schema: 1,
            passed,
            failed,
            fixtures: &outcomes,
            findings: &findings,
        })?,
        Format::Human => context.output.result(&human(&outcomes, passed, failed))?,
    }
    Ok(if failed == 0 && findings.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// The policies' own tests, as a fact for others.
pub(in crate::cli) fn tests(workspace: &Workspace, labels: &Labels) -> Tests {
    let Ran { outcomes, findings } = run(workspace, fixtures::DIRECTORY, labels);
    let passed = outcomes.iter().filter(|outcome| outcome.passed).count();
    Tests {
        passed,
        failed: outcomes.len() - passed + findings.len(),
    }
}

/// Asks every fixture below a directory; what no fixture covers are findings.
pub(super) fn run(workspace: &Workspace, directory: &str, labels: &Labels) -> Ran {
    let loaded = match fixtures::load(workspace, directory, labels) {
        Ok(loaded) => loaded,
        Err(findings) => {
            return Ran {
                outcomes: Vec::new(),
                findings,
            };
        }
    };
    let loaded = loaded.unwrap_or_default();
    // The same function that `decide` asks (row S2-002), and all of its layers.
    let policies = match authorization::load(workspace) {
        Ok(policies) => policies,
        Err(Unusable(findings)) => {
            return Ran {
                outcomes: Vec::new(),
                findings,
            };
        }
    };
    let outcomes = fixtures::run(&loaded, labels, &|request, around| {
        policies.decide(request, Known::default(), around)
    });
    Ran {
        outcomes,
        findings: fixtures::gaps(labels, &loaded),
    }
}

/// Files and secrets that have no business in `policy/`.
fn stray(workspace: &Workspace) -> anyhow::Result<Vec<Diagnostic>> {
    let below = tree::walk(workspace, "policy", &|_| true).map_err(anyhow::Error::msg)?;
    let files: Vec<File> = below
        .into_iter()
        .filter(|one| matches!(one.standing, Standing::File { .. }))
        .filter_map(|one| match workspace.open_input(&one.path) {
            Ok(Opened::File(file)) => Some(File {
                size: file.size,
                path: one.path,
            }),
            _ => None,
        })
        .collect();
    let mut findings = hygiene::look(&files);
    if !files.is_empty() {
        let paths = ["policy".to_owned()];
        let selection = Selection {
            staged: false,
            paths: &paths,
        };
        let scan = scan::secrets(workspace, selection)?;
        if !scan.is_clean() {
            findings.push(
                Diagnostic::new(
                    Code::PolicyHygiene,
                    Place::file("policy"),
                    "a secret stands in policy/",
                )
                .found("what `scan secrets policy` names")
                .expected("none")
                .help("run `policy-orchestrator scan secrets policy`, and take it out"),
            );
        }
    }
    Ok(findings)
}

/// Policies that were changed since a revision without their fixtures or tests.
fn silent(workspace: &Workspace, base: &str) -> Vec<Diagnostic> {
    let place = || Place::file("policy");
    match changed(workspace.root(), base) {
        Ok(files) => {
            let is_test =
                |file: &str| file.contains("policy/fixtures/") || file.contains("policy/tests/");
            let is_policy = |file: &str| {
                let kinds = [
                    "policy/vocab/",
                    "policy/rubrics/",
                    "policy/rego/",
                    "policy/security/",
                    "policy/spend/",
                    "policy/requests.yaml",
                ];
                kinds.iter().any(|kind| file.contains(kind))
            };
            let policies: Vec<&String> = files.iter().filter(|file| is_policy(file)).collect();
            if policies.is_empty() || files.iter().any(|file| is_test(file)) {
                return Vec::new();
            }
            let named: Vec<&str> = policies.iter().take(5).map(|file| file.as_str()).collect();
            vec![
                Diagnostic::new(
                    Code::PolicySilent,
                    place(),
                    "policies were changed without a fixture or a test",
                )
                .found(named.join(", "))
                .expected("a change below policy/fixtures or policy/tests as well")
                .help("add the fixture that comes out otherwise by this change"),
            ]
        }
        Err(error) => vec![
            Diagnostic::new(
                Code::PolicySilent,
                place(),
                "what was changed can't be told",
            )
            .found(error.message())
            .expected("a git repository that has the revision of `--base`")
            .help("fetch the branch, or correct its name"),
        ],
    }
}

fn changed(root: &Path, base: &str) -> Result<Vec<String>, git2::Error> {
    let repository = git2::Repository::discover(root)?;
    let tree = repository.revparse_single(base)?.peel_to_tree()?;
    let mut options = git2::DiffOptions::new();
    options.include_untracked(true).recurse_untracked_dirs(true);
    let diff = repository.diff_tree_to_workdir(Some(&tree), Some(&mut options))?;
    let files = diff.deltas().flat_map(|delta| {
        [delta.old_file(), delta.new_file()]
            .map(|file| file.path().map(|path| path.display().to_string()))
    });
    Ok(crate::ids::distinct(files.flatten()))
}

/// A fixture that failed, for a person: what is otherwise, and why it is denied where it is.
pub(super) fn failure(outcome: &Outcome) -> String {
    let mut text = format!("FAILED  {}\n", outcome.name);
    for one in &outcome.differences {
        text.push_str(&format!(
            "        {}\n        - {}\n        + {}\n",
            one.what, one.expected, one.found
        ));
    }
    for one in &outcome.denied {
        let hint = one.hint.as_deref().unwrap_or("no hint");
        text.push_str(&format!("        denied by {}: {hint}\n", one.reason_code));
    }
    text
}

fn human(outcomes: &[Outcome], passed: usize, failed: usize) -> String {
    let failures = outcomes.iter().filter(|outcome| !outcome.passed);
    let mut text: String = failures.map(failure).collect();
    text.push_str(&format!("{passed} fixtures passed, {failed} failed\n"));
    text
}
