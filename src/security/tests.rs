//! Tests of the layer: rows S1-040 to S1-049, C-17 and C-19, and what must hold of any documents.

use proptest::prelude::*;
use serde_json::{Value, json};

mod narrow;

use super::given::Given;
use super::*;
use crate::policy::Level;
use crate::request::envelope::{Circumstances, Decision, Envelope};
use crate::request::{Effect, Request, Verdict};
use crate::time::Timestamp;

/// The document of row EX-07, as far as its names and rules go.
const OWN_DATA: &str = r#"
apiVersion: policy.orchestra.v1
kind: SecurityPolicy
metadata: {name: agent-data-access-policy, namespace: agents, version: "1.0.0"}
spec:
  scope:
    - resource: agents
      selector: {type: user_created}
    - resource: data
      selector: {classification: [confidential, restricted]}
  rules:
    - name: user_scope_restriction
      condition: |
        agent.user_id == data.owner_user_id
      effect: allow
    - name: cross_user_access_denial
      condition: |
        agent.user_id != data.owner_user_id
      effect: deny
      actions: [audit_log, security_alert, agent_termination]
  enforcement: {mode: strict, evaluation_point: pre_execution}
  monitoring:
    metrics: [policy_evaluations_total, policy_violations_total]
    alerts: [{condition: "violation_rate > 0.01", severity: critical}]
"#;

fn around() -> Circumstances {
    Circumstances::undisturbed(Timestamp::EPOCH, Some(Level::GREEN))
}

fn compiled(texts: &[&str]) -> Compiled {
    let names: Vec<String> = (0..texts.len()).map(|n| format!("{n}.yaml")).collect();
    let documents: Vec<(&str, &[u8])> = names
        .iter()
        .zip(texts)
        .map(|(name, text)| (name.as_str(), text.as_bytes()))
        .collect();
    compile(&documents).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn problems(text: &str) -> Vec<String> {
    let problems = compile(&[("a.yaml", text.as_bytes())]).unwrap_err();
    problems.iter().map(ToString::to_string).collect()
}

fn request(value: &Value) -> Request {
    Request::parse(value.to_string().as_bytes()).unwrap()
}

fn judged(policies: &Compiled, value: &Value) -> Option<Verdict> {
    policies.judge(&request(value), &around())
}

fn own(agent: &Value, data: &Value) -> Value {
    let mut request =
        json!({"agent": {"type": "user_created"}, "data": {"classification": "confidential"}});
    request["agent"]["user_id"] = agent.clone();
    request["data"]["owner_user_id"] = data.clone();
    request
}

fn kinds(verdict: &Verdict) -> Vec<&str> {
    verdict
        .obligations
        .iter()
        .map(|one| one.kind.as_str())
        .collect()
}

fn codes_of(verdict: &Verdict) -> Vec<String> {
    verdict.codes.iter().map(ToString::to_string).collect()
}

#[test]
fn an_agent_reaches_the_data_of_its_user_only() {
    let policies = compiled(&[OWN_DATA]);
    let allowed = judged(&policies, &own(&json!("u1"), &json!("u1"))).unwrap();
    assert_eq!(allowed.effect, Effect::Allow);
    let denied = judged(&policies, &own(&json!("u1"), &json!("u2"))).unwrap();
    assert_eq!(denied.effect, Effect::Deny);
    assert_eq!(codes_of(&denied), ["SECURITY_RULE_DENIED"]);
    assert_eq!(
        kinds(&denied),
        [
            "audit_log",
            "security_alert",
            "agent_termination",
            "violation_response"
        ]
    );
    let plan = &denied.obligations[3].parameters;
    let named = |class: &str| plan[class].as_array().unwrap().len();
    assert_eq!(
        ["immediate", "investigative", "remedial", "preventive"].map(named),
        [3, 2, 2, 2]
    );
}

#[test]
fn what_is_absent_empty_or_of_another_kind_is_denied() {
    let policies = compiled(&[OWN_DATA]);
    for (agent, data, code) in [
        (json!(null), json!(null), "ATTRIBUTE_MISSING"),
        (json!("u1"), json!(null), "ATTRIBUTE_MISSING"),
        (json!(null), json!("u1"), "ATTRIBUTE_MISSING"),
        (json!(""), json!(""), "ATTRIBUTE_MISSING"),
        (json!("1"), json!(1), "ATTRIBUTE_UNUSABLE"),
        (json!(["u1"]), json!(["u1"]), "ATTRIBUTE_UNUSABLE"),
        (json!({}), json!({}), "ATTRIBUTE_UNUSABLE"),
    ] {
        let verdict = judged(&policies, &own(&agent, &data)).unwrap();
        assert_eq!(verdict.effect, Effect::Deny, "{agent} {data}");
        assert_eq!(codes_of(&verdict), ["SECURITY_RULE_DENIED", code]);
    }
    let mut without = own(&json!("u1"), &json!("u1"));
    without["data"]
        .as_object_mut()
        .unwrap()
        .remove("classification");
    let verdict = judged(&policies, &without).unwrap();
    assert_eq!(codes_of(&verdict), ["DEFAULT_DENY", "ATTRIBUTE_MISSING"]);
}

#[test]
fn large_numbers_are_told_apart() {
    let policies = compiled(&[OWN_DATA]);
    let effect = |one: &str, other: &str| {
        let text = format!(
            r#"{{"agent":{{"type":"user_created","user_id":{one}}},"data":{{"classification":"restricted","owner_user_id":{other}}}}}"#
        );
        let request = Request::parse(text.as_bytes()).unwrap();
        policies.judge(&request, &around()).unwrap().effect
    };
    assert_eq!(
        effect("9007199254740993", "9007199254740993"),
        Effect::Allow
    );
    assert_eq!(effect("9007199254740993", "9007199254740992"), Effect::Deny);
    assert_eq!(
        effect("9007199254740993", "9007199254740993.0"),
        Effect::Deny
    );
    assert_eq!(
        effect("9007199254740993.0", "9007199254740992.0"),
        Effect::Deny
    );
    assert_eq!(
        effect("18446744073709551617", "18446744073709551616"),
        Effect::Deny
    );
    assert_eq!(effect("7", "7.0"), Effect::Allow);
}

#[test]
fn what_is_in_no_scope_is_none_of_its_business() {
    let policies = compiled(&[OWN_DATA]);
    for value in [
        json!({}),
        json!({"agent": {"type": "user_created", "user_id": "u1"}}),
        json!({"agent": {"type": "built_in"}, "data": {"classification": "restricted"}}),
        json!({"agent": {"type": "user_created"}, "data": {"classification": "public"}}),
        json!({"agent": {"type": "user_created"}, "data": null}),
    ] {
        assert_eq!(judged(&policies, &value), None, "{value}");
    }
    assert_eq!(policies.members(), ["agent", "data"]);
}

fn policy(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: policy.orchestra.v1\nkind: SecurityPolicy\nmetadata: {{name: {name}}}\nspec:\n{spec}\n"
    )
}

