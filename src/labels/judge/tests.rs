//! The fixtures of the bundle, and what has to hold for every request.

use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::policy::Level;
use crate::request::{Envelope, envelope::Decision};

fn labels() -> Labels {
    Labels::built_in().unwrap()
}

fn around() -> Circumstances {
    Circumstances::undisturbed(
        Timestamp::read("2026-03-01T12:00:00Z").unwrap().time,
        Some(Level::GREEN),
    )
}

fn asked(value: &Value) -> Request {
    Request::parse(value.to_string().as_bytes()).unwrap()
}

fn envelope(labels: &Labels, value: &Value) -> Envelope {
    let verdict = labels.judge(&asked(value), &around()).unwrap();
    Envelope::new(None, verdict, None, &around())
}

fn inputs() -> Vec<(String, Value)> {
    let directory = Path::new("examples/requests/policy/fixtures/inputs");
    let mut inputs: Vec<(String, Value)> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (
                name,
                serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap(),
            )
        })
        .collect();
    inputs.sort_by(|one, other| one.0.cmp(&other.0));
    inputs
}

#[test]
fn every_fixture_is_answered_as_it_says() {
    let labels = labels();
    let inputs = inputs();
    assert!(inputs.len() >= 65, "{}", inputs.len());
    for (name, input) in inputs {
        let expected = format!("examples/requests/policy/fixtures/expected/{name}.decision.json");
        let mut expected: Value =
            serde_json::from_slice(&std::fs::read(expected).unwrap()).unwrap();
        let mut around = around();
        if let Some(Value::Object(given)) =
            expected.as_object_mut().unwrap().remove("circumstances")
        {
            around.at = Timestamp::read(given["at"].as_str().unwrap()).unwrap().time;
        }
        let verdict = labels.judge(&asked(&input), &around).unwrap();
        let envelope = serde_json::to_value(Envelope::new(None, verdict, None, &around)).unwrap();
        let members = [
            "decision",
            "policy_label",
            "obligations",
            "reason_codes",
            "alternatives",
        ];
        let found: Map<String, Value> = members
            .into_iter()
            .filter_map(|key| Some((key.to_owned(), envelope.get(key)?.clone())))
            .collect();
        assert_eq!(Value::Object(found), expected, "{name}");
    }
}

#[test]
fn a_request_about_no_resource_is_not_ours() {
    for value in [json!({}), json!({"resource": null, "action": "read"})] {
        assert!(labels().judge(&asked(&value), &around()).is_none());
    }
    let odd = envelope(&labels(), &json!({"resource": "everything"}));
    assert_eq!(odd.decision, Decision::Deny);
    assert_eq!(odd.reason_codes[0], codes::REQUEST_SHAPE);
}

#[test]
fn a_thousand_repeats_give_the_same_bytes() {
    let labels = labels();
    for (name, input) in inputs().into_iter().step_by(20) {
        let bytes = || serde_json::to_vec(&envelope(&labels, &input)).unwrap();
        let first = bytes();
        assert!((0..1000).all(|_| bytes() == first), "{name}");
    }
}

/// Everything that a public caller may be denied looks like what does not exist.
#[test]
fn a_public_caller_learns_nothing_of_what_is_restricted() {
    let labels = labels();
    let absent = Envelope::new(
        None,
        Verdict::deny(codes::NO_POLICY_APPLIES),
        None,
        &around(),
    );
    let absent = serde_json::to_vec(&absent.public()).unwrap();
    let hidden = LABELS.map(|label| (!label.starts_with("public")).then_some(label));
    let hidden: Vec<&str> = hidden.into_iter().flatten().collect();
    let mut asked = 0;
    for number in 0..200 {
        let label = hidden[number % hidden.len()];
        let action = ["read", "query", "serve", "export", "promote"][number % 5];
        let request = json!({
            "user": {"principal": format!("user:{number}"), "role": "public", "groups": []},
            "action": action,
            "resource": {"type": "dataset", "dataset_version_id": format!("2026-02.{number:04}"),
                "policy_label": label, "embargo_until": "2026-12-31", "license": "CC-BY-4.0",
                "rights": "redistribution-allowed", "attribution": "Someone with a name"},
            "context": {"purpose": "browse"}
        });
        let answer = envelope(&labels, &request);
        assert!(!answer.is_allowed(), "{request}");
        let told = serde_json::to_vec(&answer.public()).unwrap();
        assert_eq!(told, absent, "{request}");
        asked += 1;
    }
    assert_eq!(asked, 200);
}

#[test]
fn what_is_explained_names_rules_with_their_lines() {
    let (_, input) = inputs()
        .into_iter()
        .find(|(name, _)| name == "public_read_public_dataset")
        .unwrap();
    let around = Circumstances {
        explain: true,
        ..around()
    };
    let verdict = labels().judge(&asked(&input), &around).unwrap();
    let told: Vec<String> = verdict
        .steps
        .iter()
        .map(|step| format!("{}: {}", step.rule, step.said))
        .collect();
    assert_eq!(told[0], "public: is the label");
    assert_eq!(told[1], "public-read: allow");
    assert_eq!(told[2], "public-read-organisation: did not match");
    assert!(
        verdict
            .steps
            .iter()
            .all(|step| step.line.is_some_and(|line| line > 1))
    );
}

/// Every path to a member, the inner ones too.
fn paths(value: &Value, prefix: &[String], all: &mut Vec<Vec<String>>) {
    for (key, below) in value.as_object().into_iter().flatten() {
        let path: Vec<String> = prefix.iter().cloned().chain([key.clone()]).collect();
        paths(below, &path, all);
        all.push(path);
    }
}

