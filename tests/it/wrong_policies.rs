//! The corpus of wrong policy documents in `tests/wrong_policies/`: what `policy check` says of each.

use std::path::{Path, PathBuf};

use proptest::prelude::Strategy as _;
use serde_json::Value;

use crate::workspace::{AT, Workspace};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wrong_policies")
}

/// The documents of a group, or all of them, with their bytes.
fn documents(group: &str) -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(directory()).unwrap();
    let mut found: Vec<(String, Vec<u8>)> = files
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read(&path).unwrap())
        })
        .filter(|(name, _)| name.starts_with(group) && name != "README.md")
        .collect();
    found.sort();
    found
}

/// How many mistakes were planted: the first line says it, where they are several.
fn planted(bytes: &[u8]) -> usize {
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap();
    let number = std::str::from_utf8(first).ok();
    number
        .and_then(|first| first.strip_prefix("# mistakes: "))
        .map_or(1, |number| number.trim().parse().unwrap())
}

/// Checks documents and holds each error against what every error has to have.
fn errors_of(names: &[String]) -> Vec<Vec<Value>> {
    let workspace = Workspace::empty();
    let mut arguments = vec!["policy", "check", "--at", AT, "--format", "json"];
    arguments.extend(names.iter().map(String::as_str));
    let ran = workspace
        .command(&arguments)
        .current_dir(directory())
        .output();
    let ran = crate::workspace::Ran::from(ran.unwrap()).exits(1);
    assert_eq!(ran.stderr, "");
    let json = ran.json();
    let documents = json["documents"].as_array().unwrap().iter();
    documents
        .zip(names)
        .map(|(document, name)| {
            assert_eq!(
                (&document["file"], &document["policy"]),
                (&Value::from(name.as_str()), &Value::Null),
                "{name}"
            );
            let errors = document["findings"].as_array().unwrap();
            for error in errors {
                let place = &error["place"];
                assert_eq!(error["severity"], "error", "{error}");
                assert_eq!(place["file"], name.as_str(), "{error}");
                assert!(place["line"].as_u64().unwrap() > 0, "{error}");
                assert!(place["column"].as_u64().unwrap() > 0, "{error}");
                for key in ["message", "found", "expected", "help"] {
                    assert!(
                        error[key].as_str().is_some_and(|text| !text.is_empty()),
                        "{error}"
                    );
                }
            }
            let places = errors.iter().map(|error| {
                let place = &error["place"];
                (
                    place["line"].as_u64().unwrap(),
                    place["column"].as_u64().unwrap(),
                )
            });
            assert!(places.is_sorted(), "{name}");
            errors.clone()
        })
        .collect()
}

fn check(group: &str) {
    let documents = documents(&format!("{group}-"));
    assert!(!documents.is_empty(), "no document in the group {group}");
    let names: Vec<String> = documents.iter().map(|(name, _)| name.clone()).collect();
    for ((name, bytes), errors) in documents.iter().zip(errors_of(&names)) {
        assert!(errors.len() >= planted(bytes), "{name}: {errors:#?}");
    }
    let mut text = String::new();
    for name in &names {
        let workspace = Workspace::empty();
        let arguments = ["policy", "check", name, "--at", AT, "--format", "human"];
        let ran = workspace
            .command(&arguments)
            .current_dir(directory())
            .output();
        let ran = crate::workspace::Ran::from(ran.unwrap()).exits(1);
        assert!(!ran.stdout.contains('\u{1b}'), "{name}");
        text.push_str(&format!("## {name}\n{}\n", ran.stdout));
    }
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!(format!("wrong_{group}"), text);
    });
}

#[test]
fn wrong_text() {
    check("text");
}

#[test]
fn wrong_yaml() {
    check("yaml");
}

#[test]
fn wrong_head() {
    check("head");
}

#[test]
fn wrong_keys() {
    check("keys");
}

#[test]
fn wrong_types() {
    check("types");
}

#[test]
fn wrong_scalars() {
    check("scalars");
}

#[test]
fn wrong_values() {
    check("values");
}

#[test]
fn wrong_signals() {
    check("signals");
}

#[test]
fn wrong_triggers() {
    check("triggers");
}

