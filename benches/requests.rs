//! Decisions on requests by 100 rules of security policies, beside the same rules in the crate `cel`; by
//! ten times as many; by rules that have nothing in common, and by rules that all speak.
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

/// The same for a set that no lookup helps with: each rule compares an attribute with another one, or
/// with a number of its own.
fn compared(document: usize, rule: usize) -> String {
    match rule {
        0 => "agent.user_id == data.owner_user_id".to_owned(),
        1..5 => format!("agent.level > {}", document * RULES + rule + 3),
        _ => format!("data.level_{rule} > {document} && agent.level > data.level_{rule}"),
    }
}

/// One that denies each request that lacks what no other rule asks for.
fn lacking(document: usize, rule: usize) -> String {
    match rule {
        0 => "agent.user_id == data.owner_user_id".to_owned(),
        _ => format!("data.attribute_{document}_{rule} == 'x'"),
    }
}

/// One document for an action each, most of them about another one than is asked for.
fn by_action(document: usize, rule: usize) -> String {
    match rule {
        0 => "agent.user_id == data.owner_user_id".to_owned(),
        1..4 => format!("action.name == 'act{document}' && data.level > {rule}"),
        4..7 => format!("action.name == 'act{document}' && data.kind != 'table'"),
        _ => format!(
            "data.kind == 'table' && action.name in ['act{document}', 'more{rule}'] && !agent.verified"
        ),
    }
}

fn policies(documents: usize, condition: fn(usize, usize) -> String) -> Compiled {
    let documents: Vec<(String, String)> = (0..documents)
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

/// With more that is asked about.
const MORE: &str = r#"{"agent":{"user_id":"u1","level":3,"verified":true},"action":{"name":"act7"},"data":{"owner_user_id":"u1","classification":"internal","kind":"table","level":1,"level_5":5,"level_6":6,"level_7":7,"level_8":8,"level_9":9}}"#;

fn around() -> Circumstances {
    Circumstances::undisturbed(Timestamp::EPOCH, Some(Level::GREEN))
}

fn decide(policies: &Compiled, request: &Request, around: &Circumstances) -> Envelope {
    let verdict = policies.judge(request, around).unwrap();
    Envelope::new(request.id(), verdict, None, around)
}

fn percentiles() {
    for documents in [DOCUMENTS, 10 * DOCUMENTS] {
        let (policies, around) = (policies(documents, condition), around());
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
            documents * RULES,
            at(500),
            at(990),
            at(999)
        );
    }
}

/// `judge` and the envelope.
#[divan::bench]
fn compiled_policies(bencher: Bencher) {
    let (policies, around) = (policies(DOCUMENTS, condition), around());
    let request = Request::parse(ASKED.as_bytes()).unwrap();
    bencher
        .counter(ItemsCount::new(1_usize))
        .bench_local(|| decide(&policies, black_box(&request), &around));
}

/// The same with the request read first.
#[divan::bench]
fn compiled_policies_and_parsing(bencher: Bencher) {
    let (policies, around) = (policies(DOCUMENTS, condition), around());
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        let request = Request::parse(black_box(ASKED.as_bytes())).unwrap();
        decide(&policies, &request, &around)
    });
}

fn bench_asked(bencher: Bencher, policies: &Compiled, asked: &str, allowed: bool) {
    let around = around();
    let request = Request::parse(asked.as_bytes()).unwrap();
    assert_eq!(decide(policies, &request, &around).is_allowed(), allowed);
    bencher
        .counter(ItemsCount::new(1_usize))
        .bench_local(|| decide(policies, black_box(&request), &around));
}

/// As `compiled_policies`, with 1,000 rules.
#[divan::bench]
fn compiled_thousand_rules(bencher: Bencher) {
    let policies = policies(10 * DOCUMENTS, condition);
    bench_asked(bencher, &policies, ASKED, true);
}

/// 1,000 rules about 100 actions, of which one is asked for.
#[divan::bench]
fn compiled_hundred_actions(bencher: Bencher) {
    let policies = policies(10 * DOCUMENTS, by_action);
    bench_asked(bencher, &policies, MORE, true);
}

/// 100 rules without a text to look up.
#[divan::bench]
fn compiled_comparisons(bencher: Bencher) {
    let policies = policies(DOCUMENTS, compared);
    bench_asked(bencher, &policies, MORE, true);
}

/// 100 rules of which 90 deny, since each lacks an attribute.
#[divan::bench]
fn compiled_all_deny(bencher: Bencher) {
    let policies = policies(DOCUMENTS, lacking);
    bench_asked(bencher, &policies, ASKED, false);
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
