//! Workspaces for these tests, and the program run in them.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Variables that would change what is tested.
const CLEARED: &[&str] = &[
    "POLICY_AUDIT_SECRET",
    "POLICY_AUDIT_SECRET_FILE",
    "POLICY_AUDIT_OLD_SECRET",
    "POLICY_SIGNING_KEY_FILE",
    "POLICY_AUTO_APPLY",
    "COSIGN_KEY_PATH",
    "COSIGN_PASSWORD",
    "VAULT_ADDR",
    "VAULT_TOKEN",
    "POSTGRES_DSN",
    "JWT_SECRET",
    "SIMULATION_MODE",
    "ENV",
];

/// A secret as journals are signed with.
pub(crate) const SECRET: &str = "a secret of at least thirty-two bytes";

pub(crate) fn write(workspace: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = workspace.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

pub(crate) fn read(workspace: &Path, name: &str) -> String {
    std::fs::read_to_string(workspace.join(name)).unwrap_or_else(|_| panic!("{name} is there"))
}

pub(crate) fn command(workspace: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_policy-orchestrator"));
    command.arg("--workspace").arg(workspace).args(arguments);
    command.env_remove("GITHUB_ACTOR").env_remove("SUDO_USER");
    command.env("USER", "ada");
    for name in CLEARED {
        command.env_remove(name);
    }
    command.env("POLICY_SIMULATED_VAULT", workspace.join("simulated"));
    command
}

pub(crate) fn program(workspace: &Path, arguments: &[&str]) -> Output {
    command(workspace, arguments).output().unwrap()
}

/// A command that has to end with this code; its result as JSON.
#[track_caller]
pub(crate) fn json(mut command: Command, code: i32) -> Value {
    let output = command.args(["--format", "json"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let result = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(code), "{result}\n{said}");
    serde_json::from_str(&result).unwrap_or_else(|error| panic!("{error}: {result}\n{said}"))
}

/// The result of `checks run` with these arguments and variables.
#[track_caller]
pub(crate) fn checks(
    workspace: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
    code: i32,
) -> Value {
    let mut command = command(workspace, &[&["checks", "run"], arguments].concat());
    command.envs(variables.iter().copied());
    json(command, code)
}

/// The status of a test in a result.
#[track_caller]
pub(crate) fn status<'r>(result: &'r Value, test: &str) -> &'r str {
    test_of(result, test)["status"].as_str().unwrap()
}

/// A test in a result.
#[track_caller]
pub(crate) fn test_of<'r>(result: &'r Value, test: &str) -> &'r Value {
    let policies = result["policies"].as_array().unwrap().iter();
    let mut tests = policies.flat_map(|policy| policy["tests"].as_array().unwrap());
    tests
        .find(|found| found["name"] == test)
        .unwrap_or_else(|| panic!("no test {test}: {result:#}"))
}

/// The line of the first policy of a result.
pub(crate) fn line(result: &Value) -> &str {
    result["policies"][0]["line"].as_str().unwrap()
}

/// A workspace with six signals, of which integrity has this score, and all safeguards off.
pub(crate) fn workspace(integrity: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    write(root, "trust_lock_state.json", r#"{"locked": false}"#);
    write(
        root,
        "exports/integrity_metrics_registry.csv",
        format!("timestamp,integrity_score\n2026-01-15T04:00:00Z,{integrity}\n"),
    );
    write(
        root,
        "federation/weighted_consensus.json",
        r#"{"weighted_agreement_pct": 95.0}"#,
    );
    write(
        root,
        "federation/reputation_index.json",
        r#"{"peers": [{"reputation_score": 85.0}]}"#,
    );
    write(
        root,
        "forensics/forensics_anomaly_forecast.json",
        r#"{"status": "success", "risk_level": "low"}"#,
    );
    write(root, "forensics/response_history.jsonl", "");
    write(
        root,
        "forensics/safety_brake_state.json",
        "{\"is_engaged\": false, \"response_count_24h\": 0}",
    );
    directory
}

/// One whose RED calls for an action that changes a file.
pub(crate) fn red() -> tempfile::TempDir {
    let directory = workspace("80");
    let root = directory.path();
    write(root, "data/value", "before\n");
    let responses = serde_json::json!({"schema": 1, "builtin": false, "actions": [{
        "name": "change", "level": "RED", "argv": ["/bin/sh", "-c", "echo after > data/value"],
        "changes": ["data/value"],
    }]});
    write(root, "policy/responses.json", responses.to_string());
    let run = program(root, &["run"]);
    assert!(run.status.success());
    directory
}
