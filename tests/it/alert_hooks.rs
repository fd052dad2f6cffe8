//! Who is told of alerts: the hook of `policy/alerts.json`, at least once, after the record, and
//! without the workspace lock.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::alerts::{STATE, calm, log, look, switch};
use crate::workspace::{Ran, Workspace};

/// A calm workspace whose hook is a shell script.
fn with_hook(script: &str) -> Workspace {
    let workspace = calm();
    hook(&workspace, script, &json!({}));
    workspace
}

fn hook(workspace: &Workspace, script: &str, further: &Value) {
    let mut hook = json!({"argv": ["/bin/sh", "-c", script, "a b"], "timeout_seconds": 5});
    for (key, value) in further.as_object().unwrap() {
        hook[key] = value.clone();
    }
    let document = json!({"schema": 1, "hook": hook});
    workspace.write("policy/alerts.json", document.to_string());
}

/// What the hook got, one document for each time it was told.
fn got(workspace: &Workspace) -> Vec<Value> {
    let text = std::fs::read_to_string(workspace.file("got.jsonl")).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn numbers(message: &Value) -> Vec<u64> {
    let events = message["events"].as_array().unwrap().iter();
    events
        .map(|event| event["number"].as_u64().unwrap())
        .collect()
}

fn pending(workspace: &Workspace) -> usize {
    let state: Value = serde_json::from_str(&workspace.read(STATE)).unwrap();
    state["pending"].as_array().unwrap().len()
}

const TAKE: &str = "cat >> got.jsonl";

#[test]
fn a_hook_gets_the_events_of_a_run_as_one_document_once() {
    let workspace = with_hook(TAKE);
    look(&workspace, 0.0, &[]).exits(0);
    assert_eq!(got(&workspace), [""; 0], "nothing happened, nobody is told");
    switch(&workspace, true);
    workspace.write("forensics/safety_brake_state.json", "{}");
    for _ in 0..2 {
        assert_eq!(look(&workspace, 0.0, &[]).exits(0).stderr, "");
    }
    let got = got(&workspace);
    assert_eq!(got.len(), 1);
    assert_eq!(got[0]["schema"], 1);
    assert_eq!(
        got[0]["events"],
        Value::from(log(&workspace)),
        "the lines of the log"
    );
    let open = json!([{"name": "brake_unreadable", "severity": "critical"}, {"name": "kill_switch_on", "severity": "medium"}]);
    assert_eq!(got[0]["open"], open);
    assert_eq!(pending(&workspace), 0);
}

#[test]
fn a_hook_that_fails_changes_nothing_is_shown_and_told_again() {
    let workspace = with_hook("cat >/dev/null; echo 'no route to the pager' >&2; exit 3");
    switch(&workspace, true);
    let ran = look(&workspace, 0.0, &[]).exits(0);
    for part in [
        "warning[NOTIFICATION_FAILED]",
        "exit status 3",
        "no route to the pager",
    ] {
        assert!(ran.stderr.contains(part), "{part} in {}", ran.stderr);
    }
    assert_eq!((log(&workspace).len(), pending(&workspace)), (1, 1));
    hook(&workspace, TAKE, &json!({}));
    switch(&workspace, false);
    assert_eq!(look(&workspace, 0.0, &[]).exits(0).stderr, "");
    assert_eq!(numbers(&got(&workspace)[0]), [1, 2]);
    assert_eq!((log(&workspace).len(), pending(&workspace)), (2, 0));
    hook(
        &workspace,
        "no-such-program-here",
        &json!({"argv": ["no-such-program-here"]}),
    );
    switch(&workspace, true);
    let ran = look(&workspace, 0.0, &[]).exits(0);
    assert!(
        ran.stderr
            .contains("`no-such-program-here` can't be started"),
        "{}",
        ran.stderr
    );
    std::fs::remove_file(workspace.file("policy/alerts.json")).unwrap();
    look(&workspace, 0.0, &[]).exits(0);
    assert_eq!(pending(&workspace), 0, "nobody is to be told any more");
}

#[test]
fn a_hook_sees_a_bare_environment_and_no_shell_takes_its_arguments_apart() {
    let workspace = with_hook("");
    hook(
        &workspace,
        "printf '%s\\n' \"$0\" > arguments; env > environment; cat > /dev/null",
        &json!({"environment": ["TEAM", "ABSENT"]}),
    );
    switch(&workspace, true);
    let mut command = workspace.command(&["alerts"]);
    command
        .env("TEAM", "night shift")
        .env("POLICY_TOTP_SECRET", "hidden")
        .env("HOME", "/home/x");
    Ran::from(command.output().unwrap()).exits(0);
    assert_eq!(workspace.read("arguments"), "a b\n");
    let environment = workspace.read("environment");
    let mut names: Vec<&str> = environment
        .lines()
        .filter_map(|line| line.split('=').next())
        .collect();
    // The shell adds these by itself.
    names.retain(|name| !["PWD", "OLDPWD", "SHLVL", "_", "LANG"].contains(name));
    names.sort_unstable();
    assert_eq!(names, ["HOME", "PATH", "TEAM"], "{environment}");
}

#[test]
fn what_a_hook_complains_of_is_shown_without_the_secrets_that_it_was_given() {
    let workspace = with_hook("");
    let script = "echo \"no answer from $PAGER_TOKEN at the pager\" >&2; exit 1";
    hook(&workspace, script, &json!({"environment": ["PAGER_TOKEN"]}));
    switch(&workspace, true);
    let mut command = workspace.command(&["alerts"]);
    command.env("PAGER_TOKEN", "abcdefgh12345678");
    let ran = Ran::from(command.output().unwrap()).exits(0);
    assert!(
        ran.stderr
            .contains("no answer from <REDACTED> at the pager"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_hook_that_takes_too_long_is_killed_with_all_that_it_started() {
    let workspace = with_hook("");
    hook(
        &workspace,
        "(sleep 1; touch survived) & sleep 30",
        &json!({"timeout_seconds": 0.3}),
    );
    switch(&workspace, true);
    let began = Instant::now();
    let ran = look(&workspace, 0.0, &[]).exits(0);
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(
        ran.stderr.contains("no end within 0.3 s, so it was killed"),
        "{}",
        ran.stderr
    );
    assert_eq!(pending(&workspace), 1);
    std::thread::sleep(Duration::from_millis(1200));
    assert!(!workspace.file("survived").exists());
}

#[test]
fn a_hook_that_never_reads_or_says_too_much_does_no_harm() {
    let workspace = with_hook("head -c 3000000 /dev/zero | tr '\\0' x >&2; exit 4");
    switch(&workspace, true);
    let ran = look(&workspace, 0.0, &[]).exits(0);
    assert!(ran.stderr.contains("exit status 4"), "{}", ran.stderr);
    assert!(ran.stderr.len() < 2000, "{}", ran.stderr.len());
    let left = with_hook("sleep 6 >&2 &");
    switch(&left, true);
    let began = Instant::now();
    look(&left, 0.0, &[]).exits(0);
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "what a hook leaves behind is not waited for"
    );
}

#[test]
fn no_lock_is_held_while_a_hook_runs_and_one_that_looks_itself_comes_to_an_end() {
    let workspace = with_hook("");
    let program = env!("CARGO_BIN_EXE_policy-orchestrator");
    let script = format!(
        "{TAKE}; {program} alerts --lock-timeout 0 > inner.json && {program} run --lock-timeout 0 > run.json"
    );
    hook(&workspace, &script, &json!({}));
    switch(&workspace, true);
    let ran = look(&workspace, 0.0, &[]).exits(0);
    assert_eq!(ran.stderr, "");
    let inner: Value = serde_json::from_str(&workspace.read("inner.json")).unwrap();
    assert!(inner["alerts"].to_string().contains("kill_switch_on"));
    assert!(workspace.read("run.json").contains("\"policy\""));
    // What came up meanwhile is told in another round, not by the look within.
    let told: Vec<Vec<u64>> = got(&workspace).iter().map(numbers).collect();
    assert_eq!(told.first(), Some(&vec![1]));
    assert!(told.len() <= 5, "{told:?}");
    let mut all: Vec<u64> = told.concat();
    all.dedup();
    assert_eq!(all.len(), told.concat().len(), "each once: {told:?}");
}

#[test]
fn while_the_document_is_refused_events_wait_for_it() {
    let workspace = calm();
    workspace.write("policy/alerts.json", "{\"hook\": {\"argv\": []}}");
    switch(&workspace, true);
    look(&workspace, 0.0, &[]).exits(1);
    assert_eq!((log(&workspace).len(), pending(&workspace)), (1, 1));
    hook(&workspace, TAKE, &json!({}));
    look(&workspace, 0.0, &[]).exits(0);
    assert_eq!(numbers(&got(&workspace)[0]), [1]);
    assert_eq!(pending(&workspace), 0);
}

#[test]
fn a_kill_before_the_hook_was_told_tells_it_in_the_next_run() {
    let workspace = with_hook(TAKE);
    look(&workspace, 0.0, &[]).exits(0);
    let old = workspace.read(STATE);
    std::fs::remove_file(workspace.file("policy/alerts.json")).unwrap();
    switch(&workspace, true);
    look(&workspace, 0.0, &[]).exits(0);
    // As if the run had been killed right after the append.
    workspace.write(STATE, old);
    hook(&workspace, TAKE, &json!({}));
    look(&workspace, 0.0, &[]).exits(0);
    assert_eq!(numbers(&got(&workspace)[0]), [1]);
    // Where the state is lost, of what is up everybody is told again.
    std::fs::remove_file(workspace.file(STATE)).unwrap();
    look(&workspace, 0.0, &[]).exits(0);
    assert_eq!(numbers(&got(&workspace)[1]), [1]);
    assert_eq!(log(&workspace).len(), 1);
}

#[test]
fn nobody_is_told_on_a_dry_run() {
    let workspace = with_hook(TAKE);
    switch(&workspace, true);
    look(&workspace, 0.0, &["--dry-run"]).exits(0);
    assert_eq!(got(&workspace), [""; 0]);
}

#[cfg(not(feature = "webhook"))]
#[test]
fn a_web_hook_needs_a_build_with_it() {
    let workspace = calm();
    workspace.write(
        "policy/alerts.json",
        "{\"webhook\": {\"url_variable\": \"HOOK\"}}",
    );
    switch(&workspace, true);
    let ran = look(&workspace, 0.0, &[]).exits(1);
    assert!(
        ran.stderr.contains("FEATURE_MISSING") && ran.stderr.contains("--features webhook"),
        "{}",
        ran.stderr
    );
    assert!(
        !ran.stderr.contains("NOTIFICATION_FAILED"),
        "{}",
        ran.stderr
    );
    assert_eq!((log(&workspace).len(), pending(&workspace)), (1, 1));
}

#[cfg(feature = "webhook")]
mod webhook {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// Takes one request and answers with a status; the request comes back.
    fn server(status: &'static str) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/secret-path", listener.local_addr().unwrap());
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut request, mut buffer) = (String::new(), [0; 4096]);
            while !request.ends_with("]}\n") {
                let count = stream.read(&mut buffer).unwrap();
                request.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
            }
            let location = "location: http://127.0.0.1:9/elsewhere";
            write!(
                stream,
                "HTTP/1.1 {status}\r\n{location}\r\ncontent-length: 0\r\n\r\n"
            )
            .unwrap();
            request
        });
        (url, served)
    }

    fn with_webhook() -> Workspace {
        let workspace = calm();
        workspace.write(
            "policy/alerts.json",
            "{\"webhook\": {\"url_variable\": \"HOOK\", \"timeout_seconds\": 2}}",
        );
        switch(&workspace, true);
        workspace
    }

    fn look_with(workspace: &Workspace, url: Option<&str>) -> Ran {
        let mut command = workspace.command(&["alerts", "--at", crate::workspace::AT]);
        if let Some(url) = url {
            command.env("HOOK", url);
        }
        Ran::from(command.output().unwrap()).exits(0)
    }

    #[test]
    fn an_address_gets_the_events_by_post() {
        let workspace = with_webhook();
        let (url, served) = server("204 No Content");
        let ran = look_with(&workspace, Some(&url));
        let request = served.join().unwrap();
        assert_eq!(ran.stderr, "");
        assert!(
            request.starts_with("POST /secret-path HTTP/1.1\r\n"),
            "{request}"
        );
        let message: Value =
            serde_json::from_str(request.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        assert_eq!(numbers(&message), [1]);
        assert_eq!(pending(&workspace), 0);
    }

    #[test]
    fn an_address_that_takes_nothing_is_never_shown_and_told_again() {
        let workspace = with_webhook();
        for (status, said) in [
            ("500 Oops", "the answer 500"),
            ("302 Found", "the answer 302"),
        ] {
            let (url, served) = server(status);
            let ran = look_with(&workspace, Some(&url));
            served.join().unwrap();
            assert!(
                ran.stderr.contains(said) && !ran.stderr.contains("secret-path"),
                "{}",
                ran.stderr
            );
        }
        for (url, said) in [
            ("http://127.0.0.1:1/secret-path", "refused"),
            ("http://no-such-host.invalid/secret-path", "host"),
            ("secret-path of nothing", "no usable address"),
            ("gopher://x/secret-path", "address"),
        ] {
            let ran = look_with(&workspace, Some(url));
            assert!(
                ran.stderr.contains(said) && !ran.stderr.contains("secret-path"),
                "{url}: {}",
                ran.stderr
            );
        }
        let ran = look_with(&workspace, None);
        assert!(
            ran.stderr.contains("the variable HOOK is not set"),
            "{}",
            ran.stderr
        );
        assert_eq!((log(&workspace).len(), pending(&workspace)), (1, 1));
    }
}
