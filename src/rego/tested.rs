//! What comes of tests of rules, whoever runs them.

use serde::Serialize;

/// What came of all tests.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Tested {
    /// Each test, in the order of files and lines.
    pub tests: Vec<Test>,
}

/// One test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Test {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// The rule, `data.a.test_b`.
    pub name: String,
    /// How it came out.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// How a test came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", content = "why", rename_all = "lowercase")]
pub enum Outcome {
    /// As it should.
    Passed,
    /// It is false or undefined.
    Failed,
    /// It could not be evaluated.
    Error(String),
    /// Its name says that it is still to be done.
    Skipped,
}
