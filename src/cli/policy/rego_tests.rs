//! `policy test` of rules in Rego: finds them and their tests, has them run, and shows what came of it.

use std::path::Path;

use clap::Args;

use crate::cli::Context;
use crate::cli::given::Given;
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::policy::directory;
use crate::rego::{
    self, Counted, Coverage, Dialect, Outcome, Range, Settings, Test, Tested, Trust,
};
use crate::report::junit;

/// The largest module that is read where somebody names it.
const LIMIT: u64 = 8 * 1024 * 1024;

#[derive(Debug, Args)]
pub(in crate::cli) struct RegoTestArgs {
    /// The dialect of modules that don't say: 0, or 1 as since version 1 of Open Policy Agent
    #[arg(long, value_name = "VERSION", default_value = "1", value_parser = clap::value_parser!(u8).range(0..=1))]
    rego_version: u8,

    /// Fail where the tests in Rego evaluate less than this part of the rules' lines, in percent
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    threshold: Option<u8>,
}

/// Files by name, with their bytes.
type Documents = Vec<(String, Vec<u8>)>;

/// Tests in Rego that were run.
pub(super) struct RegoTests {
    pub(super) tested: Tested,
    threshold: Option<u8>,
    verbose: bool,
}

/// True for what is tested here and not by cases: a directory, a module, a bundle.
pub(super) fn is_rego(path: &str) -> bool {
    let path = Path::new(path);
    path.is_dir()
        || path
            .extension()
            .is_some_and(|extension| extension == "rego" || extension == "gz")
}

impl RegoTests {
    /// Runs those that are named, or those of the workspace where nothing is; `None` where there are
    /// none.
    pub(super) fn run(
        context: &Context,
        files: &[String],
        arguments: &RegoTestArgs,
        has_coverage: bool,
    ) -> anyhow::Result<Option<Self>> {
        let (documents, root) = if files.is_empty() {
            (
                of_workspace(&context.workspace()?)?,
                rego::SOURCES.to_owned(),
            )
        } else {
            given(files)?
        };
        let has_tests = documents
            .iter()
            .any(|(file, _)| file.ends_with("_test.rego"));
        let threshold = arguments.threshold;
        if documents.is_empty() || files.is_empty() && !has_tests {
            return match threshold {
                Some(_) => Err(untested(&root).into()),
                None => Ok(None),
            };
        }
        let settings = Settings {
            root,
            dialect: Dialect::of(arguments.rego_version.into()).unwrap_or_default(),
            // A test decides nothing.
            trust: Trust::Unverified,
            ..Settings::default()
        };
        match rego::test(&documents, &settings, has_coverage || threshold.is_some()) {
            Ok(tested) if threshold.is_some() && tested.tests.is_empty() => {
                Err(untested(&settings.root).into())
            }
            Ok(tested) => Ok(Some(Self {
                tested,
                threshold,
                verbose: context.global.verbose,
            })),
            Err(findings) => {
                context.output.findings(&findings);
                let place = Place::file(&settings.root);
                let finding =
                    Diagnostic::new(Code::RegoInvalid, place, "the tests in Rego were not run")
                        .found(format!("{} problems", findings.len()))
                        .expected("modules that can be used")
                        .help("mend what was told above");
                Err(finding.into())
            }
        }
    }

    /// True where there are no cases to be answered beside them.
    pub(super) fn is_all(context: &Context, files: &[String]) -> Checked<bool> {
        if !files.is_empty() {
            return Ok(files.iter().all(|file| is_rego(file)));
        }
        let workspace = context.workspace()?;
        let names = workspace.list(rego::TESTS)?;
        Ok(!names.iter().any(|name| directory::is_document(name)))
    }