fn without(value: &Value, path: &[String]) -> Value {
    let mut value = value.clone();
    let (last, above) = path.split_last().unwrap();
    let mut here = &mut value;
    for key in above {
        here = &mut here[key];
    }
    here.as_object_mut().unwrap().remove(last);
    value
}

/// What removes a bar by going away, rather than a ground to allow: a word that is unknown, an embargo on
/// what has no embargo of its own, evidence that need not be there, a point that is none to ask from.
fn is_a_bar(name: &str, path: &[String]) -> bool {
    let path = path.join(".");
    name.starts_with("unknown_field") && path.split('.').count() == 2
        || name == "embargo_on_a_public_dataset" && path == "resource.embargo_until"
        || name == "abstain_read_with_unresolved_evidence" && path.starts_with("context")
        || name == "identity_hash_cut_short" && path == "resource.spec_hash"
        || ["interface_decides_nothing", "storage_is_no_way_in"].contains(&name) && path == "point"
        || name == "unknown_field_of_context" && path == "context"
        // Without `resource` it is no question of labels any more.
        || path == "resource"
}

#[test]
fn what_is_taken_away_from_a_request_opens_nothing() {
    let labels = labels();
    let mut removed = 0;
    for (name, input) in inputs() {
        let before = envelope(&labels, &input).is_allowed();
        let mut all = Vec::new();
        paths(&input, &[], &mut all);
        for path in all.into_iter().filter(|path| !is_a_bar(&name, path)) {
            removed += 1;
            let after = envelope(&labels, &without(&input, &path));
            assert!(before || !after.is_allowed(), "{name} without {path:?}");
            let required = [
                "user",
                "user.principal",
                "user.role",
                "action",
                "resource.type",
                "resource.policy_label",
            ]
            .contains(&path.join(".").as_str());
            assert!(!(required && after.is_allowed()), "{name} without {path:?}");
        }
    }
    assert!(removed > 1000);
}

fn word(words: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    proptest::sample::select(words)
}

const LABELS: [&str; 8] = [
    "public",
    "public_generalized",
    "internal",
    "restricted",
    "restricted_sensitive_location",
    "embargoed",
    "quarantine",
    "foo",
];

prop_compose! {
    fn any_request()(
        role in word(&["public", "internal", "steward", "operator", "admin"]),
        action in word(&["read", "query", "serve", "export", "promote", "drop"]),
        label in word(&LABELS),
        kind in word(&["dataset", "story", "evidence_bundle"]),
        point in word(&["governed_api", "pipeline_runner", "evidence_resolver", "user_interface"]),
        rights in any::<bool>(),
        until in word(&["", "2026-02-27", "2026-12-31", "soon"]),
        reviewed in any::<bool>(),
        evidence in proptest::collection::vec((any::<bool>(), word(&LABELS)), 0..3),
    ) -> Value {
        let mut resource = json!({"type": kind, "dataset_version_id": "2026-02.0001", "policy_label": label});
        if rights {
            resource["license"] = json!("CC-BY-4.0");
            resource["rights"] = json!("own-work");
            resource["attribution"] = json!("Someone");
        }
        if !until.is_empty() {
            resource["embargo_until"] = json!(until);
            resource["embargo_reviewed"] = json!(reviewed);
        }
        let evidence: Vec<Value> = evidence
            .into_iter()
            .map(|(resolved, label)| json!({"id": "evidence:1", "resolved": resolved, "policy_label": label}))
            .collect();
        json!({"point": point, "user": {"principal": "user:x", "role": role}, "action": action,
            "resource": resource, "context": {"evidence": evidence}})
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_in_quarantine_and_nothing_unresolved_is_ever_allowed(request in any_request()) {
        let labels = labels();
        let allowed = envelope(&labels, &request).is_allowed();
        let unresolved = request["context"]["evidence"].as_array().unwrap().iter()
            .any(|piece| piece["resolved"] == json!(false) || piece["policy_label"] == json!("quarantine"));
        if unresolved || request["resource"]["policy_label"] == json!("quarantine") {
            prop_assert!(!allowed);
        }
        if request["resource"]["embargo_until"] == json!("2026-12-31") {
            prop_assert!(!allowed);
        }
        if request["point"] == json!("user_interface") {
            prop_assert!(!allowed);
        }
    }

    /// A rule that denies, or one that names fewer or needs more, never lets anything through.
    #[test]
    fn a_narrower_table_allows_no_more(
        request in any_request(),
        label in 0_usize..7,
        rule in 0_usize..8,
        how in 0_u8..5,
    ) {
        let before = labels();
        let mut after = before.clone();
        let rules = &mut after.table[label].rules;
        let rule = rule % rules.len();
        let rule = &mut rules[rule];
        match how {
            0 => { rule.effect = RuleEffect::Deny; rule.code = None; }
            1 => { if rule.effect == RuleEffect::Allow { rule.roles.pop(); if rule.roles.is_empty() { rule.roles.push("nobody".to_owned()); } } }
            2 => { if rule.effect == RuleEffect::Allow { rule.actions.pop(); if rule.actions.is_empty() { rule.actions.push("nothing".to_owned()); } } }
            3 => rule.needs.push(Need::Rights),
            _ => rule.needs.push(Need::EmbargoOver),
        }
        let was = envelope(&before, &request).is_allowed();
        let is = envelope(&after, &request).is_allowed();
        prop_assert!(was || !is, "{request}");
    }
}
