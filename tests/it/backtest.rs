//! `policy backtest`: against a naive re-evaluation of random histories, and as a user sees it.

use std::collections::BTreeMap;
use std::io::Write as _;

use policy_orchestrator::decision::backtest::{Backtest, Outcome, Past, Said};
use policy_orchestrator::decision::{
    Before, Decision, JournalHealth, LockHealth, Situation, evaluate,
};
use policy_orchestrator::history::Selection;
use policy_orchestrator::history::backtest::of_journal;
use policy_orchestrator::history::walk::Source;
use policy_orchestrator::policy::{LONGEST_LOOK, Level, Policy, document};
use policy_orchestrator::record::RecordedLine;
use policy_orchestrator::time::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::workspace::{Ran, SIGNALS, Workspace, copy_tree};

const DAY: i64 = 86_400;

/// The naive backtest: every line parsed as JSON, every decision made in full, everything kept.
#[derive(Debug, Default, PartialEq)]
struct Naive {
    matrix: BTreeMap<(String, String), u64>,
    decisions: BTreeMap<(String, bool), u64>,
    micros: BTreeMap<(String, bool), i64>,
    /// Of alarms, decisions and transitions that call for responses: recorded, would be, added, dropped.
    came: BTreeMap<&'static str, [u64; 4]>,
    days: BTreeMap<String, [u64; 3]>,
    /// Of each trigger: fires, decides, changes, flaps.
    triggers: BTreeMap<String, [u64; 4]>,
    level_flaps: [u64; 2],
}

fn flaps(changes: &[i64]) -> u64 {
    // The last seven changes lie in 24 hours; counted where that begins.
    let flaps = |end: usize| end >= 6 && changes[end - 6] >= changes[end] - DAY * 1_000_000;
    (0..changes.len())
        .filter(|end| flaps(*end) && (*end == 0 || !flaps(end - 1)))
        .count() as u64
}

/// The times at which something is another than before; the first is no change.
fn changes<T: PartialEq>(row: &[(i64, T)]) -> Vec<i64> {
    let pairs = row.windows(2).filter(|pair| pair[0].1 != pair[1].1);
    pairs.map(|pair| pair[1].0).collect()
}

fn naive(journal: &str, policy: &Policy) -> Naive {
    let mut naive = Naive::default();
    let lines = journal
        .lines()
        .filter_map(|line| RecordedLine::parse(line.as_bytes()));
    let lines: Vec<RecordedLine> = lines.collect();
    // What is left out was gone on from all the same.
    let mut decided = again(&lines, policy);
    decided.retain(|(line, _)| !line.given_clock);
    let micros = |line: &RecordedLine| line.at.unix_micros();
    let calls = |level: &Level| level.name() != "GREEN";
    for (index, (line, decision)) in decided.iter().enumerate() {
        let pair = [(&line.level, false), (&decision.level, true)];
        let names = (line.level.to_string(), decision.level.to_string());
        *naive.matrix.entry(names).or_default() += 1;
        for (level, candidate) in pair {
            *naive
                .decisions
                .entry((level.to_string(), candidate))
                .or_default() += 1;
            if let Some((next, _)) = decided.get(index + 1) {
                *naive
                    .micros
                    .entry((level.to_string(), candidate))
                    .or_default() += (micros(next) - micros(line)).max(0);
            }
        }
        let (old, new) = match index.checked_sub(1).map(|before| &decided[before]) {
            Some((before, decision)) => (before.level.clone(), decision.level.clone()),
            None => (line.level.clone(), decision.level.clone()),
        };
        let facts = [
            ("alarms", line.level > old, decision.level > new),
            ("decisions", calls(&line.level), calls(&decision.level)),
            (
                "transitions",
                calls(&line.level) && line.level != old,
                calls(&decision.level) && decision.level != new,
            ),
        ];
        for (what, was, would) in facts {
            let came = naive.came.entry(what).or_default();
            for (count, is) in came
                .iter_mut()
                .zip([was, would, would && !was, was && !would])
            {
                *count += u64::from(is);
            }
        }
        let day = naive.days.entry(line.at.date()).or_default();
        for (count, is) in day.iter_mut().zip([
            true,
            decision.level > line.level,
            decision.level < line.level,
        ]) {
            *count += u64::from(is);
        }
    }
    naive.triggers = of_triggers(&decided, policy);
    let recorded: Vec<_> = decided
        .iter()
        .map(|(line, _)| (micros(line), line.level.clone()))
        .collect();
    let candidate: Vec<_> = decided
        .iter()
        .map(|(line, decision)| (micros(line), decision.level.clone()))
        .collect();
    naive.level_flaps = [flaps(&changes(&recorded)), flaps(&changes(&candidate))];
    naive
}

