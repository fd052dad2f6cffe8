//! P-2, secrets and signing: nothing that matters is believed without a signature, and what is only
//! simulated is never a pass.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use policy_orchestrator::ids::Digest;
use policy_orchestrator::keys::dsse::Envelope;
use policy_orchestrator::keys::{Algorithm, PrivateKey};

use crate::ground::{
    self, SECRET, checks, command, json, line, program, read, status, test_of, write,
};

/// An artifact and a trusted key.
fn artifact(workspace: &Path) -> (PrivateKey, String, String) {
    let key = PrivateKey::generate(Algorithm::EcdsaP256).unwrap();
    write(workspace, "key.pub", key.verifying().to_pem());
    write(workspace, "model.json", "{\"model\": 1}\n");
    let path = |name: &str| workspace.join(name).to_str().unwrap().to_owned();
    (key, path("model.json"), path("key.pub"))
}

/// S0-026 to S0-029, S0-080: a signature and a second person.
#[test]
fn test_p2_cosign_required_in_prod() {
    let directory = ground::workspace("97");
    let workspace = directory.path();
    let (key, file, public) = artifact(workspace);
    let run = ["P2", "--task", "T-9", "--artifact", &file, "--key", &public];
    let production = [("ENV", "production")];

    // Without a signature.
    let result = checks(workspace, &run, &[], 1);
    assert_eq!(
        line(&result),
        "P2 Secrets & Signing: FAIL (the artifact is not signed)"
    );
    // Of these bytes, in cosign's form.
    let signature = STANDARD.encode(key.sign(b"{\"model\": 1}\n"));
    write(workspace, "model.json.sig", format!("{signature}\n"));
    let result = checks(workspace, &run, &[], 3);
    assert_eq!(status(&result, "artifact"), "PASS");
    // Nobody approved it.
    let result = checks(workspace, &run, &production, 4);
    assert_eq!(
        line(&result),
        "P2 Secrets & Signing: AWAITING_APPROVAL (Approver required in production)"
    );
    let issue = read(workspace, "reports/issues/T-9.md");
    assert!(issue.contains("Status: AWAITING_APPROVAL"), "{issue}");
    assert!(
        issue.contains("approve request --operation artifact --subject "),
        "{issue}"
    );

    // Somebody who asks can't approve; somebody else can.
    approve(workspace, &Digest::of(b"{\"model\": 1}\n").to_string());
    let result = checks(workspace, &run, &production, 3);
    assert_eq!(status(&result, "production_approval"), "PASS");
    assert!(
        test_of(&result, "production_approval")["detail"]
            .as_str()
            .unwrap()
            .contains("bob approved it")
    );
    assert_eq!(status(&result, "vault"), "BLOCKED");
    // Nobody is waited for any more.
    assert!(!workspace.join("reports/issues/T-9.md").exists());

    // Other bytes have neither signature nor approval.
    write(workspace, "model.json", "{\"model\": 2}\n");
    let result = checks(workspace, &run, &production, 1);
    assert_eq!(
        line(&result),
        "P2 Secrets & Signing: FAIL (the artifact's signature is wrong)"
    );
    assert_eq!(status(&result, "production_approval"), "AWAITING_APPROVAL");
}

fn ran(mut command: Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
}

/// Asked for by ada, granted by bob.
fn approve(workspace: &Path, subject: &str) {
    // A private key in the workspace would be found by the scan.
    let home = tempfile::tempdir().unwrap();
    let key = home.path().join("bob.key");
    let key = key.to_str().unwrap();
    ran(command(workspace, &["keys", "generate", "--out", key]));
    write(workspace, "policy/bob.pub", read(home.path(), "bob.pub"));
    let list =
        "schema: 1\napprovers:\n  - name: bob\n    key_file: policy/bob.pub\n    may: ['*']\n";
    write(workspace, "policy/approvers.yaml", list);
    let asked = json(
        command(
            workspace,
            &[
                "approve",
                "request",
                "--operation",
                "artifact",
                "--subject",
                subject,
                "--reason",
                "T-9",
            ],
        ),
        0,
    );
    let id = asked["id"].as_str().unwrap();
    let mut grant = command(workspace, &["approve", "grant", id, "--as", "bob"]);
    grant
        .env("POLICY_APPROVER_KEY_FILE", key)
        .env("USER", "bob");
    ran(grant);
}

