//! `policy show`: what documents are and say, and what is said about those that can't be read.
//!
//! The samples in `tests/fixtures/documents/` are accepted as they stand; the wrong documents in
//! `tests/wrong_documents/` are refused, each with its place and its help, in the words of the
//! snapshots.

use std::path::{Path, PathBuf};

use policy_orchestrator::policy::catalogue::{self, Kind, Standing, standing};
use proptest::prelude::*;
use serde_json::Value;

use crate::workspace::{Ran, Workspace, shared};

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/documents")
}

/// The rows of the table in the samples' README: file, source, first and last line.
fn table() -> Vec<(String, String, usize, usize)> {
    let readme = std::fs::read_to_string(samples().join("README.md")).unwrap();
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| "));
    rows.filter(|row| row.contains(".txt"))
        .map(|row| {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let (from, to) = cells[2].split_once('-').unwrap();
            (
                cells[0].to_owned(),
                cells[1].to_owned(),
                from.parse().unwrap(),
                to.parse().unwrap(),
            )
        })
        .collect()
}

/// `policy show` of a document that is put into a workspace.
fn show(file: &str, content: &[u8], format: &str) -> Ran {
    let workspace = Workspace::empty();
    workspace.write(file, content);
    workspace.program(&["policy", "show", file, "--format", format])
}

fn sample(file: &str) -> Vec<u8> {
    std::fs::read(samples().join(file)).unwrap()
}

#[test]
fn the_samples_are_byte_for_byte_as_written() {
    let Some(shared) = shared() else { return };
    for (file, source, from, to) in table() {
        let source = std::fs::read_to_string(shared.join("reference").join(source)).unwrap();
        let lines: Vec<&str> = source.split_inclusive('\n').collect();
        let block = lines[from - 1..to].concat();
        assert_eq!(sample(&file), block.as_bytes(), "{file}");
    }
}

#[test]
fn every_sample_is_shown_as_reviewed() {
    let files = table();
    assert_eq!(files.len(), 14);
    for (file, ..) in files {
        let human = show(&file, &sample(&file), "human").exits(0);
        let json = show(&file, &sample(&file), "json").exits(0);
        assert_eq!(json.stderr, human.stderr, "{file}");
        let name = file.replace(['.', '-'], "_");
        insta::assert_snapshot!(
            format!("show_{name}"),
            format!(
                "{}\n--- standard error\n{}\n--- JSON\n{}",
                human.stdout, human.stderr, json.stdout
            )
        );
    }
}

/// Every path of keys below `value`, with `*` nowhere and lists looked through.
fn paths(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) if !members.contains_key("written") => {
            for (key, value) in members {
                let path = format!("{path}.{key}");
                let path = path.trim_start_matches('.');
                found.push(path.to_owned());
                paths(value, path, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| paths(item, path, found)),
        _ => {}
    }
}

/// Does a row's path reach to `path`, or begin with it?
fn covers(row: &str, path: &str) -> bool {
    let same = |(row, path): (&str, &str)| row == "*" || row == path;
    row.split('.').zip(path.split('.')).all(same)
}

#[test]
fn the_table_says_something_about_every_key_of_every_sample() {
    for (file, ..) in table() {
        let shown = show(&file, &sample(&file), "json").exits(0).json();
        let kind = Kind::DOCUMENTED
            .iter()
            .find(|(_, word, ..)| shown["kind"] == *word);
        let (kind, ..) = kind.unwrap();
        let mut found = Vec::new();
        paths(&shown["says"], "", &mut found);
        for path in found {
            let mut rows = standing::of(*kind).flat_map(|row| row.keys);
            assert!(rows.any(|row| covers(row, &path)), "{file}: {path}");
        }
    }
}