/// Every decision in full, with all that a run at that time would have read of the journal.
fn again<'l>(lines: &'l [RecordedLine], policy: &Policy) -> Vec<(&'l RecordedLine, Decision)> {
    let mut decided: Vec<(&RecordedLine, Decision)> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let mut history = Vec::new();
        for (newer, earlier) in lines[..index].iter().rev().enumerate() {
            if newer >= LONGEST_LOOK || policy.looks_back().is_none() {
                break;
            }
            history.insert(0, earlier.clone().into_earlier());
        }
        let before = decided.last().map(|(line, decision)| Before {
            level: decision.level.clone(),
            at: line.at,
            since: decision.since,
            held: decision.held.clone(),
        });
        let decision = evaluate(Situation {
            policy,
            readings: &line.readings,
            before: before.as_ref(),
            history: &history,
            at: line.at,
            journal: JournalHealth::Whole,
            lock: LockHealth::Whole,
        });
        decided.push((line, decision));
    }
    decided
}

fn of_triggers(
    decided: &[(&RecordedLine, Decision)],
    policy: &Policy,
) -> BTreeMap<String, [u64; 4]> {
    let mut triggers = BTreeMap::new();
    for trigger in policy.triggers() {
        let fires: Vec<(i64, bool)> = decided
            .iter()
            .map(|(line, decision)| {
                (
                    line.at.unix_micros(),
                    decision
                        .reasons
                        .iter()
                        .any(|reason| reason.code == trigger.code),
                )
            })
            .collect();
        let decides = decided.iter().filter(|(_, decision)| {
            let gravest: Vec<_> = decision
                .reasons
                .iter()
                .filter(|reason| reason.level == decision.level)
                .collect();
            gravest.len() == 1 && gravest[0].code == trigger.code
        });
        let changes = changes(&fires);
        let counts = [
            fires.iter().filter(|(_, fires)| *fires).count() as u64,
            decides.count() as u64,
            changes.len() as u64,
            flaps(&changes),
        ];
        triggers.insert(trigger.code.to_string(), counts);
    }
    triggers
}

/// What the product says, in the naive form; days left out.
fn said(outcome: &Outcome) -> Naive {
    let mut naive = Naive::default();
    for flip in &outcome.matrix {
        naive.matrix.insert(
            (flip.recorded.to_string(), flip.candidate.to_string()),
            flip.decisions,
        );
    }
    for level in &outcome.levels {
        for (held, candidate) in [(level.recorded, false), (level.candidate, true)] {
            if held.decisions > 0 {
                naive
                    .decisions
                    .insert((level.level.to_string(), candidate), held.decisions);
                naive.micros.insert(
                    (level.level.to_string(), candidate),
                    i64::try_from(held.seconds).unwrap(),
                );
            }
        }
    }
    let all = [
        ("alarms", outcome.alarms),
        ("decisions", outcome.responses.decisions),
        ("transitions", outcome.responses.transitions),
    ];
    for (what, came) in all.into_iter().filter(|_| outcome.decisions > 0) {
        naive.came.insert(
            what,
            [came.recorded, came.candidate, came.added, came.dropped],
        );
    }
    for trigger in &outcome.triggers {
        naive.triggers.insert(
            trigger.code.to_string(),
            [
                trigger.fired,
                trigger.decided,
                trigger.changes,
                trigger.flaps,
            ],
        );
    }
    naive.level_flaps = [outcome.level_flaps.recorded, outcome.level_flaps.candidate];
    naive
}

fn agree(outcome: &Outcome, mut naive: Naive) -> Result<(), TestCaseError> {
    // The days that differ most: the most different first, of equal ones the earlier.
    let mut days: Vec<(String, [u64; 3])> = std::mem::take(&mut naive.days).into_iter().collect();
    days.retain(|(_, [_, graver, milder])| graver + milder > 0);
    days.sort_by_key(|(date, [_, graver, milder])| {
        (std::cmp::Reverse(graver + milder), date.clone())
    });
    days.truncate(10);
    let told: Vec<_> = outcome
        .days
        .iter()
        .map(|day| (day.date.clone(), [day.decisions, day.graver, day.milder]))
        .collect();
    prop_assert_eq!(told, days);
    // Levels that are never left have no time; whole seconds are told.
    let decisions = naive.decisions.clone();
    naive.micros = decisions
        .keys()
        .map(|key| {
            (
                key.clone(),
                naive.micros.get(key).copied().unwrap_or(0) / 1_000_000,
            )
        })
        .collect();
    prop_assert_eq!(said(outcome), naive);
    Ok(())
}

