//! Traces: what was done and how long each part took (S0-048), as lines of JSON and, with the feature
//! `otlp`, sent to a collector.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

#[cfg(feature = "otlp")]
use crate::workspace::Ran;
use crate::workspace::{JOURNAL, SIGNALS, Workspace};

fn spans(workspace: &Workspace) -> Vec<Value> {
    let text = workspace.read("trace.jsonl");
    assert!(text.ends_with('\n'));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The path of `--trace-json` in a workspace.
fn place(workspace: &Workspace) -> String {
    workspace.file("trace.jsonl").display().to_string()
}

/// One trace, one root, whose parts lie within what they are parts of.
fn is_one_tree(spans: &[Value], root: &str) {
    let ids: BTreeMap<&str, &Value> = spans
        .iter()
        .map(|span| (span["span_id"].as_str().unwrap(), span))
        .collect();
    assert_eq!(ids.len(), spans.len());
    let traces: BTreeSet<&str> = spans
        .iter()
        .map(|span| span["trace_id"].as_str().unwrap())
        .collect();
    assert_eq!(traces.len(), 1);
    let is_hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    assert!(is_hex(traces.first().unwrap(), 32), "{traces:?}");
    let mut roots = Vec::new();
    for span in spans {
        assert!(is_hex(span["span_id"].as_str().unwrap(), 16), "{span}");
        match span["parent"].as_str() {
            None => roots.push(span["name"].as_str().unwrap()),
            Some(parent) => {
                let parent = ids[parent];
                assert!(span["start"].as_str() >= parent["start"].as_str(), "{span}");
                assert!(span["duration_us"].as_u64() <= parent["duration_us"].as_u64());
            }
        }
    }
    assert_eq!(roots, [root]);
}

fn named<'s>(spans: &'s [Value], name: &str) -> Vec<&'s Value> {
    spans.iter().filter(|span| span["name"] == name).collect()
}

#[test]
fn a_run_leaves_a_span_for_each_signal_the_decision_and_the_record() {
    let workspace = Workspace::healthy();
    workspace.integrity("80");
    let path = place(&workspace);
    let run = ["run", "--trace-json", &path, "--log-format", "json"];
    let ran = workspace.program(&run).exits(0);
    let spans = spans(&workspace);
    is_one_tree(&spans, "run");
    let signals: Vec<&str> = named(&spans, "read")
        .iter()
        .map(|span| span["attributes"]["signal"].as_str().unwrap())
        .collect();
    assert_eq!(signals, SIGNALS);
    for span in named(&spans, "read") {
        assert_eq!(span["attributes"]["outcome"], "valid");
    }
    assert_eq!(
        named(&spans, "decide")[0]["attributes"],
        json!({"level": "RED"})
    );
    assert_eq!(
        named(&spans, "record")[0]["attributes"],
        json!({"outcome": "done"})
    );
    let root = json!({"level": "RED", "number": 1, "outcome": "done"});
    assert_eq!(named(&spans, "run")[0]["attributes"], root);
    // The log of the same run carries the same id.
    let log = ran
        .stderr
        .lines()
        .find(|line| line.starts_with('{'))
        .unwrap();
    let log: Value = serde_json::from_str(log).unwrap();
    let run_id = log["run_id"].as_str().unwrap().replace('-', "");
    assert_eq!(spans[0]["trace_id"], run_id);
    // And so does what it recorded.
    assert_eq!(workspace.state()["run_id"], log["run_id"]);
    let line: Value = serde_json::from_str(workspace.read(JOURNAL).trim_end()).unwrap();
    assert_eq!(line["run_id"], log["run_id"]);
    let listed = workspace.program(&["audit", "list"]).exits(0).json();
    assert_eq!(listed["details"]["run_id"], log["run_id"]);
    workspace.program(&["audit", "verify"]).exits(0);
    // Where a signal can't be read, its span says so, and the command's that it failed.
    workspace.forecast("bogus");
    let again = ["run", "--trace-json", &path, "--retry-delays", "0"];
    workspace.program(&again).exits(1);
    let spans = self::spans(&workspace);
    is_one_tree(&spans, "run");
    assert_eq!(named(&spans, "run")[0]["attributes"]["outcome"], "failed");
    let invalid = named(&spans, "read")
        .into_iter()
        .filter(|span| span["attributes"]["outcome"] == "invalid");
    assert_eq!(invalid.count(), 2, "it is read once more");
}

