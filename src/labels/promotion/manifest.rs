//! What a version of a dataset says of itself, for its promotion: one JSON object. Members that nothing
//! here knows refuse it, since a misspelt one would be as good as absent.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

/// The version of its form.
const SCHEMA: u64 = 1;

/// The manifest.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Manifest {
    schema: Option<u64>,
    /// The version.
    pub dataset_version_id: Option<String>,
    /// The hash of what it was made by.
    pub spec_hash: Option<String>,
    /// Its class, which says which catalogs it needs.
    pub dataset_class: Option<String>,
    /// Its label.
    pub policy_label: Option<String>,
    /// Its license, by the SPDX identifier.
    pub license: Option<String>,
    /// The right that was obtained.
    pub rights: Option<String>,
    /// Whom to credit.
    pub attribution: Option<String>,
    /// The date of its embargo.
    pub embargo_until: Option<String>,
    /// Whether a review has released it.
    pub embargo_reviewed: Option<bool>,
    /// What is done about what is sensitive.
    pub sensitivity: Option<Sensitivity>,
    /// Its catalogs: the kind and the path.
    pub catalogs: BTreeMap<String, String>,
    /// The receipts of the runs that made it.
    pub receipts: Vec<File>,
    /// Its files.
    pub files: Vec<File>,
    /// The evidence that its claims refer to.
    pub evidence: Vec<Value>,
    /// To whom copies are to be handed: roles.
    pub exports: Vec<String>,
}

/// What is done about what is sensitive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sensitivity {
    /// The handling, a word of the rubric.
    pub handling: Option<String>,
    /// The path of the plan.
    pub plan: Option<String>,
}

/// A file with its checksum.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct File {
    /// The path in the workspace.
    pub path: Option<String>,
    /// Its SHA-256.
    pub sha256: Option<String>,
}

impl Manifest {
    /// Reads one; in words why it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        match manifest.schema {
            Some(SCHEMA) => Ok(manifest),
            Some(other) => Err(format!("`schema` is {other}, and 1 is known")),
            None => Err("`schema` is missing: write 1".to_owned()),
        }
    }

    /// Every path that it names, each once and sorted.
    pub fn paths(&self) -> Vec<&str> {
        let plan = self
            .sensitivity
            .iter()
            .filter_map(|one| one.plan.as_deref());
        let listed = self.receipts.iter().chain(&self.files);
        let mut paths: Vec<&str> = self
            .catalogs
            .values()
            .map(String::as_str)
            .chain(plan)
            .chain(listed.filter_map(|file| file.path.as_deref()))
            .collect();
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    /// The request that it makes for an action, so that one table answers all of them.
    pub fn request(&self, role: &str, action: &str) -> Value {
        let resource = json!({
            "type": "dataset",
            "dataset_version_id": self.dataset_version_id,
            "spec_hash": self.spec_hash,
            "policy_label": self.policy_label,
            "license": self.license,
            "rights": self.rights,
            "attribution": self.attribution,
            "embargo_until": self.embargo_until,
            "embargo_reviewed": self.embargo_reviewed,
            "evidence": self.evidence,
        });
        json!({
            "point": "pipeline_runner",
            "user": {"principal": "pipeline:promotion", "role": role, "groups": []},
            "action": action,
            "resource": resource,
        })
    }
}
