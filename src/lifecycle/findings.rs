//! Why a step is refused, in words.

use super::version::{Life, Stage, Validated, Version};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::ids::Digest;
use crate::record::VERSIONS_LOG;

/// The version that somebody names: by its id, the version in its document, or the first digits of
/// its SHA-256.
pub(super) fn find<'l>(life: &'l Life, named: &str) -> Checked<&'l Version> {
    if let Some(version) = life.get(named) {
        return Ok(version);
    }
    let is_digits =
        |text: &str| text.len() >= 6 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let fits = |version: &&Version| {
        version.number == named || is_digits(named) && version.sha256.to_string().starts_with(named)
    };
    let found: Vec<&Version> = life.versions.iter().filter(fits).collect();
    if let [version] = found.as_slice() {
        return Ok(version);
    }
    let ids = |versions: &[&Version]| {
        let ids: Vec<&str> = versions.iter().map(|version| version.id.as_str()).collect();
        ids.join(", ")
    };
    let all: Vec<&Version> = life.versions.iter().collect();
    let finding = Diagnostic::new(
        Code::VersionUnknown,
        Place::file(VERSIONS_LOG),
        if found.is_empty() {
            format!("there is no version `{named}`")
        } else {
            format!("more than one version is called `{named}`")
        },
    );
    Err(Box::new(if found.is_empty() {
        finding
            .found(if all.is_empty() {
                "no version at all".to_owned()
            } else {
                ids(&all)
            })
            .expected("the id of a version, the version in its document, or the first digits of its SHA-256")
            .help("`policy-orchestrator policy status` lists them; `policy-orchestrator policy draft FILE --reason TEXT` takes one in")
    } else {
        finding
            .found(ids(&found))
            .expected("one of them")
            .help("name its id")
    }))
}

/// A step that can't be taken from where a version stands.
pub(super) fn step(version: &Version, wanted: &str, expected: &str, help: String) -> Diagnostic {
    Diagnostic::new(
        Code::StepDenied,
        place(version),
        format!("this version can't be {wanted}"),
    )
    .found(format!("a version in {}", version.stage.as_str()))
    .expected(expected)
    .help(help)
}

/// What the next step of a version is.
pub(super) fn next_step(version: &Version) -> String {
    let Version { id, stage, .. } = version;
    match stage {
        Stage::Draft => format!(
            "approve it (`policy-orchestrator policy approve {id} --as ROLE --reason TEXT`), then `policy-orchestrator policy validate {id}`"
        ),
        Stage::Validation if !version.validated.as_ref().is_some_and(Validated::passed) => {
            format!(
                "correct the document and draft it again, or look again with `policy-orchestrator policy validate {id}`"
            )
        }
        Stage::Validation => {
            format!("`policy-orchestrator policy promote {id} --to staging --reason TEXT`")
        }
        Stage::Staging => {
            format!("`policy-orchestrator policy promote {id} --to production --reason TEXT`")
        }
        Stage::Production => "nothing: it decides".to_owned(),
        Stage::Superseded => {
            "draft it again with `policy-orchestrator policy draft FILE --reason TEXT`".to_owned()
        }
    }
}

/// The next step for a version that violates a criterion, for a person.
pub(super) fn withdraw(version: &Version) -> String {
    format!(
        "take it out with `policy-orchestrator policy rollback {} --reason TEXT`",
        version.id
    )
}

pub(super) fn place(version: &Version) -> Place {
    Place::file(super::files::document_file(&version.id))
}

/// What decides is not what decided when the version was drafted.
pub(super) fn base_changed(version: &Version, found: &str) -> Diagnostic {
    Diagnostic::new(
        Code::StepDenied,
        place(version),
        "what decides was changed since this version was drafted, so that its changes and checks are about something else",
    )
    .found(found)
    .expected(version.base.in_words())
    .help("draft it again with `policy-orchestrator policy draft FILE --reason TEXT`; a version that is staged is taken out by `policy-orchestrator policy rollback VERSION --reason TEXT` before")
}

/// The switch that was recorded last was not made.
pub(super) fn cut_off(help: String, found: &str, expected: &str) -> Diagnostic {
    Diagnostic::new(
        Code::SwitchCutOff,
        Place::file(VERSIONS_LOG),
        "a switch of the policy was recorded and cut off before it was made",
    )
    .found(format!("{found} decides"))
    .expected(expected)
    .help(help)
}

/// What decides is neither what was promoted nor what decided before.
pub(super) fn edited(file: &str, found: Digest, expected: &str) -> Diagnostic {
    Diagnostic::new(
        Code::PolicyEdited,
        Place::file(file),
        "what decides is not what was promoted",
    )
    .found(format!("bytes with the SHA-256 {}", found.short()))
    .expected(expected)
    .help("where the change is meant, take it in with `policy-orchestrator policy draft FILE --reason TEXT`; else put back what was promoted: its bytes are under policy/versions/ and state/policies/")
}

/// A version is staged and the state file, which a run reads anyway, does not hint at it.
pub(super) fn unhinted(version: &Version) -> Diagnostic {
    Diagnostic::new(
        Code::ShadowFailed,
        Place::file(crate::record::state::FILE),
        "a version is staged, and the state file no longer says so: no run tries it",
    )
    .found("no member `staged`")
    .expected(format!(
        "`\"staged\": true`, since {} is staged",
        version.id
    ))
    .help(format!(
        "put it back with `policy-orchestrator policy promote {} --to staging --reason TEXT`",
        version.id
    ))
}