#[test]
fn a_response_leaves_a_span_for_its_gates_and_each_action() {
    let workspace = Workspace::healthy();
    workspace.integrity("80");
    workspace.program(&["run"]).exits(0);
    let path = place(&workspace);
    let apply = ["respond", "--apply", "--trace-json", &path];
    workspace
        .program(&["respond", "--trace-json", &path])
        .exits(0);
    let dry = spans(&workspace);
    is_one_tree(&dry, "respond");
    assert_eq!(named(&dry, "look_at_gates").len(), 1);
    let attributes = json!({"applies": false, "outcome": "done"});
    assert_eq!(named(&dry, "respond")[0]["attributes"], attributes);
    workspace.program(&apply).exits(3);
    let blocked = spans(&workspace);
    assert_eq!(
        named(&blocked, "respond")[0]["attributes"]["outcome"],
        "blocked"
    );
    workspace.write(
        "forensics/safety_brake_state.json",
        r#"{"is_engaged": false, "response_count_24h": 0}"#,
    );
    let action = |name: &str, says: &str| json!({"name": name, "level": "RED", "argv": ["/bin/sh", "-c", says]});
    let actions = [action("first", "true"), action("second", "exit 3")];
    let document = json!({"schema": 1, "builtin": false, "actions": actions});
    workspace.write("policy/responses.json", document.to_string());
    workspace.program(&["respond"]).exits(0);
    workspace.program(&apply).exits(1);
    let applied = spans(&workspace);
    is_one_tree(&applied, "respond");
    let told: Vec<&Value> = named(&applied, "action")
        .iter()
        .map(|span| &span["attributes"])
        .collect();
    let first = json!({"action": "first", "outcome": "done"});
    let second = json!({"action": "second", "outcome": "failed"});
    assert_eq!(told, [&first, &second]);
    assert_eq!(
        named(&applied, "respond")[0]["attributes"]["outcome"],
        "failed"
    );
}

#[test]
fn a_place_that_takes_no_trace_is_refused_before_anything_is_decided() {
    let workspace = Workspace::healthy();
    for place in ["state/trace.jsonl", "policy/x"] {
        let path = workspace.file(place).display().to_string();
        let ran = workspace.program(&["run", "--trace-json", &path]).exits(1);
        assert!(ran.stderr.contains("REPORT_REFUSED"), "{}", ran.stderr);
    }
    assert!(!workspace.file("state/policy_state.json").exists());
}

/// A collector: what it was sent, each as headers and body.
#[cfg(feature = "otlp")]
mod collector {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::mpsc;

    use serde_json::Value;

    pub(super) struct Collector {
        pub(super) address: String,
        requests: mpsc::Receiver<(String, Value)>,
    }

    impl Collector {
        /// Answers each request with `status`.
        pub(super) fn answering(status: &'static str) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = format!("http://{}", listener.local_addr().unwrap());
            let (sender, requests) = mpsc::channel();
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    let mut stream = stream.unwrap();
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    let (mut head, mut length) = (String::new(), 0);
                    loop {
                        let mut line = String::new();
                        reader.read_line(&mut line).unwrap();
                        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                            length = value.trim().parse().unwrap();
                        }
                        if line.trim().is_empty() {
                            break;
                        }
                        head.push_str(&line);
                    }
                    let mut body = vec![0; length];
                    reader.read_exact(&mut body).unwrap();
                    let answer = format!(
                        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
                    );
                    stream.write_all(answer.as_bytes()).unwrap();
                    let body = serde_json::from_slice(&body).unwrap();
                    sender.send((head, body)).unwrap();
                }
            });
            Self { address, requests }
        }

        /// What was sent so far: whoever sends waits for the answer.
        pub(super) fn received(&self) -> Vec<(String, Value)> {
            std::thread::sleep(std::time::Duration::from_millis(50));
            self.requests.try_iter().collect()
        }
    }
}

#[cfg(feature = "otlp")]
fn with(workspace: &Workspace, variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let mut command = workspace.command(arguments);
    command.envs(variables.iter().copied());
    Ran::from(command.output().unwrap())
}