#[test]
fn restricted_data_are_never_for_agents_whoever_allows_it() {
    let never = policy(
        "never",
        "  scope: [{resource: agents}, {resource: data, selector: {classification: restricted}}]\n  rules: [{name: never, condition: 'true', effect: deny}]\n  enforcement: {mode: strict}",
    );
    let policies = compiled(&[OWN_DATA, &never]);
    let mut value = own(&json!("u1"), &json!("u1"));
    assert_eq!(judged(&policies, &value).unwrap().effect, Effect::Allow);
    value["data"]["classification"] = json!("restricted");
    assert_eq!(judged(&policies, &value).unwrap().effect, Effect::Deny);
}

#[test]
fn a_document_on_trial_changes_nothing_and_is_told() {
    let spec = |mode: &str| {
        format!(
            "  scope: [{{resource: data}}]\n  rules: [{{name: none, condition: 'true', effect: deny}}]\n  enforcement: {{mode: {mode}}}"
        )
    };
    let tagged = |mode: &str| {
        policy("trial", &spec(mode)).replace("{name: trial}", "{name: trial, tags: [staging]}")
    };
    let value = own(&json!("u1"), &json!("u1"));
    let warned = compiled(&[OWN_DATA, &tagged("warn")]);
    let verdict = judged(&warned, &value).unwrap();
    assert_eq!(verdict.effect, Effect::Allow);
    assert_eq!(
        verdict.reasons,
        ["on trial: `none` of 1.yaml would deny it"]
    );
    let monitored = compiled(&[OWN_DATA, &tagged("monitor")]);
    assert!(judged(&monitored, &value).unwrap().reasons.is_empty());
    let alone = compiled(&[&tagged("monitor")]);
    assert_eq!(judged(&alone, &value), None);
    let seen = alone.observe(&request(&value), Timestamp::EPOCH);
    assert_eq!(seen[0].said, "on trial: deny");
    let found = problems(&policy("trial", &spec("warn")));
    assert!(found[0].contains("staging"), "{found:#?}");
}

