//! What is not done while Vault is only simulated (C-25).

use super::audit::AuditCommand;
use super::output::variable;
use super::overrides::OverrideCommand;
use super::policy::PolicyCommand;
use super::{Command, vault};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::vault::{Mode, SIMULATION};

/// The name of a command that applies, promotes, exports or changes a secret; `None` for any other.
pub(super) fn refused(command: &Command) -> Option<&'static str> {
    match command {
        Command::Respond(arguments) => arguments.applies().then_some("respond --apply"),
        Command::Action(arguments) => arguments.applies().then_some("action --apply"),
        Command::Policy(PolicyCommand::Promote(_)) => Some("policy promote"),
        Command::Audit(AuditCommand::Export(_)) => Some("audit export"),
        Command::Audit(AuditCommand::RotateKey(_)) => Some("audit rotate-key"),
        Command::Override(OverrideCommand::Enroll(_)) => Some("override enroll"),
        _ => None,
    }
}

/// Fails under `ENV=production` where Vault is simulated, and everywhere where `SIMULATION_MODE` says
/// that everything is: what was only tried out must not have effects.
pub(super) fn refuse(command: &'static str) -> Checked<()> {
    let production = super::production();
    if !production && variable(SIMULATION).is_none() {
        return Ok(());
    }
    let Mode::Simulated { asked, .. } = vault::settings()?.mode else {
        return Ok(());
    };
    let (place, found) = match (asked, production) {
        (true, true) => (" in production", "SIMULATION_MODE=true"),
        (true, false) => ("", "SIMULATION_MODE=true"),
        (false, true) => (" in production", "no VAULT_ADDR, so Vault is simulated"),
        (false, false) => return Ok(()),
    };
    Err(Box::new(
        Diagnostic::new(
            Code::SimulationForbidden,
            Place::file(SIMULATION),
            format!("`{command}` is not done{place} while Vault is simulated"),
        )
        .found(found)
        .expected("a Vault server, or SIMULATION_MODE=false")
        .help("set VAULT_ADDR; or SIMULATION_MODE=false, which says that secrets come from the environment and nothing stands in for Vault"),
    ))
}