#[cfg(feature = "otlp")]
#[test]
fn a_collector_gets_the_very_spans() {
    let collector = collector::Collector::answering("200 OK");
    let workspace = Workspace::healthy();
    workspace.forecast("bogus");
    let path = place(&workspace);
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=me%20too"),
        ("OTEL_SERVICE_NAME", "gate"),
    ];
    let run = ["run", "--retry-delays", "0", "--trace-json", &path];
    with(&workspace, &variables, &run).exits(1);
    let [(head, body)] = <[_; 1]>::try_from(collector.received()).unwrap();
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
    let lower = head.to_lowercase();
    assert!(
        lower.contains("content-type: application/json\r\n"),
        "{head}"
    );
    assert!(lower.contains("x-tenant: me too\r\n"), "{head}");
    let of_resource = &body["resourceSpans"][0];
    let service = json!({"key": "service.name", "value": {"stringValue": "gate"}});
    assert_eq!(of_resource["resource"]["attributes"][0], service);
    let sent = of_resource["scopeSpans"][0]["spans"].as_array().unwrap();
    let written = spans(&workspace);
    assert_eq!(sent.len(), written.len());
    for (sent, written) in sent.iter().zip(&written) {
        for (ours, theirs) in [
            ("trace_id", "traceId"),
            ("span_id", "spanId"),
            ("name", "name"),
        ] {
            assert_eq!(sent[theirs], written[ours]);
        }
        assert_eq!(
            sent.get("parentSpanId"),
            written.get("parent").filter(|parent| !parent.is_null())
        );
        assert_eq!(sent["kind"], 1);
        let nanos = |key: &str| sent[key].as_str().unwrap().parse::<u64>().unwrap();
        let (start, end) = (nanos("startTimeUnixNano"), nanos("endTimeUnixNano"));
        assert_eq!(
            (end - start) / 1000,
            written["duration_us"].as_u64().unwrap()
        );
        let at = chrono::DateTime::parse_from_rfc3339(written["start"].as_str().unwrap());
        assert_eq!(
            at.unwrap().timestamp_micros(),
            i64::try_from(start / 1000).unwrap()
        );
        let attributes: BTreeMap<String, Value> = sent["attributes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                let key = one["key"].as_str().unwrap();
                let key = key.strip_prefix("policy_orchestrator.").unwrap();
                (
                    key.to_owned(),
                    one["value"]
                        .as_object()
                        .unwrap()
                        .values()
                        .next()
                        .unwrap()
                        .clone(),
                )
            })
            .collect();
        let expected = written["attributes"].as_object().unwrap().iter();
        let expected: BTreeMap<String, Value> = expected
            .map(|(key, value)| {
                let value = value
                    .as_i64()
                    .map_or(value.clone(), |number| json!(number.to_string()));
                (key.clone(), value)
            })
            .collect();
        assert_eq!(attributes, expected);
        let failed = written["attributes"]["outcome"] == "failed";
        assert_eq!(
            sent["status"]["code"],
            if failed { json!(2) } else { Value::Null }
        );
    }
}

#[cfg(feature = "otlp")]
#[test]
fn an_export_that_fails_is_a_warning_and_shows_no_secret() {
    let refusing = collector::Collector::answering("503 Service Unavailable");
    // One that takes the connection and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}/canary-path", silent.local_addr().unwrap());
    let never = "http://127.0.0.1:1/canary-path";
    for (endpoint, words) in [
        (refusing.address.as_str(), "the answer 503"),
        (silent.as_str(), "no answer within 0.3 s"),
        (never, "refused"),
        ("canary:no address", "no usable address"),
    ] {
        let workspace = Workspace::healthy();
        let variables = [
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=canary-token"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "300"),
        ];
        let ran = with(&workspace, &variables, &["run"]).exits(0);
        assert_eq!(ran.json()["policy"], "GREEN");
        let told = "the trace was not exported: ";
        assert!(ran.stderr.contains(told), "{endpoint}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
        assert!(!ran.stderr.contains("canary"), "{}", ran.stderr);
    }
    let grpc = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", never),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
    ];
    let ran = with(&Workspace::healthy(), &grpc, &["run"]).exits(0);
    assert!(ran.stderr.contains("http/json"), "{}", ran.stderr);
}

#[cfg(feature = "otlp")]
#[test]
fn nothing_is_sent_where_the_sdk_is_disabled_or_another_command_runs() {
    let collector = collector::Collector::answering("200 OK");
    let workspace = Workspace::healthy();
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address.as_str());
    let disabled = [endpoint, ("OTEL_SDK_DISABLED", "true")];
    with(&workspace, &disabled, &["run"]).exits(0);
    with(&workspace, &[endpoint], &["status"]).exits(0);
    assert_eq!(collector.received(), []);
    with(&workspace, &[endpoint], &["respond"]).exits(0);
    assert_eq!(collector.received().len(), 1);
}
