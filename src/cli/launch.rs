//! What an apply starts its actions with: this program, the environment, and what of it is secret.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag::{register, register_conditional_default};

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
    cancelled: Arc<AtomicBool>,
}

/// Ctrl-C, a terminal that goes away, and the polite request to end.
const ENDING_SIGNALS: [i32; 3] = [SIGINT, SIGHUP, SIGTERM];

/// Notes the first of these signals, so that what runs is ended and recorded; a second one ends this
/// process at once.
fn listen() -> Arc<AtomicBool> {
    let cancelled = Arc::new(AtomicBool::new(false));
    for signal in ENDING_SIGNALS {
        // A signal that can't be listened to keeps its default: the process ends, and what it was
        // doing is found to be cut off.
        let second = register_conditional_default(signal, Arc::clone(&cancelled));
        let _ = second.and_then(|_| register(signal, Arc::clone(&cancelled)));
    }
    cancelled
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
            cancelled: listen(),
        })
    }

    pub(super) fn as_launch(&self) -> Launch<'_> {
        Launch {
            program: &self.program,
            environment: &self.environment,
            secrets: &self.secrets,
            cancelled: &self.cancelled,
        }
    }
}
