//! The decision against an independent, naive oracle: on a truth table of all boundary values, and
//! on random workspaces that are written to disk and read back.

use policy_orchestrator::decision::{Decision, JournalHealth, LockHealth, Situation, evaluate};
use policy_orchestrator::ids::SignalName;
use policy_orchestrator::policy::{Level, Policy, document};
use policy_orchestrator::signals::{Outcome, Percent, Reading, Readings, Risk, Value};
use policy_orchestrator::time::Timestamp;
use proptest::prelude::*;

use crate::workspace::{AT, Workspace};

/// One value of each signal; `None` for a signal that nobody reported.
#[derive(Debug, Clone, Copy)]
struct Tuple {
    locked: Option<bool>,
    integrity: Option<f64>,
    consensus: Option<f64>,
    reputation: Option<f64>,
    forecast: Option<&'static str>,
    responses: Option<u64>,
}

/// The table of CONTRACT.md section 3, written down a second time and as plainly as can be.
fn oracle(tuple: &Tuple) -> &'static str {
    let Tuple {
        locked,
        integrity,
        consensus,
        reputation,
        forecast,
        responses,
    } = *tuple;
    if locked == Some(true)
        || integrity.is_some_and(|value| value < 90.0)
        || consensus.is_some_and(|value| value < 85.0)
        || forecast == Some("high")
        || responses.is_some_and(|value| value >= 8)
    {
        return "RED";
    }
    let unreported = locked.is_none()
        || integrity.is_none()
        || consensus.is_none()
        || reputation.is_none()
        || forecast.is_none()
        || responses.is_none();
    if unreported
        || integrity.is_some_and(|value| value < 95.0)
        || consensus.is_some_and(|value| value < 90.0)
        || reputation.is_some_and(|value| value < 80.0)
        || forecast == Some("medium")
        || responses.is_some_and(|value| value >= 4)
    {
        return "YELLOW";
    }
    "GREEN"
}

fn percent(number: f64) -> Value {
    Value::Percent(Percent::new(number).unwrap())
}

fn readings(tuple: &Tuple) -> Readings {
    let values = [
        (SignalName::TRUST, tuple.locked.map(Value::Flag)),
        (SignalName::INTEGRITY, tuple.integrity.map(percent)),
        (SignalName::CONSENSUS, tuple.consensus.map(percent)),
        (SignalName::REPUTATION, tuple.reputation.map(percent)),
        (
            SignalName::FORECAST,
            tuple
                .forecast
                .map(|risk| Value::Risk(Risk::parse(risk).unwrap())),
        ),
        (SignalName::RESPONSES, tuple.responses.map(Value::Count)),
    ];
    let reading = |(signal, value): (SignalName, Option<Value>)| {
        let outcome =
            value.map_or_else(|| Outcome::Missing("not there".to_owned()), Outcome::Valid);
        Reading::bare(signal, outcome)
    };
    Readings::new(values.into_iter().map(reading).collect())
}

fn decide(readings: &Readings) -> Decision {
    decide_under(&document::reference(), readings)
}

fn decide_under(policy: &Policy, readings: &Readings) -> Decision {
    let at = Timestamp::read(AT).unwrap().time;
    evaluate(Situation {
        policy,
        readings,
        before: None,
        history: &[],
        at,
        journal: JournalHealth::Whole,
        lock: LockHealth::Whole,
    })
}

const INTEGRITY: [Option<f64>; 9] = [
    None,
    Some(0.0),
    Some(89.99),
    Some(90.0),
    Some(90.01),
    Some(94.99),
    Some(95.0),
    Some(95.01),
    Some(100.0),
];
const CONSENSUS: [Option<f64>; 9] = [
    None,
    Some(0.0),
    Some(84.99),
    Some(85.0),
    Some(85.01),
    Some(89.99),
    Some(90.0),
    Some(90.01),
    Some(100.0),
];
const REPUTATION: [Option<f64>; 6] = [
    None,
    Some(0.0),
    Some(79.99),
    Some(80.0),
    Some(80.01),
    Some(100.0),
];
const FORECAST: [Option<&str>; 4] = [None, Some("low"), Some("medium"), Some("high")];
const RESPONSES: [Option<u64>; 8] = [
    None,
    Some(0),
    Some(3),
    Some(4),
    Some(5),
    Some(7),
    Some(8),
    Some(u64::MAX),
];
const LOCKED: [Option<bool>; 3] = [None, Some(false), Some(true)];

fn all_tuples() -> Vec<Tuple> {
    let mut tuples = Vec::new();
    for locked in LOCKED {
        for integrity in INTEGRITY {
            for consensus in CONSENSUS {
                for reputation in REPUTATION {
                    for forecast in FORECAST {
                        tuples.extend(RESPONSES.map(|responses| Tuple {
                            locked,
                            integrity,
                            consensus,
                            reputation,
                            forecast,
                            responses,
                        }));
                    }
                }
            }
        }
    }
    tuples
}

#[test]
fn the_oracle_agrees_on_every_combination_of_boundary_values() {
    let tuples = all_tuples();
    assert_eq!(tuples.len(), 46_656);
    for tuple in tuples {
        assert_eq!(
            decide(&readings(&tuple)).level.name(),
            oracle(&tuple),
            "{tuple:?}"
        );
    }
}

#[test]
fn the_reference_document_decides_as_the_built_in_policy_does() {
    let document = document::parse("policy/policy.yaml", document::TEMPLATE.as_bytes()).unwrap();
    assert_eq!(document.thresholds(), document::reference().thresholds());
    for tuple in all_tuples() {
        let readings = readings(&tuple);
        assert_eq!(
            decide_under(&document, &readings),
            decide(&readings),
            "{tuple:?}"
        );
    }
}

