//! `policy test`: cases that a policy has to answer.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::fixture_tests::{self, FixtureTests};
use super::named::Named;
use super::rego_tests::{RegoTestArgs, RegoTests, is_rego};
use crate::cli::given::{self, Given};
use crate::cli::{Context, Exit, Format};
use crate::decision::cases::{self, Answer, Case, Coverage, Difference, Ground};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::{Opened, Workspace};
use crate::policy::{Level, Policy, directory, readings};
use crate::report::junit;
use crate::signals::{DEFAULT_LIMIT, ReadContext};

const EXAMPLES: &str = "\
Examples:
  policy-orchestrator policy test
  policy-orchestrator policy test --coverage --junit target/policy.xml
  policy-orchestrator policy test --policy next.yaml policy/tests/reference.yaml
  policy-orchestrator policy test --verbose policy/rego policy/tests
  policy-orchestrator policy test --coverage --threshold 90 policy/rego policy/tests

A file of cases:
  at: 2026-01-15T12:00:00Z
  defaults: {coverage: 90}
  cases:
    - name: a fallen score is RED
      inputs: {integrity: 89.9}              # or missing, stale, invalid; or `workspace: DIR`
      before: {level: YELLOW}                # for hysteresis
      history: [{at: 2026-01-14T12:00:00Z, inputs: {integrity: 97}}]
      expect: {level: RED, reasons: [INTEGRITY_BELOW_RED, INTEGRITY_BELOW_YELLOW], errors: 0}

Exit codes:
  0  every case is answered as expected
  1  one is not, a test in Rego or a fixture fails, a file or document can't be used, with
     --require-coverage a trigger is never fired, or with --threshold the tests in Rego
     evaluate too little";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct TestArgs {
    /// Files of cases, and files and directories of Rego [default: policy/tests/*.yaml, *.yml and
    /// *.json of the workspace, its Rego, and its fixtures in policy/fixtures]
    #[arg(value_name = "PATH")]
    files: Vec<String>,

    #[command(flatten)]
    rego: RegoTestArgs,

    /// The policy to ask: a file, or `reference` [default: the one in force]
    #[arg(long, value_name = "DOCUMENT")]
    policy: Option<String>,

    /// Say which triggers no case fires, and which lines of rules in Rego no test evaluates
    #[arg(long)]
    coverage: bool,

    /// Fail where a trigger is fired by no case
    #[arg(long)]
    require_coverage: bool,

    /// Write a report in the JUnit form to this file
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

impl TestArgs {
    fn has_coverage(&self) -> bool {
        self.coverage || self.require_coverage
    }
}

/// The JSON shape of a test run.
#[derive(Serialize)]
struct Tested<'a> {
    schema: u32,
    policy: &'a crate::policy::Identity,
    passed: usize,
    failed: usize,
    cases: Vec<Shown<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<&'a Coverage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rego: Option<&'a crate::rego::Tested>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fixtures: Option<fixture_tests::Tested<'a>>,
}

#[derive(Serialize)]
struct Shown<'a> {
    file: &'a str,
    line: u64,
    name: &'a str,
    passed: bool,
    level: &'a Level,
    differences: &'a [Difference],
}

/// An answered case with its file.
struct Answered {
    file: String,
    case: Case,
    answer: Answer,
}

/// The directory of cases in a workspace.
const DIRECTORY: &str = "policy/tests";

pub(in crate::cli) fn test(context: &Context, arguments: &TestArgs) -> anyhow::Result<Exit> {
    let Ok(beside) = Beside::run(context, arguments)? else {
        return Ok(Exit::Failed);
    };
    if !beside.is_empty() && RegoTests::is_all(context, &arguments.files)? {
        return beside.tell(context, arguments.junit.as_deref());
    }
    let Some(policy) = Named::of(arguments.policy.as_deref()).policy(context)? else {
        return Ok(Exit::Failed);
    };
    let files = || arguments.files.iter().filter(|file| !is_rego(file));
    let sources = if arguments.files.is_empty() {
        sources_of(&context.workspace()?)?
    } else {
        let given = files().map(|file| Source::given(file));
        given.collect::<Checked<_>>()?
    };
    let Some(answered) = answer_all(context, &policy, &sources)? else {
        return Ok(Exit::Failed);
    };
    let coverage = Coverage::of(&policy, answered.iter().map(|answered| &answered.answer));
    if let Some(file) = &arguments.junit {
        given::write_report(file, "--junit", &junit_report(&answered, &beside).to_xml())?;
    }
    let told = arguments.has_coverage().then_some(&coverage);
    show(context, &policy, &answered, told, &beside)?;
    let failed = answered
        .iter()
        .any(|answered| !answered.answer.differences.is_empty());
    let uncovered = arguments.require_coverage && !coverage.unfired.is_empty();
    Ok(if failed || uncovered || beside.has_failed() {
        Exit::Failed
    } else {
        Exit::Done
    })
}