#[test]
fn a_document_can_be_asked_at_one_point_only() {
    let text = policy(
        "gate",
        "  scope: [{resource: data}]\n  rules: [{name: all, condition: 'true', effect: allow}]\n  enforcement: {mode: strict, evaluation_point: data_layer}",
    );
    let policies = compiled(&[&text]);
    let at = |point: Value| {
        let verdict = judged(&policies, &json!({"data": {}, "point": point}));
        verdict.map(|verdict| verdict.effect)
    };
    assert_eq!(at(json!("data_layer")), Some(Effect::Allow));
    assert_eq!(at(json!("api_gateway")), None);
    assert_eq!(at(json!(null)), Some(Effect::Deny));
    let found = problems(&text.replace("data_layer", "post_execution"));
    assert!(found[0].starts_with("VALUE_UNKNOWN a.yaml:7"), "{found:#?}");
}

#[test]
fn an_unusable_condition_is_refused_at_its_place() {
    let found = problems(&OWN_DATA.replace("agent.user_id == data", "agent.user_id = data"));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].starts_with("CONDITION_INVALID a.yaml:14:23"),
        "{found:#?}"
    );
    let twice = compile(&[
        ("a.yaml", OWN_DATA.as_bytes()),
        ("b.yaml", OWN_DATA.as_bytes()),
    ]);
    assert_eq!(twice.unwrap_err()[0].code, Code::NameDuplicate);
}

#[test]
fn what_an_agent_asks_for_is_held_against_its_limits() {
    let text = "agent_policies:\n  resource_limits:\n    - name: cpu_memory_limits\n      scope: user_created_agents\n      limits: {cpu: 100m, memory: 128Mi, storage: 1Gi}\n      enforcement: strict\n";
    let policies = compiled(&[text]);
    let denied = |resources: Value| {
        let value = json!({"agent": {"id": "a"}, "resources": resources});
        judged(&policies, &value).is_some_and(|verdict| verdict.effect == Effect::Deny)
    };
    let asked = |cpu: f64, memory: u64, storage: u64| json!({"cpu": cpu, "memory_bytes": memory, "storage_bytes": storage});
    let (memory, storage) = (134_217_728, 1_073_741_824);
    assert!(!denied(asked(0.1, memory, storage)), "at the limits");
    assert!(denied(asked(0.101, memory, storage)));
    assert!(denied(asked(0.1, memory + 1, storage)));
    assert!(denied(asked(0.1, memory, storage + 1)));
    assert!(denied(json!({})), "what is not said is not within limits");
    assert!(denied(
        json!({"cpu": "100m", "memory_bytes": 1, "storage_bytes": 1})
    ));
    assert_eq!(judged(&policies, &json!({"agent": {"id": "a"}})), None);
    let without = text.replace(
        "limits: {cpu: 100m, memory: 128Mi, storage: 1Gi}",
        "rule: little",
    );
    let policies = compiled(&[&without]);
    let value = json!({"agent": {}, "resources": {"cpu": 64}});
    assert_eq!(judged(&policies, &value), None, "no limit, no rule");
}

#[test]
fn transactions_are_not_deleted_before_their_time_and_then_beyond_recovery() {
    let text = "compliance_policies:\n  financial_regulations:\n    - name: transaction_data_retention\n      scope: financial_transactions\n      retention_period: 7_years\n      secure_deletion: true\n      enforcement: strict\n";
    let policies = compiled(&[text]);
    let denied = |at: &str, value: &Value| {
        let around = Circumstances {
            at: Timestamp::read(at).unwrap().time,
            level: None,
            stopped: false,
            explain: false,
        };
        let verdict = policies.judge(&request(value), &around);
        verdict.is_some_and(|verdict| verdict.effect == Effect::Deny)
    };
    let delete = |data: Value| json!({"action": "delete", "data": data});
    let old = delete(
        json!({"kind": "transaction", "created_at": "2019-01-15T12:00:00Z", "secure_deletion": true}),
    );
    assert!(denied("2026-01-15T11:59:59Z", &old));
    assert!(!denied("2026-01-15T12:00:00Z", &old));
    let later = "2036-01-15T12:00:00Z";
    for data in [
        json!({"kind": "transaction", "created_at": "2019-01-15T12:00:00Z"}),
        json!({"kind": "transaction", "created_at": "2019-01-15T12:00:00Z", "secure_deletion": "true"}),
        json!({"kind": "transaction", "secure_deletion": true}),
        json!({"kind": "transaction", "created_at": "long ago", "secure_deletion": true}),
        json!({"kind": "transaction", "created_at": 0, "secure_deletion": true}),
        json!({"created_at": "2019-01-15T12:00:00Z", "secure_deletion": true}),
    ] {
        assert!(
            !denied(later, &json!({"action": "read", "data": data})),
            "{data}"
        );
        let is_known = data["kind"] == "transaction";
        let is_whole =
            data["created_at"] == "2019-01-15T12:00:00Z" && data["secure_deletion"] == true;
        assert_eq!(
            denied(later, &delete(data.clone())),
            !(is_known && is_whole),
            "{data}"
        );
    }
    let other = delete(json!({"kind": "draft"}));
    assert!(!denied(later, &other));
    assert!(!denied(later, &json!({"data": {"kind": "draft"}})));
    assert!(
        denied(later, &json!({"data": {}})),
        "nobody knows what is asked"
    );
}