/// Makes the changes that the counterfactual of `target` names, but for the one at `left_out`.
fn changed(tuple: &Tuple, decision: &Decision, target: &Level, left_out: Option<usize>) -> Tuple {
    let mut tuple = *tuple;
    let needs = decision
        .needs
        .iter()
        .find(|needs| needs.level == *target)
        .unwrap();
    for (index, change) in needs.changes.iter().enumerate() {
        if Some(index) == left_out {
            continue;
        }
        let number = change
            .to
            .split(' ')
            .find_map(|word| word.parse::<f64>().ok());
        match change.what.as_str() {
            "trust" => tuple.locked = Some(false),
            "integrity" => tuple.integrity = number,
            "consensus" => tuple.consensus = number,
            "reputation" => tuple.reputation = number,
            "forecast" => {
                tuple.forecast = ["low", "medium", "high"]
                    .into_iter()
                    .find(|risk| change.to.ends_with(risk));
            }
            "responses" => tuple.responses = number.map(|number| number as u64),
            other => panic!("{other}"),
        }
    }
    tuple
}

#[test]
fn the_counterfactual_is_enough_and_every_part_of_it_is_needed() {
    for tuple in all_tuples().into_iter().step_by(3) {
        let decision = decide(&readings(&tuple));
        for needs in &decision.needs {
            let all = changed(&tuple, &decision, &needs.level, None);
            assert!(
                decide(&readings(&all)).level <= needs.level,
                "{tuple:?} to {} by {:?}",
                needs.level,
                needs.changes
            );
            for left_out in 0..needs.changes.len() {
                let almost = changed(&tuple, &decision, &needs.level, Some(left_out));
                assert!(
                    decide(&readings(&almost)).level > needs.level,
                    "{tuple:?}: {:?} is not needed",
                    needs.changes[left_out]
                );
            }
        }
        assert_eq!(decision.needs.is_empty(), decision.level == Level::GREEN);
    }
}

#[test]
fn the_counterfactual_is_the_smallest_change_to_each_level() {
    let tuple = Tuple {
        locked: Some(false),
        integrity: Some(89.0),
        consensus: Some(88.0),
        reputation: None,
        forecast: Some("high"),
        responses: Some(9),
    };
    let decision = decide(&readings(&tuple));
    let told: Vec<String> = decision
        .needs
        .iter()
        .flat_map(|needs| {
            needs.changes.iter().map(|change| {
                format!(
                    "{}: {} {} -> {}",
                    needs.level, change.what, change.from, change.to
                )
            })
        })
        .collect();
    assert_eq!(
        told,
        [
            "GREEN: integrity 89.0 -> at least 95.0",
            "GREEN: consensus 88.0 -> at least 90.0",
            "GREEN: reputation missing -> a report of at least 80.0",
            "GREEN: forecast high -> low",
            "GREEN: responses 9 -> at most 3 in 24 h",
            "YELLOW: integrity 89.0 -> at least 90.0",
            "YELLOW: forecast high -> medium",
            "YELLOW: responses 9 -> at most 7 in 24 h",
        ]
    );
}

fn any_percent() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        Just(None),
        (0.0..=100.0).prop_map(Some),
        (8_000_u32..=10_000).prop_map(|number| Some(f64::from(number) / 100.0))
    ]
}

fn any_tuple() -> impl Strategy<Value = Tuple> {
    let risk = prop_oneof![
        Just(None),
        Just(Some("low")),
        Just(Some("medium")),
        Just(Some("high"))
    ];
    (
        prop::option::of(any::<bool>()),
        any_percent(),
        any_percent(),
        any_percent(),
        risk,
        prop::option::of(0_u64..12),
    )
        .prop_map(
            |(locked, integrity, consensus, reputation, forecast, responses)| Tuple {
                locked,
                integrity,
                consensus,
                reputation,
                forecast,
                responses,
            },
        )
}

fn write_to_disk(tuple: &Tuple) -> Workspace {
    let workspace = Workspace::empty();
    if let Some(locked) = tuple.locked {
        workspace.write("trust_lock_state.json", format!("{{\"locked\": {locked}}}"));
    }
    if let Some(integrity) = tuple.integrity {
        workspace.integrity(&integrity.to_string());
    }
    if let Some(consensus) = tuple.consensus {
        workspace.write(
            "federation/weighted_consensus.json",
            format!("{{\"weighted_agreement_pct\": {consensus}}}"),
        );
    }
    if let Some(reputation) = tuple.reputation {
        workspace.write(
            "federation/reputation_index.json",
            format!("{{\"scores\": [{{\"score\": {reputation}}}]}}"),
        );
    }
    if let Some(forecast) = tuple.forecast {
        workspace.forecast(forecast);
    }
    if let Some(responses) = tuple.responses {
        workspace.responses(usize::try_from(responses).unwrap());
    }
    workspace
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_oracle_agrees_on_workspaces_that_are_written_and_read_back(tuple in any_tuple()) {
        let workspace = write_to_disk(&tuple);
        let state = workspace.run().exits(0).json();
        prop_assert_eq!(state["policy"].as_str().unwrap(), oracle(&tuple));
        // Decided again from the journal line and the kept policy alone, the result is the same.
        let explained = workspace.program(&["explain"]).exits(0).json();
        prop_assert_eq!(&explained["reasons"], &state["reasons"]);
        prop_assert_eq!(&explained["needs"], &state["needs"]);
        // Every number survives both ways, bit for bit.
        if let Some(integrity) = tuple.integrity {
            prop_assert_eq!(state["inputs"]["integrity_score"].as_f64(), Some(integrity));
        }
    }
}