#[test]
fn wrong_levels() {
    check("levels");
}

#[test]
fn wrong_waivers() {
    check("waivers");
}

#[test]
fn wrong_hysteresis() {
    check("hysteresis");
}

#[test]
fn wrong_freeze() {
    check("freeze");
}

#[test]
#[cfg(feature = "cel")]
fn wrong_cel() {
    check("cel");
}

#[test]
fn wrong_json() {
    check("json");
}

#[test]
fn wrong_small() {
    check("small");
}

#[test]
fn every_document_is_in_a_group_and_there_are_many() {
    let groups = [
        "text",
        "yaml",
        "head",
        "keys",
        "types",
        "scalars",
        "values",
        "signals",
        "triggers",
        "levels",
        "waivers",
        "hysteresis",
        "freeze",
        "cel",
        "json",
        "small",
    ];
    let all = documents("");
    let stray: Vec<&String> = all
        .iter()
        .map(|(name, _)| name)
        .filter(|name| !groups.contains(&name.split('-').next().unwrap().trim_end_matches(".yaml")))
        .collect();
    assert_eq!(stray, Vec::<&String>::new());
    assert!(all.len() >= 80, "{}", all.len());
}

/// Documents that are too large or too deep to be kept: their errors have no less than the others.
#[test]
fn what_is_too_large_or_too_deep_is_told_in_bounded_time_and_space() {
    let workspace = Workspace::empty();
    let head = "apiVersion: policy.orchestra.v1\nkind: OrchestrationPolicy\nmetadata: {name: p, version: \"1\"}\n";
    let limit = 256 * 1024;
    let many_errors = format!("{head}spec:\n{}", "  k: 1\n".repeat(30_000));
    let long_line = format!("{head}spec: [{}]\n", "1, ".repeat(60_000));
    let deep = |open: &str, count: usize| format!("{head}spec: {}", open.repeat(count));
    let aliases = format!(
        "{head}a: &a [{}]\nspec: [{}]\n",
        "x,".repeat(20_000),
        "*a,".repeat(20_000)
    );
    let cases = [
        (
            "300-kb.yaml",
            format!("{head}{}", "# nothing\n".repeat(30_000)),
            "FILE_TOO_LARGE",
        ),
        ("many-errors.yaml", many_errors, "KEY_UNKNOWN"),
        ("long-line.yaml", long_line, "VALUE_TYPE"),
        ("deep-list.yaml", deep("[", 100_000), "YAML_SYNTAX"),
        ("deep-map.yaml", deep("{a: ", 50_000), "YAML_SYNTAX"),
        (
            "deep-block.yaml",
            format!("{head}spec:\n {}", "- ".repeat(100_000)),
            "YAML_SYNTAX",
        ),
        ("deep-anchors.yaml", deep("&a [", 50_000), "YAML_SYNTAX"),
        ("many-aliases.yaml", aliases, "YAML_SYNTAX"),
        (
            "deep.json",
            format!("{{\"apiVersion\": {}", "[".repeat(100_000)),
            "YAML_SYNTAX",
        ),
    ];
    for (name, text, code) in cases {
        assert!(text.len() < limit || name == "300-kb.yaml", "{name}");
        workspace.write(name, &text);
        let ran = workspace
            .program(&["policy", "check", name, "--format", "json"])
            .exits(1);
        assert!(
            ran.stdout.len() < 128 * 1024,
            "{name}: {}",
            ran.stdout.len()
        );
        let findings = ran.json()["documents"][0]["findings"].clone();
        let first = &findings[0];
        assert_eq!(first["code"], code, "{name}: {first}");
        assert!(first["help"].is_string(), "{name}");
        assert!(
            first["place"]["line"].is_u64() || code == "FILE_TOO_LARGE",
            "{name}: {first}"
        );
        let human = workspace
            .program(&["policy", "check", name, "--format", "human"])
            .exits(1);
        assert!(
            human.stdout.len() < 128 * 1024,
            "{name}: {}",
            human.stdout.len()
        );
    }
}

/// A document as a JSON value, as an editor's schema sees it; `None` for one that is no YAML.
fn as_json(bytes: &[u8]) -> Option<Value> {
    serde_saphyr::from_str(std::str::from_utf8(bytes).ok()?).ok()
}

