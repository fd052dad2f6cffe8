//! What an apply starts its actions with: this program, the environment, and what of it is secret.

use std::ffi::OsString;
use std::path::PathBuf;

use super::output::{all_variables, variable_os};
use super::secrets;
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::response::apply::Launch;
use crate::response::process::{Secrets, own_program};

/// Owns what a [`Launch`] borrows.
pub(super) struct Prepared {
    program: PathBuf,
    environment: Vec<(OsString, OsString)>,
    secrets: Secrets,
}

impl Prepared {
    pub(super) fn new() -> Checked<Self> {
        let program = own_program().map_err(|error| {
            Box::new(
                Diagnostic::new(
                    Code::FileUnreadable,
                    Place::file("policy-orchestrator"),
                    "this program can't be found again, to run actions under it",
                )
                .found(crate::fs::read::plain(&error))
                .expected("a path that the system knows")
                .help("start it by its full path"),
            )
        })?;
        // A relative path would be looked up elsewhere by an action.
        let absolute = |(name, value): (OsString, OsString)| {
            let is_path = name == secrets::SECRET_FILE;
            let value = if is_path {
                std::path::absolute(&value).map_or(value, PathBuf::into_os_string)
            } else {
                value
            };
            (name, value)
        };
        let environment: Vec<_> = all_variables().map(absolute).collect();
        let further = variable_os(secrets::SECRET_FILE)
            .map(|path| secrets::from_file(path.as_ref()))
            .transpose()?;
        let secrets = Secrets::from_environment(environment.iter().cloned(), further);
        Ok(Self {
            program,
            environment,
            secrets,
        })
    }

    pub(super) fn as_launch(&self) -> Launch<'_> {
        Launch {
            program: &self.program,
            environment: &self.environment,
            secrets: &self.secrets,
        }
    }
}