#[test]
fn known_entries_of_other_documents_deny_and_never_allow() {
    let system = "system_policies:\n  authentication:\n    - {name: multi_factor_authentication_required, scope: all_users, enforcement: strict, exceptions: []}\n  data_protection:\n    - {name: pii_encryption_mandatory, scope: all_data_containing_pii, enforcement: strict, exceptions: []}\n";
    let agents = "agent_policies:\n  data_access:\n    - {name: user_data_scope_restriction, scope: all_agents, rule: own data only, enforcement: strict, violations: [immediate_termination, security_alert]}\n  communication:\n    - {name: inter_agent_communication_audit, scope: all, rule: audited, enforcement: strict}\n";
    let compliance = "compliance_policies:\n  lgpd:\n    - {name: data_subject_consent_validation, scope: personal_data_processing, rule: consent, evidence_required: true, enforcement: strict}\n";
    let policies = compiled(&[system, agents, compliance]);
    let verdict = |value: Value| judged(&policies, &value);
    for (value, denied) in [
        (json!({}), false),
        (json!({"user": {}}), true),
        (json!({"user": {"mfa_verified": false}}), true),
        (json!({"user": {"mfa_verified": "true"}}), true),
        (json!({"user": {"mfa_verified": true}}), false),
        (json!({"message": {}}), true),
        (json!({"message": {"audit_reference": ""}}), true),
        (json!({"message": {"audit_reference": "a1"}}), false),
        (json!({"data": {}}), true),
        (json!({"data": {"contains_pii": false}}), false),
        (
            json!({"data": {"contains_pii": true, "encrypted": true}}),
            true,
        ),
        (
            json!({"data": {"contains_pii": true, "encrypted": true, "consent": "explicit"}}),
            true,
        ),
        (
            json!({"data": {"contains_pii": true, "encrypted": true, "consent": "explicit", "consent_reference": "c1"}}),
            false,
        ),
    ] {
        let found = verdict(value.clone()).map(|verdict| verdict.effect);
        assert_eq!(found, denied.then_some(Effect::Deny), "{value}");
    }
    let others = verdict(
        json!({"agent": {"user_id": "a"}, "data": {"contains_pii": false, "owner_user_id": "b"}}),
    );
    assert_eq!(
        kinds(&others.unwrap()),
        ["immediate_termination", "security_alert"]
    );
    let weak = problems(&system.replacen("strict", "warn", 1));
    assert!(
        weak[0].starts_with("POLICY_CONTRADICTION a.yaml:3"),
        "{weak:#?}"
    );
}

/// A condition over a few attributes, as text.
fn condition(allow: bool) -> impl Strategy<Value = String> {
    let has = if allow { "has(data.a)" } else { "!has(data.a)" };
    let leaf = prop::sample::select(vec![
        "agent.a == data.a",
        "agent.a != data.a",
        "data.n < 3",
        "data.n >= 2",
        "agent.b",
        "!agent.b",
        "data.a in ['x', 'y']",
        "'x' in data.list",
        "agent.a in data.list",
        "data.a.startsWith('x')",
        "data.a != 'x'",
        "true",
        has,
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) && ({b})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("({a}) || ({b})")),
        ]
    })
}

fn rule() -> impl Strategy<Value = (bool, String)> {
    any::<bool>().prop_flat_map(|allow| condition(allow).prop_map(move |text| (allow, text)))
}

