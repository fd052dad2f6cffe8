//! What is left out of asking changes nothing: any documents, any request, the whole verdict.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Given, compiled, policy, request};
use crate::policy::Level;
use crate::request::Verdict;
use crate::request::envelope::Circumstances;
use crate::security::Compiled;
use crate::security::judge::Tally;
use crate::time::Timestamp;

/// A condition of many forms, as text.
fn condition(allow: bool) -> impl Strategy<Value = String> {
    let has = if allow { "has(data.a)" } else { "!has(data.a)" };
    let leaf = prop::sample::select(vec![
        "agent.a == data.a",
        "agent.a != data.a",
        "data.a == 'x'",
        "data.a != 'x'",
        "'y' == data.a",
        "data.a == ''",
        "agent.a == 'x'",
        "agent.a == 'é'",
        "data.a in ['x', 'y', 'x']",
        "!(data.a in ['xy', 'y'])",
        "'x' in data.list",
        "'y' in data.list",
        "!('x' in data.list)",
        "agent.a in data.list",
        "data.a.startsWith('x')",
        "data.a.startsWith('xy')",
        "data.a.startsWith('é')",
        "!data.a.startsWith('xyy')",
        "data.a.endsWith('y')",
        "data.a.endsWith('xy')",
        "data.a.endsWith('é')",
        "data.a.contains('y')",
        "data.a.startsWith(agent.a)",
        "'xyy'.endsWith(data.a)",
        "data.n < 3",
        "data.n >= 2",
        "data.n == 2",
        "data.n in [1, 2]",
        "agent.b",
        "!agent.b",
        "agent.b == true",
        "data.deep.er == 'x'",
        "other.a == 'x'",
        "true",
        "false",
    ]);
    let leaf = prop_oneof![20 => leaf, 1 => Just(has)].prop_map(str::to_owned);
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) && ({b})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("({a}) || ({b}) || ({c})")),
            inner.prop_map(|a| if a.contains("has(") {
                a
            } else {
                format!("!({a})")
            }),
        ]
    })
}

/// A rule: does it allow, its condition, and whether it has an action.
fn rule() -> impl Strategy<Value = (bool, String, bool)> {
    any::<bool>().prop_flat_map(|allow| (Just(allow), condition(allow), any::<bool>()))
}

/// A document: what it is about, how it is kept, its rules.
fn document() -> impl Strategy<Value = (usize, usize, Vec<(bool, String, bool)>)> {
    (
        0..SCOPES.len(),
        0_usize..8,
        prop::collection::vec(rule(), 1..6),
    )
}

const SCOPES: [&str; 7] = [
    "[]",
    "[{resource: agents}, {resource: data}]",
    "[{resource: data, selector: {a: [x, y]}}, {resource: agents}]",
    "[{resource: data, selector: {a: x}}, {resource: data, selector: {c: z}}]",
    "[{resource: agents, selector: {a: [x]}}, {resource: data}]",
    "[{resource: others}]",
    "[{resource: data, selector: {deep.er: x}}]",
];

const ENTRIES: &str = "system_policies:\n  some:\n    - {name: multi_factor_authentication_required, scope: all, enforcement: strict, exceptions: []}\n    - {name: pii_encryption_mandatory, scope: all, enforcement: strict, exceptions: []}\n";

fn text(number: usize, drawn: &(usize, usize, Vec<(bool, String, bool)>)) -> String {
    let (scope, kept, rules) = drawn;
    let enforcement = match kept {
        0 => "{mode: warn}",
        1 => "{mode: monitor}",
        2 => "{mode: strict, evaluation_point: data_layer}",
        _ => "{mode: strict}",
    };
    let tags = if *kept < 2 { ", tags: [staging]" } else { "" };
    let mut lines = String::new();
    for (at, (allow, condition, acts)) in rules.iter().enumerate() {
        let effect = if *allow { "allow" } else { "deny" };
        let actions = if *acts {
            format!(", actions: [act{at}]")
        } else {
            String::new()
        };
        lines.push_str(&format!(
            "    - {{name: r{at}, condition: \"{condition}\", effect: {effect}{actions}}}\n"
        ));
    }
    let scope = SCOPES[*scope];
    policy(
        &format!("p{number}{tags}"),
        &format!("  scope: {scope}\n  rules:\n{lines}  enforcement: {enforcement}"),
    )
}

