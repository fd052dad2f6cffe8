//! `approve`: a second person, signed (OR-37 to OR-39, D-23, C-23, S1-150, S0-027 to S0-034).

use std::process::{Child, Command, Stdio};

use policy_orchestrator::ids::Digest;
use serde_json::{Value, json};

use crate::workspace::{Ran, Workspace};

const LOG: &str = "state/approval_requests.jsonl";
const LIST: &str = "policy/approvers.yaml";
const SECRET: &str = "a secret of at least thirty-two bytes";

pub(crate) fn command_as(workspace: &Workspace, user: &str, arguments: &[&str]) -> Command {
    let mut command = workspace.command(arguments);
    command
        .env_remove("GITHUB_ACTOR")
        .env_remove("SUDO_USER")
        .env("USER", user);
    command
}

pub(crate) fn run_as(workspace: &Workspace, user: &str, arguments: &[&str]) -> Ran {
    command_as(workspace, user, arguments)
        .output()
        .unwrap()
        .into()
}

/// A pair of keys in the workspace: `NAME.key` and `NAME.pub`.
pub(crate) fn keys(workspace: &Workspace, name: &str, kind: &str) {
    let file = format!("{name}.key");
    let arguments = ["keys", "generate", "--type", kind, "--out", &file];
    workspace.program(&arguments).exits(0);
    let public = workspace.read(&format!("{name}.pub"));
    workspace.write(&format!("policy/{name}.pub"), public);
}

/// Lists these people with their keys, for these operations.
pub(crate) fn list(workspace: &Workspace, people: &[(&str, &str)]) {
    let entry = |(name, may): &(&str, &str)| {
        format!("  - name: {name}\n    key_file: policy/{name}.pub\n    may: [{may}]\n")
    };
    let entries: String = people.iter().map(entry).collect();
    workspace.write(LIST, format!("schema: 1\napprovers:\n{entries}"));
}

/// A workspace whose last decision is RED and fresh and previewed, with every gate open but the
/// approver's; bob and carol may approve everything, eve has a key and is not listed.
fn red() -> Workspace {
    let workspace = Workspace::healthy();
    workspace.integrity("80");
    let brake = "{\"is_engaged\": false, \"response_count_24h\": 0}";
    workspace.write("forensics/safety_brake_state.json", brake);
    workspace.write("artifacts/integrity_anchor.json", "{\"sha\":\"abc\"}");
    people(&workspace);
    workspace.program(&["run"]).exits(0);
    workspace.program(&["respond"]).exits(0);
    workspace
}

fn people(workspace: &Workspace) {
    for (name, kind) in [
        ("ada", "ed25519"),
        ("bob", "ed25519"),
        ("carol", "p256"),
        ("eve", "ed25519"),
    ] {
        keys(workspace, name, kind);
    }
    list(
        workspace,
        &[("bob", "'*'"), ("carol", "apply, kill_off, promote")],
    );
}

fn request(workspace: &Workspace, further: &[&str]) -> String {
    let usual = ["approve", "request", "--reason", "OPS-7"];
    let ran = run_as(workspace, "ada", &[&usual, further].concat()).exits(0);
    let asked = ran.json();
    assert_eq!(
        (&asked["status"], &asked["requester"]),
        (&json!("requested"), &json!("ada"))
    );
    asked["id"].as_str().unwrap().to_owned()
}

fn request_apply(workspace: &Workspace) -> String {
    request(workspace, &["--operation", "apply"])
}

/// Grants as `name`, with the key of `holder`.
pub(crate) fn grant_with(workspace: &Workspace, id: &str, name: &str, holder: &str) -> Ran {
    let mut command = command_as(workspace, name, &["approve", "grant", id, "--as", name]);
    command.env("POLICY_APPROVER_KEY_FILE", format!("{holder}.key"));
    command.output().unwrap().into()
}

pub(crate) fn grant(workspace: &Workspace, id: &str, name: &str) -> Ran {
    grant_with(workspace, id, name, name)
}

