//! `policy accept` under ENV=production: a second person signs exactly these changes, and is held
//! against the approvers of before them (S3-074, S0-033, C-23).

use serde_json::Value;

use crate::approvals::{command_as, grant, grant_with, keys, list, run_as};
use crate::policy_lock::{events, locked, overwrite};
use crate::workspace::{Ran, Workspace};

const LIST: &str = "policy/approvers.yaml";
const LOG: &str = "state/approval_requests.jsonl";
const POLICY: &str = "policy/policy.yaml";

/// Locked with a list on which bob and carol may accept; the policy was changed since.
fn changed() -> Workspace {
    let workspace = listed();
    change(&workspace, "# stricter\n");
    workspace
}

fn listed() -> Workspace {
    let workspace = locked();
    for name in ["bob", "carol", "eve"] {
        keys(&workspace, name, "ed25519");
    }
    std::fs::remove_file(workspace.file("policy/eve.pub")).unwrap();
    list(&workspace, &[("bob", "accept"), ("carol", "'*'")]);
    workspace
        .program(&["policy", "accept", "--reason", "the first list"])
        .exits(0);
    workspace
}

fn change(workspace: &Workspace, more: &str) {
    overwrite(workspace, POLICY, workspace.read(POLICY) + more);
}

/// As ada asks.
fn ask(workspace: &Workspace, further: &[&str]) -> Value {
    let usual = [
        "approve",
        "request",
        "--operation",
        "accept",
        "--reason",
        "#57",
    ];
    run_as(workspace, "ada", &[&usual, further].concat())
        .exits(0)
        .json()
}

fn id(asked: &Value) -> &str {
    asked["id"].as_str().unwrap()
}

fn accept_as(workspace: &Workspace, user: &str, further: &[&str]) -> Ran {
    let usual = ["policy", "accept", "--reason", "#57"];
    let mut command = command_as(workspace, user, &[&usual, further].concat());
    command.env("ENV", "production").output().unwrap().into()
}

fn accept(workspace: &Workspace) -> Ran {
    accept_as(workspace, "ada", &[])
}

#[track_caller]
fn refused(ran: Ran, why: &str) {
    let ran = ran.exits(4);
    assert!(ran.stderr.contains("APPROVAL_MISSING"), "{}", ran.stderr);
    assert!(ran.stderr.contains(why), "{why}: {}", ran.stderr);
}

fn uses(workspace: &Workspace) -> usize {
    let log = workspace.read(LOG);
    log.lines().filter(|line| line.contains("\"USED\"")).count()
}

#[test]
fn what_a_second_person_signed_is_accepted_once() {
    let workspace = changed();
    refused(accept(&workspace), "no approval was asked for");
    let asked = ask(&workspace, &[]);
    assert_eq!(asked["changes"][0]["path"], POLICY);
    assert_eq!(asked["changes"].as_array().unwrap().len(), 1);
    refused(accept(&workspace), "nobody has granted it yet");
    let seen = run_as(&workspace, "bob", &["approve", "verify", id(&asked)]).exits(4);
    assert_eq!(seen.json()["changes"], asked["changes"]);
    let granted = grant(&workspace, id(&asked), "bob").exits(0).json();
    assert_eq!(granted["changes"], asked["changes"]);
    accept(&workspace).exits(0);
    assert_eq!(uses(&workspace), 1);
    let manifest: Value = serde_json::from_str(&workspace.read("policy/manifest.json")).unwrap();
    assert_eq!(
        manifest["accepted"]["second"]["payloadType"],
        "application/vnd.policy-orchestrator.approval.v1+json"
    );
    workspace.program(&["policy", "verify"]).exits(0);
    workspace.program(&["audit", "verify"]).exits(0);
    // Nothing differs: nobody has to sign that.
    accept(&workspace).exits(0);
    assert_eq!(uses(&workspace), 1);
    // There and back again is another change than the one that was signed.
    let stricter = workspace.read(POLICY);
    overwrite(&workspace, POLICY, stricter.replace("# stricter\n", ""));
    workspace
        .program(&["policy", "accept", "--reason", "back"])
        .exits(0);
    overwrite(&workspace, POLICY, stricter);
    refused(accept(&workspace), "it was used at");
    let last = events(&workspace).pop().unwrap();
    assert_eq!(last["details"]["reason"], "back");
}

