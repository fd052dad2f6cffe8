//! Responses that a policy document declares, and those of `policy/responses.json` beside it, as a
//! user of `respond`, `undo`, `doctor`, `policy show` and `policy diff` sees them.

use serde_json::{Value, json};

use crate::workspace::{Ran, Workspace};

const POLICY: &str = "policy/policy.yaml";
const BESIDE: &str = "policy/responses.json";

/// Integrity alone, with lines at 95, 92 and 90.
const HEAD: &str = r#"apiVersion: policy.orchestra.v1
kind: OrchestrationPolicy
metadata:
  name: ours
  version: "7"
spec:
  levels: [ORANGE]
  signals:
    - name: integrity
  triggers:
    - {code: LOW, signal: integrity, level: YELLOW, below: 95}
    - {code: LOWER, signal: integrity, level: ORANGE, below: 92}
    - {code: LOWEST, signal: integrity, level: RED, below: 90}
"#;

/// One action for RED that changes a file and makes another, beside one for ORANGE.
const ROTATE: &str = r#"  responses:
    builtin: false
    actions:
      - name: rotate
        level: RED
        argv: [/bin/sh, -c, "echo two > config/token; echo new > config/token.old"]
        changes: [config/token]
        creates: ["config/*.old"]
        reversible: true
        timeout_seconds: 60
      - name: look
        level: ORANGE
        argv: [/bin/echo, looked]
"#;

/// The same as ROTATE's first action, as it stands beside a policy.
fn rotate_beside() -> Value {
    json!({"schema": 1, "builtin": false, "actions": [{
        "name": "rotate",
        "level": "RED",
        "argv": ["/bin/sh", "-c", "echo two > config/token; echo new > config/token.old"],
        "changes": ["config/token"],
        "creates": ["config/*.old"],
        "reversible": true,
        "timeout_seconds": 60
    }]})
}

/// A workspace whose policy says this too, with this integrity decided just now and every gate open.
fn decided(spec: &str, integrity: &str) -> Workspace {
    let workspace = Workspace::healthy();
    workspace.write(POLICY, format!("{HEAD}{spec}"));
    workspace.write(
        "forensics/safety_brake_state.json",
        "{\"is_engaged\": false, \"response_count_24h\": 0}",
    );
    workspace.write("config/token", "one\n");
    workspace.integrity(integrity);
    workspace.program(&["run"]).exits(0);
    workspace
}

fn respond(workspace: &Workspace, further: &[&str]) -> Ran {
    let arguments: Vec<&str> = ["respond"].iter().chain(further).copied().collect();
    workspace.program(&arguments)
}

fn names(ran: &Ran) -> Vec<String> {
    let results = ran.json()["results"].as_array().unwrap().clone();
    let names = results.iter().map(|result| result["action"].as_str());
    names.map(|name| name.unwrap().to_owned()).collect()
}

#[test]
fn an_action_of_the_policy_is_planned_applied_and_undone() {
    let workspace = decided(ROTATE, "80");
    let preview = respond(&workspace, &[]).exits(0);
    assert_eq!(names(&preview), ["rotate"]);
    assert_eq!(workspace.read("config/token"), "one\n");

    let applied = respond(&workspace, &["--apply"]).exits(0).json();
    assert_eq!(applied["plan"], preview.json()["plan"]);
    assert_eq!(applied["actions_succeeded"], 1);
    assert_eq!(workspace.read("config/token"), "two\n");
    assert_eq!(workspace.read("config/token.old"), "new\n");
    // Once and no more, as ever.
    let again = respond(&workspace, &["--apply"]).exits(3).json();
    assert_eq!(again["reason"], "already_applied");

    let id = applied["response_id"].as_str().unwrap();
    workspace.program(&["undo", "run", id]).exits(0);
    assert_eq!(workspace.read("config/token"), "one\n");
    assert!(!workspace.file("config/token.old").exists());
    workspace.program(&["audit", "verify"]).exits(0);
}

