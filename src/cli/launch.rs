//! What an apply starts its actions with: this program, the environment, and what of it is secret.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag::{register, register_conditional_default};
use zeroize::Zeroizing;

use super::output::all_variables;
use super::secrets;
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::privacy::Secrets;
use crate::response::apply::Launch;
use crate::response::declared::Responses;
use crate::response::process::own_program;

/// Owns what a [`Launch`] borrows.
pub(super) struct Prepared {
    program: PathBuf,
    environment: Vec<(OsString, OsString)>,
    secrets: Secrets,
    cancelled: Arc<AtomicBool>,
}

/// The password in an address such as `https://user:password@host/`.
fn in_address(value: &OsStr) -> Option<Vec<u8>> {
    let (_, rest) = value.to_str()?.split_once("://")?;
    let (user, _) = rest.split('/').next()?.rsplit_once('@')?;
    let (_, password) = user.split_once(':')?;
    Some(password.as_bytes().to_vec())
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
    pub(super) fn new(declared: &Responses) -> Checked<Self> {
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
        let environment = environment();
        let secrets = secrets_in(&environment, declared)?;
        Ok(Self {
            program,
            environment,
            secrets,
            cancelled: listen(),
        })
    }

    /// A text that is to be recorded, without secrets.
    pub(super) fn redact(&self, text: &str) -> String {
        self.secrets.redact(text)
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

/// Variables that name a file which a native action reads.
const PATHS: [&str; 4] = [
    secrets::SECRET_FILE,
    secrets::OLD_SECRET_FILE,
    "VAULT_TOKEN_FILE",
    "VAULT_CACERT",
];

/// The variables of this process, as an action may get them.
fn environment() -> Vec<(OsString, OsString)> {
    // A relative path would be looked up elsewhere by an action.
    let absolute = |(name, value): (OsString, OsString)| {
        let is_path = PATHS.iter().any(|path| name == *path);
        let value = if is_path {
            std::path::absolute(&value).map_or(value, PathBuf::into_os_string)
        } else {
            value
        };
        (name, value)
    };
    all_variables().map(absolute).collect()
}

/// What must not be shown or recorded where these actions are planned.
pub(super) fn secrets(declared: &Responses) -> Checked<Secrets> {
    secrets_in(&environment(), declared)
}

fn secrets_in(environment: &[(OsString, OsString)], declared: &Responses) -> Checked<Secrets> {
    let elsewhere = secrets::not_in_environment()?;
    // Whatever a workspace hands to an action by name may be a secret, whatever its name.
    let handed: Vec<&str> = declared
        .actions
        .iter()
        .flat_map(|action| &action.environment)
        .map(String::as_str)
        .collect();
    let is_handed = |name: &OsString| name.to_str().is_some_and(|name| handed.contains(&name));
    let values = environment.iter().filter(|(name, _)| is_handed(name));
    let values = values.map(|(_, value)| value.clone().into_encoded_bytes());
    let passwords = environment
        .iter()
        .filter_map(|(_, value)| in_address(value));
    let further = values.chain(passwords).map(Zeroizing::new);
    let further = elsewhere.into_iter().chain(further);
    Ok(Secrets::from_environment(
        environment.iter().cloned(),
        further,
    ))
}
