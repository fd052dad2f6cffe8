//! May personal data leave the workspace? And the key of its hashes.

use std::time::Duration;

use serde::Serialize;

use super::actor::actor;
use super::recording::with_records;
use super::secrets::{self, Source};
use super::{Context, Format};
use crate::approval::Subject;
use crate::approval::personal::{self, Access};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::ids::Digest;
use crate::privacy::HashKey;
use crate::record::AUDIT_LOG;
use crate::time::Clock;

/// The key of the hashes, one for each tenant.
pub(super) const TENANT_KEY: Source = Source::new(
    "POLICY_TENANT_KEY",
    "POLICY_TENANT_KEY_FILE",
    "POLICY_TENANT_KEY_VAULT",
);

/// How long it is waited for another command.
const WAIT: Duration = Duration::from_secs(30);

/// The key of the hashes; `None` where none is set: then there are no hashes.
pub(super) fn hash_key() -> Checked<Option<HashKey>> {
    let Some((name, key)) = TENANT_KEY.read()? else {
        return Ok(None);
    };
    secrets::refuse_default(name, &key)?;
    let length = key.len();
    HashKey::new(key.to_vec()).map(Some).ok_or_else(|| {
        Box::new(
            Diagnostic::new(
                Code::SecretUnusable,
                Place::file(name),
                "the key of the hashes can't be used",
            )
            .found(format!("a key of {length} bytes"))
            .expected("at least 32 bytes")
            .help("`head -c 32 /dev/urandom | base64` makes one; nothing was exported"),
        )
    })
}

/// The JSON shape of a refusal, in the words of S0-017.
#[derive(Serialize)]
struct Refusal<'a> {
    schema: u32,
    status: u16,
    error: &'static str,
    why: &'a str,
    /// What an approval has to name.
    subject: Digest,
}

const FORBIDDEN: &str = "PII access forbidden";

/// Lets this export hold personal data, once. Fails where it may not, which is recorded.
pub(super) fn may_leave<T: Serialize>(
    context: &Context,
    workspace: &Workspace,
    table: &'static str,
    export: &T,
) -> anyhow::Result<()> {
    let what = serde_json::to_vec(&(table, export))?;
    let subject = Digest::of(&what);
    let answer = with_records(workspace, ("audit export", WAIT), |records| {
        let access = Access {
            user: &actor(),
            table,
            export,
            subject: Subject::of(subject),
            at: Clock::System.read(),
        };
        personal::access(records, &access)
    })?;
    let Err(why) = answer else { return Ok(()) };
    if context.format() == Format::Json {
        context.output.json(&Refusal {
            schema: 1,
            status: 403,
            error: FORBIDDEN,
            why: &why,
            subject,
        })?;
    }
    Err(anyhow::Error::new(
        Diagnostic::new(Code::PiiForbidden, Place::file(AUDIT_LOG), FORBIDDEN)
            .found(why)
            .expected(format!(
                "the scope `pii:read` for who exports, and a second person's approval of {subject}"
            ))
            .help(format!(
                "`policy-orchestrator approve request --operation pii_access --subject {subject} --reason TEXT`, and let somebody else grant it"
            )),
    ))
}
