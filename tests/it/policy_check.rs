//! `policy check` from outside: where documents come from, the formats, the exit codes.

use serde_json::Value;

use crate::workspace::{AT, Ran, Workspace};

const WRONG: &str = "apiVersion: policy.orchestra.v1
kind: OrchestrationPolicy
metadata: {name: \"größe\", version: 1}
spec:
  signals: [{name: integrity}]
  triggers:
    - {code: LOW, signal: integrety, level: RED, below: 90}
";

/// Warnings alone: a level that nothing demands.
const UNWISE: &str = "apiVersion: policy.orchestra.v1
kind: OrchestrationPolicy
metadata: {name: p, version: \"1\", description: a policy, owner: ana}
spec:
  levels: [ORANGE]
  signals: [{name: trust, max_age: 1d}, {name: integrity, max_age: 1d}]
  triggers:
    - {code: LOCKED, signal: trust, level: RED, equals: locked}
    - {code: LOW, signal: integrity, level: RED, below: 90}
    - {code: LOWER, signal: integrity, level: YELLOW, below: 95}
";

fn check(workspace: &Workspace, more: &[&str]) -> Ran {
    let mut arguments = vec!["policy", "check", "--at", AT];
    arguments.extend(more);
    workspace.program(&arguments)
}

fn codes(document: &Value) -> Vec<&str> {
    let findings = document["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|finding| finding["code"].as_str().unwrap())
        .collect()
}

#[test]
fn the_document_of_the_workspace_is_checked_without_a_name() {
    let workspace = Workspace::empty();
    let human = ["--format", "human"];
    let none = check(&workspace, &human).exits(0);
    assert_eq!(
        none.stdout,
        "there is no policy document: the reference policy decides\n"
    );
    assert_eq!(
        check(&workspace, &[]).exits(0).json()["documents"],
        Value::Array(Vec::new())
    );
    workspace.write("policy/policy.yml", WRONG);
    let before = workspace.snapshot();
    let ran = check(&workspace, &[]).exits(1);
    let json = ran.json();
    assert_eq!(
        (&json["schema"], &json["errors"]),
        (&Value::from(1), &Value::from(2))
    );
    assert_eq!(json["documents"][0]["file"], "policy/policy.yml");
    assert_eq!(
        codes(&json["documents"][0]),
        ["VALUE_TYPE", "VALUE_UNKNOWN"]
    );
    assert_eq!(workspace.snapshot(), before);
}

#[test]
fn of_two_documents_that_stand_side_by_side_both_are_checked() {
    let workspace = Workspace::empty();
    workspace.write("policy/policy.yaml", WRONG);
    workspace.write("policy/policy_thresholds.json", "{\"red_integrity\": 101}");
    let json = check(&workspace, &[]).exits(1).json();
    let documents = &json["documents"];
    assert_eq!(
        codes(&documents[0]),
        ["POLICY_AMBIGUOUS", "VALUE_TYPE", "VALUE_UNKNOWN"]
    );
    assert_eq!(codes(&documents[1]), ["VALUE_RANGE"]);
}

#[test]
fn several_files_and_standard_input() {
    let workspace = Workspace::empty();
    workspace.write("a b.yaml", WRONG);
    workspace.write("sound.yaml", UNWISE);
    let json = check(
        &workspace,
        &["./a b.yaml", "sound.yaml", "absent.yaml", "."],
    )
    .exits(1)
    .json();
    let files: Vec<&str> = json["documents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|document| document["file"].as_str().unwrap())
        .collect();
    assert_eq!(files, ["./a b.yaml", "sound.yaml", "absent.yaml", "."]);
    assert_eq!(
        json["documents"][0]["findings"][0]["place"]["file"],
        "./a b.yaml"
    );
    assert_eq!(json["documents"][1]["policy"]["name"], "p");
    assert_eq!(codes(&json["documents"][2]), ["FILE_UNREADABLE"]);
    assert_eq!(codes(&json["documents"][3]), ["FILE_NOT_REGULAR"]);
    for (text, code) in [
        (WRONG, "VALUE_TYPE"),
        ("{\"red_integrity\": 101}", "VALUE_RANGE"),
    ] {
        let ran = workspace.fed(&["policy", "check", "-"], text).exits(1);
        let json = ran.json();
        assert_eq!(
            (
                &json["documents"][0]["file"],
                codes(&json["documents"][0])[0]
            ),
            (&Value::from("-"), code)
        );
    }
}

#[test]
fn warnings_are_a_reason_to_fail_only_where_that_is_asked_for() {
    let workspace = Workspace::empty();
    workspace.write("policy/policy.yaml", UNWISE);
    let json = check(&workspace, &[]).exits(0).json();
    assert_eq!(
        (&json["errors"], &json["warnings"]),
        (&Value::from(0), &Value::from(1))
    );
    assert_eq!(check(&workspace, &["--strict"]).exits(1).json(), json);
    workspace.write(
        "policy/policy.yaml",
        UNWISE.replace("  levels: [ORANGE]\n", ""),
    );
    check(&workspace, &["--strict"]).exits(0);
    check(&workspace, &["--at", "soon"]).exits(2);
    let other = workspace.program(&["status", "--format", "sarif"]).exits(2);
    assert!(
        other.stderr.contains("`human` or `json`"),
        "{}",
        other.stderr
    );
}

#[test]
fn github_is_told_in_annotations() {
    let workspace = Workspace::empty();
    workspace.write("sub/policy/policy.yaml", WRONG);
    let arguments = [
        "--workspace",
        "sub",
        "policy",
        "check",
        "--format",
        "github",
    ];
    let ran = workspace
        .command(&arguments)
        .env("GITHUB_WORKSPACE", workspace.path())
        .output()
        .unwrap();
    insta::assert_snapshot!("github", Ran::from(ran).exits(1).stdout);
}

#[test]
fn sarif_follows_the_schema_of_oasis() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/sarif/sarif-schema-2.1.0.json");
    let schema = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let workspace = Workspace::empty();
    workspace.write("a b.yaml", WRONG);
    workspace.write("sound.yaml", UNWISE);
    let log = check(
        &workspace,
        &["a b.yaml", "sound.yaml", "absent.yaml", "--format", "sarif"],
    )
    .exits(1)
    .json();
    let errors: Vec<String> = schema
        .iter_errors(&log)
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    assert_eq!(errors, Vec::<String>::new());
    let mut wrong = log.clone();
    wrong["runs"][0]["results"][0]["level"] = "fatal".into();
    assert!(!schema.is_valid(&wrong));
    let run = &log["runs"][0];
    let results = run["results"].as_array().unwrap();
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for result in results {
        let index = result["ruleIndex"].as_u64().unwrap();
        assert_eq!(
            rules[usize::try_from(index).unwrap()]["id"],
            result["ruleId"]
        );
    }
    let place = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "a%20b.yaml");
    // Characters, where our places are bytes: `größe` stands before it.
    assert_eq!(
        place["region"],
        serde_json::json!({"startLine": 3, "startColumn": 36})
    );
    assert_eq!(
        results.last().unwrap()["locations"][0]["physicalLocation"]["region"],
        Value::Null
    );
}

#[test]
fn a_person_sees_the_line_and_a_mark_under_the_place() {
    let workspace = Workspace::empty();
    workspace.write("policy/policy.yaml", WRONG);
    let human = check(&workspace, &["--format", "human"]).exits(1).stdout;
    insta::assert_snapshot!("human", human);
    let coloured = check(&workspace, &["--format", "human", "--color", "always"])
        .exits(1)
        .stdout;
    assert!(
        coloured.contains("\u{1b}[1;31merror[VALUE_TYPE]\u{1b}[0m"),
        "{coloured}"
    );
}

#[cfg(feature = "cel")]
/// The template with every example taken into the document: the lines of comment behind one that
/// ends in a colon.
fn with_examples() -> String {
    let template = policy_orchestrator::policy::document::TEMPLATE;
    let (head, spec) = template.split_once("spec:\n").unwrap();
    let mut text = format!("{head}spec:\n");
    let mut is_example = false;
    for line in spec.lines() {
        let (indent, comment) = match line.trim_start().strip_prefix('#') {
            Some(comment) => (line.len() - line.trim_start().len(), comment),
            None => (0, ""),
        };
        if comment.is_empty() {
            is_example = false;
            text.push_str(line);
        } else if is_example {
            text.push_str(&" ".repeat(indent));
            text.push_str(comment.strip_prefix(' ').unwrap());
        } else {
            is_example = comment.ends_with(':');
        }
        text.push('\n');
    }
    text
}

#[cfg(feature = "cel")]
#[test]
fn the_examples_of_the_template_can_be_used_as_they_stand() {
    let workspace = Workspace::empty();
    let text = with_examples();
    for example in [
        "- name: coverage",
        "levels:",
        "when:",
        "hysteresis:",
        "waivers:",
        "freeze:",
        "argv:",
    ] {
        let is_there = |line: &str| line.trim_start().starts_with(example);
        assert!(text.lines().any(is_there), "{example} in {text}");
    }
    workspace.write("policy/policy.yaml", &text);
    let checked = check(&workspace, &[]).exits(0).json();
    let document = &checked["documents"][0];
    // Nobody owns it yet, and neither an age nor ORANGE is asked for but where it is shown how.
    assert_eq!(
        codes(document),
        ["undescribed", "no-max-age", "unused-level"],
        "{document:#}"
    );
}

fn fifo(workspace: &Workspace, name: &str) {
    let path = workspace.file(name);
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
}

#[test]
fn a_pipe_that_nobody_writes_to_is_refused_and_never_waited_for() {
    let workspace = Workspace::healthy();
    fifo(&workspace, "pipe.yaml");
    workspace.write("good.yaml", UNWISE);
    let commands: [&[&str]; 8] = [
        &["policy", "check", "pipe.yaml"],
        &["policy", "show", "pipe.yaml"],
        &["policy", "diff", "pipe.yaml", "good.yaml"],
        &["policy", "test", "pipe.yaml"],
        &["policy", "test", "--policy", "pipe.yaml"],
        &["policy", "backtest", "pipe.yaml"],
        &["policy", "backtest", "good.yaml", "--journal", "pipe.yaml"],
        &["explain", "--inputs", "pipe.yaml"],
    ];
    for command in commands {
        let ran = workspace.program(command);
        assert!(ran.code != 0, "{command:?}");
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(
            told.contains("FILE_NOT_REGULAR") && told.contains("a named pipe"),
            "{command:?}: {told}"
        );
    }
}

#[test]
fn a_descriptor_of_the_process_is_read_although_it_is_a_pipe() {
    let workspace = Workspace::empty();
    for name in ["-", "/dev/stdin", "/dev/fd/0"] {
        let ran = workspace.fed(&["policy", "check", name, "--at", AT], UNWISE);
        let ran = ran.exits(0);
        assert_eq!(ran.json()["warnings"], 1, "{name}: {}", ran.stdout);
    }
}
