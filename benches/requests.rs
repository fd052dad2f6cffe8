//! Decisions on requests by 100 rules of security policies, beside the same rules in the crate `cel`.
//!
//! `cargo bench --bench requests` prints the percentiles of single decisions first, then throughput.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a benchmark that fails should stop, and says what it measured"
)]

use std::hint::black_box;
use std::time::Instant;

use divan::Bencher;
use divan::counter::ItemsCount;
use policy_orchestrator::policy::Level;
use policy_orchestrator::request::envelope::Circumstances;
use policy_orchestrator::request::{Envelope, Request};
use policy_orchestrator::security::{Compiled, compile};
use policy_orchestrator::time::Timestamp;

/// Documents and the rules of each.
const DOCUMENTS: usize = 10;
const RULES: usize = 10;

fn main() {
    percentiles();
    divan::main();
}

/// The condition of a rule; the first one of all allows, the others are looked at and don't speak.
fn condition(document: usize, rule: usize) -> String {
    match rule {
        0 => "agent.user_id == data.owner_user_id".to_owned(),
        1 => format!("data.classification == 'secret{document}'"),
        2 => format!("agent.level < {rule} && data.kind in ['a{document}', 'b']"),
        3 => format!("'banned{document}' in agent.permissions"),
        4 => format!("data.path.startsWith('/private/{document}')"),
        _ => format!("agent.type == 'kind{document}_{rule}' || data.kind == 'k{rule}'"),
    }
}

fn policies() -> Compiled {
    let documents: Vec<(String, String)> = (0..DOCUMENTS)
        .map(|document| {
            let mut rules = String::new();
            for rule in 0..RULES {
                let effect = if rule == 0 { "allow" } else { "deny" };
                let condition = condition(document, rule);
                rules.push_str(&format!(
                    "    - {{name: r{rule}, condition: \"{condition}\", effect: {effect}}}\n"
                ));
            }
            let text = format!(
                "apiVersion: policy.orchestra.v1\nkind: SecurityPolicy\nmetadata: {{name: p{document}}}\nspec:\n  scope: [{{resource: agents}}, {{resource: data, selector: {{classification: [internal, confidential]}}}}]\n  rules:\n{rules}  enforcement: {{mode: strict}}\n"
            );
            (format!("{document}.yaml"), text)
        })
        .collect();
    let documents: Vec<(&str, &[u8])> = documents
        .iter()
        .map(|(file, text)| (file.as_str(), text.as_bytes()))
        .collect();
    compile(&documents).unwrap()
}

const ASKED: &str = r#"{"id":"r1","agent":{"type":"user_created","user_id":"u1","level":3,"permissions":["read","list"]},"data":{"owner_user_id":"u1","classification":"internal","kind":"table","path":"/home/u1/x"}}"#;

fn around() -> Circumstances {
    Circumstances::undisturbed(Timestamp::EPOCH, Some(Level::GREEN))
}

fn decide(policies: &Compiled, request: &Request, around: &Circumstances) -> Envelope {
    let verdict = policies.judge(request, around).unwrap();
    Envelope::new(request.id(), verdict, None, around)
}

fn percentiles() {
    let (policies, around) = (policies(), around());
    let request = Request::parse(ASKED.as_bytes()).unwrap();
    assert!(decide(&policies, &request, &around).is_allowed());
    let mut nanos: Vec<u128> = (0..200_000)
        .map(|_| {
            let begin = Instant::now();
            black_box(decide(&policies, black_box(&request), &around));
            begin.elapsed().as_nanos()
        })
        .collect();
    nanos.sort_unstable();
    let at = |per_mille: usize| nanos[(nanos.len() - 1) * per_mille / 1000];
    eprintln!(
        "a decision by {} rules: p50 {} ns, p99 {} ns, p99.9 {} ns",
        DOCUMENTS * RULES,
        at(500),
        at(990),
        at(999)
    );
}

/// `judge` and the envelope.
#[divan::bench]
fn compiled_policies(bencher: Bencher) {
    let (policies, around) = (policies(), around());
    let request = Request::parse(ASKED.as_bytes()).unwrap();
    bencher
        .counter(ItemsCount::new(1_usize))
        .bench_local(|| decide(&policies, black_box(&request), &around));
}

/// The same with the request read first.
#[divan::bench]
fn compiled_policies_and_parsing(bencher: Bencher) {
    let (policies, around) = (policies(), around());
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        let request = Request::parse(black_box(ASKED.as_bytes())).unwrap();
        decide(&policies, &request, &around)
    });
}

/// The same conditions as compiled programs of the crate `cel`, the request in its form already.
#[divan::bench]
fn crate_cel(bencher: Bencher) {
    let conditions = (0..DOCUMENTS).flat_map(|document| {
        (0..RULES).map(move |rule| cel::Program::compile(&condition(document, rule)).unwrap())
    });
    let programs: Vec<cel::Program> = conditions.collect();
    let map = |members: &[(&str, cel::Value)]| -> cel::Value {
        let members: std::collections::HashMap<String, cel::Value> = members
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect();
        members.into()
    };
    let text = |text: &str| -> cel::Value { text.to_owned().into() };
    let permissions = vec![text("read"), text("list")];
    let mut context = cel::Context::default();
    context.add_variable_from_value(
        "agent",
        map(&[
            ("type", text("user_created")),
            ("user_id", text("u1")),
            ("level", 3_i64.into()),
            (
                "permissions",
                cel::Value::List(std::sync::Arc::new(permissions)),
            ),
        ]),
    );
    context.add_variable_from_value(
        "data",
        map(&[
            ("owner_user_id", text("u1")),
            ("classification", text("internal")),
            ("kind", text("table")),
            ("path", text("/home/u1/x")),
        ]),
    );
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        let holds = |program: &&cel::Program| {
            matches!(program.execute(&context), Ok(cel::Value::Bool(true)))
        };
        programs.iter().filter(holds).count()
    });
}
