//! The steps of a run, each by itself: reading, deciding, appending, verifying.
//!
//! `cargo bench` shows where time goes. Whole runs are judged by `scripts/bench-run` and
//! `scripts/bench-verify`, which measure CPU time and not the disk.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark that fails should stop, and makes its own files"
)]

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use policy_orchestrator::decision::{JournalHealth, LockHealth, Situation, evaluate};
use policy_orchestrator::evaluation::{self, Options};
use policy_orchestrator::fs::{LockTimeout, RetryDelays, Workspace};
use policy_orchestrator::policy::document;
use policy_orchestrator::policy::readings;
use policy_orchestrator::record::verify::{Against, verify};
use policy_orchestrator::record::{STATE_JOURNAL, past};
use policy_orchestrator::safeguard::kill_switch;
use policy_orchestrator::signals::{DEFAULT_LIMIT, ReadContext};
use policy_orchestrator::time::{Clock, Timestamp};

fn main() {
    divan::main();
}

/// What everything that acts asks first (S1-141: less than a millisecond).
#[divan::bench(args = ["off", "on"])]
fn kill_switch(bencher: Bencher, switch: &str) {
    let (directory, workspace) = sample();
    std::fs::create_dir_all(directory.path().join("state")).unwrap();
    if switch == "on" {
        let file = directory.path().join(kill_switch::FILE);
        std::fs::write(file, "{\"on\": true, \"reason\": \"drill\"}").unwrap();
    }
    bencher.bench_local(|| kill_switch::closed(&workspace));
}

/// A workspace with the sample signals of this repository.
fn sample() -> (tempfile::TempDir, Workspace) {
    let directory = tempfile::tempdir().unwrap();
    let project = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in [
        "trust_lock_state.json",
        "exports/integrity_metrics_registry.csv",
        "federation/weighted_consensus.json",
        "federation/reputation_index.json",
        "forensics/forensics_anomaly_forecast.json",
        "forensics/response_history.jsonl",
    ] {
        let target = directory.path().join(file);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(project.join(file), target).unwrap();
    }
    let workspace = Workspace::open(directory.path()).unwrap();
    (directory, workspace)
}

fn at() -> Timestamp {
    Timestamp::read("2026-11-20T04:45:00Z").unwrap().time
}

fn options() -> Options {
    Options {
        clock: Clock::Given(at()),
        dry_run: false,
        retry: RetryDelays::none(),
        lock_timeout: LockTimeout::silent(std::time::Duration::from_secs(5)),
        limit: DEFAULT_LIMIT,
        key: None,
        run_id: None,
    }
}

#[divan::bench]
fn read_six_signals(bencher: Bencher<'_, '_>) {
    let (_directory, workspace) = sample();
    let context = ReadContext {
        workspace: &workspace,
        at: at(),
        limit: DEFAULT_LIMIT,
    };
    let policy = document::reference();
    bencher.bench_local(|| readings::load(context, &policy));
}

/// A history of which only the end matters.
#[divan::bench(args = [100, 10_000, 100_000])]
fn read_a_history(bencher: Bencher<'_, '_>, lines: usize) {
    let (directory, workspace) = sample();
    let line = "{\"timestamp\":\"2025-01-01T00:00:00Z\",\"event_type\":\"ADAPTIVE_RESPONSE\",\"status\":\"completed\"}\n";
    let history = directory.path().join("forensics/response_history.jsonl");
    std::fs::write(history, line.repeat(lines)).unwrap();
    let context = ReadContext {
        workspace: &workspace,
        at: at(),
        limit: DEFAULT_LIMIT,
    };
    bencher.bench_local(|| policy_orchestrator::signals::responses::load(context));
}

#[divan::bench]
fn decide(bencher: Bencher<'_, '_>) {
    let (_directory, workspace) = sample();
    let policy = document::reference();
    let context = ReadContext {
        workspace: &workspace,
        at: at(),
        limit: DEFAULT_LIMIT,
    };
    let readings = readings::load(context, &policy);
    let situation = Situation {
        policy: &policy,
        readings: &readings,
        before: None,
        history: &[],
        at: at(),
        journal: JournalHealth::Whole,
        lock: LockHealth::Whole,
    };
    bencher.bench_local(|| evaluate(situation));
}

/// One whole evaluation with its durable writes: mostly the disk.
#[divan::bench(sample_count = 50)]
fn evaluate_and_append(bencher: Bencher<'_, '_>) {
    let (_directory, workspace) = sample();
    let options = options();
    bencher.bench_local(|| evaluation::run(&workspace, &options));
}

/// A journal of `lines` decisions.
fn recorded(lines: usize) -> (tempfile::TempDir, Workspace) {
    let (directory, workspace) = sample();
    for _ in 0..lines {
        evaluation::run(&workspace, &options()).ok();
    }
    (directory, workspace)
}

#[divan::bench(args = [10, 300])]
fn verify_a_journal(bencher: Bencher<'_, '_>, lines: usize) {
    let (directory, workspace) = recorded(lines);
    let bytes = std::fs::metadata(directory.path().join(STATE_JOURNAL))
        .unwrap()
        .len();
    bencher
        .counter(BytesCount::new(bytes))
        .counter(ItemsCount::new(lines))
        .bench_local(|| verify(&workspace, STATE_JOURNAL, Against::nothing(None)));
}

#[divan::bench(args = [10, 300])]
fn find_the_last_decision(bencher: Bencher<'_, '_>, lines: usize) {
    let (_directory, workspace) = recorded(lines);
    bencher.bench_local(|| past::seek(&workspace, None));
}

#[cfg(feature = "cel")]
mod expressions {
    use divan::Bencher;
    use policy_orchestrator::policy::expression::{Expression, Kind, Operand};

    /// A condition of the kind that documents have, and the names that it may use.
    const CONDITION: &str =
        "coverage < 80 && (vulnerabilities > 3 || risk in ['medium', 'high']) ? !signed : false";

    fn names() -> Vec<(String, Kind)> {
        let risks = ["low", "medium", "high"].map(str::to_owned).to_vec();
        let kinds = [
            ("coverage", Kind::Number),
            ("vulnerabilities", Kind::Number),
            ("risk", Kind::Text(Some(risks))),
            ("signed", Kind::Boolean),
        ];
        kinds.map(|(name, kind)| (name.to_owned(), kind)).to_vec()
    }

    #[divan::bench]
    fn cel_parse(bencher: Bencher<'_, '_>) {
        let names = names();
        bencher.bench_local(|| Expression::parse(CONDITION, &names));
    }

    #[divan::bench]
    fn cel_holds(bencher: Bencher<'_, '_>) {
        let expression = Expression::parse(CONDITION, &names()).unwrap();
        let value = |name: &str| match name {
            "coverage" => Operand::Number(72.5),
            "vulnerabilities" => Operand::Number(2.0),
            "risk" => Operand::Text("high"),
            _ => Operand::Boolean(false),
        };
        bencher.bench_local(|| expression.holds(&value));
    }
}
