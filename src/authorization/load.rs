//! From the files of a workspace to [`Policies`].

use super::Policies;
use super::settings::{self, Settings};
use crate::diagnostic::Diagnostic;
use crate::fs::Workspace;
use crate::fs::read::read_own;
use crate::ids::Digest;

/// A larger document is none.
const LIMIT: u64 = 1024 * 1024;

/// Why the policies of a workspace can't be used: everything that is wrong with them.
#[derive(Debug)]
pub struct Unusable(pub Vec<Diagnostic>);

/// Loads and compiles the policies of a workspace. Files that are not there are no problem; one that
/// is there and can't be used is, since nobody knows what it would have denied.
pub fn load(workspace: &Workspace) -> Result<Policies, Unusable> {
    let mut sources = Vec::new();
    let settings = match read_own(workspace, settings::FILE, LIMIT) {
        Ok(None) => Settings::default(),
        Ok(Some(bytes)) => {
            sources.push((settings::FILE.to_owned(), Digest::of(&bytes)));
            settings::parse(&bytes).map_err(Unusable)?
        }
        Err(problem) => return Err(Unusable(vec![*problem])),
    };
    Ok(Policies::new(settings, sources))
}