    /// How many passed, and how many failed.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.count(&Outcome::Passed), self.failures().count())
    }

    /// True where a test failed, or they evaluate too little of the rules.
    pub(super) fn has_failed(&self) -> bool {
        self.failures().next().is_some() || self.is_below()
    }

    /// True where less is covered than has to be, or nobody knows how much.
    fn is_below(&self) -> bool {
        let least = self.threshold.map(f64::from);
        let covered = self
            .tested
            .coverage
            .as_ref()
            .map(|coverage| coverage.counted.coverage);
        least.is_some_and(|least| covered.is_none_or(|covered| covered < least))
    }

    fn failures(&self) -> impl Iterator<Item = &Test> {
        let tests = self.tested.tests.iter();
        tests.filter(|test| matches!(test.outcome, Outcome::Failed | Outcome::Error(_)))
    }

    fn count(&self, outcome: &Outcome) -> usize {
        let tests = self.tested.tests.iter();
        tests.filter(|test| test.outcome == *outcome).count()
    }

    /// What a person reads.
    pub(super) fn human(&self) -> String {
        let tests = self.tested.tests.iter();
        let mut text: String = tests.map(|test| self.row(test)).collect();
        let errors = self.failures().count() - self.count(&Outcome::Failed);
        text.push_str(&format!(
            "\n{} tests in Rego passed, {} failed, {errors} could not be evaluated, {} skipped\n",
            self.count(&Outcome::Passed),
            self.count(&Outcome::Failed),
            self.count(&Outcome::Skipped),
        ));
        if let Some(coverage) = &self.tested.coverage {
            text.push_str(&self.covered(coverage));
        }
        text
    }

    /// How much of the rules the tests evaluate, and which lines they don't.
    fn covered(&self, coverage: &Coverage) -> String {
        let Counted {
            covered_lines,
            not_covered_lines,
            coverage: percent,
        } = coverage.counted;
        let all = covered_lines + not_covered_lines;
        let below = match self.threshold {
            Some(least) if self.is_below() => format!(", less than the {least} % of --threshold"),
            _ => String::new(),
        };
        let mut text =
            format!("\n{covered_lines} of {all} lines of rules evaluated, {percent:.2} %{below}\n");
        for (file, lines) in &coverage.files {
            let missing: Vec<String> = lines.not_covered.iter().copied().map(in_words).collect();
            let missing = match missing.as_slice() {
                [] => String::new(),
                some => format!("  not: {}", some.join(", ")),
            };
            text.push_str(&format!(
                "{:>7.2} %  {file}{missing}\n",
                lines.counted.coverage
            ));
        }
        text
    }

    fn row(&self, test: &Test) -> String {
        let at = format!("({}:{})", test.file, test.line);
        match &test.outcome {
            Outcome::Passed if !self.verbose => String::new(),
            Outcome::Passed => format!("ok       {}\n", test.name),
            Outcome::Skipped => format!("skipped  {}  {at}\n", test.name),
            Outcome::Failed => format!("FAILED   {}  {at}\n", test.name),
            Outcome::Error(why) => format!("ERROR    {}  {at}\n           {why}\n", test.name),
        }
    }

    /// The suite of a report in the JUnit form.
    pub(super) fn junit(&self) -> junit::Suite<'_> {
        let cases = self.tested.tests.iter().map(|test| junit::Case {
            class: test.file.as_str().into(),
            file: Some(test.file.as_str().into()),
            name: test.name.as_str().into(),
            outcome: match &test.outcome {
                Outcome::Passed => junit::Outcome::Passed,
                Outcome::Skipped => junit::Outcome::Skipped("still to be done".into()),
                Outcome::Failed => junit::Outcome::Failed("false or undefined".into()),
                Outcome::Error(why) => junit::Outcome::Error(why.as_str().into()),
            },
            ..junit::Case::default()
        });
        junit::Suite::of("policy test of Rego", cases.collect())
    }
}

fn in_words(range: Range) -> String {
    match (range.start.row, range.end.row) {
        (start, end) if start == end => start.to_string(),
        (start, end) => format!("{start}-{end}"),
    }
}

fn untested(root: &str) -> Diagnostic {
    Diagnostic::new(
        Code::KeyMissing,
        Place::file(root),
        "there is no test in Rego whose coverage could be held against --threshold",
    )
    .found("no file whose name ends with `_test.rego`")
    .expected("at least one")
    .help("write one, or leave --threshold out; docs/rego.md says how")
}

/// Modules, data and tests of a workspace.
fn of_workspace(workspace: &Workspace) -> Checked<Documents> {
    let mut documents = Vec::new();
    for root in [rego::SOURCES, rego::TESTS] {
        let found = rego::documents(workspace, root)?.into_iter();
        // Data belongs to the rules; what lies beside tests is the business of the cases.
        let is_module = |file: &str| Path::new(file).extension().is_some_and(|end| end == "rego");
        documents.extend(found.filter(|(file, _)| root == rego::SOURCES || is_module(file)));
    }
    Ok(documents)
}

/// What a person names: directories with all below them, and files. The first directory is the one
/// whose data begins at the top.
fn given(files: &[String]) -> Checked<(Documents, String)> {
    let (mut documents, mut root) = (Vec::new(), None);
    for file in files.iter().filter(|file| is_rego(file)) {
        if Path::new(file).is_dir() {
            let workspace = Workspace::open(Path::new(file))?;
            let found = rego::documents(&workspace, "")?.into_iter();
            let base = file.trim_end_matches('/');
            documents.extend(found.map(|(path, bytes)| (format!("{base}/{path}"), bytes)));
            root = root.or_else(|| Some(base.to_owned()));
        } else {
            let given = Given {
                path: file,
                what: "module or bundle of Rego",
                expected: "a module in Rego, or a bundle",
                limit: LIMIT,
            };
            documents.push((file.clone(), given.read()?));
        }
    }
    documents.sort();
    documents.dedup();
    Ok((documents, root.unwrap_or_default()))
}