#[test]
fn the_table_names_no_key_that_no_sample_has() {
    let mut documents: Vec<(String, Vec<u8>)> = table()
        .into_iter()
        .map(|(file, ..)| (file.clone(), sample(&file)))
        .collect();
    documents.extend(
        own()
            .into_iter()
            .map(|(file, text)| (file.to_owned(), text.as_bytes().to_vec())),
    );
    let mut named: Vec<(Kind, &str)> = Vec::new();
    for (file, bytes) in &documents {
        let found = catalogue::recognise(file, bytes).unwrap();
        let account = catalogue::read(&found).unwrap();
        let rows = account.standing.iter();
        named.extend(rows.flat_map(|row| row.keys.iter().map(|key| (found.kind, *key))));
    }
    for row in standing::ROWS {
        for key in row.keys {
            assert!(named.contains(&(row.kind, key)), "{:?}: {key}", row.kind);
        }
    }
}

/// A document of each kind that this program decides by, with every key that the table names.
fn own() -> [(&'static str, &'static str); 5] {
    [
        (
            "policy/policy_thresholds.json",
            r#"{"name": "strict", "version": "3", "description": "d", "red_integrity": 91, "red_consensus": 86, "red_responses": 7, "yellow_integrity": 96, "yellow_consensus": 91, "yellow_reputation": 81, "yellow_responses": 3}"#,
        ),
        (
            "policy/responses.json",
            r#"{"schema": 1, "builtin": false, "actions": [{"name": "page", "level": "RED", "argv": ["/bin/true"], "timeout_seconds": 30}]}"#,
        ),
        (
            "policy/alerts.json",
            r#"{"schema": 1, "hook": {"argv": ["/bin/cat"], "timeout_seconds": 2.5}, "webhook": {"url_variable": "HOOK"}, "limits": {"red_hours": 2}, "level_changes": {"to": ["RED"]}}"#,
        ),
        (
            "policy.yaml",
            "apiVersion: policy.orchestra.v1\nkind: OrchestrationPolicy\nmetadata: {}\nspec: {}\n",
        ),
        (
            "policy/spend/all.yaml",
            "apiVersion: policy.orchestra.v1\nkind: SpendPolicy\nmetadata: {}\nspec: {}\nversion: '1'\nagents: []\ncurrency: BRL\n",
        ),
    ]
}

#[test]
fn documents_that_decide_here_are_shown_with_what_is_in_force() {
    for (file, text) in own().into_iter().take(3) {
        let human = show(file, text.as_bytes(), "human").exits(0);
        let json = show(file, text.as_bytes(), "json").exits(0);
        let name = file.replace(['.', '/'], "_");
        insta::assert_snapshot!(
            format!("show_{name}"),
            format!("{}\n--- JSON\n{}", human.stdout, json.stdout)
        );
    }
}

