//! How long a decision takes by the largest policy that there can be, of 200 triggers (S1-095 asks for a
//! bundle of 1,000 rules, which no document may hold), as a ratio within one run.
//!
//! Beside it, in turn and on the same readings, the reference policy with its ten triggers decides:
//! twenty times as many triggers should cost no more than about twenty times as long. Prints p50, p99
//! and the longest of each, and the ratio of the medians; fails nothing, since how fast a machine is says
//! nothing about the program. `cargo bench --bench latency`
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark that fails should stop, and says what it found"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use policy_orchestrator::decision::{JournalHealth, LockHealth, Situation, evaluate};
use policy_orchestrator::policy::{Policy, document, readings};
use policy_orchestrator::signals::{DEFAULT_LIMIT, ReadContext, Readings};
use policy_orchestrator::time::Timestamp;

const ROUNDS: usize = 2_000;
const TRIGGERS: usize = 200;

fn at() -> Timestamp {
    Timestamp::read("2026-11-20T04:45:00Z").unwrap().time
}

/// A document with so many triggers on the six signals, none of which fires on the sample signals.
fn large() -> Policy {
    let mut text = String::from(
        "apiVersion: policy.orchestra.v1\nkind: OrchestrationPolicy\nmetadata: {name: large, version: \"1\"}\nspec:\n  signals: [{name: trust}, {name: integrity}, {name: consensus}, {name: reputation}, {name: forecast}, {name: responses}]\n  triggers:\n",
    );
    for number in 0..TRIGGERS {
        let signal = ["integrity", "consensus", "reputation"][number % 3];
        let line = 1 + number % 70;
        text.push_str(&format!(
            "    - {{code: T_{number}, signal: {signal}, level: YELLOW, below: {line}}}\n"
        ));
    }
    document::parse("policy/policy.yaml", text.as_bytes()).unwrap()
}

fn decide(policy: &Policy, readings: &Readings) -> Duration {
    let begin = Instant::now();
    black_box(evaluate(Situation {
        policy: black_box(policy),
        readings: black_box(readings),
        before: None,
        history: &[],
        at: at(),
        journal: JournalHealth::Whole,
        lock: LockHealth::Whole,
    }));
    begin.elapsed()
}

fn tell(name: &str, times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    let rank = |percent: usize| times[(times.len() * percent).div_ceil(100) - 1];
    println!(
        "{name:<22} p50 {:>9.3?}  p99 {:>9.3?}  longest {:>9.3?}  ({} decisions)",
        rank(50),
        rank(99),
        rank(100),
        times.len()
    );
    rank(50)
}

fn main() {
    let project = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = policy_orchestrator::fs::Workspace::open(project).unwrap();
    let context = ReadContext {
        workspace: &workspace,
        at: at(),
        limit: DEFAULT_LIMIT,
    };
    let (large, reference) = (large(), document::reference());
    let readings = readings::load(context, &reference);
    let (mut of_large, mut of_reference) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        of_reference.push(decide(&reference, &readings));
        of_large.push(decide(&large, &readings));
    }
    let ten = tell("10 triggers", &mut of_reference);
    let most = tell("200 triggers", &mut of_large);
    let ratio = most.as_secs_f64() / ten.as_secs_f64();
    println!("200 triggers cost {ratio:.1} times what 10 do (20 would be linear)");
}
