//! What the environment says of Vault.

use std::path::PathBuf;

use super::output::{variable, variable_os};
use super::secrets::Source;
use crate::diagnostic::Checked;
use crate::vault::{ADDRESS, Given, SIMULATION, Settings};

/// The token.
pub(super) const TOKEN: Source = Source::outside("VAULT_TOKEN", "VAULT_TOKEN_FILE");

/// Which Vault the environment names. Fails where what it says makes no sense.
pub(super) fn settings() -> Checked<Settings> {
    let address = variable(ADDRESS);
    // Without a server nobody asks for the token, whose file may not be there.
    let token = match address {
        Some(_) => TOKEN.read()?,
        None => None,
    };
    Settings::parse(Given {
        address,
        token: token.map(|(_, token)| token),
        namespace: variable("VAULT_NAMESPACE"),
        authority: variable_os("VAULT_CACERT").map(PathBuf::from),
        timeout: variable("VAULT_CLIENT_TIMEOUT"),
        mount: variable("POLICY_VAULT_MOUNT"),
        simulation: variable(SIMULATION),
        directory: variable_os("POLICY_SIMULATED_VAULT").map(PathBuf::from),
    })
}