fn apply_command(workspace: &Workspace) -> Command {
    let mut command = command_as(workspace, "ada", &["respond", "--apply", "--auto"]);
    command.env("POLICY_AUTO_APPLY", "true");
    command
}

fn apply(workspace: &Workspace) -> Ran {
    apply_command(workspace).output().unwrap().into()
}

/// Why the gate `approver` is closed, the only one that is.
fn why_closed(ran: Ran) -> String {
    let report = ran.exits(3).json();
    let gates = report["gates"].as_array().unwrap();
    let closed: Vec<&Value> = gates.iter().filter(|gate| gate["open"] == false).collect();
    assert_eq!(closed.len(), 1, "{closed:?}");
    assert_eq!(closed[0]["name"], "approver");
    closed[0]["detail"].as_str().unwrap().to_owned()
}

fn lines(workspace: &Workspace) -> Vec<Value> {
    let text = workspace.read(LOG);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn steps(workspace: &Workspace) -> Vec<String> {
    let step = |line: &Value| line["event"].as_str().unwrap().to_owned();
    lines(workspace).iter().map(step).collect()
}

/// Appends a line as somebody does who can compute the chain, and has no key of an approver.
fn forge(workspace: &Workspace, mut line: Value) {
    let text = workspace.read(LOG);
    let last = text.lines().last().unwrap();
    line["v"] = json!(1);
    line["seq"] = json!(text.lines().count() + 1);
    line["prev"] = json!(Digest::of(last.as_bytes()).to_string());
    line.as_object_mut().unwrap().remove("hmac");
    let bytes = serde_json::to_string(&line).unwrap();
    workspace.write(LOG, format!("{text}{bytes}\n"));
    let heads = "state/journal_heads.json";
    let mut all: Value = serde_json::from_str(&workspace.read(heads)).unwrap();
    all[LOG]["seq"] = line["seq"].clone();
    all[LOG]["sha256"] = json!(Digest::of(bytes.as_bytes()).to_string());
    workspace.write(heads, all.to_string());
}

#[test]
fn an_approval_is_asked_for_signed_used_once_and_each_step_is_recorded() {
    for name in ["bob", "carol"] {
        let workspace = red();
        assert!(why_closed(apply(&workspace)).contains("no approval was asked for"));
        let id = request_apply(&workspace);
        assert!(why_closed(apply(&workspace)).contains("nobody has granted it yet"));
        let granted = grant(&workspace, &id, name).exits(0).json();
        assert_eq!(granted["status"], "granted");
        let verified = workspace
            .program(&["approve", "verify", &id])
            .exits(0)
            .json();
        assert_eq!(verified["approval"]["approver"], name);
        apply(&workspace).exits(0);
        assert_eq!(steps(&workspace), ["REQUESTED", "GRANTED", "USED"]);
        // Used once, also for the same plan.
        let again = ["--again", "--reason", "once more"];
        let mut command = apply_command(&workspace);
        let ran = Ran::from(command.args(again).output().unwrap());
        assert!(why_closed(ran).contains("it was used"));
        workspace.program(&["approve", "verify", &id]).exits(4);
        workspace.program(&["audit", "verify"]).exits(0);
        let state: Value =
            serde_json::from_str(&workspace.read("state/approval_state.json")).unwrap();
        assert_eq!(state["requests"][0]["status"], "used");
        let high: Value =
            serde_json::from_str(&workspace.read("state/approval_highwater.json")).unwrap();
        let days = high["grants"].as_object().unwrap();
        assert_eq!(days.values().next().unwrap()[name], 1);
    }
}

#[test]
fn only_another_person_with_a_listed_key_of_their_own_may_grant() {
    let workspace = red();
    let id = request_apply(&workspace);
    // By whom, with whose key, and what is said of it.
    list(
        &workspace,
        &[("ada", "'*'"), ("bob", "'*'"), ("carol", "promote")],
    );
    let table = [
        ("ada", "ada", "whoever asks"),
        ("ADA", "ada", "whoever asks"),
        ("bob", "ada", "is not that of bob"),
        ("bob", "eve", "is not that of bob"),
        ("eve", "eve", "not in the list"),
        ("carol", "carol", "may not approve"),
    ];
    for (name, holder, why) in table {
        let ran = grant_with(&workspace, &id, name, holder).exits(4);
        assert!(ran.stderr.contains(why), "{name} {holder}: {}", ran.stderr);
    }
    let refused = steps(&workspace);
    assert_eq!(refused[1..], ["REFUSED"; 6]);
    // The same key by another name is no list.
    workspace.write("policy/twin.pub", workspace.read("ada.pub"));
    list(&workspace, &[("ada", "'*'"), ("twin", "'*'")]);
    let ran = grant_with(&workspace, &id, "twin", "ada").exits(1);
    assert!(ran.stderr.contains("NAME_DUPLICATE"), "{}", ran.stderr);
    // A key that the requester named as theirs can't grant, whoever is listed with it.
    list(&workspace, &[("bob", "'*'")]);
    let mut command = command_as(
        &workspace,
        "ada",
        &[
            "approve",
            "request",
            "--operation",
            "apply",
            "--reason",
            "x",
        ],
    );
    command.env("POLICY_APPROVER_KEY_FILE", "bob.key");
    let asked = Ran::from(command.output().unwrap()).exits(0).json();
    let ran = grant(&workspace, asked["id"].as_str().unwrap(), "bob").exits(4);
    assert!(ran.stderr.contains("whoever asks"), "{}", ran.stderr);
    assert!(why_closed(apply(&workspace)).contains("nobody has granted"));
}

#[test]
fn whoever_approved_does_not_apply() {
    let workspace = red();
    let id = request_apply(&workspace);
    grant(&workspace, &id, "bob").exits(0);
    let mut command = command_as(&workspace, "bob", &["respond", "--apply", "--auto"]);
    let ran = Ran::from(command.env("POLICY_AUTO_APPLY", "true").output().unwrap());
    assert!(why_closed(ran).contains("can't use it"));
}

#[test]
fn an_approval_is_of_one_plan_policy_and_inputs() {
    let approved = || {
        let workspace = red();
        let id = request_apply(&workspace);
        grant(&workspace, &id, "bob").exits(0);
        workspace
    };
    // Other inputs: decided anew, so another plan.
    let workspace = approved();
    workspace.integrity("79");
    workspace.program(&["run"]).exits(0);
    workspace.program(&["respond"]).exits(0);
    assert!(why_closed(apply(&workspace)).contains("is another one now"));
    // Another policy in force, under the same plan.
    let workspace = approved();
    let reference = include_str!("../../src/policy/reference.yaml");
    workspace.write(
        "policy/policy.yaml",
        reference.replace("version: \"1\"", "version: \"2\""),
    );
    assert!(why_closed(apply(&workspace)).contains("the policy is another one now"));
    // Another plan: other actions.
    let workspace = approved();
    let action = json!({"name": "page", "level": "RED", "argv": ["/bin/true"]});
    workspace.write(
        "policy/responses.json",
        json!({"schema": 1, "actions": [action]}).to_string(),
    );
    workspace.program(&["respond"]).exits(0);
    assert!(why_closed(apply(&workspace)).contains("the subject is another one now"));
}

#[test]
fn after_72_hours_it_is_over_to_the_second() {
    let workspace = red();
    let id = request_apply(&workspace);
    let granted = grant(&workspace, &id, "bob").exits(0).json();
    let until = granted["expires_at"].as_str().unwrap();
    let at = |time: &str| {
        workspace
            .program(&["approve", "verify", &id, "--at", time])
            .code
    };
    assert_eq!(at(until), 4);
    let (head, _) = until.split_at(19);
    let begin = granted["grant"]["granted_at"].as_str().unwrap();
    assert_eq!(at(begin), 0);
    assert_eq!(at(&format!("{head}+00:01")), 0, "a minute before");
    assert_eq!(at("2020-01-01T00:00:00Z"), 4, "before it was granted");
}

#[test]
fn a_denial_stands_also_after_a_grant() {
    let workspace = red();
    let id = request_apply(&workspace);
    grant(&workspace, &id, "bob").exits(0);
    let deny = ["approve", "deny", &id, "--reason", "not now"];
    run_as(&workspace, "carol", &deny).exits(0);
    assert!(why_closed(apply(&workspace)).contains("it was denied by carol: not now"));
    grant(&workspace, &id, "bob").exits(4);
    run_as(&workspace, "carol", &deny).exits(4);
    let unknown = ["approve", "deny", "none", "--reason", "x"];
    run_as(&workspace, "carol", &unknown).exits(4);
}

#[test]
fn a_forged_grant_is_none() {
    let workspace = red();
    let id = request_apply(&workspace);
    grant(&workspace, &id, "bob").exits(0);
    let real = lines(&workspace)[1].clone();
    let other = request_apply(&workspace);
    // A grant of the one put in for the other, in each form that somebody without bob's key can make.
    let payload = |change: &dyn Fn(&mut Value)| {
        let text = real["envelope"]["payload"].as_str().unwrap();
        let mut statement: Value = serde_json::from_slice(&decoded(text)).unwrap();
        change(&mut statement);
        encoded(&serde_json::to_vec(&statement).unwrap())
    };
    let for_other = |statement: &mut Value| statement["id"] = json!(other);
    let mut changed = real.clone();
    changed["envelope"]["payload"] = json!(payload(&for_other));
    let mut by_requester = changed.clone();
    by_requester["envelope"] = signed(&workspace, "ada", &payload(&for_other));
    let mut unlisted = changed.clone();
    unlisted["envelope"] = signed(
        &workspace,
        "eve",
        &payload(&|statement| {
            for_other(statement);
            statement["approver"] = json!("eve");
        }),
    );
    let mut longer = changed.clone();
    longer["envelope"] = signed(
        &workspace,
        "bob",
        &payload(&|statement| {
            for_other(statement);
            statement["granted_at"] = json!("2020-01-01T00:00:00Z");
            statement["expires_at"] = json!("2099-01-01T00:00:00Z");
        }),
    );
    run_as(
        &workspace,
        "carol",
        &["approve", "deny", &id, "--reason", "x"],
    )
    .exits(0);
    for (what, forged, why) in [
        ("the line again", real.clone(), "is another request"),
        ("another payload", changed, "not signed by the key"),
        ("the requester's key", by_requester, "not signed by the key"),
        ("an unlisted key", unlisted, "not in the list"),
        ("longer than 72 hours", longer, "it is over"),
    ] {
        let before = workspace.snapshot();
        let mut forged = forged;
        forged["id"] = json!(other);
        forge(&workspace, forged);
        let ran = workspace.program(&["approve", "verify", &other]).exits(4);
        let said = ran.json()["why"].as_str().unwrap().to_owned();
        assert!(said.contains(why), "{what}: {said}");
        let preview = run_as(&workspace, "ada", &["respond", "--auto"])
            .exits(0)
            .json();
        let gates = preview["gates"].as_array().unwrap();
        let gate = gates
            .iter()
            .find(|gate| gate["name"] == "approver")
            .unwrap();
        assert_eq!(gate["reason"], "approver_missing", "{what}");
        for file in [LOG, "state/journal_heads.json"] {
            workspace.write(file, &before[std::path::Path::new(file)]);
        }
    }
    // The line of the denied one once more: what ended it stays its end.
    forge(&workspace, real);
    let ran = workspace.program(&["approve", "verify", &id]).exits(4);
    assert!(ran.json()["why"].as_str().unwrap().contains("denied"));
}

fn decoded(base64: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD
        .decode(base64)
        .unwrap()
}

fn encoded(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// An envelope with this payload, really signed by the key of `holder`.
fn signed(workspace: &Workspace, holder: &str, payload: &str) -> Value {
    use policy_orchestrator::approval::grant::PAYLOAD_TYPE;
    use policy_orchestrator::keys::PrivateKey;
    use policy_orchestrator::keys::dsse::Envelope;
    let pem = workspace.bytes(&format!("{holder}.key"));
    let key = PrivateKey::from_pem(holder, &pem, None).unwrap();
    let envelope = Envelope::new(PAYLOAD_TYPE, decoded(payload)).signed(&key);
    serde_json::from_slice(&envelope.to_json()).unwrap()
}

#[test]
fn the_sixth_grant_of_a_person_on_a_day_is_refused() {
    let workspace = red();
    let ids: Vec<String> = (0..6).map(|_| request_apply(&workspace)).collect();
    for id in &ids[..5] {
        grant(&workspace, id, "bob").exits(0);
    }
    let ran = grant(&workspace, &ids[5], "bob").exits(4);
    assert!(ran.stderr.contains("which is the limit"), "{}", ran.stderr);
    grant(&workspace, &ids[5], "carol").exits(0);
}

#[test]
fn a_changed_journal_is_found_and_nothing_rests_on_it() {
    let workspace = red();
    let id = request_apply(&workspace);
    grant(&workspace, &id, "bob").exits(0);
    workspace.write(LOG, workspace.read(LOG).replacen("OPS-7", "OPS-8", 1));
    for command in [
        &["approve", "list"][..],
        &["approve", "verify", &id],
        &[
            "approve",
            "request",
            "--operation",
            "apply",
            "--reason",
            "x",
        ],
        &["approve", "deny", &id, "--reason", "x"],
        &["audit", "verify"],
    ] {
        assert_eq!(workspace.program(command).code, 5, "{command:?}");
    }
    grant(&workspace, &id, "carol").exits(5);
    let report = apply(&workspace).exits(3).json();
    assert_eq!(report["reason"], "journal_broken");
    assert!(!workspace.file("mirrors").exists());
}

#[test]
fn a_cut_off_use_is_found() {
    let workspace = red();
    let id = request_apply(&workspace);
    grant(&workspace, &id, "bob").exits(0);
    apply(&workspace).exits(0);
    // The line that used it is taken away.
    let text = workspace.read(LOG);
    let (kept, _) = text.trim_end().rsplit_once('\n').unwrap();
    workspace.write(LOG, format!("{kept}\n"));
    workspace.program(&["approve", "verify", &id]).exits(5);
    assert_eq!(apply(&workspace).code, 3);
}

#[test]
fn of_eight_at_once_one_uses_the_approval() {
    let workspace = red();
    let id = request_apply(&workspace);
    grant(&workspace, &id, "bob").exits(0);
    let start = || -> Child {
        let mut command = apply_command(&workspace);
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let children: Vec<Child> = (0..8).map(|_| start()).collect();
    let codes: Vec<i32> = children
        .into_iter()
        .map(|child| Ran::from(child.wait_with_output().unwrap()).code)
        .collect();
    assert_eq!(
        codes.iter().filter(|code| **code == 0).count(),
        1,
        "{codes:?}"
    );
    assert_eq!(steps(&workspace), ["REQUESTED", "GRANTED", "USED"]);
}

#[test]
fn a_kill_at_any_moment_never_yields_two_uses() {
    for round in 0..12_u64 {
        let workspace = red();
        let id = request_apply(&workspace);
        grant(&workspace, &id, "bob").exits(0);
        let mut command = apply_command(&workspace);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(round * 15));
        child.kill().unwrap();
        child.wait().unwrap();
        for _ in 0..2 {
            let mut again = apply_command(&workspace);
            again
                .args(["--again", "--reason", "cut off"])
                .output()
                .unwrap();
        }
        let used = steps(&workspace)
            .into_iter()
            .filter(|step| step == "USED")
            .count();
        let begun = workspace.file("state/policy_response_journal.jsonl");
        let begun = std::fs::read_to_string(begun).unwrap_or_default();
        let begun = begun.matches("\"event\":\"response_begun\"").count();
        assert!(used <= 1 && begun <= 1, "round {round}: {used} {begun}");
        workspace.program(&["audit", "verify"]).exits(0);
    }
}

fn in_production(mut command: Command) -> Ran {
    command
        .env("ENV", "production")
        .env("POLICY_AUDIT_SECRET", SECRET);
    command.output().unwrap().into()
}

/// Asks and has bob grant, in production.
fn approved_in_production(workspace: &Workspace, ask: &[&str]) {
    let usual = ["approve", "request", "--reason", "OPS-7"];
    let asked = in_production(command_as(workspace, "ada", &[&usual, ask].concat()))
        .exits(0)
        .json();
    let id = asked["id"].as_str().unwrap();
    let mut command = command_as(workspace, "bob", &["approve", "grant", id, "--as", "bob"]);
    command.env("POLICY_APPROVER_KEY_FILE", "bob.key");
    in_production(command).exits(0);
}

#[test]
fn in_production_the_kill_switch_goes_off_by_a_second_person_alone() {
    let workspace = Workspace::healthy();
    people(&workspace);
    let off = || {
        let arguments = ["kill", "off", "--reason", "over"];
        in_production(command_as(&workspace, "ada", &arguments))
    };
    let on = || {
        let arguments = ["kill", "on", "--reason", "drill"];
        in_production(command_as(&workspace, "ada", &arguments)).exits(0)
    };
    on();
    let ran = off().exits(4);
    assert!(
        ran.stderr.contains("Approver required in production"),
        "{}",
        ran.stderr
    );
    approved_in_production(&workspace, &["--operation", "kill_off"]);
    off().exits(0);
    assert!(!workspace.file("state/kill_switch.json").exists());
    assert_eq!(steps(&workspace), ["REQUESTED", "GRANTED", "USED"]);
    // The next activation needs another one.
    on();
    off().exits(4);
    // Outside of production a reason is enough.
    let mut command = command_as(&workspace, "ada", &["kill", "off", "--reason", "over"]);
    Ran::from(command.env("POLICY_AUDIT_SECRET", SECRET).output().unwrap()).exits(0);
}

#[test]
fn test_p2_cosign_required_in_prod() {
    let workspace = Workspace::healthy();
    workspace.integrity("80");
    let brake = "{\"is_engaged\": false, \"response_count_24h\": 0}";
    workspace.write("forensics/safety_brake_state.json", brake);
    workspace.write("artifacts/integrity_anchor.json", "{\"sha\":\"abc\"}");
    people(&workspace);
    let ran = |arguments: &[&str]| in_production(command_as(&workspace, "ada", arguments));
    ran(&["run"]).exits(0);
    ran(&["respond"]).exits(0);
    assert!(why_closed(ran(&["respond", "--apply"])).contains("no approval was asked for"));
    approved_in_production(&workspace, &["--operation", "apply"]);
    ran(&["respond", "--apply"]).exits(0);
    // Whoever can compute the chain and has no secret is found out.
    let mut line = lines(&workspace)[1].clone();
    line["id"] = json!("new");
    forge(&workspace, line);
    ran(&["approve", "list"]).exits(5);
}

#[test]
fn without_a_list_or_a_key_nobody_approves() {
    let workspace = red();
    let id = request_apply(&workspace);
    let ran = run_as(&workspace, "bob", &["approve", "grant", &id, "--as", "bob"]).exits(1);
    assert!(
        ran.stderr.contains("POLICY_APPROVER_KEY_FILE"),
        "{}",
        ran.stderr
    );
    std::fs::remove_file(workspace.file(LIST)).unwrap();
    let ran = grant(&workspace, &id, "bob").exits(1);
    assert!(ran.stderr.contains("APPROVERS_UNUSABLE"), "{}", ran.stderr);
    let report = apply(&workspace).exits(3).json();
    assert_eq!(report["reason"], "gate_unreadable");
    for ask in [
        &["--operation", "kill_off"][..],
        &["--operation", "promote"],
        &["--operation", "accept", "--subject", "12"],
        &["--operation", "apply", "--subject", "12"],
    ] {
        let usual = ["approve", "request", "--reason", "x"];
        run_as(&workspace, "ada", &[&usual, ask].concat()).exits(2);
    }
}
