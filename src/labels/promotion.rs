//! The promotion contract: seven gates that a version of a dataset has to pass before it is served.
//!
//! Pure: the manifest, what its files are, how the policies' own tests came out, the level and the time
//! decide. Every gate is judged, so that one answer names all that is missing. Whoever can't tell whether
//! it is safe and permitted to publish something does not publish it.

mod manifest;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

pub use manifest::{File, Manifest, Sensitivity};

use super::judge::is_stable;
use super::vocabulary::Labels;
use crate::ids::{Digest, ReasonCode};
use crate::policy::Level;
use crate::request::envelope::Circumstances;
use crate::request::{Request, codes};
use crate::time::Timestamp;

/// The classes of datasets with the catalogs that each needs.
pub const CLASSES: [(&str, &[&str]); 4] = [
    ("spatial", &["dcat", "stac", "prov"]),
    ("tabular", &["dcat", "prov"]),
    ("document", &["dcat", "prov"]),
    ("media", &["dcat", "prov"]),
];

/// What every catalog has to say as the manifest does.
const OF_CATALOGS: [&str; 3] = ["dataset_version_id", "policy_label", "license"];

/// What every receipt has to say of the policies.
const OF_RECEIPTS: [&str; 4] = [
    "dataset_version_id",
    "decision",
    "obligations",
    "policy_sha256",
];

/// What stands at a path that the manifest names.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The digest of its bytes.
    pub sha256: Digest,
    /// Its JSON, where it is a JSON object and not too large to be looked at.
    pub json: Option<Value>,
}

/// How the policies' own tests came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tests {
    /// How many fixtures were answered as they ask.
    pub passed: usize,
    /// How many were not, and how many gaps there are.
    pub failed: usize,
}

/// All that counts beside the manifest.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The files that are there, by the paths of the manifest.
    pub files: BTreeMap<String, Found>,
    /// The policies' own tests.
    pub tests: Tests,
    /// The time that counts.
    pub at: Timestamp,
    /// The level in force.
    pub level: Option<Level>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Outcome {
    /// The version of this form.
    pub schema: u32,
    /// `allow` where every gate is passed and the level permits it, else `deny`.
    #[cfg_attr(test, schemars(extend("enum" = ["allow", "deny"])))]
    pub decision: &'static str,
    /// The version that it is about; `null` where the manifest names none.
    pub dataset_version_id: Option<String>,
    /// Its label, where it is one of the vocabulary.
    pub policy_label: Option<String>,
    /// The seven gates, in their order.
    pub gates: Vec<Gate>,
    /// The level in force; `null` where it is not known.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub level: Option<Level>,
    /// Every code of every failure, once.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub reason_codes: Vec<ReasonCode>,
    /// The time that counted.
    #[cfg_attr(test, schemars(with = "String"))]
    pub evaluated_at: Timestamp,
}

/// A gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Gate {
    /// Its place, from 1.
    pub number: usize,
    /// Its word.
    pub gate: &'static str,
    /// What it asks.
    pub asks: &'static str,
    /// Is it passed?
    pub passed: bool,
    /// What is missing; empty where it is passed.
    pub failures: Vec<Failure>,
}

/// What a gate misses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Failure {
    /// Why, in a code.
    #[cfg_attr(test, schemars(with = "String"))]
    pub code: ReasonCode,
    /// Why, in words.
    pub why: String,
    /// What to do about it.
    pub hint: String,
}

type Failures = Vec<(ReasonCode, String)>;

/// The gates, each with its word, what it asks and how it is judged.
type Judge = fn(&Labels, &Manifest, &Facts) -> Failures;
const GATES: [(&str, &str, Judge); 7] = [
    ("identity", "Does it have an identity that stays?", identity),
    (
        "rights",
        "Are license, rights and attribution known?",
        rights,
    ),
    (
        "sensitivity",
        "Is it recorded how what is sensitive is handled?",
        sensitivity,
    ),
    (
        "catalogs",
        "Are the catalogs of its class there, and say the same?",
        catalogs,
    ),
    ("receipts", "Do receipts and checksums hold?", receipts),
    (
        "tests",
        "Do the policies pass their own tests, and does the evidence resolve?",
        tests,
    ),
    (
        "exports",
        "May copies be handed to whom they are meant for?",
        exports,
    ),
];