#[test]
fn what_an_action_of_the_policy_is_handed_is_a_secret() {
    let print = r#"  responses:
    builtin: false
    actions:
      - {name: print, level: RED, argv: [/bin/sh, -c, "printf '%s' \"$PLAIN_NAME\""], environment: [PLAIN_NAME]}
"#;
    let workspace = decided(print, "80");
    let secret = "hunter2-hunter2";
    let ran: Ran = workspace
        .command(&["respond", "--apply"])
        .env("PLAIN_NAME", secret)
        .output()
        .unwrap()
        .into();
    assert_eq!(ran.exits(0).json()["results"][0]["stdout"], "<REDACTED>");
    for (file, bytes) in workspace.snapshot() {
        let found = memchr::memmem::find(&bytes, secret.as_bytes()).is_some();
        assert!(!found, "{}", file.display());
    }
}

#[test]
fn a_level_between_calls_for_its_own_actions_and_what_yellow_calls_for() {
    let planned = ROTATE.replace("    builtin: false\n", "");
    let workspace = decided(&planned, "91");
    let soft = ["integrity_check", "schema_validation"];
    let orange = respond(&workspace, &[]).exits(0);
    assert_eq!(orange.json()["policy"], "ORANGE");
    assert_eq!(
        names(&orange),
        ["integrity_check", "schema_validation", "look"]
    );
    let named = respond(&workspace, &["--policy", "ORANGE"]).exits(0);
    assert_eq!(named.json()["plan"], orange.json()["plan"]);
    let yellow = respond(&workspace, &["--policy", "YELLOW"]).exits(0);
    assert_eq!(names(&yellow), soft);
    let red = respond(&workspace, &["--policy", "RED"]).exits(0);
    assert_eq!(names(&red).last().unwrap(), "rotate");

    let only = ["--policy", "ORANGE", "--apply", "--only", "look"];
    let applied = respond(&workspace, &only).exits(0).json();
    assert_eq!(applied["results"][0]["stdout"], "looked\n");
    workspace.program(&["audit", "verify"]).exits(0);
    let ran = respond(&workspace, &["--policy", "PURPLE"]).exits(2);
    let said = "the policy has no level PURPLE; it has GREEN, YELLOW, ORANGE, RED";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
}

#[test]
fn a_level_without_an_action_calls_for_nothing_where_the_native_ones_are_left_out() {
    let workspace = decided(ROTATE, "94");
    let ran = respond(&workspace, &[]).exits(0);
    assert!(
        ran.stderr.contains("YELLOW calls for nothing"),
        "{}",
        ran.stderr
    );
    respond(&workspace, &["--apply"]).exits(0);
    assert!(!workspace.file("state/policy_response_log.jsonl").exists());
}

#[test]
fn responses_in_two_documents_are_used_from_neither() {
    // A document that declares no action at all is a declaration too: the native ones alone.
    for section in [ROTATE, "  responses: {}\n"] {
        for beside in [
            rotate_beside().to_string(),
            r#"{"schema": 1}"#.to_owned(),
            "{".to_owned(),
        ] {
            let workspace = decided(section, "80");
            workspace.write(BESIDE, beside);
            let before = workspace.snapshot();
            for further in [&[][..], &["--apply"], &["--apply", "--auto"]] {
                let ran = respond(&workspace, further).exits(1);
                assert_eq!(ran.stdout, "");
                assert!(ran.stderr.contains("[POLICY_AMBIGUOUS]"), "{}", ran.stderr);
                assert!(ran.stderr.contains(BESIDE), "{}", ran.stderr);
                assert!(
                    ran.stderr.contains("--> policy/policy.yaml:1"),
                    "{}",
                    ran.stderr
                );
            }
            assert_eq!(workspace.snapshot(), before);
            // What is decided has nothing to do with it.
            let state = workspace.program(&["run"]).exits(0).json();
            assert_eq!(state["policy"], "RED");
            let doctor = workspace.program(&["doctor"]).exits(1).json();
            let told = doctor["checks"].to_string();
            assert_eq!(told.matches("POLICY_AMBIGUOUS").count(), 1, "{told}");
            let checked = workspace.program(&["policy", "check"]).exits(1);
            let told = checked.stdout.matches("POLICY_AMBIGUOUS").count();
            assert_eq!(told, 1, "{}", checked.stdout);
            std::fs::remove_file(workspace.file(BESIDE)).unwrap();
            respond(&workspace, &[]).exits(0);
        }
    }
    let workspace = decided(ROTATE, "80");
    std::fs::create_dir(workspace.file(BESIDE)).unwrap();
    respond(&workspace, &["--apply"]).exits(1);
    assert_eq!(workspace.read("config/token"), "one\n");
}