#[test]
fn test_p2_envelopes_are_signatures_too() {
    let directory = ground::workspace("97");
    let workspace = directory.path();
    let (key, file, public) = artifact(workspace);
    let envelope = Envelope::new("application/vnd.in-toto+json", b"{}".to_vec()).signed(&key);
    write(workspace, "model.json", envelope.to_json());
    let run = ["P2", "--artifact", &file];
    let with_key = ["P2", "--artifact", &file, "--key", &public];
    // Signed by somebody, of whom nobody said that they are trusted.
    assert_eq!(
        status(&checks(workspace, &run, &[], 3), "artifact"),
        "BLOCKED"
    );
    assert_eq!(
        status(&checks(workspace, &with_key, &[], 3), "artifact"),
        "PASS"
    );
    // Of another key; and what is no signature.
    let other = PrivateKey::generate(Algorithm::Ed25519).unwrap();
    write(workspace, "key.pub", other.verifying().to_pem());
    assert_eq!(
        status(&checks(workspace, &with_key, &[], 1), "artifact"),
        "FAIL"
    );
    write(workspace, "model.json.sig", "no base64!");
    assert_eq!(
        line(&checks(workspace, &with_key, &[], 1)),
        "P2 Secrets & Signing: FAIL (the artifact's signature can't be read)"
    );
}

/// S0-031, S0-065, S0-070, S0-076, S0-078: simulated, private, and blocked.
#[test]
fn test_p2_vault_write_occurs() {
    let directory = ground::workspace("97");
    let workspace = directory.path();
    let outside = tempfile::tempdir().unwrap();
    let simulated = outside.path().join("vault");
    let variables = [("POLICY_SIMULATED_VAULT", simulated.to_str().unwrap())];
    let result = checks(workspace, &["P2", "--task", "T-1"], &variables, 3);
    assert_eq!(
        line(&result),
        "P2 Secrets & Signing: BLOCKED (Vault unavailable)"
    );
    assert_eq!(result["simulated"], true);
    let remedy = test_of(&result, "vault")["remedy"].as_str().unwrap();
    assert_eq!(remedy, "install Vault and set VAULT_ADDR and VAULT_TOKEN");
    let kept: Vec<_> = std::fs::read_dir(simulated.join("signatures"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let [file] = kept.as_slice() else {
        panic!("{kept:?}")
    };
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("T-1-"), "{name}");
    let record: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(record["simulated"], true);
    let signed = record["signed"].as_str().unwrap();
    let envelope = Envelope::parse(name, signed.as_bytes()).unwrap();
    let payload: serde_json::Value = serde_json::from_slice(envelope.payload()).unwrap();
    assert_eq!(payload["id"], "T-1");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(file) & 0o777, 0o600);
    assert_eq!(mode(&simulated) & 0o777, 0o700);

    // Through a link nothing is written.
    let other = tempfile::tempdir().unwrap();
    std::fs::remove_dir_all(&simulated).unwrap();
    std::os::unix::fs::symlink(other.path(), &simulated).unwrap();
    checks(workspace, &["P2", "--task", "T-1"], &variables, 1);
    assert_eq!(std::fs::read_dir(other.path()).unwrap().count(), 0);
}