/// A request: any of its attributes may be absent, `null`, or of another kind.
fn asked() -> impl Strategy<Value = Value> {
    let of = |values: &[Value]| prop::sample::select(values.to_vec());
    let word = || {
        of(&[
            json!("x"),
            json!("y"),
            json!("xy"),
            json!("xyy"),
            json!("é"),
            json!("yé"),
            json!("z"),
            json!(""),
            json!(null),
            json!(1),
            json!({}),
        ])
    };
    let number = of(&[json!(1), json!(2), json!(3.5), json!(null), json!("2")]);
    let flag = of(&[json!(true), json!(false), json!(null), json!("true")]);
    let list = of(&[
        json!(["x"]),
        json!([]),
        json!(["x", "y"]),
        json!([1, "y"]),
        json!(["z", null]),
        json!("x"),
        json!(null),
    ]);
    let more = of(&[
        json!({}),
        json!({"other": {"a": "x"}}),
        json!({"other": "x"}),
        json!({"point": "data_layer"}),
        json!({"point": "api_gateway", "user": {"mfa_verified": true}}),
        json!({"user": {}}),
        json!({"agent": null}),
        json!({"data": null, "other": {}}),
        json!({"data": "x"}),
    ]);
    ((word(), word(), word(), word()), number, flag, list, more).prop_map(
        |((a, b, c, er), n, flag, list, more)| {
            let mut asked = json!({
                "agent": {"a": a, "b": flag},
                "data": {"a": b, "c": c, "n": n, "list": list, "deep": {"er": er}},
            });
            for (key, value) in more.as_object().unwrap() {
                asked[key] = value.clone();
            }
            asked
        },
    )
}

fn around(explain: bool) -> Circumstances {
    Circumstances {
        at: Timestamp::EPOCH,
        level: Some(Level::GREEN),
        stopped: false,
        explain,
    }
}

/// Every rule of every document, asked in its order.
fn one_by_one(policies: &Compiled, value: &Value) -> Option<Verdict> {
    let request = request(value);
    let given = Given::new(&request, &policies.paths, Timestamp::EPOCH);
    policies.answer(Tally::new(false), &given, || policies.one_by_one(&given))
}

fn set() -> impl Strategy<Value = (Vec<String>, bool)> {
    let documents = prop::collection::vec(document(), 1..6);
    (documents, any::<bool>()).prop_map(|(drawn, with_entries)| {
        let texts = drawn.iter().enumerate().map(|(at, one)| text(at, one));
        (texts.collect(), with_entries)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_not_asked_would_have_said_nothing(
        (texts, with_entries) in set(),
        values in prop::collection::vec(asked(), 1..6),
    ) {
        let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        if with_entries {
            texts.push(ENTRIES);
        }
        let policies = compiled(&texts);
        for value in &values {
            let plain = one_by_one(&policies, value);
            let told = policies.judge(&request(value), &around(true));
            prop_assert_eq!(&policies.judge(&request(value), &around(false)), &plain, "{}", value);
            let told = told.map(|told| Verdict { steps: Vec::new(), ..told });
            prop_assert_eq!(&told, &plain, "{}", value);
        }
    }
}

/// A set that has more rules than a word has bits, of which each denies one value.
#[test]
fn of_many_rules_those_that_speak_are_found() {
    let rules: Vec<String> = (0..150)
        .map(|at| {
            format!(
                "    - {{name: r{at}, condition: \"data.kind == 'k{at}'\", effect: deny, actions: [act{at}]}}\n"
            )
        })
        .collect();
    let rules = rules.concat();
    let texts: Vec<String> = ["a", "b"]
        .map(|name| {
            policy(
                name,
                &format!(
                    "  scope: [{{resource: data}}]\n  rules:\n{rules}  enforcement: {{mode: strict}}"
                ),
            )
        })
        .to_vec();
    let policies = compiled(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    for at in 0..150 {
        let value = json!({"data": {"kind": format!("k{at}")}});
        let verdict = policies.judge(&request(&value), &around(false)).unwrap();
        let expected: Vec<String> = ["0.yaml", "1.yaml"]
            .map(|file| format!("`r{at}` of {file} denies it"))
            .to_vec();
        assert_eq!(verdict.reasons, expected);
        assert_eq!(Some(verdict), one_by_one(&policies, &value));
    }
    for (value, denials) in [
        (json!({"data": {"kind": "other"}}), 0),
        (json!({"data": {}}), 300),
    ] {
        let verdict = policies.judge(&request(&value), &around(false)).unwrap();
        assert_eq!(verdict.obligations.len(), denials / 2);
        assert_eq!(Some(verdict), one_by_one(&policies, &value));
    }
}
