//! No secret leaves the program (S0-074), default secrets are refused (S3-028), and the scan for
//! secrets finds what is planted.

use serde_json::json;

use crate::workspace::{Ran, Workspace};

/// Every variable with a secret that this program or its policies know, with a canary. A new one
/// belongs here; [`every_variable_with_a_secret_has_a_canary`] looks for it in the sources.
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
    (
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "http://127.0.0.1:1/canary-otlp-5e11",
    ),
    (
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "http://127.0.0.1:1/canary-otlp-traces-5e12",
    ),
    (
        "OTEL_EXPORTER_OTLP_HEADERS",
        "x-canary=canary-otlp-headers-5e13",
    ),
    (
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
        "x-canary=canary-otlp-traces-headers-5e14",
    ),
    ("POLICY_TOTP_SECRET", "CANARYTOTPJBSWY3DPEHPK3PXPJBSWY3"),
    (
        "POLICY_TENANT_KEY",
        "canary-tenant-ZYXWVUTSRQPONMLKJI-0123456789",
    ),
    ("POLICY_KEY_PASSWORD", "canary-key-password-5c5c"),
    (
        "POLICY_JWT_SECRET",
        "canary-tokens-ZYXWVUTSRQPONMLKJI-0123456789",
    ),
    ("VAULT_TOKEN", "canary-vault-f00dfeed"),
    ("VAULT_ADDR", "http://127.0.0.1:1"),
    (
        "POLICY_TENANT_TOKEN",
        "canary-tenant.token.ZYXWVUTSRQPONMLKJI-0123456789",
    ),
    ("COSIGN_KEY_PATH", "/canary-cosign-path-77aa"),
    ("COSIGN_PASSWORD", "canary-cosign-8b8b8b"),
    (
        "POSTGRES_DSN",
        "postgres://canary-user:canary-dsn-5150@db/x",
    ),
    ("JWT_SECRET", "canary-jwt-0badcafe"),
    ("GITHUB_TOKEN", "canary-github-31337"),
];

/// The same secrets under their other names and in files; the second half are the names of files
/// with these contents, outside of the workspace.
const ALIASES: &[(&str, &str)] = &[
    (
        "SCALPEL_AUDIT_SECRET",
        "canary-scalpel-ZYXWVUTSRQPONMLKJI-0123456789",
    ),
    ("SCALPEL_TOTP_SECRET", "CANARYSCALPELJBSWY3DPEHPK3PXPJBS"),
    ("VAULT_ADDR", "http://127.0.0.1:1"),
    ("COSIGN_PASSWORD", "canary-cosign-8b8b8b"),
    ("VAULT_TOKEN", "canary-vault-f00dfeed"),
    ("JWT_SECRET", "canary-jwt-0badcafe"),
];

const IN_FILES: &[(&str, &str)] = &[
    (
        "POLICY_AUDIT_SECRET_FILE",
        "canary-scalpel-ZYXWVUTSRQPONMLKJI-0123456789",
    ),
    (
        "POLICY_AUDIT_OLD_SECRET_FILE",
        "canary-older-ZYXWVUTSRQPONMLKJI-0123456789",
    ),
    (
        "POLICY_TENANT_KEY_FILE",
        "canary-tenants-ZYXWVUTSRQPONMLKJI-0123456789",
    ),
    (
        "POLICY_JWT_SECRET_FILE",
        "canary-tokens-ZYXWVUTSRQPONMLKJI-0123456789",
    ),
    (
        "POLICY_TENANT_TOKEN_FILE",
        "canary-tenant.token.ZYXWVUTSRQPONMLKJI-0123456789",
    ),
];

/// What is no secret and named like one, or holds where one is.
const NO_SECRETS: &[&str] = &[
    // Only the file, or the place in Vault, is named; what it holds is looked for under IN_FILES.
    "POLICY_TOTP_SECRET_FILE",
    "VAULT_TOKEN_FILE",
    "POLICY_SIGNING_KEY_FILE",
    "POLICY_APPROVER_KEY_FILE",
    "POLICY_AUDIT_SECRET_VAULT",
    "POLICY_AUDIT_OLD_SECRET_VAULT",
    "POLICY_TOTP_SECRET_VAULT",
    "POLICY_JWT_SECRET_VAULT",
    "POLICY_TENANT_KEY_VAULT",
    "POLICY_SIGNING_KEY_VAULT",
    "POLICY_APPROVER_KEY_VAULT",
];

