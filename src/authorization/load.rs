//! From the files of a workspace to [`Policies`].

use super::settings::{self, Settings};
use super::{Layers, Policies};
use crate::diagnostic::Diagnostic;
use crate::fs::Workspace;
use crate::fs::read::read_own;
use crate::ids::Digest;
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
            let own = !security.is_empty() || rego.is_some();
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

/// The rules in Rego; `None` where there is no file of them and none is asked for.
fn rego(
    workspace: &Workspace,
    settings: &Settings,
    labels: &Labels,
) -> Result<Option<rego::Compiled>, Vec<Diagnostic>> {
    let documents = rego::documents(workspace).map_err(|problem| vec![*problem])?;
    if documents.is_empty() && settings.rego.entries.is_empty() {
        return Ok(None);
    }
    let mut words = rego::Vocabulary::default();
    let known = labels.labels().iter().map(|label| label.name.clone());
    words.labels = Some(known.collect());
    let kinds = labels.obligation_types().iter();
    words.obligations.extend(kinds.map(|one| one.kind.clone()));
    let codes = labels.reasons().iter();
    words
        .reason_codes
        .extend(codes.map(|reason| reason.code.to_string()));
    rego::compile(&documents, &settings.rego, &words).map(Some)
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
