//! Personal data in exports: redacted, hashed under a tenant's key, or let out once with a scope and
//! an approval (S0-010 to S0-018, C-27).

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};

use crate::workspace::{Ran, Workspace};

const KEY: &str = "a tenant's key of thirty-two bytes";
const OTHER_KEY: &str = "another tenant's key, just as long";

/// In parts, so that what is recorded on the way in is not what is looked for.
const PERSONAL: [&str; 3] = ["Rua das Flores 12", "Alice Example", "1980-02-29"];

fn as_user(workspace: &Workspace, user: &str, arguments: &[&str]) -> std::process::Command {
    let mut command = workspace.command(arguments);
    command
        .env_remove("GITHUB_ACTOR")
        .env_remove("SUDO_USER")
        .env("USER", user);
    command
}

fn run_as(workspace: &Workspace, user: &str, arguments: &[&str]) -> Ran {
    as_user(workspace, user, arguments).output().unwrap().into()
}

/// A workspace whose record holds personal data, with a list in which bob approves and `readers` have
/// the scope.
fn recorded(readers: &str) -> Workspace {
    let workspace = Workspace::healthy();
    workspace.run().exits(0);
    let details = json!({
        "full_name": PERSONAL[1],
        "customers": [{"Street_Address": PERSONAL[0]}, {"DATE_OF_BIRTH": PERSONAL[2]}],
        "same": {"full_name": PERSONAL[1]},
        "count": 2,
    });
    workspace
        .program(&[
            "audit",
            "record",
            "--type",
            "CUSTOM_IMPORT",
            "--severity",
            "low",
            "--details",
            &details.to_string(),
        ])
        .exits(0);
    workspace
        .program(&["keys", "generate", "--out", "bob.key"])
        .exits(0);
    let public = workspace.read("bob.pub");
    workspace.write("policy/bob.pub", public);
    workspace.write(
        "policy/approvers.yaml",
        format!(
            "schema: 1\napprovers:\n  - name: bob\n    key_file: policy/bob.pub\n    may: [pii_access]\nscopes:\n  pii:read: [{readers}]\n"
        ),
    );
    workspace
}

const EXPORT: &[&str] = &[
    "audit",
    "export",
    "--type",
    "CUSTOM_IMPORT",
    "--include-pii",
    "--out",
];

fn export(workspace: &Workspace, user: &str, out: &str) -> Ran {
    let arguments = [EXPORT, &[out, "--format", "json"]].concat();
    run_as(workspace, user, &arguments)
}

fn approve(workspace: &Workspace, requester: &str, subject: &str) {
    let request = [
        "approve",
        "request",
        "--operation",
        "pii_access",
        "--subject",
        subject,
        "--reason",
        "LGPD-7",
    ];
    let asked = run_as(workspace, requester, &request).exits(0).json();
    let id = asked["id"].as_str().unwrap();
    let mut grant = as_user(workspace, "bob", &["approve", "grant", id, "--as", "bob"]);
    grant.env("POLICY_APPROVER_KEY_FILE", "bob.key");
    Ran::from(grant.output().unwrap()).exits(0);
}

fn events(workspace: &Workspace, event_type: &str) -> Vec<Value> {
    let log = workspace.read("state/audit.log");
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
    lines
        .filter(|line: &Value| line["event_type"] == event_type)
        .collect()
}

#[test]
fn test_p1_redaction_blocks_unauthorized() {
    let workspace = recorded("ada");
    for user in ["ada", "mallory"] {
        let ran = export(&workspace, user, "out.jsonl").exits(4);
        let refused = ran.json();
        assert_eq!(refused["status"], 403);
        assert_eq!(refused["error"], "PII access forbidden");
        assert!(
            ran.stderr.contains("PII access forbidden"),
            "{}",
            ran.stderr
        );
        assert!(!workspace.file("out.jsonl").exists());
    }
    let refused = events(&workspace, "PII_REFUSED");
    assert_eq!(refused.len(), 2);
    assert_eq!(refused[0]["user"], "ada");
    assert_eq!(refused[0]["details"]["reason"], "no approval was asked for");
    assert_eq!(refused[1]["user"], "mallory");
    let why = refused[1]["details"]["reason"].as_str().unwrap();
    assert!(why.contains("no scope `pii:read`"), "{why}");
    assert_eq!(refused[1]["details"]["table"], "audit_log");
}