/// A document by its number: its scope, and its rules.
type Drawn = (usize, Vec<(bool, String)>);

fn document(number: usize, drawn: &Drawn) -> String {
    let scope = [
        "[{resource: agents}, {resource: data}]",
        "[{resource: data, selector: {a: [x, y]}}, {resource: agents}]",
        "[{resource: data, selector: {a: x}}, {resource: data, selector: {c: z}}, {resource: agents}]",
        "[{resource: agents, selector: {a: [x]}}, {resource: data}]",
    ][drawn.0 % 4];
    let mut rules = String::new();
    for (at, (allow, text)) in drawn.1.iter().enumerate() {
        let effect = if *allow { "allow" } else { "deny" };
        rules.push_str(&format!(
            "    - {{name: r{at}, condition: \"{text}\", effect: {effect}, actions: [act{at}]}}\n"
        ));
    }
    policy(
        &format!("p{number}"),
        &format!("  scope: {scope}\n  rules:\n{rules}  enforcement: {{mode: strict}}"),
    )
}

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let one = (0_usize..4, prop::collection::vec(rule(), 1..4));
    prop::collection::vec(one, 1..4)
}

fn asked() -> impl Strategy<Value = Value> {
    let word = || {
        prop::sample::select(vec![
            json!("x"),
            json!("y"),
            json!("z"),
            json!(null),
            json!(1),
            json!(""),
        ])
    };
    let number = prop::sample::select(vec![
        json!(1),
        json!(2),
        json!(3.5),
        json!(null),
        json!("2"),
    ]);
    let flag = prop::sample::select(vec![json!(true), json!(false), json!(null)]);
    let list = prop::sample::select(vec![json!(["x"]), json!([]), json!([1, "y"]), json!(null)]);
    (word(), word(), word(), number, flag, list).prop_map(|(a, b, c, n, flag, list)| {
        json!({"agent": {"a": a, "b": flag}, "data": {"a": b, "c": c, "n": n, "list": list}})
    })
}

fn allows(policies: &Compiled, value: &Value) -> bool {
    judged(policies, value).is_some_and(|verdict| verdict.effect == Effect::Allow)
}

