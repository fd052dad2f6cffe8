//! `init`: start a workspace. Nothing that stands there is overwritten.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::run::{lock_timeout, parse_timeout};
use super::tamper::own_change;
use super::{Context, Exit, Format, clock, parse_time, portal};
use crate::diagnostic::Checked;
use crate::fs::read::read_own;
use crate::fs::{RetryDelays, Workspace, WorkspaceLock, write};
use crate::ids::Digest;
use crate::labels::example;
use crate::portal::PAGES;
use crate::record::{LINE_LIMIT, STATE_JOURNAL, state};
use crate::signals::{consensus, forecast, integrity, reputation, responses, trust};
use crate::time::Timestamp;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  policy-orchestrator init\n  policy-orchestrator init --workspace ../other-repository\n  policy-orchestrator init --pages          with the status page, published on GitHub Pages\n  policy-orchestrator init --requests       with an example of policies for requests\n\nThe starter signals are healthy and say that they are starters: replace them by real ones.\nThey are only written where no signal and no decision is yet."
)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
pub(super) struct InitArgs {
    /// Leave out the workflows for GitHub Actions
    #[arg(long)]
    no_workflow: bool,

    /// Write the status page's files too, for a server of your own
    #[arg(long)]
    portal: bool,

    /// Write the status page's files, and the workflow that publishes it on GitHub Pages
    #[arg(long, conflicts_with = "no_workflow")]
    pages: bool,

    /// Write the example of policies for requests too: vocabularies, rubrics and fixtures, a checklist
    /// for pull requests, and the workflow that tests them
    #[arg(long)]
    requests: bool,

    /// The time to write into the starter files
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,

    /// How long to wait for a run, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_timeout)]
    lock_timeout: Duration,
}

/// Where the workflows go.
const WORKFLOWS: [&str; 3] = [
    ".github/workflows/policy_orchestration.yml",
    ".github/workflows/policy_response_runner.yml",
    ".github/workflows/policy_orchestration_alerts.yml",
];

/// The workflow that publishes the page, where that is asked for.
const PAGES_WORKFLOW: (&str, &str) = (
    ".github/workflows/policy_portal.yml",
    include_str!("init/pages.yml"),
);

/// The workflow that tests policies for requests, where those are asked for.
const TESTS_WORKFLOW: (&str, &str) = (
    ".github/workflows/policy_tests.yml",
    include_str!("init/policy_tests.yml"),
);

/// The line by which the second workflow knows the first: GitHub starts it by that name.
const NAME: &str = "name: Policy Orchestration";

/// The signals among the starters.
const SIGNALS: [&str; 6] = [
    trust::FILES[0],
    integrity::FILE,
    consensus::FILE,
    reputation::FILE,
    forecast::FILE,
    responses::FILE,
];

/// The files that `init` writes, with their contents.
const STARTERS: [(&str, &str); 12] = [
    (trust::FILES[0], include_str!("init/starter/trust.json")),
    (integrity::FILE, include_str!("init/starter/integrity.csv")),
    (consensus::FILE, include_str!("init/starter/consensus.json")),
    (
        reputation::FILE,
        include_str!("init/starter/reputation.json"),
    ),
    (forecast::FILE, include_str!("init/starter/forecast.json")),
    (responses::FILE, ""),
    ("policy/README.md", include_str!("init/starter/policy.md")),
    (".gitattributes", include_str!("init/starter/gitattributes")),
    (".gitignore", include_str!("init/starter/gitignore")),
    (WORKFLOWS[0], include_str!("init/workflow.yml")),
    (WORKFLOWS[1], include_str!("init/response_runner.yml")),
    (WORKFLOWS[2], include_str!("init/alerts.yml")),
];

/// Which of the files are written.
#[derive(Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
struct Wanted {
    workflows: bool,
    portal: bool,
    pages: bool,
    requests: bool,
}

impl Wanted {
    /// The files with their contents, the page's behind the others.
    fn files(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let of_requests = example::files().filter(move |_| self.requests);
        let starters = STARTERS
            .into_iter()
            .filter(move |(file, _)| !self.requests || *file != "policy/README.md");
        let starters =
            starters.filter(move |(file, _)| self.workflows || !WORKFLOWS.contains(file));
        let page = PAGES.into_iter().map(|page| (page.file, page.text));
        let page = page.filter(move |_| self.portal || self.pages);
        let published = [PAGES_WORKFLOW].into_iter().filter(move |_| self.pages);
        let tested = [TESTS_WORKFLOW].into_iter();
        let tested = tested.filter(move |_| self.requests && self.workflows);
        starters
            .chain(of_requests)
            .chain(tested)
            .chain(page)
            .chain(published)
    }
}

/// The JSON shape of what `init` did.
#[derive(Serialize)]
struct Initialised {
    schema: u32,
    written: Vec<&'static str>,
    kept: Vec<&'static str>,
    /// Lines that a kept file lacks.
    to_add: Vec<Missing>,
}

