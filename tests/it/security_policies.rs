//! Security policies as a user meets them: `policy impact`, and what `policy check` finds in them.

use serde_json::{Value, json};

use crate::workspace::Workspace;

fn policy(name: &str, effect: &str, condition: &str) -> String {
    format!(
        "apiVersion: policy.orchestra.v1\nkind: SecurityPolicy\nmetadata: {{name: {name}}}\nspec:\n  scope: [{{resource: data}}]\n  rules:\n    - {{name: {name}_rule, condition: \"{condition}\", effect: {effect}}}\n  enforcement: {{mode: strict}}\n"
    )
}

fn validated(report: &Value) {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("policy/schema/policy-impact.v1.schema.json");
    let schema = std::fs::read_to_string(file).unwrap();
    let schema = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let errors: Vec<String> = schema.iter_errors(report).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn impact_tells_which_requests_are_answered_otherwise() {
    let workspace = Workspace::healthy();
    workspace.write("old.yaml", policy("p", "allow", "data.level <= 3"));
    workspace.write("new/p.yaml", policy("p", "allow", "data.level <= 2"));
    workspace.write(
        "requests.jsonl",
        "{\"id\":\"a\",\"data\":{\"level\":3}}\n{\"data\":{\"level\":1}}\n{\"evaluated_at\":\"2026-01-01T00:00:00Z\",\"level\":\"GREEN\",\"request\":{\"id\":\"b\",\"data\":{\"level\":9}}}\n",
    );
    let old = workspace.file("old.yaml").display().to_string();
    let new = workspace.file("new").display().to_string();
    let requests = workspace.file("requests.jsonl").display().to_string();
    let asked = ["policy", "impact", &old, &new, "--requests", &requests];
    let ran = workspace.program(&[&asked[..], &["--format", "json"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    validated(&report);
    assert_eq!(
        report["changes"],
        json!([{"from": "allow", "to": "deny", "requests": 1}])
    );
    assert_eq!(
        (&report["requests"], &report["listed"][0]["id"]),
        (&json!(3), &json!("a"))
    );
    let ran = workspace.program(&[&asked[..], &["--format", "human"]].concat());
    assert!(
        ran.stdout.starts_with("1 of 3 requests answered otherwise"),
        "{}",
        ran.stdout
    );
    assert_eq!(
        workspace
            .program(&[&asked[..], &["--fail-on-changes"]].concat())
            .code,
        10
    );
    let same = [
        "policy",
        "impact",
        &old,
        &old,
        "--requests",
        &requests,
        "--fail-on-changes",
    ];
    assert_eq!(workspace.program(&same).code, 0);
    workspace.write("requests.jsonl", "{}\nnothing\n");
    assert_eq!(workspace.program(&same).code, 1);
    let absent = ["policy", "impact", &old, &old];
    assert_eq!(workspace.program(&absent).code, 1);
}

#[test]
fn check_finds_what_is_wrong_in_security_policies_and_what_contradicts() {
    let workspace = Workspace::healthy();
    workspace.write(
        "policy/security/a.yaml",
        policy("a", "allow", "data.kind == 'x' && data.open"),
    );
    workspace.write(
        "policy/security/b.yaml",
        policy("b", "deny", "data.open == true && 'x' == data.kind"),
    );
    let finds = |code, finding| {
        let ran = workspace.program(&["policy", "check", "--format", "human"]);
        let ran = ran.exits(code);
        assert!(ran.stdout.contains(finding), "{}", ran.stdout);
    };
    finds(0, "POLICY_CONFLICT");
    workspace.write(
        "policy/security/b.yaml",
        policy("b", "deny", "data.open = true"),
    );
    finds(1, "CONDITION_INVALID");
}
