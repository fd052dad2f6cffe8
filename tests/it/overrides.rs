//! `override`: a one-time code opens one thing, once, for minutes (S3-040 to S3-051, B-16, C-55).

use std::process::{Child, Command, Stdio};

use policy_orchestrator::approval::operation::Overridden;
use policy_orchestrator::approval::overrides;
use policy_orchestrator::fs::{LockTimeout, RetryDelays, Workspace as Opened, WorkspaceLock};
use policy_orchestrator::record::Records;
use policy_orchestrator::time::Clock;
use serde_json::{Value, json};

use crate::workspace::{Ran, Workspace, fed};

const AUDIT: &str = "state/audit.log";

/// The secret of RFC 6238 in base32, and its bytes.
pub(crate) const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const BYTES: &[u8] = b"12345678901234567890";

/// The code of the step that lies so many steps from now.
pub(crate) fn code(steps: i64) -> String {
    let now = i64::try_from(
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs(),
    );
    let step = now.unwrap() / 30 + steps;
    let totp = totp_rs::Builder::new()
        .with_secret(BYTES.to_vec())
        .build()
        .unwrap();
    totp.generate(u64::try_from(step * 30).unwrap()).to_string()
}

fn command_as(workspace: &Workspace, user: &str, arguments: &[&str]) -> Command {
    let mut command = workspace.command(arguments);
    command
        .env_remove("GITHUB_ACTOR")
        .env_remove("SUDO_USER")
        .env("USER", user)
        .env("POLICY_TOTP_SECRET", SECRET);
    command
}

fn run_as(workspace: &Workspace, user: &str, arguments: &[&str]) -> Ran {
    command_as(workspace, user, arguments)
        .output()
        .unwrap()
        .into()
}

fn request_for(workspace: &Workspace, operation: &str, further: &[&str]) -> String {
    let usual = [
        "override",
        "request",
        "--operation",
        operation,
        "--justification",
        "INC-7",
    ];
    let ran = run_as(workspace, "ada", &[&usual, further].concat()).exits(0);
    let asked = ran.json();
    assert_eq!(asked["approved"], false);
    assert_eq!(asked["requested_by"], "ada");
    asked["override_id"].as_str().unwrap().to_owned()
}

fn request(workspace: &Workspace) -> String {
    request_for(workspace, "guard:policy/policy.yaml", &[])
}

/// The words of an approval.
pub(crate) fn approval<'a>(id: &'a str, code: &'a str) -> [&'a str; 7] {
    [
        "override",
        "approve",
        id,
        "--code",
        code,
        "--justification",
        "seen",
    ]
}

fn approve(workspace: &Workspace, user: &str, id: &str, code: &str) -> Ran {
    run_as(workspace, user, &approval(id, code))
}

/// Asks and gives.
fn given(workspace: &Workspace, operation: &str) -> String {
    let id = request_for(workspace, operation, &[]);
    approve(workspace, "bob", &id, &code(0)).exits(0);
    id
}

