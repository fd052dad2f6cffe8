//! Requests decided by policies in Rego, one after the other on one thread: the rules for agents of
//! examples/requests, and its bundle for labels.
//!
//! `cargo bench --features rego --bench rego` prints for each how many requests are decided in a second of
//! the processor (what other programs take of it is not ours) and the percentiles of single ones by the
//! clock, with the request given and with its text read first. With `--inputs
//! DIR` it writes what the rules see, a request a line, and with `--json` the numbers as JSON: so
//! `scripts/bench-rego` asks another evaluator the same. Fails nothing but wrong answers, since how fast
//! a machine is says nothing about the program.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark that fails should stop, and says what it found"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use policy_orchestrator::authorization::vocabulary;
use policy_orchestrator::fs::Workspace;
use policy_orchestrator::labels::{Labels, example};
use policy_orchestrator::policy::Level;
use policy_orchestrator::rego::{self, Compiled, Entry, Settings, Vocabulary};
use policy_orchestrator::request::envelope::Circumstances;
use policy_orchestrator::request::{Envelope, Request};
use policy_orchestrator::time::Timestamp;
use serde_json::{Value, json};

/// How long one thing is measured.
const TIME: Duration = Duration::from_secs(2);

const AT: &str = "2026-01-15T12:00:00Z";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let benches = [agents(), labels()];
    let inputs = arguments.iter().position(|word| word == "--inputs");
    if let Some(directory) = inputs.and_then(|at| arguments.get(at + 1)) {
        for bench in &benches {
            bench.write(Path::new(directory));
        }
    }
    let is_json = arguments.iter().any(|word| word == "--json");
    let mut all = serde_json::Map::new();
    for bench in &benches {
        let measured = bench.measure();
        if !is_json {
            tell(bench.name, &measured);
        }
        all.insert(bench.name.to_owned(), measured);
    }
    if is_json {
        println!("{}", Value::Object(all));
    }
}

fn tell(name: &str, measured: &Value) {
    for way in ["decided", "read and decided"] {
        let numbers = &measured[way];
        println!(
            "{name:<10} {way:<17} {:>8}/s ({}/s by the clock), p50 {} ns, p99 {} ns, p99.9 {} ns, longest {} ns",
            numbers["a_second"],
            numbers["a_second_by_the_clock"],
            numbers["p50_ns"],
            numbers["p99_ns"],
            numbers["p999_ns"],
            numbers["longest_ns"],
        );
    }
    println!(
        "{name:<10} {} requests, {} of them allowed, by the {}",
        measured["requests"], measured["allowed"], measured["evaluator"]
    );
}

/// Policies and the requests that they are asked about.
struct Bench {
    name: &'static str,
    policies: Compiled,
    requests: Vec<(Vec<u8>, Request, Circumstances)>,
}

impl Bench {
    fn measure(&self) -> Value {
        let allowed = self.requests.iter().filter(|(_, request, around)| {
            let envelope = self.decide(request, around);
            envelope.is_allowed()
        });
        let machine = if self.policies.is_fast() {
            "virtual machine"
        } else {
            "interpreter"
        };
        json!({
            "requests": self.requests.len(),
            "allowed": allowed.count(),
            "evaluator": machine,
            "decided": measure(&self.requests, |(_, request, around)| {
                black_box(self.decide(black_box(request), around));
            }),
            "read and decided": measure(&self.requests, |(text, _, around)| {
                let request = Request::parse(black_box(text)).unwrap();
                black_box(self.decide(&request, around));
            }),
        })
    }

    fn decide(&self, request: &Request, around: &Circumstances) -> Envelope {
        let verdict = self.policies.judge(request, around).unwrap();
        Envelope::new(request.id(), verdict, None, around)
    }

    /// What the rules see of each request, with the answer.
    fn write(&self, directory: &Path) {
        let mut text = String::new();
        for (_, request, around) in &self.requests {
            let mut input = Value::Object(request.members().clone());
            let context = &mut input["context"];
            context["evaluated_at"] = json!(around.at.to_string());
            context["evaluated_at_ns"] = json!(around.at.unix_micros() * 1000);
            context["level"] = json!(around.level.as_ref().map(Level::name));
            let envelope = self.decide(request, around);
            text += &format!(
                "{}\n",
                json!({"input": input, "allowed": envelope.is_allowed()})
            );
        }
        std::fs::write(directory.join(format!("{}.jsonl", self.name)), text).unwrap();
    }
}

