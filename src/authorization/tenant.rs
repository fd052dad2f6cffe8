//! Tenants: whoever asks for one of several may reach its own only (rows S0-050 to S0-055).
//!
//! The tenant is a claim of a JSON Web Token (RFC 7519), signed with HMAC SHA-256 (RFC 7515, RFC 7518
//! section 3.2). No other algorithm is accepted, whatever the token's header asks for: the header is
//! the sender's word (RFC 8725, sections 2.1 and 3.1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;

use super::of_program;
use crate::request::envelope::Circumstances;
use crate::request::{Request, Verdict, codes};
use crate::time::Timestamp;

/// What a request without a tenant is told (row S0-053).
pub const MISSING: &str = "Missing tenant context";

/// A secret shorter than the digest makes a signature that can be guessed (RFC 7518, section 3.2).
pub const LEAST_SECRET: usize = 32;

/// The largest token, in bytes.
const MOST_TOKEN: usize = 16 * 1024;

/// The clocks of two machines may differ by so many seconds.
const LEEWAY: i64 = 60;

/// Where a request or a row names its tenant.
const NAMED: [&[&str]; 3] = [
    &["tenant_id"],
    &["resource", "tenant_id"],
    &["data", "tenant_id"],
];

/// A tenant that a token has proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    id: String,
    reaches_others: bool,
}

impl Tenant {
    /// Its name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// True where the token permits to reach other tenants, too: the claim `tenant_override` (row
    /// S0-052).
    pub fn reaches_others(&self) -> bool {
        self.reaches_others
    }

    /// True for a row that may be handed over: it names this tenant. One that names none belongs to
    /// nobody, and is handed to nobody (row S0-050).
    pub fn may_see(&self, named: Option<&str>) -> bool {
        named.is_some_and(|named| named == self.id || self.reaches_others)
    }
}

/// Why a token is none. Nothing of the token stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It has not three parts of base64url with JSON in the first two.
    Malformed,
    /// Its header asks for something other than HS256.
    Algorithm,
    /// It was not signed with this secret.
    Signature,
    /// Its time is over, or it names none.
    Expired,
    /// Its time has not come.
    NotYet,
    /// It names no tenant.
    NoTenant,
    /// The secret is shorter than 32 bytes.
    WeakSecret,
}

impl Refusal {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "it is no JSON Web Token of three parts",
            Self::Algorithm => "it is not signed with HS256, the only way that is accepted",
            Self::Signature => "its signature is not made with this secret",
            Self::Expired => "its time is over, or it names none (`exp`)",
            Self::NotYet => "its time has not come (`nbf`)",
            Self::NoTenant => "it names no tenant (`tenant_id`)",
            Self::WeakSecret => "the secret that it would be verified with has fewer than 32 bytes",
        }
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    tenant_id: Option<String>,
    #[serde(default)]
    tenant_override: Option<bool>,
    #[serde(default)]
    exp: Option<f64>,
    #[serde(default)]
    nbf: Option<f64>,
}

/// Verifies a token, with or without `Bearer ` before it, at a time. `exp` has to be there.
pub fn verify(token: &str, secret: &[u8], at: Timestamp) -> Result<Tenant, Refusal> {
    if secret.len() < LEAST_SECRET {
        return Err(Refusal::WeakSecret);
    }
    let token = token.trim();
    let token = match token.split_at_checked(7) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer ") => rest.trim_start(),
        _ => token,
    };
    if token.len() > MOST_TOKEN {
        return Err(Refusal::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(Refusal::Malformed)?;
    if claims.contains('.') {
        return Err(Refusal::Malformed);
    }
    let header: Header = part(header)?;
    if header.alg != "HS256" || header.crit.is_some() {
        return Err(Refusal::Algorithm);
    }
    let signature = bytes(signature)?;
    let mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|_| Refusal::WeakSecret)?;
    mac.chain_update(signed.as_bytes())
        .verify_slice(&signature)
        .map_err(|_| Refusal::Signature)?;
    // Only what was signed is believed, so it is read after that.
    let claims: Claims = part(claims)?;
    times(&claims, at)?;
    let id = claims.tenant_id.filter(|id| !id.trim().is_empty());
    Ok(Tenant {
        id: id.ok_or(Refusal::NoTenant)?,
        reaches_others: claims.tenant_override.unwrap_or_default(),
    })
}

/// Signs claims with HS256, as [`verify`] wants them: for tests of a set-up, and for programs that
/// embed this one.
pub fn sign(claims: &Value, secret: &[u8]) -> Result<String, Refusal> {
    let header = URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    let text = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|_| Refusal::WeakSecret)?;
    let signature = mac.chain_update(text.as_bytes()).finalize().into_bytes();
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn bytes(part: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed)
}

fn part<T: for<'de> Deserialize<'de>>(part: &str) -> Result<T, Refusal> {
    serde_json::from_slice(&bytes(part)?).map_err(|_| Refusal::Malformed)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "seconds of this age of the world are far below 2^53"
)]
fn times(claims: &Claims, at: Timestamp) -> Result<(), Refusal> {
    let now = at.unix_seconds();
    let (late, early) = ((now - LEEWAY) as f64, (now + LEEWAY) as f64);
    let expires = claims.exp.ok_or(Refusal::Expired)?;
    if expires <= late {
        return Err(Refusal::Expired);
    }
    match claims.nbf {
        Some(begins) if begins > early => Err(Refusal::NotYet),
        _ => Ok(()),
    }
}

/// A denial, where the request has no tenant and needs one, or is about another's; `None` otherwise.
pub(super) fn judge(
    request: &Request,
    tenant: Option<&Tenant>,
    required: bool,
    around: &Circumstances,
) -> Option<Verdict> {
    let Some(tenant) = tenant else {
        let missing =
            || of_program(codes::TENANT_REQUIRED, "tenant", "deny: none", around).because(MISSING);
        return required.then(missing);
    };
    let mut named = NAMED.iter().filter_map(|path| request.get(path));
    let other = named.any(|named| named.as_str() != Some(tenant.id()));
    (other && !tenant.reaches_others()).then(|| {
        let said = "deny: another tenant's, and no claim `tenant_override`";
        of_program(codes::TENANT_MISMATCH, "tenant", said, around)
            .because("the request is about another tenant's resource")
    })
}

#[cfg(test)]
mod tests;