#[test]
fn an_export_and_a_list_hold_no_personal_data_unless_asked() {
    let workspace = recorded("ada");
    for format in ["jsonl", "csv"] {
        let out = format!("out.{format}");
        let arguments = ["audit", "export", "--format", format, "--out", &out];
        run_as(&workspace, "ada@people.example", &arguments).exits(0);
        let exported = workspace.read(&out);
        assert!(exported.contains("<REDACTED>"), "{exported}");
        for personal in PERSONAL {
            assert!(!exported.contains(personal), "{exported}");
        }
        assert!(!exported.contains("_sha256\":\"") || format == "jsonl");
        assert!(!exported.contains("full_name_sha256"), "{exported}");
    }
    for format in ["json", "human"] {
        let listed = workspace.program(&["audit", "list", "--format", format]);
        for personal in PERSONAL {
            assert!(!listed.stdout.contains(personal), "{}", listed.stdout);
        }
    }
}

#[test]
fn with_scope_and_approval_it_leaves_once_and_the_record_says_so_first() {
    let workspace = recorded("ada");
    let asked = export(&workspace, "ada", "out.jsonl").exits(4).json();
    let subject = asked["subject"].as_str().unwrap();
    approve(&workspace, "ada", subject);
    // Neither another user nor another export.
    export(&workspace, "mallory", "out.jsonl").exits(4);
    let other = [EXPORT, &["out.jsonl", "--limit", "5"]].concat();
    run_as(&workspace, "ada", &other).exits(4);
    let taken = export(&workspace, "ada", "bob.key").exits(1);
    assert!(taken.stderr.contains("WRITE_FAILED"), "{}", taken.stderr);
    export(&workspace, "ada", "out.jsonl").exits(0);
    let exported = workspace.read("out.jsonl");
    for personal in PERSONAL {
        assert!(exported.contains(personal), "{exported}");
    }
    let accesses = events(&workspace, "PII_ACCESS");
    let [access] = accesses.as_slice() else {
        panic!("{accesses:?}")
    };
    assert_eq!(access["user"], "ada");
    assert_eq!(access["action"], "pii_access");
    assert_eq!(access["details"]["table"], "audit_log");
    assert_eq!(access["details"]["approver"], "bob");
    assert_eq!(access["data_sha256"], subject);
    let again = export(&workspace, "ada", "again.jsonl").exits(4).json();
    assert!(
        again["why"].as_str().unwrap().contains("it was used"),
        "{again}"
    );
    assert!(!workspace.file("again.jsonl").exists());
    workspace.program(&["audit", "verify"]).exits(0);
}

#[test]
fn an_approval_without_the_scope_is_not_enough_and_stays_unused() {
    let workspace = recorded("");
    let asked = export(&workspace, "ada", "out.jsonl").exits(4).json();
    approve(&workspace, "ada", asked["subject"].as_str().unwrap());
    let refused = export(&workspace, "ada", "out.jsonl").exits(4).json();
    assert!(
        refused["why"].as_str().unwrap().contains("pii:read"),
        "{refused}"
    );
    assert!(
        !workspace
            .read("state/approval_requests.jsonl")
            .contains("USED")
    );
}

#[test]
fn a_list_that_was_changed_and_not_accepted_opens_nothing() {
    let workspace = recorded("");
    workspace.program(&["policy", "lock"]).exits(0);
    let list = workspace.read("policy/approvers.yaml");
    let path = workspace.file("policy/approvers.yaml");
    std::fs::remove_file(&path).unwrap();
    workspace.write("policy/approvers.yaml", list.replace("[]", "[ada]"));
    export(&workspace, "ada", "out.jsonl").exits(5);
    assert!(!workspace.file("out.jsonl").exists());
}