/// Asks each in turn until the time is up; whole rounds only, the first of them to warm up.
fn measure<T>(all: &[T], mut ask: impl FnMut(&T)) -> Value {
    all.iter().for_each(&mut ask);
    let mut nanos: Vec<u64> = Vec::new();
    let (begin, used) = (Instant::now(), processor());
    while begin.elapsed() < TIME {
        for one in all {
            let begin = Instant::now();
            ask(one);
            nanos.push(u64::try_from(begin.elapsed().as_nanos()).unwrap());
        }
    }
    let took = begin.elapsed().as_nanos();
    let used = match (used, processor()) {
        (Some(before), Some(after)) => after - before,
        _ => took,
    };
    nanos.sort_unstable();
    let at = |per_mille: usize| nanos[(nanos.len() - 1) * per_mille / 1000];
    let count = nanos.len() as u128 * 1_000_000_000;
    json!({
        "a_second": count / used,
        "a_second_by_the_clock": count / took,
        "p50_ns": at(500),
        "p99_ns": at(990),
        "p999_ns": at(999),
        "longest_ns": at(1000),
    })
}

/// How long this thread had the processor, in nanoseconds, where the machine says it.
fn processor() -> Option<u128> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok()
}

/// The directory of the examples.
fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/requests")
}

/// The modules and data below a directory of the examples, as a workspace has them.
fn documents(below: &str) -> Vec<(String, Vec<u8>)> {
    rego::documents(&Workspace::open(&examples()).unwrap(), below).unwrap()
}

fn settings(rule: &str) -> Settings {
    Settings {
        entries: vec![Entry::new(rule)],
        ..Settings::default()
    }
}

fn around(at: &str, level: Level) -> Circumstances {
    Circumstances::undisturbed(Timestamp::read(at).unwrap().time, Some(level))
}

fn parsed(document: &Value, around: Circumstances) -> (Vec<u8>, Request, Circumstances) {
    let text = document.to_string().into_bytes();
    let request = Request::parse(&text).unwrap();
    (text, request, around)
}

/// Requests of agents: every combination that the rules tell apart.
fn agents() -> Bench {
    let around = around(AT, Level::GREEN);
    let now = around.at.unix_micros() * 1000;
    let mut requests = Vec::new();
    for owner in [json!("u1"), json!("u2")] {
        for kind in ["public", "internal", "confidential", "restricted", "odd"] {
            for context in [
                json!({}),
                json!({"business_justification": "audit", "approval_id": "a1", "approval_expiry": now + 1}),
                json!({"business_justification": "audit", "approval_id": "a1", "approval_expiry": now}),
                json!({"business_justification": "audit", "approval_expiry": now + 1}),
            ] {
                for may in [json!([]), json!(["confidential_data_access"])] {
                    let document = json!({
                        "agent": {"id": "a", "user_id": "u1", "permissions": may},
                        "data": {"classification": kind, "owner_user_id": owner},
                        "context": context,
                    });
                    requests.push(parsed(&document, around.clone()));
                }
            }
        }
    }
    let settings = settings("data.orchestra.agent.data_access.allow");
    let documents = documents("policy/rego/orchestra");
    Bench {
        name: "orchestra",
        policies: rego::compile(&documents, &settings, &Vocabulary::default()).unwrap(),
        requests,
    }
}

/// The fixtures of the examples, which the bundle for labels answers.
fn labels() -> Bench {
    let labels = Labels::built_in().unwrap();
    let documents = documents("policy/rego");
    let settings = settings("data.kfm.authz.decision");
    Bench {
        name: "kfm",
        policies: rego::compile(&documents, &settings, &vocabulary(&labels)).unwrap(),
        requests: fixtures(),
    }
}

fn fixtures() -> Vec<(Vec<u8>, Request, Circumstances)> {
    let files: BTreeMap<&str, &str> = example::files().collect();
    let read = |path: &str| -> Value { serde_json::from_str(files[path]).unwrap() };
    let inputs = files.keys().filter_map(|path| {
        let name = path.strip_prefix("policy/fixtures/inputs/")?;
        Some((path, name.strip_suffix(".json")?))
    });
    let fixtures = inputs.map(|(path, name)| {
        let expected = read(&format!("policy/fixtures/expected/{name}.decision.json"));
        let circumstances = &expected["circumstances"];
        let at = circumstances["at"].as_str().unwrap_or(AT);
        let level = circumstances["level"].as_str().and_then(Level::parse);
        let around = around(at, level.unwrap_or(Level::GREEN));
        parsed(&read(path), around)
    });
    fixtures.collect()
}