/// Judges every gate.
pub fn check(labels: &Labels, manifest: &Manifest, facts: &Facts) -> Outcome {
    let hint = |code: &ReasonCode| {
        let reason = labels.reason(code.as_str());
        reason.map_or_else(String::new, |one| {
            one.hint.clone().unwrap_or_else(|| one.meaning.clone())
        })
    };
    let mut reason_codes = Vec::new();
    let mut gates = Vec::new();
    for (number, (gate, asks, judge)) in (1..).zip(GATES) {
        let failures = judge(labels, manifest, facts).into_iter();
        let failures: Vec<Failure> = failures
            .map(|(code, why)| Failure {
                hint: hint(&code),
                code,
                why,
            })
            .collect();
        reason_codes.extend(failures.iter().map(|failure| failure.code.clone()));
        gates.push(Gate {
            number,
            gate,
            asks,
            passed: failures.is_empty(),
            failures,
        });
    }
    match &facts.level {
        None => reason_codes.push(codes::LEVEL_UNKNOWN),
        Some(level) if *level >= Level::RED => reason_codes.push(codes::LEVEL_TOO_HIGH),
        Some(_) => {}
    }
    let reason_codes = crate::ids::distinct(reason_codes);
    let label = manifest.policy_label.as_deref();
    Outcome {
        schema: 1,
        decision: if reason_codes.is_empty() {
            "allow"
        } else {
            "deny"
        },
        dataset_version_id: manifest.dataset_version_id.clone(),
        policy_label: label
            .filter(|label| labels.label(label).is_some())
            .map(str::to_owned),
        gates,
        level: facts.level.clone(),
        reason_codes,
        evaluated_at: facts.at,
    }
}

fn identity(_: &Labels, manifest: &Manifest, _: &Facts) -> Failures {
    let mut failures = Vec::new();
    let fields = [
        ("dataset_version_id", &manifest.dataset_version_id),
        ("spec_hash", &manifest.spec_hash),
    ];
    for (field, value) in fields {
        match value.as_deref().filter(|id| !id.is_empty()) {
            None => failures.push((codes::IDENTITY_MISSING, format!("`{field}` is missing"))),
            Some(id) if !is_stable(field, id) => {
                failures.push((
                    codes::IDENTITY_UNSTABLE,
                    format!("`{field}` is no identity that stays"),
                ));
            }
            Some(_) => {}
        }
    }
    failures
}

fn rights(labels: &Labels, manifest: &Manifest, facts: &Facts) -> Failures {
    let mut failures = asked(labels, manifest, facts, "steward", "promote");
    failures.retain(|(code, _)| *code == codes::RIGHTS_FORBID);
    let missing = |what: &str| (codes::RIGHTS_MISSING, what.to_owned());
    let text = |value: &Option<String>| value.clone().filter(|text| !text.trim().is_empty());
    match text(&manifest.license) {
        None => failures.push(missing("`license` is missing")),
        Some(license) if labels.rubrics.license(&license).is_none() => {
            failures.push(missing("the licensing rubric has no row for `license`"));
        }
        Some(_) => {}
    }
    match text(&manifest.rights) {
        None => failures.push(missing("`rights` is missing")),
        Some(right) if labels.rubrics.right(&right).is_none() => {
            failures.push(missing("the licensing rubric has no row for `rights`"));
        }
        Some(_) => {}
    }
    if text(&manifest.attribution).is_none() {
        failures.push(missing("`attribution` is missing"));
    }
    failures
}

