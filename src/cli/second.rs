//! A second person for changes of secrets in production, and the signed record of it in Vault
//! (S0-027).

use super::actor::actor;
use super::{Context, Exit, tamper, vault};
use crate::approval::{self, Approved, Operation, Subject, Wanted};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::ids::EventType;
use crate::record::audit::{self, Event, Severity};
use crate::record::{APPROVAL_LOG, Records};
use crate::time::Clock;
use crate::vault::{ADDRESS, Kept, Mode};

/// A change of a secret that a second person approved, and where Vault keeps the record of it.
#[derive(Debug)]
pub(super) struct Change {
    operation: Operation,
    approved: Approved,
    kept: Kept,
}

/// Looks for what a change of a secret needs in production: the approval, and the signed record of it
/// in Vault. `None` where it needs nothing. The approval is used up by [`done`].
pub(super) fn wanted(
    records: Records<'_>,
    operation: Operation,
    name: &str,
) -> Checked<Option<Change>> {
    if !super::production() {
        return Ok(None);
    }
    let user = actor();
    let wanted = Wanted {
        operation,
        subject: Subject::of_secret(operation, name),
        user: &user,
    };
    let at = Clock::System.read();
    let found = approval::find(records.workspace, records.key, wanted, at)?;
    let approved = found.map_err(|why| missing(wanted, name, &why))?;
    let settings = vault::settings()?;
    let Mode::Server(_) = settings.mode else {
        return Err(without_vault());
    };
    let signed = approved.envelope.to_string();
    let kept = crate::vault::write_signature(&settings, &approved.id, &signed, &approved.approver)?;
    Ok(Some(Change {
        operation,
        approved,
        kept,
    }))
}

/// Uses the approval up and records the change, under the lock of [`wanted`].
pub(super) fn done(records: Records<'_>, change: &Change) -> Checked<()> {
    let Change {
        operation,
        approved,
        kept,
    } = change;
    let user = actor();
    let at = Clock::System.read();
    approval::spend(records, at, &user, approved)?;
    let details = serde_json::json!({
        "operation": operation,
        "approver": approved.approver,
        "approval": approved.id,
        "signed_record": kept.place,
    });
    let event = Event {
        at,
        user: &user,
        action: "secret_change",
        event_type: &EventType::SECRET_CHANGED,
        severity: Severity::High,
        task_id: Some(&approved.id),
        data: crate::ids::Digest::of(approved.envelope.to_string().as_bytes()),
        details: &details,
        given_clock: false,
    };
    audit::append(records, &event).map(drop)
}

/// In production the list of approvers has to be the one that was accepted.
pub(super) fn look(context: &Context, command: &'static str) -> anyhow::Result<Option<Exit>> {
    if super::production() {
        tamper::refuse(context, command)
    } else {
        Ok(None)
    }
}

fn missing(wanted: Wanted<'_>, name: &str, why: &str) -> Box<Diagnostic> {
    let operation = wanted.operation;
    Box::new(
        Diagnostic::new(
            Code::ApprovalMissing,
            Place::file(APPROVAL_LOG),
            format!("Approver required in production: `{operation}` lacks a valid approval"),
        )
        .found(why)
        .expected(format!(
            "an approval for {name} by a second person who signs with a key of their own"
        ))
        .help(format!(
            "`policy-orchestrator approve request --operation {operation} --subject {name} --reason TEXT`, and let somebody else grant it"
        )),
    )
}

fn without_vault() -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::SimulationForbidden,
            Place::file(ADDRESS),
            "a secret is changed in production only with a signed record in Vault",
        )
        .found("no server")
        .expected("the address of a Vault server")
        .help("set VAULT_ADDR and VAULT_TOKEN or VAULT_TOKEN_FILE; nothing was changed"),
    )
}