#[test]
fn the_policy_document_is_shown_with_its_triggers_and_refused_with_every_problem() {
    let workspace = Workspace::empty();
    workspace.program(&["policy", "init"]).exits(0);
    let shown = workspace
        .program(&["policy", "show", "policy/policy.yaml"])
        .exits(0)
        .json();
    assert_eq!(shown["kind"], "OrchestrationPolicy");
    assert_eq!(shown["says"]["kind"], "OrchestrationPolicy");
    let codes: Vec<&str> = shown["derived"]["triggers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|trigger| trigger["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes.len(), 10);
    assert!(codes.contains(&"INTEGRITY_BELOW_YELLOW"), "{codes:?}");

    let text = workspace.read("policy/policy.yaml");
    workspace.write(
        "policy/policy.yaml",
        text.replacen(
            "kind: OrchestrationPolicy",
            "kind: OrchestrationPolicy\nkind: Other\nspecs: {}",
            1,
        ),
    );
    let ran = workspace
        .program(&["policy", "show", "policy/policy.yaml"])
        .exits(1);
    assert!(
        ran.stderr.contains("KEY_DUPLICATE") && ran.stderr.contains("KEY_UNKNOWN"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_document_is_known_wherever_it_stands() {
    let workspace = Workspace::empty();
    for (file, text) in own().into_iter().take(3) {
        workspace.write("elsewhere.json", text);
        let shown = workspace
            .program(&["policy", "show", "elsewhere.json"])
            .exits(0)
            .json();
        workspace.write(file, text);
        let at_home = workspace.program(&["policy", "show", file]).exits(0).json();
        assert_eq!(shown["says"], at_home["says"]);
        assert_eq!(shown["derived"], at_home["derived"]);
    }
    // A problem is told at the file that was asked for, and not where such a document usually is.
    workspace.write("elsewhere.json", r#"{"schema": 1, "actions": 5}"#);
    let ran = workspace
        .program(&["policy", "show", "elsewhere.json"])
        .exits(1);
    assert!(
        ran.stderr.contains("--> elsewhere.json:1:"),
        "{}",
        ran.stderr
    );
}

#[test]
fn standard_input_is_a_document_too() {
    let workspace = Workspace::empty();
    let mut command = workspace.command(&["policy", "show", "-"]);
    let file = std::fs::File::open(samples().join("agent.yaml")).unwrap();
    let ran = Ran::from(command.stdin(file).output().unwrap()).exits(0);
    let limits = &ran.json()["says"]["agent_policies"]["resource_limits"][0]["limits"];
    assert_eq!(limits["cpu"]["value"], 0.1);
    assert_eq!(limits["memory"]["value"], 134_217_728);
    assert_eq!(limits["storage"]["value"], 1_073_741_824);
}

#[test]
fn the_same_document_in_json_says_the_same() {
    let yaml = show("a.yaml", b"agent_policies:\n  resource_limits:\n    - name: x\n      scope: y\n      limits: {cpu: 2}\n      enforcement: strict\n", "json").exits(0).json();
    let json = show("a.json", br#"{"agent_policies": {"resource_limits": [{"name": "x", "scope": "y", "limits": {"cpu": 2}, "enforcement": "strict"}]}}"#, "json").exits(0).json();
    assert_eq!(yaml["says"], json["says"]);
    let shown = show("a.yaml", b"\xef\xbb\xbfsystem_policies: {}\r\n", "json")
        .exits(0)
        .json();
    assert_eq!(shown["kind"], "system_policies");
}

#[test]
fn show_changes_nothing_and_needs_a_file() {
    let workspace = Workspace::healthy();
    workspace.write("a.yaml", sample("system.yaml"));
    let before = workspace.snapshot();
    workspace.program(&["policy", "show", "a.yaml"]).exits(0);
    assert_eq!(workspace.snapshot(), before);
    workspace.program(&["policy", "show"]).exits(2);
    let ran = workspace
        .program(&["policy", "show", "nowhere.yaml"])
        .exits(1);
    assert!(ran.stderr.contains("FILE_UNREADABLE"), "{}", ran.stderr);
    workspace.write("large.yaml", vec![b' '; 1024 * 1024 + 1]);
    let ran = workspace
        .program(&["policy", "show", "large.yaml"])
        .exits(1);
    assert!(ran.stderr.contains("FILE_TOO_LARGE"), "{}", ran.stderr);
    let ran = workspace.program(&["policy", "show", "."]).exits(1);
    assert!(ran.stderr.contains("FILE_NOT_REGULAR"), "{}", ran.stderr);
}

#[test]
fn rego_is_listed_and_nobody_pretends_to_evaluate_it() {
    let ran = show("a.rego", &sample("data_access.rego"), "json").exits(0);
    let shown = ran.json();
    let names: Vec<&str> = shown["says"]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "allow",
            "valid_business_justification",
            "approval_not_expired",
            "violation"
        ]
    );
    assert_eq!(shown["enforced_here"], serde_json::json!([]));
    let note = shown["left_to_the_caller"][0]["note"].as_str().unwrap();
    assert!(note.contains("none is evaluated"), "{note}");
}

#[test]
fn every_kind_has_a_row_and_a_standing() {
    for (kind, word, ..) in Kind::DOCUMENTED {
        let mut rows = standing::of(*kind);
        assert!(rows.any(|row| row.standing != Standing::Told), "{word}");
    }
}

/// Every case of a directory below `tests/wrong_documents/`: its name, and the file with its text.
fn wrong(directory: &Path) -> Vec<(String, String, String)> {
    let files = std::fs::read_dir(directory).unwrap();
    let mut cases: Vec<_> = files
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "case"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let (head, body) = text.split_once("\n===\n").unwrap();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, head.trim().to_owned(), body.to_owned())
        })
        .collect();
    cases.sort();
    cases
}

