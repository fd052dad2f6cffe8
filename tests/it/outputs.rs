//! Every JSON that a command prints or writes, held against docs/output.schema.json and the schemas
//! that it refers to. A command without a schema fails here, unless it is named as having no JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::approvals;
use crate::lifecycle::{self, REFERENCE};
use crate::reports;
use crate::workspace::{AT, Ran, Workspace};

/// Commands that print no JSON, or none of ours.
const NO_JSON: &[(&str, &str)] = &[
    ("completions", "a script for a shell"),
    ("man", "a manual page"),
    ("metrics", "the text of Prometheus"),
    ("policy schema", "a JSON Schema itself"),
    ("override enroll", "a secret, shown once to a person"),
    ("report summary", "Markdown"),
    (
        "report junit",
        "XML, held against tests/junit in reports.rs",
    ),
    (
        "report sarif",
        "SARIF, held against tests/sarif in reports.rs",
    ),
    ("report annotations", "annotations of GitHub Actions"),
    ("guard hook show", "a script for git"),
];

/// JSON files that a command leaves, by a part of their path, and their schema.
const FILES: &[(&str, &str)] = &[
    ("state/policy_state.json", "run"),
    ("state/policy_response_preview.json", "respond"),
    ("state/portal_data.json", "portal_data.json"),
    ("state/policy_response_undo_", "policy_response_undo.json"),
    ("state/kill_switch.json", "kill_switch.json"),
    (
        "forensics/safety_brake_state.json",
        "safety_brake_state.json",
    ),
    ("state/approval_state.json", "approval_state.json"),
    ("state/approval_highwater.json", "approval_highwater.json"),
    ("state/policy_alert_state.json", "policy_alert_state.json"),
    ("state/journal_heads.json", "journal_heads.json"),
    ("state/journal_verified.json", "journal_verified.json"),
    ("policy/manifest.json", "manifest.json"),
    ("policy/versions/", "update.json"),
    ("reports/policy_orchestration_alerts.json", "alerts"),
    (
        "reports/policy_orchestrator_failure.json",
        "policy_orchestrator_failure.json",
    ),
    (
        "reports/policy_response_blocked.json",
        "policy_response_blocked.json",
    ),
    ("reports/policy_response_failure.json", "applied"),
    ("reports/logs/P4_health.json", "health"),
    (
        "logs/policy_orchestration_alerts.jsonl",
        "policy_orchestration_alerts.jsonl",
    ),
    ("mirrors/anchor_chain.json", "anchor_chain.json"),
    ("state/policy_state_log.jsonl", "policy_state_log.jsonl"),
    (
        "state/policy_response_log.jsonl",
        "policy_response_log.jsonl",
    ),
    ("state/policy_response_journal.jsonl", "journal_line"),
    ("state/trust_lock_log.jsonl", "journal_line"),
    ("state/policy_versions_log.jsonl", "journal_line"),
    ("state/policy_shadow_log.jsonl", "journal_line"),
    ("state/kill_switch_log.jsonl", "journal_line"),
    ("state/audit.log", "journal_line"),
    ("state/request_decisions.jsonl", "journal_line"),
    ("state/approval_requests.jsonl", "journal_line"),
    ("state/spend_log.jsonl", "journal_line"),
    ("state/spend_usage.json", "spend_usage.json"),
];

/// JSON that a command leaves and that has no schema: it is not ours, or is said elsewhere.
const NO_FILES: &[&str] = &[
    // Signals, and what tests wrote.
    "artifacts/",
    "federation/",
    "forensics/forensics_anomaly_forecast.json",
    "forensics/response_history.jsonl",
    "trust_lock_state.json",
    "operations.jsonl",
    "numbers.json",
    "policy/policy_thresholds.json",
    "policy/responses.json",
    "policy/spend/",
    "requests.jsonl",
    // Held against a schema where it was printed, or a schema itself.
    "decision.json",
    "envelope.json",
    "made.json",
    "exported.jsonl",
    "policy/schema/",
    // Text, copies of signals, and journals as they were when they were broken.
    "forensics/verification_log.jsonl",
    "mirrors/anchor_2",
    "reports/logs/P1.log",
    "reports/logs/P2.log",
    "reports/logs/P3.log",
    "reports/logs/P4.log",
    "reports/logs/P5.log",
    "reports/logs/P6.log",
    "reports/logs/T-7.log",
    "reports/logs/checks.log",
    "state/segments/",
];