/// A session that meets every command. A new command belongs here
/// ([`every_command_is_in_the_session`]); how each of them ends is the business of its own tests.
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
    &["undo", "show", ID],
    &["undo", "run", ID],
    &["undo", "accept", ID, "--reason", REASON],
    &["undo", "prune", "--keep-days", "1"],
    &["action", "integrity_check"],
    &["action", "schema_validation"],
    &["alerts"],
    &["trust", "check"],
    &["trust", "enforce"],
    &["trust", "force-unlock", "--reason", REASON],
    &["trust", "reset-counter", "--reason", REASON],
    &["trust", "status"],
    &["brake", "engage", "--reason", REASON],
    &["brake", "reset", "--reason", REASON],
    &["brake", "status"],
    &["kill", "on", "--reason", REASON],
    &["kill", "watch", "--until-on"],
    &["kill", "status"],
    &[
        "approve",
        "request",
        "--operation",
        "kill_off",
        "--reason",
        REASON,
    ],
    &["approve", "grant", ID, "--as", "bob"],
    &["approve", "deny", ID, "--reason", REASON],
    &["approve", "verify", ID],
    &["approve", "list"],
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
    &["checks", "plan", "README.md"],
    &["health"],
    &["metrics"],
    &["metrics", "--textfile", "policy.prom"],
    &["report", "summary"],
    &["report", "badge"],
    &["report", "junit"],
    &["report", "sarif"],
    &["report", "annotations"],
    &["keys", "generate", "--out", "made.key"],
    &["keys", "show", "made.key"],
    &["attest", "--out", "made.json"],
    &["attest", "--key", "vault-transit:x", "--out", "made.json"],
    &["attest", "verify", "made.json", "--key", "made.pub"],
    &["audit", "checkpoint"],
    &[
        "override",
        "request",
        "--operation",
        "guard:policy/x",
        "--justification",
        REASON,
    ],
    &[
        "override",
        "approve",
        ID,
        "--code",
        "123456",
        "--justification",
        REASON,
    ],
    &["override", "status"],
    &["override", "enroll", "--show-secret"],
    &["policy", "init"],
    &["policy", "check"],
    &["policy", "schema"],
    &["policy", "show", "policy/policy.yaml"],
    &["policy", "test"],
    &["policy", "diff", "reference", "policy/policy.yaml"],
    &["policy", "draft", "policy/policy.yaml", "--reason", REASON],
    &["policy", "validate", "1"],
    &[
        "policy",
        "approve",
        "1",
        "--as",
        "policy_author",
        "--reason",
        REASON,
    ],
    &[
        "policy", "promote", "1", "--to", "staging", "--reason", REASON,
    ],
    &["policy", "rollback", "--reason", REASON],
    &["policy", "status"],
    &["policy", "backtest", "reference"],
    &["policy", "impact", "policy/security", "policy/security"],
    &["history"],
    &["replay"],
    &["scan", "secrets"],
    &["compliance", "report"],
    &[
        "compliance",
        "ask",
        "--subject",
        "p-1",
        "--purpose",
        "billing",
        "--fields",
        "name",
    ],
    &["analytics"],
    &["guard", "check"],
    &["guard", "hook", "show"],
    &["guard", "hook", "install"],
    &[
        "audit",
        "record",
        "--type",
        "CUSTOM_X",
        "--severity",
        "LOW",
        "--details",
        DETAILS,
    ],
    &["audit", "list"],
    &["audit", "export", "--out", "exported.jsonl"],
    &[
        "audit",
        "export",
        "--include-pii",
        "--out",
        "personal.jsonl",
    ],
    &["audit", "verify"],
    &["audit", "verify", "--record"],
    &["audit", "rotate"],
    &["audit", "rotate-key", "--reason", REASON],
    &["compliance", "report", "--out", "compliance.md"],
    &[
        "compliance",
        "ask",
        "--subject",
        "canary-jwt-0badcafe",
        "--purpose",
        "test",
        "--fields",
        "email",
    ],
    &["analytics"],
    &["spend", "check"],
    &["spend", "record"],
    &["spend", "cancel", ID, "--reason", REASON],
    &["spend", "usage"],
    &["portal", "data", "--rebuild"],
    &["portal", "--export", "page"],
    &["decide", "--record"],
    &["obligations", "list"],
    &["obligations", "apply", "--envelope", "x"],
    &["promote", "check"],
    &["policy", "gate"],
    &["decide", "--format", "human", "--explain"],
    &["policy", "lock"],
    &["policy", "verify"],
    &["policy", "accept", "--reason", REASON],
    &["audit", "reseal", "--reason", REASON],
    &["doctor"],
    &["init"],
    &["completions", "bash"],
    &["man"],
];

/// Commands that are in no session, with the reason.
const NOT_IN_THE_SESSION: &[(&str, &str)] = &[(
    "perform",
    "an apply starts it, which the session does; alone it ends at once",
)];

/// An id that nothing has.
const ID: &str = "00000000-0000-4000-8000-000000000000";

/// Details that quote a command line.
const DETAILS: &str = r#"{"said": "with canary-vault-f00dfeed", "jwt": ["canary-jwt-0badcafe"]}"#;

/// What a hook hands to `guard check`.
const OPERATION: &str = r#"{"tool": "edit canary-jwt-0badcafe", "files": ["policy/policy.yaml", "canary-vault-f00dfeed"]}"#;

