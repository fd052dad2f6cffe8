//! Where signed records of approvals are kept: the seam to Vault, and what stands in for it.
//!
//! A client of Vault is whatever keeps a record under a path and says whether it can be used. Without
//! one, files below `state/simulated/` show what would have been kept. They prove nothing, so nothing
//! passes on them (S0-065, S0-076).

use std::time::Duration;

use serde::Serialize;

use crate::diagnostic::Checked;
use crate::fs::{LockTimeout, RetryDelays, Workspace, WorkspaceLock, write};
use crate::keys::dsse::Envelope;

/// The files of the simulation, relative to the workspace.
pub const SIMULATED: &str = "state/simulated";

/// How long another command is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(30);

/// Something that keeps signed records.
pub trait Keeper: std::fmt::Debug {
    /// Why it can't be used, and what to do about that; `None` where it can.
    fn unavailable(&self) -> Option<Unavailable>;

    /// True where what is kept stands for nothing.
    fn is_simulation(&self) -> bool {
        false
    }

    /// Keeps the record of an approval at `signatures/<id>`, and says where that is.
    fn keep(&self, id: &str, signed: &Envelope, approver: Option<&str>) -> Checked<String>;
}

/// Why a keeper can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable {
    /// What was found.
    pub found: String,
    /// What to do.
    pub remedy: String,
}

/// Why there is no Vault to talk to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Nothing says where it is.
    NoAddress,
    /// An address is given, and this build has no client.
    NoClient,
    /// It was said that everything is simulated.
    Simulated,
}

/// Files in the place of Vault.
#[derive(Debug, Clone, Copy)]
pub struct Simulation<'a> {
    /// Where.
    pub workspace: &'a Workspace,
    /// Why there is nothing better.
    pub missing: Missing,
}

/// What a record holds (S0-031).
#[derive(Serialize)]
struct Record<'a> {
    signed: serde_json::Value,
    approver: Option<&'a str>,
    simulated: bool,
}

impl Keeper for Simulation<'_> {
    fn unavailable(&self) -> Option<Unavailable> {
        let (found, remedy) = match self.missing {
            Missing::NoAddress => (
                "VAULT_ADDR is not set",
                "install Vault and set VAULT_ADDR and VAULT_TOKEN",
            ),
            Missing::NoClient => (
                "VAULT_ADDR is set, and this build has no client of Vault",
                "build the program with the feature `vault`, or unset VAULT_ADDR",
            ),
            Missing::Simulated => (
                "SIMULATION_MODE is `true`",
                "install Vault, set VAULT_ADDR and VAULT_TOKEN, and unset SIMULATION_MODE",
            ),
        };
        Some(Unavailable {
            found: found.to_owned(),
            remedy: remedy.to_owned(),
        })
    }

    fn is_simulation(&self) -> bool {
        self.missing != Missing::NoClient
    }

    fn keep(&self, id: &str, signed: &Envelope, approver: Option<&str>) -> Checked<String> {
        let directory = format!("{SIMULATED}/vault/signatures");
        let name = format!("{directory}/{id}.json");
        let timeout = LockTimeout::silent(LOCK_WAIT);
        let retry = RetryDelays::none();
        let _lock = WorkspaceLock::acquire(self.workspace, "checks run", timeout, &retry)?;
        write::refuse_links(self.workspace, &name)?;
        write::make_directory(self.workspace, "state")?;
        write::make_private_directory(self.workspace, &directory)?;
        let signed = serde_json::from_slice(&signed.to_json()).unwrap_or_default();
        let record = Record {
            signed,
            approver,
            simulated: true,
        };
        write::replace_private(self.workspace, &name, &crate::fs::pretty(&record))?;
        Ok(name)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::diagnostic::Code;
    use crate::keys::{Algorithm, PrivateKey};

    #[test]
    fn a_simulated_record_is_its_owners_alone_and_goes_through_no_link() {
        let directory = tempfile::tempdir().unwrap();
        let workspace = Workspace::open(directory.path()).unwrap();
        let vault = Simulation {
            workspace: &workspace,
            missing: Missing::NoAddress,
        };
        let key = PrivateKey::generate(Algorithm::Ed25519).unwrap();
        let signed = Envelope::new("t", b"x".to_vec()).signed(&key);
        let name = vault.keep("T-1", &signed, Some("bob")).unwrap();
        let mode = |name: &str| {
            let status = std::fs::metadata(workspace.path(name)).unwrap();
            status.permissions().mode() & 0o777
        };
        assert_eq!(mode(&name), 0o600);
        assert_eq!(mode(SIMULATED), 0o700);
        let record: serde_json::Value =
            serde_json::from_slice(&std::fs::read(workspace.path(&name)).unwrap()).unwrap();
        assert_eq!(record["approver"], "bob");
        assert_eq!(record["simulated"], true);
        assert!(vault.unavailable().is_some());
        // A second one takes the place of the first.
        vault.keep("T-1", &signed, None).unwrap();

        let other = tempfile::tempdir().unwrap();
        let linked = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(other.path(), linked.path().join("state")).unwrap();
        let workspace = Workspace::open(linked.path()).unwrap();
        let vault = Simulation {
            workspace: &workspace,
            ..vault
        };
        let refused = vault.keep("T-1", &signed, None).unwrap_err();
        assert_eq!(refused.code, Code::LinkRefused);
        assert_eq!(std::fs::read_dir(other.path()).unwrap().count(), 0);
    }
}