#[test]
fn a_grant_is_for_exactly_the_changes_that_were_shown() {
    let workspace = changed();
    let asked = ask(&workspace, &[]);
    change(&workspace, "# and more\n");
    let late = grant(&workspace, id(&asked), "bob").exits(4);
    assert!(
        late.stderr.contains("the subject is another one now"),
        "{}",
        late.stderr
    );
    let again = ask(&workspace, &[]);
    grant(&workspace, id(&again), "bob").exits(0);
    change(&workspace, "# and still more\n");
    refused(accept(&workspace), "the subject is another one now");
    let shorter = workspace.read(POLICY).replace("# and still more\n", "");
    overwrite(&workspace, POLICY, shorter);
    // A second file beside the one that was signed.
    overwrite(&workspace, "budget.yaml", "limit: 2\n");
    refused(accept(&workspace), "the subject is another one now");
    accept_as(&workspace, "ada", &["--path", POLICY]).exits(0);
    workspace.program(&["policy", "verify"]).exits(5);
}

#[test]
fn an_approval_of_a_part_is_of_that_part() {
    let workspace = changed();
    overwrite(&workspace, "budget.yaml", "limit: 2\n");
    let asked = ask(&workspace, &["--path", "budget.yaml"]);
    assert_eq!(asked["changes"][0]["path"], "budget.yaml");
    grant(&workspace, id(&asked), "carol").exits(0);
    refused(accept(&workspace), "the subject is another one now");
    refused(
        accept_as(&workspace, "ada", &["--path", POLICY]),
        "the subject is another one now",
    );
    accept_as(&workspace, "ada", &["--path", "budget.yaml"]).exits(0);
}

#[test]
fn one_person_is_never_two() {
    let workspace = changed();
    let usual = [
        "approve",
        "request",
        "--operation",
        "accept",
        "--reason",
        "x",
    ];
    let own = run_as(&workspace, "bob", &usual).exits(0).json();
    grant(&workspace, id(&own), "bob").exits(4);
    // Whoever granted it can't use it either.
    grant(&workspace, id(&own), "carol").exits(0);
    refused(
        accept_as(&workspace, "Carol", &[]),
        "carol approved it, and can't use it",
    );
    // An approval of something else is none.
    let other = changed();
    let kill = ["kill", "on", "--reason", "drill"];
    run_as(&other, "ada", &kill).exits(0);
    let usual = [
        "approve",
        "request",
        "--operation",
        "kill_off",
        "--reason",
        "x",
    ];
    let asked = run_as(&other, "ada", &usual).exits(0).json();
    grant(&other, id(&asked), "carol").exits(0);
    std::fs::remove_file(other.file("state/kill_switch.json")).unwrap();
    refused(accept(&other), "no approval was asked for");
}

#[test]
fn over_is_over_whatever_time_a_command_is_given() {
    let workspace = changed();
    let asked = ask(&workspace, &[]);
    let granted = grant(&workspace, id(&asked), "bob").exits(0).json();
    let until = granted["expires_at"].as_str().unwrap();
    let at = ["approve", "verify", id(&asked), "--at", until];
    let over = workspace.program(&at).exits(4).json();
    assert!(over["why"].as_str().unwrap().contains("it is over since"));
    // Who was listed until yesterday approves nothing, and `--at` revives nobody.
    let workspace = listed();
    let list = workspace.read(LIST).replacen(
        "may: [accept]",
        "may: [accept]\n    until: 2026-01-01T00:00:00Z",
        1,
    );
    overwrite(&workspace, LIST, list);
    workspace
        .program(&["policy", "accept", "--reason", "bob left"])
        .exits(0);
    change(&workspace, "# stricter\n");
    let asked = ask(&workspace, &[]);
    grant(&workspace, id(&asked), "bob").exits(4);
    let early = ["--at", "2025-12-01T00:00:00Z"];
    refused(
        accept_as(&workspace, "ada", &early),
        "nobody has granted it yet",
    );
}