/// What is tested beside the cases.
struct Beside {
    rego: Option<RegoTests>,
    fixtures: Option<FixtureTests>,
}

impl Beside {
    /// Tests in Rego, and the fixtures of the workspace where no file is named. `Err` where they
    /// can't be asked, and why was told.
    fn run(context: &Context, arguments: &TestArgs) -> anyhow::Result<Result<Self, ()>> {
        let rego = RegoTests::run(
            context,
            &arguments.files,
            &arguments.rego,
            arguments.has_coverage(),
        )?;
        let fixtures = if arguments.files.is_empty() {
            FixtureTests::run(context)?
        } else {
            Ok(None)
        };
        Ok(fixtures.map(|fixtures| Self { rego, fixtures }))
    }

    fn is_empty(&self) -> bool {
        self.rego.is_none() && self.fixtures.is_none()
    }

    fn has_failed(&self) -> bool {
        let (rego, fixtures) = (self.rego.as_ref(), self.fixtures.as_ref());
        rego.is_some_and(RegoTests::has_failed) || fixtures.is_some_and(FixtureTests::has_failed)
    }

    fn suites(&self) -> impl Iterator<Item = junit::Suite<'_>> {
        let rego = self.rego.iter().map(RegoTests::junit);
        rego.chain(self.fixtures.iter().map(FixtureTests::junit))
    }

    fn human(&self) -> String {
        let rego = self.rego.iter().map(RegoTests::human);
        let texts: Vec<String> = rego
            .chain(self.fixtures.iter().map(FixtureTests::human))
            .collect();
        texts.join("\n")
    }

    /// Shows them where there is nothing else to show.
    fn tell(&self, context: &Context, junit: Option<&Path>) -> anyhow::Result<Exit> {
        if let Some(file) = junit {
            let suites = self.suites().collect();
            given::write_report(file, "--junit", &junit::Report { suites }.to_xml())?;
        }
        match context.format() {
            Format::Json => {
                let rego = self.rego.iter().map(RegoTests::counts);
                let all = rego.chain(self.fixtures.iter().map(FixtureTests::counts));
                let (passed, failed) = all.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
                context.output.json(&TestedBeside {
                    schema: 1,
                    passed,
                    failed,
                    rego: self.rego.as_ref().map(|rego| &rego.tested),
                    fixtures: self.fixtures.as_ref().map(FixtureTests::json),
                })?;
            }
            Format::Human => context.output.result(&self.human())?,
        }
        Ok(if self.has_failed() {
            Exit::Failed
        } else {
            Exit::Done
        })
    }
}

/// The JSON shape of a test run without cases.
#[derive(Serialize)]
struct TestedBeside<'a> {
    schema: u32,
    passed: usize,
    failed: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    rego: Option<&'a crate::rego::Tested>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fixtures: Option<fixture_tests::Tested<'a>>,
}

/// A file of cases with its bytes.
struct Source {
    path: String,
    bytes: Vec<u8>,
}

impl Source {
    /// One that a user names: what it is, is the user's business.
    fn given(path: &str) -> Checked<Self> {
        let given = Given {
            path,
            what: "file of cases",
            expected: "a file of cases",
            limit: DEFAULT_LIMIT,
        };
        Ok(Self {
            path: path.to_owned(),
            bytes: given.read()?,
        })
    }
}

/// The files of cases of a workspace, by name. What is no regular file is an error, as it is for an
/// input: cases that nobody could read were not answered.
fn sources_of(workspace: &Workspace) -> Checked<Vec<Source>> {
    let mut sources = Vec::new();
    for name in workspace.list(DIRECTORY)? {
        if !directory::is_document(&name) {
            continue;
        }
        let file = format!("{DIRECTORY}/{name}");
        if let Opened::File(open) = workspace.open_input(&file)? {
            sources.push(Source {
                path: workspace.path(&file).display().to_string(),
                bytes: open.read_whole(DEFAULT_LIMIT)?,
            });
        }
    }
    if sources.is_empty() {
        return Err(Box::new(
            Diagnostic::new(Code::KeyMissing, Place::file(DIRECTORY), "there is no file of cases")
                .found("no .yaml, .yml or .json file")
                .expected("at least one")
                .help("`policy-orchestrator policy init` writes the first, `policy test --help` shows one"),
        ));
    }
    Ok(sources)
}

