//! No secret leaves the program (S0-074), default secrets are refused (S3-028), and the scan for
//! secrets finds what is planted.

use serde_json::json;

use crate::workspace::{Ran, Workspace};

/// Every variable with a secret that this program or its policies know, with a canary. `VAULT_ADDR`
/// and `SIMULATION_MODE` are none. A new one belongs here.
const CANARIES: &[(&str, &str)] = &[
    (
        "POLICY_AUDIT_SECRET",
        "canary-audit-ZYXWVUTSRQPONMLKJI-0123456789",
    ),
    (
        "POLICY_AUDIT_OLD_SECRET",
        "canary-old-ZYXWVUTSRQPONMLKJI-0123456789",
    ),
    (
        "POLICY_ALERT_WEBHOOK_URL",
        "https://canary-hook-7f3a.example/T0/B1",
    ),
    ("POLICY_TOTP_SECRET", "canary-totp-JBSWY3DPEHPK3PXP"),
    ("VAULT_TOKEN", "canary-vault-f00dfeed"),
    ("COSIGN_KEY_PATH", "/canary-cosign-path-77aa"),
    ("COSIGN_PASSWORD", "canary-cosign-8b8b8b"),
    (
        "POSTGRES_DSN",
        "postgres://canary-user:canary-dsn-5150@db/x",
    ),
    ("JWT_SECRET", "canary-jwt-0badcafe"),
    ("GITHUB_TOKEN", "canary-github-31337"),
];

/// A session that meets every command that writes or shows something. A new command belongs here;
/// how each of them ends is the business of its own tests.
const SESSION: &[&[&str]] = &[
    &["run", "--retry-delays", "0,0,0"],
    &["run", "--dry-run"],
    &["explain"],
    &["explain", "--number", "1"],
    &["status"],
    &["respond"],
    &["respond", "--apply"],
    &["respond", "--apply", "--again", "--reason", REASON],
    &["undo", "list"],
    &["undo", "prune", "--keep-days", "1"],
    &["action", "integrity_check"],
    &["action", "schema_validation"],
    &["alerts"],
    &["trust", "check"],
    &["trust", "enforce"],
    &["trust", "force-unlock", "--reason", REASON],
    &["trust", "status"],
    &["brake", "engage", "--reason", REASON],
    &["brake", "reset", "--reason", REASON],
    &["brake", "status"],
    &["kill", "on", "--reason", REASON],
    &["kill", "status"],
    &["kill", "off", "--reason", REASON],
    &["checks", "list"],
    &[
        "checks",
        "run",
        "--sarif",
        "checks.sarif",
        "--junit",
        "checks.xml",
    ],
    &["health"],
    &["policy", "init"],
    &["policy", "check"],
    &["policy", "show", "policy/policy.yaml"],
    &["policy", "test"],
    &["policy", "draft", "policy/policy.yaml", "--reason", REASON],
    &["policy", "status"],
    &["policy", "backtest", "reference"],
    &["history"],
    &["replay"],
    &["scan", "secrets"],
    &["audit", "verify"],
    &["audit", "verify", "--record"],
    &["audit", "reseal", "--reason", REASON],
    &["doctor"],
    &["init"],
];

/// A reason that quotes a command line, as people do.
const REASON: &str = "with canary-vault-f00dfeed and canary-jwt-0badcafe";

/// What a canary is called wherever it stands: none of the product's own words.
const MARK: &str = "canary-";

fn command(workspace: &Workspace, arguments: &[&str]) -> Ran {
    let mut command = workspace.command(arguments);
    command.arg("-v").envs(CANARIES.iter().copied());
    command.output().unwrap().into()
}