fn project(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The commands of docs/reference.md, which is made from the command line.
fn commands() -> Vec<String> {
    let reference = project("docs/reference.md");
    let rows = reference.lines().filter(|row| row.contains("](reference/"));
    rows.map(|row| row.split('`').nth(1).unwrap().to_owned())
        .collect()
}

/// The files of schemas that a schema refers to: `{"$ref": FILE}`, or one of several.
fn files_named(schema: &Value) -> Vec<&str> {
    let several = schema["anyOf"].as_array();
    let all = several.map_or_else(|| vec![schema], |all| all.iter().collect());
    let names = all.into_iter().filter_map(|one| one["$ref"].as_str());
    names.filter(|name| !name.starts_with('#')).collect()
}

/// The schemas by name: of each one has to hold; and which of them something was held against.
struct Schemas {
    by_name: BTreeMap<String, Vec<jsonschema::Validator>>,
    used: BTreeSet<String>,
    wrong: Vec<String>,
}

impl Schemas {
    fn load() -> Self {
        let all: Value = serde_json::from_str(&project("docs/output.schema.json")).unwrap();
        let here = |name: &str| {
            let mut one = all.clone();
            one.as_object_mut().unwrap().remove("$id");
            let defs = one["$defs"].as_object_mut().unwrap();
            defs.retain(|_, schema| files_named(schema).is_empty());
            one["$ref"] = json!(format!("#/$defs/{name}"));
            vec![jsonschema::validator_for(&one).unwrap()]
        };
        let elsewhere = |file: &str| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("docs")
                .join(file);
            let text = std::fs::read_to_string(path).unwrap();
            jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
        };
        let defined = all["$defs"].as_object().unwrap().iter();
        let validators = |(name, schema): (&String, &Value)| {
            let files = files_named(schema);
            let found = if files.is_empty() {
                here(name)
            } else {
                files.into_iter().map(elsewhere).collect()
            };
            (name.clone(), found)
        };
        Self {
            by_name: defined.map(validators).collect(),
            used: BTreeSet::new(),
            wrong: Vec::new(),
        }
    }

    fn hold(&mut self, name: &str, what: &str, value: &Value) {
        self.used.insert(name.to_owned());
        let Some(schemas) = self.by_name.get(name) else {
            self.wrong.push(format!("{what}: no schema `{name}`"));
            return;
        };
        if schemas.iter().any(|schema| schema.is_valid(value)) {
            return;
        }
        for error in schemas.iter().flat_map(|schema| schema.iter_errors(value)) {
            let place = error.instance_path().to_string();
            self.wrong.push(format!("{what}: {error} at {place}"));
        }
    }

    /// Every object that a command printed: one, or one on each line.
    fn hold_output(&mut self, name: &str, ran: &Ran) {
        let values = serde_json::Deserializer::from_str(&ran.stdout).into_iter::<Value>();
        let values: Vec<Value> = values.collect::<Result<_, _>>().unwrap_or_default();
        if values.is_empty() {
            self.wrong
                .push(format!("{name}: no JSON: {} {}", ran.stdout, ran.stderr));
        }
        for value in values {
            self.hold(name, name, &value);
        }
    }

    /// What `arguments` print in `workspace`, by the schema of their command.
    #[track_caller]
    fn run(&mut self, command: &mut Command, exit: i32) -> Ran {
        let arguments: Vec<String> = command
            .get_args()
            .map(|argument| argument.to_str().unwrap().to_owned())
            .collect();
        let of = commands().into_iter().filter(|known| {
            let words: Vec<&str> = known.split(' ').collect();
            arguments.len() >= words.len() && arguments[..words.len()] == words
        });
        let name = of.max_by_key(String::len).unwrap().replace(' ', "-");
        command.arg("--format").arg("json");
        let ran = Ran::from(command.output().unwrap());
        if ran.code != exit {
            let (arguments, code) = (arguments.join(" "), ran.code);
            self.wrong.push(format!(
                "{arguments}: exit {code}, not {exit}: {}",
                ran.stderr
            ));
        }
        self.hold_output(&name, &ran);
        ran
    }

    #[track_caller]
    fn say(&mut self, workspace: &Workspace, exit: i32, arguments: &str) -> Ran {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        self.run(&mut workspace.command(&arguments), exit)
    }

    /// The JSON files that commands left in a workspace.
    fn files(&mut self, workspace: &Workspace) {
        for (path, bytes) in workspace.snapshot() {
            let path = path.to_str().unwrap();
            let end = path.rsplit_once('.').map(|(_, end)| end);
            let is_json = end.is_some_and(|end| ["json", "jsonl", "log"].contains(&end));
            if !is_json || NO_FILES.iter().any(|part| path.starts_with(part)) {
                continue;
            }
            let Some((_, name)) = FILES.iter().find(|(part, _)| path.contains(part)) else {
                self.wrong.push(format!("{path}: a file without a schema"));
                continue;
            };
            let text = String::from_utf8(bytes).unwrap();
            let values = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
            for value in values {
                self.hold(name, path, &value.unwrap());
            }
        }
    }
}