#[test]
fn nobody_knows_what_a_refused_document_calls_for() {
    let workspace = decided(ROTATE, "80");
    let wrong = format!("{HEAD}{ROTATE}").replace("below: 92", "belo: 92");
    workspace.write(POLICY, wrong);
    for further in [&[][..], &["--apply"]] {
        let ran = respond(&workspace, further).exits(1);
        assert!(
            ran.stderr.contains("did you mean `below`?"),
            "{}",
            ran.stderr
        );
    }
    assert_eq!(workspace.read("config/token"), "one\n");
    assert!(
        !workspace
            .file("state/policy_response_preview.json")
            .exists()
    );
    let doctor = workspace.program(&["doctor"]).exits(1).json();
    let told = doctor["checks"].to_string();
    assert_eq!(told.matches("KEY_UNKNOWN").count(), 1, "{told}");
}

#[test]
fn actions_that_move_into_the_policy_stay_the_same_plan() {
    let workspace = decided("", "80");
    workspace.write(BESIDE, rotate_beside().to_string());
    let before = respond(&workspace, &[]).exits(0).json();
    std::fs::remove_file(workspace.file(BESIDE)).unwrap();
    workspace.write(POLICY, format!("{HEAD}{ROTATE}"));
    let after = respond(&workspace, &[]).exits(0).json();
    assert_eq!(before["plan"], after["plan"]);
    assert_eq!(before["results"], after["results"]);
    // And in a document in JSON.
    let action = rotate_beside()["actions"].clone();
    let document = json!({
        "apiVersion": "policy.orchestra.v1",
        "kind": "OrchestrationPolicy",
        "metadata": {"name": "ours", "version": "7"},
        "spec": {
            "signals": [{"name": "integrity"}],
            "triggers": [{"code": "LOWEST", "signal": "integrity", "level": "RED", "below": 90}],
            "responses": {"builtin": false, "actions": action},
        },
    });
    std::fs::remove_file(workspace.file(POLICY)).unwrap();
    workspace.write("policy/policy.json", document.to_string());
    let json = respond(&workspace, &[]).exits(0).json();
    assert_eq!(json["plan"], after["plan"]);

    let schema: Value = workspace.program(&["policy", "schema"]).exits(0).json();
    let schema = jsonschema::validator_for(&schema).unwrap();
    assert!(schema.is_valid(&document));
    for (key, value) in [
        ("argvs", json!([])),
        ("argv", json!("rm")),
        ("level", json!(3)),
    ] {
        let mut wrong = document.clone();
        wrong["spec"]["responses"]["actions"][0][key] = value;
        assert!(!schema.is_valid(&wrong), "{key}");
    }
}

