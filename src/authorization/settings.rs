//! `policy/requests.yaml`, `kind: RequestPolicy`: what decides on requests beside the conventions.
//!
//! Without it the defaults count. A document with a problem is not used, and then nothing is allowed.

use serde::Deserialize;

use super::level;
use crate::diagnostic::{Code, Diagnostic};
use crate::policy::Level;
use crate::policy::catalogue::API_VERSION;
use crate::policy::responses::List;
use crate::policy::source::collect::{self, Field};
use crate::policy::source::problems::Problems;
use crate::policy::source::{self, Spot};

/// The document, relative to the workspace.
pub const FILE: &str = "policy/requests.yaml";

const HELP: &str =
    "docs/requests.md has one to start from; nothing is allowed by one with a problem";

/// What the document says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// Which actions need which level at most.
    pub(super) level: level::Rules,
    /// True where a request without a verified tenant is denied.
    pub(super) tenant_required: bool,
    /// The Rego that decides.
    pub(super) rego: Vec<Rego>,
}

/// Rego that decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rego {
    /// A directory or a bundle, relative to the workspace.
    pub(super) bundle: String,
    /// The rule that is the answer.
    pub(super) decision: String,
    /// It is concerned only where a request has all of these members; always where there are none.
    pub(super) members: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Raw {
    #[serde(rename = "apiVersion")]
    api_version: Field<String>,
    kind: Field<String>,
    spec: Field<RawSpec>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawSpec {
    level: List<RawLevel>,
    tenant: Field<RawTenant>,
    rego: List<RawRego>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawLevel {
    actions: List<String>,
    at_most: Field<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawTenant {
    required: Field<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawRego {
    bundle: Field<String>,
    decision: Field<String>,
    members: List<String>,
}

/// Reads the document: all that it says, or all that is wrong with it.
pub(super) fn parse(bytes: &[u8]) -> Result<Settings, Vec<Diagnostic>> {
    let root = match source::parse(FILE, bytes) {
        Ok(root) => root.unwrap_or_else(source::Node::nothing),
        Err(problem) => return Err(vec![*problem]),
    };
    let mut found = Vec::new();
    let raw: Field<Raw> = collect::read(FILE, &root, &mut found);
    let mut problems = Problems::new(FILE, found);
    let mut settings = Settings::default();
    if let Some(document) = raw.get() {
        word(
            &document.api_version,
            ("apiVersion", API_VERSION),
            raw.spot,
            &mut problems,
        );
        word(
            &document.kind,
            ("kind", "RequestPolicy"),
            raw.spot,
            &mut problems,
        );
        if let Some(spec) = problems.required(&document.spec, "spec", raw.spot) {
            settings = read(spec, &mut problems);
        }
    }
    if problems.is_empty() {
        Ok(settings)
    } else {
        Err(problems.in_order())
    }
}

fn word(
    field: &Field<String>,
    (key, known): (&str, &str),
    here: Spot,
    problems: &mut Problems<'_>,
) {
    let Some(found) = problems.required(field, key, here) else {
        return;
    };
    if found != known {
        let message = format!("`{key}` is another than this document has");
        problems.unknown(field, Code::ValueUnknown, &message, (found, &[known]), HELP);
    }
}

fn read(spec: &RawSpec, problems: &mut Problems<'_>) -> Settings {
    let level = spec.level.get().map_or_else(level::Rules::default, |list| {
        let rules = list.iter().filter_map(|one| Some((one.get()?, one.spot)));
        level::Rules(
            rules
                .filter_map(|(one, here)| rule(one, here, problems))
                .collect(),
        )
    });
    let tenant = spec.tenant.get();
    let tenant_required = tenant.and_then(|tenant| {
        problems
            .required(&tenant.required, "required", spec.tenant.spot)
            .copied()
    });
    let rego = spec.rego.get().into_iter().flatten();
    let rego = rego.filter_map(|one| Some((one.get()?, one.spot)));
    Settings {
        level,
        tenant_required: tenant_required.unwrap_or_default(),
        rego: rego
            .filter_map(|(one, here)| self::rego(one, here, problems))
            .collect(),
    }
}

fn rule(raw: &RawLevel, here: Spot, problems: &mut Problems<'_>) -> Option<(Vec<String>, Level)> {
    let actions = problems.required(&raw.actions, "actions", here).cloned();
    let most = problems.required(&raw.at_most, "at_most", here)?;
    let level = Level::parse(most);
    if level.is_none() {
        let message = "this is no level";
        let known = ["GREEN", "YELLOW", "RED"];
        problems.unknown(
            &raw.at_most,
            Code::ValueUnknown,
            message,
            (most, &known),
            HELP,
        );
    }
    let actions = actions?
        .iter()
        .filter_map(|one| one.get().cloned())
        .collect();
    Some((actions, level?))
}

fn rego(raw: &RawRego, here: Spot, problems: &mut Problems<'_>) -> Option<Rego> {
    let bundle = problems.required(&raw.bundle, "bundle", here).cloned();
    let decision = problems.required(&raw.decision, "decision", here)?;
    if !decision.starts_with("data.") {
        problems.refuse(
            &raw.decision,
            Code::ValueUnknown,
            "this names no rule",
            |finding| {
                finding
                    .found(format!("`{decision}`"))
                    .expected("`data.`, the package, and the rule")
                    .help(HELP)
            },
        );
        return None;
    }
    let members = raw.members.get().into_iter().flatten();
    Some(Rego {
        bundle: bundle?,
        decision: decision.clone(),
        members: members.filter_map(|one| one.get().cloned()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "apiVersion: policy.orchestra.v1\nkind: RequestPolicy\nspec:\n  level:\n    - {actions: [promote, ship], at_most: GREEN}\n  tenant: {required: true}\n  rego:\n    - {bundle: policy/rego, decision: data.kfm.authz.decision, members: [resource]}\n";

    #[test]
    fn a_document_says_all_of_it() {
        let settings = parse(WHOLE.as_bytes()).unwrap();
        assert!(settings.tenant_required);
        assert_eq!(
            settings.level.0,
            [(vec!["promote".to_owned(), "ship".to_owned()], Level::GREEN)]
        );
        assert_eq!(settings.rego[0].members, ["resource"]);
    }

    #[test]
    fn what_it_leaves_out_is_as_without_it() {
        let text = "apiVersion: policy.orchestra.v1\nkind: RequestPolicy\nspec: {}\n";
        assert_eq!(parse(text.as_bytes()).unwrap(), Settings::default());
    }

    #[test]
    fn every_problem_has_a_place() {
        for (from, to, expected) in [
            ("policy.orchestra.v1", "v2", "VALUE_UNKNOWN 1"),
            ("RequestPolicy", "Requests", "VALUE_UNKNOWN 2"),
            ("at_most: GREEN", "at_most: green", "VALUE_UNKNOWN 5"),
            ("at_most: GREEN", "most: GREEN", "KEY_UNKNOWN 5"),
            ("required: true", "required: maybe", "VALUE_TYPE 6"),
            ("data.kfm.authz.decision", "kfm", "VALUE_UNKNOWN 8"),
            ("bundle: policy/rego, ", "", "KEY_MISSING 8"),
        ] {
            let problems = parse(WHOLE.replace(from, to).as_bytes()).unwrap_err();
            let shown: Vec<String> = problems
                .iter()
                .map(|one| format!("{} {}", one.code, one.place.line.unwrap()))
                .collect();
            assert!(shown.iter().any(|one| one == expected), "{to}: {shown:?}");
        }
        assert!(parse(b"").is_err());
        assert!(parse(b"[").is_err());
    }
}