fn sensitivity(labels: &Labels, manifest: &Manifest, facts: &Facts) -> Failures {
    let mut failures = asked(labels, manifest, facts, "steward", "promote");
    // Rights and evidence have gates of their own.
    failures.retain(|(code, _)| {
        ![
            codes::RIGHTS_MISSING,
            codes::RIGHTS_FORBID,
            codes::IDENTITY_MISSING,
            codes::IDENTITY_UNSTABLE,
        ]
        .contains(code)
            && !code.as_str().starts_with("ABSTAIN_")
    });
    let mut unclear = |what: &str| failures.push((codes::SENSITIVITY_UNCLEAR, what.to_owned()));
    let Some(sensitivity) = &manifest.sensitivity else {
        unclear("`sensitivity` is missing");
        return failures;
    };
    let handling = sensitivity.handling.as_deref();
    let Some(handling) = handling.and_then(|word| labels.rubrics.handling(word)) else {
        unclear("`sensitivity.handling` is no handling of the rubric");
        return failures;
    };
    let label = manifest.policy_label.as_deref().unwrap_or_default();
    if !handling.labels.iter().any(|one| one == label) {
        unclear("the handling does not suffice for the label");
    }
    let plan = sensitivity.plan.as_deref();
    if handling.plan && !plan.is_some_and(|path| facts.files.contains_key(path)) {
        unclear("`sensitivity.plan` names no file that is there");
    }
    failures
}

fn catalogs(_: &Labels, manifest: &Manifest, facts: &Facts) -> Failures {
    let class = manifest.dataset_class.as_deref();
    let Some((_, needed)) = CLASSES.into_iter().find(|(name, _)| Some(*name) == class) else {
        let known = CLASSES.map(|(name, _)| name).join(", ");
        return vec![(
            codes::CATALOG_MISSING,
            format!("`dataset_class` is none of {known}"),
        )];
    };
    let mut failures = Vec::new();
    for kind in needed {
        let path = manifest.catalogs.get(*kind);
        let found = path.and_then(|path| facts.files.get(path));
        let Some(catalog) = found.and_then(|found| found.json.as_ref()) else {
            failures.push((
                codes::CATALOG_MISSING,
                format!("the catalog `{kind}` is no JSON object that is there"),
            ));
            continue;
        };
        for field in OF_CATALOGS {
            let says = member(catalog, field);
            let expected = match field {
                "dataset_version_id" => &manifest.dataset_version_id,
                "policy_label" => &manifest.policy_label,
                _ => &manifest.license,
            };
            if says.is_none() || says.and_then(Value::as_str) != expected.as_deref() {
                failures.push((
                    codes::CATALOG_DIFFERS,
                    format!("`{field}` of the catalog `{kind}` is not the manifest's"),
                ));
            }
        }
    }
    failures
}

/// A member of a catalog: at its top, or among its properties.
fn member<'c>(catalog: &'c Value, field: &str) -> Option<&'c Value> {
    catalog
        .get(field)
        .or_else(|| catalog.get("properties")?.get(field))
}

fn receipts(_: &Labels, manifest: &Manifest, facts: &Facts) -> Failures {
    let mut failures = Vec::new();
    if manifest.receipts.is_empty() {
        failures.push((codes::RECEIPT_MISSING, "`receipts` names none".to_owned()));
    }
    if manifest.files.is_empty() {
        failures.push((codes::CHECKSUM_MISSING, "`files` names none".to_owned()));
    }
    for (list, files) in [("receipts", &manifest.receipts), ("files", &manifest.files)] {
        for (index, file) in files.iter().enumerate() {
            let name = format!("{list}[{index}]");
            let found = verified(file, &name, facts).map_err(|failure| failures.push(failure));
            if let Ok(found) = found
                && list == "receipts"
            {
                failures.extend(receipt(found, &name, manifest));
            }
        }
    }
    failures
}

