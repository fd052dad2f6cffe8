//! Tests of rules, by the conventions of Open Policy Agent: rules named `test_…` in files named
//! `…_test.rego`. A test passes where its value is defined and not `false`; `todo_test_…` is skipped.
//!
//! Tests are evaluated by the interpreter, which knows `with`. For them it is the beginning of 1970, until they say `with time.now_ns as …`.

use regorus::{Engine, Value};

use super::compiled;
use super::parts::{Module, Parts};
use super::settings::Settings;
use super::tested::{Outcome, Test, Tested};
use super::{builtins, coverage, problems, watch};
use crate::diagnostic::{Code, Diagnostic, Place};

/// The memory for rules that ask each other; a test has to be told of, not to end the program.
const STACK: usize = 256 * 1024 * 1024;

/// Runs every test of these files, and says which lines of the rules they evaluate where somebody asks.
pub fn test(
    documents: &[(String, Vec<u8>)],
    settings: &Settings,
    has_coverage: bool,
) -> Result<Tested, Vec<Diagnostic>> {
    let run = || run(documents, settings, has_coverage);
    let builder = std::thread::Builder::new().stack_size(STACK);
    let ended = std::thread::scope(|scope| {
        let thread = builder.spawn_scoped(scope, run).ok()?;
        thread.join().ok()
    });
    ended.unwrap_or_else(|| {
        let place = Place::file(&settings.root);
        Err(vec![
            Diagnostic::new(
                Code::RegoInvalid,
                place,
                "the tests could not be run to their end",
            )
            .found("a thread that did not start, or did not end")
            .expected("rules and tests that the evaluator can evaluate")
            .help("run the files one by one to see which it is"),
        ])
    })
}

fn run(
    documents: &[(String, Vec<u8>)],
    settings: &Settings,
    has_coverage: bool,
) -> Result<Tested, Vec<Diagnostic>> {
    let mut parts = Parts::of(documents, settings);
    let tests = std::mem::take(&mut parts.tests);
    let mut loaded = compiled::engine(&mut parts, &tests);
    if parts.findings.is_empty() {
        let all: Vec<Module> = parts.modules.iter().chain(&tests).cloned().collect();
        loaded.prepare(&all, &mut parts.findings);
    }
    if !parts.findings.is_empty() {
        return Err(parts.findings);
    }
    let mut engine = loaded.engine;
    engine.set_execution_timer_config(watch::timer(settings.limits));
    if has_coverage {
        coverage::begin(&mut engine);
    }
    let mut tested = Tested::default();
    for module in &tests {
        for (line, name) in named(module) {
            let ask = || outcome(&mut engine, &name);
            let outcome = match watch::within(settings.limits, false, ask) {
                (Outcome::Error(_), true) => Outcome::Error(watch::MEMORY.to_owned()),
                (outcome, _) => outcome,
            };
            tested.tests.push(Test {
                file: module.file.clone(),
                line,
                name,
                outcome,
            });
        }
    }
    if has_coverage {
        tested.coverage = coverage::end(&engine, documents, settings);
    }
    Ok(tested)
}

/// The tests of a module with their lines: each name once, since its rules are one rule.
fn named(module: &Module) -> Vec<(u64, String)> {
    let lines = || (1..).zip(module.text.lines());
    let package = lines().find_map(|(_, line)| line.trim().strip_prefix("package "));
    let package = package
        .unwrap_or_default()
        .split('#')
        .next()
        .unwrap_or_default();
    let mut found: Vec<(u64, String)> = Vec::new();
    for (number, line) in lines() {
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let length = line.bytes().take_while(is_name).count();
        let name = line.get(..length).unwrap_or_default();
        let is_test = name.starts_with("test_") || name.starts_with("todo_test_");
        let is_function = line.as_bytes().get(length) == Some(&b'(');
        let path = format!("data.{}.{name}", package.trim());
        if is_test && !is_function && !found.iter().any(|(_, known)| *known == path) {
            found.push((number, path));
        }
    }
    found
}