/// One line of a journal: how much later it is, what was recorded, and how it is written.
#[derive(Debug, Clone)]
struct Recorded {
    later: i64,
    level: &'static str,
    locked: bool,
    percents: [f64; 3],
    forecast: &'static str,
    responses: u64,
    status: Vec<(&'static str, &'static str)>,
    form: u8,
}

const START: i64 = 1_780_000_000;

fn line(recorded: &Recorded, seq: usize, at: i64) -> String {
    let time = Timestamp::EPOCH.plus_seconds(at).to_string();
    let hex = "594ca69fcd607ffdca1c1e77f1309a6181041c907f7873bc8a46abd4bb32019f";
    let [integrity, consensus, reputation] = recorded.percents.map(|number| json!(number));
    let status: Vec<String> = recorded
        .status
        .iter()
        .map(|(signal, status)| format!("\"{signal}\":\"{status}\""))
        .collect();
    let status = if status.is_empty() {
        String::new()
    } else {
        format!(",\"status\":{{{}}}", status.join(","))
    };
    let Recorded {
        level,
        locked,
        forecast,
        responses,
        ..
    } = recorded;
    let line = format!(
        "{{\"timestamp\":\"{time}\",\"policy\":\"{level}\",\"trust_locked\":{locked},\"integrity\":{integrity},\"consensus\":{consensus},\"reputation\":{reputation},\"forecast\":\"{forecast}\",\"responses\":{responses},\"v\":1,\"seq\":{},\"prev\":\"{hex}\",\"doc\":\"{hex}\",\"before\":null,\"reasons\":[]{status}",
        seq + 1
    );
    match recorded.form {
        0 => format!("{}}}", line.replace(",\"v\"", ", \"v\"")),
        1 => format!("{line},\"clock\":\"given\"}}"),
        2 => format!("{line},\"note\":[1,2]}}"),
        3 => line,
        _ => format!("{line}}}"),
    }
}

fn journal(history: &[Recorded]) -> String {
    let mut at = START;
    let mut lines = Vec::new();
    for (seq, recorded) in history.iter().enumerate() {
        at += recorded.later;
        lines.push(line(recorded, seq, at) + "\n");
    }
    lines.concat()
}

fn history() -> impl Strategy<Value = Vec<Recorded>> {
    let later = prop_oneof![6 => 0..8_000_i64, 2 => 0..200_000_i64, 1 => -100_000..0_i64];
    let percent = || {
        prop_oneof![
            (0_u32..=10_000).prop_map(|number| f64::from(number) / 100.0),
            80.0..=100.0_f64,
            Just(90.0),
            Just(95.0)
        ]
    };
    let status = proptest::sample::subsequence(SIGNALS.to_vec(), 0..=2);
    let which = proptest::sample::select(&["missing", "stale", "invalid"][..]);
    let one = (
        (
            later,
            proptest::sample::select(&["GREEN", "YELLOW", "RED"][..]),
            prop::bool::weighted(0.1),
        ),
        [percent(), percent(), percent()],
        (
            proptest::sample::select(&["low", "low", "medium", "high"][..]),
            0_u64..12,
        ),
        (
            prop_oneof![4 => Just(Vec::new()), 1 => status],
            which,
            0_u8..24,
        ),
    )
        .prop_map(
            |((later, level, locked), percents, (forecast, responses), (status, which, form))| {
                Recorded {
                    later,
                    level,
                    locked,
                    percents,
                    forecast,
                    responses,
                    status: status.into_iter().map(|signal| (signal, which)).collect(),
                    form,
                }
            },
        );
    proptest::collection::vec(one, 0..90)
}

