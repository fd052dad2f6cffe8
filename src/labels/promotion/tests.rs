//! A version that passes every gate, and what happens when one thing of it is missing.

use serde_json::{Value, json};

use super::*;

fn manifest() -> Value {
    let sum = Digest::of(b"data").to_string();
    let receipt = Digest::of(b"receipt").to_string();
    json!({
        "schema": 1,
        "dataset_version_id": "2026-02.abcd1234",
        "spec_hash": format!("sha256:{sum}"),
        "dataset_class": "spatial",
        "policy_label": "public",
        "license": "CC-BY-4.0",
        "rights": "redistribution-allowed",
        "attribution": "Example Survey, 2026",
        "sensitivity": {"handling": "none-needed"},
        "catalogs": {"dcat": "c/dcat.json", "stac": "c/stac.json", "prov": "c/prov.json"},
        "receipts": [{"path": "r/run.json", "sha256": receipt}],
        "files": [{"path": "d/data.parquet", "sha256": sum}],
        "evidence": [{"id": "evidence:1", "resolved": true, "policy_label": "public"}],
        "exports": ["public"]
    })
}

fn facts() -> Facts {
    let catalog = json!({"dataset_version_id": "2026-02.abcd1234", "policy_label": "public", "license": "CC-BY-4.0"});
    let receipt = json!({"dataset_version_id": "2026-02.abcd1234", "decision": "allow", "obligations": [], "policy_sha256": "x"});
    let found = |bytes: &[u8], json: Option<Value>| Found {
        sha256: Digest::of(bytes),
        json,
    };
    let files = [
        ("c/dcat.json", found(b"c", Some(catalog.clone()))),
        (
            "c/stac.json",
            found(b"c", Some(json!({"properties": catalog.clone()}))),
        ),
        ("c/prov.json", found(b"c", Some(catalog))),
        ("r/run.json", found(b"receipt", Some(receipt))),
        ("d/data.parquet", found(b"data", None)),
        ("plans/p.md", found(b"plan", None)),
    ];
    Facts {
        files: files
            .into_iter()
            .map(|(path, found)| (path.to_owned(), found))
            .collect(),
        tests: Tests {
            passed: 193,
            failed: 0,
        },
        at: Timestamp::read("2026-03-01T12:00:00Z").unwrap().time,
        level: Some(Level::GREEN),
    }
}

fn judged(manifest: &Value, facts: &Facts) -> Outcome {
    let manifest = Manifest::parse(manifest.to_string().as_bytes()).unwrap();
    check(&Labels::built_in().unwrap(), &manifest, facts)
}

fn failed(outcome: &Outcome) -> Vec<(&str, &str)> {
    let gates = outcome.gates.iter();
    let failures = gates.flat_map(|gate| {
        gate.failures
            .iter()
            .map(|one| (gate.gate, one.code.as_str()))
    });
    crate::ids::distinct(failures)
}

#[test]
fn a_whole_version_passes_seven_gates() {
    let outcome = judged(&manifest(), &facts());
    assert_eq!(failed(&outcome), []);
    assert_eq!((outcome.decision, outcome.gates.len()), ("allow", 7));
    let paths = Manifest::parse(manifest().to_string().as_bytes()).unwrap();
    assert_eq!(
        paths.paths(),
        [
            "c/dcat.json",
            "c/prov.json",
            "c/stac.json",
            "d/data.parquet",
            "r/run.json"
        ]
    );
}

/// What is changed in a good manifest, and the gates that then close with their codes.
type Case = (&'static str, Value, &'static [(&'static str, &'static str)]);