/// The exported entry under a tenant's key.
fn hashed(workspace: &Workspace, key: &str, out: &str) -> Value {
    let arguments = ["audit", "export", "--type", "CUSTOM_IMPORT", "--out", out];
    let mut command = workspace.command(&arguments);
    let ran: Ran = command
        .env("POLICY_TENANT_KEY", key)
        .output()
        .unwrap()
        .into();
    ran.exits(0);
    serde_json::from_str(workspace.read(out).lines().next().unwrap()).unwrap()
}

#[test]
fn under_a_tenants_key_a_keyed_hash_stands_beside_each_field() {
    let workspace = recorded("ada");
    let entry = hashed(&workspace, KEY, "a.jsonl");
    let details = &entry["details"];
    assert_eq!(details["full_name"], "<REDACTED>");
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(b"full_name\0Alice Example");
    let mut expected = String::new();
    for byte in mac.finalize().into_bytes() {
        write!(expected, "{byte:02x}").unwrap();
    }
    assert_eq!(details["full_name_sha256"], expected);
    assert_eq!(details["same"]["full_name_sha256"], expected);
    let address = &details["customers"][0]["Street_Address_sha256"];
    assert_ne!(address, &details["full_name_sha256"]);
    assert_eq!(address.as_str().unwrap().len(), 64);
    let other = hashed(&workspace, OTHER_KEY, "b.jsonl");
    assert_ne!(other["details"]["full_name_sha256"], expected);
    assert_eq!(hashed(&workspace, KEY, "c.jsonl"), entry);
}

/// A workspace is a tenant: nothing of another one is in its export, and nothing joins over tenants.
#[test]
fn test_p1_export_respects_tenant() {
    let [one, other] = [recorded("ada"), recorded("ada")];
    for (workspace, name) in [(&one, "tenant-one"), (&other, "tenant-two")] {
        let record = [
            "audit",
            "record",
            "--type",
            "CUSTOM_TENANT",
            "--severity",
            "low",
        ];
        let details = ["--details", &format!("{{\"tenant\": \"{name}\"}}")].map(str::to_owned);
        let mut command = workspace.command(&record);
        Ran::from(command.args(details).output().unwrap()).exits(0);
    }
    let mine = hashed(&one, KEY, "mine.jsonl");
    let theirs = hashed(&other, OTHER_KEY, "theirs.jsonl");
    let hash = |entry: &Value| entry["details"]["full_name_sha256"].clone();
    assert_ne!(hash(&mine), hash(&theirs));
    one.program(&["audit", "export", "--out", "all.jsonl"])
        .exits(0);
    let exported = one.read("all.jsonl");
    assert!(exported.contains("tenant-one") && !exported.contains("tenant-two"));
    // Nor by a link into the other one.
    let log = one.file("state/audit.log");
    std::fs::remove_file(&log).unwrap();
    std::os::unix::fs::symlink(other.file("state/audit.log"), &log).unwrap();
    let ran = one.program(&["audit", "export", "--out", "linked.jsonl"]);
    assert_ne!(ran.code, 0, "{}", ran.stderr);
    assert!(!one.file("linked.jsonl").exists());
}

#[test]
fn a_tenants_key_that_is_short_or_published_is_refused() {
    let workspace = recorded("ada");
    let published = ["default-", "secret"].concat();
    for (key, why) in [("short", "a key of 5 bytes"), (&published, "published")] {
        let mut command = workspace.command(&["audit", "export", "--out", "out.jsonl"]);
        let ran: Ran = command
            .env("POLICY_TENANT_KEY", key)
            .output()
            .unwrap()
            .into();
        let ran = ran.exits(1);
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
        assert!(!ran.stderr.contains(&format!("{key}\n")));
        assert!(!workspace.file("out.jsonl").exists());
    }
}
