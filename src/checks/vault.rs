//! Where signed records of approvals are kept: the seam between the checks and [`crate::vault`].
//!
//! A server keeps them, or files that show what would have been kept. Those prove nothing, so nothing
//! passes on them (S0-065, S0-076).

use crate::diagnostic::{Checked, Diagnostic};
use crate::ids::Digest;
use crate::keys::dsse::Envelope;
use crate::time::Timestamp;
use crate::vault::{Mode, Settings, status, write_signature};

/// How much of a record's digest is part of its name.
const NAMED_BY: usize = 12;

/// Something that keeps signed records.
pub trait Keeper: std::fmt::Debug {
    /// Why it can't be used, and what to do about that; `None` where it can.
    fn unavailable(&self) -> Option<Unavailable>;

    /// True where what is kept stands for nothing.
    fn is_simulation(&self) -> bool {
        false
    }

    /// Keeps the record of an approval at `signatures/<id>-<time>-<digest>`, and says where that is.
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

impl Unavailable {
    fn new(found: &str, remedy: &str) -> Self {
        Self {
            found: found.to_owned(),
            remedy: remedy.to_owned(),
        }
    }
}

/// Vault, or the files that stand in for it. A record is never written over, so each has a name of its
/// own.
#[derive(Debug)]
pub struct Vault<'a> {
    /// Where, and how it is talked to.
    pub settings: &'a Settings,
    /// The time now.
    pub at: Timestamp,
}

impl Keeper for Vault<'_> {
    fn unavailable(&self) -> Option<Unavailable> {
        match self.settings.mode {
            Mode::Simulated { asked: true, .. } => Some(Unavailable::new(
                "SIMULATION_MODE is `true`",
                "install Vault, set VAULT_ADDR and VAULT_TOKEN, and unset SIMULATION_MODE",
            )),
            Mode::Simulated { .. } | Mode::Missing => Some(Unavailable::new(
                "VAULT_ADDR is not set",
                "install Vault and set VAULT_ADDR and VAULT_TOKEN",
            )),
            Mode::Server(_) => {
                let status = status(self.settings);
                let found = status.why()?;
                Some(Unavailable::new(&found, status.help()))
            }
        }
    }

    fn is_simulation(&self) -> bool {
        self.settings.is_simulated()
    }

    fn keep(&self, id: &str, signed: &Envelope, approver: Option<&str>) -> Checked<String> {
        let signed = signed.to_json();
        let digest = Digest::of(&signed).to_string();
        let digest = digest.get(..NAMED_BY).unwrap_or_default();
        let id = format!("{id}-{}-{digest}", self.at.compact());
        let signed = String::from_utf8_lossy(&signed).into_owned();
        let approver = approver.unwrap_or_default();
        Ok(write_signature(self.settings, &id, &signed, approver)?.place)
    }
}

/// What the environment says of Vault makes no sense.
#[derive(Debug)]
pub struct Unusable<'a>(pub &'a Diagnostic);

impl Keeper for Unusable<'_> {
    fn unavailable(&self) -> Option<Unavailable> {
        let help = self.0.help.clone().unwrap_or_default();
        Some(Unavailable::new(&self.0.to_string(), &help))
    }

    fn keep(&self, _: &str, _: &Envelope, _: Option<&str>) -> Checked<String> {
        Err(Box::new(self.0.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Algorithm, PrivateKey};
    use crate::vault::Given;

    #[test]
    fn each_record_has_a_name_of_its_own_and_a_simulation_is_no_vault() {
        let directory = tempfile::tempdir().unwrap();
        let settings = Settings::parse(Given {
            directory: Some(directory.path().join("vault")),
            ..Given::default()
        })
        .unwrap();
        let at = Timestamp::read("2026-01-15T12:00:00Z").unwrap().time;
        let vault = Vault {
            settings: &settings,
            at,
        };
        assert!(vault.is_simulation());
        assert_eq!(vault.unavailable().unwrap().found, "VAULT_ADDR is not set");
        let key = PrivateKey::generate(Algorithm::Ed25519).unwrap();
        let keep = |text: &[u8]| {
            let signed = Envelope::new("t", text.to_vec()).signed(&key);
            vault.keep("T-1", &signed, Some("bob")).unwrap()
        };
        let first = keep(b"x");
        assert_eq!(first, keep(b"x"));
        assert_ne!(first, keep(b"y"));
        let record: serde_json::Value =
            serde_json::from_slice(&std::fs::read(first).unwrap()).unwrap();
        assert_eq!(record["approver"], "bob");
        assert_eq!(record["simulated"], true);
    }
}
