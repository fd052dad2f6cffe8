//! `decide`: what stands before the layers, the two views, streams of requests, the record.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use policy_orchestrator::authorization::tenant;
use serde_json::{Value, json};

use crate::workspace::{Ran, Workspace, fed};

/// Runs `decide` with something on standard input.
pub(crate) fn decide(workspace: &Workspace, arguments: &[&str], input: &str) -> Ran {
    decide_with(workspace, arguments, input, &[])
}

fn decide_with(
    workspace: &Workspace,
    arguments: &[&str],
    input: &str,
    variables: &[(&str, &str)],
) -> Ran {
    let mut command = workspace.command(&[&["decide"], arguments].concat());
    fed(command.envs(variables.iter().copied()), input)
}

/// Every answer of a run, each held against the schema.
pub(crate) fn envelopes(ran: &Ran) -> Vec<Value> {
    let schema = include_str!("../../docs/decision_envelope.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let values = serde_json::Deserializer::from_str(&ran.stdout).into_iter::<Value>();
    values
        .map(|envelope| {
            let envelope = envelope.unwrap();
            let errors: Vec<String> = validator
                .iter_errors(&envelope)
                .map(|error| error.to_string())
                .collect();
            assert!(errors.is_empty(), "{errors:?} in {envelope}");
            envelope
        })
        .collect()
}

fn codes(envelope: &Value) -> Vec<&str> {
    let codes = envelope["reason_codes"].as_array().unwrap();
    codes.iter().map(|code| code.as_str().unwrap()).collect()
}

const READ: &str = r#"{"action":"archive","id":"r1"}"#;

#[test]
fn nothing_is_allowed_where_no_policy_speaks() {
    let workspace = Workspace::empty();
    let envelope = decide(&workspace, &[], READ).exits(4).json();
    assert_eq!(codes(&envelope), ["NO_POLICY_APPLIES"]);
    assert_eq!(envelope["decision"], "deny");
    assert_eq!(envelope["effect"], "DENY");
    assert_eq!(envelope["id"], "r1");
    assert_eq!(envelope["level"], Value::Null);
    decide(&workspace, &["--no-exit-code"], READ).exits(0);
    assert!(workspace.snapshot().is_empty(), "deciding writes nothing");
}

/// The first text in single quotes behind `echo`, on one line.
fn first_request(text: &str) -> String {
    let (_, behind) = text.split_once("echo '").unwrap();
    let (request, _) = behind.split_once("' |").unwrap();
    let lines: Vec<&str> = request.lines().map(str::trim).collect();
    lines.concat()
}

#[test]
fn the_first_example_of_the_help_and_of_the_page_is_allowed() {
    let workspace = Workspace::healthy();
    let help = workspace.program(&["decide", "--help"]).exits(0);
    let page = std::fs::read_to_string("docs/requests.md").unwrap();
    for text in [help.stdout.as_str(), &page] {
        let ran = decide(&workspace, &[], &first_request(text)).exits(0);
        assert_eq!(codes(&envelopes(&ran)[0]), ["ALLOW_MATCHED_RULE"]);
    }
}

#[test]
fn the_same_request_gives_the_same_bytes() {
    let workspace = Workspace::healthy();
    workspace.run().exits(0);
    let at = ["--at", "2026-01-31T05:00:00Z"];
    let first = decide(&workspace, &at, READ).exits(4).stdout;
    for _ in 0..5 {
        assert_eq!(decide(&workspace, &at, READ).exits(4).stdout, first);
    }
}

#[test]
fn lines_are_answered_in_their_order_whatever_they_are() {
    let workspace = Workspace::empty();
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(2_000_000));
    let input = format!(
        "{READ}\n\n{{oops\n[1]\r\n{{\"point\":\"nowhere\"}}\n{long}\n{{\"a\":1,\"a\":1}}\n{{\"id\":\"last\"}}"
    );
    let ran = decide(&workspace, &[], &input).exits(4);
    let lines = envelopes(&ran);
    let all: Vec<String> = lines.iter().map(|line| codes(line).join("+")).collect();
    let malformed = "REQUEST_MALFORMED";
    assert_eq!(
        all,
        [
            "NO_POLICY_APPLIES",
            malformed,
            malformed,
            "POINT_UNKNOWN",
            malformed,
            malformed,
            "NO_POLICY_APPLIES"
        ]
    );
    assert_eq!(lines[6]["id"], "last");
    // Broken in its first line, but said to be lines.
    let ran = decide(&workspace, &["--jsonl"], "{oops\n{}\n").exits(4);
    assert_eq!(ran.stdout.lines().count(), 2);
}