#[test]
fn wrong_documents_are_refused_as_reviewed() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wrong_documents");
    let cases = wrong(&directory);
    assert!(cases.len() >= 40, "{}", cases.len());
    let mut all = String::new();
    for (name, file, body) in cases {
        let ran = show(&file, body.as_bytes(), "json").exits(1);
        assert_eq!(ran.stdout, "", "{name}");
        let findings = ran.stderr.matches("\n  --> ").count();
        let helps = ran.stderr.matches("\n  help: ").count();
        assert!(findings > 0 && helps == findings, "{name}: {}", ran.stderr);
        all.push_str(&format!("# {name}\n{}\n", ran.stderr));
    }
    insta::assert_snapshot!("wrong_documents", all);
}

#[test]
fn odd_documents_are_read_with_warnings_as_reviewed() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/odd_documents");
    let mut all = String::new();
    for (name, file, body) in wrong(&directory) {
        let ran = show(&file, body.as_bytes(), "json").exits(0);
        let warnings = ran.json()["warnings"].as_array().unwrap().len();
        assert_eq!(ran.stderr.matches("warning[").count(), warnings, "{name}");
        assert!(warnings > 0, "{name}");
        all.push_str(&format!("# {name}\n{}\n", ran.stderr));
    }
    insta::assert_snapshot!("odd_documents", all);
}

/// A sample with a part cut out and another put in.
fn mangled() -> impl Strategy<Value = (String, Vec<u8>)> {
    let piece = prop_oneof![
        Just(String::new()),
        "[\\-\\[\\]{}:,\"'`#&*!|>%@ \\n\\t0-9a-z~]{0,12}",
        Just("---\n".to_owned()),
        Just("\u{fffd}é".to_owned()),
    ];
    (
        0..table().len(),
        any::<(prop::sample::Index, prop::sample::Index)>(),
        piece,
    )
        .prop_map(|(index, (from, length), piece)| {
            let (file, ..) = table().swap_remove(index);
            let mut bytes = sample(&file);
            let from = from.index(bytes.len());
            let length = length.index(bytes.len() - from).min(40);
            bytes.splice(from..from + length, piece.into_bytes());
            (file, bytes)
        })
}

proptest! {
    #[test]
    fn a_mangled_document_is_read_or_refused_with_a_remedy((file, bytes) in mangled()) {
        let read = catalogue::recognise(&file, &bytes)
            .map_err(|finding| vec![*finding])
            .and_then(|found| catalogue::read(&found));
        if let Err(findings) = read {
            prop_assert!(!findings.is_empty());
            for finding in findings {
                prop_assert!(finding.help.is_some() && finding.expected.is_some(), "{finding}");
                prop_assert!(finding.place.line.is_some(), "{finding}");
            }
        }
    }
}

#[test]
fn a_policy_is_of_the_form_that_its_bytes_have_wherever_it_stands() {
    let small = r#"{"red_integrity": 88}"#;
    let large = std::fs::read("src/policy/reference.yaml").unwrap();
    let in_json = r#"{"apiVersion": "policy.orchestra.v1", "kind": "OrchestrationPolicy",
        "metadata": {"name": "p", "version": "1"}, "spec": {"signals": [{"name": "trust"}],
        "triggers": [{"code": "LOCKED", "signal": "trust", "level": "RED", "equals": "locked"}]}}"#;
    let files = [
        "policy/policy.yaml",
        "policy/policy.yml",
        "policy/policy.json",
        "policy/policy_thresholds.json",
        "elsewhere.json",
    ];
    for file in files {
        let forms = [
            (small.as_bytes(), "policy_thresholds"),
            (large.as_slice(), "OrchestrationPolicy"),
            (in_json.as_bytes(), "OrchestrationPolicy"),
        ];
        for (content, kind) in forms {
            let shown = show(file, content, "json").exits(0).json();
            assert_eq!(shown["kind"], kind, "{file}: {shown}");
        }
    }
}
