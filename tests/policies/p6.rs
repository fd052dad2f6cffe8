//! P-6, performance budget: measured, recorded, and held against the objective.

use crate::ground::{self, checks, line, read};

/// S0-057, S0-063: the figures of 100 evaluations, also where they are good.
#[test]
fn test_p6_latency_metric_recorded() {
    let directory = ground::workspace("97");
    let workspace = directory.path();
    // An objective that no machine misses: what is tested is that it was measured.
    let result = checks(workspace, &["P6", "--slo-ms", "3600000"], &[], 0);
    assert_eq!(line(&result), "P6 Performance Budget: PASS");
    let measured = &result["policies"][0]["measured"];
    let figure = |name: &str| measured[name].as_f64().unwrap();
    assert_eq!(measured["runs"], 100);
    assert_eq!(measured["slo_ms"], 3_600_000);
    assert!(0.0 < figure("p50_ms"));
    assert!(figure("p50_ms") <= figure("p95_ms") && figure("p95_ms") <= figure("max_ms"));
    let log = read(workspace, "reports/logs/P6.log");
    assert!(log.contains("100 evaluations: p50 "), "{log}");
    // Nothing was decided by measuring.
    assert!(!workspace.join("state/policy_state.json").exists());
}

#[test]
fn test_p6_slow_is_a_failure() {
    let directory = ground::workspace("97");
    let workspace = directory.path();
    let result = checks(workspace, &["P6", "--slo-ms", "0"], &[], 1);
    assert_eq!(
        line(&result),
        "P6 Performance Budget: FAIL (the objective is exceeded)"
    );
    // A workspace whose record nobody can read is not fast, it is not evaluated.
    let state = workspace.join("state");
    std::fs::remove_dir_all(&state).unwrap();
    ground::write(workspace, "state/policy_state_log.jsonl/x", "");
    let mut run = ground::command(workspace, &["checks", "run", "P6"]);
    let output = run.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_ne!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("P6 Performance Budget: "), "{said}");
}