#[test]
fn a_request_may_have_several_lines() {
    let workspace = Workspace::empty();
    let envelope = decide(&workspace, &[], "{\n \"id\": \"many\"\n}\n").exits(4);
    assert_eq!(envelope.json()["id"], "many");
    let envelope = decide(&workspace, &[], "{\n \"id\": \"many\"\n}\n{}").exits(4);
    assert_eq!(codes(&envelope.json()), ["REQUEST_MALFORMED"]);
    let nothing = decide(&workspace, &[], "").exits(4);
    assert_eq!(codes(&nothing.json()), ["REQUEST_MALFORMED"]);
    assert_eq!(decide(&workspace, &["--jsonl"], "").exits(0).stdout, "");
}

#[test]
fn whoever_waits_for_an_answer_gets_it_before_the_next_request() {
    let workspace = Workspace::empty();
    let mut child = workspace
        .command(&["decide"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut answers = BufReader::new(stdout);
    for round in 0..3 {
        writeln!(stdin, "{{\"id\":\"{round}\"}}").unwrap();
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        let envelope: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(envelope["id"], round.to_string());
    }
    // A stream notices the kill switch.
    workspace.program(&["kill", "on", "--reason", "x"]).exits(0);
    writeln!(stdin, "{{}}").unwrap();
    let mut line = String::new();
    answers.read_line(&mut line).unwrap();
    assert!(line.contains("KILL_SWITCH_ACTIVE"), "{line}");
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(4));
}

#[test]
fn a_kill_switch_that_is_on_or_unreadable_denies_everything() {
    for switch in ["{\"on\": true}", "rubbish"] {
        let workspace = Workspace::empty();
        workspace.write("state/kill_switch.json", switch);
        let envelope = decide(&workspace, &[], READ).exits(4).json();
        assert_eq!(codes(&envelope), ["KILL_SWITCH_ACTIVE"], "{switch}");
    }
}

#[test]
fn what_can_not_be_used_denies_everything_and_says_where() {
    let workspace = Workspace::empty();
    workspace.write(
        "policy/requests.yaml",
        "kind: RequestPolicy\nspec: {level: 3}\n",
    );
    let ran = decide(&workspace, &[], &format!("{READ}\n{READ}\n")).exits(5);
    for envelope in envelopes(&ran) {
        assert_eq!(codes(&envelope), ["POLICY_UNAVAILABLE"]);
        assert_eq!(envelope["policy_sha256"], Value::Null);
    }
    assert!(
        ran.stderr.contains("policy/requests.yaml:2"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("apiVersion"), "{}", ran.stderr);
    decide(&workspace, &["--no-exit-code"], READ).exits(0);
    let told = workspace.program(&["doctor", "--format", "json"]);
    assert!(told.exits(1).stdout.contains("policy/requests.yaml:2"));
}

#[test]
fn changed_policies_deny_everything() {
    let workspace = crate::policy_lock::locked();
    let envelope = decide(&workspace, &[], READ).exits(4).json();
    assert_eq!(codes(&envelope), ["NO_POLICY_APPLIES"]);
    crate::policy_lock::overwrite(&workspace, "budget.yaml", "limit: 9\n");
    let envelope = decide(&workspace, &[], READ).exits(5).json();
    assert_eq!(codes(&envelope), ["POLICY_TAMPERED"]);
}

#[test]
fn a_promotion_needs_a_level_that_is_known_fresh_and_not_red() {
    let promote = r#"{"action":"promote"}"#;
    let workspace = Workspace::healthy();
    let level = |workspace: &Workspace, at: &str| {
        let ran = decide(workspace, &["--at", at], promote).exits(4);
        let envelope = ran.json();
        (envelope["level"].clone(), codes(&envelope)[0].to_owned())
    };
    let now = "2026-01-15T13:00:00Z";
    assert_eq!(
        level(&workspace, now),
        (Value::Null, "LEVEL_UNKNOWN".into())
    );
    // A decision with --at never counts as fresh; this one is the machine's.
    workspace.program(&["run", "--retry-delays", "0"]);
    let state = workspace.state();
    let decided = state["evaluated_at"].as_str().unwrap();
    let known = state["policy"].clone();
    let (found, code) = level(&workspace, decided);
    assert_eq!(found, known);
    let expected = if known == "RED" {
        "LEVEL_TOO_HIGH"
    } else {
        "NO_POLICY_APPLIES"
    };
    assert_eq!(code, expected);
    let (found, code) = level(&workspace, "2199-01-01T00:00:00Z");
    assert_eq!((found, code.as_str()), (Value::Null, "LEVEL_UNKNOWN"));
    // Whoever edits the state file hides the level, and shows no better one.
    let edited = workspace.read("state/policy_state.json").replace(
        &format!("\"policy\": \"{}\"", known.as_str().unwrap()),
        "\"policy\": \"GREEN\"",
    );
    let edited = edited.replace("\"seq\": 1", "\"seq\": 2");
    workspace.write("state/policy_state.json", edited);
    assert_eq!(level(&workspace, decided).1, "LEVEL_UNKNOWN");
}

#[test]
fn answers_are_recorded_before_they_are_told() {
    let workspace = Workspace::empty();
    let request = r#"{"action":"archive","user":{"principal":"ana@example.com"}}"#;
    decide(&workspace, &["--record"], &format!("{request}\n{READ}\n")).exits(4);
    let log = workspace.read("state/request_decisions.jsonl");
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["redacted"], true);
    assert!(!log.contains("ana@example.com"), "{log}");
    assert_eq!(
        lines[1]["request"],
        json!({"action": "archive", "id": "r1"})
    );
    assert_eq!(lines[1]["event"], "request_denied");
    workspace.program(&["audit", "verify"]).exits(0);
    let listed = workspace.program(&["audit", "list", "--format", "json"]);
    assert!(listed.exits(0).stdout.contains("REQUEST_DENIED"));

    // Where the record is broken nothing is told.
    let broken = log.replacen("request_denied", "request_allowed", 1);
    workspace.write("state/request_decisions.jsonl", broken);
    workspace.program(&["audit", "verify"]).exits(5);
    let cut = log.lines().next().unwrap().to_owned() + "\n";
    workspace.write("state/request_decisions.jsonl", cut);
    let ran = decide(&workspace, &["--record"], READ).exits(5);
    assert_eq!(ran.stdout, "");
}

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn token(claims: &Value) -> String {
    tenant::sign(claims, SECRET.as_bytes()).unwrap()
}

/// Row S0-055.
#[test]
fn test_p5_requires_tenant_jwt() {
    let workspace = Workspace::empty();
    let settings =
        "apiVersion: policy.orchestra.v1\nkind: RequestPolicy\nspec: {tenant: {required: true}}\n";
    workspace.write("policy/requests.yaml", settings);
    let envelope = decide(&workspace, &[], READ).exits(4).json();
    assert_eq!(codes(&envelope), ["TENANT_REQUIRED", "NO_POLICY_APPLIES"]);
    assert_eq!(envelope["reasons"][0], "Missing tenant context");

    let good = token(&json!({"tenant_id": "a", "exp": 4_102_444_800_u64}));
    let other =
        token(&json!({"tenant_id": "a", "exp": 4_102_444_800_u64, "tenant_override": true}));
    let expired = token(&json!({"tenant_id": "a", "exp": 1_000_000_000}));
    let of_b =
        r#"{"action":"archive","resource_":1,"tenant_id":"b"}"#.replace("\"resource_\":1,", "");
    for (token, request, expected) in [
        (&good, READ, "NO_POLICY_APPLIES"),
        (&good, of_b.as_str(), "TENANT_MISMATCH"),
        (&other, of_b.as_str(), "NO_POLICY_APPLIES"),
        (&expired, READ, "TENANT_REQUIRED"),
    ] {
        for name in ["POLICY_JWT_SECRET", "JWT_SECRET"] {
            let variables = [(name, SECRET), ("POLICY_TENANT_TOKEN", token.as_str())];
            let ran = decide_with(&workspace, &[], request, &variables).exits(4);
            assert_eq!(codes(&ran.json())[0], expected, "{request}");
            assert!(!ran.stderr.contains(token.as_str()) && !ran.stdout.contains(token.as_str()));
        }
    }
    // A token that nothing can verify is no token, also where none is needed.
    workspace.write("policy/requests.yaml", settings.replace("true", "false"));
    let variables = [("POLICY_TENANT_TOKEN", good.as_str())];
    let ran = decide_with(&workspace, &[], READ, &variables).exits(4);
    assert_eq!(codes(&ran.json()), ["TENANT_REQUIRED"]);
    let file = Workspace::empty();
    file.write("token", format!("Bearer {good}\n"));
    let path = file.file("token");
    let arguments = ["--tenant-token", path.to_str().unwrap()];
    let ran = decide_with(
        &workspace,
        &arguments,
        READ,
        &[("POLICY_JWT_SECRET", SECRET)],
    )
    .exits(4);
    assert_eq!(codes(&ran.json()), ["NO_POLICY_APPLIES"]);
}

/// Row S0-055.
#[test]
fn test_p5_rls_filters_rows() {
    let workspace = Workspace::empty();
    let far = 4_102_444_800_u64;
    let secret = ("POLICY_JWT_SECRET", SECRET);
    for id in ["a", "b", "a"] {
        let token = token(&json!({"tenant_id": id, "exp": far}));
        let variables = [secret, ("POLICY_TENANT_TOKEN", token.as_str())];
        decide_with(&workspace, &["--record"], READ, &variables).exits(4);
    }
    decide(&workspace, &["--record"], READ).exits(4);
    let export = |name: &str, claims: Option<Value>| {
        let out = workspace.file(name);
        let arguments = ["audit", "export", "--out", out.to_str().unwrap()];
        let mut command = workspace.command(&arguments);
        command.env(secret.0, secret.1);
        if let Some(claims) = claims {
            command.env("POLICY_TENANT_TOKEN", token(&claims));
        }
        Ran::from(command.output().unwrap())
    };
    let of = |name: &str| -> Vec<Value> {
        let rows = workspace.read(name);
        let row = |line: &str| serde_json::from_str::<Value>(line).unwrap();
        rows.lines()
            .map(|line| row(line)["details"]["tenant"].clone())
            .collect()
    };
    export("all.jsonl", None).exits(0);
    assert_eq!(of("all.jsonl").len(), 4, "one tenant needs no token");
    export("a.jsonl", Some(json!({"tenant_id": "a", "exp": far}))).exits(0);
    assert_eq!(of("a.jsonl"), ["a", "a"]);
    let every = json!({"tenant_id": "c", "exp": far, "tenant_override": true});
    export("every.jsonl", Some(every)).exits(0);
    assert_eq!(of("every.jsonl"), ["a", "b", "a"]);
    let settings =
        "apiVersion: policy.orchestra.v1\nkind: RequestPolicy\nspec: {tenant: {required: true}}\n";
    workspace.write("policy/requests.yaml", settings);
    let refused = export("none.jsonl", None).exits(4);
    assert!(
        refused.stderr.contains("Missing tenant context"),
        "{}",
        refused.stderr
    );
    export("expired.jsonl", Some(json!({"tenant_id": "a", "exp": 1}))).exits(4);
    assert!(!workspace.file("none.jsonl").exists() && !workspace.file("expired.jsonl").exists());
    workspace.write("policy/requests.yaml", "spec: [");
    export("unusable.jsonl", None).exits(5);
    assert!(!workspace.file("unusable.jsonl").exists());
}

#[test]
fn a_person_reads_why() {
    let workspace = Workspace::empty();
    let arguments = [
        "--format",
        "human",
        "--explain",
        "--at",
        "2026-01-31T05:00:00Z",
    ];
    let ran = decide(&workspace, &arguments, r#"{"action":"promote","id":"r1"}"#).exits(4);
    insta::assert_snapshot!(ran.stdout);
}

/// Agents may read what belongs to their user (EX-07, in words of our own).
const OWN_DATA: &str = "\
apiVersion: policy.orchestra.v1
kind: SecurityPolicy
metadata: {name: own-data}
spec:
  scope:
    - {resource: agents, selector: {type: user_created}}
    - {resource: data, selector: {classification: [confidential, restricted]}}
  rules:
    - {name: own, condition: agent.user_id == data.owner_user_id, effect: allow}
    - name: others
      condition: agent.user_id != data.owner_user_id
      effect: deny
      actions: [audit_log, security_alert, agent_termination]
  enforcement: {mode: strict, evaluation_point: pre_execution}
";

fn by_agent(owner: &str, more: &str) -> String {
    format!(
        r#"{{"agent":{{"type":"user_created","user_id":"u1"}},"data":{{"classification":"confidential"{owner}}}{more}}}"#
    )
}

#[test]
fn a_security_policy_decides_behind_everything_that_stands_before_it() {
    let workspace = Workspace::empty();
    workspace.write("policy/security/own-data.yaml", OWN_DATA);
    let own = by_agent(r#","owner_user_id":"u1""#, "");
    let allowed = &envelopes(&decide(&workspace, &[], &own).exits(0))[0];
    assert_eq!(codes(allowed), ["ALLOW_MATCHED_RULE"]);
    let other = by_agent(r#","owner_user_id":"u2""#, "");
    let denied = &envelopes(&decide(&workspace, &["--explain"], &other).exits(4))[0];
    let types: Vec<&str> = denied["obligations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["type"].as_str().unwrap())
        .collect();
    assert_eq!(types, ["audit_log", "security_alert", "agent_termination"]);
    let step = denied["explanation"]
        .as_array()
        .unwrap()
        .iter()
        .find(|step| step["rule"].as_str().unwrap().contains("others"))
        .unwrap();
    assert_eq!(step["file"], "policy/security/own-data.yaml");
    assert_eq!(step["line"], 10);
    // Without an owner nobody is it.
    decide(&workspace, &[], &by_agent("", "")).exits(4);
    // What may be done at no level that is not known, and what nobody knows.
    let promote = by_agent(r#","owner_user_id":"u1""#, r#","action":"promote""#);
    let denied = &envelopes(&decide(&workspace, &[], &promote).exits(4))[0];
    assert_eq!(codes(denied), ["LEVEL_UNKNOWN"]);
    let odd = by_agent(r#","owner_user_id":"u1""#, r#","unless":"monday""#);
    let denied = &envelopes(&decide(&workspace, &[], &odd).exits(4))[0];
    assert_eq!(codes(denied), ["REQUEST_FIELD_UNKNOWN"]);
    // An allowance tells the public no more than that.
    let public = &envelopes(&decide(&workspace, &["--view", "public"], &own).exits(0))[0];
    assert_eq!(public["decision"], "allow");
    // A rule that can't be read denies all.
    workspace.write(
        "policy/security/own-data.yaml",
        OWN_DATA.replace("!=", "<>"),
    );
    let ran = decide(&workspace, &[], &own).exits(5);
    assert_eq!(codes(&envelopes(&ran)[0]), ["POLICY_UNAVAILABLE"]);
    assert!(
        ran.stderr.contains("policy/security/own-data.yaml:"),
        "{}",
        ran.stderr
    );
}

/// Row S2-036: whoever is public can't tell what is restricted from what does not exist.
#[test]
fn restricted_and_absent_are_the_same_to_the_public() {
    let workspace = Workspace::empty();
    let at = ["--at", "2026-01-31T05:00:00Z", "--view", "public"];
    let labels = [
        "restricted",
        "restricted_sensitive_location",
        "internal",
        "embargoed",
        "quarantine",
    ];
    let (mut restricted, mut absent) = (String::new(), String::new());
    for index in 0..200 {
        let label = labels[index % labels.len()];
        let action = ["read", "export", "query", "promote"][index / labels.len() % 4];
        let kind = ["dataset", "story", "evidence_bundle"][index % 3];
        let (mut there, mut gone) = (
            json!({
                "user": {"principal": format!("user:{index}"), "role": "public", "groups": []},
                "action": action,
                "resource": {"type": kind, "dataset_version_id": format!("2026-02.{index:08x}")},
                "context": {"purpose": "browse"},
            }),
            Value::Null,
        );
        gone.clone_from(&there);
        there["resource"]["policy_label"] = label.into();
        there["resource"]["title"] = "Burial site, 51.1234 N".into();
        if index % 2 == 0 {
            gone["resource"]["policy_label"] = Value::Null;
        }
        restricted.push_str(&format!("{there}\n"));
        absent.push_str(&format!("{gone}\n"));
    }
    let restricted = decide(&workspace, &at, &restricted).exits(4);
    let absent = decide(&workspace, &at, &absent).exits(4);
    assert_eq!(restricted.stdout, absent.stdout);
    assert_eq!(restricted.stderr, absent.stderr);
    assert_eq!(restricted.stdout.lines().count(), 200);
    for word in ["restricted", "quarantine", "embargo", "51.1234", "Burial"] {
        assert!(!restricted.stdout.contains(word), "{word}");
    }
}

/// A payment is decided on by what was spent, and deciding on it spends nothing.
#[test]
fn a_payment_is_held_against_its_caps() {
    let workspace = Workspace::empty();
    let policy = r#"{"name":"buyer","caps":{"perTxn":500,"daily":1000,"monthly":5000},
        "msig":{"threshold":{"higherThan":300,"approvals":2}},
        "allowLists":{"beneficiaries":["shop:a"],"countries":["BR"]}}"#;
    workspace.write("policy/spend/buyer.json", policy);
    let pay = |amount: &str, beneficiary: &str| {
        format!(
            r#"{{"intent":{{"agentId":"buyer","entityId":"e","amount":{amount},"currency":"BRL","category":"office","beneficiary":{{"id":"{beneficiary}","country":"BR"}},"purpose":"PIX"}}}}"#
        )
    };
    for (amount, beneficiary, code, effect) in [
        ("100", "shop:a", 0, "ALLOW"),
        ("300.01", "shop:a", 4, "REQUIRE_MSIG"),
        ("500.01", "shop:a", 4, "DENY"),
        ("100", "shop:b", 4, "REQUIRE_HITL"),
        ("-1", "shop:a", 4, "DENY"),
    ] {
        let ran = decide(&workspace, &["--explain"], &pay(amount, beneficiary)).exits(code);
        assert_eq!(
            envelopes(&ran)[0]["effect"],
            effect,
            "{amount} {beneficiary}"
        );
    }
    let intent = pay("300", "shop:a");
    let intent: Value = serde_json::from_str(&intent).unwrap();
    for id in ["1", "2", "3"] {
        workspace.write("intent.json", intent["intent"].to_string());
        let record = ["spend", "record", "--input", "intent.json", "--id", id];
        workspace.program(&record).exits(0);
    }
    let ran = decide(&workspace, &[], &pay("100", "shop:a")).exits(0);
    assert_eq!(envelopes(&ran)[0]["effect"], "ALLOW");
    let ran = decide(&workspace, &[], &pay("100.01", "shop:a")).exits(4);
    assert_eq!(codes(&envelopes(&ran)[0]), ["WOULD_EXCEED_DAILY_LIMIT"]);
    // A journal that was changed tells nobody what was spent.
    let log = workspace.read("state/spend_log.jsonl");
    let cut = log.split_inclusive('\n').next().unwrap().to_owned();
    workspace.write("state/spend_log.jsonl", cut);
    let ran = decide(&workspace, &[], &pay("1", "shop:a")).exits(4);
    assert_eq!(codes(&envelopes(&ran)[0]), ["USAGE_UNKNOWN"]);
    assert!(
        ran.stderr.contains("state/spend_log.jsonl"),
        "{}",
        ran.stderr
    );
}

/// The examples as a workspace: with Rego every layer answers; without it nobody knows what the rules
/// would deny, so everything is.
#[test]
fn the_examples_answer_as_a_workspace() {
    let workspace = Workspace::empty();
    let examples =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/requests/policy");
    crate::workspace::copy_tree(&examples, &workspace.file("policy"));
    let fixture = |name: &str| workspace.read(&format!("policy/fixtures/inputs/{name}.json"));
    let public = fixture("public_read_public_dataset");
    if cfg!(not(feature = "rego")) {
        let ran = decide(&workspace, &[], &public).exits(5);
        assert_eq!(codes(&envelopes(&ran)[0]), ["POLICY_UNAVAILABLE"]);
        assert!(ran.stderr.contains("--features rego"), "{}", ran.stderr);
        return;
    }
    let allowed = decide(&workspace, &["--explain"], &public).exits(0);
    let layers = allowed.stdout.matches("\"layer\": \"rego\"").count()
        + allowed.stdout.matches("\"layer\":\"rego\"").count();
    assert!(layers > 0, "{}", allowed.stdout);
    let restricted = fixture("public_read_restricted_dataset");
    let denied = decide(&workspace, &[], &restricted).exits(4);
    assert_eq!(codes(&envelopes(&denied)[0]), ["DEFAULT_DENY"]);
    let gate = workspace.program(&["policy", "gate", "--format", "json"]);
    assert_eq!(gate.json()["failed"], 0, "{}", gate.stdout);
}