fn outcome(engine: &mut Engine, rule: &str) -> Outcome {
    let name = rule.rsplit('.').next().unwrap_or(rule);
    if name.starts_with("todo_") {
        return Outcome::Skipped;
    }
    match builtins::at(0, || engine.eval_rule(rule.to_owned())) {
        Ok(Value::Undefined | Value::Bool(false)) => Outcome::Failed,
        Ok(_) => Outcome::Passed,
        Err(error) => {
            let (place, message) = problems::taken_apart(&error.to_string());
            let place = place.map_or(String::new(), |(file, line, _)| format!(" ({file}:{line})"));
            Outcome::Error(format!("{message}{place}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_pass_fail_err_and_wait() {
        let rules = "package p\nallow if input.x == 1\ndeny if input.x == 2\n";
        let tests = "package p_test\nimport data.p\ntest_yes if p.allow with input as {\"x\": 1}\ntest_no if p.allow with input as {\"x\": 3}\ntest_odd := x if some x in [1, 2]\ntodo_test_later if false\ntest_time if time.now_ns() == 5 with time.now_ns as 5\ntest_helper(x) := x\ntest_zero if time.now_ns() == 0\n";
        let files = [
            ("policy/rego/p.rego".to_owned(), rules.as_bytes().to_vec()),
            (
                "policy/tests/p_test.rego".to_owned(),
                tests.as_bytes().to_vec(),
            ),
        ];
        let tested = test(&files, &Settings::default(), false).unwrap();
        let outcomes: Vec<(&str, &Outcome)> = tested
            .tests
            .iter()
            .map(|test| (test.name.as_str(), &test.outcome))
            .collect();
        assert!(
            matches!(
                outcomes.as_slice(),
                [
                    ("data.p_test.test_yes", Outcome::Passed),
                    ("data.p_test.test_no", Outcome::Failed),
                    ("data.p_test.test_odd", Outcome::Error(_)),
                    ("data.p_test.todo_test_later", Outcome::Skipped),
                    ("data.p_test.test_time", Outcome::Passed),
                    ("data.p_test.test_zero", Outcome::Passed),
                ]
            ),
            "{outcomes:?}"
        );
    }

    #[test]
    fn lines_that_no_test_evaluates_are_told_of_every_module() {
        let rules = "package p\n\ndefault allow := false\n\nallow if {\n\tinput.x == 1\n\tinput.y == 2\n}\n\ndeny contains \"z\" if input.z\n";
        let helpers = "package q\n\ndouble(x) := y if {\n\ty := x * 2\n}";
        let tests = "package p_test\ntest_no if not data.p.allow with input as {\"x\": 2}\n";
        let files = [
            ("policy/rego/p.rego", rules),
            ("policy/rego/q.rego", helpers),
            ("policy/tests/p_test.rego", tests),
        ];
        let files = files.map(|(file, text)| (file.to_owned(), text.as_bytes().to_vec()));
        let tested = test(&files, &Settings::default(), true).unwrap();
        let coverage = tested.coverage.unwrap();
        let told = |file: &str, covered: bool| -> Vec<(u32, u32)> {
            let lines = &coverage.files[file];
            let ranges = if covered {
                &lines.covered
            } else {
                &lines.not_covered
            };
            ranges
                .iter()
                .map(|one| (one.start.row, one.end.row))
                .collect()
        };
        assert_eq!(told("policy/rego/p.rego", true), [(3, 3), (6, 6)]);
        assert_eq!(told("policy/rego/p.rego", false), [(7, 7), (10, 10)]);
        assert_eq!(told("policy/rego/q.rego", true), []);
        assert_eq!(told("policy/rego/q.rego", false), [(3, 4)]);
        assert_eq!(coverage.files.len(), 2);
        assert_eq!(
            test(&files, &Settings::default(), false).unwrap().coverage,
            None
        );
    }

    #[test]
    fn a_chain_of_many_rules_ends_no_program() {
        let mut rules = "package p\nr0 if input.x\n".to_owned();
        for number in 1..1000 {
            rules.push_str(&format!("r{number} if r{}\n", number - 1));
        }
        let tests = "package p_test\ntest_last if data.p.r999 with input as {\"x\": 1}\n";
        let files = [
            ("policy/rego/p.rego".to_owned(), rules.into_bytes()),
            (
                "policy/tests/p_test.rego".to_owned(),
                tests.as_bytes().to_vec(),
            ),
        ];
        let tested = test(&files, &Settings::default(), false).unwrap();
        assert_eq!(tested.tests[0].outcome, Outcome::Passed);
    }
}