/// The command with something on standard input.
fn with_input(workspace: &Workspace, arguments: &[&str], input: &str) -> Command {
    workspace.write("input", input);
    let mut command = workspace.command(arguments);
    command.stdin(Stdio::from(
        std::fs::File::open(workspace.file("input")).unwrap(),
    ));
    command
}

/// A few decisions, looked at in every way.
fn a_record(schemas: &mut Schemas) {
    let workspace = Workspace::empty();
    schemas.say(&workspace, 0, "init --at 2026-01-15T11:00:00Z");
    schemas.say(&workspace, 0, "init --portal");
    let workspace = Workspace::healthy().with_git();
    schemas.say(&workspace, 0, "run --at 2026-01-14T12:00:00Z --dry-run");
    schemas.say(&workspace, 0, "run --at 2026-01-14T12:00:00Z");
    workspace.integrity("95.4");
    workspace.forecast("medium");
    std::fs::remove_file(workspace.file("federation/reputation_index.json")).unwrap();
    schemas.say(&workspace, 0, "run --at 2026-01-14T18:00:00Z");
    workspace.integrity("80%");
    workspace.responses(9);
    schemas.say(&workspace, 0, "run --at 2026-01-15T12:00:00Z");
    for arguments in [
        "explain",
        "explain --number 1",
        "explain --blame",
        "status",
        "status --at 2026-01-15T12:30:00Z",
        "history --include-given",
        "history --include-given --level RED",
        "history",
        "history --health",
        "replay",
        "report badge --endpoint",
        "policy backtest reference --include-given",
        "audit list",
        "audit export --out exported.jsonl",
        "audit verify",
        "audit verify --record",
        "audit record --type CUSTOM_X --severity LOW",
        "checks list",
        "policy check",
        "policy init",
        "policy test --coverage",
        "policy diff reference",
        "policy status",
        "policy verify",
        "policy show policy/policy.yaml",
        "portal --export page",
        "portal --export page",
        "portal data --rebuild",
        "analytics",
        "scan secrets",
        "compliance report",
        "guard hook install",
        "kill status",
        "undo list",
        "undo prune --keep-days 1",
        "override status",
        "approve list",
    ] {
        schemas.say(&workspace, 0, arguments);
    }
    schemas.say(&workspace, 0, "doctor");
    schemas.say(&workspace, 1, "brake status");
    // The address, and then it serves.
    let mut serve = workspace.command(&["portal", "--serve", "--listen", "127.0.0.1:0"]);
    let mut child = serve.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    schemas.hold(
        "portal",
        "portal --serve",
        &serde_json::from_str(&line).unwrap(),
    );
    schemas.files(&workspace);
}

