//! From the files of a workspace to [`Policies`].

use super::settings::{self, Settings};
use super::{Layers, Policies};
use crate::diagnostic::Diagnostic;
use crate::fs::Workspace;
use crate::fs::read::read_own;
use crate::ids::Digest;
use crate::security;

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
    let security = security::load(workspace).map_err(|found| problems.extend(found));
    match (settings, security) {
        (Ok((settings, sources)), Ok(security)) => {
            Ok(Policies::new(settings, Layers { security }, sources))
        }
        _ => Err(Unusable(problems)),
    }
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
