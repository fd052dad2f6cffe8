//! The corpus of wrong policy documents in `tests/wrong_policies/`: what `policy check` says of each.

use std::path::{Path, PathBuf};

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
fn errors(names: &[String]) -> Vec<Vec<Value>> {
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
    for ((name, bytes), errors) in documents.iter().zip(errors(&names)) {
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