fn events(workspace: &Workspace) -> Vec<Value> {
    let text = workspace.read(AUDIT);
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

fn kinds(workspace: &Workspace) -> Vec<String> {
    let kind = |event: &Value| event["event_type"].as_str().unwrap().to_owned();
    events(workspace).iter().map(kind).collect()
}

/// Why the last event refused.
fn refused(workspace: &Workspace) -> String {
    let last = events(workspace).pop().unwrap();
    last["details"]["refused"].as_str().unwrap().to_owned()
}

/// Uses an override up as a guard does; the error's message where it may not.
fn spend(workspace: &Workspace, id: &str, path: &str) -> Result<String, String> {
    let opened = Opened::open(workspace.path()).unwrap();
    let retry = RetryDelays::none();
    let timeout = LockTimeout::silent(std::time::Duration::from_secs(30));
    let lock = WorkspaceLock::acquire(&opened, "test", timeout, &retry).unwrap();
    let records = Records {
        workspace: &opened,
        lock: &lock,
        key: None,
        retry: &retry,
    };
    let operation = Overridden::guard(path).unwrap();
    overrides::spend(records, Clock::System.read(), "ada", id, &operation)
        .map(|usable| usable.approver)
        .map_err(|finding| finding.to_string())
}

/// A workspace whose last decision is RED and fresh, with every gate open but the approver's.
fn red() -> Workspace {
    let workspace = Workspace::healthy();
    workspace.integrity("80");
    let brake = "{\"is_engaged\": false, \"response_count_24h\": 0}";
    workspace.write("forensics/safety_brake_state.json", brake);
    workspace.write("artifacts/integrity_anchor.json", "{\"sha\":\"abc\"}");
    workspace.program(&["run"]).exits(0);
    workspace.program(&["respond"]).exits(0);
    workspace
}

const UNATTENDED: [&str; 4] = ["respond", "--apply", "--auto", "--override"];

fn apply(workspace: &Workspace, id: &str) -> Ran {
    let mut command = command_as(workspace, "ada", &[&UNATTENDED[..], &[id]].concat());
    command.env("POLICY_AUTO_APPLY", "true");
    command.output().unwrap().into()
}

#[test]
fn an_override_is_asked_for_given_and_used_once_and_each_step_is_recorded() {
    let workspace = Workspace::empty();
    let id = request(&workspace);
    assert!(spend(&workspace, &id, "policy/policy.yaml").is_err());
    let given = approve(&workspace, "bob", &id, &code(0)).exits(0).json();
    for key in [
        "approved",
        "reason",
        "override_id",
        "expires_at",
        "justification",
        "approved_by",
    ] {
        assert!(!given[key].is_null(), "{key}: {given}");
    }
    assert_eq!(given["approved_by"], "bob");
    let status = run_as(&workspace, "eve", &["override", "status", &id]).exits(0);
    assert_eq!(status.json()["open"][0]["approved"], true);
    assert_eq!(
        spend(&workspace, &id, "./policy/policy.yaml").unwrap(),
        "bob"
    );
    // Every command is a new process, so nothing but the log remembers.
    assert!(spend(&workspace, &id, "policy/policy.yaml").is_err());
    run_as(&workspace, "eve", &["override", "status", &id]).exits(4);
    assert_eq!(
        kinds(&workspace),
        [
            "OVERRIDE_REQUESTED",
            "OVERRIDE_REFUSED",
            "OVERRIDE_APPROVED",
            "OVERRIDE_USED",
            "OVERRIDE_REFUSED"
        ]
    );
    assert_eq!(refused(&workspace), "override_unknown");
    assert_eq!(events(&workspace)[0]["details"]["justification"], "INC-7");
    workspace.program(&["audit", "verify"]).exits(0);
    assert!(!workspace.read(AUDIT).contains(SECRET));
}

#[test]
fn a_code_counts_once_also_for_another_request() {
    let workspace = Workspace::empty();
    let (first, second) = (request(&workspace), request(&workspace));
    let code = code(0);
    approve(&workspace, "bob", &first, &code).exits(0);
    for id in [&second, &first] {
        approve(&workspace, "bob", id, &code).exits(4);
    }
    assert_eq!(
        events(&workspace)[3]["details"]["refused"],
        "override_code_used"
    );
    assert!(spend(&workspace, &second, "policy/policy.yaml").is_err());
}

#[test]
fn the_requester_alone_another_code_and_another_operation_are_refused_and_recorded() {
    let workspace = Workspace::empty();
    let id = request(&workspace);
    for name in ["ada", "ADA"] {
        approve(&workspace, name, &id, &code(0)).exits(4);
        assert_eq!(refused(&workspace), "override_by_its_requester");
    }
    // A code after its time.
    approve(&workspace, "bob", &id, &code(-3)).exits(4);
    assert_eq!(refused(&workspace), "override_code_wrong");
    approve(&workspace, "bob", "none-of-ours", &code(0)).exits(4);
    assert_eq!(refused(&workspace), "override_unknown");
    approve(&workspace, "bob", &id, &code(0)).exits(0);
    for path in ["policy/other.yaml", "policy"] {
        assert!(spend(&workspace, &id, path).is_err(), "{path}");
        assert_eq!(refused(&workspace), "override_of_another_operation");
    }
    assert!(spend(&workspace, &id, "policy/policy.yaml").is_ok());
}

#[test]
fn five_wrong_codes_lock_and_then_the_right_one_is_not_looked_at() {
    let workspace = Workspace::empty();
    let id = request(&workspace);
    for _ in 0..5 {
        approve(&workspace, "bob", &id, &code(-9)).exits(4);
    }
    let ran = approve(&workspace, "bob", &id, &code(0)).exits(4);
    assert!(ran.stderr.contains("OVERRIDE_LOCKED"), "{}", ran.stderr);
    let kinds = kinds(&workspace);
    assert_eq!(kinds[5..], ["OVERRIDE_LOCKED", "OVERRIDE_REFUSED"]);
    assert_eq!(events(&workspace)[5]["severity"], "CRITICAL");
    let status = run_as(&workspace, "eve", &["override", "status"]).exits(0);
    assert!(!status.json()["locked_until"].is_null());
}

#[test]
fn what_is_over_is_refused() {
    let workspace = Workspace::empty();
    let id = request_for(&workspace, "guard:a", &["--timeout", "1s"]);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    approve(&workspace, "bob", &id, &code(0)).exits(4);
    assert_eq!(refused(&workspace), "override_expired");
    let waited = run_as(
        &workspace,
        "ada",
        &[
            "override",
            "request",
            "--operation",
            "guard:a",
            "--justification",
            "x",
            "--timeout",
            "1s",
            "--wait",
        ],
    );
    let waited = waited.exits(4).json();
    assert_eq!(waited["approved"], false);
    assert_eq!(waited["reason"], "nobody answered in time");
}

#[test]
fn an_answer_arrives_while_the_request_waits() {
    let workspace = Workspace::empty();
    let arguments = [
        "override",
        "request",
        "--operation",
        "guard:a",
        "--justification",
        "x",
        "--wait",
    ];
    let waiting = command_as(&workspace, "ada", &arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !workspace.file(AUDIT).exists() || events(&workspace).is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let id = events(&workspace)[0]["task_id"]
        .as_str()
        .unwrap()
        .to_owned();
    approve(&workspace, "bob", &id, &code(0)).exits(0);
    let waited = Ran::from(waiting.wait_with_output().unwrap())
        .exits(0)
        .json();
    assert_eq!(waited["approved"], true);
    assert_eq!(waited["approved_by"], "bob");
}

#[test]
fn what_can_not_be_overridden_or_lasts_too_long_is_refused_before_anything_is_written() {
    let workspace = Workspace::empty();
    let asks: [&[&str]; 9] = [
        &["--operation", "kill_off", "--justification", "x"],
        &["--operation", "audit", "--justification", "x"],
        &["--operation", "guard:/etc/passwd", "--justification", "x"],
        &["--operation", "guard:../x", "--justification", "x"],
        &["--operation", "apply:12", "--justification", "x"],
        &["--operation", "guard:a", "--justification", " "],
        &["--operation", "guard:a"],
        &[
            "--operation",
            "guard:a",
            "--justification",
            "x",
            "--timeout",
            "3601s",
        ],
        &[
            "--operation",
            "guard:a",
            "--justification",
            "x",
            "--timeout",
            "0s",
        ],
    ];
    for ask in asks {
        run_as(&workspace, "ada", &[&["override", "request"], ask].concat()).exits(2);
    }
    // No dry run, so no plan.
    let ran = run_as(
        &workspace,
        "ada",
        &[
            "override",
            "request",
            "--operation",
            "apply",
            "--justification",
            "x",
        ],
    );
    ran.exits(1);
    assert!(!workspace.file("state").exists());
}

#[test]
fn secrets_are_taken_from_where_they_belong_and_bad_ones_refused_by_name() {
    let workspace = Workspace::empty();
    let id = request(&workspace);
    let with = |variables: &[(&str, &str)]| -> Ran {
        let arguments = [
            "override",
            "approve",
            &id,
            "--code",
            &code(0),
            "--justification",
            "x",
        ];
        let mut command = command_as(&workspace, "bob", &arguments);
        command.env_remove("POLICY_TOTP_SECRET");
        command.envs(variables.iter().copied());
        command.output().unwrap().into()
    };
    let none = with(&[]).exits(1);
    assert!(
        none.stderr.contains("POLICY_TOTP_SECRET"),
        "{}",
        none.stderr
    );
    let default = with(&[("POLICY_TOTP_SECRET", "default-totp-secret")]).exits(1);
    assert!(
        default.stderr.contains("well-known default"),
        "{}",
        default.stderr
    );
    with(&[("POLICY_TOTP_SECRET", "GEZDGNBV")]).exits(1);
    with(&[
        ("POLICY_TOTP_SECRET", SECRET),
        ("SCALPEL_TOTP_SECRET", SECRET),
    ])
    .exits(1);
    // Nothing was tried, so nothing is recorded beside the request.
    assert_eq!(events(&workspace).len(), 1);
    with(&[("SCALPEL_TOTP_SECRET", SECRET)]).exits(0);
    let second = request(&workspace);
    workspace.write("secret", format!("{SECRET}\n"));
    let file = workspace.file("secret");
    let arguments = [
        "override",
        "approve",
        &second,
        "--code",
        &code(1),
        "--justification",
        "x",
    ];
    let mut command = command_as(&workspace, "bob", &arguments);
    command.env_remove("POLICY_TOTP_SECRET");
    let ran: Ran = command
        .env("POLICY_TOTP_SECRET_FILE", file)
        .output()
        .unwrap()
        .into();
    ran.exits(0);
}

#[test]
fn an_override_stands_for_the_approver_of_one_plan_and_opens_nothing_else() {
    let workspace = red();
    let id = given(&workspace, "apply");
    // The kill switch stays shut, and the override stays whole.
    workspace
        .program(&["kill", "on", "--reason", "drill"])
        .exits(0);
    let ran = apply(&workspace, &id).exits(3);
    assert_eq!(ran.json()["reason"], "kill_switch_on");
    workspace
        .program(&["kill", "off", "--reason", "over"])
        .exits(0);
    let ran = apply(&workspace, "another").exits(3);
    assert_eq!(ran.json()["reason"], "override_unknown");
    let ran = apply(&workspace, &id).exits(0);
    let gates = ran.json()["gates"].as_array().unwrap().clone();
    let gate = gates
        .iter()
        .find(|gate| gate["name"] == "approver")
        .unwrap();
    assert!(
        gate["detail"].as_str().unwrap().contains("by bob"),
        "{gate}"
    );
    assert_eq!(kinds(&workspace).last().unwrap(), "OVERRIDE_USED");
    let again = [&UNATTENDED[..], &[&id, "--again", "--reason", "x"]].concat();
    let mut command = command_as(&workspace, "ada", &again);
    let ran: Ran = command
        .env("POLICY_AUTO_APPLY", "true")
        .output()
        .unwrap()
        .into();
    assert_eq!(ran.exits(3).json()["reason"], "override_unknown");
}

#[test]
fn an_override_of_another_plan_is_none() {
    let workspace = red();
    let id = given(&workspace, "apply");
    workspace.program(&["run"]).exits(0);
    workspace.program(&["respond"]).exits(0);
    let ran = apply(&workspace, &id).exits(3);
    assert_eq!(ran.json()["reason"], "override_of_another_operation");
    assert!(!workspace.file("mirrors").exists());
}

#[test]
fn an_override_opens_nothing_behind_a_changed_record() {
    let workspace = red();
    let id = given(&workspace, "apply");
    let changed = workspace.read(AUDIT).replacen("INC-7", "INC-8", 1);
    workspace.write(AUDIT, changed);
    let ran = apply(&workspace, &id).exits(3);
    assert_eq!(ran.json()["reason"], "journal_broken");
    assert!(!workspace.file("mirrors").exists());
    let arguments = [
        "override",
        "request",
        "--operation",
        "guard:a",
        "--justification",
        "x",
    ];
    run_as(&workspace, "ada", &arguments).exits(5);
    workspace.program(&["audit", "verify"]).exits(5);
}

#[test]
fn of_eight_at_once_one_uses_the_override() {
    let workspace = red();
    let id = given(&workspace, "apply");
    let start = || -> Child {
        command_as(&workspace, "ada", &[&UNATTENDED[..], &[&id]].concat())
            .env("POLICY_AUTO_APPLY", "true")
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
    let used = kinds(&workspace)
        .into_iter()
        .filter(|kind| kind == "OVERRIDE_USED");
    assert_eq!(used.count(), 1);
    assert_eq!(
        codes.iter().filter(|code| **code == 0).count(),
        1,
        "{codes:?}"
    );
    assert_eq!(
        codes.iter().filter(|code| **code == 3).count(),
        7,
        "{codes:?}"
    );
}

#[test]
fn a_kill_at_any_moment_never_yields_two_uses() {
    for round in 0..12_u64 {
        let workspace = red();
        let id = given(&workspace, "apply");
        let arguments = [&UNATTENDED[..], &[&id]].concat();
        let mut command = command_as(&workspace, "ada", &arguments);
        let mut child = command
            .env("POLICY_AUTO_APPLY", "true")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(round * 15));
        child.kill().unwrap();
        child.wait().unwrap();
        // Whoever tries again, and however: the plan was begun at most once by this override.
        let again = [&arguments[..], &["--again", "--reason", "cut off"]].concat();
        for _ in 0..2 {
            command_as(&workspace, "ada", &again)
                .env("POLICY_AUTO_APPLY", "true")
                .output()
                .unwrap();
        }
        let used = kinds(&workspace)
            .into_iter()
            .filter(|kind| kind == "OVERRIDE_USED");
        let begun = workspace.file("state/policy_response_journal.jsonl");
        let begun = std::fs::read_to_string(begun).unwrap_or_default();
        let begun = begun.matches("\"event\":\"response_begun\"").count();
        assert!(used.count() <= 1 && begun <= 1, "round {round}");
        workspace.program(&["audit", "verify"]).exits(0);
    }
}

#[test]
fn a_list_of_approvers_says_who_gives_overrides() {
    let workspace = Workspace::empty();
    let bob = workspace.file("bob.key");
    workspace
        .program(&["keys", "generate", "--out", bob.to_str().unwrap()])
        .exits(0);
    workspace.write("policy/bob.pub", workspace.read("bob.pub"));
    let list = |may: &str| {
        let list = format!(
            "schema: 1\napprovers:\n  - name: bob\n    key_file: policy/bob.pub\n    may: [{may}]\n"
        );
        workspace.write("policy/approvers.yaml", list);
    };
    let id = request(&workspace);
    list("apply");
    approve(&workspace, "bob", &id, &code(0)).exits(4);
    assert_eq!(refused(&workspace), "override_approver_not_listed");
    list("override");
    approve(&workspace, "eve", &id, &code(0)).exits(4);
    approve(&workspace, "bob", &id, &code(0)).exits(0);
}

#[test]
fn a_secret_is_shown_on_a_terminal_only_unless_asked_for() {
    let workspace = Workspace::empty();
    for arguments in [
        &["override", "enroll"][..],
        &["override", "enroll", "--format", "json"],
    ] {
        let ran = workspace.program(arguments).exits(2);
        assert_eq!(ran.stdout, "");
    }
    let show = ["override", "enroll", "--show-secret"];
    let one = workspace.program(&show).exits(0).stdout;
    assert_ne!(one, workspace.program(&show).exits(0).stdout);
    assert_eq!(one.trim().len(), 32);
    assert!(!workspace.file("state").exists());
}

#[test]
fn many_overrides_in_a_day_raise_an_alert() {
    let workspace = Workspace::healthy();
    let alerts = || {
        let report = workspace.program(&["alerts"]).json();
        let names = report["alerts"].as_array().unwrap().iter();
        names.map(|alert| alert["name"].clone()).collect::<Vec<_>>()
    };
    workspace.program(&["run"]).exits(0);
    workspace.write(
        "policy/alerts.json",
        json!({"schema": 1, "limits": {"overrides": 1}}).to_string(),
    );
    given(&workspace, "guard:a");
    assert!(!alerts().contains(&json!("overrides_frequent")));
    let id = request(&workspace);
    approve(&workspace, "bob", &id, &code(1)).exits(0);
    assert!(alerts().contains(&json!("overrides_frequent")));
}

/// An operation of another program, with an override.
fn guarded(workspace: &Workspace, id: &str, operation: &Value) -> Ran {
    let arguments = ["guard", "check", "--override", id];
    let mut command = command_as(workspace, "ada", &arguments);
    fed(&mut command, operation.to_string())
}

fn edit(files: &[&str]) -> Value {
    json!({"type": "edit", "affected_files": files})
}

fn last_types(workspace: &Workspace, count: usize) -> Vec<String> {
    let events = crate::policy_lock::events(workspace);
    let last = events.iter().rev().take(count).rev();
    last.map(|event| event["event_type"].as_str().unwrap().to_owned())
        .collect()
}

const OPENED: &str = "policy/policy.yaml";

#[test]
fn an_override_opens_one_protected_path_of_the_guard_once() {
    let workspace = crate::policy_lock::locked();
    let id = given(&workspace, "guard:policy/policy.yaml");
    // What is allowed anyway uses nothing up.
    let free = guarded(&workspace, &id, &edit(&["src/a.py"])).exits(0);
    assert_eq!(free.json().get("override_id"), None);
    let ran = guarded(&workspace, &id, &edit(&["policy/../policy/policy.yaml"])).exits(0);
    assert_eq!(
        ran.json(),
        json!({"allowed": true, "violated_policies": [], "severity": "LOW", "override_id": id})
    );
    assert_eq!(last_types(&workspace, 1), ["OVERRIDE_USED"]);
    let again = guarded(&workspace, &id, &edit(&[OPENED])).exits(4);
    assert_eq!(again.json()["allowed"], false);
    assert!(again.stderr.contains("no override of that id is open"));
    assert_eq!(
        last_types(&workspace, 2),
        ["OVERRIDE_REFUSED", "GUARD_REFUSED"]
    );
    workspace.program(&["audit", "verify"]).exits(0);
}

#[test]
fn the_guard_refuses_an_override_of_another_path_one_that_nobody_gave_and_one_that_is_over() {
    let workspace = crate::policy_lock::locked();
    let other = given(&workspace, "guard:budget.yaml");
    let asked = request(&workspace);
    let short = request_for(
        &workspace,
        "guard:.scalpel/policy.yaml",
        &["--timeout", "1s"],
    );
    std::thread::sleep(std::time::Duration::from_millis(1100));
    for (id, path, why) in [
        (
            other.as_str(),
            OPENED,
            "this override is for `guard:budget.yaml`",
        ),
        (&asked, OPENED, "nobody has given this override yet"),
        (
            &short,
            ".scalpel/policy.yaml",
            "this override is over since",
        ),
        ("none", OPENED, "no override of that id is open"),
    ] {
        let ran = guarded(&workspace, id, &edit(&[path])).exits(4);
        assert!(ran.stderr.contains(why), "{why}: {}", ran.stderr);
        assert_eq!(
            last_types(&workspace, 2),
            ["OVERRIDE_REFUSED", "GUARD_REFUSED"]
        );
    }
    // None of that used up what is for another path.
    guarded(&workspace, &other, &edit(&["budget.yaml"])).exits(0);
}

#[test]
fn an_override_opens_nothing_but_a_protected_path() {
    let workspace = crate::policy_lock::locked();
    for path in [
        "state/audit.log",
        "policy/manifest.json",
        ".git/config",
        "trust_lock_state.json",
        "policy/versions/2.yaml",
    ] {
        let id = given_at(&workspace, &format!("guard:{path}"));
        let ran = guarded(&workspace, &id, &edit(&[path])).exits(4);
        assert!(
            ran.stderr.contains("the override is not used"),
            "{path}: {}",
            ran.stderr
        );
    }
    let id = given_at(&workspace, "guard:policy/policy.yaml");
    // Not beside a second protected path, another rule, a link, the kill switch, or tampering.
    std::os::unix::fs::symlink(OPENED, workspace.file("alias.yaml")).unwrap();
    for files in [
        &[OPENED, "budget.yaml"][..],
        &[OPENED, "/etc/passwd"],
        &["alias.yaml"],
    ] {
        guarded(&workspace, &id, &edit(files)).exits(4);
    }
    run_as(&workspace, "ada", &["kill", "on", "--reason", "drill"]).exits(0);
    guarded(&workspace, &id, &edit(&[OPENED])).exits(4);
    std::fs::remove_file(workspace.file("state/kill_switch.json")).unwrap();
    let budget = workspace.read("budget.yaml");
    crate::policy_lock::overwrite(&workspace, "budget.yaml", "limit: 9\n");
    guarded(&workspace, &id, &edit(&[OPENED])).exits(5);
    crate::policy_lock::overwrite(&workspace, "budget.yaml", budget);
    // It was never used, so it still opens what it is for.
    guarded(&workspace, &id, &edit(&[OPENED])).exits(0);
}

/// One that is given without a code: a code counts once, and one test needs several overrides.
fn given_at(workspace: &Workspace, operation: &str) -> String {
    let id = request_for(workspace, operation, &[]);
    // The step that was accepted last is forgotten: the line is written as the library writes it.
    let opened = Opened::open(workspace.path()).unwrap();
    let retry = RetryDelays::none();
    let timeout = LockTimeout::silent(std::time::Duration::from_secs(5));
    let lock = WorkspaceLock::acquire(&opened, "test", timeout, &retry).unwrap();
    let records = Records {
        workspace: &opened,
        lock: &lock,
        key: None,
        retry: &retry,
    };
    let mut standing = policy_orchestrator::record::audit::standing(&opened).unwrap();
    standing.overrides.step = None;
    let event = policy_orchestrator::record::audit::Event {
        at: Clock::System.read(),
        user: "test",
        action: "override_request",
        event_type: &policy_orchestrator::ids::EventType::OVERRIDE_REQUESTED,
        severity: policy_orchestrator::record::audit::Severity::Low,
        task_id: None,
        data: policy_orchestrator::ids::Digest::of(b""),
        details: &json!({}),
        given_clock: false,
    };
    policy_orchestrator::record::audit::append_standing(records, &event, standing).unwrap();
    drop(lock);
    approve(workspace, "bob", &id, &code(0)).exits(0);
    id
}

/// Whoever asks again and again can't fill the log; what was not recorded is refused all the same.
#[test]
fn refusals_are_recorded_and_bounded() {
    let workspace = Workspace::healthy();
    for _ in 0..25 {
        approve(&workspace, "bob", "none", "000000").exits(4);
    }
    assert_eq!(last_types(&workspace, 100), ["OVERRIDE_REFUSED"; 20]);
    let deny = ["approve", "deny", "none", "--reason", "x"];
    for _ in 0..22 {
        run_as(&workspace, "bob", &deny).exits(4);
    }
    let types = last_types(&workspace, 100);
    let approvals = types.iter().filter(|name| *name == "APPROVAL_REFUSED");
    assert_eq!((approvals.count(), types.len()), (20, 40));
    let reference = include_str!("../../src/policy/reference.yaml");
    workspace.write(
        "next.yaml",
        reference.replace("version: \"1\"", "version: \"2\""),
    );
    workspace
        .program(&["policy", "draft", "next.yaml", "--reason", "x"])
        .exits(0);
    let promote = ["policy", "promote", "2", "--to", "staging", "--reason", "x"];
    run_as(&workspace, "eve", &promote).exits(4);
    let last = crate::policy_lock::events(&workspace).pop().unwrap();
    assert_eq!(
        (
            &last["event_type"],
            &last["user"],
            &last["details"]["command"]
        ),
        (
            &json!("STEP_REFUSED"),
            &json!("eve"),
            &json!("policy promote")
        )
    );
    workspace.program(&["audit", "verify"]).exits(0);
}

/// C-56: one that is in force shows in the portal, with what it opens and until when, and no name.
#[test]
fn an_override_in_force_shows_in_the_portal_until_it_is_used() {
    let workspace = Workspace::healthy();
    workspace.program(&["portal", "data", "--rebuild"]).exits(0);
    let told = || {
        let data: Value = serde_json::from_str(&workspace.read("state/portal_data.json")).unwrap();
        data["overrides"].clone()
    };
    let id = request(&workspace);
    assert_eq!(told(), json!([]), "it waits for an answer");
    let given = approve(&workspace, "bob", &id, &code(0)).exits(0).json();
    let expected = json!([{"operation": "guard:policy/policy.yaml", "until": given["expires_at"]}]);
    assert_eq!(told(), expected);
    workspace.program(&["run"]).exits(0);
    assert_eq!(told(), expected);
    let shown = workspace.read("state/portal_data.json");
    assert!(!shown.contains("bob") && !shown.contains("ada"), "{shown}");
    spend(&workspace, &id, "policy/policy.yaml").unwrap();
    workspace.program(&["run"]).exits(0);
    assert_eq!(told(), json!([]));
}