/// Inputs that can't be read, and a record that was changed.
fn what_is_wrong(schemas: &mut Schemas) {
    let workspace = Workspace::healthy();
    workspace.write(
        "forensics/forensics_anomaly_forecast.json",
        "{\n  \"risk_level\": \"critical\"\n}",
    );
    workspace.write(
        "policy/policy_thresholds.json",
        r#"{"yelow_integrity": 96}"#,
    );
    schemas.say(
        &workspace,
        1,
        "run --at 2026-01-15T12:00:00Z --retry-delays 0",
    );
    schemas.say(&workspace, 0, "explain");
    schemas.say(&workspace, 0, "status");
    schemas.say(&workspace, 1, "policy check");
    schemas.say(&workspace, 0, "alerts");
    schemas.say(&workspace, 0, "alerts --dry-run --at 2026-01-15T12:30:00Z");
    workspace.write("numbers.json", r#"{"yellow_integrity": 96}"#);
    schemas.say(&workspace, 0, "policy show numbers.json");
    workspace.write(
        "key.pem",
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAAA\n",
    );
    schemas.say(&workspace, 1, "scan secrets key.pem");
    let sarif = ["scan", "secrets", "key.pem", "--format", "sarif"];
    let log = reports::is_sarif(&workspace.program(&sarif).exits(1).stdout);
    assert_eq!(log["runs"][0]["results"].as_array().unwrap().len(), 1);
    for at in ["2026-01-15T13:00:00Z", "2026-01-15T14:00:00Z"] {
        schemas.say(&workspace, 1, &format!("run --at {at} --retry-delays 0"));
    }
    let journal = workspace.read("state/policy_state_log.jsonl");
    let changed = journal.replacen("\"RED\"", "\"GREEN\"", 1);
    workspace.write("state/policy_state_log.jsonl", changed);
    schemas.say(&workspace, 5, "audit verify");
    schemas.say(&workspace, 5, "replay --since 2026-01-01");
    schemas.say(&workspace, 5, "doctor");
    schemas.say(&workspace, 1, "health");
    schemas.say(&workspace, 0, "policy backtest reference --include-given");
    schemas.say(&workspace, 0, "history --include-given");
    schemas.say(&workspace, 0, "audit reseal --reason edited");
    schemas.say(
        &workspace,
        1,
        "run --at 2026-01-15T15:00:00Z --retry-delays 0",
    );
    schemas.say(&workspace, 0, "audit rotate");
    schemas.say(&workspace, 0, "audit rotate --keep-days 3");
    schemas.say(&workspace, 0, "audit verify");
    schemas.files(&workspace);
}

/// The trust guard, the brake and the kill switch.
fn safeguards(schemas: &mut Schemas) {
    let workspace = Workspace::healthy();
    schemas.say(&workspace, 0, "trust check");
    schemas.say(&workspace, 0, "trust status");
    workspace.integrity("80");
    schemas.say(&workspace, 1, "trust check");
    for arguments in ["trust enforce", "trust enforce --at 2026-01-15T12:00:00Z"] {
        schemas.say(&workspace, 0, arguments);
    }
    schemas.say(&workspace, 1, "trust status");
    for arguments in [
        "trust force-unlock --reason r",
        "trust reset-counter --reason r",
        "brake engage --reason r",
    ] {
        schemas.say(&workspace, 0, arguments);
    }
    schemas.say(&workspace, 1, "brake status");
    schemas.say(&workspace, 0, "brake reset --reason r");
    schemas.say(&workspace, 0, "brake status");
    schemas.say(&workspace, 0, "kill on --reason r");
    schemas.files(&workspace);
    schemas.say(&workspace, 1, "kill status");
    schemas.say(&workspace, 1, "kill watch --until-on");
    schemas.say(&workspace, 0, "kill off --reason r");
    schemas.say(&workspace, 0, "kill watch --timeout 0");
    schemas.say(&workspace, 0, "audit list");
    schemas.files(&workspace);
}

/// A RED that is responded to, and taken back.
fn responses(schemas: &mut Schemas) {
    let workspace = Workspace::healthy();
    workspace.integrity("80");
    workspace.write("artifacts/integrity_anchor.json", r#"{"sha":"abc"}"#);
    schemas.say(&workspace, 0, "run");
    schemas.say(&workspace, 0, "respond");
    schemas.say(&workspace, 3, "respond --apply");
    workspace
        .program(&["brake", "reset", "--reason", "r"])
        .exits(0);
    schemas.say(&workspace, 0, "respond");
    let applied = schemas.say(&workspace, 0, "respond --apply").json();
    let id = applied["response_id"].as_str().unwrap();
    schemas.files(&workspace);
    for arguments in [
        "undo list",
        &format!("undo show {id}"),
        &format!("undo run {id} --dry-run"),
        &format!("undo run {id}"),
        "status",
        "undo list",
        "action integrity_check",
        "action integrity_anchor_mirror",
        "action integrity_anchor_mirror --apply",
        "undo prune --keep-days 0",
        "audit list",
        "audit verify",
    ] {
        schemas.say(&workspace, 0, arguments);
    }
    let journal = "state/policy_response_journal.jsonl";
    workspace.write(journal, workspace.read(journal) + "{\"garbage\"\n");
    schemas.say(
        &workspace,
        0,
        &format!("audit reseal --journal {journal} --reason r"),
    );
    schemas.say(&workspace, 0, "undo accept unknown --reason r");
    schemas.files(&workspace);

    // An action that fails, and one whose end nobody knows.
    let workspace = Workspace::healthy();
    workspace.integrity("80");
    let cut_off = json!({"schema": 1, "builtin": false, "actions": [
        {"name": "fail", "level": "RED", "argv": ["/bin/sh", "-c", "echo out; echo err >&2; exit 1"], "changes": ["data/a"]},
        {"name": "never", "level": "RED", "argv": ["/bin/true"]},
    ]});
    workspace.write("policy/responses.json", cut_off.to_string());
    workspace.write("data/a", "1");
    workspace.program(&["run"]).exits(0);
    workspace
        .program(&["brake", "reset", "--reason", "r"])
        .exits(0);
    schemas.say(&workspace, 0, "respond");
    schemas.say(&workspace, 1, "respond --apply");
    schemas.say(&workspace, 0, "undo list");
    schemas.files(&workspace);
}

/// The id of a request for an approval.
fn ask(schemas: &mut Schemas, workspace: &Workspace, operation: &str) -> String {
    let mut arguments = vec!["approve", "request", "--reason", "r", "--operation"];
    arguments.extend(operation.split(' '));
    let mut command = approvals::command_as(workspace, "ada", &arguments);
    command.env("POLICY_APPROVER_KEY_FILE", "ada.key");
    let asked = schemas.run(&mut command, 0).json();
    asked["id"].as_str().unwrap().to_owned()
}

/// Approvals and overrides.
fn second_persons(schemas: &mut Schemas) {
    let workspace = Workspace::healthy();
    workspace.integrity("80");
    for name in ["ada", "bob"] {
        approvals::keys(&workspace, name, "ed25519");
    }
    approvals::list(&workspace, &[("bob", "'*'")]);
    workspace.program(&["run"]).exits(0);
    workspace.program(&["respond"]).exits(0);
    let (granted, denied) = (
        ask(schemas, &workspace, "apply"),
        ask(schemas, &workspace, "rotate_key --subject 0123456789abcdef"),
    );
    workspace.program(&["policy", "lock"]).exits(0);
    workspace.write("policy/new.yaml", "a: 1\n");
    let accept = ask(schemas, &workspace, "accept --path policy/new.yaml");
    let mut grant = approvals::command_as(
        &workspace,
        "bob",
        &["approve", "grant", &granted, "--as", "bob"],
    );
    grant.env("POLICY_APPROVER_KEY_FILE", "bob.key");
    schemas.run(&mut grant, 0);
    schemas.say(&workspace, 0, &format!("approve deny {denied} --reason r"));
    schemas.say(&workspace, 0, "approve list");
    schemas.say(&workspace, 0, &format!("approve verify {granted}"));
    for id in [&denied, &accept] {
        schemas.say(&workspace, 4, &format!("approve verify {id}"));
    }
    std::fs::remove_file(workspace.file("policy/new.yaml")).unwrap();
    let totp = |user: &str, arguments: &[&str]| {
        let mut command = approvals::command_as(&workspace, user, arguments);
        command.env("POLICY_TOTP_SECRET", crate::overrides::SECRET);
        command
    };
    let ask = [
        "override",
        "request",
        "--operation",
        "guard:policy/new.yaml",
        "--justification",
        "r",
    ];
    let asked = schemas.run(&mut totp("ada", &ask), 0).json();
    let id = asked["override_id"].as_str().unwrap();
    let code = crate::overrides::code(0);
    schemas.say(&workspace, 4, &format!("override status {id}"));
    schemas.run(&mut totp("bob", &crate::overrides::approval(id, &code)), 0);
    schemas.say(&workspace, 0, &format!("override status {id}"));
    schemas.say(&workspace, 0, "override status");
    schemas.files(&workspace);
}

/// A policy from its draft into production and back, and protected files.
fn policies(schemas: &mut Schemas) {
    let workspace = Workspace::healthy();
    workspace.write("policy/policy.yaml", REFERENCE);
    workspace.run_at("2026-01-01T00:00:00Z").exits(0);
    workspace.write("next.yaml", lifecycle::stricter());
    workspace.write("update.yaml", lifecycle::LENIENT);
    let mut step = |user: &str, at: &str, arguments: &str| {
        let mut words = vec!["policy"];
        words.extend(arguments.split(' '));
        words.extend(["--at", at, "--reason", "r", "--retry-delays", "0"]);
        let mut command = approvals::command_as(&workspace, user, &words);
        schemas.run(&mut command, 0);
        let status = ["policy", "status", "--at", at];
        schemas.run(&mut workspace.command(&status), 0);
    };
    let (first, last) = ("2026-01-01T06:00:00Z", "2026-01-08T06:00:00Z");
    step("ana", first, "draft next.yaml");
    step("ana", first, "draft next.yaml --update update.yaml");
    step("ana", first, "approve 2 --as policy_author");
    step("ben", first, "approve 2 --as security_team");
    step("ana", first, "validate 2");
    step("ana", first, "promote 2 --to staging");
    workspace.run_at("2026-01-02T12:00:00Z").exits(0);
    step("ana", last, "promote 2 --to production");
    step("ana", last, "rollback");
    schemas.say(
        &workspace,
        10,
        "policy diff reference next.yaml --exit-code",
    );
    schemas.files(&workspace);

    let workspace = Workspace::healthy();
    schemas.say(&workspace, 0, "policy init");
    schemas.say(&workspace, 0, "policy lock --reason r");
    schemas.say(&workspace, 0, "policy verify");
    workspace.write("policy/new.yaml", "a: 1\n");
    schemas.say(&workspace, 5, "policy verify");
    schemas.say(&workspace, 0, "policy accept --reason r");
    workspace.write(
        "policy/tests/wrong.yaml",
        "at: 2026-01-15T12:00:00Z\ncases:\n  - {name: locked, inputs: {trust: locked}, expect: {level: GREEN}}\n",
    );
    schemas.say(
        &workspace,
        5,
        "run --at 2026-01-15T12:00:00Z --retry-delays 0",
    );
    schemas.say(&workspace, 1, "policy test");
    let edit = r#"{"type":"edit","affected_files":["policy/policy.yaml"]}"#;
    schemas.run(&mut with_input(&workspace, &["guard", "check"], edit), 5);
    let workspace = Workspace::healthy();
    let edit = r#"{"type":"edit","affected_files":["src/a.py"]}"#;
    schemas.run(&mut with_input(&workspace, &["guard", "check"], edit), 0);
    let refused = r#"{"type":"edit","affected_files":[".scalpel/policy.yaml"]}"#;
    schemas.run(&mut with_input(&workspace, &["guard", "check"], refused), 4);
    workspace.write("operations.jsonl", format!("{edit}\n{refused}\n"));
    schemas.say(&workspace, 4, "guard check --batch operations.jsonl");
    schemas.files(&workspace);
}

/// Keys, statements, checkpoints, checks and what is left.
fn signatures_and_checks(schemas: &mut Schemas) {
    let workspace = Workspace::healthy();
    workspace.program(&["run"]).exits(0);
    schemas.say(&workspace, 0, "keys generate --out made.key");
    schemas.say(&workspace, 0, "keys show made.key");
    schemas.say(&workspace, 0, "keys show made.pub --note-name here");
    for arguments in [
        "attest",
        "attest --out made.json",
        "attest --predicate decision --out decision.json",
        "attest verify made.json --key made.pub",
        "attest verify decision.json --key made.pub",
        "audit checkpoint",
        "audit checkpoint --out made.note",
        "audit verify --checkpoint made.note --checkpoint-key made.pub",
        "health",
        "checks list",
    ] {
        let words: Vec<&str> = arguments.split(' ').collect();
        let mut command = workspace.command(&words);
        schemas.run(command.env("POLICY_SIGNING_KEY_FILE", "made.key"), 0);
    }
    workspace.write("T-7.md", "Do it under P1 and P-3.\n");
    schemas.say(&workspace, 0, "checks plan T-7.md");
    schemas.say(&workspace, 0, "checks run P1 P3 P5 P6 --task T-7");
    schemas.say(&workspace, 1, "checks run");
    schemas.say(
        &workspace,
        4,
        "compliance ask --subject p-1 --purpose billing --fields name",
    );
    schemas.files(&workspace);

    let workspace = Workspace::healthy();
    let secrets = [
        "one secret of at least thirty-two bytes",
        "another secret of thirty-two bytes",
    ];
    let mut run = workspace.command(&["run", "--at", AT]);
    run.env("POLICY_AUDIT_SECRET", secrets[0]);
    schemas.run(&mut run, 0);
    let mut rotate = workspace.command(&["audit", "rotate-key", "--reason", "r"]);
    rotate
        .env("POLICY_AUDIT_SECRET", secrets[1])
        .env("POLICY_AUDIT_OLD_SECRET", secrets[0]);
    schemas.run(&mut rotate, 0);
    let mut verify = workspace.command(&["audit", "verify"]);
    verify
        .env("POLICY_AUDIT_SECRET", secrets[1])
        .env("POLICY_AUDIT_OLD_SECRET", secrets[0]);
    schemas.run(&mut verify, 0);
    schemas.files(&workspace);
}

/// Requests, and what is answered in each view.
fn requests(schemas: &mut Schemas) {
    let workspace = Workspace::healthy();
    workspace.program(&["run"]).exits(0);
    let request = r#"{"action":"read","user":{"role":"public"},"resource":{"type":"dataset","policy_label":"public"}}"#;
    for further in [
        &["--record"][..],
        &["--explain"],
        &["--view", "public"],
        &["--view", "caller"],
    ] {
        let decide = [&["decide"][..], further].concat();
        schemas.run(&mut with_input(&workspace, &decide, request), 4);
    }
    workspace.write("policy/spend/x.json", SPEND_POLICY);
    schemas.run(&mut with_input(&workspace, &["spend", "check"], PAYMENT), 0);
    for id in ["1", "1"] {
        let record = ["spend", "record", "--id", id];
        schemas.run(&mut with_input(&workspace, &record, PAYMENT), 0);
    }
    schemas.run(&mut workspace.command(&["spend", "usage"]), 0);
    let cancel = ["spend", "cancel", "1", "--reason", "x"];
    schemas.run(&mut workspace.command(&cancel), 0);
    schemas.run(&mut workspace.command(&["obligations", "list"]), 0);
    let allowed = request.replace("\"role\":", "\"principal\":\"u\",\"groups\":[],\"role\":");
    let allowed = allowed.replace(
        "\"policy_label\":",
        "\"dataset_version_id\":\"2026-02.abcd1234\",\"policy_label\":",
    );
    let answer = decide_on(&workspace, &allowed);
    workspace.write("envelope.json", answer);
    let apply = [
        "obligations",
        "apply",
        "--envelope",
        "envelope.json",
        "--check",
    ];
    schemas.run(&mut with_input(&workspace, &apply, "{\"a\":1}"), 4);
    schemas.run(
        &mut with_input(&workspace, &["promote", "check"], "{\"schema\":1}"),
        4,
    );
    let gate = Workspace::empty();
    gate.program(&["init", "--requests", "--no-workflow"])
        .exits(0);
    schemas.run(&mut gate.command(&["policy", "gate"]), 0);
    let policy = |effect: &str| SECURITY_POLICY.replace("EFFECT", effect);
    workspace.write("old/a.yaml", policy("allow"));
    workspace.write("new/a.yaml", policy("deny"));
    workspace.write("requests.jsonl", "{\"user\":{\"role\":\"a\"}}\n{}\n");
    let impact = [
        "policy",
        "impact",
        "old",
        "new",
        "--requests",
        "requests.jsonl",
    ];
    schemas.run(&mut workspace.command(&impact), 0);
    schemas.files(&workspace);
}

const SPEND_POLICY: &str = r#"{"name":"x","caps":{"perTxn":500,"daily":1000,"monthly":5000},"msig":{"threshold":{"higherThan":300,"approvals":2}}}"#;
const PAYMENT: &str = r#"{"agentId":"x","entityId":"e","amount":10,"currency":"BRL","category":"c","beneficiary":{"id":"a"},"purpose":"PIX"}"#;
const SECURITY_POLICY: &str = "apiVersion: policy.orchestra.v1\nkind: SecurityPolicy\nmetadata: {name: a}\nspec:\n  scope: [{resource: user}]\n  rules:\n    - {name: a, condition: user.role == 'a', effect: EFFECT}\n  enforcement: {mode: strict}\n";

/// The answer to a request, as it is printed.
fn decide_on(workspace: &Workspace, request: &str) -> String {
    let ran = Ran::from(
        with_input(workspace, &["decide"], request)
            .output()
            .unwrap(),
    );
    ran.stdout
}

#[test]
fn every_json_that_is_printed_or_written_follows_its_published_schema() {
    let mut schemas = Schemas::load();
    a_record(&mut schemas);
    what_is_wrong(&mut schemas);
    safeguards(&mut schemas);
    responses(&mut schemas);
    second_persons(&mut schemas);
    policies(&mut schemas);
    signatures_and_checks(&mut schemas);
    requests(&mut schemas);
    schemas.wrong.sort();
    schemas.wrong.dedup();
    assert!(schemas.wrong.is_empty(), "{}", schemas.wrong.join("\n"));
    let text = project("docs/output.schema.json");
    let unused: Vec<&String> = schemas
        .by_name
        .keys()
        .filter(|name| !schemas.used.contains(*name))
        .filter(|name| !text.contains(&format!("\"#/$defs/{name}\"")))
        .collect();
    assert_eq!(
        unused,
        Vec::<&String>::new(),
        "nothing was held against these"
    );
}

#[test]
#[cfg(feature = "rego")]
fn tests_in_rego_follow_the_published_schema() {
    let mut schemas = Schemas::load();
    let workspace = Workspace::healthy();
    workspace.write(
        "policy/rego/p.rego",
        "package p\nallow if input.x\nodd(x) := x\n",
    );
    let tests = "package p_test\ntest_yes if data.p.allow with input as {\"x\": 1}\ntest_no if data.p.allow\ntest_odd := x if some x in [1, 2]\ntodo_test_later if false\n";
    workspace.write("policy/rego/p_test.rego", tests);
    schemas.say(&workspace, 1, "policy test");
    schemas.say(&workspace, 1, "policy test --coverage policy/rego");
    assert!(schemas.wrong.is_empty(), "{}", schemas.wrong.join("\n"));
}

#[test]
fn every_command_has_a_schema_or_no_json() {
    let all = commands();
    assert!(all.len() > 60, "{all:?}");
    let schemas = Schemas::load();
    let without: Vec<&String> = all
        .iter()
        .filter(|command| NO_JSON.iter().all(|(name, _)| name != *command))
        .filter(|command| !schemas.by_name.contains_key(&command.replace(' ', "-")))
        .collect();
    assert_eq!(without, Vec::<&String>::new(), "docs/output.schema.json");
    for (name, _) in NO_JSON {
        assert!(all.iter().any(|command| command == name), "{name} is gone");
    }
}
