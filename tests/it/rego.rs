//! Rego as a user sees it: tests that are run, modules that are refused, and a build that can't.

#[cfg(feature = "rego")]
mod bundle;

#[cfg(feature = "rego")]
use policy_orchestrator::rego;

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

#[test]
fn the_words_of_the_bundle_are_those_of_the_vocabularies() {
    let read = |path: &str| std::fs::read_to_string(format!("examples/requests/{path}")).unwrap();
    for (copy, of) in [
        ("labels", "policy_labels"),
        ("obligations", "obligations"),
        ("reason_codes", "reason_codes"),
    ] {
        let copy = format!("policy/rego/kfm/vocab/{copy}/data.yaml");
        let of = format!("policy/vocab/{of}.v1.yml");
        assert_eq!(read(&copy), read(&of), "{copy} is no copy of {of}");
    }
    let labels = policy_orchestrator::labels::Labels::built_in().unwrap();
    let licenses = labels.rubrics().licenses().iter();
    let rights = labels.rubrics().rights().iter();
    let line = |word: &str, may: bool| format!("  {word}: {may}\n");
    let licenses: String = licenses
        .map(|one| line(&one.license, one.hand_on))
        .collect();
    let rights: String = rights.map(|one| line(&one.word, one.hand_on)).collect();
    let copy = read("policy/rego/kfm/vocab/licensing/data.yaml");
    let (_, copy) = copy.split_once('\n').unwrap();
    assert_eq!(copy, format!("licenses:\n{licenses}rights:\n{rights}"));
}

/// Modules of two kinds that are seen often and that no version of Open Policy Agent takes.
const WRONG: [(&str, &str); 2] = [
    (
        "records",
        include_str!("../fixtures/rego/wrong_records.rego"),
    ),
    (
        "envelope",
        include_str!("../fixtures/rego/wrong_envelope.rego"),
    ),
];

/// What is said of a module in each dialect, as a user reads it.
#[test]
#[cfg(feature = "rego")]
fn wrong_modules_are_told_what_to_write() {
    for (name, text) in WRONG {
        let mut told = String::new();
        for dialect in [rego::Dialect::V1, rego::Dialect::V0] {
            let mut settings = rego::Settings {
                dialect,
                ..rego::Settings::default()
            };
            settings
                .entries
                .push(rego::Entry::new("data.archive.decision"));
            let files = [(format!("policy/rego/{name}.rego"), text.as_bytes().to_vec())];
            let refused = rego::compile(&files, &settings, &rego::Vocabulary::default());
            told += &format!("--- as {dialect:?}\n");
            for finding in refused.unwrap_err() {
                let help = finding.help.clone().unwrap_or_default();
                told += &format!("{finding}\n  help: {help}\n");
            }
        }
        insta::assert_snapshot!(format!("wrong_{name}"), told);
    }
}

#[test]
fn wrong_modules_are_told_by_policy_show_in_every_build() {
    for (name, text) in WRONG {
        let workspace = Workspace::empty();
        let file = format!("{name}.rego");
        workspace.write(&file, text);
        let shown = workspace.program(&["policy", "show", &file, "--format", "human"]);
        insta::assert_snapshot!(format!("wrong_{name}_shown"), shown.exits(0).stderr);
    }
}