fn texts(drawn: &[Drawn]) -> Vec<String> {
    drawn
        .iter()
        .enumerate()
        .map(|(at, one)| document(at, one))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn taking_an_attribute_away_never_allows(drawn in drawn(), value in asked()) {
        let texts = texts(&drawn);
        let policies = compiled(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        if !allows(&policies, &value) {
            for member in ["agent", "data"] {
                for key in ["a", "b", "c", "n", "list"] {
                    let mut less = value.clone();
                    less[member].as_object_mut().unwrap().remove(key);
                    prop_assert!(!allows(&policies, &less), "{key} of {member}");
                }
                let mut less = value.clone();
                less[member] = json!({});
                prop_assert!(!allows(&policies, &less), "all of {member}");
                less.as_object_mut().unwrap().remove(member);
                prop_assert!(!allows(&policies, &less), "{member}");
            }
        }
    }

    #[test]
    fn one_more_denial_never_allows(drawn in drawn(), more in condition(false), value in asked()) {
        let before = texts(&drawn);
        let mut with = drawn.clone();
        with[0].1.push((false, more));
        let after = texts(&with);
        let before = compiled(&before.iter().map(String::as_str).collect::<Vec<_>>());
        let after = compiled(&after.iter().map(String::as_str).collect::<Vec<_>>());
        prop_assert!(allows(&before, &value) || !allows(&after, &value));
    }

    #[test]
    fn the_order_of_documents_and_keys_does_not_matter(drawn in drawn(), value in asked()) {
        let texts = texts(&drawn);
        let swapped: Vec<String> = texts.iter().map(|text| {
            let (head, spec) = text.split_once("spec:\n").unwrap();
            format!("spec:\n{spec}{}", head.trim_start())
        }).collect();
        let named = |texts: &[String]| -> Vec<(String, Vec<u8>)> {
            texts.iter().enumerate().map(|(at, text)| (format!("{at}.yaml"), text.clone().into_bytes())).collect()
        };
        let verdict = |documents: Vec<(String, Vec<u8>)>| {
            let documents: Vec<(&str, &[u8])> =
                documents.iter().map(|(name, text)| (name.as_str(), text.as_slice())).collect();
            judged(&compile(&documents).unwrap(), &value)
        };
        let mut reversed = named(&swapped);
        reversed.reverse();
        prop_assert_eq!(verdict(named(&texts)), verdict(reversed));
    }
}

/// The sample document, and what it means, written without any of the code that is tested.
fn sample_allows(value: &Value) -> bool {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let class = text(&value["data"]["classification"]);
    let (user, owner) = (&value["agent"]["user_id"], &value["data"]["owner_user_id"]);
    let same = match (user, owner) {
        (Value::String(user), Value::String(owner)) => !user.is_empty() && user == owner,
        (Value::Number(user), Value::Number(owner)) => user.as_f64() == owner.as_f64(),
        (Value::Bool(user), Value::Bool(owner)) => user == owner,
        _ => false,
    };
    let permitted = value["agent"]["permissions"]
        .as_array()
        .is_some_and(|all| all.contains(&json!("confidential_data_access")));
    let open = class.as_deref() == Some("internal");
    let closed = class.as_deref() == Some("confidential") && permitted;
    text(&value["agent"]["type"]).as_deref() == Some("user_created") && same && (open || closed)
}

/// What attributes are worth in the corpus: right, wrong, absent, empty, of another kind.
fn corpus() -> Vec<Value> {
    let types = [
        json!("user_created"),
        json!("built_in"),
        json!(null),
        json!(1),
        json!(["user_created"]),
    ];
    let users = [
        json!("u1"),
        json!("u2"),
        json!(null),
        json!(""),
        json!(1),
        json!(1.0),
        json!(true),
        json!({}),
        json!("U1"),
    ];
    let classes = [
        json!("internal"),
        json!("confidential"),
        json!("restricted"),
        json!("public"),
        json!(null),
        json!(2),
    ];
    let permissions = [
        json!(["confidential_data_access"]),
        json!([1, "confidential_data_access"]),
        json!(["read", 3]),
        json!([]),
        json!("confidential_data_access"),
        json!(null),
    ];
    let mut all = Vec::new();
    for kind in &types {
        for user in &users {
            for owner in &users {
                for class in &classes {
                    for permission in &permissions {
                        all.push(json!({
                            "agent": {"type": kind, "user_id": user, "permissions": permission},
                            "data": {"owner_user_id": owner, "classification": class},
                        }));
                    }
                }
            }
        }
    }
    all
}

#[test]
fn no_case_of_a_labelled_corpus_is_wrongly_allowed() {
    let text = include_str!("../../examples/requests/policy/security/agent-data.yaml");
    let policies = compiled(&[text]);
    let corpus = corpus();
    assert!(corpus.len() >= 10_000, "{}", corpus.len());
    let expected = corpus.iter().filter(|value| sample_allows(value)).count();
    assert!(expected > 50, "{expected}");
    for value in &corpus {
        assert_eq!(allows(&policies, value), sample_allows(value), "{value}");
    }
}

#[test]
fn the_samples_compile_without_a_warning() {
    let system = include_str!("../../examples/security/system.yaml");
    let agents = include_str!("../../examples/requests/policy/security/agent-data.yaml");
    let policies = compiled(&[system, agents]);
    assert!(policies.warnings().is_empty(), "{:?}", policies.warnings());
}

#[test]
fn an_accessor_may_be_a_user_as_well_as_an_agent() {
    let users = policy(
        "users",
        "  scope: [{resource: users}, {resource: data}]\n  rules: [{name: own, condition: user.id == data.owner_user_id, effect: allow}]\n  enforcement: {mode: strict, evaluation_point: data_layer}",
    );
    let policies = compiled(&[OWN_DATA, &users]);
    let by_user =
        json!({"point": "data_layer", "user": {"id": "u1"}, "data": {"owner_user_id": "u1"}});
    assert!(allows(&policies, &by_user));
    assert!(allows(&policies, &own(&json!("u1"), &json!("u1"))));
    let other =
        json!({"point": "data_layer", "user": {"id": "u2"}, "data": {"owner_user_id": "u1"}});
    assert!(!allows(&policies, &other));
}

#[test]
fn an_envelope_of_it_has_its_reasons() {
    let policies = compiled(&[OWN_DATA]);
    let verdict = judged(&policies, &own(&json!("u1"), &json!("u2"))).unwrap();
    let envelope = Envelope::new(Some("r1"), verdict, None, &around());
    assert_eq!(envelope.decision, Decision::Deny);
    assert_eq!(
        envelope.reasons,
        ["`cross_user_access_denial` of 0.yaml denies it"]
    );
}
