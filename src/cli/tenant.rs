//! The tenant that a command acts for: its token, from where it may come, verified.

use zeroize::Zeroizing;

use super::given::Given;
use super::{Context, secrets};
use crate::authorization::tenant::{self, Tenant};
use crate::diagnostic::Checked;
use crate::request::codes;
use crate::request::input::Refused;
use crate::time::Timestamp;

/// The tenant of the token that was given; `None` where none was.
pub(super) fn given(
    context: &Context,
    file: Option<&str>,
    at: Timestamp,
) -> Checked<Result<Option<Tenant>, Refused>> {
    let token = match file {
        Some(file) => Some(token_of(file)?),
        None => secrets::tenant_token()?,
    };
    let Some(token) = token else {
        return Ok(Ok(None));
    };
    let why = match secrets::jwt()? {
        None => "there is no POLICY_JWT_SECRET to verify it with",
        Some(secret) => match tenant::verify(&String::from_utf8_lossy(&token), &secret, at) {
            Ok(tenant) => return Ok(Ok(Some(tenant))),
            Err(refusal) => refusal.as_str(),
        },
    };
    context
        .output
        .note(&format!("the token of the tenant is not accepted: {why}"));
    Ok(Err(Refused {
        code: codes::TENANT_REQUIRED,
        message: tenant::MISSING.to_owned(),
    }))
}

fn token_of(file: &str) -> Checked<Zeroizing<Vec<u8>>> {
    let given = Given {
        path: file,
        what: "token of the tenant",
        expected: "a file that holds the token and nothing else",
        limit: 64 * 1024,
    };
    given.read().map(Zeroizing::new)
}