/// C-25, S0-072: true, false, or an error; and nothing simulated has effects.
#[test]
fn test_p2_simulation_is_never_a_pass() {
    let directory = ground::workspace("97");
    let workspace = directory.path();
    let simulated = workspace.join("simulated");
    for (variables, code, reason) in [
        (&[("SIMULATION_MODE", "false")][..], 3, "Vault unavailable"),
        (
            &[("VAULT_ADDR", "https://vault.example")],
            3,
            "Vault unavailable",
        ),
        (&[("ENV", "production")], 3, "Vault unavailable"),
        (
            &[("ENV", "production"), ("SIMULATION_MODE", "true")],
            1,
            "simulation in production",
        ),
    ] {
        let result = checks(workspace, &["P2"], variables, code);
        let vault = test_of(&result, "vault");
        assert_eq!(vault["reason"], reason, "{variables:?}");
        assert_eq!(result["simulated"], false, "{variables:?}");
        assert!(!simulated.exists(), "{variables:?}");
    }
    let result = checks(workspace, &["P2"], &[("SIMULATION_MODE", "true")], 3);
    assert_eq!(result["simulated"], true);
    assert!(simulated.exists());
    for odd in ["TRUE", "yes", "1"] {
        let mut odd_mode = command(workspace, &["checks", "run"]);
        let output = odd_mode.env("SIMULATION_MODE", odd).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{odd}");
    }
    let red = ground::red();
    for arguments in [
        &["respond", "--apply"][..],
        &["audit", "export", "--out", "/dev/null/x"],
    ] {
        let mut simulated = command(red.path(), arguments);
        let output = simulated.env("SIMULATION_MODE", "true").output().unwrap();
        assert_eq!(output.status.code(), Some(4), "{arguments:?}");
    }
    assert_eq!(read(red.path(), "data/value"), "before\n");
}

/// S0-024, S0-069, S0-073: a secret in a file is a failure, a missing secret is not.
#[test]
fn test_p2_secrets_in_files_fail() {
    let directory = ground::workspace("97");
    let workspace = directory.path();
    let token = ["gh", "p_", "wq8ZrT5mK2xVb7Nc4Lf9Hd3Gs6Jp1YaEuRoI"].concat();
    write(workspace, "config/app.env", format!("A=1\nGH={token}\n"));
    let result = checks(workspace, &["P2"], &[], 1);
    assert_eq!(
        line(&result),
        "P2 Secrets & Signing: FAIL (a secret stands in a file)"
    );
    assert!(
        test_of(&result, "secret_scan")
            .to_string()
            .contains("config/app.env:2")
    );
    assert!(!result.to_string().contains(&token));
    std::fs::remove_file(workspace.join("config/app.env")).unwrap();

    // Of no known form, but the value of a secret of this process.
    let value = "correct horse battery";
    write(workspace, "policy/notes.txt", format!("{value}\n"));
    let variables = [("VAULT_TOKEN", value)];
    let result = checks(workspace, &["P2"], &variables, 1);
    assert_eq!(status(&result, "secrets_apart"), "FAIL");
    assert!(!result.to_string().contains(value));
    let result = checks(workspace, &["P2"], &[], 3);
    assert_eq!(status(&result, "secrets_apart"), "PASS");
}

/// Journals and protected files: whole, signed, or not.
#[test]
fn test_p2_tampering_is_told_as_such() {
    let directory = ground::workspace("97");
    let workspace = directory.path();
    let signed = [("POLICY_AUDIT_SECRET", SECRET)];
    let mut run = command(workspace, &["run"]);
    ran({
        run.envs(signed);
        run
    });
    let result = checks(workspace, &["P2"], &signed, 3);
    assert_eq!(status(&result, "journals"), "PASS");
    // On a fork nobody has the secret (C-45): blocked, and nothing is recorded without it.
    let result = checks(workspace, &["P2"], &[], 3);
    assert_eq!(status(&result, "journals"), "BLOCKED");
    assert_eq!(result["recorded"], false);

    let mut lock = command(workspace, &["policy", "lock", "--reason", "reviewed"]);
    write(workspace, "policy/policy_thresholds.json", "{}");
    ran({
        lock.envs(signed);
        lock
    });
    let result = checks(workspace, &["P2"], &signed, 3);
    assert_eq!(status(&result, "policy_lock"), "PASS");
    let file = workspace.join("policy/policy_thresholds.json");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    write(workspace, "policy/policy_thresholds.json", "{ }");
    let result = checks(workspace, &["P2"], &signed, 5);
    assert_eq!(
        line(&result),
        "P2 Secrets & Signing: FAIL (a protected file was changed)"
    );
    write(workspace, "policy/policy_thresholds.json", "{}");

    let journal = "state/policy_state_log.jsonl";
    let changed = read(workspace, journal).replace("GREEN", "BLACK");
    write(workspace, journal, changed);
    let result = checks(workspace, &["P2"], &signed, 5);
    assert_eq!(
        line(&result),
        "P2 Secrets & Signing: FAIL (a journal was changed)"
    );
    assert!(program(workspace, &["checks", "list"]).status.success());
}