/// A workspace whose actions print all their variables, and one of whose signals can't be read.
fn session() -> Workspace {
    let names: Vec<&str> = CANARIES.iter().map(|(name, _)| *name).collect();
    let handed: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| !name.starts_with("POLICY_"))
        .collect();
    let print = "env; env | base64; echo >&2 $VAULT_TOKEN; exit 1";
    let responses = json!({"schema": 1, "builtin": false, "actions": [
        {"name": "print", "level": "RED", "argv": ["/bin/sh", "-c", print], "environment": handed}
    ]});
    let workspace = Workspace::healthy();
    workspace.write("policy/responses.json", responses.to_string());
    workspace.write(
        "forensics/safety_brake_state.json",
        "{\"is_engaged\": false, \"response_count_24h\": 0}",
    );
    workspace.forecast("none of the words");
    workspace.with_git()
}

#[test]
fn no_secret_of_the_environment_is_said_or_written_in_a_session() {
    let workspace = session();
    let mut applied = false;
    for arguments in SESSION {
        let ran = command(&workspace, arguments);
        assert_ne!(ran.code, 2, "{arguments:?}: {}", ran.stderr);
        applied |= ran.stdout.contains("<REDACTED>");
        for said in [&ran.stdout, &ran.stderr] {
            assert!(!said.contains(MARK), "{arguments:?} says {said}");
        }
    }
    assert!(applied, "the action ran and printed its variables");
    let mut searched = workspace.snapshot();
    let repository = workspace.repository();
    let odb = repository.odb().unwrap();
    assert!(!workspace.fix_branches().is_empty());
    odb.foreach(|id| {
        let object = odb.read(*id).unwrap();
        searched.insert(format!("git object {id}").into(), object.data().to_vec());
        true
    })
    .unwrap();
    for (name, bytes) in searched {
        let found = memchr::memmem::find(&bytes, MARK.as_bytes());
        assert_eq!(found, None, "{} holds a canary", name.display());
    }
}

/// In two parts, so that this file holds none.
fn defaults() -> [String; 2] {
    [
        ["default-", "secret"].concat(),
        ["default-totp-", "secret"].concat(),
    ]
}

#[test]
fn default_secrets_are_refused_by_name() {
    for default in defaults() {
        let workspace = Workspace::healthy();
        let mut command = workspace.command(&["run"]);
        command.env("POLICY_AUDIT_SECRET", &default);
        let ran = Ran::from(command.output().unwrap()).exits(1);
        assert!(ran.stderr.contains("a default secret that was published"));
        assert!(!ran.stderr.contains(&default));
        workspace.write("key", format!("{default}\n"));
        let mut command = workspace.command(&["run"]);
        command.env("POLICY_AUDIT_SECRET_FILE", workspace.file("key"));
        let ran = Ran::from(command.output().unwrap()).exits(1);
        assert!(ran.stderr.contains("a default secret that was published"));
        assert!(!workspace.file("state/policy_state.json").exists());
    }
}

/// A token as GitHub issues them, which nobody was given.
fn token() -> String {
    ["gh", "p_", "wq8ZrT5mK2xVb7Nc4Lf9Hd3Gs6Jp1YaEuRoI"].concat()
}

fn stage(workspace: &Workspace) {
    let repository = workspace.repository();
    let mut index = repository.index().unwrap();
    index
        .add_all(["*"], git2::IndexAddOption::DEFAULT, None)
        .unwrap();
    index.write().unwrap();
}

