//! What the checks are held against: the environment and the command line, gathered once. Nothing is
//! checked here.

use super::super::actor::actor;
use super::super::output::{all_variables, variable, variable_os};
use super::super::{approve, clock, keys, metrics, production, secrets, vault};
use crate::approval::operation::Subject;
use crate::checks::Ground;
use crate::checks::artifact::Artifact;
use crate::checks::task::TaskId;
use crate::checks::vault::{Keeper, Unusable, Vault};
use crate::diagnostic::Checked;
use crate::fs::Workspace;
use crate::keys::{PrivateKey, VerifyingKey};
use crate::privacy::Secrets;
use crate::record::SigningKey;
use crate::time::Timestamp;
use crate::vault::{SIMULATION, Settings, simulation as simulation_of};

/// The variables whose values are secrets of this program, and may stand in no file.
const OWN_SECRETS: [&str; 14] = [
    "POLICY_AUDIT_SECRET",
    "POLICY_AUDIT_OLD_SECRET",
    "SCALPEL_AUDIT_SECRET",
    "POLICY_TOTP_SECRET",
    "SCALPEL_TOTP_SECRET",
    "POLICY_KEY_PASSWORD",
    "COSIGN_PASSWORD",
    "POLICY_TENANT_KEY",
    "VAULT_TOKEN",
    "JWT_SECRET",
    "POLICY_JWT_SECRET",
    "POLICY_TENANT_TOKEN",
    "POSTGRES_DSN",
    "GITHUB_TOKEN",
];

/// Variables that ask for several tenants in one workspace.
const TENANT_VARIABLES: [&str; 5] = [
    "JWT_SECRET",
    "POLICY_JWT_SECRET",
    "POLICY_JWT_SECRET_FILE",
    "POLICY_JWT_SECRET_VAULT",
    "POSTGRES_DSN",
];

/// Owns what a [`Ground`] borrows, but for the workspace.
pub(super) struct Gathered {
    pub(super) at: Timestamp,
    user: String,
    simulation: Option<bool>,
    pub(super) secrets: Secrets,
    own_secrets: Secrets,
    journal_key: Checked<Option<SigningKey>>,
    pub(super) signing_key: Checked<Option<PrivateKey>>,
    /// Which Vault, or what stands in for it.
    vault: Checked<Settings>,
    metrics: Checked<String>,
    pending: Option<Subject>,
    tenant_variables: Vec<&'static str>,
}

impl Gathered {
    pub(super) fn new(workspace: &Workspace, simulation: Option<bool>) -> Self {
        let elsewhere = secrets::not_in_environment().unwrap_or_default();
        let own = all_variables().filter(|(name, _)| OWN_SECRETS.iter().any(|own| name == own));
        let is_set = |name: &&'static str| variable_os(name).is_some();
        Self {
            vault: vault::settings(),
            at: clock(None).read(),
            user: actor(),
            simulation,
            secrets: Secrets::from_environment(all_variables(), elsewhere.clone()),
            own_secrets: Secrets::from_environment(own, elsewhere),
            journal_key: secrets::signing_key(),
            signing_key: keys::signing_key(),
            metrics: metrics::text(workspace),
            pending: approve::previewed(workspace).ok(),
            tenant_variables: TENANT_VARIABLES.into_iter().filter(is_set).collect(),
        }
    }

    /// What keeps signed records.
    pub(super) fn keeper(&self) -> Box<dyn Keeper + '_> {
        match &self.vault {
            Err(finding) => Box::new(Unusable(finding)),
            Ok(settings) => Box::new(Vault {
                settings,
                at: self.at,
            }),
        }
    }

    pub(super) fn ground<'a>(
        &'a self,
        workspace: &'a Workspace,
        vault: &'a dyn Keeper,
        asked: &'a Asked,
    ) -> Ground<'a> {
        Ground {
            workspace,
            at: self.at,
            user: &self.user,
            task: asked.task.as_str(),
            production: production(),
            simulation: self.simulation,
            secrets: &self.secrets,
            own_secrets: &self.own_secrets,
            journal_key: &self.journal_key,
            signing_key: &self.signing_key,
            vault_is_named: !matches!(&self.vault, Ok(settings) if settings.server().is_err()),
            vault,
            metrics: &self.metrics,
            artifact: asked.artifact.as_ref(),
            trusted: &asked.trusted,
            pending: self.pending.as_ref(),
            tenant_variables: &self.tenant_variables,
            slo_ms: asked.slo_ms,
        }
    }
}

/// What the command line asks for.
pub(super) struct Asked {
    pub(super) task: TaskId,
    pub(super) artifact: Option<Artifact>,
    pub(super) trusted: Vec<VerifyingKey>,
    pub(super) slo_ms: u64,
}

/// What `SIMULATION_MODE` says; an error text for anything but `true` and `false`.
pub(super) fn simulation() -> Result<Option<bool>, String> {
    simulation_of(variable(SIMULATION).as_deref())
        .map_err(|_| format!("{SIMULATION}: expected `true` or `false`, and found another word"))
}
