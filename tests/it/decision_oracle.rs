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

/// The seven numbers that a small document may change.
#[derive(Debug, Clone, Copy)]
struct Lines {
    red_integrity: f64,
    red_consensus: f64,
    red_responses: u64,
    yellow_integrity: f64,
    yellow_consensus: f64,
    yellow_reputation: f64,
    yellow_responses: u64,
}

/// Those of CONTRACT.md section 3.
const REFERENCE: Lines = Lines {
    red_integrity: 90.0,
    red_consensus: 85.0,
    red_responses: 8,
    yellow_integrity: 95.0,
    yellow_consensus: 90.0,
    yellow_reputation: 80.0,
    yellow_responses: 4,
};

fn oracle(tuple: &Tuple) -> &'static str {
    oracle_under(&REFERENCE, tuple)
}

/// The table of CONTRACT.md section 3, written down a second time and as plainly as can be.
fn oracle_under(lines: &Lines, tuple: &Tuple) -> &'static str {
    let Tuple {
        locked,
        integrity,
        consensus,
        reputation,
        forecast,
        responses,
    } = *tuple;
    if locked == Some(true)
        || integrity.is_some_and(|value| value < lines.red_integrity)
        || consensus.is_some_and(|value| value < lines.red_consensus)
        || forecast == Some("high")
        || responses.is_some_and(|value| value >= lines.red_responses)
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
        || integrity.is_some_and(|value| value < lines.yellow_integrity)
        || consensus.is_some_and(|value| value < lines.yellow_consensus)
        || reputation.is_some_and(|value| value < lines.yellow_reputation)
        || forecast == Some("medium")
        || responses.is_some_and(|value| value >= lines.yellow_responses)
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

/// Nothing, the ends, and for each line the line itself and a hundredth below and above it.
fn beside(red: f64, yellow: f64) -> [Option<f64>; 9] {
    [
        None,
        Some(0.0),
        Some(red - 0.01),
        Some(red),
        Some(red + 0.01),
        Some(yellow - 0.01),
        Some(yellow),
        Some(yellow + 0.01),
        Some(100.0),
    ]
}

const FORECAST: [Option<&str>; 4] = [None, Some("low"), Some("medium"), Some("high")];
const LOCKED: [Option<bool>; 3] = [None, Some(false), Some(true)];

fn all_tuples() -> Vec<Tuple> {
    all_tuples_of(&REFERENCE)
}

