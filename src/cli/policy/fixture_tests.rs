//! `policy test` of the fixtures of a workspace: the same function that `policy gate` runs, and the same
//! answers (row S2-008). What no fixture covers is the gate's business.

use serde::Serialize;

use super::gate::{self, Ran};
use crate::cli::Context;
use crate::labels;
use crate::labels::fixtures::{self, Outcome};
use crate::report::junit;

/// Fixtures that were asked.
pub(super) struct FixtureTests {
    outcomes: Vec<Outcome>,
    verbose: bool,
}

/// The JSON shape of fixtures that were asked.
#[derive(Serialize)]
pub(super) struct Tested<'a> {
    passed: usize,
    failed: usize,
    fixtures: &'a [Outcome],
}

impl FixtureTests {
    /// Asks those of the workspace; `None` where it has none. `Err` where they can't be used, and why
    /// was told.
    pub(super) fn run(context: &Context) -> anyhow::Result<Result<Option<Self>, ()>> {
        let workspace = context.workspace()?;
        let lacks = |part: &str| workspace.lacks(&format!("{}/{part}", fixtures::DIRECTORY));
        if lacks("inputs") && lacks("expected") {
            return Ok(Ok(None));
        }
        let labels = match labels::load(&workspace) {
            Ok(labels) => labels,
            Err(problems) => {
                context.output.findings(&problems);
                return Ok(Err(()));
            }
        };
        let Ran { outcomes, findings } = gate::run(&workspace, fixtures::DIRECTORY, &labels);
        // Without an outcome they could not be asked; else what no fixture covers was found.
        if outcomes.is_empty() && !findings.is_empty() {
            context.output.findings(&findings);
            return Ok(Err(()));
        }
        Ok(Ok((!outcomes.is_empty()).then_some(Self {
            outcomes,
            verbose: context.global.verbose,
        })))
    }

    /// How many passed, and how many failed.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.outcomes.len() - self.failed(), self.failed())
    }

    fn failed(&self) -> usize {
        let failed = self.outcomes.iter().filter(|outcome| !outcome.passed);
        failed.count()
    }

    /// True where one is answered otherwise than it has to be.
    pub(super) fn has_failed(&self) -> bool {
        self.failed() > 0
    }

    pub(super) fn json(&self) -> Tested<'_> {
        let (passed, failed) = self.counts();
        Tested {
            passed,
            failed,
            fixtures: &self.outcomes,
        }
    }

    /// What a person reads.
    pub(super) fn human(&self) -> String {
        let row = |outcome: &Outcome| {
            if !outcome.passed {
                gate::failure(outcome)
            } else if self.verbose {
                format!("ok      {}\n", outcome.name)
            } else {
                String::new()
            }
        };
        let mut text: String = self.outcomes.iter().map(row).collect();
        let (passed, failed) = self.counts();
        text.push_str(&format!("{passed} fixtures passed, {failed} failed\n"));
        text
    }

    /// The suite of a report in the JUnit form.
    pub(super) fn junit(&self) -> junit::Suite<'_> {
        let cases = self.outcomes.iter().map(|outcome| junit::Case {
            class: fixtures::DIRECTORY.into(),
            file: Some(format!("{}/inputs/{}.json", fixtures::DIRECTORY, outcome.name).into()),
            name: outcome.name.as_str().into(),
            outcome: if outcome.passed {
                junit::Outcome::Passed
            } else {
                junit::Outcome::Failed(gate::failure(outcome).into())
            },
            ..junit::Case::default()
        });
        junit::Suite::of("policy test of fixtures", cases.collect())
    }
}
