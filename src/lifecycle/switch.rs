//! The switch of what decides, in single renames.
//!
//! At any moment exactly one document stands where one can decide, and it is the old one or the new
//! one, byte for byte. Only renames of whole files lie between:
//!
//! | step | decides after a kill behind it |
//! |---|---|
//! | the old document gets the name `policy/policy.yaml`, where it has another | the old one |
//! | the new one, complete in a file beside it, takes its place | the new one |
//! | it gets its own name, where that is another (a rollback to the small form) | the new one |
//!
//! Going back to the built-in policy removes the one file.

use super::version::Document;
use crate::diagnostic::Checked;
use crate::fs::{RetryDelays, Workspace, write};
use crate::policy::document::FILES;

/// Where a promoted document stands.
pub(super) const FILE: &str = FILES[0];

/// Lets the document `to` decide instead of what stands in the file `now`.
pub(super) fn switch(
    workspace: &Workspace,
    now: Option<&str>,
    to: &Document,
    bytes: &[u8],
    retry: &RetryDelays,
) -> Checked<()> {
    for file in FILES {
        workspace.check_target(file)?;
    }
    let Some(file) = to.file.as_deref() else {
        let remove = || now.map_or(Ok(()), |now| write::remove(workspace, now));
        return retry.retry(remove).map_err(Into::into);
    };
    retry.retry(|| write::make_directory(workspace, "policy"))?;
    if let Some(now) = now.filter(|now| *now != FILE) {
        retry.retry(|| write::rename(workspace, now, FILE))?;
    }
    retry.retry(|| write::replace_alike(workspace, FILE, bytes))?;
    // A record must not be able to lead anywhere else.
    match FILES.into_iter().find(|known| *known == file) {
        Some(file) if file != FILE => retry
            .retry(|| write::rename(workspace, FILE, file))
            .map_err(Into::into),
        _ => Ok(()),
    }
}
