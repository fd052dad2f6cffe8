//! P-4, observability: somebody who was not there can see whether it works.

use crate::ground::{self, checks, command, json, line, read, status, write};

/// S0-045, S0-046: four components, and no `ok` where one fails.
#[test]
fn test_p4_health_endpoint() {
    let directory = ground::workspace("97");
    let workspace = directory.path();
    let health = json(command(workspace, &["health"]), 0);
    assert_eq!(health["status"], "ok");
    let names: Vec<&String> = health["components"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["cosign", "db", "storage", "vault"]);
    assert_eq!(health["components"]["vault"]["status"], "absent");
    assert!(ground::program(workspace, &["run"]).status.success());

    let degraded = |variable: Option<(&str, &str)>, component: &str| {
        let mut command = command(workspace, &["health"]);
        command.envs(variable);
        let health = json(command, 1);
        assert_eq!(health["status"], "degraded");
        assert_eq!(
            health["components"][component]["status"], "failed",
            "{health:#}"
        );
    };
    degraded(Some(("VAULT_ADDR", "https://vault.example")), "vault");
    degraded(Some(("COSIGN_KEY_PATH", "/nowhere/cosign.key")), "cosign");
    write(workspace, "reports", "no directory");
    degraded(None, "storage");
    std::fs::remove_file(workspace.join("reports")).unwrap();
    let journal = "state/policy_state_log.jsonl";
    write(
        workspace,
        journal,
        read(workspace, journal).replace("GREEN", "BLACK"),
    );
    degraded(None, "db");
}

fn json_free(mut command: std::process::Command) -> String {
    let output = command.output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// S0-047, S0-049b: the counters, and the three files.
#[test]
fn test_p4_metrics_exposes_workflow_counter() {
    let directory = ground::workspace("97");
    let workspace = directory.path();
    let result = checks(workspace, &["P4"], &[], 0);
    assert_eq!(line(&result), "P4 Observability: PASS");
    assert_eq!(status(&result, "metrics"), "PASS");
    let head = read(workspace, "reports/logs/P4_metrics.txt");
    assert_eq!(head.lines().count(), 50);
    let told = json_free(command(workspace, &["metrics"]));
    assert!(told.contains("\nworkflow_runs_total "), "{told}");
    assert!(told.starts_with(head.lines().next().unwrap()), "{head}");
    let health = read(workspace, "reports/logs/P4_health.json");
    let health: serde_json::Value = serde_json::from_str(&health).unwrap();
    assert_eq!(health["status"], "ok");
    assert!(read(workspace, "reports/logs/P4.log").contains("traceable"));
}
