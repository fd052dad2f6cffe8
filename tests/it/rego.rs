//! Rego as a user sees it: tests that are run, and a build that can't.

use crate::workspace::Workspace;

/// The rules and tests that ship as examples.
const RULES: &str = include_str!("../../examples/requests/policy/rego/orchestra/data_access.rego");
const TESTS: &str =
    include_str!("../../examples/requests/policy/rego/orchestra/data_access_test.rego");

fn workspace() -> Workspace {
    let workspace = Workspace::healthy();
    workspace.write("policy/rego/orchestra/data_access.rego", RULES);
    workspace.write("policy/tests/data_access_test.rego", TESTS);
    workspace
}

#[test]
#[cfg(feature = "rego")]
fn tests_in_rego_are_found_and_run() {
    let workspace = workspace();
    let tested = workspace.program(&["policy", "test"]).exits(0).json();
    assert_eq!(
        (&tested["passed"], &tested["failed"]),
        (&7.into(), &0.into())
    );
    let least = ["policy", "test", "--junit", "out.xml"];
    let human = workspace.program(&[&least[..], &["--verbose", "--format", "human"]].concat());
    let human = human.exits(0).stdout;
    assert!(
        human.contains("7 tests in Rego passed, 0 failed, 0 could not be evaluated, 0 skipped"),
        "{human}"
    );
    assert!(workspace.read("out.xml").contains("testcase"));
    // A test that fails, and a module that can't be used.
    let wrong = TESTS.replace(
        "count(data_access.deny) == 1",
        "count(data_access.deny) == 2",
    );
    workspace.write("policy/tests/data_access_test.rego", wrong);
    let failed = workspace.program(&["policy", "test"]).exits(1).json();
    assert_eq!(failed["failed"], 1);
    workspace.write(
        "policy/rego/orchestra/data_access.rego",
        "package a\nallow {\n",
    );
    let refused = workspace.program(&["policy", "test"]).exits(1).stderr;
    assert!(refused.contains("REGO_INVALID"), "{refused}");
}

#[test]
#[cfg(not(feature = "rego"))]
fn a_build_without_rego_refuses_and_says_how_to_get_one() {
    let refused = workspace().program(&["policy", "test"]).exits(1).stderr;
    assert!(refused.contains("FEATURE_MISSING"), "{refused}");
    assert!(refused.contains("--features rego"), "{refused}");
}