fn thresholds() -> impl Strategy<Value = String> {
    let pair = || {
        (0_u32..=1000, 0_u32..=1000).prop_map(|(one, other)| {
            (
                f64::from(one.min(other)) / 10.0,
                f64::from(one.max(other)) / 10.0,
            )
        })
    };
    let near = || {
        (850_u32..=1000, 850_u32..=1000).prop_map(|(one, other)| {
            (
                f64::from(one.min(other)) / 10.0,
                f64::from(one.max(other)) / 10.0,
            )
        })
    };
    (
        prop_oneof![pair(), near()],
        prop_oneof![pair(), near()],
        0_u32..=1000,
        (1_u64..12, 0_u64..6),
    )
        .prop_map(
            |((red_i, yellow_i), (red_c, yellow_c), reputation, (responses, more))| {
                json!({
                    "red_integrity": red_i, "yellow_integrity": yellow_i,
                    "red_consensus": red_c, "yellow_consensus": yellow_c,
                    "yellow_reputation": f64::from(reputation) / 10.0,
                    "yellow_responses": responses, "red_responses": responses + more,
                })
                .to_string()
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_backtest_is_what_a_naive_one_gives(history in history(), thresholds in thresholds()) {
        let policy = document::parse("candidate.json", thresholds.as_bytes()).unwrap();
        let text = journal(&history);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("journal.jsonl");
        std::fs::write(&file, &text).unwrap();
        let source = Source::of_file(&file).unwrap();
        let found = of_journal(&source, &policy, Selection::default()).unwrap();
        agree(&found.outcome, naive(&text, &policy))?;
        // Nothing is dropped: every line is decided, left out, or found to be unreadable.
        let unreadable = history.iter().filter(|recorded| recorded.form == 3).count() as u64;
        prop_assert_eq!(found.undecided, unreadable);
        prop_assert_eq!(found.outcome.decisions + found.left_out.given + found.undecided, history.len() as u64);

        // Deciding in full gives the same as the compiled policy.
        let mut full = Backtest::uncompiled(&policy);
        let lines = text.lines().filter_map(|line| RecordedLine::parse(line.as_bytes()));
        let lines: Vec<RecordedLine> = lines.filter(|line| !line.given_clock).collect();
        for line in &lines {
            full.take(Past { at: line.at, level: &line.level, said: Said::Readings(&line.readings) });
        }
        prop_assert_eq!(full.finish(), found.outcome);
    }
}

/// Documents of which only a full evaluation knows what they say: further levels, signals that were
/// never recorded, looks back, hysteresis, waivers, expressions.
const OTHERS: [&str; 5] = [
    "  levels: [ORANGE]
  triggers:
    - {code: LOW, signal: integrity, level: ORANGE, at_most: 92.5}
    - {code: LOWER, signal: integrity, level: RED, below: 85}
    - {code: ODD, signal: forecast, level: YELLOW, one_of: [medium, high]}",
    "  hysteresis: {evaluations: 3}
  triggers:
    - {code: LOW, signal: integrity, level: YELLOW, below: 96}
    - {code: MANY, signal: responses, level: RED, at_least: 9}",
    "  hysteresis: {time: 6h}
  triggers:
    - {code: FELL, signal: consensus, level: YELLOW, changed: {way: fall, by_more_than: 4, within: 12h}}
    - {code: FAR, signal: reputation, level: RED, median: {of_last: 5, below_ratio: 0.95}}",
    "  triggers:
    - {code: LOW, signal: integrity, level: YELLOW, below: 96}
    - {code: LOWER, signal: integrity, level: RED, below: 88}
  waivers:
    - {trigger: LOWER, reason: moving, by: ana@example.org, ticket: OPS-7, expires: 2026-05-30}",
    "  triggers:
    - {code: TWO, level: RED, when: integrity < 95.0 && responses > 3}
    - {code: UNCOVERED, signal: coverage, level: RED, below: 50}",
];

fn other(number: usize) -> Policy {
    let lines = SIGNALS.map(|name| format!("    - name: {name}\n"));
    let signals = lines.concat();
    let coverage = "    - {name: coverage, file: coverage.json, pointer: /total, type: percent, direction: higher_is_better}\n";
    let coverage = if number == 4 { coverage } else { "" };
    let text = format!(
        "apiVersion: policy.orchestra.v1\nkind: OrchestrationPolicy\nmetadata: {{name: other, version: \"1\"}}\nspec:\n  signals:\n{signals}{coverage}{}\n",
        OTHERS[number]
    );
    document::parse("other.yaml", text.as_bytes())
        .unwrap_or_else(|problems| panic!("{problems:?}\n{text}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_document_looks_back_on_the_naive_one_agrees(history in history(), number in 0..OTHERS.len()) {
        let policy = other(number);
        let text = journal(&history);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("journal.jsonl");
        std::fs::write(&file, &text).unwrap();
        let source = Source::of_file(&file).unwrap();
        let found = of_journal(&source, &policy, Selection::default()).unwrap();
        agree(&found.outcome, naive(&text, &policy))?;
        let unknown: Vec<_> = found.outcome.not_recorded.iter().map(|signal| (signal.signal.as_str(), signal.decisions)).collect();
        let expected = if number == 4 && found.outcome.decisions > 0 { vec![("coverage", found.outcome.decisions)] } else { vec![] };
        prop_assert_eq!(unknown, expected);
    }
}

const STRICTER: &str =
    r#"{"name": "stricter", "version": "3", "yellow_integrity": 97, "red_consensus": 89}"#;

/// A workspace with the journal that version 0.1.0 wrote, and a stricter document.
fn fixture() -> Workspace {
    let workspace = Workspace::empty();
    let from =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journal_0_1_0");
    copy_tree(&from, workspace.path());
    workspace.write("stricter.json", STRICTER);
    workspace
}

fn backtest(workspace: &Workspace, arguments: &[&str]) -> Ran {
    let mut all = vec!["policy", "backtest", "stricter.json"];
    all.extend(arguments);
    workspace.program(&all)
}

#[test]
fn a_backtest_is_shown_in_three_forms() {
    let workspace = fixture();
    let before = workspace.snapshot();
    for form in ["human", "markdown", "json"] {
        let ran = backtest(&workspace, &["--format", form]).exits(0);
        assert_eq!(ran.stderr, "");
        insta::assert_snapshot!(format!("backtest_{form}"), ran.stdout);
    }
    assert_eq!(workspace.snapshot(), before, "nothing is written");
}

#[test]
fn the_document_in_force_flips_what_it_decided_itself_nowhere() {
    let workspace = fixture();
    let document =
        "state/policies/d6beaaafe20496aa72e2c89a497f7624d64ba2e1d90377fd245e8520200ad977";
    // Days on which that document was in force.
    let ran = workspace.program(&[
        "policy",
        "backtest",
        document,
        "--since",
        "2026-06-08T12:00:00Z",
        "--until",
        "2026-06-13T00:00:00Z",
        "--include-given",
        "--fail-on-flips",
    ]);
    let said = ran.exits(0).json();
    assert_eq!(
        (&said["differing"], &said["decisions"]),
        (&json!(0), &json!(9))
    );
    assert_eq!(said["left_out"]["outside"], 33);
}

#[test]
fn flips_fail_where_that_is_asked_for() {
    let workspace = fixture();
    backtest(&workspace, &["--fail-on-flips"]).exits(10);
    backtest(&workspace, &[]).exits(0);
    // A gate that could not look at a decision does not let pass.
    let journal = workspace.read("state/policy_state_log.jsonl");
    let (first, rest) = journal.split_once('\n').unwrap();
    workspace.write(
        "state/policy_state_log.jsonl",
        format!("{}\n{rest}", &first[..first.len() / 2]),
    );
    backtest(&workspace, &["--fail-on-flips"]).exits(1);
    backtest(&workspace, &[]).exits(0);
}

#[test]
fn given_times_and_other_times_are_left_out_and_counted() {
    let workspace = fixture();
    let left_out = |arguments: &[&str]| {
        let said = backtest(&workspace, arguments).exits(0).json();
        (said["decisions"].clone(), said["left_out"].clone())
    };
    let all = json!({"given": 2, "outside": 0, "plain": 2, "markers": 0, "torn": 0});
    assert_eq!(left_out(&[]), (json!(40), all));
    assert_eq!(left_out(&["--include-given"]).0, 42);
    let (decisions, some) = left_out(&["--since", "2026-06-02", "--until", "2026-06-03"]);
    assert_eq!((decisions, &some["outside"]), (json!(2), &json!(40)));
}

#[test]
fn what_can_not_be_read_is_told_with_its_line() {
    let workspace = fixture();
    let mut lines = workspace.journal();
    lines[4] = lines[4].replace("\"integrity\":95.0", "\"integrity\":950.0");
    lines[9].truncate(40);
    lines.push("{\"timestamp\":\"2026-06-19T0".to_owned());
    workspace.write(crate::workspace::JOURNAL, lines.join("\n"));
    let ran = backtest(&workspace, &[]).exits(0);
    let said = ran.json();
    assert_eq!(
        (
            &said["decisions"],
            &said["undecided"],
            &said["left_out"]["torn"]
        ),
        (&json!(38), &json!(2), &json!(1))
    );
    let places: Vec<_> = said["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["place"]["line"].clone())
        .collect();
    assert_eq!(places, [5, 10]);
    assert!(
        ran.stderr.contains("state/policy_state_log.jsonl:5"),
        "{}",
        ran.stderr
    );
}

#[test]
fn sealed_segments_are_read_first() {
    let workspace = fixture();
    let mut lines = workspace.journal();
    lines[11] = lines[11].replace("\"responses\":", "\"responses\": ");
    workspace.write(crate::workspace::JOURNAL, lines.join("\n") + "\n");
    workspace.reseal_and_go_on();
    let said = backtest(&workspace, &["--include-given"]).exits(0).json();
    let segment = "state/segments/policy_state_log.20260620000000.broken.jsonl";
    assert_eq!(
        said["read"],
        json!([segment, "state/policy_state_log.jsonl"])
    );
    assert_eq!(
        (&said["decisions"], &said["left_out"]["markers"]),
        (&json!(43), &json!(1))
    );
    let alone = backtest(
        &workspace,
        &["--journal", crate::workspace::JOURNAL, "--include-given"],
    )
    .exits(0);
    assert_eq!(
        (
            &alone.json()["decisions"],
            alone.stderr.contains("HISTORY_INCOMPLETE")
        ),
        (&json!(1), true)
    );
    std::fs::remove_file(workspace.file(segment)).unwrap();
    let without = backtest(&workspace, &["--include-given"]).exits(0);
    assert_eq!(
        (
            &without.json()["decisions"],
            without.stderr.contains("HISTORY_INCOMPLETE")
        ),
        (&json!(1), true)
    );
}

#[test]
fn a_folder_of_inputs_takes_the_place_of_a_journal() {
    let workspace = Workspace::empty();
    workspace.write("stricter.json", STRICTER);
    let inputs = |integrity: f64| json!({"trust_locked": false, "integrity_score": integrity, "consensus_pct": 95, "reputation_score": 85, "forecast_risk": "low", "recent_responses": 0});
    let with = |mut value: Value, key: &str, member: Value| {
        value[key] = member;
        value.to_string()
    };
    workspace.write("recorded/2026-01-02.json", inputs(96.0).to_string());
    workspace.write(
        "recorded/inputs-2026-01-01T0445.json",
        inputs(99.0).to_string(),
    );
    workspace.write(
        "recorded/third.json",
        with(inputs(96.5), "evaluated_at", json!("2026-01-03T00:00:00Z")),
    );
    workspace.write(
        "recorded/2026-01-04.json",
        with(inputs(99.0), "policy", json!("RED")),
    );
    workspace.write("recorded/untimed.json", inputs(99.0).to_string());
    workspace.write("recorded/2026-01-05.json", inputs(196.0).to_string());
    workspace.write("recorded/readme.txt", "no record");
    let ran = backtest(&workspace, &["--records", "recorded"]).exits(0);
    let said = ran.json();
    assert_eq!(
        said["matrix"],
        json!([
            {"recorded": "GREEN", "candidate": "GREEN", "decisions": 1},
            {"recorded": "GREEN", "candidate": "YELLOW", "decisions": 2},
            {"recorded": "RED", "candidate": "GREEN", "decisions": 1},
        ])
    );
    assert_eq!(
        (&said["undecided"], &said["finding_count"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(
        said["levels"][0]["recorded"],
        json!({"decisions": 3, "seconds": 3 * DAY - 17_100})
    );
    assert!(
        ran.stderr.contains("TIME_MISSING") && ran.stderr.contains("VALUE_RANGE"),
        "{}",
        ran.stderr
    );
    // A state file is a record too, with the level that it says.
    let recorded = Workspace::healthy();
    recorded.integrity("96.0");
    recorded.run().exits(0);
    workspace.write(
        "states/last.json",
        recorded.bytes("state/policy_state.json"),
    );
    let said = backtest(&workspace, &["--records", "states", "--include-given"])
        .exits(0)
        .json();
    assert_eq!(
        said["matrix"],
        json!([{"recorded": "GREEN", "candidate": "YELLOW", "decisions": 1}])
    );
    backtest(&workspace, &["--records", "nowhere"]).exits(1);
    std::fs::create_dir(workspace.file("nothing")).unwrap();
    backtest(&workspace, &["--records", "nothing"]).exits(1);
}

#[test]
fn a_document_comes_from_standard_input_or_is_the_built_in_one() {
    let workspace = fixture();
    let of = |name: &str, text: &str| {
        let mut command = workspace.command(&["policy", "backtest", name]);
        command.stdin(std::process::Stdio::piped());
        command.stdout(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(text.as_bytes()).unwrap();
        drop(input);
        let ran: Ran = child.wait_with_output().unwrap().into();
        ran.exits(0).json()
    };
    let named = backtest(&workspace, &[]).json();
    let piped = of("-", STRICTER);
    assert_eq!(piped["matrix"], named["matrix"]);
    assert_eq!(piped["document"], named["document"]);
    assert_eq!(of("reference", "")["document"]["name"], "reference");
}

#[test]
fn a_duration_counts_back_from_now() {
    let workspace = fixture();
    let all = backtest(&workspace, &["--since", "36500d"]).exits(0).json();
    assert_eq!(all["decisions"], 40);
    backtest(&workspace, &["--since", "a while"]).exits(2);
    let none = workspace.program(&["replay", "--since", "0d"]);
    assert_eq!(none.code, 2, "a duration is more than nothing");
    let replayed = workspace.program(&["replay", "--since", "36500d"]).exits(0);
    assert_eq!(replayed.json()["left_out"]["outside"], 0);
}

#[test]
fn a_file_without_one_decision_is_no_history() {
    let workspace = fixture();
    workspace.write("garbage.jsonl", "one\ntwo\n");
    let ran = backtest(&workspace, &["--journal", "garbage.jsonl"]).exits(1);
    assert!(ran.stderr.contains("garbage.jsonl:2"), "{}", ran.stderr);
}

#[test]
fn what_can_not_be_used_fails() {
    let workspace = fixture();
    workspace.write(
        "wrong.json",
        r#"{"yelow_integrity": 97, "red_consensus": "89"}"#,
    );
    let ran = workspace
        .program(&["policy", "backtest", "wrong.json"])
        .exits(1);
    assert!(
        ran.stderr.contains("wrong.json:1:2")
            && ran.stderr.contains("did you mean `yellow_integrity`?")
            && ran.stderr.contains("VALUE_RANGE"),
        "{}",
        ran.stderr
    );
    workspace
        .program(&["policy", "backtest", "nowhere.json"])
        .exits(1);
    backtest(&workspace, &["--journal", "nowhere.jsonl"]).exits(1);
    let empty = Workspace::empty();
    empty.write("stricter.json", STRICTER);
    let ran = backtest(&empty, &[]).exits(1);
    assert!(ran.stderr.contains("NOTHING_RECORDED"), "{}", ran.stderr);
    empty
        .program(&["run", "--dry-run", "--format", "markdown"])
        .exits(2);
}

/// What was RED because somebody changed protected files says nothing about a policy: it is left out,
/// and that is said. A replay takes the reason over.
#[test]
fn decisions_behind_tampering_are_left_out_aloud_and_replayed() {
    let workspace = crate::policy_lock::locked();
    let budget = workspace.read("budget.yaml");
    crate::policy_lock::overwrite(&workspace, "budget.yaml", "limit: 9\n");
    workspace
        .program(&["run", "--retry-delays", "0,0,0"])
        .exits(5);
    crate::policy_lock::overwrite(&workspace, "budget.yaml", budget);
    workspace
        .program(&["run", "--retry-delays", "0,0,0"])
        .exits(0);
    let backtest = [
        "policy",
        "backtest",
        "policy/policy.yaml",
        "--include-given",
    ];
    let said = workspace.program(&backtest).exits(0).json();
    assert_eq!(said["left_out"]["tampered"], 1, "{said}");
    assert_eq!(
        (&said["decisions"], &said["milder"]),
        (&json!(2), &json!(0))
    );
    let human = [&backtest[..], &["--format", "human"]].concat();
    let human = workspace.program(&human).exits(0).stdout;
    assert!(
        human.contains("1 decision made behind changed protected files (RED with POLICY_TAMPERED"),
        "{human}"
    );
    let replayed = workspace.program(&["replay"]).exits(0).json();
    assert_eq!(
        (&replayed["all_reproduced"], &replayed["decisions"]),
        (&json!(true), &json!(3))
    );
}
