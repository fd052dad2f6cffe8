//! `portal`: the page's files, its data, and its server (rows S4-070, S4-075 to S4-077, S4-089b, S4-147,
//! C-59, C-65). What the page shows is tried in a real browser, in tests/browser.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use policy_orchestrator::ids::Digest;
use serde_json::{Value, json};

use crate::workspace::{AT, JOURNAL, Workspace};

const DATA: &str = "state/portal_data.json";
const PAGES: [&str; 4] = ["icon.svg", "index.html", "portal.css", "portal.js"];

fn project(name: &str) -> String {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(root.join(name)).unwrap()
}

/// A workspace whose page has data, as `init` makes them.
fn kept() -> Workspace {
    let workspace = Workspace::healthy();
    let rebuild = ["portal", "data", "--rebuild"];
    workspace.program(&rebuild).exits(0);
    workspace
}

fn data(workspace: &Workspace) -> Value {
    let data: Value = serde_json::from_str(&workspace.read(DATA)).unwrap();
    let schema = serde_json::from_str(&project("docs/portal_data.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = schema
        .iter_errors(&data)
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect();
    assert_eq!(errors, Vec::<String>::new(), "{data}");
    data
}

fn run(workspace: &Workspace) {
    workspace
        .program(&["run", "--retry-delays", "0,0,0"])
        .exits(0);
}

fn levels(data: &Value) -> Vec<&str> {
    let transitions = data["transitions"].as_array().unwrap().iter();
    transitions
        .map(|one| one["level"].as_str().unwrap())
        .collect()
}

#[test]
fn portal_files_exist_and_are_small() {
    for page in PAGES {
        assert!(project(&format!("portal/{page}")).len() < 60_000, "{page}");
    }
    assert!(project("portal/index.html").contains("System Policy Status"));
}

#[test]
fn portal_asks_for_nothing_from_elsewhere() {
    for page in PAGES {
        // Names of XML vocabularies, which nobody asks for.
        let text = project(&format!("portal/{page}")).replace("http://www.w3.org/2000/svg", "");
        for scheme in ["http://", "https://", "file://", "@import", "url("] {
            assert!(!text.contains(scheme), "{page} has {scheme}");
        }
    }
    let page = project("portal/index.html");
    let inline = [" style=", "<style", " onclick=", " onload=", "<script>"];
    assert!(!inline.iter().any(|what| page.contains(what)));
    let script = project("portal/portal.js");
    for unsafe_way in [
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
        "new Function",
    ] {
        assert!(!script.contains(unsafe_way), "{unsafe_way}");
    }
    for needed in [
        "'../state/policy_state.json'",
        "cache: 'no-store'",
        "setInterval(refresh, REFRESH)",
        "REFRESH = 15000",
    ] {
        assert!(script.contains(needed), "{needed}");
    }
}

#[test]
fn a_run_takes_the_data_further_and_the_journal_makes_the_same() {
    let workspace = kept();
    run(&workspace);
    workspace.integrity("92");
    run(&workspace);
    workspace.integrity("80");
    run(&workspace);
    run(&workspace);
    let held = data(&workspace);
    assert_eq!(levels(&held), ["GREEN", "YELLOW", "RED"]);
    assert_eq!(held["decisions"], 4);
    assert_eq!(held["head"], workspace.state()["journal"]);
    let integrity = &held["signals"][1];
    assert_eq!(integrity["name"], "integrity");
    assert_eq!(
        integrity["days"].as_array().unwrap().last().unwrap()[1],
        80.0
    );
    assert_eq!(held["evaluations"].as_array().unwrap().len(), 1);
    assert_eq!(held["evaluations"][0][1], 4);
    assert_eq!(held["evaluations"][0][2], 3);
    assert_eq!(held["took_us"].as_array().unwrap().len(), 4);
    // A file that can be read keeps what no journal has: how long runs took.
    workspace.program(&["portal", "data", "--rebuild"]).exits(0);
    assert_eq!(data(&workspace)["took_us"], held["took_us"]);
    std::fs::remove_file(workspace.file(DATA)).unwrap();
    let told = workspace.program(&["portal", "data", "--rebuild"]).exits(0);
    assert_eq!(told.json()["decisions"], 4);
    let (mut anew, mut held) = (data(&workspace), held);
    for data in [&mut anew, &mut held] {
        data["took_us"] = Value::Null;
        data["safeguards"]["at"] = Value::Null;
    }
    assert_eq!(anew, held);
}

/// The last line of a journal again, with another time, behind it.
fn append_dated(workspace: &Workspace, at: &str) {
    let journal = "state/policy_state_log.jsonl";
    let text = workspace.read(journal);
    let last = text.lines().last().unwrap();
    let mut line: Value = serde_json::from_str(last).unwrap();
    let (before, seq) = (line["timestamp"].clone(), line["seq"].as_u64().unwrap());
    line["timestamp"] = json!(at);
    let dated = last
        .replace(before.as_str().unwrap(), at)
        .replace(&format!("\"seq\":{seq}"), &format!("\"seq\":{}", seq + 1))
        .replace(
            line["prev"].as_str().unwrap(),
            &Digest::of(last.as_bytes()).to_string(),
        );
    workspace.write(journal, format!("{text}{dated}\n"));
}

/// C-65: one clock that was wrong once must not empty the page.
#[test]
fn a_decision_of_a_clock_that_was_far_ahead_is_left_out_and_empties_nothing() {
    let workspace = kept();
    run(&workspace);
    workspace.integrity("92");
    run(&workspace);
    let before = data(&workspace);
    append_dated(&workspace, "2099-01-15T12:00:00.000000+00:00");
    workspace.program(&["portal", "data", "--rebuild"]).exits(0);
    let held = data(&workspace);
    assert_eq!((&held["ahead"], &held["decisions"]), (&json!(1), &json!(2)));
    for kept in ["transitions", "signals", "last_at", "evaluations"] {
        assert_eq!(held[kept], before[kept], "{kept}");
    }
    // As a run that was made by such a clock leaves the file: the next one makes it anew.
    let mut spoilt = held.clone();
    spoilt["last_at"] = json!("2099-01-15T12:00:00.000000+00:00");
    spoilt["transitions"] = json!([]);
    workspace.write(DATA, spoilt.to_string());
    run(&workspace);
    let held = data(&workspace);
    assert_eq!(levels(&held), ["GREEN", "YELLOW"]);
    assert_eq!((&held["ahead"], &held["decisions"]), (&json!(1), &json!(3)));
    run(&workspace);
    assert_eq!(data(&workspace)["decisions"], 4);
}

/// C-56: whoever looks at the page sees what an override opens, and until when.
#[test]
fn overrides_brake_and_kill_switch_are_told_by_whoever_changes_them() {
    let workspace = kept();
    run(&workspace);
    let told = data(&workspace);
    assert_eq!(told["overrides"], json!([]));
    assert_eq!(told["safeguards"]["kill_switch"], "off");
    assert_eq!(told["safeguards"]["brake"], "missing");
    let kill = |how: &str| {
        workspace
            .program(&["kill", how, "--reason", "drill"])
            .exits(0);
        data(&workspace)["safeguards"]["kill_switch"].clone()
    };
    assert_eq!(kill("on"), "on");
    assert_eq!(kill("off"), "off");
    let engage = ["brake", "engage", "--reason", "drill"];
    workspace.program(&engage).exits(0);
    assert_eq!(data(&workspace)["safeguards"]["brake"], "engaged");
    // Another program writes the files; the next run sees it.
    workspace.write("state/kill_switch.json", "{");
    workspace.write(
        "forensics/safety_brake_state.json",
        r#"{"is_engaged": false, "response_count_24h": 0}"#,
    );
    run(&workspace);
    let told = data(&workspace);
    assert_eq!(told["safeguards"]["kill_switch"], "unreadable");
    assert_eq!(told["safeguards"]["brake"], "off");
}

#[test]
fn where_nobody_keeps_data_none_are_made_and_a_dry_run_changes_none() {
    let workspace = Workspace::healthy();
    run(&workspace);
    assert!(!workspace.file(DATA).exists());
    workspace.program(&["portal", "data", "--rebuild"]).exits(0);
    let bytes = workspace.bytes(DATA);
    workspace.integrity("92");
    workspace.program(&["run", "--dry-run"]).exits(0);
    workspace.program(&["respond", "--policy", "RED"]).exits(0);
    assert_eq!(workspace.bytes(DATA), bytes);
}

#[test]
fn data_that_do_not_fit_the_journal_are_made_anew() {
    let workspace = kept();
    run(&workspace);
    let behind = workspace.bytes(DATA);
    workspace.integrity("92");
    run(&workspace);
    for spoilt in [&behind[..], b"", b"{\"schema\":1}", b"[", b"\xff"] {
        workspace.write(DATA, spoilt);
        run(&workspace);
        let held = data(&workspace);
        assert_eq!(levels(&held), ["GREEN", "YELLOW"]);
        assert_eq!(held["head"], workspace.state()["journal"]);
        assert_eq!(held["decisions"], held["head"]["seq"]);
    }
}

#[test]
fn what_keeps_the_data_behind_is_a_warning_and_changes_no_decision() {
    let workspace = kept();
    run(&workspace);
    workspace.write(DATA, r#"{"schema": 2, "kept": true}"#);
    let ran = workspace.program(&["run"]).exits(0);
    assert_eq!(ran.json()["policy"], "GREEN");
    assert!(ran.stderr.contains("PORTAL_BEHIND"), "{}", ran.stderr);
    assert_eq!(workspace.read(DATA), r#"{"schema": 2, "kept": true}"#);
    let refused = workspace.program(&["portal", "data", "--rebuild"]).exits(1);
    assert!(
        refused.stderr.contains("FORMAT_NEWER"),
        "{}",
        refused.stderr
    );
    // Something in its place that can be neither read nor replaced.
    std::fs::remove_file(workspace.file(DATA)).unwrap();
    std::fs::create_dir(workspace.file(DATA)).unwrap();
    let ran = workspace
        .program(&["run", "--retry-delays", "0,0,0"])
        .exits(0);
    assert!(ran.stderr.contains("PORTAL_BEHIND"), "{}", ran.stderr);
    assert_eq!(workspace.journal().len(), 3);
    assert_eq!(
        workspace.temporary_files(),
        Vec::<std::path::PathBuf>::new()
    );
}

#[test]
fn decisions_of_a_given_time_are_left_out() {
    let workspace = kept();
    workspace.run_at(AT).exits(0);
    let held = data(&workspace);
    assert_eq!(
        (held["given"].clone(), held["decisions"].clone()),
        (json!(1), json!(0))
    );
    assert_eq!(held["transitions"], json!([]));
    assert_eq!(held["head"], workspace.state()["journal"]);
}

#[test]
fn waivers_and_freeze_windows_are_told() {
    let workspace = kept();
    workspace.program(&["policy", "init"]).exits(0);
    run(&workspace);
    let evaluated = workspace.state()["evaluated_at"]
        .as_str()
        .unwrap()
        .to_owned();
    let (today, year) = (&evaluated[..10], evaluated[..4].parse::<u32>().unwrap());
    let policy = workspace.read("policy/policy.yaml");
    let further = format!(
        "  waivers:\n    - trigger: INTEGRITY_BELOW_YELLOW\n      reason: being mended\n      by: ana@example.org\n      ticket: OPS-7\n      granted: {today}\n      expires: {}-01-01\n  freeze:\n    - name: daily\n      reason: nobody is there\n      cron: \"0 18 * * *\"\n      duration: 6h\n      timezone: UTC\n",
        year + 1
    );
    workspace.write("policy/policy.yaml", format!("{policy}\n{further}"));
    workspace.integrity("92");
    run(&workspace);
    run(&workspace);
    let held = data(&workspace);
    // What was before the document is not known to have been frozen; 14 days ahead are.
    let freezes = held["freezes"].as_array().unwrap();
    assert!((14..=15).contains(&freezes.len()), "{freezes:?}");
    assert_eq!(freezes[0]["name"], "daily");
    let waived = held["waived"].as_array().unwrap();
    assert_eq!(waived.len(), 1);
    assert_eq!(waived[0]["code"], "INTEGRITY_BELOW_YELLOW");
    assert_eq!(waived[0]["until"], held["last_at"]);
    workspace.program(&["portal", "data", "--rebuild"]).exits(0);
    let anew = data(&workspace);
    assert_eq!(anew["waived"], held["waived"]);
    let freezes = anew["freezes"].as_array().unwrap().len();
    assert!((104..=105).contains(&freezes), "{freezes}");
}

#[test]
fn applies_blocked_attempts_and_undos_are_told() {
    let workspace = kept();
    workspace.integrity("80");
    run(&workspace);
    workspace.program(&["respond"]).exits(0);
    workspace.program(&["respond", "--apply"]).exits(3);
    let held = data(&workspace);
    assert_eq!(held["responses"][0]["kind"], "blocked");
    assert!(
        held["responses"][0]["gates"]
            .as_array()
            .unwrap()
            .contains(&json!("safety_brake_off"))
    );
    assert_eq!(held["preview"]["kind"], "preview");
    assert_eq!(held["preview"]["level"], "RED");
    workspace.write(
        "forensics/safety_brake_state.json",
        r#"{"is_engaged": false, "response_count_24h": 0}"#,
    );
    workspace.write("config/token", "old");
    let rotate = json!({"name": "rotate", "level": "RED", "argv": ["/bin/sh", "-c", "echo new > config/token"], "changes": ["config/token"], "reversible": true});
    let document = json!({"schema": 1, "builtin": false, "actions": [rotate]});
    workspace.write("policy/responses.json", document.to_string());
    let applied = workspace.program(&["respond", "--apply"]).exits(0).json();
    let id = applied["response_id"].as_str().unwrap();
    assert_eq!(data(&workspace)["responses"][0]["kind"], "apply");
    workspace.program(&["undo", "run", id]).exits(0);
    let kinds: Vec<Value> = data(&workspace)["responses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["kind"].clone())
        .collect();
    assert_eq!(kinds, ["undo", "apply", "blocked"]);
    // A run keeps what it knows of responses.
    run(&workspace);
    assert_eq!(data(&workspace)["responses"].as_array().unwrap().len(), 3);
}

#[test]
fn init_makes_the_data_and_where_asked_the_page_and_its_workflow() {
    let workspace = Workspace::empty();
    let done = workspace.program(&["init"]).exits(0).json();
    assert!(done["written"].as_array().unwrap().contains(&json!(DATA)));
    assert!(!workspace.file("portal").exists());
    let done = workspace.program(&["init", "--pages"]).exits(0).json();
    assert!(done["kept"].as_array().unwrap().contains(&json!(DATA)));
    for page in PAGES {
        let name = format!("portal/{page}");
        assert_eq!(workspace.read(&name), project(&name));
    }
    let workflow = workspace.read(".github/workflows/policy_portal.yml");
    assert!(workflow.contains("name: Policy Portal"));
    // The workflow publishes what the page needs, by name.
    let files = [
        "portal/index.html",
        "portal/portal.css",
        "portal/portal.js",
        "portal/icon.svg",
        "state/policy_state.json",
        DATA,
    ];
    for file in files {
        assert!(workflow.contains(file), "{file}");
    }
}

#[test]
fn an_export_writes_the_page_and_overwrites_nothing_unasked() {
    let workspace = Workspace::empty();
    let export = ["portal", "--export", "public/portal"];
    let done = workspace.program(&export).exits(0).json();
    assert_eq!(done["written"].as_array().unwrap().len(), 4);
    let done = workspace.program(&export).exits(0).json();
    assert_eq!(done["unchanged"].as_array().unwrap().len(), 4);
    workspace.write("public/portal/portal.css", "mine");
    let ran = workspace.program(&export).exits(1);
    assert!(ran.stderr.contains("--replace"), "{}", ran.stderr);
    assert_eq!(workspace.read("public/portal/portal.css"), "mine");
    let replace = [&export[..], &["--replace"]].concat();
    workspace.program(&replace).exits(0);
    assert_eq!(
        workspace.read("public/portal/portal.css"),
        project("portal/portal.css")
    );
}

/// The server, ended when it is dropped.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(workspace: &Workspace) -> Self {
        let mut process = workspace
            .command(&[
                "portal",
                "--serve",
                "--listen",
                "127.0.0.1:0",
                "--format",
                "json",
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let told: Value = serde_json::from_str(&line).unwrap();
        let address = told["address"].as_str().unwrap().to_owned();
        Self { process, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        let limit = Some(Duration::from_secs(30));
        stream.set_read_timeout(limit).unwrap();
        stream
    }

    /// The whole answer to a request, as text.
    fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn get(&self, target: &str) -> String {
        self.ask(&format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn the_server_shows_the_page_and_two_files_and_nothing_else() {
    let workspace = kept();
    run(&workspace);
    let server = Server::start(&workspace);
    let body = |answer: &str| answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    let state = workspace.read("state/policy_state.json");
    for target in ["/policy", "/state/policy_state.json"] {
        let answer = server.get(target);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("Content-Type: application/json\r\n"));
        assert!(answer.contains("Cache-Control: no-store\r\n"));
        assert_eq!(body(&answer), state);
    }
    assert_eq!(
        body(&server.get("/state/portal_data.json")),
        workspace.read(DATA)
    );
    assert_eq!(body(&server.get("/portal/")), project("portal/index.html"));
    assert!(server.get("/").contains("Location: /portal/\r\n"));
    let head = server.ask("HEAD /policy HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(head.contains(&format!("Content-Length: {}\r\n", state.len())));
    assert!(head.ends_with("\r\n\r\n"));
    for target in [
        "/state/policy_state_log.jsonl",
        "/trust_lock_state.json",
        "/state/",
        "/portal/../trust_lock_state.json",
        "/%2e%2e/etc/passwd",
    ] {
        assert!(server.get(target).starts_with("HTTP/1.1 404 "), "{target}");
    }
    let post = server.ask("POST /policy HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    assert!(post.starts_with("HTTP/1.1 405 "));
    let elsewhere = server.ask("GET /policy HTTP/1.1\r\nHost: rebound.example\r\n\r\n");
    assert!(elsewhere.starts_with("HTTP/1.1 421 "));
    let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(7 * 1024));
    assert!(
        server
            .ask(&format!("{long}{long}"))
            .starts_with("HTTP/1.1 400 ")
    );
    // A link out of the workspace leads nowhere, and an absent file is absent.
    std::fs::remove_file(workspace.file("state/policy_state.json")).unwrap();
    assert!(server.get("/policy").starts_with("HTTP/1.1 404 "));
    std::os::unix::fs::symlink("/etc/passwd", workspace.file("state/policy_state.json")).unwrap();
    let linked = server.get("/policy");
    assert!(linked.starts_with("HTTP/1.1 500 "), "{linked}");
    assert!(!linked.contains("root"));
}

#[test]
fn clients_that_stall_or_vanish_hold_up_nobody() {
    let workspace = kept();
    let server = Server::start(&workspace);
    let stalled: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut stream = server.connect();
            stream.write_all(b"GET /health HTT").unwrap();
            stream
        })
        .collect();
    for _ in 0..20 {
        drop(server.connect());
    }
    assert!(server.get("/health").starts_with("HTTP/1.1 200 "));
    drop(stalled);
}

#[test]
fn health_is_served_by_component_without_what_was_found() {
    let workspace = kept();
    run(&workspace);
    let server = Server::start(&workspace);
    let health = server.get("/health");
    let ok = "{\"status\":\"ok\",\"components\":{\"cosign\":{\"status\":\"absent\"},\"db\":{\"status\":\"ok\"},\"storage\":{\"status\":\"ok\"},\"vault\":{\"status\":\"absent\"}}}\n";
    assert!(health.starts_with("HTTP/1.1 200 "), "{health}");
    assert!(health.ends_with(ok), "{health}");
    let journal = workspace.read(JOURNAL).replace("97.5", "99.5");
    workspace.write(JOURNAL, journal);
    drop(server);
    let server = Server::start(&workspace);
    let health = server.get("/health");
    assert!(health.starts_with("HTTP/1.1 503 "), "{health}");
    assert!(
        health.contains("\"status\":\"degraded\"")
            && health.contains("\"db\":{\"status\":\"failed\"}"),
        "{health}"
    );
    let head = server.ask("HEAD /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    assert!(
        head.starts_with("HTTP/1.1 503 ") && !head.contains("degraded"),
        "{head}"
    );
}

#[test]
fn the_server_ends_with_a_signal() {
    for signal in ["INT", "TERM"] {
        let workspace = kept();
        let mut server = Server::start(&workspace);
        assert!(server.get("/health").contains("ok"));
        let id = server.process.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(sent.unwrap().success());
        assert_eq!(server.process.wait().unwrap().code(), Some(0), "{signal}");
    }
}

#[test]
fn only_this_machine_is_listened_to_unless_somebody_says_otherwise() {
    let workspace = kept();
    let ran = workspace
        .program(&["portal", "--serve", "--listen", "0.0.0.0:0"])
        .exits(2);
    assert!(ran.stderr.contains("--allow-remote"), "{}", ran.stderr);
    let server = Server::start(&workspace);
    let taken = ["portal", "--serve", "--listen", &server.address];
    let ran = workspace.program(&taken).exits(1);
    assert!(ran.stderr.contains("LISTEN_FAILED"), "{}", ran.stderr);
    workspace.program(&["portal"]).exits(2);
    workspace
        .program(&["portal", "--listen", "127.0.0.1:0"])
        .exits(2);
}
