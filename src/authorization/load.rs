//! From the files of a workspace to [`Policies`].

use super::settings::{self, ANYBODY, Bundle, Settings, SignedBy};
use super::{Layers, Policies};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::fs::read::read_own;
use crate::ids::Digest;
use crate::keys;
use crate::labels::{self, Labels};
use crate::rego;
use crate::security;
use crate::spending;

/// A larger document is none.
const LIMIT: u64 = 1024 * 1024;

/// Why the policies of a workspace can't be used: everything that is wrong with them.
#[derive(Debug)]
pub struct Unusable(pub Vec<Diagnostic>);

/// Loads and compiles the policies of a workspace. Files that are not there are no problem; one that
/// is there and can't be used is, since nobody knows what it would have denied.
pub fn load(workspace: &Workspace) -> Result<Policies, Unusable> {
    let mut problems = Vec::new();
    let settings = settings(workspace).map_err(|Unusable(found)| problems.extend(found));
    let labels = labels::load(workspace).map_err(|found| problems.extend(found));
    let security = security::load(workspace).map_err(|found| problems.extend(found));
    let spending = spending::Policies::load(workspace).map_err(|found| problems.extend(found));
    let rego = match (&settings, &labels) {
        (Ok((settings, _)), Ok(labels)) => {
            rego(workspace, settings, labels).map_err(|found| problems.extend(found))
        }
        _ => Err(()),
    };
    match (settings, labels, security, rego, spending) {
        (Ok((settings, sources)), Ok(labels), Ok(security), Ok(rego), Ok(spending)) => {
            // The built-in table is for those who have nothing of their own: who has, and does not
            // speak of labels, means something else by a `resource`.
            let own = !security.is_empty() || !rego.is_empty();
            let labels = Some(labels).filter(|labels| !own || !labels.sources().is_empty());
            let layers = Layers {
                labels,
                security,
                rego,
                spending,
            };
            Ok(Policies::new(settings, layers, sources))
        }
        _ => Err(Unusable(problems)),
    }
}

/// The rules in Rego, bundle by bundle: those that the settings name, and those that lie there, which
/// can't be used while nobody says which of their rules to ask.
fn rego(
    workspace: &Workspace,
    settings: &Settings,
    labels: &Labels,
) -> Result<Vec<rego::Compiled>, Vec<Diagnostic>> {
    let named = |path: &String| settings.rego.iter().any(|bundle| bundle.path == *path);
    let mut bundles = settings.rego.clone();
    let found = rego::bundles(workspace).map_err(|problem| vec![*problem])?;
    let unnamed = found.into_iter().filter(|path| !named(path));
    bundles.extend(unnamed.map(|path| Bundle {
        settings: rego::Settings {
            root: path.clone(),
            ..rego::Settings::default()
        },
        path,
        signed_by: None,
    }));
    if bundles.is_empty() {
        return Ok(Vec::new());
    }
    let words = vocabulary(labels);
    let (mut compiled, mut problems) = (Vec::new(), Vec::new());
    for bundle in &mut bundles {
        match trust(workspace, bundle.signed_by.as_ref()) {
            Ok(trust) => bundle.settings.trust = trust,
            Err(problem) => {
                problems.push(*problem);
                continue;
            }
        }
        let documents = rego::documents(workspace, &bundle.path);
        let one = documents.map_err(|problem| vec![*problem]);
        match one.and_then(|documents| rego::compile(&documents, &bundle.settings, &words)) {
            Ok(one) => compiled.push(one),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() {
        Ok(compiled)
    } else {
        Err(problems)
    }
}

/// The key that a bundle has to be signed by: a public one in the workspace or elsewhere, a secret only
/// elsewhere.
fn trust(workspace: &Workspace, signed_by: Option<&SignedBy>) -> Checked<rego::Trust> {
    let Some(SignedBy { file, scope }) = signed_by else {
        return Ok(rego::Trust::Unstated);
    };
    if file == ANYBODY {
        return Ok(rego::Trust::Unverified);
    }
    // An absolute path stays what it is.
    let path = workspace.path(file);
    let key = match keys::file::public_or_secret(&path)? {
        (Some(key), _) => rego::Key::Public(key),
        (None, _) if path.starts_with(workspace.path("")) => return Err(secret_within(file)),
        (None, secret) => rego::Key::Secret(secret.into()),
    };
    Ok(rego::Trust::By {
        key: Box::new(key),
        scope: scope.clone(),
    })
}

fn secret_within(file: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::KeyExposed,
            Place::file(file),
            "the secret that bundles are signed with stands in the workspace",
        )
        .found("no public key in PEM, so a secret")
        .expected("a public key, or the absolute path of a secret outside of the workspace")
        .help("who can read it can sign: make another one, and keep it elsewhere"),
    )
}

/// The words that answers of Rego may hold: the built-in ones, and those of the vocabularies.
pub fn vocabulary(labels: &Labels) -> rego::Vocabulary {
    let mut words = rego::Vocabulary::default();
    let known = labels.labels().iter().map(|label| label.name.clone());
    words.labels = Some(known.collect());
    let kinds = labels.obligation_types().iter();
    words.obligations.extend(kinds.map(|one| one.kind.clone()));
    let codes = labels.reasons().iter();
    let codes = codes.map(|reason| reason.code.to_string());
    words.reason_codes.extend(codes);
    words
}

/// True where what is asked without a verified tenant is denied, and nothing is exported without one.
pub fn needs_tenant(workspace: &Workspace) -> Result<bool, Unusable> {
    Ok(settings(workspace)?.0.tenant_required)
}

fn settings(workspace: &Workspace) -> Result<(Settings, Vec<(String, Digest)>), Unusable> {
    match read_own(workspace, settings::FILE, LIMIT) {
        Ok(None) => Ok((Settings::default(), Vec::new())),
        Ok(Some(bytes)) => {
            let source = (settings::FILE.to_owned(), Digest::of(&bytes));
            Ok((settings::parse(&bytes).map_err(Unusable)?, vec![source]))
        }
        Err(problem) => Err(Unusable(vec![*problem])),
    }
}