#[derive(Serialize)]
struct Missing {
    file: &'static str,
    line: &'static str,
}

pub(super) fn init(context: &Context, arguments: &InitArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let lock = WorkspaceLock::acquire(
        &workspace,
        "init",
        lock_timeout(arguments.lock_timeout),
        &RetryDelays::default(),
    )?;
    let at = clock(arguments.at).read();
    let wanted = Wanted {
        workflows: !arguments.no_workflow,
        portal: arguments.portal,
        pages: arguments.pages,
        requests: arguments.requests,
    };
    let steps = protected_steps(&workspace, at, wanted);
    let mut done = own_change(&workspace, &lock, "init", &steps, || {
        write_starters(&workspace, at, wanted)
    })?;
    if portal::is_kept(&workspace) {
        done.kept.push(portal::FILE);
    } else {
        portal::make(&workspace, &lock)?;
        done.written.push(portal::FILE);
    }
    match context.format() {
        Format::Json => context.output.json(&done)?,
        Format::Human => context.output.result(&human(&done))?,
    }
    Ok(Exit::Done)
}

fn filled_in(template: &str, at: Timestamp) -> String {
    template
        .replace("{{TIME}}", &at.to_string())
        .replace("{{VERSION}}", env!("CARGO_PKG_VERSION"))
        .replace("{{COMMIT}}", env!("POLICY_ORCHESTRATOR_COMMIT"))
}

/// The starters that are not there yet, for the lock of the policies, which takes what it protects.
fn protected_steps(
    workspace: &Workspace,
    at: Timestamp,
    wanted: Wanted,
) -> Vec<(String, Option<Digest>)> {
    let absent = |file: &str| std::fs::symlink_metadata(workspace.path(file)).is_err();
    let starters = wanted.files().filter(|(file, _)| absent(file));
    starters
        .map(|(file, template)| {
            let digest = Digest::of(filled_in(template, at).as_bytes());
            (file.to_owned(), Some(digest))
        })
        .collect()
}

fn write_starters(workspace: &Workspace, at: Timestamp, wanted: Wanted) -> Checked<Initialised> {
    let mut done = Initialised {
        schema: 1,
        written: Vec::new(),
        kept: Vec::new(),
        to_add: Vec::new(),
    };
    // Where signals or decisions are, an invented healthy value must not take the place of a report
    // that is missing.
    let in_use = SIGNALS
        .into_iter()
        .chain([trust::FILES[1], state::FILE])
        .any(|file| std::fs::symlink_metadata(workspace.path(file)).is_ok());
    for (file, template) in wanted.files() {
        if in_use && SIGNALS.contains(&file) {
            continue;
        }
        let text = filled_in(template, at);
        let made = write::create_new(workspace, file, text.as_bytes())?;
        if made {
            done.written.push(file);
        } else {
            done.kept.push(file);
            done.to_add.extend(missing_lines(workspace, file, template));
        }
    }
    Ok(done)
}

/// The rules that a kept `.gitattributes` or `.gitignore` lacks, and the name that a kept workflow
/// needs so that another one follows it: they are told, not written.
fn missing_lines(
    workspace: &Workspace,
    file: &'static str,
    template: &'static str,
) -> Vec<Missing> {
    let wanted: Vec<&'static str> = match file {
        ".gitattributes" | ".gitignore" => template
            .lines()
            .filter(|line| !line.starts_with('#'))
            .collect(),
        _ if file == WORKFLOWS[0] => vec![NAME],
        _ => return Vec::new(),
    };
    let there = read_own(workspace, file, LINE_LIMIT)
        .ok()
        .flatten()
        .unwrap_or_default();
    let there = String::from_utf8_lossy(&there);
    wanted
        .into_iter()
        .filter(|rule| !there.lines().any(|line| line.trim() == *rule))
        .map(|line| Missing { file, line })
        .collect()
}

fn human(done: &Initialised) -> String {
    let mut text = String::new();
    for file in &done.written {
        text.push_str(&format!("written  {file}\n"));
    }
    for file in &done.kept {
        text.push_str(&format!("kept     {file}\n"));
    }
    for missing in &done.to_add {
        text.push_str(&format!(
            "please add this line to {}: {}\n",
            missing.file, missing.line
        ));
    }
    text.push_str(&format!("\nnext: `policy-orchestrator run` decides and begins {STATE_JOURNAL};\nlet your tools write the signals, and set the repository at the top of each workflow in .github/workflows\n"));
    text
}

/// True where the workspace's `.gitattributes` keeps git from merging or converting journals.
pub(super) fn attributes_are_set(workspace: &Workspace) -> bool {
    missing_lines(
        workspace,
        ".gitattributes",
        include_str!("init/starter/gitattributes"),
    )
    .is_empty()
}