#[test]
fn a_change_between_preview_and_unattended_apply_is_noticed() {
    let workspace = decided(ROTATE, "80");
    respond(&workspace, &[]).exits(0);
    let unattended = || -> Vec<String> {
        let ran: Ran = workspace
            .command(&["respond", "--apply", "--auto"])
            .env("POLICY_AUTO_APPLY", "true")
            .output()
            .unwrap()
            .into();
        let gates = ran.exits(3).json()["gates"].as_array().unwrap().clone();
        let closed = gates.into_iter().filter(|gate| gate["open"] == false);
        closed
            .map(|gate| gate["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(unattended(), ["approver"]);
    // The place of an action is no part of the plan; what it does is.
    workspace.write(POLICY, format!("# a comment\n{HEAD}{ROTATE}"));
    assert_eq!(unattended(), ["approver"]);
    for (from, to) in [
        ("echo two", "echo three"),
        ("timeout_seconds: 60", "timeout_seconds: 61"),
        (
            "changes: [config/token]",
            "changes: [config/token, config/other]",
        ),
        ("builtin: false", "builtin: true"),
    ] {
        let changed = ROTATE.replace(from, to);
        assert_ne!(changed, ROTATE);
        workspace.write(POLICY, format!("{HEAD}{changed}"));
        assert_eq!(unattended(), ["preview", "approver"], "{to}");
    }
    workspace.write(POLICY, format!("{HEAD}{ROTATE}"));
    assert_eq!(unattended(), ["approver"]);
    assert_eq!(workspace.read("config/token"), "one\n");
}

#[test]
fn policy_show_and_diff_tell_what_is_declared() {
    let workspace = decided(ROTATE, "80");
    let shown = workspace
        .program(&["policy", "show", POLICY])
        .exits(0)
        .json();
    let action = &shown["derived"]["actions_in_full"][1];
    assert_eq!(
        (&action["name"], &action["level"]),
        (&json!("look"), &json!("ORANGE"))
    );
    assert_eq!(action["timeout_seconds"], 300);

    workspace.write("before.yaml", HEAD);
    let same = ROTATE.replace(
        "argv: [/bin/echo, looked]",
        "argv: [\"/bin/echo\", 'looked']\n        timeout_seconds: 300 # as ever",
    );
    workspace.write("same.yaml", format!("{HEAD}{same}"));
    let longer = ROTATE.replace("seconds: 60", "seconds: 90");
    workspace.write("longer.yaml", format!("{HEAD}{longer}"));
    let told = |old: &str| -> Vec<String> {
        let diff = ["policy", "diff", old, "--format", "human"];
        let ran = workspace.program(&diff).exits(0);
        ran.stdout.lines().map(str::to_owned).collect()
    };
    insta::assert_snapshot!(
        "responses_in_a_diff",
        ["before.yaml", "same.yaml", "longer.yaml"]
            .map(|old| format!("# {old}\n{}\n", told(old).join("\n")))
            .concat()
    );
}

/// Responses of a policy that are wrong, each behind [`HEAD`].
const WRONG: [(&str, &str); 17] = [
    ("a list", "  responses: [rotate]\n"),
    (
        "keys misspelt",
        "  responses:\n    builtn: false\n    actions:\n      - {nme: a, level: RED, argvs: [a]}\n",
    ),
    (
        "without what it needs",
        "  responses:\n    actions:\n      - {}\n      - {name: a}\n",
    ),
    (
        "of other kinds",
        "  responses:\n    builtin: yes\n    actions:\n      - {name: 7, level: RED, argv: rm -rf, environment: HOME, reversible: 1, timeout_seconds: 5m}\n",
    ),
    (
        "an argument without quotes",
        "  responses:\n    actions:\n      - {name: a, level: RED, argv: [/bin/sleep, 5]}\n",
    ),
    (
        "actions are a mapping",
        "  responses:\n    actions:\n      rotate: {level: RED, argv: [a]}\n",
    ),
    (
        "a key twice",
        "  responses:\n    actions:\n      - {name: a, level: RED, level: YELLOW, argv: [a]}\n",
    ),
    (
        "nothing behind a key",
        "  responses:\n    actions:\n      - name: a\n        level: RED\n        argv: [a]\n        directory:\n",
    ),
    (
        "levels",
        "  responses:\n    actions:\n      - {name: a, level: GREEN, argv: [a]}\n      - {name: b, level: ORNAGE, argv: [a]}\n      - {name: c, level: PURPLE, argv: [a]}\n",
    ),
    (
        "one name twice",
        "  responses:\n    actions:\n      - {name: a, level: RED, argv: [a]}\n      - {name: a, level: YELLOW, argv: [a]}\n",
    ),
    (
        "names",
        "  responses:\n    actions:\n      - {name: Rotate, level: RED, argv: [a]}\n      - {name: integrity_check, level: RED, argv: [a]}\n",
    ),
    (
        "no command",
        "  responses:\n    actions:\n      - {name: a, level: RED, argv: []}\n      - {name: b, level: RED, argv: [\"\", x]}\n      - {name: c, level: RED, argv: [\"a\\0\"]}\n",
    ),
    (
        "files that are no action's",
        "  responses:\n    actions:\n      - name: a\n        level: RED\n        argv: [a]\n        changes: [ok/file, state/x, policy/policy.yaml, ../x, /etc/passwd, a/**, trust_lock_state.json]\n        creates: ['*/x']\n",
    ),
    (
        "nothing to take back",
        "  responses:\n    actions:\n      - {name: a, level: RED, argv: [a], reversible: true}\n",
    ),
    (
        "elsewhere",
        "  responses:\n    actions:\n      - {name: a, level: RED, argv: [a], directory: ../x}\n      - {name: b, level: RED, argv: [a], directory: state}\n",
    ),
    (
        "variables",
        "  responses:\n    actions:\n      - {name: a, level: RED, argv: [a], environment: [POLICY_AUDIT_SECRET, A B, OK]}\n",
    ),
    (
        "times",
        "  responses:\n    actions:\n      - {name: a, level: RED, argv: [a], timeout_seconds: 0, cooldown_seconds: 2592001}\n      - {name: b, level: RED, argv: [a], timeout_seconds: 1.5, cooldown_seconds: -1}\n",
    ),
];

/// Documents beside a policy that are wrong.
const WRONG_BESIDE: [(&str, &str); 12] = [
    ("empty", ""),
    ("cut", "{\"schema\": 1,\n \"actions\": ["),
    ("YAML", "schema: 1\nactions: []\n"),
    ("a list", "[]"),
    ("null", "null"),
    ("no version", "{}"),
    ("another version", "{\"schema\": 2}"),
    ("version as text", "{\"schema\": \"1\"}"),
    (
        "keys misspelt",
        "{\n  \"schema\": 1,\n  \"action\": [],\n  \"built_in\": true\n}",
    ),
    (
        "a key twice",
        "{\"schema\": 1, \"builtin\": true, \"builtin\": false}",
    ),
    (
        "a level of a policy document",
        "{\"schema\": 1, \"actions\": [{\"name\": \"a\", \"level\": \"ORANGE\", \"argv\": [\"a\"]}]}",
    ),
    (
        "everything at once",
        "{\n\t\"schema\": 3,\n\t\"shell\": true,\n\t\"actions\": [\n\t\t{\"name\": \"Ä\", \"levl\": \"RED\", \"argv\": \"rm -rf\", \"environment\": [\"A B\", 7]},\n\t\t{\"name\": \"b\", \"level\": \"red\", \"argv\": [], \"timeout_seconds\": \"5\", \"changes\": [\"state/x\"]},\n\t\t{\"name\": \"b\", \"level\": \"RED\", \"argv\": [\"a\"], \"reversible\": true}\n\t]\n}\n",
    ),
];

/// What `respond` says of a workspace that declares something wrong, and how a run ends there.
fn told(workspace: &Workspace, name: &str) -> String {
    let ran = respond(workspace, &["--apply"]).exits(1);
    assert_eq!(ran.stdout, "", "{name}");
    let findings = ran.stderr.matches("\n  --> ").count();
    let placed = ran.stderr.lines().filter(|line| {
        let place = line
            .strip_prefix("  --> policy/")
            .map(|place| place.split(':'));
        place.is_some_and(|parts| parts.count() >= 3)
    });
    assert!(
        findings > 0 && placed.count() == findings,
        "{name}: {}",
        ran.stderr
    );
    let helps = ran.stderr.matches("\n  help: ").count();
    assert_eq!(helps, findings, "{name}: {}", ran.stderr);
    let log = workspace.file("state/policy_response_log.jsonl");
    assert!(!log.exists(), "{name}");
    let run = workspace.run();
    format!("# {name} (run exits with {})\n{}\n", run.code, ran.stderr)
}

#[test]
fn wrong_responses_of_a_policy_are_told_all_at_once() {
    let mut all = String::new();
    for (name, section) in WRONG {
        let workspace = Workspace::healthy();
        workspace.write(POLICY, format!("{HEAD}{section}"));
        all.push_str(&told(&workspace, name));
    }
    // A line of the log has room for the results of fifty.
    let many = (0..51).fold(String::new(), |text, index| {
        text + &format!("      - {{name: a{index}, level: RED, argv: [a]}}\n")
    });
    // Much from little: one long word, and aliases of it.
    let long = "x".repeat(30_000);
    let aliases = format!(
        "      - {{name: a, level: RED, argv: [&long {long}]}}\n      - {{name: b, level: RED, argv: [*long, *long]}}\n"
    );
    for (name, actions) in [("too many", many), ("too long", aliases)] {
        let workspace = Workspace::healthy();
        let document = format!("{HEAD}  responses:\n    actions:\n{actions}");
        workspace.write(POLICY, document);
        all.push_str(&told(&workspace, name));
    }
    insta::assert_snapshot!("wrong_responses_of_a_policy", all);
}

#[test]
fn wrong_responses_beside_a_policy_are_told_all_at_once() {
    let mut all = String::new();
    for (name, document) in WRONG_BESIDE {
        let workspace = Workspace::healthy();
        workspace.write(POLICY, HEAD);
        workspace.write(BESIDE, document);
        all.push_str(&told(&workspace, name));
    }
    insta::assert_snapshot!("wrong_responses_beside_a_policy", all);
}

#[test]
fn wrong_responses_are_wrong_wherever_they_are_looked_at() {
    let workspace = decided(
        "  responses:\n    actions:\n      - {name: a, level: RED, argv: []}\n",
        "80",
    );
    for arguments in [
        &["policy", "show", POLICY][..],
        &["policy", "check"],
        &["policy", "check", POLICY, "--format", "human"],
        &["doctor"],
        &["respond"],
    ] {
        let ran = workspace.program(arguments).exits(1);
        let all = format!("{}{}", ran.stdout, ran.stderr);
        let told = all.contains("policy/policy.yaml:16:") || all.contains("\"line\": 16,");
        assert!(told, "{arguments:?}: {all}");
    }
    // A decision needs no responses.
    assert_eq!(workspace.program(&["run"]).exits(0).json()["policy"], "RED");
}

#[test]
fn the_example_of_what_init_writes_is_planned_without_its_number_signs() {
    let workspace = decided("", "80");
    std::fs::remove_file(workspace.file(POLICY)).unwrap();
    workspace.program(&["policy", "init"]).exits(0);
    let written = workspace.read(POLICY);
    let (before, example) = written.split_once("  # responses:").unwrap();
    let example = format!("  # responses:{example}").replace("  # ", "  ");
    workspace.write(POLICY, format!("{before}{example}"));
    let planned = respond(&workspace, &["--policy", "RED"]).exits(0);
    assert_eq!(names(&planned)[3..], ["rotate_token"]);
}