#[test]
#[expect(clippy::too_many_lines, reason = "a table, a case after the other")]
fn each_thing_that_is_missing_closes_its_gate() {
    let tables: &[Case] = &[
        (
            "/dataset_version_id",
            Value::Null,
            &[
                ("identity", "IDENTITY_MISSING"),
                ("catalogs", "CATALOG_DIFFERS"),
                ("receipts", "RECEIPT_MISSING"),
            ],
        ),
        (
            "/dataset_version_id",
            json!("2026-latest"),
            &[
                ("identity", "IDENTITY_UNSTABLE"),
                ("catalogs", "CATALOG_DIFFERS"),
                ("receipts", "RECEIPT_MISSING"),
                ("exports", "IDENTITY_UNSTABLE"),
            ],
        ),
        (
            "/spec_hash",
            json!("abc"),
            &[
                ("identity", "IDENTITY_UNSTABLE"),
                ("exports", "IDENTITY_UNSTABLE"),
            ],
        ),
        (
            "/license",
            Value::Null,
            &[
                ("rights", "RIGHTS_MISSING"),
                ("catalogs", "CATALOG_DIFFERS"),
                ("exports", "RIGHTS_MISSING"),
            ],
        ),
        (
            "/rights",
            json!("perhaps"),
            &[("rights", "RIGHTS_MISSING"), ("exports", "RIGHTS_MISSING")],
        ),
        (
            "/rights",
            json!("display-only"),
            &[("rights", "RIGHTS_FORBID"), ("exports", "RIGHTS_FORBID")],
        ),
        (
            "/attribution",
            json!(" "),
            &[("rights", "RIGHTS_MISSING"), ("exports", "RIGHTS_MISSING")],
        ),
        (
            "/sensitivity",
            Value::Null,
            &[("sensitivity", "SENSITIVITY_UNCLEAR")],
        ),
        (
            "/sensitivity/handling",
            json!("careful"),
            &[("sensitivity", "SENSITIVITY_UNCLEAR")],
        ),
        (
            "/sensitivity/handling",
            json!("access-limited"),
            &[("sensitivity", "SENSITIVITY_UNCLEAR")],
        ),
        (
            "/sensitivity/handling",
            json!("redacted"),
            &[("sensitivity", "SENSITIVITY_UNCLEAR")],
        ),
        (
            "/dataset_class",
            json!("other"),
            &[("catalogs", "CATALOG_MISSING")],
        ),
        (
            "/catalogs/stac",
            json!("c/none.json"),
            &[("catalogs", "CATALOG_MISSING")],
        ),
        ("/receipts", json!([]), &[("receipts", "RECEIPT_MISSING")]),
        ("/files", json!([]), &[("receipts", "CHECKSUM_MISSING")]),
        (
            "/files/0/sha256",
            Value::Null,
            &[("receipts", "CHECKSUM_MISSING")],
        ),
        (
            "/files/0/path",
            json!("d/none"),
            &[("receipts", "CHECKSUM_MISSING")],
        ),
        (
            "/files/0/path",
            json!("plans/p.md"),
            &[("receipts", "CHECKSUM_DIFFERS")],
        ),
        (
            "/receipts/0/path",
            json!("d/data.parquet"),
            &[("receipts", "CHECKSUM_DIFFERS")],
        ),
        (
            "/evidence/0/resolved",
            json!(false),
            &[
                ("tests", "ABSTAIN_EVIDENCE_UNRESOLVED"),
                ("exports", "ABSTAIN_EVIDENCE_UNRESOLVED"),
            ],
        ),
        (
            "/policy_label",
            json!("quarantine"),
            &[
                ("sensitivity", "LABEL_QUARANTINED"),
                ("sensitivity", "SENSITIVITY_UNCLEAR"),
                ("catalogs", "CATALOG_DIFFERS"),
                ("exports", "LABEL_QUARANTINED"),
            ],
        ),
        (
            "/policy_label",
            Value::Null,
            &[
                ("sensitivity", "LABEL_MISSING"),
                ("sensitivity", "SENSITIVITY_UNCLEAR"),
                ("catalogs", "CATALOG_DIFFERS"),
                ("exports", "LABEL_MISSING"),
            ],
        ),
        (
            "/embargo_until",
            json!("2026-12-31"),
            &[
                ("sensitivity", "EMBARGO_ACTIVE"),
                ("exports", "EMBARGO_ACTIVE"),
            ],
        ),
        (
            "/exports/0",
            json!("everybody"),
            &[("exports", "ROLE_UNKNOWN")],
        ),
    ];
    for (path, value, expected) in tables {
        let mut changed = manifest();
        let (above, last) = path.rsplit_once('/').unwrap();
        match changed.pointer_mut(above).unwrap() {
            Value::Array(items) => items[last.parse::<usize>().unwrap()] = value.clone(),
            other => other[last] = value.clone(),
        }
        let outcome = judged(&changed, &facts());
        assert_eq!(failed(&outcome), *expected, "{path}: {value}");
        assert_eq!(outcome.decision, "deny");
        assert!(
            outcome
                .gates
                .iter()
                .flat_map(|gate| &gate.failures)
                .all(|one| !one.hint.is_empty())
        );
    }
}

#[test]
fn the_level_and_the_policies_tests_count() {
    for (level, code) in [
        (None, "LEVEL_UNKNOWN"),
        (Some(Level::RED), "LEVEL_TOO_HIGH"),
    ] {
        let outcome = judged(&manifest(), &Facts { level, ..facts() });
        assert_eq!(
            (outcome.decision, outcome.reason_codes[0].as_str()),
            ("deny", code)
        );
        assert!(outcome.gates.iter().all(|gate| gate.passed));
    }
    for tests in [
        Tests {
            passed: 0,
            failed: 0,
        },
        Tests {
            passed: 9,
            failed: 1,
        },
    ] {
        let outcome = judged(&manifest(), &Facts { tests, ..facts() });
        assert_eq!(failed(&outcome), [("tests", "POLICY_TESTS_FAILED")]);
    }
    let yellow = Facts {
        level: Some(Level::YELLOW),
        ..facts()
    };
    assert_eq!(judged(&manifest(), &yellow).decision, "allow");
}

#[test]
fn a_catalog_or_a_receipt_that_lacks_what_it_has_to_say_is_none() {
    let mut odd = facts();
    odd.files.get_mut("c/stac.json").unwrap().json =
        Some(json!({"properties": {"license": "CC-BY-4.0"}}));
    odd.files.get_mut("r/run.json").unwrap().json =
        Some(json!({"dataset_version_id": "2026-02.abcd1234", "decision": "deny"}));
    let outcome = judged(&manifest(), &odd);
    assert_eq!(
        failed(&outcome),
        [
            ("catalogs", "CATALOG_DIFFERS"),
            ("receipts", "RECEIPT_MISSING")
        ]
    );
    assert_eq!(outcome.gates[4].failures.len(), 3);
}

#[test]
fn what_is_no_manifest_is_refused_in_words() {
    for text in [
        "",
        "[]",
        "{}",
        "{\"schema\":2}",
        "{\"schema\":1,\"licence\":\"MIT\"}",
        "{\"schema\":1,\"schema\":1}",
    ] {
        assert!(Manifest::parse(text.as_bytes()).is_err(), "{text}");
    }
    let nothing = judged(&json!({"schema": 1}), &facts());
    assert_eq!(nothing.decision, "deny");
    assert!(nothing.gates.iter().take(5).all(|gate| !gate.passed));
}
