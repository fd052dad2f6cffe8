//! Rego as a user sees it: tests that are run, modules that are refused, and a build that can't. The
//! bundle of the examples has to answer as the layer of labels does.

#[cfg(feature = "rego")]
use std::collections::BTreeMap;

#[cfg(feature = "rego")]
use policy_orchestrator::labels::fixtures::Fixture;
#[cfg(feature = "rego")]
use policy_orchestrator::rego;
#[cfg(feature = "rego")]
use policy_orchestrator::request::envelope::Circumstances;
#[cfg(feature = "rego")]
use policy_orchestrator::request::{Request, Verdict};
#[cfg(feature = "rego")]
use serde_json::json;

use crate::workspace::Workspace;

/// The rules and tests that ship as examples.
const RULES: &str = include_str!("../../examples/requests/policy/rego/orchestra/data_access.rego");
const TESTS: &str =
    include_str!("../../examples/requests/policy/rego/orchestra/data_access_test.rego");

fn workspace() -> Workspace {
    let workspace = Workspace::healthy();
    workspace.write("policy/rego/orchestra/data_access.rego", RULES);
    workspace.write("policy/tests/data_access_test.rego", TESTS);
    workspace
}

#[test]
#[cfg(feature = "rego")]
fn tests_in_rego_are_found_and_run() {
    let workspace = workspace();
    let tested = workspace.program(&["policy", "test"]).exits(0).json();
    assert_eq!(
        (&tested["passed"], &tested["failed"]),
        (&7.into(), &0.into())
    );
    let least = ["policy", "test", "--junit", "out.xml"];
    let human = workspace.program(&[&least[..], &["--verbose", "--format", "human"]].concat());
    let human = human.exits(0).stdout;
    assert!(
        human.contains("7 tests in Rego passed, 0 failed, 0 could not be evaluated, 0 skipped"),
        "{human}"
    );
    assert!(workspace.read("out.xml").contains("testcase"));
    // A test that fails, and a module that can't be used.
    let wrong = TESTS.replace(
        "count(data_access.deny) == 1",
        "count(data_access.deny) == 2",
    );
    workspace.write("policy/tests/data_access_test.rego", wrong);
    let failed = workspace.program(&["policy", "test"]).exits(1).json();
    assert_eq!(failed["failed"], 1);
    workspace.write(
        "policy/rego/orchestra/data_access.rego",
        "package a\nallow {\n",
    );
    let refused = workspace.program(&["policy", "test"]).exits(1).stderr;
    assert!(refused.contains("REGO_INVALID"), "{refused}");
}

#[test]
#[cfg(feature = "rego")]
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
#[cfg(feature = "rego")]
fn coverage_is_told_by_line_and_held_against_a_threshold() {
    let workspace = workspace();
    let told = workspace
        .program(&["policy", "test", "--coverage"])
        .exits(0);
    let coverage = told.json()["rego"]["coverage"].clone();
    assert_eq!(coverage["coverage"], 100.0, "{coverage}");
    workspace.write(
        "policy/rego/other.rego",
        "package other\n\nallow if {\n\tinput.x\n\tinput.y\n}\n",
    );
    let told = workspace
        .program(&["policy", "test", "--coverage"])
        .exits(0);
    let file = told.json()["rego"]["coverage"]["files"]["policy/rego/other.rego"].clone();
    let rows = json!([{"start": {"row": 4}, "end": {"row": 5}}]);
    let expected =
        json!({"not_covered": rows, "covered_lines": 0, "not_covered_lines": 2, "coverage": 0.0});
    assert_eq!(file, expected);
    let least = |percent: &str| {
        let words = [
            "policy",
            "test",
            "--threshold",
            percent,
            "--format",
            "human",
        ];
        workspace.program(&words)
    };
    let enough = least("50").exits(0).stdout;
    assert!(
        enough.contains("0.00 %  policy/rego/other.rego  not: 4-5"),
        "{enough}"
    );
    let few = least("99").exits(1).stdout;
    assert!(few.contains("less than the 99 % of --threshold"), "{few}");
    let plain = workspace.program(&["policy", "test"]).exits(0).json();
    assert_eq!(plain["rego"].get("coverage"), None);
    // Nothing to hold against it is no pass.
    std::fs::remove_file(workspace.file("policy/tests/data_access_test.rego")).unwrap();
    let none = least("1").exits(1).stderr;
    assert!(none.contains("there is no test in Rego"), "{none}");
}

#[test]
#[cfg(not(feature = "rego"))]
fn a_build_without_rego_refuses_and_says_how_to_get_one() {
    let refused = workspace().program(&["policy", "test"]).exits(1).stderr;
    assert!(refused.contains("FEATURE_MISSING"), "{refused}");
    assert!(refused.contains("--features rego"), "{refused}");
}

