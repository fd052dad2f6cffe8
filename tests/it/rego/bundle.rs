//! The bundle of the examples, which has to answer as the layer of labels does, and its own tests.

use std::collections::BTreeMap;

use policy_orchestrator::authorization::vocabulary;
use policy_orchestrator::labels::Labels;
use policy_orchestrator::labels::fixtures::{self, Fixture};
use policy_orchestrator::rego;
use policy_orchestrator::request::envelope::Circumstances;
use policy_orchestrator::request::{Request, Verdict};
use serde_json::json;

use crate::workspace::Workspace;

/// What the bundle of the examples asks.
const DECISION: &str = "data.kfm.authz.decision";

/// The files below a directory of the examples, by the path that they have in a workspace.
fn examples(directory: &str) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(format!("examples/requests/{directory}")).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{directory}/{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                open.push(path);
            } else {
                found.push((path, std::fs::read(entry.path()).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The bundle of the examples, and the layer of labels that it has to answer as.
fn both() -> (Labels, rego::Compiled) {
    let labels = Labels::built_in().unwrap();
    let mut settings = rego::Settings::default();
    settings.entries.push(rego::Entry::new(DECISION));
    let words = vocabulary(&labels);
    let bundle = rego::compile(&examples("policy/rego"), &settings, &words).unwrap();
    (labels, bundle)
}

fn all_fixtures(labels: &Labels) -> Vec<Fixture> {
    let by_name = |directory: &str| -> BTreeMap<String, Vec<u8>> {
        let files = examples(&format!("policy/fixtures/{directory}")).into_iter();
        files
            .map(|(path, bytes)| (path.rsplit('/').next().unwrap().to_owned(), bytes))
            .collect()
    };
    let (inputs, expected) = (by_name("inputs"), by_name("expected"));
    let directory = fixtures::DIRECTORY;
    fixtures::parse(directory, &inputs, &expected, labels).unwrap()
}

/// Where the two differ; reasons are each one's own.
fn difference(
    both: &(Labels, rego::Compiled),
    request: &Request,
    around: &Circumstances,
) -> Option<String> {
    let native = both.0.judge(request, around)?;
    let said = both.1.judge(request, around)?;
    let whole = |verdict: &Verdict| {
        let verdict = verdict.clone();
        let told = (verdict.effect, verdict.label, verdict.obligations);
        (told, verdict.codes, verdict.alternatives)
    };
    (whole(&native) != whole(&said)).then(|| format!("{request:?}\n  {native:?}\n  {said:?}"))
}

#[test]
fn the_tests_of_the_bundle_pass_and_notice_what_is_taken_out() {
    let workspace = Workspace::healthy();
    for directory in ["policy/rego", "policy/tests"] {
        for (path, bytes) in examples(directory) {
            workspace.write(&path, String::from_utf8(bytes).unwrap());
        }
    }
    let tested = workspace.program(&["policy", "test"]).exits(0).json();
    assert_eq!(
        (&tested["passed"], &tested["failed"]),
        (&40.into(), &0.into())
    );
    for (module, from, to) in [
        ("authz", "not promotion.is_governed", "false"),
        ("authz", "not sensitivity.carries", "false"),
        ("errors", "== \"explicit\"", "!= \"explicit\""),
        ("obligations", "max(many)", "min(many)"),
        ("rights", "right == true", "right != null"),
        (
            "sensitivity",
            "thing.embargo_reviewed == true",
            "thing.embargo_reviewed",
        ),
    ] {
        let path = format!("policy/rego/kfm/{module}.rego");
        let whole = workspace.read(&path);
        assert!(whole.contains(from), "{module}: {from}");
        workspace.write(&path, whole.replace(from, to));
        let failed = workspace.program(&["policy", "test"]).exits(1).json();
        assert_ne!(failed["failed"], 0, "{module}: {from}");
        workspace.write(&path, whole);
    }
}

#[test]
fn the_bundle_answers_every_fixture_as_the_labels_do() {
    let both = both();
    let fixtures = all_fixtures(&both.0);
    assert!(fixtures.len() >= 193, "{}", fixtures.len());
    let wrong = fixtures
        .iter()
        .filter_map(|fixture| difference(&both, &fixture.request, &fixture.around));
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}: {}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_bundle_answers_what_is_malformed_as_the_labels_do() {
    let both = both();
    let odd = [
        json!(null),
        json!(""),
        json!(7),
        json!(true),
        json!([]),
        json!([[]]),
        json!(["e1"]),
        json!([{"resolved": true}]),
        json!([{"id": "e1", "resolved": true, "colour": "red"}]),
        json!({"x": 1}),
        json!("2026-02-30x"),
        json!("2026-02-27T23:30:00-02:00"),
    ];
    let mut wrong = Vec::new();
    for fixture in all_fixtures(&both.0).iter().step_by(24) {
        let request = serde_json::Value::Object(fixture.request.members().clone());
        // A `context` that is no object is denied before any rule is asked.
        for pointer in [
            "/user",
            "/user/principal",
            "/user/role",
            "/action",
            "/resource/type",
            "/resource/policy_label",
            "/resource/dataset_version_id",
            "/resource/evidence",
            "/resource/embargo_until",
            "/context/evidence",
        ] {
            for value in &odd {
                let mut request = request.clone();
                let (parent, key) = pointer.rsplit_once('/').unwrap();
                request.pointer_mut(parent).unwrap()[key] = value.clone();
                let request = Request::parse(request.to_string().as_bytes()).unwrap();
                wrong.extend(difference(&both, &request, &fixture.around));
            }
        }
    }
    let some: Vec<String> = wrong.iter().take(5).cloned().collect();
    assert!(wrong.is_empty(), "{}: {}", wrong.len(), some.join("\n"));
}
