//! P-5, multi-tenancy: a workspace is one tenant, and nothing of another is reached from it.

use crate::ground::{self, checks, line, status, write};

#[test]
fn test_p5_links_to_another_tenant_fail() {
    let [mine, theirs] = [ground::workspace("97"), ground::workspace("97")];
    let workspace = mine.path();
    let result = checks(workspace, &["P5"], &[], 0);
    assert_eq!(line(&result), "P5 Multi-Tenancy: PASS");
    for test in [
        "reads_stay_inside",
        "writes_stay_inside",
        "no_links_out",
        "tenants",
    ] {
        assert_eq!(status(&result, test), "PASS");
    }
    // Inside is no other tenant.
    let link = workspace.join("exports/link.csv");
    std::os::unix::fs::symlink("integrity_metrics_registry.csv", &link).unwrap();
    checks(workspace, &["P5"], &[], 0);
    std::fs::remove_file(&link).unwrap();
    for target in [
        theirs.path().join("trust_lock_state.json"),
        "nowhere".into(),
    ] {
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let result = checks(workspace, &["P5"], &[], 1);
        assert_eq!(
            line(&result),
            "P5 Multi-Tenancy: FAIL (a link leads out of the workspace)"
        );
        std::fs::remove_file(&link).unwrap();
    }
    let log = ground::read(workspace, "reports/logs/P5.log");
    assert!(log.contains("exports/link.csv"), "{log}");
}

/// What is not set up is never called a pass.
#[test]
fn test_p5_tenants_are_required_where_tokens_are_expected() {
    let directory = ground::workspace("97");
    let workspace = directory.path();
    write(workspace, "a.md", "P-5");
    for (name, why) in [
        ("JWT_SECRET", "a tenant is not required"),
        ("POSTGRES_DSN", "there is no database here"),
    ] {
        let value = "canary-of-a-tenant-0123";
        let result = checks(workspace, &["P5"], &[(name, value)], 3);
        assert_eq!(line(&result), format!("P5 Multi-Tenancy: BLOCKED ({why})"));
        assert!(!result.to_string().contains(value));
    }
    let settings =
        "apiVersion: policy.orchestra.v1\nkind: RequestPolicy\nspec: {tenant: {required: true}}\n";
    std::fs::create_dir_all(workspace.join("policy")).unwrap();
    std::fs::write(workspace.join("policy/requests.yaml"), settings).unwrap();
    let value = "canary-of-a-tenant-0123";
    let result = checks(workspace, &["P5"], &[("JWT_SECRET", value)], 0);
    assert_eq!(line(&result), "P5 Multi-Tenancy: PASS");
}
