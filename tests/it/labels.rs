//! Labels as a user meets them: the example bundle, its gate, obligations kept, and promotions.

use serde_json::{Value, json};

use crate::workspace::Workspace;

fn example() -> Workspace {
    let workspace = Workspace::healthy();
    workspace.program(&["init", "--requests"]).exits(0);
    workspace
}

#[test]
fn the_example_passes_its_gate_and_overwrites_nothing() {
    let workspace = Workspace::empty();
    workspace.write("policy/rubrics/licensing.md", "# Ours\n");
    workspace.program(&["init", "--requests"]).exits(0);
    assert_eq!(workspace.read("policy/rubrics/licensing.md"), "# Ours\n");

    let workspace = example();
    let told = workspace.program(&["policy", "gate"]).exits(0).json();
    assert_eq!(told["failed"], 0);
    assert!(told["passed"].as_u64().unwrap() >= 65);
    assert_eq!(told["findings"], json!([]));
}

#[test]
fn a_fixture_that_comes_out_otherwise_a_new_label_and_data_fail_the_gate() {
    let workspace = example();
    let file = "policy/fixtures/expected/public_read_public_dataset.decision.json";
    let text = workspace.read(file).replace("\"allow\"", "\"deny\"");
    workspace.write(file, text);
    let ran = workspace
        .program(&["policy", "gate", "--format", "human"])
        .exits(1);
    assert!(
        ran.stdout.contains("FAILED  public_read_public_dataset"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("- \"deny\"") && ran.stdout.contains("+ \"allow\""));
    assert!(!ran.stdout.contains("denied by"), "{}", ran.stdout);
    // A denial says why by its stable code, and what to do in words that name nothing of the request.
    let workspace = example();
    let file = "policy/fixtures/expected/public_read_restricted_dataset.decision.json";
    let text = workspace.read(file).replace("\"deny\"", "\"allow\"");
    workspace.write(file, text);
    let ran = workspace
        .program(&["policy", "gate", "--format", "human"])
        .exits(1);
    let hint = "denied by DEFAULT_DENY: Ask with a role that the label's table names";
    assert!(ran.stdout.contains(hint), "{}", ran.stdout);
    let told = workspace.program(&["policy", "gate"]).exits(1).json();
    let failed = told["fixtures"].as_array().unwrap().iter();
    let failed: Vec<&Value> = failed.filter(|one| one["passed"] == false).collect();
    assert_eq!(failed[0]["denied"][0]["reason_code"], "DEFAULT_DENY");
    let input: Value = serde_json::from_str(
        &workspace.read("policy/fixtures/inputs/public_read_restricted_dataset.json"),
    )
    .unwrap();
    let id = input["resource"]["dataset_version_id"].as_str().unwrap();
    assert!(!ran.stdout.contains(id), "{id}: {}", ran.stdout);

    let workspace = example();
    let file = "policy/vocab/policy_labels.v1.yml";
    let label = "  - name: partners\n    meaning: For partners.\n    rules:\n      - {id: partners-never, effect: deny}\n\n# One that";
    workspace.write(file, workspace.read(file).replace("# One that", label));
    workspace.write("policy/sites.csv", "lat,lon\n1,2\n");
    let told = workspace.program(&["policy", "gate"]).exits(1).json();
    let codes: Vec<&str> = told["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["FIXTURE_MISSING", "POLICY_HYGIENE"]);
}

#[test]
fn policy_test_asks_the_fixtures_as_the_gate_does() {
    let workspace = example();
    let gate = workspace.program(&["policy", "gate"]).exits(0).json();
    let junit = workspace.file("fixtures.xml");
    let junit = junit.to_str().unwrap();
    let test = ["policy", "test", "--junit", junit];
    let told = workspace.program(&test).exits(0).json();
    assert_eq!(told["fixtures"]["fixtures"], gate["fixtures"]);
    assert_eq!(told["passed"], gate["passed"]);
    let verbose = workspace
        .program(&["policy", "test", "--verbose", "--format", "human"])
        .exits(0);
    assert!(
        verbose
            .stdout
            .contains("ok      public_read_public_dataset\n")
    );
    let report = workspace.read("fixtures.xml");
    assert!(report.contains("policy test of fixtures"), "{report}");
    // Beside cases they are a part of their own.
    workspace.program(&["policy", "init"]).exits(0);
    let told = workspace.program(&["policy", "test"]).exits(0).json();
    assert_eq!(told["cases"].as_array().unwrap().len(), told["passed"]);
    assert_eq!(told["fixtures"]["passed"], gate["passed"]);
    let file = "policy/fixtures/expected/public_read_public_dataset.decision.json";
    workspace.write(file, workspace.read(file).replace("\"allow\"", "\"deny\""));
    let ran = workspace
        .program(&["policy", "test", "--format", "human"])
        .exits(1);
    assert!(
        ran.stdout.contains("FAILED  public_read_public_dataset"),
        "{}",
        ran.stdout
    );
    workspace.write(file, "{}");
    let ran = workspace.program(&["policy", "test"]).exits(1);
    assert!(ran.stderr.contains("FIXTURE_UNUSABLE"), "{}", ran.stderr);
}

#[test]
fn a_pull_request_has_a_checklist_and_somebody_who_reviews() {
    let workspace = Workspace::empty();
    workspace.write("CODEOWNERS", "* @ours\n");
    workspace.program(&["init", "--requests"]).exits(0);
    assert_eq!(workspace.read("CODEOWNERS"), "* @ours\n");
    let list = workspace.read(".github/pull_request_template.md");
    for part in [
        "reason codes",
        "obligations",
        "as public",
        "as steward",
        "inferred",
        "exports",
        "vocabulary",
        "CODEOWNERS",
    ] {
        assert!(list.contains(part), "{part}");
    }
    assert!(example().read("CODEOWNERS").contains("/policy/ "));
    let workflow = workspace.read(".github/workflows/policy_tests.yml");
    assert!(workflow.contains("        run: make test-policy\n"));
    assert!(workflow.contains("policy gate --base \"origin/$BASE\""));
    assert!(!workflow.contains("{{VERSION") && !workflow.contains("{{COMMIT"));
    let make = workspace.read("Makefile");
    assert!(
        make.contains("\tpolicy-orchestrator policy test\n\tpolicy-orchestrator policy gate\n")
    );
    let without = Workspace::empty();
    without
        .program(&["init", "--requests", "--no-workflow"])
        .exits(0);
    assert!(!without.file(".github/workflows/policy_tests.yml").exists());
    let shown = workspace
        .program(&["policy", "show", "policy/README.md"])
        .exits(0)
        .json();
    assert_eq!(shown["kind"], "meta_block");
    assert_eq!(shown["says"]["policy_label"], "public");
    let readme = workspace.read("policy/README.md");
    assert!(
        readme.contains("Add the fixture before the rule")
            && readme.contains("widen an allowance last")
    );
}

#[test]
fn an_export_keeps_its_obligations_or_is_stopped() {
    let workspace = Workspace::empty();
    let answer = json!({"decision": "allow", "obligations": [
        {"type": "redact_fields", "fields": ["address"]},
        {"type": "force_generalization", "grid_degrees": 0.1},
        {"type": "require_attribution"}, {"type": "log_audit"}]});
    workspace.write("answer.json", answer.to_string());
    let file = workspace.file("answer.json");
    let file = file.to_str().unwrap();
    let apply = ["obligations", "apply", "--envelope", file];
    let record = r#"{"address":"x","latitude":38.8977}"#;
    let ran = workspace.fed(&apply, record).exits(4);
    assert_eq!(ran.stdout, "");
    assert!(
        ran.stderr.contains("not kept: require_attribution"),
        "{}",
        ran.stderr
    );
    let named = [
        &apply[..],
        &["--license", "CC-BY-4.0", "--attribution", "Someone"],
    ]
    .concat();
    let kept = workspace.fed(&named, record).exits(0).json();
    assert_eq!(
        kept,
        json!({"attribution": "Someone", "latitude": 38.9, "license": "CC-BY-4.0"})
    );
    let check = [&apply[..], &["--check"]].concat();
    workspace.fed(&check, kept.to_string()).exits(0);
    workspace.fed(&check, record).exits(4);
    workspace.fed(&apply, "[").exits(1);
    workspace.write("answer.json", r#"{"decision":"deny","obligations":[]}"#);
    workspace.fed(&apply, record).exits(4);
    workspace.write(
        "answer.json",
        r#"{"decision":"allow","obligations":[{"type":"suppress_export"}]}"#,
    );
    workspace.fed(&apply, record).exits(4);
    let listed = workspace.program(&["obligations", "list"]).exits(0).json();
    assert_eq!(listed["obligations"].as_array().unwrap().len(), 11);
}

fn manifest(workspace: &Workspace) -> Value {
    let catalog = json!({"dataset_version_id": "2026-02.abcd1234", "policy_label": "public", "license": "CC-BY-4.0"});
    for kind in ["dcat", "prov"] {
        workspace.write(&format!("out/{kind}.json"), catalog.to_string());
    }
    let receipt = json!({"dataset_version_id": "2026-02.abcd1234", "decision": "allow", "obligations": [], "policy_sha256": "x"});
    workspace.write("out/run.json", receipt.to_string());
    workspace.write("out/data.csv", "a\n1\n");
    let sum = |file: &str| policy_orchestrator::ids::Digest::of(&workspace.bytes(file)).to_string();
    json!({
        "schema": 1, "dataset_version_id": "2026-02.abcd1234", "spec_hash": sum("out/data.csv"),
        "dataset_class": "tabular", "policy_label": "public", "license": "CC-BY-4.0",
        "rights": "own-work", "attribution": "Someone",
        "sensitivity": {"handling": "none-needed"},
        "catalogs": {"dcat": "out/dcat.json", "prov": "out/prov.json"},
        "receipts": [{"path": "out/run.json", "sha256": sum("out/run.json")}],
        "files": [{"path": "out/data.csv", "sha256": sum("out/data.csv")}],
        "exports": ["public"]
    })
}

#[test]
fn a_promotion_passes_seven_gates_or_none() {
    let workspace = example();
    let manifest = manifest(&workspace).to_string();
    let check = ["promote", "check"];
    let told = workspace.fed(&check, &manifest).exits(4).json();
    // Nothing was decided here yet.
    assert_eq!(told["reason_codes"], json!(["LEVEL_UNKNOWN"]));
    workspace.program(&["run"]).exits(0);
    let told = workspace.fed(&check, &manifest).exits(0).json();
    assert_eq!(
        (&told["decision"], told["gates"].as_array().unwrap().len()),
        (&json!("allow"), 7)
    );
    workspace.write("out/data.csv", "a\n2\n");
    let explain = ["promote", "check", "--explain", "--format", "human"];
    let ran = workspace.fed(&explain, &manifest).exits(4);
    assert!(ran.stdout.contains("CLOSED  5 receipts"), "{}", ran.stdout);
    assert!(ran.stdout.contains("CHECKSUM_DIFFERS"), "{}", ran.stdout);
    assert_eq!(
        ran.stdout
            .lines()
            .filter(|line| line.starts_with("passed  "))
            .count(),
        6
    );
    workspace.fed(&check, "{}").exits(1);
}