fn all_tuples_of(lines: &Lines) -> Vec<Tuple> {
    let reputations = [
        None,
        Some(0.0),
        Some(lines.yellow_reputation - 0.01),
        Some(lines.yellow_reputation),
        Some(lines.yellow_reputation + 0.01),
        Some(100.0),
    ];
    let counts = [
        None,
        Some(0),
        Some(lines.yellow_responses - 1),
        Some(lines.yellow_responses),
        Some(lines.yellow_responses + 1),
        Some(lines.red_responses - 1),
        Some(lines.red_responses),
        Some(u64::MAX),
    ];
    let mut tuples = Vec::new();
    for locked in LOCKED {
        for integrity in beside(lines.red_integrity, lines.yellow_integrity) {
            for consensus in beside(lines.red_consensus, lines.yellow_consensus) {
                for reputation in reputations {
                    for forecast in FORECAST {
                        tuples.extend(counts.map(|responses| Tuple {
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

/// A small document with its numbers, and the lines that a person would read in it.
const SMALL: [(&str, Lines); 4] = [
    (
        r#"{"yellow_integrity": 96}"#,
        Lines {
            yellow_integrity: 96.0,
            ..REFERENCE
        },
    ),
    (
        r#"{"name": "stricter", "red_integrity": 91.5, "red_consensus": 88.25, "red_responses": 3, "yellow_integrity": 99.5, "yellow_consensus": 97.75, "yellow_reputation": 95.125, "yellow_responses": 1}"#,
        Lines {
            red_integrity: 91.5,
            red_consensus: 88.25,
            red_responses: 3,
            yellow_integrity: 99.5,
            yellow_consensus: 97.75,
            yellow_reputation: 95.125,
            yellow_responses: 1,
        },
    ),
    (
        r#"{"name": "looser", "red_integrity": 12.3, "red_consensus": 1e1, "red_responses": 1000, "yellow_integrity": 33.3, "yellow_consensus": 20.1, "yellow_reputation": 0.7, "yellow_responses": 20}"#,
        Lines {
            red_integrity: 12.3,
            red_consensus: 10.0,
            red_responses: 1000,
            yellow_integrity: 33.3,
            yellow_consensus: 20.1,
            yellow_reputation: 0.7,
            yellow_responses: 20,
        },
    ),
    (
        r#"{"red_integrity": 95, "yellow_integrity": 95, "red_consensus": 90, "yellow_consensus": 90, "red_responses": 4}"#,
        Lines {
            red_integrity: 95.0,
            red_consensus: 90.0,
            red_responses: 4,
            ..REFERENCE
        },
    ),
];

#[test]
fn a_small_document_decides_as_what_policy_init_makes_of_it() {
    const FILE: &str = "policy/policy_thresholds.json";
    for (text, lines) in SMALL {
        let workspace = Workspace::healthy();
        workspace.write(FILE, text);
        workspace.program(&["policy", "init", "--convert"]).exits(0);
        assert!(!workspace.file(FILE).exists());
        let small = document::parse(FILE, text.as_bytes()).unwrap();
        let converted = workspace.bytes("policy/policy.yaml");
        let converted = document::parse("policy/policy.yaml", &converted).unwrap();
        let tuples = all_tuples_of(&lines);
        assert_eq!(tuples.len(), 46_656);
        for tuple in tuples {
            let readings = readings(&tuple);
            let decision = decide_under(&small, &readings);
            assert_eq!(
                decision.level.name(),
                oracle_under(&lines, &tuple),
                "{text}: {tuple:?}"
            );
            let again = decide_under(&converted, &readings);
            assert_eq!(again, decision, "{text}: {tuple:?}");
        }
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

/// What would help where expressions look at the values.
#[cfg(feature = "cel")]
mod beside_expressions {
    use policy_orchestrator::decision::Change;

    use super::*;

    /// A part of an expression over the six signals.
    fn any_part() -> impl Strategy<Value = String> {
        let number = prop_oneof![Just(75_u32), Just(80), Just(90), Just(95), 0..=100_u32];
        let sides = vec!["<", "<=", ">", ">=", "==", "!="];
        let side = prop::sample::select(sides);
        let percent = prop::sample::select(vec!["integrity", "consensus", "reputation"]);
        let risk = prop::sample::select(vec!["low", "medium", "high"]);
        prop_oneof![
            4 => (percent, side.clone(), number)
                .prop_map(|(name, side, number)| format!("{name} {side} {number}.0")),
            2 => (side, 0..10_u32).prop_map(|(side, number)| format!("responses {side} {number}.0")),
            1 => Just("trust".to_owned()),
            1 => risk.prop_map(|risk| format!("forecast == '{risk}'")),
            1 => (120..200_u32).prop_map(|sum| format!("integrity + consensus < {sum}.0")),
        ]
    }

    fn any_expression() -> impl Strategy<Value = String> {
        any_part().prop_recursive(2, 6, 2, |inner| {
            prop_oneof![
                (inner.clone(), inner.clone())
                    .prop_map(|(one, other)| format!("({one} && {other})")),
                (inner.clone(), inner.clone())
                    .prop_map(|(one, other)| format!("({one} || {other})")),
                inner.prop_map(|one| format!("!({one})")),
            ]
        })
    }

    /// The reference policy, with some expressions beside its triggers.
    fn with_expressions(expressions: &[(String, bool)]) -> Policy {
        let mut text = document::TEMPLATE.to_owned();
        let mut more = String::new();
        for (index, (expression, is_red)) in expressions.iter().enumerate() {
            let level = if *is_red { "RED" } else { "YELLOW" };
            more += &format!("    - {{code: E{index}, level: {level}, when: \"{expression}\"}}\n");
        }
        let at = text.find("    # Conditions over several").unwrap();
        text.insert_str(at, &more);
        document::parse("policy/policy.yaml", text.as_bytes()).unwrap()
    }

    /// A value that the words of a change allow, as far from the least as `share` of the way.
    fn allowed(change: &Change, share: f64) -> Value {
        let number = |word: &str| {
            let rest = change.to.split_once(word)?.1.trim_start();
            rest.split(' ').next().unwrap().parse::<f64>().ok()
        };
        let (least, most) = (number("at least"), number("at most"));
        let (more, less) = (number("more than"), number("less than"));
        let is_range = least.or(most).or(more).or(less).is_some();
        match change.value.unwrap() {
            Value::Percent(_) if is_range => {
                let low = least.or(more).unwrap_or(0.0);
                let high = most.or(less).unwrap_or(100.0);
                percent(low + (high - low) * share.clamp(0.001, 0.999))
            }
            Value::Count(_) if is_range => {
                let low = least.unwrap_or(0.0);
                let high = most.unwrap_or(low + 20.0);
                Value::Count((low + ((high - low) * share).round()) as u64)
            }
            other => other,
        }
    }

    /// The readings with some values moved.
    fn moved(readings: &Readings, values: &[(&str, Value)]) -> Readings {
        let of = |reading: &Reading| {
            let mut values = values.iter();
            let value = values.find(|(signal, _)| *signal == reading.signal.as_str());
            value.map_or_else(
                || reading.clone(),
                |(_, value)| Reading::bare(reading.signal.clone(), Outcome::Valid(*value)),
            )
        };
        Readings::new(readings.iter().map(of).collect())
    }

    #[test]
    fn what_relieves_an_expression_is_told_in_numbers() {
        let told = |expression: &str, tuple: Tuple| {
            let policy = with_expressions(&[(expression.to_owned(), true)]);
            let decision = decide_under(&policy, &readings(&tuple));
            let needs = decision.needs.last().unwrap();
            assert_eq!(needs.level, Level::YELLOW);
            let changes = needs.changes.iter();
            let changes =
                changes.map(|change| format!("{} {} -> {}", change.what, change.from, change.to));
            changes.collect::<Vec<_>>().join("; ")
        };
        let tuple = Tuple {
            locked: Some(false),
            integrity: Some(96.0),
            consensus: Some(92.0),
            reputation: Some(70.0),
            forecast: Some("low"),
            responses: Some(5),
        };
        let low = Tuple {
            integrity: Some(70.0),
            ..tuple
        };
        let table = [
            (
                "reputation < 75.0",
                tuple,
                "reputation 70.0 -> at least 75.0",
            ),
            (
                "reputation <= 75.0",
                tuple,
                "reputation 70.0 -> more than 75.0",
            ),
            (
                "responses > 2.0 && responses < 90.0",
                tuple,
                "responses 5 -> at most 2",
            ),
            ("forecast != 'medium'", tuple, "forecast low -> medium"),
            // Raised over its line it would fire the expression: the next value that does not.
            (
                "integrity >= 90.0 && integrity < 93.0",
                low,
                "integrity 70.0 -> at least 93.0",
            ),
            // No value of its own does, so that of another signal has to move as well.
            (
                "integrity >= 90.0 && consensus < 95.0",
                low,
                "integrity 70.0 -> at least 90.0; consensus 92.0 -> at least 95.0",
            ),
            // Not every value beyond the one that does, does.
            (
                "reputation < 75.0 || reputation > 90.0",
                tuple,
                "reputation 70.0 -> a value such as 75.0",
            ),
            (
                "integrity >= 90.0",
                low,
                "integrity 70.0 -> at least 90.0; E0 it does not hold -> the same, but the other changes would make it hold",
            ),
            (
                "integrity + consensus >= 0.0",
                tuple,
                "E0 it holds -> not `integrity + consensus >= 0.0`, an expression: a value that is moved may make it hold or not",
            ),
        ];
        for (expression, tuple, expected) in table {
            assert_eq!(told(expression, tuple), expected, "{expression}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        /// What is asked for with a value reaches its level, anywhere in the range that is named; and
        /// where a part of it is left out, the level is not reached.
        #[test]
        fn every_change_that_is_asked_for_reaches_what_it_promises(
            tuple in any_tuple(),
            expressions in prop::collection::vec((any_expression(), any::<bool>()), 1..4),
            shares in prop::collection::vec(0.0..=1.0, 6),
        ) {
            let policy = with_expressions(&expressions);
            let before = readings(&tuple);
            let decision = decide_under(&policy, &before);
            for needs in &decision.needs {
                prop_assert!(!needs.changes.is_empty(), "{:?}", decision);
                if needs.changes.iter().any(|change| change.value.is_none()) {
                    continue;
                }
                let changes = needs.changes.iter();
                let level = |values: &[(&str, Value)]| decide_under(&policy, &moved(&before, values)).level;
                let nearest: Vec<(&str, Value)> = changes
                    .clone()
                    .map(|change| (change.what.as_str(), change.value.unwrap()))
                    .collect();
                prop_assert!(level(&nearest) <= needs.level, "{:?}", needs);
                let further: Vec<(&str, Value)> = changes
                    .zip(&shares)
                    .map(|(change, share)| (change.what.as_str(), allowed(change, *share)))
                    .collect();
                prop_assert!(level(&further) <= needs.level, "{:?} with {:?}", needs, further);
                for left_out in 0..nearest.len() {
                    let mut almost = nearest.clone();
                    let (what, _) = almost.remove(left_out);
                    prop_assert!(level(&almost) > needs.level, "{} is not needed: {:?}", what, needs);
                }
            }
        }
    }
}