/// A bundle of the example's rules; signed where there is a key.
#[cfg(feature = "rego")]
fn signed_bundle(rules: &str, key: Option<&policy_orchestrator::keys::PrivateKey>) -> Vec<u8> {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use policy_orchestrator::ids::Digest;

    let manifest = r#"{"roots": ["orchestra"], "revision": "7"}"#;
    let bare = r#"{"revision":"7","roots":["orchestra"]}"#;
    let mut files = vec![
        ("/.manifest", manifest.to_owned()),
        ("/orchestra/data_access.rego", rules.to_owned()),
    ];
    if let Some(key) = key {
        let of = |name: &str, text: &str| {
            let hash = Digest::of(text.as_bytes()).to_string();
            json!({"name": name, "hash": hash, "algorithm": "SHA-256"})
        };
        // What was signed are the rules of the example, whatever stands in the bundle.
        let claims =
            json!({"files": [of(".manifest", bare), of("orchestra/data_access.rego", RULES)]});
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#);
        let text = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = p256::ecdsa::Signature::from_der(&key.sign(text.as_bytes())).unwrap();
        let token = format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()));
        files.push((
            "/.signatures.json",
            json!({"signatures": [token]}).to_string(),
        ));
    }
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(gzip);
    for (path, text) in &files {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        archive.append(&header, text.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

#[test]
#[cfg(feature = "rego")]
fn a_bundle_decides_only_as_it_was_signed() {
    use policy_orchestrator::keys::{Algorithm, PrivateKey};

    let workspace = Workspace::healthy();
    let key = PrivateKey::generate(Algorithm::EcdsaP256).unwrap();
    workspace.write("policy/keys/bundles.pub", key.verifying().to_pem());
    workspace.write("request.json", r#"{"id":"1","agent":{"id":"a","user_id":"u","permissions":[]},"data":{"owner_user_id":"u","classification":"public"}}"#);
    let decide = |signed_by: &str, rules: &str, key: Option<&PrivateKey>, exit: i32| {
        workspace.write("policy/bundles/agents.tar.gz", signed_bundle(rules, key));
        let settings = format!(
            "apiVersion: policy.orchestra.v1\nkind: RequestPolicy\nspec:\n  rego:\n    - bundle: policy/bundles/agents.tar.gz\n      decision: data.orchestra.agent.data_access.allow\n      members: [agent, data]\n{signed_by}"
        );
        workspace.write("policy/requests.yaml", settings);
        let ran = workspace
            .program(&["decide", "--input", "request.json"])
            .exits(exit);
        let decision = ran.json()["decision"].as_str().unwrap().to_owned();
        assert_eq!(decision == "allow", exit == 0);
        ran.stderr
    };
    let by = "      signed_by: policy/keys/bundles.pub\n";
    decide(by, RULES, Some(&key), 0);
    decide("      signed_by: anybody\n", RULES, Some(&key), 0);
    decide("", RULES, None, 0);
    let mut told = String::new();
    let other = PrivateKey::generate(Algorithm::EcdsaP256).unwrap();
    let changed = RULES.replace("default allow := false", "default allow := true");
    for (what, signed_by, rules, key) in [
        ("signed, no key named", "", RULES, Some(&key)),
        ("not signed", by, RULES, None),
        ("by another key", by, RULES, Some(&other)),
        ("changed", by, changed.as_str(), Some(&key)),
        (
            "no such key",
            "      signed_by: policy/keys/none.pub\n",
            RULES,
            Some(&key),
        ),
        (
            "a secret within",
            "      signed_by: secret.txt\n",
            RULES,
            Some(&key),
        ),
        (
            "another scope",
            "      signed_by: policy/keys/bundles.pub\n      scope: write\n",
            RULES,
            Some(&key),
        ),
    ] {
        workspace.write("secret.txt", "a secret of at least thirty-two bytes");
        let path = workspace.file("secret.txt");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(path, mode).unwrap();
        let stderr = decide(signed_by, rules, key, 5);
        let root = workspace.path().display().to_string();
        told += &format!("--- {what}\n{}", stderr.replace(&root, "WORKSPACE"));
    }
    insta::assert_snapshot!("bundles_that_are_not_as_signed", told);
}

/// What the bundle of the examples asks.
#[cfg(feature = "rego")]
const DECISION: &str = "data.kfm.authz.decision";

/// The files below a directory of the examples, by the path that they have in a workspace.
#[cfg(feature = "rego")]
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
#[cfg(feature = "rego")]
fn both() -> (policy_orchestrator::labels::Labels, rego::Compiled) {
    let labels = policy_orchestrator::labels::Labels::built_in().unwrap();
    let mut settings = rego::Settings::default();
    settings.entries.push(rego::Entry::new(DECISION));
    let words = policy_orchestrator::authorization::vocabulary(&labels);
    let bundle = rego::compile(&examples("policy/rego"), &settings, &words).unwrap();
    (labels, bundle)
}

#[cfg(feature = "rego")]
fn fixtures(labels: &policy_orchestrator::labels::Labels) -> Vec<Fixture> {
    let by_name = |directory: &str| -> BTreeMap<String, Vec<u8>> {
        let files = examples(&format!("policy/fixtures/{directory}")).into_iter();
        files
            .map(|(path, bytes)| (path.rsplit('/').next().unwrap().to_owned(), bytes))
            .collect()
    };
    let (inputs, expected) = (by_name("inputs"), by_name("expected"));
    let directory = policy_orchestrator::labels::fixtures::DIRECTORY;
    policy_orchestrator::labels::fixtures::parse(directory, &inputs, &expected, labels).unwrap()
}

/// Where the two differ; reasons are each one's own.
#[cfg(feature = "rego")]
fn difference(
    both: &(policy_orchestrator::labels::Labels, rego::Compiled),
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
#[cfg(feature = "rego")]
fn the_bundle_answers_every_fixture_as_the_labels_do() {
    let both = both();
    let fixtures = fixtures(&both.0);
    assert!(fixtures.len() >= 193, "{}", fixtures.len());
    let wrong = fixtures
        .iter()
        .filter_map(|fixture| difference(&both, &fixture.request, &fixture.around));
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}: {}", wrong.len(), wrong.join("\n"));
}

#[test]
#[cfg(feature = "rego")]
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
    for fixture in fixtures(&both.0).iter().step_by(24) {
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

#[test]
fn the_words_of_the_bundle_are_those_of_the_vocabularies() {
    let read = |path: &str| std::fs::read_to_string(format!("examples/requests/{path}")).unwrap();
    for (copy, of) in [
        ("labels", "policy_labels"),
        ("obligations", "obligations"),
        ("reason_codes", "reason_codes"),
    ] {
        let copy = format!("policy/rego/kfm/vocab/{copy}/data.yaml");
        let of = format!("policy/vocab/{of}.v1.yml");
        assert_eq!(read(&copy), read(&of), "{copy} is no copy of {of}");
    }
    let labels = policy_orchestrator::labels::Labels::built_in().unwrap();
    let licenses = labels.rubrics().licenses().iter();
    let rights = labels.rubrics().rights().iter();
    let line = |word: &str, may: bool| format!("  {word}: {may}\n");
    let licenses: String = licenses
        .map(|one| line(&one.license, one.hand_on))
        .collect();
    let rights: String = rights.map(|one| line(&one.word, one.hand_on)).collect();
    let copy = read("policy/rego/kfm/vocab/licensing/data.yaml");
    let (_, copy) = copy.split_once('\n').unwrap();
    assert_eq!(copy, format!("licenses:\n{licenses}rights:\n{rights}"));
}

/// Modules of two kinds that are seen often and that no version of Open Policy Agent takes.
const WRONG: [(&str, &str); 2] = [
    (
        "records",
        include_str!("../fixtures/rego/wrong_records.rego"),
    ),
    (
        "envelope",
        include_str!("../fixtures/rego/wrong_envelope.rego"),
    ),
];

/// What is said of a module in each dialect, as a user reads it.
#[test]
#[cfg(feature = "rego")]
fn wrong_modules_are_told_what_to_write() {
    for (name, text) in WRONG {
        let mut told = String::new();
        for dialect in [rego::Dialect::V1, rego::Dialect::V0] {
            let mut settings = rego::Settings {
                dialect,
                ..rego::Settings::default()
            };
            settings
                .entries
                .push(rego::Entry::new("data.archive.decision"));
            let files = [(format!("policy/rego/{name}.rego"), text.as_bytes().to_vec())];
            let refused = rego::compile(&files, &settings, &rego::Vocabulary::default());
            told += &format!("--- as {dialect:?}\n");
            for finding in refused.unwrap_err() {
                let help = finding.help.clone().unwrap_or_default();
                told += &format!("{finding}\n  help: {help}\n");
            }
        }
        insta::assert_snapshot!(format!("wrong_{name}"), told);
    }
}

#[test]
fn wrong_modules_are_told_by_policy_show_in_every_build() {
    for (name, text) in WRONG {
        let workspace = Workspace::empty();
        let file = format!("{name}.rego");
        workspace.write(&file, text);
        let shown = workspace.program(&["policy", "show", &file, "--format", "human"]);
        insta::assert_snapshot!(format!("wrong_{name}_shown"), shown.exits(0).stderr);
    }
}
