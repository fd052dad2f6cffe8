//! `policy/requests.yaml`, `kind: RequestPolicy`: what decides on requests beside the conventions.
//!
//! Without it the defaults count. A document with a problem is not used, and then nothing is allowed.

use serde::Deserialize;

use super::level;
use crate::diagnostic::{Code, Diagnostic};
use crate::policy::Level;
use crate::policy::catalogue::API_VERSION;
use crate::policy::source::Spot;
use crate::policy::source::collect::{self, Field, List};
use crate::policy::source::problems::Problems;
use crate::rego;

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
    /// The Rego that is asked, bundle by bundle, each once.
    pub(super) rego: Vec<Bundle>,
}

/// Rego that is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bundle {
    /// A directory or an archive, relative to the workspace.
    pub(super) path: String,
    /// Which of its rules are asked, and how.
    pub(super) settings: rego::Settings,
    /// The key that it has to be signed by, as the document names it.
    pub(super) signed_by: Option<SignedBy>,
}

/// The key that a bundle has to be signed by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SignedBy {
    /// A file, or [`ANYBODY`].
    pub(super) file: String,
    /// The scope that it has to be signed for.
    pub(super) scope: Option<String>,
}

/// Stands in place of a key where a signature is not looked at.
pub(super) const ANYBODY: &str = "anybody";

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
    dialect: Field<f64>,
    signed_by: Field<String>,
    scope: Field<String>,
}

/// Reads the document: all that it says, or all that is wrong with it.
pub(super) fn parse(bytes: &[u8]) -> Result<Settings, Vec<Diagnostic>> {
    let (raw, mut problems) = collect::document::<Raw>(FILE, bytes)?;
    let mut settings = Settings::default();
    if let Some(document) = raw.get() {
        problems.constant(&document.api_version, "apiVersion", API_VERSION, raw.spot);
        problems.constant(&document.kind, "kind", "RequestPolicy", raw.spot);
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
    let mut bundles = Vec::new();
    let rego = spec.rego.get().into_iter().flatten();
    for (raw, here) in rego.filter_map(|one| Some((one.get()?, one.spot))) {
        self::rego(raw, here, &mut bundles, problems);
    }
    Settings {
        level,
        tenant_required: tenant_required.unwrap_or_default(),
        rego: bundles,
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

/// Adds an entry to its bundle; the dialect of a bundle is the one that its first entry names.
fn rego(raw: &RawRego, here: Spot, bundles: &mut Vec<Bundle>, problems: &mut Problems<'_>) {
    let path = problems.required(&raw.bundle, "bundle", here).cloned();
    let entry = entry(raw, here, problems);
    let dialect = raw.dialect.get().and_then(|number| {
        let whole = problems.whole(&raw.dialect, *number, 0, 1)?;
        rego::Dialect::of(whole as u64)
    });
    let (Some(path), Some(entry)) = (path, entry) else {
        return;
    };
    let path = path.trim_end_matches('/').to_owned();
    let signed_by = raw.signed_by.get().map(|file| SignedBy {
        file: file.clone(),
        scope: raw.scope.get().cloned(),
    });
    if let Some(bundle) = bundles.iter_mut().find(|bundle| bundle.path == path) {
        bundle.settings.entries.push(entry);
        if signed_by.is_some() && signed_by != bundle.signed_by {
            twice(&raw.signed_by, problems);
        }
        return;
    }
    bundles.push(Bundle {
        settings: rego::Settings {
            root: path.clone(),
            entries: vec![entry],
            dialect: dialect.unwrap_or_default(),
            ..rego::Settings::default()
        },
        path,
        signed_by,
    });
}

fn twice(field: &Field<String>, problems: &mut Problems<'_>) {
    let message = "the bundle is signed by another key, or nobody, where it is named first";
    problems.refuse(field, Code::ValueUnknown, message, |finding| {
        finding
            .found("a key at a later entry of the same bundle")
            .expected("`signed_by` and `scope` at the first entry of a bundle")
            .help(HELP)
    });
}

fn entry(raw: &RawRego, here: Spot, problems: &mut Problems<'_>) -> Option<rego::Entry> {
    let rule = problems.required(&raw.decision, "decision", here)?;
    if !rule.starts_with("data.") {
        let message = "this names no rule";
        problems.refuse(&raw.decision, Code::ValueUnknown, message, |finding| {
            finding
                .found(format!("`{rule}`"))
                .expected("`data.`, the package, and the rule")
                .help(HELP)
        });
        return None;
    }
    let members = raw.members.get().into_iter().flatten();
    let members: Vec<&str> = members
        .filter_map(|one| one.get().map(String::as_str))
        .collect();
    Some(rego::Entry::new(rule).about(&members))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "apiVersion: policy.orchestra.v1\nkind: RequestPolicy\nspec:\n  level:\n    - {actions: [promote, ship], at_most: GREEN}\n  tenant: {required: true}\n  rego:\n    - {bundle: policy/rego, decision: data.kfm.authz.decision, members: [resource], dialect: 1}\n    - {bundle: policy/rego/, decision: data.a.allow}\n";

    #[test]
    fn a_document_says_all_of_it() {
        let settings = parse(WHOLE.as_bytes()).unwrap();
        assert!(settings.tenant_required);
        assert_eq!(
            settings.level.0,
            [(vec!["promote".to_owned(), "ship".to_owned()], Level::GREEN)]
        );
        assert_eq!(settings.rego.len(), 1);
        assert_eq!(
            settings.rego[0].settings.entries[0].applies_to,
            ["resource"]
        );
    }

    #[test]
    fn who_signs_a_bundle_is_said_where_it_is_named_first() {
        let entry =
            |more: &str| format!("    - {{bundle: b.tar.gz, decision: data.a.allow{more}}}\n");
        let of = |first: &str, second: &str| {
            let (first, second) = (entry(first), entry(second));
            let head = "apiVersion: policy.orchestra.v1\nkind: RequestPolicy\nspec:\n  rego:\n";
            parse(format!("{head}{first}{second}").as_bytes())
        };
        let signed = of(", signed_by: k.pub, scope: write", "").unwrap();
        let expected = SignedBy {
            file: "k.pub".to_owned(),
            scope: Some("write".to_owned()),
        };
        assert_eq!(signed.rego[0].signed_by, Some(expected));
        for (first, second) in [
            ("", ", signed_by: k.pub"),
            (", signed_by: k.pub", ", signed_by: anybody"),
        ] {
            let problems = of(first, second).unwrap_err();
            assert_eq!(problems[0].place.line, Some(6), "{problems:?}");
        }
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
            ("decision: data.kfm.authz.decision, ", "", "KEY_MISSING 8"),
            ("dialect: 1", "dialect: 2", "VALUE_RANGE 8"),
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