#[test]
fn whom_a_change_brings_in_can_not_approve_it() {
    let workspace = listed();
    // eve lists herself, in the place of the others, and with their name too.
    workspace.write("policy/eve.pub", workspace.read("eve.pub"));
    let before = workspace.read(LIST);
    overwrite(
        &workspace,
        LIST,
        "schema: 1\napprovers:\n  - name: eve\n    key_file: policy/eve.pub\n    may: ['*']\n",
    );
    let asked = ask(&workspace, &[]);
    let own = grant(&workspace, id(&asked), "eve").exits(4);
    assert!(
        own.stderr.contains("eve is not in the list of approvers"),
        "{}",
        own.stderr
    );
    overwrite(&workspace, "policy/bob.pub", workspace.read("eve.pub"));
    let asked = ask(&workspace, &[]);
    let stolen = grant_with(&workspace, id(&asked), "bob", "eve").exits(4);
    assert!(
        stolen.stderr.contains("is not that of bob"),
        "{}",
        stolen.stderr
    );
    refused(accept(&workspace), "nobody has granted it yet");
    // Those of before may let her in, though the new list does not name them.
    grant(&workspace, id(&asked), "bob").exits(0);
    accept(&workspace).exits(0);
    assert_ne!(workspace.read(LIST), before);
    // From here on it is she who approves, and nobody else.
    change(&workspace, "# eve's\n");
    let asked = ask(&workspace, &[]);
    grant(&workspace, id(&asked), "bob").exits(4);
    grant(&workspace, id(&asked), "eve").exits(0);
    accept(&workspace).exits(0);
}

#[test]
fn where_the_list_of_before_is_not_at_hand_nobody_approves() {
    let workspace = listed();
    let copy = policy_orchestrator::ids::Digest::of(&workspace.bytes(LIST));
    std::fs::remove_file(workspace.file(&format!("state/policies/{copy}"))).unwrap();
    let before = workspace.read(LIST);
    overwrite(&workspace, LIST, before.clone() + "# more\n");
    let asked = ask(&workspace, &[]);
    for ran in [grant(&workspace, id(&asked), "bob"), accept(&workspace)] {
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        assert!(
            ran.stderr.contains("no copy of the one that was accepted"),
            "{}",
            ran.stderr
        );
    }
    // With the list put back the rest is as ever.
    overwrite(&workspace, LIST, before);
    change(&workspace, "# stricter\n");
    let asked = ask(&workspace, &[]);
    grant(&workspace, id(&asked), "bob").exits(0);
    accept(&workspace).exits(0);
}

#[test]
fn a_list_that_is_not_protected_approves_no_accept() {
    let workspace = listed();
    let except = ["policy", "lock", "--except", LIST, "--reason", "x"];
    workspace.program(&except).exits(0);
    change(&workspace, "# stricter\n");
    let asked = ask(&workspace, &[]);
    let ran = grant(&workspace, id(&asked), "bob").exits(1);
    assert!(
        ran.stderr.contains("a file that the lock does not protect"),
        "{}",
        ran.stderr
    );
    assert_eq!(accept(&workspace).code, 1);
    // Where no list was ever accepted, nobody is on it.
    let workspace = locked();
    keys(&workspace, "bob", "ed25519");
    list(&workspace, &[("bob", "accept")]);
    let asked = ask(&workspace, &[]);
    let ran = grant(&workspace, id(&asked), "bob").exits(1);
    assert!(ran.stderr.contains("APPROVERS_UNUSABLE"), "{}", ran.stderr);
}

#[test]
fn there_is_nothing_to_approve_where_nothing_differs() {
    let workspace = listed();
    let usual = [
        "approve",
        "request",
        "--operation",
        "accept",
        "--reason",
        "x",
    ];
    let ran = run_as(&workspace, "ada", &usual).exits(1);
    assert!(
        ran.stderr.contains("there is nothing to accept"),
        "{}",
        ran.stderr
    );
    change(&workspace, "# stricter\n");
    let other = format!("{:064}", 0);
    run_as(
        &workspace,
        "ada",
        &[&usual[..], &["--subject", &other]].concat(),
    )
    .exits(2);
    let path = [
        "approve",
        "request",
        "--operation",
        "kill_off",
        "--path",
        POLICY,
    ];
    run_as(&workspace, "ada", &[&path[..], &["--reason", "x"]].concat()).exits(2);
    let shown = run_as(
        &workspace,
        "ada",
        &[&usual[..], &["--format", "human"]].concat(),
    );
    let shown = shown.exits(0).stdout;
    assert!(
        shown.contains("to be accepted\n  ~ policy/policy.yaml"),
        "{shown}"
    );
}