/// Answers the cases of all files; `None` where one can't be used, and why is told.
fn answer_all(
    context: &Context,
    policy: &Policy,
    sources: &[Source],
) -> anyhow::Result<Option<Vec<Answered>>> {
    let (mut answered, mut is_whole) = (Vec::new(), true);
    for Source { path, bytes } in sources {
        match cases::parse(path, bytes, policy) {
            Ok(cases) => {
                for case in cases {
                    let answer = answer(policy, path, &case)?;
                    let file = path.clone();
                    answered.push(Answered { file, case, answer });
                }
            }
            Err(problems) => {
                context.output.findings(&problems);
                is_whole = false;
            }
        }
    }
    Ok(is_whole.then_some(answered))
}

fn answer(policy: &Policy, file: &str, case: &Case) -> Checked<Answer> {
    match &case.ground {
        Ground::Readings(readings) => Ok(case.answer(policy, readings)),
        Ground::Workspace(directory) => {
            let beside = Path::new(file).parent().unwrap_or(Path::new("."));
            let workspace = Workspace::open(&beside.join(directory))?;
            let context = ReadContext {
                workspace: &workspace,
                at: case.at,
                limit: DEFAULT_LIMIT,
            };
            Ok(case.answer(policy, &readings::load(context, policy)))
        }
    }
}

fn junit_report<'a>(answered: &'a [Answered], beside: &'a Beside) -> junit::Report<'a> {
    let cases = answered.iter().map(junit_case).collect();
    let mut suites = vec![junit::Suite::of("policy test", cases)];
    suites.extend(beside.suites());
    junit::Report { suites }
}

fn junit_case(answered: &Answered) -> junit::Case<'_> {
    let failed = failure(&answered.answer);
    junit::Case {
        class: answered.file.as_str().into(),
        file: Some(answered.file.as_str().into()),
        name: answered.case.name.as_str().into(),
        outcome: failed.map_or(junit::Outcome::Passed, |why| {
            junit::Outcome::Failed(why.into())
        }),
        ..junit::Case::default()
    }
}

/// What is otherwise than expected, in one line for each; `None` for a case that passed.
fn failure(answer: &Answer) -> Option<String> {
    let line = |difference: &Difference| {
        let Difference {
            what,
            expected,
            found,
        } = difference;
        format!("{what}: expected {expected}, found {found}\n")
    };
    let text: String = answer.differences.iter().map(line).collect();
    (!text.is_empty()).then_some(text)
}

fn show(
    context: &Context,
    policy: &Policy,
    answered: &[Answered],
    coverage: Option<&Coverage>,
    beside: &Beside,
) -> anyhow::Result<()> {
    let failed = answered
        .iter()
        .filter(|answered| !answered.answer.differences.is_empty())
        .count();
    let passed = answered.len() - failed;
    match context.format() {
        Format::Json => context.output.json(&Tested {
            schema: 1,
            policy: policy.identity(),
            passed,
            failed,
            cases: answered.iter().map(shown).collect(),
            coverage,
            rego: beside.rego.as_ref().map(|rego| &rego.tested),
            fixtures: beside.fixtures.as_ref().map(FixtureTests::json),
        }),
        Format::Human => {
            let mut text: String = answered.iter().map(row).collect();
            text.push_str(&format!("\n{passed} passed, {failed} failed\n"));
            text.push_str(&coverage.map(covered).unwrap_or_default());
            if !beside.is_empty() {
                text.push_str(&format!("\n{}", beside.human()));
            }
            context.output.result(&text)
        }
    }
}

fn shown(answered: &Answered) -> Shown<'_> {
    Shown {
        file: &answered.file,
        line: answered.case.line,
        name: &answered.case.name,
        passed: answered.answer.differences.is_empty(),
        level: &answered.answer.decision.level,
        differences: &answered.answer.differences,
    }
}

fn row(answered: &Answered) -> String {
    let Answered { file, case, answer } = answered;
    let level = answer.decision.level.name();
    match failure(answer) {
        None => format!("ok      {level:<8} {}\n", case.name),
        Some(why) => {
            let why = why.trim_end().replace('\n', "\n          ");
            format!(
                "FAILED  {level:<8} {}  ({file}:{})\n          {why}\n",
                case.name, case.line
            )
        }
    }
}

fn covered(coverage: &Coverage) -> String {
    let fired = coverage.triggers - coverage.unfired.len();
    let mut text = format!(
        "{fired} of {} triggers are fired by a case\n",
        coverage.triggers
    );
    for code in &coverage.unfired {
        text.push_str(&format!("  never   {code}\n"));
    }
    text
}