/// The file, where its bytes are those that the checksum names.
fn verified<'f>(
    file: &File,
    name: &str,
    facts: &'f Facts,
) -> Result<&'f Found, (ReasonCode, String)> {
    let missing = |what: &str| (codes::CHECKSUM_MISSING, format!("`{name}` {what}"));
    let Some(path) = file.path.as_deref() else {
        return Err(missing("has no `path`"));
    };
    let sum = file.sha256.as_deref();
    let sum = sum.map(|sum| sum.strip_prefix("sha256:").unwrap_or(sum));
    let Some(sum) = sum.and_then(Digest::parse) else {
        return Err(missing("has no `sha256`, 64 lower-case digits"));
    };
    let Some(found) = facts.files.get(path) else {
        return Err(missing("is not there, so nothing can be verified"));
    };
    if found.sha256 == sum {
        return Ok(found);
    }
    Err((
        codes::CHECKSUM_DIFFERS,
        format!("`{name}` has other bytes than its checksum names"),
    ))
}

fn receipt(found: &Found, name: &str, manifest: &Manifest) -> Failures {
    let missing = |what: String| (codes::RECEIPT_MISSING, what);
    let Some(receipt) = &found.json else {
        return vec![missing(format!("`{name}` is no JSON object"))];
    };
    let mut failures: Failures = OF_RECEIPTS
        .into_iter()
        .filter(|field| receipt.get(field).is_none_or(Value::is_null))
        .map(|field| missing(format!("`{name}` lacks `{field}`")))
        .collect();
    let version = receipt.get("dataset_version_id").and_then(Value::as_str);
    if version.is_some() && version != manifest.dataset_version_id.as_deref() {
        failures.push(missing(format!("`{name}` is of another version")));
    }
    let decision = receipt.get("decision").and_then(Value::as_str);
    if decision.is_some_and(|decision| decision != "allow") {
        failures.push(missing(format!("`{name}` records no `allow`")));
    }
    failures
}

fn tests(labels: &Labels, manifest: &Manifest, facts: &Facts) -> Failures {
    let mut failures = Vec::new();
    let Tests { passed, failed } = facts.tests;
    if failed > 0 || passed == 0 {
        let why = format!("{passed} fixtures passed, {failed} failed");
        failures.push((codes::POLICY_TESTS_FAILED, why));
    }
    let of_evidence = asked(labels, manifest, facts, "steward", "promote").into_iter();
    failures.extend(of_evidence.filter(|(code, _)| code.as_str().starts_with("ABSTAIN_")));
    failures
}

fn exports(labels: &Labels, manifest: &Manifest, facts: &Facts) -> Failures {
    let roles = manifest.exports.iter();
    let all = roles.flat_map(|role| asked(labels, manifest, facts, role, "export"));
    crate::ids::distinct(all)
}

/// What the table of labels says of an action with this version.
fn asked(
    labels: &Labels,
    manifest: &Manifest,
    facts: &Facts,
    role: &str,
    action: &str,
) -> Failures {
    let around = Circumstances {
        at: facts.at,
        level: facts.level.clone(),
        stopped: false,
        explain: false,
    };
    let bytes = manifest.request(role, action).to_string();
    let verdict = match Request::parse(bytes.as_bytes()) {
        Ok(request) => labels.judge(&request, &around),
        Err(refused) => return vec![(refused.code, refused.message)],
    };
    let Some(verdict) = verdict else {
        return vec![(
            codes::NO_POLICY_APPLIES,
            "the table was not asked".to_owned(),
        )];
    };
    if verdict.effect == crate::request::Effect::Allow {
        return Vec::new();
    }
    let mut reasons = verdict.reasons.into_iter();
    let with_reason = |code| {
        let reason = reasons
            .next()
            .unwrap_or_else(|| format!("`{action}` is denied to `{role}`"));
        (code, reason)
    };
    verdict.codes.into_iter().map(with_reason).collect()
}

#[cfg(test)]
mod tests;
