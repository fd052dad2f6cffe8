//! A policy that is gone or broken (S1-099): refused until the version that was verified last is back,
//! an alert meanwhile, and the way back as RUNBOOK.md gives it.

use crate::policy_lock::{locked, overwrite};
use crate::workspace::Workspace;

const POLICY: &str = "policy/policy.yaml";

/// A workspace that decided by a document of its own.
fn decided() -> Workspace {
    let workspace = Workspace::healthy();
    workspace.program(&["policy", "init"]).exits(0);
    workspace.run().exits(0);
    workspace
}

fn alert(workspace: &Workspace) -> Option<serde_json::Value> {
    let told = workspace.program(&["alerts", "--dry-run"]).exits(0).json();
    let alerts = told["alerts"].as_array().unwrap().iter();
    let mut ours = alerts.filter(|alert| alert["name"] == "policy_unusable");
    ours.next().cloned()
}

/// The document as the last decision kept it, by its digest.
fn kept(workspace: &Workspace) -> Vec<u8> {
    let sha256 = workspace.state()["document"]["sha256"]
        .as_str()
        .unwrap()
        .to_owned();
    workspace.bytes(&format!("state/policies/{sha256}"))
}

#[test]
fn a_corrupt_policy_is_red_with_an_alert_until_the_last_good_one_is_back() {
    let workspace = decided();
    assert_eq!(alert(&workspace), None);
    let good = kept(&workspace);
    assert_eq!(good, workspace.bytes(POLICY));
    for corrupt in ["", "spec: {}\n", "\u{0}\u{1}", "apiVersion: [\n"] {
        workspace.write(POLICY, corrupt);
        let ran = workspace.run_at("2026-01-15T13:00:00Z").exits(1);
        assert_eq!(ran.json()["policy"], "RED", "{corrupt:?}");
        let alert = alert(&workspace).unwrap();
        assert_eq!(alert["severity"], "critical");
        workspace.write(POLICY, &good);
        workspace.run_at("2026-01-15T14:00:00Z").exits(0);
        assert_eq!(workspace.state()["policy"], "GREEN");
    }
    assert_eq!(alert(&workspace), None);
}

#[test]
fn a_policy_that_is_gone_raises_an_alert_and_under_the_lock_it_is_red() {
    let workspace = decided();
    let good = kept(&workspace);
    std::fs::remove_file(workspace.file(POLICY)).unwrap();
    let told = alert(&workspace).unwrap();
    assert!(
        told["message"].as_str().unwrap().contains("is gone"),
        "{told}"
    );
    workspace.write(POLICY, &good);
    assert_eq!(alert(&workspace), None);

    let workspace = locked();
    workspace.run().exits(0);
    let good = workspace.bytes(POLICY);
    let backup = kept(&workspace);
    assert_eq!(good, backup);
    std::fs::remove_file(workspace.file(POLICY)).unwrap();
    let ran = workspace.run_at("2026-01-15T13:00:00Z").exits(5);
    assert_eq!(ran.json()["policy"], "RED");
    assert!(alert(&workspace).is_some());
    workspace.program(&["respond", "--apply"]).exits(5);
    // The very bytes that were accepted need nobody's acceptance.
    workspace.write(POLICY, &backup);
    workspace.program(&["policy", "verify"]).exits(0);
    workspace.run_at("2026-01-15T14:00:00Z").exits(0);
    assert_eq!(alert(&workspace), None);
}

#[test]
fn nothing_is_put_back_by_itself() {
    let workspace = locked();
    workspace.run().exits(0);
    overwrite(&workspace, POLICY, "spec: {}\n");
    for command in [
        &["run"] as &[&str],
        &["alerts"],
        &["doctor"],
        &["status"],
        &["policy", "status"],
    ] {
        workspace.program(command);
        assert_eq!(workspace.read(POLICY), "spec: {}\n", "{command:?}");
    }
}