/// True for an error that the schema can know of: a key or a value of the wrong shape.
fn is_of_shape(error: &Value) -> bool {
    let text = |key: &str| error[key].as_str().unwrap();
    match text("code") {
        "KEY_UNKNOWN" => text("expected").starts_with("one of "),
        "KEY_MISSING" => {
            let keys = [
                "apiVersion",
                "kind",
                "metadata",
                "spec",
                "version",
                "signals",
                "triggers",
                "code",
                "level",
                "trigger",
                "reason",
                "by",
                "ticket",
                "expires",
            ];
            let message = text("message");
            keys.iter().any(|key| message.contains(&format!("`{key}`")))
        }
        "VALUE_TYPE" => text("message") == "this is a value of another kind",
        "VALUE_UNKNOWN" => text("message").starts_with("this word is none of those"),
        _ => false,
    }
}

#[test]
fn what_is_wrong_in_shape_is_refused_by_the_published_schema() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| std::fs::read(root.join(name)).unwrap();
    let schema = read("policy/schema/orchestration-policy.v1.schema.json");
    let schema = serde_json::from_slice(&schema).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let reference = as_json(&read("src/policy/reference.yaml")).unwrap();
    let errors: Vec<String> = schema
        .iter_errors(&reference)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, Vec::<String>::new());
    let documents = documents("");
    let names: Vec<String> = documents.iter().map(|(name, _)| name.clone()).collect();
    let mut accepted = Vec::new();
    let mut checked = 0;
    for ((name, bytes), errors) in documents.iter().zip(errors_of(&names)) {
        // A reader that knows no places takes one of two equal keys.
        let shape = errors.iter().any(is_of_shape);
        let Some(json) = as_json(bytes).filter(|_| shape) else {
            continue;
        };
        checked += 1;
        if schema.is_valid(&json) {
            accepted.push(name);
        }
    }
    assert_eq!(accepted, Vec::<&String>::new());
    assert!(checked > 25, "{checked}");
}

const TEMPLATE: &str = policy_orchestrator::policy::document::TEMPLATE;

/// A change of the text at a place: bytes left out, others in their stead.
fn mutated(mutations: &[(usize, usize, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = TEMPLATE.as_bytes().to_vec();
    for (at, length, instead) in mutations {
        let begin = at % (bytes.len() + 1);
        let end = (begin + length).min(bytes.len());
        bytes.splice(begin..end, instead.iter().copied());
    }
    bytes
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

    /// Whatever happens to a document: it is read, or there is an error that says where and what to do.
    #[test]
    fn a_changed_document_is_read_or_refused_with_a_place(
        mutations in proptest::collection::vec(
            (
                proptest::prelude::any::<usize>(),
                0_usize..40,
                proptest::prop_oneof![
                    proptest::collection::vec(proptest::prelude::any::<u8>(), 0..6),
                    "[-:{}\\[\\],#&*!|>'\"%@`?\\\\ \\n\\r\\t0-9a-zA-Zäö.]{0,8}".prop_map(String::into_bytes),
                    proptest::sample::select(vec![
                        "- ", ": ", "&a ", "*a", "<<: ", "|\n", ">-\n", "'", "\"", "{", "[", "~", "null", "\u{feff}",
                        "---\n", "...\n", "? ", "!!str ", "1e999", ".nan", "0x1f", "\r\n", "\t", "when: a < 1.0 && ",
                    ]).prop_map(|text| text.as_bytes().to_vec()),
                ],
            ),
            1..6,
        ),
    ) {
        let bytes = mutated(&mutations);
        if let Err(problems) = policy_orchestrator::policy::document::parse_with_places("p.yaml", &bytes) {
            proptest::prop_assert!(!problems.is_empty());
            let lines = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).count() as u64;
            for problem in problems {
                let line = problem.place.line.unwrap();
                proptest::prop_assert!((1..=lines + 1).contains(&line), "{} of {}", problem, lines);
                proptest::prop_assert!(problem.place.column.is_some() && problem.help.is_some(), "{}", problem);
            }
        }
    }
}