/// A reason that quotes a command line, as people do.
const REASON: &str = "with canary-vault-f00dfeed and canary-jwt-0badcafe";

/// What a canary is called wherever it stands: none of the product's own words.
const MARKS: [&str; 2] = ["canary-", "CANARY"];

fn mark_in(bytes: &[u8]) -> Option<usize> {
    let mut marks = MARKS.into_iter();
    marks.find_map(|mark| memchr::memmem::find(bytes, mark.as_bytes()))
}

/// A workspace whose actions print all their variables, and one of whose signals can't be read.
fn session(canaries: &[(&str, &str)]) -> Workspace {
    let names = canaries.iter().map(|(name, _)| *name);
    let handed: Vec<&str> = names
        .filter(|name| !name.starts_with("POLICY_") && !name.starts_with("SCALPEL_"))
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

/// Runs every command of the session, and looks at every byte that was said or written.
fn is_silent(canaries: &[(&str, &str)], in_files: &[(&str, &str)]) {
    let workspace = session(canaries);
    let elsewhere = Workspace::empty();
    for (name, content) in in_files {
        elsewhere.write(name, format!("{content}\n"));
    }
    elsewhere.write("operation", OPERATION);
    let mut applied = false;
    for arguments in SESSION {
        let mut command = workspace.command(arguments);
        command
            .arg("-v")
            .envs(canaries.iter().copied())
            .stdin(std::fs::File::open(elsewhere.file("operation")).unwrap());
        for (name, _) in in_files {
            command.env(name, elsewhere.file(name));
        }
        let ran = Ran::from(command.output().unwrap());
        assert_ne!(ran.code, 2, "{arguments:?}: {}", ran.stderr);
        applied |= ran.stdout.contains("<REDACTED>");
        for said in [&ran.stdout, &ran.stderr] {
            assert_eq!(mark_in(said.as_bytes()), None, "{arguments:?} says {said}");
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
        assert_eq!(mark_in(&bytes), None, "{} holds a canary", name.display());
    }
}

#[test]
fn no_secret_of_the_environment_is_said_or_written_in_a_session() {
    is_silent(CANARIES, &[]);
}

#[test]
fn no_secret_under_its_other_name_or_in_a_file_is_said_or_written() {
    is_silent(ALIASES, IN_FILES);
}

/// The commands below `above`, as the help names them.
fn below(above: &[&str]) -> Vec<String> {
    let help = Workspace::empty().program(&[above, &["--help"]].concat());
    let (_, rest) = help.stdout.split_once("\nCommands:\n").unwrap_or_default();
    rest.lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_is_in_the_session() {
    let mut leaves = ["perform", "attest", "portal"].map(str::to_owned).to_vec();
    for name in below(&[]) {
        let second = below(&[&name]);
        if second.is_empty() {
            leaves.push(name.clone());
        }
        for sub in second {
            let third = below(&[&name, &sub]);
            if third.is_empty() {
                leaves.push(format!("{name} {sub}"));
            }
            leaves.extend(third.iter().map(|last| format!("{name} {sub} {last}")));
        }
    }
    assert!(leaves.len() > 60, "{leaves:?}");
    let lines: Vec<String> = SESSION.iter().map(|words| words.join(" ")).collect();
    let is_in = |leaf: &String| {
        let begins = |line: &String| line == leaf || line.starts_with(&format!("{leaf} "));
        lines.iter().any(begins)
    };
    for leaf in &leaves {
        let excepted = NOT_IN_THE_SESSION.iter().any(|(name, _)| leaf == name);
        assert_ne!(is_in(leaf), excepted, "`{leaf}` has no line in SESSION");
    }
}

/// Every word in capital letters in the sources that is named like a variable with a secret.
#[test]
fn every_variable_with_a_secret_has_a_canary() {
    fn sources(directory: &std::path::Path, text: &mut String) {
        for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                sources(&entry.path(), text);
            } else if entry.path().extension().is_some_and(|end| end == "rs") {
                let file = std::fs::read_to_string(entry.path()).unwrap();
                text.push_str(file.split("#[cfg(test)]\nmod tests").next().unwrap());
            }
        }
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = String::new();
    sources(&root.join("src/cli"), &mut text);
    let named = text.split('"').filter(|word| {
        let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let prefixes = ["POLICY_", "SCALPEL_", "VAULT_", "COSIGN_"];
        let parts = ["SECRET", "TOKEN", "PASSWORD", "KEY"];
        word.chars().all(plain)
            && prefixes.iter().any(|prefix| word.starts_with(prefix))
            && parts
                .iter()
                .any(|part| word.split('_').any(|own| own == *part))
    });
    let known = [CANARIES, ALIASES, IN_FILES].concat();
    let mut seen = 0;
    for name in named {
        seen += 1;
        let has_canary = known.iter().any(|(known, _)| *known == name);
        assert!(
            has_canary || NO_SECRETS.contains(&name),
            "{name} has no canary"
        );
    }
    assert!(seen > 15, "{seen}");
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