#[test]
fn a_planted_secret_is_found_with_its_place_and_not_shown() {
    let workspace = Workspace::healthy().with_git();
    let scan = ["scan", "secrets"];
    assert_eq!(
        workspace.program(&scan).exits(0).json()["findings"],
        json!([])
    );
    workspace.write("config/app.env", format!("A=1\nGH={}\n", token()));
    // Neither tracked nor named.
    workspace.program(&scan).exits(0);
    let named = workspace
        .program(&["scan", "secrets", "./config/"])
        .exits(1);
    assert_eq!(named.json()["files"], 1);
    stage(&workspace);
    for arguments in [&["scan", "secrets", "--staged"][..], &scan] {
        let ran = workspace.program(arguments).exits(1);
        let findings = ran.json()["findings"].clone();
        assert_eq!(findings.as_array().unwrap().len(), 1);
        assert_eq!(findings[0]["file"], "config/app.env");
        assert_eq!(findings[0]["line"], 2);
        assert_eq!(findings[0]["rule"], "github-token");
        assert_eq!(findings[0]["text"], "GH=<REDACTED>");
    }
    for format in ["human", "json", "sarif"] {
        let ran = workspace.program(&["scan", "secrets", "--format", format]);
        let ran = ran.exits(1);
        assert!(ran.stdout.contains("config/app.env"), "{}", ran.stdout);
        assert!(!ran.stdout.contains(&token()) && !ran.stderr.contains(&token()));
    }
}

#[test]
fn what_is_staged_counts_and_not_what_stands_in_the_file_by_now() {
    let workspace = Workspace::healthy().with_git();
    workspace.write("a", token());
    stage(&workspace);
    workspace.write("a", "nothing");
    workspace.program(&["scan", "secrets", "--staged"]).exits(1);
    workspace.program(&["scan", "secrets"]).exits(0);
    workspace
        .program(&["scan", "secrets", "--staged", "b"])
        .exits(0);
}

#[test]
fn an_allowance_counts_for_its_line_until_that_is_changed() {
    let workspace = Workspace::healthy();
    workspace.write("notes", format!("{}\n", token()));
    let found = workspace.program(&["scan", "secrets"]).exits(1).json();
    let digest = found["findings"][0]["line_sha256"].as_str().unwrap();
    let list = "policy/secret-scan-allow";
    workspace.write(
        list,
        format!("{digest} github-token notes # nobody has it\n"),
    );
    let allowed = workspace.program(&["scan", "secrets"]).exits(0).json();
    assert_eq!(allowed["allowed"], 1);
    workspace.write("notes", format!("x {}\n", token()));
    let ran = workspace.program(&["scan", "secrets"]).exits(1);
    assert!(ran.stderr.contains("ALLOWANCE_UNUSED"), "{}", ran.stderr);
    workspace.write(list, format!("{digest} github-token notes\n"));
    let ran = workspace.program(&["scan", "secrets"]).exits(1);
    assert!(ran.stderr.contains("ALLOWANCE_INVALID"), "{}", ran.stderr);
}

#[test]
fn what_can_not_be_looked_at_is_a_failure_and_links_are_not_followed() {
    let workspace = Workspace::healthy();
    let outside = Workspace::empty();
    outside.write("secret", token());
    std::os::unix::fs::symlink(outside.file("secret"), workspace.file("link")).unwrap();
    workspace.program(&["scan", "secrets"]).exits(0);
    workspace.program(&["scan", "secrets", "absent"]).exits(1);
    workspace.program(&["scan", "secrets", "--staged"]).exits(1);
    for path in ["../x", "/etc/passwd", "a/../../b"] {
        workspace.program(&["scan", "secrets", path]).exits(2);
    }
}

#[test]
fn default_secrets_are_found() {
    let workspace = Workspace::healthy();
    let [default, totp] = defaults();
    workspace.write(
        "a.py",
        format!("key = os.environ.get(\"K\", \"{default}\")\n"),
    );
    workspace.write("b.sh", format!("export TOTP={totp}\n"));
    let found = workspace.program(&["scan", "secrets"]).exits(1).json();
    let rules: Vec<_> = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["rule"].clone())
        .collect();
    assert_eq!(rules, ["published-default", "published-default"]);
}

/// The tracked files of this project, where it is a repository.
#[test]
fn this_project_holds_no_secret() {
    let root = env!("CARGO_MANIFEST_DIR");
    if !std::path::Path::new(root).join(".git").exists() {
        return;
    }
    let workspace = Workspace::empty();
    let ran = workspace.program(&["--workspace", root, "scan", "secrets", "--format", "human"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}
